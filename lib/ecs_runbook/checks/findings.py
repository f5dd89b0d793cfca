"""What a check says of one row, and what all checks said of all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecs_runbook.inventory.model import Facts, Inventory, Place
from ecs_runbook.lint.registry import SEVERITIES, Severity, Sure
from ecs_runbook.verdicts.verdict import STATUSES, Status

if TYPE_CHECKING:
    import pandas as pd

FINDING_COLUMNS = ["status", "severity", "check", "account", "region", "subject", "because", "mend", "notebook"]


@dataclass(frozen=True)
class Kind:
    """
    One kind of check.

    Attributes
    ----------
    id
        Never changes: the settings file, reports and other tools name it.
    severity
        How grave an NG of it is, unless the settings file says otherwise.
    asks
        What it looks at, as a question that OK answers with yes.
    means
        What happens to the schedule if the answer is no.
    mend
        What to do then, in words.
    notebook
        The notebook to open then.
    source, sure
        Where *means* is known from, and how sure it is.
    needs
        The IAM actions without which it is SKIP.
    """

    id: str
    severity: Severity
    asks: str
    means: str
    mend: str
    notebook: str
    source: str
    sure: Sure
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """
    What one check says of one row.

    Attributes
    ----------
    check
        Id of its kind.
    place, subject
        What was looked at: :attr:`Row.subject <ecs_runbook.inventory.model.Row.subject>`, or a Region or queue.
    status
        OK, NG or SKIP.
    because
        What was seen, with its values.
    mend
        What to do, with the reader's own values; empty for OK.
    severity
        Of its kind, or milder, or as the settings file says.
    notebook
        The notebook to open.

    Raises
    ------
    ValueError
        If the status or the severity is not known, or there is no *because*.
    """

    check: str
    place: Place
    subject: str
    status: Status
    because: str
    mend: str
    severity: Severity
    notebook: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES or self.severity not in SEVERITIES or not self.because:
            raise ValueError(f"finding {self.check!r}: {self.status!r}, {self.severity!r}: it needs both, and because.")


@dataclass(frozen=True)
class Checked:
    """
    All that a check run found.

    Attributes
    ----------
    inventory
        What was looked at.
    findings
        Each check of each row that it applies to; the gaps of the inventory are SKIP findings among them.
    ran
        The runs of the window; None if nothing asked for them. See :attr:`runs`.
    calls
        Every call that was made, by operation.
    off
        Checks that the settings file turned off, with its reasons.
    facts
        What AWS says of what the rows name, by place.
    """

    inventory: Inventory
    findings: Sequence[Finding]
    ran: pd.DataFrame | None = None
    calls: Mapping[str, int] = field(default_factory=dict)
    off: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[Place, Facts] = field(default_factory=dict, repr=False)

    @property
    def runs(self) -> pd.DataFrame:
        """
        The runs of the window, one row a run.

        Columns ``RUN_COLUMNS`` with ``account``, ``region`` and ``subject`` before them, and after them ``started_at``
        and ``seconds``, how long a task took; NaT and NaN where that is not known.
        """
        from ecs_runbook.inventory.runs import table

        return table([]) if self.ran is None else self.ran

    @property
    def table(self) -> pd.DataFrame:
        """One row a finding, columns :data:`FINDING_COLUMNS`, the worst first."""
        import pandas as pd

        rows = [
            (
                one.status,
                one.severity,
                one.check,
                one.place.account,
                one.place.region,
                one.subject,
                one.because,
                one.mend,
                one.notebook,
            )
            for one in sorted(self.findings, key=gravity)
        ]
        return pd.DataFrame(rows, columns=FINDING_COLUMNS)


def gravity(finding: Finding) -> tuple[Any, ...]:
    """Return what to sort findings by, the worst first: NG by severity, then SKIP, then OK."""
    order = ("NG", "SKIP", "OK")
    return (
        order.index(finding.status),
        SEVERITIES.index(finding.severity),
        finding.check,
        finding.place,
        finding.subject,
    )
