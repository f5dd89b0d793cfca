"""
IAM on every call, if the setting ``enforce_iam`` says so: which actions on which resources a call needs.

An action is named as the call is, and evaluated on ``*``, unless the tables here say otherwise. Source of all of them:
AWS's Service Authorization Reference, "Actions, resources, and condition keys" of each service, and botocore's
documentation of the operation for what tagging at creation needs. Not looked at: resource policies, service control
policies, what a service does in the caller's name later on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecs_runbook.local_aws.permissions import AccessDenied, require
from ecs_runbook.local_aws.world import Call

_FREE = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
_JUDGED_ELSEWHERE = frozenset({"sts:AssumeRole", "ecs:RunTask", "ecs:StartTask"})

# IAM's name of a service, where it is not the name that the service is signed for.
_SERVICES = {"cloudwatch": "cloudwatch", "resourcegroupstaggingapi": "tag"}

# service  operations that need one action  the action
_ACTIONS_TEXT = """
s3   ListBuckets                                                          ListAllMyBuckets
s3   ListObjects ListObjectsV2 HeadBucket                                 ListBucket
s3   HeadObject                                                           GetObject
s3   CreateMultipartUpload UploadPart CompleteMultipartUpload CopyObject  PutObject
s3   DeleteObjects                                                        DeleteObject
sqs  SendMessageBatch                                                     SendMessage
sqs  DeleteMessageBatch                                                   DeleteMessage
sqs  ChangeMessageVisibilityBatch                                         ChangeMessageVisibility
"""

# service  operations  resource; {Name} is a parameter, {Name/} what follows its last slash, {Name?x} has a default.
# That logs are evaluated on the group's streams is seen in public issues.
_RESOURCES_TEXT = """
events     PutRule DescribeRule DeleteRule EnableRule DisableRule                    rule/{bus}{Name}
events     PutTargets RemoveTargets ListTargetsByRule                                rule/{bus}{Rule}
events     CreateEventBus DeleteEventBus DescribeEventBus                            event-bus/{Name/?default}
events     TagResource UntagResource ListTagsForResource                             {ResourceARN}
scheduler  GetSchedule CreateSchedule UpdateSchedule DeleteSchedule                  schedule/{GroupName?default}/{Name}
scheduler  GetScheduleGroup CreateScheduleGroup DeleteScheduleGroup                  schedule-group/{Name}
scheduler  TagResource UntagResource ListTagsForResource                             {ResourceArn}
ecs        RegisterTaskDefinition                                                    task-definition/{family}:*
ecs        DeleteTaskDefinitions                                                     {taskDefinitions}
ecs        CreateCluster                                                             cluster/{clusterName?default}
ecs        DescribeClusters                                                          {clusters}
ecs        DeleteCluster UpdateCluster UpdateClusterSettings ListContainerInstances  cluster/{cluster/?default}
ecs        PutClusterCapacityProviders                                               cluster/{cluster/?default}
ecs        ListTasks                                                 container-instance/{cluster/?default}/*
ecs        DescribeTasks                                                             {tasks}
ecs        StopTask                                                                  task/{cluster/?default}/{task/}
ecs        TagResource UntagResource ListTagsForResource                             {resourceArn}
iam        GetRole CreateRole DeleteRole UpdateRole UpdateAssumeRolePolicy           role/{path}{RoleName}
iam        PutRolePolicy GetRolePolicy DeleteRolePolicy ListRolePolicies             role/{path}{RoleName}
iam        AttachRolePolicy DetachRolePolicy ListAttachedRolePolicies                role/{path}{RoleName}
iam        TagRole UntagRole ListRoleTags ListInstanceProfilesForRole                role/{path}{RoleName}
iam        SimulatePrincipalPolicy GetContextKeysForPrincipalPolicy                  {PolicySourceArn}
sqs        CreateQueue GetQueueUrl                                                   {QueueName}
sqs        GetQueueAttributes SetQueueAttributes DeleteQueue PurgeQueue              {QueueUrl/}
sqs        TagQueue UntagQueue ListQueueTags                                         {QueueUrl/}
sqs        SendMessage ReceiveMessage DeleteMessage ChangeMessageVisibility          {QueueUrl/}
logs       CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy    {group}
logs       DescribeLogStreams ListTagsLogGroup TagLogGroup UntagLogGroup             {group}
logs       TagResource UntagResource ListTagsForResource                             {resourceArn}
states     DescribeStateMachine DeleteStateMachine UpdateStateMachine StartExecution                {stateMachineArn}
states     ListStateMachineVersions                                                  {stateMachineArn}
states     TagResource UntagResource ListTagsForResource                             {resourceArn}
states     ListExecutions                                                            {stateMachineArn}
states     DescribeExecution GetExecutionHistory StopExecution                       {executionArn}
states     CreateStateMachine                                                        stateMachine:{name}
sns        CreateTopic                                                               {Name}
sns        TagResource UntagResource ListTagsForResource                             {ResourceArn}
sns        SetTopicAttributes ListSubscriptionsByTopic                               {TopicArn}
sns        Publish Subscribe GetTopicAttributes DeleteTopic                          {TopicArn}
"""


@dataclass(frozen=True)
class Need:
    """One thing that IAM is asked: an action, the one resource it is evaluated on, and the request's keys."""

    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict)


def refused(call: Call) -> str:
    """
    Return why IAM does not let *call* through, in AWS's words; nothing if it does.

    The account's root, and a service in its own name, may do everything.
    """
    if call.caller.kind in {"Root", "AWSService"} or not call.operation:
        return ""
    try:
        for need in needs(call):
            require(call.caller, need.action, need.resource, {"aws:RequestedRegion": call.region, **need.context})
    except AccessDenied as refusal:
        return str(refusal.message)
    return ""


def needs(call: Call) -> Iterator[Need]:
    """
    Yield what *call* needs: its own action, on each resource, then what it needs besides.

    Notes
    -----
    Each resource of a list is asked for by itself.
    """
    service = _service(call)
    if f"{service}:{call.operation}" in _FREE | _JUDGED_ELSEWHERE:
        return
    action = f"{service}:{_ACTIONS.get((service, call.operation), call.operation)}"
    context = _context(service, call)
    for resource in _resources(service, call):
        yield Need(action, resource, context)
    yield from _passed_roles(service, call)
    yield from _tags(service, call)


def _service(call: Call) -> str:
    from moto.core.utils import get_service_model

    if call.service in _SERVICES:
        return _SERVICES[call.service]
    metadata = get_service_model(call.service).metadata
    return str(metadata.get("signingName") or metadata["endpointPrefix"])


def _context(service: str, call: Call) -> dict[str, Any]:
    cluster = call.params.get("cluster")
    context: dict[str, Any] = {}
    if service == "ecs" and cluster:
        context["ecs:cluster"] = _arn(service, call, f"cluster/{str(cluster).rsplit('/', 1)[-1]}")
    tags = _own_tags(call)
    return context | {f"aws:RequestTag/{key}": value for key, value in tags} | _tag_keys(tags)


def _tag_keys(tags: list[tuple[str, str]]) -> dict[str, Any]:
    return {"aws:TagKeys": [key for key, _ in tags]} if tags else {}


# -------- resources


def _resources(service: str, call: Call) -> list[str]:
    if service == "s3":
        return [_s3(call)]
    template = _RESOURCES.get((service, _ACTIONS.get((service, call.operation), call.operation)), "*")
    if template == "*":
        return ["*"]
    listed = call.params.get(template.strip("{}"))
    if isinstance(listed, list):
        kind = {"{clusters}": "cluster/", "{tasks}": f"task/{_short(call.params.get('cluster'))}/"}.get(template, "")
        return [_arn(service, call, one if str(one).startswith("arn:") else f"{kind}{one}") for one in listed] or ["*"]
    return [
        _arn(
            service, call, re.sub(r"\{(\w+)(/?)(?:\?(\w+))?\}", lambda found: _filled(call, *found.groups()), template)
        )
    ]


def _filled(call: Call, name: str, last: str, default: str | None) -> str:
    if name == "bus":
        bus = _short(call.params.get("EventBusName"))
        return "" if bus == "default" else f"{bus}/"
    if name == "path":
        return _path_of_role(call)
    if name == "group":
        return f"log-group:{call.params.get('logGroupName', '')}:log-stream:"
    value = str(call.params.get(name) or default or "")
    return value.rsplit("/", 1)[-1] if last else value


def _path_of_role(call: Call) -> str:
    """Return a role's path, as its ARN has it: of a new role its own, of another what IAM knows."""
    from moto.iam.exceptions import NotFoundException
    from moto.iam.models import iam_backends

    path = call.params.get("Path")
    if not path:
        try:
            path = iam_backends[call.caller.account][_partition(call)].get_role(call.params.get("RoleName")).path
        except NotFoundException:
            path = ""
    return str(path or "").lstrip("/")


def _short(value: Any) -> str:
    return str(value or "default").rsplit("/", 1)[-1]


def _arn(service: str, call: Call, resource: str) -> str:
    """Return *resource* as an ARN, if it is none yet."""
    if resource.startswith("arn:"):
        return resource
    region = "" if service == "iam" else call.region
    return f"arn:{_partition(call)}:{service}:{region}:{call.caller.account}:{resource}"


def _partition(call: Call) -> str:
    return call.caller.arn.split(":")[1]


def _s3(call: Call) -> str:
    bucket, key = call.params.get("Bucket"), call.params.get("Key")
    return f"arn:{_partition(call)}:s3:::{bucket}{f'/{key}' if key else ''}" if bucket else "*"


# -------- what a call needs besides


_PASSED = {
    ("ecs", "RegisterTaskDefinition"): ("ecs-tasks.amazonaws.com", ("taskRoleArn", "executionRoleArn")),
    ("events", "PutRule"): ("events.amazonaws.com", ("RoleArn",)),
    ("events", "PutTargets"): ("events.amazonaws.com", ("Targets.RoleArn",)),
    ("scheduler", "CreateSchedule"): ("scheduler.amazonaws.com", ("Target.RoleArn",)),
    ("scheduler", "UpdateSchedule"): ("scheduler.amazonaws.com", ("Target.RoleArn",)),
    ("states", "CreateStateMachine"): ("states.amazonaws.com", ("roleArn",)),
    ("states", "UpdateStateMachine"): ("states.amazonaws.com", ("roleArn",)),
}


def _passed_roles(service: str, call: Call) -> Iterator[Need]:
    """Yield iam:PassRole for each role that is handed to a service."""
    to, places = _PASSED.get((service, call.operation), ("", ()))
    roles = [role for place in places for role in _at(call.params, place.split(".")) if str(role).startswith("arn:")]
    for role in dict.fromkeys(roles):
        yield Need("iam:PassRole", role, {"iam:PassedToService": to})


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _at(one, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


_TAGGING = {
    ("ecs", "CreateCluster"): "ecs:TagResource",
    ("ecs", "RegisterTaskDefinition"): "ecs:TagResource",
    ("events", "PutRule"): "events:TagResource",
    ("events", "CreateEventBus"): "events:TagResource",
    ("scheduler", "CreateScheduleGroup"): "scheduler:TagResource",
    ("iam", "CreateRole"): "iam:TagRole",
    ("iam", "CreatePolicy"): "iam:TagPolicy",
    ("sqs", "CreateQueue"): "sqs:TagQueue",
    ("logs", "CreateLogGroup"): "logs:TagResource",
    ("states", "CreateStateMachine"): "states:TagResource",
}


def _tags(service: str, call: Call) -> Iterator[Need]:
    """Yield the action that creating something with tags needs besides."""
    tags = _own_tags(call)
    if not tags:
        return
    if service == "ec2":
        action = "ec2:CreateTags"
    elif (service, call.operation) in _TAGGING:
        action = _TAGGING[service, call.operation]
    else:
        return
    context = {f"{service}:CreateAction": call.operation, **_context(service, call)}
    for resource in _resources(service, call):
        yield Need(action, resource, context)


def _own_tags(call: Call) -> list[tuple[str, str]]:
    given: Any = next((call.params[name] for name in ("Tags", "tags", "TagList") if call.params.get(name)), [])
    if isinstance(given, Mapping):
        return [(str(key), str(value)) for key, value in given.items()]
    specified = call.params.get("TagSpecifications") or []
    listed = [*given, *(tag for one in specified for tag in one.get("Tags", []))]
    return [(str(tag.get("Key", tag.get("key"))), str(tag.get("Value", tag.get("value", "")))) for tag in listed]


def _table(text: str) -> Iterator[tuple[tuple[str, str], str]]:
    for line in text.strip().splitlines():
        service, *operations, last = line.split()
        yield from (((service, operation), last) for operation in operations)


_ACTIONS = dict(_table(_ACTIONS_TEXT))
_RESOURCES = dict(_table(_RESOURCES_TEXT))
