"""
What keeps a call from being answered: faults, rates and IAM on every call.

Expectations are from aws-behaviour.md §5 (rates), AWS docs "Common errors" (codes), and AWS's Service Authorization
Reference (which resource an action is evaluated on).
"""

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from local_world import ACCOUNT, REGION, LocalWorld, allow, arn, refused

from ecs_runbook.errors import LocalAwsError
from ecs_runbook.local_aws import process

PAST = "The security token included in the request is expired"


@pytest.fixture(scope="module")
def world(server):
    return LocalWorld(server)


@pytest.fixture(autouse=True)
def as_at_the_start(server):
    yield
    process.settings(server, reset=True)


def fault(world, kind, **more):
    return process.settings(world.server, faults=[{"fault": kind, **more}])


def denied(caller, action, resource):
    return (
        f"User: {caller} is not authorized to perform: {action} on resource: {resource} because no identity-based "
        f"policy allows the {action} action"
    )


def passing_to(service):
    return {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}


class TestFaults:
    @pytest.mark.parametrize(
        ("service", "call", "code"),
        [
            ("ecs", "list_clusters", "InternalFailure"),
            ("ec2", "describe_vpcs", "InternalFailure"),
            ("iam", "list_roles", "InternalFailure"),
            ("scheduler", "list_schedules", "InternalFailure"),
        ],
    )
    def test_a_server_error_is_http_500_in_every_protocol(self, world, service, call, code):
        fault(world, "server-error")
        with pytest.raises(ClientError) as refusal:
            getattr(world.client(service), call)()
        answer = refusal.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, 500)

    @pytest.mark.parametrize(
        ("service", "call", "code", "message"),
        [
            ("ecs", "list_clusters", "ExpiredTokenException", PAST),
            ("events", "list_rules", "ExpiredTokenException", PAST),
            ("ec2", "describe_vpcs", "RequestExpired", "Request has expired."),
            ("iam", "list_roles", "ExpiredToken", PAST),
        ],
    )
    def test_credentials_expire_in_the_words_of_each_service(self, world, service, call, code, message):
        fault(world, "expired-token", after=1)
        client = world.client(service)
        getattr(client, call)()
        with refused(code, message):
            getattr(client, call)()

    def test_a_connection_is_reset(self, world):
        fault(world, "reset", operation="ecs:ListClusters", times=1)
        with pytest.raises((ConnectionClosedError, ConnectionError)):
            world.ecs.list_clusters()
        assert world.ecs.list_clusters()["clusterArns"]

    def test_a_region_hangs_and_keeps_no_other_waiting(self, world, client):
        fault(world, "hang", region="eu-west-3")
        waiting = client("ecs", region="eu-west-3", read_timeout=0.2)
        with pytest.raises(ReadTimeoutError):
            waiting.list_clusters()
        assert client("ecs", region=REGION).list_clusters()["clusterArns"]

    def test_a_policy_of_the_organisation_denies_a_region(self, world, client):
        fault(world, "denied", region="eu-north-1", operation="events:*")
        root = f"arn:aws:iam::{ACCOUNT}:root"
        message = (
            f"User: {root} is not authorized to perform: events:ListRules with an explicit deny in a service control "
            "policy"
        )
        with refused("AccessDeniedException", message):
            client("events", region="eu-north-1").list_rules()
        assert client("ecs", region="eu-north-1").list_clusters()["clusterArns"]

    def test_a_page_token_that_repeats_leads_to_its_own_page(self, world):
        for name in "abc":
            world.events.put_rule(Name=f"rule-{name}", ScheduleExpression="rate(1 day)", State="DISABLED")
        fault(world, "repeated-token", operation="events:ListRules")
        first = world.events.list_rules(Limit=2)
        second = world.events.list_rules(Limit=2, NextToken=first["NextToken"])
        assert second["NextToken"] == first["NextToken"]
        assert second["Rules"] == first["Rules"]
        process.settings(world.server, faults=[])
        assert [one["Name"] for one in world.events.list_rules(NamePrefix="rule-")["Rules"]] == [
            "rule-a",
            "rule-b",
            "rule-c",
        ]

    def test_of_some_calls_the_first_go_well_and_the_later_again(self, world):
        fault(world, "server-error", operation="ecs:List*", after=1, times=2)
        went = []
        for _ in range(4):
            try:
                world.ecs.list_clusters()
                went.append(True)
            except ClientError:
                went.append(False)
        assert went == [True, False, False, True]

    def test_what_was_set_is_told(self, world):
        told = fault(world, "hang", region="eu-*", after=2)["faults"]
        assert told == [
            {"fault": "hang", "operation": "*", "region": "eu-*", "account": "*", "after": 2, "times": "always"}
        ]

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ({"fault": "explode"}, "it has fault (one of server-error, reset, hang"),
            ({"fault": "reset", "operations": "*"}, "and some of account, after, fault, operation, region, times"),
            ({"fault": "reset", "operation": "ecs:RunTasks"}, "faults = ecs:RunTasks: no such operation"),
            ({"fault": "reset", "after": -1}, "after is a number of calls"),
            ({"fault": "reset", "times": True}, "after is a number of calls, and times too, or always"),
        ],
    )
    def test_a_fault_that_cannot_be_is_refused(self, world, wrong, words):
        with pytest.raises(LocalAwsError) as refusal:
            process.settings(world.server, faults=[wrong])
        assert words in str(refusal.value)


class TestPublishedRates:
    @pytest.fixture(autouse=True)
    def published(self, world):
        world.advance(120)  # whatever a test before took is back
        process.settings(world.server, rates="published")

    @pytest.mark.parametrize(
        ("service", "call", "params", "at_once", "a_second"),
        [
            ("cloudtrail", "lookup_events", {}, 2, 2),
            ("ecs", "list_task_definitions", {}, 50, 20),
            ("ecs", "list_tasks", {}, 100, 20),
            ("events", "list_rules", {}, 50, 50),
        ],
    )
    def test_a_bucket_holds_so_many_and_fills_by_the_clock(self, world, service, call, params, at_once, a_second):
        ask = getattr(world.client(service), call)
        for _ in range(at_once):
            ask(**params)
        with refused("ThrottlingException", "Rate exceeded"):
            ask(**params)
        world.advance(1)
        for _ in range(a_second):
            ask(**params)
        with refused("ThrottlingException", "Rate exceeded"):
            ask(**params)

    def test_operations_of_a_kind_share_their_bucket(self, world):
        family = world.register()["family"]
        for _ in range(50):
            world.ecs.describe_task_definition(taskDefinition=family)
        with refused("ThrottlingException", "Rate exceeded"):
            world.ecs.list_task_definitions()

    def test_another_region_has_its_own(self, client):
        for region in ("eu-west-1", "eu-west-2"):
            trail = client("cloudtrail", region=region)
            for _ in range(2):
                trail.lookup_events()

    def test_without_the_setting_nothing_is_counted(self, world):
        process.settings(world.server, rates="unlimited")
        for _ in range(4):
            world.cloudtrail.lookup_events()


class TestEnforcedIam:
    @pytest.fixture(autouse=True)
    def enforced(self, world):
        process.settings(world.server, enforce_iam=True)

    def session(self, world, *statements):
        process.settings(world.server, enforce_iam=False)
        credentials, session = world.session(*statements)
        process.settings(world.server, enforce_iam=True)
        return credentials, session

    def test_the_root_may_do_everything(self, world):
        assert world.ecs.list_clusters()["clusterArns"]

    def test_who_one_is_everybody_may_ask(self, world):
        credentials, session = self.session(world)
        assert world.client("sts", credentials).get_caller_identity()["Arn"] == session

    @pytest.mark.parametrize(
        ("service", "call", "params", "action", "resource"),
        [
            ("ecs", "list_clusters", {}, "ecs:ListClusters", "*"),
            ("ecs", "describe_task_definition", {"taskDefinition": "x"}, "ecs:DescribeTaskDefinition", "*"),
            ("ecs", "describe_clusters", {"clusters": ["main"]}, "ecs:DescribeClusters", arn("cluster/main")),
            ("ecs", "list_tasks", {"cluster": "main"}, "ecs:ListTasks", arn("container-instance/main/*")),
            ("events", "list_rules", {}, "events:ListRules", "*"),
            ("events", "describe_rule", {"Name": "r"}, "events:DescribeRule", arn("rule/r", "events")),
            (
                "events",
                "list_targets_by_rule",
                {"Rule": "r", "EventBusName": "orders"},
                "events:ListTargetsByRule",
                arn("rule/orders/r", "events"),
            ),
            ("scheduler", "list_schedules", {}, "scheduler:ListSchedules", "*"),
            (
                "scheduler",
                "get_schedule",
                {"Name": "s", "GroupName": "g"},
                "scheduler:GetSchedule",
                arn("schedule/g/s", "scheduler"),
            ),
            ("iam", "get_role", {"RoleName": "r"}, "iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/r"),
            ("cloudtrail", "lookup_events", {}, "cloudtrail:LookupEvents", "*"),
        ],
    )
    def test_a_call_needs_its_action_on_its_resource(self, world, service, call, params, action, resource):
        credentials, session = self.session(world, allow("s3:*", "*"))
        code = "AccessDenied" if service == "iam" else "AccessDeniedException"
        with refused(code, denied(session, action, resource)):
            getattr(world.client(service, credentials), call)(**params)

    def test_ec2_refuses_in_its_own_words(self, world):
        credentials, session = self.session(world)
        own = "You are not authorized to perform this operation. "
        with refused("UnauthorizedOperation", own + denied(session, "ec2:DescribeSubnets", "*")):
            world.client("ec2", credentials).describe_subnets()

    @pytest.mark.parametrize(
        ("resource", "fine"),
        [(arn("cluster/main"), True), ("*", True), (arn("cluster/other"), False), (arn("cluster/*"), True)],
    )
    def test_a_policy_may_name_the_resource(self, world, resource, fine):
        credentials, _ = self.session(world, allow("ecs:DescribeClusters", resource))
        ecs = world.client("ecs", credentials)
        if fine:
            assert ecs.describe_clusters(clusters=["main"])["failures"]
        else:
            with pytest.raises(ClientError, match="ecs:DescribeClusters"):
                ecs.describe_clusters(clusters=["main"])

    def test_every_resource_of_a_list_needs_it(self, world):
        credentials, session = self.session(world, allow("ecs:DescribeClusters", arn("cluster/main")))
        with refused("AccessDeniedException", denied(session, "ecs:DescribeClusters", arn("cluster/other"))):
            world.client("ecs", credentials).describe_clusters(clusters=["main", "other"])

    def test_a_region_can_be_denied_by_a_condition(self, world, client):
        elsewhere = {"StringNotEquals": {"aws:RequestedRegion": REGION}}
        credentials, session = self.session(world, allow("ecs:*", "*"), allow("*", "*", elsewhere, effect="Deny"))
        assert world.client("ecs", credentials).list_clusters()["clusterArns"]
        message = (
            f"User: {session} is not authorized to perform: ecs:ListClusters on resource: * with an explicit deny in "
            "an identity-based policy"
        )
        with refused("AccessDeniedException", message):
            client("ecs", session=credentials, region="eu-west-1").list_clusters()

    def test_who_hands_a_role_to_a_service_needs_to_pass_it(self, world):
        task_role = world.role()
        credentials, session = self.session(
            world, allow("ecs:RegisterTaskDefinition", "*"), allow("iam:PassRole", task_role, passing_to("events"))
        )
        containers = [{"name": "main", "image": "busybox", "memory": 64}]
        ecs = world.client("ecs", credentials)
        ecs.register_task_definition(family="fine", containerDefinitions=containers)
        with refused("AccessDeniedException", denied(session, "iam:PassRole", task_role)):
            ecs.register_task_definition(family="fine", containerDefinitions=containers, taskRoleArn=task_role)

    def test_who_passes_a_role_to_the_right_service_may(self, world):
        role = world.role()
        credentials, _ = self.session(
            world, allow("events:PutTargets", "*"), allow("iam:PassRole", role, passing_to("events"))
        )
        world.events.put_rule(Name="passing", ScheduleExpression="rate(1 day)", State="DISABLED")
        target = {"Id": "1", "Arn": arn("cluster/default"), "RoleArn": role}
        target["EcsParameters"] = {"TaskDefinitionArn": arn("task-definition/x")}
        answer = world.client("events", credentials).put_targets(Rule="passing", Targets=[target])
        assert answer["FailedEntryCount"] == 0

    def test_tags_at_creation_need_their_own_action(self, world):
        credentials, session = self.session(world, allow("events:PutRule", "*"))
        events = world.client("events", credentials)
        events.put_rule(Name="plain", ScheduleExpression="rate(1 day)", State="DISABLED")
        with refused("AccessDeniedException", denied(session, "events:TagResource", arn("rule/tagged", "events"))):
            events.put_rule(Name="tagged", ScheduleExpression="rate(1 day)", Tags=[{"Key": "a", "Value": "b"}])

    def test_a_role_with_a_path_is_evaluated_with_it(self, world):
        role = world.role(Path="/batch/")
        credentials, _ = self.session(world, allow("iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/batch/*"))
        found = world.client("iam", credentials).get_role(RoleName=role.rsplit("/", 1)[1])
        assert found["Role"]["Arn"] == role

    def test_what_was_refused_is_in_the_trail(self, world):
        credentials, session = self.session(world)
        with pytest.raises(ClientError):
            world.client("ecs", credentials).list_clusters()
        record = world.trail("ListClusters")[-1]
        assert (record["errorCode"], record["requestParameters"]) == ("AccessDenied", None)
        assert record["errorMessage"] == denied(session, "ecs:ListClusters", "*")

    def test_a_schedule_whose_role_may_runs_all_the_same(self, world):
        """EventBridge's own calls are judged by the target's role, as ever."""
        definition = world.register()
        trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = world.role(allow("ecs:RunTask", f"{arn('task-definition/' + definition['family'])}:*"), trust=trust)
        name = world.name("minutely")
        world.events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
        parameters = {
            "TaskDefinitionArn": arn(f"task-definition/{definition['family']}"),
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [world.subnet]}},
        }
        target = {"Id": "1", "Arn": arn("cluster/default"), "RoleArn": role, "EcsParameters": parameters}
        world.events.put_targets(Rule=name, Targets=[target])
        world.advance(60)
        world.events.disable_rule(Name=name)
        assert world.trail("RunTask")[-1]["responseElements"]["tasks"]
