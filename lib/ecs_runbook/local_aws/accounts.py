"""
Several accounts: whose an access key is, and what a new account of the organisation has.

A key that IAM or STS gave belongs to the account that it was given in. One of twelve digits is the root of that
account: so a world of many accounts is furnished without a role in each. Any other key is the root of the first.
"""

from __future__ import annotations

from typing import Any

from ecs_runbook.local_aws.world import World, current_call

_ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
_PAGE = 20  # botocore organizations ListAccounts.MaxResults (verified)
_NOT_THE_MANAGEMENT = "You don't have permissions to access this resource."  # seen in public issues
_ACCOUNTS: dict[str, str] = {}


def account_of(access_key: str, first: str) -> str:
    """
    Return the account that *access_key* belongs to.

    Examples
    --------
    >>> account_of("444455556666", "123456789012"), account_of("local", "123456789012")
    ('444455556666', '123456789012')
    """
    if len(access_key) == 12 and access_key.isdecimal():
        return access_key
    return _ACCOUNTS.get(access_key, first)


def forget(access_key: str) -> None:
    """Let a key be nobody's again."""
    _ACCOUNTS.pop(access_key, None)


def install(world: World) -> None:
    """Let moto answer each call in its caller's account."""
    from moto.core.responses import BaseResponse
    from moto.iam.models import IAMBackend
    from moto.organizations.exceptions import AWSOrganizationsNotInUseException
    from moto.organizations.models import OrganizationsBackend, organizations_backends
    from moto.organizations.utils import PAGINATION_MODEL

    from ecs_runbook.local_aws.permissions import AccessDenied

    PAGINATION_MODEL["list_accounts"]["limit_default"] = _PAGE

    def get_current_account(_: BaseResponse) -> str:
        call = current_call.get(None)
        return call.caller.account if call else world.account

    BaseResponse.get_current_account = get_current_account
    for name in ("create_access_key", "create_temp_access_key"):
        setattr(IAMBackend, name, _noted(getattr(IAMBackend, name)))

    create_account = OrganizationsBackend.create_account

    def create_account_with_its_role(self: OrganizationsBackend, **asked: Any) -> dict[str, Any]:
        """Source: botocore organizations CreateAccount.RoleName: the role has administrator's permissions."""
        from moto.iam.models import iam_backends

        status: dict[str, Any] = create_account(self, **asked)
        role = asked.get("RoleName") or "OrganizationAccountAccessRole"
        account = status["CreateAccountStatus"]["AccountId"]
        iam_backends[account][self.partition].attach_role_policy(_ADMINISTRATOR, role)
        return status

    list_accounts = OrganizationsBackend.list_accounts

    def list_accounts_of_ones_own(self: OrganizationsBackend, *args: Any, **asked: Any) -> Any:
        """Source: botocore organizations ListAccounts: the management account alone asks, if there is one."""
        if self.org is None:
            member = self.account_id in organizations_backends.master_accounts
            raise AccessDenied(_NOT_THE_MANAGEMENT) if member else AWSOrganizationsNotInUseException()
        return list_accounts(self, *args, **asked)

    OrganizationsBackend.create_account = create_account_with_its_role
    OrganizationsBackend.list_accounts = list_accounts_of_ones_own


def _noted(create: Any) -> Any:
    def created(self: Any, *args: Any, **kwargs: Any) -> Any:
        key = create(self, *args, **kwargs)
        _ACCOUNTS[key.access_key_id] = self.account_id
        return key

    return created
