"""
What a Fargate task needs before its first container starts: its secrets, its registry, its log group, its image.

What is in the way is said in AWS's words, where these are known. Source: AWS docs, "Amazon ECS stopped tasks error
messages" and "task_cannot_pull_image" (verified for what they begin with), public issues for the rest. Not verified:
the order of the steps, and every text's end after the last colon. A definition without an execution role passes: AWS
does not let it be registered with anything that needs one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_runbook.local_aws import permissions, routes
from ecs_runbook.local_aws.identity import role_of

_ECR = re.compile(r"(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)")
_REGISTRY_AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: "
_RETRIEVAL = _REGISTRY_AUTH + "execution resource retrieval failed: "
_RETRIED = "service call has been retried 1 time(s): "
_LOGGER = "ResourceInitializationError: failed to validate logger args: "
_TIMED_OUT = (
    "exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed"
)


@dataclass(frozen=True)
class Hindrance:
    """Why a task does not start: *reason* is ECS's; *container* is the one whose image cannot be pulled."""

    reason: str
    container: str = ""


@dataclass(frozen=True)
class Beginning:
    """
    A task that is about to start.

    Parameters
    ----------
    containers
        Of the definition, as the API has them.
    role
        The execution role's ARN, or nothing.
    task_id, region, account
        The task's.
    subnet, public_ip
        Where its interface is, and whether that has a public address.
    ec2
        moto's backend of the region.
    """

    containers: list[dict[str, Any]]
    role: str
    task_id: str
    region: str
    account: str
    subnet: str
    public_ip: bool
    ec2: Any

    def reaches(self, service: str) -> bool:
        """Say whether it reaches an AWS service."""
        return routes.reaches(self.ec2, self.subnet, service, public_ip=self.public_ip)

    def denied(self, action: str, resource: str) -> str:
        """Say why its execution role may not do something; nothing if it may, or if there is no role."""
        if not self.role:
            return ""
        try:
            permissions.require(role_of(self.role, self.account, self.task_id), action, resource)
        except permissions.AccessDenied as refusal:
            return f"AccessDeniedException: {refusal.message}"
        return ""


def hindrance(task: Beginning) -> Hindrance | None:
    """Return what keeps a task from starting, or None."""
    steps: tuple[Callable[[Beginning], Iterator[Hindrance]], ...] = (_registry, _secrets, _logs, _images)
    return next((found for step in steps for found in step(task)), None)


# -------- registry


def _ecr(image: str) -> re.Match[str] | None:
    return _ECR.match(image)


def _registry(task: Beginning) -> Iterator[Hindrance]:
    regions = {found[2] for container in task.containers if (found := _ecr(container["image"]))}
    for region in sorted(regions):
        if not task.reaches("ecr.api"):
            yield Hindrance(no_way_to_ecr(region))
        if why := task.denied("ecr:GetAuthorizationToken", "*"):
            yield Hindrance(f"{_RETRIEVAL}unable to retrieve ecr registry auth: {_RETRIED}{why}")


def no_way_to_ecr(region: str) -> str:
    """Return the words that a task without a way to ECR is stopped with (seen in public issues)."""
    return (
        f"{_REGISTRY_AUTH}The task cannot pull registry auth from Amazon ECR: There is a connection issue between the "
        "task and Amazon ECR. Check your task network configuration. operation error ECR: GetAuthorizationToken, "
        f'{_TIMED_OUT}, Post "https://api.ecr.{region}.amazonaws.com/": dial tcp: i/o timeout'
    )


# -------- secrets


def _secrets(task: Beginning) -> Iterator[Hindrance]:
    for container in task.containers:
        wanted = [one["valueFrom"] for one in container.get("secrets") or []]
        wanted += [(container.get("repositoryCredentials") or {}).get("credentialsParameter")]
        for source in filter(None, wanted):
            yield from _from_asm(task, source) if ":secretsmanager:" in source else _from_ssm(task, source)


def _from_asm(task: Beginning, source: str) -> Iterator[Hindrance]:
    arn = ":".join(source.split(":")[:7])
    fetching = f"failed to fetch secret {arn} from secrets manager: "
    failed = f"{_RETRIEVAL}unable to retrieve secret from asm: {_RETRIED}{fetching}"
    if not task.reaches("secretsmanager"):  # these words are not verified
        yield Hindrance(
            f"{_REGISTRY_AUTH}unable to retrieve secret from asm: There is a connection issue between the task and AWS "
            f"Secrets Manager. Check your task network configuration. {fetching}{_TIMED_OUT}"
        )
    if why := task.denied("secretsmanager:GetSecretValue", arn):
        yield Hindrance(failed + why)
    if not _has_secret(arn):
        yield Hindrance(f"{failed}ResourceNotFoundException: Secrets Manager can't find the specified secret.")


def _has_secret(arn: str) -> bool:
    from moto.secretsmanager.models import secretsmanager_backends

    parts = arn.split(":")
    return len(parts) < 7 or secretsmanager_backends[parts[4]][parts[3]].secrets.get(arn) is not None


def _from_ssm(task: Beginning, source: str) -> Iterator[Hindrance]:
    """None of these words is verified, only that they begin as those of Secrets Manager do."""
    from moto.ssm.models import ssm_backends

    name = source.split(":parameter", 1)[-1] if source.startswith("arn:") else source
    region = source.split(":")[3] if source.startswith("arn:") else task.region
    arn = source if source.startswith("arn:") else f"arn:aws:ssm:{region}:{task.account}:parameter/{name.lstrip('/')}"
    if not task.reaches("ssm"):
        yield Hindrance(
            f"{_REGISTRY_AUTH}unable to retrieve secrets from ssm: There is a connection issue between the task and "
            f"AWS Systems Manager Parameter Store. Check your task network configuration. {_TIMED_OUT}"
        )
    if why := task.denied("ssm:GetParameters", arn):
        yield Hindrance(f"{_RETRIEVAL}unable to retrieve secrets from ssm: {_RETRIED}{why}")
    parameters = ssm_backends[arn.split(":")[4]][region]
    if all(parameters.get_parameter(one) is None for one in {name, name.lstrip("/")}):
        yield Hindrance(f"{_RETRIEVAL}unable to retrieve secrets from ssm: invalid parameters: {name}")


# -------- log groups


def _logs(task: Beginning) -> Iterator[Hindrance]:
    for container in task.containers:
        logs = container.get("logConfiguration") or {}
        if task.role and logs.get("logDriver") == "awslogs":
            yield from _log_group(task, logs.get("options") or {})


def _log_group(task: Beginning, options: Mapping[str, str]) -> Iterator[Hindrance]:
    from moto.logs.models import logs_backends

    name, region = options.get("awslogs-group", ""), options.get("awslogs-region") or task.region
    if not task.reaches("logs"):
        yield Hindrance(
            f"{_LOGGER}The task cannot find the Amazon CloudWatch log group defined in the task definition. There is a "
            "connection issue between the task and Amazon CloudWatch. Check your network configuration."
        )
    arn = f"arn:{task.role.split(':')[1]}:logs:{region}:{task.account}:log-group:{name}"
    backend = logs_backends[task.account][region]
    if name not in backend.groups and str(options.get("awslogs-create-group", "")).lower() == "true":
        if why := task.denied("logs:CreateLogGroup", f"{arn}:log-stream:"):
            yield Hindrance(
                f"{_LOGGER}create stream has been retried 1 times: failed to create Cloudwatch log group: {why}"
            )
        backend.create_log_group(name, {})
    failed = f"{_LOGGER}create stream has been retried 1 times: failed to create Cloudwatch log stream: "
    if why := task.denied("logs:CreateLogStream", f"{arn}:log-stream:{task.task_id}"):
        yield Hindrance(failed + why)
    if name not in backend.groups:
        yield Hindrance(f"{failed}ResourceNotFoundException: The specified log group does not exist. : exit status 1")


# -------- images


def _images(task: Beginning) -> Iterator[Hindrance]:
    for container in task.containers:
        image, name = container["image"], container["name"]
        ecr = _ecr(image)
        if not _way_to_image(task, ecr):
            yield Hindrance(_unresolved(image), name)
        if ecr is not None and _may_not_pull(task, ecr):  # verified up to its second sentence
            yield Hindrance(
                "CannotPullContainerError: The task can't pull the image. Check that the role has the permissions to "
                "pull images from the registry.",
                name,
            )


def _way_to_image(task: Beginning, ecr: re.Match[str] | None) -> bool:
    if ecr is None:
        return routes.leads_out(task.ec2, task.subnet, public_ip=task.public_ip)
    return task.reaches("ecr.dkr") and task.reaches("s3")


def _may_not_pull(task: Beginning, ecr: re.Match[str]) -> bool:
    """Ask the execution role's policies; a repository with a policy of its own may let it in, and is not asked."""
    from moto.ecr.models import ecr_backends

    account, region, name = ecr.groups()
    repository = ecr_backends[account][region].repositories.get(name)
    if getattr(repository, "policy", None):
        return False
    arn = f"arn:{(task.role or 'arn:aws').split(':')[1]}:ecr:{region}:{account}:repository/{name}"
    return any(task.denied(action, arn) for action in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"))


def _unresolved(image: str) -> str:
    """Return the words for a registry that does not answer; after ``failed to resolve ref`` they are not verified."""
    ref = full_image(image)
    registry, _, rest = ref.partition("/")
    name, _, tag = rest.rpartition(":")
    host = "registry-1.docker.io" if registry == "docker.io" else registry
    asked = f"https://{host}/v2/{name.removesuffix('@sha256')}/manifests/{tag}"
    return (
        f"CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref {ref}: "
        f'failed to do request: Head "{asked}": dial tcp: i/o timeout'
    )


def image_not_found(image: str) -> str:
    """Return the words of AWS docs, "task_cannot_pull_image" (verified up to the image's name)."""
    ref = full_image(image)
    return (
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): "
        f"failed to resolve ref {ref}: {ref}: not found"
    )


def full_image(image: str) -> str:
    """
    Return an image's name with its registry and tag.

    Examples
    --------
    >>> full_image("nginx"), full_image("me/app:1")
    ('docker.io/library/nginx:latest', 'docker.io/me/app:1')
    >>> full_image("123456789012.dkr.ecr.eu-west-2.amazonaws.com/app@sha256:0a")
    '123456789012.dkr.ecr.eu-west-2.amazonaws.com/app@sha256:0a'
    """
    first, _, rest = image.partition("/")
    if not rest:
        image = f"docker.io/library/{image}"
    elif not ("." in first or ":" in first or first == "localhost"):
        image = f"docker.io/{image}"
    return image if ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"
