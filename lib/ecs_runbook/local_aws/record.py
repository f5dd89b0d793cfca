"""
One call as CloudTrail writes it down: pure, from what was called and answered to a record.

Source: AWS docs, CloudTrail record contents, event version 1.11 (verified), and published records of ECS calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ecs_runbook.local_aws.identity import Caller
from ecs_runbook.local_aws.world import Call

EVENT_VERSION = "1.11"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
# Limits: AWS docs, CloudTrail record contents (verified).
TEXT_LIMIT = 1024  # errorCode, errorMessage, userAgent are cut there
CONTENT_LIMIT = 100 * 1024  # requestParameters, responseElements are left out beyond
_READING = ("Describe", "List", "Get", "Lookup", "BatchGet", "Search", "Head", "Simulate", "Filter", "Discover", "Test")
_SESSIONS = ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")
# Never in clear, whatever the model says of them.
_SECRET = frozenset({"secretaccesskey", "sessiontoken", "password", "secretstring", "secretbinary", "clientsecret"})

# What acts on the content of a resource is a data event: no trail records it unless told to, and LookupEvents never has
# it. Source: AWS docs, CloudTrail "Logging data events" (verified for S3 objects, SQS, SNS, Lambda, DynamoDB, Kinesis).
# All others, PutEvents among them, are recorded: that AWS leaves them out is not verified.
_DATA_EVENTS = """
s3         GetObject HeadObject PutObject DeleteObject DeleteObjects CopyObject SelectObjectContent RestoreObject
s3         ListObjects ListObjectsV2 ListObjectVersions GetObjectAttributes HeadBucket PostObject
s3         CreateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload AbortMultipartUpload ListParts
s3         ListMultipartUploads GetObjectAcl PutObjectAcl GetObjectTagging PutObjectTagging DeleteObjectTagging
sqs        SendMessage SendMessageBatch ReceiveMessage DeleteMessage DeleteMessageBatch
sqs        ChangeMessageVisibility ChangeMessageVisibilityBatch
sns        Publish PublishBatch
lambda     Invoke InvokeAsync InvokeWithResponseStream
dynamodb   GetItem PutItem UpdateItem DeleteItem Query Scan BatchGetItem BatchWriteItem TransactGetItems
dynamodb   TransactWriteItems ExecuteStatement BatchExecuteStatement ExecuteTransaction
firehose   PutRecord PutRecordBatch
kinesis    PutRecord PutRecords GetRecords GetShardIterator SubscribeToShard
"""
_DATA = {
    (service, operation)
    for service, *operations in map(str.split, _DATA_EVENTS.strip().splitlines())
    for operation in operations
}


def is_management(service: str, operation: str) -> bool:
    """
    Return whether a call of *operation* is a management event, which CloudTrail's event history has.

    Examples
    --------
    >>> is_management("ecs", "RunTask"), is_management("sqs", "SendMessage"), is_management("s3", "CreateBucket")
    (True, False, True)
    """
    return (service, operation) not in _DATA


def is_read_only(service: str, operation: str) -> bool:
    """
    Return whether *operation* only reads.

    Examples
    --------
    >>> is_read_only("ecs", "DescribeTasks"), is_read_only("ecs", "RunTask"), is_read_only("sts", "AssumeRole")
    (True, False, True)
    """
    return operation.startswith(_READING) or (service == "sts" and operation in _SESSIONS)


def event_source(metadata: Mapping[str, Any]) -> str:
    """
    Return the name that CloudTrail gives a service, from the metadata of its botocore model.

    Examples
    --------
    >>> event_source({"endpointPrefix": "monitoring"})
    'monitoring.amazonaws.com'
    >>> event_source({"endpointPrefix": "api.ecr", "signingName": "ecr"})
    'ecr.amazonaws.com'
    """
    return f"{metadata.get('signingName') or metadata.get('endpointPrefix', '')}.amazonaws.com"


def error_code(service: str, code: str, status: int) -> str:
    """
    Return the code that CloudTrail records for the API's *code*.

    ECS answers ``AccessDeniedException``, and CloudTrail records ``AccessDenied``.
    Source: a published record of ecs CreateCluster (verified).

    Examples
    --------
    >>> error_code("ecs", "AccessDeniedException", 400), error_code("ecs", "ClientException", 400)
    ('AccessDenied', 'ClientException')
    >>> error_code("ec2", "InvalidSubnetID.NotFound", 400)
    'Client.InvalidSubnetID.NotFound'
    """
    if code in {"AccessDeniedException", "AccessDenied"}:
        return "AccessDenied"
    if service == "ec2":
        return f"{'Client' if status < 500 else 'Server'}.{code}"
    return code


def keeps_request(service: str, code: str, message: str) -> bool:
    """
    Return whether a refused call's parameters are recorded.

    They are not after AccessDenied, nor where ECS does not find what it was asked for.
    Source: published records of ecs CreateCluster and CreateService (verified); for RunTask inferred.

    Examples
    --------
    >>> keeps_request("ecs", "AccessDenied", "User: … is not authorized")
    False
    >>> keeps_request("ecs", "ClientException", "TaskDefinition not found.")
    False
    >>> keeps_request("ecs", "InvalidParameterException", "TaskDefinition is inactive")
    True
    >>> keeps_request("iam", "NoSuchEntity", "Role r not found.")
    True
    """
    if code in {"AccessDenied", "AccessDeniedException"}:
        return False
    missing = "NotFound" in code or "not found" in message or message.startswith("Unable to describe")
    return service != "ecs" or not missing


def build(
    call: Call,
    *,
    source: str,
    event_id: str,
    request_id: str,
    error: tuple[str, str] | None,
    request: Any,
    response: Any,
) -> dict[str, Any]:
    """
    Return the record of *call*, its fields in CloudTrail's order.

    Parameters
    ----------
    source
        ``ecs.amazonaws.com``.
    error
        The recorded code and message of a refusal.
    request, response
        What was asked and answered, in CloudTrail's casing and without secrets; None where CloudTrail writes null.

    Notes
    -----
    ``tlsDetails`` is absent: the local AWS is spoken to over plain HTTP, and such a call has none.
    """
    by_service = call.invoked_by
    record: dict[str, Any] = {
        "eventVersion": EVENT_VERSION,
        "userIdentity": user_identity(call.caller, by_service),
        "eventTime": iso(call.time),
        "eventSource": source,
        "eventName": call.operation,
        "awsRegion": call.region,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent[:TEXT_LIMIT],
    }
    if error is not None:
        record |= {"errorCode": error[0][:TEXT_LIMIT], "errorMessage": error[1][:TEXT_LIMIT]}
    return record | {
        "requestParameters": within_limit(request),
        "responseElements": within_limit(response),
        "requestID": request_id,
        "eventID": event_id,
        "readOnly": is_read_only(call.service, call.operation),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.caller.account,
        "eventCategory": "Management",
    }


def user_identity(caller: Caller, invoked_by: str = "") -> dict[str, Any]:
    """
    Return a record's ``userIdentity``.

    Examples
    --------
    >>> user_identity(Caller("AWSService", "111122223333", "", ""), "events.amazonaws.com")
    {'type': 'AWSService', 'invokedBy': 'events.amazonaws.com'}
    """
    if caller.kind == "AWSService":
        return {"type": "AWSService", "invokedBy": invoked_by or caller.invoked_by}
    identity: dict[str, Any] = {
        "type": caller.kind,
        "principalId": caller.principal_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key,
    }
    if caller.kind == "IAMUser":
        identity["userName"] = caller.user_name
    if caller.kind == "AssumedRole":
        identity["sessionContext"] = _session_context(caller)
    if invoked_by:
        identity["invokedBy"] = invoked_by
    return identity


def _session_context(caller: Caller) -> dict[str, Any]:
    issuer = {
        "type": "Role",
        "principalId": caller.role_id,
        "arn": caller.role_arn,
        "accountId": caller.account,
        "userName": caller.role_name,
    }
    created = iso(caller.session_created) if caller.session_created else ""
    return {"sessionIssuer": issuer, "attributes": {"creationDate": created, "mfaAuthenticated": "false"}}


def user_name(caller: Caller) -> str:
    """Return what LookupEvents calls ``Username``: of a role's session the session's name."""
    return {"IAMUser": caller.user_name, "AssumedRole": caller.session_name, "Root": "root"}.get(caller.kind, "")


def recorded(value: Any, shape: Any) -> Any:
    """
    Return what was sent or answered as CloudTrail writes it.

    The members' first letter is lowered (``Rule`` → ``rule``), a map's keys stay, moments read like
    ``Mar 18, 2026, 5:00:49 PM``, and what the model calls sensitive, such as a container's environment, is hidden.

    Parameters
    ----------
    value
        As parsed by botocore's model.
    shape
        The model of it.
    """
    if value is None:
        return None
    if getattr(shape, "metadata", {}).get("sensitive"):
        return HIDDEN
    kind = shape.type_name if shape is not None else ""
    if kind == "structure" and isinstance(value, Mapping):
        return {_lowered(name): _member(name, part, shape.members.get(name)) for name, part in value.items()}
    if kind == "list" and isinstance(value, list):
        return [recorded(part, shape.member) for part in value]
    if kind == "map" and isinstance(value, Mapping):
        return {str(name): recorded(part, shape.value) for name, part in value.items()}
    return _plain(value)


def _member(name: str, value: Any, shape: Any) -> Any:
    return HIDDEN if name.lower() in _SECRET else recorded(value, shape)


def _lowered(name: str) -> str:
    return name[:1].lower() + name[1:]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return spelled(value)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def spelled(moment: datetime) -> str:
    """
    Return a moment as CloudTrail prints it inside an answer.

    Examples
    --------
    >>> spelled(datetime(2026, 3, 18, 17, 0, 49, tzinfo=UTC))
    'Mar 18, 2026, 5:00:49 PM'
    """
    at = moment.astimezone(UTC) if moment.tzinfo else moment
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[at.month - 1]
    half = "AM" if at.hour < 12 else "PM"
    return f"{month} {at.day}, {at.year}, {at.hour % 12 or 12}:{at.minute:02}:{at.second:02} {half}"


def iso(moment: datetime) -> str:
    """
    Return a moment as ``eventTime`` has it: to the second.

    Examples
    --------
    >>> iso(datetime(2026, 3, 18, 17, 0, 49, 999999, tzinfo=UTC))
    '2026-03-18T17:00:49Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def within_limit(content: Any) -> Any:
    """
    Return *content*, or that it is left out for its size.

    Examples
    --------
    >>> within_limit({"family": "nightly"}), within_limit({"family": "x" * CONTENT_LIMIT})
    ({'family': 'nightly'}, {'omitted': True})
    """
    if content is None or len(json.dumps(content, separators=(",", ":"))) <= CONTENT_LIMIT:
        return content
    return {"omitted": True}
