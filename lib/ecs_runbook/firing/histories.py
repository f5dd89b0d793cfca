"""One execution of a state machine that runs an ECS task, and its tries one after another, read from its history."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.tasks import Task, read_task

RUNNING, SUCCEEDED = "RUNNING", "SUCCEEDED"
TASK_FAILED, TIMED_OUT = "States.TaskFailed", "States.Timeout"
ABORTED = "aborted"
"""Our word for a try that was under way when its execution was stopped: Step Functions has no error for it."""
NOT_PLACED = frozenset({"AmazonECS.Unknown", "ECS.AmazonECSException"})
"""
The answer held ``failures[]``. Source: AWS docs, Step Functions, Amazon ECS integration, for the first (verified); the
second is AWS's knowledge centre's (seen).
"""

MOST_A_PAGE = 1000

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_TRY = frozenset(
    {
        "TaskStarted",
        "TaskStartFailed",
        "TaskSubmitted",
        "TaskSubmitFailed",
        "TaskSucceeded",
        "TaskFailed",
        "TaskTimedOut",
        "TaskStateAborted",
    }
)
_ENDS = _ONE_TRY - {"TaskStarted", "TaskSubmitted"}
_EXECUTION_ENDS = frozenset({"ExecutionAborted", "ExecutionFailed", "ExecutionTimedOut"})
_RUN_TASK = "runTask"
_ECS = frozenset({"ecs", "aws-sdk:ecs"})
_EXIT_CODE = re.compile(r"ExitCode\.(\d{1,3})", re.ASCII)
_SCHEDULE = re.compile(r"(arn:[\w-]+:scheduler:[\w-]*:\d{12}:schedule/[\w.-]+/[\w.-]+)(?:\s+(\S+))?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z", re.ASCII)


@dataclass(frozen=True)
class Try:
    """
    One time that an execution asked ECS to run a task. What its history does not tell is ``""`` or None.

    Attributes
    ----------
    number
        1, 2, …: which try of its execution it was, whatever stood in the way of the others.
    task, definition
        ARN of the task that was started, and of the revision that it ran; ``""`` if none was.
    started, stopped
        When the task was accepted, which is when its revision was chosen, and when it stopped; without a task, when
        the machine called, and when it was refused.
    exit_code
        Of its essential container; None if none ran to its end, or if several ended differently. Where the machine
        waits for a task token, and not for the end, what the task told by the error ``ExitCode.<code>``.
    error, cause
        Step Functions' name for what went wrong, and AWS's words for it; of a task that ended badly, ECS's words.
        ``""`` after a good end, and while it runs.
    requested
        The task definition that was asked for.
    described
        The task as ECS described it last, in the API's casing.
    """

    number: int
    task: str = ""
    definition: str = ""
    started: datetime | None = None
    stopped: datetime | None = None
    exit_code: int | None = None
    error: str = ""
    cause: str = ""
    requested: str = ""
    described: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ended_well(self) -> bool:
        """Whether its task ended, and nothing went wrong."""
        return self.stopped is not None and bool(self.task) and not self.error


@dataclass(frozen=True)
class Execution:
    """
    One execution of a state machine: one scheduled run.

    Attributes
    ----------
    arn, name, status
        As Step Functions says them.
    started, stopped
        When the execution began and ended; None while it runs.
    tries
        What it tried, one after another.
    skipped
        Whether it ended well without having tried anything: it found the task running already.
    scheduled
        The firing that it was started for, as its input tells; None if that does not.
    raw
        The execution and its history as Step Functions told them: ``{"execution": …, "events": […]}``.
    schedule
        ARN of the schedule that started it, as its input tells; ``""`` if that does not.
    role
        ARN of the role that it runs under.
    error, cause
        Why the whole of it failed, in Step Functions' words.
    """

    arn: str
    name: str
    status: str
    started: datetime | None
    stopped: datetime | None
    tries: tuple[Try, ...] = ()
    skipped: bool = False
    scheduled: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    schedule: str = ""
    role: str = ""
    error: str = ""
    cause: str = ""

    def given_to(self, name: str) -> bool:
        """Say whether *name* stands in the input that it was started with."""
        begun: Mapping[str, Any] = next(
            (event for event in self.raw.get("events", ()) if event.get("type") == "ExecutionStarted"), {}
        )
        return name in str(_details(begun).get("input") or "")


def read_execution(told: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Execution:
    """
    Read one execution and the events of its history; never fails, whatever they hold.

    Parameters
    ----------
    told
        As ListExecutions or DescribeExecution tells it.
    events
        As GetExecutionHistory tells them, all pages, oldest first.

    Notes
    -----
    A try begins with ``TaskScheduled`` of ``ecs:runTask`` and ends with ``TaskSucceeded``, ``TaskFailed``,
    ``TaskTimedOut``, or by not having been submitted; a Retry of the state is another try. Those of branches that run
    at once are told apart by ``previousEventId``.
    Source: botocore stepfunctions HistoryEvent (verified); the task in PascalCase with times in milliseconds, as the
    output or cause: seen in public recordings.

    Examples
    --------
    >>> execution = read_execution({"name": "e", "status": "FAILED"}, [
    ...     {"id": 1, "type": "TaskScheduled", "taskScheduledEventDetails": {"resourceType": "ecs",
    ...      "resource": "runTask.sync", "parameters": '{"TaskDefinition": "nightly"}'}},
    ...     {"id": 2, "previousEventId": 1, "type": "TaskSubmitFailed", "timestamp": "2026-11-24T17:00:02Z",
    ...      "taskSubmitFailedEventDetails": {"error": "ECS.ClientException", "cause": "TaskDefinition not found."}}])
    >>> [(one.number, one.error, one.cause, one.requested) for one in execution.tries]
    [(1, 'ECS.ClientException', 'TaskDefinition not found.', 'nightly')]
    """
    ordered = sorted(events, key=_number)
    begun = next((_details(event) for event in ordered if event.get("type") == "ExecutionStarted"), {})
    ended = next((_details(event) for event in ordered if event.get("type") in _EXECUTION_ENDS), told)
    tries = _tries(ordered)
    status = str(told.get("status") or "")
    schedule, scheduled = _firing(_json(begun.get("input") or told.get("input")))
    return Execution(
        arn=str(told.get("executionArn") or ""),
        name=str(told.get("name") or ""),
        status=status,
        started=moment(told.get("startDate")),
        stopped=moment(told.get("stopDate")),
        tries=tries,
        skipped=status == SUCCEEDED and bool(events) and not tries,
        scheduled=scheduled,
        raw={"execution": told, "events": events},
        schedule=schedule,
        role=str(begun.get("roleArn") or ""),
        error=str(ended.get("error") or ""),
        cause=str(ended.get("cause") or ""),
    )


def listed(machine: str, *, since: datetime, sfn: Any, ask: Asking) -> Iterator[Mapping[str, Any]]:
    """
    Yield the executions of *machine* that began since then, as ListExecutions tells them, newest first.

    Needs ``states:ListExecutions``.
    """
    pages = ask.pages("states:ListExecutions", sfn.list_executions, stateMachineArn=machine, maxResults=MOST_A_PAGE)
    for page in pages:
        for one in page.get("executions", []):
            if began(one) >= since:
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


def began(one: Mapping[str, Any]) -> datetime:
    """Return when an execution of ListExecutions began."""
    return moment(one.get("startDate")) or _LONG_AGO


def described_task(told: object) -> Mapping[str, Any]:
    """
    Return the task in an output or cause of Step Functions, in the casing and with the times of ECS's API.

    Examples
    --------
    >>> described_task('{"TaskArn": "t", "StoppedAt": 1680596504771, "Containers": [{"ExitCode": 3}]}')["containers"]
    [{'exitCode': 3}]
    >>> described_task("Capacity is unavailable at this time.")
    {}
    """
    read = _api(_json(told) if isinstance(told, str) else told)
    if not isinstance(read, Mapping):
        return {}
    several = read.get("tasks")
    task = next((one for one in several if isinstance(one, Mapping)), {}) if isinstance(several, list) else read
    return task if "taskArn" in task else {}


@dataclass
class _Making:
    """A try in the making."""

    begun: datetime | None
    requested: str
    ended: datetime | None = None
    error: str = ""
    cause: str = ""
    described: Mapping[str, Any] = field(default_factory=dict)

    def heed(self, event: Mapping[str, Any]) -> None:
        kind, details = str(event.get("type")), _details(event)
        error, cause = str(details.get("error") or ""), str(details.get("cause") or "")
        self.described = described_task(details.get("output")) or described_task(cause) or self.described
        if kind not in _ENDS:
            return
        self.ended = moment(event.get("timestamp"))
        if kind != "TaskSucceeded":
            words = "" if described_task(cause) else _reasons(cause)
            self.error = error or {"TaskTimedOut": TIMED_OUT, "TaskStateAborted": ABORTED}.get(kind, TASK_FAILED)
            self.cause = words

    def _said_by_token(self) -> int | None:
        told = _EXIT_CODE.fullmatch(self.error) if self.described else None
        return int(told[1]) if told else None

    def done(self, number: int) -> Try:
        task = read_task(self.described) if self.described else None
        # After a timeout the last that the history tells of the task is how it was accepted.
        over = task is not None and task.status == "STOPPED"
        return Try(
            number=number,
            task=task.arn if task else "",
            definition=task.definition if task else "",
            started=(task.created if task else None) or self.begun,
            stopped=(_stopped(task) if over and task else None) or self.ended,
            exit_code=self._said_by_token() if task is None or not over else task.exit_code,
            error=self.error,
            cause=self.cause or (task.error if task and self.error else ""),
            requested=self.requested,
            described=self.described,
        )


def _tries(events: Sequence[Mapping[str, Any]]) -> tuple[Try, ...]:
    making: list[_Making] = []
    of: dict[int, _Making] = {}
    for event in events:
        kind, number = event.get("type"), _number(event)
        if kind == "TaskScheduled":
            details = _details(event)
            if details.get("resourceType") in _ECS and str(details.get("resource", "")).startswith(_RUN_TASK):
                asked = _json(details.get("parameters"))
                requested = str(asked.get("TaskDefinition") or "") if isinstance(asked, Mapping) else ""
                of[number] = _Making(moment(event.get("timestamp")), requested)
                making.append(of[number])
        elif kind in _ONE_TRY and (mine := of.get(_previous(event))):
            of[number] = mine
            mine.heed(event)
        elif kind in _EXECUTION_ENDS:
            for one in making:
                if one.ended is None:
                    one.ended = moment(event.get("timestamp"))
                    one.error = TIMED_OUT if kind == "ExecutionTimedOut" else ABORTED
                    one.cause = str(_details(event).get("cause") or "")
    return tuple(one.done(number) for number, one in enumerate(making, start=1))


def _reasons(cause: str) -> str:
    """Return the reasons of ``failures[]``, if a cause is that as JSON (not verified); else the cause."""
    told = _json(cause)
    failures = told.get("Failures") if isinstance(told, Mapping) else told
    several = [_api(one) for one in failures if isinstance(one, Mapping)] if isinstance(failures, list) else []
    words = [": ".join(str(one[key]) for key in ("reason", "detail") if one.get(key)) for one in several]
    return "; ".join(dict.fromkeys(filter(None, words))) or cause


def _stopped(task: Task) -> datetime | None:
    return moment(task.raw.get("executionStoppedAt") or task.raw.get("stoppedAt"))


def _firing(given: object) -> tuple[str, datetime | None]:
    """Return the schedule that an execution's input names, and the time at which it was due."""
    schedule, scheduled = "", None
    for text in _texts(given):
        found = _SCHEDULE.fullmatch(text)
        schedule = schedule or (found[1] if found else "")
        time = found[2] if found else text
        if scheduled is None and time and _TIME.fullmatch(time):
            scheduled = moment(time)
    return schedule, scheduled


def _texts(given: object) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, Mapping | list):
        for one in given.values() if isinstance(given, Mapping) else given:
            yield from _texts(one)


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what an event tells beside its type and time; each type has a field of its own for it."""
    found = (value for name, value in event.items() if name.endswith("EventDetails"))
    return next((value for value in found if isinstance(value, Mapping)), {})


def _api(value: object) -> Any:
    """Return a value with its names and times as ECS's API has them."""
    if isinstance(value, Mapping):
        named = {str(name)[:1].lower() + str(name)[1:]: inner for name, inner in value.items()}
        return {name: _time(inner) if name.endswith("At") else _api(inner) for name, inner in named.items()}
    return [_api(one) for one in value] if isinstance(value, list) else value


def _time(value: object) -> object:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    try:
        return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _json(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _number(event: Mapping[str, Any]) -> int:
    told = event.get("id")
    return told if isinstance(told, int) else 0


def _previous(event: Mapping[str, Any]) -> int:
    told = event.get("previousEventId")
    return told if isinstance(told, int) else 0
