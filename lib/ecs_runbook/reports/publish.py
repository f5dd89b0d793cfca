"""Take a run's summary to SNS and its page to S3, if and only if the notebook was told where to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import SpecError
from ecs_runbook.reports.summary import Summary
from ecs_runbook.session import Aws, translated
from ecs_runbook.shelf import bucket_and_prefix, put

if TYPE_CHECKING:
    from ecs_runbook.reports.run import Run

_TOPIC = re.compile(r"arn:[\w-]+:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}")
_SUBJECT = 100
_MESSAGE = 250_000
"""Of 262,144 bytes that SNS takes: the rest is for what stands around it. Source: botocore sns Publish."""


@dataclass(frozen=True)
class Publication:
    """
    Where a run is published; nowhere if both are empty.

    Attributes
    ----------
    topic
        ARN of an SNS topic, for the summary.
    place
        Bucket and prefix in S3, for the page and the verdict.
    """

    topic: str = ""
    place: tuple[str, str] | None = None

    def of(self, run: Run, aws: Aws, told: Summary) -> Callable[[Path], None] | None:
        """
        Return what publishes the saved page and its summary *told*; None if there is nowhere to publish to.

        The page goes to a folder of the run's name. Needs ``sns:Publish`` and ``s3:PutObject`` where they are used.
        """
        if not self.topic and self.place is None:
            return None

        def publish(page: Path) -> None:
            where = _page(aws.client("s3"), self.place, page) if self.place else ""
            if self.topic:
                _summary(aws, self.topic, told, where, run.hide)

        return publish


def publication(*, topic: str = "", place: str = "") -> Publication:
    """
    Read where a run is to be published.

    Parameters
    ----------
    topic
        ARN of an SNS topic in the Region that is asked; empty for none.
    place
        ``s3://bucket/prefix``; empty for none.

    Raises
    ------
    SpecError
        If one of them is not what it has to be.
    """
    found = bucket_and_prefix(place)
    if place and found is None:
        raise SpecError(f"publish_page = {place!r} is no place in S3.", hint="Write s3://bucket/prefix.")
    if topic and not _TOPIC.fullmatch(topic):
        raise SpecError(f"publish_summary = {topic!r} is no ARN of a standard SNS topic.", hint="Write its whole ARN.")
    return Publication(topic, found)


def _page(s3: Any, place: tuple[str, str], page: Path) -> str:
    bucket, prefix = place
    folder = "/".join(part for part in (prefix.strip("/"), page.parent.name) if part)
    for path, kind in ((page, "text/html; charset=utf-8"), (page.parent / "verdict.json", "application/json")):
        put(s3, bucket, f"{folder}/{path.name}", path.read_bytes(), kind)
    return f"s3://{bucket}/{folder}/{page.name}"


def _summary(aws: Aws, topic: str, told: Summary, where: str, hide: Callable[[str], str]) -> None:
    status = told.text.partition(":")[0]
    text = hide(told.text) + (f"\n\nThe page: {hide(where)}" if where else "")
    with translated("sns:Publish", hint=f"Look whether the topic is there, and whether {aws.caller} has sns:Publish."):
        aws.client("sns").publish(
            TopicArn=topic,
            Subject=_ascii(f"ecs-runbook 60_check: {status}: {hide(told.line)}"),
            Message=text.encode()[:_MESSAGE].decode(errors="ignore"),
        )


def _ascii(text: str) -> str:
    """Return a subject as SNS takes it: ASCII, one line, 100 characters, a letter first."""
    plain = " ".join(text.encode("ascii", "replace").decode().split())
    return plain if len(plain) <= _SUBJECT else f"{plain[: _SUBJECT - 3]}..."
