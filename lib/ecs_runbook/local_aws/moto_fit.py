"""
Where moto is bent to fit, apart from ECS and EventBridge: what the frame needs of IAM and STS.

moto has no registry for plug-ins, so functions are replaced. A test holds the signatures that are counted on.
"""

from __future__ import annotations

import os
from typing import Any

from ecs_runbook.local_aws.identity import root_of
from ecs_runbook.local_aws.world import World


def install(world: World) -> None:
    """Bend moto for *world*."""
    from moto.core.config import default_user_config

    # People attach AWS's own managed policies; moto needs 80 ms to load them.
    default_user_config["iam"]["load_aws_managed_policies"] = True
    # No container of Lambda or Batch is ever started: the local AWS runs nothing.
    default_user_config["lambda"]["use_docker"] = False
    default_user_config["batch"]["use_docker"] = False
    # Without it moto looks for every key in every partition, and makes an IAM of each for that.
    os.environ["MOTO_ACCOUNT_ID"] = world.account
    _sessions_are_found_by_key(world)
    _an_unknown_key_is_the_root()


def _sessions_are_found_by_key(world: World) -> None:
    from moto.sts.models import STSBackend

    original = STSBackend.assume_role

    def assume_role(self: STSBackend, *args: Any, **kwargs: Any) -> Any:
        session = original(self, *args, **kwargs)
        session.access_key.session = session
        session.access_key.create_date = world.clock.now()
        return session

    STSBackend.assume_role = assume_role


def _an_unknown_key_is_the_root() -> None:
    from moto.sts.models import STSBackend

    original = STSBackend.get_caller_identity

    def get_caller_identity(self: STSBackend, access_key_id: str, region: str) -> tuple[str, str, str]:
        user_id, arn, account = original(self, access_key_id, region)
        if arn.endswith(":user/moto"):
            root = root_of(account, access_key_id, self.partition)
            return root.principal_id, root.arn, account
        return user_id, arn, account

    STSBackend.get_caller_identity = get_caller_identity
