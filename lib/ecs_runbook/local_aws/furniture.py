"""To come."""

from __future__ import annotations

from ecs_runbook.local_aws.world import World


def install(world: World) -> None:
    """Nothing yet."""
