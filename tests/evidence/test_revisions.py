"""Which revision was the latest when."""

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.stub import Stubber

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence.revisions import REVISION_COLUMNS, frame, latest_at, revisions
from ecs_runbook.firing.asking import Asking

ARN = "arn:aws:ecs:eu-west-1:111122223333:task-definition"


def day(number):
    return datetime(2026, 11, number, tzinfo=UTC)


def row(revision, registered=None, deregistered=None, status=None):
    return {
        "family": "nightly",
        "revision": revision,
        "registered_at": registered,
        "deregistered_at": deregistered,
        "status": status or ("INACTIVE" if deregistered else "ACTIVE"),
    }


ONE_TWO = [row(1, day(1)), row(2, day(5))]
GONE = [row(1, day(1)), row(2, day(5), day(8))]
MUTE = [row(1, day(1)), row(2, None, None, "INACTIVE"), row(3, day(9))]
LATEST = [
    ("the only one", ONE_TWO[:1], day(2), 1),
    ("before there was any", ONE_TWO, day(1) - timedelta(seconds=1), None),
    ("the moment before", ONE_TWO, day(5) - timedelta(microseconds=1), 1),
    ("the very moment", ONE_TWO, day(5), 2),
    ("in any order", ONE_TWO[::-1], day(6), 2),
    ("the newest is deregistered: the one before is the latest again", GONE, day(8), 1),
    ("until then it was the latest", GONE, day(8) - timedelta(microseconds=1), 2),
    ("all deregistered", [row(1, day(1), day(2))], day(3), None),
    ("one that does not tell its time may have been the latest", MUTE, day(6), None),
    ("it may not, once a newer one is there", MUTE, day(9), 3),
    ("before the first, a newer one of unknown time is not there either", MUTE, day(1) - timedelta(days=1), None),
    ("unknown, but registered after one that came later", [row(1, day(1)), row(2, day(7)), row(3)], day(6), 1),
    ("INACTIVE since nobody knows when", [row(1, day(1)), row(2, day(5), None, "INACTIVE")], day(6), None),
    (
        "a number that ECS no longer lists",
        [row(1, day(1)), row(2, None, None, "UNKNOWN"), row(3, day(9))],
        day(5),
        None,
    ),
    ("nothing", [], day(1), None),
]


@pytest.mark.parametrize(
    ("rows", "moment", "expected"), [case[1:] for case in LATEST], ids=[case[0] for case in LATEST]
)
def test_the_latest_revision_at_a_moment(rows, moment, expected):
    assert latest_at(frame(rows), moment) == expected


@pytest.fixture
def ecs():
    client = boto3.client("ecs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def lists(stub, status, *arns, token="", more=""):
    asked = {"familyPrefix": "nightly", "status": status, "sort": "DESC"} | ({"nextToken": token} if token else {})
    answer = {"taskDefinitionArns": [f"{ARN}/{arn}" for arn in arns]} | ({"nextToken": more} if more else {})
    stub.add_response("list_task_definitions", answer, asked)


def describes(stub, name, registered, deregistered=None):
    told = {"registeredAt": registered, "registeredBy": "kim", "status": "INACTIVE" if deregistered else "ACTIVE"}
    told |= {"deregisteredAt": deregistered} if deregistered else {}
    stub.add_response("describe_task_definition", {"taskDefinition": told}, {"taskDefinition": f"{ARN}/{name}"})


def test_a_family_that_ecs_does_not_know_keeps_its_columns(ecs):
    client, stub = ecs
    lists(stub, "ACTIVE")
    lists(stub, "INACTIVE")
    found = revisions("nightly", ecs=client)
    assert found.empty
    assert list(found.columns) == REVISION_COLUMNS


def test_no_more_is_described_than_is_needed_since_a_moment(ecs):
    client, stub = ecs
    lists(stub, "ACTIVE", "nightly:9", "nightly:7", "nightly:6")
    lists(stub, "INACTIVE", "nightly:8")
    describes(stub, "nightly:9", day(9))
    describes(stub, "nightly:8", day(5), day(6))
    describes(stub, "nightly:7", day(3))
    ask = Asking()
    found = revisions("nightly", ecs=client, since=day(4), ask=ask)
    assert list(found["revision"]) == [7, 8, 9]
    assert [latest_at(found, day(number)) for number in (4, 5, 6, 9)] == [7, 8, 7, 9]
    assert dict(ask.counts) == {"ecs:ListTaskDefinitions": 2, "ecs:DescribeTaskDefinition": 3}


def test_a_deregistered_one_at_the_start_is_not_the_end_of_the_walk(ecs):
    client, stub = ecs
    lists(stub, "ACTIVE", "nightly:1")
    lists(stub, "INACTIVE", "nightly:2")
    describes(stub, "nightly:2", day(2), day(6))
    describes(stub, "nightly:1", day(1))
    found = revisions("nightly", ecs=client, since=day(4))
    assert [latest_at(found, day(number)) for number in (4, 6)] == [2, 1]


def test_other_families_that_begin_alike_are_left_out(ecs):
    client, stub = ecs
    lists(stub, "ACTIVE", "nightly-report:4", "nightly:1")
    lists(stub, "INACTIVE")
    describes(stub, "nightly:1", day(1))
    assert list(revisions("nightly", ecs=client)["arn"]) == [f"{ARN}/nightly:1"]


def test_an_inactive_revision_that_cannot_be_described_is_of_unknown_time(ecs):
    client, stub = ecs
    lists(stub, "ACTIVE", "nightly:1")
    lists(stub, "INACTIVE", "nightly:2")
    stub.add_client_error("describe_task_definition", "ClientException", "Unable to describe task definition.", 400)
    describes(stub, "nightly:1", day(1))
    found = revisions("nightly", ecs=client)
    assert list(found["status"]) == ["ACTIVE", "INACTIVE"]
    assert found["registered_at"].isna().tolist() == [False, True]
    assert latest_at(found, day(3)) is None


def test_a_gap_in_the_numbers_is_a_revision_of_unknown_time(ecs):
    client, stub = ecs
    lists(stub, "ACTIVE", "nightly:4", "nightly:1")
    lists(stub, "INACTIVE")
    describes(stub, "nightly:4", day(8))
    describes(stub, "nightly:1", day(1))
    found = revisions("nightly", ecs=client)
    assert list(found["revision"]) == [1, 2, 3, 4]
    assert list(found["status"]) == ["ACTIVE", "UNKNOWN", "UNKNOWN", "ACTIVE"]


def test_further_pages_are_asked_for(ecs):
    client, stub = ecs
    lists(stub, "ACTIVE", "nightly:2", more="t")
    lists(stub, "INACTIVE")
    describes(stub, "nightly:2", day(2))
    lists(stub, "ACTIVE", "nightly:1", token="t")
    describes(stub, "nightly:1", day(1))
    assert list(revisions("nightly", ecs=client)["revision"]) == [1, 2]


def test_a_refusal_is_told_with_the_action_that_is_missing(ecs):
    client, stub = ecs
    stub.add_client_error("list_task_definitions", "AccessDeniedException", "not authorized", 400)
    with pytest.raises(AwsError) as refused:
        revisions("nightly", ecs=client)
    assert refused.value.code == "AccessDeniedException"
    assert refused.value.hint == "The caller needs ecs:ListTaskDefinitions."
