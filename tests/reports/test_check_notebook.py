"""60_check as papermill runs it, on a local AWS whose rules really ran: good, NG, SKIP, and all that fails at once."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta

import duckdb
import jsonschema
import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError
from scheduled_world import DAILY, ScheduledWorld

from ecs_runbook import workspace
from ecs_runbook.demo.kernels import warm_kernels
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.local_aws import process
from ecs_runbook.past.archive import Archive, duckdb_view
from ecs_runbook.past.receipts import Receipts
from ecs_runbook.past.runs import past_runs
from ecs_runbook.past.sources import LookupEvents
from ecs_runbook.reports import run as module
from ecs_runbook.reports.tables import script_hash
from ecs_runbook.session import connect

NOTEBOOK = workspace.notebooks() / "60_check.ipynb"
SCHEMA = json.loads((module.Path(module.__file__).parent / "verdict.schema.json").read_text())
FILES = ["findings.csv", "findings.sarif", "inventory.csv", "junit.xml", "receipt.json", "runs.csv"]
REGION = "eu-west-2"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Half an hour after two rules ran: *nightly* as it should, *payroll* at a revision that is not the latest."""
    folder = tmp_path_factory.mktemp("local-aws")
    world = ScheduledWorld(process.start(folder))
    world.simple("nightly", DAILY)
    world.define("payroll")
    world.rule("payroll", DAILY, world.target("payroll", world.events_role("wages", "payroll"), revision=":1"))
    world.define("payroll")
    world.go(0, 17, 30)
    yield world
    process.stop(folder)


@pytest.fixture(scope="module")
def execute():
    with warm_kernels() as warm:
        yield warm


@pytest.fixture
def check(world, execute, tmp_path):
    """Run the notebook; return the error that ended it, if one did, and the folder of the run."""

    def run(**parameters):
        given = {"endpoint": world.server.url, "region": REGION, "hours": 1.0} | parameters
        error = None
        try:
            execute(
                NOTEBOOK, tmp_path / "out.ipynb", parameters=given, env=os.environ | {"ECS_RUNBOOK_HOME": str(tmp_path)}
            )
        except PapermillExecutionError as failed:
            error = failed
        return error, (tmp_path / "runs" / "latest").resolve()

    return run


def verdict_of(folder):
    verdict = json.loads((folder / "verdict.json").read_text())
    jsonschema.validate(verdict, SCHEMA, format_checker=jsonschema.FormatChecker())
    return verdict


def bad(verdict):
    return {(one["id"], one["subject"].partition(" ")[0]) for one in verdict["checks"] if one["status"] != "OK"}


def text_of(page):
    return " ".join(re.sub("<[^>]+>", " ", page.read_text()).split())


def test_a_good_schedule_is_ok_and_leaves_every_file_and_a_page_that_loads_nothing(check, tmp_path):
    error, folder = check(rule="nightly")
    verdict = verdict_of(folder)
    assert (error, verdict["status"]) == (None, "OK")
    seen = {one["id"] for one in verdict["checks"]}
    assert {"pinned-revision", "run-task-missing", "no-way-out", "runs-missed", "runs-latest", "runs-succeeded"} <= seen
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted([*FILES, "60_check.html", "60_check.ipynb", "verdict.json"])
    page = (folder / "60_check.html").read_text()
    assert f"script-src '{script_hash()}'" in page
    assert not re.search(r"""(?:src|url)\s*[=(]\s*["']?(?!data:)[\w/]""", re.sub(r"<script>.*?</script>", "", page))
    assert page.index("1 scheduled target, no error and no warning") < page.index("Which AWS is this?")
    (kept,) = (tmp_path / "history").iterdir()
    took = duckdb.sql(f"select subject, seconds from '{kept}' where what = 'run'").fetchall()
    assert took == [("nightly", pytest.approx(1, abs=0.5))]


def test_a_bad_one_is_ng_and_when_it_is_mended_the_next_check_says_so(check, world):
    error, folder = check()
    assert error.ename == "NotOk"
    assert bad(verdict_of(folder)) == {("pinned-revision", "payroll"), ("runs-latest", "payroll")}
    assert "1 of 2 scheduled targets has an error or a warning." in text_of(folder / "60_check.html")
    rule = {"Rule": "payroll", "Targets": [world.target("payroll", "arn:aws:iam::123456789012:role/wages")]}
    before = world.events.list_targets_by_rule(Rule="payroll")["Targets"]
    world.events.put_targets(**rule)
    try:
        _, folder = check()
    finally:
        world.events.put_targets(Rule="payroll", Targets=before)
    assert bad(verdict_of(folder)) == {("runs-latest", "payroll")}
    assert "0 new, 1 mended." in text_of(folder / "60_check.html")


def test_what_may_not_be_looked_at_is_skip_with_the_action_that_is_missing(check, world):
    process.settings(world.server, faults=[{"fault": "denied", "operation": "ec2:DescribeSubnets"}])
    try:
        error, folder = check(rule="nightly")
    finally:
        process.settings(world.server, reset=True)
    verdict = verdict_of(folder)
    assert (error.ename, verdict["status"]) == ("NotOk", "SKIP")
    skipped = [one for one in verdict["checks"] if one["status"] == "SKIP"]
    assert skipped
    assert all("the caller needs ec2:DescribeSubnets" in one["because"] for one in skipped)


@pytest.mark.parametrize(
    ("parameters", "ename", "sentences"),
    [
        (
            {"rul": "nightly", "hours": "a day", "endpoint": "http://127.0.0.1:9"},
            "ParameterError",
            ['There is no parameter "rul"; did you mean "rule"?', "hours = 'a day': wanted a number, got text"],
        ),
        (
            {"rule": "nigthly"},
            "EvidenceError",
            ["there is no such rule", "nightly"],
        ),
        (
            {"account": "111122223333"},
            "AccountMismatch",
            ["account = '111122223333' was named, but where = 'local' is the local AWS, account 123456789012."],
        ),
        ({"timezone": "Europe/Lodnon"}, "SpecError", ["Europe/Lodnon", "did you mean Europe/London"]),
        ({"publish_page": "reports"}, "SpecError", ["publish_page = 'reports' is no place in S3."]),
    ],
    ids=["misspelt-and-wrong-type", "no-such-rule", "another-account", "no-such-zone", "nowhere-to-publish"],
)
def test_what_cannot_be_fails_at_once_with_the_sentence_that_a_person_needs(check, parameters, ename, sentences):
    error, folder = check(**parameters)
    assert error.ename == ename
    said = verdict_of(folder)["checks"]
    assert [one["id"] for one in said] == ["notebook-ran"]
    for sentence in sentences:
        assert sentence in error.evalue
        assert sentence in f"{said[0]['because']} {said[0]['next']}"
    assert not (folder / "findings.csv").exists()


def test_what_a_check_saw_tells_later_what_the_trail_tells_and_how_it_ended(check, world, tmp_path):
    _, folder = check(archive=str(tmp_path / "kept"))
    assert "the archive: 6 facts more, 0 were there already" in text_of(folder / "60_check.html")
    aws = connect(endpoint=world.server.url, region=REGION)
    window = {"since": aws.now() - timedelta(hours=24), "until": aws.now()}
    sources = [LookupEvents(fleet(aws)), Archive(str(tmp_path / "kept")), Receipts(str(tmp_path / "runs"))]
    tables = [past_runs(one, **window) for one in sources]
    trail, kept, receipts = (one.sort_values("schedule", ignore_index=True) for one in tables)
    told = ["account", "region", "family", "schedule", "run", "requested", "executed", "latest", "state", "role"]
    assert kept[told].equals(trail[told])
    assert kept["state"].tolist() == ["LATEST", "STALE"]
    assert kept[["status", "exit_code", "source"]].values.tolist() == [["STOPPED", 0, "ECS + CloudTrail"]] * 2
    assert receipts.to_csv() == kept.to_csv()


def test_with_redact_nothing_that_was_told_leaves_in_any_file_or_in_papermills_own(check, tmp_path):
    error, folder = check(redact=True, archive=str(tmp_path / "kept"))
    assert "name-" in error.evalue
    book = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    kept = duckdb.sql(f"select * from '{tmp_path}/history/*.parquet'").fetchall()
    with duckdb.connect() as database:
        database.execute(duckdb_view(str(tmp_path / "kept")))
        archived = database.sql("select * from facts").fetchall()
    assert len(archived) == 6  # of two runs the calls, the ends, and the latest revisions
    kept += archived + sorted((tmp_path / "kept").rglob("*"))
    everything = [path.read_text() for path in folder.iterdir()] + [str(book.cells), str(kept), error.evalue]
    for text in everything:
        for secret in ("nightly", "payroll", "wages", "123456789012"):
            assert secret not in text
    assert len(everything) == 12


def test_papermill_itself_ends_with_0_writes_to_s3_and_the_summary_and_the_page_are_published(world, tmp_path):
    s3, sns, sqs = world.client("s3"), world.client("sns"), world.sqs
    s3.create_bucket(Bucket="kept-by-us", CreateBucketConfiguration={"LocationConstraint": REGION})
    topic = sns.create_topic(Name="morning")["TopicArn"]
    url = sqs.create_queue(QueueName="readers")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    given = {
        "endpoint": world.server.url,
        "region": REGION,
        "rule": "nightly",
        "history": "s3://kept-by-us/history",
        "publish_summary": topic,
        "publish_page": "s3://kept-by-us/pages",
    }
    passed = [word for name, value in given.items() for word in ("-r", name, value)]
    aws = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": REGION}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "papermill", "--log-output", "--no-progress-bar"),
            # each object takes a second here: boto3 waits for a "100 Continue" that this server does not send
            *("--no-request-save-on-cell-execute", "--autosave-cell-every", "0"),
            *(str(NOTEBOOK), "s3://kept-by-us/out.ipynb", *passed, "-p", "hours", "1"),
        ],
        env=os.environ | aws | {"BOTO3_ENDPOINT_URL": world.server.url, "ECS_RUNBOOK_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    name = re.search(r"^Report: runs/([\w-]+)/60_check.html$", done.stderr + done.stdout, re.MULTILINE).group(1)
    keys = {one["Key"] for one in s3.list_objects_v2(Bucket="kept-by-us")["Contents"]}
    assert {"out.ipynb", f"pages/{name}/60_check.html", f"pages/{name}/verdict.json"} <= keys
    assert sum(key.startswith("history/") and key.endswith(".parquet") for key in keys) == 1
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert "OK: 1 scheduled target, no error and no warning" in json.loads(message["Body"])["Message"]


def test_the_template_is_what_papermill_says_it_takes():
    parameters = papermill.inspect_notebook(NOTEBOOK)
    assert {"rule", "rules", "schedules", "tag", "accounts", "organisation_role", "fail_on", "redact"} <= set(
        parameters
    )
    assert all(one["help"] for one in parameters.values())
