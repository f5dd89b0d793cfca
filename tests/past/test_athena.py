"""Athena: its SQL is run for real on log files, by sqlglot and DuckDB; what goes wrong goes wrong on paper."""

import gzip
import json
import random
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlglot
from paper_athena import BUCKET, PaperAws, deliver, key_of, refusal
from told_records import PLACES, RECORDS, SINCE, TRUE, UNTIL, arn, record, register, run, told

from ecs_runbook.errors import AwsError, EvidenceError, ParameterError, SessionError, WorkspaceError
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.past import athena_sql
from ecs_runbook.past.athena import Athena
from ecs_runbook.past.delivered import Root
from ecs_runbook.past.facts import facts_of_record, frame
from ecs_runbook.past.runs import past_runs
from ecs_runbook.past.sources import Window

WHOLE = Window(SINCE, UNTIL)


@pytest.fixture
def aws():
    return PaperAws(deliver(RECORDS))


def ask(aws, place=f"s3://{BUCKET}", **more):
    waits = []
    gate = Gate(limited=False, sleep=waits.append, jitter=lambda: 0.0)
    return Athena(aws, place, output="s3://results/ecs", gate=gate, **more)


def table(source):
    return past_runs(source, since=SINCE, until=UNTIL)


def test_its_rows_lead_to_the_facts_of_the_records_themselves(aws):
    inside = [one for one in RECORDS if one["eventTime"] < "2026-12"]
    of_records = frame(fact for one in inside for fact in facts_of_record(one))
    assert ask(aws).facts(WHOLE).facts.equals(of_records)
    assert told(table(ask(aws))) == TRUE


def test_results_come_page_by_page_and_the_first_row_of_the_first_page_is_no_record():
    aws = PaperAws(deliver(RECORDS), page=3)
    found = table(ask(aws))
    assert told(found) == TRUE
    assert "told of 14 records on 5 pages" in found.attrs["asked"][0]["answer"]
    assert aws.athena.counts["GetQueryResults"] == 5


def test_delivered_twice_and_in_another_order_the_table_is_the_same(aws):
    files = deliver(RECORDS)
    again = {key.replace("Z_0", "Z_1"): content for key, content in files.items()}
    several = list((files | again).items())
    random.Random(3).shuffle(several)
    assert table(ask(PaperAws(dict(several)))).to_csv() == table(ask(aws)).to_csv()


def test_a_file_is_looked_for_a_day_beyond_the_range_since_the_day_is_that_of_its_delivery():
    late = run(5, "2026-11-29T23:59:50Z", "e1", task="t1")
    aws = PaperAws({key_of(PLACES[0], "2026/11/30"): gzip.compress(json.dumps({"Records": [late]}).encode())})
    source = ask(aws)
    found = past_runs(source, since=SINCE, until=datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC))
    assert list(found["run"]) == ["t1"]


def test_of_what_was_run_only_the_range_is_told_and_of_revisions_what_stands_in_the_same_files():
    day = [register(5, "2026-11-04T01:00:00Z", "a"), run(5, "2026-11-04T02:00:00Z", "b", task="t1")]
    source = ask(PaperAws(deliver([*day, run(5, "2026-11-04T12:00:00Z", "c", task="t2")])))
    found = past_runs(source, since=datetime(2026, 11, 4, 6, tzinfo=UTC), until=datetime(2026, 11, 4, 18, tzinfo=UTC))
    assert [(row.run, row.state) for row in found.itertuples()] == [("t2", "LATEST")]


def test_the_table_is_made_the_first_time_and_not_again(aws):
    table(ask(aws))
    kinds = [re.match(r"\w+( \w+)?", one)[0].strip() for one in aws.athena.queries]
    assert [one.split("\n")[0] for one in kinds] == ["SELECT", "CREATE DATABASE", "CREATE EXTERNAL", "SELECT"]
    table(ask(aws))
    assert len(aws.athena.queries) == 5


def test_the_table_is_that_of_awss_docs_with_account_and_region_named_by_the_query(aws):
    """Source: AWS docs, the CloudTrail table with partition projection, and injected columns."""
    database, made = ask(aws, f"s3://{BUCKET}/AWSLogs").statements()
    assert database == "CREATE DATABASE IF NOT EXISTS `ecs_runbook`"
    assert sqlglot.parse_one(made, read="athena").key == "create"
    for line in (
        "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'",
        "STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'",
        "OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'",
        "PARTITIONED BY (`account` string, `region` string, `delivered` string)",
        "LOCATION 's3://logs/AWSLogs/'",
        "'projection.account.type' = 'injected'",
        "'projection.delivered.type' = 'date'",
        "'projection.delivered.format' = 'yyyy/MM/dd'",
        "'storage.location.template' = 's3://logs/AWSLogs/${account}/CloudTrail/${region}/${delivered}'",
        "`requestparameters` string",
        "`responseelements` string",
    ):
        assert line in made


def test_nothing_of_a_request_but_what_facts_need_is_written_to_the_results(aws):
    secret = register(7, "2026-11-10T10:00:00Z", "e20")
    secret["requestParameters"]["containerDefinitions"][0]["environment"] = [{"name": "PASSWORD", "value": "hunter2"}]
    aws.s3.files |= deliver([secret])
    ask(aws).facts(WHOLE)
    assert "hunter2" not in json.dumps([one["rows"] for one in aws.athena.made])


@pytest.mark.parametrize("given", ["audit", "audit/", "audit/AWSLogs", "audit/AWSLogs/o-a1b2c3d4e5"])
def test_the_files_of_an_organisation_are_found_below_its_id(given):
    aws = PaperAws(deliver(RECORDS, root="audit/AWSLogs/o-a1b2c3d4e5"))
    assert told(table(ask(aws, f"s3://{BUCKET}/{given}"))) == TRUE


def test_what_an_account_delivered_by_itself_is_asked_for_besides_what_the_organisation_did():
    own = [one for one in RECORDS if one["recipientAccountId"] == PLACES[0][0]]
    others = [one for one in RECORDS if one["recipientAccountId"] != PLACES[0][0]]
    aws = PaperAws(deliver(own) | deliver(others, root="AWSLogs/o-a1b2c3d4e5"))
    found = table(ask(aws))
    assert told(found) == TRUE
    assert len(aws.athena.tables) == 2


@pytest.mark.parametrize(
    ("place", "more"),
    [
        (f"s3://{BUCKET}/AWSLogs/444455556666", {}),
        (f"s3://{BUCKET}/AWSLogs/444455556666/CloudTrail/us-east-1/", {}),
        (f"s3://{BUCKET}", {"accounts": ["444455556666"]}),
        (f"s3://{BUCKET}", {"regions": ["us-east-1"]}),
    ],
)
def test_only_the_accounts_and_regions_that_are_asked_for_are_read(aws, place, more):
    found = table(ask(aws, place, **more))
    assert told(found) == TRUE[-1:]
    assert "111122223333" not in aws.athena.queries[-1]


def test_what_will_be_read_is_known_from_the_sizes_in_s3_and_told_with_what_was(aws):
    exact = sum(len(one) for key, one in aws.s3.files.items() if "/2026/11/" in key or "/2026/12/01" in key)
    estimate = ask(aws, dollars_per_tb=7.0).estimate(WHOLE)
    assert estimate.sizes.bytes == exact
    assert estimate.sizes.files == 12
    assert estimate.sizes.largest == sum(len(one) for key, one in aws.s3.files.items() if PLACES[0][0] in key)
    assert estimate.sizes.partitions == estimate.sizes.listed == 31 * 2
    assert estimate.dollars == pytest.approx(7.0 * 10 / 1_000_000)  # of each query 10 MB are paid for at least
    answer = table(ask(aws)).attrs["asked"][0]["answer"]
    assert f"it read {exact / 1000:.0f} kB for less than $0.01, where {exact / 1000:.0f} kB in 12 log files" in answer


def test_what_lies_in_glacier_is_named_since_athena_passes_it_over_without_a_word(aws):
    first, second, third, *_ = sorted(aws.s3.files)
    restored = {"RestoreStatus": {"IsRestoreInProgress": False, "RestoreExpiryDate": SINCE}}
    aws.s3.more = {
        first: {"StorageClass": "GLACIER"},
        second: {"StorageClass": "DEEP_ARCHIVE"} | restored,
        third: {"StorageClass": "GLACIER_IR"},
    }
    found = ask(aws).facts(WHOLE)
    assert [(one.name, one.why) for one in found.broken] == [
        ("s3://logs", "1 log file lies in S3 Glacier, not restored, which Athena passes over")
    ]
    assert ask(aws).estimate(WHOLE).sizes.files == 11


def test_of_very_many_folders_some_days_stand_for_all():
    days = [SINCE + timedelta(days=number) for number in range(20)]
    files = {key_of(PLACES[0], f"{day:%Y/%m/%d}", number): b"x" * 100 for day in days for number in range(3)}
    aws = PaperAws(files)
    delivered = ask(aws)._delivered(aws, Gate(limited=False))
    found = delivered.sizes(delivered.roots(), Window(days[0], days[-2]), most=5)
    assert (found.bytes, found.files, found.partitions, found.listed) == (6000, 60, 20, 5)
    assert str(found) == "6 kB in 60 log files, reckoned from 5 of 20 days"


def test_more_files_than_a_page_of_s3_holds_are_counted():
    aws = PaperAws({key_of(PLACES[0], "2026/11/04", number): b"x" * 10 for number in range(2500)})
    assert ask(aws).estimate(WHOLE).sizes.files == 2500


def test_what_would_cost_more_than_it_may_is_not_asked(aws):
    with pytest.raises(EvidenceError) as refused:
        ask(aws, most_dollars=0.00001).facts(WHOLE)
    assert re.match(
        r"Athena would read 7 kB in 12 log files, less than \$0.01, and most_dollars = 1e-05.", str(refused.value)
    )
    assert "raise most_dollars" in refused.value.hint
    assert aws.athena.queries == []


def test_what_turns_out_to_cost_more_is_stopped(aws):
    aws.athena.script = [{"looks": [10_000_000, 500_000_000_000, 900_000_000_000]}]
    with pytest.raises(
        EvidenceError, match=r"query 1 was stopped: it had read 500.0 GB, about \$2.50, and most_dollars = 2"
    ):
        ask(aws, most_dollars=2).facts(WHOLE)
    assert aws.athena.stopped == ["1"]


@pytest.mark.parametrize(
    ("state", "reason", "hint"),
    [
        ("FAILED", "SYNTAX_ERROR: line 1:8: Column 'eventnam' cannot be resolved", "Athena's console"),
        ("FAILED", "HIVE_CURSOR_ERROR: s3://logs/AWSLogs/x.json.gz: incorrect header check", "A log file is broken"),
        ("FAILED", "Access denied when writing to location: s3://results/ecs/1.csv (AccessDenied)", "docs/athena.md"),
        ("CANCELLED", "Bytes scanned limit was exceeded", "Athena's console"),
        ("CANCELLED", "", "Athena's console"),
    ],
)
def test_a_query_that_fails_gives_athenas_reason(aws, state, reason, hint):
    aws.athena.script = [{"State": state, "StateChangeReason": reason}]
    with pytest.raises(EvidenceError) as failed:
        ask(aws).facts(WHOLE)
    assert f"Athena's query 1 (SELECT …) {state}: {reason or 'it gave no reason'}." in str(failed.value)
    assert hint in failed.value.hint


def test_a_table_that_may_not_be_made_gives_athenas_reason(aws):
    missing = {
        "State": "FAILED",
        "StateChangeReason": "SCHEMA_NOT_FOUND: line 22:6: Schema 'ecs_runbook' does not exist",
    }
    denied = "User is not authorized to perform: glue:CreateDatabase"
    aws.athena.script = [missing, {"State": "FAILED", "StateChangeReason": denied}]
    with pytest.raises(
        EvidenceError, match=r"CREATE DATABASE IF NOT EXISTS `ecs_runbook`.* FAILED: User is not authorized"
    ):
        ask(aws).facts(WHOLE)


def test_whoever_interrupts_the_waiting_stops_the_query(aws):
    aws.athena.script = [{"looks": [0, KeyboardInterrupt()]}]
    with pytest.raises(KeyboardInterrupt):
        ask(aws).facts(WHOLE)
    assert aws.athena.stopped == ["1"]


def test_a_query_that_does_not_end_is_stopped(aws, monkeypatch):
    monkeypatch.setattr("ecs_runbook.past.athena.PATIENCE_SECONDS", 60.0)
    aws.athena.script = [{"looks": [0] * 1000}]
    with pytest.raises(EvidenceError, match="query 1 was RUNNING after 60 seconds, and was stopped"):
        ask(aws).facts(WHOLE)
    assert aws.athena.stopped == ["1"]


def test_throttling_is_waited_out(aws):
    aws.athena.throttled.update(StartQueryExecution=3, GetQueryExecution=2, GetQueryResults=4)
    waits = []
    gate = Gate(limited=False, sleep=waits.append, jitter=lambda: 1.0)
    assert told(table(Athena(aws, f"s3://{BUCKET}", gate=gate))) == TRUE
    assert sum(waits) > 5
    assert gate.throttled["athena:StartQueryExecution"] == 3


def test_a_bucket_that_may_not_be_listed_is_told_in_awss_words(aws):
    def denied(**_):
        raise refusal("AccessDenied", "Access Denied", "ListObjectsV2")

    aws.s3.list_objects_v2 = denied
    with pytest.raises(AwsError) as refused:
        ask(aws).facts(WHOLE)
    assert (refused.value.code, refused.value.hint) == ("AccessDenied", "The caller needs s3:ListBucket.")
    assert "AccessDenied: Access Denied (s3://logs/AWSLogs/)" in str(refused.value)


@pytest.mark.parametrize(
    ("place", "more", "words"),
    [
        (f"s3://{BUCKET}/elsewhere", {}, "No log files of CloudTrail are under s3://logs/elsewhere/AWSLogs/."),
        (
            f"s3://{BUCKET}",
            {"accounts": ["999999999999"]},
            "No log files of CloudTrail of 999999999999 are under s3://logs/AWSLogs/.",
        ),
    ],
)
def test_where_no_log_files_are_it_says_so(aws, place, more, words):
    with pytest.raises(EvidenceError) as missing:
        ask(aws, place, **more).facts(WHOLE)
    assert words in str(missing.value)
    assert "describe-trails" in missing.value.hint


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"place": "logs"}, WorkspaceError, "'logs' is no place in S3."),
        ({"place": "s3://logs/it's"}, WorkspaceError, "has a character that is not put into a query"),
        ({"place": "s3://logs/${account}"}, WorkspaceError, "has a character that is not put into a query"),
        ({"output": "results"}, WorkspaceError, "output = 'results' is no place in S3."),
        ({"database": "a`b"}, ParameterError, "database = 'a`b' is no name for Athena."),
        ({"workgroup": ""}, ParameterError, "workgroup = '' is no name of a workgroup."),
        ({"most_dollars": 0}, ParameterError, "most_dollars = 0 lets no question through."),
        ({"accounts": ["1' OR '1'='1"]}, SessionError, "is not an account id."),
        ({"regions": ["eu"]}, SessionError, "'eu' is not the name of a Region."),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is(aws, more, error, words):
    with pytest.raises(error) as refused:
        Athena(aws, **({"place": f"s3://{BUCKET}"} | more)).facts(WHOLE)
    assert words in str(refused.value)
    assert refused.value.hint
    assert aws.athena.queries == []


def test_an_answer_that_is_no_json_is_named_and_the_rest_is_read(aws):
    row = dict.fromkeys(athena_sql.RESULT_COLUMNS) | {"eventname": "RunTask", "eventid": "e9", "answer": "{cut"}
    good = row | {
        "eventid": "e8",
        "eventtime": "2026-11-04T02:00:00Z",
        "answer": "null",
        "errorcode": "ClientException",
    }
    rows = [list(athena_sql.RESULT_COLUMNS), list(row.values()), list(good.values())]
    aws.athena._run = lambda _: {"rows": rows}
    found = ask(aws).facts(WHOLE)
    assert [(one.name, one.why) for one in found.broken] == [("event e9", "its responseElements are not JSON")]
    assert list(found.facts["event_id"]) == ["e8"]


def test_odd_records_give_the_same_facts_by_athena_as_by_themselves():
    odd = [
        record("RunTask", "2026-11-05T02:00:00Z", "o1", asked=None, answer=None),
        record("RunTask", "2026-11-05T02:00:01Z", "o2", asked={}, answer={"tasks": None, "failures": None}),
        record(
            "RegisterTaskDefinition",
            "2026-11-05T02:00:02Z",
            "o3",
            asked={"family": "nightly"},
            answer={"omitted": True},
        ),
        record(
            "DeregisterTaskDefinition",
            "2026-11-05T02:00:03Z",
            "o4",
            asked={"taskDefinition": arn("task-definition", "a:1")},
        ),
        record("RunTask", "2026-11-05T02:00:04Z", "o5", errorCode="ClientException", errorMessage="it's \"odd\"\n{'}"),
        record(
            "RunTask", "2026-11-05T02:00:05Z", "o6", asked={"taskDefinition": "ärger", "startedBy": "events-rule/ü\"'"}
        ),
    ]
    del odd[0]["userIdentity"]["sessionContext"], odd[1]["userIdentity"]["arn"], odd[5]["sourceIPAddress"]
    found = ask(PaperAws(deliver(odd))).facts(WHOLE)
    assert found.facts.equals(frame(fact for one in odd for fact in facts_of_record(one)))
    assert len(found.facts) == 6


def test_each_place_has_a_table_of_its_own():
    names = {athena_sql.table_name(Root(*one)) for one in (("a", "AWSLogs"), ("b", "AWSLogs"), ("a", "x/AWSLogs"))}
    assert len(names) == 3


def test_a_few_files_tell_how_many_records_there_are_and_how_many_of_them_count(aws):
    aws.s3.files[key_of(PLACES[0], "2026/11/20")] = b"no gzip" * 3  # passed over, as what cannot be read tells nothing
    delivered = ask(aws)._delivered(aws, Gate(limited=False))
    sizes = delivered.sizes(delivered.roots(), WHOLE)
    share = delivered.peek(sizes)
    # of 15 records before the first of December 14 count: not the DescribeTasks, in whose request RunTask is a word
    assert share.records * sizes.bytes == pytest.approx(15, rel=0.5)
    assert 0.5 < share.about_runs / share.records <= 1
    assert sizes.first == SINCE.date()


def test_where_no_file_may_be_read_nobody_says_how_many_records_there_are(aws):
    def denied(**_):
        raise refusal("AccessDenied", "Access Denied", "GetObject")

    aws.s3.get_object = denied
    delivered = ask(aws)._delivered(aws, Gate(limited=False))
    assert delivered.peek(delivered.sizes(delivered.roots(), WHOLE)) is None
