"""Terraform's type constraints: what a variable makes of the value that it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ecs_runbook.lint import syntax
from ecs_runbook.lint.known import Wrong, to_bool, to_number, to_string
from ecs_runbook.lint.lists import to_set
from ecs_runbook.lint.model import Json, Reference, Text, Unknown, Value

_PLAIN: Mapping[str, Callable[[Value], Value]] = {"string": to_string, "number": to_number, "bool": to_bool}
_COLLECTIONS = ("list", "set", "map")


def typed(value: Value, kind: syntax.Node) -> Value:
    """
    Convert *value* to a type; what is not known stays as it is.

    Raises
    ------
    Wrong
        Terraform would refuse the value.

    Examples
    --------
    >>> strings = syntax.Call("list", (syntax.Name("string"),))
    >>> typed([1, True], strings)
    ['1', 'true']
    """
    if value is None or isinstance(value, (Unknown, Reference)):
        return value
    name = kind.name if isinstance(kind, (syntax.Name, syntax.Call)) else getattr(kind, "value", "any")
    arguments = kind.arguments if isinstance(kind, syntax.Call) else ()
    if name in _PLAIN:
        # a text with open parts is a text; what is not one is not looked into further
        return value if isinstance(value, (Text, Json)) else _PLAIN[name](value)
    if name in _COLLECTIONS:
        return _collection(value, name, arguments[0] if arguments else syntax.Name("any"))
    if name == "tuple" and arguments and isinstance(arguments[0], syntax.List) and isinstance(value, list):
        items = arguments[0].items
        if len(items) != len(value):
            raise Wrong(f"it needs {len(items)} elements")
        return [typed(one, item.value) for one, item in zip(value, items, strict=True)]
    if name == "object" and arguments and isinstance(arguments[0], syntax.Object):
        return _object(value, arguments[0])
    return value


def _collection(value: Value, name: str, inside: syntax.Node) -> Value:
    if name == "map":
        if not isinstance(value, dict):
            raise Wrong("a map is needed")
        return {key: typed(value[key], inside) for key in value}
    if not isinstance(value, list):
        raise Wrong(f"a {name} is needed")
    made = [typed(one, inside) for one in value]
    return to_set(made) if name == "set" else made


def _object(value: Value, kind: syntax.Object) -> Value:
    if not isinstance(value, dict):
        raise Wrong("an object is needed")
    made: dict[str, Value] = {}
    for item in kind.items:
        key = str(getattr(item.key, "value", ""))
        optional = isinstance(item.value, syntax.Call) and item.value.name == "optional"
        inside = item.value.arguments[0] if optional and item.value.arguments else item.value
        given = value.get(key)
        if given is not None:
            made[key] = typed(given, inside)
        elif not optional and key not in value:
            raise Wrong(f"{key!r} is missing in it")
        else:
            made[key] = _default(item.value, inside) if optional else None
    return made


def _default(optional: syntax.Call, inside: syntax.Node) -> Value:
    if len(optional.arguments) < 2:
        return None
    return typed(_literal(optional.arguments[1]), inside)


def _literal(node: syntax.Node) -> Value:
    if isinstance(node, syntax.Literal):
        return node.value
    if isinstance(node, syntax.List):
        return [_literal(item.value) for item in node.items]
    if isinstance(node, syntax.Object):
        return {str(_literal(item.key) if item.key else ""): _literal(item.value) for item in node.items}
    return Unknown("a default that is worked out")
