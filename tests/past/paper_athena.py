"""
S3 and Athena on paper: log files in memory; a query is run for real, by sqlglot and DuckDB, on the records in them.

What Athena answers is written down from AWS's documentation: the header in the first row, nulls left out, the reasons
of failures as public issues have them.
"""

# ruff: noqa: N803, ARG002 - it takes what AWS's API takes, by its names

import gzip
import json
import re
from collections import Counter
from types import SimpleNamespace

import duckdb
import sqlglot
from botocore.exceptions import ClientError

from ecs_runbook.session import LOCAL_PACE

AS_TEXT = ("requestParameters", "responseElements")
BUCKET = "logs"


def key_of(place, day, number=0, root="AWSLogs"):
    """The key of a file as CloudTrail names it; *day* is ``2026/11/04``."""
    name = f"{place[0]}_CloudTrail_{place[1]}_{day.replace('/', '')}T0205Z_{number:016}.json.gz"
    return f"{root}/{place[0]}/CloudTrail/{place[1]}/{day}/{name}"


def deliver(records, root="AWSLogs"):
    """The files that a trail makes of *records*: one for each account, Region and day."""
    files = {}
    for one in records:
        place = one["recipientAccountId"], one["awsRegion"]
        files.setdefault(key_of(place, one["eventTime"][:10].replace("-", "/"), root=root), []).append(one)
    return {
        key: gzip.compress(json.dumps({"Records": some}, separators=(",", ":")).encode()) for key, some in files.items()
    }


def refusal(code, message, operation):
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class PaperS3:
    def __init__(self, files, page=1000):
        self.files, self.page, self.calls = dict(files), page, 0
        self.more = {}  # what besides is told of a key

    def list_objects_v2(self, Bucket, Prefix, Delimiter="", ContinuationToken="0", OptionalObjectAttributes=()):
        self.calls += 1
        assert Bucket == BUCKET
        found = sorted(key for key in self.files if key.startswith(Prefix))
        folders = {Prefix + key[len(Prefix) :].split("/")[0] + "/" for key in found if "/" in key[len(Prefix) :]}
        if Delimiter:
            return {"CommonPrefixes": [{"Prefix": one} for one in sorted(folders)], "IsTruncated": False}
        begin = int(ContinuationToken)
        some = [
            {"Key": key, "Size": len(self.files[key]), **self.more.get(key, {})}
            for key in found[begin : begin + self.page]
        ]
        more = begin + self.page < len(found)
        return {"Contents": some, "IsTruncated": more} | (
            {"NextContinuationToken": str(begin + self.page)} if more else {}
        )

    def get_object(self, Bucket, Key):
        return {"Body": SimpleNamespace(read=lambda: self.files[Key])}


class PaperAthena:
    """*script* has what goes wrong: for the next queries a state and a reason, or how often each is looked at."""

    def __init__(self, s3, *, page=1000):
        self.s3, self.page = s3, page
        self.tables, self.databases, self.queries, self.stopped = {}, set(), [], []
        self.made, self.script, self.throttled, self.counts = [], [], Counter(), Counter()

    def start_query_execution(self, QueryString, WorkGroup, ResultConfiguration=None):
        self._asked("StartQueryExecution")
        self.queries.append(QueryString)
        made = self.script.pop(0) if self.script else {}
        made = {"State": "SUCCEEDED", "looks": [], "rows": [], "scanned": 0, "output": ResultConfiguration} | made
        if made["State"] == "SUCCEEDED":
            try:
                made |= self._run(QueryString)
            except LookupError as error:
                made |= {"State": "FAILED", "StateChangeReason": str(error.args[0])}
        self.made.append(made)
        return {"QueryExecutionId": str(len(self.made))}

    def get_query_execution(self, QueryExecutionId):
        self._asked("GetQueryExecution")
        made = self.made[int(QueryExecutionId) - 1]
        if made["looks"]:
            one = made["looks"].pop(0)
            if isinstance(one, BaseException):
                raise one
            return {"QueryExecution": {"Status": {"State": "RUNNING"}, "Statistics": {"DataScannedInBytes": one}}}
        status = {"State": made["State"]} | (
            {"StateChangeReason": made["StateChangeReason"]} if "StateChangeReason" in made else {}
        )
        return {"QueryExecution": {"Status": status, "Statistics": {"DataScannedInBytes": made["scanned"]}}}

    def get_query_results(self, QueryExecutionId, MaxResults, NextToken="0"):
        self._asked("GetQueryResults")
        assert MaxResults <= 1000
        rows, begin = self.made[int(QueryExecutionId) - 1]["rows"], int(NextToken)
        some = [
            {"Data": [{} if one is None else {"VarCharValue": one} for one in row]} for row in rows[begin:][: self.page]
        ]
        more = begin + self.page < len(rows)
        return {"ResultSet": {"Rows": some}} | ({"NextToken": str(begin + self.page)} if more else {})

    def stop_query_execution(self, QueryExecutionId):
        self.stopped.append(QueryExecutionId)

    def _asked(self, name):
        self.counts[name] += 1
        if self.throttled[name] > 0:
            self.throttled[name] -= 1
            raise refusal("TooManyRequestsException", "Rate exceeded", name)

    def _run(self, statement):
        if statement.startswith("CREATE DATABASE"):
            self.databases.add(re.search(r"`(\w+)`", statement)[1])
            return {}
        if statement.startswith("CREATE EXTERNAL TABLE"):
            return self._table(statement)
        database, table = re.search(r'FROM "(\w+)"\."(\w+)"', statement).groups()
        if (database, table) not in self.tables:
            raise LookupError(f"TABLE_NOT_FOUND: line 22:6: Table 'awsdatacatalog.{database}.{table}' does not exist")
        rows, scanned = self._records(self.tables[database, table][1], statement)
        with duckdb.connect() as engine:
            engine.execute(f"CREATE SCHEMA {database}")
            engine.execute(
                f"CREATE TABLE {database}.{table} AS SELECT unnest(from_json(?, ?), recursive := false) AS one",
                [json.dumps(rows), json.dumps([self.tables[database, table][0]])],
            )
            engine.execute(f"CREATE VIEW {database}.v AS SELECT unnest(one) FROM {database}.{table}")
            query = statement.replace(f'"{table}"', '"v"')
            found = engine.execute(sqlglot.transpile(query, read="athena", write="duckdb")[0])
            names = [one[0] for one in found.description]
            return {"rows": [names, *found.fetchall()], "scanned": scanned}

    def _table(self, statement):
        made = sqlglot.parse_one(statement, read="athena")  # a statement that is none fails here
        columns = {one.name: one.kind.sql("duckdb") for one in made.this.expressions if one.kind}
        told = dict(re.findall(r"'([\w.]+)' = '([^']*)'", statement))
        database, table = re.search(r"EXISTS `(\w+)`\.`(\w+)`", statement).groups()
        if database not in self.databases:
            raise LookupError(f"FAILED: SemanticException [Error 10072]: Database does not exist: {database}")
        partitions = re.findall(r"`(\w+)` string", re.search(r"PARTITIONED BY \((.*)\)", statement)[1])
        structure = {
            **{name: _json_type(kind) for name, kind in columns.items()},
            **dict.fromkeys(partitions, "VARCHAR"),
        }
        self.tables[database, table] = (structure, told)
        return {}

    def _records(self, told, statement):
        """The records in the partitions that the query names, as CloudTrailInputFormat and the SerDe give them."""
        template = re.escape(told["storage.location.template"].removeprefix(f"s3://{BUCKET}/"))
        pattern = re.sub(r"\\\$\\\{(\w+)\\\}", lambda found: f"(?P<{found[1]}>[^/]+)", template)
        pattern = pattern.replace("(?P<delivered>[^/]+)", r"(?P<delivered>\d{4}/\d\d/\d\d)") + r"/[^/]+"
        named = {
            name: set(re.findall(r"'([^']+)'", re.search(rf"{name} IN \((.*)\)", statement)[1]))
            for name in ("account", "region")
        }
        first, last = re.search(r"delivered BETWEEN '([^']+)' AND '([^']+)'", statement).groups()
        rows, scanned = [], 0
        for key, content in self.s3.files.items():
            part = re.fullmatch(pattern, key)
            if part and all(part[name] in named[name] for name in named) and first <= part["delivered"] <= last:
                scanned += len(content)
                records = json.loads(gzip.decompress(content))["Records"]
                rows += [{**_lower(record), **part.groupdict()} for record in records]
        return rows, scanned


def _lower(record):
    return {
        key.lower(): (None if value is None else json.dumps(value)) if key in AS_TEXT else _keys(value)
        for key, value in record.items()
    }


def _keys(value):
    return {key.lower(): _keys(one) for key, one in value.items()} if isinstance(value, dict) else value


def _json_type(kind):
    """What DuckDB's from_json takes for a type of the table."""
    if not kind.startswith("STRUCT"):
        return "VARCHAR"
    fields = sqlglot.exp.DataType.build(kind, dialect="duckdb").expressions
    return {one.name: _json_type(one.kind.sql("duckdb")) for one in fields}


class PaperAws:
    """An account whose S3 and Athena are on paper."""

    account, region, answer_seconds, pace = "111122223333", "eu-west-1", 1, LOCAL_PACE

    def __init__(self, files, *, page=1000):
        self.s3 = PaperS3(files)
        self.athena = PaperAthena(self.s3, page=page)

    def client(self, name):
        return {"s3": self.s3, "athena": self.athena}[name]
