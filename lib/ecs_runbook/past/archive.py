"""
An archive that outlives AWS's memory: facts in Parquet files, by account, Region and month, in a folder or in S3.

::

    account=111122223333/region=eu-west-2/month=2026-11/
        runs-20261124T020012Z-20261125T020013Z-0a1b2c3d4e5f6071.parquet
        revisions-20261124T100000Z-20261124T100000Z-5e6f708192a3b4c5.parquet

A file is named by the first and the last moment that it tells of and by a digest of what it says. It is put there whole
or not at all, and nobody ever changes one. So what is kept twice has one file, a writer that is killed has left whole
files only, and the next one goes on where it ended. What is known already is not written again. Only two writers that
keep overlapping facts at the very same time can both write them: whoever reads takes each row once, and so do the
statements that :func:`duckdb_view` and :func:`athena_tables` make.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote

from ecs_runbook.errors import SpecError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.past.facts import DEREGISTERED, FACT_COLUMNS, ORDER, REGISTERED, frame, settled
from ecs_runbook.past.sources import Broken, Told, Window
from ecs_runbook.shelf import Shelf, bucket_and_prefix, shelf_at

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

RUNS, REVISIONS = "runs", "revisions"
FILE_COLUMNS = [name for name in FACT_COLUMNS if name not in ("account", "region")]
"""Of a file; account and Region are the folder's."""
_SHARED = [name for name, kind in FACT_COLUMNS.items() if kind == "varchar" and name not in ("event_id", "task")]
"""Texts that many rows have in common."""
NOTHING = "__HIVE_DEFAULT_PARTITION__"
"""Hive's word for a folder of what has no value, which Athena and DuckDB know."""
_FOLDER = re.compile(r"account=([^/]*)/region=([^/]*)/month=([^/]*)")
_FILE = re.compile(rf"({RUNS}|{REVISIONS})-(\d{{8}}T\d{{6}}Z|none)-(\d{{8}}T\d{{6}}Z|none)-[0-9a-f]{{16}}\.parquet")
_MOMENT = "%Y%m%dT%H%M%SZ"
_ATHENA = {"varchar": "string", "bigint": "bigint", "timestamptz": "timestamp"}
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,254}")
_FIRST_MONTH = "2014-01"
"""ECS is no older: announced in November 2014."""


class _Part(NamedTuple):
    """A folder of the archive, and which of its two kinds of files."""

    account: str
    region: str
    month: str
    kind: str

    @property
    def folder(self) -> str:
        account, region, month = (quote(part, safe="") or NOTHING for part in self[:3])
        return f"account={account}/region={region}/month={month}"


class _File(NamedTuple):
    """A file of the archive: its name from the archive's place on, and what the name tells."""

    name: str
    part: _Part
    first: str
    last: str

    def tells_of(self, first: str, last: str) -> bool:
        """Say whether it can tell of a moment in that range; what has no time may be of any."""
        return "none" in (self.first, first) or (self.first <= last and first <= self.last)


@dataclass(frozen=True)
class Kept:
    """
    What came of keeping facts.

    Attributes
    ----------
    new, known
        How many were written, and how many were there already.
    where
        The files that were written, as a person reads where they are.
    """

    new: int = 0
    known: int = 0
    where: Sequence[str] = ()


@dataclass(frozen=True)
class Archive:
    """
    Facts that were kept: a source as any other, and :meth:`keep`.

    Parameters
    ----------
    place
        A folder, or ``s3://bucket/prefix``.
    aws
        Who asks S3; not needed for a folder.
    accounts, regions
        Only these are read; all if empty.

    Notes
    -----
    In S3 reading needs ``s3:ListBucket`` and ``s3:GetObject``, keeping ``s3:PutObject`` too.
    """

    place: str
    aws: Any = field(default=None, repr=False)
    accounts: Sequence[str] = ()
    regions: Sequence[str] = ()

    @property
    def name(self) -> str:
        """What it is called where sources are told of."""
        return f"archive {self.place}"

    def facts(self, window: Window, progress: Bars | None = None) -> Told:
        """
        Return the facts of a time range, and all of revisions up to its end: they may be older.

        Raises
        ------
        WorkspaceError
            If there is no such folder.
        AwsError
            If S3 refuses.
        """
        shelf = shelf_at(self.place, self.aws, read=True)
        files, broken = _files(shelf.names())
        first, last = _moment(window.since), _moment(window.until)
        wanted = [
            one
            for one in files
            if (not self.accounts or one.part.account in self.accounts)
            and (not self.regions or one.part.region in self.regions)
            and one.tells_of("" if one.part.kind == REVISIONS else first, last)
        ]
        if progress:
            progress.row(self.name, 0.0, f"{len(wanted)} files")
        found, unreadable = _read(shelf, wanted)
        if progress:
            progress.row(self.name, 1.0, f"{len(found)} facts of {len(wanted)} files")
        broken += unreadable
        words = f"told of {len(found)} facts in {len(wanted) - len(unreadable)} files"
        words += f"; {len(broken)} more could not be read" if broken else ""
        told = {"source": self.name, "answered": True, "answer": words, "calls": len(wanted)}
        return Told(found, [told], broken)

    def keep(self, facts: pd.DataFrame) -> Kept:
        """
        Write down those of *facts* that are not there yet.

        Raises
        ------
        WorkspaceError
            If the folder cannot be written to.
        AwsError
            If S3 refuses. What was written until then stays, and is not written again.
        """
        shelf, once = shelf_at(self.place, self.aws), settled(facts)
        fresh = _fresh(shelf, once)
        where: list[str] = []
        with _database() as database:
            for part, own in _parts(fresh):
                name = f"{part.folder}/{_named(part.kind, own)}"
                with shelf.writing(name) as path:
                    told = database.from_df(own[FILE_COLUMNS])
                    told.project(_cast(FILE_COLUMNS)).write_parquet(str(path), compression="zstd")
                where.append(shelf.where(name))
        return Kept(len(fresh), len(once) - len(fresh), where)


def duckdb_view(place: str, view: str = "facts") -> str:
    """
    Return the statement that makes a view of an archive in DuckDB: each fact once, as it was kept.

    DuckDB would take an account's id for a number, and lose the zeros that it begins with.

    Raises
    ------
    SpecError
        If *view* is no name.

    Examples
    --------
    >>> print(duckdb_view("archive"))
    create or replace view facts as select distinct * from read_parquet('archive/*/*/*/*.parquet',
      hive_partitioning = true, hive_types = {'account': varchar, 'region': varchar, 'month': varchar});
    """
    files = f"{place.rstrip('/')}/*/*/*/*.parquet".replace("'", "''")
    made = f"create or replace view {_name('view', view)} as"
    types = "{'account': varchar, 'region': varchar, 'month': varchar}"
    read = f"read_parquet('{files}',\n  hive_partitioning = true, hive_types = {types})"
    return f"{made} select distinct * from {read};"  # noqa: S608 - what is put in is quoted, or looked at


def athena_tables(
    place: str, accounts: Iterable[str], regions: Iterable[str], *, database: str = "default", table: str = "ecs_facts"
) -> list[str]:
    """
    Return the statements that make a table and a view of an archive in Athena, to be run one after another.

    The view, ``<table>_once``, has each fact once. Partitions are projected: nobody has to tell of new ones.

    Parameters
    ----------
    place
        ``s3://bucket/prefix``.
    accounts, regions
        Those that the archive is of.
    database, table
        Their names.

    Raises
    ------
    SpecError
        If the place is not in S3, or a name, an account or a Region is none.

    Notes
    -----
    Source: AWS docs, Athena partition projection (enum; date with an interval of months). It was never run on AWS.

    Examples
    --------
    >>> table, view = athena_tables("s3://kept/ecs", ["111122223333"], ["eu-west-2"])
    >>> print(view)
    CREATE OR REPLACE VIEW "default"."ecs_facts_once" AS SELECT DISTINCT * FROM "default"."ecs_facts"
    """
    if bucket_and_prefix(place) is None:
        raise SpecError(f"place = {place!r} is not in S3.", hint="Athena reads s3://bucket/prefix.")
    if "'" in place:
        raise SpecError(f"place = {place!r} has a quote in it.", hint="Keep the archive where its name has none.")
    every = {
        "account": _each("accounts", accounts, re.compile(r"\d{12}"), "12 digits"),
        "region": _each("regions", regions, re.compile(r"[a-z]{2}(-[a-z]+)+-\d"), "a Region such as eu-west-2"),
    }
    _name("database", database), _name("table", table)
    columns = ",\n  ".join(f"`{name}` {_ATHENA[FACT_COLUMNS[name]]}" for name in FILE_COLUMNS)
    properties = {
        "parquet.compression": "ZSTD",
        "projection.enabled": "true",
        **{f"projection.{name}.type": "enum" for name in every},
        **{f"projection.{name}.values": ",".join(values) for name, values in every.items()},
        "projection.month.type": "date",
        "projection.month.format": "yyyy-MM",
        "projection.month.range": f"{_FIRST_MONTH},NOW",
        "projection.month.interval": "1",
        "projection.month.interval.unit": "MONTHS",
        "storage.location.template": f"{place.rstrip('/')}/account=${{account}}/region=${{region}}/month=${{month}}",
    }
    told = ",\n  ".join(f"'{name}' = '{value}'" for name, value in properties.items())
    made = (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{database}`.`{table}` (\n  {columns}\n)\n"
        "PARTITIONED BY (`account` string, `region` string, `month` string)\n"
        f"STORED AS PARQUET\nLOCATION '{place.rstrip('/')}/'\nTBLPROPERTIES (\n  {told}\n)"
    )
    once = f'CREATE OR REPLACE VIEW "{database}"."{table}_once" AS SELECT DISTINCT * FROM "{database}"."{table}"'  # noqa: S608 - names alone, looked at above
    return [made, once]


# -------- where a fact lies


def _parts(facts: pd.DataFrame) -> Iterator[tuple[_Part, pd.DataFrame]]:
    """Yield the facts of each folder and kind, in one order."""
    kind = facts["what"].isin([REGISTERED, DEREGISTERED]).map({True: REVISIONS, False: RUNS})
    month = facts["time"].dt.strftime("%Y-%m").fillna("")
    for key, own in facts.groupby([facts["account"], facts["region"], month, kind], sort=True):
        yield _Part(*(str(one) for one in key)), own


def _files(names: Iterable[str]) -> tuple[list[_File], list[Broken]]:
    """Return the files of an archive, and what else is called one."""
    files, broken = [], []
    for name in sorted(names):
        folder, _, last = name.rpartition("/")
        place, told = _FOLDER.fullmatch(folder), _FILE.fullmatch(last)
        if place and told:
            account, region, month = ("" if value == NOTHING else unquote(value) for value in place.groups())
            files.append(_File(name, _Part(account, region, month, told[1]), told[2], told[3]))
        elif last.endswith(".parquet"):
            broken.append(Broken(name, "its name is not that of an archive's file"))
    return files, broken


def _named(kind: str, facts: pd.DataFrame) -> str:
    """Return the name of the file that says *facts*."""
    digest = hashlib.sha256()
    rows = facts.astype(object).where(facts.notna(), None)
    for row in rows.itertuples(index=False, name=None):
        told = [one.isoformat() if isinstance(one, datetime) else one for one in row]
        digest.update(json.dumps(told).encode())
    return f"{kind}-{'-'.join(_span(facts))}-{digest.hexdigest()[:16]}.parquet"


def _span(facts: pd.DataFrame) -> tuple[str, str]:
    """Return the first and the last moment that facts tell of, as a file's name has them."""
    first, last = (facts["time"].min(), facts["time"].max())
    return ("none", "none") if first != first else (_moment(first.to_pydatetime()), _moment(last.to_pydatetime()))


def _moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):{_MOMENT}}"


# -------- Parquet


@contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database in memory, which fetches nothing from anywhere."""
    import duckdb

    settings: Any = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with duckdb.connect(":memory:", config=settings) as database:
        database.execute("set TimeZone = 'UTC'")
        # a kernel without ipywidgets has no bar, and may not turn it off either
        if database.execute("select current_setting('enable_progress_bar')").fetchall()[0][0]:
            database.execute("set enable_progress_bar = false")
        yield database


def _fresh(shelf: Shelf, facts: pd.DataFrame) -> pd.DataFrame:
    """Return those of *facts* that the archive does not have yet."""
    files, _ = _files(shelf.names())
    spans = {part: _span(own) for part, own in _parts(facts)}
    known, _ = _read(shelf, [one for one in files if one.part in spans and one.tells_of(*spans[one.part])])
    if not len(known):
        return facts
    import pandas as pd

    # what is known stands there twice at least, and so is left out
    return pd.concat([known, known, facts], ignore_index=True).drop_duplicates(keep=False)


def _read(shelf: Shelf, files: Sequence[_File]) -> tuple[pd.DataFrame, list[Broken]]:
    """Return what *files* say, each fact once and in order, and which of them could not be read."""
    import duckdb

    if not files:
        return frame([]), []
    with _database() as database, shelf.reading([one.name for one in files]) as paths:
        there = {str(paths[one.name]): one for one in files if one.name in paths}
        if not there:
            return frame([]), []
        try:
            _gather(database, there)
            return _gathered(database), []
        except duckdb.Error:
            why = {path: words for path, one in there.items() if (words := _unreadable(database, path, one))}
            if not why:
                raise
            broken = [Broken(shelf.where(there[path].name), words) for path, words in why.items()]
            good = {path: one for path, one in there.items() if path not in why}
            if not good:
                return frame([]), broken
            _gather(database, good)
            return _gathered(database), broken


def _gather(database: duckdb.DuckDBPyConnection, files: Mapping[str, _File]) -> None:
    """Make the table ``texts`` of the different texts in *files*, and the view ``facts`` of their rows."""
    places = [(path, one.part.account, one.part.region) for path, one in files.items()]
    database.execute("create or replace table places (filename varchar, account varchar, region varchar)")
    database.executemany("insert into places values (?, ?, ?)", places)
    told = database.read_parquet(list(files), filename=True, hive_partitioning=False)
    facts = told.join(database.table("places"), "filename").project(_cast(FACT_COLUMNS))
    facts.create_view("facts", replace=True)
    database.execute("drop table if exists texts")
    facts.aggregate(", ".join(f'list(distinct "{name}") as "{name}"' for name in _SHARED)).create("texts")


def _gathered(database: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return the facts, each once and in order: a text that stands in many rows is one text, which saves memory."""
    for name in _SHARED:
        told = f'create type "{name}" as enum (select unnest("{name}") from texts)'  # noqa: S608 - our own names
        database.execute(told)
    columns = ", ".join(f'"{name}"::"{name}" as "{name}"' if name in _SHARED else f'"{name}"' for name in FACT_COLUMNS)
    found = database.view("facts").distinct().order(", ".join(f'"{name}"' for name in ORDER)).project(columns).df()
    facts: pd.DataFrame = found.astype({"item": "Int64", "exit_code": "Int64", **dict.fromkeys(_SHARED, "str")})
    return facts


def _unreadable(database: duckdb.DuckDBPyConnection, path: str, one: _File) -> str:
    """Return why a file cannot be read; ``""`` if it can."""
    import duckdb

    try:
        _gather(database, {path: one})
        database.execute("select max(hash(facts)) from facts").fetchall()
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return ""


def _cast(columns: Iterable[str]) -> str:
    return ", ".join(f'cast("{name}" as {FACT_COLUMNS[name]}) as "{name}"' for name in columns)


# -------- names in statements


def _name(what: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise SpecError(f"{what} = {name!r} is no name.", hint="Small letters, digits and _, a letter first.")
    return name


def _each(what: str, values: Iterable[str], form: re.Pattern[str], wanted: str) -> list[str]:
    found = sorted(set(values))
    wrong = [one for one in found if not form.fullmatch(one)]
    if wrong or not found:
        raise SpecError(f"{what} = {wrong or found} will not do.", hint=f"Each is {wanted}, and there is one at least.")
    return found
