"""
Texts made of a task definition's ARN, which only AWS will know: a function is worked out on samples of it.

What comes of it is known only where all samples agree, and where nothing is left in it that belongs to a sample alone:
so whatever cuts the revision off is understood, however it is written, and all else stays open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ecs_runbook.lint.addresses import type_of
from ecs_runbook.lint.known import Wrong, joined
from ecs_runbook.lint.model import Json, Reference, Text, Unknown, Value

_PARTS = ("partition", "region", "account", "family", "revision")
# the digits of accounts, Regions and revisions are not each other's, and no letters are in two of them
_SAMPLES: Sequence[Mapping[str, str]] = (
    dict(zip(_PARTS, ("aws", "eu-west-2", "111122223333", "qz-Fam_x", "70"), strict=True)),
    dict(zip(_PARTS, ("aws-cn", "cn-north-1", "444455556666", "QzNight", "8097"), strict=True)),
    dict(zip(_PARTS, ("aws-us-gov", "us-gov-east-1", "123123123123", "zq_9", "988007"), strict=True)),
)
_OF_ITSELF = {
    "arn_without_revision": "arn:{partition}:ecs:{region}:{account}:task-definition/{family}",
    "family": "{family}",
    "revision": "{revision}",
}
# In a pattern: classes, counts, names of groups, and the words that every such ARN has.
_NO_NAME = re.compile(
    r"\\.|\[\^?\]?(?:\[:\w+:\]|[^\]])*\]|\{\d+(?:,\d*)?\}|\(\?(?:P?<\w+>|:)|\b(?:arn|aws|ecs|task-definition)\b",
    re.ASCII,
)


class _Open(Exception):
    """What is asked for cannot be worked out on samples."""


def sampled(way: Callable[..., Value], arguments: Sequence[Value], patterns: Sequence[Value]) -> Value | None:
    """
    Return what *way* gives for arguments with a task definition's ARN in them; None if that stays open.

    Parameters
    ----------
    way
        A function of texts, asked with samples in place of what is not known.
    patterns
        Those of the arguments that are looked for in others: a name in one of them might be that of the family.

    Examples
    --------
    >>> task = "aws_ecs_task_definition.this"
    >>> arn = Text((Reference(task, "arn_without_revision"), ":", Reference(task, "revision")))
    >>> sampled(lambda text: text.rpartition(":")[0], [arn], [])
    Reference(address='aws_ecs_task_definition.this', attribute='arn_without_revision')
    >>> sampled(str.upper, [arn], []) is None
    True
    """
    addresses = {piece.address for one in arguments for piece in _open(one)}
    if len(addresses) != 1 or any(_names_something(one) for one in patterns):
        return None
    address = addresses.pop()
    if type_of(address) != "aws_ecs_task_definition":
        return None
    try:
        results = [way(*[_filled(one, sample) for one in arguments]) for sample in _SAMPLES]
        return _told(results, address)
    except (_Open, Wrong):
        return None


def _open(value: Value) -> list[Reference]:
    """Return the references in an argument; a list or an object has none that can be filled."""
    pieces = value.parts if isinstance(value, Text) else (value,)
    return [piece for piece in pieces if isinstance(piece, Reference)]


def _names_something(pattern: Value) -> bool:
    """Return whether a pattern has letters or digits of its own, which may be those of a name."""
    if not isinstance(pattern, str):
        return isinstance(pattern, Unknown)
    return re.search(r"\w", _NO_NAME.sub("", pattern)) is not None


def _filled(value: Value, sample: Mapping[str, str]) -> Value:
    if isinstance(value, (Unknown, Json)):
        raise _Open
    if not isinstance(value, (Text, Reference)):
        return value
    told = []
    for piece in value.parts if isinstance(value, Text) else (value,):
        if isinstance(piece, Unknown) or (isinstance(piece, Reference) and piece.attribute not in _OF_ITSELF):
            raise _Open
        told.append(piece if isinstance(piece, str) else _OF_ITSELF[piece.attribute].format_map(sample))
    return "".join(told)


def _told(results: Sequence[Any], address: str) -> Value:
    """Return what results of all samples have in common, with references where samples stand."""
    first = results[0]
    if all(isinstance(one, str) for one in results):
        told = [_parts_of(one, sample, address) for one, sample in zip(results, _SAMPLES, strict=True)]
        if any(one != told[0] for one in told):
            raise _Open
        return joined(told[0])
    if all(isinstance(one, list) and len(one) == len(first) for one in results):
        return [_told(each, address) for each in zip(*results, strict=True)]
    if all(isinstance(one, dict) and one.keys() == first.keys() for one in results):
        return {key: _told([one[key] for one in results], address) for key in first}
    if any(type(one) is not type(first) or one != first for one in results) or isinstance(first, (list, dict)):
        raise _Open
    return first


def _parts_of(text: str, sample: Mapping[str, str], address: str) -> list[str | Reference]:
    if text == sample["partition"]:
        return [Reference(address, "arn_without_revision.partition")]
    tokens = {_OF_ITSELF["arn_without_revision"].format_map(sample): [Reference(address, "arn_without_revision")]}
    tokens |= {sample[name]: [Reference(address, name)] for name in ("family", "revision")}
    tokens |= {sample[name]: [Reference(address, f"arn_without_revision.{name}")] for name in ("region", "account")}
    head = f"arn:{sample['partition']}:ecs:"
    told: list[str | Reference] = []
    for piece in re.split("(" + "|".join(map(re.escape, [*tokens, head])) + ")", text):
        if piece == head:
            told += ["arn:", Reference(address, "arn_without_revision.partition"), ":ecs:"]
        else:
            told += tokens.get(piece, [piece])
    return [piece for piece in told if piece != ""]
