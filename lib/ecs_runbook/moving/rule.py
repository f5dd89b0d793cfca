"""A rule with a schedule, and what has to be known of it to move its job: targets, tags, roles, queues, last run."""

from __future__ import annotations

import difflib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.evidence.dead_letters import attributes, why_not
from ecs_runbook.firing.asking import Asking, Limiter
from ecs_runbook.firing.calls import look_up, moment, records
from ecs_runbook.firing.names import definition, started_by
from ecs_runbook.moving.names import REVISION
from ecs_runbook.session import AWS_PACE, Pace
from ecs_runbook.wanted.schedule import Rate, parse

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

_LONGEST_LOOK = timedelta(days=89)  # CloudTrail's history keeps 90


@dataclass(frozen=True)
class Found:
    """
    A rule as AWS has it.

    Attributes
    ----------
    rule
        As DescribeRule tells it.
    targets, others
        Its targets that run an ECS task, as ListTargetsByRule tells them, and those that do something else.
    tags
        The rule's.
    roles
        By task definition, as the targets name it and by its family: the roles that it gives to ECS.
    queues
        By ARN of a dead-letter queue: the key that it is encrypted with, ``""`` for none of one's own.
    last
        When a rate fired last, or, if nobody saw that, when the rule was made; None of a cron, or if it is not known.
    made
        Whether ``last`` is when the rule was made.
    unknown
        What AWS did not let us see, and why: by the name of a task definition, the ARN of a queue, ``tags``, ``last``.
    """

    rule: Mapping[str, Any]
    targets: tuple[Mapping[str, Any], ...]
    others: tuple[Mapping[str, Any], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    last: datetime | None = None
    made: bool = False
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The rule's name."""
        return str(self.rule["Name"])

    @property
    def expression(self) -> str:
        """``cron(…)`` or ``rate(…)``, read in UTC."""
        return str(self.rule["ScheduleExpression"])

    @property
    def enabled(self) -> bool:
        """Whether it fires."""
        return self.rule.get("State") != "DISABLED"

    @property
    def is_rate(self) -> bool:
        """Whether it counts from when it was made, and not by the clock."""
        return self.expression.startswith("rate(")

    @property
    def partition(self) -> str:
        """``aws``, or that of China or of the governments."""
        return str(self.rule["Arn"]).split(":")[1]

    @property
    def region(self) -> str:
        """Where the rule is."""
        return str(self.rule["Arn"]).split(":")[3]

    @property
    def account(self) -> str:
        """Whose the rule is, 12 digits."""
        return str(self.rule["Arn"]).split(":")[4]

    def __str__(self) -> str:
        state = "on" if self.enabled else "off"
        others = f", {len(self.others)} that do something else" if self.others else ""
        runs_of = ", ".join(str(one["EcsParameters"]["TaskDefinitionArn"]).rsplit("/", 1)[-1] for one in self.targets)
        several = "s" if len(self.targets) > 1 else ""
        return f"{self.name}: {self.expression}, {state}; {len(self.targets)} ECS target{several} ({runs_of}){others}"

    def _repr_html_(self) -> str:
        unseen = "".join(f"<li>{html.escape(what)}: {html.escape(why)}</li>" for what, why in self.unknown.items())
        return f"<p>{html.escape(str(self))}</p>" + (f"<p>Not seen:</p><ul>{unseen}</ul>" if unseen else "")


def scheduled_rule(
    name: str,
    *,
    now: datetime,
    events: EventBridgeClient,
    ecs: ECSClient,
    sqs: SQSClient,
    cloudtrail: CloudTrailClient,
    pace: Pace = AWS_PACE,
    ask: Asking | None = None,
) -> Found:
    """
    Read the rule *name* of the default bus, for moving its job to EventBridge Scheduler.

    Parameters
    ----------
    name
        A rule with a schedule; on other buses there are none.
    now
        Aware; a rate's last run is looked for before it.
    events, ecs, sqs, cloudtrail
        The clients.
    pace
        How fast CloudTrail may be asked: ``aws.pace`` of the session.

    Raises
    ------
    EvidenceError
        If there is no such rule, it has no schedule, an AWS service manages it, or no target of it runs an ECS task.
    AwsError
        If EventBridge refuses to describe it or its targets.

    Notes
    -----
    Needs ``events:DescribeRule`` and ``events:ListTargetsByRule``. Better with ``events:ListTagsForResource``,
    ``ecs:DescribeTaskDefinition``, for a dead-letter queue ``sqs:GetQueueUrl`` and ``sqs:GetQueueAttributes``, and for
    a rate ``cloudtrail:LookupEvents``: what is refused of these stands in ``unknown``. Of a name that is not known,
    ``events:ListRules`` gives the nearest.

    Source: AWS docs, "Creating a rule that runs on a schedule": a rate starts when its rule is created (verified).
    """
    ask = ask or Asking()
    rule = _described(name, events, ask)
    every = every_target(name, events=events, ask=ask)
    targets = tuple(one for one in every if one.get("EcsParameters"))
    others = tuple(one for one in every if not one.get("EcsParameters"))
    if not targets:
        has = f"{len(others)} targets of other kinds" if others else "no target"
        raise EvidenceError(f"rule = {name!r}: none of its targets runs an ECS task; it has {has}.")
    unknown: dict[str, str] = {}
    tags = _tags(rule, events, ask, unknown)
    roles = _roles(targets, ecs, ask, unknown)
    queues = _queues(targets, sqs, ask, unknown)
    found = Found(rule, targets, others, tags, roles, queues, unknown=unknown)
    if not (found.is_rate and found.enabled):
        return found
    last, made = _last(found, now, unknown, cloudtrail=cloudtrail, pace=pace, ask=ask)
    return Found(rule, targets, others, tags, roles, queues, last, made, unknown)


def told_of_rule(name: str, *, events: EventBridgeClient, ask: Asking, bus: str = "default") -> dict[str, Any]:
    """Return the rule *name* of *bus* as DescribeRule tells it. Needs ``events:DescribeRule``."""
    told = ask("events:DescribeRule", events.describe_rule, Name=name, EventBusName=bus)
    return {key: value for key, value in told.items() if key != "ResponseMetadata"} | {"Name": name}


def every_target(name: str, *, events: EventBridgeClient, ask: Asking, bus: str = "default") -> list[Mapping[str, Any]]:
    """Return all targets of the rule *name* of *bus*, of every kind. Needs ``events:ListTargetsByRule``."""
    pages = ask.pages("events:ListTargetsByRule", events.list_targets_by_rule, Rule=name, EventBusName=bus)
    return [target for page in pages for target in page.get("Targets", [])]


def tags_of(arn: str, *, events: EventBridgeClient, ask: Asking) -> dict[str, str]:
    """Return the tags of the rule with this ARN. Needs ``events:ListTagsForResource``."""
    told = ask("events:ListTagsForResource", events.list_tags_for_resource, ResourceARN=arn)
    return {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}


def _described(name: str, events: EventBridgeClient, ask: Asking) -> Mapping[str, Any]:
    try:
        told = told_of_rule(name, events=events, ask=ask)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        why = f"rule = {name!r}: there is no such rule on the default bus, and no other bus has scheduled ones."
        raise EvidenceError(why, hint=_nearest(name, events, ask)) from error
    if not told.get("ScheduleExpression"):
        hint = "EventBridge Scheduler runs things at times, not for events: such a rule stays a rule."
        raise EvidenceError(f"rule = {name!r}: it waits for events and has no schedule.", hint=hint)
    if told.get("ManagedBy"):
        hint = "Change it where that service is told what to do."
        raise EvidenceError(
            f"rule = {name!r}: {told['ManagedBy']} manages it, and nobody else may change it.", hint=hint
        )
    return told


def _nearest(name: str, events: EventBridgeClient, ask: Asking) -> str:
    try:
        pages = ask.pages("events:ListRules", events.list_rules)
        names = [one["Name"] for page in pages for one in page.get("Rules", []) if one.get("ScheduleExpression")]
    except AwsError:
        return "The names of the rules could not be listed: the caller needs events:ListRules."
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"Nearest: {', '.join(near)}." if near else f"The bus has {len(names)} scheduled rules of other names."


def _tags(rule: Mapping[str, Any], events: EventBridgeClient, ask: Asking, unknown: dict[str, str]) -> dict[str, str]:
    try:
        return tags_of(str(rule["Arn"]), events=events, ask=ask)
    except AwsError as error:
        unknown["tags"] = str(error)
        return {}


def _roles(
    targets: Sequence[Mapping[str, Any]], ecs: ECSClient, ask: Asking, unknown: dict[str, str]
) -> dict[str, tuple[str, ...]]:
    found = {}
    named = [str(one["EcsParameters"]["TaskDefinitionArn"]) for one in targets]
    for name in dict.fromkeys([*named, *(REVISION.sub("", one) for one in named)]):
        try:
            told = ask("ecs:DescribeTaskDefinition", ecs.describe_task_definition, taskDefinition=name)
        except AwsError as error:
            unknown[name] = str(error)
            continue
        definition = told.get("taskDefinition", {})
        has = (definition.get("taskRoleArn"), definition.get("executionRoleArn"))
        found[name] = tuple(dict.fromkeys(role for role in has if role))
    return found


def _queues(
    targets: Sequence[Mapping[str, Any]], sqs: SQSClient, ask: Asking, unknown: dict[str, str]
) -> dict[str, str]:
    found = {}
    for arn in dict.fromkeys((one.get("DeadLetterConfig") or {}).get("Arn", "") for one in targets):
        if not arn:
            continue
        try:
            _, told = attributes(arn, sqs=sqs, ask=ask, more=["KmsMasterKeyId"])
            found[arn] = told.get("KmsMasterKeyId", "")
        except ValueError:
            unknown[arn] = "it is not the ARN of a queue"
        except AwsError as error:
            unknown[arn] = why_not(error)
    return found


def interval(expression: str) -> timedelta:
    """
    Return how often a rate fires; zero for a cron.

    Examples
    --------
    >>> interval("rate(2 hours)")
    datetime.timedelta(seconds=7200)
    """
    rate = parse(expression)
    return timedelta(**{rate.unit.removesuffix("s") + "s": rate.value}) if isinstance(rate, Rate) else timedelta(0)


def _last(
    found: Found, now: datetime, unknown: dict[str, str], *, cloudtrail: CloudTrailClient, pace: Pace, ask: Asking
) -> tuple[datetime | None, bool]:
    """Return when a rate fired last, or when it was made if nobody saw it fire; and whether it is the latter."""
    every = interval(found.expression)
    trail = _Trail(cloudtrail, Limiter(pace.lookups_per_second), ask)
    try:
        seen = trail.runs(found, since=now - min(3 * every + timedelta(minutes=20), _LONGEST_LOOK))
        if not seen:
            made = trail.made(found, since=now - _LONGEST_LOOK)
            if len(made) == 1:
                return made[0], True
            times = "more than once" if made else "longer ago than CloudTrail knows"
            unknown["last"] = f"CloudTrail has no run of it, and the rule was written {times}"
            return None, False
    except AwsError as error:
        unknown["last"] = str(error)
        return None, False
    if len(seen) > 1 and not _whole(seen[-1] - seen[-2], every):
        apart = seen[-1] - seen[-2]
        unknown["last"] = f"its last two runs were {apart} apart, so one of them was late"
        return None, False
    return seen[-1], False


class _Trail(NamedTuple):
    """CloudTrail, and how it is asked."""

    cloudtrail: CloudTrailClient
    limiter: Limiter
    ask: Asking

    def runs(self, found: Found, *, since: datetime) -> list[datetime]:
        """Return when the rule called RunTask, oldest first, each minute once."""
        mine = {definition(str(one["EcsParameters"]["TaskDefinitionArn"])).family for one in found.targets}
        calls = look_up(since=since, cloudtrail=self.cloudtrail, limiter=self.limiter, ask=self.ask)
        return sorted(
            {
                call.time.replace(second=0)
                for call in calls
                if call.time
                and call.by_eventbridge
                and call.started_by == started_by(found.name)
                and definition(call.requested).family in mine
            }
        )

    def made(self, found: Found, *, since: datetime) -> list[datetime]:
        """Return when the rule was written with the expression that it has."""
        times = []
        pages = records("PutRule", since=since, cloudtrail=self.cloudtrail, limiter=self.limiter, ask=self.ask)
        for record in (one for page in pages for one in page if isinstance(one, Mapping)):
            asked, time = record.get("requestParameters"), moment(record.get("eventTime"))
            if time is None or record.get("errorCode") or not isinstance(asked, Mapping):
                continue
            if (asked.get("name"), asked.get("scheduleExpression")) == (found.name, found.expression):
                times.append(time)
        return sorted(times)


def _whole(apart: timedelta, every: timedelta) -> bool:
    rest = apart % every
    return min(rest, every - rest) <= timedelta(minutes=1)
