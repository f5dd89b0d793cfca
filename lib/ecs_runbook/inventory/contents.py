"""What one revision of a task definition names besides its roles: log groups and images, and whether they are there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.gate import gap_of
from ecs_runbook.inventory.model import Absent, Contents, Definition, Image, LogGroup, Place, Told
from ecs_runbook.inventory.scope import EVERYTHING, Scope

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.(amazonaws\.com(\.cn)?|on\.aws)"
    r"/(?P<repository>[^:@]+)(:(?P<tag>[^@]+))?(@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_NOT_THERE = frozenset({"RepositoryNotFoundException", "ImageNotFoundException"})


def contents(revision: Definition, place: Place, fleet: Fleet, *, scope: Scope = EVERYTHING) -> Contents:
    """
    Ask whether the log groups and the images are there that *revision* names.

    Parameters
    ----------
    revision
        What would run.
    place
        Where it is registered; a log group or an image of another Region is asked for there.
    fleet
        Who asks.
    scope
        What is asked: log groups, images, or both.

    Returns
    -------
    Contents
        Log groups that ECS makes itself (``awslogs-create-group``) and images outside ECR are not asked for.

    Notes
    -----
    Needs ``logs:DescribeLogGroups`` (a call a log group) and ``ecr:DescribeImages`` (a call an image).
    """
    own, ask = fleet.at(place), fleet.ask(place)

    def client(service: str, region: str) -> Any:
        return (own if region == place.region else own.elsewhere(region=region)).client(service)

    groups = log_groups_of(revision.raw, place.region) if scope.asks("logs:DescribeLogGroups") else ()
    images = {text: ecr_image(text) for text in revision.images if scope.asks("ecr:DescribeImages")}
    return Contents(
        log_groups={group: _group(group, client("logs", group.region), ask) for group in dict.fromkeys(groups)},
        images={text: _image(image, client("ecr", image.region), ask) for text, image in images.items() if image},
        elsewhere=tuple(text for text, image in images.items() if image is None),
    )


def log_groups_of(told: Mapping[str, Any], region: str) -> list[LogGroup]:
    """
    Return the log groups that have to be there before a task of this definition starts.

    Notes
    -----
    Source: AWS docs, ECS developer guide, "awslogs log driver": without awslogs-create-group the group has to exist
    (verified).

    Examples
    --------
    >>> options = {"awslogs-group": "/ecs/nightly", "awslogs-stream-prefix": "ecs"}
    >>> told = {"containerDefinitions": [{"logConfiguration": {"logDriver": "awslogs", "options": options}}]}
    >>> log_groups_of(told, "eu-west-2")
    [LogGroup(region='eu-west-2', name='/ecs/nightly')]
    """
    found = []
    for container in told.get("containerDefinitions") or ():
        logs = container.get("logConfiguration") or {}
        options = logs.get("options") or {}
        made_by_ecs = str(options.get("awslogs-create-group", "")).lower() == "true"
        if logs.get("logDriver") == "awslogs" and options.get("awslogs-group") and not made_by_ecs:
            found.append(LogGroup(str(options.get("awslogs-region") or region), str(options["awslogs-group"])))
    return found


def ecr_image(text: str) -> Image | None:
    """
    Read an image of ECR; None if it is another registry's.

    Examples
    --------
    >>> ecr_image("111122223333.dkr.ecr.eu-west-2.amazonaws.com/team/app:42")
    Image(account='111122223333', region='eu-west-2', repository='team/app', tag='42', digest='')
    >>> ecr_image("public.ecr.aws/docker/library/busybox:1.37")
    """
    found = _ECR.fullmatch(text)
    if found is None:
        return None
    tag = found["tag"] or ("" if found["digest"] else "latest")
    return Image(found["account"], found["region"], found["repository"], tag, found["digest"] or "")


def _group(group: LogGroup, logs: CloudWatchLogsClient, ask: Asking) -> Told[bool]:
    try:
        pages = ask.pages("logs:DescribeLogGroups", logs.describe_log_groups, logGroupNamePrefix=group.name)
        names = {str(one["logGroupName"]) for page in pages for one in page.get("logGroups", [])}
    except AwsError as error:
        return gap_of(error)
    return True if group.name in names else Absent(f"CloudWatch Logs has no group {group.name} in {group.region}")


def _image(image: Image, ecr: Any, ask: Asking) -> Told[bool]:
    wanted = {"imageDigest": image.digest} if image.digest else {"imageTag": image.tag}
    try:
        ask(
            "ecr:DescribeImages",
            ecr.describe_images,
            registryId=image.account,
            repositoryName=image.repository,
            imageIds=[wanted],
        )
    except AwsError as error:
        return Absent(f"ECR says: {error.words}") if error.code in _NOT_THERE else gap_of(error)
    return True
