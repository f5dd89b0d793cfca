"""What a mend changes and what it leaves alone, and how a plan is read: without AWS."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from things_to_adopt import LATEST, NEW_QUEUE, PINNED, arn, policy, target

from ecs_runbook.adopt.adopt import adopt_in_terraform
from ecs_runbook.adopt.existing import Existing, InlinePolicy, Policies
from ecs_runbook.adopt.mends import chosen, mended, mended_policies
from ecs_runbook.adopt.planned import read_plan
from ecs_runbook.adopt.rewriters import Who
from ecs_runbook.adopt.verdict import judge_adoption
from ecs_runbook.errors import SpecError

PLACE = {"account": "123456789012", "region": "us-east-1"}


def rule(*targets, name="nightly", **more):
    told = {
        "Name": name,
        "Arn": arn("events", f"rule/{name}"),
        "ScheduleExpression": "cron(0 2 * * ? *)",
        "State": "ENABLED",
    }
    return Existing("rule", "default", told | more, targets or (target(),))


def schedule(**more):
    its = {key: value for key, value in target().items() if key != "Id"}
    told = {"Name": "nightly", "Arn": arn("scheduler", "schedule/default/nightly"), "ScheduleExpression": "rate(1 day)"}
    told |= {"State": "ENABLED", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": its}
    return Existing("schedule", "default", told | more, (its,))


@pytest.mark.parametrize(
    ("mend", "queue", "words"),
    [
        (["unpin"], "", "mend = 'unpin': write some of pinned-revision, policy, launch-type, dead-letter-queue"),
        (["dead-letter-queue"], "", "dead_letter_queue = '': name the queue, by its ARN"),
        (["dead-letter-queue"], "arn:aws:sqs:us-east-1:123456789012:dead.fifo", "write the ARN of a standard queue"),
        ([], NEW_QUEUE, "choose dead-letter-queue too, or leave it empty"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_its_mend(mend, queue, words):
    with pytest.raises(SpecError) as refused:
        chosen(mend, dead_letter_queue=queue)
    assert words in str(refused.value)


def test_no_mend_changes_nothing():
    thing = rule()
    assert mended(thing, []) == (thing, [], [])


def test_un_pinning_changes_the_revision_alone_and_not_what_was_told():
    thing = rule()
    new, (difference,), left = mended(thing, ["pinned-revision"])
    assert (difference.of, difference.attribute, difference.before, difference.after) == (
        "nightly#job",
        "task_definition_arn",
        PINNED,
        LATEST,
    )
    assert left == []
    assert thing.targets[0]["EcsParameters"]["TaskDefinitionArn"] == PINNED
    ours = {**thing.targets[0]["EcsParameters"], "TaskDefinitionArn": LATEST}
    assert new.targets == (thing.targets[0] | {"EcsParameters": ours},)


def test_a_state_machine_in_between_is_not_un_pinned_and_that_is_said():
    its = {"Arn": arn("states", "stateMachine:nightly"), "RoleArn": arn("iam", "role/schedules")}
    _, changes, (left,) = mended(Existing("schedule", "default", schedule().told, (its,)), ["pinned-revision"])
    assert (changes, left.because) == ([], "a state machine stands between: un-pin what its definition names")


def policies_after(resource):
    one = InlinePolicy("rules", "run", policy(resource))
    new, _, left = mended_policies([rule()], Policies((one,)))
    return [each.document["Statement"][0]["Resource"] for each in new], [str(each) for each in left]


@pytest.mark.parametrize("resource", [PINNED, LATEST, arn("ecs", "task-definition/job:99")])
def test_a_policy_that_names_the_family_narrowly_is_widened_to_its_revisions(resource):
    assert policies_after(resource) == ([f"{LATEST}:*"], [])


@pytest.mark.parametrize("resource", ["*", f"{LATEST}:*", arn("ecs", "task-definition/*")])
def test_a_policy_that_is_wide_enough_is_left_alone(resource):
    assert policies_after(resource) == ([], [])


def test_a_policy_of_another_family_is_left_alone_and_that_nothing_names_this_one_is_said():
    new, left = policies_after(arn("ecs", "task-definition/job-2:1"))
    assert (new, left) == ([], ["policy of rules: no policy of it names job, so there is none to widen"])


def test_a_policy_that_is_attached_is_not_changed_since_others_may_use_it():
    _, _, (left,) = mended_policies([rule()], Policies((), {"rules": ("shared",)}))
    assert "shared is attached, which others may use: look there" in str(left)


# ---------------------------------------------------------------- the plan


def planned(adoption, **changes):
    """A plan that imports all of *adoption*, with ``<address>=(actions, before, after)`` in place of some."""
    told = []
    for address in adoption.written.addresses.values():
        actions, before, after = changes.get(address, (["no-op"], {}, {}))
        told.append(
            {"address": address, "change": {"actions": actions, "before": before, "after": after, "importing": {}}}
        )
    return {"resource_changes": told}


def of(thing, *mend, **more):
    return adopt_in_terraform([thing], Policies(), mend=mend, **PLACE, **more)


TARGET = "aws_cloudwatch_event_target.nightly"


def ecs(before, after, more=(), then=()):
    blocks = [{"ecs_target": [{"task_definition_arn": one}]} for one in (before, after)]
    return ["update"], blocks[0] | dict(more), blocks[1] | dict(then)


def verdict(adoption, plan):
    checks = judge_adoption(adoption, read_plan(adoption, plan), Who((), NOW))
    return checks[0].status, checks[0].because


NOW = datetime(2027, 2, 5, tzinfo=UTC)


def test_a_plan_that_makes_the_chosen_difference_alone_is_ready():
    adoption = of(rule(), "pinned-revision")
    judged = read_plan(adoption, planned(adoption, **{TARGET: ecs(PINNED, LATEST)}))
    assert judged.ready
    assert [(one.attribute, one.chosen) for one in judged.changes] == [
        ("ecs_target[0].task_definition_arn", "pinned-revision")
    ]


def test_a_plan_without_the_chosen_difference_is_not_ready():
    adoption = of(rule(), "pinned-revision")
    status, because = verdict(adoption, planned(adoption))
    assert (status, because) == ("NG", "pinned-revision of nightly#job is not in the plan")


@pytest.mark.parametrize(("before", "after"), [(PINNED, LATEST + "-2"), (LATEST + ":7", LATEST)])
def test_the_same_attribute_with_other_values_is_not_what_was_chosen(before, after):
    adoption = of(rule(), "pinned-revision")
    status, because = verdict(adoption, planned(adoption, **{TARGET: ecs(before, after)}))
    assert status == "NG"
    assert f"{TARGET}, ecs_target[0].task_definition_arn: {before} → {after}" in because


def test_anything_else_that_would_change_is_told_and_is_not_ready():
    adoption = of(rule(), "pinned-revision")
    plan = planned(adoption, **{TARGET: ecs(PINNED, LATEST, {"input": '{"a":1}'}, {"input": '{"a":2}'})})
    status, because = verdict(adoption, plan)
    assert status == "NG"
    assert f'{TARGET}, input: {{"a":1}} → {{"a":2}}' in because
    assert "the provider reads input back otherwise" in because


@pytest.mark.parametrize("actions", [["create"], ["delete"], ["delete", "create"]])
def test_a_plan_that_makes_or_destroys_is_not_ready(actions):
    adoption = of(rule())
    plan = planned(adoption, **{TARGET: (actions, {}, {})})
    status, because = verdict(adoption, plan)
    assert (status, because) == ("NG", f"it would {' and '.join(actions)} {TARGET}")


def test_a_plan_that_does_not_import_one_is_not_ready():
    adoption = of(rule())
    plan = planned(adoption)
    plan["resource_changes"] = [one for one in plan["resource_changes"] if one["address"] != TARGET]
    assert verdict(adoption, plan) == ("NG", f"{TARGET} is not imported")


def test_what_the_provider_has_no_argument_for_is_named_and_stops_an_update_that_would_drop_it():
    thing = schedule(ActionAfterCompletion="DELETE")
    adoption = of(thing)
    status, because = verdict(adoption, planned(adoption))
    assert status == "OK"
    assert "no argument is written for nightly: ActionAfterCompletion = DELETE; nothing touches it now" in because
    adoption = of(thing, "pinned-revision")
    before, after = ({"target": [{"ecs_parameters": [{"task_definition_arn": one}]}]} for one in (PINNED, LATEST))
    plan = planned(adoption, **{"aws_scheduler_schedule.nightly": (["update"], before, after)})
    assert verdict(adoption, plan) == (
        "NG",
        "no argument is written for nightly: ActionAfterCompletion = DELETE, and an update would drop that",
    )


@pytest.mark.parametrize(
    ("retry", "argument", "usual"),
    [
        ({"MaximumRetryAttempts": 0}, "maximum_event_age_in_seconds", 86400),
        ({"MaximumEventAgeInSeconds": 60}, "maximum_retry_attempts", 185),
    ],
)
def test_half_a_retry_policy_is_written_whole_since_the_provider_would_send_zero(retry, argument, usual):
    adoption = of(rule(target(RetryPolicy=retry)))
    assert re.search(rf"{argument} += {usual}\n", adoption.text)
    blocks = [{"retry_policy": [{argument: value}]} for value in (0, usual)]
    status, because = verdict(adoption, planned(adoption, **{TARGET: (["update"], *blocks)}))
    assert status == "OK"
    assert f"AWS takes {usual} where nothing is said" in because


def test_no_retries_that_are_told_do_not_become_the_usual_ones_unseen():
    adoption = of(rule(target(RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60})))
    blocks = [{"retry_policy": [{"maximum_retry_attempts": value}]} for value in (0, 185)]
    status, because = verdict(adoption, planned(adoption, **{TARGET: (["update"], *blocks)}))
    assert status == "NG"
    assert "maximum_retry_attempts: 0 → 185" in because


def test_a_rule_of_a_stack_is_not_ready_to_be_taken_from_it():
    thing = rule()
    owned = Existing("rule", "default", thing.told, thing.targets, {"aws:cloudformation:stack-name": "jobs"})
    adoption = of(owned)
    checks = {one.id: one for one in judge_adoption(adoption, read_plan(adoption, planned(adoption)), Who((), NOW))}
    assert (checks["adopt-whose"].status, checks["adopt-whose"].because) == ("NG", "nightly belongs to the stack jobs")
    assert "aws:cloudformation" not in adoption.text


def test_values_of_environments_are_in_the_file_and_in_no_table():
    text = json.dumps({"containerOverrides": [{"name": "main", "environment": [{"name": "TOKEN", "value": "shy"}]}]})
    adoption = of(rule(target(Input=text)))
    plan = planned(adoption, **{TARGET: (["update"], {"input": text}, {"input": ""})})
    judged = read_plan(adoption, plan)
    assert "shy" in adoption.text
    assert "shy" not in str(judged.table.to_dict()) + verdict(adoption, plan)[1] + judged._repr_html_()


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_of_aws_becomes_code(description, text):
    import hcl2

    thing = rule(target(Input=text), Description=description)
    try:
        adoption = of(thing)
    except SpecError:
        assert any(0xD800 <= ord(one) <= 0xDFFF for one in description + text)
        return
    told = hcl2.loads(adoption.text)
    kinds = sorted(next(iter(one)).strip('"') for one in told["resource"])
    assert kinds == ["aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"]
