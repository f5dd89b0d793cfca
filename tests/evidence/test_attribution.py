"""Whose run was it."""

import json

import pytest

from ecs_runbook.evidence.attribution import of_call, whose
from ecs_runbook.firing.calls import read
from ecs_runbook.firing.rules import Rule, Target

ROLE = "arn:aws:iam::111122223333:role/nightly-schedule"
CLUSTER = "arn:aws:ecs:eu-west-1:111122223333:cluster/batch"
ARN = "arn:aws:ecs:eu-west-1:111122223333:task-definition"


def a_rule(name="nightly", *, at="0 17 * * ? *", role=ROLE, cluster=CLUSTER, definition="nightly"):
    target = Target("t", cluster, role, f"{ARN}/{definition}")
    return Rule(name, f"arn:aws:events:eu-west-1:111122223333:rule/{name}", f"cron({at})", True, (target,))


def answer(record, mine, *rivals):
    return whose(of_call(read(record)), mine, rivals)


def test_started_by_names_the_rule(accepted):
    assert answer(accepted, a_rule()) == "nightly"


def test_another_started_by_is_not_ours_whatever_else_agrees(accepted):
    accepted["requestParameters"]["startedBy"] = "events-rule/nightly2"
    assert answer(accepted, a_rule()) == ""


def test_a_drill_belongs_to_its_rule_and_says_so(accepted):
    # sha256 of "nightly" begins with 2a3b62b5
    accepted["requestParameters"]["startedBy"] = "events-rule/ecsrb-2a3b62b5-0a1b2c3d"
    assert answer(accepted, a_rule()) == "nightly (drill)"


def test_the_drill_of_another_rule_is_not_ours(accepted):
    accepted["requestParameters"]["startedBy"] = "events-rule/ecsrb-00000000-0a1b2c3d"
    assert answer(accepted, a_rule()) == ""


LONG, TWIN = "report-of-the-whole-company-daily", "report-of-the-whole-company-weekly"
CUT = "events-rule/report-of-the-whole-comp"
COLLISIONS = [
    ("role", {"role": "arn:aws:iam::111122223333:role/other"}, LONG),
    ("cluster", {"cluster": CLUSTER.replace("batch", "web")}, LONG),
    ("family", {"definition": "weekly"}, LONG),
    ("revision asked for", {"definition": "nightly:6"}, LONG),
    ("minute", {"at": "30 17 * * ? *"}, LONG),
    ("nothing", {}, f"ambiguous: {LONG} or {TWIN}"),
]


@pytest.mark.parametrize(
    ("other", "expected"), [case[1:] for case in COLLISIONS], ids=[f"told by {case[0]}" for case in COLLISIONS]
)
def test_two_rules_of_one_started_by_are_told_apart_or_called_ambiguous(accepted, other, expected):
    assert len(CUT) == 36
    accepted["requestParameters"]["startedBy"] = CUT
    mine, twin = a_rule(LONG), a_rule(TWIN, **other)
    assert answer(accepted, mine, twin) == expected


def with_command(name, *command, **raw):
    overrides = {"containerOverrides": [{"name": "main", "command": list(command)}]}
    given = {"Input": json.dumps(overrides)} if command else {}
    target = Target("t", CLUSTER, ROLE, f"{ARN}/nightly", given | {"Id": "t"} | raw)
    return Rule(name, "", "cron(0 17 * * ? *)", True, (target,))


@pytest.mark.parametrize(
    ("twin", "expected"),
    [
        (with_command(TWIN, "report", "weekly"), LONG),
        (with_command(TWIN), LONG),
        (with_command(TWIN, "report", "daily"), f"ambiguous: {LONG} or {TWIN}"),
        (with_command(TWIN, InputPath="$.detail"), f"ambiguous: {LONG} or {TWIN}"),
        (with_command(TWIN, Input="no JSON"), f"ambiguous: {LONG} or {TWIN}"),
    ],
    ids=["another command", "no command", "the same command", "made of each event", "unreadable"],
)
def test_two_rules_of_one_started_by_may_be_told_apart_by_what_they_run(accepted, twin, expected):
    accepted["requestParameters"]["startedBy"] = CUT
    overrides = accepted["requestParameters"]["overrides"]["containerOverrides"][0]
    overrides["command"] = ["report", "daily"]
    assert answer(accepted, with_command(LONG, "report", "daily"), twin) == expected


def test_a_record_without_a_command_tells_nothing_apart_by_it(accepted):
    accepted["requestParameters"]["startedBy"] = CUT
    twins = with_command(LONG, "report", "daily"), with_command(TWIN, "report", "weekly")
    assert answer(accepted, *twins) == f"ambiguous: {LONG} or {TWIN}"


def test_the_same_collision_seen_from_the_twin_is_not_its_run(accepted):
    accepted["requestParameters"]["startedBy"] = CUT
    assert answer(accepted, a_rule(TWIN, definition="weekly"), a_rule(LONG)) == ""


def test_a_rate_that_could_be_due_any_minute_leaves_it_ambiguous(accepted):
    accepted["requestParameters"]["startedBy"] = CUT
    hourly = Rule(TWIN, "", "rate(1 hour)", True, a_rule().targets)
    assert answer(accepted, a_rule(LONG), hourly) == f"ambiguous: {LONG} or {TWIN}"


def test_targets_changed_since_leave_it_ambiguous(accepted):
    accepted["requestParameters"]["startedBy"] = CUT
    mine, twin = a_rule(LONG, definition="new"), a_rule(TWIN, definition="newer")
    assert answer(accepted, mine, twin) == f"ambiguous: {LONG} or {TWIN}"


def test_a_denied_call_in_the_minute_of_the_schedule_is_the_schedules(denied):
    assert answer(denied, a_rule()) == "nightly"


def test_a_denied_call_in_another_minute_is_a_drill_or_a_retry(denied):
    denied["eventTime"] = "2026-11-24T09:31:00Z"
    assert answer(denied, a_rule()) == "nightly (drill or retry)"


def test_a_denied_call_of_a_rate_does_not_say_which(denied):
    rate = Rule("nightly", "", "rate(5 minutes)", True, a_rule().targets)
    assert answer(denied, rate) == "nightly (schedule or drill)"


def test_a_denied_call_of_another_role_or_family_is_not_ours(denied):
    assert answer(denied, a_rule(role=ROLE + "2")) == ""
    assert answer(denied, a_rule(definition="weekly")) == ""


def test_a_denied_call_of_a_person_in_that_role_is_not_ours(denied):
    del denied["userIdentity"]["invokedBy"]
    denied["sourceIPAddress"], denied["userAgent"] = "203.0.113.7", "aws-cli/2.31.0"
    assert answer(denied, a_rule()) == ""


def test_a_refusal_that_names_no_family_is_told_by_role_alone(denied):
    denied |= {"errorCode": "ClientException", "errorMessage": "TaskDefinition not found."}
    assert answer(denied, a_rule()) == "nightly"
    twin = a_rule("weekly", definition="weekly")
    assert answer(denied, a_rule(), twin) == "ambiguous: nightly or weekly"


def test_two_rules_of_one_role_are_told_apart_by_the_family_in_the_words(denied):
    assert answer(denied, a_rule(), a_rule("weekly", definition="weekly")) == "nightly"


def test_two_rules_of_one_role_and_family_are_told_apart_by_the_minute(denied):
    assert answer(denied, a_rule(), a_rule("late", at="30 17 * * ? *")) == "nightly"
    assert answer(denied, a_rule(), a_rule("early")) == "ambiguous: nightly or early"


def test_a_call_without_a_time_cannot_be_told_by_the_minute(denied):
    denied["eventTime"] = None
    assert answer(denied, a_rule(), a_rule("late", at="30 17 * * ? *")) == "ambiguous: nightly or late"
