"""Judge what failed: each cause on its own; and whether there was anything to judge at all."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ecs_runbook.diagnosis.explain import Explanation
from ecs_runbook.diagnosis.failures import FROM_DLQ, FROM_EVENTBRIDGE, Failures
from ecs_runbook.evidence.attribution import AMBIGUOUS
from ecs_runbook.evidence.runs import FROM_ECS, FROM_MACHINE, FROM_TRAIL
from ecs_runbook.verdicts.verdict import Check

_ALONE = {
    FROM_ECS: "how tasks ended",
    FROM_DLQ: "what EventBridge gave up on",
    FROM_TRAIL: "which calls were refused",
    FROM_MACHINE: "how attempts ended",
    FROM_EVENTBRIDGE: "which rules and schedules there are",
    "Scheduler": "which schedules there are",
}
"""What only one source tells. IAM is not among them: it tells apart what has failed anyway."""
_SHOWN = 3


def judge_failures(failures: Failures, subject: str = "") -> list[Check]:
    """
    Judge what failed.

    Parameters
    ----------
    failures
        From :func:`ecs_runbook.diagnosis.failures.failures`.
    subject
        What was asked about; ``failures.about`` if left out.

    Returns
    -------
    list of Check
        - ``failure-cause``, one for each cause: NG, with how often it happened, first and last, and the remedy; OK if a
          later attempt of the same run went well, of each of them.
        - ``failures-attributed``: SKIP if a failure may be another rule's; left out otherwise.
        - ``failures-runs``: OK with the number of runs that ended well; SKIP if there was nothing to judge, or if
          nobody knows how any run ended. Left out where something failed and nothing else was seen.
        - ``failures-due``: SKIP if the schedule was due and left no trace; left out otherwise.
        - ``failures-told``: OK if every source answered; SKIP if one did not that alone could tell.
    """
    about = subject or failures.about
    explanations = dict(enumerate(failures.explanations))
    rows: list[dict[Any, Any]] = failures.table.to_dict("records")
    checks = [
        Check("failure-cause", row["subjects"], "OK", f"{_because(row)}; tried again, and a later attempt went well")
        if mended
        else Check("failure-cause", row["subjects"], "NG", _because(row), _next(explanations.get(place), row))
        for (place, row), mended in zip(enumerate(rows), failures.mended, strict=True)
    ]
    return [
        *checks,
        *_attributed(failures, about),
        *_runs(failures, about),
        *_due(failures, about),
        _told(failures, about),
    ]


def _because(row: dict[Any, Any]) -> str:
    when = _when(row)
    times = "once" if row["count"] == 1 else f"{row['count']} times"
    title = row["title"] if row["title"] != "unknown" else "of a cause that the catalogue does not know"
    return f"{title}: {times}, {when}; {row['said']}"


def _when(row: dict[Any, Any]) -> str:
    first, last = (f"{row[name]:%Y-%m-%d %H:%M:%S}" if not pd.isna(row[name]) else "" for name in ("first", "last"))
    if not last:
        return "at an unknown time"
    return f"at {last} UTC" if first == last else f"from {first} to {last} UTC"


def _next(explanation: Explanation | None, row: dict[Any, Any]) -> str:
    if explanation is None or not explanation.known:
        return "Read AWS's own words; nothing is guessed. The receipt has the whole record."
    remedy = explanation.remedy or "Read the explanation above."
    # The remedy names the newest's own values.
    return f"{remedy} The like for the others." if ", " in row["subjects"] else remedy


def _attributed(failures: Failures, about: str) -> list[Check]:
    doubtful = [one for one in failures.found if one.subject.startswith(AMBIGUOUS)]
    if not doubtful:
        return []
    names = list(dict.fromkeys(one.subject.removeprefix(AMBIGUOUS) for one in doubtful))
    rest = f"; and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    because = f"{len(doubtful)} of {len(failures.found)} failures cannot be told from another's: "
    mend = "Give them roles of their own, or names that differ early: rules in 24 characters, schedules in 19."
    return [Check("failures-attributed", about, "SKIP", because + "; ".join(names[:_SHOWN]) + rest, mend)]


def _runs(failures: Failures, about: str) -> list[Check]:
    runs = failures.runs
    if not runs.seen:
        if failures.found:
            return []
        because = (
            "no run and no failure was seen in that time: it may not have been due or is disabled, its records are"
        )
        because += " not there yet or no longer, or EventBridge was refused the role, which leaves no RunTask at all"
        return [Check("failures-runs", about, "SKIP", because, "Look at a longer time, or fire it with 30_fire.")]
    if not runs.ended_well:
        because = f"no failure to start is known, but not how any run ended: {runs}"
        if failures.found:
            because = f"of the other runs it is not known how they ended: {runs}"
        return [Check("failures-runs", about, "SKIP", because, "Ask within the hour after a run, or read its log.")]
    # a failure that a later attempt mended is of one of these
    others = "run" if all(failures.mended) else "other run"
    return [Check("failures-runs", about, "OK", f"{runs.seen} {others}{'s' * (runs.seen != 1)}: {runs}")]


def _due(failures: Failures, about: str) -> list[Check]:
    missed = failures.missed
    if not missed:
        return []
    shown = ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in missed[-_SHOWN:])
    because = (
        f"by its expression it was due {len(missed)} time{'s' * (len(missed) != 1)} without any trace, last {shown}"
    )
    because += " UTC: it was disabled or had another expression then, or EventBridge was refused the role"
    mend = "Look whether the role trusts the service, and give the target a dead-letter queue: it would have told."
    return [Check("failures-due", about, "SKIP", because, mend)]


def _told(failures: Failures, about: str) -> Check:
    silent = [row for row in failures.asked.to_dict("records") if not row["answered"] and row["source"] in _ALONE]
    if not silent:
        late = next((row["not_yet"] for row in failures.asked.to_dict("records") if row["source"] == FROM_TRAIL), "")
        return Check("failures-told", about, "OK", "every source answered" + (f"; {late}" if late else ""))
    said = "; ".join(
        f"{row['source']}, which alone tells {_ALONE[row['source']]}, did not answer or not in full: {row['answer']}"
        for row in silent
    )
    return Check("failures-told", about, "SKIP", said, "Ask as somebody who may, then run this notebook again.")
