"""What became of an event that was sent: the tasks that ECS shows, else the refusal that CloudTrail shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking, Limiter
from ecs_runbook.firing.calls import FAILED_TO_START, REFUSED, Call, look_up
from ecs_runbook.firing.names import started_by
from ecs_runbook.firing.rules import Target
from ecs_runbook.firing.tasks import Task, describe, list_tasks, worst_code
from ecs_runbook.session import Pace

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_ecs import ECSClient

NOTHING_SEEN = "NOTHING SEEN"


class Watch:
    """What became of the event: the tasks that ECS shows, and the refusal that CloudTrail shows."""

    def __init__(
        self, name: str, target: Target, ecs: ECSClient, cloudtrail: CloudTrailClient, ask: Asking, pace: Pace
    ) -> None:
        self._name, self._target, self._ecs, self._cloudtrail, self._ask = name, target, ecs, cloudtrail, ask
        # The two lookups a second are shared with everybody in the account: take a thirtieth.
        self._limiter = Limiter(pace.lookups_per_second, sleep=lambda _: None)
        self._between_lookups = 30 / pace.lookups_per_second
        self._looked_up = float("-inf")
        self.tasks: list[Task] = []
        self.refusal: Call | None = None
        self.blind = ""
        """Why CloudTrail could not be asked; empty if it could."""

    def look(self, since: datetime, waited: float) -> bool:
        """Look once, and say whether it is over."""
        before = len(self.tasks)
        self.tasks = self._started()
        ended = bool(self.tasks) and all(task.status == "STOPPED" for task in self.tasks)
        if ended and (len(self.tasks) >= self._target.count or len(self.tasks) == before):
            return True
        if not self.tasks and waited - self._looked_up >= self._between_lookups:
            self._looked_up = waited
            self.refusal = self._refused(since)
        return bool(self.refusal) and not self.tasks

    def _started(self) -> list[Task]:
        cluster, ecs, ask = self._target.cluster, self._ecs, self._ask
        arns = list(list_tasks(cluster=cluster, ecs=ecs, ask=ask, startedBy=started_by(self._name)))
        return describe(arns, cluster=cluster, ecs=ecs, ask=ask)

    def _refused(self, since: datetime) -> Call | None:
        try:
            calls = list(look_up(since=since, cloudtrail=self._cloudtrail, ask=self._ask, limiter=self._limiter))
        except AwsError as error:
            self.blind = f"{error.operation}: {error.code}"
            return None  # not allowed to look, or throttled: ECS still shows what ran
        self.blind = ""
        return next((call for call in calls if (call.refused or call.failures) and self._mine(call)), None)

    def _mine(self, call: Call) -> bool:
        if call.started_by:
            return call.started_by == started_by(self._name)
        # AccessDenied comes without parameters: the role, and the family in its words, are all that there is.
        family = self._target.family
        families = [one.family for one in call.named] or [family]
        return call.by_eventbridge and call.role == self._target.role and family in families


def outcome_of(watch: Watch) -> dict[str, Any]:
    """Return the fields of :class:`~ecs_runbook.firing.drill.Fired` that say how it ended."""
    refusal, tasks = watch.refusal, sorted(watch.tasks, key=lambda task: task.arn)
    code, words = _refusal(refusal)
    return {
        "tasks": tuple(task.arn for task in tasks),
        "executed": max((task.revision for task in tasks if task.revision), default=None),
        "status": status_of(tasks, refusal),
        "exit_code": worst_code([task.exit_code for task in tasks]),
        "refused_code": code,
        "refused_message": words,
        "error": "; ".join(dict.fromkeys(task.error for task in tasks if task.error)),
        "hint": _hint(tasks, refusal, watch.blind),
    }


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


def _hint(tasks: Sequence[Task], refusal: Call | None, blind: str) -> str:
    if tasks:
        running = any(task.status != "STOPPED" for task in tasks)
        return "It runs still: open 40_prove when it has stopped." if running else ""
    if refusal is None and blind:
        return (
            f"ECS shows nothing, and CloudTrail could not be asked ({blind}): whether RunTask was refused is not known."
        )
    if refusal is None:
        return (
            "Neither ECS nor CloudTrail shows anything. CloudTrail may tell of a refusal later: open 40_prove in a few"
            " minutes. If the trust of the target's role names one rule (aws:SourceArn), it refuses the copy: then"
            " that is why, and not the schedule."
        )
    if not refusal.started_by:
        return "CloudTrail's record of it leaves the rule out, so it is told by role and time."
    return ""
