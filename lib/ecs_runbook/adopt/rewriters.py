"""Who writes the revision into a target at every deploy, so that un-pinning it in Terraform alone would be undone."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ecs_runbook.adopt.existing import Existing
from ecs_runbook.errors import AwsError, Fault, SpecError
from ecs_runbook.firing.asking import Asking, Bars, Limiter
from ecs_runbook.firing.calls import moment, records
from ecs_runbook.firing.names import Definition, definition
from ecs_runbook.session import AWS_PACE, Pace

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_cloudtrail import CloudTrailClient

WHO_COLUMNS = ["of", "who", "program", "wrote_last", "at", "writings"]
FEWEST = 2
"""So many writings with a rising revision are a habit; one is a change."""
_AGENT = 80
_LONGEST_DAYS = 89


@dataclass(frozen=True)
class Writing:
    """
    One call that wrote a target.

    Attributes
    ----------
    of
        The label of the rule with the target's id, or of the schedule.
    who
        ARN of the role whose session called, or of the user.
    agent
        The program, as it calls itself.
    """

    of: str
    time: datetime
    who: str
    agent: str
    wrote: Definition


@dataclass(frozen=True)
class Rewriter:
    """Who wrote a rising revision into a target, again and again: oldest first."""

    of: str
    who: str
    writings: tuple[Writing, ...]

    def __str__(self) -> str:
        last = self.writings[-1]
        wrote = ", ".join(str(one.wrote) for one in self.writings[-3:])
        agent = last.agent if len(last.agent) <= _AGENT else last.agent[:_AGENT] + "…"
        return f"{self.of}: {self.who} ({agent}) wrote {wrote}, last on {last.time:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class Who:
    """
    Who rewrites the targets.

    Attributes
    ----------
    rewriters
        By target.
    since
        From when on CloudTrail was asked.
    unknown
        Why CloudTrail did not tell; ``""`` if it did.
    """

    rewriters: tuple[Rewriter, ...]
    since: datetime
    unknown: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """One row a target and who writes it, columns :data:`WHO_COLUMNS`."""
        import pandas as pd

        rows = [
            (
                one.of,
                one.who,
                one.writings[-1].agent,
                str(one.writings[-1].wrote),
                one.writings[-1].time,
                len(one.writings),
            )
            for one in self.rewriters
        ]
        return pd.DataFrame(rows, columns=WHO_COLUMNS)

    def __str__(self) -> str:
        if self.unknown:
            return f"CloudTrail did not tell: {self.unknown}"
        return (
            "; ".join(map(str, self.rewriters))
            or f"since {self.since:%Y-%m-%d} nobody wrote one revision after the other"
        )

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False) if self.rewriters else f"<p>{html.escape(str(self))}</p>"


def who_rewrites(
    things: Sequence[Existing],
    *,
    now: datetime,
    days: float = 30.0,
    cloudtrail: CloudTrailClient,
    pace: Pace = AWS_PACE,
    progress: Bars | None = None,
) -> Who:
    """
    Return who rewrites the targets of *things* with one revision after the other.

    Parameters
    ----------
    things
        From :func:`~ecs_runbook.adopt.existing.existing`.
    now
        Aware.
    days
        How far back it is asked.
    cloudtrail
        A client.
    pace
        How fast CloudTrail may be asked: ``aws.pace`` of the session.
    progress
        Where to show how far back it has told.

    Raises
    ------
    SpecError
        If *days* is more than CloudTrail's history keeps.

    Notes
    -----
    Needs ``cloudtrail:LookupEvents``; if that is refused, ``unknown`` says so. A call that AWS refused wrote nothing.
    Whether CloudTrail keeps what UpdateSchedule was asked for on AWS is not verified; a record without it is passed
    over.
    """
    if not 0 < days <= _LONGEST_DAYS:
        mend = f"write more than 0 and at most {_LONGEST_DAYS}: CloudTrail keeps 90 days"
        raise SpecError("CloudTrail cannot be asked that.", faults=[Fault("trail_days", repr(days), mend)])
    since = now - timedelta(days=days)
    try:
        return Who(tuple(_found(things, since, now, cloudtrail, Limiter(pace.lookups_per_second), progress)), since)
    except AwsError as error:
        return Who((), since, str(error))


def _found(
    things: Sequence[Existing],
    since: datetime,
    now: datetime,
    cloudtrail: CloudTrailClient,
    limiter: Limiter,
    progress: Bars | None,
) -> list[Rewriter]:
    kinds = {one.kind for one in things}
    seen: dict[tuple[str, str], list[Writing]] = defaultdict(list)
    wanted = {of for one in things for of in one.places}
    for name, kind in (("PutTargets", "rule"), ("UpdateSchedule", "schedule")):
        if kind not in kinds:
            continue
        for page in records(name, since=since, cloudtrail=cloudtrail, limiter=limiter, ask=Asking()):
            for writing in (one for record in page for one in writings(record) if one.of in wanted):
                seen[writing.of, writing.who].append(writing)
            # CloudTrail tells the newest first
            back = moment(_mapping(page[-1]).get("eventTime")) if page else None
            if progress and back is not None:
                progress.row(name, min((now - back) / (now - since), 0.99), f"back to {back:%Y-%m-%d %H:%M} UTC")
        if progress:
            progress.row(name, 1.0, f"back to {since:%Y-%m-%d}")
    found = [Rewriter(of, who, tuple(_rising(several))) for (of, who), several in seen.items()]
    return sorted((one for one in found if len(one.writings) >= FEWEST), key=lambda one: one.of)


def _rising(several: Sequence[Writing]) -> list[Writing]:
    """Return the writings whose revision is higher than any before, of the family that was written last."""
    ordered = sorted(several, key=lambda one: one.time)
    kept: list[Writing] = []
    for one in (each for each in ordered if each.wrote.family == ordered[-1].wrote.family):
        if not kept or (one.wrote.revision or 0) > (kept[-1].wrote.revision or 0):
            kept.append(one)
    return kept


def writings(record: object) -> Iterator[Writing]:
    """
    Yield what a record of PutTargets or UpdateSchedule says of revisions that were written; nothing of a refused one.

    Examples
    --------
    >>> record = {"eventName": "PutTargets", "eventTime": "2026-11-24T17:00:12Z", "userAgent": "aws-cli/2.31",
    ...     "userIdentity": {"arn": "arn:aws:iam::111122223333:user/ci"}, "requestParameters": {"rule": "nightly",
    ...     "targets": [{"id": "job", "ecsParameters": {"taskDefinitionArn": "…:task-definition/nightly:7"}}]}}
    >>> [(one.of, str(one.wrote), one.agent) for one in writings(record)]
    [('nightly#job', 'nightly:7', 'aws-cli/2.31')]
    """
    whole = _mapping(record)
    asked, time = _mapping(whole.get("requestParameters")), moment(whole.get("eventTime"))
    if time is None or whole.get("errorCode") or not asked:
        return
    identity = _mapping(whole.get("userIdentity"))
    issuer = _mapping(_mapping(identity.get("sessionContext")).get("sessionIssuer"))
    who, agent = str(issuer.get("arn") or identity.get("arn") or "somebody"), str(whole.get("userAgent") or "")
    for of, target in _targets(str(whole.get("eventName")), asked):
        named = _field(_mapping(_field(target, "ecsParameters")), "taskDefinitionArn")
        wrote = definition(named) if isinstance(named, str) else None
        if wrote is not None and wrote.revision is not None:
            yield Writing(of, time, who, agent, wrote)


def _targets(name: str, asked: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if name == "PutTargets":
        label = _label(str(_field(asked, "rule")), str(_field(asked, "eventBusName") or "default").rpartition("/")[2])
        several = _field(asked, "targets")
        for target in several if isinstance(several, list) else []:
            yield f"{label}#{_field(_mapping(target), 'id')}", _mapping(target)
    elif name == "UpdateSchedule":
        label = _label(str(_field(asked, "name")), str(_field(asked, "groupName") or "default"))
        yield label, _mapping(_field(asked, "target"))


def _label(name: str, group: str) -> str:
    return name if group == "default" else f"{group}/{name}"


def _field(told: Mapping[str, Any], name: str) -> Any:
    """Return a member that CloudTrail writes with a small first letter, and some services with a capital one."""
    return told.get(name, told.get(name[0].upper() + name[1:]))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
