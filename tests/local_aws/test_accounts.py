"""Several accounts in one local AWS, and the ways from one into another: IAM User Guide, "Cross-account policy
evaluation logic" and "How to use an external ID"; botocore organizations CreateAccount."""

import json

import pytest
from local_world import ACCOUNT, LocalWorld, allow, document, refused

OTHER = "444455556666"


@pytest.fixture(scope="module")
def world(server):
    return LocalWorld(server)


@pytest.fixture(scope="module")
def other(world):
    """Clients of another account, as its root."""
    return lambda service: world.client(service, {"AccessKeyId": OTHER, "SecretAccessKey": "x"})


def trusting(principal, condition=None):
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return document(statement | ({"Condition": condition} if condition else {}))


def assumed(sts, role, **more):
    return sts.assume_role(RoleArn=role, RoleSessionName="auditor", **more)["Credentials"]


def refusal(caller, role):
    return f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: {role}"


def test_a_key_of_twelve_digits_is_that_accounts_root(other):
    identity = other("sts").get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (OTHER, f"arn:aws:iam::{OTHER}:root")


def test_what_one_account_has_the_other_has_not(world, other):
    world.events.put_rule(Name="mine", ScheduleExpression="rate(1 day)", State="DISABLED")
    assert other("events").list_rules()["Rules"] == []
    made = other("events").put_rule(Name="theirs", ScheduleExpression="rate(1 day)", State="DISABLED")
    assert made["RuleArn"] == f"arn:aws:events:eu-west-2:{OTHER}:rule/theirs"
    assert "theirs" not in {rule["Name"] for rule in world.events.list_rules()["Rules"]}


def test_a_new_account_is_furnished_as_the_first_is(other):
    cluster = other("ecs").describe_clusters(clusters=["default"])["clusters"][0]
    assert (cluster["clusterArn"], cluster["status"]) == (f"arn:aws:ecs:eu-west-2:{OTHER}:cluster/default", "ACTIVE")


def test_each_account_has_its_own_trail(world, other):
    other("ecs").list_clusters()
    record = json.loads(other("cloudtrail").lookup_events()["Events"][0]["CloudTrailEvent"])
    assert record["recipientAccountId"] == OTHER
    assert all(one["recipientAccountId"] == ACCOUNT for one in world.trail("ListClusters"))


class TestTheWayIn:
    def role(self, other, world, name, trust):
        role = other("iam").create_role(RoleName=world.name(name), AssumeRolePolicyDocument=trust)["Role"]
        other("iam").put_role_policy(
            RoleName=role["RoleName"], PolicyName="read", PolicyDocument=document(allow("ecs:List*", "*"))
        )
        return role["Arn"]

    def test_a_session_in_the_other_account_sees_that_account(self, world, other):
        role = self.role(other, world, "reader", trusting(f"arn:aws:iam::{ACCOUNT}:root"))
        credentials = assumed(world.sts, role)
        assert world.client("sts", credentials).get_caller_identity()["Account"] == OTHER
        assert OTHER in world.client("ecs", credentials).list_clusters()["clusterArns"][0]

    def test_without_the_external_id_nobody_gets_in(self, world, other):
        condition = {"StringEquals": {"sts:ExternalId": "blue"}}
        role = self.role(other, world, "audited", trusting(f"arn:aws:iam::{ACCOUNT}:root", condition))
        for given in ({}, {"ExternalId": "red"}):
            with refused("AccessDenied", refusal(f"arn:aws:iam::{ACCOUNT}:root", role)):
                assumed(world.sts, role, **given)
        assert assumed(world.sts, role, ExternalId="blue")["SessionToken"]

    def test_an_account_that_is_not_trusted_does_not_get_in(self, world, other):
        role = self.role(other, world, "private", trusting("arn:aws:iam::999988887777:root"))
        with refused("AccessDenied", refusal(f"arn:aws:iam::{ACCOUNT}:root", role)):
            assumed(world.sts, role)

    def test_a_role_that_is_trusted_by_name_needs_its_own_policies_too(self, world, other):
        """Within one account either side is enough; from one account to another both must say yes."""
        plain, plain_arn = world.session(allow("ecs:*", "*"))
        granted, granted_arn = world.session(allow("sts:AssumeRole", f"arn:aws:iam::{OTHER}:role/*"))
        names = [f"arn:aws:iam::{ACCOUNT}:role/{arn.split('/')[1]}" for arn in (plain_arn, granted_arn)]
        role = self.role(other, world, "named", trusting(names))
        with refused("AccessDenied", refusal(plain_arn, role)):
            assumed(world.client("sts", plain), role)
        assert assumed(world.client("sts", granted), role)["SessionToken"]

    def test_a_rule_of_the_other_account_runs_there(self, world, other):
        subnet = other("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        other("ecs").register_task_definition(
            family="theirs",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[{"name": "main", "image": "busybox"}],
        )
        trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = other("iam").create_role(RoleName="runner", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        other("iam").put_role_policy(
            RoleName="runner", PolicyName="run", PolicyDocument=document(allow("ecs:RunTask", "*"))
        )
        other("events").put_rule(Name="minutely", ScheduleExpression="rate(1 minute)")
        parameters = {
            "TaskDefinitionArn": f"arn:aws:ecs:eu-west-2:{OTHER}:task-definition/theirs",
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [subnet]}},
        }
        target = {"Id": "1", "Arn": f"arn:aws:ecs:eu-west-2:{OTHER}:cluster/default", "RoleArn": role}
        other("events").put_targets(Rule="minutely", Targets=[target | {"EcsParameters": parameters}])
        world.advance(60)
        other("events").disable_rule(Name="minutely")
        run = [{"AttributeKey": "EventName", "AttributeValue": "RunTask"}]
        (event,) = other("cloudtrail").lookup_events(LookupAttributes=run)["Events"]
        record = json.loads(event["CloudTrailEvent"])
        assert record["userIdentity"]["accountId"] == record["recipientAccountId"] == OTHER
        assert record["responseElements"]["tasks"][0]["taskDefinitionArn"].endswith("/theirs:1")


def test_an_organisation_lists_its_accounts_and_gets_into_a_new_one(world):
    organizations = world.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    status = organizations.create_account(Email="batch@example.com", AccountName="batch")["CreateAccountStatus"]
    made = status["AccountId"]
    pages = organizations.get_paginator("list_accounts").paginate()
    accounts = {one["Id"]: one["Status"] for page in pages for one in page["Accounts"]}
    assert accounts == {ACCOUNT: "ACTIVE", made: "ACTIVE"}
    credentials = assumed(world.sts, f"arn:aws:iam::{made}:role/OrganizationAccountAccessRole")
    roles = world.client("iam", credentials).list_attached_role_policies(RoleName="OrganizationAccountAccessRole")
    assert [one["PolicyName"] for one in roles["AttachedPolicies"]] == ["AdministratorAccess"]
    with refused("AccessDeniedException", "You don't have permissions to access this resource."):
        world.client("organizations", credentials).list_accounts()


def test_an_account_of_no_organisation_has_none_to_list(other):
    with refused("AWSOrganizationsNotInUseException", "Your account is not a member of an organization."):
        other("organizations").list_accounts()
