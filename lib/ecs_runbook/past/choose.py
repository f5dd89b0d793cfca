"""Which source, and why: looks at what is there, weighs what each way would take, and opens the best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from ecs_runbook.errors import AwsError, EvidenceError, RunbookError, WorkspaceError
from ecs_runbook.inventory.fleet import ANSWER_SECONDS, Fleet
from ecs_runbook.inventory.model import Place
from ecs_runbook.past import ways
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.athena import DOLLARS_PER_TB, Athena
from ecs_runbook.past.delivered import Delivered
from ecs_runbook.past.log_files import LogFiles
from ecs_runbook.past.places import place_at
from ecs_runbook.past.sources import LookupEvents, Source, Window
from ecs_runbook.past.ways import Asked, Logs, Way
from ecs_runbook.shelf import bucket_and_prefix, shelf_at

if TYPE_CHECKING:
    from ecs_runbook.session import Aws

_KEPT = re.compile(r"account=([^/]*)/region=([^/]*)/month=[^/]*/runs-(\d{8}T\d{6}Z)-[^/]*\.parquet")
_MOST_BUCKETS = 3


@dataclass(frozen=True)
class Means:
    """
    What is there to choose from, besides LookupEvents.

    Attributes
    ----------
    logs
        A folder or ``s3://bucket/prefix`` of log files; empty: where the trails of the account that asks deliver.
    archive
        A folder or ``s3://bucket/prefix`` of an archive; empty: none.
    output
        ``s3://bucket/prefix`` for Athena's results; empty: that of the workgroup.
    workgroup, most_dollars, dollars_per_tb
        As for :class:`~ecs_runbook.past.athena.Athena`.
    """

    logs: str = ""
    archive: str = ""
    output: str = ""
    workgroup: str = "primary"
    most_dollars: float = 5.0
    dollars_per_tb: float = DOLLARS_PER_TB


@dataclass(frozen=True)
class Choice:
    """The source that was chosen; in one sentence what was weighed and why it is this one; and all that was weighed."""

    source: Source
    because: str
    ways: Sequence[Way]


def choose(aws: Aws, fleet: Fleet, window: Window, means: Means | None = None) -> Choice:
    """
    Return the source to ask about a time range, and why.

    Parameters
    ----------
    aws
        Who asks, from :func:`connect`: its trails are looked for, and Athena runs there.
    fleet
        The accounts and Regions that are asked about.
    window
        The time range.
    means
        What is there besides.

    Raises
    ------
    EvidenceError
        If there is nothing that can be asked.

    Notes
    -----
    What may not be looked at is told of, and is no reason to fail. Sizes are listed, and of five files the records are
    counted; no query is started. Needs ``cloudtrail:DescribeTrails``, ``cloudtrail:GetTrailStatus``, ``s3:ListBucket``
    and ``s3:GetObject``, and ``athena:GetWorkGroup`` where no *output* is given.
    """
    return _Looking(aws, fleet, window, means or Means()).choice()


class _Looking:
    """What is there for one question."""

    def __init__(self, aws: Aws, fleet: Fleet, window: Window, means: Means) -> None:
        self.aws = aws if aws.answer_seconds else aws.elsewhere(answer_seconds=ANSWER_SECONDS)
        self.fleet, self.window, self.means = fleet, window, means
        self.places = sorted({*fleet.places, *fleet.asked})
        self.ask = fleet.gate.ask(Place(aws.account, aws.region))
        self.notes: list[str] = []
        self.accounts = sorted({place.account for place in self.places})
        self.regions = sorted({place.region for place in self.places})
        self.asked = Asked(window, aws.now(), len(self.accounts), len(self.regions), len(self.places))

    def choice(self) -> Choice:
        logs = self.logs()
        weighed = [
            ways.by_lookups(
                self.asked,
                logs.about_runs if logs else None,
                entered=len(self.fleet.places),
                largest=logs.largest if logs else 0.0,
            ),
            *(self._of_logs(logs) if logs else []),
            *([self._of_archive()] if self.means.archive else []),
        ]
        chosen, why = ways.best(weighed, self.window)
        words = ways.because(self.asked, logs, weighed, self.notes)
        if chosen is None:
            raise EvidenceError(
                f"Nothing can be asked about {words}.",
                hint="Name a folder or s3://bucket/prefix of log files, or accounts that the caller may enter.",
            )
        return Choice(self._source(chosen, logs), f"{words}; so {chosen.name}, since {why}", weighed)

    def logs(self) -> Logs | None:
        """Return the log files of those that know of the most accounts and Regions; None if there are none to see."""
        if self.means.logs:
            return self._at(self.means.logs)
        found = []
        for place, everywhere in self._trails().items():
            try:
                found.append(self._at(place, everywhere=everywhere))
            except RunbookError as error:
                self.notes.append(f"{place}: {error.message.rstrip('.')}")
        return min(found, key=lambda one: (one.missing, -one.bytes), default=None)

    def _trails(self) -> dict[str, bool]:
        """Return where the trails of the account that asks deliver, and whether they do of every Region."""
        cloudtrail = self.aws.client("cloudtrail")
        try:
            told = self.ask("cloudtrail:DescribeTrails", cloudtrail.describe_trails)["trailList"]
        except AwsError as error:
            self.notes.append(f"its trails may not be looked at ({error.code})")
            return {}
        told.sort(key=lambda one: (not one.get("IsOrganizationTrail"), not one.get("IsMultiRegionTrail"), one["Name"]))
        found: dict[str, bool] = {}
        for one in told:
            if self._logging(one):
                place = "/".join(part for part in (f"s3://{one['S3BucketName']}", one.get("S3KeyPrefix")) if part)
                found[place] = found.get(place, False) or bool(one.get("IsMultiRegionTrail"))
        if not told:
            self.notes.append("this account has no trail")
        if len(found) > _MOST_BUCKETS:
            self.notes.append(f"of {len(found)} buckets that trails deliver to, {_MOST_BUCKETS} were looked at")
        return dict(list(found.items())[:_MOST_BUCKETS])

    def _logging(self, trail: dict[str, object]) -> bool:
        cloudtrail, name = self.aws.client("cloudtrail"), trail.get("TrailARN") or trail["Name"]
        try:
            status = self.ask("cloudtrail:GetTrailStatus", cloudtrail.get_trail_status, Name=name)
        except AwsError:
            return True  # nobody knows, and the files themselves will tell
        if not status.get("IsLogging"):
            self.notes.append(f"the trail {trail['Name']} is stopped")
        return bool(status.get("IsLogging"))

    def _at(self, place: str, *, everywhere: bool = False) -> Logs:
        """Return the log files in a place; *everywhere*: where there are none of a Region, nothing happened there."""
        if not bucket_and_prefix(place):
            return _folder(place, self.window)
        delivered = self._delivered(place)
        roots = delivered.roots()
        sizes = delivered.sizes(roots, self.window)
        share = delivered.peek(sizes)
        seen = [one for places in roots.values() for one in places]
        accounts = {one.account for one in seen}
        regions = {one.region for one in (self.places if everywhere else seen)}
        return Logs(
            place,
            sizes.bytes,
            sizes.files,
            records=round(sizes.bytes * share.records) if share else None,
            about_runs=round(sizes.bytes * share.about_runs) if share else None,
            largest=sizes.largest / sizes.bytes if sizes.bytes else 0.0,
            since=datetime.combine(sizes.first, time.min, UTC) if sizes.first else None,
            missing=sum(one.account not in accounts or one.region not in regions for one in self.places),
        )

    def _delivered(self, place: str) -> Delivered:
        return Delivered(
            place,
            s3=self.aws.client("s3"),
            gate=self.fleet.gate,
            asking_in=Place(self.aws.account, self.aws.region),
            accounts=self.accounts,
            regions=self.regions,
        )

    def _of_logs(self, logs: Logs) -> list[Way]:
        far = bool(bucket_and_prefix(logs.place))
        athena = ways.by_athena(
            logs,
            asked=self.asked,
            cannot=self._no_output() if far else "",
            dollars_per_tb=self.means.dollars_per_tb,
            most_dollars=self.means.most_dollars,
        )
        return [ways.by_log_files(logs, asked=self.asked), *([athena] if far else [])]

    def _no_output(self) -> str:
        """Return why Athena has nowhere to write its results to; nothing if it has."""
        if self.means.output:
            return ""
        name = self.means.workgroup
        try:
            told = self.ask("athena:GetWorkGroup", self.aws.client("athena").get_work_group, WorkGroup=name)
        except AwsError as error:
            return f"the workgroup {name} may not be looked at ({error.code}), and no place for its results is named"
        configured = told["WorkGroup"].get("Configuration", {})
        own = configured.get("ResultConfiguration", {}).get("OutputLocation")
        managed = configured.get("ManagedQueryResultsConfiguration", {}).get("Enabled")
        return "" if own or managed else f"the workgroup {name} has no place for its results, and none is named"

    def _of_archive(self) -> Way:
        place = self.means.archive
        try:
            names = shelf_at(place, self.aws, read=True).names()
        except (AwsError, WorkspaceError) as error:
            return Way(ways.ARCHIVE, cannot=error.message.rstrip("."), missing=len(self.places))
        oldest: dict[Place, str] = {}
        for name in names:
            if found := _KEPT.fullmatch(name):
                account, region, moment = found.groups()
                oldest[Place(account, region)] = min(moment, oldest.get(Place(account, region), moment))
        own = [oldest[one] for one in self.places if one in oldest]
        since = datetime.strptime(min(own), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if own else None
        return ways.by_archive(place, since, asked=self.asked, missing=len(set(self.places) - oldest.keys()))

    def _source(self, chosen: Way, logs: Logs | None) -> Source:
        if chosen.name == ways.ARCHIVE:
            return Archive(self.means.archive, self.aws, accounts=self.accounts, regions=self.regions)
        if logs is None or chosen.name == ways.LOOKUP:
            return LookupEvents(self.fleet)
        if chosen.name == ways.LOG_FILES:
            return LogFiles(logs.place, self.aws, accounts=self.accounts, regions=self.regions)
        return Athena(
            self.aws,
            logs.place,
            output=self.means.output,
            workgroup=self.means.workgroup,
            accounts=self.accounts,
            regions=self.regions,
            most_dollars=self.means.most_dollars,
            dollars_per_tb=self.means.dollars_per_tb,
            gate=self.fleet.gate,
        )


def _folder(place: str, window: Window) -> Logs:
    """Return the log files in a folder of this machine; whose they are is not looked into."""
    folder = Path(place_at(place, None).where)
    files = [one for one in folder.rglob("*.json*") if one.is_file()]
    return Logs(place, sum(one.stat().st_size for one in files), len(files), since=window.since if files else None)
