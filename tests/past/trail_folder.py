"""Records as a trail delivers them: files in its layout."""

import gzip
import json
import os
from datetime import datetime, timedelta

from told_records import RECORDS


def packed(records):
    return gzip.compress(json.dumps({"Records": records}, separators=(",", ":")).encode(), 1, mtime=0)


def key(record, *, late=timedelta(minutes=5), rest="AbCdEfGhIjKlMnOp"):
    """Return the name of the file in which *record* is delivered, from the bucket on."""
    at = datetime.fromisoformat(record["eventTime"]) + late
    account, region = record["recipientAccountId"], record["awsRegion"]
    name = f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%MZ}_{rest}.json.gz"
    return f"AWSLogs/{account}/CloudTrail/{region}/{at:%Y/%m/%d}/{name}"


def files(records=RECORDS):
    """Return the files of *records*: one for each account, Region and five minutes."""
    found = {}
    for record in records:
        found.setdefault(key(record), []).append(record)
    return {name: packed(some) for name, some in found.items()}


def deliver(top, contents):
    """Write *contents*, by name, below the folder *top*, all at one time of the clock."""
    for name, content in contents.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_764_000_000, 1_764_000_000))
