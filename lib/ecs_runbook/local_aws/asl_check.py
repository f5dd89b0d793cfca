"""
What is wrong with a state machine's definition, before it runs: its structure alone.

Source: botocore stepfunctions ValidateStateMachineDefinition (verified); the codes and words are those that public
issues quote of AWS, as far as they were found there (seen), else this world's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_KINDS = ("Choice", "Fail", "Map", "Parallel", "Pass", "Succeed", "Task", "Wait")
_LAST = frozenset({"Choice", "Fail", "Succeed"})  # these have neither Next nor End
_NEEDED = {"Task": ("Resource",), "Choice": ("Choices",), "Parallel": ("Branches",)}


@dataclass(frozen=True)
class Diagnostic:
    """One fault: its code, its words, and where."""

    code: str
    message: str
    location: str

    def __str__(self) -> str:
        """Return it as CreateStateMachine quotes it."""
        return f"{self.code}: {self.message} at {self.location}"


def faults_of(definition: str) -> list[Diagnostic]:
    """
    Return what is wrong with a definition.

    Examples
    --------
    >>> run = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Next": "Nowhere"}
    >>> [str(one) for one in faults_of(json.dumps({"StartAt": "Run", "States": {"Run": run}}))]
    ["MISSING_TRANSITION_TARGET: Missing 'Next' target: Nowhere at /States/Run/Next"]
    >>> faults_of("{")[0].code
    'INVALID_JSON_DESCRIPTION'
    """
    try:
        whole = json.loads(definition)
    except ValueError as error:
        return [Diagnostic("INVALID_JSON_DESCRIPTION", str(error), "/")]
    if not isinstance(whole, Mapping):
        return [Diagnostic("SCHEMA_VALIDATION_FAILED", "The definition is no JSON object", "/")]
    return list(_machine(whole, ""))


def _machine(machine: Mapping[str, Any], place: str) -> Iterator[Diagnostic]:
    states = machine.get("States")
    if not isinstance(states, Mapping) or not states:
        yield Diagnostic("SCHEMA_VALIDATION_FAILED", "The field 'States' is required and may not be empty", f"{place}/")
        return
    if "StartAt" not in machine:
        yield Diagnostic("SCHEMA_VALIDATION_FAILED", "The field 'StartAt' is required", f"{place}/")
    elif machine["StartAt"] not in states:
        yield _no_target("StartAt", machine["StartAt"], f"{place}/StartAt")
    for name, state in states.items():
        where = f"{place}/States/{name}"
        if isinstance(state, Mapping):
            yield from _state(state, states, where)
        else:
            yield Diagnostic("SCHEMA_VALIDATION_FAILED", "The state is no JSON object", where)


def _state(state: Mapping[str, Any], states: Mapping[str, Any], where: str) -> Iterator[Diagnostic]:
    kind = state.get("Type")
    if kind not in _KINDS:
        known = ", ".join(_KINDS)
        yield Diagnostic("SCHEMA_VALIDATION_FAILED", f"The field 'Type' must be one of {known}", f"{where}/Type")
        return
    for needed in _NEEDED.get(kind, ()):
        if not state.get(needed):
            yield Diagnostic("SCHEMA_VALIDATION_FAILED", f"The field '{needed}' is required", where)
    ways = ("Next" in state) + bool(state.get("End"))
    if kind not in _LAST and ways != 1:
        yield Diagnostic("SCHEMA_VALIDATION_FAILED", "Exactly one of 'Next' and 'End' is required", where)
    if kind == "Wait" and sum(name in state for name in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")) != 1:
        told = "Exactly one of 'Seconds', 'SecondsPath', 'Timestamp' and 'TimestampPath' is required"
        yield Diagnostic("SCHEMA_VALIDATION_FAILED", told, where)
    for field, target, place in _targets(state):
        if target not in states:
            yield _no_target(field, target, f"{where}/{place}")
    for number, branch in enumerate(state.get("Branches") or []):
        yield from _machine(branch, f"{where}/Branches[{number}]")


def _targets(state: Mapping[str, Any]) -> Iterator[tuple[str, Any, str]]:
    for field in ("Next", "Default"):
        if field in state:
            yield field, state[field], field
    for listed in ("Choices", "Catch"):
        for number, one in enumerate(state.get(listed) or []):
            yield "Next", one.get("Next"), f"{listed}[{number}]/Next"


def _no_target(field: str, target: Any, where: str) -> Diagnostic:
    return Diagnostic("MISSING_TRANSITION_TARGET", f"Missing '{field}' target: {target}", where)
