"""
Task definitions: which revision a reference means, and when each was registered and deregistered, by whom.

moto takes the newest revision for the latest, though it be INACTIVE, keeps no dates, gives a deleted revision's
number to the next, and takes a definition for instances outside of AWS for one for Fargate.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ecs.exceptions import TaskDefinitionNotFoundException
from moto.ecs.models import EC2ContainerServiceBackend, TaskDefinition
from moto.ecs.responses import EC2ContainerServiceResponse

from ecs_runbook.local_aws.world import World, current_call

PAGE = 100
_REFERENCE = re.compile(
    r"(?:arn:[^:]+:ecs:(?P<region>[^:]+):(?P<account>\d{12}):task-definition/)?(?P<family>[A-Za-z0-9_-]+)(?::(?P<revision>\d+))?"
)


def resolve(backend: EC2ContainerServiceBackend, reference: str) -> TaskDefinition | None:
    """
    Return the revision that *reference* means, or None.

    Parameters
    ----------
    reference
        ``family``, ``family:revision``, or an ARN of either form. Without a revision it means the latest ACTIVE one;
        with one, that one, whatever its status.

    Notes
    -----
    Source: botocore ecs RunTask.taskDefinition, "If a revision isn't specified, the latest ACTIVE revision is used"
    (verified).
    """
    parts = _REFERENCE.fullmatch(reference)
    if (
        parts is None
        or parts["region"] not in {None, backend.region_name}
        or parts["account"] not in {None, backend.account_id}
    ):
        return None
    revisions = backend.task_definitions.get(parts["family"], {})
    if parts["revision"]:
        return revisions.get(int(parts["revision"]))
    return max((r for r in revisions.values() if r.status == "ACTIVE"), key=lambda r: int(r.revision), default=None)


def listed(
    backend: EC2ContainerServiceBackend, *, family: str = "", status: str = "ACTIVE", newest_first: bool = False
) -> list[str]:
    """
    Return the ARNs of all revisions of that status, by family and then revision, or all the other way round.

    Notes
    -----
    Source: botocore ecs ListTaskDefinitions.sort (verified).
    """
    found = [
        revision
        for name, revisions in backend.task_definitions.items()
        if family in {"", name}
        for revision in revisions.values()
        if revision.status == status
    ]
    found.sort(key=lambda r: (r.family, int(r.revision)), reverse=newest_first)
    return [str(revision.arn) for revision in found]


def page(items: list[str], token: str | None, size: int | None) -> tuple[list[str], str | None]:
    """
    Return one page of *items*, and the token of the next.

    Examples
    --------
    >>> page(["a", "b", "c"], None, 2)
    (['a', 'b'], '2')
    >>> page(["a", "b", "c"], "2", 2)
    (['c'], None)
    """
    start = int(token) if token and token.isdecimal() else 0
    end = start + (size or PAGE)
    return items[start:end], str(end) if end < len(items) else None


def install(world: World) -> None:
    """Give moto's task definitions their dates, and references their meaning."""
    _dates(
        EC2ContainerServiceBackend.register_task_definition,
        EC2ContainerServiceBackend.deregister_task_definition,
        world.clock.now,
    )
    _numbers_are_never_reused()
    _outside_is_not_fargate()

    def describe(self: EC2ContainerServiceBackend, task_definition_str: str) -> TaskDefinition:
        found = resolve(self, task_definition_str)
        if found is None:
            raise TaskDefinitionNotFoundException
        return found

    def list_task_definitions(self: EC2ContainerServiceResponse) -> ActionResult:
        arns = listed(
            self.ecs_backend,
            family=self._get_param("familyPrefix") or "",
            status=self._get_param("status") or "ACTIVE",
            newest_first=self._get_param("sort") == "DESC",
        )
        found, token = page(arns, self._get_param("nextToken"), self._get_int_param("maxResults"))
        return ActionResult({"taskDefinitionArns": found, "nextToken": token})

    EC2ContainerServiceBackend.describe_task_definition = describe
    EC2ContainerServiceResponse.list_task_definitions = list_task_definitions


def _dates(register: Callable[..., Any], deregister: Callable[..., Any], now: Callable[[], datetime]) -> None:
    def register_task_definition(self: EC2ContainerServiceBackend, *args: Any, **kwargs: Any) -> TaskDefinition:
        definition = register(self, *args, **kwargs)
        definition.registered_at = now()
        call = current_call.get(None)
        definition.registered_by = call.caller.arn if call else None
        return definition

    def deregister_task_definition(self: EC2ContainerServiceBackend, task_definition_str: str) -> TaskDefinition:
        definition = deregister(self, task_definition_str)
        if getattr(definition, "deregistered_at", None) is None:
            definition.deregistered_at = now()
        return definition

    EC2ContainerServiceBackend.register_task_definition = register_task_definition
    EC2ContainerServiceBackend.deregister_task_definition = deregister_task_definition


def _outside_is_not_fargate() -> None:
    """Keep the mode of a definition for EXTERNAL, which is never awsvpc. Source: AWS docs, ECS Anywhere (verified)."""
    register = EC2ContainerServiceBackend.register_task_definition

    def register_task_definition(self: EC2ContainerServiceBackend, *args: Any, **kwargs: Any) -> TaskDefinition:
        definition = register(self, *args, **kwargs)
        required = definition.requires_compatibilities or []
        if "EXTERNAL" in required and "FARGATE" not in required:
            definition.compatibilities = ["EXTERNAL", "EC2"]
            definition.network_mode = kwargs.get("network_mode") or "bridge"
        return definition

    EC2ContainerServiceBackend.register_task_definition = register_task_definition


def _numbers_are_never_reused() -> None:
    """Remember every family's highest number. Source: botocore ecs DeleteTaskDefinitions (verified)."""
    highest = EC2ContainerServiceBackend._get_last_task_definition_revision_id

    def _get_last_task_definition_revision_id(self: EC2ContainerServiceBackend, family: str) -> int:
        seen: dict[str, int] = self.__dict__.setdefault("_highest_revisions", {})
        seen[family] = max(highest(self, family) or 0, seen.get(family, 0))
        return seen[family]

    delete = EC2ContainerServiceBackend.delete_task_definitions

    def delete_task_definitions(self: EC2ContainerServiceBackend, task_definitions: list[str]) -> Any:
        for family in self.task_definitions:
            _get_last_task_definition_revision_id(self, family)
        return delete(self, task_definitions)

    EC2ContainerServiceBackend._get_last_task_definition_revision_id = _get_last_task_definition_revision_id
    EC2ContainerServiceBackend.delete_task_definitions = delete_task_definitions
