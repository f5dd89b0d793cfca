"""What CloudTrail tells of changes to rules, schedules and targets: when a row was on, and by which expression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.names import short
from ecs_runbook.firing.schedules import DEFAULT_GROUP, Schedule
from ecs_runbook.inventory.due import interval
from ecs_runbook.inventory.model import Row

RULE_EVENTS = ("PutRule", "EnableRule", "DisableRule", "PutTargets", "RemoveTargets")
"""A rule can be deleted only without targets, so that RemoveTargets tells of it first (botocore events DeleteRule)."""
SCHEDULE_EVENTS = ("CreateSchedule", "UpdateSchedule")
SETTLES = timedelta(minutes=5)
""""Allow a short period of time for changes to take effect" (botocore events PutRule): how short is our choice."""


@dataclass(frozen=True)
class Change:
    """
    One change; what it leaves as it was is None.

    Attributes
    ----------
    time
        When it was made.
    owner
        ``(bus, rule)``, or ``(group, schedule)`` after ``"schedule"``.
    expression
        The schedule expression from then on; ``""`` for none.
    enabled
        Whether it fires from then on.
    targets
        Ids of the targets that it put or removed; empty if it is about the owner itself.
    there
        Whether these targets, or the owner, are there from then on.
    began
        Whether it certainly was not there before.
    """

    time: datetime
    owner: tuple[str, ...]
    expression: str | None = None
    enabled: bool | None = None
    targets: tuple[str, ...] = ()
    there: bool | None = None
    began: bool = False


def read(record: object) -> Change | None:
    """
    Read one CloudTrail record; None if it tells of no change, or of one that was refused.

    Source: AWS docs, CloudTrail record contents; botocore events and scheduler for the parameters. That a record has
    them in lower camel case is inferred from other services; both are read.

    Examples
    --------
    >>> change = read({"eventName": "PutRule", "eventTime": "2026-11-24T17:00:12Z", "requestParameters": {
    ...     "name": "nightly", "scheduleExpression": "rate(1 day)", "state": "DISABLED"}})
    >>> change.owner, change.expression, change.enabled
    (('default', 'nightly'), 'rate(1 day)', False)
    """
    whole = record if isinstance(record, Mapping) else {}
    name, time = whole.get("eventName"), moment(whole.get("eventTime"))
    if time is None or whole.get("errorCode") or whole.get("errorMessage"):
        return None
    asked = _lower(whole.get("requestParameters"))
    if name in SCHEDULE_EVENTS:
        owner = ("schedule", _text(asked.get("groupName")) or DEFAULT_GROUP, _text(asked.get("name")))
        on = _text(asked.get("state")) != "DISABLED"
        made = name == "CreateSchedule"
        return Change(time, owner, _text(asked.get("scheduleExpression")), on, there=made or None, began=made)
    bus = short(_text(asked.get("eventBusName"))) or "default"
    if name == "PutRule":
        # what is left out is not kept: then it is enabled, and has no expression (botocore events PutRule)
        on = _text(asked.get("state")) != "DISABLED"
        return Change(time, (bus, _text(asked.get("name"))), _text(asked.get("scheduleExpression")), on)
    if name in ("EnableRule", "DisableRule"):
        return Change(time, (bus, _text(asked.get("name"))), enabled=name == "EnableRule")
    if name in ("PutTargets", "RemoveTargets"):
        put = name == "PutTargets"
        told = [_lower(one).get("id") for one in _list(asked.get("targets"))] if put else _list(asked.get("ids"))
        ids = tuple(_text(one) for one in told)
        return Change(time, (bus, _text(asked.get("rule"))), targets=ids or ("",), there=put)
    return None


def owner_of(row: Row) -> tuple[str, ...]:
    """Return how changes name the owner of *row*."""
    if isinstance(row.owner, Schedule):
        return ("schedule", row.owner.group, row.owner.name)
    return (row.bus, row.owner.name)


def of_row(row: Row, changes: Iterable[Change]) -> list[Change]:
    """
    Return the changes of *row*, oldest first: those of CloudTrail, and what Scheduler itself tells.

    A record may leave out which targets it is about, above 100 KB: then it is about every one.
    """
    owner = owner_of(row)
    own = [one for one in changes if one.owner == owner and (not one.targets or {row.target.id, ""} & {*one.targets})]
    if row.changed is not None:
        own.append(Change(row.changed, owner, row.owner.expression, row.owner.enabled))
    if row.created is not None:
        own.append(Change(row.created, owner, there=True, began=True))
    return sorted(own, key=lambda one: one.time)


@dataclass(frozen=True)
class Span:
    """
    A stretch of time in which a row was on, by one expression.

    Attributes
    ----------
    start, end
        Both included.
    expression
        As it was then.
    known
        Whether it was on for certain; else only from the first firing on that was seen in it.
    sure_from, sure_to
        What is due outside of these may not have fired: a change takes a while.
    changed
        Whether a change began it: a rate may have begun anew.
    """

    start: datetime
    end: datetime
    expression: str
    known: bool
    sure_from: datetime
    sure_to: datetime
    changed: bool = False


@dataclass(frozen=True)
class _State:
    expression: str | None = None
    enabled: bool | None = None
    there: bool | None = None

    def after(self, change: Change) -> _State:
        return _State(
            self.expression if change.expression is None else change.expression,
            self.enabled if change.enabled is None else change.enabled,
            self.there if change.there is None else change.there,
        )

    def filled(self, later: _State, change: Change) -> _State:
        """Fill from the state after *change* what *change* left as it was."""
        there = later.there if change.there is None else None
        return _State(
            later.expression if self.expression is None and change.expression is None else self.expression,
            later.enabled if self.enabled is None and change.enabled is None else self.enabled,
            (False if change.began else there) if self.there is None else self.there,
        )


def spans(row: Row, changes: Sequence[Change], since: datetime, until: datetime) -> list[Span]:
    """
    Return when *row* was on from *since* to *until*, as far as it is known, oldest first.

    Parameters
    ----------
    row
        As it is now.
    changes
        From :func:`of_row`.

    Notes
    -----
    What it was after the last change is known: it is so still. What it was before the first one is known as far as
    that change left it as it was; the rest has to be seen: a firing then proves that it was on.
    """
    own = [one for one in changes if since <= one.time <= until]
    states = [_State()]
    for change in own:
        states.append(states[-1].after(change))
    states[-1] = _State(row.owner.expression, row.owner.enabled, there=True)
    for place in range(len(own) - 1, -1, -1):
        states[place] = states[place].filled(states[place + 1], own[place])
    edges = [since, *(one.time for one in own), until]
    found = []
    for place, state in enumerate(states):
        start, end = edges[place], edges[place + 1]
        later = next((one.expression for one in states[place:] if one.expression is not None), None)
        if start == end or state.enabled is False or state.there is False or not later:
            continue
        known = None not in (state.expression, state.enabled, state.there)
        changed, ends = place > 0, place < len(own)
        sure = (start + SETTLES if changed else start, end - SETTLES if ends else end)
        found.append(Span(start, end, later, known, *sure, changed))
    return _joined(found)


def _joined(found: Sequence[Span]) -> list[Span]:
    """Join stretches parted by a change that changed nothing, as when Terraform applies the same again."""
    joined: list[Span] = []
    for span in found:
        last = joined[-1] if joined else None
        same = last is not None and (last.end, last.expression) == (span.start, span.expression)
        if last and same and last.known and span.known and interval(span.expression) is None:
            joined[-1] = replace(last, end=span.end, sure_to=span.sure_to)
        else:
            joined.append(span)
    return joined


def _lower(value: object) -> dict[str, Any]:
    told = value if isinstance(value, Mapping) else {}
    return {str(name)[:1].lower() + str(name)[1:]: inner for name, inner in told.items()}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
