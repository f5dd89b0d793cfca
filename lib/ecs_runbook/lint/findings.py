"""What lint found, what it could not look into, and the report of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ecs_runbook.lint.addresses import plain
from ecs_runbook.lint.model import Block, Broken, Configuration, Place
from ecs_runbook.lint.registry import RULES, SEVERITIES, Severity

if TYPE_CHECKING:
    import pandas as pd

LINT_COLUMNS = ["severity", "rule", "where", "address", "because", "mend", "silenced"]
UNRESOLVED_COLUMNS = ["where", "address", "what", "because"]


@dataclass(frozen=True)
class Finding:
    """
    One mistake.

    Attributes
    ----------
    rule
        Its id, one of :data:`~ecs_runbook.lint.registry.RULES`.
    severity
        ``error``, ``warning`` or ``note``.
    place
        File and line; a plan that was read alone has none.
    address
        Of the resource; empty for a file.
    because
        What was seen, with its values.
    mend
        What to change, in words.
    diff
        The change, a line each with ``-`` or ``+``; empty where words say more.
    silenced
        The reason that a comment gives for keeping it; empty as a rule.

    Raises
    ------
    ValueError
        If the rule or the severity is not known, or there is no *because*.
    """

    rule: str
    severity: Severity
    place: Place
    address: str
    because: str
    mend: str
    diff: str = ""
    silenced: str = ""

    def __post_init__(self) -> None:
        if self.rule not in RULES or self.severity not in SEVERITIES or not self.because:
            raise ValueError(f"finding {self.rule!r}, {self.severity!r}: a known rule, a severity and because.")


@dataclass(frozen=True)
class Unresolved:
    """Something that a rule would have looked at and could not: what, and why. It is neither good nor bad."""

    place: Place
    address: str
    what: str
    because: str


Said = Finding | Unresolved
"""What a rule says."""


@dataclass(frozen=True)
class Report:
    """
    What lint or a plan check found.

    Attributes
    ----------
    findings
        In the order of files and lines; the silenced ones too.
    unresolved
        What could not be looked into, and why.
    broken
        Files and folders that could not be read; each is a finding too.
    files
        The files that were read.
    of
        ``files`` or ``plan``: what was looked at.
    """

    findings: Sequence[Finding] = ()
    unresolved: Sequence[Unresolved] = ()
    broken: Sequence[Broken] = ()
    files: Sequence[str] = ()
    of: str = "files"
    configurations: Sequence[Configuration] = field(default=(), repr=False, compare=False)

    @property
    def open(self) -> list[Finding]:
        """The findings that no comment silences."""
        return [finding for finding in self.findings if not finding.silenced]

    def at_least(self, severity: Severity) -> list[Finding]:
        """Return the open findings of *severity* or worse."""
        return [one for one in self.open if SEVERITIES.index(one.severity) <= SEVERITIES.index(severity)]

    def summary(self) -> str:
        """Return it in one line."""
        from ecs_runbook.lint.formats import summary

        return summary(self)

    def text(self) -> str:
        """Return it for a terminal."""
        from ecs_runbook.lint.formats import text

        return text(self)

    def json(self) -> str:
        """Return it as JSON, in the shape of ``lint.schema.json``."""
        from ecs_runbook.lint.formats import json_text

        return json_text(self)

    def sarif(self) -> str:
        """Return it as SARIF 2.1.0, which code hosts show beside the lines."""
        from ecs_runbook.lint.formats import sarif

        return sarif(self)

    def frame(self) -> pd.DataFrame:
        """One row a finding, columns :data:`LINT_COLUMNS`."""
        import pandas as pd

        rows = [
            (one.severity, one.rule, str(one.place), one.address, one.because, one.mend, one.silenced)
            for one in self.findings
        ]
        return pd.DataFrame(rows, columns=LINT_COLUMNS)

    def to_dict(self) -> dict[str, Any]:
        """Return it as :meth:`json` writes it."""
        from ecs_runbook.lint.formats import document

        return document(self)

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from ecs_runbook.lint.formats import html

        return html(self)


def found(
    rule: str,
    block: Block,
    path: Sequence[str | int],
    because: str,
    mend: str,
    *,
    diff: str = "",
    severity: Severity | None = None,
) -> Finding:
    """Return a finding at *path* of *block*; of the rule's own severity if none is given."""
    place = block.at(*path)
    return Finding(rule, severity or RULES[rule].severity, place, block.address, because, mend, diff)


def unresolved(block: Block, path: Sequence[str | int], what: str, because: str) -> Unresolved:
    """Return that *what*, at *path* of *block*, could not be looked into."""
    return Unresolved(block.at(*path), block.address, what, because)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """
    Return each finding once, by file and line, the graver first.

    The same one at the same place is one, though a ``for_each`` or a module that is called twice makes several of it.
    """
    first: dict[tuple[object, ...], Finding] = {}
    for one in findings:
        where = one.place if one.place.file else plain(one.address)
        key = (one.rule, where, plain(one.because))
        kept = first.setdefault(key, one)
        if one.silenced and not kept.silenced:
            first[key] = replace(kept, silenced=one.silenced)
    ids = list(RULES)
    return sorted(
        first.values(),
        key=lambda one: (one.place, SEVERITIES.index(one.severity), ids.index(one.rule), one.address, one.because),
    )
