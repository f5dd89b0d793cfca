"""The five questions about a long time, each answered from facts whose truth was worked out by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from made_history import (
    CAPACITY,
    DENIED,
    EXITED,
    HOME,
    NOW,
    PLACES,
    PUBLIC_IP,
    deregistered,
    flat,
    known,
    looked,
    ran,
    refused,
    registered,
    role,
    target,
)

from ecs_runbook.inventory.model import Gap
from ecs_runbook.past.asked import look_back
from ecs_runbook.past.facts import frame
from ecs_runbook.past.questions import history as history_from
from ecs_runbook.past.sources import Told

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


def day(number, hour=2, minute=0):
    """Return a moment of November 2026; the range is from 25 October to the 24th, 7:00 UTC."""
    return datetime(2026, 11, number, hour, minute, tzinfo=UTC)


def history_of(*facts, rows=None, **question):
    return looked(flat(facts), rows, **question)[2]


def rows_of(table, *columns):
    return table[list(columns)].astype(object).where(table[list(columns)].notna(), None).to_numpy().tolist()


# -------- which revision ran when


def test_runs_of_one_revision_in_one_state_are_one_stretch():
    history = history_of(
        registered(day(1, 0)),
        [ran(day(number), revision=1) for number in (1, 2)],
        registered(day(2, 12), revision=2),
        ran(day(3), revision=2),
        [ran(day(number), revision=1) for number in (4, 5, 6)],
    )
    assert rows_of(history.stretches, "revision", "state", "latest", "runs", "newest") == [
        [1, "LATEST", 1, 2, False],
        [2, "LATEST", 2, 1, False],
        [1, "STALE", 2, 3, True],
    ]
    assert rows_of(history.stretches, "first", "last")[2] == [day(4), day(6)]


def test_schedules_of_one_family_have_stretches_of_their_own_and_so_has_another_account():
    both = [ran(day(2), schedule="a"), ran(day(2), schedule="b"), ran(day(2), schedule="a", place=PLACES[1])]
    history = history_of(*both)
    assert rows_of(history.stretches, "account", "schedule", "newest") == [
        [HOME.account, "a", True],
        [HOME.account, "b", True],
        [PLACES[1].account, "a", True],
    ]


@pytest.mark.parametrize(
    ("rows", "now"),
    [
        (None, ""),
        ([target("other")], "gone"),
        ([target("nightly", enabled=False)], "disabled"),
        ([target("nightly")], "there"),
    ],
)
def test_what_a_schedule_is_today_is_told_where_it_was_asked(rows, now):
    assert list(history_of(ran(day(2)), rows=rows).stretches["now"]) == [now]


def test_where_not_all_could_be_listed_nothing_is_gone():
    gap = Gap("events:ListRules", "AccessDenied: no", denied=True, place=HOME)
    _, _, history = looked(ran(day(2)), [target("other")], gaps=[gap])
    assert list(history.stretches["now"]) == [""]


# -------- what failed, and why


@pytest.mark.parametrize(
    ("failed", "cause"),
    [
        (refused(day(2), error=DENIED), "run-task-denied-for-the-revision"),
        (refused(day(2), error=PUBLIC_IP), "public-ip-needs-fargate"),
        (refused(day(2), error="InvalidParameterException: TaskDefinition is inactive"), "revision-inactive"),
        (refused(day(2), error=CAPACITY, status="FAILED TO START"), "fargate-capacity"),
        (ran(day(2), code=1), "exit-1"),
        (ran(day(2), code=137, error=f"{EXITED}; {OUT_OF_MEMORY}"), "out-of-memory"),
        (refused(day(2), error="ClientException: Something new."), ""),
    ],
)
def test_a_failure_is_known_by_the_catalogue_from_what_its_facts_say(failed, cause):
    history = history_of(failed)
    assert list(history.failures["cause"]) == [cause]
    assert rows_of(history.causes, "cause", "count") == [[cause, 1]]


def test_causes_are_counted_each_once_the_most_frequent_first():
    history = history_of(
        [refused(day(number), error=DENIED, revision=number) for number in (2, 3, 20)],
        [refused(day(4), schedule="other")],
        [ran(day(5), code=0)],
    )
    assert rows_of(history.causes, "count", "weeks", "first", "last", "schedules") == [
        [3, 2, day(2), day(20), "unknown, with the role nightly-role"],
        [1, 1, day(4), day(4), "other"],
    ]
    assert history.causes["title"][0] == "The role may not run revision … of the family"
    assert "task-definition/nightly:20" in history.causes["said"][0]


def test_what_is_said_of_a_task_that_ended_badly_begins_with_its_exit_code():
    assert list(history_of(ran(day(2), code=3)).failures["said"]) == [f"exit code 3; {EXITED}"]


def test_a_week_begins_on_monday_by_the_readers_clock():
    late_on_sunday = [refused(day(8, 23, 30))]
    assert list(history_of(*late_on_sunday).failures["week"]) == ["2026-11-02"]
    assert list(history_of(*late_on_sunday, timezone="Asia/Tokyo").failures["week"]) == ["2026-11-09"]


def test_containers_that_ended_differently_are_no_failure_since_nobody_knows_which_was_essential():
    call, end = ran(day(2), code=0)
    odd = end | {"exit_code": None, "error": "EssentialContainerExited: Essential container in task exited"}
    history = history_of(call, odd)
    assert history.failures.empty
    assert history.ends_unknown == 1


def test_a_drill_is_in_the_runs_and_in_no_table():
    mark = "events-rule/ecsrb-2a3b62b5-0a1b2c3d"
    drill = ran(day(2))[0] | {"started_by": mark}
    history = history_of(drill, refused(day(3)) | {"started_by": mark})
    assert (len(history.runs), history.drills) == (2, 2)
    assert all(len(one) == 0 for one in (history.stretches, history.failures, history.silences))


def test_only_the_families_that_were_asked_for_count_and_the_nameless_refusals_of_their_schedules():
    rows = [target("nightly"), target("other")]
    facts = [ran(day(2)), ran(day(2), "other"), refused(day(3), error=DENIED), refused(day(3), "other", error=DENIED)]
    history = history_of(*facts, rows=rows, families=["nightly"])
    assert rows_of(history.runs, "schedule", "status") == [["nightly", "ACCEPTED"], ["nightly", "REFUSED"]]
    assert set(history.stretches["family"]) == {"nightly"}
    assert history.never_ran.empty


# -------- from registration to the first run


def test_each_revision_registered_in_the_time_ran_or_waits_or_was_replaced_or_deregistered():
    history = history_of(
        registered(day(1, 0), revision=1),
        ran(day(1, 17), revision=1),
        ran(day(2, 17), revision=1),
        registered(day(3, 0), revision=2),
        registered(day(3, 6), revision=3),
        deregistered(day(3, 9), revision=3),
        registered(day(24, 1), revision=4),
    )
    assert rows_of(history.first_runs, "revision", "hours", "schedule", "outcome") == [
        [1, 17.0, "nightly", "ran"],
        [2, 6.0, "", "replaced before it ran"],
        [3, 3.0, "", "deregistered before it ran"],
        [4, 6.0, "", "waits"],
    ]
    assert history.first_runs["first_run"][0] == day(1, 17)


def test_a_revision_that_was_registered_before_the_time_is_left_out_since_its_first_run_may_be_too():
    history = history_of(registered(NOW - timedelta(days=31)), ran(day(2)))
    assert history.first_runs.empty


# -------- what never ran


def outcomes(history):
    return {row.schedule: (row.outcome, row.due) for row in history.never_ran.itertuples()}


def test_what_was_due_and_placed_no_task_never_ran_and_what_ran_is_not_told_of():
    rows = [
        target("nightly"),
        target("silent"),
        target("s-silent", expression="rate(12 hours)", created=day(20, 12)),
        target("hourly", expression="rate(1 hour)"),
        target("denied"),
        target("off", enabled=False),
        target("yearly", expression="cron(0 2 1 1 ? *)"),
        target("on-events", expression="", pattern='{"source": ["shop"]}'),
    ]
    history = history_of(ran(day(2)), [refused(day(number), "denied", error=DENIED) for number in (3, 4)], rows=rows)
    assert outcomes(history) == {
        "denied": ("failed to start each time", 30),
        "silent": ("never ran", 30),
        "hourly": ("never ran", 719),
        "default/s-silent": ("never ran", 7),
        "yearly": ("was not due", 0),
        "on-events": ("waits for events", 0),
        "off": ("is disabled", 0),
    }
    assert list(history.never_ran["outcome"])[:2] == ["failed to start each time", "never ran"]
    (denied,) = history.never_ran[history.never_ran["schedule"] == "denied"].itertuples()
    assert (denied.refused, denied.last_refusal, denied.cause) == (2, day(4), "run-task-denied-for-the-revision")


def test_nothing_was_due_before_its_family_had_a_revision_nor_in_the_last_minutes():
    rows = [target("young"), target("just-now", expression="cron(50 6 24 11 ? 2026)")]
    history = history_of(registered(day(22, 12), "young"), ran(day(2), "other"), rows=rows)
    assert outcomes(history) == {"young": ("never ran", 2), "just-now": ("was not due", 0)}


def test_a_task_that_may_be_anothers_makes_it_doubtful():
    names = ("report-of-the-whole-company-daily", "report-of-the-whole-company-weekly")
    shared = "arn:aws:iam::111122223333:role/shared"
    rows = [target(name, "report") for name in names]
    rows = [
        replace(row, owner=replace(row.owner, targets=(replace(row.target, role=shared),)), role=shared) for row in rows
    ]
    rows = [replace(row, target=row.owner.targets[0]) for row in rows]
    calls = [one | {"role": shared} for one in ran(day(2), "report", schedule=names[0])]
    history = history_of(calls, rows=rows)
    assert outcomes(history) == dict.fromkeys(names, ("runs may be its own", 30))


def test_what_was_due_before_the_source_knows_of_anything_proves_nothing():
    rows = [target("yearly", expression="cron(0 2 1 2 ? *)"), target("daily")]
    _, _, history = looked(ran(day(2), "other"), rows, days=365.0)
    assert outcomes(history) == {"yearly": ("was not due", 0), "daily": ("never ran", 90)}


def test_a_source_that_does_not_say_since_when_it_knows_is_taken_for_no_older_than_what_it_told():
    question = look_back(now=NOW, days=365.0)
    files = Told(frame(ran(day(2), "other")), [{"source": "log files", "answered": True, "answer": "", "calls": 0}])
    rows = [target("yearly", expression="cron(0 2 1 2 ? *)"), target("daily")]
    assert outcomes(history_from(files, known(rows), question)) == {
        "yearly": ("was not due", 0),
        "daily": ("never ran", 23),  # the 2nd to the 24th
    }


def test_two_schedules_of_one_state_machine_may_each_have_run_what_it_ran():
    machine = "arn:aws:states:eu-west-2:111122223333:stateMachine:run"
    rows = [
        target("s-nightly", "job", through=machine),
        target("s-weekly", "job", through=machine, expression="cron(0 2 ? * MON *)"),
    ]
    rows = [replace(row, role=role("run")) for row in rows]
    calls = [
        one | {"role": role("run"), "started_by": "AWS Step Functions", "caller": "state machine"}
        for one in ran(day(2), "job")
    ]
    found = {schedule: outcome for schedule, (outcome, _) in outcomes(history_of(calls, rows=rows)).items()}
    assert found == dict.fromkeys(("default/s-nightly", "default/s-weekly"), "runs may be its own")


def test_the_silence_of_a_source_about_a_place_that_it_does_not_speak_of_says_nothing():
    rows = [target("silent"), target("silent", place=PLACES[1])]
    history = history_of(ran(day(2), "other"), rows=rows)
    assert rows_of(history.never_ran, "account", "outcome") == [
        [HOME.account, "never ran"],
        [PLACES[1].account, "nothing is told of its account and Region"],
    ]


def test_a_run_of_a_state_machine_is_its_schedules_by_role_and_family():
    row = target("s-machine", "batch", through="arn:aws:states:eu-west-2:111122223333:stateMachine:m")
    row = replace(row, role=role("machine"))
    call = ran(day(2), "batch", schedule="s-machine")[0]
    call |= {"started_by": "AWS Step Functions", "caller": "state machine", "role": role("machine")}
    history = history_of(call, rows=[row])
    assert list(history.stretches["schedule"]) == ["default/s-machine"]
    assert history.never_ran.empty


# -------- the longest silent failure


def silences(history):
    return rows_of(history.silences, "schedule", "failures", "unknown", "hours", "lasts", "ended")


def test_a_row_of_failures_goes_from_its_first_to_its_last_and_a_good_run_ends_it():
    days = {2: 0, 3: 1, 4: 1, 5: 0, 6: 1}
    history = history_of([ran(day(number), code=code) for number, code in days.items()])
    assert silences(history) == [
        ["nightly", 1, 0, 18 * 24 + 5.0, True, None],
        ["nightly", 2, 0, 24.0, False, day(5)],
    ]
    assert rows_of(history.silences, "first", "last")[1] == [day(3), day(4)]


def test_a_task_of_unknown_end_did_start_so_it_ends_refusals_and_no_row_of_bad_ends():
    refusals = history_of(refused(day(2)), refused(day(3)), ran(day(4)))
    assert silences(refusals) == [["nightly", 2, 0, 24.0, False, day(4)]]
    ends = history_of(ran(day(2), code=1), ran(day(3)), ran(day(4), code=1))
    assert silences(ends) == [["nightly", 2, 1, 22 * 24 + 5.0, True, None]]


def test_refusals_that_show_a_role_alone_end_with_what_that_role_runs():
    facts = [refused(day(2), error=DENIED), refused(day(3), error=DENIED), ran(day(4))]
    assert silences(history_of(*facts)) == [["unknown, with the role nightly-role", 2, 0, 24.0, False, day(4)]]
    named = history_of(*facts, rows=[target("nightly")])
    assert silences(named) == [["nightly", 2, 0, 24.0, False, day(4)]]


@pytest.mark.parametrize("rows", [[target("other")], [target("nightly", enabled=False)]])
def test_what_is_gone_or_disabled_fails_no_more(rows):
    history = history_of(ran(day(2), code=1), ran(day(3), code=1), rows=rows)
    assert silences(history) == [["nightly", 2, 0, 24.0, False, None]]


def test_those_that_last_come_first_then_the_longest():
    history = history_of(
        ran(day(20), "late", code=1),
        [ran(day(number), "long", code=1) for number in range(1, 15)],
        ran(day(15), "long", code=0),
        [ran(day(number), "short", code=1) for number in (1, 2)],
        ran(day(3), "short", code=0),
    )
    assert list(history.silences["schedule"]) == ["late", "long", "short"]
    assert all(one >= other for one, other in pairwise(history.silences["lasts"]))


# -------- nothing at all


def test_of_nothing_every_table_is_there_with_its_columns():
    history = history_of(rows=[])
    tables = (history.stretches, history.failures, history.causes, history.first_runs, history.silences)
    assert all(len(one) == 0 and len(one.columns) > 5 for one in tables)
    assert history.runs.attrs["because"].startswith("no run of a schedule was seen")
    assert history.never_ran.empty
