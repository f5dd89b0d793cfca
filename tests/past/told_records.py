"""One set of records that every source is held against, in CloudTrail's delivered form, and what is true of them."""

import copy
from datetime import UTC, datetime

SINCE, UNTIL = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
PLACES = (("111122223333", "eu-west-1"), ("444455556666", "us-east-1"))


def arn(kind, name, place=PLACES[0]):
    return f"arn:aws:ecs:{place[1]}:{place[0]}:{kind}/{name}"


def record(name, time, event_id, *, place=PLACES[0], asked=None, answer=None, who="events.amazonaws.com", **more):
    """Return one record; *who* called, as the record shows it."""
    role = f"arn:aws:iam::{place[0]}:role/nightly-schedule"
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{place[0]}:assumed-role/nightly-schedule/0123456789abcdef",
            "accountId": place[0],
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": role}, "webIdFederationData": {}},
            **({"invokedBy": who} if who.endswith(".amazonaws.com") else {}),
        },
        "eventTime": time,
        "eventSource": "ecs.amazonaws.com",
        "eventName": name,
        "awsRegion": place[1],
        "sourceIPAddress": who if who.endswith(".amazonaws.com") else "192.0.2.7",
        "userAgent": who,
        "requestParameters": asked,
        "responseElements": answer,
        "requestID": f"request-{event_id}",
        "eventID": event_id,
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": place[0],
        "eventCategory": "Management",
        **more,
    }


def register(revision, time, event_id, family="nightly", place=PLACES[0]):
    made = {
        "family": family,
        "revision": revision,
        "taskDefinitionArn": arn("task-definition", f"{family}:{revision}", place),
    }
    return record(
        "RegisterTaskDefinition",
        time,
        event_id,
        place=place,
        who="Terraform/1.9 (+https://www.terraform.io)",
        asked={"family": family, "containerDefinitions": [{"name": "main", "image": 'say "hi" },{"eventVersion":'}]},
        answer={"taskDefinition": made | {"registeredAt": "Nov 9, 2026, 5:00:49 PM", "status": "ACTIVE"}},
    )


def deregister(revision, time, event_id, family="nightly"):
    made = {"family": family, "revision": revision, "taskDefinitionArn": arn("task-definition", f"{family}:{revision}")}
    return record(
        "DeregisterTaskDefinition",
        time,
        event_id,
        who="console.amazonaws.com",
        asked={"taskDefinition": f"{family}:{revision}"},
        answer={"taskDefinition": made | {"status": "INACTIVE"}},
    )


def run(ran, time, event_id, *, task, asked="nightly", by="events-rule/nightly", place=PLACES[0], **more):
    family = asked.partition(":")[0]
    placed = {
        "taskArn": arn("task", f"batch/{task}", place),
        "taskDefinitionArn": arn("task-definition", f"{family}:{ran}", place),
        "lastStatus": "PROVISIONING",
        "launchType": "FARGATE",
        "startedBy": by,
    }
    wanted = {
        "cluster": arn("cluster", "batch", place),
        "taskDefinition": arn("task-definition", asked, place),
        "startedBy": by,
        "launchType": "FARGATE",
        "overrides": {"containerOverrides": [{"name": "main", "environment": "HIDDEN_DUE_TO_SECURITY_REASONS"}]},
    }
    return record(
        "RunTask", time, event_id, place=place, asked=wanted, answer={"tasks": [placed], "failures": []}, **more
    )


RECORDS = [
    run(4, "2026-11-01T02:00:12Z", "e01", task="t01"),
    register(5, "2026-11-02T10:00:00Z", "e02"),
    run(5, "2026-11-03T02:00:12Z", "e03", task="t03"),
    register(6, "2026-11-03T10:00:00Z", "e04"),
    run(5, "2026-11-04T02:00:12Z", "e05", task="t05", asked="nightly:5"),
    run(
        6,
        "2026-11-04T02:00:13Z",
        "e06",
        task="t06",
        by="chronos-schedule/late",
        who="AmazonEventBridgeScheduler aws-sdk-java/2.28.29",
    ),
    deregister(6, "2026-11-05T10:00:00Z", "e07"),
    run(5, "2026-11-06T02:00:12Z", "e08", task="t08"),
    # refused without parameters: role, words and caller alone are left
    record(
        "RunTask",
        "2026-11-07T02:00:12Z",
        "e09",
        errorCode="AccessDenied",
        errorMessage="User: arn:aws:sts::111122223333:assumed-role/nightly-schedule/0123456789abcdef is not authorized"
        f" to perform: ecs:RunTask on resource: {arn('task-definition', 'nightly:5')} because no identity-based policy"
        " allows the ecs:RunTask action",
    ),
    # accepted by HTTP, and yet no task
    record(
        "RunTask",
        "2026-11-08T02:00:12Z",
        "e10",
        asked={
            "cluster": arn("cluster", "batch"),
            "taskDefinition": arn("task-definition", "nightly"),
            "startedBy": "events-rule/nightly",
        },
        answer={
            "tasks": [],
            "failures": [
                {
                    "reason": "Capacity is unavailable at this time. Please try again later or in a different"
                    " availability zone"
                }
            ],
        },
    ),
    # of a service, and of a person: nobody's schedule
    run(5, "2026-11-08T03:00:00Z", "e11", task="t11", by="ecs-svc/123", who="ecs.amazonaws.com"),
    run(5, "2026-11-08T03:00:01Z", "e12", task="t12", by="", who="aws-cli/2.0"),
    # another account and Region has the same names
    register(1, "2026-11-01T00:00:00Z", "e13", place=PLACES[1]),
    run(1, "2026-11-09T02:00:12Z", "e14", task="t14", place=PLACES[1]),
    # outside the range
    run(5, "2026-12-01T02:00:12Z", "e15", task="t15"),
    # what is no record of these
    record("DescribeTasks", "2026-11-09T02:00:12Z", "e16", asked={"tasks": ["RunTask"]}, who="aws-cli/2.0"),
]
"""In the order in which they happened, but for those of the other account."""

TRUE = [
    ("111122223333", "2026-11-01T02:00:12", "nightly", "nightly", 4, None, "UNKNOWN", "ACCEPTED"),
    ("111122223333", "2026-11-03T02:00:12", "nightly", "nightly", 5, 5, "LATEST", "ACCEPTED"),
    ("111122223333", "2026-11-04T02:00:12", "nightly", "nightly:5", 5, 6, "STALE", "ACCEPTED"),
    ("111122223333", "2026-11-04T02:00:13", "late", "nightly", 6, 6, "LATEST", "ACCEPTED"),
    ("111122223333", "2026-11-06T02:00:12", "nightly", "nightly", 5, 5, "LATEST", "ACCEPTED"),
    ("111122223333", "2026-11-07T02:00:12", "unknown, with the role nightly-schedule", "", None, None, "", "REFUSED"),
    ("111122223333", "2026-11-08T02:00:12", "nightly", "nightly", None, 5, "", "FAILED TO START"),
    ("444455556666", "2026-11-09T02:00:12", "nightly", "nightly", 1, 1, "LATEST", "ACCEPTED"),
]
"""account, time, schedule, requested, executed, latest, state, status: worked out by hand."""


def stopped(task, code, *, created="2026-11-03T02:00:12.345Z", event_id="s1", by="events-rule/nightly"):
    """Return the event of a task that stopped."""
    place = PLACES[0]
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": place[0],
        "time": "2026-11-03T02:05:00Z",
        "region": place[1],
        "resources": [arn("task", f"batch/{task}")],
        "detail": {
            "taskArn": arn("task", f"batch/{task}"),
            "taskDefinitionArn": arn("task-definition", "nightly:5"),
            "clusterArn": arn("cluster", "batch"),
            "lastStatus": "STOPPED",
            "launchType": "FARGATE",
            "startedBy": by,
            "createdAt": created,
            "startedAt": "2026-11-03T02:01:00Z",
            "stoppedAt": "2026-11-03T02:04:30Z",
            "executionStoppedAt": "2026-11-03T02:04:00Z",
            "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
            "containers": [{"name": "main", "exitCode": code}],
        },
    }


def told(table):
    """Return of a table of runs what :data:`TRUE` says."""
    columns = ["account", "time", "schedule", "requested", "executed", "latest", "state", "status"]
    rows = table[columns].astype(object).where(table[columns].notna(), None).to_dict("records")
    return [(row["account"], f"{row['time']:%Y-%m-%dT%H:%M:%S}", *(row[name] for name in columns[2:])) for row in rows]


def records():
    """Return the records, to be changed at will."""
    return copy.deepcopy(RECORDS)
