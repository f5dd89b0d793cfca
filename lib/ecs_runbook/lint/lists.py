"""Terraform's functions of lists, sets, objects and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from itertools import accumulate, product
from typing import Any

from ecs_runbook.lint.addresses import is_data, speaks_of
from ecs_runbook.lint.known import (
    Wrong,
    a_list,
    a_text,
    a_whole_number,
    alike,
    an_object,
    doubt,
    text_of,
    to_bool,
    to_number,
    to_string,
    top_doubt,
)
from ecs_runbook.lint.model import Json, Reference, Text, Unknown, Value
from ecs_runbook.lint.numbers import exactly, is_number, number

_LONGEST_LIST = 10_000
_OPEN = frozenset({"Unknown", "Reference"})
_NEVER_EMPTY = frozenset({"arn", "id", "arn_without_revision"})


def _is_revision(part: Any) -> bool:
    return isinstance(part, Reference) and part.attribute == "revision"


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
    for one in alike(a_list(values)):
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
    told = _distinct(a_list(values))
    if isinstance(told, Unknown):
        # some may be one: how many there are is open, what may be in it is not
        is_open = all(isinstance(one, (Reference, Text, str)) for one in values)
        return Set(alike(a_list(values))) if is_open else told
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
            told.update(an_object(one))
    return told


def _concat(*lists: Value) -> Value:
    for one in lists:
        unknown = top_doubt(one)
        if unknown is not None:
            return unknown
    return [item for one in lists for item in a_list(one)]


def _flatten(values: Value) -> Value:
    told: list[Value] = []
    for one in a_list(values):
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
    told = a_list(values)
    if not told:
        raise Wrong("element of an empty list")
    if isinstance(at, (Unknown, Reference, Text)):
        return doubt(at)
    where = a_whole_number(at)
    if isinstance(values, Set):
        raise Wrong("a set has no order")
    if where < 0:
        return Unknown("an element from the end, which not every Terraform takes")
    return told[where % len(told)]


def _lookup(values: Value, key: Value, *default: Value) -> Value:
    if isinstance(key, (Unknown, Reference, Text)):
        return doubt(key)
    told = an_object(values)
    if a_text(key) in told:
        return told[a_text(key)]
    if not default:
        raise Wrong(f"there is no {a_text(key)!r} in it")
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
    for one in a_list(values):
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
    told = a_text(value)
    return len(told) if told.isascii() else Unknown("the length of a text that is not ASCII")


def _contains(values: Value, what: Value) -> Value:
    kinds = {type_name(one) for one in [*a_list(values), what] if one is not None} - _OPEN
    if len(kinds) > 1:
        return Unknown("whether a list contains what is of another type")
    found = [_same(one, what) for one in values]
    return True if True in found else doubt([values, what]) if None in found else False


def _index(values: Value, what: Value) -> Value:
    for at, one in enumerate(a_list(values)):
        same = _same(one, what)
        if same is None:
            return doubt([values, what])
        if same:
            return at
    raise Wrong("the list does not have it")


def _one(values: Value) -> Value:
    if values == []:
        return None
    if len(a_list(values)) > 1:
        raise Wrong("one() of a list with more than one element")
    return values[0]


def _zipmap(keys: Value, values: Value) -> Value:
    if doubt(keys) is not None:
        return doubt(keys)
    if len(a_list(keys)) != len(a_list(values)):
        raise Wrong("zipmap needs lists of one length")
    return {a_text(key): value for key, value in zip(keys, values, strict=True)}


def _slice(values: Value, start: Value, end: Value) -> Value:
    if doubt([start, end]) is not None:
        return doubt([start, end])
    if not 0 <= a_whole_number(start) <= a_whole_number(end) <= len(a_list(values)):
        raise Wrong("slice is outside of the list")
    return values[a_whole_number(start) : a_whole_number(end)]


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
    return sorted(an_object(value))


def _values(value: Value) -> Value:
    return [one for _, one in sorted(an_object(value).items())]


def _sort(values: Value) -> Value:
    return sorted(a_text(one) for one in a_list(values))


def _setproduct(*lists: Value) -> Value:
    if math.prod(len(a_list(one)) for one in lists) > _LONGEST_LIST:
        return Unknown(f"more than {_LONGEST_LIST} combinations")
    if any(isinstance(one, Set) for one in lists):
        return Unknown("the order of combinations of sets")
    return [list(one) for one in product(*map(alike, lists))]


def _sets(way: Callable[[list[Value], list[Value]], list[Value]]) -> Callable[..., Value]:
    def of(first: Value, *others: Value) -> Value:
        told = alike([item for one in (first, *others) for item in a_list(one)])
        lengths = [len(one) for one in (first, *others)]
        ends = list(accumulate(lengths))
        shares = [told[end - length : end] for end, length in zip(ends, lengths, strict=True)]
        return to_set(reduce(way, shares))

    return of


def _switch(values: Value, *, every: bool) -> Value:
    told = [to_bool(one) for one in a_list(values)]
    if not every:
        return True if True in told else doubt(told) or False
    return False if (False in told or None in told) else doubt(told) or True


def _sum(values: Value) -> Value:
    if not a_list(values):
        raise Wrong("sum of an empty list")
    return number(sum((exactly(_number(one)) for one in values), Fraction(0)))


def _map(value: Value) -> Value:
    told = an_object(value)
    return dict(zip(told, alike(list(told.values())), strict=True))


def _reverse(values: Value) -> Value:
    return list(reversed(a_list(values)))


OF_KNOWN: Mapping[str, Callable[..., Value]] = {
    "range": _range,
    "setintersection": _sets(lambda one, other: [item for item in one if item in other]),
    "setsubtract": _sets(lambda one, other: [item for item in one if item not in other]),
    "sort": _sort,
    "sum": _sum,
}
"""By name; asked with values that are known all through."""

OF_SHAPES: Mapping[str, Callable[..., Value]] = {
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
    "index": _index,
    "keys": _keys,
    "length": _length,
    "lookup": _lookup,
    "max": _most(max),
    "merge": _merge,
    "min": _most(min),
    "one": _one,
    "reverse": _reverse,
    "setproduct": _setproduct,
    "setunion": _sets(lambda one, other: [*one, *other]),
    "slice": _slice,
    "tolist": lambda values: alike(a_list(values)),
    "tomap": _map,
    "toset": to_set,
    "values": _values,
    "zipmap": _zipmap,
}
"""By name; what they get may have references in it."""
