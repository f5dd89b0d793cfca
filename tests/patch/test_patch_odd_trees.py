"""Whatever else stands in a file, in whatever order and with whatever line ends: every other byte stays."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patch_trees import written

from ecs_runbook.patch.patch import patch

TARGET = """\
resource "aws_cloudwatch_event_target" "t{at}" {{ # {{ "not a block
  rule = "r${{1 + {at}}}"{tab}# trailing é
  arn  = "c" /* inside */
  ecs_target{space}/* {{ */ {{
    # task_definition_arn = aws_ecs_task_definition.d.arn
    task_definition_arn{space}/* = */ = {expression} // 世界 }}
    launch_type = "FARGATE"
  }}
}}
"""
PAIRS = [
    ("aws_ecs_task_definition.d.arn", "aws_ecs_task_definition.d.arn_without_revision"),
    ('"nightly:12"', '"nightly"'),
    ('"${aws_ecs_task_definition.d.arn}"', '"${aws_ecs_task_definition.d.arn_without_revision}"'),
    ('"é-${"a"}-${aws_ecs_task_definition.d.family}:${aws_ecs_task_definition.d.revision}"',
     '"é-${"a"}-${aws_ecs_task_definition.d.family}"'),
    ("true ? aws_ecs_task_definition.d.arn : null", "true ? aws_ecs_task_definition.d.arn_without_revision : null"),
    ("try(one([aws_ecs_task_definition.d.arn]), null)",
     "try(one([aws_ecs_task_definition.d.arn_without_revision]), null)"),
    ("( # (\n aws_ecs_task_definition.d /* .arn */ . /* \" */ arn\n )",
     "( # (\n aws_ecs_task_definition.d /* .arn */ . /* \" */ arn_without_revision\n )"),
    ('"${ /* ${ } */ aws_ecs_task_definition.d.arn /* } */ }"',
     '"${ /* ${ } */ aws_ecs_task_definition.d.arn_without_revision /* } */ }"'),
    ('format("%s:%d", "x\\"y$${z}", 7)', 'replace(format("%s:%d", "x\\"y$${z}", 7), "/:[0-9]+$/", "")'),
]  # fmt: skip
ASIDE = [
    "# aws_ecs_task_definition.d.arn\n",
    '/* resource "a" "b" {\n  x = aws_ecs_task_definition.d.arn\n*/\n',
    (
        'locals {\n  a = <<-EOT\n    task_definition_arn = aws_ecs_task_definition.d.arn # "\n'
        '      ${"x"} $${y} %{ if true }é%{ endif }\n  EOT\n}\n'
    ),
    'locals { b = { "k:7" = [for k, v in { a = 1 }: "${k}:7" if v > 0], c = "\\u00e9\\"" } }\n',
    "locals {\n\n\tc\t=\tmax( 1,2 )\n   d=[ 1 , 2 ,]\n}\n",
    'output "o" { value = aws_ecs_task_definition.d.family }\n',
    'locals {\n  naïve = "a${ upper( "b${ 1 }" ) }"\n}\n',
    "locals {\n  e = <<EOF\n}\nEOF   \n}\n",
    'locals { f = "$${" /*\n*/ }\n',
    "locals {\n  g /* } */ = /* { */ f( # (\n    1,/*,*/ 2...) . /* ) */ * . h [ /* ] */ 0]\n}\n",
    '\n\n\nvariable "v" { default = "nightly:7" }\n',
]


@st.composite
def trees(draw):
    """A text before and after, and the bytes around them."""
    before, after = [], []
    aside = draw(st.permutations(range(len(ASIDE))))
    chosen = draw(st.lists(st.sampled_from(PAIRS), min_size=1, max_size=3))
    for at, (now, then) in enumerate(chosen):
        form = {"at": at, "space": draw(st.sampled_from([" ", "   ", "\t"])), "tab": draw(st.sampled_from([" ", "\t"]))}
        for pieces, expression in ((before, now), (after, then)):
            pieces.append(TARGET.format(expression=expression, **form))
    for place in aside[: draw(st.integers(0, len(aside)))]:
        at = draw(st.integers(0, len(before)))
        before.insert(at, ASIDE[place])
        after.insert(at, ASIDE[place])
    definition = 'resource "aws_ecs_task_definition" "d" { family = "d" }'
    ends = draw(st.sampled_from(["\n", "\r\n"]))
    mark = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    last = draw(st.sampled_from(["", "\n", "\n\n \t"]))
    return tuple(
        mark + ("".join(pieces) + definition + last).replace("\n", ends).encode() for pieces in (before, after)
    )


@settings(max_examples=40, deadline=None)
@given(trees())
def test_every_byte_but_those_of_the_edits_stays(tree):
    before, after = tree
    with tempfile.TemporaryDirectory() as folder:
        written(folder, {"main.tf": before})
        found = patch(folder, ["pinned-revision"])
        assert found.not_placed == ()
        found.apply()
        assert Path(folder, "main.tf").read_bytes() == after
        assert patch(folder, ["pinned-revision"]).diff == ""


COMMENTS = """\
resource "aws_cloudwatch_event_target" "t" {
  rule = "r"
  arn  = "c"
  ecs_target {
    task_definition_arn = aws_ecs_task_definition.d.arn # which
    launch_type         = "FARGATE"                     # where
  }
}
"""


@pytest.mark.parametrize("mark", ["#", "//"])
def test_comments_that_stood_in_one_column_still_do(mark, tmp_path):
    tree = COMMENTS.replace("#", mark)
    patch(written(tmp_path, tree)).apply()
    grown = tree.replace("d.arn ", "d.arn_without_revision ").replace('"FARGATE" ', '"FARGATE"' + " " * 18)
    assert (tmp_path / "main.tf").read_text() == grown


def test_comments_that_stood_anywhere_stay(tmp_path):
    tree = COMMENTS.replace("  # where", " # where")
    patch(written(tmp_path, tree)).apply()
    assert (tmp_path / "main.tf").read_text() == tree.replace("d.arn ", "d.arn_without_revision ")
