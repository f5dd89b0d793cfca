"""
IAM's own simulator, SimulatePrincipalPolicy, which moto lacks: by the evaluator that judges calls here.

Source of all that follows: botocore iam SimulatePrincipalPolicy and EvaluationResult (verified). Since botocore's
newest words an action has one result, with the most restrictive decision, and each resource its own within it; before,
each resource had a result to itself. Not verified: which missing context keys are told (here: those of the statements
that name the action and the resource), and whether the simulator fills in keys about the principal (here: none).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from moto.iam.exceptions import InvalidInput, NoSuchEntity
from moto.iam.responses import IamResponse

from ecs_runbook.local_aws.permissions import Held, held_by
from ecs_runbook.local_aws.policy import Context, Decision, Policy, decide, keys_asked
from ecs_runbook.local_aws.world import World, current_call

PAGE = 100
_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
_DECISIONS = {"allowed": "allowed", "implicit deny": "implicitDeny", "explicit deny": "explicitDeny"}
_STRICTNESS = ("allowed", "implicitDeny", "explicitDeny")
_TEMPLATES = {
    "ecs:RunTask": "arn:${Partition}:ecs:${Region}:${Account}:task-definition/${TaskDefinitionFamilyName}:"
    "${TaskDefinitionRevisionNumber}",
    "iam:PassRole": "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}",
}


def simulated(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """
    Return the results of a simulation, one an action.

    Parameters
    ----------
    params
        Of SimulatePrincipalPolicy.

    Raises
    ------
    NoSuchEntity
        If there is no such user, group or role.
    InvalidInput
        If an action does not name its service.
    """
    source = str(params.get("PolicySourceArn", ""))
    held = held_by(source)
    if held is None:
        raise NoSuchEntity(f"The entity {source} cannot be found.")
    actions = [str(action) for action in params.get("ActionNames") or []]
    if wrong := next((action for action in actions if ":" not in action), ""):
        raise InvalidInput(f"Invalid action name: {wrong}")
    given = _with_input(held, params)
    context, resources = _context(params), [str(one) for one in params.get("ResourceArns") or ["*"]]
    return [_result(action, resources, given, context) for action in actions]


def _with_input(held: Held, params: Mapping[str, Any]) -> Held:
    further = tuple(
        Policy(f"PolicyInputList.{n}", text) for n, text in enumerate(params.get("PolicyInputList") or [], 1)
    )
    boundary = params.get("PermissionsBoundaryPolicyInputList")
    instead = tuple(Policy("PermissionsBoundaryPolicyInputList.1", text) for text in boundary) if boundary else None
    return Held((*held.identity, *further), instead or held.boundary)


def _context(params: Mapping[str, Any]) -> Context:
    entries = params.get("ContextEntries") or []
    return {str(one.get("ContextKeyName", "")): _values(one) for one in entries}


def _values(entry: Mapping[str, Any]) -> str | list[str]:
    values = [str(value) for value in entry.get("ContextKeyValues") or []]
    one = len(values) == 1 and not str(entry.get("ContextKeyType", "")).endswith("List")
    return values[0] if one else values


def _result(action: str, resources: list[str], held: Held, context: Context) -> dict[str, Any]:
    each = [_judged(action, resource, held, context) for resource in resources]
    worst = max((one["EvalResourceDecision"] for one in each), key=_STRICTNESS.index)
    deciding = [one for one in each if one["EvalResourceDecision"] == worst]
    whole = {
        "EvalActionName": action,
        "EvalResourceName": _TEMPLATES.get(action, "*"),
        "EvalDecision": worst,
        "MatchedStatements": _unlike(statement for one in deciding for statement in one["MatchedStatements"]),
        "MissingContextValues": _unlike(key for one in each for key in one["MissingContextValues"]),
    }
    if held.boundary is not None:
        within = all(one["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"] for one in each)
        whole["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": within}
    return whole | ({"ResourceSpecificResults": each} if resources != ["*"] else {})


def _judged(action: str, resource: str, held: Held, context: Context) -> dict[str, Any]:
    decision = decide(held.identity, action, resource, context)
    outcome = _DECISIONS[decision.outcome]
    kinds = [held.identity]
    told: dict[str, Any] = {"EvalResourceName": resource}
    if held.boundary is not None:
        bounded = decide(held.boundary, action, resource, context)
        outcome = max(outcome, _DECISIONS[bounded.outcome], key=_STRICTNESS.index)
        kinds.append(held.boundary)
        told["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": bounded.allowed}
    known = {key.lower() for key in context}
    asked = [key for policies in kinds for key in keys_asked(policies, action, resource)]
    return told | {
        "EvalResourceDecision": outcome,
        "MatchedStatements": _matched(decision, held) if decision.by else [],
        "MissingContextValues": _unlike(key for key in asked if key.lower() not in known),
    }


def _matched(decision: Decision, held: Held) -> list[dict[str, str]]:
    """Name the policy of the statement that decided; where in its text that stands is left out."""
    policy = next(one for one in held.identity if decision.by.startswith(f"{one.name}, statement "))
    managed = policy.name.startswith("arn:")
    kind = ("aws-managed" if ":aws:policy/" in policy.name else "user-managed") if managed else policy.kind
    return [{"SourcePolicyId": policy.name.rsplit("/", 1)[-1], "SourcePolicyType": kind}]


def _unlike(values: Iterator[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def install(world: World) -> None:
    """Teach moto's IAM the simulator."""
    del world

    def simulate_principal_policy(_: IamResponse) -> str:
        params = current_call.get().params
        results = simulated(params)
        start, size = _position(params.get("Marker")), int(params.get("MaxItems") or PAGE)
        page, more = results[start : start + size], len(results) > start + size
        answer: dict[str, Any] = {"EvaluationResults": page, "IsTruncated": more}
        answer |= {"Marker": str(start + size)} if more else {}
        metadata = f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
        name = "SimulatePrincipalPolicy"
        return f'<{name}Response xmlns="{_NAMESPACE}">{_xml(f"{name}Result", answer)}{metadata}</{name}Response>'

    IamResponse.simulate_principal_policy = simulate_principal_policy


def _xml(name: str, value: Any) -> str:
    """Write it as the query protocol has it; moto's own way takes three times as long as the simulation."""
    if isinstance(value, Mapping):
        inner = "".join(_xml(part, of) for part, of in value.items())
    elif isinstance(value, list):
        inner = "".join(_xml("member", one) for one in value)
    else:
        inner = str(value).lower() if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{inner}</{name}>"


def _position(marker: Any) -> int:
    if marker and not str(marker).isdecimal():
        raise InvalidInput(f"Invalid Marker: {marker}")
    return int(marker or 0)
