"""
Which firing of its schedule each RunTask call of a row was, and which firings had none. Nothing here asks AWS.

What counts as what:

*due*
    By the expression that the row had then, in its zone; within a change, a start or an end it is not sure, and a rate
    has the phase that its runs show. A rule that waits for events is never due.
*on time*
    Within the minute, or within the flexible time window ("runs within that minute": AWS docs; a flexible window
    begins at the time of the schedule: botocore scheduler). A rate is given a quarter of its interval, ten minutes at
    most, either way, since its phase is only seen.
*late*
    A call after that, but within the retry policy's MaximumEventAgeInSeconds, 24 hours if it has none: EventBridge
    tries again until then. It counts for the last firing before it that nothing has answered yet; one that was tried
    and refused comes first.
*one firing*
    As many tasks as the target's count, in one call or several; a call that was refused, and the one after it that was
    not, are tries of one firing.
*missed*
    Due, and nothing seen: no call, no task, no dead letter. Only where CloudTrail must have written it down by now.
*again*
    More tasks than one firing starts, within a minute of the call that answered it. Where firings are closer together
    than a quarter of an hour, such a call may as well be the retry of one before that had no answer, and counts as
    that. A call at another time that answers nothing is no duplicate for certain, but a retry of a firing before the
    range, or somebody's own, unless all such firings are known.
*an execution*
    Of a state machine that may run its task again: all its tries are one run, which is what its last try is. Where its
    input tells which firing started it, that is known; a second one that ran a task for the same firing is *again*.
    One that found the task running already, and ran none, is *skipped*, which is not missed.
*doubtful*
    A call that can be of several rows, because their startedBy is cut alike or a refusal says no more than the role.
    Where as many such calls came as firings were due, all of one kind, each has one. Else nothing is said of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ecs_runbook.evidence.dead_letters import Letter
from ecs_runbook.evidence.runs import Run
from ecs_runbook.firing.calls import Call
from ecs_runbook.firing.histories import RUNNING, Execution
from ecs_runbook.firing.tasks import Task
from ecs_runbook.inventory.changes import Span
from ecs_runbook.inventory.due import MINUTE, interval, moments
from ecs_runbook.inventory.model import Row

SKEW = timedelta(seconds=10)
"""As much before its time a call may be by another clock; our choice."""
GRACE = timedelta(minutes=1)
"""As much after its minute a call still counts as on time: RunTask itself takes a while; our choice."""
OLDEST = timedelta(hours=24)
"""MaximumEventAgeInSeconds if a target does not say (AWS docs, EventBridge and Scheduler retry policies)."""
_WIDEST = timedelta(minutes=10)
_APART = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKED_AT = 500


@dataclass(frozen=True)
class Window:
    """
    The range that is looked at.

    Attributes
    ----------
    since, until
        Aware; *until* is the present.
    told
        Until when CloudTrail must have written down what happened.
    """

    since: datetime
    until: datetime
    told: datetime


@dataclass(slots=True, eq=False)
class Attempt:
    """
    One RunTask call, the tasks of one of which only ECS tells, or one execution of a state machine with all its tries.

    Attributes
    ----------
    time
        When it was made; when the execution began.
    runs
        Its tasks, its failures, or its refusal; of an execution those of all tries, one after another.
    call
        Its record, where it failed and no newer one of the row says the same.
    tasks
        Those of its tasks that ended badly, as ECS describes them.
    certain
        Whether it is this row's for certain.
    due
        The firing that it is a try of; None if it is of none that is known.
    execution
        The execution that it is; None if it is none.
    """

    time: datetime | None
    runs: list[Run]
    call: Call | None = None
    tasks: list[Task] = field(default_factory=list)
    certain: bool = True
    due: datetime | None = None
    execution: Execution | None = None

    @property
    def placed(self) -> int:
        """How many tasks it started; an execution that is over, in its last try."""
        counted = self.runs if self.under_way else self.last
        return sum(run.ran for run in counted)

    @property
    def silent(self) -> bool:
        """Whether it is enough for a firing though its tasks are not to be counted: that may not be told."""
        if self.execution is not None:
            return self.skipped or self.placed > 0
        return any(run.ran and not run.task for run in self.runs)

    @property
    def last(self) -> list[Run]:
        """The runs of its last try, which decides."""
        number = max((run.attempt for run in self.runs), default=0)
        return [run for run in self.runs if run.attempt == number]

    @property
    def skipped(self) -> bool:
        """Whether it is an execution that found the task running, and ran none."""
        return self.execution is not None and self.execution.skipped

    @property
    def under_way(self) -> bool:
        """Whether it is an execution that is not over: it may try again."""
        return self.execution is not None and self.execution.status == RUNNING

    @property
    def scheduled(self) -> datetime | None:
        """The firing that its execution's input names."""
        return self.execution.scheduled if self.execution is not None else None


@dataclass(slots=True, eq=False)
class Firing:
    """
    One firing that was due.

    Attributes
    ----------
    due
        When.
    sure
        Whether it was due for certain.
    attempts
        The tries of it that were seen.
    letters
        Its dead letters.
    doubts
        Calls that may be tries of it, or of another row.
    more
        Calls that started tasks when it was answered already.
    """

    due: datetime
    sure: bool = True
    attempts: list[Attempt] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    doubts: list[Attempt] = field(default_factory=list)
    more: list[Attempt] = field(default_factory=list)

    @property
    def placed(self) -> int:
        """How many tasks were started for it."""
        return sum(attempt.placed for attempt in (*self.attempts, *self.more))

    @property
    def under_way(self) -> bool:
        """Whether an execution for it is not over."""
        return any(attempt.under_way for attempt in (*self.attempts, *self.more))

    def answered(self, count: int) -> bool:
        """Say whether as many tasks were started as it starts."""
        return self.placed >= count or any(attempt.silent for attempt in self.attempts)


@dataclass(slots=True)
class History:
    """
    What became of the firings of one row.

    Attributes
    ----------
    ran
        How many firings were answered in full.
    missed
        Those of which nothing was seen.
    unplaced
        How many more were due of which nothing was seen, at times that are not known: of a rate without any run.
    refused
        Those that were tried, or given up into the dead-letter queue, and started nothing.
    partly
        Those that started fewer tasks than the target's count.
    late
        Those that a later try answered.
    skipped
        Those of which the state machine found the task running already, so that it ran none.
    again
        Those that started more tasks than the target's count.
    doubtful
        Those that a call may have answered which may be another row's.
    not_due
        Calls that started something though nothing was due, and no retry can be meant.
    waiting
        Those of which nothing is known yet.
    unjudged
        How many more would have been due, had the row been on, of which it is not known whether it was.
    attempts
        All that is the row's for certain, oldest first, and what is counted as its own.
    others
        All that may be the row's, or another's.
    drills
        How many drills of it were seen.
    judged_from
        From when on firings are judged, if that is later than the range: there were too many before.
    """

    ran: int = 0
    missed: list[Firing] = field(default_factory=list)
    unplaced: int = 0
    refused: list[Firing] = field(default_factory=list)
    partly: list[Firing] = field(default_factory=list)
    late: list[Firing] = field(default_factory=list)
    skipped: list[Firing] = field(default_factory=list)
    again: list[Firing] = field(default_factory=list)
    doubtful: list[Firing] = field(default_factory=list)
    not_due: list[Attempt] = field(default_factory=list)
    waiting: list[Firing] = field(default_factory=list)
    unjudged: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    others: list[Attempt] = field(default_factory=list)
    drills: int = 0
    judged_from: datetime | None = None

    @property
    def due(self) -> int:
        """How many firings were due and can be judged."""
        apart = (self.missed, self.refused, self.partly, self.doubtful, self.skipped)
        return self.ran + self.unplaced + sum(map(len, apart))

    @property
    def strange(self) -> bool:
        """Whether anything is to be explained by a change of the row: something missing, or something too much."""
        return bool(self.missed or self.unplaced or self.not_due or self.unjudged)


@dataclass(slots=True)
class Matched:
    """The firings of a row with the attempts at each, and what is left."""

    row: Row
    firings: list[Firing]
    reach: tuple[timedelta, timedelta]
    unplaced: int = 0
    unjudged: int = 0
    left: list[Attempt] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    others: list[Attempt] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)

    def open(self, since: datetime, until: datetime) -> list[Firing]:
        """Return the firings from *since* to *until* that are not answered."""
        some = self.firings[bisect_left(self.times, since) : bisect_right(self.times, until)]
        return [one for one in some if not one.answered(self.row.request.count)]


def oldest(row: Row) -> timedelta:
    """
    Return for how long after its time a firing of *row* may be tried again.

    Source: AWS docs, EventBridge retry policy: 24 hours unless the target says less (verified).
    """
    told = (row.retry or {}).get("MaximumEventAgeInSeconds")
    return timedelta(seconds=told) if isinstance(told, int) else OLDEST


def reach(row: Row, expression: str) -> tuple[timedelta, timedelta]:
    """Return how long before and after its time a call counts as on time."""
    flexible = timedelta(minutes=row.flexible)
    every = interval(expression)
    if every is None:
        return timedelta(), MINUTE + flexible
    wide = min(every / 4, _WIDEST) if every > MINUTE else timedelta()
    return wide, max(wide, MINUTE) + flexible


def match(row: Row, attempts: Iterable[Attempt], spans: Sequence[Span], window: Window) -> Matched:
    """
    Say which firing of *row* each of *attempts* was.

    Parameters
    ----------
    row
        The row.
    attempts
        Its own for certain.
    spans
        When it was on, from :func:`~ecs_runbook.inventory.changes.spans`.
    window
        The range.
    """
    own = sorted((one for one in attempts if one.time is not None), key=lambda one: one.time or _EPOCH)
    matched = Matched(row, [], reach(row, row.owner.expression), attempts=own)
    for span in spans:
        _enter(span, row, own, window, matched)
    matched.firings.sort(key=lambda one: one.due)
    matched.times = [one.due for one in matched.firings]
    for attempt in own:
        attempt.due = None
    left = _on_time(matched, _named(matched, own))
    left = _ahead(matched, left)
    matched.left = _late(matched, left)
    return matched


def _enter(span: Span, row: Row, own: Sequence[Attempt], window: Window, matched: Matched) -> None:
    """Enter what was due in *span*."""
    every, (lead, trail) = interval(span.expression), reach(row, span.expression)
    if every is not None:
        start, end = max(span.start, row.starts or span.start), min(span.end, row.ends or span.end)
        span = replace(span, start=start, end=end, sure_from=max(span.sure_from, start), sure_to=min(span.sure_to, end))
        if end <= start:
            return
    within = [one for one in own if one.time is not None and span.start - lead <= one.time <= span.end + trail]
    if every is None:
        due = [Firing(when, sure) for when, sure in moments(row, span.start, span.end, span.expression)]
    elif (phase := _phase(row, within, every)) is not None:
        first = span.start + (phase - span.start) % every
        due = [Firing(first + turn * every) for turn in range(max(0, (span.end - first) // every + 1))]
    elif span.known:
        length = min(span.sure_to, window.told) - span.sure_from - (trail - MINUTE) - 2 * MINUTE
        matched.unplaced += max(0, length // every)
        return
    else:
        return
    if not span.known:
        seen = _from_the_first_seen(due, within, (lead, trail))
        matched.unjudged += len(due) - len(seen)
        due = seen
    for firing in due:
        firing.sure = firing.sure and span.sure_from <= firing.due <= span.sure_to - (trail - MINUTE)
    matched.firings += due


def _phase(row: Row, seen: Sequence[Attempt], every: timedelta) -> datetime | None:
    """Return a moment at which a rate was due: by most of its runs; by its start if there are none; else None."""
    times = [one.time for one in seen[:_LOOKED_AT] if one.time is not None]
    if not times:
        return row.starts
    minutes = [(time - _EPOCH) // MINUTE for time in times]
    turn = every // MINUTE
    counted = Counter(minute % turn for minute in minutes)

    def near(phase: int) -> int:
        return sum(count for other, count in counted.items() if (other - phase) % turn <= row.flexible)

    best = max(counted, key=lambda phase: (near(phase), counted[phase], -minutes.index(_of(phase, minutes, turn))))
    return _EPOCH + best * MINUTE


def _of(phase: int, minutes: Sequence[int], turn: int) -> int:
    return next(minute for minute in minutes if minute % turn == phase)


def _from_the_first_seen(
    due: Sequence[Firing], seen: Sequence[Attempt], wide: tuple[timedelta, timedelta]
) -> list[Firing]:
    lead, trail = wide
    times = [one.due for one in due]
    for attempt in seen:
        if attempt.time is None:
            continue
        place = bisect_right(times, attempt.time + lead) - 1
        if place >= 0 and attempt.time < times[place] + trail:
            return list(due[place:])
    return []


def _named(matched: Matched, own: Iterable[Attempt]) -> list[Attempt]:
    """Give each execution to the firing that its input names; return the others."""
    left = []
    for attempt in own:
        time = attempt.scheduled
        if time is None:
            left.append(attempt)
            continue
        place = bisect_right(matched.times, time + MINUTE) - 1
        firing = matched.firings[place] if place >= 0 and time - matched.times[place] <= MINUTE else None
        if firing is None:
            continue  # of a firing before the range, or when it had another expression
        attempt.due = firing.due
        (firing.more if firing.answered(matched.row.request.count) else firing.attempts).append(attempt)
    return left


def _on_time(matched: Matched, own: Iterable[Attempt]) -> list[Attempt]:
    """Give each attempt to the earliest open firing that it is on time for; return the others."""
    times, (lead, trail) = matched.times, matched.reach
    count, left = matched.row.request.count, []
    for attempt in own:
        time = attempt.time or _EPOCH
        some = matched.firings[bisect_left(times, time - trail) : bisect_right(times, time + lead)]
        some = [one for one in some if time < one.due + trail]
        firing = next((one for one in some if not one.answered(count)), None)
        if firing is None and some and not attempt.placed:
            firing = some[-1]  # refused once more though it ran: nobody is harmed
        twice = next((one for one in some if _at_once(one, attempt)), None) if firing is None else None
        if firing is not None:
            _give(firing, attempt)
        elif twice is not None and _is_alone(matched, twice):
            twice.more.append(attempt)
            attempt.due = twice.due
        else:
            left.append(attempt)
    return left


def _at_once(firing: Firing, attempt: Attempt) -> bool:
    """Say whether an attempt came within a minute of one that answered *firing*."""
    times = [one.time for one in firing.attempts if one.placed]
    return any(one and attempt.time and abs(attempt.time - one) <= MINUTE for one in times)


def _is_alone(matched: Matched, firing: Firing) -> bool:
    """Say whether no other firing was due shortly before, of which a call then could be a retry by chance."""
    place = bisect_left(matched.times, firing.due)
    return place == 0 or firing.due - matched.times[place - 1] >= _APART


def _ahead(matched: Matched, attempts: Iterable[Attempt]) -> list[Attempt]:
    """Give each attempt to an open firing whose time is a few seconds later, by another clock; return the others."""
    left = []
    for attempt in attempts:
        time = attempt.time or _EPOCH
        some = matched.open(time, time + SKEW)
        if some:
            _give(some[0], attempt)
        else:
            left.append(attempt)
    return left


def _late(matched: Matched, attempts: Iterable[Attempt]) -> list[Attempt]:
    """Give each attempt to the last open firing before it that it may be a retry of; return the others."""
    age = oldest(matched.row) + matched.reach[1]
    left = []
    for attempt in attempts:
        time = attempt.time or _EPOCH
        some = matched.open(time - age, time)
        tried = [one for one in some if one.attempts]
        if some:
            _give((tried or some)[-1], attempt)
        else:
            left.append(attempt)
    return left


def _give(firing: Firing, attempt: Attempt) -> None:
    firing.attempts.append(attempt)
    attempt.due = firing.due


# -------- what may be of several rows


def share(
    doubtful: Iterable[tuple[Attempt, Sequence[Matched]]], outside: Iterable[tuple[Attempt, Sequence[Matched]]] = ()
) -> None:
    """
    Give calls that may be of several rows to their firings, where their number leaves no choice.

    Parameters
    ----------
    doubtful
        Each call, with the rows that it can be of.
    outside
        Those that can also be of what is no row: their number says nothing.
    """
    groups: dict[tuple[int, ...], list[Attempt]] = defaultdict(list)
    firings: dict[int, Firing] = {}
    rest: list[tuple[Attempt, Sequence[Matched]]] = []
    for attempt, several in doubtful:
        wanting = _wanting(attempt, several)
        firings |= {id(one): one for one in wanting}
        if wanting:
            groups[tuple(sorted(id(one) for one in wanting))].append(attempt)
        else:
            rest.append((attempt, several))
    for key, attempts in groups.items():
        _share(attempts, [firings[one] for one in key if not firings[one].placed])
    for attempt, several in outside:
        wanting = _wanting(attempt, several)
        for firing in wanting:
            firing.doubts.append(attempt)
        if not wanting:
            rest.append((attempt, several))
    for attempt, several in rest:
        time = attempt.time or _EPOCH
        for matched in several if attempt.placed else ():
            if some := matched.open(time - oldest(matched.row) - matched.reach[1], time):
                some[-1].doubts.append(attempt)


def _wanting(attempt: Attempt, several: Sequence[Matched]) -> list[Firing]:
    """Return the firings that wait for a call at that time."""
    for matched in several:
        matched.others.append(attempt)
    return [one for matched in several for one in _around(matched, attempt.time or _EPOCH)]


def _around(matched: Matched, time: datetime) -> list[Firing]:
    lead, trail = matched.reach
    return [one for one in matched.open(time - trail - GRACE, time + max(lead, SKEW)) if not one.placed]


def _share(attempts: Sequence[Attempt], wanting: Sequence[Firing]) -> None:
    accepted = [one for one in attempts if one.placed]
    refused = [one for one in attempts if not one.placed]
    of_one_kind = accepted if len(accepted) >= len(wanting) else refused if not accepted else []
    if wanting and len(of_one_kind) >= len(wanting):
        for number, firing in enumerate(wanting):
            _give(firing, of_one_kind[number])
        return
    for firing in wanting:
        firing.doubts += attempts


# -------- dead letters


def add_letters(several: Sequence[Matched], letters: Iterable[Letter]) -> None:
    """
    Give dead letters of one owner to the firings of its rows.

    A letter does not say which of several targets it is of: they are given where there are as many as open firings.
    """
    by_due: dict[datetime, list[Letter]] = defaultdict(list)
    for letter in letters:
        if letter.time is not None:
            by_due[letter.time.replace(second=0, microsecond=0)].append(letter)
    for minute, some in by_due.items():
        wanting = [one for matched in several for one in matched.open(minute - MINUTE, minute + MINUTE)]
        if len(several) == 1 or len(some) >= len(wanting):
            for number, firing in enumerate(wanting):
                firing.letters.append(some[min(number, len(some) - 1)])


# -------- what comes of it


def history(matched: Matched, spans: Sequence[Span], window: Window) -> History:
    """Return what became of each firing."""
    found = History(unplaced=matched.unplaced, unjudged=matched.unjudged, others=matched.others)
    count, (_, trail) = matched.row.request.count, matched.reach
    for firing in matched.firings:
        _sort(firing, count, trail, window, found)
    _too_much(matched, spans, found)
    counted = [one for firing in matched.firings for one in firing.attempts if not one.certain]
    found.attempts = sorted([*matched.attempts, *counted], key=lambda one: one.time or _EPOCH)
    return found


def _sort(firing: Firing, count: int, trail: timedelta, window: Window, found: History) -> None:
    tried = (*firing.attempts, *firing.more)
    if firing.answered(count) and not firing.placed and all(one.skipped for one in tried):
        found.skipped.append(firing)
    elif firing.answered(count):
        found.ran += 1
        first = next(one.time for one in tried if one.placed)
        if first is not None and first >= firing.due + trail + GRACE:
            found.late.append(firing)
    elif firing.under_way:
        found.waiting.append(firing)
    elif firing.doubts:
        found.doubtful.append(firing)
    elif firing.placed:
        found.partly.append(firing)
    elif firing.attempts or firing.letters:
        found.refused.append(firing)
    elif firing.due + trail > window.told:
        found.waiting.append(firing)
    elif firing.sure:
        found.missed.append(firing)


def _too_much(matched: Matched, spans: Sequence[Span], found: History) -> None:
    """Sort what answers no firing: more tasks than it starts, or a call at a time at which nothing was due."""
    row, times = matched.row, matched.times
    if row.through or row.pattern or row.kind == "event rule":
        # others may start the state machine, and events the rule, unless an execution tells why it was started
        found.again = [firing for firing in matched.firings if _ran_again(firing)]
        return
    lead, trail = matched.reach
    again = {firing.due: firing for firing in matched.firings if firing.more}
    for attempt in matched.left:
        time = attempt.time or _EPOCH
        if not attempt.placed:
            continue
        place = bisect_right(times, time + lead) - 1
        firing = matched.firings[place] if place >= 0 and time < times[place] + trail else None
        if firing is not None and interval(row.owner.expression) != MINUTE:
            firing.more.append(attempt)
            attempt.due = firing.due
            again[firing.due] = firing
        elif any(span.known and span.sure_from + oldest(row) + trail <= time <= span.sure_to for span in spans):
            found.not_due.append(attempt)
    found.again = [again[due] for due in sorted(again)]


def _ran_again(firing: Firing) -> bool:
    """Say whether several executions ran their task for one firing that each of them names."""
    return sum(one.placed > 0 and one.scheduled is not None for one in (*firing.attempts, *firing.more)) > 1
