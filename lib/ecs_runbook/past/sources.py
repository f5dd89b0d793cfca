"""Where facts come from: what every source answers, and the first of them, CloudTrail's own LookupEvents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence.trail import KEEPS
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.calls import records
from ecs_runbook.inventory.fleet import PLACES_AT_ONCE, Fleet
from ecs_runbook.inventory.model import Place
from ecs_runbook.past.facts import EVENT_NAMES, facts_of_record, frame, settled

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Window:
    """A time range, aware, both ends in it."""

    since: datetime
    until: datetime

    def __contains__(self, moment: datetime) -> bool:
        """Say whether *moment* lies in it; CloudTrail tells whole seconds."""
        return self.since.replace(microsecond=0) <= moment <= self.until


@dataclass(frozen=True)
class Broken:
    """What could not be read, a file or a record, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Told:
    """
    What a source answered.

    Attributes
    ----------
    facts
        As from :func:`~ecs_runbook.past.facts.frame`: each once, in one order. Revisions may be older than the range.
    asked
        ``{"source", "answered", "answer", "calls"}`` for each place or file system that was asked.
    broken
        What could not be read; the rest was.
    since
        The oldest moment of the range that it knows of; None if that is not known but by the facts themselves.
    """

    facts: pd.DataFrame
    asked: Sequence[Mapping[str, Any]] = ()
    broken: Sequence[Broken] = ()
    since: datetime | None = None


class Source(Protocol):
    """Where facts are read."""

    @property
    def name(self) -> str:
        """How it is called."""

    def facts(self, window: Window, progress: Bars | None = None) -> Told:
        """Return the facts of a time range."""


@dataclass(frozen=True)
class Together:
    """
    Several sources as one, such as log files and the ends of tasks: what any of them tells, each fact once.

    Parameters
    ----------
    sources
        They are asked one after another. One that AWS refuses to answer for is told of, and the others' answers count.
    """

    sources: Sequence[Source]

    @property
    def name(self) -> str:
        """The names of all of them."""
        return " + ".join(one.name for one in self.sources)

    def facts(self, window: Window, progress: Bars | None = None) -> Told:
        """
        Return the facts of a time range.

        Raises
        ------
        AwsError
            If none of them could be asked.
        """
        import pandas as pd

        told: list[Told] = []
        refused: list[tuple[Source, AwsError]] = []
        for source in self.sources:
            try:
                told.append(source.facts(window, progress))
            except AwsError as error:
                refused.append((source, error))
        if refused and not told:
            raise refused[0][1]
        silent = [{"source": one.name, "answered": False, "answer": str(why), "calls": 0} for one, why in refused]
        every = [one.facts for one in told]
        return Told(
            settled(pd.concat(every, ignore_index=True)) if every else frame([]),
            [*(asked for one in told for asked in one.asked), *silent],
            [broken for one in told for broken in one.broken],
            next((one.since for one in told if one.since), None),
        )


@dataclass(frozen=True)
class LookupEvents:
    """
    CloudTrail's Event history of accounts and Regions: 90 days, 100 records a second and place at best.

    Parameters
    ----------
    fleet
        The places, from :func:`~ecs_runbook.inventory.fleet.fleet`.

    Notes
    -----
    One look for each of :data:`~ecs_runbook.past.facts.EVENT_NAMES`. Needs ``cloudtrail:LookupEvents``.
    Source: AWS docs, CloudTrail LookupEvents: 90 days, per Region, 2 calls a second, 50 records each.
    """

    fleet: Fleet
    name: str = field(default="LookupEvents", init=False)

    def facts(self, window: Window, progress: Bars | None = None) -> Told:
        """Return the facts of a time range; a place that does not answer is told of, and the others' answers count."""
        jobs = {place: partial(self._of, place, window, progress) for place in self.fleet.places}
        told = self.fleet.gate.at_once(jobs, most=PLACES_AT_ONCE)
        gaps = [
            {"source": f"{self.name} in {gap.place}", "answered": False, "answer": str(gap), "calls": 0}
            for gap in self.fleet.gaps
        ]
        return Told(
            frame(row for place in sorted(told) for row in told[place][0]),
            [*(told[place][1] for place in sorted(told)), *gaps],
            [one for place in sorted(told) for one in told[place][2]],
            max((self._oldest(place, window) for place in told), default=None),
        )

    def _oldest(self, place: Place, window: Window) -> datetime:
        return max(window.since, self.fleet.at(place).now() - KEEPS)

    def _of(
        self, place: Place, window: Window, progress: Bars | None
    ) -> tuple[list[dict[str, Any]], dict[str, Any], list[Broken]]:
        ask, cloudtrail = self.fleet.ask(place), self.fleet.at(place).client("cloudtrail")
        rows: list[dict[str, Any]] = []
        unreadable: list[str] = []
        seen = pages = 0
        answered, words = True, ""
        since = self._oldest(place, window)
        if since > window.since:
            words = f"; it keeps {KEEPS.days} days, so nothing before {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        if since > window.until:
            told = {
                "source": f"{self.name} in {place}",
                "answered": False,
                "answer": f"was not asked{words}",
                "calls": 0,
            }
            return [], told, []
        try:
            for name in EVENT_NAMES:
                for page in records(
                    name,
                    since=since,
                    until=window.until,
                    cloudtrail=cloudtrail,
                    ask=ask,
                    limiter=None,
                    unreadable=unreadable.append,
                ):
                    rows += [fact for record in page for fact in facts_of_record(record)]
                    seen, pages = seen + len(page), pages + 1
                    if progress:
                        progress.row(str(place), _share(rows, window), f"{seen} records of {name}")
        except AwsError as error:
            answered, words = False, f"; then {error}{words}"
        if progress:
            progress.row(str(place), 1.0, f"{seen} records")
        told = {
            "source": f"{self.name} in {place}",
            "answered": answered,
            "answer": f"told of {seen} records of {', '.join(EVENT_NAMES)}{words}",
            "calls": pages,
        }
        broken = [Broken(f"{place}, event {one}", "its record is not JSON") for one in unreadable]
        return rows, told, broken


def _share(rows: Sequence[Mapping[str, Any]], window: Window) -> float:
    """Return how far back the newest look has come."""
    time: datetime | None = rows[-1]["time"] if rows else None
    whole = (window.until - window.since) / timedelta(seconds=1)
    if time is None or whole <= 0:
        return 0.0
    return min(max((window.until - time) / timedelta(seconds=1) / whole, 0.0), 1.0)
