"""The runs that took more than one attempt, as the page shows them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from made_checks import HOME

from ecs_runbook.checks.findings import Checked
from ecs_runbook.evidence.runs import Run
from ecs_runbook.firing.names import Definition
from ecs_runbook.inventory.firings import Attempt
from ecs_runbook.inventory.model import Inventory
from ecs_runbook.inventory.runs import table
from ecs_runbook.reports import attempts as module
from ecs_runbook.reports.attempts import attempts

FIVE = datetime(2026, 11, 24, 17, tzinfo=UTC)


def tried(number, *, status="STOPPED", code=0, revision=6, state="LATEST", error="", run="one", minutes=None):
    """One attempt, ten minutes after the one before it."""
    time = FIVE + timedelta(minutes=10 * (number - 1) if minutes is None else minutes)
    executed = Definition("nightly", revision) if revision else None
    return Run(
        time, "nightly", "CloudTrail", executed=executed, status=status, exit_code=code, error=error, run=run,
        attempt=number, state=state, latest=revision or None,
    )  # fmt: skip


def shown(*several, zone=UTC, subject="nightly"):
    told = [(HOME, (subject, Attempt(FIVE, list(own), due=FIVE))) for own in several]
    return attempts(Checked(Inventory(), [], table(told)), zone=zone)


FAILED = {"code": 3, "error": "EssentialContainerExited: Essential container in task exited"}
GOOD = (tried(1, **FAILED), tried(2, **FAILED), tried(3, revision=7))


def test_where_no_run_took_more_than_one_attempt_a_sentence_says_so():
    assert repr(shown((tried(1),))) == "No run took more than one attempt."
    assert repr(shown()) == "No run took more than one attempt."


def test_attempts_of_one_run_stand_together_and_the_last_one_decides():
    told = shown(GOOD, (tried(1, run="other"),))
    assert repr(told).splitlines() == [
        "1 run took more than one attempt; 1 of them ended well by the last one.",
        f"nightly: exit code 3: {FAILED['error']}, then exit code 3: {FAILED['error']}, then exit code 0",
    ]
    rows = told.html.partition("<tbody>")[2].partition("</tbody>")[0].strip().splitlines()
    assert len(rows) == 3
    assert '<b class="OK">OK</b> nightly<br><small>due 24 Nov 17:00:00</small>' in rows[0]
    assert "24 Nov 17:20:00" in rows[2]
    assert '7 <b class="OK">LATEST</b>' in rows[2]


def test_times_are_told_in_the_readers_zone():
    assert "due 25 Nov 02:00:00" in shown(GOOD, zone=ZoneInfo("Asia/Tokyo")).html


@pytest.mark.parametrize(
    ("last", "word", "end"),
    [
        (tried(2, **FAILED), "error", "exit code 3: EssentialContainerExited"),
        (tried(2, code=None, error="States.Timeout"), "error", "States.Timeout"),
        (tried(2, status="RUNNING", code=None), "note", "RUNNING"),
        (
            tried(2, status="REFUSED", code=None, revision=0, state="", error="AccessDenied: no"),
            "error",
            "REFUSED: Acc",
        ),
        (
            tried(2, status="FAILED TO START", code=None, revision=0, state="", error="no capacity"),
            "error",
            "FAILED TO",
        ),
        (tried(2, state="STALE"), "OK", "exit code 0"),
    ],
)
def test_how_a_run_stands_and_how_its_last_attempt_ended(last, word, end):
    told = shown((tried(1, **FAILED), last))
    assert f'<b class="{word}">{word}</b> nightly' in told.html
    assert repr(told).partition(", then ")[2].startswith(end)


def test_an_attempt_that_ran_an_old_revision_is_marked():
    assert '6 <b class="error">STALE</b>' in shown((tried(1, **FAILED), tried(2, state="STALE"))).html


def test_of_many_runs_the_newest_are_shown(monkeypatch):
    monkeypatch.setattr(module, "MOST_RUNS", 2)
    several = [[tried(n, run=f"r{day}", minutes=day * 1440 + n) for n in (1, 2)] for day in range(3)]
    told = shown(*several)
    assert "3 runs took more than one attempt; 3 of them ended well by the last one. The newest 2 follow" in told.html
    assert "24 Nov" not in told.html.replace("due 24 Nov", "")
    assert "26 Nov 17:02:00" in told.html


def test_what_aws_says_is_text_and_no_markup():
    told = shown((tried(1, **FAILED), tried(2, code=1, error="<script>alert(1)</script>")), subject="<img src=x>")
    assert "<script>alert" not in told.html
    assert "<img" not in told.html
