"""
State machines run by the clock. Expectations are from the Step Functions developer guide ("Handling errors", "Run
Amazon ECS or Fargate tasks", "Choice workflow state") and a recorded history of ``ecs:runTask.sync``.
"""

import json
from datetime import datetime, timedelta

import pytest
from local_world import ACCOUNT, REGION, LocalWorld, allow, arn, document, refused, trusting

from ecs_runbook.local_aws import process

STATES = "states.amazonaws.com"
SYNC = "arn:aws:states:::ecs:runTask.sync"
MANAGED_RULE = arn("rule/StepFunctionsGetEventsForECSTaskRule", "events")
WATCHES = allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], MANAGED_RULE)
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
TOKEN = {"Name": "TOKEN", "Value.$": "$$.Task.Token"}
TOLD = {"Overrides": {"ContainerOverrides": [{"Name": "main", "Environment": [TOKEN]}]}}


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
        granted = [allow("ecs:RunTask", f"{arn(f'task-definition/{family}')}:*"), allow("ecs:StopTask", "*"), WATCHES]
        return Made(
            world, {"Run": run, **states}, start, family, world.role(*granted, *allowed, trust=trusting(STATES))
        )

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
    assert [one["Type"] for one in ended["Attachments"]] == ["eni"]


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


def test_the_machines_role_must_let_step_functions_in(world):
    message = (
        "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the "
        "provided role."
    )
    with refused("AccessDeniedException", message):
        Made(world, {"Done": {"Type": "Succeed"}}, "Done", "", world.role(WATCHES))


def test_a_machine_that_waits_for_ecs_needs_leave_for_the_managed_rule(world):
    run = {"Type": "Task", "Resource": SYNC, "Parameters": {"TaskDefinition": "x"}, "End": True}
    role = world.role(allow("events:PutRule", MANAGED_RULE), trust=trusting(STATES))
    with refused("AccessDeniedException", f"'{role}' is not authorized to create managed-rule."):
        Made(world, {"Run": run}, "Run", "", role)
    assert Made(world, {"Run": run | {"Resource": SYNC.removesuffix(".sync")}}, "Run", "", role).arn


def test_a_definition_that_leads_nowhere_is_refused(world):
    definition = {"StartAt": "Run", "States": {"Run": {"Type": "Pass", "Next": "Gone"}}}
    message = (
        "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: Gone at /States/Run/Next'"
    )
    sfn, role = world.client("stepfunctions"), world.role(trust=trusting(STATES))
    with refused("InvalidDefinition", message):
        sfn.create_state_machine(name="nowhere", definition=json.dumps(definition), roleArn=role)
    checked = sfn.validate_state_machine_definition(definition=json.dumps(definition))
    assert (checked["result"], [one["code"] for one in checked["diagnostics"]]) == (
        "FAIL",
        ["MISSING_TRANSITION_TARGET"],
    )
    definition["States"]["Run"] = {"Type": "Pass", "End": True}
    assert sfn.validate_state_machine_definition(definition=json.dumps(definition))["result"] == "OK"


class TestStopped:
    def test_its_task_is_stopped_with_it(self, world, made):
        machine = made({}, environment={"LOCAL_AWS_OUTCOME": "hang"})
        execution = machine.start()
        world.advance(10)
        machine.sfn.stop_execution(executionArn=execution, error="Enough", cause="by hand")
        told = machine.told(execution)
        assert (told["status"], told["error"], told["cause"]) == ("ABORTED", "Enough", "by hand")
        world.advance(10)
        (task,) = world.ecs.list_tasks(family=machine.family, desiredStatus="STOPPED")["taskArns"]
        assert world.task(task)["stopCode"] == "UserInitiated"
        (record,) = [one for one in world.trail("StopTask") if task in json.dumps(one)]
        assert record["userIdentity"]["invokedBy"] == STATES
        assert machine.kinds(execution)[-2:] == ["TaskStateAborted", "ExecutionAborted"]

    def test_a_role_that_may_not_stop_it_lets_it_run_on(self, world, made):
        never = allow("ecs:StopTask", "*", effect="Deny")
        machine = made({}, environment={"LOCAL_AWS_OUTCOME": "hang"}, allowed=[never])
        execution = machine.start()
        world.advance(10)
        machine.sfn.stop_execution(executionArn=execution)
        world.advance(10)
        assert len(world.ecs.list_tasks(family=machine.family)["taskArns"]) == 1

    def test_while_it_waits_nothing_comes_after(self, world, made):
        machine = made({"Later": {"Type": "Wait", "Seconds": 60, "Next": "Run"}}, "Later")
        execution = machine.start()
        world.advance(30)
        machine.sfn.stop_execution(executionArn=execution)
        world.advance("1h")
        assert machine.definitions() == []
        assert machine.told(execution)["status"] == "ABORTED"


@pytest.mark.parametrize("stopped", [False, True])
def test_what_a_timeout_does_to_the_task_can_be_set(world, made, stopped):
    process.settings(world.server, stop_timed_out=stopped)
    machine = made({}, environment={"LOCAL_AWS_OUTCOME": "hang"}, TimeoutSeconds=60)
    machine.start()
    world.advance(90)
    assert len(world.ecs.list_tasks(family=machine.family)["taskArns"]) == (0 if stopped else 1)


def test_a_timeout_of_the_whole_execution_has_neither_error_nor_cause(world):
    sfn, role = world.client("stepfunctions"), world.role(trust=trusting(STATES))
    states = {"Wait": {"Type": "Wait", "Seconds": 25, "End": True}}
    machine = sfn.create_state_machine(
        name=world.name("machine"),
        definition=json.dumps({"StartAt": "Wait", "TimeoutSeconds": 3, "States": states}),
        roleArn=role,
    )["stateMachineArn"]
    execution = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    world.advance(30)
    told = sfn.describe_execution(executionArn=execution)
    assert (told["status"], seconds(told), "error" in told, "cause" in told) == ("TIMED_OUT", 3, False, False)


class TestTokens:
    """A task that is told its token sends heartbeats, or says itself how it ended."""

    def waiting(self, world, made, **more):
        machine = made({}, environment={"LOCAL_AWS_OUTCOME": "hang"}, parameters=TOLD, **more)
        execution = machine.start()
        world.advance(10)
        (task,) = world.ecs.list_tasks(family=machine.family)["taskArns"]
        (override,) = world.task(task)["overrides"]["containerOverrides"]
        return machine, execution, override["environment"][0]["value"]

    def test_without_heartbeats_it_times_out(self, world, made):
        machine, execution, token = self.waiting(world, made, HeartbeatSeconds=60)
        for _ in range(3):
            world.advance(40)
            machine.sfn.send_task_heartbeat(taskToken=token)
        world.advance(59)
        assert machine.told(execution)["status"] == "RUNNING"
        world.advance(1)
        assert machine.told(execution)["error"] == "States.HeartbeatTimeout"
        with refused("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'"):
            machine.sfn.send_task_heartbeat(taskToken=token)

    def test_a_missed_heartbeat_is_caught_as_a_timeout(self, world, made):
        caught = {"Done": {"Type": "Succeed"}}
        catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Done"}]
        machine = made(caught, parameters=TOLD, HeartbeatSeconds=1, Catch=catch)
        execution = machine.start()
        world.advance(10)
        assert machine.told(execution)["status"] == "SUCCEEDED"

    @pytest.mark.parametrize("resource", [SYNC, SYNC.replace(".sync", ".waitForTaskToken")])
    def test_it_says_that_it_is_done(self, world, made, resource):
        machine, execution, token = self.waiting(world, made, Resource=resource)
        machine.sfn.send_task_success(taskToken=token, output='{"rows": 3}')
        world.advance(1)
        assert json.loads(machine.told(execution)["output"]) == {"rows": 3}
        assert len(world.ecs.list_tasks(family=machine.family)["taskArns"]) == 1  # nobody stopped it

    def test_what_it_says_must_be_json(self, world, made):
        machine, execution, token = self.waiting(world, made)
        with refused("InvalidOutput", "Invalid Output: 'Expecting value: line 1 column 1 (char 0)'"):
            machine.sfn.send_task_success(taskToken=token, output="done")
        assert machine.told(execution)["status"] == "RUNNING"

    def test_it_says_that_it_failed(self, world, made):
        machine, execution, token = self.waiting(world, made, Resource=SYNC.replace(".sync", ".waitForTaskToken"))
        machine.sfn.send_task_failure(taskToken=token, error="NoRows", cause="the file is empty")
        told = machine.told(execution)
        assert (told["status"], told["error"], told["cause"]) == ("FAILED", "NoRows", "the file is empty")

    def test_a_token_that_is_none_is_refused(self, world):
        with refused("InvalidToken", "Invalid Token: Invalid token"):
            world.client("stepfunctions").send_task_heartbeat(taskToken="x")


class TestItsRole:
    """Every call is made in the machine's role's name, and judged."""

    def test_a_refused_run_is_ecss_exception(self, world, made):
        machine = made({}, allowed=[allow("ecs:RunTask", "*", effect="Deny")])
        execution = machine.start()
        world.advance(1)
        told = machine.told(execution)
        assert told["error"] == "ECS.AccessDeniedException"
        assert (
            f"is not authorized to perform: ecs:RunTask on resource: {arn('task-definition/' + machine.family)}:1"
            in (told["cause"])
        )

    def test_a_role_that_lets_nobody_in_any_more_is_states_permissions(self, world, made):
        machine = made({})
        role = machine.sfn.describe_state_machine(stateMachineArn=machine.arn)["roleArn"]
        world.iam.update_assume_role_policy(
            RoleName=role.rpartition("/")[2], PolicyDocument=document(trusting("events.amazonaws.com"))
        )
        execution = machine.start()
        world.advance(1)
        assert machine.told(execution)["error"] == "States.Permissions"

    @pytest.mark.parametrize("may", [True, False])
    def test_listing_tasks_is_judged_by_its_cluster(self, world, made, may):
        cluster = arn(f"cluster/{'default' if may else 'other'}")
        lists = allow("ecs:ListTasks", "*", {"ArnEquals": {"ecs:cluster": cluster}})
        states = {
            "Look": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:ecs:listTasks",
                "Parameters": {"Cluster": arn("cluster/default"), "Family": "nobody"},
                "End": True,
            }
        }
        machine = made(states, "Look", allowed=[lists])
        execution = machine.start()
        world.advance(1)
        told = machine.told(execution)
        if may:
            assert json.loads(told["output"]) == {"TaskArns": []}
        else:
            assert told["error"] == "Ecs.AccessDeniedException"

    @pytest.mark.parametrize("may", [True, False])
    def test_publishing_is_judged_by_its_topic(self, world, made, may):
        sns, sqs = world.client("sns"), world.client("sqs")
        topic = sns.create_topic(Name=world.name("topic"))["TopicArn"]
        url = sqs.create_queue(QueueName=world.name("queue"))["QueueUrl"]
        queue = arn(url.rsplit("/", 1)[1], "sqs")
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        tell = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Parameters": {"TopicArn": topic, "Subject.$": "$$.Execution.Name", "Message.$": "$"},
            "End": True,
        }
        machine = made({"Tell": tell}, "Tell", allowed=[allow("sns:Publish", topic if may else f"{topic}-other")])
        execution = machine.start({"exit": 3}, name=world.name("night"))
        world.advance(1)
        told, messages = machine.told(execution), sqs.receive_message(QueueUrl=url).get("Messages", [])
        if may:
            (message,) = [json.loads(one["Body"]) for one in messages]
            assert (message["Subject"], json.loads(message["Message"])) == (told["name"], {"exit": 3})
            assert message["Timestamp"][:16] == told["stopDate"].strftime("%Y-%m-%dT%H:%M")  # by the clock
            assert set(json.loads(told["output"])) == {"MessageId", "SdkHttpMetadata", "SdkResponseMetadata"}
        else:
            assert (told["error"], messages) == ("SNS.AuthorizationErrorException", [])


def test_nothing_is_sent_to_another_machine(world, made):
    sns = world.client("sns")
    topic = sns.create_topic(Name=world.name("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://example.com/told")
    sns.publish(TopicArn=topic, Message="x")
    assert "https://example.com/told is not this machine: the local AWS sends nothing there" in world.log


def test_throttling_is_the_exception_that_ecss_model_does_not_have(world, made):
    process.settings(world.server, throttle={"ecs:RunTask": 1})
    machine = made({}, Retry=[{"ErrorEquals": ["ECS.AmazonECSException"], "IntervalSeconds": 5, "MaxAttempts": 1}])
    execution = machine.start()
    world.advance(60)
    told = machine.told(execution)
    assert (told["status"], seconds(told)) == ("SUCCEEDED", pytest.approx(5 + 1.7))


def test_want_of_capacity_can_have_the_other_name(world, made):
    process.settings(world.server, fargate="no-capacity", placement_error="ECS.AmazonECSException")
    machine = made({})
    execution = machine.start()
    world.advance(1)
    assert machine.told(execution)["error"] == "ECS.AmazonECSException"


def test_a_task_that_never_started_is_a_failed_task(world, made):
    machine = made({}, environment={"LOCAL_AWS_OUTCOME": "image-not-found"})
    execution = machine.start()
    world.advance(60)
    told = machine.told(execution)
    assert told["error"] == "States.TaskFailed"
    assert json.loads(told["cause"])["StopCode"] == "TaskFailedToStart"
    assert "ExitCode" not in json.loads(told["cause"])["Containers"][0]


def test_jitter_waits_a_part_of_the_pause(world, made):
    process.settings(world.server, fargate={"no-capacity": 2})
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1000, "BackoffRate": 1, "JitterStrategy": "FULL"}
    machine = made({}, Retry=[retry])
    execution = machine.start()
    world.advance("1h")
    first, second, third = (e["timestamp"] for e in machine.history(execution) if e["type"] == "TaskScheduled")
    pauses = [(second - first).total_seconds(), (third - second).total_seconds()]
    assert all(0 <= pause < 1000 for pause in pauses)
    assert pauses[0] != pauses[1]


def test_branches_run_side_by_side_and_one_that_fails_stops_the_others(world, made):
    slow = {"StartAt": "Slow", "States": {"Slow": {"Type": "Wait", "Seconds": 60, "End": True}}}
    quick = {"StartAt": "Quick", "States": {"Quick": {"Type": "Pass", "Result": 7, "End": True}}}
    bad = {"StartAt": "Bad", "States": {"Bad": {"Type": "Fail", "Error": "Bad", "Cause": "on purpose"}}}
    both = {"Both": {"Type": "Parallel", "Branches": [slow, quick], "End": True}}
    good = made(both, "Both")
    execution = good.start({"a": 1})
    broken = made({"Both": {**both["Both"], "Branches": [slow, bad]}}, "Both")
    failing = broken.start()
    world.advance(61)
    told = good.told(execution)
    assert (json.loads(told["output"]), seconds(told)) == ([{"a": 1}, 7], 60)
    failed = broken.told(failing)
    assert (failed["status"], failed["error"], seconds(failed)) == ("FAILED", "Bad", 0)
    assert "WaitStateAborted" in broken.kinds(failing)


MAP = {"Type": "Map", "ItemProcessor": {"StartAt": "x", "States": {"x": {"Type": "Succeed"}}}, "End": True}
KEPT = {"Type": "Pass", "Assign": {"tries": 1}, "End": True}


@pytest.mark.parametrize(("state", "words"), [(MAP, "runs no Map state."), (KEPT, "keeps no variables (Assign).")])
def test_what_is_not_understood_fails_and_says_so(world, made, state, words):
    machine = made({"Each": state}, "Each")
    execution = machine.start()
    world.advance(1)
    told = machine.told(execution)
    assert (told["status"], told["error"]) == ("FAILED", "States.Runtime")
    assert told["cause"] == f"State 'Each': the local AWS {words}"


def test_a_machine_that_goes_round_for_ever_ends_at_awss_limit(world, made):
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}
    machine = made(states, "A")
    execution = machine.start()
    world.advance(1)
    told = machine.told(execution)
    assert (told["status"], told["cause"]) == (
        "FAILED",
        "The execution reached the maximum number of history events (25000).",
    )


def test_a_running_execution_keeps_the_definition_it_began_with(world, made):
    machine = made({"Later": {"Type": "Wait", "Seconds": 60, "Next": "Run"}}, "Later")
    execution = machine.start()
    world.advance(30)
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    machine.sfn.update_state_machine(stateMachineArn=machine.arn, definition=definition)
    world.advance(60)
    assert machine.told(execution)["status"] == "SUCCEEDED"
    assert len(machine.definitions()) == 1


def test_executions_are_forgotten_after_90_days(world, made):
    machine = made({})
    execution = machine.start()
    world.advance("90d")
    assert machine.told(execution)["status"] == "SUCCEEDED"
    world.advance("1h")
    with refused("ExecutionDoesNotExist", f"Execution Does Not Exist: '{execution}'"):
        machine.told(execution)


def test_a_history_has_pages_and_two_directions_and_may_leave_out_the_data(world, made):
    machine = made({})
    execution = machine.start()
    world.advance(10)
    page = machine.sfn.get_execution_history(executionArn=execution, maxResults=3, reverseOrder=True)
    assert [event["id"] for event in page["events"]] == [8, 7, 6]
    assert page["nextToken"]
    plain = machine.sfn.get_execution_history(executionArn=execution, includeExecutionData=False)["events"]
    assert "input" not in plain[0]["executionStartedEventDetails"]
    assert plain[0]["executionStartedEventDetails"]["roleArn"]


def test_versions_are_listed_newest_first(world, made):
    machine = made({})
    listed = machine.sfn.list_state_machine_versions(stateMachineArn=machine.arn)
    assert listed["stateMachineVersions"] == []
    for _ in range(2):
        machine.sfn.update_state_machine(
            stateMachineArn=machine.arn,
            definition=machine.sfn.describe_state_machine(stateMachineArn=machine.arn)["definition"],
            publish=True,
        )
    listed = machine.sfn.list_state_machine_versions(stateMachineArn=machine.arn)["stateMachineVersions"]
    assert [one["stateMachineVersionArn"] for one in listed] == [f"{machine.arn}:2", f"{machine.arn}:1"]


class TestAContainersHeartbeats:
    def machine(self, world, made, granted="states:SendTask*", resource=SYNC, **environment):
        said = {"LOCAL_AWS_OUTCOME": "hang", "LOCAL_AWS_HEARTBEAT": "30", "LOCAL_AWS_SECONDS": "300", **environment}
        role = world.role(allow(granted, "*"))
        told = json.loads(json.dumps(TOLD))
        told["Overrides"]["TaskRoleArn"] = role
        passes = allow("iam:PassRole", role)
        more = {"Resource": resource, "HeartbeatSeconds": 60}
        return made({}, environment=said, allowed=[passes], parameters=told, **more), role

    def test_a_task_that_hangs_is_missed_within_the_heartbeat_and_not_before(self, world, made):
        machine, role = self.machine(world, made)
        execution = machine.start()
        world.advance("1h")
        told = machine.told(execution)
        assert told["error"] == "States.HeartbeatTimeout"
        assert seconds(told) == pytest.approx(0.5 + 300 + 60)  # it runs, sends its last, and is given up
        beats = [one for one in world.trail("SendTaskHeartbeat") if role in json.dumps(one)]
        assert len(beats) == 10

    def test_a_task_that_works_is_not_given_up(self, world, made):
        machine, _ = self.machine(world, made, LOCAL_AWS_OUTCOME="exit", LOCAL_AWS_SECONDS="300")
        execution = machine.start()
        world.advance("1h")
        assert machine.told(execution)["status"] == "SUCCEEDED"

    def test_without_leave_it_sends_none(self, world, made):
        machine, _ = self.machine(world, made, granted="states:SendTaskSuccess")
        execution = machine.start()
        world.advance("1h")
        assert seconds(machine.told(execution)) == 60
        assert "is not authorized to perform: states:SendTaskHeartbeat on resource: " + machine.arn in world.log


def test_those_that_run_are_listed_by_their_start_and_others_by_their_stop(world, made):
    machine = made({"Later": {"Type": "Wait", "SecondsPath": "$.wait", "End": True}}, "Later")
    slow, running, quick = (world.name("night") for _ in range(3))
    for name, wait in ((slow, 100), (running, 9999), (quick, 10)):
        machine.start({"wait": wait}, name=name)
        world.advance(1)
    world.advance(200)
    listed = machine.sfn.list_executions(stateMachineArn=machine.arn)["executions"]
    assert [one["name"] for one in listed] == [slow, quick, running]


def test_an_execution_of_a_deleted_machine_ends_at_its_next_transition(world, made):
    machine = made({"Later": {"Type": "Wait", "Seconds": 60, "Next": "Run"}}, "Later")
    machine.start()
    world.advance(30)
    machine.sfn.delete_state_machine(stateMachineArn=machine.arn)
    world.advance("1h")
    assert machine.definitions() == []


def test_a_name_that_another_definition_has_is_taken_and_another_role_makes_no_difference(world):
    sfn, role = world.client("stepfunctions"), world.role(trust=trusting(STATES))
    name = world.name("machine")
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    made = sfn.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
    other = world.role(trust=trusting(STATES))
    assert sfn.create_state_machine(name=name, definition=definition, roleArn=other)["stateMachineArn"] == made
    with refused("StateMachineAlreadyExists", f"State Machine Already Exists: '{made}'"):
        sfn.create_state_machine(name=name, definition=definition.replace("Done", "End"), roleArn=role)


def test_an_express_machine_has_no_history(world):
    sfn, role = world.client("stepfunctions"), world.role(trust=trusting(STATES))
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    machine = sfn.create_state_machine(name=world.name("m"), definition=definition, roleArn=role, type="EXPRESS")
    started = sfn.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]
    with refused("StateMachineTypeNotSupported", "State machine type is not supported."):
        sfn.list_executions(stateMachineArn=machine["stateMachineArn"])
    with refused("StateMachineTypeNotSupported", "State machine type is not supported."):
        sfn.get_execution_history(executionArn=started)


@pytest.mark.parametrize("code", [0, 3])
def test_a_container_that_is_waited_for_by_its_token_alone_says_how_it_ended(world, made, code):
    machine, _ = TestAContainersHeartbeats().machine(
        world,
        made,
        resource=SYNC.replace(".sync", ".waitForTaskToken"),
        LOCAL_AWS_OUTCOME="exit",
        LOCAL_AWS_EXIT_CODE=str(code),
    )
    execution = machine.start()
    world.advance("1h")
    told = machine.told(execution)
    assert (told["status"], told.get("error")) == (("FAILED", "ExitCode.3") if code else ("SUCCEEDED", None))
    assert seconds(told) == pytest.approx(0.5 + 300)


def test_a_role_may_trust_for_this_machine_alone(world):
    sfn, name = world.client("stepfunctions"), world.name("machine")
    mine = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    mine["ArnLike"] = {"aws:SourceArn": arn(f"stateMachine:{name}", "states")}
    role = world.role(trust=trusting(STATES, mine))
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    assert sfn.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
    message = (
        "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume the "
        "provided role."
    )
    with refused("AccessDeniedException", message):
        sfn.create_state_machine(name=f"{name}-other", definition=definition, roleArn=role)


def test_a_version_and_an_alias_run_what_they_stand_for(world, made):
    machine = made({"Old": {"Type": "Pass", "Result": "old", "End": True}}, "Old")
    new = json.dumps({"StartAt": "New", "States": {"New": {"Type": "Pass", "Result": "new", "End": True}}})
    same = machine.sfn.describe_state_machine(stateMachineArn=machine.arn)["definition"]
    asked = {"stateMachineArn": machine.arn, "definition": same, "publish": True}
    old = machine.sfn.update_state_machine(**asked)["stateMachineVersionArn"]
    machine.sfn.update_state_machine(stateMachineArn=machine.arn, definition=new)
    routes = [{"stateMachineVersionArn": old, "weight": 100}]
    alias = machine.sfn.create_state_machine_alias(name="live", routingConfiguration=routes)["stateMachineAliasArn"]
    started = [machine.sfn.start_execution(stateMachineArn=one)["executionArn"] for one in (machine.arn, old, alias)]
    world.advance(1)
    assert [json.loads(machine.told(one)["output"]) for one in started] == ["new", "old", "old"]


def test_what_is_too_large_ends_the_execution_and_nothing_catches_it(world, made):
    grows = {
        "Type": "Parallel",
        "Branches": [{"StartAt": "In", "States": {"In": {"Type": "Pass", "End": True}}}] * 3,
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
        "End": True,
    }
    machine = made({"Grow": grows, "Caught": {"Type": "Succeed"}}, "Grow")
    execution = machine.start({"text": "x" * 100_000})
    world.advance(1)
    told = machine.told(execution)
    assert (told["status"], told["error"]) == ("FAILED", "States.DataLimitExceeded")


class TestJsonata:
    """AWS docs, "Transforming data with JSONata": Arguments go in, Output comes out."""

    def machine(self, world, states, start="Run"):
        family = world.register()["family"]
        run = {
            "Type": "Task",
            "Resource": SYNC,
            "Arguments": {
                "Cluster": "default",
                "TaskDefinition": "{% $states.input.family %}",
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": [world.subnet]}},
            },
            "Output": {
                "code": "{% $states.result.Containers[0].ExitCode %}",
                "who": "{% $states.context.State.Name %}",
            },
            "Next": "Wait",
        }
        states = {"Run": run, **states}
        definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": start, "States": states})
        role = world.role(allow("ecs:RunTask", "*"), WATCHES, trust=trusting(STATES))
        sfn = world.client("stepfunctions")
        made = sfn.create_state_machine(name=world.name("machine"), definition=definition, roleArn=role)
        given = json.dumps({"family": family, "pause": 60, "really": True})
        execution = sfn.start_execution(stateMachineArn=made["stateMachineArn"], input=given)["executionArn"]
        world.advance("1h")
        return sfn.describe_execution(executionArn=execution)

    def test_its_paths_are_worked_out(self, world):
        states = {
            "Wait": {"Type": "Wait", "Seconds": 60, "Next": "End"},
            "End": {"Type": "Succeed"},
        }
        told = self.machine(world, states)
        assert json.loads(told["output"]) == {"code": 0, "who": "Run"}
        assert seconds(told) == pytest.approx(1.7 + 60)

    def test_choices_and_catches_take_them_too(self, world):
        states = {
            "Which": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input.really %}", "Next": "Pause"}],
                "Default": "End",
            },
            "Pause": {"Type": "Wait", "Seconds": "{% $states.input.pause %}", "Next": "Bad"},
            "Bad": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:ecs:stopTask",
                "Arguments": {"Task": "x"},
                "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput.Error %}", "Next": "End"}],
                "End": True,
            },
            "Wait": {"Type": "Wait", "Seconds": 1, "Next": "End"},
            "End": {"Type": "Succeed"},
        }
        told = self.machine(world, states, "Which")
        assert (json.loads(told["output"]), seconds(told)) == ("Ecs.AccessDeniedException", 60)

    @pytest.mark.parametrize(
        ("expression", "words"),
        [
            ("{% $sum([1, 2]) %}", "The local AWS does not work out the JSONata '$sum([1, 2])'."),
            ("{% $states.input.gone %}", "The JSONata expression '$states.input.gone' returned nothing (undefined)."),
        ],
    )
    def test_what_cannot_be_worked_out_fails_the_state(self, world, expression, words):
        states = {"Wait": {"Type": "Succeed"}, "Bad": {"Type": "Pass", "Output": expression, "End": True}}
        told = self.machine(world, states, "Bad")
        assert (told["status"], told["error"], told["cause"]) == ("FAILED", "States.QueryEvaluationError", words)


class TestWhatIsToldOfIt:
    """AWS docs, "Automating event delivery with EventBridge": an event for each change of an execution's status."""

    def rule(self, world, pattern, target):
        name = world.name("rule")
        world.events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        world.events.put_targets(Rule=name, Targets=[{"Id": "1", **target}])
        return name

    def test_a_rule_hears_of_one_that_failed(self, world, made):
        sqs = world.client("sqs")
        url = sqs.create_queue(QueueName=world.name("heard"))["QueueUrl"]
        machine = made({"Bad": {"Type": "Fail", "Error": "Bad", "Cause": "on purpose"}}, "Bad")
        pattern = {"source": ["aws.states"], "detail": {"status": ["FAILED"], "stateMachineArn": [machine.arn]}}
        self.rule(world, pattern, {"Arn": arn(url.rsplit("/", 1)[1], "sqs")})
        execution = machine.start({"a": 1})
        world.advance(1)
        (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
        event, told = json.loads(message["Body"]), machine.told(execution)
        assert (event["detail-type"], event["resources"]) == ("Step Functions Execution Status Change", [execution])
        detail = event["detail"]
        assert (detail["executionArn"], detail["name"], detail["input"]) == (execution, told["name"], '{"a": 1}')
        assert (detail["error"], detail["cause"], detail["output"]) == ("Bad", "on purpose", None)
        assert detail["stopDate"] == round(told["stopDate"].timestamp() * 1000)

    def test_a_machine_that_starts_itself_does_so_a_few_times_only(self, world, made):
        machine = made({"Done": {"Type": "Succeed"}}, "Done")
        role = world.role(allow("states:StartExecution", machine.arn), trust=trusting("events.amazonaws.com"))
        pattern = {"source": ["aws.states"], "detail": {"status": ["SUCCEEDED"], "stateMachineArn": [machine.arn]}}
        name = self.rule(world, pattern, {"Arn": machine.arn, "RoleArn": role, "Input": "{}"})
        machine.start()
        world.advance(60)
        world.events.disable_rule(Name=name)
        assert len(machine.sfn.list_executions(stateMachineArn=machine.arn)["executions"]) == 6

    def test_nor_does_one_whose_tasks_start_it(self, world, made):
        machine = made({})
        role = world.role(allow("states:StartExecution", machine.arn), trust=trusting("events.amazonaws.com"))
        family = [{"prefix": arn(f"task-definition/{machine.family}:")}]
        pattern = {"source": ["aws.ecs"], "detail": {"lastStatus": ["STOPPED"], "taskDefinitionArn": family}}
        name = self.rule(world, pattern, {"Arn": machine.arn, "RoleArn": role, "Input": "{}"})
        machine.start()
        world.advance("1h")
        world.events.disable_rule(Name=name)
        assert len(machine.definitions()) == 6


def test_what_the_local_aws_itself_fails_at_ends_the_execution_once(world, made):
    tell = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {"TopicArn": arn("topic", "sns"), "Message": "x", "MessageAttributes": "no object"},
        "TimeoutSeconds": 60,
        "End": True,
    }
    machine = made({"Tell": tell}, "Tell")
    execution = machine.start()
    world.advance("1h")
    told = machine.told(execution)
    assert (told["status"], told["error"], seconds(told)) == ("FAILED", "States.Runtime", 0)
    assert told["cause"].startswith("The local AWS failed: ")
    assert machine.kinds(execution)[-1] == "ExecutionFailed"


def test_seconds_that_are_none_fail_the_state_before_it_calls(world, made):
    machine = made({}, TimeoutSecondsPath="$.most")
    execution = machine.start({"most": "an hour"})
    world.advance("2h")
    told = machine.told(execution)
    assert (told["error"], told["cause"]) == (
        "States.Runtime",
        "State 'Run': TimeoutSeconds is 'an hour', and no number of seconds.",
    )
    assert machine.definitions() == []


@pytest.mark.parametrize(("gap", "tasks"), [(0, 2), (1, 1)])
def test_who_asks_first_whether_a_task_runs_is_not_safe_from_who_asks_at_the_same_moment(world, made, gap, tasks):
    """Asking and running are two calls: between them another execution may ask too."""
    looks = allow("ecs:ListTasks", "*")
    machine = made({}, environment={"LOCAL_AWS_SECONDS": "60"}, allowed=[looks])
    run = json.loads(machine.sfn.describe_state_machine(stateMachineArn=machine.arn)["definition"])["States"]["Run"]
    look = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ecs:listTasks",
        "Parameters": {"Cluster": arn("cluster/default"), "Family": machine.family},
        "Next": "Which",
    }
    running = {"Variable": "$.TaskArns[0]", "IsPresent": True, "Next": "Skipped"}
    states = {
        "Look": look,
        "Which": {"Type": "Choice", "Choices": [running], "Default": "Run"},
        "Skipped": {"Type": "Succeed"},
        "Run": run,
    }
    definition = json.dumps({"StartAt": "Look", "States": states})
    machine.sfn.update_state_machine(stateMachineArn=machine.arn, definition=definition)
    starting = world.role(allow("states:StartExecution", machine.arn), trust=trusting("scheduler.amazonaws.com"))
    name, scheduler = world.name("schedule"), world.client("scheduler")
    process.settings(world.server, deliver_twice={name: 1}, second_delivery_seconds=gap)
    at = (datetime.fromisoformat(world.now) + timedelta(minutes=5)).strftime("at(%Y-%m-%dT%H:%M:00)")
    target = {"Arn": machine.arn, "RoleArn": starting}
    scheduler.create_schedule(Name=name, ScheduleExpression=at, FlexibleTimeWindow={"Mode": "OFF"}, Target=target)
    world.advance("10m")
    assert len(machine.sfn.list_executions(stateMachineArn=machine.arn)["executions"]) == 2
    assert len(machine.definitions()) == tasks
