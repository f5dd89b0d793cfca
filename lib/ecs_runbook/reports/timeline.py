"""The picture: which revision was the latest when, and which one each run took."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num, num2date
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ecs_runbook.evidence.revisions import latest_at
from ecs_runbook.evidence.runs import LATEST, STALE, UNKNOWN
from ecs_runbook.firing.watch import SKIPPED

# Okabe and Ito's palette: told apart by people who do not see all colours; and each kind has a shape of its own.
BLUE, ORANGE, GREY, PURPLE, INK, STEP, SLATE = (
    "#0072B2",
    "#D55E00",
    "#6B6B6B",
    "#A0307A",
    "#222222",
    "#9DB4C0",
    "#4A6572",
)
NOTHING_RAN = "NOTHING RAN"
LOOKS = {
    LATEST: ("o", BLUE),
    STALE: ("v", ORANGE),
    UNKNOWN: ("D", GREY),
    NOTHING_RAN: ("X", PURPLE),
    SKIPPED: ("s", SLATE),
}
_ROOM = 0.16  # of the width: what a label of a step takes
_NARROW = timedelta(seconds=20)
_DOTS_JOINED = 40


def timeline(
    runs: pd.DataFrame,
    revisions: pd.DataFrame,
    *,
    zone: tzinfo = UTC,
    title: str = "",
    until: datetime | None = None,
) -> Figure:
    """
    Draw the latest ACTIVE revision as steps, and the runs as dots on or below them; attempts of one run are joined.

    Parameters
    ----------
    runs
        From :func:`ecs_runbook.evidence.runs.runs`.
    revisions
        From :func:`ecs_runbook.evidence.revisions.revisions`, of the family that ran.
    zone
        In which zone the times are written.
    title
        Above the picture; else it is made from the runs.
    until
        Where the steps end; else a little after the last that happened.

    Returns
    -------
    matplotlib.figure.Figure
        9 inches wide, for 900 pixels at 100 dots an inch. No runs and no revisions give a picture that says so.

    Examples
    --------
    >>> from ecs_runbook.evidence.revisions import frame
    >>> from ecs_runbook.evidence.runs import empty
    >>> timeline(empty(), frame([])).axes[0].texts[0].get_text()
    'No revision and no run is known in this time.'
    """
    span = _span(runs, revisions, until)
    if span is None:
        return _nothing()
    stretches = steps(revisions, *span)
    dots = [_dot(row) for row in runs.to_dict("records") if not pd.isna(row["time"])]
    dots = [dot if _several(dot, dots) else replace(dot, run="") for dot in dots]
    lanes = Lanes.of(stretches, dots)
    height = min(1.5 + 0.9 * len(lanes.names), 9)
    figure = Picture(figsize=(9, height), dpi=100, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.set_xlim(date2num(span[0]), date2num(span[1]))
    _draw_steps(axes, stretches, lanes, zone)
    _join_attempts(axes, dots, lanes)
    _draw_dots(axes, dots, lanes)
    _dress(axes, lanes, zone, span)
    axes.set_title(title or _title(dots), loc="left", fontsize=12, fontweight="bold", color=INK, pad=10)
    return figure


def _nothing() -> Figure:
    figure = Picture(figsize=(9, 1.5), dpi=100, facecolor="white")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.5, "No revision and no run is known in this time.", ha="center", va="center", color=GREY)
    return figure


class Picture(Figure):
    """A figure that a notebook shows, also where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()


@dataclass(frozen=True)
class Dot:
    """
    One attempt in the picture: what it took, and what was the latest then; None if not known, or if nothing ran.

    ``run`` is what its attempts share; ``""`` if it has no others. ``bad`` says that it ran and ended badly.
    """

    time: datetime
    kind: str
    executed: int | None
    latest: int | None
    words: str
    run: str = ""
    attempt: int = 1
    bad: bool = False


@dataclass(frozen=True)
class Step:
    """One stretch of time in which one revision was the latest; None if none was, or it is not known which."""

    since: datetime
    until: datetime
    revision: int | None


def steps(revisions: pd.DataFrame, since: datetime, until: datetime) -> list[Step]:
    """
    Return the latest ACTIVE revision over time, one step a stretch.

    Examples
    --------
    >>> from ecs_runbook.evidence.revisions import frame
    >>> day = [datetime(2026, 11, number, tzinfo=UTC) for number in range(1, 4)]
    >>> table = frame([{"revision": 1, "registered_at": day[0], "status": "ACTIVE"},
    ...                {"revision": 2, "registered_at": day[1], "status": "ACTIVE"}])
    >>> [(step.since.day, step.until.day, step.revision) for step in steps(table, day[0], day[2])]
    [(1, 2, 1), (2, 3, 2)]
    """
    changes = {since, until}
    for column in ("registered_at", "deregistered_at"):
        changes |= {moment for moment in revisions[column].dropna() if since < moment < until}
    ordered = sorted(changes)
    found: list[Step] = []
    for start, end in pairwise(ordered):
        revision = latest_at(revisions, start)
        if found and found[-1].revision == revision:
            found[-1] = Step(found[-1].since, end, revision)
        else:
            found.append(Step(start, end, revision))
    return found


@dataclass(frozen=True)
class Lanes:
    """
    The heights in the picture: one a revision, so that 3 and 57 are neighbours; below them what ran none.

    Attributes
    ----------
    revisions
        From the lowest up.
    below
        NOTHING RAN and UNKNOWN, as far as they are needed.
    """

    revisions: tuple[int, ...]
    below: tuple[str, ...]

    @classmethod
    def of(cls, stretches: Sequence[Step], dots: Sequence[Dot]) -> Lanes:
        """Return the lanes that these steps and dots need."""
        taken = {step.revision for step in stretches}
        taken |= {number for dot in dots for number in (dot.executed, dot.latest)}
        below = {dot.kind for dot in dots if dot.executed is None}
        return cls(tuple(sorted(number for number in taken if number is not None)), tuple(sorted(below)))

    @property
    def names(self) -> dict[float, str]:
        """Height and name of each lane."""
        below = {-1.0 - place: kind.lower() for place, kind in enumerate(self.below)}
        return {float(place): f"revision {number}" for place, number in enumerate(self.revisions)} | below

    def height(self, revision: int | None, kind: str = "") -> float:
        """Return how high *revision* stands; without one, a run of that kind."""
        return -1.0 - self.below.index(kind) if revision is None else float(self.revisions.index(revision))


def _dot(row: dict[Any, Any]) -> Dot:
    kind = SKIPPED if row["status"] == SKIPPED else row["state"] or NOTHING_RAN
    executed = None if pd.isna(row["executed"]) else int(row["executed"])
    latest = None if pd.isna(row["latest"]) else int(row["latest"])
    words = {
        LATEST: "ran the latest",
        STALE: f"ran {executed} while {latest} was the latest",
        UNKNOWN: "not known",
        NOTHING_RAN: f"refused: {row['error'].partition(':')[0]}",
        SKIPPED: "skipped: one was running",
    }
    run = row.get("run")
    attempt = row.get("attempt")
    return Dot(
        row["time"],
        kind,
        executed,
        latest,
        words[kind],
        run if isinstance(run, str) else "",
        1 if attempt is None or pd.isna(attempt) else int(attempt),
        bad=kind in (LATEST, STALE, UNKNOWN) and bool(row["error"] or (not pd.isna(code := row["exit_code"]) and code)),
    )


def _several(dot: Dot, dots: Sequence[Dot]) -> bool:
    return dot.attempt > 1 or any(dot.run and other.run == dot.run and other is not dot for other in dots)


def _span(runs: pd.DataFrame, revisions: pd.DataFrame, until: datetime | None) -> tuple[datetime, datetime] | None:
    """Return from when to when is drawn: the runs, and the registrations near them."""
    ran = list(runs["time"].dropna())
    told = [*revisions["registered_at"].dropna(), *revisions["deregistered_at"].dropna()]
    if not ran and not told:
        return None
    first, last = min(ran or told), until or max([*ran, *told])
    # A registration of last year would squeeze the runs into a corner; its step is seen where the picture begins.
    reach = max(last - first, _NARROW)
    first = min([first, *(moment for moment in told if first - reach <= moment < first)])
    width = max(last - first, _NARROW)
    return first - 0.08 * width, last + 0.12 * width


def _draw_steps(axes: Axes, stretches: Sequence[Step], lanes: Lanes, zone: tzinfo) -> None:
    for step in stretches:
        if step.revision is not None:
            ends = date2num(step.since), date2num(step.until)
            axes.hlines(lanes.height(step.revision), *ends, color=STEP, linewidth=5, zorder=1)
            _name_step(axes, step, lanes.height(step.revision), zone)
    for left, right in pairwise(stretches):
        if left.revision is not None and right.revision is not None:
            heights = sorted((lanes.height(left.revision), lanes.height(right.revision)))
            axes.vlines(date2num(right.since), *heights, color=STEP, linewidth=1.5, zorder=1)


def _name_step(axes: Axes, step: Step, height: float, zone: tzinfo) -> None:
    """Write from when it is the latest, if there is room for that."""
    first, last = axes.get_xlim()
    start, width = (date2num(step.since) - first) / (last - first), date2num(step.until) - date2num(step.since)
    if width / (last - first) < _ROOM and start < 1 - _ROOM:
        return
    long = last - first > 1  # day
    began = f" from {step.since.astimezone(zone):{'%d %b %H:%M' if long else '%H:%M:%S'}}" if start > 0 else ""
    right = start > 1 - 1.5 * _ROOM
    place = (last if right else date2num(step.since), height)
    _write(axes, f"latest{began}", place, above=True, side="right" if right else "left", colour=SLATE)


def _draw_dots(axes: Axes, dots: Sequence[Dot], lanes: Lanes) -> None:
    first, last = axes.get_xlim()
    for kind, (shape, colour) in LOOKS.items():
        own = [dot for dot in dots if dot.kind == kind]
        if not own:
            continue
        heights = [lanes.height(dot.executed, kind) for dot in own]
        times = [date2num(dot.time) for dot in own]
        axes.scatter(times, heights, s=95, marker=shape, color=colour, edgecolors="white", linewidths=1.2, zorder=3)
        if kind == STALE and len(own) <= _DOTS_JOINED:
            tops = [lanes.height(dot.latest) for dot in own]
            axes.vlines(times, heights, tops, color=colour, linewidth=1.2, linestyles=(0, (2, 2)), zorder=2)
        # The newest of its kind is named: that says what the shape means, where it is looked at.
        at = (times[-1] - first) / (last - first)
        side = "left" if at < _ROOM else "right" if at > 1 - _ROOM else "center"
        _write(axes, _words(own), (times[-1], heights[-1]), above=False, side=side, colour=colour)


def _join_attempts(axes: Axes, dots: Sequence[Dot], lanes: Lanes) -> None:
    """Draw a thread through the attempts of each run, and write their numbers into them; what ended badly is hollow."""
    for run in dict.fromkeys(dot.run for dot in dots if dot.run):
        own = sorted((dot for dot in dots if dot.run == run), key=lambda dot: dot.attempt)
        places = [(date2num(dot.time), lanes.height(dot.executed, dot.kind)) for dot in own]
        axes.plot(*zip(*places, strict=True), color=INK, linewidth=1.1, alpha=0.6, zorder=2)
        hollow = [place for dot, place in zip(own, places, strict=True) if dot.bad]
        if hollow:
            times, heights = zip(*hollow, strict=True)
            axes.scatter(times, heights, s=34, marker="o", color="white", zorder=4)
        for dot, place in zip(own, places, strict=True):
            axes.annotate(
                str(dot.attempt),
                place,
                ha="center",
                va="center",
                fontsize=6.5,
                fontweight="bold",
                color=LOOKS[dot.kind][1] if dot.bad else "white",
                zorder=5,
            )


def _write(axes: Axes, words: str, place: tuple[float, float], *, above: bool, side: str, colour: str) -> None:
    text = axes.annotate(
        words,
        place,
        xytext=({"left": 3 if above else -5, "right": -3 if above else 5, "center": 0}[side], 7 if above else -10),
        textcoords="offset points",
        ha=side,
        va="bottom" if above else "top",
        fontsize=9.5,
        color=colour,
        zorder=4,
    )
    text.set_path_effects([withStroke(linewidth=3, foreground="white")])


def _words(own: Sequence[Dot]) -> str:
    same = {dot.words for dot in own}
    words = own[-1].words if len(same) == 1 else {STALE: "ran an older one", NOTHING_RAN: "refused"}[own[0].kind]
    if len(own) == 1:
        return words
    noun = "firings" if own[0].kind == SKIPPED else "attempts" if any(dot.run for dot in own) else "runs"
    bad = sum(dot.bad for dot in own if dot.run)
    return f"{words} ({len(own)} {noun}{f', {bad} ended badly' if bad else ''})"


def _dress(axes: Axes, lanes: Lanes, zone: tzinfo, span: tuple[datetime, datetime]) -> None:
    names = lanes.names
    axes.set_yticks(list(names), list(names.values()), fontsize=10, color=INK)
    axes.set_ylim(min(names) - 0.6, max(names) + 0.5)
    locator = AutoDateLocator(
        tz=zone, minticks=3, maxticks=8
    )  # with others it finds no interval for some spans, and warns
    axes.xaxis.set_major_locator(locator)
    ticks = [num2date(tick, tz=zone) for tick in axes.get_xticks()]
    axes.xaxis.set_major_formatter(DateFormatter(_form(ticks, span[1] - span[0]), tz=zone))
    axes.tick_params(axis="x", labelsize=9.5, colors=INK)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(when(zone, *span), fontsize=9.5, color=GREY, loc="right")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", color="#EEEEEE", linewidth=1, zorder=0)
    axes.set_axisbelow(True)


def _form(ticks: Sequence[datetime], width: timedelta) -> str:
    """Return how the times of *ticks* are written: as short as tells them apart."""
    if all((tick.hour, tick.minute, tick.second) == (0, 0, 0) for tick in ticks):
        return "%d %b"
    if width > timedelta(days=1):
        return "%d %b %H:%M"
    return "%H:%M" if all(tick.second == 0 for tick in ticks) else "%H:%M:%S"


def when(zone: tzinfo, first: datetime, last: datetime) -> str:
    """Return the day or days, and the zone that the times are in."""
    days = list(dict.fromkeys(f"{moment.astimezone(zone):%d %b %Y}" for moment in (first, last)))
    return f"{' to '.join(days)}, {_zone_name(zone, last)}"


def _zone_name(zone: tzinfo, moment: datetime) -> str:
    name = str(getattr(zone, "key", "")) or str(zone)
    offset = f"{moment.astimezone(zone):%z}"
    return "UTC" if offset == "+0000" and name in ("UTC", "Etc/UTC") else f"{name} (UTC{offset[:3]}:{offset[3:]})"


def _title(dots: Sequence[Dot]) -> str:
    if not dots:
        return "No run in this time"
    words = {
        LATEST: "took the latest revision",
        STALE: "took an older one",
        UNKNOWN: "took nobody knows which",
        NOTHING_RAN: "refused",
        SKIPPED: "skipped",
    }
    counts = {kind: sum(dot.kind == kind for dot in dots) for kind in LOOKS}
    kinds = [kind for kind in LOOKS if counts[kind]]
    all_of_them = "all " if len(dots) > 1 else ""
    told = [f"{counts[kind]} {words[kind]}" for kind in kinds] if len(kinds) > 1 else [all_of_them + words[kinds[0]]]
    names = [dot.run for dot in dots if dot.run]
    count = len(dots) - len(names) + len(set(names))
    runs = f"{count} run{'' if count == 1 else 's'}" + (f" in {len(dots)} attempts" if count < len(dots) else "")
    return f"{runs}: {', '.join(told)}"
