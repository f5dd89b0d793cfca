"""
Firehose to S3, by the world's clock: moto writes each record at once, at real time, and knows no prefix of one's own.

Records are held until the buffer's time is over or its size is reached, and go into one object then. Source: AWS docs,
Firehose, "Configure buffering hints", "Configure Amazon S3 object name format", "Understand custom prefixes for Amazon
S3 objects" (verified); botocore's words on buffering hints and compression (verified). Nothing is put between two
records unless the stream says so (AppendDelimiterToRecord). Not here: dynamic partitioning, transformation, conversion,
the stream's role, which is not asked; compression but GZIP. Installed at Firehose's first call, since it imports S3.
"""

from __future__ import annotations

import gzip
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from moto.firehose.models import FirehoseBackend
from moto.firehose.responses import FirehoseResponse
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends

from ecs_runbook.local_aws.clock import Clock, Entry
from ecs_runbook.local_aws.permissions import require
from ecs_runbook.local_aws.world import World, current_call

_LOG = logging.getLogger(__name__)
SECONDS, MEGABYTES = 300, 5  # botocore firehose BufferingHints (verified)
_STAMPS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


@dataclass
class Buffer:
    """What a stream holds for one object: its records, since when, and when it is written at the latest."""

    since: datetime
    entry: Entry
    records: list[bytes] = field(default_factory=list)


class Buffers:
    """The buffers of one world."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[tuple[str, str, str], Buffer] = {}

    def add(
        self, stream: tuple[str, str, str], version: str, told: Mapping[str, Any], records: list[Mapping[str, bytes]]
    ) -> None:
        """Hold *records* of a stream, of an account and Region, that is as *told* in its destination."""
        hints = told.get("BufferingHints") or {}
        wait = timedelta(seconds=float(hints.get("IntervalInSeconds", SECONDS)))
        now = self._clock.now()

        def write() -> None:
            held = self._held.pop(stream)
            held.entry.cancel()
            _write(stream, version, told, held, self._clock.now())

        if stream not in self._held:
            self._held[stream] = Buffer(now, self._clock.at(now + wait, write))
        held = self._held[stream].records
        held += [record["Data"] for record in records]
        if sum(map(len, held)) >= int(hints.get("SizeInMBs", MEGABYTES)) * 1024 * 1024:
            write()


def _write(stream: tuple[str, str, str], version: str, told: Mapping[str, Any], held: Buffer, now: datetime) -> None:
    account, region, name = stream
    between = delimiter(told)
    content = b"".join(record + between for record in held.records)
    packed = str(told.get("CompressionFormat", "UNCOMPRESSED")) == "GZIP"
    ending = str(told.get("FileExtension") or (".gz" if packed else ""))
    key = f"{prefix(str(told.get('Prefix') or ''), held.since)}{name}-{version}-{now:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}"
    bucket = str(told["BucketARN"]).split(":")[-1]
    try:
        put = s3_backends[account]["aws"].put_object
        put(bucket, key + ending, gzip.compress(content, mtime=0) if packed else content).last_modified = now.replace(
            tzinfo=None
        )
    except S3ClientError as error:
        _LOG.warning("stream %s in %s: %d records are lost: %s", name, region, len(held.records), error)


def prefix(given: str, since: datetime) -> str:
    """
    Return how an object's name begins.

    Parameters
    ----------
    given
        The stream's Prefix; one that does not say where the time stands gets it at its end.
    since
        When the oldest record came.

    Examples
    --------
    >>> at = datetime(2026, 11, 24, 2, 5)
    >>> prefix("", at), prefix("tasks/", at), prefix("day=!{timestamp:yyyy-MM-dd}/", at)
    ('2026/11/24/02/', 'tasks/2026/11/24/02/', 'day=2026-11-24/')
    """
    whole = given if "!{timestamp:" in given else f"{given}!{{timestamp:yyyy/MM/dd/HH/}}"

    def filled(found: re.Match[str]) -> str:
        if found[1] == "timestamp":
            form = re.sub("|".join(_STAMPS), lambda part: _STAMPS[part[0]], found[2]).replace("'", "")
            return since.strftime(form)
        return uuid.uuid4().hex[:11] if found[2] == "random-string" else found[0]

    return re.sub(r"!\{(\w+):([^}]*)\}", filled, whole)


def delimiter(told: Mapping[str, Any]) -> bytes:
    r"""
    Return what stands after each record.

    Examples
    --------
    >>> processors = [{"Type": "AppendDelimiterToRecord", "Parameters": []}]
    >>> delimiter({"ProcessingConfiguration": {"Enabled": True, "Processors": processors}}), delimiter({})
    (b'\n', b'')
    """
    processing = told.get("ProcessingConfiguration") or {}
    if not processing.get("Enabled"):
        return b""
    for processor in processing.get("Processors") or []:
        if processor.get("Type") == "AppendDelimiterToRecord":
            given = {one["ParameterName"]: one["ParameterValue"] for one in processor.get("Parameters") or []}
            return str(given.get("Delimiter", "\\n")).replace("\\n", "\n").encode()
    return b""


def install(world: World) -> None:
    """Let streams hold their records by the clock of *world*, and let roles alone put records that may."""
    buffers = Buffers(world.clock)
    put_record, put_record_batch = FirehoseResponse.put_record, FirehoseResponse.put_record_batch

    def put_s3_records(
        self: FirehoseBackend, name: str, version: str, told: dict[str, Any], records: list[Mapping[str, bytes]]
    ) -> list[dict[str, str]]:
        buffers.add((self.account_id, self.region_name, name), version, told, records)
        return [{"RecordId": uuid.uuid4().hex} for _ in records]

    def allowed(how: Callable[[Any], Any], action: str) -> Callable[[Any], Any]:
        def asked(self: Any) -> Any:
            made = current_call.get()
            name = made.params["DeliveryStreamName"]
            require(made.caller, action, f"arn:aws:firehose:{made.region}:{made.caller.account}:deliverystream/{name}")
            return how(self)

        return asked

    FirehoseBackend.put_s3_records = put_s3_records
    FirehoseResponse.put_record = allowed(put_record, "firehose:PutRecord")
    FirehoseResponse.put_record_batch = allowed(put_record_batch, "firehose:PutRecordBatch")
