"""
The small committed file that turns a check off, or changes how grave it is, each with a reason::

    [checks.no-dead-letter-queue]
    severity = "warning"
    because = "we agreed that every schedule has one"

    [checks.policy-too-wide]
    off = true
    because = "the roles are shared; ticket OPS-12"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ecs_runbook.checks.registry import KINDS
from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.lint.registry import SEVERITIES, Severity
from ecs_runbook.wanted.schedule import shortened

_ALWAYS = ("inventory",)
_KEYS = ("off", "severity", "because")


@dataclass(frozen=True)
class Settings:
    """
    Which checks are off, and which are graver or milder than by default.

    Attributes
    ----------
    off
        The reason, by the check's id.
    severities
        The severity, by the check's id.
    reasons
        Why a severity was changed, by the check's id.
    """

    off: Mapping[str, str] = field(default_factory=dict)
    severities: Mapping[str, Severity] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, told: Mapping[str, Any], source: str = "settings") -> Settings:
        """
        Read what the file says.

        Parameters
        ----------
        told
            The file's tables.
        source
            How an error names it.

        Raises
        ------
        SpecError
            If it names a check or a word that there is not, or gives no reason; ``faults`` has all of them.

        Examples
        --------
        >>> Settings.of({"checks": {"schedule-disabled": {"off": True, "because": "winter"}}}).off
        {'schedule-disabled': 'winter'}
        >>> Settings.of({"checks": {"schedule-disable": {"off": True, "because": "winter"}}})
        Traceback (most recent call last):
        ecs_runbook.errors.SpecError: settings cannot be used:
          - checks.schedule-disable = 'schedule-disable': there is no such check; did you mean schedule-disabled?
        """
        faults = [
            Fault(str(name), shortened(value), "the file has [checks.<id>] tables, and nothing else")
            for name, value in told.items()
            if name != "checks"
        ]
        checks = told.get("checks", {})
        if not isinstance(checks, Mapping):
            faults.append(Fault("checks", shortened(checks), "write [checks.<id>] tables"))
            checks = {}
        for id_, entry in checks.items():
            faults += _faults(str(id_), entry)
        if faults:
            raise SpecError(f"{source} cannot be used:", faults=faults)
        changed = {id_: entry for id_, entry in checks.items() if "severity" in entry and not entry.get("off")}
        return cls(
            off={id_: entry["because"].strip() for id_, entry in checks.items() if entry.get("off")},
            severities={id_: entry["severity"] for id_, entry in changed.items()},
            reasons={id_: entry["because"].strip() for id_, entry in changed.items()},
        )


def read_settings(path: Path | str) -> Settings:
    """
    Read the settings file.

    Raises
    ------
    SpecError
        If there is no such file, it is not TOML, or it says what cannot be done; every fault is named at once.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(
            f"The settings of the checks in {str(path)!r} cannot be read: {reason}.",
            hint="Name a TOML file that is there, or leave it out: checks in 60_check, --checks of the gate.",
        ) from error
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path} is not TOML: {error}.", hint='A table is [checks.<id>], a text is "…".') from error
    return Settings.of(told, str(path))


def _faults(id_: str, entry: object) -> Iterator[Fault]:
    name = f"checks.{id_}"
    if id_ not in KINDS:
        near = get_close_matches(id_, KINDS, n=1, cutoff=0.4)
        mend = f"did you mean {near[0]}?" if near else f"there are {', '.join(KINDS)}"
        yield Fault(name, shortened(id_), f"there is no such check; {mend}")
        return
    if not isinstance(entry, Mapping):
        yield Fault(name, shortened(entry), "write a table with off or severity, and because")
        return
    for key in entry.keys() - set(_KEYS):
        yield Fault(f"{name}.{key}", shortened(entry[key]), f"there are {', '.join(_KEYS)}")
    off, severity, because = (entry.get(key) for key in _KEYS)
    if off not in (None, True, False):
        yield Fault(f"{name}.off", shortened(off), "write true or false")
    if severity is not None and severity not in SEVERITIES:
        yield Fault(f"{name}.severity", shortened(severity), f"write {', '.join(SEVERITIES)}")
    if off is True and id_ in _ALWAYS:
        yield Fault(f"{name}.off", "True", "what could not be listed is always told; its severity can be changed")
    if not off and severity is None:
        yield Fault(name, shortened(dict(entry)), "say off = true, or a severity")
    if not isinstance(because, str) or not because.strip():
        yield Fault(f"{name}.because", shortened(because), "say why, in words")
