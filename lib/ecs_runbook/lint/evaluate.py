"""
What an expression says: exactly as Terraform would, or not known, with the reason.

Three kinds of failing are kept apart: :class:`~ecs_runbook.lint.model.Unknown` (nobody knows yet, or it is not worked
out here), :class:`~ecs_runbook.lint.model.Reference` (only AWS will know), and
:class:`~ecs_runbook.lint.known.Wrong` (Terraform would refuse), which ``try`` and ``can`` catch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Protocol

from ecs_runbook.lint import syntax
from ecs_runbook.lint.addresses import keyed, type_of
from ecs_runbook.lint.functions import call
from ecs_runbook.lint.known import Wrong, doubt, json_text, text_of, to_bool, to_number, top_doubt, unified
from ecs_runbook.lint.known import joined as join_parts
from ecs_runbook.lint.lists import Set, never_empty, type_name
from ecs_runbook.lint.model import Json, Reference, Text, Unknown, Value
from ecs_runbook.lint.numbers import exactly, is_number, number

LARGEST = 10_000
_LONGEST_TEXT = 1_000_000

Bound = Mapping[str, Value]


class Scope(Protocol):
    """What a module knows by name."""

    def variable(self, name: str) -> Value:
        """Return ``var.<name>``."""

    def local(self, name: str) -> Value:
        """Return ``local.<name>``."""

    def module(self, name: str) -> Value:
        """Return ``module.<name>``."""

    def resource(self, kind: str, name: str, *, data: bool) -> Resource:
        """Return a resource or a data source."""

    def path(self, name: str) -> Value:
        """Return ``path.<name>``."""

    def file(self, path: str) -> str | Unknown:
        """Return the text of a file."""


class Resource:
    """
    A resource or data source as a value.

    Attributes
    ----------
    address
        Without an index.
    keys
        Of its instances: None if it has neither ``count`` nor ``for_each``, Unknown if they are not known.
    alike
        Whether its instances differ in nothing: then none of them has an address of its own.
    """

    def __init__(
        self, address: str, keys: list[str] | list[int] | Unknown | None = None, *, alike: bool = False
    ) -> None:
        self.address = address
        self.keys = keys
        self.alike = alike

    def attribute(self, name: str) -> Value:
        """Return an attribute; a task definition's ARN in its two parts."""
        if name == "arn" and type_of(self.address) == "aws_ecs_task_definition":
            return Text((Reference(self.address, "arn_without_revision"), ":", Reference(self.address, "revision")))
        return Reference(self.address, name)

    def instance(self, key: Value) -> Resource:
        """Return one instance."""
        keys = self.keys
        if keys is None:
            raise Wrong(f"{self.address} has no instances to choose from")
        if isinstance(key, (Unknown, Reference, Text)):
            return Resource(self.address)
        if not isinstance(keys, Unknown):
            key = to_number(key) if keys and isinstance(keys[0], int) else text_of(key)
            if key not in keys:
                raise Wrong(f"{self.address} has no instance {key!r}")
        return self._one(key)

    def _one(self, key: str | int) -> Resource:
        return Resource(self.address if self.alike else keyed(self.address, key))

    def instances(self) -> Value:
        """Return all instances: a list or an object of them; Unknown if they are not known."""
        if self.keys is None:
            return self
        if isinstance(self.keys, Unknown):
            return self.keys
        if all(isinstance(key, int) for key in self.keys):
            return [self._one(key) for key in self.keys]
        return {str(key): self._one(key) for key in self.keys}

    def whole(self) -> Reference:
        """Return it as the model has it."""
        return Reference(self.address, "" if self.keys is None else "*")


class Lazy(dict[str, Value]):
    """An object whose values are worked out when they are asked for: the outputs of a module."""

    def __init__(self, names: list[str], ask: Callable[[str], Value]) -> None:
        super().__init__(dict.fromkeys(names))
        self._ask = ask
        self._known: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._known:
            self._known[name] = self._ask(name)
        return self._known[name]

    def items(self) -> Any:
        """Return all of it, worked out."""
        return [(name, self[name]) for name in self]

    def values(self) -> Any:
        """Return the values, worked out."""
        return [self[name] for name in self]

    def get(self, name: str, default: Value = None) -> Value:
        """Return one, if it is there."""
        return self[name] if name in self else default  # noqa: SIM401 - this is that get


class Instances:
    """The instances of a module, where which there are is not known: what *one* has, and *why*."""

    def __init__(self, one: Value, why: Unknown) -> None:
        self.one = one
        self.why = why


def joined_instances(each: Value, unknown: Unknown) -> Value:
    """Return what all instances give, where one gives *each* and how many there are is not known."""
    if isinstance(each, Resource):
        return Resource(each.address, unknown)
    if isinstance(each, Text) and (address := _whose_arn(each)):
        return Reference(address, "*.arn")
    return Reference(each.address, f"*.{each.attribute}") if isinstance(each, Reference) else unknown


def _whose_arn(value: Text) -> str:
    """Return the task definition that a text is the ARN of; empty if it is none."""
    first, *rest = value.parts
    if not isinstance(first, Reference) or first.attribute != "arn_without_revision":
        return ""
    return first.address if rest == [":", Reference(first.address, "revision")] else ""


class _Names:
    """The first steps of a name, until a value is reached: ``data``, ``data.aws_iam_role``."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        self.steps = steps


def evaluate(node: syntax.Node, scope: Scope, bound: Bound) -> Value:
    """
    Return what an expression says.

    Parameters
    ----------
    node
        The expression.
    scope
        The module that it stands in.
    bound
        What is named around it: ``each``, ``count``, what a for-expression or a dynamic block binds.

    Raises
    ------
    Wrong
        Terraform would refuse it.
    """
    return settled(_value(node, scope, bound))


def told(node: syntax.Node, scope: Scope, bound: Bound) -> Value:
    """Return what an expression says; Unknown if Terraform would refuse it."""
    try:
        return evaluate(node, scope, bound)
    except Wrong as wrong:
        return Unknown(f"it does not work out: {wrong.because}")
    except RecursionError:
        return Unknown("it is nested too deeply")


def settled(value: Value) -> Value:
    """Return a value with nothing in it that only this module has."""
    if isinstance(value, Resource):
        return value.whole()
    if isinstance(value, _Names):
        return Unknown(f"{'.'.join(value.steps)} is no value")
    if isinstance(value, Instances):
        return value.why
    if isinstance(value, Json):
        return Json(settled(value.value))
    if isinstance(value, dict):
        return {key: settled(one) for key, one in value.items()}
    if isinstance(value, list):
        return type(value)(settled(one) for one in value)
    return value


def _value(node: syntax.Node, scope: Scope, bound: Bound) -> Value:
    return _WAYS[type(node)](node, scope, bound)


def _name(node: syntax.Name, scope: Scope, bound: Bound) -> Value:
    del scope
    return bound[node.name] if node.name in bound else _Names((node.name,))


def _attribute(node: syntax.Attribute, scope: Scope, bound: Bound) -> Value:
    return step(_value(node.of, scope, bound), node.name, scope)


def step(of: Value, name: str, scope: Scope) -> Value:
    """Return ``of.name``."""
    if isinstance(of, _Names):
        return _named(of.steps, name, scope)
    if isinstance(of, Resource):
        if of.keys is not None:
            # Terraform refuses this unless a key of for_each is meant
            return of.instance(name) if not isinstance(of.keys, Unknown) and name in of.keys else of.attribute(name)
        return of.attribute(name)
    if isinstance(of, (Unknown, Instances)):
        return of.why if isinstance(of, Instances) else of
    if isinstance(of, Reference):
        return Reference(of.address, f"{of.attribute}.{name}" if of.attribute else name)
    if isinstance(of, dict):
        if name not in of:
            raise Wrong(f"there is no {name!r} in it")
        return of[name]
    if isinstance(of, list) and name.isdigit():
        return _at(of, int(name))
    raise Wrong(f"null has no {name!r}" if of is None else f"this has no {name!r}")


def _named(steps: tuple[str, ...], name: str, scope: Scope) -> Value:
    if steps == ("var",):
        return scope.variable(name)
    if steps == ("local",):
        return scope.local(name)
    if steps == ("module",):
        return scope.module(name)
    if steps == ("path",):
        return scope.path(name)
    if steps[0] in ("terraform", "each", "count", "self"):
        return Unknown(f"{steps[0]}.{name} is not known here")
    if steps in (("data",), ("ephemeral",)):
        return _Names((*steps, name))
    if steps[0] == "ephemeral":
        return Unknown(f"ephemeral.{steps[1]}.{name} is never kept")
    if steps[0] == "data":
        return scope.resource(steps[1], name, data=True)
    return scope.resource(steps[0], name, data=False)


def _index(node: syntax.Index, scope: Scope, bound: Bound) -> Value:
    return at_key(_value(node.of, scope, bound), _value(node.key, scope, bound), scope)


def at_key(of: Value, key: Value, scope: Scope) -> Value:
    """Return ``of[key]``."""
    if isinstance(of, (_Names, Resource)) and isinstance(key, str) and isinstance(of, _Names):
        return step(of, key, scope)
    if isinstance(of, Resource):
        return of.instance(key) if of.keys is not None else step(of, str(key), scope)
    if isinstance(of, Instances):
        return of.one
    unknown = top_doubt(of)
    if isinstance(of, Reference) and isinstance(key, (str, int)) and not isinstance(key, bool):
        return Reference(of.address, f"{of.attribute}.{key}" if of.attribute else str(key))
    unknown = unknown or doubt(key)
    if unknown is not None:
        return unknown
    if isinstance(of, list):
        return _at(of, to_number(key))
    if isinstance(of, dict):
        name = text_of(key)
        if name not in of:
            raise Wrong(f"there is no {name!r} in it")
        return of[name]
    raise Wrong("this has no elements")


def _at(values: list[Value], at: Value) -> Value:
    if not isinstance(at, int) or not 0 <= at < len(values):
        raise Wrong(f"there is no element {at} among {len(values)}")
    return values[at]


def _splat(node: syntax.Splat, scope: Scope, bound: Bound) -> Value:
    of = _value(node.of, scope, bound)

    def steps(one: Value) -> Value:
        for name in node.steps:
            one = step(one, name, scope) if isinstance(name, str) else at_key(one, _value(name, scope, bound), scope)
        return one

    if isinstance(of, Resource):
        if isinstance(of.keys, Unknown):
            return joined_instances(steps(Resource(of.address)), of.keys)
        of = of.instances()
    if isinstance(of, Instances):
        return joined_instances(steps(of.one), of.why)
    if isinstance(of, Unknown):
        return of
    if isinstance(of, Reference):
        names = [name if isinstance(name, str) else "*" for name in node.steps]
        return Reference(of.address, ".".join(filter(None, (of.attribute, "*", *names))))
    if of is None:
        return []
    return [steps(one) for one in (of if isinstance(of, list) else [of])]


def _call(node: syntax.Call, scope: Scope, bound: Bound) -> Value:
    if node.name in ("try", "can"):
        return _try(node, scope, bound) if node.name == "try" else _can(node, scope, bound)
    arguments = [_argument(one, scope, bound) for one in node.arguments]
    if node.spread:
        last = arguments.pop()
        unknown = top_doubt(last)
        if unknown is not None:
            return unknown
        if not isinstance(last, list):
            raise Wrong("only a list can be spread over arguments")
        arguments += last
    if node.name in ("file", "templatefile", "fileexists"):
        return _file(node.name, arguments, scope)
    return settled(call(node.name, arguments)) if node.name == "jsonencode" else call(node.name, arguments)


def _argument(node: syntax.Node, scope: Scope, bound: Bound) -> Value:
    value = _value(node, scope, bound)
    if isinstance(value, Resource):
        shown = value.instances()
        return value.whole() if isinstance(shown, Resource) else shown
    return settled(value) if isinstance(value, (_Names, Instances)) else value


def _file(name: str, arguments: list[Value], scope: Scope) -> Value:
    if not arguments:
        raise Wrong(f"{name} needs a path")
    unknown = doubt(arguments[0])
    path = arguments[0]
    if unknown is not None or not isinstance(path, str):
        return unknown or Unknown(f"{name} needs a path")
    text = scope.file(path)
    if isinstance(text, Unknown) or name == "fileexists":
        return text if isinstance(text, Unknown) else True
    if name == "file":
        return text
    # imported here: reading HCL is heavy, and working out an expression does not need it
    from ecs_runbook.lint.grammar import Fault
    from ecs_runbook.lint.nodes import template

    values = arguments[1] if len(arguments) > 1 else {}
    if not isinstance(values, dict):
        return top_doubt(values) or Unknown("templatefile needs an object")
    try:
        return _value(template(text, 1), _Nothing(), dict(values))
    except Fault as fault:
        raise Wrong(f"{path}: {fault.because}") from None


class _Nothing:
    """A scope without names: a template file sees only what it is given."""

    def variable(self, name: str) -> Value:
        raise Wrong(f"var.{name} is not seen in a template file")

    def local(self, name: str) -> Value:
        raise Wrong(f"local.{name} is not seen in a template file")

    def module(self, name: str) -> Value:
        raise Wrong(f"module.{name} is not seen in a template file")

    def resource(self, kind: str, name: str, *, data: bool) -> Resource:
        del data
        raise Wrong(f"{kind}.{name} is not seen in a template file")

    def path(self, name: str) -> Value:
        raise Wrong(f"path.{name} is not seen in a template file")

    def file(self, path: str) -> str | Unknown:
        return Unknown(f"{path} was not looked into")


def _try(node: syntax.Call, scope: Scope, bound: Bound) -> Value:
    last = Wrong("try was given nothing")
    for one in node.arguments:
        try:
            return _value(one, scope, bound)
        except Wrong as wrong:
            last = wrong
    raise last


def _can(node: syntax.Call, scope: Scope, bound: Bound) -> Value:
    try:
        value = _value(node.arguments[0], scope, bound) if node.arguments else None
    except Wrong:
        return False
    return value if isinstance(value, Unknown) else True


def _if(node: syntax.If, scope: Scope, bound: Bound) -> Value:
    test = _value(node.test, scope, bound)
    known = to_bool(settled(test))
    if known is None:
        raise Wrong("a condition is null")
    if isinstance(known, Unknown):
        one, other = told(node.yes, scope, bound), told(node.no, scope, bound)
        return one if one == other and not isinstance(one, Unknown) else known
    chosen, other = (node.yes, node.no) if known else (node.no, node.yes)
    value = _value(chosen, scope, bound)
    if isinstance(value, (Resource, Unknown, Reference)) or value is None:
        return value
    if isinstance(value, str) or doubt_of_type(value):
        return value
    return unified(value, told(other, scope, bound))


def doubt_of_type(value: Value) -> bool:
    """Return whether a value is a text already, which no other branch can change."""
    return isinstance(value, (Text, Json, Lazy))


def _binary(node: syntax.Binary, scope: Scope, bound: Bound) -> Value:
    operator = node.operator
    left = settled(_value(node.left, scope, bound))
    if operator in ("&&", "||"):
        return _logic(operator, left, settled(_value(node.right, scope, bound)))
    right = settled(_value(node.right, scope, bound))
    if operator in ("==", "!="):
        same = equal(left, right)
        return same if isinstance(same, Unknown) else same is (operator == "==")
    unknown = doubt([left, right])
    if unknown is not None:
        return unknown
    one, other = to_number(left), to_number(right)
    if not is_number(one) or not is_number(other):
        raise Wrong("null is no number")
    return _arithmetic(operator, exactly(one), exactly(other))


def _logic(operator: str, left: Value, right: Value) -> Value:
    one, other = to_bool(left), to_bool(right)
    if one is None or other is None:
        raise Wrong("null is neither true nor false")
    decides = operator == "||"
    if one is decides or other is decides:
        return decides
    return doubt([one, other]) or not decides


def _arithmetic(operator: str, one: Fraction, other: Fraction) -> Value:
    if operator in ("<", ">", "<=", ">="):
        return {"<": one < other, ">": one > other, "<=": one <= other, ">=": one >= other}[operator]
    if operator in ("/", "%") and not other:
        raise Wrong("a division by zero")
    if operator == "%":
        # the sign is that of the number that is divided
        return number(one - other * int(one / other))
    return number({"+": one + other, "-": one - other, "*": one * other}[operator] if operator != "/" else one / other)


def equal(left: Value, right: Value) -> bool | Unknown:
    """
    Return whether two values are equal for Terraform; Unknown where that is open.

    Examples
    --------
    >>> equal(1, "1"), equal("", None), equal([], None)
    (False, False, False)
    """
    for one, other in ((left, right), (right, left)):
        if one is None and (other is None or not isinstance(other, (Unknown, Reference))):
            return other is None
        if other in ("", None) and never_empty(one):
            return False
    if isinstance(left, (Text, Json)) and isinstance(right, str) and _never(left, right):
        return False
    if isinstance(right, (Text, Json)) and isinstance(left, str) and _never(right, left):
        return False
    unknown = doubt([left, right])
    if unknown is not None:
        return unknown
    if isinstance(left, (list, dict)) or isinstance(right, (list, dict)):
        if isinstance(left, (list, dict)) != isinstance(right, (list, dict)):
            return False
        return Unknown("whether two lists or objects are equal depends on their types")
    left, right = (json_text(one.value) if isinstance(one, Json) else one for one in (left, right))
    return type_name(left) == type_name(right) and bool(left == right)


def _never(value: Text | Json, text: str) -> bool:
    """Return whether an open text cannot be *text*: it begins or ends differently."""
    if isinstance(value, Json):
        return text == ""
    first, last = value.parts[0], value.parts[-1]
    fixed = sum(len(part) for part in value.parts if isinstance(part, str))
    return (
        len(text) < fixed
        or (isinstance(first, str) and not text.startswith(first))
        or (isinstance(last, str) and not text.endswith(last))
    )


def _unary(node: syntax.Unary, scope: Scope, bound: Bound) -> Value:
    value = settled(_value(node.of, scope, bound))
    if node.operator == "!":
        known = to_bool(value)
        if known is None:
            raise Wrong("null is neither true nor false")
        return known if isinstance(known, Unknown) else not known
    unknown = doubt(value)
    if unknown is not None:
        return unknown
    told_number = to_number(value)
    if not is_number(told_number):
        raise Wrong("null is no number")
    return number(-exactly(told_number))


def _list(node: syntax.List, scope: Scope, bound: Bound) -> Value:
    return [_value(item.value, scope, bound) for item in node.items]


def _object(node: syntax.Object, scope: Scope, bound: Bound) -> Value:
    made: dict[str, Value] = {}
    for item in node.items:
        key = settled(_value(item.key, scope, bound))
        unknown = doubt(key)
        if unknown is not None:
            return Unknown(f"a key is not known: {unknown.because}")
        made[str(text_of(key))] = _value(item.value, scope, bound)
    return made


def _for(node: syntax.For, scope: Scope, bound: Bound) -> Value:
    over = _value(node.over, scope, bound)
    if isinstance(over, Resource):
        if isinstance(over.keys, Unknown) and node.made_key is None and node.condition is None and not node.key:
            made = _value(node.made, scope, {**bound, node.value: Resource(over.address)})
            return joined_instances(made, over.keys)
        over = over.instances()
    if isinstance(over, Instances):
        over = over.why
    return top_doubt(over) or _made(node, _pairs(over), scope, bound)


def _pairs(over: Value) -> list[tuple[Value, Value]]:
    found: list[tuple[Value, Value]]
    if isinstance(over, Set):
        found = [(one, one) for one in over]
    elif isinstance(over, list):
        found = list(enumerate(over))
    elif isinstance(over, dict):
        found = [(key, over[key]) for key in sorted(over)]
    else:
        raise Wrong("only a list or an object can be gone through")
    if len(found) > LARGEST:
        raise Wrong(f"more than {LARGEST} elements are gone through, which is not done here")
    return found


def _made(node: syntax.For, pairs: list[tuple[Value, Value]], scope: Scope, bound: Bound) -> Value:
    values: list[Value] = []
    keyed: dict[str, Value] = {}
    for key, value in pairs:
        inner = {**bound, node.value: value}
        if node.key:
            inner[node.key] = key
        if node.condition is not None:
            wanted = to_bool(settled(_value(node.condition, scope, inner)))
            if isinstance(wanted, Unknown):
                return wanted
            if not wanted:
                continue
        made = _value(node.made, scope, inner)
        if node.made_key is None:
            values.append(made)
            continue
        name = settled(_value(node.made_key, scope, inner))
        unknown = doubt(name)
        if unknown is not None:
            return Unknown(f"a key is not known: {unknown.because}")
        name = str(text_of(name))
        if node.grouped:
            keyed.setdefault(name, []).append(made)
        elif name in keyed:
            raise Wrong(f"the key {name!r} is made twice")
        else:
            keyed[name] = made
    return values if node.made_key is None else dict(sorted(keyed.items()))


def _template(node: syntax.Template, scope: Scope, bound: Bound) -> Value:
    if len(node.parts) == 1 and not isinstance(node.parts[0], (syntax.TemplateIf, syntax.TemplateFor)):
        return _value(node.parts[0], scope, bound)
    pieces = _pieces(node.parts, scope, bound)
    if len(pieces) == 3 and isinstance(pieces[1], Json) and pieces[0] == "[" and pieces[2] == "]":
        return Json([pieces[1].value])
    return join_parts([text_of(one) for one in pieces])


def _pieces(parts: tuple[syntax.Node, ...], scope: Scope, bound: Bound) -> list[Any]:
    pieces: list[Any] = []
    for part in parts:
        if isinstance(part, syntax.TemplateIf):
            test = to_bool(settled(_value(part.test, scope, bound)))
            if isinstance(test, Unknown):
                pieces.append(test)
            else:
                pieces += _pieces(part.yes if test else part.no, scope, bound)
        elif isinstance(part, syntax.TemplateFor):
            pieces += _repeated(part, scope, bound)
        else:
            value = settled(_value(part, scope, bound))
            pieces.append(value if isinstance(value, Json) else text_of(value))
    if sum(len(one) for one in pieces if isinstance(one, str)) > _LONGEST_TEXT:
        return [Unknown("it is a very long text")]
    return pieces


def _repeated(part: syntax.TemplateFor, scope: Scope, bound: Bound) -> list[Any]:
    over = _value(part.over, scope, bound)
    if isinstance(over, Resource):
        over = over.instances()
    unknown = top_doubt(over)
    if unknown is not None:
        return [unknown]
    pieces: list[Any] = []
    for key, value in _pairs(over):
        inner = {**bound, part.value: value}
        if part.key:
            inner[part.key] = key
        pieces += _pieces(part.parts, scope, inner)
    return pieces


_WAYS: Mapping[type, Callable[[Any, Scope, Bound], Value]] = {
    syntax.Literal: lambda node, _scope, _bound: node.value,
    syntax.Unread: lambda node, _scope, _bound: Unknown(node.because),
    syntax.Name: _name,
    syntax.Attribute: _attribute,
    syntax.Index: _index,
    syntax.Splat: _splat,
    syntax.Call: _call,
    syntax.If: _if,
    syntax.Binary: _binary,
    syntax.Unary: _unary,
    syntax.List: _list,
    syntax.Object: _object,
    syntax.For: _for,
    syntax.Template: _template,
}
