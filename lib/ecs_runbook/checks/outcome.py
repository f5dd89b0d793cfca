"""What thousands of findings come to: a verdict's few checks, the worst first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ecs_runbook.checks.findings import Checked, Finding, gravity
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.checks.saying import listed
from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.lint.registry import SEVERITIES, Severity
from ecs_runbook.verdicts.verdict import Check

FEW = 3
"""As many rows are named one by one where they are in order."""


def judge_checked(checked: Checked, fail_on: str = "warning") -> list[Check]:
    """
    Return the checks of the verdict.

    Parameters
    ----------
    checked
        From :func:`~ecs_runbook.checks.check.check`.
    fail_on
        The mildest severity that makes the verdict NG: ``error``, ``warning`` or ``note``.

    Returns
    -------
    list of Check
        The worst first: each NG at least as grave as *fail_on*; each SKIP, where the same gap keeps several rows from
        being looked at once for all of them; then one OK for each kind of check; one OK that counts what was found
        and is milder. What was turned off is named. Nothing to look at is SKIP.

    Raises
    ------
    SpecError
        If *fail_on* is no severity.

    Examples
    --------
    >>> from ecs_runbook.inventory.model import Inventory
    >>> import pandas as pd
    >>> [(one.id, one.status) for one in judge_checked(Checked(Inventory(), [], pd.DataFrame()))]
    [('inventory', 'SKIP')]
    """
    level = severity_named(fail_on)
    grave = [one for one in checked.findings if one.status == "NG" and at_least(one.severity, level)]
    mild = [one for one in checked.findings if one.status == "NG" and not at_least(one.severity, level)]
    skipped = [one for one in checked.findings if one.status == "SKIP"]
    return [
        *(_check(one) for one in sorted(grave, key=gravity)),
        *_skips(skipped, checked),
        *_nothing(checked),
        *_in_order(checked.findings),
        *_milder(mild, level),
        *_off(checked),
    ]


def severity_named(fail_on: str) -> Severity:
    """
    Return the severity of that name.

    Raises
    ------
    SpecError
        If there is none.

    Examples
    --------
    >>> severity_named("warnings")
    Traceback (most recent call last):
    ecs_runbook.errors.SpecError: There is no such severity.
      - fail_on = 'warnings': write error, warning or note
    """
    for severity in SEVERITIES:
        if severity == fail_on:
            return severity
    fault = Fault("fail_on", repr(fail_on), "write error, warning or note")
    raise SpecError("There is no such severity.", faults=[fault])


def at_least(severity: Severity, level: Severity) -> bool:
    """
    Say whether *severity* is as grave as *level*, or graver.

    Examples
    --------
    >>> at_least("error", "warning"), at_least("note", "warning")
    (True, False)
    """
    return SEVERITIES.index(severity) <= SEVERITIES.index(level)


def _check(finding: Finding) -> Check:
    return Check(finding.check, _subject(finding), "NG", finding.because, _next(finding))


def _subject(finding: Finding) -> str:
    return f"{finding.subject} in {finding.place}" if finding.place.region else finding.subject


def _next(finding: Finding) -> str:
    return f"{finding.mend} See {finding.notebook}." if finding.notebook else finding.mend


def _skips(skipped: Iterable[Finding], checked: Checked) -> Iterator[Check]:
    """Yield each gap once for each kind of check and place, with how many rows it hides."""
    by_gap: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for one in sorted(skipped, key=gravity):
        by_gap[one.check, str(one.place) if one.place.region else "all", one.because].append(one)
    rows = Counter(str(row.place) for row in checked.inventory.rows)
    for (check, place, because), several in by_gap.items():
        first = several[0]
        if len(several) == 1:
            yield Check(check, _subject(first), "SKIP", because, _next(first))
        else:
            of = f" of {rows[place]} targets" if rows[place] >= len(several) else ""
            words = f"{because} ({len(several)}{of}: {listed([one.subject for one in several])})"
            yield Check(check, place, "SKIP", words, _next(first))


def _nothing(checked: Checked) -> Iterator[Check]:
    if not checked.inventory.rows:
        others = checked.inventory.others
        because = "nothing on a schedule that ends in ECS was found"
        because += f"; {others} rules and schedules end elsewhere" if others else ""
        places = [str(place) for place in checked.inventory.places]
        mend = "Look whether these are the account and the Region that you mean."
        yield Check("inventory", listed(places) or "all", "SKIP", because, mend)
    elif not checked.findings:
        because = f"{len(checked.inventory.rows)} targets were found, and every check that applies to them is off"
        yield Check("inventory", "all", "SKIP", because, "Turn a check on in the settings file.")


def _in_order(findings: Sequence[Finding]) -> Iterator[Check]:
    """Yield one OK for each kind that found something in order, with how many of how many."""
    total = Counter(one.check for one in findings)
    found: dict[str, list[Finding]] = defaultdict(list)
    for one in findings:
        if one.status == "OK":
            found[one.check].append(one)
    for check in sorted(found, key=list(KINDS).index):
        fine = found[check]
        if len(fine) <= FEW and len(fine) == total[check]:
            yield from (Check(check, _subject(one), "OK", one.because) for one in fine)
        else:
            yield Check(check, "all" if len(fine) == total[check] else "the others", "OK", _counted(fine, total[check]))


def _counted(fine: Sequence[Finding], total: int) -> str:
    of = f"all {total:,}" if len(fine) == total else f"{len(fine):,} of {total:,}"
    return f"{of} targets in order, such as {fine[0].subject}: {fine[0].because}"


def _milder(mild: Sequence[Finding], level: Severity) -> Iterator[Check]:
    if not mild:
        return
    kinds = Counter((one.severity, one.check) for one in mild)
    order = sorted(kinds, key=lambda pair: (SEVERITIES.index(pair[0]), -kinds[pair], pair[1]))
    named = listed([f"{kinds[severity, check]:,} {check} ({severity})" for severity, check in order], 6)
    because = f"{len(mild):,} found that are milder than {level}: {named}; the table of findings has them all"
    yield Check("milder-findings", listed(list(dict.fromkeys(one.subject for one in mild))), "OK", because)


def _off(checked: Checked) -> Iterator[Check]:
    if checked.off:
        because = "; ".join(f"{check}, because {reason}" for check, reason in checked.off.items())
        yield Check("checks-off", f"{len(checked.off)} checks", "OK", f"turned off by the settings file: {because}")
