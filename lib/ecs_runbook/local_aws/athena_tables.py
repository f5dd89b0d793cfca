"""
Athena's tables: what their DDL says, which partitions they project, and which objects of S3 these are.

The tables themselves lie in moto's Glue catalogue, as AWS's do, so that those of Terraform or the Glue API are found
too. Source: AWS docs, Athena, "Partition projection", "Supported types for partition projection" (verified).
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlglot import exp

CLOUDTRAIL, JSON_LINES, PARQUET = "cloudtrail", "json", "parquet"
VIEW = "VIRTUAL_VIEW"
_FORMATS = (("cloudtrailinputformat", CLOUDTRAIL), ("parquet", PARQUET), ("textinputformat", JSON_LINES))
_STORED_AS = {
    "PARQUET": {
        "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    },
    "TEXTFILE": {
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    },
}
_PARTS = {"yyyy": r"\d{4}", "MM": r"\d{2}", "dd": r"\d{2}", "HH": r"\d{2}", "mm": r"\d{2}", "ss": r"\d{2}"}
_STRPTIME = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
_NOW = re.compile(r"NOW\s*(?:([+-])\s*(\d+)\s*(YEAR|MONTH|WEEK|DAY|HOUR|MINUTE|SECOND)S?)?", re.IGNORECASE)


class Refused(Exception):
    """A query that fails, with Athena's reason."""


@dataclass(frozen=True)
class Table:
    """
    A table of the catalogue.

    Parameters
    ----------
    columns, keys
        Types by their names, in lower case; keys are the partition's.
    location
        ``s3://bucket/prefix/``.
    kind
        How its objects are read: one of this module's three.
    parameters
        Its table properties.
    registered
        Partitions that were added one by one: values, and where.
    view
        The query that a view is; nothing for a table.
    """

    database: str
    name: str
    columns: Mapping[str, exp.DataType]
    keys: Mapping[str, exp.DataType]
    location: str
    kind: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    registered: tuple[tuple[tuple[str, ...], str], ...] = ()
    view: str = ""

    @property
    def projected(self) -> bool:
        """Whether its partitions are projected."""
        return str(self.parameters.get("projection.enabled", "")).lower() == "true"

    @property
    def template(self) -> str:
        """Where a partition lies, with its keys as ``${…}``."""
        hive = f"{self.location.rstrip('/')}/{'/'.join(f'{key}=${{{key}}}' for key in self.keys)}"
        return str(self.parameters.get("storage.location.template") or hive)

    @property
    def injected(self) -> list[str]:
        """The keys whose values a query must give."""
        return [key for key in self.keys if self.projected and self.projection(key, "type") == "injected"]

    def projection(self, key: str, what: str) -> str:
        """Return a property of a key's projection; nothing if it is not there."""
        return str(self.parameters.get(f"projection.{key}.{what}", ""))


@dataclass(frozen=True)
class Object:
    """An object of S3 that a table has, and the values of its partition."""

    key: str
    values: tuple[str, ...]


def table_of(described: Mapping[str, Any], partitions: Iterable[Mapping[str, Any]] = ()) -> Table:
    """
    Read a table as Glue describes it.

    Raises
    ------
    Refused
        If the local AWS cannot read what it is stored as.
    """
    storage = described.get("StorageDescriptor") or {}
    names = str(described["DatabaseName"]), str(described["Name"])
    if described.get("TableType") == VIEW:
        return Table(*names, {}, {}, "", "", view=str(described["ViewOriginalText"]))
    stored_as = f"{storage.get('InputFormat', '')} {(storage.get('SerdeInfo') or {}).get('SerializationLibrary', '')}"
    kind = next((kind for word, kind in _FORMATS if word in stored_as.lower()), "")
    if not kind or (kind == JSON_LINES and "json" not in stored_as.lower()):
        raise Refused(f"NOT_SUPPORTED: The local AWS does not read tables that are stored as {stored_as.strip()}")
    return Table(
        *names,
        _types(storage.get("Columns")),
        _types(described.get("PartitionKeys")),
        str(storage.get("Location", "")),
        kind,
        described.get("Parameters") or {},
        tuple((tuple(one["Values"]), str(one["StorageDescriptor"]["Location"])) for one in partitions),
    )


def _types(columns: Iterable[Mapping[str, str]] | None) -> dict[str, exp.DataType]:
    return {one["Name"].lower(): exp.DataType.build(one.get("Type") or "string", "hive") for one in columns or ()}


def table_input(create: exp.Create) -> dict[str, Any]:
    """Return what Glue is given for a CREATE EXTERNAL TABLE."""
    properties = create.args["properties"].expressions if create.args.get("properties") else []
    found = {type(one): one for one in properties}
    stored: dict[str, Any] = {"Columns": _columns(create.this.expressions), "SerdeInfo": {}}
    if location := found.get(exp.LocationProperty):
        stored["Location"] = location.name
    if serde := found.get(exp.RowFormatSerdeProperty):
        stored["SerdeInfo"]["SerializationLibrary"] = serde.name
    if form := found.get(exp.FileFormatProperty):
        stored |= _stored_as(form.this)
    stored = _STORED_AS["TEXTFILE"] | stored
    keys = found.get(exp.PartitionedByProperty)
    return {
        "Name": create.this.this.name.lower(),
        "TableType": "EXTERNAL_TABLE",
        "StorageDescriptor": stored,
        "PartitionKeys": _columns(keys.this.expressions) if keys else [],
        "Parameters": {"EXTERNAL": "TRUE"}
        | {one.this.name: one.args["value"].name for one in properties if type(one) is exp.Property},
    }


def _stored_as(form: exp.Expr) -> dict[str, Any]:
    if isinstance(form, exp.InputOutputFormat):
        return {"InputFormat": form.args["input_format"].name, "OutputFormat": form.args["output_format"].name}
    return _STORED_AS.get(form.name.upper()) or {"InputFormat": form.name}


def _columns(definitions: Iterable[exp.Expr]) -> list[dict[str, str]]:
    return [
        {"Name": one.name.lower(), "Type": one.args["kind"].sql("hive").lower().replace(": ", ":").replace(", ", ",")}
        for one in definitions
        if isinstance(one, exp.ColumnDef)
    ]


# -------- partitions


def place_of(location: str) -> tuple[str, str]:
    """
    Return the bucket and the prefix of an address in S3; the prefix ends in ``/`` or is empty.

    Examples
    --------
    >>> place_of("s3://bucket/a/b"), place_of("s3://bucket")
    (('bucket', 'a/b/'), ('bucket', ''))
    """
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else ""


def fixed_place(table: Table) -> tuple[str, str]:
    """Return the bucket in which a table's objects lie, and how all their keys begin."""
    if not table.keys or not table.projected:
        return place_of(table.location)
    bucket, _, key = table.template.removeprefix("s3://").partition("/")
    return bucket, key.partition("${")[0]


def objects(table: Table, keys: Iterable[str], now: datetime) -> Iterator[Object]:
    """
    Yield the objects among *keys*, of the table's bucket, that its partitions have.

    Names that begin with ``_`` or ``.`` are passed over, as Hive's readers do.
    """
    seen = [key for key in keys if not key.rsplit("/", 1)[-1].startswith(("_", ".")) and not key.endswith("/")]
    if not table.keys:
        prefix = place_of(table.location)[1]
        yield from (Object(key, ()) for key in seen if key.startswith(prefix))
    elif table.projected:
        pattern = _pattern(table)
        for key in seen:
            found = pattern.match(key)
            if found and all(_is_projected(table, name, found[f"k{n}"], now) for n, name in enumerate(table.keys)):
                yield Object(key, tuple(found[f"k{n}"] for n in range(len(table.keys))))
    else:
        for values, location in table.registered:
            prefix = place_of(location)[1]
            yield from (Object(key, values) for key in seen if key.startswith(prefix))


def _pattern(table: Table) -> re.Pattern[str]:
    bucket, _, template = table.template.removeprefix("s3://").partition("/")
    del bucket
    pattern = re.escape(f"{template.rstrip('/')}/")
    for number, key in enumerate(table.keys):
        once = f"(?P<k{number}>{_form(table, key)})"
        again = f"(?P=k{number})"
        first, *rest = pattern.split(re.escape(f"${{{key}}}"))
        if not rest:
            raise Refused(f"INVALID_TABLE_PROPERTY: storage.location.template does not name the partition key {key}")
        pattern = first + once + again.join(rest)
    return re.compile(pattern)


def _form(table: Table, key: str) -> str:
    kind = table.projection(key, "type")
    if kind == "date":
        return re.sub(
            "|".join(_PARTS),
            lambda found: _PARTS[found[0]],
            re.escape(table.projection(key, "format")).replace("'", ""),
        )
    if kind == "integer":
        digits = table.projection(key, "digits")
        return rf"\d{{{digits}}}" if digits else r"-?\d+"
    return "[^/]+?"


def _is_projected(table: Table, key: str, value: str, now: datetime) -> bool:
    kind = table.projection(key, "type")
    if kind == "enum":
        return value in [one.strip() for one in table.projection(key, "values").split(",")]
    if kind not in {"date", "integer"}:
        return True
    low, high = (part.strip() for part in table.projection(key, "range").split(","))
    if kind == "integer":
        return int(low) <= int(value) <= int(high)
    form = table.projection(key, "format")
    return _written(low, form, now) <= value <= _written(high, form, now)


def _written(end: str, form: str, now: datetime) -> str:
    """Return an end of a date's range, which may be relative to now, in the format of the key."""
    found = _NOW.fullmatch(end)
    if found is None:
        return end
    sign, count, unit = found.groups()
    moment = _moved(now, int(f"{sign}{count}"), unit.upper()) if sign else now
    return moment.strftime(re.sub("|".join(_STRPTIME), lambda part: _STRPTIME[part[0]], form))


def _moved(now: datetime, count: int, unit: str) -> datetime:
    if unit in {"YEAR", "MONTH"}:
        months = now.year * 12 + now.month - 1 + count * (12 if unit == "YEAR" else 1)
        year, month = divmod(months, 12)
        return now.replace(year=year, month=month + 1, day=min(now.day, calendar.monthrange(year, month + 1)[1]))
    return now + timedelta(**{f"{unit.lower()}s": count})
