"""One failure as it was seen, whatever told of it: CloudTrail, a dead-letter queue, ECS, an event, or an execution."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ecs_runbook.diagnosis import words
from ecs_runbook.diagnosis.hiding import without_secrets
from ecs_runbook.firing.calls import Call, Failure, moment, read
from ecs_runbook.firing.histories import NOT_PLACED, TASK_FAILED, Execution, Try
from ecs_runbook.firing.names import STARTED_BY_LENGTH, STARTED_BY_PREFIX, definition, short
from ecs_runbook.firing.tasks import BY_ITSELF

CLOUDTRAIL, FAILURES = "CloudTrail", "failures[]"
RULE_DLQ, SCHEDULER_DLQ = "DLQ of a rule", "DLQ of Scheduler"
ECS, ECS_EVENT = "ECS", "ECS event"
STEP_FUNCTIONS = "Step Functions"
TOLD_BY = (CLOUDTRAIL, FAILURES, RULE_DLQ, SCHEDULER_DLQ, ECS, ECS_EVENT, STEP_FUNCTIONS)
"""What can tell of a failure."""

SCHEDULE_PREFIX = "chronos-schedule/"
_EVENTS, _SCHEDULER = "events.amazonaws.com", "scheduler.amazonaws.com"
_ECS = "ecs.amazonaws.com"
_OURS = {
    _ECS: {"RunTask"},
    "sts.amazonaws.com": {"AssumeRole"},
    _EVENTS: {"PutRule", "PutTargets"},
    _SCHEDULER: {"CreateSchedule", "UpdateSchedule"},
    "states.amazonaws.com": {"StartExecution"},
}
_SAYS_LITTLE = ("", "Essential container in task exited", "Task failed to start")
_DEEPEST = 12
_LISTS = ("Records", "Events", "Messages", "events", "logEvents")

Facts = dict[str, "str | tuple[str, ...]"]
Essentials = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Sighting:
    """
    One failure as it was seen.

    Attributes
    ----------
    told_by
        One of :data:`TOLD_BY`.
    time
        When it happened, UTC; for a DLQ when it was given up; None if that is not told.
    code
        ``errorCode``, ``ERROR_CODE`` or ``stopCode``, as said; ``""`` for ``failures[]``, which have none.
    message
        ``errorMessage``, ``ERROR_MESSAGE``, a ``reason``, ``stoppedReason`` or a container's reason, as said.
    facts
        What else it tells, only what is known, as said: ``call``, ``rule``, ``schedule``, ``started_by``, ``cluster``,
        ``role``, ``caller``, ``action``, ``resource``, ``task_definition``, ``family``, ``revision``, ``subnets``,
        ``security_groups``, ``launch_type``, ``assign_public_ip``, ``container``, ``image``, ``exit_code``,
        ``exit_codes``, ``stopped_reason``, ``container_reasons``, ``ended``, ``containers_disagree``, ``detail``,
        ``task``, ``event_id``, ``event_time``, ``retry_attempts``, ``exhausted``, ``service``, ``expression``,
        ``platform_version``, ``account``, ``region``. ``subnets``, ``security_groups``, ``exit_codes`` and
        ``container_reasons`` are tuples; all others are strings.
    raw
        What was read, without the values of environments.
    """

    told_by: str
    time: datetime | None
    code: str
    message: str
    facts: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


def sightings(
    told: object,
    *,
    essential: Essentials | None = None,
    unreadable: Callable[[str], None] = lambda _: None,
) -> list[Sighting]:
    """
    Read the failures that *told* tells of.

    Never fails, whatever it is given: what is missing or of another type stays unknown.

    Parameters
    ----------
    told
        A CloudTrail record, an event of LookupEvents, a log file's ``{"Records": […]}``, an event "AWS API Call via
        CloudTrail" or "ECS Task State Change", also as SNS or a log group of CloudWatch hands it on; an SQS message as
        boto3 or Lambda has it, or what ReceiveMessage answers; what DescribeTasks or RunTask answers, or one task. As a
        mapping, as JSON text, or a list of them.
    essential
        The essential containers' names by task definition ARN, where they are known. Without it a task whose containers
        ended differently is told of, since what ended it cannot be seen.
    unreadable
        Called with the beginning of each text that is not JSON; nothing is seen in it.

    Returns
    -------
    list of Sighting
        Empty for a success, for a task that has not stopped, and for what is none of the above: other services'
        records, other targets' dead letters.

    Notes
    -----
    Of other calls than RunTask those count that a schedule depends on: AssumeRole that was refused to EventBridge or
    Scheduler, and PutRule, PutTargets, CreateSchedule and UpdateSchedule that were refused.
    Source: AWS docs, CloudTrail record contents, EventBridge "rule-dlq", Scheduler "configuring-schedule-dlq"
    (verified); that ``failures[]`` come without an errorCode: seen in public issues.

    Examples
    --------
    >>> refused = {"eventSource": "ecs.amazonaws.com", "eventName": "RunTask", "eventTime": "2026-11-24T17:00:12Z",
    ...            "errorCode": "ClientException", "errorMessage": "TaskDefinition not found."}
    >>> [seen] = sightings(refused)
    >>> seen.told_by, seen.code, seen.message
    ('CloudTrail', 'ClientException', 'TaskDefinition not found.')
    >>> sightings({"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "errorCode": "AccessDenied"})
    []
    """
    return list(_read(told, _Reader(essential or {}, unreadable), 0))


@dataclass(frozen=True)
class _Reader:
    essential: Essentials
    unreadable: Callable[[str], None]


def _read(told: object, reader: _Reader, depth: int) -> Iterator[Sighting]:
    if depth > _DEEPEST:
        return
    if isinstance(told, str | bytes | bytearray):
        yield from _read(_parsed(told, reader), reader, depth + 1)
    elif isinstance(told, Mapping):
        yield from _read_mapping(told, reader, depth + 1)
    elif isinstance(told, list | tuple):
        for one in told:
            yield from _read(one, reader, depth + 1)


def _read_mapping(told: Mapping[str, Any], reader: _Reader, depth: int) -> Iterator[Sighting]:
    if "eventName" in told and ("eventSource" in told or told["eventName"] == "RunTask"):
        yield from _of_record(told)
    elif isinstance(told.get("CloudTrailEvent"), str | Mapping):
        yield from _read(told["CloudTrailEvent"], reader, depth)
    elif "detail-type" in told:
        yield from _of_event(told, reader, depth)
    elif "taskArn" in told:
        yield from _of_task(told, ECS, reader)
    elif isinstance(told.get("tasks"), list) or isinstance(told.get("failures"), list):
        yield from _of_answer(told, reader)
    elif (attributes := _attributes(told)) and "ERROR_CODE" in attributes:
        yield from _of_dead_letter(told, attributes)
    elif told.get("Type") == "Notification" and isinstance(told.get("Message"), str):
        yield from _read(told["Message"], reader, depth)
    elif body := told.get("Body") or told.get("body"):
        yield from _read(body, reader, depth)
    elif isinstance(told.get("message"), str) and "timestamp" in told:
        yield from _read(told["message"], reader, depth)
    else:
        yield from _read(told.get("Sns"), reader, depth) if isinstance(told.get("Sns"), Mapping) else ()
        for name in _LISTS:
            yield from _read(told.get(name) if isinstance(told.get(name), list) else None, reader, depth)


def _parsed(text: str | bytes | bytearray, reader: _Reader) -> object:
    whole = text if isinstance(text, str) else bytes(text).decode("utf-8", "replace")
    try:
        return json.loads(whole.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        reader.unreadable(whole[:80])
        return None


# -------- CloudTrail


def _of_record(record: Mapping[str, Any]) -> Iterator[Sighting]:
    source, name = _text(record.get("eventSource", _ECS)), _text(record.get("eventName"))
    if name not in _OURS.get(source, ()):
        return
    asked = _object(record.get("requestParameters"))
    told = {**record, "requestParameters": asked, "responseElements": _object(record.get("responseElements"))}
    code, message = _text(record.get("errorCode")), _text(record.get("errorMessage"))
    facts = {**_of_message(message), **_told_facts(call=name, **_of_identity(record))}
    if name == "RunTask":
        call = read(told)
        if call is not None:
            yield from _of_run_task(call, asked, facts, record)
    elif (code or message) and (name != "AssumeRole" or _by_eventbridge(record)):
        readers = {"AssumeRole": lambda: _of_assume_role(record, asked), "StartExecution": lambda: _of_start(asked)}
        own = readers.get(name, lambda: _of_deploy(asked))()
        yield Sighting(
            CLOUDTRAIL, moment(record.get("eventTime")), code, message, {**facts, **own}, without_secrets(record)
        )


def _of_run_task(call: Call, asked: Mapping[str, Any], facts: Facts, record: Mapping[str, Any]) -> Iterator[Sighting]:
    whole = {**_of_request(asked), **facts, **_of_started_by(call.started_by)}
    if call.refused:
        yield Sighting(CLOUDTRAIL, call.time, call.error_code, call.error_message, whole, without_secrets(record))
    else:
        yield from (_of_failure(failure, whole, call.time, without_secrets(record)) for failure in call.failures)


def _of_failure(failure: Failure, facts: Facts, time: datetime | None, raw: Mapping[str, Any]) -> Sighting:
    own = _told_facts(detail=failure.detail, resource=failure.arn)
    return Sighting(FAILURES, time, "", failure.reason or failure.detail, {**facts, **own}, raw)


def _of_identity(record: Mapping[str, Any]) -> dict[str, str]:
    identity = _mapping(record.get("userIdentity"))
    return {
        "role": _text(_mapping(_mapping(identity.get("sessionContext")).get("sessionIssuer")).get("arn")),
        "caller": _text(identity.get("arn")),
        "service": _EVENTS if _calls(record, _EVENTS) else _SCHEDULER if _calls(record, _SCHEDULER) else "",
        "event_id": _text(record.get("eventID")),
        "account": _text(record.get("recipientAccountId")) or _text(identity.get("accountId")),
        "region": _text(record.get("awsRegion")),
    }


def _calls(record: Mapping[str, Any], service: str) -> bool:
    identity = _mapping(record.get("userIdentity"))
    if service in (identity.get("invokedBy"), record.get("sourceIPAddress"), record.get("userAgent")):
        return True
    return service == _SCHEDULER and _text(record.get("userAgent")).startswith("AmazonEventBridgeScheduler")


def _by_eventbridge(record: Mapping[str, Any]) -> bool:
    return _calls(record, _EVENTS) or _calls(record, _SCHEDULER)


def _of_assume_role(record: Mapping[str, Any], asked: Mapping[str, Any]) -> Facts:
    resources = [entry for entry in _list(record.get("resources")) if isinstance(entry, Mapping)]
    named = [_text(entry.get("ARN")) for entry in resources]
    role = _text(asked.get("roleArn")) or next((arn for arn in named if ":role/" in arn), "")
    return _told_facts(role=role)


def _of_start(asked: Mapping[str, Any]) -> Facts:
    return _told_facts(resource=_text(asked.get("stateMachineArn")))


def _of_deploy(asked: Mapping[str, Any]) -> Facts:
    rule = _text(asked.get("rule")) or (_text(asked.get("name")) if "groupName" not in asked else "")
    scheduler = "flexibleTimeWindow" in asked or "target" in asked
    return _told_facts(
        **{"schedule" if scheduler else "rule": rule or _text(asked.get("name"))},
        expression=_text(asked.get("scheduleExpression")),
    )


def _of_request(asked: Mapping[str, Any]) -> Facts:
    networks = _mapping(_object(asked.get("networkConfiguration")).get("awsvpcConfiguration"))
    overrides = _object(asked.get("overrides"))
    named = [_text(_mapping(one).get("name")) for one in _list(overrides.get("containerOverrides"))]
    return {
        **_of_definition(_text(asked.get("taskDefinition"))),
        **_told_facts(
            cluster=_text(asked.get("cluster")),
            launch_type=_text(asked.get("launchType")),
            platform_version=_text(asked.get("platformVersion")),
            assign_public_ip=_text(networks.get("assignPublicIp")),
            container=named[0] if len(named) == 1 else "",
            subnets=_texts(networks.get("subnets")),
            security_groups=_texts(networks.get("securityGroups")),
        ),
    }


def _of_definition(named: str) -> Facts:
    if not named:
        return {}
    family, revision = definition(named)
    return _told_facts(task_definition=named, family=family, revision="" if revision is None else str(revision))


def _of_started_by(started_by: str) -> Facts:
    """Return what ``startedBy`` tells; a name that may have been cut off is not told as the whole one."""
    whole = len(started_by) < STARTED_BY_LENGTH
    return _told_facts(
        started_by=started_by,
        rule=started_by.removeprefix(STARTED_BY_PREFIX) if whole and started_by.startswith(STARTED_BY_PREFIX) else "",
        schedule=started_by.removeprefix(SCHEDULE_PREFIX) if whole and started_by.startswith(SCHEDULE_PREFIX) else "",
    )


def _of_message(message: str) -> Facts:
    """Return what a refusal's own words tell: who, what, on what."""
    denied = words.denied(message)
    found = _told_facts(role=denied.caller_role, action=denied.action, resource=denied.resource)
    if denied.action == "sts:AssumeRole" and ":role/" in denied.resource:
        found["role"] = denied.resource
    return {**found, **_of_definition(denied.resource)} if ":task-definition/" in denied.resource else found


# -------- dead letters


def _attributes(message: Mapping[str, Any]) -> dict[str, str]:
    for name in ("MessageAttributes", "messageAttributes"):
        if isinstance(found := message.get(name), Mapping):
            return {str(key): _attribute(value) for key, value in found.items()}
    bare = "ERROR_CODE" in message and ("RULE_ARN" in message or "SCHEDULE_ARN" in message)
    return {str(key): _attribute(value) for key, value in message.items()} if bare else {}


def _attribute(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("StringValue", value.get("stringValue", value.get("Value")))
    return str(value) if isinstance(value, str | int) else ""


def _of_dead_letter(message: Mapping[str, Any], attributes: Mapping[str, str]) -> Iterator[Sighting]:
    target = attributes.get("TARGET_ARN", "")
    told_by = SCHEDULER_DLQ if "SCHEDULE_ARN" in attributes or target.startswith("arn:aws:scheduler:") else RULE_DLQ
    body = _object(message.get("Body") if "Body" in message else message.get("body"))
    if not _for_ecs(target, attributes):
        return
    words_of_aws = attributes.get("ERROR_MESSAGE", "")
    schedule, rule = attributes.get("SCHEDULE_ARN", ""), attributes.get("RULE_ARN", "")
    facts = {
        **_of_payload(body),
        **_of_message(words_of_aws),
        **_told_facts(
            call="StartExecution" if _starts_a_machine(target) else "RunTask",
            service=_SCHEDULER if told_by == SCHEDULER_DLQ else _EVENTS,
            rule=short(rule),
            schedule=short(schedule),
            cluster=target if ":cluster/" in target else "",
            retry_attempts=attributes.get("RETRY_ATTEMPTS", ""),
            exhausted=attributes.get("EXHAUSTED_RETRY_CONDITION", ""),
            event_time=attributes.get("SCHEDULED_TIME", "") or _text(body.get("time")),
            event_id=attributes.get("EXECUTION_ID", "") or _text(message.get("MessageId") or message.get("messageId")),
            account=_part_of_arn(schedule or rule, 4),
            region=_part_of_arn(schedule or rule, 3),
        ),
    }
    yield Sighting(
        told_by,
        _given_up_at(message) or moment(attributes.get("SCHEDULED_TIME")) or moment(body.get("time")),
        attributes.get("ERROR_CODE", ""),
        words_of_aws,
        facts,
        without_secrets(message),
    )


def _starts_a_machine(target: str) -> bool:
    return target.lower().endswith("aws-sdk:sfn:startexecution")


def _for_ecs(target: str, attributes: Mapping[str, str]) -> bool:
    if target:
        ecs = ":cluster/" in target or target.lower().endswith("aws-sdk:ecs:runtask")
        return ecs or _starts_a_machine(target)
    return "RULE_ARN" in attributes or "SCHEDULE_ARN" in attributes


def _of_payload(body: Mapping[str, Any]) -> Facts:
    """Return what Scheduler's own payload for RunTask names; a rule's body is the event, which names nothing of it."""
    if "detail-type" in body:
        return {}
    lower = {str(name)[:1].lower() + str(name)[1:]: value for name, value in body.items()}
    networks = _object(lower.get("networkConfiguration"))
    inner = _mapping(networks.get("AwsvpcConfiguration") or networks.get("awsvpcConfiguration"))
    lower["networkConfiguration"] = {
        "awsvpcConfiguration": {str(k)[:1].lower() + str(k)[1:]: v for k, v in inner.items()}
    }
    return _of_request(lower)


def _given_up_at(message: Mapping[str, Any]) -> datetime | None:
    own = _mapping(message.get("Attributes") or message.get("attributes"))
    try:
        return datetime.fromtimestamp(int(str(own.get("SentTimestamp"))) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _part_of_arn(arn: str, place: int) -> str:
    parts = arn.split(":")
    return parts[place] if len(parts) > place else ""


# -------- ECS


def _of_event(event: Mapping[str, Any], reader: _Reader, depth: int) -> Iterator[Sighting]:
    detail = _mapping(event.get("detail"))
    if event.get("detail-type") == "AWS API Call via CloudTrail":
        yield from _read(detail, reader, depth)
    elif event.get("detail-type") == "ECS Task State Change" and event.get("source", "aws.ecs") == "aws.ecs":
        yield from _of_task(detail, ECS_EVENT, reader)


def _of_answer(answer: Mapping[str, Any], reader: _Reader) -> Iterator[Sighting]:
    for task in _list(answer.get("tasks")):
        if isinstance(task, Mapping):
            yield from _of_task(task, ECS, reader)
    for failure in _list(answer.get("failures")):
        if isinstance(failure, Mapping):
            said = Failure(*(_text(failure.get(name)) for name in ("arn", "reason", "detail")))
            seen = _of_failure(said, {}, None, without_secrets(failure))
            about_a_task = ":task/" in said.arn
            yield Sighting(ECS if about_a_task else FAILURES, None, "", seen.message, seen.facts, seen.raw)


def _of_task(task: Mapping[str, Any], told_by: str, reader: _Reader) -> Iterator[Sighting]:
    if task.get("lastStatus") != "STOPPED":
        return
    containers = [entry for entry in _list(task.get("containers")) if isinstance(entry, Mapping)]
    named = _text(task.get("taskDefinitionArn"))
    code, stopped = _text(task.get("stopCode")), _text(task.get("stoppedReason"))
    if _ended_well(code, containers, reader.essential.get(named)):
        return
    reasons = tuple(dict.fromkeys(reason for one in containers if (reason := _text(one.get("reason")))))
    blamed = _blamed(containers, reader.essential.get(named))
    facts = {
        **_of_definition(named),
        **_of_started_by(_text(task.get("startedBy"))),
        **_told_facts(
            cluster=_text(task.get("clusterArn")),
            task=_text(task.get("taskArn")),
            launch_type=_text(task.get("launchType")),
            region=_part_of_arn(_text(task.get("taskArn")), 3),
            account=_part_of_arn(_text(task.get("taskArn")), 4),
            stopped_reason=stopped,
            container_reasons=reasons,
            container=_text(blamed.get("name")),
            image=_text(blamed.get("image")),
            exit_code=_exit_code(blamed),
            exit_codes=_exit_codes(containers),
            ended="by itself" if code == BY_ITSELF[1] or (not code and stopped in _SAYS_LITTLE[:2]) else "",
            containers_disagree="yes" if _disagree(containers, reader.essential.get(named)) else "",
        ),
        **_of_message(next((one for one in (stopped, *reasons) if "is not authorized to perform" in one), "")),
    }
    own = _text(blamed.get("reason"))
    message = (own or next(iter(reasons), "") or stopped) if stopped in _SAYS_LITTLE else stopped
    time = moment(task.get("stoppedAt")) or moment(task.get("stoppingAt")) or moment(task.get("createdAt"))
    yield Sighting(told_by, time, code, message, facts, without_secrets(task))


def _ended_well(code: str, containers: Sequence[Mapping[str, Any]], essential: Sequence[str] | None) -> bool:
    """Judge by exit codes: "Essential container in task exited" stands on good ends and bad ones (verified)."""
    if code not in BY_ITSELF:
        return False
    judged = [one for one in containers if essential is None or one.get("name") in essential]
    return bool(judged) and all(_exit_code(one) == "0" for one in judged)


def _blamed(containers: Sequence[Mapping[str, Any]], essential: Sequence[str] | None) -> Mapping[str, Any]:
    """Return the container that shows the failure: one that ended badly, else one that says why, else the only one."""
    judged = [one for one in containers if essential is None or one.get("name") in essential] or list(containers)
    bad = [one for one in judged if _exit_code(one) not in ("", "0")]
    telling = [one for one in judged if one.get("reason")]
    both = [one for one in bad if one.get("reason")]
    found = both or bad or telling or judged
    return found[0] if both or len(found) == 1 else (telling or bad or [{}])[0]


def _disagree(containers: Sequence[Mapping[str, Any]], essential: Sequence[str] | None) -> bool:
    codes = {_exit_code(one) for one in containers}
    return essential is None and "0" in codes and len(codes) > 1


def _exit_codes(containers: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    if not any(_exit_code(one) for one in containers):
        return ()
    return tuple(f"{_text(one.get('name'))}={_exit_code(one) or 'none'}" for one in containers)


def _exit_code(container: Mapping[str, Any]) -> str:
    code = container.get("exitCode")
    if isinstance(code, bool) or code is None:
        return ""
    if isinstance(code, float) and not code.is_integer():
        return ""
    return str(int(code)) if isinstance(code, int | float) else _text(code)[:12]


# -------- Step Functions


def of_try(one: Try, execution: Execution, *, essential: Essentials | None = None) -> list[Sighting]:
    """
    Read why one try of an execution failed; empty if it went well, or is not over.

    Parameters
    ----------
    one
        One of the tries of *execution*.
    execution
        Whose it is.
    essential
        As of :func:`sightings`.

    Returns
    -------
    list of Sighting
        Of a task that ended badly, what its description says, as ECS says it; else what Step Functions says: its own
        error, or ECS's refusal with ECS's code.

    Examples
    --------
    >>> refused = Try(1, error="ECS.ClientException", cause="TaskDefinition not found.")
    >>> [(seen.told_by, seen.code) for seen in of_try(refused, Execution("e", "e", "FAILED", None, None, (refused,)))]
    [('Step Functions', 'ClientException')]
    """
    if not one.error:
        return []
    machine = _part_of_arn(execution.arn, 6)
    if one.error == TASK_FAILED and (seen := sightings(one.described, essential=essential)):
        return [replace(each, facts={**each.facts, **_told_facts(machine=machine)}) for each in seen]
    ecs = one.error.startswith("ECS.") and one.error not in NOT_PLACED
    by_token = one.error.startswith("ExitCode.") and one.exit_code is not None
    facts = {
        **_of_definition(one.definition or one.requested),
        **_told_facts(
            call="RunTask",
            machine=machine,
            cluster=_text(one.described.get("clusterArn")),
            role=execution.role,
            task=one.task,
            account=_part_of_arn(execution.arn, 4),
            region=_part_of_arn(execution.arn, 3),
            event_id=execution.name,
        ),
        **_of_message(one.cause),
        **(_told_facts(exit_code=str(one.exit_code), ended="by itself") if by_token else {}),
    }
    # failures[] have no code of their own
    code = one.error.removeprefix("ECS.") if ecs else "" if one.error in NOT_PLACED else one.error
    raw = without_secrets({"error": one.error, "cause": one.cause, "execution": execution.arn, "attempt": one.number})
    return [Sighting(STEP_FUNCTIONS, one.stopped or one.started, code, one.cause, facts, raw)]


# -------- values


def _told_facts(**facts: str | tuple[str, ...]) -> Facts:
    return {name: value for name, value in facts.items() if value}


def _object(value: object) -> Mapping[str, Any]:
    """Return a mapping, also one that was written as JSON text, as Athena and some queues do."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            return _mapping(json.loads(value))
        except (ValueError, RecursionError):
            return {}
    return _mapping(value)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in _list(value) if isinstance(one, str) and one)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
