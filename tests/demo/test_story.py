"""The demo's story and its closing table, without running anything."""

from datetime import UTC, datetime

import pytest

from ecs_runbook.demo.__main__ import Told, Unexpected, closing_table, report_of
from ecs_runbook.demo.story import PINNED, RIGHT, NextDay, Step, just_after_the_next_run, story
from ecs_runbook.errors import RunbookError


def steps():
    return [
        step
        for chapter in story({RIGHT: "a", PINNED: "b"})
        if not isinstance(chapter, NextDay)
        for lane in chapter
        for step in lane
    ]


def test_both_schedules_are_made_and_proved_by_the_same_notebooks():
    by = {name: [step.notebook for step in steps() if step.subject == name] for name in (RIGHT, PINNED)}
    assert by[RIGHT] == ["10_generate", "20_apply", "30_fire", "25_new_revision", "40_prove", "90_destroy"]
    assert by[PINNED] == ["10_generate", "20_apply", "25_new_revision", "40_prove"]


def test_only_the_pinned_schedule_is_expected_to_fail_before_it_runs_and_after_and_for_its_revision_alone():
    assert [(step.notebook, step.subject, set(step.finds)) for step in steps() if step.finds] == [
        ("10_generate", PINNED, {"pinned-revision"}),
        ("40_prove", PINNED, {"runs-latest"}),
    ]


@pytest.mark.parametrize(
    ("now", "then"),
    [("2026-11-24T16:59:59", "2026-11-24T17:02:00"), ("2026-11-24T17:00:00", "2026-11-25T17:02:00")],
)
def test_the_clock_stops_while_ecs_still_remembers_the_run(now, then):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert just_after_the_next_run(moment) == datetime.fromisoformat(then).replace(tzinfo=UTC)


def test_an_unexpected_verdict_is_told_with_its_reason_and_its_report():
    check = {"id": "drill-started", "status": "NG", "because": "AccessDenied: no"}
    told = Told(Step("30_fire", RIGHT), {"checks": [check]}, {}, "runs/x/30_fire.html")
    error = Unexpected(told, {"drill-started"})
    assert str(error) == "30_fire everyday2am: drill-started: AccessDenied: no The report: runs/x/30_fire.html."


def test_a_contrast_that_does_not_show_is_an_error_too():
    told = Told(Step("40_prove", PINNED, finds=frozenset({"runs-latest"})), {"checks": []}, {}, "page")
    assert "it did not find runs-latest" in str(Unexpected(told, set()))


def test_a_notebook_that_never_ran_is_named(tmp_path):
    with pytest.raises(RunbookError, match="30_fire did not run: DeadKernelError"):
        report_of(tmp_path / "out.ipynb", Step("30_fire"), "DeadKernelError: gone")


def test_the_table_takes_what_it_says_from_the_receipts():
    def told(notebook, name, receipt):
        return Told(Step(notebook, name), {}, receipt, f"runs/{notebook}.html")

    def run(name, executed, state, requested):
        return {"schedule": name, "executed": executed, "state": state, "requested": f"arn:x/{requested}"}

    everything = []
    for name, requested, last in ((RIGHT, RIGHT, (7, "LATEST")), (PINNED, f"{PINNED}:4", (4, "STALE"))):
        drill = run(f"{name} (drill)", 99, "LATEST", requested)
        runs = [drill, run(name, 4, "LATEST", requested), run(name, *last, requested)]
        everything += [
            told("20_apply", name, {"applied": {"changes": [1, 2, 3]}}),
            told("40_prove", name, {"runs": runs}),
        ]
    lines = closing_table(everything).splitlines()
    assert lines[2].split() == ["the", "target", "names", "everyday2am", "everyday2am-pinned:4"]
    assert lines[3].count("3 resources") == 2
    assert lines[4].split()[3:] == ["ran", "everyday2am:4", "LATEST", "ran", "everyday2am-pinned:4", "LATEST"]
    assert lines[5].split()[3:] == ["ran", "everyday2am:7", "LATEST", "ran", "everyday2am-pinned:4", "STALE"]
