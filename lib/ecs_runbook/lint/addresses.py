"""Addresses of resources: their modules, their type, and the keys of ``count`` and ``for_each``."""

from __future__ import annotations

import json
import re

_KEY = r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]'
_KEYS = re.compile(_KEY)
_STEP = re.compile(rf"([^.\[]+)({_KEY})?")


def keyed(address: str, key: str | int) -> str:
    """
    Return the address of one instance.

    Examples
    --------
    >>> keyed("aws_ecs_task_definition.job", "nightly"), keyed("module.job", 0)
    ('aws_ecs_task_definition.job["nightly"]', 'module.job[0]')
    """
    return f"{address}[{json.dumps(key, ensure_ascii=False)}]"


def plain(text: str) -> str:
    """
    Return an address, or a text with addresses in it, without keys.

    Examples
    --------
    >>> plain('module.a["x.y"].aws_vpc.b[0]')
    'module.a.aws_vpc.b'
    """
    return _KEYS.sub("", text) if "[" in text else text


def steps_of(address: str) -> list[tuple[str, str]]:
    """
    Return the steps of an address, each with its key, which is empty where there is none.

    Examples
    --------
    >>> steps_of('module.a["x.y"].aws_vpc.b')
    [('module', ''), ('a', '["x.y"]'), ('aws_vpc', ''), ('b', '')]
    """
    return [(found[1], found[2] or "") for found in _STEP.finditer(address)]


def module_of(address: str) -> str:
    """
    Return the modules of an address.

    Examples
    --------
    >>> module_of('module.a[0].module.b.data.aws_vpc.x'), module_of("aws_vpc.x")
    ('module.a[0].module.b', '')
    """
    steps = steps_of(address)
    at = 0
    while at + 1 < len(steps) and steps[at][0] == "module":
        at += 2
    return ".".join(name + key for name, key in steps[:at])


def own(address: str) -> str:
    """
    Return an address without its modules.

    Examples
    --------
    >>> own("module.a.data.aws_vpc.x"), own("aws_vpc.x")
    ('data.aws_vpc.x', 'aws_vpc.x')
    """
    module = module_of(address)
    return address[len(module) + 1 :] if module else address


def type_of(address: str) -> str:
    """
    Return the type of a resource or of a data source.

    Examples
    --------
    >>> type_of("module.a.data.aws_vpc.x"), type_of("aws_vpc.x[0]")
    ('aws_vpc', 'aws_vpc')
    """
    return own(address).removeprefix("data.").partition(".")[0]


def is_data(address: str) -> bool:
    """Return whether it is that of a data source."""
    return own(address).startswith("data.")


def speaks_of(reference: str, block: str) -> bool | None:
    """
    Return whether *reference* means *block*; None if it is one of several, and which one is not known.

    A block without a key stands for all its instances, since these differ in nothing, or are not known.

    Examples
    --------
    >>> speaks_of('aws_vpc.a["x"]', 'aws_vpc.a["x"]'), speaks_of('aws_vpc.a["x"]', "aws_vpc.a")
    (True, True)
    >>> speaks_of("aws_vpc.a", 'aws_vpc.a["x"]'), speaks_of("aws_vpc.a[0]", "aws_vpc.a[1]")
    (None, False)
    """
    if reference == block:
        return True
    if plain(reference) != plain(block):
        return False
    said: list[bool | None] = [
        True if not key or asked == key else False if asked else None
        for (_, asked), (_, key) in zip(steps_of(reference), steps_of(block), strict=True)
    ]
    return False if False in said else None if None in said else True
