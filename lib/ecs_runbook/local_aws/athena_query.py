"""
An Athena query, run: SQL for Athena to SQL for DuckDB by sqlglot, over the objects of S3 that its tables have.

What is not Athena's here: an object counts whole as scanned, Parquet's too; a WHERE prunes partitions only in the
SELECT that names the table, and only by terms about partition keys alone; LIMIT stops no scan; a function that DuckDB
has and Athena has not is not refused. That a JSON null in a column of the type string is NULL is not verified: with
AWS's older CloudTrailSerde it is the text ``null``.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from ecs_runbook.local_aws.athena_tables import CLOUDTRAIL, PARQUET, Object, Refused, Table, objects

if TYPE_CHECKING:
    import duckdb

DIALECT = "athena"
_DEEPEST = 20  # views within views; one that names itself has no end
# DuckDB's type, and what Athena calls it with which precision; verified are varchar, bigint and boolean alone.
_TYPES = {
    "VARCHAR": ("varchar", 2147483647),
    "BIGINT": ("bigint", 19),
    "HUGEINT": ("bigint", 19),
    "UBIGINT": ("bigint", 19),
    "INTEGER": ("integer", 10),
    "SMALLINT": ("smallint", 5),
    "TINYINT": ("tinyint", 3),
    "DOUBLE": ("double", 17),
    "FLOAT": ("float", 17),
    "BOOLEAN": ("boolean", 0),
    "DATE": ("date", 0),
    "JSON": ("json", 0),
    "BLOB": ("varbinary", 0),
}
_MISSING = re.compile(r'Referenced (?:column|table) "([^"]+)" not found|Could not find key "([^"]+)" in struct')
_NO_FUNCTION = re.compile(r"Function with name \"?(\w+)\"? does not exist")


class Malformed(Exception):
    """A text that is no SQL: StartQueryExecution refuses it, and there is no execution."""


@dataclass(frozen=True)
class Column:
    """A column of a result: its name, and Athena's type with its precision."""

    name: str
    kind: str
    precision: int


@dataclass(frozen=True)
class Result:
    """What a query gives: rows of texts, None where a value is NULL."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True)
class Store:
    """
    What a query reads.

    Parameters
    ----------
    database
        Whether there is a database of a name.
    table
        Returns the table of a database and a name; None if there is none.
    keys
        Returns the sizes of a table's bucket's objects by their keys, those alone that may be the table's.
    content
        Returns the bytes of a key of a table's bucket.
    now
        For projections that end now.
    """

    database: Callable[[str], bool]
    table: Callable[[str, str], Table | None]
    keys: Callable[[Table], Mapping[str, int]]
    content: Callable[[Table, str], bytes]
    now: datetime


def parsed(sql: str, parameters: Sequence[str] | None = None) -> exp.Expr:
    """
    Read one statement, with *parameters* in the places of its question marks.

    Raises
    ------
    Malformed
        If it is none. Athena's words begin alike, ``line 1:10: mismatched input …``, and end with what it expected.

    Examples
    --------
    >>> parsed("SELECT a FROM t WHERE b = ?", ["'x'"]).sql(DIALECT)
    "SELECT a FROM t WHERE b = 'x'"
    """
    try:
        statements = [one for one in sqlglot.parse(sql, dialect=DIALECT) if one is not None]
        given = [sqlglot.parse_one(one, dialect=DIALECT) for one in parameters or ()]
    except (ParseError, sqlglot.errors.TokenError) as error:
        raise Malformed(_mismatched(error)) from error
    if len(statements) != 1:
        message = f"line 1:1: mismatched input: one statement is wanted, not {len(statements)}"
        raise Malformed(message)
    places = [one for one in statements[0].find_all(exp.Placeholder) if not one.this]
    places.sort(key=lambda one: int(one.meta.get("start", 0)))
    if len(places) != len(given):
        message = f"Incorrect number of parameters: expected {len(places)} but found {len(given)}"
        raise Malformed(message)
    for place, value in zip(places, given, strict=True):
        place.replace(value)
    return statements[0]


def _mismatched(error: Exception) -> str:
    told = (getattr(error, "errors", None) or [{}])[0]
    line, end, word = told.get("line", 1), told.get("col", 1), told.get("highlight", "")
    return f"line {line}:{max(1, end - len(word) + 1)}: mismatched input '{word}'"


@dataclass
class _Need:
    """A table, what is read of it, and where the query names it."""

    table: Table
    bytes: int = 0
    objects: dict[str, Object] = field(default_factory=dict)
    places: list[exp.Table] = field(default_factory=list)

    def rename(self, name: str) -> None:
        for place in self.places:
            if not place.alias:
                place.set("alias", exp.TableAlias(this=exp.to_identifier(place.name)))
            place.set("this", exp.to_identifier(name))
            place.set("db", None)
            place.set("catalog", None)


class Run:
    """
    One query on its way.

    Parameters
    ----------
    query
        From :func:`parsed`.
    database
        For tables that name none.
    """

    def __init__(self, query: exp.Expr, database: str, store: Store) -> None:
        self._query, self._database, self._store = query, database, store
        self._connection: duckdb.DuckDBPyConnection | None = None
        self.scanned = 0

    def interrupt(self) -> None:
        """Let it end now, from another thread."""
        import duckdb

        with contextlib.suppress(duckdb.Error):  # it has ended by itself
            if self._connection is not None:
                self._connection.interrupt()

    def result(self, limit: int | None = None) -> Result:
        """
        Run it.

        Parameters
        ----------
        limit
            How many bytes it may scan.

        Raises
        ------
        Refused
            With Athena's reason, as far as that is known; *limit* is one.
        """
        import duckdb

        query = self._expanded(self._query.copy())
        with tempfile.TemporaryDirectory() as folder:
            self._connection = _connected(folder)
            try:
                return self._answer(query, Path(folder), limit)
            except duckdb.Error as error:
                raise Refused(_reason(error, self._query)) from error
            finally:
                self._connection.close()

    def _answer(self, query: exp.Expr, folder: Path, limit: int | None) -> Result:
        assert self._connection is not None
        needs = self._needs(query)
        for number, need in enumerate(needs):
            self._connection.execute(f'CREATE TABLE "t{number}" ({_columns(need.table)})')
            need.rename(f"t{number}")
        _named(query)
        sql = _scalars(query).sql("duckdb")
        self._connection.execute(f"EXPLAIN {sql}")  # what is wrong with it is told before anything is read
        for number, need in enumerate(needs):
            self.scanned += need.bytes
            if limit is not None and self.scanned > limit:
                self.scanned = limit
                raise Refused("Bytes scanned limit was exceeded")
            self._fill(f"t{number}", need, folder / "rows.json")
        return _fetched(self._connection, sql)

    def _expanded(self, query: exp.Expr) -> exp.Expr:
        """Put the views' own queries where they are named."""
        for _ in range(_DEEPEST):
            views = [(place, view) for place in _places(query) if (view := self._found(place).view)]
            if not views:
                return query
            for place, view in views:
                inner = exp.Subquery(
                    this=parsed(view), alias=exp.TableAlias(this=exp.to_identifier(place.alias_or_name))
                )
                place.replace(inner)
        raise Refused("VIEW_IS_RECURSIVE: Statement would create a recursive view")

    def _found(self, place: exp.Table) -> Table:
        database, name = (place.db or self._database).lower(), place.name.lower()
        table = self._store.table(database, name)
        if table is not None:
            return table
        line, column = _position(place.args.get("catalog") or place.args.get("db") or place.this)
        if not self._store.database(database):
            raise Refused(f"SCHEMA_NOT_FOUND: line {line}:{column}: Schema '{database}' does not exist")
        full = f"awsdatacatalog.{database}.{name}"
        raise Refused(f"TABLE_NOT_FOUND: line {line}:{column}: Table '{full}' does not exist")

    def _needs(self, query: exp.Expr) -> list[_Need]:
        """Return each table once, with what the places where it stands need of it."""
        needs: dict[tuple[str, str], _Need] = {}
        for place in _places(query):
            table = self._found(place)
            sizes = self._store.keys(table)
            wanted = _pruned(table, place, list(objects(table, sizes, self._store.now)))
            need = needs.setdefault((table.database, table.name), _Need(table))
            need.bytes += sum(sizes[one.key] for one in wanted)
            need.objects |= {one.key: one for one in wanted}
            need.places.append(place)
        return list(needs.values())

    def _fill(self, name: str, need: _Need, rows: Path) -> None:
        assert self._connection is not None
        table = need.table
        with rows.open("w", encoding="utf-8") as out:
            for one in need.objects.values():
                keys = dict(zip(table.keys, one.values, strict=True))
                for record in self._records(table, one.key, rows.with_suffix(".parquet")):
                    row = {column: as_typed(record.get(column), kind) for column, kind in table.columns.items()}
                    out.write(json.dumps(row | keys) + "\n")
        columns = {column: kind.sql("duckdb") for column, kind in {**table.columns, **table.keys}.items()}
        self._connection.execute(
            f'INSERT INTO "{name}" SELECT * FROM read_json(?, columns = ?, format = ?, '  # noqa: S608
            "maximum_object_size = 536870912)",
            [str(rows), columns, "newline_delimited"],
        )

    def _records(self, table: Table, key: str, scratch: Path) -> Iterator[dict[str, Any]]:
        """Yield the records of an object, the names of their columns in lower case."""
        import duckdb

        content = self._store.content(table, key)
        try:
            found = self._parquet(content, scratch) if table.kind == PARQUET else _json(content, key, table.kind)
            for record in found:
                yield {name.lower(): value for name, value in record.items()}
        except (OSError, EOFError, zlib.error, ValueError, AttributeError, TypeError, KeyError, duckdb.Error) as error:
            # the code is seen in public issues, the words are not Athena's
            raise Refused(f"HIVE_CURSOR_ERROR: Failed to read s3 object {key}: {error}") from error

    def _parquet(self, content: bytes, scratch: Path) -> Iterable[dict[str, Any]]:
        assert self._connection is not None
        scratch.write_bytes(content)
        read = "SELECT to_json(r)::VARCHAR FROM read_parquet(?) r"
        return [json.loads(row) for (row,) in self._connection.execute(read, [str(scratch)]).fetchall()]


def _connected(folder: str = "") -> duckdb.DuckDBPyConnection:
    """Return a database of its own, which reads no file but those in *folder*."""
    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET allowed_directories = " + repr([folder] if folder else []))
    connection.execute("SET enable_external_access = false")
    return connection


def _columns(table: Table) -> str:
    return ", ".join(f'"{name}" {kind.sql("duckdb")}' for name, kind in {**table.columns, **table.keys}.items())


def _json(content: bytes, key: str, kind: str) -> Iterable[dict[str, Any]]:
    text = gzip.decompress(content) if key.endswith(".gz") else content
    if kind == CLOUDTRAIL:
        records: list[dict[str, Any]] = json.loads(text)["Records"]
        return records
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def as_typed(value: Any, kind: exp.DataType) -> Any:
    """
    Return a value of JSON as its column's type has it: an object in a column of texts is its text.

    Examples
    --------
    >>> as_typed({"a": [1]}, exp.DataType.build("string", "hive")), as_typed(True, exp.DataType.build("string", "hive"))
    ('{"a":[1]}', 'true')
    >>> as_typed({"userName": "ann"}, exp.DataType.build("struct<username:string,arn:string>", "hive"))
    {'username': 'ann', 'arn': None}
    """
    if value is None:
        return None
    if kind.is_type(*exp.DataType.TEXT_TYPES):
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if kind.is_type(exp.DataType.Type.STRUCT):
        given = {name.lower(): part for name, part in value.items()} if isinstance(value, dict) else {}
        return {one.name: as_typed(given.get(one.name.lower()), one.args["kind"]) for one in kind.expressions}
    if kind.is_type(exp.DataType.Type.MAP) and isinstance(value, dict):
        return {name: as_typed(part, kind.expressions[1]) for name, part in value.items()}
    if kind.is_type(exp.DataType.Type.ARRAY) and isinstance(value, list):
        return [as_typed(part, kind.expressions[0]) for part in value]
    return value


# -------- the text


def _places(query: exp.Expr) -> list[exp.Table]:
    """Return where the query names a table of the catalogue, and not one of its own WITH."""
    own = {one.alias.lower() for one in query.find_all(exp.CTE)}
    found = [one for one in query.find_all(exp.Table) if isinstance(one.this, exp.Identifier)]
    return [one for one in found if one.db or one.name.lower() not in own]


def _position(word: exp.Expr) -> tuple[int, int]:
    """Return the line and the column, from 1, at which a word begins."""
    start, end = int(word.meta.get("start", 0)), int(word.meta.get("end", 0))
    return int(word.meta.get("line", 1)), max(1, int(word.meta.get("col", 1)) - (end - start))


def _pruned(table: Table, place: exp.Table, found: list[Object]) -> list[Object]:
    """
    Return the objects of the partitions that the WHERE beside *place* allows.

    Raises
    ------
    Refused
        If a key is injected, and no value for it is told.
    """
    where = place.find_ancestor(exp.Select)
    condition = where.args.get("where") if where is not None else None
    terms = list(condition.this.flatten()) if condition and isinstance(condition.this, exp.And) else []
    terms = terms or ([condition.this] if condition else [])
    names = {place.alias_or_name.lower()}
    about = [term for term in terms if _is_about_keys(term, table, names)]
    for key in table.injected:
        if not any(_tells(term, key) for term in about):
            # AWS docs, "Dynamic ID partitioning" (verified)
            raise Refused(
                f"CONSTRAINT_VIOLATION: For the injected projected partition column {key}, the WHERE clause must "
                "contain only static equality conditions, and at least one such condition must be present."
            )
    if not about:
        return found
    allowed = _allowed(table, about, sorted({one.values for one in found}))
    return [one for one in found if one.values in allowed]


def _is_about_keys(term: exp.Expr, table: Table, names: set[str]) -> bool:
    columns = list(term.find_all(exp.Column))
    if not columns or term.find(exp.Query):
        return False
    return all(one.name.lower() in table.keys and (not one.table or one.table.lower() in names) for one in columns)


def _tells(term: exp.Expr, key: str) -> bool:
    inner = term.unnest()
    if isinstance(inner, exp.EQ):
        sides = inner.this, inner.expression
        return any(
            isinstance(one, exp.Column) and one.name.lower() == key and not other.find(exp.Column)
            for one, other in (sides, sides[::-1])
        )
    told = isinstance(inner, exp.In) and isinstance(inner.this, exp.Column) and inner.this.name.lower() == key
    return told and bool(inner.expressions)


def _allowed(table: Table, terms: Sequence[exp.Expr], values: Sequence[tuple[str, ...]]) -> set[tuple[str, ...]]:
    if not values:
        return set()
    condition = exp.and_(*(term.copy() for term in terms))
    for column in condition.find_all(exp.Column):
        column.set("table", None)
    with _connected() as connection:
        columns = ", ".join(f'"{name}" VARCHAR' for name in table.keys)
        connection.execute(f"CREATE TABLE partitions ({columns})")
        marks = ", ".join("?" * len(table.keys))
        connection.executemany(f"INSERT INTO partitions VALUES ({marks})", list(values))  # noqa: S608
        typed = ", ".join(f'CAST("{name}" AS {kind.sql("duckdb")}) AS "{name}"' for name, kind in table.keys.items())
        told = ", ".join(f'"{name}" AS k{n}' for n, name in enumerate(table.keys))
        rows = connection.execute(
            f"SELECT {', '.join(f'k{n}' for n in range(len(table.keys)))} FROM "  # noqa: S608
            f"(SELECT {told}, {typed} FROM partitions) WHERE {condition.sql('duckdb')}"
        ).fetchall()
    return {tuple(row) for row in rows}


def _scalars(query: exp.Expr) -> exp.Expr:
    """Let json_extract_scalar be NULL for what is no scalar, as Trino's is and DuckDB's is not."""

    def changed(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.JSONExtractScalar):
            return node
        kind = exp.func("json_type", node.this.copy(), exp.Literal.string(_path(node)))
        beyond = exp.In(this=kind, expressions=[exp.Literal.string(one) for one in ("OBJECT", "ARRAY", "NULL")])
        return exp.Case(ifs=[exp.If(this=beyond, true=exp.Null())], default=node.copy())

    return query.transform(changed)


def _path(node: exp.JSONExtractScalar) -> str:
    return str(node.expression.sql("duckdb")).strip("'")


def _named(query: exp.Expr) -> None:
    """Give the columns of the result the names that Trino gives those that have none."""
    top: Any = query
    while isinstance(top, exp.SetOperation):
        top = top.this
    if not isinstance(top, exp.Select):
        return
    for number, one in enumerate(top.expressions):
        if not isinstance(one, exp.Alias | exp.Column | exp.Star | exp.Dot):
            top.expressions[number].replace(exp.alias_(one.copy(), f"_col{number}"))


# -------- the result


def _fetched(connection: duckdb.DuckDBPyConnection, sql: str) -> Result:
    relation = connection.sql(sql)
    if relation is None:
        return Result((), ())
    kinds = [str(kind) for kind in relation.types]
    columns = tuple(Column(name.lower(), *_kind(kind)) for name, kind in zip(relation.columns, kinds, strict=True))
    rows = tuple(
        tuple(_text(value, column.kind) for value, column in zip(row, columns, strict=True))
        for row in relation.fetchall()
    )
    return Result(columns, rows)


def _kind(duckdb_type: str) -> tuple[str, int]:
    if duckdb_type.endswith("]"):
        return "array", 0
    head = duckdb_type.split("(")[0]
    if head.startswith("TIMESTAMP"):
        return ("timestamp with time zone" if "ZONE" in head else "timestamp"), 3
    nested = {"STRUCT": ("row", 0), "MAP": ("map", 0), "DECIMAL": ("decimal", 38)}
    return nested.get(head) or _TYPES.get(head, ("varchar", 2147483647))


def _text(value: Any, kind: str) -> str | None:
    """Return a value as GetQueryResults spells it."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        text = value.replace(tzinfo=None).isoformat(" ", timespec="milliseconds")
        return f"{text} UTC" if "zone" in kind else text
    if isinstance(value, bytes):
        return value.hex(" ")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_part(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_part, value)) + "]"
    return str(value)


def _part(value: Any) -> str:
    text = _text(value, "")
    return "null" if text is None else text


def _reason(error: Exception, query: exp.Expr) -> str:
    """Return a failure in Athena's words, as far as these are seen in public issues."""
    text = str(error).split("\n", 1)[0]
    if found := _MISSING.search(str(error)):
        name = found[1] or found[2]
        place = next((one for one in query.find_all(exp.Identifier) if one.name.lower() == name.lower()), None)
        line, column = _position(place) if place is not None else (1, 1)
        return (
            f"COLUMN_NOT_FOUND: line {line}:{column}: Column '{name}' cannot be resolved or requester is not "
            "authorized to access requested resources"
        )
    if found := _NO_FUNCTION.search(str(error)):
        return f"FUNCTION_NOT_FOUND: Function '{found[1]}' not registered"
    if type(error).__name__ in {"BinderException", "ParserException", "CatalogException", "NotImplementedException"}:
        return f"SYNTAX_ERROR: {text}"
    if type(error).__name__ == "ConversionException":
        return f"INVALID_CAST_ARGUMENT: {text}"
    return f"GENERIC_INTERNAL_ERROR: {text}"
