"""The gate: what is tried again, what is waited out, where nothing more is asked; by a clock that nobody waits for."""

import threading

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from paper_aws import refused

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.inventory.gate import Gate, Patience, gap_of
from ecs_runbook.inventory.model import Gap, Place

HERE = Place("111122223333", "eu-west-2")
NEXT_DOOR = Place("111122223333", "eu-west-1")
OTHER_ACCOUNT = Place("444455556666", "eu-west-2")
URL = "https://example.com"
OPERATION = "events:ListRules"


class Time:
    def __init__(self):
        self.now, self.slept = 0.0, []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Call:
    """A call that fails so many times, then answers; a hanging one takes its time."""

    def __init__(self, *errors, time=None):
        self.errors, self.time, self.made = list(errors), time, 0

    def __call__(self):
        self.made += 1
        if not self.errors:
            return {"Rules": []}
        error = self.errors.pop(0)
        if isinstance(error, ReadTimeoutError | ConnectTimeoutError) and self.time:
            self.time.now += 15
        raise error


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def gate(time):
    return Gate(limited=False, sleep=time.sleep, clock=time.clock, jitter=lambda: 1.0)


def silence():
    return ReadTimeoutError(endpoint_url=URL)


def fault(status=503):
    return refused("ServiceUnavailable", "Service is unable to handle request.", status=status)


PASSING = [
    ("throttled", lambda: refused("ThrottlingException", "Rate exceeded")),
    ("throttled by EC2", lambda: refused("RequestLimitExceeded", "Request limit exceeded.", status=503)),
    ("a fault of AWS", fault),
    ("a gateway that gave up", lambda: refused("504", "", status=504)),
    ("a connection that was reset", lambda: ConnectionClosedError(endpoint_url=URL)),
    ("no answer", silence),
    ("no connection", lambda: ConnectTimeoutError(endpoint_url=URL)),
]


@pytest.mark.parametrize("error", [case[1] for case in PASSING], ids=[case[0] for case in PASSING])
def test_what_passes_is_tried_again_and_every_try_is_counted(gate, error):
    call = Call(error())
    assert gate.ask(HERE)(OPERATION, call) == {"Rules": []}
    assert (call.made, gate.counts[OPERATION], gate.calls) == (2, 2, 2)


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ValidationException", "ResourceNotFoundException", "NotImplemented"]
)
def test_a_refusal_is_not_tried_again(gate, time, code):
    call = Call(refused(code, "no", status=501 if code == "NotImplemented" else 400))
    with pytest.raises(AwsError) as refusal:
        gate.ask(HERE)(OPERATION, call)
    assert (refusal.value.code, call.made, time.slept) == (code, 1, [])


def test_throttling_is_waited_out_ten_times_each_longer_than_the_one_before(gate, time):
    call = Call(*(refused("ThrottlingException", "Rate exceeded") for _ in range(10)))
    assert gate.ask(HERE)(OPERATION, call) == {"Rules": []}
    assert time.slept == sorted(time.slept)
    assert time.slept[0] >= 0.5
    assert time.now <= 10 * 21
    assert gate.throttled == {OPERATION: 10}


def test_throttling_that_does_not_end_is_told_in_awss_words(gate):
    call = Call(*(refused("ThrottlingException", "Rate exceeded") for _ in range(99)))
    with pytest.raises(AwsError, match="events:ListRules was refused: ThrottlingException: Rate exceeded"):
        gate.ask(HERE)(OPERATION, call)
    assert call.made == 11


def test_a_throttled_api_makes_others_of_the_same_rate_wait_and_nobody_else(gate, time):
    gate.ask(HERE)(OPERATION, Call(refused("ThrottlingException")))
    before = len(time.slept)
    gate.ask(HERE)("ecs:DescribeClusters", Call())
    gate.ask(NEXT_DOOR)(OPERATION, Call())
    assert len(time.slept) == before
    gate.ask(HERE)("events:ListTargetsByRule", Call())
    assert len(time.slept) > before


def test_a_fault_that_stays_is_told_after_four_more_tries(gate, time):
    call = Call(*(fault(500) for _ in range(99)))
    with pytest.raises(AwsError) as told:
        gate.ask(HERE)(OPERATION, call)
    assert (told.value.code, call.made) == ("ServiceUnavailable", 5)
    assert time.slept == [0.5, 1.0, 2.0, 4.0]


def test_a_service_that_hangs_is_asked_twice_and_then_no_more(gate, time):
    with pytest.raises(AwsError):
        gate.ask(HERE)(OPERATION, Call(silence(), silence(), time=time))
    later = Call()
    with pytest.raises(AwsError) as told:
        gate.ask(HERE)("events:ListEventBuses", later)
    assert later.made == 0
    assert time.now == 30
    assert told.value.code == "ReadTimeoutError"
    assert "not asked any more, since events:ListRules got: Read timeout" in told.value.words
    assert gate.calls == 2


def test_what_hangs_in_one_region_is_asked_in_the_next_and_so_are_other_services(gate, time):
    with pytest.raises(AwsError):
        gate.ask(HERE)(OPERATION, Call(silence(), silence(), time=time))
    assert gate.ask(NEXT_DOOR)(OPERATION, Call())
    assert gate.ask(OTHER_ACCOUNT)(OPERATION, Call())
    assert gate.ask(HERE)("ecs:DescribeClusters", Call())


def test_calls_that_wait_through_one_silence_together_do_not_shut_the_door(gate, time):
    began = time.now
    time.now += 15
    for _ in range(8):
        gate.doors.not_heard(HERE, AwsError(OPERATION, "ReadTimeoutError", "no"), began)
    assert gate.ask(HERE)(OPERATION, Call())


def test_an_answer_in_between_opens_the_door_again(gate, time):
    for _ in range(3):
        gate.ask(HERE)(OPERATION, Call(silence(), time=time))
    assert gate.ask(HERE)(OPERATION, Call())


def test_an_endpoint_that_is_not_there_is_not_asked_forever(gate):
    gone = [EndpointConnectionError(endpoint_url=URL) for _ in range(2)]
    with pytest.raises(AwsError, match="EndpointConnectionError"):
        gate.ask(HERE)(OPERATION, Call(*gone))


def test_a_service_that_only_breaks_is_given_up(gate):
    for _ in range(20):
        with pytest.raises(AwsError):
            gate.ask(HERE)(OPERATION, Call(*(fault() for _ in range(5))))
    never = Call()
    with pytest.raises(AwsError, match="not asked any more"):
        gate.ask(HERE)(OPERATION, never)
    assert never.made == 0


@pytest.mark.parametrize(
    "error",
    [
        refused("ExpiredToken", "The security token included in the request is expired", status=403),
        refused("ExpiredTokenException", "The security token included in the request is expired"),
        NoCredentialsError(),
    ],
    ids=["query", "json", "none"],
)
def test_when_the_session_is_over_nothing_of_the_account_is_asked_any_more(gate, error):
    with pytest.raises(AwsError):
        gate.ask(HERE)(OPERATION, Call(error))
    for place in (HERE, NEXT_DOOR):
        with pytest.raises(AwsError, match="not asked any more"):
            gate.ask(place)("ecs:DescribeClusters", Call())
    assert gate.calls == 1
    assert gate.ask(OTHER_ACCOUNT)(OPERATION, Call())


def test_a_region_that_is_not_enabled_is_left_alone_and_the_others_are_not(gate):
    words = "The security token included in the request is invalid."
    with pytest.raises(AwsError):
        gate.ask(HERE)(OPERATION, Call(refused("UnrecognizedClientException", words)))
    with pytest.raises(AwsError, match="not asked any more"):
        gate.ask(HERE)("events:ListEventBuses", Call())
    assert gate.ask(NEXT_DOOR)(OPERATION, Call())


def test_a_place_that_takes_too_long_is_left(time):
    gate = Gate(patience=Patience(place_seconds=60), sleep=time.sleep, clock=time.clock)
    gate.ask(HERE)(OPERATION, Call())
    time.now = 61
    with pytest.raises(AwsError, match="took longer than 60 seconds"):
        gate.ask(HERE)(OPERATION, Call())
    assert gate.ask(NEXT_DOOR)(OPERATION, Call())


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"]], ids=["the same", "in a circle"])
def test_a_page_that_leads_back_ends_it_with_an_error_after_the_pages_before_it(gate, tokens):
    pages = [{"Rules": [number], "NextToken": token} for number, token in enumerate(tokens)]
    answers = iter([*pages, *pages])
    read = []
    with pytest.raises(AwsError, match="RepeatedPageToken"):
        read.extend(gate.ask(HERE).pages(OPERATION, lambda **_: next(answers)))
    assert read == pages


@pytest.mark.parametrize("key", ["nextToken", "NextToken", "Marker", "PaginationToken"])
def test_pages_are_followed_whatever_the_service_calls_its_token(key):
    answers = {"": {key: "second", "n": 1}, "second": {key: "", "n": 2}}
    read = Asking().pages("any:List", lambda **asked: answers[asked.get(key, "")])
    assert [page["n"] for page in read] == [1, 2]


def test_each_thing_comes_with_what_was_found_for_it_in_order_and_a_refusal_stops_none():
    def found(number):
        if number == 1:
            raise AwsError("any:Get", "AccessDenied", "no")
        return number * 10

    answers = list(Gate().side_by_side(found, range(3), workers=3))
    assert [item for item, _ in answers] == [0, 1, 2]
    assert [answers[0][1], answers[1][1].code, answers[2][1]] == [0, "AccessDenied", 20]


def test_what_is_no_refusal_of_awss_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        list(Gate().side_by_side(lambda number: 1 / number, [1, 0], workers=2))


def test_jobs_side_by_side_give_their_answers_by_name_or_the_first_refusal():
    assert Gate().at_once({"a": lambda: 1, "b": lambda: 2}, most=2) == {"a": 1, "b": 2}
    assert Gate().at_once({}, most=2) == {}

    def no():
        raise AwsError("any:Get", "AccessDenied", "no")

    with pytest.raises(AwsError):
        Gate().at_once({"a": no}, most=2)


def test_an_interrupt_ends_what_others_still_wait_for_and_the_gate_can_be_used_again():
    gate, made = Gate(limited=False), []
    ask = gate.ask(HERE)

    def place(number):
        if number == 0:
            raise KeyboardInterrupt
        for _ in range(10_000):
            ask(OPERATION, lambda: made.append(number) or {})

    with pytest.raises(KeyboardInterrupt):
        list(gate.side_by_side(place, range(3), workers=3))
    assert len(made) < 20_000
    before = len(made)
    assert ask(OPERATION, lambda: {"Rules": []}) == {"Rules": []}
    assert len(made) == before


def test_an_interrupt_ends_a_long_wait():
    gate = Gate(limited=False, jitter=lambda: 1.0, patience=Patience(first_pause=60, longest_pause=60))
    waiting = threading.Event()

    def throttled():
        waiting.set()
        raise refused("ThrottlingException")

    def place(number):
        if number == 0:
            waiting.wait()
            raise KeyboardInterrupt
        gate.ask(HERE)(OPERATION, throttled)

    with pytest.raises(KeyboardInterrupt):
        list(gate.side_by_side(place, range(2), workers=2))
    assert gate.counts[OPERATION] == 1


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        (
            "AccessDeniedException",
            "User: u is not authorized to perform: events:ListRules on resource: r because no identity-based policy",
            Gap("events:ListRules", "", denied=True),
        ),
        ("UnauthorizedOperation", "You are not authorized to perform this operation.", Gap(OPERATION, "", denied=True)),
        ("AWS.SimpleQueueService.AccessDenied", "no", Gap(OPERATION, "", denied=True)),
        ("ThrottlingException", "Rate exceeded", Gap(OPERATION, "", denied=False)),
    ],
)
def test_a_gap_names_the_action_that_is_missing(code, words, expected):
    gap = gap_of(AwsError(OPERATION, code, words), place=HERE, subject="bus")
    assert (gap.operation, gap.denied, gap.place, gap.subject) == (expected.operation, expected.denied, HERE, "bus")
    assert gap.because == f"{code}: {words}"


def test_an_error_of_botocore_keeps_its_cause():
    error = refused("X")
    with pytest.raises(AwsError) as told:
        Gate().ask(HERE)(OPERATION, Call(error))
    assert isinstance(told.value.__cause__, ClientError)
