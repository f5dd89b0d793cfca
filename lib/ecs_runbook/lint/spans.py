"""Where each expression stands in its text: noted beside the nodes, only for whoever wants to edit the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from ecs_runbook.lint.syntax import Body, RawBlock

Way = Callable[[int], int]
"""From a place in a text that was taken out of another, to the place in that other."""


class Span(NamedTuple):
    """The first character, and the one after the last; an attribute's is that of its name and its value."""

    start: int
    end: int


class Spans:
    """The spans of the nodes that are made while it listens, by the node itself."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[Any, Span]] = {}
        self._ways: list[Way] = []

    def note(self, node: Any, start: int, end: int) -> None:
        """Keep where a node stands; of one in parentheses, that without them, which is told first."""
        if not isinstance(node, tuple) or id(node) in self._of:
            return
        for way in reversed(self._ways):
            start, end = way(start), way(end)
        # the node is kept, so that no other can get its id
        self._of[id(node)] = (node, Span(start, end))

    def get(self, node: Any) -> Span | None:
        """Return where a node stands; None if that was not told."""
        told = self._of.get(id(node))
        return told[1] if told else None

    @contextmanager
    def within(self, way: Way) -> Iterator[None]:
        """Take what is told meanwhile to be of a text that stands inside of the present one."""
        self._ways.append(way)
        try:
            yield
        finally:
            self._ways.pop()

    def of_twin(self, twin: Any, here: Any) -> None:
        """Take the spans of *here* for *twin* too: the same file, read at another time."""
        waiting = [(twin, here)]
        while waiting:
            one, other = waiting.pop()
            if isinstance(one, Body):
                waiting += [(one.attributes[name], other.attributes[name]) for name in one.attributes]
                waiting += list(zip(one.blocks, other.blocks, strict=True))
            elif isinstance(one, RawBlock):
                waiting.append((one.body, other.body))
            elif isinstance(one, tuple):
                span = self.get(other)
                if span is not None:
                    self._of[id(one)] = (one, span)
                waiting += list(zip(one, other, strict=True))


LISTENS: ContextVar[Spans | None] = ContextVar("LISTENS", default=None)
"""Who wants to know."""


def shifted(by: int) -> Way:
    """Return the way out of a text that begins at *by*."""
    return lambda at: at + by


def looked_up(places: Sequence[int]) -> Way:
    """Return the way out of a text whose characters stand at *places*; the last of these is its end."""
    return lambda at: places[min(max(at, 0), len(places) - 1)]


@contextmanager
def within(way: Way) -> Iterator[None]:
    """Tell whoever listens that what follows is of a text inside of the present one."""
    listener = LISTENS.get()
    if listener is None:
        yield
        return
    with listener.within(way):
        yield
