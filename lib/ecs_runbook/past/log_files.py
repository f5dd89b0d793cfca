"""Log files that CloudTrail delivered, in a folder or in S3, as a source of facts."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ecs_runbook import workspace
from ecs_runbook.firing.asking import Bars
from ecs_runbook.past.cache import Batch, Cache
from ecs_runbook.past.layout import Wish
from ecs_runbook.past.places import Listed, LogFile, Place, listed, place_at
from ecs_runbook.past.readers import Read, Readers, cores
from ecs_runbook.past.scan import NotALogFile
from ecs_runbook.past.sources import Broken, Told, Window

if TYPE_CHECKING:
    from ecs_runbook.session import Aws

_BATCH_SECONDS = 5.0
_BATCH_FACTS = 20_000
_FEW_BYTES = 4 * 2**20  # is read sooner than a process has started
_AHEAD = 4


@dataclass(frozen=True)
class LogFiles:
    """
    Log files as a trail delivers them, on this machine or in S3.

    Parameters
    ----------
    place
        A folder, or ``s3://bucket/prefix``, on whatever level of the trail's layout. What lies elsewise is all read.
    aws
        From :func:`~ecs_runbook.connect`; for S3 alone.
    accounts, regions
        Of which the files are wanted; all if empty.
    cache
        The folder that keeps what was read; one in ``.local`` if empty. None: nothing is kept.
    processes
        How many read; as many as there are cores if None, and none for a little.

    Notes
    -----
    Read are the files delivered from the first day of a time range until a day after its last, since a file is named
    for its delivery. A file is read whole or not at all: one that is cut off or damaged is named, and nothing of it
    counts. What was read is kept as it goes on, so that a call that was interrupted or killed goes on where it was.

    Needs ``s3:ListBucket`` and ``s3:GetObject`` on the bucket, and ``kms:Decrypt`` where the trail has a key.
    Source: AWS docs, CloudTrail log files: names and layout; at least once, in no order.
    """

    place: str
    aws: Aws | None = None
    accounts: Collection[str] = ()
    regions: Collection[str] = ()
    cache: str | None = ""
    processes: int | None = None
    name: str = field(default="log files", init=False)

    def facts(self, window: Window, progress: Bars | None = None) -> Told:
        """
        Return the facts of a time range; what cannot be read is named, and the rest counts.

        Raises
        ------
        EvidenceError
            If there is no such place.
        AwsError
            If S3 does not let it be listed.
        WorkspaceError
            If what was read cannot be kept.
        """
        place = place_at(self.place, self.aws)
        with self._cache(place) as cache:
            with ThreadPoolExecutor(place.at_once) as pool:
                found = listed(place, Wish(window, self.accounts, self.regions), pool)
            known = cache.known()
            new = [file for file in found.files if (file.name, file.tag) not in known]
            reading = _Reading(cache, new, progress)
            processes = cores() if self.processes is None else self.processes
            with Readers(processes if reading.bytes >= _FEW_BYTES else 0) as readers, reading:
                for file, told in _read(place, new, readers, place.at_once + _AHEAD * processes):
                    reading.add(file, told)
            cache.compact()
            records = sum(known.get((file.name, file.tag), 0) for file in found.files) + reading.records
            return Told(
                cache.facts(found.files, window),
                [self._asked(place, found, reading, records, cache.notes)],
                sorted([*found.broken, *reading.broken], key=lambda one: (one.name, one.why)),
            )

    @contextmanager
    def _cache(self, place: Place) -> Iterator[Cache]:
        if self.cache is None:
            with tempfile.TemporaryDirectory() as folder:
                yield Cache(Path(folder))
        else:
            top = Path(self.cache).expanduser() if self.cache else workspace.local() / "log_files"
            yield Cache(workspace.writable(top) / hashlib.sha256(place.where.encode()).hexdigest()[:12])

    def _asked(
        self, place: Place, found: Listed, reading: _Reading, records: int, notes: Sequence[str]
    ) -> dict[str, object]:
        files = len(found.files)
        size = sum(file.bytes for file in found.files)
        broken = len(reading.broken) + len(found.broken)
        words = [
            f"{files:,} files of {size / 1e6:,.1f} MB, with {records:,} records; {reading.files:,} of them read anew"
            if files
            else "no log file of this time range lies there, of the accounts and Regions that were asked for",
            *([f"{broken} files could not be read"] if broken else []),
            *([f"{found.others} of other names were passed over"] if found.others else []),
            *notes,
        ]
        return {
            "source": f"{self.name} in {place.where}",
            "answered": True,
            "answer": "; ".join(words),
            "calls": place.calls,
        }


class _Reading:
    """What is read just now: shown, and kept batch by batch, also where it is broken off."""

    def __init__(self, cache: Cache, files: Sequence[LogFile], progress: Bars | None) -> None:
        self.broken: list[Broken] = []
        self.records = 0
        self.files = len(files)
        self.bytes = sum(file.bytes for file in files)
        self._cache = cache
        self._progress = progress
        self._batch: list[Batch] = []
        self._facts = 0
        self._kept = time.monotonic()
        self._done = self._done_bytes = 0

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self._keep()

    def add(self, file: LogFile, told: Read) -> None:
        """Take what a file told."""
        self._done += 1
        self._done_bytes += file.bytes
        if told.why:
            self.broken.append(Broken(file.name, told.why))
        else:
            self.records += told.records
            self._batch.append(Batch(file, told))
            self._facts += len(told.facts)
            if self._facts >= _BATCH_FACTS or time.monotonic() - self._kept > _BATCH_SECONDS:
                self._keep()
        if self._progress:
            broken = f", {len(self.broken)} of them broken" if self.broken else ""
            note = f"{self._done:,} of {self.files:,} files{broken}, {self._done_bytes / 1e6:,.1f} MB"
            self._progress.row("log files", self._done_bytes / max(self.bytes, 1), note)

    def _keep(self) -> None:
        batch, self._batch, self._facts = self._batch, [], 0
        if batch:
            self._cache.keep(batch)
        self._kept = time.monotonic()


def _read(place: Place, files: Sequence[LogFile], readers: Readers, threads: int) -> Iterator[tuple[LogFile, Read]]:
    """Read *files* side by side, some ahead; they come as they are ready."""

    def one(file: LogFile) -> tuple[LogFile, Read]:
        try:
            return file, readers.read(place.content(file))
        except NotALogFile as error:
            return file, Read(why=str(error))

    pool = ThreadPoolExecutor(threads)
    try:
        coming = iter(files)
        under_way = {pool.submit(one, file) for file in islice(coming, 2 * threads)}
        while under_way:
            ready, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in ready:
                under_way |= {pool.submit(one, file) for file in islice(coming, 1)}
                yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # whoever reads still is told to stop by the readers' end
