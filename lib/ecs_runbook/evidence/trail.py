"""The RunTask calls of a time range, as CloudTrail has them: each once, oldest first; and what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ecs_runbook.firing.asking import Asking, Bars, Limiter
from ecs_runbook.firing.calls import Call, look_up
from ecs_runbook.session import AWS_PACE

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient

LATE = timedelta(minutes=15)
"""CloudTrail gives an average of five minutes and no guarantee (AWS docs); this margin is our choice."""
KEEPS = timedelta(days=90)
"""Source: botocore cloudtrail LookupEvents (verified)."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Trail:
    """
    What CloudTrail answered.

    Attributes
    ----------
    calls
        The RunTask calls of everybody in the account and Region, each once, oldest first.
    unreadable
        Ids of events whose record is not JSON. They are not part of ``calls``, so they have to be told of.
    """

    calls: tuple[Call, ...]
    unreadable: tuple[str, ...]


def run_task_calls(
    *,
    since: datetime,
    until: datetime,
    cloudtrail: CloudTrailClient,
    ask: Asking | None = None,
    limiter: Limiter | None = None,
    paced: bool = True,
    progress: Bars | None = None,
    keep: Callable[[Call], Call | None] = lambda call: call,
) -> Trail:
    """
    Look up every RunTask call of a time range.

    Parameters
    ----------
    since, until
        The range, aware.
    ask, limiter
        Who counts the calls; how fast they may be. Without it two a second, which is all that AWS allows.
    paced
        Whether to wait for that: not if *ask* does.
    progress
        Where to show how far back it has come.
    keep
        What to keep of each call, or None for nothing: a busy account's records fill the memory.

    Raises
    ------
    AwsError
        If CloudTrail refuses, or still throttles after a minute of waiting.

    Notes
    -----
    A busy account needs patience: AWS gives 100 records a second at best. Needs ``cloudtrail:LookupEvents``.
    Source: AWS docs, CloudTrail: records can be delivered twice and out of order; history of 90 days, per Region.
    """
    unreadable: list[str] = []
    calls: list[Call] = []
    seen = 0
    for call in look_up(
        since=since,
        until=until,
        cloudtrail=cloudtrail,
        ask=ask or Asking(),
        limiter=(limiter or Limiter(AWS_PACE.lookups_per_second)) if paced else None,
        unreadable=unreadable.append,
    ):
        seen += 1
        if (kept := keep(call)) is not None:
            calls.append(kept)
        if progress and call.time and until > since:
            done = (until - call.time) / (until - since)
            progress.row("CloudTrail", min(max(done, 0.0), 1.0), f"{_calls(seen)}, back to {call.time:%H:%M:%S}")
    if progress:
        progress.row("CloudTrail", 1.0, _calls(seen))
    return Trail(tuple(once(calls)), tuple(unreadable))


def _calls(count: int) -> str:
    return f"{count} RunTask {'call' if count == 1 else 'calls'}"


def once(calls: Iterable[Call]) -> list[Call]:
    """
    Return each call once, oldest first; a call without an id is told from others by all that it says.

    Examples
    --------
    >>> from ecs_runbook.firing.calls import read
    >>> record = {"eventName": "RunTask", "eventID": "e1"}
    >>> len(once([read(record), read(record), read({"eventName": "RunTask", "eventID": "e2"})]))
    2
    """
    different = {call.event_id or call: call for call in calls}
    return sorted(different.values(), key=lambda call: call.time or _LONG_AGO)
