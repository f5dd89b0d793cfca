"""
Executions of state machines, step by step, by the world's clock.

Every step is an entry in the clock's diary: what a state waits for (its seconds, the pause before a retry, a timeout, a
missing heartbeat) happens at its own moment, also while the clock is moved forward by a day. Nothing sleeps, and no
thread is started. Understood are Task, Choice, Wait, Pass, Succeed, Fail and Parallel, with Retry, Catch and JSONPath,
and of JSONata paths; an execution that comes to anything else fails, and says so.

Source: AWS docs, Step Functions developer guide, "Handling errors in Step Functions workflows" (verified): which errors
``States.ALL`` and ``States.TaskFailed`` stand for, what a retrier's fields mean, and that a retrier's count is its own;
recorded histories for the order of the events and what they tell (seen). Not verified, and so this world's own: that a
step takes no time, how jitter is drawn, and that a heartbeat that is missed is named ``States.HeartbeatTimeout``.
"""

from __future__ import annotations

import json
import logging
import uuid
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from ecs_runbook.local_aws import asl_jsonata
from ecs_runbook.local_aws.asl_choices import chosen
from ecs_runbook.local_aws.asl_values import StateFailed, at_path, filled, with_result, worked_out

if TYPE_CHECKING:
    from ecs_runbook.local_aws.clock import Clock, Entry

_LOG = logging.getLogger(__name__)
MOST_EVENTS = 25_000  # AWS docs, "Quotas related to state machine executions" (verified)
MOST_BYTES = 256 * 1024  # AWS docs, "Quotas related to state executions" (verified)
_SPARE_EVENTS = 10  # what a state and the end of an execution still write
_TIMEOUTS = frozenset({"States.Timeout", "States.HeartbeatTimeout"})
_TERMINAL = frozenset({"States.Runtime", "States.DataLimitExceeded"})
_ATTEMPTS, _INTERVAL, _BACKOFF = 3, 1, 2.0  # of a retrier that does not say


@dataclass(eq=False)
class Execution:
    """
    One execution: what the API tells of it, by the names under which moto looks for it.

    Parameters
    ----------
    definition
        The state machine's, as it was at the start; so are its role and name.
    doom
        What ends it at its next transition, if its state machine is gone.
    generation
        How many events led to it: 0 where somebody started it, or a schedule did.
    """

    execution_arn: str
    name: str
    state_machine_arn: str
    machine_name: str
    role: str
    definition: Mapping[str, Any]
    execution_input: str
    start_date: datetime
    status: str = "RUNNING"
    stop_date: datetime | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    doom: Callable[[], None] | None = None
    generation: int = 0

    @property
    def account(self) -> str:
        """Where it runs."""
        return self.execution_arn.split(":")[4]

    @property
    def region(self) -> str:
        """Where it runs."""
        return self.execution_arn.split(":")[3]

    def tell(self, kind: str, now: datetime, previous: int, details: Mapping[str, Any] | None = None) -> int:
        """Write an event into the history, and return its number."""
        number = len(self.events) + 1
        event = {"timestamp": now, "type": kind, "id": number, "previousEventId": previous}
        if details is not None:
            event[_details_of(kind)] = {name: value for name, value in details.items() if value is not None}
        self.events.append(event)
        return number


def _details_of(kind: str) -> str:
    for ending in ("StateEntered", "StateExited"):
        if kind.endswith(ending):
            return f"{ending[:1].lower()}{ending[1:]}EventDetails"
    return f"{kind[:1].lower()}{kind[1:]}EventDetails"


@dataclass
class Visit:
    """A state that an execution is in."""

    name: str
    state: Mapping[str, Any]
    given: Any
    entered: datetime
    retries: dict[int, int] = field(default_factory=dict)  # of each retrier
    attempt: Attempt | None = None
    branches: list[Walk] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """Its type."""
        return str(self.state.get("Type"))


class Attempt:
    """
    One attempt of a Task state: what is called, and what ends it.

    Parameters
    ----------
    resource, kind
        As the history tells them: ``runTask.sync`` of ``ecs``.
    """

    def __init__(self, walk: Walk, visit: Visit) -> None:
        self.walk, self.visit = walk, visit
        self.token = uuid.uuid4().hex + uuid.uuid4().hex
        self.resource = self.kind = ""
        self.over = False
        self.tasks: dict[str, Mapping[str, Any]] = {}  # the ECS tasks that it waits for, by ARN; each as it stopped
        self._every: float | None = None
        self._heartbeat: Entry | None = None
        self._timeout: Entry | None = None

    def told(self, **more: Any) -> dict[str, Any]:
        """Return the details of one of its events."""
        return {"resourceType": self.kind, "resource": self.resource, **more}

    def wait(self, timeout: float | None, heartbeat: float | None) -> None:
        """Let it time out: after *timeout* seconds, and whenever *heartbeat* seconds pass without a heartbeat."""
        if timeout is not None:
            self._timeout = self.walk.clock.after(
                timedelta(seconds=timeout), lambda: self.walk.timed_out(self, "States.Timeout")
            )
        self._every = heartbeat
        self.beat()

    def beat(self) -> None:
        """Take a heartbeat."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._every is not None:
            self._heartbeat = self.walk.clock.after(
                timedelta(seconds=self._every), lambda: self.walk.timed_out(self, "States.HeartbeatTimeout")
            )

    def end(self) -> bool:
        """Let nothing happen to it any more; return whether it was not over yet."""
        if self.over:
            return False
        self.over = True
        for entry in (self._timeout, self._heartbeat):
            if entry is not None:
                entry.cancel()
        return True


class Tasks(Protocol):
    """What runs Task states: see :mod:`~ecs_runbook.local_aws.machine_calls`."""

    def prepare(self, attempt: Attempt, parameters: Any) -> Any:
        """Name the attempt's resource, and return the parameters as they are sent."""

    def begin(self, attempt: Attempt, parameters: Any) -> Any:
        """Call; return the output of a task that is done thereby, :data:`LATER` of one that is waited for."""

    def forget(self, attempt: Attempt) -> None:
        """Wait no longer for what an attempt waits for."""

    def stop(self, attempt: Attempt, *, timed_out: bool) -> None:
        """Stop what an attempt waits for, as far as that is done, and wait no longer."""


LATER = object()


class Walk:
    """
    One way through the states of a machine: an execution's, or that of one branch of its Parallel state.

    Parameters
    ----------
    machine
        ``StartAt`` and ``States``.
    ended
        Called once, with the output or the failure that nothing caught.
    previous
        The event before.
    """

    def __init__(
        self,
        execution: Execution,
        machine: Mapping[str, Any],
        *,
        clock: Clock,
        tasks: Tasks,
        ended: Callable[[Any], None],
        previous: int = 0,
    ) -> None:
        self.execution, self.clock = execution, clock
        self._machine, self._tasks, self._ended = machine, tasks, ended
        self._previous = previous
        self._next: Entry | None = None
        self._visit: Visit | None = None

    def begin(self, given: Any) -> None:
        """Go to the first state."""
        self._soon(lambda: self._enter(str(self._machine["StartAt"]), given))

    def abort(self, *, timed_out: bool = False) -> None:
        """Stop where it is."""
        if self._next is not None:
            self._next.cancel()
        visit, self._visit = self._visit, None
        if visit is None:
            return
        for branch in visit.branches:
            branch.abort(timed_out=timed_out)
        if visit.attempt is not None and visit.attempt.end():
            self._tasks.stop(visit.attempt, timed_out=timed_out)
        if visit.kind in {"Task", "Wait", "Parallel"}:
            self._tell(f"{visit.kind}StateAborted")

    # -------- from state to state

    def _soon(self, action: Callable[[], None], delay: float = 0) -> None:
        self._next = self.clock.after(timedelta(seconds=delay), action)

    def _tell(self, kind: str, details: Mapping[str, Any] | None = None) -> None:
        self._previous = self.execution.tell(kind, self.clock.now(), self._previous, details)

    def _enter(self, name: str, given: Any) -> None:
        if self.execution.doom is not None:
            self.execution.doom()
            return
        state = self._machine["States"].get(name)
        if state is None:
            self._end(StateFailed("States.Runtime", f"There is no state '{name}'."))
            return
        if len(self.execution.events) > MOST_EVENTS - _SPARE_EVENTS:
            told = f"The execution reached the maximum number of history events ({MOST_EVENTS})."
            self._end(StateFailed("States.Runtime", told))
            return
        visit = self._visit = Visit(name, state, given, self.clock.now())
        self._tell(f"{visit.kind}StateEntered", {"name": name, **_input(given)})
        self._try(visit, lambda: self._work(visit))

    def _work(self, visit: Visit) -> None:
        work = {
            "Task": self._task,
            "Choice": self._choice,
            "Wait": self._wait,
            "Pass": self._pass,
            "Succeed": self._succeed,
            "Fail": self._fail,
            "Parallel": self._parallel,
        }.get(visit.kind)
        if work is None:
            raise StateFailed("States.Runtime", f"State '{visit.name}': the local AWS runs no {visit.kind} state.")
        if "Assign" in visit.state:
            raise StateFailed("States.Runtime", f"State '{visit.name}': the local AWS keeps no variables (Assign).")
        work(visit)

    def _is_jsonata(self, visit: Visit) -> bool:
        whole = self.execution.definition.get("QueryLanguage", "JSONPath")
        return bool(visit.state.get("QueryLanguage", whole) == "JSONata")

    def _jsonata(self, visit: Visit, value: Any, **known: Any) -> Any:
        return asl_jsonata.filled(value, {"input": visit.given, "context": self._context(visit), **known})

    def _try(self, visit: Visit, work: Callable[[], None]) -> None:
        try:
            work()
        except StateFailed as failed:
            self._failed(visit, failed)
        except Exception as error:  # noqa: BLE001  an execution never stands still without a word
            _LOG.exception("%s failed in state %s", self.execution.execution_arn, visit.name)
            self._let_go(visit)
            self._end(StateFailed("States.Runtime", f"The local AWS failed: {type(error).__name__}: {error}"))

    def _leave(self, visit: Visit, output: Any, following: str = "") -> None:
        if len(_text(output).encode()) > MOST_BYTES:
            told = f"The state '{visit.name}' returned a result with a size exceeding the maximum number of bytes."
            self._end(StateFailed("States.DataLimitExceeded", told))
            return
        self._visit = None
        self._tell(f"{visit.kind}StateExited", {"name": visit.name, **_output(output)})
        following = following or str(visit.state.get("Next") or "")
        if following:
            self._soon(lambda: self._enter(following, output))
        else:
            self._ended(output)

    def _finish(self, visit: Visit, result: Any) -> None:
        """Take a state's result to its output."""
        state, context = visit.state, self._context(visit)
        if self._is_jsonata(visit):
            self._leave(visit, self._jsonata(visit, state.get("Output", result), result=result))
            return
        if "ResultSelector" in state:
            result = filled(state["ResultSelector"], result, context)
        whole = with_result(state.get("ResultPath", "$"), visit.given, result)
        self._leave(visit, self._out(visit, whole))

    def _out(self, visit: Visit, whole: Any) -> Any:
        if self._is_jsonata(visit):
            return self._jsonata(visit, visit.state["Output"]) if "Output" in visit.state else whole
        path = visit.state.get("OutputPath", "$")
        return {} if path is None else at_path(str(path), whole, self._context(visit))

    def _effective(self, visit: Visit) -> Any:
        """Return what a state works with: what its InputPath and Parameters, or Arguments, make of what came."""
        if self._is_jsonata(visit):
            return self._jsonata(visit, visit.state["Arguments"]) if "Arguments" in visit.state else visit.given
        path = visit.state.get("InputPath", "$")
        given = {} if path is None else at_path(str(path), visit.given, self._context(visit))
        if "Parameters" not in visit.state:
            return given
        return filled(visit.state["Parameters"], given, self._context(visit))

    def _context(self, visit: Visit) -> dict[str, Any]:
        """Return the context object. Source: AWS docs, "Accessing execution data from the Context object"."""
        execution = self.execution
        context: dict[str, Any] = {
            "Execution": {
                "Id": execution.execution_arn,
                "Input": json.loads(execution.execution_input),
                "Name": execution.name,
                "RoleArn": execution.role,
                "StartTime": _iso(execution.start_date),
                "RedriveCount": 0,
            },
            "State": {
                "EnteredTime": _iso(visit.entered),
                "Name": visit.name,
                "RetryCount": sum(visit.retries.values()),
            },
            "StateMachine": {"Id": execution.state_machine_arn, "Name": execution.machine_name},
        }
        if visit.attempt is not None:
            context["Task"] = {"Token": visit.attempt.token}
        return context

    def _end(self, outcome: Any) -> None:
        self._visit = None
        self._ended(outcome)

    # -------- each kind of state

    def _choice(self, visit: Visit) -> None:
        given = self._effective(visit)
        if self._is_jsonata(visit):
            self._leave(visit, self._out(visit, given), self._first_that_is_true(visit))
        else:
            self._leave(visit, self._out(visit, given), chosen(visit.state, given, self._context(visit)))

    def _first_that_is_true(self, visit: Visit) -> str:
        for rule in visit.state.get("Choices") or []:
            if self._jsonata(visit, rule.get("Condition")) is True:
                return str(rule["Next"])
        return chosen({**visit.state, "Choices": []}, visit.given, {})

    def _pass(self, visit: Visit) -> None:
        given = self._effective(visit)
        self._finish(visit, visit.state.get("Result", given))

    def _succeed(self, visit: Visit) -> None:
        self._leave(visit, self._out(visit, self._effective(visit)))

    def _fail(self, visit: Visit) -> None:
        told = {}
        for name in ("Error", "Cause"):
            told[name] = visit.state.get(name)
            if self._is_jsonata(visit):
                told[name] = self._jsonata(visit, told[name])
            if f"{name}Path" in visit.state:
                told[name] = worked_out(str(visit.state[f"{name}Path"]), visit.given, self._context(visit))
        self._end(StateFailed(told["Error"] or "", told["Cause"]))

    def _wait(self, visit: Visit) -> None:
        state, given, context = visit.state, self._effective(visit), self._context(visit)
        timestamp = state.get("Timestamp")
        if self._is_jsonata(visit):
            timestamp = self._jsonata(visit, timestamp)
        if "TimestampPath" in state:
            timestamp = at_path(str(state["TimestampPath"]), given, context)
        seconds = self._seconds(visit, "Seconds", given) or 0
        if timestamp is not None:
            seconds = max(0.0, (datetime.fromisoformat(timestamp) - self.clock.now()).total_seconds())
        self._soon(lambda: self._try(visit, lambda: self._leave(visit, self._out(visit, given))), seconds)

    def _parallel(self, visit: Visit) -> None:
        given = self._effective(visit)
        self._tell("ParallelStateStarted")
        results: dict[int, Any] = {}

        def ended(number: int, outcome: Any) -> None:
            if self._visit is not visit:
                return
            if isinstance(outcome, StateFailed):
                self._visit = None
                for branch in visit.branches:
                    branch.abort()
                self._visit = visit
                self._tell("ParallelStateFailed")
                self._failed(visit, outcome)
                return
            results[number] = outcome
            if len(results) == len(visit.branches):
                self._tell("ParallelStateSucceeded")
                self._try(visit, lambda: self._finish(visit, [results[one] for one in sorted(results)]))

        visit.branches = [
            Walk(
                self.execution,
                branch,
                clock=self.clock,
                tasks=self._tasks,
                ended=lambda outcome, number=number: ended(number, outcome),  # type: ignore[misc]
                previous=self._previous,
            )
            for number, branch in enumerate(visit.state.get("Branches") or [])
        ]
        for branch in visit.branches:
            branch.begin(given)

    # -------- tasks

    def _task(self, visit: Visit) -> None:
        attempt = visit.attempt = Attempt(self, visit)
        sent = self._tasks.prepare(attempt, self._effective(visit))
        given = visit.given
        timeout = self._seconds(visit, "TimeoutSeconds", given)
        heartbeat = self._seconds(visit, "HeartbeatSeconds", given)
        told = {
            "region": self.execution.region,
            "parameters": json.dumps(sent),
            "timeoutInSeconds": timeout,
            "heartbeatInSeconds": heartbeat,
        }
        self._tell("TaskScheduled", attempt.told(**told))
        self._tell("TaskStarted", attempt.told())
        attempt.wait(timeout, heartbeat)
        try:
            output = self._tasks.begin(attempt, sent)
        except StateFailed as failed:
            self.task_failed(attempt, failed)
            return
        if output is not LATER:
            self.task_succeeded(attempt, output)

    def submitted(self, attempt: Attempt, output: Any) -> None:
        """Tell that what an attempt waits for has begun."""
        self._tell("TaskSubmitted", attempt.told(**_output(output)))

    def task_succeeded(self, attempt: Attempt, output: Any) -> None:
        """Go on with what a task gave."""
        if attempt.end():
            self._tasks.forget(attempt)
            self._tell("TaskSucceeded", attempt.told(**_output(output)))
            self._try(attempt.visit, lambda: self._finish(attempt.visit, output))

    def task_failed(self, attempt: Attempt, failed: StateFailed) -> None:
        """Go on with why a task failed."""
        if attempt.end():
            self._tasks.forget(attempt)
            self._tell("TaskFailed", attempt.told(error=failed.error, cause=failed.cause))
            self._failed(attempt.visit, failed)

    def timed_out(self, attempt: Attempt, error: str) -> None:
        """Go on without the task."""
        if attempt.end():
            self._tasks.stop(attempt, timed_out=True)
            self._tell("TaskTimedOut", attempt.told(error=error))
            self._failed(attempt.visit, StateFailed(error))

    def _seconds(self, visit: Visit, name: str, given: Any) -> float | None:
        value = visit.state.get(name)
        if self._is_jsonata(visit):
            value = self._jsonata(visit, value)
        if f"{name}Path" in visit.state:
            value = at_path(str(visit.state[f"{name}Path"]), given, self._context(visit))
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise StateFailed("States.Runtime", f"State '{visit.name}': {name} is {value!r}, and no number of seconds.")
        return value

    # -------- what goes wrong

    def _let_go(self, visit: Visit) -> None:
        """Leave nothing of an attempt that could still happen."""
        if visit.attempt is not None and visit.attempt.end():
            self._tasks.forget(visit.attempt)

    def _failed(self, visit: Visit, failed: StateFailed) -> None:
        self._let_go(visit)
        for number, retrier in enumerate(visit.state.get("Retry") or []):
            if stands_for(retrier.get("ErrorEquals") or [], failed.error):
                done = visit.retries.get(number, 0)
                if done >= retrier.get("MaxAttempts", _ATTEMPTS):
                    break
                visit.retries[number] = done + 1
                key = f"{self.execution.state_machine_arn} {self.execution.start_date} {visit.name} {number}"
                self._soon(lambda: self._try(visit, lambda: self._work(visit)), pause(retrier, done + 1, key))
                return
        for catcher in visit.state.get("Catch") or []:
            if stands_for(catcher.get("ErrorEquals") or [], failed.error):
                told = {"Error": failed.error, **({} if failed.cause is None else {"Cause": failed.cause})}
                output = self._caught(visit, catcher, told)
                self._leave(visit, output, str(catcher["Next"]))
                return
        self._end(failed)

    def _caught(self, visit: Visit, catcher: Mapping[str, Any], told: dict[str, Any]) -> Any:
        if self._is_jsonata(visit):
            return self._jsonata(visit, catcher.get("Output", told), errorOutput=told)
        return with_result(catcher.get("ResultPath", "$"), visit.given, told)


def stands_for(names: list[str], error: str) -> bool:
    """
    Say whether an ErrorEquals stands for an *error*.

    Notes
    -----
    Source: AWS docs, "Error names" (verified): States.ALL stands for every known error, and neither for States.Runtime
    nor States.DataLimitExceeded; States.TaskFailed for every one but States.Timeout; States.Timeout also for a missed
    heartbeat.

    Examples
    --------
    >>> stands_for(["States.TaskFailed"], "ECS.ServerException"), stands_for(["States.TaskFailed"], "States.Timeout")
    (True, False)
    >>> stands_for(["States.ALL"], "States.Timeout"), stands_for(["States.ALL"], "States.Runtime")
    (True, False)
    >>> stands_for(["States.Timeout"], "States.HeartbeatTimeout")
    True
    """
    if error in names:
        return True
    if error in _TERMINAL:
        return False
    if "States.Timeout" in names and error in _TIMEOUTS:
        return True
    return "States.ALL" in names or ("States.TaskFailed" in names and error not in _TIMEOUTS)


def pause(retrier: Mapping[str, Any], retry: int, key: str) -> float:
    """
    Return how many seconds to wait before a retry; with jitter, a part of them that only *key* decides.

    Parameters
    ----------
    retry
        From 1.

    Examples
    --------
    >>> [pause({"IntervalSeconds": 3, "BackoffRate": 2, "MaxDelaySeconds": 10}, retry, "") for retry in (1, 2, 3)]
    [3.0, 6.0, 10.0]
    >>> 0 <= pause({"IntervalSeconds": 3, "JitterStrategy": "FULL"}, 1, "a") < 3
    True
    """
    whole = float(retrier.get("IntervalSeconds", _INTERVAL)) * float(retrier.get("BackoffRate", _BACKOFF)) ** (
        retry - 1
    )
    whole = min(whole, float(retrier.get("MaxDelaySeconds", whole)))
    if retrier.get("JitterStrategy") == "FULL":
        whole *= zlib.crc32(f"{key} {retry}".encode()) / 2**32
    return round(whole, 3)


def _input(value: Any) -> dict[str, Any]:
    return {"input": _text(value), "inputDetails": {"truncated": False}}


def _output(value: Any) -> dict[str, Any]:
    return {"output": _text(value), "outputDetails": {"truncated": False}}


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
