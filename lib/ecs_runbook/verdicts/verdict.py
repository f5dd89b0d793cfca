"""A check answers OK, NG or SKIP, each with *because*; a verdict is what a run's checks come to."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

Status = Literal["OK", "NG", "SKIP"]
STATUSES: tuple[Status, ...] = ("OK", "NG", "SKIP")
CHECK_COLUMNS = ["status", "check", "subject", "because", "next"]

_COLOURS = {"OK": "#0072B2", "NG": "#D55E00", "SKIP": "#666666"}


@dataclass(frozen=True)
class Check:
    """
    One thing that was looked at.

    Attributes
    ----------
    id
        The kind of check, the same in every run: ``runs-latest``.
    subject
        What was looked at: the name of a rule, a family, a task.
    status
        ``OK``; ``NG``, not good; ``SKIP``, not allowed to look, or nothing to see. SKIP is not OK.
    because
        What was seen.
    next
        The next thing to do; empty if there is none.

    Raises
    ------
    ValueError
        If the status is another word, or if there is no id or no *because*.
    """

    id: str
    subject: str
    status: Status
    because: str
    next: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status = {self.status!r}: a check is OK, NG or SKIP.")
        if not self.id or not self.because:
            raise ValueError(f"check {self.id!r}: a check has an id and says because.")


class Place(Protocol):
    """Which AWS was judged: the session has these."""

    @property
    def where(self) -> str:
        """``local`` or ``aws``."""

    @property
    def account(self) -> str:
        """The account's 12 digits."""

    @property
    def region(self) -> str:
        """The Region's name."""

    def now(self) -> datetime:
        """Return the time by that AWS's clock."""


@dataclass(frozen=True)
class Verdict:
    """
    What a run of a notebook found.

    Attributes
    ----------
    notebook
        Its name without ``.ipynb``.
    where, account, region
        Which AWS was judged.
    at
        When, aware.
    checks
        What was looked at.

    Examples
    --------
    >>> at = datetime(2026, 11, 24, 17, 5, tzinfo=UTC)
    >>> verdict = Verdict("40_prove", "local", "123456789012", "us-east-1", at,
    ...                   (Check("runs-latest", "nightly", "OK", "2 of 2 runs took the latest revision"),))
    >>> verdict.status
    'OK'
    >>> print(verdict)
    40_prove: OK · local · account 123456789012 · us-east-1 · 2026-11-24 17:05:00 UTC
    OK    runs-latest  nightly  2 of 2 runs took the latest revision
    """

    notebook: str
    where: str
    account: str
    region: str
    at: datetime
    checks: tuple[Check, ...]

    @property
    def status(self) -> Status:
        """NG if any check is NG, else SKIP if any is SKIP or there is none, else OK."""
        return worst(check.status for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``verdict.json`` has it."""
        return {
            "notebook": self.notebook,
            "where": self.where,
            "account": self.account,
            "region": self.region,
            "at": self.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "status": self.status,
            "checks": [asdict(check) for check in self.checks],
        }

    def __str__(self) -> str:
        ids = max((len(check.id) for check in self.checks), default=0)
        subjects = max((len(check.subject) for check in self.checks), default=0)
        lines = [f"{self.notebook}: {self.status} · {self._place}"]
        for check in self.checks:
            lines.append(f"{check.status:<4}  {check.id:<{ids}}  {check.subject:<{subjects}}  {check.because}".rstrip())
            lines += [f"{'':<4}  next: {check.next}"] if check.next else []
        return "\n".join(lines)

    @property
    def _place(self) -> str:
        at = f"{self.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.where} · account {self.account} · {self.region} · {at}"

    def _repr_html_(self) -> str:
        head = "".join(f'<th style="text-align:left">{name}</th>' for name in CHECK_COLUMNS)
        rows = "".join(_row(check) for check in self.checks)
        title = f"<b>{_coloured(self.status)}</b> {html.escape(f'{self.notebook} · {self._place}')}"
        return f"<p>{title}</p><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def judged(notebook: str, aws: Place, *checks: Check | Sequence[Check]) -> Verdict:
    """
    Return the verdict of *notebook* on *aws* now.

    Parameters
    ----------
    notebook
        Its name without ``.ipynb``.
    aws
        The session.
    checks
        Checks, and lists of checks.
    """
    flat = [one for some in checks for one in ([some] if isinstance(some, Check) else some)]
    return Verdict(notebook, aws.where, aws.account, aws.region, aws.now(), tuple(flat))


def worst(statuses: Iterable[Status]) -> Status:
    """
    Return what several come to: NG if any is NG, else SKIP if any is SKIP or there is none, else OK.

    Examples
    --------
    >>> worst(["OK", "SKIP"]), worst(["OK", "NG", "SKIP"]), worst([]), worst(["OK"])
    ('SKIP', 'NG', 'SKIP', 'OK')
    """
    seen = set(statuses)
    if "NG" in seen:
        return "NG"
    return "OK" if seen == {"OK"} else "SKIP"


def _row(check: Check) -> str:
    words = (check.id, check.subject, check.because, check.next)
    cells = "".join(f'<td style="text-align:left">{html.escape(word)}</td>' for word in words)
    return f"<tr><td><b>{_coloured(check.status)}</b></td>{cells}</tr>"


def _coloured(status: Status) -> str:
    return f'<span style="color:{_COLOURS[status]}">{status}</span>'
