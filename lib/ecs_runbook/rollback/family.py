"""The last revisions of a family: who registered each, when, with which images, and how it ran."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from ecs_runbook.evidence.revisions import listed
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.names import definition
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.model import Inventory
from ecs_runbook.inventory.runs import runs
from ecs_runbook.rollback.content import read_content
from ecs_runbook.rollback.users import rows_of

if TYPE_CHECKING:
    import pandas as pd

LAST_COLUMNS = ["revision", "status", "registered_at", "registered_by", "images", "runs", "last_run", "ended"]


def last_revisions(
    family: str, fleet: Fleet, found: Inventory, *, hours: float = 72, last: int = 10, progress: Bars | None = None
) -> pd.DataFrame:
    """
    Return the newest revisions of *family*, newest first.

    Parameters
    ----------
    family
        Task definition family.
    fleet
        One place, from :func:`~ecs_runbook.inventory.fleet.fleet`.
    found
        What is on a schedule there, from :func:`~ecs_runbook.inventory.listing.take_inventory`.
    hours
        How far back runs are looked at.
    last
        How many, also of those that are INACTIVE.
    progress
        Where to show how far it is.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`LAST_COLUMNS`: ``runs`` counts those of schedules, ``ended`` says how the last of them did.
        What ECS does not tell of a revision is empty. An unknown family gives an empty frame with the same columns.

    Notes
    -----
    Needs ``ecs:ListTaskDefinitions``, ``ecs:DescribeTaskDefinition`` (a call a revision), and what
    :func:`~ecs_runbook.inventory.runs.runs` needs.
    """
    import pandas as pd

    place = fleet.places[0]
    until = fleet.at(place).now()
    own = replace(found, rows=tuple(rows_of(family, place, found)))
    ran = runs(fleet, own, since=until - timedelta(hours=hours), until=until, progress=progress).runs
    ecs, ask = fleet.at(place).client("ecs"), fleet.ask(place)
    rows: list[dict[str, Any]] = []
    for arn, status in islice(listed(family, ecs=ecs, ask=ask), last):
        told = read_content(arn, ecs=ecs, ask=ask)
        number = definition(arn).revision or 0
        row: dict[str, Any] = {"revision": number, "status": told.status if told else status}
        if told:
            row |= {"registered_at": moment(told.raw.get("registeredAt")), "registered_by": told.registered_by}
            row |= {"images": ", ".join(told.images)}
        rows.append(row | _ran(number, family, ran))
    table = pd.DataFrame(rows, columns=LAST_COLUMNS)
    texts = {name: table[name].fillna("") for name in ("registered_by", "images", "ended")}
    times = {name: pd.to_datetime(table[name], utc=True) for name in ("registered_at", "last_run")}
    return table.assign(**texts, **times).astype({"revision": "Int64", "runs": "Int64"})


def _ran(number: int, family: str, ran: pd.DataFrame) -> dict[str, Any]:
    own = ran[ran["executed"].eq(number) & ran["requested"].astype(str).str.split(":").str[0].eq(family)]
    if own.empty:
        return {"runs": 0}
    newest = own.sort_values("time").iloc[-1]
    # a task that runs yet, or that ECS has forgotten, has none
    known = newest.notna()
    ended = str(newest["error"]) if known["error"] else ""
    ended = ended or (f"exit code {newest['exit_code']}" if known["exit_code"] else str(newest["status"]))
    return {"runs": len(own), "last_run": newest["time"], "ended": ended}
