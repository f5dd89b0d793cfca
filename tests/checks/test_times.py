"""When it runs: next runs in the reader's zone, runs no more, clocks that change, and runs that meet."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from one_row import NOW, a_rule, a_schedule, facts, told

from ecs_runbook.inventory.model import Absent, Gap, Machine

BEFORE_SPRING = datetime(2026, 3, 27, 12, tzinfo=UTC)  # clocks go forward in Berlin on 29 March at 01:00 UTC
BEFORE_AUTUMN = datetime(2026, 10, 22, 12, tzinfo=UTC)  # and back on 25 October at 01:00 UTC
BERLIN = "Europe/Berlin"


def about(check, row, *, now=NOW, zone="UTC", lasts=None):
    """What one check says: status, severity and words; None if it does not apply."""
    found = told(row, now=now, zone=zone, lasts=lasts).get(check)
    return found and (found.status, found.severity, found.because)


# -------- whether it runs, and when


@pytest.mark.parametrize(
    ("row", "zone", "because"),
    [
        (
            a_rule("cron(0 2 * * ? *)"),
            "Asia/Tokyo",
            "next 2026-11-25 11:00, 2026-11-26 11:00, 2026-11-27 11:00, 2026-11-28 11:00, 2026-11-29 11:00 Asia/Tokyo",
        ),
        (
            a_schedule("cron(0 2 ? * MON *)", BERLIN, flexible=15),
            "UTC",
            (
                "next 2026-11-30 01:00, 2026-12-07 01:00, 2026-12-14 01:00, 2026-12-21 01:00, 2026-12-28 01:00 UTC, "
                "each within 15 minutes after"
            ),
        ),
        (a_rule("rate(5 minutes)"), "UTC", "every 5 minutes, counted from when it was made"),
        (a_rule("rate(1 hour)"), "UTC", "every hour, counted from when it was made"),
        (
            a_schedule("rate(12 hours)", starts=datetime(2026, 11, 20, 3, tzinfo=UTC)),
            "UTC",
            "next 2026-11-24 15:00, 2026-11-25 03:00, 2026-11-25 15:00, 2026-11-26 03:00, 2026-11-26 15:00 UTC",
        ),
        (
            a_schedule("rate(12 hours)", starts=datetime(2026, 12, 1, tzinfo=UTC)),
            "UTC",
            "next 2026-12-01 00:00, 2026-12-01 12:00, 2026-12-02 00:00, 2026-12-02 12:00, 2026-12-03 00:00 UTC",
        ),
        (
            a_schedule(
                "rate(3 days)",
                starts=datetime(2026, 12, 1, 9, 30, 20, tzinfo=UTC),
                ends=datetime(2026, 12, 6, tzinfo=UTC),
                flexible=10,
            ),
            "UTC",
            "next 2026-12-01 09:30, 2026-12-04 09:30 UTC, each within 10 minutes after",
        ),
        (a_schedule("at(2026-12-24T18:00:00)", BERLIN), BERLIN, "next 2026-12-24 18:00 Europe/Berlin"),
        (
            a_schedule(
                "cron(0 2 * * ? *)", starts=datetime(2027, 1, 1, 2, tzinfo=UTC), ends=datetime(2027, 1, 3, tzinfo=UTC)
            ),
            "UTC",
            "next 2027-01-01 02:00, 2027-01-02 02:00 UTC",
        ),
        (
            a_rule("cron(0 2 29 2 ? *)"),
            "UTC",
            "next 2028-02-29 02:00, 2032-02-29 02:00, 2036-02-29 02:00, 2040-02-29 02:00, 2044-02-29 02:00 UTC",
        ),
    ],
)
def test_the_next_runs_in_the_readers_zone(row, zone, because):
    assert about("schedule-never-again", row, zone=zone) == ("OK", "warning", because)


PAST = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (a_rule("cron(0 2 31 2 ? *)"), ("NG", "warning", "cron(0 2 31 2 ? *) has no time to come")),
        (a_rule("cron(0 2 * * ? 2025)"), ("NG", "warning", "cron(0 2 * * ? 2025) has no time to come")),
        (
            a_schedule("cron(0 2 1 1 ? *)", ends=datetime(2026, 12, 1, tzinfo=UTC)),
            ("NG", "warning", "cron(0 2 1 1 ? *) has no time to come before its end"),
        ),
        (a_schedule("at(2026-11-01T00:00:00)"), ("NG", "note", "it was for 2026-11-01 00:00 UTC, once")),
        (
            a_schedule("at(2027-03-28T02:30:00)", BERLIN),
            ("NG", "warning", "it is for 2027-03-28 02:30 Europe/Berlin, a time that the clocks skip"),
        ),
        (a_schedule("cron(0 2 * * ? *)", ends=PAST), ("NG", "note", "its end was 2026-11-01 00:00 UTC")),
        (a_schedule("rate(1 day)", ends=PAST), ("NG", "note", "its end was 2026-11-01 00:00 UTC")),
        (
            a_schedule("rate(30 days)", starts=PAST, ends=NOW + timedelta(days=2)),
            ("NG", "note", "rate(30 days) has no time to come before its end"),
        ),
        (
            a_schedule("rate(1 day)", starts=NOW + timedelta(days=3), ends=NOW + timedelta(days=2)),
            ("NG", "note", "rate(1 day) has no time to come before its end"),
        ),
    ],
)
def test_what_never_runs_again_is_grave_only_where_nobody_wrote_down_its_end(row, said):
    assert about("schedule-never-again", row) == said


def test_what_is_wrong_besides_with_one_that_runs_no_more_is_a_note():
    row = a_schedule("at(2026-11-01T00:00:00)")
    pinned = replace(row, request=replace(row.request, launch_type="EC2", platform_version="1.4.0"))
    status, severity, because = about("platform-version-on-ec2", pinned)
    assert (status, severity) == ("NG", "note")
    assert because.endswith("(it was for 2026-11-01 00:00 UTC, once)")


def test_one_that_is_disabled_says_so_and_when_it_would_run():
    row = a_rule(enabled=False)
    assert about("schedule-disabled", row) == ("NG", "note", "rule nightly is disabled")
    assert about("schedule-disabled", a_schedule(enabled=False))[2] == "schedule nightly is disabled"
    assert about("schedule-disabled", a_rule()) == ("OK", "note", "it is enabled")
    assert about("schedule-never-again", row)[2].startswith("were it enabled: next 2026-11-25 02:00")


def test_a_rule_that_waits_for_events_has_no_times():
    row = a_rule("", pattern='{"source": ["aws.s3"]}')
    checks = ("schedule-never-again", "schedule-clocks-change", "schedule-overlap")
    assert [about(check, row, lasts=[5.0]) for check in checks] == [None] * 3
    assert about("schedule-disabled", row)[0] == "OK"
    assert about("schedule-disabled", replace(row, owner=replace(row.owner, enabled=False)))[0] == "NG"


@pytest.mark.parametrize(
    "row",
    [
        a_rule("cron(60 2 * * ? *)"),
        a_schedule("cron(0 2 * * ? *)", "Mars/Olympus"),
        a_schedule("rate(99999999999999 days)", starts=NOW - timedelta(days=1)),
        a_schedule("at(0001-01-01T00:00:00)", "Asia/Tokyo"),
    ],
)
def test_what_cannot_be_read_here_is_skip_and_not_wrong(row):
    status, _, because = about("schedule-never-again", row)
    assert status == "SKIP"
    assert "cannot be read here" in because
    assert about("schedule-clocks-change", row) is None


# -------- its group, its end, its flexible window


def of_a_group(state):
    row = a_schedule()
    row = replace(row, owner=replace(row.owner, group="reports"))
    found = told(row, facts(row, groups={} if state is None else {"reports": state})).get("schedule-group-missing")
    return found and (found.status, found.because, found.mend)


def test_a_group_that_is_being_deleted_takes_its_schedules_with_it():
    mend = "Make nightly in a group that stays; a schedule cannot be moved to another."
    assert of_a_group("ACTIVE") == ("OK", "its group reports is ACTIVE", "")
    assert of_a_group("DELETING") == ("NG", "its group reports is DELETING", mend)
    assert of_a_group(Absent("no")) == ("NG", "its group reports is gone", mend)
    denied = Gap("scheduler:ListScheduleGroups", "AccessDenied: no", denied=True)
    assert of_a_group(denied)[:2] == ("SKIP", "the caller needs scheduler:ListScheduleGroups")
    assert of_a_group(None)[0] == "SKIP"


def test_the_default_group_cannot_be_deleted_and_a_rule_has_none():
    assert about("schedule-group-missing", a_schedule()) is None
    assert about("schedule-group-missing", a_rule()) is None


IN_A_WEEK, LATER = NOW + timedelta(days=7), NOW + timedelta(days=7, minutes=1)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (a_schedule(ends=LATER), ("OK", "note", "it ends on 2026-12-01 12:01 UTC, and fires no more")),
        (
            a_schedule(ends=IN_A_WEEK),
            ("NG", "note", "it ends on 2026-12-01 12:00 UTC, and fires no more"),
        ),
        (
            a_schedule(ends=IN_A_WEEK, deletes_itself=True),
            ("NG", "note", "it ends on 2026-12-01 12:00 UTC, and is deleted then"),
        ),
        (a_schedule(), None),
        (a_schedule(ends=NOW), None),  # it has ended, which schedule-never-again tells
        (a_schedule("at(2026-11-25T18:00:00)", ends=IN_A_WEEK), None),  # which ignores it
    ],
)
def test_a_schedule_that_ends_within_a_week_is_told(row, said):
    assert about("schedule-ends-soon", row) == said


def test_a_schedule_that_scheduler_deletes_after_its_last_run_says_so():
    coming = a_schedule("at(2026-12-24T18:00:00)", deletes_itself=True)
    assert about("schedule-never-again", coming)[2] == "next 2026-12-24 18:00 UTC, and is deleted after its last run"
    over = told(a_schedule("at(2026-11-20T18:00:00)", deletes_itself=True))["schedule-never-again"]
    assert over.mend.startswith("Scheduler deletes nightly by itself; when is not documented.")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            a_schedule("rate(5 minutes)", flexible=5),
            (
                "NG",
                "warning",
                "each run comes within 5 min, and they are 5 min apart: two can come at once, or in the other order",
            ),
        ),
        (
            a_schedule("rate(5 minutes)", flexible=4),
            ("OK", "warning", "each run comes within 4 min, and they are 5 min apart"),
        ),
        (a_schedule("rate(5 minutes)"), None),
        (a_schedule("at(2026-12-24T18:00:00)", flexible=60), None),
    ],
)
def test_a_flexible_window_is_to_be_shorter_than_the_time_between_two_runs(row, said):
    assert about("schedule-flexible-window", row) == said


# -------- clocks that change

MOVES = (
    "the clocks of {} change {}: from then on it runs 60 minutes {} by the clock of Europe/Berlin, as it counts in {}"
)
NOT_THAT_DAY = "on 2026-03-29 the clocks of Europe/Berlin skip 02:00 to 03:00, and it does not run that day at all"
NOT_THEN = "on 2026-03-29 the clocks of Europe/Berlin skip 02:00 to 03:00, and it does not run at 02:00, 02:30"
IN_UTC = a_rule("cron(0 1 * * ? *)")
IN_NEW_YORK = a_schedule("cron(0 9 * * ? *)", "America/New_York")
BEFORE_NEW_YORK = datetime(2026, 3, 6, tzinfo=UTC)  # three weeks before Berlin


@pytest.mark.parametrize(
    ("row", "zone", "now", "severity", "because"),
    [
        # a rule counts in UTC: the reader's clock moves
        (IN_UTC, BERLIN, BEFORE_SPRING, "note", MOVES.format(BERLIN, "2026-03-29 03:00", "later", "UTC")),
        (IN_UTC, BERLIN, BEFORE_AUTUMN, "note", MOVES.format(BERLIN, "2026-10-25 02:00", "earlier", "UTC")),
        # a time that does not exist
        (a_schedule("cron(30 2 * * ? *)", BERLIN), BERLIN, BEFORE_SPRING, "warning", NOT_THAT_DAY),
        (a_schedule("cron(30 2 ? * SUN *)", BERLIN), "UTC", BEFORE_SPRING, "warning", NOT_THAT_DAY),
        (a_schedule("cron(0/30 * * * ? *)", BERLIN), BERLIN, BEFORE_SPRING, "note", NOT_THEN),
        # another country's clocks
        (
            IN_NEW_YORK,
            BERLIN,
            BEFORE_NEW_YORK,
            "note",
            MOVES.format("America/New_York", "2026-03-08 08:00", "earlier", "America/New_York"),
        ),
    ],
)
def test_a_change_of_the_clocks_within_a_week(row, zone, now, severity, because):
    assert about("schedule-clocks-change", row, now=now, zone=zone) == ("NG", severity, because)


@pytest.mark.parametrize(
    ("row", "zone", "now"),
    [
        (a_rule("cron(0 1 * * ? *)"), "UTC", BEFORE_SPRING),
        (a_rule("cron(0 1 * * ? *)"), BERLIN, NOW),
        (a_rule("cron(0 1 * * ? *)"), "Asia/Tokyo", BEFORE_SPRING),
        (a_rule("cron(10 * * * ? *)"), BERLIN, BEFORE_SPRING),
        (a_schedule("cron(0 5 * * ? *)", BERLIN), BERLIN, BEFORE_SPRING),
        (a_schedule("cron(0 5 * * ? *)", BERLIN), "Europe/Paris", BEFORE_SPRING),
        (a_schedule("cron(0 5 * * ? *)", BERLIN), "UTC", BEFORE_SPRING),
        (a_schedule("cron(30 2 * * ? *)", BERLIN), BERLIN, BEFORE_AUTUMN),  # comes twice, runs once
        (a_schedule("cron(30 2 ? * MON *)", BERLIN), BERLIN, BEFORE_SPRING),  # not on that Sunday
        (a_rule("cron(0 1 * * ? *)"), BERLIN, datetime(2026, 3, 29, 1, 0, 1, tzinfo=UTC)),  # changed a second ago
    ],
)
def test_where_no_run_moves_it_is_ok(row, zone, now):
    assert about("schedule-clocks-change", row, now=now, zone=zone)[0] == "OK"


def test_a_time_that_is_skipped_before_its_start_or_after_its_end_is_none_of_its_own():
    late = a_schedule("cron(30 2 * * ? *)", BERLIN, starts=datetime(2026, 4, 1, tzinfo=UTC))
    over = a_schedule("cron(30 2 * * ? *)", BERLIN, ends=datetime(2026, 3, 29, tzinfo=UTC))
    found = [about("schedule-clocks-change", row, now=BEFORE_SPRING, zone=BERLIN)[0] for row in (late, over)]
    assert found == ["OK", "OK"]


@pytest.mark.parametrize("expression", ["rate(5 minutes)", "rate(12 hours)"])
def test_minutes_and_hours_know_no_clock(expression):
    assert about("schedule-clocks-change", a_rule(expression), now=BEFORE_SPRING, zone=BERLIN) is None


def test_a_rate_of_days_moves_with_utc():
    assert about("schedule-clocks-change", a_rule("rate(1 day)"), now=BEFORE_SPRING, zone=BERLIN)[0] == "NG"


# -------- runs that meet


@pytest.mark.parametrize(
    ("row", "lasts", "said"),
    [
        (
            a_rule("rate(5 minutes)"),
            [360.0, 400.0, 300.0],
            (
                "NG",
                "warning",
                "its runs are 5 min apart, and the task lasted 6 min as a rule (3 runs seen)",
            ),
        ),
        (
            a_rule("rate(5 minutes)"),
            [60.0, 60.0, 320.0],
            (
                "NG",
                "note",
                "its runs are 5 min apart, and the task lasted 60 s as a rule, but 320 s at the longest (3 runs seen)",
            ),
        ),
        (
            a_rule("rate(5 minutes)"),
            [60.0],
            ("OK", "warning", "its runs are 5 min apart, and the task lasted 60 s"),
        ),
        (
            a_rule("cron(0 2 * * ? *)"),
            [7200.0, 7000.0],
            ("OK", "warning", "its runs are 24 h apart, and the task lasted 118 min, 2 h at the longest (2 runs seen)"),
        ),
        # the two of one night, not the day between the nights
        (
            a_schedule("cron(0,10 2 * * ? *)", BERLIN),
            [900.0],
            ("NG", "warning", "its runs are 10 min apart, and the task lasted 15 min as a rule"),
        ),
        # the state machine runs no second task beside the first
        (
            a_schedule("rate(5 minutes)", machine=Machine(skips=True)),
            [900.0],
            (
                "NG",
                "note",
                (
                    "its runs are 5 min apart, and the task lasted 15 min as a rule: a firing that finds it running "
                    "runs no task"
                ),
            ),
        ),
        (
            a_schedule("rate(5 minutes)", machine=Machine(skips=True)),
            [60.0],
            ("OK", "warning", "its runs are 5 min apart, and the task lasted 60 s"),
        ),
        # the first may come at the end of its window, and the second at the beginning of its own
        (
            a_schedule("cron(0,30 2 * * ? *)", flexible=20),
            [900.0],
            (
                "NG",
                "note",
                (
                    "its runs are 30 min apart, and the task lasted 15 min; within its flexible window of 20 minutes "
                    "two can come nearer than that"
                ),
            ),
        ),
        (a_rule("rate(5 minutes)"), None, None),
        (a_schedule("at(2026-12-24T18:00:00)"), [900.0], None),
        (a_schedule("cron(0 2 1 1 ? 2027)"), [900.0], None),
    ],
)
def test_runs_closer_together_than_the_task_lasts(row, lasts, said):
    assert about("schedule-overlap", row, lasts=lasts) == said


def test_what_a_task_took_long_ago_says_nothing_of_now():
    assert about("schedule-overlap", a_rule("rate(5 minutes)"), lasts=[900.0] * 50 + [60.0] * 20)[0] == "OK"


def test_an_expression_that_never_matches_takes_no_time():
    began = datetime.now(UTC)
    rows = [a_rule(f"cron({minute} 2 30 2 ? *)") for minute in range(60)]
    assert {about("schedule-never-again", row)[0] for row in rows} == {"NG"}
    assert datetime.now(UTC) - began < timedelta(seconds=5)
