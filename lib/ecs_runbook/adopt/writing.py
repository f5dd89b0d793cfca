"""The Terraform of what is adopted: import blocks, and resources as AWS has them, in HCL as people write it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ecs_runbook.adopt.existing import Existing
from ecs_runbook.adopt.machines import StateMachine
from ecs_runbook.adopt.planned import shown
from ecs_runbook.adopt.policies import Policy
from ecs_runbook.adopt.queues import LetterQueue
from ecs_runbook.terraform import generate, hcl
from ecs_runbook.terraform.targets import OF_RULE, OF_SCHEDULE, ecs_parameters, json_text, label_of, same_text

NEEDED_TERRAFORM = ">= 1.6"
RULE, TARGET = "aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"
SCHEDULE, GROUP = "aws_scheduler_schedule", "aws_scheduler_schedule_group"
ROLE_POLICY, POLICY, ATTACHMENT = "aws_iam_role_policy", "aws_iam_policy", "aws_iam_role_policy_attachment"
MACHINE, QUEUE_POLICY = "aws_sfn_state_machine", "aws_sqs_queue_policy"

_OF_RULE = frozenset(
    [
        "Name",
        "Arn",
        "EventPattern",
        "ScheduleExpression",
        "State",
        "Description",
        "RoleArn",
        "EventBusName",
        "CreatedBy",
        "ManagedBy",
    ]
)
_OF_TARGET = frozenset(
    [
        "Id",
        "Arn",
        "RoleArn",
        "Input",
        "InputPath",
        "InputTransformer",
        "EcsParameters",
        "DeadLetterConfig",
        "RetryPolicy",
        "KinesisParameters",
        "SqsParameters",
        "BatchParameters",
        "HttpParameters",
        "RunCommandParameters",
    ]
)
_OF_SCHEDULE = frozenset(
    [
        "Name",
        "Arn",
        "GroupName",
        "Description",
        "State",
        "ScheduleExpression",
        "ScheduleExpressionTimezone",
        "StartDate",
        "EndDate",
        "FlexibleTimeWindow",
        "KmsKeyArn",
        "Target",
        "CreationDate",
        "LastModificationDate",
    ]
)
_OF_ITS_TARGET = frozenset(
    [
        "Arn",
        "RoleArn",
        "Input",
        "EcsParameters",
        "DeadLetterConfig",
        "RetryPolicy",
        "KinesisParameters",
        "SqsParameters",
        "EventBridgeParameters",
    ]
)
_OF_ECS = frozenset(
    [
        "TaskDefinitionArn",
        "TaskCount",
        "LaunchType",
        "PlatformVersion",
        "Group",
        "PropagateTags",
        "EnableECSManagedTags",
        "EnableExecuteCommand",
        "ReferenceId",
        "Tags",
        "NetworkConfiguration",
        "CapacityProviderStrategy",
        "PlacementConstraints",
        "PlacementStrategy",
    ]
)
_OF_MACHINE = frozenset(
    [
        "stateMachineArn",
        "name",
        "status",
        "definition",
        "roleArn",
        "type",
        "creationDate",
        "loggingConfiguration",
        "tracingConfiguration",
        "encryptionConfiguration",
        "revisionId",
        "label",
    ]
)
_RETRY = {
    "MaximumEventAgeInSeconds": ("maximum_event_age_in_seconds", 86400),
    "MaximumRetryAttempts": ("maximum_retry_attempts", 185),
}
"""What AWS takes where nothing is said: 24 hours and 185 times (AWS docs, EventBridge and Scheduler, verified)."""
_PLAIN = {"ActionAfterCompletion": "NONE"}
"""What says nothing that its absence would not say too. Source: botocore scheduler CreateSchedule (verified)."""


@dataclass(frozen=True)
class Lost:
    """What AWS keeps and no argument is written for, since the provider or this has none: an update would drop it."""

    address: str
    of: str
    field: str
    value: Any

    def __str__(self) -> str:
        return f"{self.of}: {self.field} = {shown(self.value)}"


@dataclass
class Written:
    """
    Resources and their imports, as they are gathered.

    Attributes
    ----------
    blocks
        What stands in ``main.tf`` below the provider.
    addresses
        By what each resource is of, as :attr:`Difference.of <ecs_runbook.adopt.mends.Difference.of>` names it; the
        rule beside its targets as ``<label> rule``, the group as ``<group> group``.
    lost
        What cannot be written.
    silent
        By address and argument: what AWS takes where it tells nothing, and the provider always says.
    made
        Addresses of what is not there yet, and is made.
    """

    blocks: list[hcl.Block] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    silent: dict[tuple[str, str], int] = field(default_factory=dict)
    taken: dict[str, set[str]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)

    def add(self, of: str, kind: str, name: str, key: str, *parts: Mapping[str, Any] | hcl.Block) -> str:
        """Write one resource below its import, and return its address; without a key it is made."""
        label = label_of(name, self.taken.setdefault(kind, set()))
        address = f"{kind}.{label}"
        if key:
            self.blocks.append(hcl.block("import", {"to": hcl.Code(address), "id": key}))
        else:
            self.made.add(address)
        self.blocks.append(hcl.block("resource", kind, label, *parts))
        self.addresses[of] = address
        return address

    def keep_silent(self, of: str, target: Mapping[str, Any]) -> None:
        """Note what *target* does not say."""
        address, ecs, retry = self.addresses[of], target.get("EcsParameters"), target.get("RetryPolicy")
        if ecs and ecs.get("TaskCount") is None:
            self.silent[address, "task_count"] = 1
        for name, (argument, usual) in _RETRY.items():
            if retry and retry.get(name) is None:
                self.silent[address, argument] = usual

    def lose(self, of: str, told: Mapping[str, Any], known: Iterable[str], within: str = "") -> None:
        """Note what is told and not known."""
        for name in sorted(set(told) - set(known)):
            if told[name] not in (None, "", [], {}) and _PLAIN.get(name) != told[name]:
                self.lost.append(Lost(self.addresses[of], of, f"{within}{name}", told[name]))


@dataclass(frozen=True)
class Beside:
    """What is adopted beside rules and schedules, since a mend changes it."""

    machines: Sequence[StateMachine] = ()
    policies: Sequence[Policy] = ()
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    queue: LetterQueue | None = None
    queue_has_policy: bool = False


def root_module(things: Sequence[Existing], beside: Beside, *, account: str, region: str) -> tuple[str, Written]:
    """
    Return the text of ``main.tf`` and what was written in it.

    No value of AWS can become code in it, and ``terraform fmt`` has nothing to add.
    """
    settings = hcl.block(
        "terraform",
        {"required_version": NEEDED_TERRAFORM},
        hcl.block("required_providers", {"aws": {"source": "hashicorp/aws", "version": generate.NEEDED_PROVIDER}}),
    )
    provider = hcl.block("provider", "aws", {"region": region, "allowed_account_ids": [account]})
    written = Written()
    for thing in things:
        (_rule if thing.kind == "rule" else _schedule)(thing, written)
    for machine in beside.machines:
        _machine(machine, written)
    for one in beside.policies:
        _policy(one, beside.roles.get(one.of, ()), written)
    if queue := beside.queue:
        told = {"queue_url": queue.url, "policy": hcl.Call("jsonencode", queue.policy)}
        key = queue.url if beside.queue_has_policy else ""
        written.add(f"queue {queue.name}", QUEUE_POLICY, queue.name, key, told)
    return hcl.document(settings, provider, *written.blocks), written


# ---------------------------------------------------------------- what stands beside


def _policy(one: Policy, roles: Sequence[str], written: Written) -> None:
    document = {"policy": hcl.Call("jsonencode", one.document)}
    if not one.arn:
        key = f"{one.role}:{one.name}"
        written.add(one.of, ROLE_POLICY, f"{one.role}_{one.name}", key, {"name": one.name, "role": one.role} | document)
        return
    path = one.told.get("Path", "/")
    named = (
        {"name": one.name} | ({"path": path} if path != "/" else {}) | _given(one.told, {"Description": "description"})
    )
    tags = _own({tag["Key"]: tag["Value"] for tag in one.told.get("Tags", [])})
    address = written.add(one.of, POLICY, one.name, one.arn, named | document, tags)
    for role in roles:
        parts = {"role": role, "policy_arn": hcl.Code(f"{address}.arn")}
        written.add(f"{one.of} of {role}", ATTACHMENT, f"{role}_{one.name}", f"{role}/{one.arn}", parts)


def _machine(one: StateMachine, written: Written) -> None:
    told, of = one.told, f"state machine {one.name}"
    first = {"name": one.name, "role_arn": one.role, "definition": same_text(one.text)}
    first |= {"type": told["type"]} if told.get("type", "STANDARD") != "STANDARD" else {}
    parts: list[Mapping[str, Any] | hcl.Block] = [first]
    logging = told.get("loggingConfiguration") or {}
    if logging.get("level", "OFF") != "OFF":
        groups = [each["cloudWatchLogsLogGroup"]["logGroupArn"] for each in logging.get("destinations", [])]
        inside = {"level": logging["level"], "include_execution_data": logging.get("includeExecutionData", False)}
        parts.append(hcl.block("logging_configuration", inside | ({"log_destination": groups[0]} if groups else {})))
    if (told.get("tracingConfiguration") or {}).get("enabled"):
        parts.append(hcl.block("tracing_configuration", {"enabled": True}))
    key = told.get("encryptionConfiguration") or {}
    if key.get("type", "AWS_OWNED_KEY") != "AWS_OWNED_KEY":
        names = {"type": "type", "kmsKeyId": "kms_key_id"}
        names |= {"kmsDataKeyReusePeriodSeconds": "kms_data_key_reuse_period_seconds"}
        parts.append(hcl.block("encryption_configuration", _given(key, names)))
    written.add(of, MACHINE, one.name, str(told["stateMachineArn"]), *parts, _own(one.tags))
    written.lose(of, told, _OF_MACHINE)


def _own(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return tags as an argument, without those of AWS's own, which nobody else may write."""
    own = {key: value for key, value in tags.items() if not key.lower().startswith("aws:")}
    return {"tags": own} if own else {}


# ---------------------------------------------------------------- a rule


def _rule(thing: Existing, written: Written) -> None:
    told = thing.told
    of, bus = f"{thing.label} rule", {"event_bus_name": thing.group} if thing.group != "default" else {}
    first = {"name": thing.name, **bus} | _given(told, {"Description": "description"})
    when = _given(told, {"ScheduleExpression": "schedule_expression"})
    if told.get("EventPattern"):
        when["event_pattern"] = json_text(str(told["EventPattern"]))
    when |= {"state": told["State"]} if told.get("State", "ENABLED") != "ENABLED" else {}
    own = _given(told, {"RoleArn": "role_arn"})
    key = thing.name if thing.group == "default" else f"{thing.group}/{thing.name}"
    address = written.add(of, RULE, thing.name, key, first, when, own, _own(thing.tags))
    written.lose(of, told, _OF_RULE)
    for target in thing.targets:
        its = f"{thing.label}#{target['Id']}"
        name = thing.name if len(thing.targets) == 1 else f"{thing.name}_{target['Id']}"
        parts = [*_target(target, address, bus)]
        written.add(its, TARGET, name, f"{thing.group}/{thing.name}/{target['Id']}", *parts)
        written.keep_silent(its, target)
        written.lose(its, target, _OF_TARGET)
        ecs = target.get("EcsParameters") or {}
        written.lose(its, ecs, _OF_ECS - OF_RULE.lacks, "EcsParameters.")


def _target(target: Mapping[str, Any], rule: str, bus: Mapping[str, Any]) -> Iterator[Mapping[str, Any] | hcl.Block]:
    names = {"rule": hcl.Code(f"{rule}.name")}
    if bus:
        names["event_bus_name"] = hcl.Code(f"{rule}.event_bus_name")
    yield names | {"target_id": target["Id"], "arn": target["Arn"]} | _given(target, {"RoleArn": "role_arn"})
    handed = _given(target, {"InputPath": "input_path"})
    if target.get("Input"):
        handed["input"] = same_text(str(target["Input"]))
    yield handed
    if transformer := target.get("InputTransformer"):
        inside = {"input_paths": transformer["InputPathsMap"]} if transformer.get("InputPathsMap") else {}
        yield hcl.block("input_transformer", inside | {"input_template": transformer["InputTemplate"]})
    if parameters := target.get("EcsParameters"):
        yield hcl.block("ecs_target", *ecs_parameters(_told(parameters), OF_RULE))
    yield from _others(target)
    yield from _failing(target)


def _others(target: Mapping[str, Any]) -> Iterator[hcl.Block]:
    """Yield what targets say that do not end in ECS: they are the rule's, and go with it."""
    if told := target.get("KinesisParameters"):
        yield hcl.block("kinesis_target", {"partition_key_path": told["PartitionKeyPath"]})
    if told := target.get("SqsParameters"):
        yield hcl.block("sqs_target", {"message_group_id": told["MessageGroupId"]})
    if told := target.get("BatchParameters"):
        more = {"array_size": (told.get("ArrayProperties") or {}).get("Size")}
        more |= {"job_attempts": (told.get("RetryStrategy") or {}).get("Attempts")}
        names = {"job_definition": told["JobDefinition"], "job_name": told["JobName"]}
        yield hcl.block("batch_target", names | {key: value for key, value in more.items() if value})
    if told := target.get("HttpParameters"):
        names = {
            "PathParameterValues": "path_parameter_values",
            "HeaderParameters": "header_parameters",
            "QueryStringParameters": "query_string_parameters",
        }
        yield hcl.block("http_target", _given(told, names))
    for told in (target.get("RunCommandParameters") or {}).get("RunCommandTargets", []):
        yield hcl.block("run_command_targets", {"key": told["Key"], "values": told["Values"]})


# ---------------------------------------------------------------- a schedule


def _schedule(thing: Existing, written: Written) -> None:
    told = thing.told
    group: Any = "default"
    if thing.group != "default":
        if thing.group not in written.groups:
            parts = ({"name": thing.group}, _own(thing.tags))
            address = written.add(f"{thing.group} group", GROUP, thing.group, thing.group, *parts)
            written.groups[thing.group] = address
        group = hcl.Code(f"{written.groups[thing.group]}.name")
    first = {"name": thing.name, "group_name": group} | _given(told, {"Description": "description"})
    when = {"schedule_expression": told["ScheduleExpression"]}
    zone = told.get("ScheduleExpressionTimezone", "UTC")
    when |= {"schedule_expression_timezone": zone} if zone != "UTC" else {}
    when |= {
        name: _moment(told[key])
        for key, name in (("StartDate", "start_date"), ("EndDate", "end_date"))
        if told.get(key)
    }
    when |= {"state": told["State"]} if told.get("State", "ENABLED") != "ENABLED" else {}
    window = told["FlexibleTimeWindow"]
    inside = {"mode": window["Mode"]} | _given(window, {"MaximumWindowInMinutes": "maximum_window_in_minutes"})
    written.add(
        thing.label,
        SCHEDULE,
        thing.name,
        f"{thing.group}/{thing.name}",
        first,
        when,
        _given(told, {"KmsKeyArn": "kms_key_arn"}),
        hcl.block("flexible_time_window", inside),
        hcl.block("target", *_its_target(thing.targets[0])),
    )
    written.keep_silent(thing.label, thing.targets[0])
    written.lose(thing.label, told, _OF_SCHEDULE)
    written.lose(thing.label, thing.targets[0], _OF_ITS_TARGET, "Target.")
    written.lose(thing.label, thing.targets[0].get("EcsParameters") or {}, _OF_ECS, "Target.EcsParameters.")


def _its_target(target: Mapping[str, Any]) -> Iterator[Mapping[str, Any] | hcl.Block]:
    yield {"arn": target["Arn"], "role_arn": target["RoleArn"]}
    if target.get("Input"):
        yield {"input": same_text(str(target["Input"]))}
    if parameters := target.get("EcsParameters"):
        yield hcl.block("ecs_parameters", *ecs_parameters(_told(parameters), OF_SCHEDULE))
    if told := target.get("EventBridgeParameters"):
        yield hcl.block("eventbridge_parameters", {"detail_type": told["DetailType"], "source": told["Source"]})
    if told := target.get("KinesisParameters"):
        yield hcl.block("kinesis_parameters", {"partition_key": told["PartitionKey"]})
    if told := target.get("SqsParameters"):
        yield hcl.block("sqs_parameters", _given(told, {"MessageGroupId": "message_group_id"}))
    yield from _failing(target)


# ---------------------------------------------------------------- both


def _failing(target: Mapping[str, Any]) -> Iterator[hcl.Block]:
    retry = target.get("RetryPolicy") or {}
    if retry:  # the provider sends 0 for the one that is left out
        yield hcl.block("retry_policy", {to: retry.get(name, usual) for name, (to, usual) in _RETRY.items()})
    if (target.get("DeadLetterConfig") or {}).get("Arn"):
        yield hcl.block("dead_letter_config", {"arn": target["DeadLetterConfig"]["Arn"]})


def _told(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return EcsParameters without what equals the provider's default."""
    plain = {"TaskCount": 1, "EnableECSManagedTags": False, "EnableExecuteCommand": False}
    return {name: value for name, value in parameters.items() if name not in plain or value != plain[name]}


def _given(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {to: told[name] for name, to in names.items() if told.get(name)}


def _moment(told: datetime) -> str:
    return f"{told.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
