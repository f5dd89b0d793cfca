"""
What a task can be told of its scheduled run, and that one firing may be delivered twice. Expectations are from AWS
docs: EventBridge Scheduler, "Adding context attributes"; EventBridge, "Transforming target input", "Troubleshooting".
"""

import json
import re

import pytest
from local_world import LocalWorld, allow, arn, trusting

from ecs_runbook.local_aws import process

EVENTS, SCHEDULER, STATES = "events.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"
CONTEXT = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")


@pytest.fixture(scope="module")
def world(server):
    made = LocalWorld(server)
    made.to("2027-07-01T00:30:00Z")
    return made


@pytest.fixture(autouse=True)
def as_at_the_start(world):
    yield
    process.settings(world.server, reset=True)


def told(text):
    """An override that tells the container main what *text* says."""
    environment = [{"name": "ECS_RUNBOOK_RUN", "value": text}]
    return {"containerOverrides": [{"name": "main", "environment": environment}]}


def runs(world, family):
    """What each task of *family* was told, oldest first."""
    arns = [a for status in ("RUNNING", "STOPPED") for a in listed(world, family, status)]
    tasks = world.ecs.describe_tasks(tasks=arns)["tasks"] if arns else []
    tasks.sort(key=lambda task: task["createdAt"])
    return [
        task["overrides"]["containerOverrides"][0].get("environment", [{"value": ""}])[0]["value"] for task in tasks
    ]


def listed(world, family, status):
    return world.ecs.list_tasks(family=family, desiredStatus=status)["taskArns"]


@pytest.fixture
def schedule(world):
    """Make a schedule for a moment an hour from now; return its name and the family of its task."""
    scheduler, names = world.client("scheduler"), []

    def make(given="", expression="cron(0 1 * * ? *)", **target):
        family, name = world.register()["family"], world.name("schedule")
        whole = {
            "Arn": arn("cluster/default"),
            "RoleArn": world.role(allow(["ecs:RunTask", "states:StartExecution"], "*"), trust=trusting(SCHEDULER)),
            "EcsParameters": {
                "TaskDefinitionArn": arn(f"task-definition/{family}"),
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [world.subnet]}},
            },
            **({"Input": given} if given else {}),
            **target,
        }
        window = {"Mode": "OFF"}
        whole = {key: value for key, value in whole.items() if value is not None}
        scheduler.create_schedule(Name=name, ScheduleExpression=expression, FlexibleTimeWindow=window, Target=whole)
        names.append(name)
        return name, family

    yield make
    for name in names:
        scheduler.delete_schedule(Name=name)


@pytest.fixture
def rule(world):
    made = []

    def make(**target):
        family, name = world.register()["family"], world.name("rule")
        world.events.put_rule(Name=name, ScheduleExpression="cron(0 1 * * ? *)")
        whole = {
            "Id": "1",
            "Arn": arn("cluster/default"),
            "RoleArn": world.role(allow("ecs:RunTask", "*"), trust=trusting(EVENTS)),
            "EcsParameters": {
                "TaskDefinitionArn": arn(f"task-definition/{family}"),
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [world.subnet]}},
            },
            **target,
        }
        world.events.put_targets(Rule=name, Targets=[whole])
        made.append(name)
        return name, family

    yield make
    for name in made:
        world.events.disable_rule(Name=name)


def test_a_schedule_tells_its_task_who_it_is_and_when_it_was_due(world, schedule):
    name, family = schedule(json.dumps(told(" ".join(f"<aws.scheduler.{one}>" for one in CONTEXT))))
    world.to("2027-07-01T01:00:30Z")
    (run,) = runs(world, family)
    who, when, identity, attempt = run.split(" ")
    assert (who, when, attempt) == (arn(f"schedule/default/{name}", "scheduler"), "2027-07-01T01:00:00Z", "1")
    assert re.fullmatch(r"[0-9a-f]{16}", identity)


def test_an_attempt_that_is_made_again_says_so_and_keeps_its_time(world, schedule):
    _, family = schedule(json.dumps(told("<aws.scheduler.scheduled-time> <aws.scheduler.attempt-number>")))
    process.settings(world.server, throttle={"ecs:RunTask": 2})
    world.to("2027-07-02T01:00:59Z")
    assert runs(world, family) == ["2027-07-02T01:00:00Z 3"]


def test_a_state_machine_is_told_too(world, schedule):
    sfn = world.client("stepfunctions")
    machine = sfn.create_state_machine(
        name=world.name("machine"),
        definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}),
        roleArn=world.role(trust=trusting(STATES)),
    )["stateMachineArn"]
    name, _ = schedule(
        json.dumps({"run": "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>"}),
        Arn=machine,
        EcsParameters=None,
    )
    world.to("2027-07-03T01:00:30Z")
    (execution,) = sfn.list_executions(stateMachineArn=machine)["executions"]
    given = json.loads(sfn.describe_execution(executionArn=execution["executionArn"])["input"])
    assert given == {"run": f"{arn(f'schedule/default/{name}', 'scheduler')} 2027-07-03T01:00:00Z"}


def test_a_rule_tells_its_task_by_a_transformer(world, rule):
    paths = {"rule": "$.resources[0]", "time": "$.time"}
    name, family = rule(InputTransformer={"InputPathsMap": paths, "InputTemplate": json.dumps(told("<rule> <time>"))})
    world.to("2027-07-04T01:00:30Z")
    assert runs(world, family) == [f"{arn(f'rule/{name}', 'events')} 2027-07-04T01:00:00Z"]


def test_a_rules_own_arn_and_name_need_no_path(world, rule):
    given = {"InputTemplate": json.dumps(told("<aws.events.rule-arn> <aws.events.rule-name>"))}
    name, family = rule(InputTransformer=given)
    world.to("2027-07-05T01:00:30Z")
    assert runs(world, family) == [f"{arn(f'rule/{name}', 'events')} {name}"]


def test_a_schedules_firing_can_be_delivered_twice_with_the_same_time(world, schedule):
    name, family = schedule(json.dumps(told("<aws.scheduler.scheduled-time> <aws.scheduler.attempt-number>")))
    process.settings(world.server, deliver_twice={name: 1}, second_delivery_seconds=20)
    world.to("2027-07-06T01:00:19Z")
    assert runs(world, family) == ["2027-07-06T01:00:00Z 1"]
    world.to("2027-07-06T01:01:00Z")
    assert runs(world, family) == ["2027-07-06T01:00:00Z 1"] * 2
    world.to("2027-07-07T01:01:00Z")
    assert runs(world, family) == ["2027-07-07T01:00:00Z 1"]  # once again; ECS has forgotten those before


def test_a_rules_firing_can_be_delivered_twice_with_the_same_event(world, rule):
    paths = {"id": "$.id", "time": "$.time"}
    name, family = rule(InputTransformer={"InputPathsMap": paths, "InputTemplate": json.dumps(told("<id> <time>"))})
    _, other = rule()
    process.settings(world.server, deliver_twice={name: "always"})
    world.to("2027-07-08T01:01:00Z")
    first, second = runs(world, family)
    assert first == second
    assert len(runs(world, other)) == 1


def test_a_job_that_heeds_its_token_works_once_for_two_deliveries(world, rule):
    paths = {"time": "$.time"}
    given = told("<time>")
    given["containerOverrides"][0]["environment"] += [
        {"name": "LOCAL_AWS_ONCE", "value": "ECS_RUNBOOK_RUN"},
        {"name": "LOCAL_AWS_SECONDS", "value": "600"},
    ]
    name, family = rule(InputTransformer={"InputPathsMap": paths, "InputTemplate": json.dumps(given)})
    process.settings(world.server, deliver_twice={name: 1})
    world.to("2027-07-09T01:20:00Z")
    tasks = world.ecs.describe_tasks(tasks=listed(world, family, "STOPPED"))["tasks"]
    worked = sorted((task["stoppingAt"] - task["startedAt"]).total_seconds() for task in tasks)
    assert worked == [0, 600]
    assert {task["containers"][0]["exitCode"] for task in tasks} == {0}


def test_a_job_that_failed_with_its_token_may_be_run_again(world):
    environment = [
        {"name": "LOCAL_AWS_ONCE", "value": "ECS_RUNBOOK_RUN"},
        {"name": "ECS_RUNBOOK_RUN", "value": "tonight"},
        {"name": "LOCAL_AWS_SECONDS", "value": "10"},
        {"name": "LOCAL_AWS_EXIT_CODE", "value": "3,0"},
    ]
    family = world.register(containers=[{"name": "main", "image": "x", "environment": environment}])["family"]
    codes = []
    for _ in range(3):
        task = world.run(family)["tasks"][0]
        world.advance(30)
        ended = world.task(task)
        codes.append((ended["containers"][0]["exitCode"], (ended["stoppingAt"] - ended["startedAt"]).total_seconds()))
    assert codes == [(3, 10), (0, 10), (0, 0)]
