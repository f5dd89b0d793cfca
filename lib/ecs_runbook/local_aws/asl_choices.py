"""The rules of a Choice state. Source: AWS docs, Step Functions developer guide, "Choice workflow state" (verified)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from ecs_runbook.local_aws.asl_values import StateFailed, at_path

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda a, b: a == b,
    "LessThan": lambda a, b: a < b,
    "GreaterThan": lambda a, b: a > b,
    "LessThanEquals": lambda a, b: a <= b,
    "GreaterThanEquals": lambda a, b: a >= b,
}


def chosen(state: Mapping[str, Any], given: Any, context: Mapping[str, Any]) -> str:
    """
    Return the name of the next state.

    Raises
    ------
    StateFailed
        ``States.NoChoiceMatched`` if no rule is true and there is no Default; ``States.Runtime`` if a variable that is
        compared is not there.

    Examples
    --------
    >>> again = {"Variable": "$.code", "NumericEquals": 3, "Next": "Again"}
    >>> chosen({"Choices": [again], "Default": "Stop"}, {"code": 3}, {})
    'Again'
    >>> chosen({"Choices": [{"Not": again, "Next": "Stop"}]}, {"code": 1}, {})
    'Stop'
    """
    for rule in state.get("Choices") or []:
        if _is_true(rule, given, context):
            return str(rule["Next"])
    if "Default" not in state:
        raise StateFailed("States.NoChoiceMatched", "No choice rule matched, and there is no Default.")
    return str(state["Default"])


def _is_true(rule: Mapping[str, Any], given: Any, context: Mapping[str, Any]) -> bool:
    if "And" in rule:
        return all(_is_true(one, given, context) for one in rule["And"])
    if "Or" in rule:
        return any(_is_true(one, given, context) for one in rule["Or"])
    if "Not" in rule:
        return not _is_true(rule["Not"], given, context)
    (name,) = set(rule) - {"Variable", "Next", "Comment", "Assign", "Output"}
    path, wanted = str(rule["Variable"]), rule[name]
    try:
        value = at_path(path, given, context)
    except StateFailed as failed:
        if name == "IsPresent":
            return not wanted
        told = f"Invalid path '{path}': The choice state's condition path references an invalid value."
        raise StateFailed("States.Runtime", told) from failed
    if name.startswith("Is"):
        return _is(name, value) is bool(wanted)
    if name.endswith("Path"):
        name, wanted = name.removesuffix("Path"), at_path(str(wanted), given, context)
    return _compared(name, value, wanted)


def _is(name: str, value: Any) -> bool:
    if name == "IsTimestamp":
        return _moment(value) is not None
    if name == "IsNumeric":
        return isinstance(value, int | float) and not isinstance(value, bool)
    kinds: Mapping[str, type] = {"IsPresent": object, "IsNull": type(None), "IsString": str, "IsBoolean": bool}
    return isinstance(value, kinds[name])


def _compared(name: str, value: Any, wanted: Any) -> bool:
    """Compare two values of the kind that the comparison's name begins with; of other kinds nothing is true."""
    kind, order = next((k, name.removeprefix(k)) for k in ("String", "Numeric", "Boolean", "Timestamp") if k in name)
    if kind == "Timestamp":
        value, wanted = _moment(value), _moment(wanted)
        if value is None or wanted is None:
            return False
    elif not all(_is(f"Is{kind}", one) for one in (value, wanted)):
        return False
    if order == "Matches":
        return re.fullmatch(_glob(wanted), value, re.DOTALL) is not None
    return _ORDER[order](value, wanted)


def _glob(pattern: str) -> str:
    """Return a pattern of stars, of which a backslash makes one plain."""
    parts = re.findall(r"\\.|\*|[^\\*]+", pattern)
    return "".join(".*" if part == "*" else re.escape(part[1:] if part[0] == "\\" else part) for part in parts)


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
