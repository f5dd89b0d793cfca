"""The facts of any source as one table of runs, each judged at its moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from ecs_runbook.evidence.attribution import Traces
from ecs_runbook.evidence.owners import Everyone
from ecs_runbook.evidence.revisions import REVISION_COLUMNS, UNKNOWN_STATUS, Steps
from ecs_runbook.evidence.runs import (
    FROM_ECS,
    FROM_TRAIL,
    LATEST,
    RUN_COLUMNS,
    STALE,
    Run,
    judge_by,
    merge,
    row_of,
)
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.names import definition, short
from ecs_runbook.inventory.runs import seconds
from ecs_runbook.past.facts import CALL, DEREGISTERED, END, MACHINE, REGISTERED, RULE, SCHEDULE, when
from ecs_runbook.past.sources import Broken, Source, Told, Window

if TYPE_CHECKING:
    from ecs_runbook.firing.rules import Rule

PAST_COLUMNS = ["account", "region", "family", *RUN_COLUMNS, "started_at", "seconds"]
"""
Of the table; of what :func:`ecs_runbook.evidence.runs.runs` says of each column all holds here. ``started_at`` is when
its containers started, ``seconds`` how long they ran: NaT and NaN if that is not known.
"""
_NEITHER = "by a state machine"


class Key(NamedTuple):
    """A family in its account and Region."""

    account: str
    region: str
    family: str


def past_runs(
    source: Source,
    *,
    since: datetime,
    until: datetime,
    revisions: pd.DataFrame | None = None,
    known: Mapping[tuple[str, str], Sequence[Rule]] | None = None,
    progress: Bars | None = None,
) -> pd.DataFrame:
    """
    Return what was run on a schedule in a time range, by what any source tells.

    Parameters
    ----------
    source
        :class:`~ecs_runbook.past.sources.LookupEvents`, delivered log files, Athena, or an archive.
    since, until
        The range, aware.
    revisions
        What ECS says of the revisions: ``account``, ``region`` and the columns of
        :func:`~ecs_runbook.evidence.revisions.revisions`. Without it the latest one is known from the first
        registration on that the source tells of; what ran before, or where numbers are missing in between, is UNKNOWN,
        since it is never guessed.
    known
        Rules and schedules of an account and Region, to tell runs apart whose ``startedBy``, cut to 36 characters, is
        the same, and to know whose a refusal is that shows its role alone. Without it they are named by what the
        record shows.
    progress
        Where to show how far it is.

    Returns
    -------
    pandas.DataFrame
        One row per task and per refusal, columns :data:`PAST_COLUMNS`, in the order of account, Region and time. The
        same facts give the same table, byte by byte, in whatever order and however often they were delivered.

        What several sources tell of one run is one row: the call tells what was asked for and by whom, the end how it
        went. Of several ends that were told of one task, by its event and by a check that saw it, the one counts that
        knows the exit code; of several calls with one event id, the last in the order of facts. A run that was seen
        while it ran has no end yet, and gets one as soon as any source tells it.

        ``attrs``: ``asked``, who was asked and what they answered; ``broken``, what could not be read, and why;
        ``because`` an empty table may be empty; ``window``, the range; ``registered``, when each revision was
        registered, as a list of plain rows.

    Raises
    ------
    RunbookError
        If the source cannot be read at all.
    """
    told = source.facts(Window(since, until), progress)
    return table(told, Window(since, until), revisions=revisions, known=known)


def table(
    told: Told,
    window: Window,
    *,
    revisions: pd.DataFrame | None = None,
    known: Mapping[tuple[str, str], Sequence[Rule]] | None = None,
) -> pd.DataFrame:
    """Do as :func:`past_runs`, with what a source told."""
    facts = told.facts
    registered = _revisions(facts, revisions)
    steps = {key: Steps(rows) for key, rows in registered.items()}
    rows = []
    for place, own in _by_place(facts):
        found = _runs(own, Everyone((known or {}).get(place, ())))
        for run in found:
            if run.time is None or run.time not in window:
                continue
            run.latest, run.state = _judged(run, steps.get(Key(*place, run.family)) or Steps([]))
            rows.append(tuple(map(_row(place, run).__getitem__, PAST_COLUMNS)))  # dicts take five times the memory
    result = _typed(rows)
    result.attrs = {
        "because": "" if rows else _because_empty(told, window),
        "asked": [dict(one) for one in told.asked],
        "broken": [{"name": one.name, "why": one.why} for one in (*told.broken, *_timeless(facts))],
        "window": (window.since, window.until),
        "registered": [{**key._asdict(), **row} for key in sorted(registered) for row in registered[key]],
    }
    return result


def _timeless(facts: pd.DataFrame) -> list[Broken]:
    """Return the calls and ends of which nobody can say whether they were in the time range: they are named."""
    some = facts[facts["what"].isin([CALL, END])]
    timed = set(some.loc[some["time"].notna(), "task"])
    lost = some[some["time"].isna() & ~some["task"].isin(timed - {""})]
    return [
        Broken(f"event {one}", "its record does not tell when it was") for one in lost["event_id"].drop_duplicates()
    ]


def _judged(run: Run, steps: Steps) -> tuple[int | None, str]:
    """Judge *run*; a registration, too, is known to the second: within it, what was there before is right as well."""
    latest, state = judge_by(run, steps)
    if state != STALE or run.time is None or run.executed is None:
        return latest, state
    before = steps.latest_at(run.time.replace(microsecond=0) - timedelta(microseconds=1))
    return (before, LATEST) if before == run.executed.revision else (latest, state)


def _by_place(facts: pd.DataFrame) -> Iterable[tuple[tuple[str, str], list[Any]]]:
    some = facts[facts["what"].isin([CALL, END])]
    for place, own in some.groupby(["account", "region"], sort=True):
        yield (str(place[0]), str(place[1])), _rows_of(own)


def _rows_of(facts: pd.DataFrame) -> list[Any]:
    return list(facts.astype(object).itertuples(index=False))


def _runs(facts: Sequence[Any], everyone: Everyone) -> list[Run]:
    """Return the runs of one place, oldest first: of a schedule, or of what may be one."""
    of_ecs: dict[str, Run] = {}
    calls: dict[Any, Run] = {}
    for number, fact in enumerate(facts):
        run = _run(fact)
        run.schedule = _whose(fact, run, everyone)
        if fact.what == CALL:
            # a record that was kept twice, once with a secret blanked in its words, is one call
            calls[(fact.event_id, fact.item) if fact.event_id else number] = run
        elif _tells(run) >= _tells(of_ecs.get(run.task)):
            of_ecs[run.task] = run
    of_trail = list(calls.values())
    placed = {run.task: run.schedule for run in of_trail if run.task}
    for run in of_ecs.values():
        # one that shows nobody who started it is known by the call that placed it
        run.schedule = run.schedule or placed.get(run.task, "")
    return [run for run in merge(of_ecs.values(), of_trail) if run.schedule]


def _tells(end: Run | None) -> tuple[bool, ...]:
    """Return how much an end that ECS told says: its exit code counts most."""
    return (end.exit_code is not None, end.ended is not None, end.began is not None) if end else ()


def _run(fact: Any) -> Run:
    of_ecs = fact.what == END
    return Run(
        time=when(fact.time),
        schedule="",
        source=FROM_ECS if of_ecs else FROM_TRAIL,
        requested=definition(fact.requested) if fact.requested else None,
        executed=definition(fact.executed) if fact.executed else None,
        launch_type=fact.launch_type,
        status=fact.status,
        exit_code=None if pd.isna(fact.exit_code) else int(fact.exit_code),
        error=fact.error,
        task=fact.task,
        role=fact.role,
        began=when(fact.began),
        ended=when(fact.ended),
        run=short(fact.task) or fact.event_id,
        exact=of_ecs,
    )


def _whose(fact: Any, run: Run, everyone: Everyone) -> str:
    named = definition(fact.named) if fact.named and not (run.requested or run.executed) else None
    traces = Traces(
        fact.started_by,
        run.time,
        run.role,
        fact.cluster,
        run.requested,
        run.executed or named,
        by_eventbridge=fact.caller == RULE or (fact.what == END and bool(fact.started_by)),
    )
    whose = everyone.whose(traces)
    if whose:
        return whose
    if fact.caller == MACHINE:
        return f"{_NEITHER}, with the role {short(run.role)}"
    if fact.caller == SCHEDULE:
        return f"unknown, with the role {short(run.role)}"
    return ""


def _revisions(facts: pd.DataFrame, told: pd.DataFrame | None) -> dict[Key, list[dict[str, Any]]]:
    """Return the rows of each family's revisions: what ECS says, and of others what the records say."""
    found: dict[Key, dict[int, dict[str, Any]]] = defaultdict(dict)
    for fact in _rows_of(facts[facts["what"].isin([REGISTERED, DEREGISTERED])]):
        one, time = definition(fact.executed), when(fact.time)
        own = found[Key(fact.account, fact.region, one.family)]
        if fact.what == REGISTERED:
            # an answer above 100 KB is left out of its record: then a younger one is there, and nobody knows which
            number = one.revision if one.revision is not None else max(own, default=0) + 1
            row = own.setdefault(number, _revision(one.family, number))
            if one.revision is not None:
                row |= {"registered_at": time, "registered_by": fact.role or row["registered_by"]}
                row["status"] = "ACTIVE" if row["deregistered_at"] is None else "INACTIVE"
        elif one.revision is not None:
            row = own.setdefault(one.revision, _revision(one.family, one.revision))
            row |= {"deregistered_at": time, "status": "INACTIVE"}
    ran = facts.loc[(facts["what"] == CALL) & (facts["executed"] != ""), ["account", "region", "executed"]]
    for fact in _rows_of(ran.drop_duplicates()):
        one = definition(fact.executed)
        own = found.get(Key(fact.account, fact.region, one.family), {})
        if own and one.revision is not None and one.revision > max(own):
            own[one.revision] = _revision(one.family, one.revision)  # it is there, and nobody told since when
    for of_ecs in () if told is None else _rows_of(told):
        key, number = Key(of_ecs.account, of_ecs.region, of_ecs.family), int(of_ecs.revision)
        own, said = found[key], {name: getattr(of_ecs, name) for name in REVISION_COLUMNS}
        own[number] = own.get(number, _revision(key.family, number)) | {
            name: value for name, value in said.items() if not pd.isna(value)
        }
    return {key: list(_with_gaps(key.family, own)) for key, own in found.items()}


def _with_gaps(family: str, own: Mapping[int, dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Yield the rows by number, and one of an unknown revision wherever nobody told of those in between."""
    last = 0
    for number in sorted(own):
        if last and number - last > 1:
            yield _revision(family, number - 1)
        yield own[number]
        last = number


def _revision(family: str, number: int) -> dict[str, Any]:
    return {
        "family": family,
        "revision": number,
        "arn": "",
        "registered_at": None,
        "deregistered_at": None,
        "status": UNKNOWN_STATUS,
        "registered_by": "",
    }


def _row(place: tuple[str, str], run: Run) -> dict[str, Any]:
    account, region = place
    return {
        "account": account,
        "region": region,
        "family": run.family,
        **row_of(run),
        "started_at": run.began,
        "seconds": seconds(run),
    }


def _typed(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    found = pd.DataFrame(rows, columns=PAST_COLUMNS)
    numbers = dict.fromkeys(("attempt", "executed", "latest", "exit_code"), "Int64")
    times = {name: pd.to_datetime(found[name], utc=True) for name in ("time", "started_at")}
    return found.astype({**numbers, "seconds": "float64"}).assign(**times)


def _because_empty(told: Told, window: Window) -> str:
    silent = [f"{one['source']} did not answer ({one['answer']})" for one in told.asked if not one["answered"]]
    broken = [f"{len(told.broken)} files or records could not be read"] if told.broken else []
    return "; ".join(
        [
            f"no run of a schedule was seen from {window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC",
            *silent,
            *broken,
            "it may not have been due",
            "a role whose trust does not let EventBridge in leaves no RunTask at all",
        ]
    )
