"""The files that a check leaves beside its page, and what GitHub is told of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ecs_runbook.checks.asked import Asked
from ecs_runbook.checks.findings import Checked
from ecs_runbook.inventory.model import INVENTORY_COLUMNS, Place
from ecs_runbook.past.archive import Kept
from ecs_runbook.past.receipts import FACTS, Witness, facts_to_tell
from ecs_runbook.reports.archiving import Archiving
from ecs_runbook.reports.formats import junit, sarif, step_summary, workflow_commands
from ecs_runbook.reports.history import History
from ecs_runbook.reports.run import Run
from ecs_runbook.reports.standing import GRADES, Standing, standings
from ecs_runbook.reports.summary import Summary

FILES = {
    "findings.csv": "each check of each target, the worst first",
    "inventory.csv": "each target, with the worst that was found of it",
    "runs.csv": "each run of the window",
    "junit.xml": "for a CI's page of tests",
    "findings.sarif": "for a code host's page of alerts",
}


def save_check(
    run: Run,
    checked: Checked,
    told: Summary,
    *,
    history: History,
    asked: Asked,
    archive: Archiving | None = None,
    environment: Mapping[str, str] = os.environ,
) -> pd.DataFrame:
    """
    Write the files of a check into the run's folder, and keep the check in the history, and what it saw in the archive.

    Under GitHub Actions the worst findings are printed as annotations, and the summary goes to the job's page.

    Parameters
    ----------
    run
        The run of the notebook.
    checked, told
        What was found, and its summary.
    history
        From :func:`~ecs_runbook.reports.history.earlier_checks`.
    asked
        What was asked.
    archive
        From :func:`~ecs_runbook.reports.archiving.archiving`.
    environment
        Of this process.

    Returns
    -------
    pandas.DataFrame
        The files, columns ``file`` and ``what it is``.
    """
    run.save("findings.csv", checked.table)
    run.save("inventory.csv", inventory_table(checked))
    run.save("runs.csv", checked.runs)
    # a pseudonym is put into a finding, not into the file: it must not break the file's form
    shown = _hidden(checked, run)
    run.save("junit.xml", junit(shown, asked.fail_on).encode())
    run.save("findings.sarif", sarif(shown).encode())
    compared = history.append(checked, at=asked.until)
    kept = archive.keep() if archive else Kept()
    if environment.get("GITHUB_ACTIONS") == "true":
        _tell_github(run, shown, told, environment)
    rows = [*FILES.items(), (history.shelf.where(compared), "what the next check compares with")]
    if archive and archive.place:
        rows.append((archive.place, f"the archive: {kept.new} facts more, {kept.known} were there already"))
    return pd.DataFrame(rows, columns=["file", "what it is"])


def check_receipt(checked: Checked, asked: Asked, seen: Witness | None = None) -> dict[str, Any]:
    """
    Return what the verdict rests on and nobody can ask again: the runs, what AWS said of them, gaps, and calls.

    *seen* is who heard what the check was told: from its facts the runs can be told again, see
    :mod:`ecs_runbook.past.receipts`.
    """
    return {
        "since": asked.since,
        "until": asked.until,
        "calls": dict(checked.calls),
        "gaps": [
            {"place": str(gap.place or ""), "subject": gap.subject, "because": str(gap)}
            for gap in checked.inventory.gaps
        ],
        "off": dict(checked.off),
        "runs": checked.runs,
        **({FACTS: facts_to_tell(seen.facts)} if seen else {}),
        **{str(key): value for key, value in checked.runs.attrs.items()},
    }


def inventory_table(checked: Checked) -> pd.DataFrame:
    """Return one row a target: the worst that was found of it, what was found, and ``INVENTORY_COLUMNS``."""
    found = {(one.place, one.subject): one for one in standings(checked)}
    rows = [
        {"worst": one.worst, "found": _found(one), **row.to_record()}
        for row in checked.inventory.rows
        for one in [found[row.place, row.subject]]
    ]
    return pd.DataFrame(rows, columns=["worst", "found", *INVENTORY_COLUMNS])


def _found(one: Standing) -> str:
    bad = sorted((GRADES.index(grade), check) for check, grade in one.grades.items() if grade != "OK")
    return ", ".join(f"{check} ({GRADES[order]})" for order, check in bad)


def _hidden(checked: Checked, run: Run) -> Checked:
    """Return the findings as they may be told; of what is OK, only which target it is."""
    places = {one.place: Place(run.hide(one.place.account), one.place.region) for one in checked.findings}
    subjects = {subject: run.hide(subject) for subject in {one.subject for one in checked.findings}}
    findings = []
    for one in checked.findings:
        told = replace(one, place=places[one.place], subject=subjects[one.subject])
        if one.status != "OK":
            told = replace(told, because=run.hide(one.because), mend=run.hide(one.mend))
        findings.append(told)
    return replace(checked, findings=findings)


def _tell_github(run: Run, shown: Checked, told: Summary, environment: Mapping[str, str]) -> None:
    """
    Print annotations, and write the job's page.

    papermill shows what a cell prints only with ``--log-output``; the file ``annotations.txt`` is for a later step.
    """
    lines = "".join(f"{line}\n" for line in workflow_commands(shown))
    run.save("annotations.txt", lines.encode())
    sys.stdout.write(lines)
    if page := environment.get("GITHUB_STEP_SUMMARY"):
        with Path(page).open("a", encoding="utf-8") as stream:
            stream.write(step_summary(run.hide(told.line), run.hide(told.text), shown))
