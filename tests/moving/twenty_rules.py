"""Twenty rules, of everything that a rule with ECS targets may hold; each is made twice, so that one can be moved."""

import json
from itertools import chain

ACCOUNT, REGION = "123456789012", "us-east-1"
SUBNETS = ["subnet-0a1a1a1a1a1a1a1a1", "subnet-0a2a2a2a2a2a2a2a2"]
GROUP = "sg-0c1c1c1c1c1c1c1c1"


def arn(service, what, account=ACCOUNT):
    return f"arn:aws:{service}:{'' if service == 'iam' else REGION}:{account}:{what}"


NETWORK = {"awsvpcConfiguration": {"Subnets": SUBNETS, "SecurityGroups": [GROUP], "AssignPublicIp": "DISABLED"}}
FARGATE = {"LaunchType": "FARGATE", "NetworkConfiguration": NETWORK}
OVERRIDES = {
    "containerOverrides": [
        {
            "name": "main",
            "command": ["sh", "-c", 'echo "${HOME} %{x} <b> \\n é"'],
            "environment": [{"name": "LEVEL", "value": "debug"}, {"name": "EMPTY", "value": ""}],
            "cpu": 128,
            "memory": 300,
            "memoryReservation": 200,
        }
    ],
    "cpu": "512",
    "memory": "1024",
    "taskRoleArn": arn("iam", "role/other"),
    "ephemeralStorage": {"sizeInGiB": 30},
}
TRANSFORMER = {
    "InputPathsMap": {"at": "$.time", "which": "$.resources[0]", "zone": "$.region", "kind": "$.detail-type"},
    "InputTemplate": json.dumps(
        {
            "containerOverrides": [
                {
                    "name": "main",
                    "environment": [
                        {"name": "AT", "value": "@at"},
                        {"name": "WHAT", "value": "<kind> of <zone> at <at>"},
                        {"name": "RULE", "value": "<aws.events.rule-name>"},
                    ],
                }
            ]
        }
    ).replace('"@at"', "<at>"),
}


def rule(name, expression, *targets, **more):
    return {"name": name, "expression": expression, "targets": targets, **more}


def target(*, latest=True, of=(), **ecs):
    return {"latest": latest, "ecs": ecs, "of": dict(of)}


TWENTY = [
    rule("r01-plain", "cron(0 17 * * ? *)", target(**FARGATE)),
    rule("r02.with.dots", "cron(30 20 ? * MON-FRI *)", target(**FARGATE), zone="Asia/Tokyo"),
    rule("r03_" + "n" * 60, "cron(0 3 * * ? *)", target(**FARGATE), tags={"team": "batch", "cost center": "4 7"}),
    rule("r04-input", "cron(15 */6 * * ? *)", target(**FARGATE, of={"Input": json.dumps(OVERRIDES, indent=1)})),
    rule("r05-transformer", "cron(0 1,13 * * ? *)", target(**FARGATE, of={"InputTransformer": TRANSFORMER})),
    rule("r06-path", "cron(0 2 * * ? *)", target(**FARGATE, of={"InputPath": "$.detail"})),
    rule("r07-pinned", "cron(0 4 * * ? *)", target(latest=False, **FARGATE)),
    rule(
        "r08-strategy",
        "cron(20 5 * * ? *)",
        target(
            NetworkConfiguration=NETWORK,
            CapacityProviderStrategy=[
                {"capacityProvider": "FARGATE", "weight": 1, "base": 2},
                {"capacityProvider": "FARGATE_SPOT", "weight": 4},
            ],
            PlatformVersion="1.4.0",
        ),
    ),
    rule(
        "r09-everything",
        "cron(40 6 * * ? *)",
        target(
            **FARGATE,
            TaskCount=3,
            PlatformVersion="LATEST",
            Group="reports",
            PropagateTags="TASK_DEFINITION",
            EnableECSManagedTags=True,
            EnableExecuteCommand=True,
            ReferenceId="ref-1",
            Tags=[{"Key": "run by", "Value": "rule"}, {"Key": "e", "Value": ""}],
            of={
                "Input": json.dumps(OVERRIDES),
                "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
                "queue": "standard",
            },
        ),
        description='It says "${this}", and more: é',
        tags={"team": "batch"},
    ),
    rule(
        "r10-placed",
        "cron(0 7 * * ? *)",
        target(
            LaunchType="EC2",
            PlacementConstraints=[
                {"type": "distinctInstance"},
                {"type": "memberOf", "expression": "attribute:ecs.instance-type =~ t3.*"},
            ],
            PlacementStrategy=[{"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "random"}],
            of={"bridge": True, "queue": "lost"},  # no instance is there, so that each firing is refused
        ),
    ),
    rule(
        "r11-five",
        "cron(10 8 * * ? *)",
        target(**FARGATE),
        target(**FARGATE, of={"Input": '{"containerOverrides":[{"name":"main","command":["second"]}]}'}),
        target(**FARGATE, TaskCount=2, of={"queue": "standard"}),
        tags={"team": "batch"},
    ),
    rule("r12-with-others", "cron(0 9 * * ? *)", target(**FARGATE), others=2),
    rule("r13-off", "cron(0 10 * * ? *)", target(**FARGATE), state="DISABLED"),
    rule("r14-rate", "rate(6 hours)", target(**FARGATE)),
    rule("r15-last-day", "cron(0 22 L * ? *)", target(**FARGATE), zone="Asia/Tokyo"),
    rule("r16-second-monday", "cron(0 11 ? * 2#2 *)", target(**FARGATE)),
    rule("r17-nearest", "cron(0 12 15W * ? *)", target(**FARGATE)),
    rule("r18-often", "cron(0/30 8-11 ? * MON-FRI *)", target(**FARGATE), zone="Europe/Berlin"),
    rule(
        "r19-key",
        "cron(0 13 * * ? *)",
        target(
            LaunchType="FARGATE",
            NetworkConfiguration={"awsvpcConfiguration": {"Subnets": SUBNETS[:1]}},
            of={"RetryPolicy": {"MaximumRetryAttempts": 7}, "queue": "encrypted"},
        ),
        description="",
    ),
    rule("r20-hourly-at-night", "cron(5 22-2 * * ? *)", target(**FARGATE), zone="Asia/Tokyo", tags={"aws-like": "x"}),
]


def make(aws, one, name, *, families):
    """Make the rule *one* with its targets as *name*; families are made once."""
    events = aws.client("events")
    rule_arn = events.put_rule(
        Name=name,
        ScheduleExpression=one["expression"],
        State=one.get("state", "ENABLED"),
        Description=one.get("description", "") or "x",
        Tags=[{"Key": key, "Value": value} for key, value in one.get("tags", {}).items()],
    )["RuleArn"]
    targets = []
    for number, each in enumerate(one["targets"]):
        family = f"{one['name'][:20]}-{number}".replace(".", "_")
        if family not in families:
            families[family] = register(aws, family, bridge=each["of"].get("bridge", False))
        definition = arn("ecs", f"task-definition/{family}") + ("" if each["latest"] else ":1")
        given = {key: value for key, value in each["of"].items() if key not in ("queue", "bridge")}
        if each["of"].get("queue"):
            given["DeadLetterConfig"] = {"Arn": arn("sqs", each["of"]["queue"])}
        targets.append(
            {
                "Id": f"job.{number}",
                "Arn": arn("ecs", "cluster/default"),
                "RoleArn": arn("iam", "role/rules"),
                "EcsParameters": {"TaskDefinitionArn": definition, **each["ecs"]},
                **given,
            }
        )
    targets += [{"Id": f"other{n}", "Arn": arn("sqs", "standard")} for n in range(one.get("others", 0))]
    events.put_targets(Rule=name, Targets=targets)
    return rule_arn


def register(aws, family, *, bridge):
    needs = {"networkMode": "bridge", "requiresCompatibilities": ["EC2"]}
    fargate = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}
    return aws.client("ecs").register_task_definition(
        family=family,
        containerDefinitions=[{"name": "main", "image": "busybox", "memory": 128}],
        taskRoleArn=arn("iam", "role/task"),
        executionRoleArn=arn("iam", "role/execution"),
        tags=[{"key": "of", "value": family}],
        **(needs if bridge else fargate),
    )["taskDefinition"]["taskDefinitionArn"]


def furnish(aws):
    """Make the roles and the queues that the rules name."""
    iam, sqs = aws.client("iam"), aws.client("sqs")

    def trust(service):
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    for name, service in {
        "task": "ecs-tasks",
        "execution": "ecs-tasks",
        "other": "ecs-tasks",
        "rules": "events",
    }.items():
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(f"{service}.amazonaws.com"))
    may = {"Effect": "Allow", "Action": ["ecs:RunTask", "ecs:TagResource", "iam:PassRole"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName="rules", PolicyName="all", PolicyDocument=document)
    for name in ("standard", "lost"):
        sqs.create_queue(QueueName=name)
    sqs.create_queue(QueueName="encrypted", Attributes={"KmsMasterKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"})


def ids(rules):
    return list(chain(one["name"][:24] for one in rules))
