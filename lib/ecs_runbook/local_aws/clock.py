"""
The clock that the local AWS lives by: it runs as real time does, can stand still, and can be moved forward.

Whatever happens later (a rule's next minute, a task's next state) is an entry in the clock's diary. Moving the clock
forward runs what falls due in between, in order, each at its own moment: so a day passes in a blink, and nothing in
it is left out.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

_LOG = logging.getLogger(__name__)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_SLEEP = 3600.0  # seconds; the diary's next entry may lie years ahead


@dataclass(order=True)
class Entry:
    """One thing in the diary: when, and what then."""

    when: datetime
    number: int
    action: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """Never run it; an entry that has run already is not undone."""
        self.cancelled = True


class Clock:
    """
    A clock with a diary.

    Parameters
    ----------
    real
        Where real time comes from: aware UTC. The default is the machine's own clock, except that it never goes back,
        so that a corrected clock does not turn the trail's order round.
    lock
        Held while an action runs; the server gives the lock under which it answers calls.

    Examples
    --------
    >>> clock = Clock(real=lambda: datetime(2026, 11, 24, 12, tzinfo=UTC))
    >>> seen = []
    >>> _ = clock.at(datetime(2026, 11, 24, 17, tzinfo=UTC), lambda: seen.append(clock.now().isoformat()))
    >>> clock.advance_to(datetime(2026, 11, 25, 12, tzinfo=UTC)), seen
    (1, ['2026-11-24T17:00:00+00:00'])
    >>> clock.now().isoformat()
    '2026-11-25T12:00:00+00:00'
    """

    def __init__(
        self,
        real: Callable[[], datetime] | None = None,
        *,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self._real = real or _steady_utc()
        self._lock = lock or threading.RLock()
        self._diary: list[Entry] = []
        self._numbers = itertools.count()
        self._offset = timedelta(0)
        self._standing: datetime | None = None  # where the clock was frozen
        self._acting: datetime | None = None  # the moment of the action that runs right now
        self._acting_thread = 0
        self._last_acted = datetime.min.replace(tzinfo=UTC)
        self._changed = threading.Condition()
        self._closed = False

    def now(self) -> datetime:
        """Return the world's time: aware, UTC. Inside an action it is the action's own moment."""
        if self._acting is not None and self._acting_thread == threading.get_ident():
            return self._acting
        return self._standing if self._standing is not None else self._real() + self._offset

    @property
    def frozen(self) -> bool:
        """Whether the clock stands still."""
        return self._standing is not None

    def freeze(self) -> None:
        """Stand still; a frozen clock stays where it is."""
        with self._lock:
            self._standing = self.now()
        self._wake()

    def release(self) -> None:
        """Go on from where the clock stands, at the pace of real time."""
        with self._lock:
            if self._standing is not None:
                self._offset = self._standing - self._real()
                self._standing = None
        self._wake()

    def at(self, when: datetime, action: Callable[[], None]) -> Entry:
        """
        Run *action* at *when*; at the next opportunity if that has passed.

        Parameters
        ----------
        when
            An aware moment.
        action
            Called with no arguments, under the clock's lock. One that raises is logged, and the others run all the
            same.

        Raises
        ------
        ValueError
            If *when* is naive.
        """
        entry = Entry(_utc(when), next(self._numbers), action)
        with self._changed:
            heapq.heappush(self._diary, entry)
            if self._diary[0] is entry and self._acting is None:  # whoever runs the diary looks again by itself
                self._changed.notify_all()
        return entry

    def after(self, delay: timedelta, action: Callable[[], None]) -> Entry:
        """Run *action* when *delay* has passed by this clock."""
        return self.at(self.now() + delay, action)

    def advance_to(self, when: datetime) -> int:
        """
        Move forward to *when*, running what falls due on the way.

        Returns
        -------
        int
            How many actions ran. Those of the same moment run in the order in which they were entered.

        Raises
        ------
        ValueError
            If *when* is naive, or in the clock's past: what has happened has happened.
        """
        target = _utc(when)
        with self._lock:
            if target < self.now():
                message = (
                    f"to = {target.isoformat()}: the clock already shows {self.now().isoformat()} and never goes back."
                )
                raise ValueError(message)
            ran = self._run_until(target)
            if self._standing is not None:
                self._standing = max(self._standing, target)
            else:
                self._offset = max(self._offset, target - self._real())
        self._wake()
        return ran

    def catch_up(self) -> int:
        """Run what has fallen due by now, and return how many actions that were."""
        if not self._is_due():
            return 0
        with self._lock:
            if self._acting is not None:  # an action's own calls come by here, and must not run the diary again
                return 0
            ran = self._run_until(self.now())
        self._wake()
        return ran

    def keep_up(self) -> None:
        """Catch up for ever: the background thread's work. Returns once the clock is closed."""
        while self._wait_for_due():
            self.catch_up()

    def close(self) -> None:
        """Let the background thread end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run_until(self, target: datetime) -> int:
        ran = 0
        while (entry := self._pop_due(target)) is not None:
            self._act(entry)
            ran += 1
        return ran

    def _act(self, entry: Entry) -> None:
        # An entry that was made late, for a moment already past, must not turn time back.
        self._last_acted = max(entry.when, self._last_acted)
        self._acting_thread, self._acting = threading.get_ident(), self._last_acted
        try:
            entry.action()
        except Exception:  # noqa: BLE001
            _LOG.exception("an action due at %s failed", entry.when.isoformat())
        finally:
            self._acting = None

    def _pop_due(self, target: datetime) -> Entry | None:
        with self._changed:
            while self._diary and (self._diary[0].cancelled or self._diary[0].when <= target):
                entry = heapq.heappop(self._diary)
                if not entry.cancelled:
                    entry.cancelled = True  # it runs now: a later cancel() changes nothing
                    return entry
        return None

    def _is_due(self) -> bool:
        with self._changed:
            return bool(self._diary) and self._diary[0].when <= self.now()

    def _wait_for_due(self) -> bool:
        """Sleep until the next entry falls due; False once the clock is closed."""
        with self._changed:
            while not self._closed:
                seconds = self._seconds_to_next()
                if seconds <= 0:
                    return True
                self._changed.wait(seconds)
        return False

    def _seconds_to_next(self) -> float:
        if not self._diary:
            return _LONGEST_SLEEP
        if self._standing is not None and self._diary[0].when > self._standing:
            return _LONGEST_SLEEP
        return min(_LONGEST_SLEEP, (self._diary[0].when - self.now()).total_seconds())

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def moment(text: str) -> datetime:
    """
    Read a moment in ISO 8601, with its time zone.

    Examples
    --------
    >>> moment("2026-11-24T17:00:00Z").isoformat()
    '2026-11-24T17:00:00+00:00'

    Raises
    ------
    ValueError
        If *text* is no moment, or names no time zone.
    """
    try:
        return _utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        message = f"to = {text}: a moment reads like 2026-11-24T17:00:00Z, with its time zone."
        raise ValueError(message) from None


def span(value: str | float) -> timedelta:
    """
    Read a span of time: a number of seconds, or a number with one of ``s``, ``m``, ``h``, ``d``.

    Examples
    --------
    >>> span("24h"), span("90m"), span(1.5)
    (datetime.timedelta(days=1), datetime.timedelta(seconds=5400), datetime.timedelta(seconds=1, microseconds=500000))

    Raises
    ------
    ValueError
        If it is no span, or goes back.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([smhd]?)", str(value).strip())
    if match is None or isinstance(value, bool):
        message = f"advance = {value}: a span of time reads like 90s, 30m, 24h or 7d, and never goes back."
        raise ValueError(message)
    return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])


def _steady_utc() -> Callable[[], datetime]:
    """Return a clock that follows the machine's, also through its sleep, but stands still where that is set back."""
    latest = [datetime.now(UTC)]

    def now() -> datetime:
        latest[0] = max(latest[0], datetime.now(UTC))
        return latest[0]

    return now


def _utc(when: datetime) -> datetime:
    if when.tzinfo is None:
        message = f"when = {when.isoformat()}: a moment needs its time zone, such as 2026-11-24T17:00:00Z."
        raise ValueError(message)
    return when.astimezone(UTC)
