"""Where a family stands: the revision to go back to, the newest one, what runs it, and the three ways back."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from ecs_runbook.errors import AwsError, EvidenceError, Fault, SpecError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.calls import moment, records
from ecs_runbook.firing.names import definition
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.model import Inventory, Place, Row
from ecs_runbook.rollback import journal
from ecs_runbook.rollback.content import Content, difference, read_content
from ecs_runbook.rollback.users import rows_of

if TYPE_CHECKING:
    import pandas as pd

WayName = Literal["register", "deregister", "pin"]
WAYS: tuple[WayName, ...] = ("register", "deregister", "pin")

PRICES: Mapping[WayName, str] = {
    "register": (
        "At once: the next firing runs it. The history stays, and the number goes up. The bad revision stays ACTIVE, "
        "and whoever is pinned to it goes on with it."
    ),
    "deregister": (
        "For up to ten minutes the bad revision may still run (botocore, DeregisterTaskDefinition). It never becomes "
        "ACTIVE again; a target that is pinned to it is refused from then on. The number that runs is an old one."
    ),
    "pin": (
        "Only the schedules that are listed, each at its next firing. They stay on that revision until somebody lets "
        "go of it: no deploy reaches them, and 60_check calls it pinned-revision every day. Where Terraform makes the "
        "schedule, its next apply takes the pin away."
    ),
}


@dataclass(frozen=True)
class Step:
    """
    One change.

    Attributes
    ----------
    id
        ``register``, ``deregister nightly:8``, ``pin everyday2am``.
    operation
        The call, as IAM names it.
    does
        In words.
    on
        What the call needs to know: names alone, no values.
    """

    id: str
    operation: str
    does: str
    on: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """A way back: its price, what it would change, step by step, and why it cannot be gone, if it cannot."""

    name: WayName
    price: str
    steps: tuple[Step, ...]
    undo: str
    hindrance: str = ""


@dataclass(frozen=True)
class Situation:
    """
    Where a family stands.

    Attributes
    ----------
    family, place
        Whose.
    good
        The revision to go back to.
    newest
        The latest ACTIVE one, which every schedule without a revision runs now.
    bad
        Names of the ACTIVE revisions that are newer than the good one, newest first.
    rows
        What is on a schedule and follows the latest revision.
    pinned
        What is on a schedule and names the good revision already.
    by_terraform
        Whether Terraform registered the newest one; None if CloudTrail does not show who did.
    alone
        Whether no revision was named, and none says anything else than the newest: that one is *good* then.
    unseen
        What of the inventory could not be listed, in words: then there may be more *rows* than these.
    """

    family: str
    place: Place
    good: Content
    newest: Content
    bad: tuple[str, ...]
    rows: tuple[Row, ...] = ()
    pinned: tuple[Row, ...] = ()
    by_terraform: bool | None = None
    alone: bool = False
    unseen: str = ""

    @property
    def nothing(self) -> str:
        """That there is nothing to go back to, where the newest revision stands for the good one; else empty."""
        return (
            f"{self.newest.name} runs, and no other ACTIVE revision of {self.family} says anything else: there is "
            "nothing to go back to. An INACTIVE one can be registered again, if it is named."
            if self.alone
            else ""
        )

    @property
    def done(self) -> bool:
        """Whether what runs now is already what the good revision says."""
        return self.newest.same_as(self.good)

    def way(self, name: WayName) -> Way:
        """Return one of the three ways."""
        steps, hindrance, undo = {"register": self._register, "deregister": self._deregister, "pin": self._pin}[name]()
        return Way(name, PRICES[name], steps, undo, hindrance)

    def _register(self) -> tuple[tuple[Step, ...], str, str]:
        does = f"registers what {self.good.name} says as the newest revision of {self.family}"
        step = Step("register", "ecs:RegisterTaskDefinition", does, {"content": self.good.name})
        return (step,), "", f"deregisters the new revision, so that {self.newest.name} is the latest again"

    def _deregister(self) -> tuple[tuple[Step, ...], str, str]:
        does = "deregisters {}; then {} is the latest ACTIVE one"
        order = [*self.bad[1:], self.good.name] if self.bad else []
        steps = tuple(
            Step(f"deregister {bad}", "ecs:DeregisterTaskDefinition", does.format(bad, then), {"name": bad})
            for bad, then in zip(self.bad, order, strict=True)
        )
        inactive = f"{self.good.name} is {self.good.status}: it could not become the latest. Take way = register."
        undo = f"registers what {self.newest.name} says as the newest revision: it cannot become ACTIVE itself"
        return steps, "" if self.good.status == "ACTIVE" else inactive, undo

    def _pin(self) -> tuple[tuple[Step, ...], str, str]:
        steps: list[Step] = []
        left: list[Row] = []
        for row in self.rows:
            if row.through:
                left.append(row)
                continue
            operation = "scheduler:UpdateSchedule" if row.kind == "schedule" else "events:PutTargets"
            on = {"kind": row.kind, "group": row.group, "name": row.owner.name, "target": row.target.id}
            steps.append(Step(f"pin {row.subject}", operation, f"lets {row.subject} run {self.good.name}", on))
        hindrance = ""
        if self.good.status != "ACTIVE":
            hindrance = f"{self.good.name} is {self.good.status}: ECS would refuse every firing. Take way = register."
        elif left:
            names = ", ".join(dict.fromkeys(row.through.rpartition(":stateMachine:")[2] for row in left))
            hindrance = (
                f"{', '.join(row.subject for row in left)} runs through a state machine, {names}, whose definition is "
                f"not changed here: it would go on with the latest. By hand: let TaskDefinition of its state that runs "
                f"the task name {self.good.arn}, where the definition is made (definition of aws_sfn_state_machine in "
                "Terraform, else states:UpdateStateMachine; what starts a version or an alias needs a new version), "
                "then run this again with way = pin. Or take way = register, which reaches it too and needs none of "
                "that."
            )
        elif self.unseen:
            hindrance = (
                f"what is on a schedule is not known whole ({self.unseen}): what was not seen would go on with the "
                "latest. Look again, or take way = register, which reaches all."
            )
        elif not steps and not self.pinned:
            hindrance = "nothing on a schedule follows the latest revision of this family."
        return tuple(steps), hindrance, "lets each of them run the latest revision again"

    def next_apply(self) -> str:
        """Return what the next ``terraform apply`` would do to a way back, and what to change."""
        if self.by_terraform is False:
            return f"Terraform did not register {self.newest.name}."
        begin = (
            f"Terraform registered {self.newest.name}:"
            if self.by_terraform
            else f"Who registered {self.newest.name} is not in CloudTrail's history: if it was Terraform,"
        )
        return (
            f"{begin} its files still say what the bad revision says: the next apply that finds any difference "
            f"registers that again, and it is the latest. Put into the files what {self.good.name} says (the "
            "difference above), then plan: with track_latest = true, or after deregister, even a plan without another "
            "change brings the bad one back."
        )

    def _repr_html_(self) -> str:
        if self.alone:
            return f"<p>{html.escape(self.nothing)}</p>"
        ways = [self.way(name) for name in WAYS]
        head = "".join(
            f'<th style="text-align:left">{word}</th>' for word in ("way", "price", "what it would change", "undo")
        )
        rows = "".join(
            "<tr>"
            + "".join(
                f'<td style="text-align:left;vertical-align:top">{cell}</td>'
                for cell in (
                    f"<b>{way.name}</b>",
                    html.escape(way.price),
                    html.escape(way.hindrance) or "<br>".join(html.escape(step.does) for step in way.steps),
                    html.escape(way.undo),
                )
            )
            + "</tr>"
            for way in ways
        )
        title = f"from {self.newest.name} back to {self.good.name}"
        same = "<p>What runs now is already what it says: there is nothing to go back from.</p>" if self.done else ""
        return (
            f"<p><b>{html.escape(title)}</b></p>{same}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
            f"<p>{html.escape(self.next_apply())}</p>"
        )

    def __str__(self) -> str:
        if self.alone:
            return self.nothing
        lines = [f"from {self.newest.name} back to {self.good.name}"]
        for name in WAYS:
            way = self.way(name)
            lines += [
                f"{name}: {way.price}",
                *(f"    {step.does}" for step in way.steps),
                f"    {way.hindrance}".rstrip(),
            ]
        return "\n".join(line for line in [*lines, self.next_apply()] if line)


@dataclass(frozen=True)
class Compared:
    """Two revisions, the older one first, and what is not the same in them."""

    older: Content
    newer: Content
    table: pd.DataFrame

    def __str__(self) -> str:
        same = f"{self.older.name} and {self.newer.name} say the same"
        return same if self.table.empty else f"from {self.older.name} to {self.newer.name}\n{self.table.to_string()}"

    def _repr_html_(self) -> str:
        if self.table.empty:
            return f"<p>{html.escape(str(self))}</p>"
        title = f"from {self.older.name} to {self.newer.name}"
        return f"<p><b>{html.escape(title)}</b></p>{self.table.to_html(index=False)}"


def compared(where: Situation, fleet: Fleet, two: Sequence[int | str] = ()) -> Compared:
    """
    Return what is not the same in two revisions: the one to go back to and the newest, or any two that are named.

    Parameters
    ----------
    where
        From :func:`situation`.
    fleet
        The same place.
    two
        Two numbers of revisions, in any order; empty for the one to go back to and the newest.

    Raises
    ------
    SpecError
        If it is another number of them.
    EvidenceError
        If there is no such revision.

    Notes
    -----
    Needs ``ecs:DescribeTaskDefinition``.
    """
    if two and len(two) != 2:
        fault = Fault("compare", repr(list(two)), "name two revisions, such as [6, 8], or none: []")
        raise SpecError("There is nothing to compare.", faults=[fault])
    older, newer = where.good, where.newest
    if two:
        ecs, ask = fleet.at(where.place).client("ecs"), fleet.ask(where.place)
        named = [_named(where.family, str(one), where.place, ecs, ask, name="compare") for one in two]
        older, newer = sorted(named, key=lambda one: one.revision)
    return Compared(older, newer, difference(older, newer))


def situation(family: str, to: int | str, fleet: Fleet, found: Inventory) -> Situation:
    """
    Look where a family stands, seen from the revision to go back to. Changes nothing.

    Parameters
    ----------
    family
        Task definition family.
    to
        The revision to go back to: ``6``, ``nightly:6`` or its ARN; ``0`` or ``""`` for that of the last way back,
        else for the newest ACTIVE one before the latest that says something else.
    fleet
        One place, from :func:`~ecs_runbook.inventory.fleet.fleet`.
    found
        What is on a schedule there.

    Raises
    ------
    SpecError
        If *to* is no revision of the family.
    EvidenceError
        If there is no such family, or no such revision.

    Notes
    -----
    Needs ``ecs:DescribeTaskDefinition``, ``ecs:ListTaskDefinitions`` and ``cloudtrail:LookupEvents`` (one call; without
    it, it is not known whether Terraform registered the newest).
    """
    place = fleet.places[0]
    ecs, ask = fleet.at(place).client("ecs"), fleet.ask(place)
    newest = read_content(family, ecs=ecs, ask=ask)
    if newest is None or definition(newest.arn).family != family:
        hint = "Name the family alone: nightly, without a revision."
        raise EvidenceError(f"family = {family!r}: it has no ACTIVE revision in {place}.", hint=hint)
    pages = ask.pages(
        "ecs:ListTaskDefinitions", ecs.list_task_definitions, familyPrefix=family, status="ACTIVE", sort="DESC"
    )
    listed = (arn for page in pages for arn in page["taskDefinitionArns"] if definition(arn).family == family)
    newer: list[str] = []
    last = journal.read(family, fleet.at(place))
    if wanted := str(to or (last.to if last and last.state != "undone" else "")):
        good = _named(family, wanted, place, ecs, ask)
        for arn in listed:
            if (definition(arn).revision or 0) <= good.revision:
                break
            newer.append(str(definition(arn)))
    else:
        found_good = None
        for arn in listed:
            content = newest if arn == newest.arn else read_content(arn, ecs=ecs, ask=ask)
            if content is not None and not content.same_as(newest):
                found_good = content
                break
            newer.append(str(definition(arn)))
        good = found_good or newest
        newer = newer if found_good else []
    alone = not wanted and good is newest
    every = rows_of(family, place, found)
    rows = tuple(row for row in every if row.request.revision is None)
    pinned = tuple(row for row in every if row.request.revision == good.revision)
    terraform, unseen = _by_terraform(newest, place, fleet), "; ".join(dict.fromkeys(map(str, found.gaps)))
    return Situation(family, place, good, newest, tuple(newer), rows, pinned, terraform, alone, unseen)


def _named(family: str, to: str, place: Place, ecs: Any, ask: Asking, *, name: str = "to") -> Content:
    text = f"{family}:{to}" if re.fullmatch(r"\d+", to) else to
    named = definition(text)
    if named.family != family or named.revision is None:
        mend = f"name a revision of {family}: 6, {family}:6, or its ARN"
        raise SpecError("There is no going back to that.", faults=[Fault(name, repr(to), mend)])
    good = read_content(f"{family}:{named.revision}", ecs=ecs, ask=ask)
    if good is None:
        raise EvidenceError(
            f"{name} = {to!r}: ECS knows no {family}:{named.revision} in {place}.",
            hint="Take one of the revisions in the table.",
        )
    return good


def _by_terraform(newest: Content, place: Place, fleet: Fleet) -> bool | None:
    """Look up who registered *newest*: Terraform's provider names itself in the user agent."""
    registered = moment(newest.raw.get("registeredAt"))
    if registered is None:
        return None
    cloudtrail, ask = fleet.at(place).client("cloudtrail"), fleet.ask(place)
    around: dict[str, Any] = {"since": registered - timedelta(seconds=5), "until": registered + timedelta(seconds=60)}
    try:
        for page in records("RegisterTaskDefinition", cloudtrail=cloudtrail, ask=ask, limiter=None, **around):
            for record in page:
                if _made(record) == newest.name:
                    return "terraform" in str(record.get("userAgent", "")).lower()
    except AwsError:
        return None
    return None


def _made(record: object) -> str:
    """Return the revision that a record of RegisterTaskDefinition made."""
    answer = record.get("responseElements") if isinstance(record, Mapping) else None
    told = answer.get("taskDefinition") if isinstance(answer, Mapping) else None
    return f"{told.get('family')}:{told.get('revision')}" if isinstance(told, Mapping) else ""


def way_named(name: str) -> WayName:
    """
    Return the way of that name.

    Raises
    ------
    SpecError
        If there is none.

    Examples
    --------
    >>> way_named("revert")
    Traceback (most recent call last):
    ecs_runbook.errors.SpecError: There is no such way back.
      - way = 'revert': write register, deregister or pin
    """
    for way in WAYS:
        if way == name:
            return way
    raise SpecError(
        "There is no such way back.", faults=[Fault("way", repr(name), "write register, deregister or pin")]
    )
