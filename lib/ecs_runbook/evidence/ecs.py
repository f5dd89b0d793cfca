"""The tasks that ECS still remembers: of a family, or all that stopped in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.tasks import DESCRIBED_AT_ONCE, Task, describe, essential, list_tasks, read_task

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


@dataclass(frozen=True)
class Remembered:
    """
    What ECS remembers of a cluster.

    Attributes
    ----------
    stopped
        The stopped tasks that were asked for.
    others
        How many stopped tasks were left out.
    running
        ARNs of the tasks that run, whoever started them.
    """

    stopped: tuple[Task, ...]
    others: int
    running: frozenset[str]


def stopped(
    cluster: str, *, ecs: ECSClient, wanted: Callable[[str], bool] = bool, ask: Asking | None = None
) -> Remembered:
    """
    Return the stopped tasks of *cluster* whose ``startedBy`` is *wanted*, and which tasks run.

    Raises
    ------
    AwsError
        If ECS refuses.

    Notes
    -----
    Needs ``ecs:ListTasks`` and ``ecs:DescribeTasks``, a hundred tasks a call; ``ecs:DescribeTaskDefinition`` for a
    definition of several containers that ended differently, of which only the essential ones decide.
    """
    ask = ask or Asking()
    arns: dict[str, list[str]] = {}
    for status in ("RUNNING", "STOPPED"):
        pages = ask.pages("ecs:ListTasks", ecs.list_tasks, cluster=cluster, desiredStatus=status)
        arns[status] = [arn for page in pages for arn in page.get("taskArns", [])]
    found: list[Mapping[str, Any]] = []
    for first in range(0, len(arns["STOPPED"]), DESCRIBED_AT_ONCE):
        some = arns["STOPPED"][first : first + DESCRIBED_AT_ONCE]
        found += ask("ecs:DescribeTasks", ecs.describe_tasks, cluster=cluster, tasks=some).get("tasks", [])
    own = [task for task in found if wanted(str(task.get("startedBy") or ""))]
    known: dict[str, list[str] | None] = {}
    for task in own:
        name = str(task.get("taskDefinitionArn", ""))
        if name not in known and len({one.get("exitCode") for one in task.get("containers", [])}) > 1:
            known[name] = _essential(name, ecs=ecs, ask=ask)
    tasks = tuple(read_task(task, known.get(str(task.get("taskDefinitionArn", "")))) for task in own)
    return Remembered(tasks, len(found) - len(own), frozenset(arns["RUNNING"]))


def _essential(name: str, *, ecs: ECSClient, ask: Asking) -> list[str] | None:
    try:
        return essential(name, ecs=ecs, ask=ask)
    except AwsError:
        return None
