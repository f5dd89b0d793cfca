"""The tables behind the pictures of a long time, to search and to sort; and its files."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from ecs_runbook.evidence.runs import LATEST, STALE, UNKNOWN
from ecs_runbook.firing.calls import FAILED_TO_START, REFUSED
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.questions import ON_EVENTS, History
from ecs_runbook.past.sources import Told
from ecs_runbook.reports.long_time import length
from ecs_runbook.reports.tables import Cell, Shown, framed, searchable
from ecs_runbook.verdicts.verdict import Check, Verdict

if TYPE_CHECKING:
    from ecs_runbook.reports.run import Run

MOST_ROWS = 200
"""The executed notebook stays small; the CSV files have all rows."""
MOST_BROKEN, MOST_ASKED, MOST_CHECKS = 20, 20, 12
MOST_SAVED = 100_000
"""Of single runs: more make a file that no spreadsheet opens."""
TABLES = ("stretches", "failures", "causes", "first_runs", "never_ran", "silences")
"""The tables of a :class:`~ecs_runbook.past.questions.History`."""

Row = Mapping[str, Any]


class _Column(NamedTuple):
    """A column as it is shown: its head, its width, and what stands in its cells."""

    head: str
    width: str
    cell: Callable[[Row, tzinfo], Cell]


def long_table(history: History, which: str) -> Shown:
    """
    Return one of the tables of *history*, at most :data:`MOST_ROWS` of it, the worst first.

    Parameters
    ----------
    history
        From :func:`ecs_runbook.past.questions.history`.
    which
        One of :data:`TABLES` but ``failures``, whose rows the causes count.
    """
    table: pd.DataFrame = getattr(history, which)
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    if which == "stretches":
        rows.sort(key=lambda row: (not row["newest"], [STALE, UNKNOWN, LATEST].index(row["state"])))
    if not rows:
        return Shown(framed("<p>Nothing.</p>"), "Nothing.")
    columns = _COLUMNS[which]
    shown = rows[:MOST_ROWS]
    cells = [[column.cell(row, history.zone) for column in columns] for row in shown]
    said = f"<p>The first {MOST_ROWS} of {len(rows):,}; all are in {which}.csv.</p>" if len(rows) > MOST_ROWS else ""
    markup = searchable([one.head for one in columns], cells, widths=[one.width for one in columns])
    return Shown(framed(said + markup, lively=True), table.head(MOST_ROWS).to_string())


def in_short(history: History, verdict: Verdict) -> Shown:
    """Return how much was seen, the checks, the worst first, who answered, and what could not be read and why."""
    checks = sorted(verdict.checks, key=lambda one: ("NG", "SKIP", "OK").index(one.status))
    shown, rest = checks[:MOST_CHECKS], checks[MOST_CHECKS:]
    words = _seen(history)
    body = "".join(_check(one) for one in shown)
    widths = "".join(f'<col style="width:{width}">' for width in ("8%", "24%", "40%", "28%"))
    heads = "<thead><tr><th></th><th>what</th><th>because</th><th>next</th></tr></thead>"
    table = f'<div class="fixed"><table><colgroup>{widths}</colgroup>{heads}<tbody>{body}</tbody></table></div>'
    more = f"<p>and {len(rest):,} more, in verdict.json</p>" if rest else ""
    said = "".join(f"<p>{html.escape(word)}</p>" for word in words)
    return Shown(framed(said + table + more + _answers(history)), "\n".join([*words, str(verdict)]))


def _seen(history: History) -> list[str]:
    runs = history.runs
    if runs.empty:
        return [runs.attrs.get("because") or "No run of these families was seen."]
    starts = int(runs["status"].isin([REFUSED, FAILED_TO_START]).sum())
    drills = f"; {history.drills:,} were drills, which count nowhere below" if history.drills else ""
    first = f"{len(runs) - starts:,} tasks and {starts:,} starts that failed{drills}."
    unknown = history.ends_unknown
    how = (
        f"Of {unknown:,} task{'s' * (unknown != 1)} nobody told how they ended: CloudTrail tells only that they began."
        if unknown
        else ""
    )
    return [first, how] if how else [first]


def _check(one: Check) -> str:
    style = {"NG": "error", "SKIP": "SKIP", "OK": "OK"}[one.status]
    what = html.escape(one.subject or one.id) + (f"<br><small>{one.id}</small>" if one.subject else "")
    words = f"<td>{html.escape(one.because)}</td><td>{html.escape(one.next)}</td>"
    return f'<tr><td><b class="{style}">{one.status}</b></td><td>{what}</td>{words}</tr>'


def _answers(history: History) -> str:
    """Return who was asked and what they answered, and what could not be read: it is in none of the pictures."""
    broken = [(one["name"], "could not be read", one["why"]) for one in history.broken]
    asked = [
        (str(one["source"]), "answered" if one["answered"] else "did not answer", str(one["answer"]))
        for one in history.asked
    ]
    rest = [*asked[MOST_ASKED:], *broken[MOST_BROKEN:]]
    rows = [*asked[:MOST_ASKED], *broken[:MOST_BROKEN]]
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(word)}</td>' for word in row)}</tr>" for row in rows)
    more = f"<p>and {len(rest):,} more, in receipt.json</p>" if rest else ""
    widths = "".join(f'<col style="width:{width}">' for width in ("40%", "14%", "46%"))
    count = f"{len(broken):,} file{'s' * (len(broken) != 1)} or record{'s' * (len(broken) != 1)}"
    head = f"<p>{count} could not be read: nothing below has them.</p>" if broken else ""
    table = f'<div class="fixed"><table><colgroup>{widths}</colgroup><tbody>{body}</tbody></table></div>'
    return head + (table if rows else "") + more


def save_history(run: Run, history: History, told: Told, archive: str = "") -> Shown:
    """
    Write the newest :data:`MOST_SAVED` runs and every table into the folder of *run*, as CSV; return what they are.

    What could not be read, if there is some, is in ``broken.csv``. With an *archive*, what was *told* is kept there for
    good.
    """
    files = {name: getattr(history, name) for name in TABLES}
    files |= {"broken": pd.DataFrame(history.broken)} if history.broken else {}
    files["runs"] = history.runs.sort_values("time", kind="stable").tail(MOST_SAVED)
    for name, table in files.items():
        run.save(f"{name}.csv", table)
    left = len(history.runs) - len(files["runs"])
    words = {name: f"{len(table):,} rows" for name, table in files.items()}
    words["runs"] += f", the newest; {left:,} older ones are left out" if left else ""
    rows = [(f"{name}.csv", said) for name, said in words.items()]
    if archive:
        kept = Archive(archive, run.aws).keep(told.facts)
        rows.append((f"the archive {archive}", f"{kept.new:,} facts more; {kept.known:,} were there already"))
    body = "".join(f"<tr><td>{html.escape(name)}</td><td>{said}</td></tr>" for name, said in rows)
    text = "\n".join(f"{name}: {said}" for name, said in rows)
    return Shown(framed(f"<table><tbody>{body}</tbody></table>"), text)


# -------- cells


def _plain(name: str, *, under: str = "") -> Callable[[Row, tzinfo], Cell]:
    def cell(row: Row, _zone: tzinfo) -> Cell:
        small = row[under] if under else ""
        below = f"<br><small>{html.escape(str(small))}</small>" if small else ""
        return Cell(html.escape(_text(row[name])) + below)

    return cell


def _named(*names: str) -> Callable[[Row, tzinfo], Cell]:
    """Return the names, each once, and small below them the account and Region."""

    def cell(row: Row, _zone: tzinfo) -> Cell:
        own = html.escape(" · ".join(dict.fromkeys(row[name] for name in names if row[name])) or "unknown")
        return Cell(f"{own}<br><small>{html.escape(row['account'])}/{html.escape(row['region'])}</small>")

    return cell


def _number(name: str) -> Callable[[Row, tzinfo], Cell]:
    def cell(row: Row, _zone: tzinfo) -> Cell:
        return Cell("") if pd.isna(row[name]) else Cell(f"{row[name]:,}", sort=f"{row[name]:015}")

    return cell


def _time(name: str, *, without: str = "") -> Callable[[Row, tzinfo], Cell]:
    def cell(row: Row, zone: tzinfo) -> Cell:
        if pd.isna(row[name]):
            return Cell(without)
        return Cell(f"{row[name].astimezone(zone):%Y-%m-%d %H:%M}")

    return cell


def _length(row: Row, _zone: tzinfo) -> Cell:
    return Cell(length(row["hours"]), sort=f"{row['hours']:015.4f}")


def _state(row: Row, _zone: tzinfo) -> Cell:
    style = {STALE: "error", UNKNOWN: "SKIP", LATEST: "OK"}[row["state"]]
    latest = "" if row["state"] != STALE else f" <small>while {_text(row['latest'])} was the latest</small>"
    now = " <small>to this day</small>" if row["newest"] else ""
    return Cell(f'<b class="{style}">{row["state"]}</b>{latest}{now}', sort=row["state"])


def _why(row: Row, _zone: tzinfo) -> Cell:
    return Cell(html.escape(row["title"]) + f"<br><small>{html.escape(row['said'])}</small>" * bool(row["said"]))


def _cause(row: Row, _zone: tzinfo) -> Cell:
    """Return the cause where it is known, else what AWS said."""
    return Cell(html.escape(row["title"] if row["cause"] or not row["said"] else row["said"]))


def _when_due(row: Row, _zone: tzinfo) -> Cell:
    if row["outcome"] == ON_EVENTS:
        return Cell("on events")
    zone = f" <small>{html.escape(row['zone'])}</small>" if row["kind"] == "schedule" else ""
    return Cell(html.escape(row["expression"]) + zone)


def _ended(row: Row, zone: tzinfo) -> Cell:
    if row["lasts"]:
        return Cell('<b class="error">lasts</b>', sort="z")
    return _time("ended", without=html.escape(row["now"] or "not seen"))(row, zone)


def _text(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value)


_COLUMNS: Mapping[str, Sequence[_Column]] = {
    "stretches": (
        _Column("family and schedule", "30%", _named("family", "schedule")),
        _Column("revision", "9%", _number("revision")),
        _Column("state", "22%", _state),
        _Column("first run", "15%", _time("first")),
        _Column("last run", "15%", _time("last")),
        _Column("runs", "9%", _number("runs")),
    ),
    "causes": (
        _Column("cause", "44%", _why),
        _Column("failures", "9%", _number("count")),
        _Column("weeks", "8%", _number("weeks")),
        _Column("first", "11%", _time("first")),
        _Column("last", "11%", _time("last")),
        _Column("schedules", "17%", _plain("schedules")),
    ),
    "first_runs": (
        _Column("family", "29%", _named("family")),
        _Column("revision", "9%", _number("revision")),
        _Column("registered", "15%", _time("registered_at")),
        _Column("first run", "15%", _time("first_run")),
        _Column("waited", "12%", _length),
        _Column("outcome", "20%", _plain("outcome", under="schedule")),
    ),
    "never_ran": (
        _Column("schedule", "26%", _named("schedule")),
        _Column("when", "16%", _when_due),
        _Column("outcome", "14%", _plain("outcome")),
        _Column("due", "7%", _number("due")),
        _Column("since", "12%", _time("from")),
        _Column("starts that failed", "9%", _number("refused")),
        _Column("why", "16%", _cause),
    ),
    "silences": (
        _Column("schedule", "24%", _named("schedule", "family")),
        _Column("first failure", "12%", _time("first")),
        _Column("last failure", "12%", _time("last")),
        _Column("ended", "12%", _ended),
        _Column("length", "9%", _length),
        _Column("failures", "8%", _number("failures")),
        _Column("why", "23%", _cause),
    ),
}
