"""What a check found, on one screen: how many, what has changed, the worst first."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, tzinfo

from ecs_runbook.checks.asked import Asked
from ecs_runbook.checks.findings import Checked, Finding
from ecs_runbook.reports.history import News, Old
from ecs_runbook.reports.standing import GRADES, Grade, Standing, by_check, grade, standings
from ecs_runbook.reports.tables import Shown, framed
from ecs_runbook.verdicts.verdict import Verdict

MOST_WORST = 8
"""More would not fit one screen."""
_MOST_PLACES = 5
_NAMED = 3
_LONGEST = 140
_WORDS: dict[Grade, str] = {
    "error": "error",
    "warning": "warning",
    "note": "note",
    "SKIP": "could not be looked at",
    "OK": "OK",
}


class Summary(Shown):
    """
    The summary, to be shown, printed and sent.

    Attributes
    ----------
    line
        What it comes to, in one line.
    """

    def __init__(self, markup: str, text: str, line: str) -> None:
        super().__init__(markup, text)
        self.line = line


def summary(checked: Checked, verdict: Verdict, asked: Asked, news: News | None = None) -> Summary:
    """
    Return what was found, on one screen.

    Parameters
    ----------
    checked
        From the check.
    verdict
        What it comes to.
    asked
        What was asked: the window, and the reader's zone.
    news
        What has changed, from :meth:`~ecs_runbook.reports.history.History.compare`.
    """
    found = standings(checked)
    line = _line(found)
    counts = Counter(one.worst for one in found if one.target)
    worst = [group for group in by_check(checked.findings) if grade(group[0]) != "OK"]
    scope = _scope(checked, asked)
    changes = _changes(news, asked.zone)
    places = _places(found)
    markup = "".join(
        (
            f'<p><b class="{_style(verdict)}">{verdict.status}</b> {html.escape(line)}</p>',
            _counts(counts),
            f"<p>{html.escape(changes)}</p>" if changes else "",
            _worst(worst),
            _ended(news),
            f"<p>{html.escape(places)}</p>" if places else "",
            f"<p><small>{html.escape(scope)}</small></p>",
        )
    )
    text = "\n".join(filter(None, [f"{verdict.status}: {line}", changes, *_lines(worst), places, scope]))
    return Summary(framed(markup), text, line)


def _line(found: Sequence[Standing]) -> str:
    targets = [one for one in found if one.target]
    # a note on a source, such as a letter of an unknown sender, is no gap
    unread = sum(not one.target and not {"note", "OK"}.issuperset(one.grades.values()) for one in found)
    sources = f"{unread:,} source{'s' * (unread != 1)} could not be read in full"
    if not targets:
        return f"nothing on a schedule that ends in ECS was found{f'; {sources}' if unread else ''}."
    counts = Counter(one.worst for one in targets)
    total = f"{len(targets):,} scheduled target{'s' * (len(targets) != 1)}"
    bad = sum(counts[grade] for grade in GRADES[:2])
    parts = []
    if bad:
        parts.append(f"{bad:,} of {total} {'has' if bad == 1 else 'have'} an error or a warning")
    if counts["SKIP"]:
        parts.append(f"{counts['SKIP']:,} could not be looked at in full")
    if unread:
        parts.append(sources)
    if not parts:
        notes = f", {counts['note']:,} with a note" if counts["note"] else ""
        return f"{total}, no error and no warning{notes}."
    return f"{'; '.join(parts)}." if bad else f"{'; '.join(parts)}, of {total}."


def _style(verdict: Verdict) -> str:
    return "error" if verdict.status == "NG" else verdict.status


def _counts(counts: Counter[Grade]) -> str:
    shown = " ".join(
        f'<span><b class="{grade}">{counts[grade]:,}</b> {_WORDS[grade]}</span>' for grade in GRADES if counts[grade]
    )
    return f'<div class="counts">{shown}</div>' if shown else ""


def _changes(news: News | None, zone: tzinfo) -> str:
    if news is None:
        return ""
    unread = (
        f" {len(news.unread)} files of the history could not be read: {', '.join(news.unread[:3])}."
        if news.unread
        else ""
    )
    if news.last is None:
        return f"The first check of this question: what is found now is what the next one compares with.{unread}"
    parts = [f"{len(news.new):,} new", f"{len(news.mended):,} mended"]
    parts += [f"{len(news.gone):,} gone with their schedules"] if news.gone else []
    parts += [f"{len(news.unseen):,} not looked at this time"] if news.unseen else []
    return f"Since the last check, {_when(news.last, zone)}: {', '.join(parts)}.{unread}"


def _worst(groups: Sequence[Sequence[Finding]]) -> str:
    if not groups:
        return ""
    rows = "".join(
        f'<tr><td><b class="{grade(group[0])}">{grade(group[0])}</b></td><td>{html.escape(group[0].check)}</td>'
        f"<td>{len(group):,}</td><td>{html.escape(_example(group))}</td></tr>"
        for group in groups[:MOST_WORST]
    )
    more = _more(groups)
    after = f"<p><small>{html.escape(more)}</small></p>" if more else ""
    return (
        '<table class="counted"><thead><tr><th>worst</th><th>check</th><th>count</th><th>such as</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>{after}"
    )


def _lines(groups: Sequence[Sequence[Finding]]) -> list[str]:
    lines = [
        f"{grade(group[0]):<7}  {group[0].check} ({len(group):,}): {_example(group)}" for group in groups[:MOST_WORST]
    ]
    more = _more(groups)
    return [*lines, more] if more else lines


def _more(groups: Sequence[Sequence[Finding]]) -> str:
    left = groups[MOST_WORST:]
    if not left:
        return ""
    many, found = len(left), sum(map(len, left))
    checks, findings = f"{many} more check{'s' * (many > 1)}", f"{found:,} finding{'s' * (found > 1)}"
    return f"{checks} with {findings}: see the map and the table."


def _example(group: Sequence[Finding]) -> str:
    first = group[0]
    because = first.because.removesuffix(".")
    because = because if len(because) <= _LONGEST else f"{because[: _LONGEST - 1]}…"
    others = [one.subject for one in group[1:_NAMED]]
    rest = len(group) - 1 - len(others)
    more = f"; also {', '.join(others)}" if others else ""
    return f"{first.subject or first.place}: {because}{more}{f' and {rest:,} more' if rest else ''}"


def _ended(news: News | None) -> str:
    if news is None:
        return ""
    parts = [
        _folded(f"{len(old):,} {word}", old) for word, old in (("mended", news.mended), ("gone", news.gone)) if old
    ]
    return "".join(parts)


def _folded(title: str, old: Sequence[Old]) -> str:
    most = 50
    told = "".join(
        f"<li>{html.escape(f'{one.key.subject}: {one.key.check}')} <small>was: {html.escape(one.because)}</small></li>"
        for one in old[:most]
    )
    more = f"<li>and {len(old) - most:,} more</li>" if len(old) > most else ""
    return f"<details><summary>{title}</summary><ul>{told}{more}</ul></details>"


def _places(found: Sequence[Standing]) -> str:
    counts: dict[str, Counter[Grade]] = {}
    for one in found:
        if one.target:
            counts.setdefault(str(one.place), Counter())[one.worst] += 1
    if len(counts) < 2:
        return ""
    order = sorted(counts, key=lambda place: [-counts[place][grade] for grade in GRADES[:-1]])
    told = [
        f"{place} {sum(counts[place][grade] for grade in GRADES[:2]):,} of {counts[place].total():,}"
        for place in order[:_MOST_PLACES]
    ]
    more = f" and {len(order) - _MOST_PLACES} more" if len(order) > _MOST_PLACES else ""
    return f"With an error or a warning, by place: {', '.join(told)}{more}."


def _scope(checked: Checked, asked: Asked) -> str:
    places = checked.inventory.places
    one = str(places[0]) if len(places) == 1 else f"{len(places)} accounts and Regions"
    calls = sum(checked.calls.values())
    runs = f"{len(checked.runs):,} runs since {_when(asked.since, asked.zone)}"
    off = f" Turned off: {', '.join(checked.off)}." if checked.off else ""
    return f"Looked at {one}, {runs}, at {_when(asked.until, asked.zone)}, with {calls:,} calls.{off}"


def _when(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    return f"{local:%a %d %b %Y %H:%M} {local.tzname() or zone}"
