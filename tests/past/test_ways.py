"""Which source, and why: what each would take is reckoned here by hand, from AWS's published rates."""

from datetime import UTC, datetime, timedelta

import pytest

from ecs_runbook.past.sources import Window
from ecs_runbook.past.ways import (
    ARCHIVE,
    ATHENA,
    LOG_FILES,
    LOOKUP,
    Asked,
    Logs,
    Way,
    because,
    best,
    by_archive,
    by_athena,
    by_log_files,
    by_lookups,
)

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def asked(days=14, places=60, accounts=None, now=NOW):
    return Asked(Window(now - timedelta(days=days), now), now, accounts or places, 1, places)


def logs(gigabytes, place="s3://audit", days=14, **more):
    return Logs(place, int(gigabytes * 1e9), 60_000, since=NOW - timedelta(days=days), **more)


def athena(there, of, cannot="", most_dollars=5.0):
    return by_athena(there, asked=of, cannot=cannot, dollars_per_tb=5.0, most_dollars=most_dollars)


def weighed(there, of, entered=None, **more):
    entered = of.places if entered is None else entered
    return [by_lookups(of, there.about_runs, entered=entered), by_log_files(there, asked=of), athena(there, of, **more)]


def test_an_organisations_two_weeks_are_athenas_and_the_numbers_say_why():
    of, there = asked(), logs(3, records=9_000_000, about_runs=9_000_000)
    several = weighed(there, of)
    chosen, why = best(several, of.window)
    assert (chosen.name, why) == (ATHENA, "it is soon done")
    # 9 million records, 100 a second, 16 accounts side by side: 5,625 seconds. 3 GB at $5 a TB: a cent and a half
    assert because(of, there, several) == (
        "14 days of 60 accounts in 1 Region: about 9 million records; LookupEvents would take 1.6 hours;"
        " one machine fetches and reads 3.0 GB in 4 minutes; Athena scans 3.0 GB for about $0.02"
    )


def test_a_single_busy_account_would_take_lookups_a_day():
    way = by_lookups(asked(places=1), 9_000_000, entered=1)
    assert way.seconds == pytest.approx(90_000)
    assert way.words == "LookupEvents would take 25 hours"


def test_the_largest_account_takes_the_longest_since_each_is_asked_by_itself():
    even = by_lookups(asked(places=240), 180_000, entered=240)
    uneven = by_lookups(asked(places=240), 180_000, entered=240, largest=0.27)
    assert even.seconds == pytest.approx(180_000 / 100 / 16)
    assert uneven.words == "LookupEvents would take 8 minutes"  # 48,600 records, 100 a second


def test_what_lookups_tell_within_a_minute_is_looked_up_even_if_athena_is_there():
    of = asked(days=2, places=1)
    chosen, why = best(weighed(logs(0.01, about_runs=500, days=2), of), of.window)
    assert (chosen.name, chosen.dollars, why) == (LOOKUP, 0.0, "it is soon done")


def test_each_account_and_region_takes_a_lookup_for_each_name_even_where_there_is_nothing():
    assert by_lookups(asked(places=320), 0, entered=320).seconds == pytest.approx(320 * 3 / 2 / 16)


def test_without_athena_one_machine_reads_and_the_reason_is_told():
    of, there = asked(), logs(3, about_runs=9_000_000, records=9_000_000)
    several = weighed(there, of, cannot="the workgroup primary has no place for its results, and none is named")
    chosen, why = best(several, of.window)
    assert (chosen.name, why) == (LOG_FILES, "it is the fastest")
    assert "Athena cannot: the workgroup primary has no place for its results" in because(of, there, several)


def test_what_would_cost_more_than_it_may_is_not_chosen():
    of, there = asked(days=365), logs(4000, about_runs=10**9, records=10**9, days=365)
    several = weighed(there, of)
    assert several[-1].cannot == "it would scan 4.0 TB for about $20.00, and most_dollars = 5"
    assert best(several, of.window)[0].name == LOG_FILES
    assert best(weighed(there, of, most_dollars=25), of.window)[0].name == ATHENA


def test_beyond_ninety_days_log_files_are_read_though_lookups_would_be_quick():
    of = asked(days=200, places=1)
    chosen, why = best(weighed(logs(1, about_runs=100, days=200), of, cannot="x"), of.window)
    assert (chosen.name, why) == (LOG_FILES, "nothing else reaches back as far as 2026-05-09")


def test_where_log_files_begin_late_lookups_reach_further():
    of, there = asked(days=60, places=1), logs(1, about_runs=10_000, days=10)
    several = weighed(there, of)
    chosen, why = best(several, of.window)
    assert (chosen.name, why) == (LOOKUP, "nothing else reaches back as far as 2026-08-27")
    assert "one machine fetches and reads 1.0 GB in 1 minute, from 2026-11-15 on" in because(of, there, several)


def test_who_knows_of_all_accounts_comes_before_who_is_quick():
    of = asked(places=60)
    several = weighed(logs(30, about_runs=100_000), of, entered=1, cannot="x")
    chosen, why = best(several, of.window)
    assert (chosen.name, why) == (LOG_FILES, "it knows of more of these accounts and Regions than any other")
    assert "LookupEvents would take 17 minutes, and knows nothing of 59 accounts and Regions" in several[0].words


def test_an_archive_is_taken_where_nothing_else_reaches_back_and_only_there():
    of = asked(days=400, places=1)
    archive = by_archive("archive", NOW - timedelta(days=400), asked=of, missing=0)
    chosen, why = best([by_lookups(of, None, entered=1), archive], of.window)
    assert (chosen.name, why) == (ARCHIVE, "nothing else reaches back as far as 2025-10-21")
    short = asked(days=14, places=1)
    assert best([by_lookups(short, None, entered=1), archive], short.window)[0].name == LOOKUP


def test_without_any_log_file_nobody_knows_how_long_lookups_take_and_they_are_made_all_the_same():
    of = asked(places=1)
    several = [by_lookups(of, None, entered=1), by_log_files(Logs("s3://audit", 0, 0), asked=of)]
    assert best(several, of.window) == (several[0], "nothing else can be asked")
    assert because(of, None, several, ["the trail audit is stopped"]) == (
        "14 days of 1 account in 1 Region; LookupEvents would take as long as there are records, 100 a second;"
        " log files cannot: there are no log files of that time in s3://audit; the trail audit is stopped"
    )


def test_where_nothing_can_be_asked_nothing_is_chosen():
    of = asked(places=1)
    assert best([by_lookups(of, None, entered=0)], of.window) == (None, "")


def test_a_folder_of_log_files_is_read_where_it_lies_and_athena_cannot():
    of, there = asked(), logs(6, place="/data/logs")
    assert by_log_files(there, asked=of).words == "one machine reads 6.0 GB in 2 minutes"
    assert athena(there, of).cannot == "it reads S3 alone"


@pytest.mark.parametrize(
    ("since", "late"),
    [(timedelta(hours=10), timedelta(0)), (timedelta(days=3), timedelta(days=3)), (None, timedelta(14))],
)
def test_less_than_a_day_at_the_beginning_is_no_gap(since, late):
    window = asked().window
    assert Way(LOG_FILES, since=since and window.since + since).late(window) == late
