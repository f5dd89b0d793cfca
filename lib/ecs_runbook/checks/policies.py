"""
What a trust policy or a queue's policy lets a service do, where not every condition key's value is known.

The answer is ``yes``, ``no`` or ``unknown``: a key whose value is not known, an operator or a variable that is not
understood never makes a yes or a no. Source: IAM User Guide, "Policy evaluation logic", "Condition operators".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ecs_runbook.lint.policies import Match
from ecs_runbook.lint.values import wildcard

Context = Mapping[str, Sequence[str | None]]
"""
Each condition key, in lower case, with the values that it may have; None for its absence. Of a key that is not named
here nothing is known.
"""

_ABSENT: tuple[str | None, ...] = (None,)
_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
}
_POSITIVE = {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "bool"}


def lets(
    document: Mapping[str, Any],
    service: str,
    action: str,
    *,
    resource: str = "",
    context: Context | None = None,
    arn: str = "",
) -> Match:
    """
    Return whether a resource's own policy lets *service* perform *action*.

    Parameters
    ----------
    document
        The trust policy of a role, or the policy of a queue.
    service
        ``events.amazonaws.com``; one with a Region after the first word is taken for it too. ``""`` for none.
    action
        ``sts:AssumeRole``, ``sqs:SendMessage``.
    resource
        ARN that the statements' resources must match; ``""`` for a trust policy, which has none.
    context
        The condition keys of the request.
    arn
        ARN of the principal if it is a role, and no service.

    Examples
    --------
    >>> events = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    >>> lets({"Statement": events}, "events.amazonaws.com", "sts:AssumeRole")
    'yes'
    >>> only = {"Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}}
    >>> other = {"aws:sourceaccount": ["444455556666"]}
    >>> lets({"Statement": events | only}, "events.amazonaws.com", "sts:AssumeRole", context=other)
    'no'
    >>> lets({"Statement": events | only}, "events.amazonaws.com", "sts:AssumeRole", context={})
    'unknown'
    """
    asked = (document, service, arn, action, resource, context or {})
    denied, allowed = _any_applies("Deny", *asked), _any_applies("Allow", *asked)
    if allowed == "no" or denied == "yes":
        return "no"
    return "yes" if (allowed, denied) == ("yes", "no") else "unknown"


def denies(
    document: Mapping[str, Any],
    service: str,
    action: str,
    *,
    resource: str = "",
    context: Context | None = None,
    arn: str = "",
) -> bool:
    """
    Say whether a Deny of a resource's own policy surely applies, whatever else allows; parameters as of :func:`lets`.

    Examples
    --------
    >>> told = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    >>> denies({"Statement": told}, "events.amazonaws.com", "sqs:SendMessage")
    True
    >>> insecure = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    >>> secure = {"aws:securetransport": ["true"]}
    >>> denies({"Statement": told | insecure}, "events.amazonaws.com", "sqs:SendMessage", context=secure)
    False
    """
    return _any_applies("Deny", document, service, arn, action, resource, context or {}) == "yes"


def conditions_that_fail(
    document: Mapping[str, Any], service: str, action: str, *, context: Context, arn: str = ""
) -> list[str]:
    """
    Return what keeps statements from applying that are about *service* and *action*: ``<key> is <values>``.

    Examples
    --------
    >>> told = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:*",
    ...         "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:111122223333:rule/other"}}}
    >>> conditions_that_fail({"Statement": told}, "events.amazonaws.com", "sqs:SendMessage",
    ...     context={"aws:sourcearn": ["arn:aws:events:eu-west-1:111122223333:rule/nightly"]})
    ['aws:SourceArn is arn:aws:events:eu-west-1:111122223333:rule/other']
    """
    failing = []
    for statement in _statements(document):
        if statement.get("Effect") != "Allow":
            continue
        if "no" in (_names_principal(statement, service, arn), _names_action(statement, action)):
            continue
        failing += [
            f"{key} is {'not ' if 'not' in operator.lower() else ''}{' or '.join(map(str, values))}"
            for operator, key, values in _conditions(statement)
            if _holds(operator, values, context.get(key.lower())) == "no"
        ]
    return list(dict.fromkeys(failing))


def services_named(document: Mapping[str, Any]) -> list[str]:
    """Return the services that the policy's allowing statements name."""
    return [
        str(one)
        for statement in _statements(document)
        if statement.get("Effect") == "Allow"
        for one in _listed(_principals(statement).get("Service"))
    ]


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in _listed(document.get("Statement")) if isinstance(one, Mapping)]


def _any_applies(
    effect: str, document: Mapping[str, Any], service: str, arn: str, action: str, resource: str, context: Context
) -> Match:
    """Say whether any statement of *effect* applies."""
    own = [one for one in _statements(document) if one.get("Effect") == effect]
    answers = {_applies(one, service, arn, action, resource, context) for one in own}
    return "yes" if "yes" in answers else "unknown" if "unknown" in answers else "no"


def _applies(
    statement: Mapping[str, Any], service: str, arn: str, action: str, resource: str, context: Context
) -> Match:
    parts = [_names_principal(statement, service, arn), _names_action(statement, action)]
    parts += [_names_resource(statement, resource)] if resource else []
    parts += [_holds(operator, values, context.get(key.lower())) for operator, key, values in _conditions(statement)]
    return _all(parts)


def _all(parts: Iterable[Match]) -> Match:
    seen = set(parts)
    return "no" if "no" in seen else "unknown" if "unknown" in seen else "yes"


# -------- who, what, on what


def _principals(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    told = statement.get("Principal")
    return told if isinstance(told, Mapping) else {}


def _names_principal(statement: Mapping[str, Any], service: str, arn: str) -> Match:
    if "NotPrincipal" in statement:
        return "unknown"
    if statement.get("Principal") == "*":
        return "yes"
    told = _principals(statement)
    identities = [str(one) for one in _listed(told.get("AWS"))]
    if "*" in identities:
        return "yes"
    if arn:
        return "yes" if arn in identities else "no"
    return "yes" if any(_same_service(str(one), service) for one in _listed(told.get("Service"))) else "no"


def _same_service(named: str, service: str) -> bool:
    """Say whether *named* is *service*, perhaps with a Region or China's ending: ``states.eu-west-1.amazonaws.com``."""
    return named == service or (
        named.split(".")[0] == service.split(".")[0] and ".amazonaws.com" in named and named.count(".") <= 4
    )


def _names_action(statement: Mapping[str, Any], action: str) -> Match:
    if "NotAction" in statement:
        return "no" if _any_matches(statement["NotAction"], action, fold=True) else "yes"
    return "yes" if _any_matches(statement.get("Action"), action, fold=True) else "no"


def _names_resource(statement: Mapping[str, Any], resource: str) -> Match:
    patterns = [str(one) for one in _listed(statement.get("Resource", statement.get("NotResource")))]
    if any("${" in one for one in patterns):
        return "unknown"
    matches = _any_matches(patterns, resource)
    return "yes" if matches != ("NotResource" in statement) else "no"


def _any_matches(patterns: object, text: str, *, fold: bool = False) -> bool:
    return any(wildcard(str(one), text, fold=fold) for one in _listed(patterns))


# -------- conditions


def _conditions(statement: Mapping[str, Any]) -> list[tuple[str, str, list[Any]]]:
    told = statement.get("Condition")
    found = []
    for operator, keys in (told if isinstance(told, Mapping) else {}).items():
        found += [(str(operator), str(key), _listed(values)) for key, values in _mapping(keys).items()]
    return found


def _holds(operator: str, patterns: Sequence[Any], values: Sequence[str | None] | None) -> Match:
    """Say whether a condition holds: ``unknown`` unless it does for every value that the key may have, or for none."""
    if values is None:
        return "unknown"
    answers = {_holds_for(operator, patterns, value) for value in values}
    return answers.pop() if len(answers) == 1 else "unknown"


def _holds_for(operator: str, patterns: Sequence[Any], value: str | None) -> Match:
    name = operator.lower()
    quantifier, colon, rest = name.partition(":")
    name = rest if colon else name
    if name == "null":
        return _yes(any((str(one).lower() == "true") == (value is None) for one in patterns))
    optional, name = name.endswith("ifexists"), name.removesuffix("ifexists")
    negated, positive = name in _NEGATED, _NEGATED.get(name, name)
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in patterns]
    if positive not in _POSITIVE or any("${" in one for one in texts):
        return "unknown"
    if value is None:
        return _yes(optional or quantifier == "forallvalues" or negated)
    return _yes(any(_compare(positive, one, value) for one in texts) != negated)


def _compare(operator: str, pattern: str, value: str) -> bool:
    match operator:
        case "stringequals":
            return pattern == value
        case "stringequalsignorecase" | "bool":
            return pattern.lower() == value.lower()
        case "stringlike":
            return wildcard(pattern, value)
    wanted, given = pattern.split(":", 5), value.split(":", 5)
    return pattern == "*" or (len(wanted) == len(given) == 6 and all(map(wildcard, wanted, given)))


def _yes(answer: bool) -> Match:
    return "yes" if answer else "no"


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
