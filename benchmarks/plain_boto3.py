"""
What a person writes first: a loop over rules and schedules that asks AWS about each target, and prints what is wrong.

It asks the same questions as a check, one after another and anew for each target, and judges less.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

Clients = Mapping[str, Any]
Target = Mapping[str, Any]
RUN_TASK = ":aws-sdk:ecs:runTask"


def main(endpoint: str, region: str, since: str) -> None:
    session = boto3.Session("local", "local", region_name=region)
    own = Config(proxies={}, retries={"mode": "standard"})
    clients = {
        name: session.client(name, endpoint_url=endpoint, config=own)
        for name in ("events", "scheduler", "stepfunctions", "ecs", "ec2", "iam", "sqs", "cloudtrail")
    }
    bad = sum(bool(wrong(target, clients)) for target in targets(clients))
    bad += runs(clients, datetime.fromisoformat(since))
    print(json.dumps({"bad": bad}))


def targets(clients: Clients) -> Iterator[Target]:
    events, scheduler = clients["events"], clients["scheduler"]
    for bus in events.list_event_buses()["EventBuses"]:
        for page in events.get_paginator("list_rules").paginate(EventBusName=bus["Name"]):
            for rule in page["Rules"]:
                yield from events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus["Name"])["Targets"]
    for page in scheduler.get_paginator("list_schedules").paginate():
        for one in page["Schedules"]:
            yield scheduler.get_schedule(Name=one["Name"], GroupName=one["GroupName"])["Target"]


def wrong(target: Target, clients: Clients) -> list[str]:
    """Return what is wrong with a target, one question after another."""
    run = asked(target, clients)
    if run is None:
        return []
    found, ecs, ec2, iam = [], clients["ecs"], clients["ec2"], clients["iam"]
    if re.search(r":\d+$", run["definition"]):
        found.append("pinned")
    try:
        definition = ecs.describe_task_definition(taskDefinition=run["definition"])["taskDefinition"]
    except ClientError:
        return [*found, "no definition"]
    cluster = ecs.describe_clusters(clusters=[run["cluster"]])["clusters"]
    if not cluster or cluster[0]["status"] != "ACTIVE":
        found.append("no cluster")
    network = run["network"]
    if network:
        try:
            subnets = ec2.describe_subnets(SubnetIds=network["subnets"])["Subnets"]
            groups = ec2.describe_security_groups(GroupIds=network.get("securitygroups", []))["SecurityGroups"]
            if len({one["VpcId"] for one in [*subnets, *groups]}) > 1:
                found.append("two VPCs")
            vpcs = [{"Name": "vpc-id", "Values": [subnets[0]["VpcId"]]}]
            ec2.describe_route_tables(Filters=vpcs)
            ec2.describe_vpc_endpoints(Filters=vpcs)
        except ClientError:
            found.append("no network")
    for role in {run["role"], definition.get("taskRoleArn"), definition.get("executionRoleArn")} - {None}:
        try:
            iam.get_role(RoleName=role.rsplit("/", 1)[1])
        except ClientError:
            found.append("no role")
    try:
        passed = [definition[name] for name in ("taskRoleArn", "executionRoleArn") if name in definition]
        answer = iam.simulate_principal_policy(
            PolicySourceArn=run["role"],
            ActionNames=["ecs:RunTask", "iam:PassRole"],
            ResourceArns=[definition["taskDefinitionArn"], *passed],
            ContextEntries=[
                context("ecs:cluster", run["cluster"]),
                context("iam:PassedToService", "ecs-tasks.amazonaws.com"),
            ],
        )
        if any(one["EvalDecision"] == "explicitDeny" for one in answer["EvaluationResults"]):
            found.append("denied")
    except ClientError:
        found.append("no role")
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue:
        try:
            url = clients["sqs"].get_queue_url(QueueName=queue.rsplit(":", 1)[1])["QueueUrl"]
            clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        except ClientError:
            found.append("no queue")
    return found


def context(name: str, value: str) -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": "string"}


def asked(target: Target, clients: Clients) -> dict[str, Any] | None:
    """Return what RunTask is asked for, or None if it is not asked at all."""
    arn, role, given = target["Arn"], target.get("RoleArn"), {}
    if "EcsParameters" in target:
        given = target["EcsParameters"] | {
            "Cluster": arn,
            "TaskDefinition": target["EcsParameters"]["TaskDefinitionArn"],
        }
    elif arn.endswith(RUN_TASK):
        given = json.loads(target["Input"])
    elif ":states:" in arn:
        machine = clients["stepfunctions"].describe_state_machine(stateMachineArn=arn)
        states = json.loads(machine["definition"])["States"].values()
        runs_it = (one for one in states if "runTask" in one.get("Resource", ""))
        given, role = next(runs_it)["Parameters"], machine["roleArn"]
    if not given:
        return None
    networks = given.get("NetworkConfiguration") or {}
    network = next(iter(networks.values()), None)
    return {
        "cluster": given["Cluster"],
        "definition": given["TaskDefinition"],
        "role": role,
        "network": network and {name.lower(): value for name, value in network.items()},
    }


def runs(clients: Clients, since: datetime) -> int:
    """Count the runs that were refused or failed."""
    failed = 0
    run_task = [{"AttributeKey": "EventName", "AttributeValue": "RunTask"}]
    for page in (
        clients["cloudtrail"].get_paginator("lookup_events").paginate(LookupAttributes=run_task, StartTime=since)
    ):
        records = [json.loads(event["CloudTrailEvent"]) for event in page["Events"]]
        failed += sum("errorCode" in record for record in records)
    ecs = clients["ecs"]
    for cluster in ecs.list_clusters()["clusterArns"]:
        for page in ecs.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus="STOPPED"):
            if page["taskArns"]:
                tasks = ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])["tasks"]
                failed += sum(any(one.get("exitCode") != 0 for one in task["containers"]) for task in tasks)
    return failed


if __name__ == "__main__":
    main(*sys.argv[1:])
