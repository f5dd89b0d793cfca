"""The picture: failures over time, a lane for each cause."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure

from ecs_runbook.reports.timeline import BLUE, GREY, INK, ORANGE, PURPLE, Picture, when

if TYPE_CHECKING:
    from ecs_runbook.diagnosis.failures import Failures

# Okabe and Ito's palette again; a lane has its name beside it, so that nobody needs the colour alone.
COLOURS = (ORANGE, BLUE, PURPLE, "#009E73", "#B8860B", "#56B4E9", "#4A4A9C")
UNKNOWN = "unknown"
REST = "other causes"
MOST_LANES = 8
BINS = 60
"""More failures of a lane than can be told apart as dots are counted in this many bins."""
_DOTS = 60
_PLACES = 50
"""So many dots fit side by side."""
_DAYS = 2.0
_WIDTH = 34
_LINES = 2


def causes_picture(failures: Failures, *, zone: tzinfo = UTC, title: str = "") -> Figure:
    """
    Draw when each cause struck: a dot for a failure, with a number for several, and where there are many, bars.

    Parameters
    ----------
    failures
        From :func:`ecs_runbook.diagnosis.failures.failures`.
    zone
        In which zone the times are written.
    title
        Above the picture; else it is made from the failures.

    Returns
    -------
    matplotlib.figure.Figure
        9 inches wide, for 900 pixels at 100 dots an inch. The most frequent cause is on top; an unknown one is grey.
        More than eight causes: the rarest share a lane. No failure gives a picture that says so.
    """
    lanes = _lanes(failures.each.to_dict("records"))
    if not lanes:
        return _nothing()
    figure = Picture(figsize=(9, 1.4 + 0.62 * len(lanes)), dpi=100, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    span = failures.since, max(failures.until, failures.since + timedelta(seconds=1))
    width = span[1] - span[0]
    axes.set_xlim(date2num(span[0] - 0.02 * width), date2num(span[1] + 0.02 * width))
    for height, lane in enumerate(reversed(lanes)):
        _draw(axes, lane, height, span)
    _dress(axes, lanes, zone, span)
    words = title or _title(lanes, failures)
    axes.set_title(words, loc="left", x=0, fontsize=12, fontweight="bold", color=INK, pad=10)
    return figure


@dataclass(frozen=True)
class Lane:
    """One cause: its name, its colour, its failures' times; those of unknown time are counted alone."""

    name: str
    colour: str
    times: tuple[datetime, ...]
    count: int


def _lanes(rows: Sequence[dict[Any, Any]]) -> list[Lane]:
    """Return a lane for each cause, the most frequent first; what is unknown last."""
    counts = Counter(row["cause"] for row in rows)
    titles = {row["cause"]: row["title"] for row in rows}
    known = [cause for cause, _ in counts.most_common() if cause]
    room = MOST_LANES - ("" in counts)
    shown = known if len(known) <= room else known[: room - 1]
    groups = [(titles[cause], COLOURS[place % len(COLOURS)], {cause}) for place, cause in enumerate(shown)]
    if rest := set(known) - set(shown):
        groups.append((REST, INK, rest))
    if "" in counts:
        groups.append((UNKNOWN, GREY, {""}))
    times: dict[str, list[datetime]] = defaultdict(list)
    for row in rows:
        if not pd.isna(row["time"]):
            times[row["cause"]].append(row["time"])
    return [
        Lane(name, colour, tuple(time for cause in own for time in times[cause]), sum(counts[cause] for cause in own))
        for name, colour, own in groups
    ]


def _draw(axes: Axes, lane: Lane, height: int, span: tuple[datetime, datetime]) -> None:
    times = [date2num(time) for time in lane.times]
    axes.hlines(height, *axes.get_xlim(), color="#EEEEEE", linewidth=1, zorder=0)
    if len(times) <= _DOTS:
        _dots(axes, lane, height, times, span)
        return
    start, end = date2num(span[0]), date2num(span[1])
    size = (end - start) / BINS
    bins = Counter(min(max(int((time - start) / size), 0), BINS - 1) for time in times)
    most = max(bins.values())
    # A bin with a single failure still is to be seen.
    heights = [max(0.72 * count / most, 0.06) for count in bins.values()]
    lefts = [start + place * size for place in bins]
    axes.bar(lefts, heights, width=0.9 * size, bottom=height - 0.36, align="edge", color=lane.colour, zorder=3)


def _dots(axes: Axes, lane: Lane, height: int, times: Sequence[float], span: tuple[datetime, datetime]) -> None:
    """Draw a dot for each; several that would hide each other share one that says how many they are."""
    width = (date2num(span[1]) - date2num(span[0])) / _PLACES
    together: list[list[float]] = []
    for time in sorted(times):
        if together and time - together[-1][0] < width:
            together[-1].append(time)
        else:
            together.append([time])
    places = [sum(some) / len(some) for some in together]
    sizes = [70 if len(some) == 1 else 150 for some in together]
    axes.scatter(places, [height] * len(places), s=sizes, color=lane.colour, edgecolors="white", linewidths=1, zorder=3)
    for place, some in zip(places, together, strict=True):
        if len(some) > 1:
            count = axes.text(place, height, str(len(some)), ha="center", va="center_baseline", zorder=4)
            count.set(fontsize=8, fontweight="bold", color="white")


def _dress(axes: Axes, lanes: Sequence[Lane], zone: tzinfo, span: tuple[datetime, datetime]) -> None:
    names = [_name(lane) for lane in lanes]
    axes.set_yticks(range(len(lanes)), names[::-1], fontsize=9.5, color=INK)
    axes.set_ylim(-0.6, len(lanes) - 0.4)
    days = date2num(span[1]) - date2num(span[0])
    axes.xaxis.set_major_locator(AutoDateLocator(tz=zone, minticks=3, maxticks=8))
    axes.xaxis.set_major_formatter(DateFormatter("%d %b" if days > 4 * _DAYS else "%d %b %H:%M", tz=zone))
    axes.tick_params(axis="x", labelsize=9, colors=INK)
    axes.tick_params(axis="y", length=0)
    note = (
        f" · bars count by {_length((span[1] - span[0]) / BINS)}"
        if any(len(one.times) > _DOTS for one in lanes)
        else ""
    )
    axes.set_xlabel(when(zone, *span) + note, fontsize=9, color=GREY, loc="right")
    axes.spines[["top", "right", "left"]].set_visible(False)


def _name(lane: Lane) -> str:
    words = f"{lane.name} ×{lane.count:,}"
    lines = wrap(lane.name, _WIDTH, max_lines=_LINES, placeholder="…")
    return words if len(words) <= _WIDTH else "\n".join([*lines[:-1], f"{lines[-1]} ×{lane.count:,}"])


def _length(time: timedelta) -> str:
    hours = time.total_seconds() / 3600
    if hours >= 48:
        return f"{hours / 24:.1f} days"
    return f"{hours:.1f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"


def _title(lanes: Sequence[Lane], failures: Failures) -> str:
    count, causes = sum(lane.count for lane in lanes), len(failures.table)
    words = f"{count:,} failure{'s' * (count != 1)}, {causes} cause{'s' * (causes != 1)}"
    placeless = count - sum(len(lane.times) for lane in lanes)
    return words + (f"; {placeless} at an unknown time" if placeless else "")


def _nothing() -> Figure:
    figure = Picture(figsize=(9, 1.5), dpi=100, facecolor="white")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, "No failure is known in this time.", ha="center", va="center", color=GREY)
    return figure
