"""Lint a folder of Terraform, or check a plan: the one way in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ecs_runbook.errors import TerraformError
from ecs_runbook.lint.addresses import plain
from ecs_runbook.lint.findings import Finding, Report, Unresolved, in_order
from ecs_runbook.lint.model import Broken, Configuration
from ecs_runbook.lint.plan import configuration_of
from ecs_runbook.lint.rules import network, permissions, schedules, targets
from ecs_runbook.lint.silence import silenced, silences
from ecs_runbook.lint.view import View

Progress = Callable[[str, float, str], None]

_RULES = (
    targets.revision,
    targets.arns,
    targets.launch,
    targets.network,
    targets.overrides,
    targets.definitions,
    targets.dead_letters,
    targets.active_revision,
    permissions.roles,
    network.vpcs,
    network.ways_out,
    schedules.expressions,
    schedules.zones,
)


def lint_terraform(
    path: str | Path | Sequence[str | Path], *, progress: Progress | None = None, relative_to: Path | None = None
) -> Report:
    """
    Read anybody's Terraform and find the mistakes that keep a scheduled task from running the latest revision.

    Parameters
    ----------
    path
        A folder, with what is below it; a file; or several of these.
    progress
        Called with a name, how much of it is done from 0 to 1, and a word on it.
    relative_to
        The folder that names of files start from; *path* itself if left out, and the working directory if there are
        several.

    Raises
    ------
    TerraformError
        If there is no such path, or no Terraform in it.

    Notes
    -----
    Asks neither AWS nor Terraform. What cannot be resolved from the files is listed, and not judged.
    """
    from ecs_runbook.lint.reading import read

    paths = [path] if isinstance(path, (str, Path)) else list(path)
    start = relative_to or (Path.cwd() if len(paths) > 1 else None)
    configurations: list[Configuration] = []
    for one in paths:
        if not Path(one).exists():
            raise TerraformError(f"There is no {one}.", hint="Name a folder with .tf files, or such a file.")
        read_here = read(Path(one), progress=progress, relative_to=start)
        if not any(here.files or here.broken for here in read_here):
            raise TerraformError(f"{one} holds no Terraform.", hint="Name a folder with .tf or .tf.json files.")
        configurations += read_here
    return judge(configurations)


def judge(configurations: Iterable[Configuration], *, of: str = "files") -> Report:
    """
    Judge configurations, from files or from a plan, without asking anything.

    Examples
    --------
    >>> judge([]).findings
    []
    """
    configurations = list(configurations)
    findings: list[Finding] = []
    doubts: list[Unresolved] = []
    comments = {comment for one in configurations for comment in one.comments}
    fine, wrong = silences(comments)
    for configuration in configurations:
        view = View(configuration)
        said = [one for rule in _RULES for one in rule(view)]
        findings += silenced((one for one in said if isinstance(one, Finding)), configuration, fine)
        doubts += [one for one in said if isinstance(one, Unresolved)]
        doubts += [Unresolved(one.place, one.address, "a module", one.because) for one in configuration.missing]
    broken = list(dict.fromkeys(one for configuration in configurations for one in configuration.broken))
    findings += [*wrong, *map(_unreadable, broken)]
    files = sorted({file for configuration in configurations for file in configuration.files})
    order = sorted(dict.fromkeys(doubts), key=lambda one: (one.place, one.address, one.what))
    return Report(in_order(findings), order, broken, files, of, configurations)


def _unreadable(broken: Broken) -> Finding:
    mend = "Mend the file: `terraform validate` says more."
    return Finding("unreadable-file", "error", broken.place, "", broken.because, mend)


def check_plan(plan: Mapping[str, Any], *, at: Report | None = None) -> Report:
    """
    Check a plan, in which almost everything is resolved.

    Parameters
    ----------
    plan
        What ``terraform show -json <plan file>`` answers.
    at
        What :func:`lint_terraform` found in the same folder: then a finding has its file and line, comments silence it,
        and what the plan knows only after apply is looked up in the files.

    Raises
    ------
    TerraformError
        If it is not the JSON of a plan.
    """
    blocks = [block for one in (at.configurations if at else ()) for block in one.blocks]
    comments = [comment for one in (at.configurations if at else ()) for comment in one.comments]
    read = configuration_of(plan, blocks, comments)
    report = judge([read], of="plan")
    said = ("silence-without-reason", "silence-unknown-rule")  # by lint already
    kept = [finding for finding in report.findings if finding.rule not in said]
    return Report(kept, report.unresolved, (), (), "plan", [read])


def both(found: Report, planned: Report) -> Report:
    """Return the report of lint and of a plan check together; what both find is one finding."""
    same = {(one.rule, one.place) for one in found.findings if one.place.file}
    more = [one for one in planned.findings if (one.rule, one.place) not in same]
    doubts = list(dict.fromkeys([*_still(found, planned), *planned.unresolved]))
    configurations = [*found.configurations, *planned.configurations]
    return Report(
        in_order([*found.findings, *more]), doubts, found.broken, found.files, "files and plan", configurations
    )


def _still(found: Report, planned: Report) -> Iterator[Unresolved]:
    """Yield what the files left open and the plan does not speak of."""
    spoken = {plain(block.address) for one in planned.configurations for block in one.blocks}
    yield from (one for one in found.unresolved if plain(one.address) not in spoken)
