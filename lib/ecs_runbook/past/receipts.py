"""
Receipts as facts: what a run of a notebook was told, and kept in its ``receipt.json``, long after AWS has forgotten it.

``Archive("archive").keep(Receipts("runs").facts(window).facts)`` takes what lies in a folder of runs into an archive.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_runbook import workspace
from ecs_runbook.errors import WorkspaceError
from ecs_runbook.evidence.runs import FROM_ECS, FROM_MACHINE, FROM_TRAIL
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.calls import Call, moment
from ecs_runbook.firing.histories import read_execution
from ecs_runbook.firing.tasks import Task, read_task
from ecs_runbook.inventory.model import Place
from ecs_runbook.past.facts import (
    DEREGISTERED,
    FACT_COLUMNS,
    REGISTERED,
    facts_of_record,
    facts_of_revision,
    facts_of_task,
    frame,
    number,
    plain_task,
)
from ecs_runbook.past.sources import Broken, Told, Window

if TYPE_CHECKING:
    import pandas as pd

FACTS = "facts"
"""Under this name a receipt has facts themselves, if it was written by who made some."""


class Witness:
    """
    What a check was told of the runs that it looked at, as facts: the same that a trail's records lead to.

    It is told by several threads at once. See :class:`ecs_runbook.inventory.runs.Witness`.

    Examples
    --------
    >>> from ecs_runbook.firing.calls import read
    >>> seen = Witness()
    >>> seen.call(read({"eventName": "RunTask", "eventID": "e1", "errorCode": "AccessDenied"}))
    >>> seen.facts[["event_id", "status"]].values.tolist()
    [['e1', 'REFUSED']]
    """

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []

    def call(self, call: Call) -> None:
        """Hear of a RunTask call."""
        self._hear(facts_of_record(call.raw))

    def task(self, task: Task) -> None:
        """Hear of a task; one that runs still is heard of by its call."""
        self._hear(facts_of_task(task))

    def revisions(self, place: Place, family: str, rows: Iterable[Mapping[Any, Any]]) -> None:
        """Hear of revisions of a family."""
        for row in rows:
            told = {**row, "family": family}
            self._hear(facts_of_revision(told, account=place.account, region=place.region))

    @property
    def facts(self) -> pd.DataFrame:
        """The facts, each once and in order."""
        return frame(dict(zip(FACT_COLUMNS, row, strict=True)) for row in self._rows)

    def _hear(self, facts: Iterable[Mapping[str, Any]]) -> None:
        # a check of many schedules hears a hundred thousand, and most say the same in most columns
        self._rows.extend(tuple(_shared(one[name]) for name in FACT_COLUMNS) for one in facts)


@dataclass(frozen=True)
class Receipts:
    """
    The receipts of earlier runs: a source as any other.

    Parameters
    ----------
    place
        The folder of the runs, ``runs``; each has a folder of its own in it.

    Notes
    -----
    ``60_check`` keeps facts, ``40_prove`` the records of all runs of a schedule, ``50_explain_failure`` those of what
    failed. Of a receipt that was written with ``redact`` the pseudonyms are what is told.
    """

    place: str = "runs"

    @property
    def name(self) -> str:
        """What it is called where sources are told of."""
        return f"receipts in {self.place}"

    def facts(self, window: Window, progress: Bars | None = None) -> Told:
        """
        Return the facts of a time range, and all of revisions; a receipt that is none is named, and the others count.

        Raises
        ------
        WorkspaceError
            If there is no such folder.
        """
        folder = Path(self.place).expanduser()
        folder = folder if folder.is_absolute() else workspace.root() / folder
        if not folder.is_dir():
            raise WorkspaceError(f"{folder} is no folder.", hint="Name the folder of the runs.")
        # runs/latest is a link to one of the others
        paths = sorted(path for path in folder.glob("*/receipt.json") if not path.parent.is_symlink())
        rows: list[dict[str, Any]] = []
        broken: list[Broken] = []
        for read, path in enumerate(paths, start=1):
            try:
                rows += facts_of_receipt(json.loads(path.read_bytes()))
            except (OSError, ValueError, RecursionError) as error:
                broken.append(Broken(str(path), f"it is no JSON, or cannot be read: {error}"))
            if progress:
                progress.row(self.name, read / len(paths), f"{read} of {len(paths)} receipts")
        facts = frame(one for one in rows if one["what"] in (REGISTERED, DEREGISTERED) or _within(one["time"], window))
        words = f"told of {len(facts)} facts in {len(paths) - len(broken)} receipts"
        words += f"; {len(broken)} more could not be read" if broken else ""
        return Told(facts, [{"source": self.name, "answered": True, "answer": words, "calls": 0}], broken)


def facts_of_receipt(receipt: object) -> list[dict[str, Any]]:
    """
    Return the facts in one receipt, before or after it was written; never fails, whatever it holds.

    Examples
    --------
    >>> call = {"eventName": "RunTask", "eventID": "e1", "errorCode": "AccessDenied"}
    >>> [one["status"] for one in facts_of_receipt({"records": {"CloudTrail": [call]}})]
    ['REFUSED']
    """
    whole = _mapping(receipt)
    records = _mapping(whole.get("records"))
    found = [fact for record in _listed(records.get(FROM_TRAIL)) for fact in facts_of_record(record)]
    found += [fact for task in _mappings(records.get(FROM_ECS)) for fact in facts_of_task(plain_task(task))]
    for told in _mappings(records.get(FROM_MACHINE)):
        execution = read_execution(_mapping(told.get("execution")), list(_mappings(told.get("events"))))
        tasks = [read_task(one.described) for one in execution.tries if one.described]
        found += [fact for task in tasks for fact in facts_of_task(task)]
    for row in _mappings(_rows(whole.get("revisions"))):
        arn = (str(row.get("arn") or "").split(":") + [""] * 6)[:6]
        if isinstance(row.get("revision"), int):
            found += facts_of_revision(row, account=arn[4], region=arn[3])
    return found + [_fact(one) for one in _mappings(whole.get(FACTS))]


def facts_to_tell(facts: pd.DataFrame) -> list[dict[str, Any]]:
    """
    Return *facts* as a receipt has them: without what is empty, and so a third as long.

    Examples
    --------
    >>> told = facts_to_tell(frame(facts_of_record({"eventName": "RunTask", "eventID": "e1", "errorCode": "Oh"})))
    >>> told == [{"what": "call", "event_id": "e1", "item": 0, "status": "REFUSED", "error": "Oh"}]
    True
    """
    rows = facts.astype(object).where(facts.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items() if value not in (None, "")} for row in rows]


def _within(time: datetime | None, window: Window) -> bool:
    return time is None or time in window


def _shared(value: Any) -> Any:
    return sys.intern(value) if type(value) is str else value


def _fact(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fact of a receipt with all its columns, of their types."""
    kinds: dict[str, Any] = {"varchar": _text, "bigint": number, "timestamptz": moment}
    return {name: kinds[kind](told.get(name)) for name, kind in FACT_COLUMNS.items()}


def _rows(table: object) -> object:
    return table.to_dict("records") if hasattr(table, "to_dict") else table


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _mappings(value: object) -> Iterable[Mapping[str, Any]]:
    return (one for one in _listed(value) if isinstance(one, Mapping))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
