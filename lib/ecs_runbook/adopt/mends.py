"""The differences that a reader may choose: each changes one thing of what AWS told, and says what it changed."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ecs_runbook.adopt.existing import Existing
from ecs_runbook.checks.launching import launch_of_request
from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.firing.machines import machine_of
from ecs_runbook.inventory.model import Absent, Cluster, Gap, Request, Told
from ecs_runbook.inventory.request import of_target
from ecs_runbook.moving.names import REVISION
from ecs_runbook.wanted.schedule import shortened

PINNED, POLICY, LAUNCH_TYPE, QUEUE = "pinned-revision", "policy", "launch-type", "dead-letter-queue"
MENDS = (PINNED, POLICY, LAUNCH_TYPE, QUEUE)
"""What can be mended while adopting."""
ALSO = {
    "run-task-missing": POLICY,
    "launch-type-public-ip": LAUNCH_TYPE,
    "no-container-instances": LAUNCH_TYPE,
    "no-dead-letter-queue": QUEUE,
}
"""Ids of checks that stand for one of these too."""
_QUEUE = re.compile(r"arn:[\w-]+:sqs:[\w-]+:\d{12}:[\w-]+", re.ASCII)
_LIKE = "pinned-revision of nightly, policy of batch/hourly, launch-type of nightly#job"
_NOT_ASKED = Gap("ecs:DescribeClusters", "its cluster was not asked for")


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


@dataclass(frozen=True)
class Chosen:
    """
    What shall differ, and where.

    Attributes
    ----------
    where
        By mend, in their order: of what, as a reader names it; empty for all.
    """

    where: Mapping[str, frozenset[str]]

    def __contains__(self, mend: str) -> bool:
        return mend in self.where

    def __iter__(self) -> Iterator[str]:
        return iter(self.where)

    @property
    def names(self) -> frozenset[str]:
        """What was named."""
        return frozenset().union(*self.where.values())

    def of(self, thing: Existing, place: str) -> list[str]:
        """Return the mends that are meant for one target of *thing*."""
        return [mend for mend, names in self.where.items() if not names or names & {thing.label, place}]


def chosen(mend: Collection[str], *, dead_letter_queue: str = "") -> Chosen:
    """
    Return the mends that are meant, and for what: ids of checks are among them.

    Raises
    ------
    SpecError
        If one is not known, or a queue is to be given and is not named, or not by the ARN of a standard queue.

    Examples
    --------
    >>> list(chosen(["launch-type-public-ip", "pinned-revision of nightly"]))
    ['pinned-revision', 'launch-type']
    """
    told = [_named(one) for one in mend]
    meant = {name for name, _ in told}
    faults = [
        Fault("mend", shortened(one), f"write some of {', '.join([*MENDS, *ALSO])}, or one of them of a name: {_LIKE}")
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
    where = {}
    for name in (one for one in MENDS if one in meant):
        of = {of for each, of in told if each == name}
        where[name] = frozenset() if "" in of else frozenset(of)
    return Chosen(where)


def _named(one: str) -> tuple[str, str]:
    name, _, of = one.partition(" of ")
    return ALSO.get(name.strip(), name.strip()), of.strip()


def mended(
    thing: Existing,
    meant: Chosen,
    clusters: Mapping[str, Told[Cluster]],
    *,
    machines: Collection[str] = (),
    queue: str = "",
) -> tuple[Existing, list[Difference], list[NotMended]]:
    """
    Return *thing* as the files shall have it, what that changes, and which mend finds no place in it.

    *machines* are the ARNs of those that run a task. A target that does not have what a mend is for is left as it is,
    without a word.
    """
    targets: list[Mapping[str, Any]] = []
    changes: list[Difference] = []
    left: list[NotMended] = []
    for of, target in zip(thing.places, thing.targets, strict=True):
        new, request = copy.deepcopy(dict(target)), of_target(target)
        told: dict[str, tuple[str, Any, Any] | str | None] = {}
        for mend in meant.of(thing, of):
            if mend == QUEUE and (request or machine_of(target) in machines):
                told[mend] = _with_queue(new, queue)
            elif mend == PINNED and request:
                told[mend] = _unpinned(new, request)
            elif mend == LAUNCH_TYPE and request:
                told[mend] = _on_fargate(new, request, clusters.get(request.cluster, _NOT_ASKED))
        targets.append(new)
        for mend, what in told.items():
            if isinstance(what, str):
                left.append(NotMended(mend, of, what))
            elif what:
                changes.append(Difference(mend, of, *what))
    return replace(thing, targets=tuple(targets)), changes, left


def _unpinned(target: dict[str, Any], request: Request) -> tuple[str, Any, Any] | str | None:
    if request.revision is None:
        return None
    if "EcsParameters" in target:
        before = str(target["EcsParameters"]["TaskDefinitionArn"])
        after = REVISION.sub("", before)
        target["EcsParameters"]["TaskDefinitionArn"] = after
        return "task_definition_arn", before, after
    before = str(target["Input"])
    if before.count(f'"{request.definition}"') != 1:
        return "its Input names the revision in a way that is not understood well enough to change it"
    after = before.replace(f'"{request.definition}"', f'"{REVISION.sub("", request.definition)}"')
    target["Input"] = after
    return "input", before, after


def _on_fargate(target: dict[str, Any], request: Request, cluster: Told[Cluster]) -> tuple[str, Any, Any] | str | None:
    """Mend what would run on EC2 and cannot: it asks for a public IP, or there is no container instance."""
    launch, public = launch_of_request(request, cluster), request.network is not None and request.network.public_ip
    if isinstance(launch, Gap):
        return f"whether it would run on Fargate is not known: {launch}"
    if launch in ("FARGATE", "EXTERNAL") or isinstance(launch, Absent):
        return None
    empty = launch == "EC2" and isinstance(cluster, Cluster) and cluster.instances == 0
    if not public and not empty:
        return None
    if launch == "own provider":
        return "its capacity providers decide how it is launched"
    if "EcsParameters" not in target:
        return "it calls RunTask itself: give its Input a LaunchType"
    parameters = target["EcsParameters"]
    if parameters.get("PlacementConstraints") or parameters.get("PlacementStrategy"):
        return "it is placed on container instances, which Fargate has not"
    if request.launch_type and not public:
        return f"it asks for {launch}, and for no public IP that only Fargate gives: perhaps it is meant so"
    parameters["LaunchType"] = "FARGATE"
    return "launch_type", request.launch_type or None, "FARGATE"


def _with_queue(target: dict[str, Any], queue: str) -> tuple[str, Any, Any] | None:
    if (target.get("DeadLetterConfig") or {}).get("Arn"):
        return None
    target["DeadLetterConfig"] = {"Arn": queue}
    return "dead_letter_config", [], [{"arn": queue}]
