"""What is missing is named with its remedy."""

import pytest

from ecs_runbook.errors import TerraformMissing
from ecs_runbook.terraform import binary
from ecs_runbook.verdicts.installed import INSTALLED_COLUMNS, installed, judge_installed


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))


def test_everything_is_here():
    table = installed()
    assert list(table.columns) == INSTALLED_COLUMNS
    (check,) = judge_installed(table)
    assert (check.id, check.status) == ("installed", "OK")


def test_a_machine_without_terraform_is_told_the_remedy(monkeypatch):
    def none(path=None):
        raise TerraformMissing("Neither terraform nor tofu is on PATH", hint="Install Terraform 1.6 or newer.")

    monkeypatch.setattr(binary, "find", none)
    bad = judge_installed(installed())
    assert {check.subject for check in bad} == {"Terraform", "hashicorp/aws"}
    assert all(check.status == "NG" and "Install Terraform 1.6 or newer." in check.because for check in bad)


def test_a_mirror_that_is_empty_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv("TF_CLI_CONFIG_FILE", raising=False)
    monkeypatch.setenv("TF_PLUGIN_MIRROR", str(tmp_path))
    (check,) = judge_installed(installed())
    assert check.subject == "hashicorp/aws"
    assert f"TF_PLUGIN_MIRROR = {tmp_path} holds no" in check.because
