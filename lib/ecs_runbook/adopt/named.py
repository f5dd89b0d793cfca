"""What rules and schedules name and do not hold: told by its ARN, and, on request, read so that it is adopted too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ecs_runbook.adopt.existing import Existing, LeftOut
from ecs_runbook.adopt.policies import Policies
from ecs_runbook.adopt.reading import Reading
from ecs_runbook.errors import AwsError
from ecs_runbook.evidence.dead_letters import attributes, why_not
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.machines import machine_of
from ecs_runbook.firing.names import short
from ecs_runbook.inventory.request import of_target
from ecs_runbook.moving.rule import tags_of

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.session import Aws

BUS, GROUP, ROLE, QUEUE, MACHINE = "event bus", "schedule group", "role", "dead-letter queue", "state machine"
TAKEN_ALONG = (BUS, GROUP, ROLE, QUEUE, MACHINE)
"""What is adopted too on request. A cluster, a task definition and a key have lives of their own."""
NAMED_COLUMNS = ["what", "arn", "named_by", "adopted"]
_SHOWN = 3


@dataclass(frozen=True)
class Named:
    """
    Something that things name.

    Attributes
    ----------
    what
        In AWS's words: ``role``, ``cluster``.
    arn
        Its own, or what a target gives for it.
    by
        Labels of those that name it.
    """

    what: str
    arn: str
    by: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.what} {self.arn}"


def named_by(things: Sequence[Existing]) -> tuple[Named, ...]:
    """Return what *things* name, each once."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for thing in things:
        for what, arn in _names(thing):
            found.setdefault((what, arn), {})[thing.label] = None
    return tuple(Named(what, arn, tuple(by)) for (what, arn), by in sorted(found.items()))


def _names(thing: Existing) -> Iterator[tuple[str, str]]:
    parts = str(thing.told["Arn"]).split(":")
    if thing.group != "default":
        here = ":".join(parts[:5])
        yield (
            (BUS, f"{here}:event-bus/{thing.group}")
            if thing.kind == "rule"
            else (
                GROUP,
                f"{here}:schedule-group/{thing.group}",
            )
        )
    if thing.told.get("RoleArn"):
        yield ROLE, str(thing.told["RoleArn"])
    if thing.told.get("KmsKeyArn"):
        yield "key", str(thing.told["KmsKeyArn"])
    for target in thing.targets:
        if target.get("RoleArn"):
            yield ROLE, str(target["RoleArn"])
        if (target.get("DeadLetterConfig") or {}).get("Arn"):
            yield QUEUE, str(target["DeadLetterConfig"]["Arn"])
        request, machine = of_target(target), machine_of(target)
        if request is not None:
            yield "cluster", request.cluster
            yield "task definition", request.definition
        elif machine:
            yield MACHINE, machine
        else:
            yield "target", str(target["Arn"])


def table(named: Sequence[Named], adopted: Mapping[str, str]) -> pd.DataFrame:
    """Return one row each, columns :data:`NAMED_COLUMNS`; *adopted* has its address by ARN."""
    import pandas as pd

    rows = [
        (
            one.what,
            one.arn,
            ", ".join(one.by[:_SHOWN]) + (f" and {len(one.by) - _SHOWN} more" if len(one.by) > _SHOWN else ""),
            adopted.get(one.arn, ""),
        )
        for one in named
    ]
    return pd.DataFrame(rows, columns=NAMED_COLUMNS, dtype=str)


@dataclass(frozen=True)
class Along:
    """
    What is adopted with the things that name it; state machines stand beside, where mends look for them.

    Attributes
    ----------
    buses, roles, queues
        By ARN, as DescribeEventBus, GetRole and GetQueueAttributes tell them, with ``Tags`` as a mapping, and a queue's
        ``QueueUrl``.
    groups
        Names of schedule groups; their tags are the schedules'.
    policies
        Those of the roles.
    left_out
        What could not be read, and why.
    """

    buses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    roles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    queues: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    groups: frozenset[str] = frozenset()
    policies: Policies = field(default_factory=Policies)
    left_out: tuple[LeftOut, ...] = ()


def read_along(things: Sequence[Existing], reading: Reading, *, more: Sequence[str] = ()) -> Along:
    """
    Read buses, groups, roles without their policies, and dead-letter queues that *things* name, to adopt them too.

    Parameters
    ----------
    more
        ARNs of roles of state machines in between.

    Notes
    -----
    Needs ``events:DescribeEventBus``, ``events:ListTagsForResource``, ``iam:GetRole``, ``sqs:ListQueueTags`` and what
    :func:`~ecs_runbook.evidence.dead_letters.attributes` needs.
    """
    named = named_by(things)
    here = f":{reading.place.account}:"
    arns = {what: [one.arn for one in named if one.what == what and here in one.arn] for what in TAKEN_ALONG}
    arns[ROLE] = list(dict.fromkeys([*arns[ROLE], *more]))
    told: dict[str, dict[str, Mapping[str, Any]]] = {}
    left = []
    for what, operation, read in (
        (BUS, "events:DescribeEventBus", _bus),
        (ROLE, "iam:GetRole", _role),
        (QUEUE, "sqs:GetQueueAttributes", _queue),
    ):
        told[what] = {}
        for arn, answer in reading.each(operation, partial(read, aws=reading.aws, ask=reading.ask), arns[what]).items():
            if isinstance(answer, AwsError):
                left.append(LeftOut(f"{what} {arn}", why_not(answer)))
            else:
                told[what][arn] = answer
    groups = frozenset(one.group for one in things if one.kind == "schedule" and one.group != "default")
    return Along(told[BUS], told[ROLE], told[QUEUE], groups, left_out=tuple(left))


def with_policies(along: Along, policies: Policies) -> Along:
    """Return *along* with those of *policies* that are of its roles."""
    own = policies.only([short(arn) for arn in along.roles])
    left = [LeftOut(f"policies of role {name}", why) for name, why in own.unknown.items()]
    return replace(along, policies=own, left_out=(*along.left_out, *left))


def _bus(arn: str, aws: Aws, ask: Asking) -> Mapping[str, Any]:
    events = aws.client("events")
    told = ask("events:DescribeEventBus", events.describe_event_bus, Name=short(arn))
    return _plain(told) | {"Tags": tags_of(arn, events=events, ask=ask)}


def _role(arn: str, aws: Aws, ask: Asking) -> Mapping[str, Any]:
    iam = aws.client("iam")
    told = ask("iam:GetRole", iam.get_role, RoleName=short(arn))["Role"]
    trust = told["AssumeRolePolicyDocument"]
    document = json.loads(trust) if isinstance(trust, str) else trust
    tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}
    return {**told, "AssumeRolePolicyDocument": document, "Tags": tags}


def _queue(arn: str, aws: Aws, ask: Asking) -> Mapping[str, Any]:
    sqs = aws.client("sqs")
    url, told = attributes(arn, sqs=sqs, ask=ask, more=["All"])
    tags = ask("sqs:ListQueueTags", sqs.list_queue_tags, QueueUrl=url).get("Tags", {})
    return {**told, "QueueUrl": url, "Tags": dict(tags)}


def _plain(told: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key != "ResponseMetadata"}
