"""How fast AWS may be asked: one table of its rates, with sources, and a bucket of tokens for each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_CAREFUL, _NEARLY = 0.9, 0.97
"""As much of a bucket is used, and of its rate: clocks differ, and calls overtake each other."""
_ANSWER_SECONDS, MOST_WORKERS = 0.15, 16
_SLOWER, _SLOWEST, _FASTER = 0.7, 0.05, 1.02


@dataclass(frozen=True)
class Rate:
    """
    How fast some operations may be called together, in an account and Region.

    Attributes
    ----------
    name
        What is counted together.
    operations
        As IAM names them; ``events:*`` for all of a service that no other rate names.
    burst
        Calls at once, when none were made for a while.
    per_second
        Calls a second in the long run.
    source
        Where it is known from.
    regional
        Whether each Region counts for itself.
    """

    name: str
    operations: tuple[str, ...]
    burst: float
    per_second: float
    source: str
    regional: bool = True

    @property
    def workers(self) -> int:
        """How many calls must be under way together to reach the rate, if an answer takes as long as most do."""
        return min(max(math.ceil(self.per_second * _ANSWER_SECONDS), 2), MOST_WORKERS)


_ECS = "ECS API reference, request throttling"
_OURS = "not published; our choice"
RATES: tuple[Rate, ...] = (
    Rate("EventBridge", ("events:*",), 1, 50, "EventBridge quotas: 50 a second; a burst is not published"),
    Rate("Scheduler", ("scheduler:GetSchedule",), 20, 100, "Scheduler quotas, far above this; our choice"),
    Rate("Scheduler's lists", ("scheduler:*",), 5, 10, "Scheduler quotas: 10 a second for some of them; our choice"),
    Rate(
        "task definitions",
        ("ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:ListTaskDefinitionFamilies"),
        50,
        20,
        _ECS,
    ),
    Rate("tasks", ("ecs:DescribeTasks", "ecs:ListTasks"), 100, 20, _ECS),
    Rate("clusters", ("ecs:DescribeClusters", "ecs:ListClusters"), 50, 20, _ECS),
    Rate("ECS settings", ("ecs:ListAccountSettings",), 50, 20, _ECS),
    Rate("state machines", ("states:DescribeStateMachine",), 200, 20, "Step Functions quotas, API throttling"),
    Rate("executions", ("states:ListExecutions",), 20, 4, "Step Functions quotas differ by Region; our choice"),
    Rate("histories of executions", ("states:GetExecutionHistory",), 50, 15, "as executions; our choice"),
    Rate("CloudTrail", ("cloudtrail:LookupEvents",), 1, 2, "CloudTrail API reference, LookupEvents: 2 a second"),
    Rate("EC2", ("ec2:*",), 20, 10, _OURS),
    Rate("SQS", ("sqs:*",), 20, 50, _OURS),
    Rate("tags", ("tag:*",), 2, 5, _OURS),
    Rate("S3", ("s3:*",), 100, 200, "S3 user guide, 5,500 reads a second and prefix; our choice, far below"),
    Rate("IAM", ("iam:*",), 10, 10, _OURS, regional=False),
    Rate("IAM's simulator", ("iam:SimulatePrincipalPolicy",), 5, 5, _OURS, regional=False),
    Rate("STS", ("sts:*",), 20, 20, _OURS, regional=False),
    Rate("Organizations", ("organizations:*",), 2, 2, _OURS, regional=False),
    Rate("anything else", ("*",), 5, 5, _OURS),
)
"""AWS's published rates, and careful ones where it publishes none."""

_BY_OPERATION: Mapping[str, Rate] = MappingProxyType({name: rate for rate in RATES for name in rate.operations})


def rate_of(operation: str) -> Rate:
    """
    Return the rate that counts *operation*.

    Examples
    --------
    >>> rate_of("ecs:DescribeTaskDefinition").per_second, rate_of("events:ListRules").name, rate_of("kms:Decrypt").name
    (20, 'EventBridge', 'anything else')
    """
    service = operation.partition(":")[0]
    return _BY_OPERATION.get(operation) or _BY_OPERATION.get(f"{service}:*") or _BY_OPERATION["*"]


class Bucket:
    """
    A bucket of tokens, one for a call, that fills as time goes by; and that is filled more slowly after a throttle.

    Parameters
    ----------
    rate
        How many it holds, and how fast it fills.
    now
        Seconds of a clock that never goes back.

    Examples
    --------
    >>> bucket = Bucket(Rate("one", (), burst=1, per_second=4, source=""), now=0.0)
    >>> [round(bucket.take(0.0), 2) for _ in range(3)]
    [0.0, 0.26, 0.52]
    """

    def __init__(self, rate: Rate, now: float) -> None:
        self._burst = max(1.0, rate.burst * _CAREFUL)
        self._per_second = rate.per_second * _NEARLY
        self._tokens = float(int(self._burst))
        self._at = now
        self._slow_until = now
        self.share = 1.0

    def take(self, now: float) -> float:
        """Take a token; return for how many seconds to wait before it may be used."""
        self._fill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._pace)

    def throttled(self, now: float, pause: float) -> None:
        """Slow down: somebody else asks too, or the rate is not what the table says. Nothing for *pause* seconds."""
        self._fill(now)
        if now >= self._slow_until:  # of the calls that were under way together, one slows down
            self.share = max(_SLOWEST, self.share * _SLOWER)
            self._slow_until = now + pause
        self._tokens = min(self._tokens, -pause * self._pace)

    def answered(self) -> None:
        """Go a little faster again, up to the rate."""
        self.share = min(1.0, self.share * _FASTER)

    @property
    def _pace(self) -> float:
        return self._per_second * self.share

    def _fill(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._at = max(self._at, now)
        self._tokens = min(self._burst, self._tokens + passed * self._pace)
