"""The trail: found by time and attribute, in pages, newest first."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.local_aws.trail import HISTORY, Query, Refused, Trail, query_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
ACCOUNT, REGION = "123456789012", "eu-west-2"
HERE = f"{ACCOUNT}/{REGION}"


def add(trail: Trail, name: str, at: datetime, *, read_only=False, key="AKIA", user="ann", resources=()):
    record = {
        "eventName": name,
        "eventID": f"{name}-{at.isoformat()}",
        "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "ecs.amazonaws.com",
        "awsRegion": REGION,
        "recipientAccountId": ACCOUNT,
        "readOnly": read_only,
        "userIdentity": {"accessKeyId": key},
    }
    trail.add(record, list(resources), user, at)


def names(trail: Trail, query: Query, now: datetime = LATER, **more) -> list[str]:
    return [event["EventName"] for event in trail.lookup(query, now, **more)[0]]


@pytest.fixture
def trail() -> Trail:
    made = Trail("life")
    for minute in range(3):
        add(made, "RunTask", NOON + timedelta(minutes=minute))
        add(made, f"Other{minute}", NOON + timedelta(minutes=minute, seconds=30), read_only=True)
    return made


def test_the_newest_stands_first(trail):
    assert names(trail, Query(HERE)) == ["Other2", "RunTask", "Other1", "RunTask", "Other0", "RunTask"]


@pytest.mark.parametrize("place", [f"{ACCOUNT}/us-east-1", f"111122223333/{REGION}"])
def test_another_region_and_another_account_have_a_history_of_their_own(trail, place):
    assert names(trail, Query(place)) == []


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        (("EventName", "Other1"), ["Other1"]),
        (("EventId", "Other0-2026-11-24T12:00:30+00:00"), ["Other0"]),
        (("ReadOnly", "false"), ["RunTask"] * 3),
        (("EventSource", "ecs.amazonaws.com"), ["Other2", "RunTask", "Other1", "RunTask", "Other0", "RunTask"]),
        (("EventSource", "ecs"), []),
        (("Username", "ann"), ["Other2", "RunTask", "Other1", "RunTask", "Other0", "RunTask"]),
        (("AccessKeyId", "ASIA"), []),
        (("EventName", "runtask"), []),
    ],
)
def test_each_attribute_finds_its_own(trail, attribute, expected):
    assert names(trail, Query(HERE, attribute)) == expected


def test_resources_are_found_by_type_and_by_name():
    trail = Trail()
    role = {"ResourceType": "AWS::IAM::Role", "ResourceName": "nightly"}
    add(trail, "CreateRole", NOON, resources=[role])
    add(trail, "RunTask", NOON)
    assert names(trail, Query(HERE, ("ResourceName", "nightly"))) == ["CreateRole"]
    assert names(trail, Query(HERE, ("ResourceType", "AWS::IAM::Role"))) == ["CreateRole"]
    assert trail.lookup(Query(HERE), LATER)[0][1]["Resources"] == [role]


def test_an_event_without_a_key_or_a_user_shows_neither():
    trail = Trail()
    add(trail, "AssumeRole", NOON, key="", user="")
    event = trail.lookup(Query(HERE), LATER)[0][0]
    assert {"AccessKeyId", "Username"} & set(event) == set()


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (NOON + timedelta(minutes=2), None, ["Other2", "RunTask"]),
        (None, NOON, ["RunTask"]),
        (NOON + timedelta(minutes=1), NOON + timedelta(minutes=1), ["RunTask"]),
        (NOON + timedelta(minutes=1, seconds=1), NOON + timedelta(minutes=1, seconds=29), []),
    ],
)
def test_both_ends_of_the_time_range_are_within_it(trail, start, end, expected):
    assert names(trail, Query(HERE, start=start, end=end)) == expected


def test_the_end_takes_its_whole_second():
    trail = Trail()
    add(trail, "RunTask", NOON + timedelta(seconds=0.9))
    assert names(trail, Query(HERE, end=NOON)) == ["RunTask"]


def test_a_record_comes_with_its_delay(trail):
    now = NOON + timedelta(minutes=5)
    assert names(trail, Query(HERE), now, delay=timedelta(minutes=4)) == ["RunTask", "Other0", "RunTask"]
    assert names(trail, Query(HERE), now, delay=timedelta(minutes=4, seconds=1)) == ["Other0", "RunTask"]


def test_after_90_days_it_is_forgotten(trail):
    assert names(trail, Query(HERE), NOON + HISTORY + timedelta(minutes=2)) == ["Other2", "RunTask"]


def pages(trail: Trail, query: Query) -> list[list[str]]:
    found, token = [], ""
    while True:
        events, token = trail.lookup(
            Query(query.place, query.attribute, query.start, query.end, query.size, token), LATER
        )
        found.append([event["EventId"] for event in events])
        if not token:
            return found


@given(st.lists(st.integers(0, 40), max_size=40), st.integers(1, 50))
def test_the_pages_together_are_everything_once_newest_first(minutes, size):
    trail = Trail()
    for minute in minutes:
        add(trail, "RunTask", NOON + timedelta(minutes=minute))
    found = pages(trail, Query(HERE, size=size))
    assert all(len(page) == size for page in found[:-1])
    expected = [f"RunTask-{(NOON + timedelta(minutes=minute)).isoformat()}" for minute in sorted(minutes, reverse=True)]
    assert [event for page in found for event in page] == expected


def test_what_comes_in_between_pages_moves_nothing(trail):
    first, token = trail.lookup(Query(HERE, size=2), LATER)
    add(trail, "Late", NOON + timedelta(hours=1))
    second, _ = trail.lookup(Query(HERE, size=2, token=token), LATER)
    assert [e["EventName"] for e in first + second] == ["Other2", "RunTask", "Other1", "RunTask"]


def test_the_last_page_has_no_token(trail):
    assert trail.lookup(Query(HERE, size=6), LATER)[1] == ""


@pytest.mark.parametrize(
    "other",
    [
        Query(f"{ACCOUNT}/us-east-1", size=2),
        Query(HERE, ("EventName", "RunTask"), size=2),
        Query(HERE, start=NOON, size=2),
        Query(HERE, end=NOON, size=2),
    ],
)
def test_a_token_of_another_query_is_refused(trail, other):
    token = trail.lookup(Query(HERE, size=2), LATER)[1]
    foreign = Query(other.place, other.attribute, other.start, other.end, other.size, token)
    with pytest.raises(Refused, match="Invalid token") as refused:
        trail.lookup(foreign, LATER)
    assert refused.value.code == "InvalidNextTokenException"


def test_a_token_of_another_life_is_refused(trail):
    token = trail.lookup(Query(HERE, size=2), LATER)[1]
    with pytest.raises(Refused, match="Invalid token"):
        Trail("another life").lookup(Query(HERE, size=2, token=token), LATER)


@given(st.text(min_size=1))
def test_a_token_that_is_none_is_refused(token):
    with pytest.raises(Refused, match="Invalid token"):
        Trail("life").lookup(Query(HERE, token=token), LATER)


def test_the_oldest_fall_out_and_are_found_no_more():
    trail = Trail(kept=100)
    for second in range(250):
        add(trail, "RunTask" if second % 2 else f"Only{second}", NOON + timedelta(seconds=second))
    assert 100 <= len(trail) <= 105
    assert names(trail, Query(HERE, ("EventName", "Only0"))) == []
    assert names(trail, Query(HERE, ("EventName", "Only248"))) == ["Only248"]
    assert sum(map(len, pages(trail, Query(HERE)))) == len(trail)


def read(**params) -> Query:
    return query_of(params, HERE)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "a"}] * 2}, "LookupAttributes"),
        ({"LookupAttributes": [{"AttributeKey": "Region", "AttributeValue": "a"}]}, "LookupAttributes"),
        ({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": ""}]}, "LookupAttributes"),
        ({"MaxResults": 0}, "MaxResults"),
        ({"MaxResults": 51}, "MaxResults"),
        ({"StartTime": LATER, "EndTime": NOON}, "TimeRange"),
        ({"EventCategory": "management"}, "EventCategory"),
    ],
)
def test_a_wrong_query_is_refused_with_the_models_code(params, code):
    with pytest.raises(Refused) as refused:
        read(**params)
    assert refused.value.code == f"Invalid{code}Exception"


def test_a_query_without_anything_asks_for_the_newest_fifty():
    assert read() == Query(HERE, None, None, None, 50, "")


def test_times_without_a_zone_are_utc_as_motos_parser_gives_them():
    assert read(StartTime=datetime(2026, 11, 24, 12)).start == NOON  # noqa: DTZ001
