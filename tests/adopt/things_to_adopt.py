"""Twenty rules and schedules as hands, the aws CLI, the CDK and public modules leave them, most with a mistake."""

import json

ACCOUNT, REGION = "123456789012", "us-east-1"
SUBNETS = ["subnet-0a1a1a1a1a1a1a1a1", "subnet-0a2a2a2a2a2a2a2a2"]
GROUP = "sg-0c1c1c1c1c1c1c1c1"


def arn(service, what):
    return f"arn:aws:{service}:{'' if service == 'iam' else REGION}:{ACCOUNT}:{what}"


def network(public="DISABLED", groups=(GROUP,)):
    groups = {"SecurityGroups": list(groups)} if groups else {}
    return {"NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": SUBNETS, **groups, "AssignPublicIp": public}}}


CLUSTER, QUEUE, NEW_QUEUE = arn("ecs", "cluster/default"), arn("sqs", "dead"), arn("sqs", "new-dead")
PINNED, LATEST = arn("ecs", "task-definition/job:1"), arn("ecs", "task-definition/job")
FARGATE = {"TaskDefinitionArn": PINNED, "LaunchType": "FARGATE", "TaskCount": 1, **network()}
OVERRIDES = {"containerOverrides": [{"name": "main", "environment": [{"name": "TOKEN", "value": "${shy} <b> é"}]}]}
COMPACT = json.dumps({"containerOverrides": [{"name": "main", "command": ["a", "b"]}]}, separators=(",", ":"))
TRANSFORMER = {
    "InputPathsMap": {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"},
    "InputTemplate": '{"containerOverrides": [{"name": "main", "environment": [{"name": "KEY", "value": <key>}]}]}',
}


def target(ecs=None, **more):
    return {"Id": "job", "Arn": CLUSTER, "RoleArn": arn("iam", "role/rules"), "EcsParameters": ecs or FARGATE} | more


def rule(name, *targets, when="cron(0 2 * * ? *)", bus="default", tags=(), **more):
    more |= {"ScheduleExpression": when} if when else {}
    return {"kind": "rule", "name": name, "bus": bus, "targets": targets, "tags": dict(tags), "rule": more}


def schedule(name, ecs=None, group="default", when="cron(0 3 * * ? *)", of=None, **more):
    of = {"Arn": CLUSTER, "RoleArn": arn("iam", "role/schedules"), "EcsParameters": ecs or FARGATE} | (of or {})
    window = {"FlexibleTimeWindow": more.pop("FlexibleTimeWindow", {"Mode": "OFF"})}
    return {
        "kind": "schedule",
        "name": name,
        "group": group,
        "told": {"ScheduleExpression": when, "Target": of, **window, **more},
    }


TWENTY = [
    rule("a01-plain", target(RetryPolicy={"MaximumRetryAttempts": 3})),
    rule("a02.latest.already", target(FARGATE | {"TaskDefinitionArn": LATEST})),
    rule(
        "a03-described", target(), Description='It says "${this}"', State="DISABLED", tags={"team": "batch", "a b": ""}
    ),
    rule("a04-spaced-input", target(Input=json.dumps(OVERRIDES, indent=1, ensure_ascii=False))),
    rule("a05-compact-input", target(Input=COMPACT)),
    rule(
        "a06-bucket",  # terraform-aws-modules/eventbridge: a bus of its own, a pattern, a template
        target(InputTransformer=TRANSFORMER),
        when="",
        bus="orders",
        EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": ["in"]}}}),
    ),
    rule("a07-public", target({"TaskDefinitionArn": PINNED, **network("ENABLED")})),  # no launch type: EC2, refused
    rule(
        "a08-strategy",
        target(
            {
                "TaskDefinitionArn": PINNED,
                "CapacityProviderStrategy": [
                    {"capacityProvider": "FARGATE", "weight": 1, "base": 2},
                    {"capacityProvider": "FARGATE_SPOT", "weight": 4, "base": 0},
                ],
                "PlatformVersion": "1.4.0",
                **network(groups=()),
            }
        ),
    ),
    rule(
        "a09-everything",
        target(
            FARGATE
            | {
                "TaskCount": 3,
                "PlatformVersion": "LATEST",
                "Group": "reports",
                "PropagateTags": "TASK_DEFINITION",
                "EnableECSManagedTags": True,
                "EnableExecuteCommand": True,
                "Tags": [{"Key": "run by", "Value": "rule"}],
            },
            RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
            DeadLetterConfig={"Arn": QUEUE},
        ),
    ),
    rule("a10-five", *(target(Id=f"t{n}.{n}") for n in range(3)), {"Id": "queue", "Arn": QUEUE, "Input": '{"a": 1}'}),
    rule("Stack-Rule4C995B7F-1ABC", target(Id="Target0", Input=COMPACT), when="rate(1 day)"),  # as the CDK names it
    rule(
        "a12-placed",
        target(
            {
                "TaskDefinitionArn": arn("ecs", "task-definition/bridge:1"),
                "LaunchType": "EC2",
                "PlacementConstraints": [{"type": "distinctInstance"}],
                "PlacementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}],
            }
        ),
    ),
    schedule("b01-plain"),
    schedule("b02-zone", ScheduleExpressionTimezone="Europe/Berlin", Description="nightly", State="DISABLED"),
    schedule("b03-window", group="batch", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}),
    schedule("b04-same-group", group="batch", of={"Input": json.dumps(OVERRIDES)}),
    schedule(
        "b05-ends",
        StartDate="2030-01-01T00:00:00Z",
        EndDate="2030-12-31T00:00:00Z",
        of={"RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600}},
    ),
    schedule(
        "b06-everything",
        FARGATE
        | {
            "TaskCount": 2,
            "PlatformVersion": "1.4.0",
            "Group": "reports",
            "PropagateTags": "TASK_DEFINITION",
            "EnableECSManagedTags": True,
            "EnableExecuteCommand": True,
            "ReferenceId": "ref-1",
        },
        of={"DeadLetterConfig": {"Arn": QUEUE}, "Input": COMPACT},
    ),
    schedule(
        "b07-universal",
        of={
            "Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask",
            "EcsParameters": None,
            "Input": json.dumps(
                {
                    "Cluster": "default",
                    "TaskDefinition": PINNED,
                    "LaunchType": "FARGATE",
                    "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": SUBNETS, "AssignPublicIp": "DISABLED"}},
                }
            ),
        },
    ),
    schedule("b08-once", when="at(2030-06-01T12:00:00)"),
    schedule("b09-machine", of={"Arn": arn("states", "stateMachine:again"), "EcsParameters": None}),
]
ASKED = {
    "Cluster": "default",
    "TaskDefinition": PINNED,
    "LaunchType": "FARGATE",
    "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": SUBNETS, "AssignPublicIp": "DISABLED"}},
}
MACHINE = json.dumps(  # as a person writes it in the console: a retry, and "${" in a comment
    {
        "Comment": "Runs ${the job}, once more if it fails",
        "StartAt": "Run",
        "States": {
            "Run": {
                "Type": "Task",
                "Resource": "arn:aws:states:::ecs:runTask.sync",
                "Parameters": ASKED,
                "Retry": [{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1}],
                "End": True,
            }
        },
    },
    indent=2,
)


def policy(resource):
    """Return what hands write: a family's revision, and roles to pass."""
    also = ["iam:PassRole", "ecs:TagResource", "sqs:SendMessage", "states:StartExecution"]
    also += ["events:PutTargets", "events:PutRule", "events:DescribeRule", "ecs:StopTask", "ecs:DescribeTasks"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": resource},
            {"Effect": "Allow", "Action": also, "Resource": "*"},
        ],
    }


def furnish(aws):
    """Make the roles, queues, families, the bus and the group that the things name."""
    iam, sqs, ecs = aws.client("iam"), aws.client("sqs"), aws.client("ecs")
    for name, service in {"task": "ecs-tasks", "rules": "events", "schedules": "scheduler", "states": "states"}.items():
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": f"{service}.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    bridge = arn("ecs", "task-definition/bridge:*")
    for name, resource in {"rules": [PINNED, bridge], "states": PINNED}.items():
        iam.put_role_policy(RoleName=name, PolicyName="run", PolicyDocument=json.dumps(policy(resource)))
    text, tags = json.dumps(policy(LATEST)), [{"Key": "team", "Value": "batch"}]
    iam.create_policy(PolicyName="shared", Path="/jobs/", Description='it\'s "ours"', PolicyDocument=text, Tags=tags)
    for role in ("schedules", "task"):
        iam.attach_role_policy(RoleName=role, PolicyArn=arn("iam", "policy/jobs/shared"))
    for name in ("dead", "new-dead"):
        sqs.create_queue(QueueName=name)
    fargate = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}
    for family, needs in {"job": fargate, "bridge": {"networkMode": "bridge"}}.items():
        ecs.register_task_definition(
            family=family,
            containerDefinitions=[{"name": "main", "image": "busybox", "memory": 128}],
            taskRoleArn=arn("iam", "role/task"),
            executionRoleArn=arn("iam", "role/task"),
            **needs,
        )
    machine = {"definition": MACHINE, "roleArn": arn("iam", "role/states"), "tags": [{"key": "team", "value": "batch"}]}
    aws.client("stepfunctions").create_state_machine(name="again", **machine)
    aws.client("events").create_event_bus(Name="orders")
    aws.client("scheduler").create_schedule_group(Name="batch", Tags=[{"Key": "team", "Value": "batch"}])


def make(aws, one):
    """Make one of the twenty with the calls that the aws CLI makes."""
    if one["kind"] == "schedule":
        target = {key: value for key, value in one["told"]["Target"].items() if value is not None}
        told = one["told"] | {"Target": target}
        aws.client("scheduler").create_schedule(Name=one["name"], GroupName=one["group"], **told)
        return
    events = aws.client("events")
    tags = [{"Key": key, "Value": value} for key, value in one["tags"].items()]
    events.put_rule(Name=one["name"], EventBusName=one["bus"], Tags=tags, **one["rule"])
    events.put_targets(Rule=one["name"], EventBusName=one["bus"], Targets=list(one["targets"]))
