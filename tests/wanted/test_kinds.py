"""One spec as a rule and as a schedule: how its times are written, and when it runs."""

from datetime import UTC, datetime

import pytest

from ecs_runbook.wanted.kinds import runs_a_month, runs_beside, times, upcoming_runs
from ecs_runbook.wanted.spec import spec

WINTER = datetime(2026, 11, 24, tzinfo=UTC)


def made(**fields):
    return spec(**({"name": "nightly", "image": "busybox", "subnets": ["subnet-0123456789abcdef0"]} | fields))


@pytest.mark.parametrize(
    ("kind", "schedule", "zone", "rule", "other"),
    [
        ("rule", "cron(0 17 * * ? *)", "Asia/Tokyo", "cron(0 17 * * ? *)", ("cron(0 2 * * ? *)", "Asia/Tokyo")),
        ("schedule", "cron(0 2 * * ? *)", "Asia/Tokyo", "cron(0 17 * * ? *)", ("cron(0 2 * * ? *)", "Asia/Tokyo")),
        (
            "state_machine",
            "cron(30 21 ? * FRI *)",
            "America/New_York",
            "cron(30 2 ? * SAT *)",
            ("cron(30 21 ? * FRI *)", "America/New_York"),
        ),
        ("schedule", "cron(0 2 * * ? *)", "UTC", "cron(0 2 * * ? *)", ("cron(0 2 * * ? *)", "UTC")),
        ("rule", "rate(5 minutes)", "Asia/Tokyo", "rate(5 minutes)", ("rate(5 minutes)", "UTC")),
        ("schedule", "rate(5 minutes)", "Asia/Tokyo", "rate(5 minutes)", ("rate(5 minutes)", "UTC")),
        ("schedule", "at(2026-12-24T18:00:00)", "Asia/Tokyo", "", ("at(2026-12-24T18:00:00)", "Asia/Tokyo")),
        ("schedule", "cron(0 2 ? * 2#1 *)", "Asia/Tokyo", "", ("cron(0 2 ? * 2#1 *)", "Asia/Tokyo")),
    ],
)
def test_the_same_times_are_written_for_a_rule_and_for_a_schedule(kind, schedule, zone, rule, other):
    both = times(made(kind=kind, schedule=schedule, timezone=zone), at=WINTER)
    assert (both.rule, (both.schedule.expression, both.schedule.zone)) == (rule, other)
    assert bool(both.why) == (not rule)


def test_a_rule_that_no_zone_can_say_stays_in_utc_as_a_schedule():
    both = times(made(schedule="cron(0 17 ? * 2#1 *)", timezone="Asia/Tokyo"), at=WINTER)
    assert (both.rule, both.schedule.expression, both.schedule.zone) == (*["cron(0 17 ? * 2#1 *)"] * 2, "UTC")
    assert "17:00 UTC is on the day after in Asia/Tokyo" in both.why


def test_both_run_at_once_until_the_clocks_change():
    beside = runs_beside(made(kind="schedule", schedule="cron(0 18 * * ? *)", timezone="Europe/Berlin"), after=WINTER)
    assert list(beside["rule_utc"].dt.strftime("%m-%d %H:%M")[:3]) == ["11-24 17:00", "11-25 17:00", "11-26 17:00"]
    assert list(beside["schedule_utc"].dt.strftime("%m-%d %H:%M"))[3] == "03-28 16:00"
    assert "it stays 18:00 in Europe/Berlin" in beside["note"].iloc[3]


def test_what_a_rule_cannot_have_has_no_runs_beside():
    assert runs_beside(made(kind="schedule", schedule="at(2026-12-24T18:00:00)"), after=WINTER).empty


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"schedule": "cron(0 2 * * ? *)", "timezone": "Asia/Tokyo"}, ["11-24 02:00", "11-25 02:00"]),
        (
            {"kind": "schedule", "schedule": "cron(0 2 * * ? *)", "timezone": "Asia/Tokyo"},
            ["11-24 17:00", "11-25 17:00"],
        ),
        ({"kind": "schedule", "schedule": "at(2026-12-24T18:00:00)", "timezone": "Asia/Tokyo"}, ["12-24 09:00"]),
        ({"kind": "schedule", "schedule": "at(2026-11-23T18:00:00)"}, []),
        (
            {"kind": "schedule", "schedule": "cron(0 2 * * ? *)", "start_date": "2026-12-01T02:00:00Z"},
            ["12-01 02:00", "12-02 02:00"],
        ),
        (
            {"kind": "schedule", "schedule": "cron(0 2 * * ? *)", "end_date": "2026-11-24T12:00:00Z"},
            ["11-24 02:00"],
        ),
    ],
)
def test_a_schedule_runs_in_its_zone_between_its_dates_and_a_rule_in_utc(fields, expected):
    runs = upcoming_runs(made(**fields), after=WINTER, count=2)
    assert list(runs["utc"].dt.strftime("%m-%d %H:%M")) == expected
    assert list(runs.columns) == ["utc", "local", "utc_offset", "note"]


def test_a_rate_of_scheduler_begins_at_its_first_day_or_at_once():
    dated = made(kind="schedule", schedule="rate(2 hours)", start_date="2026-12-01T00:30:00Z")
    runs = upcoming_runs(dated, after=WINTER, count=2)
    assert list(runs["utc"].dt.strftime("%m-%d %H:%M")) == ["12-01 00:30", "12-01 02:30"]
    at_once = upcoming_runs(made(kind="schedule", schedule="rate(2 hours)"), after=WINTER, count=2)
    assert list(at_once["note"]) == ["and at once, when it is made", ""]


def test_a_change_of_the_clocks_is_told_and_the_local_time_stays():
    wanted = made(kind="schedule", schedule="cron(0 9 * * ? *)", timezone="America/New_York")
    runs = upcoming_runs(wanted, after=datetime(2026, 10, 31, tzinfo=UTC), count=2)
    assert list(runs["utc"].dt.strftime("%m-%d %H:%M")) == ["10-31 13:00", "11-01 14:00"]
    assert list(runs["local"].dt.strftime("%H:%M")) == ["09:00", "09:00"]
    assert list(runs["note"]) == ["", "clocks change: -05:00 from UTC, -04:00 before"]


@pytest.mark.parametrize(
    ("fields", "runs"),
    [
        ({"schedule": "rate(1 minute)"}, 43_200),
        ({"schedule": "cron(0 2 * * ? *)"}, 30),
        ({"kind": "schedule", "schedule": "at(2026-12-01T18:00:00)"}, 1),
        ({"kind": "schedule", "schedule": "at(2027-12-01T18:00:00)"}, 0),
    ],
)
def test_the_runs_of_a_month_are_counted(fields, runs):
    assert runs_a_month(made(**fields), after=WINTER) == runs
