"""The table of runs: both sources in one, each run judged at its moment."""

# ruff: noqa: N803 - the fake takes what AWS's API takes, by its names

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from botocore.exceptions import ClientError

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.evidence.revisions import frame
from ecs_runbook.evidence.runs import RUN_COLUMNS, Run, empty, judge, merge, of_call, of_task, runs
from ecs_runbook.firing.calls import read
from ecs_runbook.firing.names import Definition
from ecs_runbook.firing.tasks import read_task
from ecs_runbook.session import LOCAL_PACE

ROLE = "arn:aws:iam::111122223333:role/nightly-schedule"
CLUSTER = "arn:aws:ecs:eu-west-1:111122223333:cluster/batch"
ARN = "arn:aws:ecs:eu-west-1:111122223333:task-definition"
TASK = "arn:aws:ecs:eu-west-1:111122223333:task/batch/0123456789abcdef0123456789abcdef"
FIVE = datetime(2026, 11, 24, 17, tzinfo=UTC)
SINCE, UNTIL = FIVE - timedelta(hours=1), FIVE + timedelta(hours=1)


def seconds(number):
    return FIVE + timedelta(seconds=number)


def registered(*times):
    rows = [(number, time) for number, time in enumerate(times, start=5)]
    return frame(
        [{"family": "nightly", "revision": number, "registered_at": time, "status": "ACTIVE"} for number, time in rows]
    )


def a_task(revision=6, *, code=0, status="STOPPED", created=None, arn=TASK, started="events-rule/nightly"):
    ended = {} if status != "STOPPED" else {"exitCode": code}
    return {
        "taskArn": arn,
        "taskDefinitionArn": f"{ARN}/nightly:{revision}",
        "clusterArn": CLUSTER,
        "startedBy": started,
        "launchType": "FARGATE",
        "createdAt": created or seconds(12.25),
        "lastStatus": status,
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": [{"name": "main", **{key: value for key, value in ended.items() if value is not None}}],
        "overrides": {"containerOverrides": [{"name": "main", "environment": [{"name": "TOKEN", "value": "shy"}]}]},
    }


def a_run(executed, time, *, exact=True, requested=None):
    return Run(time, "nightly", "ECS", requested=requested, executed=Definition("nightly", executed), exact=exact)


JUDGED = [
    ("the latest", a_run(6, seconds(1)), (6, "LATEST")),
    ("an older one", a_run(5, seconds(1)), (6, "STALE")),
    ("the latest of its own moment, though not of today", a_run(5, seconds(-1)), (5, "LATEST")),
    ("no revision known", a_run(None, seconds(1)), (6, "UNKNOWN")),
    ("no time known", a_run(6, None), (None, "UNKNOWN")),
    ("before anything was registered", a_run(5, seconds(-7200)), (None, "UNKNOWN")),
    ("registered after the run: the clocks disagree", a_run(6, seconds(-1)), (5, "UNKNOWN")),
    ("registered within the second that CloudTrail tells", a_run(6, seconds(-0.5), exact=False), (6, "LATEST")),
    ("or not yet in that second", a_run(5, seconds(-0.5), exact=False), (5, "LATEST")),
]


@pytest.mark.parametrize(("run", "expected"), [case[1:] for case in JUDGED], ids=[case[0] for case in JUDGED])
def test_a_run_is_judged_at_its_moment(run, expected):
    assert judge(run, registered(seconds(-3600), FIVE)) == expected


def test_one_that_was_deregistered_by_then_is_not_the_latest():
    table = registered(seconds(-3600), seconds(-1800))
    table.loc[1, ["deregistered_at", "status"]] = [seconds(-60), "INACTIVE"]
    assert judge(a_run(6, seconds(1)), table) == (5, "STALE")


def test_both_sources_of_one_task_make_one_row(accepted):
    found = merge([of_task(read_task(a_task()), "nightly")], of_call(read(accepted), "nightly"))
    assert len(found) == 1
    assert found[0].source == "ECS + CloudTrail"
    assert found[0].time == seconds(12.25)
    assert str(found[0].requested) == "nightly"
    assert found[0].role == ROLE
    assert (found[0].status, found[0].exit_code) == ("STOPPED", 0)


def test_one_task_in_two_records_is_one_row_of_cloudtrail(accepted):
    found = merge([], [*of_call(read(accepted), "nightly"), *of_call(read(accepted), "nightly")])
    assert [(run.source, run.status) for run in found] == [("CloudTrail", "ACCEPTED")]


def test_rows_of_unknown_time_come_first_and_break_nothing(accepted):
    accepted |= {"eventTime": None, "responseElements": None}
    unknown = of_call(read(accepted), "nightly")
    found = merge([of_task(read_task(a_task()), "nightly")], unknown + unknown)
    assert [run.time for run in found] == [None, None, seconds(12.25)]


class Aws:
    """ECS, EventBridge and CloudTrail in one, with the shapes of their answers."""

    def __init__(self, *, tasks=(), records=(), rules=(), refuse=(), state="ENABLED", definition="nightly", role=ROLE):
        self.tasks, self.records, self.refuse, self.state = list(tasks), list(records), refuse, state
        self.rules = {"nightly": (definition, role), **dict(rules)}

    def __getattr__(self, operation):
        answer = {
            "describe_rule": self._rule,
            "list_rules": self._rules,
            "list_rule_names_by_target": lambda **_: {"RuleNames": list(self.rules)},
            "list_targets_by_rule": self._targets,
            "list_tasks": self._list_tasks,
            "describe_tasks": lambda tasks, **_: {"tasks": [task for task in self.tasks if task["taskArn"] in tasks]},
            "list_task_definitions": self._list_definitions,
            "describe_task_definition": self._definition,
            "lookup_events": lambda **_: {
                "Events": [{"EventId": "e", "CloudTrailEvent": json.dumps(record)} for record in self.records]
            },
        }[operation]

        def call(**parameters):
            if operation in self.refuse:
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, operation)
            return answer(**parameters)

        return call

    def _rule(self, Name):
        if Name not in self.rules:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "DescribeRule")
        return {"Name": Name, "Arn": f"arn:{Name}", "ScheduleExpression": "cron(0 17 * * ? *)", "State": self.state}

    def _rules(self, NamePrefix=""):
        return {"Rules": [self._rule(name) for name in self.rules if name.startswith(NamePrefix)]}

    def _targets(self, Rule):
        definition, role = self.rules[Rule]
        if not definition:
            return {"Targets": [{"Id": "f", "Arn": "arn:aws:lambda:eu-west-1:111122223333:function:f"}]}
        parameters = {"TaskDefinitionArn": f"{ARN}/{definition}"}
        return {"Targets": [{"Id": "t", "Arn": CLUSTER, "RoleArn": role, "EcsParameters": parameters}]}

    def _list_tasks(self, cluster, desiredStatus, family):
        assert (cluster, family) == (CLUSTER, "nightly")
        stopped = desiredStatus == "STOPPED"
        return {"taskArns": [task["taskArn"] for task in self.tasks if (task["lastStatus"] == "STOPPED") == stopped]}

    def _list_definitions(self, familyPrefix, status, sort):
        assert sort == "DESC"
        active = status == "ACTIVE" and familyPrefix == "nightly"
        return {"taskDefinitionArns": [f"{ARN}/nightly:6", f"{ARN}/nightly:5"] if active else []}

    def _definition(self, taskDefinition):
        times = {f"{ARN}/nightly:5": seconds(-7200), f"{ARN}/nightly:6": seconds(-3)}
        return {"taskDefinition": {"registeredAt": times[taskDefinition], "status": "ACTIVE", "registeredBy": "kim"}}


def asked(aws, rule="nightly"):
    return runs(rule, since=SINCE, until=UNTIL, ecs=aws, events=aws, cloudtrail=aws, pace=LOCAL_PACE)


def test_a_run_seen_by_both_sources_fills_every_column(accepted):
    table = asked(Aws(tasks=[a_task()], records=[accepted]))
    assert list(table.columns) == RUN_COLUMNS
    assert table.iloc[0].to_dict() == {
        "time": pd.Timestamp(seconds(12.25)),
        "schedule": "nightly",
        "run": TASK.rpartition("/")[2],
        "attempt": 1,
        "requested": "nightly",
        "executed": 6,
        "latest": 6,
        "state": "LATEST",
        "launch_type": "FARGATE",
        "status": "STOPPED",
        "exit_code": 0,
        "error": "",
        "source": "ECS + CloudTrail",
        "task": TASK,
        "role": ROLE,
    }


def test_while_cloudtrail_is_silent_ecs_alone_makes_the_row():
    table = asked(Aws(tasks=[a_task()]))
    assert table[["source", "requested", "state", "role"]].values.tolist() == [["ECS", "", "LATEST", ""]]


def test_when_ecs_has_forgotten_cloudtrail_alone_makes_the_row_and_nobody_knows_how_it_ended(accepted):
    table = asked(Aws(records=[accepted]))
    assert table[["source", "status", "state"]].values.tolist() == [["CloudTrail", "ACCEPTED", "LATEST"]]
    assert table["exit_code"].isna().all()


def test_a_denied_call_is_a_row_in_which_nothing_ran(denied):
    table = asked(Aws(records=[denied]))
    assert table[["schedule", "status", "state"]].values.tolist() == [["nightly", "REFUSED", ""]]
    assert table[["run", "attempt"]].values.tolist() == [[denied["eventID"], 1]]
    assert table["executed"].isna().all()
    assert table.loc[0, "error"].startswith(
        "AccessDenied: User: arn:aws:sts::111122223333:assumed-role/nightly-schedule/"
    )


def test_a_failure_with_http_200_is_a_row_in_which_nothing_ran(failed):
    table = asked(Aws(records=[failed]))
    assert table[["status", "state", "requested"]].values.tolist() == [["FAILED TO START", "", "nightly"]]
    assert table.loc[0, "error"].startswith("Capacity is unavailable at this time.")


def test_runs_of_other_rules_are_left_out(accepted):
    accepted["requestParameters"]["startedBy"] = "events-rule/weekly"
    table = asked(Aws(tasks=[a_task(started="events-rule/weekly"), a_task(arn="x", started="")], records=[accepted]))
    assert table.empty


def test_tasks_outside_the_time_are_left_out():
    assert asked(Aws(tasks=[a_task(created=SINCE - timedelta(seconds=1))])).empty


def test_a_young_revision_that_was_not_taken_yet_is_stale_with_its_reason():
    table = asked(Aws(tasks=[a_task(5)]))
    assert list(table["state"]) == ["STALE"]
    assert table.attrs["notes"][TASK] == (
        "revision 6 was registered 15 s before; ECS is eventually consistent, and AWS does not say how long a new"
        " revision can take to be seen"
    )


def test_a_pinned_target_is_the_reason_rather_than_its_youth(accepted):
    accepted["requestParameters"]["taskDefinition"] = f"{ARN}/nightly:5"
    accepted["responseElements"]["tasks"][0]["taskDefinitionArn"] = f"{ARN}/nightly:5"
    table = asked(Aws(tasks=[a_task(5)], records=[accepted], definition="nightly:5"))
    assert table.attrs["notes"][TASK] == "asked for nightly:5, a fixed revision"
    ecs_alone = asked(Aws(tasks=[a_task(5)], definition="nightly:5"))
    assert ecs_alone.attrs["notes"][TASK] == "its target names nightly:5, a fixed revision"


def test_an_empty_table_keeps_its_columns_and_says_why_it_may_be_empty():
    table = asked(Aws(state="DISABLED"))
    assert table.empty
    assert list(table.columns) == RUN_COLUMNS
    assert table.dtypes.equals(empty().dtypes)
    for reason in ("rule nightly is disabled", "ECS forgets", "CloudTrail writes a call down after minutes"):
        assert reason in table.attrs["because"]


def test_a_source_that_does_not_answer_is_told_of_and_the_other_counts():
    table = asked(Aws(tasks=[a_task()], refuse=["lookup_events"]))
    assert list(table["source"]) == ["ECS"]
    answers = {one["source"]: one for one in table.attrs["asked"]}
    assert not answers["CloudTrail"]["answered"]
    assert "cloudtrail:LookupEvents was refused: AccessDeniedException: no" in answers["CloudTrail"]["answer"]
    assert answers["ECS"] == {
        "source": "ECS",
        "answered": True,
        "answer": "remembers 1 tasks of nightly in that time",
        "calls": 3,
    }


def test_with_no_source_at_all_the_empty_table_says_so():
    table = asked(Aws(refuse=["lookup_events", "list_tasks"]))
    assert "ECS did not answer (ecs:ListTasks was refused" in table.attrs["because"]
    assert "CloudTrail did not answer (cloudtrail:LookupEvents was refused" in table.attrs["because"]


def test_without_revisions_every_run_is_unknown():
    table = asked(Aws(tasks=[a_task()], refuse=["list_task_definitions"]))
    assert list(table["state"]) == ["UNKNOWN"]


def test_rivals_that_cannot_be_listed_make_a_run_ambiguous(denied):
    table = asked(Aws(records=[denied], refuse=["list_rule_names_by_target"]))
    why = "events:ListRuleNamesByTarget: AccessDeniedException"
    assert list(table["schedule"]) == [f"ambiguous: nightly or a rule that could not be listed ({why})"]


def test_a_rival_of_the_same_role_is_found_and_named(denied):
    denied["errorMessage"] = "TaskDefinition not found."
    table = asked(Aws(records=[denied], rules={"weekly": ("weekly", ROLE), "other": ("other", "another-role")}))
    assert list(table["schedule"]) == ["ambiguous: nightly or weekly"]
    assert "could be taken for it: weekly" in table.attrs["asked"][0]["answer"]


def test_a_standing_drill_of_the_rule_is_no_rival(denied):
    table = asked(Aws(records=[denied], rules={"ecsrb-2a3b62b5-0a1b2c3d": ("nightly", ROLE)}))
    assert list(table["schedule"]) == ["nightly"]


def test_the_raw_records_are_there_for_the_receipt_without_any_value_of_the_environment(accepted):
    table = asked(Aws(tasks=[a_task()], records=[accepted]))
    written = json.dumps(table.attrs)
    assert TASK in written
    assert "shy" not in written
    assert table.attrs["records"]["ECS"][0]["overrides"]["containerOverrides"][0]["environment"] == [
        {"name": "TOKEN", "value": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    ]


def test_an_unknown_rule_is_named_with_the_nearest():
    with pytest.raises(EvidenceError) as unknown:
        asked(Aws(), "nigthly")
    assert str(unknown.value) == "rule = 'nigthly': there is no such rule on the default bus. Nearest: nightly."


def test_a_rule_that_runs_no_task_is_refused():
    with pytest.raises(EvidenceError) as refused:
        asked(Aws(rules={"lambda": ("", "")}), "lambda")
    assert "rule = 'lambda': none of its targets runs an ECS task." in str(refused.value)


def test_a_rule_that_may_not_be_read_is_awss_refusal():
    with pytest.raises(AwsError) as refused:
        asked(Aws(refuse=["describe_rule"]))
    assert refused.value.code == "AccessDeniedException"
    assert refused.value.hint == "The caller needs events:DescribeRule."
