"""The command line: ``ecs-runbook local …``, ``lint …`` and ``checks``. Everything else is in the notebooks."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_runbook import workspace
from ecs_runbook.errors import LocalAwsError, RunbookError, TerraformError
from ecs_runbook.local_aws import process

if TYPE_CHECKING:
    from ecs_runbook.lint.findings import Report

FOUND, NOT_READ, INTERRUPTED = 1, 2, 130
_PLAN_HINT = "Make it with `terraform plan -out tfplan`, then `terraform show -json tfplan > plan.json`."


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Returns
    -------
    int
        0, or 1 after an error, of which one line stands on stderr; 130 after an interrupt. Of ``lint``: 0 if there is
        nothing as grave as ``--fail-on``, 1 if there is, 2 if nothing could be read.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except RunbookError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return NOT_READ if options.run is _lint else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    about = "The ECS runbook's local AWS, its lint, and its checks."
    parser = argparse.ArgumentParser(prog="ecs-runbook", description=about)
    rooms = parser.add_subparsers(required=True, metavar="local|lint|checks")
    local = rooms.add_parser("local", help="the AWS on this machine")
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
    _add_lint(rooms)
    checks = rooms.add_parser("checks", help="list what 60_check looks at, by the ids that its settings file takes")
    checks.set_defaults(run=_checks)
    return parser


def _add_lint(rooms: Any) -> None:
    lint = rooms.add_parser("lint", help="find what keeps scheduled tasks from running, in Terraform files or a plan")
    lint.add_argument("paths", nargs="*", metavar="PATH", help="a folder of Terraform with all below it, or a file")
    lint.add_argument("--format", choices=("text", "json", "sarif"), default="text", help="what is printed")
    lint.add_argument("--plan", metavar="FILE", help="check a plan too: what `terraform show -json` answers")
    lint.add_argument(
        "--fail-on",
        choices=("error", "warning", "note"),
        default="warning",
        help="exit with 1 if there is something as grave; warning if left out",
    )
    lint.add_argument("--rules", action="store_true", help="list the rules, with where each is known from")
    lint.set_defaults(run=_lint)


def _lint(options: argparse.Namespace) -> int:
    from ecs_runbook.lint.check import both, check_plan, lint_terraform

    if options.rules:
        from ecs_runbook.lint.registry import rules_text

        return _said(rules_text(), 0)
    if not options.paths and not options.plan:
        raise TerraformError("There is nothing to read.", hint="Name a folder of Terraform, or a plan with --plan.")
    report = lint_terraform(options.paths, relative_to=Path.cwd()) if options.paths else None
    if options.plan:
        planned = check_plan(_plan(options.plan), at=report)
        report = both(report, planned) if report is not None else planned
    if report is None:  # one of the two is given
        return NOT_READ
    return _said(getattr(report, options.format)(), _code(report, options.fail_on))


def _checks(_: argparse.Namespace) -> int:
    from ecs_runbook.checks.registry import kinds_text

    return _said(kinds_text(), 0)


def _code(report: Report, fail_on: Any) -> int:
    if report.broken and not report.files and report.of == "files":
        return NOT_READ
    return FOUND if report.at_least(fail_on) else 0


def _said(text: str, code: int) -> int:
    """Print *text* whatever the terminal's encoding, and to whomever still listens."""
    try:
        sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")
        sys.stdout.flush()
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    except BrokenPipeError:  # `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _plan(name: str) -> Any:
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise TerraformError(f"{name} cannot be read: {error.strerror}.", hint="Name the JSON of a plan.") from None
    if content.startswith(b"PK"):
        raise TerraformError(f"{name} is a plan as Terraform keeps it.", hint=_PLAN_HINT)
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise TerraformError(f"{name} is not one JSON document.", hint=_PLAN_HINT) from None


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
