"""What the rooms with real Terraform share: one local AWS a module, and a folder of their own for what they write."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ecs_runbook import workspace
from ecs_runbook.local_aws import process
from ecs_runbook.session import Aws, connect


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv(workspace.HOME_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[process.Server]:
    folder = tmp_path_factory.mktemp("local-aws")
    yield process.start(folder)
    process.stop(folder)


@pytest.fixture(scope="module")
def aws(server) -> Aws:
    return connect(endpoint=server.url)
