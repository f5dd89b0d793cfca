"""One local AWS and one home folder for all tests of this room, since each Terraform command takes seconds."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from terraform_samples import SUBNET

from ecs_runbook import workspace
from ecs_runbook.local_aws import process
from ecs_runbook.session import Aws, connect
from ecs_runbook.terraform import binary, environment
from ecs_runbook.wanted.spec import Spec, spec


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory) -> Iterator[Path]:
    """What is written goes to a folder of the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv(workspace.HOME_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="module", autouse=True)
def at_home(home) -> Iterator[None]:
    """Other rooms of the tests have homes of their own, and may have run in between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(workspace.HOME_VARIABLE, str(home))
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[process.Server]:
    folder = tmp_path_factory.mktemp("local-aws")
    yield process.start(folder)
    process.stop(folder)


@pytest.fixture(scope="session")
def aws(server) -> Aws:
    return connect(endpoint=server.url)


@pytest.fixture(scope="session")
def terraform(home, server) -> Callable[..., subprocess.CompletedProcess]:
    """``terraform("fmt", "-check", in_folder=…)``: Terraform as it is, without this library's way of running it."""
    program = binary.find()
    config = environment.provider_config(os.environ, workspace.local(), registry=program.registry)
    names = ("PATH", "HOME", "TMPDIR", "PYTHONPATH")
    settings = {name: os.environ[name] for name in names if name in os.environ} | {
        "CHECKPOINT_DISABLE": "1",
        "GOGC": "400",
    }
    if config is not None:
        settings["TF_CLI_CONFIG_FILE"] = str(config)

    def run(*arguments: str, in_folder: Path) -> subprocess.CompletedProcess:
        command = [*program.command, *arguments]
        return subprocess.run(command, cwd=in_folder, env=settings, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def make_spec() -> Callable[..., Spec]:
    def make(**fields) -> Spec:
        wanted = {"name": "nightly", "image": "busybox:1", "schedule": "cron(0 2 * * ? *)", "subnets": [SUBNET]}
        return spec(**(wanted | fields))

    return make
