"""
An apply of each kind under exactly its policy in ``docs/policies``, on a local AWS that asks IAM about every call: it
goes through, and needs every action of it.

Which action a call needs is said here by hand, from AWS's Service Authorization Reference and botocore's documentation
of tags at creation: each is refused without, so that none can be taken away.
"""

import json
from pathlib import Path

import pytest

from ecs_runbook.errors import TerraformError
from ecs_runbook.local_aws import process
from ecs_runbook.terraform.folders import write_terraform
from ecs_runbook.terraform.run import Terraform
from ecs_runbook.verdicts.steps import judge_applied

POLICIES = Path(__file__).resolve().parents[2] / "docs" / "policies"
KINDS = {"rule": "20_apply", "schedule": "20_apply-schedule", "state_machine": "20_apply-state_machine"}
TRUST = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
BESIDES = {  # what a call needs besides the action of its name
    "RegisterTaskDefinition": {"ecs:TagResource", "iam:PassRole"},
    "PutRule": {"events:TagResource"},
    "PutTargets": {"iam:PassRole"},
    "CreateRole": {"iam:TagRole"},
    "CreateLogGroup": {"logs:TagResource"},
    "CreateSchedule": {"iam:PassRole"},
    "CreateStateMachine": {"iam:PassRole", "states:TagResource"},
}
EVERYBODYS = {"sts:GetCallerIdentity"}
NOT_NEEDED = {"iam:GetUser"}  # refused, the provider learns the account from the call above


def policy(name, *, without=""):
    whole = json.loads((POLICIES / f"{name}.json").read_text())
    for statement in whole["Statement"]:
        statement["Action"] = [action for action in statement["Action"] if action != without]
    return whole


@pytest.fixture(scope="module")
def operator(aws, server):
    """``operator(policy, folder)``: let Terraform work in a folder as a role with that policy alone."""
    iam, sts = aws.client("iam"), aws.client("sts")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = iam.create_role(RoleName="operator", AssumeRolePolicyDocument=trust)["Role"]["Arn"]

    def work(given, folder):
        iam.put_role_policy(RoleName="operator", PolicyName="all", PolicyDocument=json.dumps(given))
        keys = sts.assume_role(RoleArn=role, RoleSessionName="operator")["Credentials"]
        lines = "\n".join(
            f'  {name} = "{keys[key]}"'
            for name, key in (
                ("access_key", "AccessKeyId"),
                ("secret_key", "SecretAccessKey"),
                ("token", "SessionToken"),
            )
        )
        # an override file of a later name wins over the one that ties the folder to the local AWS
        (folder / "operator_override.tf").write_text(f'provider "aws" {{\n{lines}\n}}\n')
        process.settings(server, enforce_iam=True)

    yield work
    process.settings(server, enforce_iam=False)


@pytest.fixture(scope="module")
def asked(aws):
    """``asked(since)``: the operator's calls since then, as ``service:Operation``, and whether each went through."""

    def look(since):
        pages = aws.client("cloudtrail").get_paginator("lookup_events").paginate(StartTime=since)
        records = [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]
        return [
            (f"{one['eventSource'].partition('.')[0]}:{one['eventName']}", "errorCode" not in one)
            for one in records
            if one["userIdentity"]["type"] == "AssumedRole"
        ]

    return look


@pytest.mark.parametrize("kind", KINDS)
def test_an_apply_goes_through_with_the_policy_and_needs_all_of_it(aws, operator, asked, make_spec, kind):
    since, name = aws.now(), f"least-{kind}".replace("_", "-")
    files = write_terraform(make_spec(name=name, kind=kind), aws)
    operator(policy(KINDS[kind]), files.folder)
    terraform = Terraform(files.folder, aws=aws)
    applied = terraform.apply(terraform.plan())
    checks = judge_applied(applied, terraform.plan(), name)
    assert {one.status for one in checks} == {"OK"}
    calls = asked(since)
    assert {name for name, fine in calls if not fine} <= NOT_NEEDED
    made = {name for name, fine in calls if fine} - EVERYBODYS
    needed = made | {action for name in made for action in BESIDES.get(name.partition(":")[2], ())}
    assert needed == {action for statement in policy(KINDS[kind])["Statement"] for action in statement["Action"]}


def test_without_an_action_terraform_fails_and_names_it(aws, operator, make_spec):
    """One stands for all: any other is refused alike, and each costs a plan."""
    action = "ecs:DescribeClusters"
    files = write_terraform(make_spec(name="without"), aws)
    operator(policy("20_apply", without=action), files.folder)
    with pytest.raises(TerraformError) as refused:
        Terraform(files.folder, aws=aws).plan()
    assert f"is not authorized to perform: {action} on resource:" in str(refused.value)
