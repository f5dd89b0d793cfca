"""
Speed, as ratios within one run: `make bench`.

Each number is ours against something bare that does the same work, measured side by side, so that a slow machine
changes nothing. What is measured, and the bound that it is held against, is printed with it.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ecs_runbook import connect, spec, workspace
from ecs_runbook.local_aws import process
from ecs_runbook.terraform.binary import find
from ecs_runbook.terraform.environment import environment, provider_config
from ecs_runbook.terraform.folders import write_terraform

ROOT = Path(__file__).resolve().parents[1]
ROUNDS_IMPORT = 15
ROUNDS_START = 5
ROUNDS_DEMO = 2


def main() -> None:
    rows = [
        ("import ecs_runbook", "import boto3", *importing(), 1.2),
        ("local AWS: start → answers", "moto_server: start → answers", *starting(), None),
        ("make demo", "terraform init + apply of its two schedules, bare", *demonstrating(), 2.0),
    ]
    print(f"\n{'ours':<28}{'s':>7}   {'beside':<52}{'s':>7}   {'ratio':>6}   bound")
    for ours, beside, mine, other, bound in rows:
        held = "" if bound is None else f"{bound:.1f}  {'held' if mine / other <= bound else 'NOT HELD'}"
        print(f"{ours:<28}{mine:>7.2f}   {beside:<52}{other:>7.2f}   {mine / other:>6.2f}   {held}")


def importing() -> tuple[float, float]:
    """Import in a fresh interpreter each time, one after the other."""

    def seconds(module: str) -> float:
        return timed(lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True))

    pairs = [(seconds("ecs_runbook"), seconds("boto3")) for _ in range(ROUNDS_IMPORT)]
    return medians(pairs)


def starting() -> tuple[float, float]:
    """Start a server and wait until it answers its first call; the local AWS is to take at most three seconds."""

    def ours() -> None:
        with tempfile.TemporaryDirectory() as folder:
            server = process.start(Path(folder))
            client(server.url)
            process.stop(server.folder)

    def bare() -> None:
        port = free_port()
        command = [sys.executable, "-m", "moto.server", "-p", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            client(f"http://127.0.0.1:{port}")
        finally:
            server.terminate()
            server.wait()

    return medians([(timed(ours), timed(bare)) for _ in range(ROUNDS_START)])


def demonstrating() -> tuple[float, float]:
    """The whole demo, beside the Terraform commands without which it could not be: init and apply, twice each."""
    pairs = []
    for _ in range(ROUNDS_DEMO):
        demo = timed(lambda: subprocess.run([sys.executable, "-m", "ecs_runbook.demo"], check=True, cwd=ROOT))
        pairs.append((demo, bare_terraform()))
    return medians(pairs)


def bare_terraform() -> float:
    with local_aws() as (home, url):
        aws = connect("local", endpoint=url)
        wanted = {
            "image": "busybox",
            "schedule": "cron(0 17 * * ? *)",
            "subnets": ["subnet-0a1a1a1a1a1a1a1a1"],
            "security_groups": ["sg-0c1c1c1c1c1c1c1c1"],
        }
        right = write_terraform(spec(name="right", **wanted), aws, folder=str(home / "right"))
        pinned = write_terraform(
            spec(name="pinned", **wanted), aws, folder=str(home / "pinned"), mistake="pinned_revision"
        )
        config = provider_config(os.environ, home)
        child = {name: value for name, value in environment(aws, os.environ, config=config).items() if name != "GOGC"}
        terraform = find().command

        def bare() -> None:
            for files in (right, pinned):
                for verb in (["init", "-input=false"], ["apply", "-input=false", "-auto-approve"]):
                    subprocess.run(
                        [*terraform, *verb], cwd=files.folder, env=child, check=True, stdout=subprocess.DEVNULL
                    )

        return timed(bare)


@contextmanager
def local_aws() -> Iterator[tuple[Path, str]]:
    home = Path(tempfile.mkdtemp())
    os.environ[workspace.HOME_VARIABLE] = str(home)
    server = process.start(home / ".local")
    try:
        yield home, server.url
    finally:
        process.stop(server.folder)
        del os.environ[workspace.HOME_VARIABLE]
        shutil.rmtree(home)


def client(url: str) -> None:
    """Make the first call, as soon as it is answered."""
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import EndpointConnectionError

    ecs = botocore.session.Session().create_client(
        "ecs",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(retries={"max_attempts": 0}, proxies={}),
    )
    while True:
        try:
            ecs.list_clusters()
        except EndpointConnectionError:
            time.sleep(0.02)
        else:
            return


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    ours, bare = zip(*pairs, strict=True)
    return statistics.median(ours), statistics.median(bare)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
