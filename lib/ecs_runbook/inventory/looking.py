"""One account and Region being looked at: its rules, its schedules, and the state machines that they start."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence.dead_letters import queue_of
from ecs_runbook.firing import schedules as scheduler
from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.machines import START_EXECUTION, machine_of
from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.firing.schedules import DEFAULT_GROUP
from ecs_runbook.inventory.bars import PlaceBars
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.gate import gap_of
from ecs_runbook.inventory.model import Gap, Machine, Place, Raw, Request, Row
from ecs_runbook.inventory.request import input_of, of_machine, of_target
from ecs_runbook.inventory.selection import DEFAULT_BUS, Name, Selection, label

FEW = 3
"""So many rules of a bus, or schedules, are asked for by name; more of them are found in the list."""
MANY_GAPS = 5
"""More gaps of the same cause are told as one."""
GONE = "ResourceNotFoundException"
_AT_ONCE = 100
_UNQUALIFIED = 6  # colons in the ARN of a state machine
_SCHEDULES = "schedules"
_TAGGED = ["events:rule", "scheduler:schedule-group"]

Told = Mapping[str, Any]


@dataclass
class Seen:
    """
    What one place gave.

    Attributes
    ----------
    rows, gaps, others
        As of the inventory.
    labels
        Of every rule and of every schedule that was listed.
    unknown
        Kind, bus or group, and name of what was wanted and is not there.
    """

    rows: list[Row] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    others: int = 0
    labels: dict[str, dict[str, None]] = field(default_factory=lambda: {"rule": {}, "schedule": {}})
    unknown: set[tuple[str, str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class _Tagged:
    """A tagged rule's tags by bus and name, and a tagged schedule group's."""

    rules: Mapping[Name, Mapping[str, str]] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class _End(NamedTuple):
    """What a target asks RunTask for, under which role, and through which state machine."""

    request: Request | None = None
    role: str = ""
    through: str = ""
    machine: Machine = Machine()


class Looking:
    """
    One place being looked at; many threads work on it.

    Parameters
    ----------
    place, fleet
        Where, and who asks there.
    chosen
        What to look at.
    bars
        Where to show how far it is.
    raw
        Whether each row keeps all that AWS told of its owner.
    """

    def __init__(self, place: Place, fleet: Fleet, chosen: Selection, bars: PlaceBars, *, raw: bool = False) -> None:
        self.seen, self._raw = Seen(), raw
        self._place, self._fleet, self._chosen, self._bars = place, fleet, chosen, bars
        self._aws, self._ask = fleet.at(place), fleet.ask(place)
        self._lock = threading.Lock()
        self._tagged = _Tagged()
        self._cut_short: set[str] = set()

    def look(self) -> Seen:
        """Return what the place has."""
        rules: Iterable[tuple[Told, str]] = self._every_rule()
        schedules: Iterable[Name] = self._every_schedule()
        if self._chosen.tag_key:
            self._tagged = self._carrying_the_tag()
            rules = self._rules_named(list(self._tagged.rules))
            schedules = (one for group in self._tagged.groups for one in self._every_schedule(group))
        elif self._chosen.named:
            rules, schedules = self._rules_named(self._chosen.rules), self._schedules_named()
        jobs: dict[str, Callable[[], Any]] = {
            "rules": lambda: self._targets_of(rules),
            "schedules": lambda: self._described(schedules),
        }
        told = self._fleet.gate.at_once(jobs, most=len(jobs))
        targets = [target for _, _, some in told["rules"] for target in some]
        machines = self._machines([*targets, *(one.get("Target") or {} for one in told["schedules"])])
        for rule, bus, some in told["rules"]:
            self._add_rule(rule, bus, some, machines)
        for schedule in told["schedules"]:
            self._add_schedule(schedule, machines)
        self.seen.gaps = fewer(self.seen.gaps)
        count = len(self.seen.rows)
        self._bars.end(self._place, f"{count} target{'s' * (count != 1)} in ECS")
        self._fleet.leave(self._place)
        return self.seen

    def labels(self, kind: str) -> Iterable[str]:
        """Return the labels of every rule, or of every schedule; what could not be listed is a gap of :attr:`seen`."""
        listed: Iterator[Any] = self._every_rule() if kind == "rule" else self._every_schedule()
        for _ in listed:
            pass
        return self.seen.labels[kind]

    # -------- rules

    def _every_rule(self) -> Iterator[tuple[Told, str]]:
        for bus in self._buses():
            for rule in self._rules_of(bus):
                yield rule, bus

    def _buses(self) -> list[str]:
        events, names = self._aws.client("events"), [DEFAULT_BUS]
        try:
            for page in self._ask.pages("events:ListEventBuses", events.list_event_buses, Limit=_AT_ONCE):
                names += [str(bus["Name"]) for bus in page.get("EventBuses", [])]
        except AwsError as error:
            self._gap(error, "the buses other than the default one")
        return list(dict.fromkeys(names))

    def _rules_of(self, bus: str) -> Iterator[Told]:
        events = self._aws.client("events")
        try:
            for page in self._ask.pages("events:ListRules", events.list_rules, EventBusName=bus, Limit=_AT_ONCE):
                for rule in page.get("Rules", []):
                    if self._is_new("rule", bus, str(rule["Name"])):
                        yield rule
        except AwsError as error:
            self._cut_short.add(bus)
            self._gap(error, f"rules of the bus {bus}")

    def _rules_named(self, wanted: Sequence[Name]) -> Iterator[tuple[Told, str]]:
        by_bus: dict[str, list[str]] = defaultdict(list)
        for bus, name in wanted:
            by_bus[bus].append(name)
        for bus, names in by_bus.items():
            if len(names) <= FEW:
                for name in names:
                    yield from self._rule_named(bus, name)
                continue
            listed = {str(rule["Name"]): rule for rule in self._rules_of(bus)}
            yield from ((listed[name], bus) for name in names if name in listed)
            if bus not in self._cut_short:
                self._unknown("rule", [(bus, name) for name in names if name not in listed])

    def _rule_named(self, bus: str, name: str) -> Iterator[tuple[Told, str]]:
        events = self._aws.client("events")
        try:
            told = self._ask("events:DescribeRule", events.describe_rule, Name=name, EventBusName=bus)
            yield {**told, "Name": name}, bus
        except AwsError as error:
            if error.code == GONE:
                self._unknown("rule", [(bus, name)])
            else:
                self._gap(error, label(bus, name))

    def _targets_of(self, rules: Iterable[tuple[Told, str]]) -> list[tuple[Told, str, list[Told]]]:
        events = self._aws.client("events")

        def targets(asked: tuple[Told, str]) -> list[Told]:
            rule, bus = asked
            pages = self._ask.pages(
                "events:ListTargetsByRule",
                events.list_targets_by_rule,
                Rule=rule["Name"],
                EventBusName=bus,
                Limit=_AT_ONCE,
            )
            try:
                return [target for page in pages for target in page.get("Targets", [])]
            finally:
                self._bars.looked(self._place)

        found: list[tuple[Told, str, list[Told]]] = []
        counted = self._bars.counted(self._place, rules)
        for (rule, bus), told in self._fleet.gate.each("events:ListTargetsByRule", targets, counted):
            if not isinstance(told, AwsError):
                found.append((rule, bus, told))
            elif told.code != GONE:  # else it was deleted since it was listed
                self._gap(told, label(bus, str(rule["Name"])))
        return found

    def _add_rule(self, rule: Told, bus: str, targets: Sequence[Told], machines: Mapping[str, Told | AwsError]) -> None:
        name = str(rule["Name"])
        kept = []
        for raw in targets:
            end = self._end_of(raw, label(bus, name), machines)
            if end.request is not None:
                kept.append((_target(str(raw["Id"]), end.request, raw), end.request, end))
        self.seen.others += not kept
        kept_raw = self._kept(rule, targets, machines)
        owner = Rule(
            name=name,
            arn=str(rule.get("Arn") or ""),
            expression=str(rule.get("ScheduleExpression") or ""),
            enabled=rule.get("State") != "DISABLED",
            targets=tuple(target for target, *_ in kept),
        )
        self.seen.rows += [
            Row(
                place=self._place,
                owner=owner,
                target=target,
                request=request,
                role=end.role,
                bus=bus,
                pattern=str(rule.get("EventPattern") or ""),
                through=end.through,
                machine=end.machine,
                dead_letters=queue_of(target),
                retry=target.raw.get("RetryPolicy"),
                tags=self._tagged.rules.get((bus, name), {}),
                raw=kept_raw,
            )
            for target, request, end in kept
        ]

    # -------- schedules

    def _every_schedule(self, group: str = "") -> Iterator[Name]:
        """Yield those whose target, as the list tells it, may end in ECS."""
        list_schedules = self._aws.client("scheduler").list_schedules
        parameters: dict[str, Any] = {"MaxResults": _AT_ONCE} | ({"GroupName": group} if group else {})
        try:
            for page in self._ask.pages("scheduler:ListSchedules", list_schedules, **parameters):
                for one in page.get("Schedules", []):
                    own = (str(one.get("GroupName") or DEFAULT_GROUP), str(one["Name"]))
                    if not self._is_new("schedule", *own):
                        continue
                    if _may_end_in_ecs(str((one.get("Target") or {}).get("Arn", ""))):
                        yield own
                    else:
                        self.seen.others += 1
        except AwsError as error:
            self._cut_short.add(_SCHEDULES)
            self._gap(error, f"schedules of the group {group}" if group else _SCHEDULES)

    def _schedules_named(self) -> Iterator[Name]:
        if len(self._chosen.schedules) <= FEW:
            yield from self._chosen.schedules
            return
        listed = set(self._every_schedule())
        yield from (one for one in self._chosen.schedules if one in listed)
        labels = self.seen.labels["schedule"]
        if _SCHEDULES not in self._cut_short:
            self._unknown("schedule", [one for one in self._chosen.schedules if label(*one) not in labels])

    def _described(self, schedules: Iterable[Name]) -> list[Told]:
        get_schedule = self._aws.client("scheduler").get_schedule

        def described(asked: Name) -> Told:
            group, name = asked
            try:
                return self._ask("scheduler:GetSchedule", get_schedule, Name=name, GroupName=group)
            finally:
                self._bars.looked(self._place)

        found: list[Told] = []
        counted = self._bars.counted(self._place, schedules)
        for (group, name), told in self._fleet.gate.each("scheduler:GetSchedule", described, counted):
            if not isinstance(told, AwsError):
                found.append({**told, "Name": name, "GroupName": group})
            elif told.code != GONE:
                self._gap(told, label(group, name))
            else:
                self._unknown("schedule", [(group, name)])
        return found

    def _add_schedule(self, told: Told, machines: Mapping[str, Told | AwsError]) -> None:
        raw, read = told.get("Target") or {}, scheduler.read(told)
        end = self._end_of(raw, label(read.group, read.name), machines)
        if (request := end.request) is None:
            self.seen.others += 1
            return
        target = _target("target", request, raw)
        window = told.get("FlexibleTimeWindow") or {}
        self.seen.rows.append(
            Row(
                place=self._place,
                owner=replace(read, targets=(target,)),
                target=target,
                request=request,
                role=end.role,
                bus="",
                through=end.through,
                machine=end.machine,
                dead_letters=queue_of(target),
                retry=raw.get("RetryPolicy"),
                starts=moment(told.get("StartDate")),
                ends=moment(told.get("EndDate")),
                deletes_itself=told.get("ActionAfterCompletion") == "DELETE",
                flexible=int(window.get("MaximumWindowInMinutes") or 0) if window.get("Mode") == "FLEXIBLE" else 0,
                created=moment(told.get("CreationDate")),
                changed=moment(told.get("LastModificationDate")),
                tags=self._tagged.groups.get(read.group, {}),
                raw=self._kept(told, [raw], machines),
            )
        )

    # -------- both

    def _kept(self, owner: Told, targets: Sequence[Told], machines: Mapping[str, Told | AwsError]) -> Raw | None:
        if not self._raw:
            return None
        return Raw({key: value for key, value in owner.items() if key != "ResponseMetadata"}, targets, machines)

    def _end_of(self, raw: Told, subject: str, machines: Mapping[str, Told | AwsError]) -> _End:
        request = of_target(raw)
        if request is not None:
            return _End(request, str(raw.get("RoleArn") or ""))
        arn = machine_of(raw)
        if not arn:
            return _End()
        machine = machines[arn]
        if isinstance(machine, AwsError):
            # whether a version or an alias of one is told of is not verified, so there it proves nothing
            if machine.code not in ("StateMachineDoesNotExist", GONE) or arn.count(":") > _UNQUALIFIED:
                self._gap(machine, subject)
            return _End()
        only = of_machine(str(machine.get("definition") or ""), input_of(raw))
        if only.unknown:
            words = f"{only.unknown} of the task is made when the state machine {arn.rpartition(':')[2]} runs"
            self._keep(Gap("states:DescribeStateMachine", words, place=self._place, subject=subject))
        return _End(only.request, str(machine.get("roleArn") or ""), arn, only.machine)

    def _machines(self, targets: Iterable[Told]) -> dict[str, Told | AwsError]:
        arns = sorted({arn for target in targets if (arn := machine_of(target))})
        if not arns:
            return {}
        describe = self._aws.client("stepfunctions").describe_state_machine

        def described(arn: str) -> Told:
            return self._ask("states:DescribeStateMachine", describe, stateMachineArn=arn)

        return dict(self._fleet.gate.each("states:DescribeStateMachine", described, arns))

    def _carrying_the_tag(self) -> _Tagged:
        key, value = self._chosen.tag_key, self._chosen.tag_value
        rules: dict[Name, Mapping[str, str]] = {}
        groups: dict[str, Mapping[str, str]] = {}
        try:
            for page in self._ask.pages(
                "tag:GetResources",
                self._aws.client("resourcegroupstaggingapi").get_resources,
                TagFilters=[{"Key": key} | ({"Values": [value]} if value else {})],
                ResourceTypeFilters=_TAGGED,
                ResourcesPerPage=_AT_ONCE,
            ):
                for one in page.get("ResourceTagMappingList", []):
                    kind, _, name = str(one["ResourceARN"]).split(":", 5)[5].partition("/")
                    tags = {str(tag["Key"]): str(tag.get("Value", "")) for tag in one.get("Tags", [])}
                    if kind == "rule":
                        bus, _, own = name.rpartition("/")
                        rules[bus or DEFAULT_BUS, own] = tags
                    else:
                        groups[name] = tags
        except AwsError as error:
            self._gap(error, f"what is tagged {key}")
        return _Tagged(rules, groups)

    def _is_new(self, kind: str, of: str, name: str) -> bool:
        """Note what was listed; a list that changes while it is read, or leads back, may tell one twice."""
        known, one = self.seen.labels[kind], label(of, name)
        if one in known:
            return False
        known[one] = None
        return True

    def _unknown(self, kind: str, names: Sequence[Name]) -> None:
        if self._chosen.named:  # else it was deleted since it was listed
            with self._lock:
                self.seen.unknown |= {(kind, *name) for name in names}

    def _gap(self, error: AwsError, subject: str) -> None:
        self._keep(gap_of(error, place=self._place, subject=subject))

    def _keep(self, gap: Gap) -> None:
        with self._lock:
            self.seen.gaps.append(gap)


def fewer(gaps: Sequence[Gap]) -> list[Gap]:
    """
    Return gaps with many of the same cause told as one.

    Examples
    --------
    >>> gaps = [Gap("events:ListTargetsByRule", "Throttling: slow", subject=f"rule{number}") for number in range(9)]
    >>> fewer(gaps)[0].subject
    '9 of them, from rule0 to rule8'
    """
    groups: dict[Gap, list[str]] = defaultdict(list)
    for gap in gaps:
        groups[replace(gap, subject="")].append(gap.subject)
    found = []
    for gap, subjects in groups.items():
        several = sorted(set(subjects))
        if len(several) > MANY_GAPS:
            several = [f"{len(several)} of them, from {several[0]} to {several[-1]}"]
        found += [replace(gap, subject=one) for one in several]
    return found


def _target(name: str, request: Request, raw: Told) -> Target:
    return Target(name, request.cluster, str(raw.get("RoleArn") or ""), request.definition, raw)


def _may_end_in_ecs(arn: str) -> bool:
    return ":ecs:" in arn or ":states:" in arn or arn.endswith(START_EXECUTION)
