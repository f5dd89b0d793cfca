"""
A spec as each kind would have it: how a rule and a schedule write its times, and when the next runs are.

A rule counts in UTC; EventBridge Scheduler reads a schedule by the clocks of its zone. A state machine is started by
such a schedule, so its times are the schedule's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from ecs_runbook.wanted.schedule import NEXT_RUNS_COLUMNS, At, Rate, next_runs, parse_scheduler, zone_named
from ecs_runbook.wanted.zones import BESIDE_COLUMNS, Turned, beside, turned, turned_back

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.wanted.spec import Spec

A_MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Times:
    """
    When a spec runs, as a rule and as a schedule write it.

    Attributes
    ----------
    rule
        The expression that a rule reads in UTC; ``""`` if a rule cannot have it.
    schedule
        The expression for EventBridge Scheduler, and the zone that it is read in.
    why
        Why a rule cannot have these times, or why the schedule stays in UTC; ``""`` if neither is so.
    """

    rule: str
    schedule: Turned
    why: str = ""


def times(wanted: Spec, *, at: datetime) -> Times:
    """
    Write the times of a spec both ways.

    Parameters
    ----------
    wanted
        What should run.
    at
        Aware: the zone's distance from UTC is that of this moment.

    Examples
    --------
    >>> from ecs_runbook.wanted.spec import spec
    >>> winter, network = datetime(2026, 11, 24, tzinfo=UTC), {"subnets": ["subnet-0123456789abcdef0"]}
    >>> rule = spec(name="x", image="x", schedule="cron(0 17 * * ? *)", timezone="Asia/Tokyo", **network)
    >>> times(rule, at=winter).schedule.expression
    'cron(0 2 * * ? *)'
    >>> schedule = spec(name="x", image="x", kind="schedule", schedule="at(2026-12-24T18:00:00)", **network)
    >>> times(schedule, at=winter).rule, times(schedule, at=winter).why
    ('', 'a rule runs nothing once')
    """
    here = parse_scheduler(wanted.schedule)
    if isinstance(here, Rate):
        return Times(wanted.schedule, Turned(wanted.schedule))
    if isinstance(here, At):
        return Times("", Turned(wanted.schedule, wanted.timezone), "a rule runs nothing once")
    if wanted.kind == "rule":
        other = turned(wanted.schedule, wanted.timezone, at=at)
        return Times(wanted.schedule, other, other.kept)
    back = turned_back(wanted.schedule, wanted.timezone, at=at)
    there = Turned(
        wanted.schedule, wanted.timezone, at.astimezone(zone_named(wanted.timezone)).utcoffset() or timedelta(0)
    )
    return Times("" if back.kept else back.expression, there, back.kept)


def runs_beside(wanted: Spec, *, after: datetime) -> pd.DataFrame:
    """
    Show the next runs of a spec as a rule and as a schedule, and where the clocks of the zone part them.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`ecs_runbook.wanted.zones.BESIDE_COLUMNS`; empty if a rule cannot have these times.
    """
    import pandas as pd  # here, since reading a spec must stay cheap

    both = times(wanted, at=after)
    return beside(both.rule, both.schedule, after=after) if both.rule else pd.DataFrame(columns=BESIDE_COLUMNS)


def upcoming_runs(wanted: Spec, *, after: datetime, count: int = 5) -> pd.DataFrame:
    """
    Show the next runs of a spec, by its kind.

    Parameters
    ----------
    wanted
        What should run. Of a schedule, its zone, its ``start_date`` and its ``end_date`` count.
    after
        Aware; the first run is later than this.
    count
        How many runs at most.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`ecs_runbook.wanted.schedule.NEXT_RUNS_COLUMNS`; empty if it never runs again.

    Notes
    -----
    Of a flexible window, the minute at which it opens is told. A rate of EventBridge Scheduler without a StartDate runs
    at once when it is made, and then by its interval (AWS docs, "Rate-based schedules").

    Examples
    --------
    >>> from ecs_runbook.wanted.spec import spec
    >>> nightly = spec(name="x", image="x", kind="schedule", schedule="cron(0 2 * * ? *)", timezone="Asia/Tokyo",
    ...     start_date="2026-12-01T00:00:00Z", subnets=["subnet-0123456789abcdef0"])
    >>> runs = upcoming_runs(nightly, after=datetime(2026, 11, 24, tzinfo=UTC), count=2)
    >>> list(runs["utc"].dt.strftime("%m-%d %H:%M")), list(runs["local"].dt.strftime("%m-%d %H:%M"))
    (['12-01 17:00', '12-02 17:00'], ['12-02 02:00', '12-03 02:00'])
    """
    if wanted.kind == "rule":
        return next_runs(wanted.schedule, after=after, zone=wanted.timezone, count=count)
    import pandas as pd  # here, since reading a spec must stay cheap

    zone = zone_named(wanted.timezone)
    utc = pd.DatetimeIndex(list(islice(moments(wanted, after=after), count)), tz="UTC").as_unit("us")
    local = utc.tz_convert(zone)
    offsets = [moment.isoformat(timespec="minutes")[16:] for moment in local.to_pydatetime()]
    changed = [
        f"clocks change: {offset} from UTC, {before} before" if offset != before else ""
        for before, offset in zip(offsets[:1] + offsets, offsets, strict=False)
    ]
    if changed and isinstance(parse_scheduler(wanted.schedule), Rate) and not wanted.start_date:
        changed[0] = "and at once, when it is made"
    told = {
        "utc": utc,
        "local": local,
        "utc_offset": pd.Series(offsets, dtype=str),
        "note": pd.Series(changed, dtype=str),
    }
    return pd.DataFrame(told, columns=NEXT_RUNS_COLUMNS)


def moments(wanted: Spec, *, after: datetime) -> Iterator[datetime]:
    """
    Yield the moments after *after* at which a spec runs, by its kind, until there are no more.

    Notes
    -----
    Source: AWS docs, EventBridge Scheduler, "Rate-based schedules": a rate's first run is at its StartDate; botocore
    scheduler CreateSchedule: a one-time schedule takes no notice of StartDate and EndDate (verified).
    """
    here = parse_scheduler(wanted.schedule)
    begins = datetime.fromisoformat(wanted.start_date) if wanted.start_date else None
    ends = datetime.fromisoformat(wanted.end_date) if wanted.end_date else None
    zone = UTC if wanted.kind == "rule" else zone_named(wanted.timezone)
    if begins is not None and begins > after and isinstance(here, Rate):
        yield begins
    since = max(after, begins - timedelta(seconds=1)) if begins else after
    for moment in here.after(since, zone=zone, start=begins):
        if ends is not None and moment > ends:
            return
        yield moment


def runs_a_month(wanted: Spec, *, after: datetime, at_most: int = 50_000) -> int:
    """
    Return how often a spec runs in the next 30 days, at most *at_most*.

    Examples
    --------
    >>> from ecs_runbook.wanted.spec import spec
    >>> hourly = spec(name="x", image="x", schedule="rate(1 hour)", subnets=["subnet-0123456789abcdef0"])
    >>> runs_a_month(hourly, after=datetime(2026, 11, 24, tzinfo=UTC))
    720
    """
    until = after + A_MONTH
    return sum(1 for _ in takewhile(lambda moment: moment <= until, islice(moments(wanted, after=after), at_most)))
