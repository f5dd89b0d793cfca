"""The network that a target gives its tasks: whether it is there, is one VPC, and leads to the registry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from ecs_runbook.checks.findings import Finding
from ecs_runbook.checks.launching import launch_of
from ecs_runbook.checks.saying import Check, Scene, listed, ng, ok, skip
from ecs_runbook.checks.targets import cluster_of
from ecs_runbook.inventory.model import Absent, Definition, Gap, Network, Row, Subnet, Told

T = TypeVar("T")

_INTERNET = "the internet"

_ECR = re.compile(r"(\d{12})\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(\.cn)?|on\.aws)/")
_PUBLIC = re.compile(
    r"(docker\.io|index\.docker\.io|registry-1\.docker\.io|public\.ecr\.aws|ghcr\.io|quay\.io|mcr\.microsoft\.com"
    r"|registry\.gitlab\.com|([a-z]+\.)?gcr\.io|registry\.k8s\.io|[a-z0-9-]+-docker\.pkg\.dev)/"
)


class _Seen(NamedTuple):
    """What AWS said of several things that a row names: those that are there, those that are not, and the first gap."""

    there: dict[str, Any]
    missing: list[str]
    gap: Gap | None


def _look(names: Iterable[str], told: Mapping[str, Told[T]], operation: str) -> _Seen:
    seen = _Seen({}, [], None)
    for name in names:
        answer = told.get(name, Gap(operation, f"{name} was not asked for"))
        if isinstance(answer, Gap):
            seen = seen._replace(gap=seen.gap or answer)
        elif isinstance(answer, Absent):
            seen.missing.append(name)
        else:
            seen.there[name] = answer
    return seen


def _subnets(network: Network, scene: Scene) -> _Seen:
    return _look(network.subnets, scene.facts.subnets, "ec2:DescribeSubnets")


def _groups(network: Network, scene: Scene) -> _Seen:
    return _look(network.security_groups, scene.facts.security_groups, "ec2:DescribeSecurityGroups")


def subnets(row: Row, scene: Scene) -> Iterator[Finding]:
    """``subnet-missing``: a subnet that was deleted."""
    network = row.request.network
    if network is not None and network.subnets:
        yield from _there("subnet-missing", "subnet", row, _subnets(network, scene))


def groups(row: Row, scene: Scene) -> Iterator[Finding]:
    """``security-group-missing``: a security group that was deleted."""
    network = row.request.network
    if network is not None and network.security_groups:
        yield from _there("security-group-missing", "security group", row, _groups(network, scene))


def _there(check: str, what: str, row: Row, seen: _Seen) -> Iterator[Finding]:
    if seen.missing:
        several = "s" if len(seen.missing) > 1 else ""
        because = f"there is no {what} {listed(seen.missing)}"
        yield ng(check, row, because, f"Take the {what}{several} {listed(seen.missing)} out, or name another.")
    elif seen.gap:
        yield skip(check, row, seen.gap)
    else:
        yield ok(check, row, f"{listed(list(seen.there))}")


def vpcs(row: Row, scene: Scene) -> Iterator[Finding]:
    """``two-vpcs``: subnets and security groups that cannot meet."""
    network = row.request.network
    if network is None or len(network.subnets) + len(network.security_groups) < 2:
        return
    own, others = _subnets(network, scene), _groups(network, scene)
    by_vpc: dict[str, list[str]] = {}
    for name, subnet in own.there.items():
        by_vpc.setdefault(subnet.vpc, []).append(name)
    for name, vpc in others.there.items():
        by_vpc.setdefault(vpc, []).append(name)
    if len(by_vpc) > 1:
        because = "; ".join(f"{listed(names)} in {vpc}" for vpc, names in by_vpc.items())
        first = next(iter(by_vpc))
        yield ng("two-vpcs", row, because, f"Take subnets and security groups of one VPC, such as {first}.")
    elif gap := own.gap or others.gap:
        yield skip("two-vpcs", row, gap)
    elif by_vpc:
        yield ok("two-vpcs", row, f"all in {next(iter(by_vpc))}")


# -------- the way to the registry


def way_out(row: Row, scene: Scene) -> Iterator[Finding]:
    """
    ``no-way-out``: a Fargate task that cannot reach its registry from one of its subnets.

    Of tasks on EC2 the instance pulls the image, by its own network: the subnets of the target say nothing of that.
    """
    check, network = "no-way-out", row.request.network
    launch, revision = launch_of(row, cluster_of(row, scene)), scene.facts.resolved(row)
    if network is None or not network.subnets or isinstance(launch, Absent) or isinstance(revision, Absent):
        return
    if isinstance(launch, Gap):
        yield skip(check, row, launch)
        return
    if launch != "FARGATE":
        return
    seen = _subnets(network, scene)
    ways = [_way(subnet, network, revision, row) for subnet in seen.there.values()]
    gaps = [one for one in (seen.gap, *ways) if isinstance(one, Gap)]
    if stuck := [way for way in ways if isinstance(way, _Stuck)]:
        because = "; ".join(dict.fromkeys(way.because for way in stuck))
        yield ng(check, row, because, stuck[0].mend)
    elif gaps:
        yield skip(check, row, gaps[0])
    elif told := [str(way) for way in ways]:
        yield ok(check, row, "; ".join(dict.fromkeys(told)))


class _Stuck(NamedTuple):
    because: str
    mend: str


def _way(subnet: Subnet, network: Network, revision: Definition | Gap, row: Row) -> str | Gap | _Stuck:
    """Return the way out of *subnet* in words, why there is none, or what is not known."""
    way = subnet.way
    if isinstance(way, (Gap, Absent)):
        return way if isinstance(way, Gap) else Gap("ec2:DescribeRouteTables", way.because)
    if way == "NAT":
        return "by NAT"
    if way == "internet gateway" and network.public_ip:
        return "by the internet gateway, with a public IP"
    if way == "other":
        return f"by a gateway of {subnet.vpc}; what lies behind it was not looked at"
    if isinstance(revision, Gap):
        return revision
    if isinstance(subnet.endpoints, (Gap, Absent)):
        gap = subnet.endpoints
        return gap if isinstance(gap, Gap) else Gap("ec2:DescribeVpcEndpoints", gap.because)
    needed = _needed(revision, row.place.region)
    lacking = sorted(needed - subnet.endpoints)
    if not lacking:
        return "by endpoints of the VPC" if needed else "its registry may lie within the VPC; that was not looked at"
    if way == "internet gateway":
        because = f"{subnet.id} leads to an internet gateway, which takes nobody without a public IP"
        mend = f"Set assign_public_ip, or take a subnet with a NAT gateway instead of {subnet.id}."
    else:
        because = f"{subnet.id} has no way out of {subnet.vpc}"
        mend = f"Take a subnet with a NAT gateway instead of {subnet.id}."
    if subnet.endpoints & {"ecr.api", "ecr.dkr"} and _INTERNET not in lacking:
        because = f"{because}, and no endpoint for {listed(lacking, 6)}"
        mend = f"Make VPC endpoints: {', '.join(lacking)}."
    return _Stuck(because, mend)


def _needed(revision: Definition, region: str) -> set[str]:
    """
    Return what has to be in reach for the task to start: services by the names of their endpoints, or the internet.

    Notes
    -----
    Of a registry that is neither ECR nor a public one nothing is known: it may lie in the VPC.
    Source: AWS docs, ECS developer guide, interface VPC endpoints (ecr.api, ecr.dkr and s3 for the layers, logs for
    awslogs, secretsmanager and ssm for secrets).
    """
    needed: set[str] = set()
    for image in revision.images:
        ecr = _ECR.match(image)
        if ecr and ecr[3] == region:
            needed |= {"ecr.api", "ecr.dkr", "s3"}
        elif ecr or _PUBLIC.match(image) or not _host(image):
            needed.add(_INTERNET)
    for container in revision.raw.get("containerDefinitions") or ():
        if (container.get("logConfiguration") or {}).get("logDriver") == "awslogs":
            needed.add("logs")
        for secret in container.get("secrets") or ():
            needed.add("secretsmanager" if ":secretsmanager:" in str(secret.get("valueFrom")) else "ssm")
    return needed


def _host(image: str) -> str:
    """
    Return the registry that an image's name begins with; ``""`` for one of Docker Hub.

    Examples
    --------
    >>> _host("registry.example.com:5000/app:1"), _host("busybox"), _host("library/busybox:1")
    ('registry.example.com:5000', '', '')
    """
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else ""


CHECKS: Mapping[str, Check] = {
    "subnet-missing": subnets,
    "security-group-missing": groups,
    "two-vpcs": vpcs,
    "no-way-out": way_out,
}
