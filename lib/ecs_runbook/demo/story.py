"""
The story that `make demo` tells, as a list: which notebook, about which schedule, and what it is expected to find.

Two schedules are made side by side. One runs the latest revision; the other is written the way most people first write
it, with the revision's number in its target: lint says so before anything runs, and in the end it is found stale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

RIGHT = "everyday2am"
PINNED = "everyday2am-pinned"
SCHEDULE = "cron(0 17 * * ? *)"
ZONE = "Asia/Tokyo"
IMAGES = ("public.ecr.aws/docker/library/busybox:1.36", "public.ecr.aws/docker/library/busybox:1.37")


@dataclass(frozen=True)
class Step:
    """
    One notebook of the story.

    Attributes
    ----------
    notebook
        Its name without ``.ipynb``.
    subject
        The schedule that it is about; empty if it is about none.
    parameters
        As papermill takes them.
    finds
        The checks that it is expected to find not OK.
    """

    notebook: str
    subject: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    finds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class NextDay:
    """Between two steps the clock moves past the schedules' next minute, and both run."""


Chapter = Sequence[Sequence[Step]] | NextDay
"""Lanes of steps: a lane in order, the lanes side by side."""


def story(folders: Mapping[str, str]) -> list[Chapter]:
    """
    Return the chapters in order.

    Parameters
    ----------
    folders
        Where the Terraform of each schedule goes.
    """

    def terraform(notebook: str, name: str, finds: frozenset[str] = frozenset(), **more: Any) -> Step:
        return Step(notebook, name, {"name": name, "folder": folders[name], **more}, finds)

    def both(notebook: str, parameter: str, **more: Any) -> list[list[Step]]:
        return [[Step(notebook, name, {parameter: name, **more})] for name in (RIGHT, PINNED)]

    what: dict[str, Any] = {"schedule": SCHEDULE, "timezone": ZONE, "image": IMAGES[0]}
    return [
        [
            [
                terraform("10_generate", RIGHT, **what),
                terraform("20_apply", RIGHT),
                Step("30_fire", RIGHT, {"rule": RIGHT}),
            ],
            [
                Step("00_start_here"),
                # it is told before anything runs, and applied all the same, to show what comes of it
                terraform(
                    "10_generate", PINNED, mistake="pinned_revision", **what, finds=frozenset({"pinned-revision"})
                ),
                terraform("20_apply", PINNED),
            ],
        ],
        NextDay(),
        both("25_new_revision", "family", image=IMAGES[1]),
        NextDay(),
        [
            [Step("40_prove", RIGHT, {"rule": RIGHT, "timezone": ZONE}), terraform("90_destroy", RIGHT)],
            # the contrast goes with the local AWS
            [Step("40_prove", PINNED, {"rule": PINNED, "timezone": ZONE}, finds=frozenset({"runs-latest"}))],
        ],
    ]


def just_after_the_next_run(now: datetime) -> datetime:
    """
    Return a moment when the schedules' next run is over, and ECS still remembers it.

    Examples
    --------
    >>> from datetime import UTC
    >>> just_after_the_next_run(datetime(2026, 11, 24, 16, 59, 30, tzinfo=UTC)).isoformat()
    '2026-11-24T17:02:00+00:00'
    """
    from ecs_runbook.wanted.schedule import parse

    return next(parse(SCHEDULE).after(now)) + timedelta(minutes=2)
