"""``ecs-runbook lint``: what it prints, and its exit code."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lint_trees import GOOD, good, written

from ecs_runbook import workspace
from ecs_runbook.cli import main

TARGET = "    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n"
PINNED = good((TARGET, "    task_definition_arn = aws_ecs_task_definition.this.arn\n"))
QUEUE = "\n  dead_letter_config {\n    arn = aws_sqs_queue.failed.arn\n  }\n"
WINDOW = "  skip_destroy             = true\n"


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (GOOD, [], 0),
        (PINNED, [], 1),
        (PINNED, ["--fail-on", "note"], 1),
        (good((WINDOW, "")), [], 1),
        (good((WINDOW, "")), ["--fail-on", "error"], 0),
        (good((QUEUE, "")), [], 0),
        (good((QUEUE, "")), ["--fail-on", "note"], 1),
        (GOOD + "resource {{", [], 1),
    ],
)
def test_the_exit_code_is_one_where_something_as_grave_is_found(text, options, code, tmp_path, capsys):
    assert main(["lint", str(written(tmp_path, text)), *options]) == code
    assert capsys.readouterr().err == ""


def test_a_silenced_finding_does_not_fail(tmp_path, capsys):
    text = good(
        (TARGET, "    # ecs-runbook: ignore pinned-revision because of audits\n" + PINNED.splitlines()[26] + "\n")
    )
    assert main(["lint", str(written(tmp_path, text))]) == 0
    assert "1 silenced" in capsys.readouterr().out


def test_what_cannot_be_read_at_all_is_two(tmp_path, capsys):
    assert main(["lint", str(tmp_path / "nowhere")]) == 2
    assert main(["lint", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 2
    assert "holds no Terraform" in said.err


def test_nothing_to_read_is_two(capsys):
    assert main(["lint"]) == 2
    assert "There is nothing to read." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04", "is a plan as Terraform keeps it"),
        (b"{", "is not one JSON document"),
        (b"[]", "is not the JSON of a plan"),
        (b"{}", "is not the JSON of a plan"),
    ],
)
def test_a_plan_that_is_none_is_two(content, says, tmp_path, capsys):
    (tmp_path / "plan.json").write_bytes(content)
    assert main(["lint", "--plan", str(tmp_path / "plan.json")]) == 2
    assert says in capsys.readouterr().err


def test_several_folders_are_one_report(tmp_path, capsys):
    for name in ("a", "b"):
        written(tmp_path / name, PINNED)
    assert main(["lint", str(tmp_path / "a"), str(tmp_path / "b"), "--format", "json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 2


def test_the_rules_are_listed(capsys):
    assert main(["lint", "--rules"]) == 0
    assert "pinned-revision            error    the target names one revision" in capsys.readouterr().out


def test_it_starts_as_a_program_and_stops_quietly_when_nobody_reads_on(tmp_path):
    command = [sys.executable, "-m", "ecs_runbook.cli", "lint", str(written(tmp_path, PINNED))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(timeout=60) == 1


def test_a_plan_alone_and_a_plan_beside_its_files(tmp_path, capsys, monkeypatch):
    plan = str(Path(__file__).parent / "recorded" / "plan_of_pinned_revision.json")
    assert main(["lint", "--plan", plan]) == 0
    assert "1 note in the plan; 1 thing not known" in capsys.readouterr().out
    monkeypatch.chdir(shutil.copytree(workspace.modules() / "mistakes" / "pinned_revision", tmp_path / "pinned"))
    assert main(["lint", ".", "--plan", plan, "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["of"] == "files and plan"
    assert [(one["rule"], one["file"], one["line"]) for one in told["findings"] if one["severity"] == "error"] == [
        ("pinned-revision", "main.tf", 28)
    ]


def test_files_are_named_from_where_one_stands(tmp_path, capsys, monkeypatch):
    written(tmp_path, {"infra/main.tf": PINNED, "elsewhere/main.tf": PINNED})
    monkeypatch.chdir(tmp_path / "infra")
    assert main(["lint", str(tmp_path / "infra"), "../elsewhere"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "main.tf:27: error: pinned-revision" in lines
    assert f"{tmp_path}/elsewhere/main.tf:27: error: pinned-revision" in lines


def test_an_interrupt_is_one_line(tmp_path, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("ecs_runbook.lint.check.lint_terraform", interrupt)
    assert main(["lint", str(tmp_path)]) == 130
    assert capsys.readouterr() == ("", "interrupted\n")
