"""The demo's story and its closing table, without running anything."""

from datetime import UTC, datetime

import pytest

from ecs_runbook import workspace
from ecs_runbook.demo.__main__ import Told, Unexpected, closing_table, main, own_folders, report_of
from ecs_runbook.demo.story import PINNED, RIGHT, NextDay, Step, just_after_the_next_run, story
from ecs_runbook.errors import RunbookError
from ecs_runbook.terraform import binary


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


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv(workspace.HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_terraform_that_is_too_old_is_told_before_anything_begins(home, monkeypatch, tmp_path, capsys):
    program = tmp_path / "bin" / "terraform"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho \'{"terraform_version": "1.5.7"}\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(binary, "_bundled", lambda: False)
    assert main() == 1
    said = capsys.readouterr()
    assert said.err.strip().startswith(f"demo: {program} is 1.5.7, and 1.6 or newer is needed. Install Terraform")
    assert said.out == ""
    assert not home.exists()


def test_a_mirror_without_the_provider_is_told_before_anything_begins(home, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("TF_CLI_CONFIG_FILE", raising=False)
    monkeypatch.setenv("TF_PLUGIN_MIRROR", str(tmp_path))
    assert main() == 1
    said = capsys.readouterr()
    assert f"demo: TF_PLUGIN_MIRROR = {tmp_path} holds no registry.terraform.io/hashicorp/aws. Fill it" in said.err
    assert said.out == ""
    assert not (home / "runs").exists()


def test_what_is_half_done_does_not_stay_and_what_is_done_does(home):
    with own_folders() as (_, build):
        (build / RIGHT).mkdir()
    assert (build / RIGHT).is_dir()

    def break_off():
        with own_folders() as (_, build):
            (build / PINNED).mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert [path.name for path in build.iterdir()] == [".lock"]
