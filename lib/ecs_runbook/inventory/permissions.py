"""
What the caller needs to be allowed: which function makes which calls.

One table, from which the least policy is made. A test walks the source and finds every call in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

ACTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "inventory.fleet": ("ec2:DescribeRegions", "organizations:ListAccounts", "sts:AssumeRole"),
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
        "inventory.facts": (
            "ecs:DescribeClusters",
            "ecs:DescribeTaskDefinition",
            "ecs:ListAccountSettings",
            "iam:GetRole",
            "iam:ListRoles",
        ),
        "inventory.networks": (
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcEndpoints",
        ),
        "inventory.permits": ("iam:SimulatePrincipalPolicy",),
        "inventory.runs": (
            "cloudtrail:LookupEvents",
            "ecs:DescribeTaskDefinition",
            "ecs:DescribeTasks",
            "ecs:ListTaskDefinitions",
            "ecs:ListTasks",
            "events:ListRuleNamesByTarget",
        ),
        "evidence.dead_letters": ("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage"),
    }
)
"""The IAM actions of the calls that each module makes, by its name."""


def policy(modules: Iterable[str] = tuple(ACTIONS)) -> dict[str, Any]:
    """
    Return the least policy under which *modules* can ask all that they ask.

    Examples
    --------
    >>> policy(["inventory.permits"])["Statement"]
    [{'Sid': 'Iam', 'Effect': 'Allow', 'Action': ['iam:SimulatePrincipalPolicy'], 'Resource': '*'}]
    """
    actions = sorted({action for module in modules for action in ACTIONS[module]})
    services = sorted({action.partition(":")[0] for action in actions})
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": service.capitalize(),
                "Effect": "Allow",
                "Action": [action for action in actions if action.partition(":")[0] == service],
                "Resource": "*",
            }
            for service in services
        ],
    }
