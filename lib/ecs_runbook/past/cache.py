"""
What was read of log files, kept beside: the facts of each file once, so that only new files are read the next time.

A cache is a folder of few Parquet files; each has what some log files told, and comes under its name whole or not at
all. Whatever is there can be thrown away at any time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ecs_runbook.evidence import runs
from ecs_runbook.firing import calls, names, tasks
from ecs_runbook.past import facts, readers, scan
from ecs_runbook.past.facts import DEREGISTERED, FACT_COLUMNS, ORDER, REGISTERED, frame, typed
from ecs_runbook.past.places import LogFile
from ecs_runbook.past.readers import Read
from ecs_runbook.past.sources import Window
from ecs_runbook.shelf import Folder

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_FILE = "file"
"""What the row says that each log file has, besides those of its facts; ``item`` is how many records the file has."""
_COLUMNS = ", ".join(
    f"epoch_us({name}) as {name}" if kind == "timestamptz" else name for name, kind in FACT_COLUMNS.items()
)
_HEADS = f"select file, tag, item from kept where what = '{_FILE}'"  # noqa: S608 - of our own words alone
_WANTED = f"""
    kept semi join asked using (file, tag)
    where (what in ('{REGISTERED}', '{DEREGISTERED}')
        or (what <> '{_FILE}' and ("time" is null or "time" between $since and $until)))
"""
_PLACES = f"select account, region, count(*) from {_WANTED} group by all order by all"  # noqa: S608
_FACTS = f"""
    select {_COLUMNS} from (
        select distinct {", ".join(FACT_COLUMNS)} from {_WANTED}
        and (account, region) between ($first[1], $first[2]) and ($last[1], $last[2])
    ) order by {", ".join(ORDER)}
"""  # noqa: S608
"""As :func:`~ecs_runbook.past.facts.settled` has them: each once, in that order."""
_AT_ONCE = 40_000
_FEW = 24
_FORM = 1
_MEMORY = "200MB"


class Batch(NamedTuple):
    """What one log file told."""

    file: LogFile
    told: Read


class Cache:
    """
    The cache in a folder, made if need be.

    Attributes
    ----------
    notes
        What was found there and thrown away, and why.

    Raises
    ------
    WorkspaceError
        If the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self.notes: list[str] = []
        self._shelf = Folder(folder / f"facts-{form()}")
        for other in folder.glob("facts-*"):
            if other != self._shelf.folder and other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
                self.notes.append("what an earlier version had read was thrown away, and all is read again")

    def known(self) -> dict[tuple[str, str], int]:
        """Return how many records each file has that was read, by its name and tag; what is damaged is thrown away."""
        paths = self._paths()
        try:
            rows = _selected(paths, _HEADS)
        except _database_error():
            for path in paths:
                if not _sound(path):
                    path.unlink(missing_ok=True)
                    self.notes.append(f"{path.name} was damaged and was thrown away; what it had is read again")
            rows = _selected(self._paths(), _HEADS)
        return {(name, tag): int(records) for name, tag, records in rows}

    def keep(self, batch: Sequence[Batch]) -> None:
        """Add what some log files told, all of it or nothing."""
        import pandas as pd

        empty = tuple("" if kind == "varchar" else None for kind in FACT_COLUMNS.values())
        what, item = list(FACT_COLUMNS).index("what"), list(FACT_COLUMNS).index("item")
        rows, keys = [], []
        for file, told in batch:
            head: list[Any] = list(empty)
            head[what], head[item] = _FILE, told.records
            rows += [tuple(head), *told.facts]
            keys += [(file.name, file.tag)] * (1 + len(told.facts))
        table = typed(pd.DataFrame(rows, columns=list(FACT_COLUMNS)))
        table.insert(0, "file", [name for name, _ in keys])
        table.insert(1, "tag", [tag for _, tag in keys])
        with self._shelf.writing(f"{uuid.uuid4().hex}.parquet") as path, _database() as database:
            database.register("told", table)
            _write(database, "select * from told", path)

    def facts(self, files: Iterable[LogFile], window: Window) -> pd.DataFrame:
        """
        Return what *files* told of a time range, and of revisions also from before.

        Returns
        -------
        pandas.DataFrame
            As from :func:`~ecs_runbook.past.facts.frame`.
        """
        several = list(files)
        try:
            return self._facts(several, window)
        except _database_error():  # another process may just have put files together
            return self._facts(several, window)

    def _facts(self, files: Sequence[LogFile], window: Window) -> pd.DataFrame:
        import pandas as pd

        asked = pd.DataFrame([(file.name, file.tag) for file in files], columns=["file", "tag"], dtype="str")
        paths = self._paths()
        if not paths:
            return frame([])
        times = {"since": window.since.replace(microsecond=0), "until": window.until}
        texts: dict[str, str] = {}
        parts = []
        with _database() as database:
            database.register("asked", asked)
            _read(database, paths)
            spans = list(_spans(database.execute(_PLACES, times).fetchall()))
            for first, last in spans:
                part = database.execute(_FACTS, {**times, "first": first, "last": last}).df()
                for name, kind in FACT_COLUMNS.items():
                    if kind == "timestamptz":
                        part[name] = pd.to_datetime(part[name], unit="us", utc=True)
                    elif kind == "varchar" and len(spans) > 1:
                        part[name] = [texts.setdefault(text, text) for text in part[name]]  # most are there often
                parts.append(typed(part, kept=True))
        return pd.concat(parts, ignore_index=True) if parts else frame([])

    def compact(self) -> None:
        """Put many small files into one. Killed in between, some rows are there twice, which changes nothing."""
        paths = self._paths()
        if len(paths) <= _FEW:
            return
        try:
            with self._shelf.writing(f"{uuid.uuid4().hex}.parquet") as whole, _database() as database:
                _read(database, paths)
                _write(database, "select * from kept", whole)
        except _database_error():
            return  # another process puts them together just now
        for path in paths:
            path.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        return [self._shelf.folder / name for name in sorted(self._shelf.names()) if name.endswith(".parquet")]


@once
def form() -> str:
    """Return what changes with everything that decides what is kept of a record."""
    code = [Path(str(module.__file__)).read_bytes() for module in (facts, readers, scan, calls, names, runs, tasks)]
    return hashlib.sha256(b"\0".join([str(_FORM).encode(), *code])).hexdigest()[:12]


def _spans(places: Iterable[tuple[str, str, int]]) -> Iterator[tuple[list[str], list[str]]]:
    """
    Return the first and the last place of each part that is read at once, since to sort all at once takes much memory.

    Examples
    --------
    >>> list(_spans([("1", "a", 30_000), ("1", "b", 30_000), ("2", "a", 1)]))
    [(['1', 'a'], ['1', 'b']), (['2', 'a'], ['2', 'a'])]
    """
    first, last, many = None, None, 0
    for account, region, count in places:
        if first is not None and last is not None and many >= _AT_ONCE:
            yield first, last
            first, many = None, 0
        first, last, many = first or [account, region], [account, region], many + count
    if first is not None and last is not None:
        yield first, last


def _selected(paths: Sequence[Path], query: str) -> list[tuple[Any, ...]]:
    if not paths:
        return []
    with _database() as database:
        _read(database, paths)
        return database.execute(query).fetchall()


def _sound(path: Path) -> bool:
    try:
        _selected([path], "select count(*), max(file) from kept")
    except _database_error():
        return False
    return True


def _read(database: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    database.read_parquet([str(path) for path in paths]).create_view("kept")


def _write(database: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    quoted = str(path).replace("'", "''")
    database.execute(f"copy ({query}) to '{quoted}' (format parquet, compression zstd)")


def _database() -> duckdb.DuckDBPyConnection:
    import duckdb

    # what it needs it has built in; nothing is fetched from anywhere
    return duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": _MEMORY,
            "preserve_insertion_order": False,
            "temp_directory": str(Path(tempfile.gettempdir()) / f"ecs-runbook-{os.getpid()}"),
        },
    )


def _database_error() -> type[Exception]:
    import duckdb

    return duckdb.Error
