"""State machines that run a task: lint knows their states as it knows a rule's target."""

import json

import pytest
from lint_trees import RUNS, SCHEDULED_MACHINE, assert_as_marked, changed, linted

from ecs_runbook.lint.check import check_plan
from ecs_runbook.terraform import generate
from ecs_runbook.wanted.spec import spec

MISTAKES = [
    ("pinned-revision", "this.arn_without_revision\n", "this.arn #! pinned-revision\n"),
    ("launch-type-public-ip", '"FARGATE"\n          Network', '"EC2"\n          Network'),
    (
        "policy-bare-family",
        '"${aws_ecs_task_definition.this.arn_without_revision}:*"',
        "aws_ecs_task_definition.this.arn_without_revision #! policy-bare-family",
    ),
    ("trust-wrong-service", '"states.amazonaws.com"', '"events.amazonaws.com"'),
    ("override-container", 'Name = "main"', 'Name = "app"'),
    ("run-task-missing", '"ecs:RunTask"', '"ecs:ListTasks"'),
    ("pass-role-missing", '"iam:PassRole"', '"iam:GetRole"'),
    ("passed-to-service", '"ecs-tasks.amazonaws.com" } }\n      },', '"states.amazonaws.com" } }\n      },'),
    (
        "tag-resource-missing",
        'LaunchType     = "FARGATE"',
        'LaunchType     = "FARGATE"\n          PropagateTags  = "TASK_DEFINITION"',
    ),
    ("no-network-configuration", 'Subnets        = ["subnet-0a1b2c3d"]', "Subnets        = []"),
]


def test_a_machine_as_it_should_be_passes(tmp_path):
    report = assert_as_marked(tmp_path, RUNS)
    assert report.unresolved == []


@pytest.mark.parametrize(("rule", "before", "after"), MISTAKES, ids=[rule for rule, *_ in MISTAKES])
def test_a_mistake_in_a_state_is_found_as_in_a_target(rule, before, after, tmp_path):
    report = linted(tmp_path, changed(RUNS, (before, after)))
    assert {one.rule for one in report.findings} == {rule}, report.text()


def test_a_schedule_that_starts_a_machine_as_it_should_passes(tmp_path):
    report = assert_as_marked(tmp_path, SCHEDULED_MACHINE)
    assert report.unresolved == []


@pytest.mark.parametrize(
    ("before", "after", "rules"),
    [
        ('"scheduler.amazonaws.com"', '"events.amazonaws.com"', {"trust-wrong-service"}),
        ('"states:StartExecution"', '"states:*"', set()),
        ("Resource = aws_sfn_state_machine.this.arn }]", 'Resource = "*" }]', set()),
        (
            "Resource = aws_sfn_state_machine.this.arn }]",
            "Resource = aws_sqs_queue.x.arn }]",
            {"start-execution-missing"},
        ),
        ("arn      = aws_sfn_state_machine.this.arn", "arn      = aws_lambda_function.x.arn", set()),
    ],
)
def test_the_role_that_starts_a_machine_is_judged(before, after, rules, tmp_path):
    report = linted(tmp_path, changed(SCHEDULED_MACHINE, (before, after)))
    assert {one.rule for one in report.findings} == rules, report.text()


def test_the_line_of_what_is_pinned_is_told(tmp_path):
    assert_as_marked(tmp_path, changed(RUNS, MISTAKES[0][1:]))


@pytest.mark.parametrize(
    "around",
    [
        '{ Type = "Parallel", Branches = [{ StartAt = "Run", States = { Run = $ } }], End = true }',
        '{ Type = "Map", ItemProcessor = { StartAt = "Run", States = { Run = $ } }, End = true }',
        '{ Type = "Map", Iterator = { StartAt = "Run", States = { Run = $ } }, End = true }',
    ],
)
def test_a_state_inside_of_another_is_seen(around, tmp_path):
    start = RUNS.index('{\n        Type     = "Task"')
    end = RUNS.index("        End = true\n      }\n") + len("        End = true\n      }")
    state = RUNS[start:end].replace("arn_without_revision", "arn")
    report = linted(tmp_path, RUNS[:start] + around.replace("$", state) + RUNS[end:])
    assert [one.rule for one in report.findings] == ["pinned-revision"]


def test_what_only_the_execution_knows_is_left_open(tmp_path):
    dynamic = (
        "TaskDefinition = aws_ecs_task_definition.this.arn_without_revision",
        '"TaskDefinition.$" = "$.definition"',
    )
    report = linted(tmp_path, changed(RUNS, dynamic))
    assert report.findings == []
    assert ("task_definition_arn", "it is made when the state machine runs") in {
        (one.what, one.because) for one in report.unresolved
    }


def test_a_definition_in_a_heredoc_is_read_too(tmp_path):
    start = RUNS.index("  definition = jsonencode(")
    end = RUNS.index("  })\n}\n", start) + len("  })\n")
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ecs:runTask",
        "Parameters": {"TaskDefinition": "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly:7"},
        "End": True,
    }
    machine = json.dumps({"StartAt": "Run", "States": {"Run": state}}, indent=2)
    report = linted(tmp_path, RUNS[:start] + f"  definition = <<EOT\n{machine}\nEOT\n" + RUNS[end:])
    assert "pinned-revision" in {one.rule for one in report.findings}


@pytest.mark.parametrize(
    "fields",
    [
        {"propagate_tags": True},
        {"kind": "schedule", "double_runs": "token", "dead_letter_queue": "new"},
        {"kind": "state_machine"},
        {
            "kind": "state_machine",
            "propagate_tags": True,
            "double_runs": "token",
            "notify": "new",
            "retry_exit_codes": [3],
            "launch_type": None,
            "capacity_provider_strategy": [{"name": "FARGATE_SPOT"}],
        },
        {
            "kind": "state_machine",
            "double_runs": "skip",
            "heartbeat_seconds": 60,
            "assign_public_ip": True,
            "overrides": {"containerOverrides": [{"name": "main", "command": ["true"]}]},
        },
    ],
    ids=["rule", "schedule", "machine", "machine-token", "machine-skip"],
)
def test_nothing_is_found_and_nothing_left_open_in_what_is_written_for_each_kind(fields, tmp_path):
    wanted = spec(name="x", image="busybox", schedule="rate(1 day)", subnets=["subnet-0123456789abcdef0"], **fields)
    generate.write(wanted, tmp_path / "x", account="111122223333", region="eu-west-2")
    report = linted(tmp_path, {})
    assert ([one for one in report.findings if one.severity != "note"], report.unresolved) == ([], [])


def test_a_module_that_is_spoiled_is_found_through_its_levels(tmp_path):
    wanted = spec(
        name="x", image="busybox", kind="state_machine", schedule="rate(1 day)", subnets=["subnet-0123456789abcdef0"]
    )
    generate.write(wanted, tmp_path / "x", account="111122223333", region="eu-west-2")
    module = tmp_path / "x" / "retried_task" / "request.tf"
    text = module.read_text()
    module.write_text(changed(text, ("module.task.arn_without_revision", "module.task.registered_task_definition")))
    (found,) = [one for one in linted(tmp_path, {}).findings if one.severity == "error"]
    assert (found.rule, found.address) == ("pinned-revision", "module.retried_task.aws_sfn_state_machine.this")


def test_a_plan_of_a_machine_is_checked_too():
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::ecs:runTask.sync",
        "Parameters": {"Cluster": "batch", "TaskDefinition": "nightly:7", "LaunchType": "EC2"},
        "End": True,
    }
    values = {
        "name": "nightly",
        "role_arn": "arn:aws:iam::111122223333:role/x",
        "definition": json.dumps({"StartAt": "Run", "States": {"Run": state}}),
    }
    machine = {"address": "aws_sfn_state_machine.this", "mode": "managed", "type": "aws_sfn_state_machine"}
    plan = {
        "format_version": "1.2",
        "planned_values": {"root_module": {"resources": [machine | {"name": "this", "values": values}]}},
        "resource_changes": [],
        "configuration": {"root_module": {}},
    }
    assert [one.rule for one in check_plan(plan).findings] == ["pinned-revision"]
