"""40_prove as papermill runs it, of a schedule whose state machine tried again, on a local AWS with a moved clock."""

import json
from datetime import timedelta

import papermill
import pytest
from schedules_yard import GROUP, Yard

from ecs_runbook import workspace
from ecs_runbook.local_aws import process
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.sources import Window
from ecs_runbook.session import connect


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    yield process.start(folder)
    process.stop(folder)


def test_a_run_of_three_attempts_is_proven_with_a_picture_and_a_receipt(server, tmp_path, monkeypatch):
    aws = connect("local", endpoint=server.url)
    aws.client("scheduler").create_schedule_group(Name=GROUP)
    due = aws.now().replace(second=0, microsecond=0) + timedelta(minutes=2)
    label = Yard(aws).of_a_machine(
        "third-time",
        environment=[("LOCAL_AWS_EXIT_CODE", "3,3,0")],
        retry=[{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 60, "MaxAttempts": 2, "BackoffRate": 1}],
        given={"run": "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>"},
        expression=f"at({due:%Y-%m-%dT%H:%M:%S})",
    )
    process.clock(server, to=due + timedelta(minutes=30))
    monkeypatch.setenv(workspace.HOME_VARIABLE, str(tmp_path))
    papermill.execute_notebook(
        workspace.notebooks() / "40_prove.ipynb",
        tmp_path / "out.ipynb",
        parameters={"endpoint": server.url, "schedule": label, "archive": "kept"},
        progress_bar=False,
    )
    latest = tmp_path / "runs" / "latest"
    verdict = json.loads((latest / "verdict.json").read_text())
    assert verdict["status"] == "OK"
    assert {check["subject"] for check in verdict["checks"]} == {label}
    assert verdict["checks"][0]["because"].startswith("1 run seen in 3 attempts, the last at ")
    receipt = json.loads((latest / "receipt.json").read_text())
    assert [row["attempt"] for row in receipt["runs"]] == [1, 2, 3]
    assert receipt["records"]["Step Functions"][0]["execution"]["status"] == "SUCCEEDED"
    assert (latest / "timeline.png").read_bytes()[1:4] == b"PNG"
    facts = Archive("kept").facts(Window(due - timedelta(days=1), due + timedelta(days=1))).facts
    assert facts.loc[facts["what"] == "end", "exit_code"].tolist() == [3, 3, 0]
    assert (facts["what"] == "registered").sum() == 1
