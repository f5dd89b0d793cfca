"""Rules on a target itself: which revision, which launch type, which network, which overrides, which queue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ecs_runbook.lint.addresses import is_data, speaks_of, type_of
from ecs_runbook.lint.findings import Said, found, unresolved
from ecs_runbook.lint.model import Block, Reference, Unknown, Value
from ecs_runbook.lint.values import as_list, boolean, doubt, field_of, inner, joined, json_of, parts, shown
from ecs_runbook.lint.view import FARGATE, Target, View
from ecs_runbook.wanted.rules import FARGATE_SIZES

_PINNED = re.compile(r"(.*):(\d+)", re.DOTALL)
_FAMILY = ("arn_without_revision", "family")
_REFUSED_PUBLIC_IP = "Assign public IP is not supported for this launch type."


def revision(view: View) -> Iterator[Said]:
    """``pinned-revision``: the target names one revision."""
    for target in view.targets:
        value = target.get("task_definition_arn")
        path = target.at("task_definition_arn")
        family = without_revision(value)
        if family is None:
            if why := why_unknown(value):
                yield unresolved(target.block, path, "task_definition_arn", why)
            continue
        now, then = shown(value, target.module), shown(family, target.module)
        field = target.called("task_definition_arn")
        ends = f"it is {now}, which ends in a revision" if _names_another(value) else f"it ends in a revision: {now}"
        if is_ignored(target.block):
            yield found(
                "pinned-revision",
                target.block,
                path,
                f"{ends}, and ignore_changes keeps Terraform from changing it: whatever else calls PutTargets decides",
                f"Give {then} instead, and take {field} out of ignore_changes.",
                severity="note",
                diff=f"- {field} = {now}\n+ {field} = {then}",
            )
            continue
        yield found(
            "pinned-revision",
            target.block,
            path,
            f"{ends}, so that every firing runs that one, whatever is registered later",
            f"Let it name the family without a revision, {then}, and let the role's policy allow every revision of it: "
            f"{shown(joined((*parts(family), ':*')), target.module)}.",
            diff=f"- {field} = {now}\n+ {field} = {then}",
        )


def why_unknown(value: Value) -> str:
    """
    Return why it is not known whether a task definition's name ends in a revision; empty if that is known.

    Examples
    --------
    >>> why_unknown(Unknown("var.x has no default")), why_unknown("nightly")
    ('var.x has no default', '')
    """
    return doubt(value) or ("" if value is not None else "it is not given") or _elsewhere(value)


def _elsewhere(value: Value) -> str:
    """Return that a value is known only after apply, if it is an attribute of anything but a task definition."""
    if not isinstance(value, Reference):
        return ""
    is_family = value.attribute in _FAMILY or (value.attribute == "id" and not is_data(value.address))
    if is_family and type_of(value.address) == "aws_ecs_task_definition":
        return ""
    return f"{value.address}.{value.attribute} is known only after apply"


def without_revision(value: Value) -> Value | None:
    """
    Return a task definition's ARN without the revision that it ends in, None if it ends in none or that is not known.

    Examples
    --------
    >>> without_revision("arn:aws:ecs:us-east-1:111122223333:task-definition/nightly:12")
    'arn:aws:ecs:us-east-1:111122223333:task-definition/nightly'
    >>> without_revision("nightly"), without_revision(Unknown("var.x has no default"))
    (None, None)
    """
    pieces = parts(value)
    last = pieces[-1] if pieces else ""
    if isinstance(last, Reference) and last.attribute == "revision":
        before = pieces[-2] if len(pieces) > 1 else ""
        if isinstance(before, str) and before.endswith(":"):
            return joined((*pieces[:-2], before[:-1]))
    if isinstance(last, Reference) and last.attribute == "arn" and type_of(last.address) == "aws_ecs_task_definition":
        return joined((*pieces[:-1], Reference(last.address, "arn_without_revision")))
    if isinstance(last, str) and (cut := _PINNED.fullmatch(last)):
        head = cut[1]
        # an account's number follows a colon too, and then no family has been named yet
        if len(pieces) > 1 or "/" in head or ":" not in head:
            return joined((*pieces[:-1], head))
    return None


def _names_another(value: Value) -> bool:
    return not isinstance(value, str)


def is_ignored(block: Block) -> bool:
    """Return whether ``ignore_changes`` keeps Terraform from changing what a target runs."""
    for lifecycle in inner(block.values, "lifecycle"):
        names = as_list(lifecycle.get("ignore_changes")) if isinstance(lifecycle, Mapping) else []
        for name in names:
            told = re.sub(r"[\s\"]|\[\d+\]|\.\d+", "", name) if isinstance(name, str) else ""
            if told in (
                "all",
                "definition",
                "ecs_target",
                "ecs_target.task_definition_arn",
                "target",
                "target.ecs_parameters",
            ):
                return True
            if told == "target.ecs_parameters.task_definition_arn":
                return True
    return False


def launch(view: View) -> Iterator[Said]:
    """``launch-type-…`` and ``platform-version-on-ec2``: what the task is launched on."""
    for target in view.targets:
        kind, providers = target.get("launch_type"), target.providers
        for value, name in ((kind, "launch_type"), (providers, "capacity_provider_strategy")):
            if why := doubt(value):
                yield unresolved(target.block, target.at(name), name, why)
        if isinstance(kind, str) and isinstance(providers, list) and providers:
            yield found(
                "launch-type-and-strategy",
                target.block,
                target.at("launch_type"),
                f'launch_type is "{kind}", and capacity_provider_strategy names {", ".join(providers)}',
                "Keep one of the two: they exclude each other.",
                diff=f'- launch_type = "{kind}"',
            )
            continue
        yield from _public_ip(view, target)
        yield from _platform(target)


def _public_ip(view: View, target: Target) -> Iterator[Said]:
    public = boolean(field_of(target.network, "assign_public_ip")) if target.network is not None else False
    where = target.at("network_configuration", 0, "assign_public_ip")
    if public is None:
        why = doubt(target.network) or "it is known only after apply"
        yield unresolved(target.block, where, "assign_public_ip", why)
    on = target.on_fargate
    kind, providers = target.get("launch_type"), target.providers
    if isinstance(kind, (Unknown, Reference)) or isinstance(providers, Unknown) or on:
        return
    if kind is None and not providers:
        if cluster_has_a_strategy(view, target) is True:
            return
        if not public:
            yield _left_out(target)
            return
        yield found(
            "launch-type-public-ip",
            target.block,
            where,
            "assign_public_ip is true, and neither launch_type nor capacity_provider_strategy is given: unless the "
            "cluster has a default strategy of Fargate, the task is launched on EC2, and ECS refuses: "
            f"{_REFUSED_PUBLIC_IP}",
            'Set launch_type = "FARGATE".',
            diff='+ launch_type = "FARGATE"',
            severity="warning",
        )
        return
    if public:
        what = f'launch_type is "{kind}"' if kind else f"capacity_provider_strategy names {', '.join(providers)}"
        if kind is None and not set(providers).isdisjoint(FARGATE):
            return
        field = target.called("launch_type")
        change = f'- {field} = "{kind}"\n+ {field} = "FARGATE"' if kind else ""
        yield found(
            "launch-type-public-ip",
            target.block,
            where,
            f"assign_public_ip is true, and {what}: ECS refuses every firing with: {_REFUSED_PUBLIC_IP}",
            'Set launch_type = "FARGATE", or assign_public_ip = false.' if kind else "Set assign_public_ip = false.",
            diff=change or "- assign_public_ip = true\n+ assign_public_ip = false",
        )


def _left_out(target: Target) -> Said:
    return found(
        "launch-type-left-out",
        target.block,
        target.path,
        "neither launch_type nor capacity_provider_strategy is given, so the cluster decides; without a default "
        "strategy that is EC2, and ECS refuses on a cluster without instances: No Container Instances were found in "
        "your cluster.",
        'Say it: launch_type = "FARGATE", or "EC2" if that is meant.',
        diff='+ launch_type = "FARGATE"',
    )


def cluster_has_a_strategy(view: View, target: Target) -> bool | None:
    """Return whether the target's cluster has a default strategy here; None if the cluster is not in sight."""
    cluster = target.cluster.address if isinstance(target.cluster, Reference) else ""
    for block in view.of("aws_ecs_cluster_capacity_providers"):
        named = block.values.get("cluster_name")
        same = isinstance(named, Reference) and speaks_of(named.address, cluster) is not False
        same = same or (
            isinstance(named, str) and isinstance(target.cluster, str) and target.cluster.endswith(f"/{named}")
        )
        if same and inner(block.values, "default_capacity_provider_strategy"):
            return True
    return None


def _platform(target: Target) -> Iterator[Said]:
    version, kind = target.get("platform_version"), target.get("launch_type")
    if isinstance(version, str) and kind in ("EC2", "EXTERNAL"):
        yield found(
            "platform-version-on-ec2",
            target.block,
            target.at("platform_version"),
            f'platform_version is "{version}", and launch_type is "{kind}"; only Fargate has platform versions',
            'Leave it out, or set launch_type = "FARGATE".',
            diff=f'- platform_version = "{version}"',
        )


def network(view: View) -> Iterator[Said]:
    """``no-network-configuration``: a task with a network of its own, and no subnets."""
    for target in view.targets:
        told = target.network
        subnets = field_of(told, "subnets") if told is not None else None
        if told is not None and subnets != []:
            if isinstance(told, Unknown):
                yield unresolved(target.block, target.at("network_configuration"), "network_configuration", doubt(told))
            continue  # subnets that are not known are some
        modes = {
            one.values.get("network_mode") for one in view.definitions(target) if not _doubtful(one, "network_mode")
        }
        if target.on_fargate:
            why = "it runs on Fargate, where a task has a network of its own"
        elif modes == {"awsvpc"}:
            why = 'its task definition has network_mode = "awsvpc"'
        else:
            continue
        yield found(
            "no-network-configuration",
            target.block,
            target.at("network_configuration"),
            f"{why}, and the target names no subnets; ECS refuses every firing: Network Configuration must be provided "
            "when networkMode 'awsvpc' is specified.",
            "Add a network_configuration with the subnets and security groups of the task.",
            diff="+ network_configuration {\n+   subnets         = [\u2026]\n+   security_groups = [\u2026]\n+ }",
        )


def _doubtful(block: Block, name: str) -> bool:
    return not isinstance(block.values.get(name), (str, type(None)))


def overrides(view: View) -> Iterator[Said]:
    """``override-container``: the input names a container that the definition does not have."""
    for target in view.targets:
        if target.input is None:
            continue
        told = json_of(target.input)
        if isinstance(told, Unknown):
            yield unresolved(target.block, target.input_path, "input", told.because)
            continue
        names = _overridden(told)
        if why := doubt([name for _, name in names]):
            yield unresolved(target.block, target.input_path, "which containers its input overrides", why)
        for definition in view.definitions(target) if names else ():
            there = containers(definition)
            if isinstance(there, Unknown):
                what = f"the containers of {definition.address}"
                yield unresolved(target.block, target.input_path, what, there.because)
                break
            for path, name in names:
                if isinstance(name, str) and name not in there:
                    yield found(
                        "override-container",
                        target.block,
                        (*target.input_path, *path),
                        f'its input overrides the container "{name}", and {definition.address} has {_listed(there)}',
                        "Name a container that the task definition has.",
                        diff=f'- name = "{name}"\n+ name = "{there[0]}"' if len(there) == 1 else "",
                    )


def _overridden(told: Value) -> list[tuple[tuple[str | int, ...], Value]]:
    """Return the containers that an input overrides: where each is named, and its name."""
    key = next((key for key in ("containerOverrides", "ContainerOverrides") if told and key in told), "")
    asked = as_list(told[key]) if key else []
    names: list[tuple[tuple[str | int, ...], Value]] = []
    for at, one in enumerate(asked):
        name = next((name for name in ("name", "Name") if isinstance(one, Mapping) and name in one), "")
        names.append(((key, at, name), one[name]) if name else ((key, at), one if isinstance(one, Unknown) else None))
    return names


def containers(definition: Block) -> list[str] | Unknown:
    """Return the names of a definition's containers; Unknown if not every one is known."""
    if definition.mode == "data":
        return Unknown("a data source does not say which containers it has")
    told = json_of(definition.values.get("container_definitions"))
    if isinstance(told, Unknown):
        return told
    names: list[str] = []
    for one in as_list(told):
        name = one.get("name") if isinstance(one, Mapping) else one
        if not isinstance(name, str) or not isinstance(one, Mapping):
            return Unknown(doubt(name) or "a container's name is known only after apply")
        names.append(name)
    return names or Unknown("it has no containers")


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def definitions(view: View) -> Iterator[Said]:
    """``definition-not-fargate`` and ``fargate-cpu-memory``: what Fargate asks of a definition."""
    for target in view.targets:
        if target.on_fargate:
            for definition in view.definitions(target):
                if definition.mode == "managed":
                    yield from _fit_for_fargate(definition)
    for definition in view.of("aws_ecs_task_definition"):
        if "FARGATE" in as_list(definition.values.get("requires_compatibilities")):
            yield from _size(definition)


def _fit_for_fargate(definition: Block) -> Iterator[Said]:
    values = definition.values
    mode, needs = values.get("network_mode"), as_list(values.get("requires_compatibilities"))
    lacks = []
    if (mode is None or isinstance(mode, str)) and mode != "awsvpc":
        lacks.append(
            (
                "network_mode",
                f"network_mode is {shown(mode)}, not awsvpc",
                f'- network_mode = {shown(mode)}\n+ network_mode = "awsvpc"',
            )
        )
    if needs and all(isinstance(one, str) for one in needs) and "FARGATE" not in needs:
        now = shown(needs)
        lacks.append(
            (
                "requires_compatibilities",
                f"requires_compatibilities is {now}",
                f'- requires_compatibilities = {now}\n+ requires_compatibilities = ["FARGATE"]',
            )
        )
    lacks += [(name, f"{name} is not given", f"+ {name} = …") for name in ("cpu", "memory") if values.get(name) is None]
    for name, because, diff in lacks:
        yield found(
            "definition-not-fargate",
            definition,
            (name,),
            f"a target runs it on Fargate, and its {because}",
            "Fargate needs network_mode awsvpc, cpu and memory of the task, FARGATE among requires_compatibilities.",
            diff=diff.removeprefix("- network_mode = null\n"),
        )
    if not needs:
        yield from _size(definition)


def _size(definition: Block) -> Iterator[Said]:
    cpu = _number(definition.values.get("cpu"), "vcpu")
    memory = _number(definition.values.get("memory"), "gb")
    if cpu is None or memory is None or cpu > max(FARGATE_SIZES):  # larger sizes than are listed may have come since
        return
    if cpu not in FARGATE_SIZES:
        units = ", ".join(map(str, FARGATE_SIZES))
        because = f"cpu is {cpu}, and Fargate has {units}"
        yield found("fargate-cpu-memory", definition, ("cpu",), because, "Take one of these; 1024 are one vCPU.")
    elif memory not in FARGATE_SIZES[cpu]:
        sizes = FARGATE_SIZES[cpu]
        choice = (
            ", ".join(map(str, sizes))
            if len(sizes) <= 4
            else f"{sizes[0]} to {sizes[-1]} in steps of {sizes[1] - sizes[0]}"
        )
        nearest = min(sizes, key=lambda size: (size < memory, abs(size - memory)))
        yield found(
            "fargate-cpu-memory",
            definition,
            ("memory",),
            f"cpu is {cpu} and memory {memory}; with that cpu Fargate has {choice} MiB",
            f"Take {nearest}, or another cpu.",
            diff=f"- memory = {memory}\n+ memory = {nearest}",
        )


def _number(value: Value, unit: str) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*", str(value).lower())
    if not found or found[2] not in ("", unit):
        return None
    return round(float(found[1]) * (1024 if found[2] else 1))


def dead_letters(view: View) -> Iterator[Said]:
    """``no-dead-letter-queue``: what could not be fired leaves no trace."""
    # a state has none of its own: the schedule that starts its machine may have one
    blocks = [one.block for one in view.targets if not one.is_state] + [one.block for one in view.starters]
    for block in {id(one): one for one in blocks}.values():
        is_schedule = block.type == "aws_scheduler_schedule"
        where = inner(block.values, "target") if is_schedule else [block.values]
        queues = [queue for one in where if isinstance(one, Mapping) for queue in inner(one, "dead_letter_config")]
        if queues or any(isinstance(one, Unknown) for one in where):
            continue
        yield found(
            "no-dead-letter-queue",
            block,
            (),
            "it has no dead_letter_config, so a firing that is refused leaves its error in CloudTrail alone",
            "Add a dead_letter_config with an SQS queue whose policy lets "
            + ("the schedule's role" if is_schedule else "events.amazonaws.com")
            + " send to it.",
            diff="+ dead_letter_config {\n+   arn = aws_sqs_queue.\u2026.arn\n+ }",
        )


def arns(view: View) -> Iterator[Said]:
    """``task-definition-no-arn``, ``empty-arn``: a family, or nothing, where the provider or AWS takes an ARN alone."""
    for target in view.targets:
        if target.is_request:
            continue
        yield from _empty(target)
        value = target.get("task_definition_arn")
        if value is None or without_revision(value) is not None:
            continue
        first = parts(value)[0]
        if isinstance(first, Reference):
            kind = "" if is_data(first.address) else type_of(first.address)
            is_arn = (kind, first.attribute) != ("aws_ecs_task_definition", "family")
        else:
            is_arn = not isinstance(first, str) or first.startswith("arn:") or "arn:".startswith(first)
        if not is_arn:
            yield found(
                "task-definition-no-arn",
                target.block,
                target.at("task_definition_arn"),
                f"it is {shown(value, target.module)}, which is no ARN: the provider takes nothing else",
                "Name the family by its ARN without a revision: aws_ecs_task_definition.\u2026.arn_without_revision.",
            )


def _empty(target: Target) -> Iterator[Said]:
    around, holder = target.role_path[:-1], _holder(target)
    for name, values, path, what in (
        ("task_definition_arn", target.ecs, target.at("task_definition_arn"), "a family"),
        ("role_arn", holder, target.role_path, "the role that runs the task"),
        ("arn", holder, (*around, "arn"), "a cluster"),
    ):
        if values.get(name) == "":
            because = f'{name} is "", which is no ARN of {what}: the plan passes it, and AWS takes no such target'
            mend = f"Name {what} by its ARN; where a variable gives it, let that have no empty default."
            yield found("empty-arn", target.block, path, because, mend)


def _holder(target: Target) -> Mapping[str, Value]:
    """Return what holds the role and the cluster of a target."""
    held: Value = target.block.values
    if target.is_schedule:
        held = next((one for at, one in enumerate(inner(held, "target")) if at == target.role_path[1]), None)
    return held if isinstance(held, Mapping) else {}


def active_revision(view: View) -> Iterator[Said]:
    """``no-active-revision-window``: a replacement that destroys first leaves the family without an ACTIVE revision."""
    seen: set[int] = set()
    for target in view.targets:
        value = target.get("task_definition_arn")
        if value is None or doubt(value) or without_revision(value) is not None:
            continue
        for definition in view.definitions(target):
            if definition.mode == "data" or id(definition) in seen:
                continue
            seen.add(id(definition))
            yield from _window(definition)


def _window(definition: Block) -> Iterator[Said]:
    keeps = definition.values.get("skip_destroy")
    lifecycle = inner(definition.values, "lifecycle")
    first = [field_of(one, "create_before_destroy") for one in lifecycle]
    if keeps in (True, "true") or any(one in (True, "true") for one in first):
        return
    if why := doubt(keeps) or doubt(first):
        yield unresolved(definition, ("lifecycle",), "the order of a replacement", why)
        return
    yield found(
        "no-active-revision-window",
        definition,
        (),
        "a target names its family without a revision, and a change deregisters it before the next one is there",
        "Keep old revisions, which also gives something to go back to, or create before destroying.",
        diff="+ skip_destroy = true\n+\n+ lifecycle {\n+   create_before_destroy = true\n+ }",
    )
