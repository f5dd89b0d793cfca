"""
EventBridge Scheduler fires. Expectations are from aws-behaviour.md §4 (the record), §6 (semantics, dead letters), and
botocore scheduler CreateSchedule.
"""

import contextlib
import json
from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from local_world import ACCOUNT, REGION, LocalWorld, allow, arn, refused, trusting

from ecs_runbook.local_aws import process

SCHEDULER = "scheduler.amazonaws.com"
OFF = {"Mode": "OFF"}


@pytest.fixture(scope="module")
def world(server):
    return LocalWorld(server)


@pytest.fixture(scope="module")
def scheduler(world):
    return world.client("scheduler")


@pytest.fixture
def made(world, scheduler):
    """Make a schedule that runs a task of its own; what *more* says goes into CreateSchedule, or into its target."""
    names = []

    def make(expression="rate(1 hour)", *, target=(), statements=None, name="", ecs=(), **more):
        family = world.register()["family"]
        given = statements if statements is not None else [allow("ecs:RunTask", arn(f"task-definition/{family}:*"))]
        parameters = {
            "TaskDefinitionArn": arn(f"task-definition/{family}"),
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [world.subnet]}},
            **dict(ecs),
        }
        whole = {
            "Arn": arn("cluster/default"),
            "RoleArn": world.role(*given, trust=trusting(SCHEDULER)),
            "EcsParameters": parameters,
            **dict(target),
        }
        schedule = {
            "Name": name or world.name("schedule"),
            "ScheduleExpression": expression,
            "FlexibleTimeWindow": OFF,
            "Target": {key: value for key, value in whole.items() if value is not None},
            **more,
        }
        scheduler.create_schedule(**schedule)
        names.append((schedule["Name"], more.get("GroupName", "default")))
        return schedule | {"family": family}

    yield make
    for name, group in names:
        with contextlib.suppress(ClientError):  # some are gone already
            scheduler.delete_schedule(Name=name, GroupName=group)


def runs(world, schedule):
    return [one for one in world.trail("RunTask") if schedule["family"] in json.dumps(one["requestParameters"] or one)]


def times(world, schedule):
    return [one["eventTime"] for one in runs(world, schedule)]


def test_a_rate_fires_at_its_making_and_from_then_on_at_its_own_minutes(world, made):
    start = datetime.fromisoformat(world.now)
    schedule = made("rate(1 hour)")
    world.advance("3h")
    expected = [(start + timedelta(hours=n)).strftime("%Y-%m-%dT%H:%M") for n in (0, 1, 2, 3)]
    assert [time[:16] for time in times(world, schedule)] == expected


def test_a_rate_with_a_start_fires_first_then_and_every_interval_after(world, made):
    start = datetime.fromisoformat(world.now).replace(minute=20, second=0, microsecond=0) + timedelta(hours=2)
    schedule = made("rate(1 hour)", StartDate=start)
    world.to((start + timedelta(hours=2, minutes=1)).isoformat())
    expected = [(start + timedelta(hours=n)).strftime("%Y-%m-%dT%H:%M") for n in (0, 1, 2)]
    assert [time[:16] for time in times(world, schedule)] == expected


def test_the_record_is_schedulers(world, made):
    schedule = made(name="nightly-report-of-the-company")
    world.advance(1)
    (record,) = runs(world, schedule)
    identity = record["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == schedule["Target"]["RoleArn"]
    assert "invokedBy" not in identity
    assert record["userAgent"].startswith("AmazonEventBridgeScheduler")
    assert "amazonaws.com" not in record["sourceIPAddress"]
    asked = record["requestParameters"]
    assert asked["startedBy"] == "chronos-schedule/nightly-report-of-t"
    assert asked["taskDefinition"] == arn(f"task-definition/{schedule['family']}")
    assert record["responseElements"]["tasks"][0]["taskDefinitionArn"].endswith(f"{schedule['family']}:1")


def test_a_universal_target_runs_what_its_input_says(world, made):
    family = world.register()["family"]
    given = {
        "Cluster": "default",
        "TaskDefinition": family,
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": [world.subnet]}},
    }
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": json.dumps(given), "EcsParameters": None}
    made(target=target, statements=[allow("ecs:RunTask", "*")])
    world.advance(1)
    (record,) = runs(world, {"family": family})
    assert record["responseElements"]["tasks"][0]["taskDefinitionArn"].endswith(f"{family}:1")


def test_a_cron_is_read_in_its_zone_through_a_change_of_the_clocks(world, made):
    world.to("2027-03-26T12:00:00Z")
    schedule = made("cron(30 2 * * ? *)", ScheduleExpressionTimezone="Europe/Berlin")
    world.to("2027-03-30T12:00:00Z")
    # on 28 March 2027 Berlin's clocks skip 02:30
    assert [time[:16] for time in times(world, schedule)] == [
        "2027-03-27T01:30",
        "2027-03-29T00:30",
        "2027-03-30T00:30",
    ]


def test_start_and_end_bound_it(world, made):
    world.to("2027-04-01T00:00:30Z")
    schedule = made(
        "cron(0 * * * ? *)",
        StartDate=datetime.fromisoformat("2027-04-01T03:00:00Z"),
        EndDate=datetime.fromisoformat("2027-04-01T05:00:00Z"),
    )
    world.advance("12h")
    assert [time[11:16] for time in times(world, schedule)] == ["03:00", "04:00", "05:00"]


def test_at_fires_once_and_is_deleted_if_it_says_so(world, scheduler, made):
    world.to("2027-05-01T00:00:30Z")
    once = made("at(2027-05-01T09:00:00)", ScheduleExpressionTimezone="Asia/Tokyo", ActionAfterCompletion="DELETE")
    kept = made("at(2027-05-01T09:00:00)")
    world.advance("24h")
    assert [time[:16] for time in times(world, once)] == []  # 09:00 in Tokyo had passed
    assert [time[:16] for time in times(world, kept)] == ["2027-05-01T09:00"]
    assert scheduler.get_schedule(Name=kept["Name"])["ActionAfterCompletion"] == "NONE"


def test_a_schedule_that_is_done_is_deleted_if_it_says_so(world, scheduler, made):
    world.to("2027-05-10T00:00:30Z")
    once = made("at(2027-05-10T09:00:00)", ActionAfterCompletion="DELETE")
    world.advance("24h")
    assert len(times(world, once)) == 1
    with refused("ResourceNotFoundException", f"Schedule {once['Name']} does not exist."):
        scheduler.get_schedule(Name=once["Name"])


def test_what_is_tried_again_outlives_a_schedule_that_deletes_itself(world, made):
    world.to("2027-05-20T00:00:30Z")
    once = made("at(2027-05-20T09:00:00)", ActionAfterCompletion="DELETE")
    process.settings(world.server, throttle={"ecs:RunTask": 2})
    world.advance("24h")
    process.settings(world.server, reset=True)
    assert [one.get("errorCode", "") for one in runs(world, once)] == ["ThrottlingException", "ThrottlingException", ""]


def test_a_flexible_window_fires_within_it(world, made):
    world.to("2027-06-01T00:00:30Z")
    schedule = made("cron(0 6 * * ? *)", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30})
    world.to("2027-06-11T00:00:00Z")
    minutes = [int(time[14:16]) for time in times(world, schedule)]
    assert len(minutes) == 10
    assert {time[11:13] for time in times(world, schedule)} == {"06"}
    assert max(minutes) < 30
    assert len(set(minutes)) > 1


def test_a_disabled_schedule_does_not_fire_until_it_is_enabled(world, scheduler, made):
    schedule = made(State="DISABLED")
    world.advance("2h")
    assert times(world, schedule) == []
    change = {key: schedule[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**change)
    assert scheduler.get_schedule(Name=schedule["Name"])["State"] == "ENABLED"
    world.advance("1h")
    assert len(times(world, schedule)) == 1


def test_a_deleted_schedule_does_not_fire(world, scheduler, made):
    schedule = made("cron(0 * * * ? *)")
    scheduler.delete_schedule(Name=schedule["Name"])
    world.advance("2h")
    assert times(world, schedule) == []


def test_a_group_that_is_there_is_not_made_again_and_keeps_its_schedules(world, scheduler, made):
    group = world.name("group")
    scheduler.create_schedule_group(Name=group)
    schedule = made("cron(0 * * * ? *)", GroupName=group)
    # Source: botocore scheduler CreateScheduleGroup, ConflictException (verified); the words are not.
    with refused("ConflictException", f"Schedule group {group} already exists."):
        scheduler.create_schedule_group(Name=group)
    assert scheduler.get_schedule(Name=schedule["Name"], GroupName=group)["GroupName"] == group


def test_a_role_that_trusts_the_group_of_another_account_cannot_be_assumed(world, made):
    group = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
    fine, wrong = made("cron(0 * * * ? *)"), made("cron(0 * * * ? *)")
    for schedule, source in ((fine, group), (wrong, group.replace(ACCOUNT, "999988887777"))):
        trust = trusting(SCHEDULER, {"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": source}})
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = schedule["Target"]["RoleArn"].rsplit("/", 1)[1]
        world.iam.update_assume_role_policy(RoleName=role, PolicyDocument=document)
    world.advance("1h")
    assert len(times(world, fine)) == 1
    assert times(world, wrong) == []


class TestWhatCannotBeStarted:
    def queue(self, world):
        sqs = world.client("sqs")
        url = sqs.create_queue(QueueName=world.name("letters"))["QueueUrl"]
        queue_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, queue_arn

    def letters(self, world, url):
        answer = world.client("sqs").receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            {name: one["StringValue"] for name, one in message["MessageAttributes"].items()}
            for message in answer.get("Messages", [])
        ]

    def test_what_is_denied_lies_in_the_queue_at_once_as_the_api_said_it(self, world, made):
        url, queue = self.queue(world)
        world.to("2027-07-01T00:00:30Z")
        target = {"DeadLetterConfig": {"Arn": queue}}
        schedule = made("cron(0 1 * * ? *)", target=target, statements=[allow("sqs:SendMessage", queue)])
        world.advance("2h")
        (letter,) = self.letters(world, url)
        assert letter["ERROR_CODE"] == "AccessDeniedException"
        assert "is not authorized to perform: ecs:RunTask on resource:" in letter["ERROR_MESSAGE"]
        assert letter["SCHEDULE_ARN"] == arn(f"schedule/default/{schedule['Name']}", "scheduler")
        assert letter["SCHEDULED_TIME"] == "2027-07-01T01:00:00Z"
        assert letter["TARGET_ARN"] == "arn:aws:scheduler:::aws-sdk:ecs:runTask"
        assert (letter["RETRY_ATTEMPTS"], letter["IS_PAYLOAD_TRUNCATED"]) == ("0", "false")
        assert "EXHAUSTED_RETRY_CONDITION" not in letter

    def test_what_is_throttled_is_tried_again_as_often_as_it_says(self, world, made):
        url, queue = self.queue(world)
        target = {"DeadLetterConfig": {"Arn": queue}, "RetryPolicy": {"MaximumRetryAttempts": 2}}
        process.settings(world.server, throttle={"ecs:RunTask": "always"})  # before the rate's first firing, at once
        schedule = made(target=target, statements=[allow(["ecs:RunTask", "sqs:SendMessage"], "*")])
        world.advance("30m")
        process.settings(world.server, reset=True)
        (letter,) = self.letters(world, url)
        assert (letter["RETRY_ATTEMPTS"], letter["EXHAUSTED_RETRY_CONDITION"]) == ("2", "MaximumRetryAttempts")
        assert letter["ERROR_CODE"] == "ThrottlingException"
        refusals = [one for one in runs(world, schedule) if one.get("errorCode")]
        assert len(refusals) == 3

    def test_a_letter_that_is_too_old_is_gone_and_hides_no_other(self, world, made):
        url, queue = self.queue(world)
        target = {"DeadLetterConfig": {"Arn": queue}}
        made("cron(0 1 */3 * ? *)", target=target, statements=[allow("sqs:SendMessage", queue)])
        world.to("2027-08-08T12:00:00Z")  # a queue keeps four days (botocore sqs MessageRetentionPeriod)
        count = world.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        assert count["Attributes"]["ApproximateNumberOfMessages"] == "1"
        assert [one["SCHEDULED_TIME"] for one in self.letters(world, url)] == ["2027-08-07T01:00:00Z"]

    def test_without_leave_to_send_there_is_no_letter(self, world, made):
        url, queue = self.queue(world)
        schedule = made(target={"DeadLetterConfig": {"Arn": queue}}, statements=[])
        world.advance("1h")
        assert self.letters(world, url) == []
        assert f"schedule {arn('schedule/default/' + schedule['Name'], 'scheduler')}: the event of" in world.log


class TestHowTheyAreTold:
    def test_lists_page_by_a_hundred_and_tell_the_targets_arn_alone(self, scheduler):
        scheduler.create_schedule_group(Name="many")
        target = {"Arn": arn("cluster/default"), "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/x"}
        target["EcsParameters"] = {"TaskDefinitionArn": arn("task-definition/x")}
        for number in range(101):
            scheduler.create_schedule(
                Name=f"s{number}",
                GroupName="many",
                ScheduleExpression="rate(1 day)",
                FlexibleTimeWindow=OFF,
                Target=target,
                State="DISABLED",
            )
        pages = list(scheduler.get_paginator("list_schedules").paginate(GroupName="many", MaxResults=100))
        assert [len(page["Schedules"]) for page in pages] == [100, 1]
        listed = [one for page in pages for one in page["Schedules"]]
        assert len({one["Name"] for one in listed}) == 101
        assert listed[0]["Target"] == {"Arn": arn("cluster/default")}
        assert {one["GroupName"] for one in listed} == {"many"}
        prefixed = scheduler.list_schedules(NamePrefix="s10", GroupName="many")["Schedules"]
        assert {one["Name"] for one in prefixed} == {"s10", "s100"}

    def test_one_is_told_as_it_was_made_with_aws_s_defaults(self, world, scheduler, made):
        starts = datetime.fromisoformat("2027-12-01T00:00:00Z")
        schedule = made("cron(0 1 * * ? *)", StartDate=starts, ecs={"PlatformVersion": "1.4.0"})
        told = scheduler.get_schedule(Name=schedule["Name"])
        assert told["Target"] == schedule["Target"] | {
            "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
        }
        assert (told["State"], told["ScheduleExpressionTimezone"], told["GroupName"]) == ("ENABLED", "UTC", "default")
        assert told["StartDate"] == starts
        assert told["CreationDate"].isoformat()[:16] == world.now[:16]
        assert "EndDate" not in told

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"ScheduleExpression": "rate(1 minutes)"}, "Invalid Schedule Expression rate(1 minutes)."),
            ({"ScheduleExpression": "at(tomorrow)"}, "Invalid Schedule Expression at(tomorrow)."),
            ({"ScheduleExpressionTimezone": "Mars/Olympus"}, "Provided ScheduleExpressionTimezone is not valid."),
        ],
    )
    def test_what_is_no_schedule_is_refused(self, scheduler, wrong, message):
        whole = {
            "Name": "wrong",
            "ScheduleExpression": "rate(1 day)",
            "FlexibleTimeWindow": OFF,
            "Target": {"Arn": arn("cluster/default"), "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/x"},
        }
        with refused("ValidationException", message):
            scheduler.create_schedule(**whole | wrong)

    def test_a_group_that_is_not_there_is_refused(self, scheduler):
        target = {"Arn": arn("cluster/default"), "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/x"}
        with refused("ResourceNotFoundException", "Schedule group gone does not exist."):
            scheduler.create_schedule(
                Name="lost", GroupName="gone", ScheduleExpression="rate(1 day)", FlexibleTimeWindow=OFF, Target=target
            )
