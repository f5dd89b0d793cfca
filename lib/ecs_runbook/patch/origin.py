"""Where a value is written: from the argument that has it, through names, to the expression that it comes from."""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from ecs_runbook.lint import syntax
from ecs_runbook.lint.evaluate import told
from ecs_runbook.lint.folders import Folder
from ecs_runbook.lint.grammar import Fault
from ecs_runbook.lint.json_files import Json, JsonFault, json_at, places_in_string
from ecs_runbook.lint.model import Block, Unknown, Value
from ecs_runbook.lint.modules import Bound, Module
from ecs_runbook.lint.nodes import template
from ecs_runbook.lint.reading import Read
from ecs_runbook.lint.spans import LISTENS, Spans, looked_up, shifted
from ecs_runbook.lint.spelling import spelled
from ecs_runbook.lint.syntax import Body, Node, RawBlock, RawFile, Written
from ecs_runbook.lint.view import grouped

_DEEPEST = 40
_SAME = frozenset(
    {"try", "coalesce", "tostring", "trimspace", "nonsensitive", "sensitive", "one", "tolist", "toset", "tomap"}
    | {"coalescelist", "element", "lookup"}
)

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Named:
    """A name that a value goes by: ``local``, ``var`` or ``output``, the folder that it is of, and the name."""

    kind: str
    folder: Folder
    name: str


@dataclass(frozen=True)
class Spot:
    """
    An expression where it is written.

    Attributes
    ----------
    node
        The expression.
    file
        As lint names it.
    module
        The module, called as it is, that it stands in.
    bound
        What is bound around it.
    ways
        Where what is bound is written: ``each.value``, or the name that a for-expression binds.
    names
        The names by which it was come to, from the first argument on.
    chain
        The arguments, locals and outputs that lead here: what is changed by changing it.
    """

    node: Node
    file: str
    module: Module
    bound: Bound
    ways: Mapping[str, Callable[[], Spot | None]] = field(default_factory=dict)
    names: tuple[Named, ...] = ()
    chain: tuple[Written, ...] = ()

    @property
    def value(self) -> Value:
        """What it says."""
        return told(self.node, self.module, self.bound)

    def at(self, node: Node) -> Spot:
        """Return another expression of the same place."""
        return replace(self, node=node)


class Texts:
    """
    The texts of the files as they are now, and the spans of what stands in them.

    Parameters
    ----------
    texts, files
        By the files' names: what stands in them, and as it was read.
    spans_of
        Returns the spans of a file that was read, given its text too.
    """

    def __init__(
        self, texts: Mapping[str, str], files: Mapping[str, RawFile], spans_of: Callable[[RawFile, str], Spans]
    ) -> None:
        self.texts = texts
        self._files = files
        self._spans_of = spans_of
        self._plain: dict[str, str] = {}
        self._written: dict[int, Mapping[tuple[str, int, str], Sequence[tuple[Module, RawBlock, Bound]]]] = {}

    def spans(self, file: str) -> Spans:
        """Return the spans of a file's expressions."""
        return self._spans_of(self._files[file], self.texts[file])

    def written(self, read: Read, block: Block) -> Sequence[tuple[Module, RawBlock, Bound]]:
        """Return how a block is written: in which module, and what is bound in this instance of it."""
        if id(read) not in self._written:
            self._written[id(read)] = grouped(
                ((raw.file, raw.line, own), (module, raw, bound))
                for module in read.module.everyone()
                for raw in module.raw_blocks()
                for own, bound in module.each(raw)
            )
        return self._written[id(read)].get((block.place.file, block.place.line, block.address), ())

    def plain(self, file: str) -> str:
        """Return a file's text, of the same length, without comments."""
        if file not in self._plain:
            text = self.texts[file]
            self._plain[file] = text if file.endswith(".json") else spelled(text).plain
        return self._plain[file]

    def span(self, spot: Spot) -> tuple[int, int] | None:
        """Return where an expression stands in its file; None if that is not known."""
        return self.spans(spot.file).get(spot.node)

    def source(self, spot: Spot) -> str:
        """Return an expression as it is written."""
        span = self.span(spot)
        return self.texts[spot.file][slice(*span)] if span else ""


def argument(read: Read, block: Block, path: Path, texts: Texts) -> tuple[Spot, Body] | None:
    """Return how what stands at *path* of a block is written, and the body that it stands in; None if it is not."""
    for module, raw, bound in texts.written(read, block):
        if raw.labels == (block.type, block.name):
            return _inside(module, raw.body, bound, _ways_of_each(module, raw.body, bound), path, texts)
    return None


def body_at(read: Read, block: Block, path: Path, texts: Texts) -> Body | None:
    """Return the body of the nested block at *path*."""
    found = argument(read, block, (*path, ""), texts)
    return found[1] if found else None


def _ways_of_each(module: Module, body: Body, bound: Bound) -> Mapping[str, Callable[[], Spot | None]]:
    written = body.attributes.get("for_each")
    each = bound.get("each")
    if written is None or not isinstance(each, Mapping):
        return {}
    over = Spot(written.value, written.file, module, {}, chain=(written,))
    return {"each.value": lambda: element(over, each.get("key"))}


def _inside(
    module: Module, body: Body, bound: Bound, ways: Mapping[str, Callable[[], Spot | None]], path: Path, texts: Texts
) -> tuple[Spot, Body] | None:
    name, *rest = path
    if name == "":
        return Spot(syntax.Unread(""), "", module, bound), body
    if name in body.attributes:
        written = body.attributes[str(name)]
        spot = _descended(Spot(written.value, written.file, module, bound, ways, (), (written,)), tuple(rest), texts)
        return (spot, body) if spot is not None else None
    if not rest or not isinstance(rest[0], int):
        return None
    at = rest[0]
    for inner_bound, inner_ways, inner in _nested(module, body, bound, ways, str(name)):
        if at == 0:
            return _inside(module, inner, inner_bound, inner_ways, tuple(rest[1:]) or ("",), texts)
        at -= 1
    return None


def _descended(spot: Spot, path: Path, texts: Texts) -> Spot | None:
    """Return what stands at *path* of a value, in the JSON of a heredoc or of a file too."""
    one: Spot | None = spot
    for at, step in enumerate(path):
        here = one
        while here is not None and not (_is_file(here.node) or _is_text(here)):
            here = deeper(here)
        if here is not None and isinstance(here.node, syntax.Call):
            found = in_file(here, path[at:])
            return found if isinstance(found, Spot) else None
        if here is not None:
            return in_text(here, path[at:], texts)
        one = element(one, step) if one is not None else None
    return one


def _nested(
    module: Module, body: Body, bound: Bound, ways: Mapping[str, Callable[[], Spot | None]], name: str
) -> Iterator[tuple[Bound, Mapping[str, Callable[[], Spot | None]], Body]]:
    for block in body.blocks:
        if block.type == name:
            yield bound, ways, block.body
        elif block.type == "dynamic" and block.labels == (name,):
            for inner, content in module.dynamic(block, bound):
                if isinstance(inner, Unknown):
                    yield bound, ways, content
                    continue
                yield inner, {**ways, **_ways_of_dynamic(module, block, bound, inner, ways)}, content


def _ways_of_dynamic(
    module: Module, block: RawBlock, bound: Bound, inner: Bound, ways: Mapping[str, Callable[[], Spot | None]]
) -> Mapping[str, Callable[[], Spot | None]]:
    written = block.body.attributes["for_each"]
    over = Spot(written.value, written.file, module, bound, ways, (), (written,))
    made: dict[str, Callable[[], Spot | None]] = {}
    for called in set(inner) - set(bound) or {block.labels[0]}:
        one = inner.get(called)
        if isinstance(one, Mapping):
            made[f"{called}.value"] = _later(over, one.get("key"))
    return made


def _later(over: Spot, key: Value) -> Callable[[], Spot | None]:
    return lambda: element(over, key)


def deeper(spot: Spot) -> Spot | None:
    """Return what a name stands for, where that is written; None if it is no name, or that is not known."""
    node, module = spot.node, spot.module
    if isinstance(node, syntax.Template) and len(node.parts) == 1 and not node.line:
        part = node.parts[0]
        is_plain = not isinstance(part, (syntax.Literal, syntax.TemplateIf, syntax.TemplateFor))
        return spot.at(part) if is_plain else None
    if isinstance(node, syntax.Name):
        return _joined(spot, spot.ways[node.name]()) if node.name in spot.ways else None
    if isinstance(node, syntax.Attribute):
        if isinstance(node.of, syntax.Name) and node.of.name not in spot.bound:
            if node.of.name == "var":
                return _variable(spot, node.name)
            if node.of.name == "local":
                written = module.source.locals.get(node.name)
                return _through(spot, written, Named("local", module.source, node.name), module) if written else None
        way = f"{syntax.spelled(node)}"
        if way in spot.ways:
            return _joined(spot, spot.ways[way]())
        if (called := _called(spot, node.of)) is not None:
            output = called.source.outputs.get(node.name)
            written = output.body.attributes.get("value") if output else None
            return _through(spot, written, Named("output", called.source, node.name), called) if written else None
        return element(spot.at(node.of), node.name)
    if isinstance(node, syntax.Index):
        return element(spot.at(node.of), told(node.key, module, spot.bound))
    if isinstance(node, syntax.If):
        test = told(node.test, module, spot.bound)
        return spot.at(node.yes if test else node.no) if isinstance(test, bool) else None
    if isinstance(node, syntax.Call) and node.name in _SAME and not node.spread:
        return _same(spot, node)
    return None


def _same(spot: Spot, node: syntax.Call) -> Spot | None:
    value = spot.value
    for one in node.arguments:
        if not isinstance(value, Unknown) and told(one, spot.module, spot.bound) == value:
            return spot.at(one)
    if node.name in ("element", "lookup") and len(node.arguments) > 1:
        return element(spot.at(node.arguments[0]), told(node.arguments[1], spot.module, spot.bound))
    return element(spot.at(node.arguments[0]), 0) if node.name == "one" and node.arguments else None


def _variable(spot: Spot, name: str) -> Spot | None:
    module = spot.module
    here = Named("var", module.source, name)
    if name in module.written and module.given.get(name, lambda: None)() is not None:
        written = module.written[name]
        if module.caller is None:
            return _through(spot, written, here, module)
        caller, bound = module.caller
        call = next(
            (
                one
                for one in caller.source.calls.values()
                if name in one.body.attributes and one.body.attributes[name] is written
            ),
            None,
        )
        ways = _ways_of_each(caller, call.body, bound) if call else {}
        return Spot(written.value, written.file, caller, bound, ways, (*spot.names, here), (*spot.chain, written))
    declared = module.source.variables.get(name)
    written_default = declared.body.attributes.get("default") if declared else None
    return _through(spot, written_default, here, module) if written_default else None


def _through(spot: Spot, written: Written, name: Named, module: Module) -> Spot | None:
    if len(spot.chain) > _DEEPEST:
        return None
    return Spot(written.value, written.file, module, {}, {}, (*spot.names, name), (*spot.chain, written))


def _joined(spot: Spot, found: Spot | None) -> Spot | None:
    if found is None or len(spot.chain) > _DEEPEST:
        return None
    return replace(found, names=(*spot.names, *found.names), chain=(*spot.chain, *found.chain))


def _called(spot: Spot, node: Node) -> Module | None:
    """Return the module that ``module.x`` or ``module.x[key]`` is."""
    key: Value = None
    if isinstance(node, syntax.Index):
        key = told(node.key, spot.module, spot.bound)
        node = node.of
    if not (isinstance(node, syntax.Attribute) and node.of == syntax.Name("module")):
        return None
    call = spot.module.source.calls.get(node.name)
    if call is None:
        return None
    keys, modules = spot.module.instances_of(call)
    if isinstance(modules, Unknown) or not modules:
        return None
    if keys.keys is None or keys.alike:
        return modules[0]
    return modules[keys.keys.index(key)] if key in keys.keys else None


def element(spot: Spot, key: Value) -> Spot | None:
    """Return how an element of a list or an object is written; None if that cannot be told."""
    node = spot.node
    if isinstance(node, syntax.Object):
        found = [one for one in node.items if told(one.key, spot.module, spot.bound) == key]
        return spot.at(found[-1].value) if found else None
    if isinstance(node, syntax.List):
        if isinstance(key, int) and not isinstance(key, bool):
            return spot.at(node.items[key].value) if 0 <= key < len(node.items) else None
        same = [one for one in node.items if told(one.value, spot.module, spot.bound) == key]
        return spot.at(same[0].value) if len(same) == 1 else None
    if isinstance(node, syntax.For):
        return _of_for(spot, node, key)
    if isinstance(node, syntax.Call):
        return _of_call(spot, node, key)
    if isinstance(node, syntax.Template) and node.line:
        return None
    further = deeper(spot)
    return element(further, key) if further is not None else None


def _of_call(spot: Spot, node: syntax.Call, key: Value) -> Spot | None:
    if node.name == "flatten" and isinstance(key, int):
        flat = _flat(spot.at(node.arguments[0]))
        return flat[key] if flat is not None and key < len(flat) else None
    if node.name in ("jsonencode", "tolist", "toset", "tomap") and len(node.arguments) == 1:
        return element(spot.at(node.arguments[0]), key)
    if node.name == "merge" and not node.spread:
        for one in reversed(node.arguments):
            value = told(one, spot.module, spot.bound)
            if isinstance(value, Unknown):
                return None
            if isinstance(value, Mapping) and key in value:
                return element(spot.at(one), key)
    if node.name == "concat" and not node.spread and isinstance(key, int):
        for one in node.arguments:
            value = told(one, spot.module, spot.bound)
            if not isinstance(value, list):
                return None
            if key < len(value):
                return element(spot.at(one), key)
            key -= len(value)
    further = deeper(spot)
    return element(further, key) if further is not None else None


def _of_for(spot: Spot, node: syntax.For, key: Value) -> Spot | None:
    turns = _turns(spot, node)
    return next((made for at, made in turns if at == key), None) if turns and not node.grouped else None


def _turns(spot: Spot, node: syntax.For) -> list[tuple[Value, Spot]] | None:
    """Return what a for-expression makes, with the key of each; None if that is not known."""
    over = told(node.over, spot.module, spot.bound)
    if isinstance(over, list):
        pairs: list[tuple[Any, Any]] = list(enumerate(over))
    elif isinstance(over, dict):
        pairs = [(one, over[one]) for one in sorted(over)]
    else:
        return None
    made: list[tuple[Value, Spot]] = []
    for at, value in pairs:
        bound = {**spot.bound, node.value: value, **({node.key: at} if node.key else {})}
        wanted = True if node.condition is None else told(node.condition, spot.module, bound)
        if not isinstance(wanted, bool):
            return None
        if wanted:
            key = len(made) if node.made_key is None else told(node.made_key, spot.module, bound)
            ways = {**spot.ways, node.value: _later(spot.at(node.over), at)}
            made.append((key, replace(spot, node=node.made, bound=bound, ways=ways)))
    return made


def _flat(spot: Spot, depth: int = 0) -> list[Spot] | None:
    """Return the elements of a list, of lists in it too, each where it is written; None if one is not known."""
    value = spot.value
    if not isinstance(value, list) or depth > _DEEPEST:
        return None if isinstance(value, Unknown) or depth > _DEEPEST else [spot]
    told_all: list[Spot] = []
    for at in range(len(value)):
        one = element(spot, at)
        inside = _flat(one, depth + 1) if one is not None else None
        if inside is None:
            return None
        told_all += inside
    return told_all


def in_text(spot: Spot, path: Path, texts: Texts) -> Spot | None:
    """Return the string at *path* of the JSON that a heredoc or a string of JSON holds, as an expression of its own."""
    span = texts.span(spot)
    if span is None or not _is_text(spot):
        return None
    whole = texts.texts[spot.file][slice(*span)]
    if isinstance(spot.node, syntax.Template) and spot.node.line:
        begins = whole.index("\n") + 1
        inside = whole[begins : whole.rstrip().rfind("\n") + 1]
        places: Sequence[int] = range(span[0] + begins, span[0] + begins + len(inside) + 1)
        quote = 1
    elif whole.startswith('"'):
        places = places_in_string(texts.texts[spot.file], span[0])
        inside = json.loads(whole)
        quote = 2
    else:
        return None
    spans = texts.spans(spot.file)
    found = _in_json(inside, spot.node, path, spans, places)
    if found is None:
        return None
    listens = LISTENS.set(spans)
    try:
        with spans.within(looked_up(places)), spans.within(shifted(found.start_pos + 1)):
            node = template(inside[found.start_pos + 1 : found.end_pos - 1], found.line)
    except Fault:
        return None
    finally:
        LISTENS.reset(listens)
    spans.note(node, places[found.start_pos], places[found.end_pos - 1] + quote)
    return spot.at(node)


def _is_text(spot: Spot) -> bool:
    """Return whether an expression is a heredoc, or a string of a JSON file that has JSON in it."""
    node = spot.node
    if isinstance(node, syntax.Template) and node.line:
        return True
    first = node.parts[0] if isinstance(node, syntax.Template) else node
    value = first.value if isinstance(first, syntax.Literal) else None
    return spot.file.endswith(".json") and isinstance(value, str) and value.lstrip().startswith(("{", "["))


def _in_json(text: str, node: Node, path: Path, spans: Spans, places: Sequence[int]) -> Json | None:
    """Return the string at *path* of a JSON text that is a template, whose characters stand at *places* of a file."""
    filled = text
    for part in node.parts if isinstance(node, syntax.Template) else ():
        place = spans.get(part)
        if place is None:
            if isinstance(part, syntax.Literal):
                continue
            return None
        start = text.rfind("{", 0, bisect_left(places, place[0])) - 1
        end = text.find("}", bisect_left(places, place[1])) + 1
        filled = filled[:start] + "1" * (end - start) + filled[end:]
    try:
        found = json_at(filled, path)
    except JsonFault:
        return None
    return found if found is not None and isinstance(found.value, str) else None


def _is_file(node: Node) -> bool:
    return isinstance(node, syntax.Call) and node.name in ("templatefile", "file") and not node.spread


def in_file(spot: Spot, path: Path) -> Spot | str:
    """
    Return how the string at *path* of a file's JSON is written, where ``templatefile`` is given it.

    Where it is written in the file itself, which is none of Terraform's, that is said, with the line; ``""`` if it is
    not found there.
    """
    node = spot.node
    if not _is_file(node) or not node.arguments:
        return ""
    name = told(node.arguments[0], spot.module, spot.bound)
    text = spot.module.file(name) if isinstance(name, str) else None
    if not isinstance(name, str) or not isinstance(text, str):
        return ""
    spans, is_template = Spans(), node.name == "templatefile"
    listens = LISTENS.set(spans)
    try:
        found = _in_json(text, template(text, 1) if is_template else None, path, spans, range(len(text) + 1))
        own = template(text[found.start_pos + 1 : found.end_pos - 1], 1) if found and is_template else None
    except Fault:
        return ""
    finally:
        LISTENS.reset(listens)
    if found is None:
        return ""
    if isinstance(own, syntax.Template) and len(own.parts) == 1 and isinstance(own.parts[0], syntax.Name):
        given = element(spot.at(node.arguments[1]), own.parts[0].name) if len(node.arguments) > 1 else None
        if given is not None:
            return given
    shown = PurePath(os.path.relpath(spot.module.root.path / name, spot.module.root.base)).as_posix()
    return f"it is written in {shown}:{found.line}, which is no file of Terraform's: mend it there"
