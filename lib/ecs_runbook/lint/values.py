"""Values that are not plain: their parts, how they are spelled, and how a person reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from ecs_runbook.lint.model import Json, Reference, Text, Unknown, Value

Part = str | Reference | Unknown

# Marks that stand for a part which only AWS will know; no file holds them.
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARKED = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")


def parts(value: Value) -> tuple[Part, ...]:
    """
    Return the parts of a string value; of anything else, one that is unknown.

    Examples
    --------
    >>> parts(Text(("a:", Reference("aws_vpc.a", "id"))))
    ('a:', Reference(address='aws_vpc.a', attribute='id'))
    """
    if isinstance(value, Text):
        return value.parts
    if isinstance(value, (str, Reference, Unknown)):
        return (value,)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (str(value),)
    return (Unknown("it is not a text"),)


def joined(pieces: Sequence[Part]) -> Value:
    """Return the value that has these parts."""
    merged: list[Part] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        elif piece != "":
            merged.append(piece)
    if not merged:
        return ""
    return merged[0] if len(merged) == 1 else Text(tuple(merged))


def doubt(value: Value) -> str:
    """
    Return why *value* is not known, wherever in it; empty if all of it is.

    Examples
    --------
    >>> doubt([1, {"a": Unknown("var.a has no default")}]), doubt("plain")
    ('var.a has no default', '')
    """
    if isinstance(value, Unknown):
        return value.because or "its value is not known"
    if isinstance(value, Json):
        return doubt(value.value)
    inside: Sequence[Value] = ()
    if isinstance(value, Text):
        inside = value.parts
    elif isinstance(value, Mapping):
        inside = list(value.values())
    elif isinstance(value, (list, tuple)):
        inside = value
    return next((why for why in map(doubt, inside) if why), "")


def as_list(value: Value) -> list[Value]:
    """
    Return one or several as a list, as IAM and blocks have it; None is none.

    Examples
    --------
    >>> as_list("a"), as_list(["a", "b"]), as_list(None)
    (['a'], ['a', 'b'], [])
    """
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def inner(values: Value, name: str) -> list[Value]:
    """Return the nested blocks *name* of a block's values: mappings, or Unknown where one could not be read."""
    return as_list(values.get(name)) if isinstance(values, Mapping) else []


def field_of(values: Value, name: str) -> Value:
    """Return an attribute of a mapping; an empty text is None, as AWS and the provider take it."""
    if isinstance(values, Unknown):
        return values
    value = values.get(name) if isinstance(values, Mapping) else None
    return None if value == "" else value


def boolean(value: Value) -> bool | None:
    """
    Return a switch: a text that Terraform takes for one too; None if it is not known.

    Examples
    --------
    >>> boolean("true"), boolean(False), boolean(Unknown("who knows")), boolean(None)
    (True, False, None, False)
    """
    if value is None:
        return False
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "1": True, "ENABLED": True}.get(value, False)
    return None


def marked(pieces: Sequence[Part]) -> str | None:
    """Return a text in which each reference is a mark that equals only itself; None if a part is unknown."""
    told = []
    for piece in pieces:
        if isinstance(piece, Unknown):
            return None
        told.append(piece if isinstance(piece, str) else f"{_OPEN}{piece.address}.{piece.attribute}{_CLOSE}")
    return "".join(told)


def has_marks(text: str) -> bool:
    """Return whether something in *text* is known to AWS only."""
    return _OPEN in text


def unmarked(text: str) -> str:
    """Return a marked text for a person: ``${aws_vpc.a.id}``."""
    return _MARKED.sub(r"${\1}", text)


def shown(value: Value, module: str = "") -> str:
    """
    Return *value* as a person would have written it, inside of *module*.

    Examples
    --------
    >>> x = "module.job.aws_ecs_task_definition.this"
    >>> arn = Text((Reference(x, "arn_without_revision"), ":", Reference(x, "revision")))
    >>> shown(arn, "module.job"), shown(Text((Reference(x, "arn_without_revision"), ":*")), "module.job")
    ('aws_ecs_task_definition.this.arn', '"${aws_ecs_task_definition.this.arn_without_revision}:*"')
    >>> shown("a"), shown(None), shown(["a", True])
    ('"a"', 'null', '["a", true]')
    """
    if isinstance(value, Reference):
        return _name(value, module)
    if isinstance(value, Unknown):
        return f"(not known: {value.because})"
    if isinstance(value, Text):
        pieces = _arn_again(value.parts)
        if len(pieces) == 1:
            return shown(pieces[0], module)
        return '"' + "".join(_inside(piece, module) for piece in pieces) + '"'
    if isinstance(value, Json):
        return f"jsonencode({shown(value.value, module)})"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(one, module) for one in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {shown(one, module)}" for key, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False, default=str)


def _inside(piece: Part, module: str) -> str:
    return piece if isinstance(piece, str) else "${" + (shown(piece, module) if _known(piece) else "…") + "}"


def _known(piece: Part) -> bool:
    return not isinstance(piece, Unknown)


def _name(reference: Reference, module: str) -> str:
    return f"{reference.address.removeprefix(module + '.') if module else reference.address}.{reference.attribute}"


def _arn_again(pieces: Sequence[Part]) -> list[Part]:
    """Take the parts of a task definition's arn together again."""
    told: list[Part] = []
    for at, piece in enumerate(pieces):
        is_end = isinstance(piece, Reference) and piece.attribute == "revision" and at >= 2 and pieces[at - 1] == ":"
        before = pieces[at - 2] if at >= 2 else None
        if (
            is_end
            and isinstance(piece, Reference)
            and before == Reference(piece.address, "arn_without_revision")
            and told[-2:] == [before, ":"]
        ):
            told[-2:] = [Reference(piece.address, "arn")]
        else:
            told.append(piece)
    return told


def json_of(value: Value) -> Value:
    """
    Return what a JSON text says: of ``jsonencode``, of a plain text, of one with references inside.

    Unknown if it cannot be read. A reference inside a string of it is kept.

    Examples
    --------
    >>> json_of(Text(('{"Resource": "', Reference("aws_iam_role.a", "arn"), '"}')))
    {'Resource': Reference(address='aws_iam_role.a', attribute='arn')}
    """
    if isinstance(value, Json):
        return value.value
    if isinstance(value, Unknown):
        return value
    if not isinstance(value, (str, Text)):
        return Unknown("it is not a JSON text")
    pieces = parts(value)
    if any(isinstance(piece, str) and _OPEN in piece for piece in pieces):
        return Unknown("it holds a character of Unicode's private area")
    text = "".join(piece if isinstance(piece, str) else f"{_OPEN}{at}{_CLOSE}" for at, piece in enumerate(pieces))
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        hole = doubt(value)
        return Unknown(hole or "it is not JSON")
    return _filled(read, pieces)


def _filled(read: Value, pieces: Sequence[Part]) -> Value:
    if isinstance(read, str):
        if _OPEN not in read:
            return read
        cut = re.split(f"{_OPEN}(\\d+){_CLOSE}", read)
        return joined([pieces[int(one)] if at % 2 else one for at, one in enumerate(cut)])
    if isinstance(read, list):
        return [_filled(one, pieces) for one in read]
    if isinstance(read, dict):
        return {key: _filled(one, pieces) for key, one in read.items()}
    return read


def wildcard(pattern: str, text: str, *, fold: bool = False) -> bool:
    """
    Return whether IAM's *pattern* (``*`` any, ``?`` one character) matches the whole of *text*.

    Examples
    --------
    >>> wildcard("nightly:*", "nightly:7"), wildcard("ecs:run*", "ecs:RunTask", fold=True)
    (True, True)
    """
    if "*" not in pattern and "?" not in pattern:
        return pattern == text or (fold and pattern.lower() == text.lower())
    return _compiled(pattern, fold).fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str, fold: bool) -> re.Pattern[str]:
    # several stars in a row are one: what a regex would otherwise take very long for
    tokens = re.sub(r"\*+", "*", pattern)
    told = "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in tokens)
    return re.compile(told, re.DOTALL | (re.IGNORECASE if fold else 0))


def strings(value: Value) -> Iterator[str]:
    """Yield every plain string in *value*."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Json):
        yield from strings(value.value)
    elif isinstance(value, Text):
        yield from (piece for piece in value.parts if isinstance(piece, str))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from strings(one)
