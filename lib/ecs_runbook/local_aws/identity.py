"""Who calls: the owner of an access key, as IAM and CloudTrail name it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["Root", "IAMUser", "AssumedRole", "AWSService"]


@dataclass(frozen=True)
class Caller:
    """
    One caller.

    Parameters
    ----------
    kind
        CloudTrail's ``userIdentity.type``.
    account
        Twelve digits.
    arn
        The caller's own ARN; of a session: the session's, not the role's.
    principal_id
        CloudTrail's ``userIdentity.principalId``.
    user_name
        Of an IAM user.
    access_key
        The key that signed the call; never its secret.
    role_arn, role_name, session_name, role_id, session_created
        Of a role's session.
    invoked_by
        The AWS service that made the call in the session's name, ``events.amazonaws.com``.
    """

    kind: Kind
    account: str
    arn: str
    principal_id: str
    user_name: str = ""
    access_key: str = ""
    role_arn: str = ""
    role_name: str = ""
    role_id: str = ""
    session_name: str = ""
    session_created: datetime | None = None
    invoked_by: str = ""


def root_of(account: str, access_key: str = "", partition: str = "aws") -> Caller:
    """
    Return the root of *account*.

    Examples
    --------
    >>> root_of("111122223333").arn
    'arn:aws:iam::111122223333:root'
    """
    arn = f"arn:{partition}:iam::{account}:root"
    return Caller(kind="Root", account=account, arn=arn, principal_id=account, access_key=access_key)


def service_of(name: str, account: str) -> Caller:
    """
    Return an AWS service that calls in its own name.

    Examples
    --------
    >>> service_of("events.amazonaws.com", "111122223333").kind
    'AWSService'
    """
    return Caller(kind="AWSService", account=account, arn=name, principal_id=name, invoked_by=name)


def role_of(arn: str, account: str, session: str = "") -> Caller:
    """
    Return a session of the role *arn*, as a service that acts in its name has it.

    Examples
    --------
    >>> role_of("arn:aws:iam::111122223333:role/batch/night", "111122223333", "0a1b").arn
    'arn:aws:sts::111122223333:assumed-role/night/0a1b'
    """
    name, partition = arn.rsplit("/", 1)[-1], arn.split(":")[1] if arn.count(":") >= 5 else "aws"
    session_arn = f"arn:{partition}:sts::{account}:assumed-role/{name}/{session}"
    return Caller("AssumedRole", account, session_arn, session, role_arn=arn, role_name=name, session_name=session)


def caller_of(access_key: str, account: str, partition: str = "aws") -> Caller:
    """
    Return who owns *access_key*.

    An unknown key is an account's root: people call the local AWS with whatever key they have, and it must let them
    in.

    Parameters
    ----------
    access_key
        As it stands in the signature.
    account
        The account that the key belongs to.
    partition
        ``aws``, ``aws-cn``, …
    """
    from moto.iam.models import iam_backends

    iam = iam_backends[account][partition]
    key = iam.access_keys.get(access_key)
    if (session := getattr(key, "session", None)) is not None:
        return _session(session, key, account)
    if key is not None and key.user_name in iam.users:
        return _user(iam.users[key.user_name], account, access_key)
    return root_of(account, access_key, partition)


def session_user_id(session: Any) -> str:
    """Return ``<role's id>:<session's name>`` of one of moto's assumed roles."""
    return str(session.user_id)


def _user(user: Any, account: str, access_key: str) -> Caller:
    return Caller(
        kind="IAMUser", account=account, arn=user.arn, principal_id=user.id, user_name=user.name, access_key=access_key
    )


def _session(session: Any, key: Any, account: str) -> Caller:
    principal_id = session_user_id(session)
    return Caller(
        kind="AssumedRole",
        account=account,
        arn=session.arn,
        principal_id=principal_id,
        access_key=key.access_key_id,
        role_arn=session.role_arn,
        role_name=session.role_arn.rsplit("/", 1)[-1],
        role_id=principal_id.partition(":")[0],
        session_name=session.session_name,
        session_created=_aware(key.create_date),
    )


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
