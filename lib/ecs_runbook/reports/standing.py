"""How each scheduled target stands: the worst that was found of it, for the counts and the map."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ecs_runbook.checks.findings import Checked, Finding, gravity
from ecs_runbook.inventory.model import Place
from ecs_runbook.lint.registry import SEVERITIES

Grade = Literal["error", "warning", "note", "SKIP", "OK"]
GRADES: tuple[Grade, ...] = (*SEVERITIES, "SKIP", "OK")
"""From the worst to the best: an NG by its severity, then what could not be looked at."""


@dataclass(frozen=True)
class Standing:
    """
    How one target stands, or a Region or queue that a finding names instead.

    Attributes
    ----------
    place, subject
        As the findings name it.
    target
        Whether it is a row of the inventory.
    grades
        The worst of each check.
    """

    place: Place
    subject: str
    target: bool
    grades: Mapping[str, Grade]

    @property
    def worst(self) -> Grade:
        """The worst of all checks; a target that no check applies to is OK."""
        return min(self.grades.values(), key=GRADES.index, default="OK")


def grade(finding: Finding) -> Grade:
    """Return an NG's severity, else SKIP or OK."""
    return finding.severity if finding.status == "NG" else finding.status


def standings(checked: Checked) -> list[Standing]:
    """Return every target and everything else that a finding names, the worst first."""
    cells: dict[tuple[Place, str], dict[str, Grade]] = {(row.place, row.subject): {} for row in checked.inventory.rows}
    targets = set(cells)
    for finding in checked.findings:
        own = cells.setdefault((finding.place, finding.subject), {})
        known, new = own.get(finding.check, "OK"), grade(finding)
        own[finding.check] = min(known, new, key=GRADES.index)
    found = [Standing(place, subject, (place, subject) in targets, own) for (place, subject), own in cells.items()]
    return sorted(found, key=_gravity)


def _gravity(one: Standing) -> tuple[object, ...]:
    grades = list(one.grades.values())
    return (*(-grades.count(grade) for grade in GRADES[:-1]), one.place, one.subject)


def by_check(findings: Iterable[Finding]) -> list[Sequence[Finding]]:
    """Return the findings in groups of one check and one grade, the gravest and then the largest group first."""
    groups: dict[tuple[Grade, str], list[Finding]] = defaultdict(list)
    for finding in sorted(findings, key=gravity):
        groups[grade(finding), finding.check].append(finding)
    order = sorted(groups, key=lambda key: (GRADES.index(key[0]), -len(groups[key]), key[1]))
    return [groups[key] for key in order]


def spread(findings: Iterable[Finding], most: int) -> list[Finding]:
    """
    Return *most* findings, the worst first, such that one check that fails everywhere does not hide the others.

    Each check has an equal share, what one leaves goes to the gravest, and none loses its last place while there is
    one left.
    """
    groups = by_check(findings)
    if sum(map(len, groups)) <= most:
        return [one for group in groups for one in group]
    share, more = divmod(most, len(groups))
    taken = [list(group[: share + (place < more)]) for place, group in enumerate(groups)]
    left = most - sum(map(len, taken))
    for group, own in zip(groups, taken, strict=True):
        added = group[len(own) : len(own) + left]
        own += added
        left -= len(added)
    return [one for own in taken for one in own]
