"""
RunTask and StartTask: what a reference means, who may, what AWS refuses, and only then a task.

The order of the checks: the definition is resolved, then IAM is asked about the *resolved* revision (AWS docs, ECS
RunTask: "a change was made to resolve the task definition revision before authorization"), then come the parameters.
Among these AWS's order is not known.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ecs.exceptions import ECSException, InvalidParameterException
from moto.ecs.models import Cluster, ContainerInstance, EC2ContainerServiceBackend, TaskDefinition
from moto.ecs.responses import EC2ContainerServiceResponse

from ecs_runbook.local_aws import account_settings, definitions, permissions
from ecs_runbook.local_aws.identity import Caller
from ecs_runbook.local_aws.settings import Settings
from ecs_runbook.local_aws.task_life import Life, Script, Task, generation, life_of, precreated
from ecs_runbook.local_aws.world import World, current_call

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")
_LAUNCH_TYPES = ("EC2", "FARGATE", "EXTERNAL")
_PLATFORM_VERSIONS = ("LATEST", "1.4.0", "1.3.0", "1.2.0", "1.1.0", "1.0.0")  # AWS docs, "Fargate platform versions"
_TOKENS_LIVE = timedelta(hours=24)  # how long ECS remembers a client token is not verified
_MOST_TASKS = 10  # botocore ecs RunTask.count (verified)


@dataclass(frozen=True)
class Launch:
    """Where tasks are to run: the launch type, and the capacity provider that led to it, if one did."""

    kind: str
    provider: str = ""

    @property
    def fargate(self) -> bool:
        """Whether Fargate runs them."""
        return self.kind == "FARGATE"


@dataclass
class Request:
    """One RunTask or StartTask: what was asked for, and what it is about."""

    operation: str
    params: Mapping[str, Any]
    backend: EC2ContainerServiceBackend
    caller: Caller
    partition: str
    definition: TaskDefinition
    listed: dict[str, int] = field(default_factory=dict)  # how many tasks each list of exit codes was for by now

    @property
    def cluster_name(self) -> str:
        """The cluster's short name."""
        return str(self.params.get("cluster") or "default").rsplit("/", 1)[-1]

    def arn(self, resource: str) -> str:
        """Return the ARN of an ECS resource of this account and region."""
        return f"arn:{self.partition}:ecs:{self.backend.region_name}:{self.backend.account_id}:{resource}"

    @property
    def networks(self) -> Mapping[str, Any] | None:
        """The awsvpcConfiguration, or None."""
        found: Mapping[str, Any] | None = (self.params.get("networkConfiguration") or {}).get("awsvpcConfiguration")
        return found

    @property
    def overrides(self) -> Mapping[str, Any]:
        """The TaskOverride."""
        return self.params.get("overrides") or {}

    @property
    def tags(self) -> list[dict[str, str]]:
        """The tags that tasks get, without ECS's own."""
        own = list(self.params.get("tags") or [])
        if self.params.get("propagateTags") == "TASK_DEFINITION":
            keys = {tag["key"] for tag in own}
            own += [dict(tag) for tag in self.definition.tags if tag["key"] not in keys]
        return own


def run(
    request: Request, life: Life, now: datetime, tokens: dict[str, Remembered], settings: Settings
) -> dict[str, Any]:
    """
    Answer a RunTask.

    Returns
    -------
    dict
        ``tasks`` and ``failures``, as the API has them. What cannot be placed is a failure, and no error (AWS docs,
        "API failure reasons").

    Raises
    ------
    ServiceException
        Each refusal with AWS's code and words.
    """
    authorize(request)
    repeated = _repeated(request, tokens, now)
    if repeated is not None:
        return {"tasks": [task.described(tags=True) for task in repeated], "failures": []}
    cluster = _cluster(request)
    launch = launch_of(request.params, cluster)
    check(request, launch, settings)
    count = _count(request.params)
    if launch.fargate:
        lack = _FARGATE_LACKS.get(settings.fargate_answers())
        placed: list[ContainerInstance | None] = [] if lack else [None] * count
        failures = [{"reason": lack}] * count if lack else []
    else:
        placed, failures = _place(request, cluster, count)
    tasks = [_begin(request, cluster, launch, instance, life, now) for instance in placed]
    _remember(request, tokens, tasks, now)
    return {"tasks": [task.described(tags=True) for task in tasks], "failures": failures}


def start(request: Request, life: Life, now: datetime, settings: Settings) -> dict[str, Any]:
    """Answer a StartTask: the caller names the container instances. Source: botocore ecs StartTask."""
    authorize(request)
    cluster = _cluster(request)
    launch = Launch("EC2")
    check(request, launch, settings)
    wanted = request.params.get("containerInstances") or []
    if not wanted:
        raise ECSException("ClientException", "Container Instances cannot be empty.")
    known = request.backend.container_instances.get(cluster.name, {})
    found = [known[one.rsplit("/", 1)[-1]] for one in wanted if one.rsplit("/", 1)[-1] in known]
    gone = [one for one in wanted if one.rsplit("/", 1)[-1] not in known]
    for instance in found:
        request.backend.update_container_instance_resources(instance, requirements(request.definition))
    tasks = [_begin(request, cluster, launch, instance, life, now) for instance in found]
    return {
        "tasks": [task.described(tags=True) for task in tasks],
        "failures": [{"arn": one, "reason": "MISSING"} for one in gone],
    }


# What Fargate lacks, in words seen in public issues. The failure has no arn: there is no instance that was tried.
_FARGATE_LACKS = {
    "no-capacity": "Capacity is unavailable at this time. Please try again later or in a different availability zone",
    "quota": "You\u2019ve reached the limit on the number of vCPUs you can run concurrently",
}

# -------- who may


def authorize(request: Request) -> None:
    """
    Ask IAM: for the operation on the resolved revision, for passing its roles, for tagging.

    Notes
    -----
    Source: AWS docs, ECS RunTask and CWE_IAM_role; aws-cdk#28854 for TagResource. Whether enableECSManagedTags alone
    needs ecs:TagResource is not verified; here it does not.
    """
    context = {"ecs:cluster": request.arn(f"cluster/{request.cluster_name}"), **_tag_context(request)}
    tagged = {f"{p}:ResourceTag/{t['key']}": t["value"] for t in request.definition.tags for p in ("aws", "ecs")}
    permissions.require(request.caller, f"ecs:{request.operation}", request.definition.arn, {**context, **tagged})
    for role in dict.fromkeys(_roles(request)):
        permissions.require(request.caller, "iam:PassRole", role, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})
    if request.tags and account_settings.tagging_is_authorized(request.backend, request.caller):
        permissions.require(
            request.caller,
            "ecs:TagResource",
            request.arn(f"task/{request.cluster_name}/*"),
            {**context, "ecs:CreateAction": request.operation},
        )
    for role in _roles(request):
        if not permissions.trusts_service(role, "ecs-tasks.amazonaws.com"):
            raise ECSException("ClientException", _UNTRUSTING.format(role))


_UNTRUSTING = (
    "ECS was unable to assume the role '{}' that was provided for this task. Please verify that the role being passed "
    "has the proper trust relationship and permissions and that your IAM user has permissions to pass this role."
)


def _tag_context(request: Request) -> dict[str, str | list[str]]:
    tags = request.tags
    if not tags:
        return {}
    return {"aws:TagKeys": [t["key"] for t in tags], **{f"aws:RequestTag/{t['key']}": t.get("value", "") for t in tags}}


def _roles(request: Request) -> list[str]:
    """Return the ARNs of the roles that the tasks get."""
    named = _role(request, "taskRoleArn", "task_role_arn"), _role(request, "executionRoleArn", "execution_role_arn")
    return [role for role in named if role]


def _role(request: Request, in_override: str, in_definition: str) -> str:
    """Return the ARN of one role, or nothing: an override takes the revision's place."""
    name = str(request.overrides.get(in_override) or getattr(request.definition, in_definition, None) or "")
    if not name or name.startswith("arn:"):
        return name
    return f"arn:{request.partition}:iam::{request.backend.account_id}:role/{name}"


# -------- what AWS refuses


def _cluster(request: Request) -> Cluster:
    cluster = request.backend.clusters.get(request.cluster_name)
    if cluster is None:
        raise ECSException("ClusterNotFoundException", "Cluster not found.")
    if cluster.status == "INACTIVE":
        raise ECSException("ClusterNotFoundException", "The referenced cluster was inactive")
    return cluster


def launch_of(params: Mapping[str, Any], cluster: Cluster) -> Launch:
    """
    Return where tasks will run.

    launchType, else capacityProviderStrategy, else the cluster's default strategy, else EC2.

    Notes
    -----
    Source: botocore ecs RunTask (verified); that EC2 comes last: public issues about "Assign public IP is not
    supported". A provider that the cluster does not have: dask-cloudprovider#328.
    """
    launch_type, strategy = params.get("launchType"), params.get("capacityProviderStrategy")
    if launch_type and launch_type not in _LAUNCH_TYPES:
        raise InvalidParameterException("launch type should be one of [EC2,FARGATE,EXTERNAL]")
    if launch_type and strategy:
        raise InvalidParameterException("Specify either Launch Type or Capacity Provider Strategy, but not both.")
    if launch_type:
        return Launch(launch_type)
    strategy = strategy or cluster.default_capacity_provider_strategy
    if not strategy:
        return Launch("EC2")
    names = [str(item["capacityProvider"]).rsplit("/", 1)[-1] for item in strategy]
    if not set(names) <= set(cluster.capacity_providers or []):
        raise InvalidParameterException(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
            "the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and "
            "try again."
        )
    name = _first_by_base_and_weight(strategy).rsplit("/", 1)[-1]
    return Launch("FARGATE" if name in FARGATE_PROVIDERS else "EC2", name)


def _first_by_base_and_weight(strategy: Sequence[Mapping[str, Any]]) -> str:
    """Return the provider of the first task: one with a base, else the heaviest."""
    return str(max(strategy, key=lambda item: (item.get("base") or 0, item.get("weight") or 0))["capacityProvider"])


def check(request: Request, launch: Launch, settings: Settings) -> None:
    """
    Refuse what AWS refuses about the parameters, whoever calls.

    Notes
    -----
    Source of the words: public issues that quote AWS (seen). Those about an unknown platform version are botocore's;
    those about propagateTags are this world's own, as AWS's are not verified.
    """
    definition, params = request.definition, request.params
    if definition.status != "ACTIVE":
        raise InvalidParameterException("TaskDefinition is inactive")
    if not _compatible(definition, launch):
        raise InvalidParameterException(f"Task definition does not support launch_type {launch.kind}.")
    _check_platform(params.get("platformVersion"), launch)
    _check_overrides(request)
    _check_networks(request, launch, settings)
    if params.get("propagateTags") == "SERVICE":
        raise InvalidParameterException("propagateTags SERVICE is not supported when running a task.")


def _compatible(definition: TaskDefinition, launch: Launch) -> bool:
    required = definition.requires_compatibilities or []
    if launch.fargate:
        return (
            "FARGATE" in required and definition.network_mode == "awsvpc" and all((definition.cpu, definition.memory))
        )
    return launch.kind == "EC2" or launch.kind in required


def _check_platform(version: str | None, launch: Launch) -> None:
    if not version:
        return
    if not launch.fargate:
        raise InvalidParameterException("The platform version must be null when specifying an EC2 launch type")
    if version not in _PLATFORM_VERSIONS:
        raise ECSException("PlatformUnknownException", "The specified platform version doesn't exist.")


def _check_overrides(request: Request) -> None:
    names = {container["name"] for container in request.definition.container_definitions}
    for override in request.overrides.get("containerOverrides") or []:
        name = override.get("name")
        if name not in names:
            raise InvalidParameterException(
                f"Override for container named {name} is not a container in the TaskDefinition"
            )
    _scripts(request)  # what the local AWS reads of the environment must be readable


def _check_networks(request: Request, launch: Launch, settings: Settings) -> None:
    networks = request.networks
    if request.definition.network_mode != "awsvpc":
        if networks is not None:
            raise InvalidParameterException(
                "Network Configuration is not valid for the given networkMode of this task definition."
            )
        return
    if networks is None:
        raise InvalidParameterException(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if networks.get("assignPublicIp") == "ENABLED" and not launch.fargate:
        raise InvalidParameterException("Assign public IP is not supported for this launch type.")
    if not networks.get("subnets"):
        raise InvalidParameterException("subnets can not be empty.")
    # The limits are botocore's, AwsVpcConfiguration; in what words AWS refuses is not verified.
    for name, most in (("subnets", 16), ("securityGroups", 5)):
        if len(networks.get(name) or []) > most:
            raise InvalidParameterException(f"{name} can have at most {most} items.")
    for what, ids, operation in (
        ("subnet", networks["subnets"], "DescribeSubnets"),
        ("security group", networks.get("securityGroups"), "DescribeSecurityGroups"),
    ):
        if ids and settings.throttles("ec2", operation):
            raise InvalidParameterException(
                f"Error retrieving {what} information for [{', '.join(ids)}]: Rate exceeded (ErrorCode: Throttling)"
            )
    _check_one_vpc(request, networks)


def _check_one_vpc(request: Request, networks: Mapping[str, Any]) -> None:
    ec2 = ec2_backends[request.backend.account_id][request.backend.region_name]
    known = {subnet_id: subnet for zone in ec2.subnets.values() for subnet_id, subnet in zone.items()}
    for wanted in networks["subnets"]:
        if wanted not in known:
            raise InvalidParameterException(
                f"Error retrieving subnet information for [{wanted}]: "
                f"The subnet ID '{wanted}' does not exist (ErrorCode: InvalidSubnetID.NotFound)"
            )
    vpcs = {known[wanted].vpc_id for wanted in networks["subnets"]}
    for wanted in networks.get("securityGroups") or []:
        group = ec2.get_security_group_from_id(wanted)
        if group is None:
            raise InvalidParameterException(
                f"Error retrieving security group information for [{wanted}]: "
                f"The security group '{wanted}' does not exist (ErrorCode: InvalidGroup.NotFound)"
            )
        if {group.vpc_id} != vpcs:
            raise InvalidParameterException(
                f"Security group {wanted} does not appear to belong to the same VPC as the input subnets."
            )


def _count(params: Mapping[str, Any]) -> int:
    count = 1 if params.get("count") is None else int(params["count"])
    if not 1 <= count <= _MOST_TASKS:  # the limit is botocore's; in what words AWS refuses is not verified
        raise InvalidParameterException(f"count should be between 1 and {_MOST_TASKS}.")
    return count


# -------- client tokens


@dataclass(frozen=True)
class Remembered:
    """A client token: what was asked with it, and what came of it."""

    fingerprint: str
    tasks: tuple[Task, ...]
    until: datetime


class Conflict(ECSException):  # type: ignore[misc]  # moto is untyped
    """The token was used with other parameters. Source: botocore ecs ConflictException; the words are AWS docs'."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        super().__init__(
            "ConflictException",
            "The RunTask request could not be processed due to conflicts. "
            "The provided clientToken is already in use with a different RunTask request.",
        )
        self.resource_ids = [task.task_arn for task in tasks]


def _token_key(request: Request) -> str:
    return f"{request.backend.region_name} {request.params.get('clientToken')}"


def _fingerprint(request: Request) -> str:
    return json.dumps(request.params, sort_keys=True, default=str)


def _repeated(request: Request, tokens: Mapping[str, Remembered], now: datetime) -> tuple[Task, ...] | None:
    earlier = tokens.get(_token_key(request)) if request.params.get("clientToken") else None
    if earlier is None or earlier.until <= now:
        return None
    if earlier.fingerprint != _fingerprint(request):
        raise Conflict(earlier.tasks)
    return earlier.tasks


def _remember(request: Request, tokens: dict[str, Remembered], tasks: Iterable[Task], now: datetime) -> None:
    if request.params.get("clientToken"):
        for key in [key for key, known in tokens.items() if known.until <= now]:
            del tokens[key]
        tokens[_token_key(request)] = Remembered(_fingerprint(request), tuple(tasks), now + _TOKENS_LIVE)


# -------- the task


def requirements(definition: TaskDefinition) -> dict[str, Any]:
    """Return what a task needs of a container instance: its own cpu and memory, else its containers' together."""
    containers = definition.container_definitions
    ports = [str(p["hostPort"]) for c in containers for p in c.get("portMappings") or [] if p.get("hostPort")]
    return {
        "CPU": _units(definition.cpu) or sum(int(c.get("cpu") or 0) for c in containers),
        "MEMORY": _units(definition.memory)
        or sum(int(c.get("memory") or c.get("memoryReservation") or 0) for c in containers),
        "PORTS": [] if definition.network_mode == "awsvpc" else ports,
    }


def _units(written: str | None) -> int:
    """
    Return CPU units or MiB.

    Examples
    --------
    >>> _units("256"), _units(".5 vCPU"), _units("1GB"), _units(None)
    (256, 512, 1024, 0)
    """
    text = (written or "0").lower().replace(" ", "")
    for unit in ("vcpu", "gb"):
        if text.endswith(unit):
            return int(float(text.removesuffix(unit)) * 1024)
    return int(text)


def _place(
    request: Request, cluster: Cluster, count: int
) -> tuple[list[ContainerInstance | None], list[dict[str, str]]]:
    """Place tasks on container instances; what does not fit is a failure of each instance that was tried."""
    backend, needs = request.backend, requirements(request.definition)
    instances = [i for i in backend.container_instances.get(cluster.name, {}).values() if i.status == "ACTIVE"]
    if not instances:
        raise InvalidParameterException("No Container Instances were found in your cluster.")
    placed: list[ContainerInstance | None] = []
    failures: list[dict[str, str]] = []
    for _ in range(count):
        lacks = {one.container_instance_arn: _lack(one, needs, connected=_connected(one, backend)) for one in instances}
        fitting = next((i for i in instances if not lacks[i.container_instance_arn]), None)
        if fitting is None:
            failures += [{"arn": arn, "reason": lack} for arn, lack in lacks.items()]
            break
        backend.update_container_instance_resources(fitting, needs)
        placed.append(fitting)
    return placed, failures


def _connected(instance: ContainerInstance, backend: EC2ContainerServiceBackend) -> bool:
    """Say whether the agent answers: not on a machine that was stopped or terminated."""
    machine = ec2_backends[backend.account_id][backend.region_name].get_instance_by_id(instance.ec2_instance_id)
    return bool(instance.agent_connected) and (machine is None or machine.state == "running")


def _lack(instance: ContainerInstance, needs: Mapping[str, Any], *, connected: bool) -> str:
    """
    Return why *instance* does not take a task, as a failure's reason; nothing if it does.

    Source: AWS docs, "API failure reasons" (verified).
    """
    if not connected:
        return "AGENT"
    left = {resource["name"]: resource for resource in instance.remaining_resources}
    for name in ("CPU", "MEMORY"):
        if needs[name] > left[name]["integerValue"]:
            return f"RESOURCE:{name}"
    return "RESOURCE:PORTS" if set(needs["PORTS"]) & set(left["PORTS"]["stringSetValue"]) else ""


def _begin(
    request: Request, cluster: Cluster, launch: Launch, instance: ContainerInstance | None, life: Life, now: datetime
) -> Task:
    task = _task(request, cluster, launch, instance, now)
    request.backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
    for script in task.scripts.values():
        if script.listed:
            request.listed[script.listed] = request.listed.get(script.listed, 0) + 1
    life.begin(task)
    return task


def _task(
    request: Request, cluster: Cluster, launch: Launch, instance: ContainerInstance | None, now: datetime
) -> Task:
    definition, overrides = request.definition, request.overrides
    given = _given(request)
    arn = request.arn(f"task/{cluster.name}/{uuid.uuid4().hex}")
    networks = request.networks if definition.network_mode == "awsvpc" else None
    facts = {
        "attachments": [precreated(networks)] if networks else [],
        "attributes": [{"name": "ecs.cpu-architecture", "value": _architecture(definition)}],
        "availabilityZone": _zone(request, networks),
        "capacityProviderName": launch.provider or None,
        "clusterArn": cluster.arn,
        "containerInstanceArn": instance.container_instance_arn if instance else None,
        "containers": [_container(request, c, arn) for c in definition.container_definitions],
        "cpu": overrides.get("cpu") or definition.cpu or str(requirements(definition)["CPU"]),
        "createdAt": now,
        "desiredStatus": "RUNNING",
        "enableExecuteCommand": bool(request.params.get("enableExecuteCommand")),
        "group": request.params.get("group") or f"family:{definition.family}",
        "healthStatus": "UNKNOWN",
        "lastStatus": "PROVISIONING",
        "launchType": launch.kind,
        "memory": overrides.get("memory") or definition.memory or str(requirements(definition)["MEMORY"]),
        "overrides": {
            "inferenceAcceleratorOverrides": [],
            **overrides,
            "containerOverrides": [given.get(c["name"], {"name": c["name"]}) for c in definition.container_definitions],
        },
        "startedBy": request.params.get("startedBy"),
        "taskArn": arn,
        "taskDefinitionArn": definition.arn,
    }
    if launch.fargate:
        version = request.params.get("platformVersion") or "LATEST"
        storage = overrides.get("ephemeralStorage") or definition.ephemeral_storage or {"sizeInGiB": 20}
        facts["platformVersion"] = "1.4.0" if version == "LATEST" else version
        facts["platformFamily"] = "Linux"
        facts["ephemeralStorage"] = facts["fargateEphemeralStorage"] = storage
    return Task(
        facts={key: value for key, value in facts.items() if value is not None},
        tags=[*request.tags, *_managed_tags(request, cluster)],
        scripts=_scripts(request),
        essential=frozenset(c["name"] for c in definition.container_definitions if c.get("essential", True)),
        backend=request.backend,
        cluster=cluster,
        networks=networks,
        requirements=requirements(definition) if instance else None,
        generation=generation.get(),
        definitions=definition.container_definitions,
        execution_role=_role(request, "executionRoleArn", "execution_role_arn"),
        task_role=_role(request, "taskRoleArn", "task_role_arn"),
    )


def _container(request: Request, definition: Mapping[str, Any], task_arn: str) -> dict[str, Any]:
    cluster, task_id = task_arn.rsplit("/", 2)[-2:]
    given: dict[str, Any] = {
        "containerArn": request.arn(f"container/{cluster}/{task_id}/{uuid.uuid4()}"),
        "taskArn": task_arn,
        "name": definition["name"],
        "image": definition["image"],
        "lastStatus": "PENDING",
        "networkInterfaces": [],
        "networkBindings": [],
        "healthStatus": "UNKNOWN",
        "cpu": str(definition.get("cpu") or 0),
    }
    for limit in ("memory", "memoryReservation"):
        if definition.get(limit):
            given[limit] = str(definition[limit])
    return given


def _scripts(request: Request) -> dict[str, Script]:
    given = _given(request)
    try:
        return {
            c["name"]: Script.of(
                [*(c.get("environment") or []), *(given.get(c["name"], {}).get("environment") or [])],
                request.listed,
                f"{request.backend.account_id} {request.backend.region_name} {request.definition.family} {c['name']}",
            )
            for c in request.definition.container_definitions
        }
    except ValueError as error:
        raise InvalidParameterException(str(error)) from error


def _given(request: Request) -> dict[str, Mapping[str, Any]]:
    return {one["name"]: one for one in request.overrides.get("containerOverrides") or []}


def _managed_tags(request: Request, cluster: Cluster) -> list[dict[str, str]]:
    """Return ECS's own tags. Source: AWS docs, "Tagging Amazon ECS resources"."""
    return [{"key": "aws:ecs:clusterName", "value": cluster.name}] if request.params.get("enableECSManagedTags") else []


def _architecture(definition: TaskDefinition) -> str:
    return "arm64" if (definition.runtime_platform or {}).get("cpuArchitecture") == "ARM64" else "x86_64"


def _zone(request: Request, networks: Mapping[str, Any] | None) -> str:
    if networks is None:
        return f"{request.backend.region_name}a"
    ec2 = ec2_backends[request.backend.account_id][request.backend.region_name]
    return str(ec2.get_subnet(networks["subnets"][0]).availability_zone)


# -------- plugging in


def install(world: World) -> None:
    """Answer RunTask and StartTask in moto's place."""
    definitions.install(world)
    life = life_of(world)
    tokens: dict[str, Remembered] = {}
    listed: dict[str, int] = {}

    def request_of(response: EC2ContainerServiceResponse, operation: str) -> Request:
        reference = str(response._get_param("taskDefinition") or "")
        definition = definitions.resolve(response.ecs_backend, reference)
        if definition is None:
            raise ECSException("ClientException", "TaskDefinition not found.")
        return Request(
            operation=operation,
            params={key: value for key, value in dict(response.params).items() if value is not None},
            backend=response.ecs_backend,
            caller=current_call.get().caller,
            partition=response.partition,
            definition=definition,
            listed=listed,
        )

    def run_task(self: EC2ContainerServiceResponse) -> ActionResult:
        return ActionResult(run(request_of(self, "RunTask"), life, world.clock.now(), tokens, world.settings))

    def start_task(self: EC2ContainerServiceResponse) -> ActionResult:
        return ActionResult(start(request_of(self, "StartTask"), life, world.clock.now(), world.settings))

    EC2ContainerServiceResponse.run_task = run_task
    EC2ContainerServiceResponse.start_task = start_task
