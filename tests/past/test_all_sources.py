"""Same columns, same verdicts: every source, asked of the same records, leads to the same table, byte for byte."""

import itertools
import json
import random
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from paper_athena import deliver
from told_records import PLACES, RECORDS, SINCE, TRUE, UNTIL, records, told

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.model import Place
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.athena import Athena
from ecs_runbook.past.facts import facts_of_record, frame
from ecs_runbook.past.log_files import LogFiles
from ecs_runbook.past.receipts import Receipts
from ecs_runbook.past.runs import PAST_COLUMNS, past_runs
from ecs_runbook.past.sources import LookupEvents, Told, Window
from own_aws import aws, home, server  # noqa: F401

NUMBERS = itertools.count(1)


class PaperCloudTrail:
    """LookupEvents of one account and Region: by name, newest first, 50 a page; as AWS's docs tell it."""

    def __init__(self, several):
        self.several = sorted(several, key=lambda one: one["eventTime"], reverse=True)

    def lookup_events(self, LookupAttributes, StartTime, EndTime, MaxResults, NextToken="0"):  # noqa: N803
        (asked,) = LookupAttributes
        assert asked["AttributeKey"] == "EventName"
        found = [
            one
            for one in self.several
            if one["eventName"] == asked["AttributeValue"]
            and StartTime <= datetime.strptime(one["eventTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) <= EndTime
        ]
        begin = int(NextToken)
        some = [{"EventId": one["eventID"], "CloudTrailEvent": json.dumps(one)} for one in found[begin:][:MaxResults]]
        more = begin + MaxResults < len(found)
        return {"Events": some} | ({"NextToken": str(begin + MaxResults)} if more else {})


class Themselves:
    """The records as they are: what the table is by hand."""

    name = "the records themselves"

    def __init__(self, several):
        self.several = several

    def facts(self, _window, _progress=None):
        return Told(frame(fact for one in self.several for fact in facts_of_record(one)))


def lookups(several, _aws, _folder):
    entered = {}
    for place in PLACES:
        trail = PaperCloudTrail([one for one in several if (one["recipientAccountId"], one["awsRegion"]) == place])
        entered[Place(*place)] = SimpleNamespace(client={"cloudtrail": trail}.get, now=lambda: UNTIL)
    return LookupEvents(Fleet(sorted(entered), Gate(limited=False), _entered=entered))


def bucket(aws, files):  # noqa: F811
    """A bucket of the local AWS with these files."""
    s3, name = aws.client("s3"), f"logs-{next(NUMBERS)}"
    s3.create_bucket(Bucket=name)
    for key, content in files.items():
        s3.put_object(Bucket=name, Key=key, Body=content)
    return name


def athena(several, aws, _folder):  # noqa: F811
    files = deliver(several)
    return Athena(aws, f"s3://{bucket(aws, files)}", output=f"s3://{bucket(aws, {})}/athena")


def log_files(several, _aws, folder):
    for key, content in deliver(several).items():
        (folder / "logs" / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / "logs" / key).write_bytes(content)
    return LogFiles(str(folder / "logs"), cache=str(folder / "cache"))


def log_files_in_s3(several, aws, folder):  # noqa: F811
    return LogFiles(f"s3://{bucket(aws, deliver(several))}", aws, cache=str(folder / "cache"))


def archive(several, aws, _folder):  # noqa: F811
    return kept(several, f"s3://{bucket(aws, {})}/archive", aws)


def archive_folder(several, aws, folder):  # noqa: F811
    return kept(several, str(folder), aws)


def kept(several, place, aws):  # noqa: F811
    """An archive that was given the facts in two parts that overlap."""
    made, half = Archive(place, aws), len(several) // 2
    for part in (several[half:], several[: half + 2]):
        made.keep(Themselves(part).facts(None).facts)
    return made


def archive_of_receipts(several, _aws, folder):
    """What receipts of two runs, which overlap, have kept of the records."""
    half = len(several) // 2
    for name, some in (("1", several[half:]), ("2", several[: half + 2])):
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "receipt.json").write_text(json.dumps({"records": {"CloudTrail": some}}))
    made = Archive(str(folder / "archive"))
    made.keep(Receipts(str(folder / "runs")).facts(Window(SINCE, UNTIL)).facts)
    return made


SOURCES = {
    "LookupEvents": lookups,
    "log files": log_files,
    "log files in S3": log_files_in_s3,
    "Athena": athena,
    "an archive": archive_folder,
    "an archive in S3": archive,
    "an archive of receipts": archive_of_receipts,
}


def table(source):
    return past_runs(source, since=SINCE, until=UNTIL)


@pytest.fixture(scope="module", params=SOURCES)
def make(request, aws, tmp_path_factory):  # noqa: F811
    """``make(records)``: a source that has them."""
    return lambda several: SOURCES[request.param](several, aws, tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def source(make):
    return make(RECORDS)


def test_every_source_tells_the_truth_in_the_same_table(source):
    found = table(source)
    assert told(found) == TRUE
    assert list(found.columns) == PAST_COLUMNS
    assert found.attrs["broken"] == []
    assert all(one["answered"] for one in found.attrs["asked"])
    itself = table(Themselves(RECORDS))
    assert found.to_csv() == itself.to_csv()
    assert found.dtypes.equals(itself.dtypes)


def test_where_nothing_happened_every_source_has_the_columns_and_says_why(source):
    found = past_runs(source, since=UNTIL.replace(hour=1), until=UNTIL.replace(hour=2))
    assert found.empty
    assert list(found.columns) == PAST_COLUMNS
    assert found.attrs["because"].startswith(
        "no run of a schedule was seen from 2026-11-30 01:00 to 2026-11-30 02:00 UTC"
    )


def test_told_twice_and_in_any_order_the_table_is_the_same(make):
    several = records() + records()
    random.Random(11).shuffle(several)
    assert table(make(several)).to_csv() == table(Themselves(RECORDS)).to_csv()


@pytest.mark.parametrize(
    ("place", "output", "words", "hint"),
    [
        (
            "s3://no-such-logs",
            "s3://logs-1",
            "NoSuchBucket: The specified bucket does not exist (s3://no-such",
            "describe-",
        ),
        ("", "", "InvalidRequestException: No output location provided", "Give a place for Athena's results"),
        ("", "s3://no-such-results", "output bucket no-such-results", "Give a place for Athena's results"),
    ],
)
def test_athena_without_its_buckets_says_which_is_missing(aws, place, output, words, hint):  # noqa: F811
    place = place or f"s3://{bucket(aws, deliver(RECORDS[:1]))}"
    with pytest.raises(AwsError) as refused:
        table(Athena(aws, place, output=output))
    assert words in str(refused.value)
    assert hint in refused.value.hint


def test_athena_names_a_log_file_that_it_cannot_read(aws):  # noqa: F811
    files = deliver(RECORDS)
    key = sorted(files)[3]
    place = f"s3://{bucket(aws, files | {key: files[key][:100]})}"
    with pytest.raises(EvidenceError, match=r"FAILED: HIVE_CURSOR_ERROR: .*") as failed:
        table(Athena(aws, place, output=f"s3://{bucket(aws, {})}/athena"))
    assert key in str(failed.value)
    assert failed.value.hint.startswith("A log file is broken")
