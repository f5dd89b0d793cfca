"""What becomes of a rule, field by field: nothing that it or its targets hold goes without a word."""

import re
from datetime import UTC, datetime

import botocore.session
import pytest

from ecs_runbook.errors import SpecError
from ecs_runbook.moving.comparing import SAME_COLUMNS, same_runs
from ecs_runbook.moving.files import root_module
from ecs_runbook.moving.move import FATE_COLUMNS, move_to_scheduler
from ecs_runbook.moving.rule import Found
from ecs_runbook.moving.steps import Switch
from ecs_runbook.verdicts.moving import judge_move

NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
RULE = {
    "Name": "nightly",
    "Arn": "arn:aws:events:eu-west-2:111122223333:rule/nightly",
    "ScheduleExpression": "cron(0 17 * * ? *)",
    "State": "ENABLED",
}
FAMILY = "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly"
CLUSTER = "arn:aws:ecs:eu-west-2:111122223333:cluster/batch"
QUEUE = "arn:aws:sqs:eu-west-2:111122223333:lost"
ROLES = ("arn:aws:iam::111122223333:role/task", "arn:aws:iam::111122223333:role/execution")


def target(ecs=(), **of):
    parameters = {"TaskDefinitionArn": FAMILY, "LaunchType": "FARGATE", **dict(ecs)}
    return {
        "Id": "job",
        "Arn": CLUSTER,
        "RoleArn": "arn:aws:iam::111122223333:role/r",
        "EcsParameters": parameters,
        **of,
    }


def found(*targets, rule=(), **more):
    whole = {"roles": {FAMILY: ROLES}, "targets": targets or (target(),)} | more
    return Found(RULE | dict(rule), **whole)


def moved(*targets, rule=(), found_with=(), **given):
    return move_to_scheduler(found(*targets, rule=rule, **dict(found_with)), now=NOW, **given)


def fate_of(move, field, of="target job"):
    (row,) = move.fates[(move.fates["field"] == field) & (move.fates["of"] == of)].to_dict("records")
    return row


def checks(move, same=None):
    table = same if same is not None else same_runs(move, {"planned_values": {}})
    return {one.id: one for one in judge_move(move, table)}


def statement(move, sid):
    return next(one for one in move.jobs[0].statements if one["sid"] == sid)


def test_a_plain_rule_is_one_schedule_in_the_default_group():
    move = moved()
    (job,) = move.jobs
    assert (job.name, move.group, move.makes_group, move.state) == ("nightly", "default", False, "ENABLED")
    assert list(move.fates.columns) == FATE_COLUMNS
    assert set(move.fates["fate"]) == {"same", "changed"}
    assert fate_of(move, "RoleArn")["because"] == "a rule's role trusts events.amazonaws.com"


def test_every_member_that_a_target_may_have_is_carried_or_spoken_of():
    """What botocore knows of a rule's ECS target, each with some value."""
    shape = botocore.session.get_session().get_service_model("events").shape_for("EcsParameters")
    odd = {name: "x" for name, member in shape.members.items() if member.type_name == "string"}
    odd |= {name: True for name, member in shape.members.items() if member.type_name == "boolean"}
    odd |= {"TaskCount": 2, "TaskDefinitionArn": FAMILY, "Tags": [{"Key": "k", "Value": "v"}]}
    odd |= {"NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "ENABLED"}}}
    odd |= {"CapacityProviderStrategy": [{"capacityProvider": "F"}], "PlacementConstraints": [{"type": "memberOf"}]}
    odd |= {"PlacementStrategy": [{"type": "random"}]}
    assert set(odd) == set(shape.members)
    move = moved(target(odd))
    told = set(move.fates["field"])
    assert {f"EcsParameters.{name}" for name in odd} <= told
    assert move.jobs[0].parameters == odd


def test_what_is_not_known_is_left_out_and_named():
    move = moved(target({"Brightness": 3}, KinesisParameters={"PartitionKeyPath": "$.id"}), rule={"Mood": "blue"})
    left = move.fates[move.fates["fate"] == "left out"]
    assert list(left["field"]) == ["EcsParameters.Brightness", "KinesisParameters", "Mood"]
    answer = checks(move)["move-loses-nothing"]
    assert answer.status == "NG"
    assert "target job, EcsParameters.Brightness: a schedule has no such parameter" in answer.because


def test_several_targets_are_several_schedules_with_names_of_64_characters():
    name = "n" * 64
    targets = [target() | {"Id": f"{letter * 63}."} for letter in "ab"]
    rule = {"Name": name, "Arn": f"arn:aws:events:eu-west-2:111122223333:rule/{name}"}
    move = moved(*targets, rule=rule)
    names = [job.name for job in move.jobs] + [job.role_name for job in move.jobs]
    assert len(set(names)) == 4
    assert {len(one) for one in names} == {64}
    text = root_module([move], account="111122223333", region="eu-west-2")
    labels = re.findall(r'resource "aws_scheduler_schedule" "(\w+)"', text)
    assert len(set(labels)) == 2


def test_tags_are_on_a_group_of_its_own_since_a_schedule_has_none():
    tags = {"team": "batch", "empty": "", "aws:cloudformation:stack-name": "jobs"}
    move = moved(found_with={"tags": tags})
    assert (move.group, move.makes_group, dict(move.group_tags)) == ("nightly", True, {"team": "batch"})
    assert fate_of(move, "tag empty", "rule")["fate"] == "left out"
    assert fate_of(move, "tag aws:cloudformation:stack-name", "rule")["fate"] == "stays"
    assert "schedule-group/nightly" in move.group_arn
    given = moved(found_with={"tags": {"team": "batch"}}, group="jobs")
    assert (given.group, given.makes_group) == ("jobs", False)
    assert fate_of(given, "tag team", "rule")["because"].endswith("the group jobs keeps its own")


@pytest.mark.parametrize(
    ("key", "resource", "conditions"),
    [
        ("", None, None),
        ("alias/aws/sqs", None, None),
        ("1234abcd", "arn:aws:kms:eu-west-2:111122223333:key/1234abcd", []),
        ("arn:aws:kms:eu-west-2:999988887777:key/k", "arn:aws:kms:eu-west-2:999988887777:key/k", []),
        (
            "alias/mine",
            "arn:aws:kms:eu-west-2:111122223333:key/*",
            [("ForAnyValue:StringEquals", "kms:ResourceAliases", ["alias/mine"])],
        ),
    ],
)
def test_the_role_may_send_dead_letters_and_use_the_queues_key(key, resource, conditions):
    move = moved(target(DeadLetterConfig={"Arn": QUEUE}), found_with={"queues": {QUEUE: key}})
    assert statement(move, "SendDeadLetters")["resources"] == [QUEUE]
    keys = [one for one in move.jobs[0].statements if one["sid"] == "UseTheQueuesKey"]
    assert [(one["resources"], one["conditions"]) for one in keys] == ([([resource], conditions)] if resource else [])


def test_a_fifo_queue_is_left_out_and_another_can_be_named():
    fifo = target(DeadLetterConfig={"Arn": f"{QUEUE}.fifo"})
    move = moved(fifo)
    assert (move.jobs[0].queue, checks(move)["move-loses-nothing"].status) == ("", "NG")
    assert moved(fifo, dead_letter_queue=QUEUE).jobs[0].queue == QUEUE


def test_the_role_runs_every_revision_in_this_cluster_and_passes_what_the_task_and_its_input_name():
    text = '{"taskRoleArn": "arn:aws:iam::111122223333:role/another"}'
    move = moved(target({"TaskDefinitionArn": f"{FAMILY}:7"}, Input=text), found_with={"roles": {f"{FAMILY}:7": ROLES}})
    assert statement(move, "RunEveryRevision")["resources"] == [f"{FAMILY}:*"]
    assert statement(move, "RunEveryRevision")["conditions"] == [("ArnEquals", "ecs:cluster", [CLUSTER])]
    assert statement(move, "PassTheTasksRoles")["resources"] == sorted(
        [*ROLES, "arn:aws:iam::111122223333:role/another"]
    )
    assert [one["sid"] for one in move.jobs[0].statements] == ["RunEveryRevision", "PassTheTasksRoles"]


def test_a_task_without_roles_needs_none_passed():
    assert [one["sid"] for one in moved(found_with={"roles": {FAMILY: ()}}).jobs[0].statements] == ["RunEveryRevision"]


def test_where_the_tasks_roles_cannot_be_read_it_is_said_and_not_ok():
    move = moved(found_with={"roles": {}, "unknown": {FAMILY: "AccessDenied"}})
    assert statement(move, "PassTheTasksRoles")["resources"] == ["arn:aws:iam::111122223333:role/*"]
    assert "narrow it" in fate_of(move, "roles of the task")["because"]
    assert checks(move)["move-loses-nothing"].status == "SKIP"


def test_a_role_that_is_given_is_taken_and_none_is_made():
    role = "arn:aws:iam::111122223333:role/scheduler"
    move = moved(role=role)
    text = root_module([move], account="111122223333", region="eu-west-2")
    assert "aws_iam_role" not in text
    assert f'role_arn = "{role}"' in text


def test_a_target_without_a_role_never_ran_and_that_is_said():
    plain = target()
    del plain["RoleArn"]
    assert fate_of(moved(plain), "RoleArn")["because"] == "it names no role, so it never ran"


def test_a_revision_stays_unless_it_is_let_go():
    pinned = target({"TaskDefinitionArn": f"{FAMILY}:7"})
    assert moved(pinned).jobs[0].parameters["TaskDefinitionArn"] == f"{FAMILY}:7"
    row = fate_of(moved(pinned, latest=True), "EcsParameters.TaskDefinitionArn")
    assert (row["schedule"], row["fate"], row["because"]) == (FAMILY, "changed", "the revision is let go")


def test_a_definition_by_its_name_becomes_an_arn():
    row = fate_of(moved(target({"TaskDefinitionArn": "nightly"})), "EcsParameters.TaskDefinitionArn")
    assert (row["schedule"], row["because"]) == (FAMILY, "the same, as an ARN")


def test_no_value_of_an_environment_is_shown():
    text = '{"containerOverrides": [{"name": "main", "environment": [{"name": "TOKEN", "value": "hush-hush"}]}]}'
    move = moved(target(Input=text))
    assert "hush-hush" not in move.fates.to_csv()
    assert "TOKEN" in move.fates.to_csv()
    assert "hush-hush" in root_module([move], account="111122223333", region="eu-west-2")


@pytest.mark.parametrize(
    ("ecs", "fault"),
    [
        ({"TaskCount": 11}, "target job, TaskCount = 11: a schedule takes 10 at most"),
        (
            {"NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["s"] * 17}}},
            "target job, Subnets = 17: a schedule takes 16 at most",
        ),
    ],
)
def test_more_than_a_schedule_takes_is_refused(ecs, fault):
    with pytest.raises(SpecError) as refused:
        moved(target(ecs))
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"role": "scheduler"}, "role = 'scheduler': write the ARN of a role"),
        ({"dead_letter_queue": f"{QUEUE}.fifo"}, "Scheduler takes no FIFO queue"),
        ({"last_run": "2026-11-24T17:00:00"}, "last_run = '2026-11-24T17:00:00': write a moment with its zone"),
        ({"last_run": "yesterday"}, "last_run = 'yesterday': write a moment with its zone"),
        ({"timezone": "Mars/Olympus"}, "not an IANA time zone"),
    ],
)
def test_what_is_given_wrongly_is_refused(given, fault):
    with pytest.raises(SpecError) as refused:
        moved(**given)
    assert fault in str(refused.value)


def test_a_network_without_subnets_is_left_out_and_not_ok():
    network = {"NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [], "SecurityGroups": ["sg-1"]}}}
    move = moved(target(network))
    assert "NetworkConfiguration" not in move.jobs[0].parameters
    assert checks(move)["move-loses-nothing"].status == "NG"
    assert "security_groups" not in root_module([move], account="111122223333", region="eu-west-2")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('{"cpu": "256"}', "jsonencode({"),
        ('{"cpu": "<aws.scheduler.execution-id>"}', r'"{\"cpu\": \"<aws.scheduler.execution-id>\"}"'),
        ('{"cpu": 1.50}', r'"{\"cpu\": 1.50}"'),
        ('{"cpu": "1", "cpu": "2"}', r'"{\"cpu\": \"1\", \"cpu\": \"2\"}"'),
        ('{"cpu": "e\u0301"}', r'"{\"cpu\": \"e\\u0301\"}"'),  # Terraform would make one letter of the two
        (r'{"cpu": "e\u0301"}', r'"{\"cpu\": \"e\\u0301\"}"'),
        ("no JSON", '"no JSON"'),
    ],
)
def test_an_input_is_written_as_code_only_where_that_says_the_same(text, written):
    move = moved(target(Input=text))
    lines = root_module([move], account="111122223333", region="eu-west-2").splitlines()
    (line,) = (one.strip() for one in lines if one.strip().startswith("input "))
    assert line == f"input = {written}"


class TestWhenItSwitches:
    def test_a_rule_that_is_off_becomes_schedules_that_are_off(self):
        move = moved(rule={"State": "DISABLED"})
        assert (move.state, move.starts) == ("DISABLED", None)
        assert checks(move)["move-can-be-switched"].status == "OK"
        assert "start_date" not in root_module([move], account="111122223333", region="eu-west-2")

    def test_a_rate_that_nobody_saw_run_is_written_off_so_that_it_does_not_fire_at_once(self):
        move = moved(rule={"ScheduleExpression": "rate(6 hours)"})
        assert move.state == "DISABLED"
        answer = checks(move)["move-can-be-switched"]
        assert (answer.status, answer.next) == ("SKIP", "Give last_run: when the rule fired last.")

    def test_a_rate_starts_one_interval_after_the_run_that_is_given(self):
        move = moved(rule={"ScheduleExpression": "rate(6 hours)"}, last_run="2026-11-24T10:30:00+01:00")
        assert isinstance(move.gap, Switch)
        assert f"{move.starts:%F %H:%M}" == "2026-11-24 15:30"

    def test_a_narrow_gap_is_not_called_good(self):
        answer = checks(moved(rule={"ScheduleExpression": "cron(* * * * ? *)"}))["move-can-be-switched"]
        assert answer.status == "SKIP"

    def test_an_event_pattern_stays_with_the_rule(self):
        move = moved(rule={"EventPattern": '{"source": ["x"]}'})
        assert fate_of(move, "EventPattern", "rule")["fate"] == "stays"
        assert checks(move)["move-loses-nothing"].status == "OK"

    def test_days_that_cannot_be_turned_stay_in_utc_and_that_is_not_ok(self):
        move = moved(rule={"ScheduleExpression": "cron(0 17 ? * 2#1 *)"}, timezone="Asia/Tokyo")
        assert (move.turned.expression, move.turned.zone) == ("cron(0 17 ? * 2#1 *)", "UTC")
        answer = checks(move)["move-keeps-the-times"]
        assert (answer.status, answer.next) == ("SKIP", "Leave timezone empty if UTC is fine.")

    def test_what_the_clocks_do_is_told_with_its_day(self):
        answer = checks(moved(timezone="Europe/Berlin"))["move-keeps-the-times"]
        assert answer.status == "OK"
        assert answer.because == (
            "cron(0 18 * * ? *) in Europe/Berlin fires when the rule does now; "
            "2027-03-28, from here the schedule runs at 16:00 UTC: it stays 18:00 in Europe/Berlin; "
            "2027-10-31, from here both are the same again"
        )


class TestFieldByField:
    def planned(self, **changed):
        ecs = {"task_definition_arn": FAMILY, "launch_type": "FARGATE", "task_count": None} | changed
        values = {"name": "nightly", "target": [{"arn": CLUSTER, "ecs_parameters": [ecs]}]}
        resource = {"type": "aws_scheduler_schedule", "values": values}
        return {"planned_values": {"root_module": {"resources": [resource]}}}

    def test_what_is_the_same_is_the_same(self):
        move = moved()
        same = same_runs(move, self.planned())
        assert list(same.columns) == SAME_COLUMNS
        assert same["same"].all()
        assert checks(move, same)["move-runs-the-same"].status == "OK"

    def test_what_differs_comes_first_and_is_not_ok(self):
        move = moved()
        same = same_runs(move, self.planned(launch_type="EC2", group="x"))
        assert list(same.loc[~same["same"], "field"]) == ["launchType", "group"]
        answer = checks(move, same)["move-runs-the-same"]
        assert (answer.status, "nightly, launchType: FARGATE → EC2" in answer.because) == ("NG", True)

    def test_a_schedule_that_is_not_planned_is_not_ok(self):
        assert checks(moved())["move-runs-the-same"].status == "NG"
