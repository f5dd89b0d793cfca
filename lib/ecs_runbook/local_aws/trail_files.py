"""
CloudTrail's trails: what they log is delivered to S3 as files; moto keeps trails, and delivers nothing.

By the world's clock, every five minutes, one file for each trail, account and Region that has something to tell. Source
of the layout: AWS docs, "Finding your CloudTrail log files" (verified): the date in a name is that of the delivery, so
that a file holds older records. They stand in no order, as AWS promises none. Not here: digest files, organisation
trails, notifications to SNS, CloudWatch Logs, encryption with KMS, data events, Insights. Not verified: that what was
logged before a trail was stopped or deleted is still delivered.
"""

from __future__ import annotations

import copy
import gzip
import json
import logging
import secrets
import string
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from moto.cloudtrail.models import CloudTrailBackend, Trail, TrailStatus, cloudtrail_backends
from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import JsonRESTError

from ecs_runbook.local_aws import policy
from ecs_runbook.local_aws.world import World, current_call

_LOG = logging.getLogger(__name__)
SERVICE = "cloudtrail.amazonaws.com"
EVERY = timedelta(minutes=5)  # AWS docs: "an average of about 5 minutes" (verified)
TRIES = timedelta(days=30)  # AWS docs: CloudTrail tries to redeliver for 30 days (verified)
_LETTERS = string.ascii_letters + string.digits


class Place(NamedTuple):
    """What a file is for."""

    trail: Trail
    account: str
    region: str


class Held(NamedTuple):
    """A record that waits for its file: when it was made, its eventID, and itself."""

    made: datetime
    event_id: str
    text: str


class Files:
    """The records that wait for their files, by the moment at which these are delivered."""

    def __init__(self, world: World) -> None:
        self._clock, self._settings = world.clock, world.settings
        self._due: dict[datetime, dict[Place, list[Held]]] = {}

    def add(self, record: Mapping[str, Any], made: datetime) -> None:
        """Hold *record* for each trail that logs it."""
        account, region = record["recipientAccountId"], record["awsRegion"]
        places = [Place(trail, account, region) for trail in logging_trails(account, region) if takes(trail, record)]
        if not places:
            return
        held = Held(made, record["eventID"], json.dumps(record, separators=(",", ":")))
        due = next_delivery(made + self._settings.cloudtrail_delay)
        twice = self._settings.logs_twice(record["eventName"])
        for place in places:
            self._hold(place, [held], due)
            if twice:
                self._hold(place, [held], due + EVERY)

    def _hold(self, place: Place, held: list[Held], due: datetime) -> None:
        if due not in self._due:
            self._due[due] = defaultdict(list)
            self._clock.at(due, lambda: self._deliver(due))
        self._due[due][place] += held

    def _deliver(self, due: datetime) -> None:
        for place, held in self._due.pop(due).items():
            now = self._clock.now()
            if why := _written(place, held, now):
                self._refused(place, [one for one in held if now - one.made < TRIES], why)

    def _refused(self, place: Place, held: list[Held], why: str) -> None:
        name = place.trail.trail_name
        _LOG.warning("trail %s: a file of %s is not delivered: %s", name, place.region, why)
        if held and _is_there(place.trail):
            self._hold(place, held, next_delivery(self._clock.now()))


def next_delivery(moment: datetime) -> datetime:
    """
    Return when the next file is delivered.

    Examples
    --------
    >>> [next_delivery(datetime(2026, 11, 24, 23, m, s, tzinfo=UTC)).isoformat() for m, s in ((54, 59), (55, 0))]
    ['2026-11-24T23:55:00+00:00', '2026-11-25T00:00:00+00:00']
    """
    return moment - (moment - datetime.min.replace(tzinfo=UTC)) % EVERY + EVERY


def key_of(prefix: str, account: str, region: str, at: datetime, letters: str) -> str:
    """
    Return a file's key.

    Examples
    --------
    >>> key_of("", "123456789012", "eu-west-2", datetime(2026, 11, 24, 2, 5, tzinfo=UTC), "HdkvFTXOA3VnhbcA")
    'AWSLogs/123456789012/CloudTrail/eu-west-2/2026/11/24/123456789012_CloudTrail_eu-west-2_20261124T0205Z_HdkvFTXOA3VnhbcA.json.gz'
    """
    folder = f"{prefix.rstrip('/')}/" if prefix else ""
    name = f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%MZ}_{letters}.json.gz"
    return f"{folder}AWSLogs/{account}/CloudTrail/{region}/{at:%Y/%m/%d}/{name}"


def logging_trails(account: str, region: str) -> Iterator[Trail]:
    """Yield the trails that log what is called in an account and Region."""
    for backend in list(cloudtrail_backends[account].values()):
        for trail in backend.trails.values():
            if trail.status.is_logging and (trail.is_multi_region or trail.region_name == region):
                yield trail


def takes(trail: Trail, record: Mapping[str, Any]) -> bool:
    """
    Say whether a trail's event selectors choose a management event; one without selectors logs them all.

    Source: botocore cloudtrail EventSelector, AdvancedEventSelector (verified).
    """
    if trail.event_selectors:
        return any(_basic(one, record) for one in trail.event_selectors)
    if trail.advanced_event_selectors:
        return any(
            all(_advanced(field, record) for field in one.get("FieldSelectors") or [])
            for one in trail.advanced_event_selectors
        )
    return True


def _basic(selector: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    chosen = {"ReadOnly": (True,), "WriteOnly": (False,)}.get(str(selector.get("ReadWriteType")), (True, False))
    return (
        selector.get("IncludeManagementEvents", True)
        and record["readOnly"] in chosen
        and record["eventSource"] not in (selector.get("ExcludeManagementEventSources") or [])
    )


def _advanced(selector: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    field = str(selector.get("Field"))
    value = str(record["userIdentity"].get("arn", "") if field == "userIdentity.arn" else record.get(field, ""))
    if field == "readOnly":
        value = value.lower()
    return all(
        _agrees(value, how, list(wanted)) for how, wanted in selector.items() if how != "Field" and wanted is not None
    )


def _agrees(value: str, how: str, wanted: list[str]) -> bool:
    tests: dict[str, Callable[[str], bool]] = {
        "Equals": lambda one: value == one,
        "StartsWith": value.startswith,
        "EndsWith": value.endswith,
    }
    found = any(map(tests[how.removeprefix("Not")], wanted))
    return not found if how.startswith("Not") else found


def _written(place: Place, held: list[Held], now: datetime) -> str:
    """Put a file into its trail's bucket; return S3's error where that cannot be."""
    trail = place.trail
    letters = "".join(secrets.choice(_LETTERS) for _ in range(16))
    key = key_of(trail.s3_key_prefix or "", place.account, place.region, now, letters)
    ordered = sorted(held, key=lambda one: one.event_id)  # it is drawn by lot: so they stand in no order of time
    content = f'{{"Records":[{",".join(one.text for one in ordered)}]}}'
    trail.status.latest_delivery_attempt = _iso(now)
    trail.status.latest_delivery_error = why = barred(trail, key)
    if not why:
        _put(trail, key, gzip.compress(content.encode(), mtime=0), now)
        trail.status.latest_delivery_time = now
    return why


def _put(trail: Trail, key: str, content: bytes, now: datetime) -> None:
    from moto.s3.models import s3_backends

    s3 = s3_backends[trail.account_id][trail.partition]
    s3.put_object(trail.bucket_name, key, content).last_modified = now.replace(tzinfo=None)


def barred(trail: Trail, key: str) -> str:
    """
    Return the error of S3 that keeps CloudTrail from writing *key*; nothing if it may.

    Source: AWS docs, "Amazon S3 bucket policy for CloudTrail" (verified): it reads the bucket's ACL and puts objects
    with ``bucket-owner-full-control``, as the service, for the trail's ARN.
    """
    from moto.s3.exceptions import MissingBucket
    from moto.s3.models import s3_backends

    try:
        bucket = s3_backends[trail.account_id][trail.partition].get_bucket(trail.bucket_name)
    except MissingBucket:
        return "NoSuchBucket"
    arn = f"arn:{trail.partition}:s3:::{trail.bucket_name}"
    context = {
        "aws:SourceArn": trail.arn,
        "aws:SourceAccount": trail.account_id,
        "aws:SecureTransport": "true",
        "s3:x-amz-acl": "bucket-owner-full-control",
    }
    given = policy.Policy("bucket policy", (bucket.policy or b"{}").decode())
    sender = policy.Principal("Service", SERVICE)
    wanted = (("s3:GetBucketAcl", arn), ("s3:PutObject", f"{arn}/{key}"))
    may = all(policy.decide_resource(given, sender, action, on, context).allowed for action, on in wanted)
    return "" if may else "AccessDenied"


def _check_bucket(trail: Trail) -> None:
    """
    Refuse a trail that could not write to its bucket.

    The words are seen in public issues; what exactly CreateTrail and UpdateTrail try is not verified.
    """
    key = key_of(trail.s3_key_prefix or "", trail.account_id, trail.region_name, datetime.now(UTC), "x" * 16)
    if barred(trail, key) == "AccessDenied":
        message = f"Incorrect S3 bucket policy is detected for bucket: {trail.bucket_name}"
        raise JsonRESTError("InsufficientS3BucketPolicyException", message)


def _is_there(trail: Trail) -> bool:
    return cloudtrail_backends[trail.account_id][trail.region_name].trails.get(trail.trail_name) is trail


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _told(status: TrailStatus) -> dict[str, Any]:
    """Return what GetTrailStatus tells. Source: botocore GetTrailStatusResponse (verified)."""
    delivered = getattr(status, "latest_delivery_time", None)
    told = {
        "IsLogging": status.is_logging,
        "LatestDeliveryError": getattr(status, "latest_delivery_error", ""),
        "LatestDeliveryTime": delivered and delivered.timestamp(),
        "StartLoggingTime": status.started and status.started.timestamp(),
        "StopLoggingTime": status.stopped and status.stopped.timestamp(),
    }
    texts = {
        "LatestDeliveryAttemptTime": status.latest_delivery_attempt,
        "LatestNotificationAttemptTime": "",
        "LatestNotificationAttemptSucceeded": "",
        "LatestDeliveryAttemptSucceeded": _iso(delivered) if delivered else "",
        "TimeLoggingStarted": _iso(status.started) if status.started else "",
        "TimeLoggingStopped": _iso(status.stopped) if status.stopped else "",
    }
    return {name: value for name, value in told.items() if value not in (None, "")} | texts


def install(world: World) -> Files:
    """Let trails deliver, by the clock of *world*, and mend what moto's trails lack for that."""
    files = Files(world)
    check_bucket, update, description = Trail.check_bucket_exists, Trail.update, Trail.description

    def start_logging(self: TrailStatus) -> None:
        self.is_logging, self.started = True, world.clock.now()

    def stop_logging(self: TrailStatus) -> None:
        self.is_logging, self.stopped = False, world.clock.now()

    def check(self: Trail) -> None:
        check_bucket(self)
        _check_bucket(self)

    def updated(self: Trail, *args: Any, **kwargs: Any) -> None:
        would_be = copy.copy(self)
        update(would_be, *args, **kwargs)
        if (would_be.bucket_name, would_be.s3_key_prefix) != (self.bucket_name, self.s3_key_prefix):
            check(would_be)
        update(self, *args, **kwargs)

    def described(self: Trail, include_region: bool = False) -> dict[str, Any]:
        chosen = bool(self.event_selectors or self.advanced_event_selectors)
        return {**description(self, include_region), "HasCustomEventSelectors": chosen}

    def delete_trail(self: CloudTrailBackend, name: str) -> None:
        """Find it by its ARN too, which Terraform gives; moto passes that over."""
        del self.trails[self.get_trail(name).trail_name]

    def describe_trails(self: CloudTrailResponse) -> str:
        """Heed the names that are asked for, which moto does not."""
        asked = current_call.get().params
        trails = self.cloudtrail_backend.describe_trails(asked.get("includeShadowTrails", True))
        names = set(asked.get("trailNameList") or [])
        named = [trail for trail in trails if not names or {trail.trail_name, trail.arn} & names]
        return json.dumps({"trailList": [trail.description(include_region=True) for trail in named]})

    TrailStatus.start_logging, TrailStatus.stop_logging = start_logging, stop_logging
    TrailStatus.description = _told
    Trail.check_bucket_exists, Trail.update, Trail.description = check, updated, described
    CloudTrailBackend.delete_trail = delete_trail
    CloudTrailResponse.describe_trails = describe_trails
    return files
