"""
What containers say that are told a task token of Step Functions, in the name of their task's role.

Heartbeats, how often and until when: ``LOCAL_AWS_HEARTBEAT`` in :mod:`~ecs_runbook.local_aws.task_life`. Such a
container also says how it ended, with the error ``ExitCode.3``, where Step Functions waits for nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

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
        """Begin when a task's containers run, and say how they ended when they have."""
        beating = {name: script for name, script in task.scripts.items() if script.heartbeat is not None}
        if task.last_status == "RUNNING" and task.facts["desiredStatus"] == "RUNNING":
            for script in beating.values():
                self._later(task, script, script.heartbeat or 0)
        if task.last_status == "DEPROVISIONING":
            for name, script in beating.items():
                self._ended(task, name, script)

    def _ended(self, task: Task, name: str, script: Script) -> None:
        code = next((one.get("exitCode") for one in task.containers if one["name"] == name), None)
        if code is None or task.facts.get("stopCode") == "UserInitiated":  # killed, or never there to say anything
            return
        for token in self._tokens(script):
            if self._waiting.by_token[token].resource.endswith(".waitForTaskToken"):
                self._clock.at(self._clock.now(), partial(self._say, task, token, int(code)))

    def _say(self, task: Task, token: str, code: int) -> None:
        good = {"taskToken": token, "output": "{}"}
        bad = {"taskToken": token, "error": f"ExitCode.{code}", "cause": f"The container exited with {code}."}
        why = self._sent(task, token, "SendTaskFailure" if code else "SendTaskSuccess", bad if code else good)
        if why:
            _LOG.warning("%s does not say how it ended: %s", task.task_arn, why)

    def _tokens(self, script: Script) -> list[str]:
        return [value for value in script.environment.values() if value in self._waiting.by_token]

    def _later(self, task: Task, script: Script, after: float) -> None:
        hung = script.outcome == "hang" and script.seconds is not None and after > script.seconds
        if not hung:
            delay = timedelta(seconds=script.heartbeat or 0)
            self._clock.after(delay, lambda: self._beat(task, script, after))

    def _beat(self, task: Task, script: Script, after: float) -> None:
        tokens = self._tokens(script)
        if task.last_status != "RUNNING" or not tokens:
            return
        for token in tokens:
            if why := self._sent(task, token, "SendTaskHeartbeat", {"taskToken": token}):
                _LOG.warning("%s sends no heartbeat: %s", task.task_arn, why)
        self._later(task, script, after + (script.heartbeat or 0))

    def _sent(self, task: Task, token: str, operation: str, told: Mapping[str, str]) -> str:
        """Make a call; return why it could not be. That IAM is asked about the state machine is not verified."""
        if token not in self._waiting.by_token:
            return "nobody waits for it"
        execution = self._waiting.by_token[token].walk.execution
        errand = Errand(task.task_arn, execution.account, execution.region)
        session = self._calls.assume(task.task_role, errand)
        if isinstance(session, NotAnswered):
            return session.message
        try:
            caller = role_of(task.task_role, execution.account, task.task_arn.rsplit("/", 1)[-1])
            require(caller, f"states:{operation}", execution.state_machine_arn)
        except AccessDenied as denied:
            return str(denied.message)
        self._calls.asked("stepfunctions", operation, told, errand, session)
        return ""
