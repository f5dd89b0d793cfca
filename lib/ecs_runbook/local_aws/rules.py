"""
EventBridge: rules that fire targets, on their schedule or for an event; moto has the rules, and never fires one.

A target's role is assumed and RunTask is called in its name, through the server like any other call: IAM judges it and
the trail records it. What becomes of a call that fails is decided in :mod:`~ecs_runbook.local_aws.delivery`.
"""

from __future__ import annotations

import copy
import json
import logging
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.validate import ParamValidator
from moto.core.utils import get_service_model
from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend, Rule, events_backends
from moto.events.utils import PAGINATION_MODEL
from moto.sqs.exceptions import QueueDoesNotExist

from ecs_runbook.errors import ScheduleError
from ecs_runbook.local_aws.clock import Entry
from ecs_runbook.local_aws.delivery import (
    MOST_RETRIES,
    OLDEST,
    Deliveries,
    GivenUp,
    Letter,
    Refusal,
    Target,
    refusal_of,
)
from ecs_runbook.local_aws.invoking import Call, Errand, Invoking, NotAnswered, Sender, run_task_parameters
from ecs_runbook.local_aws.log_group_target import is_log_group, kept
from ecs_runbook.local_aws.policy import Policy, Principal, decide_resource
from ecs_runbook.local_aws.task_life import Task, generation, life_of
from ecs_runbook.local_aws.world import World
from ecs_runbook.wanted.schedule import parse

_LOG = logging.getLogger(__name__)
SERVICE = "events.amazonaws.com"
_SENDER = Sender(SERVICE, user_agent=SERVICE, source_ip=SERVICE, invoked_by=SERVICE)
_PAGE = 100  # botocore events ListRules, ListTargetsByRule (verified)
# A rule that runs a task for every task's change feeds itself. AWS would go on, and send the bill.
_GENERATIONS = 5

Event = dict[str, Any]


@dataclass(frozen=True)
class News:
    """
    What a service tells of itself.

    Parameters
    ----------
    source, kind
        ``aws.ecs`` and ``ECS Task State Change``.
    subject
        The ARN of what it is about.
    detail
        Makes the event's, if somebody hears it.
    """

    source: str
    kind: str
    subject: str
    detail: Callable[[], dict[str, Any]]


class Rules:
    """The rules' agenda: which rule fires when, and what firing means."""

    def __init__(self, world: World, call: Call) -> None:
        self._clock = world.clock
        self._settings = world.settings
        self._calls = Invoking(call, _SENDER)
        self._deliveries = Deliveries(world)
        self._entries: dict[str, Entry] = {}
        self._starts: dict[str, tuple[str, datetime]] = {}

    # -------- when

    def arm(self, rule: Rule) -> None:
        """
        Enter the rule's next firing, in place of the one that was entered.

        Notes
        -----
        Source: AWS docs, "Creating a rule that runs on a schedule": schedules are UTC, only on the default bus, and a
        rate starts when the rule is created (verified). Here PutRule with the same expression does not start it anew.
        """
        self.disarm(rule.arn)
        expression = rule.scheduled_expression
        if not expression or rule.state == "DISABLED" or rule.event_bus_name != "default":
            return
        now = self._clock.now()
        if self._starts.get(rule.arn, ("", now))[0] != expression:
            self._starts[rule.arn] = (expression, now)
        moment = next(parse(expression).after(now, start=self._starts[rule.arn][1]), None)
        if moment is not None:
            self._entries[rule.arn] = self._clock.at(moment, lambda: self._due(rule))

    def disarm(self, arn: str) -> None:
        """Take the rule's next firing off the agenda."""
        if (entry := self._entries.pop(arn, None)) is not None:
            entry.cancel()

    def forget(self, arn: str) -> None:
        """Take a deleted rule off the agenda, and with it when its rate began."""
        self.disarm(arn)
        self._starts.pop(arn, None)

    def _due(self, rule: Rule) -> None:
        self.arm(rule)
        event = self._event(rule, source="aws.events", kind="Scheduled Event", resources=[rule.arn], detail={})
        self._deliver(rule, list(rule.targets), event)

    # -------- for which event

    def heard(self, rule: Rule, event: Event) -> None:
        """
        Fire *rule* if *event* matches its pattern: once the call that brought the event has been answered.

        A disabled rule, and one that has a schedule alone, hears nothing; moto asks neither.
        """
        if rule.state == "DISABLED" or not heeds(rule, event["source"]) or not rule.event_pattern.matches_event(event):
            return
        targets, heir = list(rule.targets), generation.get()
        self._clock.at(self._clock.now(), lambda: self._deliver(rule, targets, event, heir))

    def changed(self, task: Task) -> None:
        """
        Put a task's change on the default bus.

        Notes
        -----
        Source: AWS docs, "Amazon ECS task state change events"; the attachment's type is ``eni`` there (verified).
        """

        def detail() -> dict[str, Any]:
            told: dict[str, Any] = _plain({**task.described(tags=False), "updatedAt": self._clock.now()})
            for attachment in told["attachments"]:
                attachment["type"] = "eni"
            return told

        place = task.backend.account_id, task.backend.region_name
        news = News("aws.ecs", "ECS Task State Change", task.task_arn, detail)
        self.announce(news, place, task.generation)

    def announce(self, news: News, place: tuple[str, str], began: int) -> None:
        """
        Put what a service tells of itself on the default bus of an account and Region.

        Parameters
        ----------
        began
            How many events led to what it tells of.
        """
        account, region = place
        backend = events_backends[account][region]
        rules = [rule for rule in backend.event_buses["default"].rules.values() if heeds(rule, news.source)]
        if not rules:
            return
        heir = began + 1
        if heir > _GENERATIONS:
            _LOG.warning("%s was started by a chain of %d events: its own are not heard", news.subject, heir)
            return
        detail = news.detail()
        before = generation.set(heir)
        try:
            for rule in rules:
                event = self._event(
                    rule, source=news.source, kind=news.kind, resources=[news.subject], detail=copy.deepcopy(detail)
                )
                self.heard(rule, event)
        finally:
            generation.reset(before)

    def _event(self, rule: Rule, *, source: str, kind: str, resources: list[str], detail: dict[str, Any]) -> Event:
        now = self._clock.now().timestamp()
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": kind,
            "source": source,
            "account": rule.account_id,
            "time": now,
            "region": rule.region_name,
            "resources": resources,
            "detail": detail,
            "ingestion-time": now,
        }

    # -------- what then

    def _deliver(self, rule: Rule, targets: list[dict[str, Any]], event: Event, heir: int = 0) -> None:
        for target in targets:
            self._deliveries.begin(RuleFiring(self, rule, str(target["Id"]), event), target, heir)

    def invoke(self, rule: Rule, target: Target, event: Event) -> Refusal | None:
        """
        Invoke a target: a task's, a state machine's or Firehose's in the name of its role; return what refused that.

        An answer that has failures[] alone is delivered, and neither retried nor a dead letter (inferred).
        """
        try:
            asked = call_of(rule, target, event)
        except ValueError as error:
            return Refusal("INVALID_JSON", str(error))
        if asked is None and is_log_group(target):
            return kept(rule, target, text_for(rule, target, event), self._clock.now())
        if asked is None:
            return _by_moto(rule, target, event)
        role = target.get("RoleArn") or rule.role_arn
        if not role:
            return Refusal("NO_PERMISSIONS", "The target has no role.")
        # That aws:SourceArn is the rule's ARN is not verified.
        errand = Errand(rule.arn, rule.account_id, rule.region_name)
        session = self._calls.assume(role, errand)
        if isinstance(session, NotAnswered):
            return self._refused(session)
        answer = self._calls.asked(*asked, errand, session)
        return self._refused(answer) if isinstance(answer, NotAnswered) else None

    def _refused(self, answer: NotAnswered) -> Refusal:
        return refusal_of(answer.status, answer.code, answer.message, retry_refused=self._settings.retry_refused)


@dataclass
class RuleFiring:
    """A rule's firing of one of its targets."""

    rules: Rules
    rule: Rule
    target_id: str
    event: Event

    @property
    def label(self) -> str:
        """How the log names it."""
        return f"rule {self.rule.arn}, target {self.target_id}"

    @property
    def name(self) -> str:
        """The rule's."""
        return str(self.rule.name)

    def again(self) -> RuleFiring:
        """Return it as it is delivered another time: with the same event."""
        return copy.copy(self)

    def target(self) -> Target | None:
        """Return the target as it is now, or None if it or its rule is gone."""
        old = self.rule
        bus = events_backends[old.account_id][old.region_name].event_buses.get(old.event_bus_name)
        rule = bus.rules.get(old.name) if bus else None
        if rule is None:
            return None
        self.rule = rule
        return next((target for target in rule.targets if target["Id"] == self.target_id), None)

    def invoke(self, target: Target) -> Refusal | None:
        """Invoke it; return why that could not be."""
        return self.rules.invoke(self.rule, target, self.event)

    def dead_letter(self, target: Target, given_up: GivenUp) -> Letter:
        """
        Return what lies in its dead-letter queue then.

        Notes
        -----
        Source: AWS docs, "Retry policy and using dead-letter queues" (verified); that ERROR_MESSAGE is the API's
        message alone is not verified.
        """
        attributes = {
            "RULE_ARN": str(self.rule.arn),
            "TARGET_ARN": str(target["Arn"]),
            "ERROR_CODE": given_up.last.code,
            "ERROR_MESSAGE": given_up.last.message or given_up.last.code,
            "RETRY_ATTEMPTS": str(given_up.retries),
            "EXHAUSTED_RETRY_CONDITION": given_up.exhausted,
        }
        told = {name: value for name, value in attributes.items() if value}
        return Letter(body_of(self.event), told, self.rule.region_name, self._barred)

    def _barred(self, queue: Any) -> str:
        """Ask the queue's policy. Source: AWS docs, "Granting permissions to the dead-letter queue" (verified)."""
        context = {
            "aws:SourceArn": str(self.rule.arn),
            "aws:SourceAccount": str(self.rule.account_id),
            "aws:SecureTransport": "true",
        }
        policy, sender = Policy("queue policy", queue.policy or {}), Principal("Service", SERVICE)
        if decide_resource(policy, sender, "sqs:SendMessage", queue.queue_arn, context).allowed:
            return ""
        return f"the policy of the dead-letter queue {queue.queue_arn} does not let {SERVICE} send for this rule"


def body_of(event: Event) -> str:
    """
    Return an event as it is sent.

    That a dead letter has the event also where the target has an Input is not verified.

    Examples
    --------
    >>> body_of({"source": "me", "time": 1764028800.0, "ingestion-time": 1764028800.0})
    '{"source": "me", "time": "2025-11-25T00:00:00Z"}'
    """
    told = {name: value for name, value in event.items() if name != "ingestion-time"}
    if isinstance(told.get("time"), int | float):
        told["time"] = _moment(told["time"])
    return json.dumps(told, ensure_ascii=False)


def heeds(rule: Rule, source: str) -> bool:
    """
    Say whether a rule's pattern can match an event of *source*; one without a pattern hears nothing.

    Each task's change is put to every rule: so what a pattern says of the source is read once.
    """
    pattern = rule.event_pattern
    if not hasattr(pattern, "only_sources"):
        pattern.only_sources = _only_sources(pattern.dump())
    return pattern.only_sources is None or source in pattern.only_sources


def _only_sources(pattern: str | None) -> frozenset[str] | None:
    """Return the sources that a pattern lists; None if it does not list them, or not by their names."""
    if pattern is None:
        return frozenset()
    listed = json.loads(pattern).get("source")
    plain = isinstance(listed, list) and all(isinstance(one, str) for one in listed)
    return frozenset(listed) if plain else None


def call_of(rule: Rule, target: Target, event: Event) -> tuple[str, str, dict[str, Any]] | None:
    """
    Return the call that a target stands for: service, operation, parameters; None if moto is to invoke it.

    Raises
    ------
    ValueError
        If its input is no JSON, or no TaskOverride.
    """
    if ":ecs:" in target["Arn"] and "EcsParameters" in target:
        started_by, overrides = f"events-rule/{rule.name}", overrides_of(target, event, own_variables(rule, event))
        return "ecs", "RunTask", run_task_parameters(started_by, target, overrides)
    if ":states:" in target["Arn"]:
        asked = {"stateMachineArn": target["Arn"], "input": text_for(rule, target, event)}
        return "stepfunctions", "StartExecution", asked
    if ":firehose:" in target["Arn"]:
        record = {"Data": text_for(rule, target, event).encode()}
        return "firehose", "PutRecord", {"DeliveryStreamName": target["Arn"].split("/")[-1], "Record": record}
    return None


def text_for(rule: Rule, target: Target, event: Event) -> str:
    """
    Return what a target is sent: the event, or what it is given instead.

    Raises
    ------
    ValueError
        If its input is no JSON.
    """
    given = input_of(target, event, own_variables(rule, event))
    return body_of(event) if given is None else json.dumps(given)


def own_variables(rule: Rule, event: Event) -> dict[str, Any]:
    """
    Return what a template may name without a path.

    Source: AWS docs, "Transforming Amazon EventBridge target input", "Predefined variables" (verified).
    """
    whole = json.loads(body_of(event))
    return {
        "aws.events.rule-arn": str(rule.arn),
        "aws.events.rule-name": str(rule.name),
        "aws.events.event.ingestion-time": _moment(event.get("ingestion-time")),
        "aws.events.event": {name: part for name, part in whole.items() if name != "detail"},
        "aws.events.event.json": whole,
    }


def overrides_of(
    target: Mapping[str, Any], event: Mapping[str, Any], own: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """
    Return the TaskOverride that a target's Input is, or None.

    Nothing of the event reaches the task unless Input, InputPath or InputTransformer says so.

    Raises
    ------
    ValueError
        If it is no JSON, or no TaskOverride.

    Notes
    -----
    Source: botocore events EcsParameters, PutTargets (verified). Members that a TaskOverride does not have are passed
    over (inferred).

    Examples
    --------
    >>> overrides_of({"Input": '{"containerOverrides": [{"name": "main", "command": ["true"]}]}'}, {})
    {'containerOverrides': [{'name': 'main', 'command': ['true']}]}
    >>> overrides_of({"InputTransformer": {"InputPathsMap": {"n": "$.detail.name"},
    ...     "InputTemplate": '{"containerOverrides": [{"name": <n>}]}'}}, {"detail": {"name": "main"}})
    {'containerOverrides': [{'name': 'main'}]}
    """
    said = input_of(target, event, own)
    if said is None:
        return None
    shape = get_service_model("ecs").shape_for("TaskOverride")
    known = _known(said, shape)
    report = ParamValidator().validate(known, shape)
    if report.has_errors():
        raise ValueError(f"The target's input is no TaskOverride: {report.generate_report()}")
    found: dict[str, Any] = known
    return found


def input_of(target: Mapping[str, Any], event: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> Any | None:
    """
    Return what a target is given instead of the event, or None if it has no say in that.

    Parameters
    ----------
    own
        What a template may name without a path.

    Raises
    ------
    ValueError
        If it is no JSON.
    """
    if target.get("Input"):
        text = str(target["Input"])
    elif target.get("InputTransformer"):
        text = transformed(target["InputTransformer"], event, own)
    elif target.get("InputPath"):
        text = json.dumps(_at(str(target["InputPath"]), event))
    else:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"The target's input is no JSON: {error}") from error


def transformed(transformer: Mapping[str, Any], event: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> str:
    """
    Fill an input template: a value inside a string as it is, one outside as JSON.

    Notes
    -----
    Source: AWS docs, "Transforming Amazon EventBridge target input" (verified).

    Examples
    --------
    >>> named = {"InputPathsMap": {"x": "$.detail.x"}, "InputTemplate": '{"a": "is <x>", "b": <x>}'}
    >>> transformed(named, {"detail": {"x": "y"}})
    '{"a": "is y", "b": "y"}'
    """
    template = str(transformer["InputTemplate"])
    named = {name: _at(path, event) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values = {**(own or {}), **named}

    def filled(found: re.Match[str]) -> str:
        name = found[1]
        if name not in values:
            return found[0]
        quotes = re.findall(r'(?<!\\)"', template[: found.start()])
        whole = json.dumps(values[name])
        return (values[name] if isinstance(values[name], str) else whole) if len(quotes) % 2 else whole

    return re.sub(r"<([\w.-]+)>", filled, template)


def _at(path: str, event: Mapping[str, Any]) -> Any:
    """Return what stands at a JSON path of dots and indexes; a path that leads nowhere has null."""
    found: Any = {**event, "time": _moment(event.get("time"))} if "time" in event else event
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        try:
            found = found[name] if name else found[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    return found


def _known(value: Any, shape: Any) -> Any:
    if shape.type_name == "structure" and isinstance(value, Mapping):
        return {key: _known(part, shape.members[key]) for key, part in value.items() if key in shape.members}
    if shape.type_name == "list" and isinstance(value, list):
        return [_known(part, shape.member) for part in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _moment(value: Any) -> Any:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


_send_by_moto = Rule.send_to_targets


def _by_moto(rule: Rule, target: Target, event: Event) -> Refusal | None:
    """Leave every other kind of target to moto; one that moto does not know is not invoked."""
    alone = copy.copy(rule)
    alone.targets = [target]
    alone.event_pattern = type(rule.event_pattern).load(None)  # it has matched already
    try:
        given = input_of(target, event, own_variables(rule, event)) or {
            key: value for key, value in event.items() if key != "ingestion-time"
        }
        _send_by_moto(alone, copy.deepcopy(given), transform_input=False)
    except NotImplementedError:
        _LOG.warning("rule %s, target %s: the local AWS does not invoke %s", rule.arn, target["Id"], target["Arn"])
    except QueueDoesNotExist as error:
        return Refusal("NO_RESOURCE", str(error.message))
    except ValueError as error:
        return Refusal("INVALID_JSON", str(error))
    return None


_RULES: dict[str, Rules] = {}


def rules_of(world: World) -> Rules:
    """Return the rules of *world*, once they are installed."""
    return _RULES[world.life]


def install(world: World) -> None:
    """Let rules fire, and PutRule refuse what AWS refuses."""
    from ecs_runbook.local_aws.server import call

    rules = _RULES[world.life] = Rules(world, call)
    life_of(world).on_change.append(rules.changed)
    for name in ("list_rules", "list_rule_names_by_target", "list_targets_by_rule"):
        PAGINATION_MODEL[name]["limit_default"] = _PAGE
    _wrap_changes(rules)

    put_events = EventsBackend.put_events

    def put_events_now(self: EventsBackend, events: list[dict[str, Any]]) -> Any:
        now = world.clock.now().timestamp()
        return put_events(self, [{"Time": now, **event} for event in events])

    def send_to_targets(self: Rule, original_event: Event, transform_input: bool = True) -> None:  # noqa: ARG001
        rules.heard(self, original_event)

    EventsBackend.put_events = put_events_now
    Rule.send_to_targets = send_to_targets


def _wrap_changes(rules: Rules) -> None:
    put, delete = EventsBackend.put_rule, EventsBackend.delete_rule
    switches = {name: getattr(EventsBackend, name) for name in ("enable_rule", "disable_rule")}

    def put_rule(self: EventsBackend, name: str, *args: Any, **kwargs: Any) -> Rule:
        if expression := kwargs.get("scheduled_expression"):
            try:
                parse(expression)
            except ScheduleError as error:
                raise ValidationException("Parameter ScheduleExpression is not valid.") from error
        rule = put(self, name, *args, **kwargs)
        rules.arm(rule)
        return rule

    def delete_rule(self: EventsBackend, name: str, event_bus_arn: str | None) -> None:
        known = {rule.arn for rule in _all(self)}
        delete(self, name, event_bus_arn)
        for arn in known - {rule.arn for rule in _all(self)}:
            rules.forget(arn)

    def switch(how: Callable[..., bool]) -> Callable[..., bool]:
        def switched(self: EventsBackend, name: str, event_bus_arn: str | None) -> bool:
            done = how(self, name, event_bus_arn)
            for rule in _all(self):
                if rule.name == name:
                    rules.arm(rule)
            return done

        return switched

    put_targets = EventsBackend.put_targets

    def put_right_targets(
        self: EventsBackend, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]
    ) -> None:
        if wrong := list(_out_of_range(targets)):
            raise ValidationException(f"{_errors(len(wrong))} detected: {'; '.join(wrong)}")
        put_targets(self, name, event_bus_arn, targets)

    EventsBackend.put_targets = put_right_targets
    EventsBackend.put_rule = put_rule
    EventsBackend.delete_rule = delete_rule
    for name, how in switches.items():
        setattr(EventsBackend, name, switch(how))


def _errors(count: int) -> str:
    return f"{count} validation error{'s' if count > 1 else ''}"


def _out_of_range(targets: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what a RetryPolicy says beyond its range. Source: botocore events RetryPolicy (verified)."""
    limits = {
        "MaximumRetryAttempts": (0, MOST_RETRIES),
        "MaximumEventAgeInSeconds": (60, int(OLDEST.total_seconds())),
    }
    for number, target in enumerate(targets, start=1):
        for name, (least, most) in limits.items():
            value = (target.get("RetryPolicy") or {}).get(name)
            if value is None or least <= value <= most:
                continue
            bound = f"less than or equal to {most}" if value > most else f"greater than or equal to {least}"
            yield (
                f"Value '{value}' at 'targets.{number}.member.retryPolicy.{name[:1].lower() + name[1:]}' failed to "
                f"satisfy constraint: Member must have value {bound}"
            )


def _all(backend: EventsBackend) -> list[Rule]:
    return [rule for bus in backend.event_buses.values() for rule in bus.rules.values()]
