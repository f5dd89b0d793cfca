"""An explanation names the reader's own values, reads well without, and nothing in a record can harm the reader."""

# ruff: noqa: E501 - AWS's words and what is written down of them are one line each

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_runbook.diagnosis.catalogue import FACTS, catalogue
from ecs_runbook.diagnosis.explain import explain, explain_all
from ecs_runbook.diagnosis.sighting import Sighting, sightings
from ecs_runbook.rehearsal.mistakes import every

A = "111122223333"
FAMILY = f"arn:aws:ecs:eu-west-1:{A}:task-definition/nightly"
PUBLIC_IP = Sighting(
    "CloudTrail", None, "InvalidParameterException", "Assign public IP is not supported for this launch type."
)


def denied(resource):
    words = (
        f"User: arn:aws:sts::{A}:assumed-role/nightly-events/0a is not authorized to perform: ecs:RunTask on resource: "
        f"{resource} because no identity-based policy allows the ecs:RunTask action"
    )
    told = {
        "eventSource": "ecs.amazonaws.com",
        "eventName": "RunTask",
        "errorCode": "AccessDenied",
        "errorMessage": words,
    }
    (seen,) = sightings(told)
    return seen


def test_the_mend_names_role_and_family_of_the_record():
    told = explain(denied(f"{FAMILY}:9"))
    assert "# in the policy of role nightly-events" in told.diff
    assert f'-  Resource = "{FAMILY}"' in told.diff
    assert f'+  Resource = "{FAMILY}:*"' in told.diff
    assert "role nightly-events" in told.means
    assert "nightly:9" in told.means


def test_the_mend_names_the_rule_or_the_schedule_that_the_reader_asked_about():
    assert (
        "# in the aws_cloudwatch_event_target of rule nightly\n ecs_target {" in explain(PUBLIC_IP, rule="nightly").diff
    )
    assert "# in the aws_scheduler_schedule nightly\n ecs_parameters {" in explain(PUBLIC_IP, schedule="nightly").diff
    assert "# in the target of the rule\n ecs_target {" in explain(PUBLIC_IP).diff


def test_subnets_and_groups_of_the_target_fill_what_the_record_leaves_out():
    missing = Sighting("CloudTrail", None, "InvalidParameterException",
                       "Network Configuration must be provided when networkMode 'awsvpc' is specified.")  # fmt: skip
    target = {"Arn": f"arn:aws:ecs:eu-west-1:{A}:cluster/batch", "RoleArn": f"arn:aws:iam::{A}:role/r", "EcsParameters": {
        "TaskDefinitionArn": FAMILY, "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1", "subnet-2"]}}}}  # fmt: skip
    told = explain(missing, rule="nightly", target=target)
    assert 'subnets         = ["subnet-1", "subnet-2"]' in told.diff
    assert "The task definition nightly has" in told.means


def test_a_target_fills_gaps_only_and_never_mixes_with_what_the_record_names():
    pinned = {"RoleArn": f"arn:aws:iam::{A}:role/events", "EcsParameters": {"TaskDefinitionArn": f"{FAMILY}:3"}}
    assert explain(denied(FAMILY), target=pinned).cause == "run-task-denied-bare-resource"
    seen = Sighting("CloudTrail", None, "ClientException", "TaskDefinition not found.")
    assert explain(seen, target=pinned).because.endswith("revision is 3, as the target is now")
    secret = "ResourceInitializationError: unable to pull secrets or registry auth: x secret from asm: AccessDenied"
    task = {"taskArn": "t", "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": secret}
    (died,) = sightings(task)
    told = explain(died, target=pinned)
    assert told.cause == "secret-denied"
    assert "events" not in told.title + told.diff


def test_the_words_of_the_record_fill_the_mend():
    gone = Sighting("CloudTrail", None, "InvalidParameterException",
                    "Error retrieving subnet information for [subnet-0a1b]: The subnet ID 'subnet-0a1b' does not exist "
                    "(ErrorCode: InvalidSubnetID.NotFound)")  # fmt: skip
    told = explain(gone)
    assert told.title == "The subnet subnet-0a1b does not exist"
    assert '-    subnets = ["subnet-0a1b"]' in told.diff


def test_scheduler_is_trusted_where_scheduler_told():
    role = f"arn:aws:iam::{A}:role/nightly"
    words = f"User: x is not authorized to perform: sts:AssumeRole on resource: {role}"
    facts = {"service": "scheduler.amazonaws.com", "schedule": "nightly", "role": role}
    told = explain(Sighting("DLQ of Scheduler", None, "AccessDeniedException", words, facts))
    assert '+  Principal = { Service = "scheduler.amazonaws.com" }' in told.diff
    assert "of role nightly" in told.diff


def test_tasks_that_may_not_be_tagged_are_named_though_the_words_end_with_them():
    words = f"User: arn:aws:sts::{A}:assumed-role/r/0a is not authorized to perform: ecs:TagResource on resource: arn:aws:ecs:eu-west-1:{A}:task/batch/*"
    (seen,) = sightings({"eventName": "RunTask", "errorCode": "AccessDenied", "errorMessage": words})
    assert f'+   Resource  = "arn:aws:ecs:eu-west-1:{A}:task/batch/*"' in explain(seen).diff


def test_the_policy_that_denies_is_named_where_aws_names_it():
    policy = "arn:aws:organizations::999988887777:policy/o-qv5a/service_control_policy/p-2kgn"
    words = f"User: arn:aws:sts::{A}:assumed-role/r/0a is not authorized to perform: ecs:RunTask on resource: {FAMILY}:9 with an explicit deny in a service control policy: {policy}"
    (seen,) = sightings({"eventName": "RunTask", "errorCode": "AccessDenied", "errorMessage": words})
    told = explain(seen)
    assert told.cause == "denied-by-service-control-policy"
    assert policy in told.means


def test_a_call_by_a_person_is_not_explained_as_a_schedules():
    words = f"User: arn:aws:iam::{A}:user/ann is not authorized to perform: ecs:RunTask on resource: {FAMILY}:9 because no identity-based policy allows the ecs:RunTask action"
    person = {"userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{A}:user/ann"}}
    (seen,) = sightings({"eventName": "RunTask", "errorCode": "AccessDenied", "errorMessage": words, **person})
    assert f"it was called by arn:aws:iam::{A}:user/ann, not by EventBridge" in explain(seen).because
    assert "called by" not in explain(denied(f"{FAMILY}:9")).because


def test_a_helper_that_ran_out_of_memory_may_leave_a_good_run_and_that_is_said():
    two = [{"name": "main", "exitCode": 0}, {"name": "proxy", "exitCode": 137, "reason": "OutOfMemoryError: x"}]
    task = {"taskArn": "t", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "containers": two}
    (seen,) = sightings(task)
    told = explain(seen)
    assert told.cause == "out-of-memory"
    assert "if proxy is not essential, the run was a good one" in told.because
    del two[1]["reason"]
    (seen,) = sightings(task)
    assert explain(seen).because == "the exit codes differ: main=0, proxy=137"


def test_what_it_could_also_be_is_told_by_its_title():
    cut = Sighting("CloudTrail", None, "ClusterNotFoundException", "The referenced cluster was inac")
    told = explain(cut)
    assert (told.cause, told.also) == ("cluster-inactive", ())
    vague = Sighting("ECS", None, "EssentialContainerExited", "OutOfMemoryError: CannotPullContainerError: x",
                     {"container_reasons": ("CannotPullContainerError: x",)})  # fmt: skip
    told = explain(vague)
    assert (told.cause, told.also) == ("out-of-memory", ("cannot-pull-image",))
    assert "It could also be: The image cannot be pulled (cannot-pull-image)" in str(told)
    assert "The image cannot be pulled (cannot-pull-image)" in told._repr_html_()


def test_all_are_explained_in_their_order():
    assert [one.cause for one in explain_all([PUBLIC_IP, denied(f"{FAMILY}:9"), Sighting("ECS", None, "x", "y")])] == [
        "public-ip-needs-fargate",
        "run-task-denied-for-the-revision",
        "",
    ]


def test_the_text_says_what_was_said_why_the_causes_the_mend_and_how_well_it_is_known():
    text = str(explain(PUBLIC_IP, rule="nightly"))
    for words in (
        "A public IP needs launch type FARGATE",
        "CloudTrail said: InvalidParameterException: Assign public IP is not supported for this launch type.",
        "Why this one: these are AWS's own words for it.",
        "1. launch_type is left out",
        'Say launch_type = "FARGATE" in the aws_cloudwatch_event_target of rule nightly',
        '+  launch_type = "FARGATE"',
        "Mended when: 10_generate does not find launch-type-public-ip any more",
        "(seen in public issues)",
    ):
        assert words in text


def test_an_unknown_failure_is_shown_raw_and_said_to_be_unknown():
    told = explain(Sighting("CloudTrail", None, "NewException", "Words that are new."))
    assert "does not know" in told.title
    assert "CloudTrail said: NewException: Words that are new." in str(told)
    assert "NewException: Words that are new." in told._repr_html_()
    assert "Mend" not in str(told)


@pytest.mark.parametrize("row", catalogue(), ids=lambda row: row.id)
def test_no_row_shows_a_placeholder_or_none_to_the_reader(row):
    for message in row.messages or ("",):
        words = re.sub(r"\{[a-z_*]*\}", "x", message).replace("…", "")
        facts = {name: wanted if isinstance(wanted, str) else wanted[0] for name, wanted in row.when.items()}
        facts = {name: "7" if wanted == "known" else wanted for name, wanted in facts.items() if wanted != "unknown"}
        facts["call"] = row.calls[0]
        told = explain(Sighting(row.shows[0], None, (row.codes or ("",))[0], words, facts))
        text = f"{told} {told._repr_html_()}"
        assert told.known
        assert "None" not in text
        assert not re.search(r"\{[a-z_]+\|", text)


NASTY = [
    '"\n+resource "aws_iam_role" "evil" {',
    "${file(\"/etc/passwd\")}",
    "%{ for x in y }",
    "<script>alert(1)</script>",
    "\x1b[2J\x1b[31mred",
    "x" * 100_000,
    "\u202egnp.exe",
    "a\r\nb",
    "`rm -rf`",
    "\x00",
    "\ud800",
    "{role|x}",
    "'; DROP TABLE runs; --",
]  # fmt: skip


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_values_of_a_record_can_do_nothing_in_a_text_a_page_or_a_diff(nasty):
    facts = dict.fromkeys(FACTS - {"policy_says", "call", "exit_code", "containers_disagree"}, nasty)
    facts |= {
        "subnets": (nasty, nasty),
        "security_groups": (nasty,),
        "exit_codes": (nasty,),
        "container_reasons": (nasty,),
    }
    for row in catalogue():
        when = {name: value for name, value in row.when.items() if value not in ("known", "unknown")}
        unknown = {name for name, value in row.when.items() if value == "unknown"}
        mine = {name: value for name, value in facts.items() if name not in unknown} | when | {"call": row.calls[0]}
        message = re.sub(r"\{[a-z_*]*\}", lambda _: nasty, (row.messages or ("",))[0]).replace("…", nasty)
        told = explain(Sighting(row.shows[0], None, (row.codes or ("",))[0], message, mine))
        text, page = str(told), told._repr_html_()
        assert len(text) < 20_000
        assert "\x1b" not in text + page
        assert "\u202e" not in text + page
        assert "<script" not in page
        assert "\r" not in text
        assert len(told.diff.splitlines()) == len(row.diff.splitlines()) if told.cause == row.id else True
        assert "evil" not in told.diff
        assert "/etc/passwd" not in told.diff
        assert "for x in y" not in told.diff
        text.encode("utf-8")
        page.encode("utf-8")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["CloudTrail", "failures[]", "DLQ of a rule", "DLQ of Scheduler", "ECS", "ECS event", "x"]),
       st.text(max_size=40), st.text(max_size=200), st.dictionaries(st.sampled_from(sorted(FACTS)), st.text(max_size=30)))  # fmt: skip
def test_whatever_is_seen_is_explained_without_a_crash(told_by, code, message, facts):
    told = explain(Sighting(told_by, None, code, message, facts))
    assert str(told)
    assert told._repr_html_()
    json.dumps([str(told), told.diff])


@pytest.mark.parametrize("known", [{"target": 3}, {"target": {"EcsParameters": "x"}}, {"policy": 3}, {"policy": [None, "x"]},
                                   {"rule": None}, {"rule": ""}, {"rule": 3}, {"nobody": "x"}, {"target": {"Arn": ["x"]}}])  # fmt: skip
def test_what_the_reader_knows_may_be_empty_or_wrong(known):
    assert explain(PUBLIC_IP, **known).cause == "public-ip-needs-fargate"
    assert explain(denied(f"{FAMILY}:9"), **known).cause == "run-task-denied-for-the-revision"


# -------- the mistakes that are made on purpose

SHARE_THEIR_WORDS = {
    # AWS says the same of both; only the policy tells, and the row's causes name both
    "policy_pinned_to_revision": "bare_family_in_policy",
    "passed_to_service_wrong": "pass_role_of_new_revision",
}
SAID = {
    name: mistake.letter_by_letter for name, mistake in every().items() if mistake.story.shows not in ("stale", "hour")
}


@pytest.mark.parametrize("name", sorted(SAID))
def test_what_aws_answers_to_a_mistake_leads_back_to_it(name):
    values = {"account": A, "region": "eu-west-1", "session": "0a", "revision": "9", "group": "sg-1", "image": "app:1"}
    words = re.sub(r"<(\w+)>", lambda found: values[found[1]], SAID[name]).replace("…", "")
    shows = every()[name].story.shows
    if shows == "stopped":
        told = {"taskArn": "t", "lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": words}
    elif shows == "dead letter":
        told = {
            "MessageAttributes": {"RULE_ARN": {"StringValue": "arn:x:rule/r"}, "ERROR_CODE": {"StringValue": words}}
        }
    else:
        code, _, message = words.partition(": ")
        source, call = ("events", "PutRule") if shows == "apply" else ("ecs", "RunTask")
        told = {"eventSource": f"{source}.amazonaws.com", "eventName": call, "errorCode": code, "errorMessage": message}
    (seen,) = sightings(told)
    assert explain(seen).mistake == SHARE_THEIR_WORDS.get(name, name)


def test_a_start_of_a_state_machine_is_mended_in_the_schedule_and_its_task_in_the_machine():
    words = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
    known = {"schedule": "batch/nightly", "machine": "again"}
    begun = explain(Sighting("Step Functions", None, "", words, {"call": "RunTask"}), **known)
    assert begun.remedy.startswith("Give the state machine again subnets")
    start = explain(Sighting("Step Functions", None, "", words, {"call": "StartExecution"}), **known)
    assert start.remedy.startswith("Give the aws_scheduler_schedule batch/nightly subnets")
