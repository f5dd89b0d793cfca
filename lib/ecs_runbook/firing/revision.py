"""Register a revision as a deploy does, with nothing else touched; deregister the revisions that are ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from ecs_runbook.errors import EvidenceError, Fault, SpecError
from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.firing.names import definition

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

DEREGISTERED_COLUMNS = ["family", "revision", "arn", "deregistered", "because"]
OWNER_TAG = "ecs-runbook"


class Registered(NamedTuple):
    """A revision that was registered."""

    family: str
    revision: int
    arn: str


def register_again(
    family: str,
    *,
    ecs: ECSClient,
    image: str = "",
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
    container: str = "",
    ask: Asking | None = None,
) -> Registered:
    """
    Register a new revision of *family*: the latest ACTIVE one, with some of one container changed.

    This is what a deploy pipeline does. Rule, target and roles are not touched.

    Parameters
    ----------
    family
        Task definition family, without a revision.
    ecs, ask
        An ECS client, and who counts its calls.
    image, command
        The container's new ones; what is not given stays.
    environment
        Variables to set; those that are there already and not named here stay.
    container
        Its name, if the task definition has several.

    Raises
    ------
    SpecError
        If the image's name is none: a revision with it could not run, and would be the latest all the same.
    EvidenceError
        If the container is not there, or there are several and none was named.
    AwsError
        If ECS refuses, also if there is no such family: ``ClientException: Unable to describe task definition.``

    Notes
    -----
    Needs ``ecs:DescribeTaskDefinition``, ``ecs:RegisterTaskDefinition``, ``ecs:TagResource`` if it has tags, and
    ``iam:PassRole`` on its roles. What may be registered is taken from the API's own model, so nothing is lost when
    AWS adds a field.
    """
    if image:
        _require_image(image)
    ask = ask or Asking()
    told = ask("ecs:DescribeTaskDefinition", ecs.describe_task_definition, taskDefinition=family, include=["TAGS"])
    shape = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
    allowed = shape.members if shape else {}
    fields = {name: value for name, value in told["taskDefinition"].items() if name in allowed}
    changed = _container(fields["containerDefinitions"], container, family)
    changed |= {"image": image} if image else {}
    changed |= {"command": list(command)} if command is not None else {}
    if environment is not None:
        known = {one["name"]: one["value"] for one in changed.get("environment", [])} | dict(environment)
        changed["environment"] = [{"name": name, "value": value} for name, value in known.items()]
    fields["containerDefinitions"] = [
        changed if one["name"] == changed["name"] else one for one in fields["containerDefinitions"]
    ]
    # AWS keeps tags that begin with aws: to itself.
    tags = [tag for tag in told.get("tags", []) if not tag["key"].lower().startswith("aws:")]
    made = ask("ecs:RegisterTaskDefinition", ecs.register_task_definition, **fields, **({"tags": tags} if tags else {}))
    return Registered(family, made["taskDefinition"]["revision"], made["taskDefinition"]["taskDefinitionArn"])


def deregister(
    family: str, *, ecs: ECSClient, owner: str, progress: Bars | None = None, ask: Asking | None = None
) -> pd.DataFrame:
    """
    Deregister the ACTIVE revisions of *family* that carry the tag ``ecs-runbook = <owner>``; name the others.

    Parameters
    ----------
    family
        Task definition family, without a revision.
    ecs, ask
        An ECS client, and who counts its calls.
    owner
        The tag's value: the name in the spec.
    progress
        Shows how many have been looked at: AWS deregisters one a second, after the first twenty (AWS docs).

    Returns
    -------
    pandas.DataFrame
        One row per ACTIVE revision, newest first, columns :data:`DEREGISTERED_COLUMNS`. A family without one gives an
        empty frame with the same columns.

    Raises
    ------
    AwsError
        If ECS refuses.

    Notes
    -----
    Needs ``ecs:ListTaskDefinitions``, ``ecs:DescribeTaskDefinition`` and ``ecs:DeregisterTaskDefinition``.
    """
    ask = ask or Asking()
    pages = ask.pages(
        "ecs:ListTaskDefinitions", ecs.list_task_definitions, familyPrefix=family, status="ACTIVE", sort="DESC"
    )
    arns = [arn for page in pages for arn in page["taskDefinitionArns"] if definition(arn).family == family]
    rows = []
    for looked, arn in enumerate(arns, start=1):
        told = ask("ecs:DescribeTaskDefinition", ecs.describe_task_definition, taskDefinition=arn, include=["TAGS"])
        tags = {tag["key"]: tag.get("value", "") for tag in told.get("tags", [])}
        ours = tags.get(OWNER_TAG) == owner
        if ours:
            ask("ecs:DeregisterTaskDefinition", ecs.deregister_task_definition, taskDefinition=arn)
        because = f"tagged {OWNER_TAG} = {owner}" if ours else f"not tagged {OWNER_TAG} = {owner}: left as it is"
        rows.append([family, definition(arn).revision, arn, ours, because])
        if progress:
            progress.row(family, looked / len(arns), f"{looked} of {len(arns)} revisions")
    return pd.DataFrame(rows, columns=DEREGISTERED_COLUMNS).astype({"revision": "Int64", "deregistered": bool})


def _require_image(image: str) -> None:
    from ecs_runbook.wanted.spec import image_name

    try:
        image_name(image)
    except ValueError as wrong:
        raise SpecError("Nothing was registered:", faults=[Fault("image", repr(image), str(wrong))]) from None


def _container(containers: Sequence[dict[str, Any]], name: str, family: str) -> dict[str, Any]:
    names = ", ".join(one["name"] for one in containers)
    if not name and len(containers) > 1:
        raise EvidenceError(f"{family} has {len(containers)} containers.", hint=f"Give container as one of: {names}.")
    found = [one for one in containers if not name or one["name"] == name]
    if not found:
        raise EvidenceError(f"container = {name!r}: {family} has no such container.", hint=f"It has: {names}.")
    return dict(found[0])
