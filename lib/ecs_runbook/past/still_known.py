"""What EventBridge, Scheduler and ECS know of it today: what is on a schedule, and since when revisions are there."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import pandas as pd

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence import attribution
from ecs_runbook.evidence.revisions import REVISION_COLUMNS, revisions
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.names import definition
from ecs_runbook.firing.rules import Rule
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.gate import gap_of
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Gap, Inventory, Place, Row
from ecs_runbook.past.facts import CALL, END
from ecs_runbook.past.sources import Told

_AT_ONCE = 8
_SHOWN = 10


@dataclass(frozen=True)
class StillKnown:
    """
    What is known today.

    Attributes
    ----------
    inventory
        What is on a schedule; None if that was not asked.
    revisions
        What ECS says of the families that ran: ``account``, ``region`` and
        :data:`~ecs_runbook.evidence.revisions.REVISION_COLUMNS`.
    gaps
        What ECS did not tell; what could not be listed stands in the inventory.
    """

    inventory: Inventory | None
    revisions: pd.DataFrame
    gaps: Sequence[Gap] = ()

    @property
    def rules(self) -> Mapping[tuple[str, str], Sequence[Rule]]:
        """The rules and schedules of each account and Region that run a task themselves, to tell whose a run was."""
        found: dict[tuple[str, str], dict[tuple[str, str], list[Row]]] = {}
        for row in self.inventory.rows if self.inventory else ():
            if not row.through:
                place = found.setdefault((row.place.account, row.place.region), {})
                place.setdefault((row.bus, attribution.label(row.owner)), []).append(row)
        return {
            place: [replace(own[0].owner, targets=tuple(row.target for row in own)) for own in owners.values()]
            for place, owners in found.items()
        }

    def __str__(self) -> str:
        return "\n".join(self._words())

    def _words(self) -> list[str]:
        if self.inventory is None:
            return ["Neither EventBridge nor ECS was asked: what never ran, and what is gone, is not known."]
        families = len(self.revisions.drop_duplicates(["account", "region", "family"]))
        off = sum(not row.owner.enabled for row in self.inventory.rows)
        disabled = f", {off:,} of them disabled" if off else ""
        told = f"ECS told of {len(self.revisions):,} revisions of {families:,} families"
        words = [f"{len(self.inventory.rows):,} targets end in ECS{disabled}; {told}."]
        gaps = [*self.inventory.gaps, *self.gaps]
        words += [f"Not told: {gap.place or 'everywhere'}: {gap}" for gap in gaps[:_SHOWN]]
        return words + ([f"and {len(gaps) - _SHOWN} more gaps"] if len(gaps) > _SHOWN else [])

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(word)}</p>" for word in self._words())


def still_known(
    fleet: Fleet, told: Told, *, since: datetime, ask: bool = True, progress: Bars | None = None
) -> StillKnown:
    """
    Ask what is on a schedule today, and since when the revisions are there of all that ran.

    Parameters
    ----------
    fleet
        The accounts and Regions, from :func:`~ecs_runbook.inventory.fleet.fleet`.
    told
        What a source told of the past.
    since
        Of revisions no more is asked than is needed to know the latest one from here on.
    ask
        Whether anything is asked at all.
    progress
        Where to show how far it is.

    Notes
    -----
    Needs what :func:`~ecs_runbook.inventory.listing.take_inventory` needs, ``ecs:ListTaskDefinitions`` and
    ``ecs:DescribeTaskDefinition``.
    """
    if not ask:
        return StillKnown(None, _frame([]))
    inventory = take_inventory(fleet, progress=progress)
    wanted = [one for one in _families(told, inventory) if one[0] in set(fleet.places)]
    tables, gaps = [], []
    answers = fleet.gate.side_by_side(partial(_of, fleet=fleet, since=since), wanted, workers=_AT_ONCE)
    for number, ((place, family), answer) in enumerate(answers, start=1):
        if isinstance(answer, AwsError):
            gaps.append(gap_of(answer, place=place, subject=family))
        else:
            tables.append(answer.assign(account=place.account, region=place.region))
        if progress:
            progress.row("revisions", number / len(wanted), f"{number} of {len(wanted)} families")
    return StillKnown(inventory, _frame(tables), tuple(gaps))


def _of(one: tuple[Place, str], *, fleet: Fleet, since: datetime) -> pd.DataFrame:
    place, family = one
    return revisions(family, ecs=fleet.at(place).client("ecs"), since=since, ask=fleet.ask(place))


def _families(told: Told, inventory: Inventory) -> list[tuple[Place, str]]:
    ran = told.facts.loc[told.facts["what"].isin([CALL, END])]
    found = {
        (Place(account, region), definition(name).family)
        for column in ("executed", "requested")
        for account, region, name in ran[["account", "region", column]].drop_duplicates().itertuples(index=False)
        if name
    }
    return sorted(found | {(row.place, row.request.family) for row in inventory.rows if row.request.family})


def _frame(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    columns = ["account", "region", *REVISION_COLUMNS]
    some = [one for one in tables if len(one)]
    return pd.concat(some, ignore_index=True)[columns] if some else pd.DataFrame(columns=columns)
