"""Records without their secrets: the values of container environments are never kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_DEEPEST = 40


def without_secrets(told: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *told* without the values of environments, also where they stand in JSON inside a text.

    The word is CloudTrail's own (seen in public issues).

    Examples
    --------
    >>> without_secrets({"environment": [{"name": "TOKEN", "value": "s3cret"}], "input": '{"environment": "s3cret"}'})
    {'environment': [{'name': 'TOKEN', 'value': 'HIDDEN_DUE_TO_SECURITY_REASONS'}],
     'input': '{"environment": "HIDDEN_DUE_TO_SECURITY_REASONS"}'}
    """
    return {str(name): _entry(str(name), value, 0) for name, value in told.items()}


def _entry(name: str, value: Any, depth: int) -> Any:
    return _environment(value) if name.lower() == "environment" else _hidden(value, depth + 1)


def _hidden(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {str(name): _entry(str(name), inner, depth) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner, depth + 1) for inner in value]
    if isinstance(value, str) and "environment" in value.lower():
        return _hidden_text(value, depth)
    return value


def _hidden_text(text: str, depth: int) -> str:
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return text
    try:
        return json.dumps(_hidden(json.loads(text), depth + 1), ensure_ascii=False)
    except (ValueError, RecursionError):
        return HIDDEN  # JSON that was cut off may end in the middle of a value


def _environment(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_variable(entry) for entry in value]
    if isinstance(value, Mapping):
        return dict.fromkeys(map(str, value), HIDDEN)
    return HIDDEN if value else value


def _variable(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return HIDDEN
    return {str(name): inner if str(name).lower() == "name" else HIDDEN for name, inner in entry.items()}
