"""From the parameter ``source`` to where facts are read, and why there."""

from __future__ import annotations

import html
from dataclasses import dataclass

from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.past.sources import LookupEvents, Source, Told, Window

AUTO, LOOKUP = "auto", "lookup"


@dataclass(frozen=True)
class Opened:
    """A source, and why it is this one."""

    source: Source
    because: str

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    def facts(self, window: Window, progress: Bars | None = None) -> Told:
        """Return the facts of a time range."""
        return self.source.facts(window, progress)

    def __str__(self) -> str:
        return f"{self.name}: {self.because}"

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self.name)}</b>: {html.escape(self.because)}</p>"


def open_source(source: str, fleet: Fleet) -> Opened:
    """
    Return the source that a parameter names.

    Parameters
    ----------
    source
        ``auto`` or ``lookup``.
    fleet
        The accounts and Regions.

    Raises
    ------
    SpecError
        If it names none.
    """
    if source in (AUTO, LOOKUP):
        return Opened(LookupEvents(fleet), "it is what was named" if source == LOOKUP else "nothing else is there yet")
    mend = "write auto or lookup"
    raise SpecError("There is no such source.", faults=[Fault("source", repr(source), mend)])
