"""When to switch: before the gap the rule alone fires, after it the schedules alone."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ecs_runbook.moving.rule import Found
from ecs_runbook.moving.steps import STEP_COLUMNS, Switch, in_words, off, steps, switch
from ecs_runbook.wanted.schedule import parse, zone_named
from ecs_runbook.wanted.zones import turned

NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
RULE = {
    "Name": "nightly",
    "Arn": "arn:aws:events:eu-west-2:111122223333:rule/nightly",
    "ScheduleExpression": "cron(0 17 * * ? *)",
    "State": "ENABLED",
}
TARGET = {"Id": "job one", "Arn": "arn:aws:ecs:…", "EcsParameters": {"TaskDefinitionArn": "x"}}


def chosen(expression, zone="UTC", now=NOW, last=None):
    return switch(expression, turned(expression, zone, at=now), now=now, last=last)


@pytest.mark.parametrize(
    ("expression", "last", "starts", "following"),
    [
        ("cron(0 17 * * ? *)", None, "24 14:30", "24 17:00"),  # the gap that has begun is wide enough
        ("cron(0 13 * * ? *)", "24 13:00", "25 01:00", "25 13:00"),  # an hour is not
        ("cron(0/5 8-17 ? * MON-FRI *)", "24 17:55", "25 00:57", "25 08:00"),  # the night is the first wide one
        ("cron(0/20 * * * ? *)", "24 12:40", "24 12:50", "24 13:00"),  # all alike: the first that leaves time
    ],
)
def test_the_first_gap_that_leaves_time_is_taken(expression, last, starts, following):
    found = chosen(expression)
    assert (f"{found.last:%d %H:%M}" if found.last else None, f"{found.next:%d %H:%M}") == (last, following)
    assert f"{found.starts:%d %H:%M}" == starts


def test_a_rate_starts_at_the_very_moment_of_its_next_firing():
    found = chosen("rate(6 hours)", last=datetime(2026, 11, 24, 9, 41, 17, tzinfo=UTC))
    assert found == Switch(None, datetime(2026, 11, 24, 15, 41, tzinfo=UTC), datetime(2026, 11, 24, 15, 41, tzinfo=UTC))


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("rate(6 hours)", "when it fired last is not known"),
        ("cron(0 17 * * ? 2020)", "the rule never fires again"),
        ("cron(15 12 24 11 ? 2026)", "no gap between its firings leaves time"),
    ],
)
def test_where_there_is_no_gap_it_says_why(expression, why):
    assert why in chosen(expression)


CHANGES = [(3, 14), (3, 28), (4, 4), (10, 3), (10, 31), (11, 7)]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe"])
@pytest.mark.parametrize("expression", ["cron(0 1 * * ? *)", "cron(30 23 1 * ? *)", "cron(0/20 * * * ? *)"])
def test_before_the_start_the_schedule_repeats_nothing_and_after_it_misses_nothing(expression, zone):
    """Also where the clocks change within the gap: in March, April, October and November 2027."""
    days = [(date(2027, month, day) - NOW.date()).days for month, day in CHANGES]
    for day in [0, *(each - before for each in days for before in (2, 1, 0))]:
        now = NOW + timedelta(days=day)
        other = turned(expression, zone, at=now)
        gap = switch(expression, other, now=now)
        theirs = parse(other.expression).after(gap.starts - timedelta(seconds=1), zone=zone_named(other.zone))
        ours = [one for one, _ in zip(parse(expression).after(now), range(3000), strict=False) if one < gap.next]
        first = next(theirs)
        assert gap.starts < gap.next
        assert abs(first - gap.next) <= timedelta(hours=1)
        assert all(one < gap.starts for one in ours)
        assert gap.last == (ours[-1] if ours else None)


class TestSteps:
    def table(self, rule=(), others=(), expression="cron(0 13 * * ? *)"):
        found = Found(RULE | dict(rule) | {"ScheduleExpression": expression}, (TARGET,), tuple(others))
        gap = chosen(expression) if found.enabled else "the rule is switched off"
        return steps(found, gap, now=NOW, folder="build/a folder", schedules=["default/nightly"])

    def test_they_are_in_order_each_with_its_time_and_command(self):
        table = self.table()
        assert list(table.columns) == STEP_COLUMNS
        apply, end, look, remove = table.to_dict("records")
        assert f"{apply['from']:%d %H:%M} {apply['until']:%d %H:%M}" == "24 12:00 25 01:00"
        assert apply["command"] == "terraform -chdir='build/a folder' apply"
        assert f"{end['from']:%d %H:%M} {end['until']:%d %H:%M}" == "24 13:01 25 13:00"
        assert end["command"] == "aws events disable-rule --name nightly --region eu-west-2"
        assert end["what"] == (
            "after that, once the run of 13:00 UTC was seen: switch the rule off; it can be switched on again"
        )
        assert f"{look['from']:%d %H:%M}" == "25 13:01"
        assert look["command"] == "40_prove with schedule = default/nightly"
        assert f"{remove['from']:%d %H:%M}" == "26 13:00"

    def test_other_targets_stay_with_the_rule(self):
        other = {"Id": "queue", "Arn": "arn:aws:sqs:eu-west-2:111122223333:q"}
        _, end, _, _ = self.table(others=[other]).to_dict("records")
        command = "aws events remove-targets --rule nightly --ids 'job one' --region eu-west-2"
        assert (end["command"], end["what"]) == (
            command,
            "after that, once the run of 13:00 UTC was seen: take these targets away from the rule; 1 others stay",
        )

    def test_a_rule_that_waits_for_events_too_goes_on_waiting(self):
        rule = RULE | {"EventPattern": '{"source": ["x"]}', "Description": "it's"}
        assert off(Found(rule, (TARGET,))) == (
            'aws events put-rule --name nightly --event-pattern \'{"source": ["x"]}\' --state ENABLED'
            " --description 'it'\"'\"'s' --region eu-west-2"
        )

    def test_a_rule_that_is_off_has_no_times(self):
        table = self.table({"State": "DISABLED"})
        assert table["from"].isna().all()
        assert list(table["what"]) == [
            "make the schedules, which are switched off like the rule",
            "take the rule out of where it is written",
        ]


def test_the_gap_in_one_sentence():
    found = chosen("cron(0 13 * * ? *)")
    assert in_words(found, NOW) == (
        "make the schedules by 2026-11-25 01:00 UTC, "
        "and switch the rule off after 2026-11-24 13:00 by 2026-11-25 13:00 UTC"
    )
    assert in_words("because", NOW) == "because"
