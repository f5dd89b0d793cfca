"""A schedule of EventBridge Scheduler and the ECS task that it runs, in the shape that a rule has."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any

from ecs_runbook.errors import AwsError, EvidenceError, SpecError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.machines import START_EXECUTION, Machine, machine_of, read_machine
from ecs_runbook.firing.names import DRILL_PREFIX, STARTED_BY_LENGTH, schedule_drill_prefix
from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.wanted.schedule import zone_named

STARTED_BY_PREFIX = "chronos-schedule/"
DEFAULT_GROUP = "default"
RUN_TASK = ":aws-sdk:ecs:runTask"
MOST_SCHEDULES = 500
"""More are not described one by one only to tell whose a run was."""
_CUT = STARTED_BY_LENGTH - len(STARTED_BY_PREFIX)


@dataclass(frozen=True)
class Schedule(Rule):
    """
    A schedule, which is much like a rule with one target.

    Attributes
    ----------
    group
        Its schedule group.
    zone
        The zone that its expression is read in.
    machine
        The state machine that it starts, which runs the task; None if it runs the task itself.
    told
        What GetSchedule told.
    """

    group: str = DEFAULT_GROUP
    zone: str = "UTC"
    machine: Machine | None = None
    told: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def label(self) -> str:
        """``<group>/<name>``, as its ARN ends."""
        return f"{self.group}/{self.name}"


def started_by(schedule: str) -> str:
    """
    Return what Scheduler writes into a task's ``startedBy`` for *schedule*: cut to 36 characters, so 19 of the name.

    Source: seen in public values, not documented.

    Examples
    --------
    >>> started_by("nightly"), started_by("nightly-report-of-the-company")
    ('chronos-schedule/nightly', 'chronos-schedule/nightly-report-of-t')
    """
    return f"{STARTED_BY_PREFIX}{schedule}"[:STARTED_BY_LENGTH]


def is_drill(started: str, label: str) -> bool:
    """
    Say whether a task's ``startedBy`` is that of a drill of the schedule *label*, ``<group>/<name>``.

    Examples
    --------
    >>> is_drill("chronos-schedule/ecsrb-ec737c-0a1b2c", "default/nightly")
    True
    >>> is_drill("chronos-schedule/nightly", "default/nightly")
    False
    """
    return started.startswith(f"{STARTED_BY_PREFIX}{schedule_drill_prefix(label)}")


def read_schedule(name: str, *, scheduler: Any, sfn: Any = None, ask: Asking | None = None) -> Schedule:
    """
    Return the schedule *name*, or ``<group>/<name>`` if it is not in the default group.

    With a Step Functions client *sfn*, also one that starts a state machine which runs an ECS task: its target is that
    task, under the schedule's own role.

    Raises
    ------
    EvidenceError
        If there is no such schedule (with the names nearest to it), or it runs no ECS task.
    AwsError
        If Scheduler refuses.

    Notes
    -----
    Needs ``scheduler:GetSchedule``; ``scheduler:ListSchedules`` when the name is unknown;
    ``states:DescribeStateMachine`` for a state machine.
    """
    ask = ask or Asking()
    group, _, own = name.rpartition("/")
    try:
        schedule = _described(own, group or DEFAULT_GROUP, scheduler=scheduler, ask=ask)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        raise EvidenceError(
            f"schedule = {name!r}: there is no such schedule in the group {group or DEFAULT_GROUP!r}.",
            hint=_nearest(own, scheduler, ask),
        ) from error
    machine = machine_of(schedule.told.get("Target") or {})
    if machine and sfn is not None:
        schedule = _of_machine(schedule, read_machine(machine, sfn=sfn, ask=ask))
    if not schedule.targets:
        what = f"it starts {machine}, which does" if machine else "it does"
        raise EvidenceError(
            f"schedule = {name!r}: {what} not run an ECS task, as far as can be seen.",
            hint="Name a schedule whose target is RunTask, or a state machine that runs a task.",
        )
    return schedule


def _of_machine(schedule: Schedule, machine: Machine) -> Schedule:
    target = schedule.told.get("Target") or {}
    role = str(target.get("RoleArn", ""))
    targets = (Target("target", machine.cluster, role, machine.requested, target),) if machine.requested else ()
    return replace(schedule, machine=machine, targets=targets)


def of_ecs(
    *,
    scheduler: Any,
    ask: Asking,
    prefix: str = "",
    most: int = MOST_SCHEDULES,
    machines: list[str] | None = None,
) -> tuple[list[Schedule], int]:
    """
    Return the schedules of all groups that run ECS tasks, and how many more there are than were looked at.

    Into *machines* go the labels of those that start a state machine, which may run one.

    Only those are described whose target, as the list tells it, is a cluster or RunTask. Needs
    ``scheduler:ListSchedules`` and ``scheduler:GetSchedule``.
    """
    parameters = {"NamePrefix": prefix} if prefix else {}
    every = [
        (one, str(one.get("Target", {}).get("Arn", "")))
        for page in ask.pages("scheduler:ListSchedules", scheduler.list_schedules, MaxResults=100, **parameters)
        for one in page.get("Schedules", [])
    ]
    listed = [one for one, target in every if _may_be_ecs(target)]
    if machines is not None:
        starting = (one for one, target in every if _may_start_a_machine(target))
        machines += [f"{one.get('GroupName') or DEFAULT_GROUP}/{one.get('Name', '')}" for one in starting]
    found = []
    for one in listed[:most]:
        group = str(one.get("GroupName") or DEFAULT_GROUP)
        try:
            found.append(_described(str(one["Name"]), group, scheduler=scheduler, ask=ask))
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
    return [one for one in found if one.targets], max(len(listed) - most, 0)


def same_cut(mine: Schedule, *, scheduler: Any, ask: Asking) -> list[Rule]:
    """Return the other schedules whose tasks carry the same ``startedBy``, whatever their group."""
    # A short name is never cut, but another group may have a schedule of that very name.
    found, _ = of_ecs(scheduler=scheduler, ask=ask, prefix=mine.name[:_CUT])
    same = started_by(mine.name)
    return [one for one in found if one.arn != mine.arn and started_by(one.name) == same]


def same_role(mine: Schedule, *, scheduler: Any, ask: Asking) -> list[Rule]:
    """
    Return the other schedules with the same role.

    Raises
    ------
    EvidenceError
        If there are more than :data:`MOST_SCHEDULES`.
    """
    found, more = of_ecs(scheduler=scheduler, ask=ask)
    if more:
        raise EvidenceError(f"{more} schedules were not looked at.")
    roles = {target.role for target in mine.targets}
    others = (one for one in found if one.arn != mine.arn and not one.name.startswith(DRILL_PREFIX))
    return [one for one in others if roles & {target.role for target in one.targets}]


def _described(name: str, group: str, *, scheduler: Any, ask: Asking) -> Schedule:
    told = ask("scheduler:GetSchedule", scheduler.get_schedule, Name=name, GroupName=group)
    return read(told | {"Name": name, "GroupName": group})


def read(told: Mapping[str, Any]) -> Schedule:
    """
    Read an answer of GetSchedule; ``targets`` is empty if it runs no ECS task.

    Examples
    --------
    >>> schedule = read({"Name": "nightly", "ScheduleExpression": "rate(1 day)", "Target": {
    ...     "Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "RoleArn": "r",
    ...     "Input": '{"Cluster": "batch", "TaskDefinition": "report"}'}})
    >>> schedule.label, schedule.targets[0].cluster, schedule.families
    ('default/nightly', 'batch', ['report'])
    """
    target = told.get("Target") or {}
    arn, role = str(target.get("Arn", "")), str(target.get("RoleArn", ""))
    parameters = target.get("EcsParameters")
    targets: tuple[Target, ...] = ()
    if parameters:
        targets = (Target("target", arn, role, str(parameters.get("TaskDefinitionArn", "")), target),)
    elif arn.endswith(RUN_TASK):
        asked = _input(target.get("Input"))
        cluster, wanted = (str(asked.get(key) or "") for key in ("Cluster", "TaskDefinition"))
        targets = (Target("target", cluster or "default", role, wanted, target),)
    return Schedule(
        name=str(told.get("Name", "")),
        arn=str(told.get("Arn", "")),
        expression=str(told.get("ScheduleExpression", "")),
        enabled=told.get("State") != "DISABLED",
        targets=targets,
        group=str(told.get("GroupName") or DEFAULT_GROUP),
        zone=str(told.get("ScheduleExpressionTimezone") or "UTC"),
        told=told,
    )


def zone_of(schedule: Schedule) -> tzinfo | None:
    """Return the zone that its expression is read in; None if this machine does not know it."""
    try:
        return zone_named(schedule.zone)
    except SpecError:
        return None


def _may_be_ecs(arn: str) -> bool:
    return ":ecs:" in arn


def _may_start_a_machine(arn: str) -> bool:
    return ":states:" in arn or arn.endswith(START_EXECUTION)


def _input(text: object) -> Mapping[str, Any]:
    try:
        read = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    return read if isinstance(read, Mapping) else {}


def _nearest(name: str, scheduler: Any, ask: Asking) -> str:
    try:
        listed = list(_labels(scheduler, ask))
    except AwsError:
        return "The names of the schedules could not be listed: the caller needs scheduler:ListSchedules."
    elsewhere = [label for label in listed if label.rpartition("/")[2] == name]
    near = elsewhere or difflib.get_close_matches(name, [label.rpartition("/")[2] for label in listed], n=3, cutoff=0.5)
    if near:
        return f"Nearest: {', '.join(near)}."
    return f"There are {len(listed)} schedules of other names." if listed else "There is no schedule at all."


def _labels(scheduler: Any, ask: Asking) -> Iterator[str]:
    for page in ask.pages("scheduler:ListSchedules", scheduler.list_schedules, MaxResults=100):
        for one in page.get("Schedules", []):
            yield f"{one.get('GroupName') or DEFAULT_GROUP}/{one.get('Name', '')}"
