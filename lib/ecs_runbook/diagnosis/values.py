"""The reader's own values, fit for a sentence and for Terraform; what is not shaped as it should be is not used."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from ecs_runbook.diagnosis.catalogue import DERIVED, FACTS, PLACEHOLDER
from ecs_runbook.diagnosis.policies import Facts, policy_says
from ecs_runbook.firing.names import definition, short

_ARN = r"arn:[a-z-]{2,20}"
_NAME = r"[\w.-]{1,255}"
_SHAPES: dict[str, str] = {
    "account": r"\d{12}",
    "action": r"[\w-]{1,40}:[\w*]{1,80}",
    "cluster": rf"(?:{_ARN}:ecs:[\w-]{{1,30}}:\d{{12}}:cluster/)?{_NAME}",
    "container": _NAME,
    "denying_policy": rf"{_ARN}:(?:iam|organizations)::[\w:/+=,.@-]{{1,600}}",
    "exit_code": r"-?\d{1,10}",
    "expression": r"[\w(?*/#, .:-]{1,256}\)",
    "family": r"[\w-]{1,255}",
    "image": r"[\w./:@-]{1,512}",
    "machine": r"[\w-]{1,80}",
    "platform_version": r"[\w.]{1,32}",
    "region": r"[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}",
    "resource": r"[\w:/.*+=,@-]{1,1024}",
    "revision": r"\d{1,10}",
    "role": rf"{_ARN}:iam::[\w*]{{0,12}}:role/[\w+=,.@/-]{{1,576}}|[\w+=,.@-]{{1,64}}",
    "rule": r"[\w.-]{1,64}",
    "schedule": r"[\w./-]{1,129}",
    "security_group": r"sg-[\w-]{1,40}",
    "service": r"(?:events|scheduler)\.amazonaws\.com",
    "subnet": r"subnet-[\w-]{1,40}",
    "task": r"[\w:/.-]{1,300}",
    "task_definition": r"[\w:/.-]{1,400}",
}
_PATTERNS = {name: re.compile(shape, re.ASCII) for name, shape in _SHAPES.items()}
_MANY = {"subnets": "subnet", "security_groups": "security_group"}
_LONGEST = 300


def clean(text: str, longest: int = _LONGEST) -> str:
    r"""
    Return *text* on one line, without control characters, cut where it is long.

    Examples
    --------
    >>> clean("red \x1b[31malert\n+ evil"), clean("a" * 10, 5)
    ('red [31malert + evil', 'aaaaa… (10 characters)')
    """
    short_ = text[: longest + 1]
    line = "".join(one if one.isprintable() or one == " " else " " * one.isspace() for one in short_)
    line = "".join(one for one in line if unicodedata.category(one) not in ("Cf", "Cs"))
    return f"{line[:longest]}… ({len(text)} characters)" if len(text) > longest else line


def with_known(facts: Facts, known: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    """
    Return *facts* with what the reader knows besides.

    Parameters
    ----------
    facts
        Of a sighting.
    known
        Facts by name, which come first; ``target``, a target as EventBridge or Scheduler describes it, and ``policy``,
        the policies of the role, see :func:`~ecs_runbook.diagnosis.policies.policy_says`: what these say fills gaps
        only, as they say what is so now.
    """
    own = {name: value for name, value in known.items() if name in FACTS and _is_told(value)}
    whole = {**of_target(known.get("target"), facts), **facts, **own}
    if says := policy_says(known.get("policy"), whole):
        whole["policy_says"] = says
    return whole


def _is_told(value: object) -> bool:
    return bool(value) and (
        isinstance(value, str) or (isinstance(value, tuple) and all(isinstance(one, str) for one in value))
    )


def of_target(target: object, facts: Facts) -> dict[str, str | tuple[str, ...]]:
    """
    Return what *target* tells that *facts* do not.

    Of a definition all or nothing, as its parts belong together. Its role only where nothing says who called: a task's
    secrets are fetched by another role, and a person has none.

    Examples
    --------
    >>> target = {"RoleArn": "arn:aws:iam::111122223333:role/r", "EcsParameters": {"TaskDefinitionArn": "nightly:3"}}
    >>> sorted(of_target(target, {})), sorted(of_target(target, {"family": "nightly", "caller": "ann"}))
    (['family', 'revision', 'role', 'task_definition'], [])
    """
    if not isinstance(target, Mapping):
        return {}
    asked = _mapping(target.get("EcsParameters"))
    networks = _mapping(asked.get("NetworkConfiguration"))
    inner = _mapping(networks.get("awsvpcConfiguration") or networks.get("AwsvpcConfiguration"))
    found: dict[str, Any] = {
        "cluster": target.get("Arn"),
        "launch_type": asked.get("LaunchType"),
        "subnets": _tuple(inner.get("Subnets")),
        "security_groups": _tuple(inner.get("SecurityGroups")),
        "assign_public_ip": inner.get("AssignPublicIp"),
    }
    if not facts.keys() & {"caller", "task", "stopped_reason", "ended"}:
        found["role"] = target.get("RoleArn")
    named = asked.get("TaskDefinitionArn")
    if isinstance(named, str) and named and not facts.keys() & {"task_definition", "family", "revision"}:
        family, revision = definition(named)
        found |= {"task_definition": named, "family": family, "revision": "" if revision is None else str(revision)}
    return {name: value for name, value in found.items() if _is_told(value) and not facts.get(name)}


def _several(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _tuple(value: object) -> tuple[str, ...]:
    return tuple(one for one in _several(value) if isinstance(one, str) and one)


# -------- into the text


def for_text(facts: Facts) -> dict[str, str]:
    r"""
    Return the values that may stand in a text or a diff: shaped as AWS's own are, and so harmless in HCL.

    Examples
    --------
    >>> for_text({"role": "arn:aws:iam::111122223333:role/nightly", "rule": 'x"\n+evil'})["role"]
    'nightly'
    >>> "rule" in for_text({"rule": 'x"\n+evil'})
    False
    """
    fit = {name: value for name, told in facts.items() if (value := _fit(name, told))}
    values = dict(fit)
    for name in ("role", "cluster", "task"):
        if name in fit:
            values[name] = short(fit[name])
    return values | _derived(fit)


def for_diff(values: Mapping[str, str]) -> dict[str, str]:
    """Return those of *values* that have a shape of their own: nothing else may stand in Terraform."""
    return {name: value for name, value in values.items() if _MANY.get(name, name) in _PATTERNS or name in DERIVED}


def _fit(name: str, told: str | tuple[str, ...]) -> str:
    one = _MANY.get(name, name)
    pattern = _PATTERNS.get(one)
    parts = told if isinstance(told, tuple) else (told,)
    if pattern is not None:
        return ", ".join(parts) if parts and all(pattern.fullmatch(part) for part in parts) else ""
    # anything else stands in sentences alone, in words that can do nothing
    return re.sub(r'["`{}$%\\]', "'", clean(", ".join(parts)))


def _derived(fit: Mapping[str, str]) -> dict[str, str]:
    schedule = "schedule" in fit and "rule" not in fit
    scheduler = schedule or fit.get("service") == "scheduler.amazonaws.com"
    made = {
        "block": "ecs_parameters" if scheduler else "ecs_target",
        "trust": "scheduler.amazonaws.com" if scheduler else "events.amazonaws.com",
    }
    if schedule:
        made |= {"owner": f"schedule {fit['schedule']}", "target": f"the aws_scheduler_schedule {fit['schedule']}"}
    elif "rule" in fit:
        made |= {"owner": f"rule {fit['rule']}", "target": f"the aws_cloudwatch_event_target of rule {fit['rule']}"}
    elif scheduler:
        made |= {"owner": "the schedule", "target": "the aws_scheduler_schedule"}
    if "machine" in fit and fit.get("call") != "StartExecution":
        made["target"] = f"the state machine {fit['machine']}"
        made["again"] = (
            f"Step Functions makes an error of it, and the Retry of {fit['machine']} says whether it is tried again"
        )
    if fit.get("cluster", "").startswith("arn:"):
        made["cluster_arn"] = fit["cluster"]
    if ":role/" in fit.get("resource", ""):
        made["passed_role"] = fit["resource"]
    if ":task-definition/" in fit.get("resource", ""):
        made["task_resource"] = f"{fit['resource'].partition(':task-definition/')[0]}:task-definition/"
    if "subnets" in fit:
        made["subnet_list"] = ", ".join(f'"{one}"' for one in fit["subnets"].split(", "))
    return made


def fill(text: str, values: Mapping[str, str]) -> str:
    """
    Put values into a text of the catalogue; where one is not known, its words stand.

    Examples
    --------
    >>> fill("The role {role|of the target} may not.", {"role": "nightly"}), fill("The role {role|of the target}.", {})
    ('The role nightly may not.', 'The role of the target.')
    """
    return PLACEHOLDER.sub(lambda found: values.get(found[1]) or found[2], text)
