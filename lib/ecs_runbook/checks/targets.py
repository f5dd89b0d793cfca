"""What a target asks RunTask for, held against the revision and the cluster that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ecs_runbook.checks.findings import Finding
from ecs_runbook.checks.launching import launch_of, why
from ecs_runbook.checks.saying import Check, Scene, listed, ng, ok, skip
from ecs_runbook.firing.names import short
from ecs_runbook.inventory.model import Absent, Cluster, Definition, Gap, Row, Told


def cluster_of(row: Row, scene: Scene) -> Told[Cluster]:
    """Return what AWS says of the cluster that *row* names."""
    name = row.request.cluster
    return scene.facts.clusters.get(name, Gap("ecs:DescribeClusters", f"{short(name)} was not asked for"))


def without_revision(row: Row, revision: Definition | None = None) -> str:
    """Return how a target is to name the family of *row*: as an ARN where one is known."""
    named = revision.arn if revision else row.request.definition
    return f"{named.rpartition('/')[0]}/{row.request.family}" if "/" in named else row.request.family


def _where(row: Row) -> str:
    """Return what has to be changed, in the reader's own words."""
    if row.through:
        return f"the state machine {row.through.rpartition(':')[2]}"
    if row.kind == "schedule":
        return f"schedule {row.owner.name} of group {row.group}"
    return f"target {row.target.id} of rule {row.owner.name}"


# -------- which revision


def pinned(row: Row, scene: Scene) -> Iterator[Finding]:
    """``pinned-revision``: the target names a revision, which is the latest still, is behind, or is gone."""
    check, fixed = "pinned-revision", row.request.revision
    if fixed is None:
        yield ok(check, row, f"it names {row.request.family} without a revision")
        return
    named = f"{row.request.family}:{fixed}"
    mend = f"Let {_where(row)} name {without_revision(row)}, and its role run {without_revision(row)}:*."
    own, family = scene.facts.resolved(row), row.request.family
    latest = scene.facts.latest.get(family, Gap("ecs:DescribeTaskDefinition", f"{family} was not asked for"))
    if isinstance(own, Gap):
        yield skip(check, row, own)
    elif isinstance(own, Absent):
        yield ng(check, row, f"it names {named}, and there is no such revision: {own.because}", mend)
    elif own.status != "ACTIVE":
        yield ng(check, row, f"it names {named}, which is {own.status}: ECS refuses every firing", mend)
    elif isinstance(latest, Definition) and latest.revision > own.revision:
        behind = latest.revision - own.revision
        words = f"it names {named} and stays there, while {latest.revision} is the latest: {behind} behind"
        yield ng(check, row, words, mend)
    elif isinstance(latest, Gap):
        yield skip(check, row, latest)
    else:
        words = f"it names {named}, which is the latest now; the next one that is registered will not run"
        yield ng(check, row, words, mend, severity="warning")


def active(row: Row, scene: Scene) -> Iterator[Finding]:
    """``no-active-revision``: nothing that the family's name could stand for."""
    check, family = "no-active-revision", row.request.family
    if row.request.revision is not None:
        return
    latest = scene.facts.resolved(row)
    if isinstance(latest, Gap):
        yield skip(check, row, latest)
    elif isinstance(latest, Absent):
        because = f"{family} has no ACTIVE revision: {latest.because}"
        yield ng(check, row, because, f"Register a revision of {family}, or let {_where(row)} name another family.")
    else:
        yield ok(check, row, f"a firing now would run {family}:{latest.revision}")


# -------- where it runs


def cluster(row: Row, scene: Scene) -> Iterator[Finding]:
    """``cluster-missing``: no cluster of that name, or one that was deleted."""
    check, told, name = "cluster-missing", cluster_of(row, scene), short(row.request.cluster)
    mend = f"Let {_where(row)} name a cluster that is there, or make {name}."
    if isinstance(told, Gap):
        yield skip(check, row, told)
    elif isinstance(told, Absent):
        yield ng(check, row, f"there is no cluster {name}: {told.because}", mend)
    elif told.status != "ACTIVE":
        yield ng(check, row, f"cluster {name} is {told.status}", mend)
    else:
        yield ok(check, row, f"cluster {name} is ACTIVE")


def public_ip(row: Row, scene: Scene) -> Iterator[Finding]:
    """``launch-type-public-ip``: a public IP for a task that Fargate does not run."""
    network, told = row.request.network, cluster_of(row, scene)
    if network is None or not network.public_ip:
        return
    check, launch = "launch-type-public-ip", launch_of(row, told)
    if isinstance(launch, Gap):
        yield skip(check, row, launch)
    elif launch == "FARGATE":
        yield ok(check, row, f"a public IP, and {why(row, told)}")
    elif launch == "own provider":
        revision = scene.facts.resolved(row)
        if isinstance(revision, Gap):
            yield skip(check, row, revision)
        elif isinstance(revision, Definition) and "MANAGED_INSTANCES" not in revision.compatibilities:
            because = f"it asks for a public IP, and {why(row, told)}: that is for Fargate alone"
            yield ng(check, row, because, f"Take FARGATE or FARGATE_SPOT in {_where(row)}, or no public IP.")
    elif not isinstance(launch, Absent):
        because = f"it asks for a public IP, and {why(row, told)}: that is for Fargate alone"
        yield ng(check, row, because, f"Set launch type FARGATE in {_where(row)}, or no public IP.")


def both_ways(row: Row, _scene: Scene) -> Iterator[Finding]:
    """``launch-type-and-strategy``: both are given."""
    request = row.request
    if request.launch_type and request.strategy:
        because = f"it gives launch type {request.launch_type} and capacity providers {', '.join(request.strategy)}"
        yield ng("launch-type-and-strategy", row, because, f"Leave out one of the two in {_where(row)}.")


def instances(row: Row, scene: Scene) -> Iterator[Finding]:
    """``no-container-instances``: a launch type that needs instances, and none are there to take the task."""
    check, told = "no-container-instances", cluster_of(row, scene)
    launch = launch_of(row, told)
    if launch in ("FARGATE", "own provider") or isinstance(launch, Absent) or isinstance(told, Absent):
        return  # a capacity provider starts instances when they are needed
    if isinstance(told, Gap):
        yield skip(check, row, told)
    elif told.instances == 0 and told.status == "ACTIVE":
        because = f"{why(row, told)}, and cluster {short(told.arn)} has no container instance now"
        mend = f"Set launch type FARGATE in {_where(row)}, or give cluster {short(told.arn)} instances."
        yield ng(check, row, because, mend)
    elif told.instances:
        yield ok(check, row, f"{why(row, told)}, and the cluster has {told.instances} container instances")


def compatible(row: Row, scene: Scene) -> Iterator[Finding]:
    """``definition-compatibility``: what ECS found the revision fit for is not where it is to run."""
    check, revision = "definition-compatibility", scene.facts.resolved(row)
    launch = launch_of(row, cluster_of(row, scene))
    if isinstance(revision, Absent) or isinstance(launch, Absent):
        return
    if isinstance(revision, Gap):
        yield skip(check, row, revision)
    elif isinstance(launch, Gap):
        yield skip(check, row, launch)
    elif revision.compatibilities:
        fit = set(revision.compatibilities) | set(revision.raw.get("requiresCompatibilities") or ())
        wanted = {"EC2", "MANAGED_INSTANCES"} if launch == "own provider" else {launch}
        name = f"{revision.family}:{revision.revision}"
        if fit & wanted:
            yield ok(check, row, f"{name} can run on {launch}")
            return
        because = f"{name} is fit for {', '.join(revision.compatibilities)}, and "
        because += why(row, cluster_of(row, scene))
        mend = f"Register a revision of {revision.family} with requiresCompatibilities {launch}"
        mend += ", networkMode awsvpc, cpu and memory" if launch == "FARGATE" else ""
        yield ng(check, row, because, f"{mend}; or take another launch type in {_where(row)}.")


def providers(row: Row, scene: Scene) -> Iterator[Finding]:
    """``capacity-provider``: the strategy names one that the cluster does not have."""
    check, told, strategy = "capacity-provider", cluster_of(row, scene), row.request.strategy
    if not strategy or isinstance(told, Absent):
        return
    if isinstance(told, Gap):
        yield skip(check, row, told)
        return
    unknown = [short(name) for name in strategy if short(name) not in map(short, told.providers)]
    name = short(told.arn)
    if unknown:
        because = (
            f"cluster {name} has no capacity provider {listed(unknown)}; it has {listed(told.providers) or 'none'}"
        )
        yield ng(check, row, because, f"Associate {listed(unknown)} with cluster {name}, or name one that it has.")
    else:
        yield ok(check, row, f"cluster {name} has {listed(strategy)}")


def platform(row: Row, scene: Scene) -> Iterator[Finding]:
    """``platform-version-on-ec2``: a platform version for a task that Fargate does not run."""
    check, version, told = "platform-version-on-ec2", row.request.platform_version, cluster_of(row, scene)
    if not version:
        return
    launch = launch_of(row, told)
    if isinstance(launch, Gap):
        yield skip(check, row, launch)
    elif launch == "FARGATE":
        yield ok(check, row, f"platform version {version}, and {why(row, told)}")
    elif not isinstance(launch, Absent):
        because = f"it gives platform version {version}, and {why(row, told)}"
        yield ng(check, row, because, f"Leave out the platform version in {_where(row)}.")


def network_mode(row: Row, scene: Scene) -> Iterator[Finding]:
    """``no-network-configuration``, ``network-not-awsvpc``: the network and the revision's mode do not fit."""
    revision, network = scene.facts.resolved(row), row.request.network
    check = "network-not-awsvpc" if network else "no-network-configuration"
    if isinstance(revision, Absent):
        return
    if isinstance(revision, Gap):
        yield skip(check, row, revision)
        return
    name, mode = f"{revision.family}:{revision.revision}", revision.network_mode or "the default"
    if revision.network_mode == "awsvpc":
        if network is None or not network.subnets:
            because = f"{name} has networkMode awsvpc, and the target names no subnets"
            yield ng("no-network-configuration", row, because, f"Give {_where(row)} subnets and security groups.")
        else:
            yield ok("no-network-configuration", row, f"{name} has networkMode awsvpc, and there are subnets")
    elif network is not None:
        because = f"{name} has networkMode {mode}, and the target gives a network, which is for awsvpc alone"
        mend = f"Take the network out of {_where(row)}, or register a revision of {revision.family} with awsvpc."
        yield ng("network-not-awsvpc", row, because, mend)


# -------- what it overrides


def overrides(row: Row, scene: Scene) -> Iterator[Finding]:
    """``override-container``, ``input-not-overrides``: what the input says of containers."""
    if row.request.input_fault:
        mend = f'Write the input of {_where(row)} as a TaskOverride: {{"containerOverrides": […]}}.'
        yield ng("input-not-overrides", row, row.request.input_fault, mend)
    check, revision, names = "override-container", scene.facts.resolved(row), row.request.overrides
    if not names or isinstance(revision, Absent):
        return
    if isinstance(revision, Gap):
        yield skip(check, row, revision)
        return
    named, has = f"{revision.family}:{revision.revision}", listed(revision.containers, 10)
    unknown = [name for name in names if name not in revision.containers]
    if unknown:
        because = f"its input overrides {listed(unknown)}, and {named} has {has}"
        yield ng(check, row, because, f"Name a container of {named} in the input of {_where(row)}: {has}.")
    else:
        yield ok(check, row, f"{named} has {listed(names)}")


CHECKS: Mapping[str, Check] = {
    "pinned-revision": pinned,
    "no-active-revision": active,
    "cluster-missing": cluster,
    "launch-type-public-ip": public_ip,
    "launch-type-and-strategy": both_ways,
    "no-container-instances": instances,
    "definition-compatibility": compatible,
    "capacity-provider": providers,
    "platform-version-on-ec2": platform,
    "no-network-configuration": network_mode,
    "network-not-awsvpc": network_mode,
    "override-container": overrides,
    "input-not-overrides": overrides,
}
