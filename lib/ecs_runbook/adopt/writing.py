"""The Terraform of what is adopted: import blocks, and resources as AWS has them, in HCL as people write it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ecs_runbook.adopt.beside import Beside
from ecs_runbook.adopt.existing import Existing, group_of
from ecs_runbook.adopt.machines import StateMachine
from ecs_runbook.adopt.made import Makes
from ecs_runbook.adopt.named import Along
from ecs_runbook.adopt.planned import shown
from ecs_runbook.adopt.policies import Policy
from ecs_runbook.terraform import generate, hcl
from ecs_runbook.terraform.targets import OF_RULE, OF_SCHEDULE, ecs_parameters, json_text, label_of, same_text

NEEDED_TERRAFORM = ">= 1.6"
RULE, TARGET = "aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"
SCHEDULE, GROUP = "aws_scheduler_schedule", "aws_scheduler_schedule_group"
ROLE_POLICY, POLICY, ATTACHMENT = "aws_iam_role_policy", "aws_iam_policy", "aws_iam_role_policy_attachment"
MACHINE, QUEUE_POLICY = "aws_sfn_state_machine", "aws_sqs_queue_policy"
BUS, ROLE, QUEUE = "aws_cloudwatch_event_bus", "aws_iam_role", "aws_sqs_queue"

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
        "RedshiftDataParameters",
        "SageMakerPipelineParameters",
        "AppSyncParameters",
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
        "SageMakerPipelineParameters",
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
_REDSHIFT = {
    "Database": "database",
    "DbUser": "db_user",
    "SecretManagerArn": "secrets_manager_arn",
    "Sql": "sql",
    "StatementName": "statement_name",
    "WithEvent": "with_event",
}
_OF_BUS = frozenset(
    ["Arn", "Name", "Description", "KmsKeyIdentifier", "DeadLetterConfig", "Tags", "CreationTime", "LastModifiedTime"]
)
_SESSION = 3600
_QUEUE_NUMBERS = {
    "DelaySeconds": ("delay_seconds", 0),
    "MaximumMessageSize": ("max_message_size", 262144),
    "MessageRetentionPeriod": ("message_retention_seconds", 345600),
    "ReceiveMessageWaitTimeSeconds": ("receive_wait_time_seconds", 0),
    "VisibilityTimeout": ("visibility_timeout_seconds", 30),
    "KmsDataKeyReusePeriodSeconds": ("kms_data_key_reuse_period_seconds", 300),
}
"""Arguments of a queue and the provider's defaults (its documentation of aws_sqs_queue, verified)."""
_MOST_OF_A_MESSAGE = 262144
"""More than that, though SQS has queues with more, the provider refuses to be told (5.100, seen); ignored, it stays."""
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
        rule beside its targets as ``<label> rule``.
    along
        Addresses of what is adopted since it is named, by ARN.
    lost
        What cannot be written.
    silent
        By address and argument: what AWS takes where it tells nothing, and the provider always says.
    made
        Addresses of what is not there yet, and is made.
    makes, elsewhere
        What somebody's own files make; and by what it is of, where they make what is therefore not written.
    """

    blocks: list[hcl.Block] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    silent: dict[tuple[str, str], int] = field(default_factory=dict)
    taken: dict[str, set[str]] = field(default_factory=dict)
    along: dict[str, str] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    makes: Makes = field(default_factory=Makes)
    elsewhere: dict[str, str] = field(default_factory=dict)

    def beside(
        self, of: str, kind: str, name: str, key: str, *parts: Mapping[str, Any] | hcl.Block, role: str = ""
    ) -> str:
        """Write what is no rule and no schedule, unless somebody's own files make it: then return ``""``."""
        if place := self.makes.place(kind, name, role=role):
            self.elsewhere[of] = place
            return ""
        return self.add(of, kind, f"{role}_{name}" if role else name, key, *parts)

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

    def named(self, arn: str, attribute: str = "arn", otherwise: str | None = None) -> str:
        """Return how *arn* is written: by its resource, if it is adopted too, else as it is, or as *otherwise*."""
        address = self.along.get(arn)
        if address is None:
            return arn if otherwise is None else otherwise
        return hcl.Code(f"{address}.{attribute}")

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


def root_module(
    things: Sequence[Existing], beside: Beside, *, account: str, region: str, makes: Makes | None = None
) -> tuple[str, Written]:
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
    written = Written(makes=makes or Makes())
    _along(beside.along, things, written)
    for machine in beside.machines:
        _machine(machine, written)
    for thing in things:
        (_rule if thing.kind == "rule" else _schedule)(thing, written)
    for one in beside.policies:
        _policy(one, beside.roles.get(one.of, ()), written)
    for one in (each for each in beside.along.policies.all if each.arn):
        if f"{one.of} of {one.role}" not in written.addresses:
            _attachment(one, one.role, one.arn, written)
    if queue := beside.queue:
        told = {"queue_url": queue.url, "policy": hcl.Call("jsonencode", queue.policy)}
        key = queue.url if beside.queue_has_policy else ""
        written.beside(f"queue {queue.name}", QUEUE_POLICY, queue.name, key, told)
    return hcl.document(settings, provider, *written.blocks), written


# ---------------------------------------------------------------- what stands beside


def _policy(one: Policy, roles: Sequence[str], written: Written) -> None:
    document = {"policy": hcl.Call("jsonencode", one.document)}
    if not one.arn:
        key, named = f"{one.role}:{one.name}", {"name": one.name, "role": _role_of(one.role, written)}
        written.beside(one.of, ROLE_POLICY, one.name, key, named | document, role=one.role)
        return
    path = one.told.get("Path", "/")
    named = (
        {"name": one.name} | ({"path": path} if path != "/" else {}) | _given(one.told, {"Description": "description"})
    )
    tags = _own({tag["Key"]: tag["Value"] for tag in one.told.get("Tags", [])})
    address = written.beside(one.of, POLICY, one.name, one.arn, named | document, tags)
    for role in roles if address else ():
        _attachment(one, role, hcl.Code(f"{address}.arn"), written)


def _attachment(one: Policy, role: str, arn: str, written: Written) -> None:
    parts = {"role": _role_of(role, written), "policy_arn": arn}
    written.beside(f"{one.of} of {role}", ATTACHMENT, one.name, f"{role}/{one.arn}", parts, role=role)


def _role_of(name: str, written: Written) -> str:
    arn = next((arn for arn in written.along if arn.endswith(f"/{name}") and ":role/" in arn), "")
    return written.named(arn, "name", name)


def _along(along: Along, things: Sequence[Existing], written: Written) -> None:
    for arn, told in along.buses.items():
        parts = {"name": told["Name"]} | _given(told, {"Description": "description"})
        parts |= _given(told, {"KmsKeyIdentifier": "kms_key_identifier"})
        dead = hcl.block("dead_letter_config", _given(told.get("DeadLetterConfig") or {}, {"Arn": "arn"}))
        _one_along(arn, BUS, told["Name"], told["Name"], written, parts, _own(told["Tags"]), dead)
        if arn in written.along:
            written.lose(arn, told, _OF_BUS)
    for name in sorted(along.groups):
        thing = next(one for one in things if one.kind == "schedule" and one.group == name)
        arn = group_of(str(thing.told["Arn"]))
        _one_along(arn, GROUP, name, name, written, {"name": name}, _own(thing.tags))
    for arn, told in along.queues.items():
        _queue(arn, told, written)
    for arn, told in along.roles.items():
        name, path = told["RoleName"], told.get("Path", "/")
        parts = {"name": name} | ({"path": path} if path != "/" else {}) | _given(told, {"Description": "description"})
        parts |= {"assume_role_policy": hcl.Call("jsonencode", told["AssumeRolePolicyDocument"])}
        boundary = (told.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
        parts |= {"permissions_boundary": boundary} if boundary else {}
        longest = told.get("MaxSessionDuration", _SESSION)
        parts |= {"max_session_duration": longest} if longest != _SESSION else {}
        _one_along(arn, ROLE, name, name, written, parts, _own(told["Tags"]))


def _one_along(
    arn: str, kind: str, name: str, key: str, written: Written, *parts: Mapping[str, Any] | hcl.Block
) -> None:
    kept = [part for part in parts if not isinstance(part, hcl.Block) or part.parts]
    if address := written.beside(arn, kind, name, key, *kept):
        written.along[arn] = address


def _queue(arn: str, told: Mapping[str, Any], written: Written) -> None:
    name = arn.rpartition(":")[2]
    parts: dict[str, Any] = {"name": name}
    for aws, (argument, usual) in _QUEUE_NUMBERS.items():
        if told.get(aws) not in (None, "", str(usual)):
            parts[argument] = int(told[aws])
    kept: list[hcl.Block] = []
    if parts.get("max_message_size", 0) > _MOST_OF_A_MESSAGE:
        del parts["max_message_size"]
        kept = [hcl.block("lifecycle", {"ignore_changes": [hcl.Code("max_message_size")]})]
    parts |= {"sqs_managed_sse_enabled": False} if told.get("SqsManagedSseEnabled") == "false" else {}
    parts |= _given(told, {"KmsMasterKeyId": "kms_master_key_id"})
    for aws, argument in {"RedrivePolicy": "redrive_policy", "RedriveAllowPolicy": "redrive_allow_policy"}.items():
        if told.get(aws):
            parts[argument] = same_text(str(told[aws]))
    _one_along(arn, QUEUE, name, str(told["QueueUrl"]), written, parts, _own(told["Tags"]), *kept)


def _machine(one: StateMachine, written: Written) -> None:
    told, of = one.told, f"state machine {one.name}"
    first = {"name": one.name, "role_arn": written.named(one.role), "definition": same_text(one.text)}
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
    arn = str(told["stateMachineArn"])
    if address := written.beside(of, MACHINE, one.name, arn, *parts, _own(one.tags)):
        written.along[arn] = address
        written.lose(of, told, _OF_MACHINE)


def _own(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return tags as an argument, without those of AWS's own, which nobody else may write."""
    own = {key: value for key, value in tags.items() if not key.lower().startswith("aws:")}
    return {"tags": own} if own else {}


# ---------------------------------------------------------------- a rule


def _rule(thing: Existing, written: Written) -> None:
    told = thing.told
    arn = f"{str(told['Arn']).partition(':rule/')[0]}:event-bus/{thing.group}"
    bus = {"event_bus_name": written.named(arn, "name", thing.group)} if thing.group != "default" else {}
    of = f"{thing.label} rule"
    first = {"name": thing.name, **bus} | _given(told, {"Description": "description"})
    when = _given(told, {"ScheduleExpression": "schedule_expression"})
    if told.get("EventPattern"):
        when["event_pattern"] = json_text(str(told["EventPattern"]))
    when |= {"state": told["State"]} if told.get("State", "ENABLED") != "ENABLED" else {}
    own = {"role_arn": written.named(str(told["RoleArn"]))} if told.get("RoleArn") else {}
    key = thing.name if thing.group == "default" else f"{thing.group}/{thing.name}"
    address = written.add(of, RULE, thing.name, key, first, when, own, _own(thing.tags))
    written.lose(of, told, _OF_RULE)
    for target in thing.targets:
        its = f"{thing.label}#{target['Id']}"
        name = thing.name if len(thing.targets) == 1 else f"{thing.name}_{target['Id']}"
        parts = [*_target(target, address, bus, written)]
        written.add(its, TARGET, name, f"{thing.group}/{thing.name}/{target['Id']}", *parts)
        written.keep_silent(its, target)
        written.lose(its, target, _OF_TARGET)
        written.lose(its, target.get("RedshiftDataParameters") or {}, _REDSHIFT, "RedshiftDataParameters.")
        ecs = target.get("EcsParameters") or {}
        written.lose(its, ecs, _OF_ECS - OF_RULE.lacks, "EcsParameters.")


def _target(
    target: Mapping[str, Any], rule: str, bus: Mapping[str, Any], written: Written
) -> Iterator[Mapping[str, Any] | hcl.Block]:
    names = {"rule": hcl.Code(f"{rule}.name")}
    if bus:
        names["event_bus_name"] = hcl.Code(f"{rule}.event_bus_name")
    role = {"role_arn": written.named(str(target["RoleArn"]))} if target.get("RoleArn") else {}
    yield names | {"target_id": target["Id"], "arn": written.named(str(target["Arn"]))} | role
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
    yield from _failing(target, written)


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
    if told := target.get("RedshiftDataParameters"):
        yield hcl.block("redshift_target", _given(told, _REDSHIFT))
    if told := target.get("AppSyncParameters"):
        yield hcl.block("appsync_target", _given(told, {"GraphQLOperation": "graphql_operation"}))
    if told := target.get("SageMakerPipelineParameters"):
        yield hcl.block("sagemaker_pipeline_target", *_pipeline(told, "pipeline_parameter_list"))
    for told in (target.get("RunCommandParameters") or {}).get("RunCommandTargets", []):
        yield hcl.block("run_command_targets", {"key": told["Key"], "values": told["Values"]})


# ---------------------------------------------------------------- a schedule


def _schedule(thing: Existing, written: Written) -> None:
    told = thing.told
    group = written.named(group_of(str(thing.told["Arn"])), "name", thing.group)
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
        hcl.block("target", *_its_target(thing.targets[0], written)),
    )
    written.keep_silent(thing.label, thing.targets[0])
    written.lose(thing.label, told, _OF_SCHEDULE)
    written.lose(thing.label, thing.targets[0], _OF_ITS_TARGET, "Target.")
    ecs = thing.targets[0].get("EcsParameters") or {}
    written.lose(thing.label, ecs, _OF_ECS if _tags_are_read(ecs) else _OF_ECS - {"Tags"}, "Target.EcsParameters.")
    if len(ecs.get("PlacementStrategy") or ()) > 1:  # the provider keeps them as a set
        written.lose(
            thing.label, {"PlacementStrategy": ecs["PlacementStrategy"]}, (), "the order of Target.EcsParameters."
        )


def _tags_are_read(parameters: Mapping[str, Any]) -> bool:
    """Say whether the provider can read a schedule's tags back: those that say ``key`` and ``value`` (5.100, seen)."""
    return all(set(tag) == {"key", "value"} for tag in parameters.get("Tags") or ())


def _its_target(target: Mapping[str, Any], written: Written) -> Iterator[Mapping[str, Any] | hcl.Block]:
    yield {"arn": written.named(str(target["Arn"])), "role_arn": written.named(str(target["RoleArn"]))}
    if target.get("Input"):
        yield {"input": same_text(str(target["Input"]))}
    if parameters := target.get("EcsParameters"):
        kept = parameters if _tags_are_read(parameters) else {**parameters, "Tags": []}
        yield hcl.block("ecs_parameters", *ecs_parameters(_told(kept), OF_SCHEDULE))
    if told := target.get("EventBridgeParameters"):
        yield hcl.block("eventbridge_parameters", {"detail_type": told["DetailType"], "source": told["Source"]})
    if told := target.get("KinesisParameters"):
        yield hcl.block("kinesis_parameters", {"partition_key": told["PartitionKey"]})
    if told := target.get("SageMakerPipelineParameters"):
        yield hcl.block("sagemaker_pipeline_parameters", *_pipeline(told, "pipeline_parameter"))
    if told := target.get("SqsParameters"):
        yield hcl.block("sqs_parameters", _given(told, {"MessageGroupId": "message_group_id"}))
    yield from _failing(target, written)


# ---------------------------------------------------------------- both


def _pipeline(told: Mapping[str, Any], name: str) -> Iterator[hcl.Block]:
    for one in told.get("PipelineParameterList") or ():
        yield hcl.block(name, {"name": one["Name"], "value": one["Value"]})


def _failing(target: Mapping[str, Any], written: Written) -> Iterator[hcl.Block]:
    retry = target.get("RetryPolicy") or {}
    if retry:  # the provider sends 0 for the one that is left out
        yield hcl.block("retry_policy", {to: retry.get(name, usual) for name, (to, usual) in _RETRY.items()})
    if (target.get("DeadLetterConfig") or {}).get("Arn"):
        yield hcl.block("dead_letter_config", {"arn": written.named(str(target["DeadLetterConfig"]["Arn"]))})


def _told(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return EcsParameters without what equals the provider's default."""
    plain = {"TaskCount": 1, "EnableECSManagedTags": False, "EnableExecuteCommand": False}
    return {name: value for name, value in parameters.items() if name not in plain or value != plain[name]}


def _given(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {to: told[name] for name, to in names.items() if told.get(name)}


def _moment(told: datetime) -> str:
    return f"{told.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
