"""
The heartbeats of containers that are told a task token of Step Functions, sent in the name of their task's role.

How often, and until when: ``LOCAL_AWS_HEARTBEAT`` in :mod:`~ecs_runbook.local_aws.task_life`.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from ecs_runbook.local_aws.identity import role_of
from ecs_runbook.local_aws.invoking import Call, Errand, Invoking, NotAnswered, Sender
from ecs_runbook.local_aws.machine_calls import MachineCalls
from ecs_runbook.local_aws.permissions import AccessDenied, require
from ecs_runbook.local_aws.task_life import Script, Task
from ecs_runbook.local_aws.world import World

_LOG = logging.getLogger(__name__)


class Heartbeats:
    """The heartbeats of one world's tasks."""

    def __init__(self, world: World, waiting: MachineCalls, call: Call) -> None:
        self._clock, self._waiting = world.clock, waiting
        self._calls = Invoking(call, Sender("ecs-tasks.amazonaws.com", "Boto3", "127.0.0.1", invoked_by=""))

    def changed(self, task: Task) -> None:
        """Begin when a task's containers run."""
        if task.last_status == "RUNNING" and task.facts["desiredStatus"] == "RUNNING":
            for script in task.scripts.values():
                if script.heartbeat is not None:
                    self._later(task, script, script.heartbeat)

    def _later(self, task: Task, script: Script, after: float) -> None:
        hung = script.outcome == "hang" and script.seconds is not None and after > script.seconds
        if not hung:
            delay = timedelta(seconds=script.heartbeat or 0)
            self._clock.after(delay, lambda: self._beat(task, script, after))

    def _beat(self, task: Task, script: Script, after: float) -> None:
        tokens = [value for value in script.environment.values() if value in self._waiting.by_token]
        if task.last_status != "RUNNING" or not tokens:
            return
        for token in tokens:
            if why := self._sent(task, token):
                _LOG.warning("%s sends no heartbeat: %s", task.task_arn, why)
        self._later(task, script, after + (script.heartbeat or 0))

    def _sent(self, task: Task, token: str) -> str:
        """Send one; return why it could not be. That IAM is asked about the state machine is not verified."""
        execution = self._waiting.by_token[token].walk.execution
        errand = Errand(task.task_arn, execution.account, execution.region)
        session = self._calls.assume(task.task_role, errand)
        if isinstance(session, NotAnswered):
            return session.message
        try:
            caller = role_of(task.task_role, execution.account, task.task_arn.rsplit("/", 1)[-1])
            require(caller, "states:SendTaskHeartbeat", execution.state_machine_arn)
        except AccessDenied as denied:
            return str(denied.message)
        self._calls.asked("stepfunctions", "SendTaskHeartbeat", {"taskToken": token}, errand, session)
        return ""
