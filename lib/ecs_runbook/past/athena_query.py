"""One query of Athena: started, waited for, stopped if nobody waits any more, and its results, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.firing.asking import Asking

PAGE = 1000  # Source: botocore athena GetQueryResults (verified)
OUTPUT = "Give a place for Athena's results, s3://bucket/prefix in Athena's Region, or a workgroup that has one."
_DONE = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


@dataclass(frozen=True)
class Done:
    """
    A query that has ended.

    Attributes
    ----------
    id, state
        Athena's own; the state is SUCCEEDED, FAILED or CANCELLED.
    reason
        Athena's words where it did not succeed.
    scanned
        Bytes that were read, as they lie in S3: what is paid for.
    seconds
        How long it ran.
    """

    id: str
    state: str
    reason: str = ""
    scanned: int = 0
    seconds: float = 0.0


class Queries:
    """
    Where queries are run.

    Parameters
    ----------
    athena
        A client of Athena.
    ask
        Who makes the calls; it waits throttling out.
    output
        ``s3://bucket/prefix`` for the results; empty for that of the workgroup.
    workgroup
        Its name.
    sleep, poll_seconds
        How to wait, and how long between two looks.
    patience_seconds
        After so long a query that has not ended is stopped.

    Notes
    -----
    Needs ``athena:StartQueryExecution``, ``athena:GetQueryExecution``, ``athena:GetQueryResults`` and
    ``athena:StopQueryExecution``; and what Athena does in the caller's name: reading the log files and the catalogue
    (``glue:GetDatabase``, ``glue:GetTable``; ``glue:CreateDatabase`` and ``glue:CreateTable`` the first time), writing
    and reading the results.
    """

    def __init__(
        self,
        athena: Any,
        ask: Asking,
        *,
        output: str = "",
        workgroup: str = "primary",
        sleep: Callable[[float], object],
        poll_seconds: float,
        patience_seconds: float,
    ) -> None:
        self.athena, self._ask = athena, ask
        self._more: dict[str, Any] = {"WorkGroup": workgroup}
        if output:
            self._more["ResultConfiguration"] = {"OutputLocation": output}
        self._sleep, self._poll, self._patience = sleep, poll_seconds, patience_seconds

    def run(self, sql: str, *, look: Callable[[Done], str] = lambda _: "") -> Done:
        """
        Run a query to its end, whatever that is. Whoever interrupts the waiting stops it.

        Parameters
        ----------
        look
            Called with each look at it; returns why it is to be stopped, or nothing.

        Raises
        ------
        AwsError
            If Athena takes no such query, or has nowhere to write its results to.
        EvidenceError
            If it was stopped for what *look* says, or had not ended in time.
        """
        start = self.athena.start_query_execution
        try:
            told = self._ask("athena:StartQueryExecution", start, QueryString=sql, **self._more)
        except AwsError as error:
            hint = error.hint or (OUTPUT if "output" in error.words.lower() else "")
            raise AwsError(error.operation, error.code, error.words, hint=hint) from error
        query = str(told["QueryExecutionId"])
        try:
            return self._end_of(query, look)
        except BaseException:
            # past the gate, which lets nothing through any more after an interrupt; and what led here is to be told
            with suppress(BotoCoreError, ClientError):
                self.athena.stop_query_execution(QueryExecutionId=query)
            raise

    def rows(self, query: str) -> Iterator[list[dict[str, str | None]]]:
        """
        Yield the rows of a query that succeeded, page by page, each by the names of its columns.

        Source: AWS docs, GetQueryResults: the first row of the first page of a SELECT has the names (verified); a value
        that is null has no ``VarCharValue`` (seen in boto3's answers).
        """
        names: list[str] = []
        for page in self._ask.pages(
            "athena:GetQueryResults", self.athena.get_query_results, QueryExecutionId=query, MaxResults=PAGE
        ):
            rows = [[one.get("VarCharValue") for one in row.get("Data", [])] for row in page["ResultSet"]["Rows"]]
            if not names:
                names = [str(name) for name in rows.pop(0)] if rows else []
            yield [dict(zip(names, row, strict=False)) for row in rows]

    def _end_of(self, query: str, look: Callable[[Done], str]) -> Done:
        waited = 0.0
        while True:
            done = _read(
                query,
                self._ask("athena:GetQueryExecution", self.athena.get_query_execution, QueryExecutionId=query),
            )
            if done.state in _DONE:
                return done
            if why := look(done):
                raise EvidenceError(f"Athena's query {query} was stopped: {why}.", hint=_LESS)
            if waited >= self._patience:
                raise EvidenceError(
                    f"Athena's query {query} was {done.state} after {waited:.0f} seconds, and was stopped.",
                    hint="Look whether other queries of the account are in its way, and try again.",
                )
            self._sleep(self._poll)
            waited += self._poll


_LESS = "Ask for fewer days, accounts or Regions, or raise most_dollars."


def _read(query: str, told: dict[str, Any]) -> Done:
    whole = told["QueryExecution"]
    status, statistics = whole.get("Status", {}), whole.get("Statistics", {})
    return Done(
        query,
        str(status.get("State", "")),
        str(status.get("StateChangeReason") or status.get("AthenaError", {}).get("ErrorMessage") or ""),
        int(statistics.get("DataScannedInBytes", 0)),
        int(statistics.get("TotalExecutionTimeInMillis", 0)) / 1000,
    )
