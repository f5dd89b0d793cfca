"""No faster than AWS allows, and hardly slower: one API by itself, and a whole inventory by a simulated clock."""

import heapq

import pytest
from paper_aws import PUBLISHED, Paper, PaperAws, ecs_target

from ecs_runbook.inventory.facts import facts
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.rates import RATES, Bucket, Rate, rate_of

# Written down from AWS's documentation: ECS API reference, request throttling; Step Functions quotas; CloudTrail API
# reference; EventBridge quotas, which tell no burst.
AWS_SAYS = [
    ("ecs:DescribeTaskDefinition", 50, 20),
    ("ecs:ListTaskDefinitions", 50, 20),
    ("ecs:DescribeTasks", 100, 20),
    ("ecs:ListTasks", 100, 20),
    ("ecs:DescribeClusters", 50, 20),
    ("ecs:ListAccountSettings", 50, 20),
    ("states:DescribeStateMachine", 200, 20),
    ("cloudtrail:LookupEvents", 1, 2),
    ("events:ListRules", 1, 50),
    ("events:ListTargetsByRule", 1, 50),
]
CALLS = 2000


def run_dry(bucket, calls, *, workers, answer_seconds):
    """Return when each call is made that so many workers make, each as soon as it may."""
    free = [0.0] * workers
    turn = 0.0
    made = []
    for _ in range(calls):
        now = max(heapq.heappop(free), turn)
        turn = now + bucket.take(now)
        made.append(turn)
        heapq.heappush(free, turn + answer_seconds)
    return made


def throttles(made, burst, per_second):
    tokens, at, refused = float(burst), 0.0, 0
    for time in made:
        tokens, at = min(burst, tokens + (time - at) * per_second), time
        refused += tokens < 1 - 1e-9
        tokens -= 1
    return refused


@pytest.mark.parametrize(("operation", "burst", "per_second"), AWS_SAYS)
@pytest.mark.parametrize("answer_seconds", [0.0, 0.05, 0.15])
def test_an_api_is_asked_at_nine_tenths_of_what_aws_allows_or_more_and_never_throttles(
    operation, burst, per_second, answer_seconds
):
    rate = rate_of(operation)
    made = run_dry(Bucket(rate, 0.0), CALLS, workers=rate.workers, answer_seconds=answer_seconds)
    assert throttles(made, burst, per_second) == 0
    assert (CALLS - burst) / per_second / made[-1] >= 0.9


@pytest.mark.parametrize("seconds", [0.5, 1.0])
def test_no_second_has_more_calls_than_eventbridge_allows(seconds):
    """However AWS counts them: a burst is not published."""
    made = run_dry(Bucket(rate_of("events:ListRules"), 0.0), 500, workers=8, answer_seconds=0.0)
    assert all(sum(start <= one < start + seconds for one in made) <= 50 * seconds for start in made)


def test_every_rate_has_a_source_and_what_is_not_published_says_so():
    known = {operation for operation, _, _ in AWS_SAYS}
    for rate in RATES:
        assert rate.source
        published = any(rate_of(operation) is rate for operation in known)
        assert published or "our choice" in rate.source, rate


def test_an_operation_that_no_rate_names_has_the_careful_one():
    assert rate_of("kms:Decrypt").per_second == 5


def test_a_throttle_makes_everybody_wait_and_the_rate_slower_once():
    bucket = Bucket(Rate("one", (), burst=1, per_second=10, source=""), 0.0)
    for _ in range(8):
        bucket.throttled(0.0, pause=2.0)
    assert bucket.share == pytest.approx(0.7)
    assert bucket.take(0.0) >= 2.0


def test_a_rate_that_was_slowed_down_is_reached_again():
    bucket = Bucket(Rate("one", (), burst=1, per_second=10, source=""), 0.0)
    bucket.throttled(0.0, pause=1.0)
    for _ in range(20):
        bucket.answered()
    assert bucket.share == 1.0


def test_a_whole_inventory_by_the_published_rates_takes_hardly_longer_than_it_must():
    paper = Paper(limited=True)
    for number in range(800):
        bus = ("default", "one", "two")[number % 3]
        paper.rule(f"rule{number}", ecs_target(f"family{number % 400}"), bus=bus)
    for number in range(200):
        paper.schedule(f"schedule{number}", ecs_target(f"family{number % 400}"))
    for number in range(400):
        paper.define(f"family{number}")
    gate = Gate(sleep=paper.clock.sleep, clock=paper.clock.time)

    places = fleet(PaperAws(paper), gate=gate)
    found = take_inventory(places)
    listed = paper.clock.now
    facts(places, found)
    described = paper.clock.now - listed

    assert len(found.rows) == 1000
    assert paper.throttles == {}
    assert gate.counts == paper.calls
    for seconds, operations, burst, per_second in (
        (listed, ("events:ListTargetsByRule", "events:ListRules", "events:ListEventBuses"), *PUBLISHED["events"]),
        (described, ("ecs:DescribeTaskDefinition",), *PUBLISHED["ecs:DescribeTaskDefinition"]),
    ):
        attainable = (sum(paper.calls[one] for one in operations) - burst) / per_second
        assert attainable / seconds >= 0.9, operations
