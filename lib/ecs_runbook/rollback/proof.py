"""Prove a way back by firing: a drill of one schedule that follows the family, through EventBridge itself."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ecs_runbook.errors import RunbookError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.drill import fire
from ecs_runbook.firing.fired import Fired
from ecs_runbook.inventory.model import Row
from ecs_runbook.rollback.go import RolledBack
from ecs_runbook.rollback.situation import Situation
from ecs_runbook.session import Aws


@dataclass(frozen=True)
class Proof:
    """A drill, or why there was none; ``asked`` says whether one was to be had."""

    fired: Fired | None = None
    because: str = ""
    asked: bool = True

    def __str__(self) -> str:
        return str(self.fired) if self.fired else self.because

    def _repr_html_(self) -> str:
        return self.fired._repr_html_() if self.fired else f"<p>{html.escape(self.because)}</p>"

    def to_dict(self) -> dict[str, Any]:
        """Return it as the receipt has it."""
        return {"fired": self.fired, "because": self.because}


def prove(
    rolled: RolledBack,
    where: Situation,
    aws: Aws,
    *,
    drill: bool = True,
    rule: str = "",
    schedule: str = "",
    dry_command: Sequence[str] = (),
    progress: Bars | None = None,
) -> Proof:
    """
    Fire one rule or schedule that runs the family, to see which revision runs now.

    Parameters
    ----------
    rolled
        What was done; nothing is fired if nothing was, or if it did not come to its end.
    where
        What was announced.
    aws
        The session.
    drill
        Whether to fire at all: the real task runs, unless *dry_command* is given.
    rule, schedule
        Which; the first enabled one of the family if both are left out.
    dry_command
        Runs in place of the containers' own command: ``["true"]``.
    progress
        Where to show how far it is.

    Returns
    -------
    Proof
        Also where the drill itself was refused: what was changed stays changed, and is told of.

    Notes
    -----
    Needs what :func:`~ecs_runbook.firing.drill.fire` needs.
    """
    if not rolled.finished:
        return Proof(because="nothing was changed, so there is nothing to prove", asked=False)
    if not drill:
        return Proof(because="no drill was asked for (drill = False): the next firing shows it", asked=False)
    target = ""
    if rule or schedule:
        if not any(_is_named(row, rule, schedule) for row in (*where.rows, *where.pinned)):
            return Proof(
                because=f"{schedule or rule} was not fired: it runs neither the latest revision of {where.family} nor "
                f"{where.good.name}, as far as the inventory shows"
            )
    else:
        row = next(filter(_can_be_fired, (*where.rows, *where.pinned)), None)
        if row is None:
            return Proof(
                because="nothing enabled that can be fired runs this family: no rule of the default bus, no schedule"
            )
        rule, schedule = ("", row.subject) if row.kind == "schedule" else (row.owner.name, "")
        target = "" if row.kind == "schedule" else row.target.id
    clients = aws.clients("events", "scheduler", "stepfunctions", "ecs", "cloudtrail", "iam")
    asked: dict[str, Any] = {"dry_command": list(dry_command) or None, "target_id": target, "progress": progress}
    try:
        return Proof(fire(rule, schedule=schedule, now=aws.now, pace=aws.pace, **asked, **clients))
    except RunbookError as error:
        return Proof(because=f"the drill of {schedule or rule} was not made: {error}")


def _is_named(row: Row, rule: str, schedule: str) -> bool:
    if schedule:  # a name alone is one of the default group, as firing takes it
        named = schedule if "/" in schedule else f"default/{schedule}"
        return row.kind == "schedule" and named == f"{row.group}/{row.owner.name}"
    return row.kind != "schedule" and row.bus == "default" and rule == row.owner.name


def _can_be_fired(row: Row) -> bool:
    of_default_bus = row.kind == "rule" and row.bus == "default" and not row.through
    return row.owner.enabled and (row.kind == "schedule" or of_default_bus)
