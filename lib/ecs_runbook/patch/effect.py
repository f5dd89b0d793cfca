"""What a change of texts changes in what they say: held against what it should change, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecs_runbook.lint import syntax
from ecs_runbook.lint.model import Block, Json, Text, Unknown, Value
from ecs_runbook.lint.modules import Bound, Module
from ecs_runbook.lint.reading import Reading
from ecs_runbook.lint.syntax import Body, RawBlock, Written
from ecs_runbook.lint.values import doubt, json_of
from ecs_runbook.patch.origin import Named, Spot

Path = tuple[str | int, ...]
Changed = tuple[int, Block, Path, Value, Value]
"""Which root module, which block before, where in it, and the value before and after."""


def changed(before: Reading, after: Reading) -> tuple[list[Changed], str]:
    """
    Return every value that differs between two readings; or, as a sentence, why they cannot be compared.

    Outputs of root modules count as what may not change: whoever reads them is not in sight.
    """
    if [one.broken for one in before.configurations] != [one.broken for one in after.configurations]:
        return [], "the file could not be read afterwards"
    told: list[Changed] = []
    for at, (one, other) in enumerate(zip(before.roots, after.roots, strict=True)):
        mine, theirs = one.configuration.blocks, other.configuration.blocks
        if [block.address for block in mine] != [block.address for block in theirs]:
            return [], "it would change which resources there are"
        for block, then in zip(mine, theirs, strict=True):
            if block.values != then.values:
                told += [(at, block, *rest) for rest in _differing(block.values, then.values, ())]
        for name in one.module.source.outputs:
            if one.module.output(name) != other.module.output(name):
                return [], f"it would change the output {name}"
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


def not_seen_through(spot: Spot, reading: Reading) -> str:
    """
    Return who else takes a value that is written at *spot*, and whose own value is not known; empty if nobody does.

    What is known is compared, before and after. What is not known may change unseen: an argument of a module that is
    not here, or a name made of a variable without a default.
    """
    waiting: list[Named] = list(spot.names)
    own = {id(one) for one in spot.chain}
    seen: set[tuple[str, int, str]] = set()
    modules = [module for one in reading.roots for module in one.module.everyone()]
    while waiting:
        named = waiting.pop()
        key = (named.kind, id(named.folder), named.name)
        if key in seen:
            continue
        seen.add(key)
        for module in modules:
            for name, written, why in _takers(named, module):
                if id(written) in own:
                    continue
                if why:
                    return f"{why} ({written.file}:{written.line}), and it takes the same value"
                if name is not None:
                    waiting.append(name)
    return ""


def _takers(named: Named, module: Module) -> Iterator[tuple[Named | None, Written, str]]:
    """Yield the names that take a name's value on, and the arguments that do and cannot be seen through."""
    source = module.source
    if named.kind == "output":
        calls = [
            call.labels[0]
            for call in source.calls.values()
            if isinstance(found := module.instances_of(call)[1], list) and found and found[0].source is named.folder
        ]
        if not calls:
            return
        takes = _takes_output(calls, named.name)
    elif source is named.folder:
        takes = _takes_name(named.kind, named.name)
    else:
        return
    for name, written in source.locals.items():
        if takes(written.value):
            yield Named("local", source, name), written, ""
    for name, output in source.outputs.items():
        value = output.body.attributes.get("value")
        if value is not None and takes(value.value):
            why = f"the output {name} is not known" if module.caller is None and doubt(module.output(name)) else ""
            yield Named("output", source, name), value, why
    for call in source.calls.values():
        yield from _arguments(call, module, takes)
    for raw in module.raw_blocks():
        yield from ((None, written, why) for written, why in _in_block(raw, module, takes))


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
    modules = [syntax.Attribute(syntax.Name("module"), call) for call in calls]

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
