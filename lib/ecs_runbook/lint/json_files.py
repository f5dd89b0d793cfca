"""Terraform's JSON syntax, with its lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from fractions import Fraction
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from ecs_runbook.lint.numbers import number
from ecs_runbook.lint.spans import LISTENS, looked_up, within
from ecs_runbook.lint.syntax import Body, Item, List, Literal, Node, Object, RawBlock, Written

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_LABELS = {"resource": 2, "data": 2, "ephemeral": 2, "variable": 1, "output": 1, "module": 1, "provider": 1, "check": 1}
# An object in a resource is a block unless it is one of these; no schema is at hand to tell.
_MAPS = frozenset({"tags", "tags_all", "triggers", "triggers_replace", "keepers", "input", "vars", "variables"})
_ALL_ATTRIBUTES = frozenset({"module", "variable", "output", "locals"})

ReadTemplate = Callable[[str, int], Node]


class JsonFault(Exception):
    """A JSON file cannot be read: the line, and why."""

    def __init__(self, line: int, because: str) -> None:
        super().__init__(because)
        self.line = line
        self.because = because


class Json(NamedTuple):
    """A value of JSON with the lines that it begins and ends in; an object is a tuple of (key, line, value)."""

    value: Any
    line: int
    end: int
    start_pos: int = 0
    end_pos: int = 0


def json_body(text: str, file: str, template: ReadTemplate) -> tuple[Body, list[tuple[int, str]]]:
    """
    Return what a ``.tf.json`` or ``.tfvars.json`` file says, and its comments: the texts under ``//``.

    Raises
    ------
    JsonFault
        It is not JSON, or not an object.
    """
    top = _Reader(text).whole()
    comments: list[tuple[int, str]] = []
    body = Body()
    write = _Writer(text, file, template, comments)
    for one in write.objects(top, "the file"):
        for key, line, value in write.pairs(one):
            if key in ("locals", "terraform", "moved", "import", "removed"):
                write.blocks(body, key, (), 0, value, line)
            elif key in _LABELS and file.endswith(".tf.json"):
                write.blocks(body, key, (), _LABELS[key], value, line)
            else:
                body.attributes[key] = Written(write.node(value), file, line)
    return body, comments


def json_lines(text: str, first: int) -> Iterator[tuple[tuple[str | int, ...], int]]:
    r"""
    Yield the path and the line of everything in a JSON text whose first line is line *first*; nothing if it is none.

    Examples
    --------
    >>> list(json_lines('{\n "a": [\n 1]}', 10))
    [(('a',), 11), (('a', 0), 12)]
    """
    try:
        waiting: list[tuple[tuple[str | int, ...], Json]] = [((), _Reader(text).whole())]
    except (JsonFault, RecursionError):
        return
    while waiting:
        path, one = waiting.pop()
        inside: list[tuple[str | int, int, Json]] = []
        if isinstance(one.value, tuple):
            inside = list(one.value)
        elif isinstance(one.value, list):
            inside = [(at, value.line, value) for at, value in enumerate(one.value)]
        for key, line, value in inside:
            yield (*path, key), first + line - 1
            waiting.append(((*path, key), value))


def json_at(text: str, path: tuple[str | int, ...]) -> Json | None:
    """
    Return what stands at *path* of a JSON text, with its place there; None if nothing does.

    Raises
    ------
    JsonFault
        It is not JSON.

    Examples
    --------
    >>> json_at('{"a": [7, "b"]}', ("a", 1))
    Json(value='b', line=1, end=1, start_pos=10, end_pos=13)
    """
    one = _Reader(text).whole()
    for step in path:
        inside: Any = None
        if isinstance(one.value, tuple):
            inside = next((value for key, _, value in one.value if key == step), None)
        elif isinstance(one.value, list) and isinstance(step, int) and step < len(one.value):
            inside = one.value[step]
        if inside is None:
            return None
        one = inside
    return one


class _Writer:
    def __init__(self, text: str, file: str, template: ReadTemplate, comments: list[tuple[int, str]]) -> None:
        self.text = text
        self.file = file
        self.template = template
        self.comments = comments

    def objects(self, value: Json, what: str) -> Iterator[Json]:
        if isinstance(value.value, tuple):
            yield value
        elif isinstance(value.value, list):
            for one in value.value:
                yield from self.objects(one, what)
        elif value.value is not None:
            raise JsonFault(value.line, f"{what} must be an object")

    def pairs(self, value: Json) -> Iterator[tuple[str, int, Json]]:
        for key, line, inside in value.value:
            if key != "//":
                yield key, line, inside
            elif isinstance(inside.value, str):
                self.comments.append((line, inside.value))

    def blocks(self, body: Body, kind: str, labels: tuple[str, ...], left: int, value: Json, line: int) -> None:
        for one in self.objects(value, ".".join((kind, *labels))):
            if left:
                for key, key_line, inside in self.pairs(one):
                    self.blocks(body, kind, (*labels, key), left - 1, inside, key_line)
            else:
                body.blocks.append(RawBlock(kind, labels, self.body(one, kind), self.file, line, one.end))

    def body(self, value: Json, kind: str) -> Body:
        body = Body()
        for key, line, inside in self.pairs(value):
            if key == "dynamic" and kind not in _ALL_ATTRIBUTES:
                self.blocks(body, "dynamic", (), 1, inside, line)
            elif kind not in _ALL_ATTRIBUTES and key not in _MAPS and self._is_block(inside):
                for one in self.objects(inside, key):
                    body.blocks.append(RawBlock(key, (), self.body(one, key), self.file, line, one.end))
            elif kind == "variable" and key == "type":
                body.attributes[key] = Written(self._type(inside), self.file, line)
            elif key in ("ignore_changes", "depends_on", "provider"):
                body.attributes[key] = Written(self.plain(inside), self.file, line)
            else:
                literal = kind == "variable" and key == "default"
                body.attributes[key] = Written(self.plain(inside) if literal else self.node(inside), self.file, line)
            if (listener := LISTENS.get()) is not None:
                listener.note(body.attributes.get(key), inside.start_pos, inside.end_pos)
        return body

    def _is_block(self, value: Json) -> bool:
        if isinstance(value.value, list):
            return bool(value.value) and all(isinstance(one.value, tuple) for one in value.value)
        return isinstance(value.value, tuple)

    def _type(self, value: Json) -> Node:
        return self.template("${" + value.value + "}", value.line).parts[0] if isinstance(value.value, str) else None

    def plain(self, value: Json) -> Node:
        return self._made(value, lambda text, _: Literal(text))

    def node(self, value: Json) -> Node:
        return self._made(value, self.template)

    def _made(self, value: Json, text: ReadTemplate) -> Node:
        listener = LISTENS.get()
        if listener is None:
            return self._read(value, text)
        inside = looked_up(places_in_string(self.text, value.start_pos)) if isinstance(value.value, str) else None
        with within(inside) if inside else nullcontext():
            made = self._read(value, text)
        listener.note(made, value.start_pos, value.end_pos)
        return made

    def _read(self, value: Json, text: ReadTemplate) -> Node:
        if isinstance(value.value, str):
            return text(value.value, value.line)
        if isinstance(value.value, list):
            return List(tuple(Item(None, self._made(one, text), one.line) for one in value.value))
        if isinstance(value.value, tuple):
            return Object(tuple(Item(text(key, line), self._made(one, text), line) for key, line, one in value.value))
        return Literal(value.value)


def places_in_string(text: str, start: int) -> list[int]:
    r"""
    Return where each character of a JSON string is written, and the string's closing quote.

    Examples
    --------
    >>> places_in_string(r'"a\"b"', 0)
    [1, 2, 4, 5]
    """
    places: list[int] = []
    at = start + 1
    while text[at] != '"':
        places.append(at)
        if text[at] != "\\":
            at += 1
        elif text[at + 1] != "u":
            at += 2
        else:
            is_pair = _SURROGATES.match(text, at)
            at = is_pair.end() if is_pair else at + 6
    return [*places, at]


_SURROGATES = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.counted = 0
        self.line = 1

    def whole(self) -> Json:
        value = self.value()
        self._space()
        if self.at < len(self.text):
            raise self._fault()
        return value

    def value(self) -> Json:
        self._space()
        line, start = self._line(), self.at
        char = self.text[self.at : self.at + 1]
        if char == '"':
            told: Any = self._string()
        elif char == "{":
            told = self._object()
        elif char == "[":
            told = self._list()
        elif found := _NUMBER.match(self.text, self.at):
            self.at = found.end()
            told = _number(found.group())
        else:
            word = next((word for word in _WORDS if self.text.startswith(word, self.at)), None)
            if word is None:
                raise self._fault()
            self.at += len(word)
            told = _WORDS[word]
        return Json(told, line, self._line(), start, self.at)

    def _object(self) -> tuple[tuple[str, int, Json], ...]:
        pairs: list[tuple[str, int, Json]] = []
        self.at += 1
        while not self._ends("}", first=not pairs):
            self._space()
            line = self._line()
            if self.text[self.at : self.at + 1] != '"':
                raise self._fault()
            key = self._string()
            self._take(":")
            pairs.append((key, line, self.value()))
        return tuple(pairs)

    def _list(self) -> list[Json]:
        items: list[Json] = []
        self.at += 1
        while not self._ends("]", first=not items):
            items.append(self.value())
        return items

    def _ends(self, closer: str, *, first: bool) -> bool:
        self._space()
        char = self.text[self.at : self.at + 1]
        if char == closer:
            self.at += 1
            return True
        if first:
            return False
        if char != ",":
            raise self._fault()
        self.at += 1
        return False

    def _string(self) -> str:
        try:
            told, self.at = scanstring(self.text, self.at + 1, True)
        except JSONDecodeError as error:
            raise JsonFault(error.lineno, f"this is not JSON: {error.msg}") from None
        return str(told)

    def _take(self, char: str) -> None:
        self._space()
        if self.text[self.at : self.at + 1] != char:
            raise self._fault()
        self.at += 1

    def _space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _line(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def _fault(self) -> JsonFault:
        told = self.text[self.at : self.at + 1]
        because = f"{told!r} was not expected here" if told else "the file ends where something must follow"
        return JsonFault(self._line(), f"this is not JSON: {because}")


def _number(text: str) -> Any:
    # an exponent of a million digits is no number that anyone means
    mantissa, _, exponent = text.lower().partition("e")
    return number(Fraction(text)) if not exponent or abs(int(exponent)) < 400 else float(mantissa) * 0
