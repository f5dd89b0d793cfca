"""What five checks make of a table of runs."""

import pandas as pd
import pytest

from ecs_runbook.evidence.runs import RUN_COLUMNS, empty
from ecs_runbook.verdicts.runs import CHECK_IDS, judge_runs


def table(*rows, **attrs):
    base = {
        "time": pd.Timestamp("2026-11-24T17:00:12Z"),
        "schedule": "nightly",
        "requested": "nightly",
        "run": "",
        "attempt": 1,
        "executed": 2,
        "latest": 2,
        "state": "LATEST",
        "launch_type": "FARGATE",
        "status": "STOPPED",
        "exit_code": 0,
        "error": "",
        "source": "ECS + CloudTrail",
        "task": "t",
        "role": "r",
    }
    numbers = {"executed": "Int64", "latest": "Int64", "exit_code": "Int64"}
    frame = pd.DataFrame([base | row for row in rows], columns=RUN_COLUMNS).astype(numbers)
    frame.attrs = {"asked": [{"source": "CloudTrail", "answered": True, "answer": "has 1"}], **attrs}
    return frame


def statuses(frame):
    return {check.id: check.status for check in judge_runs(frame, "nightly")}


def the(id_, frame):
    return next(check for check in judge_runs(frame, "nightly") if check.id == id_)


STALE = {"executed": 1, "state": "STALE", "task": "old"}
REFUSED = {
    "executed": None,
    "latest": None,
    "state": "",
    "status": "REFUSED",
    "exit_code": None,
    "error": "AccessDenied: User: …",
    "source": "CloudTrail",
    "task": "",
}
FORGOTTEN = {"status": "ACCEPTED", "exit_code": None, "source": "CloudTrail"}
OK = {"runs-seen": "OK", "runs-attributed": "OK", "runs-latest": "OK", "runs-succeeded": "OK", "runs-refused": "OK"}
CASES = [
    ("a good run", table({}), {}),
    ("a stale run", table({}, STALE), {"runs-latest": "NG"}),
    ("stale outweighs unknown", table(STALE, {"state": "UNKNOWN"}), {"runs-latest": "NG"}),
    ("unknown is not good", table({}, {"state": "UNKNOWN", "executed": None}), {"runs-latest": "SKIP"}),
    ("exit code 3", table({"exit_code": 3}), {"runs-succeeded": "NG"}),
    ("stopped, but never ran", table({"exit_code": None}), {"runs-succeeded": "NG"}),
    (
        "stopped by Spot, though it said 0",
        table({"error": "SpotInterruption: Your Spot Task was interrupted."}),
        {"runs-succeeded": "NG"},
    ),
    ("runs still", table({"status": "RUNNING", "exit_code": None}), {"runs-succeeded": "SKIP"}),
    ("waits still", table({"status": "PENDING", "exit_code": None}, {}), {"runs-succeeded": "SKIP"}),
    ("all ends forgotten", table(FORGOTTEN), {"runs-succeeded": "SKIP"}),
    ("one end forgotten, one known", table(FORGOTTEN, {}), {}),
    ("refused", table({}, REFUSED), {"runs-refused": "NG"}),
    ("nothing but refused", table(REFUSED), {"runs-latest": "SKIP", "runs-succeeded": "SKIP", "runs-refused": "NG"}),
    ("failed to start", table({}, REFUSED | {"status": "FAILED TO START"}), {"runs-refused": "NG"}),
    ("ambiguous", table({"schedule": "ambiguous: nightly or weekly"}), {"runs-attributed": "SKIP"}),
    (
        "CloudTrail does not answer",
        table({}, asked=[{"source": "CloudTrail", "answered": False, "answer": "no"}]),
        {"runs-refused": "SKIP"},
    ),
]


@pytest.mark.parametrize(("frame", "other"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_a_table_comes_to(frame, other):
    assert statuses(frame) == OK | other


def test_no_run_at_all_is_skip_and_says_why():
    frame = empty()
    frame.attrs = {"because": "rule nightly is disabled", "asked": [{"source": "CloudTrail", "answered": True}]}
    assert the("runs-seen", frame).because == "rule nightly is disabled"
    assert statuses(frame) == dict.fromkeys(CHECK_IDS, "SKIP") | {"runs-refused": "OK"}


def test_a_stale_run_is_named_with_its_time_and_both_revisions():
    check = the("runs-latest", table({}, STALE, notes={"old": "asked for nightly:1, a fixed revision"}))
    assert check.because == (
        "1 of 2 runs took an older revision: at 2026-11-24 17:00:12 UTC revision 1 while 2 was the latest"
        " (asked for nightly:1, a fixed revision)"
    )
    assert check.next.startswith("Let the target name the family without a revision: 10_generate")


def test_a_stale_run_so_young_that_ecs_may_have_lagged_is_ng_all_the_same_but_is_to_be_fired_again():
    note = "revision 2 was registered 3 s before; ECS is eventually consistent, and AWS does not say how long"
    check = the("runs-latest", table(STALE, notes={"old": note}))
    assert check.status == "NG"
    assert note in check.because
    assert check.next == "Fire it once more with 30_fire: if it is stale again, its target is pinned."


def test_a_slice_that_lost_what_was_asked_still_knows_cloudtrail_by_its_rows():
    assert statuses(table({}, asked=[]))["runs-refused"] == "OK"
    assert statuses(table({"source": "ECS"}, asked=[]))["runs-refused"] == "SKIP"


def test_of_many_bad_runs_the_newest_three_are_named():
    rows = [STALE | {"time": pd.Timestamp(f"2026-11-{day}T17:00:00Z")} for day in range(10, 16)]
    because = the("runs-latest", table(*rows)).because
    assert [f"2026-11-{day}" in because for day in range(10, 16)] == [False, False, False, True, True, True]
    assert because.endswith("; and 3 more")


def test_a_refusal_is_told_in_awss_words():
    assert the("runs-refused", table(REFUSED)).because == (
        "1 start refused: at 2026-11-24 17:00:12 UTC AccessDenied: User: …"
    )


def test_a_failed_run_names_exit_code_and_reason():
    because = the("runs-succeeded", table({"exit_code": 137, "error": "OutOfMemoryError: …"})).because
    assert because == (
        "1 of 1 run did not end well: at 2026-11-24 17:00:12 UTC revision 2: exit code 137, OutOfMemoryError: …"
    )


BAD = {"exit_code": 3, "error": "EssentialContainerExited: Essential container in task exited"}


def attempts(*rows, name="one", **attrs):
    return table(*({"run": name, "attempt": number} | row for number, row in enumerate(rows, start=1)), **attrs)


def test_a_run_is_good_if_its_last_attempt_is():
    frame = attempts(BAD, BAD, {"executed": 3, "latest": 3})
    assert statuses(frame) == OK
    assert the("runs-seen", frame).because.startswith("1 run seen in 3 attempts, the last at ")
    assert the("runs-latest", frame).because.startswith("all 3 attempts took the latest revision; the last, at ")
    assert the("runs-succeeded", frame).because == "1 run ended with exit code 0, 1 of them only after 3 attempts"


def test_a_run_whose_last_attempt_failed_is_not_good_and_the_attempt_is_named():
    frame = attempts(BAD, BAD, BAD)
    assert statuses(frame) == OK | {"runs-succeeded": "NG"}
    because = the("runs-succeeded", frame).because
    assert because.startswith("1 of 1 run did not end well: at ")
    assert "revision 2, attempt 3: exit code 3, EssentialContainerExited" in because


def test_an_attempt_that_took_an_older_revision_counts_though_a_later_one_went_well():
    assert statuses(attempts(STALE | BAD, {})) == OK | {"runs-latest": "NG"}


def test_a_start_that_was_refused_and_tried_again_is_no_fault_and_is_told():
    capacity = REFUSED | {"status": "FAILED TO START", "error": "Capacity is unavailable at this time."}
    frame = attempts(capacity, capacity, capacity, {})
    assert statuses(frame) == OK
    told = the("runs-refused", frame).because
    assert told.startswith("3 starts refused, and tried again: at ")
    assert "attempt 3, Capacity is unavailable at this time." in told
    assert statuses(attempts(capacity, capacity)) == OK | {
        "runs-latest": "SKIP",
        "runs-succeeded": "SKIP",
        "runs-refused": "NG",
    }


def test_a_run_that_goes_on_is_not_judged_by_the_attempt_that_failed():
    frame = attempts(BAD, under_way=["one"])
    assert statuses(frame) == OK | {"runs-succeeded": "SKIP"}
    assert "attempt 1 of " in the("runs-succeeded", frame).because
    assert the("runs-succeeded", frame).because.endswith(" ended, and its state machine goes on")
    assert statuses(attempts(REFUSED, under_way=["one"]))["runs-refused"] == "OK"


def test_a_run_that_was_given_up_is_not_good_whatever_is_known_of_its_task():
    given_up = {"status": "TIMED OUT", "exit_code": None, "error": "States.Timeout"}
    assert statuses(attempts(given_up)) == OK | {"runs-succeeded": "NG"}
    assert "no exit code, States.Timeout" in the("runs-succeeded", attempts(given_up)).because
    assert statuses(attempts(given_up | {"status": "RUNNING"}))["runs-succeeded"] == "NG"


def test_an_execution_that_anybody_may_have_started_comes_with_what_would_tell_it_apart():
    doubtful = {
        "schedule": "ambiguous: default/nightly or somebody else who starts nightly",
        "source": "Step Functions",
    }
    check = the("runs-attributed", table(doubtful))
    assert check.status == "SKIP"
    assert check.because.endswith(" default/nightly or somebody else who starts nightly")
    assert check.next == (
        "Let the schedule's input name it, by <aws.scheduler.schedule-arn>; or ask again in a few minutes."
    )


def test_a_task_that_told_by_its_token_that_it_went_well_is_believed():
    frame = attempts(BAD, {"status": "SUCCEEDED", "exit_code": None})
    assert statuses(frame) == OK
    assert the("runs-succeeded", frame).because == "1 run ended well, as the task told, 1 of them only after 2 attempts"


SKIPPED = REFUSED | {"status": "SKIPPED", "error": "", "source": "Step Functions", "run": "two"}


def test_a_firing_that_was_skipped_is_told_and_is_no_run():
    frame = table({"run": "one"}, SKIPPED)
    assert statuses(frame) == OK
    assert the("runs-seen", frame).because.endswith("; 1 firing skipped, since the task was running already")
    alone = table(SKIPPED)
    assert statuses(alone)["runs-seen"] == "SKIP"
    assert the("runs-seen", alone).because.startswith("no run was seen; 1 firing skipped, since the task was running")
