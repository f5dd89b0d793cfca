"""
AWS's published rates, as token buckets: see ``rates`` in :mod:`~ecs_runbook.local_aws.settings`.

A call takes a token from the bucket of its account and Region, and is refused where there is none. Buckets fill by the
world's clock, so that moving it forward is waiting. What has no published rate is never refused for its rate.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Bucket:
    """
    What some operations share, in one account and Region.

    Parameters
    ----------
    holds
        Calls at once.
    refill
        Calls a second.
    """

    name: str
    operations: frozenset[str]
    holds: float
    refill: float


def _bucket(name: str, holds: float, refill: float, *operations: str) -> Bucket:
    return Bucket(name, frozenset(operations), holds, refill)


def _of(service: str, operations: str) -> list[str]:
    return [f"{service}:{operation}" for operation in operations.split()]


PUBLISHED = (
    # Source: botocore cloudtrail LookupEvents (verified). How many at once is not told: a second's worth.
    _bucket("lookups", 2, 2, "cloudtrail:LookupEvents"),
    # Source: AWS docs, EventBridge quotas: 50 a second, shared (verified). How many at once: as above.
    _bucket(
        "rules",
        50,
        50,
        *_of(
            "events", "ListRules ListTargetsByRule ListRuleNamesByTarget ListEventBuses DescribeRule DescribeEventBus"
        ),
        *_of("events", "PutRule DeleteRule EnableRule DisableRule PutTargets RemoveTargets ListTagsForResource"),
        *_of("events", "TagResource UntagResource CreateEventBus DeleteEventBus"),
    ),
    # Source of the rest: AWS docs, "Request throttling for the Amazon ECS API" (verified).
    _bucket("definitions read", 50, 20, *_of("ecs", "DescribeTaskDefinition ListTaskDefinitions")),
    _bucket("definitions changed", 20, 1, *_of("ecs", "RegisterTaskDefinition DeregisterTaskDefinition")),
    _bucket("tasks read", 100, 20, *_of("ecs", "DescribeTasks ListTasks")),
    _bucket("clusters read", 50, 20, *_of("ecs", "DescribeClusters ListClusters")),
    _bucket("tasks run", 100, 40, "ecs:RunTask"),
)
_BY_OPERATION = {operation: bucket for bucket in PUBLISHED for operation in bucket.operations}


class Rates:
    """
    The buckets of one world.

    Parameters
    ----------
    now
        The world's time, aware.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._levels: dict[tuple[str, str, str], tuple[float, datetime]] = {}

    def refuses(self, operation: str, account: str, region: str) -> bool:
        """
        Say whether a call comes too soon; one that does not takes a token.

        Examples
        --------
        >>> from datetime import UTC
        >>> rates = Rates(lambda: datetime(2026, 11, 24, tzinfo=UTC))
        >>> [rates.refuses("cloudtrail:LookupEvents", "123456789012", "eu-west-2") for _ in range(3)]
        [False, False, True]
        >>> rates.refuses("cloudtrail:LookupEvents", "123456789012", "eu-central-1"), rates.refuses("ec2:X", "", "")
        (False, False)
        """
        bucket = _BY_OPERATION.get(operation)
        if bucket is None:
            return False
        key = (bucket.name, account, region)
        with self._lock:
            now = self._now()
            level, since = self._levels.get(key, (bucket.holds, now))
            level = min(bucket.holds, level + (now - since).total_seconds() * bucket.refill)
            lacks = level < 1
            self._levels[key] = (level if lacks else level - 1, now)
            return lacks

    def fill(self) -> None:
        """Fill every bucket."""
        with self._lock:
            self._levels.clear()
