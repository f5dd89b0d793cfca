"""Policies where not all is known: yes and no only where they are certain, as IAM's user guide has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_row import ACCOUNT, QUEUE, RULE, trust

from ecs_runbook.checks.policies import conditions_that_fail, lets, services_named

EVENTS = "events.amazonaws.com"
OTHER = RULE.replace("nightly", "weekly")
KNOWN = {"aws:sourcearn": [RULE], "aws:sourceaccount": [ACCOUNT], "aws:securetransport": ["true"]}


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ({}, "yes"),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, "yes"),
        ({"StringEquals": {"AWS:SourceAccount": [ACCOUNT, "444455556666"]}}, "yes"),
        ({"StringEquals": {"aws:SourceAccount": "444455556666"}}, "no"),
        ({"StringNotEquals": {"aws:SourceAccount": "444455556666"}}, "yes"),
        ({"ArnEquals": {"aws:SourceArn": RULE}}, "yes"),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:events:*:{ACCOUNT}:rule/*"}}, "yes"),
        ({"ArnLike": {"aws:SourceArn": f"arn:aws:events:*:{ACCOUNT}:*"}}, "yes"),
        ({"StringLike": {"aws:SourceArn": "arn:aws:events:*:rule/night?"}}, "no"),
        ({"StringLike": {"aws:SourceArn": "arn:aws:events:*:rule/night*"}}, "yes"),
        ({"StringEquals": {"aws:SourceArn": f"arn:aws:events:*:{ACCOUNT}:rule/*"}}, "no"),
        ({"ArnEquals": {"aws:SourceArn": OTHER}}, "no"),
        ({"ArnNotLike": {"aws:SourceArn": OTHER}}, "yes"),
        ({"Bool": {"aws:SecureTransport": "true"}}, "yes"),
        ({"Bool": {"aws:SecureTransport": False}}, "no"),
        ({"Null": {"aws:SourceArn": "true"}}, "no"),
        ({"Null": {"aws:SourceArn": "false"}}, "yes"),
        ({"ForAnyValue:StringEquals": {"aws:SourceAccount": ACCOUNT}}, "yes"),
        ({"StringEqualsIfExists": {"aws:SourceAccount": "444455556666"}}, "no"),
        ({"StringEqualsIgnoreCase": {"aws:SourceAccount": ACCOUNT}}, "yes"),
        # not known
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, "unknown"),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, "unknown"),
        ({"StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"}}, "unknown"),
        # one of them certainly fails
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1", "aws:SourceAccount": "444455556666"}}, "no"),
    ],
)
def test_conditions(condition, answer):
    assert lets(trust(EVENTS, **condition), EVENTS, "sts:AssumeRole", context=KNOWN) == answer


@pytest.mark.parametrize(
    ("principal", "answer"),
    [
        ({"Service": EVENTS}, "yes"),
        ({"Service": ["ecs-tasks.amazonaws.com", EVENTS]}, "yes"),
        ({"Service": "events.eu-west-2.amazonaws.com"}, "yes"),
        ("*", "yes"),
        ({"AWS": "*"}, "yes"),
        ({"Service": "ecs-tasks.amazonaws.com"}, "no"),
        ({"Service": "scheduler.amazonaws.com"}, "no"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "no"),
        ({"Federated": "cognito-identity.amazonaws.com"}, "no"),
        ({}, "no"),
    ],
)
def test_principals(principal, answer):
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    assert lets({"Statement": [statement]}, EVENTS, "sts:AssumeRole", context=KNOWN) == answer


ALLOW = {"Effect": "Allow", "Principal": {"Service": EVENTS}, "Action": "sqs:SendMessage", "Resource": QUEUE}
NOT_OURS = {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}
DENY_PLAIN_HTTP = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Resource": QUEUE,
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


@pytest.mark.parametrize(
    ("statements", "answer"),
    [
        ([ALLOW], "yes"),
        ([ALLOW | {"Action": "SQS:Send*"}], "yes"),
        ([ALLOW | {"Action": ["sqs:ReceiveMessage", "sqs:*"]}], "yes"),
        ([ALLOW | {"Resource": "*"}], "yes"),
        ([ALLOW | {"Resource": "arn:aws:sqs:*:*:nightly-*"}], "yes"),
        ([ALLOW, DENY_PLAIN_HTTP], "yes"),
        ([ALLOW | {"NotAction": "sqs:DeleteQueue", "Action": None}], "yes"),
        ([ALLOW | {"Action": "sqs:ReceiveMessage"}], "no"),
        ([ALLOW | {"Resource": QUEUE.replace("nightly", "weekly")}], "no"),
        ([ALLOW, ALLOW | {"Effect": "Deny"}], "no"),
        (
            [ALLOW, ALLOW | {"Effect": "Deny", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}}],
            "unknown",
        ),
        ([ALLOW | {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}], "no"),
        ([], "no"),
    ],
)
def test_statements_of_a_queue(statements, answer):
    statements = [{key: value for key, value in one.items() if value is not None} for one in statements]
    assert lets({"Statement": statements}, EVENTS, "sqs:SendMessage", resource=QUEUE, context=KNOWN) == answer


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"StringEquals": {"aws:SourceAccount": ["1", "2"]}}, ["aws:SourceAccount is 1 or 2"]),
        ({"ArnNotLike": {"aws:SourceArn": RULE}}, [f"aws:SourceArn is not {RULE}"]),
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, []),  # not known to fail
    ],
)
def test_a_condition_that_fails_is_told_in_words(condition, words):
    assert conditions_that_fail(trust(EVENTS, **condition), EVENTS, "sts:AssumeRole", context=KNOWN) == words


@pytest.mark.parametrize("document", [{}, {"Statement": "nonsense"}, {"Statement": [1, None]}, {"Statement": {}}])
def test_what_is_no_policy_lets_nobody_in(document):
    assert lets(document, EVENTS, "sts:AssumeRole", context=KNOWN) == "no"


WORDS = st.sampled_from(["*", "Allow", "Deny", EVENTS, "sts:*", "${aws:x}", "a"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Effect", "Principal", "Service", "AWS", "Action", "NotAction", "Resource", "NotResource"])
            | st.sampled_from(["Condition", "StringLike", "ForAnyValue:ArnLike", "Null", "aws:SourceArn", "Sid"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(statement=JSON, resource=st.sampled_from(["", QUEUE]))
def test_whatever_a_policy_says_it_is_answered(statement, resource):
    document = {"Statement": statement}
    assert lets(document, EVENTS, "sts:AssumeRole", resource=resource, context=KNOWN) in ("yes", "no", "unknown")
    assert isinstance(conditions_that_fail(document, EVENTS, "sts:AssumeRole", context=KNOWN), list)
    assert isinstance(services_named(document), list)
