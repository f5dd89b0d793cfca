"""
CloudTrail: every call is recorded, and LookupEvents, which moto lacks, finds it again.

The trail keeps the newest :data:`KEPT` management events, some 180 MB; older ones fall out. AWS keeps
90 days, and so does this, by the world's clock. AWS allows two lookups a second; here they are not counted.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import json
import logging
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ecs_runbook.local_aws import record as records
from ecs_runbook.local_aws import wire
from ecs_runbook.local_aws.world import Answer, Call, World, current_call

_LOG = logging.getLogger(__name__)
KEPT = 200_000
PAGE = 50  # Source: botocore cloudtrail LookupEvents (verified)
HISTORY = timedelta(days=90)  # Source: botocore cloudtrail LookupEvents (verified)
ATTRIBUTES = (
    "EventId",
    "EventName",
    "ReadOnly",
    "Username",
    "ResourceType",
    "ResourceName",
    "EventSource",
    "AccessKeyId",
)

Position = tuple[float, int]  # seconds since 1970, and the number of the record: no two are alike


class Refused(Exception):
    """A lookup that CloudTrail refuses, with its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Query:
    """
    What a lookup asks for.

    ``place`` is an account and a region; ``attribute`` a key and a value, or nothing; the times are both included.
    """

    place: str
    attribute: tuple[str, str] | None = None
    start: datetime | None = None
    end: datetime | None = None
    size: int = PAGE
    token: str = ""

    @property
    def mark(self) -> str:
        """What a token is bound to: the query without its token and size."""
        return hashlib.sha256(repr((self.place, self.attribute, self.start, self.end)).encode()).hexdigest()[:16]


class Trail:
    """
    The records of one life, found by time and by each attribute of LookupEvents.

    Parameters
    ----------
    life
        Goes into the tokens, so that one from another life is foreign.
    kept
        How many records stay.
    """

    def __init__(self, life: str = "", kept: int = KEPT) -> None:
        self._life = life
        self._kept = kept
        self._number = 0
        self._entries: dict[int, bytes] = {}  # packed
        self._indexes: dict[tuple[str, str, str], list[Position]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, record: Mapping[str, Any], resources: list[dict[str, str]], user: str, at: datetime) -> None:
        """Keep *record*, which happened *at*."""
        self._number += 1
        self._entries[self._number] = _pack(f"{_compact(_head(record, resources, user))}\n{_compact(record)}")
        position = (at.timestamp(), self._number)
        place = place_of(record["recipientAccountId"], record["awsRegion"])
        for key in _keys(record, resources, user):
            bisect.insort(self._indexes.setdefault((place, *key), []), position)
        if len(self._entries) > self._kept * 1.05:  # a few at a time, so that forgetting costs little for each
            self._forget(len(self._entries) - self._kept)

    def lookup(self, query: Query, now: datetime, delay: timedelta = timedelta(0)) -> tuple[list[dict[str, Any]], str]:
        """
        Return one page of events, newest first, and the token of the next, which is empty after the last.

        Parameters
        ----------
        now
            The world's time: what is older than 90 days is gone.
        delay
            What is younger than this is not there yet.

        Raises
        ------
        Refused
            ``InvalidNextTokenException`` for a token of another query or life.
        """
        positions = self._indexes.get((query.place, *(query.attribute or ("", ""))), [])
        oldest = max(now - HISTORY, query.start or now - HISTORY)
        newest = min(
            now - delay, (query.end or now) + _SECOND
        )  # an end without a fraction means the whole of its second
        low = bisect.bisect_left(positions, (oldest.timestamp(), 0))
        high = bisect.bisect_right(positions, (newest.timestamp(), self._number + 1))
        if query.token:
            high = min(high, bisect.bisect_left(positions, self._position(query)))
        chosen = positions[max(low, high - query.size) : high][::-1] if high > low else []
        more = high - low > query.size
        events = [_event(self._entries[number]) for _, number in chosen]
        return events, self._token(query, chosen[-1]) if more else ""

    def _token(self, query: Query, last: Position) -> str:
        content = json.dumps([self._life, query.mark, *last])
        return base64.urlsafe_b64encode(content.encode()).decode()

    def _position(self, query: Query) -> Position:
        try:
            life, mark, at, number = json.loads(base64.urlsafe_b64decode(query.token.encode()))
        except (ValueError, TypeError):
            life = mark = at = number = None
        if (life, mark) != (self._life, query.mark) or not isinstance(at, float) or not isinstance(number, int):
            raise Refused("InvalidNextTokenException", "Invalid token: it belongs to another query.")
        return at, number

    def _forget(self, count: int) -> None:
        gone = set(list(self._entries)[:count])
        for number in gone:
            del self._entries[number]
        for key in list(self._indexes):
            left = [position for position in self._indexes[key] if position[1] not in gone]
            if left:
                self._indexes[key] = left
            else:
                del self._indexes[key]


_SECOND = timedelta(seconds=1) - timedelta(microseconds=1)


def _compact(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


# Nearly every word of an event is one of these, so that even a single one packs well.
_WORDS = "\n".join(
    map(
        _compact,
        (
            {
                "EventId": "",
                "EventName": "DescribeTaskDefinition",
                "ReadOnly": "true",
                "EventTime": "2026-11-",
                "EventSource": "ecs.amazonaws.com",
                "Resources": [],
                "AccessKeyId": "local",
                "Username": "root",
            },
            {
                "eventVersion": records.EVENT_VERSION,
                "userIdentity": {
                    "type": "AssumedRole",
                    "principalId": "AROA",
                    "arn": "arn:aws:sts::123456789012:assumed-role/",
                    "accountId": "123456789012",
                    "accessKeyId": "ASIA",
                    "sessionContext": {
                        "sessionIssuer": {"type": "Role", "principalId": "", "arn": "arn:aws:iam::123456789012:role/"},
                        "attributes": {"creationDate": "2026-", "mfaAuthenticated": "false"},
                    },
                    "invokedBy": "events.amazonaws.com",
                },
                "eventTime": "2026-11-",
                "eventSource": "ecs.amazonaws.com",
                "eventName": "DescribeTaskDefinition",
                "awsRegion": "us-east-1",
                "sourceIPAddress": "127.0.0.1",
                "userAgent": "Boto3/1.44 md/Botocore#1.44 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11",
                "requestParameters": None,
                "responseElements": None,
                "requestID": "",
                "eventID": "",
                "readOnly": True,
                "eventType": "AwsApiCall",
                "managementEvent": True,
                "recipientAccountId": "123456789012",
                "eventCategory": "Management",
            },
        ),
    )
).encode()


def _pack(text: str) -> bytes:
    packer = zlib.compressobj(level=1, zdict=_WORDS)
    return packer.compress(text.encode()) + packer.flush()


def _keys(record: Mapping[str, Any], resources: list[dict[str, str]], user: str) -> Iterator[tuple[str, str]]:
    yield "", ""
    yield "EventId", record["eventID"]
    yield "EventName", record["eventName"]
    yield "ReadOnly", "true" if record["readOnly"] else "false"
    yield "EventSource", record["eventSource"]
    if user:
        yield "Username", user
    if key := record["userIdentity"].get("accessKeyId"):
        yield "AccessKeyId", key
    for kind in {resource["ResourceType"] for resource in resources}:
        yield "ResourceType", kind
    for name in {resource["ResourceName"] for resource in resources}:
        yield "ResourceName", name


def _head(record: Mapping[str, Any], resources: list[dict[str, str]], user: str) -> dict[str, Any]:
    """Return the event as LookupEvents shows it, but for the record itself."""
    head: dict[str, Any] = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": "true" if record["readOnly"] else "false",
        "EventTime": record["eventTime"],
        "EventSource": record["eventSource"],
        "Resources": resources,
    }
    if key := record["userIdentity"].get("accessKeyId"):
        head["AccessKeyId"] = key
    if user:
        head["Username"] = user
    return head


def _event(packed: bytes) -> dict[str, Any]:
    head, _, record = zlib.decompressobj(zdict=_WORDS).decompress(packed).decode().partition("\n")
    event: dict[str, Any] = json.loads(head)
    return event | {"EventTime": datetime.fromisoformat(event["EventTime"]), "CloudTrailEvent": record}


def place_of(account: str, region: str) -> str:
    """Return what a trail is kept for."""
    return f"{account}/{region}"


def query_of(params: Mapping[str, Any], place: str) -> Query:
    """
    Read the parameters of LookupEvents.

    Examples
    --------
    >>> by_name = [{"AttributeKey": "EventName", "AttributeValue": "RunTask"}]
    >>> query_of({"LookupAttributes": by_name}, "123456789012/us-east-1").attribute
    ('EventName', 'RunTask')

    Raises
    ------
    Refused
        With the code that botocore's model names for the fault. Its words are the local AWS's own.
    """
    attributes = params.get("LookupAttributes") or []
    start, end = _moment(params.get("StartTime")), _moment(params.get("EndTime"))
    size = params.get("MaxResults", PAGE)
    if len(attributes) > 1:
        raise Refused("InvalidLookupAttributesException", "Only one lookup attribute is allowed.")
    if any(a.get("AttributeKey") not in ATTRIBUTES or not a.get("AttributeValue") for a in attributes):
        message = f"A lookup attribute has one of the keys {', '.join(ATTRIBUTES)}, and a value."
        raise Refused("InvalidLookupAttributesException", message)
    if not isinstance(size, int) or not 1 <= size <= PAGE:
        raise Refused("InvalidMaxResultsException", f"MaxResults is from 1 to {PAGE}, not {size}.")
    if start and end and start > end:
        raise Refused("InvalidTimeRangeException", "The start time is after the end time.")
    if params.get("EventCategory", "insight") != "insight":
        raise Refused("InvalidEventCategoryException", "The event category can only be insight.")
    pairs = [(a["AttributeKey"], a["AttributeValue"]) for a in attributes]
    return Query(place, pairs[0] if pairs else None, start, end, size, params.get("NextToken") or "")


def _moment(value: Any) -> datetime | None:
    """Return an aware moment: moto's parser gives naive ones, in UTC."""
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def record_of(call: Call, asked: wire.Asked, answer: Answer) -> dict[str, Any]:
    """Return the record of a call that was answered; what cannot be read of it is null."""
    model = asked.model
    metadata = model.service_model.metadata
    error = _error(call, asked, answer) if answer.status >= 400 else None
    request = records.recorded(call.params, model.input_shape) if call.params and call.params_known else None
    if error is not None and not records.keeps_request(call.service, *error):
        request = None
    return records.build(
        call,
        source=records.event_source(metadata),
        event_id=str(uuid.uuid4()),
        request_id=answer.header("x-amzn-requestid", "x-amz-request-id") or str(uuid.uuid4()),
        error=error,
        request=request,
        response=None if error else _response(call, asked, answer),
    )


def _error(call: Call, asked: wire.Asked, answer: Answer) -> tuple[str, str]:
    try:
        error = wire.answered(call.service, call.operation, answer, protocol=asked.protocol).get("Error", {})
    except Exception:  # noqa: BLE001
        _LOG.exception("the refusal of %s could not be read", call.operation)
        error = {}
    code = str(error.get("Code") or answer.status)
    return records.error_code(call.service, code, answer.status), str(error.get("Message", ""))


def _response(call: Call, asked: wire.Asked, answer: Answer) -> Any:
    reads = records.is_read_only(call.service, call.operation)
    if reads and not call.operation.startswith("AssumeRole"):  # a session is recorded, for who uses it must be found
        return None
    if asked.model.output_shape is None:
        return None
    try:
        parsed = wire.answered(call.service, call.operation, answer, protocol=asked.protocol)
    except Exception:  # noqa: BLE001
        _LOG.exception("the answer to %s could not be read", call.operation)
        return None
    return records.recorded(parsed, asked.model.output_shape) or None


def resources_of(call: Call) -> list[dict[str, str]]:
    """
    Return the resources that a call refers to, as LookupEvents lists them.

    For ECS there are none: which of its resource types AWS knows is not verified, so nobody should find a run by them.
    """
    named = _RESOURCES.get(call.service, {})
    return [
        {"ResourceType": kind, "ResourceName": str(call.params[name])}
        for name, kind in named.items()
        if isinstance(call.params.get(name), str)
    ]


# Source: AWS docs, CloudTrail "Resource types supported by Event history" (seen for IAM, S3, EventBridge, SQS).
_RESOURCES: Mapping[str, Mapping[str, str]] = {
    "iam": {
        "RoleName": "AWS::IAM::Role",
        "UserName": "AWS::IAM::User",
        "PolicyArn": "AWS::IAM::Policy",
        "PolicyName": "AWS::IAM::Policy",
    },
    "sts": {"RoleArn": "AWS::IAM::Role"},
    "s3": {"Bucket": "AWS::S3::Bucket"},
    "cloudtrail": {"Name": "AWS::CloudTrail::Trail"},
}


def install(world: World) -> None:
    """Record every call of *world*, teach moto's CloudTrail LookupEvents, and let its trails deliver."""
    from moto.cloudtrail.responses import CloudTrailResponse
    from moto.core.exceptions import JsonRESTError

    from ecs_runbook.local_aws import trail_files

    trail, files = Trail(world.life), trail_files.install(world)

    def listen(call: Call, asked: wire.Asked, answer: Answer) -> None:
        if records.is_management(call.service, call.operation):
            record = record_of(call, asked, answer)
            with world.lock:
                trail.add(record, resources_of(call), records.user_name(call.caller), call.time)
                files.add(record, call.time)

    def lookup_events(self: Any) -> Any:
        params = current_call.get().params
        try:
            query = query_of(params, place_of(self.current_account, self.region))
            events, token = trail.lookup(query, world.clock.now(), world.settings.cloudtrail_delay)
        except Refused as refused:
            raise JsonRESTError(refused.code, str(refused)) from None
        if params.get("EventCategory"):  # no trail has Insights here
            return _compact({"Events": []})
        dated = [event | {"EventTime": event["EventTime"].timestamp()} for event in events]
        return _compact({"Events": dated, **({"NextToken": token} if token else {})})

    world.listeners.append(listen)
    CloudTrailResponse.lookup_events = lookup_events
