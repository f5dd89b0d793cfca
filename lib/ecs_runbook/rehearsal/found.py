"""Who finds a mistake: lint in its folder, the plan check in its plan, the live checks in what its firing left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ecs_runbook.diagnosis.explain import Explanation
from ecs_runbook.diagnosis.failures import Failures
from ecs_runbook.lint.check import check_plan, lint_terraform
from ecs_runbook.lint.findings import Report
from ecs_runbook.rehearsal.mistakes import Mistake
from ecs_runbook.rehearsal.stage import owner
from ecs_runbook.verdicts.runs import judge_runs

Found = frozenset[tuple[str, str]]
"""What lint or a plan check finds: its rule, and the resource's address."""


@dataclass(frozen=True)
class Live:
    """What the live checks make of a firing: the ids of what they found, and the explanation of the first."""

    ids: tuple[str, ...]
    explanation: Explanation | None = None


def by_lint(mistake: Mistake, mended: Path) -> tuple[str, ...]:
    """
    Return the rules that find *mistake* in its folder and find it no more in the *mended* one.

    What lint finds in both is not the mistake; notes are left out.
    """
    return _gone(_worth(lint_terraform(mistake.folder)), _worth(lint_terraform(mended)))


def in_plan(plan: Mapping[str, Any], folder: Path) -> Found:
    """
    Return what the plan check finds in a plan of *folder*, notes left out.

    What the plan knows only after apply, such as which attribute of a task definition a target names, it looks up in
    the files, as it does in `10_generate`.
    """
    return _worth(check_plan(plan, at=lint_terraform(folder)))


def by_plan(before: Found, after: Found) -> dict[str, tuple[str, ...]]:
    """Return, by the mistake, the rules that the plan check finds in a plan of all, and no more after the mend."""
    whose = {owner(address) for _, address in before}
    return {name: _gone(_of(name, before), _of(name, after)) for name in whose}


def by_live(rule: str, table: pd.DataFrame, failed: Failures) -> Live:
    """
    Return what `50_explain_failure` and `40_prove` make of a firing.

    Parameters
    ----------
    rule
        The schedule's name.
    table
        Its runs, as `40_prove` sees them.
    failed
        What failed, as `50_explain_failure` sees it.
    """
    causes = tuple(one.cause for one in failed.explanations if one.known)
    checks = tuple(check.id for check in judge_runs(table, rule) if check.status == "NG")
    return Live(causes or checks, failed.explanations[0] if failed.explanations else None)


def _worth(report: Report) -> Found:
    return frozenset((one.rule, one.address) for one in report.at_least("warning"))


def _of(name: str, found: Found) -> Found:
    return frozenset((rule, address) for rule, address in found if owner(address) == name)


def _gone(before: Found, after: Found) -> tuple[str, ...]:
    return tuple(sorted({rule for rule, _ in before - after}))
