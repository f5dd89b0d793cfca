"""
A cron of UTC in another zone. Where its clocks never change, the rule and the schedule fire at the very same moments.
"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.errors import ScheduleError, SpecError
from ecs_runbook.wanted.schedule import parse, zone_named
from ecs_runbook.wanted.zones import BESIDE_COLUMNS, beside, changes_of_clocks, turned

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def firings(expression, zone="UTC", days=800):
    moments = []
    for moment in parse(expression).after(NOW, zone=zone_named(zone)):
        if moment > NOW + timedelta(days=days) or len(moments) > 3000:
            break
        moments.append(moment)
    return moments


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("cron(0 17 * * ? *)", "Asia/Tokyo", "cron(0 2 * * ? *)"),
        ("cron(30 20 ? * MON-FRI *)", "Asia/Tokyo", "cron(30 5 ? * TUE-SAT *)"),
        ("cron(0 1 ? * MON-FRI *)", "Asia/Tokyo", "cron(0 10 ? * MON-FRI *)"),
        ("cron(0 22 L * ? *)", "Asia/Tokyo", "cron(0 7 1 * ? *)"),
        ("cron(0 3 1 * ? *)", "America/Bogota", "cron(0 22 L * ? *)"),
        ("cron(0 3 ? * SUN *)", "America/Bogota", "cron(0 22 ? * SAT *)"),
        ("cron(0 16 10 * ? *)", "Asia/Tokyo", "cron(0 1 11 * ? *)"),
        ("cron(0 16 10,20 1-3 ? *)", "Asia/Tokyo", "cron(0 1 11,21 1-3 ? *)"),
        ("cron(0 16 31 3 ? *)", "Asia/Tokyo", "cron(0 1 1 4 ? *)"),
        ("cron(0 16 31 12 ? 2027)", "Asia/Tokyo", "cron(0 1 1 1 ? 2028)"),
        ("cron(0 16 31 * ? *)", "Asia/Tokyo", "cron(0 1 1 1,2,4,6,8,9,11 ? *)"),
        ("cron(0 16 L 2 ? *)", "Asia/Tokyo", "cron(0 1 1 3 ? *)"),
        ("cron(0/10 * * * ? *)", "Asia/Tokyo", "cron(0/10 * * * ? *)"),
        ("cron(0 12-18 * * ? *)", "Asia/Tokyo", "cron(0 0-3,21-23 * * ? *)"),
        ("cron(0/20 3 1W * ? *)", "Asia/Tokyo", "cron(0/20 12 1W * ? *)"),
        ("cron(0 3 ? * 6L *)", "Asia/Tokyo", "cron(0 12 ? * 6L *)"),
        ("cron(45 3 ? * 2#1 *)", "Asia/Kolkata", "cron(15 9 ? * 2#1 *)"),
        ("cron(0 17 * * ? *)", "Europe/Berlin", "cron(0 18 * * ? *)"),
        ("cron(0 3 * * ? *)", "America/New_York", "cron(0 22 * * ? *)"),
        ("rate(5 minutes)", "UTC", "rate(5 minutes)"),
    ],
)
def test_it_means_the_same_times_by_todays_clocks(expression, zone, expected):
    found = turned(expression, zone, at=NOW)
    assert (found.expression, found.kept) == (expected, "")


@pytest.mark.parametrize(
    ("expression", "zone", "why"),
    [
        ("cron(0 17 ? * 2#1 *)", "Asia/Tokyo", "no cron has the day after day-of-week 2#1"),
        ("cron(0 17 ? * 6L *)", "Asia/Tokyo", "no cron has the day after day-of-week 6L"),
        ("cron(0 17 LW * ? *)", "Asia/Tokyo", "no cron has the day after day-of-month LW"),
        ("cron(0 17 15W * ? *)", "Asia/Tokyo", "no cron has the day after day-of-month 15W"),
        ("cron(0 3 L * ? *)", "America/Bogota", "no cron has the day before day-of-month L"),
        ("cron(0 17 28 * ? *)", "Asia/Tokyo", "no cron has the day after day-of-month 28"),
        ("cron(0 17 * 1 ? *)", "Asia/Tokyo", "no cron has the day after day-of-month *"),
        ("cron(0 17 ? 1 MON *)", "Asia/Tokyo", "no cron has the day after day-of-week MON"),
        (
            "cron(0 10,20 ? * MON *)",
            "Asia/Tokyo",
            "some of its times are on the same day as in UTC and some on another",
        ),
        ("cron(0,45 10 * * ? *)", "Asia/Kolkata", "its times are no hours and minutes of each of them"),
        ("rate(1 day)", "Asia/Tokyo", "a rate counts from its start, in no zone"),
    ],
)
def test_what_one_cron_cannot_say_stays_in_utc_and_why_is_said(expression, zone, why):
    found = turned(expression, zone, at=NOW)
    assert (found.expression, found.zone) == (expression, "UTC")
    assert why in found.kept


@given(
    minute=st.sampled_from(["0", "15", "0/30", "*", "5,50"]),
    hour=st.sampled_from(["*", "3", "17", "23", "20-23", "1,16", "0/6"]),
    days=st.sampled_from(
        [
            "* * ?",
            "? * MON-FRI",
            "? * SUN",
            "? 2,3 WED",
            "1 * ?",
            "L * ?",
            "29 2 ?",
            "31 * ?",
            "15W * ?",
            "? * 3#2",
            "2-9 4 ?",
        ]
    ),
    year=st.sampled_from(["*", "2027", "2027-2028"]),
    zone=st.sampled_from(["Asia/Tokyo", "Asia/Kolkata", "America/Bogota", "Pacific/Kiritimati", "Asia/Kathmandu"]),
)
def test_where_no_clock_changes_both_fire_at_the_very_same_moments(minute, hour, days, year, zone):
    expression = f"cron({minute} {hour} {days} {year})"
    found = turned(expression, zone, at=NOW)
    assert firings(expression) == firings(found.expression, found.zone)


def test_no_zone_and_no_cron_that_are_none():
    with pytest.raises(SpecError, match="not an IANA time zone; did you mean Europe/Berlin"):
        turned("cron(0 17 * * ? *)", "Europe/Berln", at=NOW)
    with pytest.raises(ScheduleError):
        turned("cron(0 17 * * * *)", "Asia/Tokyo", at=NOW)


class TestBeside:
    def table(self, expression, zone, after=NOW):
        return beside(expression, turned(expression, zone, at=after), after=after)

    def test_where_no_clock_changes_all_is_the_same(self):
        found = self.table("cron(0 17 * * ? *)", "Asia/Tokyo")
        assert list(found.columns) == BESIDE_COLUMNS
        assert list(found["rule_utc"]) == list(found["schedule_utc"])
        assert list(found["note"]) == ["", "", ""]

    def test_it_says_from_when_the_two_part_and_meet_again(self):
        found = self.table("cron(0 17 * * ? *)", "Europe/Berlin")
        spring, autumn = found.iloc[3], found.iloc[4]
        assert f"{spring['rule_utc']:%F %H:%M}" == "2027-03-28 17:00"
        assert f"{spring['schedule_utc']:%F %H:%M}" == "2027-03-28 16:00"
        assert spring["note"] == "from here the schedule runs at 16:00 UTC: it stays 18:00 in Europe/Berlin"
        assert f"{autumn['rule_utc']:%F}" == "2027-10-31"
        assert autumn["note"] == "from here both are the same again"

    def test_it_says_what_the_clocks_skip(self):
        found = self.table("cron(30 1 * * ? *)", "Europe/Berlin")  # 02:30 in winter
        (skipped,) = found[found["schedule_utc"].isna()].to_dict("records")
        assert f"{skipped['rule_utc']:%F %H:%M}" == "2027-03-28 01:30"
        assert skipped["note"] == "the clocks of Europe/Berlin skip 02:30: it does not run this once"

    def test_in_summer_it_is_the_summers_local_time_that_stays(self):
        found = self.table("cron(0 17 * * ? *)", "America/New_York", after=datetime(2027, 7, 1, tzinfo=UTC))
        assert found["local"].iloc[0] == "2027-07-01 13:00"
        assert found["note"].iloc[3] == "from here the schedule runs at 18:00 UTC: it stays 13:00 in America/New_York"


def test_the_clocks_of_half_an_hour_change_too():
    year = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    found = changes_of_clocks(zone_named("Australia/Lord_Howe"), *year)
    assert [f"{one:%F %H:%M}" for one in found] == ["2027-04-03 15:00", "2027-10-02 15:30"]
    assert changes_of_clocks(zone_named("Asia/Tokyo"), *year) == []
