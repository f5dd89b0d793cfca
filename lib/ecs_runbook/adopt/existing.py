"""What is to be adopted, as AWS has it: a rule with all its targets, a schedule with the tags of its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.inventory.selection import label
from ecs_runbook.moving.rule import every_target, tags_of, told_of_rule

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

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
        return label(self.group, self.name)

    @property
    def places(self) -> list[str]:
        """What its targets are called: ``<label>#<id>`` of a rule, the label of a schedule."""
        return [f"{self.label}#{one['Id']}" if self.kind == "rule" else self.label for one in self.targets]

    @property
    def stack(self) -> str:
        """The stack of CloudFormation that made it, by its tag; ``""`` if there is none."""
        return self.tags.get(_STACK, "")


@dataclass(frozen=True)
class LeftOut:
    """What is not adopted, and why."""

    of: str
    because: str

    def __str__(self) -> str:
        return f"{self.of}: {self.because}"


@dataclass(frozen=True)
class Whole:
    """
    What can be adopted, read whole, and what cannot.

    Attributes
    ----------
    things
        In the order of the inventory.
    left_out
        What somebody else owns, what AWS did not tell of, and what could not be looked at.
    """

    things: tuple[Existing, ...]
    left_out: tuple[LeftOut, ...] = ()

    def __str__(self) -> str:
        told = [f"{len(self.things)} read whole"]
        return "; ".join([*told, *(f"left out: {one}" for one in self.left_out)])


def existing(
    found: Inventory,
    *,
    events: EventBridgeClient,
    scheduler: Any,
    only: Sequence[str] | None = None,
    ask: Asking | None = None,
) -> Whole:
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

    Returns
    -------
    Whole
        What an AWS service manages, what a stack of CloudFormation owns and what AWS does not tell of is left out and
        told, and the rest is read.

    Raises
    ------
    EvidenceError
        If there is nothing to adopt.

    Notes
    -----
    Needs ``events:DescribeRule``, ``events:ListTargetsByRule``, ``events:ListTagsForResource``,
    ``scheduler:GetSchedule`` and, for a group other than the default one, ``scheduler:GetScheduleGroup`` and
    ``scheduler:ListTagsForResource``.
    """
    ask = ask or Asking()
    rows = [row for row in found.rows if only is None or row.subject in only]
    if not rows and not found.gaps:
        raise EvidenceError("There is nothing to adopt.", hint="Name a rule or a schedule that ends in ECS.")
    things: list[Existing] = []
    left = [LeftOut(gap.subject or "all", str(gap)) for gap in found.gaps]
    groups: dict[str, dict[str, str]] = {"default": {}}
    for (kind, group, name), row in {(row.kind == "schedule", row.group, row.owner.name): row for row in rows}.items():
        try:
            thing = _schedule(row, scheduler, ask, groups) if kind else _rule(row, events, ask)
        except AwsError as error:
            left.append(LeftOut(label(group, name), str(error)))
            continue
        if why := _why_not(thing):
            left.append(LeftOut(thing.label, why))
        else:
            things.append(thing)
    return Whole(tuple(things), tuple(left))


def _why_not(thing: Existing) -> str:
    if manager := thing.told.get("ManagedBy"):
        return f"{manager} manages it, and nobody else may change it"
    if thing.stack and thing.kind == "rule":
        return (
            f"the stack {thing.stack} owns it: mend it there, or let the stack go of it first, DeletionPolicy: Retain"
        )
    if thing.stack:
        return f"the stack {thing.stack} owns its group, and so perhaps it too: mend it there, or move it first"
    return ""


def _rule(row: Row, events: EventBridgeClient, ask: Asking) -> Existing:
    told = told_of_rule(row.owner.name, bus=row.bus, events=events, ask=ask)
    if told.get("ManagedBy"):
        return Existing("rule", row.bus, told)
    targets = every_target(row.owner.name, bus=row.bus, events=events, ask=ask)
    return Existing("rule", row.bus, told, tuple(targets), tags_of(str(told["Arn"]), events=events, ask=ask))


def _schedule(row: Row, scheduler: Any, ask: Asking, groups: dict[str, dict[str, str]]) -> Existing:
    told = ask("scheduler:GetSchedule", scheduler.get_schedule, Name=row.owner.name, GroupName=row.group)
    told = {key: value for key, value in told.items() if key != "ResponseMetadata"}
    if row.group not in groups:
        group = ask("scheduler:GetScheduleGroup", scheduler.get_schedule_group, Name=row.group)
        answer = ask("scheduler:ListTagsForResource", scheduler.list_tags_for_resource, ResourceArn=group["Arn"])
        groups[row.group] = {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}
    return Existing("schedule", row.group, told, (told["Target"],), groups[row.group])
