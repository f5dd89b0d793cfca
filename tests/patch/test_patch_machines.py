"""State machines: what a state runs is un-pinned where it is written, or the file and the line are told where it is."""

import pytest
from patch_trees import written

from ecs_runbook.lint.check import lint_terraform
from ecs_runbook.patch.patch import patch

ARN = "aws_ecs_task_definition.x.arn"
MACHINE = """\
resource "aws_ecs_task_definition" "x" {{
  family = "nightly"
}}

resource "aws_sfn_state_machine" "m" {{
  name       = "machine"
  role_arn   = "r"
  definition = {definition}
}}
"""
ENCODED = """\
jsonencode({{
    States = {{
      Run = {{ Type = "Task", Resource = "arn:aws:states:::ecs:runTask.sync", {parameters} = {{
        Cluster = "batch", TaskDefinition = {task} /* why */ }} }}
    }}
  }})"""
JSON = """\
{{ "States": {{ "Both": {{ "Type": "Parallel", "Branches": [ {{ "States": {{ "Run": {{
  "Resource": "arn:aws:states:::ecs:runTask.sync",
  "Parameters": {{ "Cluster": "batch", "TaskDefinition": "{task}", "Count": 1 }} }} }} }} ] }} }} }}
"""
LITERAL = "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly"


def encoded(task, parameters="Parameters"):
    return ENCODED.format(task=task, parameters=parameters)


def heredoc(task):
    return f"<<-EOF\n{JSON.format(task=task)}EOF"


@pytest.mark.parametrize(
    ("definition", "becomes"),
    [
        (encoded(ARN), encoded(f"{ARN}_without_revision")),
        (encoded(f'"{LITERAL}:7"', "Arguments"), encoded(f'"{LITERAL}"', "Arguments")),
        (heredoc(f"${{{ARN}}}"), heredoc(f"${{{ARN}_without_revision}}")),
        (heredoc(f"{LITERAL}:12"), heredoc(LITERAL)),
        (f'templatefile("m.tftpl", {{ task = {ARN} }})',
         f'templatefile("m.tftpl", {{ task = {ARN}_without_revision }})'),
    ],
)  # fmt: skip
def test_a_states_task_loses_its_revision_and_nothing_else_changes(definition, becomes, tmp_path):
    folder = written(
        tmp_path, {"main.tf": MACHINE.format(definition=definition), "m.tftpl": JSON.format(task="${task}")}
    )
    found = patch(folder, ["pinned-revision"])
    assert found.not_placed == (), str(found)
    found.apply()
    assert (folder / "main.tf").read_text() == MACHINE.format(definition=becomes)
    assert "pinned-revision" not in {one.rule for one in lint_terraform(folder).open}
    assert patch(folder, ["pinned-revision"]).diff == ""


@pytest.mark.parametrize("function", ['file("m.json")', 'templatefile("m.json", { task = "x" })'])
def test_what_is_written_in_a_file_of_its_own_is_told_with_file_and_line(function, tmp_path):
    folder = written(
        tmp_path, {"main.tf": MACHINE.format(definition=function), "m.json": JSON.format(task="nightly:7")}
    )
    found = patch(folder, ["pinned-revision"])
    (left,) = found.not_placed
    assert (left.address, str(left.place)) == ("aws_sfn_state_machine.m", "main.tf:8")
    assert left.because == "it is written in m.json:3, which is no file of Terraform's: mend it there"
    assert found.diff == ""


@pytest.mark.parametrize("only", ["machine", "arn:aws:states:eu-west-2:111122223333:stateMachine:machine"])
def test_a_machine_is_chosen_by_its_name_or_its_arn(only, tmp_path):
    folder = written(tmp_path, MACHINE.format(definition=encoded(ARN)))
    assert [one.address for one in patch(folder, only=[only]).mended] == ["aws_sfn_state_machine.m"]
    assert [one.address for one in patch(folder, only=[f"{only}s"]).not_placed] == [f"{only}s"]
