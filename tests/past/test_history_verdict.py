"""What a look back comes to, and what it can be asked."""

import math
from datetime import UTC, datetime

import pytest
from made_history import DENIED, HOME, NOW, PLACES, fact, flat, looked, ran, refused, registered, role, target

from ecs_runbook.errors import SpecError
from ecs_runbook.inventory.model import Gap
from ecs_runbook.past.asked import look_back
from ecs_runbook.past.facts import CALL, SCHEDULE
from ecs_runbook.past.sources import Broken
from ecs_runbook.past.verdict import judge_history

AT = f"{HOME.account}/{HOME.region}"


def day(number, hour=2):
    return datetime(2026, 11, number, hour, tzinfo=UTC)


def good(family="nightly", days=range(1, 24)):
    return [registered(day(1, 0), family), [ran(day(number), family, code=0) for number in days]]


def judged(*facts, rows=(), **more):
    question, known, history = looked(flat(facts), None if rows is None else list(rows), **more)
    return judge_history(history, known, question)


def statuses(checks):
    return [(check.id, check.status) for check in checks]


def check_of(checks, id_):
    (one,) = (check for check in checks if check.id == id_)
    return one


def test_all_well_is_ok_in_four_checks():
    checks = judged(good(), rows=[target("nightly")])
    assert statuses(checks) == [
        ("history-read", "OK"),
        ("history-latest", "OK"),
        ("history-ran", "OK"),
        ("history-failing", "OK"),
    ]
    assert checks[0].because == (
        "23 runs and refusals of 1 family were seen, from 2026-11-01 02:00 to 2026-11-23 02:00 UTC"
    )


def test_nothing_seen_is_skip_with_the_reason_and_never_ok():
    checks = judged(rows=[])
    assert statuses(checks) == [
        ("history-read", "SKIP"),
        ("history-latest", "SKIP"),
        ("history-ran", "SKIP"),
        ("history-failing", "SKIP"),
    ]
    assert checks[0].because.startswith("no run of a schedule was seen from 2026-10-25 07:00")


def test_a_run_of_which_no_record_tells_the_family_is_named_without_a_gap():
    unnamed = fact(CALL, day(3), event_id="e1", caller=SCHEDULE, status="ACCEPTED", role=role("large"))
    latest = check_of(judged([unnamed]), "history-latest")
    assert latest.status == "SKIP"
    assert f": a family that was not told, by unknown, with the role large-role, in {AT}" in latest.because


def test_a_family_that_runs_stale_to_this_day_is_ng_with_since_when():
    facts = [
        good(days=range(1, 4)),
        registered(day(3, 12), revision=2),
        [ran(day(number), revision=1, code=0) for number in (4, 5, 6)],
    ]
    latest = check_of(judged(facts, rows=[target("nightly")]), "history-latest")
    assert (latest.status, latest.subject) == ("NG", f"nightly in {AT}")
    assert latest.because == (
        "its newest run, of 2026-11-06 02:00 UTC, took revision 1 while 2 was the latest; it runs 1 stale since "
        "2026-11-04 02:00 UTC, 3 times"
    )
    assert "10_generate" in latest.next


def test_what_was_stale_once_and_took_the_latest_since_is_ok():
    facts = [registered(day(1, 0)), registered(day(1, 1), revision=2), ran(day(2)), ran(day(3), revision=2)]
    assert check_of(judged(facts, rows=[target("nightly")]), "history-latest").status == "OK"


@pytest.mark.parametrize("rows", [[], [target("nightly", enabled=False)]])
def test_what_is_gone_or_disabled_is_not_judged_by_its_revision(rows):
    facts = [good("other"), registered(day(1, 0)), registered(day(1, 1), revision=2), ran(day(2), code=0)]
    checks = judged(facts, rows=[*rows, target("other")])
    assert check_of(checks, "history-latest").because.endswith("; 1 is gone or disabled by now")


def test_where_the_latest_is_not_known_it_is_skip():
    latest = check_of(judged(ran(day(2), code=0), rows=[target("nightly")]), "history-latest")
    assert (latest.status, latest.subject) == ("SKIP", "1 not known")
    assert "ecs:ListTaskDefinitions" in latest.next


def test_what_was_due_and_never_ran_is_ng_and_so_is_what_failed_to_start_each_time_once():
    denied = [refused(day(number), "denied", error=DENIED) for number in range(1, 24)]
    checks = judged(good(), denied, rows=[target("nightly"), target("silent"), target("denied")])
    never = {check.subject: check for check in checks if check.id == "history-ran"}
    assert set(never) == {f"silent in {AT}", f"denied in {AT}"}
    assert {check.status for check in never.values()} == {"NG"}
    assert never[f"silent in {AT}"].because.startswith("due 30 times since 2026-10-25 07:00 UTC, by the expression")
    assert "23 starts failed, and none placed a task; The role may not run revision" in never[f"denied in {AT}"].because
    assert check_of(checks, "history-failing").status == "OK"


def test_what_could_not_be_listed_or_is_not_covered_or_was_not_asked_is_skip():
    gap = Gap("events:ListRules", "AccessDenied: no", denied=True, place=HOME)
    listed = check_of(judged(good(), rows=[target("nightly")], gaps=[gap]), "history-ran")
    assert (listed.status, listed.because) == (
        "SKIP",
        f"not all could be listed: {AT}: the caller needs events:ListRules",
    )
    covered = check_of(judged(good(), rows=[target("nightly"), target("far", place=PLACES[1])]), "history-ran")
    assert (covered.status, covered.subject) == ("SKIP", "1 not covered")
    assert "444455556666/ap-southeast-2" in covered.because
    asked = check_of(judged(good(), rows=None), "history-ran")
    assert (asked.status, asked.because) == ("SKIP", "it was not asked what is on a schedule")


def test_failures_that_last_are_ng_from_the_length_on_that_was_asked_for():
    facts = [good(days=range(1, 22)), [ran(day(number), code=1) for number in (22, 23)]]
    failing = check_of(judged(facts, rows=[target("nightly")]), "history-failing")
    assert (failing.status, failing.subject) == ("NG", f"nightly in {AT}")
    assert failing.because.startswith(
        "for 2.2 days, since 2026-11-22 02:00 UTC: 2 failures in a row, the last at 2026-11-23 02:00; The program ended"
    )
    patient = check_of(judged(facts, rows=[target("nightly")], failing_hours=72.0), "history-failing")
    assert (patient.status, patient.because) == (
        "OK",
        "no row of failures lasts; 1 failed last, for less than 72 hours",
    )


def test_what_fail_on_leaves_out_is_told_and_ok():
    facts = [registered(day(1, 0)), registered(day(1, 1), revision=2), [ran(day(number), code=1) for number in (2, 3)]]
    checks = judged(facts, rows=[target("nightly"), target("silent")], fail_on=[])
    assert {check.status for check in checks} == {"OK"}
    assert check_of(checks, "history-ran").because == f"1 of them, which fail_on leaves out: silent in {AT}"


def test_ends_that_nobody_told_are_said_and_skip_where_they_are_needed():
    checks = judged(registered(day(1, 0)), ran(day(2)), rows=[target("nightly")])
    failing = check_of(checks, "history-failing")
    assert failing.status == "OK"
    assert failing.because.endswith("of 1 task nobody told how they ended: CloudTrail tells only that they began")
    needed = judged(registered(day(1, 0)), ran(day(2)), rows=[target("nightly")], need_ends=True)
    assert check_of(needed, "history-ended").status == "SKIP"


def test_who_did_not_answer_is_skip():
    silent = {"source": f"LookupEvents in {AT}", "answered": False, "answer": "AccessDenied", "calls": 1}
    read = check_of(judged(good(), rows=[target("nightly")], asked=[silent]), "history-read")
    assert (read.status, read.because) == ("SKIP", f"did not answer: LookupEvents in {AT}: AccessDenied")


def test_files_that_cannot_be_read_are_skip_unless_as_many_are_put_up_with():
    broken = [Broken(f"{number}.json.gz", "it is not gzip") for number in range(4)]
    read = check_of(judged(good(), rows=[target("nightly")], broken=broken, broken_files=3), "history-read")
    assert read.status == "SKIP"
    assert read.because.startswith("4 could not be read: 0.json.gz (it is not gzip); 1.json.gz")
    assert read.because.endswith("; and 1 more")
    fine = check_of(judged(good(), rows=[target("nightly")], broken=broken, broken_files=4), "history-read")
    assert fine.status == "OK"
    assert fine.because.endswith("; 4 files or records could not be read, and that is put up with")


# -------- what is asked


def test_a_day_is_the_readers_and_days_count_from_the_end():
    asked = look_back(now=NOW, since="2026-11-01", until="2026-11-08T12:00", timezone="Asia/Tokyo")
    assert asked.window.since == datetime(2026, 10, 31, 15, tzinfo=UTC)
    assert asked.window.until == datetime(2026, 11, 8, 3, tzinfo=UTC)
    assert look_back(now=NOW, until="2026-11-08", days=7).window.since == datetime(2026, 11, 1, tzinfo=UTC)
    assert look_back(now=NOW, since="2026-11-01T00:00+02:00").window.since == datetime(2026, 10, 31, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"days": 0}, "days = 0: write more than 0 and at most 3660"),
        ({"days": math.inf}, "days = inf: write more than 0 and at most 3660"),
        ({"since": "last week"}, "since = 'last week': write a day or a moment, such as 2026-08-01"),
        ({"until": "2026-13-01"}, "until = '2026-13-01': write a day or a moment"),
        ({"since": "2026-12-01"}, "since = '2026-12-01': write a time before the end, 2026-11-24 07:00 UTC"),
        ({"failing_hours": -1}, "failing_hours = -1: write 0 or more hours"),
        ({"broken_files": -1}, "broken_files = -1: write how many are put up with"),
        ({"fail_on": ["late"]}, "fail_on = 'late': write some of stale, never-ran, failing"),
        ({"families": ["nightly:3"]}, "families = 'nightly:3': write its name without a revision"),
        ({"timezone": "Tokio"}, "timezone = 'Tokio': not an IANA time zone"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_field_value_and_mend(given, fault):
    with pytest.raises(SpecError) as refused_with:
        look_back(now=NOW, **given)
    assert fault in str(refused_with.value)
