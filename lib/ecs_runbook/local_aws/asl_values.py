"""
Values in the Amazon States Language: paths into JSON, templates, and intrinsic functions; pure.

JSONPath as state machines use it: members, indexes, slices, ``[*]``, ``..member`` and filters that compare one member,
``$.Containers[?(@.Name == 'main')].ExitCode``. Source: AWS docs, Step Functions developer guide, "Intrinsic functions
for JSONPath states" and "Using JSONPath paths" (verified), and the Amazon States Language's specification.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import random
import re
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any


class StateFailed(Exception):
    """
    A state failed, with an error's name and its cause.

    Parameters
    ----------
    error
        ``States.TaskFailed``, ``ECS.ServerException``, …
    cause
        Words, or JSON; None where AWS gives none.
    """

    def __init__(self, error: str, cause: str | None = None) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


_MEMBER = r"\.([^\W\d][\w-]*)"
_QUOTED = r"\[\s*'((?:[^'\\]|\\.)*)'\s*\]|\[\s*\"((?:[^\"\\]|\\.)*)\"\s*\]"
_INDEX = r"\[\s*(-?\d+)\s*\]"
_SLICE = r"\[\s*(-?\d*)\s*:\s*(-?\d*)\s*\]"
_EVERY = r"(\[\s*\*\s*\]|\.\*)"
_DEEP = r"\.\.([^\W\d][\w-]*)"
_FILTER = r"\[\?\(\s*@\.([\w.-]+)\s*(?:(==|!=|<=|>=|<|>)\s*('[^']*'|\"[^\"]*\"|[-\w.]+)\s*)?\)\]"
_STEP = re.compile("|".join((_DEEP, _MEMBER, _QUOTED, _INDEX, _SLICE, _EVERY, _FILTER)))
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}


def at_path(path: str, given: Any, context: Mapping[str, Any]) -> Any:
    """
    Return what stands at *path*: of the input if it begins with ``$``, of the context object if with ``$$``.

    Raises
    ------
    StateFailed
        ``States.Runtime`` if nothing stands there, or the path is none.

    Examples
    --------
    >>> task = {"Containers": [{"Name": "log", "ExitCode": 0}, {"Name": "main", "ExitCode": 3}]}
    >>> at_path("$.Containers[0].Name", task, {}), at_path("$.Containers[?(@.Name == 'main')].ExitCode", task, {})
    ('log', [3])
    >>> at_path("$$.Execution.Name", {}, {"Execution": {"Name": "night"}})
    'night'
    """
    root, rest = (context, path[2:]) if path.startswith("$$") else (given, path[1:])
    if not path.startswith("$"):
        raise StateFailed("States.Runtime", f"Invalid path '{path}': it must begin with '$'")
    nodes, definite, position = [root], True, 0
    while position < len(rest):
        step = _STEP.match(rest, position)
        if step is None:
            raise StateFailed("States.Runtime", f"Invalid path '{path}': the local AWS cannot read '{rest[position:]}'")
        position = step.end()
        definite = definite and not _is_indefinite(step)
        nodes = [found for node in nodes for found in _stepped(node, step)]
    if not definite:
        return nodes
    if not nodes:
        whole = json.dumps(root, default=str)
        raise StateFailed("States.Runtime", f"The JSONPath '{path}' could not be found in the input '{whole}'")
    return nodes[0]


def _is_indefinite(step: re.Match[str]) -> bool:
    deep, _, _, _, _, low, _, every, filtered, _, _ = step.groups()
    return any(part is not None for part in (deep, low, every, filtered))


def _stepped(node: Any, step: re.Match[str]) -> Iterator[Any]:
    deep, member, single, double, index, low, high, every, filtered, operator, operand = step.groups()
    name = _name(member, single, double)
    if deep is not None:
        yield from _deep(node, deep)
    elif name is not None:
        if isinstance(node, Mapping) and name in node:
            yield node[name]
    elif index is not None:
        if isinstance(node, list) and -len(node) <= int(index) < len(node):
            yield node[int(index)]
    elif low is not None:
        yield from node[int(low) if low else None : int(high) if high else None] if isinstance(node, list) else []
    elif every is not None:
        yield from node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else []
    else:
        yield from (
            one for one in (node if isinstance(node, list) else []) if _passes(one, filtered, operator, operand)
        )


def _name(member: str | None, single: str | None, double: str | None) -> str | None:
    quoted = single if single is not None else double
    return member if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def _deep(node: Any, name: str) -> Iterator[Any]:
    if isinstance(node, Mapping) and name in node:
        yield node[name]
    for below in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else []:
        yield from _deep(below, name)


def _passes(one: Any, names: str, operator: str | None, operand: str | None) -> bool:
    value = one
    for name in names.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    if operator is None or operand is None:
        return True
    wanted = operand[1:-1] if operand[0] in "'\"" else json.loads(operand)
    try:
        return _COMPARE[operator](value, wanted)
    except TypeError:
        return False


def with_result(path: str | None, given: Any, result: Any) -> Any:
    """
    Return the input *given* with a *result* put at its ResultPath; a ResultPath of null leaves the result out.

    Examples
    --------
    >>> with_result("$.a.b", {"a": {"c": 1}}, 2), with_result(None, {"a": 1}, 2), with_result("$", {"a": 1}, 2)
    ({'a': {'c': 1, 'b': 2}}, {'a': 1}, 2)
    """
    if path is None:
        return given
    steps = _STEP.finditer(path[1:])
    names = [name for step in steps if (name := _name(step[2], step[3], step[4])) is not None]
    if not names:
        return result
    whole = copy.deepcopy(given) if isinstance(given, dict) else {}
    place = whole
    for name in names[:-1]:
        if not isinstance(place.get(name), dict):
            place[name] = {}
        place = place[name]
    place[names[-1]] = result
    return whole


def filled(template: Any, given: Any, context: Mapping[str, Any]) -> Any:
    """
    Fill a payload template: a name that ends in ``.$`` has a path or an intrinsic function for its value.

    Examples
    --------
    >>> filled({"a": 1, "b.$": "$.x", "c": [{"d.$": "States.Format('{}-{}', $.x, 2)"}]}, {"x": "y"}, {})
    {'a': 1, 'b': 'y', 'c': [{'d': 'y-2'}]}
    """
    if isinstance(template, Mapping):
        return {
            name.removesuffix(".$"): worked_out(str(part), given, context)
            if name.endswith(".$")
            else filled(part, given, context)
            for name, part in template.items()
        }
    return [filled(part, given, context) for part in template] if isinstance(template, list) else template


def worked_out(expression: str, given: Any, context: Mapping[str, Any]) -> Any:
    """
    Return the value of a path or an intrinsic function.

    Raises
    ------
    StateFailed
        ``States.Runtime`` for a path that leads nowhere, ``States.IntrinsicFailure`` for a function that fails.

    Examples
    --------
    >>> worked_out("States.MathAdd($.tries, 1)", {"tries": 2}, {})
    3
    >>> worked_out("States.StringToJson($.Cause)", {"Cause": '{"ExitCode": 3}'}, {})
    {'ExitCode': 3}
    """
    if expression.startswith("$"):
        return at_path(expression, given, context)
    reader = _Reader(expression, given, context)
    value = reader.value()
    if reader.rest.strip():
        raise StateFailed("States.Runtime", f"'{expression}' is neither a path nor an intrinsic function")
    return value


class _Reader:
    """Reads and works out one intrinsic function, and those in it."""

    def __init__(self, text: str, given: Any, context: Mapping[str, Any]) -> None:
        self.rest = text
        self._given, self._context = given, context

    def value(self) -> Any:
        """Read one argument, or the whole."""
        self.rest = self.rest.lstrip()
        if self.rest.startswith("'"):
            return self._text()
        if self.rest.startswith("$"):
            return at_path(self._path(), self._given, self._context)
        if (found := self._take(r"States\.(\w+)\s*\(")) is not None:
            return self._called(found[1])
        if (found := self._take(r"(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)")) is not None:
            return json.loads(found[1])
        raise StateFailed("States.Runtime", f"'{self.rest}' is neither a path nor an intrinsic function")

    def _take(self, pattern: str) -> re.Match[str] | None:
        found = re.match(pattern, self.rest)
        if found is not None:
            self.rest = self.rest[found.end() :]
        return found

    def _text(self) -> str:
        found = self._take(r"'((?:[^'\\]|\\.)*)'")
        if found is None:
            raise StateFailed("States.Runtime", f"{self.rest}: a string that does not end")
        return _unescaped(found[1])

    def _path(self) -> str:
        depth, quoted, end = 0, False, 0
        for end, sign in enumerate(self.rest):  # noqa: B007  where it stopped is asked for
            quoted ^= sign == "'"
            depth += (sign in "[(") - (sign in "])") if not quoted else 0
            if not quoted and (depth < 0 or (depth == 0 and sign in ", ")):
                break
        else:
            end = len(self.rest)
        path, self.rest = self.rest[:end].strip(), self.rest[end:]
        return path

    def _called(self, name: str) -> Any:
        arguments = []
        while (self._take(r"\s*\)")) is None:
            arguments.append(self.value())
            if self._take(r"\s*,") is None and not self.rest.lstrip().startswith(")"):
                raise StateFailed("States.Runtime", f"States.{name}: its arguments do not end")
        if name not in _FUNCTIONS:
            raise StateFailed("States.Runtime", f"There is no intrinsic function States.{name}")
        if name == "MathRandom" and len(arguments) == 2:
            arguments.append(_seed(self._context))
        try:
            return _FUNCTIONS[name](*arguments)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise StateFailed("States.IntrinsicFailure", f"States.{name} failed: {error}") from error


def _unescaped(text: str) -> str:
    # A brace that is escaped stays so until States.Format has taken the others.
    return re.sub(r"\\(['\\])", r"\1", text)


def _format(template: str, *values: Any) -> str:
    left = list(values)

    def placed(found: re.Match[str]) -> str:
        if found[0] != "{}":
            return found[0][1:]
        value = left.pop(0)
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))

    text = re.sub(r"\\[{}]|\{\}", placed, template)
    if left:
        message = f"{len(left)} of its arguments have no place in the template"
        raise ValueError(message)
    return text


def _partition(whole: list[Any], size: int) -> list[list[Any]]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def _unique(whole: list[Any]) -> list[Any]:
    return [one for number, one in enumerate(whole) if one not in whole[:number]]


def _range(first: int, last: int, step: int) -> list[int]:
    return list(range(first, last + (1 if step > 0 else -1), step))


def _merge(one: dict[str, Any], other: dict[str, Any], deep: bool) -> dict[str, Any]:
    if deep:
        message = "a deep merge is not supported"
        raise ValueError(message)
    return {**one, **other}


def _seed(context: Mapping[str, Any]) -> int:
    """Return a number that is the same for the same state of the same machine at the same moment, and else another."""
    told = [context.get("StateMachine"), context.get("Execution", {}).get("StartTime"), context.get("State")]
    return zlib.crc32(json.dumps(told, default=str).encode())


def _drawn(low: int, high: int, seed: int | None = None) -> int:
    return random.Random(seed).randrange(low, high)  # noqa: S311  a state machine's number is no secret


_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "Array": lambda *values: list(values),
    "ArrayContains": lambda whole, one: one in whole,
    "ArrayGetItem": lambda whole, index: whole[index],
    "ArrayLength": len,
    "ArrayPartition": _partition,
    "ArrayRange": _range,
    "ArrayUnique": _unique,
    "Base64Decode": lambda text: base64.b64decode(text).decode(),
    "Base64Encode": lambda text: base64.b64encode(text.encode()).decode(),
    "Format": _format,
    "Hash": lambda value, how: hashlib.new(_HASHES[how], str(value).encode()).hexdigest(),
    "JsonMerge": _merge,
    "JsonToString": lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False),
    "MathAdd": lambda one, other: one + other,
    "MathRandom": _drawn,
    "StringSplit": lambda text, signs: [part for part in re.split(f"[{re.escape(signs)}]", text) if part],
    "StringToJson": json.loads,
    "UUID": lambda: str(uuid.uuid4()),
}
