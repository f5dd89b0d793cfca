"""The tasks of a family that ECS still remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.tasks import Task, describe, list_tasks

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient


def tasks(cluster: str, family: str, *, ecs: ECSClient, ask: Asking | None = None) -> list[Task]:
    """
    Return the tasks of *family* that ECS still remembers in *cluster*, whoever started them, running and stopped.

    Parameters
    ----------
    cluster
        Short name or ARN.
    family
        Task definition family, without a revision.
    ecs, ask
        An ECS client, and who counts its calls.

    Raises
    ------
    AwsError
        If ECS refuses.

    Notes
    -----
    ECS keeps stopped tasks for "at least one hour" (botocore ecs DescribeTasks); for older ones ask the trail.
    Needs ``ecs:ListTasks``, ``ecs:DescribeTasks``, and ``ecs:DescribeTaskDefinition`` for tasks of several containers.
    """
    ask = ask or Asking()
    return describe(
        list(list_tasks(cluster=cluster, ecs=ecs, ask=ask, family=family)), cluster=cluster, ecs=ecs, ask=ask
    )
