"""Reading a rule for its move, on the local AWS: what it refuses, what it goes on without, and the notebook itself."""

import json
from pathlib import Path

import papermill
import pytest
from twenty_rules import FARGATE, TWENTY, arn, furnish, make, target

from ecs_runbook import workspace
from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.local_aws import process
from ecs_runbook.moving.rule import scheduled_rule

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def rules(aws, server):
    """The rules, a few hours after they were made."""
    process.clock(server, freeze=True)
    furnish(aws)
    families = {}
    for one in TWENTY:
        make(aws, one, one["name"], families=families)
    process.clock(server, advance="13h")
    return {one["name"][:3]: one["name"] for one in TWENTY}


def read(aws, name, **instead):
    clients = aws.clients("events", "ecs", "sqs", "cloudtrail") | instead
    return scheduled_rule(name, now=aws.now(), pace=aws.pace, **clients)


def test_all_of_it_is_read(aws, rules):
    found = read(aws, rules["r09"])
    assert (found.account, found.region, found.enabled, dict(found.tags)) == (
        "123456789012",
        "us-east-1",
        True,
        {"team": "batch"},
    )
    assert set(found.roles.values()) == {
        ("arn:aws:iam::123456789012:role/task", "arn:aws:iam::123456789012:role/execution")
    }
    assert found.unknown == {}
    assert read(aws, rules["r19"]).queues == {
        "arn:aws:sqs:us-east-1:123456789012:encrypted": "1234abcd-12ab-34cd-56ef-1234567890ab"
    }
    others = read(aws, rules["r12"])
    assert (len(others.targets), len(others.others)) == (1, 2)


def test_a_rate_is_told_by_its_last_run(aws, rules):
    found = read(aws, rules["r14"])
    assert (aws.now() - found.last).total_seconds() == pytest.approx(3600, abs=120)
    assert not found.made


def test_a_rate_that_has_not_run_yet_is_told_by_its_making(aws, rules):
    rate = next(one for one in TWENTY if one["name"] == "r14-rate")
    make(aws, rate, "r14-anew", families={"r14-rate-0": ""})
    found = read(aws, "r14-anew")
    assert (f"{found.last:%F %H:%M}", found.made) == (f"{aws.now():%F %H:%M}", True)
    aws.client("events").put_rule(Name="r14-anew", ScheduleExpression=rate["expression"])
    again = read(aws, "r14-anew")
    assert (again.last, again.unknown["last"]) == (
        None,
        "CloudTrail has no run of it, and the rule was written more than once",
    )


def test_what_does_not_exist_or_has_no_schedule_is_refused(aws, rules):
    with pytest.raises(EvidenceError, match=r"rule = 'r01-plane': there is no such rule on the default bus") as refused:
        read(aws, "r01-plane")
    assert "r01-plain" in refused.value.hint
    events = aws.client("events")
    events.put_rule(Name="listens", EventPattern=json.dumps({"source": ["x"]}))
    with pytest.raises(EvidenceError, match=r"rule = 'listens': it waits for events and has no schedule"):
        read(aws, "listens")
    events.put_rule(Name="elsewhere", ScheduleExpression="rate(1 day)")
    with pytest.raises(EvidenceError, match=r"none of its targets runs an ECS task; it has no target"):
        read(aws, "elsewhere")


def test_without_its_definition_or_queue_it_goes_on_and_says_so(aws, rules):
    target = {
        "Id": "t",
        "Arn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
        "EcsParameters": {"TaskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/gone:3"},
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:123456789012:gone"},
    }
    aws.client("events").put_rule(Name="gone", ScheduleExpression="cron(0 1 * * ? *)")
    aws.client("events").put_targets(Rule="gone", Targets=[target])
    found = read(aws, "gone")
    assert {name.rsplit(":", 1)[-1] for name in found.unknown} == {"3", "task-definition/gone", "gone"}
    assert "there is no such queue" in found.unknown["arn:aws:sqs:us-east-1:123456789012:gone"]


@pytest.fixture(scope="module")
def rate(aws, rules):
    """A rate with a dead-letter queue, which has not run yet."""
    assert rules
    one = next(one for one in TWENTY if one["name"] == "r14-rate")
    queued = one | {"targets": (target(**FARGATE, of={"queue": "standard"}),)}
    make(aws, queued, "r14-queued", families={"r14-rate-0": ""})
    return "r14-queued"


class TestWithTheLeastPolicy:
    """Under exactly ``docs/policies/85_move_to_scheduler.json`` all is read; without an action it is named."""

    POLICY = json.loads((ROOT / "docs" / "policies" / "85_move_to_scheduler.json").read_text())

    @pytest.fixture
    def acting(self, aws, server):
        """``acting(policy)``: the AWS as a role sees it that has that policy alone."""
        iam = aws.client("iam")
        trust = {"Effect": "Allow", "Principal": {"AWS": arn("iam", "root")}, "Action": "sts:AssumeRole"}
        whole = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=whole)["Role"]["Arn"]

        def as_role(given):
            iam.put_role_policy(RoleName="reader", PolicyName="all", PolicyDocument=json.dumps(given))
            process.settings(server, enforce_iam=True)
            return aws.elsewhere(role=role)

        yield as_role
        process.settings(server, enforce_iam=False)
        iam.delete_role_policy(RoleName="reader", PolicyName="all")
        iam.delete_role(RoleName="reader")

    def test_all_is_read(self, acting, rate):
        found = read(acting(self.POLICY), rate)
        assert (found.unknown, found.made, len(found.roles), len(found.queues)) == ({}, True, 1, 1)

    @pytest.mark.parametrize("action", [one for each in POLICY["Statement"] for one in each["Action"]])
    def test_without_one_it_is_named(self, acting, rate, action):
        statements = [
            one | {"Action": [each for each in one["Action"] if each != action]} for one in self.POLICY["Statement"]
        ]
        fewer = self.POLICY | {"Statement": [one for one in statements if one["Action"]]}
        try:
            said = str(read(acting(fewer), rate).unknown)
        except AwsError as refused:
            said = str(refused)
        assert action in said


def test_the_notebook_writes_the_move_and_its_steps(aws, rules, home):
    notebook = workspace.notebooks() / "85_move_to_scheduler.ipynb"
    given = {"endpoint": aws.endpoint, "rule": rules["r18"], "timezone": "Europe/Berlin"}
    papermill.execute_notebook(notebook, home / "moved.ipynb", parameters=given, progress_bar=False)
    verdict = json.loads((home / "runs" / "latest" / "verdict.json").read_text())
    assert verdict["status"] == "OK"
    assert [one["id"] for one in verdict["checks"]][:4] == [
        "move-loses-nothing",
        "move-runs-the-same",
        "move-keeps-the-times",
        "move-can-be-switched",
    ]
    folder = home / "build" / "local" / f"{rules['r18']}-on-scheduler"
    assert {path.name for path in folder.iterdir()} >= {"main.tf", "README.md", "local_aws_override.tf"}
    assert "aws events disable-rule --name r18-often --region us-east-1" in (folder / "README.md").read_text()
