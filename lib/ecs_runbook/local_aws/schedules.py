"""
EventBridge Scheduler: schedules that fire; moto has the schedules, and never fires one.

A schedule's role is assumed and RunTask, or a state machine's StartExecution, is called in its name, as for a rule's
target: the templated targets and the universal ones of these two. Others are not invoked. Not verified, and so this
world's own: where in a flexible window it fires, which refusals are tried again, and that the trail shows a templated
target's call as it does a universal target's.
"""

from __future__ import annotations

import json
import logging
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.scheduler.exceptions import ValidationException
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule
from moto.scheduler.responses import EventBridgeSchedulerResponse

from ecs_runbook.errors import RunbookError
from ecs_runbook.local_aws.clock import Entry
from ecs_runbook.local_aws.delivery import Deliveries, GivenUp, Letter, Refusal, Target, refusal_of
from ecs_runbook.local_aws.identity import role_of, service_of
from ecs_runbook.local_aws.invoking import (
    Call,
    Errand,
    Invoking,
    NotAnswered,
    Sender,
    run_task_named,
    run_task_parameters,
)
from ecs_runbook.local_aws.permissions import AccessDenied, require, require_assumable
from ecs_runbook.local_aws.rules import overrides_of
from ecs_runbook.local_aws.world import World, current_call
from ecs_runbook.wanted.schedule import Rate, parse_scheduler, zone_named

_LOG = logging.getLogger(__name__)
SERVICE = "scheduler.amazonaws.com"
RUN_TASK, START_EXECUTION = ":aws-sdk:ecs:runTask", ":aws-sdk:sfn:startExecution"
# Source: a published record of a call made by Scheduler (verified): no invokedBy, a public address, the SDK's name.
_SENDER = Sender(
    SERVICE,
    user_agent="AmazonEventBridgeScheduler, aws-internal/3 aws-sdk-java/2.28.29",
    source_ip="198.51.100.7",
    invoked_by="",
)
_TOO_OLD = timedelta(minutes=5)  # moto, and AWS's words: "cannot be earlier than 5 minutes ago"


class Schedules:
    """The schedules' agenda: which fires when, and what firing means."""

    def __init__(self, world: World, call: Call) -> None:
        self._clock = world.clock
        self._settings = world.settings
        self._calls = Invoking(call, _SENDER)
        self._deliveries = Deliveries(world)
        self._entries: dict[str, Entry] = {}

    # -------- when

    def arm(self, schedule: Schedule, region: str, account: str, *, new: bool = False) -> None:
        """
        Enter the schedule's next firing, in place of the one that was entered.

        Parameters
        ----------
        new
            Whether it has just been made.

        Notes
        -----
        Source: botocore scheduler CreateSchedule: a rate and a cron invoke on or after StartDate and on or before
        EndDate, an ``at`` takes no notice of either (verified). AWS docs, EventBridge Scheduler, "Rate-based
        schedules": StartDate is a rate's first occurrence, and without one it starts at once (verified). That a rate
        which is changed, or enabled later, keeps the minutes of its making is this world's own.
        """
        self.disarm(schedule.arn)
        if schedule.state != "ENABLED":
            return
        moment = self._first(schedule) if new else None
        moment = moment or self._next(schedule)
        if moment is not None:
            late = lateness(schedule, moment)
            due = ScheduleFiring(self, schedule, moment, region, account)
            self._entries[schedule.arn] = self._clock.at(moment + late, lambda: self._due(due))

    def disarm(self, arn: str) -> None:
        """Take the schedule's next firing off the agenda."""
        if (entry := self._entries.pop(arn, None)) is not None:
            entry.cancel()

    def _first(self, schedule: Schedule) -> datetime | None:
        """Return when a rate that was just made starts, if that is at once."""
        rate = isinstance(parse_scheduler(schedule.schedule_expression), Rate)
        return self._clock.now() if rate and not schedule.start_date else None

    def _next(self, schedule: Schedule, after: datetime | None = None) -> datetime | None:
        now = after or self._clock.now()
        expression = parse_scheduler(schedule.schedule_expression)
        zone = zone_named(schedule.schedule_expression_timezone)
        if schedule.schedule_expression.startswith("at("):
            return next(expression.after(now, zone=zone), None)
        starts, ends = _moment(schedule.start_date), _moment(schedule.end_date)
        made = datetime.fromtimestamp(schedule.creation_date, UTC)
        since = max(now, starts - timedelta(seconds=1)) if starts else now
        if isinstance(expression, Rate) and starts and since < starts:
            found: datetime | None = starts
        else:
            found = next(expression.after(since, zone=zone, start=starts or made), None)
        return found if found is not None and (ends is None or found <= ends) else None

    def _due(self, firing: ScheduleFiring) -> None:
        schedule = firing.schedule
        following = self._next(schedule, after=firing.due)
        if following is None and schedule.action_after_completion == "DELETE":
            firing.completes = True
            backend = _backend(firing.account, firing.region)
            self._clock.at(self._clock.now(), lambda: backend.delete_schedule(schedule.group_name, schedule.name))
        elif following is not None:
            after = ScheduleFiring(self, schedule, following, firing.region, firing.account)
            due = max(following + lateness(schedule, following), self._clock.now())
            self._entries[schedule.arn] = self._clock.at(due, lambda: self._due(after))
        self._deliveries.begin(firing, schedule.target)

    # -------- what then

    def invoke(self, firing: ScheduleFiring, target: Target) -> Refusal | None:
        """Run the target's task in the name of its role; return what refused it."""
        firing.attempts += 1
        firing.execution_id = uuid.uuid4().hex[:16]
        if target.get("Input"):
            target = {**target, "Input": in_context(str(target["Input"]), firing)}
        try:
            asked = calls_of(target, firing.schedule.name)
        except ValueError as error:
            return Refusal("ValidationException", str(error))
        if asked is None:
            _LOG.warning("%s: the local AWS does not invoke %s", firing.label, target["Arn"])
            return None
        session = self._calls.assume(str(target["RoleArn"]), firing.errand)
        if isinstance(session, NotAnswered):
            return self._refused(session)
        answer = self._calls.asked(*asked, firing.errand, session)
        return self._refused(answer) if isinstance(answer, NotAnswered) else None

    def _refused(self, answer: NotAnswered) -> Refusal:
        """Return the refusal with the API's own code, which a schedule's dead letter has."""
        again = refusal_of(answer.status, answer.code, answer.message, retry_refused=self._settings.retry_refused)
        return Refusal(answer.code, answer.message, again.retriable)


@dataclass
class ScheduleFiring:
    """
    One firing of a schedule, which was due at the moment *due*.

    Parameters
    ----------
    attempts, execution_id
        How often its target was invoked by now, and the number of the last time.
    completes
        Whether it is the last, and its schedule says to be deleted then: what is tried again outlives it.
    """

    schedules: Schedules
    schedule: Schedule
    due: datetime
    region: str
    account: str
    attempts: int = 0
    execution_id: str = ""
    completes: bool = False

    @property
    def name(self) -> str:
        """The schedule's."""
        return str(self.schedule.name)

    def again(self) -> ScheduleFiring:
        """Return it as it is delivered another time: of its attempts nothing is known there."""
        return replace(self, attempts=0, execution_id="")

    @property
    def label(self) -> str:
        """How the log names it."""
        return f"schedule {self.schedule.arn}"

    @property
    def errand(self) -> Errand:
        """
        On whose behalf its role is assumed.

        Notes
        -----
        Source: AWS docs, EventBridge Scheduler, "Confused deputy prevention": aws:SourceArn is that of the schedule's
        group (seen).
        """
        partition, group = self.schedule.arn.split(":")[1], self.schedule.group_name
        source = f"arn:{partition}:scheduler:{self.region}:{self.account}:schedule-group/{group}"
        return Errand(source, self.account, self.region)

    def target(self) -> Target | None:
        """Return the target as it is now, or None if its schedule is gone."""
        group = _backend(self.account, self.region).schedule_groups.get(self.schedule.group_name)
        schedule = group.schedules.get(self.schedule.name) if group else None
        if schedule is None and not self.completes:
            return None
        self.schedule = schedule or self.schedule
        found: Target = self.schedule.target
        return found

    def invoke(self, target: Target) -> Refusal | None:
        """Invoke it; return why that could not be."""
        return self.schedules.invoke(self, target)

    def dead_letter(self, target: Target, given_up: GivenUp) -> Letter:
        """
        Return what lies in its dead-letter queue then.

        Notes
        -----
        Source: AWS docs, EventBridge Scheduler, "Configuring a dead-letter queue" (verified); that the body is the
        target's input is not verified.
        """
        attributes = {
            "ERROR_CODE": given_up.last.code,
            "ERROR_MESSAGE": given_up.last.message or given_up.last.code,
            "EXECUTION_ID": self.execution_id,
            "EXHAUSTED_RETRY_CONDITION": given_up.exhausted,
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": str(given_up.retries),
            "SCHEDULED_TIME": _second(self.due),
            "SCHEDULE_ARN": self.schedule.arn,
            "TARGET_ARN": _universal_arn(str(target["Arn"])),
        }
        told = {name: value for name, value in attributes.items() if value}
        body = str(target.get("Input") or "{}")
        return Letter(body, told, self.region, lambda queue: self._barred(queue, str(target["RoleArn"])))

    def _barred(self, queue: Any, role: str) -> str:
        """Ask the role's trust and policies: Scheduler sends in its name (AWS docs, as above)."""
        errand = {"aws:SourceArn": self.errand.source, "aws:SourceAccount": self.account}
        try:
            require_assumable(service_of(SERVICE, self.account), role, errand)
            require(role_of(role, self.account), "sqs:SendMessage", queue.queue_arn)
        except AccessDenied as denied:
            return str(denied.message)
        return ""


def in_context(text: str, firing: ScheduleFiring) -> str:
    """
    Return a target's input with Scheduler's context attributes in their places.

    Notes
    -----
    Source: AWS docs, EventBridge Scheduler, "Adding context attributes" (verified): the scheduled time reads like
    ``2022-03-22T18:59:43Z``, the execution's id is new for each attempt, attempts are counted from 1. That the time is
    the one that was due, also where a flexible window invokes later, is inferred from "the time you specified".
    """
    known = {
        "schedule-arn": firing.schedule.arn,
        "scheduled-time": _second(firing.due),
        "execution-id": firing.execution_id,
        "attempt-number": str(firing.attempts),
    }
    for name, value in known.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _second(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def lateness(schedule: Schedule, due: datetime) -> timedelta:
    """Return how long after *due* a schedule with a flexible window fires: whole minutes within it, always the same."""
    window = schedule.flexible_time_window or {}
    if window.get("Mode") != "FLEXIBLE":
        return timedelta(0)
    minutes = int(window.get("MaximumWindowInMinutes") or 1)
    return timedelta(minutes=zlib.crc32(f"{schedule.arn} {due.isoformat()}".encode()) % minutes)


def calls_of(target: Target, name: str) -> tuple[str, str, dict[str, Any]] | None:
    """
    Return the call that a target stands for: service, operation, parameters; None if it is none that is made here.

    Parameters
    ----------
    name
        The schedule's, for ``startedBy``.

    Raises
    ------
    ValueError
        If the input is no JSON object.

    Examples
    --------
    >>> given = '{"Cluster": "batch", "TaskDefinition": "nightly", "Overrides": {"Cpu": "256"}}'
    >>> calls_of({"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": given}, "nightly")
    ('ecs', 'RunTask', {'cluster': 'batch', 'taskDefinition': 'nightly', 'overrides': {'cpu': '256'}})
    """
    arn, text = str(target["Arn"]), str(target.get("Input") or "{}")
    if target.get("EcsParameters"):
        return "ecs", "RunTask", run_task_parameters(f"chronos-schedule/{name}", target, overrides_of(target, {}))
    if ":states:" in arn:
        return "stepfunctions", "StartExecution", {"stateMachineArn": arn, "input": text}
    if not arn.endswith((RUN_TASK, START_EXECUTION)):
        return None
    given = json.loads(text)
    if not isinstance(given, Mapping):
        raise ValueError("The input of the target is no JSON object.")  # noqa: TRY004  as a wrong JSON is
    if arn.endswith(RUN_TASK):
        return "ecs", "RunTask", run_task_named(given)
    machine = given.get("StateMachineArn") or given.get("stateMachineArn")
    asked = {"stateMachineArn": machine, "input": given.get("Input") or given.get("input") or "{}"}
    return "stepfunctions", "StartExecution", asked


def _universal_arn(arn: str) -> str:
    """Return a target as a dead letter has it, also of a templated one: ``arn:aws:scheduler:::aws-sdk:ecs:runTask``."""
    sfn = ":states:" in arn or arn.endswith(START_EXECUTION)
    return f"arn:{arn.split(':')[1]}:scheduler::{START_EXECUTION if sfn else RUN_TASK}"


def _moment(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return datetime.fromisoformat(str(value)).astimezone(UTC)


def _backend(account: str, region: str) -> EventBridgeSchedulerBackend:
    from moto.scheduler.models import scheduler_backends

    return scheduler_backends[account][region]


def install(world: World) -> None:
    """Let schedules fire, by the world's clock, and CreateSchedule refuse what AWS refuses."""
    from ecs_runbook.local_aws.server import call

    schedules = Schedules(world, call)
    _wrap_changes(world, schedules)
    _list_as_aws_does()


def _wrap_changes(world: World, schedules: Schedules) -> None:
    create, update = EventBridgeSchedulerBackend.create_schedule, EventBridgeSchedulerBackend.update_schedule
    create_group = EventBridgeSchedulerBackend.create_schedule_group
    delete, delete_group = (
        EventBridgeSchedulerBackend.delete_schedule,
        EventBridgeSchedulerBackend.delete_schedule_group,
    )

    def validate_start(self: Schedule, start_date: Any) -> Any:
        starts = _moment(start_date)
        if starts and "*" in self.schedule_expression and world.clock.now() - starts > _TOO_OLD:
            raise ValidationException("The StartDate you specify cannot be earlier than 5 minutes ago.")
        return start_date

    def create_schedule(self: EventBridgeSchedulerBackend, **asked: Any) -> Schedule:
        _check(asked)
        self.get_schedule_group(asked.get("group_name"))  # moto fails where there is none
        schedule = create(self, **asked)
        schedule.creation_date = schedule.last_modified_date = world.clock.now().timestamp()
        schedule.action_after_completion = schedule.action_after_completion or "NONE"
        schedules.arm(schedule, self.region_name, self.account_id, new=True)
        return schedule

    def update_schedule(self: EventBridgeSchedulerBackend, **asked: Any) -> Schedule:
        _check(asked)
        schedule = update(self, **asked)
        # Source: botocore scheduler UpdateSchedule: what is left out is set to its default (verified).
        schedule.state = schedule.state or "ENABLED"
        schedule.action_after_completion = current_call.get().params.get("ActionAfterCompletion") or "NONE"
        schedule.last_modified_date = world.clock.now().timestamp()
        schedules.arm(schedule, self.region_name, self.account_id)
        return schedule

    def create_schedule_group(self: EventBridgeSchedulerBackend, name: str, tags: Any) -> Any:
        # Source: botocore scheduler CreateScheduleGroup, ConflictException (verified); the words are not. moto puts an
        # empty group in its place.
        if name in self.schedule_groups:
            raise JsonRESTError("ConflictException", f"Schedule group {name} already exists.")
        return create_group(self, name, tags)

    def delete_schedule(self: EventBridgeSchedulerBackend, group_name: str | None, name: str) -> None:
        schedules.disarm(self.get_schedule(group_name, name).arn)
        delete(self, group_name, name)

    def delete_schedule_group(self: EventBridgeSchedulerBackend, name: str | None) -> None:
        for schedule in self.get_schedule_group(name).schedules.values():
            schedules.disarm(schedule.arn)
        delete_group(self, name)

    Schedule._validate_start_date = validate_start
    for operation in (create_schedule, update_schedule, create_schedule_group, delete_schedule, delete_schedule_group):
        setattr(EventBridgeSchedulerBackend, operation.__name__, operation)


def _check(asked: Mapping[str, Any]) -> None:
    """Refuse an expression and a zone that are none. Which words AWS has for either is seen in public issues."""
    expression, zone = asked["schedule_expression"], asked.get("schedule_expression_timezone") or "UTC"
    try:
        parse_scheduler(expression)
    except RunbookError as error:
        raise ValidationException(f"Invalid Schedule Expression {expression}.") from error
    try:
        zone_named(zone)
    except RunbookError as error:
        raise ValidationException("Provided ScheduleExpressionTimezone is not valid.") from error


def _list_as_aws_does() -> None:
    """Page by a hundred at most, and leave out what a schedule does not have."""
    get = EventBridgeSchedulerResponse.get_schedule

    def get_schedule(self: EventBridgeSchedulerResponse) -> str:
        told = json.loads(get(self))
        return json.dumps({name: value for name, value in told.items() if value is not None})

    EventBridgeSchedulerResponse.get_schedule = get_schedule
