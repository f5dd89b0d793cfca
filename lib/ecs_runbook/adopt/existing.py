"""What is to be adopted, as AWS has it: a rule with all its targets, a schedule with its group, a role's policies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.names import short
from ecs_runbook.inventory.request import of_target
from ecs_runbook.moving.rule import every_target, tags_of, told_of_rule

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient

    from ecs_runbook.inventory.model import Inventory, Row

_STACK = "aws:cloudformation:stack-name"


@dataclass(frozen=True)
class Existing:
    """
    A rule or a schedule as AWS has it.

    Attributes
    ----------
    kind
        ``rule`` or ``schedule``.
    group
        A rule's bus, a schedule's group.
    told
        As DescribeRule or GetSchedule tells it.
    targets
        All of them, as ListTargetsByRule tells them; of a schedule its only one.
    tags
        The rule's, or those of the schedule's group.
    """

    kind: Literal["rule", "schedule"]
    group: str
    told: Mapping[str, Any] = field(repr=False)
    targets: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its own name."""
        return str(self.told["Name"])

    @property
    def label(self) -> str:
        """``<name>``, or ``<bus or group>/<name>`` where that is not the default one."""
        return self.name if self.group == "default" else f"{self.group}/{self.name}"

    @property
    def places(self) -> list[str]:
        """What its targets are called: ``<label>#<id>`` of a rule, the label of a schedule."""
        return [f"{self.label}#{one['Id']}" if self.kind == "rule" else self.label for one in self.targets]

    @property
    def roles(self) -> list[str]:
        """ARNs of the roles of its targets that run an ECS task."""
        return list(dict.fromkeys(str(one["RoleArn"]) for one in self.targets if one.get("RoleArn") and of_target(one)))

    @property
    def stack(self) -> str:
        """The stack of CloudFormation that made it, by its tag; ``""`` if there is none."""
        return self.tags.get(_STACK, "")


@dataclass(frozen=True)
class InlinePolicy:
    """An inline policy of a role."""

    role: str
    name: str
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Policies:
    """
    The policies of the roles of what is adopted.

    Attributes
    ----------
    inline
        Those that stand in the roles.
    attached
        Names of those that are attached, by the role's name: others may use them too.
    unknown
        Why a role's could not be read, by the role's name.
    """

    inline: tuple[InlinePolicy, ...] = ()
    attached: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)


def existing(
    found: Inventory,
    *,
    events: EventBridgeClient,
    scheduler: Any,
    only: Sequence[str] | None = None,
    ask: Asking | None = None,
) -> tuple[Existing, ...]:
    """
    Read whole what an inventory found in one account and Region.

    Parameters
    ----------
    found
        From :func:`~ecs_runbook.inventory.listing.take_inventory`.
    events, scheduler
        The clients.
    only
        Subjects of rows, as a check's findings name them; all rows if left out.

    Raises
    ------
    EvidenceError
        If there is nothing to adopt, or an AWS service manages a rule, so that nobody else may change it.
    AwsError
        If AWS refuses to tell of one: what is not known whole is not adopted.

    Notes
    -----
    Needs ``events:DescribeRule``, ``events:ListTargetsByRule``, ``events:ListTagsForResource``,
    ``scheduler:GetSchedule`` and, for a group other than the default one, ``scheduler:GetScheduleGroup`` and
    ``scheduler:ListTagsForResource``.
    """
    ask = ask or Asking()
    rows = [row for row in found.rows if only is None or row.subject in only]
    if not rows:
        raise EvidenceError("There is nothing to adopt.", hint="Name a rule or a schedule that ends in ECS.")
    owners = {(row.kind == "schedule", row.group, row.owner.name): row for row in rows}
    return tuple(
        _schedule(row, scheduler, ask) if is_schedule else _rule(row, events, ask)
        for (is_schedule, _, _), row in owners.items()
    )


def _rule(row: Row, events: EventBridgeClient, ask: Asking) -> Existing:
    told = told_of_rule(row.owner.name, bus=row.bus, events=events, ask=ask)
    if told.get("ManagedBy"):
        why = f"rule = {row.owner.name!r}: {told['ManagedBy']} manages it, and nobody else may change it."
        raise EvidenceError(why, hint="Leave it out; change it where that service is told what to do.")
    targets = every_target(row.owner.name, bus=row.bus, events=events, ask=ask)
    return Existing("rule", row.bus, told, tuple(targets), tags_of(str(told["Arn"]), events=events, ask=ask))


def _schedule(row: Row, scheduler: Any, ask: Asking) -> Existing:
    told = ask("scheduler:GetSchedule", scheduler.get_schedule, Name=row.owner.name, GroupName=row.group)
    told = {key: value for key, value in told.items() if key != "ResponseMetadata"}
    tags: dict[str, str] = {}
    if row.group != "default":
        group = ask("scheduler:GetScheduleGroup", scheduler.get_schedule_group, Name=row.group)
        answer = ask("scheduler:ListTagsForResource", scheduler.list_tags_for_resource, ResourceArn=group["Arn"])
        tags = {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}
    return Existing("schedule", row.group, told, (told["Target"],), tags)


def read_policies(things: Sequence[Existing], *, iam: IAMClient, ask: Asking | None = None) -> Policies:
    """
    Read the inline policies of the roles under which *things* run their tasks, and name those that are attached.

    Notes
    -----
    Needs ``iam:ListRolePolicies``, ``iam:GetRolePolicy`` and ``iam:ListAttachedRolePolicies``.
    """
    ask = ask or Asking()
    inline: list[InlinePolicy] = []
    attached: dict[str, tuple[str, ...]] = {}
    unknown: dict[str, str] = {}
    for role in dict.fromkeys(short(arn) for thing in things for arn in thing.roles):
        try:
            pages = ask.pages("iam:ListRolePolicies", iam.list_role_policies, RoleName=role)
            for name in [name for page in pages for name in page["PolicyNames"]]:
                told = ask("iam:GetRolePolicy", iam.get_role_policy, RoleName=role, PolicyName=name)
                inline.append(InlinePolicy(role, name, _document(told["PolicyDocument"])))
            listed = ask.pages("iam:ListAttachedRolePolicies", iam.list_attached_role_policies, RoleName=role)
            attached[role] = tuple(one["PolicyName"] for page in listed for one in page["AttachedPolicies"])
        except AwsError as error:
            unknown[role] = str(error)
    return Policies(tuple(inline), attached, unknown)


def _document(told: object) -> Mapping[str, Any]:
    """Return a policy as a mapping: botocore decodes what IAM sends, and leaves what it cannot."""
    document = json.loads(unquote(told)) if isinstance(told, str) else told
    return document if isinstance(document, Mapping) else {}
