"""The gate through a state machine, and through Scheduler: what a new revision meets there stops it as at a rule."""

import json

import pytest
from local_world import REGION, LocalWorld, allow, arn, trusting

from ecs_runbook.checks.gate import gate, judge_gate
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.local_aws import process
from ecs_runbook.session import connect

SERVICES = ["events.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"]


class Machines(LocalWorld):
    """A machine that a rule starts, and a schedule, each with an override of container ``main``."""

    def __init__(self, server):
        super().__init__(server)
        self.aws = connect("local", endpoint=server.url, region=REGION)
        self.ecs.create_cluster(clusterName="batch", capacityProviders=["FARGATE"])
        self.execution, self.task = self.role(), self.role()
        run = allow("ecs:RunTask", f"{arn('task-definition/nightly')}:*")
        events = f"arn:aws:events:{REGION}:*:rule/StepFunctionsGetEventsForECSTaskRule"
        watch = allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], events)
        more = allow(["ecs:StopTask", "ecs:DescribeTasks"], "*")
        passing = allow("iam:PassRole", [self.task, self.execution])
        starts = allow("states:StartExecution", "*")
        caller = self.role(run, watch, more, passing, starts, trust=trusting(SERVICES))
        self.caller = caller.rpartition("/")[2]
        network = {"Subnets": [self.subnet], "SecurityGroups": [self.group]}
        overrides = {"ContainerOverrides": [{"Name": "main", "Command": ["true"]}]}
        request = {
            "Cluster": arn("cluster/batch"),
            "TaskDefinition": arn("task-definition/nightly"),
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"AwsvpcConfiguration": network},
            "Overrides": overrides,
        }
        self.deploy()
        state = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": request, "End": True}
        machine = self.client("stepfunctions").create_state_machine(
            name="again", roleArn=caller, definition=json.dumps({"StartAt": "Run", "States": {"Run": state}})
        )["stateMachineArn"]
        self.events.put_rule(Name="starts", ScheduleExpression="rate(1 day)")
        self.events.put_targets(Rule="starts", Targets=[{"Id": "run", "Arn": machine, "RoleArn": caller}])
        asked = {"TaskDefinitionArn": arn("task-definition/nightly"), "LaunchType": "FARGATE"}
        asked["NetworkConfiguration"] = {"awsvpcConfiguration": network}
        override = json.dumps({"containerOverrides": [{"name": "main", "command": ["true"]}]})
        target = {"Arn": arn("cluster/batch"), "RoleArn": caller, "EcsParameters": asked, "Input": override}
        self.client("scheduler").create_schedule(
            Name="daily", ScheduleExpression="rate(1 day)", Target=target, FlexibleTimeWindow={"Mode": "OFF"}
        )

    def deploy(self, name="main", **more):
        roles = {"taskRoleArn": self.task, "executionRoleArn": self.execution}
        container = {"name": name, "image": "busybox"}
        return self.register("nightly", [container], **roles | more)["taskDefinitionArn"].rpartition("/")[2]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    server = process.start(tmp_path_factory.mktemp("gate-machines"))
    yield Machines(server)
    process.stop(server.folder)


def stopped(world, revision):
    places = fleet(world.aws)
    checks = judge_gate(gate(revision, places, take_inventory(places)), revision)
    return {(one.id, one.subject.partition(" in ")[0]): one.because for one in checks if one.status != "OK"}


def test_what_fits_passes(world):
    assert stopped(world, world.deploy()) == {}


def test_a_renamed_container_is_stopped_at_the_state_and_at_the_schedule(world):
    new = world.deploy("web")
    bad = stopped(world, new)
    words = f"its input overrides main, and {new} has web"
    assert bad == {("override-container", "starts"): words, ("override-container", "daily"): words}


@pytest.mark.parametrize("which", ["taskRoleArn", "executionRoleArn"])
def test_a_new_role_that_may_not_be_passed_is_stopped(world, which):
    role = world.role()
    new = world.deploy(**{which: role})
    words = f"{world.caller} may not pass {role.rpartition('/')[2]} of {new}"
    assert stopped(world, new) == {("pass-role-missing", "starts"): words, ("pass-role-missing", "daily"): words}


def test_a_revision_for_ec2_alone_is_stopped(world):
    new = world.deploy(requiresCompatibilities=["EC2"], networkMode="bridge", cpu=None, memory="512")
    bad = stopped(world, new)
    assert {subject for check, subject in bad if check == "definition-compatibility"} == {"daily", "starts"}
    assert bad["definition-compatibility", "starts"] == f"{new} is fit for EC2, and its launch type is FARGATE"
