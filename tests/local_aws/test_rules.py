"""EventBridge: rules fire ECS targets, on their schedule and for events, under the target's role."""

import json
import re
from datetime import datetime, timedelta

import pytest
from local_world import ACCOUNT, LocalWorld, allow, arn, refused, trusting

EVENTS = "events.amazonaws.com"


@pytest.fixture(scope="module")
def aws(server):
    return LocalWorld(server)


@pytest.fixture
def rule(aws):
    """Names for rules; whatever they are given to is deleted after the test, so that no rule fires into the next."""
    names = []

    def named(what="rule"):
        names.append(aws.name(what))
        return names[-1]

    yield named
    for name in names:
        if name in {r["Name"] for r in aws.events.list_rules(NamePrefix=name)["Rules"]}:
            targets = [target["Id"] for target in aws.events.list_targets_by_rule(Rule=name)["Targets"]]
            if targets:
                aws.events.remove_targets(Rule=name, Ids=targets)
            aws.events.delete_rule(Name=name)


def able(aws, *more):
    """Return a role that EventBridge may assume and that may run everything."""
    return aws.role(allow("ecs:RunTask", "*"), allow("iam:PassRole", "*"), *more, trust=trusting(EVENTS))


def ecs_target(aws, definition, role, cluster, *, input_="", **more):
    """Return a target as the 2022 article has it: without a revision, on Fargate."""
    ecs = {
        "TaskDefinitionArn": definition,
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [aws.subnet]}},
        **more,
    }
    target = {
        "Id": "run",
        "Arn": arn(f"cluster/{cluster}"),
        "RoleArn": role,
        "EcsParameters": {key: value for key, value in ecs.items() if value is not None},
    }
    return target | ({"Input": input_} if input_ else {})


def put(aws, name, target, **when):
    answer = aws.events.put_rule(Name=name, **when)
    aws.events.put_targets(Rule=name, Targets=[target])
    return answer["RuleArn"]


def started(aws, cluster):
    """Return every task that *cluster* remembers, oldest first."""
    arns = [
        one
        for desired in ("RUNNING", "STOPPED")
        for one in aws.ecs.list_tasks(cluster=cluster, desiredStatus=desired)["taskArns"]
    ]
    if not arns:
        return []
    tasks = aws.ecs.describe_tasks(cluster=cluster, tasks=arns, include=["TAGS"])["tasks"]
    return sorted(tasks, key=lambda task: task["createdAt"])


def to_next(aws, hour, minute=0):
    """Move the clock to the next time that UTC's clocks show this, and return that moment."""
    now = datetime.fromisoformat(aws.now)
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    then += timedelta(days=1) if then <= now else timedelta(0)
    aws.to(then)
    return then


def clock_time(moment):
    return moment.strftime("%H:%M")


# -------- schedules


def test_a_cron_rule_fires_at_its_minute_and_runs_the_latest_revision(aws, rule):
    cluster, family, name = aws.cluster(), aws.register()["family"], rule()
    put(
        aws,
        name,
        ecs_target(aws, arn(f"task-definition/{family}"), able(aws), cluster),
        ScheduleExpression="cron(0 17 * * ? *)",
    )
    to_next(aws, 16, 59)
    assert started(aws, cluster) == []
    then = to_next(aws, 17)
    task = started(aws, cluster)[0]
    assert task["createdAt"] == then
    assert task["taskDefinitionArn"] == arn(f"task-definition/{family}:1")
    assert task["startedBy"] == f"events-rule/{name}"
    assert task["group"] == f"family:{family}"
    aws.register(family)
    aws.advance(24 * 3600)
    assert [task["taskDefinitionArn"][-2:] for task in started(aws, cluster)] == [":2"]  # the first is long forgotten


def test_a_pinned_target_stays_on_its_revision(aws, rule):
    cluster, definition = aws.cluster(), aws.register()
    put(
        aws,
        rule(),
        ecs_target(aws, definition["taskDefinitionArn"], able(aws), cluster),
        ScheduleExpression="cron(0 17 * * ? *)",
    )
    aws.register(definition["family"])
    to_next(aws, 17)
    assert [task["taskDefinitionArn"] for task in started(aws, cluster)] == [definition["taskDefinitionArn"]]


def test_every_minute_in_between_is_fired_at_its_own_time_in_order(aws, rule):
    cluster, family = aws.cluster(), aws.register()["family"]
    put(aws, rule(), ecs_target(aws, family, able(aws), cluster), ScheduleExpression="cron(0/15 9 * * ? *)")
    to_next(aws, 8, 59)
    aws.advance(60 + 50 * 60)
    assert [clock_time(t["createdAt"]) for t in started(aws, cluster)] == ["09:00", "09:15", "09:30", "09:45"]


def test_a_rate_counts_from_the_rules_making(aws, rule):
    to_next(aws, 12, 7)
    cluster, family = aws.cluster(), aws.register()["family"]
    put(aws, rule(), ecs_target(aws, family, able(aws), cluster), ScheduleExpression="rate(10 minutes)")
    aws.advance(31 * 60)
    assert [clock_time(t["createdAt"]) for t in started(aws, cluster)] == ["12:17", "12:27", "12:37"]


def test_another_put_rule_takes_the_olds_place(aws, rule):
    to_next(aws, 3)
    cluster, family, name = aws.cluster(), aws.register()["family"], rule()
    put(aws, name, ecs_target(aws, family, able(aws), cluster), ScheduleExpression="cron(0 4 * * ? *)")
    aws.events.put_rule(Name=name, ScheduleExpression="cron(30 4 * * ? *)")
    aws.advance(2 * 3600)
    assert [clock_time(t["createdAt"]) for t in started(aws, cluster)] == ["04:30"]


def test_a_disabled_rule_does_not_fire_and_an_enabled_one_does_again(aws, rule):
    to_next(aws, 3)
    cluster, family, name = aws.cluster(), aws.register()["family"], rule()
    put(aws, name, ecs_target(aws, family, able(aws), cluster), ScheduleExpression="rate(1 hour)", State="DISABLED")
    aws.advance(2 * 3600 + 60)
    assert started(aws, cluster) == []
    aws.events.enable_rule(Name=name)
    aws.advance(3600)
    assert len(started(aws, cluster)) == 1
    aws.events.disable_rule(Name=name)
    aws.advance(2 * 3600)
    assert started(aws, cluster) == []


def test_a_deleted_rule_fires_no_more(aws, rule):
    cluster, family, name = aws.cluster(), aws.register()["family"], rule()
    put(aws, name, ecs_target(aws, family, able(aws), cluster), ScheduleExpression="rate(1 minute)")
    aws.events.remove_targets(Rule=name, Ids=["run"])
    aws.events.delete_rule(Name=name)
    aws.advance(300)
    assert started(aws, cluster) == []


def test_five_targets_fire_in_the_order_in_which_they_were_put(aws, rule):
    cluster, name, role = aws.cluster(), rule(), able(aws)
    families = [aws.register()["family"] for _ in range(5)]
    aws.events.put_rule(Name=name, ScheduleExpression="cron(0 17 * * ? *)")
    aws.events.put_targets(
        Rule=name,
        Targets=[{**ecs_target(aws, family, role, cluster), "Id": family} for family in families],
    )
    to_next(aws, 17)
    arns = aws.ecs.list_tasks(cluster=cluster)["taskArns"]
    told = {t["taskArn"]: t["taskDefinitionArn"] for t in aws.ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]}
    assert [told[one] for one in arns] == [arn(f"task-definition/{family}:1") for family in families]


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 17 * * * *)",
        "cron(0 17 * *)",
        "cron(60 * * * ? *)",
        "rate(1 minutes)",
        "rate(0 minutes)",
        "at(2026-11-24T17:00:00)",
        "hourly",
    ],
)
def test_a_wrong_schedule_is_refused(aws, rule, expression):
    name = rule()
    with refused("ValidationException", "Parameter ScheduleExpression is not valid."):
        aws.events.put_rule(Name=name, ScheduleExpression=expression)
    assert aws.events.list_rules(NamePrefix=name)["Rules"] == []


def test_schedules_are_for_the_default_bus_alone(aws, rule):
    bus = aws.name("bus")
    aws.events.create_event_bus(Name=bus)
    with refused("ValidationException", "ScheduleExpression is supported only on the default event bus."):
        aws.events.put_rule(Name=rule(), EventBusName=bus, ScheduleExpression="rate(5 minutes)")


# -------- what the target says


def test_the_targets_parameters_are_run_tasks(aws, rule):
    cluster = aws.cluster(capacityProviders=["FARGATE_SPOT"])
    family = aws.register(tags=[{"key": "from", "value": "definition"}])["family"]
    name = rule("a-rule-whose-name-is-really-very-long-")
    put(
        aws,
        name,
        ecs_target(
            aws,
            family,
            able(aws, allow("ecs:TagResource", "*")),
            cluster,
            LaunchType=None,
            CapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
            PlatformVersion="1.3.0",
            TaskCount=3,
            Group="nightlies",
            PropagateTags="TASK_DEFINITION",
            EnableECSManagedTags=True,
            EnableExecuteCommand=True,
            Tags=[{"Key": "from", "Value": "target"}, {"Key": "x", "Value": "y"}],
            NetworkConfiguration={
                "awsvpcConfiguration": {
                    "Subnets": [aws.subnet],
                    "SecurityGroups": [aws.group],
                    "AssignPublicIp": "ENABLED",
                }
            },
            input_=json.dumps({"containerOverrides": [{"name": "main", "command": ["echo", "${x}"]}], "cpu": "512"}),
        ),
        ScheduleExpression="cron(0 17 * * ? *)",
    )
    to_next(aws, 17)
    tasks = started(aws, cluster)
    assert len(tasks) == 3
    task = tasks[0]
    assert task["startedBy"] == "events-rule/a-rule-whose-name-is-rea"
    assert len(task["startedBy"]) == 36
    assert (task["group"], task["platformVersion"], task["capacityProviderName"]) == (
        "nightlies",
        "1.3.0",
        "FARGATE_SPOT",
    )
    assert (task["cpu"], task["enableExecuteCommand"]) == ("512", True)
    assert task["overrides"]["containerOverrides"] == [{"name": "main", "command": ["echo", "${x}"]}]
    assert {tag["key"]: tag["value"] for tag in task["tags"]} == {
        "from": "target",
        "x": "y",
        "aws:ecs:clusterName": cluster,
    }
    asked = aws.trail("RunTask")[-1]["requestParameters"]
    assert asked["networkConfiguration"] == {
        "awsvpcConfiguration": {
            "subnets": [aws.subnet],
            "securityGroups": [aws.group],
            "assignPublicIp": "ENABLED",
        }
    }
    assert (asked["cluster"], asked["taskDefinition"], asked["count"]) == (arn(f"cluster/{cluster}"), family, 3)


@pytest.mark.parametrize("text", ["{", '["main"]', '{"containerOverrides": "main"}'])
def test_an_input_that_is_no_task_override_runs_nothing_and_is_noted(aws, rule, text):
    cluster, family, name = aws.cluster(), aws.register()["family"], rule()
    put(
        aws,
        name,
        ecs_target(aws, family, able(aws), cluster, input_=text),
        ScheduleExpression="cron(0 17 * * ? *)",
    )
    to_next(aws, 17)
    assert started(aws, cluster) == []
    assert re.search(rf"rule/{name}, target run was not invoked: INVALID_JSON", aws.log)


def test_an_input_for_an_unknown_container_is_refused_by_run_task(aws, rule):
    cluster, family = aws.cluster(), aws.register()["family"]
    text = json.dumps({"containerOverrides": [{"name": "gone"}]})
    put(
        aws,
        rule(),
        ecs_target(aws, family, able(aws), cluster, input_=text),
        ScheduleExpression="cron(0 17 * * ? *)",
    )
    to_next(aws, 17)
    record = aws.trail("RunTask")[-1]
    assert (record["errorCode"], record["errorMessage"]) == (
        "InvalidParameterException",
        "Override for container named gone is not a container in the TaskDefinition",
    )


# -------- in whose name


def test_the_trail_tells_who_did_what_on_whose_behalf(aws, rule):
    cluster, family, role = aws.cluster(), aws.register()["family"], able(aws)
    put(aws, rule(), ecs_target(aws, family, role, cluster), ScheduleExpression="cron(0 17 * * ? *)")
    then = to_next(aws, 17)
    assumed, ran = aws.trail("AssumeRole")[-1], aws.trail("RunTask")[-1]
    assert assumed["userIdentity"] == {"type": "AWSService", "invokedBy": EVENTS}
    assert assumed["requestParameters"]["roleArn"] == role
    session = assumed["requestParameters"]["roleSessionName"]
    assert re.fullmatch("[0-9a-f]{32}", session)
    identity = ran["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.split('/')[-1]}/{session}"
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == role
    assert (identity["invokedBy"], ran["sourceIPAddress"], ran["userAgent"]) == (EVENTS, EVENTS, EVENTS)
    assert ran["eventTime"] == then.strftime("%Y-%m-%dT17:00:00Z")
    told = ran["responseElements"]["tasks"][0]
    assert (told["taskDefinitionArn"], told["lastStatus"]) == (arn(f"task-definition/{family}:1"), "PROVISIONING")
    assert "errorCode" not in ran


def test_the_2022_articles_policy_is_refused_today_and_every_revision_is_the_cure(aws, rule):
    cluster, family = aws.cluster(), aws.register()["family"]
    aws.register(family)
    bare = arn(f"task-definition/{family}")
    role = aws.role(allow("ecs:RunTask", bare), allow("iam:PassRole", "*"), trust=trusting(EVENTS))
    public = {"awsvpcConfiguration": {"Subnets": [aws.subnet], "AssignPublicIp": "ENABLED"}}
    put(
        aws,
        rule(),
        ecs_target(aws, bare, role, cluster, NetworkConfiguration=public),
        ScheduleExpression="cron(0 17 * * ? *)",
    )
    to_next(aws, 17)
    record = aws.trail("RunTask")[-1]
    session = record["userIdentity"]["arn"]
    assert record["errorCode"] == "AccessDenied"
    assert record["errorMessage"] == (
        f"User: {session} is not authorized to perform: ecs:RunTask on resource: {bare}:2"
        " because no identity-based policy allows the ecs:RunTask action"
    )
    assert (record["requestParameters"], record["responseElements"]) == (None, None)
    assert started(aws, cluster) == []
    cured = {"Version": "2012-10-17", "Statement": [allow("ecs:RunTask", f"{bare}:*")]}
    aws.iam.put_role_policy(RoleName=role.split("/")[-1], PolicyName="inline", PolicyDocument=json.dumps(cured))
    to_next(aws, 17)
    assert [task["taskDefinitionArn"] for task in started(aws, cluster)] == [f"{bare}:2"]


def test_without_a_launch_type_the_refusal_stands_in_the_trail_alone(aws, rule):
    cluster, family = aws.cluster(), aws.register()["family"]
    public = {"awsvpcConfiguration": {"Subnets": [aws.subnet], "AssignPublicIp": "ENABLED"}}
    put(
        aws,
        rule(),
        ecs_target(aws, family, able(aws), cluster, LaunchType=None, NetworkConfiguration=public),
        ScheduleExpression="cron(0 17 * * ? *)",
    )
    to_next(aws, 17)
    record = aws.trail("RunTask")[-1]
    assert (record["errorCode"], record["errorMessage"]) == (
        "InvalidParameterException",
        "Assign public IP is not supported for this launch type.",
    )
    assert started(aws, cluster) == []


def test_a_role_that_does_not_trust_eventbridge_is_not_assumed(aws, rule):
    cluster, family = aws.cluster(), aws.register()["family"]
    gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
    for role in (aws.role(allow("ecs:RunTask", "*"), trust=trusting("scheduler.amazonaws.com")), gone):
        before = len(aws.trail("RunTask"))
        put(aws, rule(), ecs_target(aws, family, role, cluster), ScheduleExpression="cron(0 17 * * ? *)")
        to_next(aws, 17)
        record = aws.trail("AssumeRole")[-1]
        assert record["errorCode"] == "AccessDenied"
        assert record["errorMessage"].endswith(f"is not authorized to perform: sts:AssumeRole on resource: {role}")
        assert len(aws.trail("RunTask")) == before


@pytest.mark.parametrize("right", [True, False])
def test_a_trust_policy_can_name_the_rule_and_the_account(aws, rule, right):
    cluster, family, name = aws.cluster(), aws.register()["family"], rule()
    wanted = name if right else name + "-drill"
    trust = trusting(
        EVENTS,
        {
            "ArnEquals": {"aws:SourceArn": arn(f"rule/{wanted}", "events")},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        },
    )
    role = aws.role(allow("ecs:RunTask", "*"), trust=trust)
    put(aws, name, ecs_target(aws, family, role, cluster), ScheduleExpression="cron(0 17 * * ? *)")
    to_next(aws, 17)
    assert len(started(aws, cluster)) == (1 if right else 0)


# -------- events


def send(aws, source, detail=None, **more):
    entry = {"Source": source, "DetailType": "test", "Detail": json.dumps(detail or {}), **more}
    answer = aws.events.put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0


def test_an_event_that_matches_fires_at_once_and_another_does_not(aws, rule):
    cluster, family, name = aws.cluster(), aws.register()["family"], rule()
    put(
        aws,
        name,
        ecs_target(aws, family, able(aws), cluster),
        EventPattern=json.dumps({"source": ["me.test"], "detail": {"kind": [{"prefix": "go"}]}}),
    )
    for source, detail in (("me.other", {"kind": "go"}), ("me.test", {"kind": "stay"}), ("me.test", {})):
        send(aws, source, detail)
    assert started(aws, cluster) == []
    send(aws, "me.test", {"kind": "going"})
    assert [task["startedBy"] for task in started(aws, cluster)] == [f"events-rule/{name}"]


def test_a_disabled_rule_and_a_scheduled_one_hear_no_event(aws, rule):
    cluster, family = aws.cluster(), aws.register()["family"]
    target = ecs_target(aws, family, able(aws), cluster)
    put(aws, rule(), target, EventPattern=json.dumps({"source": ["me.test"]}), State="DISABLED")
    put(aws, rule(), target, ScheduleExpression="cron(0 17 1 1 ? 2100)")
    send(aws, "me.test")
    assert started(aws, cluster) == []


def test_a_rule_of_another_bus_hears_that_bus_alone(aws):
    bus, name = aws.name("bus"), aws.name("rule")
    aws.events.create_event_bus(Name=bus)
    cluster, family = aws.cluster(), aws.register()["family"]
    aws.events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["me.bus"]}))
    aws.events.put_targets(Rule=name, EventBusName=bus, Targets=[ecs_target(aws, family, able(aws), cluster)])
    send(aws, "me.bus")
    assert started(aws, cluster) == []
    send(aws, "me.bus", EventBusName=bus)
    assert len(started(aws, cluster)) == 1


def test_what_an_event_says_reaches_the_task_through_a_transformer_alone(aws, rule):
    cluster, family = aws.cluster(), aws.register()["family"]
    plain = ecs_target(aws, family, able(aws), cluster)
    template = '{"containerOverrides": [{"name": "main", "command": ["say <what>", <what>]}]}'
    transformed = {
        **plain,
        "Id": "transformed",
        "InputTransformer": {"InputPathsMap": {"what": "$.detail.what"}, "InputTemplate": template},
    }
    name = rule()
    aws.events.put_rule(Name=name, EventPattern=json.dumps({"source": ["me.told"]}))
    aws.events.put_targets(Rule=name, Targets=[plain, transformed])
    send(aws, "me.told", {"what": "hello"})
    overrides = [task["overrides"]["containerOverrides"][0] for task in started(aws, cluster)]
    assert sorted(overrides, key=len) == [{"name": "main"}, {"name": "main", "command": ["say hello", "hello"]}]


def test_other_targets_stay_motos_and_one_it_does_not_know_harms_nobody(aws, rule):
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=aws.name("queue"))["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    name = rule()
    aws.events.put_rule(Name=name, ScheduleExpression="cron(0 17 * * ? *)")
    aws.events.put_targets(
        Rule=name,
        Targets=[
            {"Id": "unknown", "Arn": arn("function:f", "lambda")},
            {"Id": "queue", "Arn": queue_arn},
            {"Id": "constant", "Arn": queue_arn, "Input": '{"a": 1}'},
        ],
    )
    then = to_next(aws, 17)
    bodies = [
        json.loads(message["Body"])
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    ]
    event = next(body for body in bodies if "source" in body)
    assert {"a": 1} in bodies
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.events", "Scheduled Event", {})
    assert event["resources"] == [arn(f"rule/{name}", "events")]
    assert event["time"] == then.strftime("%Y-%m-%dT17:00:00Z")


# -------- events about tasks


def test_every_change_of_a_task_is_an_event_on_the_default_bus(aws, rule):
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=aws.name("queue"))["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    cluster = aws.cluster()
    pattern = {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [arn(f"cluster/{cluster}")]},
    }
    name = rule()
    aws.events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    aws.events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue_arn}])
    task = aws.run(aws.register()["family"], cluster=cluster, startedBy="me")["tasks"][0]
    aws.advance(5)
    events = [
        json.loads(message["Body"])
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    ]
    events.sort(key=lambda event: event["detail"]["version"])
    assert [event["detail"]["lastStatus"] for event in events] == [
        "PROVISIONING",
        "PENDING",
        "RUNNING",
        "DEPROVISIONING",
        "STOPPED",
    ]
    last = events[-1]
    assert last["resources"] == [task["taskArn"]]
    detail = last["detail"]
    assert (detail["desiredStatus"], detail["stopCode"], detail["startedBy"]) == (
        "STOPPED",
        "EssentialContainerExited",
        "me",
    )
    assert (detail["attachments"][0]["type"], detail["attachments"][0]["status"]) == ("eni", "DELETED")
    assert detail["containers"][0]["exitCode"] == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", detail["stoppedAt"])
    assert "tags" not in detail


def test_a_tasks_end_can_start_the_next_task_and_a_rule_that_feeds_itself_is_cut_short(aws, rule):
    cluster, family = aws.cluster(), aws.register()["family"]
    pattern = {
        "source": ["aws.ecs"],
        "detail": {"clusterArn": [arn(f"cluster/{cluster}")], "lastStatus": ["STOPPED"]},
    }
    put(aws, rule(), ecs_target(aws, family, able(aws), cluster), EventPattern=json.dumps(pattern))
    aws.run(family, cluster=cluster)
    aws.advance(1.7)
    assert len(started(aws, cluster)) == 2
    aws.advance(600)
    assert len(started(aws, cluster)) == 1 + 5
