"""What is new and what was mended, from files that nobody can lose by running twice, at once, or not to the end."""

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from made_checks import HOME, NOW, checked, finding, row, run

from ecs_runbook.errors import WorkspaceError
from ecs_runbook.inventory.model import Gap, Inventory
from ecs_runbook.reports.history import History
from ecs_runbook.reports.pseudonyms import Pseudonyms
from ecs_runbook.shelf import Folder, shelf_at

NIGHTLY, WEEKLY = row("nightly"), row("weekly")
DAY = timedelta(days=1)


@pytest.fixture
def history(tmp_path):
    """``history(day)``: as the run of that day sees it."""

    def at(day, *, question="all", identity="", hide=str, folder=tmp_path):
        asked = {"rules": question}
        origin = ["local", HOME.account, "life"]
        began = NOW + day * DAY
        shelf = Folder(folder)
        return History(shelf, origin=origin, question=asked, identity=identity or f"run {day}", began=began, hide=hide)

    return at


@pytest.fixture
def keep(history):
    """``keep(day, findings)``: the check of that day."""

    def one(day, *findings, rows=(NIGHTLY, WEEKLY), runs=(), **more):
        found = more.pop("found", None) or checked(findings, rows, runs, **more)
        return history(day).append(found, at=NOW + day * DAY)

    return one


def subjects(findings):
    return sorted(one.subject for one in findings)


def test_the_first_check_has_nothing_to_compare_with(history):
    news = history(0).compare(checked([finding(NIGHTLY)], [NIGHTLY]))
    assert news.last is None
    assert not news.is_new(finding(NIGHTLY))


def test_what_is_new_what_was_mended_and_since_when_the_rest_is_known(history, keep):
    keep(0, finding(NIGHTLY))
    keep(1, finding(NIGHTLY), finding(WEEKLY, "no-way-out"))
    now = [finding(NIGHTLY), finding(NIGHTLY, "two-vpcs"), finding(WEEKLY, "no-way-out", "OK")]
    news = history(2).compare(checked(now, [NIGHTLY, WEEKLY]))
    assert news.last == NOW + DAY
    assert [one.check for one in news.new] == ["two-vpcs"]
    assert news.first == {now[0]: NOW}
    assert [(old.key.subject, old.key.check) for old in news.mended] == [("weekly", "no-way-out")]
    assert news.mended[0].because == "it runs weekly-job:7, and 9 is the latest"
    assert (news.gone, news.unseen) == ([], [])


def test_what_was_mended_and_came_back_is_new_again(history, keep):
    keep(0, finding(NIGHTLY))
    keep(1)
    news = history(2).compare(checked([finding(NIGHTLY)], [NIGHTLY]))
    assert subjects(news.new) == ["nightly"]


def test_a_schedule_that_is_gone_was_not_mended(history, keep):
    keep(0, finding(NIGHTLY))
    news = history(1).compare(checked([], [WEEKLY]))
    assert ([one.key.subject for one in news.gone], news.mended) == (["nightly"], [])


@pytest.mark.parametrize(
    "now",
    [
        checked([finding(NIGHTLY, status="SKIP", because="the caller needs ecs:DescribeTaskDefinition")], [NIGHTLY]),
        checked([], [], inventory=Inventory(gaps=[Gap("events:ListRules", "denied", True, HOME)], places=[HOME])),
        checked([], [NIGHTLY], off={"pinned-revision": "not now"}),
    ],
    ids=["skip", "gap", "off"],
)
def test_what_could_not_be_looked_at_was_not_mended(history, keep, now):
    keep(0, finding(NIGHTLY))
    news = history(1).compare(now)
    assert [one.key.subject for one in news.unseen] == ["nightly"]
    assert (news.mended, news.gone) == ([], [])


@pytest.mark.parametrize(
    "blind",
    [
        checked([finding(NIGHTLY, status="SKIP", because="throttled")], [NIGHTLY]),
        checked([], [], inventory=Inventory(gaps=[Gap("events:ListRules", "hangs", False, HOME)], places=[HOME])),
    ],
    ids=["skip", "gap"],
)
def test_a_night_in_which_nobody_could_look_makes_nothing_new(history, keep, blind):
    keep(0, finding(NIGHTLY), finding(WEEKLY))
    keep(1, found=blind)
    news = history(2).compare(checked([finding(NIGHTLY)], [NIGHTLY, WEEKLY]))
    assert news.new == frozenset()
    assert list(news.first.values()) == [NOW]


def test_another_question_is_not_compared_with(history, keep):
    keep(0, finding(NIGHTLY))
    assert history(1, question="one rule").compare(checked([], [NIGHTLY])).last is None


def test_the_same_check_twice_has_one_file(tmp_path, history):
    found = checked([finding(NIGHTLY)], [NIGHTLY], [run(NIGHTLY)])
    names = {history(0).append(found, at=NOW) for _ in range(2)}
    assert len(names) == 1
    assert [path.name for path in tmp_path.iterdir()] == list(names)


def test_a_run_that_two_checks_saw_is_one_duration(history, keep):
    keep(0, runs=[run(NIGHTLY, seconds=60), run(WEEKLY, seconds=5, task="b" * 32)])
    keep(1, runs=[run(NIGHTLY, seconds=60), run(NIGHTLY, NOW, 70, "c" * 32)])
    took = history(2).durations(Inventory(rows=[NIGHTLY], places=[HOME]))
    assert list(took.columns) == ["account", "region", "subject", "started_at", "seconds"]
    assert took["seconds"].tolist() == [60, 70]
    assert set(took["subject"]) == {"nightly"}


def test_durations_come_from_every_question_to_the_same_aws_and_are_none_at_first(history, keep):
    found = Inventory(rows=[NIGHTLY], places=[HOME])
    assert list(history(0).durations(found).columns) == ["account", "region", "subject", "started_at", "seconds"]
    keep(0, runs=[run(NIGHTLY, seconds=60)])
    assert history(1, question="one rule").durations(found)["seconds"].tolist() == [60]


def test_a_run_that_has_not_ended_has_no_duration(history, keep):
    keep(0, runs=[run(NIGHTLY, seconds=None), run(NIGHTLY, seconds=float("nan"), task="d" * 32)])
    assert len(history(1).durations(Inventory(rows=[NIGHTLY], places=[HOME]))) == 0


def test_with_pseudonyms_nothing_real_is_kept_and_all_is_known_again(tmp_path, history):
    hidden = Pseudonyms(b"a key of some length", ["nightly", "nightly-job"])
    found = checked([finding(NIGHTLY)], [NIGHTLY], [run(NIGHTLY, seconds=60)])
    name = history(0, hide=hidden.text).append(found, at=NOW)
    kept = duckdb.sql(f"select * from '{tmp_path / name}'").fetchall()
    assert "nightly" not in str(kept)
    assert HOME.account not in str(kept)
    assert hidden.name("nightly") in str(kept)
    later = history(1, hide=hidden.text)
    assert later.durations(found.inventory)["seconds"].tolist() == [60]
    assert later.compare(found).first == {found.findings[0]: NOW}
    assert later.compare(checked([], [NIGHTLY])).mended[0].key.subject == hidden.name("nightly")


def test_a_file_that_cannot_be_read_is_named_and_costs_nothing_else(tmp_path, history, keep):
    keep(0, finding(NIGHTLY))
    broken = keep(1, finding(NIGHTLY))
    (tmp_path / broken).write_bytes((tmp_path / broken).read_bytes()[:100])
    (tmp_path / "notes.txt").write_text("not ours")
    news = history(2).compare(checked([finding(NIGHTLY)], [NIGHTLY]))
    assert news.unread == (broken,)
    assert (news.last, news.new) == (NOW, frozenset())


KEEP = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from made_checks import NOW, checked, finding, row, run
from ecs_runbook.reports.history import History
from ecs_runbook.shelf import Folder
folder, me = Path(sys.argv[1]), sys.argv[2]
nightly = row("nightly")
found = checked([finding(nightly)], [nightly], [run(nightly, task=f"{{int(me):032x}}", seconds=int(me))])
history = History(Folder(folder), origin=["local"], question={{}}, identity=me, began=NOW)
sys.stdin.readline()
history.append(found, at=NOW)
"""


def test_checks_that_end_at_the_same_moment_lose_nothing(tmp_path):
    code = KEEP.format(tests=str(Path(__file__).parent))
    processes = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path, str(number)], stdin=subprocess.PIPE, text=True)
        for number in range(1, 5)
    ]
    for process in processes:
        process.stdin.close()
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    seconds = duckdb.sql(f"select seconds from '{tmp_path}/*.parquet' where what = 'run'").fetchall()
    assert sorted(seconds) == [(1,), (2,), (3,), (4,)]


KILLED = """
import os, signal
from ecs_runbook import shelf
os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_check_that_is_killed_while_it_writes_leaves_the_earlier_ones_and_no_half(tmp_path, history, keep):
    keep(0, finding(NIGHTLY))
    code = KILLED + KEEP.format(tests=str(Path(__file__).parent))
    killed = subprocess.run([sys.executable, "-c", code, tmp_path, "1"], input="\n", text=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".*.part"))) == 1  # written, and never given its name
    assert len(duckdb.sql(f"select * from '{tmp_path}/*.parquet' where what = 'check'").fetchall()) == 1
    assert history(1).compare(checked([finding(NIGHTLY)], [NIGHTLY])).unread == ()


def test_a_place_that_is_none_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    assert shelf_at("kept", None).folder == tmp_path / "kept"
    with pytest.raises(
        WorkspaceError, match=r"'gs://x' is no place for files\. Name a folder, or s3://bucket/prefix\."
    ):
        shelf_at("gs://x", None)
