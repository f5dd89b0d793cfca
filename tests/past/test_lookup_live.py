"""
CloudTrail's own history of an account with every kind of fault, against what one schedule's own evidence says; and what
a trail delivered of it, against that history.
"""

import json
from datetime import timedelta

import pytest
from sown import sow

from ecs_runbook.evidence.owners import all_rules
from ecs_runbook.evidence.runs import runs
from ecs_runbook.firing.asking import Asking
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.local_aws import process
from ecs_runbook.past.athena import Athena
from ecs_runbook.past.choose import Means, choose
from ecs_runbook.past.runs import past_runs
from ecs_runbook.past.sources import LookupEvents, Window
from own_aws import aws, home, server  # noqa: F401

SAME = ["time", "requested", "executed", "task", "role"]


@pytest.fixture(scope="module")
def since(server, aws):  # noqa: F811
    process.clock(server, freeze=True)
    begun = aws.now()
    log(aws)
    sow(aws.client, account=aws.account, region=aws.region, rules=40, schedules=0, seed=7, share=0.5, due=aws.now())
    process.clock(server, advance="52m")
    return begun


def log(aws):  # noqa: F811
    """A trail of all Regions that delivers to the bucket ``audit``; its policy is that of AWS's docs."""
    s3, cloudtrail = aws.client("s3"), aws.client("cloudtrail")
    s3.create_bucket(Bucket="audit")
    s3.create_bucket(Bucket="results")
    service = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    acl = {"Action": "s3:GetBucketAcl", "Resource": "arn:aws:s3:::audit"}
    put = {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::audit/trail/AWSLogs/{aws.account}/*"}
    policy = {"Version": "2012-10-17", "Statement": [service | acl, service | put]}
    s3.put_bucket_policy(Bucket="audit", Policy=json.dumps(policy))
    cloudtrail.create_trail(Name="audit", S3BucketName="audit", S3KeyPrefix="trail", IsMultiRegionTrail=True)
    cloudtrail.start_logging(Name="audit")


def test_what_a_trail_delivered_tells_by_athena_what_the_lookups_tell(aws, since):  # noqa: F811
    until = aws.now() - timedelta(minutes=10)
    looked_up = past_runs(LookupEvents(fleet(aws)), since=since, until=until)
    found = past_runs(Athena(aws, "s3://audit/trail", output="s3://results/ecs"), since=since, until=until)
    assert len(found) >= 10
    assert found.to_csv() == looked_up.to_csv()
    (asked,) = found.attrs["asked"]
    assert asked["answered"]
    assert asked["source"] == "Athena on s3://audit/trail"
    stored = aws.client("s3").list_objects_v2(Bucket="audit")["Contents"]
    read = sum(one["Size"] for one in stored)
    assert f"it read {read / 1000:.0f} kB for less than $0.01" in asked["answer"]
    assert f"{read / 1000:.0f} kB in {len(stored)} log files, less than $0.01 were expected" in asked["answer"]


def test_a_query_that_nobody_waits_for_any_more_is_stopped(server, aws, since):  # noqa: F811
    class Impatient:
        def row(self, _key, _done, note=""):
            if "read of" in note:
                raise KeyboardInterrupt

    process.settings(server, athena_seconds=60)
    source = Athena(aws, "s3://audit/trail", output="s3://results/ecs")
    with pytest.raises(KeyboardInterrupt):
        source.facts(Window(since, aws.now()), Impatient())
    process.settings(server, athena_seconds=0)
    athena = aws.client("athena")
    states = [
        athena.get_query_execution(QueryExecutionId=one)["QueryExecution"]["Status"]["State"]
        for one in athena.list_query_executions()["QueryExecutionIds"]
    ]
    assert states.count("CANCELLED") == 1
    assert set(states) <= {"CANCELLED", "SUCCEEDED", "FAILED"}


def test_the_source_is_chosen_by_what_the_trail_has_delivered(aws, since):  # noqa: F811
    window = Window(since, aws.now())
    found = choose(aws, fleet(aws), window, Means(output="s3://results/ecs"))
    assert isinstance(found.source, LookupEvents)
    delivered = aws.client("s3").list_objects_v2(Bucket="audit")["Contents"]
    size = f"{sum(one['Size'] for one in delivered) / 1000:.0f} kB"
    assert f"one machine fetches and reads {size} in less than a minute" in found.because
    assert f"Athena scans {size} for less than $0.01" in found.because
    assert found.because.endswith("; so LookupEvents, since it is soon done")
    without = choose(aws, fleet(aws), window)
    assert "Athena cannot: the workgroup primary has no place for its results, and none is named" in without.because
    aws.client("cloudtrail").stop_logging(Name="audit")
    stopped = choose(aws, fleet(aws), window)
    aws.client("cloudtrail").start_logging(Name="audit")
    assert "the trail audit is stopped" in stopped.because
    assert past_runs(found.source, since=since, until=window.until).equals(
        past_runs(LookupEvents(fleet(aws)), since=since, until=window.until)
    )


def test_lookups_of_all_tell_of_each_rule_what_its_own_evidence_tells(aws, since):  # noqa: F811
    events, places = aws.client("events"), fleet(aws)
    known = all_rules(events=events, ask=Asking())
    place = (aws.account, aws.region)
    found = past_runs(LookupEvents(places), since=since, until=aws.now(), known={place: known})
    clients = {name: aws.client(name) for name in ("ecs", "events", "cloudtrail")}
    seen = 0
    for rule in known:
        own = runs(rule.name, since=since, until=aws.now(), **clients)
        own = own[own["source"].str.contains("CloudTrail")].assign(time=own["time"].dt.floor("s"))
        mine = found[found["schedule"] == rule.name]
        assert mine[SAME].values.tolist() == own[SAME].values.tolist(), rule.name
        refused = mine[mine["status"].isin(["REFUSED", "FAILED TO START"])]
        assert list(refused["error"]) == list(own.loc[own["source"] == "CloudTrail", "error"])
        sure = mine[mine["state"] != "UNKNOWN"].set_index("run")
        assert (sure["state"] == own.set_index("run")["state"].reindex(sure.index)).all()
        seen += len(mine)
    assert seen >= 10
    assert set(found["status"]) >= {"ACCEPTED", "REFUSED"}


def test_what_is_older_than_ninety_days_is_not_asked_for_and_that_is_said(aws, since):  # noqa: F811
    long_ago = since - timedelta(days=200)
    source = LookupEvents(fleet(aws))
    (asked,) = past_runs(source, since=long_ago, until=long_ago + timedelta(days=30)).attrs["asked"]
    assert (asked["answered"], asked["calls"]) == (False, 0)
    assert "was not asked; it keeps 90 days, so nothing before" in asked["answer"]
    told = source.facts(Window(long_ago, aws.now()))
    assert told.since == aws.now() - timedelta(days=90)
    assert "it keeps 90 days, so nothing before" in told.asked[0]["answer"]


def test_a_table_says_who_was_asked_and_how_often(aws, since):  # noqa: F811
    (asked,) = past_runs(LookupEvents(fleet(aws)), since=since, until=aws.now()).attrs["asked"]
    assert asked["source"] == f"LookupEvents in {aws.account}/{aws.region}"
    assert asked["answered"]
    assert asked["calls"] >= 3
