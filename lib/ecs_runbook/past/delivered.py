"""What a trail delivered to S3: whose log files there are, of which days, and how large they are."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from ecs_runbook.errors import AwsError, EvidenceError, SessionError, WorkspaceError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.model import Place
from ecs_runbook.past.facts import EVENT_NAMES
from ecs_runbook.past.layout import days
from ecs_runbook.shelf import bucket_and_prefix

if TYPE_CHECKING:
    from ecs_runbook.past.sources import Window

MOST_LISTED = 2000
"""So many folders of one day are listed at most; beyond, some days stand for all."""
_ABOUT_RUNS = re.compile(rf'"eventName":\s*"(?:{"|".join(EVENT_NAMES)})"'.encode())
_PEEKS, _PEEK_BYTES = 5, 4_000_000
_BELOW = re.compile(
    r"(?P<folder>(?:.*/)?AWSLogs(?:/o-[a-z0-9]{10,32})?)(?:/(?P<account>\d{12})(?:/CloudTrail(?:/(?P<region>[a-z0-9-]+))?)?)?"
)
_ACCOUNT, _REGION = re.compile(r"[0-9]{12}"), re.compile(r"[a-z]{2,}(-[a-z]+)+-\d")
_SAFE = re.compile(r"[A-Za-z0-9!_.*()/=+@:,&; -]*")


@dataclass(frozen=True, order=True)
class Root:
    """
    A folder of a bucket with a folder for each account: ``AWSLogs``, or that of an organisation in it.

    Examples
    --------
    >>> root = Root("logs", "audit/AWSLogs/o-a1b2c3d4e5")
    >>> root.template
    's3://logs/audit/AWSLogs/o-a1b2c3d4e5/${account}/CloudTrail/${region}/${delivered}'
    >>> root.folder_of(Place("111122223333", "eu-west-2"), date(2026, 11, 4))
    'audit/AWSLogs/o-a1b2c3d4e5/111122223333/CloudTrail/eu-west-2/2026/11/04/'
    """

    bucket: str
    folder: str

    @property
    def template(self) -> str:
        """Where the files of an account, Region and day are, as Athena's partition projection takes it."""
        return f"s3://{self.bucket}/{self.folder}/${{account}}/CloudTrail/${{region}}/${{delivered}}"

    def folder_of(self, place: Place, day: date) -> str:
        """Return the prefix of the files of one day."""
        return f"{self.folder}/{place.account}/CloudTrail/{place.region}/{day:%Y/%m/%d}/"

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.folder}"


@dataclass(frozen=True)
class Share:
    """How many records a packed byte of log files holds, and how many of them count here."""

    records: float
    about_runs: float


@dataclass(frozen=True)
class Sizes:
    """
    How much there is to read.

    Attributes
    ----------
    bytes, files
        In the folders of a time range, packed as they are.
    partitions, listed
        How many folders of one account, Region and day these are, and how many of them were listed: where it is not
        all of them, the rest is taken to be like them.
    largest
        Bytes of the account and Region that has the most.
    frozen
        Files besides that lie in S3 Glacier and are not restored: nobody reads them.
    first
        The oldest of the days that were listed of which there are files.
    some
        Key and size of some of the files.
    """

    bytes: int = 0
    files: int = 0
    partitions: int = 0
    listed: int = 0
    largest: int = 0
    frozen: int = 0
    first: date | None = None
    some: Sequence[tuple[str, int]] = field(default=(), repr=False)

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(
            self.bytes + other.bytes,
            self.files + other.files,
            self.partitions + other.partitions,
            self.listed + other.listed,
            max(self.largest, other.largest),
            self.frozen + other.frozen,
            min((day for day in (self.first, other.first) if day), default=None),
            (*self.some, *other.some),
        )

    def __str__(self) -> str:
        part = "" if self.listed == self.partitions else f", reckoned from {self.listed} of {self.partitions} days"
        return f"{size(self.bytes)} in {self.files:,} log files{part}"


def size(count: float) -> str:
    """
    Return a number of bytes as a person says it.

    Examples
    --------
    >>> size(3_040_000_000), size(10_400), size(0)
    ('3.0 GB', '10 kB', '0 kB')
    """
    for unit, large in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= large:
            return f"{count / large:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def some_of(several: Sequence[Any], most: int) -> list[Any]:
    """
    Return *most* of *several*, evenly apart; all if there are no more.

    Examples
    --------
    >>> some_of("abcdefgh", 2), some_of("ab", 2)
    (['c', 'g'], ['a', 'b'])
    """
    if len(several) <= most:
        return list(several)
    return [several[(2 * number + 1) * len(several) // (2 * most)] for number in range(most)]


class Delivered:
    """
    The log files under a place in S3.

    Parameters
    ----------
    place
        ``s3://bucket`` and the trail's key prefix; also with ``/AWSLogs`` and what is below it, down to a Region.
    s3
        A client of S3.
    gate, asking_in
        Who makes and counts the calls, and in whose name.
    accounts, regions
        What is wanted; all that are there if left out.

    Raises
    ------
    WorkspaceError
        If *place* is not in S3, or has a character that no query is made with.
    SessionError
        If an account or a Region is not what its name says.

    Notes
    -----
    Needs ``s3:ListBucket``. Source of the layout: AWS docs, "Finding your CloudTrail log files".
    """

    def __init__(
        self,
        place: str,
        *,
        s3: Any,
        gate: Gate,
        asking_in: Place,
        accounts: Sequence[str] = (),
        regions: Sequence[str] = (),
    ) -> None:
        found = bucket_and_prefix(place)
        if not found:
            raise WorkspaceError(f"{place!r} is no place in S3.", hint="Name it as s3://bucket/prefix.")
        self.bucket, prefix = found
        if not _SAFE.fullmatch(prefix):
            raise WorkspaceError(
                f"{place!r} has a character that is not put into a query.",
                hint="The key prefix may have letters, digits and ! _ . * ( ) / = + @ : , & ; - and blanks.",
            )
        _known(accounts, regions)
        below = _BELOW.fullmatch(prefix.strip("/"))
        self.folder = below["folder"] if below else "/".join(part for part in (prefix.strip("/"), "AWSLogs") if part)
        self.accounts = _narrowed(accounts, below and below["account"])
        self.regions = _narrowed(regions, below and below["region"])
        self.s3, self._gate = s3, gate
        self._ask: Asking = gate.ask(asking_in)

    def roots(self) -> dict[Root, list[Place]]:
        """
        Return the accounts and Regions that log files are there of, by the folder that they lie in.

        Raises
        ------
        EvidenceError
            If there are none.
        AwsError
            If the bucket may not be listed.
        """
        accounts = [(Root(self.bucket, self.folder), one) for one in self._folders(f"{self.folder}/")]
        organisations = [name for _, name in accounts if name.startswith("o-")]
        for name in organisations:
            root = Root(self.bucket, f"{self.folder}/{name}")
            accounts += [(root, one) for one in self._folders(f"{root.folder}/")]
        wanted = [
            (root, one)
            for root, one in accounts
            if _ACCOUNT.fullmatch(one) and (not self.accounts or one in self.accounts)
        ]
        found: dict[Root, list[Place]] = {}
        for (root, account), regions in self._each(lambda one: self._regions(*one), wanted):
            found.setdefault(root, []).extend(Place(account, region) for region in regions)
        found = {root: sorted(places) for root, places in sorted(found.items()) if places}
        if not found:
            raise EvidenceError(
                f"No log files of CloudTrail{self._wanted()} are under {Root(self.bucket, self.folder)}/.", hint=_WHERE
            )
        return found

    def sizes(self, roots: Mapping[Root, Sequence[Place]], window: Window, *, most: int = MOST_LISTED) -> Sizes:
        """Return how much there is to read for a time range; of more than *most* folders, some days stand for all."""
        every = days(window)
        folders = sum(len(places) for places in roots.values())
        chosen = some_of(every, max(1, most // max(folders, 1)))
        asked = [(root, place, day) for root, places in roots.items() for place in places for day in chosen]
        total, each = Sizes(), Counter[Place]()
        for (_, place, _), one in self._each(lambda one: self._size(*one), asked):
            total += one
            each[place] += one.bytes
        share = len(every) / len(chosen)
        # where some days stand for all, the first of them stands for the beginning
        first = every[0] if total.first == chosen[0] else total.first
        return replace(
            total,
            bytes=round(total.bytes * share),
            files=round(total.files * share),
            frozen=round(total.frozen * share),
            partitions=folders * len(every),
            largest=round(max(each.values(), default=0) * share),
            first=first,
        )

    def peek(self, sizes: Sizes) -> Share | None:
        """
        Look into a few files for how many records there are, and how many of them count here.

        None if none of them could be read. Needs ``s3:GetObject``.
        """
        small = [(key, size) for key, size in sizes.some if size <= _PEEK_BYTES]
        records = about_runs = packed = 0
        for key, size in some_of(small, _PEEKS):
            try:
                told = self._ask("s3:GetObject", self.s3.get_object, Bucket=self.bucket, Key=key)
                content = zlib.decompressobj(wbits=31).decompress(told["Body"].read(), _PEEK_BYTES * 20)
            except (AwsError, BotoCoreError, OSError, zlib.error):
                continue
            packed += size
            records += content.count(b'"eventVersion"')
            about_runs += len(_ABOUT_RUNS.findall(content))
        if not records:
            return None
        # of what was not seen there may still be one, had one looked further
        return Share(records / packed, max(about_runs, 1) / packed)

    def _size(self, root: Root, place: Place, day: date) -> Sizes:
        pages = self._pages(root.folder_of(place, day), OptionalObjectAttributes=["RestoreStatus"])
        every = [one for page in pages for one in page.get("Contents", [])]
        objects = [one for one in every if not _is_frozen(one)]
        some = [(str(one["Key"]), int(one["Size"])) for one in objects[len(objects) // 2 :][:1]]
        count, frozen = sum(int(one["Size"]) for one in objects), len(every) - len(objects)
        return Sizes(count, len(objects), 1, 1, count, frozen, day if objects else None, some)

    def _regions(self, root: Root, account: str) -> list[str]:
        found = self._folders(f"{root.folder}/{account}/CloudTrail/")
        return [one for one in found if _REGION.fullmatch(one) and (not self.regions or one in self.regions)]

    def _folders(self, prefix: str) -> list[str]:
        pages = self._pages(prefix, Delimiter="/")
        return [
            str(one["Prefix"]).removeprefix(prefix).rstrip("/")
            for page in pages
            for one in page.get("CommonPrefixes", [])
        ]

    def _pages(self, prefix: str, **more: Any) -> Iterator[dict[str, Any]]:
        onward: dict[str, str] = {}
        while True:
            asked = {"Bucket": self.bucket, "Prefix": prefix, **more, **onward}
            try:
                page = self._ask("s3:ListBucket", self.s3.list_objects_v2, **asked)
            except AwsError as error:
                words, hint = f"{error.words} (s3://{self.bucket}/{prefix})", error.hint or _WHERE
                raise AwsError(error.operation, error.code, words, hint=hint) from error
            yield page
            if not page.get("IsTruncated"):
                return
            onward = {"ContinuationToken": page["NextContinuationToken"]}

    def _each(self, function: Any, items: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        for item, answer in self._gate.each("s3:ListBucket", function, items):
            if isinstance(answer, AwsError):
                raise answer
            yield item, answer

    def _wanted(self) -> str:
        accounts = f" of {', '.join(sorted(self.accounts))}" if self.accounts else ""
        return accounts + (f" in {', '.join(sorted(self.regions))}" if self.regions else "")


_WHERE = "Give the bucket and the key prefix of the trail: aws cloudtrail describe-trails tells both."


def _is_frozen(told: Mapping[str, Any]) -> bool:
    """Say whether an object cannot be read as it is. Source: botocore s3 ListObjectsV2, RestoreStatus (verified)."""
    restored = told.get("RestoreStatus", {}).get("RestoreExpiryDate")
    return told.get("StorageClass") in ("GLACIER", "DEEP_ARCHIVE") and not restored


def _known(accounts: Sequence[str], regions: Sequence[str]) -> None:
    for one in accounts:
        if not _ACCOUNT.fullmatch(one):
            raise SessionError(
                f"accounts: {one!r} is not an account id.", hint="An account id has 12 digits, in quotes."
            )
    for one in regions:
        if not _REGION.fullmatch(one):
            raise SessionError(
                f"regions: {one!r} is not the name of a Region.", hint="Write it as AWS does, for example eu-west-2."
            )


def _narrowed(wanted: Sequence[str], named: str | None) -> frozenset[str]:
    """Return what is wanted of what the place names: both, where both are told."""
    if not named:
        return frozenset(wanted)
    if wanted and named not in wanted:
        raise EvidenceError(
            f"The place has {named}, and {', '.join(wanted)} is asked for.", hint="Leave out one of the two."
        )
    return frozenset({named})
