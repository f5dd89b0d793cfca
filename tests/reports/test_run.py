"""A run's folder, outside a notebook; what needs a kernel is in test_run_in_a_kernel.py."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ecs_runbook.errors import NotOk, WorkspaceError
from ecs_runbook.reports import run as module
from ecs_runbook.reports.pseudonyms import Pseudonyms
from ecs_runbook.reports.run import begin
from ecs_runbook.verdicts.verdict import Check
from ecs_runbook.verdicts.verdict import Verdict as RealVerdict

SCHEMA = json.loads((Path(module.__file__).parent / "verdict.schema.json").read_text())
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Verdict:
    """What a notebook ends with, as small as can be."""

    def __init__(self, *statuses):
        self.statuses = statuses
        self.status = "NG" if "NG" in statuses else "SKIP" if "SKIP" in statuses or not statuses else "OK"

    def to_dict(self):
        return {
            "notebook": "40_prove",
            "where": "aws",
            "account": "123456789012",
            "region": "us-east-1",
            "at": "2026-11-24T12:00:00Z",
            "status": self.status,
            "checks": [
                {"id": f"check-{number}", "subject": "rule", "status": status, "because": "it\nran", "next": "go on"}
                for number, status in enumerate(self.statuses)
            ],
        }


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    return tmp_path


def verdict_of(folder):
    verdict = json.loads((folder / "verdict.json").read_text())
    jsonschema.validate(verdict, SCHEMA, format_checker=jsonschema.FormatChecker())
    return verdict


def test_the_folder_is_named_by_utc_and_notebook(root):
    evening_in_tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    assert begin("40_prove", now=evening_in_tokyo).folder == root / "runs" / "20261124T120000Z-40_prove"


def test_two_runs_in_one_second_have_folders_of_their_own(root):
    names = [begin("40_prove", now=NOON).folder.name for _ in range(3)]
    assert names == ["20261124T120000Z-40_prove", "20261124T120000Z-40_prove-2", "20261124T120000Z-40_prove-3"]


def test_a_run_is_not_ok_until_it_has_ended():
    verdict = verdict_of(begin("40_prove").folder)
    assert verdict["status"] == "NG"
    assert verdict["checks"] == [
        {
            "id": "notebook-ran",
            "subject": "40_prove",
            "status": "NG",
            "because": "The notebook has not reached its end.",
            "next": "Wait for it, or run it again.",
        }
    ]


def test_latest_is_a_relative_link_to_the_run_that_began_last(root):
    begin("30_fire")
    run = begin("40_prove")
    latest = root / "runs" / "latest"
    assert latest.is_symlink()
    assert latest.readlink() == Path(run.folder.name)
    assert sorted(path.name for path in latest.parent.iterdir() if path.name.startswith(".")) == []


def test_where_links_cannot_be_made_latest_is_a_file_with_the_name(root):
    def refuse(*_):
        raise OSError("no links here")

    folder = begin("40_prove").folder
    (root / "runs" / "latest").unlink()
    module._point_latest(folder, refuse)
    module._point_latest(folder, refuse)
    assert (root / "runs" / "latest").read_text() == f"{folder.name}\n"


def test_latest_that_is_somebodys_folder_is_refused_not_replaced(root):
    (root / "runs" / "latest").mkdir(parents=True)
    with pytest.raises(WorkspaceError, match=r"latest cannot be replaced: .+ move it away"):
        begin("40_prove")
    assert (root / "runs" / "latest").is_dir()


def test_runs_that_cannot_be_made_are_refused_at_once(root):
    (root / "runs").write_text("in the way")
    with pytest.raises(WorkspaceError, match=r"runs cannot be .+ECS_RUNBOOK_HOME"):
        begin("40_prove")


def test_ok_is_saved_and_goes_on(root, capsys):
    run = begin("40_prove")
    run.finish(Verdict("OK"), receipt={"at": NOON, "key": "AKIA" + "A" * 16})
    assert verdict_of(run.folder)["status"] == "OK"
    assert json.loads((run.folder / "receipt.json").read_text()) == {
        "at": "2026-11-24T12:00:00Z",
        "key": "AKIA" + "*" * 16,
    }
    assert capsys.readouterr().out == f"Report: runs/{run.folder.name}/verdict.json\n"


def test_without_a_receipt_there_is_none():
    run = begin("40_prove")
    run.finish(Verdict("OK"))
    assert [path.name for path in run.folder.iterdir()] == ["verdict.json"]


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        (
            ("OK", "NG", "SKIP"),
            r"40_prove is NG \(2 of 3 checks\): check-1, rule: it ran. The report: runs/.+verdict.json. Next: go on",
        ),
        (("OK", "SKIP"), r"40_prove is SKIP \(1 of 2 checks\): check-1, rule: it ran"),
        ((), r"40_prove is SKIP: nothing was checked. The report: runs/"),
    ],
)
def test_what_is_not_ok_is_saved_and_then_fails_in_one_line(statuses, words):
    run = begin("40_prove")
    with pytest.raises(NotOk, match=words) as caught:
        run.finish(Verdict(*statuses))
    assert "\n" not in str(caught.value)
    assert verdict_of(run.folder)["status"] in {"NG", "SKIP"}


def test_saving_writes_each_kind_of_thing_by_its_name():
    run = begin("40_prove")
    assert run.save("note.txt", "ASIA" + "B" * 16).read_text() == "ASIA" + "*" * 16
    assert run.save("raw.bin", b"\0\1").read_bytes() == b"\0\1"
    table = pd.DataFrame({"revision": [1, 2]})
    assert run.save("runs.csv", table).read_text() == "revision\n1\n2\n"
    assert json.loads(run.save("runs.json", table).read_text()) == [{"revision": 1}, {"revision": 2}]
    assert json.loads(run.save("facts.json", {"a": [1]}).read_text()) == {"a": [1]}
    assert run.save("timeline.png", Figure()).read_bytes().startswith(b"\x89PNG")
    assert "<svg" in run.save("timeline.svg", Figure()).read_text()


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/x"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name):
    with pytest.raises(WorkspaceError, match="is not a file's name"):
        begin("40_prove").save(name, "text")


def test_what_is_connected_is_handed_on_and_noted():
    class Aws:
        where, account, region = "aws", "123456789012", "eu-west-1"

    run, aws = begin("40_prove"), Aws()
    assert run.connected(aws) is aws
    assert run.aws is aws


def test_a_verdict_as_the_checks_come_to_it_fits_the_schema():
    checks = (Check("runs-latest", "nightly", "OK", "ran 2"), Check("role", "", "SKIP", "not allowed", "ask"))
    run = begin("40_prove")
    with pytest.raises(NotOk):
        run.finish(RealVerdict("40_prove", "local", "123456789012", "us-east-1", NOON, checks))
    assert verdict_of(run.folder)["status"] == "SKIP"


@pytest.mark.parametrize(
    "change",
    [
        {"status": "WARN"},
        {"account": "12345"},
        {"where": "moon"},
        {"at": "24 November"},
        {"checks": [{"id": "a"}]},
        {"more": 1},
    ],
)
def test_the_schema_refuses_what_is_not_a_verdict(change):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**Verdict("OK").to_dict(), **change}, SCHEMA)


def test_a_page_that_was_published_changes_nothing_and_one_that_was_not_is_ng():
    run, taken = begin("40_prove"), []
    run.finish(Verdict("OK"), publish=taken.append)
    assert taken == [run.folder / "verdict.json"]
    assert verdict_of(run.folder)["status"] == "OK"

    def refuse(_):
        raise WorkspaceError("SNS said no.", hint="Ask for sns:Publish.")

    run = begin("40_prove")
    with pytest.raises(NotOk, match=r"published, verdict.json: SNS said no\. .* Next: Ask for sns:Publish"):
        run.finish(Verdict("OK"), publish=refuse)
    assert [(one["id"], one["status"]) for one in verdict_of(run.folder)["checks"]] == [
        ("check-0", "OK"),
        ("published", "NG"),
    ]


def test_with_pseudonyms_files_keep_their_form_and_tell_no_name():
    run = begin("40_prove")
    run.pseudonyms = Pseudonyms(b"a key of some length", ["payroll"])
    name = run.pseudonyms.name("payroll")
    table = pd.DataFrame({"name": ["payroll", "=payroll"], "count": [1, None]})
    assert run.save("x.csv", table).read_text() == f"name,count\n{name},1.0\n'={name},\n"
    assert json.loads(run.save("x.json", {"at": NOON, "of": ["payroll"]}).read_text())["of"] == [name]
    assert run.save("x.txt", "of payroll").read_text() == f"of {name}"


def test_with_pseudonyms_the_verdict_has_the_shape_of_its_schema():
    run = begin("40_prove")
    run.pseudonyms = Pseudonyms(b"a key of some length", ["rule", "check-0", "aws"])
    with pytest.raises(NotOk):
        run.finish(Verdict("NG"))
    verdict = verdict_of(run.folder)
    assert verdict["account"] == run.pseudonyms.account("123456789012")
    assert verdict["checks"][0]["id"] == "check-0"
    assert verdict["where"] == "aws"
