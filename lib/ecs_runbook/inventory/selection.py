"""Which rules and schedules are to be looked at: all of them, some by their names, or those that carry a tag."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ecs_runbook.errors import EvidenceError
from ecs_runbook.firing.schedules import DEFAULT_GROUP

DEFAULT_BUS = "default"
_ARN = re.compile(r"arn:[\w-]+:(?:events|scheduler):[\w-]*:[0-9]*:(?:rule|schedule)/", re.ASCII)

Name = tuple[str, str]
"""Of a bus and a rule on it, or of a group and a schedule in it."""


@dataclass(frozen=True)
class Selection:
    """
    What to look at; everything, if all of it is empty.

    Attributes
    ----------
    rules, schedules
        By their names.
    tag_key, tag_value
        Of the tag that they carry; any value if it is ``""``.
    """

    rules: tuple[Name, ...] = ()
    schedules: tuple[Name, ...] = ()
    tag_key: str = ""
    tag_value: str = ""

    @property
    def named(self) -> bool:
        """Whether names were given."""
        return bool(self.rules or self.schedules)


def selected(rules: str | Sequence[str], schedules: str | Sequence[str], tag: str) -> Selection:
    """
    Read what a person gave.

    Raises
    ------
    EvidenceError
        If a name or the tag is empty, or both are given.

    Examples
    --------
    >>> selected(["nightly", "jobs/hourly"], (), "").rules
    (('default', 'nightly'), ('jobs', 'hourly'))
    >>> selected((), (), "team=batch").tag_value
    'batch'
    """
    chosen = Selection(_names("rules", rules, DEFAULT_BUS), _names("schedules", schedules, DEFAULT_GROUP))
    if not tag:
        return chosen
    if chosen.named:
        raise EvidenceError(f"tag = {tag!r} is given, and so are names.", hint="Choose by names, or by a tag.")
    key, _, value = tag.partition("=")
    if not key:
        raise EvidenceError(f"tag = {tag!r} has no key.", hint="Write <key> or <key>=<value>, for example team=batch.")
    return Selection(tag_key=key, tag_value=value)


def _names(field: str, given: str | Sequence[str], default: str) -> tuple[Name, ...]:
    listed = [given] if isinstance(given, str) else list(given)
    # a bus of a partner has slashes in its name; the name of a rule or schedule has none
    found = [(of or default, name) for of, _, name in (_ARN.sub("", str(one)).rpartition("/") for one in listed)]
    if any(not name for _, name in found):
        wanted = "<bus>/<rule>" if field == "rules" else "<group>/<schedule>"
        raise EvidenceError(f"{field} = {listed!r}: a name is empty.", hint=f"Write the name alone, or {wanted}.")
    return tuple(dict.fromkeys(found))


def label(of: str, name: str) -> str:
    """
    Return how a person names it: without the default bus or group.

    Examples
    --------
    >>> label("default", "nightly"), label("jobs", "nightly")
    ('nightly', 'jobs/nightly')
    """
    return name if of == DEFAULT_BUS else f"{of}/{name}"


def nearest(kind: str, wanted: str, labels: Iterable[str]) -> str:
    """
    Return as a hint which names are like one that is not there.

    Examples
    --------
    >>> nearest("rule", "nigthly", ["nightly", "hourly"])
    'Nearest: nightly.'
    >>> nearest("schedule", "nightly", ["jobs/nightly"])
    'Nearest: jobs/nightly.'
    >>> nearest("rule", "nightly", [])
    'There is no rule at all: is this the account and Region that you mean?'
    """
    known = sorted(set(labels))
    own = wanted.rpartition("/")[2]
    elsewhere = [one for one in known if one.rpartition("/")[2] == own]
    near = elsewhere or difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    if near:
        return f"Nearest: {', '.join(near[:3])}."
    if known:
        return f"There are {len(known)} {kind}s of other names."
    return f"There is no {kind} at all: is this the account and Region that you mean?"
