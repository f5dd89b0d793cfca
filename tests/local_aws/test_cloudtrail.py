"""CloudTrail as its clients see it: what each kind of call leaves behind."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from ecs_runbook.local_aws import process

ACCOUNT = "123456789012"
TRUST_ANYONE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def trail(client):
    return client("cloudtrail")


@pytest.fixture(scope="module")
def ecs(client):
    return client("ecs")


def records(trail, name: str) -> list[dict]:
    """The records of *name*, newest first."""
    pages = trail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": name}]
    )
    return [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]


def register(ecs, family: str) -> dict:
    return ecs.register_task_definition(
        family=family,
        containerDefinitions=[
            {"name": "main", "image": "busybox", "memory": 64, "environment": [{"name": "TOKEN", "value": "s3cret"}]}
        ],
    )["taskDefinition"]


def test_a_change_is_recorded_with_what_was_asked_and_answered(ecs, trail):
    register(ecs, "recorded")
    record = records(trail, "RegisterTaskDefinition")[0]
    assert record["eventSource"] == "ecs.amazonaws.com"
    assert record["readOnly"] is False
    assert record["requestParameters"]["family"] == "recorded"
    arn = f"arn:aws:ecs:us-east-1:{ACCOUNT}:task-definition/recorded:1"
    assert record["responseElements"]["taskDefinition"]["taskDefinitionArn"] == arn
    assert "s3cret" not in json.dumps(record)


def test_a_read_only_call_has_no_response_elements(ecs, trail):
    ecs.describe_clusters(clusters=["default"])
    record = records(trail, "DescribeClusters")[0]
    assert record["readOnly"] is True
    assert record["requestParameters"] == {"clusters": ["default"]}
    assert record["responseElements"] is None


def test_what_is_not_found_leaves_neither_request_nor_response(ecs, trail):
    with pytest.raises(ClientError, match="Unable to describe task definition"):
        ecs.describe_task_definition(taskDefinition="nowhere")
    record = records(trail, "DescribeTaskDefinition")[0]
    assert (record["errorCode"], record["errorMessage"]) == ("ClientException", "Unable to describe task definition.")
    assert (record["requestParameters"], record["responseElements"]) == (None, None)


def test_access_denied_is_recorded_without_exception_and_without_request(client, trail):
    iam, sts = client("iam"), client("sts")
    role = iam.create_role(RoleName="may-nothing", AssumeRolePolicyDocument=json.dumps(TRUST_ANYONE))["Role"]["Arn"]
    session = sts.assume_role(RoleArn=role, RoleSessionName="nobody")["Credentials"]
    register(client("ecs"), "denied")
    with pytest.raises(ClientError) as refused:
        client("ecs", session=session).run_task(
            taskDefinition="denied", launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": {"subnets": []}}
        )
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    record = next(
        r for r in records(trail, "RunTask") if r["userIdentity"].get("accessKeyId") == session["AccessKeyId"]
    )
    assert record["errorCode"] == "AccessDenied"
    assert record["errorMessage"].startswith(f"User: arn:aws:sts::{ACCOUNT}:assumed-role/may-nothing/nobody is not ")
    assert (record["requestParameters"], record["responseElements"]) == (None, None)


def test_a_session_is_recorded_with_the_role_that_issued_it(client, trail):
    iam = client("iam")
    role = iam.create_role(RoleName="issuer", AssumeRolePolicyDocument=json.dumps(TRUST_ANYONE))["Role"]
    session = client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="visitor")["Credentials"]
    client("sts", session=session).get_caller_identity()
    identity = records(trail, "GetCallerIdentity")[0]["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/issuer/visitor"
    assert identity["principalId"] == f"{role['RoleId']}:visitor"
    assert identity["sessionContext"]["sessionIssuer"] == {
        "type": "Role",
        "principalId": role["RoleId"],
        "arn": role["Arn"],
        "accountId": ACCOUNT,
        "userName": "issuer",
    }
    assert identity["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"
    assert "invokedBy" not in identity


def test_the_record_of_a_new_session_says_whose_it_is_but_not_its_secrets(client, trail):
    iam = client("iam")
    role = iam.create_role(RoleName="secretive", AssumeRolePolicyDocument=json.dumps(TRUST_ANYONE))["Role"]["Arn"]
    session = client("sts").assume_role(RoleArn=role, RoleSessionName="visitor")["Credentials"]
    record = records(trail, "AssumeRole")[0]
    assert record["responseElements"]["credentials"]["accessKeyId"] == session["AccessKeyId"]
    assert session["SecretAccessKey"] not in json.dumps(record)
    assert session["SessionToken"] not in json.dumps(record)


def test_a_user_is_recorded_by_name_and_found_by_it(client, trail):
    iam = client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    client("sts", session=key).get_caller_identity()
    found = trail.lookup_events(LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": "ann"}])["Events"]
    assert [event["EventName"] for event in found] == ["GetCallerIdentity"]
    assert found[0]["AccessKeyId"] == key["AccessKeyId"]
    assert json.loads(found[0]["CloudTrailEvent"])["userIdentity"]["type"] == "IAMUser"
    assert key["SecretAccessKey"] not in json.dumps(records(trail, "CreateAccessKey"))


def test_a_key_that_nobody_owns_is_the_roots(client, trail):
    client("sts").get_caller_identity()
    identity = records(trail, "GetCallerIdentity")[0]["userIdentity"]
    assert identity == {
        "type": "Root",
        "principalId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:root",
        "accountId": ACCOUNT,
        "accessKeyId": "local",
    }


def test_pascal_casing_is_lowered_as_for_eventbridge(client, trail):
    client("events").put_rule(Name="cased", ScheduleExpression="rate(1 day)", State="DISABLED")
    record = records(trail, "PutRule")[0]
    expected = {"name": "cased", "scheduleExpression": "rate(1 day)", "state": "DISABLED"}
    assert record["requestParameters"] == expected
    assert record["responseElements"] == {"ruleArn": f"arn:aws:events:us-east-1:{ACCOUNT}:rule/cased"}


@pytest.mark.parametrize(
    ("service", "operation", "params", "source"),
    [
        ("ec2", "describe_vpcs", {}, "ec2.amazonaws.com"),
        ("s3", "list_buckets", {}, "s3.amazonaws.com"),
        ("sqs", "list_queues", {}, "sqs.amazonaws.com"),
        ("logs", "describe_log_groups", {}, "logs.amazonaws.com"),
        ("scheduler", "list_schedules", {}, "scheduler.amazonaws.com"),
        ("cloudwatch", "list_dashboards", {}, "monitoring.amazonaws.com"),
        ("iam", "list_roles", {}, "iam.amazonaws.com"),
        ("lambda", "list_functions", {}, "lambda.amazonaws.com"),
    ],
)
def test_calls_of_every_protocol_are_recorded(client, trail, service, operation, params, source):
    getattr(client(service), operation)(**params)
    name = "".join(part.capitalize() for part in operation.split("_"))
    events = trail.lookup_events(LookupAttributes=[{"AttributeKey": "EventSource", "AttributeValue": source}])["Events"]
    assert name.lower() in {event["EventName"].lower() for event in events}


def test_what_goes_into_a_bucket_or_a_queue_is_no_management_event(client, trail):
    s3, sqs = client("s3"), client("sqs")
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="k", Body=b"x")
    assert s3.get_object(Bucket="data", Key="k")["Body"].read() == b"x"
    url = sqs.create_queue(QueueName="data")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "m"
    assert len(records(trail, "CreateBucket")) == 1
    assert len(records(trail, "CreateQueue")) == 1
    for name in ("PutObject", "GetObject", "SendMessage", "ReceiveMessage"):
        assert records(trail, name) == []


def test_an_event_that_is_put_is_recorded(client, trail):
    entry = {"Source": "test.put", "DetailType": "t", "Detail": "{}"}
    client("events").put_events(Entries=[entry])
    asked = [record["requestParameters"]["entries"][0]["source"] for record in records(trail, "PutEvents")]
    assert asked.count("test.put") == 1


def test_an_unknown_operation_is_told_at_once_and_recorded(client, trail):
    with pytest.raises(ClientError, match=r"does not know this operation.*describe_service_revisions"):
        client("ecs").describe_service_revisions(serviceRevisionArns=["a"])
    assert records(trail, "DescribeServiceRevisions")[0]["errorCode"] == "NotImplemented"


def test_pages_of_fifty_hold_everything_once(client, trail):
    ecs = client("ecs", region="eu-west-1")
    for _ in range(60):
        ecs.list_clusters()
    there = client("cloudtrail", region="eu-west-1")
    query = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "ListClusters"}]}
    first = there.lookup_events(**query)
    second = there.lookup_events(**query, NextToken=first["NextToken"])
    assert (len(first["Events"]), len(second["Events"])) == (50, 10)
    assert "NextToken" not in second
    ids = {event["EventId"] for event in first["Events"] + second["Events"]}
    assert len(ids) == 60


def test_a_token_with_another_query_is_refused(client, ecs):
    for _ in range(3):
        ecs.list_services(cluster="default")
    trail = client("cloudtrail")
    token = trail.lookup_events(MaxResults=1)["NextToken"]
    with pytest.raises(trail.exceptions.InvalidNextTokenException):
        trail.lookup_events(
            MaxResults=1,
            NextToken=token,
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ListServices"}],
        )


def test_two_attributes_are_refused(trail):
    attributes = [{"AttributeKey": "EventName", "AttributeValue": name} for name in ("RunTask", "StopTask")]
    with pytest.raises(trail.exceptions.InvalidLookupAttributesException, match="Only one lookup attribute"):
        trail.lookup_events(LookupAttributes=attributes)


def test_a_turned_time_range_is_refused(trail):
    now = datetime.now(UTC)
    with pytest.raises(trail.exceptions.InvalidTimeRangeException, match="after the end time"):
        trail.lookup_events(StartTime=now, EndTime=now - timedelta(hours=1))


def test_nobody_has_insights_here(trail):
    assert trail.lookup_events(EventCategory="insight")["Events"] == []


def test_a_region_knows_its_own_calls_only(client):
    client("ecs", region="ap-south-1").list_clusters()
    events = client("cloudtrail", region="ap-south-1").lookup_events()["Events"]
    assert {json.loads(event["CloudTrailEvent"])["awsRegion"] for event in events} == {"ap-south-1"}


class TestByTheClock:
    """These move the world's clock, each from where it stands."""

    @pytest.fixture
    def now(self, server) -> datetime:
        moved = process.clock(server, freeze=True)
        yield datetime.fromisoformat(moved["now"])
        process.clock(server, release=True)

    def test_records_bear_the_worlds_time(self, server, ecs, trail, now):
        process.clock(server, advance="1h")
        register(ecs, "later")
        record = records(trail, "RegisterTaskDefinition")[0]
        expected = (now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert record["eventTime"] == expected

    @pytest.mark.usefixtures("now")
    def test_a_record_comes_after_the_delay_that_was_set(self, server, client):
        ecs, trail = client("ecs", region="sa-east-1"), client("cloudtrail", region="sa-east-1")
        process.settings(server, cloudtrail_delay_seconds=300)
        try:
            register(ecs, "late")
            assert records(trail, "RegisterTaskDefinition") == []
            process.clock(server, advance="299s")
            assert records(trail, "RegisterTaskDefinition") == []
            process.clock(server, advance="1s")
            assert [r["requestParameters"]["family"] for r in records(trail, "RegisterTaskDefinition")] == ["late"]
        finally:
            process.settings(server, cloudtrail_delay_seconds=0)

    @pytest.mark.usefixtures("now")
    def test_a_rules_run_is_recorded_as_eventbridges(self, server, client, ecs, trail):
        region = "us-east-1"
        ecs.register_task_definition(
            family="scheduled",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "main", "image": "busybox"}],
        )
        role = _role_that_may_run(client("iam"), "scheduled")
        events = client("events")
        events.put_rule(Name="scheduled", ScheduleExpression="rate(1 minute)")
        definition = f"arn:aws:ecs:{region}:{ACCOUNT}:task-definition/scheduled"
        subnets = {"Subnets": ["subnet-0a1a1a1a1a1a1a1a1"]}
        target = {
            "Id": "1",
            "Arn": f"arn:aws:ecs:{region}:{ACCOUNT}:cluster/default",
            "RoleArn": role,
            "EcsParameters": {
                "TaskDefinitionArn": definition,
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"awsvpcConfiguration": subnets},
            },
        }
        events.put_targets(Rule="scheduled", Targets=[target])
        process.clock(server, advance="61s")
        events.disable_rule(Name="scheduled")

        record = next(r for r in records(trail, "RunTask") if r["userIdentity"].get("invokedBy"))
        by = record["userIdentity"]
        assert (by["type"], by["invokedBy"]) == ("AssumedRole", "events.amazonaws.com")
        assert by["sessionContext"]["sessionIssuer"]["arn"] == role
        session = by["arn"].rsplit("/", 1)[1]
        assert len(session) == 32
        assert set(session) <= set("0123456789abcdef")
        assert (record["sourceIPAddress"], record["userAgent"]) == ("events.amazonaws.com", "events.amazonaws.com")
        assert record["requestParameters"]["taskDefinition"] == definition
        assert record["requestParameters"]["startedBy"] == "events-rule/scheduled"
        assert record["responseElements"]["tasks"][0]["taskDefinitionArn"] == f"{definition}:1"
        assert record["responseElements"]["failures"] == []
        assert "errorCode" not in record
        assert "tlsDetails" not in record

        session_record = records(trail, "AssumeRole")[0]
        assert session_record["userIdentity"] == {"type": "AWSService", "invokedBy": "events.amazonaws.com"}


def _role_that_may_run(iam, name: str) -> str:
    trust = {**TRUST_ANYONE["Statement"][0], "Principal": {"Service": "events.amazonaws.com"}}
    allowed = {
        "Effect": "Allow",
        "Action": "ecs:RunTask",
        "Resource": f"arn:aws:ecs:*:{ACCOUNT}:task-definition/{name}:*",
    }
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=name, PolicyName="run", PolicyDocument=policy)
    return role["Role"]["Arn"]
