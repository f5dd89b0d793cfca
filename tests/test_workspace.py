"""Everything is written to one folder that a person can name."""

import os

import pytest

from ecs_runbook import workspace
from ecs_runbook.errors import WorkspaceError


def test_the_folder_that_is_named_is_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    assert workspace.runs() == tmp_path / "runs"
    assert workspace.build().is_dir()
    assert workspace.local().name == ".local"


def test_without_a_name_it_is_the_folder_of_the_notebooks_above(monkeypatch, tmp_path):
    monkeypatch.delenv("ECS_RUNBOOK_HOME", raising=False)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_start_here.ipynb").write_text("{}")
    monkeypatch.chdir(tmp_path / "notebooks")
    assert workspace.root() == tmp_path


def test_the_notebooks_are_those_of_the_checkout_when_none_lie_beside(monkeypatch, tmp_path):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    assert (workspace.notebooks() / "40_prove.ipynb").is_file()


def test_the_modules_are_found():
    assert (workspace.modules() / "scheduled_task" / "main.tf").is_file()


def test_a_file_in_the_way_is_said_with_the_remedy(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(WorkspaceError) as refused:
        workspace.writable(tmp_path / "runs")
    assert str(tmp_path / "runs") in str(refused.value)
    assert "ECS_RUNBOOK_HOME" in refused.value.hint


def test_a_folder_that_may_not_be_written_is_said_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # the superuser may write anywhere
    with pytest.raises(WorkspaceError, match="cannot be written to"):
        workspace.writable(tmp_path)
