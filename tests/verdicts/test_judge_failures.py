"""NG with causes, OK with the runs seen, SKIP where nothing could be judged."""

from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd
import pytest

from ecs_runbook.diagnosis.explain import explain
from ecs_runbook.diagnosis.failures import ASKED_COLUMNS, Explanations, Failures, Runs
from ecs_runbook.diagnosis.merging import Failure
from ecs_runbook.diagnosis.sighting import Sighting
from ecs_runbook.verdicts.failures import judge_failures
from ecs_runbook.verdicts.verdict import worst

FIVE = datetime(2026, 11, 24, 17, tzinfo=UTC)
PUBLIC_IP = ("InvalidParameterException", "Assign public IP is not supported for this launch type.")
NEW = ("NewException", "Something new.")
LATE = "calls after 17:45 UTC may not be written yet"


def a_failure(said=PUBLIC_IP, *, subject="nightly", at=FIVE):
    seen = Sighting("CloudTrail", at, *said)
    return Failure(at, subject, ["CloudTrail"], [explain(seen, rule="nightly")])


def found(*several, runs=None, silent=(), missed=()):
    rows = [
        (source, source not in silent, "the caller needs it" if source in silent else "told", 1, late, "")
        for source, late in (("ECS", ""), ("DLQ", ""), ("CloudTrail", LATE), ("EventBridge", ""))
    ]
    causes = {(one.best.cause, one.best.seen.message): one.best for one in several}
    return Failures(
        about="rule nightly",
        since=FIVE,
        until=FIVE,
        found=several,
        asked=pd.DataFrame(rows, columns=ASKED_COLUMNS),
        runs=runs or Runs(),
        missed=missed,
        explanations=Explanations(causes.values()),
    )


def judged(failures):
    return [(check.id, check.status) for check in judge_failures(failures)]


def test_the_run_of_attempts_that_were_mended_is_no_other_run():
    seen = Runs(ended_well=1)
    mended = replace(a_failure(), mended=True)
    cause, runs, _ = judge_failures(found(mended, runs=seen))
    assert (cause.status, runs.status, runs.because) == ("OK", "OK", f"1 run: {seen}")
    runs = judge_failures(found(mended, a_failure(NEW), runs=seen))[2]
    assert (runs.status, runs.because) == ("OK", f"1 other run: {seen}")


def test_each_cause_is_ng_on_its_own_with_its_remedy():
    several = [a_failure(), a_failure(at=FIVE.replace(hour=18)), a_failure(NEW)]
    first, second, told = judge_failures(found(*several))
    assert (first.id, first.subject, first.status) == ("failure-cause", "nightly", "NG")
    assert "2 times, from 2026-11-24 17:00:00 to 2026-11-24 18:00:00 UTC; " in first.because
    assert PUBLIC_IP[1] in first.because
    assert "FARGATE" in first.next
    assert second.because == (
        "of a cause that the catalogue does not know: once, at 2026-11-24 17:00:00 UTC; NewException: Something new."
    )
    assert second.next == "Read AWS's own words; nothing is guessed. The receipt has the whole record."
    assert (told.id, told.status) == ("failures-told", "OK")


def test_runs_without_a_failure_are_ok_with_their_number():
    runs, told = judge_failures(found(runs=Runs(ended_well=2, end_unknown=1)))
    assert (runs.status, runs.because) == (
        "OK",
        "3 runs: 2 ended with exit code 0, 1 with an end that ECS has forgotten",
    )
    assert (told.status, told.because) == ("OK", f"every source answered; {LATE}")


def test_nothing_seen_is_nothing_to_judge():
    runs, _ = judge_failures(found())
    assert runs.status == "SKIP"
    assert runs.because.startswith("no run and no failure was seen in that time: ")
    assert runs.next == "Look at a longer time, or fire it with 30_fire."


@pytest.mark.parametrize("runs", [Runs(end_unknown=3), Runs(running=1)])
def test_runs_of_which_nobody_knows_the_end_are_not_called_good(runs):
    assert judged(found(runs=runs)) == [("failures-runs", "SKIP"), ("failures-told", "OK")]


@pytest.mark.parametrize("source", ["ECS", "DLQ", "CloudTrail", "EventBridge"])
def test_a_source_that_alone_could_tell_and_was_silent_makes_it_skip(source):
    checks = judge_failures(found(runs=Runs(ended_well=3), silent=[source]))
    assert worst(check.status for check in checks) == "SKIP"
    assert checks[-1].because.startswith(f"{source}, which alone tells ")
    assert checks[-1].because.endswith("did not answer or not in full: the caller needs it")


def test_a_silent_source_does_not_hide_what_the_others_told():
    assert judged(found(a_failure(), silent=["CloudTrail"])) == [("failure-cause", "NG"), ("failures-told", "SKIP")]


def test_a_failure_that_may_be_anothers_is_said():
    checks = judge_failures(found(a_failure(subject="ambiguous: nightly or hourly")))
    assert [(check.id, check.status) for check in checks][1] == ("failures-attributed", "SKIP")
    assert checks[1].because == "1 of 1 failures cannot be told from another's: nightly or hourly"


def test_a_time_without_a_trace_is_not_ok():
    checks = judge_failures(found(runs=Runs(ended_well=3), missed=(FIVE,)))
    assert [check.status for check in checks] == ["OK", "SKIP", "OK"]
    assert checks[1].because.startswith(
        "by its expression it was due 1 time without any trace, last 2026-11-24 17:00 UTC: "
    )


def test_a_failure_of_unknown_time_is_judged_too():
    assert "at an unknown time" in judge_failures(found(a_failure(at=None)))[0].because
