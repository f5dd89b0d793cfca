"""Terraform's functions of texts, and what encodes and decodes them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ecs_runbook.lint.known import (
    Wrong,
    a_list,
    a_text,
    a_whole_number,
    doubt,
    joined,
    json_text,
    text_of,
    to_bool,
    to_number,
    top_doubt,
)
from ecs_runbook.lint.model import Json, Reference, Text, Unknown, Value
from ecs_runbook.lint.numbers import is_number, number, written

_VERB = re.compile(r"%(?:%|(?:\[(\d+)\])?([-+ #0]*)(\d+)?(?:\.(\d+))?([a-zA-Z]))")


def format_(spec: Value, *values: Value) -> Value:
    """``format``: the verbs s, d, v, f, t, q and x; a reference is kept where it stands alone."""
    if not isinstance(spec, str):
        return doubt(spec) or Unknown("format needs a text")
    pieces: list[Any] = []
    at, after, used = 0, 0, set()
    for found in _VERB.finditer(spec):
        index, flags, width, precision, verb = found.groups()
        pieces.append(spec[after : found.start()])
        after = found.end()
        if "%" in pieces[-1]:
            raise Wrong(f"the format {spec!r} has a verb that is none")
        if verb is None:
            pieces.append("%")
            continue
        at = int(index) if index else at + 1
        if not 0 < at <= len(values):
            raise Wrong(f"the format {spec!r} needs more values")
        used.add(at)
        pieces.append(_formatted(verb, flags, width, precision, values[at - 1]))
    if "%" in spec[after:]:
        raise Wrong(f"the format {spec!r} has a verb that is none")
    if len(used) < len(values):
        raise Wrong(f"the format {spec!r} needs fewer values")
    return joined([*pieces, spec[after:]])


def _formatted(verb: str, flags: str, width: str | None, precision: str | None, value: Value) -> Any:
    plain = not flags and width is None and precision is None
    if isinstance(value, Unknown):
        return value
    if isinstance(value, (Reference, Text)):
        return value if plain and verb in "sdv" else Unknown(f"%{verb} of what is known only after apply")
    if value is None:
        return Unknown("null in a format")
    if verb == "v" and isinstance(value, (list, dict)) and plain:
        return doubt(value) or json_text(value)
    if verb in "sv" or (verb == "d" and plain):
        if verb == "d":
            whole = to_number(value)
            if not isinstance(whole, int):
                return Unknown("%d of a number that is not whole")
            value = whole
        told = text_of(value)
        if not isinstance(told, str):
            return told
        if precision is not None:
            told = told[: int(precision)]
        return _padded(told, flags, width)
    return _formatted_number(verb, flags, width, precision, value)


def _padded(text: str, flags: str, width: str | None) -> Any:
    if width is None:
        return text if set(flags) <= {"-"} else Unknown(f"the flags {flags!r} are not understood here")
    if set(flags) - {"-"}:
        return Unknown(f"the flags {flags!r} are not understood here")
    return text.ljust(int(width)) if "-" in flags else text.rjust(int(width))


def _formatted_number(verb: str, flags: str, width: str | None, precision: str | None, value: Value) -> Any:
    if int(width or 0) > 1000:
        return Unknown("a width of more than a thousand")
    if verb == "t":
        return _padded(str(text_of(to_bool(value))), flags, width)
    if verb == "q" and isinstance(value, str) and not flags and value.isascii() and value.isprintable():
        return json.dumps(value)
    told: Any = to_number(value) if verb in "dxXobf" else None
    if verb in "dxXob" and isinstance(told, int) and set(flags) <= {"-", "0", "+"} and precision is None:
        return format(
            told, f"{'<' if '-' in flags else ''}{'+' if '+' in flags else ''}{_zero(flags)}{width or ''}{verb}"
        )
    if verb == "f" and is_number(told) and set(flags) <= {"-", "0"} and int(precision or 0) < 30:
        spec = f"{'<' if '-' in flags else ''}{_zero(flags)}{width or ''}.{precision or 6}f"
        digits = written(told)
        return Unknown("a number without an end") if digits is None else format(Decimal(digits), spec)
    return Unknown(f"%{flags}{verb} is not understood here")


def _zero(flags: str) -> str:
    return "0" if "0" in flags and "-" not in flags else ""


def _formatlist(spec: Value, *values: Value) -> Value:
    lengths = {len(one) for one in values if isinstance(one, list)}
    if not lengths:
        return [format_(spec, *values)]
    if len(lengths) > 1:
        raise Wrong("formatlist needs lists of one length")
    return [
        format_(spec, *[one[at] if isinstance(one, list) else one for one in values]) for at in range(lengths.pop())
    ]


def _join(separator: Value, *lists: Value) -> Value:
    if not isinstance(separator, str):
        return doubt(separator) or Unknown("join needs a text")
    pieces: list[Any] = []
    for one in lists:
        if isinstance(one, Reference) and one.attribute.startswith("*"):
            return later_all(one)
        shape = top_doubt(one)
        if shape is not None:
            return shape
        for item in a_list(one):
            if item is None:
                raise Wrong("join cannot take null")
            pieces += [separator, text_of(item)] if pieces else [text_of(item)]
    return joined(pieces) if pieces else ""


def later_all(reference: Reference) -> Unknown:
    """Return that how many instances there are is not known."""
    return Unknown(f"how many instances {reference.address} has is not known")


def _split(separator: Value, text: Value) -> Value:
    separator, text = a_text(separator), a_text(text)
    if text == "":
        return [] if separator == "" else [""]
    return list(text) if separator == "" else text.split(separator)


def _substr(text: Value, offset: Value, length: Value) -> Value:
    text, start, count = a_text(text), a_whole_number(offset), a_whole_number(length)
    if not text.isascii():
        return Unknown("substr of letters that are not ASCII")
    if start < 0:
        if count == 0:
            return Unknown("no letters from the end on")
        start = max(len(text) + start, 0)
    return text[start:] if count < 0 else text[start : start + count]


def _title(text: Value) -> Value:
    told = a_text(text)
    if not told.isascii():
        return Unknown("title of letters that are not ASCII")
    return re.sub(r"(?<![A-Za-z0-9_])[a-z]", lambda found: found.group().upper(), told)


def _chomp(text: Value) -> Value:
    return a_text(text).rstrip("\r\n")


def _case(way: Callable[[str], str]) -> Callable[[Value], Value]:
    def of(text: Value) -> Value:
        told = a_text(text)
        return way(told) if told.isascii() else Unknown("the case of letters that are not ASCII")

    return of


def _trim(text: Value, chars: Value) -> Value:
    return a_text(text).strip(a_text(chars) or None) if a_text(chars) else a_text(text)


def jsondecode(text: Value) -> Value:
    """``jsondecode``: of what was encoded here too."""
    if isinstance(text, Json):
        return text.value
    if not isinstance(text, str):
        return doubt(text) or Unknown("jsondecode needs a text")
    try:
        return json.loads(text, parse_float=lambda told: number(Fraction(told)), parse_constant=_no_constant)
    except (ValueError, RecursionError, OverflowError):
        raise Wrong("this is not JSON") from None


def _no_constant(_: str) -> Value:
    raise ValueError


def _base64decode(text: Value) -> Value:
    try:
        return base64.b64decode(a_text(text), validate=True).decode()
    except ValueError:
        raise Wrong("this is no base64 of a text") from None


def _digest(name: str) -> Callable[[Value], Value]:
    return lambda text: hashlib.new(name, a_text(text).encode(), usedforsecurity=False).hexdigest()


def _bytes(text: Value) -> bytes:
    return a_text(text).encode()


OF_KNOWN: Mapping[str, Callable[..., Value]] = {
    "base64decode": _base64decode,
    "base64encode": lambda text: base64.b64encode(_bytes(text)).decode(),
    "chomp": _chomp,
    "endswith": lambda text, end: a_text(text).endswith(a_text(end)),
    "lower": _case(str.lower),
    "md5": _digest("md5"),
    "sha1": _digest("sha1"),
    "sha256": _digest("sha256"),
    "split": _split,
    "startswith": lambda text, start: a_text(text).startswith(a_text(start)),
    "strcontains": lambda text, inside: a_text(inside) in a_text(text),
    "substr": _substr,
    "title": _title,
    "trim": _trim,
    "trimprefix": lambda text, start: a_text(text).removeprefix(a_text(start)),
    "trimsuffix": lambda text, end: a_text(text).removesuffix(a_text(end)),
    "trimspace": lambda text: a_text(text).strip(),
    "upper": _case(str.upper),
}
"""By name; asked with values that are known all through."""

OF_SHAPES: Mapping[str, Callable[..., Value]] = {
    "format": format_,
    "formatlist": _formatlist,
    "join": _join,
    "jsondecode": jsondecode,
    "jsonencode": Json,
}
"""By name; what they get may have references in it."""
