from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.local_aws.clock import Clock, moment, span

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Real:
    """Real time that moves when told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def real() -> Real:
    return Real()


@pytest.fixture
def clock(real) -> Clock:
    return Clock(real=real)


def at(hour: int, minute: int = 0) -> datetime:
    return NOON.replace(hour=hour, minute=minute)


def test_it_runs_as_real_time_does(clock, real):
    real.now += timedelta(minutes=3)
    assert clock.now() == at(12, 3)


def test_a_frozen_clock_stands_still_and_goes_on_from_there(clock, real):
    clock.freeze()
    real.now += timedelta(hours=1)
    assert clock.now() == NOON
    assert clock.frozen
    clock.release()
    real.now += timedelta(minutes=1)
    assert clock.now() == at(12, 1)
    assert not clock.frozen


def test_freezing_twice_changes_nothing(clock, real):
    clock.freeze()
    real.now += timedelta(hours=1)
    clock.freeze()
    assert clock.now() == NOON


def test_releasing_a_running_clock_changes_nothing(clock):
    clock.release()
    assert clock.now() == NOON


def test_it_goes_on_from_where_it_was_moved_to(clock, real):
    clock.advance_to(at(17))
    real.now += timedelta(seconds=5)
    assert clock.now() == at(17) + timedelta(seconds=5)


def test_a_frozen_clock_that_is_moved_stays_frozen(clock, real):
    clock.freeze()
    clock.advance_to(at(17))
    real.now += timedelta(hours=9)
    assert clock.now() == at(17)


def test_it_never_goes_back(clock):
    with pytest.raises(ValueError, match="the clock already shows 2026-11-24T12:00:00"):
        clock.advance_to(at(11, 59))


@pytest.mark.parametrize("move", [Clock.advance_to, lambda clock, when: clock.at(when, lambda: None)])
def test_a_moment_without_a_time_zone_is_refused(clock, move):
    with pytest.raises(ValueError, match="needs its time zone"):
        move(clock, datetime(2026, 11, 24, 17))  # noqa: DTZ001


def test_what_falls_due_on_the_way_runs_in_order_each_at_its_own_moment(clock):
    seen = []
    clock.at(at(15), lambda: seen.append(("third", clock.now())))
    clock.at(at(13), lambda: seen.append(("first", clock.now())))
    clock.at(at(14), lambda: seen.append(("second", clock.now())))
    clock.at(at(18), lambda: seen.append(("not yet", clock.now())))
    assert clock.advance_to(at(17)) == 3
    assert seen == [("first", at(13)), ("second", at(14)), ("third", at(15))]


def test_what_is_due_at_one_moment_runs_in_the_order_of_its_entry(clock):
    seen = []
    for name in "abc":
        clock.at(at(13), lambda name=name: seen.append(name))
    clock.advance_to(at(13))
    assert seen == ["a", "b", "c"]


def test_an_action_may_enter_others_that_still_fall_on_the_way(clock):
    seen = []

    def every_hour() -> None:
        seen.append(clock.now().hour)
        clock.after(timedelta(hours=1), every_hour)

    clock.at(at(13), every_hour)
    assert clock.advance_to(at(16, 30)) == 4
    assert seen == [13, 14, 15, 16]


def test_an_entry_for_a_moment_already_past_does_not_turn_time_back(clock):
    seen = []
    clock.at(at(15), lambda: clock.at(at(13), lambda: seen.append(clock.now())))
    clock.advance_to(at(17))
    assert seen == [at(15)]


def test_a_cancelled_entry_does_not_run(clock):
    seen = []
    entry = clock.at(at(13), lambda: seen.append("ran"))
    entry.cancel()
    assert clock.advance_to(at(14)) == 0
    assert seen == []


def test_an_action_that_fails_does_not_keep_the_others_from_running(clock):
    seen = []
    clock.at(at(13), lambda: 1 / 0)
    clock.at(at(14), lambda: seen.append("ran"))
    assert clock.advance_to(at(15)) == 2
    assert seen == ["ran"]


def test_catching_up_runs_what_real_time_made_due(clock, real):
    seen = []
    clock.at(at(12, 1), lambda: seen.append(clock.now()))
    assert clock.catch_up() == 0
    real.now += timedelta(minutes=2)
    assert clock.catch_up() == 1
    assert seen == [at(12, 1)]
    assert clock.now() == at(12, 2)


def test_a_frozen_clock_makes_nothing_due(clock, real):
    clock.at(at(12, 1), lambda: None)
    clock.freeze()
    real.now += timedelta(hours=1)
    assert clock.catch_up() == 0


def test_catching_up_inside_an_action_leaves_the_rest_to_its_turn(clock):
    seen = []

    def first() -> None:
        clock.catch_up()
        seen.append("first")

    clock.at(at(13), first)
    clock.at(at(13), lambda: seen.append("second"))
    clock.advance_to(at(13))
    assert seen == ["first", "second"]


@given(st.lists(st.integers(min_value=0, max_value=1000), max_size=30))
def test_actions_always_see_time_go_forward(minutes):
    clock = Clock(real=lambda: NOON)
    seen: list[datetime] = []
    for minute in minutes:
        clock.at(NOON + timedelta(minutes=minute), lambda: seen.append(clock.now()))
    assert clock.advance_to(NOON + timedelta(minutes=1000)) == len(minutes)
    assert seen == [NOON + timedelta(minutes=minute) for minute in sorted(minutes)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T17:00:00Z", at(17)),
        ("2026-11-24T18:00:00+01:00", at(17)),
        ("2026-11-24T12:00:00.5Z", NOON + timedelta(seconds=0.5)),
    ],
)
def test_a_moment_is_read_from_iso_8601(text, expected):
    assert moment(text) == expected


@pytest.mark.parametrize("text", ["", "17:00", "2026-11-24T17:00:00", "tomorrow", "2026-13-01T00:00:00Z"])
def test_a_moment_that_is_none_or_names_no_zone_is_refused(text):
    with pytest.raises(ValueError, match="a moment reads like 2026-11-24T17:00:00Z"):
        moment(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800), ("1.5h", 5400), (45, 45), ("0", 0)],
)
def test_a_span_is_read_with_its_unit(text, seconds):
    assert span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "-1h", "h", "1w", "1 hour", "nan", "1e9d", True, None])
def test_a_span_that_is_none_or_goes_back_is_refused(text):
    with pytest.raises(ValueError, match="a span of time reads like 90s"):
        span(text)
