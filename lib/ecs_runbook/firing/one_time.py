"""
Run a schedule of EventBridge Scheduler now, through Scheduler itself: a drill.

A one-time schedule in the same group, due at once, with a copy of the real target: same role, same settings, same
input, retries and dead-letter queue. It is removed whatever happens, and Scheduler removes it itself once it has fired;
after a kill before that, the next drill removes it, which knows it by name and description: a schedule has no tags.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from ecs_runbook.errors import AwsError, EvidenceError, ParameterError
from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.fired import Fired, about_trust, teller
from ecs_runbook.firing.inputs import execution_input, run_task_input, with_dry_command
from ecs_runbook.firing.names import DRILL_PREFIX, definition, schedule_drill_name
from ecs_runbook.firing.schedules import DEFAULT_GROUP, Schedule, read_schedule, started_by
from ecs_runbook.firing.tasks import essential
from ecs_runbook.firing.watch import NOTHING_SEEN, ExecutionWatch, Watch
from ecs_runbook.session import AWS_PACE, Pace

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_iam import IAMClient

SLACK = timedelta(minutes=10)
_MADE_WITHIN = timedelta(seconds=5)
LEFTOVER_COLUMNS = ["drill_schedule", "schedule", "until", "dead"]
_DESCRIBED = re.compile(r"A drill of (\S+) by the ECS runbook, over at (\S+)")


@dataclass
class Standing:
    """Whether the temporary schedule is gone: ``left_behind`` says why it could not be removed."""

    left_behind: str = ""


def fire_schedule(
    schedule: str,
    *,
    scheduler: Any,
    ecs: ECSClient,
    cloudtrail: CloudTrailClient,
    stepfunctions: Any = None,
    now: Callable[[], datetime],
    pace: Pace = AWS_PACE,
    dry_command: Sequence[str] | None = None,
    settle_seconds: float | None = None,
    timeout_seconds: float | None = None,
    iam: IAMClient | None = None,
    progress: Bars | None = None,
    sleep: Callable[[float], None] = time.sleep,
    random: Callable[[int], str] = secrets.token_hex,
) -> Fired:
    """
    Run what *schedule* runs, now, through Scheduler and under the target's own role; wait for how it ends.

    This runs the real task, unless *dry_command* makes it harmless. A refusal goes to the target's dead-letter queue.

    Parameters
    ----------
    schedule
        Name of a schedule that runs an ECS task or starts a state machine that does, ``<group>/<name>`` outside the
        default group. It may be disabled; it is not touched.
    scheduler, ecs, cloudtrail, stepfunctions
        The clients; the last one for a state machine.
    dry_command
        Runs in place of the command of every essential container. A state machine takes none.
    settle_seconds, timeout_seconds
        Until the copy is due, and until the outcome is no longer waited for; the pace's own if None.
    now, pace, iam, progress, sleep, random
        As for a rule: :func:`~ecs_runbook.firing.drill.fire`.

    Returns
    -------
    Fired
        Also when the call was refused or nothing was seen: that is an outcome.

    Raises
    ------
    EvidenceError
        If there is no such schedule (with the nearest names), it runs no ECS task, or *dry_command* cannot be put into
        its target.
    AwsError
        If AWS refuses a step of the drill itself.

    Notes
    -----
    Needs ``scheduler:GetSchedule``, ``scheduler:ListSchedules``, ``scheduler:CreateSchedule``,
    ``scheduler:DeleteSchedule``, ``iam:PassRole`` on the target's role, ``cloudtrail:LookupEvents``; ``ecs:ListTasks``,
    ``ecs:DescribeTasks`` and ``ecs:DescribeTaskDefinition``, or for a state machine ``states:DescribeStateMachine``,
    ``states:ListExecutions`` and ``states:GetExecutionHistory``; with *iam* ``iam:GetRole``.

    There is no second try: whether Scheduler heeds a schedule that was made so shortly before it is due is not
    documented, so a drill of which nothing was seen says no more than that. Whether it goes on with the retries of one
    that is deleted is not verified either.
    """
    ask = Asking()
    if scheduler is None:
        raise ParameterError(f"schedule = {schedule!r} needs a scheduler client.", hint="Hand on scheduler=.")
    clear_schedule_leftovers(scheduler=scheduler, now=now, ask=ask)
    mine = read_schedule(schedule, scheduler=scheduler, sfn=stepfunctions, ask=ask)
    (target,) = mine.targets
    name = schedule_drill_name(mine.label, random(3))
    copied = copy_of(mine, name, dry_command, ecs=ecs, ask=ask)
    patience = pace.patience_seconds if timeout_seconds is None else timeout_seconds
    tell = teller(progress, mine.label)
    began = now()
    due = due_at(began, pace.settle_seconds if settle_seconds is None else settle_seconds)
    until = due + timedelta(seconds=patience) + SLACK
    watch: Watch | ExecutionWatch
    if mine.machine is None:
        watch = Watch(started_by(name), target, ecs, cloudtrail, ask, pace, kind="schedule")
    else:
        watch = ExecutionWatch(name, mine.machine, target.role, stepfunctions, cloudtrail, ask, pace)
    with temporary_schedule(name, mine, copied, at=due, until=until, scheduler=scheduler, ask=ask) as standing:
        tell(0.1, f"{name} is there, due at {due:%H:%M:%S} UTC")
        sleep(max((due - now()).total_seconds(), 0))
        waited = 0.0
        # Waited for is what was slept: the clock of a local AWS can stand still, or leap.
        while not watch.look(began, waited) and waited < patience:
            tell(min(0.3 + 0.6 * waited / patience, 0.9), f"due; {watch.status.lower()}")
            sleep(pace.poll_seconds)
            waited += pace.poll_seconds
    outcome = watch.outcome()
    tell(1.0, outcome["status"])
    if outcome["status"] == NOTHING_SEEN:
        outcome["hint"] += about_trust(target.role, "schedule", iam, ask)
    if standing.left_behind:
        kept = f"Schedule {mine.group}/{name} could not be removed: {standing.left_behind}"
        outcome["hint"] = f"{kept} clear_schedule_leftovers does it later. {outcome['hint']}".strip()
    return Fired(
        rule=mine.label,
        drill_rule=f"{mine.group}/{name}",
        sent_at=due,
        event_ids=(),
        requested=str(definition(target.requested)),
        dry_command=tuple(dry_command) if dry_command is not None else None,
        seconds=(now() - began).total_seconds(),
        calls=ask.calls,
        left_behind=f"{mine.group}/{name}" if standing.left_behind else "",
        kind="schedule",
        **outcome,
    )


def due_at(now: datetime, settle_seconds: float) -> datetime:
    """
    Return for when a one-time schedule is made: a whole minute, after Scheduler had time to heed it.

    Source: AWS docs, EventBridge Scheduler: schedules fire within the minute that they name (verified); whether the
    seconds of an ``at(…)`` count is not verified, so none are asked for.

    Examples
    --------
    >>> due_at(datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC), 30).isoformat()
    '2026-11-24T12:01:00+00:00'
    >>> due_at(datetime(2026, 11, 24, 12, 0, 58, tzinfo=UTC), 0).isoformat()  # making it takes a moment
    '2026-11-24T12:02:00+00:00'
    """
    heeded = now.astimezone(UTC) + timedelta(seconds=settle_seconds) + _MADE_WITHIN
    return heeded.replace(second=0, microsecond=0) + timedelta(minutes=1)


@contextlib.contextmanager
def temporary_schedule(
    name: str, of: Schedule, target: Mapping[str, Any], *, at: datetime, until: datetime, scheduler: Any, ask: Asking
) -> Iterator[Standing]:
    """Make the schedule *name* in the group of *of*, and remove it whatever happens inside, an interrupt too."""
    standing = Standing()
    key = of.told.get("KmsKeyArn")
    try:
        ask(
            "scheduler:CreateSchedule",
            scheduler.create_schedule,
            Name=name,
            GroupName=of.group,
            Description=f"A drill of {of.label} by the ECS runbook, over at {until:%Y-%m-%dT%H:%M:%SZ}",
            ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
            ScheduleExpressionTimezone="UTC",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            State="ENABLED",
            Target=target,
            **({"KmsKeyArn": key} if key else {}),
        )
        yield standing
    except BaseException as error:
        if why := _why_not_removed(name, of.group, scheduler, ask):
            left = f"The temporary schedule {of.group}/{name} is left behind: {why}"
            error.add_note(f"{left} The next drill, or clear_schedule_leftovers, removes it.")
        raise
    standing.left_behind = _why_not_removed(name, of.group, scheduler, ask)


def copy_of(
    mine: Schedule, name: str, dry_command: Sequence[str] | None, *, ecs: ECSClient, ask: Asking
) -> dict[str, Any]:
    """
    Return the target of *mine* for the drill *name*: the same, but for a dry command and for what tells it apart.

    Raises
    ------
    EvidenceError
        If *dry_command* cannot be put into it, or the drill could not be told from other runs.

    Notes
    -----
    The universal target RunTask sets no ``startedBy`` of its own (not verified), so it is given one.
    """
    (target,) = mine.targets
    copied, text = dict(target.raw), str(target.raw.get("Input") or "")
    if mine.machine is not None:
        if dry_command is not None:
            raise EvidenceError(
                f"dry_command = {list(dry_command)!r}: the task is run by the state machine {mine.machine.name}, which"
                " takes no command from who starts it.",
                hint="Fire without dry_command: that runs the real task, and its attempts.",
            )
        return copied | {"Input": execution_input(text, name, universal=":states:" not in target.raw["Arn"])}
    containers = [] if dry_command is None else essential(target.requested, ecs=ecs, ask=ask)
    if not copied.get("EcsParameters"):
        mark = started_by(name)
        return copied | {"Input": run_task_input(text, started_by=mark, containers=containers, command=dry_command)}
    if dry_command is None:
        return copied
    return copied | {"Input": with_dry_command(text, containers, dry_command)}


def schedule_leftovers(*, scheduler: Any, now: Callable[[], datetime], ask: Asking | None = None) -> pd.DataFrame:
    """
    Return the temporary schedules of drills that are there, by their name and description.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`LEFTOVER_COLUMNS`, both schedules as ``<group>/<name>``. ``until`` is when the drill would have
        been over; ``dead`` says whether that is past. A drill that runs now is listed, and not dead.

    Notes
    -----
    Needs ``scheduler:ListSchedules`` and, for each that has the name of a drill, ``scheduler:GetSchedule``.
    """
    ask = ask or Asking()
    rows = []
    for page in ask.pages("scheduler:ListSchedules", scheduler.list_schedules, NamePrefix=DRILL_PREFIX):
        for one in page.get("Schedules", []):
            group, name = str(one.get("GroupName") or DEFAULT_GROUP), str(one["Name"])
            told = _or_gone("scheduler:GetSchedule", scheduler.get_schedule, name, group, ask)
            described = _DESCRIBED.fullmatch(str(told.get("Description") or ""))
            if described is None:
                continue
            until = moment(described[2])
            rows.append(
                {
                    "drill_schedule": f"{group}/{name}",
                    "schedule": described[1],
                    "until": until,
                    "dead": until is not None and until < now(),
                }
            )
    table = pd.DataFrame(rows, columns=LEFTOVER_COLUMNS)
    return table.assign(until=pd.to_datetime(table["until"], utc=True), dead=table["dead"].astype(bool))


def clear_schedule_leftovers(*, scheduler: Any, now: Callable[[], datetime], ask: Asking | None = None) -> list[str]:
    """
    Remove the temporary schedules of drills that are over, and return them; one that runs now is left alone.

    Raises
    ------
    AwsError
        If Scheduler refuses.

    Notes
    -----
    Needs ``scheduler:ListSchedules``, ``scheduler:GetSchedule`` and ``scheduler:DeleteSchedule``.
    """
    ask = ask or Asking()
    found = schedule_leftovers(scheduler=scheduler, now=now, ask=ask)
    dead = [str(label) for label in found.loc[found["dead"], "drill_schedule"]]
    for label in dead:
        group, _, name = label.partition("/")
        _or_gone("scheduler:DeleteSchedule", scheduler.delete_schedule, name, group, ask)
    return dead


def _why_not_removed(name: str, group: str, scheduler: Any, ask: Asking) -> str:
    """Remove the schedule; return a sentence on what was refused, or nothing."""
    try:
        _or_gone("scheduler:DeleteSchedule", scheduler.delete_schedule, name, group, ask)
    except AwsError as error:
        return f"{str(error).rstrip('.')}."
    return ""


def _or_gone(operation: str, call: Callable[..., Any], name: str, group: str, ask: Asking) -> dict[str, Any]:
    """Make a call about a schedule; one that is gone answers nothing."""
    try:
        return ask(operation, call, Name=name, GroupName=group)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        return {}
