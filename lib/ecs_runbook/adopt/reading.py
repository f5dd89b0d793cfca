"""Read many things of one account and Region side by side, at the rates that AWS allows, and say how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.inventory.bars import PlaceBars
from ecs_runbook.inventory.fleet import Fleet

T = TypeVar("T")
R = TypeVar("R")


class Reading:
    """
    One place being read.

    Parameters
    ----------
    places
        One place, from :func:`~ecs_runbook.inventory.fleet.fleet`: every call goes through its gate.
    progress
        Where to show how far it is.

    Attributes
    ----------
    aws, ask
        Who has the clients, and who makes the calls.
    """

    def __init__(self, places: Fleet, progress: Bars | None = None) -> None:
        self.place = places.places[0]
        self.aws, self.ask = places.at(self.place), places.ask(self.place)
        self._gate, self._bars = places.gate, PlaceBars(progress, 1)

    def each(self, operation: str, read: Callable[[T], R], items: Iterable[T]) -> dict[T, R | AwsError]:
        """Return what *read* returns for each of *items*, or AWS's refusal, as fast as *operation* may be called."""

        def looked(item: T) -> R:
            try:
                return read(item)
            finally:
                self._bars.looked(self.place)

        return dict(self._gate.each(operation, looked, self._bars.counted(self.place, items)))

    def end(self, note: str) -> None:
        """Nothing more is read."""
        self._bars.end(self.place, note)
