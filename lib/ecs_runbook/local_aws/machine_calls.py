"""
What a Task state of a state machine calls, in the name of the machine's role; and how it learns of a task's end.

Understood are ECS's RunTask, waited for (``.sync``, ``.waitForTaskToken``) or not, and one call of any operation of any
service, ``arn:aws:states:::sns:publish`` or ``arn:aws:states:::aws-sdk:ecs:listTasks``. Everything goes through the
local AWS's own server: IAM judges it, always, and the trail has it.

Source: AWS docs, Step Functions developer guide, "Run Amazon ECS or Fargate tasks": a RunTask that is waited for and
has failures[] fails with ``AmazonECS.Unknown`` (verified; AWS's knowledge centre says ``ECS.AmazonECSException`` for
want of capacity, so it can be set); "Discover service integration patterns": a task is stopped with its execution, as
far as the role may (verified). Recorded histories for the task in PascalCase, its moments as milliseconds, and the
``StartedBy`` that is added. Public issues for ``States.TaskFailed`` when a container exits with another code than 0 or
never started, and for ``ECS.<exception>``. Inferred: that an error that ECS's model does not have, such as throttling,
is ``ECS.AmazonECSException``, which is the name of all others in AWS's SDK for Java; that a side container's exit code
does not count. Not verified: the words of the causes, and whether a task whose state has timed out is stopped, which
can be set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import UnknownServiceError
from moto.core.utils import get_service_model

from ecs_runbook.local_aws.asl_values import StateFailed
from ecs_runbook.local_aws.executions import LATER, Attempt
from ecs_runbook.local_aws.invoking import Errand, Invoking, NotAnswered, named
from ecs_runbook.local_aws.task_life import Task, generation
from ecs_runbook.local_aws.world import World

STARTED_BY = "AWS Step Functions"
_RESOURCE = re.compile(r"arn:[\w-]+:states:::(aws-sdk:)?([\w-]+):(\w+)(\.sync|\.waitForTaskToken)?", re.ASCII)
# What Step Functions calls a service, where that is not botocore's name.
_SERVICES = {"states": "stepfunctions", "sfn": "stepfunctions", "eventbridge": "events", "cloudwatchlogs": "logs"}
# How the names of its errors begin: of an optimized integration, else of AWS's SDK.
_OPTIMIZED = {"ecs": "ECS", "sns": "SNS", "sqs": "SQS", "events": "EventBridge", "stepfunctions": "StepFunctions"}
_SDK = {"stepfunctions": "Sfn", "events": "EventBridge", "logs": "CloudWatchLogs"}
_CLIENTS = {"ecs": "AmazonECS", "sns": "AmazonSNS", "sqs": "AmazonSQS"}


@dataclass(frozen=True)
class Resource:
    """
    What a Task state's Resource says.

    Parameters
    ----------
    kind, name
        As histories have them: ``ecs`` or ``aws-sdk:ecs``, and ``runTask.sync``.
    service, operation
        botocore's names.
    pattern
        ``.sync``, ``.waitForTaskToken`` or nothing.
    """

    kind: str
    name: str
    service: str
    operation: str
    pattern: str

    @property
    def optimized(self) -> bool:
        """Whether Step Functions has an integration of its own for it."""
        return not self.kind.startswith("aws-sdk:")

    @property
    def runs_a_task(self) -> bool:
        """Whether it is ECS's own integration, with its way to wait and to fail."""
        return self.optimized and (self.service, self.operation) == ("ecs", "RunTask")


def resource_of(arn: str) -> Resource:
    """
    Read a Resource.

    Raises
    ------
    StateFailed
        ``States.Runtime`` if the local AWS does not run it.

    Examples
    --------
    >>> resource_of("arn:aws:states:::ecs:runTask.sync")
    Resource(kind='ecs', name='runTask.sync', service='ecs', operation='RunTask', pattern='.sync')
    >>> resource_of("arn:aws:states:::aws-sdk:sfn:startExecution").service
    'stepfunctions'
    """
    found = _RESOURCE.fullmatch(arn)
    if found is not None:
        sdk, service, action, pattern = found.groups()
        own = _SERVICES.get(service, service)
        operation = action[:1].upper() + action[1:]
        resource = Resource(f"{sdk or ''}{service}", f"{action}{pattern or ''}", own, operation, pattern or "")
        if _is_operation(own, operation) and (pattern != ".sync" or resource.runs_a_task):
            return resource
    raise StateFailed("States.Runtime", f"The local AWS does not run the resource {arn}.")


def _is_operation(service: str, operation: str) -> bool:
    try:
        return operation in get_service_model(service).operation_names
    except (UnknownServiceError, ValueError):
        return False


class MachineCalls:
    """The calls of one world's state machines."""

    def __init__(self, world: World, calls: Invoking) -> None:
        self._clock, self._settings, self._calls = world.clock, world.settings, calls
        self._by_task: dict[str, Attempt] = {}
        self.by_token: dict[str, Attempt] = {}

    def prepare(self, attempt: Attempt, parameters: Any) -> Any:
        """Name what is called, and return the parameters as they are sent."""
        resource = resource_of(str(attempt.visit.state.get("Resource")))
        attempt.kind, attempt.resource = resource.kind, resource.name
        self.by_token[attempt.token] = attempt
        if resource.runs_a_task and isinstance(parameters, Mapping):
            return {"StartedBy": STARTED_BY, **parameters} if "StartedBy" not in parameters else dict(parameters)
        return parameters

    def begin(self, attempt: Attempt, parameters: Any) -> Any:
        """
        Call; return the output, or :data:`LATER` where it is waited for.

        Raises
        ------
        StateFailed
            With the name that Step Functions gives to a refusal.
        """
        resource = resource_of(str(attempt.visit.state.get("Resource")))
        if not isinstance(parameters, Mapping):
            raise StateFailed("States.Runtime", "The parameters of a task are no JSON object.")
        answer = self._asked(attempt, resource, parameters)
        output = pascal(answer, _output_shape(resource), _millis if resource.optimized else _iso)
        if resource.optimized:
            output |= {"SdkHttpMetadata": {"HttpStatusCode": 200}, "SdkResponseMetadata": {}}
        if not resource.pattern:
            return output
        if resource.runs_a_task and answer.get("failures"):
            raise StateFailed(self._settings.placement_error, json.dumps(output["Failures"]))
        attempt.walk.submitted(attempt, output)
        if resource.pattern == ".sync":
            for task in answer["tasks"]:
                attempt.tasks[task["taskArn"]] = {}
                self._by_task[task["taskArn"]] = attempt
        return LATER

    def _asked(self, attempt: Attempt, resource: Resource, parameters: Mapping[str, Any]) -> dict[str, Any]:
        execution = attempt.walk.execution
        errand = Errand(execution.state_machine_arn, execution.account, execution.region)
        session = self._calls.assume(execution.role, errand)
        if isinstance(session, NotAnswered):
            raise StateFailed("States.Permissions", session.message)
        asked = named(parameters, resource.service, resource.operation)
        before = generation.set(execution.generation)
        try:
            answer = self._calls.asked(resource.service, resource.operation, asked, errand, session)
        finally:
            generation.reset(before)
        if isinstance(answer, NotAnswered):
            raise failure_of(resource, answer)
        return answer

    def changed(self, task: Task) -> None:
        """Take a task's end to whoever waits for it."""
        attempt = self._by_task.get(task.task_arn)
        if attempt is None or task.last_status != "STOPPED":
            return
        del self._by_task[task.task_arn]
        attempt.tasks[task.task_arn] = told_of(task)
        if all(attempt.tasks.values()):
            good = all(_is_good(one, task.essential) for one in attempt.tasks.values())
            self._clock.at(self._clock.now(), lambda: self._all_stopped(attempt, good=good))

    def _all_stopped(self, attempt: Attempt, *, good: bool) -> None:
        told = list(attempt.tasks.values())
        whole = told[0] if len(told) == 1 else told
        if good:
            attempt.walk.task_succeeded(attempt, whole)
        else:
            cause = json.dumps(whole, separators=(",", ":"), ensure_ascii=False)
            attempt.walk.task_failed(attempt, StateFailed("States.TaskFailed", cause))

    def forget(self, attempt: Attempt) -> None:
        """Wait no longer."""
        self.by_token.pop(attempt.token, None)
        for arn in attempt.tasks:
            self._by_task.pop(arn, None)

    def stop(self, attempt: Attempt, *, timed_out: bool) -> None:
        """Stop an aborted attempt's tasks, and a timed out one's if that is set; wait no longer."""
        left = [arn for arn in attempt.tasks if arn in self._by_task]
        self.forget(attempt)
        if timed_out and not self._settings.stop_timed_out:
            return
        execution = attempt.walk.execution
        errand = Errand(execution.state_machine_arn, execution.account, execution.region)
        for arn in left:
            session = self._calls.assume(execution.role, errand)
            if not isinstance(session, NotAnswered):
                asked = {"cluster": arn.split("/")[1], "task": arn, "reason": f"Stopped by {STARTED_BY}"}
                self._calls.asked("ecs", "StopTask", asked, errand, session)


def failure_of(resource: Resource, answer: NotAnswered) -> StateFailed:
    """
    Return how a refusal fails a Task state.

    Examples
    --------
    >>> ecs = resource_of("arn:aws:states:::ecs:runTask.sync")
    >>> failure_of(ecs, NotAnswered(500, "ServerException", "Service Unavailable.")).error
    'ECS.ServerException'
    >>> failure_of(ecs, NotAnswered(400, "ThrottlingException", "Rate exceeded")).error
    'ECS.AmazonECSException'
    >>> sdk = resource_of("arn:aws:states:::aws-sdk:ecs:listTasks")
    >>> failure_of(sdk, NotAnswered(400, "ClientException", "x")).error
    'Ecs.ClientException'
    """
    service, code = resource.service, answer.code
    name = code if code.endswith("Exception") else f"{code}Exception"
    if resource.optimized:
        prefix = _OPTIMIZED.get(service, service.upper())
        client = _CLIENTS.get(service, prefix)
        if service == "ecs" and name not in get_service_model("ecs").shape_names:
            name = f"{client}Exception"
        told = f"Service: {client}; Status Code: {answer.status}; Error Code: {code}"
    else:
        prefix = _SDK.get(service, service[:1].upper() + service[1:])
        told = f"Service: {prefix}, Status Code: {answer.status}"
    return StateFailed(f"{prefix}.{name}", f"{answer.message} ({told})")


def told_of(task: Task) -> dict[str, Any]:
    """Return a task as Step Functions tells it: in PascalCase, moments as milliseconds since 1970."""
    shape = get_service_model("ecs").shape_for("Task")
    told: dict[str, Any] = pascal(task.described(tags=True), shape, _millis)
    for attachment in told.get("Attachments") or []:
        attachment["Type"] = "eni"  # as recorded, and as in ECS's own events
    return told


def _is_good(told: Mapping[str, Any], essential: frozenset[str]) -> bool:
    codes = [one.get("ExitCode") for one in told.get("Containers") or [] if one["Name"] in essential]
    return told.get("StopCode") != "TaskFailedToStart" and all(code == 0 for code in codes)


def _output_shape(resource: Resource) -> Any:
    return get_service_model(resource.service).operation_model(resource.operation).output_shape


def pascal(value: Any, shape: Any, moment: Callable[[datetime], Any]) -> Any:
    """Return an API's answer as state machines have it: each member's name begins with a capital; no member is null."""
    if isinstance(value, datetime):
        return moment(value)
    if shape is None:
        return {}
    if shape.type_name == "structure" and isinstance(value, Mapping):
        known = {name: part for name, part in value.items() if name in shape.members and part is not None}
        return {n[:1].upper() + n[1:]: pascal(part, shape.members[n], moment) for n, part in known.items()}
    if shape.type_name == "list" and isinstance(value, Sequence):
        return [pascal(part, shape.member, moment) for part in value]
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {name: pascal(part, shape.value, moment) for name, part in value.items()}
    return value


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
