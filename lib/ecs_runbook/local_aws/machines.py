"""
Step Functions: a state machine that does nothing but run a task runs it; moto keeps state machines, and runs none.

Whatever else a state machine does, is moto's affair: it says that the execution runs. Source: AWS docs, Step Functions
developer guide, "Run Amazon ECS or Fargate tasks" (verified for the forms of the resource); what the trail shows of
the call, and that ``startedBy`` is ``AWS Step Functions``, is seen in public records.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from moto.stepfunctions.responses import StepFunctionResponse

from ecs_runbook.local_aws.invoking import Errand, Invoking, NotAnswered, Sender, run_task_named
from ecs_runbook.local_aws.permissions import require
from ecs_runbook.local_aws.world import World, current_call

_LOG = logging.getLogger(__name__)
SERVICE = "states.amazonaws.com"
_SENDER = Sender(SERVICE, user_agent=SERVICE, source_ip=SERVICE, invoked_by=SERVICE)
_RUNS_A_TASK = re.compile(
    r"arn:[\w-]+:states:::(ecs:runTask(\.sync|\.waitForTaskToken)?|aws-sdk:ecs:runTask)", re.ASCII
)


def task_of(definition: str) -> dict[str, Any] | None:
    """
    Return what the only task of a state machine asks RunTask for; None if the machine does something else.

    Examples
    --------
    >>> run = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": True,
    ...     "Parameters": {"Cluster": "batch", "TaskDefinition": "nightly"}}
    >>> task_of(json.dumps({"StartAt": "Run", "States": {"Run": run}}))
    {'cluster': 'batch', 'taskDefinition': 'nightly'}
    >>> task_of(json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}))
    """
    states = json.loads(definition).get("States") or {}
    tasks = [state for state in states.values() if state.get("Type") == "Task"]
    if len(tasks) != 1 or not _RUNS_A_TASK.fullmatch(str(tasks[0].get("Resource", ""))):
        return None
    return run_task_named(tasks[0].get("Parameters") or tasks[0].get("Arguments") or {})


def install(world: World) -> None:
    """Let executions run their task, once their start has been answered."""
    from ecs_runbook.local_aws.server import call

    calls = Invoking(call, _SENDER)
    start = StepFunctionResponse.start_execution

    def start_execution(self: StepFunctionResponse) -> Any:
        made = current_call.get()
        machine = self._get_param("stateMachineArn")
        require(made.caller, "states:StartExecution", machine)
        answer = start(self)
        found = self.stepfunction_backend.describe_state_machine(machine)
        errand = Errand(machine, made.caller.account, made.region)
        world.clock.at(world.clock.now(), lambda: _run(calls, found.definition, found.roleArn, errand))
        return answer

    StepFunctionResponse.start_execution = start_execution


def _run(calls: Invoking, definition: str, role: str, errand: Errand) -> None:
    asked = task_of(definition)
    if asked is None:
        _LOG.warning("%s: the local AWS runs only state machines that do nothing but run a task", errand.source)
        return
    session = calls.assume(role, errand)
    answer: Mapping[str, Any] | NotAnswered = session
    if not isinstance(session, NotAnswered):
        answer = calls.asked("ecs", "RunTask", {"startedBy": "AWS Step Functions", **asked}, errand, session)
    if isinstance(answer, NotAnswered):
        _LOG.warning("%s: its task did not start: %s: %s", errand.source, answer.code, answer.message)
