"""
Judge a table of runs: were there any, did each take the latest revision, did it end well, was any refused.

A run of several attempts is as good as its last one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from ecs_runbook.evidence.attribution import AMBIGUOUS
from ecs_runbook.evidence.runs import ACCEPTED, FROM_MACHINE, FROM_TRAIL, STALE, UNKNOWN
from ecs_runbook.firing.calls import FAILED_TO_START, REFUSED
from ecs_runbook.firing.histories import SUCCEEDED
from ecs_runbook.firing.watch import SKIPPED
from ecs_runbook.verdicts.verdict import Check, Status

CHECK_IDS = ["runs-seen", "runs-attributed", "runs-latest", "runs-succeeded", "runs-refused"]


def judge_runs(runs: pd.DataFrame, subject: str = "") -> list[Check]:
    """
    Judge the runs of one schedule.

    Parameters
    ----------
    runs
        From :func:`ecs_runbook.evidence.runs.runs`. Its ``attrs`` are used where they are there: a slice may have lost
        them.
    subject
        The rule's or schedule's name.

    Returns
    -------
    list of Check
        Always these five, in this order:

        - ``runs-seen``: SKIP if the table is empty, with why it may be. Firings that a state machine skipped are named.
        - ``runs-attributed``: SKIP if a run may be another rule's or schedule's.
        - ``runs-latest``: NG if a run took an older revision than the latest at its moment, SKIP if that is not known
          for one, or if nothing ran. Every attempt counts.
        - ``runs-succeeded``: NG if the last attempt of a run ended with another exit code than 0 or never ran; SKIP
          while one runs or may be tried again, and if nobody knows how any of them ended. Runs whose end ECS has
          forgotten are named.
        - ``runs-refused``: NG if the last attempt of a run was refused or failed to start; SKIP if CloudTrail, which
          alone tells of refusals, did not answer.

    Examples
    --------
    >>> from ecs_runbook.evidence.runs import empty
    >>> [(check.id, check.status) for check in judge_runs(empty(), "nightly")][:2]
    [('runs-seen', 'SKIP'), ('runs-attributed', 'SKIP')]
    """
    rows: list[dict[str, Any]] = [{str(name): value for name, value in row.items()} for row in runs.to_dict("records")]
    judges = (_seen, _attributed, _latest, _succeeded, _refused)
    return [Check(id_, subject, *judge(rows, runs.attrs)) for id_, judge in zip(CHECK_IDS, judges, strict=True)]


Answer = tuple[Status, str, str]
Rows = Sequence[dict[str, Any]]


def _seen(rows: Rows, attrs: dict[Any, Any]) -> Answer:
    ran = [row for row in rows if row["status"] != SKIPPED]
    idle = [row for row in rows if row["status"] == SKIPPED]
    skipped = f"{_count(idle, 'firing')} skipped, since the task was running already" if idle else ""
    if ran:
        runs = _last_of_each(ran)
        of = f" in {_count(ran, 'attempt')}" if len(ran) > len(runs) else ""
        seen = f"{_count(runs, 'run')} seen{of}, the last at {_time(ran[-1])}"
        return "OK", "; ".join(filter(None, [seen, skipped])), ""
    if idle:
        mend = "Look at a longer time: what was running then is the run to judge."
        return "SKIP", f"no run was seen; {skipped}, the last at {_time(idle[-1])}", mend
    because = attrs.get("because") or "no run was seen"
    return "SKIP", because, "Fire it with 30_fire, or look at a longer time; then open this notebook again."


def _attributed(rows: Rows, _attrs: dict[Any, Any]) -> Answer:
    doubtful = [row for row in rows if row["schedule"].startswith(AMBIGUOUS)]
    if doubtful:
        because = f"{_count(doubtful, 'run')} cannot be told from another's: {_each(doubtful, _schedule)}"
        if all(row["source"] == FROM_MACHINE for row in doubtful):
            mend = "Let the schedule's input name it, by <aws.scheduler.schedule-arn>; or ask again in a few minutes."
            return "SKIP", because, mend
        mend = "Give them roles of their own, or names that differ early: rules in 24 characters, schedules in 19."
        return "SKIP", because, mend
    return ("OK", "every run is this schedule's own", "") if rows else _NOTHING


def _latest(rows: Rows, attrs: dict[Any, Any]) -> Answer:
    ran = [row for row in rows if row["state"]]
    notes = attrs.get("notes", {})
    stale = [row for row in ran if row["state"] == STALE]
    if stale:
        because = f"{len(stale)} of {_count(ran, _noun(ran))} took an older revision: "
        return "NG", because + _each(stale, lambda row: _stale(row, notes)), _unpin(stale, notes)
    unknown = [row for row in ran if row["state"] == UNKNOWN]
    if unknown:
        because = f"of {len(unknown)} of {_count(ran, _noun(ran))} it is not known: {_each(unknown, _unknown)}"
        return "SKIP", because, "Look at the executed and latest columns; ask again while ECS remembers the task."
    if not ran:
        return "SKIP", "nothing ran" if rows else _NOTHING[1], "Look at the error column." if rows else ""
    newest = ran[-1]
    return (
        "OK",
        f"{_all(ran)} took the latest revision; the last, at {_time(newest)}, revision {newest['executed']}",
        "",
    )


def _succeeded(rows: Rows, attrs: dict[Any, Any]) -> Answer:
    under_way = set(attrs.get("under_way", ()))
    ran = [row for row in _last_of_each(rows) if row["state"]]
    over = [row for row in ran if row["run"] not in under_way]
    # One that was stopped from outside is no good run, whatever code it got to say; nor is one that was given up.
    failed = [row for row in over if row["error"] or (row["status"] == "STOPPED" and _code(row) != 0)]
    if failed:
        because = f"{len(failed)} of {_count(ran, 'run')} did not end well: {_each(failed, _end)}"
        return "NG", because, "Look at the error column, and at the task's log."
    done = ("STOPPED", SUCCEEDED, ACCEPTED)
    running = [row for row in ran if row["run"] in under_way or row["status"] not in done]
    if running:
        return "SKIP", f"not ended yet: {_each(running, _standing)}", "Open this notebook again when it has stopped."
    ended, forgotten = (
        [row for row in ran if row["status"] in ("STOPPED", SUCCEEDED)],
        [row for row in ran if row["status"] == ACCEPTED],
    )
    if not ended:
        if forgotten:
            because = f"ECS has forgotten how {_count(forgotten, 'run')} ended; CloudTrail only tells that they began"
            return "SKIP", because, "Ask within the hour after a run, or look at the task's log."
        return "SKIP", "nothing ran" if rows else _NOTHING[1], "Look at the error column." if rows else ""
    rest = f"; how {len(forgotten)} more ended, ECS has forgotten" if forgotten else ""
    again = [row for row in ended if _attempt(row) > 1]
    tried = f", {len(again)} of them only after {_attempts(again)}" if again else ""
    how = "well, as the task told" if all(row["status"] == SUCCEEDED for row in ended) else "with exit code 0"
    return "OK", f"{_count(ended, 'run')} ended {how}{tried}{rest}", ""


def _refused(rows: Rows, attrs: dict[Any, Any]) -> Answer:
    under_way = set(attrs.get("under_way", ()))
    refused = [row for row in _last_of_each(rows) if _no_start(row) and row["run"] not in under_way]
    if refused:
        because = f"{_count(refused, 'start')} refused: {_each(refused, _refusal, shown=1)}"
        return "NG", because, "Look at the error column."
    answers = {one["source"]: one for one in attrs.get("asked", [])}
    trail = answers.get(
        FROM_TRAIL, {"answered": any(FROM_TRAIL in row["source"] for row in rows), "answer": "not asked"}
    )
    if not trail["answered"]:
        because = f"only CloudTrail tells of refusals, and it did not answer: {trail['answer']}"
        return "SKIP", because, "Ask as somebody who may call cloudtrail:LookupEvents."
    tried = [row for row in rows if _no_start(row)]
    if tried:
        because = f"{_count(tried, 'start')} refused, and tried again: {_each(tried, _refusal, shown=1)}"
        return "OK", because, ""
    return "OK", "CloudTrail has no refusal so far; it writes one down after minutes", ""


_NOTHING: Answer = ("SKIP", "there is no run to judge", "")


def _last_of_each(rows: Rows) -> list[dict[str, Any]]:
    """Return the last attempt of each run, in the order of the rows."""
    last: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows):
        name = row["run"] if isinstance(row["run"], str) and row["run"] else f"row {number}"
        if name not in last or _attempt(row) >= _attempt(last[name]):
            last[name] = row
    kept = {id(row) for row in last.values()}
    return [row for row in rows if id(row) in kept]


def _no_start(row: dict[str, Any]) -> bool:
    return row["status"] in (REFUSED, FAILED_TO_START)


def _attempt(row: dict[str, Any]) -> int:
    return 1 if pd.isna(row["attempt"]) else int(row["attempt"])


def _attempts(rows: Rows) -> str:
    most = max(map(_attempt, rows))
    return f"{most} attempts" if min(map(_attempt, rows)) == most else f"up to {most} attempts"


def _each(rows: Rows, words: Callable[[dict[str, Any]], str], shown: int = 3) -> str:
    """Name the newest few: *because* is to be read at a glance."""
    newest = [words(row) for row in rows[::-1][:shown]]
    return "; ".join(newest) + (f"; and {len(rows) - shown} more" if len(rows) > shown else "")


def _stale(row: dict[str, Any], notes: dict[str, str]) -> str:
    note = notes.get(row["task"], "")
    words = f"at {_time(row)} revision {row['executed']} while {row['latest']} was the latest"
    return f"{words} ({note})" if note else words


def _unpin(stale: Rows, notes: dict[str, str]) -> str:
    said = [notes.get(row["task"], "") for row in stale]
    if all("eventually consistent" in note for note in said):
        return "Fire it once more with 30_fire: if it is stale again, its target is pinned."
    return "Let the target name the family without a revision: 10_generate writes it so, 20_apply applies it."


def _unknown(row: dict[str, Any]) -> str:
    missing = "which revision ran" if pd.isna(row["executed"]) else "which revision was the latest then"
    return f"at {_time(row)} {missing}"


def _end(row: dict[str, Any]) -> str:
    code = _code(row)
    how = f"exit code {code}" if code is not None else "no exit code"
    again = f", attempt {_attempt(row)}" if _attempt(row) > 1 else ""
    error = f", {row['error']}" if row["error"] else ""
    return f"at {_time(row)} revision {_revision(row)}{again}: {how}{error}"


def _standing(row: dict[str, Any]) -> str:
    if row["status"] == "STOPPED":
        return f"attempt {_attempt(row)} of {_time(row)} ended, and its state machine goes on"
    return f"at {_time(row)} revision {_revision(row)} is {row['status'] or 'in an unknown state'}"


def _refusal(row: dict[str, Any]) -> str:
    again = f"attempt {_attempt(row)}, " if _attempt(row) > 1 else ""
    return f"at {_time(row)} {again}{row['error']}"


def _schedule(row: dict[str, Any]) -> str:
    return f"at {_time(row)} {row['schedule'].removeprefix(AMBIGUOUS)}"


def _revision(row: dict[str, Any]) -> str:
    return "unknown" if pd.isna(row["executed"]) else str(row["executed"])


def _code(row: dict[str, Any]) -> int | None:
    return None if pd.isna(row["exit_code"]) else int(row["exit_code"])


def _time(row: dict[str, Any]) -> str:
    return "an unknown time" if pd.isna(row["time"]) else f"{row['time']:%Y-%m-%d %H:%M:%S} UTC"


def _count(rows: Rows, noun: str) -> str:
    return f"{len(rows)} {noun}{'' if len(rows) == 1 else 's'}"


def _all(rows: Rows) -> str:
    return f"the only {_noun(rows)}" if len(rows) == 1 else f"all {len(rows)} {_noun(rows)}s"


def _noun(rows: Rows) -> str:
    return "attempt" if any(_attempt(row) > 1 for row in rows) else "run"
