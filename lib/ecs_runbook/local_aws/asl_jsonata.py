"""
States whose query language is JSONata, as far as they need no more of it than paths; pure.

``{% $states.input.name %}``, ``{% $states.result.Tasks[0].TaskArn %}`` and ``{% $states.context.Execution.Name %}`` are
worked out; any other expression fails its state, and says so. Source: AWS docs, Step Functions developer guide,
"Transforming data with JSONata" (verified): Arguments go in, Output comes out, ``$states`` has input, result,
errorOutput and context, and an expression that fails is ``States.QueryEvaluationError``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecs_runbook.local_aws.asl_values import StateFailed

_EXPRESSION = re.compile(r"\{%\s*(.*?)\s*%\}", re.DOTALL)
_PATH = re.compile(r"\$states((?:\.\w+|\[-?\d+\])+)")
_STEP = re.compile(r"\.(\w+)|\[(-?\d+)\]")


def filled(value: Any, states: Mapping[str, Any]) -> Any:
    """
    Return *value* with its expressions worked out.

    Parameters
    ----------
    states
        What ``$states`` is.

    Raises
    ------
    StateFailed
        ``States.QueryEvaluationError``.

    Examples
    --------
    >>> filled({"Name": "{% $states.input.who %}", "Plain": [1, "x"]}, {"input": {"who": "night"}})
    {'Name': 'night', 'Plain': [1, 'x']}
    """
    if isinstance(value, Mapping):
        return {name: filled(part, states) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, states) for part in value]
    found = _EXPRESSION.fullmatch(value) if isinstance(value, str) else None
    return value if found is None else _at(found[1], states)


def _at(expression: str, states: Mapping[str, Any]) -> Any:
    path = _PATH.fullmatch(expression)
    if path is None:
        raise StateFailed("States.QueryEvaluationError", f"The local AWS does not work out the JSONata '{expression}'.")
    node: Any = states
    for name, index in _STEP.findall(path[1]):
        try:
            node = node[name] if name else node[int(index)]
        except (KeyError, IndexError, TypeError):
            told = f"The JSONata expression '{expression}' returned nothing (undefined)."
            raise StateFailed("States.QueryEvaluationError", told) from None
    return node
