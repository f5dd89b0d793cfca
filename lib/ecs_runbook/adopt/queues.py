"""The dead-letter queue that a mend gives: whether it may be written to, and what its policy has to say for that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ecs_runbook.adopt.existing import Existing
from ecs_runbook.adopt.mends import QUEUE, Difference, NotMended
from ecs_runbook.adopt.policies import Policies, allows
from ecs_runbook.checks.policies import lets
from ecs_runbook.errors import AwsError, Fault, SpecError
from ecs_runbook.evidence.dead_letters import NO_QUEUE, attributes, why_not
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.names import short
from ecs_runbook.lint.policies import Match
from ecs_runbook.wanted.schedule import shortened

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_EVENTS = "events.amazonaws.com"
_SEND = "sqs:SendMessage"
_SECURE = {"aws:securetransport": ["true"]}
_MOST_NAMED = 20
"""So many rules or roles are named one by one in a queue's policy, which has 8,192 characters at most; our choice."""


@dataclass(frozen=True)
class LetterQueue:
    """
    The queue that a mend gives.

    Attributes
    ----------
    arn, url
        Its own.
    policy
        As a document; empty if it has none.
    key
        The key that it is encrypted with; ``""`` for none of one's own.
    """

    arn: str
    url: str
    policy: Mapping[str, Any] = field(default_factory=dict, repr=False)
    key: str = ""

    @property
    def name(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition(":")[2]


def read_queue(arn: str, *, account: str, region: str, sqs: SQSClient, ask: Asking | None = None) -> LetterQueue | str:
    """
    Read the policy of the queue *arn*; return why not, if AWS does not let us.

    Raises
    ------
    SpecError
        If there is no such queue, or it is in another Region, where EventBridge does not put dead letters.

    Notes
    -----
    Needs ``sqs:GetQueueUrl`` and ``sqs:GetQueueAttributes``.
    """
    if arn.split(":")[3] != region:
        raise _refused(arn, f"name a queue of {region}: dead letters stay in their Region")
    if arn.split(":")[4] != account:
        return f"it is of account {arn.split(':')[4]}, and its policy is to be mended there"
    try:
        url, told = attributes(arn, sqs=sqs, ask=ask or Asking(), more=["Policy", "KmsMasterKeyId"])
    except AwsError as error:
        if error.code in NO_QUEUE:
            raise _refused(arn, "there is no such queue: make it first, or name another") from error
        return why_not(error)
    policy = json.loads(told["Policy"]) if told.get("Policy") else {}
    return LetterQueue(arn, url, policy, told.get("KmsMasterKeyId", ""))


def _refused(arn: str, mend: str) -> SpecError:
    return SpecError("No dead letter can go there:", faults=[Fault("dead_letter_queue", shortened(arn), mend)])


def mended_queue(
    queue: LetterQueue | str, given: Sequence[Existing], policies: Policies, *, arn: str
) -> tuple[LetterQueue | None, list[Difference], list[NotMended], list[str]]:
    """
    Return the queue with the policy that it needs, None if it needs none, what that changes, and what is not known.

    Parameters
    ----------
    queue
        From :func:`read_queue`.
    given
        Those with a target that is given the queue.
    policies
        Those of the roles of schedules among them: Scheduler sends as the schedule's role, EventBridge as itself.
    arn
        The queue's.

    Notes
    -----
    Sources: AWS docs, "Event retry policy and using dead-letter queues" (a policy with aws:SourceArn, verified); for
    Scheduler, that its role needs sqs:SendMessage (verified). Of a role of one's own account, a queue's policy that
    names it does as well (IAM User Guide, policy evaluation within one account).
    """
    if not given:
        return None, [], [], []
    if isinstance(queue, str):
        names = ", ".join(one.label for one in given)
        why = f"whether they may write to {arn} is not known: {queue}"
        return None, [], [NotMended(QUEUE, names, why)], []
    rules: list[Existing] = []
    roles: list[str] = []
    left: list[NotMended] = []
    for one in given:
        may = _lets_rule(queue.policy, queue, one) if one.kind == "rule" else "yes"
        if may == "unknown":
            left.append(NotMended(QUEUE, one.label, _unsure(queue)))
        elif may == "no" and _lets_rule(_with(queue, [str(one.told["Arn"])], []), queue, one) != "yes":
            left.append(NotMended(QUEUE, one.label, _denied(queue)))
        elif may == "no":
            rules.append(one)
    for role in dict.fromkeys(str(one.targets[0]["RoleArn"]) for one in given if one.kind == "schedule"):
        may = lets(queue.policy, "", _SEND, resource=arn, arn=role, context=_SECURE)
        if allows(policies, short(role), _SEND, queue.arn) or may == "yes":
            continue
        if may == "unknown":
            left.append(NotMended(QUEUE, short(role), _unsure(queue)))
            continue
        if short(role) in policies.unknown:
            why = f"whether it may write to {queue.name} is not known: {policies.unknown[short(role)]}"
            left.append(NotMended(QUEUE, short(role), why))
            continue
        if lets(_with(queue, [], [role]), "", _SEND, resource=arn, arn=role, context=_SECURE) != "yes":
            left.append(NotMended(QUEUE, short(role), _denied(queue)))
            continue
        roles.append(role)
    told = [f"{queue.name} is encrypted with {queue.key}: whether its policy lets EventBridge use it was not looked at"]
    said = told if queue.key else []
    if not rules and not roles:
        return None, [], left, said
    new = replace(queue, policy=_with(queue, [str(one.told["Arn"]) for one in rules], roles))
    before = queue.policy or None
    return new, [Difference(QUEUE, f"queue {queue.name}", "policy", before, new.policy)], left, said


def _unsure(queue: LetterQueue) -> str:
    return f"whether the policy of {queue.name} lets it write is not known: it does under conditions only"


def _denied(queue: LetterQueue) -> str:
    return f"a statement of the policy of {queue.name} denies it the writing"


def _lets_rule(policy: Mapping[str, Any], queue: LetterQueue, rule: Existing) -> Match:
    arn = str(rule.told["Arn"])
    context = {"aws:sourcearn": [arn], "aws:sourceaccount": [arn.split(":")[4]], **_SECURE}
    return lets(policy, _EVENTS, _SEND, resource=queue.arn, context=context)


def _with(queue: LetterQueue, rules: Sequence[str], roles: Sequence[str]) -> Mapping[str, Any]:
    told = queue.policy.get("Statement", [])
    statements = [*(told if isinstance(told, list) else [told])]
    if rules:
        every = f"{rules[0].partition(':rule/')[0]}:rule/*"
        named = {"ArnEquals": {"aws:SourceArn": sorted(rules)}}
        wide = {"ArnLike": {"aws:SourceArn": every}}
        statements.append(
            _statement({"Service": _EVENTS}, queue.arn) | {"Condition": named if len(rules) <= _MOST_NAMED else wide}
        )
    if roles:
        statements.append(_statement({"AWS": sorted(roles)}, queue.arn))
    return {"Version": "2012-10-17", **queue.policy, "Statement": statements}


def _statement(principal: Mapping[str, Any], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": _SEND, "Resource": resource}
