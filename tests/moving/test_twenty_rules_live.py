"""
Twenty rules are moved: their Terraform applies, the plan after it is empty, and the clock is moved through the steps.

Beside each rule stands a twin that is not moved: whatever the twin runs and how, the moved one must have run in that
minute and in the same way, once.
"""

import json
import shlex
from collections import defaultdict
from datetime import datetime

import pytest
from twenty_rules import TWENTY, furnish, make

from ecs_runbook.local_aws import process
from ecs_runbook.moving.comparing import same_runs
from ecs_runbook.moving.files import files
from ecs_runbook.moving.move import move_to_scheduler
from ecs_runbook.moving.rule import scheduled_rule
from ecs_runbook.moving.steps import off
from ecs_runbook.terraform import generate
from ecs_runbook.terraform.run import Terraform
from ecs_runbook.verdicts.moving import judge_move

MADE, NOW = "2027-02-04T20:11:00Z", "2027-02-05T10:17:00Z"  # a Friday; the rates have run since the evening before
ENDS = "2027-03-01T13:00:30Z"  # after the second Monday, the 15th, and the end of the month, while r05 runs


@pytest.fixture(scope="module")
def moves(aws, server):
    process.clock(server, freeze=True)
    process.clock(server, to=MADE)
    furnish(aws)
    families = {}
    for one in TWENTY:
        make(aws, one, one["name"], families=families)
        make(aws, one, f"twin-{one['name']}"[:64], families=families)
    process.clock(server, to=NOW)
    clients = aws.clients("events", "ecs", "sqs", "cloudtrail")
    return [
        move_to_scheduler(
            scheduled_rule(one["name"], now=aws.now(), pace=aws.pace, **clients),
            now=aws.now(),
            timezone=one.get("zone", ""),
        )
        for one in TWENTY
    ]


@pytest.fixture(scope="module")
def applied(aws, moves, home):
    folder = home / "twenty"
    generate.put(folder, files(moves, account=aws.account, region=aws.region))
    terraform = Terraform(folder, aws=aws)
    plan = terraform.plan()
    told = terraform.plan_in_json(plan)
    terraform.apply(plan)
    return {"plan": told, "after": terraform.plan(), "folder": folder}


@pytest.fixture(scope="module")
def ran(aws, server, moves, applied):
    """Go through the steps; return RunTask's calls of each rule, by who made them and for which family."""
    events = aws.client("events")
    begin = datetime.fromisoformat(NOW)
    for moment, move in sorted(((_switched_off(move), move) for move in moves if move.starts), key=lambda one: one[0]):
        process.clock(server, to=moment.isoformat())
        _run(events, off(move.found))
    process.clock(server, to=ENDS)
    pages = (
        aws.client("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "RunTask"}], StartTime=begin)
    )
    calls = defaultdict(dict)
    for page in pages:
        for event in page["Events"]:
            record = json.loads(event["CloudTrailEvent"])
            asked = record["requestParameters"]
            who = asked.pop("startedBy").split("/")
            key = (who[0], who[1], asked["taskDefinition"].rsplit("/", 1)[-1], json.dumps(asked.get("overrides")))
            minute = event["EventTime"].isoformat()[:16]
            assert minute not in calls[key], (key, minute)
            calls[key][minute] = asked
    return calls


def _switched_off(move):
    """In the middle of the time that the steps give."""
    after = move.gap.last or move.now
    return after + (move.gap.next - after) / 2


def _run(events, command):
    """Do what a command of the AWS CLI does, which stands in the steps."""
    _, _, verb, *words = shlex.split(command)
    assert verb in ("disable-rule", "remove-targets")
    name = words[words.index("--name" if verb == "disable-rule" else "--rule") + 1]
    if verb == "disable-rule":
        events.disable_rule(Name=name)
    else:
        events.remove_targets(Rule=name, Ids=words[words.index("--ids") + 1 : words.index("--region")])


def test_all_is_applied_and_the_plan_after_it_is_empty(applied):
    assert applied["after"].changes == ()
    assert applied["after"].empty


def test_what_is_written_is_as_terraform_would_format_it(applied):
    import subprocess

    from ecs_runbook.terraform import binary

    done = subprocess.run(
        [*binary.find().command, "fmt", "-check", "-diff"], cwd=applied["folder"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("number", range(len(TWENTY)), ids=[one["name"][:24] for one in TWENTY])
class TestEachOfThem:
    def test_the_plan_asks_for_the_same_field_by_field(self, number, moves, applied):
        same = same_runs(moves[number], applied["plan"])
        assert len(same) > 4
        assert list(same.loc[~same["same"], "field"]) == []

    def test_the_verdict_is_ok(self, number, moves, applied):
        checks = judge_move(moves[number], same_runs(moves[number], applied["plan"]))
        assert [(one.id, one.because) for one in checks if one.status != "OK"] == []

    def test_nothing_runs_twice_nothing_is_missed_and_all_runs_alike(self, number, ran):
        name = TWENTY[number]["name"]
        ours, twins = defaultdict(list), defaultdict(list)
        for (kind, who, family, _), calls in ran.items():
            if who.startswith(name[:3]):
                ours[family] += [(minute, kind, asked) for minute, asked in calls.items()]
            elif who.startswith(f"twin-{name[:3]}"):
                twins[family] += [(minute, kind, asked) for minute, asked in calls.items()]
        assert set(ours) == set(twins)
        for family, calls in twins.items():
            mine = sorted(ours[family], key=lambda one: one[0])
            assert [minute for minute, _, _ in mine] == sorted(minute for minute, _, _ in calls)
            assert [kind for _, kind, _ in mine] == sorted((kind for _, kind, _ in mine), key="events-rule".__ne__)
            for (_, _, asked), (_, _, expected) in zip(mine, sorted(calls, key=lambda one: one[0]), strict=True):
                assert plain(asked) == plain(expected)


def test_what_is_taken_from_the_event_is_what_the_rules_own_task_gets(aws, ran):
    assert ran
    ecs = aws.client("ecs")
    found = {}
    for status in ("RUNNING", "STOPPED"):
        for task in ecs.list_tasks(family="r05-transformer-0", desiredStatus=status)["taskArns"]:
            (told,) = ecs.describe_tasks(tasks=[task])["tasks"]
            found[told["startedBy"]] = told["overrides"]["containerOverrides"][0]["environment"]
    expected = [
        {"name": "AT", "value": "2027-03-01T13:00:00Z"},
        {"name": "WHAT", "value": "Scheduled Event of us-east-1 at 2027-03-01T13:00:00Z"},
        {"name": "RULE", "value": "r05-transformer"},
    ]
    twins = [*expected[:2], {"name": "RULE", "value": "twin-r05-transformer"}]
    assert found == {"chronos-schedule/r05-transformer": expected, "events-rule/twin-r05-transformer": twins}


def test_what_is_refused_lies_in_the_rules_own_queue_sent_by_the_new_role(aws, ran):
    assert ran
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="lost")["QueueUrl"]
    letters = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])["Messages"]
    told = [{name: one["StringValue"] for name, one in each["MessageAttributes"].items()} for each in letters]
    assert {one["SCHEDULE_ARN"].rsplit("/", 1)[-1] for one in told} == {"r10-placed"}  # rules have no leave to send
    assert {one["ERROR_MESSAGE"] for one in told} == {"No Container Instances were found in your cluster."}


def plain(asked):
    """Names of twins, the order of sets, and the provider's DISABLED where a rule says nothing, are made even."""
    told = json.loads(json.dumps(asked).replace("twin-", ""))
    if "networkConfiguration" in told:
        told["networkConfiguration"]["awsvpcConfiguration"].setdefault("assignPublicIp", "DISABLED")
    sets = [*told.get("networkConfiguration", {}).get("awsvpcConfiguration", {}).values(), told.get("tags")]
    for one in [
        *sets,
        told.get("capacityProviderStrategy"),
        told.get("placementStrategy"),
        told.get("placementConstraints"),
    ]:
        if isinstance(one, list):
            one.sort(key=str)
    return told
