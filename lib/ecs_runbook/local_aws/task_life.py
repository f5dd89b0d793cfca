"""
The life of a task, by the world's clock and never by being read.

It goes PROVISIONING → PENDING → RUNNING → DEPROVISIONING → STOPPED. The local AWS runs no image:
what a container does is set by environment variables of its definition, or of its override.

===================== ============================================================================================
LOCAL_AWS_SECONDS     how long the container runs. One that does not say runs as long as the task does; if none
                      says, the task runs for 1 second.
LOCAL_AWS_EXIT_CODE   its exit code, 0 if left out; ``3,3,0``: that of the first, the second, and every later task of
                      the family
LOCAL_AWS_OUTCOME     ``exit`` (default), ``hang`` (it runs until it is stopped), ``out-of-memory``,
                      ``spot-interruption``, ``image-not-found`` or ``never-started``
LOCAL_AWS_HEARTBEAT   every so many seconds it sends a heartbeat for each task token of Step Functions that its
                      environment has; one that hangs does so for LOCAL_AWS_SECONDS, and then no more; see
                      :mod:`~ecs_runbook.local_aws.heartbeats`
LOCAL_AWS_ONCE        the name of another variable: where a task of the family that runs, or has ended well, was told
                      the same value, this one ends at once, and well, as a job does that heeds such a token
===================== ============================================================================================

On Fargate a task also needs what AWS's needs: a way to its registry, its secrets, its log group; see
:mod:`~ecs_runbook.local_aws.startup`.

The states and times follow the ECS Developer Guide, "Task lifecycle"; how long each takes is this world's own.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ecs.exceptions import ECSException, InvalidParameterException, ServiceNotFoundException
from moto.ecs.models import Cluster, EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse

from ecs_runbook.local_aws.clock import Entry
from ecs_runbook.local_aws.definitions import PAGE, page
from ecs_runbook.local_aws.startup import Beginning, Hindrance, hindrance, image_not_found, no_way_to_ecr
from ecs_runbook.local_aws.world import World

PROVISIONING = timedelta(seconds=0.2)
PENDING = timedelta(seconds=0.3)
DEPROVISIONING = timedelta(seconds=0.2)
REMEMBERED = timedelta(hours=1)  # "at least one hour": botocore ecs DescribeTasks (verified)
_OUTCOMES = ("exit", "hang", "out-of-memory", "spot-interruption", "image-not-found", "never-started")

# How many tasks' events led to the RunTask that is being answered: 0 for a call from outside.
generation: ContextVar[int] = ContextVar("generation", default=0)

OnChange = Callable[["Task"], None]


@dataclass(frozen=True)
class Script:
    """What one container will do."""

    seconds: float | None = None
    exit_code: int = 0
    outcome: str = "exit"
    listed: str = ""  # which list of exit codes it is from, if from one
    heartbeat: float | None = None
    once: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls, environment: Iterable[Mapping[str, str]], used: Mapping[str, int] | None = None, whose: str = ""
    ) -> Script:
        """
        Read a container's environment; the last word on a variable counts, so that an override goes last.

        Parameters
        ----------
        used
            How many tasks have taken a code from each list by now.
        whose
            The container's name among all there are.

        Raises
        ------
        ValueError
            If a variable's value is none of those it may have.

        Examples
        --------
        >>> Script.of([{"name": "LOCAL_AWS_EXIT_CODE", "value": "3"}])
        Script(seconds=None, exit_code=3, outcome='exit', listed='', heartbeat=None, once='')
        >>> Script.of([{"name": "LOCAL_AWS_EXIT_CODE", "value": "3,0"}], {"main 3,0": 1}, "main").exit_code
        0
        """
        said = {v["name"]: v.get("value", "") for v in environment if v.get("name")}
        outcome = said.get("LOCAL_AWS_OUTCOME", "exit")
        if outcome not in _OUTCOMES:
            message = f"LOCAL_AWS_OUTCOME = {outcome}: one of {', '.join(_OUTCOMES)} is wanted."
            raise ValueError(message)
        name = "LOCAL_AWS_EXIT_CODE"
        codes = [_number(name, {name: code}, int, 0, 255) for code in said.get(name, "0").split(",")]
        listed = f"{whose} {said[name]}" if len(codes) > 1 else ""
        return cls(
            seconds=_number("LOCAL_AWS_SECONDS", said, float, 0, 366 * 86400),
            exit_code=int(codes[min((used or {}).get(listed, 0), len(codes) - 1)] or 0),
            outcome=outcome,
            listed=listed,
            heartbeat=_number("LOCAL_AWS_HEARTBEAT", said, float, 1, 86400),
            once=f"{whose} {said[once]}" if (once := said.get("LOCAL_AWS_ONCE", "")) in said else "",
            environment=said,
        )


def _number(name: str, said: Mapping[str, str], kind: Callable[[str], float], least: int, most: int) -> float | None:
    if name not in said:
        return None
    try:
        value = kind(said[name])
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        message = f"{name} = {said[name]}: a number from {least} to {most} is wanted."
        raise ValueError(message)
    return value


@dataclass
class Task:
    """
    One task: its facts, as the API tells them, and what is kept beside them.

    Parameters
    ----------
    facts
        The API's ``Task``, in its casing, without ``tags``.
    tags
        The task's tags.
    scripts
        What each container will do, by its name.
    essential
        The names of the containers whose end is the task's end.
    backend, cluster
        Where moto keeps it.
    generation
        How many tasks' events led to this one: 0 for a task that no task's event started.
    definitions
        Its definition's containers.
    execution_role, task_role
        The ARNs of its roles, or nothing.
    """

    facts: dict[str, Any]
    tags: list[dict[str, str]]
    scripts: dict[str, Script]
    essential: frozenset[str]
    backend: EC2ContainerServiceBackend
    cluster: Cluster
    networks: Mapping[str, Any] | None = None
    requirements: dict[str, Any] | None = None
    generation: int = 0
    definitions: Sequence[dict[str, Any]] = ()
    execution_role: str = ""
    task_role: str = ""
    entries: list[Entry] = field(default_factory=list)
    eni: Any = None

    @property
    def task_arn(self) -> str:
        """Its ARN, as moto's tagging asks for it."""
        return str(self.facts["taskArn"])

    @property
    def last_status(self) -> str:
        """Where it stands."""
        return str(self.facts["lastStatus"])

    @property
    def containers(self) -> list[dict[str, Any]]:
        """The API's containers."""
        found: list[dict[str, Any]] = self.facts["containers"]
        return found

    def described(self, *, tags: bool) -> dict[str, Any]:
        """Return the API's ``Task``; its tags only if asked for."""
        return {**self.facts, "tags": self.tags} if tags else dict(self.facts)


class Life:
    """Moves tasks through their lives, by the world's clock, and tells of every change."""

    def __init__(self, world: World) -> None:
        self._clock = world.clock
        self._once: dict[str, list[Task]] = {}
        self.on_change: list[OnChange] = []

    def begin(self, task: Task) -> None:
        """Let *task* live from now on."""
        self._later(task, PROVISIONING, self._pend)
        self._tell(task)

    def stop(self, task: Task, reason: str) -> None:
        """Stop *task* as StopTask does; a stopped or stopping task stays as it is."""
        if task.facts["desiredStatus"] == "STOPPED":
            return
        for entry in task.entries:
            entry.cancel()
        self._mark(task, "UserInitiated", reason)
        self._tell(task)
        self._later(task, DEPROVISIONING, self._killed)

    def _pend(self, task: Task) -> None:
        now = self._clock.now()
        try:
            _attach(task)
        except (EC2ClientError, StopIteration) as error:  # the subnet is gone, or has no address left
            self._not_started(task, _no_interface(task, getattr(error, "code", "InsufficientFreeAddressesInSubnet")))
            return
        task.facts.update(lastStatus="PENDING", connectivity="CONNECTED", connectivityAt=now)
        found = _hindrance(task)
        if found is None or found.container:
            task.facts["pullStartedAt"] = now
        self._tell(task)
        self._later(task, PENDING, self._run if found is None else partial(self._hindered, found=found))

    def _run(self, task: Task) -> None:
        now = self._clock.now()
        task.facts.update(lastStatus="RUNNING", pullStoppedAt=now, startedAt=now)
        for container in task.containers:
            container.update(lastStatus="RUNNING", runtimeId=_runtime_id(task, container["name"]))
            container["networkInterfaces"] = _interfaces(task)
        self._tell(task)
        self._heed_tokens(task)
        duration = _duration(task)
        if duration is None:
            return
        for name, script in task.scripts.items():
            if name not in task.essential and script.seconds is not None and script.seconds < duration:
                self._later(task, timedelta(seconds=script.seconds), partial(self._ended_alone, name=name))
        self._later(task, timedelta(seconds=duration), self._ended)

    def _heed_tokens(self, task: Task) -> None:
        """Let containers do nothing that are told what another task is at, or has done."""
        for name, script in task.scripts.items():
            if not script.once:
                continue
            others = self._once.setdefault(script.once, [])
            if any(_is_at_it(other, name) for other in others):
                task.scripts[name] = Script(seconds=0)
            else:
                others.append(task)

    def _ended_alone(self, task: Task, name: str) -> None:
        for container in task.containers:
            if container["name"] == name:
                _end(container, task.scripts[name])
        self._tell(task)

    def _ended(self, task: Task) -> None:
        for container in task.containers:
            if container["lastStatus"] == "RUNNING":
                _end(container, task.scripts[container["name"]])
        if any(script.outcome == "spot-interruption" for script in task.scripts.values()):
            self._mark(task, "SpotInterruption", "Your Spot Task was interrupted.")
        else:
            self._mark(task, "EssentialContainerExited", "Essential container in task exited")
        self._deprovision(task)

    def _hindered(self, task: Task, found: Hindrance) -> None:
        for container in task.containers:
            if container["name"] == found.container:
                container["reason"] = found.reason
                task.facts["pullStoppedAt"] = self._clock.now()
        self._not_started(task, found.reason)

    def _not_started(self, task: Task, reason: str) -> None:
        for container in task.containers:
            container["lastStatus"] = "STOPPED"  # and no exit code: it never ran
        self._mark(task, "TaskFailedToStart", reason)
        self._deprovision(task)

    def _killed(self, task: Task) -> None:
        for container in task.containers:
            if container["lastStatus"] == "RUNNING":
                # 137: killed after the stop timeout, as a program that does not mind SIGTERM is.
                container.update(lastStatus="STOPPED", exitCode=137)
            container["lastStatus"] = "STOPPED"
        self._deprovision(task)

    def _mark(self, task: Task, code: str, reason: str) -> None:
        task.facts.update(desiredStatus="STOPPED", stopCode=code, stoppedReason=reason, stoppingAt=self._clock.now())

    def _deprovision(self, task: Task) -> None:
        task.facts.update(lastStatus="DEPROVISIONING", executionStoppedAt=self._clock.now())
        self._tell(task)
        self._later(task, DEPROVISIONING, self._stopped)

    def _stopped(self, task: Task) -> None:
        _detach(task)
        _free(task)
        task.facts.update(lastStatus="STOPPED", stoppedAt=self._clock.now())
        self._tell(task)
        self._later(task, REMEMBERED, _forget)

    def _later(self, task: Task, delay: timedelta, then: Callable[[Task], None]) -> None:
        task.entries = [entry for entry in task.entries if not entry.cancelled]
        task.entries.append(self._clock.at(self._clock.now() + delay, lambda: then(task)))

    def _tell(self, task: Task) -> None:
        task.facts["version"] = task.facts.get("version", 0) + 1
        _count(task)
        for listener in self.on_change:
            listener(task)


def _is_at_it(task: Task, name: str) -> bool:
    """Say whether a task's container runs, or has ended well."""
    return any(one["name"] == name and one.get("exitCode", 0) == 0 for one in task.containers)


def _runtime_id(task: Task, name: str) -> str:
    return f"{task.task_arn.rsplit('/', 1)[-1]}-{zlib.crc32(name.encode()):010d}"


def _duration(task: Task) -> float | None:
    if any(task.scripts[name].outcome == "hang" for name in task.essential):
        return None
    said = [s.seconds for name, s in task.scripts.items() if name in task.essential and s.seconds is not None]
    return min(said, default=1.0)


def _end(container: dict[str, Any], script: Script) -> None:
    container["lastStatus"] = "STOPPED"
    if script.outcome == "out-of-memory":
        # The words are those of AWS docs, "stopped-task-error-codes"; that 137 goes with them is common knowledge.
        container.update(exitCode=137, reason="OutOfMemoryError: Container killed due to memory usage")
    elif script.outcome == "spot-interruption":
        container["exitCode"] = 137  # as after StopTask; the words of the task's reason are not verified
    else:
        container["exitCode"] = script.exit_code


def _hindrance(task: Task) -> Hindrance | None:
    """Return what keeps a task from starting: what its network and its role lack, else what its script says."""
    if task.networks is not None and task.facts.get("launchType") == "FARGATE":
        beginning = Beginning(
            containers=list(task.definitions),
            role=task.execution_role,
            task_id=task.task_arn.rsplit("/", 1)[-1],
            region=task.backend.region_name,
            account=task.backend.account_id,
            subnet=task.networks["subnets"][0],
            public_ip=task.networks.get("assignPublicIp") == "ENABLED",
            ec2=ec2_backends[task.backend.account_id][task.backend.region_name],
        )
        if (found := hindrance(beginning)) is not None:
            return found
    images = {container["name"]: container["image"] for container in task.containers}
    for name, script in task.scripts.items():
        if script.outcome == "never-started":
            return Hindrance(no_way_to_ecr(task.backend.region_name))
        if script.outcome == "image-not-found":
            return Hindrance(image_not_found(images[name]), name)
    return None


def _no_interface(task: Task, code: str) -> str:
    """Return the words of AWS docs, "Stopped tasks error messages" (verified up to the code)."""
    networks = task.networks or {}
    public = "enabled" if networks.get("assignPublicIp") == "ENABLED" else "disabled"
    return (
        "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment "
        f"{public} in subnet '{networks['subnets'][0]}': {code}"
    )


def precreated(networks: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attachment of a task that waits for its network interface."""
    return {
        "id": str(uuid.uuid4()),
        "type": "ElasticNetworkInterface",
        "status": "PRECREATED",
        "details": [{"name": "subnetId", "value": networks["subnets"][0]}],
    }


def _attach(task: Task) -> None:
    if task.networks is None:
        return
    ec2 = ec2_backends[task.backend.account_id][task.backend.region_name]
    subnet = ec2.get_subnet(task.networks["subnets"][0])
    task.eni = ec2.create_network_interface(
        subnet,
        subnet.get_available_subnet_ip(task),
        group_ids=task.networks.get("securityGroups") or _default_group(ec2, subnet.vpc_id),
        description=task.facts["attachments"][0]["id"],
    )
    task.eni.status = "in-use"
    dns = getattr(task.eni, "private_dns_name", None)
    task.facts["attachments"][0].update(
        status="ATTACHED",
        details=[
            {"name": "subnetId", "value": subnet.id},
            {"name": "networkInterfaceId", "value": task.eni.id},
            {"name": "macAddress", "value": task.eni.mac_address},
            *([{"name": "privateDnsName", "value": dns}] if dns else []),
            {"name": "privateIPv4Address", "value": task.eni.private_ip_address},
        ],
    )


def _default_group(ec2: Any, vpc_id: str) -> list[str]:
    """Return the VPC's own group. Source: botocore ecs AwsVpcConfiguration.securityGroups (verified)."""
    return [group.id for group in ec2.groups.get(vpc_id, {}).values() if group.name == "default"]


def _interfaces(task: Task) -> list[dict[str, str]]:
    if task.eni is None:
        return []
    return [{"attachmentId": task.facts["attachments"][0]["id"], "privateIpv4Address": task.eni.private_ip_address}]


def _detach(task: Task) -> None:
    for attachment in task.facts["attachments"]:
        attachment["status"] = "DELETED"
    if task.eni is not None:
        ec2_backends[task.backend.account_id][task.backend.region_name].enis.pop(task.eni.id, None)
        task.eni.subnet.del_subnet_ip(task.eni.private_ip_address)


def _free(task: Task) -> None:
    arn = task.facts.get("containerInstanceArn")
    instance = task.backend.container_instances.get(task.cluster.name, {}).get(arn.rsplit("/", 1)[-1]) if arn else None
    if instance is not None:
        task.backend.update_container_instance_resources(instance, task.requirements, removing=True)


def _forget(task: Task) -> None:
    task.backend.tasks.get(task.cluster.name, {}).pop(task.task_arn, None)


def _count(task: Task) -> None:
    """Keep the cluster's own counts."""
    states = [other.last_status for other in task.backend.tasks.get(task.cluster.name, {}).values()]
    task.cluster.running_tasks_count = states.count("RUNNING")
    task.cluster.pending_tasks_count = states.count("PENDING") + states.count("PROVISIONING")


def tasks_of(backend: EC2ContainerServiceBackend, cluster: str) -> dict[str, Task]:
    """
    Return the tasks that a cluster still remembers, by their ids, oldest first.

    Raises
    ------
    moto.ecs.exceptions.ClusterNotFoundException
        If there is no such cluster.
    """
    name = backend._get_cluster(cluster).name
    return {task.task_arn.rsplit("/", 1)[-1]: task for task in backend.tasks.get(name, {}).values()}


def install(world: World) -> Life:
    """Answer for the tasks in moto's place, and return what moves them."""
    life = life_of(world)

    def describe_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
        return ActionResult(
            _describe(
                tasks_of(self.ecs_backend, self._get_param("cluster") or "default"),
                self._get_param("tasks") or [],
                tags="TAGS" in (self._get_param("include") or []),
                missing=f"arn:{self.partition}:ecs:{self.region}:{self.current_account}:task/"
                f"{(self._get_param('cluster') or 'default').rsplit('/', 1)[-1]}/",
            )
        )

    def list_tasks(self: EC2ContainerServiceResponse) -> ActionResult:
        asked = {key: value for key, value in self.params.items() if value not in (None, "")}
        cluster = asked.get("cluster") or "default"
        if "serviceName" in asked:
            _require_service(self.ecs_backend, cluster, asked["serviceName"])
        arns = [task.task_arn for task in _listed(tasks_of(self.ecs_backend, cluster).values(), asked)]
        found, token = page(arns, asked.get("nextToken"), asked.get("maxResults"))
        return ActionResult({"taskArns": found, "nextToken": token})

    def stop_task(self: EC2ContainerServiceResponse) -> ActionResult:
        wanted = str(self._get_param("task") or "").rsplit("/", 1)[-1]
        task = tasks_of(self.ecs_backend, self._get_param("cluster") or "default").get(wanted)
        if task is None:
            raise InvalidParameterException("The referenced task was not found.")
        life.stop(task, self._get_param("reason") or "Task stopped by user")
        return ActionResult({"task": task.described(tags=True)})

    EC2ContainerServiceResponse.describe_tasks = describe_tasks
    EC2ContainerServiceResponse.list_tasks = list_tasks
    EC2ContainerServiceResponse.stop_task = stop_task
    return life


_LIVES: dict[str, Life] = {}


def life_of(world: World) -> Life:
    """Return what moves the tasks of *world*."""
    return _LIVES.setdefault(world.life, Life(world))


def _describe(known: Mapping[str, Task], wanted: Sequence[str], *, tags: bool, missing: str) -> dict[str, Any]:
    """Describe *wanted*, ids or ARNs. Source: botocore ecs DescribeTasks; MISSING: AWS docs, "API failure reasons"."""
    if not wanted:
        raise InvalidParameterException("Tasks cannot be empty.")
    if len(wanted) > PAGE:
        raise InvalidParameterException(f"tasks can have at most {PAGE} items.")
    ids = list(dict.fromkeys(want.rsplit("/", 1)[-1] for want in wanted))
    return {
        "tasks": [known[one].described(tags=tags) for one in ids if one in known],
        "failures": [{"arn": missing + one, "reason": "MISSING"} for one in ids if one not in known],
    }


def _listed(tasks: Iterable[Task], asked: Mapping[str, Any]) -> list[Task]:
    """
    Filter as ListTasks does.

    Notes
    -----
    Source: botocore ecs ListTasks (verified): desiredStatus is RUNNING unless STOPPED is asked for, PENDING returns
    nothing; startedBy "must be the only filter". In what words AWS refuses another beside it is not verified.
    """
    if "startedBy" in asked and {"family", "serviceName", "containerInstance", "launchType", "daemonName"} & set(asked):
        raise InvalidParameterException(
            "When you specify startedBy as the filter, it must be the only filter that you use."
        )
    if not 1 <= int(asked.get("maxResults", PAGE)) <= PAGE:
        raise InvalidParameterException(f"maxResults should be between 1 and {PAGE}.")
    desired = asked.get("desiredStatus", "RUNNING")
    if "serviceName" in asked or "daemonName" in asked:
        return []  # the local AWS starts no tasks for services
    return [task for task in tasks if task.facts["desiredStatus"] == desired and _passes(task, asked)]


def _passes(task: Task, asked: Mapping[str, Any]) -> bool:
    facts = task.facts
    family = str(facts["taskDefinitionArn"]).rsplit("/", 1)[-1].rsplit(":", 1)[0]
    instance = str(facts.get("containerInstanceArn", "")).rsplit("/", 1)[-1]
    return (
        asked.get("startedBy", facts.get("startedBy")) == facts.get("startedBy")
        and asked.get("family", family) == family
        and asked.get("launchType", facts.get("launchType")) == facts.get("launchType")
        and str(asked.get("containerInstance", instance)).rsplit("/", 1)[-1] == instance
    )


def _require_service(backend: EC2ContainerServiceBackend, cluster: str, name: str) -> None:
    try:
        backend._get_service(cluster, name.rsplit("/", 1)[-1])
    except ServiceNotFoundException as error:
        raise ECSException("ServiceNotFoundException", "Service not found.") from error
