"""IAM's verdict, case by case. Expectations are from the IAM User Guide and from aws-cdk#30390."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.local_aws.policy import Decision, Policy, Principal, decide, decide_trust, explain

FAMILY = "arn:aws:ecs:eu-west-2:123456789012:task-definition/nightly"
CLUSTER = "arn:aws:ecs:eu-west-2:123456789012:cluster/main"
ROLE = "arn:aws:iam::123456789012:role/task"


def statement(effect="Allow", action="ecs:RunTask", resource=f"{FAMILY}:*", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def judged(*statements, action="ecs:RunTask", resource=f"{FAMILY}:3", version="2012-10-17", **context):
    document = {"Version": version, "Statement": list(statements)}
    return decide([Policy("p", document)], action, resource, {k.replace("__", ":"): v for k, v in context.items()})


@pytest.mark.parametrize(
    ("resource", "asked", "outcome"),
    [
        (f"{FAMILY}:*", f"{FAMILY}:3", "allowed"),
        (FAMILY, f"{FAMILY}:3", "implicit deny"),  # the 2022 article's policy, refused since 2024
        (f"{FAMILY}:2", f"{FAMILY}:3", "implicit deny"),
        (f"{FAMILY}:3", f"{FAMILY}:3", "allowed"),
        (f"{FAMILY}:?", f"{FAMILY}:3", "allowed"),
        (f"{FAMILY}:?", f"{FAMILY}:33", "implicit deny"),
        (f"{FAMILY}*", f"{FAMILY}:3", "allowed"),
        (f"{FAMILY}:*", f"{FAMILY}-other:3", "implicit deny"),
        ("*", f"{FAMILY}:3", "allowed"),
        ([CLUSTER, f"{FAMILY}:*"], f"{FAMILY}:3", "allowed"),
        (f"{FAMILY.upper()}:*", f"{FAMILY}:3", "implicit deny"),  # a resource minds its case
    ],
)
def test_a_resource_is_matched_whole_with_its_wildcards(resource, asked, outcome):
    assert judged(statement(resource=resource), resource=asked).outcome == outcome


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        ("ecs:RunTask", "allowed"),
        ("ECS:runtask", "allowed"),
        ("ecs:*", "allowed"),
        ("ecs:Run*", "allowed"),
        ("*", "allowed"),
        (["iam:PassRole", "ecs:RunTask"], "allowed"),
        ("ecs:StartTask", "implicit deny"),
        ("ecs", "implicit deny"),
        ([], "implicit deny"),
    ],
)
def test_an_action_is_matched_without_regard_to_case(action, outcome):
    assert judged(statement(action=action)).outcome == outcome


def test_not_action_and_not_resource_name_all_the_others():
    all_but_run = {"Effect": "Allow", "NotAction": "ecs:RunTask", "Resource": "*"}
    assert judged(all_but_run).outcome == "implicit deny"
    assert judged(all_but_run, action="ecs:StopTask").outcome == "allowed"
    all_but_nightly = {"Effect": "Allow", "Action": "*", "NotResource": f"{FAMILY}:*"}
    assert judged(all_but_nightly).outcome == "implicit deny"
    assert judged(all_but_nightly, resource=CLUSTER).outcome == "allowed"


def test_an_explicit_deny_beats_every_allow_whatever_the_order():
    allow, deny = statement(resource="*"), statement("Deny", Sid="NoNightly")
    for order in ([allow, deny], [deny, allow]):
        verdict = judged(*order)
        assert (verdict.outcome, verdict.by) == ("explicit deny", "p, statement NoNightly")


def test_the_deciding_statement_is_named():
    verdict = decide(
        [Policy("empty", {"Statement": []}), Policy("run", json.dumps({"Statement": statement()}))],
        "ecs:RunTask",
        f"{FAMILY}:1",
    )
    assert verdict == Decision("allowed", "run, statement 1")


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"ArnEquals": {"ecs:cluster": CLUSTER}}, {"ecs__cluster": CLUSTER}, True),
        ({"ArnEquals": {"ecs:cluster": CLUSTER}}, {"ecs__cluster": CLUSTER + "2"}, False),
        ({"ArnEquals": {"ecs:cluster": CLUSTER}}, {}, False),
        ({"ArnEquals": {"ECS:Cluster": CLUSTER}}, {"ecs__cluster": CLUSTER}, True),
        ({"ArnLike": {"ecs:cluster": "arn:aws:ecs:*:123456789012:cluster/m*"}}, {"ecs__cluster": CLUSTER}, True),
        ({"ArnLike": {"ecs:cluster": "arn:aws:*/main"}}, {"ecs__cluster": CLUSTER}, False),  # part by part
        ({"ArnLike": {"ecs:cluster": ["arn:a:b:c:d:e", CLUSTER]}}, {"ecs__cluster": CLUSTER}, True),
        ({"ArnNotEquals": {"ecs:cluster": CLUSTER}}, {"ecs__cluster": CLUSTER}, False),
        ({"ArnNotEquals": {"ecs:cluster": CLUSTER}}, {"ecs__cluster": CLUSTER + "2"}, True),
        ({"ArnNotLike": {"ecs:cluster": ["arn:a:b:c:d:e", CLUSTER]}}, {"ecs__cluster": CLUSTER}, False),
        ({"ArnNotLike": {"ecs:cluster": CLUSTER}}, {}, True),  # an absent key is not that value
        ({"StringEquals": {"iam:PassedToService": "x"}}, {"iam__PassedToService": "x"}, True),
        ({"StringEquals": {"iam:PassedToService": "x"}}, {"iam__PassedToService": "X"}, False),
        ({"StringEquals": {"iam:PassedToService": "*"}}, {"iam__PassedToService": "x"}, False),
        ({"StringEquals": {"a:b": ["y", "x"]}}, {"a__b": "x"}, True),
        ({"StringEqualsIgnoreCase": {"a:b": "x"}}, {"a__b": "X"}, True),
        ({"StringNotEqualsIgnoreCase": {"a:b": "x"}}, {"a__b": "X"}, False),
        ({"StringNotEquals": {"a:b": ["x", "y"]}}, {"a__b": "y"}, False),
        ({"StringNotEquals": {"a:b": ["x", "y"]}}, {"a__b": "z"}, True),
        ({"StringNotEquals": {"a:b": "x"}}, {}, True),
        ({"StringLike": {"a:b": "ecs-*.amazonaws.com"}}, {"a__b": "ecs-tasks.amazonaws.com"}, True),
        ({"StringLike": {"a:b": "ecs-*.amazonaws.com"}}, {"a__b": "ecs.amazonaws.com"}, False),
        ({"StringNotLike": {"a:b": "ecs-*"}}, {"a__b": "ecs-tasks"}, False),
        ({"StringEqualsIfExists": {"a:b": "x"}}, {}, True),
        ({"StringEqualsIfExists": {"a:b": "x"}}, {"a__b": "y"}, False),
        ({"ArnLikeIfExists": {"ecs:cluster": CLUSTER}}, {}, True),
        ({"Null": {"a:b": "true"}}, {}, True),
        ({"Null": {"a:b": True}}, {"a__b": "x"}, False),
        ({"Null": {"a:b": "false"}}, {"a__b": "x"}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"aws__SecureTransport": "true"}, True),
        ({"Bool": {"aws:SecureTransport": True}}, {"aws__SecureTransport": "false"}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, {}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws__TagKeys": ["z", "b"]}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws__TagKeys": ["z"]}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}, {}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws__TagKeys": ["a", "b"]}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws__TagKeys": ["a", "z"]}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}, {}, True),
        ({"ForAllValues:StringNotEquals": {"aws:TagKeys": "a"}}, {"aws__TagKeys": ["a", "b"]}, False),
        ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": "a"}}, {"aws__TagKeys": ["a", "b"]}, True),
        ({"StringEquals": {"a:b": "x", "c:d": "y"}}, {"a__b": "x", "c__d": "y"}, True),
        ({"StringEquals": {"a:b": "x", "c:d": "y"}}, {"a__b": "x"}, False),
        ({"StringEquals": {"a:b": "x"}, "Null": {"c:d": "true"}}, {"a__b": "x", "c__d": "y"}, False),
    ],
)
def test_a_condition_holds_as_the_user_guide_says(condition, context, holds):
    verdict = judged(statement(Condition=condition), **context)
    assert verdict == (Decision("allowed", "p, statement 1") if holds else Decision("implicit deny"))


@pytest.mark.parametrize("operator", ["StringAlmost", "IpAddress", "ForSomeValues:StringEquals", "DateLessThan"])
def test_an_unknown_operator_allows_nothing_denies_always_and_is_reported(operator):
    condition = {operator: {"ecs:cluster": CLUSTER}}
    told = (f"p, statement 1: the condition operator {operator}",)
    allow = judged(statement(Condition=condition), ecs__cluster=CLUSTER)
    assert allow == Decision("implicit deny", "", told)
    deny = judged(statement("Deny", Condition=condition), statement(), ecs__cluster=CLUSTER)
    assert deny == Decision("explicit deny", "p, statement 1", told)


def test_an_unknown_operator_of_a_statement_about_something_else_is_no_matter():
    other = statement("Deny", action="s3:*", Condition={"StringAlmost": {"a:b": "c"}})
    assert judged(other, statement()) == Decision("allowed", "p, statement 2")


def test_a_policy_variable_takes_its_value_from_the_request():
    own = statement(resource="arn:aws:ecs:eu-west-2:123456789012:task-definition/${aws:username}:*")
    assert judged(own, aws__username="nightly").allowed
    assert not judged(own, aws__username="other").allowed


def test_a_variable_without_a_value_allows_nothing_but_leaves_its_neighbours_be():
    alone = statement(resource="arn:aws:ecs:*:*:task-definition/${aws:username}:*")
    verdict = judged(alone)
    assert verdict == Decision("implicit deny", "", ("p, statement 1: the variable ${aws:username} has no value",))
    beside = statement(resource=["arn:aws:s3:::${aws:username}", f"{FAMILY}:*"])
    assert judged(beside).allowed


def test_a_wildcard_inside_a_variables_value_is_no_wildcard():
    own = statement(resource=FAMILY + "${aws:username}")
    assert not judged(own, aws__username="*").allowed
    assert judged(own, resource=f"{FAMILY}*", aws__username="*").allowed


def test_a_document_of_the_old_version_has_no_variables():
    own = statement(resource="arn:aws:ecs:eu-west-2:123456789012:task-definition/${aws:username}:*")
    assert not judged(own, version="2008-10-17", aws__username="nightly").allowed


EVENTS = Principal("Service", "events.amazonaws.com")
RULE = "arn:aws:events:eu-west-2:123456789012:rule/nightly"
SESSION = Principal(
    "AWS", "arn:aws:sts::123456789012:assumed-role/ops/ann", "123456789012", ("arn:aws:iam::123456789012:role/ops",)
)


@pytest.mark.parametrize(
    ("principal", "who", "outcome"),
    [
        ({"Service": "events.amazonaws.com"}, EVENTS, "allowed"),
        ({"Service": ["scheduler.amazonaws.com", "events.amazonaws.com"]}, EVENTS, "allowed"),
        ({"Service": "scheduler.amazonaws.com"}, EVENTS, "implicit deny"),
        ({"AWS": "*"}, EVENTS, "implicit deny"),
        ("*", EVENTS, "allowed"),
        ({"AWS": "*"}, SESSION, "allowed"),
        ({"AWS": "123456789012"}, SESSION, "allowed"),
        ({"AWS": "arn:aws:iam::123456789012:root"}, SESSION, "allowed"),
        ({"AWS": "arn:aws:iam::210987654321:root"}, SESSION, "implicit deny"),
        ({"AWS": "arn:aws:iam::123456789012:role/ops"}, SESSION, "allowed"),
        ({"AWS": "arn:aws:iam::123456789012:role/*"}, SESSION, "implicit deny"),  # no wildcards in a principal
        ({"Federated": "accounts.google.com"}, Principal("Federated", "accounts.google.com"), "allowed"),
        ({"Federated": "accounts.google.com"}, EVENTS, "implicit deny"),
        ({}, EVENTS, "implicit deny"),
    ],
)
def test_a_trust_policy_names_who_may_assume(principal, who, outcome):
    trust = {"Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}}
    assert decide_trust(trust, who).outcome == outcome


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ({"ArnEquals": {"aws:SourceArn": RULE}}, "allowed"),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:events:*:123456789012:rule/*"}}, "allowed"),
        ({"ArnEquals": {"aws:SourceArn": RULE + "-drill"}}, "implicit deny"),
        ({"StringEquals": {"aws:SourceAccount": "123456789012"}}, "allowed"),
        ({"StringEquals": {"aws:SourceAccount": "210987654321"}}, "implicit deny"),
    ],
)
def test_a_trust_policy_can_name_the_rule_and_the_account_it_is_for(condition, outcome):
    trust = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": condition,
            }
        ]
    }
    context = {"aws:SourceArn": RULE, "aws:SourceAccount": "123456789012"}
    assert decide_trust(trust, EVENTS, context).outcome == outcome


def test_a_trust_policy_must_allow_assuming():
    trust = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:TagSession"}}
    assert decide_trust(trust, EVENTS).outcome == "implicit deny"


def test_a_denial_reads_as_awss_does():
    session = "arn:aws:sts::123456789012:assumed-role/r/s"
    assert explain(Decision("implicit deny"), session, "ecs:RunTask", f"{FAMILY}:9") == (
        f"User: {session} is not authorized to perform: ecs:RunTask on resource: {FAMILY}:9"
        " because no identity-based policy allows the ecs:RunTask action"
    )
    assert explain(Decision("explicit deny"), session, "iam:PassRole", ROLE) == (
        f"User: {session} is not authorized to perform: iam:PassRole on resource: {ROLE}"
        " with an explicit deny in an identity-based policy"
    )
    assert explain(Decision("explicit deny"), session, "iam:PassRole", ROLE, "permissions boundary").endswith(
        "with an explicit deny in a permissions boundary"
    )


@given(st.text(max_size=40), st.text(max_size=40))
def test_without_a_wildcard_a_resource_matches_itself_alone(pattern, asked):
    plain = "".join(c for c in pattern if c not in "*?$\x00")
    assert judged(statement(resource=plain), resource=asked).allowed == (plain == asked)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_star_stands_for_anything(head, middle, tail):
    head, tail = ("".join(c for c in part if c not in "*?$\x00") for part in (head, tail))
    assert judged(statement(resource=f"{head}*{tail}"), resource=head + middle + tail).allowed


@given(st.lists(st.sampled_from(["Allow", "Deny"]), max_size=6))
def test_one_deny_is_enough_and_one_allow_is_needed(effects):
    wanted = "explicit deny" if "Deny" in effects else "allowed" if effects else "implicit deny"
    assert judged(*[statement(effect) for effect in effects]).outcome == wanted
