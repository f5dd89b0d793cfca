"""What Scheduler may do in the name of a schedule's role: run the task, pass its roles, tag it, send dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ecs_runbook.moving.names import REVISION

if TYPE_CHECKING:
    from ecs_runbook.moving.rule import Found


def statements(
    found: Found, cluster: str, parameters: Mapping[str, Any], text: str, queue: str
) -> Iterator[dict[str, Any]]:
    """
    Yield the least that Scheduler needs in the role's name: ``sid``, ``actions``, ``resources``, ``conditions``.

    Parameters
    ----------
    found
        The rule, for the roles of its tasks and the key of its queue.
    cluster, parameters, text, queue
        Of the schedule's target: ``Arn``, ``EcsParameters``, ``Input``, the queue's ARN or ``""``.

    Notes
    -----
    IAM is asked about the revision that a family stands for, so every revision is named (AWS docs, RunTask). Scheduler
    sends to the dead-letter queue in the role's name (AWS docs, EventBridge Scheduler, "Configuring a dead-letter
    queue").
    """
    definition = str(parameters["TaskDefinitionArn"])
    yield {
        "sid": "RunEveryRevision",
        "actions": ["ecs:RunTask"],
        "resources": [REVISION.sub("", definition) + ":*"],
        "conditions": [("ArnEquals", "ecs:cluster", [cluster])],
    }
    if roles := _passed(found, definition, text):
        yield {
            "sid": "PassTheTasksRoles",
            "actions": ["iam:PassRole"],
            "resources": roles,
            "conditions": [("StringEquals", "iam:PassedToService", ["ecs-tasks.amazonaws.com"])],
        }
    if parameters.get("PropagateTags") or parameters.get("EnableECSManagedTags") or parameters.get("Tags"):
        yield {
            "sid": "TagTheTask",
            "actions": ["ecs:TagResource"],
            "resources": [cluster.replace(":cluster/", ":task/") + "/*"],
            "conditions": [("StringEquals", "ecs:CreateAction", ["RunTask"])],
        }
    if queue:
        yield {"sid": "SendDeadLetters", "actions": ["sqs:SendMessage"], "resources": [queue], "conditions": []}
        yield from _key(found, queue)


def _passed(found: Found, definition: str, text: str) -> list[str]:
    named = roles_of(found, definition)
    if named is None:
        return [f"arn:{found.partition}:iam::{found.account}:role/*"]
    return sorted({*named, *_overridden(text)})


def roles_of(found: Found, definition: str) -> tuple[str, ...] | None:
    """Return the roles of a target's task; None if they could not be read."""
    short = definition.rsplit("/", 1)[-1]
    return next((roles for name, roles in found.roles.items() if name.rsplit("/", 1)[-1] == short), None)


def _overridden(text: str) -> list[str]:
    try:
        told = json.loads(text) if text else {}
    except ValueError:
        return []
    roles = (told.get(key) for key in ("taskRoleArn", "executionRoleArn")) if isinstance(told, Mapping) else ()
    return [str(one) for one in roles if one]


def _key(found: Found, queue: str) -> Sequence[dict[str, Any]]:
    """Return what a queue needs that is encrypted with a key of one's own."""
    key = found.queues.get(queue, "")
    if not key or key == "alias/aws/sqs":
        return ()
    region, account = queue.split(":")[3:5]
    conditions = []
    if key.startswith("arn:"):
        arn = key
    elif key.startswith("alias/"):
        arn = f"arn:{found.partition}:kms:{region}:{account}:key/*"
        conditions = [("ForAnyValue:StringEquals", "kms:ResourceAliases", [key])]
    else:
        arn = f"arn:{found.partition}:kms:{region}:{account}:key/{key}"
    return (
        {
            "sid": "UseTheQueuesKey",
            "actions": ["kms:Decrypt", "kms:GenerateDataKey"],
            "resources": [arn],
            "conditions": conditions,
        },
    )
