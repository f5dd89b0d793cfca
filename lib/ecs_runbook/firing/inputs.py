"""The input of a target: a harmless command put into it, or a mark by which a drill's own run is known again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ecs_runbook.errors import EvidenceError

MARK = "ecs-runbook-drill"
"""What a drill adds to the input of a state machine that is not told which schedule started it."""


def with_dry_command(text: str, containers: Sequence[str], command: Sequence[str]) -> str:
    """
    Return a target's Input with *command* in place of the containers' own; what else it overrides stays.

    Parameters
    ----------
    text
        The Input, a TaskOverride of RunTask as JSON; or empty.
    containers
        Names of the containers to override.
    command
        The command.

    Raises
    ------
    EvidenceError
        If the Input is not a JSON object.

    Examples
    --------
    >>> with_dry_command('{"cpu": "512"}', ["main"], ["true"])
    '{"cpu": "512", "containerOverrides": [{"name": "main", "command": ["true"]}]}'
    """
    try:
        override = json.loads(text or "{}")
        overrides = {one["name"]: dict(one) for one in override.get("containerOverrides", [])}
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise EvidenceError(
            "dry_command cannot be put into the target's Input: it is no TaskOverride in JSON.",
            hint="Fire without dry_command, or mend the Input.",
        ) from error
    for name in containers:
        overrides[name] = overrides.get(name, {"name": name}) | {"command": list(command)}
    return json.dumps(override | {"containerOverrides": list(overrides.values())})


def run_task_input(text: str, *, started_by: str, containers: Sequence[str], command: Sequence[str] | None) -> str:
    """
    Return the input of Scheduler's universal target RunTask with a mark of who started it, and a command put into it.

    Parameters
    ----------
    text
        The Input: what RunTask is asked, as JSON in PascalCase.
    started_by
        What the task is to carry as ``startedBy``.
    containers, command
        The containers to override, and what with; no command leaves them their own.

    Raises
    ------
    EvidenceError
        If the Input is not a JSON object.

    Examples
    --------
    >>> run_task_input('{"Cluster": "batch"}', started_by="d", containers=[], command=None)
    '{"Cluster": "batch", "StartedBy": "d"}'
    """
    asked = _object(text) | {"StartedBy": started_by}
    if command is not None:
        overrides = asked.get("Overrides") or {}
        try:
            known = {one["Name"]: dict(one) for one in overrides.get("ContainerOverrides") or []}
        except (AttributeError, TypeError, KeyError) as error:
            raise _unfit("dry_command cannot be put into the target's Input") from error
        for name in containers:
            known[name] = known.get(name, {"Name": name}) | {"Command": list(command)}
        asked["Overrides"] = overrides | {"ContainerOverrides": list(known.values())}
    return json.dumps(asked)


def execution_input(text: str, name: str, *, universal: bool = False) -> str:
    r"""
    Return the input of a target that starts a state machine, by which the execution of the drill *name* is known.

    One that holds Scheduler's ``<aws.scheduler.schedule-arn>`` tells it anyway, since the drill has a name of its own.
    Of a *universal* target the execution's own input stands one deeper.

    Raises
    ------
    EvidenceError
        If it is not a JSON object, so that no mark can be added.

    Examples
    --------
    >>> execution_input('{"run": "<aws.scheduler.schedule-arn>"}', "d"), execution_input("", "d")
    ('{"run": "<aws.scheduler.schedule-arn>"}', '{"ecs-runbook-drill": "d"}')
    >>> execution_input('{"StateMachineArn": "m"}', "d", universal=True)
    '{"StateMachineArn": "m", "Input": "{\\"ecs-runbook-drill\\": \\"d\\"}"}'
    """
    if "<aws.scheduler.schedule-arn>" in text:
        return text
    if not universal:
        return json.dumps(_object(text) | {MARK: name})
    asked = _object(text)
    inner = asked.get("Input")
    return json.dumps(
        asked | {"Input": execution_input(inner if isinstance(inner, str) else json.dumps(inner or {}), name)}
    )


def _object(text: str) -> dict[str, Any]:
    try:
        read = json.loads(text or "{}")
    except ValueError as error:
        raise _unfit("The drill cannot be told from other runs") from error
    if not isinstance(read, Mapping):
        raise _unfit("The drill cannot be told from other runs")
    return dict(read)


def _unfit(what: str) -> EvidenceError:
    return EvidenceError(f"{what}: the Input is no JSON object.", hint="Mend the Input of the schedule's target.")
