"""The roles: trust with its conditions, what IAM's simulator says, and what is too wide."""

from dataclasses import replace

import pytest
from one_row import (
    ACCOUNT,
    CALLER,
    CLUSTER,
    EXECUTION,
    FAMILY,
    IAM,
    MACHINE,
    REGION,
    REQUEST,
    RULE,
    SCHEDULE,
    TASK,
    a_rule,
    a_schedule,
    facts,
    permit,
    told,
    trust,
)

from ecs_runbook.firing.rules import Target
from ecs_runbook.firing.schedules import Schedule
from ecs_runbook.inventory.model import ECS_EVENTS_RULE, Absent, Deed, Gap, Machine, PermitKey, Role

EVENTS, SCHEDULER, STATES = "events.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"
NO_ROLES = Gap("iam:GetRole", "AccessDenied: no", denied=True)
NO_SIMULATOR = Gap("iam:SimulatePrincipalPolicy", "AccessDenied: no", denied=True)
GROUP = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
ECS = f"arn:aws:ecs:{REGION}:{ACCOUNT}"


def about(check, row=None, **changes):
    """What one check says: status, severity and words; None if it does not apply."""
    row = row or a_rule()
    found = told(row, facts(row, **changes)).get(check)
    return found and (found.status, found.severity, found.because)


def roles(caller=None, task=None, execution=None, **others):
    fine = facts().roles
    given = {CALLER: caller, TASK: task, EXECUTION: execution}
    return fine | {arn: told for arn, told in given.items() if told is not None} | others


def caller(service, **condition):
    return roles(Role(CALLER, trust(service, **condition)))


# -------- trust


@pytest.mark.parametrize(
    ("row", "service", "condition", "status"),
    [
        # what people build
        (a_rule(), EVENTS, {}, "OK"),
        (a_rule(), [EVENTS, SCHEDULER], {}, "OK"),
        (a_rule(), EVENTS, {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, "OK"),
        (a_rule(), EVENTS, {"ArnEquals": {"aws:SourceArn": RULE}}, "OK"),
        (a_rule(), EVENTS, {"ArnLike": {"aws:SourceArn": f"arn:aws:events:*:{ACCOUNT}:rule/*"}}, "OK"),
        (a_rule(), EVENTS, {"StringEquals": {"aws:SourceOrgID": "o-1"}}, "OK"),
        (a_schedule(), SCHEDULER, {}, "OK"),
        (a_schedule(), SCHEDULER, {"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": GROUP}}, "OK"),
        (a_schedule(), SCHEDULER, {"ArnLike": {"aws:SourceArn": GROUP.replace("default", "*")}}, "OK"),
        # what does not work
        (a_rule(), SCHEDULER, {}, "NG"),
        (a_rule(), "ecs-tasks.amazonaws.com", {}, "NG"),
        (a_schedule(), EVENTS, {}, "NG"),
        (a_rule(), EVENTS, {"StringEquals": {"aws:SourceAccount": "444455556666"}}, "NG"),
        (a_rule(), EVENTS, {"ArnEquals": {"aws:SourceArn": RULE.replace("nightly", "weekly")}}, "NG"),
        (a_schedule(), SCHEDULER, {"ArnEquals": {"aws:SourceArn": GROUP.replace("default", "other")}}, "NG"),
        (a_schedule(), SCHEDULER, {"ArnEquals": {"aws:SourceArn": SCHEDULE}}, "NG"),
    ],
)
def test_the_role_trusts_the_service_that_assumes_it_on_these_conditions(row, service, condition, status):
    assert about("trust-wrong-service", row, roles=caller(service, **condition))[0] == status


def test_a_schedule_of_a_group_of_its_own_is_that_groups():
    row = a_schedule()
    own = replace(row, owner=replace(row.owner, group="batch", arn=SCHEDULE.replace("default", "batch")))
    of_batch = {"ArnEquals": {"aws:SourceArn": GROUP.replace("default", "batch")}}
    assert about("trust-wrong-service", own, roles=caller(SCHEDULER, **of_batch))[0] == "OK"
    assert about("trust-wrong-service", row, roles=caller(SCHEDULER, **of_batch))[0] == "NG"


def test_a_deny_in_the_trust_policy_is_told_as_one_since_no_allow_helps():
    row = a_rule()
    deny = {"Effect": "Deny", "Principal": {"Service": EVENTS}, "Action": "sts:AssumeRole"}
    whole = {"Version": "2012-10-17", "Statement": [*trust(EVENTS)["Statement"], deny]}
    finding = told(row, facts(row, roles=roles(Role(CALLER, whole))))["trust-wrong-service"]
    assert (finding.status, finding.severity) == ("NG", "error")
    assert finding.because == (
        "the trust policy of nightly-schedule has a Deny that keeps events.amazonaws.com from assuming it, "
        "whatever else allows it"
    )
    assert finding.mend == f"Narrow that Deny in the trust policy of {CALLER}: no Allow helps against it."


def test_the_words_say_whom_it_trusts_and_who_has_to_assume_it():
    status, severity, because = about("trust-wrong-service", roles=caller("ecs-tasks.amazonaws.com"))
    assert (status, severity) == ("NG", "error")
    assert because == "nightly-schedule trusts ecs-tasks.amazonaws.com, and events.amazonaws.com has to assume it"


def test_a_condition_that_fails_is_told_with_what_it_would_have_to_be():
    other = RULE.replace("nightly", "weekly")
    row = a_rule()
    finding = told(row, facts(row, roles=caller(EVENTS, ArnEquals={"aws:SourceArn": other})))["trust-wrong-service"]
    assert finding.because == (
        f"nightly-schedule trusts events.amazonaws.com only if aws:SourceArn is {other}; "
        f"here aws:SourceArn is {RULE}, aws:SourceAccount {ACCOUNT}"
    )
    assert finding.mend == f"Let the condition of {CALLER} take aws:SourceArn = {RULE}."


def test_a_condition_on_the_schedule_itself_is_a_warning_with_what_the_guide_says():
    _, severity, because = about(
        "trust-wrong-service", a_schedule(), roles=caller(SCHEDULER, ArnEquals={"aws:SourceArn": SCHEDULE})
    )
    assert severity == "warning"
    assert "the group's ARN, never a schedule's" in because


def test_a_condition_of_which_nothing_is_known_is_ok_and_says_so():
    _, _, because = about("trust-wrong-service", roles=caller(EVENTS, StringEquals={"aws:SourceOrgID": "o-1"}))
    assert because.endswith("; whether the conditions of nightly-schedule hold is not known")


def test_a_role_that_is_gone_or_not_told():
    gone = roles(Absent("NoSuchEntity"))
    assert about("role-missing", roles=gone) == ("NG", "error", "there is no role nightly-schedule")
    assert about("trust-wrong-service", roles=gone) is None
    assert about("run-task-missing", roles=gone) is None
    denied = roles(NO_ROLES)
    needs = ("SKIP", "error", "the caller needs iam:GetRole")
    assert (about("role-missing", roles=denied), about("trust-wrong-service", roles=denied)) == (needs, needs)
    assert about("run-task-missing", roles=denied)[0] == "OK"


def test_a_target_without_a_role_cannot_start():
    row = a_rule()
    bare = replace(row, role="", target=replace(row.target, role=""))
    assert about("role-missing", bare) == ("NG", "error", "its target has no role")


TASKS = "ecs-tasks.amazonaws.com"
OF_ACCOUNT = {"aws:SourceAccount": ACCOUNT}


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role(TASK, trust(TASKS)), "OK"),
        (
            Role(
                TASK, trust(TASKS, ArnLike={"aws:SourceArn": f"{ECS}:*"}, StringEquals={"aws:SourceAccount": ACCOUNT})
            ),
            "OK",
        ),
        (Role(TASK, trust(TASKS, ArnLike={"aws:SourceArn": f"{ECS}:task/*"})), "OK"),  # not known
        (Role(TASK, trust(TASKS, StringEquals={"aws:SourceAccount": "444455556666"})), "NG"),
        (Role(TASK, trust("ec2.amazonaws.com")), "NG"),
        (Absent("NoSuchEntity"), "NG"),
        (NO_ROLES, "SKIP"),
    ],
)
def test_the_tasks_own_roles_are_there_and_trust_ecs(role, status):
    assert about("task-role-trust", roles=roles(task=role))[0] == status


def test_a_role_that_the_input_gives_takes_the_place_of_the_revisions():
    other = f"{IAM}/other"
    row = a_rule(request=replace(REQUEST, task_role=other))
    may = permits(pass_role={other: "allowed", EXECUTION: "allowed"})
    fine = {"roles": roles(**{other: Role(other, trust(TASKS))}), "permits": may}
    assert about("task-role-trust", row, **fine)[0] == "OK"
    assert about("pass-role-missing", row, **fine)[0] == "OK"
    refused = permits(pass_role={TASK: "allowed", other: "denied", EXECUTION: "allowed"})
    _, _, because = about("pass-role-missing", row, permits=refused)
    assert because == "nightly-schedule may not pass other of nightly:7"


# -------- what the simulator says


def permits(**changes):
    return {PermitKey(CALLER, f"{FAMILY}:7", CLUSTER, tags): permit(**changes) for tags in (False, True)}


ALL_CHECKS = ("run-task-missing", "pass-role-missing", "policy-too-wide", "tag-resource-missing")
TAGGED = a_rule(request=replace(REQUEST, tags=True))


def test_a_role_that_may_what_it_needs_and_no_more_is_right():
    assert [about(check, TAGGED)[0] for check in ALL_CHECKS] == ["OK"] * 4


def test_a_simulator_that_may_not_be_asked_is_skip_in_all_that_it_alone_tells():
    key = PermitKey(CALLER, f"{FAMILY}:7", CLUSTER, tags=True)
    said = [about(check, TAGGED, permits={key: NO_SIMULATOR}) for check in ALL_CHECKS]
    assert {(status, because) for status, _, because in said} == {
        ("SKIP", "the caller needs iam:SimulatePrincipalPolicy")
    }


def test_run_task_is_refused_on_the_revision_that_would_run():
    row = a_rule()
    finding = told(row, facts(row, permits=permits(run_task="denied")))["run-task-missing"]
    assert finding.because == "nightly-schedule may not ecs:RunTask on nightly:7 in cluster batch"
    assert finding.mend == f"Allow {CALLER} ecs:RunTask on {FAMILY}:*; the family without :* matches nothing."


@pytest.mark.parametrize(
    ("against", "why", "mend"),
    [
        ("deny", "a statement denies it", "Narrow the Deny that keeps"),
        ("boundary", "its permissions boundary does not allow it", "Let the permissions boundary of"),
        (
            "organization",
            "a policy of the organization does not allow it",
            "Let the organization's service control policies",
        ),
    ],
)
def test_what_no_further_allow_would_mend_has_another_mend(against, why, mend):
    row = a_rule()
    refused = permits(run_task="denied", against={"ecs:RunTask": against})
    finding = told(row, facts(row, permits=refused))["run-task-missing"]
    assert (finding.status, finding.because.endswith(f"in cluster batch: {why}")) == ("NG", True)
    assert finding.mend.startswith(mend)
    assert "ecs:RunTask" in finding.mend
    passing = permits(pass_role={TASK: "denied", EXECUTION: "allowed"}, against={"ecs:RunTask": against})
    assert told(row, facts(row, permits=passing))["pass-role-missing"].mend.startswith("Allow ")


def test_a_refusal_that_may_come_from_a_condition_nobody_knows_is_skip():
    unknown = permits(run_task="denied", missing_context=("aws:ResourceTag/team",))
    status, _, because = about("run-task-missing", permits=unknown)
    assert status == "SKIP"
    assert because.endswith("its policies ask for aws:ResourceTag/team, whose value is not known")
    elsewhere = permits(run_task="denied", missing_context=("s3:prefix",))
    assert about("run-task-missing", permits=elsewhere)[0] == "NG"


def test_passing_a_role_of_the_latest_revision_is_refused():
    row = a_rule()
    refused = permits(pass_role={TASK: "denied", EXECUTION: "allowed"})
    finding = told(row, facts(row, permits=refused))["pass-role-missing"]
    assert finding.because == "nightly-schedule may not pass nightly-task of nightly:7"
    assert finding.mend == f"Allow {CALLER} iam:PassRole on {TASK} to ecs-tasks.amazonaws.com."
    assert about("pass-role-missing", permits=permits(pass_role={TASK: "allowed"}))[0] == "SKIP"


def test_a_task_without_roles_passes_none():
    row = a_rule()
    bare = replace(facts().latest["nightly"], task_role="", execution_role="")
    assert about("pass-role-missing", row, latest={"nightly": bare}) is None
    assert about("task-role-trust", row, latest={"nightly": bare}) is None


@pytest.mark.parametrize(
    ("request_", "authorised", "answer", "said"),
    [
        (replace(REQUEST, tags=True), True, "denied", ("NG", "error")),
        (replace(REQUEST, tags=True), True, "allowed", ("OK", "error")),
        (replace(REQUEST, tags=True), True, "not asked", ("SKIP", "error")),
        (replace(REQUEST, tags=True), False, "denied", None),
        (replace(REQUEST, managed_tags=True), True, "denied", ("NG", "note")),
        (replace(REQUEST, managed_tags=True), True, "allowed", ("OK", "error")),
        (REQUEST, True, "denied", None),
        (replace(REQUEST, tags=True), Gap("ecs:ListAccountSettings", "no", denied=True), "denied", ("SKIP", "error")),
        (replace(REQUEST, tags=True), Gap("ecs:ListAccountSettings", "no", denied=True), "allowed", ("SKIP", "error")),
    ],
)
def test_tagging_its_tasks(request_, authorised, answer, said):
    row = a_rule(request=request_)
    found = about("tag-resource-missing", row, tagging_authorised=authorised, permits=permits(tag_resource=answer))
    assert (found and found[:2]) == said


def test_the_mend_of_tagging_names_the_tasks_of_the_cluster():
    finding = told(TAGGED, facts(TAGGED, permits=permits(tag_resource="denied")))["tag-resource-missing"]
    assert finding.mend == f"Allow {CALLER} ecs:TagResource on {ECS}:task/batch/*, where ecs:CreateAction is RunTask."


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"any_family": "allowed"}, "nightly-schedule has ecs:RunTask on any family"),
        ({"any_role": "allowed"}, "nightly-schedule has iam:PassRole of any role"),
        (
            {"any_family": "allowed", "any_role": "allowed"},
            "nightly-schedule has ecs:RunTask on any family and iam:PassRole of any role",
        ),
    ],
)
def test_a_policy_that_is_too_wide_is_a_note_that_says_what_would_be_enough(changes, because):
    row = a_rule()
    finding = told(row, facts(row, permits=permits(**changes)))["policy-too-wide"]
    assert (finding.status, finding.severity, finding.because) == ("NG", "note", because)
    assert finding.mend == f"Name what it needs: {FAMILY}:*, {TASK}, {EXECUTION}."


# -------- a state machine in between

FIRST = f"{IAM}/starts-it"


def through_a_machine(**changes):
    row = a_rule(through=MACHINE)
    target = Target("run", MACHINE, FIRST, row.target.requested)
    return replace(row, target=target, owner=replace(row.owner, targets=(target,)), **changes)


def of_both(first=EVENTS, second=STATES):
    return roles(Role(CALLER, trust(second)), **{FIRST: Role(FIRST, trust(first))})


START = Deed(FIRST, "states:StartExecution", MACHINE)


@pytest.mark.parametrize(
    ("known", "answer", "said"),
    [
        (of_both(), "allowed", ("OK", "OK")),
        (of_both(second="states.eu-west-2.amazonaws.com"), "allowed", ("OK", "OK")),
        (of_both(second=EVENTS), "allowed", ("NG", "OK")),
        (of_both(first=STATES), "allowed", ("NG", "OK")),
        (of_both(), "denied", ("OK", "NG")),
        (of_both(), NO_SIMULATOR, ("OK", "SKIP")),
        (of_both(), "not asked", ("OK", "SKIP")),
    ],
)
def test_both_roles_on_the_way_through_a_state_machine(known, answer, said):
    row = through_a_machine()
    changes = {"roles": known, "deeds": {START: answer}}
    checks = ("trust-wrong-service", "start-execution-missing")
    assert tuple(about(check, row, **changes)[0] for check in checks) == said


TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:lost"
TASKS_OF_BATCH, ECS_RULE = f"{ECS}:task/batch/*", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{ECS_EVENTS_RULE}"
DOES = Machine(waits=True, watches=True, skips=True, acts=(("ecs:ListTasks", ""), ("sns:Publish", TOPIC)))
MAY = {
    Deed(CALLER, "ecs:ListTasks", "*", CLUSTER): "allowed",
    Deed(CALLER, "sns:Publish", TOPIC, CLUSTER): "allowed",
    Deed(CALLER, "ecs:DescribeTasks", TASKS_OF_BATCH, CLUSTER): "allowed",
    Deed(CALLER, "ecs:StopTask", TASKS_OF_BATCH, CLUSTER): "allowed",
    **{
        Deed(CALLER, f"events:{one}", ECS_RULE, CLUSTER): "allowed" for one in ("PutTargets", "PutRule", "DescribeRule")
    },
}


def of_the_machine(machine=DOES, **answers):
    """What is said of what a machine's role may, with other answers by the action's name."""
    deeds = {deed: answers.get(deed.action.partition(":")[2], answer) for deed, answer in MAY.items()}
    row = through_a_machine(machine=machine)
    return told(row, facts(row, roles=of_both(), deeds={START: "allowed", **deeds})).get("machine-permissions")


def test_a_machine_that_may_all_that_its_states_do_is_right():
    found = of_the_machine()
    assert (found.status, found.because) == ("OK", "nightly-schedule may do all else that its states do")


@pytest.mark.parametrize(
    ("action", "severity", "resource", "harm"),
    [
        ("ListTasks", "error", "*", "an execution fails before it runs the task"),
        ("Publish", "warning", TOPIC, "nobody is told that a run failed"),
        ("StopTask", "warning", TASKS_OF_BATCH, "a task runs on when its execution is stopped or out of time"),
        ("DescribeTasks", "warning", TASKS_OF_BATCH, "Step Functions may not learn how the task ended"),
        ("PutRule", "warning", ECS_RULE, "Step Functions learns late that the task has ended"),
    ],
)
def test_what_a_machine_may_not_is_told_with_what_comes_of_it(action, severity, resource, harm):
    found = of_the_machine(**{action: "denied"})
    (named,) = (deed.action for deed in MAY if deed.action.endswith(f":{action}"))
    assert (found.status, found.severity) == ("NG", severity)
    assert found.because == f"nightly-schedule may not {named}: {harm}"
    assert found.mend == f"Allow {CALLER} {named} on {resource}."


def test_a_machine_that_looks_only_for_a_task_that_took_too_long_can_run_it_without():
    found = of_the_machine(replace(DOES, skips=False), ListTasks="denied")
    assert (found.severity, found.because) == (
        "warning",
        "nightly-schedule may not ecs:ListTasks: a task that took too long is not found, and runs on",
    )


def test_a_machine_that_waits_for_nothing_needs_nothing_more():
    assert of_the_machine(Machine()) is None
    assert of_the_machine(Machine(acts=(("sns:Publish", ""),))) is None  # the topic is made as it runs


def test_what_iam_was_not_asked_about_a_machine_is_no_ok():
    assert of_the_machine(StopTask=NO_SIMULATOR).status == "SKIP"
    assert of_the_machine(StopTask="not asked").status == "SKIP"


def test_a_target_that_starts_no_state_machine_needs_no_such_permission():
    assert about("start-execution-missing") is None


def test_a_schedule_and_a_rule_are_not_mixed_up():
    assert isinstance(a_schedule().owner, Schedule)
    assert about("trust-wrong-service", a_schedule())[2] == "nightly-schedule trusts scheduler.amazonaws.com"
