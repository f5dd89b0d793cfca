"""
Where moto is bent to fit, apart from ECS and EventBridge: every patch of moto that the frame needs stands here.

moto has no registry for plug-ins, so functions are replaced. A test holds the signatures that are counted on.
"""

from __future__ import annotations

from typing import Any

from ecs_runbook.local_aws.world import World


def install(world: World) -> None:
    """Bend moto for *world*."""
    _sessions_are_found_by_key()


def _sessions_are_found_by_key() -> None:
    from moto.sts.models import STSBackend

    original = STSBackend.assume_role

    def assume_role(self: STSBackend, *args: Any, **kwargs: Any) -> Any:
        session = original(self, *args, **kwargs)
        session.access_key.session = session
        return session

    STSBackend.assume_role = assume_role
