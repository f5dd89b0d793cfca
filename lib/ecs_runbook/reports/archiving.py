"""What a notebook was told goes into an archive, if it is said where that is; with pseudonyms if it hides names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ecs_runbook.firing.names import definition, short
from ecs_runbook.past.archive import Archive, Kept
from ecs_runbook.past.facts import FACT_COLUMNS
from ecs_runbook.past.receipts import Witness, facts_of_receipt
from ecs_runbook.shelf import shelf_at

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.reports.run import Run

_NO_NAMES = frozenset({"region", "what", "event_id", "caller", "launch_type", "status"})


class Archiving(Witness):
    """
    Hears what a check is told, and keeps it; made by :func:`archiving`.

    Parameters
    ----------
    run
        The run of the notebook, which knows what must be hidden.
    place
        Where the archive is; empty for nowhere.
    """

    def __init__(self, run: Run, place: str = "") -> None:
        super().__init__()
        self.place = place
        self._run = run

    @property
    def facts(self) -> pd.DataFrame:
        """The facts as they may be kept: without secrets, and with pseudonyms where names are hidden."""
        return _hidden(super().facts, self._run)

    def keep(self, receipt: Mapping[str, Any] | None = None) -> Kept:
        """
        Write down what is not there yet; nothing without a place.

        Parameters
        ----------
        receipt
            Of a notebook that nobody was told of while it asked: what it holds was heard too.

        Raises
        ------
        WorkspaceError
            If the folder cannot be written to.
        AwsError
            If S3 refuses.
        """
        self._hear(facts_of_receipt(receipt or {}))
        return Archive(self.place, self._run.aws).keep(self.facts) if self.place else Kept()


def archiving(run: Run, place: str = "") -> Archiving:
    """
    Return who hears what a notebook is told, for its receipt and, with a *place*, for an archive.

    Parameters
    ----------
    run
        The run of the notebook, after :meth:`~ecs_runbook.reports.run.Run.connected`.
    place
        A folder, or ``s3://bucket/prefix``; empty for nowhere.

    Raises
    ------
    WorkspaceError
        If it is neither, or the folder cannot be written to: before anything is asked.

    Notes
    -----
    In S3 it needs ``s3:ListBucket``, ``s3:GetObject`` and ``s3:PutObject``. With and without pseudonyms the same run is
    two: keep them in archives of their own.
    """
    if place:
        shelf_at(place, run.aws)
    return Archiving(run, place)


def _hidden(facts: pd.DataFrame, run: Run) -> pd.DataFrame:
    """Return *facts* as they may be kept, each different text looked at once."""
    if run.pseudonyms is not None:
        run.pseudonyms.learn(*_names(facts))
    told = {}
    for column, kind in FACT_COLUMNS.items():
        if kind == "varchar" and column not in _NO_NAMES:
            shown = {text: run.hide(text) for text in facts[column].unique()}
            told[column] = facts[column].map(shown).astype("str")
    return facts.assign(**told)


def _names(facts: pd.DataFrame) -> Iterator[str]:
    """Yield the names in *facts*: a family may be none that the inventory knows any more."""
    for column in ("requested", "executed", "named"):
        yield from (definition(text).family for text in facts[column].unique())
    yield from (short(text) for text in facts["cluster"].unique())
    for column in ("role", "started_by"):
        yield from (part for text in facts[column].unique() for part in text.split("/")[1:])
