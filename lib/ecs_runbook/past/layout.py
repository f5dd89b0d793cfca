"""Where a trail puts its files, and what their names tell: which folders are worth a look, which files are meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import takewhile
from typing import NamedTuple

from ecs_runbook.past.sources import Window

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_REGION = re.compile(r"[a-z]+(-[a-z]+)+-\d+", re.ASCII)
_FILE = re.compile(
    r"(?P<account>\d{12})_(?P<kind>CloudTrail[\w-]*?)_(?P<region>[a-z]+(?:-[a-z]+)+-\d+)_"
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T\d{4}Z_\w+\.json(?:\.gz)?",
    re.ASCII,
)
_ENDS = (".json.gz", ".json")
TRAIL = "CloudTrail"
LATE = timedelta(days=1)
"""How much later than its newest record a file may be delivered to be read. AWS docs: five minutes on average."""


class Placed(NamedTuple):
    """What a path tells, and else nothing. ``date``: of the delivery, year, month and day, or the first of them."""

    account: str = ""
    kind: str = ""
    region: str = ""
    date: tuple[int, ...] = ()


@dataclass(frozen=True)
class Wish:
    """Which files are wanted: of a time range, and of some accounts and Regions, or of all."""

    window: Window
    accounts: Collection[str] = ()
    regions: Collection[str] = ()

    def __contains__(self, place: Placed) -> bool:
        """Say whether something of *place* may be wanted: what a path does not tell speaks against nothing."""
        first, last = map(_parts, _first_and_last(self.window))
        known = len(place.date)
        return (
            place.kind in ("", TRAIL)
            and (not place.account or not self.accounts or place.account in self.accounts)
            and (not place.region or not self.regions or place.region in self.regions)
            and first[:known] <= place.date <= last[:known]
        )


def days(window: Window) -> list[date]:
    """
    Return the days, of UTC, on which the records of a time range can have been delivered.

    Examples
    --------
    >>> from datetime import datetime
    >>> [str(day) for day in days(Window(datetime(2026, 11, 4, 23, tzinfo=UTC), datetime(2026, 11, 5, tzinfo=UTC)))]
    ['2026-11-04', '2026-11-05', '2026-11-06']
    """
    first, last = _first_and_last(window)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _first_and_last(window: Window) -> tuple[date, date]:
    return window.since.astimezone(UTC).date(), (window.until.astimezone(UTC) + LATE).date()


def of_folder(parts: Sequence[str]) -> Placed:
    """
    Return what a folder's path tells.

    Source: AWS docs, CloudTrail log file names:
    ``[prefix/]AWSLogs/[organisation/]account/CloudTrail/Region/YYYY/MM/DD``; the date is that of the delivery.

    Examples
    --------
    >>> of_folder(["logs", "AWSLogs", "o-1a2b3c4d5e", "111122223333", "CloudTrail", "eu-west-2", "2026", "11"])
    Placed(account='111122223333', kind='CloudTrail', region='eu-west-2', date=(2026, 11))
    >>> of_folder(["AWSLogs", "111122223333", "vpcflowlogs"]).kind, of_folder(["my", "own"])
    ('vpcflowlogs', Placed(account='', kind='', region='', date=()))
    """
    for at in reversed(range(len(parts))):
        account = parts[at - 1] if at and _ACCOUNT.fullmatch(parts[at - 1]) else ""
        if parts[at] == TRAIL or (account and parts[at].startswith(f"{TRAIL}-")):
            region, *days = [*parts[at + 1 : at + 5], ""]
            if not _REGION.fullmatch(region):
                return Placed(account, parts[at])
            numbers = takewhile(lambda part: part.isascii() and part.isdigit(), days)
            return Placed(account, parts[at], region, tuple(map(int, numbers)))
    return _of_other(parts)


def of_file(name: str, folder: Placed) -> Placed | None:
    """
    Return what a file's name tells, and if it does not tell what its folder does; None if it is no file of logs.

    Examples
    --------
    >>> of_file("111122223333_CloudTrail_eu-west-2_20261124T1705Z_8aY0z3x.json.gz", Placed()).date
    (2026, 11, 24)
    >>> of_file("111122223333_CloudTrail-Digest_eu-west-2_t_eu-west-2_20261124T170500Z.json.gz", Placed()).kind
    'CloudTrail-Digest'
    >>> of_file("readme.txt", Placed())
    """
    if not name.endswith(_ENDS):
        return None
    if found := _FILE.fullmatch(name):
        numbers = (int(found["year"]), int(found["month"]), int(found["day"]))
        return Placed(found["account"], found["kind"], found["region"], numbers)
    other = re.match(r"\d{12}_(CloudTrail-\w+)_", name)
    return folder._replace(kind=other[1]) if other else folder


def _of_other(parts: Sequence[str]) -> Placed:
    """Return what a folder above those of CloudTrail tells, or beside them."""
    if "AWSLogs" not in parts:
        return Placed()
    below = [part for part in parts[parts.index("AWSLogs") + 1 :] if not part.startswith("o-")]
    account, kind = [*below, "", ""][:2]
    return Placed(account, kind) if _ACCOUNT.fullmatch(account) else Placed()


def _parts(day: date) -> tuple[int, int, int]:
    return day.year, day.month, day.day
