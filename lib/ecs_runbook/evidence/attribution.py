"""Whose run was it: tell apart the rules that a task or a call could belong to, or say that it cannot be told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TypeAlias

from ecs_runbook.errors import ScheduleError
from ecs_runbook.firing import schedules
from ecs_runbook.firing.calls import Call
from ecs_runbook.firing.names import Definition, definition, is_drill_of, short
from ecs_runbook.firing.names import started_by as started_by_rule
from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.firing.schedules import Schedule
from ecs_runbook.firing.tasks import Task
from ecs_runbook.wanted import schedule

NOT_OURS = ""
AMBIGUOUS = "ambiguous: "


Commands: TypeAlias = frozenset[tuple[str, tuple[str, ...]]]
"""What containers are told to run instead of what their task definition says: name and command of each."""


@dataclass(frozen=True)
class Traces:
    """What a task or a call shows of who started it. What it does not show is ``""``, None or empty."""

    started_by: str
    time: datetime | None
    role: str = ""
    cluster: str = ""
    requested: Definition | None = None
    executed: Definition | None = None
    by_eventbridge: bool = True
    commands: Commands | None = None


def of_task(task: Task) -> Traces:
    """Return what a task of ECS shows: neither the role nor what was asked for."""
    # ECS always tells startedBy: a task without it was started by somebody else.
    return Traces(
        task.started_by,
        task.created,
        cluster=task.cluster,
        executed=definition(task.definition),
        by_eventbridge=bool(task.started_by),
        commands=_commands(task.raw.get("overrides")),
    )


def of_call(call: Call) -> Traces:
    """Return what a RunTask call shows; with AccessDenied no more than the role and the ARNs in the refusal's words."""
    executed = next((definition(task.definition) for task in call.tasks if task.definition), None)
    requested = definition(call.requested) if call.requested else None
    if not requested and not executed:
        executed = next(iter(call.named), None)
    asked = call.raw.get("requestParameters")
    commands = _commands(asked.get("overrides")) if isinstance(asked, Mapping) else None
    return Traces(
        call.started_by, call.time, call.role, call.cluster, requested, executed, call.by_eventbridge, commands
    )


def mark(one: Rule) -> str:
    """Return what a task that *one* starts carries as ``startedBy``."""
    return schedules.started_by(one.name) if isinstance(one, Schedule) else started_by_rule(one.name)


def label(one: Rule) -> str:
    """Return how tables name *one*: a rule by its name, a schedule as ``<group>/<name>``."""
    return one.label if isinstance(one, Schedule) else one.name


def is_drill(started_by: str, one: Rule) -> bool:
    """Say whether a task's ``startedBy`` is that of a drill of *one*."""
    if isinstance(one, Schedule):
        return schedules.is_drill(started_by, one.label)
    return is_drill_of(started_by, one.name)


def whose(traces: Traces, mine: Rule, rivals: Sequence[Rule] = ()) -> str:
    """
    Return which schedule made a run, as the table names it; ``""`` if it is certainly not *mine*.

    Parameters
    ----------
    traces
        What the run shows.
    mine
        The rule that is asked about, or the schedule of EventBridge Scheduler.
    rivals
        Others that could have made it. If it shows a ``startedBy``, those that share it, since it is cut to 36
        characters; else those with a target in the same cluster under the same role.

    Returns
    -------
    str
        ``<rule>``; ``<rule> (drill)``; for a refusal that does not say which of both, ``<rule> (schedule or drill)``,
        or ``<rule> (drill or retry)`` in a minute in which the schedule is not due; ``ambiguous: <rule> or <rule>``.
        A schedule is named ``<group>/<name>``.

    Notes
    -----
    startedBy decides, where it is known and not shared; then role, cluster, task definition and the commands that
    containers are given, where a record shows some; then the minute. What that leaves open stays open.
    """
    if is_drill(traces.started_by, mine):
        return f"{label(mine)} (drill)"
    if traces.started_by:
        if traces.started_by != mark(mine):
            return NOT_OURS
        return _among(traces, mine, rivals) if rivals else label(mine)
    if not could_have_called(traces, mine):
        return NOT_OURS
    answer = _among(traces, mine, rivals)
    return f"{label(mine)}{occasion(mine, traces.time)}" if answer == label(mine) else answer


def could_have_called(traces: Traces, one: Rule) -> bool:
    """
    Say whether a call that shows no ``startedBy`` can be that of *one*.

    Notes
    -----
    EventBridge says in the record that it called for a rule. What a record of Scheduler says of its caller was seen for
    universal targets only, so a schedule is known by its role.
    """
    if isinstance(one, Schedule):
        return bool(traces.role) and not traces.by_eventbridge and fits(traces, one)
    return traces.by_eventbridge and fits(traces, one)


def due(expression: str, time: datetime | None, zone: tzinfo = UTC) -> bool | None:
    """
    Say whether a schedule is due in the minute of *time*; None if the expression does not tell, as with ``rate(…)``.

    *zone* is the one that the expression is read in: UTC for a rule.

    Source: AWS docs, EventBridge: a rule runs within its minute in UTC, not on the 0th second.

    Examples
    --------
    >>> from datetime import UTC
    >>> due("cron(0 17 * * ? *)", datetime(2026, 11, 24, 17, 0, 48, tzinfo=UTC))
    True
    >>> due("cron(0 17 * * ? *)", datetime(2026, 11, 24, 17, 1, 2, tzinfo=UTC))
    False
    >>> due("rate(5 minutes)", datetime(2026, 11, 24, 17, 1, 2, tzinfo=UTC)) is None
    True
    """
    if time is None or not expression.startswith(("cron(", "at(")) or (parsed := _parsed(expression)) is None:
        return None
    minute = time.replace(second=0, microsecond=0)
    return next(parsed.after(minute - timedelta(seconds=1), zone=zone), None) == minute


@lru_cache(maxsize=4096)
def _parsed(expression: str) -> schedule.Schedule | None:
    try:
        return schedule.parse_scheduler(expression)
    except ScheduleError:
        return None


def _among(traces: Traces, mine: Rule, rivals: Sequence[Rule]) -> str:
    """Return mine's name, nothing, or that it cannot be told."""
    left = left_of(traces, (mine, *rivals))
    if len(left) == 1:
        return label(mine) if left[0] is mine else NOT_OURS
    return ambiguous(left)


def left_of(traces: Traces, several: Sequence[Rule]) -> Sequence[Rule]:
    """Return those of *several* that a run can belong to, by role, target and minute; all if none of these fits."""
    left = [rule for rule in several if fits(traces, rule)] or several
    if len(left) > 1:
        answers = [_due(rule, traces.time) for rule in left]
        # Told by time only if exactly one is due in that minute, and all the others certainly are not.
        if answers.count(True) == 1 and None not in answers:
            return [left[answers.index(True)]]
    return left


def ambiguous(several: Sequence[Rule]) -> str:
    """Return how a table says that a run can belong to each of *several*."""
    return AMBIGUOUS + " or ".join(label(rule) for rule in several)


def _due(rule: Rule, time: datetime | None) -> bool | None:
    zone = schedules.zone_of(rule) if isinstance(rule, Schedule) else UTC
    return due(rule.expression, time, zone) if zone else None


def fits(traces: Traces, rule: Rule) -> bool:
    """Say whether what a run shows of role, cluster and task definition is that of one of the rule's targets."""
    return any(fits_target(traces, target) for target in rule.targets)


def fits_target(traces: Traces, target: Target) -> bool:
    """Say whether what a run shows of role, cluster and task definition is that of *target*."""
    wants = definition(target.requested)
    if traces.role and target.role and traces.role != target.role:
        return False
    if traces.cluster and short(traces.cluster) != short(target.cluster):
        return False
    if traces.commands and (given := _commands_of(target)) is not None and given != traces.commands:
        return False
    if traces.requested:
        return traces.requested == wants
    if traces.executed:
        return traces.executed.family == wants.family and wants.revision in (None, traces.executed.revision)
    return True


def _commands_of(target: Target) -> Commands | None:
    """Return the commands that *target* gives its containers; None if they are made of each event, or unreadable."""
    if target.raw.get("InputPath") or target.raw.get("InputTransformer"):
        return None
    given = target.raw.get("Input")
    if not given:
        return frozenset() if target.raw else None
    try:
        told = json.loads(given)
    except (TypeError, ValueError):
        return None
    if isinstance(told, Mapping):  # a universal target of Scheduler has them one deeper
        told = told.get("Overrides") or told.get("overrides") or told
    return _commands(told) or frozenset()


def _commands(overrides: object) -> Commands | None:
    """
    Return the commands of a TaskOverride, in the casing of either API; None where none is told.

    Examples
    --------
    >>> _commands({"containerOverrides": [{"name": "main", "command": ["report", "daily"]}, {"name": "proxy"}]})
    frozenset({('main', ('report', 'daily'))})
    """
    told = overrides if isinstance(overrides, Mapping) else {}
    several = told.get("containerOverrides") or told.get("ContainerOverrides")
    found = set()
    for one in several if isinstance(several, list) else ():
        command = (one.get("command") or one.get("Command")) if isinstance(one, Mapping) else None
        if isinstance(command, list):
            found.add((str(one.get("name") or one.get("Name")), tuple(str(word) for word in command)))
    return frozenset(found) or None


def occasion(mine: Rule, time: datetime | None) -> str:
    """Return what is to be said of a refusal that shows no startedBy: a drill uses the very role of its schedule."""
    if isinstance(mine, Schedule):
        window = mine.told.get("FlexibleTimeWindow") or {}
        zone = schedules.zone_of(mine) if window.get("Mode", "OFF") == "OFF" else None
        answer = due(mine.expression, time, zone) if zone else None
    else:
        answer = due(mine.expression, time)
    if answer is None:
        return " (schedule or drill)"
    return "" if answer else " (drill or retry)"
