"""What CloudTrail's records tell of changes to rules, schedules and targets."""

import pytest
from made_up import a_row, a_target, at

from ecs_runbook.inventory.changes import Change, of_row, read, spans

OWNER = ("default", "nightly")
WHEN = "2026-11-24T17:00:12Z"


def told(name, asked=None, **more):
    return read({"eventName": name, "eventTime": WHEN, "requestParameters": asked, **more})


READ = {
    "a rule that is put": (
        ("PutRule", {"name": "nightly", "scheduleExpression": "rate(1 day)", "state": "ENABLED"}),
        {"owner": OWNER, "expression": "rate(1 day)", "enabled": True},
    ),
    "a state that is left out is enabled": (
        ("PutRule", {"name": "nightly", "scheduleExpression": "rate(1 day)"}),
        {"owner": OWNER, "expression": "rate(1 day)", "enabled": True},
    ),
    "an expression that is left out is none": (
        ("PutRule", {"name": "nightly", "eventPattern": "{}"}),
        {"owner": OWNER, "expression": "", "enabled": True},
    ),
    "in the API's own casing": (
        ("PutRule", {"Name": "nightly", "ScheduleExpression": "rate(1 day)", "State": "DISABLED"}),
        {"owner": OWNER, "expression": "rate(1 day)", "enabled": False},
    ),
    "on another bus": (
        ("DisableRule", {"name": "nightly", "eventBusName": "orders"}),
        {"owner": ("orders", "nightly"), "enabled": False},
    ),
    "on a bus that is named by its ARN": (
        ("EnableRule", {"name": "nightly", "eventBusName": "arn:aws:events:eu-west-1:111122223333:event-bus/orders"}),
        {"owner": ("orders", "nightly"), "enabled": True},
    ),
    "targets that are put": (
        ("PutTargets", {"rule": "nightly", "targets": [{"id": "a", "arn": "x"}, {"Id": "b"}]}),
        {"owner": OWNER, "targets": ("a", "b"), "there": True},
    ),
    "targets that are removed": (
        ("RemoveTargets", {"rule": "nightly", "ids": ["a"]}),
        {"owner": OWNER, "targets": ("a",), "there": False},
    ),
    "targets that are not told": (
        ("PutTargets", {"rule": "nightly"}),
        {"owner": OWNER, "targets": ("",), "there": True},
    ),
    "a schedule that is made": (
        ("CreateSchedule", {"name": "n", "groupName": "batch", "scheduleExpression": "at(2026-11-24T17:00:00)"}),
        {"owner": ("schedule", "batch", "n"), "expression": "at(2026-11-24T17:00:00)", "enabled": True, "there": True,
         "began": True},
    ),
    "a schedule that is changed": (
        ("UpdateSchedule", {"name": "n", "scheduleExpression": "rate(1 day)", "state": "DISABLED"}),
        {"owner": ("schedule", "default", "n"), "expression": "rate(1 day)", "enabled": False},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("record", "expected"), READ.values(), ids=READ)
def test_a_record_tells_of_a_change(record, expected):
    assert told(*record) == Change(at("24 17:00:12"), **expected)


@pytest.mark.parametrize(
    "record",
    [
        None,
        "text",
        {"eventName": "PutRule"},
        {"eventName": "PutRule", "eventTime": "soon"},
        {"eventName": "ListRules", "eventTime": WHEN},
        {"eventName": "PutRule", "eventTime": WHEN, "errorCode": "AccessDenied", "requestParameters": {"name": "n"}},
        {"eventName": "PutRule", "eventTime": WHEN, "errorMessage": "no"},
    ],
)
def test_a_record_that_tells_of_none(record):
    assert read(record) is None


def test_a_change_without_parameters_is_nobodys():
    for name in ("PutRule", "EnableRule", "PutTargets", "RemoveTargets", "UpdateSchedule"):
        change = told(name)
        assert change is not None
        assert of_row(a_row(), [change]) == []


def test_a_change_of_one_target_is_not_the_other_ones():
    row = a_row(targets=[a_target(id="a"), a_target(id="b")], target=1)
    changes = [told("RemoveTargets", {"rule": "nightly", "ids": [one]}) for one in ("a", "b")]
    assert of_row(row, changes) == changes[1:]


def test_what_scheduler_itself_tells_of_a_schedule_counts():
    row = a_row(zone="UTC", created=at("20 00:00"), changed=at("22 00:00"))
    assert [(one.time, one.began) for one in of_row(row, [])] == [(at("20 00:00"), True), (at("22 00:00"), False)]
    # it changed: before that it is known only by its runs
    assert [(one.start, one.known) for one in spans(row, of_row(row, []), at("21 00:00"), at("23 00:00"))] == [
        (at("21 00:00"), False),
        (at("22 00:00"), True),
    ]


def test_where_nothing_changed_it_was_as_it_is():
    (span,) = spans(a_row(), [], at("21 00:00"), at("23 00:00"))
    assert (span.start, span.end, span.expression, span.known) == (
        at("21 00:00"),
        at("23 00:00"),
        "cron(0 17 * * ? *)",
        True,
    )
    assert (span.sure_from, span.sure_to) == (span.start, span.end)
    assert spans(a_row(enabled=False), [], at("21 00:00"), at("23 00:00")) == []
    assert spans(a_row("", pattern="{}"), [], at("21 00:00"), at("23 00:00")) == []


def test_a_change_at_the_very_beginning_leaves_nothing_before_it():
    change = Change(at("21 00:00"), OWNER, "cron(0 17 * * ? *)", enabled=True)
    (span,) = spans(a_row(), [change], at("21 00:00"), at("23 00:00"))
    assert (span.start, span.known, span.changed) == (at("21 00:00"), True, True)
