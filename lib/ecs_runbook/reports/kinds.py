"""One spec as a rule, a schedule and a state machine, side by side: what each gives and costs, and which to take."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from ecs_runbook.reports.tables import Shown, framed
from ecs_runbook.wanted.kinds import Times, runs_a_month, runs_beside, times, upcoming_runs

if TYPE_CHECKING:
    from ecs_runbook.wanted.spec import Spec

HEADS = {
    "rule": "rule of EventBridge",
    "schedule": "schedule of EventBridge Scheduler",
    "state_machine": "schedule and state machine",
}
FREE_TRANSITIONS = 4000
PRICE_OF_A_THOUSAND = 0.025
"""Dollars, in us-east-1, after 4,000 transitions a month. Source: AWS's pricing page of Step Functions (verified)."""
_MOST_COUNTED = 50_000

_Row = tuple[str, str, str, str]


def side_by_side(wanted: Spec, *, after: datetime) -> Shown:
    """
    Show *wanted* as each kind would have it, and its next runs as a rule and as a schedule.

    Parameters
    ----------
    wanted
        What should run; its own kind is marked.
    after
        Aware: runs later than this are shown, and the zone's distance from UTC is that of this moment.

    Notes
    -----
    Source: AWS docs, EventBridge user guide and Scheduler user guide (verified): UTC and zones, "at least once", what
    is retried, that AWS recommends Scheduler. The price of Step Functions is that of AWS's page; that 14 million
    invocations of Scheduler a month are free is seen elsewhere, so AWS's own page is named.
    """
    rows = list(_rows(wanted, after))
    heads = ["", *(f"{name} (as asked)" if kind == wanted.kind else name for kind, name in HEADS.items())]
    facts = _table(heads, [tuple(html.escape(cell) for cell in row) for row in rows])
    both = times(wanted, at=after)
    runs = runs_beside(wanted, after=after)
    said = _said(wanted, both)
    under = ""
    if len(runs):
        heads = ["as a rule, UTC", "as a schedule, UTC", f"{both.schedule.zone}, as meant", ""]
        told = [
            (_moment(run.rule_utc), _moment(run.schedule_utc), str(run.local), html.escape(str(run.note)))
            for run in runs.itertuples()
        ]
        under = _table(heads, told)
    text = "\n".join([" | ".join(row) for row in rows] + [said])
    return Shown(framed(f"{facts}<p>{html.escape(said)}</p>{under}"), text)


def _moment(moment: Any) -> str:
    """Return a time as it is shown; it may be pandas' NaT."""
    return "—" if pd.isna(moment) else f"{moment:%Y-%m-%d %H:%M}"


def _said(wanted: Spec, both: Times) -> str:
    if not both.rule:
        return f"A rule cannot have these times: {both.why}."
    if both.why:
        return f"As a schedule it would stay in UTC too, and run when the rule does: {both.why}."
    return f"The next runs of both, and where clocks change in {wanted.timezone}, the first after each change:"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _rows(wanted: Spec, after: datetime) -> Iterator[_Row]:
    both = times(wanted, at=after)
    zone = f"in {both.schedule.zone}, by its clocks" if both.schedule.zone != "UTC" else "in UTC, or any other zone"
    yield "it counts", "in UTC, all year", zone, zone
    scheduled = f"{both.schedule.expression} in {both.schedule.zone}"
    yield "written", both.rule or f"not at all: {both.why}", scheduled, scheduled
    yield _first(wanted, after)
    window = f"within {wanted.flexible_minutes} minutes" if wanted.flexible_minutes else "at its minute, or in a window"
    yield "it starts", "at its minute", window, window
    dates = (
        " to ".join(filter(None, [wanted.start_date or "now", wanted.end_date])) if _has_dates(wanted) else "if wanted"
    )
    yield "a first and a last day, or once", "no", dates, dates
    tried = f"tried again {wanted.retry_attempts} times within {_length(wanted.retry_age_seconds)}"
    lost = "may be lost: whether an answer with failures[] is tried again is not verified"
    again = f"tried again {wanted.start_retries} times by the machine"
    yield "ECS throttles the start", tried, tried, again
    yield "ECS has no capacity", lost, lost, again
    yield "it ended with an error", "nobody looks", "nobody looks", _after_an_error(wanted)
    yield "it hangs", "it runs on", "it runs on", _hanging(wanted)
    yield (
        "the last one still runs",
        "both run",
        "both run",
        "skipped, if wanted" if wanted.double_runs != "skip" else "skipped",
    )
    told = "the container can be told which run it is"
    yield "one firing comes twice", told, told, f"{told}, or it is skipped"
    yield "its tags", "on the rule", "on its group: a schedule has none", "on the machine and the group"
    yield _costs(wanted, after)
    yield "AWS", "calls it legacy", "recommends it", "recommends it to start anything"
    yield (
        "take it",
        "if it is there already and does: 85_move_to_scheduler moves it when you like",
        "else: this is the one for a job that runs, and whose failure may wait for the next run",
        "if a run that failed has to be tried again, stopped or told at once",
    )


def _first(wanted: Spec, after: datetime) -> _Row:
    runs = runs_beside(wanted, after=after)
    own = upcoming_runs(wanted, after=after, count=1)
    as_rule = f"{_moment(runs['rule_utc'].iloc[0])} UTC" if len(runs) else "—"
    if wanted.kind != "rule":
        there = f"{_moment(own['utc'].iloc[0])} UTC" if len(own) else "never again"
    else:
        there = f"{_moment(runs['schedule_utc'].iloc[0])} UTC" if len(runs) else "never again"
    return "the next run", as_rule, there, there


def _has_dates(wanted: Spec) -> bool:
    return bool(wanted.start_date or wanted.end_date)


def _after_an_error(wanted: Spec) -> str:
    codes = ", ".join(map(str, wanted.retry_exit_codes))
    again = f"run again after exit code {codes}, {wanted.exit_code_retries} times" if codes else "run again, if it may"
    told = {"none": "nobody is told yet: notify", "new": "a new topic is told"}.get(wanted.notify, "the topic is told")
    return f"{again}; {told}"


def _hanging(wanted: Spec) -> str:
    silent = f", or {_length(wanted.heartbeat_seconds)} without a heartbeat" if wanted.heartbeat_seconds else ""
    return f"it is stopped after {_length(wanted.timeout_seconds)}{silent}"


def _costs(wanted: Spec, after: datetime) -> _Row:
    runs = runs_a_month(wanted, after=after, at_most=_MOST_COUNTED)
    each = transitions(wanted)
    month = runs * each
    price = max(0, month - FREE_TRANSITIONS) / 1000 * PRICE_OF_A_THOUSAND
    many = f"{runs:,} runs in 30 days" if runs < _MOST_COUNTED else f"more than {runs:,} runs in 30 days"
    machine = (
        f"besides, {month:,} state transitions: ${price:,.2f} where a thousand cost ${PRICE_OF_A_THOUSAND}, 4,000 free"
    )
    scheduler = f"{many}, of the 14 million that are said to be free (AWS's EventBridge pricing page says what holds)"
    return "without the task itself it costs", f"{many}, for which we know of no price", scheduler, machine


def transitions(wanted: Spec) -> int:
    """
    Return how many state transitions a run takes in which all goes well.

    Notes
    -----
    ``terraform/retried_task``: begin, run, done; two to ask whether one runs, or one to see who started it.
    """
    return 3 + {"allow": 0, "token": 1, "skip": 2}[wanted.double_runs]


def _length(seconds: int) -> str:
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"
