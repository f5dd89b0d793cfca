"""
What a state machine's executions say, held against what CloudTrail and ECS say of the same tasks: one attempt for each
execution, with the runs of all its tries. Nothing here asks AWS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from ecs_runbook.evidence.runs import ABORTED_RUN, ACCEPTED, FROM_MACHINE, TIMED_OUT_RUN, Run, of_execution
from ecs_runbook.firing.histories import SUCCEEDED, Execution, Try
from ecs_runbook.firing.names import DRILL_PREFIX, short
from ecs_runbook.inventory.firings import Attempt
from ecs_runbook.inventory.model import Row
from ecs_runbook.inventory.whose import Whose, of_rows

_TOLD_CODE = re.compile(r"ExitCode\.(\d{1,3})", re.ASCII)
_SKEW = timedelta(seconds=2)
"""CloudTrail tells the second of a call, and a history when it was answered; our choice."""


def whose(execution: Execution, rows: Sequence[Row]) -> Whose:
    """
    Return which of *rows*, all of one state machine, an execution is of: the schedule that its input names, if it does.

    One of a schedule that is none of them is nobody's here, but for a drill of one.
    """
    if not execution.schedule:
        return of_rows(rows)
    own = [row for row in rows if row.owner.arn == execution.schedule]
    if not own and short(execution.schedule).startswith(DRILL_PREFIX):
        return Whose(rows, f"{short(execution.schedule)} (drill)", drill=True)
    return of_rows(own) if own else Whose()


def attempt(execution: Execution, label: str, *, certain: bool, calls: Iterable[Attempt]) -> Attempt:
    """
    Return an execution as one attempt.

    Parameters
    ----------
    execution
        The execution.
    label
        How a table names whose it is.
    certain
        Whether it is one row's for certain.
    calls
        What CloudTrail and ECS tell of calls that can be its own; each of them that is, is taken up.
    """
    execution = _worded(execution)
    known, told = list(calls), of_execution(execution, label)
    found = Attempt(execution.started, [], certain=certain, execution=execution)
    if not execution.tries:
        found.runs = told
    for one, own in zip(execution.tries, told if execution.tries else (), strict=True):
        call = _call_of(one, known)
        if call is not None:
            known.remove(call)
            found.call = call.call or found.call
            found.tasks += call.tasks
        runs = call.runs if call is not None else [own]
        for run in runs:
            run.run, run.attempt, run.schedule = execution.name, one.number, label
            _fill(run, one, own)
        found.runs += runs
    return found


def _worded(execution: Execution) -> Execution:
    """Return the execution with the words that it ended with on its last try: a timeout has none of its own."""
    last = execution.tries[-1] if execution.tries else None
    if last is None or last.cause or not execution.cause or last.error != execution.error:
        return execution
    return replace(execution, tries=(*execution.tries[:-1], replace(last, cause=execution.cause)))


def _call_of(one: Try, calls: Sequence[Attempt]) -> Attempt | None:
    """Return the call that a try was: that which started its task, or a refusal of its moment."""
    if one.task:
        return next((call for call in calls if any(run.task == one.task for run in call.runs)), None)
    begun, ended = one.started, one.stopped or one.started
    if begun is None or ended is None:
        return None
    near = [
        call
        for call in calls
        if call.time is not None and not call.placed and begun - _SKEW <= call.time <= ended + _SKEW
    ]
    return min(near, key=lambda call: abs((call.time or begun) - begun), default=None)


def _fill(run: Run, one: Try, own: Run) -> None:
    """Enter how a task ended where neither ECS nor CloudTrail tells any more; one that ECS knows to run runs on."""
    if not (run.task and run.task == one.task) or one.stopped is None:
        return
    if run.status == ACCEPTED or run is own:
        run.began = run.began or own.began
        # a task that tells its end by its token is not described as it ended
        over = own.status in ("STOPPED", TIMED_OUT_RUN, ABORTED_RUN)
        run.status = own.status if over else "STOPPED" if one.error else SUCCEEDED
        run.exit_code, run.ended = _code(one), one.stopped
        run.source = run.source if run is own else f"{run.source} + {FROM_MACHINE}"
    run.error = run.error or own.error


def _code(one: Try) -> int | None:
    """Return the exit code: as ECS described it, or as the task told it with its token, ``ExitCode.3``."""
    told = _TOLD_CODE.fullmatch(one.error)
    return int(told[1]) if one.exit_code is None and told else one.exit_code
