"""Dead-letter queues: each message once, none taken out, and what stood in the way is said."""

# ruff: noqa: N803 - the fake takes what AWS's API takes, by its names

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.evidence.dead_letters import Letter, read_letter, read_queue
from ecs_runbook.firing.asking import Asking

ARN = "arn:aws:sqs:eu-west-1:111122223333:lost"
RULE = "arn:aws:events:eu-west-1:111122223333:rule/nightly"
SCHEDULE = "arn:aws:scheduler:eu-west-1:111122223333:schedule/default/nightly"
SENT = datetime(2026, 11, 24, 17, 3, tzinfo=UTC)
TEXT = st.text(max_size=12)


def a_message(number=1, *, body=None, sent=SENT, **attributes):
    said = {"RULE_ARN": RULE, "ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "no", "RETRY_ATTEMPTS": "0"} | attributes
    return {
        "MessageId": f"m{number}",
        "Body": json.dumps({"time": "2026-11-24T17:00:00Z"}) if body is None else body,
        "Attributes": {"SentTimestamp": str(int(sent.timestamp() * 1000)), "ApproximateReceiveCount": "1"},
        "MessageAttributes": {name: {"StringValue": text, "DataType": "String"} for name, text in said.items()},
    }


class Sqs:
    """A queue that hands out its messages as SQS does: a sample, and again unless they are hidden."""

    def __init__(self, *messages, refuse=(), at_once=10, in_hand=0, **told):
        self.messages, self.refuse, self.at_once = list(messages), dict(refuse), at_once
        self.told = {"ApproximateNumberOfMessages": str(len(messages)), "MessageRetentionPeriod": "345600"} | told
        self.told["ApproximateNumberOfMessagesNotVisible"] = str(in_hand)
        self.received = []
        self.hidden = set()

    def _refused(self, operation):
        if operation in self.refuse:
            code, words = self.refuse[operation]
            raise ClientError({"Error": {"Code": code, "Message": words}}, operation)

    def get_queue_url(self, QueueName, QueueOwnerAWSAccountId):
        self._refused("GetQueueUrl")
        assert (QueueName, QueueOwnerAWSAccountId) == ("lost", "111122223333")
        return {"QueueUrl": "https://queue"}

    def get_queue_attributes(self, AttributeNames, **_):
        self._refused("GetQueueAttributes")
        return {"Attributes": {name: self.told[name] for name in AttributeNames if name in self.told}}

    def receive_message(self, **parameters):
        self._refused("ReceiveMessage")
        self.received.append(parameters)
        there = [one for one in self.messages if one["MessageId"] not in self.hidden][: self.at_once]
        if parameters["VisibilityTimeout"]:
            self.hidden |= {one["MessageId"] for one in there}
        return {"Messages": there} if there else {}


def test_a_letter_of_a_rule_tells_whose_it_is_and_when_the_event_was():
    letter = read_letter(a_message(RETRY_ATTEMPTS="3"))
    assert (letter.sender, letter.code, letter.message, letter.attempts) == (RULE, "NO_PERMISSIONS", "no", 3)
    assert letter.time == datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    assert letter.sent == SENT


def test_a_letter_of_scheduler_is_timed_by_its_schedule():
    message = a_message(body="{}", SCHEDULE_ARN=SCHEDULE, SCHEDULED_TIME="2026-11-24T16:30:00Z")
    del message["MessageAttributes"]["RULE_ARN"]
    letter = read_letter(message)
    assert letter.sender == SCHEDULE
    assert letter.time == datetime(2026, 11, 24, 16, 30, tzinfo=UTC)


@pytest.mark.parametrize("body", ["", "not json", "[]", "null", '{"time": "soon"}', '{"time": true, '])
def test_without_an_events_time_the_time_of_sending_stands_for_it(body):
    assert read_letter(a_message(body=body)).time == SENT


@given(
    st.dictionaries(
        st.sampled_from(["MessageId", "Body", "Attributes", "MessageAttributes"]),
        TEXT | st.none() | st.integers() | st.dictionaries(TEXT, TEXT | st.none() | st.dictionaries(TEXT, TEXT)),
    )
)
def test_no_message_breaks_the_reader(message):
    assert isinstance(read_letter(message), Letter)


def test_each_message_is_read_once_and_nothing_is_deleted():
    sqs, ask = Sqs(a_message(1), a_message(2)), Asking()
    queue = read_queue(ARN, sqs=sqs, ask=ask)
    assert [letter.id for letter in queue.letters] == ["m1", "m2"]
    assert (queue.unread, queue.looked, queue.retention) == ("", True, timedelta(days=4))
    assert {one["VisibilityTimeout"] for one in sqs.received} == {0}
    assert dict(ask.counts) == {"sqs:GetQueueUrl": 1, "sqs:GetQueueAttributes": 1, "sqs:ReceiveMessage": 3}


def test_an_empty_queue_is_polled_once_and_waits_for_all_servers():
    sqs, ask = Sqs(), Asking()
    assert read_queue(ARN, sqs=sqs, ask=ask).letters == ()
    assert ask.counts["sqs:ReceiveMessage"] == 1
    assert sqs.received[0]["WaitTimeSeconds"] == 1
    assert sqs.received[0]["MessageAttributeNames"] == ["All"]


def test_a_long_queue_is_read_ten_a_call_by_hiding_what_was_read_for_a_while():
    sqs, ask = Sqs(*(a_message(number) for number in range(95))), Asking()
    queue = read_queue(ARN, sqs=sqs, ask=ask)
    assert len({letter.id for letter in queue.letters}) == 95
    assert ask.counts["sqs:ReceiveMessage"] == 12
    assert {one["VisibilityTimeout"] for one in sqs.received} == {3}


def test_a_cap_is_said():
    queue = read_queue(ARN, sqs=Sqs(*(a_message(number) for number in range(40))), most=25)
    assert len(queue.letters) == 25
    assert queue.unread == "no more than 25 messages were read"


def test_what_another_reader_holds_is_missed_and_said():
    queue = read_queue(ARN, sqs=Sqs(a_message(), in_hand=4))
    assert len(queue.letters) == 1
    assert queue.unread == "about 4 more are counted but hidden, in another reader's hands; look again in a minute"


def test_what_was_hidden_a_moment_ago_is_waited_for():
    sqs = Sqs(a_message(), in_hand=1)
    late, first = a_message(2), sqs.receive_message
    sqs.receive_message = lambda **given: (len(sqs.received) == 2 and sqs.messages.append(late)) or first(**given)
    queue = read_queue(ARN, sqs=sqs)
    assert [letter.id for letter in queue.letters] == ["m1", "m2"]
    assert queue.unread == ""


def test_a_queue_that_redrives_is_not_read():
    sqs = Sqs(a_message(), RedrivePolicy='{"deadLetterTargetArn": "x", "maxReceiveCount": 2}')
    queue = read_queue(ARN, sqs=sqs)
    assert (queue.letters, queue.looked, sqs.received) == ((), False, [])
    assert queue.unread.startswith("it has a redrive policy of its own, and reading could move messages on")


REFUSALS = [
    ("GetQueueUrl", ("AccessDenied", "no"), "the caller needs sqs:GetQueueUrl"),
    ("GetQueueAttributes", ("AccessDeniedException", "no"), "the caller needs sqs:GetQueueAttributes"),
    ("ReceiveMessage", ("AccessDenied", "no"), "the caller needs sqs:ReceiveMessage"),
    ("ReceiveMessage", ("KMS.AccessDeniedException", "may not kms:Decrypt"), "the caller needs kms:Decrypt"),
    (
        "GetQueueUrl",
        ("AWS.SimpleQueueService.NonExistentQueue", "gone"),
        "there is no such queue, so what was to go into it is lost",
    ),
    ("ReceiveMessage", ("InternalError", "oops"), "sqs:ReceiveMessage was refused: InternalError: oops"),
]


@pytest.mark.parametrize(("operation", "error", "said"), REFUSALS)
def test_a_refusal_is_said_with_the_action_that_is_missing(operation, error, said):
    queue = read_queue(ARN, sqs=Sqs(a_message(), refuse={operation: error}))
    assert (queue.looked, queue.letters) == (False, ())
    assert queue.unread.startswith(said)


def test_what_is_no_arn_of_a_queue_is_said():
    queue = read_queue("lost", sqs=Sqs())
    assert (queue.looked, queue.unread) == (False, "'lost' is not the ARN of a queue")
