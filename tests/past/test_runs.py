"""From records to the table of runs, whatever they were read from."""

import random
from datetime import timedelta
from itertools import permutations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from told_records import PLACES, RECORDS, SINCE, TRUE, UNTIL, arn, record, register, run, stopped, told

from ecs_runbook.errors import AwsError, RunbookError
from ecs_runbook.firing.tasks import read_task
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.facts import (
    FACT_COLUMNS,
    facts_of_record,
    facts_of_revision,
    facts_of_stop,
    facts_of_task,
    frame,
)
from ecs_runbook.past.log_files import LogFiles
from ecs_runbook.past.runs import PAST_COLUMNS, past_runs
from ecs_runbook.past.sources import Together, Told
from ecs_runbook.past.stopped_tasks import StoppedTasks

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


class Given:
    """A source that tells what it was given."""

    name = "given"

    def __init__(self, records, events=()):
        rows = [fact for record in records for fact in facts_of_record(record)]
        self.rows = rows + [fact for event in events for fact in facts_of_stop(event)]

    def facts(self, _window, _progress=None):
        return Told(frame(self.rows))


class Facts:
    """A source that tells these facts."""

    name = "facts"

    def __init__(self, rows):
        self.rows = rows

    def facts(self, _window, _progress=None):
        return Told(frame(self.rows))


def of_facts(rows):
    return past_runs(Facts(rows), since=SINCE, until=UNTIL)


def table(records, events=(), **more):
    return past_runs(Given(records, events), since=SINCE, until=UNTIL, **more)


def test_the_records_tell_what_ran_and_what_was_the_latest():
    found = table(RECORDS)
    assert told(found) == TRUE
    assert list(found.columns) == PAST_COLUMNS
    assert found.attrs["because"] == ""


def test_however_often_and_in_whatever_order_they_come_the_table_is_the_same():
    shuffled = RECORDS * 2
    random.Random(7).shuffle(shuffled)
    assert table(shuffled).to_csv() == table(RECORDS).to_csv()
    assert table(RECORDS).equals(table(shuffled))


def test_what_ran_before_the_first_known_registration_is_unknown_and_what_ecs_says_makes_it_known():
    of_ecs = pd.DataFrame(
        [
            {
                "account": "111122223333",
                "region": "eu-west-1",
                "family": "nightly",
                "revision": 4,
                "arn": arn("task-definition", "nightly:4"),
                "registered_at": SINCE - timedelta(days=3),
                "deregistered_at": pd.NaT,
                "status": "ACTIVE",
                "registered_by": "me",
            }
        ]
    )
    assert told(table(RECORDS, revisions=of_ecs))[0][4:7] == (4, 4, "LATEST")
    assert told(table(RECORDS, revisions=of_ecs))[1:] == TRUE[1:]


def test_a_revision_that_ran_and_that_nobody_saw_registered_makes_the_latest_unknown_and_is_never_guessed():
    found = told(table([register(5, "2026-11-02T10:00:00Z", "a"), run(7, "2026-11-03T02:00:00Z", "b", task="t")]))
    assert found[0][4:7] == (7, None, "UNKNOWN")


def test_a_registration_whose_answer_was_left_out_for_its_size_makes_the_latest_unknown():
    young = register(6, "2026-11-03T10:00:00Z", "b") | {"responseElements": {"omitted": True}}
    records = [register(5, "2026-11-02T10:00:00Z", "a"), young, run(5, "2026-11-04T02:00:00Z", "c", task="t")]
    assert told(table(records))[0][4:7] == (5, None, "UNKNOWN")


def test_a_run_in_the_second_of_a_registration_may_have_come_before_it():
    both = [register(5, "2026-11-02T10:00:00Z", "a"), register(6, "2026-11-03T10:00:00Z", "b")]
    ran = [run(5, "2026-11-03T10:00:00Z", "c", task="t"), run(5, "2026-11-03T10:00:01Z", "d", task="u")]
    assert [one[4:7] for one in told(table(both + ran))] == [(5, 5, "LATEST"), (5, 6, "STALE")]
    assert told(table([*both, run(6, "2026-11-03T10:00:00Z", "e", task="v")]))[0][4:7] == (6, 6, "LATEST")


def test_a_refused_registration_made_no_revision():
    refused = register(6, "2026-11-03T10:00:00Z", "b") | {"responseElements": None, "errorCode": "ClientException"}
    records = [register(5, "2026-11-02T10:00:00Z", "a"), refused, run(5, "2026-11-04T02:00:00Z", "c", task="t")]
    assert told(table(records))[0][4:7] == (5, 5, "LATEST")


def test_the_event_of_its_end_tells_how_a_run_ended_and_how_long_it_took():
    row = table(RECORDS, [stopped("t03", 3)]).set_index("run").loc["t03"]
    assert (row.status, row.exit_code, row.seconds, row.source) == ("STOPPED", 3, 180, "ECS + CloudTrail")
    assert row.error == "EssentialContainerExited: Essential container in task exited"
    assert (row.requested, row.role) == ("nightly", "arn:aws:iam::111122223333:role/nightly-schedule")


def test_an_end_whose_call_nobody_saw_is_a_run_all_the_same():
    found = table([], [stopped("t99", 0)])
    assert found[["schedule", "executed", "status", "exit_code", "source"]].values.tolist() == [
        ["nightly", 5, "STOPPED", 0, "ECS"]
    ]


@pytest.mark.parametrize(
    "change", [{"source": "my.own"}, {"detail-type": "ECS Deployment State Change"}, {"detail": []}]
)
def test_other_events_are_no_ends(change):
    assert facts_of_stop(stopped("t", 0) | change) == []


def test_a_task_that_runs_still_has_no_end():
    event = stopped("t", 0)
    event["detail"]["lastStatus"] = "RUNNING"
    assert facts_of_stop(event) == []


def test_an_end_that_does_not_tell_when_its_task_began_is_named_unless_its_call_is_known():
    found = table(RECORDS, [stopped("t98", 0, created=None)])
    assert told(found) == TRUE
    assert [one["name"] for one in found.attrs["broken"]] == ["event s1"]
    assert table(RECORDS, [stopped("t03", 3, created=None)]).attrs["broken"] == []


def test_an_end_says_what_its_containers_say_and_no_number_that_a_table_cannot_hold():
    event = stopped("t99", 2**70)
    event["detail"]["containers"][0]["reason"] = "CannotPullContainerError: no such image"
    (row,) = table([], [event]).to_dict("records")
    assert pd.isna(row["exit_code"])
    assert row["error"].endswith("; CannotPullContainerError: no such image")


@pytest.mark.parametrize("name", [["RunTask"], {"RegisterTaskDefinition": 1}, 5, None])
def test_a_record_of_an_odd_name_is_none_of_ours(name):
    assert facts_of_record(RECORDS[0] | {"eventName": name}) == []


@pytest.mark.parametrize("source", [Archive, StoppedTasks, LogFiles])
def test_a_place_in_s3_needs_an_aws_and_says_so(source):
    with pytest.raises(RunbookError, match="s3://kept/ecs' is in S3, and no AWS was given") as said:
        past_runs(source("s3://kept/ecs"), since=SINCE, until=UNTIL)
    assert said.value.hint == "Give aws=connect(…)."


def test_a_log_group_needs_an_aws_and_says_so():
    with pytest.raises(RunbookError, match="'log-group:ends' is a log group, and no AWS was given"):
        past_runs(StoppedTasks("log-group:ends"), since=SINCE, until=UNTIL)


@pytest.mark.parametrize("time", [None, "yesterday", 5])
def test_a_call_whose_record_does_not_tell_when_it_was_is_named(time):
    found = table([*RECORDS, run(5, time, "e99", task="t99")])
    assert told(found) == TRUE
    assert found.attrs["broken"] == [{"name": "event e99", "why": "its record does not tell when it was"}]


def test_an_empty_table_says_why_it_may_be_empty():
    found = table([])
    assert found.empty
    assert "no run of a schedule was seen from 2026-11-01 00:00 to 2026-11-30 00:00 UTC" in found.attrs["because"]


@given(JSON)
def test_nothing_in_a_record_makes_it_fail(anything):
    for name in ("RunTask", "RegisterTaskDefinition", "DeregisterTaskDefinition"):
        record = {"eventName": name, "userIdentity": anything, "responseElements": anything, "eventTime": anything}
        for odd in (record, record | {"requestParameters": anything, "errorCode": anything}, anything):
            facts = facts_of_record(odd)
            assert all(list(frame([fact]).columns) == list(FACT_COLUMNS) for fact in facts)
    detail = {"lastStatus": "STOPPED", "containers": anything, "taskArn": anything, "createdAt": anything}
    facts_of_stop({"detail-type": "ECS Task State Change", "source": "aws.ecs", "detail": detail, "id": anything})


def test_of_two_ends_of_one_task_the_one_that_knows_the_exit_code_counts_in_whatever_order_they_came():
    # the event does not tell which of two containers is essential, ECS was asked
    event = stopped("t03", 3, event_id="zz")
    event["detail"]["containers"].append({"name": "proxy", "exitCode": 0})
    event["detail"]["containers"][0]["exitCode"] = 0
    event["detail"]["containers"][1]["exitCode"] = None
    seen = read_task(stopped("t03", 0)["detail"] | {"containers": event["detail"]["containers"]}, ["main"])
    assert (facts_of_stop(event)[0]["exit_code"], facts_of_task(seen)[0]["exit_code"]) == (None, 0)
    facts = [fact for one in RECORDS for fact in facts_of_record(one)]
    tables = [of_facts([*facts, *ends]) for ends in permutations([*facts_of_stop(event), *facts_of_task(seen)])]
    assert [one.set_index("run").loc["t03", "exit_code"] for one in tables] == [0, 0]
    assert tables[0].equals(tables[1])
    assert len(tables[0]) == len(TRUE)


def test_a_task_that_runs_still_is_no_end_and_becomes_one_run_with_its_end():
    described = stopped("t03", 3)["detail"]
    assert facts_of_task(read_task(described | {"lastStatus": "RUNNING"})) == []
    found = of_facts(
        [*(fact for one in RECORDS for fact in facts_of_record(one)), *facts_of_task(read_task(described))]
    )
    row = found.set_index("run").loc["t03"]
    assert (row.status, row.exit_code, row.source) == ("STOPPED", 3, "ECS + CloudTrail")


def test_a_call_that_was_kept_twice_once_with_a_secret_blanked_is_one_call():
    words = "AccessDenied for AKIAABCDEFGHIJKLMNOP"
    refused = record("RunTask", "2026-11-07T02:00:12Z", "e09", errorCode="AccessDenied", errorMessage=words)
    blanked = refused | {"errorMessage": "AccessDenied for AKIA****************"}
    one, other = table([refused, blanked]), table([blanked, refused])
    assert len(one) == 1
    assert one.equals(other)


def test_where_the_numbers_of_revisions_have_a_gap_nothing_in_it_is_guessed():
    # a check saw 3 and, weeks later, 7: what was the latest in between, nobody knows
    told = [
        {"family": "nightly", "revision": 3, "registered_at": "2026-11-01T10:00:00.5Z", "deregistered_at": None},
        {"family": "nightly", "revision": 7, "registered_at": "2026-11-20T10:00:00.5Z", "deregistered_at": None},
    ]
    facts = [fact for one in told for fact in facts_of_revision(one, account=PLACES[0][0], region=PLACES[0][1])]
    days = {3: "2026-11-02", 5: "2026-11-10", 7: "2026-11-21"}
    ran = [run(ran, f"{day}T02:00:12Z", f"g{ran}", task=f"g{ran}") for ran, day in days.items()]
    found = of_facts([*facts, *(fact for one in ran for fact in facts_of_record(one))])
    assert found["state"].tolist() == ["UNKNOWN", "UNKNOWN", "LATEST"]


def test_what_ecs_says_of_a_revision_and_its_record_are_one_registration():
    said = {"family": "nightly", "revision": 5, "registered_at": "2026-11-02T10:00:00.25Z", "registered_by": "me"}
    facts = facts_of_revision(said, account=PLACES[0][0], region=PLACES[0][1])
    both = of_facts([*facts, *(fact for one in RECORDS for fact in facts_of_record(one))])
    assert told(both) == TRUE


def test_several_sources_together_tell_what_each_of_them_tells_each_fact_once():
    half = len(RECORDS) // 2
    one, other, ends = Given(RECORDS[half - 2 :]), Given(RECORDS[: half + 2]), Given([], [stopped("t03", 3)])
    found = past_runs(Together([one, other, ends]), since=SINCE, until=UNTIL)
    assert told(found.assign(status=found["status"].replace("STOPPED", "ACCEPTED"))) == TRUE
    assert found.set_index("run").loc["t03", "exit_code"] == 3
    assert found.equals(past_runs(Together([ends, other, one]), since=SINCE, until=UNTIL))


def test_a_source_that_aws_refuses_is_told_of_and_the_others_answers_count():
    class Refused:
        name = "the log group"

        def facts(self, _window, _progress=None):
            raise AwsError("logs:FilterLogEvents", "AccessDeniedException", "no")

    found = past_runs(Together([Given(RECORDS), Refused()]), since=SINCE, until=UNTIL)
    assert told(found) == TRUE
    (silent,) = [one for one in found.attrs["asked"] if not one["answered"]]
    assert silent["source"] == "the log group"
    assert "logs:FilterLogEvents was refused: AccessDeniedException: no" in silent["answer"]
    with pytest.raises(AwsError, match="logs:FilterLogEvents was refused: AccessDeniedException"):
        past_runs(Together([Refused()]), since=SINCE, until=UNTIL)
