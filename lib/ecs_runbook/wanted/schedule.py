"""
When it should run: the schedule expressions of an EventBridge rule, parsed by AWS's own grammar.

A rule takes ``cron(minutes hours day-of-month month day-of-week year)`` or ``rate(value unit)``, always in UTC, never
more often than once a minute. :func:`parse` refuses what AWS refuses and says why; :meth:`Schedule.after` gives the
firings, lazily; :func:`next_runs` shows them in UTC and in the zone a person thinks in. :func:`parse_scheduler` takes
what EventBridge Scheduler takes: the same, in a zone of its own, and ``at(…)``.

Not verified is whether AWS takes a range that wraps around outside the hours (``FRI-MON``; the hours have ``20-2``
among AWS's own examples), a name in lower case, or a name before ``L`` or ``#``. Their meaning is plain, so
:func:`parse` takes them, because a rule that AWS holds must be readable here; each is listed in
:attr:`Schedule.doubts` with a form that is certain, and a new spec with such a schedule is refused.

Source: AWS docs, EventBridge user guide, "Creating a rule that runs on a schedule" (fields, wildcards, ``?`` in
exactly one of the day fields, one ``#``, ``20-2``, singular and plural units); botocore events PutRule (256
characters); a step above the field's highest value is refused (seen in aws-sdk-js#4212).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from itertools import count as counting
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from ecs_runbook.errors import Fault, ScheduleError, SpecError

if TYPE_CHECKING:
    import pandas as pd

MAX_EXPRESSION = 256
NEXT_RUNS_COLUMNS = ["utc", "local", "utc_offset", "note"]
UNITS = ("minute", "minutes", "hour", "hours", "day", "days")

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SUNDAY, _SATURDAY = 1, 7
_BEFORE_THE_FIRST_YEAR = datetime(1969, 12, 29, tzinfo=UTC)
_AFTER_THE_LAST_YEAR = datetime(2200, 1, 3, tzinfo=UTC)

DayRule = Literal[
    "dates", "last date", "last working day", "working day nearest", "weekdays", "last weekday", "nth weekday"
]


@dataclass(frozen=True)
class Schedule(ABC):
    """
    A schedule expression that AWS takes.

    Attributes
    ----------
    expression
        As it was written.
    doubts
        Sentences on what AWS's documentation leaves open about it, each with a form that is certain; empty as a rule.
    """

    expression: str
    doubts: tuple[str, ...]

    @abstractmethod
    def _firings(self, moment: datetime, zone: tzinfo, start: datetime) -> Iterator[datetime]: ...

    def after(self, moment: datetime, *, zone: tzinfo = UTC, start: datetime | None = None) -> Iterator[datetime]:
        """
        Iterate the firings strictly after *moment*, in order, until there are no more.

        Parameters
        ----------
        moment
            Aware.
        zone
            The zone that a cron is read in: UTC for a rule; EventBridge Scheduler has others. A local time that the
            clocks skip is skipped, one that they repeat fires once, at the first.
        start
            When a rate began, which is when its rule was made; *moment* if not given.

        Returns
        -------
        Iterator[datetime]
            Aware, in UTC, at whole minutes. AWS fires within that minute, not at its first second.

        Raises
        ------
        ValueError
            If *moment* or *start* has no zone.

        Examples
        --------
        >>> five = parse("cron(0 17 L * ? *)").after(datetime(2026, 2, 1, tzinfo=UTC))
        >>> next(five).isoformat()
        '2026-02-28T17:00:00+00:00'
        """
        start = moment if start is None else start
        if moment.tzinfo is None or start.tzinfo is None:
            raise ValueError("moment and start must be aware: give them a tzinfo, such as datetime.UTC.")
        return self._firings(moment.astimezone(UTC), zone, start.astimezone(UTC))


@dataclass(frozen=True, repr=False)
class Rate(Schedule):
    """
    Every so often, counted from when the rule was made.

    The first firing is taken to be one interval later; AWS says only that a rate "starts when you create" the rule.
    """

    value: int
    unit: str

    def _firings(self, moment: datetime, zone: tzinfo, start: datetime) -> Iterator[datetime]:  # noqa: ARG002  a rate knows no zone
        begun = start.replace(second=0, microsecond=0)
        try:
            every = timedelta(**{self.unit.removesuffix("s") + "s": self.value})
            for turn in counting(max(0, (moment - begun) // every) + 1):
                yield begun + turn * every
        except OverflowError:  # beyond the year 9999
            return


@dataclass(frozen=True, repr=False)
class Cron(Schedule):
    """At every minute that its six fields allow; weekdays are AWS's, 1 = SUN."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    day_rule: DayRule
    days: tuple[int, ...]
    nth: int
    months: tuple[int, ...]
    years: tuple[int, ...]

    def _firings(self, moment: datetime, zone: tzinfo, start: datetime) -> Iterator[datetime]:  # noqa: ARG002  a cron has no start
        moment = min(
            max(moment, _BEFORE_THE_FIRST_YEAR), _AFTER_THE_LAST_YEAR
        )  # astimezone overflows at the ends of time
        for local in self._local_times(moment.astimezone(zone), zone):
            firing = local.astimezone(UTC)
            in_gap = zone is not UTC and firing.astimezone(zone) != local
            if firing > moment and not in_gap:
                yield firing

    def _local_times(self, since: datetime, zone: tzinfo) -> Iterator[datetime]:
        for year in (y for y in self.years if y >= since.year):
            for month in (m for m in self.months if (year, m) >= (since.year, since.month)):
                for day in self.days_in(year, month):
                    if (year, month, day) >= (since.year, since.month, since.day):
                        for hour in self.hours:
                            for minute in self.minutes:
                                yield datetime(year, month, day, hour, minute, tzinfo=zone)

    def days_in(self, year: int, month: int) -> Sequence[int]:
        """
        Return the days of that month on which it fires, in order.

        Examples
        --------
        >>> parse("cron(0 9 1W * ? *)").days_in(2026, 8)  # 1 August 2026 is a Saturday
        [3]
        """
        monday_is_0, last = monthrange(year, month)

        def weekday(day: int) -> int:
            return (monday_is_0 + day) % 7 + 1

        def nearest_working_day(day: int) -> int:
            if weekday(day) == _SATURDAY:
                return day - 1 if day > 1 else day + 2
            if weekday(day) == _SUNDAY:
                return day + 1 if day < last else day - 2
            return day

        match self.day_rule:
            case "dates":
                return [day for day in self.days if day <= last]
            case "last date":
                return [last]
            case "last working day":
                return [nearest_working_day(last)]
            case "working day nearest":
                return [nearest_working_day(day) for day in self.days if day <= last]
        of_that_kind = [day for day in range(1, last + 1) if weekday(day) in self.days]
        match self.day_rule:
            case "last weekday":
                return of_that_kind[-1:]
            case "nth weekday":
                return of_that_kind[self.nth - 1 : self.nth]
        return of_that_kind


@dataclass(frozen=True, repr=False)
class At(Schedule):
    """Once, at a local time; only EventBridge Scheduler has it."""

    local: datetime

    def _firings(self, moment: datetime, zone: tzinfo, start: datetime) -> Iterator[datetime]:  # noqa: ARG002  it has no start
        firing = self.local.replace(second=0, tzinfo=zone).astimezone(UTC)
        if firing > moment and firing.astimezone(zone).replace(tzinfo=None) == self.local.replace(second=0):
            yield firing


def parse(expression: str) -> Schedule:
    """
    Parse the schedule expression of a rule.

    Parameters
    ----------
    expression
        ``cron(…)`` or ``rate(…)``, at most 256 characters.

    Returns
    -------
    Schedule
        A :class:`Cron` or a :class:`Rate`.

    Raises
    ------
    ScheduleError
        If AWS would refuse it; ``faults`` names every field that is wrong, its value, and what is allowed.

    Examples
    --------
    >>> parse("rate(5 minutes)").value
    5
    >>> try:
    ...     parse("cron(60 25 * * ? *)")
    ... except ScheduleError as refused:
    ...     print(refused)
    'cron(60 25 * * ? *)' is not a schedule that a rule takes:
      - minutes = '60': 60 is not a value of this field; it takes 0-59, with , - * /
      - hours = '25': 25 is not a value of this field; it takes 0-23, with , - * /
    """
    if not isinstance(expression, str):
        raise _refused(
            expression, Fault("schedule", repr(expression), "write text: cron(0 17 * * ? *) or rate(5 minutes)")
        )
    if len(expression) > MAX_EXPRESSION:
        mend = f"{len(expression)} characters; at most {MAX_EXPRESSION} are allowed"
        raise _refused(expression[:40] + "…", Fault("schedule", repr(expression[:40] + "…"), mend))
    if not (shape := re.fullmatch(r"(cron|rate)\((.*)\)", expression, re.DOTALL)):
        raise _refused(expression, Fault("schedule", repr(expression), _why_not_an_expression(expression)))
    kind, inside = shape.groups()
    if strange := re.search(r"[^!-~ ]|^ | $|  ", inside):
        what = "one space, and no more, stands between two fields" if strange[0].isspace() else "plain ASCII only"
        raise _refused(expression, Fault("schedule", repr(expression), f"{strange[0]!r} is not allowed: {what}"))
    return _cron(expression, inside.split(" ")) if kind == "cron" else _rate(expression, inside)


def parse_scheduler(expression: str) -> Schedule:
    """
    Parse the expression of a schedule of EventBridge Scheduler: what a rule takes, and ``at(yyyy-mm-ddThh:mm:ss)``.

    Raises
    ------
    ScheduleError
        If AWS would refuse it.

    Notes
    -----
    Source: botocore scheduler CreateSchedule: the three forms; AWS docs, EventBridge Scheduler, "Schedule types": it
    invokes within the minute of that time (verified).

    Examples
    --------
    >>> once = parse_scheduler("at(2026-11-24T17:00:30)")
    >>> [moment.isoformat() for moment in once.after(datetime(2026, 1, 1, tzinfo=UTC), zone=ZoneInfo("Asia/Tokyo"))]
    ['2026-11-24T08:00:00+00:00']
    """
    if not isinstance(expression, str) or not expression.startswith("at("):
        return parse(expression)
    form = re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)", expression, re.ASCII)
    try:
        if form:
            return At(expression, (), datetime.fromisoformat(form[1]))
    except ValueError:
        pass
    raise _refused(expression, Fault("schedule", shortened(expression), "write at(yyyy-mm-ddThh:mm:ss)"))


def next_runs(
    expression: str, *, after: datetime, zone: str, count: int = 5, start: datetime | None = None
) -> pd.DataFrame:
    """
    Show the next runs of a rule in UTC and in the zone a person thinks in.

    Parameters
    ----------
    expression
        ``cron(…)`` or ``rate(…)``; a rule reads it in UTC.
    after
        Aware; the first run is later than this.
    zone
        IANA name of the person's zone.
    count
        How many runs at most.
    start
        When a rate began; *after* if not given.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`NEXT_RUNS_COLUMNS`, at most *count* rows; empty if it never runs again. ``note`` names a change
        of the clocks since the row before.

    Raises
    ------
    ScheduleError
        If AWS would refuse the expression.
    SpecError
        If *zone* is not an IANA time zone.

    Examples
    --------
    >>> runs = next_runs("cron(0 1 * * ? *)", after=datetime(2026, 3, 28, tzinfo=UTC), zone="Europe/Berlin", count=2)
    >>> list(runs["local"].dt.strftime("%d %H:%M")), runs["note"][1]
    (['28 02:00', '29 03:00'], 'clocks change: the run moves from 02:00 to 03:00')
    """
    import pandas as pd  # here, since the local AWS reads schedules too and must start at once

    person = zone_named(zone)
    utc = pd.DatetimeIndex(list(islice(parse(expression).after(after, start=start), count)), tz="UTC").as_unit("us")
    local = [moment.astimezone(person) for moment in utc.to_pydatetime()]
    notes = ["", *(_clocks_changed(before, now) for before, now in pairwise(local))]
    return pd.DataFrame(
        {
            "utc": utc,
            "local": utc.tz_convert(person),
            "utc_offset": pd.Series([_offset(moment) for moment in local], dtype=str),
            "note": pd.Series(notes[: len(local)], dtype=str),
        },
        columns=NEXT_RUNS_COLUMNS,
    )


def zone_named(name: str) -> ZoneInfo:
    """
    Return the IANA time zone of that name.

    Raises
    ------
    SpecError
        If there is none; the nearest names are given.

    Examples
    --------
    >>> zone_named("Asia/Tokyo").key
    'Asia/Tokyo'
    """
    try:
        return ZoneInfo(name)
    except (
        TypeError,
        ValueError,
        OSError,
        KeyError,
        AttributeError,
    ):  # ZoneInfoNotFoundError is a KeyError, a folder an OSError
        near = get_close_matches(str(name), available_timezones(), n=3, cutoff=0.5)
        mend = f"did you mean {' or '.join(near)}?" if near else "write an IANA name, such as Europe/Berlin or UTC"
        raise SpecError(
            "There is no such time zone.", faults=[Fault("timezone", shortened(name), f"not an IANA time zone; {mend}")]
        ) from None


def shortened(value: object, length: int = 80) -> str:
    """
    Return the value as a fault shows it: its repr, cut when it is long.

    Examples
    --------
    >>> shortened("a" * 100, length=8)
    "'aaaaaaa…"
    """
    text = repr(value)
    return text if len(text) <= length else text[:length] + "…"


def _offset(moment: datetime) -> str:
    return moment.isoformat(timespec="minutes")[16:]


def _clocks_changed(before: datetime, now: datetime) -> str:
    old_offset, new_offset = before.utcoffset(), now.utcoffset()
    if old_offset is None or new_offset is None or old_offset == new_offset:
        return ""
    expected, local = (now.astimezone(UTC) + old_offset), (now.astimezone(UTC) + new_offset)
    day = {1: " the next day", -1: " the day before"}.get((local.date() - expected.date()).days, "")
    return f"clocks change: the run moves from {expected:%H:%M} to {local:%H:%M}{day}"


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    wildcards: str
    names: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.low}-{self.high}{names}, with {self.wildcards}"

    def written(self, value: int, *, like: str) -> str:
        return self.names[value - self.low] if self.names and like[:1].isalpha() else str(value)


_FIELDS = (
    _Field("minutes", 0, 59, ", - * /"),
    _Field("hours", 0, 23, ", - * /"),
    _Field("day-of-month", 1, 31, ", - * ? / L W"),
    _Field("month", 1, 12, ", - * /", _MONTHS),
    _Field("day-of-week", 1, 7, ", - * ? L #", _WEEKDAYS),
    _Field("year", 1970, 2199, ", - * /"),
)
_FORM = "cron(minutes hours day-of-month month day-of-week year) or rate(value unit)"


class _Days(NamedTuple):
    rule: DayRule
    days: tuple[int, ...] = ()
    nth: int = 0


_Read = TypeVar("_Read")


def _refused(expression: object, *faults: Fault) -> ScheduleError:
    return ScheduleError(f"{shortened(expression)} is not a schedule that a rule takes:", faults=faults)


def _cron(expression: str, texts: list[str]) -> Cron:
    if len(texts) != len(_FIELDS):
        raise _refused(expression, Fault("schedule", shortened(expression), _why_not_six_fields(texts)))
    faults: list[Fault] = []
    doubts: list[str] = []

    def read(index: int, how: Callable[[_Field, str, list[str]], _Read], if_wrong: _Read) -> _Read:
        field, text = _FIELDS[index], texts[index]
        try:
            return how(field, text, doubts)
        except ValueError as wrong:
            faults.append(Fault(field.name, shortened(text), f"{wrong}; it takes {field.allowed}"))
            return if_wrong

    nothing: tuple[int, ...] = ()
    minutes, hours, months, years = (read(index, _numbers, nothing) for index in (0, 1, 3, 5))
    by_date, by_weekday = read(2, _day_of_month, None), read(4, _day_of_week, None)
    if (texts[2] == "?") == (texts[4] == "?"):
        faults.append(
            Fault("day-of-month, day-of-week", shortened(f"{texts[2]} {texts[4]}"), _why_not_both_days(texts))
        )
    days = by_date or by_weekday
    if faults or days is None:
        raise _refused(expression, *faults)
    return Cron(expression, tuple(doubts), minutes, hours, days.rule, days.days, days.nth, months, years)


def _rate(expression: str, inside: str) -> Rate:
    def refused(field: str, value: str, mend: str) -> ScheduleError:
        return _refused(expression, Fault(field, shortened(value), mend))

    value, _, unit = inside.partition(" ")
    if not re.fullmatch("[1-9][0-9]*", value):
        raise refused("value", value, "a whole number from 1 is allowed, in plain digits: rate(5 minutes)")
    if unit not in UNITS:
        shortest = "; a minute is the shortest" if unit.startswith("sec") else ""
        raise refused("unit", unit, f"minute, minutes, hour, hours, day and days are allowed{shortest}")
    right = unit.removesuffix("s") + ("" if int(value) == 1 else "s")
    if unit != right:
        number = "singular" if int(value) == 1 else "plural"
        raise refused("unit", unit, f"{value} takes the {number}: write rate({value} {right})")
    return Rate(expression, (), int(value), unit)


def _numbers(field: _Field, text: str, doubts: list[str]) -> tuple[int, ...]:
    if text == "*":
        return tuple(range(field.low, field.high + 1))
    return tuple(sorted({number for part in text.split(",") for number in _span(field, part, doubts)}))


def _span(field: _Field, part: str, doubts: list[str]) -> list[int]:
    span, slash, step = part.partition("/")
    if slash and "/" not in field.wildcards:
        raise ValueError(f"{part} has a step, which this field does not take")
    if slash and not (re.fullmatch("[0-9]{1,4}", step) and 1 <= int(step) <= field.high):
        raise ValueError(f"after the / of {part} stands a step of 1-{field.high}")
    if span == "*" and not slash:
        raise ValueError("a * stands alone or before a /")
    first, dash, last = (str(field.low), "-", str(field.high)) if span == "*" else span.partition("-")
    low = _number(field, first, doubts)
    high = _number(field, last, doubts) if dash else field.high if slash else low
    if high < low and field.name == "year":
        raise ValueError(f"{part} runs backwards")
    size = field.high - field.low + 1
    numbers = [
        field.low + (low - field.low + gone) % size for gone in range(0, (high - low) % size + 1, int(step or 1))
    ]
    if high < low and field.name != "hours":
        certain = ",".join(field.written(number, like=first) for number in numbers)
        doubts.append(f"whether AWS takes {part} in {field.name} is not verified; the same and certain is {certain}")
    return numbers


def _number(field: _Field, text: str, doubts: list[str]) -> int:
    if text.upper() in field.names:
        if not text.isupper():
            doubts.append(f"whether AWS takes {text} in {field.name} is not verified; certain is {text.upper()}")
        return field.low + field.names.index(text.upper())
    if re.fullmatch("[0-9]+", text) and len(text) <= len(str(field.high)) and field.low <= int(text) <= field.high:
        return int(text)
    sunday = ", and SUN is 1" if field.names is _WEEKDAYS and text == "0" else ""
    year = " (the last field is the year, and none is for seconds)" if field.name == "year" and text == "?" else ""
    raise ValueError(f"{text or 'an empty entry'} is not a value of this field{sunday}{year}")


def _day_of_month(field: _Field, text: str, doubts: list[str]) -> _Days | None:
    if text == "?":
        return None
    if text in ("L", "LW"):
        return _Days("last date" if text == "L" else "last working day")
    if re.fullmatch("[^,LW]*W", text):
        return _Days("working day nearest", (_number(field, text[:-1], doubts),))
    if "W" in text or "L" in text:
        raise ValueError("L, LW, or a W after one day (15W) is the whole field")
    return _Days("dates", _numbers(field, text, doubts))


def _day_of_week(field: _Field, text: str, doubts: list[str]) -> _Days | None:
    if text == "?":
        return None
    if text == "L":
        return _Days("weekdays", (_SATURDAY,))
    if not (form := re.fullmatch("([^,/L#]*)(L|#[1-5])", text)):
        if "L" in text or "#" in text:
            raise ValueError("L, an L after one day (6L), or a # of 1-5 after one day (3#2) is the whole field")
        return _Days("weekdays", _numbers(field, text, doubts))
    day = _number(field, form[1], doubts)
    if not form[1].isdecimal():
        doubts.append(f"whether AWS takes {text} in {field.name} is not verified; certain is {day}{form[2]}")
    return _Days("last weekday", (day,)) if form[2] == "L" else _Days("nth weekday", (day,), int(form[2][1:]))


def _why_not_both_days(texts: list[str]) -> str:
    rule = "exactly one of the two must be ?"
    minutes, hours, date, month, weekday, year = texts
    if weekday in ("*", "?"):
        return rule + _suggestion([minutes, hours, date.replace("?", "*"), month, "?", year])
    if date == "*":
        return rule + _suggestion([minutes, hours, "?", month, weekday, year])
    return f"{rule}; for days of both kinds make two rules"


def _why_not_six_fields(texts: list[str]) -> str:
    given = f"{len(texts)} fields" if any(texts) else "no fields"
    seconds = " (none for seconds)" if len(texts) > len(_FIELDS) else ""
    form = f"{given}, where a rule has six: minutes hours day-of-month month day-of-week year{seconds}"
    return form + _suggestion(_six_fields(texts))


def _why_not_an_expression(expression: str) -> str:
    bare = expression.strip()
    if bare.startswith("at("):
        return "a rule takes no at(…); only EventBridge Scheduler runs something once"
    if bare != expression:
        return "no space or newline may stand before or after it"
    return f"write {_FORM}" + _suggestion(_six_fields(bare.split(" ")))


def _six_fields(texts: list[str]) -> list[str]:
    """Make AWS's six fields of POSIX's five or Quartz's seven."""
    match texts:
        case [minutes, hours, dates, month, "*" | "?"]:
            return [minutes, hours, dates, month, "?", "*"]
        case [minutes, hours, "*", month, weekdays]:
            if re.fullmatch("[0-7](-[0-7])?(,[0-7](-[0-7])?)*", weekdays):  # in POSIX 0 and 7 are SUN, in AWS 1
                weekdays = re.sub("[0-7]", lambda day: _WEEKDAYS[int(day[0]) % 7], weekdays)
            return [minutes, hours, "?", month, weekdays, "*"]
        case [_seconds, *fields] if len(fields) == len(_FIELDS):
            return fields
    return texts


def _suggestion(texts: list[str]) -> str:
    suggested = f"cron({' '.join(texts)})"
    if len(texts) != len(_FIELDS):
        return ""
    try:
        parse(suggested)
    except ScheduleError:
        return ""
    return f"; write {suggested}"
