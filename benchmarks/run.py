"""
Speed, as ratios within one run: `make bench`.

Each number is ours against something bare that does the same work, measured side by side, so that a slow machine
changes nothing. What is measured, and the bound that it is held against, is printed with it, and kept in
docs/benchmarks.md. `--largest` reads ten million log records too.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import fleet
import past
from ecs_runbook import connect, spec, workspace
from ecs_runbook.local_aws import process
from ecs_runbook.terraform.binary import find
from ecs_runbook.terraform.environment import environment, provider_config
from ecs_runbook.terraform.folders import write_terraform
from table import Row, keep
from terraform_tree import write_tree

ROOT = Path(__file__).resolve().parents[1]
ROUNDS_IMPORT = 15
ROUNDS_START = 5
ROUNDS_DEMO = 3
FILES_LINT = 2_000


def main() -> None:
    starts = Row("local AWS: start → answers", "moto_server: start → answers", *starting())
    keep(
        [
            Row("import ecs_runbook", "import boto3", *importing(), 1.2),
            starts,
            *linting(),
            *fleet.rows(),
            *past.rows(largest="--largest" in sys.argv),
            Row("make demo", "terraform init + apply of its two schedules, bare", *demonstrating(), 2.0),
        ]
    )
    print(f"\nThe local AWS is to answer within 3 s of its start: {'held' if starts.mine <= 3 else 'NOT HELD'}")


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
    bare_terraform()  # whoever came first would read the provider's 700 MB from the disk, for the other too
    for _ in range(ROUNDS_DEMO):
        demo = timed(lambda: subprocess.run([sys.executable, "-m", "ecs_runbook.demo"], check=True, cwd=ROOT))
        pairs.append((demo, bare_terraform()))
    return medians(pairs)


def linting() -> Iterator[Row]:
    """Lint a tree of Terraform, beside checkov on the same tree; nothing is measured where that cannot be had."""
    checkov = find_checkov()
    if checkov is None:
        print("ecs-runbook lint: not measured, since checkov is neither on PATH nor to be had with pip")
        return
    with tempfile.TemporaryDirectory() as folder:
        pinned = write_tree(Path(folder), FILES_LINT)
        command = [sys.executable, "-m", "ecs_runbook.cli", "lint", folder, "--format", "json"]
        mine, my_memory, told = measured(command)
        found = [one for one in json.loads(told)["findings"] if one["rule"] == "pinned-revision"]
        assert len(found) == pinned, f"{len(found)} of {pinned} pinned targets were found"
        other, its_memory, told = measured([checkov, "-d", folder, "--framework", "terraform", "--quiet", "-o", "json"])
        assert json.loads(told)["summary"]["resource_count"] >= FILES_LINT
    print(f"lint: the largest process had {my_memory} MB, checkov's {its_memory} MB")
    yield Row(f"lint {FILES_LINT} .tf files", "checkov on the same tree", mine, other, 0.33)


def find_checkov() -> str | None:
    """Return checkov: that on PATH, or one in an environment of its own, which is made once."""
    if found := shutil.which("checkov"):
        return found
    home = ROOT / "build" / "benchmarks" / "checkov"
    if not (home / "bin" / "checkov").is_file():
        print("checkov is installed for the comparison: once, about two minutes")
        venv.create(home, clear=True, with_pip=True)
        pip = subprocess.run([home / "bin" / "pip", "install", "--quiet", "checkov"], check=False)
        if pip.returncode:
            return None
    return str(home / "bin" / "checkov")


def measured(command: Sequence[str]) -> tuple[float, int, str]:
    """Return how long a program took, the memory of its largest process in MB, and what it printed."""
    with tempfile.TemporaryFile("w+") as out:
        began = time.perf_counter()
        program = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, _, used = os.wait4(program.pid, 0)
        seconds = time.perf_counter() - began
        out.seek(0)
        return seconds, used.ru_maxrss // 1024, out.read()


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
