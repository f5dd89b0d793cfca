"""Athena over the log files of a trail: what no single machine reads in time; paid by the bytes that it reads."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import EvidenceError, ParameterError, WorkspaceError
from ecs_runbook.firing.asking import Bars
from ecs_runbook.inventory.fleet import ANSWER_SECONDS
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.model import Place
from ecs_runbook.past import athena_sql as sql
from ecs_runbook.past.athena_query import OUTPUT, Done, Queries
from ecs_runbook.past.delivered import Delivered, Root, Sizes, size
from ecs_runbook.past.facts import facts_of_record, frame, settled
from ecs_runbook.past.sources import Broken, Told, Window
from ecs_runbook.shelf import bucket_and_prefix

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.session import Aws

DOLLARS_PER_TB = 5.0
"""Athena's list price in most Regions for 10^12 bytes read; look it up for yours (AWS's pricing page)."""
LEAST_BYTES = 10_000_000
"""So much of each query is paid for at least (AWS's pricing page)."""
PATIENCE_SECONDS = 3600.0
_MISSING = re.compile(r"\b(TABLE|SCHEMA|DATABASE)_NOT_FOUND\b|does not exist|EntityNotFoundException")
_SLACK = 1.2
_PACKED = 20_000


@dataclass(frozen=True)
class Estimate:
    """What a question will read, and what that costs by the list price."""

    sizes: Sizes
    dollars: float

    def __str__(self) -> str:
        return f"{self.sizes}, {money(self.dollars)}"


@dataclass(frozen=True)
class Athena:
    """
    The records of a trail, read by Athena where they lie.

    Parameters
    ----------
    aws
        Who asks, from :func:`connect`: the account and Region that Athena runs in.
    place
        ``s3://bucket`` and the trail's key prefix.
    output
        ``s3://bucket/prefix`` where Athena writes its results; empty if the workgroup has a place of its own.
    workgroup
        Athena's workgroup.
    database
        Of the Glue catalogue; it and the table are made the first time.
    accounts, regions
        Whose records; of all that log files are there of, if left out.
    most_dollars
        A question that would cost more is not asked; one that turns out to, is stopped.
    dollars_per_tb
        The price.
    gate
        Who makes, paces and counts the calls.

    Notes
    -----
    Needs ``s3:ListBucket`` and what :class:`~ecs_runbook.past.athena_query.Queries` needs.
    """

    aws: Aws
    place: str
    output: str = ""
    workgroup: str = "primary"
    database: str = "ecs_runbook"
    accounts: Sequence[str] = ()
    regions: Sequence[str] = ()
    most_dollars: float = 5.0
    dollars_per_tb: float = DOLLARS_PER_TB
    gate: Gate | None = None

    def __post_init__(self) -> None:
        if self.output and not bucket_and_prefix(self.output):
            raise WorkspaceError(f"output = {self.output!r} is no place in S3.", hint="Name it as s3://bucket/prefix.")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", self.workgroup):
            raise ParameterError(
                f"workgroup = {self.workgroup!r} is no name of a workgroup.",
                hint="It has letters, digits and . _ -; every account has primary.",
            )
        if not self.most_dollars > 0:
            raise ParameterError(
                f"most_dollars = {self.most_dollars!r} lets no question through.", hint="Give an amount above 0."
            )

    @property
    def name(self) -> str:
        """What it is called in a table's ``asked``."""
        return f"Athena on {self.place}"

    def estimate(self, window: Window) -> Estimate:
        """Return what a question about a time range will read, by the sizes that S3 lists. Needs ``s3:ListBucket``."""
        here = self._patient()
        delivered = self._delivered(here, self._gate(here))
        return self._estimate(delivered.sizes(delivered.roots(), window))

    def statements(self) -> list[str]:
        """Return what makes the database and the tables, for one who may, where the caller may not."""
        here = self._patient()
        roots = self._delivered(here, self._gate(here)).roots()
        return [sql.create_database(self.database), *(sql.create_table(self.database, root) for root in roots)]

    def facts(self, window: Window, progress: Bars | None = None) -> Told:
        """
        Return the facts of a time range.

        Raises
        ------
        EvidenceError
            If there are no log files, if the question would cost more than it may, or if a query fails, with Athena's
            reason.
        AwsError
            If AWS refuses a call.
        """
        here = self._patient()
        gate = self._gate(here)
        before = gate.calls
        if progress:
            progress.row(self.name, 0.0, "listing the log files")
        delivered = self._delivered(here, gate)
        roots = delivered.roots()
        estimate = self._estimate(delivered.sizes(roots, window))
        if estimate.dollars > self.most_dollars:
            raise EvidenceError(
                f"Athena would read {estimate}, and most_dollars = {self.most_dollars:g}.",
                hint="Ask for fewer days, accounts or Regions, or raise most_dollars.",
            )
        question = _Question(self, self._queries(here, gate), estimate, progress)
        for root, places in roots.items():
            question.ask(root, places, window)
        if progress:
            progress.row(self.name, 1.0, question.answer)
        told = {"source": self.name, "answered": True, "answer": question.answer, "calls": gate.calls - before}
        return Told(question.facts(), [told], [*self._frozen(estimate.sizes), *question.broken])

    def _patient(self) -> Aws:
        """Return the AWS whose clients leave it to the gate to call again."""
        return self.aws if self.aws.answer_seconds else self.aws.elsewhere(answer_seconds=ANSWER_SECONDS)

    def _gate(self, here: Aws) -> Gate:
        return self.gate or Gate(limited=here.pace.published_rates)

    def _delivered(self, here: Aws, gate: Gate) -> Delivered:
        return Delivered(
            self.place,
            s3=here.client("s3"),
            gate=gate,
            asking_in=Place(here.account, here.region),
            accounts=self.accounts,
            regions=self.regions,
        )

    def _queries(self, here: Aws, gate: Gate) -> Queries:
        return Queries(
            here.client("athena"),
            gate.ask(Place(here.account, here.region)),
            output=self.output,
            workgroup=self.workgroup,
            sleep=gate.sleep,
            poll_seconds=min(here.pace.poll_seconds, 1.0),
            patience_seconds=PATIENCE_SECONDS,
        )

    def _frozen(self, sizes: Sizes) -> list[Broken]:
        """Name what Athena passes over without a word. Source: AWS docs, "Query restored Amazon S3 Glacier objects"."""
        if not sizes.frozen:
            return []
        files = "1 log file lies" if sizes.frozen == 1 else f"{sizes.frozen:,} log files lie"
        return [Broken(self.place, f"{files} in S3 Glacier, not restored, which Athena passes over")]

    def _estimate(self, sizes: Sizes) -> Estimate:
        return Estimate(sizes, cost(sizes.bytes, self.dollars_per_tb))


class _Question:
    """One question under way: its queries, and what they have told so far."""

    def __init__(self, athena: Athena, queries: Queries, estimate: Estimate, progress: Bars | None) -> None:
        self._athena, self._queries, self._estimate, self._progress = athena, queries, estimate, progress
        self._rows: list[dict[str, Any]] = []
        self._tables: list[pd.DataFrame] = []
        self.broken: list[Broken] = []
        self._records = self._pages = self._scanned = 0
        self._dollars = 0.0
        self._ids: list[str] = []

    @property
    def answer(self) -> str:
        """What it came to, for a person."""
        pages = "1 page" if self._pages == 1 else f"{self._pages} pages"
        return (
            f"told of {self._records:,} records on {pages}; it read {size(self._scanned)}"
            f" for {money(self._dollars)}, where {self._estimate} were expected; query {', '.join(self._ids)}"
        )

    def ask(self, root: Root, places: Sequence[Place], window: Window) -> None:
        """Ask for the records in *root*; the table over it is made if it is missing."""
        database = self._athena.database
        select = sql.select_records(database, root, places, window)
        done = self._queries.run(select, look=self._look)
        if done.state == "FAILED" and _MISSING.search(done.reason):
            for statement in (sql.create_database(database), sql.create_table(database, root)):
                _succeeded(self._queries.run(statement), statement)
            done = self._queries.run(select, look=self._look)
        _succeeded(done, select)
        self._ids.append(done.id)
        self._scanned += done.scanned
        self._dollars += cost(done.scanned, self._athena.dollars_per_tb)
        for page in self._queries.rows(done.id):
            self._pages += 1
            for row in page:
                self._take(row)
            self._pack()
            self._show(done)

    def facts(self) -> pd.DataFrame:
        """Return the facts of all that was asked."""
        import pandas as pd

        self._pack(at_least=0)
        return settled(pd.concat(self._tables, ignore_index=True))

    def _take(self, row: Mapping[str, str | None]) -> None:
        self._records += 1
        try:
            self._rows += facts_of_record(sql.record_of(row))
        except ValueError:
            self.broken.append(Broken(f"event {row.get('eventid')}", "its responseElements are not JSON"))

    def _pack(self, at_least: int = _PACKED) -> None:
        """Make a table of the rows so far: as dictionaries, a million take more than a gigabyte."""
        if len(self._rows) >= at_least:
            self._tables.append(frame(self._rows))
            self._rows = []

    def _look(self, done: Done) -> str:
        self._show(done)
        read = self._scanned + done.scanned
        spent = cost(read, self._athena.dollars_per_tb)
        if spent > self._athena.most_dollars * _SLACK:
            return f"it had read {size(read)}, {money(spent)}, and most_dollars = {self._athena.most_dollars:g}"
        return ""

    def _show(self, done: Done) -> None:
        if self._progress:
            share = (self._scanned + done.scanned) / max(self._estimate.sizes.bytes, 1)
            note = f"{size(done.scanned)} read of {self._estimate}; {self._records:,} records"
            self._progress.row(self._athena.name, min(share, 0.99), note)


def cost(scanned: int, dollars_per_tb: float = DOLLARS_PER_TB) -> float:
    """
    Return what a query costs that reads so many bytes.

    Examples
    --------
    >>> cost(2_000_000_000_000), cost(1)
    (10.0, 5e-05)
    """
    return max(scanned, LEAST_BYTES) * dollars_per_tb / 1e12


def money(dollars: float) -> str:
    """
    Return an amount as a person says it.

    Examples
    --------
    >>> money(0.015), money(0.00005), money(12.5)
    ('about $0.02', 'less than $0.01', 'about $12.50')
    """
    return "less than $0.01" if dollars < 0.01 else f"about ${math.ceil(dollars * 100 - 1e-9) / 100:.2f}"


def _succeeded(done: Done, statement: str) -> None:
    if done.state != "SUCCEEDED":
        what = statement.split("(", 1)[0].splitlines()[0].strip()
        raise EvidenceError(
            f"Athena's query {done.id} ({what} …) {done.state}: {done.reason or 'it gave no reason'}.",
            hint=_hint(done.reason),
        )


def _hint(reason: str) -> str:
    if re.search(r"AccessDenied|not authorized|Access Denied|Insufficient permissions", reason):
        return "The caller needs what docs/athena.md lists: the log files, the catalogue, the place of the results."
    if re.search(r"HIVE_CURSOR_ERROR|HIVE_BAD_DATA|HIVE_CANNOT_OPEN_SPLIT", reason):
        return "A log file is broken, and Athena passes none over: read the files on this machine, which does."
    if "output" in reason.lower():
        return OUTPUT
    return "Look it up in Athena's console under the query's id."
