"""What a check is asked to do, read from the notebook's parameters before anything is asked of AWS."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from ecs_runbook import workspace
from ecs_runbook.checks.outcome import severity_named
from ecs_runbook.checks.settings import Settings, read_settings
from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.lint.registry import Severity
from ecs_runbook.wanted.schedule import zone_named

LONGEST = timedelta(days=90)
"""CloudTrail's event history goes back no further. Source: AWS docs, CloudTrail user guide."""


@dataclass(frozen=True)
class Asked:
    """
    What a check is asked to do.

    Attributes
    ----------
    since, until
        The window in which runs are looked at, aware; *until* is now.
    zone
        The reader's.
    settings
        Which checks are off, or of another severity.
    fail_on
        The mildest severity that makes the verdict NG.
    """

    since: datetime
    until: datetime
    zone: tzinfo = UTC
    settings: Settings = field(default_factory=Settings)
    fail_on: Severity = "warning"

    def __str__(self) -> str:
        return "\n".join(f"{key}: {value}" for key, value in self._facts().items())

    def _facts(self) -> dict[str, str]:
        since, until = (f"{moment.astimezone(self.zone):%a %d %b %Y %H:%M %Z}" for moment in (self.since, self.until))
        changed = {check: f"{severity}, because {self.settings.reasons[check]}" for check, severity in self._changed()}
        return {
            "runs are looked at": f"{since} to {until}",
            "NG is": f"an {self.fail_on}" if self.fail_on == "error" else f"a {self.fail_on}, and what is graver",
            **{f"{check} is off": f"because {reason}" for check, reason in self.settings.off.items()},
            **{f"{check} is": words for check, words in changed.items()},
        }

    def _changed(self) -> list[tuple[str, Severity]]:
        return list(self.settings.severities.items())

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        rows = "".join(
            f"<tr><th {left}>{html.escape(key)}</th><td {left}>{html.escape(value)}</td></tr>"
            for key, value in self._facts().items()
        )
        return f"<table>{rows}</table>"


def asked(
    *, now: datetime, hours: float = 26.0, timezone: str = "UTC", checks: str = "", fail_on: str = "warning"
) -> Asked:
    """
    Read what a check is asked to do.

    Parameters
    ----------
    now
        Aware, by the clock of the AWS that is asked.
    hours
        How far back runs are looked at.
    timezone
        IANA name of the reader's zone.
    checks
        The settings file; empty for none. A relative name is looked for here, and then where the notebooks lie.
    fail_on
        The mildest severity that makes the verdict NG.

    Raises
    ------
    SpecError
        If one of them is not what it has to be, or the settings file has faults.

    Examples
    --------
    >>> print(asked(now=datetime(2026, 11, 24, 7, tzinfo=UTC), timezone="Asia/Tokyo"))
    runs are looked at: Mon 23 Nov 2026 14:00 JST to Tue 24 Nov 2026 16:00 JST
    NG is: a warning, and what is graver
    """
    longest = LONGEST / timedelta(hours=1)
    if not (math.isfinite(hours) and 0 < hours <= longest):
        mend = f"write more than 0 and at most {longest:.0f}: CloudTrail keeps 90 days"
        raise SpecError("There is no such window.", faults=[Fault("hours", repr(hours), mend)])
    zone, level = zone_named(timezone), severity_named(fail_on)
    settings = read_settings(_found(checks)) if checks else Settings()
    return Asked(now - timedelta(hours=hours), now, zone, settings, level)


def _found(name: str) -> Path:
    path = Path(name).expanduser()
    return path if path.is_absolute() or path.is_file() else workspace.root() / path
