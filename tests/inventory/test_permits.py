"""What IAM's simulator is asked, and what its answers come to, in both forms that AWS has given them."""

import pytest
from paper_aws import ACCOUNT, arn, refused

from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.model import Absent, Deed, Gap, Permit, PermitKey, Place
from ecs_runbook.inventory.permits import Simulator

HERE = Place(ACCOUNT, "eu-west-2")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
TASK, EXECUTION = f"arn:aws:iam::{ACCOUNT}:role/task", f"arn:aws:iam::{ACCOUNT}:role/execution"
BATCH = arn("cluster/batch")
APART = (
    "Invalid Input Actions: [ecs:RunTask,iam:PassRole] and [ecs:TagResource] require different authorization "
    "information."
)


class Iam:
    """A simulator that allows what its function says; ``old``: each resource has a result to itself."""

    def __init__(self, allows, *, old=False, apart=False, missing=()):
        self.allows, self.old, self.apart, self.missing, self.asked = allows, old, apart, list(missing), []

    def simulate_principal_policy(self, **asked):
        self.asked.append(asked)
        if self.apart and len(asked["ActionNames"]) > 1:
            raise refused("InvalidInput", APART)
        results = []
        for action in asked["ActionNames"]:
            each = [
                {
                    "EvalResourceName": one,
                    "EvalResourceDecision": "allowed" if self.allows(action, one) else "implicitDeny",
                    "MissingContextValues": self.missing,
                }
                for one in asked["ResourceArns"]
            ]
            if self.old:
                results += [
                    {
                        "EvalActionName": action,
                        "EvalResourceName": one["EvalResourceName"],
                        "EvalDecision": one["EvalResourceDecision"],
                        "MissingContextValues": self.missing,
                    }
                    for one in each
                ]
            else:
                whole = {"EvalActionName": action, "EvalResourceName": "*", "EvalDecision": "explicitDeny"}
                results.append(whole | {"ResourceSpecificResults": each})
        return {"EvaluationResults": results, "IsTruncated": False}


def revision(family="nightly"):
    return arn(f"task-definition/{family}:1")


ONE = revision()
PLAIN, TAGGED = PermitKey(ROLE, ONE, BATCH, tags=False), PermitKey(ROLE, ONE, BATCH, tags=True)


def asked_of(iam, *keys, passed=(TASK, EXECUTION), deeds=(), simulator=None, **more):
    """Return what the simulator says of *keys*, and of *deeds*."""
    gate = Gate(limited=False)
    given = dict.fromkeys(keys, passed)
    return (simulator or Simulator()).ask(given, deeds, iam=iam, ask=gate.ask(HERE), gate=gate, **more)


def permit(iam, key, **more):
    return asked_of(iam, key, **more)[0][key]


@pytest.mark.parametrize("old", [False, True], ids=["by action", "by resource"])
def test_one_call_tells_all_of_a_role_and_a_request(old):
    iam = Iam(lambda action, one: action != "iam:PassRole" or one == EXECUTION, old=old)
    assert permit(iam, TAGGED) == Permit(
        run_task="allowed",
        pass_role={TASK: "denied", EXECUTION: "allowed"},
        tag_resource="allowed",
        any_family="allowed",
        any_role="denied",
    )
    assert len(iam.asked) == 1


def test_the_simulator_is_given_what_awss_call_would_bring():
    iam = Iam(lambda *_: True)
    permit(iam, TAGGED)
    (asked,) = iam.asked
    assert asked["PolicySourceArn"] == ROLE
    assert asked["ActionNames"] == ["ecs:RunTask", "iam:PassRole", "ecs:TagResource"]
    assert {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in asked["ContextEntries"]} == {
        "ecs:cluster": [BATCH],
        "iam:PassedToService": ["ecs-tasks.amazonaws.com"],
        "ecs:CreateAction": ["RunTask"],
        "aws:RequestedRegion": ["eu-west-2"],
    }
    # as AWS names it in its refusal (public issues)
    assert arn("task/batch/*") in asked["ResourceArns"]
    assert ONE in asked["ResourceArns"]


def test_tagging_is_asked_only_where_tags_are_made():
    iam = Iam(lambda *_: True)
    assert permit(iam, PLAIN).tag_resource == "not asked"
    assert iam.asked[0]["ActionNames"] == ["ecs:RunTask", "iam:PassRole"]


def test_a_policy_is_too_wide_if_it_allows_what_does_not_exist():
    wide = permit(Iam(lambda *_: True), PLAIN)
    own = permit(Iam(lambda _, one: "no-such" not in one), PLAIN)
    assert (wide.any_family, wide.any_role) == ("allowed", "allowed")
    assert (own.any_family, own.any_role, own.run_task) == ("denied", "denied", "allowed")


@pytest.mark.parametrize(
    ("decision", "details", "against"),
    [
        ("implicitDeny", {}, None),
        ("implicitDeny", {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": True}}, None),
        ("implicitDeny", {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}}, "boundary"),
        ("explicitDeny", {}, "deny"),
        ("explicitDeny", {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": False}}, "boundary"),
        ("implicitDeny", {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}, "organization"),
        ("allowed", {"OrganizationsDecisionDetail": {"AllowedByOrganizations": True}}, None),
    ],
)
@pytest.mark.parametrize("form", ["own", "by action"])
def test_what_is_against_an_action_is_told(form, decision, details, against):
    # Source: botocore iam EvaluationResult, ResourceSpecificResult (verified)
    each = {"EvalResourceName": ONE, "EvalResourceDecision": decision, **details}
    if form == "own":
        result = {"EvalActionName": "ecs:RunTask", "EvalResourceName": ONE, "EvalDecision": decision, **details}
    else:
        whole = {name: value for name, value in details.items() if name.startswith("Organizations")}
        boundary = {name: value for name, value in each.items() if name not in whole}
        result = {"EvalActionName": "ecs:RunTask", "EvalDecision": decision, "ResourceSpecificResults": [boundary]}
        result |= whole
    iam = Iam(lambda *_: True)
    iam.simulate_principal_policy = lambda **_: {"EvaluationResults": [result], "IsTruncated": False}
    told = permit(iam, PLAIN)
    assert told.run_task == ("allowed" if decision == "allowed" else "denied")
    assert told.against == ({"ecs:RunTask": against} if against else {})


def test_no_more_is_asked_than_somebody_wants_to_know():
    keys = [PermitKey(ROLE, revision(f"family{number}"), BATCH, tags=False) for number in range(250)]
    wide, run, neither = Iam(lambda *_: True), Iam(lambda *_: True), Iam(lambda *_: True)
    told, _ = asked_of(wide, *keys, run=False)
    assert [len(one["ResourceArns"]) for one in wide.asked] == [2]  # a family and a role that are not there
    assert {(one.any_family, one.any_role, one.run_task) for one in told.values()} == {
        ("allowed", "allowed", "not asked")
    }
    told, _ = asked_of(run, *keys, wide=False)
    assert {(one.any_family, one.any_role, one.run_task) for one in told.values()} == {
        ("not asked", "not asked", "allowed")
    }
    assert len(run.asked) == 3
    asked_of(neither, *keys, run=False, wide=False)
    assert neither.asked == []


def test_all_revisions_of_a_role_in_a_cluster_are_one_call_and_another_cluster_is_another():
    several = [PermitKey(ROLE, revision(f"family{number}"), BATCH, tags=False) for number in range(60)]
    iam = Iam(lambda _, one: "family7:" in one)
    told, _ = asked_of(iam, *several, PermitKey(ROLE, ONE, arn("cluster/other"), tags=False))
    assert len(iam.asked) == 2
    assert [one.definition for one in several if told[one].run_task == "allowed"] == [revision("family7")]


def test_very_many_revisions_are_asked_a_hundred_a_call():
    several = [PermitKey(ROLE, revision(f"family{number}"), BATCH, tags=False) for number in range(250)]
    iam = Iam(lambda *_: True)
    told, _ = asked_of(iam, *several)
    assert len(iam.asked) == 3
    assert {one.run_task for one in told.values()} == {"allowed"}


def test_actions_that_iam_does_not_take_together_are_asked_one_by_one_from_then_on():
    iam, simulator = Iam(lambda _, one: one in (ONE, TASK, arn("task/batch/*")), apart=True), Simulator()
    told = permit(iam, TAGGED, simulator=simulator)
    assert (told.run_task, told.tag_resource, told.any_family) == ("allowed", "allowed", "denied")
    assert told.pass_role == {TASK: "allowed", EXECUTION: "denied"}
    assert [one["ActionNames"] for one in iam.asked[1:]] == [["ecs:RunTask"], ["iam:PassRole"], ["ecs:TagResource"]]
    permit(iam, PLAIN, simulator=simulator)
    assert len(iam.asked) == 6


def test_condition_keys_that_were_missing_are_told_once_each():
    iam = Iam(lambda *_: False, missing=["aws:SourceIp", "ecs:enable-execute-command"])
    told = permit(iam, PLAIN)
    assert told.missing_context == ("aws:SourceIp", "ecs:enable-execute-command")


def test_a_revision_without_roles_passes_none():
    assert permit(Iam(lambda *_: True), PLAIN, passed=()).pass_role == {}


def test_what_the_answer_leaves_out_was_not_asked():
    class Silent:
        def simulate_principal_policy(self, **_):
            return {"EvaluationResults": [], "IsTruncated": False}

    told = permit(Silent(), PLAIN)
    assert (told.run_task, told.pass_role[TASK], told.any_role) == ("not asked", "not asked", "not asked")


def test_pages_of_answers_are_read_to_their_end():
    class Paged(Iam):
        def simulate_principal_policy(self, **asked):
            whole = super().simulate_principal_policy(**asked)["EvaluationResults"]
            first = int(asked.get("Marker") or 0)
            more = {"Marker": str(first + 1), "IsTruncated": True} if first + 1 < len(whole) else {"IsTruncated": False}
            return {"EvaluationResults": whole[first : first + 1], **more}

    told = permit(Paged(lambda *_: True, old=True), TAGGED)
    assert (told.run_task, told.tag_resource, told.any_role) == ("allowed", "allowed", "allowed")


@pytest.mark.parametrize(("code", "expected"), [("NoSuchEntity", Absent), ("AccessDenied", Gap), ("InvalidInput", Gap)])
def test_a_role_that_is_gone_is_absent_and_any_other_refusal_a_gap(code, expected):
    class Refusing:
        def simulate_principal_policy(self, **_):
            raise refused(code, "words")

    permits, done = asked_of(Refusing(), PLAIN, TAGGED, deeds=[LETTER])
    assert {type(one) for one in (*permits.values(), *done.values())} == {expected}


def test_no_key_is_no_call():
    iam = Iam(lambda *_: True)
    assert asked_of(iam) == ({}, {})
    assert iam.asked == []


QUEUE, MACHINE = arn("lost", "sqs"), arn("stateMachine:nightly", "states")
STARTER = f"arn:aws:iam::{ACCOUNT}:role/starter"
LETTER, START = Deed(ROLE, "sqs:SendMessage", QUEUE), Deed(STARTER, "states:StartExecution", MACHINE)


def test_what_a_role_must_do_besides_is_asked_with_its_tasks_and_for_itself_where_it_runs_none():
    iam = Iam(lambda action, one: (action, one) == ("sqs:SendMessage", QUEUE))
    _, done = asked_of(iam, PLAIN, deeds=[LETTER, START])
    assert done == {LETTER: "allowed", START: "denied"}
    by_role = {one["PolicySourceArn"]: one for one in iam.asked}
    assert len(iam.asked) == 2
    assert by_role[ROLE]["ActionNames"] == ["ecs:RunTask", "iam:PassRole", "sqs:SendMessage"]
    assert (by_role[STARTER]["ActionNames"], by_role[STARTER]["ResourceArns"]) == (["states:StartExecution"], [MACHINE])


def test_a_deed_of_a_role_with_tasks_in_several_clusters_is_asked_once():
    iam = Iam(lambda *_: True)
    _, done = asked_of(iam, PLAIN, PermitKey(ROLE, ONE, arn("cluster/other"), tags=False), deeds=[LETTER, LETTER])
    assert done == {LETTER: "allowed"}
    assert sum("sqs:SendMessage" in one["ActionNames"] for one in iam.asked) == 1


def test_the_deeds_of_a_role_whose_task_has_no_revision_are_asked_in_its_cluster():
    iam, look = Iam(lambda *_: True), Deed(ROLE, "ecs:ListTasks", "*", BATCH)
    assert asked_of(iam, deeds=[look, START]) == ({}, {look: "allowed", START: "allowed"})
    given = {
        one["PolicySourceArn"]: {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in one["ContextEntries"]}
        for one in iam.asked
    }
    assert given[ROLE]["ecs:cluster"] == [BATCH]
    assert "ecs:cluster" not in given[STARTER]


def cluster_in(one):
    return next(
        entry["ContextKeyValues"][0] for entry in one["ContextEntries"] if entry["ContextKeyName"] == "ecs:cluster"
    )


def test_what_a_role_does_in_two_clusters_is_asked_in_each_of_them_and_what_it_does_in_none_in_the_first():
    asked, other = {}, arn("cluster/other")

    class ListsInOne:
        def simulate_principal_policy(self, **parameters):
            asked[cluster_in(parameters)] = parameters["ActionNames"]
            here = Iam(lambda action, _: action != "ecs:ListTasks" or cluster_in(parameters) == BATCH)
            return here.simulate_principal_policy(**parameters)

    here, there = (Deed(ROLE, "ecs:ListTasks", "*", cluster) for cluster in (BATCH, other))
    _, done = asked_of(ListsInOne(), PLAIN, deeds=[here, there, LETTER])
    assert done == {here: "allowed", there: "denied", LETTER: "allowed"}
    assert {cluster: "sqs:SendMessage" in actions for cluster, actions in asked.items()} == {BATCH: True, other: False}
