"""What stands in a file, before anything is looked up: expressions, bodies and blocks, each with its line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

Node = Any
"""One of the expressions below."""


class Literal(NamedTuple):
    """A number, a string without a template in it, true, false or null."""

    value: Any


class Name(NamedTuple):
    """The first step of a name: ``var``, ``local``, ``aws_iam_role``, or what a for-expression binds."""

    name: str


class Attribute(NamedTuple):
    """``of.name``."""

    of: Node
    name: str


class Index(NamedTuple):
    """``of[key]``, and ``of.0``."""

    of: Node
    key: Node


class Splat(NamedTuple):
    """``of[*]`` or ``of.*``, and the steps that are taken in each: a name or an expression."""

    of: Node
    steps: tuple[Node, ...]


class Call(NamedTuple):
    """``name(arguments…)``; *spread* if the last one is followed by an ellipsis."""

    name: str
    arguments: tuple[Node, ...]
    spread: bool = False


class If(NamedTuple):
    """``test ? yes : no``."""

    test: Node
    yes: Node
    no: Node


class Binary(NamedTuple):
    """``left operator right``."""

    operator: str
    left: Node
    right: Node


class Unary(NamedTuple):
    """``-of`` and ``!of``."""

    operator: str
    of: Node


class Item(NamedTuple):
    """One element of a list or an object: its key, if it has one, its value and its line."""

    key: Node | None
    value: Node
    line: int


class List(NamedTuple):
    """``[…]``."""

    items: tuple[Item, ...]


class Object(NamedTuple):
    """``{…}``."""

    items: tuple[Item, ...]


class For(NamedTuple):
    """``[for …]`` without *made_key*, else ``{for …}``; *grouped* if the value is followed by an ellipsis."""

    key: str
    value: str
    over: Node
    made_key: Node | None
    made: Node
    condition: Node | None
    grouped: bool = False


class Template(NamedTuple):
    """A string with something in it: its parts, one after another; of a heredoc, the line that its text begins in."""

    parts: tuple[Node, ...]
    line: int = 0


class TemplateIf(NamedTuple):
    """``%{ if }`` … ``%{ else }`` … ``%{ endif }``."""

    test: Node
    yes: tuple[Node, ...]
    no: tuple[Node, ...]


class TemplateFor(NamedTuple):
    """``%{ for }`` … ``%{ endfor }``."""

    key: str
    value: str
    over: Node
    parts: tuple[Node, ...]


class Unread(NamedTuple):
    """What is left alone, and why."""

    because: str


class Written(NamedTuple):
    """An attribute: its expression, the file and the line."""

    value: Node
    file: str
    line: int


@dataclass(slots=True)
class Body:
    """Attributes by name, and blocks."""

    attributes: dict[str, Written] = field(default_factory=dict)
    blocks: list[RawBlock] = field(default_factory=list)


@dataclass(slots=True)
class RawBlock:
    """A block as it is written."""

    type: str
    labels: tuple[str, ...]
    body: Body
    file: str
    line: int
    end: int


@dataclass(slots=True)
class RawFile:
    """One file: what it says, its comments as (line, text), and (line, why) where it could not be read."""

    file: str
    body: Body = field(default_factory=Body)
    comments: list[tuple[int, str]] = field(default_factory=list)
    broken: tuple[int, str] | None = None


def spelled(node: Node) -> str:
    """
    Return a plain name as it is written; empty if it is anything else.

    Examples
    --------
    >>> spelled(Attribute(Index(Name("ecs_target"), Literal(0)), "task_definition_arn"))
    'ecs_target[0].task_definition_arn'
    """
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Attribute):
        return f"{spelled(node.of)}.{node.name}" if spelled(node.of) else ""
    if isinstance(node, Index) and isinstance(node.key, Literal):
        key = f'"{node.key.value}"' if isinstance(node.key.value, str) else node.key.value
        return f"{spelled(node.of)}[{key}]" if spelled(node.of) else ""
    if isinstance(node, Literal) and isinstance(node.value, str):
        return node.value
    return ""


def mentions(node: Any, names: frozenset[str]) -> bool:
    """
    Return whether one of these first steps occurs anywhere in an expression, a body or a block.

    Examples
    --------
    >>> mentions(List((Item(None, Attribute(Name("each"), "key"), 1),)), frozenset({"each", "count"}))
    True
    """
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Name):
            if one.name in names:
                return True
        elif isinstance(one, Body):
            waiting += one.attributes.values()
            waiting += one.blocks
        elif isinstance(one, RawBlock):
            waiting.append(one.body)
        elif isinstance(one, tuple):
            waiting += one
    return False
