"""When it runs: whether it does at all, when next, what the clocks do to it, and whether two runs meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import chain, islice, pairwise
from statistics import median
from typing import Literal
from zoneinfo import ZoneInfo

from ecs_runbook.checks.findings import Finding
from ecs_runbook.checks.saying import Check, Scene, listed, ng, ok, skip
from ecs_runbook.errors import SpecError
from ecs_runbook.firing.schedules import DEFAULT_GROUP
from ecs_runbook.inventory.model import Absent, Gap, Row
from ecs_runbook.wanted.schedule import At, Cron, Rate, parse, parse_scheduler, zone_named

SHOWN = 5
WEEK = timedelta(days=7)
_LOOKED_AHEAD = 50
_RECENT = 20
"""No more runs are looked at for how long a task lasts: what it took long ago says little."""
_HOURS = 24


Kind = Literal["cron", "rate", "at", "unreadable"]


@dataclass(frozen=True)
class Timetable:
    """
    When a schedule runs.

    Attributes
    ----------
    kind
        Of its expression; ``unreadable`` with *because*.
    next
        The next runs, aware, in UTC, at most :data:`SHOWN` of them; empty if there are none, and for a rate without a
        start of its own.
    every
        Of a rate: its interval.
    ended
        Why it never runs again; ``""`` if it does.
    meant
        Whether its end is one that somebody wrote down.
    """

    kind: Kind
    next: tuple[datetime, ...] = ()
    every: timedelta | None = None
    ended: str = ""
    meant: bool = True
    because: str = ""


def timetable(row: Row, now: datetime) -> Timetable:
    """Return when *row* runs from *now* on, whether it is enabled or not."""
    return _timetable(row.owner.expression, row.zone, row.starts, row.ends, now)


@lru_cache(maxsize=8192)
def _timetable(
    expression: str, zone_name: str, starts: datetime | None, ends: datetime | None, now: datetime
) -> Timetable:
    try:
        zone = UTC if zone_name == "UTC" else zone_named(zone_name)
        schedule = parse_scheduler(expression)
        if isinstance(schedule, At):
            return _once(schedule, zone, zone_name, now)
        if ends is not None and ends <= now:
            kind: Kind = "rate" if isinstance(schedule, Rate) else "cron"
            return Timetable(kind, ended=f"its end was {_in(ends, UTC)} UTC")
        if isinstance(schedule, Rate):
            return _again_and_again(schedule, starts, ends, now)
    except (SpecError, OverflowError) as error:
        return Timetable("unreadable", because=" ".join(str(error).split()))
    after = max(now, starts - timedelta(minutes=1)) if starts is not None else now
    if found := tuple(islice(_until(schedule.after(after, zone=zone), ends), SHOWN)):
        return Timetable("cron", found)
    rest = " before its end" if ends else ""
    return Timetable("cron", ended=f"{expression} has no time to come{rest}", meant=False)


def _again_and_again(schedule: Rate, starts: datetime | None, ends: datetime | None, now: datetime) -> Timetable:
    every = timedelta(**{schedule.unit.removesuffix("s") + "s": schedule.value})
    if starts is None:  # nobody tells when it began
        return Timetable("rate", every=every)
    # Source: AWS docs, EventBridge Scheduler, "Rate-based schedules": StartDate is the first occurrence (verified).
    first = [starts.replace(second=0, microsecond=0)] if starts > now else []
    runs = chain(first, schedule.after(max(now, starts), start=starts))
    found = tuple(islice(_until(runs, ends), SHOWN))
    ended = "" if found else f"{schedule.expression} has no time to come before its end"
    return Timetable("rate", found, every, ended)


def _once(schedule: At, zone: tzinfo, zone_name: str, now: datetime) -> Timetable:
    local = f"{schedule.local:%Y-%m-%d %H:%M} {zone_name}"
    if runs := tuple(schedule.after(now, zone=zone)):
        return Timetable("at", runs)
    if schedule.local.replace(tzinfo=zone) > now:
        return Timetable("at", ended=f"it is for {local}, a time that the clocks skip", meant=False)
    return Timetable("at", ended=f"it was for {local}, once")


def _until(runs: Iterator[datetime], ends: datetime | None) -> Iterator[datetime]:
    for run in runs:
        if ends is not None and run >= ends:
            return
        yield run


def dormant(row: Row, scene: Scene) -> str:
    """Return why *row* does not fire any more, whatever is wrong with it; ``""`` if it does."""
    if not row.owner.enabled:
        return "it is disabled"
    if row.kind == "event rule":
        return ""
    return timetable(row, scene.now).ended


def enabled(row: Row, _scene: Scene) -> Iterator[Finding]:
    """``schedule-disabled``: nothing fires until somebody enables it."""
    check = "schedule-disabled"
    if row.owner.enabled:
        yield ok(check, row, "it is enabled")
        return
    kind = "schedule" if row.kind == "schedule" else "rule"
    mend = f"Enable {kind} {row.owner.name}, or remove it if it is not needed any more."
    yield ng(check, row, f"{kind} {row.owner.name} is disabled", mend)


def never_again(row: Row, scene: Scene) -> Iterator[Finding]:
    """``schedule-never-again``: no run to come; or the next runs, in the reader's zone."""
    check = "schedule-never-again"
    if row.kind == "event rule":
        return
    table = timetable(row, scene.now)
    if table.kind == "unreadable":
        yield skip(check, row, f"{row.owner.expression} cannot be read here: {table.because}")
    elif table.ended:
        mend = f"Remove {row.owner.name} if it has done its work, or give it a time to come."
        if row.deletes_itself:
            mend = f"Scheduler deletes {row.owner.name} by itself; when is not documented. Else give it a time to come."
        yield ng(check, row, table.ended, mend, severity="note" if table.meant or not row.owner.enabled else None)
    else:
        yield ok(check, row, ("" if row.owner.enabled else "were it enabled: ") + _told(row, table, scene))


def group(row: Row, scene: Scene) -> Iterator[Finding]:
    """``schedule-group-missing``: the group is being deleted, and takes its schedules with it."""
    check = "schedule-group-missing"
    if row.kind != "schedule" or row.group == DEFAULT_GROUP:
        return
    told = scene.facts.groups.get(row.group, Gap("scheduler:ListScheduleGroups", f"{row.group} was not asked for"))
    if isinstance(told, Gap):
        yield skip(check, row, told)
    elif isinstance(told, Absent) or told != "ACTIVE":
        state = "gone" if isinstance(told, Absent) else told
        mend = f"Make {row.owner.name} in a group that stays; a schedule cannot be moved to another."
        yield ng(check, row, f"its group {row.group} is {state}", mend)
    else:
        yield ok(check, row, f"its group {row.group} is {told}")


def ends_soon(row: Row, scene: Scene) -> Iterator[Finding]:
    """``schedule-ends-soon``: it has an end within a week, and what becomes of it then."""
    check, table = "schedule-ends-soon", timetable(row, scene.now) if row.kind == "schedule" else None
    if row.ends is None or table is None or table.kind in ("at", "unreadable") or table.ended:
        return
    at = f"{_in(row.ends, scene.zone)} {scene.zone_name}"
    then = "and is deleted then" if row.deletes_itself else "and fires no more"
    if row.ends - scene.now > WEEK:
        yield ok(check, row, f"it ends on {at}, {then}")
    else:
        mend = f"If {row.owner.name} is to run on, give it a later end, or none."
        yield ng(check, row, f"it ends on {at}, {then}", mend)


def flexible(row: Row, scene: Scene) -> Iterator[Finding]:
    """``schedule-flexible-window``: as wide as the time between two runs, or wider."""
    check, between = "schedule-flexible-window", shortest_between(row, scene.now) if row.flexible else None
    if between is None:
        return
    window = timedelta(minutes=row.flexible)
    words = f"each run comes within {row.flexible} min, and they are {_long(between)} apart"
    if window >= between:
        mend = f"Give {row.owner.name} a window shorter than {_long(between)}, or none."
        yield ng(check, row, f"{words}: two can come at once, or in the other order", mend)
    else:
        yield ok(check, row, words)


def _told(row: Row, table: Timetable, scene: Scene) -> str:
    within = f", each within {row.flexible} minutes after" if row.flexible else ""
    if not table.next:
        return f"every {_every(row.owner.expression)}, counted from when it was made{within}"
    gone = ", and is deleted after its last run" if row.deletes_itself else ""
    return f"next {', '.join(_in(run, scene.zone) for run in table.next)} {scene.zone_name}{within}{gone}"


def _every(expression: str) -> str:
    return expression.removeprefix("rate(").removesuffix(")").removeprefix("1 ")


# -------- clocks that change


@dataclass(frozen=True)
class Change:
    """A change of the clocks of a zone: the moment, and by how much they go forward (less than zero: back)."""

    zone: str
    moment: datetime
    by: timedelta


@lru_cache(maxsize=512)
def change_within(zone: str, now: datetime, ahead: timedelta = WEEK) -> Change | None:
    """
    Return the first change of the clocks of *zone* from *now* on; None if there is none in that time.

    Examples
    --------
    >>> change = change_within("Europe/Berlin", datetime(2026, 3, 27, tzinfo=UTC))
    >>> change.moment.isoformat(), change.by
    ('2026-03-29T01:00:00+00:00', datetime.timedelta(seconds=3600))
    >>> change_within("Asia/Tokyo", datetime(2026, 3, 27, tzinfo=UTC)) is None
    True
    """
    named = ZoneInfo(zone)
    quarter = timedelta(minutes=15)  # every change known to the tz database is at a quarter of an hour, or coarser
    start = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    before = _offset(start, named)
    for hours in range(1, int(ahead / timedelta(hours=1)) + 2):
        if _offset(start + timedelta(hours=hours), named) != before:
            moment = start + timedelta(hours=hours - 1)
            while _offset(moment, named) == before:
                moment += quarter
            return Change(zone, moment, _offset(moment, named) - before) if moment > now else None
    return None


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def clocks(row: Row, scene: Scene) -> Iterator[Finding]:
    """``schedule-clocks-change``: the clocks change within a week, and runs move, or are skipped."""
    check = "schedule-clocks-change"
    table = timetable(row, scene.now) if row.kind != "event rule" else None
    if table is None or table.kind in ("unreadable", "at") or table.ended:
        return
    schedule = parse(row.owner.expression)
    if isinstance(schedule, Rate) and (table.every is None or table.every % timedelta(days=1)):
        return  # hours and minutes know no clock
    own = change_within(row.zone, scene.now)
    if own and isinstance(schedule, Cron) and (lost := _lost(schedule, own, row)):
        yield lost
        return
    reader = change_within(scene.zone_name, scene.now)
    moved = (reader.by if reader else timedelta()) - (own.by if own else timedelta())
    every_hour = isinstance(schedule, Cron) and len(schedule.hours) == _HOURS
    if own and not reader and scene.zone_name == "UTC":
        yield ok(
            check, row, f"the clocks of {own.zone} change {_in(own.moment, scene.zone)} UTC, and it goes with them"
        )
    elif moved and not every_hour and (change := reader or own):
        how = f"{abs(moved) // timedelta(minutes=1)} minutes {'later' if moved > timedelta() else 'earlier'}"
        because = f"the clocks of {change.zone} change {_in(change.moment, scene.zone)}: from then on it runs {how}"
        because += f" by the clock of {scene.zone_name}, as it counts in {row.zone}"
        by_zone = f"give {row.owner.name} the time zone {scene.zone_name}"
        if row.kind == "rule":
            by_zone = f"make it a schedule of EventBridge Scheduler with the time zone {scene.zone_name}"
        mend = f"If that is not meant, {by_zone}."
        yield ng(check, row, because, mend)
    else:
        yield ok(check, row, f"no run moves within a week by the clock of {scene.zone_name}")


def _lost(schedule: Cron, change: Change, row: Row) -> Finding | None:
    """Return what *change* skips of a schedule that is read in a zone of its own: local times that do not exist."""
    if change.by <= timedelta():
        return None  # a time that comes twice runs once: nothing is lost
    if (row.starts and row.starts > change.moment) or (row.ends and row.ends <= change.moment):
        return None
    zone = zone_named(row.zone)
    first = (change.moment.astimezone(UTC) + _offset(change.moment, zone) - change.by).replace(tzinfo=None)
    gone = [
        time
        for hour in schedule.hours
        for minute in schedule.minutes
        if first <= (time := first.replace(hour=hour, minute=minute)) < first + change.by
    ]
    runs_then = first.year in schedule.years and first.month in schedule.months
    if not gone or not runs_then or first.day not in schedule.days_in(first.year, first.month):
        return None
    shown = listed([f"{time:%H:%M}" for time in gone])
    because = f"on {first:%Y-%m-%d} the clocks of {change.zone} skip {first:%H:%M} to {first + change.by:%H:%M}, and "
    if len(gone) == len(schedule.hours) * len(schedule.minutes):
        mend = f"Let {row.owner.name} run outside of {first:%H:%M} to {first + change.by:%H:%M} that day."
        return ng("schedule-clocks-change", row, f"{because}it does not run that day at all", mend, severity="warning")
    return ng("schedule-clocks-change", row, f"{because}it does not run at {shown}")


# -------- runs that meet


def overlap(row: Row, scene: Scene) -> Iterator[Finding]:
    """``schedule-overlap``: the task lasts longer than the time to the next run."""
    check, lasted = "schedule-overlap", scene.lasts.get(row.subject, ())[-_RECENT:]
    between = shortest_between(row, scene.now)
    if not lasted or between is None:
        return
    usual, most = timedelta(seconds=median(lasted)), timedelta(seconds=max(lasted))
    apart = f"its runs are {_long(between)} apart, and the task lasted {_long(usual)}"
    seen = f" ({len(lasted)} runs seen)" if len(lasted) > 1 else ""
    mend = f"Let {row.owner.name} run less often than every {_long(between)}, or see that two at once do not harm."
    if row.machine.skips and most >= between:
        often = "as a rule" if usual >= between else f"as a rule, but {_long(most)} at the longest"
        because = f"{apart} {often}{seen}: a firing that finds it running runs no task"
        mend = f"If none is to be left out, let {row.owner.name} run less often than every {_long(between)}."
        yield ng(check, row, because, mend, severity="note")
    elif usual >= between:
        yield ng(check, row, f"{apart} as a rule{seen}", mend)
    elif most >= between:
        because = f"{apart} as a rule, but {_long(most)} at the longest{seen}"
        yield ng(check, row, because, mend, severity="note")
    elif row.flexible and most >= between - timedelta(minutes=row.flexible):
        because = f"{apart}{seen}; within its flexible window of {row.flexible} minutes two can come nearer than that"
        yield ng(check, row, because, mend, severity="note")
    else:
        yield ok(check, row, f"{apart}, {_long(most)} at the longest{seen}" if seen else apart)


def shortest_between(row: Row, now: datetime) -> timedelta | None:
    """Return the shortest time between two of the next runs; None if there are no two."""
    table = timetable(row, now) if row.kind != "event rule" else Timetable("unreadable")
    if table.kind == "rate":
        return table.every
    if table.kind != "cron" or not table.next:
        return None
    zone = UTC if row.zone == "UTC" else zone_named(row.zone)
    return _shortest(row.owner.expression, zone, table.next[0], row.ends)


@lru_cache(maxsize=8192)
def _shortest(expression: str, zone: tzinfo, first: datetime, ends: datetime | None) -> timedelta | None:
    runs = _until(parse(expression).after(first - timedelta(minutes=1), zone=zone), ends)
    return min((later - run for run, later in pairwise(islice(runs, _LOOKED_AHEAD))), default=None)


def _long(time: timedelta) -> str:
    """
    Return a length of time as people say it.

    Examples
    --------
    >>> [_long(timedelta(seconds=one)) for one in (35, 300, 5400, 86400)]
    ['35 s', '5 min', '90 min', '24 h']
    """
    seconds = round(time.total_seconds())
    if seconds < 120 or (seconds < 600 and seconds % 60):
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 or seconds % 3600 else f"{seconds // 3600} h"


def _in(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


CHECKS: Mapping[str, Check] = {
    "schedule-disabled": enabled,
    "schedule-group-missing": group,
    "schedule-never-again": never_again,
    "schedule-ends-soon": ends_soon,
    "schedule-clocks-change": clocks,
    "schedule-flexible-window": flexible,
    "schedule-overlap": overlap,
}
