"""
`make demo`: the notebooks in order, against a local AWS of their own, and a table of what came of it.

Everything it starts is stopped again. It shares nothing with a JupyterLab that runs beside it: its local AWS and its
Terraform lie in folders of their own, held by a lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ecs_runbook import workspace
from ecs_runbook.demo.kernels import Warm, warm_kernels
from ecs_runbook.demo.story import PINNED, RIGHT, NextDay, Step, just_after_the_next_run, story
from ecs_runbook.errors import RunbookError, WorkspaceError
from ecs_runbook.local_aws import process
from ecs_runbook.terraform import binary
from ecs_runbook.terraform.environment import provider_config

_REPORT = re.compile(r"^Report: (.+)$", re.MULTILINE)


def main() -> int:
    """Run the story; return the exit code."""
    began = time.monotonic()
    try:
        require_terraform()
        with (
            own_folders() as (home, build),
            warm_kernels(log=home / "kernels.log") as execute,
            server_in(home) as server,
        ):
            say(f"The local AWS answers at {server.url}. No account is touched.\n")
            told = Teller(execute, server, home).tell(build)
        say(closing_table(told))
    except RunbookError as error:
        say(f"\ndemo: {error}", to=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\ndemo: interrupted; what it had started is stopped.", to=sys.stderr)
        return 130
    say(f"\nTook {time.monotonic() - began:.0f} s. Everything that was started is stopped again.")
    return 0


@dataclass(frozen=True)
class Told:
    """What one step came to: its verdict, its receipt, and where its page is."""

    step: Step
    verdict: Mapping[str, Any]
    receipt: Mapping[str, Any]
    page: str


class Teller:
    """
    Runs the story's steps and says so, a line each.

    Parameters
    ----------
    execute
        Runs a notebook with papermill.
    server
        The demo's local AWS.
    home
        Where papermill's own output goes.
    """

    def __init__(self, execute: Warm, server: process.Server, home: Path) -> None:
        self._execute = execute
        self._server = server
        self._home = home
        self._stopped = False

    def tell(self, build: Path) -> list[Told]:
        """Run everything; lanes side by side."""
        told: list[Told] = []
        with ThreadPoolExecutor(max_workers=2) as pool:
            try:
                for chapter in story({name: str(build / name) for name in (RIGHT, PINNED)}):
                    if isinstance(chapter, NextDay):
                        self._next_day()
                    else:
                        told += [one for lane in pool.map(self._lane, chapter) for one in lane]
            except BaseException:
                # the other lane need not go on; Terraform gives back its lock when it is interrupted
                self._stopped = True
                self._execute.interrupt()
                raise
        return told

    def _next_day(self) -> None:
        now = datetime.fromisoformat(process.health(self._server)["now"])
        moved = process.clock(self._server, to=just_after_the_next_run(now))
        say(f"  (the clock moves to {datetime.fromisoformat(moved['now']):%Y-%m-%d %H:%M} UTC: both schedules run)")

    def _lane(self, steps: Sequence[Step]) -> list[Told]:
        return [self._step(step) for step in steps if not self._stopped]

    def _step(self, step: Step) -> Told:
        began = time.monotonic()
        output = self._home / f"{step.notebook}-{step.subject or 'all'}.ipynb"
        failure = self._run(step, output)
        told = report_of(output, step, failure)
        found = {check["id"] for check in told.verdict["checks"] if check["status"] != "OK"}
        status = told.verdict["status"] + (", as it must" if step.finds and found == step.finds else "")
        if not self._stopped:
            say(f"  {step.notebook:<16} {step.subject:<19} {status:<15} {time.monotonic() - began:5.1f} s")
        if found != step.finds:
            raise Unexpected(told, found)
        return told

    def _run(self, step: Step, output: Path) -> str:
        from papermill.exceptions import PapermillExecutionError

        parameters = {"endpoint": self._server.url, **step.parameters}
        try:
            self._execute(workspace.notebooks() / f"{step.notebook}.ipynb", output, parameters=parameters)
        except PapermillExecutionError as error:
            return f"{error.ename}: {error.evalue}"
        return ""


class Unexpected(RunbookError):
    """A step came to something else than the story expects."""

    def __init__(self, told: Told, found: set[str]) -> None:
        checks = [check for check in told.verdict["checks"] if check["status"] != "OK"]
        words = "; ".join(f"{check['id']}: {check['because']} {check.get('next', '')}".strip() for check in checks)
        missing = f"it did not find {', '.join(sorted(told.step.finds - found))}" if told.step.finds - found else ""
        step = f"{told.step.notebook} {told.step.subject}".strip()
        super().__init__(f"{step}: {words or missing}", hint=f"The report: {told.page}.")


def report_of(output: Path, step: Step, failure: str) -> Told:
    """
    Return what a step left behind, read from the files that it names.

    Raises
    ------
    RunbookError
        If it ended before it had a report.
    """
    if not output.is_file():
        raise RunbookError(f"{step.notebook} did not run: {failure}")
    cells = json.loads(output.read_text())["cells"]
    texts = ["".join(out.get("text", "")) for cell in cells for out in cell.get("outputs", [])]
    pages = [page for text in texts for page in _REPORT.findall(text)]
    if not pages:
        raise RunbookError(f"{step.notebook} {step.subject}: {failure}")
    folder = (workspace.root() / pages[-1]).parent
    receipt = folder / "receipt.json"
    return Told(
        step,
        json.loads((folder / "verdict.json").read_text()),
        json.loads(receipt.read_text()) if receipt.is_file() else {},
        pages[-1],
    )


def closing_table(told: Sequence[Told]) -> str:
    """Return what a person reads at a glance, taken from the receipts."""
    by = {(one.step.notebook, one.step.subject): one for one in told}
    columns = [_column(by, name) for name in (RIGHT, PINNED)]
    labels = ("", "the target names", "applied", "revision 1 there", "revision 2 there", "report")
    width = max(map(len, columns[0])) + 3
    rows = zip(labels, *columns, strict=True)
    return "\n" + "\n".join(f"  {label:<17} {right:<{width}}{pinned}".rstrip() for label, right, pinned in rows)


def _column(by: Mapping[tuple[str, str], Told], name: str) -> list[str]:
    applied, proved = by["20_apply", name], by["40_prove", name]
    own = [run for run in proved.receipt["runs"] if run["schedule"] == name]
    return [
        name,
        str(own[-1]["requested"]).rpartition("/")[2],
        f"{len(applied.receipt['applied']['changes'])} resources, then an empty plan",
        *(f"ran {name}:{run['executed']}  {run['state']}" for run in (own[0], own[-1])),
        proved.page,
    ]


def require_terraform() -> None:
    """
    Refuse to begin where it could not end.

    Raises
    ------
    TerraformMissing
        If there is no Terraform, or none that is new enough.
    ProviderMissing
        If the provider is to be taken from a folder that does not hold it.
    """
    program = binary.find()
    provider_config(os.environ, workspace.local(), registry=program.registry)


@contextlib.contextmanager
def own_folders() -> Iterator[tuple[Path, Path]]:
    """
    Yield a folder for what goes and one for the Terraform that stays, while no other demo has them.

    Raises
    ------
    WorkspaceError
        If another demo runs, or a folder cannot be written.
    """
    build = workspace.writable(workspace.build() / "demo")
    with (build / ".lock").open("a") as lock:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise WorkspaceError("Another demo runs in this folder.", hint="Wait until it has ended.") from error
        for killed in workspace.local().glob("demo-*"):
            process.stop(killed)
            shutil.rmtree(killed, ignore_errors=True)
        _forget(build)
        home = Path(tempfile.mkdtemp(prefix="demo-", dir=workspace.local()))
        try:
            yield home, build
        except BaseException:
            _forget(build)  # half-done, and of an AWS that is gone
            raise
        finally:
            shutil.rmtree(home, ignore_errors=True)


def _forget(build: Path) -> None:
    for name in (RIGHT, PINNED):
        shutil.rmtree(build / name, ignore_errors=True)


@contextlib.contextmanager
def server_in(folder: Path) -> Iterator[process.Server]:
    """Yield a local AWS, stopped again in the end."""
    try:
        yield process.start(folder)
    finally:
        process.stop(folder)


def say(text: str, *, to: Any = None) -> None:
    """Tell the person, at once."""
    print(text, file=to or sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
