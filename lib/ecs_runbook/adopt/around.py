"""What rules and schedules name, as far as a mend has to know it: state machines, policies, clusters, the queue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ecs_runbook.adopt.existing import Existing
from ecs_runbook.adopt.machines import Machines, StateMachine, read_machines
from ecs_runbook.adopt.mends import LAUNCH_TYPE, POLICY, QUEUE, chosen
from ecs_runbook.adopt.named import Along, read_along, with_policies
from ecs_runbook.adopt.policies import Policies, read_policies, roles_of
from ecs_runbook.adopt.queues import LetterQueue, read_queue
from ecs_runbook.adopt.reading import Reading
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.names import short
from ecs_runbook.inventory.facts import clusters_of
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.model import Cluster, Told
from ecs_runbook.inventory.request import of_target


@dataclass(frozen=True)
class Around:
    """
    What is around the things that are adopted.

    Attributes
    ----------
    machines
        State machines that run a task for them, by ARN.
    policies
        Those of the roles that a mend has to know.
    clusters
        By the name that a target gives: where ``launch-type`` is to be mended.
    queue
        The queue that ``dead-letter-queue`` gives, or why it is not known; None if it gives none.
    along
        What is adopted with the things that name it; None if they are adopted alone.
    """

    machines: Machines = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)
    clusters: Mapping[str, Told[Cluster]] = field(default_factory=dict)
    queue: LetterQueue | str | None = None
    along: Along | None = None


def what_they_name(
    things: Sequence[Existing],
    mend: Collection[str],
    places: Fleet,
    *,
    dead_letter_queue: str = "",
    with_what_it_names: bool = False,
    progress: Bars | None = None,
) -> Around:
    """
    Read what *things* name, as far as the mends that were chosen have to know it, or it is adopted too.

    Parameters
    ----------
    things
        From :func:`~ecs_runbook.adopt.existing.existing`.
    mend, dead_letter_queue
        As :func:`~ecs_runbook.adopt.adopt.adopt_in_terraform` takes them.
    places
        Where they are: one place, from :func:`~ecs_runbook.inventory.fleet.fleet`.
    with_what_it_names
        Adopt with them their event bus, schedule group, role, dead-letter queue and state machine.
    progress
        Where to show how far it is.

    Raises
    ------
    SpecError
        If a mend is not known, or there is no such queue.

    Notes
    -----
    What AWS does not tell is known to be so. Needs what :func:`~ecs_runbook.adopt.machines.read_machines`,
    :func:`~ecs_runbook.adopt.policies.read_policies` and :func:`~ecs_runbook.adopt.queues.read_queue` need, and for
    ``launch-type`` ``ecs:DescribeClusters``; *with_what_it_names*, what
    :func:`~ecs_runbook.adopt.named.read_along` needs.
    """
    meant = chosen(mend, dead_letter_queue=dead_letter_queue)
    if not things or not (list(meant) or with_what_it_names):
        return Around()
    reading = Reading(places, progress)
    aws, ask = reading.aws, reading.ask
    machines = read_machines(things, reading)
    roles = roles_of(things, machines, meant) if POLICY in meant else []
    queue = None
    if QUEUE in meant:
        where = {"account": aws.account, "region": aws.region}
        queue = read_queue(dead_letter_queue, **where, sqs=aws.client("sqs"), ask=ask)
        roles += [short(str(one.targets[0]["RoleArn"])) for one in things if one.kind == "schedule"]
    along = None
    if with_what_it_names:
        more = [one.role for one in machines.values() if isinstance(one, StateMachine)]
        along = read_along(things, reading, more=more)
    attachments = [short(arn) for arn in along.roles] if along else []
    policies = read_policies(roles, reading, attachments=attachments)
    clusters: Mapping[str, Told[Cluster]] = {}
    if LAUNCH_TYPE in meant:
        requests = [of_target(target) for thing in things for target in thing.targets]
        names = {one.cluster for one in requests if one is not None}
        clusters = clusters_of(reading.place, names, aws, ask)
    along = with_policies(along, policies) if along else None
    reading.end("all that they name is read")
    return Around(machines, policies.only(roles), clusters, queue, along)
