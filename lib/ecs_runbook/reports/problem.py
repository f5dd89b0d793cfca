"""The problem in one picture: made-up runs of one schedule, written in two ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import pandas as pd

from ecs_runbook.evidence.revisions import frame
from ecs_runbook.evidence.runs import LATEST, RUN_COLUMNS, STALE
from ecs_runbook.reports.timeline import timeline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FIRST_NIGHT = datetime(2026, 11, 16, 17, tzinfo=UTC)
_DEPLOYED_BEFORE_NIGHT = {1: 0, 2: 3, 3: 5}
_NIGHTS = 7
_TITLES = {
    "pinned": "As most people write it first: it stays on revision 1, and nobody is told",
    "latest": "As it was meant: every run takes the latest revision",
}


def the_problem(written: Literal["pinned", "latest"]) -> Figure:
    """
    Draw a week of made-up nightly runs, with a deploy before the fourth night and one before the sixth.

    Parameters
    ----------
    written
        ``pinned``: the target names revision 1. ``latest``: it names none.

    Examples
    --------
    >>> the_problem("pinned").axes[0].get_title(loc="left")
    'As most people write it first: it stays on revision 1, and nobody is told'
    """
    runs = pd.DataFrame([_run(night, written) for night in range(_NIGHTS)], columns=RUN_COLUMNS)
    registered = [
        {"revision": revision, "registered_at": _FIRST_NIGHT + timedelta(days=night, hours=-8), "status": "ACTIVE"}
        for revision, night in _DEPLOYED_BEFORE_NIGHT.items()
    ]
    return timeline(runs, frame(registered), title=_TITLES[written])


def _run(night: int, written: str) -> dict[str, object]:
    latest = max(revision for revision, before in _DEPLOYED_BEFORE_NIGHT.items() if before <= night)
    executed = 1 if written == "pinned" else latest
    return {
        "time": _FIRST_NIGHT + timedelta(days=night),
        "executed": executed,
        "latest": latest,
        "state": LATEST if executed == latest else STALE,
        "status": "STOPPED",
        "exit_code": 0,
        "error": "",
        "schedule": "",
    }
