"""Which firing each call was, and which firings had none: the table of what counts as what."""

from datetime import datetime, timedelta

import pytest
from made_up import a_letter, a_row, a_target, at, ran, refused, unplaced

from ecs_runbook.inventory.changes import Change, of_row, spans
from ecs_runbook.inventory.firings import Window, add_letters, history, match, oldest, share

SINCE, UNTIL = at("20 12:00"), at("24 12:00")
WINDOW = Window(SINCE, UNTIL, UNTIL - timedelta(minutes=15))
EVERY_DAY = ["20 17:00:20", "21 17:00:41", "22 17:00:07", "23 17:00:59"]


def what_happened(row, *attempts, changes=(), window=WINDOW, letters=()):
    stretches = spans(row, of_row(row, changes), window.since, window.until)
    matched = match(row, attempts, stretches, window)
    add_letters([matched], letters)
    return history(matched, stretches, window)


def dues(firings):
    return [f"{one.due:%d %H:%M}" for one in firings]


def told(found):
    """Return all that is not as it should be, in short words."""
    words = {name: dues(getattr(found, name)) for name in ("missed", "refused", "partly", "late", "again", "waiting")}
    words |= {"doubtful": dues(found.doubtful), "unplaced": found.unplaced, "unjudged": found.unjudged}
    words["not_due"] = [f"{one.time:%d %H:%M}" for one in found.not_due]
    return {name: value for name, value in words.items() if value}


def runs_at(*times, **more):
    return [ran(time, **more) for time in times]


NIGHTLY = a_row()
FOUR_HOURS_OLD = a_row(retry={"MaximumEventAgeInSeconds": 14_400})
CASES = {
    "every firing within its minute": (NIGHTLY, runs_at(*EVERY_DAY), 4, {}),
    "none on one day": (NIGHTLY, runs_at(EVERY_DAY[0], *EVERY_DAY[2:]), 3, {"missed": ["21 17:00"]}),
    "none at all": (NIGHTLY, [], 0, {"missed": ["20 17:00", "21 17:00", "22 17:00", "23 17:00"]}),
    "a few seconds early, by another clock": (NIGHTLY, runs_at("20 16:59:56", *EVERY_DAY[1:]), 4, {}),
    "a minute late is within what RunTask itself takes": (NIGHTLY, runs_at("20 17:01:30", *EVERY_DAY[1:]), 4, {}),
    "hours later, as a retry": (NIGHTLY, runs_at("20 22:10", *EVERY_DAY[1:]), 4, {"late": ["20 17:00"]}),
    "later than it is tried again": (
        FOUR_HOURS_OLD,
        runs_at("20 22:10", *EVERY_DAY[1:]),
        3,
        {"missed": ["20 17:00"], "not_due": ["20 22:10"]},
    ),
    "refused": (NIGHTLY, [refused("20 17:00:20"), *runs_at(*EVERY_DAY[1:])], 3, {"refused": ["20 17:00"]}),
    "refused three times, then taken: one firing": (
        NIGHTLY,
        [refused("20 17:00:20"), refused("20 17:00:31"), refused("20 17:40"), *runs_at("20 18:12", *EVERY_DAY[1:])],
        4,
        {"late": ["20 17:00"]},
    ),
    "refused and refused again: one firing": (
        NIGHTLY,
        [refused("20 17:00:20"), refused("20 17:40"), refused("21 09:00"), *runs_at(*EVERY_DAY[1:])],
        3,
        {"refused": ["20 17:00"]},
    ),
    "a retry goes to the firing that was tried, not to one of which nothing was seen": (
        NIGHTLY,
        [refused("21 17:00:20"), *runs_at("22 03:00", *EVERY_DAY[2:])],
        3,
        {"missed": ["20 17:00"], "late": ["21 17:00"]},
    ),
    "answered without a task": (
        NIGHTLY,
        [unplaced("20 17:00:20"), *runs_at(*EVERY_DAY[1:])],
        3,
        {"refused": ["20 17:00"]},
    ),
    "twice within its minute": (NIGHTLY, runs_at("20 17:00:21", *EVERY_DAY), 4, {"again": ["20 17:00"]}),
    "twice, hours apart, where a retry of a firing before the range may be meant": (
        NIGHTLY,
        runs_at("20 16:00", *EVERY_DAY),
        4,
        {},
    ),
    "once more, when every firing is known and answered": (
        NIGHTLY,
        runs_at(*EVERY_DAY, "22 20:00"),
        4,
        {"not_due": ["22 20:00"]},
    ),
    "a refusal after it ran harms nobody": (NIGHTLY, [refused("20 17:00:50"), *runs_at(*EVERY_DAY)], 4, {}),
    "two tasks of one firing": (a_row(count=2), runs_at(*EVERY_DAY, tasks=2), 4, {}),
    "two tasks in two calls": (
        a_row(count=2),
        runs_at("20 17:00:21", *EVERY_DAY, "21 17:00:45", "22 17:00:45", "23 17:00:59"),
        4,
        {},
    ),
    "one task where a firing starts two": (
        a_row(count=2),
        [unplaced("20 17:00:20", tasks=1), *runs_at(*EVERY_DAY[1:], tasks=2)],
        3,
        {"partly": ["20 17:00"]},
    ),
    "four tasks where a firing starts two": (
        a_row(count=2),
        runs_at("20 17:00:21", *EVERY_DAY, tasks=2),
        4,
        {"again": ["20 17:00"]},
    ),
    "disabled": (a_row(enabled=False), [], 0, {}),
    "a rule that waits for events is never due": (a_row("", pattern="{}"), runs_at("20 13:00", "22 20:00"), 0, {}),
    "a rule that also waits for events may run at any time": (
        a_row(pattern="{}"),
        runs_at(*EVERY_DAY, "22 20:00"),
        4,
        {},
    ),
    "others may start the state machine in between": (a_row(through="arn:m"), runs_at(*EVERY_DAY, "22 20:00"), 4, {}),
    "an expression that cannot be read is never due": (a_row("cron(nonsense)"), runs_at("20 13:00"), 0, {}),
}


@pytest.mark.parametrize(("row", "attempts", "answered", "expected"), CASES.values(), ids=CASES)
def test_a_daily_firing(row, attempts, answered, expected):
    found = what_happened(row, *attempts)
    assert (found.ran, told(found)) == (answered, expected)


YOUNG = [
    ("CloudTrail is told later", "24 11:50", "cron(40 11 * * ? *)", {"waiting": ["24 11:40"]}),
    ("CloudTrail must have told", "24 11:56", "cron(40 11 * * ? *)", {"missed": ["24 11:40"]}),
    ("it is due in the very minute", "24 11:40", "cron(40 11 * * ? *)", {"waiting": ["24 11:40"]}),
    ("its flexible window is open", "24 11:56", "cron(30 11 * * ? *)", {"waiting": ["24 11:30"]}),
]


@pytest.mark.parametrize(
    ("until", "expression", "expected"), [case[1:] for case in YOUNG], ids=[one[0] for one in YOUNG]
)
def test_what_is_too_young_is_not_missed(until, expression, expected):
    row = a_row(expression, zone="UTC", flexible=15) if "30" in expression else a_row(expression)
    window = Window(at("24 11:00"), at(until), at(until) - timedelta(minutes=15))
    assert told(what_happened(row, window=window)) == expected


SCHEDULES = {
    "read in its zone": (
        a_row("cron(0 17 * * ? *)", zone="Asia/Tokyo"),
        runs_at("21 08:00:05", "22 08:00:09", "23 08:00:01"),
        3,
        {"missed": ["24 08:00"]},
    ),
    "anywhere in its flexible window": (
        a_row(zone="UTC", flexible=30),
        runs_at("20 17:29:50", "21 17:00:01", "22 17:15", "23 17:30:40"),
        4,
        {},
    ),
    "after its flexible window, it is late": (
        a_row(zone="UTC", flexible=30),
        runs_at("20 17:45", *EVERY_DAY[1:]),
        4,
        {"late": ["20 17:00"]},
    ),
    "flexible windows that meet": (
        a_row("cron(0/10 12-13 24 11 ? 2026)", zone="UTC", flexible=15),
        [],
        0,
        {"waiting": ["24 12:00"]},
    ),
    "not before its start": (a_row(zone="UTC", starts=at("22 00:00")), runs_at(*EVERY_DAY[2:]), 2, {}),
    "not after its end": (a_row(zone="UTC", ends=at("22 00:00")), runs_at(*EVERY_DAY[:2]), 2, {}),
    "in the minute of its start AWS may fire or not": (
        a_row(zone="UTC", starts=at("20 17:00")),
        runs_at(*EVERY_DAY[1:]),
        3,
        {},
    ),
    "once": (a_row("at(2026-11-22T17:00:00)", zone="UTC"), runs_at("22 17:00:30"), 1, {}),
    "once, and not at all": (a_row("at(2026-11-22T17:00:00)", zone="UTC"), [], 0, {"missed": ["22 17:00"]}),
    "once, whatever its end says": (
        a_row("at(2026-11-22T17:00:00)", zone="UTC", ends=at("21 00:00")),
        [],
        0,
        {"missed": ["22 17:00"]},
    ),
    "in a zone that this machine does not know": (a_row(zone="Nowhere/Else"), [], 0, {}),
    "made in the range": (
        a_row(zone="UTC", created=at("22 12:00"), changed=at("22 12:00")),
        runs_at(*EVERY_DAY[2:]),
        2,
        {},
    ),
    "changed in the range: before that, only from the first run on": (
        a_row(zone="UTC", created=at("01 00:00"), changed=at("23 12:00")),
        runs_at(EVERY_DAY[1], EVERY_DAY[3]),
        2,
        {"missed": ["22 17:00"], "unjudged": 1},
    ),
}


@pytest.mark.parametrize(("row", "attempts", "answered", "expected"), SCHEDULES.values(), ids=SCHEDULES)
def test_a_schedule_of_scheduler(row, attempts, answered, expected):
    found = what_happened(row, *attempts)
    assert (found.ran, told(found)) == (answered, expected)


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2026-03-29", []), ("2026-10-25", ["25 00:30"])],
    ids=["the clocks skip its time", "the clocks repeat its time: once"],
)
def test_a_change_of_the_clocks(day, expected):
    row = a_row("cron(30 2 * * ? *)", zone="Europe/Berlin")
    since = datetime.fromisoformat(f"{day}T00:00+00:00")
    window = Window(since, since + timedelta(hours=20), since + timedelta(hours=19))
    assert dues(what_happened(row, window=window).missed) == expected


HOURLY = [f"20 {hour}:07:{second:02}" for hour, second in ((12, 10), (13, 40), (14, 59), (15, 2), (16, 30), (17, 1))]
EVENING = Window(at("20 12:00"), at("20 17:59:30"), at("20 17:44:30"))
RATES = {
    "every interval": ("rate(1 hour)", HOURLY, 6, {}),
    "one left out": ("rate(1 hour)", [*HOURLY[:2], *HOURLY[3:]], 5, {"missed": ["20 14:07"]}),
    "none since": ("rate(1 hour)", HOURLY[:3], 3, {"missed": ["20 15:07", "20 16:07", "20 17:07"]}),
    "the first ones left out": ("rate(1 hour)", HOURLY[3:], 3, {"missed": ["20 12:07", "20 13:07", "20 14:07"]}),
    "none at all: at times that are not known": ("rate(1 hour)", [], 0, {"unplaced": 5}),
    "none at all, and none may have been due": ("rate(12 hours)", [], 0, {}),
    "drifting by a minute": (
        "rate(1 hour)",
        ["20 12:07:10", "20 13:07:59", "20 14:08:02", "20 15:08:40", "20 16:09", "20 17:09"],
        6,
        {},
    ),
    "twice": ("rate(1 hour)", [*HOURLY, "20 14:07:59"], 6, {"again": ["20 14:07"]}),
    "late, and on time again": ("rate(1 hour)", [*HOURLY[:2], "20 14:31", *HOURLY[3:]], 6, {"late": ["20 14:07"]}),
    "each minute": ("rate(1 minute)", [f"20 {12 + m // 60}:{m % 60:02}:{m % 60:02}" for m in range(360)], 360, {}),
    "each minute but one": (
        "rate(1 minute)",
        [f"20 {12 + m // 60}:{m % 60:02}:{m % 60:02}" for m in range(360) if m != 100],
        359,
        {"missed": ["20 13:40"]},
    ),
    "each minute, once over its border": (
        "rate(1 minute)",
        [f"20 {12 + m // 60}:{m % 60:02}:{30 if m != 99 else '00'}" for m in range(1, 360)] + ["20 12:01:01"],
        360,
        {},
    ),
}


@pytest.mark.parametrize(("expression", "times", "answered", "expected"), RATES.values(), ids=RATES)
def test_a_rate_has_the_phase_that_its_runs_show(expression, times, answered, expected):
    found = what_happened(a_row(expression), *runs_at(*times), window=EVENING)
    assert (found.ran, told(found)) == (answered, expected)


def test_a_rate_that_never_ran_has_the_phase_of_its_start():
    row = a_row("rate(2 hours)", zone="UTC", starts=at("18 13:00"))
    assert told(what_happened(row, window=EVENING)) == {"missed": ["20 13:00", "20 15:00", "20 17:00"]}


def test_a_rate_is_not_due_before_its_start_nor_after_its_end():
    row = a_row("rate(1 hour)", zone="UTC", starts=at("20 13:30"), ends=at("20 16:30"))
    found = what_happened(row, *runs_at("20 14:07:10", "20 16:07:30"), window=EVENING)
    assert (found.ran, told(found)) == (2, {"missed": ["20 15:07"]})
    early = a_row("rate(1 hour)", zone="UTC", starts=at("20 19:00"))
    assert told(what_happened(early, window=EVENING)) == {}


OWNER = ("default", "nightly")


def put(when, expression="cron(0 17 * * ? *)", *, enabled=True):
    return Change(at(when), OWNER, expression, enabled)


def switched(when, *, on):
    return Change(at(when), OWNER, enabled=on)


def targets(when, *, there, ids=("t",)):
    return Change(at(when), OWNER, targets=ids, there=there)


CHANGES = {
    "disabled for two days and enabled again": (
        [switched("21 12:00", on=False), switched("23 12:00", on=True)],
        [EVERY_DAY[0], EVERY_DAY[3]],
        2,
        {},
    ),
    "disabled, and missed before that": (
        [switched("22 12:00", on=False), switched("23 12:00", on=True)],
        [EVERY_DAY[0], EVERY_DAY[3]],
        2,
        {"missed": ["21 17:00"]},
    ),
    "disabled: that it was on before is not known without a run": (
        [switched("22 12:00", on=False), switched("23 12:00", on=True)],
        [EVERY_DAY[3]],
        1,
        {"unjudged": 2},
    ),
    "enabled, and missed after that": (
        [switched("22 12:00", on=True)],
        [EVERY_DAY[3]],
        1,
        {"missed": ["22 17:00"], "unjudged": 2},
    ),
    "made in the range": ([put("22 12:00"), targets("22 12:00:02", there=True)], EVERY_DAY[2:], 2, {"unjudged": 2}),
    "made a minute before it was due: a change takes a while": (
        [put("22 16:59"), targets("22 16:59:01", there=True)],
        EVERY_DAY[3:],
        1,
        {"unjudged": 2},
    ),
    "applied again as it was": ([put("22 12:00"), targets("22 12:00:02", there=True)], EVERY_DAY, 4, {}),
    "applied again as it was, and missed before that": (
        [put("23 12:00"), targets("23 12:00:02", there=True)],
        [EVERY_DAY[0], *EVERY_DAY[2:]],
        3,
        {"missed": ["21 17:00"]},
    ),
    "of another expression before": (
        [put("20 12:00:01", "cron(0 6 * * ? *)"), put("22 12:00")],
        ["21 06:00:10", "22 06:00:10", *EVERY_DAY[2:]],
        4,
        {},
    ),
    "of another expression before, and missed then": (
        [put("20 12:00:01", "cron(0 6 * * ? *)"), put("22 12:00")],
        ["21 06:00:10", *EVERY_DAY[2:]],
        3,
        {"missed": ["22 06:00"]},
    ),
    "of an expression before that nobody told: its runs are neither missed nor too many": (
        [put("22 12:00")],
        ["21 06:00:10", "22 06:00:10", *EVERY_DAY[2:]],
        2,
        {"unjudged": 2},
    ),
    "its target removed for a day": (
        [targets("21 12:00", there=False), targets("22 12:00", there=True)],
        [EVERY_DAY[0], *EVERY_DAY[2:]],
        3,
        {},
    ),
    "another target removed": (
        [targets("21 12:00", there=False, ids=("u",))],
        [EVERY_DAY[0], *EVERY_DAY[2:]],
        3,
        {"missed": ["21 17:00"]},
    ),
    "which targets were removed is not told": (
        [targets("21 12:00", there=False, ids=("",)), targets("22 12:00", there=True, ids=("",))],
        [EVERY_DAY[0], *EVERY_DAY[2:]],
        3,
        {},
    ),
    "another rule's changes": ([Change(at("21 12:00"), ("default", "other"), enabled=False)], EVERY_DAY, 4, {}),
    "put as disabled, enabled later": (
        [put("21 12:00", enabled=False), switched("23 12:00", on=True)],
        [EVERY_DAY[0], EVERY_DAY[3]],
        2,
        {},
    ),
}


@pytest.mark.parametrize(("changes", "times", "answered", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_was_changed_in_the_range_is_respected(changes, times, answered, expected):
    found = what_happened(a_row(), *runs_at(*times), changes=changes)
    assert (found.ran, told(found)) == (answered, expected)


def test_a_rule_that_is_disabled_now_is_judged_until_it_was():
    found = what_happened(
        a_row(enabled=False), ran(EVERY_DAY[0]), ran(EVERY_DAY[2]), changes=[switched("23 12:00", on=False)]
    )
    assert (found.ran, told(found)) == (2, {"missed": ["21 17:00"]})


def test_a_rate_may_begin_anew_when_its_rule_is_put_again():
    changes = [Change(at("20 14:30"), OWNER, "rate(1 hour)", enabled=True)]
    times = ["20 12:07:10", "20 13:07:40", "20 14:07:01", "20 15:30:10", "20 16:30:10", "20 17:30"]
    found = what_happened(a_row("rate(1 hour)"), *runs_at(*times), changes=changes, window=EVENING)
    assert (found.ran, told(found)) == (6, {})


def test_a_dead_letter_makes_of_a_missed_firing_one_that_was_given_up():
    found = what_happened(NIGHTLY, *runs_at(*EVERY_DAY[1:]), letters=[a_letter("20 17:00:14")])
    assert told(found) == {"refused": ["20 17:00"]}
    assert [letter.id for letter in found.refused[0].letters] == ["m1"]


def test_for_how_long_it_is_tried_again():
    assert oldest(a_row()) == timedelta(hours=24)
    assert oldest(a_row(retry={"MaximumRetryAttempts": 3})) == timedelta(hours=24)
    assert oldest(FOUR_HOURS_OLD) == timedelta(hours=4)


# -------- calls that may be of several rows


def both(first, second, *doubtful, own=()):
    """Return what became of two rows of which calls may be either's."""
    several = []
    for row, attempts in zip((first, second), own or ((), ()), strict=True):
        stretches = spans(row, [], SINCE, UNTIL)
        several.append((match(row, attempts, stretches, WINDOW), stretches))
    share((attempt, [matched for matched, _ in several]) for attempt in doubtful)
    return [history(matched, stretches, WINDOW) for matched, stretches in several]


def doubted(maker, *times):
    return [maker(time, certain=False) for time in times]


def test_as_many_calls_as_firings_are_one_each():
    found = both(a_row(), a_row(name="nightly2"), *doubted(ran, *EVERY_DAY, *EVERY_DAY))
    assert [(one.ran, told(one)) for one in found] == [(4, {}), (4, {})]
    assert all(not attempt.certain for one in found for attempt in one.attempts)


def test_as_many_refusals_as_firings_are_one_each():
    found = both(
        a_row(),
        a_row(name="nightly2"),
        *doubted(refused, EVERY_DAY[0], EVERY_DAY[0]),
        own=[runs_at(*EVERY_DAY[1:])] * 2,
    )
    assert [told(one) for one in found] == [{"refused": ["20 17:00"]}] * 2


@pytest.mark.parametrize("maker", [ran, refused])
def test_one_call_for_two_firings_is_nobodys_for_certain(maker):
    found = both(a_row(), a_row(name="nightly2"), *doubted(maker, EVERY_DAY[0]), own=[runs_at(*EVERY_DAY[1:])] * 2)
    assert [told(one) for one in found] == [{"doubtful": ["20 17:00"]}] * 2


def test_one_that_ran_and_one_that_was_refused_are_told_apart_by_nothing():
    calls = [*doubted(ran, EVERY_DAY[0]), *doubted(refused, EVERY_DAY[0])]
    found = both(a_row(), a_row(name="nightly2"), *calls, own=[runs_at(*EVERY_DAY[1:])] * 2)
    assert [told(one) for one in found] == [{"doubtful": ["20 17:00"]}] * 2


def test_what_is_one_rows_for_certain_leaves_the_rest_to_the_other():
    own = [runs_at(*EVERY_DAY), runs_at(*EVERY_DAY[1:])]
    found = both(a_row(), a_row(name="nightly2"), *doubted(ran, EVERY_DAY[0]), own=own)
    assert [(one.ran, told(one)) for one in found] == [(4, {}), (4, {})]


def test_rows_of_other_times_are_not_asked_about():
    rows = [a_row(), a_row("cron(30 6 * * ? *)", name="nightly2")]
    found = both(*rows, *doubted(ran, *EVERY_DAY), own=[(), runs_at("21 06:30", "22 06:30", "23 06:30", "24 06:30")])
    assert [(one.ran, told(one)) for one in found] == [(4, {}), (4, {})]


def test_a_call_at_no_ones_time_may_be_anyones_retry():
    own = [runs_at(*EVERY_DAY[1:]), runs_at(*EVERY_DAY)]
    found = both(a_row(), a_row(name="nightly2"), *doubted(ran, "20 22:00"), own=own)
    assert [told(one) for one in found] == [{"doubtful": ["20 17:00"]}, {}]


def test_a_letter_of_a_rule_with_two_targets_goes_to_the_one_that_is_open():
    targets = [a_target(id="a"), a_target(id="b")]
    several = [
        match(a_row(targets=targets, target=n), own, spans(NIGHTLY, [], SINCE, UNTIL), WINDOW)
        for n, own in enumerate((runs_at(*EVERY_DAY), runs_at(*EVERY_DAY[1:])))
    ]
    add_letters(several, [a_letter("20 17:00:14")])
    found = [history(one, spans(NIGHTLY, [], SINCE, UNTIL), WINDOW) for one in several]
    assert [told(one) for one in found] == [{}, {"refused": ["20 17:00"]}]


def test_a_letter_for_two_open_targets_is_given_to_neither():
    targets = [a_target(id="a"), a_target(id="b")]
    several = [
        match(a_row(targets=targets, target=n), runs_at(*EVERY_DAY[1:]), spans(NIGHTLY, [], SINCE, UNTIL), WINDOW)
        for n in (0, 1)
    ]
    add_letters(several, [a_letter("20 17:00:14")])
    found = [history(one, spans(NIGHTLY, [], SINCE, UNTIL), WINDOW) for one in several]
    assert [told(one) for one in found] == [{"missed": ["20 17:00"]}] * 2
