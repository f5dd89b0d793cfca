"""Whose run it was, among all rules and schedules of an account."""

import pytest

from ecs_runbook.evidence.attribution import of_call
from ecs_runbook.evidence.owners import Everyone
from ecs_runbook.firing.calls import read
from ecs_runbook.firing.rules import Rule, Target
from ecs_runbook.firing.schedules import Schedule

ROLE = "arn:aws:iam::111122223333:role/nightly-schedule"
CLUSTER = "arn:aws:ecs:eu-west-1:111122223333:cluster/batch"
ARN = "arn:aws:ecs:eu-west-1:111122223333:task-definition"


def a_rule(name, family, expression="cron(0 17 * * ? *)"):
    return Rule(name, f"arn:{name}", expression, True, (Target("t", CLUSTER, ROLE, f"{ARN}/{family}"),))


def a_schedule(name, family, expression, zone="UTC"):
    targets = (Target("target", CLUSTER, ROLE, f"{ARN}/{family}"),)
    return Schedule(name, f"arn:{name}", expression, True, targets, zone=zone)


ALL = Everyone(
    [
        a_rule("nightly", "nightly"),
        a_rule("report", "report"),
        a_rule("hourly", "hourly", "rate(1 hour)"),
        a_schedule("once", "nightly", "at(2026-11-24T18:00:00)", "Europe/Berlin"),
        a_schedule("later", "nightly", "cron(0 20 * * ? *)"),
    ]
)


def test_a_refusal_that_names_a_family_is_of_those_that_run_it(denied):
    traces = of_call(read(denied))
    assert [one.name for one in ALL.left(traces)] == ["nightly"]
    assert ALL.whose(traces) == "nightly"


def test_a_refusal_that_names_the_role_alone_is_of_all_that_may_be_due(denied):
    denied["errorMessage"] = "User: … is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/task"
    traces = of_call(read(denied))
    assert [one.name for one in ALL.left(traces)] == ["nightly", "report", "hourly"]
    assert ALL.whose(traces) == "ambiguous: nightly or report or hourly"


def test_one_that_runs_once_is_told_by_its_minute_in_its_zone(denied):
    denied["userIdentity"].pop("invokedBy")
    denied |= {"sourceIPAddress": "203.0.113.7", "userAgent": "AmazonEventBridgeScheduler"}
    assert ALL.whose(of_call(read(denied))) == "default/once"


@pytest.mark.parametrize(
    ("started_by", "drill", "whose"),
    [
        ("events-rule/ecsrb-2a3b62b5-0a1b2c3d", True, "nightly (drill)"),  # sha256 of "nightly" begins with 2a3b62b5
        ("events-rule/ecsrb-00000000-0a1b2c3d", True, "ecsrb-00000000-0a1b2c3d (drill)"),
        ("events-rule/nightly", False, "nightly"),
        ("events-rule/gone", False, "gone"),
        ("ecs-svc/1", False, ""),
    ],
)
def test_a_drill_is_nobodys_own_run(accepted, started_by, drill, whose):
    accepted["requestParameters"]["startedBy"] = started_by
    traces = of_call(read(accepted))
    assert (ALL.is_drill(traces), ALL.whose(traces)) == (drill, whose)
    assert [one.name for one in ALL.left(traces)] == (["nightly"] if whose == "nightly" else [])
