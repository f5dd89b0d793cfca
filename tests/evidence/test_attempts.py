"""Whose an execution is, and what is said where CloudTrail has too much to be read."""

import json
from datetime import timedelta

import pytest
from told_executions import ARN, FIVE, MACHINE, SCHEDULE, History, PaperStepFunctions, at, listed

from ecs_runbook.evidence import attempts
from ecs_runbook.evidence.attempts import started, whose_execution
from ecs_runbook.firing.asking import Limiter
from ecs_runbook.firing.histories import read_execution
from ecs_runbook.firing.machines import Machine
from ecs_runbook.firing.names import schedule_drill_name
from ecs_runbook.firing.rules import Target
from ecs_runbook.firing.schedules import Schedule

ROLE = "arn:aws:iam::111122223333:role/nightly-schedule"
NIGHTLY = Schedule(
    name="nightly",
    arn=SCHEDULE,
    expression="cron(0 17 * * ? *)",
    enabled=True,
    targets=(Target("target", f"{ARN}:cluster/batch", ROLE, f"{ARN}:task-definition/nightly"),),
    machine=Machine(MACHINE, "arn:aws:iam::111122223333:role/machine", f"{ARN}:cluster/batch", "nightly"),
)
DRILL = schedule_drill_name("default/nightly", "0a1b2c")
OTHER_DRILL = schedule_drill_name("default/weekly", "0a1b2c")


def of(given, role=None):
    execution = read_execution(listed(), History(given=given).events)
    return whose_execution(execution, NIGHTLY, {} if role is None else {execution.arn: role})


@pytest.mark.parametrize(
    ("given", "role", "whose"),
    [
        ({"run": f"{SCHEDULE} 2026-11-24T17:00:00Z"}, None, "default/nightly"),
        ({"run": f"{SCHEDULE} 2026-11-24T17:00:00Z"}, "another", "default/nightly"),
        ({"schedule": SCHEDULE.replace("nightly", "weekly")}, ROLE, ""),
        ({"schedule": SCHEDULE.replace("nightly", DRILL)}, None, "default/nightly (drill)"),
        ({"schedule": SCHEDULE.replace("nightly", OTHER_DRILL)}, None, ""),
        ({"schedule": SCHEDULE.replace("default/nightly", f"batch/{DRILL}")}, None, ""),
        ({"ecs-runbook-drill": DRILL}, ROLE, "default/nightly (drill)"),
        ({"ecs-runbook-drill": OTHER_DRILL}, ROLE, ""),
        ({"note": "mine"}, ROLE, "default/nightly"),
        ({"note": "mine"}, "arn:aws:iam::111122223333:role/somebody", ""),
        ({"note": "mine"}, None, "ambiguous: default/nightly or somebody else who starts nightly"),
    ],
)
def test_an_execution_is_of_the_schedule_that_its_input_names_else_of_the_role_that_started_it(given, role, whose):
    assert of(given, role) == whose


class Trail:
    """StartExecution, a full page a call, without an end."""

    def __init__(self, pages):
        self.pages, self.calls = pages, 0

    def lookup_events(self, **_asked):
        self.calls += 1
        time = at(60) - timedelta(seconds=self.calls)
        events = [
            {
                "CloudTrailEvent": json.dumps(
                    {
                        "eventName": "StartExecution",
                        "eventTime": f"{time:%Y-%m-%dT%H:%M:%SZ}",
                        "eventID": f"{self.calls}-{number}",
                    }
                )
            }
            for number in range(50)
        ]
        return {"Events": events} | ({"NextToken": str(self.calls)} if self.calls < self.pages else {})


def ask(trail):
    return started(
        NIGHTLY,
        NIGHTLY.machine,
        since=FIVE,
        until=at(60),
        sfn=PaperStepFunctions(),
        cloudtrail=trail,
        limiter=Limiter(1e9),
    )


def test_of_a_busy_account_cloudtrail_is_read_for_a_minute_and_that_is_said(monkeypatch):
    monkeypatch.setattr(attempts, "MOST_PAGES", 3)
    trail = Trail(1_000)
    told = {one["source"]: one for one in ask(trail).asked}["CloudTrail"]
    assert trail.calls == 4
    assert not told["answered"]
    assert told["answer"] == (
        "has more than 150 StartExecution calls of the whole account;"
        " no further back than 2026-11-24 17:59 UTC was read"
    )


def test_what_can_be_read_to_its_end_is_an_answer():
    told = {one["source"]: one for one in ask(Trail(2)).asked}["CloudTrail"]
    assert told["answered"]
    assert told["answer"] == "has 100 StartExecution calls of the whole account in that time"
