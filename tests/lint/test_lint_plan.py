"""A plan is checked by what stands in it, and beside its files by these too, where it is known only after apply."""

import json
import shutil
from pathlib import Path

import pytest
from lint_trees import GOOD, good, linted, seen

from ecs_runbook import workspace
from ecs_runbook.errors import TerraformError
from ecs_runbook.lint.check import both, check_plan, lint_terraform

RECORDED = json.loads((Path(__file__).parent / "recorded" / "plan_of_pinned_revision.json").read_text())
"""What Terraform 1.11 told of the first plan of ``terraform/mistakes/pinned_revision``."""

ARN = "arn:aws:ecs:eu-west-2:111122223333"
ROLE = "arn:aws:iam::111122223333:role/nightly"
TARGET = "    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n"
LAUNCH = '    launch_type         = "FARGATE"\n'


def policy(*statements, service=None):
    told = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in statements]
    if service:
        told.append({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}})
    return json.dumps({"Version": "2012-10-17", "Statement": told})


def resource(kind, values, *, name="this", address="", **more):
    address = address or f"{kind}.{name}"
    return {"address": address, "mode": "managed", "type": kind, "name": name, "values": values, **more}


def right():
    """The resources of a scheduled task as it should be, everything known: that of a second plan."""
    network = {"subnets": ["subnet-0a1b2c3d"], "security_groups": ["sg-0a1b2c3d"], "assign_public_ip": False}
    return {
        "aws_ecs_task_definition": {
            "family": "nightly",
            "arn": f"{ARN}:task-definition/nightly:4",
            "network_mode": "awsvpc",
            "requires_compatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "execution_role_arn": f"{ROLE}-execution",
            "container_definitions": json.dumps([{"name": "main", "image": "busybox"}]),
            "skip_destroy": True,
        },
        "aws_cloudwatch_event_rule": {"name": "nightly", "schedule_expression": "cron(0 17 * * ? *)"},
        "aws_cloudwatch_event_target": {
            "rule": "nightly",
            "arn": f"{ARN}:cluster/batch",
            "role_arn": f"{ROLE}-schedule",
            "input": None,
            "ecs_target": [
                {
                    "task_definition_arn": f"{ARN}:task-definition/nightly",
                    "launch_type": "FARGATE",
                    "platform_version": None,
                    "capacity_provider_strategy": [],
                    "network_configuration": [network],
                }
            ],
            "dead_letter_config": [{"arn": "arn:aws:sqs:eu-west-2:111122223333:failed"}],
        },
        "aws_iam_role": {
            "name": "nightly-schedule",
            "arn": f"{ROLE}-schedule",
            "id": "nightly-schedule",
            "assume_role_policy": policy(service="events.amazonaws.com"),
        },
        "aws_iam_role_policy": {
            "role": "nightly-schedule",
            "policy": policy(
                ("ecs:RunTask", f"{ARN}:task-definition/nightly:*"), ("iam:PassRole", f"{ROLE}-execution")
            ),
        },
    }


def plan(resources, **more):
    told = [resource(kind, values) for kind, values in resources.items()]
    return {"format_version": "1.2", "planned_values": {"root_module": {"resources": told}}, **more}


def rules(report):
    return [(one.rule, one.address) for one in report.open]


def test_a_plan_of_what_is_right_passes():
    report = check_plan(plan(right()))
    assert (report.open, report.unresolved) == ([], [])


def ecs(**changes):
    def change(resources):
        resources["aws_cloudwatch_event_target"]["ecs_target"][0].update(changes)

    return change


def of(kind, **changes):
    return lambda resources: resources[kind].update(changes)


TARGET_ADDRESS = "aws_cloudwatch_event_target.this"


@pytest.mark.parametrize(
    ("change", "rule", "address"),
    [
        (ecs(task_definition_arn=f"{ARN}:task-definition/nightly:4"), "pinned-revision", TARGET_ADDRESS),
        (
            ecs(launch_type="EC2", network_configuration=[{"subnets": ["subnet-1"], "assign_public_ip": True}]),
            "launch-type-public-ip",
            TARGET_ADDRESS,
        ),
        (ecs(launch_type=None), "launch-type-left-out", TARGET_ADDRESS),
        (ecs(network_configuration=[]), "no-network-configuration", TARGET_ADDRESS),
        (ecs(propagate_tags="TASK_DEFINITION"), "tag-resource-missing", TARGET_ADDRESS),
        (
            of("aws_cloudwatch_event_target", input=json.dumps({"containerOverrides": [{"name": "app"}]})),
            "override-container",
            TARGET_ADDRESS,
        ),
        (
            of("aws_cloudwatch_event_rule", schedule_expression="rate(1 hours)"),
            "schedule-expression",
            "aws_cloudwatch_event_rule.this",
        ),
        (
            of("aws_iam_role", assume_role_policy=policy(service="scheduler.amazonaws.com")),
            "trust-wrong-service",
            "aws_iam_role.this",
        ),
        (
            of(
                "aws_iam_role_policy",
                policy=policy(("ecs:RunTask", f"{ARN}:task-definition/nightly"), ("iam:PassRole", f"{ROLE}-execution")),
            ),
            "policy-bare-family",
            "aws_iam_role_policy.this",
        ),
        (
            of("aws_iam_role_policy", policy=policy(("ecs:RunTask", f"{ARN}:task-definition/nightly:*"))),
            "pass-role-missing",
            "aws_iam_role.this",
        ),
        (of("aws_ecs_task_definition", memory="4096"), "fargate-cpu-memory", "aws_ecs_task_definition.this"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_found_by_the_values_of_the_plan(change, rule, address):
    resources = right()
    change(resources)
    assert rules(check_plan(plan(resources))) == [(rule, address)]


@pytest.mark.parametrize(("actions", "found"), [(["delete", "create"], True), (["create", "delete"], False)])
def test_the_order_of_a_replacement_stands_in_the_plan(actions, found):
    resources = right()
    resources["aws_ecs_task_definition"]["skip_destroy"] = False
    change = {"address": "aws_ecs_task_definition.this", "change": {"actions": actions}}
    report = check_plan(plan(resources, resource_changes=[change]))
    expected = [("no-active-revision-window", "aws_ecs_task_definition.this")] if found else []
    assert rules(report) == expected


def test_each_instance_is_held_to_its_own():
    resources = right()
    target = resources.pop("aws_cloudwatch_event_target")
    pinned = json.loads(json.dumps(target))
    pinned["ecs_target"][0]["task_definition_arn"] += ":4"
    told = plan(resources)
    for key, values in (("a", target), ("b", pinned)):
        address = f'{TARGET_ADDRESS}["{key}"]'
        told["planned_values"]["root_module"]["resources"].append(
            resource("aws_cloudwatch_event_target", values, address=address, index=key)
        )
    assert rules(check_plan(told)) == [("pinned-revision", f'{TARGET_ADDRESS}["b"]')]


def test_what_is_sensitive_is_not_shown():
    resources = right()
    resources["aws_cloudwatch_event_target"]["input"] = json.dumps({"containerOverrides": [{"name": "hunter2"}]})
    told = plan(resources)
    for one in told["planned_values"]["root_module"]["resources"]:
        one["sensitive_values"] = {"input": True} if one["type"] == "aws_cloudwatch_event_target" else {}
    report = check_plan(told)
    assert report.open == []
    assert [(one.what, one.because) for one in report.unresolved] == [("input", "it is sensitive")]
    assert "hunter2" not in report.text() + report.json() + report.sarif()


# ---------------------------------------------------------------- a real plan, and its files


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(workspace.modules() / "mistakes" / "pinned_revision", tmp_path / "pinned"))


def test_a_first_plan_alone_leaves_open_what_only_the_apply_will_tell():
    report = check_plan(RECORDED)
    assert [one.rule for one in report.open] == ["no-dead-letter-queue"]
    (left,) = report.unresolved
    assert left.what == "task_definition_arn"
    assert left.because.endswith("it refers to aws_ecs_task_definition.this.arn: lint the folder too")


def test_beside_its_files_a_plan_finds_it_at_their_line_and_both_are_one(folder):
    found = lint_terraform(folder)
    planned = check_plan(RECORDED, at=found)
    expected = {("pinned-revision", "main.tf", 28): 1, ("no-dead-letter-queue", "main.tf", 22): 1}
    assert seen(planned) == expected
    together = both(found, planned)
    assert seen(together) == expected
    assert together.of == "files and plan"
    assert found.unresolved  # var.schedule has no default, and the plan knows it
    assert together.unresolved == []
    assert together.summary() == "1 error, 1 note in 4 files and the plan"


def test_a_comment_silences_a_finding_of_the_plan_too(folder):
    text = (folder / "main.tf").read_text()
    line = "    task_definition_arn = aws_ecs_task_definition.this.arn"
    text = text.replace(line, f"    # ecs-runbook: ignore pinned-revision because of audits\n{line}")
    (folder / "main.tf").write_text(text)
    found = lint_terraform(folder)
    planned = check_plan(RECORDED, at=found)
    assert [(one.rule, one.silenced) for one in planned.findings if one.silenced] == [("pinned-revision", "of audits")]
    assert not both(found, planned).at_least("error")


def test_what_a_caller_gives_stands_in_the_plan_alone_and_is_found_at_the_files_line(tmp_path):
    files = good((LAUNCH, "    launch_type         = var.launch\n")) + 'variable "launch" {}\n'
    found = linted(tmp_path, files)
    assert [one.what for one in found.unresolved] == ["launch_type"]
    resources = right()
    ecs(launch_type="EC2", network_configuration=[{"subnets": ["subnet-1"], "assign_public_ip": True}])(resources)
    together = both(found, check_plan(plan(resources), at=found))
    line = files[: files.index("      assign_public_ip")].count("\n") + 1
    assert seen(together) == {("launch-type-public-ip", "main.tf", line): 1}
    assert together.unresolved == []


def test_what_files_and_plan_both_find_right_stays_right(tmp_path):
    found = linted(tmp_path, GOOD)
    together = both(found, check_plan(plan(right()), at=found))
    assert (together.open, together.unresolved) == ([], [])


# ---------------------------------------------------------------- what is no plan


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ([], "This is not the JSON of a plan."),
        ("x", "This is not the JSON of a plan."),
        ({}, "This is not the JSON of a plan: it has no planned_values."),
        ({"values": {}}, "This is the JSON of a state, and a plan is needed."),
        ({"@level": "info"}, "This is what `terraform plan -json` prints while it works."),
    ],
)
def test_what_is_no_plan_is_refused_with_how_to_make_one(told, message):
    with pytest.raises(TerraformError) as refusal:
        check_plan(told)
    assert refusal.value.message == message
    assert refusal.value.hint.startswith("Make it with `terraform plan -out tfplan`")


@pytest.mark.parametrize(
    "told",
    [
        {"planned_values": None},
        {"planned_values": {"root_module": []}},
        {"planned_values": {"root_module": {"resources": [None, 3, {}, {"type": "aws_iam_role"}]}}},
        {"planned_values": {"root_module": {"child_modules": [None, {"resources": "x"}]}}},
        {"planned_values": {}, "resource_changes": [None, {"change": 3}], "configuration": {"root_module": 1}},
        {"planned_values": {}, "prior_state": {"values": {"root_module": {"resources": {}}}}},
    ],
)
def test_a_plan_that_is_shaped_otherwise_is_no_crash(told):
    assert check_plan(told).open == []
