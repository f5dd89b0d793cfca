"""Which rules and schedules are adopted: those that are named, or all that a check finds to be not good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ecs_runbook.checks.check import check
from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Inventory, Row

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
        By subject of a row, the ids of the checks that are NG; empty where things were named.
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
        All of which a check finds something NG; then none are named.
    progress
        Where to show how far it is.

    Raises
    ------
    SpecError
        If neither is given, or both are.
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
    inventory = take_inventory(fleet, rules=rules, schedules=schedules, progress=progress)
    if named:
        return Choice(inventory, {})
    checked = check(fleet, inventory, since=now - _WINDOW, until=now, progress=progress)
    found: dict[str, list[str]] = {}
    for one in checked.findings:
        if one.status == "NG":
            found.setdefault(one.subject, []).append(one.check)
    rows = [row for row in inventory.rows if _names(row) & set(found)]
    return Choice(replace(inventory, rows=tuple(rows)), found)


def _names(row: Row) -> set[str]:
    return {row.subject, row.owner.name}
