"""What a target tells ECS, written as HCL: of a rule's target and of a schedule's, which name the same things apart."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ecs_runbook.terraform import hcl

_SURE = 2**53
_ONE_VALUE = {
    "TaskDefinitionArn": "task_definition_arn",
    "TaskCount": "task_count",
    "LaunchType": "launch_type",
    "PlatformVersion": "platform_version",
    "Group": "group",
    "PropagateTags": "propagate_tags",
    "EnableECSManagedTags": "enable_ecs_managed_tags",
    "EnableExecuteCommand": "enable_execute_command",
    "ReferenceId": "reference_id",
}


@dataclass(frozen=True)
class Words:
    """
    How a resource names what differs from the other.

    Attributes
    ----------
    constraint, strategy
        Its blocks for placement.
    lacks
        What AWS keeps and the resource has no argument for, as AWS names it.
    """

    constraint: str
    strategy: str
    lacks: frozenset[str] = frozenset()


OF_SCHEDULE = Words("placement_constraints", "placement_strategy")
OF_RULE = Words("placement_constraint", "ordered_placement_strategy", frozenset({"ReferenceId"}))
"""Source: the provider's documentation of aws_scheduler_schedule and of aws_cloudwatch_event_target (verified)."""


def label_of(name: str, taken: set[str]) -> str:
    """
    Return a word of Terraform's for *name* that is not taken yet, and take it.

    Examples
    --------
    >>> taken = set()
    >>> label_of("nightly.report", taken), label_of("nightly-report", taken), label_of("7up", taken)
    ('nightly_report', 'nightly_report_2', '_7up')
    """
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    plain = plain if plain[:1].isalpha() else f"_{plain}"
    label, number = plain, 1
    while label in taken:
        number += 1
        label = f"{plain}_{number}"
    taken.add(label)
    return label


def ecs_parameters(told: Mapping[str, Any], words: Words = OF_SCHEDULE) -> Iterator[Mapping[str, Any] | hcl.Block]:
    """Yield what stands in the block of ECS for *told*, EcsParameters as AWS tells them."""
    yield {
        argument: told[name]
        for name, argument in _ONE_VALUE.items()
        if told.get(name) not in (None, "") and name not in words.lacks
    }
    if told.get("Tags"):
        both = [{str(key).lower(): value for key, value in tag.items()} for tag in told["Tags"]]
        yield {"tags": {tag["key"]: tag["value"] for tag in both}}  # EventBridge says Key, and Scheduler key
    network = (told.get("NetworkConfiguration") or {}).get("awsvpcConfiguration")
    if network:
        inside = {"subnets": network["Subnets"]}
        inside |= {"security_groups": network["SecurityGroups"]} if network.get("SecurityGroups") else {}
        yield hcl.block(
            "network_configuration", inside | {"assign_public_ip": network.get("AssignPublicIp") == "ENABLED"}
        )
    for one in told.get("CapacityProviderStrategy") or ():
        names = {"capacityProvider": "capacity_provider", "weight": "weight", "base": "base"}
        yield hcl.block("capacity_provider_strategy", {to: one[name] for name, to in names.items() if name in one})
    for one in told.get("PlacementConstraints") or ():
        yield hcl.block(words.constraint, {name: one[name] for name in ("type", "expression") if one.get(name)})
    for one in told.get("PlacementStrategy") or ():
        yield hcl.block(words.strategy, {name: one[name] for name in ("type", "field") if one.get(name)})


def json_text(text: str) -> Any:
    """Return *text* as a call of ``jsonencode`` where that gives the same JSON for certain, else as it is."""
    try:
        said = json.loads(text, object_pairs_hook=_once)
    except ValueError:
        return text
    if not unicodedata.is_normalized("NFC", json.dumps(said, ensure_ascii=False)):
        return text if text.isascii() else json.dumps(said)  # Terraform would normalise what it can read
    filled_in = "<aws.scheduler." in text  # jsonencode would write \u003c for <
    return hcl.Call("jsonencode", said) if isinstance(said, dict) and _plain(said) and not filled_in else text


def same_text(text: str) -> Any:
    r"""
    Return *text* as a call of ``jsonencode`` where that gives these very characters, else as it is.

    Notes
    -----
    Terraform's ``jsonencode`` sorts keys, leaves no space, and writes ``<``, ``>`` and ``&`` as numbers.

    Examples
    --------
    >>> same_text('{"cpu":"256"}')
    Call(function='jsonencode', argument={'cpu': '256'})
    >>> same_text('{"cpu": "256"}')
    '{"cpu": "256"}'
    """
    written = json_text(text)
    if not isinstance(written, hcl.Call):
        return text
    encoded = json.dumps(written.argument, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        encoded = encoded.replace(character, f"\\u{ord(character):04x}")
    return written if encoded == text else text


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands there twice")
    return dict(pairs)


def _plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_plain(one) for one in value.values())
    if isinstance(value, list):
        return all(_plain(one) for one in value)
    return value is None or isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < _SURE)
