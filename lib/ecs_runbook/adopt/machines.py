"""The state machines that targets start: read as they are, and un-pinned in the text of their definition alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ecs_runbook.adopt.existing import Existing
from ecs_runbook.adopt.mends import PINNED, Chosen, Difference, NotMended
from ecs_runbook.adopt.reading import Reading
from ecs_runbook.errors import AwsError
from ecs_runbook.firing.machines import machine_of, tasks_of
from ecs_runbook.firing.names import definition
from ecs_runbook.inventory.request import input_of, of_machine
from ecs_runbook.moving.names import REVISION

_TAGS = "states:ListTagsForResource"
_PARTS = 7  # of an ARN without a version or an alias


@dataclass(frozen=True)
class StateMachine:
    """
    A state machine as DescribeStateMachine tells it.

    Attributes
    ----------
    told
        Its answer.
    tags
        Its own.
    """

    told: Mapping[str, Any] = field(repr=False)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.told["name"])

    @property
    def text(self) -> str:
        """Its definition, in the Amazon States Language."""
        return str(self.told["definition"])

    @property
    def role(self) -> str:
        """ARN of the role that calls RunTask."""
        return str(self.told.get("roleArn") or "")

    @property
    def runs(self) -> list[str]:
        """The task definitions that its states name, each once."""
        asked = [_asked(one).get("TaskDefinition") for one in tasks_of(self.text)]
        named = [one for one in asked if isinstance(one, str)]
        return list(dict.fromkeys(one for one in named if not one.startswith("{%")))


def _asked(state: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = state.get("Parameters") or state.get("Arguments")
    return asked if isinstance(asked, Mapping) else {}


Machines = Mapping[str, StateMachine | str]
"""By ARN as a target names it: a state machine that does nothing but run a task, or why it could not be read."""


def plain(arn: str) -> str:
    """
    Return the ARN of a state machine without a version or an alias.

    Examples
    --------
    >>> plain("arn:aws:states:eu-west-2:111122223333:stateMachine:nightly:3")
    'arn:aws:states:eu-west-2:111122223333:stateMachine:nightly'
    """
    return ":".join(arn.split(":")[:_PARTS])


def read_machines(things: Sequence[Existing], reading: Reading) -> Machines:
    """
    Read the state machines that *things* start, those alone that do nothing but run a task.

    Notes
    -----
    Needs ``states:ListTagsForResource``, a call a machine: each is described by the inventory already.
    """
    found: dict[str, StateMachine | str] = {}
    for thing, target in ((each, one) for each in things for one in each.targets):
        arn = machine_of(target)
        told = thing.machines.get(arn)
        if told is None or arn in found:
            continue
        if isinstance(told, AwsError):
            found[arn] = str(told)
        elif of_machine(str(told.get("definition") or ""), input_of(target)).request is not None:
            found[arn] = StateMachine({key: value for key, value in told.items() if key != "ResponseMetadata"})
    list_tags = reading.aws.client("stepfunctions").list_tags_for_resource

    def tags(arn: str) -> dict[str, Any]:
        return reading.ask(_TAGS, list_tags, resourceArn=arn)

    ours = {arn: one for arn, one in found.items() if isinstance(one, StateMachine)}
    tagged = reading.each(_TAGS, tags, sorted({plain(arn) for arn in ours}))
    for arn, machine in ours.items():
        answer = tagged[plain(arn)]
        if isinstance(answer, AwsError):
            found[arn] = str(answer)
        else:
            found[arn] = replace(machine, tags={one["key"]: one["value"] for one in answer.get("tags", [])})
    return found


def mended_machines(
    things: Sequence[Existing], machines: Machines, meant: Chosen
) -> tuple[dict[str, StateMachine], list[Difference], list[NotMended]]:
    """Return the machines that change, so that they name families without a revision: by ARN, with what differs."""
    changed: dict[str, StateMachine] = {}
    changes: list[Difference] = []
    left: list[NotMended] = []
    for thing in things:
        for of, target in zip(thing.places, thing.targets, strict=True):
            arn = machine_of(target)
            machine = machines.get(arn)
            if machine is None or PINNED not in meant.of(thing, of) or plain(arn) in changed:
                continue
            told = machine if isinstance(machine, str) else _unpinned(arn, machine)
            if isinstance(told, str):
                left.append(NotMended(PINNED, of, told))
            elif told is not None and not isinstance(machine, str):
                changed[plain(arn)] = told
                changes.append(Difference(PINNED, f"state machine {told.name}", "definition", machine.text, told.text))
    return changed, changes, left


def _unpinned(arn: str, machine: StateMachine) -> StateMachine | str | None:
    pinned = [one for one in machine.runs if definition(one).revision is not None]
    if not pinned:
        return None
    if arn != plain(arn):
        last = arn.rpartition(":")[2]
        return f"it starts {last} of the state machine {machine.name}, and what a version says never changes"
    text = machine.text
    for one in pinned:
        several = sum(_asked(each).get("TaskDefinition") == one for each in tasks_of(text))
        revision = re.escape(one.rpartition(":")[2])
        named = re.compile(rf'("TaskDefinition"\s*:\s*"{re.escape(REVISION.sub("", one))}):{revision}(?=")')
        text, count = named.subn(r"\1", text)
        if count != several:
            return f"the state machine {machine.name} names {one} in a way that is not understood well enough"
    return replace(machine, told={**machine.told, "definition": text})
