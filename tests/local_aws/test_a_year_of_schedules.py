"""
A whole year of rules and schedules in three zones, against an oracle that knows no cron expression.

The oracle walks the year minute by minute, and asks of each zone's wall clock whether it shows the time that a case
names in words. AWS docs, EventBridge Scheduler, "Daylight savings time": a time that the clocks skip is skipped, one
that they show twice runs once, and a rate's day is 24 hours; "Rate-based schedules": StartDate is the first occurrence,
and without one it starts at once. A rule is read in UTC. From June 2027 to June 2028 Berlin's clocks change on
31 October and 26 March, New York's on 7 November and 12 March, and there is a 29 February.
"""

import calendar
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from local_world import LocalWorld, allow, arn, trusting

BEGINS, ENDS = datetime(2027, 6, 1, tzinfo=UTC), datetime(2028, 6, 1, tzinfo=UTC)
ZONES = {"tyo": "Asia/Tokyo", "ber": "Europe/Berlin", "nyc": "America/New_York"}
MINUTE = timedelta(minutes=1)


def month_end(local):
    return local.day == calendar.monthrange(local.year, local.month)[1]


def nearest_to_the_15th(local):
    """Whether it is the working day nearest to the 15th: the 15th, or the Friday before, or the Monday after."""
    middle = local.replace(day=15).weekday()
    return local.day == {5: 14, 6: 16}.get(middle, 15)


def clock(text):
    hour, minute = map(int, text.split(":"))
    return lambda local: (local.hour, local.minute) == (hour, minute)


# name: expression, and what the wall clock shows when it fires
CRONS = {
    "gap": ("cron(30 2 * * ? *)", clock("02:30")),
    "work": (
        "cron(5 0 ? MAR,OCT,NOV MON-FRI *)",
        lambda local: clock("00:05")(local) and local.weekday() < 5 and local.month in (3, 10, 11),
    ),
    "last": ("cron(59 23 L * ? *)", lambda local: clock("23:59")(local) and month_end(local)),
    "leap": ("cron(0 12 29 2 ? *)", lambda local: clock("12:00")(local) and (local.month, local.day) == (2, 29)),
    "nearest": ("cron(10 1 15W * ? *)", lambda local: clock("01:10")(local) and nearest_to_the_15th(local)),
    "second": (
        "cron(45 1 ? * 1#2 *)",
        lambda local: clock("01:45")(local) and local.weekday() == 6 and 8 <= local.day <= 14,
    ),
    "friday": (
        "cron(15 18 ? * 6L *)",
        lambda local: (
            clock("18:15")(local) and local.weekday() == 4 and (local + timedelta(days=7)).month != local.month
        ),
    ),
}
# all through the nights in which some clock changes, and no longer: between StartDate and EndDate
NIGHTS = {
    "autumn": (datetime(2027, 10, 30, 22, tzinfo=UTC), datetime(2027, 11, 7, 12, tzinfo=UTC)),
    "spring": (datetime(2028, 3, 12, 0, tzinfo=UTC), datetime(2028, 3, 13, 1, 30, tzinfo=UTC)),
    "marzo": (datetime(2028, 3, 25, 22, tzinfo=UTC), datetime(2028, 3, 26, 12, tzinfo=UTC)),
}
OFTEN = ("cron(0/30 0-4 * * ? *)", lambda local: local.minute in (0, 30) and local.hour <= 4)
RATE_STARTS, RATE_ENDS = datetime(2027, 10, 1, 6, 7, tzinfo=UTC), datetime(2028, 4, 1, tzinfo=UTC)
FLEXIBLE, WINDOW = "cron(30 2 20-31 3,10 ? *)", timedelta(minutes=40)


def shown(zone, cases):
    """Return the moments at which each case's wall clock in *zone* shows its time, the first time that it does."""
    found, person, moment = defaultdict(list), ZoneInfo(zone), BEGINS
    while moment < ENDS:
        moment += MINUTE
        local = moment.astimezone(person)
        if local.minute % 5 and local.minute != 59:
            continue
        for name, says in cases.items():
            if says(local) and not local.fold:
                found[name].append(moment)
    return found


def every(span, first, last):
    moments = []
    while first <= last:
        moments.append(first)
        first += span
    return moments


def oracle():
    """Return what fires when, by name."""
    wanted = {f"rule-{name}": moments for name, moments in shown("UTC", {n: c[1] for n, c in CRONS.items()}).items()}
    for short, zone in ZONES.items():
        cases = {name: says for name, (_, says) in CRONS.items()} | {"often": OFTEN[1]}
        found = shown(zone, cases)
        wanted |= {f"{short}-{name}": found[name] for name in CRONS}
        wanted |= {
            f"{short}-{name}": [moment for moment in found["often"] if starts <= moment <= ends]
            for name, (starts, ends) in NIGHTS.items()
        }
    wanted["rule-rate"] = every(timedelta(days=2), BEGINS + timedelta(days=2), ENDS)
    wanted["rate-whole"] = every(timedelta(days=2), BEGINS, ENDS)
    wanted["rate-bounded"] = every(timedelta(hours=20), RATE_STARTS, RATE_ENDS)
    wanted["at-tyo"] = [datetime(2028, 2, 29, 0, 30, tzinfo=UTC)]  # 09:30 in Tokyo
    wanted["at-nyc"] = [datetime(2027, 7, 4, 13, 30, tzinfo=UTC)]  # 09:30 in New York's summer
    wanted["at-ber-twice"] = [datetime(2027, 10, 31, 0, 30, tzinfo=UTC)]  # 02:30, which Berlin shows twice
    return wanted


@pytest.fixture(scope="module")
def world(server):
    return LocalWorld(server)


@pytest.fixture(scope="module")
def scheduler(world):
    return world.client("scheduler")


@pytest.fixture(scope="module")
def ran(world, scheduler):
    """Live through the year; return the moments of RunTask by rule or schedule, as the trail has them."""
    world.to(BEGINS.isoformat())
    world.register("year")
    for name, (expression, _) in CRONS.items():
        make_rule(world, f"rule-{name}", expression)
    make_rule(world, "rule-rate", "rate(2 days)")
    for short, zone in ZONES.items():
        for name, (expression, _) in CRONS.items():
            make_schedule(world, scheduler, f"{short}-{name}", expression, zone)
        for name, (starts, ends) in NIGHTS.items():
            make_schedule(world, scheduler, f"{short}-{name}", OFTEN[0], zone, StartDate=starts, EndDate=ends)
        make_schedule(world, scheduler, f"{short}-flexible", FLEXIBLE, zone, window=WINDOW)
    make_schedule(world, scheduler, "rate-whole", "rate(2 days)", "America/New_York")
    bounds = {"StartDate": RATE_STARTS, "EndDate": RATE_ENDS, "ActionAfterCompletion": "DELETE"}
    make_schedule(world, scheduler, "rate-bounded", "rate(20 hours)", "Europe/Berlin", **bounds)
    once = {"ActionAfterCompletion": "DELETE"}
    make_schedule(world, scheduler, "at-tyo", "at(2028-02-29T09:30:00)", "Asia/Tokyo", **once)
    make_schedule(world, scheduler, "at-nyc", "at(2027-07-04T09:30:00)", "America/New_York")
    make_schedule(world, scheduler, "at-ber-twice", "at(2027-10-31T02:30:00)", "Europe/Berlin", **once)
    found, since = defaultdict(list), BEGINS
    while since < ENDS:  # the trail keeps 90 days
        until = min(since + timedelta(days=80), ENDS)
        world.to(until.isoformat())
        for moment, name in started(world, since, until):
            found[name].append(moment)
        since = until
    return dict(found)


def started(world, since, until):
    """Yield when a task was started, and for which rule or schedule."""
    pages = world.cloudtrail.get_paginator("lookup_events").paginate(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "RunTask"}],
        StartTime=since + timedelta(seconds=since != BEGINS),
        EndTime=until,
    )
    for page in pages:
        for event in page["Events"]:
            record = json.loads(event["CloudTrailEvent"])
            assert record["responseElements"]["failures"] == []
            yield event["EventTime"].astimezone(UTC), record["requestParameters"]["startedBy"].split("/")[1]


def target(world, service):
    ecs = {
        "TaskDefinitionArn": arn("task-definition/year"),
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [world.subnet]}},
    }
    may = allow("ecs:RunTask", arn("task-definition/year:*"))
    return {"Arn": arn("cluster/default"), "RoleArn": world.role(may, trust=trusting(service)), "EcsParameters": ecs}


def make_rule(world, name, expression):
    world.events.put_rule(Name=name, ScheduleExpression=expression)
    world.events.put_targets(Rule=name, Targets=[target(world, "events.amazonaws.com") | {"Id": "task"}])


def make_schedule(world, scheduler, name, expression, zone, *, window=None, **more):
    flexible = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": window // MINUTE} if window else {"Mode": "OFF"}
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression=expression,
        ScheduleExpressionTimezone=zone,
        FlexibleTimeWindow=flexible,
        Target=target(world, "scheduler.amazonaws.com"),
        **more,
    )


WANTED = oracle()


@pytest.mark.parametrize("name", WANTED)
def test_it_fires_at_its_minutes_and_at_no_other(ran, name):
    assert [f"{moment:%F %H:%M}" for moment in sorted(ran.get(name, []))] == [
        f"{moment:%F %H:%M}" for moment in WANTED[name]
    ]


@pytest.mark.parametrize(("short", "zone"), ZONES.items())
def test_with_a_flexible_window_it_fires_once_within_each(ran, short, zone):
    def late(local):
        return clock("02:30")(local) and local.month in (3, 10) and local.day >= 20

    starts = shown(zone, {"late": late})["late"]
    assert len(ran[f"{short}-flexible"]) == len(starts)
    found = sorted(ran[f"{short}-flexible"])
    assert all(start <= moment < start + WINDOW for start, moment in zip(starts, found, strict=True))


def test_nothing_else_was_run(ran):
    assert set(ran) == {name for name, moments in WANTED.items() if moments} | {f"{short}-flexible" for short in ZONES}


def test_what_is_done_is_deleted_if_it_says_so(ran, scheduler):
    assert ran
    kept = {one["Name"] for one in scheduler.list_schedules()["Schedules"]}
    assert kept & {"rate-bounded", "at-tyo", "at-ber-twice", "at-nyc"} == {"at-nyc"}
