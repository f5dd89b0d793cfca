"""Where a schedule's Terraform lies, by default and by wish."""

import json
from types import SimpleNamespace

import pytest

from ecs_runbook import workspace
from ecs_runbook.errors import WorkspaceError
from ecs_runbook.terraform.folders import find_terraform, write_terraform

LOCAL = SimpleNamespace(
    where="local", account="123456789012", region="us-east-1", endpoint="http://127.0.0.1:1", profile="", life="one"
)
AWS = SimpleNamespace(where="aws", account="111122223333", region="eu-west-2", endpoint=None, profile="", life="")


@pytest.fixture(autouse=True)
def home_of_each_test(monkeypatch, tmp_path):
    monkeypatch.setenv(workspace.HOME_VARIABLE, str(tmp_path))


def test_the_local_aws_and_each_account_have_folders_of_their_own(make_spec, tmp_path):
    assert str(write_terraform(make_spec(), LOCAL)) == "build/local/nightly"
    assert str(write_terraform(make_spec(), AWS)) == "build/111122223333/nightly"
    assert (tmp_path / "build/local/nightly/local_aws_override.tf").is_file()
    assert not (tmp_path / "build/111122223333/nightly/local_aws_override.tf").exists()


def test_a_named_folder_is_taken_as_it_stands(make_spec, tmp_path):
    files = write_terraform(make_spec(), AWS, folder=str(tmp_path / "mine"))
    assert files.folder == tmp_path / "mine"
    assert "main.tf" in files.written
    assert find_terraform(AWS, name="nightly", folder="mine").folder == files.folder


def test_a_mistake_gets_the_fields_that_it_has_variables_for(make_spec):
    files = write_terraform(make_spec(name="pinned", cpu=512, memory=1024), AWS, mistake="pinned_revision")
    values = json.loads((files.folder / "terraform.tfvars.json").read_text())
    assert set(values) == {"name", "image", "cluster", "subnets", "security_groups", "schedule", "region", "account"}
    assert (values["name"], values["region"], values["account"]) == ("pinned", "eu-west-2", "111122223333")


def test_an_unknown_mistake_is_refused_with_those_that_there_are(make_spec):
    with pytest.raises(WorkspaceError, match=r"mistake = 'pined' is not known. There are: .*pinned_revision"):
        write_terraform(make_spec(), AWS, mistake="pined")


def test_a_folder_without_terraform_says_which_notebook_writes_it():
    with pytest.raises(WorkspaceError, match=r"holds no Terraform. Run 10_generate with name = 'nightly' first"):
        find_terraform(AWS, name="nightly")


def test_finding_ties_the_folder_to_the_server_that_runs_now(make_spec):
    folder = write_terraform(make_spec(), LOCAL).folder
    before = (folder / "local_aws_override.tf").read_text()
    find_terraform(SimpleNamespace(**vars(LOCAL) | {"endpoint": "http://127.0.0.1:2", "life": "two"}), name="nightly")
    after = (folder / "local_aws_override.tf").read_text()
    assert "http://127.0.0.1:1" in before
    assert "http://127.0.0.1:1" not in after
    assert "/state/two/" in after


@pytest.mark.parametrize(
    ("folder", "reason"),
    [("x" * 500, "File name too long"), ("a\0b", "embedded null byte"), ("~nobody-of-that-name/x", "home directory")],
)
def test_what_cannot_be_a_folder_is_named_with_its_reason(make_spec, folder, reason):
    with pytest.raises(WorkspaceError, match=reason) as refusal:
        write_terraform(make_spec(), LOCAL, folder=folder)
    assert str(refusal.value).startswith(f"folder = {folder!r} cannot be a folder: ")


def test_what_cannot_be_a_name_is_named_with_its_reason():
    with pytest.raises(WorkspaceError, match=r"^name = 'a\\x00b' cannot be a folder: embedded null byte"):
        find_terraform(LOCAL, name="a\0b")
