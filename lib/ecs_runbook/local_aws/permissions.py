"""
What a caller may do: the policies that IAM holds for it, judged by :mod:`~ecs_runbook.local_aws.policy`.

Identity-based policies (inline, attached, through groups), a role's permissions boundary and session policies count.
A user's boundary does not, as moto keeps none; nor do service control policies, as the local AWS has no organisation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moto.core.exceptions import ServiceException
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.responses import TokenResponse

from ecs_runbook.local_aws.policy import Context, Decision, Policy, Principal, decide, decide_trust, explain
from ecs_runbook.local_aws.world import World, current_call

if TYPE_CHECKING:
    from ecs_runbook.local_aws.identity import Caller

_LOG = logging.getLogger(__name__)


class AccessDenied(ServiceException):  # type: ignore[misc]  # moto is untyped
    """IAM says no, in AWS's words."""

    code = "AccessDeniedException"


class AssumeRoleDenied(AccessDenied):
    """STS says no: its code is the older one."""

    code = "AccessDenied"


@dataclass(frozen=True)
class Held:
    """The policies that bear on a caller, by kind; a kind that is None does not bear on it."""

    identity: tuple[Policy, ...]
    boundary: tuple[Policy, ...] | None = None
    session: tuple[Policy, ...] | None = None


def require(caller: Caller, action: str, resource: str, context: Context | None = None) -> None:
    """
    Let *caller* perform *action* on *resource*, or refuse.

    Parameters
    ----------
    caller
        Who asks. The account's root may do everything.
    resource
        The one ARN that IAM evaluates.
    context
        The request's condition keys; those about the principal are added here.

    Raises
    ------
    AccessDenied
        ``AccessDeniedException`` in AWS's words.

    Notes
    -----
    Source: IAM User Guide, "Policy evaluation logic" (verified): identity, boundary and session policy must each allow.
    """
    if caller.kind == "Root":
        return
    held = policies_of(caller)
    full = {**_about(caller), **(context or {})}
    for kind, policies in (
        ("identity-based policy", held.identity),
        ("permissions boundary", held.boundary),
        ("session policy", held.session),
    ):
        if policies is None:
            continue
        decision = decide(policies, action, resource, full)
        _report(decision, caller.arn)
        if not decision.allowed:
            raise AccessDenied(explain(decision, caller.arn, action, resource, kind))


def policies_of(caller: Caller) -> Held:
    """Return every policy that IAM holds for *caller*; a role or user that is gone has none, so nothing is allowed."""
    held = held_by(caller.arn if caller.kind == "IAMUser" else caller.role_arn) or Held(())
    return replace(held, session=_session_policy(caller)) if caller.kind == "AssumedRole" else held


def held_by(arn: str) -> Held | None:
    """Return every policy that IAM holds for a user, a group or a role; None if there is none of that ARN."""
    if (role := find_role(arn)) is not None:
        return Held(tuple(_policies(role, "role")), _boundary(role))
    parts = arn.split(":", 5)
    kind, _, path = parts[5].partition("/") if len(parts) == 6 else ("", "", "")
    if kind not in {"user", "group"}:
        return None
    iam, name = iam_backends[parts[4]][parts[1]], path.rsplit("/", 1)[-1]
    if kind == "group":
        return Held(tuple(_policies(iam.groups[name], "group"))) if name in iam.groups else None
    if name not in iam.users:
        return None
    groups = [policy for group in iam.get_groups_for_user(name) for policy in _policies(group, "group")]
    return Held((*_policies(iam.users[name], "user"), *groups))


def require_assumable(caller: Caller, role_arn: str, context: Context | None = None) -> None:
    """
    Let *caller* assume the role *role_arn*, or refuse.

    Raises
    ------
    AssumeRoleDenied
        ``AccessDenied`` if there is no such role, its trust policy does not name the caller, or names the account alone
        and the caller's own policies do not allow it.

    Notes
    -----
    Source: IAM User Guide, "Cross-account policy evaluation logic" (verified). AWS refuses an account's root; here an
    unknown key counts as the root, so the root may assume what trusts its account.
    """
    role = find_role(role_arn)
    trusted = role is not None and _trusts(role, caller, context)
    if not trusted or not _may_assume(caller, role, context):
        raise AssumeRoleDenied(
            f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
        )


def trusts_service(role_arn: str, service: str) -> bool:
    """Say whether the role is there and lets *service* assume it."""
    role = find_role(role_arn)
    return role is not None and decide_trust(role.assume_role_policy_document, Principal("Service", service)).allowed


def _trusts(role: Any, caller: Caller, context: Context | None) -> bool:
    decision = decide_trust(role.assume_role_policy_document, principal_of(caller), context)
    _report(decision, role.arn)
    return decision.allowed


def _may_assume(caller: Caller, role: Any, context: Context | None) -> bool:
    """Ask the caller's own policies, unless the trust policy names the caller itself, or it has none to ask."""
    if caller.kind in {"AWSService", "Root"}:
        return True
    by_name = replace(principal_of(caller), account="")
    at_home = caller.account == role.account_id  # the owner of a role elsewhere alone cannot let somebody in
    if at_home and decide_trust(role.assume_role_policy_document, by_name, context).allowed:
        return True
    try:
        require(caller, "sts:AssumeRole", role.arn, context)
    except AccessDenied:
        return False
    return True


def principal_of(caller: Caller) -> Principal:
    """Return *caller* as a trust policy names it."""
    if caller.kind == "AWSService":
        return Principal("Service", caller.invoked_by or caller.arn)
    also = (caller.role_arn,) if caller.role_arn else ()
    return Principal("AWS", caller.arn, caller.account, also)


def find_role(arn: str) -> Any | None:
    """Return moto's role of that ARN, or None."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("role/"):
        return None
    try:
        role = iam_backends[parts[4]][parts[1]].get_role(parts[5].rsplit("/", 1)[-1])
    except NotFoundException:
        return None
    return role if role.arn == arn else None


def _about(caller: Caller) -> dict[str, str]:
    """Return the condition keys about the principal. Source: IAM User Guide, "Global condition context keys"."""
    known = {
        "aws:PrincipalArn": caller.role_arn or caller.arn,
        "aws:PrincipalAccount": caller.account,
        "aws:PrincipalType": caller.kind if caller.kind != "IAMUser" else "User",
        "aws:userid": caller.principal_id,
        "aws:username": caller.user_name,
    }
    return {key: value for key, value in known.items() if value}


def _policies(whole: Any, kind: str) -> Iterator[Policy]:
    """Yield the inline and the managed policies of a role, user or group."""
    yield from (Policy(name, document, kind) for name, document in whole.policies.items())
    yield from (Policy(arn, _default_version(policy), kind) for arn, policy in whole.managed_policies.items())


def _default_version(policy: Any) -> str:
    return next(str(v.document) for v in policy.versions if v.version_id == policy.default_version_id)


def _boundary(role: Any) -> tuple[Policy, ...] | None:
    arn = role.permissions_boundary_arn
    if not arn:
        return None
    policy = iam_backends[role.account_id][_partition(role.arn)].managed_policies.get(arn)
    return (Policy(arn, _default_version(policy)),) if policy else ()


def _session_policy(caller: Caller) -> tuple[Policy, ...] | None:
    key = iam_backends[caller.account][_partition(caller.arn)].access_keys.get(caller.access_key)
    session = getattr(key, "session", None)
    return (Policy("session policy", session.policy),) if session and session.policy else None


def _partition(arn: str) -> str:
    return arn.split(":")[1] if arn.count(":") >= 5 else "aws"


def _report(decision: Decision, whose: str) -> None:
    for unknown in decision.unknown:
        _LOG.warning("%s: the local AWS does not know %s; it allows nothing by it", whose, unknown)


# Condition keys of an AssumeRole that a service asks on behalf of a resource; no parameter of AssumeRole carries them.
on_behalf_of: ContextVar[Mapping[str, str]] = ContextVar("on_behalf_of")


def install(world: World) -> None:
    """Let STS refuse what IAM refuses: moto assumes any role, even one that is not there."""
    del world
    assume_anyway = TokenResponse.assume_role

    def assume_role(self: TokenResponse) -> Any:
        role_arn = self._get_param("RoleArn")
        context = {
            "sts:ExternalId": self._get_param("ExternalId"),
            "sts:RoleSessionName": self._get_param("RoleSessionName"),
        }
        context = {key: value for key, value in context.items() if value} | dict(on_behalf_of.get({}))
        require_assumable(current_call.get().caller, role_arn, context)
        return assume_anyway(self)

    TokenResponse.assume_role = assume_role
