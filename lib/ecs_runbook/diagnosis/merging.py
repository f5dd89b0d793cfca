"""One failure that several sources tell of is one: a task by its ARN, a refusal by its owner, words and time."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ecs_runbook.diagnosis.explain import Explanation, explain
from ecs_runbook.diagnosis.sighting import STEP_FUNCTIONS, Essentials, Sighting, of_try, sightings
from ecs_runbook.evidence.attribution import AMBIGUOUS
from ecs_runbook.evidence.dead_letters import Letter
from ecs_runbook.evidence.runs import FROM_ECS, FROM_MACHINE, FROM_TRAIL, hidden
from ecs_runbook.firing.asking import DENIED
from ecs_runbook.firing.calls import Call
from ecs_runbook.firing.histories import RUNNING, SUCCEEDED, Execution
from ecs_runbook.firing.starts import Start
from ecs_runbook.firing.tasks import Task

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_SLACK = timedelta(minutes=1)
_AT_ONCE = timedelta(minutes=15)
_LONGEST_RETRY = timedelta(hours=24)
_SHORTEST_WORDS = 10
_DENIED_IN_DLQ = frozenset({"NO_PERMISSIONS", *DENIED})
_SESSION = re.compile(r"\b[0-9a-f]{32}\b")
_ACTION = re.compile(r"to perform: ([\w:]+)")


@dataclass
class Failure:
    """
    One failure in the making.

    Attributes
    ----------
    time
        When it was started, or should have been.
    subject
        Whose it is; ``ambiguous: a or b`` if that cannot be told.
    told_by
        The sources, in the order in which they are asked.
    explained
        What each of them says, explained; the first is the best.
    attempts
        How often it was tried, as far as is known; 0 for a try that is counted with another one.
    task
        ARN of the task, if there was one.
    cluster, role
        As far as they are known.
    run, mended
        The execution that it was an attempt of, if a state machine runs the task, and whether a later attempt of that
        went well.
    """

    time: datetime | None
    subject: str
    told_by: list[str]
    explained: list[Explanation]
    attempts: int = 1
    task: str = ""
    cluster: str = ""
    role: str = ""
    code: str = field(default="", repr=False)
    message: str = field(default="", repr=False)
    run: str = ""
    mended: bool = False

    @property
    def best(self) -> Explanation:
        """The explanation that knows most: the first that is known, a dead letter's only if there is no other."""
        return min(self.explained, key=lambda one: (not one.known, one.seen.told_by.startswith("DLQ")))

    @property
    def said(self) -> str:
        """The code and the words, as AWS said them; and the exit code, where there is one."""
        seen = self.best.seen
        words = ": ".join(part for part in (seen.code, seen.message) if part) or "nothing was said"
        code = str(seen.facts.get("exit_code") or "")
        return f"{words} (exit code {code})" if code else words

    def base(self) -> list[str]:
        """Return the rules or schedules that it can belong to, without a drill's or a retry's mark."""
        return [one.partition(" (")[0] for one in self.subject.removeprefix(AMBIGUOUS).split(" or ")]


Known = Callable[[str, str], Mapping[str, Any]]


def _nothing_known(whose: str, role: str) -> Mapping[str, Any]:
    del whose, role
    return {}


def merge(
    of_tasks: Iterable[tuple[Task, str]],
    of_calls: Iterable[tuple[Call, str]],
    of_letters: Iterable[tuple[Letter, str]],
    known: Known = _nothing_known,
    *,
    of_executions: Iterable[tuple[Execution, str]] = (),
    of_starts: Iterable[tuple[Start, str]] = (),
) -> list[Failure]:
    """
    Return every failure once, oldest first.

    Parameters
    ----------
    of_tasks, of_calls, of_letters
        What ECS, CloudTrail and the dead-letter queues hold, and whose each is. What ended well gives nothing.
    known
        Given whose a failure is, and the role if that is known: what is known of it besides, for the explanation.
    of_executions, of_starts
        What Step Functions tells of a state machine's executions, and CloudTrail of starts that were refused.
    """
    tasks, calls = list(of_tasks), list(of_calls)
    by_task = {failure.task: failure for failure in _of_tasks(tasks, known)}
    for call, _ in calls:
        for placed in call.tasks:
            if (failure := by_task.get(placed.arn)) is not None and FROM_TRAIL not in failure.told_by:
                failure.told_by.append(FROM_TRAIL)
                failure.role = call.role
    refused = [*_of_calls(calls, known), *_of_starts(of_starts, known)]
    lost = _of_letters(list(of_letters), refused, known)
    first = [one for one in refused if one.attempts]
    tried = [one for execution, whose in of_executions for one in _of_execution(execution, whose, known)]
    return sorted([*by_task.values(), *first, *lost, *tried], key=lambda one: one.time or _LONG_AGO)


def failed(task: Task) -> bool:
    """
    Say whether a stopped task is a failure: its exit code is not 0, it never ran, or something else stopped it.

    Examples
    --------
    >>> from ecs_runbook.firing.tasks import read_task
    >>> failed(read_task({"lastStatus": "STOPPED", "containers": [{"name": "main", "exitCode": 3}]}))
    True
    >>> failed(read_task({"lastStatus": "RUNNING", "containers": [{"name": "main"}]}))
    False
    """
    return task.status == "STOPPED" and not task.ended_well


def _of_tasks(tasks: Sequence[tuple[Task, str]], known: Known) -> list[Failure]:
    bad = {task.arn: (task, whose) for task, whose in tasks if failed(task)}
    found = []
    for task, whose in bad.values():
        essential = {} if task.essential is None else {task.definition: task.essential}
        one = _explained(_seen(task.raw, FROM_ECS, task.created, *_stop(task), essential), known(whose, ""))
        when = task.created or one[0].seen.time
        found.append(Failure(when, whose, [FROM_ECS], one, task=task.arn, cluster=task.cluster))
    return found


def _stop(task: Task) -> tuple[str, str]:
    return str(task.raw.get("stopCode") or ""), task.error or f"exit code {task.exit_code}"


def _of_calls(calls: Sequence[tuple[Call, str]], known: Known) -> list[Failure]:
    """Return a failure for each refusal, and for each entry of ``failures[]``."""
    return [
        Failure(
            call.time,
            whose,
            [FROM_TRAIL],
            _explained([sighting], known(whose, call.role)),
            cluster=call.cluster,
            role=call.role,
            code=call.error_code,
            message=call.error_message,
        )
        for call, whose in calls
        if call.refused or call.failures
        for sighting in _seen(call.raw, FROM_TRAIL, call.time, call.error_code, call.error_message or _reasons(call))
    ]


def _of_starts(starts: Iterable[tuple[Start, str]], known: Known) -> list[Failure]:
    return [
        Failure(
            start.time,
            whose,
            [FROM_TRAIL],
            _explained(
                _seen(start.raw, FROM_TRAIL, start.time, start.error_code, start.error_message),
                known(whose, start.role),
            ),
            role=start.role,
            code=start.error_code,
            message=start.error_message,
        )
        for start, whose in starts
    ]


def _of_execution(execution: Execution, whose: str, known: Known) -> list[Failure]:
    """
    Return a failure for each try that failed, or one of the execution, if it failed without having tried.

    Of one that is not over nothing is said yet: a later try may go well.
    """
    if execution.status == RUNNING:
        return []
    role, good = execution.role, [one.number for one in execution.tries if one.ended_well]
    if not execution.tries and execution.status != SUCCEEDED:
        words = execution.cause or f"the execution is {execution.status}"
        whole = Sighting(STEP_FUNCTIONS, execution.stopped, execution.error, words, {}, hidden(execution.raw))
        explained = _explained([whole], known(whose, role))
        return [Failure(execution.started, whose, [FROM_MACHINE], explained, role=role, run=execution.name)]
    return [
        Failure(
            one.started,
            whose,
            [FROM_MACHINE],
            _explained(seen, known(whose, role)),
            task=one.task,
            role=role,
            code=one.error,
            message=one.cause,
            run=execution.name,
            mended=any(number > one.number for number in good),
        )
        for one in execution.tries
        if (seen := of_try(one, execution))
    ]


def _reasons(call: Call) -> str:
    return "; ".join(str(failure) for failure in call.failures)


def _of_letters(letters: Sequence[tuple[Letter, str]], refused: Sequence[Failure], known: Known) -> list[Failure]:
    """Return the dead letters that no refusal tells of; the others are written to the refusals that they belong to."""
    shelf = _Shelf(refused)
    alone = []
    for letter, whose in sorted(letters, key=lambda one: one[0].time or _LONG_AGO):
        seen = _seen(letter.raw, _dlq(letter), letter.time, letter.code, letter.message)
        one = _explained(seen, known(whose, ""))
        told_by = one[0].seen.told_by
        mine = shelf.take(letter, whose, one)
        if mine is None:
            tries = (letter.attempts or 0) + 1
            alone.append(
                Failure(letter.time, whose, [told_by], one, attempts=tries, code=letter.code, message=letter.message)
            )
            continue
        mine.subject = whose
        mine.told_by.insert(0, told_by)
        mine.explained += one
    return alone


def _dlq(letter: Letter) -> str:
    return "DLQ of Scheduler" if ":scheduler:" in letter.sender else "DLQ of a rule"


class _Shelf:
    """The refusals of CloudTrail, to be taken from by the dead letters that tell of the same."""

    def __init__(self, refused: Sequence[Failure]) -> None:
        self._refused: dict[str, list[Failure]] = defaultdict(list)
        for failure in sorted(refused, key=lambda one: one.time or _LONG_AGO):
            for name in failure.base():
                self._refused[name].append(failure)
        self._times = {name: [one.time or _LONG_AGO for one in some] for name, some in self._refused.items()}
        self._used: set[int] = set()

    def take(self, letter: Letter, whose: str, explained: Sequence[Explanation]) -> Failure | None:
        """
        Return the first refusal that *letter* tells of; the others, of its retries, are written to that one.

        Notes
        -----
        A letter carries the time of its event, and how often it was tried again: as many refusals and one more are its
        own, the nearest after that time.
        """
        name = whose.partition(" (")[0]
        some, times = self._refused.get(name, []), self._times.get(name, [])
        if letter.time is None:
            return None
        tries = (letter.attempts or 0) + 1
        first: Failure | None = None
        place = bisect_left(times, letter.time - _SLACK)
        while tries and place < len(some) and times[place] <= _end(letter):
            failure = some[place]
            place += 1
            if id(failure) in self._used or not _same(letter, explained, failure):
                continue
            self._used.add(id(failure))
            tries -= 1
            if first is None:
                first = failure
            else:
                first.attempts += 1
                failure.attempts = 0
        if first is not None:
            first.attempts = max(first.attempts, (letter.attempts or 0) + 1)
        return first


def _end(letter: Letter) -> datetime:
    """Return until when a refusal can be one of the tries that *letter* tells of."""
    time = letter.time or _LONG_AGO
    if letter.sent is not None and time <= letter.sent <= time + _LONGEST_RETRY + _SLACK:
        return letter.sent + _SLACK
    return time + (_LONGEST_RETRY if letter.attempts else _AT_ONCE)


def _same(letter: Letter, explained: Sequence[Explanation], refusal: Failure) -> bool:
    """Say whether a dead letter and a refusal can be of the same call: the same words, the same cause, or the like."""
    mine, other = _squeezed(letter.message), _squeezed(refusal.message or refusal.best.seen.message)
    short, long = sorted((mine, other), key=len)
    if len(short) >= _SHORTEST_WORDS and short in long:
        return True
    actions = [found.group(1) for words in (mine, other) if (found := _ACTION.search(words))]
    if len(set(actions)) > 1:
        return False
    causes = {one.cause for one in explained if one.known}
    if refusal.best.known and refusal.best.cause in causes:
        return True
    if letter.code in _DENIED_IN_DLQ and refusal.code in DENIED:
        return True
    return not short and letter.code == refusal.code != ""


def _squeezed(words: str) -> str:
    return _SESSION.sub("*", " ".join(words.split()))


def _seen(
    raw: Any, told_by: str, time: datetime | None, code: str, message: str, essential: Essentials | None = None
) -> list[Sighting]:
    """Return what a record says; where the reader of sightings sees nothing in what did fail, it is shown as it is."""
    return sightings(raw, essential=essential) or [Sighting(told_by, time, code, message, {}, hidden(raw))]


def _explained(several: Sequence[Sighting], known: Mapping[str, Any]) -> list[Explanation]:
    return [explain(one, **known) for one in several]
