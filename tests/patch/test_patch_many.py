"""Many targets in one folder: it is read a few times, however many there are, and each is mended as alone."""

import re

import pytest
from patch_trees import written

from ecs_runbook.lint.reading import Tree
from ecs_runbook.patch.patch import patch

JOB = """
resource "aws_ecs_task_definition" "j{at}" {{
  family = "job-{at}"
}}
resource "aws_cloudwatch_event_target" "j{at}" {{
  rule = "job-{at}"
  arn  = "c"
  ecs_target {{
    task_definition_arn = {expression}
    launch_type         = "FARGATE"
  }}
}}
"""


def jobs(expressions):
    return "".join(JOB.format(at=at, expression=one.format(at=at)) for at, one in enumerate(expressions))


def readings(monkeypatch, folder):
    """Return what is placed of a folder, and how often it was read."""
    asked, read = [], Tree.read
    monkeypatch.setattr(Tree, "read", lambda *given, **named: asked.append(1) or read(*given, **named))
    found = patch(folder, ["pinned-revision"])
    assert found.not_placed == (), str(found)
    return found, len(asked)


ARN = "aws_ecs_task_definition.j{at}.arn"
LOCAL = "local.arn{at}"
TOLD = 'locals {{\n  arn{at} = aws_ecs_task_definition.j{at}.arn\n}}\noutput "o{at}" {{\n  value = local.arn{at}\n}}\n'


@pytest.mark.parametrize("many", [6, 24])
def test_a_folder_is_read_as_often_for_many_targets_as_for_few(many, monkeypatch, tmp_path):
    # every third goes by a local that an output tells too: that one is changed where the target takes it
    expressions = [ARN, ARN, LOCAL] * (many // 3)
    told = "".join(TOLD.format(at=at) for at in range(2, many, 3))
    folder = written(tmp_path, jobs(expressions) + told)
    found, often = readings(monkeypatch, folder)
    assert often == 4  # as it is; all at once; those without an output; those with one, their next way
    found.apply()
    plain, taken = f"{ARN}_without_revision", 'replace(local.arn{at}, "/:[0-9]+$/", "")'
    assert (folder / "main.tf").read_text() == jobs([plain, plain, taken] * (many // 3)) + told


@pytest.mark.parametrize("many", [4, 16])
def test_where_all_stand_behind_one_name_one_tells_of_all(many, monkeypatch, tmp_path):
    every = "".join(f"    j{at} = aws_ecs_task_definition.j{at}.arn\n" for at in range(many))
    told = f'locals {{\n  jobs = {{\n{every}  }}\n}}\noutput "jobs" {{\n  value = local.jobs\n}}\n'
    folder = written(tmp_path, told + jobs(["local.jobs.j{at}"] * many))
    found, often = readings(monkeypatch, folder)
    assert often == 4
    found.apply()
    assert (folder / "main.tf").read_text() == told + jobs(['replace(local.jobs.j{at}, "/:[0-9]+$/", "")'] * many)


def test_one_that_cannot_be_mended_keeps_none_of_the_others(tmp_path):
    given = 'variable "given" {\n  default = "elsewhere:7"\n}\noutput "given" {\n  value = var.given\n}\n'
    ignored = "  lifecycle {\n    ignore_changes = [ecs_target]\n  }\n"
    text = jobs([ARN, ARN, ARN]).replace('  rule = "job-1"\n', f'  rule = "job-1"\n{ignored}') + given
    found = patch(written(tmp_path, text), ["pinned-revision"])
    assert [one.address for one in found.mended] == [f"aws_cloudwatch_event_target.j{at}" for at in (0, 2)]
    (left,) = found.not_placed
    assert left.address == "aws_cloudwatch_event_target.j1"
    assert re.match("ignore_changes keeps Terraform from changing it", left.because)
