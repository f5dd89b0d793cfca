"""Start, find again, move, stop: each test has a folder of its own."""

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ecs_runbook import workspace
from ecs_runbook.errors import LocalAwsError, WorkspaceError
from ecs_runbook.local_aws import process


@pytest.fixture
def folder(tmp_path):
    yield tmp_path / "here"
    process.stop(tmp_path / "here")


def test_what_was_started_is_found_and_can_be_stopped(folder):
    started = process.start(folder)
    assert process.status(folder) == started
    assert process.health(started)["life"] == started.life
    assert process.stop(folder) is True
    assert process.status(folder) is None
    assert process.stop(folder) is False
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", started.port)) != 0


def test_a_stopped_process_is_gone(folder):
    started = process.start(folder)
    process.stop(folder)
    with pytest.raises(ProcessLookupError):
        os.kill(started.pid, 0)


def test_two_starts_at_once_end_with_one_server(folder):
    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(lambda _: process.start(folder), range(4)))
    assert len({(server.pid, server.life) for server in servers}) == 1


def test_a_restarted_server_is_another_life(folder):
    first = process.start(folder)
    process.stop(folder)
    assert process.start(folder).life != first.life


def test_terraforms_state_of_a_life_goes_with_it_and_no_other(folder, tmp_path, monkeypatch):
    monkeypatch.setenv(workspace.HOME_VARIABLE, str(tmp_path))
    kept, gone = workspace.state("another"), workspace.state(process.start(folder).life)
    for state in (kept, gone):
        state.mkdir(parents=True)
        (state / "x.tfstate").touch()
    process.stop(folder)
    assert not gone.exists()
    assert (kept / "x.tfstate").is_file()


def test_it_listens_on_the_port_that_was_named(folder):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    server = process.start(folder, port=free)
    assert (server.port, server.url) == (free, f"http://127.0.0.1:{free}")


def test_a_taken_port_is_named_with_its_remedy(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalAwsError, match=f"port = {port}: .*Name another with --port"):
            process.start(folder, port=port)
    assert process.status(folder) is None


def test_a_port_that_is_none_is_refused(folder):
    with pytest.raises(LocalAwsError, match="port = 99999"):
        process.start(folder, port=99999)


def test_another_port_than_that_of_the_running_one_is_refused(folder):
    server = process.start(folder)
    with pytest.raises(LocalAwsError, match=f"already runs on port {server.port}"):
        process.start(folder, port=server.port + 1)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "[]",
        '{"port": 1}',
        json.dumps({"port": 1, "pid": os.getpid(), "life": "x"}),  # nobody listens; the pid is another's
    ],
    ids=["empty", "broken", "a list", "incomplete", "nobody listens"],
)
def test_a_note_of_one_that_does_not_answer_is_not_believed(tmp_path, note):
    (tmp_path / process.NOTE).write_text(note)
    assert process.status(tmp_path) is None
    assert process.stop(tmp_path) is False


def test_a_note_with_another_life_is_not_believed(folder):
    server = process.start(folder)
    note = folder / process.NOTE
    kept = note.read_text()
    note.write_text(json.dumps({"port": server.port, "pid": os.getpid(), "life": "another"}))
    assert process.status(folder) is None
    note.write_text(kept)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"file.*cannot be made"):
        process.start(tmp_path / "file" / "below")


def test_without_moto_the_remedy_is_named(folder, monkeypatch):
    monkeypatch.setattr(process.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(LocalAwsError, match=r"needs moto, flask, flask_cors.*extra `local`"):
        process.start(folder)


def test_one_that_ends_at_once_says_why(folder, monkeypatch):
    monkeypatch.setattr(process.sys, "executable", "/bin/false" if Path("/bin/false").exists() else "/usr/bin/false")
    with pytest.raises(LocalAwsError, match="ended at once"):
        process.start(folder)


def test_nothing_of_the_environment_leads_to_an_aws(folder, monkeypatch):
    hostile = {
        "AWS_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIAREALLYREALKEY000",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_ENDPOINT_URL": "https://example.com",
        "AWS_CONFIG_FILE": "/nonexistent/config",
        "MOTO_ACCOUNT_ID": "999999999999",
        "HTTP_PROXY": "http://192.0.2.1:9",
        "http_proxy": "http://192.0.2.1:9",
        "TEST_SERVER_MODE": "true",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    server = process.start(folder)
    assert process.health(server)["account"] == "123456789012"
    inner = Path(f"/proc/{server.pid}/environ")
    if inner.exists():
        assert "production" not in inner.read_text()
        assert "AKIAREALLYREALKEY000" not in inner.read_text()


def test_the_clock_is_read_moved_frozen_and_released(folder):
    server = process.start(folder)
    assert process.clock(server, freeze=True)["frozen"] is True
    assert process.clock(server, to="2030-01-01T17:00:00Z") == {
        "now": "2030-01-01T17:00:00+00:00",
        "frozen": True,
        "actions": 0,
    }
    assert process.clock(server, advance="24h")["now"] == "2030-01-02T17:00:00+00:00"
    assert process.clock(server)["now"] == "2030-01-02T17:00:00+00:00"
    assert process.clock(server, release=True)["frozen"] is False


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"to": "2020-01-01T00:00:00Z"}, "never goes back"),
        ({"to": "tomorrow"}, "a moment reads like"),
        ({"advance": "-1h"}, "a span of time reads like"),
        ({"to": "2030-01-01T00:00:00Z", "freeze": True}, "one of to, advance, freeze, release"),
    ],
)
def test_a_move_that_cannot_be_is_refused_in_words(server, wanted, words):
    with pytest.raises(LocalAwsError, match=words):
        process.clock(server, **wanted)


def test_asking_one_that_is_gone_says_how_to_start_it(tmp_path):
    gone = process.Server("http://127.0.0.1:1", 1, 1, "x", tmp_path)
    with pytest.raises(LocalAwsError, match=r"does not answer.*ecs-runbook local start"):
        process.health(gone)
