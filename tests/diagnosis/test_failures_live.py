"""Failures of every kind on the local AWS: refused, died, not trusted; seen once each, whoever told of them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ecs_runbook.diagnosis.failures import failures
from ecs_runbook.local_aws import process
from ecs_runbook.reports.causes import causes_picture
from ecs_runbook.session import connect
from ecs_runbook.verdicts.failures import judge_failures
from ecs_runbook.verdicts.verdict import worst

BEGIN = datetime(2027, 1, 4, 9, tzinfo=UTC)
FIVE = BEGIN.replace(hour=17)
SERVICES = ("ecs", "sqs", "cloudtrail", "events", "scheduler")
DAILY, WEEKLY = "report-of-the-whole-company-daily", "report-of-the-whole-company-weekly"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    server = process.start(folder)
    process.clock(server, freeze=True)
    process.clock(server, to=BEGIN)
    yield server
    process.stop(folder)


@pytest.fixture(scope="module")
def aws(server):
    """An account in which five rules fired at five o'clock, and one half an hour later."""
    aws = connect("local", endpoint=server.url)
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="lost")["QueueUrl"]
    queue = f"arn:aws:sqs:{aws.region}:{aws.account}:lost"
    letting = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [letting | {"Resource": queue}]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    make(aws, "good", queue)
    make(aws, "bare", queue, may="")
    make(aws, "public", queue, launch={}, network={"AssignPublicIp": "ENABLED"})
    make(aws, "dying", queue, environment=[("LOCAL_AWS_EXIT_CODE", "3")])
    make(aws, "untrusted", queue, trust="ecs-tasks.amazonaws.com")
    make(aws, DAILY, queue, may="")
    make(aws, WEEKLY, queue, expression="cron(30 17 * * ? *)")
    process.clock(server, to=FIVE + timedelta(minutes=45))
    return aws


def make(
    aws,
    name,
    queue,
    *,
    may=":*",
    launch=None,
    network=None,
    environment=(),
    trust="events.amazonaws.com",
    expression="cron(0 17 * * ? *)",
):
    iam, ecs, events = (aws.client(service) for service in ("iam", "ecs", "events"))

    def role(name, service, *statements):
        trusting = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trusting]}))
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document)
        return f"arn:aws:iam::{aws.account}:role/{name}"

    def allow(action, resource):
        return {"Effect": "Allow", "Action": action, "Resource": resource}

    execution = role(f"{name}-ex", "ecs-tasks.amazonaws.com", allow("ecr:*", "*"))
    family = f"arn:aws:ecs:{aws.region}:{aws.account}:task-definition/{name}"
    ecs.register_task_definition(
        family=name,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=execution,
        containerDefinitions=[
            {"name": "main", "image": "app:1", "environment": [{"name": n, "value": v} for n, v in environment]}
        ],
    )
    events.put_rule(Name=name, ScheduleExpression=expression)
    launch = {"LaunchType": "FARGATE"} if launch is None else launch
    subnets = {"Subnets": ["subnet-0a1a1a1a1a1a1a1a1"]} | (network or {})
    target = {
        "Id": "task",
        "Arn": f"arn:aws:ecs:{aws.region}:{aws.account}:cluster/default",
        "RoleArn": role(
            f"{name}-schedule", trust, allow("ecs:RunTask", family + may), allow("iam:PassRole", execution)
        ),
        "EcsParameters": {
            "TaskDefinitionArn": family,
            "NetworkConfiguration": {"awsvpcConfiguration": subnets},
            **launch,
        },
        "DeadLetterConfig": {"Arn": queue},
    }
    assert events.put_targets(Rule=name, Targets=[target])["FailedEntryCount"] == 0


def looked(aws, **about):
    window = {"since": BEGIN, "until": FIVE + timedelta(minutes=45)}
    return failures(**about, **window, pace=aws.pace, **aws.clients(*SERVICES))


def told(found):
    return [(row["subject"], row["told_by"]) for row in found.each.to_dict("records")]


BOTH = "DLQ of a rule + CloudTrail"
EACH = [
    ("bare", BOTH, "is not authorized to perform: ecs:RunTask on resource: "),
    ("public", BOTH, "InvalidParameterException: Assign public IP is not supported for this launch type."),
    ("dying", "ECS + CloudTrail", "EssentialContainerExited: Essential container in task exited (exit code 3)"),
    ("untrusted", "DLQ of a rule", "sts:AssumeRole"),
    (DAILY, BOTH, "is not authorized to perform: ecs:RunTask on resource: "),
]


@pytest.mark.parametrize(("rule", "told_by", "said"), EACH, ids=[case[0] for case in EACH])
def test_a_rule_that_did_not_run_says_why_once(aws, rule, told_by, said):
    found = looked(aws, rule=rule)
    assert told(found) == [(rule, told_by)]
    assert said in found.each["said"].item()
    assert found.each["time"].item().floor("min") == FIVE
    assert found.runs_seen == 0
    assert judge_failures(found)[0].status == "NG"


@pytest.mark.parametrize("rule", ["good", WEEKLY])
def test_a_rule_that_ran_is_ok_with_its_run_even_if_another_one_of_its_first_24_characters_failed(aws, rule):
    found = looked(aws, rule=rule)
    assert (told(found), found.runs_seen) == ([], 1)
    assert worst(check.status for check in judge_failures(found)) == "OK"


def test_the_whole_account_tells_of_each_failure_once(aws):
    found = looked(aws)
    assert sorted(told(found)) == sorted((rule, told_by) for rule, told_by, _ in EACH)
    assert found.runs_seen == 2
    assert found.table["count"].sum() == len(EACH)
    calls = dict(zip(found.asked["source"], found.asked["calls"], strict=True))
    # ListClusters, ListTasks twice, DescribeTasks; one lookup; ListRules, seven rules' targets, ListSchedules
    assert (calls["ECS"], calls["CloudTrail"], calls["EventBridge"]) == (4, 1, 9)
    assert causes_picture(found).axes[0].get_title(loc="left").startswith("5 failures, ")


def test_reading_leaves_the_messages_where_they_are(aws):
    first, second = looked(aws, cluster="default"), looked(aws, cluster="default")
    assert told(first) == told(second)
    url = aws.client("sqs").get_queue_url(QueueName="lost")["QueueUrl"]
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessages"] == "4"
