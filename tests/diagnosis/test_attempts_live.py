"""Why a schedule's state machine failed, on the local AWS: each attempt explained, and what a later one made good."""

from datetime import UTC, datetime, timedelta

import pytest
from schedules_yard import GROUP, Yard, allow

from ecs_runbook.diagnosis.failures import failures
from ecs_runbook.local_aws import process
from ecs_runbook.session import Pace, connect
from ecs_runbook.verdicts.failures import judge_failures

BEGIN = datetime(2027, 1, 4, 9, tzinfo=UTC)
PACE = Pace(settle_seconds=0, poll_seconds=5, lookups_per_second=1000, patience_seconds=1800, published_rates=False)
SERVICES = ("ecs", "sqs", "cloudtrail", "events", "scheduler", "stepfunctions", "iam")
NAMED = {"run": "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>"}
RETRY = [
    {"ErrorEquals": ["AmazonECS.Unknown"], "IntervalSeconds": 60, "MaxAttempts": 3, "BackoffRate": 1},
    {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 60, "MaxAttempts": 2, "BackoffRate": 1},
]


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
    aws = connect("local", endpoint=server.url)
    aws.client("scheduler").create_schedule_group(Name=GROUP)
    return aws


@pytest.fixture
def explained(aws, server):
    """Make a schedule that fires once, in a minute; move the clock through all that comes of it, and explain that."""

    def look(name, *, fargate=None, more=None, **how):
        yard, since = Yard(aws), aws.now()
        due = since.replace(second=0, microsecond=0) + timedelta(minutes=2)
        label = yard.of_a_machine(name, given=NAMED, expression=f"at({due:%Y-%m-%dT%H:%M:%S})", target=more, **how)
        if fargate:
            process.settings(server, fargate=fargate)
        process.clock(server, advance="40m")
        return failures(schedule=label, since=since, until=aws.now(), pace=PACE, **aws.clients(*SERVICES))

    return look


def statuses(found):
    return {check.id: check.status for check in judge_failures(found)}


def told(found):
    return found.each[["cause", "told_by", "mended"]].values.tolist()


def test_attempts_that_a_later_one_made_good_are_told_and_are_no_failure(explained):
    found = explained("in-the-end", environment=[("LOCAL_AWS_EXIT_CODE", "3,3,0")], retry=RETRY)
    assert found.about == "schedule batch/in-the-end, which starts in-the-end"
    assert told(found) == [["exited-badly", "Step Functions", True]] * 2
    assert found.each["run"].nunique() == 1
    assert statuses(found) == {"failure-cause": "OK", "failures-runs": "OK", "failures-told": "OK"}
    because = judge_failures(found)[0].because
    assert because.startswith("The program ended with exit code 3: 2 times, from 2027-01-04 09:02:00 to ")
    assert because.endswith("(exit code 3); tried again, and a later attempt went well")
    assert str(found.runs) == "1 ended with exit code 0"


def test_a_run_that_fails_for_good_is_ng_with_the_exit_code_of_each_attempt(explained):
    found = explained("for-good", environment=[("LOCAL_AWS_EXIT_CODE", "1")], retry=RETRY)
    assert told(found) == [["exit-1", "Step Functions", False]] * 3
    assert statuses(found)["failure-cause"] == "NG"


def test_a_task_that_hangs_is_explained_as_timed_out(explained):
    found = explained("hangs", environment=[("LOCAL_AWS_OUTCOME", "hang")], timeout=600)
    assert told(found) == [["attempt-timed-out", "Step Functions", False]]
    assert found.each["said"].iloc[0].startswith("States.Timeout")


@pytest.mark.parametrize("error", ["AmazonECS.Unknown", "ECS.AmazonECSException"])
def test_capacity_is_explained_whichever_name_step_functions_gives_it(explained, server, error):
    process.settings(server, placement_error=error)
    retry = [RETRY[0] | {"ErrorEquals": [error]}]
    name = f"crowded-{error.partition('.')[0].lower()}"
    found = explained(name, fargate={"no-capacity": 3}, retry=retry)
    assert told(found) == [["fargate-capacity", "Step Functions", True]] * 3
    assert statuses(found)["failure-cause"] == "OK"
    (why,) = found.explanations
    assert why.means.endswith(f"an error of it, and the Retry of {name} says whether it is tried again.")
    assert "nothing tries again" not in str(why)
    assert why.remedy.startswith(f"Give the state machine {name} subnets in several zones")


def test_a_machine_whose_role_may_not_run_the_revision_is_explained_by_the_words_of_iam(explained):
    found = explained("not-allowed", may="")
    assert [row[0] for row in told(found)] == ["run-task-denied-bare-family-policy"]
    assert "not-allowed-machine" in str(found.explanations)


def test_a_start_that_was_refused_and_its_dead_letter_are_one_failure(explained, aws):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="lost")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    found = explained(
        "barred", start=False, more={"DeadLetterConfig": {"Arn": queue}}, also=[allow("sqs:SendMessage", queue)]
    )
    assert told(found) == [["start-execution-denied", "DLQ of Scheduler + CloudTrail", False]]
    assert '+   Action   = "states:StartExecution"' in str(found.explanations)
    assert ":stateMachine:barred" in str(found.explanations)
    assert statuses(found)["failure-cause"] == "NG"


def test_a_run_without_a_fault_is_ok(explained):
    found = explained("fine", retry=RETRY)
    assert statuses(found) == {"failures-runs": "OK", "failures-told": "OK"}
    assert set(found.answered) == {"Step Functions", "CloudTrail", "DLQ", "Scheduler"}


def test_an_account_says_which_schedules_have_to_be_asked_about_alone(explained, aws):
    explained("alone", retry=RETRY)
    found = failures(since=BEGIN, until=aws.now(), pace=PACE, **aws.clients(*SERVICES))
    told_by_eventbridge = found.asked.set_index("source")["answer"]["EventBridge"]
    assert "start a state machine: what that runs is told of each alone, with schedule" in told_by_eventbridge
