"""What a Terraform child sees: nothing that could redirect it when local, the person's AWS set-up on AWS."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from terraform_samples import HOSTILE

from ecs_runbook.errors import NotLoopback, ProviderMissing
from ecs_runbook.terraform.environment import environment, provider_config

LOCAL = SimpleNamespace(
    where="local", account="123456789012", region="eu-west-2", endpoint="http://127.0.0.1:5000", profile="", life="a"
)
AWS = SimpleNamespace(where="aws", account="111122223333", region="eu-west-2", endpoint=None, profile="", life="")
MACHINE = {"PATH": "/bin", "HOME": "/home/x", "LC_ALL": "C.UTF-8", "HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "a.b"}


def test_locally_nothing_of_a_hostile_environment_is_passed_on():
    child = environment(LOCAL, HOSTILE | MACHINE | {"TF_CLI_CONFIG_FILE": "/not/there"})
    assert child == {
        "PATH": "/bin",
        "HOME": "/home/x",
        "LC_ALL": "C.UTF-8",
        "HTTPS_PROXY": "http://proxy:1",
        "NO_PROXY": "a.b,127.0.0.1,localhost,::1",
        "no_proxy": "127.0.0.1,localhost,::1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "eu-west-2",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GOGC": "400",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }


@pytest.mark.parametrize("endpoint", ["https://ecs.us-east-1.amazonaws.com", "http://10.0.0.1:80", None])
def test_locally_an_endpoint_elsewhere_is_refused(endpoint):
    with pytest.raises(NotLoopback, match="is not on this machine"):
        environment(SimpleNamespace(**vars(LOCAL) | {"endpoint": endpoint}), {})


def test_on_aws_the_persons_set_up_is_passed_on_and_what_bends_a_command_is_not():
    child = environment(AWS, HOSTILE | MACHINE | {"TF_CLI_CONFIG_FILE": "/not/there"})
    bent = {"TF_CLI_ARGS", "TF_CLI_ARGS_apply", "TF_WORKSPACE", "TF_DATA_DIR", "TF_LOG", "TF_REATTACH_PROVIDERS"}
    kept = {name: value for name, value in (HOSTILE | MACHINE).items() if name not in bent}
    ours = {
        "AWS_REGION": "eu-west-2",
        "GOGC": "400",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }
    assert child == kept | ours


def test_on_aws_a_named_profile_wins_over_keys_of_the_environment():
    child = environment(SimpleNamespace(**vars(AWS) | {"profile": "batch"}), HOSTILE)
    assert child["AWS_PROFILE"] == "batch"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} & set(child)


def mirror(folder: Path, host: str = "registry.terraform.io") -> Path:
    (folder / host / "hashicorp" / "aws" / "5.100.0").mkdir(parents=True)
    return folder


@pytest.fixture
def machine(tmp_path):
    """``machine(**variables)``: the configuration file that is chosen on a machine with these variables."""
    (tmp_path / "home").mkdir()
    (tmp_path / "notes").mkdir()

    def choose(registry="registry.terraform.io", **variables):
        outside = {"HOME": str(tmp_path / "home"), "XDG_DATA_DIRS": str(tmp_path / "share")} | variables
        return provider_config(outside, tmp_path / "notes", registry=registry, software=tmp_path / "opt")

    choose.place = tmp_path
    return choose


def test_a_configuration_file_that_exists_is_taken_before_all_else(machine):
    own = machine.place / "own.tfrc"
    own.write_text("")
    named = mirror(machine.place / "mirror")
    assert machine(TF_CLI_CONFIG_FILE=str(own), TF_PLUGIN_MIRROR=str(named)) == own


def test_a_configuration_file_that_does_not_exist_is_ignored(machine):
    assert machine(TF_CLI_CONFIG_FILE=str(machine.place / "absent.tfrc")) is None


def test_a_named_mirror_is_written_down_and_the_registry_left_out(machine):
    named = mirror(machine.place / "a mirror")
    config = machine(TF_PLUGIN_MIRROR=str(named))
    assert config.read_text().splitlines() == [
        "provider_installation {",
        "  filesystem_mirror {",
        f'    path    = "{named}"',
        '    include = ["registry.terraform.io/hashicorp/aws"]',
        "  }",
        "",
        "  direct {",
        '    exclude = ["registry.terraform.io/hashicorp/aws"]',
        "  }",
        "}",
    ]


def test_a_named_mirror_without_the_provider_is_refused_with_the_remedy(machine):
    with pytest.raises(ProviderMissing) as refused:
        machine(TF_PLUGIN_MIRROR=str(machine.place / "empty"))
    assert refused.value.summary.endswith("holds no registry.terraform.io/hashicorp/aws.")
    assert refused.value.hint.startswith("Fill it with: terraform providers mirror")


def test_any_folder_of_optional_software_that_holds_the_provider_is_a_mirror(machine):
    (machine.place / "opt" / "a-other").mkdir(parents=True)
    found = mirror(machine.place / "opt" / "plugins")
    assert f'"{found}"' in machine().read_text()


@pytest.mark.parametrize(
    "implied", ["home/.terraform.d/plugins", "home/.local/share/terraform/plugins", "share/terraform/plugins"]
)
def test_terraforms_own_mirror_folders_are_left_to_terraform(machine, implied):
    mirror(machine.place / "opt" / "plugins")
    mirror(machine.place / implied)
    assert machine() is None


def test_a_persons_own_provider_installation_is_left_to_terraform(machine):
    mirror(machine.place / "opt" / "plugins")
    (machine.place / "home" / ".terraformrc").write_text("provider_installation {}")
    assert machine() is None


def test_opentofu_finds_the_same_provider_under_its_own_registrys_name(machine):
    found = mirror(machine.place / "opt" / "plugins")
    for _ in range(2):
        config = machine(registry="registry.opentofu.org")
    linked = machine.place / "notes" / "mirror"
    assert f'path    = "{linked}"' in config.read_text()
    assert (linked / "registry.opentofu.org/hashicorp/aws").resolve() == found / "registry.terraform.io/hashicorp/aws"
