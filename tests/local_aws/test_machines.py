"""
State machines that run a task. Expectations are from the Step Functions developer guide, "Run Amazon ECS or Fargate
tasks", and aws-behaviour.md §1: RunTask is judged by the state machine's role.
"""

import json

import pytest
from local_world import ACCOUNT, REGION, LocalWorld, allow, arn, refused, trusting

EVENTS, SCHEDULER, STATES = "events.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"
RULE = "StepFunctionsGetEventsForECSTaskRule"


@pytest.fixture(scope="module")
def world(server):
    return LocalWorld(server)


@pytest.fixture
def machine(world):
    """Make a state machine that runs a task of a family of its own; return its ARN and the family."""

    def make(*statements, state=None):
        family = world.register()["family"]
        parameters = {
            "Cluster": arn("cluster/default"),
            "TaskDefinition": arn(f"task-definition/{family}"),
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": [world.subnet]}},
        }
        run = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": parameters, "End": True}
        given = [*(statements or [allow("ecs:RunTask", "*")]), allow(["events:*"], arn(f"rule/{RULE}", "events"))]
        role = world.role(*given, trust=trusting(STATES))
        made = world.client("stepfunctions").create_state_machine(
            name=world.name("machine"),
            definition=json.dumps({"StartAt": "Run", "States": {"Run": state or run}}),
            roleArn=role,
        )
        return made["stateMachineArn"], family

    return make


def records(world, family):
    return [one for one in world.trail("RunTask") if family in json.dumps(one)]


def test_an_execution_runs_the_task_in_the_machines_name(world, machine):
    made, family = machine()
    world.client("stepfunctions").start_execution(stateMachineArn=made)
    (record,) = records(world, family)
    assert record["userIdentity"]["invokedBy"] == STATES
    assert record["requestParameters"]["startedBy"] == "AWS Step Functions"
    assert record["responseElements"]["tasks"][0]["taskDefinitionArn"].endswith(f"{family}:1")


def test_the_machines_role_is_judged(world, machine):
    made, family = machine(allow("ecs:StopTask", "*"))
    world.client("stepfunctions").start_execution(stateMachineArn=made)
    (record,) = records(world, family)
    assert record["errorCode"] == "AccessDenied"
    assert f"ecs:RunTask on resource: {arn('task-definition/' + family + ':1')}" in record["errorMessage"]


def test_who_starts_it_needs_leave_to(world, machine):
    made, family = machine()
    credentials, session = world.session(allow("states:Describe*", "*"))
    message = (
        f"User: {session} is not authorized to perform: states:StartExecution on resource: {made} because no "
        "identity-based policy allows the states:StartExecution action"
    )
    with refused("AccessDeniedException", message):
        world.client("stepfunctions", credentials).start_execution(stateMachineArn=made)
    assert records(world, family) == []


def test_a_rule_starts_it_in_its_targets_name(world, machine):
    made, family = machine()
    role = world.role(allow("states:StartExecution", made), trust=trusting(EVENTS))
    name = world.name("rule")
    world.events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    world.events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": made, "RoleArn": role, "Input": "{}"}])
    world.advance(60)
    world.events.disable_rule(Name=name)
    assert len(records(world, family)) == 1


@pytest.mark.parametrize("universal", [False, True])
def test_a_schedule_starts_it_in_its_targets_name(world, machine, universal):
    made, family = machine()
    role, name = world.role(allow("states:StartExecution", made), trust=trusting(SCHEDULER)), world.name("schedule")
    target = {"Arn": made, "RoleArn": role}
    if universal:
        target |= {
            "Arn": "arn:aws:scheduler:::aws-sdk:sfn:startExecution",
            "Input": json.dumps({"StateMachineArn": made}),
        }
    scheduler = world.client("scheduler")
    scheduler.create_schedule(
        Name=name, ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    world.advance(60)
    scheduler.delete_schedule(Name=name)
    assert len(records(world, family)) == 1


def test_a_schedule_that_may_not_start_it_has_a_dead_letter(world, machine):
    made, family = machine()
    sqs = world.client("sqs")
    url = sqs.create_queue(QueueName=world.name("letters"))["QueueUrl"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rsplit('/', 1)[1]}"
    role = world.role(allow("sqs:SendMessage", queue), trust=trusting(SCHEDULER))
    target = {"Arn": made, "RoleArn": role, "DeadLetterConfig": {"Arn": queue}}
    scheduler, name = world.client("scheduler"), world.name("schedule")
    scheduler.create_schedule(
        Name=name, ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    world.advance(60)
    scheduler.delete_schedule(Name=name)
    (letter,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    told = {key: value["StringValue"] for key, value in letter["MessageAttributes"].items()}
    assert told["ERROR_CODE"] == "AccessDeniedException"
    assert told["TARGET_ARN"] == "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
    assert records(world, family) == []
