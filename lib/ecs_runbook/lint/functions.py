"""
Terraform's functions, as far as they are exactly right here; what is not among them is not known.

A function of :data:`OF_KNOWN` is asked only with values that are known all through, or with samples of an ARN; one of
:data:`OF_SHAPES` may get lists and objects with references in them, and says itself what it cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ecs_runbook.lint import lists, regexes, texts
from ecs_runbook.lint.known import SENSITIVE, Wrong, doubt, to_bool, to_number, to_string, top_doubt
from ecs_runbook.lint.model import Unknown, Value
from ecs_runbook.lint.samples import sampled

OF_KNOWN: Mapping[str, Callable[..., Value]] = {**regexes.OF_KNOWN, **texts.OF_KNOWN, **lists.OF_KNOWN}
OF_SHAPES: Mapping[str, Callable[..., Value]] = {
    **texts.OF_SHAPES,
    **lists.OF_SHAPES,
    "nonsensitive": lambda value: value,
    "sensitive": lambda _: SENSITIVE,
    "tobool": to_bool,
    "tonumber": to_number,
    "tostring": to_string,
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
    >>> from ecs_runbook.lint.model import Reference
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
