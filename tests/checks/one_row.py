"""A made-up account of one schedule in which nothing is wrong, to be changed by one thing at a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd

from ecs_runbook.checks.judge import judge
from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.firing.schedules import Schedule
from ecs_runbook.inventory.model import (
    Cluster,
    Deed,
    Definition,
    Facts,
    Inventory,
    Network,
    Permit,
    PermitKey,
    Place,
    Queue,
    Request,
    Role,
    Row,
    Subnet,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ACCOUNT, REGION = "111122223333", "eu-west-2"
PLACE = Place(ACCOUNT, REGION)
ECS = f"arn:aws:ecs:{REGION}:{ACCOUNT}"
CLUSTER = f"{ECS}:cluster/batch"
FAMILY = f"{ECS}:task-definition/nightly"
IAM = f"arn:aws:iam::{ACCOUNT}:role"
CALLER, TASK, EXECUTION = f"{IAM}/nightly-schedule", f"{IAM}/nightly-task", f"{IAM}/nightly-execution"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/nightly"
SCHEDULE = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/nightly"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:nightly-dlq"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:just-run"
NETWORK = Network(("subnet-a", "subnet-b"), ("sg-1",))
RETRY = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}

REQUEST = Request(CLUSTER, FAMILY, "FARGATE", network=NETWORK)
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/nightly:1"
DEFINITION = Definition(
    arn=f"{FAMILY}:7",
    family="nightly",
    revision=7,
    status="ACTIVE",
    registered_at=datetime(2026, 11, 1, tzinfo=UTC),
    compatibilities=("EC2", "FARGATE"),
    network_mode="awsvpc",
    cpu="256",
    memory="512",
    task_role=TASK,
    execution_role=EXECUTION,
    containers=("main", "sidecar"),
    essential=("main",),
    images=(IMAGE,),
    raw={"containerDefinitions": [{"name": "main", "image": IMAGE, "logConfiguration": {"logDriver": "awslogs"}}]},
)


def trust(service, **condition):
    """A trust policy of one service, with conditions by operator."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}


def letting(arn=RULE, **changes):
    """The policy of a queue that lets EventBridge send for one rule, as this project's module writes it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        "Condition": {"ArnEquals": {"aws:SourceArn": arn}},
    }
    return {"Version": "2012-10-17", "Statement": [statement | changes]}


def permit(**changes):
    """What IAM says of a role that may just what it needs."""
    fine = Permit("allowed", {TASK: "allowed", EXECUTION: "allowed"}, "allowed", "denied", "denied")
    return replace(fine, **changes)


def a_rule(expression="cron(0 2 * * ? *)", *, enabled=True, request=REQUEST, name="nightly", **changes):
    """A row of a rule on the default bus."""
    target = Target("run", request.cluster, CALLER, request.definition)
    owner = Rule(name, RULE.replace("nightly", name), expression, enabled, (target,))
    row = Row(PLACE, owner, target, request, CALLER, dead_letters=QUEUE, retry=RETRY)
    return replace(row, **changes)


def a_schedule(expression="cron(0 2 * * ? *)", zone="UTC", *, enabled=True, request=REQUEST, **changes):
    """A row of a schedule of EventBridge Scheduler."""
    target = Target("target", request.cluster, CALLER, request.definition)
    owner = Schedule("nightly", SCHEDULE, expression, enabled, (target,), zone=zone)
    row = Row(PLACE, owner, target, request, CALLER, bus="", dead_letters=QUEUE, retry=RETRY)
    return replace(row, **changes)


def facts(row=None, **changes):
    """What AWS says where nothing is wrong."""
    scheduler = row is not None and row.kind == "schedule"
    caller = "scheduler.amazonaws.com" if scheduler else "events.amazonaws.com"
    private = {"way": "NAT", "endpoints": frozenset()}
    fine = Facts(
        PLACE,
        latest={"nightly": DEFINITION},
        clusters={CLUSTER: Cluster(CLUSTER, "ACTIVE", ("FARGATE", "FARGATE_SPOT"), (), 0)},
        subnets={name: Subnet(name, "vpc-1", **private) for name in NETWORK.subnets},
        security_groups={"sg-1": "vpc-1"},
        roles={
            CALLER: Role(CALLER, trust(caller)),
            TASK: Role(TASK, trust("ecs-tasks.amazonaws.com")),
            EXECUTION: Role(EXECUTION, trust("ecs-tasks.amazonaws.com")),
        },
        permits={PermitKey(CALLER, f"{FAMILY}:7", CLUSTER, tags): permit() for tags in (False, True)},
        deeds={Deed(CALLER, "sqs:SendMessage", QUEUE): "allowed"} if scheduler else {},
        queues={QUEUE: Queue(QUEUE, letting(), 0)},
    )
    return replace(fine, **changes)


def ran(row, *lasts):
    """A table of runs of one row that took so many seconds, a day apart."""
    began = [NOW - timedelta(days=days) for days in range(len(lasts), 0, -1)]
    who = {"account": row.place.account, "region": row.place.region, "subject": row.subject}
    return pd.DataFrame({**who, "started_at": began, "seconds": lasts})


def told(row, scene=None, *, now=NOW, zone="UTC", settings=None, lasts=()):
    """Every finding of one row, by its check."""
    places, past = {PLACE: scene or facts(row)}, ran(row, *lasts or ())
    found = judge(Inventory([row], places=[PLACE]), places, now=now, zone=zone, settings=settings, past=past)
    by_check = {}
    for finding in found:
        assert finding.check not in by_check, f"{finding.check} twice"
        by_check[finding.check] = finding
    return by_check


def wrong(findings):
    """The checks that are not OK, with their status."""
    return {check: finding.status for check, finding in findings.items() if finding.status != "OK"}
