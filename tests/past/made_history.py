"""A made-up past of any size, and what is on a schedule after it, as sources and the inventory hand them over."""

import random
from datetime import UTC, datetime, timedelta

from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.firing.schedules import Schedule
from ecs_runbook.inventory.model import Inventory, Place, Request, Row
from ecs_runbook.past.asked import look_back
from ecs_runbook.past.facts import FACT_COLUMNS, frame
from ecs_runbook.past.questions import history
from ecs_runbook.past.sources import Told
from ecs_runbook.past.still_known import StillKnown, _frame

HOME = Place("111122223333", "eu-west-2")
PLACES = (HOME, Place("444455556666", "ap-southeast-2"))
NOW = datetime(2026, 11, 24, 7, tzinfo=UTC)
DENIED = (
    "AccessDenied: User: arn:aws:sts::111122223333:assumed-role/{role}/0123456789abcdef0123456789abcdef is not"
    " authorized to perform: ecs:RunTask on resource:"
    " arn:aws:ecs:eu-west-2:111122223333:task-definition/{family}:{revision} because no identity-based policy"
    " allows the ecs:RunTask action"
)
PUBLIC_IP = "InvalidParameterException: Assign public IP is not supported for this launch type."
CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
EXITED = "EssentialContainerExited: Essential container in task exited"


def fact(what, time, *, place=HOME, **more):
    """Return one fact; what is not said of it is what nobody tells."""
    row = dict.fromkeys(FACT_COLUMNS, "") | dict.fromkeys(("exit_code", "began", "ended"))
    own = {"account": place.account, "region": place.region, "time": time, "what": what, "item": 0}
    return (
        row
        | own
        | {"event_id": f"{what}-{place}-{time}-{more.get('task')}-{more.get('executed')}-{more.get('role')}"}
        | more
    )


def ran(time, family="nightly", revision=1, *, schedule="", code=None, error="", place=HOME, requested=""):
    """Return the facts of one run: its call, and its end if its exit code or its error is told."""
    name = schedule or family
    mark = f"chronos-schedule/{name}"[:36] if name.startswith("s-") else f"events-rule/{name}"[:36]
    task = f"arn:aws:ecs:{place.region}:{place.account}:task/batch/{name}-{time:%Y%m%d%H%M%S}"
    common = {"place": place, "started_by": mark, "task": task, "executed": f"{family}:{revision}"}
    call = fact(
        "call",
        time,
        **common,
        requested=requested or family,
        role=role(name, place),
        status="ACCEPTED",
        caller="" if name.startswith("s-") else "rule",
    )
    if code is None and not error:
        return [call]
    stopped = {"began": time + timedelta(seconds=30), "ended": time + timedelta(seconds=90)}
    why = error or ("" if code == 0 else EXITED)
    return [call, fact("end", time, **common, status="STOPPED", exit_code=code, error=why, **stopped)]


def refused(time, family="nightly", error=PUBLIC_IP, *, schedule="", place=HOME, revision=1, status="REFUSED"):
    """Return the fact of a start that failed; AccessDenied leaves no more than the role."""
    name = schedule or family
    said = error.format(role=f"{name}-role", family=family, revision=revision)
    asked = {} if said.startswith("AccessDenied") else {"requested": family, "started_by": f"events-rule/{name}"[:36]}
    named = {"named": f"{family}:{revision}"} if said.startswith("AccessDenied") else {}
    told = {"role": role(name, place), "caller": "rule", "status": status, "error": said}
    return fact("call", time, place=place, **told, **asked, **named)


def registered(time, family="nightly", revision=1, *, place=HOME):
    return fact("registered", time, place=place, executed=f"{family}:{revision}", role="arn:aws:iam::1:user/deployer")


def deregistered(time, family="nightly", revision=1, *, place=HOME):
    return fact("deregistered", time, place=place, executed=f"{family}:{revision}", role="arn:aws:iam::1:user/deployer")


def role(name, place=HOME):
    return f"arn:aws:iam::{place.account}:role/{name}-role"


def target(name="nightly", family="", *, place=HOME, expression="cron(0 2 * * ? *)", enabled=True, **more):
    """Return a row of the inventory: a schedule of Scheduler if its name begins with s-."""
    arn = f"arn:aws:ecs:{place.region}:{place.account}"
    one = Target("1", f"{arn}:cluster/batch", role(name, place), f"{arn}:task-definition/{family or name}")
    of = Schedule if name.startswith("s-") else Rule
    owner = of(name, f"arn:aws:events:{place.region}:{place.account}:rule/{name}", expression, enabled, (one,))
    bus = "default" if of is Rule else ""
    return Row(place, owner, one, Request(one.cluster, one.requested, "FARGATE"), one.role, **{"bus": bus, **more})


def known(rows=None, *, gaps=(), revisions=(), places=None):
    """Return what is known today; of no rows nobody was asked."""
    if rows is None:
        return StillKnown(None, _frame([]))
    at = places or sorted({row.place for row in rows} or {HOME})
    return StillKnown(Inventory(rows=list(rows), gaps=list(gaps), places=at), _frame(list(revisions)))


def told(facts, *, asked=None, broken=()):
    answered = {"source": f"LookupEvents in {HOME}", "answered": True, "answer": "told of 3 records", "calls": 3}
    return Told(frame(facts), [answered] if asked is None else asked, list(broken), NOW - timedelta(days=90))


def flat(facts):
    """Return the facts out of lists in lists."""
    return [row for one in facts for row in (flat(one) if isinstance(one, list | tuple) else [one])]


def looked(facts, rows=None, *, gaps=(), asked=None, broken=(), **question):
    """Return the question, what is known today, and the history of facts."""
    question = look_back(**{"now": NOW, "days": 30.0, **question})
    now = known(rows, gaps=gaps)
    return question, now, history(told(facts, asked=asked, broken=broken), now, question)


def fleet(families=200, days=90, *, every=1, seed=1, places=PLACES):
    """Return facts and rows of many families: most run well, some stale, some fail for days, some never ran."""
    chance = random.Random(seed)
    facts, rows = [], []
    begin = NOW - timedelta(days=days)
    for number in range(families):
        place = chance.choice(places)
        kind = chance.choice(["report", "import", "backup", "billing", "reconciliation-of-all-ledgers"])
        family = f"job-{number:03}-{kind}"
        fate = chance.choice(["good"] * 12 + ["stale", "fails", "fails", "denied", "never", "capacity", "unknown"])
        rows.append(target(family, place=place))
        revision = 1
        if fate != "unknown":
            facts.append(registered(begin + timedelta(hours=chance.uniform(0, 6)), family, 1, place=place))
        since = chance.randrange(days)
        for day in range(days):
            time = (begin + timedelta(days=day)).replace(hour=2, minute=0, second=chance.randrange(60))
            if chance.random() < 0.06 and fate != "unknown":
                revision += 1
                facts.append(registered(time + timedelta(hours=chance.uniform(-30, -1)), family, revision, place=place))
            bad = day >= since
            if time < begin + timedelta(hours=8) or fate == "never" or day % every:
                continue
            if fate == "denied" and bad:
                facts.append(refused(time, family, DENIED, place=place, revision=revision))
            elif fate == "capacity" and chance.random() < 0.1:
                facts.append(refused(time, family, CAPACITY, place=place, status="FAILED TO START"))
            else:
                pinned = 1 if fate == "stale" else revision
                code = 1 if fate == "fails" and bad and chance.random() < 0.97 else 0
                facts += ran(time, family, pinned, code=code, place=place)
    return facts, rows
