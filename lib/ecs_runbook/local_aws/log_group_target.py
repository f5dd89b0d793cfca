"""
A log group as a rule's target: moto sends there at real time, and asks no policy.

Source: AWS docs, "Using resource-based policies for Amazon EventBridge", "CloudWatch Logs permissions", and AWS's own
knowledge center (verified): a resource policy of CloudWatch Logs must let ``events.amazonaws.com`` create the stream
and put the event; a role of the target is of no use. That a name begins with ``/aws/events`` or ``/`` is the console's
rule alone. Not verified: how streams are called, and how many there are: here one for each rule.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from ecs_runbook.local_aws.delivery import Refusal, Target
from ecs_runbook.local_aws.policy import Policy, Principal, decide_resource

SERVICE = "events.amazonaws.com"


def is_log_group(target: Target) -> bool:
    """
    Say whether a target is a log group.

    Examples
    --------
    >>> is_log_group({"Arn": "arn:aws:logs:eu-west-2:123456789012:log-group:/aws/events/tasks"})
    True
    """
    return ":logs:" in target["Arn"] and ":log-group:" in target["Arn"]


def kept(rule: Any, target: Target, text: str, now: datetime) -> Refusal | None:
    """
    Put an event into a log group; return what refused that.

    Parameters
    ----------
    rule
        moto's.
    text
        The event, or what the target is given instead.
    now
        The world's time.
    """
    from moto.logs.models import logs_backends

    _, partition, _, region, account, _, name, *_ = str(target["Arn"]).split(":")
    backend = logs_backends[account][region]
    group = backend.groups.get(name)
    if group is None:
        return Refusal("NO_RESOURCE", "The specified log group does not exist.")
    stream = str(uuid.uuid5(uuid.NAMESPACE_URL, str(rule.arn)))
    arn = f"arn:{partition}:logs:{region}:{account}:log-group:{name}:log-stream:{stream}"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        if not _may(backend.resource_policies.values(), action, arn, rule):
            words = f"No resource policy of CloudWatch Logs lets {SERVICE} perform {action} on {arn} for this rule"
            return Refusal("NO_PERMISSIONS", words)
    if stream not in group.streams:
        group.create_log_stream(stream)
        group.streams[stream].creation_time = now.replace(tzinfo=None)
    told = int(now.timestamp() * 1000)
    group.streams[stream].put_log_events([{"timestamp": told, "message": text}])  # the group asks what time it is
    group.streams[stream].events[-1].ingestion_time = told
    return None


def _may(policies: Any, action: str, arn: str, rule: Any) -> bool:
    context = {"aws:SourceArn": str(rule.arn), "aws:SourceAccount": str(rule.account_id)}
    sender = Principal("Service", SERVICE)
    decisions = [
        decide_resource(Policy(one.policy_name, one.policy_document), sender, action, arn, context) for one in policies
    ]
    denied = any(decision.outcome == "explicit deny" for decision in decisions)
    return not denied and any(decision.allowed for decision in decisions)
