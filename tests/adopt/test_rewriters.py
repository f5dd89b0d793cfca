"""Who writes one revision after the other, from records as CloudTrail delivers them; what they do not say is nobody."""

import json
from datetime import UTC, datetime

import pytest
from things_to_adopt import PINNED, arn, target

from ecs_runbook.adopt.existing import Existing
from ecs_runbook.adopt.rewriters import who_rewrites, writings

NOW = datetime(2026, 11, 25, tzinfo=UTC)
ROLE = arn("iam", "role/deploy")
SESSION = {
    "type": "AssumedRole",
    "arn": f"{ROLE.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/run-7",
    "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE}},
}


def updated(revision, *, day=20, group="batch", capital=False, **more):
    """Return a record of UpdateSchedule, its members with a small or a capital first letter: neither is documented."""
    named = {"taskDefinitionArn": f"{PINNED[:-1]}{revision}"}
    asked = {"name": "nightly", "groupName": group, "target": {"arn": arn("ecs", "cluster/default")}}
    asked["target"] |= {"ecsParameters": named}
    return {
        "eventName": "UpdateSchedule",
        "eventTime": f"2026-11-{day}T17:00:12Z",
        "userAgent": "aws-sdk-go-v2/1.30",
        "userIdentity": SESSION,
        "requestParameters": capitals(asked) if capital else asked,
    } | more


def capitals(told):
    return {
        key[0].upper() + key[1:]: capitals(value) if isinstance(value, dict) else value for key, value in told.items()
    }


@pytest.mark.parametrize("capital", [False, True])
@pytest.mark.parametrize(("group", "label"), [("batch", "batch/nightly"), ("default", "nightly"), (None, "nightly")])
def test_what_an_update_of_a_schedule_wrote(capital, group, label):
    (one,) = writings(updated(7, group=group, capital=capital))
    assert (one.of, str(one.wrote), one.who, one.agent) == (label, "job:7", ROLE, "aws-sdk-go-v2/1.30")


@pytest.mark.parametrize(
    "more",
    [
        {"errorCode": "AccessDenied"},
        {"requestParameters": None},
        {"requestParameters": {"name": "nightly", "target": "HIDDEN_DUE_TO_SECURITY_REASONS"}},
        {"eventTime": None},
    ],
)
def test_a_record_that_wrote_nothing_or_does_not_say_what_is_passed_over(more):
    assert list(writings(updated(7, **more))) == []


class Trail:
    """CloudTrail with records of one kind of call."""

    def __init__(self, *records):
        self.records = records

    def lookup_events(self, *, LookupAttributes, **_):  # noqa: N803 - boto3's own name
        (attribute,) = LookupAttributes
        own = [one for one in self.records if one["eventName"] == attribute["AttributeValue"]]
        return {"Events": [{"CloudTrailEvent": json.dumps(one)} for one in own]}


def schedule():
    its = {key: value for key, value in target().items() if key != "Id"}
    told = {"Name": "nightly", "Arn": arn("scheduler", "schedule/batch/nightly"), "Target": its}
    return Existing("schedule", "batch", told, (its,))


def test_a_pipeline_that_updates_the_schedule_at_every_deploy_is_named():
    records = [updated(number, day=20 + number) for number in (1, 2, 3)]
    who = who_rewrites([schedule()], now=NOW, cloudtrail=Trail(*records[::-1]))  # CloudTrail tells the newest first
    (one,) = who.rewriters
    assert str(one) == (
        f"batch/nightly: {ROLE} (aws-sdk-go-v2/1.30) wrote job:1, job:2, job:3, last on 2026-11-23 17:00 UTC"
    )


@pytest.mark.parametrize("revisions", [(7,), (7, 7), (8, 7)])
def test_one_change_or_going_back_is_no_habit(revisions):
    records = [updated(number, day=20 + at) for at, number in enumerate(revisions)]
    assert who_rewrites([schedule()], now=NOW, cloudtrail=Trail(*records)).rewriters == ()


def test_an_update_of_another_group_is_of_another_schedule():
    records = [updated(number, day=20 + number, group="other") for number in (1, 2)]
    assert who_rewrites([schedule()], now=NOW, cloudtrail=Trail(*records)).rewriters == ()
