"""Many files are read by several processes: the same comes of it, whatever becomes of these."""

import os
import signal
import subprocess
import sys
import time

import pytest
from lint_trees import good, seen, written

from ecs_runbook.lint import reading, worker
from ecs_runbook.lint.check import lint_terraform

PINNED = good(
    (
        "    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n",
        "    task_definition_arn = aws_ecs_task_definition.this.arn\n",
    )
)
FOLDERS = 34


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A tree that is worth several processes; one file of it is broken."""
    folder = tmp_path_factory.mktemp("tree")
    files = {f"job-{number:02}/main.tf": PINNED for number in range(FOLDERS)}
    return written(folder, {**files, "job-00/broken.tf": "locals {\n", "job-01/more.tf.json": "{"})


@pytest.fixture
def several(monkeypatch):
    monkeypatch.setattr(reading, "_cores", lambda: 2)
    monkeypatch.setattr(reading, "_ALONE_BYTES", 20_000)


@pytest.fixture
def expected():
    found = {("pinned-revision", f"job-{number:02}/main.tf", 27): 1 for number in range(FOLDERS)}
    broken = [("job-00/broken.tf", 1), ("job-01/more.tf.json", 1)]
    return found | {("unreadable-file", name, line): 1 for name, line in broken}


def test_several_processes_find_what_one_finds(tree, several, expected, monkeypatch):
    started = []
    start = worker._started
    monkeypatch.setattr(worker, "_started", lambda: started.append(start()) or started[-1])
    told = []
    report = lint_terraform(tree, progress=lambda name, share, note: told.append((name, share, note)))
    assert seen(report) == expected
    assert len(started) == 2
    assert [process.poll() is not None for process in started] == [True, True]
    assert told[-1] == ("files", 1.0, f"{FOLDERS + 2} of {FOLDERS + 2} read")
    assert [share for _, share, _ in told] == sorted(share for _, share, _ in told)
    monkeypatch.setattr(reading, "_cores", lambda: 1)
    assert lint_terraform(tree).findings == report.findings


@pytest.mark.parametrize(
    "program",
    [
        "raise SystemExit(3)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write(b'\\0' * 11 + b'\\7')",  # a frame that never ends
        "import sys; sys.stdin.close(); sys.stdout.close()",
    ],
)
def test_what_a_process_that_failed_did_not_read_is_read_all_the_same(program, tree, several, expected, monkeypatch):
    start = worker._started
    started = []

    def first_fails():
        started.append(program)
        if len(started) > 1:
            return start()
        return subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(worker, "_started", first_fails)
    assert seen(lint_terraform(tree)) == expected
    assert len(started) == 2


def test_a_process_that_is_killed_on_the_way_is_made_up_for(tree, several, expected, monkeypatch):
    started = []
    start = worker._started
    monkeypatch.setattr(worker, "_started", lambda: started.append(start()) or started[-1])
    killed = []

    def kill(name, share, note):
        if started and not killed:
            killed.append(share)
            os.kill(started[0].pid, signal.SIGKILL)

    assert seen(lint_terraform(tree, progress=kill)) == expected
    assert killed


def test_an_interrupt_ends_the_processes_and_goes_on(tree, several, monkeypatch):
    started = []
    start = worker._started
    monkeypatch.setattr(worker, "_started", lambda: started.append(start()) or started[-1])

    def interrupt(name, share, note):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lint_terraform(tree, progress=interrupt)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


def test_a_small_folder_starts_no_process(tmp_path, several, monkeypatch):
    def refuse(*_):
        raise AssertionError("a process was started")

    monkeypatch.setattr(reading, "side_by_side", refuse)
    began = time.perf_counter()
    assert seen(lint_terraform(written(tmp_path, PINNED))) == {("pinned-revision", "main.tf", 27): 1}
    assert time.perf_counter() - began < 5  # much less; a busy machine may take longer


def test_a_script_without_a_main_guard_can_lint(tree):
    lines = (
        "from ecs_runbook.lint import check, reading",
        "reading._cores, reading._ALONE_BYTES = lambda: 2, 0",
        f"print(len(check.lint_terraform({str(tree)!r}).findings))",
    )
    script = "\n".join(lines)
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == f"{FOLDERS + 2}\n"
    assert told.stderr == ""
