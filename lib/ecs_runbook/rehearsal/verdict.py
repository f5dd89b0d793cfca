"""Judge a rehearsal: did each mistake show itself as its README says, and did it run once it was mended."""

from __future__ import annotations

from ecs_runbook.rehearsal.results import Rehearsed, Told
from ecs_runbook.verdicts.verdict import Check

CHECK_ID = "mistake-rehearsed"


def judge_rehearsed(rehearsed: Rehearsed) -> list[Check]:
    """
    Judge each mistake of a rehearsal.

    Returns
    -------
    list of Check
        One for each mistake, ``mistake-rehearsed``: OK if AWS said what its README says, letter by letter, and after
        the mend each run took the latest revision, ended with 0, and a plan had nothing to change; else NG.

    Examples
    --------
    >>> judge_rehearsed(Rehearsed({}))
    []
    """
    return [_judged(told) for told in rehearsed]


def _judged(told: Told) -> Check:
    name = told.mistake.name
    if not told.as_expected:
        because = f"AWS said {told.said or 'nothing'}; its README expects {told.mistake.letter_by_letter}"
        return Check(CHECK_ID, name, "NG", because, "Look at its section, and at its README in terraform/mistakes.")
    if not told.runs_now:
        return Check(CHECK_ID, name, "NG", f"after the mend: {told.after}", "Look at the runs in its section.")
    return Check(CHECK_ID, name, "OK", f"AWS said what its README says; after the mend: {told.after}")
