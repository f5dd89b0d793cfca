"""
IAM's simulator. Expectations are from botocore's documentation of SimulatePrincipalPolicy and EvaluationResult, and
from aws-behaviour.md §1: RunTask is judged on the resolved revision, in its cluster.
"""

import pytest
from local_world import LocalWorld, allow, arn, document, refused

FAMILY = "task-definition/nightly"
CLUSTER = arn("cluster/main")
PASSED = {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
TASK_ROLE = "arn:aws:iam::123456789012:role/task"


@pytest.fixture(scope="module")
def world(server):
    return LocalWorld(server)


@pytest.fixture(scope="module")
def role(world):
    """What the project's own module writes: the family's revisions in one cluster, its roles, its tags."""
    return world.role(
        allow("ecs:RunTask", arn(f"{FAMILY}:*"), {"ArnEquals": {"ecs:cluster": CLUSTER}}),
        allow("iam:PassRole", TASK_ROLE, PASSED),
        allow("ecs:TagResource", arn("task/main/*"), {"StringEquals": {"ecs:CreateAction": "RunTask"}}),
    )


def context(**keys):
    return [
        {"ContextKeyName": name.replace("__", ":"), "ContextKeyValues": [value], "ContextKeyType": "string"}
        for name, value in keys.items()
    ]


def simulate(world, role, actions, resources=None, keys=(), **more):
    given = {"ResourceArns": resources} if resources else {}
    asked = {"PolicySourceArn": role, "ActionNames": actions, "ContextEntries": list(keys), **given, **more}
    return world.iam.simulate_principal_policy(**asked)


def decisions(answer):
    (result,) = answer["EvaluationResults"]
    each = {one["EvalResourceName"]: one["EvalResourceDecision"] for one in result["ResourceSpecificResults"]}
    return result["EvalDecision"], each


@pytest.mark.parametrize(
    ("action", "resource", "keys", "decision"),
    [
        ("ecs:RunTask", arn(f"{FAMILY}:7"), {"ecs__cluster": CLUSTER}, "allowed"),
        ("ecs:RunTask", arn(FAMILY), {"ecs__cluster": CLUSTER}, "implicitDeny"),
        ("ecs:RunTask", arn(f"{FAMILY}:7"), {"ecs__cluster": arn("cluster/other")}, "implicitDeny"),
        ("ecs:RunTask", arn("task-definition/other:1"), {"ecs__cluster": CLUSTER}, "implicitDeny"),
        ("iam:PassRole", TASK_ROLE, {"iam__PassedToService": "ecs-tasks.amazonaws.com"}, "allowed"),
        ("iam:PassRole", TASK_ROLE, {"iam__PassedToService": "ec2.amazonaws.com"}, "implicitDeny"),
        ("ecs:TagResource", arn("task/main/*"), {"ecs__CreateAction": "RunTask"}, "allowed"),
        ("ecs:TagResource", arn("task/main/*"), {"ecs__CreateAction": "CreateService"}, "implicitDeny"),
    ],
)
def test_a_request_is_judged_on_its_resource_with_its_keys(world, role, action, resource, keys, decision):
    assert decisions(simulate(world, role, [action], [resource], context(**keys))) == (decision, {resource: decision})


def test_what_a_condition_needs_and_is_not_given_is_told_with_its_resource(world, role):
    (result,) = simulate(world, role, ["ecs:RunTask"], [arn(f"{FAMILY}:7")])["EvaluationResults"]
    (one,) = result["ResourceSpecificResults"]
    assert (result["EvalDecision"], one["EvalResourceDecision"]) == ("implicitDeny", "implicitDeny")
    assert one["MissingContextValues"] == result["MissingContextValues"] == ["ecs:cluster"]


def test_without_resources_it_is_about_all_of_them_and_tells_what_is_missing_at_the_top(world):
    role = world.role(allow("ecs:RunTask", "*", {"ArnEquals": {"ecs:cluster": CLUSTER}}))
    (result,) = simulate(world, role, ["ecs:RunTask"])["EvaluationResults"]
    assert result["MissingContextValues"] == ["ecs:cluster"]
    assert not result.get("ResourceSpecificResults")


def test_a_key_is_known_whatever_its_case(world, role):
    keys = context(ECS__Cluster=CLUSTER)
    assert decisions(simulate(world, role, ["ecs:RunTask"], [arn(f"{FAMILY}:7")], keys))[0] == "allowed"


def test_an_action_has_one_result_with_the_most_restrictive_decision_of_its_resources(world):
    role = world.role(allow("ecs:RunTask", arn("*")), allow("ecs:RunTask", arn("*secret*"), effect="Deny"))
    fine, secret, elsewhere = arn("task-definition/a:1"), arn("task-definition/secret:1"), arn("x", region="us-east-1")
    assert decisions(simulate(world, role, ["ecs:RunTask"], [fine, elsewhere])) == (
        "implicitDeny",
        {fine: "allowed", elsewhere: "implicitDeny"},
    )
    assert decisions(simulate(world, role, ["ecs:RunTask"], [fine, secret, elsewhere]))[0] == "explicitDeny"


def test_the_statement_that_decided_is_named_by_its_policy(world, role):
    keys = context(ecs__cluster=CLUSTER)
    (result,) = simulate(world, role, ["ecs:RunTask"], [arn(f"{FAMILY}:7")], keys)["EvaluationResults"]
    assert result["MatchedStatements"] == [{"SourcePolicyId": "inline", "SourcePolicyType": "role"}]
    (result,) = simulate(world, role, ["ecs:RunTask"], [arn(FAMILY)], keys)["EvaluationResults"]
    assert result["MatchedStatements"] == []


def test_awss_own_policy_is_named_as_such(world):
    role = world.role()
    policy = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceEventsRole"
    world.iam.attach_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyArn=policy)
    (result,) = simulate(world, role, ["ecs:RunTask"], [arn(f"{FAMILY}:7")])["EvaluationResults"]
    assert (result["EvalDecision"], result["MatchedStatements"]) == (
        "allowed",
        [{"SourcePolicyId": "AmazonEC2ContainerServiceEventsRole", "SourcePolicyType": "aws-managed"}],
    )


def test_a_boundary_takes_away_what_the_roles_own_policies_allow(world):
    limit = world.iam.create_policy(PolicyName=world.name("limit"), PolicyDocument=document(allow("sqs:*", "*")))
    role = world.role(allow("ecs:RunTask", "*"), PermissionsBoundary=limit["Policy"]["Arn"])
    (result,) = simulate(world, role, ["ecs:RunTask"])["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_further_policies_can_be_tried(world, role):
    more = [document(allow("ecs:StopTask", "*"))]
    (result,) = simulate(world, role, ["ecs:StopTask"], PolicyInputList=more)["EvaluationResults"]
    assert (result["EvalDecision"], result["MatchedStatements"][0]["SourcePolicyId"]) == (
        "allowed",
        "PolicyInputList.1",
    )


def test_results_come_in_pages(world, role):
    actions = ["ecs:RunTask", "ecs:StopTask", "iam:PassRole"]
    first = simulate(world, role, actions, MaxItems=2)
    rest = simulate(world, role, actions, MaxItems=2, Marker=first["Marker"])
    assert (first["IsTruncated"], rest["IsTruncated"]) == (True, False)
    assert [one["EvalActionName"] for page in (first, rest) for one in page["EvaluationResults"]] == actions


def test_nobody_is_simulated_who_is_not_there(world):
    gone = "arn:aws:iam::123456789012:role/gone"
    with refused("NoSuchEntity", f"The entity {gone} cannot be found."):
        simulate(world, gone, ["ecs:RunTask"])


def test_an_action_names_its_service(world, role):
    with refused("InvalidInput", "Invalid action name: RunTask"):
        simulate(world, role, ["RunTask"])


def test_a_user_has_the_policies_of_its_groups(world):
    user, group = world.name("user"), world.name("group")
    made = world.iam.create_user(UserName=user)["User"]["Arn"]
    world.iam.create_group(GroupName=group)
    world.iam.add_user_to_group(UserName=user, GroupName=group)
    world.iam.put_group_policy(GroupName=group, PolicyName="run", PolicyDocument=document(allow("ecs:RunTask", "*")))
    (result,) = simulate(world, made, ["ecs:RunTask"])["EvaluationResults"]
    assert result["EvalDecision"] == "allowed"
    assert result["MatchedStatements"] == [{"SourcePolicyId": "run", "SourcePolicyType": "group"}]
