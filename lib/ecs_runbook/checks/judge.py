"""Judge the inventory: every check of every row, from what AWS said; nothing here asks AWS."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from ecs_runbook.checks import contents, networks, permissions, queues, targets, times
from ecs_runbook.checks.durations import took
from ecs_runbook.checks.findings import Finding
from ecs_runbook.checks.happened import judge_happened
from ecs_runbook.checks.saying import Check, Scene, skip_at
from ecs_runbook.checks.settings import Settings
from ecs_runbook.inventory.model import Facts, Inventory, Place, Row
from ecs_runbook.inventory.runs import Happened
from ecs_runbook.wanted.schedule import zone_named

if TYPE_CHECKING:
    import pandas as pd

CHECKS: Mapping[str, Check] = {
    **targets.CHECKS,
    **networks.CHECKS,
    **permissions.CHECKS,
    **times.CHECKS,
    **queues.CHECKS,
    **contents.CHECKS,
}
"""The checks about the definition of a schedule, by what they find."""

_EVEN_IF_DORMANT = frozenset({"schedule-disabled", "schedule-never-again", "dead-letters-waiting"})


def judge(
    inventory: Inventory,
    facts: Mapping[Place, Facts],
    happened: Happened | None = None,
    *,
    now: datetime,
    zone: str = "UTC",
    settings: Settings | None = None,
    past: pd.DataFrame | None = None,
) -> list[Finding]:
    """
    Judge every row by every check that applies to it.

    Parameters
    ----------
    inventory
        What is on a schedule. Its gaps become SKIP findings of the check ``inventory``.
    facts
        What AWS says of what the rows of each place name; a place without any is SKIP.
    happened
        What the rows ran; nothing is judged of that if it is left out.
    now
        Aware.
    zone
        IANA name of the reader's time zone.
    settings
        Which checks are off, or of another severity.
    past
        How long earlier runs took, columns ``account``, ``region``, ``subject``, ``started_at`` and ``seconds``.

    Returns
    -------
    list of Finding
        By row, in the order of the checks. What a row does wrong that fires no more is a note: it harms nobody until
        somebody enables it.

    Raises
    ------
    SpecError
        If *zone* is not an IANA time zone.
    """
    settings, reader = settings or Settings(), zone_named(zone)
    found = [skip_at("inventory", gap.place or Place("", ""), gap.subject or "all", gap) for gap in inventory.gaps]
    rows: dict[Place, list[Row]] = defaultdict(list)
    for row in inventory.rows:
        rows[row.place].append(row)
    lasts: dict[Place, dict[str, Sequence[float]]] = defaultdict(dict)
    for (place, subject), runs in took(past, happened.runs if happened else None).items():
        lasts[place][subject] = [seconds for _, seconds in runs]
    on = dict.fromkeys(check for name, check in CHECKS.items() if name not in settings.off)
    for place, own in rows.items():
        scene = Scene(facts.get(place, Facts(place)), now, reader, zone, lasts[place])
        for row in own:
            said = (finding for check in on for finding in check(row, scene))
            found += _milder(_as_set(said, settings), times.dormant(row, scene))
        found += _as_set(queues.of_place(place, own, scene), settings)
    if happened is not None:
        found += _as_set(judge_happened(inventory, happened, zone=zone, past=past), settings)
    return found


def _as_set(found: Iterable[Finding], settings: Settings) -> Iterator[Finding]:
    """Yield what the settings leave, as grave as they say."""
    for finding in found:
        if finding.check not in settings.off:
            severity = settings.severities.get(finding.check, finding.severity)
            yield finding if severity == finding.severity else replace(finding, severity=severity)


def _milder(found: Iterable[Finding], dormant: str) -> Iterator[Finding]:
    """Yield what is wrong with a row that fires no more as notes: it harms nobody until somebody enables it."""
    for finding in found:
        graver = finding.status == "NG" and finding.severity != "note" and finding.check not in _EVEN_IF_DORMANT
        if dormant and graver:
            yield replace(finding, severity="note", because=f"{finding.because} ({dormant})")
        else:
            yield finding
