"""The differences that a reader may choose: each changes one thing of what AWS told, and says what it changed."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ecs_runbook.adopt.existing import Existing, InlinePolicy, Policies, read_policies
from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.firing.names import definition
from ecs_runbook.inventory.request import of_target
from ecs_runbook.lint.values import wildcard
from ecs_runbook.moving.names import REVISION
from ecs_runbook.wanted.schedule import shortened

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

PINNED, POLICY, LAUNCH_TYPE, QUEUE = "pinned-revision", "policy", "launch-type", "dead-letter-queue"
MENDS = (PINNED, POLICY, LAUNCH_TYPE, QUEUE)
"""What can be mended while adopting."""
_ALSO = {
    "run-task-missing": POLICY,
    "launch-type-public-ip": LAUNCH_TYPE,
    "no-container-instances": LAUNCH_TYPE,
    "no-dead-letter-queue": QUEUE,
}
"""Ids of checks that stand for one of these too."""
_QUEUE = re.compile(r"arn:[\w-]+:sqs:[\w-]+:\d{12}:[\w-]+", re.ASCII)
_DEFINITION = re.compile(r"(arn:[\w-]+:ecs:[\w-]+:\d{12}:task-definition/)([\w-]+)(?::\d+)?", re.ASCII)


@dataclass(frozen=True)
class Difference:
    """
    One thing that the plan shall change, and nothing else.

    Attributes
    ----------
    mend
        One of :data:`MENDS`.
    of
        What it is of: a label with a target's id, or a role's policy.
    attribute
        The provider's argument that differs.
    before, after
        Its value in AWS, and in the files. A policy is a document.
    """

    mend: str
    of: str
    attribute: str
    before: Any
    after: Any


@dataclass(frozen=True)
class NotMended:
    """A mend that was chosen and finds no place here, and why."""

    mend: str
    of: str
    because: str

    def __str__(self) -> str:
        return f"{self.mend} of {self.of}: {self.because}"


def chosen(mend: Collection[str], *, dead_letter_queue: str = "") -> tuple[str, ...]:
    """
    Return the mends that are meant, in their order; ids of checks are among them.

    Raises
    ------
    SpecError
        If one is not known, or a queue is to be given and is not named, or not by the ARN of a standard queue.

    Examples
    --------
    >>> chosen(["launch-type-public-ip", "pinned-revision"])
    ('pinned-revision', 'launch-type')
    """
    meant = {_ALSO.get(one, one) for one in mend}
    faults = [
        Fault("mend", shortened(one), f"write some of {', '.join([*MENDS, *_ALSO])}")
        for one in sorted(meant - set(MENDS))
    ]
    if dead_letter_queue and not _QUEUE.fullmatch(dead_letter_queue):
        faults.append(Fault("dead_letter_queue", shortened(dead_letter_queue), "write the ARN of a standard queue"))
    elif QUEUE in meant and not dead_letter_queue:
        faults.append(Fault("dead_letter_queue", "''", f"name the queue, by its ARN, that {QUEUE} shall give"))
    elif dead_letter_queue and QUEUE not in meant:
        faults.append(
            Fault("dead_letter_queue", shortened(dead_letter_queue), f"choose {QUEUE} too, or leave it empty")
        )
    if faults:
        raise SpecError("Nothing can be mended like this:", faults=faults)
    return tuple(one for one in MENDS if one in meant)


def policies_of(things: Sequence[Existing], mend: Collection[str], *, iam: IAMClient) -> Policies:
    """
    Read the policies of the roles of *things*, if ``policy`` is to be mended; else none.

    Notes
    -----
    Needs what :func:`~ecs_runbook.adopt.existing.read_policies` needs.
    """
    return read_policies(things, iam=iam) if POLICY in {_ALSO.get(one, one) for one in mend} else Policies()


def mended(
    thing: Existing, mends: Collection[str], *, queue: str = ""
) -> tuple[Existing, list[Difference], list[NotMended]]:
    """Return *thing* as the files shall have it, what that changes, and which mend finds no place in it."""
    targets: list[Mapping[str, Any]] = []
    changes: list[Difference] = []
    left: list[NotMended] = []
    for of, target in zip(thing.places, thing.targets, strict=True):
        if of_target(target) is None:
            if PINNED in mends and ":states:" in json.dumps(target, default=str):
                left.append(NotMended(PINNED, of, "a state machine stands between: un-pin what its definition names"))
            targets.append(target)
            continue
        new = copy.deepcopy(dict(target))
        for mend in (one for one in MENDS if one in mends):
            told = _MENDS[mend](new, queue) if mend in _MENDS else None
            if isinstance(told, str):
                left.append(NotMended(mend, of, told))
            elif told:
                changes.append(Difference(mend, of, *told))
        targets.append(new)
    whole = replace(thing, targets=tuple(targets))
    return whole, changes, left


def _unpinned(target: dict[str, Any], _: str) -> tuple[str, Any, Any] | str | None:
    if "EcsParameters" in target:
        before = str(target["EcsParameters"]["TaskDefinitionArn"])
        after = REVISION.sub("", before)
        target["EcsParameters"]["TaskDefinitionArn"] = after
        return ("task_definition_arn", before, after) if before != after else None
    request = of_target(target)
    if request is None or request.revision is None:
        return None
    before = str(target["Input"])
    if before.count(f'"{request.definition}"') != 1:
        return "its Input names the revision in a way that is not understood well enough to change it"
    after = before.replace(f'"{request.definition}"', f'"{REVISION.sub("", request.definition)}"')
    target["Input"] = after
    return "input", before, after


def _on_fargate(target: dict[str, Any], _: str) -> tuple[str, Any, Any] | str | None:
    if "EcsParameters" not in target:
        return "it calls RunTask itself: give its Input a LaunchType"
    parameters = target["EcsParameters"]
    if parameters.get("LaunchType") == "FARGATE":
        return None
    if parameters.get("CapacityProviderStrategy"):
        return "its capacity providers decide how it is launched"
    if parameters.get("PlacementConstraints") or parameters.get("PlacementStrategy"):
        return "it is placed on container instances, which Fargate has not"
    network = (parameters.get("NetworkConfiguration") or {}).get("awsvpcConfiguration") or {}
    before = parameters.get("LaunchType")
    if before and network.get("AssignPublicIp") != "ENABLED":
        return f"it asks for {before}, and for no public IP that only Fargate gives: perhaps it is meant so"
    parameters["LaunchType"] = "FARGATE"
    return "launch_type", before, "FARGATE"


def _with_queue(target: dict[str, Any], queue: str) -> tuple[str, Any, Any] | str | None:
    if (target.get("DeadLetterConfig") or {}).get("Arn"):
        return None
    target["DeadLetterConfig"] = {"Arn": queue}
    return "dead_letter_config", [], [{"arn": queue}]


_MENDS = {PINNED: _unpinned, LAUNCH_TYPE: _on_fargate, QUEUE: _with_queue}


def mended_policies(
    things: Sequence[Existing], policies: Policies
) -> tuple[list[InlinePolicy], list[Difference], list[NotMended]]:
    """
    Return the inline policies that change, so that they let *things* run every revision of their families.

    Notes
    -----
    Just the resources that name a family of these without a revision, or with one, become ``<family>:*``: AWS asks
    about the revision that runs (aws docs, RunTask, "authorization will occur using the latest revision").
    """
    families: dict[str, set[str]] = {}
    for thing in things:
        for target in thing.targets:
            request = of_target(target)
            if request is not None and target.get("RoleArn"):
                name = str(target["RoleArn"]).rpartition("/")[2]
                families.setdefault(name, set()).add(_arn(thing, request.definition))
    changed: list[InlinePolicy] = []
    changes: list[Difference] = []
    left: list[NotMended] = []
    for role, definitions in families.items():
        if role in policies.unknown:
            left.append(NotMended(POLICY, role, policies.unknown[role]))
            continue
        own = [one for one in policies.inline if one.role == role]
        new = {one.name: _wider(one.document, {definition(arn).family for arn in definitions}) for one in own}
        for one in own:
            if new[one.name] != one.document:
                changed.append(replace(one, document=new[one.name]))
                changes.append(Difference(POLICY, f"{role}/{one.name}", "policy", one.document, new[one.name]))
        uncovered = sorted(
            family for family in definitions if not any(_covers(document, family) for document in new.values())
        )
        if uncovered:
            left.append(NotMended(POLICY, role, _why(uncovered, policies.attached.get(role, ()))))
    return changed, changes, left


def _arn(thing: Existing, named: str) -> str:
    """Return the ARN of a task definition that may be named by its family alone."""
    parts = str(thing.told["Arn"]).split(":")
    return (
        named
        if named.startswith("arn:")
        else f"{':'.join([parts[0], parts[1], 'ecs', *parts[3:5]])}:task-definition/{named}"
    )


def _why(uncovered: Sequence[str], attached: Sequence[str]) -> str:
    names = ", ".join(str(definition(one).family) for one in uncovered)
    if attached:
        several = ", ".join(attached)
        return f"no inline policy lets it run {names}; {several} is attached, which others may use: look there"
    return f"no policy of it names {names}, so there is none to widen"


def _wider(document: Mapping[str, Any], families: Collection[str]) -> Mapping[str, Any]:
    new = copy.deepcopy(dict(document))
    for statement in _statements(new):
        if statement.get("Effect") == "Allow" and _runs(statement):
            told = statement.get("Resource")
            wide = list(dict.fromkeys(_every_revision(one, families) for one in _listed(told)))
            statement["Resource"] = wide if isinstance(told, list) else wide[0]
    return new


def _every_revision(resource: Any, families: Collection[str]) -> Any:
    at = _DEFINITION.fullmatch(resource) if isinstance(resource, str) else None
    return f"{at[1]}{at[2]}:*" if at and at[2] in families else resource


def _runs(statement: Mapping[str, Any]) -> bool:
    return any(wildcard(str(one), "ecs:RunTask", fold=True) for one in _listed(statement.get("Action", [])))


def _covers(document: Mapping[str, Any], arn: str) -> bool:
    """Say whether a statement lets every revision of the task definition *arn* run, as far as its resources tell."""
    wanted = f"{REVISION.sub('', arn)}:12345"
    return any(
        statement.get("Effect") == "Allow"
        and _runs(statement)
        and any(wildcard(str(one), wanted) for one in _listed(statement.get("Resource", [])))
        for statement in _statements(document)
    )


def _listed(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [told]


def _statements(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from _listed(document.get("Statement", []))
