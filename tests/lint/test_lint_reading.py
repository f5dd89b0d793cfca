"""Files that are broken, foreign or strange: each is named with its line, and the others are read all the same."""

import pytest
from lint_trees import GOOD, good, linted, seen, written

from ecs_runbook.errors import TerraformError
from ecs_runbook.lint.check import lint_terraform

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
