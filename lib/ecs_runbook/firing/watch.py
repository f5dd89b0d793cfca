"""What became of a drill: the tasks that ECS shows, or an execution tried, else the refusal that CloudTrail shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking, Limiter
from ecs_runbook.firing.calls import FAILED_TO_START, REFUSED, Call, look_up
from ecs_runbook.firing.histories import RUNNING, Execution, Try, events_of, listed, read_execution
from ecs_runbook.firing.machines import Machine
from ecs_runbook.firing.names import definition
from ecs_runbook.firing.rules import Target
from ecs_runbook.firing.starts import Start, look_up_starts
from ecs_runbook.firing.tasks import Task, describe, list_tasks, worst_code
from ecs_runbook.session import Pace

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_ecs import ECSClient

NOTHING_SEEN, SKIPPED = "NOTHING SEEN", "SKIPPED"


class _Trail:
    """CloudTrail, asked now and then: the two lookups a second are shared with everybody in the account."""

    def __init__(self, cloudtrail: CloudTrailClient, ask: Asking, pace: Pace) -> None:
        self._cloudtrail, self._ask = cloudtrail, ask
        self._limiter = Limiter(pace.lookups_per_second, sleep=lambda _: None)
        self._between = 30 / pace.lookups_per_second  # a thirtieth of them
        self._looked_up = float("-inf")
        self.blind = ""
        """Why it could not be asked; empty if it could."""

    def due(self, waited: float) -> bool:
        """Say whether it may be asked again."""
        if waited - self._looked_up < self._between:
            return False
        self._looked_up = waited
        return True

    def calls(self, since: datetime) -> list[Call]:
        """Return the RunTask calls since then."""
        return self._asked(look_up, since)

    def starts(self, since: datetime) -> list[Start]:
        """Return the StartExecution calls since then."""
        return self._asked(look_up_starts, since)

    def _asked(self, looks: Any, since: datetime) -> list[Any]:
        try:
            found = list(looks(since=since, cloudtrail=self._cloudtrail, ask=self._ask, limiter=self._limiter))
        except AwsError as error:
            self.blind = f"{error.operation}: {error.code}"
            return []  # not allowed to look, or throttled: ECS still shows what ran
        self.blind = ""
        return found


class Watch:
    """
    What became of a rule's or a schedule's call of RunTask.

    Parameters
    ----------
    mark
        What its tasks carry as ``startedBy``.
    target
        The target that was copied.
    kind
        ``rule``, or ``schedule``.
    """

    def __init__(
        self,
        mark: str,
        target: Target,
        ecs: ECSClient,
        cloudtrail: CloudTrailClient,
        ask: Asking,
        pace: Pace,
        *,
        kind: str = "rule",
    ) -> None:
        self._mark, self._target, self._ecs, self._ask, self._kind = mark, target, ecs, ask, kind
        self._trail = _Trail(cloudtrail, ask, pace)
        self.tasks: list[Task] = []
        self.refusal: Call | None = None

    def look(self, since: datetime, waited: float) -> bool:
        """Look once, and say whether it is over."""
        before = len(self.tasks)
        self.tasks = self._started()
        ended = bool(self.tasks) and all(task.status == "STOPPED" for task in self.tasks)
        if ended and (len(self.tasks) >= self._target.count or len(self.tasks) == before):
            return True
        if not self.tasks and self._trail.due(waited):
            calls = self._trail.calls(since)
            self.refusal = next((call for call in calls if (call.refused or call.failures) and self._mine(call)), None)
        return bool(self.refusal) and not self.tasks

    @property
    def seen(self) -> bool:
        """Whether a task was seen."""
        return bool(self.tasks)

    @property
    def status(self) -> str:
        """How far the slowest task came; without one, how the call was refused; else NOTHING SEEN."""
        return status_of(self.tasks, self.refusal)

    def outcome(self) -> dict[str, Any]:
        """Return the fields of :class:`~ecs_runbook.firing.fired.Fired` that say how it ended."""
        refusal, tasks = self.refusal, sorted(self.tasks, key=lambda task: task.arn)
        code, words = _refusal(refusal)
        return {
            "tasks": tuple(task.arn for task in tasks),
            "executed": max((task.revision for task in tasks if task.revision), default=None),
            "status": status_of(tasks, refusal),
            "exit_code": worst_code([task.exit_code for task in tasks]),
            "refused_code": code,
            "refused_message": words,
            "error": "; ".join(dict.fromkeys(task.error for task in tasks if task.error)),
            "hint": _hint(tasks, refusal, self._trail.blind, self._kind),
        }

    def _started(self) -> list[Task]:
        cluster, ecs, ask = self._target.cluster, self._ecs, self._ask
        arns = list(list_tasks(cluster=cluster, ecs=ecs, ask=ask, startedBy=self._mark))
        return describe(arns, cluster=cluster, ecs=ecs, ask=ask)

    def _mine(self, call: Call) -> bool:
        if call.started_by:
            return call.started_by == self._mark
        # AccessDenied comes without parameters: the role, and the family in its words, are all that there is.
        family = self._target.family
        families = [one.family for one in call.named] or [family]
        by_rule = self._kind == "rule"
        return call.by_eventbridge == by_rule and call.role == self._target.role and family in families


class ExecutionWatch:
    """
    What became of a schedule's call of StartExecution: the execution that it started, and each of its tries.

    Parameters
    ----------
    name
        The drill's name, which stands in the input of its execution.
    machine
        The state machine.
    role
        ARN of the schedule's role, which starts the execution.
    """

    def __init__(
        self,
        name: str,
        machine: Machine,
        role: str,
        sfn: Any,
        cloudtrail: CloudTrailClient,
        ask: Asking,
        pace: Pace,
    ) -> None:
        self._name, self._machine, self._role, self._sfn, self._ask = name, machine, role, sfn, ask
        self._trail = _Trail(cloudtrail, ask, pace)
        self._others: set[str] = set()
        self.execution: Execution | None = None
        self.refusal: Start | None = None

    def look(self, since: datetime, waited: float) -> bool:
        """Look once, and say whether it is over."""
        for told in listed(self._machine.arn, since=since, sfn=self._sfn, ask=self._ask):
            arn = str(told.get("executionArn") or "")
            if arn in self._others or (self.execution and arn != self.execution.arn):
                continue
            events = list(events_of(arn, sfn=self._sfn, ask=self._ask))
            found = read_execution(told, events)
            if found.given_to(self._name):
                self.execution = found
            elif events:  # a history may be empty yet
                self._others.add(arn)
        if self.execution:
            return self.execution.status != RUNNING
        if self._trail.due(waited):
            starts = (one for one in self._trail.starts(since) if one.refused)
            self.refusal = next((one for one in starts if one.may_be_of(self._machine.arn, self._role)), None)
        return self.refusal is not None

    @property
    def seen(self) -> bool:
        """Whether the execution was seen."""
        return self.execution is not None

    @property
    def status(self) -> str:
        """How its last try stands; REFUSED if none came of it; else NOTHING SEEN."""
        if self.execution is None:
            return REFUSED if self.refusal else NOTHING_SEEN
        if self.execution.status == RUNNING:
            return RUNNING
        if self.execution.skipped:
            return SKIPPED
        last = self._last
        return "STOPPED" if last and last.task else FAILED_TO_START

    def outcome(self) -> dict[str, Any]:
        """Return the fields of :class:`~ecs_runbook.firing.fired.Fired` that say how it ended."""
        tries, last = self.execution.tries if self.execution else (), self._last
        placed = [one for one in tries if one.task]
        failed = last is not None and bool(last.error) and not last.task
        over = self.execution is not None and self.execution.status != RUNNING
        whole = "" if self.execution is None or not over else self.execution.error
        words = ": ".join(part for part in (last.error, last.cause) if part) if last and last.task else ""
        code, message = (last.error, last.cause) if failed and last else ("", "")
        if self.refusal:
            code, message = self.refusal.error_code, self.refusal.error_message
        return {
            "tasks": tuple(one.task for one in placed),
            "executed": definition(placed[-1].definition).revision if placed else None,
            "status": self.status,
            "exit_code": 0 if last and last.ended_well else last.exit_code if last else None,
            "refused_code": code,
            "refused_message": message,
            "error": words or (whole if not failed else ""),
            "hint": self._hint(),
            "attempts": max(len(tries), 1),
            "execution": self.execution.arn if self.execution else "",
        }

    @property
    def _last(self) -> Try | None:
        return self.execution.tries[-1] if self.execution and self.execution.tries else None

    def _hint(self) -> str:
        if self.execution is None:
            return _hint((), self.refusal, self._trail.blind, "schedule")
        if self.execution.status == RUNNING:
            return "It runs still, or waits for its next attempt: open 40_prove when it is over."
        if self.execution.skipped:
            return "The machine found its task running already and started no other: fire again when that has ended."
        return ""


def status_of(tasks: Sequence[Task], refusal: Call | None) -> str:
    """Return how far the slowest task came; without one, how the call was refused; else NOTHING SEEN."""
    if tasks:
        return next((task.status for task in tasks if task.status != "STOPPED"), "STOPPED")
    if refusal:
        return REFUSED if refusal.refused else FAILED_TO_START
    return NOTHING_SEEN


def _refusal(call: Call | None) -> tuple[str, str]:
    if call is None:
        return "", ""
    if call.refused:
        return call.error_code, call.error_message
    return call.failures[0].reason, call.failures[0].detail


def _hint(tasks: Sequence[Task], refusal: Call | Start | None, blind: str, kind: str) -> str:
    if tasks:
        running = any(task.status != "STOPPED" for task in tasks)
        return "It runs still: open 40_prove when it has stopped." if running else ""
    what = "RunTask" if kind == "rule" else "the call"
    if refusal is None and blind:
        told = f"ECS shows nothing, and CloudTrail could not be asked ({blind})"
        return f"{told}: whether {what} was refused is not known."
    if refusal is None:
        return (
            "Neither ECS nor CloudTrail shows anything. CloudTrail may tell of a refusal later: open 40_prove in a few"
            f" minutes. If the trust of the target's role names one {kind} (aws:SourceArn), it refuses the copy: then"
            " that is why, and not the schedule."
        )
    if isinstance(refusal, Call) and not refusal.started_by:
        return f"CloudTrail's record of it leaves the {kind} out, so it is told by role and time."
    return ""
