"""
What the caller needs to be allowed: which module makes which calls, and which notebook needs which actions.

The least policies are made from here: ``python -m ecs_runbook.inventory.permissions docs/policies``. A test walks the
source and finds every call in the first table; others run a check, a drill and an apply under exactly these policies,
and with each action taken away.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "adopt.existing": ("scheduler:ListTagsForResource",),
        "adopt.machines": ("states:ListTagsForResource",),
        "adopt.named": ("events:DescribeEventBus", "iam:GetRole", "sqs:ListQueueTags"),
        "adopt.policies": (
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListEntitiesForPolicy",
            "iam:ListRolePolicies",
        ),
        "checks.gate": ("ecs:DescribeTaskDefinition",),
        "diagnosis.failures": ("ecs:ListClusters",),
        "diagnosis.policies": (
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
        ),
        "evidence.dead_letters": ("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage"),
        "evidence.ecs": ("ecs:DescribeTasks", "ecs:ListTasks"),
        "evidence.owners": ("events:ListRules",),
        "evidence.revisions": ("ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions"),
        "firing.calls": ("cloudtrail:LookupEvents",),
        "firing.drill": (
            "events:DeleteRule",
            "events:ListRules",
            "events:ListTagsForResource",
            "events:ListTargetsByRule",
            "events:PutEvents",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
        ),
        "firing.fired": ("iam:GetRole",),
        "firing.histories": ("states:GetExecutionHistory", "states:ListExecutions"),
        "firing.machines": ("states:DescribeStateMachine",),
        "firing.one_time": (
            "scheduler:CreateSchedule",
            "scheduler:DeleteSchedule",
            "scheduler:GetSchedule",
            "scheduler:ListSchedules",
        ),
        "firing.revision": (
            "ecs:DeregisterTaskDefinition",
            "ecs:DescribeTaskDefinition",
            "ecs:ListTaskDefinitions",
            "ecs:RegisterTaskDefinition",
        ),
        "firing.rules": (
            "events:DescribeRule",
            "events:ListRuleNamesByTarget",
            "events:ListRules",
            "events:ListTargetsByRule",
        ),
        "firing.schedules": ("scheduler:GetSchedule", "scheduler:ListSchedules"),
        "firing.tasks": ("ecs:DescribeTaskDefinition", "ecs:DescribeTasks", "ecs:ListTasks"),
        "firing.twice": ("states:DescribeExecution", "states:StartExecution"),
        "inventory.contents": ("ecr:DescribeImages", "logs:DescribeLogGroups"),
        "inventory.facts": (
            "ecs:DescribeClusters",
            "ecs:DescribeTaskDefinition",
            "ecs:ListAccountSettings",
            "iam:GetRole",
            "iam:ListRoles",
            "scheduler:ListScheduleGroups",
        ),
        "inventory.fleet": ("ec2:DescribeRegions", "organizations:ListAccounts"),
        "inventory.looking": (
            "events:DescribeRule",
            "events:ListEventBuses",
            "events:ListRules",
            "events:ListTargetsByRule",
            "scheduler:GetSchedule",
            "scheduler:ListSchedules",
            "states:DescribeStateMachine",
            "tag:GetResources",
        ),
        "inventory.networks": (
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcEndpoints",
        ),
        "inventory.permits": ("iam:SimulatePrincipalPolicy",),
        "inventory.runs": ("ecs:DescribeTaskDefinition",),
        "moving.rule": (
            "ecs:DescribeTaskDefinition",
            "events:DescribeRule",
            "events:ListRules",
            "events:ListTagsForResource",
            "events:ListTargetsByRule",
        ),
        "past.athena_query": (
            "athena:GetQueryExecution",
            "athena:GetQueryResults",
            "athena:StartQueryExecution",
            "athena:StopQueryExecution",
        ),
        "past.choose": ("athena:GetWorkGroup", "cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus"),
        "past.delivered": ("s3:GetObject", "s3:ListBucket"),
        "past.stopped_tasks": ("logs:FilterLogEvents",),
        "past.places": ("s3:GetObject",),
        "reports.publish": ("sns:Publish",),
        "shelf": ("s3:GetObject", "s3:ListBucket", "s3:PutObject"),
        "rollback.content": ("ecs:DescribeTaskDefinition",),
        "rollback.go": (
            "ecs:DeregisterTaskDefinition",
            "ecs:RegisterTaskDefinition",
            "events:ListTargetsByRule",
            "events:PutTargets",
            "scheduler:GetSchedule",
            "scheduler:UpdateSchedule",
        ),
        "rollback.situation": ("ecs:ListTaskDefinitions",),
        "rollback.users": ("ecs:DescribeServices", "ecs:ListClusters", "ecs:ListServices"),
        "session": ("sts:AssumeRole", "sts:GetCallerIdentity"),
    }
)
"""The IAM actions of the calls that each module makes itself. sts:GetCallerIdentity is everybody's."""

_PASSED = ("ecs-tasks.amazonaws.com", "events.amazonaws.com")
_PASSED_BY = {
    "scheduler:CreateSchedule": "scheduler.amazonaws.com",
    "states:CreateStateMachine": "states.amazonaws.com",
}
"""To whom else roles are passed, by the action that does so."""

# Terraform's provider makes these calls for the modules that 10_generate writes: seen in the trail of an apply.
_APPLIES = (
    "ecs:DescribeClusters",
    "ecs:DescribeTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "ecs:TagResource",
    "iam:CreateRole",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "logs:CreateLogGroup",
    "logs:DescribeLogGroups",
    "logs:ListTagsForResource",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
)

NOTEBOOKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "60_check": (
            "cloudtrail:LookupEvents",
            "ec2:DescribeRegions",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcEndpoints",
            "ecs:DescribeClusters",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListAccountSettings",
            "ecs:ListTaskDefinitions",
            "ecs:ListTasks",
            "events:DescribeRule",
            "events:ListEventBuses",
            "events:ListRuleNamesByTarget",
            "events:ListRules",
            "events:ListTargetsByRule",
            "iam:GetRole",
            "iam:ListRoles",
            "iam:SimulatePrincipalPolicy",
            "scheduler:GetSchedule",
            "scheduler:ListScheduleGroups",
            "scheduler:ListSchedules",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ReceiveMessage",
            "states:DescribeStateMachine",
            "states:GetExecutionHistory",
            "states:ListExecutions",
            "tag:GetResources",
        ),
        "gate": ("ecr:DescribeImages", "logs:DescribeLogGroups"),
        "70_roll_back": (
            "ecs:DeregisterTaskDefinition",
            "ecs:DescribeServices",
            "ecs:ListClusters",
            "ecs:ListServices",
            "ecs:RegisterTaskDefinition",
            "ecs:TagResource",
            "events:PutTargets",
            "iam:PassRole",
            "scheduler:UpdateSchedule",
        ),
        "60_check-organisation": ("organizations:ListAccounts", "sts:AssumeRole"),
        "60_check-publish": ("s3:GetObject", "s3:ListBucket", "s3:PutObject", "sns:Publish"),
        "65_history": (
            "cloudtrail:LookupEvents",
            "ec2:DescribeRegions",
            "ecs:DescribeTaskDefinition",
            "ecs:ListTaskDefinitions",
            "events:ListEventBuses",
            "events:ListRules",
            "events:ListTargetsByRule",
            "scheduler:GetSchedule",
            "scheduler:ListSchedules",
            "states:DescribeStateMachine",
        ),
        "65_history-s3": ("cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus", "s3:GetObject", "s3:ListBucket"),
        "65_history-archive": ("logs:FilterLogEvents", "s3:GetObject", "s3:ListBucket", "s3:PutObject"),
        "65_history-athena": (
            "athena:GetQueryExecution",
            "athena:GetQueryResults",
            "athena:GetWorkGroup",
            "athena:StartQueryExecution",
            "athena:StopQueryExecution",
            "glue:CreateDatabase",
            "glue:CreateTable",
            "glue:GetDatabase",
            "glue:GetPartitions",
            "glue:GetTable",
            "s3:AbortMultipartUpload",
            "s3:GetBucketLocation",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:ListBucketMultipartUploads",
            "s3:ListMultipartUploadParts",
            "s3:PutObject",
        ),
        "30_fire": (
            "cloudtrail:LookupEvents",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListTaskDefinitions",
            "ecs:ListTasks",
            "events:DeleteRule",
            "events:DescribeRule",
            "events:ListRules",
            "events:ListTagsForResource",
            "events:ListTargetsByRule",
            "events:PutEvents",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:TagResource",
            "iam:GetRole",
            "iam:PassRole",
        ),
        "30_fire-schedule": (
            "cloudtrail:LookupEvents",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListTaskDefinitions",
            "ecs:ListTasks",
            "iam:GetRole",
            "iam:PassRole",
            "scheduler:CreateSchedule",
            "scheduler:DeleteSchedule",
            "scheduler:GetSchedule",
            "scheduler:ListSchedules",
            "states:DescribeStateMachine",
            "states:GetExecutionHistory",
            "states:ListExecutions",
        ),
        "80_adopt": (
            "cloudtrail:LookupEvents",
            "ecs:DescribeClusters",
            "events:DescribeEventBus",
            "events:DescribeRule",
            "events:ListTagsForResource",
            "events:ListTargetsByRule",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListEntitiesForPolicy",
            "iam:ListRolePolicies",
            "scheduler:GetSchedule",
            "scheduler:GetScheduleGroup",
            "scheduler:ListTagsForResource",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ListQueueTags",
            "states:DescribeStateMachine",
            "states:ListStateMachineVersions",
            "states:ListTagsForResource",
            "states:ValidateStateMachineDefinition",
        ),
        "85_move_to_scheduler": (
            "cloudtrail:LookupEvents",
            "ecs:DescribeTaskDefinition",
            "events:DescribeRule",
            "events:ListTagsForResource",
            "events:ListTargetsByRule",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
        ),
        "20_apply": (
            *_APPLIES,
            "events:DescribeRule",
            "events:ListTagsForResource",
            "events:ListTargetsByRule",
            "events:PutRule",
            "events:PutTargets",
            "events:TagResource",
        ),
        "20_apply-schedule": (*_APPLIES, "scheduler:CreateSchedule", "scheduler:GetSchedule"),
        "20_apply-state_machine": (
            *_APPLIES,
            "scheduler:CreateSchedule",
            "scheduler:GetSchedule",
            "states:CreateStateMachine",
            "states:DescribeStateMachine",
            "states:ListStateMachineVersions",
            "states:ListTagsForResource",
            "states:TagResource",
            "states:ValidateStateMachineDefinition",
        ),
    }
)
"""
The actions that each notebook needs, and no more. ``60_check``: all that it can be told to look at in one account;
``gate``, ``70_roll_back``: what these need besides;
``60_check-organisation``: what the caller needs besides to look into other accounts, where a role with the first is;
``60_check-publish``: to publish, or to keep the history in S3. ``65_history``: a look back over one account;
``65_history-s3``: besides, to find the trails and read their log files; ``65_history-archive``: to keep an archive in
S3, and to read the ends of tasks in S3 or a log group; ``65_history-athena``: to have Athena read a trail's log files;
what it does itself in the caller's name, in the catalogue and in S3, is told by AWS's docs and not tried.
``30_fire-schedule``: a drill of a schedule of
EventBridge Scheduler, also of one that starts a state machine. ``85_move_to_scheduler``: to read a rule, a rate with a
dead-letter queue; what it writes is applied by whoever may. ``80_adopt``: to read what is adopted, and
for Terraform to plan it; for *all_found* those of ``60_check`` besides. ``20_apply``, ``20_apply-schedule`` and
``20_apply-state_machine``: a first apply of that kind with an existing cluster and without a queue, a topic or a group
of its own, and the plan after it.
"""


def policy(actions: Iterable[str]) -> dict[str, Any]:
    """
    Return the least policy that allows *actions*: a statement for each service, and roles are passed only to ECS's
    tasks, to EventBridge, and to who else takes one by an action among them.

    Examples
    --------
    >>> policy(["iam:PassRole", "iam:GetRole"])["Statement"][0]
    {'Sid': 'Iam', 'Effect': 'Allow', 'Action': ['iam:GetRole'], 'Resource': '*'}
    >>> policy(["iam:PassRole"])["Statement"][0]["Condition"]
    {'StringEquals': {'iam:PassedToService': ['ecs-tasks.amazonaws.com', 'events.amazonaws.com']}}
    """
    wanted = sorted(set(actions))
    plain = [action for action in wanted if action != "iam:PassRole"]
    statements: list[dict[str, Any]] = [
        {
            "Sid": service.capitalize(),
            "Effect": "Allow",
            "Action": [action for action in plain if action.partition(":")[0] == service],
            "Resource": "*",
        }
        for service in sorted({action.partition(":")[0] for action in plain})
    ]
    if "iam:PassRole" in wanted:
        more = [service for action, service in _PASSED_BY.items() if action in wanted]
        passed = {"StringEquals": {"iam:PassedToService": [*_PASSED, *more]}}
        one = {"Sid": "PassRole", "Effect": "Allow", "Action": ["iam:PassRole"], "Resource": "*", "Condition": passed}
        statements.append(one)
    return {"Version": "2012-10-17", "Statement": statements}


def files() -> dict[str, str]:
    """Return what stands in ``docs/policies``: the text of each file, by its name."""
    return {f"{name}.json": json.dumps(policy(actions), indent=2) + "\n" for name, actions in NOTEBOOKS.items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text)
