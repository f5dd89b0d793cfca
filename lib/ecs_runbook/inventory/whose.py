"""Which rows of a place a RunTask call or a task can be of."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ecs_runbook.evidence import attribution
from ecs_runbook.evidence.attribution import AMBIGUOUS, NOT_OURS, Traces, fits_target
from ecs_runbook.evidence.owners import Everyone, Rivals
from ecs_runbook.firing.names import STARTED_BY_PREFIX as RULE_MARK
from ecs_runbook.firing.names import short
from ecs_runbook.firing.rules import Rule
from ecs_runbook.firing.schedules import RUN_TASK
from ecs_runbook.firing.schedules import STARTED_BY_PREFIX as SCHEDULE_MARK
from ecs_runbook.inventory.changes import owner_of
from ecs_runbook.inventory.model import Row

MACHINE_MARK = "AWS Step Functions"
"""What Step Functions writes into ``startedBy``: seen in published states of executions, not documented."""


class Whose(NamedTuple):
    """
    Whose it is.

    Attributes
    ----------
    rows
        Those that it can be of: one if it is certain, none if it is of none.
    label
        How a table names it: the rule or schedule, ``ambiguous: …``, ``… (drill)``.
    drill
        Whether it was a drill, which is not the schedule's.
    outside
        Whether it can also be of a rule or schedule that is no row.
    """

    rows: Sequence[Row] = ()
    label: str = ""
    drill: bool = False
    outside: bool = False

    @property
    def certain(self) -> bool:
        """Whether it is of one row for certain."""
        return len(self.rows) == 1 and not self.outside


NOBODYS = Whose()
_NAMED = 5


class Attribution:
    """
    The rows of one place, and whose a run was among them.

    Parameters
    ----------
    rows
        All rows of the place.
    rivals
        How to find those that are not among the rows and could be taken for a rule or schedule; None if the rows are
        all that there is.
    """

    def __init__(self, rows: Sequence[Row], rivals: Callable[[Rule], Rivals | None] | None = None) -> None:
        self._rows: dict[int, list[Row]] = {}
        self._named: dict[str, list[Row]] = defaultdict(list)
        self._free: dict[str, list[Row]] = defaultdict(list)
        self._find, self._rivals = rivals, dict[int, Rivals | None]()
        by_owner: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in rows:
            if row.through or _is_universal(row):
                self._free[row.role].append(row)
            if not row.through:
                by_owner[owner_of(row)].append(row)
        known = []
        for own in by_owner.values():
            owner = replace(own[0].owner, targets=tuple(row.target for row in own))
            known.append(owner)
            self._rows[id(owner)] = own
            self._named[attribution.label(owner)] += own
        self._everyone = Everyone(known)

    def of(self, traces: Traces) -> Whose:
        """Return whose it is."""
        marked = traces.started_by.startswith((RULE_MARK, SCHEDULE_MARK))
        own = [] if marked else self._of_free(traces)
        if traces.started_by and not marked:
            return of_rows(own) if own else NOBODYS
        left = self._everyone.left(traces)
        if left:
            among = self._among(traces, left)
            more = [row for row in own if not any(row is one for one in among.rows)]
            return of_rows([*among.rows, *more]) if more else among
        if own:
            return of_rows(own)
        if self._everyone.is_drill(traces):
            label = self._everyone.whose(traces)
            rows = self._named.get(label.removesuffix(" (drill)"), [])
            return Whose(rows, label, drill=True) if rows else NOBODYS
        return NOBODYS

    def marks(self) -> frozenset[str]:
        """Return what else than a rule's or schedule's mark its tasks carry as ``startedBy``."""
        free = [row for some in self._free.values() for row in some]
        return frozenset(MACHINE_MARK if row.through else _given_mark(row) for row in free)

    def _of_free(self, traces: Traces) -> list[Row]:
        """
        Return the rows that can have made a call which carries no rule's or schedule's mark.

        A state machine calls under its own role; a universal target of Scheduler is passed on as it is written. A task
        shows no role.
        """
        if traces.role:
            several = self._free.get(traces.role, [])
        elif traces.started_by:
            several = [row for some in self._free.values() for row in some]
        else:
            several = []
        if not several:
            return []
        known = []
        for row in several:
            mark = MACHINE_MARK if row.through else _given_mark(row)
            if traces.started_by not in ("", mark) and not (row.through and traces.role):
                continue
            # the input of the target is the state machine's own
            seen = replace(traces, commands=None) if row.through else traces
            if fits_target(seen, replace(row.target, role=row.role)):
                known.append(row)
        return known

    def _among(self, traces: Traces, left: Sequence[Rule]) -> Whose:
        doubt = ""
        if self._find is not None:
            left, doubt = self._without_rivals(traces, left)
        rows = [row for owner in left for row in self._of_owner(traces, owner)]
        if not rows:
            return NOBODYS
        if doubt:
            return Whose(rows, doubt, outside=True)
        if len(rows) > 1:
            return of_rows(rows)
        occasion = "" if traces.started_by else attribution.occasion(left[0], traces.time)
        return Whose(rows, attribution.label(left[0]) + occasion)

    def _of_owner(self, traces: Traces, owner: Rule) -> list[Row]:
        own = self._rows[id(owner)]
        # targets changed since leave it open which of them it was
        return [row for row in own if fits_target(traces, row.target)] or own

    def _without_rivals(self, traces: Traces, left: Sequence[Rule]) -> tuple[Sequence[Rule], str]:
        """Return those that are left when rules and schedules that are no rows are thought of, and the doubt if any."""
        kept, doubt = [], ""
        for owner in left:
            rivals = self._rivals_of(owner)
            answer = rivals.whose(traces) if rivals else attribution.label(owner)
            if answer != NOT_OURS:
                kept.append(owner)
                doubt = answer if answer.startswith(AMBIGUOUS) else doubt
        return kept, doubt

    def _rivals_of(self, owner: Rule) -> Rivals | None:
        if id(owner) not in self._rivals and self._find is not None:
            self._rivals[id(owner)] = self._find(owner)
        return self._rivals[id(owner)]


def of_rows(rows: Sequence[Row]) -> Whose:
    """Return that it is of one of *rows*."""
    return Whose(rows, _label(rows))


def _label(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(row.subject for row in rows))
    if len(names) == 1:
        return names[0]
    rest = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return AMBIGUOUS + " or ".join([*names[:_NAMED], *rest])


def is_scheduled(started_by: str) -> bool:
    """Say whether a task with that ``startedBy`` says that it is of a rule or a schedule."""
    return started_by.startswith((RULE_MARK, SCHEDULE_MARK))


def _is_universal(row: Row) -> bool:
    return str(row.target.raw.get("Arn", "")).endswith(RUN_TASK)


def _given_mark(row: Row) -> str:
    """Return the ``startedBy`` that the input of a universal target says; ``""`` if it says none."""
    try:
        given = json.loads(str(row.target.raw.get("Input") or "{}"))
    except ValueError:
        return ""
    told = {str(name).lower(): value for name, value in given.items()} if isinstance(given, Mapping) else {}
    return str(told.get("startedby") or "")


def clusters_of(rows: Sequence[Row]) -> list[str]:
    """
    Return the clusters that *rows* name, each once, by an ARN if one of them has it.

    Examples
    --------
    >>> clusters_of([])
    []
    """
    named: dict[str, str] = {}
    for row in rows:
        name = row.request.cluster or "default"
        if name.startswith("arn:") or short(name) not in named:
            named[short(name)] = name
    return sorted(named.values())
