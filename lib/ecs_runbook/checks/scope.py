"""Which calls the checks that are on need, so that one that is off costs none."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ecs_runbook.checks.registry import KINDS
from ecs_runbook.inventory.scope import Scope, Simulated

_OF_SIMULATOR: Mapping[str, Simulated] = {
    "run-task-missing": "run",
    "pass-role-missing": "run",
    "tag-resource-missing": "run",
    "policy-too-wide": "wide",
    "start-execution-missing": "start",
    "dead-letter-queue-not-writable": "send",
    "machine-permissions": "act",
}
_OF_RUNS = frozenset(one for one in KINDS if one.startswith("runs-"))
_LONG = "schedule-overlap"  # it looks at how long the task lasted
_HELPS = ("ecs:DescribeTaskDefinition", "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
"""Whose a refusal is, its roles may tell; and what became of a firing, its dead letter."""


def looks_at_runs(on: Collection[str]) -> bool:
    """
    Say whether any of these checks looks at what ran.

    Examples
    --------
    >>> looks_at_runs({"pinned-revision"}), looks_at_runs({"schedule-overlap"})
    (False, True)
    """
    return not (_OF_RUNS | {_LONG}).isdisjoint(on)


def scope_of(on: Collection[str]) -> Scope:
    """
    Return what AWS is asked for these checks, but for what ran.

    Parameters
    ----------
    on
        Ids of checks.

    Examples
    --------
    >>> sorted(scope_of({"cluster-missing"}).actions)
    ['ecs:DescribeClusters']
    >>> scope_of({"start-execution-missing"}).simulated
    frozenset({'start'})
    """
    needed = {action for one in on for action in KINDS[one].needs}
    if looks_at_runs(on):
        needed.update(_HELPS)
    return Scope(frozenset(needed), frozenset(_OF_SIMULATOR[one] for one in on if one in _OF_SIMULATOR))
