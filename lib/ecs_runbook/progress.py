"""
Progress bars that survive in the saved page.

In a notebook: one display, updated in place, of plain HTML, so that the executed notebook keeps the last state and
needs neither widget nor script. Anywhere else: one line a finished row, and no line is ever overwritten.
"""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TextIO

_INTERVAL_SECONDS = 0.2  # five updates a second: quicker is neither read nor needed


@dataclass
class _Row:
    started: float
    done: float = 0.0
    note: str = ""
    ended: float | None = None


class Progress:
    """
    Bars, one for each thing that is under way.

    Parameters
    ----------
    title
        What is going on.
    total
        How many rows there will be, if that is known.
    stream
        Where lines go outside a notebook; standard output if None. With a stream, lines are written in a notebook too.
    clock
        Seconds that only grow; for tests.

    Examples
    --------
    >>> with Progress("Apply", total=1, clock=lambda: 0.0) as progress:
    ...     progress.row("aws_iam_role.task", 0.5, "creating")
    ...     progress.row("aws_iam_role.task", 1.0, "created")
    Apply: aws_iam_role.task: created (0.0 s)
    Apply: 1 of 1 (0.0 s)
    """

    def __init__(
        self,
        title: str,
        total: int | None = None,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title = title
        self.total = total
        self._stream = stream
        self._clock = clock
        self._started = clock()
        self._rows: dict[str, _Row] = {}
        self._ended: float | None = None
        self._how = ""
        self._drawn = float("-inf")
        self._lock = threading.RLock()
        self._timer: threading.Timer | None = None
        self._display = _display(self._html(), self._text()) if stream is None else None

    def row(self, key: str, done: float, note: str = "") -> None:
        """
        Create or update the bar named *key*.

        Parameters
        ----------
        key
            Names the bar: a resource's address, a rule.
        done
            0 to 1; 1 ends the row.
        note
            What is happening to it.
        """
        with self._lock:
            row = self._rows.setdefault(key, _Row(self._clock()))
            ends = done >= 1 and row.ended is None
            row.done, row.note = min(max(done, 0.0), 1.0), note
            row.ended = (row.ended or self._clock()) if done >= 1 else None
            if self._display is not None:
                self._draw_soon()
            elif ends:
                self._line(f"{key}: {note or 'done'}", row.started, row.ended)

    def close(self, how: str = "") -> None:
        """Draw the last state; nothing moves after this. *how* it ended, where that was not as meant."""
        with self._lock:
            if self._ended is not None:
                return
            self._ended, self._how = self._clock(), how
            if self._display is not None:
                self._draw()
            else:
                self._line(self._count(), self._started, self._ended)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close("" if kind is None else "stopped" if issubclass(kind, KeyboardInterrupt) else "failed")

    def _draw_soon(self) -> None:
        wait = self._drawn + _INTERVAL_SECONDS - self._clock()
        if wait <= 0:
            self._draw()
        elif self._timer is None:
            # so that the last of a burst is shown even if nothing comes after it
            self._timer = threading.Timer(wait, self._draw_late)
            self._timer.daemon = True
            self._timer.start()

    def _draw_late(self) -> None:
        with self._lock:
            if self._timer is not None and self._ended is None:
                self._draw()

    def _draw(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._drawn = self._clock()
        if self._display is not None:
            self._display.update({"text/html": self._html(), "text/plain": self._text()}, raw=True)

    def _line(self, text: str, started: float, ended: float | None) -> None:
        print(f"{self.title}: {text} ({self._seconds(started, ended)})", file=self._stream or sys.stdout, flush=True)

    def _seconds(self, started: float, ended: float | None) -> str:
        return f"{(self._clock() if ended is None else ended) - started:.1f} s"

    def _count(self) -> str:
        finished = sum(row.ended is not None for row in self._rows.values())
        total = len(self._rows) if self.total is None else self.total
        of = f"{finished} of {total}" if total else ""
        return " · ".join(part for part in (of, self._how) if part)

    def _text(self) -> str:
        lines = [f"{self.title}: {self._count()} ({self._seconds(self._started, self._ended)})"]
        lines += [f"  {row.done:4.0%}  {key}  {row.note}".rstrip() for key, row in self._rows.items()]
        return "\n".join(lines)

    def _html(self) -> str:
        rows = "".join(self._html_row(key, row) for key, row in self._rows.items())
        head = f"<strong>{html.escape(self.title)}</strong> {html.escape(self._count())}"
        time_taken = f'<span style="color:#57606a">{self._seconds(self._started, self._ended)}</span>'
        return f"<div>{head} {time_taken}<table>{rows}</table></div>"

    def _html_row(self, key: str, row: _Row) -> str:
        ended = self._ended if row.ended is None else row.ended
        cells = (
            f'<progress max="1" value="{row.done:.3f}" style="width:12em">{row.done:.0%}</progress>',
            f"<code>{html.escape(key)}</code>",
            html.escape(row.note),
            self._seconds(row.started, ended),
        )
        return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


def _display(markup: str, text: str) -> Any:
    """Return a display that can be updated in place, or None outside a notebook."""
    shell_module = sys.modules.get("IPython")
    shell = shell_module.get_ipython() if shell_module else None
    if getattr(shell, "kernel", None) is None:
        return None
    from IPython.display import display

    return display({"text/html": markup, "text/plain": text}, raw=True, display_id=True)
