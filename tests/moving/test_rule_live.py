"""Reading a rule for its move, on the local AWS: what it refuses, what it goes on without, and the notebook itself."""

import json

import papermill
import pytest
from twenty_rules import TWENTY, furnish, make

from ecs_runbook import workspace
from ecs_runbook.errors import EvidenceError
from ecs_runbook.local_aws import process
from ecs_runbook.moving.rule import scheduled_rule


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
    assert {path.name for path in folder.iterdir()} >= {"main.tf", "README.md", "rule.json", "local_aws_override.tf"}
    assert "aws events disable-rule --name r18-often --region us-east-1" in (folder / "README.md").read_text()
