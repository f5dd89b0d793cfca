"""StartExecution calls as CloudTrail wrote them down: who started which execution, or was refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.firing.asking import Asking, Limiter
from ecs_runbook.firing.calls import moment, records

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient

NAME = "StartExecution"


@dataclass(frozen=True)
class Start:
    """
    One StartExecution call, as far as its record tells. What the record does not tell is ``""`` or None.

    Attributes
    ----------
    event_id
        CloudTrail's id of the record.
    time
        When the call was made, to the second.
    role
        ARN of the role whose session called: for a schedule, its target's role.
    machine, execution
        ARNs of the state machine, and of the execution that was started.
    error_code, error_message
        The refusal, in AWS's words.
    raw
        The whole record.
    """

    event_id: str
    time: datetime | None
    role: str
    machine: str
    execution: str = ""
    error_code: str = ""
    error_message: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def refused(self) -> bool:
        """Whether AWS answered with an error."""
        return bool(self.error_code or self.error_message)

    def may_be_of(self, machine: str, role: str) -> bool:
        """Say whether it can be a call of *role* for *machine*, which a refusal may name in its words alone."""
        if self.role != role:
            return False
        return self.machine == machine if self.machine else machine in self.error_message


def read_start(record: object) -> Start | None:
    """
    Read one CloudTrail record; None if it is not one of StartExecution. Never fails, whatever it holds.

    Examples
    --------
    >>> start = read_start({"eventName": "StartExecution", "requestParameters": {"stateMachineArn": "m"},
    ...     "responseElements": {"executionArn": "e"}})
    >>> start.machine, start.execution, start.refused
    ('m', 'e', False)
    """
    whole = _mapping(record)
    if whole.get("eventName") != NAME or whole.get("eventSource", "states.amazonaws.com") != "states.amazonaws.com":
        return None
    issuer = _mapping(_mapping(_mapping(whole.get("userIdentity")).get("sessionContext")).get("sessionIssuer"))
    return Start(
        event_id=_text(whole.get("eventID")),
        time=moment(whole.get("eventTime")),
        role=_text(issuer.get("arn")),
        machine=_text(_mapping(whole.get("requestParameters")).get("stateMachineArn")),
        execution=_text(_mapping(whole.get("responseElements")).get("executionArn")),
        error_code=_text(whole.get("errorCode")),
        error_message=_text(whole.get("errorMessage")),
        raw=whole,
    )


def look_up_starts(
    *, since: datetime, until: datetime | None = None, cloudtrail: CloudTrailClient, ask: Asking, limiter: Limiter
) -> Iterator[Start]:
    """
    Yield the StartExecution calls of a time range as CloudTrail pages them, each once.

    Raises
    ------
    AwsError
        If CloudTrail refuses, throttling only after it was waited out six times.

    Notes
    -----
    Needs ``cloudtrail:LookupEvents``: one call for 50 executions that anybody started in the account and Region.
    Source: AWS docs, Step Functions and CloudTrail: StartExecution is a management event (seen); that the record of a
    refused call has no parameters: as for other calls refused with AccessDenied (inferred).
    """
    seen: set[str] = set()
    oldest = since.replace(microsecond=0)
    for page in records(NAME, since=since, until=until, cloudtrail=cloudtrail, ask=ask, limiter=limiter):
        for record in page:
            start = read_start(record)
            if start is None or start.event_id in seen or (start.time and start.time < oldest):
                continue
            seen.update([start.event_id] if start.event_id else [])
            yield start


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
