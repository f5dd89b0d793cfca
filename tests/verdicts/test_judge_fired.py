"""What three checks make of a drill."""

from dataclasses import replace

import pytest

from ecs_runbook.firing.drill import Fired
from ecs_runbook.verdicts.drill import judge_fired

GOOD = Fired(
    rule="nightly",
    drill_rule="ecsrb-2a3b62b5-0a1b2c3d",
    event_ids=("e",),
    tasks=("t",),
    requested="nightly",
    executed=2,
    status="STOPPED",
    exit_code=0,
    refused_code="",
    refused_message="",
    error="",
    hint="",
    dry_command=None,
    seconds=4.2,
    calls=9,
)
NONE = {"tasks": (), "executed": None, "exit_code": None}
CASES = [
    ("good", {}, ["OK", "OK", "OK"]),
    ("refused", {**NONE, "status": "REFUSED", "refused_code": "AccessDenied"}, ["NG", "SKIP", "OK"]),
    ("failed to start", {**NONE, "status": "FAILED TO START", "refused_code": "AGENT"}, ["NG", "SKIP", "OK"]),
    ("nothing seen", {**NONE, "status": "NOTHING SEEN", "hint": "wait"}, ["SKIP", "SKIP", "OK"]),
    ("runs still", {"status": "RUNNING", "exit_code": None, "hint": "wait"}, ["OK", "SKIP", "OK"]),
    ("exit code 3", {"exit_code": 3}, ["OK", "NG", "OK"]),
    ("never ran", {"exit_code": None, "error": "TaskFailedToStart: x"}, ["OK", "NG", "OK"]),
    ("left behind", {"left_behind": "ecsrb-2a3b62b5-0a1b2c3d", "hint": "clear"}, ["OK", "OK", "NG"]),
]


@pytest.mark.parametrize(("change", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_a_drill_comes_to(change, expected):
    assert [check.status for check in judge_fired(replace(GOOD, **change))] == expected


def test_a_refusal_is_told_in_awss_words():
    fired = replace(GOOD, **NONE, status="REFUSED", refused_code="AccessDenied", refused_message="User: … is not")
    assert judge_fired(fired)[0].because == "refused: AccessDenied: User: … is not"


def test_a_dry_run_is_never_told_as_the_real_one():
    check = judge_fired(replace(GOOD, dry_command=("true",)))[1]
    assert check.because == "exit code 0 of true in place of its own command"


def test_a_bad_end_says_how():
    assert judge_fired(replace(GOOD, exit_code=137, error="OutOfMemoryError: x"))[1].because == (
        "exit code 137: OutOfMemoryError: x"
    )
