"""What lies in a dead-letter queue: read without taking anything out of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import DENIED, Asking, Bars
from ecs_runbook.firing.calls import moment

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

MOST_MESSAGES = 10_000
QUIET_POLLS = 2
PATIENT_POLLS = 4
"""Polls without anything new that end it: more where the queue counts messages that it did not hand out."""
HIDDEN_SECONDS = (3, 120)
_AT_ONCE = 10
_WAIT_SECONDS = 1
_ATTRIBUTES: list[QueueAttributeNameType] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "MessageRetentionPeriod",
    "RedrivePolicy",
]
NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


@dataclass(frozen=True)
class Letter:
    """
    A message that EventBridge or Scheduler gave up on; what it does not say is ``""`` or None.

    Attributes
    ----------
    id
        SQS's MessageId.
    sender
        RULE_ARN or SCHEDULE_ARN: whose it is.
    target
        TARGET_ARN.
    code, message
        ERROR_CODE, ERROR_MESSAGE.
    time
        When the event was, or the firing was due; else when the message was put into the queue.
    sent
        When the message was put into the queue.
    attempts
        RETRY_ATTEMPTS: how often it was tried again after the first time.
    raw
        The message as boto3 gave it.
    """

    id: str
    sender: str
    target: str
    code: str
    message: str
    time: datetime | None
    sent: datetime | None
    attempts: int | None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Queue:
    """
    What came of looking into one queue.

    Attributes
    ----------
    arn
        The queue's.
    letters
        The messages, each once, oldest first.
    unread
        Why it was not read, or not to its end; ``""`` if all that was visible was read.
    looked
        Whether anything was read of it at all.
    retention
        How long it keeps a message; None if it does not say.
    """

    arn: str
    letters: tuple[Letter, ...] = ()
    unread: str = ""
    looked: bool = True
    retention: timedelta | None = None

    @property
    def name(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition(":")[2]


def read_queue(
    arn: str, *, sqs: SQSClient, ask: Asking | None = None, most: int = MOST_MESSAGES, progress: Bars | None = None
) -> Queue:
    """
    Read the messages of a dead-letter queue and leave them there.

    Parameters
    ----------
    arn
        ARN of the queue, as a target's DeadLetterConfig names it.
    sqs
        An SQS client of the queue's Region.
    ask
        Who counts the calls.
    most
        No more messages than this are read; ``unread`` says so.
    progress
        Where to show how far it is.

    Returns
    -------
    Queue
        With ``unread`` where something stood in the way: never an error, since other sources may still answer.

    Notes
    -----
    Nothing is deleted, but reading leaves a trace: each message's ApproximateReceiveCount goes up. A queue with a
    redrive policy of its own moves a message on when that count reaches its limit, so such a queue is not read. If it
    holds more than ten messages, those that were read are hidden from other readers for some seconds.
    Needs ``sqs:GetQueueUrl``, ``sqs:GetQueueAttributes``, ``sqs:ReceiveMessage``, and ``kms:Decrypt`` if it is
    encrypted with a key of your own.
    Source: botocore sqs ReceiveMessage: at most ten a call, a sample of the servers unless it waits (verified);
    attributes of a dead letter: AWS docs, EventBridge and Scheduler dead-letter queues (verified).
    """
    ask = ask or Asking()
    try:
        url, told = attributes(arn, sqs=sqs, ask=ask)
    except ValueError:
        return Queue(arn, unread=f"{arn!r} is not the ARN of a queue", looked=False)
    except AwsError as error:
        return Queue(arn, unread=why_not(error), looked=False)
    return read_messages(arn, url, told, sqs=sqs, ask=ask, most=most, progress=progress)


def attributes(
    arn: str, *, sqs: SQSClient, ask: Asking, more: Iterable[QueueAttributeNameType] = ()
) -> tuple[str, Mapping[str, str]]:
    """
    Return a queue's URL and its attributes: those that reading it needs, and *more*.

    Raises
    ------
    ValueError
        If *arn* is not the ARN of a queue.
    AwsError
        If SQS refuses, or there is no such queue.

    Notes
    -----
    Needs ``sqs:GetQueueUrl`` and ``sqs:GetQueueAttributes``.
    """
    account, name = arn.split(":")[4:6]
    url = ask("sqs:GetQueueUrl", sqs.get_queue_url, QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    wanted = [*_ATTRIBUTES, *more]
    answer = ask("sqs:GetQueueAttributes", sqs.get_queue_attributes, QueueUrl=url, AttributeNames=wanted)
    return url, answer.get("Attributes", {})


def counted(told: Mapping[str, Any]) -> int:
    """Return about how many messages a queue holds: those that wait, and those in a reader's hands."""
    return sum(_number(told.get(name)) or 0 for name in _ATTRIBUTES[:2])


def read_messages(
    arn: str,
    url: str,
    told: Mapping[str, Any],
    *,
    sqs: SQSClient,
    ask: Asking,
    most: int = MOST_MESSAGES,
    progress: Bars | None = None,
) -> Queue:
    """Read the messages of a queue whose URL and attributes are known, as :func:`read_queue` does."""
    name = arn.rpartition(":")[2]
    kept = timedelta(seconds=_number(told.get("MessageRetentionPeriod")) or 0) or None
    if told.get("RedrivePolicy"):
        words = "it has a redrive policy of its own, and reading could move messages on; look into it in the console"
        return Queue(arn, unread=words, looked=False, retention=kept)
    messages, unread, looked = _messages(url, told, sqs=sqs, ask=ask, most=most, progress=progress, name=name)
    letters = sorted((read_letter(message) for message in messages), key=lambda one: (one.time is not None, one.time))
    return Queue(arn, tuple(letters), unread, looked, kept)


def read_letter(message: Mapping[str, Any]) -> Letter:
    """
    Read one message of a dead-letter queue; never fails, whatever it holds.

    Examples
    --------
    >>> attribute = lambda text: {"StringValue": text, "DataType": "String"}
    >>> letter = read_letter({"MessageId": "m", "Body": '{"time": "2026-11-24T17:00:00Z"}', "MessageAttributes": {
    ...     "RULE_ARN": attribute("arn:aws:events:eu-west-1:111122223333:rule/nightly"),
    ...     "ERROR_CODE": attribute("NO_PERMISSIONS"), "RETRY_ATTEMPTS": attribute("0")}})
    >>> letter.code, letter.attempts, letter.time.isoformat()
    ('NO_PERMISSIONS', 0, '2026-11-24T17:00:00+00:00')
    """
    attributes = message.get("MessageAttributes")
    said = {
        str(name): str(value.get("StringValue", ""))
        for name, value in (attributes.items() if isinstance(attributes, Mapping) else ())
        if isinstance(value, Mapping)
    }
    system = message.get("Attributes")
    sent = _epoch(system.get("SentTimestamp"), 1000) if isinstance(system, Mapping) else None
    return Letter(
        id=str(message.get("MessageId", "")),
        sender=said.get("RULE_ARN") or said.get("SCHEDULE_ARN", ""),
        target=said.get("TARGET_ARN", ""),
        code=said.get("ERROR_CODE", ""),
        message=said.get("ERROR_MESSAGE", ""),
        time=moment(said.get("SCHEDULED_TIME")) or _event_time(message.get("Body")) or sent,
        sent=sent,
        attempts=_number(said.get("RETRY_ATTEMPTS")),
        raw=message,
    )


def _messages(
    url: str,
    told: Mapping[str, Any],
    *,
    sqs: SQSClient,
    ask: Asking,
    most: int,
    progress: Bars | None,
    name: str,
) -> tuple[list[Mapping[str, Any]], str, bool]:
    """Return each message once, what stood in the way of reading all, and whether any poll was answered."""
    visible, in_hand = (_number(told.get(name)) or 0 for name in _ATTRIBUTES[:2])
    found: dict[str, Mapping[str, Any]] = {}
    quiet = 0
    while quiet < _patience(len(found), visible + in_hand):
        try:
            messages = ask(
                "sqs:ReceiveMessage",
                sqs.receive_message,
                QueueUrl=url,
                MaxNumberOfMessages=_AT_ONCE,
                VisibilityTimeout=_hidden_seconds(visible + in_hand),
                WaitTimeSeconds=_WAIT_SECONDS,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            ).get("Messages", [])
        except AwsError as error:
            return list(found.values()), why_not(error), bool(found)
        fresh = {message["MessageId"]: message for message in messages if message["MessageId"] not in found}
        found |= fresh
        quiet = 0 if fresh else quiet + 1
        if progress:
            share = len(found) / max(visible, len(found) + 1)
            progress.row(f"DLQ {name}", 1.0 if quiet else share, f"{len(found)} messages")
        if len(found) >= most:
            return list(found.values())[:most], f"no more than {most} messages were read", True
    missing = visible + in_hand - len(found)
    words = f"about {missing} more are counted but hidden, in another reader's hands; look again in a minute"
    return list(found.values()), words if missing > 0 else "", True


def _patience(read: int, counted: int) -> int:
    if not counted:
        return 1
    return QUIET_POLLS if read >= counted else PATIENT_POLLS


def _hidden_seconds(counted: int) -> int:
    """
    Return for how long what was handed out is hidden, so that each poll brings others: as long as reading all may take.

    Examples
    --------
    >>> _hidden_seconds(10), _hidden_seconds(30), _hidden_seconds(1_000), _hidden_seconds(1_000_000)
    (0, 3, 20, 120)
    """
    if counted <= _AT_ONCE:
        return 0
    return min(max(counted // 50, HIDDEN_SECONDS[0]), HIDDEN_SECONDS[1])


def why_not(error: AwsError) -> str:
    """Return in words why a queue could not be read."""
    if error.code in NO_QUEUE:
        return "there is no such queue, so what was to go into it is lost"
    if error.code in DENIED or "AccessDenied" in error.code:
        more = f": {error.words}" if "kms:" in error.words else ""
        return f"the caller needs {'kms:Decrypt' if 'kms:Decrypt' in error.words else error.operation}{more}"
    return str(error)


def _event_time(body: object) -> datetime | None:
    """Return the time of the event that a rule's message carries."""
    try:
        event = json.loads(body) if isinstance(body, str) else None
    except ValueError:
        return None
    time = event.get("time") if isinstance(event, Mapping) else None
    return moment(time) or (_epoch(time, 1) if isinstance(time, int | float) else None)


def _epoch(value: object, parts: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(str(value)) / parts, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _number(value: object) -> int | None:
    text = str(value) if value is not None else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def queues_of(targets: Iterable[Any]) -> list[str]:
    """
    Return the ARNs of the dead-letter queues of *targets*, each once.

    Examples
    --------
    >>> from ecs_runbook.firing.rules import Target
    >>> queue = "arn:aws:sqs:eu-west-1:111122223333:lost"
    >>> queues_of([Target("t", "c", "r", "d", {"DeadLetterConfig": {"Arn": queue}}), Target("u", "c", "r", "d")])
    ['arn:aws:sqs:eu-west-1:111122223333:lost']
    """
    return list(dict.fromkeys(arn for target in targets if (arn := queue_of(target))))


def queue_of(target: Any) -> str:
    """Return the ARN of a target's dead-letter queue; ``""`` if it has none."""
    told = target.raw.get("DeadLetterConfig")
    return str(told.get("Arn") or "") if isinstance(told, Mapping) else ""
