"""The form of CloudTrail's records, field by field."""

import json
from datetime import UTC, datetime

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.local_aws import record
from ecs_runbook.local_aws.identity import Caller, root_of, service_of
from ecs_runbook.local_aws.world import Call

ACCOUNT = "111122223333"
FIVE = datetime(2026, 3, 18, 17, 0, 49, 123456, tzinfo=UTC)
SESSION = Caller(
    kind="AssumedRole",
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/nightly-schedule/0123456789abcdef0123456789abcdef",
    principal_id="AROAEXAMPLE:0123456789abcdef0123456789abcdef",
    access_key="ASIAEXAMPLE",
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/nightly-schedule",
    role_name="nightly-schedule",
    role_id="AROAEXAMPLE",
    session_name="0123456789abcdef0123456789abcdef",
    session_created=FIVE,
)
USER = Caller("IAMUser", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDAEXAMPLE", "ann", "AKIAEXAMPLE")


def call(operation="RunTask", *, service="ecs", caller=SESSION, invoked_by="", **more) -> Call:
    given = {"region": "eu-west-2", "params": {}, "source_ip": "127.0.0.1", "user_agent": "Boto3", "time": FIVE} | more
    return Call(service=service, operation=operation, caller=caller, invoked_by=invoked_by, **given)


def built(made: Call, *, error=None, request=None, response=None) -> dict:
    return record.build(
        made,
        source="ecs.amazonaws.com",
        event_id="e",
        request_id="r",
        error=error,
        request=request,
        response=response,
    )


def shape(service: str, operation: str, side: str = "input_shape"):
    return getattr(
        ServiceModel(Loader().load_service_model(service, "service-2"), service).operation_model(operation), side
    )


def test_a_record_of_a_rules_call_is_as_cloudtrail_writes_it():
    made = call(invoked_by="events.amazonaws.com", source_ip="events.amazonaws.com", user_agent="events.amazonaws.com")
    request = {"taskDefinition": f"arn:aws:ecs:eu-west-2:{ACCOUNT}:task-definition/nightly"}
    assert built(made, request=request, response={"tasks": [], "failures": []}) == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:0123456789abcdef0123456789abcdef",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/nightly-schedule/0123456789abcdef0123456789abcdef",
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAEXAMPLE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLE",
                    "arn": f"arn:aws:iam::{ACCOUNT}:role/nightly-schedule",
                    "accountId": ACCOUNT,
                    "userName": "nightly-schedule",
                },
                "attributes": {"creationDate": "2026-03-18T17:00:49Z", "mfaAuthenticated": "false"},
            },
            "invokedBy": "events.amazonaws.com",
        },
        "eventTime": "2026-03-18T17:00:49Z",
        "eventSource": "ecs.amazonaws.com",
        "eventName": "RunTask",
        "awsRegion": "eu-west-2",
        "sourceIPAddress": "events.amazonaws.com",
        "userAgent": "events.amazonaws.com",
        "requestParameters": {"taskDefinition": f"arn:aws:ecs:eu-west-2:{ACCOUNT}:task-definition/nightly"},
        "responseElements": {"tasks": [], "failures": []},
        "requestID": "r",
        "eventID": "e",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }


def test_a_refusal_adds_its_code_and_message_and_nothing_else_differs():
    plain = built(call())
    refused = built(call(), error=("AccessDenied", "no"))
    assert set(refused) - set(plain) == {"errorCode", "errorMessage"}
    assert (refused["errorCode"], refused["errorMessage"]) == ("AccessDenied", "no")


def test_failures_with_http_200_have_no_error_code():
    response = {"tasks": [], "failures": [{"reason": "RESOURCE:CPU"}]}
    written = built(call(), response=response)
    assert "errorCode" not in written
    assert written["responseElements"] == response


def test_plain_http_has_no_tls_details():
    assert "tlsDetails" not in built(call())


def test_a_users_identity_has_its_name_and_no_session():
    identity = record.user_identity(USER)
    assert identity == {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/ann",
        "accountId": ACCOUNT,
        "accessKeyId": "AKIAEXAMPLE",
        "userName": "ann",
    }


def test_the_roots_identity_has_neither_name_nor_session():
    assert set(record.user_identity(root_of(ACCOUNT, "AKIA"))) == {
        "type",
        "principalId",
        "arn",
        "accountId",
        "accessKeyId",
    }


def test_a_call_that_no_service_made_has_no_invoked_by():
    assert "invokedBy" not in record.user_identity(SESSION)


def test_a_service_in_its_own_name_is_all_that_is_known_of_it():
    caller = service_of("events.amazonaws.com", ACCOUNT)
    assert record.user_identity(caller) == {"type": "AWSService", "invokedBy": "events.amazonaws.com"}


@pytest.mark.parametrize(
    ("caller", "name"), [(USER, "ann"), (SESSION, SESSION.session_name), (root_of(ACCOUNT), "root")]
)
def test_the_user_name_of_a_lookup_is_the_users_or_the_sessions(caller, name):
    assert record.user_name(caller) == name


def test_long_texts_are_cut_at_a_kilobyte():
    written = built(call(user_agent="u" * 5000), error=("C" * 5000, "m" * 5000))
    assert [len(written[field]) for field in ("userAgent", "errorCode", "errorMessage")] == [1024, 1024, 1024]


@pytest.mark.parametrize("field", ["requestParameters", "responseElements"])
def test_content_over_100_kilobytes_is_left_out(field):
    side = {"requestParameters": "request", "responseElements": "response"}[field]
    assert built(call(), **{side: {"x": "y" * 102_399}})[field] == {"omitted": True}
    assert built(call(), **{side: {"x": "y" * 102_000}})[field] == {"x": "y" * 102_000}


def test_the_first_letter_of_members_is_lowered_all_the_way_down():
    target = {"Id": "1", "Arn": "a", "EcsParameters": {"TaskDefinitionArn": "t", "TaskCount": 1}}
    target["EcsParameters"]["NetworkConfiguration"] = {"awsvpcConfiguration": {"Subnets": ["s"]}}
    written = record.recorded({"Rule": "nightly", "Targets": [target]}, shape("events", "PutTargets"))
    assert written == {
        "rule": "nightly",
        "targets": [
            {
                "id": "1",
                "arn": "a",
                "ecsParameters": {
                    "taskDefinitionArn": "t",
                    "taskCount": 1,
                    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}},
                },
            }
        ],
    }


def test_the_keys_of_a_map_are_peoples_own_and_stay():
    written = record.recorded({"QueueName": "q", "tags": {"Team": "Night"}}, shape("sqs", "CreateQueue"))
    assert written == {"queueName": "q", "tags": {"Team": "Night"}}


def test_a_containers_environment_is_hidden_in_definitions_and_overrides():
    environment = [{"name": "TOKEN", "value": "s3cret"}]
    containers = [{"name": "main", "environment": environment}]
    definition = record.recorded({"containerDefinitions": containers}, shape("ecs", "RegisterTaskDefinition"))
    overrides = record.recorded({"overrides": {"containerOverrides": containers}}, shape("ecs", "RunTask"))
    assert definition["containerDefinitions"][0]["environment"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert overrides["overrides"]["containerOverrides"][0]["environment"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert "s3cret" not in json.dumps([definition, overrides])


@pytest.mark.parametrize(
    ("service", "operation", "side", "value"),
    [
        ("iam", "CreateAccessKey", "output_shape", {"AccessKey": {"AccessKeyId": "AKIA", "SecretAccessKey": "s3cret"}}),
        ("sts", "AssumeRole", "output_shape", {"Credentials": {"SecretAccessKey": "s3cret", "SessionToken": "s3cret"}}),
        ("secretsmanager", "CreateSecret", "input_shape", {"Name": "n", "SecretString": "s3cret"}),
        ("secretsmanager", "PutSecretValue", "input_shape", {"SecretId": "n", "SecretBinary": b"s3cret"}),
        ("ssm", "PutParameter", "input_shape", {"Name": "n", "Value": "s3cret"}),
        ("iam", "CreateLoginProfile", "input_shape", {"UserName": "u", "Password": "s3cret"}),
    ],
)
def test_secrets_are_never_recorded(service, operation, side, value):
    written = json.dumps(record.recorded(value, shape(service, operation, side)))
    assert "HIDDEN_DUE_TO_SECURITY_REASONS" in written
    assert "s3cret" not in written


def test_moments_in_an_answer_are_spelled_out():
    answered = {"Role": {"RoleName": "r", "CreateDate": FIVE}}
    written = record.recorded(answered, shape("iam", "CreateRole", "output_shape"))
    assert written["role"]["createDate"] == "Mar 18, 2026, 5:00:49 PM"


@pytest.mark.parametrize(
    ("hour", "spelled"), [(0, "12:00:49 AM"), (1, "1:00:49 AM"), (12, "12:00:49 PM"), (23, "11:00:49 PM")]
)
def test_midnight_and_noon_are_twelve(hour, spelled):
    assert record.spelled(FIVE.replace(hour=hour)) == f"Mar 18, 2026, {spelled}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["cluster", "overrides", "tags", "count", "Unknown"]), JSON))
def test_whatever_was_sent_can_be_recorded(sent):
    json.dumps(record.recorded(sent, shape("ecs", "RunTask")))
