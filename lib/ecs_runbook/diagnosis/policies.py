"""What the policies of a role say of a call that IAM refused: AWS's words are the same for several mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.names import short

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

Facts = Mapping[str, "str | tuple[str, ...]"]
Policies = Callable[[str], "list[Mapping[str, Any]]"]
"""Given the ARN of a role: its policy documents; empty if they are not known."""

BARE_FAMILY, ANOTHER_REVISION, ANOTHER_SERVICE = "bare family", "another revision", "another service"
CONDITION, ALLOWED, NOTHING = "a condition", "allowed", "nothing"
SAYS: Mapping[str, str] = {
    BARE_FAMILY: "the role's policies, as they are now, name the family without a revision",
    ANOTHER_REVISION: "the role's policies, as they are now, name another revision",
    ANOTHER_SERVICE: "the role's policies, as they are now, allow it for another service only",
    CONDITION: "the role's policies, as they are now, allow it under a condition",
    ALLOWED: "the role's policies, as they are now, allow it: it may be mended already",
    NOTHING: "the role's policies, as they are now, do not name it",
}
"""What :func:`policy_says` answers, in words."""

_ASKED_ABOUT = ("ecs:RunTask", "iam:PassRole", "ecs:TagResource")
_TASKS = "ecs-tasks.amazonaws.com"


class RolePolicies:
    """
    The policies of roles, each role's read once.

    Parameters
    ----------
    iam
        An IAM client.
    ask
        Who counts the calls.

    Notes
    -----
    Inline and attached policies, not the boundary and not those of the organisation: which of these refused, AWS's
    words say themselves. A role of another account is not read. Needs ``iam:GetRole``, ``iam:ListRolePolicies``,
    ``iam:GetRolePolicy``, ``iam:ListAttachedRolePolicies``, ``iam:GetPolicy`` and ``iam:GetPolicyVersion``.
    """

    def __init__(self, iam: IAMClient, ask: Asking) -> None:
        self._iam, self.ask = iam, ask
        self._known: dict[str, list[Mapping[str, Any]]] = {}
        self.refused: AwsError | None = None
        """Why the last one could not be read; None if all were."""

    @property
    def read(self) -> int:
        """How many roles were read."""
        return sum(map(bool, self._known.values()))

    def __call__(self, role: str) -> list[Mapping[str, Any]]:
        """Return the documents of *role*, an ARN; empty where they cannot be read."""
        if role not in self._known:
            try:
                self._known[role] = self._read(role)
            except AwsError as error:
                self._known[role], self.refused = [], error
        return self._known[role]

    def _read(self, role: str) -> list[Mapping[str, Any]]:
        iam, name = self._iam, short(role)
        there = self.ask("iam:GetRole", iam.get_role, RoleName=name)["Role"]["Arn"]
        if there.split(":")[4] != role.split(":")[4]:
            return []
        return [*self._inline(name), *self._attached(name)]

    def _inline(self, role: str) -> Iterator[Mapping[str, Any]]:
        iam = self._iam
        for page in self.ask.pages("iam:ListRolePolicies", iam.list_role_policies, RoleName=role):
            for name in page["PolicyNames"]:
                told = self.ask("iam:GetRolePolicy", iam.get_role_policy, RoleName=role, PolicyName=name)
                yield told["PolicyDocument"]

    def _attached(self, role: str) -> Iterator[Mapping[str, Any]]:
        iam = self._iam
        for page in self.ask.pages("iam:ListAttachedRolePolicies", iam.list_attached_role_policies, RoleName=role):
            for one in page["AttachedPolicies"]:
                arn = one["PolicyArn"]
                version = self.ask("iam:GetPolicy", iam.get_policy, PolicyArn=arn)["Policy"]["DefaultVersionId"]
                told = self.ask("iam:GetPolicyVersion", iam.get_policy_version, PolicyArn=arn, VersionId=version)
                yield told["PolicyVersion"]["Document"]


def policy_says(policy: object, facts: Facts) -> str:
    """
    Return what the role's policies say of the action that was refused, as far as it can be told; ``""`` if it cannot.

    Parameters
    ----------
    policy
        A policy document or several, as mappings or JSON; or :class:`RolePolicies`, which is asked only where the
        answer can tell something.
    facts
        Of a sighting: ``action``, ``resource``, ``role``.

    Returns
    -------
    str
        One of :data:`SAYS`.

    Examples
    --------
    >>> denied = {"action": "ecs:RunTask", "resource": "arn:aws:ecs:eu-west-1:111122223333:task-definition/n:3"}
    >>> bare = {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "arn:aws:ecs:*:*:task-definition/n"}
    >>> policy_says({"Statement": bare}, denied)
    'bare family'
    """
    action, resource = str(facts.get("action") or ""), str(facts.get("resource") or "")
    if not policy or not resource or action not in _ASKED_ABOUT:
        return ""
    statements = list(_statements(policy, str(facts.get("role") or "")))
    if not statements or any("NotAction" in one or "NotResource" in one for one in statements):
        return ""
    allowed = [one for one in statements if _allows(one, action)]
    fitting = [one for one in allowed if _names(one, resource)]
    if action == "iam:PassRole" and fitting and all(_for_another_service(one) for one in fitting):
        return ANOTHER_SERVICE
    if fitting:
        return ALLOWED if any(_free(one, action) for one in fitting) else CONDITION
    family, _, revision = resource.rpartition(":")
    if action == "ecs:RunTask" and ":task-definition/" in family and revision.isdigit():
        if any(_names(one, family) for one in allowed):
            return BARE_FAMILY
        pins = [str(entry).rpartition(":") for one in allowed for entry in _several(one.get("Resource"))]
        if any(number.isdigit() and fnmatchcase(family, pinned) for pinned, _, number in pins):
            return ANOTHER_REVISION
    return NOTHING


def _statements(policy: object, role: str) -> Iterator[Mapping[str, Any]]:
    documents = policy(role) if callable(policy) and role else policy
    for document in documents if isinstance(documents, list | tuple) else [documents]:
        read = document
        if isinstance(document, str):
            try:
                read = json.loads(document)
            except (ValueError, RecursionError):
                continue
        told = read.get("Statement") if isinstance(read, Mapping) else None
        yield from (one for one in _several(told) if isinstance(one, Mapping))


def _allows(statement: Mapping[str, Any], action: str) -> bool:
    patterns = [str(one).lower() for one in _several(statement.get("Action"))]
    return statement.get("Effect") == "Allow" and any(fnmatchcase(action.lower(), one) for one in patterns)


def _names(statement: Mapping[str, Any], resource: str) -> bool:
    return any(fnmatchcase(resource, str(one)) for one in _several(statement.get("Resource")))


def _free(statement: Mapping[str, Any], action: str) -> bool:
    """Say whether a statement has no condition that this call may have missed."""
    others = [
        key for key, _ in _conditions(statement) if (action, key.lower()) != ("iam:PassRole", "iam:passedtoservice")
    ]
    return not others


def _for_another_service(statement: Mapping[str, Any]) -> bool:
    services = [values for key, values in _conditions(statement) if key.lower() == "iam:passedtoservice"]
    return any(not any(fnmatchcase(_TASKS, str(one)) for one in _several(values)) for values in services)


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    condition = statement.get("Condition")
    for tests in condition.values() if isinstance(condition, Mapping) else ():
        if isinstance(tests, Mapping):
            yield from ((str(key), values) for key, values in tests.items())


def _several(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]
