"""A state machine that runs its task again: attempts are one run, the last one decides, and skipped is not missed."""

import json
from datetime import timedelta

import pytest
from paper_aws import ACCOUNT, PaperAws, refused
from paper_runs import PaperRuns, looked, record
from told_executions import ARN, MACHINE, SCHEDULE, History, PaperStepFunctions, a_task, at, listed

from ecs_runbook.checks.happened import judge_happened
from ecs_runbook.inventory import runs as runs_module
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Inventory

CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
REGION = MACHINE.split(":")[3]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/machine"
SINCE, UNTIL = at(-60), at(120)
GIVEN = {"run": f"{SCHEDULE} 2026-11-24T17:00:00Z"}
RUN = {
    "Type": "Task",
    "Resource": "arn:aws:states:::ecs:runTask.sync",
    "Parameters": {"Cluster": f"{ARN}:cluster/batch", "TaskDefinition": f"{ARN}:task-definition/nightly"},
    "Retry": [{"ErrorEquals": ["States.TaskFailed"]}],
    "End": True,
}
LOOK = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:listTasks", "Next": "Run"}


@pytest.fixture
def paper():
    paper = PaperRuns()
    paper.machines[MACHINE] = json.dumps({"StartAt": "Look", "States": {"Look": LOOK, "Run": RUN}})
    target, daily = {"Arn": MACHINE, "RoleArn": f"{ROLE}-starter"}, "cron(0 17 * * ? *)"
    paper.schedule("nightly", target, Arn=SCHEDULE, ScheduleExpression=daily)
    paper.define("nightly", 6)
    return paper


def a_call(paper, minutes, answer, **more):
    when = f"{at(minutes):%d %H:%M:%S}"
    asked = {"cluster": f"{ARN}:cluster/batch", "taskDefinition": f"{ARN}:task-definition/nightly"}
    states = {"role": "machine", "by": "states.amazonaws.com", "awsRegion": REGION}
    paper.trail.append(record("RunTask", when, asked | {"startedBy": "AWS Step Functions"}, answer, **states, **more))


def placed(paper, *numbered, revision=6):
    """CloudTrail tells of each task, by its minute."""
    for minutes, number in numbered:
        task = a_task(number, revision=revision, began=at(minutes))
        told = {
            key[0].lower() + key[1:]: task[key] for key in ("TaskArn", "TaskDefinitionArn", "LaunchType", "StartedBy")
        }
        a_call(paper, minutes, {"tasks": [told], "failures": []})


def execution(history, name="one", *, status="SUCCEEDED", began=0, ended=20):
    if status != "RUNNING":
        history.add("ExecutionSucceeded" if status == "SUCCEEDED" else "ExecutionFailed", ended or 0)
    return listed(name, status=status, began=began, ended=None if status == "RUNNING" else ended), history


def what(paper, *executions, since=SINCE, until=UNTIL):
    """Return the table of runs, the row's history, and what is said of it."""
    paper.executions = PaperStepFunctions(*executions)
    happened, calls = looked(paper, since=since, until=until, regions=[REGION])
    rows = take_inventory(fleet(PaperAws(paper), regions=[REGION])).rows
    (own,) = happened.histories.values()
    said = {one.check: one for one in judge_happened(Inventory(rows), happened)}
    return happened.runs, own, said, calls


def wrong(said):
    return {check for check, one in said.items() if one.status != "OK"}


def rows(table, *columns):
    return [tuple(row) for row in table[list(columns)].itertuples(index=False)]


def test_a_task_that_fails_twice_and_then_succeeds_is_one_good_run_of_three_attempts(paper):
    placed(paper, (0, 1), (6, 2), (12, 3))
    history = History(given=GIVEN).ran(0, 1, code=3).ran(6, 2, code=3).ran(12, 3)
    table, own, said, calls = what(paper, execution(history))
    told = rows(table, "run", "attempt", "executed", "state", "status", "exit_code", "source")
    assert told == [
        ("one", 1, 6, "LATEST", "STOPPED", 3, "CloudTrail + Step Functions"),
        ("one", 2, 6, "LATEST", "STOPPED", 3, "CloudTrail + Step Functions"),
        ("one", 3, 6, "LATEST", "STOPPED", 0, "CloudTrail + Step Functions"),
    ]
    assert set(table["due"]) == {at(0)}
    assert set(table["subject"]) == {"nightly"}
    assert (own.ran, own.due, own.again, own.not_due) == (1, 1, [], [])
    assert wrong(said) == set()
    assert said["runs-succeeded"].because == "1 run ended with exit code 0; 1 of them took more than one attempt"
    assert said["runs-duplicate"].because == "no firing ran more than once"
    assert (calls["states:ListExecutions"], calls["states:GetExecutionHistory"]) == (1, 1)


def test_an_attempt_after_a_deploy_is_judged_at_its_own_moment(paper):
    paper.define("nightly", 7, since=at(5))
    placed(paper, (0, 1))
    placed(paper, (12, 2), revision=7)
    history = History(given=GIVEN).ran(0, 1, code=3).ran(12, 2, revision=7)
    table, _, said, _ = what(paper, execution(history))
    assert rows(table, "attempt", "executed", "latest", "state") == [(1, 6, 6, "LATEST"), (2, 7, 7, "LATEST")]
    assert wrong(said) == set()


def test_an_attempt_after_a_deploy_that_ran_the_old_revision_is_stale(paper):
    paper.define("nightly", 7, since=at(5))
    placed(paper, (0, 1), (12, 2))
    table, _, said, _ = what(paper, execution(History(given=GIVEN).ran(0, 1, code=3).ran(12, 2)))
    assert list(table["state"]) == ["LATEST", "STALE"]
    assert wrong(said) == {"runs-latest"}


def test_a_task_that_fails_for_good_is_bad_by_its_last_attempt_and_explained(paper):
    placed(paper, (0, 1), (6, 2))
    history = History(given=GIVEN).ran(0, 1, code=3).ran(6, 2, code=3)
    table, own, said, _ = what(paper, execution(history, status="FAILED"))
    assert (own.ran, list(table["exit_code"])) == (1, [3, 3])
    assert wrong(said) == {"runs-succeeded"}
    found = said["runs-succeeded"].because
    assert found.startswith(
        "the only run whose end is known ended badly, the last of 2026-11-24 17:06 UTC with exit code 3 after 2"
        " attempts: "
    )
    assert "does not know" not in found


def test_a_task_that_hangs_and_is_given_up_is_bad_without_an_exit_code(paper):
    placed(paper, (0, 1))
    history = History(given=GIVEN)
    history.scheduled(0)
    history.submitted(0, a_task(1, began=at(0)))
    history.add("TaskTimedOut", 60, error="States.Timeout", cause="")
    history.add("ExecutionFailed", 60, error="States.Timeout", cause="It took more than 3600 seconds.")
    table, _, said, _ = what(paper, (listed(status="FAILED", ended=60), history))
    assert rows(table, "status", "error") == [("TIMED OUT", "States.Timeout: It took more than 3600 seconds.")]
    assert wrong(said) == {"runs-succeeded"}
    assert "17:00 UTC with no exit code" in said["runs-succeeded"].because
    assert "(States.Timeout: It took more than 3600 seconds.)" in said["runs-succeeded"].because


def told_by_token(number, minutes, *, error=""):
    """A try whose task tells by its token how it ended: its end is not described."""
    history = History(given=GIVEN)
    history.scheduled(minutes, resource="runTask.waitForTaskToken")
    history.submitted(minutes, a_task(number, began=at(minutes)))
    if error:
        history.add("TaskFailed", minutes + 5, error=error, cause="no more stock")
    else:
        history.add("TaskSucceeded", minutes + 5, output='"done"')
    return history


def test_a_task_that_tells_its_end_by_its_token_is_believed(paper):
    resource = "arn:aws:states:::ecs:runTask.waitForTaskToken"
    paper.machines[MACHINE] = json.dumps({"StartAt": "Run", "States": {"Run": RUN | {"Resource": resource}}})
    placed(paper, (0, 1))
    table, _, said, _ = what(paper, execution(told_by_token(1, 0)))
    assert rows(table, "status", "error") == [("SUCCEEDED", "")]
    assert wrong(said) == set()
    assert said["runs-succeeded"].because == "1 run ended well, as the task told"
    table, _, said, _ = what(paper, execution(told_by_token(1, 0, error="ExitCode.3"), status="FAILED"))
    assert rows(table, "status", "exit_code", "error") == [("STOPPED", 3, "ExitCode.3: no more stock")]
    assert wrong(said) == {"runs-succeeded"}


def test_capacity_that_was_refused_three_times_and_then_given_is_one_good_run(paper):
    history = History(given=GIVEN)
    for minutes in (0, 1, 3):
        a_call(paper, minutes, {"tasks": [], "failures": [{"reason": CAPACITY}]})
        history.refused(minutes, "AmazonECS.Unknown", CAPACITY)
    placed(paper, (7, 1))
    table, own, said, _ = what(paper, execution(history.ran(7, 1)))
    assert rows(table, "attempt", "status") == [
        (1, "FAILED TO START"),
        (2, "FAILED TO START"),
        (3, "FAILED TO START"),
        (4, "STOPPED"),
    ]
    assert set(table["run"]) == {"one"}
    assert (own.ran, own.refused, own.due) == (1, [], 1)
    assert wrong(said) == set()
    assert said["runs-refused"].because == "no start was refused; 3 tries before were, and a later one was not"


def test_capacity_that_was_refused_for_good_came_to_nothing(paper):
    a_call(paper, 0, {"tasks": [], "failures": [{"reason": CAPACITY}]})
    _, own, said, _ = what(
        paper, execution(History(given=GIVEN).refused(0, "AmazonECS.Unknown", CAPACITY), status="FAILED")
    )
    assert (own.ran, len(own.refused)) == (0, 1)
    assert wrong(said) == {"runs-refused"}
    assert CAPACITY in said["runs-refused"].because


def test_an_execution_that_failed_before_it_tried_anything_came_to_nothing(paper):
    history = History(given=GIVEN)
    number = history.add("TaskScheduled", 0, resourceType="aws-sdk:ecs", resource="listTasks", parameters="{}")
    words = "User is not authorized to perform: ecs:ListTasks"
    history.add("TaskFailed", 0, after=number, error="Ecs.EcsException", cause=words)
    history.add("ExecutionFailed", 0, error="Ecs.EcsException", cause=words)
    _, own, said, _ = what(paper, (listed(status="FAILED", ended=1), history))
    assert (own.ran, len(own.refused)) == (0, 1)
    assert wrong(said) == {"runs-refused"}
    assert words in said["runs-refused"].because


def test_a_run_whose_last_attempt_could_not_start_is_not_good_by_the_one_before(paper):
    placed(paper, (0, 1))
    history = History(given=GIVEN).ran(0, 1, code=3).refused(6, "ECS.AccessDeniedException", "no: iam:PassRole")
    table, _, said, _ = what(paper, execution(history, status="FAILED"))
    assert rows(table, "attempt", "status", "error", "source") == [
        (1, "STOPPED", "EssentialContainerExited: Essential container in task exited", "CloudTrail + Step Functions"),
        (2, "REFUSED", "ECS.AccessDeniedException: no: iam:PassRole", "Step Functions"),
    ]
    assert wrong(said) == {"runs-refused"}


def skipped(minutes=0, given=GIVEN):
    history = History(given=given)
    number = history.add("TaskScheduled", minutes, resourceType="aws-sdk:ecs", resource="listTasks", parameters="{}")
    history.add("TaskSucceeded", minutes, after=number, output=json.dumps({"TaskArns": ["a"]}))
    return history


def test_two_deliveries_of_which_the_second_is_skipped_are_one_run(paper):
    placed(paper, (0, 1))
    first, second = execution(History(given=GIVEN).ran(0, 1)), execution(skipped(), "two", ended=0)
    table, own, said, _ = what(paper, first, second)
    assert rows(table, "run", "status") == [("one", "STOPPED"), ("two", "SKIPPED")]
    assert (own.ran, own.skipped, own.again) == (1, [], [])
    assert wrong(said) == set()
    assert said["runs-duplicate"].because == (
        "no firing ran more than once; 1 second delivery ran no task, since one ran already"
    )


def test_two_deliveries_that_both_run_are_told(paper):
    placed(paper, (0, 1), (0, 2))
    told = [execution(History(given=GIVEN).ran(0, number), name) for number, name in enumerate(("one", "two"), start=1)]
    table, own, said, _ = what(paper, *told)
    assert (set(table["run"]), [one.due for one in own.again]) == ({"one", "two"}, [at(0)])
    assert wrong(said) == {"runs-duplicate"}
    assert said["runs-duplicate"].because == "started more than once at 2026-11-24 17:00 UTC (2 tasks instead of 1)"


def test_somebody_who_starts_the_machine_by_hand_makes_no_second_delivery(paper):
    placed(paper, (0, 1), (60, 2))
    told = [execution(History(given=GIVEN).ran(0, 1)), execution(History().ran(60, 2), "by-hand", began=60, ended=70)]
    _, own, said, _ = what(paper, *told)
    assert (own.ran, own.again, own.not_due) == (1, [], [])
    assert wrong(said) == set()


def test_a_firing_that_meets_the_run_before_is_skipped_and_not_missed(paper):
    _, own, said, _ = what(paper, execution(skipped(), ended=0))
    assert (own.ran, len(own.skipped), own.missed, own.due) == (0, 1, [], 1)
    assert wrong(said) == set()
    assert said["runs-missed"].because == (
        "the only firing that was due left its trace; 1 of them ran no task, since one ran already: due at"
        " 2026-11-24 17:00 UTC"
    )


def test_a_firing_without_an_execution_is_missed(paper):
    _, own, said, _ = what(paper)
    assert len(own.missed) == 1
    assert wrong(said) == {"runs-missed"}
    assert said["runs-missed"].because == (
        "the only firing that was due had neither execution nor call nor task nor dead letter: at 2026-11-24 17:00 UTC"
    )
    assert said["runs-missed"].mend == (
        "Look whether scheduler.amazonaws.com may assume its role, and whether that may start nightly: where it may "
        "not, only a dead letter tells, and it has no dead-letter queue."
    )


def test_two_schedules_of_one_machine_are_told_apart_by_what_the_input_names_and_never_guessed(paper):
    other = SCHEDULE.replace("nightly", "weekly")
    target, daily = {"Arn": MACHINE, "RoleArn": f"{ROLE}-starter"}, "cron(0 17 * * ? *)"
    paper.schedule("weekly", target, Arn=other, ScheduleExpression=daily)
    placed(paper, (0, 1), (1, 2))

    def stand(*executions):
        paper.executions = PaperStepFunctions(*executions)
        happened, _ = looked(paper, since=SINCE, until=UNTIL, regions=[REGION])
        return {name: (own.ran, len(own.missed), len(own.doubtful)) for (_, name), own in happened.histories.items()}

    of_the_other = {"run": f"{other} 2026-11-24T17:00:00Z"}
    first = execution(History(given=GIVEN).ran(0, 1))
    second = execution(History(given=of_the_other).ran(1, 2), "two", began=1)
    assert stand(first, second) == {"nightly": (1, 0, 0), "weekly": (1, 0, 0)}
    assert stand(first) == {"nightly": (1, 0, 0), "weekly": (0, 1, 0)}
    # one execution of which nobody knows, and two that were due
    assert stand(execution(History().ran(0, 1))) == {"nightly": (0, 0, 1), "weekly": (0, 0, 1)}


def test_what_is_tried_still_is_neither_refused_nor_failed(paper):
    history = History(given=GIVEN).ran(0, 1, code=3)
    _, own, said, _ = what(paper, execution(history, status="RUNNING"), until=at(30))
    assert (own.ran, own.refused) == (1, [])
    assert wrong(said) == set()
    refused_so_far = History(given=GIVEN).refused(0, "AmazonECS.Unknown", CAPACITY)
    _, own, said, _ = what(paper, execution(refused_so_far, status="RUNNING"), until=at(30))
    assert ([one.due for one in own.waiting], own.refused) == ([at(0)], [])
    assert wrong(said) == set()


def test_before_cloudtrail_tells_the_executions_do(paper):
    history = History(given=GIVEN).ran(0, 1, code=3).ran(6, 2)
    table, own, said, _ = what(paper, execution(history), until=at(15))
    assert rows(table, "attempt", "state", "exit_code", "source") == [
        (1, "LATEST", 3, "Step Functions"),
        (2, "LATEST", 0, "Step Functions"),
    ]
    assert (own.ran, wrong(said)) == (1, set())


def test_an_execution_that_began_before_the_range_is_not_judged_by_one_attempt(paper):
    placed(paper, (0, 1), (6, 2))
    long_ago = execution(History(given=GIVEN).ran(0, 1, code=3).ran(6, 2, code=3).ran(12, 3))
    table, own, said, _ = what(paper, long_ago, since=at(3))
    assert (len(table), own.attempts, own.due) == (0, [], 0)
    assert wrong(said) == set()


def test_an_execution_of_a_schedule_that_is_no_row_is_nobodys(paper):
    placed(paper, (0, 1), (30, 2))
    other = {"run": f"{SCHEDULE.replace('nightly', 'another')} 2026-11-24T17:30:00Z"}
    drill = {"run": f"{SCHEDULE.replace('nightly', 'ecsrb-0a0a0a0a-nightly')} 2026-11-24T17:40:00Z"}
    told = [
        execution(History(given=GIVEN).ran(0, 1)),
        execution(History(given=other).ran(30, 2, code=3), "two", status="FAILED", began=30, ended=36),
        execution(History(given=drill).ran(40, 3, code=3), "three", status="FAILED", began=40, ended=46),
    ]
    _, own, said, _ = what(paper, *told)
    assert (own.ran, len(own.attempts), own.drills) == (1, 1, 1)
    assert wrong(said) == set()


@pytest.mark.parametrize("operation", ["states:ListExecutions", "states:GetExecutionHistory"])
def test_without_its_executions_nothing_is_said_of_its_runs_but_the_revision(paper, operation):
    placed(paper, (0, 1), (6, 2))
    words = f"User is not authorized to perform: {operation}"
    paper.fail(operation, refused("AccessDeniedException", words), always=True)
    _, _, said, _ = what(paper, execution(History(given=GIVEN).ran(0, 1, code=3).ran(6, 2)))
    needs = f"the caller needs {operation}"
    assert {check: one.because for check, one in said.items() if one.status == "SKIP"} == {
        "runs-missed": needs,
        "runs-refused": needs,
        "runs-succeeded": needs,
    }
    assert {one.check for one in said.values() if one.status == "OK"} == {"runs-latest"}


def test_of_very_many_executions_the_newest_are_read_and_what_was_due_before_is_not_judged(paper, monkeypatch):
    monkeypatch.setattr(runs_module, "MOST_EXECUTIONS", 2)
    days = [(name, -1440 * ago) for ago, name in ((3, "old"), (2, "older"), (1, "yesterday"), (0, "one"))]
    told = []
    for number, (name, began) in enumerate(days, start=1):
        given = {"run": f"{SCHEDULE} {at(began):%Y-%m-%dT%H:%M:%SZ}"}
        placed(paper, (began, number))
        history = History(given=given).ran(began, number, code=3 if name == "old" else 0)
        told.append(execution(history, name, began=began, ended=began + 6))
    _, own, said, calls = what(paper, *told, since=at(-1440 * 4))
    assert (own.ran, own.missed, own.judged_from) == (2, [], at(-1440))
    assert calls["states:GetExecutionHistory"] == 2
    assert wrong(said) == set()
    assert said["runs-missed"].because == (
        "all 2 firings that were due left their trace; of its executions only the newest are read, those from"
        " 2026-11-23 17:00 UTC on"
    )


def test_a_machine_that_only_runs_its_task_once_is_not_asked_for_its_executions(paper):
    once = {key: value for key, value in RUN.items() if key != "Retry"}
    paper.machines[MACHINE] = json.dumps({"StartAt": "Run", "States": {"Run": once}})
    placed(paper, (0, 1))
    _, own, _, calls = what(paper)
    assert own.ran == 1
    assert not {one for one in calls if one.startswith("states:")}


def test_a_firing_a_day_is_told_from_the_other_by_what_the_input_says_however_late_it_is_delivered(paper):
    yesterday = {"run": f"{SCHEDULE} 2026-11-23T17:00:00Z"}
    placed(paper, (-600, 1), (0, 2))
    told = [
        execution(History(given=yesterday).ran(-600, 1), "late", began=-600, ended=-590),
        execution(History(given=GIVEN).ran(0, 2)),
    ]
    _, own, said, _ = what(paper, *told, since=at(-1500))
    assert (own.ran, [one.due for one in own.late], own.again) == (2, [at(0) - timedelta(days=1)], [])
    assert wrong(said) == set()
