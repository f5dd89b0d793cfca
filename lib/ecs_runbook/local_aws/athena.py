"""
Athena: queries run for real, over the local AWS's own S3; moto's Athena answers with what it was told before.

What is not here: queries of other catalogues, CREATE TABLE AS, INSERT, prepared statements, reuse of results,
Athena for Spark; IAM is asked for the call to Athena, and not for what the query then reads. How long a query takes is
real time, and not the world's, lest it never end where the clock stands still.

Source: botocore athena (verified); words of refusals are seen in public issues, but for an injected partition
(verified). Installed at Athena's first call, since it needs sqlglot and DuckDB.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.athena.models import athena_backends
from moto.athena.responses import AthenaResponse
from moto.core.exceptions import JsonRESTError
from moto.glue.exceptions import GlueClientError
from moto.glue.models import glue_backends
from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends
from sqlglot import exp

from ecs_runbook.local_aws.athena_query import DIALECT, Column, Malformed, Result, Run, Store, parsed
from ecs_runbook.local_aws.athena_tables import VIEW, Refused, Table, fixed_place, place_of, table_input, table_of
from ecs_runbook.local_aws.world import World, current_call

_LOG = logging.getLogger(__name__)
PAGE = 1000
CATALOG = "AwsDataCatalog"
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_ERRORS = {"TABLE_NOT_FOUND": 1301, "SCHEMA_NOT_FOUND": 1301, "COLUMN_NOT_FOUND": 1006}


class InvalidRequest(JsonRESTError):  # type: ignore[misc]  # moto is untyped
    """What Athena refuses with InvalidRequestException."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRequestException", message)


@dataclass
class Query:
    """
    One execution.

    Parameters
    ----------
    text, statement
        As it was asked, and as it was read.
    output
        ``s3://bucket/prefix/<id>.csv``.
    workgroup
        moto's.
    limit
        How many bytes it may scan.
    """

    text: str
    statement: exp.Expr
    place: tuple[str, str]
    database: str
    output: str
    workgroup: Any
    submitted: datetime
    context: Mapping[str, Any]
    parameters: list[str] | None = None
    limit: int | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    state: str = "QUEUED"
    reason: str = ""
    completed: datetime | None = None
    result: Result = field(default_factory=lambda: Result((), ()))
    scanned: int = 0
    seconds: float = 0.0
    stopped: threading.Event = field(default_factory=threading.Event)
    run: Run | None = None

    @property
    def reads(self) -> bool:
        """Whether it is a SELECT."""
        return isinstance(self.statement, exp.Query)

    @property
    def status(self) -> str:
        """Its state, as moto calls it."""
        return self.state

    @property
    def kind(self) -> str:
        """What Athena calls its statement's type."""
        if self.reads:
            return "DML"
        return "UTILITY" if isinstance(self.statement, exp.Describe | exp.Show) else "DDL"


class Athena:
    """The queries of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tokens: dict[tuple[str, str, str], Query] = {}

    def start(self, params: Mapping[str, Any], account: str, region: str) -> Query:
        """
        Begin a query, and return it.

        Raises
        ------
        InvalidRequest
            If it is no SQL, or has nowhere to write its result.
        """
        token = (account, region, str(params.get("ClientRequestToken") or uuid.uuid4()))
        if (before := self._tokens.get(token)) is not None:
            if before.text != params["QueryString"]:
                raise InvalidRequest("Idempotent parameters do not match")
            return before
        backend = athena_backends[account][region]
        workgroup = backend.work_groups.get(params.get("WorkGroup") or "primary")
        if workgroup is None:
            raise InvalidRequest(f"WorkGroup {params['WorkGroup']} is not found.")
        try:
            statement = parsed(params["QueryString"], params.get("ExecutionParameters"))
        except Malformed as wrong:
            raise InvalidRequest(str(wrong)) from None
        if not isinstance(statement, exp.Query) and _work_of(statement) is None:
            raise InvalidRequest("Queries of this type are not supported")
        context = params.get("QueryExecutionContext") or {}
        query = Query(
            text=params["QueryString"],
            statement=statement,
            place=(account, region),
            database=str(context.get("Database") or "default").lower(),
            output=_output(params, workgroup),
            workgroup=workgroup,
            submitted=self._world.clock.now(),
            context=context,
            parameters=params.get("ExecutionParameters"),
            limit=workgroup.configuration.get("BytesScannedCutoffPerQuery"),
        )
        query.output += f"{query.id}.{'csv' if query.reads else 'txt'}"
        _check_output(query)
        self._tokens[token] = backend.executions[query.id] = query
        threading.Thread(target=self._work, args=(query,), name=f"athena-{query.id}", daemon=True).start()
        return query

    def stop(self, query: Query) -> None:
        """End a query; one that has ended stays as it is."""
        with self._world.lock:
            if query.state not in _ENDED:
                self._end(query, "CANCELLED", "Query cancelled by user")
        query.stopped.set()
        if query.run is not None:
            query.run.interrupt()

    def _work(self, query: Query) -> None:
        began = time.monotonic()
        with self._world.lock:
            if query.state == "QUEUED":
                query.state = "RUNNING"
        try:
            if query.stopped.wait(self._world.settings.athena_lasts.total_seconds()):
                return
            result = self._selected(query) if query.reads else self._done(query)
            ended, reason = "SUCCEEDED", ""
        except Refused as refused:
            result, reason = Result((), ()), str(refused)
            ended = "CANCELLED" if reason.startswith("Bytes scanned limit") else "FAILED"  # seen in public issues
        except Exception as error:  # noqa: BLE001
            _LOG.exception("the query %s failed", query.id)
            result, ended, reason = Result((), ()), "FAILED", f"GENERIC_INTERNAL_ERROR: {error}"
        with self._world.lock:
            query.scanned = query.run.scanned if query.run is not None else 0
            query.seconds = time.monotonic() - began
            if query.state not in _ENDED:
                query.result = result
                if ended == "SUCCEEDED":
                    _write(query, result)
                self._end(query, ended, reason)

    def _end(self, query: Query, state: str, reason: str) -> None:
        query.state, query.reason, query.completed = state, reason, self._world.clock.now()

    def _selected(self, query: Query) -> Result:
        query.run = Run(query.statement, query.database, self._store(query.place))
        return query.run.result(query.limit)

    def _done(self, query: Query) -> Result:
        work = _work_of(query.statement)
        assert work is not None
        with self._world.lock:
            glue = glue_backends[query.place[0]][query.place[1]]
            if query.database == "default" and "default" not in glue.databases:
                glue.create_database("default", {"Name": "default"})
            try:
                return work(query.statement, query.database, glue) or Result((), ())
            except GlueClientError as error:  # seen in public issues
                told = f"{error.error_type}(message:{error.message})"
                ddl = "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."
                raise Refused(f"{ddl} {told}") from error

    def _store(self, place: tuple[str, str]) -> Store:
        account, region = place
        s3 = s3_backends[account]["aws"]

        def table(database: str, name: str) -> Table | None:
            with self._world.lock:
                glue = glue_backends[account][region]
                found = glue.databases.get(database)
                described = found and found.tables.get(name)
                if not described:
                    return None
                partitions = [one.partition_input | {"Values": one.values} for one in described.partitions.values()]
                return table_of(described.as_dict(), partitions)

        def keys(table: Table) -> dict[str, int]:
            bucket, prefix = fixed_place(table)
            with self._world.lock:
                try:
                    found = s3.get_bucket(bucket).keys
                except MissingBucket:
                    raise Refused(f"PERMISSION_DENIED: The specified bucket does not exist: {bucket}") from None
                objects = [(key, one) for key, one in sorted(found.items()) if key.startswith(prefix)]
                return {key: one.size for key, one in objects if hasattr(one, "size")}  # a mark of deletion has none

        def content(table: Table, key: str) -> bytes:
            return bytes(s3.get_bucket(fixed_place(table)[0]).keys[key].value)

        def database(name: str) -> bool:
            return name == "default" or name in glue_backends[account][region].databases

        return Store(database, table, keys, content, self._world.clock.now())


def _output(params: Mapping[str, Any], workgroup: Any) -> str:
    """
    Return the folder for the result.

    Raises
    ------
    InvalidRequest
        If neither the call nor the workgroup names one.
    """
    own = (workgroup.configuration.get("ResultConfiguration") or {}).get("OutputLocation")
    asked = (params.get("ResultConfiguration") or {}).get("OutputLocation")
    place = own or asked if workgroup.configuration.get("EnforceWorkGroupConfiguration") else asked or own
    if not place:
        raise InvalidRequest(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    return f"{str(place).rstrip('/')}/"


def _check_output(query: Query) -> None:
    bucket = place_of(query.output)[0]
    try:
        s3_backends[query.place[0]]["aws"].get_bucket(bucket)
    except MissingBucket:
        raise InvalidRequest(f"Unable to verify/create output bucket {bucket}") from None


def _write(query: Query, result: Result) -> None:
    """Write the result: every value in quotes, a NULL as nothing at all (seen in public issues)."""
    rows: list[tuple[str | None, ...]] = list(result.rows)
    if query.reads:
        rows.insert(0, tuple(column.name for column in result.columns))
    text = "".join(f"{','.join(map(_quoted if query.reads else str, row))}\n" for row in rows)
    bucket, _, key = query.output.removeprefix("s3://").partition("/")
    s3_backends[query.place[0]]["aws"].put_object(bucket, key, text.encode())


def _quoted(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'


# -------- what is no SELECT

Work = Callable[[Any, str, Any], Result | None]


def _work_of(statement: exp.Expr) -> Work | None:
    """Return what does a statement; None if the local AWS does not know it."""
    if isinstance(statement, exp.Create):
        return _CREATES.get(str(statement.args.get("kind")).upper())
    if isinstance(statement, exp.Drop):
        return _DROPS.get(str(statement.args.get("kind")).upper())
    if isinstance(statement, exp.Command):
        words = statement.sql().upper().split()
        return _show_tables if words[:2] == ["SHOW", "TABLES"] else None
    return None


def _create_database(statement: Any, database: str, glue: Any) -> None:
    del database
    name = statement.this.name.lower()
    if not (statement.args.get("exists") and name in glue.databases):
        glue.create_database(name, {"Name": name})


def _drop_database(statement: Any, database: str, glue: Any) -> None:
    del database
    for place in statement.args.get("tables") or [statement.this]:
        name = place.name.lower()
        if name in glue.databases or not statement.args.get("exists"):
            glue.delete_database(name)


def _create_table(statement: Any, database: str, glue: Any) -> None:
    place = statement.this.this if isinstance(statement.this, exp.Schema) else statement.this
    name, within = place.name.lower(), (place.db or database).lower()
    if statement.args.get("exists") and within in glue.databases and name in glue.databases[within].tables:
        return
    glue.create_table(within, name, table_input(statement))


def _create_view(statement: Any, database: str, glue: Any) -> None:
    """Keep a view's query as it is; AWS keeps it in a form of Presto's own."""
    name, within = statement.this.name.lower(), (statement.this.db or database).lower()
    given = {"Name": name, "TableType": VIEW, "ViewOriginalText": statement.expression.sql(DIALECT)}
    if statement.args.get("replace") and name in getattr(glue.databases.get(within), "tables", {}):
        glue.update_table(within, name, given)
    else:
        glue.create_table(within, name, given)


def _drop_table(statement: Any, database: str, glue: Any) -> None:
    for place in statement.args.get("tables") or [statement.this]:
        name, within = place.name.lower(), (place.db or database).lower()
        if not statement.args.get("exists") or name in getattr(glue.databases.get(within), "tables", {}):
            glue.delete_table(within, name)


def _show_tables(statement: Any, database: str, glue: Any) -> Result:
    words = statement.sql().replace("`", "").split()
    within = words[3].lower() if len(words) > 3 and words[2].upper() in {"IN", "FROM"} else database
    names = sorted(glue.get_database(within).tables)
    return Result((Column("tab_name", "string", 0),), tuple((name,) for name in names))


_CREATES: Mapping[str, Work] = {
    "TABLE": _create_table,
    "VIEW": _create_view,
    "DATABASE": _create_database,
    "SCHEMA": _create_database,
}
_DROPS: Mapping[str, Work] = {
    "TABLE": _drop_table,
    "VIEW": _drop_table,
    "DATABASE": _drop_database,
    "SCHEMA": _drop_database,
}


# -------- as it is told


def _told(query: Query) -> dict[str, Any]:
    status: dict[str, Any] = {"State": query.state, "SubmissionDateTime": query.submitted.timestamp()}
    if query.completed is not None:
        status["CompletionDateTime"] = query.completed.timestamp()
    if query.reason:
        status["StateChangeReason"] = query.reason
    if query.state == "FAILED":
        kind = next((number for code, number in _ERRORS.items() if query.reason.startswith(code)), None)
        error = {"ErrorCategory": 2, "Retryable": False, "ErrorMessage": query.reason}
        status["AthenaError"] = error | ({"ErrorType": kind} if kind else {})
    took = round(query.seconds * 1000)
    told: dict[str, Any] = {
        "QueryExecutionId": query.id,
        "Query": query.text,
        "StatementType": query.kind,
        "ResultConfiguration": {"OutputLocation": query.output},
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
        "QueryExecutionContext": dict(query.context),
        "Status": status,
        "Statistics": {
            "EngineExecutionTimeInMillis": took,
            "TotalExecutionTimeInMillis": took,
            "DataScannedInBytes": query.scanned,
            "ResultReuseInformation": {"ReusedPreviousResult": False},
        },
        "WorkGroup": query.workgroup.name,
        "EngineVersion": {
            "SelectedEngineVersion": "AUTO",
            "EffectiveEngineVersion": "Athena engine version 3",
        },
    }
    return told | ({"ExecutionParameters": query.parameters} if query.parameters else {})


def _page(query: Query, size: int, token: str) -> dict[str, Any]:
    """
    Return a page of a result; the first row of the first page of a SELECT's are the columns' names.

    Raises
    ------
    InvalidRequest
        If there is no result, or the token or size is none.
    """
    if query.state in {"QUEUED", "RUNNING"}:
        raise InvalidRequest(f"Query has not yet finished. Current state: {query.state}")
    if query.state == "FAILED":
        raise InvalidRequest("Query did not finish successfully. Final query state: FAILED")
    if query.state == "CANCELLED":
        raise InvalidRequest("Could not find results")
    if not 1 <= size <= PAGE:
        raise InvalidRequest(f"MaxResults is more than maximum allowed length {PAGE}.")
    head = [tuple(column.name for column in query.result.columns)] if query.reads else []
    rows = [*head, *query.result.rows]
    first = _place_in(query, token, len(rows))
    page: dict[str, Any] = {
        "UpdateCount": 0,
        "ResultSet": {
            "Rows": [{"Data": [_datum(value) for value in row]} for row in rows[first : first + size]],
            "ResultSetMetadata": {"ColumnInfo": [_column(column) for column in query.result.columns]},
        },
    }
    return page | ({"NextToken": f"{query.id}/{first + size}"} if first + size < len(rows) else {})


def _place_in(query: Query, token: str, count: int) -> int:
    if not token:
        return 0
    owner, _, place = token.partition("/")
    if owner != query.id or not place.isdecimal() or int(place) >= count:
        raise InvalidRequest("Invalid NextToken")
    return int(place)


def _datum(value: str | None) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": value}


def _column(column: Column) -> dict[str, Any]:
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": column.kind,
        "Precision": column.precision,
        "Scale": 0,
        "Nullable": "UNKNOWN",
        "CaseSensitive": column.kind == "varchar",
    }


def install(world: World) -> None:
    """Let Athena's queries run."""
    athena = Athena(world)

    def found(self: Any) -> Query:
        name = str(current_call.get().params.get("QueryExecutionId"))
        query = self.athena_backend.executions.get(name)
        if not isinstance(query, Query):
            raise InvalidRequest(f"QueryExecution {name} was not found")
        return query

    def start_query_execution(self: Any) -> str:
        query = athena.start(current_call.get().params, self.current_account, self.region)
        return json.dumps({"QueryExecutionId": query.id})

    def get_query_execution(self: Any) -> str:
        with world.lock:
            return json.dumps({"QueryExecution": _told(found(self))})

    def batch_get_query_execution(self: Any) -> str:
        names = current_call.get().params.get("QueryExecutionIds") or []
        known = self.athena_backend.executions
        missing = [
            {"QueryExecutionId": name, "ErrorCode": "INVALID_INPUT", "ErrorMessage": "was not found"}
            for name in names
            if name not in known
        ]
        told = [_told(known[name]) for name in names if name in known]
        return json.dumps({"QueryExecutions": told, "UnprocessedQueryExecutionIds": missing})

    def get_query_results(self: Any) -> str:
        params = current_call.get().params
        size = params.get("MaxResults")
        return json.dumps(_page(found(self), PAGE if size is None else size, str(params.get("NextToken") or "")))

    def stop_query_execution(self: Any) -> str:
        athena.stop(found(self))
        return "{}"

    AthenaResponse.start_query_execution = start_query_execution
    AthenaResponse.get_query_execution = get_query_execution
    AthenaResponse.batch_get_query_execution = batch_get_query_execution
    AthenaResponse.get_query_results = get_query_results
    AthenaResponse.stop_query_execution = stop_query_execution
