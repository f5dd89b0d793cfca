"""A module at work: what its variables are given, what its names stand for, and the blocks that come of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, cast

from ecs_runbook.lint import syntax
from ecs_runbook.lint.addresses import keyed
from ecs_runbook.lint.evaluate import Instances, Lazy, Resource, told
from ecs_runbook.lint.folders import Folder
from ecs_runbook.lint.json_files import json_lines
from ecs_runbook.lint.known import SENSITIVE, Wrong, doubt, exported, to_number, top_doubt
from ecs_runbook.lint.lists import Set
from ecs_runbook.lint.model import Block, Missing, Place, Unknown, Value
from ecs_runbook.lint.syntax import Body, RawBlock, Written
from ecs_runbook.lint.types import typed

MOST_INSTANCES = 100
MOST_MODULES = 5_000
DEEPEST = 30
_LARGEST_FILE = 1_000_000

_META = frozenset({"count", "for_each", "provider", "providers", "depends_on", "source", "version"})
_META_BLOCKS = frozenset({"provisioner", "connection"})
_OF_INSTANCES = frozenset({"each", "count"})

Bound = Mapping[str, Value]
Lines = dict[tuple[str | int, ...], Place]


class Sources(Protocol):
    """Where the folders of modules come from."""

    def folder(self, source: str, caller: Folder, address: str) -> Folder | Unknown:
        """Return the folder of a module; Unknown, with the reason, if it is not here."""


@dataclass
class Root:
    """What all modules under one root share."""

    path: Path
    base: Path
    sources: Sources
    missing: dict[Place, Missing] = field(default_factory=dict)
    folders: dict[Path, Folder] = field(default_factory=dict)
    modules: int = 0


@dataclass
class Keys:
    """
    The instances that ``count`` or ``for_each`` make.

    Attributes
    ----------
    bound
        What is bound in each.
    keys
        Of the instances; None if there is neither.
    why
        Why they are not known, if so.
    alike
        Whether they differ in nothing.
    """

    bound: list[Mapping[str, Value]]
    keys: list[str] | list[int] | None = None
    why: Unknown | None = None
    alike: bool = False

    def each(self, address: str) -> list[tuple[str, Mapping[str, Value]]]:
        """Return the address of each instance and what is bound in it; those that differ in nothing are one."""
        if self.keys is None or self.alike:
            return [(address, bound) for bound in self.bound[:1]]
        names = [keyed(address, key) for key in self.keys]
        return list(zip(names, self.bound, strict=True))


class Module:
    """
    One call of a module, or the root.

    Parameters
    ----------
    folder
        What its files say.
    root
        What it shares with the others.
    address
        ``module.job``; empty for the root.
    given
        Asks for the value that a variable is given; a variable that is not in it is not given.
    callers
        The folders of the modules that lead here, to see a module that calls itself.

    Attributes
    ----------
    written
        How what its variables are given is written, where it is.
    caller
        The module that calls it, and what is bound there; None of a root.
    """

    def __init__(
        self,
        folder: Folder,
        root: Root,
        address: str,
        given: Mapping[str, Callable[[], Value]],
        callers: tuple[Path, ...] = (),
    ) -> None:
        self.source = folder
        self.root = root
        self.address = address
        self.given = given
        self.callers = (*callers, folder.path)
        self.written: Mapping[str, Written] = {}
        self.caller: tuple[Module, Bound] | None = None
        self._known: dict[tuple[str, ...], Value] = {}
        self._under_way: set[tuple[str, ...]] = set()
        root.folders[folder.path] = folder
        root.modules += 1

    def _once(self, key: tuple[str, ...], ask: Callable[[], Value]) -> Value:
        if key in self._known:
            return self._known[key]
        if key in self._under_way:
            return Unknown(f"{'.'.join(key)} refers to itself")
        self._under_way.add(key)
        try:
            self._known[key] = ask()
        finally:
            self._under_way.discard(key)
        return self._known[key]

    # what an expression may ask for

    def variable(self, name: str) -> Value:
        """Return ``var.<name>``."""
        return self._once(("var", name), lambda: self._variable(name))

    def local(self, name: str) -> Value:
        """Return ``local.<name>``."""
        written = self.source.locals.get(name)
        if written is None:
            return Unknown(f"local.{name} is not declared in what could be read")
        return self._once(("local", name), lambda: told(written.value, self, {}))

    def module(self, name: str) -> Value:
        """Return ``module.<name>``: its outputs, or those of its instances."""
        call = self.source.calls.get(name)
        if call is None:
            return Unknown(f"module.{name} is not declared in what could be read")
        return self._once(("module", name), lambda: self._outputs_of(call))

    def resource(self, kind: str, name: str, *, data: bool) -> Resource:
        """Return a resource or a data source."""
        address = self._address(("data" if data else "resource", kind, name))
        block = self.source.resources.get(("data" if data else "resource", kind, name))
        if block is None:
            return Resource(address, Unknown(f"{address} is not declared in what could be read"))
        keys = self._once(("instances of", address), lambda: self.keys(block.body))
        if isinstance(keys, Unknown):
            return Resource(address, keys)
        return Resource(address, keys.why or keys.keys, alike=keys.alike)

    def path(self, name: str) -> Value:
        """Return ``path.<name>``."""
        if name == "root":
            return "."
        if name == "module":
            return Path(os.path.relpath(self.source.path, self.root.path)).as_posix()
        return Unknown(f"path.{name} is known only where Terraform runs")

    def file(self, path: str) -> str | Unknown:
        """Return the text of a file in what is read; no other is looked into."""
        try:
            found = (self.root.path / path).resolve()
            if not any(found.is_relative_to(one.resolve()) for one in (self.root.base, self.source.path)):
                return Unknown(f"the file {path} lies outside of what is read")
            if found.stat().st_size > _LARGEST_FILE:
                return Unknown(f"the file {path} is very large")
            return found.read_text("utf-8")
        except (OSError, ValueError, RuntimeError):
            return Unknown(f"the file {path} cannot be read")

    # variables

    def _variable(self, name: str) -> Value:
        declared = self.source.variables.get(name)
        if declared is None:
            return Unknown(f"var.{name} is not declared in what could be read")
        attributes = declared.body.attributes
        if any(self._switch(attributes.get(one)) is not False for one in ("sensitive", "ephemeral")):
            return SENSITIVE
        value = self.given[name]() if name in self.given else None
        if name not in self.given or (value is None and self._switch(attributes.get("nullable"), True) is False):
            if "default" not in attributes:
                return Unknown(f"var.{name} has no default")
            value = told(attributes["default"].value, self, {})
        kind = attributes.get("type")
        try:
            return value if kind is None else typed(value, kind.value)
        except Wrong as wrong:
            return Unknown(f"var.{name} is not of its type: {wrong.because}")

    def _switch(self, written: Written | None, default: bool = False) -> Value:
        return default if written is None else told(written.value, self, {})

    def told(self, node: syntax.Node, bound: Bound) -> Value:
        """Return what an expression says here."""
        return told(node, self, bound)

    # instances

    def keys(self, body: Body) -> Keys:
        """Return the instances that a block's ``count`` or ``for_each`` make."""
        count, for_each = body.attributes.get("count"), body.attributes.get("for_each")
        if count is not None:
            keys = self._counted(self._open(count.value, lambda value: to_number(value) == 0))
        elif for_each is not None:
            keys = self._each(self._open(for_each.value, lambda value: value in ([], {})))
        else:
            return Keys([{}])
        return replace(keys, alike=not syntax.mentions(body, _OF_INSTANCES))

    def _open(self, node: syntax.Node, is_none: Callable[[Value], bool]) -> Value:
        """
        Return what *node* says; of a choice between something and nothing that is open, the something.

        A block that may be left out is looked at as it is when it is there.
        """
        value = told(node, self, {})
        if isinstance(value, Unknown) and isinstance(node, syntax.If) and value != SENSITIVE:
            try:
                there = [one for one in (told(node.yes, self, {}), told(node.no, self, {})) if not is_none(one)]
            except Wrong:
                return value
            if len(there) == 1:
                return there[0]
        return value

    def _counted(self, value: Value) -> Keys:
        why = doubt(value)
        try:
            number = None if why is not None else to_number(value)
        except Wrong as wrong:
            why = Unknown(wrong.because)
        if why is None and isinstance(number, int) and 0 <= number <= MOST_INSTANCES:
            return Keys([{"count": {"index": at}} for at in range(number)], list(range(number)))
        why = why or Unknown(f"count is {value}")
        return Keys([{"count": {"index": Unknown(f"count.index: {why.because}")}}], why=why)

    def _each(self, value: Value) -> Keys:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            pairs = {one: one for one in value}
        elif isinstance(value, dict):
            pairs = {key: value[key] for key in sorted(value)}
        else:
            why = doubt(value) or Unknown("for_each is neither a map nor a set of texts")
            return Keys([_each_unknown(why)], why=why)
        if len(pairs) > MOST_INSTANCES:
            why = Unknown(f"for_each has {len(pairs)} elements")
            return Keys([_each_unknown(why)], why=why)
        return Keys([{"each": {"key": key, "value": one}} for key, one in pairs.items()], list(pairs))

    # the modules that it calls

    @cached_property
    def _called(self) -> dict[str, list[Module] | Unknown]:
        return {}

    def instances_of(self, call: RawBlock) -> tuple[Keys, list[Module] | Unknown]:
        """Return the modules that a ``module`` block calls, one for each instance."""
        name = call.labels[0]
        keys = self._once(("instances of", "module", name), lambda: self.keys(call.body))
        if isinstance(keys, Unknown):
            keys = Keys([{}], why=keys)
        if name not in self._called:
            self._called[name] = self._call(call, keys)
        return keys, self._called[name]

    def _call(self, call: RawBlock, keys: Keys) -> list[Module] | Unknown:
        address = self._prefixed(f"module.{call.labels[0]}")
        found = self._folder_of(call, address)
        if isinstance(found, Unknown):
            source = call.body.attributes.get("source")
            place = Place(source.file, source.line) if source else Place(call.file, call.line)
            self.root.missing.setdefault(place, Missing(place, address, found.because))
            return Unknown(f"{address} was not looked into: {found.because}")
        made = [self._instance(call, found, one, bound) for one, bound in keys.each(address)]
        return made * len(keys.bound) if keys.alike else made

    def _folder_of(self, call: RawBlock, address: str) -> Folder | Unknown:
        source = call.body.attributes.get("source")
        told_source = told(source.value, self, {}) if source else Unknown("it has no source")
        if not isinstance(told_source, str):
            return doubt(told_source) or Unknown("its source is no text")
        if len(self.callers) >= DEEPEST or self.root.modules >= MOST_MODULES:
            return Unknown(f"more than {DEEPEST} modules deep, or more than {MOST_MODULES} of them, are not followed")
        found = self.root.sources.folder(told_source, self.source, address)
        if isinstance(found, Folder) and found.path in self.callers:
            return Unknown(f"{told_source} leads back to a module that calls it")
        return found

    def _instance(self, call: RawBlock, folder: Folder, address: str, bound: Mapping[str, Value]) -> Module:
        def asks(written: Written) -> Callable[[], Value]:
            return lambda: told(written.value, self, bound)

        written = {name: one for name, one in call.body.attributes.items() if name not in _META}
        given = {name: asks(one) for name, one in written.items()}
        made = Module(folder, self.root, address, given, self.callers)
        made.written, made.caller = written, (self, bound)
        return made

    def _outputs_of(self, call: RawBlock) -> Value:
        keys, modules = self.instances_of(call)
        if isinstance(modules, Unknown):
            return modules
        outputs = [module.outputs() for module in modules]
        if keys.why is not None:
            return Instances(outputs[0], keys.why)
        if keys.keys is None:
            return outputs[0]
        if "count" in call.body.attributes:
            return outputs
        return dict(zip(map(str, keys.keys), outputs, strict=True))

    def outputs(self) -> Lazy:
        """Return its outputs, each worked out when it is asked for."""
        return Lazy(list(self.source.outputs), self.output)

    def output(self, name: str) -> Value:
        """Return one output."""
        declared = self.source.outputs[name].body.attributes
        if self._switch(declared.get("sensitive")) is not False:
            return SENSITIVE
        written = declared.get("value")
        if written is None:
            return Unknown(f"the output {name} has no value")
        return self._once(("output", name), lambda: told(written.value, self, {}))

    # blocks

    def _prefixed(self, name: str) -> str:
        return f"{self.address}.{name}" if self.address else name

    def _address(self, key: tuple[str, str, str]) -> str:
        return self._prefixed(".".join(key[1:] if key[0] == "resource" else key))

    def blocks(self) -> Iterator[Block]:
        """Yield its resources and data sources, and those of the modules that it calls."""
        for module in self.everyone():
            for raw in module.raw_blocks():
                yield from module._blocks(raw)

    def everyone(self) -> Iterator[Module]:
        """Yield it, and the modules that it calls; of those that differ in nothing, one."""
        yield self
        for call in self.source.calls.values():
            keys, modules = self.instances_of(call)
            if isinstance(modules, Unknown) or not modules:
                continue
            for module in modules[:1] if keys.alike else modules:
                yield from module.everyone()

    def raw_blocks(self) -> list[RawBlock]:
        """Return its own resources and data sources as they are written."""
        return [*self.source.resources.values(), *self.source.twice]

    def each(self, raw: RawBlock) -> list[tuple[str, Bound]]:
        """Return the address of each instance of a resource, and what is bound in it."""
        address = self._address((raw.type, raw.labels[0], raw.labels[1]))
        keys = self._once(("instances of", address), lambda: self.keys(raw.body))
        return (Keys([{}], why=keys) if isinstance(keys, Unknown) else cast(Keys, keys)).each(address)

    def _blocks(self, raw: RawBlock) -> Iterator[Block]:
        mode: Literal["managed", "data"] = "managed" if raw.type == "resource" else "data"
        kind, name = raw.labels
        for own, bound in self.each(raw):
            lines: Lines = {}
            values = self._values(raw.body, bound, (), lines)
            yield Block(mode, kind, name, own, values, Place(raw.file, raw.line), lines, raw.end)

    def _values(
        self, body: Body, bound: Mapping[str, Value], path: tuple[str | int, ...], lines: Lines
    ) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for name, written in body.attributes.items():
            if not path and name in _META:
                continue
            if name == "ignore_changes":
                value: Value = _names_in(written.value)
            else:
                value = exported(told(written.value, self, bound))
            if value is None:
                continue
            values[name] = value
            place = Place(written.file, written.line)
            lines[(*path, name)] = place
            _lines_within(written.value, (*path, name), written.file, lines)
        for block in body.blocks:
            if path or block.type not in _META_BLOCKS:
                self._nested(block, bound, path, values, lines)
        return values

    def _nested(
        self,
        block: RawBlock,
        bound: Mapping[str, Value],
        path: tuple[str | int, ...],
        values: dict[str, Value],
        lines: Lines,
    ) -> None:
        is_dynamic = block.type == "dynamic" and len(block.labels) == 1
        name = block.labels[0] if is_dynamic else block.type
        found = values.get(name)
        if not isinstance(found, list):
            # an attribute and blocks of one name are refused by Terraform; the blocks are the more usual
            found = values[name] = []
        place = Place(block.file, block.line)
        lines.setdefault((*path, name), place)
        for inner, content in self.dynamic(block, bound) if is_dynamic else [(bound, block.body)]:
            here = (*path, name, len(found))
            lines[here] = place
            found.append(inner if isinstance(inner, Unknown) else self._values(content, inner, here, lines))
        if not found:
            del values[name]
            del lines[(*path, name)]

    def dynamic(self, block: RawBlock, bound: Mapping[str, Value]) -> list[tuple[Mapping[str, Value] | Unknown, Body]]:
        """Return what is bound in each block that a ``dynamic`` makes; one Unknown if that is open."""
        name = block.labels[0]
        content = next((one.body for one in block.body.blocks if one.type == "content"), None)
        written = block.body.attributes.get("for_each")
        if content is None or written is None:
            return [(Unknown("a dynamic block without for_each or content"), block.body)]
        iterator = block.body.attributes.get("iterator")
        called = (syntax.spelled(iterator.value) or name) if iterator else name
        over = told(written.value, self, bound)
        if isinstance(over, list):
            pairs = [(value if isinstance(over, Set) else at, value) for at, value in enumerate(over)]
        elif isinstance(over, dict):
            pairs = [(key, over[key]) for key in sorted(over)]
        else:
            return [(top_doubt(over) or Unknown("for_each is neither a list nor a map"), content)]
        if len(pairs) > MOST_INSTANCES:
            return [(Unknown(f"for_each has {len(pairs)} elements"), content)]
        return [({**bound, called: {"key": key, "value": value}}, content) for key, value in pairs]


def _each_unknown(why: Unknown) -> Mapping[str, Value]:
    return {"each": {"key": Unknown(f"each.key: {why.because}"), "value": Unknown(f"each.value: {why.because}")}}


def _names_in(node: syntax.Node) -> list[str]:
    if isinstance(node, syntax.List):
        return [syntax.spelled(item.value) for item in node.items]
    return [syntax.spelled(node)]


def _lines_within(node: syntax.Node, path: tuple[str | int, ...], file: str, lines: Lines) -> None:
    """Note the lines of what stands in a list or an object that is written there and then."""
    waiting = [(node, path)]
    while waiting:
        one, here = waiting.pop()
        if isinstance(one, syntax.Call) and one.name == "jsonencode" and len(one.arguments) == 1:
            waiting.append((one.arguments[0], here))
        elif isinstance(one, syntax.Template) and one.line:
            # what is open stands inside of a text, or is a value of its own: null is fit for both
            text = "".join(str(part.value) if isinstance(part, syntax.Literal) else "null" for part in one.parts)
            for inside, line in json_lines(text, one.line):
                lines[(*here, *inside)] = Place(file, line)
        elif isinstance(one, (syntax.List, syntax.Object)):
            for at, item in enumerate(one.items):
                key = at if item.key is None else getattr(item.key, "value", None)
                if isinstance(key, (str, int)):
                    lines[(*here, key)] = Place(file, item.line)
                    waiting.append((item.value, (*here, key)))
