"""What a firing asks RunTask for: read from a rule's target, a schedule's, or the task that a state machine runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ecs_runbook.firing.machines import RUNS_A_TASK, START_EXECUTION
from ecs_runbook.firing.schedules import RUN_TASK
from ecs_runbook.inventory.model import RUN_VARIABLE, Machine, Network, Request

_HELPS = re.compile(
    r"arn:[\w-]+:states:[\w-]*:[0-9]*:((?:aws-sdk:)?sns:publish"
    r"|aws-sdk:ecs:(?:listTasks|describeTasks|stopTask|describeTaskDefinition))",
    re.ASCII,
)
_IDLE = frozenset({"Pass", "Wait", "Succeed", "Fail", "Choice"})
_TEXT_OR_PLACEHOLDER = re.compile(r'"(?:[^"\\]|\\.)*"|<[\w.-]+>', re.ASCII)
_PLACEHOLDER = re.compile(r"<[\w.-]+>", re.ASCII)
_DECISIVE = {
    "cluster": "Cluster",
    "taskdefinition": "TaskDefinition",
    "launchtype": "LaunchType",
    "capacityproviderstrategy": "CapacityProviderStrategy",
    "networkconfiguration": "NetworkConfiguration",
    "platformversion": "PlatformVersion",
}
"""What of a request must be known to judge it."""
_PATH = re.compile(r"\$((?:\.[A-Za-z_]\w*)+)", re.ASCII)


def of_target(target: Mapping[str, Any]) -> Request | None:
    """
    Return what the target of a rule or of a schedule asks RunTask for; None if it is no ECS task.

    Parameters
    ----------
    target
        As ListTargetsByRule or GetSchedule tells it: with ``EcsParameters``, or Scheduler's universal target RunTask.

    Examples
    --------
    >>> of_target({"Arn": "arn:aws:ecs:eu-west-2:111122223333:cluster/batch", "EcsParameters": {
    ...     "TaskDefinitionArn": "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly",
    ...     "LaunchType": "FARGATE"}}).family
    'nightly'
    >>> of_target({"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input":
    ...     '{"Cluster": "batch", "TaskDefinition": "nightly:3"}'}).revision
    3
    """
    parameters = target.get("EcsParameters")
    if isinstance(parameters, Mapping):
        overrides, fault = _overrides_of(target)
        fields = _fields(parameters) | {"cluster": target.get("Arn")}
        return _request(fields, "taskdefinitionarn", "taskcount", overrides, fault)
    if str(target.get("Arn", "")).endswith(RUN_TASK):
        return _of_run_task(*_document(target.get("Input")))
    return None


def input_of(target: Mapping[str, Any]) -> Any:
    """
    Return the input of the executions that a target starts of a state machine, where it is the same each time.

    Examples
    --------
    >>> input_of({"Arn": "arn:aws:scheduler:::aws-sdk:sfn:startExecution", "Input": '{"Input": "{}"}'})
    '{}'
    """
    given = target.get("Input")
    if not str(target.get("Arn", "")).endswith(START_EXECUTION):
        return given
    try:
        told = json.loads(str(given))
    except ValueError:
        return None
    return told.get("Input") if isinstance(told, Mapping) else None


class Only(NamedTuple):
    """
    The task that a state machine runs.

    ``request`` is None if the machine does something else than to run a task; ``unknown`` names what of the request is
    made only when the machine runs; ``machine`` is what it does besides.
    """

    request: Request | None
    unknown: str = ""
    machine: Machine = Machine()


def of_machine(definition: str, given: object = None) -> Only:
    """
    Return what a state machine asks RunTask for that does nothing but run a task, once or again.

    Parameters
    ----------
    definition
        In the Amazon States Language.
    given
        The input of its executions, as a target's constant ``Input``.

    Notes
    -----
    Nothing but: its states of the type Task run one ECS task, and help with that: they ask ECS which tasks run, stop
    one, or publish to SNS. The others choose, pass, wait, succeed or fail.

    Examples
    --------
    >>> states = {"Run": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": True,
    ...     "Parameters": {"Cluster": "batch", "TaskDefinition": "nightly"}}}
    >>> of_machine(json.dumps({"StartAt": "Run", "States": states})).request.family
    'nightly'
    """
    whole = _document(definition)[0]
    states = told if isinstance(told := whole.get("States"), Mapping) else {}
    tasks = [one for one in states.values() if isinstance(one, Mapping) and one.get("Type") not in _IDLE]
    running = [one for one in tasks if RUNS_A_TASK.fullmatch(str(one.get("Resource", "")))]
    helping = [one for one in tasks if _HELPS.fullmatch(str(one.get("Resource", "")))]
    of_one_task = all(_asked(one) == _asked(running[0]) for one in running)
    if not running or not of_one_task or len(running) + len(helping) < len(tasks):
        return Only(None)
    document = _document(given)[0]
    plain: dict[str, Any] = {}
    unknown = []
    for key, value in _fields(_asked(running[0])).items():
        made: list[str] = []
        name = key.removesuffix(".$")
        plain[name] = _resolved(key, value, document, made)
        if made and name in _DECISIVE:
            unknown.append(_DECISIVE[name])
    if unknown:
        return Only(None, " and ".join(unknown))
    return Only(_of_run_task(plain, ""), machine=_machine(whole, running, helping, document))


def _asked(task: Mapping[str, Any]) -> object:
    return task.get("Arguments", task.get("Parameters"))


def _machine(
    definition: Mapping[str, Any],
    running: Sequence[Mapping[str, Any]],
    helping: Sequence[Mapping[str, Any]],
    given: Mapping[str, Any],
) -> Machine:
    states = definition["States"]
    several = [one for one in states.values() if isinstance(one, Mapping)]
    resource = str(running[0].get("Resource", ""))
    before = [states.get(name) for name in _reached(states, definition.get("StartAt"), up_to=running)]
    looking = [one for one in helping if str(one["Resource"]).endswith(":listTasks")]
    after = [states.get(name) for name in _reached(states, *_onward(running[0]))]
    return Machine(
        waits=resource.endswith((".sync", ".waitForTaskToken")),
        watches=resource.endswith(".sync"),
        varies=len(running) > 1
        or any(one.get("Type") == "Choice" for one in several)
        or any(_tries(one) for one in running)
        or any(one is running[0] for one in after),
        skips=any(one is other for one in looking for other in before),
        acts=tuple(dict.fromkeys(_act(one, given) for one in helping)),
    )


def _tries(task: Mapping[str, Any]) -> bool:
    """Say whether a state's Retry runs its task again; without MaxAttempts it does three times (States Language)."""
    retry = task.get("Retry")
    several = retry if isinstance(retry, list) else []
    return any(isinstance(one, Mapping) and one.get("MaxAttempts", 3) != 0 for one in several)


def _reached(states: Mapping[str, Any], *start: object, up_to: Sequence[object] = ()) -> Iterator[str]:
    """Yield the names of the states from *start* on, each once; nothing beyond those of *up_to*."""
    seen: set[str] = set()
    ahead = [str(one) for one in start]
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            yield name
            if not any(states.get(name) is one for one in up_to):
                ahead += _onward(states.get(name))


def _onward(state: object) -> Iterator[str]:
    told = state if isinstance(state, Mapping) else {}
    yield from (str(told[key]) for key in ("Next", "Default") if key in told)
    for key in ("Choices", "Catch"):
        several = told.get(key)
        yield from (
            str(one["Next"])
            for one in (several if isinstance(several, list) else ())
            if isinstance(one, Mapping) and "Next" in one
        )


def _act(task: Mapping[str, Any], given: Mapping[str, Any]) -> tuple[str, str]:
    """Return action and resource of a state that helps, as IAM names them."""
    service, _, method = str(task["Resource"]).removesuffix(".waitForTaskToken").rpartition(":")
    action = f"{service.rpartition(':')[2]}:{method[:1].upper()}{method[1:]}"
    if action != "sns:Publish":
        return action, ""
    asked = {key: _resolved(key, value, given, []) for key, value in _fields(_asked(task)).items()}
    return action, str(asked.get("topicarn") or asked.get("topicarn.$") or asked.get("targetarn") or "")


def _of_run_task(asked: Mapping[str, Any], fault: str) -> Request:
    fields = _fields(asked)
    return _request(fields, "taskdefinition", "count", _fields(fields.get("overrides")), fault)


def _request(
    fields: Mapping[str, Any], defined: str, counted: str, overrides: Mapping[str, Any], fault: str
) -> Request:
    """Return the request of RunTask's fields, of which two are called differently, and of its overrides."""
    strategy = fields.get("capacityproviderstrategy")
    count = fields.get(counted)
    return Request(
        cluster=str(fields.get("cluster") or "default"),
        definition=str(fields.get(defined) or ""),
        launch_type=str(fields.get("launchtype") or ""),
        strategy=tuple(
            str(_fields(one).get("capacityprovider") or "") for one in (strategy if isinstance(strategy, list) else [])
        ),
        network=_network(fields.get("networkconfiguration")),
        overrides=tuple(_names(overrides.get("containeroverrides"))),
        input_fault=fault,
        count=count if isinstance(count, int) and not isinstance(count, bool) else 1,
        platform_version=str(fields.get("platformversion") or ""),
        tags=bool(fields.get("tags")) or str(fields.get("propagatetags") or "").upper() == "TASK_DEFINITION",
        managed_tags=fields.get("enableecsmanagedtags") is True,
        task_role=str(overrides.get("taskrolearn") or ""),
        execution_role=str(overrides.get("executionrolearn") or ""),
        token=_hands_a_token(overrides.get("containeroverrides")),
    )


def _network(told: object) -> Network | None:
    inner = _fields(_fields(told).get("awsvpcconfiguration"))
    if not inner:
        return None
    return Network(
        subnets=_texts(inner.get("subnets")),
        security_groups=_texts(inner.get("securitygroups")),
        public_ip=inner.get("assignpublicip") == "ENABLED",
    )


def _overrides_of(target: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return what a target's input overrides, and why it cannot be read."""
    transformer = target.get("InputTransformer")
    if isinstance(transformer, Mapping):
        # What stands for a part of the event may be anything, so a template that cannot be read is no fault.
        told, _ = _document(_TEXT_OR_PLACEHOLDER.sub(_unmade, str(transformer.get("InputTemplate", ""))))
        return _fields(told), ""
    told, fault = _document(target.get("Input"))
    return _fields(told), fault


def _unmade(part: re.Match[str]) -> str:
    """Return a part of a template as JSON: null where the event makes it."""
    return "null" if _PLACEHOLDER.search(part[0]) else part[0]


def _document(text: object) -> tuple[Mapping[str, Any], str]:
    if text is None or text == "":
        return {}, ""
    try:
        read = json.loads(str(text))
    except ValueError as error:
        return {}, f"its input is not JSON: {error}"
    return (read, "") if isinstance(read, Mapping) else ({}, "its input is JSON, but not an object")


def _resolved(key: str, value: Any, given: Mapping[str, Any], made: list[str]) -> Any:
    """
    Return a value of a state's parameters as it stands there, or in the constant input.

    What is made only when the machine runs is None, and stands in *made*.
    """
    if key.endswith(".$"):
        found = _at(str(value), given)
        made += [] if found is not None else [str(value)]
        return found
    if isinstance(value, Mapping):
        return {str(name).removesuffix(".$"): _resolved(str(name), one, given, made) for name, one in value.items()}
    if isinstance(value, list):
        return [_resolved("", one, given, made) for one in value]
    if isinstance(value, str) and value.startswith("{%"):
        made.append(value)
        return None
    return value


def _at(path: str, given: Mapping[str, Any]) -> Any:
    found = _PATH.fullmatch(path)
    value: Any = given
    for key in found[1].removeprefix(".").split(".") if found else []:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if found else None


def _fields(told: object) -> dict[str, Any]:
    """Return fields by their names in lower case: each service writes them in another way."""
    return {str(key).lower(): value for key, value in told.items()} if isinstance(told, Mapping) else {}


def _names(overrides: object) -> list[str]:
    listed = overrides if isinstance(overrides, list) else []
    return [name for one in listed if isinstance(name := _fields(one).get("name"), str)]


def _hands_a_token(overrides: object) -> bool:
    given = [_fields(one).get("environment") for one in (overrides if isinstance(overrides, list) else [])]
    return any(RUN_VARIABLE in _names(variables) for variables in given)


def _texts(told: object) -> tuple[str, ...]:
    return tuple(str(one) for one in told) if isinstance(told, list) else ()
