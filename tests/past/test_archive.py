"""An archive: what is kept is there whole, once, for everybody who reads Parquet."""

import json
import random
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from told_records import PLACES, RECORDS, SINCE, TRUE, UNTIL, run, told

from ecs_runbook.errors import SpecError, WorkspaceError
from ecs_runbook.past.archive import Archive, athena_tables, duckdb_view
from ecs_runbook.past.facts import FACT_COLUMNS, facts_of_record, frame
from ecs_runbook.past.runs import past_runs
from ecs_runbook.past.sources import Window

WINDOW = Window(SINCE, UNTIL)
FACTS = frame(fact for record in RECORDS for fact in facts_of_record(record))
EVER = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
DAYS = [
    run(5, f"2026-{month:02}-{day:02}T02:00:12Z", f"d{month}-{day}", task=f"d{month}-{day}")
    for month in range(1, 13)
    for day in range(1, 29, 9)
]

CHILD = """
import json, os, signal, sys
sys.path[:0] = {path!r}
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.facts import facts_of_record, frame
from test_archive import DAYS
place, begin, end, dies_at = sys.argv[1], *map(int, sys.argv[2:])
facts = frame(fact for record in DAYS[begin:end] for fact in facts_of_record(record))
sync, done = os.fsync, []
def die(handle):
    sync(handle)
    done.append(handle)
    if len(done) == dies_at:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = die
print("ready", flush=True)
sys.stdin.readline()
print(Archive(place).keep(facts).new, flush=True)
"""
READER = """
import sys
from datetime import UTC, datetime
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.sources import Window
ever = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
print(Archive(sys.argv[1]).facts(ever).facts["event_id"].nunique())
print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
"""


def child(place, begin, end, dies_at=0):
    code = CHILD.format(path=[str(Path(__file__).parent)])
    arguments = [sys.executable, "-c", code, str(place), str(begin), str(end), str(dies_at)]
    started = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdout.readline() == "ready\n"
    return started


def files(place):
    return sorted(path for path in Path(place).rglob("*") if path.is_file())


def count(place):
    return duckdb.sql(f"select count(*) from '{place}/*/*/*/*.parquet'").fetchall()[0][0]


def of(records):
    return frame(fact for record in records for fact in facts_of_record(record))


def test_what_was_kept_tells_the_same_as_the_records(tmp_path):
    kept = Archive(str(tmp_path)).keep(FACTS)
    assert (kept.new, kept.known) == (len(FACTS), 0)
    assert told(past_runs(Archive(str(tmp_path)), since=SINCE, until=UNTIL)) == TRUE
    assert Archive(str(tmp_path)).facts(EVER).facts.equals(FACTS)


def test_what_is_kept_again_is_neither_written_nor_doubled(tmp_path):
    archive = Archive(str(tmp_path))
    archive.keep(FACTS)
    before = {path: path.read_bytes() for path in files(tmp_path)}
    kept = archive.keep(FACTS)
    assert (kept.new, kept.known, kept.where) == (0, len(FACTS), [])
    assert {path: path.read_bytes() for path in files(tmp_path)} == before
    assert count(tmp_path) == len(FACTS)


def test_overlapping_looks_in_any_order_come_to_the_same_and_no_row_is_there_twice(tmp_path):
    looks = [RECORDS[start : start + 5] for start in range(0, len(RECORDS), 3)] * 2
    random.Random(3).shuffle(looks)
    archive = Archive(str(tmp_path))
    assert sum(archive.keep(of(look)).new for look in looks) == len(FACTS)
    assert count(tmp_path) == len(FACTS)
    assert archive.facts(EVER).facts.equals(FACTS)


def test_revisions_are_told_of_however_old_they_are_and_of_runs_those_of_the_range(tmp_path):
    archive = Archive(str(tmp_path))
    archive.keep(FACTS)
    later = archive.facts(Window(datetime(2026, 12, 1, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)))
    assert set(later.facts["what"]) == {"call", "registered", "deregistered"}
    assert later.facts.loc[later.facts["what"] == "call", "event_id"].tolist() == ["e15"]
    assert later.facts.loc[later.facts["what"] == "registered", "event_id"].tolist() == ["e02", "e04", "e13"]
    assert later.asked[0]["answer"] == "told of 5 facts in 3 files"


def test_accounts_and_regions_can_be_chosen(tmp_path):
    Archive(str(tmp_path)).keep(FACTS)
    one = Archive(str(tmp_path), accounts=[PLACES[1][0]]).facts(EVER)
    assert set(one.facts["account"]) == {PLACES[1][0]}
    other = Archive(str(tmp_path), regions=[PLACES[0][1]]).facts(EVER)
    assert set(other.facts["region"]) == {PLACES[0][1]}


def test_duckdb_reads_it_as_it_was_kept_accounts_with_their_zeros(tmp_path):
    facts = FACTS.assign(account=FACTS["account"].replace(PLACES[0][0], "001122223333"))
    Archive(str(tmp_path)).keep(facts)
    with duckdb.connect() as database:
        database.execute(duckdb_view(str(tmp_path)))
        told_of = dict(database.sql("select account, count(*) from facts group by account").fetchall())
        types = dict(database.sql("select column_name, column_type from (describe facts)").fetchall())
    assert told_of == {"001122223333": 13, PLACES[1][0]: 2}
    kinds = {"varchar": "VARCHAR", "bigint": "BIGINT", "timestamptz": "TIMESTAMP WITH TIME ZONE"}
    assert types == {name: kinds[kind] for name, kind in FACT_COLUMNS.items()} | {"month": "VARCHAR"}


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20), st.sampled_from([None, "2026-11-03T02:00:12Z"]))))
def test_whatever_stands_in_records_is_kept_and_told(tmp_path_factory, odd):
    records = [run(5, time, text, task=text, by=text) | {"recipientAccountId": account} for text, account, time in odd]
    place = tmp_path_factory.mktemp("odd")
    assert Archive(str(place)).keep(of(records)).new == len(of(records))
    assert Archive(str(place)).facts(EVER).facts.equals(of(records))
    assert Archive(str(place)).keep(of(records)).new == 0


def test_a_text_that_utf_8_cannot_say_is_kept_all_the_same(tmp_path):
    record = json.loads(json.dumps(RECORDS[8]).replace("is not authorized", "is \\ud800 not authorized"))
    Archive(str(tmp_path)).keep(of([record]))
    (error,) = Archive(str(tmp_path)).facts(EVER).facts["error"]
    assert "is \N{REPLACEMENT CHARACTER} not authorized to perform: ecs:RunTask" in error


def test_no_name_in_a_record_leads_out_of_the_archive(tmp_path):
    record = RECORDS[0] | {"recipientAccountId": "../../..", "awsRegion": "/tmp"}
    (where,) = Archive(str(tmp_path / "inside")).keep(of([record])).where
    assert Path(where).is_relative_to(tmp_path / "inside")
    assert files(tmp_path) == [Path(where)]
    assert Archive(str(tmp_path / "inside")).facts(EVER).facts.equals(of([record]))


def test_a_writer_killed_in_the_middle_leaves_whole_files_and_the_next_goes_on(tmp_path):
    killed = child(tmp_path, 0, len(DAYS), dies_at=5)
    assert killed.communicate("go\n")[0] == ""
    assert killed.returncode == -signal.SIGKILL
    assert count(tmp_path) == 4 * 4  # a file a month, and the fifth was not there yet
    kept = Archive(str(tmp_path)).keep(of(DAYS))
    assert (kept.new, kept.known) == (len(DAYS) - 16, 16)
    assert count(tmp_path) == len(DAYS)
    assert Archive(str(tmp_path)).facts(EVER).facts.equals(of(DAYS))


def test_two_writers_at_once_lose_nothing_and_what_both_wrote_is_told_once(tmp_path):
    writers = [child(tmp_path, 0, 34), child(tmp_path, 14, len(DAYS))]
    for one in writers:
        one.stdin.write("go\n")
        one.stdin.flush()
    assert all(one.communicate()[0].strip().isdigit() for one in writers)
    found = Archive(str(tmp_path)).facts(EVER)
    assert found.facts.equals(of(DAYS))
    assert found.broken == []
    with duckdb.connect() as database:
        database.execute(duckdb_view(str(tmp_path)))
        assert database.sql("select count(*) from facts").fetchall() == [(len(DAYS),)]


def test_what_cannot_be_read_is_named_and_the_rest_is_told(tmp_path):
    archive = Archive(str(tmp_path))
    archive.keep(FACTS)
    whole = next(path for path in files(tmp_path) if "month=2026-12" in str(path))
    cut = whole.with_name(whole.name.replace("20261201T020012Z-2", "20261101T020012Z-2"))
    cut.write_bytes(whole.read_bytes()[:300])
    other = whole.with_name("runs-20261101T000000Z-20261201T000000Z-0123456789abcdef.parquet")
    duckdb.sql(f"copy (select 1 as one) to '{other}'")
    foreign = tmp_path / "mine.parquet"
    foreign.write_bytes(whole.read_bytes())
    found = archive.facts(EVER)
    assert found.facts.equals(FACTS)
    why = {Path(one.name).name: one.why for one in found.broken}
    assert set(why) == {cut.name, other.name, foreign.name}
    assert why[foreign.name] == "its name is not that of an archive's file"
    assert '"time"' in why[other.name]
    assert found.asked[0]["answer"] == "told of 15 facts in 5 files; 3 more could not be read"


def test_a_place_that_is_none_is_said_to_be_none(tmp_path):
    with pytest.raises(WorkspaceError, match="nowhere is no folder"):
        Archive(str(tmp_path / "nowhere")).facts(EVER)
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(WorkspaceError, match=r"'ftp://x' is no place for files\."):
        Archive("ftp://x").facts(EVER)
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match="cannot be made"):
        Archive(str(tmp_path / "file")).keep(FACTS)


def test_what_athena_is_told_is_what_the_files_hold(tmp_path):
    Archive(str(tmp_path)).keep(FACTS)
    made, _ = athena_tables("s3://kept/ecs/", ["444455556666", "111122223333"], ["eu-west-1"], database="ops")
    assert made.startswith("CREATE EXTERNAL TABLE IF NOT EXISTS `ops`.`ecs_facts` (")
    assert "'projection.account.values' = '111122223333,444455556666'" in made
    assert "'s3://kept/ecs/account=${account}/region=${region}/month=${month}'" in made
    columns = [line.split("`")[1:] for line in made.split("PARTITIONED")[0].splitlines() if line.startswith("  `")]
    kinds = {"string": "VARCHAR", "bigint": "BIGINT", "timestamp": "TIMESTAMP WITH TIME ZONE"}
    kept = duckdb.sql(f"describe select * from read_parquet('{files(tmp_path)[0]}', hive_partitioning = false)")
    assert [(name, kinds[kind.strip(" ,")]) for name, kind in columns] == [row[:2] for row in kept.fetchall()]


@pytest.mark.parametrize(
    ("place", "more", "words"),
    [
        ("kept", {}, "place = 'kept' is not in S3"),
        ("s3://kept/ecs", {"table": "a`b"}, "table = 'a`b' is no name"),
        ("s3://kept/ecs", {"database": "Ops"}, "database = 'Ops' is no name"),
        ("s3://kept/ecs", {"accounts": ["1'2"]}, r"""accounts = \["1'2"\] will not do"""),
        ("s3://kept/ecs", {"regions": []}, r"regions = \[\] will not do"),
        ("s3://kept/it's", {}, r"""place = "s3://kept/it's" has a quote in it"""),
    ],
)
def test_nothing_of_a_name_becomes_code(place, more, words):
    given_ones = {"accounts": ["111122223333"], "regions": ["eu-west-2"]} | more
    with pytest.raises(SpecError, match=words):
        athena_tables(place, given_ones.pop("accounts"), given_ones.pop("regions"), **given_ones)


# a child's ru_maxrss begins with its parent's, so the kernel is asked what this one alone had at most
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_two_hundred_thousand_facts_are_read_in_little_memory(tmp_path):
    Archive(str(tmp_path / "one")).keep(of(RECORDS[:1]))
    (one,) = files(tmp_path / "one")
    folder = tmp_path / "many" / one.parent.relative_to(tmp_path / "one")
    folder.mkdir(parents=True)
    with duckdb.connect() as database:
        database.execute(
            f"""copy (select * replace (md5(n::varchar) as event_id, task || md5(n::varchar) as task,
                 "time" + to_seconds(n) as "time") from read_parquet('{one}', hive_partitioning = false),
                 range(200000) as numbers(n))
                 to '{folder}/runs-20261101T000000Z-20261130T000000Z-0123456789abcdef.parquet'"""
        )
    told_of = subprocess.check_output([sys.executable, "-c", READER, str(tmp_path / "many")], text=True)
    rows, kilobytes = map(int, told_of.split())
    assert rows == 200_000
    assert kilobytes < 480_000
