"""A rule and its ECS targets, as EventBridge has them; and which other rules could be taken for it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.names import STARTED_BY_LENGTH, STARTED_BY_PREFIX, definition, drill_prefix

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_CUT = STARTED_BY_LENGTH - len(STARTED_BY_PREFIX)


@dataclass(frozen=True)
class Target:
    """One ECS target of a rule; ``raw`` is all that EventBridge keeps of it."""

    id: str
    cluster: str
    role: str
    requested: str
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def family(self) -> str:
        """The family of the task definition that the target names."""
        return definition(self.requested).family

    @property
    def count(self) -> int:
        """How many tasks one firing starts."""
        return int(self.raw.get("EcsParameters", {}).get("TaskCount", 1))


@dataclass(frozen=True)
class Rule:
    """
    A rule on the default bus.

    Attributes
    ----------
    name, arn
        The rule's own.
    expression
        ``cron(…)`` or ``rate(…)``; ``""`` for a rule that waits for events.
    enabled
        Whether it fires.
    targets
        Its ECS targets; other targets are left out.
    """

    name: str
    arn: str
    expression: str
    enabled: bool
    targets: tuple[Target, ...]

    @property
    def families(self) -> list[str]:
        """The families that its targets name, each once, sorted."""
        return sorted({target.family for target in self.targets})


def read_rule(name: str, *, events: EventBridgeClient, ask: Asking | None = None) -> Rule:
    """
    Return the rule *name* of the default bus with its ECS targets.

    Raises
    ------
    EvidenceError
        If there is no such rule (with the names nearest to it), or if it has no ECS target.
    AwsError
        If EventBridge refuses.

    Notes
    -----
    Needs ``events:DescribeRule`` and ``events:ListTargetsByRule``; ``events:ListRules`` when the name is unknown.
    """
    ask = ask or Asking()
    try:
        told = ask("events:DescribeRule", events.describe_rule, Name=name)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        hint = _nearest(name, events, ask)
        raise EvidenceError(f"rule = {name!r}: there is no such rule on the default bus.", hint=hint) from error
    targets = ecs_targets(name, events=events, ask=ask)
    if not targets:
        raise EvidenceError(
            f"rule = {name!r}: none of its targets runs an ECS task.",
            hint="Name a rule whose target has EcsParameters.",
        )
    return _rule(told | {"Name": name}, targets)


def ecs_targets(name: str, *, events: EventBridgeClient, ask: Asking) -> tuple[Target, ...]:
    """Return the targets of rule *name* that run an ECS task. Needs ``events:ListTargetsByRule``."""
    pages = ask.pages("events:ListTargetsByRule", events.list_targets_by_rule, Rule=name)
    return tuple(
        Target(
            id=target["Id"],
            cluster=target["Arn"],
            role=target.get("RoleArn", ""),
            requested=target["EcsParameters"].get("TaskDefinitionArn", ""),
            raw=target,
        )
        for page in pages
        for target in page.get("Targets", [])
        if target.get("EcsParameters")
    )


def choose(rule: Rule, target_id: str = "") -> Target:
    """
    Return the target of *rule* with that id, or its only one.

    Raises
    ------
    EvidenceError
        If there are several and none was named, or if there is none of that id.
    """
    ids = ", ".join(target.id for target in rule.targets)
    if target_id:
        named = [target for target in rule.targets if target.id == target_id]
        if not named:
            raise EvidenceError(
                f"target_id = {target_id!r}: rule {rule.name!r} has no such ECS target.", hint=f"It has: {ids}."
            )
        return named[0]
    if len(rule.targets) > 1:
        raise EvidenceError(
            f"rule = {rule.name!r}: it has {len(rule.targets)} ECS targets.", hint=f"Give target_id as one of: {ids}."
        )
    return rule.targets[0]


def same_cut(mine: Rule, *, events: EventBridgeClient, ask: Asking) -> list[Rule]:
    """
    Return the other rules on the default bus whose tasks carry the same ``startedBy`` as those of *mine*.

    A name shorter than 24 characters is never cut, so nothing is asked. Needs ``events:ListRules`` and
    ``events:ListTargetsByRule``.
    """
    if len(mine.name) < _CUT:
        return []
    told = [rule for rule in _listed(events, ask, prefix=mine.name[:_CUT]) if rule["Name"] != mine.name]
    rules = [_rule(rule, ecs_targets(rule["Name"], events=events, ask=ask)) for rule in told]
    return [rule for rule in rules if rule.targets]


def same_role(mine: Rule, *, events: EventBridgeClient, ask: Asking) -> list[Rule]:
    """
    Return the other rules of the default bus with a target in the same cluster under the same role.

    A drill of *mine* is not another rule.

    Needs ``events:ListRuleNamesByTarget``, ``events:ListTargetsByRule`` and ``events:DescribeRule``. To EventBridge the
    ARN of an ECS target is its cluster's (inferred from its API).
    """
    places = {(target.cluster, target.role) for target in mine.targets}
    names = {
        name
        for cluster in sorted({target.cluster for target in mine.targets})
        for page in ask.pages("events:ListRuleNamesByTarget", events.list_rule_names_by_target, TargetArn=cluster)
        for name in page.get("RuleNames", [])
        if name != mine.name and not name.startswith(drill_prefix(mine.name))
    }
    found = []
    for name in sorted(names):
        targets = ecs_targets(name, events=events, ask=ask)
        if any((target.cluster, target.role) in places for target in targets):
            found.append(_rule(ask("events:DescribeRule", events.describe_rule, Name=name), targets))
    return found


def _rule(told: Mapping[str, Any], targets: tuple[Target, ...]) -> Rule:
    enabled = told.get("State") != "DISABLED"
    return Rule(told["Name"], told.get("Arn", ""), told.get("ScheduleExpression", ""), enabled, targets)


def _nearest(name: str, events: EventBridgeClient, ask: Asking) -> str:
    try:
        names = [rule["Name"] for rule in _listed(events, ask)]
    except AwsError:
        return "The names of the rules could not be listed: the caller needs events:ListRules."
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return f"Nearest: {', '.join(near)}."
    return (
        f"The bus has {len(names)} rules of other names."
        if names
        else "There is no rule at all: is this the account and Region you mean?"
    )


def _listed(events: EventBridgeClient, ask: Asking, *, prefix: str = "") -> list[dict[str, Any]]:
    parameters = {"NamePrefix": prefix} if prefix else {}
    pages = ask.pages("events:ListRules", events.list_rules, **parameters)
    return [rule for page in pages for rule in page.get("Rules", [])]
