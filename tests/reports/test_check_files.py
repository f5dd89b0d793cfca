"""The files beside the page, what GitHub is told, and that a pseudonym stands in each of them."""

import csv
import json
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import duckdb
import pytest
from made_checks import HOME, NOW, SINCE, checked, finding, fleet, row, run

from ecs_runbook.checks.asked import Asked
from ecs_runbook.checks.outcome import judge_checked
from ecs_runbook.errors import NotOk
from ecs_runbook.inventory.model import Gap, Inventory
from ecs_runbook.reports.check_files import check_receipt, save_check
from ecs_runbook.reports.history import earlier_checks
from ecs_runbook.reports.pseudonyms import Pseudonyms
from ecs_runbook.reports.run import begin
from ecs_runbook.reports.summary import summary
from ecs_runbook.verdicts.verdict import Verdict

PAYROLL = row("payroll", container="wages")
ASKED = Asked(SINCE, NOW)
WORDS = (
    "arn:aws:iam::111122223333:role/payroll-role may not run payroll-job:9 in batch; wages is not a container of it, "
    "subnet-0a1b2c3d4e5f60718 leads nowhere"
)


@pytest.fixture
def begun(tmp_path, monkeypatch):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    made = begin("60_check", now=NOW)
    made.connected(SimpleNamespace(where="local", account=HOME.account, region=HOME.region, life="1"))
    return made


def saved(begun, found, *, environment=None):
    verdict = Verdict("60_check", "local", HOME.account, HOME.region, NOW, tuple(judge_checked(found)))
    told = summary(found, verdict, ASKED)
    history = earlier_checks(begun)
    files = save_check(begun, found, told, history=history, asked=ASKED, environment=environment or {})
    return files, verdict


def test_each_file_is_there_and_the_check_is_in_the_history(begun, tmp_path):
    files, _ = saved(begun, checked([finding(PAYROLL)], [PAYROLL], [run(PAYROLL)]))
    names = [begun.folder / name for name in files["file"][:5]]
    assert [path.name for path in names if path.stat().st_size] == [
        "findings.csv",
        "inventory.csv",
        "runs.csv",
        "junit.xml",
        "findings.sarif",
    ]
    (kept,) = (tmp_path / "history").iterdir()
    assert files["file"].iloc[5] == f"history/{kept.name}"
    assert not (begun.folder / "annotations.txt").exists()


def test_the_table_of_findings_is_for_spreadsheets_and_starts_no_formula(begun):
    found = checked([finding(PAYROLL, because='=HYPERLINK("http://x")'), finding(PAYROLL, "two-vpcs", "OK")], [PAYROLL])
    saved(begun, found)
    with (begun.folder / "findings.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [one["status"] for one in rows] == ["NG", "OK"]
    assert rows[0]["because"] == '\'=HYPERLINK("http://x")'
    assert rows[0]["account"] == "111122223333"


def test_the_inventory_says_the_worst_of_each_target(begun):
    weekly = row("weekly")
    saved(begun, checked([finding(PAYROLL), finding(PAYROLL, "two-vpcs", "OK")], [PAYROLL, weekly]))
    with (begun.folder / "inventory.csv").open(newline="") as stream:
        told = [(one["worst"], one["name"], one["found"], one["cluster"]) for one in csv.DictReader(stream)]
    assert told == [("error", "payroll", "pinned-revision (error)", "batch"), ("OK", "weekly", "", "batch")]


def test_under_actions_annotations_are_printed_and_the_jobs_page_gets_the_summary(begun, tmp_path, capsys):
    page = tmp_path / "step.md"
    page.write_text("before\n")
    saved(
        begun,
        checked([finding(PAYROLL)], [PAYROLL]),
        environment={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)},
    )
    line = "::error title=pinned-revision%3A payroll::it runs payroll-job:7, and 9 is the latest"
    assert capsys.readouterr().out.startswith(line)
    assert (begun.folder / "annotations.txt").read_text().startswith(line)
    assert page.read_text().startswith("before\n### 60_check: 1 of 1 scheduled target has an error or a warning.")


def test_with_redact_no_name_stands_in_any_file_the_history_or_what_is_printed(begun, tmp_path, capsys):
    begun.pseudonyms = Pseudonyms(b"a key of some length")
    page = tmp_path / "step.md"
    skip = finding(PAYROLL, "two-vpcs", "SKIP", "the caller needs ec2:DescribeSubnets on payroll")
    gaps = [Gap("events:ListTargetsByRule", "throttled in payroll", False, HOME, "payroll")]
    found = checked(
        [finding(PAYROLL, because=WORDS), skip, finding(PAYROLL, "no-way-out", "OK", "batch is well")],
        [PAYROLL],
        [run(PAYROLL, error=WORDS)],
        inventory=Inventory(rows=[PAYROLL], places=[HOME], gaps=gaps),
    )
    begun.listed(found.inventory)
    _, verdict = saved(begun, found, environment={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page)})
    with pytest.raises(NotOk) as failed:
        begun.finish(verdict, receipt=check_receipt(found, ASKED))
    kept = duckdb.sql(f"select * from '{tmp_path}/history/*.parquet'").fetchall()
    files = {path.name: path.read_text() for path in begun.folder.iterdir()}
    assert {"receipt.json", "verdict.json", "junit.xml", "findings.sarif", "runs.csv"} <= set(files)
    everything = [*files.values(), page.read_text(), capsys.readouterr().out, str(failed.value), str(kept)]
    for text in everything:
        for secret in ("payroll", "wages", "batch", "111122223333", "0a1b2c3d4e5f60718"):
            assert secret not in text
    name = begun.pseudonyms.name("payroll")
    assert all(name in text for text in everything)


def test_with_redact_every_file_keeps_its_form_and_every_row_its_own_name(begun):
    begun.pseudonyms = Pseudonyms(b"a key of some length")
    found = fleet(300, bad=0.5)
    begun.listed(found.inventory)
    saved(begun, found)
    with (begun.folder / "inventory.csv").open(newline="") as stream:
        names = [one["name"] for one in csv.DictReader(stream)]
    assert len(set(names)) == 300
    results = json.loads((begun.folder / "findings.sarif").read_text())["runs"][0]["results"]
    uris = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].rpartition("/")[2] for one in results}
    assert uris <= set(names)
    cases = ET.parse(begun.folder / "junit.xml").getroot().iter("testcase")
    assert {case.get("classname") for case in cases} == set(names)


def test_the_receipt_says_what_was_asked_what_was_not_told_and_what_ran():
    gaps = [Gap("events:ListRules", "no", True, HOME)]
    found = checked(
        [], [PAYROLL], [run(PAYROLL)], inventory=Inventory(rows=[PAYROLL], gaps=gaps), off={"two-vpcs": "x"}
    )
    found.runs.attrs["records"] = [1]
    told = check_receipt(found, ASKED)
    assert (told["since"], told["until"], told["records"], told["off"]) == (SINCE, NOW, [1], {"two-vpcs": "x"})
    assert told["calls"] == {"events:ListRules": 3}
    assert told["gaps"] == [{"place": str(HOME), "subject": "", "because": "the caller needs events:ListRules"}]
