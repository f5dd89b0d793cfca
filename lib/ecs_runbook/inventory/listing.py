"""The inventory: every rule and schedule that ends in ECS, in every bus, group, Region and account."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.evidence import schedules as scheduler_schedules
from ecs_runbook.evidence.dead_letters import queue_of
from ecs_runbook.evidence.schedules import DEFAULT_GROUP, Schedule
from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.inventory.bars import PlaceBars
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.gate import gap_of
from ecs_runbook.inventory.model import Gap, Inventory, Place, Request, Row
from ecs_runbook.inventory.request import machine_of, of_machine, of_target

DEFAULT_BUS = "default"
PLACES_AT_ONCE = 16
FEW = 3
"""So many rules of a bus, or schedules, are asked for by name; more of them are found in the list."""
_GONE = "ResourceNotFoundException"
_AT_ONCE = 100


def take_inventory(
    fleet: Fleet,
    *,
    rules: Sequence[str] = (),
    schedules: Sequence[str] = (),
    tag: str = "",
    progress: Bars | None = None,
) -> Inventory:
    """
    List what is on a schedule, or waits for events, and ends in ECS.

    Parameters
    ----------
    fleet
        Where to look, from :func:`~ecs_runbook.inventory.fleet.fleet`.
    rules
        Names of rules to look at, ``<bus>/<name>`` where it is not the default bus.
    schedules
        Names of schedules of EventBridge Scheduler, ``<group>/<name>`` where it is not the default group.
    tag
        ``<key>`` or ``<key>=<value>``: only rules that carry it, and schedules whose group does (a schedule cannot).
        With none of the three, everything is listed.
    progress
        Where to show how far it is.

    Returns
    -------
    Inventory
        One row a target, also of rules and schedules that are disabled. What could not be listed is a gap.

    Raises
    ------
    EvidenceError
        If a name is given that no place has, with the names nearest to it; or names and a tag together.

    Notes
    -----
    Needs ``events:ListEventBuses``, ``events:ListRules``, ``events:ListTargetsByRule``, ``scheduler:ListSchedules``,
    ``scheduler:GetSchedule``, and ``states:DescribeStateMachine`` where a state machine stands between; for names also
    ``events:DescribeRule``; for a tag ``tag:GetResources``.

    AWS lists rules and schedules a hundred a call, and tells of the targets of one rule, and of one schedule, with a
    call of its own. Of schedules those are left out whose target, as the list tells it, neither is in ECS nor a state
    machine.
    """
    if tag and (rules or schedules):
        raise EvidenceError("tag is given, and so are names.", hint="Choose rules and schedules by names or by a tag.")
    wanted = Wanted(_split(rules, DEFAULT_BUS), _split(schedules, DEFAULT_GROUP), tag)
    bars = PlaceBars(progress, len(fleet.places))
    found: list[Listed] = []
    gaps: list[Gap] = list(fleet.gaps)
    for place, listed in fleet.gate.each(
        lambda one: _Looking(one, fleet, wanted, bars).listed(), fleet.places, workers=PLACES_AT_ONCE
    ):
        if isinstance(listed, AwsError):
            gaps.append(gap_of(listed, place=place))
        else:
            found.append(listed)
            gaps += listed.gaps
    _require_known(found, gaps, fleet)
    rows = sorted((row for one in found for row in one.rows), key=_order)
    return Inventory(
        rows=tuple(rows),
        gaps=tuple(gaps),
        places=tuple(fleet.asked),
        others=sum(one.others for one in found),
        calls=dict(fleet.gate.counts),
    )


@dataclass(frozen=True)
class Wanted:
    """What to list: by bus or group and name, or all that carry a tag; everything if all is empty."""

    rules: Sequence[tuple[str, str]] = ()
    schedules: Sequence[tuple[str, str]] = ()
    tag: str = ""

    @property
    def named(self) -> bool:
        """Whether names were given."""
        return bool(self.rules or self.schedules)


@dataclass
class Listed:
    """What one place gave."""

    rows: list[Row] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    others: int = 0
    names: dict[str, list[str]] = field(default_factory=lambda: {"rule": [], "schedule": []})
    unknown: set[tuple[str, str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class _Machine:
    """A state machine, as far as it was learnt."""

    role: str = ""
    definition: str = ""
    gap: Gap | None = None


class _Looking:
    """One place being looked at; many threads work on it."""

    def __init__(self, place: Place, fleet: Fleet, wanted: Wanted, bars: PlaceBars) -> None:
        self.place, self.gate, self.wanted, self.bars = place, fleet.gate, wanted, bars
        self.aws = fleet.at(place)
        self.ask: Asking = fleet.ask(place)
        self.out = Listed()
        self._lock = threading.Lock()
        self._machines: dict[str, _Machine] = {}

    def listed(self) -> Listed:
        """Return what the place has."""
        rules: list[tuple[Mapping[str, Any], str, list[Mapping[str, Any]]]] = []
        told: list[Mapping[str, Any]] = []
        marked = self._marked() if self.wanted.tag else None
        if marked is None or not self.wanted.tag or marked:
            work = [lambda: rules.extend(self._rules(marked)), lambda: told.extend(self._schedules(marked))]
            for _, answer in self.gate.each(lambda job: job(), work, workers=len(work)):
                if isinstance(answer, AwsError):  # each keeps its refusals as gaps
                    raise answer
        self._learn_machines(
            [target for _, _, targets in rules for target in targets] + [one.get("Target") or {} for one in told]
        )
        for rule, bus, targets in rules:
            self._add_rule(rule, bus, targets)
        for schedule in told:
            self._add_schedule(schedule)
        self.bars.end(self.place, f"{len(self.out.rows)} targets in ECS, {self.out.others} others")
        return self.out

    # -------- rules

    def _rules(self, marked: set[str] | None) -> list[tuple[Mapping[str, Any], str, list[Mapping[str, Any]]]]:
        if self.wanted.named:
            listed: Iterable[tuple[Mapping[str, Any], str]] = self._named_rules()
        else:
            listed = (
                (rule, bus)
                for bus in self._buses()
                for rule in self._rules_of(bus)
                if marked is None or str(rule.get("Arn", "")) in marked
            )
        found = []
        for (rule, bus), targets in self.gate.each(self._targets, self.bars.counted(self.place, listed)):
            if isinstance(targets, AwsError):
                if targets.code != _GONE:  # gone since it was listed
                    self._gap(targets, subject=_label(bus, str(rule["Name"])))
            else:
                found.append((rule, bus, targets))
        return found

    def _buses(self) -> list[str]:
        events = self.aws.client("events")
        names = [DEFAULT_BUS]
        try:
            for page in self.ask.pages("events:ListEventBuses", events.list_event_buses, Limit=_AT_ONCE):
                names += [str(bus["Name"]) for bus in page.get("EventBuses", []) if bus["Name"] != DEFAULT_BUS]
        except AwsError as error:
            self._gap(error, subject="buses other than the default one")
        return names

    def _rules_of(self, bus: str) -> Iterator[Mapping[str, Any]]:
        events = self.aws.client("events")
        try:
            for page in self.ask.pages("events:ListRules", events.list_rules, EventBusName=bus, Limit=_AT_ONCE):
                for rule in page.get("Rules", []):
                    self.out.names["rule"].append(_label(bus, str(rule["Name"])))
                    yield rule
        except AwsError as error:
            self._gap(error, subject=f"rules of the bus {bus}")

    def _named_rules(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        events = self.aws.client("events")
        for bus in dict.fromkeys(bus for bus, _ in self.wanted.rules):
            names = [name for of, name in self.wanted.rules if of == bus]
            if len(names) > FEW:
                listed = {str(rule["Name"]): rule for rule in self._rules_of(bus)}
                yield from ((listed[name], bus) for name in names if name in listed)
                self.out.unknown |= {("rule", bus, name) for name in names if name not in listed}
                continue
            for name in names:
                try:
                    told = self.ask("events:DescribeRule", events.describe_rule, Name=name, EventBusName=bus)
                    yield {**told, "Name": name}, bus
                except AwsError as error:
                    if error.code == _GONE:
                        self.out.unknown.add(("rule", bus, name))
                    else:
                        self._gap(error, subject=_label(bus, name))

    def _targets(self, asked: tuple[Mapping[str, Any], str]) -> list[Mapping[str, Any]]:
        rule, bus = asked
        pages = self.ask.pages(
            "events:ListTargetsByRule",
            self.aws.client("events").list_targets_by_rule,
            Rule=rule["Name"],
            EventBusName=bus,
            Limit=_AT_ONCE,
        )
        try:
            return [target for page in pages for target in page.get("Targets", [])]
        finally:
            self.bars.looked(self.place)

    def _add_rule(self, rule: Mapping[str, Any], bus: str, targets: Sequence[Mapping[str, Any]]) -> None:
        name = str(rule["Name"])
        ends = [(told, *self._end_of(told, _label(bus, name))) for told in targets]
        kept = [
            (told, request, role, through, Target(str(told["Id"]), request.cluster, role, request.definition, told))
            for told, request, role, through in ends
            if request is not None
        ]
        self.out.others += not kept
        owner = Rule(
            name,
            str(rule.get("Arn", "")),
            str(rule.get("ScheduleExpression") or ""),
            rule.get("State") != "DISABLED",
            tuple(target for *_, target in kept),
        )
        for told, request, role, through, target in kept:
            self.out.rows.append(
                Row(
                    place=self.place,
                    owner=owner,
                    target=target,
                    request=request,
                    role=role,
                    bus=bus,
                    pattern=str(rule.get("EventPattern") or ""),
                    through=through,
                    dead_letters=queue_of(target),
                    retry=told.get("RetryPolicy"),
                )
            )

    # -------- schedules

    def _schedules(self, marked: set[str] | None) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        listed = self.bars.counted(self.place, self._listed_schedules(marked))
        for (group, name), told in self.gate.each(self._described, listed):
            if not isinstance(told, AwsError):
                found.append(told | {"Name": name, "GroupName": group})
            elif told.code != _GONE:
                self._gap(told, subject=_label(group, name))
            elif self.wanted.named:
                self.out.unknown.add(("schedule", group, name))
        return found

    def _listed_schedules(self, marked: set[str] | None) -> Iterator[tuple[str, str]]:
        """Yield group and name of the schedules to describe."""
        if self.wanted.named and len(self.wanted.schedules) <= FEW:
            yield from self.wanted.schedules
        elif self.wanted.named:
            listed = set(self._all_schedules())
            yield from (one for one in self.wanted.schedules if one in listed)
            self.out.unknown |= {("schedule", *one) for one in self.wanted.schedules if one not in listed}
        elif marked is None:
            yield from self._all_schedules()
        else:
            for arn in sorted(arn for arn in marked if ":schedule-group/" in arn):
                yield from self._all_schedules(group=arn.rpartition("/")[2])

    def _all_schedules(self, group: str = "") -> Iterator[tuple[str, str]]:
        scheduler = self.aws.client("scheduler")
        parameters: dict[str, Any] = {"MaxResults": _AT_ONCE} | ({"GroupName": group} if group else {})
        try:
            for page in self.ask.pages("scheduler:ListSchedules", scheduler.list_schedules, **parameters):
                for one in page.get("Schedules", []):
                    own = (str(one.get("GroupName") or DEFAULT_GROUP), str(one["Name"]))
                    self.out.names["schedule"].append(_label(*own))
                    if self.wanted.named or _may_end_in_ecs(str((one.get("Target") or {}).get("Arn", ""))):
                        yield own
                    else:
                        self.out.others += 1
        except AwsError as error:
            self._gap(error, subject=f"schedules of the group {group}" if group else "schedules")

    def _described(self, asked: tuple[str, str]) -> dict[str, Any]:
        group, name = asked
        try:
            return self.ask(
                "scheduler:GetSchedule", self.aws.client("scheduler").get_schedule, Name=name, GroupName=group
            )
        finally:
            self.bars.looked(self.place)

    def _add_schedule(self, told: Mapping[str, Any]) -> None:
        raw = told.get("Target") or {}
        read = scheduler_schedules.read(told)
        request, role, through = self._end_of(raw, read.label if read.group != DEFAULT_GROUP else read.name)
        if request is None:
            self.out.others += 1
            return
        target = Target("target", request.cluster, role, request.definition, raw)
        owner = Schedule(read.name, read.arn, read.expression, read.enabled, (target,), read.group, read.zone)
        window = told.get("FlexibleTimeWindow") or {}
        self.out.rows.append(
            Row(
                place=self.place,
                owner=owner,
                target=target,
                request=request,
                role=role,
                bus="",
                through=through,
                dead_letters=queue_of(target),
                retry=raw.get("RetryPolicy"),
                starts=_moment(told.get("StartDate")),
                ends=_moment(told.get("EndDate")),
                flexible=int(window.get("MaximumWindowInMinutes") or 0) if window.get("Mode") == "FLEXIBLE" else 0,
            )
        )

    # -------- both

    def _end_of(self, told: Mapping[str, Any], label: str) -> tuple[Request | None, str, str]:
        """Return what a target asks RunTask for, under which role, and through which state machine."""
        request = of_target(told)
        if request is not None:
            return request, str(told.get("RoleArn") or ""), ""
        arn = machine_of(told)
        if not arn:
            return None, "", ""
        machine = self._machines[arn]
        if machine.gap is not None:
            self.out.gaps.append(Gap(**{**vars(machine.gap), "subject": label}))
            return None, "", ""
        only = of_machine(machine.definition, _input_of(told))
        if only.unknown:
            words = f"{only.unknown} of the task is made when the state machine {arn.rpartition(':')[2]} runs"
            self.out.gaps.append(Gap("states:DescribeStateMachine", words, place=self.place, subject=label))
        return only.request, machine.role, arn

    def _learn_machines(self, targets: Iterable[Mapping[str, Any]]) -> None:
        arns = sorted({arn for target in targets if (arn := machine_of(target))})
        for arn, told in self.gate.each(self._machine, arns):
            if isinstance(told, AwsError):
                self._machines[arn] = _Machine(gap=gap_of(told, place=self.place))
            else:
                self._machines[arn] = _Machine(str(told.get("roleArn") or ""), str(told.get("definition") or ""))

    def _machine(self, arn: str) -> dict[str, Any]:
        states = self.aws.client("stepfunctions")
        return self.ask("states:DescribeStateMachine", states.describe_state_machine, stateMachineArn=arn)

    def _marked(self) -> set[str] | None:
        """Return the ARNs of the rules and schedule groups that carry the tag; None if they cannot be learnt."""
        key, _, value = self.wanted.tag.partition("=")
        wanted = {"Key": key} | ({"Values": [value]} if value else {})
        tagging = self.aws.client("resourcegroupstaggingapi")
        try:
            return {
                str(one["ResourceARN"])
                for page in self.ask.pages(
                    "tag:GetResources",
                    tagging.get_resources,
                    TagFilters=[wanted],
                    ResourceTypeFilters=["events:rule", "scheduler:schedule-group"],
                    ResourcesPerPage=_AT_ONCE,
                )
                for one in page.get("ResourceTagMappingList", [])
            }
        except AwsError as error:
            self._gap(error, subject=f"what is tagged {self.wanted.tag}")
            return set()

    def _gap(self, error: AwsError, subject: str) -> None:
        with self._lock:
            self.out.gaps.append(gap_of(error, place=self.place, subject=subject))


def _split(names: Sequence[str], default: str) -> list[tuple[str, str]]:
    listed = [names] if isinstance(names, str) else names
    found = [(of or default, name) for of, _, name in (str(one).rpartition("/") for one in listed)]
    return list(dict.fromkeys(found))


def _require_known(found: Sequence[Listed], gaps: Sequence[Gap], fleet: Fleet) -> None:
    """Raise if a name was found nowhere, and every place was able to say so."""
    if not found or gaps:
        return
    nowhere = set.intersection(*(one.unknown for one in found))
    for kind, of, name in sorted(nowhere):
        where = f"on the bus {of!r}" if kind == "rule" else f"in the group {of!r}"
        places = str(fleet.places[0]) if len(fleet.places) == 1 else f"any of {len(fleet.places)} accounts and Regions"
        raise EvidenceError(
            f"{kind} = {_label(of, name)!r}: there is no such {kind} {where} in {places}.",
            hint=_nearest(kind, _label(of, name), fleet, found),
        )


def _nearest(kind: str, label: str, fleet: Fleet, found: Sequence[Listed]) -> str:
    labels = {one for listed in found for one in listed.names[kind]}
    if not labels:
        everything = Wanted()
        for place in list(fleet.places)[:PLACES_AT_ONCE]:
            looking = _Looking(place, fleet, everything, PlaceBars(None, 1))
            if kind == "rule":
                for bus in looking._buses():
                    list(looking._rules_of(bus))
            else:
                list(looking._all_schedules())
            if looking.out.gaps:
                return f"The names of the {kind}s could not be listed: {looking.out.gaps[0]}."
            labels |= set(looking.out.names[kind])
    own = label.rpartition("/")[2]
    elsewhere = sorted(one for one in labels if one.rpartition("/")[2] == own)
    near = elsewhere or difflib.get_close_matches(label, sorted(labels), n=3, cutoff=0.5)
    if near:
        return f"Nearest: {', '.join(near)}."
    return f"There are {len(labels)} {kind}s of other names." if labels else f"There is no {kind} at all."


def _label(of: str, name: str) -> str:
    return name if of in (DEFAULT_BUS, "") else f"{of}/{name}"


def _may_end_in_ecs(arn: str) -> bool:
    return ":ecs:" in arn or ":states:" in arn or ":aws-sdk:sfn:" in arn


def _input_of(told: Mapping[str, Any]) -> Any:
    """Return the input of a state machine's execution, as far as it is the same each time."""
    given = told.get("Input")
    if str(told.get("Arn", "")).endswith(":aws-sdk:sfn:startExecution"):
        import json

        try:
            return json.loads(str(given)).get("Input")
        except (ValueError, AttributeError):
            return None
    return given


def _moment(value: object) -> datetime | None:
    return moment(value)


def _order(row: Row) -> tuple[Any, ...]:
    return (row.place, row.kind, row.group, row.owner.name, row.target.id)
