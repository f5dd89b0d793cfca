"""What becomes of a rule: its schedules, field by field what is carried, changed or left out, and when to switch."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.evidence.runs import hidden
from ecs_runbook.moving.inputs import Fate, handed
from ecs_runbook.moving.names import REVISION, cut
from ecs_runbook.moving.permissions import roles_of, statements
from ecs_runbook.moving.rule import Found
from ecs_runbook.moving.steps import Switch, in_words, off, switch
from ecs_runbook.wanted.schedule import shortened
from ecs_runbook.wanted.zones import Turned, beside, turned

if TYPE_CHECKING:
    import pandas as pd

FATE_COLUMNS = ["of", "field", "rule", "schedule", "fate", "because"]
_SHOWN = 300
_MOST = {"Subnets": 16, "SecurityGroups": 5, "TaskCount": 10, "Tags": 50}
"""What a schedule's target takes at most. Source: botocore scheduler EcsParameters (verified)."""
_CARRIED = (
    "TaskDefinitionArn",
    "TaskCount",
    "LaunchType",
    "NetworkConfiguration",
    "PlatformVersion",
    "Group",
    "CapacityProviderStrategy",
    "EnableECSManagedTags",
    "EnableExecuteCommand",
    "PlacementConstraints",
    "PlacementStrategy",
    "PropagateTags",
    "ReferenceId",
    "Tags",
)
"""What EcsParameters of a rule and of a schedule hold alike. Source: botocore events and scheduler (verified)."""
_OF_RULE = frozenset(
    {
        "Name",
        "Arn",
        "ScheduleExpression",
        "State",
        "Description",
        "RoleArn",
        "EventPattern",
        "EventBusName",
        "CreatedBy",
    }
)
_OF_TARGET = frozenset(
    {
        "Id",
        "Arn",
        "RoleArn",
        "Input",
        "InputPath",
        "InputTransformer",
        "EcsParameters",
        "DeadLetterConfig",
        "RetryPolicy",
    }
)


@dataclass(frozen=True)
class Told:
    """What became of one field: a row of :attr:`Move.fates`."""

    of: str
    field: str
    rule: str
    schedule: str
    fate: Fate = "same"
    because: str = ""


@dataclass(frozen=True)
class Job:
    """
    One schedule.

    Attributes
    ----------
    name
        Its own.
    target
        The rule's target, as ListTargetsByRule tells it.
    cluster, parameters, text, retry, queue
        Of the schedule's target: its ``Arn``, ``EcsParameters``, ``Input``, ``RetryPolicy`` and the queue's ARN.
    role
        ARN of the role that Scheduler takes; ``""`` for one that is made with :attr:`statements`.
    statements
        What that role may do: ``sid``, ``actions``, ``resources`` and ``conditions`` (test, variable, values).
    """

    name: str
    target: Mapping[str, Any] = field(repr=False)
    cluster: str
    parameters: Mapping[str, Any] = field(repr=False)
    text: str = field(repr=False)
    retry: Mapping[str, int]
    queue: str
    role: str
    statements: tuple[Mapping[str, Any], ...] = field(repr=False)

    @property
    def role_name(self) -> str:
        """The name of the role that is made."""
        return cut(f"{self.name}-scheduler", self.name)


@dataclass(frozen=True)
class Move:
    """
    A rule's way to EventBridge Scheduler.

    Attributes
    ----------
    found
        The rule as it is.
    turned
        When the schedules fire.
    group, makes_group, group_tags
        The schedules' group, whether it is made, and its tags.
    state
        ``ENABLED`` or ``DISABLED``.
    gap
        When the job changes hands; a text says why that cannot be told.
    jobs
        The schedules.
    told
        What became of each field.
    now
        When this was thought out.
    """

    found: Found
    turned: Turned
    group: str
    makes_group: bool
    group_tags: Mapping[str, str]
    state: str
    gap: Switch | str
    jobs: tuple[Job, ...]
    told: tuple[Told, ...]
    now: datetime

    @property
    def starts(self) -> datetime | None:
        """The schedules' StartDate; None if they need none."""
        return None if isinstance(self.gap, str) else self.gap.starts

    @property
    def group_arn(self) -> str:
        """The group's ARN, which a role's trust names."""
        return (
            f"arn:{self.found.partition}:scheduler:{self.found.region}:{self.found.account}:schedule-group/{self.group}"
        )

    @property
    def fates(self) -> pd.DataFrame:
        """One row a field, columns :data:`FATE_COLUMNS`, what is left out first; values of environments are hidden."""
        import pandas as pd

        order = {"left out": 0, "stays": 1, "changed": 2, "same": 3}
        rows = [
            [getattr(one, name) for name in FATE_COLUMNS] for one in sorted(self.told, key=lambda one: order[one.fate])
        ]
        return pd.DataFrame(rows, columns=FATE_COLUMNS, dtype=str)

    @property
    def beside(self) -> pd.DataFrame:
        """The rule's runs beside the schedules', from :func:`~ecs_runbook.wanted.zones.beside`."""
        return beside(self.found.expression, self.turned, after=self.now)

    def __str__(self) -> str:
        zone = f", read in {self.turned.zone}" if self.turned.zone != "UTC" else ", read in UTC"
        kept = f" ({self.turned.kept})" if self.turned.kept else ""
        names = ", ".join(f"{self.group}/{job.name}" for job in self.jobs)
        return f"{names}: {self.turned.expression}{zone}{kept}; {in_words(self.gap, self.now)}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(str(self))}.</p>"


def move_to_scheduler(
    found: Found,
    *,
    now: datetime,
    timezone: str = "",
    group: str = "",
    role: str = "",
    dead_letter_queue: str = "",
    latest: bool = False,
    last_run: str = "",
) -> Move:
    """
    Think out what becomes of a rule: nothing is written, and AWS is not asked.

    Parameters
    ----------
    found
        From :func:`~ecs_runbook.moving.rule.scheduled_rule`.
    now
        Aware.
    timezone
        The zone that a cron shall be read in; empty for UTC, where it fires at the very moments of the rule.
    group
        A schedule group that exists; empty for a new one with the rule's tags, or ``default`` if it has none.
    role
        ARN of a role that Scheduler may take; empty for a new one a schedule.
    dead_letter_queue
        ARN of a queue instead of the targets' own.
    latest
        Let go of a revision that a target names.
    last_run
        When a rate fired last, as ``2026-11-24T17:00:00Z``; empty for what :attr:`Found.last` says.

    Raises
    ------
    SpecError
        If a target has more of something than a schedule takes, or a parameter is not what it should be.
    """
    last = _given(role, dead_letter_queue, last_run) or found.last
    other = turned(found.expression, timezone, at=now)
    rows = _Rows()
    tags = _group_tags(found, group, rows)
    name_of = _names(found)
    makes_group = bool(tags) and not group
    its_group = group or (found.name if makes_group else "default")
    jobs = tuple(
        _job(found, target, name_of[str(target["Id"])], rows, role=role, queue=dead_letter_queue, latest=latest)
        for target in found.targets
    )
    gap: Switch | str = "the rule is switched off, and so are the schedules"
    if found.enabled:
        gap = switch(found.expression, other, now=now, last=last)
    waits = isinstance(gap, str)  # a rate without a start would fire at once
    state = "DISABLED" if not found.enabled or (waits and found.is_rate) else "ENABLED"
    _of_rule(found, other, state, gap, rows)
    return Move(found, other, its_group, makes_group, tags, state, gap, jobs, tuple(rows.told), now.astimezone(UTC))


class _Rows:
    """The rows of the table of fates as they come up."""

    def __init__(self) -> None:
        self.told: list[Told] = []

    def add(self, of: str, what: str, rule: object, schedule: object, fate: Fate = "same", because: str = "") -> None:
        self.told.append(Told(of, what, _shown(rule), _shown(schedule), fate, because))


def _unknown(told: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """Return the members that say something and are not known here."""
    return sorted(name for name, value in told.items() if name not in known and value not in (None, "", [], {}))


def _shown(value: object) -> str:
    """Return a value as the table has it: no value of an environment, and not too long."""
    told = hidden(value) if value is not None else ""
    text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _given(role: str, queue: str, last_run: str) -> datetime | None:
    """Return when a rate fired last, if that is given; refuse parameters that are not what they should be."""
    faults, last = [], None
    try:
        last = datetime.fromisoformat(last_run).astimezone(UTC) if last_run else None
        timeless = last_run and datetime.fromisoformat(last_run).tzinfo is None
    except ValueError:
        timeless = True
    if timeless:
        faults.append(Fault("last_run", shortened(last_run), "write a moment with its zone: 2026-11-24T17:00:00Z"))
    if role and not re.fullmatch(r"arn:[\w-]+:iam::\d{12}:role/[\w+=,.@/-]+", role, re.ASCII):
        faults.append(Fault("role", shortened(role), "write the ARN of a role, or leave it empty for a new one"))
    if queue and not re.fullmatch(r"arn:[\w-]+:sqs:[\w-]+:\d{12}:[\w-]+", queue, re.ASCII):
        mend = "write the ARN of a standard queue: Scheduler takes no FIFO queue"
        faults.append(Fault("dead_letter_queue", shortened(queue), mend))
    if faults:
        raise SpecError("The move cannot be thought out like this:", faults=faults)
    return last


# ---------------------------------------------------------------- the rule


def _of_rule(found: Found, other: Turned, state: str, gap: Switch | str, rows: _Rows) -> None:
    rule = found.rule
    exact = other.expression == found.expression and other.zone == "UTC"
    why = other.kept or ("" if exact else "the same by the clocks of that zone today; see where the two part")
    said = f"{other.expression} in {other.zone}"
    rows.add("rule", "ScheduleExpression", f"{found.expression} in UTC", said, "same" if exact else "changed", why)
    because = "" if (state == "DISABLED") is not found.enabled else "switch it on once its start is known"
    rows.add("rule", "State", rule.get("State", "ENABLED"), state, "same" if not because else "changed", because)
    if not isinstance(gap, str):
        rows.add("rule", "StartDate", "", f"{gap.starts:%Y-%m-%dT%H:%M:%SZ}", "changed", "so that nothing runs twice")
    if rule.get("Description"):
        rows.add("rule", "Description", rule["Description"], rule["Description"])
    if rule.get("RoleArn"):
        why = "a rule's own role is for buses of other accounts; no ECS target uses it"
        rows.add("rule", "RoleArn", rule["RoleArn"], "", "stays", why)
    if rule.get("EventPattern"):
        why = f"a schedule waits for no event: the rule keeps its pattern, only its schedule goes: {off(found)}"
        rows.add("rule", "EventPattern", rule["EventPattern"], "", "stays", why)
    for one in found.others:
        why = "it runs no ECS task, and stays with the rule"
        rows.add(f"target {one['Id']}", "Arn", one["Arn"], "", "stays", why)
    for name in _unknown(rule, _OF_RULE):
        rows.add("rule", name, rule[name], "", "left out", "what it means is not known here")


def _group_tags(found: Found, group: str, rows: _Rows) -> dict[str, str]:
    """Return the tags of a new group: a schedule itself takes none."""
    carried = {}
    for key, value in sorted(found.tags.items()):
        if key.lower().startswith("aws:"):
            why = "AWS alone gives such tags: this rule belongs to a stack, and is taken out there"
            rows.add("rule", f"tag {key}", value, "", "stays", why)
        elif not value:
            rows.add("rule", f"tag {key}", "(empty)", "", "left out", "a schedule group takes no empty value")
        elif group:
            why = f"a schedule has no tags, and the group {group} keeps its own"
            rows.add("rule", f"tag {key}", value, "", "left out", why)
        else:
            carried[key] = value
            rows.add("rule", f"tag {key}", value, value, "changed", "a schedule has no tags: it is on the group")
    return carried


def _names(found: Found) -> dict[str, str]:
    """Return the schedules' names by the targets' ids: the rule's own for a single one."""
    ids = [str(one["Id"]) for one in found.targets]
    if len(ids) == 1:
        return {ids[0]: found.name}
    return {one: cut(f"{found.name}-{one}", f"{found.name} {one}") for one in ids}


# ---------------------------------------------------------------- a target


def _job(
    found: Found, target: Mapping[str, Any], name: str, rows: _Rows, *, role: str, queue: str, latest: bool
) -> Job:
    of = f"target {target['Id']}"
    if name != found.name:
        rows.add(of, "Id", target["Id"], name, "changed", "a schedule has one target, so each target is a schedule")
    rows.add(of, "Arn", target["Arn"], target["Arn"])
    parameters = _parameters(found, target, of, rows, latest=latest)
    given = handed(target, str(found.rule["Arn"]))
    for key in ("Input", "InputPath", "InputTransformer"):
        if target.get(key):
            rows.add(of, key, target[key], given.text, given.fate, given.because)
    its_queue = _queue(target, of, rows, queue)
    its_retry = _retry(target, of, rows)
    made = "a new role, which scheduler.amazonaws.com may take for this group alone"
    why = "a rule's role trusts events.amazonaws.com" if target.get("RoleArn") else "it names no role, so it never ran"
    rows.add(of, "RoleArn", target.get("RoleArn", ""), role or made, "changed", why)
    for key in _unknown(target, _OF_TARGET):
        rows.add(of, key, target[key], "", "left out", "what it means for an ECS task is not known here")
    may = () if role else tuple(statements(found, str(target["Arn"]), parameters, given.text, its_queue))
    if not role and roles_of(found, str(parameters["TaskDefinitionArn"])) is None:
        why = "which roles the task has could not be read, so the new role may pass every one to ECS: narrow it"
        rows.add(of, "roles of the task", "", "*", "changed", why)
    return Job(name, target, str(target["Arn"]), parameters, given.text, its_retry, its_queue, role, may)


def _parameters(found: Found, target: Mapping[str, Any], of: str, rows: _Rows, *, latest: bool) -> dict[str, Any]:
    told = target["EcsParameters"]
    _require_few(of, told)
    carried: dict[str, Any] = {}
    for key in _CARRIED:
        value = told.get(key)
        if value in (None, "", [], {}):
            continue
        carried[key] = value
        if key == "TaskDefinitionArn":
            carried[key] = _definition(found, str(value), of, rows, latest=latest)
        else:
            ordered = key == "PlacementStrategy" and len(value) > 1
            why = "the AWS provider keeps them as a set, so they may stand in another order" if ordered else ""
            rows.add(of, f"EcsParameters.{key}", value, value, "changed" if ordered else "same", why)
    network = (told.get("NetworkConfiguration") or {}).get("awsvpcConfiguration")
    if network is not None and not network.get("Subnets"):
        carried.pop("NetworkConfiguration", None)
        why = "it has no subnets, which a schedule wants"
        rows.add(of, "EcsParameters.NetworkConfiguration.Subnets", network, "", "left out", why)
    elif network is not None:
        kept = {key: value for key, value in network.items() if value not in (None, "", [])}
        carried["NetworkConfiguration"] = {"awsvpcConfiguration": kept}
        if not network.get("AssignPublicIp"):
            why = "the AWS provider says so where the rule says nothing; what AWS takes then is not documented"
            rows.add(of, "EcsParameters.NetworkConfiguration.AssignPublicIp", "", "DISABLED", "changed", why)
    for key in _unknown(told, _CARRIED):
        rows.add(of, f"EcsParameters.{key}", told[key], "", "left out", "a schedule has no such parameter")
    return carried


def _require_few(of: str, told: Mapping[str, Any]) -> None:
    network = (told.get("NetworkConfiguration") or {}).get("awsvpcConfiguration") or {}
    sizes = {
        "Subnets": len(network.get("Subnets") or ()),
        "SecurityGroups": len(network.get("SecurityGroups") or ()),
        "TaskCount": int(told.get("TaskCount") or 1),
        "Tags": len(told.get("Tags") or ()),
    }
    faults = [
        Fault(f"{of}, {name}", str(size), f"a schedule takes {_MOST[name]} at most")
        for name, size in sizes.items()
        if size > _MOST[name]
    ]
    if faults:
        raise SpecError("The rule has more than a schedule takes:", faults=faults)


def _definition(found: Found, name: str, of: str, rows: _Rows, *, latest: bool) -> str:
    arn = name if name.startswith("arn:") else _definition_arn(found, name)
    pinned = REVISION.search(arn)
    goes = REVISION.sub("", arn) if latest and pinned else arn
    because = [] if arn == name else ["the same, as an ARN"]
    if pinned:
        because += ["the revision is let go" if latest else "it stays on this revision; latest = True lets it go"]
    fate: Fate = "same" if goes == name else "changed"
    rows.add(of, "EcsParameters.TaskDefinitionArn", name, goes, fate, "; ".join(because))
    return goes


def _definition_arn(found: Found, name: str) -> str:
    return f"arn:{found.partition}:ecs:{found.region}:{found.account}:task-definition/{name}"


def _queue(target: Mapping[str, Any], of: str, rows: _Rows, instead: str) -> str:
    own = str((target.get("DeadLetterConfig") or {}).get("Arn") or "")
    if instead:
        rows.add(of, "DeadLetterConfig", own, instead, "changed", "as was asked for")
        return instead
    if own.endswith(".fifo"):
        why = "neither takes a FIFO queue: nothing ever lay in it; name a standard one as dead_letter_queue"
        rows.add(of, "DeadLetterConfig", own, "", "left out", why)
        return ""
    if own:
        rows.add(of, "DeadLetterConfig", own, own)
    return own


def _retry(target: Mapping[str, Any], of: str, rows: _Rows) -> dict[str, int]:
    """Return both limits, or nothing where the rule has AWS's defaults, which are a schedule's too."""
    told = target.get("RetryPolicy") or {}
    if not told:
        return {}
    whole = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185} | dict(told)
    rows.add(of, "RetryPolicy", told, whole)
    return whole
