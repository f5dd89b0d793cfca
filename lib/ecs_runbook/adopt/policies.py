"""The policies of the roles that run what is adopted, and what of them has to name every revision."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ecs_runbook.adopt.existing import Existing
from ecs_runbook.adopt.machines import Machines, StateMachine
from ecs_runbook.adopt.mends import POLICY, Chosen, Difference, NotMended
from ecs_runbook.adopt.reading import Reading
from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.machines import machine_of
from ecs_runbook.firing.names import definition, short
from ecs_runbook.inventory.request import input_of, of_machine, of_target
from ecs_runbook.lint.values import wildcard
from ecs_runbook.moving.names import REVISION

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

_DEFINITION = re.compile(r"(arn:[\w-]+:ecs:[\w*-]+:[\d*]+:task-definition/)([\w-]+)(?::\d+)?", re.ASCII)
_OF_AWS = ":iam::aws:policy/"
_LIKE = {"ArnEquals", "ArnLike", "StringEquals", "StringLike"}
_ANY_REVISION = 1234567890
"""Stands for a revision that nobody named."""


@dataclass(frozen=True)
class Policy:
    """
    A policy of a role.

    Attributes
    ----------
    role
        Its name.
    name
        Of the policy.
    document
        What it says.
    told
        Of one that is attached: what GetPolicy tells; empty of one that stands in the role.
    users
        Of one that is attached: who else it is attached to.
    """

    role: str
    name: str
    document: Mapping[str, Any] = field(repr=False)
    told: Mapping[str, Any] = field(default_factory=dict, repr=False)
    users: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        """Of one that is attached; ``""`` of one that stands in the role."""
        return str(self.told.get("Arn", ""))

    @property
    def of_aws(self) -> bool:
        """Whether AWS manages it."""
        return _OF_AWS in self.arn

    @property
    def of(self) -> str:
        """How a difference names it."""
        return f"policy {self.name}" if self.arn else f"{self.role}/{self.name}"


@dataclass(frozen=True)
class Policies:
    """
    The policies of the roles of what is adopted.

    Attributes
    ----------
    all
        Those that stand in the roles, and those that are attached.
    unknown
        Why a role's could not be read, by the role's name.
    """

    all: tuple[Policy, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)

    def of(self, role: str) -> list[Policy]:
        """Return those of one role."""
        return [one for one in self.all if one.role == role]

    def only(self, roles: Collection[str]) -> Policies:
        """Return those of some roles."""
        unknown = {role: why for role, why in self.unknown.items() if role in roles}
        return Policies(tuple(one for one in self.all if one.role in roles), unknown)


def read_policies(roles: Collection[str], reading: Reading, *, attachments: Collection[str] = ()) -> Policies:
    """
    Read the policies of *roles*, which are names: many roles side by side, and each attached policy once.

    Parameters
    ----------
    attachments
        Roles of which it is enough to know what is attached, and not what that says.

    Notes
    -----
    Needs ``iam:ListRolePolicies``, ``iam:GetRolePolicy``, ``iam:ListAttachedRolePolicies`` and, but for *attachments*,
    ``iam:GetPolicy``, ``iam:GetPolicyVersion`` and, for a policy that is not AWS's own, ``iam:ListEntitiesForPolicy``.
    """
    whole, ask, iam = set(roles), reading.ask, reading.aws.client("iam")

    def standing(role: str) -> tuple[list[Policy], list[Policy]]:
        return _inline(role, iam, ask), _attached(role, iam, ask)

    names = dict.fromkeys([*roles, *attachments])
    told = reading.each("iam:ListRolePolicies", standing, names)
    found = {role: one for role, one in told.items() if not isinstance(one, AwsError)}
    arns = dict.fromkeys(one.arn for role, (_, several) in found.items() if role in whole for one in several)
    known = reading.each("iam:GetPolicy", lambda arn: _whole(arn, iam, ask), arns)
    unknown = {role: str(one) for role, one in told.items() if isinstance(one, AwsError)}
    every: list[Policy] = []
    for role, (inline, attached) in found.items():
        read = [known[one.arn] if role in whole else one for one in attached]
        if refused := [one for one in read if isinstance(one, AwsError)]:
            unknown[role] = str(refused[0])
        else:
            every += [*inline, *(replace(one, role=role) for one in read if not isinstance(one, AwsError))]
    return Policies(tuple(every), unknown)


def _inline(role: str, iam: IAMClient, ask: Asking) -> list[Policy]:
    pages = ask.pages("iam:ListRolePolicies", iam.list_role_policies, RoleName=role)
    told = [
        ask("iam:GetRolePolicy", iam.get_role_policy, RoleName=role, PolicyName=name)
        for page in pages
        for name in page["PolicyNames"]
    ]
    return [Policy(role, one["PolicyName"], _document(one["PolicyDocument"])) for one in told]


def _attached(role: str, iam: IAMClient, ask: Asking) -> list[Policy]:
    """Return the attached policies by their names and ARNs alone."""
    pages = ask.pages("iam:ListAttachedRolePolicies", iam.list_attached_role_policies, RoleName=role)
    listed = [one for page in pages for one in page["AttachedPolicies"]]
    return [Policy(role, one["PolicyName"], {}, {"Arn": one["PolicyArn"]}) for one in listed]


def _whole(arn: str, iam: IAMClient, ask: Asking) -> Policy:
    told = ask("iam:GetPolicy", iam.get_policy, PolicyArn=arn)["Policy"]
    version = told["DefaultVersionId"]
    said = ask("iam:GetPolicyVersion", iam.get_policy_version, PolicyArn=arn, VersionId=version)
    users = () if _OF_AWS in arn else tuple(_users(arn, iam, ask))
    return Policy("", told["PolicyName"], _document(said["PolicyVersion"]["Document"]), told, users)


def _users(arn: str, iam: IAMClient, ask: Asking) -> Iterator[str]:
    for page in ask.pages("iam:ListEntitiesForPolicy", iam.list_entities_for_policy, PolicyArn=arn):
        yield from (f"role {one['RoleName']}" for one in page.get("PolicyRoles", []))
        yield from (f"user {one['UserName']}" for one in page.get("PolicyUsers", []))
        yield from (f"group {one['GroupName']}" for one in page.get("PolicyGroups", []))


def _document(told: object) -> Mapping[str, Any]:
    """Return a policy as a mapping: botocore decodes what IAM sends, and leaves what it cannot."""
    document = json.loads(unquote(told)) if isinstance(told, str) else told
    return document if isinstance(document, Mapping) else {}


# ---------------------------------------------------------------- what they have to let run


def roles_of(things: Sequence[Existing], machines: Machines, meant: Chosen | None = None) -> list[str]:
    """Return the names of the roles that call RunTask for *things*, where *meant* wants their policies mended."""
    return list(_run_by(things, machines, meant))


def _run_by(things: Sequence[Existing], machines: Machines, meant: Chosen | None) -> dict[str, dict[str, set[str]]]:
    """
    Return what each role has to let run: ARNs of task definitions, of a revision only where one is named.

    Each with the clusters in which it runs; one that is not known is ``""``.
    """
    found: dict[str, dict[str, set[str]]] = {}
    for thing in things:
        for of, target in zip(thing.places, thing.targets, strict=True):
            if meant is not None and POLICY not in meant.of(thing, of):
                continue
            request, machine = of_target(target), machines.get(machine_of(target))
            if request is not None and target.get("RoleArn"):
                own = found.setdefault(short(str(target["RoleArn"])), {})
                cluster = _arn(thing, "cluster", request.cluster)
                own.setdefault(_arn(thing, "task-definition", request.definition), set()).add(cluster)
            elif isinstance(machine, StateMachine):
                asked = of_machine(machine.text, input_of(target)).request
                cluster = _arn(thing, "cluster", asked.cluster) if asked else ""
                own = found.setdefault(short(machine.role), {})
                for one in machine.runs:
                    own.setdefault(_arn(thing, "task-definition", one), set()).add(cluster)
    return found


def _arn(thing: Existing, kind: str, named: str) -> str:
    """Return the ARN of a task definition or a cluster, which may be named by its own name alone."""
    parts = str(thing.told["Arn"]).split(":")
    return named if named.startswith("arn:") else f"{':'.join([parts[0], parts[1], 'ecs', *parts[3:5]])}:{kind}/{named}"


def mended_policies(
    things: Sequence[Existing], machines: Machines, policies: Policies, meant: Chosen
) -> tuple[list[Policy], list[Difference], list[NotMended]]:
    """
    Return the policies that change, so that they let *things* run what they name.

    Parameters
    ----------
    things, machines
        As the files shall have them: what names no revision needs every revision.

    Notes
    -----
    What is let run already changes nothing. Else just the resources that name the family without a revision, or with
    one, become ``<family>:*``: AWS asks about the revision that runs (aws docs, RunTask, "authorization will occur
    using the latest revision").
    """
    changed: dict[str, Policy] = {}
    changes: list[Difference] = []
    left: list[NotMended] = []
    for role, definitions in _run_by(things, machines, meant).items():
        if role in policies.unknown:
            left.append(NotMended(POLICY, role, policies.unknown[role]))
            continue
        own = [changed.get(one.of, one) for one in policies.of(role)]
        wanting = {arn for arn in definitions if not any(_covers(one.document, arn) for one in own)}
        for one in own if wanting else ():
            new = one if one.of_aws else replace(one, document=_wider(one.document, wanting))
            if new.document != one.document:
                changed[one.of] = new
                changes = [each for each in changes if each.of != one.of]
                before = next(each.document for each in policies.all if each.of == one.of)
                changes.append(Difference(POLICY, one.of, "policy", before, new.document))
        own = [changed.get(one.of, one) for one in own]
        still = sorted(arn for arn in wanting if not any(_covers(one.document, arn) for one in own))
        if still:
            left.append(NotMended(POLICY, role, _why(still, own)))
        doubts = {_doubt(own, arn, clusters): None for arn, clusters in sorted(definitions.items()) if arn not in still}
        left += [NotMended(POLICY, role, why) for why in doubts if why]
    return list(changed.values()), changes, left


def _doubt(own: Sequence[Policy], arn: str, clusters: Collection[str]) -> str:
    """Return why *arn* may be refused although a statement lets it run; mostly nothing."""
    every = [one for policy in own for one in _statements(policy.document) if _of_run(one, arn)]
    ask = "run-task-missing of 60_check asks IAM itself"
    if any(one.get("Effect") == "Deny" for one in every):
        return f"a statement denies it to run {definition(arn)}, always or under conditions: {ask}"
    if not any(_holds(one.get("Condition"), clusters) for one in every):
        return f"it may run {definition(arn)} only under conditions that are not decided here: {ask}"
    return ""


def _holds(condition: Any, clusters: Collection[str]) -> bool:
    """Say whether a condition surely holds: there is none, or it is about just the clusters in which the task runs."""
    if not condition:
        return True
    if not isinstance(condition, Mapping) or set(condition) - _LIKE:
        return False
    tests = [(key.lower(), _listed(wanted)) for one in condition.values() for key, wanted in dict(one).items()]
    return all(
        key == "ecs:cluster" and all(any(wildcard(str(each), cluster) for each in wanted) for cluster in clusters)
        for key, wanted in tests
    )


def _why(still: Sequence[str], own: Sequence[Policy]) -> str:
    names = ", ".join(str(definition(one)) for one in still)
    for policies, why in (
        ([one for one in own if one.of_aws and _wider(one.document, still) != one.document], _OF_AWS_NARROW),
        ([one for one in own if any(_but_for(each, still) for each in _allowing(one))], _BUT_FOR),
        ([one for one in own if any(_by_not_action(each, still) for each in _allowing(one))], _BY_NOT_ACTION),
        ([one for one in own if any(_elsewhere(each, still) for each in _allowing(one))], _ELSEWHERE),
    ):
        if policies:
            place = " of {4} in {3}".format(*still[0].split(":"))
            return why.format(", ".join(one.name for one in policies), names, place)
    return f"no policy of it names {names}, so there is none to widen"


_OF_AWS_NARROW = "{0} names {1}, and AWS manages it: give the role a policy of its own"
_BUT_FOR = (
    "{0} allows all but what its NotResource names, {1} among it: take that out there by hand, or give the role a "
    "policy of its own"
)
_BY_NOT_ACTION = (
    "{0} names {1} where it allows all but what its NotAction names, which is not changed here: let the role have a "
    "statement of its own with Action ecs:RunTask"
)
_ELSEWHERE = "{0} names {1} of another account or Region, and none names that{2}: widen it by hand if both are meant"


def _allowing(policy: Policy) -> Iterator[dict[str, Any]]:
    """Yield the statements that allow to run something."""
    yield from (one for one in _statements(policy.document) if one.get("Effect") == "Allow" and _runs(one))


def _but_for(statement: Mapping[str, Any], arns: Collection[str]) -> bool:
    excepted = _listed(statement.get("NotResource", []))
    return any(wildcard(str(one), _asked(arn)) for one in excepted for arn in arns)


def _by_not_action(statement: Mapping[str, Any], arns: Collection[str]) -> bool:
    named = _listed(statement.get("Resource", [])) if "NotAction" in statement else []
    return any(_every_revision(one, arns) != one for one in named)


def _elsewhere(statement: Mapping[str, Any], arns: Collection[str]) -> bool:
    families = {definition(arn).family for arn in arns}
    found = [_DEFINITION.match(one) for one in _listed(statement.get("Resource", [])) if isinstance(one, str)]
    return any(at is not None and at[2] in families for at in found)


def _wider(document: Mapping[str, Any], arns: Collection[str]) -> Mapping[str, Any]:
    new = copy.deepcopy(dict(document))
    for statement in _statements(new):
        if (
            statement.get("Effect") == "Allow"
            and "Action" in statement
            and _runs(statement)
            and "Resource" in statement
        ):
            told = statement["Resource"]
            wide = list(dict.fromkeys(_every_revision(one, arns) for one in _listed(told)))
            statement["Resource"] = wide if isinstance(told, list) else wide[0]
    return new


def _every_revision(resource: Any, arns: Collection[str]) -> Any:
    """Return *resource* with every revision, if it names the family of one of *arns*, in its account and Region."""
    at = _DEFINITION.fullmatch(resource) if isinstance(resource, str) else None
    if at and any(wildcard(f"{at[1]}{at[2]}", REVISION.sub("", arn)) for arn in arns):
        return f"{at[1]}{at[2]}:*"
    return resource


def _runs(statement: Mapping[str, Any], action: str = "ecs:RunTask") -> bool:
    if "NotAction" in statement:
        return not any(wildcard(str(one), action, fold=True) for one in _listed(statement["NotAction"]))
    return any(wildcard(str(one), action, fold=True) for one in _listed(statement.get("Action", [])))


def _covers(document: Mapping[str, Any], arn: str) -> bool:
    """Say whether a statement lets the task definition *arn* run, every revision if it names none."""
    return any(one.get("Effect") == "Allow" and _of_run(one, arn) for one in _statements(document))


def _of_run(statement: Mapping[str, Any], arn: str) -> bool:
    """Say whether a statement is about running *arn*, every revision if it names none."""
    return _is_about(statement, "ecs:RunTask", _asked(arn))


def _asked(arn: str) -> str:
    """Return what IAM is asked about: a revision, of which nobody knows the number where *arn* names none."""
    return arn if definition(arn).revision is not None else f"{arn}:{_ANY_REVISION}"


def _is_about(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    excepts = "NotResource" in statement
    told = _listed(statement["NotResource"] if excepts else statement.get("Resource", []))
    return any(wildcard(str(one), resource) for one in told) is not excepts and _runs(statement, action)


def _allows(document: Mapping[str, Any], action: str, resource: str) -> bool:
    return any(one.get("Effect") == "Allow" and _is_about(one, action, resource) for one in _statements(document))


def allows(policies: Policies, role: str, action: str, resource: str) -> bool:
    """Say whether a policy of *role* allows *action* on *resource*; conditions and what denies it are not looked at."""
    return any(_allows(one.document, action, resource) for one in policies.of(role))


def _listed(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [told]


def _statements(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (one for one in _listed(document.get("Statement", [])) if isinstance(one, dict))
