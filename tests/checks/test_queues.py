"""What becomes of a run that could not start: kept or lost, tried again or not, and what waits already."""

from dataclasses import replace

import pytest
from one_row import (
    ACCOUNT,
    CALLER,
    NOW,
    PLACE,
    QUEUE,
    REGION,
    RETRY,
    RULE,
    SCHEDULE,
    a_rule,
    a_schedule,
    facts,
    letting,
    told,
)

from ecs_runbook.checks.judge import judge
from ecs_runbook.evidence.dead_letters import read_letter
from ecs_runbook.firing.rules import Target
from ecs_runbook.inventory.model import Absent, Deed, Gap, Inventory, Queue

NO_QUEUES = Gap("sqs:GetQueueAttributes", "AccessDenied: no", denied=True)
NO_SIMULATOR = Gap("iam:SimulatePrincipalPolicy", "AccessDenied: no", denied=True)
SEND = Deed(CALLER, "sqs:SendMessage", QUEUE)
WRITABLE, WAITING = "dead-letter-queue-not-writable", "dead-letters-waiting"


def about(check, row=None, **changes):
    """What one check says: status, severity and words; None if it does not apply."""
    row = row or a_rule()
    found = told(row, facts(row, **changes)).get(check)
    return found and (found.status, found.severity, found.because)


def queue(policy=None, letters=(), waiting=None, unread=""):
    waiting = len(letters) if waiting is None else waiting
    return {QUEUE: Queue(QUEUE, letting() if policy is None else policy, waiting, tuple(letters), unread)}


def test_no_queue_is_a_note_and_says_nothing_of_what_it_does_not_have():
    row = a_rule(dead_letters="")
    assert about("no-dead-letter-queue", row) == ("NG", "note", "it has no dead-letter queue")
    assert [about(check, row) for check in (WRITABLE, WAITING)] == [None, None]
    assert about("no-dead-letter-queue") == ("OK", "note", "nightly-dlq")


@pytest.mark.parametrize(
    ("retry", "said"),
    [
        (None, ("NG", "note", "it has no retry policy of its own: AWS tries 185 times within 24 hours")),
        (
            {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 86400},
            ("NG", "note", "it is never tried again: a moment's throttling loses the run"),
        ),
        (RETRY, ("OK", "note", "it is tried again, 185 times at most within 1440 minutes")),
        ({"MaximumRetryAttempts": 3}, ("OK", "note", "it is tried again, 3 times at most within 1440 minutes")),
        ({"MaximumEventAgeInSeconds": 600}, ("OK", "note", "it is tried again, 185 times at most within 10 minutes")),
    ],
)
def test_the_retry_policy(retry, said):
    assert about("no-retry-policy", a_rule(retry=retry)) == said


# -------- whether it may be written to


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (letting(), "OK"),
        (letting(Condition={"ArnEquals": {"aws:SourceArn": [RULE, f"{RULE}-2"]}}), "OK"),
        (letting(Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*"}}), "OK"),
        (letting(Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}}), "OK"),
        (letting(Condition={}), "OK"),
        (letting(Principal="*", Condition={"ArnEquals": {"aws:SourceArn": RULE}}), "OK"),
        (letting(Condition={"StringEquals": {"aws:SourceOrgID": "o-1"}}), "OK"),  # not known
        (letting(f"{RULE}-2"), "NG"),
        (letting(Principal={"Service": "sns.amazonaws.com"}), "NG"),
        (letting(Resource=QUEUE.replace("nightly", "weekly")), "NG"),
        (letting(Action="sqs:ReceiveMessage"), "NG"),
        (letting(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, Condition={}), "NG"),
        ({}, "NG"),
    ],
)
def test_a_rule_needs_the_queues_own_policy(policy, status):
    said = about(WRITABLE, queues=queue(policy))
    assert said[:2] == (status, "warning")


def test_the_words_name_the_rule_that_the_policy_lets_in_instead():
    row = a_rule()
    finding = told(row, facts(row, queues=queue(letting(f"{RULE}-2"))))[WRITABLE]
    assert finding.because == (
        f"nightly-dlq does not let events.amazonaws.com send for this rule: only if aws:SourceArn is {RULE}-2"
    )
    assert finding.mend == f"Let {QUEUE} take sqs:SendMessage from events.amazonaws.com where aws:SourceArn is {RULE}."
    assert about(WRITABLE, queues=queue({}))[2].endswith("no statement of its policy does")


@pytest.mark.parametrize(
    ("answer", "queues", "status"),
    [
        ("allowed", queue({}), "OK"),
        ("allowed", {QUEUE: NO_QUEUES}, "OK"),
        ("denied", queue({}), "NG"),
        ("denied", queue(letting(Principal={"AWS": CALLER}, Condition={})), "OK"),
        ("denied", queue(letting()), "NG"),  # that is for rules
        ("denied", queue(letting(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, Condition={})), "NG"),
        ("denied", {QUEUE: NO_QUEUES}, "SKIP"),
        (NO_SIMULATOR, queue({}), "SKIP"),
        ("not asked", queue({}), "SKIP"),
    ],
)
def test_a_schedule_needs_a_role_that_may_send(answer, queues, status):
    assert about(WRITABLE, a_schedule(), queues=queues, deeds={SEND: answer})[0] == status


def denying(**changes):
    """A policy that lets EventBridge send for the rule, and has a Deny."""
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"} | changes
    return {"Version": "2012-10-17", "Statement": [*letting()["Statement"], deny]}


@pytest.mark.parametrize(
    ("row", "sender"),
    [
        (a_rule(), "events.amazonaws.com for this rule"),
        (a_schedule(), CALLER.rpartition("/")[2]),  # its role may send, as far as IAM's simulator knows
    ],
    ids=["rule", "schedule"],
)
def test_a_deny_of_the_queues_own_policy_is_told_as_one_since_no_allow_helps(row, sender):
    finding = told(row, facts(row, queues=queue(denying()), deeds={SEND: "allowed"}))[WRITABLE]
    assert (finding.status, finding.severity) == ("NG", "warning")
    assert finding.because == (
        f"the policy of nightly-dlq has a Deny that keeps {sender} from sending, whatever else allows it"
    )
    assert finding.mend == f"Narrow that Deny in the policy of {QUEUE}: no Allow helps against it."


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, "OK"),
        ({"Condition": {"ArnNotEquals": {"aws:PrincipalArn": CALLER}}}, "OK"),
        ({"Condition": {"ArnNotEquals": {"aws:PrincipalArn": f"{CALLER}-2"}}}, "NG"),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}, "OK"),  # not known
        ({"Principal": {"AWS": CALLER}}, "NG"),
        ({"Principal": {"AWS": f"{CALLER}-2"}}, "OK"),
        ({"Action": "sqs:DeleteMessage"}, "OK"),
        ({"Resource": QUEUE.replace("nightly", "weekly")}, "OK"),
    ],
)
def test_a_schedules_role_is_kept_out_by_a_deny_that_surely_applies_and_by_no_other(changes, status):
    said = about(WRITABLE, a_schedule(), queues=queue(denying(**changes)), deeds={SEND: "allowed"})
    assert said[0] == status


def test_a_queue_that_is_gone_a_fifo_queue_and_one_of_another_region_take_nothing():
    assert about(WRITABLE, queues={QUEUE: Absent("no such queue")}) == (
        "NG",
        "warning",
        "there is no queue nightly-dlq",
    )
    fifo = a_rule(dead_letters=f"{QUEUE}.fifo")
    assert about(WRITABLE, fifo)[2] == "nightly-dlq.fifo is a FIFO queue; dead letters go into a standard one"
    elsewhere = a_schedule(dead_letters=QUEUE.replace(REGION, "us-east-1"))
    assert about(WRITABLE, elsewhere)[2] == "nightly-dlq is in us-east-1; dead letters go into a queue of eu-west-2"


def test_a_queue_of_a_rule_that_may_not_be_looked_at_is_skip():
    assert about(WRITABLE, queues={QUEUE: NO_QUEUES}) == ("SKIP", "warning", "the caller needs sqs:GetQueueAttributes")


# -------- what waits


def letter(sender=RULE, code="NO_PERMISSIONS", message="", minute=0, **more):
    """A dead letter as EventBridge writes it."""
    names = {"SCHEDULE_ARN" if ":scheduler:" in sender else "RULE_ARN": sender}
    told = names | {"TARGET_ARN": "arn:aws:ecs:eu-west-2:111122223333:cluster/batch", "ERROR_CODE": code}
    told |= {"ERROR_MESSAGE": message, "RETRY_ATTEMPTS": "0"} | more
    return read_letter(
        {
            "MessageId": f"m-{minute}",
            "Body": f'{{"time": "2026-11-24T02:{minute:02}:00Z"}}',
            "MessageAttributes": {name: {"StringValue": value, "DataType": "String"} for name, value in told.items()},
        }
    )


INACTIVE = letter(code="INVALID_PARAMETER", message="TaskDefinition is inactive")


def test_a_message_is_explained_by_the_catalogue_in_the_rows_own_values():
    row = a_rule()
    finding = told(row, facts(row, queues=queue(letters=[INACTIVE])))[WAITING]
    assert (finding.status, finding.severity, finding.notebook) == ("NG", "error", "50_explain_failure")
    assert finding.because.startswith("1 message waits in nightly-dlq, the last of 2026-11-24 02:00 UTC: ")
    assert "TaskDefinition is inactive" in finding.because
    assert "nightly" in finding.mend


def test_when_the_last_came_is_told_in_the_readers_zone():
    row = a_rule()
    because = told(row, facts(row, queues=queue(letters=[INACTIVE])), zone="Asia/Tokyo")[WAITING].because
    assert because.startswith("1 message waits in nightly-dlq, the last of 2026-11-24 11:00 Asia/Tokyo: ")


def test_several_messages_are_counted_and_the_other_causes_named():
    denied = letter(message="no", minute=1)
    because = about(WAITING, queues=queue(letters=[INACTIVE, denied]))[2]
    assert because.startswith("2 messages wait in nightly-dlq, the last of 2026-11-24 02:01 UTC: ")
    assert "before that: " in because


def test_a_cause_that_the_catalogue_does_not_know_is_told_in_awss_words():
    because = about(WAITING, queues=queue(letters=[letter(code="STRANGE", message="Something new.")]))[2]
    assert "a cause that the catalogue does not know (STRANGE: Something new.)" in because


def test_a_schedules_message_is_its_own():
    row = a_schedule()
    own = letter(SCHEDULE, code="ClientException", message="TaskDefinition not found.")
    assert about(WAITING, row, queues=queue(letters=[own]))[0] == "NG"
    assert about(WAITING, row)[0] == "OK"


def both_targets():
    """One rule with two targets in two clusters that share a queue."""
    row = a_rule()
    other = Target("second", row.target.cluster.replace("batch", "other"), CALLER, row.target.requested)
    owner = replace(row.owner, targets=(row.target, other))
    return [replace(row, owner=owner), replace(row, owner=owner, target=other)]


def whole(rows, queues):
    found = judge(Inventory(rows, places=[PLACE]), {PLACE: facts(queues=queues)}, now=NOW)
    return {(one.subject, one.status): one for one in found if one.check == WAITING}


def test_of_two_targets_of_one_rule_the_message_is_that_ones_whose_cluster_it_names():
    found = whole(both_targets(), queue(letters=[letter()]))
    assert set(found) == {("nightly#run", "NG"), ("nightly#second", "OK")}


def test_a_message_of_a_stranger_is_a_note_on_the_queue():
    found = whole([a_rule()], queue(letters=[letter(f"{RULE}-2"), letter(f"{RULE}-2", minute=1)]))
    assert set(found) == {("nightly", "OK"), ("queue nightly-dlq", "NG")}
    stranger = found["queue nightly-dlq", "NG"]
    assert stranger.severity == "note"
    assert stranger.because == "2 messages of nightly-2, which are not among what was checked"


def test_messages_that_could_not_be_read_are_told_once_for_all_rows_of_the_queue():
    rows = [a_rule(), a_rule(name="weekly")]
    found = whole(rows, queue(waiting=3, unread="the caller needs sqs:ReceiveMessage"))
    assert set(found) == {("queue nightly-dlq", "NG")}
    assert found["queue nightly-dlq", "NG"].because == (
        "about 3 messages wait, and 0 were read: the caller needs sqs:ReceiveMessage"
    )


def test_a_queue_that_may_not_be_looked_at_is_skip_once():
    found = whole([a_rule(), a_rule(name="weekly")], {QUEUE: NO_QUEUES})
    assert set(found) == {("queue nightly-dlq", "SKIP")}


def test_an_empty_queue_that_is_not_read_because_it_moves_messages_on_is_fine():
    found = whole([a_rule()], queue(waiting=0, unread="it has a redrive policy of its own"))
    assert set(found) == {("nightly", "OK")}
