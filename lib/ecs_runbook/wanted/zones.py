"""
A cron that is read in UTC, written for another zone, so that it means the same times by the clocks there today.

A rule counts in UTC all year; a schedule of EventBridge Scheduler counts by the clocks of its zone. In a zone whose
clocks never change the two are the same for ever. Where they do change, the schedule keeps the local time and the rule
kept that of UTC: :func:`beside` shows when they part. What one cron cannot say is not turned: ``MON-FRI`` at 23:00 and
01:00 UTC falls on other days of the week for each of the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import islice, product
from typing import TYPE_CHECKING

from ecs_runbook.errors import ScheduleError
from ecs_runbook.wanted.schedule import MAX_EXPRESSION, Cron, parse, zone_named

if TYPE_CHECKING:
    import pandas as pd

BESIDE_COLUMNS = ["rule_utc", "schedule_utc", "local", "note"]
HORIZON = timedelta(days=400)
_DAY = 24 * 60
_TRIED = range(2000, 2060)
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_ALL = {"minutes": range(60), "hours": range(24), "months": range(1, 13), "years": range(1970, 2200)}


@dataclass(frozen=True)
class Turned:
    """
    An expression for a schedule, and the zone that it is read in.

    Attributes
    ----------
    expression, zone
        For ``ScheduleExpression`` and ``ScheduleExpressionTimezone``.
    offset
        How far the local time is from UTC's where it was turned; zero if it was not.
    kept
        Why it stays in UTC though another zone was asked for; ``""`` if it does not.
    """

    expression: str
    zone: str = "UTC"
    offset: timedelta = timedelta(0)
    kept: str = ""


def turned(expression: str, zone: str, *, at: datetime) -> Turned:
    """
    Write an expression that is read in UTC for *zone*.

    Parameters
    ----------
    expression
        ``cron(…)`` or ``rate(…)`` of a rule.
    zone
        IANA name; ``UTC`` or ``""`` leaves all as it is.
    at
        Aware: the zone's distance from UTC is that of this moment.

    Raises
    ------
    ScheduleError
        If a rule does not take the expression.
    SpecError
        If there is no such zone.

    Examples
    --------
    >>> winter = datetime(2026, 11, 24, tzinfo=UTC)
    >>> turned("cron(0 17 ? * MON-FRI *)", "Asia/Tokyo", at=winter).expression
    'cron(0 2 ? * TUE-SAT *)'
    >>> turned("cron(0/15 17 * * ? *)", "Europe/Berlin", at=winter).expression
    'cron(0/15 18 * * ? *)'
    >>> turned("cron(0 17 ? * 2#1 *)", "Asia/Tokyo", at=winter)
    Turned(expression='cron(0 17 ? * 2#1 *)', zone='UTC', offset=datetime.timedelta(0), \
kept='17:00 UTC is on the day after in Asia/Tokyo, and no cron has the day after day-of-week 2#1')
    """
    schedule = parse(expression)
    if zone in ("", "UTC"):
        return Turned(expression)
    offset = at.astimezone(zone_named(zone)).utcoffset() or timedelta(0)
    if not isinstance(schedule, Cron):
        return Turned(expression, kept="a rate counts from its start, in no zone")
    if offset % timedelta(minutes=1):
        return Turned(expression, kept=f"{zone} is {offset} from UTC, which is no whole minutes")
    try:
        fields = _fields(schedule, offset, zone)
    except _Kept as why:
        return Turned(expression, kept=str(why))
    written = f"cron({' '.join(fields)})"
    if len(written) > MAX_EXPRESSION:
        return Turned(expression, kept=f"in {zone} it takes more than {MAX_EXPRESSION} characters")
    return Turned(written, zone, offset)


class _Kept(Exception):
    """Why an expression cannot be turned."""


def _fields(cron: Cron, offset: timedelta, zone: str) -> list[str]:
    texts = cron.expression.removeprefix("cron(").removesuffix(")").split(" ")
    minutes = offset // timedelta(minutes=1)
    local = {
        divmod(hour * 60 + minute + minutes, _DAY): (hour, minute) for hour in cron.hours for minute in cron.minutes
    }
    times = {divmod(time, 60) for _, time in local}
    hours, of_hour = sorted({hour for hour, _ in times}), sorted({minute for _, minute in times})
    if times != set(product(hours, of_hour)):
        raise _Kept(f"its times are no hours and minutes of each of them in {zone}")
    texts[0] = _text(of_hour, cron.minutes, texts[0], _ALL["minutes"])
    texts[1] = _text(hours, cron.hours, texts[1], _ALL["hours"])
    gone = {days for days, _ in local}
    if _every_day(cron) or gone == {0}:
        return texts
    if len(gone) > 1:
        raise _Kept(f"in {zone} some of its times are on the same day as in UTC and some on another")
    (days,) = gone
    hour, minute = min(local.values())
    when = f"{hour:02}:{minute:02} UTC is on the day {'after' if days > 0 else 'before'} in {zone}"
    return _shifted(cron, texts, days, when)


def _every_day(cron: Cron) -> bool:
    """Whether it fires on every day that there is, so that the day it is on does not matter."""
    whole = cron.days == tuple(range(1, 32)) if cron.day_rule == "dates" else cron.days == tuple(range(1, 8))
    any_day = cron.day_rule in ("dates", "weekdays") and whole
    return any_day and cron.months == tuple(_ALL["months"]) and _always(cron)


def _shifted(cron: Cron, texts: list[str], days: int, when: str) -> list[str]:
    """Write the days *days* later: whatever is tried counts only if it has the same days for as long as matters."""
    wanted = {one + timedelta(days=days) for one in _dates(cron)}
    for candidate in _candidates(texts, cron, sorted(wanted)):
        try:
            found = parse(f"cron({' '.join(candidate)})")
        except ScheduleError:
            continue
        if isinstance(found, Cron) and _same(_dates(found), wanted, always=_always(cron)):
            return candidate
    days_of = f"day-of-month {texts[2]}" if texts[4] == "?" else f"day-of-week {texts[4]}"
    raise _Kept(f"{when}, and no cron has the day {'after' if days > 0 else 'before'} {days_of}")


def _candidates(texts: list[str], cron: Cron, wanted: Sequence[date]) -> Iterator[list[str]]:
    months = _text(sorted({one.month for one in wanted}), cron.months, texts[3], _ALL["months"])
    years = sorted({one.year for one in wanted})
    year = texts[5] if _always(cron) else _text(years, cron.years, texts[5], _ALL["years"])
    of_month = _listed(sorted({one.day for one in wanted}))
    of_week = _listed(sorted({one.isoweekday() % 7 for one in wanted}), _WEEKDAYS)
    if cron.day_rule == "weekdays":
        yield [*texts[:2], "?", months, of_week, year]
    yield [*texts[:2], of_month, months, "?", year]
    yield [*texts[:2], "L", months, "?", year]


def _always(cron: Cron) -> bool:
    return cron.years == tuple(_ALL["years"])


def _dates(cron: Cron) -> set[date]:
    years = _TRIED if _always(cron) else cron.years
    return {date(year, month, day) for year in years for month in cron.months for day in cron.days_in(year, month)}


def _same(found: set[date], wanted: set[date], *, always: bool) -> bool:
    """Compare days; of a cron for all years those at the ends of the years that are tried do not count."""
    if not always:
        return found == wanted
    first, last = date(_TRIED[0], 1, 3), date(_TRIED[-1], 12, 29)
    return all(not first <= one <= last for one in found ^ wanted)


def _text(values: Sequence[int], before: Sequence[int], text: str, whole: Sequence[int]) -> str:
    """Return a field of *values*: as it was written if they are the same."""
    if tuple(values) == tuple(before):
        return text
    return "*" if list(values) == list(whole) else _listed(values)


def _listed(values: Sequence[int], names: Sequence[str] = ()) -> str:
    """
    Write numbers as a field does: three and more in a row as a range.

    Examples
    --------
    >>> _listed([0, 1, 2, 5, 7, 8]), _listed([1, 2, 3, 6], _WEEKDAYS)
    ('0-2,5,7,8', 'MON-WED,SAT')
    """
    spans: list[list[int]] = []
    for value in values:
        if spans and value == spans[-1][-1] + 1:
            spans[-1].append(value)
        else:
            spans.append([value])

    def name(value: int) -> str:
        return names[value] if names else str(value)

    parts = []
    for span in spans:
        parts += [f"{name(span[0])}-{name(span[-1])}"] if len(span) > 2 else [name(value) for value in span]
    return ",".join(parts)


def beside(expression: str, other: Turned, *, after: datetime) -> pd.DataFrame:
    """
    Show the runs of a rule beside those of the schedule that it was turned into.

    Parameters
    ----------
    expression
        The rule's, read in UTC.
    other
        From :func:`turned`.
    after
        Aware; runs later than this.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`BESIDE_COLUMNS`: the next three runs, then the first after each change of the zone's clocks
        within :data:`HORIZON`, and what that change skips. ``note`` says where the two part; ``schedule_utc`` is NaT
        for a time that the clocks skip.

    Examples
    --------
    >>> winter = datetime(2026, 11, 24, tzinfo=UTC)
    >>> rule = "cron(0 17 * * ? *)"
    >>> there = beside(rule, turned(rule, "Europe/Berlin", at=winter), after=winter)
    >>> list(there["note"])[3]
    'from here the schedule runs at 16:00 UTC: it stays 18:00 in Europe/Berlin'
    """
    import pandas as pd  # here, since reading schedules must stay cheap

    rows = list(_rows(expression, other, after))
    table = pd.DataFrame(rows, columns=BESIDE_COLUMNS)
    for name in ("rule_utc", "schedule_utc"):
        table[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[us, UTC]")
    return table


def _rows(expression: str, other: Turned, after: datetime) -> Iterator[tuple[datetime, datetime | None, str, str]]:
    schedule, zone = parse(expression), zone_named(other.zone)
    cron = isinstance(schedule, Cron)

    def row(moment: datetime, said: str = "") -> tuple[datetime, datetime | None, str, str]:
        there = in_zone(moment, other, zone) if cron else moment
        local = (moment + other.offset).replace(tzinfo=None) if cron else moment.astimezone(zone).replace(tzinfo=None)
        if there is None:
            said = f"the clocks of {other.zone} skip {local:%H:%M}: it does not run this once"
        return moment, there, f"{local:%Y-%m-%d %H:%M}", said

    first = list(islice(schedule.after(after), 3))
    yield from (row(moment) for moment in first)
    if not cron or other.zone == "UTC" or not first:
        return
    seen = set(first)
    for change in changes_of_clocks(zone, after, after + HORIZON):
        for moment in schedule.after(change - timedelta(hours=30)):
            if moment > change + timedelta(hours=30):
                break
            if in_zone(moment, other, zone) is None and moment not in seen:
                seen.add(moment)
                yield row(moment)
        moment = next(schedule.after(change - timedelta(minutes=1)), first[0])
        there = in_zone(moment, other, zone)
        if there is not None and moment not in seen:
            seen.add(moment)
            yield row(moment, _parting(moment, there, other, zone))


def _parting(moment: datetime, there: datetime, other: Turned, zone: tzinfo) -> str:
    if there == moment:
        return "from here both are the same again"
    local = there.astimezone(zone)
    return f"from here the schedule runs at {there:%H:%M} UTC: it stays {local:%H:%M} in {other.zone}"


def in_zone(moment: datetime, other: Turned, zone: tzinfo) -> datetime | None:
    """
    Return when a schedule runs in place of the rule's run at *moment*; None if the clocks skip it.

    Examples
    --------
    >>> there = Turned("cron(0 18 * * ? *)", "Europe/Berlin", timedelta(hours=1))
    >>> in_zone(datetime(2027, 7, 1, 17, tzinfo=UTC), there, zone_named("Europe/Berlin")).isoformat()
    '2027-07-01T16:00:00+00:00'
    """
    local = (moment.astimezone(UTC) + other.offset).replace(tzinfo=zone)
    there = local.astimezone(UTC)
    return there if there.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None) else None


def changes_of_clocks(zone: tzinfo, since: datetime, until: datetime) -> list[datetime]:
    """
    Return when the clocks of *zone* change between two moments: the first minute of the new time, in UTC.

    Examples
    --------
    >>> year = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    >>> [f"{one:%F %H:%M}" for one in changes_of_clocks(zone_named("Europe/Berlin"), *year)]
    ['2027-03-28 01:00', '2027-10-31 01:00']
    """
    found = []
    before = since.astimezone(UTC).replace(second=0, microsecond=0)
    while before < until:
        after = before + timedelta(days=1)
        if before.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            low, high = before, after
            while high - low > timedelta(minutes=1):
                middle = (low + (high - low) / 2).replace(second=0, microsecond=0)
                same = middle.astimezone(zone).utcoffset() == before.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        before = after
    return found


def turned_back(expression: str, zone: str, *, at: datetime) -> Turned:
    """
    Write a cron that is read in *zone* for UTC, as a rule reads it: the way back of :func:`turned`.

    Parameters
    ----------
    expression
        ``cron(…)`` or ``rate(…)`` of a schedule.
    zone
        IANA name of the zone that it is read in.
    at
        Aware: the zone's distance from UTC is that of this moment.

    Returns
    -------
    Turned
        With ``kept`` where no cron in UTC says the same; ``expression`` is then as it was given.

    Raises
    ------
    ScheduleError
        If a rule does not take the expression.
    SpecError
        If there is no such zone.

    Examples
    --------
    >>> turned_back("cron(0 2 ? * TUE-SAT *)", "Asia/Tokyo", at=datetime(2026, 11, 24, tzinfo=UTC)).expression
    'cron(0 17 ? * MON-FRI *)'
    """
    schedule = parse(expression)
    offset = at.astimezone(zone_named(zone or "UTC")).utcoffset() or timedelta(0)
    if not isinstance(schedule, Cron) or not offset:
        return Turned(expression)
    try:
        fields = [] if offset % timedelta(minutes=1) else _fields(schedule, -offset, "UTC")
    except _Kept:
        fields = []
    if not fields:
        return Turned(expression, kept=f"no cron in UTC has the times that this one has in {zone}")
    return Turned(f"cron({' '.join(fields)})", "UTC", offset)
