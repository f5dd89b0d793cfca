"""What is said of what happened: OK, NG or SKIP, with because and the mend, for each thing that can have happened."""

import json
from datetime import timedelta

import pandas as pd
import pytest
from made_up import PLACE, a_letter, a_row, a_target, at, ran, refused, unplaced

from ecs_runbook.checks.happened import LOOKS, judge_happened
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.errors import SpecError
from ecs_runbook.firing.calls import read
from ecs_runbook.firing.tasks import read_task
from ecs_runbook.inventory.changes import of_row, spans
from ecs_runbook.inventory.firings import Window, add_letters, history, match, share
from ecs_runbook.inventory.model import Gap, Inventory
from ecs_runbook.inventory.runs import CHANGES, REVISIONS, TRAIL, UNREADABLE, Happened, table

SINCE, UNTIL = at("20 12:00"), at("24 12:00")
WINDOW = Window(SINCE, UNTIL, UNTIL - timedelta(minutes=15))
EVERY_DAY = ["20 17:00:20", "21 17:00:41", "22 17:00:07", "23 17:00:59"]
NO_LOOKUP = Gap("cloudtrail:LookupEvents", "AccessDeniedException: no", denied=True, place=PLACE)


def told(*rows, letters=(), doubtful=(), gaps=(), notes=None, past=None, zone="UTC"):
    """Return what is said of rows with their attempts, by check."""
    matched = []
    for row, attempts in rows:
        stretches = spans(row, of_row(row, ()), SINCE, UNTIL)
        matched.append((row, match(row, attempts, stretches, WINDOW), stretches))
    share((attempt, [one for _, one, _ in matched]) for attempt in doubtful)
    add_letters([one for _, one, _ in matched], letters)
    histories = {(row.place, row.subject): history(one, stretches, WINDOW) for row, one, stretches in matched}
    happened = Happened(WINDOW, table([]), histories, gaps, notes or {})
    return list(judge_happened(Inventory([row for row, _ in rows]), happened, zone=zone, past=past))


def said(check, *attempts, row=None, **more):
    """Return what one check says of one row; None if nothing."""
    found = [one for one in told((row or a_row(), attempts), **more) if one.check == check]
    assert len(found) <= 1
    return found[0] if found else None


def runs_at(*times, **more):
    return [ran(time, state="LATEST", **more) for time in times]


def test_each_check_is_a_kind_in_the_same_order():
    assert [one.removeprefix("runs-") for one in KINDS if one.startswith("runs-")] == [
        "missed", "refused", "duplicate", "overlap", "latest", "succeeded", "end-unknown", "duration",
    ]  # fmt: skip
    assert len(LOOKS) == 8


def test_a_row_that_was_not_due_and_did_nothing_is_not_spoken_of():
    assert told((a_row("cron(0 17 1 1 ? *)"), [])) == []
    assert told((a_row("", pattern="{}"), [])) == []


def test_a_place_that_was_not_looked_at_is_not_spoken_of():
    happened = Happened(WINDOW, table([]))
    assert list(judge_happened(Inventory([a_row()]), happened)) == []


def test_a_zone_that_does_not_exist_is_refused():
    with pytest.raises(SpecError, match="Europe/Berlin"):
        told((a_row(), []), zone="Europe/Berlim")


# -------- missed


def test_every_firing_came():
    found = said("runs-missed", *runs_at(*EVERY_DAY))
    assert (found.status, found.because) == ("OK", "all 4 firings that were due left their trace")


def test_a_missed_firing_is_told_in_the_readers_zone_with_the_mend():
    found = said("runs-missed", *runs_at(*EVERY_DAY[1:]), zone="Asia/Tokyo")
    assert (found.status, found.severity, found.notebook) == ("NG", "error", "50_explain_failure")
    assert found.because == ("1 of 4 firings had neither call nor task nor dead letter: at 2026-11-21 02:00 Asia/Tokyo")
    assert found.mend == (
        "Look whether events.amazonaws.com may assume the role nightly-schedule: where it may not, only a dead letter"
        " tells, and it has no dead-letter queue."
    )


def test_of_many_missed_firings_the_newest_are_named():
    found = said("runs-missed")
    assert found.because.endswith("at 2026-11-21 17:00, 2026-11-22 17:00, 2026-11-23 17:00 UTC and 1 before")


def test_a_rate_that_never_ran_says_how_often_it_should_have():
    found = said("runs-missed", row=a_row("rate(12 hours)"))
    assert found.status == "NG"
    assert found.because == (
        "7 of 7 firings had neither call nor task nor dead letter: 7 at times that are not known, since no run of it"
        " was seen"
    )


def test_a_late_firing_came():
    found = said("runs-missed", *runs_at("20 19:30", *EVERY_DAY[1:]))
    assert (found.status, found.because) == (
        "OK",
        "all 4 firings that were due left their trace; 1 of them came late, by a retry: due at 2026-11-20 17:00 UTC",
    )


def test_what_cloudtrail_cannot_have_told_yet_is_said():
    row = a_row("cron(50 11 * * ? *)")
    found = said("runs-missed", *runs_at("21 11:50:09", "22 11:50:09", "23 11:50:09"), row=row)
    assert found.status == "OK"
    assert found.because.endswith("; CloudTrail may not have told yet of 2026-11-24 11:50 UTC")


def test_a_schedule_of_scheduler_names_its_service():
    assert "scheduler.amazonaws.com" in said("runs-missed", row=a_row(zone="UTC")).mend


@pytest.mark.parametrize("subject", [CHANGES, UNREADABLE])
def test_what_may_explain_it_and_could_not_be_read_makes_it_skip(subject):
    gap = Gap("cloudtrail:LookupEvents", "2 records could not be read", place=PLACE, subject=subject)
    found = said("runs-missed", *runs_at(*EVERY_DAY[1:]), gaps=[gap])
    assert found.status == "SKIP"
    assert "2026-11-20 17:00 UTC, but 2 records could not be read" in found.because
    assert said("runs-missed", *runs_at(*EVERY_DAY), gaps=[gap]).status == "OK"


def test_a_call_that_may_be_anothers_is_never_guessed():
    one = ran(EVERY_DAY[0], certain=False, state="LATEST")
    one.runs[0].schedule = "ambiguous: nightly or weekly"
    rows = [(a_row(name=name), runs_at(*EVERY_DAY[1:])) for name in ("nightly", "weekly")]
    found = [finding for finding in told(*rows, doubtful=[one]) if finding.check == "runs-missed"]
    assert [finding.status for finding in found] == ["SKIP", "SKIP"]
    assert found[0].because == (
        "whether it ran at 2026-11-20 17:00 UTC cannot be told: what was called then may be of nightly or weekly"
    )


# -------- refused


def a_refusal(when, message, code="ClientException"):
    call = read(
        {
            "eventName": "RunTask",
            "eventSource": "ecs.amazonaws.com",
            "eventTime": f"{at(when):%Y-%m-%dT%H:%M:%SZ}",
            "errorCode": code,
            "errorMessage": message,
            "userIdentity": {"invokedBy": "events.amazonaws.com"},
        }
    )
    attempt = refused(when, f"{code}: {message}")
    attempt.call = call
    return attempt


def test_a_refused_firing_is_explained_with_the_mend():
    found = said("runs-refused", a_refusal(EVERY_DAY[0], "TaskDefinition is inactive"), *runs_at(*EVERY_DAY[1:]))
    assert (found.status, found.severity) == ("NG", "error")
    assert found.because.startswith("1 of 4 firings came to nothing, at 2026-11-20 17:00 UTC: ")
    assert "ClientException: TaskDefinition is inactive" in found.because
    assert "revision" in found.mend


def test_a_refusal_whose_record_was_not_kept_is_explained_all_the_same():
    first = refused(EVERY_DAY[0], "ClientException: TaskDefinition is inactive")
    found = said("runs-refused", first, *runs_at(*EVERY_DAY[1:]))
    assert "ClientException: TaskDefinition is inactive" in found.because
    assert "revision" in found.mend


def test_each_cause_is_told_once_the_newest_first():
    attempts = [
        a_refusal(EVERY_DAY[0], "TaskDefinition is inactive"),
        a_refusal(EVERY_DAY[1], "TaskDefinition is inactive"),
        a_refusal(EVERY_DAY[2], "Cluster not found.", "ClusterNotFoundException"),
    ]
    found = said("runs-refused", *attempts, *runs_at(EVERY_DAY[3]))
    assert found.because.startswith("3 of 4 firings came to nothing")
    assert found.because.index("Cluster not found.") < found.because.index("TaskDefinition is inactive")
    assert found.because.count("TaskDefinition is inactive") == 1


def test_what_a_state_machine_met_is_mended_in_the_machine():
    words = "InvalidParameterException: Assign public IP is not supported for this launch type."
    machine = "arn:aws:states:eu-west-1:111122223333:stateMachine:again"
    found = said("runs-refused", refused(EVERY_DAY[0], words), *runs_at(*EVERY_DAY[1:]), row=a_row(through=machine))
    assert found.status == "NG"
    assert found.mend.startswith('Say launch_type = "FARGATE" in the state machine again;')


def test_a_firing_that_was_refused_and_then_taken_is_in_order():
    found = said("runs-refused", refused(EVERY_DAY[0]), ran("20 17:12"), *runs_at(*EVERY_DAY[1:]))
    assert (found.status, found.because) == ("OK", "no start was refused; 1 try before were, and a later one was not")


def test_a_dead_letter_is_explained():
    words = "User: events.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::1:role/r"
    letter = a_letter(EVERY_DAY[0], message=words, raw=_message(words))
    found = said("runs-refused", *runs_at(*EVERY_DAY[1:]), letters=[letter])
    assert found.status == "NG"
    assert "sts:AssumeRole" in found.because
    assert "assume" in found.mend
    assert said("runs-missed", *runs_at(*EVERY_DAY[1:]), letters=[letter]).because == (
        "all 4 firings that were due left their trace; 1 of them started nothing: see runs-refused"
    )


def _message(words):
    told_by = {"RULE_ARN": "arn:rule/nightly", "ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": words}
    attributes = {name: {"StringValue": value, "DataType": "String"} for name, value in told_by.items()}
    return {"MessageId": "m1", "Body": json.dumps({"time": "2026-11-20T17:00:00Z"}), "MessageAttributes": attributes}


def test_some_of_its_tasks_did_start():
    row = a_row(count=2)
    found = said("runs-refused", unplaced(EVERY_DAY[0], tasks=1), *runs_at(*EVERY_DAY[1:], tasks=2), row=row)
    assert found.status == "NG"
    assert "RESOURCE:CPU" in found.because
    assert found.because.endswith("; of 1 of them some of the tasks did start")


def test_an_event_rules_refusal_is_one_too():
    found = said(
        "runs-refused", refused("21 09:12", "ClientException: TaskDefinition not found."), row=a_row("", pattern="{}")
    )
    assert found.status == "NG"
    assert found.because.startswith("1 start came to nothing, at 2026-11-21 09:12 UTC: ")


def test_an_event_rule_that_started_some_of_its_tasks_fell_short():
    row = a_row("", pattern="{}", count=2)
    found = said("runs-refused", unplaced("21 09:12", tasks=1), row=row)
    assert found.status == "NG"
    assert "RESOURCE:CPU" in found.because


def test_a_refusal_that_may_be_a_drills_is_not_the_schedules():
    stray = refused("21 09:12")
    stray.runs[0].schedule = "nightly (drill or retry)"
    assert said("runs-refused", *runs_at(*EVERY_DAY), stray).status == "OK"


def test_a_refusal_that_may_be_anothers_is_skip():
    one = refused("21 09:12", certain=False)
    one.runs[0].schedule = "ambiguous: hourly or other"
    rows = [(a_row("", name=name, pattern="{}"), []) for name in ("hourly", "other")]
    found = told(*rows, doubtful=[one])
    assert [(finding.check, finding.status) for finding in found] == [("runs-refused", "SKIP")] * 2
    assert found[0].because == "1 refused start may be its own, or of hourly or other"


# -------- more often than it should


def test_a_duplicate_is_named_with_what_it_started():
    found = said("runs-duplicate", *runs_at(*EVERY_DAY, "20 17:00:21"))
    assert (found.status, found.severity) == ("NG", "warning")
    assert found.because == "started more than once at 2026-11-20 17:00 UTC (2 tasks instead of 1)"
    assert said("runs-duplicate", *runs_at(*EVERY_DAY)).because == "no firing ran more than once"


def test_a_run_when_nothing_was_due():
    found = said("runs-duplicate", *runs_at(*EVERY_DAY, "23 21:30"))
    assert (found.status, found.because) == ("NG", "started at 2026-11-23 21:30 UTC, when nothing was due")


def test_a_run_when_nothing_was_due_may_be_a_change_that_could_not_be_read():
    gap = Gap("cloudtrail:LookupEvents", "ThrottlingException: no", place=PLACE, subject=CHANGES)
    found = said("runs-duplicate", *runs_at(*EVERY_DAY, "23 21:30"), gaps=[gap])
    assert found.status == "SKIP"
    assert found.because.endswith("when nothing was due, but cloudtrail:LookupEvents: ThrottlingException: no")


# -------- two at once


def lasting(when, minutes, **more):
    began = at(when)
    return ran(when, status="STOPPED", exit_code=0, began=began, ended=began + timedelta(minutes=minutes), **more)


HOURLY = a_row("cron(0 * * * ? *)")
NINE = "while that of 2026-11-24 09:00 ran"
OVERLAPS = {
    "the one before had ended": (
        [lasting("24 10:00", 30), lasting("24 11:00", 30)],
        "OK",
        "1 run had ended before the next began",
    ),
    "the one before still ran": (
        [lasting("24 10:00", 70), lasting("24 11:00", 30)],
        "NG",
        "1 run began before an earlier one had ended: at 2026-11-24 11:00 UTC while that of 2026-11-24 10:00 ran",
    ),
    "it runs still": (
        [ran("24 10:00", status="RUNNING"), lasting("24 11:00", 5)],
        "NG",
        "1 run began before an earlier one had ended: at 2026-11-24 11:00 UTC while that of 2026-11-24 10:00 ran",
    ),
    "one of two before it": (
        [lasting("24 09:00", 200), lasting("24 10:00", 5), lasting("24 11:00", 5)],
        "NG",
        f"2 runs began before an earlier one had ended: at 2026-11-24 10:00 UTC {NINE}; at 2026-11-24 11:00 UTC {NINE}",
    ),
}


@pytest.mark.parametrize(("attempts", "status", "because"), OVERLAPS.values(), ids=OVERLAPS)
def test_a_run_began_before_the_one_before_it_had_ended(attempts, status, because):
    found = said("runs-overlap", *attempts, row=HOURLY)
    assert (found.status, found.because) == (status, because)


def test_nothing_is_said_of_runs_whose_end_is_not_known():
    assert said("runs-overlap", ran("24 10:00"), lasting("24 11:00", 5), row=HOURLY) is None
    assert said("runs-overlap", lasting("24 10:00", 5), row=HOURLY) is None


def test_an_earlier_check_may_have_seen_how_long_it_ran():
    seen = past([("24 10:00:30", 70 * 60)])
    found = said("runs-overlap", ran("24 10:00:02"), lasting("24 11:00", 5), row=HOURLY, past=seen)
    assert found.status == "NG"


# -------- the latest revision


def test_all_runs_took_the_latest():
    found = said("runs-latest", *runs_at(*EVERY_DAY), zone="Asia/Tokyo")
    assert (found.status, found.because) == (
        "OK",
        "all 4 runs took the latest revision; the last, at 2026-11-24 02:00 Asia/Tokyo, revision 6",
    )


def test_a_stale_run_is_named_with_why():
    stale = ran(EVERY_DAY[3], state="STALE", latest=7)
    task = stale.runs[0].task
    found = said("runs-latest", *runs_at(*EVERY_DAY[:3]), stale, notes={task: "asked for nightly:6, a fixed revision"})
    assert (found.status, found.severity) == ("NG", "error")
    assert found.because == (
        "1 of 4 runs took an older revision; the last, at 2026-11-23 17:00 UTC, revision 6 while 7 was the latest"
        " (asked for nightly:6, a fixed revision)"
    )
    assert "without a revision" in found.mend


def test_a_stale_run_of_a_state_machine_is_mended_there_and_not_at_the_target():
    machine = "arn:aws:states:eu-west-2:111122223333:stateMachine:again"
    stale = ran(EVERY_DAY[3], state="STALE", latest=7)
    found = said("runs-latest", *runs_at(*EVERY_DAY[:3]), stale, row=a_row(through=machine))
    assert found.mend.startswith("Let the state machine again name the family without a revision")


def test_a_stale_run_just_after_a_deploy_is_a_note():
    stale = ran(EVERY_DAY[3], state="STALE", latest=7)
    note = "revision 7 was registered 3 s before; ECS is eventually consistent, and AWS does not say …"
    found = said("runs-latest", stale, notes={stale.runs[0].task: note})
    assert (found.status, found.severity) == ("NG", "note")
    assert found.because.startswith(
        "the only run took an older revision; the last, at 2026-11-23 17:00 UTC, revision 6"
    )


def test_a_run_of_which_it_is_not_known_is_skip():
    found = said("runs-latest", *runs_at(*EVERY_DAY[:3]), ran(EVERY_DAY[3], state="UNKNOWN"))
    assert (found.status, found.because) == (
        "SKIP",
        "of 1 of 4 runs it is not known; the last, at 2026-11-23 17:00 UTC",
    )


def test_a_stale_run_that_may_be_anothers_is_skip():
    stale = ran(EVERY_DAY[3], certain=False, state="STALE", latest=7)
    stale.runs[0].schedule = "ambiguous: nightly or weekly"
    rows = [(a_row(name=name), runs_at(*EVERY_DAY[:3])) for name in ("nightly", "weekly")]
    found = [one for one in told(*rows, doubtful=[stale]) if one.check == "runs-latest"]
    assert [one.status for one in found] == ["SKIP", "SKIP"]
    assert found[0].because.endswith("and may be its own or of nightly or weekly")


# -------- how it ended


def a_task(when, code, **more):
    return read_task(
        {
            "taskArn": f"task/{when}/0",
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:111122223333:task-definition/nightly:6",
            "lastStatus": "STOPPED",
            "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
            "createdAt": at(when),
            "containers": [{"name": "main", "exitCode": code, **more}],
        }
    )


def ended(when, code, **more):
    task = a_task(when, code, **more)
    attempt = ran(when, status="STOPPED", exit_code=code, error=task.error, state="LATEST")
    attempt.tasks = [] if task.ended_well else [task]
    return attempt


def test_a_run_that_ended_badly_is_explained():
    reason = "OutOfMemoryError: Container killed due to memory usage"
    found = said("runs-succeeded", ended(EVERY_DAY[2], 0), ended(EVERY_DAY[3], 137, reason=reason))
    assert (found.status, found.severity) == ("NG", "error")
    assert found.because.startswith("1 of 2 runs ended badly, the last of 2026-11-23 17:00 UTC with exit code 137: ")
    assert "OutOfMemoryError" in found.because
    assert "memory" in found.mend


def test_a_run_that_never_started_has_no_exit_code():
    found = said("runs-succeeded", ended(EVERY_DAY[3], None, reason="CannotPullContainerError: pull image manifest"))
    assert found.because.startswith(
        "the only run whose end is known ended badly, the last of 2026-11-23 17:00 UTC with no exit code"
    )


def test_runs_that_ended_well_and_runs_that_are_forgotten():
    found = said("runs-succeeded", *runs_at(*EVERY_DAY[:3]), ended(EVERY_DAY[3], 0))
    assert (found.status, found.because) == ("OK", "1 run ended with exit code 0; how 3 more ended, ECS has forgotten")
    known = said("runs-end-unknown", *runs_at(*EVERY_DAY[:3]), ended(EVERY_DAY[3], 0))
    assert (known.status, known.because) == (
        "OK",
        "it is known how the last run stands or ended, 3 before it ECS has forgotten",
    )


def test_if_all_are_forgotten_that_is_a_note_and_no_good_end():
    assert said("runs-succeeded", *runs_at(*EVERY_DAY)) is None
    found = said("runs-end-unknown", *runs_at(*EVERY_DAY))
    assert (found.status, found.severity) == ("NG", "note")
    assert found.because == "how all 4 runs ended is not known any more; the last was at 2026-11-23 17:00 UTC"


def test_what_an_earlier_check_saw_is_not_forgotten():
    seen = past([(time, 60) for time in EVERY_DAY])
    assert said("runs-end-unknown", *runs_at(*EVERY_DAY), past=seen).status == "OK"


def test_a_bad_end_that_may_be_anothers_is_skip():
    bad = ended(EVERY_DAY[3], 3)
    bad.certain, bad.runs[0].schedule = False, "ambiguous: nightly or weekly"
    rows = [(a_row(name=name), runs_at(*EVERY_DAY[:3])) for name in ("nightly", "weekly")]
    found = [one for one in told(*rows, doubtful=[bad]) if one.check == "runs-succeeded"]
    assert [one.status for one in found] == ["SKIP", "SKIP"]


# -------- how long it took


def past(entries, subject="nightly"):
    rows = [(PLACE.account, PLACE.region, subject, at(when), seconds) for when, seconds in entries]
    return pd.DataFrame(rows, columns=["account", "region", "subject", "started_at", "seconds"])


USUAL = [(f"{day:02} 17:00:40", 1800 + day * 10) for day in range(10, 20)]
DURATIONS = {
    "as usual": (
        33,
        "OK",
        "warning",
        "the last run took 33 min, the 10 runs before it 32 min as a rule, 32 min to 33 min",
    ),
    "far longer": (
        90,
        "NG",
        "warning",
        "the run of 2026-11-23 17:00 UTC took 90 min, the 10 runs before it 32 min as a rule, 32 min to 33 min",
    ),
    "longer, but not by far": (
        50,
        "OK",
        "warning",
        "the last run took 50 min, the 10 runs before it 32 min as a rule, 32 min to 33 min",
    ),
    "far less": (
        1,
        "NG",
        "note",
        "the run of 2026-11-23 17:00 UTC took only 60 s, the 10 runs before it 32 min as a rule, 32 min to 33 min",
    ),
}


@pytest.mark.parametrize(("minutes", "status", "severity", "because"), DURATIONS.values(), ids=DURATIONS)
def test_the_last_run_against_those_before_it(minutes, status, severity, because):
    found = said("runs-duration", lasting(EVERY_DAY[3], minutes), past=past(USUAL))
    assert (found.status, found.severity, found.because) == (status, severity, because)


def test_with_too_few_runs_before_it_nothing_is_said():
    assert said("runs-duration", lasting(EVERY_DAY[3], 900), past=past(USUAL[:4])) is None
    assert said("runs-duration", lasting(EVERY_DAY[3], 900), past=past(USUAL, subject="other")) is None
    assert said("runs-duration", lasting(EVERY_DAY[3], 900)) is None


def test_runs_of_the_range_count_as_well_and_later_ones_do_not():
    attempts = [lasting(time, 30) for time in EVERY_DAY[:3]]
    later = [("23 18:00", 5400), ("23 19:00", 5400), ("23 20:00", 5400)]
    found = said("runs-duration", *attempts, lasting(EVERY_DAY[3], 90), past=past([*USUAL[:2], *later]))
    assert (found.status, "the 5 runs before it" in found.because) == ("NG", True)


def test_a_run_that_hangs_is_told_while_it_runs():
    began = at("23 17:01")
    found = said("runs-duration", ran(EVERY_DAY[3], status="RUNNING", began=began), past=past(USUAL))
    assert found.status == "NG"
    assert found.because.startswith("the run of 2026-11-23 17:00 UTC took 19.0 h, ")
    assert found.because.endswith(" so far, and runs still")


def test_a_run_that_failed_says_nothing_by_its_length():
    bad = lasting(EVERY_DAY[3], 900)
    bad.runs[0].exit_code = 3
    assert said("runs-duration", bad, past=past(USUAL)) is None


def test_times_that_are_not_known_are_no_past():
    seen = past(USUAL)
    seen.loc[:5, "seconds"] = float("nan")
    assert said("runs-duration", lasting(EVERY_DAY[3], 90), past=seen) is None


# -------- what could not be learnt


def test_without_cloudtrail_what_it_alone_tells_is_skip_once_for_the_place():
    gap = Gap(NO_LOOKUP.operation, NO_LOOKUP.because, denied=True, place=PLACE, subject=TRAIL)
    rows = [(a_row(name=name), runs_at(EVERY_DAY[3])) for name in ("a", "b")]
    found = told(*rows, gaps=[gap])
    skipped = [one for one in found if one.status == "SKIP"]
    assert [(one.check, one.subject, one.because) for one in skipped] == [
        (check, "eu-west-1", "the caller needs cloudtrail:LookupEvents")
        for check in ("runs-missed", "runs-refused", "runs-duplicate")
    ]
    assert {one.check for one in found if one.status != "SKIP"} == {"runs-latest", "runs-end-unknown"}


def test_without_ecs_the_ends_are_skip_once_for_the_cluster():
    gap = Gap("ecs:ListTasks", "AccessDeniedException: no", denied=True, place=PLACE, subject="batch")
    found = [one for one in told((a_row(), runs_at(*EVERY_DAY)), gaps=[gap]) if one.status == "SKIP"]
    assert [(one.check, one.subject, one.because, one.mend) for one in found] == [
        ("runs-succeeded", "cluster batch", "the caller needs ecs:ListTasks", "Allow the caller ecs:ListTasks.")
    ]


def test_without_the_revisions_latest_is_skip_once_for_the_place():
    gap = Gap("ecs:DescribeTaskDefinition", "AccessDeniedException: no", denied=True, place=PLACE, subject=REVISIONS)
    attempts = [ran(time, state="UNKNOWN") for time in EVERY_DAY]
    found = [one for one in told((a_row(), attempts), gaps=[gap]) if one.check == "runs-latest"]
    assert [(one.status, one.subject) for one in found] == [("SKIP", "eu-west-1")]


def test_a_rule_with_two_targets_is_told_target_by_target():
    targets = [a_target(id="a"), a_target(id="b")]
    rows = [(a_row(targets=targets, target=number), runs_at(*EVERY_DAY[number:])) for number in (0, 1)]
    found = {one.subject: one.status for one in told(*rows) if one.check == "runs-missed"}
    assert found == {"nightly#a": "OK", "nightly#b": "NG"}
