"""What goes into an archive from a notebook: all that it was told, nothing that may not be told."""

from types import SimpleNamespace

import pytest
from made_checks import HOME, NOW
from told_records import RECORDS, SINCE, UNTIL, record, stopped

from ecs_runbook.errors import WorkspaceError
from ecs_runbook.firing.calls import read
from ecs_runbook.firing.tasks import read_task
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.runs import past_runs
from ecs_runbook.past.sources import Window
from ecs_runbook.reports.archiving import archiving
from ecs_runbook.reports.pseudonyms import Pseudonyms
from ecs_runbook.reports.run import begin


@pytest.fixture
def begun(tmp_path, monkeypatch):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    made = begin("60_check", now=NOW)
    made.connected(SimpleNamespace(where="local", account=HOME.account, region=HOME.region, life="1"))
    return made


def facts(place):
    return Archive(place).facts(Window(SINCE, UNTIL)).facts


def hear(seen):
    for one in RECORDS:
        if call := read(one):
            seen.call(call)
    seen.task(read_task(stopped("t03", 3)["detail"]))
    return seen


def test_what_was_heard_is_kept_once_however_often(begun):
    seen = hear(archiving(begun, "kept"))
    first, again = seen.keep(), hear(seen).keep()
    assert (first.new, again.new, again.known) == (12, 0, 12)


def test_without_a_place_nothing_is_written_and_the_receipt_has_it_all_the_same(begun, tmp_path):
    seen = hear(archiving(begun))
    assert seen.keep().new == 0
    assert len(seen.facts) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_receipt_is_kept_as_what_was_heard(begun):
    archiving(begun, "kept").keep({"records": {"CloudTrail": RECORDS, "ECS": [stopped("t03", 3)["detail"]]}})
    assert set(facts("kept")["what"]) == {"call", "end", "registered", "deregistered"}


def test_pseudonyms_stand_for_all_names_also_of_a_family_that_no_inventory_knows(begun, tmp_path):
    begun.pseudonyms = Pseudonyms(b"a key of some length")
    hear(archiving(begun, "kept")).keep()
    everything = facts("kept").to_csv() + "".join(map(str, (tmp_path / "kept").rglob("*")))
    for name in ("nightly", "111122223333", "444455556666", "batch", "schedule/late", "t03"):
        assert name not in everything
    assert "name-" in everything
    found = past_runs(Archive("kept"), since=SINCE, until=UNTIL)
    (row,) = found[found["exit_code"] == 3].to_dict("records")
    assert row["source"] == "ECS + CloudTrail"
    assert row["schedule"].startswith("name-")


def test_secrets_in_awss_words_are_not_kept(begun):
    words = "The key AKIAABCDEFGHIJKLMNOP may not do that"
    refused = record("RunTask", "2026-11-07T02:00:12Z", "e1", errorCode="AccessDenied", errorMessage=words)
    archiving(begun, "kept").keep({"records": {"CloudTrail": [refused]}})
    assert facts("kept")["error"].tolist() == ["AccessDenied: The key AKIA**************** may not do that"]


def test_a_place_that_is_none_is_refused_before_anything_is_asked(begun, tmp_path):
    with pytest.raises(WorkspaceError, match=r"'ftp://x' is no place for files\. Name a folder, or s3://bucket/prefix"):
        archiving(begun, "ftp://x")
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match="file cannot be made"):
        archiving(begun, "file")
