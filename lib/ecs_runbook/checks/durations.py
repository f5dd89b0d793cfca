"""How long the runs of each row took, from tables of runs: those of now, and those that earlier checks saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ecs_runbook.inventory.model import Place

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("account", "region", "subject", "started_at", "seconds")


def took(*tables: pd.DataFrame | None) -> Mapping[tuple[Place, str], Sequence[tuple[datetime, float]]]:
    """
    Return when the runs of each row began and how many seconds they took, by place and subject.

    Parameters
    ----------
    tables
        Columns ``account``, ``region``, ``subject``, ``started_at`` (UTC where it has no zone) and ``seconds``. What is
        not known is NaT or NaN there, and left out here; a run that several tables have counts once.

    Returns
    -------
    Mapping
        Of each row, its runs oldest first.

    Examples
    --------
    >>> import pandas as pd
    >>> began = [pd.Timestamp("2026-11-24T17:00Z"), pd.Timestamp("2026-11-23T17:00Z"), pd.NaT]
    >>> table = pd.DataFrame({"account": "111122223333", "region": "eu-west-2", "subject": "nightly",
    ...                       "started_at": began, "seconds": [40.0, 35.0, float("nan")]})
    >>> [[seconds for _, seconds in runs] for runs in took(table, table, None).values()]
    [[35.0, 40.0]]
    """
    found: dict[tuple[Place, str], dict[datetime, float]] = defaultdict(dict)
    for table in tables:
        if table is None or table.empty:
            continue
        for account, region, subject, began, seconds in zip(*(table[name] for name in _COLUMNS), strict=True):
            if subject and began == began and seconds == seconds:  # neither NaT nor NaN is itself
                found[Place(account, region), subject][_utc(began)] = float(seconds)
    return {row: sorted(runs.items()) for row, runs in found.items()}


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
