"""
The ends of tasks that ECS has forgotten: its "ECS Task State Change" events, kept in a log group or in S3.

The Terraform module ``task_events`` keeps them. What they tell, exit codes and how long a task took, joins what a trail
tells of the calls: ``Together([LookupEvents(…), StoppedTasks(…)])``.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecs_runbook.errors import WorkspaceError
from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.past.facts import facts_of_stop, frame
from ecs_runbook.past.sources import Broken, Told, Window
from ecs_runbook.shelf import Shelf, shelf_at

LOG_GROUP = "log-group:"
"""What a place begins with that is a log group's name; an ARN of one has it inside."""
_DAY = re.compile(r"(?:^|/)(\d{4})/(\d{2})/(\d{2})/")
_AT_ONCE = 64
_GZIP = b"\x1f\x8b"
_BLANK = re.compile(r"\s*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class StoppedTasks:
    """
    What ECS said of tasks when they stopped.

    Parameters
    ----------
    place
        ``log-group:<name>`` or the ARN of a log group; ``s3://bucket/prefix`` or a folder of what Firehose wrote.
    aws
        Who asks AWS; not needed for a folder. A log group is asked in its Region.

    Notes
    -----
    A task that was created in a time range stops in it or later, so all that came since its beginning is read: in S3
    the folders of the days, which are those of its arrival. A file that is cut or is no JSON is named, and the others
    count; in it what stands before and behind the fault counts.

    Needs ``logs:FilterLogEvents``; in S3 ``s3:ListBucket`` and ``s3:GetObject``.
    Source: AWS docs, Amazon Data Firehose: objects are named ``YYYY/MM/dd/HH/…`` behind the prefix, in UTC; records
    follow each other without a delimiter unless one is asked for.
    """

    place: str
    aws: Any = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """What it is called where sources are told of."""
        return f"stopped tasks in {self.place}"

    def facts(self, window: Window, progress: Bars | None = None) -> Told:
        """
        Return the ends of tasks, as far as they were kept.

        Raises
        ------
        AwsError
            If CloudWatch Logs or S3 refuses.
        WorkspaceError
            If there is no such folder.
        """
        log_group = _log_group(self.place)
        if log_group and self.aws is None:
            raise WorkspaceError(f"{self.place!r} is a log group, and no AWS was given.", hint="Give aws=connect(…).")
        if log_group:
            return self._of_log_group(log_group, window, progress)
        return self._of_files(shelf_at(self.place, self.aws, read=True), window, progress)

    def _of_log_group(self, log_group: str, window: Window, progress: Bars | None) -> Told:
        ask, since = Asking(), int(window.since.timestamp() * 1000)
        rows: list[dict[str, Any]] = []
        broken: list[Broken] = []
        seen = 0
        for page in ask.pages(
            "logs:FilterLogEvents", self.aws.client("logs").filter_log_events, logGroupName=log_group, startTime=since
        ):
            for event in page.get("events", []):
                seen += 1
                found, why = _read(str(event.get("message", "")))
                rows += [fact for one in found for fact in facts_of_stop(one)]
                if why:
                    broken.append(Broken(f"{log_group}, event {event.get('eventId', '')}", why))
            if progress and page.get("events"):
                progress.row(self.name, _share(page["events"][-1].get("timestamp", since), window), f"{seen} events")
        return self._told(rows, broken, f"{seen} events", ask.calls, progress)

    def _of_files(self, shelf: Shelf, window: Window, progress: Bars | None) -> Told:
        names = sorted(name for name in shelf.names() if not _older(name, window.since))
        rows: list[dict[str, Any]] = []
        broken: list[Broken] = []
        for first in range(0, len(names), _AT_ONCE):
            with shelf.reading(names[first : first + _AT_ONCE]) as paths:
                for name, path in paths.items():
                    found, why = _read_file(path)
                    rows += [fact for one in found for fact in facts_of_stop(one)]
                    if why:
                        broken.append(Broken(shelf.where(name), why))
            if progress:
                progress.row(self.name, first / len(names), f"{first} of {len(names)} files")
        return self._told(rows, broken, f"{len(names)} files", len(names), progress)

    def _told(
        self, rows: Sequence[Mapping[str, Any]], broken: Sequence[Broken], seen: str, calls: int, progress: Bars | None
    ) -> Told:
        facts = frame(rows)
        words = f"told of {len(facts)} ends in {seen}"
        if broken:
            words += f"; {len(broken)} could not be read, or not whole"
        if progress:
            progress.row(self.name, 1.0, f"{len(facts)} ends in {seen}")
        return Told(facts, [{"source": self.name, "answered": True, "answer": words, "calls": calls}], broken)


def _log_group(place: str) -> str:
    """
    Return the name of the log group that *place* is; ``""`` if it is none.

    Examples
    --------
    >>> _log_group("arn:aws:logs:eu-west-2:111122223333:log-group:/aws/events/ends:*"), _log_group("log-group:ends")
    ('/aws/events/ends', 'ends')
    >>> _log_group("s3://bucket/log-group:ends")
    ''
    """
    told = place.split(":", 5)[5] if place.startswith("arn:") and place.count(":") > 5 else place
    return told.removeprefix(LOG_GROUP).removesuffix(":*") if told.startswith(LOG_GROUP) else ""


def _older(name: str, since: datetime) -> bool:
    """Say whether all in a file arrived before the day of *since*."""
    day = _DAY.search(name)
    return day is not None and "".join(day.groups()) < f"{since.astimezone(UTC):%Y%m%d}"


def _share(timestamp: int, window: Window) -> float:
    since, until = (moment.timestamp() * 1000 for moment in (window.since, window.until))
    return min(max((timestamp - since) / max(until - since, 1), 0.0), 1.0)


def _read_file(path: Path) -> tuple[list[Any], str]:
    """Return the values in a file, and what is wrong with it."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content.startswith(_GZIP) else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return [], f"it is cut, or no whole gzip: {error}"
    except OSError as error:
        return [], f"it cannot be read: {error.strerror or error}"
    return _read(content.decode("utf-8", "replace"))


def _read(text: str) -> tuple[list[Any], str]:
    """
    Return the JSON values in *text*, one behind another with or without space between, and what is wrong with it.

    Examples
    --------
    >>> _read('{"a": 1}{"b": 2}')
    ([{'a': 1}, {'b': 2}], '')
    >>> found, why = _read('{"a": 1}' + chr(10) + '{"b": ' + chr(10) + '{"c": 3}')
    >>> found
    [{'a': 1}, {'c': 3}]
    """
    every = list(_values(text))
    faults = [start for start, value in every if value is _FAULT]
    found = [value for _, value in every if value is not _FAULT]
    if not faults:
        return found, ""
    others = f", and at {len(faults) - 1} more places" if len(faults) > 1 else ""
    return found, f"no JSON at character {faults[0]}{others}"


_FAULT = object()


def _values(text: str) -> Iterator[tuple[int, Any]]:
    """Yield each value with where it begins; for what is none the mark of a fault, and go on in the next line."""
    place = _BLANK.match(text, 0).end()  # type: ignore[union-attr]  # it matches everywhere
    while place < len(text):
        try:
            value, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            value, line = _FAULT, text.find("\n", place)
            end = line if line >= 0 else len(text)
        yield place, value
        place = _BLANK.match(text, end).end()  # type: ignore[union-attr]
