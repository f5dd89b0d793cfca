import itertools
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_cases import DOUBTFUL, FIRES, REFUSED

from ecs_runbook.errors import ScheduleError, SpecError
from ecs_runbook.wanted.schedule import NEXT_RUNS_COLUMNS, Cron, Rate, next_runs, parse, parse_scheduler, zone_named

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def firings(expression, after=NEW_YEAR, count=3, **options):
    found = itertools.islice(parse(expression).after(after, **options), count)
    return [f"{moment:%Y-%m-%d %H:%M}" for moment in found]


@pytest.mark.parametrize(("expression", "expected"), FIRES.items())
def test_a_schedule_fires_when_the_calendar_says(expression, expected):
    assert firings(expression) == expected
    assert parse(expression).doubts == ()


@pytest.mark.parametrize(("expression", "expected", "certain"), [(key, *value) for key, value in DOUBTFUL.items()])
def test_what_is_not_verified_is_read_and_said(expression, expected, certain):
    assert firings(expression) == expected
    (doubt,) = parse(expression).doubts
    assert "is not verified" in doubt
    assert doubt.endswith(f"certain is {certain}")


@pytest.mark.parametrize(("expression", "field", "value", "words"), [(key, *case) for key, case in REFUSED.items()])
def test_a_wrong_schedule_is_refused_with_field_value_and_mend(expression, field, value, words):
    with pytest.raises(ScheduleError) as refused:
        parse(expression)
    found = [fault for fault in refused.value.faults if fault.field == field]
    assert [fault.value for fault in found] == [value]
    assert words in found[0].mend
    assert words in str(refused.value)


def test_the_tables_have_more_than_fifty_cases_each():
    assert len(FIRES) > 50
    assert len(REFUSED) > 50


ONCE = [
    ("at(2026-11-24T17:00:30)", ZoneInfo("UTC"), ["2026-11-24 17:00"]),
    ("at(2026-11-24T17:00:00)", ZoneInfo("America/New_York"), ["2026-11-24 22:00"]),
    ("at(2025-11-24T17:00:00)", ZoneInfo("UTC"), []),
    ("at(2026-03-29T02:30:00)", BERLIN, []),  # the clocks skip it
    ("at(2026-10-25T02:30:00)", BERLIN, ["2026-10-25 00:30"]),  # the clocks repeat it
]


@pytest.mark.parametrize(("expression", "zone", "expected"), ONCE)
def test_scheduler_runs_once_at_a_local_time(expression, zone, expected):
    found = parse_scheduler(expression).after(NEW_YEAR, zone=zone)
    assert [f"{moment:%Y-%m-%d %H:%M}" for moment in found] == expected


@pytest.mark.parametrize("expression", ["at(2026-11-24 17:00:00)", "at(2026-02-30T17:00:00)", "at(17:00)", "at()"])
def test_an_at_that_is_no_time_is_refused(expression):
    with pytest.raises(ScheduleError, match=r"write at\(yyyy-mm-ddThh:mm:ss\)"):
        parse_scheduler(expression)


def test_scheduler_takes_what_a_rule_takes_and_a_rule_takes_no_at():
    assert parse_scheduler("rate(5 minutes)") == parse("rate(5 minutes)")
    with pytest.raises(ScheduleError, match="only EventBridge Scheduler runs something once"):
        parse("at(2026-11-24T17:00:30)")


def test_every_wrong_field_is_named_at_once():
    with pytest.raises(ScheduleError) as refused:
        parse("cron(60 24 32 13 8 1969)")
    fields = [fault.field for fault in refused.value.faults]
    assert sorted(fields) == sorted(
        ["minutes", "hours", "day-of-month", "month", "day-of-week", "year", "day-of-month, day-of-week"]
    )


def test_256_characters_are_taken_and_257_are_not():
    minutes = ",".join(["0"] * 200)
    longest = f"cron({minutes[: 256 - len('cron( 17 * * ? *)')]} 17 * * ? *)"
    assert len(longest) == 256
    assert firings(longest, count=1) == ["2026-01-01 17:00"]
    with pytest.raises(ScheduleError, match=r"257 characters; at most 256 are allowed"):
        parse(longest.replace("cron(0", "cron(00", 1))


def test_a_long_wrong_expression_is_not_repeated_whole():
    with pytest.raises(ScheduleError) as refused:
        parse("cron(" + "9" * 100_000 + ")")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("value", [None, 5, True, ["cron(0 17 * * ? *)"], b"rate(5 minutes)"])
def test_what_is_no_text_is_refused(value):
    with pytest.raises(ScheduleError, match=r"write text: cron"):
        parse(value)


def test_a_cron_says_little_of_itself():
    assert repr(parse("cron(* * * * ? *)")) == "Cron(expression='cron(* * * * ? *)', doubts=())"


def test_firings_are_strictly_after_the_moment():
    assert firings("cron(0 17 * * ? *)", after=at("2026-01-01 17:00"), count=1) == ["2026-01-02 17:00"]
    assert firings("cron(0 17 * * ? *)", after=at("2026-01-01 16:59:59.999"), count=1) == ["2026-01-01 17:00"]
    assert firings("cron(0 17 * * ? *)", after=at("2026-01-01 17:00:00.001"), count=1) == ["2026-01-02 17:00"]


def test_the_moment_may_be_in_any_zone():
    assert firings("cron(0 17 * * ? *)", after=datetime(2026, 1, 2, 1, 59, tzinfo=ZoneInfo("Asia/Tokyo")), count=1) == [
        "2026-01-01 17:00"
    ]


@pytest.mark.parametrize("schedule", ["cron(0 17 * * ? *)", "rate(1 day)"])
def test_a_moment_without_a_zone_is_refused_at_once(schedule):
    with pytest.raises(ValueError, match="must be aware"):
        parse(schedule).after(datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="must be aware"):
        parse(schedule).after(NEW_YEAR, start=datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_rate_counts_from_its_start_and_not_from_the_moment():
    start = at("2026-01-01 00:03:40")
    assert firings("rate(5 minutes)", after=at("2026-01-01 10:00"), start=start) == [
        "2026-01-01 10:03",
        "2026-01-01 10:08",
        "2026-01-01 10:13",
    ]


def test_a_rate_that_begins_later_waits_for_its_start():
    assert firings("rate(1 hour)", start=at("2026-02-01 12:30"), count=2) == ["2026-02-01 13:30", "2026-02-01 14:30"]


def test_a_rate_at_the_very_firing_gives_the_next():
    assert firings("rate(5 minutes)", after=at("2026-01-01 00:10"), start=NEW_YEAR, count=1) == ["2026-01-01 00:15"]


@pytest.mark.parametrize("value", ["9" * 20, "9" * 200])
def test_a_rate_of_ages_never_fires(value):
    assert firings(f"rate({value} days)") == []


def test_rate_and_cron_are_told_apart():
    assert isinstance(parse("rate(5 minutes)"), Rate)
    assert isinstance(parse("cron(0 17 * * ? *)"), Cron)


# ---------------------------------------------------------------- speed


def test_a_year_of_every_minute_is_iterated_in_seconds():
    begun = time.process_time()
    year = itertools.takewhile(lambda moment: moment.year == 2026, parse("cron(* * * * ? *)").after(NEW_YEAR))
    assert sum(1 for _ in year) == 365 * 24 * 60 - 1
    assert time.process_time() - begun < 6


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 0 30 2 ? *)", []),
        ("cron(* * 31 6 ? *)", []),
        ("cron(* * * * ? 1970)", []),
        ("cron(* * 29 2 ? 2100)", []),
        ("cron(* * ? 2 1#5 2199)", []),
        ("cron(0 0 29 2 ? 2196)", ["2196-02-29 00:00"]),
    ],
)
def test_a_schedule_that_fires_once_or_never_answers_at_once(expression, expected):
    begun = time.process_time()
    assert firings(expression) == expected
    assert time.process_time() - begun < 0.5


def test_the_ends_of_time_are_survived():
    expression = "cron(0 0 1 1 ? *)"
    assert firings(expression, after=datetime.min.replace(tzinfo=UTC), count=1, zone=BERLIN) == ["1969-12-31 23:00"]
    assert firings(expression, after=datetime.max.replace(tzinfo=UTC), count=1, zone=BERLIN) == []


def test_reading_schedules_imports_no_pandas():
    heavy = "{'pandas', 'pydantic', 'boto3'}"
    code = f"import sys, ecs_runbook.wanted.schedule; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# ---------------------------------------------------------------- zones, as EventBridge Scheduler has them


def test_a_local_time_that_the_clocks_skip_is_skipped():
    # On 29 March 2026 Berlin goes from 02:00 to 03:00.
    assert firings("cron(30 2 * * ? *)", after=at("2026-03-28 00:00"), zone=BERLIN) == [
        "2026-03-28 01:30",
        "2026-03-30 00:30",
        "2026-03-31 00:30",
    ]


def test_a_local_time_that_the_clocks_repeat_fires_once_at_the_first():
    # On 25 October 2026 Berlin has 02:30 at 00:30Z and again at 01:30Z.
    assert firings("cron(30 2 * * ? *)", after=at("2026-10-24 12:00"), zone=BERLIN, count=2) == [
        "2026-10-25 00:30",
        "2026-10-26 01:30",
    ]


def test_between_the_two_of_a_repeated_time_the_second_is_not_taken():
    assert firings("cron(30 2 * * ? *)", after=at("2026-10-25 00:45"), zone=BERLIN, count=1) == ["2026-10-26 01:30"]


def test_every_hour_of_a_long_day_is_fired_but_the_repeated_one():
    hours = firings("cron(0 * 25 10 ? 2026)", zone=BERLIN, count=30)
    assert len(hours) == 24
    assert "2026-10-25 00:00" in hours
    assert "2026-10-25 01:00" not in hours


def test_a_day_that_a_zone_never_had_is_skipped():
    # Samoa went from 29 to 31 December 2011.
    assert firings("cron(0 12 * 12 ? 2011)", after=at("2011-12-29 12:00"), zone=ZoneInfo("Pacific/Apia")) == [
        "2011-12-29 22:00",
        "2011-12-30 22:00",
    ]


def test_a_clock_set_back_over_midnight_loses_no_firing_and_repeats_none():
    # On 1 November 2009 St. John's went from 00:01 back to 23:01 on 31 October.
    zone = ZoneInfo("America/St_Johns")
    assert firings("cron(30 23 * * ? *)", after=at("2009-10-31 12:00"), zone=zone, count=2) == [
        "2009-11-01 02:00",
        "2009-11-02 03:00",
    ]


# ---------------------------------------------------------------- properties

NUMBERS = {"minutes": (0, 59), "hours": (0, 23), "days": (1, 31), "months": (1, 12), "weekdays": (1, 7)}


def fields(name):
    low, high = NUMBERS[name]
    value = st.integers(low, high)
    listed = st.lists(value, min_size=1, max_size=4).map(lambda values: (",".join(map(str, values)), set(values)))
    ranged = (
        st.tuples(value, value).map(sorted).map(lambda ends: (f"{ends[0]}-{ends[1]}", set(range(ends[0], ends[1] + 1))))
    )
    every = st.just(("*", set(range(low, high + 1))))
    steps = st.tuples(value, st.integers(1, high)).map(
        lambda by: (f"{by[0]}/{by[1]}", set(range(by[0], high + 1, by[1])))
    )
    return st.one_of(listed, ranged, every) if name == "weekdays" else st.one_of(listed, ranged, every, steps)


@st.composite
def crons(draw):
    """A cron with a test of its own whether a minute belongs to it."""
    (minutes, in_minute), (hours, in_hour), (months, in_month) = (
        draw(fields(n)) for n in ("minutes", "hours", "months")
    )
    by_date = draw(st.booleans())
    days, in_days = draw(fields("days" if by_date else "weekdays"))

    def belongs(moment):
        day = moment.day if by_date else moment.isoweekday() % 7 + 1
        return moment.minute in in_minute and moment.hour in in_hour and moment.month in in_month and day in in_days

    day_fields = (days, months, "?") if by_date else ("?", months, days)
    return f"cron({minutes} {hours} {' '.join(day_fields)} *)", belongs


moments = st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001


@settings(max_examples=60, deadline=None)
@given(crons(), moments)
def test_exactly_the_minutes_that_belong_to_a_cron_are_fired(cron, moment):
    expression, belongs = cron
    end = moment + timedelta(days=2)
    minute = moment.replace(second=0, microsecond=0)
    minutes = (minute + timedelta(minutes=gone) for gone in range(1, 2 * 24 * 60 + 1))
    expected = [each for each in minutes if each <= end and belongs(each)]
    assert list(itertools.takewhile(lambda each: each <= end, parse(expression).after(moment))) == expected


@settings(max_examples=100, deadline=None)
@given(
    crons(),
    moments,
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"]),
)
def test_firings_rise_are_whole_minutes_and_belong_in_their_zone(cron, moment, name):
    expression, belongs = cron
    zone = ZoneInfo(name)
    found = list(itertools.islice(parse(expression).after(moment, zone=zone), 20))
    assert all(now < then for now, then in itertools.pairwise([moment, *found]))
    assert all(each.tzinfo is UTC and (each.second, each.microsecond) == (0, 0) for each in found)
    assert all(belongs(each.astimezone(zone)) for each in found)
    assert len({each.astimezone(zone).replace(tzinfo=None) for each in found}) == len(found)


@settings(max_examples=50, deadline=None)
@given(crons(), moments)
def test_going_on_from_a_firing_gives_the_next(cron, moment):
    schedule = parse(cron[0])
    found = list(itertools.islice(schedule.after(moment), 4))
    for now, then in itertools.pairwise(found):
        assert next(schedule.after(now)) == then


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.text("0123456789*?/,-LW# MONJAN", max_size=30).map(lambda inside: f"cron({inside})"),
        st.lists(st.text("0123456789*?/,-LW#SUNJAN", min_size=1, max_size=5), min_size=6, max_size=6).map(
            lambda six: f"cron({' '.join(six)})"
        ),
        st.text("0123456789 minutehoursday", max_size=20).map(lambda inside: f"rate({inside})"),
    )
)
def test_whatever_is_written_is_parsed_or_refused_with_a_reason(expression):
    try:
        schedule, faults = parse(expression), ()
    except ScheduleError as refused:
        schedule, faults = None, refused.faults
    assert bool(faults) == (schedule is None)
    assert all(fault.field and fault.value and fault.mend for fault in faults)
    first = list(itertools.islice(schedule.after(NEW_YEAR), 2)) if schedule else []
    assert first == sorted({moment for moment in first if moment > NEW_YEAR})


# ---------------------------------------------------------------- the next runs, for a person


def test_the_next_five_runs_are_shown_in_utc_and_in_the_persons_zone():
    runs = next_runs("cron(0 17 * * ? *)", after=NEW_YEAR, zone="Asia/Tokyo")
    assert list(runs.columns) == NEXT_RUNS_COLUMNS
    assert list(runs["utc"].dt.strftime("%d %H:%M")) == ["01 17:00", "02 17:00", "03 17:00", "04 17:00", "05 17:00"]
    assert list(runs["local"].dt.strftime("%d %H:%M")) == ["02 02:00", "03 02:00", "04 02:00", "05 02:00", "06 02:00"]
    assert list(runs["utc_offset"]) == ["+09:00"] * 5
    assert list(runs["note"]) == [""] * 5


def test_clocks_that_go_forward_between_two_runs_are_named():
    runs = next_runs("cron(0 7 * * ? *)", after=at("2026-03-06 12:00"), zone="America/New_York")
    assert list(runs["local"].dt.strftime("%d %H:%M")) == ["07 02:00", "08 03:00", "09 03:00", "10 03:00", "11 03:00"]
    assert list(runs["utc_offset"]) == ["-05:00", "-04:00", "-04:00", "-04:00", "-04:00"]
    assert list(runs["note"]) == ["", "clocks change: the run moves from 02:00 to 03:00", "", "", ""]


def test_clocks_that_go_back_between_two_runs_are_named():
    runs = next_runs("cron(0 1 ? * SUN *)", after=at("2026-10-12 00:00"), zone="Europe/Berlin", count=3)
    assert list(runs["local"].dt.strftime("%m-%d %H:%M")) == ["10-18 03:00", "10-25 02:00", "11-01 02:00"]
    assert list(runs["note"]) == ["", "clocks change: the run moves from 03:00 to 02:00", ""]


def test_a_run_that_the_clocks_move_over_midnight_says_the_day():
    runs = next_runs("cron(30 22 * * ? *)", after=at("2026-03-28 12:00"), zone="Europe/Berlin", count=2)
    assert list(runs["note"]) == ["", "clocks change: the run moves from 23:30 to 00:30 the next day"]


def test_half_an_hour_of_summer_time_is_half_an_hour():
    runs = next_runs("cron(0 12 * * ? *)", after=at("2026-04-03 13:00"), zone="Australia/Lord_Howe", count=2)
    assert list(runs["utc_offset"]) == ["+11:00", "+10:30"]
    assert runs["note"][1] == "clocks change: the run moves from 23:00 to 22:30"


def test_an_hourly_run_says_how_its_own_hour_moved():
    runs = next_runs("cron(0 * * * ? *)", after=at("2026-03-28 23:30"), zone="Europe/Berlin", count=3)
    assert list(runs["local"].dt.strftime("%H:%M")) == ["01:00", "03:00", "04:00"]
    assert list(runs["note"]) == ["", "clocks change: the run moves from 02:00 to 03:00", ""]


def test_a_rate_is_shown_from_its_start():
    runs = next_runs("rate(1 day)", after=NEW_YEAR, zone="UTC", count=2, start=at("2025-12-20 09:15"))
    assert list(runs["utc"].dt.strftime("%d %H:%M")) == ["01 09:15", "02 09:15"]


@pytest.mark.parametrize("expression", ["cron(0 12 1 1 ? 1970)", "cron(0 12 1 1 ? 2027)", "rate(1 hour)"])
def test_the_columns_are_there_however_few_the_runs(expression):
    runs = next_runs(expression, after=at("2027-01-01 00:00"), zone="Europe/Berlin", count=1)
    assert list(runs.columns) == NEXT_RUNS_COLUMNS
    assert [str(runs[column].dtype) for column in ("utc", "local")] == [
        "datetime64[us, UTC]",
        "datetime64[us, Europe/Berlin]",
    ]
    assert len(runs) == (0 if "1970" in expression else 1)


def test_a_wrong_schedule_has_no_next_runs():
    with pytest.raises(ScheduleError, match="1 takes the singular"):
        next_runs("rate(1 minutes)", after=NEW_YEAR, zone="UTC")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Europe/Brelin", "did you mean Europe/Berlin"),
        ("Europe", "not an IANA time zone"),
        ("", "write an IANA name"),
        ("../../etc/passwd", "not an IANA time zone"),
        ("UTC+2", "not an IANA time zone"),
        ("Zürich\x00", "not an IANA time zone"),
        (7, "not an IANA time zone"),
        (None, "not an IANA time zone"),
    ],
)
def test_a_zone_that_is_none_is_refused_with_its_neighbours(name, words):
    with pytest.raises(SpecError) as refused:
        zone_named(name)
    (fault,) = refused.value.faults
    assert (fault.field, fault.value) == ("timezone", repr(name))
    assert words in fault.mend


def test_the_hand_made_calendar_begins_on_a_thursday():
    assert date(2026, 1, 1).strftime("%A") == "Thursday"
