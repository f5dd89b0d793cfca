"""
A made-up account of any size: sound, but for the faults that a seed has sown into it.

What a check must find stands in :mod:`sown_faults`, by hand. Everything is made through AWS's own API.
"""

import functools
import itertools
import json
import random
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

TRUSTED = {"events": "events.amazonaws.com", "scheduler": "scheduler.amazonaws.com"}
BUSES = ("default", "orders", "billing")
GROUPS = ("default", "reports", "imports")
ZONES = ("UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York")
WORDS = ("backup", "invoices", "stock", "prices", "mail", "ledger", "cleanup", "export")
RUN_TASK = "arn:aws:scheduler:::aws-sdk:ecs:runTask"
START_EXECUTION = "states:StartExecution"


def allow(action, resource, condition=None):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trusting(*services):
    return document({"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"})


@dataclass(frozen=True)
class Family:
    """A task definition family, its latest revision, and the roles that this names."""

    name: str
    revision: int
    roles: tuple[str, ...]


@dataclass
class Entry:
    """
    One rule or schedule with its one target.

    ``owner`` is what PutRule or CreateSchedule is asked, ``run`` what RunTask is to be asked, in the casing of
    EventBridge's EcsParameters, ``policy`` what the role that runs it may do.
    """

    kind: str  # rule, event rule or schedule
    name: str
    place: str  # its bus or group
    family: Family
    owner: dict[str, Any]
    run: dict[str, Any]
    target: dict[str, Any]
    policy: list[dict[str, Any]]
    cluster: str
    through: bool = False
    again: bool = False  # its state machine runs the task again if it failed, and not at all while one runs
    universal: bool = False
    fault: str = ""
    found: frozenset[str] = frozenset()
    letter: bool = False  # a dead letter of it waits

    @property
    def subject(self) -> str:
        return self.name if self.place == "default" else f"{self.place}/{self.name}"

    @property
    def definition(self) -> str:
        return self.run["TaskDefinitionArn"]

    @property
    def network(self) -> dict[str, Any]:
        return self.run["NetworkConfiguration"]["awsvpcConfiguration"]


@dataclass
class Account:
    """What was made, and what a check must find: pairs of a subject and a check's id."""

    entries: list[Entry] = field(default_factory=list)
    others: int = 0

    @property
    def expected(self) -> set[tuple[str, str]]:
        """Of the definitions."""
        return {(one.subject, check) for one in self.entries for check in one.found}

    @property
    def expected_after_a_firing(self) -> set[tuple[str, str]]:
        """Of the definitions, and of what happened when each was due once."""
        from sown_faults import happened

        return self.expected | {(one.subject, check) for one in self.entries for check in happened(one)}


class Yard:
    """
    Where things are made, each once.

    *client* returns the boto3 client of a service; *named* tells the roles of one region's yard from another's.
    """

    def __init__(self, client: Callable[[str], Any], account: str, region: str, named: str = "") -> None:
        self.client, self.account, self.region = client, account, region
        self._named = f"-{named}" if named else ""
        self._numbers = itertools.count(1)

    def arn(self, service: str, resource: str) -> str:
        region = "" if service == "iam" else self.region
        return f"arn:aws:{service}:{region}:{self.account}:{resource}"

    def name(self, what: str) -> str:
        return f"{what}-{next(self._numbers)}{self._named}"

    # -------- roles and definitions

    def role(self, trust: str, *statements: dict[str, Any], name: str = "") -> str:
        name = name or self.name("role")
        made = self.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statements:
            self.client("iam").put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document(*statements))
        return made

    @functools.cache  # noqa: B019  a yard lives as long as its account
    def task_roles(self, number: int) -> tuple[str, str]:
        """The task's role and its execution role, which may pull and log."""
        pulling = allow(["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "*")
        tasks = trusting("ecs-tasks.amazonaws.com")
        return self.role(tasks, name=f"task-{number}{self._named}"), self.role(
            tasks, pulling, name=f"execution-{number}{self._named}"
        )

    def image(self, name: str) -> str:
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com/{name}:1"

    def family(self, name: str, *, roles: tuple[str, str] | None = None, revisions: int = 1, **more: Any) -> Family:
        task, execution = roles or self.task_roles(zlib.crc32(name.encode()) % 5)
        whole = {
            "family": name,
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "taskRoleArn": task,
            "executionRoleArn": execution,
            "containerDefinitions": [{"name": "main", "image": self.image(name)}],
            **more,
        }
        asked = {key: value for key, value in whole.items() if value is not None}
        for _ in range(revisions):
            made = self.client("ecs").register_task_definition(**asked)["taskDefinition"]
        return Family(name, made["revision"], (task, execution))

    # -------- networks

    @functools.cache  # noqa: B019  as above
    def networks(self) -> tuple[dict[str, Any], ...]:
        """Networks from which a task reaches its registry: by NAT, by a public address, by endpoints."""
        private, public = self._furnished("private"), self._furnished("public")
        return (
            {"Subnets": private, "SecurityGroups": ["sg-0c1c1c1c1c1c1c1c1"], "AssignPublicIp": "DISABLED"},
            {"Subnets": public, "SecurityGroups": ["sg-0c1c1c1c1c1c1c1c1"], "AssignPublicIp": "ENABLED"},
            self._behind_endpoints(),
        )

    def _furnished(self, kind: str) -> list[str]:
        """The network that stands in every region of the local AWS."""
        subnets = self.client("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": ["vpc-0d1d1d1d1d1d1d1d1"]}])
        public = kind == "public"
        return [one["SubnetId"] for one in subnets["Subnets"] if one["MapPublicIpOnLaunch"] == public]

    def _behind_endpoints(self) -> dict[str, Any]:
        ec2 = self.client("ec2")
        vpc, subnet, group = self.closed_network()
        for service in ("ecr.api", "ecr.dkr"):
            ec2.create_vpc_endpoint(
                VpcId=vpc,
                VpcEndpointType="Interface",
                ServiceName=f"com.amazonaws.{self.region}.{service}",
                SubnetIds=[subnet],
                SecurityGroupIds=[group],
                PrivateDnsEnabled=True,
            )
        tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
        ec2.create_vpc_endpoint(
            VpcId=vpc,
            VpcEndpointType="Gateway",
            ServiceName=f"com.amazonaws.{self.region}.s3",
            RouteTableIds=[table["RouteTableId"] for table in tables],
        )
        return {"Subnets": [subnet], "SecurityGroups": [group], "AssignPublicIp": "DISABLED"}

    def closed_network(self) -> tuple[str, str, str]:
        """A VPC without any way out, a subnet and a security group of it."""
        ec2, block = self.client("ec2"), f"10.{next(self._numbers) % 200 + 20}"
        vpc = ec2.create_vpc(CidrBlock=f"{block}.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"{block}.1.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="closed", Description="closed", VpcId=vpc)["GroupId"]
        return vpc, subnet, group

    # -------- clusters, queues, state machines

    def cluster(self, name: str) -> str:
        made = self.client("ecs").create_cluster(clusterName=name, capacityProviders=["FARGATE", "FARGATE_SPOT"])
        return made["cluster"]["clusterArn"]

    def queue(self, name: str, *, policy: bool = True) -> str:
        sending = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.arn("sqs", name),
            "Condition": {"ArnLike": {"aws:SourceArn": self.arn("events", "rule/*")}},
        }
        attributes = {"Policy": document(sending)} if policy else {}
        self.client("sqs").create_queue(QueueName=name, Attributes=attributes)
        return self.arn("sqs", name)

    def machine(self, entry: Entry, role: str) -> str:
        """A state machine that does nothing but run the entry's task; or one that runs it again, or not at all."""
        run = {name: value for name, value in entry.run.items() if name not in {"TaskDefinitionArn", "Tags"}}
        asked = {"Cluster": entry.cluster, "TaskDefinition": entry.definition, **_pascal(run)}
        task = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": asked, "End": True}
        states = self._again(entry, task) if entry.again else {"Run": task}
        made = self.client("stepfunctions").create_state_machine(
            name=f"machine-{entry.place}-{entry.name}",
            definition=json.dumps({"StartAt": next(iter(states)), "States": states}),
            roleArn=role,
        )
        return made["stateMachineArn"]

    def _again(self, entry: Entry, task: dict[str, Any]) -> dict[str, Any]:
        running = {"Cluster": entry.cluster, "Family": entry.family.name, "DesiredStatus": "RUNNING"}
        found = {"Variable": "$.tasks.TaskArns[0]", "IsPresent": True, "Next": "Skipped"}
        starting = {"ErrorEquals": ["AmazonECS.Unknown", "ECS.ThrottlingException"], "MaxAttempts": 2}
        return {
            "Look": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:ecs:listTasks",
                "Parameters": running,
                "ResultPath": "$.tasks",
                "Next": "Skip?",
            },
            "Skip?": {"Type": "Choice", "Choices": [found], "Default": "Run"},
            "Skipped": {"Type": "Succeed"},
            "Run": task | {"Retry": [starting | {"IntervalSeconds": 30, "BackoffRate": 2.0}]},
        }


def _pascal(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].upper() + name[1:]: _pascal(part) for name, part in value.items()}
    return [_pascal(part) for part in value] if isinstance(value, list) else value


def sow(
    client: Callable[[str], Any],
    *,
    account: str,
    region: str,
    rules: int,
    schedules: int,
    seed: int,
    share: float = 0.1,
    due: datetime | None = None,
    arrange: Callable[[list[Entry]], None] = lambda _: None,
    named: str = "",
    workers: int = 8,
) -> Account:
    """
    Make an account, and sow faults into a *share* of its rules and schedules: each of them at least once if there is
    room, one in an entry. With *due* everything is due once a day in the 35 minutes after it, else at any time.
    *arrange* may change the sound entries before; *named* ends the names of roles, where another region has the same.
    """
    from sown_faults import FAULTS

    chance, yard = random.Random(seed), Yard(client, account, region, named)
    made = Account()
    with ThreadPoolExecutor(workers) as pool:
        clusters, queues, families = _furniture(yard, max(3, (rules + schedules) // 5), pool)
        kinds = ["schedule"] * schedules + ["rule" if n % 2 else "event rule" for n in range(rules)]
        entries = [_entry(yard, n, kind, clusters, queues, families, chance, due) for n, kind in enumerate(kinds)]
        arrange(entries)
        _sow(yard, entries, FAULTS, share, chance)
        list(pool.map(lambda entry: _make(yard, entry), entries))
        made.entries, made.others = entries, _others(yard, len(entries) // 20, pool)
    return made


def _furniture(yard: Yard, count: int, pool: ThreadPoolExecutor) -> tuple[list[str], list[str], list[Family]]:
    for bus in BUSES[1:]:
        yard.client("events").create_event_bus(Name=bus)
    for group in GROUPS[1:]:
        yard.client("scheduler").create_schedule_group(Name=group)
    clusters = [yard.cluster(name) for name in ("batch", "nightly", "reports")]
    for number in range(5):
        yard.task_roles(number)
    names = [f"{WORDS[n % len(WORDS)]}-{n:04}" for n in range(count)]
    families = list(pool.map(lambda name: yard.family(name, revisions=1 + len(name) % 2), names))
    yard.networks()
    queues = [yard.queue(f"dead-letters-{number}") for number in range(1 + count // 10)]
    return clusters, queues, families


def _entry(
    yard: Yard,
    number: int,
    kind: str,
    clusters: list[str],
    queues: list[str],
    families: list[Family],
    chance: random.Random,
    due: datetime | None,
) -> Entry:
    family, cluster = chance.choice(families), chance.choice(clusters)
    arn = yard.arn("ecs", f"task-definition/{family.name}")
    name = f"{number:04}-{chance.choice(WORDS)}"
    run = {
        "TaskDefinitionArn": arn,
        "TaskCount": 1,
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": dict(chance.choice(yard.networks()))},
    }
    target = {
        "RetryPolicy": {"MaximumRetryAttempts": 5, "MaximumEventAgeInSeconds": 3600},
        "DeadLetterConfig": {"Arn": chance.choice(queues)},
    }
    policy = [
        allow("ecs:RunTask", f"{arn}:*", {"ArnEquals": {"ecs:cluster": cluster}}),
        allow("iam:PassRole", list(family.roles), {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}),
    ]
    zone = chance.choice(ZONES) if kind == "schedule" else "UTC"
    minutes = timedelta(minutes=chance.randint(1, 35) if due else chance.randrange(1440))
    at = ((due or datetime.now(UTC)) + minutes).astimezone(ZoneInfo(zone))
    expression = f"cron({at.minute} {at.hour} * * ? *)"
    if kind == "schedule":
        place, off = chance.choice(GROUPS), {"Mode": "OFF"}
        owner = {"ScheduleExpression": expression, "ScheduleExpressionTimezone": zone, "FlexibleTimeWindow": off}
    elif kind == "rule":
        place, owner = "default", {"ScheduleExpression": expression}
    else:
        pattern = {"source": [f"shop.{chance.choice(WORDS)}"], "detail-type": [f"placed {number}"]}
        place, owner = chance.choice(BUSES), {"EventPattern": json.dumps(pattern)}
    entry = Entry(kind, name, place, family, owner, run, target, policy, cluster)
    entry.through = chance.random() < 0.03
    entry.again = number % 2 == 0
    entry.universal = kind == "schedule" and not entry.through and chance.random() < 0.1
    if kind != "event rule" and chance.random() < 0.1:
        override = {"containerOverrides": [{"name": "main", "command": ["true"]}]}
        target["Input"] = json.dumps(override) if not (entry.through or entry.universal) else ""
    return entry


def _sow(yard: Yard, entries: list[Entry], faults: list[Any], share: float, chance: random.Random) -> None:
    free = entries.copy()
    chance.shuffle(free)
    count = max(len(faults), int(len(entries) * share)) if share else 0
    for fault in itertools.islice(itertools.cycle(faults), count):
        entry = next((one for one in free if fault.fits(one)), None)
        if entry is not None:
            free.remove(entry)
            entry.fault, entry.found = fault.name, fault.found
            fault.sow(yard, entry)


# -------- making


def _make(yard: Yard, entry: Entry) -> None:
    target = _target(yard, entry)
    if entry.kind == "schedule":
        asked = {"Name": entry.name, "GroupName": entry.place, **entry.owner, "Target": target}
        yard.client("scheduler").create_schedule(**asked)
    else:
        bus = {} if entry.place == "default" else {"EventBusName": entry.place}
        yard.client("events").put_rule(Name=entry.name, **bus, **entry.owner)
        answer = yard.client("events").put_targets(Rule=entry.name, **bus, Targets=[{"Id": "run", **target}])
        assert answer["FailedEntryCount"] == 0, answer
    if entry.letter:
        _send_letter(yard, entry)


def _target(yard: Yard, entry: Entry) -> dict[str, Any]:
    own = {name: value for name, value in entry.target.items() if value}
    if entry.through:
        running = own.pop("RunRoleArn", "") or yard.role(trusting("states.amazonaws.com"), *_machines(yard, entry))
        machine = yard.machine(entry, running)
        starting = [] if entry.fault == "start-execution" else [allow(START_EXECUTION, machine)]
        role = own.pop("RoleArn", "") or _caller(yard, entry, *starting)
        return {"Arn": machine, "RoleArn": role, **own}
    role = own.pop("RoleArn", "") or _caller(yard, entry, *entry.policy)
    if entry.universal:
        run = {name: value for name, value in entry.run.items() if name not in {"TaskDefinitionArn", "TaskCount"}}
        asked = {"Cluster": entry.cluster, "TaskDefinition": entry.definition, **_pascal(run)}
        return {"Arn": RUN_TASK, "RoleArn": role, **own, "Input": own.get("Input") or json.dumps(asked)}
    return {"Arn": entry.cluster, "RoleArn": role, **own, "EcsParameters": entry.run}


def _machines(yard: Yard, entry: Entry) -> list[dict[str, Any]]:
    """What the role of a state machine may that waits for its task: AWS docs, Step Functions, IAM policies for ECS."""
    may = ["ecs:DescribeTasks"] if entry.fault == "machine-cannot-stop" else ["ecs:DescribeTasks", "ecs:StopTask"]
    rule = yard.arn("events", "rule/StepFunctionsGetEventsForECSTaskRule")
    events = allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], rule)
    look = allow("ecs:ListTasks", "*", {"ArnEquals": {"ecs:cluster": entry.cluster}})
    return [*entry.policy, allow(may, "*"), events, *([look] if entry.again else [])]


def _caller(yard: Yard, entry: Entry, *statements: dict[str, Any]) -> str:
    """The role of a target; that of a schedule also sends to the dead-letter queue."""
    queue = (entry.target.get("DeadLetterConfig") or {}).get("Arn")
    sends = entry.kind == "schedule" and queue and entry.fault != "queue-not-writable"
    service = TRUSTED["scheduler" if entry.kind == "schedule" else "events"]
    return yard.role(trusting(service), *statements, *([allow("sqs:SendMessage", queue)] if sends else []))


def _send_letter(yard: Yard, entry: Entry) -> None:
    """What EventBridge, or its Scheduler, puts into a dead-letter queue."""
    bus = "" if entry.place == "default" else f"{entry.place}/"
    sender = (
        {"SCHEDULE_ARN": yard.arn("scheduler", f"schedule/{entry.place}/{entry.name}")}
        if entry.kind == "schedule"
        else {"RULE_ARN": yard.arn("events", f"rule/{bus}{entry.name}"), "TARGET_ARN": entry.cluster}
    )
    told = {**sender, "ERROR_CODE": "INVALID_PARAMETER", "ERROR_MESSAGE": "TaskDefinition is inactive"}
    sqs = yard.client("sqs")
    url = sqs.get_queue_url(QueueName=entry.target["DeadLetterConfig"]["Arn"].rpartition(":")[2])["QueueUrl"]
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageAttributes=attributes)


def _others(yard: Yard, count: int, pool: ThreadPoolExecutor) -> int:
    """Rules and schedules that end elsewhere."""
    queue = yard.queue("elsewhere")
    role = yard.role(trusting("scheduler.amazonaws.com"), allow("sqs:SendMessage", queue))

    def make(number: int) -> None:
        name, expression = f"other-{number:04}", "rate(1 day)"
        if number % 2:
            target = {"Arn": queue, "RoleArn": role, "Input": "{}"}
            off = {"Mode": "OFF"}
            yard.client("scheduler").create_schedule(
                Name=name, ScheduleExpression=expression, FlexibleTimeWindow=off, Target=target
            )
        else:
            yard.client("events").put_rule(Name=name, ScheduleExpression=expression)
            yard.client("events").put_targets(Rule=name, Targets=[{"Id": "1", "Arn": queue}])

    list(pool.map(make, range(count)))
    return count
