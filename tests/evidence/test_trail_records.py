"""CloudTrail's records: what is read of them, and how they are looked up."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence.trail import once, run_task_calls
from ecs_runbook.firing.asking import Asking, Limiter
from ecs_runbook.firing.calls import Call, read

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ROLE = "arn:aws:iam::111122223333:role/nightly-schedule"
FAMILY = "arn:aws:ecs:eu-west-1:111122223333:task-definition/nightly"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def test_an_accepted_call_tells_who_asked_what_and_what_ran(accepted):
    call = read(accepted)
    assert call.time == datetime(2026, 11, 24, 17, 0, 12, tzinfo=UTC)
    assert call.role == ROLE
    assert call.by_eventbridge
    assert call.started_by == "events-rule/nightly"
    assert call.requested == FAMILY
    assert [(task.definition, task.launch_type) for task in call.tasks] == [(f"{FAMILY}:6", "FARGATE")]
    assert not call.refused
    assert not call.failures


def test_a_denied_call_without_parameters_still_tells_role_and_the_revision_it_was_refused_for(denied):
    call = read(denied)
    assert call.refused
    assert call.error_code == "AccessDenied"
    assert call.role == ROLE
    assert (call.started_by, call.cluster, call.requested) == ("", "", "")
    assert [str(one) for one in call.named] == ["nightly:6"]


def test_a_failure_comes_without_an_error_code(failed):
    call = read(failed)
    assert not call.refused
    assert [failure.reason[:23] for failure in call.failures] == ["Capacity is unavailable"]


def test_the_call_of_a_user_is_not_eventbridges(accepted):
    accepted["userIdentity"] = {
        "type": "IAMUser",
        "arn": "arn:aws:iam::111122223333:user/kim",
        "accountId": "111122223333",
        "userName": "kim",
    }
    accepted["sourceIPAddress"], accepted["userAgent"] = "203.0.113.7", "aws-cli/2.31.0"
    call = read(accepted)
    assert call.role == ""
    assert not call.by_eventbridge


def test_an_environment_as_a_string_or_a_list_is_no_obstacle(accepted):
    assert read(accepted).tasks
    accepted["requestParameters"]["overrides"]["containerOverrides"][0]["environment"] = [{"name": "A", "value": "b"}]
    assert read(accepted).tasks


def test_an_answer_left_out_for_its_size_leaves_the_tasks_unknown(accepted):
    accepted["responseElements"] = None
    call = read(accepted)
    assert call.tasks == ()
    assert not call.refused


@pytest.mark.parametrize(
    "record", [None, [], "RunTask", {}, {"eventName": "StopTask"}, {"eventName": "RunTask", "eventSource": "x"}]
)
def test_what_is_no_run_task_is_none(record):
    assert read(record) is None


@given(JSON)
def test_no_json_breaks_the_reader(record):
    assert read(record) is None or isinstance(read(record), Call)


@given(
    st.fixed_dictionaries(
        {"eventName": st.just("RunTask")},
        optional={
            "userIdentity": JSON | st.fixed_dictionaries({"sessionContext": JSON}),
            "eventTime": JSON,
            "requestParameters": JSON | st.fixed_dictionaries({"startedBy": JSON, "taskDefinition": JSON}),
            "responseElements": JSON | st.fixed_dictionaries({"tasks": JSON, "failures": JSON}),
            "errorMessage": JSON,
            "eventID": JSON,
        },
    )
)
def test_what_a_record_does_not_say_as_text_stays_unknown(record):
    call = read(record)
    for said in (call.role, call.started_by, call.requested, call.error_message, call.event_id):
        assert isinstance(said, str)
    assert call.time is None or call.time.tzinfo is not None
    list(call.named)


class Lookups:
    """LookupEvents: pages of records, or errors to be raised in their turn."""

    def __init__(self, *pages):
        self.pages = list(pages)
        self.asked = []

    def lookup_events(self, **parameters):
        self.asked.append(parameters)
        page = self.pages[len(self.asked) - 1]
        if isinstance(page, Exception):
            raise page
        events = [
            {"EventId": "e", "CloudTrailEvent": record if isinstance(record, str) else json.dumps(record)}
            for record in page
        ]
        more = {"NextToken": f"after-{len(self.asked)}"} if len(self.asked) < len(self.pages) else {}
        return {"Events": events, **more}


def looked_up(client, *, since=NOON, until=NOON + timedelta(hours=12), waited=None, ask=None):
    sleep = (waited if waited is not None else []).append
    limiter = Limiter(float("inf"), sleep=sleep, clock=lambda: 0.0)
    return run_task_calls(since=since, until=until, cloudtrail=client, ask=ask or Asking(), limiter=limiter)


def throttled():
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "LookupEvents")


def test_a_record_delivered_twice_is_one_call(accepted):
    assert len(looked_up(Lookups([accepted, accepted])).calls) == 1


def test_records_out_of_order_come_out_oldest_first(accepted):
    later = accepted | {"eventID": "later", "eventTime": "2026-11-24T18:00:00Z"}
    assert [call.event_id for call in looked_up(Lookups([accepted, later])).calls] == [accepted["eventID"], "later"]
    assert [call.event_id for call in looked_up(Lookups([later, accepted])).calls] == [accepted["eventID"], "later"]


def test_calls_without_an_id_are_told_apart_by_what_they_say(accepted):
    del accepted["eventID"]
    other = accepted | {"eventTime": "2026-11-24T17:00:13Z"}
    assert len(once([read(accepted), read(accepted), read(other)])) == 2


def test_every_page_is_asked_for_with_the_token_of_the_one_before(accepted):
    client, ask = Lookups([accepted], [accepted | {"eventID": "e2"}]), Asking()
    assert len(looked_up(client, ask=ask).calls) == 2
    assert [parameters.get("NextToken") for parameters in client.asked] == [None, "after-1"]
    assert client.asked[0]["LookupAttributes"] == [{"AttributeKey": "EventName", "AttributeValue": "RunTask"}]
    assert dict(ask.counts) == {"cloudtrail:LookupEvents": 2}


def test_a_page_older_than_the_range_ends_the_lookup(accepted):
    old = accepted | {"eventTime": "2026-11-24T11:59:59Z"}
    client = Lookups([accepted], [old], [accepted | {"eventID": "never asked for"}])
    assert [call.event_id for call in looked_up(client).calls] == [accepted["eventID"]]
    assert len(client.asked) == 2


def test_a_call_in_the_very_second_of_the_start_belongs_to_the_range(accepted):
    since = datetime(2026, 11, 24, 17, 0, 12, 900_000, tzinfo=UTC)
    assert len(looked_up(Lookups([accepted]), since=since).calls) == 1


def test_throttling_is_waited_out_ever_longer(accepted):
    waited = []
    found = looked_up(Lookups(throttled(), throttled(), [accepted]), waited=waited)
    assert len(found.calls) == 1
    assert waited == [1.0, 2.0]


def test_throttling_without_end_is_an_error_with_aws_own_words():
    with pytest.raises(AwsError) as refused:
        looked_up(Lookups(*[throttled()] * 7))
    assert refused.value.code == "ThrottlingException"
    assert "cloudtrail:LookupEvents was refused: ThrottlingException: Rate exceeded" in str(refused.value)


def test_another_refusal_is_not_tried_again():
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "LookupEvents")
    client = Lookups(denied, [])
    with pytest.raises(AwsError) as refused:
        looked_up(client)
    assert refused.value.code == "AccessDeniedException"
    assert refused.value.hint == "The caller needs cloudtrail:LookupEvents."
    assert len(client.asked) == 1


def test_a_record_that_is_not_json_is_named_and_not_swallowed(accepted):
    found = looked_up(Lookups(["{", accepted]))
    assert len(found.calls) == 1
    assert found.unreadable == ("e",)


def test_no_more_than_two_calls_a_second():
    clock, waited = [0.0], []
    limiter = Limiter(2, sleep=waited.append, clock=lambda: clock[0])
    limiter.wait()
    limiter.wait()
    clock[0] = 10.0
    limiter.wait()
    assert waited == [0.5]
