"""Field by field: what a firing of the rule asks for, beside what the plan's schedules will ask for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ecs_runbook.evidence.runs import hidden

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.moving.move import Job, Move

SAME_COLUMNS = ["schedule", "field", "rule", "plan", "same"]
_ABSENT: Mapping[str, Any] = {
    "count": 1,
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
    "assignPublicIp": "DISABLED",
    "maximumRetryAttempts": 185,
    "maximumEventAgeInSeconds": 86400,
}
"""What AWS takes where nothing is said. Source: botocore events and scheduler EcsParameters, RetryPolicy (verified);
that a target gives no public IP address unless it says ENABLED: the provider's documentation."""


def same_runs(move: Move, plan: Mapping[str, Any]) -> pd.DataFrame:
    """
    Compare what the rule's targets ask for with what the planned schedules will ask for.

    Parameters
    ----------
    move
        From :func:`~ecs_runbook.moving.move.move_to_scheduler`.
    plan
        As ``terraform show -json`` tells it.

    Returns
    -------
    pandas.DataFrame
        One row a schedule and field that either side has, columns :data:`SAME_COLUMNS`; what differs first. No value of
        an environment is shown, and all are compared.
    """
    import pandas as pd

    rows = [row for job in move.jobs for row in _rows(job, _planned(plan, job.name))]
    table = pd.DataFrame(rows, columns=SAME_COLUMNS).astype({"same": bool})
    return table.sort_values("same", kind="stable").reset_index(drop=True)


def _rows(job: Job, planned: Mapping[str, Any] | None) -> Iterator[tuple[str, str, str, str, bool]]:
    if planned is None:
        yield job.name, "schedule", job.name, "not in the plan", False
        return
    ours, theirs = _of_rule(job), _of_plan(planned)
    for name in dict.fromkeys([*ours, *theirs]):
        mine, other = ours.get(name, _ABSENT.get(name)), theirs.get(name, _ABSENT.get(name))
        if mine in (None, "", [], {}) and other in (None, "", [], {}):
            continue
        yield job.name, name, _shown(mine), _shown(other), mine == other


def _shown(value: Any) -> str:
    told = hidden(value)
    text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False, sort_keys=True)
    return text if len(text) < 300 else text[:300] + "…"


def _planned(plan: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    resources = plan.get("planned_values", {}).get("root_module", {}).get("resources", [])
    for one in resources:
        if one["type"] == "aws_scheduler_schedule" and one["values"].get("name") == name:
            found: Mapping[str, Any] = one["values"]
            return found
    return None


def _of_rule(job: Job) -> dict[str, Any]:
    """Return what the rule's target asks for, by RunTask's names; its input as it is handed on."""
    target = job.target
    told = target["EcsParameters"]
    network = (told.get("NetworkConfiguration") or {}).get("awsvpcConfiguration") or {}
    retry = target.get("RetryPolicy") or {}
    return {
        "cluster": target["Arn"],
        "taskDefinition": job.parameters["TaskDefinitionArn"],
        "count": told.get("TaskCount") or 1,
        "launchType": told.get("LaunchType"),
        "platformVersion": told.get("PlatformVersion"),
        "group": told.get("Group"),
        "propagateTags": told.get("PropagateTags"),
        "enableECSManagedTags": bool(told.get("EnableECSManagedTags")),
        "enableExecuteCommand": bool(told.get("EnableExecuteCommand")),
        "referenceId": told.get("ReferenceId"),
        "tags": {tag["Key"]: tag["Value"] for tag in told.get("Tags") or ()},
        "subnets": sorted(network.get("Subnets") or ()),
        "securityGroups": sorted(network.get("SecurityGroups") or ()),
        "assignPublicIp": network.get("AssignPublicIp") or "DISABLED",
        "capacityProviderStrategy": _strategy(told.get("CapacityProviderStrategy") or (), "capacityProvider"),
        "placementConstraints": _pairs(told.get("PlacementConstraints") or (), "expression"),
        "placementStrategy": _pairs(told.get("PlacementStrategy") or (), "field"),
        "overrides": _json(job.text),
        "deadLetterQueue": job.queue,
        "maximumRetryAttempts": retry.get("MaximumRetryAttempts", 185),
        "maximumEventAgeInSeconds": retry.get("MaximumEventAgeInSeconds", 86400),
    }


def _of_plan(values: Mapping[str, Any]) -> dict[str, Any]:
    target = _only(values.get("target"))
    told = _only(target.get("ecs_parameters"))
    network = _only(told.get("network_configuration"))
    retry = _only(target.get("retry_policy"))
    return {
        "cluster": target.get("arn"),
        "taskDefinition": told.get("task_definition_arn"),
        "count": told.get("task_count") or 1,
        "launchType": told.get("launch_type"),
        "platformVersion": told.get("platform_version"),
        "group": told.get("group"),
        "propagateTags": told.get("propagate_tags"),
        "enableECSManagedTags": bool(told.get("enable_ecs_managed_tags")),
        "enableExecuteCommand": bool(told.get("enable_execute_command")),
        "referenceId": told.get("reference_id"),
        "tags": dict(told.get("tags") or {}),
        "subnets": sorted(network.get("subnets") or ()),
        "securityGroups": sorted(network.get("security_groups") or ()),
        "assignPublicIp": "ENABLED" if network.get("assign_public_ip") else "DISABLED",
        "capacityProviderStrategy": _strategy(told.get("capacity_provider_strategy") or (), "capacity_provider"),
        "placementConstraints": _pairs(told.get("placement_constraints") or (), "expression"),
        "placementStrategy": _pairs(told.get("placement_strategy") or (), "field"),
        "overrides": _json(target.get("input")),
        "deadLetterQueue": _only(target.get("dead_letter_config")).get("arn"),
        "maximumRetryAttempts": retry.get("maximum_retry_attempts", 185),
        "maximumEventAgeInSeconds": retry.get("maximum_event_age_in_seconds", 86400),
    }


def _only(blocks: Any) -> Mapping[str, Any]:
    return blocks[0] if blocks else {}


def _strategy(told: Sequence[Mapping[str, Any]], name: str) -> list[list[Any]]:
    return sorted([str(one[name]), one.get("weight") or 0, one.get("base") or 0] for one in told)


def _pairs(told: Sequence[Mapping[str, Any]], second: str) -> list[list[str]]:
    return sorted([str(one.get("type") or ""), str(one.get(second) or "")] for one in told)


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
