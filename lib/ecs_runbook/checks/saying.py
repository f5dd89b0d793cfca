"""How a check says OK, NG or SKIP of a row, and what it is given to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TypeAlias

from ecs_runbook.checks.findings import Finding
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.inventory.model import Facts, Gap, Place, Row
from ecs_runbook.lint.registry import Severity


@dataclass(frozen=True)
class Scene:
    """
    What the checks of one place look at besides the row.

    Attributes
    ----------
    facts
        What AWS says of what the rows name.
    now
        Aware.
    zone
        The reader's; ``zone_name`` as the reader wrote it.
    lasts
        How many seconds the task of each row took, oldest first, by the row's subject.
    """

    facts: Facts
    now: datetime
    zone: tzinfo = UTC
    zone_name: str = "UTC"
    lasts: Mapping[str, Sequence[float]] = field(default_factory=dict)


Check: TypeAlias = Callable[[Row, Scene], Iterator[Finding]]
"""A check yields nothing for a row that it does not apply to."""


def ok(check: str, row: Row, because: str) -> Finding:
    """Return that *check* found *row* in order."""
    return Finding(check, row.place, row.subject, "OK", because, "", KINDS[check].severity, "")


def ng(check: str, row: Row, because: str, mend: str = "", *, severity: Severity | None = None) -> Finding:
    """Return that *check* found something: with the kind's own mend and severity, where none is given."""
    kind = KINDS[check]
    return Finding(
        check, row.place, row.subject, "NG", because, mend or kind.mend, severity or kind.severity, kind.notebook
    )


def skip(check: str, row: Row, gap: Gap | str) -> Finding:
    """Return that *check* could not look: the gap names what is missing."""
    return _skip(check, row.place, row.subject, gap)


def skip_at(check: str, place: Place, subject: str, gap: Gap | str) -> Finding:
    """Return that *check* could not look at *subject*, which is no row: a Region, a bus, a queue."""
    return _skip(check, place, subject, gap)


def _skip(check: str, place: Place, subject: str, gap: Gap | str) -> Finding:
    kind = KINDS[check]
    if isinstance(gap, Gap) and gap.denied:
        mend = f"Allow the caller {gap.operation}."
    elif isinstance(gap, Gap):
        mend = "Check again; if it stays so, ask as somebody who is answered."
    else:
        mend = kind.mend
    return Finding(check, place, subject, "SKIP", str(gap), mend, kind.severity, kind.notebook)


def listed(items: Sequence[str], most: int = 3) -> str:
    """
    Name the first few.

    Examples
    --------
    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")
