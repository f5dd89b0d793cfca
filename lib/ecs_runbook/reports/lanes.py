"""A picture of lanes: one a family or a schedule, the worst on top, over time or over a measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta, tzinfo
from typing import Any

from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ecs_runbook.past.sources import Window
from ecs_runbook.reports.timeline import GREY, INK, Picture, when

MOST_LANES = 24
"""More no eye takes in; the table has all."""
_NAME = 40
_LANE = 0.34  # inches
_DAYS = 8


def lanes(names: Sequence[str], title: str, *, left_out: int = 0, noun: str = "lane") -> tuple[Figure, Axes]:
    """
    Return a figure with a lane for each name, the first on top; lane *n* is at height ``len(names) - 1 - n``.

    Parameters
    ----------
    names
        Beside the lanes, of one line or two.
    title
        Above the picture.
    left_out
        How many more there are, which is said.
    noun
        What a lane is, in the singular.
    """
    figure = Picture(figsize=(9, 1.5 + _LANE * len(names)), dpi=100, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    size = 7.5 if any("\n" in name for name in names) else 9
    axes.set_yticks(range(len(names)), names[::-1], fontsize=size, color=INK)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9, colors=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    for height in range(len(names)):
        axes.axhline(height, color="#EEEEEE", linewidth=1, zorder=0)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    if left_out:
        more = f"the worst {len(names)}; {left_out:,} more {noun if left_out == 1 else _several(noun)} in the table"
        axes.set_title(more, loc="left", x=0, fontsize=9, color=GREY)
    return figure, axes


def over_time(axes: Axes, window: Window, zone: tzinfo) -> None:
    """Let the picture go from one end of *window* to the other, with days or hours by the clock of *zone*."""
    width = window.until - window.since
    axes.set_xlim(date2num(window.since - 0.01 * width), date2num(window.until + 0.02 * width))
    axes.xaxis.set_major_locator(AutoDateLocator(tz=zone, minticks=3, maxticks=8))
    form = "%d %b %Y" if width > timedelta(days=300) else "%d %b" if width > timedelta(days=_DAYS) else "%d %b %H:%M"
    axes.xaxis.set_major_formatter(DateFormatter(form, tz=zone))
    axes.set_xlabel(when(zone, window.since, window.until), fontsize=9, color=GREY, loc="right")


def key(axes: Axes, shapes: Mapping[str, Mapping[str, Any]]) -> None:
    """Say below the picture what each shape means: its words, and how it is drawn."""
    handles = [Line2D([], [], label=words, **look) for words, look in shapes.items()]
    axes.figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=5,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
        handletextpad=0.6,
        columnspacing=1.5,
    )


def nothing(words: str) -> Figure:
    """Return a picture that says that there is nothing to be seen."""
    figure = Picture(figsize=(9, 1.2), dpi=100, facecolor="white")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, words, ha="center", va="center", color=GREY, fontsize=11)
    return figure


def shortened(name: str, longest: int = _NAME) -> str:
    """
    Return *name*, without its middle if it is long: names that begin alike often end differently.

    Examples
    --------
    >>> shortened("nightly"), shortened("a-report-of-all-that-was-sold", 12)
    ('nightly', 'a-repo…-sold')
    """
    if len(name) <= longest:
        return name
    end = (longest - 1) // 2
    return f"{name[: longest - 1 - end]}…{name[-end:]}"


def naming(rows: Sequence[Mapping[str, str]], *of: str) -> Callable[[Mapping[str, str]], str]:
    """
    Return how each of *rows* is named by its columns *of*: with its account and Region only where there are several.

    Examples
    --------
    >>> row = {"account": "111122223333", "region": "eu-west-2", "family": "nightly", "schedule": "nightly"}
    >>> naming([row], "family", "schedule")(row)
    'nightly'
    """
    accounts = {row["account"] for row in rows}
    regions = {row["region"] for row in rows}

    def name(row: Mapping[str, str]) -> str:
        own = " · ".join(dict.fromkeys(row[column] for column in of if row[column])) or "unknown"
        place = [row["account"]] * (len(accounts) > 1) + [row["region"]] * (len(regions) > 1)
        return "\n".join([shortened(own), *([" ".join(place)] if place else [])])

    return name


def _several(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
