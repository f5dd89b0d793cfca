"""Rules on when: expressions that AWS refuses, and those that are meant in another zone than UTC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ecs_runbook.errors import ScheduleError, SpecError
from ecs_runbook.lint.findings import Said, found, unresolved
from ecs_runbook.lint.model import Block
from ecs_runbook.lint.values import doubt, field_of, parts, strings
from ecs_runbook.lint.view import View
from ecs_runbook.wanted.schedule import Cron, parse, zone_named

_RULE = "aws_cloudwatch_event_rule"
_AT = re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)")
_ONE_UNIT = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CLOCK = re.compile(
    r"(?<![\d:.])(?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?!\d))?\s*(?P<half>a\.?m\.?|p\.?m\.?)?(?![\d:a-z])"
    r"|(?P<jp_half>午前|午後|深夜|早朝)?(?P<jp>\d{1,2})時",
    re.IGNORECASE,
)
_ZONES = {
    "JST": "Asia/Tokyo",
    "TOKYO": "Asia/Tokyo",
    "JAPAN": "Asia/Tokyo",
    "日本時間": "Asia/Tokyo",
    "東京": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "SEOUL": "Asia/Seoul",
    "SGT": "Asia/Singapore",
    "HKT": "Asia/Hong_Kong",
    "CET": "Europe/Berlin",
    "CEST": "Europe/Berlin",
    "BST": "Europe/London",
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "MST": "America/Denver",
    "AEST": "Australia/Sydney",
    "AEDT": "Australia/Sydney",
}


def expressions(view: View) -> Iterator[Said]:
    """``schedule-expression``: what AWS would refuse."""
    for block in view.of(_RULE, "aws_scheduler_schedule"):
        written = field_of(block.values, "schedule_expression")
        if written is None:
            continue
        if not isinstance(written, str):
            why = doubt(written) or "it is known only after apply"
            yield unresolved(block, ("schedule_expression",), "schedule_expression", why)
            continue
        if block.type == "aws_scheduler_schedule":
            written = _as_a_rule_takes_it(written)
        try:
            if written and parse(written).doubts:
                doubts = "; ".join(parse(written).doubts)
                yield found(
                    "schedule-expression",
                    block,
                    ("schedule_expression",),
                    doubts,
                    "Write it as is certain.",
                    severity="note",
                )
        except ScheduleError as refused:
            faults = "; ".join(map(str, refused.faults)) or refused.message
            yield found(
                "schedule-expression",
                block,
                ("schedule_expression",),
                f"AWS takes no {written}: {faults}",
                "Write cron(minutes hours day-of-month month day-of-week year) with ? in one of the day fields, or "
                + ("rate(value unit)." if block.type == _RULE else "rate(value unit), or at(yyyy-mm-ddThh:mm:ss)."),
                diff=_mended(written),
            )


def _as_a_rule_takes_it(written: str) -> str:
    """Return a schedule of Scheduler as a rule would take it; empty where only Scheduler has such a thing."""
    if _AT.fullmatch(written):
        return ""
    if same := _ONE_UNIT.fullmatch(written):
        return f"rate({same[1]} {same[2]}{'' if int(same[1]) == 1 else 's'})"
    return written


def _mended(written: str) -> str:
    fields = written.removeprefix("cron(").removesuffix(")").split(" ")
    if not written.startswith("cron(") or len(fields) != 6 or "?" in (fields[2], fields[4]):
        return ""
    fields[2 if fields[2] == "*" else 4] = "?"
    then = f"cron({' '.join(fields)})"
    try:
        parse(then)
    except ScheduleError:
        return ""
    lost = fields[2] != "?" and written.split(" ")[4] != "*"
    return "" if lost else f'- schedule_expression = "{written}"\n+ schedule_expression = "{then}"'


def zones(view: View) -> Iterator[Said]:
    """``schedule-zone``: a rule whose own words name a clock that its expression shows in UTC."""
    for block in view.of(_RULE):
        written = field_of(block.values, "schedule_expression")
        try:
            schedule = parse(written) if isinstance(written, str) else None
        except ScheduleError:
            continue
        if isinstance(schedule, Cron) and len(schedule.hours) == 1 and len(schedule.minutes) == 1:
            yield from _zone(view, block, schedule)


def _zone(view: View, block: Block, schedule: Cron) -> Iterator[Said]:
    for words in _words(view, block):
        zone = _zone_in(words)
        clock = (schedule.hours[0], schedule.minutes[0])
        if zone is None or re.search(r"(?<![A-Za-z])(UTC|GMT|Z)(?![A-Za-z])", words):
            continue
        if clock not in _clocks(words):
            continue
        moments = schedule.after(datetime(2026, 1, 1, tzinfo=UTC))
        moment = next(moments, None)
        if moment is None:
            continue
        local = moment.astimezone(ZoneInfo(zone))
        if (local.hour, local.minute) == clock or (local.hour, local.minute) in _clocks(words):
            continue
        meant = moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        yield found(
            "schedule-zone",
            block,
            ("schedule_expression",),
            f"{schedule.expression} is {clock[0]:02}:{clock[1]:02} UTC, which is {local:%H:%M} in {zone}, and it says "
            f'"{words.strip()}"',
            f"A rule counts in UTC: {clock[0]:02}:{clock[1]:02} in {zone} is {meant:%H:%M} UTC"
            + ("" if meant.date() == moment.date() else ", the day before" if meant < moment else ", the day after")
            + f'. Or use aws_scheduler_schedule with schedule_expression_timezone = "{zone}".',
            diff=_in_utc(schedule, meant, moment),
        )
        return


def _in_utc(schedule: Cron, meant: datetime, moment: datetime) -> str:
    fields = schedule.expression.removeprefix("cron(").removesuffix(")").split(" ")
    if meant.date() != moment.date() and (fields[2] not in "*?" or fields[4] not in "*?"):
        return ""
    then = f"cron({meant.minute} {meant.hour} {' '.join(fields[2:])})"
    return f'- schedule_expression = "{schedule.expression}"\n+ schedule_expression = "{then}"'


def _words(view: View, block: Block) -> Iterator[str]:
    name = field_of(block.values, "name")
    yield " ".join(piece for piece in parts(name) if isinstance(piece, str)).replace("_", " ").replace("-", " ")
    yield " ".join(strings(field_of(block.values, "description")))
    yield from strings(field_of(block.values, "tags"))
    line = block.at("schedule_expression")
    for comment in view.configuration.comments:
        if line.file and comment.place.file == line.file and comment.place.line in (line.line, line.line - 1):
            yield comment.text


def _zone_in(words: str) -> str | None:
    for named in re.findall(r"[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?", words):
        try:
            return zone_named(named).key
        except SpecError:
            continue
    upper = words.upper()
    for word, zone in _ZONES.items():
        if re.search(rf"(?<![A-Z]){word}(?![A-Z])" if word.isascii() else word, upper):
            return zone
    return None


def _clocks(words: str) -> set[tuple[int, int]]:
    """
    Return the times of day that words name.

    Examples
    --------
    >>> sorted(_clocks("every day at 2am, or 14:30 JST")), _clocks("午前2時")
    ([(2, 0), (14, 30)], {(2, 0)})
    """
    told = set()
    for clock in _CLOCK.finditer(words):
        half = (clock["half"] or "").replace(".", "").lower()
        if clock["jp"]:
            half = {"午後": "pm"}.get(clock["jp_half"] or "", "")
        elif not half and clock["minute"] is None:
            following = words[clock.end() :].lstrip().lower()
            if not following.startswith(("o'clock", "h ", "uhr")):
                continue
        hour = int(clock["jp"] or clock["hour"])
        hour = hour % 12 + (12 if half == "pm" else 0) if half else hour
        told.add((hour, int(clock["minute"] or 0)))
    return told
