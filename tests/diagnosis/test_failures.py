"""What failed: three sources, each failure once, and who was silent."""

# ruff: noqa: N803 - the fake takes what AWS's API takes, by its names

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from ecs_runbook.diagnosis import merging
from ecs_runbook.diagnosis.failures import ASKED_COLUMNS, EACH_COLUMNS, FAILURE_COLUMNS, failures
from ecs_runbook.diagnosis.merging import merge
from ecs_runbook.errors import AwsError, EvidenceError, ParameterError
from ecs_runbook.evidence.dead_letters import read_letter
from ecs_runbook.firing.calls import read
from ecs_runbook.session import LOCAL_PACE
from ecs_runbook.verdicts.failures import judge_failures

ACCOUNT = "111122223333"
CLUSTER = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/batch"
DEFINITION = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:lost"
PUBLIC_IP = "Assign public IP is not supported for this launch type."
FIVE = datetime(2026, 11, 24, 17, tzinfo=UTC)
SINCE, UNTIL = FIVE - timedelta(hours=70), FIVE + timedelta(hours=2)
LONG, TWIN = "report-of-the-whole-company-daily", "report-of-the-whole-company-weekly"
CUT = "events-rule/report-of-the-whole-comp"


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}-schedule"


def rule_arn(name):
    return f"arn:aws:events:eu-west-1:{ACCOUNT}:rule/{name}"


def schedule_arn(name):
    return f"arn:aws:scheduler:eu-west-1:{ACCOUNT}:schedule/default/{name}"


def a_target(name, *, dlq=QUEUE, family="", of="", **more):
    parameters = {"TaskDefinitionArn": f"{DEFINITION}/{family or name}", "LaunchType": "FARGATE"}
    target = {"Id": "t", "Arn": CLUSTER, "RoleArn": of or role(name), "EcsParameters": parameters} | more
    return target | ({"DeadLetterConfig": {"Arn": dlq}} if dlq else {})


def a_call(at=FIVE, *, name="nightly", error=None, message="", family="", task="", of="", started=None, **more):
    """Return a CloudTrail record of RunTask by EventBridge; one that is denied has no parameters."""
    denied = error == "AccessDenied"
    asked = {
        "cluster": CLUSTER,
        "taskDefinition": f"{DEFINITION}/{family or name}",
        "startedBy": started or f"events-rule/{name}"[:36],
    }
    answer = {"tasks": [{"taskArn": task, "taskDefinitionArn": f"{DEFINITION}/{family or name}:1"}], "failures": []}
    return {
        "eventVersion": "1.11",
        "eventSource": "ecs.amazonaws.com",
        "eventName": "RunTask",
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "eventID": f"{name}-{at:%d%H%M%S}-{error}",
        "userIdentity": {
            "type": "AssumedRole",
            "invokedBy": "events.amazonaws.com",
            "sessionContext": {"sessionIssuer": {"arn": of or role(name)}},
        },
        "sourceIPAddress": "events.amazonaws.com",
        "userAgent": "events.amazonaws.com",
        "requestParameters": None if denied else asked,
        "responseElements": answer if task else None,
        **({"errorCode": error, "errorMessage": message} if error else {}),
    } | more


def denied(family, name="nightly", session="a" * 32):
    return (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}-schedule/{session} is not authorized to perform: ecs:RunTask"
        f" on resource: {DEFINITION}/{family}:1 because no identity-based policy allows the ecs:RunTask action"
    )


def a_letter(at=FIVE, *, sender="", code="NO_PERMISSIONS", message="no", attempts=0, sent=None, **more):
    said = {"ERROR_CODE": code, "ERROR_MESSAGE": message, "RETRY_ATTEMPTS": str(attempts), "TARGET_ARN": CLUSTER}
    said |= {"RULE_ARN": sender or rule_arn("nightly")} if ":scheduler:" not in sender else {"SCHEDULE_ARN": sender}
    said |= more
    sent = sent or at + timedelta(seconds=5)
    return {
        "MessageId": f"{sender}{at}{message}",
        "Body": json.dumps({"time": f"{at:%Y-%m-%dT%H:%M:%SZ}"}),
        "Attributes": {"SentTimestamp": str(int(sent.timestamp() * 1000))},
        "MessageAttributes": {name: {"StringValue": text, "DataType": "String"} for name, text in said.items()},
    }


def a_task(number=1, *, code=3, name="nightly", at=FIVE, status="STOPPED", started=None):
    return {
        "taskArn": task_arn(number),
        "taskDefinitionArn": f"{DEFINITION}/{name}:1",
        "clusterArn": CLUSTER,
        "startedBy": started or f"events-rule/{name}"[:36],
        "launchType": "FARGATE",
        "createdAt": at,
        "lastStatus": status,
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "main", "exitCode": code}],
        "overrides": {"containerOverrides": [{"name": "main", "environment": [{"name": "TOKEN", "value": "shy"}]}]},
    }


def task_arn(number):
    return f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/batch/{number:032x}"


class Aws:
    """Everything that is asked, in one, with the shapes of AWS's answers; every call is counted."""

    def __init__(self, *, tasks=(), records=(), letters=(), rules=None, schedules=None, refuse=(), **more):
        self.tasks, self.records, self.letters = list(tasks), list(records), list(letters)
        self.rules = {"nightly": [a_target("nightly")]} if rules is None else rules
        self.schedules = schedules or {}
        self.refuse, self.asked = refuse, []
        self.queue, self.definition, self.policy = (more.get(name, {}) for name in ("queue", "definition", "policy"))

    def __getattr__(self, operation):
        if operation.startswith("_"):
            raise AttributeError(operation)
        answer = {
            "describe_rule": self._rule,
            "list_rules": lambda NamePrefix="", **_: {
                "Rules": [self._rule(name) for name in self.rules if name.startswith(NamePrefix)]
            },
            "list_rule_names_by_target": lambda **_: {"RuleNames": list(self.rules)},
            "list_targets_by_rule": lambda Rule: {"Targets": self.rules[Rule]},
            "get_schedule": self._schedule,
            "list_schedules": lambda NamePrefix="", **_: {
                "Schedules": [
                    {"Name": name, "GroupName": "default", "Target": {"Arn": told["Target"]["Arn"]}}
                    for name, told in self.schedules.items()
                    if name.startswith(NamePrefix)
                ]
            },
            "list_clusters": lambda **_: {"clusterArns": [CLUSTER]},
            "list_tasks": self._list_tasks,
            "describe_tasks": lambda tasks, **_: {"tasks": [one for one in self.tasks if one["taskArn"] in tasks]},
            "describe_task_definition": lambda **_: {"taskDefinition": self.definition},
            "get_role": lambda RoleName: {"Role": {"Arn": f"arn:aws:iam::{ACCOUNT}:role/jobs/{RoleName}"}},
            "list_role_policies": lambda **_: {"PolicyNames": []},
            "list_attached_role_policies": lambda **_: {"AttachedPolicies": [{"PolicyArn": "p"}]},
            "get_policy": lambda **_: {"Policy": {"DefaultVersionId": "v3"}},
            "get_policy_version": lambda VersionId, **_: {
                "PolicyVersion": {"Document": {"Statement": self.policy if VersionId == "v3" else []}}
            },
            "get_queue_url": lambda **_: {"QueueUrl": "https://queue"},
            "get_queue_attributes": lambda **_: {
                "Attributes": {"ApproximateNumberOfMessages": str(len(self.letters))} | self.queue
            },
            "receive_message": lambda **_: {"Messages": self.letters[:10]},
            "lookup_events": self._look_up,
        }[operation]

        def call(**parameters):
            self.asked.append(operation)
            if operation in self.refuse:
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)
            return answer(**parameters)

        return call

    def _rule(self, Name):
        if Name not in self.rules:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "DescribeRule")
        return {"Name": Name, "Arn": rule_arn(Name), "ScheduleExpression": "cron(0 17 * * ? *)", "State": "ENABLED"}

    def _schedule(self, Name, GroupName):
        if Name not in self.schedules:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "GetSchedule")
        told = {"Name": Name, "GroupName": GroupName, "Arn": schedule_arn(Name), "State": "ENABLED"}
        return (
            told
            | {"ScheduleExpression": "cron(0 17 * * ? *)", "ScheduleExpressionTimezone": "UTC"}
            | self.schedules[Name]
        )

    def _list_tasks(self, desiredStatus, **only):
        stopped = desiredStatus == "STOPPED"
        found = [one for one in self.tasks if (one["lastStatus"] == "STOPPED") == stopped]
        if family := only.get("family"):
            found = [one for one in found if f"/{family}:" in one["taskDefinitionArn"]]
        return {"taskArns": [one["taskArn"] for one in found]}

    def _look_up(self, **parameters):
        assert parameters["LookupAttributes"] == [{"AttributeKey": "EventName", "AttributeValue": "RunTask"}]
        return {"Events": [{"EventId": "e", "CloudTrailEvent": json.dumps(record)} for record in self.records]}


def asked(aws, *, since=SINCE, until=UNTIL, iam=False, **about):
    about = (about or {"rule": "nightly"}) | ({"iam": aws} if iam else {})
    clients = dict.fromkeys(("ecs", "sqs", "cloudtrail", "events", "scheduler"), aws)
    return failures(**about, since=since, until=until, pace=LOCAL_PACE, **clients)


def told(found):
    return list(zip(found.each["subject"], found.each["told_by"], found.each["attempts"], strict=True))


def answers(found):
    return {row["source"]: (row["answered"], row["answer"]) for row in found.asked.to_dict("records")}


# -------- one source


def test_a_task_that_ended_badly_is_a_failure_of_ecs():
    found = asked(Aws(tasks=[a_task(code=3), a_task(2, code=0)]))
    assert told(found) == [("nightly", "ECS", 1)]
    assert found.each["task"].tolist() == [task_arn(1)]
    assert (found.runs.ended_well, found.runs_seen) == (1, 1)


@pytest.mark.parametrize("stop", ["SpotInterruption", "UserInitiated", "TerminationNotice", "InfrastructureHealth"])
def test_a_task_that_was_stopped_is_no_good_run_though_its_exit_code_is_0(stop):
    found = asked(Aws(tasks=[a_task(code=0) | {"stopCode": stop, "stoppedReason": "why"}]))
    assert told(found) == [("nightly", "ECS", 1)]
    assert found.each["said"].item() == f"{stop}: why (exit code 0)"
    assert found.runs.ended_well == 0


def test_of_several_containers_the_essential_one_that_failed_is_named():
    two = [{"name": "proxy", "exitCode": 0}, {"name": "main", "exitCode": 1}]
    known = {"containerDefinitions": [{"name": "main"}, {"name": "proxy", "essential": False}]}
    aws = Aws(tasks=[a_task() | {"containers": two}], definition=known)
    assert asked(aws).each["cause"].tolist() == ["exit-1"]
    aws.tasks[0]["containers"][1]["exitCode"] = 0
    two[0]["exitCode"] = 137
    assert asked(aws).found == ()


def test_a_refusal_in_cloudtrail_is_explained_and_timed():
    found = asked(Aws(records=[a_call(error="InvalidParameterException", message=PUBLIC_IP)]))
    assert told(found) == [("nightly", "CloudTrail", 1)]
    (row,) = found.table.to_dict("records")
    assert row["said"] == f"InvalidParameterException: {PUBLIC_IP}"
    assert row["cause"] != ""
    assert (row["count"], row["first"], row["last"]) == (1, FIVE, FIVE)
    assert [one.cause for one in found.explanations] == [row["cause"]]


def test_entries_of_failures_are_failures_though_there_is_no_error_code():
    reason = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
    found = asked(Aws(records=[a_call() | {"responseElements": {"tasks": [], "failures": [{"reason": reason}]}}]))
    assert len(found.found) == 1
    assert reason in found.each["said"].item()


def test_a_dead_letter_alone_is_a_failure_with_its_tries():
    found = asked(Aws(letters=[a_letter(attempts=2)]))
    assert told(found) == [("nightly", "DLQ of a rule", 3)]
    assert found.each["time"].item() == FIVE


def test_the_letters_and_calls_of_others_do_not_count():
    other = a_call(name="other", error="InvalidParameterException", message=PUBLIC_IP)
    found = asked(Aws(letters=[a_letter(sender=rule_arn("other"))], records=[other]))
    assert found.found == ()
    assert answers(found)["DLQ"][1].startswith("lost: 0 messages of that time, 1 of others")


def test_what_happened_before_the_time_asked_for_does_not_count():
    early = SINCE - timedelta(hours=1)
    assert asked(Aws(letters=[a_letter(early)], tasks=[a_task(at=early)])).found == ()


# -------- several sources, one failure


def test_a_task_and_its_run_task_are_one_failure():
    found = asked(Aws(tasks=[a_task()], records=[a_call(task=task_arn(1))]))
    assert told(found) == [("nightly", "ECS + CloudTrail", 1)]
    assert found.runs_seen == 0


def test_a_refusal_and_its_dead_letter_are_one_failure_though_their_sessions_differ():
    record = a_call(FIVE + timedelta(seconds=12), error="AccessDenied", message=denied("nightly"))
    letter = a_letter(message=denied("nightly", session="b" * 32))
    found = asked(Aws(records=[record], letters=[letter]))
    assert told(found) == [("nightly", "DLQ of a rule + CloudTrail", 1)]


def test_the_refusals_of_retries_belong_to_the_letter_that_counts_them():
    times = [FIVE + timedelta(minutes=number) for number in (0, 3, 20)]
    records = [a_call(at, error="ThrottlingException", message="Rate exceeded") for at in times]
    letter = a_letter(code="THROTTLING", message="Rate exceeded", attempts=2, sent=FIVE + timedelta(minutes=21))
    found = asked(Aws(records=records, letters=[letter]))
    assert told(found) == [("nightly", "DLQ of a rule + CloudTrail", 3)]


def test_refusals_of_another_day_are_failures_of_their_own():
    day = timedelta(days=1)
    records = [a_call(at, error="AccessDenied", message=denied("nightly")) for at in (FIVE - day, FIVE)]
    found = asked(Aws(records=records, letters=[a_letter(message=denied("nightly"))]))
    assert told(found) == [("nightly", "CloudTrail", 1), ("nightly", "DLQ of a rule + CloudTrail", 1)]


def test_another_refusal_of_the_same_minute_is_not_the_letters():
    record = a_call(error="AccessDenied", message=denied("nightly"))
    letter = a_letter(message="User: events is not authorized to perform: sts:AssumeRole on resource: r")
    assert len(asked(Aws(records=[record], letters=[letter])).found) == 2


def test_a_letter_tells_whose_an_ambiguous_refusal_is():
    rules = {name: [a_target(name, family="same", of=role("same"))] for name in ("nightly", "hourly")}
    record = a_call(name="nightly", error="AccessDenied", message=denied("same"), of=role("same"))
    alone = asked(Aws(rules=rules, records=[record]))
    assert told(alone) == [("ambiguous: nightly or hourly", "CloudTrail", 1)]
    with_letter = asked(Aws(rules=rules, records=[record], letters=[a_letter(message=denied("same"))]))
    assert told(with_letter) == [("nightly", "DLQ of a rule + CloudTrail", 1)]


def test_the_same_record_delivered_twice_is_one_failure():
    record = a_call(error="InvalidParameterException", message=PUBLIC_IP)
    assert len(asked(Aws(records=[record, record])).found) == 1


# -------- whose it was


def test_two_rules_of_one_started_by_are_told_apart_by_their_role():
    rules = {LONG: [a_target(LONG)], TWIN: [a_target(TWIN)]}
    record = a_call(name=TWIN, error="InvalidParameterException", message=PUBLIC_IP)
    assert record["requestParameters"]["startedBy"] == CUT
    aws = Aws(rules=rules, records=[record])
    assert asked(aws, rule=LONG).found == ()
    assert told(asked(aws, rule=TWIN)) == [(TWIN, "CloudTrail", 1)]


def test_two_rules_that_nothing_tells_apart_are_called_ambiguous():
    rules = {name: [a_target(name, family="same", of=role("same"))] for name in (LONG, TWIN)}
    record = a_call(name=LONG, family="same", of=role("same"), error="InvalidParameterException", message=PUBLIC_IP)
    found = asked(Aws(rules=rules, records=[record]), rule=LONG)
    assert told(found) == [(f"ambiguous: {LONG} or {TWIN}", "CloudTrail", 1)]


# -------- Scheduler


def a_scheduled_call(name, at=FIVE, *, of="", **more):
    identity = {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"arn": of or role(name)}}}
    return a_call(at, name=name, of=of, started=f"chronos-schedule/{name}"[:36], **more) | {
        "userIdentity": identity,
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "AmazonEventBridgeScheduler aws-sdk-java/2.28.29",
    }


def test_a_schedules_refusal_is_known_by_its_started_by_and_merged_with_its_letter():
    aws = Aws(
        rules={},
        schedules={"nightly": {"Target": a_target("nightly")}},
        records=[a_scheduled_call("nightly", error="InvalidParameterException", message=PUBLIC_IP)],
        letters=[
            a_letter(
                sender=schedule_arn("nightly"),
                code="InvalidParameterException",
                message=PUBLIC_IP,
                SCHEDULED_TIME="2026-11-24T17:00:00Z",
            )
        ],
    )
    found = asked(aws, schedule="nightly")
    assert found.about == "schedule default/nightly"
    assert told(found) == [("default/nightly", "DLQ of Scheduler + CloudTrail", 1)]


def test_a_schedules_denial_without_parameters_is_known_by_its_role():
    record = a_scheduled_call("nightly", error="AccessDenied", message=denied("nightly"))
    aws = Aws(rules={}, schedules={"nightly": {"Target": a_target("nightly")}}, records=[record])
    assert told(asked(aws, schedule="nightly")) == [("default/nightly", "CloudTrail", 1)]


def test_two_schedules_that_share_nineteen_characters_are_told_apart_by_role():
    first, second = "nightly-report-of-us-a", "nightly-report-of-us-b"
    schedules = {name: {"Target": a_target(name)} for name in (first, second)}
    record = a_scheduled_call(second, error="InvalidParameterException", message=PUBLIC_IP)
    assert record["requestParameters"]["startedBy"] == "chronos-schedule/nightly-report-of-u"
    aws = Aws(rules={}, schedules=schedules, records=[record])
    assert asked(aws, schedule=first).found == ()
    assert told(asked(aws, schedule=second)) == [(f"default/{second}", "CloudTrail", 1)]


def test_a_schedule_that_is_not_there_is_one_clear_error():
    with pytest.raises(EvidenceError) as refused:
        asked(Aws(schedules={"nightly": {"Target": a_target("nightly")}}), schedule="nightli")
    assert str(refused.value) == (
        "schedule = 'nightli': there is no such schedule in the group 'default'. Nearest: nightly."
    )


# -------- a cluster, an account


def everybodys():
    return Aws(
        rules={
            "nightly": [a_target("nightly")],
            "hourly": [a_target("hourly", dlq="")],
            "mail": [{"Id": "m", "Arn": "x"}],
        },
        schedules={"weekly": {"Target": a_target("weekly")}},
        records=[
            a_call(error="AccessDenied", message=denied("nightly")),
            a_call(name="hourly", task=task_arn(1)),
            a_scheduled_call("weekly", error="AccessDenied", message=denied("weekly")),
            a_call(name="person", error="AccessDenied", message=denied("x"), started="kim")
            | {"userIdentity": {"type": "IAMUser"}, "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli"},
        ],
        letters=[a_letter(message=denied("nightly")), a_letter(sender=rule_arn("gone"))],
        tasks=[a_task(1, name="hourly"), a_task(2, started="ecs-svc/1"), a_task(3, name="hourly", status="RUNNING")],
    )


def test_an_account_is_looked_through_with_no_more_calls_than_it_forces():
    aws = everybodys()
    found = asked(aws, rule="")
    assert sorted(told(found)) == [
        ("default/weekly", "CloudTrail", 1),
        ("gone", "DLQ of a rule", 1),
        ("hourly", "ECS + CloudTrail", 1),
        ("nightly", "DLQ of a rule + CloudTrail", 1),
    ]
    counts = {operation: aws.asked.count(operation) for operation in aws.asked}
    assert counts == {
        "list_rules": 1,
        "list_targets_by_rule": 3,
        "list_schedules": 1,
        "get_schedule": 1,
        "list_clusters": 1,
        "list_tasks": 2,
        "describe_tasks": 1,
        "get_queue_url": 1,
        "get_queue_attributes": 1,
        "receive_message": 3,
        "lookup_events": 1,
    }
    assert "left out 1 stopped task" in answers(found)["ECS"][1]


def test_a_cluster_leaves_out_what_runs_in_another_one():
    aws = everybodys()
    elsewhere = a_target("nightly") | {"Arn": CLUSTER.replace("batch", "web")}
    aws.rules["nightly"] = [elsewhere]
    subjects = [subject for subject, *_ in told(asked(aws, cluster="batch"))]
    assert "nightly" not in subjects
    assert {"hourly", "default/weekly"} <= set(subjects)


def test_several_things_named_at_once_are_one_clear_error():
    with pytest.raises(ParameterError) as refused:
        asked(Aws(), rule="nightly", cluster="batch")
    assert str(refused.value) == ('rule and cluster are both named. Name one of them, and leave the others empty: "".')


# -------- who was silent

SILENT = [
    ("list_tasks", "ECS", "the caller needs ecs:ListTasks"),
    ("describe_tasks", "ECS", "the caller needs ecs:DescribeTasks"),
    ("receive_message", "DLQ", "the caller needs sqs:ReceiveMessage"),
    ("get_queue_url", "DLQ", "the caller needs sqs:GetQueueUrl"),
    ("lookup_events", "CloudTrail", "the caller needs cloudtrail:LookupEvents"),
]


@pytest.mark.parametrize(("operation", "source", "said"), SILENT)
def test_a_forbidden_source_is_named_with_its_action_and_the_others_count(operation, source, said):
    aws = Aws(
        tasks=[a_task()],
        records=[a_call(FIVE - timedelta(days=1), error="InvalidParameterException", message=PUBLIC_IP)],
        letters=[a_letter(FIVE - timedelta(days=2), message="something else entirely")],
        refuse=[operation],
    )
    found = asked(aws)
    answered, answer = answers(found)[source]
    assert not answered
    assert said in answer
    assert len(found.found) == 2
    assert [name for name, (ok, _) in answers(found).items() if not ok] == [source]


def test_in_an_account_a_forbidden_list_of_schedules_is_named():
    aws = everybodys()
    aws.refuse = ["list_schedules"]
    answered, answer = answers(asked(aws, rule=""))["EventBridge"]
    assert (answered, answer) == (
        False,
        "2 rules of the default bus run ECS tasks; the caller needs scheduler:ListSchedules",
    )


BARE = [{"Effect": "Allow", "Action": "ecs:RunTask", "Resource": f"{DEFINITION}/nightly"}]


def test_the_policies_of_a_role_that_was_denied_are_read_once_and_tell_which_mistake_it_is():
    times = (FIVE, FIVE - timedelta(days=1), FIVE - timedelta(days=2))
    records = [a_call(at, error="AccessDenied", message=denied("nightly")) for at in times]
    aws = Aws(records=records, policy=BARE)
    found = asked(aws, iam=True)
    assert found.table[["cause", "count"]].values.tolist() == [["run-task-denied-bare-family-policy", 3]]
    assert answers(found)["IAM"] == (True, "read the policies of 1 role, as they are now")
    assert aws.asked.count("get_policy_version") == 1
    assert asked(Aws(records=records)).table["cause"].tolist() == ["run-task-denied-for-the-revision"]


def test_policies_that_may_not_be_read_leave_the_mistake_open_and_that_is_said():
    records = [a_call(error="AccessDenied", message=denied("nightly"))]
    found = asked(Aws(records=records, policy=BARE, refuse=["list_attached_role_policies"]), iam=True)
    assert found.table["cause"].tolist() == ["run-task-denied-for-the-revision"]
    words = "the caller needs iam:ListAttachedRolePolicies: which mistake in a policy it is stays open"
    assert answers(found)["IAM"] == (False, words)
    told = {check.id: check.status for check in judge_failures(found)}
    assert told == {"failure-cause": "NG", "failures-told": "OK"}


def test_iam_is_not_asked_where_nothing_was_denied_and_not_about_another_accounts_role():
    aws = Aws(records=[a_call(error="InvalidParameterException", message=PUBLIC_IP)], policy=BARE)
    assert "IAM" not in answers(asked(aws, iam=True))
    assert not {one for one in aws.asked if "role" in one}
    words = denied("nightly").replace(f"sts::{ACCOUNT}", "sts::999988887777")
    elsewhere = a_call(error="AccessDenied", message=words, of="arn:aws:iam::999988887777:role/nightly-schedule")
    rules = {"nightly": [a_target("nightly", of="arn:aws:iam::999988887777:role/nightly-schedule")]}
    found = asked(Aws(records=[elsewhere], rules=rules, policy=BARE), iam=True)
    assert found.table["cause"].tolist() == ["run-task-denied-for-the-revision"]
    assert answers(found)["IAM"] == (True, "read the policies of 0 roles, as they are now")


def test_a_rule_that_is_not_there_is_one_clear_error():
    with pytest.raises(EvidenceError, match="rule = 'nightli': there is no such rule on the default bus"):
        asked(Aws(), rule="nightli")


def test_a_rule_that_may_not_be_read_is_an_error_of_aws():
    with pytest.raises(AwsError) as refused:
        asked(Aws(refuse=["describe_rule"]))
    assert refused.value.hint == "The caller needs events:DescribeRule."


def test_what_has_not_arrived_yet_and_what_is_lost_stands_beside_each_source():
    found = asked(Aws(rules={"nightly": [a_target("nightly", dlq="")]}))
    assert list(found.asked.columns) == ASKED_COLUMNS
    assert list(found.asked["source"])[:3] == ["ECS", "DLQ", "CloudTrail"]
    ecs, dlq, trail = found.asked.to_dict("records")[:3]
    assert "ECS forgets a stopped task after about an hour" in ecs["no_longer"]
    assert dlq["no_longer"] == "1 of 1 target has no dead-letter queue: what EventBridge gives up on there is lost"
    assert trail["not_yet"].startswith("calls after 18:45 UTC may not be written yet")
    assert "AssumeRole is not looked up" in trail["no_longer"]


def test_retries_may_still_fill_the_queue_for_as_long_as_the_target_lets_them():
    target = a_target("nightly", RetryPolicy={"MaximumEventAgeInSeconds": 7200})
    dlq = asked(Aws(rules={"nightly": [target]})).asked.iloc[1]
    assert dlq["not_yet"] == "what is still being tried again, for up to 2 hours after its time"


# -------- runs


def test_runs_of_which_the_end_is_not_known_are_seen_but_not_called_good():
    found = asked(Aws(records=[a_call(task=task_arn(9))]))
    assert (found.runs.ended_well, found.runs.end_unknown, found.runs_seen) == (0, 1, 1)


def test_a_running_task_is_neither_good_nor_bad():
    found = asked(Aws(tasks=[a_task(status="RUNNING")]))
    assert (found.runs.running, len(found.found)) == (1, 0)
    assert found.asked["not_yet"].iloc[0] == "how 1 running task will end"


def test_a_time_at_which_it_was_due_without_any_trace_is_missed():
    day = timedelta(days=1)
    aws = Aws(records=[a_call(FIVE - 2 * day, task=task_arn(1)), a_call(FIVE, task=task_arn(2))])
    assert asked(aws).missed == (FIVE - day,)
    # Of the time before it was first seen nothing is said: it may be younger.
    assert asked(Aws(records=[a_call(FIVE, task=task_arn(2))])).missed == ()
    # What CloudTrail may not have written yet is not missed.
    soon = Aws(records=[a_call(FIVE - day, task=task_arn(2))])
    assert asked(soon, until=FIVE + timedelta(minutes=5)).missed == ()
    silent = Aws(records=aws.records, tasks=[a_task(at=FIVE - 2 * day)], refuse=["lookup_events"])
    assert asked(silent).missed == ()


# -------- tables, records, size


def test_an_empty_answer_keeps_its_columns():
    found = asked(Aws())
    assert list(found.table.columns) == FAILURE_COLUMNS
    assert list(found.each.columns) == EACH_COLUMNS
    assert "no failure was seen" in str(found)
    assert found.explanations == ()


def test_what_the_catalogue_does_not_know_is_shown_as_it_is_each_kind_in_a_row():
    records = [
        a_call(FIVE - timedelta(days=number), error="NewException", message=words)
        for number, words in enumerate(["Something 17 new.", "Something 42 new.", "Quite another thing."])
    ]
    table = asked(Aws(records=records)).table
    assert table[["cause", "title", "count"]].values.tolist() == [["", "unknown", 2], ["", "unknown", 1]]
    assert table["said"].tolist() == ["NewException: Something 17 new.", "NewException: Quite another thing."]


def test_no_value_of_an_environment_reaches_the_receipt_or_the_page():
    found = asked(Aws(tasks=[a_task()], records=[a_call(task=task_arn(1))]))
    assert found.records["ECS"][0]["taskArn"] == task_arn(1)
    assert "shy" not in repr(found.to_dict())
    assert "shy" not in found._repr_html_() + found.explanations._repr_html_()


def test_the_page_shows_what_aws_said_as_text():
    found = asked(Aws(records=[a_call(error="NewException", message="<script>alert(1)</script>")]))
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()


def test_the_work_of_merging_grows_with_the_number_of_failures_and_not_faster(monkeypatch):
    done = Counter()
    for name in ("explain", "_same"):
        whole = getattr(merging, name)
        monkeypatch.setattr(
            merging, name, lambda *some, whole=whole, name=name, **more: done.update([name]) or whole(*some, **more)
        )

    def work(number):
        done.clear()
        calls, letters = [], []
        for place in range(number):
            at = FIVE + timedelta(minutes=place)
            calls.append((read(a_call(at, error="AccessDenied", message=denied("nightly"))), "nightly"))
            letters.append((read_letter(a_letter(at, message=denied("nightly"))), "nightly"))
        assert len(merge([], calls, letters)) == number
        return dict(done)

    assert work(100) == {"explain": 200, "_same": 100}
    assert work(400) == {"explain": 800, "_same": 400}
