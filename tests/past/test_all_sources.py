"""Same columns, same verdicts: every source, asked of the same records, leads to the same table, byte for byte."""

import json
import random
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from paper_athena import BUCKET, PaperAws, deliver
from told_records import PLACES, RECORDS, SINCE, TRUE, UNTIL, records, told

from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.model import Place
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.athena import Athena
from ecs_runbook.past.facts import facts_of_record, frame
from ecs_runbook.past.runs import PAST_COLUMNS, past_runs
from ecs_runbook.past.sources import LookupEvents, Told


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


def lookups(several, _folder):
    entered = {}
    for place in PLACES:
        trail = PaperCloudTrail([one for one in several if (one["recipientAccountId"], one["awsRegion"]) == place])
        entered[Place(*place)] = SimpleNamespace(client={"cloudtrail": trail}.get)
    return LookupEvents(Fleet(sorted(entered), Gate(limited=False), _entered=entered))


def athena(several, _folder):
    return Athena(PaperAws(deliver(several)), f"s3://{BUCKET}", gate=Gate(limited=False))


def archive(several, folder):
    half = len(several) // 2
    for some in (several[half:], several[: half + 2]):
        Archive(str(folder)).keep(Themselves(some).facts(None).facts)
    return Archive(str(folder))


SOURCES = {"LookupEvents": lookups, "Athena": athena, "archive": archive}


def table(source):
    return past_runs(source, since=SINCE, until=UNTIL)


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_every_source_tells_the_truth_in_the_same_table(make, tmp_path):
    found = table(make(RECORDS, tmp_path))
    assert told(found) == TRUE
    assert list(found.columns) == PAST_COLUMNS
    assert found.attrs["broken"] == []
    assert all(one["answered"] for one in found.attrs["asked"])
    itself = table(Themselves(RECORDS))
    assert found.to_csv() == itself.to_csv()
    assert found.dtypes.equals(itself.dtypes)


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_told_twice_and_in_any_order_the_table_is_the_same(make, tmp_path):
    several = records() + records()
    random.Random(11).shuffle(several)
    assert table(make(several, tmp_path)).to_csv() == table(Themselves(RECORDS)).to_csv()


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_where_nothing_happened_every_source_has_the_columns_and_says_why(make, tmp_path):
    found = past_runs(make(RECORDS, tmp_path), since=UNTIL.replace(hour=1), until=UNTIL.replace(hour=2))
    assert found.empty
    assert list(found.columns) == PAST_COLUMNS
    assert found.attrs["because"].startswith(
        "no run of a schedule was seen from 2026-11-30 01:00 to 2026-11-30 02:00 UTC"
    )
