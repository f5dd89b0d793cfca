"""
What a long time tells: five tables out of the table of runs. Nothing here asks anybody.

Which revision ran when, what failed and why, how long a revision waited for its first run, what never ran, and which
failures nobody ended.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from ecs_runbook.diagnosis.catalogue import catalogue
from ecs_runbook.diagnosis.explain import explain
from ecs_runbook.diagnosis.sighting import sightings
from ecs_runbook.diagnosis.values import clean, fill
from ecs_runbook.evidence import attribution
from ecs_runbook.evidence.attribution import AMBIGUOUS
from ecs_runbook.evidence.runs import ACCEPTED
from ecs_runbook.firing.calls import FAILED_TO_START, REFUSED
from ecs_runbook.firing.names import short
from ecs_runbook.inventory.due import interval, moments
from ecs_runbook.inventory.model import Inventory, Place, Row
from ecs_runbook.past.asked import LookBack
from ecs_runbook.past.runs import table
from ecs_runbook.past.sources import Told, Window
from ecs_runbook.past.still_known import StillKnown

STRETCH_COLUMNS = [
    *("account", "region", "family", "schedule", "revision", "state", "latest"),
    *("first", "last", "runs", "newest", "now"),
]
"""
One row for each unbroken row of runs of one revision in one state. ``latest`` is what was the latest at the last of
them, ``newest`` whether nothing of this schedule ran later, and ``now`` what is known of the schedule today: one of
:data:`THERE`, :data:`DISABLED`, :data:`GONE`, or ``""``.
"""
FAILURE_COLUMNS = ["account", "region", "time", "week", "family", "schedule", "cause", "title", "said", "task"]
"""One row for each failure; ``week`` is the Monday that it began on, by the reader's clock."""
CAUSE_COLUMNS = ["cause", "title", "count", "weeks", "first", "last", "schedules", "said"]
FIRST_RUN_COLUMNS = [
    *("account", "region", "family", "revision", "registered_at", "registered_by"),
    *("first_run", "hours", "schedule", "outcome"),
]
"""One row for each revision registered in the range; ``hours`` to its first run, or for which it has waited."""
NEVER_COLUMNS = [
    *("account", "region", "schedule", "kind", "expression", "zone", "family"),
    *("outcome", "due", "from", "refused", "last_refusal", "cause", "title", "said"),
]
"""One row for each target that placed no task in the range; ``due`` is how often it was due since ``from``."""
SILENCE_COLUMNS = [
    *("account", "region", "schedule", "family", "first", "last", "ended", "lasts"),
    *("hours", "failures", "unknown", "cause", "title", "said", "now"),
]
"""
One row for each unbroken row of failures. ``ended`` is the first run after them that did not fail, ``lasts`` whether
there was none; ``hours`` are counted from the first to the last of them, or to the end of the range if it lasts.
``unknown`` counts the runs among them of which nobody knows how they ended.
"""
THERE, DISABLED, GONE = "there", "disabled", "gone"
RAN, WAITS, REPLACED, WITHDRAWN = "ran", "waits", "replaced before it ran", "deregistered before it ran"
NEVER, ALL_REFUSED, NOT_DUE, ON_EVENTS = "never ran", "failed to start each time", "was not due", "waits for events"
IS_OFF, MAY_BE, UNTOLD = "is disabled", "runs may be its own", "nothing is told of its account and Region"
GRACE = timedelta(minutes=30)
"""Records arrive after some minutes: what was due less than that ago is not missed yet."""
MOST_DUE = 1000
"""More firings are not counted one by one."""
_DRILL = " (drill)"
_OCCASION = re.compile(r" \((?:schedule or drill|drill or retry)\)$")
_SESSION = re.compile(r"(assumed-role/[\w+=,.@-]+/)[\w+=,.@-]+|\b[0-9a-f]{32}\b", re.ASCII)
_REASON = "Essential container in task exited"
_ROLE = re.compile(r"^(?:unknown|by a state machine), with the role (.+)$")
_PLACE = re.compile(r"\b([0-9]{12})/([a-z0-9-]+)$")
_HOUR = timedelta(hours=1)

Key: TypeAlias = tuple[str, str, str]
"""Account, Region and schedule."""
Causes: TypeAlias = dict[tuple[str, str, "int | None"], tuple[str, str, str]]
"""Of each kind of failure the catalogue's id, its title and AWS's words: kinds are few where failures are many."""


@dataclass(frozen=True)
class History:
    """
    What is known of a long time.

    Attributes
    ----------
    runs
        From :func:`~ecs_runbook.past.runs.past_runs`; of the families that were asked for.
    window, zone
        The range, and the zone of who reads it.
    stretches, failures, causes, first_runs, never_ran, silences
        The tables, by :data:`STRETCH_COLUMNS`, :data:`FAILURE_COLUMNS`, :data:`CAUSE_COLUMNS`,
        :data:`FIRST_RUN_COLUMNS`, :data:`NEVER_COLUMNS`, :data:`SILENCE_COLUMNS`; times are UTC.
    drills
        How many runs were drills: they are in ``runs``, and in no other table.
    ends_unknown
        Of how many tasks nobody knows how they ended: CloudTrail tells only that they began.
    inventory
        What is on a schedule now; None if that was not asked.
    """

    runs: pd.DataFrame
    window: Window
    zone: tzinfo
    stretches: pd.DataFrame
    failures: pd.DataFrame
    causes: pd.DataFrame
    first_runs: pd.DataFrame
    never_ran: pd.DataFrame
    silences: pd.DataFrame
    drills: int = 0
    ends_unknown: int = 0
    inventory: Inventory | None = field(default=None, repr=False)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Who was asked, and what they answered."""
        return list(self.runs.attrs.get("asked", []))

    @property
    def broken(self) -> list[dict[str, str]]:
        """What could not be read, and why."""
        return list(self.runs.attrs.get("broken", []))

    def receipt(self) -> dict[str, Any]:
        """Return it in plain values, without the single runs and failures, which are in files of their own."""
        return {
            "since": self.window.since,
            "until": self.window.until,
            "asked": self.asked,
            "broken": self.broken,
            "runs": len(self.runs),
            "failures": len(self.failures),
            "drills": self.drills,
            "ends_unknown": self.ends_unknown,
            "stretches": self.stretches,
            "causes": self.causes,
            "first_runs": self.first_runs,
            "never_ran": self.never_ran,
            "silences": self.silences,
        }


def questions(
    runs: pd.DataFrame,
    *,
    inventory: Inventory | None = None,
    families: Sequence[str] = (),
    zone: tzinfo = UTC,
    covered: Collection[Place] = (),
    reach: Mapping[Place, datetime] | None = None,
) -> History:
    """
    Ask a table of runs the five questions.

    Parameters
    ----------
    runs
        From :func:`~ecs_runbook.past.runs.past_runs`, with its ``attrs``.
    inventory
        What is on a schedule now, from :func:`~ecs_runbook.inventory.listing.take_inventory`. Without it nobody knows
        what never ran, nor which schedules are gone.
    families
        Only these; all if left out. A refusal that names no family counts if its schedule runs one of them.
    zone
        The zone whose Mondays part the weeks.
    covered
        The accounts and Regions that the source speaks of, besides those of the runs: of others its silence says
        nothing.
    reach
        Since when it speaks of each, where that is not all of the range: what was due before proves nothing.

    Examples
    --------
    >>> from ecs_runbook.past.runs import table
    >>> from ecs_runbook.past.facts import frame
    >>> from ecs_runbook.past.sources import Told
    >>> window = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC))
    >>> told = questions(table(Told(frame([])), window))
    >>> len(told.stretches), len(told.failures), list(told.causes.columns) == CAUSE_COLUMNS
    (0, 0, True)
    """
    since, until = runs.attrs["window"]
    window, attrs = Window(since, until), dict(runs.attrs)
    rows = list(inventory.rows) if inventory else []
    named, unsure = _named(runs, rows)
    whole = _of_families(named, families)
    whole.attrs = attrs
    drill = whole["schedule"].str.endswith(_DRILL)
    seen = [_Seen(one) for one in whole[~drill].itertuples(index=False)]
    now = _now(inventory)
    causes: Causes = {}
    failures = _failures(seen, zone, causes)
    registered = [one for one in attrs.get("registered", []) if not families or one["family"] in families]
    targets = [row for row in rows if not families or row.request.family in families]
    return History(
        runs=whole,
        window=window,
        zone=zone,
        stretches=_stretches(seen, now),
        failures=failures,
        causes=_causes(failures),
        first_runs=_first_runs(registered, seen, window),
        never_ran=_never_ran(
            targets, seen, _Range(window, registered, reach or {}), {*covered, *_places(seen)}, causes, unsure
        ),
        silences=_silences(seen, now, window, causes),
        drills=int(drill.sum()),
        ends_unknown=sum(one.unknown for one in seen),
        inventory=inventory,
    )


def history(told: Told, known: StillKnown, asked: LookBack) -> History:
    """
    Put together what a source told of the past and what is known today, and ask the five questions.

    Parameters
    ----------
    told
        What a source answered.
    known
        From :func:`~ecs_runbook.past.still_known.still_known`.
    asked
        The range, the zone and the families.
    """
    runs = table(told, asked.window, revisions=known.revisions, known=known.rules)
    places = {Place(*place) for place in told.facts[["account", "region"]].drop_duplicates().itertuples(index=False)}
    places |= {
        Place(*found.groups()) for one in told.asked if one["answered"] and (found := _PLACE.search(one["source"]))
    }
    return questions(
        runs,
        inventory=known.inventory,
        families=asked.families,
        zone=asked.zone,
        covered=places,
        reach={place: _reach(told, place, asked.window) for place in places},
    )


def _reach(told: Told, place: Place, window: Window) -> datetime:
    """Return since when a source speaks of *place*: as it says, else from the oldest in the range that it told of."""
    if told.since is not None:
        return told.since
    times = told.facts.loc[(told.facts["account"] == place.account) & (told.facts["region"] == place.region), "time"]
    first = times[times >= window.since].min()
    return window.until if pd.isna(first) else first.to_pydatetime()


class _Seen:
    """A run, in plain values."""

    __slots__ = (
        *("account", "region", "family", "schedule", "time", "executed", "latest", "state", "status", "exit_code"),
        *("error", "task", "role"),
    )

    def __init__(self, row: Any) -> None:
        self.account, self.region, self.family = row.account, row.region, row.family
        self.schedule = _OCCASION.sub("", row.schedule)
        self.time: datetime = row.time
        self.executed, self.latest, self.exit_code = _int(row.executed), _int(row.latest), _int(row.exit_code)
        self.state, self.status, self.error = row.state, row.status, row.error
        self.task, self.role = row.task, row.role

    @property
    def key(self) -> Key:
        return self.account, self.region, self.schedule

    @property
    def no_start(self) -> bool:
        return self.status in (REFUSED, FAILED_TO_START)

    @property
    def failed(self) -> bool:
        """Whether it failed for certain."""
        if self.no_start or self.exit_code:
            return True
        # containers that ended differently: which of them is essential is not told
        return bool(self.error) and not (self.exit_code is None and self.error.partition(": ")[2] == _REASON)

    @property
    def unknown(self) -> bool:
        """Whether nobody knows how it ended."""
        return not self.failed and (self.status == ACCEPTED or self.exit_code is None)


def _int(value: Any) -> int | None:
    return None if value is pd.NA or value is None or value != value else int(value)


# -------- whose


def _named(runs: pd.DataFrame, rows: Sequence[Row]) -> tuple[pd.DataFrame, set[Key]]:
    """
    Name runs that show a role alone by the only target that has that role, and that family if one is shown.

    Returns
    -------
    tuple
        The runs, and whose they may be where several targets have both.
    """
    unsure: set[Key] = set()
    of_role: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        of_role[row.place.account, row.place.region, short(row.role)].append(row)
    alone = runs.loc[runs["schedule"].str.contains(", with the role ", regex=False)]
    names = {}
    for place, account, region, family, schedule in alone[["account", "region", "family", "schedule"]].itertuples(
        name=None
    ):
        found = _ROLE.match(_OCCASION.sub("", schedule))
        several = of_role[account, region, found[1]] if found else []
        several = [row for row in several if not family or row.request.family == family]
        if len(several) == 1:
            names[place] = attribution.label(several[0].owner)
        else:
            unsure |= {(account, region, attribution.label(row.owner)) for row in several}
    schedules = runs["schedule"].copy()
    schedules.loc[list(names)] = list(names.values())
    return runs.assign(schedule=schedules), unsure


def _of_families(runs: pd.DataFrame, families: Sequence[str]) -> pd.DataFrame:
    if not families:
        return runs
    own = runs["family"].isin(list(families))
    keys = pd.MultiIndex.from_frame(runs[["account", "region", "schedule"]])
    nameless = (runs["family"] == "") & keys.isin(keys[own.to_numpy()])
    return runs[own | nameless]


def _now(inventory: Inventory | None) -> Mapping[Key, str] | None:
    """Return what each schedule is today; a place of which not all could be listed is left out."""
    if inventory is None or not inventory.whole:
        return None
    doubtful = {gap.place for gap in inventory.gaps}
    found: dict[Key, str] = {}
    for row in inventory.rows:
        key = (row.place.account, row.place.region, attribution.label(row.owner))
        found[key] = THERE if row.owner.enabled or found.get(key) == THERE else DISABLED
    for place in inventory.places:
        if place not in doubtful and None not in doubtful:
            found[place.account, place.region, ""] = GONE  # what is not named here is
    return found


def _today(key: Key, now: Mapping[Key, str] | None) -> str:
    if now is None:
        return ""
    if key in now:
        return now[key]
    if key[2].startswith(AMBIGUOUS) or key[2].endswith("…") or _ROLE.match(key[2]):
        return ""
    return now.get((key[0], key[1], ""), "")


# -------- which revision ran when


def _stretches(seen: Iterable[_Seen], now: Mapping[Key, str] | None) -> pd.DataFrame:
    lanes: dict[tuple[str, str, str, str], list[_Seen]] = defaultdict(list)
    for one in seen:
        if one.state:
            lanes[one.account, one.region, one.family, one.schedule].append(one)
    rows: list[dict[str, Any]] = []
    for (account, region, family, schedule), own in sorted(lanes.items()):
        last: dict[str, Any] = {}
        for one in own:
            if last and (last["revision"], last["state"]) == (one.executed, one.state):
                last |= {"last": one.time, "latest": one.latest, "runs": last["runs"] + 1}
                continue
            last = {
                "account": account,
                "region": region,
                "family": family,
                "schedule": schedule,
                "revision": one.executed,
                "state": one.state,
                "latest": one.latest,
                "first": one.time,
                "last": one.time,
                "runs": 1,
                "newest": False,
                "now": _today((account, region, schedule), now),
            }
            rows.append(last)
        last["newest"] = True
    return _frame(rows, STRETCH_COLUMNS, times=("first", "last"), numbers=("revision", "latest", "runs"))


# -------- what failed, and why


def _failures(seen: Iterable[_Seen], zone: tzinfo, causes: Causes) -> pd.DataFrame:
    rows = []
    for one in seen:
        if not one.failed:
            continue
        cause, title, said = _why(one, causes)
        rows.append(
            {
                "account": one.account,
                "region": one.region,
                "time": one.time,
                "week": _monday(one.time, zone),
                "family": one.family,
                "schedule": one.schedule,
                "cause": cause,
                "title": title,
                "said": said,
                "task": one.task,
            }
        )
    found = _frame(rows, FAILURE_COLUMNS, times=("time",))
    return found.sort_values(["time", "account", "region", "schedule"], kind="stable", ignore_index=True)


def _monday(time: datetime, zone: tzinfo) -> str:
    local = time.astimezone(zone).date()
    return (local - timedelta(days=local.weekday())).isoformat()


def _why(one: _Seen, known: Causes) -> tuple[str, str, str]:
    """Return the catalogue's id of the cause, its title, and what AWS said, each kind of failure explained once."""
    alike = (one.status, _SESSION.sub(r"\1…", one.error), one.exit_code)
    if alike not in known:
        found = sightings(_as_told(one))
        told = explain(found[0]) if found else None
        cause = told.cause if told else ""
        code = f"exit code {one.exit_code}" if one.exit_code else ""
        said = "; ".join(filter(None, [code, clean(one.error, 300)]))
        known[alike] = (cause, _titles().get(cause, "not in the catalogue"), said)
    return known[alike]


def _as_told(one: _Seen) -> dict[str, Any]:
    """Return a run as whoever told of it would tell of it now."""
    first, parted, rest = one.error.partition(": ")
    if one.status == REFUSED:
        told = {"errorCode": first, "errorMessage": rest} if parted else {"errorCode": one.error}
        return {"eventSource": "ecs.amazonaws.com", "eventName": "RunTask", **told}
    if one.status == FAILED_TO_START:
        failure = {"reason": first, "detail": rest}
        return {"eventName": "RunTask", "responseElements": {"tasks": [], "failures": [failure]}}
    reason, _, own = rest.partition("; ") if rest.startswith(_REASON) else (rest, "", "")
    container = {"name": "", "exitCode": one.exit_code} | ({"reason": own} if own else {})
    return {
        "taskArn": one.task,
        "lastStatus": "STOPPED",
        "stopCode": first,
        "stoppedReason": reason,
        "containers": [container],
    }


@lru_cache(maxsize=1)
def _titles() -> dict[str, str]:
    """Return the titles of the catalogue, without anybody's own values: a cause has many."""
    return {row.id: fill(row.title, {}) for row in catalogue()}


def _causes(failures: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "cause": cause,
            "title": own["title"].iloc[-1],
            "count": len(own),
            "weeks": own["week"].nunique(),
            "first": own["time"].iloc[0],
            "last": own["time"].iloc[-1],
            "schedules": ", ".join(own["schedule"].drop_duplicates().iloc[:3])
            + (f" and {more} more" if (more := own["schedule"].nunique() - 3) > 0 else ""),
            "said": own["said"].iloc[-1],
        }
        for cause, own in failures.groupby("cause", sort=True)
    ]
    found = _frame(rows, CAUSE_COLUMNS, times=("first", "last"), numbers=("count", "weeks"))
    return found.sort_values("count", ascending=False, kind="stable", ignore_index=True)


# -------- from registration to the first run


def _first_runs(registered: Iterable[Mapping[str, Any]], seen: Iterable[_Seen], window: Window) -> pd.DataFrame:
    first: dict[tuple[str, str, str, int], _Seen] = {}
    for one in seen:
        if one.executed is not None:
            first.setdefault((one.account, one.region, one.family, one.executed), one)
    families: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in registered:
        families[row["account"], row["region"], row["family"]].append(row)
    rows = []
    for (account, region, family), own in sorted(families.items()):
        own.sort(key=lambda row: row["revision"])
        for place, row in enumerate(own):
            began = _time(row["registered_at"])
            if began is None or not window.since <= began <= window.until:
                continue
            run = first.get((account, region, family, int(row["revision"])))
            later = [time for other in own[place + 1 :] if (time := _time(other["registered_at"])) is not None]
            ended, outcome = _outcome(run, _time(row["deregistered_at"]), min(later, default=None), window)
            rows.append(
                {
                    "account": account,
                    "region": region,
                    "family": family,
                    "revision": int(row["revision"]),
                    "registered_at": began,
                    "registered_by": row["registered_by"] or "",
                    "first_run": run.time if run else None,
                    "hours": max((ended - began) / _HOUR, 0.0),
                    "schedule": run.schedule if run else "",
                    "outcome": outcome,
                }
            )
    return _frame(rows, FIRST_RUN_COLUMNS, times=("registered_at", "first_run"), numbers=("revision",))


def _outcome(
    run: _Seen | None, withdrawn: datetime | None, replaced: datetime | None, window: Window
) -> tuple[datetime, str]:
    """Return until when it waited, and how that ended."""
    if run is not None:
        return run.time, RAN
    ends = [(time, words) for time, words in ((replaced, REPLACED), (withdrawn, WITHDRAWN)) if time is not None]
    return min((one for one in ends if one[0] <= window.until), default=(window.until, WAITS))


def _time(value: Any) -> datetime | None:
    return None if value is None or pd.isna(value) else pd.Timestamp(value).to_pydatetime()


# -------- what never ran


def _never_ran(
    rows: Sequence[Row],
    seen: Sequence[_Seen],
    when: _Range,
    covered: Collection[Place],
    causes: Causes,
    unsure: Collection[Key],
) -> pd.DataFrame:
    tried: dict[Key, list[_Seen]] = defaultdict(list)
    doubtful: set[Key] = set(unsure)
    for one in seen:
        tried[one.key].append(one)
        if one.schedule.startswith(AMBIGUOUS):
            names = one.schedule.removeprefix(AMBIGUOUS).split(" or ")
            doubtful |= {(one.account, one.region, name) for name in names}
    found: list[dict[str, Any]] = []
    for row in rows:
        key = (row.place.account, row.place.region, attribution.label(row.owner))
        own = [one for one in tried[key] if not one.family or one.family == row.request.family]
        if any(not one.no_start for one in own):
            continue
        due = when.due(row)
        cause, title, said = _why(own[-1], causes) if own else ("", "", "")
        if not row.owner.enabled:
            outcome = IS_OFF
        elif own:
            outcome = ALL_REFUSED
        elif row.kind == "event rule":
            outcome = ON_EVENTS
        elif key in doubtful:
            outcome = MAY_BE
        elif not due:
            outcome = NOT_DUE
        else:
            outcome = NEVER if row.place in covered else UNTOLD
        found.append(
            {
                "account": key[0],
                "region": key[1],
                "schedule": key[2] if len(row.owner.targets) < 2 else f"{key[2]}#{row.target.id}",
                "kind": row.kind,
                "expression": row.owner.expression,
                "zone": row.zone,
                "family": row.request.family,
                "outcome": outcome,
                "due": due,
                "from": when.begins(row),
                "refused": len(own),
                "last_refusal": own[-1].time if own else None,
                "cause": cause,
                "title": title,
                "said": said,
            }
        )
    found.sort(key=lambda one: (_WORST.index(one["outcome"]), -one["due"], one["account"], one["schedule"]))
    return _frame(found, NEVER_COLUMNS, times=("from", "last_refusal"), numbers=("due", "refused"))


_WORST = [ALL_REFUSED, NEVER, MAY_BE, UNTOLD, NOT_DUE, ON_EVENTS, IS_OFF]


class _Range:
    """From when to when a family's schedules may have been due."""

    def __init__(
        self, window: Window, registered: Iterable[Mapping[str, Any]], reach: Mapping[Place, datetime]
    ) -> None:
        self.window, self.reach = window, reach
        self.born = {
            (row["account"], row["region"], row["family"]): began
            for row in registered
            if int(row["revision"]) == 1 and (began := _time(row["registered_at"])) is not None
        }

    def begins(self, row: Row) -> datetime:
        """Return from when on *row* can have been due: nothing runs a family before it has a revision."""
        first = self.born.get((row.place.account, row.place.region, row.request.family))
        return max(filter(None, [self.window.since, self.reach.get(row.place), row.created, row.starts, first]))

    def due(self, row: Row) -> int:
        """Return how often it was due, by the expression that it has now; at most :data:`MOST_DUE`."""
        since = self.begins(row)
        until = self.window.until - GRACE - timedelta(minutes=row.flexible)
        ends = min(filter(None, [until, row.ends]))
        if not row.owner.enabled or ends <= since:
            return 0
        every = interval(row.owner.expression)
        if every is not None:
            return min(int((ends - since) / every), MOST_DUE)
        return sum(sure for _, sure in islice(moments(row, since, ends), MOST_DUE))


def _places(seen: Iterable[_Seen]) -> set[Place]:
    return {Place(account, region) for account, region in {(one.account, one.region) for one in seen}}


# -------- the longest silent failure


class _Row(NamedTuple):
    """An unbroken row of failures in the making."""

    failures: list[_Seen]
    unknown: int


def _silences(
    seen: Sequence[_Seen],
    now: Mapping[Key, str] | None,
    window: Window,
    causes: Causes,
) -> pd.DataFrame:
    own: dict[Key, list[_Seen]] = defaultdict(list)
    of_role: dict[tuple[str, str, str], list[_Seen]] = defaultdict(list)
    for one in seen:
        own[one.key].append(one)
        if one.role and not one.failed:
            of_role[one.account, one.region, short(one.role)].append(one)
    rows = []
    for key, some in sorted(own.items()):
        found = _ROLE.match(key[2])
        # a refusal may show no more than its role: whatever that role ran well ends it
        others = of_role[key[0], key[1], found[1]] if found else []
        ordered = sorted([*some, *(one for one in others if one.schedule != key[2])], key=lambda one: one.time)
        for row, ended in _unbroken(ordered):
            today = _today(key, now)
            lasts = ended is None and today not in (GONE, DISABLED)
            first, last = row.failures[0], row.failures[-1]
            cause, title, said = _why(last, causes)
            rows.append(
                {
                    "account": key[0],
                    "region": key[1],
                    "schedule": key[2],
                    "family": next((one.family for one in reversed(some) if one.family), ""),
                    "first": first.time,
                    "last": last.time,
                    "ended": ended,
                    "lasts": lasts,
                    "hours": ((window.until if lasts else last.time) - first.time) / _HOUR,
                    "failures": len(row.failures),
                    "unknown": row.unknown,
                    "cause": cause,
                    "title": title,
                    "said": said,
                    "now": today,
                }
            )
    made = _frame(rows, SILENCE_COLUMNS, times=("first", "last", "ended"), numbers=("failures", "unknown"))
    return made.sort_values(
        ["lasts", "hours", "account", "schedule"],
        ascending=[False, False, True, True],
        kind="stable",
        ignore_index=True,
    )


def _unbroken(runs: Sequence[_Seen]) -> Iterator[tuple[_Row, datetime | None]]:
    """
    Yield each unbroken row of failures, and when the run began that ended it.

    A task of which nobody knows how it ended did start: it ends a row of refusals, and in a row of tasks that ended
    badly it says nothing.
    """
    row = _Row([], 0)
    for one in runs:
        if one.failed:
            row.failures.append(one)
        elif row.failures and one.unknown and not row.failures[-1].no_start:
            row = row._replace(unknown=row.unknown + 1)
        elif row.failures:
            yield row, one.time
            row = _Row([], 0)
    if row.failures:
        yield row, None


# -------- tables


def _frame(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, times: Sequence[str], numbers: Sequence[str] = ()
) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=list(columns))
    moments_of = {name: pd.to_datetime(made[name], utc=True).astype("datetime64[us, UTC]") for name in times}
    kinds: dict[str, str] = dict.fromkeys(numbers, "Int64")
    kinds |= {name: "float64" for name in ("hours",) if name in columns}
    kinds |= {name: "bool" for name in ("lasts", "newest") if name in columns}
    return made.assign(**moments_of).astype(kinds)
