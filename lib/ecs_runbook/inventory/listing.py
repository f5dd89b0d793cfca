"""The inventory: every rule and schedule that ends in ECS, in every bus, group, Region and account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.inventory.bars import PlaceBars
from ecs_runbook.inventory.fleet import PLACES_AT_ONCE, Fleet
from ecs_runbook.inventory.gate import gap_of
from ecs_runbook.inventory.looking import Looking, Seen
from ecs_runbook.inventory.model import Gap, Inventory, Row
from ecs_runbook.inventory.selection import Selection, label, nearest, selected

_ASKED_BY = {"rule": "events:DescribeRule", "schedule": "scheduler:GetSchedule"}


def take_inventory(
    fleet: Fleet,
    *,
    rules: Sequence[str] = (),
    schedules: Sequence[str] = (),
    tag: str = "",
    raw: bool = False,
    progress: Bars | None = None,
) -> Inventory:
    """
    List what is on a schedule, or waits for events, and ends in ECS.

    Parameters
    ----------
    fleet
        Where to look, from :func:`~ecs_runbook.inventory.fleet.fleet`.
    rules
        Names of rules to look at, ``<bus>/<name>`` where it is not the default bus.
    schedules
        Names of schedules of EventBridge Scheduler, ``<group>/<name>`` where it is not the default group.
    tag
        ``<key>`` or ``<key>=<value>``: only rules that carry it, and schedules whose group does (a schedule cannot).
        With none of the three, everything is looked at.
    raw
        Whether each row keeps all that AWS told of its owner: of a whole organisation that is much.
    progress
        Where to show how far it is.

    Returns
    -------
    Inventory
        One row a target, also of rules and schedules that are disabled. What could not be listed is a gap.

    Raises
    ------
    EvidenceError
        If a name is given that no place has, with the names nearest to it; or names and a tag together.

    Notes
    -----
    Needs ``events:ListEventBuses``, ``events:ListRules``, ``events:ListTargetsByRule``, ``scheduler:ListSchedules``,
    ``scheduler:GetSchedule``, and ``states:DescribeStateMachine`` where a state machine stands between; for names also
    ``events:DescribeRule``; for a tag ``tag:GetResources``.

    AWS lists rules and schedules a hundred a call, and tells of the targets of one rule, and of one schedule, with a
    call of its own. Schedules are left out whose target, as the list tells it, is neither ECS nor a state machine.
    A state machine is followed if it does nothing but run a task.
    """
    chosen = selected(rules, schedules, tag)
    bars = PlaceBars(progress, len(fleet.places))
    seen: list[Seen] = []
    gaps: list[Gap] = list(fleet.gaps)
    for place, answer in fleet.gate.side_by_side(
        lambda one: Looking(one, fleet, chosen, bars, raw=raw).look(), fleet.places, workers=PLACES_AT_ONCE
    ):
        if isinstance(answer, AwsError):
            gaps.append(gap_of(answer, place=place))
        else:
            seen.append(answer)
            gaps += answer.gaps
    gaps += _nowhere(seen, gaps, fleet)
    return Inventory(
        rows=tuple(sorted((row for one in seen for row in one.rows), key=_order)),
        gaps=tuple(gaps),
        places=tuple(fleet.asked),
        others=sum(one.others for one in seen),
        whole=not (rules or schedules or tag),
        calls=dict(fleet.gate.counts),
    )


def _nowhere(seen: Sequence[Seen], gaps: Sequence[Gap], fleet: Fleet) -> list[Gap]:
    """
    Return as gaps the names that no place had, where some could not be asked.

    Raises
    ------
    EvidenceError
        If there is such a name, and every place was asked.
    """
    missing = sorted(set.intersection(*(one.unknown for one in seen))) if seen else []
    if not missing:
        return []
    if not gaps:
        kind, of, name = missing[0]
        where = f"on the bus {of!r}" if kind == "rule" else f"in the group {of!r}"
        places = str(fleet.places[0]) if len(fleet.places) == 1 else f"any of {len(fleet.places)} accounts and Regions"
        more = f" Not there either: {', '.join(label(*one[1:]) for one in missing[1:])}." if len(missing) > 1 else ""
        words = f"{kind} = {label(of, name)!r}: there is no such {kind} {where} in {places}.{more}"
        raise EvidenceError(words, hint=_nearest(kind, label(of, name), fleet, seen))
    words = "it is nowhere that could be asked"
    return [Gap(_ASKED_BY[kind], words, place=fleet.places[0], subject=label(of, name)) for kind, of, name in missing]


def _nearest(kind: str, wanted: str, fleet: Fleet, seen: Sequence[Seen]) -> str:
    labels = [one for each in seen for one in each.labels[kind]]
    # what few places have is listed only now that somebody asked for a name that is not there
    for place in fleet.places[:PLACES_AT_ONCE] if not labels else ():
        looking = Looking(place, fleet, Selection(), PlaceBars(None, 1))
        labels += looking.labels(kind)
        if looking.seen.gaps:
            return f"The names of the {kind}s could not be listed: {looking.seen.gaps[0]}."
    return nearest(kind, wanted, labels)


def _order(row: Row) -> tuple[Any, ...]:
    return (row.place, row.kind, row.group, row.owner.name, row.target.id)
