"""When a row is due: by its expression, in its zone, between its start and its end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import takewhile

from ecs_runbook.errors import SpecError
from ecs_runbook.inventory.model import Row
from ecs_runbook.wanted.schedule import At, Rate, Schedule, parse_scheduler, zone_named

MINUTE = timedelta(minutes=1)


@lru_cache(maxsize=8192)
def read(expression: str) -> Schedule | None:
    """Return what an expression says; None if it cannot be read here."""
    try:
        return parse_scheduler(expression)
    except SpecError:
        return None


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo | None:
    """Return the zone of that name; None if this machine does not know it."""
    try:
        return UTC if name == "UTC" else zone_named(name)
    except SpecError:
        return None


def interval(expression: str) -> timedelta | None:
    """
    Return how far the firings of a rate are apart; None if it is no rate.

    Examples
    --------
    >>> interval("rate(2 hours)"), interval("cron(0 17 * * ? *)")
    (datetime.timedelta(seconds=7200), None)
    """
    schedule = read(expression)
    if not isinstance(schedule, Rate):
        return None
    return timedelta(**{schedule.unit.removesuffix("s") + "s": schedule.value})


def moments(row: Row, since: datetime, until: datetime, expression: str = "") -> Iterator[tuple[datetime, bool]]:
    """
    Yield when *row* is due from *since* up to and with *until*, and whether that is sure.

    Parameters
    ----------
    row
        With a ``cron(…)`` or an ``at(…)``. A rate gives nothing: when it began is not told.
    since, until
        Aware.
    expression
        Instead of the row's own, which it may have had only later.

    Notes
    -----
    A cron of Scheduler "might" fire "on, or after" its start and "on, or before" its end (botocore scheduler): in
    the very minute of either it is not sure. An ``at(…)`` ignores both (verified there).
    """
    schedule, zone = read(expression or row.owner.expression), zone_of(row.zone)
    if schedule is None or zone is None or isinstance(schedule, Rate):
        return
    starts, ends = (None, None) if isinstance(schedule, At) else (row.starts, row.ends)
    coming = schedule.after(since - timedelta(microseconds=1), zone=zone)
    for moment in takewhile(lambda moment: moment <= until, coming):
        early = starts is not None and moment < starts - MINUTE
        late = ends is not None and moment > ends + MINUTE
        if not (early or late):
            yield moment, not any(edge and abs(moment - edge) <= MINUTE for edge in (starts, ends))
