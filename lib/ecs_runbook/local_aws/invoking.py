"""How EventBridge and its Scheduler call: in their own name to assume a target's role, and in that role's name then."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_runbook.local_aws.permissions import on_behalf_of

STARTED_BY = 36  # characters in all; seen in eight public values of longer names
Call = Callable[..., tuple[int, dict[str, Any]]]
_SAME = (
    "LaunchType",
    "PlatformVersion",
    "Group",
    "CapacityProviderStrategy",
    "EnableECSManagedTags",
    "EnableExecuteCommand",
    "PlacementConstraints",
    "PlacementStrategy",
    "PropagateTags",
    "ReferenceId",
)


@dataclass(frozen=True)
class Sender:
    """
    A service that invokes targets, as CloudTrail shows it.

    Parameters
    ----------
    service
        The principal that roles trust.
    user_agent, source_ip, invoked_by
        Of its calls in a role's name.
    """

    service: str
    user_agent: str
    source_ip: str
    invoked_by: str


@dataclass(frozen=True)
class Errand:
    """
    On whose behalf a service calls.

    Parameters
    ----------
    source
        The ARN that ``aws:SourceArn`` has when the role is assumed.
    account, region
        Where it is, and where it calls.
    """

    source: str
    account: str
    region: str


@dataclass(frozen=True)
class NotAnswered:
    """A call that was refused: HTTP's status, the API's code and words."""

    status: int
    code: str
    message: str


class Invoking:
    """
    The calls of one service.

    Parameters
    ----------
    call
        :func:`ecs_runbook.local_aws.server.call`.
    """

    def __init__(self, call: Call, sender: Sender) -> None:
        self._call = call
        self.sender = sender

    def assume(self, role: str, errand: Errand) -> Mapping[str, str] | NotAnswered:
        """
        Return the credentials of a session of *role*.

        Notes
        -----
        Source: published CloudTrail records of calls made by EventBridge: the session's name is 32 hexadecimal digits
        (verified).
        """
        before = on_behalf_of.set({"aws:SourceArn": errand.source, "aws:SourceAccount": errand.account})
        try:
            asked = {"RoleArn": role, "RoleSessionName": uuid.uuid4().hex}
            answer = self.asked("sts", "AssumeRole", asked, errand)
        finally:
            on_behalf_of.reset(before)
        if isinstance(answer, NotAnswered):
            return answer
        credentials: Mapping[str, str] = answer["Credentials"]
        return credentials

    def asked(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        errand: Errand,
        session: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | NotAnswered:
        """Make a call, in the service's own name or a session's; return the answer, or what refused it."""
        own = self.sender
        status, answer = self._call(
            service,
            operation,
            params,
            region=errand.region,
            access_key=session["AccessKeyId"] if session else "",
            session_token=session["SessionToken"] if session else "",
            user_agent=own.user_agent if session else own.service,
            source_ip=own.source_ip if session else own.service,
            invoked_by=own.invoked_by if session else own.service,
            account=errand.account,
        )
        if status < 300:
            return answer
        error = answer.get("Error", {})
        return NotAnswered(status, error.get("Code", ""), error.get("Message", ""))


def run_task_parameters(
    started_by: str, target: Mapping[str, Any], overrides: Mapping[str, Any] | None
) -> dict[str, Any]:
    """
    Return the RunTask that a target stands for.

    Parameters
    ----------
    started_by
        ``events-rule/<name>`` or ``chronos-schedule/<name>``, which is cut to 36 characters.
    target
        As PutTargets or CreateSchedule took it: its Arn is the cluster's.
    overrides
        What its Input says.

    Notes
    -----
    Source: botocore events and scheduler EcsParameters (verified); startedBy and its length: seen in public records.

    Examples
    --------
    >>> cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/main"
    >>> target = {"Arn": cluster, "EcsParameters": {"TaskDefinitionArn": "nightly"}}
    >>> run_task_parameters("events-rule/a-rule-with-quite-a-long-name", target, None)["startedBy"]
    'events-rule/a-rule-with-quite-a-long'
    """
    ecs = target["EcsParameters"]
    networks = (ecs.get("NetworkConfiguration") or {}).get("awsvpcConfiguration")
    asked = {
        "cluster": target["Arn"],
        "taskDefinition": ecs["TaskDefinitionArn"],
        "count": ecs.get("TaskCount") or 1,
        "startedBy": started_by[:STARTED_BY],
        "overrides": overrides,
        "networkConfiguration": {"awsvpcConfiguration": camel(networks)} if networks else None,
        "tags": [_tag(tag) for tag in ecs.get("Tags") or []],
    }
    return {key: value for key, value in {**asked, **camel({name: ecs.get(name) for name in _SAME})}.items() if value}


def run_task_named(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return parameters of RunTask as ECS names them: Scheduler and Step Functions write them in PascalCase.

    Examples
    --------
    >>> run_task_named({"Cluster": "batch", "Overrides": {"ContainerOverrides": [{"Name": "main"}]}, "Colour": "red"})
    {'cluster': 'batch', 'overrides': {'containerOverrides': [{'name': 'main'}]}}
    """
    return named(given, "ecs", "RunTask")


def named(given: Mapping[str, Any], service: str, operation: str) -> dict[str, Any]:
    """
    Return parameters of an operation as its service names them; what it does not have is left out.

    Where text is wanted and JSON given, the text is the JSON: a state machine's message may be its whole input.

    Examples
    --------
    >>> named({"topicArn": "arn:aws:sns:eu-west-2:123456789012:t", "Message": {"exit": 3}}, "sns", "Publish")
    {'TopicArn': 'arn:aws:sns:eu-west-2:123456789012:t', 'Message': '{"exit": 3}'}
    """
    from moto.core.utils import get_service_model

    shape = get_service_model(service).operation_model(operation).input_shape
    asked: dict[str, Any] = _named(given, shape) if shape is not None else {}
    return asked


def _named(value: Any, shape: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, Mapping):
        names = {name.lower(): name for name in shape.members}
        known = {names[key.lower()]: part for key, part in value.items() if key.lower() in names}
        return {name: _named(part, shape.members[name]) for name, part in known.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_named(part, shape.member) for part in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {name: _named(part, shape.value) for name, part in value.items()}
    return json.dumps(value) if shape.type_name == "string" and isinstance(value, Mapping | list) else value


def _tag(tag: Mapping[str, str]) -> dict[str, str]:
    return {"key": tag.get("Key") or tag.get("key", ""), "value": tag.get("Value") or tag.get("value", "")}


def camel(members: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *members* as ECS names them.

    Examples
    --------
    >>> camel({"LaunchType": "FARGATE"})
    {'launchType': 'FARGATE'}
    """
    return {name[:1].lower() + name[1:]: value for name, value in members.items()}
