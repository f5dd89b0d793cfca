"""A drill leaves nothing behind, whatever happens, and says what came of it."""

# ruff: noqa: N803, ARG002 - the fakes take what AWS's API takes, by its names

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.drill import clear_leftovers, fire, leftovers
from ecs_runbook.firing.fired import Fired, about_trust, rules_in_trust
from ecs_runbook.firing.inputs import with_dry_command
from ecs_runbook.session import Pace

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCOUNT = "arn:aws:{}:eu-west-1:111122223333:{}"
CLUSTER = ACCOUNT.format("ecs", "cluster/batch")
FAMILY = ACCOUNT.format("ecs", "task-definition/nightly")
ROLE = "arn:aws:iam::111122223333:role/nightly-schedule"
TASK = ACCOUNT.format("ecs", "task/batch/0123456789abcdef0123456789abcdef")
DRILL = "ecsrb-2a3b62b5-0a1b2c3d"
TARGET = {
    "Id": "task",
    "Arn": CLUSTER,
    "RoleArn": ROLE,
    "Input": '{"containerOverrides": [{"name": "main", "environment": [{"name": "A", "value": "b"}]}]}',
    "EcsParameters": {
        "TaskDefinitionArn": FAMILY,
        "TaskCount": 1,
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "DISABLED"}},
    },
    "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 600},
    "DeadLetterConfig": {"Arn": ACCOUNT.format("sqs", "nightly-dlq")},
}
PACE = Pace(settle_seconds=30, poll_seconds=3, lookups_per_second=2, patience_seconds=900)


def error(code, operation="Operation", message="no"):
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class Events:
    """A default bus with rules, targets and tags; *broken* gives operations another answer, or an error."""

    def __init__(self, targets=(TARGET,), broken=()):
        self.rules = {"nightly": {"targets": list(targets), "tags": {}, "pattern": None}}
        self.sent = []
        self.broken = dict(broken)
        self.made = []

    def _answer(self, operation, answer):
        broken = self.broken.get(operation)
        if isinstance(broken, BaseException):
            raise broken
        return answer if broken is None else broken

    def _arn(self, name):
        return ACCOUNT.format("events", f"rule/{name}")

    def describe_rule(self, *, Name):
        if Name not in self.rules:
            raise error("ResourceNotFoundException")
        return {"Name": Name, "Arn": self._arn(Name), "ScheduleExpression": "cron(0 17 * * ? *)", "State": "ENABLED"}

    def list_rules(self, *, NamePrefix=""):
        return {"Rules": [{"Name": name, "Arn": self._arn(name)} for name in self.rules if name.startswith(NamePrefix)]}

    def list_targets_by_rule(self, *, Rule):
        if Rule not in self.rules:
            raise error("ResourceNotFoundException")
        return {"Targets": self.rules[Rule]["targets"]}

    def list_tags_for_resource(self, *, ResourceARN):
        tags = self.rules[ResourceARN.rpartition("/")[2]]["tags"]
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def put_rule(self, *, Name, EventPattern, State, Description, Tags):
        self.rules[Name] = {
            "targets": [],
            "pattern": json.loads(EventPattern),
            "tags": {tag["Key"]: tag["Value"] for tag in Tags},
        }
        return self._answer("put_rule", {"RuleArn": self._arn(Name)})

    def put_targets(self, *, Rule, Targets):
        answer = self._answer("put_targets", {"FailedEntryCount": 0, "FailedEntries": []})
        self.rules[Rule]["targets"] = list(Targets)
        self.made.append((Rule, Targets, self.rules[Rule]["pattern"], self.rules[Rule]["tags"]))
        return answer

    def put_events(self, *, Entries):
        answer = self._answer("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": f"e{len(self.sent)}"}]})
        self.sent += Entries
        return answer

    def remove_targets(self, *, Rule, Ids):
        answer = self._answer("remove_targets", {"FailedEntryCount": 0, "FailedEntries": []})
        self.rules[Rule]["targets"] = [one for one in self.rules[Rule]["targets"] if one["Id"] not in Ids]
        return answer

    def delete_rule(self, *, Name):
        assert not self.rules[Name]["targets"], "EventBridge keeps a rule that has targets"
        answer = self._answer("delete_rule", {})
        del self.rules[Name]
        return answer


class Ecs:
    """Answers of ECS, one look after the other; the last one stays. Each is a list of tasks."""

    def __init__(self, *looks, containers=("main",)):
        self.looks = list(looks) or [[]]
        self.asked = []
        self.containers = containers

    def list_tasks(self, *, cluster, desiredStatus, startedBy):
        assert cluster == CLUSTER
        self.asked.append(startedBy)
        if desiredStatus == "RUNNING" and len(self.asked) > 1 and len(self.looks) > 1:
            self.looks.pop(0)
        stopped = desiredStatus == "STOPPED"
        tasks = [task for task in self.looks[0] if (task["lastStatus"] == "STOPPED") == stopped]
        return {"taskArns": [task["taskArn"] for task in tasks]}

    def describe_tasks(self, *, cluster, tasks):
        return {"tasks": [task for task in self.looks[0] if task["taskArn"] in tasks]}

    def describe_task_definition(self, *, taskDefinition):
        assert taskDefinition == FAMILY
        definitions = [{"name": name, "essential": not name.endswith("sidecar")} for name in self.containers]
        return {"taskDefinition": {"containerDefinitions": definitions}}


class Trail:
    """LookupEvents with these records."""

    def __init__(self, *records):
        self.records = list(records)
        self.asked = 0

    def lookup_events(self, **_):
        self.asked += 1
        return {"Events": [{"EventId": "e", "CloudTrailEvent": json.dumps(record)} for record in self.records]}


def task(status="STOPPED", code=0, arn=TASK):
    return {
        "taskArn": arn,
        "taskDefinitionArn": f"{FAMILY}:2",
        "lastStatus": status,
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "main"} | ({} if code is None else {"exitCode": code})],
    }


def denied(role=ROLE, family=FAMILY):
    return {
        "eventName": "RunTask",
        "eventTime": "2026-11-24T12:00:31Z",
        "userIdentity": {
            "sessionContext": {"sessionIssuer": {"arn": role}},
            "invokedBy": "events.amazonaws.com",
        },
        "errorCode": "AccessDenied",
        "errorMessage": f"not authorized to perform: ecs:RunTask on resource: {family}:2 because …",
        "requestParameters": None,
        "responseElements": None,
    }


class Clock:
    """A clock that moves by being slept on."""

    def __init__(self):
        self.time = NOON
        self.slept = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


def drill(events, ecs, trail=None, *, clock=None, **more) -> Fired:
    clock = clock or Clock()
    options = {"pace": PACE, "now": clock.now, "sleep": clock.sleep, "random": lambda _: "0a1b2c3d"} | more
    return fire("nightly", events=events, ecs=ecs, cloudtrail=trail or Trail(), **options)


def test_a_drill_fires_a_copy_of_the_real_target_by_an_event_of_its_own_and_removes_the_rule():
    events, ecs = Events(), Ecs([], [task("RUNNING", None)], [task()])
    fired = drill(events, ecs)
    ((rule, targets, pattern, tags),) = events.made
    assert rule == DRILL
    assert targets == [TARGET]
    assert pattern == {"source": [f"ecs-runbook.drill.{DRILL}"]}
    assert [event["Source"] for event in events.sent] == pattern["source"]
    assert (tags["ecs-runbook"], tags["ecs-runbook-of"]) == ("drill", "nightly")
    assert list(events.rules) == ["nightly"]
    assert (fired.status, fired.exit_code, fired.executed, fired.requested) == ("STOPPED", 0, 2, "nightly")
    assert fired.ok
    assert set(ecs.asked) == {f"events-rule/{DRILL}"}


def test_the_name_of_a_drill_fits_into_started_by():
    assert len(DRILL) == 23
    assert len(f"events-rule/{DRILL}") <= 36


def test_the_event_is_sent_only_after_the_rule_had_time_to_settle():
    clock = Clock()
    drill(Events(), Ecs([task()]), clock=clock)
    assert clock.slept == [30]


def test_a_dry_command_replaces_the_command_and_keeps_what_else_the_input_says():
    events = Events()
    fired = drill(events, Ecs([task()], containers=("main", "log-sidecar")), dry_command=["true"])
    put = json.loads(events.made[0][1][0]["Input"])
    assert put == {
        "containerOverrides": [{"name": "main", "environment": [{"name": "A", "value": "b"}], "command": ["true"]}]
    }
    assert fired.dry_command == ("true",)
    assert events.rules["nightly"]["targets"] == [TARGET]


@pytest.mark.parametrize("text", ["[]", "{", '{"containerOverrides": 3}', '{"containerOverrides": ["main"]}'])
def test_a_dry_command_into_an_input_that_is_no_override_is_refused(text):
    with pytest.raises(EvidenceError) as refused:
        with_dry_command(text, ["main"], ["true"])
    assert "dry_command cannot be put into the target's Input" in str(refused.value)


def test_a_dry_command_into_an_input_transformer_is_refused_before_anything_is_made():
    events = Events([TARGET | {"InputTransformer": {"InputTemplate": "{}"}}])
    with pytest.raises(EvidenceError) as refused:
        drill(events, Ecs(), dry_command=["true"])
    assert "the target makes its input by InputTransformer" in str(refused.value)
    assert not events.made


def test_a_refusal_without_parameters_is_told_by_role_and_family_and_ends_the_waiting():
    clock = Clock()
    fired = drill(Events(), Ecs(), Trail(denied()), clock=clock)
    assert (fired.status, fired.refused_code, fired.executed) == ("REFUSED", "AccessDenied", None)
    assert "ecs:RunTask" in fired.refused_message
    assert fired.hint == "CloudTrail's record of it leaves the rule out, so it is told by role and time."
    assert not fired.ok
    assert clock.slept == [30]


@pytest.mark.parametrize(
    "other", [denied(role=f"{ROLE}-2"), denied(family=ACCOUNT.format("ecs", "task-definition/weekly"))]
)
def test_the_refusal_of_another_is_not_taken_for_it(other):
    assert drill(Events(), Ecs(), Trail(other), timeout_seconds=60).status == "NOTHING SEEN"


def test_a_failure_of_its_own_call_is_told_with_its_reason():
    record = denied() | {
        "errorCode": None,
        "errorMessage": None,
        "requestParameters": {"startedBy": f"events-rule/{DRILL}", "taskDefinition": FAMILY},
        "responseElements": {"tasks": [], "failures": [{"reason": "RESOURCE:ENI", "detail": "none left"}]},
    }
    fired = drill(Events(), Ecs(), Trail(record))
    assert (fired.status, fired.refused_code, fired.refused_message) == ("FAILED TO START", "RESOURCE:ENI", "none left")


def test_a_bad_end_is_told_with_exit_code_and_reason():
    fired = drill(Events(), Ecs([task(code=3)]))
    assert (fired.status, fired.exit_code) == ("STOPPED", 3)
    assert fired.error == "EssentialContainerExited: Essential container in task exited"
    assert not fired.ok


def test_a_task_that_outlasts_the_patience_is_left_running_and_told_so():
    clock, events = Clock(), Events()
    fired = drill(events, Ecs([task("RUNNING", None)]), clock=clock, timeout_seconds=60)
    assert (fired.status, fired.exit_code) == ("RUNNING", None)
    assert fired.hint == "It runs still: open 40_prove when it has stopped."
    assert sum(clock.slept[1:]) == 60
    assert list(events.rules) == ["nightly"]


def test_a_clock_that_stands_still_ends_the_waiting_too():
    clock = Clock()
    fired = drill(Events(), Ecs(), clock=clock, now=lambda: NOON, timeout_seconds=60)
    assert fired.status == "NOTHING SEEN"


def test_when_nothing_is_seen_the_trust_is_named_as_what_may_refuse_the_copy():
    hint = drill(Events(), Ecs(), timeout_seconds=6).hint
    assert "aws:SourceArn" in hint
    assert "not the schedule" in hint


def test_the_trust_is_read_if_it_may_be():
    class Iam:
        def get_role(self, *, RoleName):
            assert RoleName == "nightly-schedule"
            condition = {"ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:111122223333:rule/nightly"}}
            return {"Role": {"AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Condition": condition}]}}}

    hint = drill(Events(), Ecs(), timeout_seconds=6, iam=Iam()).hint
    assert hint.endswith("trusts arn:aws:events:eu-west-1:111122223333:rule/nightly alone.")


def test_a_trust_without_conditions_names_no_rule():
    assert rules_in_trust({"Statement": [{"Effect": "Allow"}]}) == []


def test_a_second_event_is_sent_only_after_the_stated_wait_and_only_once():
    clock, events = Clock(), Events()
    fired = drill(events, Ecs(), clock=clock, timeout_seconds=900, resend_seconds=300)
    assert len(events.sent) == 2
    assert fired.event_ids == ("e0", "e1")


def test_no_second_event_while_a_task_is_seen_or_if_none_is_wanted():
    events = Events()
    drill(events, Ecs([task("RUNNING", None)]), timeout_seconds=900)
    assert len(events.sent) == 1
    drill(events, Ecs(), timeout_seconds=900, resend_seconds=None)
    assert len(events.sent) == 2


def test_cloudtrail_is_not_asked_at_every_look():
    trail = Trail()
    drill(Events(), Ecs(), trail, timeout_seconds=60)
    assert trail.asked == 5  # at 0, 15, 30, 45 and 60 seconds


def test_of_several_tasks_all_have_to_stop():
    targets = [TARGET | {"EcsParameters": TARGET["EcsParameters"] | {"TaskCount": 2}}]
    both = [task(), task("RUNNING", None, arn=f"{TASK}2")]
    fired = drill(Events(targets), Ecs([task()], both, [task(), task(code=7, arn=f"{TASK}2")]))
    assert fired.tasks == (TASK, f"{TASK}2")
    assert fired.exit_code == 7


@pytest.mark.parametrize("stroke", [KeyboardInterrupt(), RuntimeError("anything")])
def test_an_interrupt_removes_the_rule_and_goes_on(stroke):
    def sleep(_seconds):
        raise stroke

    events = Events()
    with pytest.raises(type(stroke)):
        drill(events, Ecs(), sleep=sleep)
    assert list(events.rules) == ["nightly"]


def test_an_interrupt_between_rule_and_target_removes_the_rule():
    events = Events(broken={"put_targets": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        drill(events, Ecs())
    assert list(events.rules) == ["nightly"]


def test_an_interrupt_in_put_rule_whose_answer_never_came_removes_the_rule():
    events = Events(broken={"put_rule": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        drill(events, Ecs())
    assert list(events.rules) == ["nightly"]


@pytest.mark.parametrize(
    ("operation", "answer", "words"),
    [
        (
            "put_targets",
            {"FailedEntryCount": 1, "FailedEntries": [{"TargetId": "task", "ErrorCode": "Odd", "ErrorMessage": "no"}]},
            "events:PutTargets was refused: Odd: no",
        ),
        (
            "put_events",
            {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "sorry"}]},
            "events:PutEvents was refused: InternalFailure: sorry",
        ),
        ("put_targets", error("AccessDeniedException"), "The caller needs events:PutTargets."),
    ],
)
def test_a_failed_entry_is_an_error_though_http_says_200_and_nothing_is_left(operation, answer, words):
    events = Events(broken={operation: answer})
    with pytest.raises(AwsError) as refused:
        drill(events, Ecs())
    assert words in str(refused.value)
    assert list(events.rules) == ["nightly"]


def test_a_rule_that_cannot_be_removed_is_named_with_the_outcome():
    fired = drill(Events(broken={"delete_rule": error("ThrottlingException")}), Ecs([task()]))
    assert (fired.status, fired.left_behind, fired.ok) == ("STOPPED", DRILL, False)
    assert fired.hint.startswith(f"Rule {DRILL} could not be removed")


def test_a_rule_that_cannot_be_removed_after_an_error_is_named_in_a_note():
    events = Events(broken={"delete_rule": error("ThrottlingException"), "put_events": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt) as stroke:
        drill(events, Ecs())
    assert DRILL in stroke.value.__notes__[0]


def left(until):
    tags = {"ecs-runbook": "drill", "ecs-runbook-of": "nightly", "ecs-runbook-until": until.isoformat()}
    return {"targets": [TARGET], "tags": tags, "pattern": {}}


def test_the_leftover_of_a_dead_drill_is_cleared_and_one_that_runs_now_is_not():
    events = Events()
    events.rules |= {
        "ecsrb-2a3b62b5-dead0000": left(NOON - timedelta(seconds=1)),
        "ecsrb-2a3b62b5-alive000": left(NOON + timedelta(seconds=1)),
        "ecsrb-of-somebody-else": {"targets": [], "tags": {}, "pattern": None},
    }
    table = leftovers(events=events, now=lambda: NOON)
    assert table[["drill_rule", "rule", "dead"]].values.tolist() == [
        ["ecsrb-2a3b62b5-dead0000", "nightly", True],
        ["ecsrb-2a3b62b5-alive000", "nightly", False],
    ]
    assert clear_leftovers(events=events, now=lambda: NOON) == ["ecsrb-2a3b62b5-dead0000"]
    assert list(events.rules) == ["nightly", "ecsrb-2a3b62b5-alive000", "ecsrb-of-somebody-else"]


def test_a_drill_begins_by_clearing_what_dead_ones_left():
    events = Events()
    events.rules["ecsrb-2a3b62b5-dead0000"] = left(NOON - timedelta(days=1))
    drill(events, Ecs([task()]))
    assert list(events.rules) == ["nightly"]


def test_its_own_rule_counts_as_alive_for_as_long_as_it_may_take():
    events = Events()
    drill(events, Ecs([task()]))
    until = datetime.fromisoformat(events.made[0][3]["ecs-runbook-until"])
    assert until == NOON + timedelta(seconds=30 + 900 + 600)


def test_no_leftovers_keep_the_columns():
    assert list(leftovers(events=Events(), now=lambda: NOON).columns) == ["drill_rule", "rule", "until", "dead"]


def test_several_targets_want_a_choice():
    events = Events([TARGET, TARGET | {"Id": "second"}])
    with pytest.raises(EvidenceError) as unclear:
        drill(events, Ecs())
    assert str(unclear.value) == "rule = 'nightly': it has 2 ECS targets. Give target_id as one of: task, second."
    drill(events, Ecs([task()]), target_id="second")
    assert events.made[0][1][0]["Id"] == "second"


def test_a_target_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(EvidenceError) as unknown:
        drill(Events(), Ecs(), target_id="other")
    assert str(unknown.value) == "target_id = 'other': rule 'nightly' has no such ECS target. It has: task."


def test_in_a_notebook_no_word_of_aws_becomes_markup():
    fired = drill(Events(), Ecs(), Trail(denied() | {"errorMessage": f"<script> {FAMILY}:2"}))
    assert "<script>" not in fired._repr_html_()
    assert "&lt;script&gt;" in fired._repr_html_()


def test_progress_goes_from_the_rule_to_the_end():
    rows = []

    class Bars:
        def row(self, key, done, note=""):
            rows.append((key, done, note))

    drill(Events(), Ecs([], [task()]), progress=Bars())
    assert [key for key, _, _ in rows] == ["nightly"] * len(rows)
    assert [done for _, done, _ in rows] == sorted(done for _, done, _ in rows)
    assert rows[-1] == ("nightly", 1.0, "STOPPED")


def test_a_trust_in_a_schedules_group_is_not_blamed_for_a_copy_in_that_group():
    group = ACCOUNT.format("scheduler", "schedule-group/batch")

    class Iam:
        def get_role(self, RoleName):
            statement = {"Effect": "Allow", "Condition": {"StringEquals": {"aws:SourceArn": self.source}}}
            return {"Role": {"AssumeRolePolicyDocument": {"Statement": [statement]}}}

    iam = Iam()
    iam.source = group
    told = about_trust(ROLE, "schedule", iam, Asking())
    assert told == f" {ROLE} trusts {group}: a group, not one schedule, and the copy was in the schedule's own."
    iam.source = ACCOUNT.format("scheduler", "schedule/batch/nightly")
    assert about_trust(ROLE, "schedule", iam, Asking()) == f" And it does: {ROLE} trusts {iam.source} alone."
