"""The steps on the way are judged by what came of them."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from ecs_runbook.evidence.remains import REMAINS_COLUMNS
from ecs_runbook.evidence.revisions import frame
from ecs_runbook.firing.fired import Fired
from ecs_runbook.firing.revision import Registered
from ecs_runbook.terraform.messages import Change
from ecs_runbook.terraform.run import Applied, Plan
from ecs_runbook.verdicts.steps import (
    judge_applied,
    judge_fired,
    judge_gone,
    judge_plan,
    judge_registered,
    judge_schedule,
)
from ecs_runbook.wanted.schedule import next_runs
from ecs_runbook.wanted.spec import spec

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ARN = "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly"


def nightly(schedule):
    return spec(
        name="nightly", image="busybox", schedule=schedule, timezone="Europe/Berlin", subnets=["subnet-0a1b2c3d"]
    )


def statuses(checks):
    return {check.id: check.status for check in checks}


def revision(number, *, at=NOON, status="ACTIVE", deregistered=None):
    return {
        "family": "nightly",
        "revision": number,
        "arn": f"{ARN}:{number}",
        "registered_at": at,
        "deregistered_at": deregistered,
        "status": status,
        "registered_by": "",
    }


def test_a_schedule_says_when_it_runs_next_in_both_zones():
    upcoming = next_runs("cron(0 17 * * ? *)", after=NOON, zone="Europe/Berlin")
    (check,) = judge_schedule(nightly("cron(0 17 * * ? *)"), upcoming)
    assert (check.status, check.because) == ("OK", "next at 2026-11-24 17:00 UTC, 18:00 in Europe/Berlin")


def test_a_schedule_that_never_fires_again_is_not_good():
    (check,) = judge_schedule(
        nightly("cron(0 17 * * ? 2020)"), next_runs("cron(0 17 * * ? 2020)", after=NOON, zone="UTC")
    )
    assert (check.status, check.because) == ("NG", "cron(0 17 * * ? 2020) never fires again")


def test_a_plan_that_creates_is_good():
    plan = Plan(False, (Change("create", "aws_iam_role.x", "aws_iam_role"),))
    assert statuses(judge_plan(plan, "nightly")) == {"plan-made": "OK", "plan-keeps": "OK"}


def test_a_new_revision_in_place_of_the_old_destroys_nothing():
    plan = Plan(False, (Change("replace", "aws_ecs_task_definition.this", "aws_ecs_task_definition"),))
    assert statuses(judge_plan(plan, "nightly"))["plan-keeps"] == "OK"


@pytest.mark.parametrize("action", ["destroy", "replace"])
def test_a_plan_that_destroys_is_named(action):
    plan = Plan(False, (Change(action, "aws_sqs_queue.dead_letter", "aws_sqs_queue"),))
    kept = judge_plan(plan, "nightly")[1]
    assert (kept.status, kept.because) == ("NG", "it would destroy aws_sqs_queue.dead_letter")


def test_an_apply_is_good_when_the_next_plan_is_empty():
    done = Applied((Change("create", "aws_iam_role.x", "aws_iam_role"),), {})
    assert statuses(judge_applied(done, Plan(True, ()), "nightly")) == {"applied": "OK", "plan-empty": "OK"}


def test_an_apply_is_not_good_while_something_is_still_to_do():
    after = Plan(False, (Change("change", "aws_iam_role.x", "aws_iam_role"),))
    check = judge_applied(Applied((), {}), after, "nightly")[1]
    assert (check.status, check.because) == ("NG", "the next plan still has 1 to change: aws_iam_role.x")


def test_a_registration_is_good_when_it_is_the_latest_and_the_others_stay():
    before, after = frame([revision(1)]), frame([revision(1), revision(2)])
    checks = judge_registered(Registered("nightly", 2, f"{ARN}:2"), before, after)
    assert statuses(checks) == {"revision-registered": "OK", "revisions-kept": "OK"}


def test_a_registration_that_somebody_overtook_is_not_good():
    after = frame([revision(1), revision(2), revision(3)])
    checks = judge_registered(Registered("nightly", 2, f"{ARN}:2"), frame([revision(1)]), after)
    assert statuses(checks)["revision-registered"] == "NG"


def test_a_revision_that_went_away_meanwhile_is_named():
    before = frame([revision(1)])
    after = frame([revision(1, status="INACTIVE", deregistered=NOON), revision(2)])
    kept = judge_registered(Registered("nightly", 2, f"{ARN}:2"), before, after)[1]
    assert (kept.status, kept.because) == ("NG", "no longer ACTIVE: revision 1")


def fired(**changes):
    facts = {
        "rule": "nightly",
        "drill_rule": "ecsrb-2a3b62b5-0a1b2c3d",
        "sent_at": datetime(2026, 11, 24, 13, tzinfo=UTC),
        "event_ids": ("1",),
        "tasks": ("arn:task",),
        "requested": "nightly",
        "executed": 2,
        "status": "STOPPED",
        "exit_code": 0,
        "refused_code": "",
        "refused_message": "",
        "error": "",
        "hint": "",
        "dry_command": None,
        "seconds": 3.0,
        "calls": 9,
    }
    return Fired(**facts | changes)


KNOWN = frame([revision(1), revision(2)])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"drill-started": "OK", "drill-latest": "OK", "drill-succeeded": "OK", "drill-cleared": "OK"}),
        ({"executed": 1}, {"drill-latest": "NG"}),
        ({"executed": None}, {"drill-latest": "SKIP"}),
        ({"exit_code": 3}, {"drill-succeeded": "NG"}),
        ({"exit_code": None}, {"drill-succeeded": "NG"}),
        ({"error": "UserInitiated: Task stopped by user"}, {"drill-succeeded": "NG"}),
        ({"status": "RUNNING", "exit_code": None}, {"drill-succeeded": "SKIP"}),
        ({"left_behind": "ecsrb-2a3b62b5-0a1b2c3d"}, {"drill-cleared": "NG"}),
        ({"tasks": (), "executed": None, "status": "REFUSED", "refused_code": "AccessDenied"}, {"drill-started": "NG"}),
        ({"tasks": (), "executed": None, "status": "NOTHING SEEN"}, {"drill-started": "SKIP"}),
    ],
)
def test_a_drill_is_judged_by_what_came_of_it(changes, expected):
    assert expected.items() <= statuses(judge_fired(fired(**changes), KNOWN)).items()


def test_a_deploy_after_the_drill_does_not_make_it_stale():
    later = frame([revision(1), revision(2), revision(3, at=datetime(2026, 11, 24, 14, tzinfo=UTC))])
    assert statuses(judge_fired(fired(), later))["drill-latest"] == "OK"


def test_a_refusal_is_told_in_awss_own_words():
    refused = fired(
        tasks=(),
        executed=None,
        status="REFUSED",
        refused_code="InvalidParameterException",
        refused_message="Assign public IP is not supported for this launch type.",
    )
    because = judge_fired(refused, KNOWN)[0].because
    assert because == "InvalidParameterException: Assign public IP is not supported for this launch type."


@pytest.mark.parametrize(("there", "status"), [("no", "OK"), ("unknown", "SKIP"), ("yes", "NG")])
def test_what_is_left_decides_whether_it_is_gone(there, status):
    left = pd.DataFrame([("aws_iam_role", "nightly-schedule", there, "")], columns=REMAINS_COLUMNS)
    (check,) = judge_gone(left, "nightly")
    assert check.status == status
    assert status == "OK" or "aws_iam_role nightly-schedule" in check.because
