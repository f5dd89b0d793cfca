"""The notebook refuses in its first second what it must not do, and says why."""

import json

import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from ecs_runbook import workspace


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"where": "aws"}, "where = 'aws': mistakes are made on purpose in the local AWS alone."),
        ({"mistakes": ["launch_typ_left_out"]}, "The nearest are: launch_type_left_out"),
    ],
)
def test_it_refuses_before_it_connects(parameters, words, tmp_path, monkeypatch):
    monkeypatch.setenv(workspace.HOME_VARIABLE, str(tmp_path))
    notebook = workspace.notebooks() / "55_rehearse_mistakes.ipynb"
    with pytest.raises(PapermillExecutionError) as refusal:
        papermill.execute_notebook(notebook, tmp_path / "out.ipynb", parameters=parameters, progress_bar=False)
    assert words in str(refusal.value)
    (verdict,) = (json.loads(path.read_text()) for path in tmp_path.glob("runs/2*/verdict.json"))
    assert verdict["status"] == "NG"
    assert not (tmp_path / ".local").exists()  # no local AWS was started
