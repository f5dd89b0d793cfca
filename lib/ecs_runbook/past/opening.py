"""From the parameter ``source`` to where facts are read, and why there."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ecs_runbook import workspace
from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.athena import Athena
from ecs_runbook.past.choose import Means, choose
from ecs_runbook.past.log_files import LogFiles
from ecs_runbook.past.receipts import Receipts
from ecs_runbook.past.sources import LookupEvents, Source, Together, Told, Window
from ecs_runbook.past.stopped_tasks import LOG_GROUP, StoppedTasks
from ecs_runbook.session import Aws
from ecs_runbook.shelf import bucket_and_prefix, shelf_at

AUTO, LOOKUP, FILES = "auto", "lookup", "files"
ATHENA, ARCHIVE, RECEIPTS = "athena:", "archive:", "receipts:"
NAMED = "it is what was named"
_FORMS = (
    f"auto, {LOOKUP}, a folder or s3://bucket/prefix of log files, {ATHENA}s3://bucket/prefix, {ARCHIVE}<a place>, or "
    f"{RECEIPTS}<a folder>"
)


@dataclass(frozen=True)
class Opened:
    """A source, and why it is this one."""

    source: Source
    because: str

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    def facts(self, window: Window, progress: Bars | None = None) -> Told:
        """Return the facts of a time range."""
        return self.source.facts(window, progress)

    def __str__(self) -> str:
        return f"{self.name}: {self.because}"

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.name)}</b>: {html.escape(self.because)}</p>"


def open_source(
    source: str,
    aws: Aws,
    fleet: Fleet,
    *,
    everybody: bool = True,
    window: Window,
    archive: str = "",
    ends: str = "",
    athena_output: str = "",
    most_dollars: float = 5.0,
) -> Opened:
    """
    Return the source that a parameter names.

    Parameters
    ----------
    source
        ``auto``, the best of what is there, by :func:`~ecs_runbook.past.choose.choose`; ``lookup``; a folder, or
        ``s3://bucket/prefix``, of delivered log files; ``athena:s3://bucket/prefix``, to have Athena read them;
        ``archive:`` and a folder or ``s3://bucket/prefix``; ``receipts:`` and the folder of earlier runs, ``runs``.
    aws
        Who asks S3, Athena and CloudWatch Logs.
    fleet
        The accounts and Regions: LookupEvents asks each of them.
    everybody
        Whether files, Athena and an archive that were named tell of all accounts and Regions that are there, or of the
        fleet's alone, as what is chosen does.
    window
        The time range that is to be asked about.
    archive
        One that may be chosen, and that what was read is kept in; empty: none.
    ends
        Besides, where the events of stopped tasks are kept, ``log-group:<name>``, a folder or ``s3://bucket/prefix``:
        they tell how tasks ended. Empty: nowhere.
    athena_output
        ``s3://bucket/prefix`` for Athena's results; empty for that of its workgroup.
    most_dollars
        A question to Athena that would cost more is not asked.

    Raises
    ------
    SpecError
        If it names none, with what can be written.
    EvidenceError
        If there is nothing to choose from.
    WorkspaceError
        If *archive* is no place.
    """
    kind, place = _read(source)
    if ends:
        _place("ends", ends, log_group=True)
    if "://" in archive and not bucket_and_prefix(archive):
        raise _none("archive", archive, "name a folder, or s3://bucket/prefix")
    if archive:
        shelf_at(archive, aws)  # it is written to at the end: a place that is none is told before anything is read
    if kind == AUTO:
        means = Means(archive=archive, output=athena_output, most_dollars=most_dollars)
        choice = choose(aws, fleet, window, means)
        opened = Opened(choice.source, choice.because)
    else:
        accounts, regions = ([], []) if everybody else _of(fleet)
        whose: dict[str, Any] = {"accounts": accounts, "regions": regions}
        athena: dict[str, Any] = {"output": athena_output, "most_dollars": most_dollars, "gate": fleet.gate}
        sources: Mapping[str, Callable[[], Source]] = {
            LOOKUP: lambda: LookupEvents(fleet),
            ATHENA: lambda: Athena(aws, place, **whose, **athena),
            ARCHIVE: lambda: Archive(place, aws, **whose),
            RECEIPTS: lambda: Receipts(place),
            FILES: lambda: LogFiles(place, aws, **whose),
        }
        opened = Opened(sources[kind](), NAMED)
    return replace(opened, source=Together([opened.source, StoppedTasks(ends, aws)])) if ends else opened


def _of(fleet: Fleet) -> tuple[list[str], list[str]]:
    places = {*fleet.places, *fleet.asked}
    return sorted({place.account for place in places}), sorted({place.region for place in places})


def _read(source: str) -> tuple[str, str]:
    """Return which kind of source a parameter names, and its place."""
    if source in (AUTO, LOOKUP):
        return source, ""
    for kind in (ATHENA, ARCHIVE, RECEIPTS):
        if source.startswith(kind):
            place = source.removeprefix(kind)
            if kind == RECEIPTS and "://" in place:
                raise _none("source", source, "receipts are read from a folder, runs")
            if kind == ATHENA and not bucket_and_prefix(place):
                raise _none("source", source, f"write {ATHENA}s3://bucket/prefix, where the log files are")
            _place("source", place, told=source)
            return kind, place
    _place("source", source)
    return FILES, source


def _place(name: str, text: str, *, told: str = "", log_group: bool = False) -> None:
    """Look whether *text* is a place: a folder that is there, an address in S3, or, if that may be, a log group."""
    if bucket_and_prefix(text) or (log_group and text.startswith((LOG_GROUP, "arn:"))):
        return
    if "://" in text:
        raise _none(name, told or text, "an address in S3 is written s3://bucket/prefix")
    folder = Path(text).expanduser()
    folder = folder if folder.is_absolute() else workspace.root() / folder
    if not text or not folder.is_dir():
        forms = f"{LOG_GROUP}<name>, a folder that is there, or s3://bucket/prefix" if log_group else _FORMS
        raise _none(name, told or text, f"there is no such folder; write {forms}")


def _none(name: str, value: str, mend: str) -> SpecError:
    return SpecError("There is no such source.", faults=[Fault(name, repr(value), mend)])
