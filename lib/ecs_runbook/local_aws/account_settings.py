"""
ECS's account settings: who set what, and what is in force. moto keeps what was put, and knows no defaults.

Of all of them one changes what happens here: ``tagResourceAuthorization``.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend
from moto.ecs.responses import EC2ContainerServiceResponse

from ecs_runbook.local_aws.definitions import page
from ecs_runbook.local_aws.identity import Caller, root_of
from ecs_runbook.local_aws.world import World, current_call

MOST = 10  # botocore ecs ListAccountSettings.maxResults (verified)

# Source: AWS docs, "Access Amazon ECS features with account settings"; that tagResourceAuthorization is on in a new
# account is seen in public issues, and so is not that every account has it.
DEFAULTS = {
    "awsvpcTrunking": "disabled",
    "containerInsights": "disabled",
    "containerInstanceLongArnFormat": "enabled",
    "defaultLogDriverMode": "non-blocking",
    "dualStackIPv6": "enabled",
    "fargateFIPSMode": "disabled",
    "fargateTaskRetirementWaitPeriod": "7",
    "guardDutyActivate": "off",
    "serviceLongArnFormat": "enabled",
    "tagResourceAuthorization": "on",
    "taskLongArnFormat": "enabled",
}


class AccountSettings:
    """What was set in one account and Region, by principal: its root's settings are everybody's who has none."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._set: dict[str, dict[str, str]] = {}

    def put(self, principal: str, name: str, value: str) -> None:
        """
        Set *name* for *principal*.

        Raises
        ------
        InvalidParameterException
            If there is no such setting, or AWS alone sets it.
        """
        _known(name)
        if name == "guardDutyActivate":
            raise InvalidParameterException("guardDutyActivate is read-only.")
        self._set.setdefault(principal, {})[name] = value

    def delete(self, principal: str, name: str) -> str:
        """Forget it, and return what it was."""
        return self._set.get(principal, {}).pop(_known(name), "")

    def of(self, principal: str, *, effective: bool) -> dict[str, tuple[str, str]]:
        """Return value and principal of each setting; without *effective* those alone that *principal* has itself."""
        own = {name: (value, principal) for name, value in self._set.get(principal, {}).items()}
        if not effective:
            return own
        defaults = {name: (value, self.root) for name, value in DEFAULTS.items()}
        return defaults | {name: (value, self.root) for name, value in self._set.get(self.root, {}).items()} | own


def settings_of(backend: EC2ContainerServiceBackend) -> AccountSettings:
    """Return the settings of a region's ECS."""
    known: AccountSettings | None = getattr(backend, "_settings_by_principal", None)
    if known is None:
        known = AccountSettings(root_of(backend.account_id, partition=backend.partition).arn)
        backend._settings_by_principal = known
    return known


def tagging_is_authorized(backend: EC2ContainerServiceBackend, caller: Caller) -> bool:
    """Say whether tags at creation need ecs:TagResource of *caller*. Source: botocore ecs PutAccountSetting."""
    return settings_of(backend).of(_principal(caller), effective=True)["tagResourceAuthorization"][0] == "on"


def _principal(caller: Caller) -> str:
    """A session's settings are its role's (botocore: a principal is a user, a role, or the root)."""
    return caller.role_arn or caller.arn


def _known(name: str) -> str:
    if name not in DEFAULTS:
        raise InvalidParameterException(f"There is no account setting {name}.")
    return name


def install(world: World) -> None:
    """Let ECS answer for its account settings."""
    del world

    def asked(response: EC2ContainerServiceResponse) -> tuple[AccountSettings, str]:
        principal = response._get_param("principalArn") or _principal(current_call.get().caller)
        return settings_of(response.ecs_backend), principal

    def put(self: EC2ContainerServiceResponse, principal: str) -> ActionResult:
        name, value = self._get_param("name"), self._get_param("value")
        settings_of(self.ecs_backend).put(principal, name, value)
        return ActionResult({"setting": _shown(name, value, principal)})

    def put_account_setting(self: EC2ContainerServiceResponse) -> ActionResult:
        return put(self, asked(self)[1])

    def put_account_setting_default(self: EC2ContainerServiceResponse) -> ActionResult:
        return put(self, settings_of(self.ecs_backend).root)

    def delete_account_setting(self: EC2ContainerServiceResponse) -> ActionResult:
        settings, principal = asked(self)
        name = self._get_param("name")
        return ActionResult({"setting": _shown(name, settings.delete(principal, name), principal)})

    def list_account_settings(self: EC2ContainerServiceResponse) -> ActionResult:
        settings, principal = asked(self)
        name, value = self._get_param("name"), self._get_param("value")
        if name:
            _known(name)
        found = settings.of(principal, effective=bool(self._get_param("effectiveSettings")))
        chosen = [one for one in sorted(found) if name in (None, "", one) and value in (None, "", found[one][0])]
        names, token = page(chosen, self._get_param("nextToken"), self._get_int_param("maxResults") or MOST)
        return ActionResult({"settings": [_shown(one, *found[one]) for one in names], "nextToken": token})

    for operation in (put_account_setting, put_account_setting_default, delete_account_setting, list_account_settings):
        setattr(EC2ContainerServiceResponse, operation.__name__, operation)


def _shown(name: str, value: str, principal: str) -> dict[str, Any]:
    kind = "aws_managed" if name == "guardDutyActivate" else "user"
    return {"name": name, "value": value, "principalArn": principal, "type": kind}
