"""What is to be adopted, as AWS has it: a rule with all its targets, a schedule with the tags of its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from ecs_runbook.adopt.reading import Reading
from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.machines import machine_of
from ecs_runbook.firing.schedules import DEFAULT_GROUP
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.selection import label
from ecs_runbook.moving.rule import tags_of

if TYPE_CHECKING:
    from ecs_runbook.inventory.model import Inventory, Row

_OF_RULE, _OF_GROUP = "events:ListTagsForResource", "scheduler:ListTagsForResource"
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
    machines
        By ARN, as DescribeStateMachine tells them, or AWS's refusal: those that its targets start.
    """

    kind: Literal["rule", "schedule"]
    group: str
    told: Mapping[str, Any] = field(repr=False)
    targets: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    tags: Mapping[str, str] = field(default_factory=dict)
    machines: Mapping[str, Mapping[str, Any] | AwsError] = field(default_factory=dict, repr=False, compare=False)

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
    found: Inventory, places: Fleet, *, only: Sequence[str] | None = None, progress: Bars | None = None
) -> Whole:
    """
    Read whole what an inventory found in one account and Region.

    Parameters
    ----------
    found
        From :func:`~ecs_runbook.inventory.listing.take_inventory` with *raw*: what it keeps is not asked for again.
    places
        The same place, from :func:`~ecs_runbook.inventory.fleet.fleet`.
    only
        Subjects of rows, as a check's findings name them; all rows if left out.
    progress
        Where to show how far it is.

    Returns
    -------
    Whole
        What an AWS service manages, what a stack of CloudFormation owns and what AWS does not tell of is left out and
        told, and the rest is read.

    Raises
    ------
    EvidenceError
        If there is nothing to adopt, or the inventory did not keep what AWS told.

    Notes
    -----
    Needs ``events:ListTagsForResource`` (a call a rule) and ``scheduler:ListTagsForResource`` (a call a group other
    than the default one). Rules, targets and schedules are those of the inventory, so a rule is two calls in all, its
    targets and its tags, beside the lists, and no fewer tell that. What changes meanwhile, the plan shows.
    """
    rows = [row for row in found.rows if only is None or row.subject in only]
    if not rows and not found.gaps:
        raise EvidenceError("There is nothing to adopt.", hint="Name a rule or a schedule that ends in ECS.")
    owners = {(row.kind == "schedule", row.group, row.owner.name): _thing(row) for row in rows}
    left = [LeftOut(gap.subject or "all", str(gap)) for gap in found.gaps]
    things = []
    for thing, tags in _tagged(list(owners.values()), places, progress):
        if isinstance(tags, AwsError):
            left.append(LeftOut(thing.label, str(tags)))
        elif why := _why_not(whole := replace(thing, tags=tags)):
            left.append(LeftOut(thing.label, why))
        else:
            things.append(whole)
    return Whole(tuple(things), tuple(left))


def _thing(row: Row) -> Existing:
    raw = row.raw
    if raw is None:
        hint = "Take it with raw = True."
        raise EvidenceError(f"The inventory did not keep what AWS told of {row.subject}.", hint=hint)
    machines = {arn: raw.machines[arn] for one in raw.targets if (arn := machine_of(one)) in raw.machines}
    kind: Literal["rule", "schedule"] = "schedule" if row.kind == "schedule" else "rule"
    return Existing(kind, row.group, raw.owner, tuple(raw.targets), machines=machines)


def _tagged(
    things: Sequence[Existing], places: Fleet, progress: Bars | None
) -> list[tuple[Existing, dict[str, str] | AwsError]]:
    """Return *things* with their tags, or why these are not told; nothing is asked of what AWS manages."""
    reading = Reading(places, progress)
    events, list_tags = reading.aws.client("events"), reading.aws.client("scheduler").list_tags_for_resource

    def of_rule(arn: str) -> dict[str, str]:
        return tags_of(arn, events=events, ask=reading.ask)

    def of_group(arn: str) -> dict[str, str]:
        told = reading.ask(_OF_GROUP, list_tags, ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}

    carriers = [(one.kind, _carrier(one)) for one in things]
    told: dict[str, dict[str, str] | AwsError] = {"": {}}
    told |= reading.each(_OF_RULE, of_rule, dict.fromkeys(arn for kind, arn in carriers if arn and kind == "rule"))
    told |= reading.each(_OF_GROUP, of_group, dict.fromkeys(arn for kind, arn in carriers if arn and kind != "rule"))
    reading.end(f"{len(things)} read whole")
    return [(one, told[arn]) for one, (_, arn) in zip(things, carriers, strict=True)]


def _carrier(thing: Existing) -> str:
    """Return the ARN of what carries the tags of *thing*; ``""`` if nothing does, or they are not needed."""
    if thing.told.get("ManagedBy") or (thing.kind == "schedule" and thing.group == DEFAULT_GROUP):
        return ""
    return str(thing.told["Arn"]) if thing.kind == "rule" else group_of(str(thing.told["Arn"]))


def group_of(schedule: str) -> str:
    """
    Return the ARN of the group of a schedule, from the schedule's.

    Examples
    --------
    >>> group_of("arn:aws:scheduler:eu-west-2:111122223333:schedule/batch/nightly")
    'arn:aws:scheduler:eu-west-2:111122223333:schedule-group/batch'
    """
    return schedule.replace(":schedule/", ":schedule-group/").rpartition("/")[0]


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
