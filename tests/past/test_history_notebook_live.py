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
from ecs_runbook.past.opening import open_source
from ecs_runbook.past.sources import Window
from ecs_runbook.reports.long_tables import TABLES

NOTEBOOK = workspace.notebooks() / "65_history.ipynb"
AT = f"{ACCOUNT}/{REGION}"
PICTURES = ("revisions.png", "failures.png", "first_runs.png", "never_ran.png", "silences.png")
BAD = {
    ("history-latest", f"payroll, by payroll, in {AT}"),
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
def look(world, tmp_path_factory):
    """Run the notebook; return its verdict and its folder."""
    home = tmp_path_factory.mktemp("home")

    with warm_kernels() as execute:

        def run(**parameters):
            given = {"endpoint": world.server.url, "region": REGION, "days": 30.0} | parameters
            with pytest.raises(PapermillExecutionError, match="NotOk"):
                execute(
                    NOTEBOOK, home / "out.ipynb", parameters=given, env=os.environ | {"ECS_RUNBOOK_HOME": str(home)}
                )
            folder = (home / "runs" / "latest").resolve()
            return json.loads((folder / "verdict.json").read_text()), folder

        run.home = home
        yield run


@pytest.fixture(scope="module")
def by_lookup(look):
    """What LookupEvents tells: one run for all tests, before the next has the name *latest*."""
    return look(source="lookup")


def test_what_runs_stale_never_ran_or_was_refused_is_found_with_pictures_and_tables(by_lookup):
    verdict, folder = by_lookup
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


def test_what_the_trail_delivered_into_s3_tells_the_same_byte_for_byte(look, by_lookup):
    looked, folder = by_lookup
    read, by_files = look(source=f"s3://{BUCKET}", archive="archive")
    for name in ("runs", *TABLES):
        assert (by_files / f"{name}.csv").read_bytes() == (folder / f"{name}.csv").read_bytes()
    assert [one for one in read["checks"] if one["id"] != "history-read"] == [
        one for one in looked["checks"] if one["id"] != "history-read"
    ]


def test_what_was_read_is_kept_in_the_archive_and_is_a_source_from_then_on(look, world):
    archive = str(look.home / "archive")
    places, window = fleet(world.aws), Window(world.at(0), world.at(DAYS, 12))
    kept = open_source(f"archive:{archive}", world.aws, places, window=window).facts(window).facts
    told = open_source("lookup", world.aws, places, window=window).facts(window).facts
    assert kept.equals(told)


def test_left_to_itself_it_weighs_what_is_there_and_says_why(world):
    window = Window(world.at(0), world.at(DAYS, 12))
    chosen = open_source("auto", world.aws, fleet(world.aws), window=window)
    assert chosen.because.startswith("6 days of 1 account in 1 Region: about ")
    assert chosen.because.endswith("so LookupEvents, since it is soon done")
