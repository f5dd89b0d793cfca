"""
What becomes of a firing: delivered, tried again, or given up, into the target's dead-letter queue if it has one.

Each firing of each target ends in one of three ways: its target took it; a message lies in the dead-letter queue; or
it is dropped, and the server's log says why. Source: AWS docs, "Retry policy and using dead-letter queues" (verified
for the limits, the attributes and that missing permissions and a vanished target are not retried).

Not verified, and so this world's own: how the pauses grow, which refusals of ECS count as retriable (a setting, see
:mod:`~ecs_runbook.local_aws.settings`), and that a deleted rule, or a target that was removed, ends its retries. A
retry takes the target as it is then, so that RunTask resolves the latest revision of that moment.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ecs_runbook.local_aws.policy import Policy, Principal, decide_resource
from ecs_runbook.local_aws.task_life import generation
from ecs_runbook.local_aws.world import World

if TYPE_CHECKING:
    from moto.events.models import Rule

_LOG = logging.getLogger(__name__)
SERVICE = "events.amazonaws.com"
MOST_RETRIES = 185
OLDEST = timedelta(seconds=86400)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 480.0  # seconds; 185 of them are just under 24 hours
_THROTTLING = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "TooManyRequestsException",
    }
)
_GONE = frozenset({"ClusterNotFoundException", "ResourceNotFoundException"})

Target = Mapping[str, Any]
Event = dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """
    Why a target was not invoked.

    Parameters
    ----------
    code
        As a dead letter's ``ERROR_CODE`` says it.
    message
        The target's own words.
    retriable
        Whether EventBridge tries again.
    """

    code: str
    message: str
    retriable: bool = False


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and for how long, a target is tried again."""

    attempts: int = MOST_RETRIES
    age: timedelta = OLDEST


@dataclass
class Delivery:
    """One firing of one target."""

    rule: Rule
    target_id: str
    event: Event
    heir: int
    began: datetime
    retries: int = 0
    last: Refusal = field(default_factory=lambda: Refusal("", ""))


def refusal_of(status: int, code: str, message: str, *, retry_refused: bool = False) -> Refusal:
    """
    Say what EventBridge makes of a call that was refused.

    Parameters
    ----------
    status
        HTTP's.
    code, message
        The API's own.
    retry_refused
        Whether a refusal that is neither of permissions nor of a vanished resource is tried again.

    Notes
    -----
    Source: AWS docs, "Retry policy and using dead-letter queues": NO_PERMISSIONS, NO_RESOURCE and THROTTLING
    (verified); INVALID_PARAMETER, SDK_CLIENT_ERROR and ERROR_FROM_TARGET are in the newer list (seen), which of them
    stands for which answer of ECS is not verified. A role that cannot be assumed is NO_PERMISSIONS here; the newer
    list also has FAILED_TO_ASSUME_ROLE.

    Examples
    --------
    >>> refusal_of(400, "AccessDeniedException", "no")
    Refusal(code='NO_PERMISSIONS', message='no', retriable=False)
    >>> refusal_of(400, "ThrottlingException", "Rate exceeded")
    Refusal(code='THROTTLING', message='Rate exceeded', retriable=True)
    >>> refusal_of(400, "InvalidParameterException", "TaskDefinition is inactive")
    Refusal(code='INVALID_PARAMETER', message='TaskDefinition is inactive', retriable=False)
    >>> refusal_of(500, "ServerException", "x").retriable, refusal_of(400, "ClientException", "x").retriable
    (True, False)
    """
    if code in _THROTTLING:
        return Refusal("THROTTLING", message, retriable=True)
    if status >= 500:
        return Refusal("ERROR_FROM_TARGET", message, retriable=True)
    if code.startswith("AccessDenied"):
        return Refusal("NO_PERMISSIONS", message)
    if code in _GONE:
        return Refusal("NO_RESOURCE", message)
    return Refusal(
        "INVALID_PARAMETER" if code == "InvalidParameterException" else "SDK_CLIENT_ERROR", message, retry_refused
    )


def retry_policy_of(target: Target) -> RetryPolicy:
    """
    Return a target's RetryPolicy; what it does not say is AWS's default.

    Examples
    --------
    >>> retry_policy_of({})
    RetryPolicy(attempts=185, age=datetime.timedelta(days=1))
    >>> retry_policy_of({"RetryPolicy": {"MaximumRetryAttempts": 0}}).attempts
    0
    """
    said = target.get("RetryPolicy") or {}
    attempts, age = said.get("MaximumRetryAttempts"), said.get("MaximumEventAgeInSeconds")
    return RetryPolicy(
        MOST_RETRIES if attempts is None else int(attempts), OLDEST if age is None else timedelta(seconds=int(age))
    )


def pause(retry: int, key: str) -> timedelta:
    """
    Return how long to wait before a retry: twice as long each time, with jitter that only *key* decides.

    Parameters
    ----------
    retry
        From 1.
    key
        Whatever is the same whenever this is asked again.

    Examples
    --------
    >>> pause(3, "a") == pause(3, "a"), pause(3, "a") == pause(3, "b")
    (True, False)
    >>> timedelta(seconds=2) <= pause(3, "a") < timedelta(seconds=6)
    True
    >>> sum((pause(n, "a") for n in range(1, 186)), timedelta()) < timedelta(hours=25)
    True
    """
    whole = min(_FIRST_PAUSE * 2.0 ** min(retry - 1, 20), _LONGEST_PAUSE)
    jitter = 0.5 + zlib.crc32(f"{key} {retry}".encode()) / 2**32
    return timedelta(milliseconds=int(whole * jitter * 1000))


def letter(delivery: Delivery, target: Target, exhausted: str = "") -> dict[str, str]:
    """
    Return a dead letter's message attributes.

    Parameters
    ----------
    exhausted
        ``MaximumRetryAttempts`` or ``MaximumEventAgeInSeconds``; nothing where no retry was worth while.

    Notes
    -----
    Source: AWS docs, "Retry policy and using dead-letter queues" (verified); that ERROR_MESSAGE is the API's message
    alone is not verified.
    """
    attributes = {
        "RULE_ARN": str(delivery.rule.arn),
        "TARGET_ARN": str(target["Arn"]),
        "ERROR_CODE": delivery.last.code,
        "ERROR_MESSAGE": delivery.last.message or delivery.last.code,
        "RETRY_ATTEMPTS": str(delivery.retries),
    }
    return attributes | ({"EXHAUSTED_RETRY_CONDITION": exhausted} if exhausted else {})


def body_of(event: Event) -> str:
    """
    Return an event as it is sent.

    That a dead letter has the event also where the target has an Input is not verified.

    Examples
    --------
    >>> body_of({"source": "me", "time": 1764028800.0, "ingestion-time": 1764028800.0})
    '{"source": "me", "time": "2025-11-25T00:00:00Z"}'
    """
    told = {name: value for name, value in event.items() if name != "ingestion-time"}
    if isinstance(told.get("time"), int | float):
        told["time"] = datetime.fromtimestamp(told["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps(told, ensure_ascii=False)


class Deliveries:
    """
    What is on its way to a target.

    Parameters
    ----------
    world
        Its clock says when to try again.
    invoke
        Invokes a rule's target for an event, and returns why it could not.
    """

    def __init__(self, world: World, invoke: Callable[[Rule, Target, Event], Refusal | None]) -> None:
        self._clock = world.clock
        self._invoke = invoke

    def begin(self, rule: Rule, target: Target, event: Event, heir: int = 0) -> None:
        """Invoke *target* for *event*, now, and later again if need be; *heir* is the generation of its tasks."""
        self._attempt(Delivery(rule, str(target["Id"]), event, heir, self._clock.now()), target)

    def _attempt(self, delivery: Delivery, target: Target) -> None:
        before = generation.set(delivery.heir)
        try:
            refusal = self._invoke(delivery.rule, target, delivery.event)
        except Exception:  # noqa: BLE001  a firing is never lost without a word
            _LOG.exception("rule %s, target %s was not invoked", delivery.rule.arn, delivery.target_id)
            return
        finally:
            generation.reset(before)
        if refusal is not None:
            delivery.last = refusal
            self._refused(delivery, target, retry_policy_of(target))

    def _refused(self, delivery: Delivery, target: Target, policy: RetryPolicy) -> None:
        if not delivery.last.retriable:
            _give_up(delivery, target)
            return
        if delivery.retries >= policy.attempts:
            _give_up(delivery, target, "MaximumRetryAttempts")
            return
        again = self._clock.now() + pause(delivery.retries + 1, f"{delivery.rule.arn} {delivery.target_id}")
        end = delivery.began + policy.age
        _LOG.info("rule %s, target %s is tried again at %s", delivery.rule.arn, delivery.target_id, again.isoformat())
        if again > end:
            self._clock.at(max(end, self._clock.now()), lambda: self._grew_old(delivery))
        else:
            self._clock.at(again, lambda: self._again(delivery))

    def _again(self, delivery: Delivery) -> None:
        target = _still_there(delivery)
        if target is not None:
            delivery.retries += 1
            self._attempt(delivery, target)

    def _grew_old(self, delivery: Delivery) -> None:
        target = _still_there(delivery)
        if target is not None:
            _give_up(delivery, target, "MaximumEventAgeInSeconds")


def _still_there(delivery: Delivery) -> Target | None:
    """Return the target as it is now; where it or its rule is gone, drop the firing."""
    from moto.events.models import events_backends

    old = delivery.rule
    bus = events_backends[old.account_id][old.region_name].event_buses.get(old.event_bus_name)
    rule = bus.rules.get(old.name) if bus else None
    target: Target | None = next((t for t in rule.targets if t["Id"] == delivery.target_id), None) if rule else None
    if rule is None or target is None:
        _drop(delivery, "its rule or target is gone")
        return None
    delivery.rule = rule
    return target


def _give_up(delivery: Delivery, target: Target, exhausted: str = "") -> None:
    _LOG.warning(
        "rule %s, target %s was not invoked: %s: %s",
        delivery.rule.arn,
        delivery.target_id,
        delivery.last.code,
        delivery.last.message,
    )
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue_arn:
        _drop(delivery, "it has no dead-letter queue")
    elif why := _sent(queue_arn, delivery.rule, body_of(delivery.event), letter(delivery, target, exhausted)):
        _drop(delivery, why)


def _drop(delivery: Delivery, why: str) -> None:
    _LOG.warning(
        "rule %s, target %s: the event of %s is dropped after %d retries: %s",
        delivery.rule.arn,
        delivery.target_id,
        delivery.began.isoformat(timespec="seconds"),
        delivery.retries,
        why,
    )


def _sent(queue_arn: str, rule: Rule, body: str, attributes: Mapping[str, str]) -> str:
    """Put a message into a dead-letter queue; return why that cannot be, else nothing."""
    queue = _queue(queue_arn, rule.region_name)
    if queue is None:
        return f"there is no dead-letter queue {queue_arn} in {rule.region_name}"
    if queue.fifo_queue:
        return f"the dead-letter queue {queue_arn} is no standard queue"
    from moto.sqs.models import sqs_backends

    told = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    try:
        if not _may_send(queue, rule):
            return f"the policy of the dead-letter queue {queue_arn} does not let {SERVICE} send for this rule"
        sqs_backends[queue.account_id][queue.region].send_message(queue.name, body, message_attributes=told)
    except Exception as error:  # noqa: BLE001  an unreadable policy, an event too long for the queue
        return f"the dead-letter queue {queue_arn} does not take it: {error}"
    return ""


def _queue(arn: str, region: str) -> Any | None:
    from moto.sqs.models import sqs_backends

    parts = arn.split(":")
    if len(parts) != 6 or parts[2:4] != ["sqs", region]:
        return None
    found: Any | None = sqs_backends[parts[4]][region].queues.get(parts[5])
    return found


def _may_send(queue: Any, rule: Rule) -> bool:
    """Ask the queue's policy. Source: AWS docs, "Granting permissions to the dead-letter queue" (verified)."""
    if not queue.policy:
        return False
    context = {"aws:SourceArn": str(rule.arn), "aws:SourceAccount": str(rule.account_id), "aws:SecureTransport": "true"}
    decision = decide_resource(
        Policy("queue policy", queue.policy), Principal("Service", SERVICE), "sqs:SendMessage", queue.queue_arn, context
    )
    return decision.allowed


def install(world: World) -> None:
    """Let SQS date its messages by the world's clock, and forget them by it: a dead letter tells when it was sent."""
    from moto.sqs.models import Message, SQSBackend

    mark_sent = Message.mark_sent

    def mark_sent_now(self: Message, delay_seconds: int | None = None) -> None:
        mark_sent(self, delay_seconds)
        self.sent_timestamp = int(world.clock.now().timestamp() * 1000)

    def is_kept(self: SQSBackend, queue_name: str, message: Message) -> bool:
        kept = float(self.get_queue(queue_name).message_retention_period)
        return bool(message.sent_timestamp / 1000 + kept > world.clock.now().timestamp())

    Message.mark_sent = mark_sent_now
    SQSBackend.is_message_valid_based_on_retention_period = is_kept
