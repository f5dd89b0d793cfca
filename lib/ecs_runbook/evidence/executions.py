"""The executions of a state machine in a time range, each with the tasks that it tried one after another."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.firing.histories import Execution as Execution  # what is read here, under the name it is asked by
from ecs_runbook.firing.histories import Try as Try
from ecs_runbook.firing.histories import began, events_of, listed, read_execution


def executions(
    machine: str,
    *,
    since: datetime,
    until: datetime,
    sfn: Any,
    ask: Asking | None = None,
    progress: Bars | None = None,
) -> list[Execution]:
    """
    Return the executions of *machine* that began in a time range, oldest first, whoever started them.

    Parameters
    ----------
    machine
        ARN of a state machine of the type STANDARD: EXPRESS ones keep no history.
    since, until
        The range, aware.
    sfn
        A Step Functions client.
    ask
        Who counts the calls.
    progress
        Where to show how far it is.

    Raises
    ------
    AwsError
        If Step Functions refuses, or there is no such machine.

    Notes
    -----
    One ListExecutions for a thousand executions, as far back as the range needs, and one GetExecutionHistory for each
    in the range. Step Functions keeps both for 90 days after an execution ended.
    Needs ``states:ListExecutions`` and ``states:GetExecutionHistory``.
    Source: botocore stepfunctions ListExecutions: the newest first, by the stop date of those that ended and the start
    date of the others; eventually consistent (verified).
    """
    ask = ask or Asking()
    within = [one for one in listed(machine, since=since, sfn=sfn, ask=ask) if began(one) <= until]
    found = []
    for number, one in enumerate(sorted(within, key=began), start=1):
        found.append(read_execution(one, list(events_of(str(one["executionArn"]), sfn=sfn, ask=ask))))
        if progress:
            progress.row("Step Functions", number / len(within), f"{number} of {len(within)} executions read")
    return found
