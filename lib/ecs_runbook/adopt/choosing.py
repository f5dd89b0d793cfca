"""Which rules and schedules are adopted: those that are named, or all that a check finds to be not good."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ecs_runbook.adopt.mends import ALSO
from ecs_runbook.checks.check import check
from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Inventory
from ecs_runbook.inventory.selection import label
from ecs_runbook.wanted.schedule import shortened

_NOT_THERE = "it is not among what is adopted; nearest: {}"
_WINDOW = timedelta(hours=26)


@dataclass(frozen=True)
class Choice:
    """
    What is to be adopted.

    Attributes
    ----------
    inventory
        Its rows alone.
    found
        By subject of a row, the ids of the checks for which it was chosen; empty where things were named.
    """

    inventory: Inventory
    found: dict[str, list[str]]

    def __str__(self) -> str:
        owners = {(row.kind, row.group, row.owner.name) for row in self.inventory.rows}
        return f"{len(owners)} to adopt: {', '.join(sorted(name for *_, name in owners))}"


def to_adopt(
    fleet: Fleet,
    *,
    now: datetime,
    rules: Sequence[str] = (),
    schedules: Sequence[str] = (),
    all_found: bool = False,
    leave_out: Sequence[str] = (),
    mend: Sequence[str] = (),
    progress: Bars | None = None,
) -> Choice:
    """
    Find what is to be adopted in one account and Region.

    Parameters
    ----------
    fleet
        Where to look, from :func:`~ecs_runbook.inventory.fleet.fleet`: one account, one Region.
    now
        Aware.
    rules, schedules
        Names, as :func:`~ecs_runbook.inventory.listing.take_inventory` takes them.
    all_found
        All of which a check finds an error or a warning, or what *mend* names; then none are named.
    leave_out
        Names of those that are not to be adopted all the same.
    mend
        As :func:`~ecs_runbook.adopt.adopt.adopt_in_terraform` takes them: what they name has to be there.
    progress
        Where to show how far it is.

    Raises
    ------
    SpecError
        If neither is given, or both are; or if a mend is of something that is not adopted.
    EvidenceError
        If a name is given that is not there.

    Notes
    -----
    Needs what the inventory needs, and for *all_found* what a check needs.
    """
    named = bool(rules or schedules)
    if named == all_found:
        mend = "name rules or schedules, or write True for all that a check finds; not both"
        raise SpecError("What shall be adopted?", faults=[Fault("all_found", repr(all_found), mend)])
    inventory = take_inventory(fleet, rules=rules, schedules=schedules, raw=True, progress=progress)
    if named:
        return _held_to(mend, _without(leave_out, Choice(inventory, {})))
    checked = check(fleet, inventory, since=now - _WINDOW, until=now, progress=progress)
    meant = {_mend(one) for one in mend}
    found: dict[str, list[str]] = {}
    for one in checked.findings:
        if one.status == "NG" and (one.severity != "note" or ALSO.get(one.check, one.check) in meant):
            found.setdefault(one.subject, []).append(one.check)
    rows = [row for row in inventory.rows if row.subject in found]
    return _held_to(mend, _without(leave_out, Choice(replace(inventory, rows=tuple(rows)), found)))


def _mend(told: str) -> str:
    return ALSO.get(name := told.partition(" of ")[0], name)


def _without(names: Sequence[str], choice: Choice) -> Choice:
    rows = choice.inventory.rows
    there = {label(row.group, row.owner.name) for row in rows}
    if faults := [
        Fault("leave_out", shortened(one), _NOT_THERE.format(_near(one, there))) for one in names if one not in there
    ]:
        raise SpecError("That cannot be left out:", faults=faults)
    kept = tuple(row for row in rows if label(row.group, row.owner.name) not in names)
    return replace(choice, inventory=replace(choice.inventory, rows=kept))


def _near(one: str, there: Collection[str]) -> str:
    return ", ".join(difflib.get_close_matches(one, there, n=3, cutoff=0.5) or sorted(there)[:3]) or "none"


def _held_to(mend: Sequence[str], choice: Choice) -> Choice:
    """Return *choice*, unless a mend names what is not in it."""
    rows = choice.inventory.rows
    there = {label(row.group, row.owner.name) for row in rows}
    there |= {f"{label(row.group, row.owner.name)}#{row.target.id}" for row in rows if row.kind != "schedule"}
    faults = []
    for one in mend:
        of = one.partition(" of ")[2].strip()
        if of and of not in there:
            faults.append(Fault("mend", shortened(one), _NOT_THERE.format(_near(of, there))))
    if faults:
        raise SpecError("Nothing can be mended like this:", faults=faults)
    return choice
