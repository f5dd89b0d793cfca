"""50_explain_failure as papermill runs it, on a local AWS that is fresh."""

import json

import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from ecs_runbook import workspace
from ecs_runbook.local_aws import process


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    yield process.start(folder).url
    process.stop(folder)


@pytest.fixture
def refused(endpoint, tmp_path, monkeypatch):
    """Run it; return the error of the cell that ended it, and the verdict."""
    notebook = workspace.notebooks() / "50_explain_failure.ipynb"
    monkeypatch.setenv(workspace.HOME_VARIABLE, str(tmp_path))

    def run(**parameters):
        parameters = {"endpoint": endpoint} | parameters
        with pytest.raises(PapermillExecutionError) as error:
            papermill.execute_notebook(notebook, tmp_path / "out.ipynb", parameters=parameters, progress_bar=False)
        return error.value, json.loads((tmp_path / "runs" / "latest" / "verdict.json").read_text())

    return run


def test_a_rule_that_is_not_there_is_one_clear_error(refused):
    error, verdict = refused()
    assert error.ename == "EvidenceError"
    assert error.evalue == (
        "rule = 'everyday2am': there is no such rule on the default bus. "
        "There is no rule at all: is this the account and Region you mean?"
    )
    assert verdict["status"] == "NG"


def test_an_account_in_which_nothing_happened_is_skip_and_has_a_picture_and_a_receipt(refused, tmp_path):
    error, verdict = refused(rule="")
    assert error.ename == "NotOk"
    assert verdict["status"] == "SKIP"
    assert [check["id"] for check in verdict["checks"]] == ["failures-runs", "failures-told"]
    latest = tmp_path / "runs" / "latest"
    assert (latest / "causes.png").read_bytes()[1:4] == b"PNG"
    assert json.loads((latest / "receipt.json").read_text())["failures"] == []
