"""What rules and schedules name, as far as a mend has to know it: state machines, policies, clusters, the queue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ecs_runbook.adopt.existing import Existing
from ecs_runbook.adopt.machines import Machines, StateMachine, read_machines
from ecs_runbook.adopt.mends import LAUNCH_TYPE, POLICY, QUEUE, chosen
from ecs_runbook.adopt.named import Along, read_along
from ecs_runbook.adopt.policies import Policies, read_policies, roles_of
from ecs_runbook.adopt.queues import LetterQueue, read_queue
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.names import short
from ecs_runbook.inventory.facts import clusters_of
from ecs_runbook.inventory.model import Cluster, Place, Told
from ecs_runbook.inventory.request import of_target
from ecs_runbook.session import Aws


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
    *,
    aws: Aws,
    dead_letter_queue: str = "",
    with_what_it_names: bool = False,
    ask: Asking | None = None,
) -> Around:
    """
    Read what *things* name, as far as the mends that were chosen have to know it, or it is adopted too.

    Parameters
    ----------
    things
        From :func:`~ecs_runbook.adopt.existing.existing`.
    mend, dead_letter_queue
        As :func:`~ecs_runbook.adopt.adopt.adopt_in_terraform` takes them.
    aws
        Where they are.
    with_what_it_names
        Adopt with them their event bus, schedule group, role, dead-letter queue and state machine.

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
    meant, ask = chosen(mend, dead_letter_queue=dead_letter_queue), ask or Asking()
    if not things or not (list(meant) or with_what_it_names):
        return Around()
    machines = read_machines(things, sfn=aws.client("stepfunctions"), ask=ask)
    roles = roles_of(things, machines, meant) if POLICY in meant else []
    queue = None
    if QUEUE in meant:
        place = {"account": aws.account, "region": aws.region}
        queue = read_queue(dead_letter_queue, **place, sqs=aws.client("sqs"), ask=ask)
        roles += [short(str(one.targets[0]["RoleArn"])) for one in things if one.kind == "schedule"]
    policies = read_policies(roles, iam=aws.client("iam"), ask=ask) if roles else Policies()
    clusters: Mapping[str, Told[Cluster]] = {}
    if LAUNCH_TYPE in meant:
        requests = [of_target(target) for thing in things for target in thing.targets]
        names = {one.cluster for one in requests if one is not None}
        clusters = clusters_of(Place(aws.account, aws.region), names, aws, ask)
    along = None
    if with_what_it_names:
        more = [one.role for one in machines.values() if isinstance(one, StateMachine)]
        along = read_along(things, aws=aws, ask=ask, more=more)
    return Around(machines, policies, clusters, queue, along)
