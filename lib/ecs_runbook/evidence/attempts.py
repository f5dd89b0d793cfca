"""The executions that a schedule started, and its starts that were refused: told from those of everybody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence.attribution import AMBIGUOUS, NOT_OURS, occasion
from ecs_runbook.evidence.executions import Execution, executions
from ecs_runbook.firing.asking import Asking, Bars, Limiter
from ecs_runbook.firing.histories import Try
from ecs_runbook.firing.inputs import MARK
from ecs_runbook.firing.machines import Machine
from ecs_runbook.firing.names import schedule_drill_prefix
from ecs_runbook.firing.schedules import Schedule
from ecs_runbook.firing.starts import Start, look_up_starts
from ecs_runbook.firing.tasks import describe, essential, exit_code

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_ecs import ECSClient

FROM_MACHINE, FROM_TRAIL = "Step Functions", "CloudTrail"
MOST_PAGES = 120
"""Of CloudTrail, 50 records each: a minute, at the two a second that AWS allows; our choice."""


@dataclass
class Started:
    """
    What a schedule's firings started.

    Attributes
    ----------
    executions
        The executions, and whose each is: the schedule's label, its drill's, or ``ambiguous: …``; oldest first.
    refused
        The starts that were refused, and whose each is.
    others
        How many executions of the machine somebody else started.
    asked
        Who was asked, and what they said.
    """

    executions: list[tuple[Execution, str]] = field(default_factory=list)
    refused: list[tuple[Start, str]] = field(default_factory=list)
    others: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)


def started(
    mine: Schedule,
    machine: Machine,
    *,
    since: datetime,
    until: datetime,
    sfn: Any,
    cloudtrail: CloudTrailClient,
    limiter: Limiter,
    progress: Bars | None = None,
) -> Started:
    """
    Return what *mine* started of *machine* in a time range.

    Notes
    -----
    An execution is of the schedule that its input names; where that names none, of the schedule whose role started it
    by CloudTrail's record of StartExecution; what neither tells stays open. A source that does not answer is told of in
    ``asked``, and the others' answers count.
    Needs ``states:ListExecutions``, ``states:GetExecutionHistory`` and ``cloudtrail:LookupEvents``.
    """
    found = Started()
    calls, trail_told = _ask_trail(since, until, cloudtrail, limiter, progress)
    ask = Asking()
    try:
        every = executions(machine.arn, since=since, until=until, sfn=sfn, ask=ask, progress=progress)
    except AwsError as error:
        every = []
        found.asked.append(answer(FROM_MACHINE, ask, error))
    else:
        roles = {call.execution: call.role for call in calls if call.execution}
        for execution in every:
            if whose := whose_execution(execution, mine, roles):
                found.executions.append((execution, whose))
        found.others = len(every) - len(found.executions)
        words = f"{machine.name} has {len(every)} executions of that time"
        rest = f", {found.others} of them started by somebody else" if found.others else ""
        found.asked.append(answer(FROM_MACHINE, ask, words + rest))
    (target,) = mine.targets
    refused = (call for call in calls if call.refused and call.may_be_of(machine.arn, target.role))
    found.refused = [(call, f"{mine.label}{occasion(mine, call.time)}") for call in refused]
    found.asked.append(trail_told)
    return found


def whose_execution(execution: Execution, mine: Schedule, roles: dict[str, str]) -> str:
    """
    Return whose an execution is, as a table names it; ``""`` if it is certainly not that of *mine*.

    Parameters
    ----------
    execution
        The execution.
    mine
        The schedule that is asked about.
    roles
        ARN of the role that started an execution, by the execution's ARN, as far as CloudTrail tells.
    """
    drill = f"{mine.label} (drill)"
    if execution.schedule:
        if execution.schedule == mine.arn:
            return mine.label
        group, _, name = execution.schedule.rpartition(":schedule/")[2].partition("/")
        return drill if group == mine.group and name.startswith(schedule_drill_prefix(mine.label)) else NOT_OURS
    if execution.given_to(MARK):
        return drill if execution.given_to(schedule_drill_prefix(mine.label)) else NOT_OURS
    role = roles.get(execution.arn)
    if role is None:
        machine = mine.machine.name if mine.machine else "it"
        return f"{AMBIGUOUS}{mine.label} or somebody else who starts {machine}"
    return mine.label if role in {target.role for target in mine.targets} else NOT_OURS


def completed(found: Sequence[Execution], machine: Machine, *, ecs: ECSClient, ask: Asking) -> list[Execution]:
    """
    Return executions with what ECS adds: how a task stands whose end the history does not tell, and its exit code.

    Raises
    ------
    AwsError
        If ECS refuses.

    Notes
    -----
    Needs ``ecs:DescribeTasks`` where a task runs, or was given up; ``ecs:DescribeTaskDefinition`` for tasks whose
    containers ended differently, of which only the essential ones decide.
    """
    open_ones = [one.task for execution in found for one in execution.tries if one.task and not _over(one)]
    told = {task.arn: task for task in describe(open_ones, cluster=machine.cluster, ecs=ecs, ask=ask)}
    several = {one.definition for execution in found for one in execution.tries if _disagree(one)}
    known = {name: essential(name, ecs=ecs, ask=ask) for name in sorted(several)}

    def fuller(one: Try) -> Try:
        if (task := told.get(one.task)) is not None:
            code = task.exit_code if one.exit_code is None else one.exit_code
            # of one that was given up ECS tells who stopped it, and why
            cause = one.cause or (task.error if one.error else "")
            return replace(one, described=task.raw, exit_code=code, cause=cause)
        if one.definition in known and _disagree(one):
            return replace(one, exit_code=exit_code(one.described, known[one.definition]))
        return one

    return [replace(execution, tries=tuple(map(fuller, execution.tries))) for execution in found]


def answer(source: str, ask: Asking, said: str | AwsError) -> dict[str, Any]:
    """Return what a source said, as tables of runs tell it."""
    return {"source": source, "answered": isinstance(said, str), "answer": str(said), "calls": ask.calls}


def _ask_trail(
    since: datetime, until: datetime, cloudtrail: CloudTrailClient, limiter: Limiter, progress: Bars | None
) -> tuple[list[Start], dict[str, Any]]:
    """Look StartExecution up, but no longer than a minute or so: a busy account may start thousands in an hour."""
    ask, found = Asking(), []
    try:
        for start in look_up_starts(since=since, until=until, cloudtrail=cloudtrail, ask=ask, limiter=limiter):
            found.append(start)
            if ask.calls > MOST_PAGES:
                back = f"no further back than {start.time:%Y-%m-%d %H:%M} UTC" if start.time else "not all"
                words = f"has more than {len(found) - 1} StartExecution calls of the whole account; {back} was read"
                return found, answer(FROM_TRAIL, ask, words) | {"answered": False}
            if progress and ask.calls % 10 == 0:
                progress.row(FROM_TRAIL, ask.calls / MOST_PAGES, f"{len(found)} StartExecution calls")
    except AwsError as error:
        return found, answer(FROM_TRAIL, ask, error)
    if progress:
        progress.row(FROM_TRAIL, 1.0, f"{len(found)} StartExecution calls")
    return found, answer(FROM_TRAIL, ask, f"has {len(found)} StartExecution calls of the whole account in that time")


def _over(one: Try) -> bool:
    return one.described.get("lastStatus") == "STOPPED"


def _disagree(one: Try) -> bool:
    codes = {container.get("exitCode") for container in one.described.get("containers", [])}
    return _over(one) and len(codes) > 1
