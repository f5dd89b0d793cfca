"""The command line: ``ecs-runbook local``, ``lint``, ``mend``, ``gate`` and ``checks``; the rest is in notebooks."""

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
        0, or 1 after an error, of which one line stands on stderr; 130 after an interrupt. Of ``lint`` and ``gate``: 0
        if there is nothing as grave as ``--fail-on``, 1 if there is, 2 if that could not be looked at. Of ``mend``: 0
        if nothing is left to change, 1 if something is, 2 if that could not be looked at.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except RunbookError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return NOT_READ if options.run in (_lint, _mend, _gate) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    about = "The ECS runbook's local AWS, its lint and what mends it, its gate for new revisions, and its checks."
    parser = argparse.ArgumentParser(prog="ecs-runbook", description=about)
    rooms = parser.add_subparsers(required=True, metavar="local|lint|mend|gate|checks")
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
    _add_mend(rooms)
    _add_gate(rooms)
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


def _add_mend(rooms: Any) -> None:
    mend = rooms.add_parser("mend", help="show the smallest edits of Terraform files that mend what lint finds")
    mend.add_argument("path", metavar="PATH", help="a folder of Terraform with all below it")
    mend.add_argument("--apply", action="store_true", help="write them; without it they are only shown")
    mend.add_argument(
        "--mend",
        action="append",
        metavar="MEND",
        help="pinned-revision, policy or launch-type, more than once if need be; all if left out",
    )
    mend.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="a rule, a schedule or a state machine, by name or ARN, or a target's address, more than once if need be; "
        "all if left out",
    )
    mend.set_defaults(run=_mend)


def _mend(options: argparse.Namespace) -> int:
    from ecs_runbook.patch.patch import patch
    from ecs_runbook.patch.wishes import MENDS

    found = patch(options.path, options.mend or MENDS, only=options.only)
    written = found.apply() if options.apply else []
    left = bool(found.not_placed or (found.texts and not written))
    return _said(str(found), FOUND if left else 0)


def _add_gate(rooms: Any) -> None:
    gate = rooms.add_parser("gate", help="say whether every schedule that will run a new revision still fits it")
    gate.add_argument("revision", metavar="FAMILY[:REVISION]", help="the latest ACTIVE one if the family stands alone")
    gate.add_argument("--where", choices=("local", "aws"), default="local", help="local if left out")
    gate.add_argument("--account", default="", help="its 12 digits; needed on aws")
    gate.add_argument("--region", default="us-east-1", help="us-east-1 if left out")
    gate.add_argument("--profile", default="", help="aws: a profile of your AWS configuration")
    gate.add_argument("--endpoint", default="", help="local: the address of a local AWS that runs already")
    gate.add_argument("--checks", default="", metavar="FILE", help="which checks are off, or of another severity")
    gate.add_argument("--fail-on", choices=("error", "warning", "note"), default="warning", help="warning if left out")
    gate.add_argument("--format", choices=("text", "json"), default="text", help="what is printed")
    gate.set_defaults(run=_gate)


def _gate(options: argparse.Namespace) -> int:
    from ecs_runbook.checks.gate import gate, judge_gate
    from ecs_runbook.checks.settings import read_settings
    from ecs_runbook.inventory.fleet import fleet
    from ecs_runbook.inventory.listing import take_inventory
    from ecs_runbook.session import connect
    from ecs_runbook.verdicts.verdict import judged

    settings = read_settings(Path(options.checks)) if options.checks else None
    reach = {"account": options.account, "region": options.region, "profile": options.profile}
    aws = connect(options.where, endpoint=options.endpoint, **reach)
    place = fleet(aws)
    checked = gate(options.revision, place, take_inventory(place), settings=settings)
    verdict = judged("gate", aws, judge_gate(checked, options.revision, options.fail_on))
    text = str(verdict) if options.format == "text" else json.dumps(verdict.to_dict(), indent=2, ensure_ascii=False)
    return _said(text, {"OK": 0, "NG": FOUND}.get(verdict.status, NOT_READ))


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
