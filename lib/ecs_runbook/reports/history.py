"""
Earlier checks: what is new since the last one, what was mended, and how long runs took.

A history is a folder, or a place in S3, with one small Parquet file a check: ``select … from 'history/*.parquet'``
reads all of it in DuckDB. A file is written beside, and then given its name; nobody ever changes one. So checks that
run at the same time do not meet, one that is killed leaves nothing half-written, and a check that is kept twice has
one file.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ecs_runbook import workspace
from ecs_runbook.checks.findings import Checked, Finding
from ecs_runbook.inventory.model import Inventory
from ecs_runbook.shelf import Shelf, shelf_at

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from ecs_runbook.reports.run import Run

HISTORY_COLUMNS = {
    "what": "varchar",
    "at": "timestamptz",
    "account": "varchar",
    "region": "varchar",
    "subject": "varchar",
    "check": "varchar",
    "status": "varchar",
    "severity": "varchar",
    "because": "varchar",
    "task": "varchar",
    "started_at": "timestamptz",
    "seconds": "double",
}
"""
Of every file. ``what`` a row is: ``check``, the one row that every file has; ``finding``, one that is not OK; ``gap``,
a place that could not be listed; ``off``, a check that was turned off; ``run``, with how many seconds it took.
"""
DURATION_COLUMNS = ["account", "region", "subject", "started_at", "seconds"]
MOST_CHECKS = 100
"""Of one question, the newest: how far back it is looked since when something is known."""
_AT_ONCE = 10
DURATION_DAYS = 60
_ASKED = ("where", "rule", "rules", "schedules", "tag", "region", "regions", "accounts", "organisation_role", "redact")
"""Parameters that make up the question. Checks of the same question are compared."""
_NAME = re.compile(r"(\d{8}T\d{6}Z)-([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{8})\.parquet")


class Key(NamedTuple):
    """What a finding is known by from check to check."""

    account: str
    region: str
    subject: str
    check: str


@dataclass(frozen=True)
class Old:
    """A finding of an earlier check."""

    key: Key
    severity: str
    because: str


@dataclass(frozen=True)
class News:
    """
    What has changed since the last check of the same question.

    Attributes
    ----------
    last
        When that was; None if there was none.
    new
        Findings that are NG now, and were not.
    first
        When each that was NG already was NG first, without a good check in between.
    mended
        What was NG and is OK now, or does not apply any more.
    gone
        What was NG of a schedule that is not there any more.
    unseen
        What was NG and could not be looked at now, or was turned off.
    unread
        Files of the history that could not be read.
    """

    last: datetime | None = None
    new: frozenset[Finding] = frozenset()
    first: Mapping[Finding, datetime] = field(default_factory=dict)
    mended: Sequence[Old] = ()
    gone: Sequence[Old] = ()
    unseen: Sequence[Old] = ()
    unread: Sequence[str] = ()

    def is_new(self, finding: Finding) -> bool:
        """Say whether *finding* was not known before; nothing is new in a first check."""
        return self.last is not None and finding in self.new


@dataclass(frozen=True)
class _Past:
    """An earlier check: what was NG, and what nobody knows of it."""

    at: datetime
    bad: Mapping[Key, Old]
    skipped: frozenset[Key]
    gaps: frozenset[tuple[str, str]]
    off: frozenset[str]

    def knows(self, key: Key) -> bool:
        """Say whether it looked: what is not among the findings then was OK."""
        return key not in self.skipped and (key.account, key.region) not in self.gaps and key.check not in self.off

    @property
    def complete(self) -> bool:
        return not (self.skipped or self.gaps or self.off)


class _Walk:
    """
    A walk back through the earlier checks, the newest first.

    Attributes
    ----------
    last
        When the newest was.
    first
        When each key was NG first, without a check since then that knew better.
    before
        What was NG in the newest check that knew of it.
    """

    def __init__(self, keys: set[Key]) -> None:
        self.last: datetime | None = None
        self.first: dict[Key, datetime] = {}
        self.before: dict[Key, Old] = {}
        self._open = keys
        self._newer: list[_Past] = []

    def on(self, past: _Past) -> None:
        """Go on to the next older check."""
        self.last = self.last or past.at
        self._open = {key for key in self._open if key in past.bad or not past.knows(key)}
        self.first.update(dict.fromkeys(self._open & past.bad.keys(), past.at))
        if not any(one.complete for one in self._newer):
            unknown = (key for key in past.bad if not any(one.knows(key) for one in self._newer))
            self.before = {key: past.bad[key] for key in unknown} | self.before
            self._newer.append(past)

    @property
    def ended(self) -> bool:
        """Whether nothing older can tell more."""
        return not self._open and any(one.complete for one in self._newer)


class History:
    """
    The earlier checks at one place; made by :func:`earlier_checks`.

    Parameters
    ----------
    shelf
        Where the files are.
    origin
        Names the AWS that is checked: where it is, its account; of the local AWS, its life.
    question
        What is asked of it.
    identity
        Names the run: kept twice, a check has one file.
    began
        When the run began, by this machine's clock: files are in this order.
    hide
        What a text becomes before it is kept.
    """

    def __init__(
        self,
        shelf: Shelf,
        *,
        origin: Sequence[str],
        question: Mapping[str, Any],
        identity: str,
        began: datetime,
        hide: Callable[[str], str] = str,
    ) -> None:
        self.shelf = shelf
        self._origin = _digest(list(origin))
        self._question = _digest([list(origin), dict(question)])
        self._name = (
            f"{began.astimezone(UTC):%Y%m%dT%H%M%SZ}-{self._origin}-{self._question}-{_digest(identity)}.parquet"
        )
        self._began = began
        self._hide = hide
        self._unread: list[str] = []

    def durations(self, found: Inventory) -> pd.DataFrame:
        """
        Return how long the runs of the listed schedules took, columns :data:`DURATION_COLUMNS`.

        Each run once, however many checks saw it; the newest 50 of a schedule, oldest first.
        """
        import pandas as pd

        oldest = f"{self._began - timedelta(days=DURATION_DAYS):%Y%m%dT%H%M%SZ}"
        names = [name for name in self._names() if _part(name, 2) == self._origin and name >= oldest]
        rows = self._select(names, _DURATIONS)
        real = {(self._hide(row.place.account), row.place.region, self._hide(row.subject)): row for row in found.rows}
        told = [
            (row.place.account, row.place.region, row.subject, started, seconds)
            for account, region, subject, started, seconds in rows
            if (row := real.get((account, region, subject))) is not None
        ]
        return pd.DataFrame(told, columns=DURATION_COLUMNS)

    def compare(self, checked: Checked) -> News:
        """Return what has changed since the last check of the same question."""
        names = [name for name in self._names() if _part(name, 3) == self._question][-MOST_CHECKS:]
        bad = {one: self._key(one) for one in checked.findings if one.status == "NG"}
        walk = _Walk(set(bad.values()))
        for past in self._past(names):
            walk.on(past)
            if walk.ended:
                break
        if walk.last is None:
            return News(unread=tuple(self._unread))
        first = {one: walk.first[key] for one, key in bad.items() if key in walk.first}
        now = set(bad.values())
        mended, gone, unseen = self._ended([old for key, old in walk.before.items() if key not in now], checked)
        return News(
            last=walk.last,
            new=frozenset(one for one in bad if one not in first),
            first=first,
            mended=mended,
            gone=gone,
            unseen=unseen,
            unread=tuple(self._unread),
        )

    def append(self, checked: Checked, *, at: datetime) -> str:
        """
        Keep *checked*, and return the file's name.

        Raises
        ------
        WorkspaceError
            If it cannot be written.
        AwsError
            If S3 refuses.
        """
        import pandas as pd

        table = pd.DataFrame(self._rows(checked, at), columns=list(HISTORY_COLUMNS))
        columns = ", ".join(f'cast("{name}" as {kind}) as "{name}"' for name, kind in HISTORY_COLUMNS.items())
        with _database() as database, self.shelf.writing(self._name) as path:
            kept = database.from_df(table.astype(object).where(table.notna(), None))
            kept.project(columns).write_parquet(str(path), compression="zstd")
        return self._name

    def _rows(self, checked: Checked, at: datetime) -> Iterator[dict[str, Any]]:
        hide = self._hide
        yield {"what": "check", "at": at, "status": _worst(checked), "seconds": float(len(checked.inventory.rows))}
        for one in checked.findings:
            if one.status != "OK":
                facts = {"status": one.status, "severity": one.severity, "because": hide(one.because)}
                yield {"what": "finding", "at": at, **self._key(one)._asdict(), **facts}
        for gap in checked.inventory.gaps:
            if gap.place is not None:
                place = {"account": hide(gap.place.account), "region": gap.place.region}
                yield {"what": "gap", "at": at, **place, "because": hide(str(gap))}
        for check, reason in checked.off.items():
            yield {"what": "off", "at": at, "check": check, "because": hide(reason)}
        for run in checked.runs.to_dict("records"):
            if run.get("seconds") is not None and run["seconds"] == run["seconds"]:
                place = {"account": hide(run["account"]), "region": run["region"], "subject": hide(run["subject"])}
                took = {"task": hide(run["task"]), "started_at": run["started_at"], "seconds": run["seconds"]}
                yield {"what": "run", "at": at, **place, **took}

    def _key(self, one: Finding) -> Key:
        return Key(self._hide(one.place.account), one.place.region, self._hide(one.subject), one.check)

    def _ended(self, before: Iterable[Old], checked: Checked) -> tuple[list[Old], list[Old], list[Old]]:
        skipped = {self._key(one) for one in checked.findings if one.status == "SKIP"}
        there = {
            (self._hide(row.place.account), row.place.region, self._hide(row.subject)) for row in checked.inventory.rows
        }
        there |= {self._key(one)[:3] for one in checked.findings}
        gaps = {(self._hide(gap.place.account), gap.place.region) for gap in checked.inventory.gaps if gap.place}
        mended: list[Old] = []
        gone: list[Old] = []
        unseen: list[Old] = []
        for old in sorted(before, key=lambda one: one.key):
            key = old.key
            listed = key[:3] in there
            if key.check in checked.off or key in skipped or (not listed and (key.account, key.region) in gaps):
                unseen.append(old)
            else:
                (mended if listed else gone).append(old)
        return mended, gone, unseen

    def _names(self) -> list[str]:
        return sorted(name for name in self.shelf.names() if _NAME.fullmatch(name) and name != self._name)

    def _past(self, names: Sequence[str]) -> Iterator[_Past]:
        """Yield the earlier checks, the newest first, a few of them read at once."""
        for start in range(len(names), 0, -_AT_ONCE):
            files: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
            for name, *row in self._select(names[max(0, start - _AT_ONCE) : start], _FINDINGS):
                files[name].append(tuple(row))
            for name in sorted(files, reverse=True):
                if (past := _read(files[name])) is not None:
                    yield past

    def _select(self, names: Sequence[str], query: str) -> list[tuple[Any, ...]]:
        """Return what *query* finds in the files *names*; what cannot be read is left out, and noted."""
        if not names:
            return []
        import duckdb

        with _database() as database, self.shelf.reading(names) as files:
            paths = list(files.values())
            try:
                return _selected(database, paths, query)
            except duckdb.Error:
                good = [path for path in paths if self._readable(database, path)]
                if len(good) == len(paths):
                    raise
                return _selected(database, good, query) if good else []

    def _readable(self, database: duckdb.DuckDBPyConnection, path: Path) -> bool:
        import duckdb

        try:
            _selected(database, [path], "select * from files")
        except duckdb.Error:
            if path.name not in self._unread:
                self._unread.append(path.name)
            return False
        return True


def earlier_checks(run: Run, place: str = "") -> History:
    """
    Return the history that *run* belongs to.

    Parameters
    ----------
    run
        The run of the notebook, after :meth:`~ecs_runbook.reports.run.Run.connected`.
    place
        A folder, or ``s3://bucket/prefix``; empty: the folder ``history`` beside ``runs``.

    Raises
    ------
    WorkspaceError
        If the folder cannot be written to, or the place is no place.

    Notes
    -----
    In S3 it needs ``s3:ListBucket``, ``s3:GetObject`` and ``s3:PutObject``.
    """
    aws: Any = run.aws
    asked = {name: run.parameters[name] for name in _ASKED if name in run.parameters}
    return History(
        shelf_at(place or str(workspace.history()), aws),
        origin=[aws.where, aws.account, getattr(aws, "life", "")],
        question=asked,
        identity=f"{socket.gethostname()}:{run.folder}",
        began=datetime.strptime(run.folder.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
        hide=run.hide,
    )


_DURATIONS = """
    select account, region, subject, started_at, seconds
    from (select distinct account, region, subject, task, started_at, seconds from files where what = 'run')
    qualify row_number() over (partition by account, region, subject order by started_at desc) <= 50
    order by account, region, subject, started_at
"""
_FINDINGS = """
    select parse_filename(filename), what, "at", account, region, subject, "check", status, severity, because
    from files where what <> 'run'
"""


def _database() -> duckdb.DuckDBPyConnection:
    import duckdb

    # what it needs it has built in; nothing is fetched from anywhere
    return duckdb.connect(
        ":memory:", config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    )


def _selected(database: duckdb.DuckDBPyConnection, paths: Sequence[Path], query: str) -> list[tuple[Any, ...]]:
    files = database.read_parquet([str(path) for path in paths], filename=True)
    found = files.query("files", query)
    return found.fetchall() if found is not None else []


def _digest(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:8]


def _part(name: str, number: int) -> str:
    found = _NAME.fullmatch(name)
    return found.group(number) if found else ""


def _worst(checked: Checked) -> str:
    statuses = {one.status for one in checked.findings}
    return next((status for status in ("NG", "SKIP") if status in statuses), "OK")


def _read(rows: Sequence[tuple[Any, ...]]) -> _Past | None:
    heads = [row for row in rows if row[0] == "check"]
    if not heads:
        return None
    found = [(Key(*row[2:6]), row[6], Old(Key(*row[2:6]), row[7], row[8])) for row in rows if row[0] == "finding"]
    return _Past(
        at=heads[0][1],
        bad={key: old for key, status, old in found if status == "NG"},
        skipped=frozenset(key for key, status, _ in found if status == "SKIP"),
        gaps=frozenset((row[2], row[3]) for row in rows if row[0] == "gap"),
        off=frozenset(row[5] for row in rows if row[0] == "off"),
    )
