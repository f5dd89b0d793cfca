"""
What AWS asks of the fields of a spec together, each rule with the fields it looks at.

Source: botocore events EcsParameters, scheduler CreateSchedule, ecs RunTask, RegisterTaskDefinition and
CapacityProviderStrategyItem; AWS docs, ECS developer guide, task size; AWS's own refusals where they are quoted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Set
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import Fault
from ecs_runbook.wanted.schedule import shortened

if TYPE_CHECKING:
    from ecs_runbook.wanted.spec import Spec

MAX_INPUT = 8192
MAX_TASK_DEFINITION = 65_536
MAX_TAGS = 50
OWN_TAG = "ecs-runbook"
RUN_VARIABLE = "ECS_RUNBOOK_RUN"
"""Of the container, with double_runs="token": the ARN of what started it, and the scheduled time."""
GIB = 1024

# CPU units → memory in MiB.
FARGATE_SIZES: dict[int, list[int]] = {
    256: [512, 1024, 2048],
    512: list(range(1 * GIB, 4 * GIB + 1, GIB)),
    1024: list(range(2 * GIB, 8 * GIB + 1, GIB)),
    2048: list(range(4 * GIB, 16 * GIB + 1, GIB)),
    4096: list(range(8 * GIB, 30 * GIB + 1, GIB)),
    8192: list(range(16 * GIB, 60 * GIB + 1, 4 * GIB)),
    16384: list(range(32 * GIB, 120 * GIB + 1, 8 * GIB)),
}
EC2_CPU = range(128, 196_608 + 1)
FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")

Rule = Callable[["Spec"], Iterable[Fault]]
_RULES: list[tuple[frozenset[str], Rule]] = []


def broken(spec: Spec, *, unknown: Set[str] = frozenset()) -> list[Fault]:
    """Return the faults of every rule that looks at none of the *unknown* fields."""
    return [fault for needs, rule in _RULES if not needs & unknown for fault in rule(spec)]


def _rule(*fields: str) -> Callable[[Rule], Rule]:
    def keep(rule: Rule) -> Rule:
        _RULES.append((frozenset(fields), rule))
        return rule

    return keep


def on_fargate(spec: Spec) -> bool:
    """Return whether it runs on Fargate whatever the cluster's own strategy is."""
    providers = [provider.name for provider in spec.capacity_provider_strategy]
    return spec.launch_type == "FARGATE" or (bool(providers) and set(providers) <= set(FARGATE_PROVIDERS))


def _may_run_on_fargate(spec: Spec) -> bool:
    return on_fargate(spec) or (spec.launch_type is None and not spec.capacity_provider_strategy)


def _where(spec: Spec) -> str:
    providers = ", ".join(provider.name for provider in spec.capacity_provider_strategy)
    return (
        f"launch_type is {spec.launch_type}"
        if spec.launch_type
        else f"it runs on {providers or 'what the cluster has'}"
    )


SCHEDULES_ONLY = ("schedule_group", "create_schedule_group", "flexible_minutes", "start_date", "end_date")
"""Fields that a rule has not."""
STATE_MACHINES_ONLY = (
    "start_retries",
    "retry_exit_codes",
    "exit_code_retries",
    "backoff_seconds",
    "timeout_seconds",
    "heartbeat_seconds",
    "notify",
)
"""Fields that a state machine alone has."""


def _asked_in_vain(spec: Spec, fields: Iterable[str], mend: str) -> Iterator[Fault]:
    for field in fields:
        if (value := getattr(spec, field)) != type(spec).model_fields[field].default:
            yield Fault(field, shortened(value), mend)


@_rule("kind", *SCHEDULES_ONLY)
def _of_schedules(spec: Spec) -> Iterator[Fault]:
    if spec.kind == "rule":
        mend = "a rule has no such thing, EventBridge Scheduler has: set kind to 'schedule' or 'state_machine'"
        yield from _asked_in_vain(spec, SCHEDULES_ONLY, mend)


@_rule("kind", *STATE_MACHINES_ONLY)
def _of_state_machines(spec: Spec) -> Iterator[Fault]:
    if spec.kind != "state_machine":
        mend = f"a {spec.kind} starts a task, and does not look how it ends: set kind to 'state_machine'"
        yield from _asked_in_vain(spec, STATE_MACHINES_ONLY, mend)


@_rule("kind", "task_count", "group", "enable_ecs_managed_tags")
def _not_of_state_machines(spec: Spec) -> Iterator[Fault]:
    if spec.kind != "state_machine":
        return
    why = {
        "task_count": "an attempt of a state machine is one task: leave it 1",
        "group": "a state machine finds its own task again by the group that it gives it: leave it empty",
        "enable_ecs_managed_tags": "whether Step Functions hands it on to RunTask is not verified: leave it False",
    }
    for field, mend in why.items():
        yield from _asked_in_vain(spec, [field], mend)


@_rule("kind", "double_runs")
def _double_runs(spec: Spec) -> Iterator[Fault]:
    if spec.double_runs == "skip" and spec.kind != "state_machine":
        mend = f"a {spec.kind} cannot ask whether one is running: set kind to 'state_machine', or take 'token'"
        yield Fault("double_runs", "'skip'", mend)


_SET_AT_EACH_RUN = "double_runs='token' sets it at each run; choose another name"


@_rule("double_runs", "environment")
def _token(spec: Spec) -> Iterator[Fault]:
    if spec.double_runs == "token" and RUN_VARIABLE in spec.environment:
        yield Fault(f"environment.{RUN_VARIABLE}", "(not shown)", _SET_AT_EACH_RUN)


@_rule("double_runs", "overrides")
def _token_overridden(spec: Spec) -> Iterator[Fault]:
    if spec.double_runs != "token":
        return
    containers = spec.overrides.get("containerOverrides")
    for index, one in enumerate(containers if isinstance(containers, list) else []):
        pairs = one.get("environment") if isinstance(one, dict) else None
        for pair in pairs if isinstance(pairs, list) else []:
            if isinstance(pair, dict) and pair.get("name") == RUN_VARIABLE:
                where = f"overrides.containerOverrides[{index}].environment.{RUN_VARIABLE}"
                yield Fault(where, "(not shown)", _SET_AT_EACH_RUN)


@_rule("kind", "schedule")
def _once(spec: Spec) -> Iterator[Fault]:
    if spec.kind == "rule" and spec.schedule.startswith("at("):
        mend = "a rule takes no at(…); only EventBridge Scheduler runs something once: set kind to 'schedule'"
        yield Fault("schedule", repr(spec.schedule), mend)


@_rule("schedule", "start_date", "end_date")
def _dates(spec: Spec) -> Iterator[Fault]:
    if spec.schedule.startswith("at("):
        mend = "what runs once takes no notice of it (botocore scheduler CreateSchedule): leave it empty"
        yield from _asked_in_vain(spec, ("start_date", "end_date"), mend)
    if spec.start_date and spec.end_date and spec.start_date >= spec.end_date:
        yield Fault("end_date", repr(spec.end_date), f"it is not after start_date, {spec.start_date}")


@_rule("create_schedule_group", "schedule_group")
def _new_group(spec: Spec) -> Iterator[Fault]:
    if spec.create_schedule_group and spec.schedule_group == "default":
        yield Fault("schedule_group", "'default'", "every account has that one: name the group that is to be made")


@_rule("heartbeat_seconds", "timeout_seconds")
def _heartbeat(spec: Spec) -> Iterator[Fault]:
    if spec.heartbeat_seconds >= spec.timeout_seconds:
        mend = f"it is to be shorter than timeout_seconds, {spec.timeout_seconds}, or it finds nothing"
        yield Fault("heartbeat_seconds", repr(spec.heartbeat_seconds), mend)


@_rule("subnets", "launch_type")
def _network(spec: Spec) -> Iterator[Fault]:
    if spec.launch_type == "EXTERNAL":
        for field in ("subnets", "security_groups"):
            if value := getattr(spec, field):
                yield Fault(field, shortened(value), "leave it empty: ECS Anywhere (EXTERNAL) has no awsvpc network")
    elif not spec.subnets:
        mend = "it is needed, since the task has a network interface of its own: 1 to 16 subnet ids"
        yield Fault("subnets", "[]", mend)


@_rule("assign_public_ip", "launch_type", "capacity_provider_strategy")
def _public_ip(spec: Spec) -> Iterator[Fault]:
    if spec.assign_public_ip and not on_fargate(spec):
        refusal = "AWS says: Assign public IP is not supported for this launch type."
        mend = f"{_where(spec)}, and only Fargate takes it ({refusal}); set it False, or launch_type to 'FARGATE'"
        yield Fault("assign_public_ip", "True", mend)


@_rule("launch_type", "capacity_provider_strategy")
def _launch(spec: Spec) -> Iterator[Fault]:
    if spec.launch_type and spec.capacity_provider_strategy:
        mend = "a capacity_provider_strategy is given too, and the two exclude each other: set launch_type=None"
        yield Fault("launch_type", repr(spec.launch_type), mend)


@_rule("capacity_provider_strategy")
def _strategy(spec: Spec) -> Iterator[Fault]:
    strategy = spec.capacity_provider_strategy
    if not strategy:
        return
    names = ", ".join(provider.name for provider in strategy)

    def fault(mend: str) -> Fault:
        return Fault("capacity_provider_strategy", shortened(names), mend)

    if not any(provider.weight for provider in strategy):
        yield fault("at least one weight must be above 0, or nothing can be placed")
    if sum(provider.base > 0 for provider in strategy) > 1:
        yield fault("only one of them may have a base")
    if 0 < sum(provider.name in FARGATE_PROVIDERS for provider in strategy) < len(strategy):
        yield fault("FARGATE and FARGATE_SPOT cannot stand beside providers of other kinds; name one kind only")


@_rule("platform_version", "launch_type", "capacity_provider_strategy", "cpu")
def _platform(spec: Spec) -> Iterator[Fault]:
    if not spec.platform_version:
        return
    if not on_fargate(spec):
        mend = f'only Fargate has one, and {_where(spec)}; set it to ""'
        yield Fault("platform_version", repr(spec.platform_version), mend)
    elif spec.cpu > 4096 and [int(part) for part in spec.platform_version.split(".")] < [1, 4, 0]:
        yield Fault("platform_version", repr(spec.platform_version), f"cpu {spec.cpu} needs 1.4.0 or later")


@_rule("cpu", "memory", "launch_type", "capacity_provider_strategy")
def _size(spec: Spec) -> Iterator[Fault]:
    if _may_run_on_fargate(spec):
        yield from _fargate_size(spec.cpu, spec.memory, "cpu", "memory")
        return
    if spec.cpu not in EC2_CPU:
        yield Fault("cpu", repr(spec.cpu), f"{EC2_CPU[0]} to {EC2_CPU[-1]} CPU units are allowed (1024 are one vCPU)")
    if spec.memory < 6:
        yield Fault("memory", repr(spec.memory), "at least 6 MiB are needed")


def _fargate_size(cpu: int, memory: int, cpu_field: str, memory_field: str) -> Iterator[Fault]:
    if cpu not in FARGATE_SIZES:
        yield Fault(
            cpu_field, repr(cpu), f"Fargate has {', '.join(map(str, FARGATE_SIZES))} CPU units (1024 are one vCPU)"
        )
    elif memory not in FARGATE_SIZES[cpu]:
        sizes = FARGATE_SIZES[cpu]
        step = sizes[-1] - sizes[-2]
        choice = ", ".join(map(str, sizes)) if len(sizes) <= 4 else f"{sizes[0]} to {sizes[-1]} in steps of {step}"
        fits = [str(units) for units, sizes in FARGATE_SIZES.items() if memory in sizes]
        instead = f"; or keep it, with cpu {' or '.join(fits)}" if fits else ""
        yield Fault(memory_field, repr(memory), f"with cpu {cpu} Fargate has {choice} MiB{instead}")


@_rule("cluster", "create_cluster")
def _new_cluster(spec: Spec) -> Iterator[Fault]:
    if spec.create_cluster and spec.cluster.startswith("arn:"):
        yield Fault("cluster", repr(spec.cluster), "a new cluster takes a name; an ARN is of one that is there")


@_rule("environment")
def _environment(spec: Spec) -> Iterator[Fault]:
    for name, value in spec.environment.items():
        yield from _variable("environment", name, value)


@_rule("secrets", "environment")
def _secrets(spec: Spec) -> Iterator[Fault]:
    for name in spec.secrets:
        if not name or "=" in name:
            yield Fault("secrets", repr(name), "a variable's name is not empty and has no =")
        if name in spec.environment:
            yield Fault(
                f"secrets.{name}", "(not shown)", "environment has that name too; a name may stand in one of them"
            )


@_rule("command")
def _command(spec: Spec) -> Iterator[Fault]:
    for index, word in enumerate(spec.command):
        if is_secret("", word):
            yield Fault(
                f"command[{index}]", "(not shown)", "it holds a secret, which anyone can read there; use secrets"
            )


@_rule("tags")
def _tags(spec: Spec) -> Iterator[Fault]:
    if len(spec.tags) >= MAX_TAGS:
        mend = f"at most {MAX_TAGS - 1} are allowed: AWS takes {MAX_TAGS}, and {OWN_TAG} is added"
        yield Fault("tags", f"{len(spec.tags)} tags", mend)
    seen: dict[str, str] = {OWN_TAG: OWN_TAG}
    for key, value in spec.tags.items():
        if not 1 <= len(key) <= 128 or not _tag_text(key):
            yield Fault(f"tags.{shortened(key)}", shortened(value), f"a tag's key has 1 to 128 {_TAG_TEXT}")
        elif key.lower().startswith("aws:"):
            yield Fault(f"tags.{key}", shortened(value), "keys that begin with aws: are AWS's own; choose another")
        elif key.lower() in seen:
            other = seen[key.lower()]
            taken = (
                "is added to everything that is made"
                if other == OWN_TAG
                else "is there too, and IAM tells no case apart"
            )
            yield Fault(f"tags.{key}", shortened(value), f"{other} {taken}; choose another key")
        seen[key.lower()] = key
        if len(value) > 256 or not _tag_text(value):
            yield Fault(f"tags.{shortened(key)}", shortened(value), f"a tag's value has at most 256 {_TAG_TEXT}")


_TAG_TEXT = "letters, digits, spaces and _ . : / = + - @"


def _tag_text(text: str) -> bool:
    """Follow AWS's pattern, letters, separators and numbers of any script."""
    import unicodedata  # here, since few tags are beyond ASCII

    return all(char in "_.:/=+-@" or unicodedata.category(char)[0] in "LZN" for char in text)


@_rule("cluster", "task_role_arn", "execution_role_arn", "schedule_role_arn", "dead_letter_queue", "notify", "secrets")
def _arns(spec: Spec) -> Iterator[Fault]:
    fields = ("cluster", "task_role_arn", "execution_role_arn", "schedule_role_arn", "dead_letter_queue", "notify")
    arns = [(field, getattr(spec, field)) for field in fields] + [
        (f"secrets.{k}", arn) for k, arn in spec.secrets.items()
    ]
    arns = [(field, arn) for field, arn in arns if arn.startswith("arn:")]
    for field, arn in arns[1:]:
        first_field, first = arns[0]
        if arn.split(":")[1] != first.split(":")[1]:
            mend = (
                f"its partition is {arn.split(':')[1]}, and that of {first_field} {first.split(':')[1]}; one is allowed"
            )
            yield Fault(field, shortened(arn), mend)
    here = spec.cluster.split(":")[3] if spec.cluster.startswith("arn:") else ""
    there = spec.dead_letter_queue.split(":")[3] if spec.dead_letter_queue.startswith("arn:") else ""
    if here and there and here != there:
        mend = f"a rule sends to a queue of its own Region, and the cluster is in {here}"
        yield Fault("dead_letter_queue", shortened(spec.dead_letter_queue), mend)


@_rule("command", "environment", "secrets", "image")
def _definition_size(spec: Spec) -> Iterator[Fault]:
    parts = {"command": spec.command, "environment": spec.environment, "secrets": spec.secrets}
    sizes = {field: len(json.dumps(part).encode()) for field, part in parts.items()}
    if sum(sizes.values()) > MAX_TASK_DEFINITION:
        longest = max(sizes, key=lambda field: sizes[field])
        mend = (
            f"a task definition has 64 KiB, and this alone {sizes[longest] // 1024}; read what is long from elsewhere"
        )
        yield Fault(longest, "(too long)", mend)


# ---------------------------------------------------------------- overrides: an ECS TaskOverride

# Each key of botocore's ecs TaskOverride and ContainerOverride with the type that it takes.
_TASK_OVERRIDE: dict[str, type] = {
    "containerOverrides": list,
    "cpu": str,
    "memory": str,
    "executionRoleArn": str,
    "taskRoleArn": str,
    "ephemeralStorage": dict,
    "inferenceAcceleratorOverrides": list,
}
_CONTAINER_OVERRIDE: dict[str, type] = {
    "name": str,
    "command": list,
    "environment": list,
    "environmentFiles": list,
    "cpu": int,
    "memory": int,
    "memoryReservation": int,
    "resourceRequirements": list,
}
_TYPE_NAMES = {list: "a list", dict: "an object", str: "text in quotes", int: "a whole number"}


@_rule("overrides", "container", "cpu", "memory", "launch_type", "capacity_provider_strategy")
def _overrides(spec: Spec) -> Iterator[Fault]:
    try:
        text = json.dumps(spec.overrides, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        yield Fault(
            "overrides",
            "(not shown)",
            "only what JSON knows is allowed: text, numbers, lists, objects, True, False, None",
        )
        return
    if re.search(r"(?<!\\)(\\\\)*\\u0000", text):  # as JSON writes a NUL
        yield Fault("overrides", "(not shown)", "a NUL cannot be sent to AWS; leave it out")
    length = len(text) + 5 * len(re.findall("[<>&\u2028\u2029]", text))  # which Terraform writes as < and so on
    if length > MAX_INPUT:
        yield Fault("overrides", "(too long)", f"{length} characters as JSON; at most {MAX_INPUT} are allowed")
    shape_faults = list(_keys("overrides", spec.overrides, _TASK_OVERRIDE))
    yield from shape_faults
    for role, field in (("taskRoleArn", "task_role_arn"), ("executionRoleArn", "execution_role_arn")):
        if role in spec.overrides:
            mend = f"the schedule's role may pass the definition's roles only; set {field}"
            yield Fault(f"overrides.{role}", shortened(spec.overrides[role]), mend)
    if shape_faults:
        return
    yield from _overridden_size(spec)
    for index, container in enumerate(spec.overrides.get("containerOverrides", [])):
        yield from _container(f"overrides.containerOverrides[{index}]", container, spec.container)


def _overridden_size(spec: Spec) -> Iterator[Fault]:
    sizes = {field: spec.overrides.get(field, str(getattr(spec, field))) for field in ("cpu", "memory")}
    for field, text in sizes.items():
        if not re.fullmatch("[0-9]{1,7}", text, re.ASCII):
            yield Fault(f"overrides.{field}", shortened(text), "a whole number in quotes is allowed, such as '1024'")
            return
    overridden = "cpu" in spec.overrides or "memory" in spec.overrides
    if overridden and _may_run_on_fargate(spec):
        yield from _fargate_size(int(sizes["cpu"]), int(sizes["memory"]), "overrides.cpu", "overrides.memory")


def _container(where: str, container: object, name: str) -> Iterator[Fault]:
    if not isinstance(container, dict):
        yield Fault(where, "(not shown)", f"an object is allowed: {{'name': '{name}', 'command': […]}}")
        return
    faults = list(_keys(where, container, _CONTAINER_OVERRIDE))
    yield from faults
    if container.get("name") != name:
        refusal = "AWS says: Override for container named … is not a container in the TaskDefinition"
        mend = f"the task has one container, {name!r} ({refusal})"
        yield Fault(f"{where}.name", shortened(container.get("name", "(not given)")), mend)
    if faults:
        return
    for index, word in enumerate(container.get("command", [])):
        if not isinstance(word, str):
            yield Fault(f"{where}.command[{index}]", shortened(word), "text in quotes is allowed")
        elif is_secret("", word):
            yield Fault(
                f"{where}.command[{index}]",
                "(not shown)",
                "it holds a secret, which anyone can read there; use secrets",
            )
    for index, pair in enumerate(container.get("environment", [])):
        if (
            not isinstance(pair, dict)
            or set(pair) != {"name", "value"}
            or not all(isinstance(v, str) for v in pair.values())
        ):
            yield Fault(
                f"{where}.environment[{index}]", "(not shown)", "{'name': …, 'value': …}, both text, is allowed"
            )
        else:
            yield from _variable(f"{where}.environment", pair["name"], pair["value"])


def _keys(where: str, given: dict[Any, Any], known: dict[str, type]) -> Iterator[Fault]:
    for key, value in ((str(key), value) for key, value in given.items()):
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.6)
            snake = [name for name in known if name.lower() == key.replace("_", "").lower()]
            meant = f"did you mean {(snake or near)[0]}?" if snake or near else f"there are {', '.join(known)}"
            yield Fault(f"{where}.{shortened(key)[1:-1]}", "(not shown)", f"RunTask has no such override; {meant}")
        elif not isinstance(value, known[key]) or isinstance(value, bool):
            shown = shortened(value) if known[key] in (str, int) else "(not shown)"  # a misshapen environment
            yield Fault(f"{where}.{key}", shown, f"{_TYPE_NAMES[known[key]]} is allowed")


def without_values(overrides: dict[str, Any]) -> dict[str, Any]:
    """
    Return the overrides with the values of environment variables left out.

    Examples
    --------
    >>> without_values({"containerOverrides": [{"name": "main", "environment": [{"name": "A", "value": "b"}]}]})
    {'containerOverrides': [{'name': 'main', 'environment': ['A']}]}
    """
    containers = [
        {key: [pair["name"] for pair in value] if key == "environment" else value for key, value in container.items()}
        for container in overrides.get("containerOverrides", [])
    ]
    return {**overrides, "containerOverrides": containers} if containers else overrides


# ---------------------------------------------------------------- secrets

_SECRET_NAME = re.compile(
    "PASSWORD|PASSWD|PWD|PASSPHRASE|SECRETS?|TOKEN|APIKEY|API_KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?|AUTH_KEY"
)
# The last word of names that speak of a secret and hold none: DB_PASSWORD_FILE, TOKEN_URL.
_ABOUT_A_SECRET = re.compile(
    "ARN|NAME|URL|URI|FILE|PATH|DIR|HOST|ENDPOINT|ISSUER|TYPE|HEADER|PREFIX|POLICY|REGION|LENGTH|COUNT|LIMIT|SIZE|AGE"
    "|MIN|MAX|TTL|TIMEOUT|EXPIRY|SECONDS|MINUTES|HOURS|DAYS|ENABLED|DISABLED|REQUIRED"
)
_HARMLESS_VALUES = ("", "true", "false", "yes", "no", "0", "1")
_SECRET_VALUE = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"  # an AWS access key
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_|\bxox[abprs]-|\bsk_live_"
    r"|\beyJ[\w-]+\.eyJ[\w-]+\."  # a JSON web token
    r"|://[^/\s:@]*:[^/\s@$][^/\s@]*@"  # a URL with a password
)


def is_secret(name: str, value: str) -> bool:
    """
    Return whether a variable looks like a secret, by its name or by its value.

    Examples
    --------
    >>> is_secret("DB_PASSWORD", "hunter2"), is_secret("KEY", "AKIAIOSFODNN7EXAMPLE")
    (True, True)
    >>> is_secret("TOKEN_URL", "https://example.com"), is_secret("MAX_TOKENS", "100")
    (False, False)
    """
    if _SECRET_VALUE.search(value):
        return True
    words = re.sub("([a-z0-9])([A-Z])", r"\1_\2", name).upper().replace("-", "_").replace(".", "_")
    named = re.search(f"(?:^|_)(?:{_SECRET_NAME.pattern})[0-9]*(?:_|$)", words) and words != "PWD"
    about = _ABOUT_A_SECRET.fullmatch(words.rpartition("_")[2])
    return bool(named) and not about and value.lower() not in _HARMLESS_VALUES


def _variable(where: str, name: str, value: str) -> Iterator[Fault]:
    if not name or "=" in name:
        yield Fault(where, repr(name), "a variable's name is not empty and has no =")
    elif is_secret(name, value):
        mend = "it looks like a secret, and anyone who may describe the task reads it; use secrets with its ARN"
        yield Fault(f"{where}.{name}", "(not shown)", mend)
