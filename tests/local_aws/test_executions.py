"""
State machines run by the clock. Expectations are from the Step Functions developer guide ("Handling errors", "Run
Amazon ECS or Fargate tasks", "Choice workflow state") and a recorded history of ``ecs:runTask.sync``.
"""

import json
from datetime import timedelta

import pytest
from local_world import REGION, LocalWorld, allow, arn, refused, trusting

from ecs_runbook.local_aws import process

STATES = "states.amazonaws.com"
SYNC = "arn:aws:states:::ecs:runTask.sync"
START_FAILURES = {
    "ErrorEquals": ["AmazonECS.Unknown", "ECS.AmazonECSException", "ECS.ServerException"],
    "IntervalSeconds": 30,
    "BackoffRate": 2,
    "MaxAttempts": 5,
    "MaxDelaySeconds": 90,
}
# Runs a task; again, 60 seconds later, up to twice, if its container exits with 3; tells a topic of everything else.
AGAIN = {
    "Begin": {"Type": "Pass", "Result": 0, "ResultPath": "$.tries", "Next": "Run"},
    "Code": {
        "Type": "Pass",
        "Parameters": {
            "tries.$": "States.MathAdd($.tries, 1)",
            "task.$": "States.StringToJson($.failed.Cause)",
            "failed.$": "$.failed",
        },
        "Next": "Which",
    },
    "Which": {
        "Type": "Choice",
        "Choices": [
            {
                "And": [
                    {"Variable": "$.task.Containers[0].ExitCode", "IsPresent": True},
                    {"Variable": "$.task.Containers[0].ExitCode", "NumericEquals": 3},
                    {"Variable": "$.tries", "NumericLessThanEquals": 2},
                ],
                "Next": "Pause",
            }
        ],
        "Default": "Give up",
    },
    "Pause": {"Type": "Wait", "Seconds": 60, "Next": "Run"},
    "Give up": {"Type": "Fail", "ErrorPath": "$.failed.Error", "CausePath": "$.failed.Cause"},
}


@pytest.fixture(scope="module")
def world(server):
    return LocalWorld(server)


@pytest.fixture(autouse=True)
def as_at_the_start(world):
    yield
    process.settings(world.server, reset=True)


class Made:
    """A state machine of its own, and the family that it runs."""

    def __init__(self, world, states, start, family, role):
        self.world, self.family, self.sfn = world, family, world.client("stepfunctions")
        self.arn = self.sfn.create_state_machine(
            name=world.name("machine"),
            definition=json.dumps({"StartAt": start, "States": states}),
            roleArn=role,
        )["stateMachineArn"]

    def start(self, given=None, **more):
        return self.sfn.start_execution(stateMachineArn=self.arn, input=json.dumps(given or {}), **more)["executionArn"]

    def told(self, execution):
        return self.sfn.describe_execution(executionArn=execution)

    def history(self, execution, **more):
        pages = self.sfn.get_paginator("get_execution_history").paginate(executionArn=execution, **more)
        return [event for page in pages for event in page["events"]]

    def kinds(self, execution):
        return [event["type"] for event in self.history(execution)]

    def definitions(self):
        """The revisions that its tasks ran, oldest first."""
        records = [one for one in self.world.trail("RunTask") if self.family in json.dumps(one)]
        tasks = [task for one in records for task in (one["responseElements"] or {}).get("tasks", [])]
        return [task["taskDefinitionArn"].rsplit("/", 1)[1] for task in tasks]


@pytest.fixture
def made(world):
    def make(states, start="Run", environment=None, allowed=(), **more):
        said = [{"name": name, "value": value} for name, value in (environment or {}).items()]
        family = world.register(containers=[{"name": "main", "image": "x", "environment": said}])["family"]
        run = {
            "Type": "Task",
            "Resource": SYNC,
            "Parameters": {
                "Cluster": arn("cluster/default"),
                "TaskDefinition": arn(f"task-definition/{family}"),
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": [world.subnet]}},
                **more.pop("parameters", {}),
            },
            **({"End": True} if "Next" not in more else {}),
            **more,
        }
        granted = [allow("ecs:RunTask", f"{arn(f'task-definition/{family}')}:*"), allow("ecs:StopTask", "*"), *allowed]
        return Made(world, {"Run": run, **states}, start, family, world.role(*granted, trust=trusting(STATES)))

    return make


def again(made, **more):
    catch = [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.failed", "Next": "Code"}]
    return made(AGAIN, "Begin", Retry=[START_FAILURES], Catch=catch, ResultPath="$.done", **more)


def seconds(execution):
    return (execution["stopDate"] - execution["startDate"]) / timedelta(seconds=1)


def test_a_task_that_fails_twice_with_a_listed_code_runs_until_it_succeeds(world, made):
    machine = again(made, environment={"LOCAL_AWS_EXIT_CODE": "3,3,0"})
    execution = machine.start()
    world.advance("1h")
    told = machine.told(execution)
    assert told["status"] == "SUCCEEDED"
    assert json.loads(told["output"])["done"]["Containers"][0]["ExitCode"] == 0
    assert seconds(told) == pytest.approx(3 * 1.7 + 2 * 60)  # a task's life, and two pauses
    failures = [
        event["taskFailedEventDetails"] for event in machine.history(execution) if event["type"] == "TaskFailed"
    ]
    assert [one["error"] for one in failures] == ["States.TaskFailed"] * 2
    assert [json.loads(one["cause"])["Containers"][0]["ExitCode"] for one in failures] == [3, 3]
    assert machine.definitions() == [f"{machine.family}:1"] * 3


def test_a_task_that_fails_for_good_fails_the_execution(world, made):
    machine = again(made, environment={"LOCAL_AWS_EXIT_CODE": "3"})
    execution = machine.start()
    world.advance("1h")
    told = machine.told(execution)
    assert (told["status"], told["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(told["cause"])["StoppedReason"] == "Essential container in task exited"
    assert len(machine.definitions()) == 3


def test_another_exit_code_is_not_tried_again(world, made):
    machine = again(made, environment={"LOCAL_AWS_EXIT_CODE": "1"})
    execution = machine.start()
    world.advance("1h")
    assert machine.told(execution)["status"] == "FAILED"
    assert len(machine.definitions()) == 1


def test_an_attempt_after_a_deploy_runs_the_new_revision(world, made):
    machine = again(made, environment={"LOCAL_AWS_EXIT_CODE": "3"})
    execution = machine.start()
    world.advance(30)
    world.register(machine.family)
    world.advance("1h")
    assert machine.told(execution)["status"] == "SUCCEEDED"
    assert machine.definitions() == [f"{machine.family}:1", f"{machine.family}:2"]


def test_capacity_that_is_refused_three_times_is_waited_for(world, made):
    process.settings(world.server, fargate={"no-capacity": 3})
    machine = again(made)
    execution = machine.start()
    world.advance("1h")
    told = machine.told(execution)
    assert told["status"] == "SUCCEEDED"
    assert seconds(told) == pytest.approx(30 + 60 + 90 + 1.7)  # doubled, and no more than MaxDelaySeconds
    failures = [
        event["taskFailedEventDetails"] for event in machine.history(execution) if event["type"] == "TaskFailed"
    ]
    assert [one["error"] for one in failures] == ["AmazonECS.Unknown"] * 3
    assert "Capacity is unavailable at this time" in failures[0]["cause"]
    assert len(machine.definitions()) == 1


def test_a_task_that_hangs_times_out_at_its_moment(world, made):
    machine = made({}, environment={"LOCAL_AWS_OUTCOME": "hang"}, TimeoutSeconds=600)
    execution = machine.start()
    world.advance(599)
    assert machine.told(execution)["status"] == "RUNNING"
    world.advance(1)
    told = machine.told(execution)
    assert (told["status"], told["error"], "cause" in told, seconds(told)) == ("FAILED", "States.Timeout", False, 600)
    assert machine.kinds(execution)[-2:] == ["TaskTimedOut", "ExecutionFailed"]


def test_the_history_of_a_run_is_as_recorded(world, made):
    machine = made({})
    execution = machine.start({"a": 1})
    world.advance(5)
    events = machine.history(execution)
    assert [(event["id"], event["previousEventId"], event["type"]) for event in events] == [
        (1, 0, "ExecutionStarted"),
        (2, 0, "TaskStateEntered"),
        (3, 2, "TaskScheduled"),
        (4, 3, "TaskStarted"),
        (5, 4, "TaskSubmitted"),
        (6, 5, "TaskSucceeded"),
        (7, 6, "TaskStateExited"),
        (8, 7, "ExecutionSucceeded"),
    ]
    scheduled = events[2]["taskScheduledEventDetails"]
    assert (scheduled["resourceType"], scheduled["resource"], scheduled["region"]) == ("ecs", "runTask.sync", REGION)
    assert json.loads(scheduled["parameters"])["StartedBy"] == "AWS Step Functions"
    begun = json.loads(events[4]["taskSubmittedEventDetails"]["output"])
    assert (begun["Failures"], begun["Tasks"][0]["LastStatus"]) == ([], "PROVISIONING")
    ended = json.loads(events[5]["taskSucceededEventDetails"]["output"])
    assert ended["TaskArn"] == begun["Tasks"][0]["TaskArn"]
    assert (ended["LastStatus"], ended["Containers"][0]["ExitCode"]) == ("STOPPED", 0)
    assert ended["StoppedAt"] - ended["CreatedAt"] == 1700  # milliseconds


def test_executions_are_listed_newest_first_and_by_status(world, made):
    machine = again(made, environment={"LOCAL_AWS_EXIT_CODE": "1,0"})
    first = machine.start()
    world.advance(10)
    second = machine.start()
    world.advance(10)
    listed = machine.sfn.list_executions(stateMachineArn=machine.arn)["executions"]
    assert [(one["executionArn"], one["status"]) for one in listed] == [(second, "SUCCEEDED"), (first, "FAILED")]
    failed = machine.sfn.list_executions(stateMachineArn=machine.arn, statusFilter="FAILED")["executions"]
    assert [one["executionArn"] for one in failed] == [first]


def test_a_name_is_taken(world, made):
    machine = made({})
    first = machine.start({"a": 1}, name="night")
    assert machine.start({"a": 1}, name="night") == first
    with refused("ExecutionAlreadyExists", f"Execution Already Exists: '{first}'"):
        machine.start({"a": 2}, name="night")
    world.advance(10)
    with refused("ExecutionAlreadyExists", f"Execution Already Exists: '{first}'"):
        machine.start({"a": 1}, name="night")
