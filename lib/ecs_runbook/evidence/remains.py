"""What is left in AWS of what Terraform had made: AWS itself is asked, thing by thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import DENIED, Asking

if TYPE_CHECKING:
    from ecs_runbook.terraform.run import Resource

REMAINS_COLUMNS = ["type", "name", "there", "because"]

_GONE = frozenset(
    {
        "ResourceNotFoundException",
        "NoSuchEntity",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "ClientException",
        "ClusterNotFoundException",
        "StateMachineDoesNotExist",
        "NotFound",
        "NotFoundException",
    }
)


def what_is_left(made: Iterable[Resource], **clients: Any) -> pd.DataFrame:
    """
    Ask AWS for each of the things that Terraform had made, whether it is still there.

    Parameters
    ----------
    made
        From ``Terraform.state()``, before it destroyed them. Types that nobody can look for on their own, such as
        a rule's target or a role's policy, go with what they belong to.
    clients
        boto3's ``events``, ``iam``, ``ecs``, ``logs`` and ``sqs``; of what EventBridge Scheduler starts also
        ``scheduler``, ``stepfunctions`` and ``sns``.

    Returns
    -------
    pandas.DataFrame
        One row a thing, columns :data:`REMAINS_COLUMNS`; ``there`` is ``no``, ``yes`` or ``unknown``.

    Notes
    -----
    Needs ``events:DescribeRule``, ``iam:GetRole``, ``ecs:DescribeTaskDefinition``, ``ecs:DescribeClusters``,
    ``logs:DescribeLogGroups`` and ``sqs:GetQueueUrl``; ``scheduler:GetSchedule``, ``scheduler:GetScheduleGroup``,
    ``states:DescribeStateMachine`` and ``sns:GetTopicAttributes`` for what Scheduler starts. A task definition counts
    as gone when it is not ACTIVE: AWS keeps INACTIVE ones. A state machine or a group that is DELETING counts as gone:
    its executions and its schedules go first, by themselves.
    Source: botocore stepfunctions DeleteStateMachine, scheduler DeleteScheduleGroup (verified).
    """
    ask = Asking()
    rows = [(one.type, one.name, *_looked(one, ask, clients)) for one in made if one.type in _LOOKS]
    return pd.DataFrame(rows, columns=REMAINS_COLUMNS)


def _looked(one: Resource, ask: Asking, clients: Mapping[str, Any]) -> tuple[str, str]:
    operation, looks = _LOOKS[one.type]
    try:
        found = looks(one, lambda service, method, **given: ask(operation, getattr(clients[service], method), **given))
    except AwsError as error:
        if error.code in _GONE:
            return "no", error.code
        if error.code in DENIED:
            return "unknown", f"the caller needs {operation}"
        raise
    return ("yes", found) if found else ("no", "not listed")


def _rule(one: Resource, ask: Any) -> str:
    return str(ask("events", "describe_rule", Name=one.name)["Arn"])


def _schedule(one: Resource, ask: Any) -> str:
    group, name = one.arn.split("/")[-2:]
    return str(ask("scheduler", "get_schedule", GroupName=group, Name=name)["Arn"])


def _group(one: Resource, ask: Any) -> str:
    told = ask("scheduler", "get_schedule_group", Name=one.name)
    return str(told["Arn"]) if told["State"] == "ACTIVE" else ""


def _machine(one: Resource, ask: Any) -> str:
    told = ask("stepfunctions", "describe_state_machine", stateMachineArn=one.arn)
    return str(told["stateMachineArn"]) if told["status"] == "ACTIVE" else ""


def _topic(one: Resource, ask: Any) -> str:
    return str(ask("sns", "get_topic_attributes", TopicArn=one.arn)["Attributes"]["TopicArn"])


def _role(one: Resource, ask: Any) -> str:
    return str(ask("iam", "get_role", RoleName=one.name)["Role"]["Arn"])


def _definition(one: Resource, ask: Any) -> str:
    told = ask("ecs", "describe_task_definition", taskDefinition=one.arn)["taskDefinition"]
    return str(told["taskDefinitionArn"]) if told["status"] == "ACTIVE" else ""


def _cluster(one: Resource, ask: Any) -> str:
    clusters = ask("ecs", "describe_clusters", clusters=[one.arn])["clusters"]
    return next((str(cluster["clusterArn"]) for cluster in clusters if cluster["status"] == "ACTIVE"), "")


def _log_group(one: Resource, ask: Any) -> str:
    groups = ask("logs", "describe_log_groups", logGroupNamePrefix=one.name)["logGroups"]
    return next((str(group["arn"]) for group in groups if group["logGroupName"] == one.name), "")


def _queue(one: Resource, ask: Any) -> str:
    return str(ask("sqs", "get_queue_url", QueueName=one.name)["QueueUrl"])


_LOOKS: dict[str, tuple[str, Any]] = {
    "aws_cloudwatch_event_rule": ("events:DescribeRule", _rule),
    "aws_scheduler_schedule": ("scheduler:GetSchedule", _schedule),
    "aws_scheduler_schedule_group": ("scheduler:GetScheduleGroup", _group),
    "aws_sfn_state_machine": ("states:DescribeStateMachine", _machine),
    "aws_sns_topic": ("sns:GetTopicAttributes", _topic),
    "aws_iam_role": ("iam:GetRole", _role),
    "aws_ecs_task_definition": ("ecs:DescribeTaskDefinition", _definition),
    "aws_ecs_cluster": ("ecs:DescribeClusters", _cluster),
    "aws_cloudwatch_log_group": ("logs:DescribeLogGroups", _log_group),
    "aws_sqs_queue": ("sqs:GetQueueUrl", _queue),
}
