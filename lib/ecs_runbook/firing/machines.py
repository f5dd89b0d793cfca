"""A state machine that runs an ECS task: which one, and in which cluster, read from its definition."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.names import definition

START_EXECUTION = ":aws-sdk:sfn:startExecution"
_MACHINE = re.compile(r"arn:[\w-]+:states:[\w-]+:[0-9]{12}:stateMachine:[^\s]+", re.ASCII)
RUNS_A_TASK = re.compile(
    r"arn:[\w-]+:states:[\w-]*:[0-9]*:(ecs:runTask(\.sync|\.waitForTaskToken)?|aws-sdk:ecs:runTask)", re.ASCII
)


@dataclass(frozen=True)
class Machine:
    """
    A state machine, and the task that it runs.

    Attributes
    ----------
    arn, role
        Its own, and that of the role which calls RunTask.
    cluster, requested
        Where its task runs, and the task definition that it asks for; ``""`` if that is made only when it runs.
    """

    arn: str
    role: str
    cluster: str
    requested: str

    @property
    def name(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition(":")[2]

    @property
    def family(self) -> str:
        """The family of the task definition that it asks for."""
        return definition(self.requested).family


def machine_of(target: Mapping[str, Any]) -> str:
    """
    Return the ARN of the state machine that a target of a rule or a schedule starts; ``""`` if it starts none.

    Examples
    --------
    >>> machine_of({"Arn": "arn:aws:states:eu-west-2:111122223333:stateMachine:nightly"})
    'arn:aws:states:eu-west-2:111122223333:stateMachine:nightly'
    >>> machine_of({"Arn": "arn:aws:scheduler:::aws-sdk:sfn:startExecution", "Input":
    ...     '{"StateMachineArn": "arn:aws:states:eu-west-2:111122223333:stateMachine:nightly"}'})
    'arn:aws:states:eu-west-2:111122223333:stateMachine:nightly'
    """
    arn = str(target.get("Arn", ""))
    if arn.endswith(START_EXECUTION):
        asked = {str(key).lower(): value for key, value in _mapping(target.get("Input")).items()}
        arn = str(asked.get("statemachinearn") or "")
    return arn if _MACHINE.fullmatch(arn) else ""


def read_machine(arn: str, *, sfn: Any, ask: Asking) -> Machine:
    """
    Return the state machine *arn*.

    Raises
    ------
    AwsError
        If Step Functions refuses, or there is none.

    Notes
    -----
    Needs ``states:DescribeStateMachine``.
    """
    told = ask("states:DescribeStateMachine", sfn.describe_state_machine, stateMachineArn=arn)
    task = next(tasks_of(str(told.get("definition") or "")), {})
    asked = _mapping(task.get("Parameters") or task.get("Arguments"))
    requested = asked.get("TaskDefinition")
    return Machine(
        arn=arn,
        role=str(told.get("roleArn") or ""),
        cluster=str(asked.get("Cluster") or "default"),
        # JSONata's own form of a value that is made when it runs
        requested=requested if isinstance(requested, str) and not requested.startswith("{%") else "",
    )


def tasks_of(machine: str) -> Iterator[Mapping[str, Any]]:
    """Yield the states of a definition, in the Amazon States Language, that run an ECS task, those of branches too."""
    yield from _tasks(_mapping(machine))


def _tasks(machine: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for state in _mapping(machine.get("States")).values():
        if not isinstance(state, Mapping):
            continue
        if RUNS_A_TASK.fullmatch(str(state.get("Resource", ""))):
            yield state
        inner = [*(state.get("Branches") or []), state.get("ItemProcessor"), state.get("Iterator")]
        for one in inner:
            yield from _tasks(one) if isinstance(one, Mapping) else ()


def _mapping(told: object) -> Mapping[str, Any]:
    if isinstance(told, str):
        try:
            told = json.loads(told)
        except ValueError:
            return {}
    return told if isinstance(told, Mapping) else {}
