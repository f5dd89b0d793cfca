"""
Athena's queries run. Expectations are from aws-behaviour.md §5 and AWS docs: Athena, "Create the table for CloudTrail
logs using partition projection", "Partition projection", "Use dynamic ID partitioning", "Working with query results";
and from botocore's words. Words of refusals are those that public issues show.
"""

import gzip
import itertools
import json
import subprocess
import sys
from datetime import UTC, datetime

import duckdb
import pytest
from local_world import ACCOUNT, REGION, LocalWorld, allow, document, refused

from ecs_runbook.local_aws import process
from ecs_runbook.local_aws.athena_query import Malformed, parsed
from ecs_runbook.local_aws.athena_tables import Table, objects, table_of

ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}
COLUMNS = """
  eventversion STRING,
  useridentity STRUCT<
    type: STRING, principalid: STRING, arn: STRING, accountid: STRING, invokedby: STRING, accesskeyid: STRING,
    username: STRING,
    sessioncontext: STRUCT<
      attributes: STRUCT<mfaauthenticated: STRING, creationdate: STRING>,
      sessionissuer: STRUCT<type: STRING, principalid: STRING, arn: STRING, accountid: STRING, username: STRING>>>,
  eventtime STRING, eventsource STRING, eventname STRING, awsregion STRING, errorcode STRING,
  requestparameters STRING, responseelements STRING, eventid STRING,
  resources ARRAY<STRUCT<arn: STRING, accountid: STRING, type: STRING>>,
  readonly STRING, recipientaccountid STRING
"""
CLOUDTRAIL = """
ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
"""
UNRESOLVED = "cannot be resolved or requester is not authorized to access requested resources"
ACCOUNTS = ("111111111111", "222222222222")


class Asker:
    """Athena, asked; and the bucket that it reads and writes."""

    def __init__(self, world):
        self.world, self.athena, self.s3 = world, world.client("athena"), world.client("s3")
        self.bucket = world.name("athena")
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})

    def start(self, sql, **more):
        whole = {"ResultConfiguration": {"OutputLocation": f"s3://{self.bucket}/results/"}, **more}
        given = {name: value for name, value in whole.items() if value is not None}
        return self.athena.start_query_execution(QueryString=sql, **given)["QueryExecutionId"]

    def execution(self, query):
        return self.athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]

    def ended(self, sql, **more):
        """Ask, and return the execution once it has ended."""
        query = self.start(sql, **more)
        found = (self.execution(query) for _ in itertools.count())
        return next(one for one in found if one["Status"]["State"] in ENDED)

    def done(self, sql, **more):
        execution = self.ended(sql, **more)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        return execution

    def rows(self, sql, **more):
        """The result without its head; None for a value that is not there."""
        query = self.done(sql, **more)["QueryExecutionId"]
        result = self.athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        return [tuple(one.get("VarCharValue") for one in row["Data"]) for row in result[1:]]

    def scanned(self, sql):
        return self.done(sql)["Statistics"]["DataScannedInBytes"]

    def put(self, key, content):
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        return len(content)

    def table(self, name, keys, properties, *, columns=COLUMNS, stored=CLOUDTRAIL, location="AWSLogs/"):
        given = ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())
        self.done(
            f"CREATE EXTERNAL TABLE {name} ({columns}) {f'PARTITIONED BY ({keys})' if keys else ''} {stored} "
            f"LOCATION 's3://{self.bucket}/{location}' {f'TBLPROPERTIES ({given})' if given else ''}"
        )
        return name


def record(number, account, region, day, **more):
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{account}:assumed-role/r/s",
            "sessionContext": {"sessionIssuer": {"userName": "r"}},
        },
        "eventTime": f"{day}T02:00:00Z",
        "eventName": "RunTask",
        "awsRegion": region,
        "requestParameters": {"cluster": "batch", "count": 1, "taskDefinition": "nightly"},
        "responseElements": None,
        "eventID": f"e{number}",
        "readOnly": False,
        "recipientAccountId": account,
        **more,
    }


def log_file(records):
    return gzip.compress(json.dumps({"Records": records}).encode(), mtime=0)


@pytest.fixture(scope="module")
def asker(server):
    world = LocalWorld(server)
    world.to("2027-04-09T12:00:00Z")
    return Asker(world)


@pytest.fixture(scope="module")
def sizes(asker):
    """Log files of two accounts, two Regions and three days; their sizes by account, Region and day."""
    told = {}
    for number, (account, region, day) in enumerate(
        itertools.product(ACCOUNTS, ("eu-west-2", "us-east-1"), ("2027-04-01", "2027-04-02", "2027-04-08"))
    ):
        folder = f"AWSLogs/{account}/CloudTrail/{region}/{day.replace('-', '/')}"
        content = log_file([record(number, account, region, day) for _ in range(number + 1)])
        told[account, region, day] = asker.put(f"{folder}/{account}_CloudTrail_{region}_{number}.json.gz", content)
    asker.table(
        "logs",
        "account string, region string, `timestamp` string",
        {
            "projection.enabled": "true",
            "projection.account.type": "enum",
            "projection.account.values": ",".join(ACCOUNTS),
            "projection.region.type": "enum",
            "projection.region.values": "eu-west-2,us-east-1",
            "projection.timestamp.type": "date",
            "projection.timestamp.format": "yyyy/MM/dd",
            "projection.timestamp.range": "2027/04/02,NOW",
            "storage.location.template": f"s3://{asker.bucket}/AWSLogs/${{account}}/CloudTrail/${{region}}/${{timestamp}}",
        },
    )
    return {key: size for key, size in told.items() if key[2] > "2027-04-01"}


@pytest.fixture(autouse=True)
def as_at_the_start(server):
    yield
    process.settings(server, reset=True)


# -------- the trail's own files


def test_what_a_trail_delivered_is_found_by_the_table_of_awss_docs(asker):
    world, trail = asker.world, asker.world.name("trail")
    service = {"Principal": {"Service": "cloudtrail.amazonaws.com"}}
    bucket = world.name("trail-logs")
    asker.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    policy = document(
        allow("s3:GetBucketAcl", f"arn:aws:s3:::{bucket}") | service,
        allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*") | service,
    )
    asker.s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    world.cloudtrail.create_trail(Name=trail, S3BucketName=bucket)
    world.cloudtrail.start_logging(Name=trail)
    role = world.role(trust={"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"})
    session = world.sts.assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    world.client("ecs", session).list_clusters()
    family = world.register()["family"]
    world.cloudtrail.delete_trail(Name=trail)
    world.advance(300)
    place = f"s3://{bucket}/AWSLogs/{ACCOUNT}/CloudTrail/{REGION}"
    asker.done(
        f"""
        CREATE EXTERNAL TABLE cloudtrail_logs_pp({COLUMNS})
        PARTITIONED BY (`timestamp` string)
        {CLOUDTRAIL}
        LOCATION '{place}'
        TBLPROPERTIES (
          'projection.enabled'='true',
          'projection.timestamp.format'='yyyy/MM/dd',
          'projection.timestamp.interval'='1',
          'projection.timestamp.interval.unit'='DAYS',
          'projection.timestamp.range'='2020/01/01,NOW',
          'projection.timestamp.type'='date',
          'storage.location.template'='{place}/${{timestamp}}')
        """
    )
    found = asker.rows(
        "SELECT eventid, json_extract_scalar(requestparameters, '$.family'), "
        "json_extract_scalar(responseelements, '$.taskDefinition.revision') "
        "FROM cloudtrail_logs_pp WHERE \"timestamp\" = '2027/04/09' AND eventname = 'RegisterTaskDefinition'"
    )
    assert found == [(world.trail("RegisterTaskDefinition")[-1]["eventID"], family, "1")]
    by_role = asker.rows(
        "SELECT eventname, readonly, useridentity.sessioncontext.sessionissuer.arn FROM cloudtrail_logs_pp "
        "WHERE useridentity.type = 'AssumedRole'"
    )
    assert by_role == [("ListClusters", "true", role)]


# -------- what a query reads


def total(sizes, *, accounts=ACCOUNTS, regions=("eu-west-2", "us-east-1"), days=("2027-04-02", "2027-04-08")):
    return sum(
        size
        for (account, region, day), size in sizes.items()
        if account in accounts and region in regions and day in days
    )


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ("", {}),
        ("WHERE account = '111111111111'", {"accounts": ACCOUNTS[:1]}),
        (
            "WHERE '222222222222' = account AND region IN ('us-east-1')",
            {"accounts": ACCOUNTS[1:], "regions": ["us-east-1"]},
        ),
        ("WHERE \"timestamp\" BETWEEN '2027/04/01' AND '2027/04/07'", {"days": ["2027-04-02"]}),
        ("WHERE \"timestamp\" > '2027/04/02' AND eventname = 'StopTask'", {"days": ["2027-04-08"]}),
        ("WHERE region = 'us-east-1' OR region = 'eu-west-2' AND eventname = 'x'", {}),
        ("WHERE (region = 'us-east-1' OR account = '1') AND awsregion = 'x'", {"regions": ["us-east-1"]}),
        ("AS l WHERE l.region = 'us-east-1'", {"regions": ["us-east-1"]}),
        ("WHERE account = 'none'", {"accounts": []}),
        ("WHERE substr(\"timestamp\", 1, 7) = '2027/03'", {"days": []}),
    ],
)
def test_only_the_partitions_that_a_where_leaves_are_read(asker, sizes, where, chosen):
    assert asker.scanned(f"SELECT count(*) FROM logs {where}") == total(sizes, **chosen)


def test_a_table_that_stands_twice_is_read_twice(asker, sizes):
    both = "SELECT eventid FROM logs WHERE region = 'us-east-1' UNION ALL SELECT eventid FROM logs"
    assert asker.scanned(both) == total(sizes) + total(sizes, regions=["us-east-1"])


def test_what_lies_outside_of_the_projection_is_not_there(asker, sizes):
    found = asker.rows('SELECT DISTINCT "timestamp" FROM logs ORDER BY 1')
    assert found == [("2027/04/02",), ("2027/04/08",)]  # the files of the first day are before the range


def test_partitions_are_columns(asker, sizes):
    sql = "SELECT account, region, count(*) FROM logs WHERE \"timestamp\" = '2027/04/08' GROUP BY 1, 2 ORDER BY 1, 2"
    assert asker.rows(sql) == [
        (ACCOUNTS[0], "eu-west-2", "3"),
        (ACCOUNTS[0], "us-east-1", "6"),
        (ACCOUNTS[1], "eu-west-2", "9"),
        (ACCOUNTS[1], "us-east-1", "12"),
    ]


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ("account = '111111111111'", {"e2"}),
        ("account IN ('111111111111', '222222222222')", {"e2", "e8"}),
        ("(account = '222222222222')", {"e8"}),
    ],
)
def test_an_injected_key_takes_its_values_from_the_query(asker, sizes, where, ids):
    injected(asker)
    sql = f"SELECT DISTINCT eventid FROM injected WHERE {where} AND day = '2027/04/08' AND region = 'eu-west-2'"
    assert {name for (name,) in asker.rows(sql)} == ids


@pytest.mark.parametrize("where", ["", "WHERE account > '1'", "WHERE account LIKE '1%'", "WHERE account = eventid"])
def test_an_injected_key_without_a_value_fails(asker, sizes, where):
    injected(asker)
    execution = asker.ended(f"SELECT eventid FROM injected {where}")
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"] == (
        "CONSTRAINT_VIOLATION: For the injected projected partition column account, the WHERE clause must contain only "
        "static equality conditions, and at least one such condition must be present."
    )
    assert execution["Statistics"]["DataScannedInBytes"] == 0


def injected(asker):
    properties = {
        "projection.enabled": "true",
        "projection.account.type": "injected",
        "projection.region.type": "enum",
        "projection.region.values": "eu-west-2",
        "projection.day.type": "date",
        "projection.day.format": "yyyy/MM/dd",
        "projection.day.range": "NOW-1YEARS,NOW",
        "storage.location.template": f"s3://{asker.bucket}/AWSLogs/${{account}}/CloudTrail/${{region}}/${{day}}",
    }
    asker.done("DROP TABLE IF EXISTS injected")
    asker.table("injected", "account string, region string, day string", properties)


# -------- what stands in a result


@pytest.fixture(scope="module")
def odd(asker):
    """One record with everything odd in it, and one with nothing."""
    long = "a\"b, c\nd é 🙂 'x'"
    full = record(
        1,
        ACCOUNT,
        REGION,
        "2027-04-01",
        requestParameters={"Text": long, "list": [1, "2"], "object": {"A": None}, "number": 1.5, "truth": True},
        resources=[{"ARN": "arn:1", "accountId": ACCOUNT, "type": "T"}, {"arn": "arn:2"}],
    )
    bare = {"eventID": "e2", "userIdentity": None, "requestParameters": None, "unknown": {"x": 1}}
    asker.put("odd/a.json.gz", log_file([full, bare]))
    asker.put("odd/_ignored", b"not read")
    asker.put("odd/.ignored", b"nor this")
    asker.table("odd", "", {}, location="odd/")
    return long


VALUES = [  # an expression, and what it is for the full record and for the bare one
    ("eventid", "e1", "e2"),
    ("EventID", "e1", "e2"),
    ("eventversion", "1.11", None),
    ("readonly", "false", None),
    ("useridentity.type", "AssumedRole", None),
    ("useridentity.sessioncontext.sessionissuer.username", "r", None),
    ("useridentity.sessioncontext.attributes.mfaauthenticated", None, None),
    ("json_extract_scalar(requestparameters, '$.number')", "1.5", None),
    ("json_extract_scalar(requestparameters, '$.truth')", "true", None),
    ("json_extract_scalar(requestparameters, '$.object')", None, None),
    ("json_extract_scalar(requestparameters, '$.list')", None, None),
    ("json_extract_scalar(requestparameters, '$.object.A')", None, None),
    ("json_extract_scalar(requestparameters, '$.text')", None, None),  # names within a text keep their case
    ("json_extract(requestparameters, '$.list')", '[1,"2"]', None),
    ("cardinality(resources)", "2", None),
    ("resources[1].arn", "arn:1", None),
    ("count(*) OVER ()", "2", "2"),
    ("1.5E0", "1.5", "1.5"),
    ("requestparameters IS NULL", "false", "true"),
    ("from_iso8601_timestamp(eventtime)", "2027-04-01 02:00:00.000 UTC", None),
    ("CAST(substr(eventtime, 1, 10) AS date)", "2027-04-01", None),
]


def test_a_value_is_told_as_a_text(asker, odd):
    expressions = [f"{expression} AS c{number}" for number, (expression, _, _) in enumerate(VALUES)]
    full, bare = asker.rows(f"SELECT {', '.join(expressions)} FROM odd ORDER BY odd.eventid")
    assert {e: value for (e, _, _), value in zip(VALUES, full, strict=True)} == {e: value for e, value, _ in VALUES}
    assert {e: value for (e, _, _), value in zip(VALUES, bare, strict=True)} == {e: value for e, _, value in VALUES}


def test_every_character_comes_through(asker, odd):
    sql = "SELECT json_extract_scalar(requestparameters, '$.Text') FROM odd WHERE eventid = 'e1'"
    assert asker.rows(sql) == [(odd,)]


def test_the_first_row_has_the_names_and_the_columns_their_types(asker, odd):
    sql = "SELECT EventID, count(*), useridentity.type, eventid AS Mine, 1 = 1 FROM odd GROUP BY 1, 3, 4"
    result = asker.athena.get_query_results(QueryExecutionId=asker.done(sql)["QueryExecutionId"])["ResultSet"]
    names = ["eventid", "_col1", "type", "mine", "_col4"]
    assert [one["VarCharValue"] for one in result["Rows"][0]["Data"]] == names
    columns = result["ResultSetMetadata"]["ColumnInfo"]
    assert [one["Name"] for one in columns] == names
    assert [one["Type"] for one in columns] == ["varchar", "bigint", "varchar", "varchar", "boolean"]


def test_the_result_lies_in_s3(asker, odd):
    execution = asker.done("SELECT eventid, eventversion, 'a\"b' AS quoted FROM odd ORDER BY 1")
    output = execution["ResultConfiguration"]["OutputLocation"]
    assert output == f"s3://{asker.bucket}/results/{execution['QueryExecutionId']}.csv"
    body = asker.s3.get_object(Bucket=asker.bucket, Key=output.split("/", 3)[3])["Body"].read().decode()
    assert body == '"eventid","eventversion","quoted"\n"e1","1.11","a""b"\n"e2",,"a""b"\n'


def test_pages_have_a_thousand_rows_and_the_names_stand_on_the_first_alone(asker):
    asker.put("many/a.json", "".join(f'{{"n": {n}}}\n' for n in range(2100)).encode())
    stored = """ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
    WITH SERDEPROPERTIES ('ignore.malformed.json'='FALSE') STORED AS TEXTFILE"""
    asker.table("many", "", {}, columns="n bigint", stored=stored, location="many/")
    query = asker.done("SELECT n FROM many ORDER BY n")["QueryExecutionId"]
    pages = [
        [row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]]
        for page in asker.athena.get_paginator("get_query_results").paginate(QueryExecutionId=query)
    ]
    assert [len(page) for page in pages] == [1000, 1000, 101]
    assert [row for page in pages for row in page] == ["n", *map(str, range(2100))]
    few = asker.athena.get_query_results(QueryExecutionId=query, MaxResults=2)
    assert [row["Data"][0]["VarCharValue"] for row in few["ResultSet"]["Rows"]] == ["n", "0"]
    more = asker.athena.get_query_results(QueryExecutionId=query, MaxResults=1, NextToken=few["NextToken"])
    assert [row["Data"][0]["VarCharValue"] for row in more["ResultSet"]["Rows"]] == ["1"]
    other = asker.done("SELECT 1")["QueryExecutionId"]
    with refused("InvalidRequestException", "Invalid NextToken"):
        asker.athena.get_query_results(QueryExecutionId=other, NextToken=few["NextToken"])
    with refused("InvalidRequestException", "MaxResults is more than maximum allowed length 1000."):
        asker.athena.get_query_results(QueryExecutionId=query, MaxResults=1001)


# -------- what goes wrong


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            "SELECT banana FROM odd",
            f"COLUMN_NOT_FOUND: line 1:8: Column 'banana' {UNRESOLVED}",
        ),
        ("SELECT * FROM nothere", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.default.nothere' does not exist"),
        ("SELECT *\nFROM nodb.t", "SCHEMA_NOT_FOUND: line 2:6: Schema 'nodb' does not exist"),
    ],
)
def test_a_query_that_means_nothing_fails_and_reads_nothing(asker, odd, sql, reason):
    execution = asker.ended(sql)
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"] == execution["Status"]["AthenaError"]["ErrorMessage"] == reason
    assert execution["Statistics"]["DataScannedInBytes"] == 0
    with refused("InvalidRequestException", "Query did not finish successfully. Final query state: FAILED"):
        asker.athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])


@pytest.mark.parametrize(
    ("sql", "begins"),
    [
        ("SELEC 1", "line 1:"),
        ("SELECT FROM WHERE", "line 1:"),
        ("SELECT 1;\nSELECT 2", "line 1:1: mismatched input"),
        ("SELECT 'a", "line 1:"),
        ("", "line 1:"),
        ("GRANT SELECT ON t TO u", "Queries of this type are not supported"),
        ("INSERT INTO t VALUES (1)", "Queries of this type are not supported"),
    ],
)
def test_what_is_no_query_is_refused_at_once(asker, sql, begins):
    with pytest.raises(asker.athena.exceptions.InvalidRequestException) as wrong:
        asker.start(sql or " ")
    assert wrong.value.response["Error"]["Message"].startswith(begins)


def test_a_result_needs_a_place(asker):
    words = (
        "No output location provided. An output location is required either through the Workgroup result "
        "configuration setting or as an API input."
    )
    with refused("InvalidRequestException", words):
        asker.start("SELECT 1", ResultConfiguration=None)
    nowhere = {"OutputLocation": "s3://no-such-bucket-at-all/x"}
    with refused("InvalidRequestException", "Unable to verify/create output bucket no-such-bucket-at-all"):
        asker.start("SELECT 1", ResultConfiguration=nowhere)
    with refused("InvalidRequestException", "WorkGroup nobodys is not found."):
        asker.start("SELECT 1", WorkGroup="nobodys")
    with refused("InvalidRequestException", "QueryExecution unknown was not found"):
        asker.execution("unknown")


@pytest.mark.parametrize(
    "content",
    [b"no gzip", log_file([record(1, ACCOUNT, REGION, "2027-04-01")])[:-20], gzip.compress(b"{}"), b""],
    ids=["no gzip", "cut", "no records", "empty"],
)
def test_a_broken_file_fails_the_query(asker, content):
    name = asker.world.name("broken")
    asker.put(f"{name}/a.json.gz", content)
    asker.table(name, "", {}, location=f"{name}/")
    status = asker.ended(f"SELECT * FROM {name}")["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"].startswith(f"HIVE_CURSOR_ERROR: Failed to read s3 object {name}/a.json.gz: ")


def test_a_broken_parquet_fails_the_query(asker):
    asker.put("badparquet/a.parquet", b"PAR1 and no more")
    asker.table("badparquet", "", {}, columns="n int", stored="STORED AS PARQUET", location="badparquet/")
    reason = asker.ended("SELECT n FROM badparquet")["Status"]["StateChangeReason"]
    assert reason.startswith("HIVE_CURSOR_ERROR: Failed to read s3 object badparquet/a.parquet: ")


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM read_text('{}')", "SELECT 1 FROM odd WHERE (SELECT count(*) FROM read_csv('{}')) > 0"]
)
def test_a_query_reaches_no_file_of_this_machine(asker, odd, sql, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("s3cret\n")
    status = asker.ended(sql.format(secret))["Status"]
    assert status["State"] == "FAILED"
    assert "s3cret" not in json.dumps(status, default=str)


# -------- a query on its way


def test_a_query_runs_and_can_be_stopped(asker):
    process.settings(asker.world.server, athena_seconds=60)
    query = asker.start("SELECT 1")
    states = (asker.execution(query)["Status"]["State"] for _ in itertools.count())
    assert next(state for state in states if state != "QUEUED") == "RUNNING"
    with refused("InvalidRequestException", "Query has not yet finished. Current state: RUNNING"):
        asker.athena.get_query_results(QueryExecutionId=query)
    for _ in range(2):  # the second changes nothing
        asker.athena.stop_query_execution(QueryExecutionId=query)
        assert asker.execution(query)["Status"]["State"] == "CANCELLED"
    with refused("InvalidRequestException", "Could not find results"):
        asker.athena.get_query_results(QueryExecutionId=query)


def test_a_token_starts_one_query(asker):
    token = "t" * 32
    first = asker.start("SELECT 1", ClientRequestToken=token)
    assert asker.start("SELECT 1", ClientRequestToken=token) == first
    assert asker.start("SELECT 1", ClientRequestToken="u" * 32) != first
    with refused("InvalidRequestException", "Idempotent parameters do not match"):
        asker.start("SELECT 2", ClientRequestToken=token)


def test_a_workgroup_says_where_the_result_goes_and_how_much_is_read(asker):
    asker.put("big/a.json", b" " * 10_000_001)
    stored = "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'"
    asker.table("big", "", {}, columns="n bigint", stored=stored, location="big/")
    configuration = {
        "EnforceWorkGroupConfiguration": True,
        "ResultConfiguration": {"OutputLocation": f"s3://{asker.bucket}/theirs"},
        "BytesScannedCutoffPerQuery": 10_000_000,
    }
    asker.athena.create_work_group(Name="thrifty", Configuration=configuration)
    execution = asker.done("SELECT 1", WorkGroup="thrifty")
    assert execution["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{asker.bucket}/theirs/")
    assert execution["WorkGroup"] == "thrifty"
    execution = asker.ended("SELECT n FROM big", WorkGroup="thrifty")
    assert execution["Status"]["State"] == "CANCELLED"
    assert execution["Status"]["StateChangeReason"].startswith("Bytes scanned limit was exceeded")
    assert execution["Statistics"]["DataScannedInBytes"] == 10_000_000


def test_many_executions_are_told_at_once(asker):
    queries = [asker.done("SELECT 1")["QueryExecutionId"] for _ in range(2)]
    told = asker.athena.batch_get_query_execution(QueryExecutionIds=[*queries, "unknown"])
    assert [one["QueryExecutionId"] for one in told["QueryExecutions"]] == queries
    assert [one["QueryExecutionId"] for one in told["UnprocessedQueryExecutionIds"]] == ["unknown"]


def test_parameters_stand_in_for_question_marks(asker, odd):
    sql = "SELECT eventid FROM odd WHERE eventid = ? OR eventversion = ?"
    assert asker.rows(sql, ExecutionParameters=["'e2'", "'none'"]) == [("e2",)]
    with pytest.raises(Malformed, match="Incorrect number of parameters: expected 2 but found 1"):
        parsed(sql, ["'e2'"])


# -------- tables


def test_a_database_has_tables_of_its_own(asker, odd):
    asker.done("CREATE DATABASE IF NOT EXISTS mine")
    asker.done("CREATE DATABASE IF NOT EXISTS mine")
    within = {"QueryExecutionContext": {"Database": "mine"}}
    asker.done("CREATE EXTERNAL TABLE IF NOT EXISTS `mine`.`t` (n int) STORED AS PARQUET LOCATION 's3://x/'")
    asker.done("CREATE EXTERNAL TABLE IF NOT EXISTS t (n int) STORED AS PARQUET LOCATION 's3://x/'", **within)
    told = asker.athena.get_query_results(QueryExecutionId=asker.done("SHOW TABLES IN mine")["QueryExecutionId"])
    assert [row["Data"][0]["VarCharValue"] for row in told["ResultSet"]["Rows"]] == ["t"]
    status = asker.ended("CREATE EXTERNAL TABLE t (n int) STORED AS PARQUET LOCATION 's3://x/'", **within)["Status"]
    assert (status["State"], "AlreadyExistsException" in status["StateChangeReason"]) == ("FAILED", True)
    asker.done("DROP TABLE mine.t")
    assert asker.ended("SELECT 1 FROM t", **within)["Status"]["StateChangeReason"].startswith("TABLE_NOT_FOUND")
    asker.done("DROP DATABASE mine")
    assert asker.ended("SELECT 1 FROM mine.t")["Status"]["StateChangeReason"].startswith("SCHEMA_NOT_FOUND")


def test_a_table_lies_in_the_glue_catalogue_whoever_made_it(asker, odd):
    glue = asker.world.client("glue")
    made = glue.get_table(DatabaseName="default", Name="odd")["Table"]
    assert made["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"] == "org.apache.hive.hcatalog.data.JsonSerDe"
    columns = {one["Name"]: one["Type"] for one in made["StorageDescriptor"]["Columns"]}
    assert columns["resources"] == "array<struct<arn:string,accountid:string,type:string>>"
    given = {"StorageDescriptor": made["StorageDescriptor"], "TableType": "EXTERNAL_TABLE", "Name": "by_glue"}
    glue.create_table(DatabaseName="default", TableInput=given)
    assert asker.rows("SELECT count(*) FROM by_glue") == [("2",)]
    glue.delete_table(DatabaseName="default", Name="by_glue")


def test_a_view_is_its_query(asker, odd):
    asker.done('CREATE OR REPLACE VIEW "default"."twice" AS SELECT eventid FROM odd')
    asker.done(
        'CREATE OR REPLACE VIEW "default"."twice" AS SELECT eventid AS id FROM odd UNION ALL SELECT eventid FROM odd'
    )
    assert asker.rows("SELECT id, count(*) FROM twice t GROUP BY t.id ORDER BY 1") == [("e1", "2"), ("e2", "2")]
    assert asker.rows("WITH one AS (SELECT DISTINCT id FROM twice) SELECT count(*) FROM one") == [("2",)]


def test_a_view_of_itself_has_no_end_and_fails(asker):
    asker.done("CREATE OR REPLACE VIEW loop AS SELECT * FROM loop")
    assert asker.ended("SELECT * FROM loop")["Status"]["StateChangeReason"].startswith("VIEW_IS_RECURSIVE")
    asker.done("DROP VIEW loop")


def test_parquet_is_read_by_the_names_of_its_columns(asker, tmp_path):
    path = tmp_path / "a.parquet"
    with duckdb.connect() as connection:
        moment = "TIMESTAMPTZ '2027-04-01 02:00:00.5+00'"
        connection.execute(
            f"COPY (SELECT 'x' AS family, 7 AS revision, {moment} AS started, NULL::VARCHAR AS why, true AS good) "
            f"TO '{path}' (FORMAT parquet)"
        )
    key = "kept/account=111111111111/month=2027-04/a.parquet"
    size = asker.put(key, path.read_bytes())
    asker.put(key.replace("2027-04", "2027-05"), path.read_bytes())  # beyond now
    properties = {
        "projection.enabled": "true",
        "projection.account.type": "enum",
        "projection.account.values": "111111111111,222222222222",
        "projection.month.type": "date",
        "projection.month.format": "yyyy-MM",
        "projection.month.range": "2027-01,NOW",
        "projection.month.interval": "1",
        "projection.month.interval.unit": "MONTHS",
    }
    columns = "started timestamp, revision bigint, family string, why string, good boolean, absent string"
    keys = "`account` string, `month` string"
    asker.table("kept", keys, properties, columns=columns, stored="STORED AS PARQUET", location="kept/")
    assert asker.rows("SELECT * FROM kept") == [
        ("2027-04-01 02:00:00.500", "7", "x", None, "true", None, "111111111111", "2027-04")
    ]
    assert asker.scanned("SELECT family FROM kept") == size


# -------- partitions, by themselves


def projected(kind, **more):
    given = {f"projection.k.{name}": value for name, value in more.items()}
    described = {
        "DatabaseName": "d",
        "Name": "t",
        "StorageDescriptor": {
            "Location": "s3://b/t/",
            "Columns": [{"Name": "n", "Type": "int"}],
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        },
        "PartitionKeys": [{"Name": "k", "Type": "string"}],
        "Parameters": {"projection.enabled": "TRUE", "projection.k.type": kind, **given},
    }
    return table_of(described)


@pytest.mark.parametrize(
    ("table", "there", "not_there"),
    [
        (projected("enum", values="a, b"), ["a", "b"], ["c", "ab", ""]),
        (projected("integer", range="1,12"), ["1", "12"], ["0", "13", "x"]),
        (projected("integer", range="1,12", digits="2"), ["01", "12"], ["1", "001", "13"]),
        (
            projected("date", range="2027/03/31,NOW", format="yyyy/MM/dd"),
            ["2027/03/31", "2027/04/09"],
            ["2027/03/30", "2027/04/10", "2027-04-01", "2027/4/1"],
        ),
        (
            projected("date", range="NOW-3DAYS,NOW+1DAY", format="yyyy-MM-dd"),
            ["2027-04-06", "2027-04-10"],
            ["2027-04-05"],
        ),
        (projected("date", range="NOW-1MONTHS,NOW", format="yyyy/MM"), ["2027/03", "2027/04"], ["2027/02", "2027/05"]),
        (projected("date", range="NOW-2YEARS,NOW", format="yyyy"), ["2025", "2027"], ["2024", "2028"]),
        (projected("date", range="NOW-2HOURS,NOW", format="yyyy-MM-dd-HH"), ["2027-04-09-10"], ["2027-04-09-09"]),
        (projected("injected"), ["a", "2027-04"], [""]),
    ],
    ids=["enum", "integer", "digits", "date", "days", "months", "years", "hours", "injected"],
)
def test_a_partition_is_there_if_its_key_is_projected(table: Table, there, not_there):
    keys = [f"t/k={value}/a.parquet" for value in [*there, *not_there]]
    found = list(objects(table, [*keys, "t/a.parquet", "u/k=a/a.parquet"], datetime(2027, 4, 9, 12, tzinfo=UTC)))
    assert [one.values for one in found] == [(value,) for value in there]


def test_a_server_starts_without_what_athena_needs():
    code = (
        "import sys; from ecs_runbook.local_aws.server import create; create().warm_up();"
        "print([name for name in ('sqlglot', 'duckdb', 'moto.athena', 'moto.s3.models') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "[]"
