"""
When to switch from a rule to schedules so that nothing runs twice and nothing is missed.

The schedules are made while the rule still runs, with a start between two of its firings; in that same gap the rule is
switched off. So before the gap the rule alone fires, and after it the schedules alone. The one thing that must not be
late is switching the rule off: it has until the firing after the gap.

Source: botocore scheduler CreateSchedule: no schedule fires before its StartDate; AWS docs, EventBridge Scheduler,
"Rate-based schedules": a rate fires first at its StartDate (verified). "The StartDate you specify cannot be earlier
than 5 minutes ago" (seen): what was made too late is refused, not run twice.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from ecs_runbook.wanted.schedule import Rate, parse, zone_named
from ecs_runbook.wanted.zones import Turned, in_zone

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.moving.rule import Found

STEP_COLUMNS = ["step", "from", "until", "what", "command"]
TIME_TO_APPLY = timedelta(minutes=30)
WIDE_ENOUGH = timedelta(hours=2)
"""A gap that leaves anybody time; the first such gap is taken, else the widest of the coming week."""
NARROW = timedelta(minutes=10)
"""A gap that wants a steady hand: the verdict says so."""
_WEEK = timedelta(days=8)
_MOST = 3000
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Switch:
    """
    The gap in which the job changes hands.

    Attributes
    ----------
    last
        The rule's last firing; None if the gap has begun already.
    starts
        The schedules' StartDate: they must be made before it.
    next
        The first firing that is the schedules': until then the rule must be off.
    """

    last: datetime | None
    starts: datetime
    next: datetime

    def width(self, now: datetime) -> timedelta:
        """How long the gap is."""
        return self.next - (self.last or now)


def switch(expression: str, other: Turned, *, now: datetime, last: datetime | None = None) -> Switch | str:
    """
    Choose the gap in which the job changes hands; a text says why there is none.

    Parameters
    ----------
    expression
        The rule's.
    other
        What the schedules have instead.
    now
        Aware.
    last
        When a rate fired last.

    Examples
    --------
    >>> noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> found = switch("cron(0 17 * * ? *)", Turned("cron(0 17 * * ? *)"), now=noon)
    >>> f"{found.starts:%F %H:%M}", f"{found.next:%F %H:%M}"
    ('2026-11-24 14:30', '2026-11-24 17:00')
    """
    schedule = parse(expression)
    if isinstance(schedule, Rate) and last is None:
        return "a rate counts from when the rule was made, and when it fired last is not known"
    coming = list(_coming(expression, now, last))
    if not coming:
        return "the rule never fires again"
    gaps = [one for one in _gaps(coming, other, now, rate=isinstance(schedule, Rate)) if _in_time(one, now)]
    if not gaps:
        return "no gap between its firings leaves time to make the schedules"
    wide = (one for one in gaps if one.width(now) >= WIDE_ENOUGH)
    return next(wide, max(gaps, key=lambda one: one.width(now)))


def _coming(expression: str, now: datetime, last: datetime | None) -> Iterator[datetime]:
    """Give the rule's firings of the coming week, and at least two."""
    firings = parse(expression).after(now, start=last)
    yield from islice(firings, 2)
    yield from islice(takewhile(lambda moment: moment <= now + _WEEK, firings), _MOST)


def _gaps(coming: Sequence[datetime], other: Turned, now: datetime, *, rate: bool) -> Iterator[Switch]:
    zone = zone_named(other.zone)
    for last, following in zip([None, *coming], coming, strict=False):
        if rate:
            yield Switch(last, following, following)
            continue
        there = in_zone(following, other, zone)
        if there is None:  # the clocks skip what would be the schedules' first run
            continue
        after = max(last, in_zone(last, other, zone) or last) if last else now
        before = min(following, there)
        middle = (after + (before - after) / 2).replace(second=0, microsecond=0)
        if middle <= after or before <= after:
            continue
        yield Switch(last, middle, following)


def _in_time(gap: Switch, now: datetime) -> bool:
    return gap.starts >= now + TIME_TO_APPLY


def off(found: Found) -> str:
    """
    Return the command that ends the rule's part: it is switched off, or loses only the targets that were moved.

    A rule that has other targets keeps them, one that waits for events as well goes on doing so.
    """
    where = ["--region", found.region]
    rule, name = found.rule, found.name
    if rule.get("EventPattern"):
        kept = ["--name", name, "--event-pattern", str(rule["EventPattern"]), "--state", str(rule.get("State"))]
        for option, key in (("--description", "Description"), ("--role-arn", "RoleArn")):
            kept += [option, str(rule[key])] if rule.get(key) else []
        return shlex.join(["aws", "events", "put-rule", *kept, *where])
    if found.others:
        ids = [str(one["Id"]) for one in found.targets]
        return shlex.join(["aws", "events", "remove-targets", "--rule", name, "--ids", *ids, *where])
    return shlex.join(["aws", "events", "disable-rule", "--name", name, *where])


def steps(found: Found, gap: Switch | str, *, now: datetime, folder: str, schedules: Sequence[str]) -> pd.DataFrame:
    """
    Return what to do, in order, and when.

    Parameters
    ----------
    found
        The rule.
    gap
        From :func:`switch`.
    now
        Aware.
    folder
        Where the Terraform lies.
    schedules
        The schedules' names, each with its group.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`STEP_COLUMNS`; ``from`` and ``until`` are UTC, NaT where it does not matter.
    """
    import pandas as pd

    apply = f"terraform -chdir={shlex.quote(folder)} apply"
    look = "; ".join(f"40_prove with schedule = {name}" for name in schedules)
    rows: list[tuple[datetime | None, datetime | None, str, str]]
    if isinstance(gap, str):
        rows = [
            (
                None,
                None,
                "make the schedules, which are switched off like the rule" if not found.enabled else gap,
                apply,
            ),
            (None, None, "take the rule out of where it is written", ""),
        ]
    else:
        at_off = gap.last + _MINUTE if gap.last else None
        seen = f", once the run of {gap.last:%H:%M} UTC was seen" if gap.last else ""
        rows = [
            (now, gap.starts, "make the schedules; they wait for their start", apply),
            (at_off, gap.next, f"after that{seen}: {_ending(found)}", off(found)),
            (gap.next + _MINUTE, None, "look: the schedules ran, and the rule did not", look),
            (
                gap.next + timedelta(days=1),
                None,
                "take the rule out of where it is written; nothing tries again now",
                "",
            ),
        ]
    table = pd.DataFrame([(number, *row) for number, row in enumerate(rows, start=1)], columns=STEP_COLUMNS)
    for name in ("from", "until"):
        table[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[us, UTC]")
    return table


def _ending(found: Found) -> str:
    if found.rule.get("EventPattern"):
        return "take the schedule away from the rule; it goes on waiting for events"
    if found.others:
        return f"take these targets away from the rule; {len(found.others)} others stay"
    return "switch the rule off; it can be switched on again"


def in_words(gap: Switch | str, now: datetime) -> str:
    """
    Return the gap in one sentence.

    Examples
    --------
    >>> noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> in_words(switch("cron(0 17 * * ? *)", Turned("cron(0 17 * * ? *)"), now=noon), noon)
    'make the schedules by 2026-11-24 14:30 UTC, and switch the rule off by 2026-11-24 17:00 UTC'
    """
    if isinstance(gap, str):
        return gap
    first = f"make the schedules by {gap.starts.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    after = f" after {gap.last:%Y-%m-%d %H:%M}" if gap.last and gap.last > now else ""
    return f"{first}, and switch the rule off{after} by {gap.next:%Y-%m-%d %H:%M} UTC"
