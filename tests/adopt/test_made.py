"""What somebody's own files make besides rules and schedules is not imported a second time; its place is told."""

import json

import pytest
from things_to_adopt import LATEST, NEW_QUEUE, PINNED, arn, policy, target

from ecs_runbook.adopt.adopt import adopt_in_terraform
from ecs_runbook.adopt.around import Around
from ecs_runbook.adopt.existing import Existing, Whole
from ecs_runbook.adopt.kept import kept_in
from ecs_runbook.adopt.machines import StateMachine
from ecs_runbook.adopt.policies import Policies, Policy
from ecs_runbook.adopt.queues import LetterQueue

ROLE = """\
variable "stage" {}
resource "aws_iam_role" "r" {
  name               = "rules"
  assume_role_policy = "{}"
}
"""


def kept(tmp_path, *files):
    (tmp_path / "main.tf").write_text("".join(files))
    return kept_in(str(tmp_path), Whole((rule(),)), mend=["policy"])


def rule(**more):
    told = {"Name": "nightly", "Arn": arn("events", "rule/nightly"), "ScheduleExpression": "rate(1 day)"}
    return Existing("rule", "default", told, (target({"TaskDefinitionArn": LATEST}, **more),))


def adopted(tmp_path, tree, around, thing=None, mend="policy", **more):
    makes = kept(tmp_path, ROLE, tree).makes
    place = {"account": "123456789012", "region": "us-east-1"}
    adoption = adopt_in_terraform([thing or rule()], around, mend=[mend], makes=makes, **place, **more)
    return adoption, [one.because for one in adoption.not_mended]


def resource(kind, **values):
    lines = "".join(f"  {name} = {value}\n" for name, value in values.items())
    return f'resource "{kind}" "one" {{\n{lines}}}\n'


INLINE = Around(policies=Policies((Policy("rules", "run", policy(LATEST)),)))
SHARED = {"Arn": arn("iam", "policy/shared"), "PolicyName": "shared"}
ATTACHED = Around(policies=Policies((Policy("rules", "shared", policy(LATEST), SHARED),)))


@pytest.mark.parametrize(
    ("tree", "around"),
    [
        (resource("aws_iam_role_policy", name='"run"', role="aws_iam_role.r.name", policy='"{}"'), INLINE),
        (resource("aws_iam_role_policy", name='"run"', role="aws_iam_role.r.id", policy='"{}"'), INLINE),
        (resource("aws_iam_role_policy", name='"run${var.stage}"', role='"rules"', policy='"{}"'), INLINE),
        (resource("aws_iam_policy", name='"shared"', policy='"{}"'), ATTACHED),
        (resource("aws_iam_policy", name_prefix='"sha"', policy='"{}"'), ATTACHED),
    ],
)
def test_a_policy_that_the_files_make_is_not_imported_and_its_place_is_told(tmp_path, tree, around):
    adoption, left = adopted(tmp_path, tree, around)
    assert left == ["your own files make it, main.tf:6: mend it there"]
    assert adoption.differences == ()
    assert not any("iam" in one for one in adoption.written.addresses.values())


def test_a_policy_that_a_role_of_the_files_holds_itself_is_not_imported(tmp_path):
    held = ROLE.replace("}\n", '  inline_policy {\n    name   = "run"\n    policy = "{}"\n  }\n}\n').replace(
        "{}\n", "{\n}\n", 1
    )
    (tmp_path / "main.tf").write_text(held)
    makes = kept_in(str(tmp_path), Whole((rule(),))).makes
    assert makes.place("aws_iam_role_policy", "run", role="rules").startswith("main.tf:")
    assert makes.place("aws_iam_role_policy", "other", role="rules") == ""


@pytest.mark.parametrize(
    ("tree", "asked", "line"),
    [
        (
            resource("aws_sqs_queue", name='"dead"', policy='"{}"'),
            {"kind": "aws_sqs_queue_policy", "name": "dead"},
            8,
        ),
        (
            resource("aws_sqs_queue", name_prefix='"de"')
            + resource("aws_sqs_queue_policy", queue_url="aws_sqs_queue.one.id", policy='"{}"'),
            {"kind": "aws_sqs_queue_policy", "name": "dead"},
            9,
        ),
        (
            ROLE.replace("{}\n", "{\n}\n", 1).replace(
                "}\n", '  managed_policy_arns = ["arn:aws:iam::1:policy/shared"]\n}\n'
            ),
            {"kind": "aws_iam_role_policy_attachment", "name": "shared", "role": "rules"},
            None,
        ),
        (
            resource(
                "aws_iam_policy_attachment",
                name='"x"',
                roles='["a", "rules"]',
                policy_arn='"arn:aws:iam::1:policy/shared"',
            ),
            {"kind": "aws_iam_role_policy_attachment", "name": "shared", "role": "rules"},
            6,
        ),
    ],
)
def test_what_another_resource_of_the_files_holds_itself_is_theirs_too(tmp_path, tree, asked, line):
    (tmp_path / "main.tf").write_text(tree if 'aws_iam_role"' in tree else ROLE + tree)
    makes = kept_in(str(tmp_path), Whole((rule(),))).makes
    place = makes.place(asked["kind"], asked["name"], role=asked.get("role", ""))
    assert place.startswith("main.tf:")
    assert line is None or place == f"main.tf:{line}"
    assert makes.place(asked["kind"], "other", role=asked.get("role", "")) == ""


@pytest.mark.parametrize(
    "tree",
    [
        resource("aws_iam_role_policy", name='"walk"', role="aws_iam_role.r.name", policy='"{}"'),
        resource("aws_iam_role_policy", name='"run"', role='"other"', policy='"{}"'),
        resource("aws_iam_policy", name='"run"', policy='"{}"'),
    ],
)
def test_another_policy_of_the_files_is_no_reason_not_to_import_it(tmp_path, tree):
    adoption, left = adopted(tmp_path, tree, INLINE)
    assert left == []
    assert "aws_iam_role_policy.rules_run" in adoption.written.addresses.values()


def test_a_state_machine_and_a_queues_policy_that_the_files_make_are_left_to_them(tmp_path):
    machine = arn("states", "stateMachine:again")
    asked = {"Cluster": "default", "TaskDefinition": PINNED}
    run = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask", "Parameters": asked, "End": True}
    text = json.dumps({"StartAt": "Run", "States": {"Run": run}})
    told = {"name": "again", "stateMachineArn": machine, "roleArn": arn("iam", "role/states"), "definition": text}
    its = {"Id": "job", "Arn": machine, "RoleArn": arn("iam", "role/rules")}
    thing = Existing("rule", "default", dict(rule().told), (its,))
    around = Around({machine: StateMachine(told)}, queue=LetterQueue(NEW_QUEUE, "http://sqs/1/new-dead"))
    made = resource("aws_sfn_state_machine", name='"again"', role_arn='""', definition='"{}"')
    adoption, left = adopted(tmp_path, made, around, thing, mend="pinned-revision")
    assert (adoption.differences, left) == ((), ["your own files make it, main.tf:6: mend it there"])
    made = resource("aws_sqs_queue", name='"new-dead"') + resource(
        "aws_sqs_queue_policy", queue_url="aws_sqs_queue.one.id", policy='"{}"'
    )
    _, left = adopted(tmp_path, made, around, mend="dead-letter-queue", dead_letter_queue=NEW_QUEUE)
    assert left == ["your own files make it, main.tf:9: mend it there"]
