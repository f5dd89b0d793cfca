"""The inventory and its facts on a local AWS: over the wire, in several accounts and Regions, and while things fail."""

import json

import boto3
import pytest
from botocore.config import Config
from local_world import ACCOUNT, REGION, LocalWorld, allow, document, trusting

from ecs_runbook.errors import EvidenceError
from ecs_runbook.inventory.facts import facts
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.gate import Gate, Patience
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Absent, Cluster, Deed, Definition, Permit, Place, Role, Subnet
from ecs_runbook.local_aws import process
from ecs_runbook.session import connect

OTHER = "444455556666"
RULES, SCHEDULES = 60, 20


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    world = LocalWorld(process.start(folder))
    _build(world)
    yield world
    process.stop(folder)


def _build(world):
    """Make an account with rules on two buses, schedules in two groups, and one of each kind of target."""
    world.runner = world.role(
        allow("ecs:RunTask", "*"),
        allow("iam:PassRole", "*", {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}),
        trust=trusting("events.amazonaws.com"),
    )
    world.passed = world.role(trust=trusting("ecs-tasks.amazonaws.com"))
    first = world.register("nightly", taskRoleArn=world.passed, executionRoleArn=world.passed)
    world.family = first["taskDefinitionArn"].rpartition(":")[0]
    world.register("nightly", taskRoleArn=world.passed, executionRoleArn=world.passed)
    world.queue = world.client("sqs").create_queue(QueueName="lost")["QueueUrl"]
    world.scheduler, world.states = world.client("scheduler"), world.client("stepfunctions")
    world.events.create_event_bus(Name="jobs")
    world.scheduler.create_schedule_group(Name="jobs")
    for number in range(RULES):
        bus, when = ("default", {"ScheduleExpression": "cron(0 17 * * ? *)"})
        if number % 2:
            bus, when = "jobs", {"EventPattern": '{"source": ["orders"]}'}
        world.events.put_rule(Name=f"rule{number}", EventBusName=bus, **when)
        world.events.put_targets(Rule=f"rule{number}", EventBusName=bus, Targets=[target(world)])
    for number in range(SCHEDULES):
        world.scheduler.create_schedule(
            Name=f"schedule{number}",
            GroupName=("default", "jobs")[number % 2],
            ScheduleExpression="rate(1 day)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={key: value for key, value in target(world).items() if key != "Id"},
        )


def target(world, **more):
    network = {"Subnets": [world.subnet], "SecurityGroups": [world.group], "AssignPublicIp": "DISABLED"}
    parameters = {"TaskDefinitionArn": world.family, "LaunchType": "FARGATE"}
    parameters |= {"NetworkConfiguration": {"awsvpcConfiguration": network}}
    cluster = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/default"
    return {"Id": "task", "Arn": cluster, "RoleArn": world.runner, "EcsParameters": parameters} | more


@pytest.fixture
def aws(world):
    yield connect("local", endpoint=world.server.url, region=REGION)
    process.settings(world.server, reset=True)


def quick(**patience):
    """A gate that waits for nobody."""
    return Gate(limited=False, sleep=lambda _: None, patience=Patience(**patience))


def test_everything_is_found_with_no_more_calls_than_aws_forces(aws):
    places = fleet(aws)
    found = take_inventory(places)
    assert (len(found.rows), found.gaps, found.whole) == (RULES + SCHEDULES, (), True)
    assert {row.kind for row in found.rows} == {"rule", "event rule", "schedule"}
    assert {row.group for row in found.rows} == {"default", "jobs"}
    assert found.calls == {
        "events:ListEventBuses": 1,
        "events:ListRules": 2,
        "events:ListTargetsByRule": RULES,
        "scheduler:ListSchedules": 1,
        "scheduler:GetSchedule": SCHEDULES,
    }


def test_the_facts_of_everything_are_known_with_one_call_each(world, aws):
    places = fleet(aws)
    found = take_inventory(places)
    listed = places.gate.counts.copy()
    known = facts(places, found)[Place(ACCOUNT, REGION)]
    row = found.rows[0]
    assert isinstance(known.resolved(row), Definition)
    assert known.resolved(row).revision == 2
    assert isinstance(known.clusters[row.request.cluster], Cluster)
    assert known.subnets == {world.subnet: Subnet(world.subnet, world.vpc, "NAT", frozenset())}
    assert known.security_groups == {world.group: world.vpc}
    assert {type(role) for role in known.roles.values()} == {Role}
    assert known.roles[world.runner].trust["Statement"][0]["Principal"] == {"Service": "events.amazonaws.com"}
    assert known.permit(row) == Permit(
        run_task="allowed",
        pass_role={world.passed: "allowed"},
        tag_resource="not asked",
        any_family="allowed",
        any_role="allowed",
    )
    assert places.gate.counts - listed == {
        "ecs:DescribeTaskDefinition": 1,
        "ecs:DescribeClusters": 1,
        "ec2:DescribeSubnets": 1,
        "ec2:DescribeSecurityGroups": 1,
        "ec2:DescribeRouteTables": 1,
        "ec2:DescribeVpcEndpoints": 1,
        "scheduler:ListScheduleGroups": 1,
        "iam:GetRole": 2,
        "iam:SimulatePrincipalPolicy": 1,
    }


def test_a_state_machine_a_dead_letter_queue_and_what_is_gone_are_known(world, aws):
    run = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": True}
    run["Parameters"] = {"Cluster": "default", "TaskDefinition": world.family, "LaunchType": "FARGATE"}
    starter = world.role(trust=trusting("events.amazonaws.com"))
    runner = world.role(allow("events:*", "*"), trust=trusting("states.amazonaws.com"))
    machine = world.states.create_state_machine(
        name="nightly", definition=json.dumps({"StartAt": "Run", "States": {"Run": run}}), roleArn=runner
    )["stateMachineArn"]
    world.iam.delete_role_policy(RoleName=runner.rpartition("/")[2], PolicyName="inline")
    world.events.put_rule(Name="through", ScheduleExpression="rate(1 day)")
    world.events.put_targets(Rule="through", Targets=[{"Id": "machine", "Arn": machine, "RoleArn": starter}])
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:lost"
    gone = {"TaskDefinitionArn": f"{world.family}-gone", "LaunchType": "FARGATE"}
    gone |= {"NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-0123456789abcdef0"]}}}
    world.events.put_rule(Name="gone", ScheduleExpression="rate(1 day)")
    lost = target(world, EcsParameters=gone, DeadLetterConfig={"Arn": queue}) | {"RoleArn": f"{world.runner}-gone"}
    world.events.put_targets(Rule="gone", Targets=[lost])
    attributes = {"ERROR_CODE": {"StringValue": "NO_PERMISSIONS", "DataType": "String"}}
    world.client("sqs").send_message(QueueUrl=world.queue, MessageBody="{}", MessageAttributes=attributes)

    places = fleet(aws)
    found = take_inventory(places, rules=["through", "gone"])
    known = facts(places, found)[Place(ACCOUNT, REGION)]
    away, through = found.rows

    assert (through.through, through.role, through.target.role) == (machine, runner, starter)
    assert isinstance(known.permit(through), Permit)
    assert known.deeds[Deed(starter, "states:StartExecution", machine)] == "denied"
    # the role that runs the task may do nothing any more
    watching = [deed for deed in known.deeds if deed.role == runner]
    assert {known.deeds[deed] for deed in watching} == {"denied"}
    assert {deed.action for deed in watching} >= {"ecs:DescribeTasks", "ecs:StopTask", "events:PutRule"}
    assert isinstance(known.resolved(away), Absent)
    assert known.subnets["subnet-0123456789abcdef0"] == Absent("there is no subnet subnet-0123456789abcdef0")
    assert isinstance(known.roles[away.role], Absent)
    assert (known.queues[queue].waiting, known.queues[queue].letters[0].code) == (1, "NO_PERMISSIONS")
    for name in ("through", "gone"):
        world.events.remove_targets(Rule=name, Ids=["machine" if name == "through" else "task"])
        world.events.delete_rule(Name=name)


def test_a_tag_chooses_rules_and_the_groups_of_schedules(world, aws):
    tags = [{"Key": "team", "Value": "batch"}]
    world.events.tag_resource(ResourceARN=f"arn:aws:events:{REGION}:{ACCOUNT}:rule/jobs/rule1", Tags=tags)
    group = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/jobs"
    world.scheduler.tag_resource(ResourceArn=group, Tags=tags)
    found = take_inventory(fleet(aws), tag="team=batch")
    assert [row.subject for row in found.rows if row.kind == "event rule"] == ["jobs/rule1"]
    assert {row.group for row in found.rows} == {"jobs"}
    assert sum(row.kind == "schedule" for row in found.rows) == SCHEDULES / 2
    assert take_inventory(fleet(aws), tag="team=web").rows == ()


def test_a_name_that_is_not_there_is_told_with_the_nearest(aws):
    with pytest.raises(EvidenceError, match=r"rule = 'rul2': there is no such rule .* Nearest: rule2"):
        take_inventory(fleet(aws), rules=["rul2"])
    with pytest.raises(EvidenceError, match=r"Nearest: jobs/schedule1\."):
        take_inventory(fleet(aws), schedules=["schedule1"])


# -------- several accounts and Regions


@pytest.fixture(scope="module")
def other(world):
    """Another account, with one rule in another Region, and a role that lets the first one in."""

    def client(service):
        return boto3.client(
            service,
            endpoint_url=world.server.url,
            region_name="us-east-1",
            aws_access_key_id=OTHER,
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}),
        )

    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    client("iam").create_role(RoleName="audit", AssumeRolePolicyDocument=document(trust))
    client("events").put_rule(Name="theirs", ScheduleExpression="rate(1 day)")
    cluster = f"arn:aws:ecs:us-east-1:{OTHER}:cluster/default"
    parameters = {"TaskDefinitionArn": f"arn:aws:ecs:us-east-1:{OTHER}:task-definition/theirs"}
    theirs = {"Id": "1", "Arn": cluster, "RoleArn": f"arn:aws:iam::{OTHER}:role/r", "EcsParameters": parameters}
    client("events").put_targets(Rule="theirs", Targets=[theirs])
    return OTHER


def test_rules_of_two_accounts_in_two_regions_stand_in_one_inventory(aws, other):
    accounts = [{"account": ACCOUNT}, {"account": other, "role": "audit"}]
    places = fleet(aws, regions=[REGION, "us-east-1"], accounts=accounts)
    found = take_inventory(places)
    assert [row.owner.name for row in found.rows if row.place == Place(other, "us-east-1")] == ["theirs"]
    assert len(found.rows) == RULES + SCHEDULES + 1
    assert (len(found.places), found.gaps) == (4, ())
    assert found.calls["sts:AssumeRole"] == found.calls["sts:GetCallerIdentity"] == 1


def test_an_account_that_lets_nobody_in_and_a_region_that_is_forbidden_stop_nothing_else(world, aws, other):
    process.settings(world.server, faults=[{"fault": "denied", "region": "us-east-1", "operation": "events:*"}])
    accounts = [{"account": ACCOUNT}, {"account": other, "role": "nobody"}]
    places = fleet(aws, regions=[REGION, "us-east-1"], accounts=accounts)
    found = take_inventory(places)
    assert len(found.rows) == RULES + SCHEDULES
    told = {(gap.place.account, gap.place.region, str(gap)) for gap in found.gaps}
    assert told == {
        (other, REGION, "the caller needs sts:AssumeRole"),
        (other, "us-east-1", "the caller needs sts:AssumeRole"),
        (ACCOUNT, "us-east-1", "the caller needs events:ListEventBuses"),
        (ACCOUNT, "us-east-1", "the caller needs events:ListRules"),
    }


# -------- while things fail


def test_a_region_that_hangs_holds_up_nobody_and_is_told(world, aws):
    process.settings(world.server, faults=[{"fault": "hang", "region": "us-east-1"}])
    places = fleet(aws, regions=[REGION, "us-east-1"], answer_seconds=1.5)
    found = take_inventory(places)
    known = facts(places, found)
    assert len(found.rows) == RULES + SCHEDULES
    assert {gap.place.region for gap in found.gaps} == {"us-east-1"}
    assert all("ReadTimeoutError" in gap.because for gap in found.gaps)
    assert set(known) == {Place(ACCOUNT, REGION)}


@pytest.mark.parametrize("kind", ["server-error", "reset"])
def test_what_breaks_now_and_then_leaves_no_gap(world, aws, kind):
    often = [
        {"fault": kind, "operation": operation, "after": 2, "times": 3}
        for operation in ("events:ListTargetsByRule", "scheduler:GetSchedule")
    ]
    process.settings(world.server, faults=[*often, {"fault": kind, "operation": "events:ListRules", "times": 1}])
    places = fleet(aws, gate=quick())
    found = take_inventory(places)
    assert (len(found.rows), found.gaps) == (RULES + SCHEDULES, ())
    assert places.gate.counts["events:ListTargetsByRule"] == RULES + 3


@pytest.mark.parametrize("kind", ["server-error", "reset"])
def test_what_is_broken_for_good_is_a_gap_and_the_rest_is_there(world, aws, kind):
    process.settings(world.server, faults=[{"fault": kind, "operation": "scheduler:ListSchedules"}])
    found = take_inventory(fleet(aws, gate=quick()))
    assert len(found.rows) == RULES
    (gap,) = found.gaps
    assert (gap.operation, gap.subject) == ("scheduler:ListSchedules", "schedules")
    assert ("InternalFailure" if kind == "server-error" else "ConnectionClosedError") in gap.because


def test_credentials_that_run_out_in_the_middle_leave_what_was_read_and_say_what_is_missing(world, aws):
    process.settings(world.server, faults=[{"fault": "expired-token", "after": 30}])
    places = fleet(aws)
    found = take_inventory(places)
    assert 0 < len(found.rows) < RULES + SCHEDULES
    assert found.gaps
    assert all("ExpiredToken" in gap.because for gap in found.gaps)
    before = places.gate.calls
    assert facts(places, found)
    assert places.gate.calls == before


def test_throttling_is_waited_out(world, aws):
    names = ("events:ListTargetsByRule", "scheduler:GetSchedule", "events:ListRules", "ecs:DescribeTaskDefinition")
    process.settings(world.server, throttle=dict.fromkeys(names, 4))
    places = fleet(aws, gate=quick())
    found = take_inventory(places)
    known = facts(places, found)
    assert (len(found.rows), found.gaps) == (RULES + SCHEDULES, ())
    assert isinstance(known[Place(ACCOUNT, REGION)].resolved(found.rows[0]), Definition)
    assert places.gate.throttled == dict.fromkeys(names, 4)


def test_under_awss_published_rates_nothing_is_throttled(world, aws):
    process.clock(world.server, release=True)
    try:
        process.settings(world.server, rates="published")
        places = fleet(aws, gate=Gate(limited=True))
        found = take_inventory(places)
    finally:
        process.clock(world.server, freeze=True)
    assert (len(found.rows), found.gaps) == (RULES + SCHEDULES, ())
    assert places.gate.throttled == {}
    assert found.calls["events:ListTargetsByRule"] > 50  # as many as AWS takes at once
