"""Files that are broken, foreign or strange: each is named with its line, and the others are read all the same."""

import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lint_trees import GOOD, good, linted, seen, written

from ecs_runbook.errors import TerraformError
from ecs_runbook.lint.check import lint_terraform
from ecs_runbook.lint.files import read_text
from ecs_runbook.lint.syntax import Literal, Name, Template

TARGET = "    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n"
PINNED = good((TARGET, "    task_definition_arn = aws_ecs_task_definition.this.arn\n"))


@pytest.mark.parametrize(
    ("content", "line", "because"),
    [
        (b'resource "a" "b" {\n  x = = 1\n}\n', 2, "'= 1' was not expected here"),
        (b'resource "a" "b" {\n  x = [1,\n', 2, "the file ends where something must follow"),
        (b"locals {\n  a = 1 b = 2\n}\n", 2, "a new line is missing before this"),
        (b'locals {\n  a = 1\n  b = "never closed\n}\n', 3, None),
        (b"locals {\n  a = 1\n  a = 2\n}\n", 3, "a is set twice"),
        (b"locals {\n  a = <<EOT\n  never closed\n", 2, None),
        (b"# caf\xe9\nlocals {}\n", 1, "it is not UTF-8, which Terraform reads only"),
        (b"\xff\xfel\x00o\x00c\x00a\x00l\x00s\x00", 1, "it is not UTF-8, which Terraform reads only"),
        (b"<<<<<<< HEAD\nlocals {}\n=======\n>>>>>>> theirs\n", 1, None),
    ],
)
def test_a_broken_file_is_named_with_its_line_and_the_others_are_read(content, line, because, tmp_path):
    report = linted(tmp_path, {"main.tf": PINNED, "broken.tf": content})
    assert seen(report) == {("unreadable-file", "broken.tf", line): 1, ("pinned-revision", "main.tf", 27): 1}
    (broken,) = report.broken
    assert broken.because == because or because is None
    assert sorted(report.files) == ["broken.tf", "main.tf"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{\n  "resource": {\n    "a" "b"\n  }\n}\n', 3),
        ('{\n  "resource": {},\n}\n', 3),
        ('{\n  "resource": "x"\n}\n', 2),
        ("", 1),
        ("[1]", 1),
    ],
)
def test_broken_json_is_named_with_its_line(content, line, tmp_path):
    report = linted(tmp_path, {"main.tf": PINNED, "broken.tf.json": content})
    assert seen(report)["unreadable-file", "broken.tf.json", line] == 1, report.text()
    assert seen(report)["pinned-revision", "main.tf", 27] == 1


def test_a_path_that_is_not_there_is_one_error(tmp_path):
    with pytest.raises(TerraformError) as refusal:
        lint_terraform(tmp_path / "nowhere")
    assert refusal.value.message == f"There is no {tmp_path / 'nowhere'}."
    assert refusal.value.hint == "Name a folder with .tf files, or such a file."


@pytest.mark.parametrize("files", [{}, {"README.md": "# nothing"}, {".terraform/modules/x/main.tf": GOOD}])
def test_a_folder_without_terraform_is_one_error(files, tmp_path):
    written(tmp_path, files)
    with pytest.raises(TerraformError) as refusal:
        lint_terraform(tmp_path)
    assert refusal.value.message == f"{tmp_path} holds no Terraform."


# ---------------------------------------------------------------- what HCL takes and python-hcl2 does not

REFACTORED = """
moved {
  from = aws_vpc.a
  to   = aws_vpc.b
}
import {
  to = aws_vpc.b
  id = "vpc-0a1b2c3d"
}
check "up" {
  assert {
    condition     = true
    error_message = "no"
  }
}
removed {
  from = aws_vpc.c
  lifecycle {
    destroy = false
  }
}
"""


@pytest.mark.parametrize(
    "text",
    [
        "locals {\n  a = <<EOT\nx\nEOT  \n}\nlocals {\n  b = <<EOT\ny\nEOT\n}\n",
        "locals {\n  a = (\n    local.b\n    .c\n    .d\n  )\n}\n",
        "locals {\n  a = { for one in [1] :\n    (one)\n  => 2 }\n}\n",
        "locals {\n  日本 = 1\n  größe = local.日本\n}\n",
        "\ufefflocals {\n  a = 1\n}\n",
        "locals {\r\n  a = <<EOT\r\nx\r\nEOT\r\n}\r\n",
        "",
        "\n\n",
        "# nothing but a comment",
        REFACTORED,
        'locals {\n  a = provider::time::rfc3339_parse("x").year\n}\n',
    ],
)
def test_what_terraform_takes_is_read(text, tmp_path):
    report = linted(tmp_path, {"main.tf": PINNED, "other.tf": text})
    assert seen(report) == {("pinned-revision", "main.tf", 27): 1}, report.text()


# each was given to `terraform fmt`, which takes it
ODD = [
    "x = /* why */ 1",
    "x = /* a\n b */ 1 # c\ny = 2",
    "x /* = */ = 1",
    "x = a /* [ */ [0] . /* ( */ b",
    "x = a ? /* : */ b /* ? */ : c",
    "x = { a /* : */ = 1, (b) /* = */ : 2 }",
    "x = [for k /* in */ , v in l : k /* if */ if v]",
    "x = { for k in l : # {\n k # =>\n => k # }\n if k\n}",
    "x = f /* ( */ (1, /* 2 */ 2 /* . */ ...)",
    "x = (\n a\n && # why\n b\n ? c # {\n : d)",
    "x = provider /* a */ :: aws /* b */ :: f(1)",
    'x = core::upper("a")',
    'x = "${/* } */ a /* \\" */}"',
    'x = "a ${~ b ~} c"',
    'x = "$${"',
    'x = "%%{ ${a} $$${b}"',
    "x = !!a",
    "x = a . * . b",
    "x = a [ * ] . b",
    "x = <<_E\na\n_E",
    "x = f(<<É\n${a}\n  É  \n)",
    'b "c" /* { */ { /* } */ }',
]


@pytest.mark.parametrize("odd", ODD)
def test_comments_and_blanks_stand_wherever_terraform_takes_them(odd, tmp_path):
    report = linted(tmp_path, {"main.tf": f"locals {{\n{odd}\n}}\n{PINNED}"})
    assert seen(report) == {("pinned-revision", "main.tf", 30 + odd.count("\n")): 1}, report.text()


def test_what_is_escaped_or_trimmed_in_a_quote_says_what_terraform_says():
    def said(quote):
        return read_text(f"x = {quote}\n", "main.tf").body.attributes["x"].value

    assert said(r'"$${a} \"${b}%%{"') == Template((Literal('${a} "'), Name("b"), Literal("%{")))
    assert said('"$$${a"') == Literal("$${a")
    assert said('" ${~ b ~} "') == Template((Name("b"),))


def test_lines_stay_right_where_line_ends_and_marks_are_not_as_usual(tmp_path):
    text = "locals {\n  a = <<EOT\nx\nEOT \n  b = (\n    local.a\n    .c\n  )\n}\n"
    before = text.count("\n")
    files = {"main.tf": "\ufeff" + (text + PINNED).replace("\n", "\r\n")}
    assert seen(linted(tmp_path, files)) == {("pinned-revision", "main.tf", before + 27): 1}


def test_names_in_any_script_are_followed(tmp_path):
    text = PINNED.replace('"aws_ecs_task_definition" "this"', '"aws_ecs_task_definition" "夜間"')
    text = text.replace("aws_ecs_task_definition.this", "aws_ecs_task_definition.夜間")
    (one,) = linted(tmp_path, text).open
    assert (one.rule, one.place.line) == ("pinned-revision", 27)
    assert "aws_ecs_task_definition.夜間.arn_without_revision" in one.mend


# ---------------------------------------------------------------- strange folders


def test_folders_that_terraform_does_not_read_are_left_out(tmp_path):
    broken = "resource {{"
    files = {"main.tf": GOOD, ".terraform/modules/x/main.tf": broken, ".git/main.tf": broken, "empty/.keep": ""}
    report = linted(tmp_path, {**files, "main.tf~": broken, "notes.txt": broken, ".hidden.tf": broken})
    assert report.files == ["main.tf"]
    assert report.findings == []


def test_links_in_a_circle_end(tmp_path):
    written(tmp_path, {"main.tf": PINNED, "below/main.tf": "locals {}\n"})
    (tmp_path / "below" / "up").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "gone.tf").symlink_to(tmp_path / "nowhere.tf")
    report = lint_terraform(tmp_path)
    assert seen(report)["pinned-revision", "main.tf", 27] == 1
    assert [str(one.place) for one in report.broken] == ["gone.tf:0"]
    assert report.broken[0].because.startswith("it cannot be read")


def test_a_folder_named_like_a_file_is_walked_into(tmp_path):
    report = linted(tmp_path, {"main.tf": GOOD, "x.tf/main.tf": PINNED})
    assert seen(report) == {("pinned-revision", "x.tf/main.tf", 27): 1}


def test_modules_that_call_each_other_end(tmp_path):
    files = {
        "a/main.tf": 'module "b" {\n  source = "../b"\n}\n',
        "b/main.tf": 'module "a" {\n  source = "../a"\n}\nmodule "self" {\n  source = "./."\n}\n' + PINNED,
    }
    report = linted(tmp_path, files)
    assert seen(report) == {("pinned-revision", "b/main.tf", 33): 1}
    assert {"../a leads back to a module that calls it", "./. leads back to a module that calls it"} == {
        one.because for one in report.unresolved
    }


def test_locals_that_refer_to_each_other_end(tmp_path):
    text = "locals {\n  a = local.b\n  b = local.a\n}\n" + PINNED.replace(
        "= aws_ecs_task_definition.this.arn\n", "= local.a\n"
    )
    report = linted(tmp_path, text)
    assert report.open == []
    assert [one.because for one in report.unresolved if one.what == "task_definition_arn"] == [
        "local.a refers to itself"
    ]


@pytest.mark.parametrize("deep", [60, 3_000])
def test_deep_nesting_is_read_or_said_to_be_too_deep(deep, tmp_path):
    files = {"main.tf": PINNED, "deep.tf": f"locals {{\n  a = {'[' * deep}{']' * deep}\n}}\n"}
    files["deep.tf.json"] = f'{{"locals": {{"b": {"[" * deep}{"]" * deep}}}}}'
    report = linted(tmp_path, files)
    assert seen(report)["pinned-revision", "main.tf", 27] == 1
    assert {one.because for one in report.broken} <= {"it is nested too deeply to be read"}


def test_a_huge_file_is_named_and_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("ecs_runbook.lint.files.LARGEST_BYTES", 5_000_000)
    report = linted(tmp_path, {"main.tf": PINNED, "huge.tf": b"#" * 5_000_001})
    assert seen(report) == {("unreadable-file", "huge.tf", 0): 1, ("pinned-revision", "main.tf", 27): 1}
    assert report.broken[0].because == "it is larger than 5 MB and was not read"


def test_one_file_may_be_asked_for_and_its_folder_is_read_for_what_it_needs(tmp_path):
    target = PINNED.index('resource "aws_cloudwatch_event_target"')
    written(tmp_path, {"target.tf": PINNED[target:], "other.tf": PINNED[:target]})
    report = lint_terraform(tmp_path / "target.tf")
    assert {one.rule for one in report.open} == {"pinned-revision"}


# ---------------------------------------------------------------- whatever stands there

PIECES = ['"', "{", "}", "[", ")", "${", "%{ if ", "<<EOT\n", "\n", "=", "null", "each.value", "[*]", "...", "\\", "/*"]
PIECES += ["\x00", "é", "jsonencode(", "aws_iam_role.schedule", "local.none", "count.index", "1e9", ":", "?", "#"]

CHANGE = st.tuples(st.integers(0, len(GOOD)), st.integers(0, 30), st.sampled_from(PIECES))


@settings(derandomize=True, max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 30), st.sampled_from(PIECES)), min_size=1, max_size=5)
)
def test_whatever_is_broken_there_is_a_report(changes):
    text = PINNED
    for at, lost, piece in changes:
        text = text[:at] + piece + text[at + lost :]
    with tempfile.TemporaryDirectory() as folder:
        report = linted(folder, {"main.tf": text, "other.tf": "locals {\n  fine = 1\n}\n"})
        assert report.files == ["main.tf", "other.tf"]
        assert {one.place.file for one in report.broken} <= {"main.tf"}
        assert all(0 < one.place.line <= len(text.splitlines()) for one in report.findings)
        for told in (report.text(), report.json(), report.sarif(), report._repr_html_()):
            assert told
