"""Executions and their tries, read from what Step Functions tells in its API's own form."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from told_executions import ARN, FIVE, MACHINE, SCHEDULE, History, PaperStepFunctions, a_task, at, listed

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence.executions import executions
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.histories import read_execution

CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"


def read(history, **told):
    return read_execution(listed(**told), history.events)


def test_a_task_that_fails_twice_and_then_succeeds_is_three_tries_of_one_execution():
    history = History().ran(0, 1, code=3).ran(6, 2, code=3, revision=6).ran(12, 3, revision=7)
    history.add("ExecutionSucceeded", 17, output="{}")
    execution = read(history, ended=17)
    assert (execution.name, execution.status, execution.skipped) == ("one", "SUCCEEDED", False)
    assert [(one.number, one.exit_code, one.definition.rpartition("/")[2]) for one in execution.tries] == [
        (1, 3, "nightly:6"),
        (2, 3, "nightly:6"),
        (3, 0, "nightly:7"),
    ]
    assert [(one.started, one.stopped) for one in execution.tries] == [
        (at(0), at(5)),
        (at(6), at(11)),
        (at(12), at(17)),
    ]
    first, _, last = execution.tries
    assert (first.error, first.cause) == (
        "States.TaskFailed",
        "EssentialContainerExited: Essential container in task exited",
    )
    assert (last.error, last.cause, last.ended_well, first.ended_well) == ("", "", True, False)
    assert first.task == f"{ARN}:task/batch/{1:032x}"
    assert first.requested == f"{ARN}:task-definition/nightly"


@pytest.mark.parametrize("kind", ["TaskFailed", "TaskSubmitFailed", "TaskStartFailed"])
def test_a_try_that_was_refused_has_no_task_and_the_words_of_aws(kind):
    history = History().refused(0, "AmazonECS.Unknown", CAPACITY, kind).ran(2, 1)
    refused, ran = read(history).tries
    assert (refused.number, refused.task, refused.definition, refused.exit_code) == (1, "", "", None)
    assert (refused.error, refused.cause, refused.started) == ("AmazonECS.Unknown", CAPACITY, at(0))
    assert (ran.number, ran.ended_well) == (2, True)


@pytest.mark.parametrize("cause", [[{"Reason": CAPACITY}], {"Tasks": [], "Failures": [{"Reason": CAPACITY}]}])
def test_the_reasons_of_a_failure_are_read_from_a_cause_that_is_json(cause):
    (only,) = read(History().refused(0, "AmazonECS.Unknown", json.dumps(cause)), status="FAILED").tries
    assert (only.error, only.cause) == ("AmazonECS.Unknown", CAPACITY)


def test_a_task_that_hangs_is_a_try_without_an_exit_code_that_stopped_when_the_state_timed_out():
    history = History()
    history.scheduled(0)
    history.submitted(0, a_task(1, began=at(0)))
    history.add("TaskTimedOut", 60, error="States.Timeout")
    (only,) = read(history, status="FAILED", ended=60).tries
    assert (only.error, only.exit_code, only.stopped) == ("States.Timeout", None, at(60))
    assert only.task == f"{ARN}:task/batch/{1:032x}"


@pytest.mark.parametrize(
    ("kind", "details", "code", "well"),
    [
        ("TaskSucceeded", {"output": "{}"}, None, True),
        ("TaskFailed", {"error": "ExitCode.3", "cause": "it broke"}, 3, False),
        ("TaskFailed", {"error": "Broken", "cause": "it broke"}, None, False),
        ("TaskTimedOut", {"error": "States.HeartbeatTimeout"}, None, False),
    ],
)
def test_a_task_that_is_waited_for_by_its_token_says_itself_how_it_ended(kind, details, code, well):
    history = History()
    history.scheduled(0, resource="runTask.waitForTaskToken")
    history.submitted(0, a_task(1, began=at(0)))
    history.add(kind, 4, **details)
    (only,) = read(history).tries
    assert (only.exit_code, only.ended_well, only.stopped) == (code, well, at(4))


def test_what_still_runs_has_no_end_and_no_error():
    history = History()
    history.scheduled(0)
    history.submitted(0, a_task(1, began=at(0)))
    execution = read(history, status="RUNNING", ended=None)
    (only,) = execution.tries
    assert (execution.stopped, only.stopped, only.error, only.ended_well) == (None, None, "", False)


@pytest.mark.parametrize(("kind", "error"), [("ExecutionAborted", "aborted"), ("ExecutionTimedOut", "States.Timeout")])
def test_the_end_of_an_execution_ends_the_try_that_was_under_way(kind, error):
    history = History()
    history.scheduled(0)
    history.submitted(0, a_task(1, began=at(0)))
    history.add(kind, 3, cause="stopped by hand")
    execution = read(history, status="ABORTED", ended=3)
    (only,) = execution.tries
    assert (only.error, only.cause, only.stopped) == (error, "stopped by hand", at(3))
    assert execution.cause == "stopped by hand"


def test_an_execution_that_ends_well_without_a_try_was_skipped_and_one_that_was_refused_was_not():
    history = History()
    number = history.add("TaskScheduled", 0, resourceType="aws-sdk:ecs", resource="listTasks", parameters="{}")
    history.add("TaskSucceeded", 0, after=number, output=json.dumps({"TaskArns": ["a"]}))
    history.add("ExecutionSucceeded", 0, output="{}")
    assert read(history).skipped
    assert read(history).tries == ()
    assert not read(History().refused(0, "ECS.AccessDeniedException", "no"), status="FAILED").skipped


def test_tries_of_branches_that_run_at_once_are_told_apart_by_what_came_before():
    history = History()
    first = history.scheduled(0, after=1)
    second = history.scheduled(0, after=1)
    history.add("TaskFailed", 1, after=second, error="ECS.ClientException", cause="TaskDefinition not found.")
    done = json.dumps(a_task(1, began=at(0), ended=at(2)))
    history.add("TaskSucceeded", 2, after=first, output=done)
    assert [(one.error, one.ended_well) for one in read(history).tries] == [("", True), ("ECS.ClientException", False)]


@pytest.mark.parametrize(
    "given",
    [
        {"run": f"{SCHEDULE} 2026-11-24T17:00:00Z"},
        {"schedule": SCHEDULE, "scheduled": "2026-11-24T17:00:00Z"},
        {"inner": {"deeper": [f"{SCHEDULE} 2026-11-24T17:00:00Z"]}},
    ],
)
def test_the_input_tells_the_firing_it_was_started_for(given):
    execution = read(History(given=given))
    assert (execution.schedule, execution.scheduled) == (SCHEDULE, FIVE)


def test_an_input_that_tells_nothing_of_a_schedule_leaves_both_unknown():
    execution = read(History(given={"note": "nightly at 17:00", "number": 3}))
    assert (execution.schedule, execution.scheduled) == ("", None)


def test_whatever_a_history_holds_it_is_read():
    odd = [{}, {"id": "x", "type": "TaskScheduled"}, {"id": 2, "type": "TaskFailed", "taskFailedEventDetails": None}]
    assert read_execution({}, odd).tries == ()
    broken = History()
    broken.scheduled(0)
    broken.add("TaskFailed", 1, error="States.TaskFailed", cause='{"TaskArn": "cut o')
    assert read_execution({}, broken.events).tries[0].cause == '{"TaskArn": "cut o'


def test_executions_of_a_range_come_oldest_first_with_one_call_for_the_list_and_one_for_each():
    told = [
        (listed(f"e{hour}", began=60 * hour, ended=60 * hour + 5), History().ran(60 * hour, hour)) for hour in range(9)
    ]
    sfn, ask = PaperStepFunctions(*told), Asking()
    found = executions(MACHINE, since=at(120), until=at(240), sfn=sfn, ask=ask)
    assert [one.name for one in found] == ["e2", "e3", "e4"]
    assert ask.counts == {"states:ListExecutions": 1, "states:GetExecutionHistory": 3}


def test_the_list_is_left_at_the_first_that_ended_before_the_range_and_no_sooner():
    """One that began long ago and ended late stands before the newest of the range."""
    told = [(listed(f"old{day}", began=-60 * 24 * day, ended=-60 * 24 * day + 5), History()) for day in range(1, 30)]
    told += [
        (listed("long", began=-600, ended=50), History()),
        (listed("young", began=1, ended=9), History().ran(1, 1)),
    ]
    told += [(listed("old-and-running", began=-900, status="RUNNING", ended=None), History())]
    sfn = PaperStepFunctions(*told, page=5)
    assert [one.name for one in executions(MACHINE, since=FIVE, until=at(60), sfn=sfn)] == ["young"]
    assert sfn.calls == ["ListExecutions", "GetExecutionHistory"]


def test_long_histories_are_read_to_their_end():
    history = History()
    for number in range(40):
        history.ran(number, number + 1, lasted=0.5, code=3 if number < 39 else 0)
    sfn = PaperStepFunctions((listed(), history), page=20)
    (found,) = executions(MACHINE, since=FIVE, until=at(60), sfn=sfn)
    assert (len(found.tries), found.tries[-1].ended_well) == (40, True)


def test_a_refusal_names_the_permission_that_is_needed():
    class Refusing:
        def list_executions(self, **_asked):
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListExecutions")

    with pytest.raises(AwsError, match=r"states:ListExecutions was refused: AccessDeniedException: no") as caught:
        executions(MACHINE, since=FIVE, until=FIVE + timedelta(hours=1), sfn=Refusing())
    assert caught.value.hint == "The caller needs states:ListExecutions."
