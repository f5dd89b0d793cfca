"""Firings of a made-up EventBridge, with faults sown by a seed: as many are told as were sown, and nothing else."""

import random
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from made_up import a_row, at, ran, refused

from ecs_runbook.inventory.changes import spans
from ecs_runbook.inventory.firings import Window, history, match

SHAPES = {
    "every minute": ("cron(* * * * ? *)", 1),
    "every five minutes": ("cron(0/5 * * * ? *)", 5),
    "every quarter": ("cron(0/15 * * * ? *)", 15),
    "hourly": ("cron(7 * * * ? *)", 60),
    "daily": ("cron(7 3 * * ? *)", 1440),
    "a rate of a minute": ("rate(1 minute)", 1),
    "a rate of a quarter": ("rate(15 minutes)", 15),
    "a rate of four hours": ("rate(4 hours)", 240),
}
FLEXIBLE = {"hourly", "daily"}


@dataclass
class Sown:
    """What a made-up EventBridge did, and how much of it was wrong."""

    attempts: list = field(default_factory=list)
    ran: int = 0
    missed: int = 0
    refused: int = 0
    twice: int = 0


def when(moment):
    return f"{moment:%d %H:%M:%S}"


def fired(dice, dues, every, flexible, told):
    sown = Sown()
    for due in dues:
        begun = due + timedelta(seconds=dice.randrange(60), minutes=dice.randrange(flexible + 1))
        luck = dice.random()
        if luck < 0.08:
            sown.missed += 1
            continue
        if luck < 0.14:
            sown.attempts.append(refused(when(begun)))
            sown.refused += 1
            continue
        if luck < 0.20 and every >= 240:  # refused, and taken at a later try, at a time at which nothing else is due
            sown.attempts.append(refused(when(begun)))
            begun += timedelta(minutes=dice.randrange(40, 100))
        sown.attempts.append(ran(when(begun)))
        sown.ran += 1
        if 0.20 <= luck < 0.25 and every >= 15:
            end = due + timedelta(seconds=59, minutes=flexible)
            sown.attempts.append(ran(when(min(begun + timedelta(seconds=dice.randrange(30)), max(end, begun)))))
            sown.twice += 1
    assert all(due + timedelta(minutes=flexible + 11) <= told for due in dues)
    return sown


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(8))
def test_as_many_faults_are_told_as_were_sown(shape, seed):
    dice = random.Random(f"{shape} {seed}")
    expression, every = SHAPES[shape]
    flexible = dice.choice([0, 15, 30]) if shape in FLEXIBLE else 0
    row = a_row(expression, zone="UTC" if flexible else None, flexible=flexible)
    since = at("10 00:00") + timedelta(minutes=dice.randrange(600))
    first = at("08 03:07") if "7" in expression else at("08 00:00")
    first += timedelta(minutes=dice.randrange(every)) if "rate" in expression else timedelta()
    turns = (first + timedelta(minutes=every) * turn for turn in range(12 * 1440 // every))
    until = since + timedelta(hours=dice.choice([6, 26]) * max(1, every // 60))
    told = until - timedelta(minutes=15)
    dues = [due for due in turns if since <= due and due + timedelta(minutes=flexible + 11) <= told]
    sown = fired(dice, dues, every, flexible, told)
    window = Window(since, until, told)
    stretches = spans(row, [], since, until)
    found = history(match(row, sown.attempts, stretches, window), stretches, window)
    recent = [one for one in found.missed if one.due > dues[-1]]  # what was due later, and was not simulated
    counted = (found.ran, len(found.missed) - len(recent), len(found.refused), len(found.again))
    assert counted == (sown.ran, sown.missed, sown.refused, sown.twice)
    assert (found.not_due, found.partly, found.doubtful, found.unplaced) == ([], [], [], 0)
