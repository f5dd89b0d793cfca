"""Schedules on the local AWS: fired now, run at their minute, tried again by a state machine; its clock is moved."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from schedules_yard import GROUP, Yard, allow

from ecs_runbook.errors import EvidenceError, ParameterError
from ecs_runbook.evidence.revisions import revisions
from ecs_runbook.evidence.runs import runs
from ecs_runbook.firing.drill import fire
from ecs_runbook.firing.one_time import clear_schedule_leftovers, schedule_leftovers
from ecs_runbook.firing.revision import register_again
from ecs_runbook.local_aws import process
from ecs_runbook.session import Pace, connect
from ecs_runbook.verdicts.runs import judge_runs
from ecs_runbook.verdicts.steps import judge_fired

BEGIN = datetime(2027, 1, 4, 9, tzinfo=UTC)
SERVICES = ("ecs", "events", "cloudtrail", "scheduler", "stepfunctions", "iam")
PROOF = ("ecs", "events", "cloudtrail", "scheduler", "stepfunctions")
PACE = Pace(settle_seconds=0, poll_seconds=5, lookups_per_second=1000, patience_seconds=1800, published_rates=False)


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


@pytest.fixture(scope="module")
def yard(aws):
    return Yard(aws)


@pytest.fixture
def drill(aws, server):
    """Fire a schedule; waiting moves the clock that stands still."""

    def sleep(seconds):
        process.clock(server, advance=seconds)

    def run(schedule, **more):
        options = {"now": aws.now, "pace": PACE, "sleep": sleep} | more
        return fire(schedule=schedule, **options, **aws.clients(*SERVICES))

    return run


def standing(aws):
    return [one["Name"] for one in aws.client("scheduler").list_schedules(NamePrefix="ecsrb-")["Schedules"]]


@pytest.mark.parametrize("universal", [False, True])
def test_a_drill_runs_what_the_schedule_runs_in_its_group_and_leaves_nothing(aws, yard, drill, universal):
    name = f"fired-{'universal' if universal else 'templated'}"
    label = yard.of_a_task(name, universal=universal)
    fired = drill(label)
    assert (fired.status, fired.exit_code, fired.executed, fired.requested) == ("STOPPED", 0, 1, name)
    assert (fired.rule, fired.kind, fired.ok) == (label, "schedule", True)
    (task,) = aws.client("ecs").describe_tasks(tasks=list(fired.tasks))["tasks"]
    assert task["startedBy"] == f"chronos-schedule/{fired.drill_rule.partition('/')[2]}"
    assert standing(aws) == []
    assert {check.status for check in judge_fired(fired, _revisions(aws, name))} == {"OK"}


def _revisions(aws, family):
    return revisions(family, ecs=aws.client("ecs"))


def test_a_disabled_schedule_is_fired_all_the_same_and_stays_disabled(aws, yard, drill):
    label = yard.of_a_task("asleep", State="DISABLED")
    assert drill(label).status == "STOPPED"
    assert aws.client("scheduler").get_schedule(Name="asleep", GroupName=GROUP)["State"] == "DISABLED"


@pytest.mark.parametrize("universal", [False, True])
def test_a_dry_command_reaches_the_task_and_the_schedule_keeps_its_own(aws, yard, drill, universal):
    name = f"harmless-{universal}".lower()
    fired = drill(yard.of_a_task(name, universal=universal), dry_command=["true"])
    (task,) = aws.client("ecs").describe_tasks(tasks=list(fired.tasks))["tasks"]
    (override,) = task["overrides"]["containerOverrides"]
    assert (override["name"], override["command"]) == ("main", ["true"])
    target = aws.client("scheduler").get_schedule(Name=name, GroupName=GROUP)["Target"]
    assert "ommand" not in target.get("Input", "")


def test_a_role_that_allows_the_bare_family_alone_is_refused_in_awss_words(yard, drill):
    fired = drill(yard.of_a_task("bare", may=""))
    assert (fired.status, fired.refused_code, fired.tasks) == ("REFUSED", "AccessDenied", ())
    assert "is not authorized to perform: ecs:RunTask on resource: " in fired.refused_message
    assert "task-definition/bare:1 because" in fired.refused_message
    assert fired.hint == "CloudTrail's record of it leaves the schedule out, so it is told by role and time."


def test_a_state_machine_is_fired_through_its_schedule_and_each_attempt_is_told(aws, yard, drill):
    retry = [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 30, "MaxAttempts": 2, "BackoffRate": 2}]
    label = yard.of_a_machine("tried-again", environment=[("LOCAL_AWS_EXIT_CODE", "3")], retry=retry)
    fired = drill(label)
    assert (fired.status, fired.exit_code, fired.attempts, len(fired.tasks)) == ("STOPPED", 3, 3, 3)
    assert fired.error == "States.TaskFailed: EssentialContainerExited: Essential container in task exited"
    assert ":execution:tried-again:" in fired.execution
    checks = {check.id: check for check in judge_fired(fired, _revisions(aws, "tried-again"))}
    assert checks["drill-started"].because == (
        "Scheduler started the state machine, which ran tried-again, as the target's role"
    )
    assert checks["drill-succeeded"].status == "NG"
    assert "it ended with exit code 3 after 3 attempts" in checks["drill-succeeded"].because
    assert standing(aws) == []


def test_an_execution_that_somebody_else_starts_meanwhile_is_not_taken_for_the_drills(aws, yard, server):
    label = yard.of_a_machine("shared", given={"note": "mine"})
    machine = aws.client("scheduler").get_schedule(Name="shared", GroupName=GROUP)["Target"]["Arn"]
    others = []

    def sleep(seconds):
        if not others:
            others.append(aws.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"])
        process.clock(server, advance=seconds)

    fired = fire(schedule=label, now=aws.now, pace=PACE, sleep=sleep, **aws.clients(*SERVICES))
    assert fired.status == "STOPPED"
    assert fired.execution not in others
    told = aws.client("stepfunctions").describe_execution(executionArn=fired.execution)
    assert json.loads(told["input"]) == {"note": "mine", "ecs-runbook-drill": fired.drill_rule.partition("/")[2]}


def test_a_role_that_may_not_start_the_machine_is_refused_in_awss_words(yard, drill):
    fired = drill(yard.of_a_machine("not-mine", start=False))
    assert (fired.status, fired.tasks) == ("REFUSED", ())
    assert fired.refused_code.startswith("AccessDenied")
    assert "is not authorized to perform: states:StartExecution on resource: " in fired.refused_message


def test_a_state_machine_takes_no_dry_command_and_says_so_before_anything_is_made(aws, yard, drill):
    label = yard.of_a_machine("no-command")
    with pytest.raises(EvidenceError) as refused:
        drill(label, dry_command=["true"])
    assert str(refused.value) == (
        "dry_command = ['true']: the task is run by the state machine no-command, which takes no command from who"
        " starts it. Fire without dry_command: that runs the real task, and its attempts."
    )
    assert standing(aws) == []


def test_an_interrupted_drill_leaves_no_schedule(aws, yard):
    def interrupt(_seconds):
        raise KeyboardInterrupt

    label = yard.of_a_task("interrupted")
    with pytest.raises(KeyboardInterrupt):
        fire(schedule=label, now=aws.now, pace=PACE, sleep=interrupt, **aws.clients(*SERVICES))
    assert standing(aws) == []


def test_what_a_killed_drill_left_is_cleared_once_its_time_is_up_and_nothing_else(aws, yard, server):
    label = yard.of_a_task("killed")
    scheduler = aws.client("scheduler")
    target = scheduler.get_schedule(Name="killed", GroupName=GROUP)["Target"]
    until = aws.now() + timedelta(minutes=20)
    common = {
        "GroupName": GROUP,
        "ScheduleExpression": f"at({until + timedelta(days=300):%Y-%m-%dT%H:%M:%S})",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": target,
    }
    words = f"A drill of {label} by the ECS runbook, over at {until:%Y-%m-%dT%H:%M:%SZ}"
    scheduler.create_schedule(Name="ecsrb-000000-000000", Description=words, **common)
    scheduler.create_schedule(Name="ecsrb-somebody-elses", Description="kept", **common)
    found = schedule_leftovers(scheduler=scheduler, now=aws.now)
    assert found[["drill_schedule", "schedule", "dead"]].values.tolist() == [
        [f"{GROUP}/ecsrb-000000-000000", label, False]
    ]
    assert clear_schedule_leftovers(scheduler=scheduler, now=aws.now) == []
    process.clock(server, advance="21m")
    assert clear_schedule_leftovers(scheduler=scheduler, now=aws.now) == [f"{GROUP}/ecsrb-000000-000000"]
    assert standing(aws) == ["ecsrb-somebody-elses"]
    scheduler.delete_schedule(Name="ecsrb-somebody-elses", GroupName=GROUP)


def test_an_unknown_schedule_is_named_with_the_nearest_and_one_of_no_task_is_refused(aws, yard, drill):
    yard.of_a_task("nearly")
    with pytest.raises(EvidenceError) as unknown:
        drill(f"{GROUP}/nearyl")
    assert str(unknown.value).startswith(
        f"schedule = '{GROUP}/nearyl': there is no such schedule in the group 'batch'."
    )
    assert "nearly" in str(unknown.value)
    queue = {"Arn": f"arn:aws:sqs:{aws.region}:{aws.account}:q"}
    label = yard.schedule("letters", queue, allow("sqs:SendMessage", "*"))
    with pytest.raises(EvidenceError, match="it does not run an ECS task, as far as can be seen"):
        drill(label)


def seen(aws, schedule, since, **more):
    return runs(schedule=schedule, since=since, until=aws.now(), pace=PACE, **aws.clients(*PROOF), **more)


def until(aws, server, **change):
    """Move the clock to the next such minute."""
    now = aws.now()
    moment = now.replace(second=0, microsecond=0, **change)
    process.clock(server, to=moment if moment > now else moment + timedelta(hours=1))


def stop(aws, label):
    """Disable a schedule, so that it does not fire in the time of the next test."""
    scheduler, (group, name) = aws.client("scheduler"), label.split("/")
    told = scheduler.get_schedule(Name=name, GroupName=group)
    kept = ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(Name=name, GroupName=group, State="DISABLED", **{key: told[key] for key in kept})


def statuses(table, name):
    return {check.id: check.status for check in judge_runs(table, name)}


GOOD = {"runs-seen": "OK", "runs-attributed": "OK", "runs-latest": "OK", "runs-succeeded": "OK", "runs-refused": "OK"}


@pytest.mark.parametrize("universal", [False, True])
def test_a_schedule_runs_at_its_minute_in_its_zone_and_is_told_from_a_drill(aws, server, yard, drill, universal):
    name = f"hourly-{universal}".lower()
    label = yard.of_a_task(
        name, universal=universal, expression="cron(40 * * * ? *)", ScheduleExpressionTimezone="Asia/Kolkata"
    )
    begun = aws.now()
    drill(label)
    until(aws, server, minute=10)
    process.clock(server, advance=600)
    table = seen(aws, label, begun)
    assert table[["schedule", "executed", "state", "exit_code", "attempt"]].values.tolist() == [
        [f"{label} (drill)", 1, "LATEST", 0, 1],
        [label, 1, "LATEST", 0, 1],
    ]
    assert (table["time"].iloc[1].minute, table["source"].iloc[1]) == (10, "ECS + CloudTrail")
    assert statuses(table, label) == GOOD
    stop(aws, label)


def test_a_refusal_that_does_not_say_who_asked_may_be_the_schedules_or_a_drills(aws, server, yard, drill):
    label = yard.of_a_task("unlucky", may="", expression="cron(20 * * * ? *)")
    begun = aws.now()
    until(aws, server, minute=20)
    process.clock(server, advance=120)
    table = seen(aws, label, begun)
    assert table[["schedule", "status", "state"]].values.tolist() == [[label, "REFUSED", ""]]
    assert statuses(table, label)["runs-refused"] == "NG"
    drill(label)
    assert list(seen(aws, label, begun)["schedule"]) == [label, f"{label} (drill or retry)"]
    stop(aws, label)


RETRY = [
    {"ErrorEquals": ["AmazonECS.Unknown"], "IntervalSeconds": 60, "MaxAttempts": 5, "BackoffRate": 2},
    {"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 300, "MaxAttempts": 2, "BackoffRate": 1},
]
NAMED = {"run": "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>"}


def once(aws, server, label):
    """Move the clock through one firing of an hourly schedule and all that comes of it; return when that began."""
    begun = aws.now()
    until(aws, server, minute=15)
    process.clock(server, advance="40m")
    stop(aws, label)
    return begun


HOURLY = {"expression": "cron(15 * * * ? *)"}


def test_a_task_that_fails_twice_and_then_succeeds_is_one_good_run_of_three_attempts(aws, server, yard):
    fails_twice = [("LOCAL_AWS_EXIT_CODE", "3,3,0")]
    label = yard.of_a_machine("third-time", environment=fails_twice, retry=RETRY, given=NAMED, **HOURLY)
    table = seen(aws, label, once(aws, server, label))
    assert table[["schedule", "attempt", "exit_code", "state", "source"]].values.tolist() == [
        [label, 1, 3, "LATEST", "Step Functions"],
        [label, 2, 3, "LATEST", "Step Functions"],
        [label, 3, 0, "LATEST", "Step Functions"],
    ]
    assert table["run"].nunique() == 1
    assert list(table["requested"]) == ["third-time"] * 3
    assert statuses(table, label) == GOOD


def test_an_attempt_after_a_deploy_runs_the_new_latest_and_the_table_says_so(aws, server, yard):
    label = yard.of_a_machine(
        "deployed", environment=[("LOCAL_AWS_EXIT_CODE", "3")], retry=RETRY, given=NAMED, **HOURLY
    )
    begun = aws.now()
    until(aws, server, minute=15)
    process.clock(server, advance=120)
    assert register_again("deployed", ecs=aws.client("ecs"), image="app:2").revision == 2
    process.clock(server, advance="40m")
    stop(aws, label)
    table = seen(aws, label, begun)
    assert table[["attempt", "executed", "latest", "state", "exit_code"]].values.tolist() == [
        [1, 1, 1, "LATEST", 3],
        [2, 2, 2, "LATEST", 3],
        [3, 2, 2, "LATEST", 3],
    ]
    assert statuses(table, label) == GOOD | {"runs-succeeded": "NG"}
    because = next(check.because for check in judge_runs(table, label) if check.id == "runs-succeeded")
    assert because.startswith("1 of 1 run did not end well: at ")
    assert "revision 2, attempt 3: exit code 3, EssentialContainerExited" in because


def test_capacity_that_is_refused_three_times_is_told_and_is_no_fault_of_the_run(aws, server, yard):
    label = yard.of_a_machine("crowded", retry=RETRY, given=NAMED, **HOURLY)
    process.settings(server, fargate={"no-capacity": 3})
    table = seen(aws, label, once(aws, server, label))
    assert list(table["status"]) == ["FAILED TO START"] * 3 + ["STOPPED"]
    assert list(table["attempt"]) == [1, 2, 3, 4]
    assert "Capacity is unavailable at this time." in table["error"].iloc[0]
    assert statuses(table, label) == GOOD


def test_while_a_retry_is_to_come_the_run_is_not_judged(aws, server, yard):
    label = yard.of_a_machine(
        "under-way", environment=[("LOCAL_AWS_EXIT_CODE", "3")], retry=RETRY, given=NAMED, **HOURLY
    )
    begun = aws.now()
    until(aws, server, minute=15)
    process.clock(server, advance=120)
    table = seen(aws, label, begun)
    assert list(table["exit_code"]) == [3]
    assert statuses(table, label) == GOOD | {"runs-succeeded": "SKIP"}
    stop(aws, label)


def test_a_task_that_hangs_is_a_run_that_was_given_up(aws, server, yard):
    hangs = [("LOCAL_AWS_OUTCOME", "hang")]
    label = yard.of_a_machine("hanging", environment=hangs, given=NAMED, timeout=600, **HOURLY)
    table = seen(aws, label, once(aws, server, label))
    ((status, error),) = table[["status", "error"]].values.tolist()
    assert (status, error) == ("RUNNING", "States.Timeout")
    assert statuses(table, label) == GOOD | {"runs-succeeded": "NG"}
    (note,) = table.attrs["notes"].values()
    assert note == "the state machine gave it up (States.Timeout), and ECS says that it is RUNNING still"


def test_of_a_task_that_was_given_up_and_stopped_ecs_tells_why(aws, server, yard):
    label = yard.of_a_machine(
        "stopped", environment=[("LOCAL_AWS_OUTCOME", "hang")], given=NAMED, timeout=600, **HOURLY
    )
    begun = once(aws, server, label)
    ecs = aws.client("ecs")
    (task,) = ecs.list_tasks(family="stopped")["taskArns"]
    ecs.stop_task(task=task, reason="it took too long")
    process.clock(server, advance=120)
    table = seen(aws, label, begun)
    assert table[["status", "exit_code", "error"]].values.tolist() == [
        ["STOPPED", 137, "States.Timeout: UserInitiated: it took too long"]
    ]
    assert statuses(table, label)["runs-succeeded"] == "NG"


def test_an_execution_whose_input_names_no_schedule_is_known_by_the_role_that_started_it(aws, server, yard):
    label = yard.of_a_machine("unnamed", given={"note": "mine"}, **HOURLY)
    machine = aws.client("scheduler").get_schedule(Name="unnamed", GroupName=GROUP)["Target"]["Arn"]
    aws.client("stepfunctions").start_execution(stateMachineArn=machine)
    table = seen(aws, label, once(aws, server, label))
    assert list(table["schedule"]) == [label]
    told = {one["source"]: one["answer"] for one in table.attrs["asked"]}
    assert told["Step Functions"] == "unnamed has 2 executions of that time, 1 of them started by somebody else"


def test_a_start_of_the_machine_that_was_refused_is_a_row_in_which_nothing_ran(aws, server, yard):
    label = yard.of_a_machine("barred", start=False, given=NAMED, **HOURLY)
    table = seen(aws, label, once(aws, server, label))
    assert table[["schedule", "status", "source"]].values.tolist() == [[label, "REFUSED", "CloudTrail"]]
    assert "states:StartExecution" in table["error"].iloc[0]
    assert statuses(table, label)["runs-refused"] == "NG"


def test_the_receipt_keeps_the_history_and_no_value_of_the_environment(aws, server, yard):
    label = yard.of_a_machine("discreet", environment=[("PASSWORD", "shy")], given=NAMED, **HOURLY)
    table = seen(aws, label, once(aws, server, label))
    told = json.dumps(table.attrs["records"], default=str)
    assert "TaskSucceeded" in told
    assert "shy" not in told


def test_a_schedule_without_its_client_says_which_to_hand_on(aws):
    with pytest.raises(ParameterError, match=r"schedule = 'x' needs a scheduler client\. Hand on scheduler="):
        runs(schedule="x", since=BEGIN, until=BEGIN, **aws.clients("ecs", "events", "cloudtrail"))


def test_a_firing_that_finds_the_task_running_is_skipped_and_is_no_fault(aws, server, yard, drill):
    slow = [("LOCAL_AWS_SECONDS", "3000")]
    label = yard.of_a_machine("one-at-a-time", environment=slow, given=NAMED, skip=True, **HOURLY)
    begun = once(aws, server, label)  # runs still
    fired = drill(label)
    assert (fired.status, fired.tasks, fired.ok) == ("SKIPPED", (), False)
    (started, _) = judge_fired(fired, revisions("one-at-a-time", ecs=aws.client("ecs")))
    assert (started.status, started.because) == ("SKIP", "its task runs already, so no other was started")
    process.clock(server, advance="30m")
    table = seen(aws, label, begun)
    assert table[["schedule", "status", "state"]].values.tolist() == [
        [label, "STOPPED", "LATEST"],
        [f"{label} (drill)", "SKIPPED", ""],
    ]
    assert statuses(table, label) == GOOD
    because = judge_runs(table, label)[0].because
    assert because.endswith("; 1 firing skipped, since the task was running already")
