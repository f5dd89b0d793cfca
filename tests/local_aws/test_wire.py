"""What is written for one protocol is read again as it was, for each protocol of AWS."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.local_aws import wire
from ecs_runbook.local_aws.world import Answer

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def sent_and_read(service: str, operation: str, params: dict) -> wire.Asked:
    environ = wire.request_for(
        service,
        operation,
        params,
        region="eu-west-2",
        access_key="AKIA",
        session_token="token",
        user_agent="tests",
        source_ip="127.0.0.1",
    )
    asked = wire.asked(service, environ)
    assert asked is not None
    assert asked.model.name == operation
    return asked


@given(st.lists(TEXT, max_size=4), TEXT, st.integers(1, 10))
def test_json(subnets, family, count):
    network = {"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "DISABLED"}}
    params = {"taskDefinition": family, "count": count, "networkConfiguration": network}
    assert sent_and_read("ecs", "RunTask", params).params == params


@pytest.mark.parametrize(
    ("target", "operation"),
    [
        ("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.CreateTrail", "CreateTrail"),
        ("CloudTrail_20131101.CreateTrail", "CreateTrail"),  # as the SDK for Go calls it, and so Terraform
        ("Trail_20131101.CreateTrail", None),
        ("CreateTrail", None),
        ("CloudTrail_20131101.RunTask", None),
        ("CloudTrail_20131101.", None),
        ("", None),
    ],
)
def test_a_service_may_be_called_by_the_end_of_its_name(target, operation):
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "HTTP_HOST": "127.0.0.1",
        "CONTENT_TYPE": "application/x-amz-json-1.1",
        "CONTENT_LENGTH": "12",
        "HTTP_X_AMZ_TARGET": target,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b'{"Name":"a"}'),
    }
    asked = wire.asked("cloudtrail", environ)
    assert (asked and (asked.model.name, asked.params)) == (operation and (operation, {"Name": "a"}))


@given(TEXT, TEXT, st.integers(900, 43200))
def test_query(name, policy, seconds):
    params = {"RoleArn": f"arn:{name}", "RoleSessionName": name, "Policy": policy, "DurationSeconds": seconds}
    assert sent_and_read("sts", "AssumeRole", params).params == params


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3))
def test_query_with_a_list_of_structures(pairs):
    params = {"RoleName": "r", "Tags": [{"Key": key, "Value": value} for key, value in pairs]}
    assert sent_and_read("iam", "TagRole", params).params == params


@given(st.lists(TEXT, min_size=1, max_size=3))
def test_ec2(values):
    params = {"Filters": [{"Name": "vpc-id", "Values": values}]}
    assert sent_and_read("ec2", "DescribeSubnets", params).params == params


@given(TEXT)
def test_rest_json(description):
    params = {
        "Name": "nightly",
        "Description": description,
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "a", "RoleArn": "r"},
    }
    assert sent_and_read("scheduler", "CreateSchedule", params).params == params


def test_rest_xml_reads_the_bucket_from_the_path():
    assert sent_and_read("s3", "CreateBucket", {"Bucket": "nightly"}).params["Bucket"] == "nightly"


def test_a_body_is_left_for_the_next_reader():
    environ = wire.request_for(
        "ecs", "ListTasks", {"cluster": "c"}, region="r", access_key="a", session_token="", user_agent="", source_ip=""
    )
    wire.asked("ecs", environ)
    assert environ["wsgi.input"].read() == b'{"cluster": "c"}'


def test_parameters_that_cannot_be_read_are_unknown_but_the_operation_is_not():
    environ = wire.request_for(
        "ecs", "ListTasks", {}, region="r", access_key="a", session_token="", user_agent="", source_ip=""
    )
    environ["wsgi.input"] = io.BytesIO(b"[]")
    asked = wire.asked("ecs", environ)
    assert (asked.model.name, asked.params) == ("ListTasks", None)


@given(st.binary(max_size=50), st.sampled_from(["ecs", "iam", "ec2", "scheduler", "s3", "nonsense"]), TEXT)
def test_nonsense_is_no_operation_and_breaks_nothing(body, service, path):
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/{path}",
        "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    wire.asked(service, environ)


def test_a_refusal_is_read_as_its_code_and_message():
    body = b'{"__type": "ClientException", "message": "TaskDefinition not found."}'
    answer = Answer(400, [("Content-Type", "application/x-amz-json-1.1")], body)
    error = wire.answered("ecs", "RunTask", answer)["Error"]
    assert (error["Code"], error["Message"]) == ("ClientException", "TaskDefinition not found.")


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (
            "AWS4-HMAC-SHA256 Credential=AKIA/20261124/eu-west-2/ecs/aws4_request, SignedHeaders=h, Signature=s",
            wire.Scope("AKIA", "eu-west-2", "ecs"),
        ),
        ("Bearer token", wire.Scope("", "us-east-1", "")),
        ("AWS4-HMAC-SHA256 Credential=broken", wire.Scope("", "us-east-1", "")),
    ],
)
def test_the_scope_is_read_from_the_signature(authorization, expected):
    assert wire.scope_of({"HTTP_AUTHORIZATION": authorization}) == expected


def test_the_scope_is_read_from_a_signed_url():
    query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20261124%2Feu-west-2%2Fs3%2Faws4_request"
    assert wire.scope_of({"QUERY_STRING": query}) == wire.Scope("AKIA", "eu-west-2", "s3")
