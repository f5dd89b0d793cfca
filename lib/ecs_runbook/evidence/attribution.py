"""Whose run was it: tell apart the rules that a task or a call could belong to, or say that it cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ecs_runbook.errors import ScheduleError
from ecs_runbook.firing.calls import Call
from ecs_runbook.firing.names import Definition, definition, is_drill_of, short, started_by
from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.firing.tasks import Task
from ecs_runbook.wanted import schedule

NOT_OURS = ""
AMBIGUOUS = "ambiguous: "


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


def of_task(task: Task) -> Traces:
    """Return what a task of ECS shows: neither the role nor what was asked for."""
    # ECS always tells startedBy: a task without it was started by somebody else.
    return Traces(
        task.started_by,
        task.created,
        cluster=task.cluster,
        executed=definition(task.definition),
        by_eventbridge=bool(task.started_by),
    )


def of_call(call: Call) -> Traces:
    """Return what a RunTask call shows; with AccessDenied no more than the role and the ARNs in the refusal's words."""
    executed = next((definition(task.definition) for task in call.tasks if task.definition), None)
    requested = definition(call.requested) if call.requested else None
    if not requested and not executed:
        executed = next(iter(call.named), None)
    return Traces(call.started_by, call.time, call.role, call.cluster, requested, executed, call.by_eventbridge)


def whose(traces: Traces, mine: Rule, rivals: Sequence[Rule] = ()) -> str:
    """
    Return which schedule made a run, as the table names it; ``""`` if it is certainly not *mine*.

    Parameters
    ----------
    traces
        What the run shows.
    mine
        The rule that is asked about.
    rivals
        Other rules that could have made it. If it shows a ``startedBy``, those that share it, since it is cut to 36
        characters; else those with a target in the same cluster under the same role.

    Returns
    -------
    str
        ``<rule>``; ``<rule> (drill)``; for a refusal that does not say which of both, ``<rule> (schedule or drill)``,
        or ``<rule> (drill or retry)`` in a minute in which the schedule is not due; ``ambiguous: <rule> or <rule>``.

    Notes
    -----
    startedBy decides, where it is known and not shared; then role, cluster and task definition; then the minute. What
    that leaves open stays open.
    """
    if is_drill_of(traces.started_by, mine.name):
        return f"{mine.name} (drill)"
    if traces.started_by:
        if traces.started_by != started_by(mine.name):
            return NOT_OURS
        return _among(traces, mine, rivals) if rivals else mine.name
    if not traces.by_eventbridge or not _fits(traces, mine):
        return NOT_OURS
    answer = _among(traces, mine, rivals)
    return f"{mine.name}{_occasion(mine, traces.time)}" if answer == mine.name else answer


def due(expression: str, time: datetime | None) -> bool | None:
    """
    Say whether a schedule is due in the minute of *time*; None if the expression does not tell, as with ``rate(…)``.

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
    if time is None or not expression.startswith("cron("):
        return None
    minute = time.replace(second=0, microsecond=0)
    try:
        coming = schedule.parse(expression).after(minute - timedelta(seconds=1))
    except ScheduleError:
        return None
    return next(iter(coming), None) == minute


def _among(traces: Traces, mine: Rule, rivals: Sequence[Rule]) -> str:
    """Return mine's name, nothing, or that it cannot be told."""
    left = [rule for rule in (mine, *rivals) if _fits(traces, rule)] or [mine, *rivals]
    if len(left) > 1:
        left = (
            [rule for rule in left if due(rule.expression, traces.time)] if _told_by_time(left, traces.time) else left
        )
    if len(left) == 1:
        return mine.name if left[0] is mine else NOT_OURS
    return AMBIGUOUS + " or ".join(rule.name for rule in left)


def _told_by_time(rules: Sequence[Rule], time: datetime | None) -> bool:
    """Say whether exactly one of the schedules is due in that minute, and all the others certainly are not."""
    answers = [due(rule.expression, time) for rule in rules]
    return answers.count(True) == 1 and None not in answers


def _fits(traces: Traces, rule: Rule) -> bool:
    return any(_fits_target(traces, target) for target in rule.targets)


def _fits_target(traces: Traces, target: Target) -> bool:
    wants = definition(target.requested)
    if traces.role and target.role and traces.role != target.role:
        return False
    if traces.cluster and short(traces.cluster) != short(target.cluster):
        return False
    if traces.requested:
        return traces.requested == wants
    if traces.executed:
        return traces.executed.family == wants.family and wants.revision in (None, traces.executed.revision)
    return True


def _occasion(mine: Rule, time: datetime | None) -> str:
    """Return what is to be said of a refusal that shows no startedBy: a drill uses the very role of its schedule."""
    answer = due(mine.expression, time)
    if answer is None:
        return " (schedule or drill)"
    return "" if answer else " (drill or retry)"
