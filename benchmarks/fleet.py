"""
A check of a whole account, beside a plain boto3 loop and cloud-custodian: `.venv/bin/python benchmarks/fleet.py`.

A made-up account on the local AWS: 2,000 rules on three buses and 3,000 schedules, with known faults sown in, each due
once. Every program asks the same server, one after the other, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fleet"))

from least_calls import least_calls  # noqa: E402
from sown import Account, sow  # noqa: E402

from ecs_runbook import connect  # noqa: E402
from ecs_runbook.local_aws import process  # noqa: E402
from ecs_runbook.session import Aws  # noqa: E402

REGION = "eu-west-2"
RULES, SCHEDULES, SHARE = 2_000, 3_000, 0.05


class Row(NamedTuple):
    """One line of the benchmarks' table: ours, what stands beside it, both numbers, and the bound of their ratio."""

    ours: str
    beside: str
    mine: float
    other: float
    bound: float


def rows(rules: int = RULES, schedules: int = SCHEDULES, *, custodian: bool = True) -> list[Row]:
    """Make the account, let everything be due once, and measure."""
    with tempfile.TemporaryDirectory() as folder:
        server = process.start(Path(folder))
        try:
            process.clock(server, freeze=True)
            aws = connect("local", endpoint=server.url, region=REGION)
            account, since = made(aws, server, rules, schedules)
            ours = of_program([__file__, "--check", server.url, since])
            found = {tuple(pair) for pair in ours["found"]}
            wrong = account.expected_after_a_firing ^ found
            least = least_of(account, aws)
            calls = sum(ours["calls"].get(name, 0) for name in least)
            size = f"check of {rules + schedules:,}"
            told = [
                Row(f"{size}: findings wrong", f"{len(account.expected_after_a_firing)} sown", len(wrong), 1, 0),
                Row(f"{size}: calls", "the least that the API allows", calls, least.total(), 1.05),
                Row(f"{size}: memory, MB", "500 MB", ours["megabytes"], 500, 1),
            ]
            plain = of_program([str(ROOT / "benchmarks" / "plain_boto3.py"), server.url, REGION, since])
            told.append(Row(f"{size}: s", "a plain boto3 loop", ours["seconds"], plain["seconds"], 1 / 3))
            if custodian and (seconds := of_custodian(server.url, Path(folder))):
                told.append(Row(f"{size}: s", "cloud-custodian, no schedules", ours["seconds"], seconds, 1 / 3))
            for subject, check in sorted(wrong):
                print(f"wrong: {subject} {check}", file=sys.stderr)
            return told
        finally:
            process.stop(server.folder)


def made(aws: Aws, server: process.Server, rules: int, schedules: int) -> tuple[Account, str]:
    """Sow an account by a seed of chance, and let it run once."""
    seed = random.randrange(10**6)
    began = time.perf_counter()
    size = {"rules": rules, "schedules": schedules, "seed": seed, "share": SHARE}
    account = sow(aws.client, account=aws.account, region=REGION, due=aws.now(), **size)
    process.clock(server, advance="5s")
    since = aws.now().isoformat()
    process.clock(server, advance="52m")
    print(f"made an account with seed {seed} in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return account, since


def least_of(account: Account, aws: Aws) -> Counter[str]:
    pages = aws.client("iam").get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 1000})
    return least_calls(account, roles=sum(len(page["Roles"]) for page in pages))


def of_program(command: list[str]) -> dict[str, Any]:
    """Run a program of Python, and return what it printed as JSON, and how long it took."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"seconds": seconds, **told}


def of_custodian(endpoint: str, folder: Path) -> float | None:
    """Run cloud-custodian from a virtual environment of its own; None if it cannot be had."""
    home = ROOT / "build" / "benchmarks" / "custodian"
    program = home / "bin" / "custodian"
    if not program.is_file():
        print("cloud-custodian is installed for the comparison: once, about a minute", file=sys.stderr)
        venv.create(home, clear=True, with_pip=True)
        pip = [home / "bin" / "pip", "install", "--quiet", "c7n"]
        if subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode:
            return None
    child = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "HTTPS_PROXY": "http://127.0.0.1:9",  # whatever it would ask of another machine
        "NO_PROXY": "127.0.0.1",
    }
    options = ["--output-dir", str(folder / "custodian"), "--region", REGION, "--cache-period", "0"]
    began = time.perf_counter()
    subprocess.run(
        [program, "run", *options, str(ROOT / "benchmarks" / "custodian.yml")],
        env=child,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def check_it(endpoint: str, since: str) -> None:
    """Check the account, and print what was found, with how many calls and how much memory."""
    from datetime import datetime

    from ecs_runbook.checks.check import check
    from ecs_runbook.inventory.fleet import fleet
    from ecs_runbook.inventory.listing import take_inventory

    places = fleet(connect("local", endpoint=endpoint, region=REGION))
    found = take_inventory(places)
    checked = check(places, found, since=datetime.fromisoformat(since), until=places.at(places.places[0]).now())
    told = {
        "found": sorted({(one.subject, one.check) for one in checked.findings if one.status != "OK"}),
        "calls": dict(checked.calls),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=RULES)
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--without-custodian", action="store_true")
    parser.add_argument("--check", nargs=2, metavar=("ENDPOINT", "SINCE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check:
        check_it(*options.check)
        return
    for row in rows(options.rules, options.schedules, custodian=not options.without_custodian):
        held = "held" if row.mine <= row.bound * row.other else "NOT HELD"
        print(f"{row.ours:<32}{row.mine:>9.2f}   {row.beside:<34}{row.other:>9.2f}   {row.bound:.2f}  {held}")


if __name__ == "__main__":
    main()
