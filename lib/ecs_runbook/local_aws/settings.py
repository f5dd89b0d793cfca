"""
What can be set in the local AWS while it runs: how late its trail is, and what goes wrong on purpose.

========================= ===========================================================================================
cloudtrail_delay_seconds  how long after a call LookupEvents knows of it, and a trail's next file may hold it; 0 at the
                          start
log_twice                 ``{"RunTask": 1}``: the next record of that event stands in two log files of a trail, as "at
                          least once" allows; ``"*"``: of any. It takes the place of what was set before.
fargate                   ``available``, ``no-capacity`` or ``quota``: what RunTask answers on Fargate. The last two
                          are HTTP 200 with ``failures[]``, and no task. ``{"no-capacity": 3}``: the next three times.
throttle                  ``{"ecs:RunTask": 3}``: the next three such calls are refused; ``"always"``: every one. It
                          takes the place of what was throttled before; ``{}`` throttles nothing. EventBridge's own
                          calls count too. ``ec2:DescribeSubnets`` and ``ec2:DescribeSecurityGroups`` also count where
                          RunTask itself looks up a network.
athena_seconds            how long each of Athena's queries is RUNNING at least, in real seconds; 0 at the start
retry_refused             whether EventBridge retries what RunTask refused with ``InvalidParameterException``,
                          ``ClientException`` and the like; false at the start, as what AWS does is not verified
enforce_iam               whether IAM is asked about every call of a user or a role's session; false at the start. The
                          account's root, and so any unknown key, may do everything. RunTask and AssumeRole are always
                          judged.
rates                     ``unlimited``, or ``published``: AWS's published rates (see
                          :mod:`~ecs_runbook.local_aws.rates`), by the world's clock
deliver_twice             ``{"nightly": 1}``: the next firing of the rule or schedule of that name is delivered twice,
                          as "at least once" allows; ``"*"``: of any. It takes the place of what was set before.
second_delivery_seconds   how long after the first the second delivery comes; 5 at the start
placement_error           with which error a state machine's RunTask fails that is waited for and has failures[]:
                          ``AmazonECS.Unknown`` (at the start) or ``ECS.AmazonECSException``, as AWS says both
stop_timed_out            whether Step Functions stops a task whose state has timed out; false at the start, as what AWS
                          does is not verified
faults                    a list of what goes wrong, and for which calls; the first that fits a call decides:
                          ``{"fault": "reset", "operation": "events:List*", "region": "eu-*", "account": "*",
                          "after": 3, "times": 2}``; only ``fault`` must be there. ``server-error`` (HTTP 500),
                          ``reset`` (the connection is), ``hang`` (no answer), ``expired-token``, ``denied`` (by a
                          service control policy), ``repeated-token`` (each page is the first). It takes the place of
                          the list before; ``[]`` ends them all.
reset                     true: all of it as at the start, before anything else of the same request is set
========================= ===========================================================================================
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from ecs_runbook.local_aws.clock import span
from ecs_runbook.local_aws.faults import Faults, faults_of

FARGATE = ("available", "no-capacity", "quota")
RATES = ("unlimited", "published")
PLACEMENT_ERRORS = ("AmazonECS.Unknown", "ECS.AmazonECSException")
_NAMES = (
    "athena_seconds",
    "cloudtrail_delay_seconds",
    "deliver_twice",
    "enforce_iam",
    "fargate",
    "faults",
    "log_twice",
    "placement_error",
    "rates",
    "retry_refused",
    "second_delivery_seconds",
    "stop_timed_out",
    "throttle",
)
_EXAMPLES = {"calls": '{"ecs:RunTask": 3}', "firings": '{"nightly": 1}', "records": '{"RunTask": 1}'}
Times = int | Literal["always"]


@dataclass
class Settings:
    """
    The settings of one world.

    Examples
    --------
    >>> settings = Settings()
    >>> settings.change({"throttle": {"ecs:RunTask": 1}})
    >>> settings.throttles("ecs", "RunTask"), settings.throttles("ecs", "RunTask")
    (True, False)
    >>> settings.shown()["fargate"]
    'available'
    """

    cloudtrail_delay: timedelta = timedelta(0)
    fargate: str | dict[str, int] = "available"
    retry_refused: bool = False
    throttle: dict[str, Times] = field(default_factory=dict)
    enforce_iam: bool = False
    rates: str = "unlimited"
    placement_error: str = PLACEMENT_ERRORS[0]
    stop_timed_out: bool = False
    deliver_twice: dict[str, Times] = field(default_factory=dict)
    second_delivery_after: timedelta = timedelta(seconds=5)
    log_twice: dict[str, Times] = field(default_factory=dict)
    athena_lasts: timedelta = timedelta(0)
    faults: Faults = field(default_factory=Faults, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def change(self, wanted: Mapping[str, Any], known: Callable[[str], bool] = lambda _: True) -> None:
        """
        Set what *wanted* names, all of it or nothing.

        Parameters
        ----------
        wanted
            Settings by their names.
        known
            Whether there is such an operation, ``ecs:RunTask``.

        Raises
        ------
        ValueError
            If a name or a value is none that can be set.
        """
        unknown = sorted(set(wanted) - {*_NAMES, "reset"})
        if unknown:
            message = f"{', '.join(unknown)}: no such setting; there are {', '.join(_NAMES)} and reset."
            raise ValueError(message)
        base = Settings() if _flag("reset", wanted.get("reset", False)) else self
        faults = faults_of(wanted["faults"], known) if "faults" in wanted else None
        fresh = Settings(
            span(wanted["cloudtrail_delay_seconds"]) if "cloudtrail_delay_seconds" in wanted else base.cloudtrail_delay,
            _fargate(wanted.get("fargate", base.fargate)),
            _flag("retry_refused", wanted.get("retry_refused", base.retry_refused)),
            _throttle(wanted["throttle"], known) if "throttle" in wanted else base.throttle,
            _flag("enforce_iam", wanted.get("enforce_iam", base.enforce_iam)),
            _one_of("rates", wanted.get("rates", base.rates), RATES),
            _one_of("placement_error", wanted.get("placement_error", base.placement_error), PLACEMENT_ERRORS),
            _flag("stop_timed_out", wanted.get("stop_timed_out", base.stop_timed_out)),
            _counts("deliver_twice", wanted["deliver_twice"]) if "deliver_twice" in wanted else base.deliver_twice,
            span(wanted["second_delivery_seconds"])
            if "second_delivery_seconds" in wanted
            else base.second_delivery_after,
            _counts("log_twice", wanted["log_twice"], what="records") if "log_twice" in wanted else base.log_twice,
            span(wanted["athena_seconds"]) if "athena_seconds" in wanted else base.athena_lasts,
        )
        with self._lock:
            self.cloudtrail_delay, self.fargate = fresh.cloudtrail_delay, fresh.fargate
            self.retry_refused, self.throttle = fresh.retry_refused, dict(fresh.throttle)
            self.enforce_iam, self.rates = fresh.enforce_iam, fresh.rates
            self.placement_error, self.stop_timed_out = fresh.placement_error, fresh.stop_timed_out
            self.deliver_twice, self.second_delivery_after = dict(fresh.deliver_twice), fresh.second_delivery_after
            self.log_twice, self.athena_lasts = dict(fresh.log_twice), fresh.athena_lasts
        if faults is not None or base is not self:
            self.faults.set(faults or [])

    def shown(self) -> dict[str, Any]:
        """Return every setting as it is: of what is throttled, how often it still will be."""
        return {
            "athena_seconds": self.athena_lasts / timedelta(seconds=1),
            "cloudtrail_delay_seconds": self.cloudtrail_delay / timedelta(seconds=1),
            "deliver_twice": dict(self.deliver_twice),
            "enforce_iam": self.enforce_iam,
            "fargate": self.fargate,
            "faults": self.faults.shown(),
            "log_twice": dict(self.log_twice),
            "placement_error": self.placement_error,
            "rates": self.rates,
            "retry_refused": self.retry_refused,
            "second_delivery_seconds": self.second_delivery_after / timedelta(seconds=1),
            "stop_timed_out": self.stop_timed_out,
            "throttle": dict(self.throttle),
        }

    def fargate_answers(self) -> str:
        """
        Return what Fargate answers to this one RunTask, and count it.

        Examples
        --------
        >>> settings = Settings()
        >>> settings.change({"fargate": {"no-capacity": 1}})
        >>> settings.fargate_answers(), settings.fargate_answers()
        ('no-capacity', 'available')
        """
        with self._lock:
            if isinstance(self.fargate, str):
                return self.fargate
            ((answer, left),) = self.fargate.items()
            self.fargate = {answer: left - 1} if left > 1 else "available"
            return answer

    def throttles(self, service: str, operation: str) -> bool:
        """Say whether this one call is refused, and count it."""
        return self._is_one_of(self.throttle, f"{service}:{operation}")

    def second_delivery(self, name: str) -> timedelta | None:
        """
        Return how long after the first this one firing of the rule or schedule *name* is delivered again; count it.

        Examples
        --------
        >>> settings = Settings()
        >>> settings.change({"deliver_twice": {"nightly": 1}, "second_delivery_seconds": 30})
        >>> settings.second_delivery("hourly"), settings.second_delivery("nightly"), settings.second_delivery("nightly")
        (None, datetime.timedelta(seconds=30), None)
        """
        twice = self._is_one_of(self.deliver_twice, name) or self._is_one_of(self.deliver_twice, "*")
        return self.second_delivery_after if twice else None

    def logs_twice(self, event: str) -> bool:
        """Say whether this one record of an event, ``RunTask``, stands in two log files, and count it."""
        return self._is_one_of(self.log_twice, event) or self._is_one_of(self.log_twice, "*")

    def _is_one_of(self, counts: dict[str, Times], name: str) -> bool:
        if not counts:
            return False
        with self._lock:
            left = counts.get(name, 0)
            if isinstance(left, int) and left > 0:
                counts[name] = left - 1
                if left == 1:
                    del counts[name]
            return left != 0


def _fargate(value: Any) -> str | dict[str, int]:
    if not isinstance(value, Mapping):
        return _one_of("fargate", value, FARGATE)
    if len(value) != 1 or not all(_is_count(times) for times in value.values()):
        message = f'fargate = {value}: one of {", ".join(FARGATE)} is wanted, or how often: {{"no-capacity": 3}}.'
        raise ValueError(message)
    ((answer, times),) = value.items()
    return {_one_of("fargate", answer, FARGATE): times} if times else "available"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _one_of(name: str, value: Any, values: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in values:
        message = f"{name} = {value}: one of {', '.join(values)} is wanted."
        raise ValueError(message)
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        message = f"{name} = {value}: true or false is wanted."
        raise ValueError(message)  # noqa: TRY004  every fault of the body is answered alike
    return value


def _throttle(value: Any, known: Callable[[str], bool]) -> dict[str, Times]:
    counts = _counts("throttle", value, what="calls")
    for name in value:
        if not known(name):
            message = f"throttle = {name}: no such operation; one is called ecs:RunTask, or cloudtrail:LookupEvents."
            raise ValueError(message)
    return counts


def _counts(setting: str, value: Any, *, what: str = "firings") -> dict[str, Times]:
    if not isinstance(value, Mapping):
        message = f"{setting} = {value}: an object such as {_EXAMPLES[what]} is wanted."
        raise ValueError(message)  # noqa: TRY004  as above
    for name, times in value.items():
        if not _is_count(times) and times != "always":
            message = f"{setting} = {name}: {times}: a number of {what} is wanted, or always."
            raise ValueError(message)
    return {name: times for name, times in value.items() if times != 0}
