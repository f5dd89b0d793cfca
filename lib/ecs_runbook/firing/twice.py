"""
Deliver one firing twice, as "at least once" allows: the second delivery comes while the first one's task runs.

On AWS that is rare, so it is made: a drill of the schedule is the first delivery, and the second starts the same state
machine with the very input of the first.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import EvidenceError
from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.firing.fired import Fired
from ecs_runbook.firing.histories import RUNNING, Execution, events_of, listed, read_execution
from ecs_runbook.firing.one_time import fire_schedule
from ecs_runbook.firing.schedules import read_schedule
from ecs_runbook.session import AWS_PACE, Pace

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_iam import IAMClient


@dataclass(frozen=True)
class Twice:
    """
    What came of each of two deliveries.

    Attributes
    ----------
    first
        The drill.
    second
        The execution that the second delivery began; None if the first one's task was never seen running.
    """

    first: Fired
    second: Execution | None

    def _repr_html_(self) -> str:
        second = "not made: the first one's task was never seen running"
        if self.second is not None:
            ran = f"{len(self.second.tries)} tasks"
            second = f"{self.second.status}, {'skipped' if self.second.skipped else ran}: {self.second.arn}"
        return (
            f"<p><b>The first delivery</b></p>{self.first._repr_html_()}<p><b>The second</b> {html.escape(second)}</p>"
        )


def fire_twice(
    schedule: str,
    *,
    scheduler: Any,
    stepfunctions: Any,
    ecs: ECSClient,
    cloudtrail: CloudTrailClient,
    now: Callable[[], datetime],
    pace: Pace = AWS_PACE,
    iam: IAMClient | None = None,
    progress: Bars | None = None,
) -> Twice:
    """
    Run what *schedule* runs, and deliver it again while its task runs; wait for how both end.

    This runs the real task, once if the second delivery is skipped.

    Parameters
    ----------
    schedule
        Name of a schedule that starts a state machine which runs an ECS task, ``<group>/<name>`` outside the default
        group.
    scheduler, stepfunctions, ecs, cloudtrail, iam
        The clients.
    now, pace
        The time by that AWS's clock, and how fast it may be asked: ``aws.now``, ``aws.pace``.
    progress
        Where to show how far the first is.

    Returns
    -------
    Twice
        Also when one was refused or nothing was seen of it.

    Raises
    ------
    EvidenceError
        If there is no such schedule, or no state machine in between that could skip a second delivery.
    AwsError
        If AWS refuses a step. An error or an interrupt ends the drill too, and removes its temporary schedule.

    Notes
    -----
    Needs what :func:`~ecs_runbook.firing.one_time.fire_schedule` needs, and ``states:StartExecution`` and
    ``states:DescribeExecution``.
    """
    ask, stop = Asking(), threading.Event()
    machine = read_schedule(schedule, scheduler=scheduler, sfn=stepfunctions, ask=ask).machine
    if machine is None:
        raise EvidenceError(
            f"schedule = {schedule!r}: it runs the task itself, so nothing could skip a second delivery.",
            hint="Build it with kind = state_machine and double_runs = skip.",
        )

    def sleep(seconds: float) -> None:
        if stop.wait(seconds):
            raise InterruptedError("the second delivery was given up")

    def first() -> Fired:
        clients: dict[str, Any] = {"scheduler": scheduler, "stepfunctions": stepfunctions, "ecs": ecs, "iam": iam}
        return fire_schedule(
            schedule, **clients, cloudtrail=cloudtrail, now=now, pace=pace, progress=progress, sleep=sleep
        )

    began = now()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="delivery") as pool:
        drill = pool.submit(first)
        try:
            running = _running(machine.arn, began, drill, stepfunctions, ask, pace)
            second = _again(machine.arn, running, stepfunctions, ask, pace) if running else None
            return Twice(drill.result(), second)
        except BaseException:
            stop.set()
            raise


def _running(
    machine: str, since: datetime, drill: Future[Fired], sfn: Any, ask: Asking, pace: Pace
) -> Execution | None:
    """Wait until a task of the machine runs; None if the drill is over before one was seen."""
    pause = threading.Event()
    while not drill.done():
        for told in listed(machine, since=since, sfn=sfn, ask=ask):
            if told.get("status") == RUNNING:
                found = read_execution(told, list(events_of(str(told["executionArn"]), sfn=sfn, ask=ask)))
                if found.tries and found.tries[-1].task and found.tries[-1].stopped is None:
                    return found
        pause.wait(pace.poll_seconds)
    return None


def _again(machine: str, running: Execution, sfn: Any, ask: Asking, pace: Pace) -> Execution:
    """Start the machine with the input that it runs with, and wait for how that ends."""
    pause, waited = threading.Event(), 0.0
    described = ask("states:DescribeExecution", sfn.describe_execution, executionArn=running.arn)
    arn = ask("states:StartExecution", sfn.start_execution, stateMachineArn=machine, input=described["input"])[
        "executionArn"
    ]
    while True:
        told = ask("states:DescribeExecution", sfn.describe_execution, executionArn=arn)
        if told.get("status") != RUNNING or waited >= pace.patience_seconds:
            return read_execution(told, list(events_of(arn, sfn=sfn, ask=ask)))
        pause.wait(pace.poll_seconds)
        waited += pace.poll_seconds
