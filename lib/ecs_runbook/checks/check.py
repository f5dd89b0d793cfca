"""Check an inventory: ask AWS for what its rows name and for what happened, judge both, and hand back all of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_runbook.checks.findings import Checked
from ecs_runbook.checks.judge import judge
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.checks.scope import looks_at_runs, scope_of
from ecs_runbook.checks.settings import Settings, read_settings
from ecs_runbook.firing.asking import Bars
from ecs_runbook.inventory.facts import facts
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.model import Inventory
from ecs_runbook.inventory.runs import Witness, runs
from ecs_runbook.wanted.schedule import zone_named

if TYPE_CHECKING:
    import pandas as pd


def check(
    fleet: Fleet,
    found: Inventory,
    *,
    since: datetime,
    until: datetime,
    zone: str = "UTC",
    settings: Settings | Path | str | None = None,
    past: pd.DataFrame | None = None,
    progress: Bars | None = None,
    witness: Witness | None = None,
) -> Checked:
    """
    Check what is on a schedule: its definition, and what happened from *since* to *until*.

    Parameters
    ----------
    fleet
        Where the rows are from, from :func:`~ecs_runbook.inventory.fleet.fleet`.
    found
        The inventory, from :func:`~ecs_runbook.inventory.listing.take_inventory`.
    since, until
        The range, aware; *until* is taken for the present.
    zone
        IANA name of the reader's time zone.
    settings
        Which checks are off, or of another severity: what the settings file says, or its path; ``""`` for none. What
        no other check looks at is not asked for then.
    past
        How long earlier runs took, columns ``account``, ``region``, ``subject``, ``started_at`` and ``seconds``.
    progress
        Where to show how far it is.
    witness
        Who is told of what AWS said of the runs, for to keep it.

    Returns
    -------
    Checked
        What may not be asked is SKIP, and the rest is judged all the same.

    Raises
    ------
    SpecError
        If *zone* or *settings* are not what they must be; before anything is asked.

    Notes
    -----
    Needs what :func:`~ecs_runbook.inventory.facts.facts` and :func:`~ecs_runbook.inventory.runs.runs` need, all of it
    reading.
    """
    zone_named(zone)
    chosen = settings if isinstance(settings, Settings) else read_settings(settings) if settings else Settings()
    on = KINDS.keys() - chosen.off.keys()
    known = facts(fleet, found, scope=scope_of(on), progress=progress)
    happened = None
    if looks_at_runs(on):
        how: Any = {"facts": known, "judged": "runs-latest" in on, "progress": progress, "witness": witness}
        happened = runs(fleet, found, since=since, until=until, **how)
    findings = judge(found, known, happened, now=until, zone=zone, settings=chosen, past=past)
    ran = happened.runs if happened else None
    return Checked(found, findings, ran, dict(fleet.gate.counts), chosen.off, known)
