"""What Athena is told: the table over a trail's log files, the query of their records, and a record of its rows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import ParameterError
from ecs_runbook.inventory.model import Place
from ecs_runbook.past.delivered import Root
from ecs_runbook.past.facts import EVENT_NAMES
from ecs_runbook.past.layout import days

if TYPE_CHECKING:
    from ecs_runbook.past.sources import Window

_COLUMNS = {
    "eventtime": "string",
    "eventsource": "string",
    "eventname": "string",
    "awsregion": "string",
    "sourceipaddress": "string",
    "useragent": "string",
    "errorcode": "string",
    "errormessage": "string",
    "requestparameters": "string",
    "responseelements": "string",
    "eventid": "string",
    "recipientaccountid": "string",
    "useridentity": "struct<arn:string,accountid:string,invokedby:string,"
    "sessioncontext:struct<sessionissuer:struct<arn:string>>>",
}
_PLAIN = {
    "eventTime": "eventtime",
    "eventSource": "eventsource",
    "eventName": "eventname",
    "awsRegion": "awsregion",
    "sourceIPAddress": "sourceipaddress",
    "userAgent": "useragent",
    "errorCode": "errorcode",
    "errorMessage": "errormessage",
    "eventID": "eventid",
    "recipientAccountId": "recipientaccountid",
}
_IDENTITY = {
    "caller_arn": "useridentity.arn",
    "caller_account": "useridentity.accountid",
    "invoked_by": "useridentity.invokedby",
    "issuer_arn": "useridentity.sessioncontext.sessionissuer.arn",
}
_ASKED = {
    "asked_started_by": "startedBy",
    "asked_cluster": "cluster",
    "asked_definition": "taskDefinition",
    "asked_family": "family",
    "asked_launch_type": "launchType",
}
RESULT_COLUMNS = (*_PLAIN.values(), *_IDENTITY, *_ASKED, "answer", "answered_definition")
"""Of the query's rows. Of a request only what facts need: what else stands there is not written to the results."""


def table_name(root: Root) -> str:
    """
    Return the name of the table over *root*: another place, or another form of the table, has another one.

    Examples
    --------
    >>> table_name(Root("logs", "AWSLogs")) == table_name(Root("logs", "AWSLogs")) != table_name(Root("log", "AWSLogs"))
    True
    """
    told = json.dumps([root.template, _COLUMNS])
    return f"cloudtrail_{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def create_database(database: str) -> str:
    """
    Return the statement that makes the database.

    Examples
    --------
    >>> create_database("ecs_runbook")
    'CREATE DATABASE IF NOT EXISTS `ecs_runbook`'
    """
    return f"CREATE DATABASE IF NOT EXISTS `{_identifier('database', database)}`"


def create_table(database: str, root: Root) -> str:
    """
    Return the statement that makes the table over the log files in *root*.

    Account and Region are injected: a query names those that it means, so that a new account needs no other table, and
    nothing is read that nobody asked for. The day is projected, so that no partition is ever added.

    Source: AWS docs, Athena, "Create the table for CloudTrail logs in Athena using partition projection" (verified), of
    which this has the columns that facts need; "Use dynamic ID partitioning" for injected columns; "Query restored
    Amazon S3 Glacier objects" (verified).
    """
    columns = ",\n".join(f"  `{name}` {kind}" for name, kind in _COLUMNS.items())
    properties = {
        "projection.enabled": "true",
        "projection.account.type": "injected",
        "projection.region.type": "injected",
        "projection.delivered.type": "date",
        "projection.delivered.range": "2013/01/01,NOW",  # CloudTrail is of 2013
        "projection.delivered.format": "yyyy/MM/dd",
        "projection.delivered.interval": "1",
        "projection.delivered.interval.unit": "DAYS",
        "storage.location.template": root.template,
        "read_restored_glacier_objects": "true",
    }
    return "\n".join(
        [
            f"CREATE EXTERNAL TABLE IF NOT EXISTS `{_identifier('database', database)}`.`{table_name(root)}` (",
            columns,
            ")",
            "PARTITIONED BY (`account` string, `region` string, `delivered` string)",
            "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'",
            "STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'",
            "OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'",
            f"LOCATION {_literal(f'{root}/')}",
            "TBLPROPERTIES (",
            ",\n".join(f"  {_literal(name)} = {_literal(value)}" for name, value in properties.items()),
            ")",
        ]
    )


def select_records(database: str, root: Root, places: Sequence[Place], window: Window) -> str:
    """
    Return the query of the records that facts are made of.

    Parameters
    ----------
    places
        Accounts and Regions; each account is asked in each of the Regions.
    window
        The range of the runs. Revisions that were registered before it count where their records lie in the same
        files, which are read anyway.

    Notes
    -----
    A record is found in the folder of the day on which it was delivered, so one day more is read.
    """
    wanted = [*(f"{column}" for column in _PLAIN.values())]
    wanted += [f"{path} AS {name}" for name, path in _IDENTITY.items()]
    wanted += [f"json_extract_scalar(requestparameters, '$.{name}') AS {column}" for column, name in _ASKED.items()]
    wanted.append("CASE WHEN eventname = 'RunTask' THEN responseelements END AS answer")
    revision = "json_extract_scalar(responseelements, '$.taskDefinition.taskDefinitionArn')"
    wanted.append(f"{revision} AS answered_definition")
    every = days(window)
    since, until = (f"{one.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for one in (window.since, window.until))
    return "\n".join(
        [
            "SELECT",
            ",\n".join(f"  {one}" for one in wanted),
            f'FROM "{_identifier("database", database)}"."{table_name(root)}"',
            f"WHERE account IN ({_list(sorted({place.account for place in places}))})",
            f"  AND region IN ({_list(sorted({place.region for place in places}))})",
            f"  AND delivered BETWEEN {_literal(f'{every[0]:%Y/%m/%d}')} AND {_literal(f'{every[-1]:%Y/%m/%d}')}",
            f"  AND eventname IN ({_list(EVENT_NAMES)})",
            f"  AND eventtime <= {_literal(until)}",
            f"  AND (eventname <> 'RunTask' OR eventtime >= {_literal(since)})",
        ]
    )


def record_of(row: Mapping[str, str | None]) -> dict[str, Any]:
    """
    Return a row of the query as the record that it was, as far as facts need it.

    Examples
    --------
    >>> row = dict.fromkeys(RESULT_COLUMNS) | {"asked_cluster": "batch", "answer": '{"tasks": []}'}
    >>> record = record_of(row)
    >>> record["requestParameters"]["cluster"], record["responseElements"]
    ('batch', {'tasks': []})
    """
    record: dict[str, Any] = {name: row[column] for name, column in _PLAIN.items() if row[column] is not None}
    record["userIdentity"] = {
        "arn": row["caller_arn"],
        "accountId": row["caller_account"],
        "invokedBy": row["invoked_by"],
        "sessionContext": {"sessionIssuer": {"arn": row["issuer_arn"]}},
    }
    record["requestParameters"] = {name: row[column] for column, name in _ASKED.items()}
    record["responseElements"] = {"taskDefinition": {"taskDefinitionArn": row["answered_definition"]}}
    if row["answer"] is not None:
        record["responseElements"] = json.loads(row["answer"])
    return record


def _identifier(field: str, name: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]{1,128}", name):
        raise ParameterError(
            f"{field} = {name!r} is no name for Athena.", hint="It has small letters, digits and underscores."
        )
    return name


def _list(values: Sequence[str]) -> str:
    return ", ".join(_literal(value) for value in values)


def _literal(value: str) -> str:
    """Return *value* in quotes. What comes here was looked at before: nothing in it ends a literal."""
    if "'" in value or "\\" in value or "\n" in value:
        raise ParameterError(f"{value!r} cannot be put into a query.", hint="Leave quotes and backslashes out of it.")
    return f"'{value}'"
