"""The pictures of a long time: one for each question, from the tables of :mod:`ecs_runbook.past.questions`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from textwrap import wrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ecs_runbook.evidence.runs import LATEST, STALE, UNKNOWN
from ecs_runbook.past.questions import (
    ALL_REFUSED,
    MOST_DUE,
    NEVER,
    RAN,
    WAITS,
    History,
)
from ecs_runbook.reports.causes import COLOURS, REST
from ecs_runbook.reports.lanes import MOST_LANES, key, lanes, naming, nothing, over_time, shortened
from ecs_runbook.reports.timeline import BLUE, GREY, INK, ORANGE, PURPLE, SLATE, STEP, Picture

MOST_CAUSES = 7
"""More colours nobody tells apart: the rarest causes share one."""
_STATES = {STALE: ORANGE, UNKNOWN: GREY, LATEST: BLUE}
_BELOW = 0.2  # of a lane: how far below its step a stale run is drawn
_CHARACTER = 0.009  # of the width of a picture
_DOTS = 150
_HOURS = {1 / 60: "1 min", 1 / 6: "10 min", 1: "1 hour", 6: "6 hours", 24: "1 day", 168: "1 week", 720: "30 days"}
_SHORTEST = 1 / 60
_TITLE = 64


# -------- which revision ran when


def revisions_over_time(history: History) -> Figure:
    """
    Draw which revision each family ran when: a bar for each unbroken row of runs of one revision, with its number.

    A lane is a family, or one of its schedules where it has several; the stale ones are on top, and a stale bar hangs
    below its line. A tick says that a revision was registered, a cross that a start failed.

    Returns
    -------
    matplotlib.figure.Figure
        9 inches wide, for 900 pixels at 100 dots an inch; at most :data:`~ecs_runbook.reports.lanes.MOST_LANES` lanes.
    """
    rows = _rows(history.stretches)
    if not rows:
        return nothing("No run is known in this time.")
    own: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        own[_place(row, "family", "schedule")].append(row)
    ordered = sorted(own, key=lambda one: _standing(own[one]))
    shown = ordered[:MOST_LANES]
    name = naming(rows, "family", "schedule")
    title = _title_of_revisions(own.values())
    figure, axes = lanes([name(own[one][0]) for one in shown], title, left_out=len(ordered) - len(shown))
    over_time(axes, history.window, history.zone)
    crosses = _times(history.failures[history.failures["task"] == ""], "family", "schedule")
    registered = _registered(history)
    for place, one in enumerate(shown):
        height = len(shown) - 1 - place
        _draw_stretches(axes, own[one], height)
        _marks(axes, registered.get(one[:3], ()), height + 0.36, "|", SLATE, history)
        # a refusal that shows no family may be of any lane of its schedule
        own_crosses = [*crosses.get(one, ()), *crosses.get((*one[:2], "", one[3]), ())]
        _marks(axes, own_crosses, height - 0.36, "x", PURPLE, history)
    bar = {"linewidth": 6, "solid_capstyle": "round"}
    key(
        axes,
        {
            "ran the latest": {"color": BLUE, **bar},
            "ran an older one": {"color": ORANGE, **bar},
            "not known": {"color": GREY, **bar},
            "registered": {"color": SLATE, "marker": "|", "linestyle": "none", "markersize": 8, "markeredgewidth": 1.6},
            "did not start": {"color": PURPLE, "marker": "x", "linestyle": "none", "markersize": 5},
        },
    )
    return figure


def _standing(rows: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    newest = rows[-1]["state"]
    stale = sum(row["runs"] for row in rows if row["state"] == STALE)
    return [STALE, UNKNOWN, LATEST].index(newest), -stale, rows[0]["family"], rows[0]["schedule"]


def _title_of_revisions(lanes_of: Iterable[Sequence[Mapping[str, Any]]]) -> str:
    newest = Counter(rows[-1]["state"] for rows in lanes_of)
    words = {STALE: "{} an older revision", UNKNOWN: "{} nobody knows which", LATEST: "{} the latest"}
    return "The newest run took: " + "; ".join(words[one].format(f"{newest[one]:,}") for one in words if newest[one])


def _draw_stretches(axes: Axes, rows: Sequence[Mapping[str, Any]], height: int) -> None:
    first, last = axes.get_xlim()
    for row in rows:
        colour, at = _STATES[row["state"]], height - _BELOW * (row["state"] == STALE)
        ends = _bar(axes, row["first"], row["last"], at, colour)
        words = "?" if pd.isna(row["revision"]) else str(row["revision"])
        if (ends[1] - ends[0]) / (last - first) > _CHARACTER * (len(words) + 1):
            middle = sum(ends) / 2
            axes.text(middle, at, words, ha="center", va="center_baseline", fontsize=7, color="white", zorder=3)


def _registered(history: History) -> dict[tuple[str, ...], list[Any]]:
    found: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    for row in _rows(history.first_runs):
        found[_place(row, "family")].append(row["registered_at"])
    return found


def _marks(axes: Axes, times: Sequence[Any], height: float, shape: str, colour: str, history: History) -> None:
    """Draw a mark at each time; those that would lie on each other are one."""
    width = (history.window.until - history.window.since) / _DOTS
    own = {int((time - history.window.since) / width): time for time in times}
    at = [date2num(time) for time in own.values()]
    axes.scatter(
        at, [height] * len(at), s=26 if shape == "|" else 12, marker=shape, color=colour, linewidths=1.1, zorder=4
    )


# -------- what failed, by cause and week


def failures_by_week(history: History) -> Figure:
    """
    Draw how many runs failed each week, a colour for each cause; what the catalogue does not know is grey.

    Returns
    -------
    matplotlib.figure.Figure
        9 inches wide. A week begins on Monday by the reader's clock, and is drawn also if nothing failed in it.
    """
    failures = history.failures
    if failures.empty:
        return nothing("No failure is known in this time." if len(history.runs) else "No run is known in this time.")
    weeks = _weeks(history)
    groups = _groups(history.causes)
    figure = Picture(figsize=(9, 3.4 + 0.24 * len(groups)), dpi=100, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    below = [0] * len(weeks)
    for words, colour, causes in groups:
        own = Counter(failures.loc[failures["cause"].isin(causes), "week"])
        heights = [own[week] for week in weeks]
        axes.bar(range(len(weeks)), heights, bottom=below, width=0.8, color=colour, label=words, zorder=2)
        below = [one + more for one, more in zip(below, heights, strict=True)]
    every = max(1, -(-len(weeks) // 14))
    for place, count in enumerate(below):
        if count and len(weeks) <= 30:
            axes.annotate(
                f"{count:,}", (place, count), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=8
            )
    named = [f"{date.fromisoformat(week):%d %b}" if place % every == 0 else "" for place, week in enumerate(weeks)]
    axes.set_xticks(range(len(weeks)), named, fontsize=9, color=INK)
    axes.set_xlim(-0.6, len(weeks) - 0.4)
    axes.margins(y=0.12)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(axis="both", length=0, labelsize=9, colors=INK)
    axes.grid(axis="y", color="#EEEEEE", linewidth=1, zorder=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel(f"weeks from Monday, {history.zone}", fontsize=9, color=GREY, loc="right")
    count, kinds = len(failures), len(history.causes)
    title = f"{count:,} failure{'s' * (count != 1)} of {kinds} cause{'s' * (kinds != 1)}"
    axes.set_title(title, loc="left", x=0, fontsize=12, fontweight="bold", color=INK, pad=10)
    figure.legend(loc="outside lower left", ncols=1, frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


def _weeks(history: History) -> list[str]:
    first = date.fromisoformat(str(history.failures["week"].min()))
    since = history.window.since.astimezone(history.zone).date()
    start = min(first, since - timedelta(days=since.weekday()))
    end = history.window.until.astimezone(history.zone).date()
    return [(start + timedelta(days=7 * place)).isoformat() for place in range((end - start).days // 7 + 1)]


def _groups(causes: pd.DataFrame) -> list[tuple[str, str, list[str]]]:
    """Return the words, the colour and the ids of each group of causes, the most frequent first."""
    rows = _rows(causes)
    known = [row for row in rows if row["cause"]]
    shown = known if len(known) <= MOST_CAUSES else known[: MOST_CAUSES - 1]
    groups = [
        (f"{row['title']} ×{row['count']:,}", COLOURS[place % len(COLOURS)], [row["cause"]])
        for place, row in enumerate(shown)
    ]
    if rest := known[len(shown) :]:
        count = sum(row["count"] for row in rest)
        groups.append((f"{REST} ({len(rest)}) ×{count:,}", INK, [row["cause"] for row in rest]))
    groups += [(f"{row['title']} ×{row['count']:,}", GREY, [""]) for row in rows if not row["cause"]]
    return [("\n".join(wrap(words, 110, max_lines=2, placeholder="…")), *more) for words, *more in groups]  # type: ignore[misc]


# -------- from registration to the first run


def waits_for_first_run(history: History) -> Figure:
    """
    Draw how long each revision waited for its first run, a lane for each family, the slowest on top.

    Returns
    -------
    matplotlib.figure.Figure
        9 inches wide; the time is logarithmic. A triangle waits still, a cross was replaced or deregistered before it
        ran.
    """
    rows = _rows(history.first_runs)
    if not rows:
        return nothing("No revision is known to have been registered in this time.")
    own: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        own[_place(row, "family")].append(row)
    ordered = sorted(own, key=lambda one: (-max(row["hours"] for row in own[one]), one))
    shown = ordered[:MOST_LANES]
    name = naming(rows, "family")
    ran = sorted(row["hours"] for row in rows if row["outcome"] == RAN)
    waiting = sum(row["outcome"] == WAITS for row in rows)
    middle = f"half ran within {length(ran[(len(ran) - 1) // 2])}" if ran else "none ran"
    title = f"{len(rows):,} revision{'s' * (len(rows) != 1)}: {middle}" + (
        f"; {waiting:,} wait{'s' * (waiting == 1)}" if waiting else ""
    )
    figure, axes = lanes([name(own[one][0]) for one in shown], title, left_out=len(ordered) - len(shown), noun="family")
    looks = {RAN: ("o", BLUE), WAITS: (">", ORANGE)}
    for place, one in enumerate(shown):
        for row in own[one]:
            shape, colour = looks.get(row["outcome"], ("x", GREY))
            hours = max(row["hours"], _SHORTEST)
            axes.scatter(hours, len(shown) - 1 - place, s=42, marker=shape, color=colour, alpha=0.8, zorder=2)
    axes.set_xscale("log")
    longest = max([24.0, *(row["hours"] for row in rows)])
    ticks = [hours for hours in _HOURS if hours <= longest]
    axes.set_xlim(_SHORTEST / 1.5, longest * 1.8)
    axes.set_xticks(ticks, [_HOURS[hours] for hours in ticks])
    axes.minorticks_off()
    axes.set_xlabel("from its registration", fontsize=9, color=GREY, loc="right")
    dot = {"linestyle": "none", "markersize": 6}
    key(
        axes,
        {
            "ran": {"color": BLUE, "marker": "o", **dot},
            "waits still": {"color": ORANGE, "marker": ">", **dot},
            "replaced or deregistered before it ran": {"color": GREY, "marker": "x", **dot},
        },
    )
    return figure


def length(hours: float) -> str:
    """
    Return a length of time in words.

    Examples
    --------
    >>> length(0.004), length(0.5), length(5), length(60)
    ('14 s', '30 min', '5.0 hours', '2.5 days')
    """
    if hours < _SHORTEST:
        return f"{hours * 3600:.0f} s"
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"


# -------- what never ran


def never_ran(history: History) -> Figure:
    """
    Draw how often each schedule was due that placed no task, and how often it failed to start.

    Returns
    -------
    matplotlib.figure.Figure
        9 inches wide. Where every schedule ran that was due, the picture says so, or that nobody asked.
    """
    if history.inventory is None:
        return nothing("It was not asked what is on a schedule, so nobody knows what never ran.")
    rows = [row for row in _rows(history.never_ran) if row["outcome"] in (NEVER, ALL_REFUSED)]
    if not rows:
        some = len(history.inventory.rows)
        return nothing("All that were due placed a task." if some else "Nothing is on a schedule.")
    rows.sort(key=lambda row: -max(row["due"], row["refused"]))
    shown = rows[:MOST_LANES]
    name = naming(rows, "schedule")
    title = f"{len(rows):,} never placed a task"
    figure, axes = lanes([name(row) for row in shown], title, left_out=len(rows) - len(shown), noun="schedule")
    for place, row in enumerate(shown):
        height = len(shown) - 1 - place
        failed = min(row["refused"], max(row["due"], row["refused"]))
        axes.barh(height, max(row["due"], failed), height=0.5, color="#D9DEE2", zorder=1)
        axes.barh(height, failed, height=0.5, color=PURPLE, zorder=2)
        due = f"{'over ' * (row['due'] >= MOST_DUE)}{row['due']:,}×" if row["due"] else "on events"
        words = f"{due}, {failed:,} failed to start" if failed else f"{due}, no start seen"
        axes.annotate(
            words,
            (max(row["due"], failed), height),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    longest = max(max(row["due"], row["refused"]) for row in rows)
    axes.set_xlim(0, longest * 1.35)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("times due", fontsize=9, color=GREY, loc="right")
    bar = {"linewidth": 7, "solid_capstyle": "butt"}
    key(axes, {"due": {"color": "#D9DEE2", **bar}, "failed to start": {"color": PURPLE, **bar}})
    return figure


# -------- the longest silent failure


def failures_that_last(history: History) -> Figure:
    """
    Draw the rows of failures that nothing good ended, the longest on top, and first those that last.

    Returns
    -------
    matplotlib.figure.Figure
        9 inches wide; a lane is a schedule, and its length and cause stand beside its longest row.
    """
    rows = _rows(history.silences)
    if not rows:
        return nothing("No failure is known in this time." if len(history.runs) else "No run is known in this time.")
    own: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        own[_place(row, "schedule")].append(row)
    ordered = list(own)  # the table is in that order
    shown = ordered[:MOST_LANES]
    name = naming(rows, "schedule")
    lasting = sum(row["lasts"] for row in rows)
    longest = max(rows, key=lambda row: row["hours"])
    some = (
        f"{lasting:,} row{'s' * (lasting != 1)} of failures last{'s' * (lasting == 1)}"
        if lasting
        else "No failure lasts"
    )
    title = f"{some}; the longest took {length(longest['hours'])}" if longest["hours"] else some
    figure, axes = lanes(
        [name(own[one][0]) for one in shown], title, left_out=len(ordered) - len(shown), noun="schedule"
    )
    over_time(axes, history.window, history.zone)
    middle = sum(axes.get_xlim()) / 2
    for place, one in enumerate(shown):
        height = len(shown) - 1 - place
        for row in own[one]:
            _draw_silence(axes, row, height, history)
        worst = max(own[one], key=lambda row: (row["lasts"], row["hours"]))
        begins = date2num(worst["first"])
        long = f"{length(worst['hours'])}, {worst['failures']:,}×" if worst["hours"] else "once"
        words = f"{long}: {shortened(worst['title'], _TITLE)}"
        side = {"ha": "left", "x": begins} if begins < middle else {"ha": "right", "x": axes.get_xlim()[1]}
        axes.text(y=height + 0.2, s=words, va="bottom", fontsize=7.5, color=INK, zorder=4, **side)
    bar = {"linewidth": 6, "solid_capstyle": "round"}
    key(axes, {"lasts": {"color": ORANGE, **bar}, "ended": {"color": STEP, **bar}})
    return figure


def _draw_silence(axes: Axes, row: Mapping[str, Any], height: int, history: History) -> None:
    until = history.window.until if row["lasts"] else row["last"]
    _bar(axes, row["first"], until, height - 0.1, ORANGE if row["lasts"] else STEP)


# -------- shared


def _bar(axes: Axes, since: Any, until: Any, height: float, colour: str) -> tuple[float, float]:
    """Draw a bar with round ends, which is a dot where it has no length; return its ends."""
    ends = date2num(since), date2num(until)
    # a line without any length would not be drawn
    look: dict[str, Any] = {
        "linewidth": 7,
        "solid_capstyle": "butt",
        "marker": "o",
        "markersize": 7,
        "markeredgewidth": 0,
    }
    axes.plot(ends, (height, height), color=colour, zorder=2, **look)
    return ends


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _place(row: Mapping[str, Any], *of: str) -> tuple[str, ...]:
    return (row["account"], row["region"], *(row[name] for name in of))


def _times(table: pd.DataFrame, *of: str) -> dict[tuple[str, ...], list[Any]]:
    found: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    for row in _rows(table):
        found[_place(row, *of)].append(row["time"])
    return found
