"""
What a trail delivers to S3. Expectations are from aws-behaviour.md §5 and AWS docs: CloudTrail, "Finding your
CloudTrail log files", "Amazon S3 bucket policy for CloudTrail", and botocore's words on GetTrailStatus and event
selectors.
"""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from local_world import ACCOUNT, REGION, LocalWorld, allow, arn, document, refused, trusting

from ecs_runbook.errors import LocalAwsError
from ecs_runbook.local_aws import process

FIVE = timedelta(minutes=5)
NAME = re.compile(
    r"AWSLogs/(?P<account>\d{12})/CloudTrail/(?P<region>[a-z0-9-]+)/(?P<day>\d{4}/\d\d/\d\d)/"
    r"(?P=account)_CloudTrail_(?P=region)_(?P<time>\d{8}T\d{4})Z_[A-Za-z0-9]{16}\.json\.gz"
)


@pytest.fixture(scope="module")
def world(server):
    made = LocalWorld(server)
    made.to("2027-03-09T12:00:00Z")
    return made


@pytest.fixture(autouse=True)
def as_at_the_start(world):
    yield
    process.settings(world.server, reset=True)


def bucket_policy(bucket, prefix="", **condition):
    """AWS's own, with more conditions if wanted."""
    service = {"Principal": {"Service": "cloudtrail.amazonaws.com"}}
    folder = f"{prefix}/" if prefix else ""
    equals = {"s3:x-amz-acl": "bucket-owner-full-control", **condition}
    return document(
        allow("s3:GetBucketAcl", f"arn:aws:s3:::{bucket}") | service,
        allow("s3:PutObject", f"arn:aws:s3:::{bucket}/{folder}AWSLogs/{ACCOUNT}/*", {"StringEquals": equals}) | service,
    )


class Trails:
    """Trails of one test, deleted when it ends: so that each sees its own records alone."""

    def __init__(self, world):
        self.world, self.s3, self.names = world, world.client("s3"), []

    def bucket(self, prefix="", policy=None):
        name = self.world.name("logs")
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if policy != "":
            self.s3.put_bucket_policy(Bucket=name, Policy=policy or bucket_policy(name, prefix))
        return name

    def make(self, prefix="", **more):
        """Make a trail that logs; return its name and its bucket."""
        bucket, name = self.bucket(prefix), self.world.name("trail")
        given = {"Name": name, "S3BucketName": bucket, **({"S3KeyPrefix": prefix} if prefix else {}), **more}
        self.world.cloudtrail.create_trail(**given)
        self.names.append(name)
        self.world.cloudtrail.start_logging(Name=name)
        return name, bucket

    def keys(self, bucket):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def records(self, bucket, key=None):
        keys = self.keys(bucket) if key is None else [key]
        bodies = [self.s3.get_object(Bucket=bucket, Key=one)["Body"].read() for one in keys]
        return [record for body in bodies for record in json.loads(gzip.decompress(body))["Records"]]

    def calls(self, bucket):
        return [record["eventName"] for record in self.records(bucket)]

    def status(self, name):
        return self.world.cloudtrail.get_trail_status(Name=name)


@pytest.fixture
def trails(world):
    made = Trails(world)
    yield made
    for name in made.names:
        world.cloudtrail.delete_trail(Name=name)
    world.advance(600)


def to_the_next(world, minutes=5):
    """Move the clock to the next multiple of *minutes*."""
    step = minutes * 60
    at = datetime.fromisoformat(world.now).timestamp()
    moment = datetime.fromtimestamp((at // step + 1) * step, UTC)
    world.to(moment)
    return moment


def test_a_call_stands_in_the_file_of_its_five_minutes(world, trails):
    world.to("2027-03-09T13:01:10Z")
    _, bucket = trails.make()
    world.advance(30)
    family = world.register()["family"]
    world.to("2027-03-09T13:04:59Z")
    assert trails.keys(bucket) == []
    world.to("2027-03-09T13:05:00Z")
    (key,) = trails.keys(bucket)
    found = NAME.fullmatch(key)
    expected = {"account": ACCOUNT, "region": REGION, "day": "2027/03/09", "time": "20270309T1305"}
    assert found.groupdict() == expected
    body = trails.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    content = json.loads(gzip.decompress(body))
    assert list(content) == ["Records"]
    record = next(one for one in content["Records"] if one["eventName"] == "RegisterTaskDefinition")
    assert (record["requestParameters"]["family"], record["eventTime"]) == (family, "2027-03-09T13:01:40Z")
    assert record == next(one for one in world.trail("RegisterTaskDefinition") if one["eventID"] == record["eventID"])


def test_what_a_schedule_does_for_days_is_delivered_to_the_last_record_and_once(world, trails):
    name, role = world.name("rule"), world.role(allow("ecs:RunTask", "*"), trust=trusting("events.amazonaws.com"))
    family = world.register()["family"]
    world.events.put_rule(Name=name, ScheduleExpression="rate(7 hours)")
    parameters = {
        "TaskDefinitionArn": arn(f"task-definition/{family}"),
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [world.subnet]}},
    }
    target = {"Id": "1", "Arn": arn("cluster/default"), "RoleArn": role, "EcsParameters": parameters}
    world.events.put_targets(Rule=name, Targets=[target])
    _, bucket = trails.make()
    began = datetime.fromisoformat(world.now)
    world.advance("3d")
    world.events.remove_targets(Rule=name, Ids=["1"])
    world.events.delete_rule(Name=name)
    to_the_next(world)

    looked_up = world.cloudtrail.get_paginator("lookup_events").paginate(
        StartTime=began, LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "RunTask"}]
    )
    expected = sorted(event["EventId"] for page in looked_up for event in page["Events"])
    assert len(expected) == 10  # every seven hours of 72
    found = [record["eventID"] for record in trails.records(bucket) if record["eventName"] == "RunTask"]
    assert sorted(found) == expected
    for key in trails.keys(bucket):
        delivered = datetime.strptime(NAME.fullmatch(key)["time"], "%Y%m%dT%H%M").replace(tzinfo=UTC)
        times = [datetime.fromisoformat(record["eventTime"]) for record in trails.records(bucket, key)]
        assert all(delivered - FIVE <= time < delivered for time in times)
        assert NAME.fullmatch(key)["day"] == f"{delivered:%Y/%m/%d}"


def test_the_day_in_the_name_is_the_deliverys_and_not_the_records(world, trails):
    world.to("2027-03-20T23:57:00Z")
    _, bucket = trails.make()
    world.register()
    world.to("2027-03-21T00:00:00Z")
    (key,) = trails.keys(bucket)
    assert NAME.fullmatch(key)["day"] == "2027/03/21"
    assert all(record["eventTime"].startswith("2027-03-20T") for record in trails.records(bucket))


def test_a_late_trail_delivers_late(world, trails):
    process.settings(world.server, cloudtrail_delay_seconds=1200)
    _, bucket = trails.make()
    world.register()
    first = to_the_next(world)
    world.to(first + timedelta(minutes=14))
    assert trails.keys(bucket) == []
    world.to(first + timedelta(minutes=20))
    assert "RegisterTaskDefinition" in trails.calls(bucket)


def test_the_records_of_a_file_stand_in_no_order_of_time(world, trails):
    to_the_next(world)
    _, bucket = trails.make()
    families = [world.register()["family"] for _ in range(12)]
    to_the_next(world)
    registered = [one for one in trails.records(bucket) if one["eventName"] == "RegisterTaskDefinition"]
    found = [one["requestParameters"]["family"] for one in registered]
    assert sorted(found) == sorted(families)
    assert found != families  # by chance once in 479 million


def test_a_record_can_be_made_to_stand_in_two_files(world, trails):
    process.settings(world.server, log_twice={"RegisterTaskDefinition": 1})
    _, bucket = trails.make()
    world.register()
    world.register()
    to_the_next(world)
    world.advance(300)
    registered = [one["eventID"] for one in trails.records(bucket) if one["eventName"] == "RegisterTaskDefinition"]
    assert (len(registered), len(set(registered))) == (3, 2)
    assert len(trails.keys(bucket)) == 2
    assert process.settings(world.server)["log_twice"] == {}


def test_a_trail_of_one_region_logs_that_alone_and_one_of_all_regions_each_in_its_folder(world, trails):
    _, own = trails.make()
    _, every = trails.make(IsMultiRegionTrail=True)
    elsewhere = boto3.client(
        "ecs", endpoint_url=world.server.url, region_name="us-west-2", aws_access_key_id="a", aws_secret_access_key="b"
    )
    elsewhere.create_cluster(clusterName="there")
    world.cluster()
    to_the_next(world)
    assert trails.calls(own).count("CreateCluster") == 1
    assert {NAME.fullmatch(key)["region"] for key in trails.keys(own)} == {REGION}
    assert trails.calls(every).count("CreateCluster") == 2
    assert {NAME.fullmatch(key)["region"] for key in trails.keys(every)} == {REGION, "us-west-2"}
    for key in trails.keys(every):
        assert {record["awsRegion"] for record in trails.records(every, key)} == {NAME.fullmatch(key)["region"]}


def test_another_account_has_trails_of_its_own(world, trails):
    _, bucket = trails.make(IsMultiRegionTrail=True)
    other = world.client("ecs", {"AccessKeyId": "111122223333", "SecretAccessKey": "x"})
    other.create_cluster(clusterName="theirs")
    to_the_next(world)
    assert trails.calls(bucket)
    assert {record["recipientAccountId"] for record in trails.records(bucket)} == {ACCOUNT}


def test_a_bucket_may_be_another_accounts(world, trails):
    bucket = world.name("central")
    theirs = world.client("s3", {"AccessKeyId": "111122223333", "SecretAccessKey": "x"})
    theirs.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    theirs.put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket))
    name = world.name("trail")
    world.cloudtrail.create_trail(Name=name, S3BucketName=bucket)
    trails.names.append(name)
    world.cloudtrail.start_logging(Name=name)
    world.cluster()
    to_the_next(world)
    (one,) = theirs.list_objects_v2(Bucket=bucket)["Contents"]
    assert NAME.fullmatch(one["Key"])["account"] == ACCOUNT


def test_a_prefix_stands_before_all(world, trails):
    _, bucket = trails.make(prefix="our/trail")
    world.cluster()
    to_the_next(world)
    (key,) = trails.keys(bucket)
    assert key.startswith("our/trail/AWSLogs/")
    assert NAME.fullmatch(key.removeprefix("our/trail/"))


def test_a_trail_that_was_made_and_not_started_logs_nothing(world, trails):
    name, bucket = world.name("trail"), trails.bucket()
    world.cloudtrail.create_trail(Name=name, S3BucketName=bucket)
    trails.names.append(name)
    world.cluster()
    to_the_next(world)
    assert trails.keys(bucket) == []
    assert trails.status(name)["IsLogging"] is False


def test_a_stopped_trail_logs_no_more(world, trails):
    name, bucket = trails.make()
    world.cluster()
    world.cloudtrail.stop_logging(Name=name)
    world.register()
    to_the_next(world)
    calls = trails.calls(bucket)
    assert ("CreateCluster" in calls, "RegisterTaskDefinition" in calls) == (True, False)
    world.cloudtrail.start_logging(Name=name)
    world.register()
    to_the_next(world)
    assert trails.calls(bucket).count("RegisterTaskDefinition") == 1


def test_the_status_tells_when_what_happened(world, trails):
    name, _ = trails.make()
    began = datetime.fromisoformat(world.now)
    status = trails.status(name)
    assert (status["IsLogging"], status["StartLoggingTime"]) == (True, began)
    assert "LatestDeliveryTime" not in status
    world.cluster()
    delivered = to_the_next(world)
    assert trails.status(name)["LatestDeliveryTime"] == delivered
    world.cloudtrail.stop_logging(Name=name)
    status = trails.status(name)
    assert (status["IsLogging"], status["StopLoggingTime"]) == (False, datetime.fromisoformat(world.now))
    assert status["LatestDeliveryTime"] == delivered
    assert "LatestDeliveryError" not in status


def wrong_policies(bucket):
    put = allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*") | {"Principal": {"Service": "cloudtrail.amazonaws.com"}}
    return {
        "another prefix": bucket_policy(bucket, "other"),
        "another bucket": bucket_policy("another-bucket"),
        "another trail": bucket_policy(bucket, **{"aws:SourceArn": arn("trail/another", "cloudtrail")}),
        "no ACL": document(put),
    }


@pytest.mark.parametrize("wrong", ["none", "another prefix", "another bucket", "another trail", "no ACL"])
def test_a_bucket_that_does_not_let_cloudtrail_write_is_refused(world, trails, wrong):
    bucket, name = trails.bucket(policy=""), world.name("trail")
    if wrong != "none":
        trails.s3.put_bucket_policy(Bucket=bucket, Policy=wrong_policies(bucket)[wrong])
    words = f"Incorrect S3 bucket policy is detected for bucket: {bucket}"
    with refused("InsufficientS3BucketPolicyException", words):
        world.cloudtrail.create_trail(Name=name, S3BucketName=bucket)
    with refused("TrailNotFoundException", f"Unknown trail: {name} for the user: {ACCOUNT}"):
        world.cloudtrail.start_logging(Name=name)


def test_a_policy_for_this_trail_alone_is_enough(world, trails):
    name, bucket = world.name("trail"), trails.bucket(policy="")
    text = bucket_policy(bucket, **{"aws:SourceArn": arn(f"trail/{name}", "cloudtrail")})
    trails.s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert world.cloudtrail.create_trail(Name=name, S3BucketName=bucket)["S3BucketName"] == bucket
    trails.names.append(name)


def test_a_trail_is_not_moved_to_a_bucket_or_prefix_that_does_not_let_it_write(world, trails):
    name, bucket = trails.make()
    words = f"Incorrect S3 bucket policy is detected for bucket: {bucket}"
    with refused("InsufficientS3BucketPolicyException", words):
        world.cloudtrail.update_trail(Name=name, S3KeyPrefix="elsewhere")
    world.cluster()
    to_the_next(world)
    assert [key.split("/")[0] for key in trails.keys(bucket)] == ["AWSLogs"]
    new = trails.bucket()
    world.cloudtrail.update_trail(Name=name, S3BucketName=new)
    world.cluster()
    to_the_next(world)
    assert "CreateCluster" in trails.calls(new)


def test_what_cannot_be_delivered_is_told_and_tried_again(world, trails):
    name, bucket = trails.make()
    world.cluster()
    trails.s3.delete_bucket_policy(Bucket=bucket)
    to_the_next(world)
    assert trails.keys(bucket) == []
    status = trails.status(name)
    assert status["LatestDeliveryError"] == "AccessDenied"
    assert "LatestDeliveryTime" not in status
    trails.s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket))
    world.advance("1d")
    assert trails.calls(bucket).count("CreateCluster") == 1
    assert "LatestDeliveryError" not in trails.status(name)


def test_what_could_not_be_delivered_for_30_days_is_lost(world, trails):
    name, bucket = trails.make()
    world.cluster()
    trails.s3.delete_bucket_policy(Bucket=bucket)
    world.cloudtrail.stop_logging(Name=name)
    world.advance("31d")
    trails.s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket))
    world.advance("1d")
    assert trails.keys(bucket) == []


@pytest.mark.parametrize("by_arn", [False, True])
def test_a_deleted_trail_is_gone_and_logs_no_more(world, trails, by_arn):
    name, bucket = trails.make()
    trails.names.remove(name)
    world.cloudtrail.delete_trail(Name=arn(f"trail/{name}", "cloudtrail") if by_arn else name)
    world.cluster()
    to_the_next(world)
    assert "CreateCluster" not in trails.calls(bucket)
    assert world.cloudtrail.describe_trails(trailNameList=[name])["trailList"] == []
    with refused("TrailNotFoundException", f"Unknown trail: {name} for the user: {ACCOUNT}"):
        world.cloudtrail.delete_trail(Name=name)


def test_trails_are_described_by_the_names_that_are_asked_for(world, trails):
    (first, _), (second, _) = trails.make(), trails.make()
    describe = world.cloudtrail.describe_trails
    by_arn = arn(f"trail/{second}", "cloudtrail")
    assert [one["Name"] for one in describe(trailNameList=[first])["trailList"]] == [first]
    assert [one["Name"] for one in describe(trailNameList=[by_arn])["trailList"]] == [second]
    assert {first, second} <= {one["Name"] for one in describe()["trailList"]}


WRITES = {"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}
MANAGEMENT = {"Field": "eventCategory", "Equals": ["Management"]}


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        ({"EventSelectors": [WRITES]}, {"CreateCluster"}),
        ({"EventSelectors": [WRITES | {"ReadWriteType": "ReadOnly"}]}, {"DescribeClusters", "ListRules"}),
        ({"EventSelectors": [WRITES | {"IncludeManagementEvents": False}]}, set()),
        (
            {
                "EventSelectors": [
                    WRITES | {"ReadWriteType": "All", "ExcludeManagementEventSources": ["ecs.amazonaws.com"]}
                ]
            },
            {"ListRules"},
        ),
        (
            {
                "AdvancedEventSelectors": [
                    {"FieldSelectors": [MANAGEMENT, {"Field": "eventSource", "NotEquals": ["ecs.amazonaws.com"]}]}
                ]
            },
            {"ListRules"},
        ),
        (
            {
                "AdvancedEventSelectors": [
                    {"FieldSelectors": [MANAGEMENT, {"Field": "readOnly", "Equals": ["false"]}]},
                    {"FieldSelectors": [MANAGEMENT, {"Field": "eventName", "StartsWith": ["List"]}]},
                ]
            },
            {"CreateCluster", "ListRules"},
        ),
        (
            {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]},
            set(),
        ),
    ],
)
def test_event_selectors_choose(world, trails, selectors, expected):
    name, bucket = trails.make()
    world.cloudtrail.put_event_selectors(TrailName=name, **selectors)
    world.cluster()
    world.ecs.describe_clusters()
    world.events.list_rules()
    to_the_next(world)
    assert set(trails.calls(bucket)) & {"CreateCluster", "DescribeClusters", "ListRules"} == expected
    (told,) = world.cloudtrail.describe_trails(trailNameList=[name])["trailList"]
    assert told["HasCustomEventSelectors"] is True


def test_what_objects_are_read_and_written_stands_in_no_file(world, trails):
    _, bucket = trails.make()
    trails.s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    trails.s3.get_object(Bucket=bucket, Key="a")
    trails.s3.delete_object(Bucket=bucket, Key="a")
    world.cluster()
    to_the_next(world)
    assert {"PutObject", "GetObject", "DeleteObject"}.isdisjoint(trails.calls(bucket))


@pytest.mark.parametrize("wrong", [{"RunTask": -1}, {"RunTask": "once"}, ["RunTask"]])
def test_what_log_twice_cannot_be_is_refused(world, wrong):
    with pytest.raises(LocalAwsError, match=r"log_twice = .*(a number of records is wanted|an object such as)"):
        process.settings(world.server, log_twice=wrong)
