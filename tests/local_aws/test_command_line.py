"""``ecs-runbook local …`` as a person types it."""

import pytest

from ecs_runbook import cli
from ecs_runbook.local_aws import process


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    yield tmp_path
    process.stop(tmp_path / ".local")


def test_start_prints_the_url_last_and_it_answers(home, capsys):
    assert cli.main(["local", "start"]) == 0
    url = capsys.readouterr().out.splitlines()[-1]
    server = process.status(home / ".local")
    assert server is not None
    assert url == server.url


def test_the_clock_is_moved_and_its_time_is_said(home, capsys):
    cli.main(["local", "start"])
    cli.main(["local", "clock", "--freeze"])
    assert cli.main(["local", "clock", "--to", "2030-01-01T17:00:00Z"]) == 0
    assert "2030-01-01T17:00:00+00:00" in capsys.readouterr().out
    assert cli.main(["local", "status"]) == 0
    assert "stands still" in capsys.readouterr().out


def test_stop_stops_it_and_says_when_there_was_none(home, capsys):
    cli.main(["local", "start"])
    assert cli.main(["local", "stop"]) == 0
    assert cli.main(["local", "stop"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["stopped", "it did not run"]


@pytest.mark.parametrize("verb", [["status"], ["clock", "--advance", "24h"]])
def test_without_a_server_one_line_on_stderr_says_what_to_do(home, capsys, verb):
    assert cli.main(["local", *verb]) == 1
    said = capsys.readouterr()
    assert said.err == "The local AWS does not run. Start it with `ecs-runbook local start`.\n"
    assert said.out == ""


def test_a_wrong_span_is_one_line_on_stderr(home, capsys):
    cli.main(["local", "start"])
    assert cli.main(["local", "clock", "--advance", "soon"]) == 1
    assert capsys.readouterr().err == (
        "advance = soon: a span of time reads like 90s, 30m, 24h or 7d, and never goes back.\n"
    )


@pytest.mark.parametrize("words", [[], ["local"], ["local", "go"], ["local", "clock", "--to", "x", "--freeze"]])
def test_a_command_that_is_none_is_refused(words):
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
