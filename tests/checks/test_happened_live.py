"""Four days of a local AWS, on which rules and schedules really fire: every fault that was sown, and nothing else."""

import pytest
from scheduled_world import LONG, TWIN, ScheduledWorld, sow

from ecs_runbook.checks.judge import judge
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
    now = world.aws.now()
    happened = runs(places, found, since=world.at(0), until=now, facts=known)
    calls = places.gate.counts - before
    said = judge(found, known, now=now, zone="Europe/Berlin", happened=happened)
    return happened, calls, [one for one in said if one.check.startswith("runs-")]


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
    "retried": (4, {}),
    "no-capacity": (3, {"refused": ["1 06:40"]}),
    "tokyo": (3, {}),
    "flexible": (4, {}),
    "once": (1, {}),
    "every-two": (46, {}),  # at once, and every two hours from then on
    "ends": (2, {}),
    "starts": (2, {}),
    "broken": (3, {"missed": ["1 17:00"]}),
    "paused": (3, {}),
    "universal": (4, {}),
    "young": (2, {}),
}


@pytest.mark.parametrize("subject", EXPECTED)
def test_each_row_has_the_firings_that_it_had(looked, subject):
    happened, _, _ = looked
    (own,) = (history for (_, name), history in happened.histories.items() if name == subject)
    assert (own.ran, told(own)) == EXPECTED[subject]


def test_every_row_is_there(looked):
    happened, _, _ = looked
    assert {name for _, name in happened.histories} == set(EXPECTED)
    assert happened.gaps == ()


def test_the_table_has_every_run_and_every_refusal(looked):
    happened, _, _ = looked
    table = happened.runs
    assert list(table.columns) == FLEET_RUN_COLUMNS
    assert table["time"].is_monotonic_increasing
    # every answered firing and every refusal by RunTask, one more of two-tasks each day, and the one by hand; the one
    # that was throttled three times, and the one without capacity
    assert len(table) == sum(ran for ran, _ in EXPECTED.values()) + 4 + 4 + 1 + 3 + 1
    ambiguous = table[table["schedule"].str.startswith("ambiguous: ")]
    assert set(ambiguous["subject"]) == {""}
    assert set(ambiguous["schedule"]) == {f"ambiguous: {LONG} or {TWIN}", "ambiguous: both#a or both#b"}
    last = table[table["subject"] == "good"].iloc[-1]
    assert (last["executed"], last["latest"], last["state"]) == (2, 2, "LATEST")
    assert (last["status"], last["exit_code"], last["source"]) == ("STOPPED", 0, "ECS + CloudTrail")
    assert last["due"] == last["time"].floor("min")
    assert last["seconds"] == pytest.approx(1.0)


def test_each_run_is_judged_at_its_moment(looked):
    happened, _, _ = looked
    table = happened.runs
    states = {subject: list(own["state"]) for subject, own in table.groupby("subject")}
    assert states["good"] == ["LATEST"] * 4
    assert states["pinned"] == ["LATEST", "STALE", "STALE", "STALE"]
    notes = {happened.notes[task] for task in table[table["state"] == "STALE"]["task"]}
    assert notes == {"asked for pinned:1, a fixed revision"}


def test_no_more_is_asked_than_is_needed(looked):
    _, calls, _ = looked
    # of the two families that had a revision before, that one is described; the others were there all the time
    assert calls["ecs:DescribeTaskDefinition"] == 2
    assert (calls["ecs:ListTasks"], calls["ecs:DescribeTasks"]) == (2, 1)
    # five pages of RunTask, one of what was deregistered, one each of seven kinds of changes
    assert calls["cloudtrail:LookupEvents"] == 13
    assert set(calls) == {"ecs:DescribeTaskDefinition", "ecs:ListTasks", "ecs:DescribeTasks", "cloudtrail:LookupEvents"}


# -------- what is said of it


@pytest.fixture(scope="module")
def findings(looked):
    return looked[2]


SOWN = {
    ("runs-missed", "broken-role"): "1 of 4 firings had neither call nor task nor dead letter: at 2027-01-05 18:00",
    ("runs-refused", "broken-role-with-queue"): "1 of 4 firings came to nothing, at 2027-01-05 18:00 Europe/Berlin: ",
    ("runs-missed", "broken"): "1 of 4 firings had neither call nor task nor dead letter: at 2027-01-05 18:00",
    ("runs-refused", "no-capacity"): "1 of 4 firings came to nothing, at 2027-01-05 07:40 Europe/Berlin: ",
    ("runs-refused", "refused"): "4 of 4 firings came to nothing, at 2027-01-05 18:30, 2027-01-06 18:30, ",
    ("runs-duplicate", "twice"): "started more than once at 2027-01-05 18:00 Europe/Berlin (2 tasks instead of 1)",
    ("runs-latest", "pinned"): "3 of 4 runs took an older revision; the last, at 2027-01-07 18:00 Europe/Berlin, ",
    ("runs-succeeded", "dying"): "the only run whose end is known ended badly, the last of 2027-01-07 18:30 ",
    ("runs-succeeded", "hungry"): "the only run whose end is known ended badly, the last of 2027-01-07 18:30 ",
}


def test_every_fault_is_told_and_nothing_else(findings):
    bad = {(one.check, one.subject): one.because for one in findings if one.status != "OK" and one.severity != "note"}
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


def test_whose_end_nobody_knows_any_more_is_a_note(findings):
    notes = {(one.check, one.subject) for one in findings if one.status != "OK" and one.severity == "note"}
    # all others have run within the last hour
    assert notes == {("runs-end-unknown", name) for name in ("once", "ends", "tokyo", "retried", "no-capacity")}


def test_a_firing_that_was_tried_again_is_one_that_ran(findings):
    said = {one.check: (one.status, one.because) for one in findings if one.subject == "retried"}
    assert said["runs-missed"] == ("OK", "all 4 firings that were due left their trace")
    assert said["runs-refused"] == ("OK", "no start was refused; 3 tries before were, and a later one was not")
    assert said["runs-duplicate"] == ("OK", "no firing ran more than once")


SOUND = ["good", "two-tasks", "switched-off", "new", "both#a", "both#b", LONG, TWIN, "paused", "flexible", "universal"]


@pytest.mark.parametrize("subject", SOUND)
def test_what_is_in_order_says_so_check_by_check(findings, subject):
    checks = {one.check for one in findings if one.subject == subject and one.status == "OK"}
    assert checks == {
        "runs-missed", "runs-refused", "runs-duplicate", "runs-latest", "runs-succeeded", "runs-end-unknown",
    }  # fmt: skip


# -------- the clock goes on: only after what was looked at above


def test_what_cloudtrail_has_not_written_down_yet_is_neither_missed_nor_refused(world, looked):
    assert looked
    process.settings(world.server, cloudtrail_delay_seconds=600)
    world.go(4, 17, 35)
    places = fleet(world.aws)
    found = take_inventory(places)
    happened = runs(places, found, since=world.at(4, 16, 30), until=world.aws.now(), facts=facts(places, found))
    own = {subject: history for (_, subject), history in happened.histories.items()}
    # five minutes after it was due, only CloudTrail could tell that it was refused
    assert told(own["refused"]) == {"waiting": ["4 17:30"]}
    # what ran then, ECS tells
    assert [run.status for attempt in own["dying"].attempts for run in attempt.runs] == ["STOPPED"]
    assert (own["dying"].ran, own["good"].ran) == (1, 1)
    assert set(happened.runs.loc[happened.runs["subject"] == "dying", "source"]) == {"ECS"}
    assert [name for name, one in own.items() if one.missed or one.again or one.refused] == []
