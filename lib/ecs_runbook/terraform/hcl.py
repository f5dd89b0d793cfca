"""Write HCL: values that can never become code, in the form that ``terraform fmt`` would give them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ecs_runbook.errors import SpecError

Value = Any
"""None, bool, int, float, str, :class:`Code`, :class:`Call`, and lists and mappings of these."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_KEYWORDS = frozenset({"for", "null", "true", "false", "if", "in"})
_LINE = 100  # a longer list stands on lines of its own
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TEMPLATE = re.compile(r"(\$+|%+)\{")
_HARMLESS = re.compile(r'[^}"\\\x00-\x1f]*\}')


class Code(str):
    """An expression, written as it is: a reference to a module's output. Never made from a value of a person."""

    __slots__ = ()


@dataclass(frozen=True)
class Call:
    """
    A function of Terraform's with a value for its argument.

    Examples
    --------
    >>> print(document(block("locals", {"input": Call("jsonencode", {"cpu": "256"})})), end="")
    locals {
      input = jsonencode({
        cpu = "256"
      })
    }
    """

    function: str
    argument: Any


@dataclass(frozen=True)
class Block:
    """A block: its words, and what it holds; a blank line stands between two parts. Made by :func:`block`."""

    kind: str
    labels: tuple[str, ...]
    parts: tuple[Mapping[str, Value] | Block, ...]


def block(kind: str, *inside: str | Mapping[str, Value] | Block) -> Block:
    """
    Return a block of *kind*.

    Parameters
    ----------
    kind
        Its first word.
    inside
        Its labels, then its parts; an empty mapping is left out.

    Examples
    --------
    >>> print(document(block("provider", "aws", {"region": "eu-west-2", "max_retries": 2})), end="")
    provider "aws" {
      region      = "eu-west-2"
      max_retries = 2
    }
    """
    labels = tuple(part for part in inside if isinstance(part, str))
    return Block(kind, labels, tuple(part for part in inside if not isinstance(part, str) and part))


def document(*blocks: Block, comment: str = "") -> str:
    """
    Return the text of a file.

    Parameters
    ----------
    blocks
        What stands in it.
    comment
        Lines above the first block. Not for values of a person.

    Raises
    ------
    SpecError
        If a text holds half a character, which no file can hold.
    """
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    texts = ["\n".join(_block(block, 0)) + "\n" for block in blocks]
    return "\n".join([*filter(None, [head]), *texts])


def text(value: str) -> str:
    r"""
    Return *value* as a quoted string in which nothing is code.

    Notes
    -----
    Terraform normalises text to Unicode's form NFC when it reads it; nothing that is written here can prevent that.

    Raises
    ------
    SpecError
        If it holds half a character (a lone surrogate), which no file can hold.

    Examples
    --------
    >>> print(text('say "${var.name}"'))
    "say \"$${var.name}\""
    >>> print(text("%{ if true }"), text("a\nb"))
    "%%{ if true }" "a\nb"
    """
    written, at = [], 0
    for found in _TEMPLATE.finditer(value):
        marks = found.group(1)
        written += [*map(_character, value[at : found.start()]), _disarmed(marks, value[found.end() :]), "{"]
        at = found.end()
    return '"' + "".join([*written, *map(_character, value[at:])]) + '"'


def _disarmed(marks: str, after: str) -> str:
    """
    Return dollars or percent signs before a brace so that they begin no template.

    A person doubles a single one. Where there are more of them, or what follows is not plain up to a closing brace,
    they are written as numbers: Terraform reads `$$${` and an open `$${"` rightly, but other readers of HCL do not.
    """
    if len(marks) == 1 and _HARMLESS.match(after):
        return marks * 2
    return "".join(_numbered(ord(mark)) for mark in marks)


def _character(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character == " " or character.isprintable():
        return character
    number = ord(character)
    if 0xD800 <= number <= 0xDFFF:
        raise SpecError(f"A text holds half a character, U+{number:04X}, which no file can hold.", hint="Take it out.")
    return _numbered(number)


def _key(name: str) -> str:
    if _NAME.fullmatch(name) and name not in _KEYWORDS:
        return name
    # `fmt` aligns by what a person would count as characters; in ASCII that is their number
    return re.sub(r"[^\x00-\x7f]", lambda found: _numbered(ord(found.group())), text(name))


def _numbered(number: int) -> str:
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def _block(block: Block, depth: int) -> Iterator[str]:
    margin = "  " * depth
    header = " ".join([block.kind, *map(text, block.labels)])
    if not block.parts:
        yield f"{margin}{header} {{}}"
        return
    yield f"{margin}{header} {{"
    for at, part in enumerate(block.parts):
        if at:
            yield ""
        yield from _block(part, depth + 1) if isinstance(part, Block) else _attributes(part, depth + 1)
    yield f"{margin}}}"


def _attributes(attributes: Mapping[str, Value], depth: int) -> Iterator[str]:
    """Give the lines of *attributes*: the equals signs of neighbouring one-line values stand below each other."""
    margin = "  " * depth
    written = [(_key(name), _value(value, depth)) for name, value in attributes.items()]
    for one_line, neighbours in groupby(written, key=lambda pair: len(pair[1]) == 1):
        group = list(neighbours)
        width = max(len(name) for name, _ in group) if one_line else 0
        for name, lines in group:
            yield f"{margin}{name:<{width}} = {lines[0]}"
            yield from lines[1:]


def _value(value: Value, depth: int) -> list[str]:
    """Return the lines of *value*, the first without a margin."""
    if isinstance(value, Call):
        lines = _value(value.argument, depth)
        lines[0] = f"{value.function}({lines[0]}"
        return [*lines[:-1], f"{lines[-1]})"]
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _list(value, depth)
    return [_scalar(value)]


def _scalar(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    raise SpecError(f"{value!r} has no form in HCL.", hint="Text, numbers, true, false, null, lists and mappings have.")


def _mapping(value: Mapping[str, Value], depth: int) -> list[str]:
    if not value:
        return ["{}"]
    return ["{", *_attributes(dict(sorted(value.items())), depth + 1), "  " * depth + "}"]


def _list(value: Sequence[Value], depth: int) -> list[str]:
    items = [_value(item, depth + 1) for item in value]
    if all(len(lines) == 1 for lines in items):
        line = "[" + ", ".join(lines[0] for lines in items) + "]"
        if len(line) <= _LINE:
            return [line]
    margin = "  " * (depth + 1)
    lines = ["["]
    for item in items:
        lines += [margin + item[0], *item[1:]]
        lines[-1] += ","
    return [*lines, "  " * depth + "]"]
