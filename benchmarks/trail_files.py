"""
Made-up log files of CloudTrail in the form in which a trail delivers them, any number of records.

Twelve shapes of records, as an account has them: services that assume roles, keys, logs, instances, policies as text
in text, refusals; two in a hundred are RunTask, one in 500 registers a revision. A file is made from its number alone,
so that any process can make any of them, and two of one number are the same byte by byte.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ACCOUNTS = ("111122223333", "222233334444", "333344445555", "444455556666")
REGIONS = ("eu-west-2", "us-east-1")
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
A_FILE = timedelta(minutes=5)
FAMILIES = 200
RUN_TASK, REGISTER = 0.02, 0.002

_TLS = {
    "tlsVersion": "TLSv1.3",
    "cipherSuite": "TLS_AES_128_GCM_SHA256",
    "clientProvidedHostHeader": "%(service)s.%(region)s.amazonaws.com",
}
_SDK = "aws-sdk-java/2.28.29 Linux/5.10.234 md/OpenJDK_64-Bit_Server_VM#17.0.14 vendor/Amazon.com_Inc. exec-env/ECS"
_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ecs:RunTask"],
                "Resource": "arn:aws:ecs:%(region)s:%(account)s:task-definition/%(family)s:*",
                "Condition": {"ArnEquals": {"ecs:cluster": "arn:aws:ecs:%(region)s:%(account)s:cluster/batch"}},
            }
        ],
    }
)


def _role(name: str, session: str, invoked_by: str = "") -> dict[str, Any]:
    identity: dict[str, Any] = {
        "type": "AssumedRole",
        "principalId": f"AROA%(role_id)s:{session}",
        "arn": f"arn:aws:sts::%(account)s:assumed-role/{name}/{session}",
        "accountId": "%(account)s",
        "accessKeyId": "ASIA%(key)s",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROA%(role_id)s",
                "arn": f"arn:aws:iam::%(account)s:role/{name}",
                "accountId": "%(account)s",
                "userName": name,
            },
            "attributes": {"creationDate": "%(created)s", "mfaAuthenticated": "false"},
        },
    }
    return identity | ({"invokedBy": invoked_by} if invoked_by else {})


def _shape(
    service: str,
    name: str,
    identity: dict[str, Any],
    request: Any,
    response: Any,
    *,
    agent: str = _SDK,
    error: tuple[str, str] | None = None,
    read: bool = True,
    resources: Sequence[dict[str, str]] = (),
) -> str:
    by_service = agent.endswith(".amazonaws.com")
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": "%(time)s",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": "%(region)s",
        "sourceIPAddress": agent if by_service else "10.%(ip)s",
        "userAgent": agent,
    }
    if error:
        record |= {"errorCode": error[0], "errorMessage": error[1]}
    record |= {
        "requestParameters": request,
        "responseElements": response,
        "requestID": "%(request_id)s",
        "eventID": "%(event_id)s",
        "readOnly": read,
        **({"resources": list(resources)} if resources else {}),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "%(account)s",
        "eventCategory": "Management",
    }
    if not by_service:
        record["tlsDetails"] = {key: text.replace("%(service)s", service) for key, text in _TLS.items()}
    return json.dumps(record, separators=(",", ":"))


_ECS = "arn:aws:ecs:%(region)s:%(account)s"
_AWS_VPC = {"subnets": ["subnet-0a1a1a1a1a1a1a1a1"], "assignPublicIp": "DISABLED", "securityGroups": ["sg-0c1c1c1c"]}
_ASKED = {
    "cluster": f"{_ECS}:cluster/batch",
    "count": 1,
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
    "launchType": "FARGATE",
    "networkConfiguration": {"awsvpcConfiguration": _AWS_VPC},
    "overrides": {"containerOverrides": [{"name": "main", "environment": "HIDDEN_DUE_TO_SECURITY_REASONS"}]},
    "startedBy": "events-rule/%(family)s",
    "taskDefinition": f"{_ECS}:task-definition/%(family)s",
}
_TASK = {
    "attachments": [
        {
            "id": "%(request_id)s",
            "type": "ElasticNetworkInterface",
            "status": "PRECREATED",
            "details": [{"name": "subnetId", "value": "subnet-0a1a1a1a1a1a1a1a1"}],
        }
    ],
    "clusterArn": f"{_ECS}:cluster/batch",
    "containers": [
        {
            "containerArn": f"{_ECS}:container/batch/%(hex)s/1",
            "taskArn": f"{_ECS}:task/batch/%(hex)s",
            "name": "main",
            "image": "%(account)s.dkr.ecr.%(region)s.amazonaws.com/%(family)s:latest",
            "lastStatus": "PENDING",
            "networkInterfaces": [],
            "cpu": "0",
        }
    ],
    "cpu": "256",
    "createdAt": "%(spelled)s",
    "desiredStatus": "RUNNING",
    "group": "family:%(family)s",
    "lastStatus": "PROVISIONING",
    "launchType": "FARGATE",
    "memory": "512",
    "startedBy": "events-rule/%(family)s",
    "taskArn": f"{_ECS}:task/batch/%(hex)s",
    "taskDefinitionArn": f"{_ECS}:task-definition/%(family)s:%(revision)s",
}
_BY_RULE = _role("%(family)s-schedule", "%(hex)s", "events.amazonaws.com")
_RULE = "events.amazonaws.com"
_FORBIDDEN = (
    "User: arn:aws:sts::%(account)s:assumed-role/%(family)s-schedule/%(hex)s is not authorized to perform: ecs:RunTask "
    f"on resource: {_ECS}:task-definition/%(family)s:%(revision)s because no identity-based policy allows the "
    "ecs:RunTask action"
)
_RUN_TASKS = [
    *[_shape("ecs", "RunTask", _BY_RULE, _ASKED, {"failures": [], "tasks": [_TASK]}, agent=_RULE, read=False)] * 17,
    _shape("ecs", "RunTask", _BY_RULE, None, None, agent=_RULE, read=False, error=("AccessDenied", _FORBIDDEN)),
    _shape(
        "ecs",
        "RunTask",
        _BY_RULE,
        _ASKED,
        {"failures": [{"reason": "Capacity is unavailable at this time. Please try again later"}], "tasks": []},
        agent=_RULE,
        read=False,
    ),
    _shape("ecs", "RunTask", _role("deploy", "ci"), _ASKED, {"failures": [], "tasks": [_TASK]}, read=False),
]
_DEFINITION = {
    "family": "%(family)s",
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "requiresCompatibilities": ["FARGATE"],
    "containerDefinitions": [{"name": "main", "image": "busybox:%(hex)s", "essential": True, "cpu": 0}],
}
_REGISTERED = _DEFINITION | {
    "taskDefinitionArn": f"{_ECS}:task-definition/%(family)s:%(revision)s",
    "revision": "@revision@",
    "status": "ACTIVE",
    "registeredAt": "%(spelled)s",
}
_REGISTER = _shape(
    "ecs",
    "RegisterTaskDefinition",
    _role("deploy", "ci"),
    _DEFINITION,
    {"taskDefinition": _REGISTERED},
    read=False,
).replace('"@revision@"', "%(revision)s")
_SERVICE = {"type": "AWSService", "invokedBy": "ecs-tasks.amazonaws.com"}
_KEY = {"ARN": "arn:aws:kms:%(region)s:%(account)s:key/%(request_id)s", "type": "AWS::KMS::Key"}
_GIVEN = {"accessKeyId": "ASIA%(key)s", "sessionToken": "%(hex)s%(hex)s%(hex)s", "expiration": "%(spelled)s"}
_FLEET = {"instancesSet": {}, "filterSet": {"items": [{"name": "tag:Team", "valueSet": {"items": [{"value": "x"}]}}]}}
_OTHERS = [
    *[
        _shape(
            "sts",
            "AssumeRole",
            _SERVICE,
            {"roleArn": "arn:aws:iam::%(account)s:role/%(family)s", "roleSessionName": "%(hex)s"},
            {"credentials": _GIVEN, "assumedRoleUser": {"arn": "arn:aws:sts::%(account)s:assumed-role/%(family)s/s"}},
            agent="ecs-tasks.amazonaws.com",
        )
    ]
    * 4,
    *[
        _shape(
            "kms",
            "Decrypt",
            _role("%(family)s", "%(hex)s"),
            {"encryptionContext": {"PARAMETER_ARN": "arn:aws:ssm:%(region)s:%(account)s:parameter/%(family)s/key"}},
            None,
            resources=[_KEY],
        )
    ]
    * 3,
    _shape("logs", "CreateLogStream", _role("%(family)s", "%(hex)s"), {"logStreamName": "main/%(hex)s"}, None),
    _shape("ecs", "DescribeTasks", _role("deploy", "ci"), {"tasks": [f"{_ECS}:task/batch/%(hex)s"]}, None),
    _shape("ecs", "ListTasks", _role("deploy", "ci"), {"cluster": "batch", "family": "%(family)s"}, None),
    _shape("ec2", "DescribeInstances", _role("watch", "%(hex)s"), _FLEET, None),
    _shape(
        "iam",
        "PutRolePolicy",
        _role("deploy", "ci"),
        {"roleName": "%(family)s-schedule", "policyName": "run", "policyDocument": _POLICY},
        None,
        read=False,
    ),
    _shape(
        "s3",
        "GetBucketAcl",
        {"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"},
        {"bucketName": "trail-%(account)s", "Host": "trail-%(account)s.s3.%(region)s.amazonaws.com", "acl": ""},
        None,
        agent="cloudtrail.amazonaws.com",
    ),
    _shape(
        "dynamodb",
        "DescribeTable",
        _role("watch", "%(hex)s"),
        None,
        None,
        error=("AccessDenied", "User: … is not authorized to perform: dynamodb:DescribeTable"),
    ),
    _shape("events", "ListTargetsByRule", _role("watch", "%(hex)s"), {"rule": "%(family)s", "limit": 100}, None),
]


def key_of(number: int) -> str:
    """Return where in the bucket the file of that number lies: files go round accounts and Regions, and on in time."""
    account, region, delivered = _place(number)
    rest = random.Random(number).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=16)
    name = f"{account}_CloudTrail_{region}_{delivered:%Y%m%dT%H%MZ}_{''.join(rest)}.json.gz"
    return f"AWSLogs/{account}/CloudTrail/{region}/{delivered:%Y/%m/%d}/{name}"


def _place(number: int) -> tuple[str, str, datetime]:
    account = ACCOUNTS[number % len(ACCOUNTS)]
    region = REGIONS[number // len(ACCOUNTS) % len(REGIONS)]
    return account, region, BEGIN + A_FILE * (number // (len(ACCOUNTS) * len(REGIONS)))


def content_of(number: int, records: int) -> bytes:
    """Return the file of that number, not yet compressed."""
    chance = random.Random(f"trail {number}")
    account, region, delivered = _place(number)
    return b'{"Records":[%s]}' % ",".join(_record(chance, account, region, delivered) for _ in range(records)).encode()


def _record(chance: random.Random, account: str, region: str, delivered: datetime) -> str:
    dice = chance.random()
    if dice < RUN_TASK:
        shape = chance.choice(_RUN_TASKS)
    elif dice < RUN_TASK + REGISTER:
        shape = _REGISTER
    else:
        shape = chance.choice(_OTHERS)
    bits = f"{chance.getrandbits(512):0128x}"
    family = f"job-{int(bits[:4], 16) % FAMILIES:03}"
    time = delivered - timedelta(seconds=30 + int(bits[4:7], 16) % 570)
    return shape % {
        "account": account,
        "region": region,
        "time": f"{time:%Y-%m-%dT%H:%M:%SZ}",
        "created": f"{time:%Y-%m-%dT%H:00:00Z}",
        "spelled": f"{time:%b} {time.day}, {time.year}, {time.hour % 12 or 12}:{time:%M:%S %p}",
        "family": family,
        "revision": 1 + delivered.timetuple().tm_yday % 50,
        "ip": f"{int(bits[8:10], 16)}.{int(bits[10:12], 16)}.{int(bits[12:14], 16)}",
        "key": bits[14:30].upper(),
        "role_id": f"{family[4:]}{family[4:]}{account[:11]}".upper(),
        "hex": bits[30:62],
        "event_id": _uuid(bits[62:94]),
        "request_id": _uuid(bits[94:126]),
    }


def _uuid(bits: str) -> str:
    return f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"


def write(top: Path, files: Sequence[int], records: int) -> None:
    """Write the files of those numbers below *top*, *records* in each, unless they are there; with all cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(_write, [top] * len(files), files, [records] * len(files), chunksize=4):
            pass


def _write(top: Path, number: int, records: int) -> None:
    path = top / key_of(number)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        beside.write_bytes(gzip.compress(content_of(number, records), 6, mtime=0))
        beside.replace(path)
