"""What a revision brings with it: its size, its log groups, its images. Looked at where a gate asked for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ecs_runbook.checks.findings import Finding
from ecs_runbook.checks.launching import launch_of, why
from ecs_runbook.checks.saying import Check, Scene, ng, ok, skip
from ecs_runbook.checks.targets import cluster_of
from ecs_runbook.inventory.model import Absent, Contents, Definition, Gap, Row
from ecs_runbook.wanted.rules import FARGATE_SIZES


def _contents(row: Row, scene: Scene) -> tuple[Definition, Contents] | None:
    revision = scene.facts.resolved(row)
    if not isinstance(revision, Definition) or revision.arn not in scene.facts.contents:
        return None
    return revision, scene.facts.contents[revision.arn]


def size(row: Row, scene: Scene) -> Iterator[Finding]:
    """``fargate-size``: cpu and memory that Fargate does not have together."""
    check, looked_at, cluster = "fargate-size", _contents(row, scene), cluster_of(row, scene)
    launch = launch_of(row, cluster)
    if looked_at is None or isinstance(launch, Absent) or (launch != "FARGATE" and not isinstance(launch, Gap)):
        return
    if isinstance(launch, Gap):
        yield skip(check, row, launch)
        return
    revision = looked_at[0]
    name = f"{revision.family}:{revision.revision}"
    pair = f"cpu {revision.cpu or 'unset'}, memory {revision.memory or 'unset'}"
    if not (revision.cpu.isdigit() and revision.memory.isdigit()):
        because = f"{name} gives {pair}, and {why(row, cluster)}: both are needed there"
        yield ng(check, row, because, f"Register a revision of {revision.family} with cpu and memory of the task.")
    elif int(revision.cpu) > max(FARGATE_SIZES):
        return  # larger sizes than are listed may have come since
    elif int(revision.memory) not in FARGATE_SIZES.get(int(revision.cpu), ()):
        sizes = FARGATE_SIZES.get(int(revision.cpu))
        has = f"{sizes[0]} to {sizes[-1]} MiB" if sizes else f"cpu {', '.join(map(str, FARGATE_SIZES))}"
        because = f"{name} gives {pair}, and Fargate has {f'cpu {revision.cpu} with ' if sizes else ''}{has}"
        yield ng(check, row, because, f"Register a revision of {revision.family} with a pair that Fargate has.")
    else:
        yield ok(check, row, f"{name} gives {pair}, which Fargate has")


def log_groups(row: Row, scene: Scene) -> Iterator[Finding]:
    """``log-group-missing``: a log group that has to be there and is not."""
    check, looked_at = "log-group-missing", _contents(row, scene)
    if looked_at is None:
        return
    told = looked_at[1].log_groups
    missing = [(group, answer) for group, answer in told.items() if isinstance(answer, Absent)]
    gaps = [answer for answer in told.values() if isinstance(answer, Gap)]
    if missing:
        group, answer = missing[0]
        yield ng(check, row, answer.because, f"Make the log group {group.name} in {group.region}, or let ECS make it.")
    elif gaps:
        yield skip(check, row, gaps[0])
    elif told:
        yield ok(check, row, f"log group {', '.join(group.name for group in told)} is there")


def images(row: Row, scene: Scene) -> Iterator[Finding]:
    """``image-missing``: an image of ECR that is not there."""
    check, looked_at = "image-missing", _contents(row, scene)
    if looked_at is None:
        return
    revision, told = looked_at[0], looked_at[1].images
    missing = [(image, answer) for image, answer in told.items() if isinstance(answer, Absent)]
    gaps = [answer for answer in told.values() if isinstance(answer, Gap)]
    if missing:
        image, answer = missing[0]
        mend = f"Push {image}, or register a revision of {revision.family} with an image that is there."
        yield ng(check, row, f"{image} is not there: {answer.because}", mend)
    elif gaps:
        yield skip(check, row, gaps[0])
    elif told:
        yield ok(check, row, f"{', '.join(told)} is there")


CHECKS: Mapping[str, Check] = {
    "fargate-size": size,
    "log-group-missing": log_groups,
    "image-missing": images,
}
