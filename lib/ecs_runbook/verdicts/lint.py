"""Judge what lint and the plan check found before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_runbook.verdicts.verdict import Check

if TYPE_CHECKING:
    from ecs_runbook.lint.findings import Finding, Report


def judge_lint(report: Report, subject: str) -> list[Check]:
    """
    Judge a report of lint, of the plan check, or of both together.

    Parameters
    ----------
    report
        As from :func:`~ecs_runbook.lint.check.lint_terraform`, :func:`~ecs_runbook.lint.check.check_plan` or
        :func:`~ecs_runbook.lint.check.both`.
    subject
        What was looked at: the schedule's name.

    Returns
    -------
    list of Check
        For each error one of its rule's id, NG, with the mend as *next*: AWS refuses it, or does another thing than is
        meant. Without errors one, ``lint``: OK, and its *because* names warnings, which may be meant, and counts
        notes. What a comment silences is not judged.

    Examples
    --------
    >>> from ecs_runbook.lint.findings import Report
    >>> judge_lint(Report(files=["main.tf"]), "nightly")
    [Check(id='lint', subject='nightly', status='OK', because='nothing found in 1 file', next='')]
    """
    if errors := report.at_least("error"):
        return [_wrong(one, subject) for one in errors]
    warnings = ", ".join(f"{one.rule} at {one.place or one.address}" for one in report.at_least("warning"))
    if warnings:
        return [Check("lint", subject, "OK", f"{report.summary()}: {warnings}", "Read them; each may be meant.")]
    return [Check("lint", subject, "OK", report.summary())]


def _wrong(one: Finding, subject: str) -> Check:
    where = " ".join(filter(None, [str(one.place), one.address]))
    return Check(one.rule, subject, "NG", f"{where}: {one.because}" if where else one.because, one.mend)
