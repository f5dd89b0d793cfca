"""Judge the steps on the way: the schedule, the plan, the apply, the new revision, the drill, the removal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_runbook.evidence.revisions import latest_at
from ecs_runbook.firing.calls import FAILED_TO_START
from ecs_runbook.firing.watch import NOTHING_SEEN, SKIPPED
from ecs_runbook.verdicts.verdict import Check

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.firing.fired import Fired
    from ecs_runbook.firing.revision import Registered
    from ecs_runbook.firing.twice import Twice
    from ecs_runbook.terraform.run import Applied, Plan
    from ecs_runbook.wanted.spec import Spec


def judge_schedule(wanted: Spec, upcoming: pd.DataFrame) -> list[Check]:
    """
    Judge when it will run.

    Returns
    -------
    list of Check
        ``schedule-fires``: NG if it never fires again. A clock change among the next runs is named.
    """
    if upcoming.empty:
        mend = "Mend the schedule: its year or its day never comes again."
        return [Check("schedule-fires", wanted.name, "NG", f"{wanted.schedule} never fires again", mend)]
    first = upcoming.iloc[0]
    changes = [note for note in upcoming["note"] if note]
    because = f"next at {first['utc']:%Y-%m-%d %H:%M} UTC, {first['local']:%H:%M} in {wanted.timezone}"
    return [Check("schedule-fires", wanted.name, "OK", "; ".join([because, *changes]))]


def judge_plan(plan: Plan, subject: str) -> list[Check]:
    """
    Judge a plan that was made for the first time or again.

    Returns
    -------
    list of Check
        ``plan-made``: OK. ``plan-keeps``: NG if it would destroy or replace something other than a task definition,
        whose every change is a new revision.
    """
    lost = [
        change.address
        for change in plan.changes
        if change.action in ("destroy", "replace") and change.type != "aws_ecs_task_definition"
    ]
    made = Check("plan-made", subject, "OK", str(plan))
    if not lost:
        return [made, Check("plan-keeps", subject, "OK", "nothing is destroyed by it")]
    because = f"it would destroy {', '.join(lost)}"
    return [made, Check("plan-keeps", subject, "NG", because, "Read the plan; apply it only if that is meant.")]


def judge_applied(applied: Applied, after: Plan, subject: str) -> list[Check]:
    """
    Judge an apply by the plan that comes after it.

    Returns
    -------
    list of Check
        ``applied``: OK. ``plan-empty``: NG if there is still something to do.
    """
    done = Check("applied", subject, "OK", str(applied))
    if after.empty:
        return [done, Check("plan-empty", subject, "OK", "the next plan has nothing to do")]
    because = f"the next plan still has {after}: {', '.join(change.address for change in after.changes)}"
    return [done, Check("plan-empty", subject, "NG", because, "Find out what else changes these, then apply again.")]


def judge_registered(registered: Registered, before: pd.DataFrame, after: pd.DataFrame) -> list[Check]:
    """
    Judge a registration by the family before and after it.

    Returns
    -------
    list of Check
        ``revision-registered``: NG unless it is the family's highest number now, and ACTIVE. ``revisions-kept``: NG if
        one that was ACTIVE is not any more.
    """
    newest = after.iloc[-1] if len(after) else None
    if newest is not None and newest["arn"] == registered.arn and newest["status"] == "ACTIVE":
        made = Check("revision-registered", registered.family, "OK", f"revision {registered.revision} is the latest")
    else:
        because = f"revision {registered.revision} is not the latest ACTIVE one"
        mend = "Somebody registered or deregistered at the same time: look at the table."
        made = Check("revision-registered", registered.family, "NG", because, mend)
    lost = sorted(_active(before) - _active(after))
    if not lost:
        return [made, Check("revisions-kept", registered.family, "OK", "what was ACTIVE before is ACTIVE still")]
    because = f"no longer ACTIVE: revision {', '.join(map(str, lost))}"
    return [made, Check("revisions-kept", registered.family, "NG", because, "See who deregistered it, in CloudTrail.")]


def judge_fired(fired: Fired, known: pd.DataFrame) -> list[Check]:
    """
    Judge a drill.

    Parameters
    ----------
    fired
        From :func:`ecs_runbook.firing.drill.fire`.
    known
        The family's revisions, since before the drill.

    Returns
    -------
    list of Check
        ``drill-started``: NG if AWS refused, SKIP if nothing was seen, or if the state machine left it out because the
        task runs already. ``drill-latest``: NG if an older revision ran
        than the latest when it was sent.
        ``drill-succeeded``: NG if it did not end by itself with 0, SKIP if it has not ended; of several attempts the
        last counts. ``drill-cleared``: NG if the temporary rule or schedule is still there.
    """
    checks = [_started(fired)]
    if fired.tasks:
        checks += [_took_the_latest(fired, latest_at(known, fired.sent_at)), _ended(fired)]
    if fired.left_behind:
        because = f"the temporary {fired.kind} {fired.left_behind} could not be removed"
        mend = fired.hint or "30_fire removes it, once its time is up."
        return [*checks, Check("drill-cleared", fired.rule, "NG", because, mend)]
    return [*checks, Check("drill-cleared", fired.rule, "OK", f"the temporary {fired.kind} is removed")]


def judge_twice(twice: Twice) -> list[Check]:
    """
    Judge two deliveries of one firing, of which one is to run.

    Returns
    -------
    list of Check
        ``one-run``: OK if the first ran to a good end and the second was skipped; NG if both ran, or the first ended
        badly; SKIP if the first one's task was never seen running.
    """
    first, second, subject = twice.first, twice.second, twice.first.rule
    if second is None:
        because = f"the first delivery's task was never seen running: {first.status}"
        return [Check("one-run", subject, "SKIP", because, first.hint or "Let the task take longer.")]
    if second.skipped and first.ok:
        because = "two deliveries, one run: the second found the task running, and was skipped"
        return [Check("one-run", subject, "OK", because)]
    if second.skipped:
        code = first.status if first.exit_code is None else f"exit code {first.exit_code}"
        because = f"the second delivery was skipped, and the first ended with {code}"
        return [Check("one-run", subject, "NG", because, first.hint or "Look at the task's log.")]
    because = f"two deliveries, two runs: the second is {second.status}, with {len(second.tries)} tasks"
    return [Check("one-run", subject, "NG", because, "Set double_runs = skip, or let the program heed its token.")]


def judge_gone(left: pd.DataFrame, subject: str) -> list[Check]:
    """
    Judge a removal by what AWS still has.

    Parameters
    ----------
    left
        From :func:`ecs_runbook.evidence.remains.what_is_left`.
    subject
        The schedule's name.

    Returns
    -------
    list of Check
        ``nothing-left``: NG if something is still there, SKIP if AWS did not let us look.
    """
    there, hidden = left[left["there"].eq("yes")], left[left["there"].eq("unknown")]
    if len(there):
        because = f"still there: {', '.join(there['type'] + ' ' + there['name'])}"
        return [Check("nothing-left", subject, "NG", because, "Run 90_destroy again; it goes on where it stopped.")]
    if len(hidden):
        because = f"not allowed to look at {', '.join(hidden['type'] + ' ' + hidden['name'])}"
        return [Check("nothing-left", subject, "SKIP", because, "Ask as somebody who may read them.")]
    looked = f"AWS has none of the {len(left)} things that were there" if len(left) else "there was nothing to remove"
    return [Check("nothing-left", subject, "OK", looked)]


def _active(revisions: pd.DataFrame) -> set[int]:
    return {int(number) for number in revisions.loc[revisions["status"].eq("ACTIVE"), "revision"]}


def _started(fired: Fired) -> Check:
    if fired.tasks:
        who = "EventBridge" if fired.kind == "rule" else "Scheduler"
        what = f"the state machine, which ran {fired.requested}" if fired.execution else fired.requested
        return Check("drill-started", fired.rule, "OK", f"{who} started {what}, as the target's role")
    if fired.status == SKIPPED:
        return Check("drill-started", fired.rule, "SKIP", "its task runs already, so no other was started", fired.hint)
    if fired.status == NOTHING_SEEN:
        return Check("drill-started", fired.rule, "SKIP", "no trace of it was seen in the time given", fired.hint)
    because = ": ".join(part for part in (fired.refused_code, fired.refused_message) if part) or fired.status
    return Check("drill-started", fired.rule, "NG", because, fired.hint)


def _took_the_latest(fired: Fired, latest: int | None) -> Check:
    if latest is None or fired.executed is None:
        because = "which revision was the latest is not known"
        return Check("drill-latest", fired.rule, "SKIP", because, "Ask as somebody who may describe the family.")
    if fired.executed >= latest:  # one that was registered since may have run already
        return Check("drill-latest", fired.rule, "OK", f"revision {fired.executed} ran, the latest ACTIVE one")
    because = f"revision {fired.executed} ran while {latest} was the latest"
    mend = "Let the target name the family without a revision: 10_generate writes it so, 20_apply applies it."
    return Check("drill-latest", fired.rule, "NG", because, mend)


def _ended(fired: Fired) -> Check:
    if fired.status == FAILED_TO_START:  # after attempts that did start
        because = f"attempt {fired.attempts}, the last, started nothing: {fired.refused_code}: {fired.refused_message}"
        return Check(
            "drill-succeeded", fired.rule, "NG", because, fired.hint or "50_explain_failure says what mends it."
        )
    if fired.status != "STOPPED":
        because = f"it is {fired.status} and has not ended in the time given"
        return Check("drill-succeeded", fired.rule, "SKIP", because, "Open 40_prove when it has.")
    if fired.exit_code == 0 and not fired.error:
        at = f", at attempt {fired.attempts}" if fired.attempts > 1 else ""
        return Check("drill-succeeded", fired.rule, "OK", f"it ended with exit code 0{at}")
    code = "no exit code" if fired.exit_code is None else f"exit code {fired.exit_code}"
    after = f" after {fired.attempts} attempts" if fired.attempts > 1 else ""
    because = f"it ended with {code}{after}" + (f": {fired.error}" if fired.error else "")
    return Check("drill-succeeded", fired.rule, "NG", because, fired.hint or "Look at the task's log.")
