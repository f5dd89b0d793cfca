"""Judge a drill: did EventBridge start it, did it end well, is its rule gone again."""

from __future__ import annotations

from ecs_runbook.firing.calls import FAILED_TO_START, REFUSED
from ecs_runbook.firing.drill import NOTHING_SEEN, Fired
from ecs_runbook.verdicts.verdict import Check, Status

DRILL_CHECK_IDS = ["drill-started", "drill-succeeded", "drill-removed"]


def judge_fired(fired: Fired) -> list[Check]:
    """
    Judge a drill.

    Parameters
    ----------
    fired
        From :func:`ecs_runbook.firing.drill.fire`.

    Returns
    -------
    list of Check
        Always these three, in this order:

        - ``drill-started``: NG if the call was refused or failed to start, SKIP if nothing was seen.
        - ``drill-succeeded``: NG if it ended with another exit code than 0 or never ran; SKIP if it did not start, or
          runs still.
        - ``drill-removed``: NG if the temporary rule is left behind.
    """
    judges = (_started, _succeeded, _removed)
    return [Check(id_, fired.rule, *judge(fired)) for id_, judge in zip(DRILL_CHECK_IDS, judges, strict=True)]


def _started(fired: Fired) -> tuple[Status, str, str]:
    if fired.status in (REFUSED, FAILED_TO_START):
        words = ": ".join(part for part in (fired.refused_code, fired.refused_message) if part)
        return "NG", f"{fired.status.lower()}: {words}", fired.hint or "Open 40_prove and look at the error column."
    if fired.status == NOTHING_SEEN:
        return "SKIP", f"nothing was seen of it in {fired.seconds:.0f} s", fired.hint
    return "OK", f"EventBridge started revision {fired.executed} of {fired.requested.partition(':')[0]}", ""


def _succeeded(fired: Fired) -> tuple[Status, str, str]:
    if not fired.tasks:
        return "SKIP", "nothing ran", ""
    if fired.status != "STOPPED":
        return "SKIP", f"it is {fired.status} still after {fired.seconds:.0f} s", fired.hint
    if fired.exit_code != 0:
        how = "no exit code" if fired.exit_code is None else f"exit code {fired.exit_code}"
        because = f"{how}: {fired.error}" if fired.error else how
        return "NG", because, "Look at the task's log; what went wrong stands in the error column of 40_prove."
    dry = f" of {' '.join(fired.dry_command)} in place of its own command" if fired.dry_command else ""
    return "OK", f"exit code 0{dry}", ""


def _removed(fired: Fired) -> tuple[Status, str, str]:
    if fired.left_behind:
        return "NG", f"the temporary rule {fired.left_behind} could not be removed", fired.hint
    return "OK", f"the temporary rule {fired.drill_rule} is gone again", ""
