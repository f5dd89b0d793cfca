"""What a change of texts changes in what they say: held against what it should change, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ecs_runbook.lint import syntax
from ecs_runbook.lint.folders import Folder
from ecs_runbook.lint.model import Block, Json, Text, Unknown, Value
from ecs_runbook.lint.modules import Bound, Module
from ecs_runbook.lint.reading import Reading
from ecs_runbook.lint.syntax import Body, RawBlock, Written
from ecs_runbook.lint.values import doubt, json_of
from ecs_runbook.lint.view import grouped
from ecs_runbook.patch.origin import Named, Spot

Path = tuple[str | int, ...]


class Difference(NamedTuple):
    """
    A value that differs.

    *at* is the number of the root module. Of a resource, *block* is how it was before; of an output, which whoever
    reads it may take further and must not change, it is None and *path* has the output's name.
    """

    at: int
    block: Block | None
    path: Path
    then: Value


def changed(before: Reading, after: Reading) -> tuple[list[Difference], str]:
    """Return every value that differs between two readings; or, as a sentence, why they cannot be compared."""
    if [one.broken for one in before.configurations] != [one.broken for one in after.configurations]:
        return [], "the file could not be read afterwards"
    told: list[Difference] = []
    for at, (one, other) in enumerate(zip(before.roots, after.roots, strict=True)):
        mine, theirs = one.configuration.blocks, other.configuration.blocks
        if [block.address for block in mine] != [block.address for block in theirs]:
            return [], "it would change which resources there are"
        for block, then in zip(mine, theirs, strict=True):
            if block.values != then.values:
                differing = _differing(block.values, then.values, ())
                told += [Difference(at, block, path, value) for path, _, value in differing]
        for name in one.module.source.outputs:
            if one.module.output(name) != other.module.output(name):
                told.append(Difference(at, None, (name,), other.module.output(name)))
    return told, ""


def _differing(one: Value, other: Value, path: Path) -> Iterator[tuple[Path, Value, Value]]:
    if one == other:
        return
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys([*one, *other]):
            yield from _differing(one.get(key), other.get(key), (*path, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for at, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differing(mine, theirs, (*path, at))
    elif isinstance(one, Json) and isinstance(other, Json):
        yield from _differing(one.value, other.value, path)
    elif isinstance(one, (str, Text)) and isinstance(other, (str, Text)) and _is_json(one) and _is_json(other):
        yield from _differing(json_of(one), json_of(other), path)
    else:
        yield path, one, other


def _is_json(value: Value) -> bool:
    return isinstance(json_of(value), (Mapping, list))


# ---------------------------------------------------------------- who else goes by the same name


class Taken(NamedTuple):
    """
    Who else takes a value.

    *blind* says, as a sentence, who of these cannot be seen through; *blocks* are the resources, by file and line, and
    *outputs* those of root modules, by folder and name.
    """

    blind: str
    blocks: frozenset[tuple[str, int]]
    outputs: frozenset[tuple[int, str]]


_Element = tuple[str, str, Any]
_Taker = tuple[Named | None, Written, str, RawBlock | None]


class Takers:
    """
    Who takes a name's value in a reading.

    What is known is compared, before and after. What is not known may change unseen: an argument of a module that is
    not here, or a name made of a variable without a default.
    """

    def __init__(self, reading: Reading) -> None:
        self._modules = [module for one in reading.roots for module in one.module.everyone()]
        self._of_folder = grouped((id(module.source), module) for module in self._modules)
        self._calling = grouped(
            (id(called), (module, name)) for module in self._modules for name, called in _called(module)
        )
        self._known: dict[tuple[str, int, str], list[_Taker]] = {}
        self._mentioning: dict[int, Mapping[syntax.Attribute, Sequence[_Element]]] = {}

    def of(self, spot: Spot) -> Taken:
        """Return who else takes a value that is written at *spot*."""
        waiting: list[Named] = list(spot.names)
        own = {id(one) for one in spot.chain}
        seen: set[tuple[str, int, str]] = set()
        blocks: set[tuple[str, int]] = set()
        outputs: set[tuple[int, str]] = set()
        blind = ""
        while waiting:
            named = waiting.pop()
            key = (named.kind, id(named.folder), named.name)
            if key in seen:
                continue
            seen.add(key)
            if key not in self._known:
                self._known[key] = list(self._takers(named))
            for name, written, why, raw in self._known[key]:
                if raw is not None:
                    blocks.add((raw.file, raw.line))
                if name is not None and name.kind == "output":
                    outputs.add((id(name.folder), name.name))
                if id(written) in own:
                    continue
                if why:
                    blind = blind or f"{why} ({written.file}:{written.line}), and it takes the same value"
                if name is not None:
                    waiting.append(name)
        return Taken(blind, frozenset(blocks), frozenset(outputs))

    def _takers(self, named: Named) -> Iterator[_Taker]:
        """Yield the names that take a name's value on, and the arguments that do and cannot be seen through."""
        if named.kind == "output":
            calling: dict[int, tuple[Module, list[str]]] = {}
            for module, call in self._calling.get(id(named.folder), ()):
                calling.setdefault(id(module), (module, []))[1].append(call)
            for module, calls in calling.values():
                wanted = [_module(call) for call in calls]
                yield from self._in_module(module, wanted, _takes_output(calls, named.name))
            return
        for module in self._of_folder.get(id(named.folder), ()):
            wanted = [syntax.Attribute(syntax.Name(named.kind), named.name)]
            yield from self._in_module(module, wanted, _takes_name(named.kind, named.name))

    def _in_module(self, module: Module, wanted: Sequence[syntax.Attribute], takes: Any) -> Iterator[_Taker]:
        source = module.source
        if id(source) not in self._mentioning:
            self._mentioning[id(source)] = grouped(
                (said, element) for element in _elements(module) for said in _mentioned(element[2])
            )
        told = {id(one[2]): one for said in wanted for one in self._mentioning[id(source)].get(said, ())}
        for kind, name, one in told.values():
            if kind == "call":
                yield from ((*found, None) for found in _arguments(one, module, takes))
            elif kind == "block":
                yield None, _NOTHING, "", one
                yield from ((None, written, why, one) for written, why in _in_block(one, module, takes))
            elif takes(one.value):
                is_blind = kind == "output" and module.caller is None and doubt(module.output(name))
                yield Named(kind, source, name), one, f"the output {name} is not known" if is_blind else "", None


_NOTHING = Written(None, "", 0)


def _module(call: str) -> syntax.Attribute:
    return syntax.Attribute(syntax.Name("module"), call)


def _called(module: Module) -> Iterator[tuple[str, Folder]]:
    for call in module.source.calls.values():
        found = module.instances_of(call)[1]
        if isinstance(found, list) and found:
            yield call.labels[0], found[0].source


def _elements(module: Module) -> Iterator[_Element]:
    """Yield what stands in a module's folder: locals, outputs, calls and resources."""
    source = module.source
    yield from (("local", name, written) for name, written in source.locals.items())
    for name, output in source.outputs.items():
        if "value" in output.body.attributes:
            yield "output", name, output.body.attributes["value"]
    yield from (("call", call.labels[0], call) for call in source.calls.values())
    yield from (("block", "", raw) for raw in module.raw_blocks())


def _mentioned(node: Any) -> set[syntax.Attribute]:
    """Return each ``local.x``, ``var.x`` and ``module.x`` in an expression or a block."""
    told: set[syntax.Attribute] = set()
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, syntax.Attribute) and isinstance(one.of, syntax.Name):
            told.add(one)
        elif isinstance(one, RawBlock):
            waiting.append(one.body)
        elif isinstance(one, Body):
            waiting += [*one.attributes.values(), *one.blocks]
        elif isinstance(one, tuple):
            waiting += one
    return told


def _arguments(call: RawBlock, module: Module, takes: Any) -> Iterator[tuple[Named | None, Written, str]]:
    over = call.body.attributes.get("for_each")
    by_each = over is not None and takes(over.value)
    for name, written in call.body.attributes.items():
        if not (takes(written.value) or (by_each and _says_each(written.value))):
            continue
        if name in ("for_each", "count"):
            yield None, written, ""
            continue
        found = module.instances_of(call)[1]
        if isinstance(found, Unknown) or not found:
            yield None, written, f"module.{call.labels[0]} is not here to be looked into"
        else:
            yield Named("var", found[0].source, name), written, ""


def _in_block(raw: RawBlock, module: Module, takes: Any) -> Iterator[tuple[Written, str]]:
    over = raw.body.attributes.get("for_each")
    by_each = over is not None and takes(over.value)

    def taking(body: Body, bound: Bound, inside: bool) -> Iterator[tuple[Written, Bound]]:
        for written in body.attributes.values():
            if written is not over and (takes(written.value) or ((by_each or inside) and _says_value(written.value))):
                yield written, bound
        for block in body.blocks:
            iterates = block.body.attributes.get("for_each") if block.type == "dynamic" else None
            if iterates is None:
                yield from taking(block.body, bound, inside)
                continue
            by = inside or takes(iterates.value) or (by_each and _says_value(iterates.value))
            for inner, content in module.dynamic(block, bound):
                yield from taking(content, bound if isinstance(inner, Unknown) else inner, by)

    for _, bound in module.each(raw):
        for written, inner in taking(raw.body, bound, False):
            if doubt(module.told(written.value, inner)):
                yield written, f"what {'.'.join(raw.labels)} is given is not known"


def _takes_name(kind: str, name: str) -> Any:
    wanted = syntax.Attribute(syntax.Name(kind), name)
    return lambda node: any(one == wanted for one in _nodes(node))


def _takes_output(calls: Sequence[str], name: str) -> Any:
    modules = [_module(call) for call in calls]

    def takes(node: Any) -> bool:
        found = list(_nodes(node))
        if not any(one in modules for one in found):
            return False
        named = {one.name for one in found if isinstance(one, syntax.Attribute) and one not in modules}
        named |= {step for one in found if isinstance(one, syntax.Splat) for step in one.steps if isinstance(step, str)}
        return name in named or not named

    return takes


def _says_each(node: Any) -> bool:
    return any(one == syntax.Attribute(syntax.Name("each"), "value") for one in _nodes(node))


def _says_value(node: Any) -> bool:
    return any(isinstance(one, syntax.Attribute) and one.name == "value" for one in _nodes(node))


def _nodes(node: Any) -> Iterator[Any]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, tuple):
            if one:
                yield one
            waiting += one
