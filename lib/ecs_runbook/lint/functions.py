"""
Terraform's functions, as far as they are exactly right here; what is not among them is not known.

A function of :data:`OF_KNOWN` is asked only with values that are known all through; one of :data:`OF_SHAPES` may get
lists and objects with references in them, and says itself what it cannot tell.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import re._constants as _codes  # type: ignore[import-not-found]
import re._parser as _regexes  # type: ignore[import-not-found]
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from itertools import accumulate, product
from typing import Any

from ecs_runbook.lint.addresses import is_data, speaks_of
from ecs_runbook.lint.known import (
    SENSITIVE,
    Wrong,
    alike,
    doubt,
    joined,
    json_text,
    text_of,
    to_bool,
    to_number,
    to_string,
    top_doubt,
)
from ecs_runbook.lint.model import Json, Reference, Text, Unknown, Value
from ecs_runbook.lint.numbers import exactly, is_number, number, written
from ecs_runbook.lint.samples import sampled

_LONGEST_LIST = 10_000
_LONGEST_SEARCHED = 2_000
_OPEN = frozenset({"Unknown", "Reference"})
_NEVER_EMPTY = frozenset({"arn", "id", "arn_without_revision"})


def _string(value: Value) -> str:
    told = to_string(value)
    if isinstance(told, str):
        return told
    if isinstance(told, Json):
        return json_text(told.value)
    raise Wrong("a text is needed here")


def _whole(value: Value) -> int:
    told = to_number(value)
    if not isinstance(told, int) or isinstance(told, bool):
        raise Wrong("a whole number is needed here")
    return told


def _list(value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise Wrong("a list is needed here")
    return value


def _object(value: Value) -> dict[str, Value]:
    if not isinstance(value, dict):
        raise Wrong("an object is needed here")
    return value


# ---------------------------------------------------------------------------------------------------------- regexes


# what RE2 and Python read differently, or only one of them reads
_POSIX = {"alnum": "0-9A-Za-z", "alpha": "A-Za-z", "digit": "0-9", "lower": "a-z", "upper": "A-Z"}
_CLASS = re.compile(r"\[:(alnum|alpha|digit|lower|upper):\]")
_NOT_COMMON = re.compile(
    r"\[:(?!(?:alnum|alpha|digit|lower|upper):)\w+:\]|\\[pPQECAzZ0-9xkKRX]|\(\?(?!:|P<|<[A-Za-z]|i\))|\{,"
)


def _regex(pattern: str, text: str) -> re.Pattern[str] | Unknown:
    """Return a pattern of RE2 as Python's, where both mean the same and it cannot take long."""
    doubtful = Unknown(f"the regular expression {pattern!r} is not understood here")
    if len(text) > _LONGEST_SEARCHED or _NOT_COMMON.search(pattern):
        return doubtful
    if "(?i)" in pattern and (not pattern.startswith("(?i)") or not (pattern + text).isascii()):
        return doubtful
    ours = _translated(pattern)
    try:
        parsed = _regexes.parse(ours, re.ASCII)
        compiled = re.compile(ours, re.ASCII)
    except (re.error, RecursionError, OverflowError):
        # what Go's RE2 takes and Python does not is not told from what both refuse
        return doubtful
    return doubtful if len(text) > 20 and _explodes(parsed) else compiled


def _translated(pattern: str) -> str:
    r"""Write RE2's ``$``, ``\s`` and ``(?<name>`` as Python means them."""
    told, at, in_class = [], 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            pair = pattern[at : at + 2]
            space = r"\t\n\f\r "
            told.append(space if pair == r"\s" and in_class else f"[{space}]" if pair == r"\s" else pair)
            if pair == r"\S":
                told[-1] = r"\S" if in_class else f"[^{space}]"
            at += 2
            continue
        if char == "[" and not in_class:
            in_class = True
            # a bracket that stands first is one of the class
            first = re.compile(r"\[\^?\]?").match(pattern, at)
            told.append(first.group() if first else "[")
            at = first.end() if first else at + 1
            continue
        if in_class and (named := _CLASS.match(pattern, at)):
            told.append(_POSIX[named[1]])
            at = named.end()
            continue
        if char == "]":
            in_class = False
        if char == "$" and not in_class:
            told.append(r"\Z")
        elif not in_class and pattern.startswith("(?<", at):
            told.append("(?P<")
            at += 2
        else:
            told.append(r"\[" if char == "[" else char)
        at += 1
    return "".join(told)


def _explodes(parsed: Any, *, repeated: bool = False) -> bool:
    """Return whether something that repeats holds something that repeats or a choice: Python may then take for ever."""
    for code, argument in parsed:
        if code in (_codes.MAX_REPEAT, _codes.MIN_REPEAT):
            many = argument[1] == _codes.MAXREPEAT or argument[1] > 10
            if many and repeated:
                return True
            if _explodes(argument[2], repeated=repeated or many):
                return True
        elif code is _codes.SUBPATTERN:
            if _explodes(argument[3], repeated=repeated):
                return True
        elif code is _codes.BRANCH and (repeated or any(_explodes(one) for one in argument[1])):
            return True
    return False


def _regex_result(found: re.Match[str]) -> Value:
    names = found.re.groupindex
    if names:
        if len(names) != found.re.groups:
            raise Wrong("named and unnamed groups are mixed")
        return {name: found.group(name) for name in names}
    return list(found.groups()) if found.re.groups else found.group()


def _regex_first(pattern: Value, text: Value) -> Value:
    compiled = _regex(_string(pattern), _string(text))
    if isinstance(compiled, Unknown):
        return compiled
    found = compiled.search(_string(text))
    if found is None:
        raise Wrong("the pattern is not found in the text")
    return _regex_result(found)


def _regex_all(pattern: Value, text: Value) -> Value:
    compiled = _regex(_string(pattern), _string(text))
    if isinstance(compiled, Unknown):
        return compiled
    return [_regex_result(found) for found in compiled.finditer(_string(text))]


_EXPANSION = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


def _replace(text: Value, what: Value, by: Value) -> Value:
    text, what, by = _string(text), _string(what), _string(by)
    if not (len(what) > 1 and what.startswith("/") and what.endswith("/")):
        return text.replace(what, by)
    compiled = _regex(what[1:-1], text)
    if isinstance(compiled, Unknown):
        return compiled
    # Go makes no empty match right after a match, and Python does
    if compiled.fullmatch("") is not None or compiled.match("") is not None:
        return Unknown(f"the regular expression {what!r} may match nothing at all, which is not understood here")

    def one(found: re.Match[str]) -> str:
        def expanded(mark: re.Match[str]) -> str:
            name = mark.group(1) or mark.group(2)
            if name is None:
                return "$"
            if name.isdigit():
                return (found.group(int(name)) or "") if int(name) <= found.re.groups else ""
            return (found.group(name) or "") if name in found.re.groupindex else ""

        return _EXPANSION.sub(expanded, by)

    return compiled.sub(one, text)


def _is_revision(part: Any) -> bool:
    return isinstance(part, Reference) and part.attribute == "revision"


# ---------------------------------------------------------------------------------------------------------- strings


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
        for item in _list(one):
            if item is None:
                raise Wrong("join cannot take null")
            pieces += [separator, text_of(item)] if pieces else [text_of(item)]
    return joined(pieces) if pieces else ""


def later_all(reference: Reference) -> Unknown:
    """Return that how many instances there are is not known."""
    return Unknown(f"how many instances {reference.address} has is not known")


def _split(separator: Value, text: Value) -> Value:
    separator, text = _string(separator), _string(text)
    if text == "":
        return [] if separator == "" else [""]
    return list(text) if separator == "" else text.split(separator)


def _substr(text: Value, offset: Value, length: Value) -> Value:
    text, start, count = _string(text), _whole(offset), _whole(length)
    if not text.isascii():
        return Unknown("substr of letters that are not ASCII")
    if start < 0:
        if count == 0:
            return Unknown("no letters from the end on")
        start = max(len(text) + start, 0)
    return text[start:] if count < 0 else text[start : start + count]


def _title(text: Value) -> Value:
    told = _string(text)
    if not told.isascii():
        return Unknown("title of letters that are not ASCII")
    return re.sub(r"(?<![A-Za-z0-9_])[a-z]", lambda found: found.group().upper(), told)


def _chomp(text: Value) -> Value:
    return _string(text).rstrip("\r\n")


def _case(way: Callable[[str], str]) -> Callable[[Value], Value]:
    def of(text: Value) -> Value:
        told = _string(text)
        return way(told) if told.isascii() else Unknown("the case of letters that are not ASCII")

    return of


def _trim(text: Value, chars: Value) -> Value:
    return _string(text).strip(_string(chars) or None) if _string(chars) else _string(text)


# ---------------------------------------------------------------------------------------------------------- numbers


def _most(best: Callable[..., Any]) -> Callable[..., Value]:
    def of(*values: Value) -> Value:
        if values and all(_is_revision(one) for one in values):
            # the idiom of those who let others register revisions: the newest of what is known to both
            managed = [one for one in values if not _is_data(one)]
            return (managed or list(values))[0] if best is max else doubt(list(values))
        unknown = doubt(list(values))
        if unknown is not None:
            return unknown
        if not values:
            raise Wrong("no number is given")
        return number(best(exactly(_number(one)) for one in values))

    return of


def _number(value: Value) -> Any:
    told = to_number(value)
    if not is_number(told):
        raise Wrong("a number is needed here")
    return told


# ------------------------------------------------------------------------------------------------------ collections


def _same(one: Value, other: Value) -> bool | None:
    """Return whether two values are equal for certain, or differ for certain; else None."""
    if _are_two(one, other):
        return False
    if doubt([one, other]) is None:
        return type_name(one) == type_name(other) and one == other
    return True if one == other and not isinstance(one, Unknown) else None


def _are_two(one: Value, other: Value) -> bool:
    """Return whether these are ARNs or ids of two resources: those never are the same. A data source may be either."""
    return (
        isinstance(one, Reference)
        and isinstance(other, Reference)
        and speaks_of(one.address, other.address) is False
        and speaks_of(other.address, one.address) is False
        and {one.attribute, other.attribute} <= _NEVER_EMPTY
        and not _is_data(one)
        and not _is_data(other)
    )


def _is_data(reference: Reference) -> bool:
    return is_data(reference.address)


def type_name(value: Value) -> str:
    """Return the kind of a known value, as far as two of one kind can be equal."""
    if isinstance(value, bool):
        return "bool"
    return "number" if is_number(value) else "string" if isinstance(value, (str, Json, Text)) else type(value).__name__


def _distinct(values: Value) -> Value:
    told: list[Value] = []
    for one in alike(_list(values)):
        same = [_same(one, other) for other in told]
        if True in same:
            continue
        if None in same:
            return doubt(values)
        told.append(one)
    return told


class Set(list[Value]):
    """A set, in the order in which Terraform goes through it; a set of references has none."""


def to_set(values: Value) -> Value:
    """``toset``."""
    told = _distinct(_list(values))
    if isinstance(told, Unknown):
        # some may be one: how many there are is open, what may be in it is not
        is_open = all(isinstance(one, (Reference, Text, str)) for one in values)
        return Set(alike(_list(values))) if is_open else told
    if all(isinstance(one, str) for one in told):
        return Set(sorted(told))
    if all(is_number(one) for one in told):
        return Set(sorted(told, key=exactly))
    is_open = doubt(told) is not None
    return Set(told) if is_open or len(told) < 2 else Unknown("the order of a set of objects")


def _merge(*objects: Value) -> Value:
    told: dict[str, Value] = {}
    for one in objects:
        unknown = top_doubt(one)
        if unknown is not None:
            return unknown
        if one is not None:
            told.update(_object(one))
    return told


def _concat(*lists: Value) -> Value:
    for one in lists:
        unknown = top_doubt(one)
        if unknown is not None:
            return unknown
    return [item for one in lists for item in _list(one)]


def _flatten(values: Value) -> Value:
    told: list[Value] = []
    for one in _list(values):
        unknown = top_doubt(one)
        if unknown is not None:
            if isinstance(one, Reference) and one.attribute in _NEVER_EMPTY:
                told.append(one)  # always one text
                continue
            return unknown
        if isinstance(one, list):
            inside = _flatten(one)
            if not isinstance(inside, list):
                return inside
            told += inside
        else:
            told.append(one)
    return told


def _element(values: Value, at: Value) -> Value:
    told = _list(values)
    if not told:
        raise Wrong("element of an empty list")
    if isinstance(at, (Unknown, Reference, Text)):
        return doubt(at)
    where = _whole(at)
    if isinstance(values, Set):
        raise Wrong("a set has no order")
    if where < 0:
        return Unknown("an element from the end, which not every Terraform takes")
    return told[where % len(told)]


def _lookup(values: Value, key: Value, *default: Value) -> Value:
    if isinstance(key, (Unknown, Reference, Text)):
        return doubt(key)
    told = _object(values)
    if _string(key) in told:
        return told[_string(key)]
    if not default:
        raise Wrong(f"there is no {_string(key)!r} in it")
    return default[0]


def never_empty(value: Value) -> bool:
    """Return whether a value is certainly neither null nor an empty text, whatever it will be."""
    if isinstance(value, Reference):
        return value.attribute in _NEVER_EMPTY
    return isinstance(value, Text) and any(
        (part if isinstance(part, str) else never_empty(part)) for part in value.parts
    )


def _coalesce(*values: Value) -> Value:
    for one in values:
        if isinstance(one, (Unknown, Reference, Text)):
            return one if never_empty(one) else doubt(one)
        if one is not None and one != "":
            kinds = {type_name(other) for other in values if other is not None} - _OPEN
            if len(kinds) > 1 and None in values:
                return Unknown("coalesce of several types and null")
            return one if len(kinds) == 1 else text_of(one) if "string" in kinds else _no_type()  # all get one type
    raise Wrong("coalesce finds nothing that is not empty")


def _no_type() -> Value:
    raise Wrong("these values have no type in common")


def _coalescelist(*lists: Value) -> Value:
    for one in lists:
        unknown = top_doubt(one)
        if unknown is not None:
            return unknown
        if one:
            return one
    raise Wrong("coalescelist finds no list that is not empty")


def _compact(values: Value) -> Value:
    told = []
    for one in _list(values):
        if isinstance(one, (Unknown, Reference, Text)):
            if not never_empty(one):
                return doubt(one)
            told.append(one)
        elif one is not None and one != "":
            told.append(to_string(one))
    return told


def _length(value: Value) -> Value:
    if isinstance(value, (list, dict)):
        return len(value)
    if isinstance(value, Text):
        return doubt(value)
    if not isinstance(value, (str, Json)):
        raise Wrong("length takes a text, a list or an object")
    told = _string(value)
    return len(told) if told.isascii() else Unknown("the length of a text that is not ASCII")


def _contains(values: Value, what: Value) -> Value:
    kinds = {type_name(one) for one in [*_list(values), what] if one is not None} - _OPEN
    if len(kinds) > 1:
        return Unknown("whether a list contains what is of another type")
    found = [_same(one, what) for one in values]
    return True if True in found else doubt([values, what]) if None in found else False


def _index(values: Value, what: Value) -> Value:
    for at, one in enumerate(_list(values)):
        same = _same(one, what)
        if same is None:
            return doubt([values, what])
        if same:
            return at
    raise Wrong("the list does not have it")


def _one(values: Value) -> Value:
    if values == []:
        return None
    if len(_list(values)) > 1:
        raise Wrong("one() of a list with more than one element")
    return values[0]


def _zipmap(keys: Value, values: Value) -> Value:
    if doubt(keys) is not None:
        return doubt(keys)
    if len(_list(keys)) != len(_list(values)):
        raise Wrong("zipmap needs lists of one length")
    return {_string(key): value for key, value in zip(keys, values, strict=True)}


def _slice(values: Value, start: Value, end: Value) -> Value:
    if doubt([start, end]) is not None:
        return doubt([start, end])
    if not 0 <= _whole(start) <= _whole(end) <= len(_list(values)):
        raise Wrong("slice is outside of the list")
    return values[_whole(start) : _whole(end)]


def _range(*values: Value) -> Value:
    told = [_number(one) for one in values]
    if not 1 <= len(told) <= 3:
        raise Wrong("range takes one to three numbers")
    if not all(isinstance(one, int) for one in told):
        return Unknown("range of numbers that are not whole")
    start, end = (0, told[0]) if len(told) == 1 else told[:2]
    step = told[2] if len(told) == 3 else 1 if start <= end else -1
    if step == 0 or len(range(start, end, step)) > 1024:
        raise Wrong("range has more than 1024 steps")
    return list(range(start, end, step))


def _keys(value: Value) -> Value:
    return sorted(_object(value))


def _values(value: Value) -> Value:
    return [one for _, one in sorted(_object(value).items())]


def _sort(values: Value) -> Value:
    return sorted(_string(one) for one in _list(values))


def _setproduct(*lists: Value) -> Value:
    if math.prod(len(_list(one)) for one in lists) > _LONGEST_LIST:
        return Unknown(f"more than {_LONGEST_LIST} combinations")
    if any(isinstance(one, Set) for one in lists):
        return Unknown("the order of combinations of sets")
    return [list(one) for one in product(*map(alike, lists))]


def _sets(way: Callable[[list[Value], list[Value]], list[Value]]) -> Callable[..., Value]:
    def of(first: Value, *others: Value) -> Value:
        told = alike([item for one in (first, *others) for item in _list(one)])
        lengths = [len(one) for one in (first, *others)]
        ends = list(accumulate(lengths))
        shares = [told[end - length : end] for end, length in zip(ends, lengths, strict=True)]
        return to_set(reduce(way, shares))

    return of


def _switch(values: Value, *, every: bool) -> Value:
    told = [to_bool(one) for one in _list(values)]
    if not every:
        return True if True in told else doubt(told) or False
    return False if (False in told or None in told) else doubt(told) or True


def _sum(values: Value) -> Value:
    if not _list(values):
        raise Wrong("sum of an empty list")
    return number(sum((exactly(_number(one)) for one in values), Fraction(0)))


def _map(value: Value) -> Value:
    told = _object(value)
    return dict(zip(told, alike(list(told.values())), strict=True))


def _reverse(values: Value) -> Value:
    return list(reversed(_list(values)))


# --------------------------------------------------------------------------------------------------------- encoding


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
        return base64.b64decode(_string(text), validate=True).decode()
    except ValueError:
        raise Wrong("this is no base64 of a text") from None


def _digest(name: str) -> Callable[[Value], Value]:
    return lambda text: hashlib.new(name, _string(text).encode(), usedforsecurity=False).hexdigest()


def _bytes(text: Value) -> bytes:
    return _string(text).encode()


Function = Callable[..., Value]

OF_KNOWN: Mapping[str, Function] = {
    "base64decode": _base64decode,
    "base64encode": lambda text: base64.b64encode(_bytes(text)).decode(),
    "chomp": _chomp,
    "endswith": lambda text, end: _string(text).endswith(_string(end)),
    "lower": _case(str.lower),
    "md5": _digest("md5"),
    "range": _range,
    "regex": _regex_first,
    "regexall": _regex_all,
    "replace": _replace,
    "sha1": _digest("sha1"),
    "sha256": _digest("sha256"),
    "sort": _sort,
    "split": _split,
    "startswith": lambda text, start: _string(text).startswith(_string(start)),
    "strcontains": lambda text, inside: _string(inside) in _string(text),
    "substr": _substr,
    "sum": _sum,
    "title": _title,
    "trim": _trim,
    "trimprefix": lambda text, start: _string(text).removeprefix(_string(start)),
    "trimsuffix": lambda text, end: _string(text).removesuffix(_string(end)),
    "trimspace": lambda text: _string(text).strip(),
    "upper": _case(str.upper),
    "setintersection": _sets(lambda one, other: [item for item in one if item in other]),
    "setsubtract": _sets(lambda one, other: [item for item in one if item not in other]),
}

OF_SHAPES: Mapping[str, Function] = {
    "alltrue": lambda values: _switch(values, every=True),
    "anytrue": lambda values: _switch(values, every=False),
    "coalesce": _coalesce,
    "coalescelist": _coalescelist,
    "compact": _compact,
    "concat": _concat,
    "contains": _contains,
    "distinct": _distinct,
    "element": _element,
    "flatten": _flatten,
    "format": format_,
    "formatlist": _formatlist,
    "index": _index,
    "join": _join,
    "jsondecode": jsondecode,
    "jsonencode": Json,
    "keys": _keys,
    "length": _length,
    "lookup": _lookup,
    "max": _most(max),
    "merge": _merge,
    "min": _most(min),
    "nonsensitive": lambda value: value,
    "one": _one,
    "reverse": _reverse,
    "sensitive": lambda _: SENSITIVE,
    "setproduct": _setproduct,
    "setunion": _sets(lambda one, other: [*one, *other]),
    "slice": _slice,
    "tobool": to_bool,
    "tolist": lambda values: alike(_list(values)),
    "tomap": _map,
    "tonumber": to_number,
    "toset": to_set,
    "tostring": to_string,
    "values": _values,
    "zipmap": _zipmap,
}

# Those that may be asked of an ARN which is not known yet, and which argument is looked for in another.
_LOOKS_FOR: Mapping[str, int] = {
    "chomp": 1, "endswith": 1, "regex": 0, "regexall": 0, "replace": 1, "split": 0, "startswith": 1, "strcontains": 1,
    "trim": 1, "trimprefix": 1, "trimspace": 1, "trimsuffix": 1,
}  # fmt: skip

# These look at the first value's shape themselves, or take what is not known as it is.
_TAKES_ANYTHING = frozenset(
    {"coalesce", "coalescelist", "concat", "format", "formatlist", "join", "jsonencode", "max", "merge", "min",
     "nonsensitive", "sensitive", "tonumber", "tostring"}
)  # fmt: skip


def call(name: str, arguments: list[Value]) -> Value:
    """
    Return what a function of Terraform gives.

    Raises
    ------
    Wrong
        Terraform would refuse the call.

    Examples
    --------
    >>> call("element", [["a", "b"], 3]), call("upper", [Reference("aws_vpc.a", "id")])
    ('b', Unknown(because='aws_vpc.a.id is known only after apply'))
    """
    if name in OF_KNOWN:
        way = OF_KNOWN[name]
        unknown = doubt(arguments)
        if unknown is not None:
            pattern = _LOOKS_FOR.get(name)
            looked_for = [] if pattern is None else arguments[pattern : pattern + 1]
            told = None if pattern is None else sampled(way, arguments, looked_for)
            return unknown if told is None else told
    elif name in OF_SHAPES:
        way = OF_SHAPES[name]
        if name not in _TAKES_ANYTHING:
            unknown = next((found for found in map(top_doubt, arguments[:1]) if found is not None), None)
            if unknown is not None:
                return unknown
    else:
        return Unknown(f"the function {name} is not worked out here")
    try:
        return way(*arguments)
    except TypeError as error:
        if "argument" in str(error):
            raise Wrong(f"{name} takes another number of values") from None
        return Unknown(f"what {name} gives for these values is not worked out here")
    except (AttributeError, ValueError, OverflowError, KeyError, IndexError):
        return Unknown(f"what {name} gives for these values is not worked out here")
