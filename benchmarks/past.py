"""
The past out of log files, beside json and gzip, pandas, trailscraper, and zcat: `.venv/bin/python benchmarks/past.py`.

Made-up log files as a trail delivers them, two in a hundred of whose records are RunTask. What nobody can be faster
than is zcat on all cores: the bytes have to be read and inflated. Every program starts anew; the files are in the
page cache for all of them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psutil

import trail_files
from ecs_runbook.past.readers import cores
from table import Row, keep

ROOT = Path(__file__).resolve().parents[1]
A_FILE = 5_000
RECORDS, GROWTH = 1_000_000, (10_000, 100_000, 1_000_000)
LARGEST = 10_000_000


def rows(*, largest: bool = False, logs: Path | None = None) -> Iterator[Row]:
    """Make the files, and measure; with *largest* ten million records too: 1.4 GB and minutes. *logs* are kept."""
    home = ROOT / "build" / "benchmarks"
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        made = logs or Path(folder, "made")
        for records in [*GROWTH, LARGEST] if largest else GROWTH:
            top = Path(folder, f"{records}")
            files = range(records // A_FILE)
            trail_files.write(made, files, A_FILE)
            for key in map(trail_files.key_of, files):
                (top / key).parent.mkdir(parents=True, exist_ok=True)
                os.link(made / key, top / key)
            cache = Path(folder, f"cache-{records}")
            told = _growth(records, top, cache)
            yield from told
            if records == RECORDS:
                yield from _beside(top, cache, *told[:2])


def _growth(records: int, top: Path, cache: Path) -> list[Row]:
    floor = zcat(top)
    ours = asked(top, cache)
    what = f"runs of {records:,} log records"
    limit = f"zcat on {cores()} cores, the limit"
    return [
        Row(f"{what}: s", limit, ours.seconds, floor.seconds, 2.0 if records >= RECORDS else None),
        Row(f"{what}: processor s", limit, ours.processor, floor.processor),
        Row(f"{what}: memory, MB", "500 MB, all processes together", ours.megabytes, 500, 1.0),
    ]


def _beside(top: Path, cache: Path, seconds: Row, processor: Row) -> Iterator[Row]:
    again, plain = asked(top, cache), of_itself("--plain", top)
    assert again.told["calls"] == plain.told["found"], f"{again.told} is not {plain.told}"
    second = seconds.ours.removesuffix(": s") + ", the second time"
    yield Row(f"{second}: s", "a second", again.seconds, 1.0, 1.0)
    yield Row(f"{second}: processor s", "the first time", again.processor, processor.mine)
    others = {"json + gzip, one process": plain, "pandas, one process": of_itself("--pandas", top)}
    if (found := of_trailscraper(top)) is not None:
        others["trailscraper, the records of one role"] = found
    for beside, other in others.items():
        yield Row(seconds.ours, beside, seconds.mine, other.seconds, 0.2 if other is plain else None)
        yield Row(processor.ours, beside, processor.mine, other.processor)


class Used(NamedTuple):
    """
    What a program took: seconds, seconds of processors, megabytes of it and its children; and what it told.

    The seconds of a program of ours are those from its question to its answer, without Python's start and its imports,
    as it tells them itself; all else is of the whole program.
    """

    seconds: float
    processor: float
    megabytes: float
    told: Any


def used(command: Sequence[object], given: str = "") -> Used:
    """Run a program with its children to the end."""
    began = time.perf_counter()
    program = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdin is not None
    assert program.stdout is not None
    peak = Peak(program.pid)
    with program.stdin:
        program.stdin.write(given)
    out = program.stdout.read()
    _, status, what = os.wait4(program.pid, 0)
    seconds = time.perf_counter() - began
    assert status == 0, f"{command} failed"
    told = json.loads(out.splitlines()[-1]) if out.rstrip().endswith("}") else out
    seconds = told.get("seconds", seconds) if isinstance(told, dict) else seconds
    return Used(seconds, what.ru_utime + what.ru_stime, peak.megabytes(), told)


def zcat(top: Path) -> Used:
    """Inflate everything by what every machine has, on all the cores that our own readers use, and count the bytes."""
    files = [str(path) for path in sorted(top.rglob("*.json.gz"))]
    share = max(1, len(files) // cores() // 2)
    command = ["xargs", "-n", share, "-P", cores(), "sh", "-c", 'zcat "$@" | wc -c', "zcat"]
    return used(command, "\n".join(files))


def asked(top: Path, cache: Path) -> Used:
    return of_itself("--ask", top, cache)


def of_itself(how: str, *paths: Path) -> Used:
    """Run this file in a new process."""
    return used([sys.executable, __file__, how, *paths])


class Peak:
    """The most memory that a process and its children had together; what they share counts once for each."""

    def __init__(self, pid: int) -> None:
        self._most = 0
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, args=(psutil.Process(pid),), daemon=True)
        self._watch.start()

    def _look(self, process: psutil.Process) -> None:
        while not self._ended.wait(0.02):
            try:
                several = [process, *process.children(recursive=True)]
                self._most = max(self._most, sum(one.memory_info().rss for one in several))
            except psutil.Error:
                continue

    def megabytes(self) -> float:
        """Return it, and look no more."""
        self._ended.set()
        self._watch.join()
        return self._most / 1e6


def of_trailscraper(top: Path) -> Used | None:
    """Let trailscraper choose the records of one role, the nearest that it can; None if it cannot be had."""
    program = shutil.which("trailscraper")
    if program is None:
        home = ROOT / "build" / "benchmarks" / "trailscraper"
        if not (home / "bin" / "trailscraper").is_file():
            print("trailscraper is installed for the comparison: once, about half a minute", file=sys.stderr)
            venv.create(home, clear=True, with_pip=True)
            pip = [home / "bin" / "pip", "install", "--quiet", "trailscraper"]
            if subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode:
                return None
        program = str(home / "bin" / "trailscraper")
    role = f"arn:aws:iam::{trail_files.ACCOUNTS[0]}:role/job-007-schedule"
    told = used([program, "select", "--log-dir", top, "--filter-assumed-role-arn", role, "--to", "2100-01-01"])
    assert told.told["Records"]
    return told


def ask(top: str, cache: str) -> dict[str, Any]:
    """The question itself."""
    from ecs_runbook.past.log_files import LogFiles
    from ecs_runbook.past.runs import past_runs

    began, since = time.perf_counter(), trail_files.BEGIN - timedelta(days=1)
    found = past_runs(LogFiles(top, cache=cache), since=since, until=since + timedelta(days=60))
    assert found.attrs["broken"] == []
    return {"calls": len(found), "seconds": time.perf_counter() - began}


def plain(top: str, read: Callable[[Any], int]) -> dict[str, Any]:
    """What one writes first: inflate, parse all, look."""
    found, began = 0, time.perf_counter()
    for path in sorted(Path(top).rglob("*.json.gz")):
        with gzip.open(path) as file:
            found += read(json.load(file)["Records"])
    return {"found": found, "seconds": time.perf_counter() - began}


def of_records(records: Sequence[dict[str, Any]]) -> int:
    return sum(record["eventName"] == "RunTask" for record in records)


def of_frame(records: Sequence[dict[str, Any]]) -> int:
    import pandas as pd

    return int((pd.DataFrame(records)["eventName"] == "RunTask").sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--largest", action="store_true", help="ten million records too")
    parser.add_argument("--logs", type=Path, help="where the made-up files are, or are put to be used again")
    parser.add_argument("--ask", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--plain", help=argparse.SUPPRESS)
    parser.add_argument("--pandas", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(ask(*options.ask)))
    elif options.plain or options.pandas:
        top = options.plain or options.pandas
        print(json.dumps(plain(top, of_records if options.plain else of_frame)))
    else:
        keep(rows(largest=options.largest, logs=options.logs))


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
