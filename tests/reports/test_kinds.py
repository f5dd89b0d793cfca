"""The section of 10_generate that shows one spec as each kind would have it."""

import re
from datetime import UTC, datetime

from ecs_runbook.reports.kinds import side_by_side
from ecs_runbook.wanted.spec import spec

WINTER = datetime(2026, 11, 24, tzinfo=UTC)


def shown(**fields):
    wanted = spec(**({"name": "nightly", "image": "busybox", "subnets": ["subnet-0123456789abcdef0"]} | fields))
    return side_by_side(wanted, after=WINTER)


def row(told, name):
    line = next(line for line in told.text.splitlines() if line.startswith(f"{name} | "))
    return line.split(" | ")[1:]


def test_the_readers_own_expression_stands_as_rule_and_as_schedule():
    told = shown(schedule="cron(0 17 * * ? *)", timezone="Asia/Tokyo")
    there = "cron(0 2 * * ? *) in Asia/Tokyo"
    assert row(told, "written") == ["cron(0 17 * * ? *)", there, there]
    assert row(told, "the next run") == ["2026-11-24 17:00 UTC"] * 3
    assert "rule of EventBridge (as asked)" in told.html


def test_what_a_rule_cannot_have_is_said():
    told = shown(kind="schedule", schedule="at(2026-12-24T18:00:00)", timezone="Asia/Tokyo")
    assert row(told, "written")[0] == "not at all: a rule runs nothing once"
    assert row(told, "the next run") == ["—", "2026-12-24 09:00 UTC", "2026-12-24 09:00 UTC"]
    assert "A rule cannot have these times: a rule runs nothing once." in told.text


def test_what_stays_in_utc_is_said():
    told = shown(schedule="cron(0 17 ? * 2#1 *)", timezone="Asia/Tokyo")
    assert "As a schedule it would stay in UTC too, and run when the rule does: 17:00 UTC is on the day" in told.text


def test_of_want_of_capacity_nothing_is_promised_that_is_not_known():
    lost, _, again = row(shown(kind="state_machine", schedule="rate(1 day)", start_retries=7), "ECS has no capacity")
    assert "is not verified" in lost
    assert again == "tried again 7 times by the machine"


def test_where_clocks_change_both_are_shown():
    told = shown(schedule="cron(0 17 * * ? *)", timezone="Europe/Berlin")
    assert "it stays 18:00 in Europe/Berlin" in told.html
    assert "<td>2027-03-28 17:00</td><td>2027-03-28 16:00</td>" in told.html


def test_what_a_state_machine_was_asked_for_is_told():
    told = shown(
        kind="state_machine", schedule="rate(1 minute)", retry_exit_codes=[3], notify="new", heartbeat_seconds=300
    )
    assert row(told, "it ended with an error")[2] == "run again after exit code 3, 2 times; a new topic is told"
    assert row(told, "it hangs")[2] == "it is stopped after 60 minutes, or 5 minutes without a heartbeat"
    costs = "129,600 state transitions: $3.14 where a thousand cost $0.025"  # (43,200 * 3 - 4,000) / 1,000 * 0.025
    assert costs in row(told, "without the task itself it costs")[2]


def test_nothing_of_a_spec_becomes_markup():
    told = shown(schedule="rate(1 day)", description="<script>x</script>")
    assert "<script>" not in re.sub("<style>.*?</style>", "", told.html, flags=re.DOTALL)
