"""Delivered log files in a folder: the same table as of the records themselves, whatever lies beside them."""

import gzip
import os
import random
import shutil
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psutil
import pytest
from told_records import RECORDS, SINCE, TRUE, UNTIL, record, run, told
from trail_folder import deliver, files, key, packed

from ecs_runbook.errors import EvidenceError
from ecs_runbook.past import cache as caching
from ecs_runbook.past import log_files, readers
from ecs_runbook.past.facts import facts_of_record, frame
from ecs_runbook.past.log_files import LogFiles
from ecs_runbook.past.readers import Read, Readers, cores
from ecs_runbook.past.runs import past_runs
from ecs_runbook.past.sources import Told, Window

WINDOW = Window(SINCE, UNTIL)


class Given:
    name = "given"

    def __init__(self, records=RECORDS):
        self.records = records

    def facts(self, _window, _progress=None):
        return Told(frame(fact for one in self.records for fact in facts_of_record(one)))


class Rows:
    """Where progress goes, kept."""

    def __init__(self):
        self.rows = []

    def row(self, key, done, note=""):
        self.rows.append((key, done, note))


def table(source, **more):
    return past_runs(source, since=SINCE, until=UNTIL, **more)


def broken(found):
    return {one["name"].rpartition("/")[2]: one["why"] for one in found.attrs["broken"]}


def answer(found):
    return found.attrs["asked"][0]["answer"]


@pytest.fixture
def logs(tmp_path):
    deliver(tmp_path / "logs", files())
    return tmp_path / "logs"


@pytest.fixture
def source(logs, tmp_path):
    return LogFiles(str(logs), cache=str(tmp_path / "cache"))


def test_a_folder_of_log_files_tells_what_the_records_tell(source):
    found = table(source)
    assert told(found) == TRUE
    assert found.to_csv() == table(Given()).to_csv()
    assert found.attrs["broken"] == []
    (asked,) = found.attrs["asked"]
    assert asked["source"] == f"log files in {source.place}"
    assert f"with {len(RECORDS)} records" in asked["answer"]


def test_a_record_that_does_not_tell_when_it_was_is_named_the_first_time_and_the_second(source, logs):
    name = next(iter(files())).replace(".json.gz", "-2.json.gz")
    deliver(logs, {name: packed([run(5, None, "e99", task="t")])})
    for _ in range(2):
        found = table(source)
        assert told(found) == TRUE
        assert broken(found) == {"event e99": "its record does not tell when it was"}


def test_delivered_twice_late_and_in_no_order_the_table_is_the_same_byte_by_byte(logs, tmp_path):
    chance = random.Random(3)
    for number in range(3):
        shuffled = chance.sample(RECORDS, len(RECORDS))
        halves = shuffled[:9], shuffled[6:]
        late = [key(one[0], late=timedelta(hours=number), rest=f"again{number}") for one in halves]
        deliver(logs, {name: packed(half) for name, half in zip(late, halves, strict=True)})
    found = table(LogFiles(str(logs), cache=None, processes=0))
    assert found.to_csv() == table(Given()).to_csv()
    assert f"with {len(RECORDS) + 3 * (9 + 10)} records" in answer(found)


def spoilt():
    """Return every kind of file that cannot be read, by its name, and what is said of it."""
    good = packed([run(9, "2026-11-03T03:00:00Z", "never", task="never")])
    large = b'{"Records":[{"eventVersion":"1.11","eventName":"PutObject","requestParameters":"%s"}]}' % (b"x" * 10**8)
    huge = b'{"Records":[{"eventName":"RunTask","requestParameters":"%s"}]}' % (b"y" * 10**8)
    return {
        "cut.json.gz": (good[: len(good) // 2], "ends in the middle: "),
        "no-end.json.gz": (good[:-3], "ends in the middle: "),
        "text.json.gz": (b"not gzip at all", "is neither gzip nor JSON"),
        "empty.json.gz": (b"", "is empty"),
        "zeros.json.gz": (b"\0" * 4096, "holds nothing but zero bytes"),
        "flipped.json.gz": (good[:-6] + bytes([good[-6] ^ 1]) + good[-5:], "is damaged gzip: "),
        "foreign.json.gz": (
            gzip.compress(b'{"configurationItems":[]}'),
            "is JSON of something else: it has no Records",
        ),
        "null.json.gz": (gzip.compress(b'{"Records":null}'), "is JSON of something else: "),
        "nan.json.gz": (gzip.compress(b'{"Records":[{"a":NaN}]}'), "is not JSON: "),
        "latin.json.gz": (gzip.compress(b'{"Records":[{"a":"\xe9"}]}'), "is not JSON: it is not UTF-8"),
        "hundred-megabytes-of-run-task.json.gz": (gzip.compress(huge, 1), "has a record of more than 16 MB"),
        "bomb.json.gz": (gzip.compress(b" " * (2**27 + 1), 1), "holds more than 128 MB"),
        "hundred-megabytes-of-another.json.gz": (gzip.compress(large, 1), ""),
    }


def test_of_a_folder_with_every_kind_of_broken_file_the_rest_is_read_and_each_is_named(logs, tmp_path):
    day = key(RECORDS[2]).rpartition("/")[0]
    kinds = spoilt()
    deliver(logs, {f"{day}/{name}": content for name, (content, _) in kinds.items()})
    deliver(logs, {f"{day}/readme.txt": b"x", f"{day.replace('CloudTrail', 'CloudTrail-Digest')}/d.json.gz": b"x"})
    (logs / day / "again").symlink_to(logs)
    (logs / day / "nowhere.json.gz").symlink_to(tmp_path / "nowhere")
    os.mkfifo(logs / day / "pipe.json.gz")
    found = table(LogFiles(str(logs), cache=str(tmp_path / "cache"), processes=2))
    assert found.to_csv() == table(Given()).to_csv()
    why = broken(found)
    assert f"; {len(why)} files could not be read" in answer(found)
    assert why.pop("nowhere.json.gz") == "cannot be read: No such file or directory"
    assert why.pop("pipe.json.gz") == "is no file"
    assert why.keys() == {name for name, (_, words) in kinds.items() if words}
    for name, words in why.items():
        assert words.startswith(kinds[name][1]), name
    assert "1 of other names were passed over" in answer(found)
    again = table(LogFiles(str(logs), cache=str(tmp_path / "cache"), processes=0))
    assert broken(again).keys() == {*why, "nowhere.json.gz", "pipe.json.gz"}  # told every time, until they are mended


def test_words_that_were_cut_within_a_letter_are_told_as_every_source_tells_them(tmp_path):
    words = {"errorCode": "AccessDenied", "errorMessage": "User: \ud83d", "responseElements": None}
    records = [*RECORDS, record("RunTask", "2026-11-10T02:00:12Z", "e50", **words)]
    deliver(tmp_path / "logs", files(records))
    found = table(LogFiles(str(tmp_path / "logs"), cache=str(tmp_path / "cache")))
    assert len(found) == len(TRUE) + 1
    assert found.to_csv() == table(Given(records)).to_csv()


def test_a_file_that_was_half_copied_counts_once_it_is_whole(logs, source):
    name = key(RECORDS[2])
    whole = (logs / name).read_bytes()
    (logs / name).write_bytes(whole[:-20])
    assert list(broken(table(source))) == [name.rpartition("/")[2]]
    (logs / name).write_bytes(whole)
    assert told(table(source)) == TRUE


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (PermissionError(13, "Permission denied"), "cannot be read: Permission denied"),
        (FileNotFoundError(2, "No such file"), "has gone since it was listed"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
        (MemoryError(), "does not fit into the memory"),
    ],
)
def test_a_file_that_cannot_be_opened_is_told_and_stops_nothing(source, monkeypatch, error, why):
    content, name = readers._content, key(RECORDS[0])

    def opened(path):
        if path.endswith(name):
            raise error
        return content(path)

    monkeypatch.setattr(readers, "_content", opened)
    found = table(source)
    assert broken(found) == {name.rpartition("/")[2]: why}
    assert told(found) == TRUE[1:]


def read_anew(found):
    return int(answer(found).split("; ")[1].partition(" of them")[0])


def test_the_second_question_opens_no_file_and_a_third_only_what_is_new(logs, source, monkeypatch):
    many = len(files())
    assert read_anew(table(source)) == many
    assert read_anew(table(source)) == 0
    monkeypatch.setattr(readers, "read", lambda file: pytest.fail(f"{file} was opened"))
    again = table(source)
    assert again.to_csv() == table(Given()).to_csv()
    assert f"with {len(RECORDS)} records" in answer(again)
    monkeypatch.undo()
    more = run(5, "2026-11-06T03:00:12Z", "e99", task="t99")
    deliver(logs, {key(more): packed([more])})
    third = table(source)
    assert (read_anew(third), len(third)) == (1, len(TRUE) + 1)


def test_a_file_that_was_replaced_is_read_anew_and_one_that_is_gone_does_not_count(logs, source):
    table(source)
    name = key(RECORDS[0])
    (logs / name).write_bytes(packed([run(3, RECORDS[0]["eventTime"], "e01", task="t01")]))
    found = table(source)
    assert (read_anew(found), told(found)[0][4]) == (1, 3)
    (logs / name).unlink()
    assert told(table(source)) == TRUE[1:]


def parquet(source):
    return sorted(Path(source.cache).rglob("*.parquet"))


def test_a_cache_that_is_damaged_is_thrown_away_with_a_word_and_all_is_read_again(source):
    table(source)
    for path in parquet(source):
        path.write_bytes(path.read_bytes()[:-9])
    found = table(source)
    assert told(found) == TRUE
    assert "was damaged and was thrown away" in answer(found)
    assert read_anew(found) == len(files())
    assert "thrown away" not in answer(table(source))


def test_a_cache_of_an_earlier_version_is_thrown_away_with_a_word(source, monkeypatch):
    monkeypatch.setattr(caching, "form", lambda: "earlier")
    table(source)
    monkeypatch.undo()
    found = table(source)
    assert "what an earlier version had read was thrown away" in answer(found)
    assert not list(Path(source.cache).rglob("facts-earlier"))
    assert read_anew(table(source)) == 0


def test_many_small_files_of_the_cache_become_one_and_say_the_same(source, monkeypatch):
    monkeypatch.setattr(log_files, "_BATCH_FACTS", 1)
    monkeypatch.setattr(caching, "_FEW", 3)
    table(source)
    assert len(parquet(source)) == 1
    found = table(source)
    assert (found.to_csv(), read_anew(found)) == (table(Given()).to_csv(), 0)


def test_read_in_several_parts_the_table_is_the_same(source, monkeypatch):
    monkeypatch.setattr(caching, "_AT_ONCE", 1)
    assert table(source).to_csv() == table(Given()).to_csv()


def test_files_that_another_process_puts_together_meanwhile_are_listed_again(source, monkeypatch):
    table(source)
    paths, listings = caching.Cache._paths, iter(range(100))

    def late(cache):
        found = paths(cache)
        return found if next(listings) != 1 else [*found, found[0].with_name("gone.parquet")]

    monkeypatch.setattr(caching.Cache, "_paths", late)
    found = table(source)
    assert (found.to_csv(), read_anew(found)) == (table(Given()).to_csv(), 0)


def test_what_stays_behind_when_files_were_put_together_and_not_removed_changes_nothing(source, tmp_path):
    table(source)
    for path in parquet(source):
        shutil.copy(path, path.with_name(f"copy-{path.name}"))
    found = table(source)
    assert (found.to_csv(), read_anew(found)) == (table(Given()).to_csv(), 0)


KILLED = """
import sys, threading
from datetime import datetime, UTC
from pathlib import Path
from ecs_runbook.past import log_files, places
from ecs_runbook.past.runs import past_runs

logs, cache, sign = sys.argv[1:]
log_files._BATCH_FACTS = 3
path_of, asked = places.Folder.content, []

def content(self, file):
    asked.append(file)
    if len(asked) > 6:
        threading.Event().wait()
    return path_of(self, file)

places.Folder.content = content
keep = log_files.Cache.keep

def kept(self, batch):
    keep(self, batch)
    Path(sign).write_text("something is kept")

log_files.Cache.keep = kept
log_files._FEW_BYTES = 0
source = log_files.LogFiles(logs, cache=cache, processes=2)
past_runs(source, since=datetime(2026, 11, 1, tzinfo=UTC), until=datetime(2026, 11, 30, tzinfo=UTC))
"""


def wait_for(path, process):
    look = threading.Event()
    while not path.exists():
        assert process.poll() is None, "it ended by itself"
        look.wait(0.01)


def test_killed_in_the_middle_it_goes_on_where_it_was_and_nothing_is_lost_or_doubled(source, tmp_path):
    sign, script = tmp_path / "sign", tmp_path / "killed.py"
    script.write_text(KILLED)
    process = subprocess.Popen([sys.executable, str(script), source.place, source.cache, str(sign)])
    wait_for(sign, process)
    its_readers = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    gone, alive = psutil.wait_procs(its_readers, timeout=10)
    assert (len(gone), alive) == (2, [])
    found = table(source)
    assert found.to_csv() == table(Given()).to_csv()
    assert 0 < read_anew(found) < len(files())
    assert f"with {len(RECORDS)} records" in answer(found)


def test_interrupted_it_keeps_what_it_has_read_and_stops_the_others(source, monkeypatch):
    monkeypatch.setattr(log_files, "_FEW_BYTES", 0)
    processes = []

    class Impatient(Rows):
        def row(self, key, done, note=""):
            super().row(key, done, note)
            if len(self.rows) == 3:
                processes.extend(psutil.Process().children())
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        source.facts(WINDOW, Impatient())
    assert len(processes) == cores()
    assert not any(one.is_running() for one in processes)
    found = table(source)
    assert (read_anew(found), found.to_csv()) == (len(files()) - 3, table(Given()).to_csv())


def test_a_reader_that_ends_is_replaced_and_its_file_is_told_of():
    content = packed(RECORDS)
    with Readers(1) as some:
        assert some.read(content).records == len(RECORDS)
        (process,) = some._running
        process.kill()
        process.wait()
        assert some.read(content) == Read(why="ended the process that read it, with exit code -9; is the memory full?")
        assert some.read(content) == readers.read(content)


def test_progress_is_told_in_bytes_and_ends_whole(source):
    rows = Rows()
    source.facts(WINDOW, rows)
    shares = [done for _, done, _ in rows.rows]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    many, size = len(files()), sum(map(len, files().values()))
    assert rows.rows[-1] == ("log files", 1, f"{many} of {many} files, {size / 1e6:,.1f} MB")


def test_only_the_days_of_the_range_and_one_beyond_are_read(logs, tmp_path):
    far = {
        key(run(1, f"2026-{month}-{day}T02:00:00Z", "far", task="far")): b""
        for month, day in (("10", "30"), ("11", "09"), ("12", "01"))
    }
    deliver(logs, far)
    source = LogFiles(str(logs), cache=str(tmp_path / "cache"))
    window = Window(SINCE + timedelta(days=2), SINCE + timedelta(days=6))
    told_of = source.facts(window)
    days = sorted({name.split("/")[-2] for name in files() if "03" <= name.split("/")[-2] <= "08"})
    assert days == ["03", "04", "05", "06", "07", "08"]
    assert not told_of.broken
    assert sum(name.split("/")[-2] in days for name in files()) == read_anew_of(told_of)
    late = run(5, "2026-11-07T23:30:00Z", "e77", task="t77")
    deliver(logs, {key(late, late=timedelta(hours=1)): packed([late])})
    assert "t77" in table(source)["run"].to_list()


def read_anew_of(told_of):
    return int(told_of.asked[0]["answer"].split("; ")[1].partition(" of them")[0])


def test_the_zone_in_which_a_range_is_said_chooses_no_other_files(source, logs):
    late = run(6, "2026-11-03T20:00:00Z", "e98", task="late")
    deliver(logs, {key(late): packed([late])})
    tokyo = timezone(timedelta(hours=9))
    since = datetime(2026, 11, 4, 1, tzinfo=tokyo)  # the 3rd, by the folders' days
    found = past_runs(source, since=since, until=since + timedelta(hours=8))
    assert list(found["run"]) == ["late"]


def test_accounts_and_regions_choose_among_the_folders(logs):
    accounts = LogFiles(str(logs), cache=None, accounts=["444455556666"])
    assert told(table(accounts)) == [row for row in TRUE if row[0] == "444455556666"]
    regions = LogFiles(str(logs), cache=None, regions=["eu-west-1"])
    assert told(table(regions)) == [row for row in TRUE if row[0] == "111122223333"]
    none = table(LogFiles(str(logs), cache=None, regions=["eu-west-9"]))
    assert "no log file of this time range lies there, of the accounts and Regions that were asked for" in answer(none)


@pytest.mark.parametrize("depth", range(1, 8))
def test_a_place_may_be_on_any_level_of_the_layout(logs, depth):
    (folder,) = {Path(*Path(key(RECORDS[2])).parts[:depth])}
    found = table(LogFiles(str(logs / folder), cache=None))
    assert ("t03" in found["run"].to_list(), found.attrs["broken"]) == (True, [])


def test_files_that_lie_elsewise_are_all_read(tmp_path):
    flat = {Path(name).name: content for name, content in files().items()}
    other = {f"copied/{number}.json": gzip.decompress(content) for number, content in enumerate(flat.values())}
    for number, contents in enumerate((flat, other)):
        deliver(tmp_path / str(number), contents)
        assert told(table(LogFiles(str(tmp_path / str(number)), cache=None))) == TRUE


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere", "there is no folder"),
        ("https://trail.s3.amazonaws.com/", "is no place of log files"),
        ("", "is no place of log files"),
        ("s3://trail/logs", "is in S3, and no AWS was given"),
    ],
)
def test_a_place_that_there_is_not_is_one_clear_error(place, words):
    with pytest.raises(EvidenceError, match=words):
        LogFiles(place).facts(WINDOW)


def test_what_reads_a_file_loads_nothing_large():
    code = "import sys, ecs_runbook.past.readers; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "ecs_runbook.past.scan" in loaded
    assert {"pandas", "numpy", "boto3", "duckdb", "matplotlib", "pydantic"}.isdisjoint(loaded)
