"""Which values are known, and how Terraform turns one kind into another."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ecs_runbook.lint.model import Json, Reference, Text, Unknown, Value
from ecs_runbook.lint.numbers import is_number, number, written

# an exponent of many digits would be a number of many more
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")

SENSITIVE = Unknown("it is sensitive")


class Wrong(Exception):
    """Terraform would refuse this expression; ``try`` and ``can`` look at nothing else."""

    def __init__(self, because: str) -> None:
        super().__init__(because)
        self.because = because


def later(reference: Reference) -> Unknown:
    """Return that a reference is not known yet, as something that cannot be gone on with."""
    return Unknown(f"{reference.address}.{reference.attribute} is known only after apply".replace(". is", " is"))


def doubt(value: Value) -> Unknown | None:
    """
    Return the first of what is not known in *value*, wherever in it; None if all of it is.

    Examples
    --------
    >>> doubt([1, Reference("aws_vpc.a", "id")])
    Unknown(because='aws_vpc.a.id is known only after apply')
    """
    if isinstance(value, Unknown):
        return value
    if isinstance(value, Reference):
        return later(value)
    if isinstance(value, Json):
        return doubt(value.value)
    inside: Sequence[Any] = ()
    if isinstance(value, Text):
        inside = value.parts
    elif isinstance(value, Mapping):
        inside = list(value.values())
    elif isinstance(value, list):
        inside = value
    for one in inside:
        found = doubt(one)
        if found is not None:
            return found
    return None


def top_doubt(value: Value) -> Unknown | None:
    """Return why not even the shape of *value* is known; None if it is: what is in a list may be open."""
    if isinstance(value, Unknown):
        return value
    if isinstance(value, Reference):
        return later(value)
    return None


def text_of(value: Value) -> str | Text | Reference | Unknown:
    r"""
    Return a value as Terraform puts it into a string.

    Raises
    ------
    Wrong
        It is null, a list or an object.

    Examples
    --------
    >>> text_of(True), text_of(1.5), text_of(Json({"b": 1, "a": "<"}))
    ('true', '1.5', '{"a":"\\u003c","b":1}')
    """
    if isinstance(value, (str, Text, Reference, Unknown)):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(value):
        told = written(value)
        return Unknown("a number without an end was put into a text") if told is None else told
    if isinstance(value, Json):
        return doubt(value.value) or json_text(value.value)
    raise Wrong("null cannot be put into a text" if value is None else "a list or an object cannot be put into a text")


def json_text(value: Value) -> str:
    r"""
    Return what Terraform's ``jsonencode`` makes of a known value: keys in order, no space, ``<>&`` escaped.

    Examples
    --------
    >>> json_text({"b": 1e-7, "a": [None, "<"]})
    '{"a":[null,"\\u003c"],"b":0.0000001}'
    """
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_text(key)}:{json_text(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    if is_number(value):
        return written(value) or repr(float(value))
    text = json.dumps(json_text(value.value) if isinstance(value, Json) else value, ensure_ascii=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def joined(pieces: Sequence[Any]) -> Value:
    """
    Return the text that these parts make, one after another.

    Examples
    --------
    >>> joined(["a", "b", Reference("aws_vpc.a", "id")])
    Text(parts=('ab', Reference(address='aws_vpc.a', attribute='id')))
    """
    flat: list[Any] = []
    for piece in pieces:
        for part in piece.parts if isinstance(piece, Text) else (piece,):
            if isinstance(part, str) and flat and isinstance(flat[-1], str):
                flat[-1] += part
            elif part != "":
                flat.append(part)
    if all(isinstance(part, str) for part in flat):
        return "".join(flat)
    # an Unknown alone stays one: nothing else is known of it either
    return flat[0] if len(flat) == 1 else Text(tuple(flat))


def to_string(value: Value) -> Value:
    """Convert to a string as ``tostring`` does; null stays null."""
    return None if value is None else value if isinstance(value, Json) else text_of(value)


def to_number(value: Value) -> Value:
    """Convert to a number as ``tonumber`` does."""
    if value is None or is_number(value) or isinstance(value, (Unknown, Reference)):
        return value
    if isinstance(value, Json):
        return doubt(value.value) or to_number(json_text(value.value))
    if isinstance(value, str):
        if _NUMBER.fullmatch(value) is None:
            raise Wrong(f"{value!r} is no number")
        return number(Fraction(value))
    if isinstance(value, Text):
        return doubt(value)
    raise Wrong("this is no number")


def to_bool(value: Value) -> Value:
    """Convert to a bool as ``tobool`` does."""
    if value is None or isinstance(value, (bool, Unknown)):
        return value
    if isinstance(value, Reference):
        return later(value)
    if isinstance(value, str) and value in ("true", "false", "1", "0"):
        return value in ("true", "1")
    if isinstance(value, Text):
        return doubt(value)
    raise Wrong("this is neither true nor false")


def unified(chosen: Value, other: Value) -> Value:
    """
    Return *chosen* as it comes out of a conditional beside *other*: both get one type.

    Examples
    --------
    >>> unified(1, "a"), unified([1, 2], ["a"]), unified({"a": True}, {})
    ('1', ['1', '2'], {'a': True})
    """
    if _is_plain(chosen) and _is_plain(other):
        return text_of(chosen) if _kind(chosen) != _kind(other) else chosen
    if isinstance(chosen, dict) and isinstance(other, dict):
        if chosen.keys() == other.keys():
            return {key: unified(one, other[key]) for key, one in chosen.items()}
        return dict(zip(chosen, _alike(list(chosen.values()), list(other.values())), strict=True))
    if type(chosen) is list and type(other) is list:
        if len(chosen) == len(other):
            return [unified(one, beside) for one, beside in zip(chosen, other, strict=True)]
        return _alike(chosen, other)
    return chosen


def alike(values: list[Value]) -> list[Value]:
    """Return the elements of a list with one type: strings, if numbers or bools stand among strings."""
    return _alike(values, [])


def _alike(values: list[Value], others: list[Value]) -> list[Value]:
    kinds = {_kind(one) for one in [*values, *others] if _is_plain(one)}
    if len(kinds) < 2:
        return values
    if kinds == {"bool", "number"}:
        raise Wrong("a number and true or false have no type in common")
    return [text_of(one) if _is_plain(one) else one for one in values]


def _is_plain(value: Value) -> bool:
    return isinstance(value, (str, bool, int, float, Fraction, Text, Json))


def _kind(value: Value) -> str:
    return "bool" if isinstance(value, bool) else "number" if is_number(value) else "string"


def exported(value: Value) -> Value:
    """Return a value as the model has it: no fraction in it."""
    if isinstance(value, Fraction):
        return float(value)
    if isinstance(value, Json):
        return Json(exported(value.value))
    if isinstance(value, dict):
        return {key: exported(one) for key, one in value.items()}
    if isinstance(value, list):
        return [exported(one) for one in value]
    return value


def a_text(value: Value) -> str:
    """Return what a function takes as a text."""
    told = to_string(value)
    if isinstance(told, str):
        return told
    if isinstance(told, Json):
        return json_text(told.value)
    raise Wrong("a text is needed here")


def a_whole_number(value: Value) -> int:
    """Return what a function takes as a whole number."""
    told = to_number(value)
    if not isinstance(told, int) or isinstance(told, bool):
        raise Wrong("a whole number is needed here")
    return told


def a_list(value: Value) -> list[Value]:
    """Return what a function takes as a list."""
    if not isinstance(value, list):
        raise Wrong("a list is needed here")
    return value


def an_object(value: Value) -> dict[str, Value]:
    """Return what a function takes as an object."""
    if not isinstance(value, dict):
        raise Wrong("an object is needed here")
    return value
