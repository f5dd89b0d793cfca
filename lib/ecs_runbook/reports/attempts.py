"""The runs that took more than one attempt, grouped: which revision each attempt took, and how it ended."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ecs_runbook.checks.findings import Checked
from ecs_runbook.firing.calls import FAILED_TO_START, REFUSED
from ecs_runbook.firing.histories import SUCCEEDED
from ecs_runbook.reports.tables import Cell, Shown, framed, searchable

if TYPE_CHECKING:
    import pandas as pd

MOST_RUNS = 100
"""The executed notebook stays small; ``runs.csv`` has every attempt."""
_HEADS = ("run", "attempt", "at", "revision", "how it ended")
_WIDTHS = ("26%", "8%", "16%", "14%", "36%")
_LONGEST = 200


def attempts(checked: Checked, *, zone: tzinfo = UTC) -> Shown:
    """
    Return the runs that took more than one attempt, the newest first, at most :data:`MOST_RUNS` of them.

    Parameters
    ----------
    checked
        From the check.
    zone
        The zone that times are told in.

    Notes
    -----
    Only a state machine tries again, and only its executions tell what was one run; each attempt is judged by the
    revision that was the latest at its own moment.
    """
    several = list(_several(checked.runs))
    if not several:
        words = "No run took more than one attempt."
        return Shown(framed(f"<p>{words}</p>"), words)
    good = sum(_ended_well(own[-1]) for own in several)
    count = len(several)
    words = (
        f"{count:,} run{'s' * (count != 1)} took more than one attempt; {good:,} of them ended well by the last one."
    )
    words += f" The newest {MOST_RUNS} follow; runs.csv has all." if count > MOST_RUNS else ""
    rows = [row for own in several[::-1][:MOST_RUNS] for row in _rows(own, zone)]
    table = searchable(_HEADS, rows, widths=_WIDTHS)
    text = "\n".join([words, *(f"{own[-1]['subject']}: {_story(own)}" for own in several[::-1][:MOST_RUNS])])
    return Shown(framed(f"<p>{words}</p>{table}", lively=True), text)


def _several(runs: pd.DataFrame) -> Iterator[list[dict[str, Any]]]:
    """Yield the attempts of each run that took several, by the time of the last."""
    if runs.empty:
        return
    of_many = runs[runs["run"].isin(runs.loc[runs["attempt"] > 1, "run"])]
    ordered = of_many.sort_values(["run", "attempt", "time"]).astype(object)
    records: list[dict[Any, Any]] = ordered.where(ordered.notna(), None).to_dict("records")
    found = [list(own) for _, own in groupby(records, key=lambda one: (one["account"], one["region"], one["run"]))]
    yield from sorted(found, key=lambda own: own[-1]["time"])


def _rows(own: Sequence[dict[str, Any]], zone: tzinfo) -> Iterator[Sequence[Cell]]:
    last = own[-1]
    word = "OK" if _ended_well(last) else "error" if _ended(last) else "note"
    due = f"due {_at(last['due'], zone)}" if last["due"] is not None else ""
    name = html.escape(str(last["subject"] or last["schedule"]))
    for place, one in enumerate(own):
        lead = f'<b class="{word}">{word}</b> {name}<br><small>{due}</small>' if not place else ""
        # attempts of a run stay together, and in order, whatever it is sorted by
        order = f"{last['time'].isoformat()} {last['run']} {one['attempt']:04}"
        yield (
            Cell(lead or f"<small>{name}</small>", order),
            Cell(str(one["attempt"]), order),
            Cell(_at(one["time"], zone), order),
            Cell(_revision(one)),
            Cell(html.escape(_end(one))),
        )


def _story(own: Sequence[dict[str, Any]]) -> str:
    return ", then ".join(_end(one) for one in own)


def _revision(one: dict[str, Any]) -> str:
    if one["executed"] is None:
        return ""
    word = {"LATEST": "OK", "STALE": "error"}.get(one["state"], "SKIP")
    return f'{one["executed"]} <b class="{word}">{html.escape(one["state"])}</b>'


def _end(one: dict[str, Any]) -> str:
    code = "" if one["exit_code"] is None else f"exit code {one['exit_code']}"
    error = str(one["error"] or "")
    if code == "exit code 0" and not error:
        return code
    if one["status"] == "STOPPED":
        return _short(": ".join(part for part in (code, error) if part) or "no exit code")
    return _short(": ".join(part for part in (str(one["status"]), error) if part))


def _ended(one: dict[str, Any]) -> bool:
    return one["status"] in ("STOPPED", SUCCEEDED, REFUSED, FAILED_TO_START) or bool(one["error"])


def _ended_well(one: dict[str, Any]) -> bool:
    ended = one["status"] == SUCCEEDED or (one["status"] == "STOPPED" and one["exit_code"] == 0)
    return ended and not one["error"]


def _short(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def _at(moment: Any, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%d %b %H:%M:%S}"
