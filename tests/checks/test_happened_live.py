"""What is said of four days of a local AWS, on which rules really fire: every fault that was sown, and nothing else."""

import pytest
from scheduled_world import LONG, TWIN, ScheduledWorld, sow

from ecs_runbook.checks.judge import judge
from ecs_runbook.inventory.facts import facts
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.runs import runs
from ecs_runbook.local_aws import process


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    world = ScheduledWorld(process.start(folder))
    sow(world)
    yield world
    process.stop(folder)


@pytest.fixture(scope="module")
def findings(world):
    places = fleet(world.aws)
    found = take_inventory(places)
    known = facts(places, found)
    now = world.aws.now()
    happened = runs(places, found, since=world.at(0), until=now, facts=known)
    said = judge(found, known, now=now, zone="Europe/Berlin", happened=happened)
    return [one for one in said if one.check.startswith("runs-")]


SOWN = {
    ("runs-missed", "broken-role"): "1 of 4 firings had neither call nor task nor dead letter: at 2027-01-05 18:00",
    ("runs-refused", "broken-role-with-queue"): "1 of 4 firings came to nothing, at 2027-01-05 18:00 Europe/Berlin: ",
    ("runs-refused", "refused"): "4 of 4 firings came to nothing, at 2027-01-05 18:30, 2027-01-06 18:30, ",
    ("runs-duplicate", "twice"): "started more than once at 2027-01-05 18:00 Europe/Berlin (2 tasks instead of 1)",
    ("runs-latest", "pinned"): "3 of 4 runs took an older revision; the last, at 2027-01-07 18:00 Europe/Berlin, ",
    ("runs-succeeded", "dying"): "the only run whose end is known ended badly, the last of 2027-01-07 18:30 ",
    ("runs-succeeded", "hungry"): "the only run whose end is known ended badly, the last of 2027-01-07 18:30 ",
}


def test_every_fault_is_told_and_nothing_else(findings):
    bad = {(one.check, one.subject): one.because for one in findings if one.status != "OK"}
    assert set(bad) == set(SOWN)
    for key, words in SOWN.items():
        assert bad[key].startswith(words), bad[key]


EXPLAINED = {
    "broken-role-with-queue": ("sts:AssumeRole", "Let events.amazonaws.com assume the role"),
    "refused": ("AccessDenied: ", "Allow ecs:RunTask on every revision of refused"),
    "pinned": ("asked for pinned:1, a fixed revision", "Let the target name the family without a revision"),
    "dying": ("exit code 3", "Read the log of container main."),
    "hungry": ("OutOfMemoryError", "Give the task definition hungry more memory"),
    "broken-role": ("at 2027-01-05 18:00", "Look whether events.amazonaws.com may assume the role broken-role-events"),
}


@pytest.mark.parametrize("subject", EXPLAINED)
def test_each_is_explained_with_the_mend(findings, subject):
    words, mend = EXPLAINED[subject]
    (found,) = (one for one in findings if one.subject == subject and one.status == "NG")
    assert words in found.because
    assert found.mend.startswith(mend)


@pytest.mark.parametrize("subject", ["good", "two-tasks", "switched-off", "new", "both#a", "both#b", LONG, TWIN])
def test_what_is_in_order_says_so_check_by_check(findings, subject):
    checks = {one.check for one in findings if one.subject == subject and one.status == "OK"}
    assert checks == {
        "runs-missed", "runs-refused", "runs-duplicate", "runs-latest", "runs-succeeded", "runs-end-unknown",
    }  # fmt: skip
