"""
A check of a whole account, beside a plain boto3 loop and cloud-custodian: `.venv/bin/python benchmarks/fleet.py`.

A made-up account on the local AWS: 2,000 rules on three buses and 3,000 schedules, with known faults sown in, each due
once. Every program asks the same server, one after the other, each in a process of its own.

cloud-custodian has a part of the checks, for a part of the account. So it is measured twice: beside the whole check,
and beside a check of that same part, which must find what custodian finds.
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
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fleet"))

from least_calls import least_calls  # noqa: E402
from sown import Account, sow  # noqa: E402

from ecs_runbook import connect  # noqa: E402
from ecs_runbook.local_aws import process  # noqa: E402
from ecs_runbook.session import Aws  # noqa: E402
from table import Row, keep  # noqa: E402

REGION = "eu-west-2"
RULES, SCHEDULES, SHARE = 2_000, 3_000, 0.05
OF_TARGETS = (
    "pinned-revision",
    "launch-type-public-ip",
    "launch-type-and-strategy",
    "platform-version-on-ec2",
    "no-network-configuration",
    "no-dead-letter-queue",
    "no-retry-policy",
    "schedule-disabled",
    "policy-too-wide",
)
"""What custodian finds as we do, rule by rule, and role by role."""
PART = (*OF_TARGETS, "cluster-missing", "definition-compatibility")
"""And what it finds of clusters and definitions, whoever names them."""


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
                Row(f"{size}: findings wrong", "faults sown", len(wrong), len(account.expected_after_a_firing), 0),
                Row(f"{size}: calls", "the least that the API allows", calls, least.total(), 1.05),
                Row(f"{size}: memory, MB", "500 MB", ours["megabytes"], 500, 1),
            ]
            plain = of_program([str(ROOT / "benchmarks" / "plain_boto3.py"), server.url, REGION, since])
            told.append(Row(f"{size}: s", "a plain boto3 loop", ours["seconds"], plain["seconds"], 1 / 3))
            if custodian and (beside := of_custodian(server.url, Path(folder))):
                names = Path(folder) / "rules.json"
                names.write_text(json.dumps(rules_of(account)))
                part = of_program([__file__, "--part", server.url, str(names)])
                otherwise = compared(part["found"], beside["found"])
                same = f"cloud-custodian's of {rules:,} rules"
                told += [
                    Row(f"{size}: s", f"{same}, no schedule", ours["seconds"], beside["seconds"], 1 / 3),
                    Row("those checks alone: s", same, part["seconds"], beside["seconds"], 1 / 3),
                    Row("those checks: found otherwise", f"{same}: found", otherwise, beside["count"], 0),
                ]
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


def rules_of(account: Account) -> list[str]:
    """Return the rules of all buses, also those that end elsewhere: custodian cannot leave out these either."""
    own = [one.subject for one in account.entries if one.kind != "schedule"]
    return [*own, *(f"other-{number:04}" for number in range(0, account.others, 2))]


def compared(ours: dict[str, list[str]], others: dict[str, list[str]]) -> int:
    """Print what both found, and return of how many rules and roles one of them said what the other did not."""
    for check in PART:
        mine, his = set(ours.get(check, ())), set(others.get(check, ()))
        words = f"{check:<26} found by both {len(mine & his):>4}, by us alone {len(mine - his):>4}"
        print(f"{words}, by custodian alone {len(his - mine):>4}", file=sys.stderr)
        if check in OF_TARGETS and mine != his:
            print(f"  {', '.join(sorted(mine ^ his))}", file=sys.stderr)
    return sum(len(set(ours.get(check, ())) ^ set(others.get(check, ()))) for check in OF_TARGETS)


def least_of(account: Account, aws: Aws) -> Counter[str]:
    pages = aws.client("iam").get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 1000})
    return least_calls(account, roles=sum(len(page["Roles"]) for page in pages))


def of_program(command: list[str]) -> dict[str, Any]:
    """Run a program of Python, and return what it printed as JSON, and how long it took."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - began
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"seconds": seconds, **told}


def of_custodian(endpoint: str, folder: Path) -> dict[str, Any] | None:
    """
    Run cloud-custodian from a virtual environment of its own; None if it cannot be had.

    It may keep what it has read for the policies that follow, but has nothing from an earlier run.
    """
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
    output = folder / "custodian"
    kept = ["--cache", str(folder / "custodian.cache"), "--cache-period", "60"]
    options = ["--output-dir", str(output), "--region", REGION, *kept]
    began = time.perf_counter()
    subprocess.run(
        [program, "run", *options, str(ROOT / "benchmarks" / "custodian.yml")],
        env=child,
        check=True,
        capture_output=True,
    )
    seconds = time.perf_counter() - began
    told = {path.parent.name: json.loads(path.read_text()) for path in output.glob("*/resources.json")}
    found = {policy: sorted(map(name_of, resources)) for policy, resources in told.items()}
    return {"seconds": seconds, "found": found, "count": sum(len(found.get(check, ())) for check in OF_TARGETS)}


def name_of(resource: dict[str, Any]) -> str:
    """Return how we name what custodian found: a rule, a role, a cluster, a family."""
    rule = resource.get("Rule") or (resource if "EventBusName" in resource else None)
    if rule:
        bus = rule["EventBusName"]
        return str(rule["Name"] if bus == "default" else f"{bus}/{rule['Name']}")
    return str(next(resource[key] for key in ("RoleName", "clusterName", "family", "name") if key in resource))


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


def check_part(endpoint: str, names: str) -> None:
    """Check what custodian checks, of the rules alone, and print what was found."""
    from datetime import timedelta

    from ecs_runbook.checks.check import check
    from ecs_runbook.checks.registry import KINDS
    from ecs_runbook.checks.settings import Settings
    from ecs_runbook.inventory.fleet import fleet
    from ecs_runbook.inventory.listing import take_inventory

    places = fleet(connect("local", endpoint=endpoint, region=REGION))
    found = take_inventory(places, rules=json.loads(Path(names).read_text()))
    off = Settings(off={one: "custodian has it not" for one in KINDS if one not in (*PART, "inventory")})
    now = places.at(places.places[0]).now()
    checked = check(places, found, since=now - timedelta(hours=1), until=now, settings=off)
    rows = {row.subject: row for row in found.rows}
    told: dict[str, list[str]] = {check: [] for check in PART}
    for one in checked.findings:
        # what a state machine in between asks for, custodian does not see
        whole = one.check in ("no-dead-letter-queue", "no-retry-policy", "schedule-disabled")
        row = rows.get(one.subject)
        if one.status != "OK" and (row is None or whole or not row.through):
            told[one.check].append(named(one.check, one.subject, row))
    print(json.dumps({"found": told, "calls": dict(checked.calls)}))


def named(check: str, subject: str, row: Any) -> str:
    """Return how custodian names it."""
    if row is None:
        return subject
    if check == "policy-too-wide":
        return row.role.rpartition("/")[2]
    if check == "cluster-missing":
        return row.request.cluster.rpartition("/")[2]
    return row.request.family if check == "definition-compatibility" else subject


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rules", type=int, default=RULES)
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--without-custodian", action="store_true")
    parser.add_argument("--check", nargs=2, metavar=("ENDPOINT", "SINCE"), help=argparse.SUPPRESS)
    parser.add_argument("--part", nargs=2, metavar=("ENDPOINT", "RULES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check or options.part:
        check_it(*options.check) if options.check else check_part(*options.part)
        return
    keep(rows(options.rules, options.schedules, custodian=not options.without_custodian))


if __name__ == "__main__":
    main()
