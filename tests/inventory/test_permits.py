"""What IAM's simulator is asked, and what its answers come to, in both forms that AWS has given them."""

import pytest
from paper_aws import ACCOUNT, arn, refused

from ecs_runbook.inventory.facts import read_definition
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.model import Absent, Gap, Permit, PermitKey, Place
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


def revision(number=1, family="nightly", **more):
    roles = {"taskRoleArn": TASK, "executionRoleArn": EXECUTION} | more
    name = arn(f"task-definition/{family}:{number}")
    return read_definition({"taskDefinitionArn": name, "family": family, "revision": number, **roles})


def key(definition, *, tags=False, role=ROLE, cluster=BATCH):
    return PermitKey(role, definition.arn, cluster, tags)


def asked_of(iam, *keys_and_definitions, simulator=None):
    gate = Gate(limited=False)
    wanted = dict(keys_and_definitions)
    return (simulator or Simulator()).permits(wanted, iam=iam, ask=gate.ask(HERE), gate=gate)


ONE = revision()
PLAIN, TAGGED = key(ONE), key(ONE, tags=True)


@pytest.mark.parametrize("old", [False, True], ids=["by action", "by resource"])
def test_one_call_tells_all_of_a_role_and_a_request(old):
    iam = Iam(lambda action, one: action != "iam:PassRole" or one == EXECUTION, old=old)
    told = asked_of(iam, (TAGGED, ONE))
    assert told == {
        TAGGED: Permit(
            run_task="allowed",
            pass_role={TASK: "denied", EXECUTION: "allowed"},
            tag_resource="allowed",
            any_family="allowed",
            any_role="denied",
        )
    }
    assert len(iam.asked) == 1


def test_the_simulator_is_given_what_awss_call_would_bring():
    iam = Iam(lambda *_: True)
    asked_of(iam, (TAGGED, ONE))
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
    assert ONE.arn in asked["ResourceArns"]


def test_tagging_is_asked_only_where_tags_are_made():
    iam = Iam(lambda *_: True)
    told = asked_of(iam, (PLAIN, ONE))
    assert told[PLAIN].tag_resource == "not asked"
    assert iam.asked[0]["ActionNames"] == ["ecs:RunTask", "iam:PassRole"]


def test_a_policy_is_too_wide_if_it_allows_what_does_not_exist():
    wide = asked_of(Iam(lambda *_: True), (PLAIN, ONE))[PLAIN]
    own = asked_of(Iam(lambda _, one: "no-such" not in one), (PLAIN, ONE))[PLAIN]
    assert (wide.any_family, wide.any_role) == ("allowed", "allowed")
    assert (own.any_family, own.any_role, own.run_task) == ("denied", "denied", "allowed")


def test_all_revisions_of_a_role_in_a_cluster_are_one_call_and_another_cluster_is_another():
    several = [revision(1, f"family{number}") for number in range(60)]
    iam = Iam(lambda _, one: "family7:" in one)
    keys = [(key(one), one) for one in several] + [(key(ONE, cluster=arn("cluster/other")), ONE)]
    told = asked_of(iam, *keys)
    assert len(iam.asked) == 2
    assert [one.family for one in several if told[key(one)].run_task == "allowed"] == ["family7"]


def test_actions_that_iam_does_not_take_together_are_asked_one_by_one_from_then_on():
    iam, simulator = Iam(lambda _, one: one in (ONE.arn, TASK, arn("task/batch/*")), apart=True), Simulator()
    told = asked_of(iam, (TAGGED, ONE), simulator=simulator)[TAGGED]
    assert (told.run_task, told.tag_resource, told.any_family) == ("allowed", "allowed", "denied")
    assert told.pass_role == {TASK: "allowed", EXECUTION: "denied"}
    assert [one["ActionNames"] for one in iam.asked[1:]] == [["ecs:RunTask"], ["iam:PassRole"], ["ecs:TagResource"]]
    asked_of(iam, (PLAIN, ONE), simulator=simulator)
    assert len(iam.asked) == 6


def test_condition_keys_that_were_missing_are_told_once_each():
    iam = Iam(lambda *_: False, missing=["aws:SourceIp", "ecs:enable-execute-command"])
    told = asked_of(iam, (PLAIN, ONE))[PLAIN]
    assert told.missing_context == ("aws:SourceIp", "ecs:enable-execute-command")


def test_a_revision_without_roles_passes_none():
    bare = revision(taskRoleArn=None, executionRoleArn=None)
    assert asked_of(Iam(lambda *_: True), (key(bare), bare))[key(bare)].pass_role == {}


def test_what_the_answer_leaves_out_was_not_asked():
    class Silent:
        def simulate_principal_policy(self, **_):
            return {"EvaluationResults": [], "IsTruncated": False}

    told = asked_of(Silent(), (PLAIN, ONE))[PLAIN]
    assert (told.run_task, told.pass_role[TASK], told.any_role) == ("not asked", "not asked", "not asked")


def test_pages_of_answers_are_read_to_their_end():
    class Paged(Iam):
        def simulate_principal_policy(self, **asked):
            whole = super().simulate_principal_policy(**asked)["EvaluationResults"]
            first = int(asked.get("Marker") or 0)
            more = {"Marker": str(first + 1), "IsTruncated": True} if first + 1 < len(whole) else {"IsTruncated": False}
            return {"EvaluationResults": whole[first : first + 1], **more}

    told = asked_of(Paged(lambda *_: True, old=True), (TAGGED, ONE))[TAGGED]
    assert (told.run_task, told.tag_resource, told.any_role) == ("allowed", "allowed", "allowed")


@pytest.mark.parametrize(("code", "expected"), [("NoSuchEntity", Absent), ("AccessDenied", Gap), ("InvalidInput", Gap)])
def test_a_role_that_is_gone_is_absent_and_any_other_refusal_a_gap(code, expected):
    class Refusing:
        def simulate_principal_policy(self, **_):
            raise refused(code, "words")

    told = asked_of(Refusing(), (PLAIN, ONE), (TAGGED, ONE))
    assert {type(one) for one in told.values()} == {expected}


def test_no_key_is_no_call():
    assert asked_of(Iam(lambda *_: True)) == {}
