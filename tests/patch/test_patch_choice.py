"""Which targets are meant, by name, ARN or address; and the command."""

import pytest
from patch_trees import after_patch, good, target_of, written

from ecs_runbook import cli
from ecs_runbook.patch.patch import patch

PINNED = "aws_ecs_task_definition.this.arn"
TREE = (
    target_of(PINNED)
    + """
variable "env" {}

resource "aws_cloudwatch_event_rule" "named" {
  name                = "${var.env}-hourly"
  schedule_expression = "rate(1 hour)"
}

resource "aws_cloudwatch_event_target" "named" {
  rule = aws_cloudwatch_event_rule.named.id
  arn  = data.aws_ecs_cluster.this.arn
  ecs_target {
    task_definition_arn = "hourly:3"
    launch_type         = "FARGATE"
  }
}

resource "aws_scheduler_schedule" "each" {
  for_each = { daily = "daily:1", weekly = "weekly:2" }
  name     = each.key
  target {
    arn      = data.aws_ecs_cluster.this.arn
    role_arn = aws_iam_role.schedule.arn
    ecs_parameters {
      task_definition_arn = each.value
      launch_type         = "FARGATE"
    }
  }
}
"""
)
NIGHTLY = (f"task_definition_arn = {PINNED}\n", f"task_definition_arn = {PINNED}_without_revision\n")


@pytest.mark.parametrize(
    ("only", "before", "after"),
    [
        ("nightly", *NIGHTLY),
        ("arn:aws:events:eu-west-2:111122223333:rule/nightly", *NIGHTLY),
        ("arn:aws:events:eu-west-2:111122223333:rule/default/nightly", *NIGHTLY),
        ("aws_cloudwatch_event_target.this", *NIGHTLY),
        ("prod-hourly", '"hourly:3"', '"hourly"'),
        ("daily", '"daily:1"', '"daily"'),
        ("arn:aws:scheduler:eu-west-2:111122223333:schedule/default/weekly", '"weekly:2"', '"weekly"'),
        ('aws_scheduler_schedule.each["weekly"]', '"weekly:2"', '"weekly"'),
    ],
)
def test_one_is_chosen_and_the_others_stay(only, before, after, tmp_path):
    assert TREE.count(before) == 1
    assert after_patch(tmp_path, TREE, ["pinned-revision"], only=[only]) == TREE.replace(before, after)


@pytest.mark.parametrize("name", ["yearly", "arn:aws:scheduler:eu-west-2:111122223333:schedule/default/nightly"])
def test_a_name_that_no_target_has_is_told(name, tmp_path):
    found = patch(written(tmp_path, TREE), only=[name])
    assert found.diff == ""
    assert [str(one) for one in found.not_placed] == [
        f"pinned-revision, policy, launch-type of {name}: no target of that name that runs a task is in these files"
    ]


def test_a_name_that_several_may_have_is_told_and_none_is_changed(tmp_path):
    other = 'resource "aws_scheduler_schedule" "x" {\n  name = "prod-${var.env}"\n  target {\n    arn = "c"\n'
    other += '    role_arn = "r"\n    ecs_parameters {\n      task_definition_arn = "x:1"\n    }\n  }\n}\n'
    found = patch(written(tmp_path, TREE + other), only=["prod-hourly"])
    assert found.diff == ""
    assert "which of these it is cannot be told from the files: main.tf:91, main.tf:112" in str(found.not_placed[0])


def test_the_policies_of_those_that_are_chosen_are_theirs(tmp_path):
    bare = good(
        (
            '"${aws_ecs_task_definition.this.arn_without_revision}:*"',
            '"${aws_ecs_task_definition.this.arn_without_revision}"',
        )
    )
    folder = written(tmp_path, {"a/main.tf": bare, "b/main.tf": bare.replace('"nightly"', '"daily"')})
    found = patch(folder, ["policy"], only=["daily"])
    assert list(found.texts) == ["b/main.tf"]


def test_the_command_shows_and_with_apply_writes(tmp_path, capsys):
    tree = target_of(PINNED)
    folder = written(tmp_path, tree)
    assert cli.main(["mend", str(folder)]) == 1
    shown = capsys.readouterr().out
    assert f"-    task_definition_arn = {PINNED}\n+    task_definition_arn = {PINNED}_without_revision\n" in shown
    assert (folder / "main.tf").read_text() == tree
    assert cli.main(["mend", str(folder), "--apply", "--mend", "pinned-revision", "--only", "nightly"]) == 0
    assert (folder / "main.tf").read_text() == target_of(f"{PINNED}_without_revision")
    assert cli.main(["mend", str(folder)]) == 0
    assert capsys.readouterr().out.endswith("Nothing to change.\n")


def test_the_command_says_in_one_line_what_it_cannot_read(tmp_path, capsys):
    assert cli.main(["mend", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"There is no folder {tmp_path / 'none'}. Name a folder with .tf files.\n"
