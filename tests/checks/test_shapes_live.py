"""Every shape of schedule that people build, right, on a local AWS: no check says a word against it."""

import json
from datetime import timedelta

import pytest
from local_world import ACCOUNT, REGION, LocalWorld, allow, arn, document, trusting

from ecs_runbook.checks.check import check
from ecs_runbook.checks.outcome import judge_checked
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.local_aws import process
from ecs_runbook.session import connect
from ecs_runbook.verdicts.verdict import worst

ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/nightly:1"
DAILY = "cron(0 17 * * ? *)"
WATCHED = arn("rule/StepFunctionsGetEventsForECSTaskRule", "events")
EVENTS, SCHEDULER, STATES = "events.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"


class Shapes(LocalWorld):
    """Schedules of every shape, each with a role and a queue of its own as this project's module makes them."""

    def __init__(self, server):
        super().__init__(server)
        self.aws = connect("local", endpoint=server.url, region=REGION)
        self.now_ = self.aws.now()
        self.sqs, self.scheduler, self.states = (self.client(one) for one in ("sqs", "scheduler", "stepfunctions"))
        self.cluster_arn = self.named_cluster("batch", capacityProviders=["FARGATE", "FARGATE_SPOT"])
        self.private = {"Subnets": [self.subnet], "SecurityGroups": [self.group]}
        self.task, self.execution = self.role(), self.role()

    def named_cluster(self, name, **more):
        return self.ecs.create_cluster(clusterName=name, **more)["cluster"]["clusterArn"]

    def define(self, family, **more):
        roles = {"taskRoleArn": self.task, "executionRoleArn": self.execution}
        return self.register(family, [{"name": "main", "image": ECR}], **roles | more)["taskDefinitionArn"]

    def caller(self, name, cluster, service=EVENTS, condition=None, *more):
        """A role that may run this family in this cluster, and nothing else."""
        run = allow("ecs:RunTask", f"{arn(f'task-definition/{name}')}:*", {"ArnEquals": {"ecs:cluster": cluster}})
        passed = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        pass_on = allow("iam:PassRole", [self.task, self.execution], passed)
        return self.role(run, pass_on, *more, trust=trusting(service, condition))

    def queue(self, name, rule=""):
        url = self.sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
        queue = arn(f"{name}-dlq", "sqs")
        if rule:
            send = allow("sqs:SendMessage", queue, {"ArnEquals": {"aws:SourceArn": rule}})
            policy = document(send | {"Principal": {"Service": EVENTS}})
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return queue

    def target(self, name, rule, cluster="", network=None, role="", **parameters):
        cluster = cluster or self.cluster_arn
        asked = {"TaskDefinitionArn": arn(f"task-definition/{name}"), **parameters}
        asked |= {"NetworkConfiguration": {"awsvpcConfiguration": network}} if network else {}
        return {
            "Id": "run",
            "Arn": cluster,
            "RoleArn": role or self.caller(name, cluster),
            "EcsParameters": asked,
            "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400},
            "DeadLetterConfig": {"Arn": self.queue(name, rule)},
        }

    def rule(self, name, bus="", given=(), define=(), **asked):
        on = {"EventBusName": bus} if bus else {}
        self.define(name, **dict(define))
        rule = self.events.put_rule(Name=name, **on, **dict(given) or {"ScheduleExpression": DAILY})["RuleArn"]
        self.events.put_targets(Rule=name, **on, Targets=[self.target(name, rule, **asked)])

    def schedule(self, name, expression=DAILY, condition=None, given=(), target=None):
        self.define(name)
        queue = self.queue(name)
        send = allow("sqs:SendMessage", queue)
        role = self.caller(name, self.cluster_arn, SCHEDULER, condition, send)
        fargate = {"LaunchType": "FARGATE", "NetworkConfiguration": {"awsvpcConfiguration": self.private}}
        ecs = {
            "Arn": self.cluster_arn,
            "EcsParameters": {"TaskDefinitionArn": arn(f"task-definition/{name}"), **fargate},
        }
        whole = (target or ecs) | {"RoleArn": role, "DeadLetterConfig": {"Arn": queue}}
        whole |= {"RetryPolicy": {"MaximumRetryAttempts": 5, "MaximumEventAgeInSeconds": 3600}}
        window = {"FlexibleTimeWindow": {"Mode": "OFF"}} | dict(given)
        self.scheduler.create_schedule(Name=name, ScheduleExpression=expression, Target=whole, **window)

    def instance(self, cluster):
        made = self.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        identity = {"region": REGION, "instanceId": made, "accountId": ACCOUNT}
        self.ecs.register_container_instance(cluster=cluster, instanceIdentityDocument=json.dumps(identity))

    def inner_subnet(self):
        """A subnet without a way out, in whose VPC the endpoints are that Fargate needs."""
        vpc = self.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
        tables = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
        for service in ("ecr.api", "ecr.dkr", "logs"):
            self.ec2.create_vpc_endpoint(
                VpcId=vpc,
                ServiceName=f"com.amazonaws.{REGION}.{service}",
                VpcEndpointType="Interface",
                SubnetIds=[subnet],
                PrivateDnsEnabled=True,
            )
        self.ec2.create_vpc_endpoint(
            VpcId=vpc,
            ServiceName=f"com.amazonaws.{REGION}.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=[tables[0]["RouteTableId"]],
        )
        return subnet


def build(world):
    """Make one of each."""
    fargate = {"LaunchType": "FARGATE", "network": world.private}
    public = {"Subnets": [world.public_subnet], "AssignPublicIp": "ENABLED"}
    bridge = {"requiresCompatibilities": ["EC2"], "networkMode": "bridge"}
    outside = {"requiresCompatibilities": ["EXTERNAL"], "networkMode": "bridge"}
    iron, spot = (world.named_cluster("iron"), world.named_cluster("spot", capacityProviders=["FARGATE_SPOT"]))
    world.instance("iron")
    default = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    world.ecs.put_cluster_capacity_providers(
        cluster="spot", capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=default
    )
    world.events.create_event_bus(Name="orders")

    world.rule("private", **fargate)
    world.rule("public", LaunchType="FARGATE", network=public)
    world.rule("inner", LaunchType="FARGATE", network={"Subnets": [world.inner_subnet()]}, PlatformVersion="1.4.0")
    world.rule("on-spot", network=world.private, CapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}])
    world.rule("left-out", cluster=spot, network=public)
    world.rule("bridge", cluster=iron, LaunchType="EC2", define=bridge)
    world.rule("by-default", cluster=iron, define=bridge)
    world.rule("outside", cluster=iron, LaunchType="EXTERNAL", define=outside)
    world.rule("on-events", bus="orders", given={"EventPattern": '{"source": ["orders"]}'}, **fargate)
    world.rule("switched-off", given={"ScheduleExpression": DAILY, "State": "DISABLED"}, **fargate)
    world.rule("often", given={"ScheduleExpression": "rate(5 minutes)"}, **fargate)

    account = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    group = {"ArnLike": {"aws:SourceArn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/*"}}
    in_a_month, ago = (f"at({world.now_ + timedelta(days=days):%Y-%m-%dT%H:%M:%S})" for days in (30, -30))
    world.schedule("berlin", condition=account, given={"ScheduleExpressionTimezone": "Europe/Berlin"})
    world.schedule(
        "flexible", condition=group, given={"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}}
    )
    world.schedule("once", in_a_month)
    world.schedule("once-ago", ago)
    world.schedule("for-a-month", given={"EndDate": world.now_ + timedelta(days=30)})
    universal = {"Cluster": world.cluster_arn, "TaskDefinition": "universal", "LaunchType": "FARGATE"}
    universal["NetworkConfiguration"] = {"AwsvpcConfiguration": world.private}
    run_task = {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": json.dumps(universal)}
    world.schedule("universal", target=run_task)

    world.define("through")
    watches = allow(["ecs:DescribeTasks", "ecs:StopTask"], "*")
    learns = allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], WATCHED)
    does = world.caller("through", world.cluster_arn, STATES, None, watches, learns)
    asked = {"Cluster": world.cluster_arn, "TaskDefinition": "through", "LaunchType": "FARGATE"}
    asked["NetworkConfiguration"] = {"AwsvpcConfiguration": world.private}
    state = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": asked, "End": True}
    machine = world.states.create_state_machine(
        name="through", definition=json.dumps({"StartAt": "Run", "States": {"Run": state}}), roleArn=does
    )["stateMachineArn"]
    starts = world.role(allow("states:StartExecution", machine), trust=trusting(EVENTS))
    rule = world.events.put_rule(Name="through", ScheduleExpression=DAILY)["RuleArn"]
    target = {"Id": "run", "Arn": machine, "RoleArn": starts, "DeadLetterConfig": {"Arn": world.queue("through", rule)}}
    target["RetryPolicy"] = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
    world.events.put_targets(Rule="through", Targets=[target])


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    world = Shapes(process.start(folder))
    build(world)
    places, now = fleet(world.aws), world.now_
    found = take_inventory(places)
    yield check(places, found, since=now - timedelta(hours=1), until=now, zone="Europe/Berlin")
    process.stop(folder)


SHAPES = [
    "berlin", "bridge", "by-default", "flexible", "for-a-month", "inner", "left-out", "often", "on-spot", "once",
    "once-ago", "orders/on-events", "outside", "private", "public", "switched-off", "through", "universal",
]  # fmt: skip


def test_every_shape_is_found(checked):
    assert sorted(row.subject for row in checked.inventory.rows) == SHAPES
    assert not checked.inventory.gaps


def test_nothing_is_said_against_them_but_that_two_do_not_run(checked):
    said = {(one.check, one.subject, one.severity): one.because for one in checked.findings if one.status != "OK"}
    assert set(said) == {
        ("schedule-disabled", "switched-off", "note"),
        ("schedule-never-again", "once-ago", "note"),
    }


def test_the_whole_account_is_ok_at_the_default_level(checked):
    assert worst(one.status for one in judge_checked(checked)) == "OK"
    assert worst(one.status for one in judge_checked(checked, fail_on="note")) == "NG"


@pytest.mark.parametrize("subject", ["private", "inner", "berlin", "universal", "through"])
def test_each_is_really_looked_at(checked, subject):
    fine = {one.check for one in checked.findings if one.subject == subject and one.status == "OK"}
    assert fine >= {
        "pinned-revision", "no-active-revision", "cluster-missing", "definition-compatibility", "no-way-out",
        "trust-wrong-service", "task-role-trust", "run-task-missing", "pass-role-missing", "policy-too-wide",
        "dead-letter-queue-not-writable", "dead-letters-waiting",
    }  # fmt: skip
    for one in ("start-execution-missing", "machine-permissions"):
        assert (one in fine) == (subject == "through")
