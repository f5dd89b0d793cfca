"""Ways into the past and what each would take; the one to go, and why, in a sentence with numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ecs_runbook.evidence.trail import KEEPS
from ecs_runbook.inventory.fleet import PLACES_AT_ONCE
from ecs_runbook.past.athena import cost, money
from ecs_runbook.past.delivered import size
from ecs_runbook.past.facts import EVENT_NAMES
from ecs_runbook.past.sources import Window

LOOKUP, LOG_FILES, ATHENA, ARCHIVE = "LookupEvents", "log files", "Athena", "archive"
SOON = timedelta(minutes=1)
"""What takes no longer is not worth money, nor a look at anything else; our choice."""
PAGE, PAGES_PER_SECOND = 50, 2
"""Of LookupEvents, for an account and Region. Source: AWS docs, CloudTrail LookupEvents (verified)."""
READ_PER_SECOND = 50e6
"""Packed bytes of log files that a machine of two cores reads, with something to spare: 104 MB, a million records, took
one process 1.4 seconds (DECISIONS)."""
FETCHED_PER_SECOND = 20e6
"""Bytes that come out of S3; a guess, as it depends on the line."""
SCANNED_PER_SECOND, STARTS = 200e6, timedelta(seconds=10)
"""Of Athena; not verified, and not promised by AWS."""


@dataclass(frozen=True)
class Asked:
    """What is asked: a time range of so many accounts and Regions; ``now`` by the clock of this AWS."""

    window: Window
    now: datetime
    accounts: int
    regions: int
    places: int

    def __str__(self) -> str:
        days = (self.window.until - self.window.since) / timedelta(days=1)
        span = f"{days:.0f} days" if days >= 1.5 else f"{days * 24:.0f} hours"
        return f"{span} of {_count(self.accounts, 'account')} in {_count(self.regions, 'Region')}"


@dataclass(frozen=True)
class Logs:
    """
    The log files that are there of what is asked.

    Attributes
    ----------
    place
        A folder, or an address in S3.
    bytes, files
        Packed as they lie there.
    records, about_runs
        How many records they have, and how many of them count here; reckoned from some of the files. None: not known.
    largest
        The share of the account and Region that has the most, from 0 to 1.
    since
        The oldest of the days asked for of which there are files; None if there are none.
    missing
        How many of the accounts and Regions have none.
    """

    place: str
    bytes: int
    files: int
    records: int | None = None
    about_runs: int | None = None
    largest: float = 0.0
    since: datetime | None = None
    missing: int = 0


@dataclass(frozen=True)
class Way:
    """
    One way, and what it would take.

    Attributes
    ----------
    name
        One of the four.
    cannot
        Why it cannot be gone; empty if it can.
    seconds, dollars
        How long it would take, None if nobody can tell; and what AWS would charge by its list prices.
    since
        The oldest moment that it knows of.
    missing
        How many of the accounts and Regions it knows nothing of.
    words
        It in a few words.
    """

    name: str
    cannot: str = ""
    seconds: float | None = None
    dollars: float = 0.0
    since: datetime | None = None
    missing: int = 0
    words: str = field(default="", compare=False)

    def late(self, window: Window) -> timedelta:
        """Return how much of the beginning of a time range it does not know of: less than a day is nothing."""
        gap = self.since - window.since if self.since else window.until - window.since
        return gap if gap >= timedelta(days=1) else timedelta(0)


def by_lookups(asked: Asked, about_runs: int | None, *, entered: int, largest: float = 0.0) -> Way:
    """
    Return what LookupEvents would take.

    Parameters
    ----------
    about_runs
        How many records it would tell of; None if nobody knows.
    entered
        How many of the accounts and Regions could be entered.
    largest
        The share of the one that has the most: each is asked by itself, and the largest takes longest.

    Examples
    --------
    >>> window = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC))
    >>> by_lookups(Asked(window, window.until, 60, 1, 60), 9_000_000, entered=60).words
    'LookupEvents would take 1.6 hours'
    >>> by_lookups(Asked(window, window.until, 1, 1, 1), 9_000_000, entered=1).words
    'LookupEvents would take 25 hours'
    """
    if not entered:
        return Way(LOOKUP, cannot="none of the accounts and Regions could be entered", missing=asked.places)
    seconds = None
    if about_runs is not None:
        at_once = min(entered, PLACES_AT_ONCE)
        calls = max(about_runs / PAGE, entered * len(EVENT_NAMES))
        seconds = max(calls / at_once, about_runs * largest / PAGE) / PAGES_PER_SECOND
    took = (
        "would take as long as there are records, 100 a second" if seconds is None else f"would take {lasting(seconds)}"
    )
    keeps = f", and knows {KEEPS.days} days" if asked.window.since < asked.now - KEEPS else ""
    return Way(
        LOOKUP,
        seconds=seconds,
        since=asked.now - KEEPS,
        missing=asked.places - entered,
        words=f"{LOOKUP} {took}{keeps}{_missing(asked.places - entered)}",
    )


def by_log_files(logs: Logs, *, asked: Asked) -> Way:
    """
    Return what it would take to read log files on this machine.

    Examples
    --------
    >>> window = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC))
    >>> by_log_files(Logs("s3://logs", 3_000_000_000, 60_000), asked=Asked(window, window.until, 60, 1, 60)).words
    'one machine fetches and reads 3.0 GB in 4 minutes'
    """
    if not logs.files:
        return Way(LOG_FILES, cannot=f"there are no log files of that time in {logs.place}", missing=asked.places)
    far = logs.place.startswith("s3://")
    seconds = logs.bytes / READ_PER_SECOND + (logs.bytes / FETCHED_PER_SECOND if far else 0)
    what = f"one machine {'fetches and reads' if far else 'reads'} {size(logs.bytes)} in {lasting(seconds)}"
    return Way(
        LOG_FILES,
        seconds=seconds,
        since=logs.since,
        missing=logs.missing,
        words=f"{what}{_begins(logs, asked)}{_missing(logs.missing)}",
    )


def by_athena(logs: Logs, *, asked: Asked, cannot: str, dollars_per_tb: float, most_dollars: float) -> Way:
    """
    Return what Athena would take.

    Examples
    --------
    >>> window = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC))
    >>> there = Logs("s3://logs", 3_000_000_000, 60_000)
    >>> asked = Asked(window, window.until, 60, 1, 60)
    >>> by_athena(there, asked=asked, cannot="", dollars_per_tb=5, most_dollars=5).words
    'Athena scans 3.0 GB for about $0.02'
    """
    if not logs.place.startswith("s3://"):
        cannot = "it reads S3 alone"
    elif not logs.files:
        cannot = f"there are no log files of that time in {logs.place}"
    dollars = cost(logs.bytes, dollars_per_tb)
    if not cannot and dollars > most_dollars:
        cannot = f"it would scan {size(logs.bytes)} for {money(dollars)}, and most_dollars = {most_dollars:g}"
    return Way(
        ATHENA,
        cannot=cannot,
        seconds=STARTS.total_seconds() + logs.bytes / SCANNED_PER_SECOND,
        dollars=dollars,
        since=logs.since,
        missing=logs.missing,
        words=f"{ATHENA} scans {size(logs.bytes)} for {money(dollars)}{_begins(logs, asked)}{_missing(logs.missing)}",
    )


def by_archive(place: str, since: datetime | None, *, asked: Asked, missing: int) -> Way:
    """Return what an archive would take: it has what was kept since, and of that only what somebody saw."""
    if since is None:
        return Way(ARCHIVE, cannot=f"there is nothing in {place} yet", missing=asked.places)
    words = f"the archive {place} has what was kept since {since:%Y-%m-%d}{_missing(missing)}"
    return Way(ARCHIVE, seconds=1.0, since=since, missing=missing, words=words)


def best(ways: Sequence[Way], window: Window) -> tuple[Way | None, str]:
    """
    Return the way to go, and why; None if none can be gone.

    What knows of the most accounts and Regions comes first, then what reaches back the furthest; then the first of
    *ways* that takes no longer than a minute, and else the fastest. An archive, which has only what somebody saw, is
    taken where nothing else reaches back as far.

    Examples
    --------
    >>> window = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC))
    >>> slow, fast = (Way(name, seconds=s, since=window.since) for name, s in ((LOOKUP, 5000.0), (ATHENA, 25.0)))
    >>> best([slow, fast], window)[1]
    'it is soon done'
    >>> best([slow], window)[1]
    'nothing else can be asked'
    """
    able = [one for one in ways if not one.cannot]
    if not able:
        return None, ""
    if len(able) == 1:
        return able[0], "nothing else can be asked"
    most = [one for one in able if one.missing == min(other.missing for other in able)]
    furthest = [one for one in most if one.late(window) == min(other.late(window) for other in most)]
    seen = [one for one in furthest if one.name != ARCHIVE] or furthest
    if len(seen) == 1:
        return seen[0], _only(seen[0], able, most)
    soon = next((one for one in seen if one.seconds is not None and one.seconds <= SOON.total_seconds()), None)
    if soon:
        return soon, "it is soon done"
    return min(seen, key=lambda one: math.inf if one.seconds is None else one.seconds), "it is the fastest"


def because(asked: Asked, logs: Logs | None, ways: Sequence[Way], notes: Sequence[str] = ()) -> str:
    """
    Return in one sentence what was weighed.

    Examples
    --------
    >>> window = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC))
    >>> asked = Asked(window, window.until, 1, 1, 1)
    >>> there = Logs("s3://logs", 3_000_000_000, 60_000, 9_000_000, 9_000_000, window.since)
    >>> print(because(asked, there, [by_lookups(asked, 9_000_000, entered=1), by_log_files(there, asked=asked)]))
    14 days of 1 account in 1 Region: about 9 million records; LookupEvents would take 25 hours; one machine fetches
    and reads 3.0 GB in 4 minutes
    """
    told = [one.words if not one.cannot else f"{one.name} cannot: {one.cannot}" for one in ways]
    known = ""
    if logs and logs.records is not None and logs.about_runs is not None:
        known = f": about {about(logs.records)} records"
        known += f", {about(logs.about_runs)} of them about runs" if logs.about_runs < logs.records else ""
    return "; ".join([f"{asked}{known}", *told, *notes])


def lasting(seconds: float) -> str:
    """
    Return a duration as a person says it.

    Examples
    --------
    >>> lasting(3), lasting(90), lasting(300), lasting(5625), lasting(90_000), lasting(500_000)
    ('less than a minute', '2 minutes', '5 minutes', '1.6 hours', '25 hours', '5.8 days')
    """
    if seconds < 59.5:
        return "less than a minute"
    if seconds < 3570:
        return _count(max(round(seconds / 60), 1), "minute")
    if seconds < 48 * 3600:
        hours = seconds / 3600
        return f"{hours:.0f} hours" if hours >= 10 else f"{hours:.1f} hours"
    return f"{seconds / 86400:.1f} days"


def about(number: int) -> str:
    """
    Return a large number as a person says it.

    Examples
    --------
    >>> about(9_123_456), about(184_321), about(999)
    ('9 million', '180,000', '999')
    """
    if number >= 1_000_000:
        millions = number / 1_000_000
        return f"{millions:.0f} million" if millions >= 3 else f"{millions:.1f} million"
    digits = max(len(str(number)) - 2, 0)
    return f"{round(number, -digits):,}" if number >= 1000 else str(number)


def _only(one: Way, able: Sequence[Way], most: Sequence[Way]) -> str:
    if len(most) < len(able):
        return "it knows of more of these accounts and Regions than any other"
    if one.since is None:
        return "nothing else can be asked"
    return f"nothing else reaches back as far as {one.since.astimezone(UTC):%Y-%m-%d}"


def _begins(logs: Logs, asked: Asked) -> str:
    late = logs.since and logs.since - asked.window.since >= timedelta(days=1)
    return f", from {logs.since:%Y-%m-%d} on" if logs.since and late else ""


def _missing(count: int) -> str:
    return f", and knows nothing of {_count(count, 'account and Region', 'accounts and Regions')}" if count > 0 else ""


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one}" if number == 1 else f"{number} {several or one + 's'}"
