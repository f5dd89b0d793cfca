"""What a rehearsal came to, to be read in a notebook: each mistake on its own, and the table of all."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pandas as pd

from ecs_runbook.diagnosis.explain import lines_of_code
from ecs_runbook.errors import ParameterError
from ecs_runbook.evidence.runs import LATEST
from ecs_runbook.rehearsal.mend import old_lines
from ecs_runbook.rehearsal.mistakes import STORIES, Mistake

if TYPE_CHECKING:
    from ecs_runbook.diagnosis.explain import Explanation

REHEARSED_COLUMNS = [
    "mistake",
    "what AWS said",
    "found by lint",
    "found by plan check",
    "found by live check",
    "after the mend",
]
NOT_FOUND = "–"


@dataclass(frozen=True)
class Seen:
    """
    What one firing of one mistake left.

    Attributes
    ----------
    at
        The schedule's minute, UTC; None where there was no firing.
    said
        What AWS said.
    told_by
        Where it said so.
    runs
        As from :func:`~ecs_runbook.evidence.runs.runs`.
    explanation
        What the catalogue says of it; None if nothing was there to be explained.
    found
        The ids of the causes, or of the checks, that the live checks found.
    """

    at: datetime | None
    said: str
    told_by: str
    runs: pd.DataFrame = field(repr=False)
    explanation: Explanation | None = field(default=None, repr=False)
    found: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """
    One mistake: made, seen, mended, seen again.

    Attributes
    ----------
    mistake
        What its folder says.
    first, second
        The firing before and after the mend; None where nothing was fired.
    lint, plan
        The rules that found it in its folder and in its plan, and find it no more once it is mended.
    still_to_change
        What a plan after the mend would change: nothing, if it is right.
    lines
        Its ``main.tf``.
    """

    mistake: Mistake
    first: Seen | None
    second: Seen | None
    lint: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
    still_to_change: tuple[str, ...] = ()
    lines: str = field(default="", repr=False)

    @property
    def said(self) -> str:
        """What AWS said."""
        return self.first.said if self.first else ""

    @property
    def as_expected(self) -> bool:
        """Whether that is what the README says, letter by letter."""
        return self.mistake.expects(self.said)

    @property
    def runs_now(self) -> bool:
        """Whether every run after the mend took the latest revision and ended with 0, and a plan is empty."""
        if self.second is None or self.second.runs.empty or self.still_to_change:
            return False
        if self.second.said and self.mistake.expects(self.second.said):
            return False  # it ran as before
        rows = self.second.runs
        return bool((rows["state"] == LATEST).all() and (rows["exit_code"] == 0).fillna(value=False).all())

    @property
    def after(self) -> str:
        """What came of it after the mend, in a few words."""
        if self.second is None or self.second.runs.empty:
            return "did not run"
        if self.still_to_change:
            return f"a plan would {'; '.join(self.still_to_change)}"
        row = self.second.runs.iloc[-1]
        if not row["state"]:
            return str(row["error"])
        code = "no exit code" if pd.isna(row["exit_code"]) else f"exit code {row['exit_code']}"
        return ", ".join(filter(None, [row["state"], code, self.second.said]))

    def __str__(self) -> str:
        return f"{self.mistake.name}: {self.said or 'AWS said nothing'}\nafter the mend: {self.after}"

    def _repr_html_(self) -> str:
        write, answers = _prose(self.mistake.people_write), _prose(self.mistake.aws_answers)
        told = f" <small>({html.escape(self.first.told_by)})</small>" if self.first and self.first.told_by else ""
        mark = "✓ as its README says, letter by letter" if self.as_expected else "✗ its README expects other words"
        said = "What ran" if self.mistake.story.shows in ("stale", "hour") else "AWS said"
        rows = [
            ("People write", f"{write}{_code(old_lines(self.mistake.diff))}"),
            ("AWS answers", answers),
            (said, f"<code>{html.escape(self.said or 'nothing')}</code>{told}<br><small>{mark}</small>"),
            ("What it means", _explained(self.first.explanation if self.first else None)),
            ("Found by", html.escape(self._found_by())),
            ("The mend", _coloured(self.mistake.diff)),
            ("After the mend", f"{html.escape(self.after)}{_runs(self.second)}"),
        ]
        if self.mistake.story.why:
            rows.insert(1, ("Meanwhile", html.escape(self.mistake.story.why)))
        body = "".join(_row(head, cell) for head, cell in rows if cell)
        return f"<p><b>{html.escape(self.mistake.title)}</b></p><table>{body}</table>"

    def _found_by(self) -> str:
        live = self.first.found if self.first else ()
        ways = (("lint", self.lint), ("the plan check", self.plan), ("the live check", live))
        return " · ".join(f"{way}: {_ids(ids)}" for way, ids in ways)


@dataclass(frozen=True)
class NotRehearsed:
    """A mistake that was not chosen this time."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} was not rehearsed this time; name it in mistakes, or leave mistakes empty for all."

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}</p>"


@dataclass(frozen=True)
class Rehearsed:
    """
    A rehearsal: what was seen of each mistake, by name.

    Examples
    --------
    >>> Rehearsed({}).table.columns.tolist() == REHEARSED_COLUMNS
    True
    >>> print(Rehearsed({})["pinned_revision"])
    pinned_revision was not rehearsed this time; name it in mistakes, or leave mistakes empty for all.
    """

    told: Mapping[str, Told]

    def __getitem__(self, name: str) -> Told | NotRehearsed:
        if name in self.told:
            return self.told[name]
        if name not in STORIES:
            near = ", ".join(get_close_matches(name, STORIES, n=3, cutoff=0.4)) or ", ".join(STORIES)
            raise ParameterError(f"{name!r} is not a mistake that is known.", hint=f"The nearest are: {near}.")
        return NotRehearsed(name)

    def __iter__(self) -> Iterator[Told]:
        return iter(self.told.values())

    def __len__(self) -> int:
        return len(self.told)

    @property
    def table(self) -> pd.DataFrame:
        """One row a mistake, columns :data:`REHEARSED_COLUMNS`."""
        rows = [
            (
                one.mistake.name,
                one.said or NOT_FOUND,
                _ids(one.lint),
                _ids(one.plan),
                _ids(one.first.found if one.first else ()),
                one.after,
            )
            for one in self
        ]
        return pd.DataFrame(rows, columns=REHEARSED_COLUMNS)

    def to_dict(self) -> dict[str, Any]:
        """Return it in plain values, for the receipt."""
        return {
            one.mistake.name: {
                "said": one.said,
                "as_expected": one.as_expected,
                "lint": one.lint,
                "plan": one.plan,
                "live": list(one.first.found) if one.first else [],
                "after": one.after,
                "before_the_mend": one.first.runs if one.first else None,
                "after_the_mend": one.second.runs if one.second else None,
            }
            for one in self
        }

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def _repr_html_(self) -> str:
        head = "".join(_cell("th", name, name) for name in REHEARSED_COLUMNS)
        rows = "".join(
            "<tr>" + "".join(_cell("td", *one) for one in zip(REHEARSED_COLUMNS, row, strict=True)) + "</tr>"
            for row in self.table.itertuples(index=False, name=None)
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(tag: str, column: str, value: object) -> str:
    # names and ARNs have no place to break, and would push the last columns off the page
    wide = ";overflow-wrap:anywhere;min-width:18em" if column == "what AWS said" else ""
    words = html.escape(str(value)).replace("_", "_<wbr>")
    return f'<{tag} style="text-align:left;vertical-align:top;white-space:normal{wide}">{words}</{tag}>'


def _ids(ids: tuple[str, ...]) -> str:
    return ", ".join(ids) or NOT_FOUND


def _prose(words: str) -> str:
    """Return a README's line as HTML: what stands in backticks is code."""
    parts = words.split("`")
    return "".join(
        f"<code>{html.escape(part)}</code>" if number % 2 else html.escape(part) for number, part in enumerate(parts)
    )


def _row(head: str, cell: str) -> str:
    left = 'style="text-align:left;vertical-align:top"'
    return f"<tr><th {left}>{head}</th><td {left}>{cell}</td></tr>"


def _code(lines: list[str]) -> str:
    # a blank before each: none of them is a line of a diff
    return lines_of_code(f" {line}" for line in lines)


def _coloured(diff: str) -> str:
    return lines_of_code("  …" if line.startswith("@@") else line for line in diff.splitlines())


def _explained(explanation: Explanation | None) -> str:
    if explanation is None:
        return ""
    causes = "".join(f"<li>{html.escape(cause)}</li>" for cause in explanation.causes)
    return f"<b>{html.escape(explanation.title)}</b><br>{html.escape(explanation.means)}<ul>{causes}</ul>"


_SHOWN = ["time", "requested", "executed", "latest", "state", "status", "exit_code", "error"]


def _runs(seen: Seen | None) -> str:
    if seen is None or seen.runs.empty:
        return ""
    rows = seen.runs[_SHOWN]
    rows = rows if rows["error"].any() else rows.drop(columns="error")
    return str(rows.to_html(index=False, border=0, justify="left", na_rep="", escape=True))
