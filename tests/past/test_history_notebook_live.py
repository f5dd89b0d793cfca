"""65_history as papermill runs it, on a local AWS on which six days went by."""

import json
import os

import pandas as pd
import pytest
from history_world import ACCOUNT, BUCKET, DAYS, REGION, HistoryWorld
from papermill.exceptions import PapermillExecutionError

from ecs_runbook import workspace
from ecs_runbook.demo.kernels import warm_kernels
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.local_aws import process
from ecs_runbook.past.asked import look_back
from ecs_runbook.past.opening import open_source
from ecs_runbook.past.questions import history
from ecs_runbook.past.sources import Window
from ecs_runbook.past.still_known import still_known
from ecs_runbook.reports.long_tables import TABLES
from ecs_runbook.reports.writing import as_csv

NOTEBOOK = workspace.notebooks() / "65_history.ipynb"
AT = f"{ACCOUNT}/{REGION}"
PICTURES = ("revisions.png", "failures.png", "first_runs.png", "never_ran.png", "silences.png")
BAD = {
    ("history-latest", f"payroll in {AT}"),
    ("history-ran", f"refused in {AT}"),
    ("history-ran", f"default/closed in {AT}"),
}
"""What must be found, and nothing else."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    yield HistoryWorld(process.start(folder))
    process.stop(folder)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def looked(world, home):
    """The verdict and the folder of a run that reads what the trail delivered into S3, and keeps it in an archive."""
    given = {
        "endpoint": world.server.url,
        "region": REGION,
        "days": 30.0,
        "source": f"s3://{BUCKET}",
        "archive": "kept",
    }
    with warm_kernels() as execute, pytest.raises(PapermillExecutionError, match="NotOk"):
        execute(NOTEBOOK, home / "out.ipynb", parameters=given, env=os.environ | {"ECS_RUNBOOK_HOME": str(home)})
    folder = (home / "runs" / "latest").resolve()
    return json.loads((folder / "verdict.json").read_text()), folder


def test_what_runs_stale_never_ran_or_was_refused_is_found_with_pictures_and_tables(looked):
    verdict, folder = looked
    assert {(one["id"], one["subject"]) for one in verdict["checks"] if one["status"] != "OK"} == BAD
    assert all((folder / name).read_bytes()[1:4] == b"PNG" for name in PICTURES)
    stretches = pd.read_csv(folder / "stretches.csv")
    assert stretches[["family", "revision", "state", "runs"]].to_numpy().tolist() == [
        ["mended", 1, "LATEST", 2],
        ["nightly", 1, "LATEST", 3],
        ["nightly", 2, "LATEST", 3],
        ["payroll", 1, "LATEST", 2],
        ["payroll", 1, "STALE", 4],
    ]
    silences = pd.read_csv(folder / "silences.csv")
    assert silences[["schedule", "failures", "lasts"]].to_numpy().tolist() == [
        ["refused", 6, True],
        ["mended", 4, False],
    ]
    waits = pd.read_csv(folder / "first_runs.csv").set_index(["family", "revision"])
    assert round(waits.loc[("nightly", 2), "hours"]) == 5
    assert waits.loc[("payroll", 2), "outcome"] == "waits"


@pytest.mark.parametrize("source", ["lookup", "archive:{home}/kept"])
def test_lookups_and_the_archive_tell_the_same_as_the_files_byte_for_byte(world, home, looked, source):
    places, question = fleet(world.aws), look_back(now=world.at(DAYS, 12), days=30.0)
    opened = open_source(source.format(home=home), world.aws, places, window=question.window)
    told = opened.facts(question.window)
    past = history(told, still_known(places, told, since=question.window.since), question)
    for name in TABLES:
        assert as_csv(getattr(past, name)) == (looked[1] / f"{name}.csv").read_text(), name
    assert as_csv(past.runs) == (looked[1] / "runs.csv").read_text()


def test_left_to_itself_it_weighs_what_is_there_and_says_why(world):
    window = Window(world.at(0), world.at(DAYS, 12))
    chosen = open_source("auto", world.aws, fleet(world.aws), window=window)
    assert chosen.because.startswith("6 days of 1 account in 1 Region: about ")
    assert chosen.because.endswith("so LookupEvents, since it is soon done")
