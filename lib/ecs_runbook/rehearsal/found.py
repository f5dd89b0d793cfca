"""Who finds a mistake: lint in its folder, the plan check in its plan, the live checks in what its firing left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ecs_runbook.rehearsal.mistakes import Mistake
from ecs_runbook.session import Aws
from ecs_runbook.verdicts.runs import judge_runs


@dataclass(frozen=True)
class Live:
    explanation: Any
    ids: tuple[str, ...]


def by_lint(mistake: Mistake, mended: Path) -> tuple[str, ...]:
    return ()


def by_plan(plan: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    return {}


def by_live(rule: str, table: pd.DataFrame, *, since: datetime, aws: Aws) -> Live:
    ids = tuple(check.id for check in judge_runs(table, rule) if check.status == "NG")
    return Live(None, ids)
