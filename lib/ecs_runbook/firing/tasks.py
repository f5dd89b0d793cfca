"""A task as ECS describes it: which revision it runs, how it stands, how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.calls import moment
from ecs_runbook.firing.names import definition

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

DESCRIBED_AT_ONCE = 100
BY_ITSELF = ("", "EssentialContainerExited")
"""Stop codes of a task that came to its own end; all others say that something else stopped it (botocore)."""


@dataclass(frozen=True)
class Task:
    """
    A task that ECS remembers.

    Attributes
    ----------
    arn, definition, cluster, started_by, launch_type
        As ECS says them; ``launch_type`` is the capacity provider where one was used.
    created
        When RunTask accepted it: the moment at which its revision was chosen.
    status
        ``lastStatus``: PROVISIONING … RUNNING … STOPPED.
    exit_code
        Of the essential container, the worst of several; None while it runs, and None if it never ran.
    error
        Why it ended badly, in ECS's words; ``""`` while it runs and after a good end.
    essential
        Names of its essential containers; None if that is not known.
    """

    arn: str
    definition: str
    cluster: str
    started_by: str
    launch_type: str
    created: datetime | None
    status: str
    exit_code: int | None
    error: str
    essential: tuple[str, ...] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ended_well(self) -> bool:
        """Whether it came to its own end with exit code 0: one that was stopped may have said 0 before it was done."""
        return self.status == "STOPPED" and self.exit_code == 0 and _by_itself(self.raw)

    @property
    def revision(self) -> int | None:
        """The revision that the task runs."""
        return definition(self.definition).revision


def read_task(described: Mapping[str, Any], essential: Sequence[str] | None = None) -> Task:
    """
    Read one task of DescribeTasks.

    Parameters
    ----------
    described
        The task in the API's casing.
    essential
        Names of its essential containers; None if that is not known, and then all containers have to agree.

    Examples
    --------
    >>> task = read_task({"taskArn": "t", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
    ...                   "stoppedReason": "Essential container in task exited",
    ...                   "containers": [{"name": "main", "exitCode": 3}]})
    >>> task.exit_code, task.error
    (3, 'EssentialContainerExited: Essential container in task exited')
    """
    status = described.get("lastStatus", "")
    code = exit_code(described, essential) if status == "STOPPED" else None
    return Task(
        arn=described.get("taskArn", ""),
        definition=described.get("taskDefinitionArn", ""),
        cluster=described.get("clusterArn", ""),
        started_by=described.get("startedBy", ""),
        launch_type=described.get("capacityProviderName") or described.get("launchType", ""),
        created=moment(described.get("createdAt")),
        status=status,
        exit_code=code,
        error=_reason(described) if status == "STOPPED" and not (code == 0 and _by_itself(described)) else "",
        essential=None if essential is None else tuple(essential),
        raw=described,
    )


def exit_code(described: Mapping[str, Any], essential: Sequence[str] | None = None) -> int | None:
    """
    Return the worst exit code of a stopped task's essential containers; None if one never ran, or if it is not known.

    Examples
    --------
    >>> containers = {"containers": [{"name": "main", "exitCode": 0}, {"name": "proxy", "exitCode": 137}]}
    >>> exit_code(containers, ["main"]), exit_code(containers, ["main", "proxy"]), exit_code(containers)
    (0, 137, None)
    """
    every = {container.get("name", ""): container.get("exitCode") for container in described.get("containers", [])}
    if essential is None and len(set(every.values())) > 1:
        return None
    codes: list[int | None] = [code for name, code in every.items() if essential is None or name in essential]
    return worst_code(codes)


def worst_code(codes: Sequence[int | None]) -> int | None:
    """
    Return what several exit codes come to: the worst bad one, else None if one is missing or there is none, else 0.

    Examples
    --------
    >>> worst_code([0, 137, None]), worst_code([0, None]), worst_code([0, 0]), worst_code([])
    (137, None, 0, None)
    """
    bad = [code for code in codes if code]
    if bad:
        return max(bad, key=abs)
    return None if not codes or None in codes else 0


def _by_itself(described: Mapping[str, Any]) -> bool:
    return (described.get("stopCode") or "") in BY_ITSELF


def _reason(described: Mapping[str, Any]) -> str:
    stopped = ": ".join(part for part in (described.get("stopCode"), described.get("stoppedReason")) if part)
    own = [container["reason"] for container in described.get("containers", []) if container.get("reason")]
    return "; ".join(dict.fromkeys(part for part in (stopped, *(one for one in own if one not in stopped)) if part))


def describe(arns: Sequence[str], *, cluster: str, ecs: ECSClient, ask: Asking) -> list[Task]:
    """
    Return the tasks of those ARNs, a hundred a call; those that ECS has forgotten in between are left out.

    Needs ``ecs:DescribeTasks``, and ``ecs:DescribeTaskDefinition`` for tasks of several containers, of which only the
    essential ones decide.
    """
    found: list[Mapping[str, Any]] = []
    for first in range(0, len(arns), DESCRIBED_AT_ONCE):
        some = list(arns[first : first + DESCRIBED_AT_ONCE])
        found += ask("ecs:DescribeTasks", ecs.describe_tasks, cluster=cluster, tasks=some).get("tasks", [])
    several = {task.get("taskDefinitionArn", "") for task in found if len(task.get("containers", [])) > 1}
    known = {arn: _essential_or_none(arn, ecs=ecs, ask=ask) for arn in sorted(several)}
    return [read_task(task, known.get(task.get("taskDefinitionArn", ""))) for task in found]


def list_tasks(*, cluster: str, ecs: ECSClient, ask: Asking, **only: str) -> Iterator[str]:
    """
    Yield the ARNs of running and stopped tasks, each once.

    *only* is one filter of ListTasks, ``family`` or ``startedBy``: ECS wants ``startedBy`` to be the only one. Running
    ones are listed first, so a task that stops in between is not lost. Needs ``ecs:ListTasks``.
    Source: botocore ecs ListTasks: RUNNING unless STOPPED is asked for; PENDING answers nothing.
    """
    seen: set[str] = set()
    for status in ("RUNNING", "STOPPED"):
        for page in ask.pages("ecs:ListTasks", ecs.list_tasks, cluster=cluster, desiredStatus=status, **only):
            fresh = [arn for arn in page.get("taskArns", []) if arn not in seen]
            seen.update(fresh)
            yield from fresh


def essential(name: str, *, ecs: ECSClient, ask: Asking) -> list[str]:
    """
    Return the names of the essential containers of a task definition; of the latest ACTIVE revision if *name* has none.

    Needs ``ecs:DescribeTaskDefinition``. Source: botocore ecs ContainerDefinition: essential unless said otherwise.
    """
    told = ask("ecs:DescribeTaskDefinition", ecs.describe_task_definition, taskDefinition=name)
    containers = told.get("taskDefinition", {}).get("containerDefinitions", [])
    return [container["name"] for container in containers if container.get("essential", True)]


def _essential_or_none(arn: str, *, ecs: ECSClient, ask: Asking) -> list[str] | None:
    try:
        return essential(arn, ecs=ecs, ask=ask)
    except AwsError:
        return None
