"""
Events that outlive ECS's memory: a rule puts them into a log group, or through Firehose into S3. Expectations are from
AWS docs: EventBridge, "Using resource-based policies", "Amazon ECS task state change events"; Firehose, "Configure
buffering hints", "Configure Amazon S3 object name format", "Understand custom prefixes for Amazon S3 objects".
"""

import gzip
import json
import re
from datetime import UTC, datetime

import pytest
from local_world import ACCOUNT, REGION, LocalWorld, allow, arn, document, trusting

EVENTS = "events.amazonaws.com"
STOPPED = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": {"lastStatus": ["STOPPED"]}}


@pytest.fixture(scope="module")
def world(server):
    made = LocalWorld(server)
    made.to("2027-05-11T12:00:00Z")
    return made


class Keeping:
    """Rules of one test with one target each, removed when it ends, and what failed on the way to it."""

    def __init__(self, world):
        self.world, self.rules, self.policies = world, [], []
        self.logs, self.firehose, self.s3, self.sqs = map(world.client, ("logs", "firehose", "s3", "sqs"))
        name = world.name("dead")
        self.queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        policy = document(allow("sqs:SendMessage", arn(name, "sqs")) | {"Principal": {"Service": EVENTS}})
        self.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": policy})
        self.queue_arn = arn(name, "sqs")

    def rule(self, target, **more):
        """Make a rule that sends stopped tasks to *target*; return its ARN."""
        name = self.world.name("keeper")
        self.rules.append(name)
        made = self.world.events.put_rule(Name=name, EventPattern=json.dumps(STOPPED))["RuleArn"]
        whole = {"Id": "1", "Arn": target, "DeadLetterConfig": {"Arn": self.queue_arn}, **more}
        assert self.world.events.put_targets(Rule=name, Targets=[whole])["FailedEntryCount"] == 0
        return made

    def clean(self):
        for name in self.policies:
            self.logs.delete_resource_policy(policyName=name)
        for name in self.rules:
            self.world.events.remove_targets(Rule=name, Ids=["1"])
            self.world.events.delete_rule(Name=name)

    def stopped_task(self):
        """Run a task to its end; return its ARN."""
        family = self.world.register()["family"]
        task = self.world.run(family)["tasks"][0]["taskArn"]
        self.world.advance(120)
        return task

    def failures(self):
        """The codes of the dead letters that nobody has read."""
        letters = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return [one["MessageAttributes"]["ERROR_CODE"]["StringValue"] for one in letters.get("Messages", [])]

    # -------- log groups

    def group(self, name=""):
        name = name or self.world.name("/aws/events/tasks")
        self.logs.create_log_group(logGroupName=name)
        return name

    def let(self, group, *, condition=None, principal=EVENTS, actions=("logs:CreateLogStream", "logs:PutLogEvents")):
        resource = arn(f"log-group:{group}:*", "logs")
        statement = allow(list(actions), resource, condition) | {"Principal": {"Service": principal}}
        self.policies.append(self.world.name("policy"))
        self.logs.put_resource_policy(policyName=self.policies[-1], policyDocument=document(statement))

    def log(self, group):
        return self.logs.filter_log_events(logGroupName=group)["events"]

    # -------- Firehose

    def bucket(self):
        name = self.world.name("kept")
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def stream(self, bucket, **more):
        name = self.world.name("stream")
        role = self.world.role(trust=trusting("firehose.amazonaws.com"))
        told = {"RoleARN": role, "BucketARN": f"arn:aws:s3:::{bucket}", **more}
        self.firehose.create_delivery_stream(DeliveryStreamName=name, ExtendedS3DestinationConfiguration=told)
        return name

    def sender(self, stream, action="firehose:PutRecord"):
        return self.world.role(allow(action, arn(f"deliverystream/{stream}", "firehose")), trust=trusting(EVENTS))

    def objects(self, bucket):
        keys = [one["Key"] for one in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
        return {key: self.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@pytest.fixture
def keeping(world):
    made = Keeping(world)
    yield made
    made.clean()


# -------- a log group


def test_a_stopped_task_stands_in_the_log_group(world, keeping):
    group = keeping.group()
    keeping.let(group)
    keeping.rule(arn(f"log-group:{group}", "logs"))
    task = keeping.stopped_task()
    (one,) = keeping.log(group)
    event = json.loads(one["message"])
    detail = event.pop("detail")
    stopped = world.task(task)["stoppedAt"]
    assert (detail["taskArn"], detail["lastStatus"], detail["stopCode"]) == (
        task,
        "STOPPED",
        "EssentialContainerExited",
    )
    assert detail["containers"][0]["exitCode"] == 0
    assert datetime.fromisoformat(detail["stoppedAt"]) == stopped
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": ACCOUNT,
        "time": f"{stopped.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": REGION,
        "resources": [task],
    }
    assert one["timestamp"] // 1000 == int(stopped.timestamp())  # the world's time, a year from now
    assert keeping.failures() == []


def test_what_a_target_is_given_stands_there_instead(keeping):
    group = keeping.group()
    keeping.let(group)
    given = {"InputPathsMap": {"task": "$.detail.taskArn"}, "InputTemplate": '{"message": <task>}'}
    keeping.rule(arn(f"log-group:{group}", "logs"), InputTransformer=given)
    task = keeping.stopped_task()
    assert [json.loads(one["message"]) for one in keeping.log(group)] == [{"message": task}]


def test_a_group_of_any_name_may_be_told(keeping):
    group = keeping.group(keeping.world.name("tasks"))
    keeping.let(group)
    keeping.rule(arn(f"log-group:{group}", "logs"))
    keeping.stopped_task()
    assert len(keeping.log(group)) == 1


def test_a_policy_may_name_the_rule(keeping):
    group = keeping.group()
    rule = keeping.rule(arn(f"log-group:{group}", "logs"))
    keeping.let(group, condition={"ArnEquals": {"aws:SourceArn": rule}})
    keeping.stopped_task()
    assert len(keeping.log(group)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {"condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-2:123456789012:rule/another"}}},
        {"principal": "lambda.amazonaws.com"},
        {"actions": ["logs:PutLogEvents"]},
        {"actions": ["logs:CreateLogStream"]},
    ],
    ids=["no policy", "another rule", "another service", "no stream", "no event"],
)
def test_a_group_that_does_not_let_eventbridge_write_gets_nothing(keeping, wrong):
    group = keeping.group()
    if wrong is not None:
        keeping.let(group, **wrong)
    keeping.rule(arn(f"log-group:{group}", "logs"))
    keeping.stopped_task()
    assert keeping.log(group) == []
    assert keeping.failures() == ["NO_PERMISSIONS"]


def test_a_deny_is_stronger(keeping):
    group = keeping.group()
    keeping.let(group)
    deny = allow("logs:*", arn(f"log-group:{group}:*", "logs"), effect="Deny") | {"Principal": {"Service": EVENTS}}
    keeping.logs.put_resource_policy(policyName="deny", policyDocument=document(deny))
    keeping.rule(arn(f"log-group:{group}", "logs"))
    keeping.stopped_task()
    keeping.logs.delete_resource_policy(policyName="deny")
    assert (keeping.log(group), keeping.failures()) == ([], ["NO_PERMISSIONS"])


def test_a_group_that_is_gone_is_told(keeping):
    keeping.let("nowhere")
    keeping.rule(arn("log-group:nowhere", "logs"))
    keeping.stopped_task()
    assert keeping.failures() == ["NO_RESOURCE"]


# -------- Firehose

LINES = {"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord", "Parameters": []}]}


def to(keeping, stream, **more):
    target = arn(f"deliverystream/{stream}", "firehose")
    return keeping.rule(target, **{"RoleArn": keeping.sender(stream), **more})


def test_stopped_tasks_come_to_s3_in_one_object_when_the_buffer_is_full_of_time(world, keeping):
    bucket = keeping.bucket()
    stream = keeping.stream(bucket, ProcessingConfiguration=LINES, CompressionFormat="GZIP", Prefix="ecs/")
    to(keeping, stream)
    world.to("2027-05-12T09:58:00Z")
    tasks = [keeping.stopped_task(), keeping.stopped_task()]  # two minutes each; the first stops just before ten
    assert keeping.objects(bucket) == {}
    world.advance(300)
    ((key, content),) = keeping.objects(bucket).items()
    name = rf"ecs/2027/05/12/09/{stream}-1-2027-05-12-10-\d\d-\d\d-[0-9a-f-]{{36}}\.gz"  # the hour of the oldest
    assert re.fullmatch(name, key), key
    events = [json.loads(line) for line in gzip.decompress(content).decode().splitlines()]
    assert [event["detail"]["taskArn"] for event in events] == tasks
    assert {event["detail-type"] for event in events} == {"ECS Task State Change"}


def test_nothing_stands_between_two_records_unless_the_stream_says_so(world, keeping):
    bucket = keeping.bucket()
    keeping.firehose.put_record_batch(
        DeliveryStreamName=keeping.stream(bucket), Records=[{"Data": b'{"n":1}'}, {"Data": b'{"n":2}'}]
    )
    world.advance(299)
    assert keeping.objects(bucket) == {}
    world.advance(1)
    assert list(keeping.objects(bucket).values()) == [b'{"n":1}{"n":2}']


@pytest.mark.parametrize(
    ("given", "begins"),
    [
        ("", r"2027/05/13/00/"),
        ("tasks-", r"tasks-2027/05/13/00/"),
        ("day=!{timestamp:yyyy-MM-dd}/", r"day=2027-05-13/"),
        ("a/!{firehose:random-string}/!{timestamp:yyyy}/", r"a/\w{11}/2027/"),
    ],
)
def test_a_prefix_says_where_objects_lie(world, keeping, given, begins):
    world.to(max("2027-05-13T00:00:00+00:00", world.now))
    bucket = keeping.bucket()
    hints = {"IntervalInSeconds": 60, "SizeInMBs": 1}
    stream = keeping.stream(bucket, Prefix=given, BufferingHints=hints, FileExtension=".json")
    keeping.firehose.put_record(DeliveryStreamName=stream, Record={"Data": b"x"})
    world.advance(60)
    (key,) = keeping.objects(bucket)
    assert re.fullmatch(rf"{begins}{stream}-1-2027-05-13-00-\d\d-\d\d-[0-9a-f-]{{36}}\.json", key), key


def test_a_full_buffer_is_written_at_once(keeping):
    bucket = keeping.bucket()
    stream = keeping.stream(bucket, BufferingHints={"IntervalInSeconds": 900, "SizeInMBs": 1})
    for _ in range(3):
        keeping.firehose.put_record(DeliveryStreamName=stream, Record={"Data": b"x" * 600_000})
    assert [len(content) for content in keeping.objects(bucket).values()] == [1_200_000]


def wrong_role(keeping, stream, wrong):
    if wrong == "another's role":
        return keeping.world.role(allow("firehose:*", "*"), trust=trusting("ecs.amazonaws.com"))
    return keeping.sender("another") if wrong == "another stream" else keeping.sender(stream, "firehose:PutRecordBatch")


@pytest.mark.parametrize("wrong", ["no role", "another stream", "another action", "another's role"])
def test_the_targets_role_must_be_allowed_to_put(keeping, wrong):
    bucket = keeping.bucket()
    stream = keeping.stream(bucket)
    role = {} if wrong == "no role" else {"RoleArn": wrong_role(keeping, stream, wrong)}
    keeping.rule(arn(f"deliverystream/{stream}", "firehose"), **role)
    keeping.stopped_task()
    keeping.world.advance(300)
    assert keeping.objects(bucket) == {}
    assert keeping.failures() == ["NO_PERMISSIONS"]


def test_a_stream_that_is_gone_is_told(keeping):
    stream = keeping.stream(keeping.bucket())
    to(keeping, stream)
    keeping.firehose.delete_delivery_stream(DeliveryStreamName=stream)
    keeping.stopped_task()
    assert keeping.failures() == ["NO_RESOURCE"]


def test_what_is_put_stands_in_no_trail(world, keeping):
    keeping.firehose.put_record(DeliveryStreamName=keeping.stream(keeping.bucket()), Record={"Data": b"x"})
    assert world.trail("PutRecord") == []
