"""What a look back is asked, read from the notebook's parameters before anything else is asked."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.past.sources import Window
from ecs_runbook.wanted.schedule import zone_named

STALE_NOW, NEVER_RAN, FAILING = "stale", "never-ran", "failing"
FAIL_ON = (STALE_NOW, NEVER_RAN, FAILING)
"""What can make the verdict NG."""
LONGEST_DAYS = 3660.0


@dataclass(frozen=True)
class LookBack:
    """
    What a look back is asked.

    Attributes
    ----------
    window
        The range.
    zone
        The reader's.
    families
        Only these; all if empty.
    failing_hours
        A row of failures that lasts counts from this length on.
    broken_files
        So many files or records that cannot be read are put up with.
    need_ends
        Whether tasks of which nobody told how they ended are SKIP.
    fail_on
        Which of :data:`FAIL_ON` make the verdict NG.
    """

    window: Window
    zone: tzinfo = UTC
    families: tuple[str, ...] = ()
    failing_hours: float = 24.0
    broken_files: int = 0
    need_ends: bool = False
    fail_on: tuple[str, ...] = FAIL_ON

    def __str__(self) -> str:
        return "\n".join(f"{key}: {value}" for key, value in self._facts().items())

    def _facts(self) -> dict[str, str]:
        since, until = (
            f"{moment.astimezone(self.zone):%a %d %b %Y %H:%M %Z}" for moment in (self.window.since, self.window.until)
        )
        words = {
            STALE_NOW: "a schedule whose newest run took an older revision",
            NEVER_RAN: "a schedule that was due and never ran",
            FAILING: f"failures without an end for {self.failing_hours:g} hours and more",
        }
        return {
            "the time": f"{since} to {until}",
            "families": ", ".join(self.families) or "all",
            "NG is": "; ".join(words[one] for one in self.fail_on) or "nothing",
            "may be broken": f"{self.broken_files} files or records",
        }

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        rows = "".join(
            f"<tr><th {left}>{html.escape(key)}</th><td {left}>{html.escape(value)}</td></tr>"
            for key, value in self._facts().items()
        )
        return f"<table>{rows}</table>"


def look_back(
    *,
    now: datetime,
    days: float = 90.0,
    since: str = "",
    until: str = "",
    timezone: str = "UTC",
    families: Sequence[str] = (),
    failing_hours: float = 24.0,
    broken_files: int = 0,
    need_ends: bool = False,
    fail_on: Sequence[str] = FAIL_ON,
) -> LookBack:
    """
    Read what a look back is asked.

    Parameters
    ----------
    now
        Aware, by the clock of the AWS that is asked.
    days
        How far back, from *until*.
    since, until
        Instead of the days, and of now: a day or a moment as ISO 8601 writes it, in *timezone* unless it has an offset.
    timezone
        IANA name of the reader's zone.
    families
        Only these.
    failing_hours, broken_files, need_ends, fail_on
        What is NG, and what is put up with; see :class:`LookBack`.

    Raises
    ------
    SpecError
        If one of them is not what it has to be; every fault at once.

    Examples
    --------
    >>> now = datetime(2026, 11, 24, 7, tzinfo=UTC)
    >>> look_back(now=now, since="2026-11-01", timezone="Asia/Tokyo").window.since.isoformat()
    '2026-10-31T15:00:00+00:00'
    >>> look_back(now=now, days=-1)
    Traceback (most recent call last):
        ...
    ecs_runbook.errors.SpecError: There is no such look back.
      - days = -1: write more than 0 and at most 3660
    """
    zone = zone_named(timezone)
    faults: list[Fault] = []
    ends = _moment("until", until, zone, faults) or now
    begins = _moment("since", since, zone, faults)
    if not (math.isfinite(days) and 0 < days <= LONGEST_DAYS):
        faults.append(Fault("days", repr(days), f"write more than 0 and at most {LONGEST_DAYS:.0f}"))
    elif begins is None:
        begins = ends - timedelta(days=days)
    if begins is not None and begins >= ends:
        faults.append(Fault("since", repr(since), f"write a time before the end, {ends:%Y-%m-%d %H:%M} UTC"))
    faults += _about_ng(failing_hours, broken_files, fail_on)
    faults += [Fault("families", repr(one), "write its name without a revision") for one in families if _odd(one)]
    if faults or begins is None:
        raise SpecError("There is no such look back.", faults=faults)
    limits = (failing_hours, broken_files, need_ends, tuple(dict.fromkeys(fail_on)))
    return LookBack(Window(begins, ends), zone, tuple(dict.fromkeys(families)), *limits)


def _moment(name: str, text: str, zone: tzinfo, faults: list[Fault]) -> datetime | None:
    if not text:
        return None
    try:
        told = datetime.fromisoformat(text)
        return (told if told.tzinfo else told.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        faults.append(Fault(name, repr(text), "write a day or a moment, such as 2026-08-01 or 2026-08-01T06:00"))
        return None


def _about_ng(failing_hours: float, broken_files: int, fail_on: Sequence[str]) -> list[Fault]:
    faults = []
    if not (math.isfinite(failing_hours) and failing_hours >= 0):
        faults.append(Fault("failing_hours", repr(failing_hours), "write 0 or more hours"))
    if broken_files < 0:
        faults.append(Fault("broken_files", repr(broken_files), "write how many are put up with, 0 or more"))
    wrong = [one for one in fail_on if one not in FAIL_ON]
    return faults + [Fault("fail_on", repr(one), f"write some of {', '.join(FAIL_ON)}") for one in wrong]


def _odd(family: Any) -> bool:
    return not family or any(sign in family for sign in ":/ ")
