"""Judge a move from a rule to EventBridge Scheduler before anything is made: is all carried, and can it be switched?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_runbook.moving.steps import NARROW, in_words
from ecs_runbook.verdicts.verdict import Check

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.moving.move import Move


def judge_move(move: Move, same: pd.DataFrame) -> list[Check]:
    """
    Judge a move.

    Parameters
    ----------
    move
        From :func:`~ecs_runbook.moving.move.move_to_scheduler`.
    same
        From :func:`~ecs_runbook.moving.comparing.same_runs`.

    Returns
    -------
    list of Check
        ``move-loses-nothing``: NG if a field is left out, SKIP if something could not be read. ``move-runs-the-same``:
        NG if a planned schedule asks for something else than the rule. ``move-keeps-the-times``: SKIP if a zone was
        asked for and the cron stays in UTC. ``move-can-be-switched``: SKIP if no gap is known, or a narrow one.
    """
    name = move.found.name
    return [_loses(move, name), _same(same, name), _times(move, name), _switch(move, name)]


def _loses(move: Move, name: str) -> Check:
    lost = [one for one in move.told if one.fate == "left out"]
    if lost:
        because = "; ".join(f"{one.of}, {one.field}: {one.because}" for one in lost)
        return Check("move-loses-nothing", name, "NG", because, "Decide what becomes of it, or leave the rule a rule.")
    if move.found.unknown:
        because = "; ".join(f"{what}: {why}" for what, why in move.found.unknown.items())
        return Check("move-loses-nothing", name, "SKIP", f"not seen: {because}", "Ask as somebody who may read them.")
    changed = sum(one.fate == "changed" for one in move.told)
    return Check(
        "move-loses-nothing", name, "OK", f"all {len(move.told)} fields are carried, {changed} of them otherwise"
    )


def _same(same: pd.DataFrame, name: str) -> Check:
    other = same[~same["same"]]
    if len(other):
        because = "; ".join(f"{row.schedule}, {row.field}: {row.rule} → {row.plan}" for row in other.itertuples())
        return Check("move-runs-the-same", name, "NG", because, "Do not apply it; tell the makers of this runbook.")
    return Check("move-runs-the-same", name, "OK", f"the plan asks for the same in all {len(same)} fields")


def _times(move: Move, name: str) -> Check:
    if move.turned.kept and not move.found.is_rate:
        because = f"it stays in UTC: {move.turned.kept}"
        return Check("move-keeps-the-times", name, "SKIP", because, "Leave timezone empty if UTC is fine.")
    notes = [f"{row['rule_utc']:%Y-%m-%d}, {row['note']}" for row in move.beside.to_dict("records") if row["note"]]
    said = f"{move.turned.expression} in {move.turned.zone} fires when the rule does now"
    return Check("move-keeps-the-times", name, "OK", "; ".join([said, *notes]))


def _switch(move: Move, name: str) -> Check:
    if not move.found.enabled:
        return Check("move-can-be-switched", name, "OK", "the rule is switched off, so nothing can run twice")
    if isinstance(move.gap, str):
        mend = "Give last_run: when the rule fired last." if move.found.is_rate else ""
        return Check("move-can-be-switched", name, "SKIP", move.gap, mend)
    width = move.gap.width(move.now)
    because = in_words(move.gap, move.now)
    if move.found.made and move.found.is_rate:
        because += "; counted from when the rule was made, since no run of it was seen"
    if width < NARROW:
        why = f"{because}: a gap of {width} only"
        return Check("move-can-be-switched", name, "SKIP", why, "Accept that it may run twice or be missed once.")
    return Check("move-can-be-switched", name, "OK", because)
