"""Failures are read from whatever tells of them; what is good, foreign or broken gives nothing, and no crash."""

# ruff: noqa: E501 - AWS's words and what is written down of them are one line each

import copy
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_runbook.diagnosis.explain import explain
from ecs_runbook.diagnosis.sighting import sightings

ACCOUNT, REGION = "111122223333", "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service-role/nightly-events"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/nightly-events/ff00212d8c453aaaae644bc6846d4723"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/batch"
FAMILY = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/nightly"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/nightly"
SCHEDULE = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/nightly"
TASK = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/batch/0123456789abcdef0123456789abcdef"
SECRET = "hunter2-in-the-clear"
DENIED = (
    f"User: {SESSION} is not authorized to perform: ecs:RunTask on resource: {FAMILY}:9 "
    "because no identity-based policy allows the ecs:RunTask action"
)

ASKED = {
    "cluster": CLUSTER,
    "taskDefinition": FAMILY,
    "launchType": "FARGATE",
    "startedBy": "events-rule/nightly",
    "count": 1,
    "networkConfiguration": {
        "awsvpcConfiguration": {
            "subnets": ["subnet-0a1b", "subnet-0c2d"],
            "securityGroups": ["sg-0e3f"],
            "assignPublicIp": "ENABLED",
        }
    },
    "overrides": {"containerOverrides": [{"name": "main", "environment": [{"name": "TOKEN", "value": SECRET}]}]},
}


def record(code="", message="", *, asked=None, answer=None, **more):
    """A RunTask record in CloudTrail's delivered form, called by EventBridge for a rule."""
    whole = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:ff00212d8c453aaaae644bc6846d4723",
            "arn": SESSION,
            "accountId": ACCOUNT,
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE, "accountId": ACCOUNT}},
            "invokedBy": "events.amazonaws.com",
        },
        "eventTime": "2026-11-24T17:00:12Z",
        "eventSource": "ecs.amazonaws.com",
        "eventName": "RunTask",
        "awsRegion": REGION,
        "sourceIPAddress": "events.amazonaws.com",
        "userAgent": "events.amazonaws.com",
        "requestParameters": asked,
        "responseElements": answer,
        "eventID": "c2636af5-48f7-4261-af84-e82a58af1fdf",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    whole |= {"errorCode": code} if code else {}
    whole |= {"errorMessage": message} if message else {}
    return whole | more


def letter(code, message, *, scheduler=False, **more):
    """A dead letter as ReceiveMessage has it."""
    said = {"ERROR_CODE": code, "ERROR_MESSAGE": message, "RETRY_ATTEMPTS": "0"}
    if scheduler:
        said |= {
            "SCHEDULE_ARN": SCHEDULE,
            "TARGET_ARN": "arn:aws:scheduler:::aws-sdk:ecs:runTask",
            "SCHEDULED_TIME": "2026-11-24T17:00:00Z",
            "EXECUTION_ID": "ff00212d8c453aaa",
            "IS_PAYLOAD_TRUNCATED": "false",
        }
    else:
        said |= {"RULE_ARN": RULE, "TARGET_ARN": CLUSTER}
    body = {
        "version": "0",
        "id": "i",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "time": "2026-11-24T17:00:00Z",
    }
    return {
        "MessageId": "m-1",
        "ReceiptHandle": "r",
        "Body": "{}" if scheduler else json.dumps(body | {"resources": [RULE], "detail": {}}),
        "Attributes": {"SentTimestamp": "1795539720000"},
        "MessageAttributes": {
            name: {"StringValue": value, "DataType": "String"} for name, value in (said | more).items()
        },
    }


def task(stop_code="EssentialContainerExited", reason="Essential container in task exited", *containers, **more):
    return {
        "taskArn": TASK,
        "clusterArn": CLUSTER,
        "taskDefinitionArn": f"{FAMILY}:9",
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "startedBy": "events-rule/nightly",
        "launchType": "FARGATE",
        "stopCode": stop_code,
        "stoppedReason": reason,
        "createdAt": datetime(2026, 11, 24, 17, 0, 13, tzinfo=UTC),
        "stoppedAt": datetime(2026, 11, 24, 17, 2, 0, tzinfo=UTC),
        "containers": list(containers),
        "overrides": {"containerOverrides": [{"name": "main", "environment": [{"name": "TOKEN", "value": SECRET}]}]},
    } | more


NO_FARGATE = record("InvalidParameterException", "Assign public IP is not supported for this launch type.", asked=ASKED)


# -------- CloudTrail


@pytest.mark.parametrize(
    "told",
    [
        NO_FARGATE,
        json.dumps(NO_FARGATE),
        json.dumps(NO_FARGATE).encode(),
        "\ufeff" + json.dumps(NO_FARGATE),
        {"EventId": "e", "EventName": "RunTask", "CloudTrailEvent": json.dumps(NO_FARGATE)},
        {"Events": [{"EventId": "e", "EventName": "RunTask", "CloudTrailEvent": json.dumps(NO_FARGATE)}]},
        {"Records": [NO_FARGATE]},
        json.dumps({"Records": [NO_FARGATE]}),
        {"detail-type": "AWS API Call via CloudTrail", "source": "aws.ecs", "detail": NO_FARGATE},
        [NO_FARGATE],
        {
            "Messages": [
                {
                    "MessageId": "m",
                    "Body": json.dumps({"detail-type": "AWS API Call via CloudTrail", "detail": NO_FARGATE}),
                }
            ]
        },
        {**NO_FARGATE, "requestParameters": json.dumps(ASKED)},
    ],
    ids=[
        "record",
        "text",
        "bytes",
        "bom",
        "event",
        "events",
        "file",
        "file text",
        "EventBridge",
        "list",
        "queue",
        "Athena",
    ],
)
def test_a_record_is_read_in_every_form_in_which_it_is_delivered(told):
    (seen,) = sightings(told)
    assert (seen.told_by, seen.code) == ("CloudTrail", "InvalidParameterException")
    assert seen.message == "Assign public IP is not supported for this launch type."
    assert seen.time == datetime(2026, 11, 24, 17, 0, 12, tzinfo=UTC)
    facts = seen.facts
    assert facts["role"] == ROLE
    assert (facts["rule"], facts["cluster"], facts["family"]) == ("nightly", CLUSTER, "nightly")
    assert facts["subnets"] == ("subnet-0a1b", "subnet-0c2d")
    assert facts["security_groups"] == ("sg-0e3f",)
    assert (facts["launch_type"], facts["assign_public_ip"], facts["container"]) == ("FARGATE", "ENABLED", "main")
    assert "revision" not in facts


def test_without_request_parameters_role_resource_and_revision_come_from_identity_and_words():
    (seen,) = sightings(record("AccessDenied", DENIED))
    assert seen.facts["role"] == ROLE
    assert (seen.facts["action"], seen.facts["resource"]) == ("ecs:RunTask", f"{FAMILY}:9")
    assert (seen.facts["family"], seen.facts["revision"]) == ("nightly", "9")
    assert "rule" not in seen.facts


def test_a_name_that_is_cut_off_is_never_told_as_a_whole_one():
    for length in range(len(DENIED)):
        (seen,) = sightings(record("AccessDenied", DENIED[:length]))
        assert seen.facts.get("family", "nightly") == "nightly"
        assert seen.facts.get("revision", "9") == "9"
        assert seen.facts.get("action", "ecs:RunTask") == "ecs:RunTask"


def test_a_started_by_that_may_be_cut_off_names_no_rule():
    asked = ASKED | {"startedBy": "events-rule/nightly-report-of-the-wh"}
    (seen,) = sightings(record("ClientException", "TaskDefinition not found.", asked=asked))
    assert seen.facts["started_by"] == "events-rule/nightly-report-of-the-wh"
    assert "rule" not in seen.facts


def test_the_start_of_a_schedule_is_read_as_one_of_scheduler():
    asked = ASKED | {"startedBy": "chronos-schedule/nightly"}
    (seen,) = sightings(record("ClientException", "TaskDefinition not found.", asked=asked))
    assert seen.facts["schedule"] == "nightly"
    assert "rule" not in seen.facts


def test_failures_without_an_error_code_are_seen_one_by_one():
    answer = {
        "tasks": [],
        "failures": [
            {"arn": "arn:aws:ecs:eu-west-1:111122223333:container-instance/batch/1", "reason": "RESOURCE:MEMORY"},
            {"reason": "AGENT", "detail": "gone"},
        ],
    }
    first, second = sightings(record(asked=ASKED, answer=answer))
    assert (first.told_by, first.code, first.message) == ("failures[]", "", "RESOURCE:MEMORY")
    assert first.facts["rule"] == "nightly"
    assert (second.message, second.facts["detail"]) == ("AGENT", "gone")


@pytest.mark.parametrize(
    "hidden", ["HIDDEN_DUE_TO_SECURITY_REASONS", [{"name": "TOKEN", "value": SECRET}], {"TOKEN": SECRET}]
)
def test_values_of_environments_are_never_kept(hidden):
    asked = copy.deepcopy(ASKED)
    asked["overrides"]["containerOverrides"][0]["environment"] = hidden
    asked["input"] = json.dumps({"containerOverrides": [{"environment": [{"name": "TOKEN", "value": SECRET}]}]})
    for told in (
        record("ClientException", "TaskDefinition not found.", asked=asked),
        record("ClientException", "TaskDefinition not found.", asked=json.dumps(asked)),
        record("ClientException", "TaskDefinition not found.", asked=json.dumps(asked)[:-9]),
        task("TaskFailedToStart", "AGENT"),
        {**letter("NO_RESOURCE", "TaskDefinition not found."), "Body": json.dumps(asked)},
    ):
        (seen,) = sightings(told)
        assert SECRET not in repr((seen.raw, seen.facts, seen.message))
        assert SECRET not in str(explain(seen)) + explain(seen)._repr_html_()


def test_the_same_record_gives_the_same_whatever_is_missing_in_it():
    for name in NO_FARGATE:
        if name not in ("eventName", "errorCode", "errorMessage"):
            (seen,) = sightings({key: value for key, value in NO_FARGATE.items() if key != name})
            assert explain(seen).cause == "public-ip-needs-fargate"


@pytest.mark.parametrize("wrong", ["a string", 3, [], [1], {"x": 1}, None, True, 1.5])
def test_values_of_another_type_are_unknown_and_no_crash(wrong):
    for name in NO_FARGATE:
        if name not in ("eventSource", "eventName", "errorCode", "errorMessage"):
            (seen,) = sightings({**NO_FARGATE, name: wrong})
            assert explain(seen).cause == "public-ip-needs-fargate"
    for name in ASKED:
        (seen,) = sightings({**NO_FARGATE, "requestParameters": {**ASKED, name: wrong}})
        assert explain(seen).cause == "public-ip-needs-fargate"


@pytest.mark.parametrize(
    "foreign",
    [
        record(asked=ASKED, answer={"tasks": [{"taskArn": TASK}], "failures": []}),
        record("AccessDenied", "Access Denied", eventSource="s3.amazonaws.com", eventName="GetObject"),
        record("AccessDenied", DENIED, eventName="CreateCluster"),
        record("ClientException", "TaskDefinition not found.", eventName="CreateService"),
        record("AccessDenied", DENIED, eventSource="evil.example", eventName="RunTask"),
        {**record("AccessDenied", "x", eventSource="sts.amazonaws.com", eventName="AssumeRole"),
         "userIdentity": {"type": "IAMUser"}, "sourceIPAddress": "192.0.2.1", "userAgent": "aws-cli/2"},
        record(eventSource="events.amazonaws.com", eventName="PutRule", asked={"name": "nightly"}),
        {"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2", "detail": {"state": "stopped"}},
        {"detail-type": "ECS Task State Change", "source": "my.own", "detail": task("TaskFailedToStart", "x")},
        {"Records": [{"s3": {"bucket": {"name": "b"}}, "eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]},
        {}, [], "", "null", "[1, 2]", "3", None, 3, 2.5, True, object(), {"Records": "x"}, {"tasks": None}, {"failures": 3},
        '{"eventName": "RunTask', "{" * 100_000, "[" * 100_000, b"\xff\xfe\x00", {1: 2},
    ],
)  # fmt: skip
def test_a_success_and_what_is_foreign_or_broken_give_nothing(foreign):
    assert sightings(foreign) == []


def test_what_is_no_json_is_told_of():
    told = []
    assert sightings('{"eventName": "RunTask', unreadable=told.append) == []
    assert told == ['{"eventName": "RunTask']


def test_a_record_within_many_foreign_ones_is_found():
    many = [record("AccessDenied", "x", eventSource="kms.amazonaws.com", eventName="Decrypt")] * 50
    assert len(sightings({"Records": [*many, NO_FARGATE, None, 3, "x"]})) == 1


@pytest.mark.parametrize(
    "caller",
    [
        {"userIdentity": {"type": "AWSService", "invokedBy": "events.amazonaws.com"}},
        {"userIdentity": {"type": "AWSService", "invokedBy": "scheduler.amazonaws.com"}},
        {"sourceIPAddress": "events.amazonaws.com", "userIdentity": None},
    ],
)
def test_an_assume_role_that_was_refused_to_eventbridge_is_ours(caller):
    refused = {
        **record("AccessDenied", "An unknown error occurred", eventSource="sts.amazonaws.com", eventName="AssumeRole"),
        "sourceIPAddress": "192.0.2.1", "userAgent": "x", "requestParameters": {"roleArn": ROLE}, **caller,
    }  # fmt: skip
    (seen,) = sightings(refused)
    assert seen.facts["role"] == ROLE
    assert explain(seen).cause == "assume-role-refused"


# -------- dead letters


def test_a_dead_letter_of_a_rule_is_read_as_boto3_has_it_and_as_lambda_has_it():
    boto3 = letter("NO_PERMISSIONS", DENIED, RETRY_ATTEMPTS="185", EXHAUSTED_RETRY_CONDITION="MaximumRetryAttempts")
    as_lambda = {
        "messageId": boto3["MessageId"],
        "body": boto3["Body"],
        "attributes": boto3["Attributes"],
        "messageAttributes": {
            name: {"stringValue": said["StringValue"], "dataType": "String"}
            for name, said in boto3["MessageAttributes"].items()
        },
        "eventSource": "aws:sqs",
    }
    bare = {name: said["StringValue"] for name, said in boto3["MessageAttributes"].items()}
    assert [one.code for one in sightings(bare)] == ["NO_PERMISSIONS"]
    for told in (boto3, as_lambda, {"Records": [as_lambda]}, {"Messages": [boto3]}, json.dumps(boto3), [boto3]):
        (seen,) = sightings(told)
        assert (seen.told_by, seen.code, seen.message) == ("DLQ of a rule", "NO_PERMISSIONS", DENIED)
        assert seen.time == datetime.fromtimestamp(1795539720, UTC)
        facts = seen.facts
        assert (facts["rule"], facts["cluster"], facts["family"]) == ("nightly", CLUSTER, "nightly")
        assert (facts["retry_attempts"], facts["exhausted"]) == ("185", "MaximumRetryAttempts")
        assert facts["event_time"] == "2026-11-24T17:00:00Z"
        assert "given up after 185 retries" in explain(seen).because


def test_a_dead_letter_of_scheduler_is_read():
    told = letter("AccessDeniedException", DENIED, scheduler=True)
    told["Body"] = json.dumps({"Cluster": CLUSTER, "TaskDefinition": FAMILY, "NetworkConfiguration": {
        "AwsvpcConfiguration": {"Subnets": ["subnet-0a1b"]}}})  # fmt: skip
    (seen,) = sightings(told)
    assert (seen.told_by, seen.code) == ("DLQ of Scheduler", "AccessDeniedException")
    facts = seen.facts
    assert (facts["schedule"], facts["cluster"], facts["revision"]) == ("nightly", CLUSTER, "9")
    assert facts["subnets"] == ("subnet-0a1b",)
    assert facts["event_time"] == "2026-11-24T17:00:00Z"


@pytest.mark.parametrize(
    "target", ["arn:aws:lambda:eu-west-1:111122223333:function:f", "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "x"]
)
def test_a_dead_letter_of_another_target_is_not_ours(target):
    assert sightings(letter("NO_PERMISSIONS", DENIED, TARGET_ARN=target)) == []
    assert sightings(letter("AccessDeniedException", DENIED, scheduler=True, TARGET_ARN=target)) == []


def test_a_letter_without_attributes_is_read_for_what_its_body_holds():
    body = {"detail-type": "ECS Task State Change", "source": "aws.ecs", "detail": task("TaskFailedToStart", "AGENT")}
    (seen,) = sightings({"MessageId": "m", "Body": json.dumps(body, default=str)})
    assert (seen.told_by, seen.message) == ("ECS event", "AGENT")
    notified = {"Type": "Notification", "Message": json.dumps(body, default=str)}
    assert len(sightings({"MessageId": "m", "Body": json.dumps(notified)})) == 1
    assert sightings({"MessageId": "m", "Body": "not json"}) == []
    assert sightings({"MessageId": "m"}) == []


# -------- ECS


def test_a_good_end_gives_nothing_and_a_bad_one_a_sighting():
    assert (
        sightings(
            task("EssentialContainerExited", "Essential container in task exited", {"name": "main", "exitCode": 0})
        )
        == []
    )
    (seen,) = sightings(
        task("EssentialContainerExited", "Essential container in task exited", {"name": "main", "exitCode": 3})
    )
    assert (seen.told_by, seen.code, seen.message) == (
        "ECS",
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert (seen.facts["exit_code"], seen.facts["container"], seen.facts["rule"]) == ("3", "main", "nightly")
    assert seen.time == datetime(2026, 11, 24, 17, 2, tzinfo=UTC)


@pytest.mark.parametrize("status", ["RUNNING", "PENDING", "PROVISIONING", "DEPROVISIONING", "", None])
def test_a_task_that_has_not_stopped_gives_nothing(status):
    assert sightings(task("TaskFailedToStart", "AGENT", lastStatus=status)) == []


@pytest.mark.parametrize(
    "told",
    [
        {"tasks": [task("TaskFailedToStart", "AGENT")], "failures": []},
        [task("TaskFailedToStart", "AGENT")],
        {"detail-type": "ECS Task State Change", "source": "aws.ecs", "detail": task("TaskFailedToStart", "AGENT")},
        json.dumps(task("TaskFailedToStart", "AGENT"), default=str),
    ],
)
def test_a_task_is_read_in_every_form(told):
    (seen,) = sightings(told)
    assert (seen.code, seen.message) == ("TaskFailedToStart", "AGENT")


def test_what_sns_a_queue_and_a_log_group_hand_on_is_read():
    event = {"detail-type": "ECS Task State Change", "source": "aws.ecs", "detail": task("TaskFailedToStart", "AGENT")}
    text = json.dumps(event, default=str)
    notified = {"Type": "Notification", "Message": text}
    for told in (
        {"Records": [{"EventSource": "aws:sns", "Sns": notified}]},
        {"events": [{"timestamp": 1795539612000, "message": text}], "searchedLogStreams": []},
        {
            "logEvents": [
                {"id": "1", "timestamp": 1795539612000, "message": "no json"},
                {"timestamp": 1, "message": text},
            ]
        },
    ):
        (seen,) = sightings(told)
        assert (seen.told_by, seen.message) == ("ECS event", "AGENT")


def test_the_containers_reason_is_told_where_the_tasks_own_says_little():
    killed = {"name": "main", "exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}
    (seen,) = sightings(task("EssentialContainerExited", "Essential container in task exited", killed))
    assert seen.message == "OutOfMemoryError: Container killed due to memory usage"
    assert seen.facts["exit_code"] == "137"


def test_containers_that_ended_differently_are_judged_by_the_essential_ones_where_they_are_known():
    two = task("EssentialContainerExited", "Essential container in task exited",
               {"name": "main", "exitCode": 0}, {"name": "proxy", "exitCode": 143})  # fmt: skip
    (seen,) = sightings(two)
    assert explain(seen).cause == "containers-disagree"
    assert sightings(two, essential={f"{FAMILY}:9": ["main"]}) == []
    (bad,) = sightings(two, essential={f"{FAMILY}:9": ["proxy"]})
    assert explain(bad).cause == "exit-143"


def test_what_describe_tasks_does_not_know_any_more_is_told():
    (seen,) = sightings({"tasks": [], "failures": [{"arn": TASK, "reason": "MISSING"}]})
    assert (seen.told_by, seen.message) == ("ECS", "MISSING")
    assert explain(seen).cause == "task-forgotten"


@pytest.mark.parametrize("wrong", ["x", 3, [], [None], {"y": 1}, None, True, float("nan"), float("inf")])
def test_a_task_with_values_of_another_type_is_no_crash(wrong):
    good = task("TaskFailedToStart", "AGENT", {"name": "main"})
    for name in good:
        for seen in sightings({**good, name: wrong}):
            explain(seen)
    for seen in sightings(task("EssentialContainerExited", "x", {"name": wrong, "exitCode": wrong, "reason": wrong})):
        explain(seen)


# -------- anything

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=15,
)
FORMS = [
    NO_FARGATE,
    record("AccessDenied", DENIED),
    letter("NO_PERMISSIONS", DENIED),
    letter("AccessDeniedException", DENIED, scheduler=True),
    task("EssentialContainerExited", "Essential container in task exited", {"name": "main", "exitCode": 1}),
]


def paths(value, here=()):
    yield here
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from paths(inner, (*here, key))


def replaced(value, path, other):
    if not path:
        return other
    whole = copy.copy(value)
    whole[path[0]] = replaced(value[path[0]], path[1:], other)
    return whole


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_change_anywhere_in_a_form_is_a_crash(data):
    form = data.draw(st.sampled_from(FORMS))
    changed = replaced(form, data.draw(st.sampled_from(list(paths(form)))), data.draw(JSON))
    for seen in sightings(changed):
        told = explain(seen)
        assert str(told)
        assert told._repr_html_().startswith("<div>")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_text_that_is_cut_off_anywhere_is_no_crash(data):
    text = json.dumps(data.draw(st.sampled_from(FORMS)), default=str)
    assert sightings(text[: data.draw(st.integers(0, len(text) - 1))]) == []


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_what_is_none_of_these_forms_gives_nothing(told):
    assert sightings(told) == []
