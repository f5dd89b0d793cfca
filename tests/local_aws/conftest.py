"""A local AWS for a module's tests: a process of its own, and clients that know no other AWS."""

from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.config import Config

from ecs_runbook.local_aws import process


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[process.Server]:
    folder = tmp_path_factory.mktemp("local-aws")
    yield process.start(folder)
    process.stop(folder)


@pytest.fixture(scope="module")
def client(server) -> Callable:
    """``client("ecs")``; with *session* the credentials that STS or IAM gave; *config* as botocore's."""

    def make(service: str, *, session: dict | None = None, region: str = "us-east-1", **config):
        given = session or {"AccessKeyId": "local", "SecretAccessKey": "local"}
        return boto3.client(
            service,
            endpoint_url=server.url,
            region_name=region,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    return make
