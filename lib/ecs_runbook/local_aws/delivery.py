"""
What becomes of a firing of a rule or schedule: delivered, tried again, or given up, into its dead-letter queue.

Each firing of each target ends in one of three ways: its target took it; a message lies in the dead-letter queue; or
it is dropped, and the server's log says why. Source: AWS docs, "Retry policy and using dead-letter queues" (verified
for the limits, the attributes and that missing permissions and a vanished target are not retried).

Not verified, and so this world's own: how the pauses grow, which refusals of ECS count as retriable (a setting, see
:mod:`~ecs_runbook.local_aws.settings`), and that a deleted rule or schedule, or a target that was removed, ends its
retries. A retry takes the target as it is then, so that RunTask resolves the latest revision of that moment.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from ecs_runbook.local_aws.task_life import generation
from ecs_runbook.local_aws.world import World

_LOG = logging.getLogger(__name__)
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
        Whether it is tried again.
    """

    code: str
    message: str
    retriable: bool = False


@dataclass(frozen=True)
class RetryPolicy:
    """How often, and for how long, a target is tried again."""

    attempts: int = MOST_RETRIES
    age: timedelta = OLDEST


class Firing(Protocol):
    """One firing of one target."""

    @property
    def label(self) -> str:
        """How the log names it: ``rule arn:…, target 1``."""

    @property
    def name(self) -> str:
        """What its rule or schedule is called."""

    def again(self) -> Firing:
        """Return the same firing, to be delivered another time."""

    def target(self) -> Target | None:
        """Return the target as it is now, or None if it or its owner is gone."""

    def invoke(self, target: Target) -> Refusal | None:
        """Invoke it; return why that could not be."""

    def dead_letter(self, target: Target, given_up: GivenUp) -> Letter:
        """Return what lies in its dead-letter queue then."""


@dataclass(frozen=True)
class GivenUp:
    """How a firing ended: its last refusal, after how many retries, and which limit was reached if one was."""

    last: Refusal
    retries: int
    exhausted: str = ""


@dataclass(frozen=True)
class Letter:
    """
    A message for a dead-letter queue.

    Parameters
    ----------
    body, attributes
        The message's.
    region
        Where the queue must be.
    barred
        Says why the sender may not put it into a queue; nothing if it may.
    """

    body: str
    attributes: Mapping[str, str]
    region: str
    barred: Callable[[Any], str]


@dataclass
class Delivery:
    """A firing on its way."""

    firing: Firing
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


class Deliveries:
    """What is on its way to a target; the world's clock says when to try again."""

    def __init__(self, world: World) -> None:
        self._clock, self._settings = world.clock, world.settings

    def begin(self, firing: Firing, target: Target, heir: int = 0) -> None:
        """
        Invoke *target*, now, and later again if need be; *heir* is the generation of its tasks.

        Source of a second delivery, which must be set: AWS docs, EventBridge, "Troubleshooting" (verified): a rule may
        run more than once for a single event or scheduled time. How long after is not told.
        """
        if (gap := self._settings.second_delivery(firing.name)) is not None:
            twin = Delivery(firing.again(), heir, self._clock.now() + gap)
            self._clock.at(twin.began, lambda: self._deliver_again(twin))
        self._attempt(Delivery(firing, heir, self._clock.now()), target)

    def _deliver_again(self, twin: Delivery) -> None:
        target = _still_there(twin)
        if target is not None:
            self._attempt(twin, target)

    def _attempt(self, delivery: Delivery, target: Target) -> None:
        before = generation.set(delivery.heir)
        try:
            refusal = delivery.firing.invoke(target)
        except Exception:  # noqa: BLE001  a firing is never lost without a word
            _LOG.exception("%s was not invoked", delivery.firing.label)
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
        again = self._clock.now() + pause(delivery.retries + 1, delivery.firing.label)
        end = delivery.began + policy.age
        _LOG.info("%s is tried again at %s", delivery.firing.label, again.isoformat())
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
    target = delivery.firing.target()
    if target is None:
        _drop(delivery, "what fired it, or its target, is gone")
    return target


def _give_up(delivery: Delivery, target: Target, exhausted: str = "") -> None:
    _LOG.warning("%s was not invoked: %s: %s", delivery.firing.label, delivery.last.code, delivery.last.message)
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue_arn:
        _drop(delivery, "it has no dead-letter queue")
        return
    given_up = GivenUp(delivery.last, delivery.retries, exhausted)
    if why := _sent(str(queue_arn), delivery.firing.dead_letter(target, given_up)):
        _drop(delivery, why)


def _drop(delivery: Delivery, why: str) -> None:
    _LOG.warning(
        "%s: the event of %s is dropped after %d retries: %s",
        delivery.firing.label,
        delivery.began.isoformat(timespec="seconds"),
        delivery.retries,
        why,
    )


def _sent(queue_arn: str, letter: Letter) -> str:
    """Put a message into a dead-letter queue; return why that cannot be, else nothing."""
    queue = _queue(queue_arn, letter.region)
    if queue is None:
        return f"there is no dead-letter queue {queue_arn} in {letter.region}"
    if queue.fifo_queue:
        return f"the dead-letter queue {queue_arn} is no standard queue"
    from moto.sqs.models import sqs_backends

    told = {name: {"DataType": "String", "StringValue": value} for name, value in letter.attributes.items()}
    try:
        if why := letter.barred(queue):
            return why
        sqs_backends[queue.account_id][queue.region].send_message(queue.name, letter.body, message_attributes=told)
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


def install(world: World) -> None:
    """Let SQS date its messages by the world's clock, and forget them by it: a dead letter tells when it was sent."""
    from moto.sqs.models import Message, Queue, SQSBackend

    mark_sent, messages = Message.mark_sent, Queue.messages.fget

    def mark_sent_now(self: Message, delay_seconds: int | None = None) -> None:
        mark_sent(self, delay_seconds)
        self.sent_timestamp = int(world.clock.now().timestamp() * 1000)

    def kept(queue: Queue, message: Message) -> bool:
        retained = float(queue.message_retention_period)
        return bool(message.sent_timestamp / 1000 + retained > world.clock.now().timestamp())

    def is_kept(self: SQSBackend, queue_name: str, message: Message) -> bool:
        return kept(self.get_queue(queue_name), message)

    def kept_messages(self: Queue) -> list[Message]:
        """Leave out what has grown too old; moto stops at the first of these, and hands out none behind it."""
        return [message for message in messages(self) if kept(self, message)]

    Queue.messages = property(kept_messages)
    Message.mark_sent = mark_sent_now
    SQSBackend.is_message_valid_based_on_retention_period = is_kept
