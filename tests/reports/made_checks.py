"""A made-up check of any size: rows, findings and runs as the rooms before the reports hand them over."""

import random
from datetime import UTC, datetime, timedelta

import pandas as pd

from ecs_runbook.checks.findings import Checked, Finding
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.evidence.runs import RUN_COLUMNS
from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.firing.schedules import Schedule
from ecs_runbook.inventory.model import Inventory, Place, Request, Row

HOME = Place("111122223333", "eu-west-2")
NOW = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
SINCE = NOW - timedelta(hours=26)


def row(name="nightly", *, place=HOME, schedule=False, container="", bus="default"):
    family = f"{name}-job"
    arn = f"arn:aws:ecs:{place.region}:{place.account}"
    role = f"arn:aws:iam::{place.account}:role/{name}-role"
    target = Target("1", f"{arn}:cluster/batch", role, f"{arn}:task-definition/{family}")
    rule_arn = f"arn:aws:events:{place.region}:{place.account}:rule/{name}"
    owner = (
        Schedule(name, rule_arn, "cron(0 2 * * ? *)", True, (target,), zone="Europe/London")
        if schedule
        else Rule(name, rule_arn, "cron(0 2 * * ? *)", True, (target,))
    )
    request = Request(target.cluster, target.requested, "FARGATE", overrides=(container,) if container else ())
    return Row(place, owner, target, request, role, bus=bus)


def finding(of, check="pinned-revision", status="NG", because="", *, severity="", mend=None, notebook=None):
    kind = KINDS[check]
    words = because or (f"it runs {of.request.family}:7, and 9 is the latest" if status == "NG" else "as it should be")
    return Finding(
        check,
        of.place,
        of.subject,
        status,
        words,
        (kind.mend if mend is None else mend) if status != "OK" else "",
        severity or kind.severity,
        (kind.notebook if notebook is None else notebook) if status != "OK" else "",
    )


def run(of, started=NOW - timedelta(hours=5), seconds=61.5, task="0123456789abcdef0123456789abcdef", **more):
    arn = f"arn:aws:ecs:{of.place.region}:{of.place.account}:task/batch/{task}"
    told = dict.fromkeys(RUN_COLUMNS, "") | {"time": started, "schedule": of.owner.name, "task": arn} | more
    place = {"account": of.place.account, "region": of.place.region, "subject": of.subject}
    return {**place, **told, "started_at": started, "seconds": seconds}


def checked(findings=(), rows=None, runs=(), **more):
    """Return what a check found; *rows* are those of the inventory."""
    rows = list(rows or [])
    places = sorted({one.place for one in rows})
    inventory = more.pop("inventory", None) or Inventory(rows=rows, places=places, calls={"events:ListRules": 3})
    columns = ["account", "region", "subject", *RUN_COLUMNS, "started_at", "seconds"]
    return Checked(
        inventory, list(findings), pd.DataFrame(list(runs), columns=columns), {"events:ListRules": 3}, **more
    )


def fleet(targets, *, seed=1, bad=0.1, places=(HOME,)):
    """Return a check of many targets: each is looked at by every kind, some of which find something."""
    chance = random.Random(seed)
    rows = [
        row(
            f"job-{number:04}-{chance.choice(['report', 'import', 'backup', 'billing'])}",
            place=chance.choice(places),
            schedule=number % 2 == 1,
        )
        for number in range(targets)
    ]
    kinds = [kind for kind in KINDS.values() if kind.id != "inventory"]
    found = []
    for one in rows:
        wrong = (
            set(chance.sample([kind.id for kind in kinds], chance.choice([1, 1, 1, 2, 3])))
            if chance.random() < bad
            else set()
        )
        for kind in kinds:
            status = chance.choice(["NG", "NG", "NG", "SKIP"]) if kind.id in wrong else "OK"
            because = "" if status != "SKIP" else f"the caller needs {(kind.needs or ('iam:GetRole',))[0]}"
            found.append(finding(one, kind.id, status, because))
    return checked(found, rows, [run(one, task=f"{number:032x}") for number, one in enumerate(rows[:200])])
