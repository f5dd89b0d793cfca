"""Each finding that is not OK, with because and the mend: a table to search and to sort."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import UTC, tzinfo

from ecs_runbook.checks.findings import Checked, Finding
from ecs_runbook.reports.history import News
from ecs_runbook.reports.standing import GRADES, grade, spread
from ecs_runbook.reports.tables import Cell, Shown, framed, searchable

MOST_ROWS = 1000
"""The executed notebook stays small enough to be opened and handed on; all findings are in the CSV file."""
_HEADS = ("status", "schedule", "check", "because, and the mend", "since")
_WIDTHS = ("9%", "22%", "17%", "41%", "11%")
_WIDTHS_OF_A_FIRST_CHECK = ("9%", "22%", "17%", "52%")


def details(checked: Checked, news: News | None = None, *, zone: tzinfo = UTC) -> Shown:
    """
    Return the findings that are not OK, the worst first, at most :data:`MOST_ROWS` of them.

    Parameters
    ----------
    checked
        From the check.
    news
        Since when each is known, from :meth:`~ecs_runbook.reports.history.History.compare`.
    zone
        The zone that days are told in.
    """
    bad = [one for one in checked.findings if one.status != "OK"]
    fine = len(checked.findings) - len(bad)
    if not bad:
        words = f"Nothing: {fine:,} checks, all OK."
        return Shown(framed(f"<p>{words}</p>"), words)
    many_places = len({one.place for one in checked.findings}) > 1
    rows = [_row(one, news, zone, many_places) for one in spread(bad, MOST_ROWS)]
    widths = _WIDTHS if news is not None and news.last is not None else _WIDTHS_OF_A_FIRST_CHECK
    table = searchable(_HEADS[: len(widths)], [row[: len(widths)] for row in rows], widths=widths)
    note = _note(len(bad), fine)
    return Shown(framed(f"<p>{note}</p>{table}", lively=True), f"{len(bad):,} findings are not OK. {note}")


def _note(bad: int, fine: int) -> str:
    some = f"{MOST_ROWS:,} of {bad:,} findings that are not OK follow, some of each check, the worst first"
    cut = some if bad > MOST_ROWS else f"{bad:,} not OK"
    return f"{cut}; {fine:,} are OK. All of them are in <code>findings.csv</code>."


def _row(one: Finding, news: News | None, zone: tzinfo, many_places: bool) -> Sequence[Cell]:
    order = GRADES.index(grade(one))
    word = "SKIP" if one.status == "SKIP" else one.severity
    place = f"<br><small>{html.escape(str(one.place))}</small>" if many_places else ""
    link = f' <a href="{html.escape(one.notebook)}.ipynb">{html.escape(one.notebook)}</a>' if one.notebook else ""
    mend = f'<br><span class="mend">{html.escape(one.mend)}</span>{link}' if one.mend or link else ""
    first = news.first.get(one) if news else None
    since = "" if first is None else f"{first.astimezone(zone):%d %b %Y}"
    new = "<b>new</b>" if news is not None and news.is_new(one) else since
    return (
        Cell(f'<b class="{word}">{word}</b>', str(order)),
        Cell(html.escape(one.subject or str(one.place)) + place),
        Cell(html.escape(one.check)),
        Cell(html.escape(one.because) + mend),
        Cell(new, "9999" if new.startswith("<b>") else "" if first is None else first.isoformat()),
    )
