"""
Step Functions: state machines that run; moto keeps state machines, and its own interpreter sleeps as it waits.

What a state machine does step by step is in :mod:`~ecs_runbook.local_aws.executions`, what its tasks call in
:mod:`~ecs_runbook.local_aws.machine_calls`. Source: botocore stepfunctions for the operations (verified); published
CloudTrail records of what a state machine calls (seen).
"""

from __future__ import annotations

import functools
import json
import logging
import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult, EmptyResult
from moto.stepfunctions.exceptions import (
    ExecutionAlreadyExists,
    ExecutionDoesNotExist,
    InvalidExecutionInput,
    InvalidToken,
)
from moto.stepfunctions.models import StateMachine, StateMachineInstance, StepFunctionBackend
from moto.stepfunctions.responses import StepFunctionResponse
from moto.utilities.utils import get_partition

from ecs_runbook.local_aws.asl_check import faults_of
from ecs_runbook.local_aws.asl_values import StateFailed
from ecs_runbook.local_aws.definitions import page
from ecs_runbook.local_aws.executions import Attempt, Execution, Walk
from ecs_runbook.local_aws.heartbeats import Heartbeats
from ecs_runbook.local_aws.identity import role_of, service_of
from ecs_runbook.local_aws.invoking import Invoking, Sender
from ecs_runbook.local_aws.machine_calls import MachineCalls
from ecs_runbook.local_aws.permissions import AccessDenied, require, require_assumable
from ecs_runbook.local_aws.rules import News, Rules, rules_of
from ecs_runbook.local_aws.task_life import generation, life_of
from ecs_runbook.local_aws.world import World, current_call

_LOG = logging.getLogger(__name__)
SERVICE = "states.amazonaws.com"
_SENDER = Sender(SERVICE, user_agent=SERVICE, source_ip=SERVICE, invoked_by=SERVICE)
MANAGED_RULE = "StepFunctionsGetEventsForECSTaskRule"
_WAITS_FOR_ECS = re.compile(r":states:::ecs:runTask\.sync\b")
_KEPT = timedelta(days=90)  # AWS docs, "Quotas related to state machine executions" (verified)
_DATA = ("input", "inputDetails", "output", "outputDetails", "parameters")


class InvalidDefinition(AWSError):  # type: ignore[misc]  # moto is untyped
    """The definition is none."""

    TYPE = "InvalidDefinition"
    STATUS = 400


class StateMachineAlreadyExists(AWSError):  # type: ignore[misc]  # moto is untyped
    """There is another state machine of that name."""

    TYPE = "StateMachineAlreadyExists"
    STATUS = 400


class InvalidOutput(AWSError):  # type: ignore[misc]  # moto is untyped
    """What a task gave is no JSON; the words are this world's own."""

    TYPE = "InvalidOutput"
    STATUS = 400


class NotAllowed(AWSError):  # type: ignore[misc]  # moto is untyped
    """The state machine's role may not what it must."""

    TYPE = "AccessDeniedException"
    STATUS = 400


class NotSupported(AWSError):  # type: ignore[misc]  # moto is untyped
    """What is asked for, EXPRESS state machines do not have; the words are botocore's of the exception."""

    TYPE = "StateMachineTypeNotSupported"
    STATUS = 400

    def __init__(self) -> None:
        super().__init__("State machine type is not supported.")


class TaskTimedOut(AWSError):  # type: ignore[misc]  # moto is untyped
    """Nobody waits for that task any more."""

    TYPE = "TaskTimedOut"
    STATUS = 400


class Machines:
    """The executions of one world."""

    def __init__(self, world: World, calls: MachineCalls, rules: Rules) -> None:
        self._clock, self.calls, self._rules = world.clock, calls, rules
        self._walks: dict[str, Walk] = {}

    def start(self, machine: StateMachine, version: StateMachineInstance, name: str, given: str) -> Execution:
        """
        Start an execution of one version of a state machine, or of itself, once its start has been answered.

        Notes
        -----
        Source: botocore stepfunctions StartExecution (verified): a name is taken for 90 days; the same name with the
        same input, while that execution runs, is answered with it.
        """
        try:
            value = json.loads(given)
        except ValueError as error:
            raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error
        known = next((one for one in machine.executions if one.name == name), None)
        if known is not None:
            if known.status == "RUNNING" and known.execution_input == given:
                found: Execution = known
                return found
            raise ExecutionAlreadyExists(f"Execution Already Exists: '{known.execution_arn}'")
        arn = f"{machine.arn.split(':stateMachine:')[0]}:execution:{machine.name}:{name}"
        definition = json.loads(version.definition)
        now = self._clock.now()
        execution = Execution(arn, name, machine.arn, machine.name, version.roleArn, definition, given, now)
        execution.generation = generation.get()
        machine.executions.append(execution)
        told = {"input": given, "inputDetails": {"truncated": False}, "roleArn": version.roleArn}
        execution.tell("ExecutionStarted", now, 0, told)
        walk = self._walks[arn] = Walk(
            execution,
            definition,
            clock=self._clock,
            tasks=self.calls,
            ended=lambda outcome: self._ended(machine, execution, outcome),
        )
        if "TimeoutSeconds" in definition:
            end = timedelta(seconds=definition["TimeoutSeconds"])
            self._clock.after(end, lambda: self._timed_out(machine, execution))
        walk.begin(value)
        self._announce(machine, execution)
        return execution

    def _announce(self, machine: StateMachine, execution: Execution) -> None:
        """
        Put an execution's change on the default bus.

        Notes
        -----
        Source: AWS docs, Step Functions developer guide, "Automating event delivery with EventBridge" (verified): of
        STANDARD executions.
        """
        if machine.type == "STANDARD":
            kind = "Step Functions Execution Status Change"
            news = News("aws.states", kind, execution.execution_arn, functools.partial(_news_of, execution))
            self._rules.announce(news, (execution.account, execution.region), execution.generation)

    def _ended(self, machine: StateMachine, execution: Execution, outcome: Any) -> None:
        if isinstance(outcome, StateFailed):
            execution.error, execution.cause = outcome.error or None, outcome.cause
            _LOG.warning("%s failed: %s", execution.execution_arn, outcome.error)
            self._close(machine, execution, "FAILED", {"error": execution.error, "cause": execution.cause})
        else:
            execution.output = json.dumps(outcome, separators=(",", ":"), ensure_ascii=False)
            told = {"output": execution.output, "outputDetails": {"truncated": False}}
            self._close(machine, execution, "SUCCEEDED", told)

    def _timed_out(self, machine: StateMachine, execution: Execution) -> None:
        # Source: an answer of AWS that a public issue quotes: DescribeExecution has neither error nor cause.
        if execution.status == "RUNNING":
            self._walks[execution.execution_arn].abort(timed_out=True)
            self._close(machine, execution, "TIMED_OUT", {"error": "States.Timeout"})

    def stop(self, machine: StateMachine, execution: Execution, error: str | None, cause: str | None) -> None:
        """Stop an execution; one that has ended stays as it is."""
        if execution.status == "RUNNING":
            self._walks[execution.execution_arn].abort()
            execution.error, execution.cause = error, cause
            self._close(machine, execution, "ABORTED", {"error": error, "cause": cause})

    def _close(self, machine: StateMachine, execution: Execution, status: str, told: Mapping[str, Any]) -> None:
        words = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}
        now = self._clock.now()
        previous = 0 if status in {"TIMED_OUT", "ABORTED"} else len(execution.events)
        execution.tell(f"Execution{words[status]}", now, previous, told)
        execution.status, execution.stop_date = status, now
        del self._walks[execution.execution_arn]
        self._announce(machine, execution)
        self._clock.at(now + _KEPT, lambda: machine.executions.remove(execution))

    def leave(self, machine: StateMachine) -> None:
        """
        Let the executions of a deleted state machine end, each at its next transition.

        Notes
        -----
        Source: botocore stepfunctions DeleteStateMachine (verified). There the state machine is DELETING until then;
        here it is gone at once.
        """
        for execution in machine.executions:
            if execution.status == "RUNNING":
                execution.doom = functools.partial(self.stop, machine, execution, None, None)

    def waiting(self, token: str) -> Attempt:
        """Return the attempt that waits for a task token; the words of AWS are seen in public issues."""
        if not re.fullmatch(r"[0-9a-f]{64}", token):
            raise InvalidToken
        if token not in self.calls.by_token:
            raise TaskTimedOut("Task Timed Out: 'Provided task does not exist anymore'")
        return self.calls.by_token[token]


def _executions(backend: StepFunctionBackend, arn: str) -> tuple[StateMachine, Execution]:
    backend._validate_execution_arn(arn)
    for machine in backend.state_machines:
        for execution in machine.executions:
            if execution.execution_arn == arn:
                if machine.type == "EXPRESS":
                    raise NotSupported
                return machine, execution
    raise ExecutionDoesNotExist(f"Execution Does Not Exist: '{arn}'")


def _named(backend: StepFunctionBackend, arn: str) -> tuple[StateMachine, StateMachineInstance]:
    """Return the state machine that an ARN is about, and the version of it that the ARN, or its alias, names."""
    for machine in backend.state_machines:
        for alias in machine.aliases.values():
            if alias.arn == arn:  # of two versions that share the traffic, the first has it all
                arn = alias.routing_configuration[0]["stateMachineVersionArn"]
    version = backend.describe_state_machine(arn)
    return backend.describe_state_machine(getattr(version, "source_arn", arn)), version


def _told(execution: Execution) -> dict[str, Any]:
    told = {
        "executionArn": execution.execution_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.start_date,
        "stopDate": execution.stop_date,
    }
    return {name: value for name, value in told.items() if value is not None}


def _news_of(execution: Execution) -> dict[str, Any]:
    told = {
        **_described(execution),
        "startDate": int(execution.start_date.timestamp() * 1000),
        "stopDate": int(execution.stop_date.timestamp() * 1000) if execution.stop_date else None,
        "output": execution.output,
        "error": execution.error,
        "cause": execution.cause,
    }
    return {name: value for name, value in told.items() if name != "redriveCount"}


def _described(execution: Execution) -> dict[str, Any]:
    told = {
        "input": execution.execution_input,
        "inputDetails": {"included": True},
        "output": execution.output,
        "outputDetails": {"included": True} if execution.output is not None else None,
        "error": execution.error,
        "cause": execution.cause,
        "redriveCount": 0,
    }
    return _told(execution) | {name: value for name, value in told.items() if value is not None}


def _without_data(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for event in events:
        yield {
            name: {key: part for key, part in value.items() if key not in _DATA} if isinstance(value, dict) else value
            for name, value in event.items()
        }


def install(world: World) -> None:
    """Let state machines run, and Step Functions answer for their executions."""
    from ecs_runbook.local_aws.server import call

    calls = MachineCalls(world, Invoking(call, _SENDER))
    machines = Machines(world, calls, rules_of(world))
    life_of(world).on_change.append(calls.changed)
    life_of(world).on_change.append(Heartbeats(world, calls, call).changed)
    _answer_for_executions(machines)
    _answer_for_tokens(machines)
    _list_versions()
    _check_definitions(world)
    _let_go(machines)


def _answer_for_executions(machines: Machines) -> None:
    def start_execution(self: StepFunctionResponse) -> ActionResult:
        made, arn = current_call.get(), self._get_param("stateMachineArn")
        require(made.caller, "states:StartExecution", arn)
        backend = self.stepfunction_backend
        name = self._get_param("name") or str(uuid.uuid4())
        backend._validate_name(name)
        execution = machines.start(*_named(backend, arn), name, self._get_param("input") or "{}")
        return ActionResult({"executionArn": execution.execution_arn, "startDate": execution.start_date})

    def list_executions(self: StepFunctionResponse) -> ActionResult:
        machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
        if machine.type == "EXPRESS":
            raise NotSupported
        wanted = self._get_param("statusFilter")
        # Source: botocore stepfunctions ListExecutions (verified): running ones by their start, others by their stop.
        ordered = sorted(machine.executions, key=lambda one: one.stop_date or one.start_date)[::-1]
        known = {one.execution_arn: one for one in ordered if wanted in {None, one.status}}
        found, token = page(list(known), self._get_param("nextToken"), self._get_param("maxResults"))
        return ActionResult({"executions": [_told(known[arn]) for arn in found], "nextToken": token})

    def describe_execution(self: StepFunctionResponse) -> ActionResult:
        _, execution = _executions(self.stepfunction_backend, self._get_param("executionArn"))
        return ActionResult(_described(execution))

    def get_execution_history(self: StepFunctionResponse) -> ActionResult:
        _, execution = _executions(self.stepfunction_backend, self._get_param("executionArn"))
        events = execution.events
        if self._get_param("includeExecutionData") is False:
            events = list(_without_data(events))
        numbers = [str(number) for number in range(len(events))]
        if self._get_param("reverseOrder"):
            numbers.reverse()
        found, token = page(numbers, self._get_param("nextToken"), self._get_param("maxResults"))
        return ActionResult({"events": [events[int(number)] for number in found], "nextToken": token})

    def stop_execution(self: StepFunctionResponse) -> ActionResult:
        machine, execution = _executions(self.stepfunction_backend, self._get_param("executionArn"))
        machines.stop(machine, execution, self._get_param("error"), self._get_param("cause"))
        return ActionResult({"stopDate": execution.stop_date})

    for operation in (start_execution, list_executions, describe_execution, get_execution_history, stop_execution):
        setattr(StepFunctionResponse, operation.__name__, operation)


def _answer_for_tokens(machines: Machines) -> None:
    def send_task_success(self: StepFunctionResponse) -> EmptyResult:
        attempt = machines.waiting(self._get_param("taskToken"))
        try:
            output = json.loads(self._get_param("output"))
        except ValueError as error:
            raise InvalidOutput(f"Invalid Output: '{error}'") from error
        attempt.walk.task_succeeded(attempt, output)
        return EmptyResult()

    def send_task_failure(self: StepFunctionResponse) -> EmptyResult:
        attempt = machines.waiting(self._get_param("taskToken"))
        attempt.walk.task_failed(attempt, StateFailed(self._get_param("error") or "", self._get_param("cause")))
        return EmptyResult()

    def send_task_heartbeat(self: StepFunctionResponse) -> EmptyResult:
        machines.waiting(self._get_param("taskToken")).beat()
        return EmptyResult()

    for operation in (send_task_success, send_task_failure, send_task_heartbeat):
        setattr(StepFunctionResponse, operation.__name__, operation)


def _let_go(machines: Machines) -> None:
    delete = StepFunctionBackend.delete_state_machine

    def delete_state_machine(self: StepFunctionBackend, arn: str) -> None:
        known = next((one for one in self.state_machines if one.arn == arn), None)
        delete(self, arn)
        if known is not None:
            machines.leave(known)

    StepFunctionBackend.delete_state_machine = delete_state_machine


def _list_versions() -> None:
    """Answer what Terraform asks of every state machine, and moto does not know."""

    def list_state_machine_versions(self: StepFunctionResponse) -> ActionResult:
        machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
        known = {one.arn: one for _, one in sorted(machine.versions.items(), reverse=True)}
        found, token = page(list(known), self._get_param("nextToken"), self._get_param("maxResults"))
        told = [{"stateMachineVersionArn": arn, "creationDate": known[arn].creation_date} for arn in found]
        return ActionResult({"stateMachineVersions": told, "nextToken": token})

    StepFunctionResponse.list_state_machine_versions = list_state_machine_versions


def _require_sound(definition: str) -> None:
    if faults := faults_of(definition):
        told = "', '".join(str(fault) for fault in faults)
        raise InvalidDefinition(f"Invalid State Machine Definition: '{told}'")


def _require_role(role: str, definition: str, arn: str) -> None:
    """
    Refuse a role that Step Functions cannot assume, or that may not watch the tasks that it is to wait for.

    Notes
    -----
    Source: AWS docs, Step Functions developer guide, "Run Amazon ECS or Fargate tasks", for what ``.sync`` needs of
    EventBridge (verified); that both are refused here already, and in which words: many public issues.
    """
    _, partition, _, region, account, *_ = arn.split(":")
    try:
        require_assumable(service_of(SERVICE, account), role, {"aws:SourceArn": arn, "aws:SourceAccount": account})
    except AccessDenied as denied:
        raise NotAllowed(
            f"Neither the global service principal {SERVICE}, nor the regional one is authorized to assume the "
            "provided role."
        ) from denied
    if _WAITS_FOR_ECS.search(definition) is None:
        return
    rule = f"arn:{partition}:events:{region}:{account}:rule/{MANAGED_RULE}"
    try:
        for action in ("events:PutTargets", "events:PutRule", "events:DescribeRule"):
            require(role_of(role, account), action, rule)
    except AccessDenied as denied:
        raise NotAllowed(f"'{role}' is not authorized to create managed-rule.") from denied


def _check_definitions(world: World) -> None:
    create, update = StepFunctionBackend.create_state_machine, StepFunctionBackend.update_state_machine

    def create_state_machine(self: StepFunctionBackend, name: str, definition: str, **more: Any) -> StateMachine:
        _require_sound(definition)
        partition = get_partition(self.region_name)
        arn = f"arn:{partition}:states:{self.region_name}:{self.account_id}:stateMachine:{name}"
        _require_role(more["roleArn"], definition, arn)
        known = next((one for one in self.state_machines if one.name == name), None)
        # Source: botocore stepfunctions CreateStateMachine (verified): another role makes no difference.
        if known is not None and (known.definition, known.type) != (definition, more.get("sm_type") or known.type):
            raise StateMachineAlreadyExists(f"State Machine Already Exists: '{known.arn}'")
        machine = create(self, name=name, definition=definition, **more)
        if known is None:
            machine.creation_date = machine.update_date = world.clock.now()
        return machine

    def update_state_machine(
        self: StepFunctionBackend, arn: str, definition: str | None = None, role_arn: str | None = None, **more: Any
    ) -> Any:
        known = self.describe_state_machine(arn)
        _require_sound(definition or known.definition)
        _require_role(role_arn or known.roleArn, definition or known.definition, arn)
        machine = update(self, arn=arn, definition=definition, role_arn=role_arn, **more)
        machine.update_date = world.clock.now()
        return machine

    def validate_state_machine_definition(self: StepFunctionResponse) -> ActionResult:
        faults = faults_of(self._get_param("definition"))
        told = [{"severity": "ERROR", **vars(fault)} for fault in faults]
        return ActionResult({"result": "FAIL" if faults else "OK", "diagnostics": told, "truncated": False})

    StepFunctionBackend.create_state_machine = create_state_machine
    StepFunctionBackend.update_state_machine = update_state_machine
    StepFunctionResponse.validate_state_machine_definition = validate_state_machine_definition
