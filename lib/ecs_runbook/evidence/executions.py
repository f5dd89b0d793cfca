"""The executions of a state machine in a time range, each with the tasks that it tried one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.histories import Execution as Execution  # what is read here, under the name it is asked by
from ecs_runbook.firing.histories import Try as Try
from ecs_runbook.firing.histories import read_execution

MOST_A_PAGE = 1000
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def executions(
    machine: str, *, since: datetime, until: datetime, sfn: Any, ask: Asking | None = None
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
    within = [one for one in listed(machine, since=since, sfn=sfn, ask=ask) if _began(one) <= until]
    return [
        read_execution(one, list(events_of(str(one["executionArn"]), sfn=sfn, ask=ask)))
        for one in sorted(within, key=_began)
    ]


def listed(machine: str, *, since: datetime, sfn: Any, ask: Asking) -> Iterator[Mapping[str, Any]]:
    """
    Yield the executions of *machine* that began since then, as ListExecutions tells them, newest first.

    Needs ``states:ListExecutions``.
    """
    pages = ask.pages("states:ListExecutions", sfn.list_executions, stateMachineArn=machine, maxResults=MOST_A_PAGE)
    for page in pages:
        for one in page.get("executions", []):
            if _began(one) >= since:
                yield one
            elif (stopped := moment(one.get("stopDate"))) is not None and stopped < since:
                return  # all that ended and follow ended before this one


def events_of(execution: str, *, sfn: Any, ask: Asking) -> Iterator[Mapping[str, Any]]:
    """Yield the events of an execution's history, oldest first. Needs ``states:GetExecutionHistory``."""
    pages = ask.pages(
        "states:GetExecutionHistory",
        sfn.get_execution_history,
        executionArn=execution,
        maxResults=MOST_A_PAGE,
        includeExecutionData=True,
    )
    for page in pages:
        yield from page.get("events", [])


def _began(one: Mapping[str, Any]) -> datetime:
    return moment(one.get("startDate")) or _LONG_AGO
