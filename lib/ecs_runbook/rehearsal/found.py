"""Who finds a mistake: lint in its folder, the plan check in its plan, the live checks in what its firing left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ecs_runbook.rehearsal.mistakes import Mistake
from ecs_runbook.rehearsal.stage import owner
from ecs_runbook.verdicts.runs import judge_runs

if TYPE_CHECKING:
    from ecs_runbook.diagnosis.explain import Explanation

Found = frozenset[tuple[str, str]]
"""What lint or a plan check finds: its rule, and the resource's address."""


@dataclass(frozen=True)
class Live:
    """What the live checks make of a firing: the ids of what they found, and the explanation of the first."""

    ids: tuple[str, ...]
    explanation: Explanation | None = None


def by_lint(mistake: Mistake, mended: Path) -> tuple[str, ...] | None:
    """
    Return the rules that find *mistake* in its folder and find it no more in the *mended* one.

    What lint finds in both is not the mistake; notes are left out. None if there is no lint to ask.
    """
    lint = _offered("lint")
    return _gone(_worth(lint(mistake.folder)), _worth(lint(mended))) if lint else None


def by_plan(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[str, ...]] | None:
    """
    Return, by the mistake, the rules that the plan check finds in a plan of all, and no more after the mend.

    None if there is no plan check to ask.
    """
    check = _offered("check_plan")
    if not check:
        return None
    found, left = _worth(check(before)), _worth(check(after))
    whose = {owner(address) for _, address in found}
    return {name: _gone(_of(name, found), _of(name, left)) for name in whose}


def by_live(rule: str, table: pd.DataFrame, letters: Iterable[Mapping[str, Any]] = ()) -> Live:
    """
    Return what `50_explain_failure` and `40_prove` make of a firing.

    Parameters
    ----------
    rule
        The schedule's name.
    table
        Its runs, with the records in their ``attrs``.
    letters
        The messages of its dead-letter queue.
    """
    explanations = _explained(rule, [*_records(table), *letters])
    causes = tuple(dict.fromkeys(one.cause for one in explanations if one.known))
    checks = tuple(check.id for check in judge_runs(table, rule) if check.status == "NG")
    return Live(causes or checks, explanations[0] if explanations else None)


def _explained(rule: str, told: Sequence[Mapping[str, Any]]) -> list[Explanation]:
    if not find_spec("ecs_runbook.diagnosis.sighting") or not find_spec("ecs_runbook.diagnosis.explain"):
        return []
    sightings = import_module("ecs_runbook.diagnosis.sighting").sightings
    explain = import_module("ecs_runbook.diagnosis.explain").explain
    return [explain(seen, rule=rule) for seen in sightings(list(told))]


def _records(table: pd.DataFrame) -> list[Mapping[str, Any]]:
    by_source: Mapping[str, Sequence[Mapping[str, Any]]] = table.attrs.get("records", {})
    return [record for records in by_source.values() for record in records]


def _offered(name: str) -> Any:
    """Return what the room of lint offers under *name*, or None where it is not there."""
    for module in ("linting", "api", "check", "lint", "run"):
        if find_spec(f"ecs_runbook.lint.{module}"):
            found = getattr(import_module(f"ecs_runbook.lint.{module}"), name, None)
            if found:
                return found
    return None


def _worth(report: Any) -> Found:
    return frozenset((one.rule, one.address) for one in report.findings if one.severity != "note" and not one.silenced)


def _of(name: str, found: Found) -> Found:
    return frozenset((rule, address) for rule, address in found if owner(address) == name)


def _gone(before: Found, after: Found) -> tuple[str, ...]:
    return tuple(sorted({rule for rule, _ in before - after}))
