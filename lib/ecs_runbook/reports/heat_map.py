"""The map of schedules and checks: one look tells which check is bad everywhere, and which schedule in everything."""

from __future__ import annotations

import html
from collections import Counter, defaultdict
from collections.abc import Sequence

from ecs_runbook.checks.findings import Checked
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.reports.standing import GRADES, Grade, Standing, standings
from ecs_runbook.reports.tables import Shown, framed

MOST_LINES = 80
"""More lines than that no eye takes in; the table below, and the file, have all."""
ONE_BY_ONE = 30
"""As many targets have a line each; of more, those that stand alike share one."""
_NAMED = 3
_NAME, _COLUMN = 260, 24  # pixels
_LETTERS: dict[Grade, tuple[str, str]] = {
    "error": ("e", "E"),
    "warning": ("w", "W"),
    "note": ("n", "n"),
    "SKIP": ("s", "?"),
    "OK": ("o", "·"),
}


def heat_map(checked: Checked) -> Shown:
    """
    Return the map of schedules and checks.

    A line is a target, or all targets that stand alike; a column is a check that found something, the worst first. A
    check that found nothing is named below.
    """
    lines = _lines(standings(checked))
    shown, left = lines[:MOST_LINES], lines[MOST_LINES:]
    grades = [one.grades for one in standings(checked)]
    kinds = {check for own in grades for check in own}
    bad = {check: _column(check, grades) for check in kinds}
    columns = sorted((check for check in kinds if bad[check][0] < GRADES.index("OK")), key=lambda check: bad[check])
    fine = sorted(kinds - set(columns), key=_order)
    many_places = len({one.place for line in lines for one in line}) > 1
    wanted = _NAME + _COLUMN * len(columns)  # where there is less, all get less of it, and nothing is ever wider
    names = max(100 * _NAME // wanted, 18)
    head = "".join(f"<th><span>{html.escape(check)}</span></th>" for check in columns)
    body = "\n".join(_line(line, columns, many_places) for line in shown)
    table = (
        f'<div style="max-width:{wanted}px"><table><colgroup><col style="width:{names}%"></colgroup>'
        f"<thead><tr><th>schedule</th>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
        if columns
        else ""
    )
    notes = [*_left(left), *_fine(fine, bool(columns))]
    after = "".join(f"<p>{note}</p>" for note in notes)
    key = f"<p>{_KEY}</p>" if columns else ""
    return Shown(framed(f'<div class="heat">{key}{table}{after}</div>'), _text(lines, columns))


def _lines(found: Sequence[Standing]) -> list[list[Standing]]:
    """Return the targets that stand alike together, the worst first; each alone where they are few."""
    if len(found) <= ONE_BY_ONE:
        return [[one] for one in found]
    alike: dict[tuple[object, ...], list[Standing]] = defaultdict(list)
    for one in found:
        # what is fine does not set targets apart: which checks apply to each is no news
        bad = frozenset((check, own) for check, own in one.grades.items() if own != "OK")
        alike[one.target, bad].append(one)
    return list(alike.values())


def _column(check: str, grades: Sequence[object]) -> tuple[int, int, int]:
    counts = Counter(own[check] for own in grades if check in own)  # type: ignore[index, operator]
    worst = min((GRADES.index(grade) for grade in counts), default=len(GRADES))
    return worst, -counts[GRADES[worst]], _order(check)


def _order(check: str) -> int:
    return list(KINDS).index(check) if check in KINDS else len(KINDS)


def _line(line: Sequence[Standing], columns: Sequence[str], many_places: bool) -> str:
    cells = "".join(_cell(line, check) for check in columns)
    return f"<tr><th>{_name(line, many_places)}</th>{cells}</tr>"


def _cell(line: Sequence[Standing], check: str) -> str:
    grade = min((one.grades[check] for one in line if check in one.grades), key=GRADES.index, default=None)
    if grade is None:
        return "<td></td>"
    style, letter = _LETTERS[grade]
    return f'<td class="{style}">{letter}</td>'


def _name(line: Sequence[Standing], many_places: bool) -> str:
    def told(one: Standing) -> str:
        place = f" <small>{html.escape(str(one.place))}</small>" if many_places and one.place.region else ""
        return html.escape(one.subject or str(one.place)) + place

    if len(line) == 1:
        return told(line[0])
    named = ", ".join(html.escape(one.subject) for one in line[:_NAMED])
    more = f" … and {len(line) - _NAMED:,} more" if len(line) > _NAMED else ""
    return f"<b>{len(line):,}</b> alike: {named}{more}"


def _left(lines: Sequence[Sequence[Standing]]) -> list[str]:
    if not lines:
        return []
    count = sum(len(line) for line in lines)
    return [f"{len(lines):,} more lines, of {count:,} targets that stand better than these, are in the tables below."]


def _fine(fine: Sequence[str], some_bad: bool) -> list[str]:
    if not fine:
        return []
    names = ", ".join(html.escape(check) for check in fine)
    everywhere = "OK wherever they apply" if some_bad else "Every check is OK wherever it applies"
    return [f"<small>{everywhere}: {names}.</small>"]


_KEY = (
    '<small><b class="error">E</b> error · <b class="warning">W</b> warning · <b class="note">n</b> note · '
    '<b class="SKIP">?</b> could not be looked at · <b class="OK">·</b> OK · empty: does not apply</small>'
)


def _text(lines: Sequence[Sequence[Standing]], columns: Sequence[str]) -> str:
    return f"{len(lines)} lines × {len(columns)} checks that found something: the map is in the HTML"
