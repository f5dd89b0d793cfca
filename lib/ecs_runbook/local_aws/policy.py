"""
IAM's verdict on one request, from policy documents alone.

Words: a *statement* applies when its action, its resource and every condition match the request. One applying Deny is
an explicit deny; else one applying Allow allows; else it is an implicit deny.
Whatever this evaluator does not know (an operator, a variable without a value) never widens: it makes no Allow apply,
lets every Deny apply, and is reported. Source: IAM User Guide, "Policy evaluation logic".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

Outcome = Literal["allowed", "implicit deny", "explicit deny"]
Context = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Policy:
    """A policy document, with the name that a decision calls it by; ``kind`` is whose it is: ``role``, ``user``, …"""

    name: str
    document: str | Mapping[str, Any]
    kind: str = "none"


@dataclass(frozen=True)
class Principal:
    """
    Who asks to assume a role: a service (``events.amazonaws.com``), an identity by its ARN, or a federation.

    ``also`` holds further ARNs that name the same principal: the role behind a session.
    """

    kind: Literal["Service", "AWS", "Federated"]
    name: str
    account: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What IAM says; ``by`` names the statement that decided, ``unknown`` what could not be understood."""

    outcome: Outcome
    by: str = ""
    unknown: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
        return self.outcome == "allowed"


def decide(policies: Iterable[Policy], action: str, resource: str, context: Context | None = None) -> Decision:
    """
    Judge *action* on *resource* by identity-based *policies*.

    Parameters
    ----------
    policies
        Every policy of the identity, inline and managed.
    action
        ``service:Operation``; compared without regard to case.
    resource
        The one ARN that is evaluated, or ``*``.
    context
        Condition keys and their values. A key that is not there is absent, as in IAM.

    Notes
    -----
    Source: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements" (verified).

    Examples
    --------
    >>> family = "arn:aws:ecs:us-east-1:123456789012:task-definition/nightly"
    >>> every = {"Statement": {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": family + ":*"}}
    >>> decide([Policy("run", every)], "ecs:RunTask", family + ":7").outcome
    'allowed'
    >>> decide([Policy("run", every)], "ecs:RunTask", family).outcome
    'implicit deny'
    """
    known = _lower_keys(context)

    def applies(statement: _Statement) -> bool:
        return (
            statement.names_action(action)
            and statement.names_resource(resource, known)
            and statement.conditions_hold(known)
        )

    return _decide(policies, applies)


def keys_asked(policies: Iterable[Policy], action: str, resource: str) -> list[str]:
    """
    Return the condition keys that matter to *action* on *resource*: of the statements that name both.

    Examples
    --------
    >>> passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
    ...     "Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}}
    >>> keys_asked([Policy("p", {"Statement": passing})], "iam:PassRole", "arn:aws:iam::123456789012:role/task")
    ['iam:PassedToService']
    >>> keys_asked([Policy("p", {"Statement": passing})], "ecs:RunTask", "*")
    []
    """
    found: list[str] = []
    for statement in _statements(policies):
        if statement.names_action(action):
            try:
                named = statement.names_resource(resource, {})
            except _Unknown:  # a variable without a value: what it is filled with decides
                named = True
            found += statement.keys if named else []
    return list(dict.fromkeys(found))


def decide_trust(document: str | Mapping[str, Any], principal: Principal, context: Context | None = None) -> Decision:
    """
    Judge whether a role's trust policy lets *principal* assume it.

    Notes
    -----
    ``aws:SourceArn`` and ``aws:SourceAccount`` belong in *context* when a service asks on behalf of a resource.
    Source: IAM User Guide, "AWS JSON policy elements: Principal" (verified).

    Examples
    --------
    >>> events = {"Service": "events.amazonaws.com"}
    >>> trust = {"Statement": [{"Effect": "Allow", "Principal": events, "Action": "sts:AssumeRole"}]}
    >>> decide_trust(trust, Principal("Service", "events.amazonaws.com")).outcome
    'allowed'
    >>> decide_trust(trust, Principal("Service", "scheduler.amazonaws.com")).outcome
    'implicit deny'
    """
    known = _lower_keys(context)

    def applies(statement: _Statement) -> bool:
        return (
            statement.names_action("sts:AssumeRole")
            and statement.names_principal(principal)
            and statement.conditions_hold(known)
        )

    return _decide([Policy("trust policy", document)], applies)


def decide_resource(
    policy: Policy, principal: Principal, action: str, resource: str, context: Context | None = None
) -> Decision:
    """
    Judge whether a resource's own *policy* lets *principal* perform *action* on *resource*.

    Notes
    -----
    Source: IAM User Guide, "Identity-based policies and resource-based policies" (verified).

    Examples
    --------
    >>> sending = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
    ...     "Resource": "arn:aws:sqs:us-east-1:123456789012:dead"}
    >>> queue = Policy("queue policy", {"Statement": sending})
    >>> events = Principal("Service", "events.amazonaws.com")
    >>> decide_resource(queue, events, "sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:dead").outcome
    'allowed'
    >>> decide_resource(queue, events, "sqs:SendMessage", "arn:aws:sqs:us-east-1:123456789012:other").outcome
    'implicit deny'
    """
    known = _lower_keys(context)

    def applies(statement: _Statement) -> bool:
        return (
            statement.names_action(action)
            and statement.names_principal(principal)
            and statement.names_resource(resource, known)
            and statement.conditions_hold(known)
        )

    return _decide([policy], applies)


def explain(decision: Decision, caller: str, action: str, resource: str, kind: str = "identity-based policy") -> str:
    """
    Say a denial as AWS says it.

    Notes
    -----
    Source: aws-cdk#30390 and LBHackney-IT/Data-Platform#1818 (implicit), IAM User Guide "Troubleshoot access denied
    error messages" (explicit, and the other kinds of policy).

    Examples
    --------
    >>> explain(Decision("implicit deny"), "arn:aws:iam::123456789012:user/ann", "ecs:RunTask", "arn:x")
    'User: arn:aws:iam::123456789012:user/ann is not authorized to perform: ecs:RunTask on resource: arn:x because no identity-based policy allows the ecs:RunTask action'
    """  # noqa: E501 - the answer is one line
    article = "an" if kind[0] in "aeiou" else "a"
    because = (
        f"with an explicit deny in {article} {kind}"
        if decision.outcome == "explicit deny"
        else f"because no {kind} allows the {action} action"
    )
    return f"User: {caller} is not authorized to perform: {action} on resource: {resource} {because}"


class _Unknown(Exception):
    """Something in a statement that this evaluator does not know."""


def _decide(policies: Iterable[Policy], applies: Callable[[_Statement], bool]) -> Decision:
    unknown: list[str] = []
    allowed_by = ""
    for statement in _statements(policies):
        try:
            applying = applies(statement)
        except _Unknown as what:
            unknown.append(f"{statement.label}: {what}")
            applying = statement.effect == "Deny"
        if applying and statement.effect == "Deny":
            return Decision("explicit deny", statement.label, tuple(unknown))
        if applying and statement.effect == "Allow":
            allowed_by = allowed_by or statement.label
    return Decision("allowed" if allowed_by else "implicit deny", allowed_by, tuple(unknown))


@lru_cache(maxsize=4096)
def _parsed(document: str, name: str) -> tuple[_Statement, ...]:
    return _read(json.loads(document), name)


def _read(document: Mapping[str, Any], name: str) -> tuple[_Statement, ...]:
    variables = document.get("Version") == "2012-10-17"
    return tuple(
        _Statement(f"{name}, statement {body.get('Sid') or number}", body, variables=variables)
        for number, body in enumerate(_listed(document.get("Statement")), start=1)
    )


def _statements(policies: Iterable[Policy]) -> Iterator[_Statement]:
    for policy in policies:
        document, name = policy.document, policy.name
        yield from _parsed(document, name) if isinstance(document, str) else _read(document, name)


@dataclass(frozen=True)
class _Statement:
    label: str
    body: Mapping[str, Any]
    variables: bool  # only a document of Version 2012-10-17 has policy variables

    @property
    def effect(self) -> str:
        return str(self.body.get("Effect", ""))

    def names_action(self, action: str) -> bool:
        if "NotAction" in self.body:
            return not any(_glob(p.lower(), action.lower()) for p in _listed(self.body["NotAction"]))
        return any(_glob(p.lower(), action.lower()) for p in _listed(self.body.get("Action")))

    def names_resource(self, resource: str, context: Context) -> bool:
        if "NotResource" in self.body:
            return not self._names(_listed(self.body["NotResource"]), resource, context)
        return self._names(_listed(self.body.get("Resource")), resource, context)

    def _names(self, patterns: Sequence[str], resource: str, context: Context) -> bool:
        unknown: _Unknown | None = None
        for pattern in patterns:
            try:
                if _glob(self._filled(pattern, context), resource):
                    return True
            except _Unknown as what:  # another pattern of the list may still name the resource
                unknown = what
        if unknown:
            raise unknown
        return False

    def names_principal(self, principal: Principal) -> bool:
        if "NotPrincipal" in self.body:
            return not _principal_in(self.body["NotPrincipal"], principal)
        return _principal_in(self.body.get("Principal", {}), principal)

    def conditions_hold(self, context: Context) -> bool:
        return all(
            _holds(operator, key, [self._filled(_text(v), context) for v in _listed(values)], context)
            for operator, keys in self.body.get("Condition", {}).items()
            for key, values in keys.items()
        )

    @cached_property
    def keys(self) -> list[str]:
        """The keys of its conditions, and those of the variables in its resources and conditions."""
        conditions = self.body.get("Condition", {})
        named = [key for keys in conditions.values() for key in keys]
        texts = json.dumps([self.body.get("Resource"), self.body.get("NotResource"), conditions])
        variables = re.findall(r"\$\{([^}*?$,]+)", texts) if self.variables else []
        return [*named, *(name.strip() for name in variables)]

    def _filled(self, pattern: str, context: Context) -> str:
        if not self.variables or "${" not in pattern:
            return pattern
        return re.sub(r"\$\{([^}]*)\}", lambda found: _variable(found[1], context), pattern)


def _variable(name: str, context: Context) -> str:
    """Return a policy variable's value as literal text: a wildcard inside the value is no wildcard."""
    if name in {"*", "?", "$"}:
        return _literal(name)
    key, _, default = name.partition(",")
    value = context.get(key.strip().lower(), default.strip().strip("'"))
    if not value or not isinstance(value, str):
        raise _Unknown(f"the variable ${{{name}}} has no value")
    return _literal(value)


def _principal_in(listed: str | Mapping[str, Any], principal: Principal) -> bool:
    if listed == "*":
        return True
    if isinstance(listed, str):
        return False
    names = _listed(listed.get(principal.kind))
    if principal.kind != "AWS":
        return principal.name in names
    whole_account = {principal.account, f"arn:aws:iam::{principal.account}:root"} if principal.account else set()
    return bool({"*", principal.name, *principal.also, *whole_account} & set(names))


# Each takes (pattern of the policy, value of the request). A negated operator is "none of the patterns matches".
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": lambda pattern, value: _plain(pattern) == value,
    "stringequalsignorecase": lambda pattern, value: _plain(pattern).lower() == value.lower(),
    "stringlike": lambda pattern, value: _glob(pattern, value),
    "arnequals": lambda pattern, value: _arn_like(pattern, value),
    "arnlike": lambda pattern, value: _arn_like(pattern, value),
    "bool": lambda pattern, value: _plain(pattern).lower() == value.lower(),
}
_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}


def _holds(operator: str, key: str, patterns: Sequence[str], context: Context) -> bool:
    """Say whether one condition holds. Source: IAM User Guide, "Condition operators" and "Multivalued context keys"."""
    values = context.get(key.lower())
    name, quantifier = operator.lower(), ""
    if ":" in name:
        quantifier, _, name = name.partition(":")
    if name == "null":
        return any((p.lower() == "true") == (values is None) for p in patterns)
    optional = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    negated = name in _NEGATED
    compare = _COMPARISONS.get(_NEGATED.get(name, name))
    if compare is None or quantifier not in {"", "forallvalues", "foranyvalue"}:
        raise _Unknown(f"the condition operator {operator}")
    if values is None:
        return optional or quantifier == "forallvalues" or (negated and not quantifier)

    def one(value: str) -> bool:
        return any(compare(pattern, value) for pattern in patterns) != negated

    every = quantifier == "forallvalues" or (negated and not quantifier)
    return (all if every else any)(one(value) for value in _listed(values))


def _arn_like(pattern: str, value: str) -> bool:
    """Compare ARNs part by part. Source: IAM User Guide, "Amazon Resource Name (ARN) condition operators"."""
    if pattern == "*":
        return True
    wanted, given = pattern.split(":", 5), value.split(":", 5)
    return len(wanted) == len(given) == 6 and all(map(_glob, wanted, given))


_ESCAPE = "\x00"  # stands before a character that is meant literally; no ARN has it


def _literal(text: str) -> str:
    return "".join(_ESCAPE + c if c in "*?" else c for c in text)


def _plain(pattern: str) -> str:
    return pattern.replace(_ESCAPE, "")


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    parts = re.findall(f"{_ESCAPE}.|.", pattern, flags=re.DOTALL)
    return re.compile("".join(wild.get(part) or re.escape(_plain(part)) for part in parts), flags=re.DOTALL)


def _glob(pattern: str, value: str) -> bool:
    return _compiled(pattern).fullmatch(value) is not None


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lower_keys(context: Context | None) -> dict[str, str | Sequence[str]]:
    return {key.lower(): value for key, value in (context or {}).items()}
