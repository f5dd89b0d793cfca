"""Rows, calls and changes made by hand, for tests that ask no AWS."""

from datetime import UTC, datetime

from ecs_runbook.evidence.dead_letters import Letter
from ecs_runbook.evidence.runs import Run
from ecs_runbook.firing.calls import FAILED_TO_START, REFUSED
from ecs_runbook.firing.names import Definition
from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.firing.schedules import Schedule
from ecs_runbook.inventory.firings import Attempt
from ecs_runbook.inventory.model import Place, Request, Row

PLACE = Place("111122223333", "eu-west-1")
ROLE = "arn:aws:iam::111122223333:role/nightly-schedule"
CLUSTER = "arn:aws:ecs:eu-west-1:111122223333:cluster/batch"
ARN = "arn:aws:ecs:eu-west-1:111122223333:task-definition"


def at(text):
    """Return a moment of November 2026: ``24 17:00`` or ``24 17:00:12``."""
    day, _, time = text.partition(" ")
    return datetime.fromisoformat(f"2026-11-{day}T{time or '00:00'}").replace(tzinfo=UTC)


def a_target(family="nightly", *, id="t", role=ROLE, cluster=CLUSTER, **raw):  # noqa: A002
    return Target(id, cluster, role, f"{ARN}/{family}", raw)


def a_row(expression="cron(0 17 * * ? *)", *, name="nightly", zone=None, targets=None, target=0, count=1, **more):
    """Return a row of a rule, or of a schedule if it has a zone."""
    targets = targets or [a_target()]
    enabled = more.pop("enabled", True)
    chosen = targets[target]
    if zone:
        owner = Schedule(name, f"arn:schedule/{name}", expression, enabled, tuple(targets), zone=zone)
        more = {"bus": ""} | more
    else:
        owner = Rule(name, f"arn:rule/{name}", expression, enabled, tuple(targets))
    request = Request(chosen.cluster, chosen.requested, count=count)
    return Row(PLACE, owner, chosen, request, chosen.role, **more)


def ran(when, *, tasks=1, certain=True, revision=6, **more):
    """Return a call that started tasks."""
    time = at(when)
    runs = [
        Run(
            time,
            "nightly",
            "CloudTrail",
            executed=Definition("nightly", revision),
            status=more.get("status", "ACCEPTED"),
            task=f"task/{when}/{number}",
            **{key: value for key, value in more.items() if key != "status"},
        )
        for number in range(tasks)
    ]
    return Attempt(time, runs, certain=certain)


def refused(when, words="AccessDenied: no", *, certain=True):
    """Return a call that was refused."""
    time = at(when)
    return Attempt(time, [Run(time, "nightly", "CloudTrail", status=REFUSED, error=words)], certain=certain)


def unplaced(when, *, tasks=0):
    """Return a call that was answered with failures[], besides so many tasks."""
    attempt = ran(when, tasks=tasks)
    attempt.runs.append(Run(at(when), "nightly", "CloudTrail", status=FAILED_TO_START, error="RESOURCE:CPU"))
    return attempt


def a_letter(when, *, sender="arn:rule/nightly", id="m1", **more):  # noqa: A002
    code, message = more.get("code", "NO_PERMISSIONS"), more.get("message", "no")
    return Letter(id, sender, CLUSTER, code, message, at(when), None, 0, more.get("raw", {}))
