"""Progress of many accounts and Regions: one bar each, or one for all if there are many."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from ecs_runbook.firing.asking import Bars
from ecs_runbook.inventory.model import Place

MOST_BARS = 12
"""With more places than these, one bar stands for all of them."""
T = TypeVar("T")
K = TypeVar("K")


class PlaceBars:
    """
    The bars of some places.

    Parameters
    ----------
    progress
        Where to show them; None for nowhere.
    places
        How many there are.
    """

    def __init__(self, progress: Bars | None, places: int) -> None:
        self._progress, self._places = progress, places
        self._lock = threading.Lock()
        self._seen: dict[Place, list[int]] = {}
        self._done = 0

    def counted(self, place: Place, items: Iterable[T]) -> Iterator[T]:
        """Yield *items*, each of which is to be looked at."""
        for item in items:
            with self._lock:
                self._seen.setdefault(place, [0, 0])[0] += 1
            yield item

    def each(self, place: Place, jobs: Mapping[K, Callable[[], T]]) -> dict[K, Callable[[], T]]:
        """Return *jobs* so that each counts as looked at when it is done."""

        def counting(job: Callable[[], T]) -> Callable[[], T]:
            def counted() -> T:
                done = job()
                self.looked(place)
                return done

            return counted

        return {key: counting(job) for key, job in self.counted(place, jobs.items())}

    def looked(self, place: Place) -> None:
        """One was looked at."""
        with self._lock:
            self._seen.setdefault(place, [0, 0])[1] += 1
            known, looked = self._seen[place]
        if self._progress and self._places <= MOST_BARS:
            self._progress.row(str(place), min(looked / max(known, 1), 0.99), f"{looked} of {known} looked at")

    def part(self, place: Place) -> Bars | None:
        """Return where to show how far one long part of *place* is: a bar of its own, if there are few places."""
        return _Part(self._progress, str(place)) if self._progress and self._places <= MOST_BARS else None

    def end(self, place: Place, note: str) -> None:
        """Nothing more is looked at in *place*."""
        with self._lock:
            self._done += 1
            done = self._done
        if self._progress and self._places <= MOST_BARS:
            self._progress.row(str(place), 1.0, note)
        elif self._progress:
            self._progress.row("places", done / self._places, f"{done} of {self._places}")


class _Part:
    """Bars that say of which place they are."""

    def __init__(self, progress: Bars, name: str) -> None:
        self._progress, self._name = progress, name

    def row(self, key: str, done: float, note: str = "") -> None:
        """Create or move the bar named *key*."""
        self._progress.row(f"{self._name} {key}", done, note)
