"""
What a rule's target hands to the task, as a schedule's Input.

A rule may take it from its event: by a path, or by a template. A schedule has no event; all of a scheduled event is
known beforehand but its id and its time, and Scheduler has words for these: its context attributes.

Source: AWS docs, EventBridge, "Transforming Amazon EventBridge target input" (templates, reserved variables) and
"Creating a rule that runs on a schedule" (the event); EventBridge Scheduler, "Adding context attributes" (verified).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Fate = Literal["same", "changed", "stays", "left out"]
"""What becomes of a field: carried as it is, carried otherwise, kept by the rule, or lost."""
TIME, ID = "<aws.scheduler.scheduled-time>", "<aws.scheduler.execution-id>"
_PATH = re.compile(r"\$(?:\.[A-Za-z_][\w-]*|\[\d+\])*", re.ASCII)
_VARIABLE = re.compile(r"<([\w.-]+)>", re.ASCII)
_WHOLE_EVENT = frozenset({"aws.events.event", "aws.events.event.json"})


@dataclass(frozen=True)
class Handed:
    """
    A schedule's Input.

    Attributes
    ----------
    text
        For ``Target.Input``; ``""`` for none.
    fate
        Whether it says the same as the rule's.
    because
        Why it does not, or what is not verified.
    """

    text: str
    fate: Fate = "same"
    because: str = ""


def handed(target: Mapping[str, Any], rule: str) -> Handed:
    """
    Return what a schedule hands to the task in place of a rule's target.

    Parameters
    ----------
    target
        As ListTargetsByRule tells it.
    rule
        The rule's ARN.

    Examples
    --------
    >>> arn = "arn:aws:events:eu-west-2:111122223333:rule/nightly"
    >>> handed({"Input": '{"cpu": "256"}'}, arn)
    Handed(text='{"cpu": "256"}', fate='same', because='')
    >>> template = {"InputPathsMap": {"at": "$.time"}, "InputTemplate": '{"containerOverrides": [{"name": <at>}]}'}
    >>> handed({"InputTransformer": template}, arn).text
    '{"containerOverrides": [{"name": "<aws.scheduler.scheduled-time>"}]}'
    """
    if target.get("Input"):
        return _constant(str(target["Input"]))
    if target.get("InputTransformer"):
        return _transformed(target["InputTransformer"], _event(rule))
    if target.get("InputPath"):
        return _picked(str(target["InputPath"]), _event(rule))
    return Handed("")


def _event(rule: str) -> dict[str, Any]:
    """Return the event of a scheduled rule, with Scheduler's words for what is another each time."""
    _, _, _, region, account, _ = rule.split(":", 5)
    return {
        "version": "0",
        "id": ID,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": TIME,
        "region": region,
        "resources": [rule],
        "detail": {},
    }


def _constant(text: str) -> Handed:
    if "<aws.scheduler." in text:
        why = "Scheduler puts values in place of <aws.scheduler.…>, which the rule hands on as it is written"
        return Handed(text, "changed", why)
    return Handed(text)


def _picked(path: str, event: Mapping[str, Any]) -> Handed:
    found = _at(path, event)
    if found == {}:
        return Handed("")
    if path == "$":
        why = "the whole event has no member of a TaskOverride, so it overrides nothing (inferred)"
        return Handed("", "changed", why)
    return Handed("", "left out", f"InputPath {path} takes a part of the event that is no TaskOverride")


def _transformed(transformer: Mapping[str, Any], event: Mapping[str, Any]) -> Handed:
    template, paths = str(transformer.get("InputTemplate", "")), transformer.get("InputPathsMap") or {}
    rule = str(event["resources"][0])
    values: dict[str, Any] = {
        "aws.events.rule-arn": rule,
        "aws.events.rule-name": rule.rsplit("/", 1)[-1],
        "aws.events.event.ingestion-time": TIME,
    }
    lost = []
    for name, path in paths.items():
        if not _PATH.fullmatch(str(path)) or path == "$":
            lost.append(f"{path} (<{name}>)")
        else:
            values[str(name)] = _at(str(path), event)
    used = dict.fromkeys(_VARIABLE.findall(template))
    lost = [one for one in lost if any(f"(<{name}>)" in one for name in used)]
    lost += [f"<{name}>" for name in used if name in _WHOLE_EVENT or (name not in values and name not in paths)]
    if lost:
        return Handed(
            "", "left out", f"no schedule can say what InputTransformer takes from the event: {', '.join(lost)}"
        )
    text = _VARIABLE.sub(lambda at: _filled(values[at[1]], quoted=_in_quotes(template, at.start())), template)
    try:
        whole = json.loads(text)
    except ValueError as error:
        return Handed("", "left out", f"InputTransformer's template gives no JSON: {error}")
    if not isinstance(whole, Mapping):
        return Handed("", "left out", "InputTransformer's template gives no JSON object, so no TaskOverride")
    return Handed(text, "changed", _what_changed(text)) if used else Handed(text)


def _filled(value: Any, *, quoted: bool) -> str:
    whole = json.dumps(value)
    return (value if isinstance(value, str) else whole) if quoted else whole


def _in_quotes(template: str, at: int) -> bool:
    return len(re.findall(r'(?<!\\)"', template[:at])) % 2 == 1


def _what_changed(text: str) -> str:
    said = ["what the template takes from the event stands there as it is each time"]
    said += ["its time is Scheduler's scheduled time"] if TIME in text else []
    said += ["its id is that of Scheduler's execution"] if ID in text else []
    return "; ".join(said)


def _at(path: str, event: Mapping[str, Any]) -> Any:
    """Return what stands at a path of names and indexes; None if it leads nowhere."""
    found: Any = event
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        try:
            found = found[name] if name else found[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    return found
