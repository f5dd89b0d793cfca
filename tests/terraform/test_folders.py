"""A schedule's folder: where it lies, what a mistake takes from the spec, and how it is found again."""

import json
from types import SimpleNamespace

import hcl2
import pytest

from ecs_runbook.errors import WorkspaceError
from ecs_runbook.terraform.folders import find_terraform, write_terraform
from ecs_runbook.wanted.spec import spec


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    return tmp_path


def local(life="one"):
    return SimpleNamespace(
        where="local", account="123456789012", region="eu-west-2", endpoint="http://127.0.0.1:1", profile="", life=life
    )


REAL = SimpleNamespace(where="aws", account="111122223333", region="eu-west-2", endpoint=None, profile="", life="")


def nightly():
    return spec(name="nightly", image="busybox", schedule="rate(1 day)", subnets=["subnet-0a1b2c3d"])


def test_the_local_aws_and_an_account_have_folders_of_their_own(home):
    assert write_terraform(nightly(), local()).folder == home / "build" / "local" / "nightly"
    assert write_terraform(nightly(), REAL).folder == home / "build" / "111122223333" / "nightly"


def test_a_folder_for_an_account_names_that_account_and_nothing_local(home):
    folder = write_terraform(nightly(), REAL).folder
    assert not (folder / "local_aws_override.tf").exists()
    (provider,) = hcl2.loads((folder / "main.tf").read_text())["provider"]
    (settings,) = provider.values()
    assert [account.strip('"') for account in settings["allowed_account_ids"]] == ["111122223333"]


def test_a_mistake_takes_the_specs_values_for_its_variables():
    folder = write_terraform(nightly(), local(), mistake="pinned_revision").folder
    values = json.loads((folder / "terraform.tfvars.json").read_text())
    assert values["name"] == "nightly"
    assert values["schedule"] == "rate(1 day)"
    assert values["account"] == "123456789012"
    assert "aws_ecs_task_definition.this.arn #" in (folder / "main.tf").read_text()


def test_a_mistake_that_is_not_there_names_those_that_are():
    with pytest.raises(WorkspaceError) as refused:
        write_terraform(nightly(), local(), mistake="pined")
    assert "mistake = 'pined' is not known." in str(refused.value)
    assert "pinned_revision" in refused.value.hint


def test_what_was_written_is_found_again_and_tied_to_the_server_that_runs_now():
    written = write_terraform(nightly(), local("one")).folder
    before = (written / "local_aws_override.tf").read_text()
    found = find_terraform(local("another"), name="nightly")
    assert found.folder == written
    assert (written / "local_aws_override.tf").read_text() != before


def test_nothing_to_find_names_the_notebook_that_writes_it(home):
    with pytest.raises(WorkspaceError) as refused:
        find_terraform(local(), name="nightly")
    assert str(home / "build" / "local" / "nightly") in str(refused.value)
    assert "Run 10_generate with name = 'nightly' first." in refused.value.hint


def test_a_folder_that_is_named_counts_from_the_workspace(home):
    assert write_terraform(nightly(), local(), folder="infra/nightly").folder == home / "infra" / "nightly"
