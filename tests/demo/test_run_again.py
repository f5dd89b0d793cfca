"""45_run_again on a local AWS of its own: three attempts of which the last is good; two deliveries, one run."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import papermill
import pytest

from ecs_runbook import workspace
from ecs_runbook.firing.fired import Fired
from ecs_runbook.firing.histories import Execution, Try
from ecs_runbook.firing.twice import Twice
from ecs_runbook.local_aws import process
from ecs_runbook.verdicts.steps import judge_twice

AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
TASK = "arn:aws:ecs:eu-west-2:111122223333:task/batch/0123456789abcdef"
MACHINE = "arn:aws:states:eu-west-2:111122223333:execution:nightly"
FIRST = Fired("default/nightly", "drill", AT, (), (TASK,), "nightly", 7, "STOPPED", 0, "", "", "", "", None, 5.0, 9)
SECOND = Execution(f"{MACHINE}:b", "b", "SUCCEEDED", AT, AT, skipped=True)


def test_the_notebook_runs_again_what_failed_and_skips_a_second_delivery(tmp_path, monkeypatch):
    monkeypatch.setenv(workspace.HOME_VARIABLE, str(tmp_path))
    quick = {"environment": {"LOCAL_AWS_EXIT_CODE": "3,3,0", "LOCAL_AWS_SECONDS": "2"}, "backoff_seconds": 1}
    try:
        papermill.execute_notebook(
            workspace.notebooks() / "45_run_again.ipynb",
            tmp_path / "out.ipynb",
            parameters=quick,
            progress_bar=False,
            kernel_name="python3",
        )
    finally:
        process.stop(tmp_path / ".local")
    (folder,) = tmp_path.glob("runs/2*")
    assert json.loads((folder / "verdict.json").read_text())["status"] == "OK"
    receipt = json.loads((folder / "receipt.json").read_text())
    rows = [(row["attempt"], row["status"], row["exit_code"], row["state"]) for row in receipt["runs"]]
    assert rows == [
        (1, "STOPPED", 3, "LATEST"),
        (2, "STOPPED", 3, "LATEST"),
        (3, "STOPPED", 0, "LATEST"),
        (1, "STOPPED", 0, "LATEST"),
        (1, "SKIPPED", None, ""),
    ]
    assert len({row["run"] for row in receipt["runs"]}) == 3


@pytest.mark.parametrize(
    ("first", "second", "status", "words"),
    [
        (FIRST, SECOND, "OK", "two deliveries, one run"),
        (FIRST, replace(SECOND, skipped=False, tries=(Try(1, TASK),)), "NG", "two deliveries, two runs"),
        (replace(FIRST, exit_code=3), SECOND, "NG", "the first ended with exit code 3"),
        (replace(FIRST, status="RUNNING", exit_code=None), SECOND, "NG", "the first ended with RUNNING"),
        (replace(FIRST, status="REFUSED", tasks=()), None, "SKIP", "was never seen running: REFUSED"),
    ],
)
def test_two_deliveries_are_judged(first, second, status, words):
    (check,) = judge_twice(Twice(first, second))
    assert (check.id, check.status) == ("one-run", status)
    assert words in check.because
    assert bool(check.next) == (status != "OK")
