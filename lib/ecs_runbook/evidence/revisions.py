"""The revisions of a family over time, and which of them was the latest at a moment."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.names import definition

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_ecs import ECSClient

REVISION_COLUMNS = ["family", "revision", "arn", "registered_at", "deregistered_at", "status", "registered_by"]
UNKNOWN_STATUS = "UNKNOWN"
NOT_THERE = frozenset({"ClientException", "InvalidParameterException"})


def revisions(family: str, *, ecs: ECSClient, since: datetime | None = None, ask: Asking | None = None) -> pd.DataFrame:
    """
    Return the revisions of *family* with their times, newest last.

    Parameters
    ----------
    family
        Task definition family, without a revision.
    ecs
        An ECS client.
    since
        Tell no more than is needed to know the latest revision at every moment from here on. Without it, all of them.
    ask
        Who counts the calls.

    Returns
    -------
    pandas.DataFrame
        One row per revision, columns :data:`REVISION_COLUMNS`; times are UTC, ``deregistered_at`` is NaT while ACTIVE.
        What ECS does not tell of a revision stays NaT or ``""``, and a number that it no longer lists between two that
        it does is a row with the status UNKNOWN. An unknown family gives an empty frame with the same columns.

    Raises
    ------
    AwsError
        If ECS refuses, other than by not describing an INACTIVE revision.

    Notes
    -----
    Walks from the newest to the first one that was there at *since* and is ACTIVE still: what is older cannot have been
    the latest since then. Needs ``ecs:ListTaskDefinitions`` and ``ecs:DescribeTaskDefinition``.
    Source: botocore ecs DescribeTaskDefinition (registeredAt, deregisteredAt, registeredBy); AWS's docs disagree on
    whether INACTIVE revisions can always be described.
    """
    ask = ask or Asking()
    rows: list[dict[str, Any]] = []
    for arn, status in listed(family, ecs=ecs, ask=ask):
        row = described(arn, status, ecs=ecs, ask=ask)
        if rows:
            rows += [_unlisted(family, number) for number in range(rows[-1]["revision"] - 1, row["revision"], -1)]
        rows.append(row)
        there = row["registered_at"] is not None and since is not None and row["registered_at"] <= since
        if there and row["status"] == "ACTIVE":
            break
    return frame(rows[::-1])


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return *rows* as a frame with the columns and types of :func:`revisions`."""
    import pandas as pd

    table = pd.DataFrame(rows, columns=REVISION_COLUMNS)
    return table.astype({"revision": "Int64"}).assign(
        registered_at=pd.to_datetime(table["registered_at"], utc=True),
        deregistered_at=pd.to_datetime(table["deregistered_at"], utc=True),
    )


def latest_at(revisions: pd.DataFrame, moment: datetime) -> int | None:
    """
    Return the latest revision that was ACTIVE at *moment*; None if that is not known or if there was none.

    Parameters
    ----------
    revisions
        Of one family, as from :func:`revisions`.
    moment
        Aware.

    Notes
    -----
    The newest that was registered by then and not yet deregistered. If a newer one may have been there too, because ECS
    does not tell its times, the answer is None: it is never guessed.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> first, second = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)
    >>> table = frame([{"revision": 1, "registered_at": first, "status": "ACTIVE"},
    ...                {"revision": 2, "registered_at": second, "status": "ACTIVE"}])
    >>> latest_at(table, datetime(2026, 11, 8, tzinfo=UTC)), latest_at(table, second)
    (1, 2)
    """
    return Steps(revisions.to_dict("records")).latest_at(moment)


class Steps:
    """
    The revisions of one family as steps in time: what :func:`latest_at` asks, for many moments.

    Parameters
    ----------
    rows
        Rows with ``revision``, ``registered_at``, ``deregistered_at`` and ``status``, as those of :func:`revisions`.
    """

    def __init__(self, rows: Iterable[Mapping[Any, Any]]) -> None:
        times = [(int(row["revision"]), *(_told(row.get(name)) for name in _TIMES), row["status"]) for row in rows]
        self._steps: list[_Step] = sorted(times, key=lambda step: step[0], reverse=True)

    def registered_at(self, revision: int) -> datetime | None:
        """Return when *revision* was registered; None if that is not known."""
        return next((registered for number, registered, _, _ in self._steps if number == revision), None)

    def latest_at(self, moment: datetime) -> int | None:
        """Return the latest revision that was ACTIVE at *moment*; None if that is not known or if there was none."""
        for place, (revision, registered, deregistered, status) in enumerate(self._steps):
            if registered is None:
                # Numbers only grow: what is newer than one registered after the moment was registered after it too.
                later = any(below is not None and below > moment for _, below, _, _ in self._steps[place + 1 :])
            else:
                later = registered > moment
            if later or (deregistered is not None and deregistered <= moment):
                continue
            known = registered is not None and (status == "ACTIVE" or deregistered is not None)
            return revision if known else None
        return None


_TIMES = ("registered_at", "deregistered_at")
_Step = tuple[int, datetime | None, datetime | None, str]


def _told(time: Any) -> datetime | None:
    return None if time is None or time != time else time  # NaT is no time, and unlike itself


def listed(family: str, *, ecs: ECSClient, ask: Asking) -> Iterator[tuple[str, str]]:
    """
    Yield ARN and status of each revision, newest first, page by page as they are needed.

    Needs ``ecs:ListTaskDefinitions``.
    """

    def of(status: str) -> Iterator[tuple[str, str]]:
        pages = ask.pages(
            "ecs:ListTaskDefinitions", ecs.list_task_definitions, familyPrefix=family, status=status, sort="DESC"
        )
        # Whether familyPrefix names the family or only begins it, other families are none of ours.
        return (
            (arn, status) for page in pages for arn in page["taskDefinitionArns"] if definition(arn).family == family
        )

    return heapq.merge(of("ACTIVE"), of("INACTIVE"), key=lambda entry: definition(entry[0]).revision or 0, reverse=True)


def described(arn: str, status: str = UNKNOWN_STATUS, *, ecs: ECSClient, ask: Asking) -> dict[str, Any]:
    """
    Return one revision as a row of :func:`revisions`; what ECS does not describe has the *status* given, and no times.

    Needs ``ecs:DescribeTaskDefinition``.
    """
    family, revision = definition(arn)
    try:
        told = ask("ecs:DescribeTaskDefinition", ecs.describe_task_definition, taskDefinition=arn).get(
            "taskDefinition", {}
        )
    except AwsError as error:
        if error.code not in NOT_THERE:
            raise
        told = {}
    return {
        "family": family,
        "revision": revision,
        "arn": arn,
        "registered_at": moment(told.get("registeredAt")),
        "deregistered_at": moment(told.get("deregisteredAt")),
        "status": told.get("status", status),
        "registered_by": told.get("registeredBy", ""),
    }


def _unlisted(family: str, revision: int) -> dict[str, Any]:
    return {"family": family, "revision": revision, "arn": "", "status": UNKNOWN_STATUS, "registered_by": ""}
