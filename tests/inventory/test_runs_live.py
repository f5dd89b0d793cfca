"""What four days of a local AWS ran, on which rules really fire: each fault that was sown is told, and nothing else."""

import pytest
from scheduled_world import LONG, TWIN, ScheduledWorld, sow

from ecs_runbook.inventory.facts import facts
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.runs import FLEET_RUN_COLUMNS, runs
from ecs_runbook.local_aws import process


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Four days of an account: the clock stands at six o'clock in the evening of the last one."""
    folder = tmp_path_factory.mktemp("local-aws")
    world = ScheduledWorld(process.start(folder))
    sow(world)
    yield world
    process.stop(folder)


@pytest.fixture(scope="module")
def looked(world):
    places = fleet(world.aws)
    found = take_inventory(places)
    known = facts(places, found)
    before = places.gate.counts.copy()
    happened = runs(places, found, since=world.at(0), until=world.aws.now(), facts=known)
    return happened, places.gate.counts - before


def told(history):
    words = {}
    for name in ("missed", "refused", "partly", "late", "again", "waiting", "doubtful"):
        words[name] = [f"{one.due.day - 4} {one.due:%H:%M}" for one in getattr(history, name)]
    words |= {"unplaced": history.unplaced, "not_due": len(history.not_due)}
    return {name: value for name, value in words.items() if value}


EXPECTED = {
    "good": (4, {}),
    "two-tasks": (4, {}),
    "hourly": (90, {}),  # from one hour after it was made: three days and 18 hours
    "pinned": (4, {}),
    "twice": (4, {"again": ["1 17:00"]}),
    "switched-off": (3, {}),
    "broken-role": (3, {"missed": ["1 17:00"]}),
    "broken-role-with-queue": (3, {"refused": ["1 17:00"]}),
    "dying": (4, {}),
    "hungry": (4, {}),
    "refused": (0, {"refused": ["0 17:30", "1 17:30", "2 17:30", "3 17:30"]}),
    "both#a": (4, {}),
    "both#b": (4, {}),
    LONG: (4, {}),
    TWIN: (4, {}),
    "new": (2, {}),
}


@pytest.mark.parametrize("subject", EXPECTED)
def test_each_row_has_the_firings_that_it_had(looked, subject):
    happened, _ = looked
    (own,) = (history for (_, name), history in happened.histories.items() if name == subject)
    assert (own.ran, told(own)) == EXPECTED[subject]


def test_every_row_is_there(looked):
    happened, _ = looked
    assert {name for _, name in happened.histories} == set(EXPECTED)
    assert happened.gaps == ()


def test_the_table_has_every_run_and_every_refusal(looked):
    happened, _ = looked
    table = happened.runs
    assert list(table.columns) == FLEET_RUN_COLUMNS
    assert table["time"].is_monotonic_increasing
    # every answered firing and every refusal by RunTask, one more of two-tasks each day, and the one by hand
    assert len(table) == sum(ran for ran, _ in EXPECTED.values()) + 4 + 4 + 1
    ambiguous = table[table["schedule"].str.startswith("ambiguous: ")]
    assert set(ambiguous["subject"]) == {""}
    assert set(ambiguous["schedule"]) == {f"ambiguous: {LONG} or {TWIN}", "ambiguous: both#a or both#b"}
    last = table[table["subject"] == "good"].iloc[-1]
    assert (last["executed"], last["latest"], last["state"]) == (2, 2, "LATEST")
    assert (last["status"], last["exit_code"], last["source"]) == ("STOPPED", 0, "ECS + CloudTrail")
    assert last["due"] == last["time"].floor("min")
    assert last["seconds"] == pytest.approx(1.0)


def test_each_run_is_judged_at_its_moment(looked):
    happened, _ = looked
    table = happened.runs
    states = {subject: list(own["state"]) for subject, own in table.groupby("subject")}
    assert states["good"] == ["LATEST"] * 4
    assert states["pinned"] == ["LATEST", "STALE", "STALE", "STALE"]
    notes = {happened.notes[task] for task in table[table["state"] == "STALE"]["task"]}
    assert notes == {"asked for pinned:1, a fixed revision"}


def test_no_more_is_asked_than_is_needed(looked):
    _, calls = looked
    # of the two families that had a revision before, that one is described; the others were there all the time
    assert calls["ecs:DescribeTaskDefinition"] == 2
    assert (calls["ecs:ListTasks"], calls["ecs:DescribeTasks"]) == (2, 1)
    # three pages of RunTask, one of what was deregistered, one each of five kinds of changes
    assert calls["cloudtrail:LookupEvents"] == 9
    assert set(calls) == {"ecs:DescribeTaskDefinition", "ecs:ListTasks", "ecs:DescribeTasks", "cloudtrail:LookupEvents"}
