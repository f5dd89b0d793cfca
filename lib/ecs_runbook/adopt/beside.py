"""What is adopted beside rules and schedules: since a mend changes it, or since it is to go along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ecs_runbook.adopt.around import Around
from ecs_runbook.adopt.existing import Existing
from ecs_runbook.adopt.machines import StateMachine, plain
from ecs_runbook.adopt.mends import POLICY, QUEUE, Chosen, Difference, NotMended
from ecs_runbook.adopt.named import Along
from ecs_runbook.adopt.policies import Policy, mended_policies, roles_of
from ecs_runbook.adopt.queues import LetterQueue, mended_queue


@dataclass(frozen=True)
class Beside:
    """
    What is adopted beside them.

    Attributes
    ----------
    machines, policies
        As they become.
    roles
        By what a policy is of: the roles that it is attached to, among those that run what is adopted.
    queue, queue_has_policy
        The queue whose policy changes, and whether it has one by now; None if none does.
    along
        What goes along since it is named.
    """

    machines: Sequence[StateMachine] = ()
    policies: Sequence[Policy] = ()
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    queue: LetterQueue | None = None
    queue_has_policy: bool = False
    along: Along = field(default_factory=Along)


def beside_them(
    new: Sequence[Existing],
    machines: Mapping[str, StateMachine],
    around: Around,
    meant: Chosen,
    differences: Sequence[Difference],
    arn: str,
) -> tuple[Beside, list[Difference], list[NotMended], list[str]]:
    """Return what differs beside *new*: policies and the queue, and what of them a reader has to know."""
    then = {name: machines.get(plain(name), one) for name, one in around.machines.items()}
    along = around.along or Along()
    policies: list[Policy] = []
    changes: list[Difference] = []
    left: list[NotMended] = []
    if POLICY in meant:
        policies, changes, left = mended_policies(new, then, around.policies, meant)
    attached = {one.of: _attached(one, around, roles_of(new, then)) for one in policies}
    told = [_also(one, attached[one.of]) for one in policies if set(one.users) - _users(attached[one.of])]
    if around.along is not None:
        machines = {name: one for name, one in then.items() if isinstance(one, StateMachine) and name == plain(name)}
        told += [_not_along(name) for name in then if name != plain(name)]
        changed = {one.of for one in policies}
        policies = [*policies, *(one for one in along.policies.all if one.of not in changed and not one.arn)]
    beside = Beside(tuple(machines.values()), policies, attached, along=along)
    if around.queue is None:
        return beside, changes, left, told
    given = [one for one in new if any(each.mend == QUEUE and each.of in one.places for each in differences)]
    queue, more, unplaced, said = mended_queue(around.queue, given, around.policies, arn=arn)
    has_policy = not isinstance(around.queue, str) and bool(around.queue.policy)
    beside = replace(beside, queue=queue, queue_has_policy=has_policy)
    return beside, changes + more, left + unplaced, told + said


def _not_along(arn: str) -> str:
    name = arn.rpartition(":stateMachine:")[2]
    return (
        f"{name} is a version or an alias of a state machine: the target keeps its ARN, and the machine is not taken "
        "along for it"
    )


def _attached(policy: Policy, around: Around, roles: Sequence[str]) -> list[str]:
    """Return those of *roles* that *policy* is attached to."""
    return [role for role in roles if policy.arn and any(one.of == policy.of for one in around.policies.of(role))]


def _users(roles: Sequence[str]) -> set[str]:
    return {f"role {one}" for one in roles}


def _also(policy: Policy, roles: Sequence[str]) -> str:
    others = ", ".join(one for one in policy.users if one not in _users(roles))
    return f"{policy.name} is attached to {others} too, which gets the same"
