"""Where a task would run: the launch type, or what the capacity providers come to."""

from __future__ import annotations

from typing import Literal

from ecs_runbook.firing.names import short
from ecs_runbook.inventory.model import Absent, Cluster, Gap, Request, Row, Told

Launch = Literal["FARGATE", "EC2", "EXTERNAL", "own provider"]
"""``own provider``: a capacity provider of the account's own, which is EC2, or instances that ECS manages."""

FARGATE_PROVIDERS = ("FARGATE", "FARGATE_SPOT")


def launch_of(row: Row, cluster: Told[Cluster]) -> Told[Launch]:
    """
    Return where *row*'s tasks would run.

    The launch type decides, else the target's strategy, else the cluster's default strategy, else EC2.

    Notes
    -----
    Source: botocore ecs RunTask (verified); that EC2 comes last: public issues about "Assign public IP is not
    supported for this launch type." (seen).
    """
    return launch_of_request(row.request, cluster)


def launch_of_request(request: Request, cluster: Told[Cluster]) -> Told[Launch]:
    """Return where the tasks of *request* would run, as :func:`launch_of` does."""
    if request.launch_type:
        return request.launch_type  # type: ignore[return-value]  # AWS takes these three alone
    if request.strategy:
        return _of_providers(request.strategy)
    if isinstance(cluster, (Absent, Gap)):
        return cluster
    return _of_providers(cluster.default_strategy) if cluster.default_strategy else "EC2"


def why(row: Row, cluster: Told[Cluster]) -> str:
    """Return in words what decides where *row*'s tasks would run."""
    request = row.request
    if request.launch_type:
        return f"its launch type is {request.launch_type}"
    if request.strategy:
        return f"its capacity providers are {', '.join(request.strategy)}"
    if isinstance(cluster, Cluster) and cluster.default_strategy:
        return f"it names no launch type, and the cluster's default is {', '.join(cluster.default_strategy)}"
    return "it names no launch type, and the cluster has no default strategy, so that it is EC2"


def _of_providers(names: tuple[str, ...]) -> Launch:
    return "FARGATE" if set(map(short, names)) <= set(FARGATE_PROVIDERS) else "own provider"
