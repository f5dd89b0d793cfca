"""What happened to each row: was every firing answered, once, at the latest revision, with exit code 0, in its time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

from ecs_runbook.checks.durations import took
from ecs_runbook.checks.findings import Finding
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.checks.saying import listed, ng, ok, skip, skip_at
from ecs_runbook.diagnosis.explain import Explanation, explain
from ecs_runbook.diagnosis.merging import merge
from ecs_runbook.diagnosis.sighting import CLOUDTRAIL, Sighting
from ecs_runbook.diagnosis.values import clean
from ecs_runbook.evidence.attribution import AMBIGUOUS
from ecs_runbook.evidence.runs import (
    ABORTED_RUN,
    ACCEPTED,
    LATEST,
    STALE,
    TIMED_OUT_RUN,
    UNKNOWN,
    Run,
    hidden,
)
from ecs_runbook.firing.histories import SUCCEEDED, Execution
from ecs_runbook.inventory.firings import Attempt, Firing, History
from ecs_runbook.inventory.model import RUN_VARIABLE, Gap, Inventory, Place, Row
from ecs_runbook.inventory.runs import CHANGES, REVISIONS, TRAIL, UNREADABLE, Happened, seconds
from ecs_runbook.wanted.schedule import zone_named

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 5
"""With fewer runs before it, nothing is said of how long a run took."""
_SHOWN = 3
_LONGEST = 300
_OF_THE_TRAIL = ("runs-missed", "runs-refused", "runs-duplicate")
_OF_A_RUN = ("runs-missed", "runs-refused", "runs-succeeded")
_BUT_FOR_THE_REVISION = tuple(one for one in KINDS if one.startswith("runs-") and one != "runs-latest")
_OVER = frozenset({"STOPPED", ACCEPTED, SUCCEEDED, TIMED_OUT_RUN, ABORTED_RUN})
_MAY_BE_BEGUN = timedelta(minutes=15)


@dataclass(frozen=True)
class Seen:
    """
    What was seen of one row.

    Attributes
    ----------
    history
        What became of its firings.
    happened
        All of it, of every place.
    zone, zone_name
        The reader's.
    took
        When earlier runs of it began and how many seconds they took, oldest first.
    """

    history: History
    happened: Happened
    zone: tzinfo
    zone_name: str
    took: Sequence[tuple[datetime, float]] = ()

    def gap(self, place: Place, *subjects: str) -> Gap | None:
        """Return the first thing of *subjects* that could not be learnt."""
        return next((gap for one in subjects if (gap := self.happened.gap(place, one))), None)

    def at(self, moment: datetime | None) -> str:
        """Return a moment in the reader's zone."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}" if moment else "an unknown time"

    def times(self, moments: Iterable[datetime | None]) -> str:
        """Return several moments, the newest few of them, in the reader's zone."""
        every = list(moments)
        newest = [self.at(one) for one in every[-_SHOWN:]]
        rest = f" and {len(every) - _SHOWN} before" if len(every) > _SHOWN else ""
        return f"{', '.join(newest)} {self.zone_name}{rest}"


Look: TypeAlias = Callable[[Row, Seen], Iterator[Finding]]


def judge_happened(
    found: Inventory, happened: Happened, *, zone: str = "UTC", past: pd.DataFrame | None = None
) -> Iterator[Finding]:
    """
    Judge what happened to every row.

    Parameters
    ----------
    found
        The inventory.
    happened
        From :func:`ecs_runbook.inventory.runs.runs`.
    zone
        IANA name of the reader's time zone.
    past
        How long runs took that earlier checks saw, columns ``account``, ``region``, ``subject``, ``started_at`` and
        ``seconds``.

    Yields
    ------
    Finding
        By row, in the order of :data:`LOOKS`; then, for each place, what could not be learnt there, as SKIP. A check
        that has nothing to look at, such as a firing that was due, says nothing.

    Raises
    ------
    SpecError
        If *zone* is not an IANA time zone.
    """
    reader, earlier = zone_named(zone), took(past)
    for row in found.rows:
        history = happened.of(row)
        if history is None:
            continue
        seen = Seen(history, happened, reader, zone, earlier.get((row.place, row.subject), ()))
        blind: tuple[str, ...] = _OF_THE_TRAIL if happened.gap(row.place, TRAIL) else ()
        untold = happened.gap(row.place, row.through) if row.machine.tells else None
        if untold is not None:
            # which of its tasks are one run, and which run was to have none, only its executions tell
            yield from (skip(check, row, untold) for check in _OF_A_RUN if check not in blind)
            blind = _BUT_FOR_THE_REVISION
        for look in LOOKS:
            yield from (one for one in look(row, seen) if one.check not in blind)
    yield from _not_learnt(happened)


def _not_learnt(happened: Happened) -> Iterator[Finding]:
    for gap in happened.gaps:
        place = gap.place or Place("", "")
        if gap.subject == TRAIL:
            for check in _OF_THE_TRAIL:
                yield skip_at(check, place, place.region, gap)
        elif gap.subject == REVISIONS:
            yield skip_at("runs-latest", place, place.region, gap)
        elif gap.subject not in (CHANGES, UNREADABLE) and not gap.operation.startswith("states:"):
            yield skip_at("runs-succeeded", place, f"cluster {gap.subject}", gap)


# -------- was every firing answered


def missed(row: Row, seen: Seen) -> Iterator[Finding]:
    """``runs-missed``: it was due, and nothing was seen of it."""
    check, own = "runs-missed", seen.history
    if own.missed or own.unplaced:
        # a change of the row, or a record that cannot be read, may be all that there is to it
        gap = seen.gap(row.place, CHANGES, UNREADABLE)
        because = _missing(own, seen, row)
        if gap is not None:
            yield skip(check, row, Gap(gap.operation, f"{because}, but {gap.because}", gap.denied, row.place))
        else:
            yield ng(check, row, because, _why_missed(row))
    elif own.doubtful:
        others = _others([attempt for firing in own.doubtful for attempt in firing.doubts], row)
        because = f"whether it ran at {seen.times(one.due for one in own.doubtful)} cannot be told: "
        yield skip(check, row, f"{because}what was called then may be of {others}")
    elif own.due:
        yield ok(check, row, _all_came(own, seen))


def _missing(own: History, seen: Seen, row: Row) -> str:
    parts = []
    if own.missed:
        parts.append(f"at {seen.times(one.due for one in own.missed)}")
    if own.unplaced:
        parts.append(f"{own.unplaced} at times that are not known, since no run of it was seen")
    count = len(own.missed) + own.unplaced
    of = f"{count} of {own.due} firings" if own.due > 1 else "the only firing that was due"
    seen_of_it = "execution nor call" if row.machine.tells else "call"
    return f"{of} had neither {seen_of_it} nor task nor dead letter: {'; '.join(parts)}"


def _why_missed(row: Row) -> str:
    service = "scheduler.amazonaws.com" if row.kind == "schedule" else "events.amazonaws.com"
    role = f"the role {row.role.rpartition('/')[2]}" if row.role and not row.through else "its role"
    queue = "" if row.dead_letters else ", and it has no dead-letter queue"
    start = f", and whether that may start {row.through.rpartition(':')[2]}" if row.through else ""
    return f"Look whether {service} may assume {role}{start}: where it may not, only a dead letter tells{queue}."


def _all_came(own: History, seen: Seen) -> str:
    words = [
        "the only firing that was due left its trace"
        if own.due == 1
        else f"all {own.due} firings that were due left their trace"
    ]
    if idle := len(own.refused):
        words.append(f"{idle} of them started nothing: see runs-refused")
    if own.skipped:
        dues = seen.times(one.due for one in own.skipped)
        words.append(f"{len(own.skipped)} of them ran no task, since one ran already: due at {dues}")
    if own.late:
        words.append(f"{len(own.late)} of them came late, by a retry: due at {seen.times(one.due for one in own.late)}")
    if trying := [one for one in own.waiting if one.under_way]:
        words.append(f"{len(trying)} more, tried still: due at {seen.times(one.due for one in trying)}")
    if young := [one for one in own.waiting if not one.under_way]:
        words.append(f"CloudTrail may not have told yet of {seen.times(one.due for one in young)}")
    if own.judged_from:
        words.append(f"of its executions only the newest are read, those from {seen.times([own.judged_from])} on")
    if own.unjudged:
        words.append(f"{own.unjudged} more are not judged, since it is not known whether it was on then")
    return "; ".join(words)


def _others(attempts: Sequence[Attempt], row: Row) -> str:
    names = dict.fromkeys(run.schedule.removeprefix(AMBIGUOUS) for attempt in attempts for run in attempt.runs)
    return listed(list(names)) or row.subject


# -------- was any refused


def refused(row: Row, seen: Seen) -> Iterator[Finding]:
    """``runs-refused``: RunTask was refused, or answered without a task, or the firing was given up."""
    check, own = "runs-refused", seen.history
    firings = sorted([*own.refused, *own.partly], key=lambda one: one.due)
    loose = [one for one in own.attempts if one.due is None and _fell_short(one) and not _may_be_a_drill(one)]
    if firings or loose:
        told = _explained(row, firings, loose)
        times = sorted([*(one.due for one in firings), *(one.time or seen.happened.window.since for one in loose)])
        counted = f"{len(firings)} of {own.due} firings" if firings and own.due > 1 else _count(len(times), "start")
        because = f"{counted} came to nothing, at {seen.times(times)}: {_words(told)}"
        if own.partly:
            because += f"; of {len(own.partly)} of them some of the tasks did start"
        yield ng(check, row, because, next((one.remedy for one in told if one.remedy), ""))
    elif any(not one.placed for one in own.others):
        bad = [one for one in own.others if not one.placed]
        yield skip(check, row, f"{_count(len(bad), 'refused start')} may be its own, or of {_others(bad, row)}")
    elif own.due or own.attempts:
        tries = sum(_refused_tries(one) for one in own.attempts)
        first = f"; {_count(tries, 'try', 'tries')} before were, and a later one was not" if tries else ""
        yield ok(check, row, f"no start was refused{first}")


def _fell_short(attempt: Attempt) -> bool:
    return not (attempt.under_way or attempt.skipped) and any(not run.ran for run in attempt.last)


def _refused_tries(attempt: Attempt) -> int:
    if attempt.execution is None:
        return int(not attempt.placed)
    return 0 if attempt.skipped else len({run.attempt for run in attempt.runs if not run.ran})


def _may_be_a_drill(attempt: Attempt) -> bool:
    return any("drill" in run.schedule.rpartition(" (")[2] for run in attempt.runs)


def _explained(row: Row, firings: Sequence[Firing], loose: Sequence[Attempt]) -> list[Explanation]:
    """Return what the newest of each kind of failure means, the newest first."""
    attempts = [*(attempt for firing in firings for attempt in firing.attempts), *loose]
    calls = [(attempt.call, row.subject) for attempt in attempts if attempt.call is not None]
    letters = [(letter, row.subject) for firing in firings for letter in firing.letters]
    untold = [one for one in attempts if one.call is None]
    failures = merge([], calls, letters, lambda _subject, _role: _known(row), of_executions=_last_tries(untold, row))
    told = [one.best for one in failures]
    if not told:  # an older one that says what a newer one of another row says
        bad = [run for attempt in attempts for run in attempt.runs if not run.ran]
        told = [explain(_sighting(run), **_known(row)) for run in bad[-1:]]
    return _each_once(told)


def _last_tries(attempts: Iterable[Attempt], row: Row) -> list[tuple[Execution, str]]:
    """Return the executions among *attempts*, each with its last try alone, which decides."""
    found = [one.execution for one in attempts if one.execution is not None]
    return [(replace(one, tries=one.tries[-1:]), row.subject) for one in found]


def _each_once(told: Iterable[Explanation]) -> list[Explanation]:
    """Return the newest of each cause, the newest first; *told* is oldest first."""
    newest: dict[tuple[str, str], Explanation] = {}
    for one in list(told)[::-1]:
        newest.setdefault((one.cause, "" if one.known else one.said), one)
    return list(newest.values())


def _sighting(run: Run) -> Sighting:
    code, _, words = run.error.partition(": ")
    return Sighting(CLOUDTRAIL, run.time, code if words else "", words or code)


def _known(row: Row) -> dict[str, Any]:
    owner = {"schedule" if row.kind == "schedule" else "rule": row.owner.name}
    machine = row.through.rpartition(":")[2]
    place = {"account": row.place.account, "region": row.place.region}
    return owner | place | {"target": hidden(row.target.raw), "machine": machine}


def _words(told: Sequence[Explanation]) -> str:
    words = [
        f"{one.title if one.known else 'a cause that the catalogue does not know'} ({clean(one.said, _LONGEST)})"
        for one in told
    ]
    return "; ".join(words[:_SHOWN]) or "nobody says why"


# -------- did any run more often than it should


def duplicate(row: Row, seen: Seen) -> Iterator[Finding]:
    """``runs-duplicate``: one firing started more tasks than it should, or something ran when nothing was due."""
    check, own = "runs-duplicate", seen.history
    if own.again or own.not_due:
        parts = []
        if own.again:
            tasks = ", ".join(f"{one.placed} tasks instead of {row.request.count}" for one in own.again[-_SHOWN:])
            parts.append(f"started more than once at {seen.times(one.due for one in own.again)} ({tasks})")
        if own.not_due:
            parts.append(f"started at {seen.times(one.time for one in own.not_due)}, when nothing was due")
        gap = seen.gap(row.place, CHANGES) if own.not_due else None
        because = "; ".join(parts)
        if gap and not own.again:
            yield skip(check, row, f"{because}, but {gap}")
        elif row.request.token and not own.not_due:
            words = f"{because}; the task can tell by {RUN_VARIABLE} that both are one run"
            mend = f"See that the task ends at once where it has done the run that {RUN_VARIABLE} names."
            yield ng(check, row, words, mend, severity="note")
        else:
            skipping = "Let the state machine look first whether the task runs, and skip the firing then."
            yield ng(check, row, because, skipping if row.through and not row.machine.skips else "")
    elif own.due:
        second = sum(attempt.skipped for attempt in own.attempts) - len(own.skipped)
        rest = f"; {_count(second, 'second delivery', 'second deliveries')} ran no task, since one ran already"
        yield ok(check, row, "no firing ran more than once" + (rest if second > 0 else ""))


def overlap(row: Row, seen: Seen) -> Iterator[Finding]:
    """``runs-overlap``: a run began before the one before it had ended; one that ran twice is ``runs-duplicate``."""
    check = "runs-overlap"
    stretches = [
        (attempt.due, *one) for attempt in seen.history.attempts if attempt.certain and (one := _stretch(attempt, seen))
    ]
    known = [one for one in stretches[:-1] if one[2] is not None]
    over, reached = [], datetime.min.replace(tzinfo=UTC)
    before: tuple[datetime | None, datetime] | None = None
    for due, begin, end in stretches:
        if before is not None and begin < reached and (due is None or due != before[0]):
            over.append((begin, before[1]))
        if end is not None and end > reached:
            reached, before = end, (due, begin)
    if over:
        shown = "; ".join(f"at {seen.times([one])} while that of {seen.at(first)} ran" for one, first in over[-_SHOWN:])
        yield ng(check, row, f"{_count(len(over), 'run')} began before an earlier one had ended: {shown}")
    elif known:
        yield ok(check, row, f"{_count(len(known), 'run')} had ended before the next began")


def _stretch(attempt: Attempt, seen: Seen) -> tuple[datetime, datetime | None] | None:
    """Return when the tasks of a call began, and when the last one ended: None if that is not known."""
    tasks = [run for run in attempt.runs if run.ran]
    begun = [run.began or run.time for run in tasks]
    begin = min((one for one in begun if one is not None), default=None)
    if begin is None:
        return None
    if attempt.under_way:
        return begin, seen.happened.window.until
    ends = [_end(run, seen) for run in tasks]
    told = [one for one in ends if one is not None]
    return begin, max(told) if told else None


def _end(run: Run, seen: Seen) -> datetime | None:
    if run.ended is not None:
        return run.ended
    if run.status not in _OVER:
        return seen.happened.window.until
    place = bisect_left(seen.took, (run.time, 0.0)) if run.time is not None else len(seen.took)
    if place < len(seen.took) and run.time is not None and seen.took[place][0] - run.time < _MAY_BE_BEGUN:
        began, took = seen.took[place]
        return began + timedelta(seconds=took)
    return None


# -------- which revision ran


def latest(row: Row, seen: Seen) -> Iterator[Finding]:
    """``runs-latest``: a run took an older revision than the latest at its moment."""
    check, own = "runs-latest", seen.history
    ran = [run for attempt in own.attempts for run in attempt.runs if run.state]
    certain = [run for attempt in own.attempts if attempt.certain for run in attempt.runs if run.state]
    stale = [run for run in certain if run.state == STALE]
    unknown = [run for run in certain if run.state == UNKNOWN]
    doubtful = [run for attempt in own.others for run in attempt.runs if run.state not in ("", LATEST)]
    if stale:
        notes = [seen.happened.notes.get(run.task, "") for run in stale]
        last, note = stale[-1], f" ({notes[-1]})" if notes[-1] else ""
        words = f"revision {_revision(last)} while {last.latest} was the latest"
        young = all("eventually consistent" in one for one in notes)
        because = f"{_of(len(stale), len(ran))} took an older revision; the last, at "
        because += f"{seen.at(last.time)} {seen.zone_name}, {words}{note}"
        machine = row.through.rpartition(":")[2]
        mend = f"Let the state machine {machine} name the family without a revision, where its definition is made."
        yield ng(check, row, because, mend if machine else "", severity="note" if young else None)
    elif unknown and seen.gap(row.place, REVISIONS) is None:
        because = f"of {_of(len(unknown), len(ran))} it is not known; the last, at "
        yield skip(check, row, f"{because}{seen.at(unknown[-1].time)} {seen.zone_name}")
    elif doubtful:
        because = f"{_count(len(doubtful), 'run')} took another revision than the latest, and may be its own or of "
        yield skip(check, row, because + _others(own.others, row))
    elif ran and not unknown:
        because = f"{_all(len(ran))} took the latest revision; the last, at {seen.at(ran[-1].time)} {seen.zone_name}"
        yield ok(check, row, f"{because}, revision {_revision(ran[-1])}")


def _revision(run: Run) -> str:
    return str(run.executed.revision) if run.executed else "?"


# -------- how it ended


def succeeded(row: Row, seen: Seen) -> Iterator[Finding]:
    """``runs-succeeded``: a run ended with another exit code than 0, or never ran; explained."""
    check, own = "runs-succeeded", seen.history
    deciding = [(attempt, run) for attempt in own.attempts if not attempt.under_way for run in attempt.last]
    ended = [run for _, run in deciding if run.status in ("STOPPED", SUCCEEDED) or (run.ran and run.error)]
    bad = [run for attempt, run in deciding if attempt.certain and _bad(run)]
    if bad:
        told = _why_bad(row, own.attempts, bad)
        last = bad[-1]
        code = f"exit code {last.exit_code}" if last.exit_code is not None else "no exit code"
        again = f" after {last.attempt} attempts" if last.attempt > 1 else ""
        counted = f"{len(bad)} of {len(ended)} runs" if len(ended) > 1 else "the only run whose end is known"
        because = f"{counted} ended badly, the last of {seen.at(last.time)} {seen.zone_name} with {code}{again}: "
        because += _words(told)
        if last.status not in _OVER:
            because += f"; its task is {last.status} still"
        yield ng(check, row, because, next((one.remedy for one in told if one.remedy), ""))
    elif any(_bad(run) for attempt in own.others if not attempt.under_way for run in attempt.last):
        yield skip(check, row, f"a run ended badly that may be its own, or of {_others(own.others, row)}")
    elif ended:
        forgotten = len(_forgotten(seen))
        rest = f"; how {forgotten} more ended, ECS has forgotten" if forgotten else ""
        several = sum(run.attempt > 1 for _, run in deciding)
        tried = f"; {several} of them took more than one attempt" if several else ""
        by_token = all(run.status == SUCCEEDED for run in ended)
        how = "ended well, as the task told" if by_token else "ended with exit code 0"
        yield ok(check, row, f"{_count(len(ended), 'run')} {how}{tried}{rest}")


def _why_bad(row: Row, attempts: Sequence[Attempt], bad: Sequence[Run]) -> list[Explanation]:
    """Return why runs ended badly, the newest of each cause; of executions only what their last try says."""
    tasks = [(task, row.subject) for one in attempts if one.certain and one.execution is None for task in one.tasks]
    executions = _last_tries([one for one in attempts if one.certain and any(map(_bad, one.last))], row)
    failures = merge(tasks, [], [], lambda _subject, _role: _known(row), of_executions=executions)
    told = [one.best for one in failures]
    if not told:
        told = [explain(_sighting(run), **_known(row)) for run in bad[-1:] if run.error]
    return _each_once(told)


def end_unknown(row: Row, seen: Seen) -> Iterator[Finding]:
    """``runs-end-unknown``: ECS has forgotten how the runs ended, so that nobody knows any more."""
    check, runs = "runs-end-unknown", [run for attempt in seen.history.attempts for run in attempt.runs if run.ran]
    forgotten = _forgotten(seen)
    if forgotten and len(forgotten) == len(runs):
        because = f"how {_all(len(runs))} ended is not known any more; the last was at "
        yield ng(check, row, f"{because}{seen.at(forgotten[-1].time)} {seen.zone_name}")
    elif runs:
        rest = f", {len(forgotten)} before it ECS has forgotten" if forgotten else ""
        yield ok(check, row, f"it is known how the last run stands or ended{rest}")


def _forgotten(seen: Seen) -> list[Run]:
    """Return the runs of which nobody knows how they ended: no earlier check has seen them either."""
    runs = [run for attempt in seen.history.attempts for run in attempt.runs if run.status == ACCEPTED]
    return [run for run in runs if _end(run, seen) is None]


def _bad(run: Run) -> bool:
    return run.ran and (bool(run.error) or (run.status == "STOPPED" and run.exit_code != 0))


# -------- how long it took


def duration(row: Row, seen: Seen) -> Iterator[Finding]:
    """``runs-duration``: the last run took far longer, or far less, than those before it."""
    check = "runs-duration"
    every = [run for attempt in seen.history.attempts if attempt.certain for run in attempt.runs if run.began]
    runs = [(run, took) for run in every if (took := _took(run, seen)) is not None and not _bad(run)]
    if not runs:
        return
    run, took = runs[-1]
    own = {one.began: length for one, length in runs[:-1] if one.ended and one.began}
    before = list((dict(seen.took) | own).items())
    lengths = [length for began, length in before if run.began is not None and began < run.began]
    if len(lengths) < FEWEST:
        return
    usual = median(lengths)
    spread = 1.4826 * median(abs(length - usual) for length in lengths)
    told = f"{_long(took)}, the {len(lengths)} runs before it {_long(usual)} as a rule, {_long(min(lengths))} to "
    told += _long(max(lengths))
    still = "" if run.ended else " so far, and runs still"
    if took > max(2 * usual, usual + 4 * spread, usual + 60, max(lengths)):
        yield ng(check, row, f"the run of {seen.at(run.time)} {seen.zone_name} took {told}{still}")
    elif run.ended and took < min(usual / 4, usual - 4 * spread, usual - 60, min(lengths)):
        yield ng(check, row, f"the run of {seen.at(run.time)} {seen.zone_name} took only {told}", severity="note")
    else:
        yield ok(check, row, f"the last run took {told}{still}")


def _took(run: Run, seen: Seen) -> float | None:
    if run.ended is None and run.began is not None and run.status not in _OVER:
        return (seen.happened.window.until - run.began).total_seconds()
    return seconds(run)


def _long(length: float) -> str:
    """
    Return a number of seconds as people say it.

    Examples
    --------
    >>> [_long(one) for one in (0.4, 42, 300, 5400, 100_000)]
    ['0.4 s', '42 s', '5 min', '90 min', '27.8 h']
    """
    if length < 120:
        return f"{length:.1f} s" if length < 10 else f"{length:.0f} s"
    return f"{length / 60:.0f} min" if length < 7200 else f"{length / 3600:.1f} h"


def _count(number: int, noun: str, nouns: str = "") -> str:
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"


def _of(some: int, every: int) -> str:
    return "the only run" if every == 1 else f"{some} of {every} runs"


def _all(number: int) -> str:
    return "the only run" if number == 1 else f"all {number} runs"


LOOKS: tuple[Look, ...] = (missed, refused, duplicate, overlap, latest, succeeded, end_unknown, duration)
"""The checks of what happened to a row, in the order of the list of kinds."""
