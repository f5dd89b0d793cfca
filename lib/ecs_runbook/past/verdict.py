"""Judge a long time: could it be read, does anything run stale now, did all run that was due, do failures last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from ecs_runbook.evidence.attribution import AMBIGUOUS
from ecs_runbook.evidence.runs import LATEST, STALE
from ecs_runbook.past.asked import FAILING, NEVER_RAN, STALE_NOW, LookBack
from ecs_runbook.past.questions import (
    ALL_REFUSED,
    DISABLED,
    GONE,
    MAY_BE,
    MOST_DUE,
    NEVER,
    UNTOLD,
    History,
)
from ecs_runbook.past.still_known import StillKnown
from ecs_runbook.verdicts.verdict import Check

_NO_FAMILY = "a family that was not told"  # request and answer were over 100 KB, and their record is without them
_SHOWN = 3


def judge_history(history: History, known: StillKnown, asked: LookBack) -> list[Check]:
    """
    Judge a long time.

    Parameters
    ----------
    history
        From :func:`~ecs_runbook.past.questions.history`.
    known
        What is known today; its gaps are SKIP.
    asked
        What counts, and what is put up with.

    Returns
    -------
    list of Check
        - ``history-read``: SKIP if no run was seen, if somebody who was asked did not answer, or if more could not be
          read than is put up with.
        - ``history-latest``: NG for each family and schedule whose newest run took an older revision than the latest
          at its moment; SKIP for those of which that is not known. What is gone or disabled by now is not judged.
        - ``history-ran``: NG for each schedule that was due and placed no task; SKIP if it is not known what is on a
          schedule, whose runs were its own, or what happened there at all.
        - ``history-failing``: NG for each row of failures that lasts and is long enough, but for those of a schedule
          that never ran. ``history-ended``, where that is asked for: SKIP if nobody told how tasks ended.

        Of each of the last three one that is OK says how many were judged. What ``fail_on`` leaves out is told, and OK.
    """
    return [
        _read(history, asked),
        *_latest(history, asked),
        *_ran(history, known, asked),
        *_failing(history, asked),
    ]


def _read(history: History, asked: LookBack) -> Check:
    names = ", ".join(dict.fromkeys(str(one["source"]) for one in history.asked[:_SHOWN])) or "the source"
    silent = [f"{one['source']}: {one['answer']}" for one in history.asked if not one["answered"]]
    if silent:
        because = f"did not answer: {_some(silent)}"
        return Check("history-read", names, "SKIP", because, "Read what is missing in who was asked, below the title.")
    broken = [f"{one['name']} ({one['why']})" for one in history.broken]
    if len(broken) > asked.broken_files:
        mend = "Mend or remove them; or put up with as many: broken_files."
        return Check("history-read", names, "SKIP", f"{len(broken)} could not be read: {_some(broken)}", mend)
    if history.runs.empty:
        mend = "Look at a longer time, at another source, or at other accounts and Regions."
        because = history.runs.attrs.get("because") or "no run of these families was seen"
        because += "".join(f"; {one['source']}: {one['answer']}" for one in history.asked[:_SHOWN] if one["answer"])
        return Check("history-read", names, "SKIP", because, mend)
    families = history.runs.loc[history.runs["family"] != ""].drop_duplicates(["account", "region", "family"])
    first, last = history.runs["time"].min(), history.runs["time"].max()
    put_up_with = f"; {len(broken)} files or records could not be read, and that is put up with" if broken else ""
    because = (
        f"{len(history.runs):,} runs and refusals of {_count(len(families), 'family', 'families')} were seen, from "
        f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC{put_up_with}"
    )
    return Check("history-read", names, "OK", because)


# -------- which revision


def _latest(history: History, asked: LookBack) -> list[Check]:
    newest = history.stretches[history.stretches["newest"]]
    judged = _rows(newest[~newest["now"].isin([GONE, DISABLED])])
    stale = [row for row in judged if row["state"] == STALE]
    unknown = [row for row in judged if row["state"] not in (STALE, LATEST)]
    fine = len(judged) - len(stale) - len(unknown)
    left = len(newest) - len(judged)
    checks = _each("history-latest", stale, _stale, STALE_NOW, asked)
    if unknown:
        mend = "Let the caller list revisions (ecs:ListTaskDefinitions), or look at a time in which one was registered."
        because = f"of {len(unknown)} it is not known which revision was the latest: {_some(map(_lane, unknown))}"
        checks.append(Check("history-latest", f"{len(unknown)} not known", "SKIP", because, mend))
    if fine or not checks:
        gone = f"; {left} {'is' if left == 1 else 'are'} gone or disabled by now" if left else ""
        words = f"the newest run of each took the latest revision{gone}" if fine else f"no run is to be judged{gone}"
        checks.append(Check("history-latest", _count(fine, "schedule"), "OK" if fine else "SKIP", words))
    return checks


def _stale(row: Mapping[str, Any]) -> tuple[str, str, str]:
    since = f"{row['first']:%Y-%m-%d %H:%M}"
    words = (
        f"its newest run, of {row['last']:%Y-%m-%d %H:%M} UTC, took revision {row['revision']} while {row['latest']}"
    )
    because = (
        f"{words} was the latest; it runs {row['revision']} stale since {since} UTC, {_count(row['runs'], 'time')}"
    )
    return _lane(row), because, "Let its target name the family without a revision: 10_generate writes it so."


# -------- what never ran


def _ran(history: History, known: StillKnown, asked: LookBack) -> list[Check]:
    if known.inventory is None:
        because = "it was not asked what is on a schedule"
        return [Check("history-ran", "", "SKIP", because, "Let it be asked: ask_now.")]
    rows = _rows(history.never_ran)
    # a rule on events, or one that was not due, was refused each time that something fired it
    bad = [row for row in rows if row["outcome"] in (NEVER, ALL_REFUSED)]
    checks = _each("history-ran", bad, _never, NEVER_RAN, asked)
    doubtful = [row for row in rows if row["outcome"] == MAY_BE]
    if doubtful:
        because = f"what ran may be theirs or another's: {_some(map(_schedule, doubtful))}"
        mend = "Give them roles of their own, or names that differ early: rules in 24 characters, schedules in 19."
        checks.append(Check("history-ran", f"{len(doubtful)} not told apart", "SKIP", because, mend))
    untold = [row for row in rows if row["outcome"] == UNTOLD]
    if untold:
        places = dict.fromkeys(f"{row['account']}/{row['region']}" for row in untold)
        because = f"{_some(map(_schedule, untold))}: the source tells nothing at all of {_some(list(places))}"
        mend = "Look whether the trail covers it. If it does, what was due there never ran."
        checks.append(Check("history-ran", f"{len(untold)} not covered", "SKIP", because, mend))
    gaps = [*known.inventory.gaps, *known.gaps]
    if gaps:
        missing = [f"{gap.place or 'everywhere'}: {gap}" for gap in gaps]
        because = f"not all could be listed: {_some(missing)}"
        checks.append(
            Check("history-ran", f"{len(gaps)} not listed", "SKIP", because, "Give the caller what is missing.")
        )
    if not checks:
        rest = {outcome: int(count) for outcome, count in history.never_ran["outcome"].value_counts().items()}
        others = "".join(f"; {count} {outcome}" for outcome, count in rest.items())
        total = len(known.inventory.rows)
        words = f"all that were due placed a task{others}" if total else "nothing is on a schedule"
        checks.append(Check("history-ran", _count(total, "target"), "OK" if total else "SKIP", words))
    return checks


def _never(row: Mapping[str, Any]) -> tuple[str, str, str]:
    since = f"since {row['from']:%Y-%m-%d %H:%M} UTC, by the expression that it has now"
    due = f"due {'at least ' if row['due'] >= MOST_DUE else ''}{_count(row['due'], 'time')} {since}"
    if row["outcome"] == ALL_REFUSED:
        words = f"; {row['title']}" if row["title"] else ""
        refused = f"{_count(row['refused'], 'start')} failed, and none placed a task{words}: {row['said']}"
        because = f"{due}: {refused}" if row["due"] else refused
        return _schedule(row), because, "50_explain_failure has the mend."
    because = f"{due}, and nobody saw it start anything. EventBridge does not tell when a rule was made"
    if row["kind"] == "schedule":
        because = f"{due}, and nobody saw it start anything"
    mend = "50_explain_failure looks into its dead letters; a role that does not let EventBridge in leaves no record."
    return _schedule(row), because, mend


# -------- what fails and goes on failing


def _failing(history: History, asked: LookBack) -> list[Check]:
    never = {_schedule(row) for row in _rows(history.never_ran) if row["outcome"] == ALL_REFUSED}
    said = never if NEVER_RAN in asked.fail_on else set()
    lasting = [row for row in _rows(history.silences) if row["lasts"] and _schedule(row) not in said]
    long = [row for row in lasting if row["hours"] >= asked.failing_hours]
    checks = _each("history-failing", long, _silence, FAILING, asked)
    unknown = history.ends_unknown
    how = f"of {_count(unknown, 'task')} nobody told how they ended: CloudTrail tells only that they began"
    if unknown and asked.need_ends:
        mend = "Keep the events of stopped tasks, and read them with the records; or let need_ends be off."
        checks.append(Check("history-ended", _count(unknown, "task"), "SKIP", how, mend))
    if any(check.id == "history-failing" for check in checks):
        return checks
    if history.runs.empty:
        return [*checks, Check("history-failing", "", "SKIP", "no run was seen")]
    short = f"; {len(lasting)} failed last, for less than {asked.failing_hours:g} hours" if lasting else ""
    because = f"no row of failures lasts{short}" + (f"; {how}" if unknown else "")
    return [*checks, Check("history-failing", "", "OK", because)]


def _silence(row: Mapping[str, Any]) -> tuple[str, str, str]:
    days = row["hours"] / 24
    length = f"{days:.1f} days" if days >= 2 else f"{row['hours']:.1f} hours"
    unknown = f", and {row['unknown']} of which nobody knows" if row["unknown"] else ""
    failures = f"{_count(row['failures'], 'failure')} in a row{unknown}, the last at {row['last']:%Y-%m-%d %H:%M}"
    because = f"for {length}, since {row['first']:%Y-%m-%d %H:%M} UTC: {failures}; {row['title']}: {row['said']}"
    return _schedule(row), because, "50_explain_failure has the mend."


# -------- words


def _each(
    id_: str,
    rows: Sequence[Mapping[str, Any]],
    words: Callable[[Mapping[str, Any]], tuple[str, str, str]],
    kind: str,
    asked: LookBack,
) -> list[Check]:
    """Return a check for each row, NG; or one that says how many there are, where they do not count."""
    if kind in asked.fail_on or not rows:
        found = [words(row) for row in rows]
        return [Check(id_, subject, "NG", because, mend) for subject, because, mend in found]
    because = f"{len(rows)} of them, which fail_on leaves out: {_some([words(row)[0] for row in rows])}"
    return [Check(id_, kind, "OK", because)]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _lane(row: Mapping[str, Any]) -> str:
    by = "" if row["schedule"] == row["family"] else f", by {row['schedule'].removeprefix(AMBIGUOUS)},"
    return f"{row['family'] or _NO_FAMILY}{by} in {row['account']}/{row['region']}"


def _schedule(row: Mapping[str, Any]) -> str:
    return f"{row['schedule']} in {row['account']}/{row['region']}"


def _count(number: int, noun: str, several: str = "") -> str:
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def _some(names: Any) -> str:
    found = list(names)
    return "; ".join(found[:_SHOWN]) + (f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
