"""The command line: ``ecs-runbook local start | stop | status | clock``. Everything else is in the notebooks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ecs_runbook import workspace
from ecs_runbook.errors import LocalAwsError, RunbookError
from ecs_runbook.local_aws import process


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Returns
    -------
    int
        0, or 1 after an error, of which one line stands on stderr.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except RunbookError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ecs-runbook", description="The command line of the ECS runbook's local AWS.")
    local = parser.add_subparsers(required=True, metavar="local").add_parser("local", help="the AWS on this machine")
    verbs = local.add_subparsers(required=True, metavar="start|stop|status|clock")
    start = verbs.add_parser("start", help="start it, unless it runs; its URL is the last line")
    start.add_argument("--port", type=int, help="where it listens; any free port if left out")
    start.set_defaults(run=_start)
    verbs.add_parser("stop", help="stop it; what it holds is gone").set_defaults(run=_stop)
    verbs.add_parser("status", help="say whether it runs, where, and what time it is there").set_defaults(run=_status)
    clock = verbs.add_parser("clock", help="read its clock, or move it forward")
    change = clock.add_mutually_exclusive_group()
    change.add_argument("--to", help="a moment, such as 2026-11-24T17:00:00Z")
    change.add_argument("--advance", help="a span, such as 24h")
    change.add_argument("--freeze", action="store_true", help="stand still")
    change.add_argument("--release", action="store_true", help="go on")
    clock.set_defaults(run=_clock)
    return parser


def _start(options: argparse.Namespace) -> None:
    server = process.start(workspace.local(), port=options.port)
    print(f"account {process.health(server)['account']}, any region, any credentials; it knows no other AWS")
    print(server.url)


def _stop(_: argparse.Namespace) -> None:
    print("stopped" if process.stop(workspace.local()) else "it did not run")


def _status(_: argparse.Namespace) -> None:
    server = _running()
    print(f"{server.url} runs as process {server.pid}; {_time(process.clock(server))}")


def _clock(options: argparse.Namespace) -> None:
    answer = process.clock(
        _running(), to=options.to, advance=options.advance, freeze=options.freeze, release=options.release
    )
    print(f"{_time(answer)}; {answer['actions']} things fell due")


def _running() -> process.Server:
    server = process.status(workspace.local())
    if server is None:
        raise LocalAwsError("The local AWS does not run.", hint="Start it with `ecs-runbook local start`.")
    return server


def _time(answer: dict[str, object]) -> str:
    return f"it is {answer['now']} there, and the clock {'stands still' if answer['frozen'] else 'runs'}"


if __name__ == "__main__":
    sys.exit(main())
