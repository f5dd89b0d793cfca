"""Policy documents as a configuration writes them: their statements, and what a statement allows on what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ecs_runbook.lint.model import Block, Place, Reference, Unknown, Value
from ecs_runbook.lint.values import (
    as_list,
    doubt,
    has_marks,
    inner,
    json_of,
    wildcard,
)

Match = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Statement:
    """
    One statement of a policy.

    Attributes
    ----------
    effect
        ``Allow`` or ``Deny``; Unknown if it is not known.
    actions, not_actions, resources, not_resources
        As written; a name or several.
    conditions
        Operator, key, values; None where it is not known which there are.
    principals
        Type (``Service``, ``AWS``, ``*``) and who.
    block, path
        Where it is written.
    own
        The policy of AWS's own that it stands in; empty as a rule.
    """

    effect: Value
    actions: Sequence[Value]
    not_actions: Sequence[Value]
    resources: Sequence[Value]
    not_resources: Sequence[Value]
    conditions: Sequence[tuple[str, str, Sequence[Value]]] | None
    principals: Sequence[tuple[str, Sequence[Value]]] | None
    block: Block
    path: tuple[str | int, ...]
    sid: str = ""
    own: str = ""

    @property
    def key(self) -> tuple[Place, str, tuple[str | int, ...]]:
        """What tells it from every other one."""
        return self.place(), self.block.address, self.path

    def place(self, *inside: str | int) -> Place:
        """Return its file and line, or that of something inside of it."""
        return self.block.at(*self.path, *inside)

    def of_resources(self) -> tuple[str | int, ...]:
        """Return the path of its resources."""
        return (*self.path, "resources" if self.block.type == "aws_iam_policy_document" else "Resource")

    def does(self, action: str) -> Match:
        """Return whether it speaks of *action*, by name or by pattern."""
        if self.not_actions:
            names = _among(self.not_actions, action)
            return {"yes": "no", "no": "yes"}.get(names, "unknown")  # type: ignore[return-value]
        return _among(self.actions, action)

    def names(self, service: str, action: str) -> bool:
        """Return whether it names *action* by a pattern that begins with its service, so that it is about that."""
        return any(
            isinstance(one, str) and one.lower().startswith(f"{service}:") and wildcard(one, action, fold=True)
            for one in self.actions
        )

    def allows(self, action: str) -> Match:
        """Return whether it allows *action* on anything."""
        if self.effect == "Deny":
            return "no"
        does = self.does(action)
        return does if self.effect == "Allow" or does == "no" else "unknown"

    def condition(self, key: str) -> tuple[str, Sequence[Value]] | Unknown | None:
        """Return operator and values of the condition on *key*, None if there is none."""
        if self.conditions is None:
            return Unknown("its conditions are not known")
        for operator, name, values in self.conditions:
            if name.lower() == key.lower():
                return operator, values
        return None


def _among(patterns: Sequence[Value], action: str) -> Match:
    if any(isinstance(one, str) and wildcard(one, action, fold=True) for one in patterns):
        return "yes"
    return "no" if all(isinstance(one, str) for one in patterns) else "unknown"


@dataclass(frozen=True)
class Document:
    """The statements of a policy that could be read; *doubts* says why not all could."""

    statements: Sequence[Statement]
    doubts: Sequence[str] = ()


Find = Callable[[str], Sequence[Block]]
"""Blocks by their address."""


def document(value: Value, block: Block, path: tuple[str | int, ...], find: Find, depth: int = 0) -> Document:
    """
    Read a policy that an attribute holds: JSON in any form, or what a policy document's data source is.

    Parameters
    ----------
    value
        The attribute's value.
    block, path
        Where it is written.
    find
        Gives the blocks of an address.
    """
    if depth > 20:
        return Document((), ("it refers to itself",))
    if isinstance(value, Reference):
        blocks = find(value.address)
        read = [_referred(one, value.attribute, find, depth) for one in blocks]
        known = [one for one in read if one is not None]
        if not known or len(known) < len(read):
            return Document((), (f"{value.address}.{value.attribute} is not in sight",))
        return _all(known)
    told = json_of(value)
    if isinstance(told, Unknown):
        return Document((), (told.because,))
    if not isinstance(told, Mapping):
        return Document((), ("it is not a policy",))
    if "Statement" not in told:
        return Document((), (doubt(told) or "it has no Statement",))
    return _statements(told["Statement"], block, (*path, "Statement"))


def _referred(block: Block, attribute: str, find: Find, depth: int) -> Document | None:
    if block.mode == "data" and block.type == "aws_iam_policy_document" and attribute in ("json", "minified_json"):
        return of_data(block, find, depth + 1)
    if block.type in ("aws_iam_policy", "aws_iam_role_policy") and attribute == "policy":
        name = str(block.values.get("arn") or block.values.get("name")).rpartition("/")[2]
        own = of_aws(name, block, ("arn",)) if block.mode == "data" else None
        return own or document(block.values.get("policy"), block, ("policy",), find, depth + 1)
    if block.type == "aws_iam_role" and attribute == "assume_role_policy":
        return document(block.values.get(attribute), block, (attribute,), find, depth + 1)
    return None


EVENTS_ROLE = "AmazonEC2ContainerServiceEventsRole"
_OF_AWS: Mapping[str, Value] = {
    EVENTS_ROLE: [
        {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": "*",
            "Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        },
        {
            "Effect": "Allow",
            "Action": "ecs:TagResource",
            "Resource": "*",
            "Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}},
        },
    ],
    "AdministratorAccess": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
"""What policies of AWS's own allow, by name. Source: ECS developer guide, EventBridge IAM role; IAM user guide."""


def of_aws(name: str, block: Block, path: tuple[str | int, ...]) -> Document | None:
    """Return what a policy of AWS's own allows, placed where it is named; None if that is not known here."""
    if name not in _OF_AWS:
        return None
    read = _statements(_OF_AWS[name], block, path)
    return Document([replace(one, own=name) for one in read.statements])


def _all(documents: Sequence[Document]) -> Document:
    return Document(
        tuple(one for read in documents for one in read.statements),
        tuple(one for read in documents for one in read.doubts),
    )


def of_data(block: Block, find: Find, depth: int = 0) -> Document:
    """Read an ``aws_iam_policy_document`` with what it takes from others; a later Sid replaces an earlier."""
    if not inner(block.values, "statement") and isinstance(block.values.get("json"), str):
        return document(block.values["json"], block, ("json",), find, depth)
    own = Document((), ())
    statements, doubts = [], []
    for at, told in enumerate(inner(block.values, "statement")):
        if isinstance(told, Mapping):
            statements.append(_data_statement(told, block, ("statement", at)))
        else:
            doubts.append(doubt(told) or "a statement could not be read")
    own = Document(statements, doubts)
    before = _others(block, ("source_json", "source_policy_documents"), find, depth)
    after = _others(block, ("override_json", "override_policy_documents"), find, depth)
    return _merged([*before, own, *after])


def _others(block: Block, names: Sequence[str], find: Find, depth: int) -> Iterator[Document]:
    for name in names:
        for at, value in enumerate(as_list(block.values.get(name))):
            if value not in (None, ""):
                yield document(value, block, (name, at), find, depth + 1)


def _merged(documents: Sequence[Document]) -> Document:
    kept: list[Statement] = []
    for one in documents:
        for statement in one.statements:
            if statement.sid:
                kept = [other for other in kept if other.sid != statement.sid]
            kept.append(statement)
    return Document(kept, tuple(why for one in documents for why in one.doubts))


def _data_statement(told: Mapping[str, Value], block: Block, path: tuple[str | int, ...]) -> Statement:
    conditions: list[tuple[str, str, Sequence[Value]]] | None = []
    for one in inner(told, "condition"):
        test, variable = (one.get("test"), one.get("variable")) if isinstance(one, Mapping) else (None, None)
        if conditions is None or not isinstance(test, str) or not isinstance(variable, str):
            conditions = None
        else:
            conditions.append((test, variable, as_list(one.get("values"))))
    principals: list[tuple[str, Sequence[Value]]] | None = []
    for one in inner(told, "principals"):
        kind = one.get("type") if isinstance(one, Mapping) else None
        if principals is None or not isinstance(kind, str):
            principals = None
        else:
            principals.append((kind, as_list(one.get("identifiers"))))
    return Statement(
        told.get("effect") or "Allow",
        as_list(told.get("actions")),
        as_list(told.get("not_actions")),
        as_list(told.get("resources")),
        as_list(told.get("not_resources")),
        conditions,
        principals,
        block,
        path,
        told["sid"] if isinstance(told.get("sid"), str) else "",
    )


def _statements(told: Value, block: Block, path: tuple[str | int, ...]) -> Document:
    statements, doubts = [], []
    single = isinstance(told, Mapping)
    for at, one in enumerate(as_list(told)):
        if isinstance(one, Mapping):
            statements.append(_json_statement(one, block, path if single else (*path, at)))
        else:
            doubts.append(doubt(one) or "a statement could not be read")
    return Document(statements, doubts)


def _json_statement(told: Mapping[str, Value], block: Block, path: tuple[str | int, ...]) -> Statement:
    return Statement(
        told.get("Effect", Unknown("it has no Effect")),
        as_list(told.get("Action")),
        as_list(told.get("NotAction")),
        as_list(told.get("Resource")),
        as_list(told.get("NotResource")),
        _json_conditions(told.get("Condition")),
        _json_principals(told.get("Principal")),
        block,
        path,
    )


def _json_conditions(told: Value) -> list[tuple[str, str, Sequence[Value]]] | None:
    if told is None:
        return []
    if not isinstance(told, Mapping):
        return None
    conditions: list[tuple[str, str, Sequence[Value]]] = []
    for operator, keys in told.items():
        if not isinstance(keys, Mapping):
            return None
        conditions += [(str(operator), str(key), as_list(values)) for key, values in keys.items()]
    return conditions


def _json_principals(told: Value) -> list[tuple[str, Sequence[Value]]] | None:
    if told is None:
        return []
    if told == "*":
        return [("*", ["*"])]
    if not isinstance(told, Mapping):
        return None
    return [(str(kind), as_list(who)) for kind, who in told.items()]


def trusts(read: Document, service: str) -> Match:
    """
    Return whether a trust policy lets *service* assume the role, its conditions aside.

    Parameters
    ----------
    read
        The document of ``assume_role_policy``.
    service
        ``events.amazonaws.com``; one with a Region or a country after the first word is taken for it too.
    """
    doubtful = bool(read.doubts)
    for statement in read.statements:
        allows = statement.allows("sts:AssumeRole")
        if allows == "no":
            continue
        if statement.principals is None or allows == "unknown":
            doubtful = True
            continue
        for kind, who in statement.principals:
            if kind == "*" or (kind in ("Service", "AWS") and "*" in who):
                return "yes"
            if kind == "Service":
                if any(isinstance(one, str) and _same_service(one, service) for one in who):
                    return "yes"
                doubtful = doubtful or any(not isinstance(one, str) for one in who)
    return "unknown" if doubtful else "no"


def _same_service(named: str, service: str) -> bool:
    return named.split(".")[0] == service.split(".")[0] and ".amazonaws.com" in named


def trusted(read: Document) -> list[str]:
    """Return the services that a trust policy names."""
    return [
        one
        for statement in read.statements
        for kind, who in statement.principals or ()
        if kind == "Service"
        for one in who
        if isinstance(one, str)
    ]


# ---------------------------------------------------------------- resources of ecs:RunTask


Covers = Literal["all", "every", "bare", "one", "never", "other", "unknown"]
"""
What a resource of RunTask covers: ``all`` task definitions, ``every`` revision of this family, the ``bare`` family, one
revision of it (``one``), nothing at all (``never``), another thing, or it is not known.
"""

_SAMPLE = "arn:aws:ecs:us-east-1:111122223333:"
_DEFINITIONS = ":task-definition/"
_REVISION = re.compile(r"(?P<family>.*?):(?P<revision>\d+|\ue000[^\ue001]*\.revision\ue001)")


def covers(resource: str | None, family: str | None) -> Covers:
    """
    Return what *resource* covers, both as :func:`~ecs_runbook.lint.values.marked` spells them.

    Parameters
    ----------
    resource
        A resource of a statement; None if it is not known.
    family
        The family that is run, None to judge the resource by itself.

    Examples
    --------
    >>> arn = "arn:aws:ecs:*:*:task-definition/"
    >>> [covers(arn + end, "nightly") for end in ("nightly:*", "nightly*", "nightly", "nightly:7", "other:*", "*")]
    ['every', 'every', 'bare', 'one', 'other', 'all']
    >>> covers("*", None), covers(arn + "nightly", None), covers("arn:aws:ecs:*:*:cluster/default", None)
    ('all', 'bare', 'other')
    """
    if resource is None:
        return "unknown"
    tail = _tail(resource)
    if tail is None:
        if _is_pattern_of_all(resource):
            return "all"
        return "unknown" if has_marks(resource) and not resource.startswith("arn:") else "other"
    if re.fullmatch(r"\*+(:\*+)?", tail):
        return "all"
    if family is None:
        return _by_itself(tail)
    return _of_family(tail, family)


def _tail(resource: str) -> str | None:
    head, found, tail = resource.partition(_DEFINITIONS)
    if not found or not (head.startswith(("arn", "*", "\ue000"))):
        return None
    return tail


def _is_pattern_of_all(resource: str) -> bool:
    if "*" not in resource:
        return False
    samples = (f"{_SAMPLE}task-definition/a:1", f"{_SAMPLE}task-definition/zz-9_Q:123456")
    generic = re.sub("\ue000[^\ue001]*\ue001", "*", resource)
    return all(wildcard(generic, sample) for sample in samples)


def _by_itself(tail: str) -> Covers:
    if _REVISION.fullmatch(tail):
        return "one" if tail.count(":") == _colons_in_marks(tail) + 1 else "never"
    if ":" in tail:
        return "every" if tail.endswith("*") and tail.count(":") == 1 else "unknown"
    if tail.endswith(("*", "?")):
        return "every"
    return "bare"


def _colons_in_marks(text: str) -> int:
    return sum(found.count(":") for found in re.findall("\ue000[^\ue001]*\ue001", text))


def _of_family(tail: str, family: str) -> Covers:
    if wildcard(tail, f"{family}:7") and wildcard(tail, f"{family}:123456"):
        return "every"
    if wildcard(tail, family):
        return "bare"
    if found := _REVISION.match(tail):
        if not wildcard(found["family"], family):
            return _another(found["family"], family)
        return "one" if found.end() == len(tail) else "never"
    return _another(tail.partition(":")[0], family)


def _another(pattern: str, family: str) -> Covers:
    if pattern == family:
        return "unknown"
    return "unknown" if has_marks(pattern) or has_marks(family) else "other"


# ---------------------------------------------------------------- resources of iam:PassRole


def passes(resource: str | None, role: str) -> Match:
    """
    Return whether a resource of PassRole matches *role*, both as marked texts.

    Examples
    --------
    >>> passes("*", "arn:aws:iam::111122223333:role/a"), passes("arn:aws:iam::*:role/a-*", "arn:aws:iam:::role/a-task")
    ('yes', 'yes')
    >>> passes("arn:aws:iam::111122223333:role/b", "arn:aws:iam::111122223333:role/a")
    'no'
    """
    if resource is None:
        return "unknown"
    if resource == role or re.fullmatch(r"\*+", resource):
        return "yes"
    mine, theirs = _role_tail(resource), _role_tail(role)
    if mine is not None and theirs is not None:
        if wildcard(mine, theirs):
            return "yes"
        return "unknown" if has_marks(mine) or has_marks(theirs) else "no"
    if theirs is not None and "*" in resource and not has_marks(resource):
        return "yes" if wildcard(resource, f"arn:aws:iam::111122223333:role/{theirs}") else "no"
    if has_marks(resource) or has_marks(role):
        return "unknown"
    return "no"


def _role_tail(arn: str) -> str | None:
    _, found, tail = arn.partition(":role/")
    return tail if found else None


# ---------------------------------------------------------------- resources of ecs:TagResource on a task


def on_tasks(resource: str | None) -> Match:
    """
    Return whether a resource can match a task.

    Examples
    --------
    >>> on_tasks("*"), on_tasks("arn:aws:ecs:*:*:task/default/*"), on_tasks("arn:aws:ecs:*:*:task-definition/a:*")
    ('yes', 'yes', 'no')
    """
    if resource is None:
        return "unknown"
    if ":task/" in resource:
        return "yes"
    generic = re.sub("\ue000[^\ue001]*\ue001", "*", resource)
    if any(
        wildcard(generic, f"{_SAMPLE}{task}") for task in ("task/default/0123456789abcdef", "task/0123456789abcdef")
    ):
        return "yes" if not has_marks(resource) else "unknown"
    return "no" if resource.startswith("arn:") else "unknown" if has_marks(resource) else "no"
