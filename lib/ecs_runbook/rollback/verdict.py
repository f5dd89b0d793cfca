"""Judge a way back: gone to its end, proven by a run, and safe from the next apply."""

from __future__ import annotations

from ecs_runbook.firing.names import definition
from ecs_runbook.rollback.go import RolledBack
from ecs_runbook.rollback.proof import Proof
from ecs_runbook.rollback.situation import Situation
from ecs_runbook.verdicts.verdict import Check


def judge_rolled_back(rolled: RolledBack, where: Situation, proof: Proof | None = None) -> list[Check]:
    """
    Judge a way back.

    Parameters
    ----------
    rolled
        From :func:`~ecs_runbook.rollback.go.roll_back`.
    where
        What was announced.
    proof
        The drill that proves it, from :func:`~ecs_runbook.rollback.proof.prove`.

    Returns
    -------
    list of Check
        ``rolled-back``: NG unless it came to its end, and the latest revision is the one that was meant; OK with its
        words if nothing was to be changed. ``rolled-back-runs``: NG if a drill ran another revision, SKIP if it shows
        nothing. ``next-apply``: what Terraform would do to it.
    """
    checks = [_rolled(rolled, where)]
    if proof is not None and proof.asked:
        checks.append(_proven(proof, rolled, where))
    return [*checks, Check("next-apply", where.family, "OK", where.next_apply())]


def _rolled(rolled: RolledBack, where: Situation) -> Check:
    if rolled.journal is None:
        same = f", which says what {where.good.name} says" if where.done and rolled.latest != where.good.name else ""
        pinned = ", ".join(row.subject for row in where.pinned)
        same += f"; pinned to {where.good.name}: {pinned}" if pinned else ""
        because = f"nothing was changed: the latest revision is {rolled.latest}{same}"
        return Check("rolled-back", where.family, "OK", because)
    if rolled.error:
        return Check("rolled-back", where.family, "NG", rolled.error, f"The journal is {rolled.journal.path}.")
    if rolled.journal.state == "undone":
        return Check("rolled-back", where.family, "OK", f"it is taken back: the latest revision is {rolled.latest}")
    if rolled.journal.way == "pin":
        pinned = ", ".join(one.id.removeprefix("pin ") for one in rolled.journal.steps)
        because = f"{pinned}: pinned to {rolled.journal.to}; 60_check calls it pinned-revision until it is let go of"
        return Check("rolled-back", where.family, "OK", because)
    again = "again" if rolled.latest == rolled.journal.to else f"now, and says what {rolled.journal.to} says"
    because = f"{rolled.latest} is the latest revision {again}"
    return Check("rolled-back", where.family, "OK", because)


def _proven(proof: Proof, rolled: RolledBack, where: Situation) -> Check:
    fired = proof.fired
    if fired is None:
        mend = "Fire it with 30_fire, or wait for its next firing and look with 40_prove."
        return Check("rolled-back-runs", where.family, "SKIP", proof.because, mend)
    wanted = definition(rolled.expected or where.newest.name).revision
    if fired.executed is None:
        why = fired.refused_message or fired.error or fired.status
        because = f"the drill ran nothing: {why}"
        return Check("rolled-back-runs", fired.rule, "NG" if fired.refused_code else "SKIP", because, fired.hint)
    because = f"a drill of {fired.rule} ran revision {fired.executed}"
    if fired.executed == wanted:
        return Check("rolled-back-runs", fired.rule, "OK", because)
    mend = "Fire again in a minute: ECS may take the revision before for a while (AWS docs: eventually consistent)."
    return Check("rolled-back-runs", fired.rule, "NG", f"{because}, and {wanted} was meant", mend)
