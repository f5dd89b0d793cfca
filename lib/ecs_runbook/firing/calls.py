"""RunTask calls as CloudTrail wrote them down: read one record, and look records up no faster than AWS allows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import THROTTLED, Asking, Limiter
from ecs_runbook.firing.names import Definition, definition, definitions_in

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient

BACKOFF_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
EVENTBRIDGE = "events.amazonaws.com"
REFUSED, FAILED_TO_START = "REFUSED", "FAILED TO START"


@dataclass(frozen=True)
class Placed:
    """One task in the answer of a RunTask call."""

    arn: str
    definition: str
    launch_type: str
    started_by: str


@dataclass(frozen=True)
class Failure:
    """One entry of ``failures[]`` in the answer of a RunTask call: HTTP 200, no errorCode, and yet no task."""

    arn: str
    reason: str
    detail: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.reason, self.detail) if part) or "ECS gave no reason"


@dataclass(frozen=True)
class Call:
    """
    One RunTask call, as far as its record tells. What the record does not tell is ``""``, ``None`` or empty.

    Attributes
    ----------
    event_id
        CloudTrail's id of the record; the same record can be delivered twice.
    time
        When the call was made, to the second.
    role
        The ARN of the role whose session called: for a rule, its target's role.
    by_eventbridge
        Whether EventBridge made the call for a rule.
    started_by, cluster, requested, launch_type
        What was asked for. AWS leaves all of it out when it refuses with AccessDenied.
    tasks, failures
        What the answer held.
    error_code, error_message
        The refusal, in AWS's words.
    raw
        The whole record.
    """

    event_id: str
    time: datetime | None
    role: str
    by_eventbridge: bool
    started_by: str
    cluster: str
    requested: str
    launch_type: str
    tasks: tuple[Placed, ...] = ()
    failures: tuple[Failure, ...] = ()
    error_code: str = ""
    error_message: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def refused(self) -> bool:
        """Whether AWS answered with an error."""
        return bool(self.error_code or self.error_message)

    @property
    def named(self) -> tuple[Definition, ...]:
        """The task definitions that the record names: in the request, else in the words of the refusal."""
        return (definition(self.requested),) if self.requested else tuple(definitions_in(self.error_message))


def read(record: object) -> Call | None:
    """
    Read one CloudTrail record; None if it is not one of RunTask.

    Never fails, whatever the record holds: what is missing or of another type stays unknown.
    Source: the record form in the AWS docs; for AccessDenied ``requestParameters`` is null (seen for ecs CreateCluster,
    inferred for RunTask), ``failures[]`` come with HTTP 200 and no ``errorCode`` (seen).

    Examples
    --------
    >>> call = read({"eventName": "RunTask", "eventTime": "2026-11-24T17:00:12Z", "requestParameters": None,
    ...              "errorCode": "AccessDenied", "userIdentity": {"invokedBy": "events.amazonaws.com"}})
    >>> call.error_code, call.by_eventbridge, call.started_by
    ('AccessDenied', True, '')
    """
    whole = _mapping(record)
    if whole.get("eventName") != "RunTask" or whole.get("eventSource", "ecs.amazonaws.com") != "ecs.amazonaws.com":
        return None
    identity, asked = _mapping(whole.get("userIdentity")), _mapping(whole.get("requestParameters"))
    answer = _mapping(whole.get("responseElements"))
    tasks = tuple(_placed(task) for task in _mappings(answer.get("tasks")))
    return Call(
        event_id=_text(whole.get("eventID")),
        time=moment(whole.get("eventTime")),
        role=_text(_mapping(_mapping(identity.get("sessionContext")).get("sessionIssuer")).get("arn")),
        by_eventbridge=EVENTBRIDGE in (identity.get("invokedBy"), whole.get("sourceIPAddress"), whole.get("userAgent")),
        started_by=_text(asked.get("startedBy")) or next((task.started_by for task in tasks if task.started_by), ""),
        cluster=_text(asked.get("cluster")),
        requested=_text(asked.get("taskDefinition")),
        launch_type=_text(asked.get("launchType")),
        tasks=tasks,
        failures=tuple(
            Failure(_text(failure.get("arn")), _text(failure.get("reason")), _text(failure.get("detail")))
            for failure in _mappings(answer.get("failures"))
        ),
        error_code=_text(whole.get("errorCode")),
        error_message=_text(whole.get("errorMessage")),
        raw=whole,
    )


def look_up(
    *,
    since: datetime,
    until: datetime | None = None,
    cloudtrail: CloudTrailClient,
    ask: Asking,
    limiter: Limiter | None,
    unreadable: Callable[[str], None] = lambda _: None,
) -> Iterator[Call]:
    """
    Yield the RunTask calls of a time range as CloudTrail pages them: newest first, but possibly twice and out of order.

    Parameters
    ----------
    since, until
        The range; without *until*, up to now.
    ask, limiter
        Who counts the calls, and how fast they may be: AWS allows two a second for an account and Region. None if *ask*
        sees to that.
    unreadable
        Called with the id of each event whose record is not JSON.

    Raises
    ------
    AwsError
        If CloudTrail refuses, throttling only after it was waited out six times.

    Notes
    -----
    Needs ``cloudtrail:LookupEvents``. CloudTrail takes one attribute, so this asks for all of RunTask in the Region,
    50 a page.
    Source: AWS docs, CloudTrail LookupEvents: 90 days, per Region, 2 calls a second.
    """
    # A record's time has whole seconds.
    oldest = since.replace(microsecond=0)
    for page in records(
        "RunTask", since=since, until=until, cloudtrail=cloudtrail, ask=ask, limiter=limiter, unreadable=unreadable
    ):
        calls = [read(record) for record in page]
        yield from (call for call in calls if call and not (call.time and call.time < oldest))
        # A page whose every call is older than the range ends it, even if CloudTrail has more to give.
        if calls and all(call and call.time and call.time < oldest for call in calls):
            return


def records(
    name: str,
    *,
    since: datetime,
    until: datetime | None = None,
    cloudtrail: CloudTrailClient,
    ask: Asking,
    limiter: Limiter | None,
    unreadable: Callable[[str], None] = lambda _: None,
) -> Iterator[list[Any]]:
    """Yield the records of the events of one *name*, page by page; see :func:`look_up`."""
    parameters: dict[str, Any] = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}],
        "StartTime": since,
        "MaxResults": 50,
    } | ({"EndTime": until} if until else {})
    patient = _Patient(ask, limiter) if limiter else ask
    for page in patient.pages("cloudtrail:LookupEvents", cloudtrail.lookup_events, **parameters):
        found = []
        for event in page.get("Events", []):
            try:
                found.append(json.loads(event.get("CloudTrailEvent", "")))
            except ValueError:
                unreadable(str(event.get("EventId", "")))
        yield found


class _Patient(Asking):
    """Asks no faster than a limiter allows, and waits throttling out."""

    def __init__(self, ask: Asking, limiter: Limiter) -> None:
        super().__init__()
        self._ask, self._limiter = ask, limiter

    def __call__(self, operation: str, call: Callable[..., Any], **parameters: Any) -> dict[str, Any]:
        for seconds in BACKOFF_SECONDS:
            self._limiter.wait()
            try:
                return self._ask(operation, call, **parameters)
            except AwsError as error:
                if error.code not in THROTTLED:
                    raise
                self._limiter.sleep(seconds)
        self._limiter.wait()
        return self._ask(operation, call, **parameters)


def moment(value: object) -> datetime | None:
    """
    Return a time of CloudTrail as an aware one in UTC; None if it is none.

    Examples
    --------
    >>> moment("2026-11-24T17:00:12Z").isoformat()
    '2026-11-24T17:00:12+00:00'
    >>> moment("soon") is None
    True
    """
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(read, datetime):
            return None
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _placed(task: Mapping[str, Any]) -> Placed:
    return Placed(
        arn=_text(task.get("taskArn")),
        definition=_text(task.get("taskDefinitionArn")),
        launch_type=_text(task.get("capacityProviderName")) or _text(task.get("launchType")),
        started_by=_text(task.get("startedBy")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
