"""Plain papermill: the exit code, and the report that is there all the same."""

import json
import os
import signal
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

JUDGE = """\
class Verdict:
    status = status
    def to_dict(self):
        check = {"id": "c", "subject": "s", "status": self.status, "because": "b", "next": "n"}
        facts = {"notebook": "40_prove", "where": where, "account": account, "region": "us-east-1"}
        return {**facts, "at": "2026-11-24T12:00:00Z", "status": self.status, "checks": [check]}
run.finish(Verdict())"""
NOTEBOOK = new_notebook(
    cells=[
        new_markdown_cell("# Which revision ran?"),
        new_code_cell(
            'where: str = "local"\naccount: str = ""\nstatus: str = "OK"\nfifo: str = ""',
            metadata={"tags": ["parameters"]},
        ),
        new_code_cell('from ecs_runbook.reports.run import begin\nrun = begin("40_prove")'),
        new_code_cell("import time\nif fifo:\n    open(fifo, 'w').close()\n    time.sleep(60)"),
        new_code_cell(JUDGE),
    ],
    metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "notebooks").mkdir()
    nbformat.write(NOTEBOOK, tmp_path / "notebooks" / "40_prove.ipynb")
    return tmp_path


def papermill(root, *options):
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--cwd", "notebooks"]
    return subprocess.Popen(
        [*command, "notebooks/40_prove.ipynb", "out.ipynb", *options],
        cwd=root,
        env={**os.environ, "ECS_RUNBOOK_HOME": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcome(root, *options):
    process = papermill(root, *options)
    said, _ = process.communicate(timeout=120)
    folder = root / "runs" / "latest"
    assert (folder / "40_prove.ipynb").is_file()
    assert (folder / "40_prove.html").is_file()
    return process.returncode, json.loads((folder / "verdict.json").read_text()), said


def test_ok_is_exit_code_0_and_an_account_keeps_its_zeros(root):
    code, verdict, _ = outcome(root, "-p", "account", "012345678901")
    assert (code, verdict["status"], verdict["account"]) == (0, "OK", "012345678901")


def test_not_ok_is_another_exit_code(root):
    code, verdict, said = outcome(root, "-p", "status", "NG")
    assert (code, verdict["status"]) == (1, "NG")
    assert "NotOk: 40_prove is NG (1 of 1 checks): c, s: b. The report: runs/" in said


def test_a_misspelt_and_an_ill_typed_parameter_fail_and_say_so(root):
    code, verdict, said = outcome(root, "-p", "statsu", "NG", "-p", "where", "5")
    assert (code, verdict["status"]) == (1, "NG")
    assert 'There is no parameter "statsu"; did you mean "status"?' in said
    assert "where = 5: wanted text, got a whole number; with papermill, pass it with -r" in said


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a named pipe")
def test_an_interrupted_run_leaves_its_verdict(root):
    fifo = root / "begun"
    os.mkfifo(fifo)
    process = papermill(root, "-r", "fifo", str(fifo))
    fifo.open().close()  # waits until the cell runs
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    verdict = json.loads((root / "runs" / "latest" / "verdict.json").read_text())
    assert process.returncode != 0
    assert verdict["checks"][0]["because"] == "Cell [4] was interrupted."
