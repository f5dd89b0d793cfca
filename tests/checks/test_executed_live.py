"""
State machines that run their task again, on a local AWS where they really do: what a check says of each.

Their shape is that which the Step Functions developer guide gives ("Handling errors", "Run Amazon ECS or Fargate
tasks"): start failures are retried, a listed exit code waits and runs again, everything else is told and fails.
"""

import json

import pytest
from local_world import allow, arn, trusting
from scheduled_world import ScheduledWorld

from ecs_runbook.checks.check import check
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.local_aws import process

SCHEDULER, STATES = "scheduler.amazonaws.com", "states.amazonaws.com"
WATCHED = arn("rule/StepFunctionsGetEventsForECSTaskRule", "events")
SYNC, SDK = "arn:aws:states:::ecs:runTask.sync", "arn:aws:states:::aws-sdk:ecs"
START = ["AmazonECS.Unknown", "ECS.AmazonECSException", "ECS.ServerException", "ECS.ThrottlingException"]
RUN_INPUT = {"run": "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>"}
CODE = "$.task.Containers[0].ExitCode"


class Retried(ScheduledWorld):
    """Schedules through machines, each with a family and roles of its own."""

    def __init__(self, server):
        super().__init__(server)
        self.states, self.sns = self.client("stepfunctions"), self.client("sns")
        self.topic = self.sns.create_topic(Name="lost")["TopicArn"]

    def retried(self, name, expression, *, skips=False, timeout=3600, **environment):
        """A schedule, its machine, and all that they may."""
        self.define(name, **environment)
        cluster = arn("cluster/default")
        run = {
            "Type": "Task",
            "Resource": SYNC,
            "TimeoutSeconds": timeout,
            "Parameters": {
                "Cluster": cluster,
                "TaskDefinition": arn(f"task-definition/{name}"),
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": [self.subnet]}},
            },
            "ResultPath": None,
            "Retry": [{"ErrorEquals": START, "IntervalSeconds": 30, "BackoffRate": 2, "MaxAttempts": 5}],
            "Catch": [
                {"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.failed", "Next": "Code"},
                {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failed", "Next": "Tell"},
            ],
            "Next": "Done",
        }
        again = [
            {"Variable": CODE, "IsPresent": True},
            {"Variable": CODE, "NumericEquals": 3},
            {"Variable": "$.tries", "NumericLessThanEquals": 2},
        ]
        code = {
            "run.$": "$.run",
            "failed.$": "$.failed",
            "tries.$": "States.MathAdd($.tries, 1)",
            "task.$": "States.StringToJson($.failed.Cause)",
        }
        message = {"TopicArn": self.topic, "Subject": "lost", "Message.$": "$.failed.Cause"}
        look = {"Cluster": cluster, "Family": name, "DesiredStatus": "RUNNING"}
        running = {"Variable": "$.running.TaskArns[0]", "IsPresent": True, "Next": "Done"}
        states = {
            "Begin": {"Type": "Pass", "Result": 0, "ResultPath": "$.tries", "Next": "Look" if skips else "Run"},
            "Run": run,
            "Code": {"Type": "Pass", "Parameters": code, "Next": "Which"},
            "Which": {"Type": "Choice", "Choices": [{"And": again, "Next": "Pause"}], "Default": "Tell"},
            "Pause": {"Type": "Wait", "Seconds": 60, "Next": "Run"},
            "Tell": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Parameters": message,
                "ResultPath": None,
                "Next": "Failed",
            },
            "Failed": {"Type": "Fail", "ErrorPath": "$.failed.Error", "CausePath": "$.failed.Cause"},
            "Done": {"Type": "Succeed"},
        }
        looking = {"Type": "Task", "Resource": f"{SDK}:listTasks", "Parameters": look, "ResultPath": "$.running"}
        skip = {"Type": "Choice", "Choices": [running], "Default": "Run"}
        states |= {"Look": looking | {"Next": "Skip?"}, "Skip?": skip} if skips else {}
        may = [
            allow("ecs:RunTask", f"{arn(f'task-definition/{name}')}:*", {"ArnEquals": {"ecs:cluster": cluster}}),
            allow(["ecs:StopTask", "ecs:DescribeTasks"], "*"),
            allow("ecs:ListTasks", "*", {"ArnEquals": {"ecs:cluster": cluster}}),
            allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], WATCHED),
            allow("sns:Publish", self.topic),
        ]
        machine = self.states.create_state_machine(
            name=name,
            definition=json.dumps({"StartAt": "Begin", "States": states}),
            roleArn=self.role(*may, trust=trusting(STATES)),
        )["stateMachineArn"]
        queue = arn(f"{name}-lost", "sqs")
        self.sqs.create_queue(QueueName=f"{name}-lost")
        starts = [allow("states:StartExecution", machine), allow("sqs:SendMessage", queue)]
        target = {
            "Arn": machine,
            "RoleArn": self.role(*starts, trust=trusting(SCHEDULER)),
            "Input": json.dumps(RUN_INPUT),
            "RetryPolicy": {"MaximumRetryAttempts": 10, "MaximumEventAgeInSeconds": 3600},
            "DeadLetterConfig": {"Arn": queue},
        }
        self.schedule(name, expression, "", target=target)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A day of machines; the clock stands in the evening."""
    folder = tmp_path_factory.mktemp("local-aws")
    world = Retried(process.start(folder))
    world.retried("comes-right", "cron(0 9 * * ? *)", LOCAL_AWS_EXIT_CODE="3,3,0")
    world.retried("fails", "cron(0 9 * * ? *)", LOCAL_AWS_EXIT_CODE=3)
    world.retried("fails-otherwise", "cron(0 9 * * ? *)", LOCAL_AWS_EXIT_CODE=1)
    world.retried("hangs", "cron(0 9 * * ? *)", timeout=600, LOCAL_AWS_OUTCOME="hang")
    world.retried("deployed", "cron(0 10 * * ? *)", LOCAL_AWS_EXIT_CODE="3", LOCAL_AWS_SECONDS=30)
    world.retried("no-capacity", "cron(0 11 * * ? *)")
    world.retried("twice", "cron(0 12 * * ? *)", LOCAL_AWS_SECONDS=120)
    world.retried("twice-skipped", "cron(0 12 * * ? *)", skips=True, LOCAL_AWS_SECONDS=120)
    world.retried("slow", "cron(0/10 13 * * ? *)", skips=True, LOCAL_AWS_SECONDS=900)
    world.retried("tried-still", "cron(58 17 * * ? *)", LOCAL_AWS_EXIT_CODE="3,3,0", LOCAL_AWS_SECONDS=90)
    world.go(0, 10, 0, 40)
    world.define("deployed")  # a revision that exits with 0
    world.go(0, 10, 59)
    process.settings(world.server, fargate={"no-capacity": 3})
    world.go(0, 11, 59)
    process.settings(world.server, deliver_twice={"twice": 1, "twice-skipped": 1})
    world.go(0, 18)
    yield world
    process.stop(folder)


@pytest.fixture(scope="module")
def checked(world):
    places = fleet(world.aws)
    return check(places, take_inventory(places), since=world.at(0), until=world.aws.now())


def test_every_machine_is_looked_at(checked):
    assert len(checked.inventory.rows) == 10
    assert list(checked.inventory.gaps) == []
    assert all(row.machine.tells for row in checked.inventory.rows)


EXPECTED = {
    "comes-right": set(),
    "fails": {"runs-succeeded"},
    "fails-otherwise": {"runs-succeeded"},
    "hangs": {"runs-succeeded"},
    "deployed": set(),
    "no-capacity": set(),
    "twice": {"runs-duplicate"},
    "twice-skipped": set(),
    "slow": {"schedule-overlap"},  # a note: what it meets is skipped
    "tried-still": set(),
}


@pytest.mark.parametrize("subject", EXPECTED)
def test_what_is_wrong_is_said_and_nothing_else(checked, subject):
    own = [one for one in checked.findings if one.subject == subject]
    assert {one.check: one.because for one in own if one.status == "SKIP"} == {}
    wrong = {one.check: one.because for one in own if one.status == "NG"}
    assert set(wrong) == EXPECTED[subject], wrong


def because(checked, subject, check):
    (found,) = [one.because for one in checked.findings if (one.subject, one.check) == (subject, check)]
    return found


def attempts(checked, subject, *columns):
    own = checked.runs[checked.runs["subject"] == subject]
    return [tuple(row) for row in own[["attempt", *columns]].itertuples(index=False)]


def test_the_table_has_the_attempts_of_each_run(checked):
    assert attempts(checked, "comes-right", "exit_code", "state") == [
        (1, 3, "LATEST"), (2, 3, "LATEST"), (3, 0, "LATEST"),
    ]  # fmt: skip
    assert attempts(checked, "deployed", "executed", "latest", "exit_code") == [(1, 1, 1, 3), (2, 2, 2, 0)]
    assert attempts(checked, "no-capacity", "status") == [
        (1, "FAILED TO START"), (2, "FAILED TO START"), (3, "FAILED TO START"), (4, "STOPPED"),
    ]  # fmt: skip
    grouped = checked.runs[checked.runs["subject"] == "comes-right"]
    assert grouped["run"].nunique() == 1
    assert checked.runs[checked.runs["subject"] == "twice"]["run"].nunique() == 2


def test_the_words_say_what_happened(checked):
    assert because(checked, "comes-right", "runs-succeeded") == (
        "1 run ended with exit code 0; 1 of them took more than one attempt"
    )
    assert "with exit code 3 after 3 attempts: " in because(checked, "fails", "runs-succeeded")
    assert "with exit code 1: " in because(checked, "fails-otherwise", "runs-succeeded")
    assert "States.Timeout" in because(checked, "hangs", "runs-succeeded")
    # whether AWS stops a task whose state has timed out is not verified: ECS says how it stands
    assert because(checked, "hangs", "runs-succeeded").endswith("; its task is RUNNING still")
    assert because(checked, "twice", "runs-duplicate").startswith("started more than once at 2027-01-04 12:00 UTC")
    assert because(checked, "twice-skipped", "runs-duplicate") == (
        "no firing ran more than once; 1 second delivery ran no task, since one ran already"
    )
    assert because(checked, "slow", "runs-missed") == (
        "all 6 firings that were due left their trace; 3 of them ran no task, since one ran already: due at"
        " 2027-01-04 13:10, 2027-01-04 13:30, 2027-01-04 13:50 UTC"
    )


def test_each_state_machine_is_asked_once_and_each_execution_once(checked):
    assert checked.calls["states:ListExecutions"] == 10
    assert checked.calls["states:GetExecutionHistory"] == 9 + 2 + 6 - 1 + 1
