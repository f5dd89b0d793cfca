"""What AWS says of what the rows name: each thing asked once, and what it does not say is absent or a gap."""

import json

import pytest
from paper_aws import ACCOUNT, REGION, Paper, PaperAws, arn, ecs_target, refused

from ecs_runbook.inventory.facts import facts
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Absent, Cluster, Definition, Gap, Place, Queue, Role, deeds, permit_key

HERE = Place(ACCOUNT, REGION)


@pytest.fixture
def paper():
    return Paper()


def known(paper, regions=()):
    """Return the facts of every place, the inventory, and what only the facts were asked for with."""
    gate = Gate(limited=False, sleep=lambda _: None, jitter=lambda: 0.0)
    places = fleet(PaperAws(paper), regions=regions, gate=gate)
    found = take_inventory(places)
    before = paper.calls.copy()
    told = facts(places, found)
    return told, found, paper.calls - before


def here(paper) -> tuple:
    told, found, calls = known(paper)
    return told[HERE], found.rows, calls


def network(*subnets, groups=()):
    inner = {"Subnets": list(subnets), "SecurityGroups": list(groups), "AssignPublicIp": "ENABLED"}
    return {"NetworkConfiguration": {"awsvpcConfiguration": inner}}


def test_each_thing_is_asked_for_once_however_many_rows_name_it(paper):
    paper.subnets = {f"subnet-{number}": f"vpc-{number % 2}" for number in range(6)}
    paper.groups = {"sg-1": "vpc-0"}
    paper.queues = {"lost": {"ApproximateNumberOfMessages": "0"}}
    paper.roles = {f"role{number}" for number in range(10)}
    for number in range(10):
        paper.define(f"family{number}")
    for number in range(100):
        target = ecs_target(
            f"family{number % 10}",
            role=f"role{number % 10}",
            EcsParameters=network(f"subnet-{number % 6}", groups=["sg-1"]) | {"PropagateTags": "TASK_DEFINITION"},
            DeadLetterConfig={"Arn": arn("lost", "sqs")},
        )
        paper.rule(f"rule{number}", target)
    told, rows, calls = here(paper)
    assert calls == {
        "ecs:DescribeTaskDefinition": 10,
        "ecs:DescribeClusters": 1,
        "ecs:ListAccountSettings": 1,
        "ec2:DescribeSubnets": 1,
        "ec2:DescribeSecurityGroups": 1,
        "ec2:DescribeRouteTables": 1,
        "ec2:DescribeVpcEndpoints": 1,
        "iam:ListRoles": 1,
        "iam:SimulatePrincipalPolicy": 10,
        "sqs:GetQueueUrl": 1,
        "sqs:GetQueueAttributes": 1,
    }
    assert all(isinstance(told.resolved(row), Definition) for row in rows)
    assert all(not isinstance(told.permit(row), Absent | Gap) for row in rows)


def test_what_no_row_needs_is_not_asked(paper):
    paper.define()
    paper.rule("nightly")
    _, _, calls = here(paper)
    assert calls == {
        "ecs:DescribeTaskDefinition": 1,
        "ecs:DescribeClusters": 1,
        "iam:GetRole": 1,
        "iam:SimulatePrincipalPolicy": 1,
    }


def test_an_inventory_without_rows_asks_nothing(paper):
    told, _, calls = known(paper)
    assert (told, calls) == ({}, {})


def test_what_is_wanted_beyond_one_page_or_one_call_is_asked_in_several(paper):
    paper.subnets = {f"subnet-{number}": f"vpc-{number}" for number in range(450)}
    paper.clusters = {f"cluster{number}" for number in range(250)}
    paper.roles = {f"role{number}" for number in range(2500)}
    paper.define()
    for number in range(250):
        target = ecs_target(
            cluster=f"cluster{number}",
            role=f"role{number * 10}",
            EcsParameters=network(f"subnet-{number}", f"subnet-{number + 200}"),
        )
        paper.rule(f"rule{number}", target)
    told, rows, calls = here(paper)
    assert calls["ec2:DescribeSubnets"] == calls["ec2:DescribeRouteTables"] == 3
    assert calls["ecs:DescribeClusters"] == calls["iam:ListRoles"] == 3
    assert len(told.subnets) == 450
    assert all(isinstance(told.clusters[row.request.cluster], Cluster) for row in rows)
    assert all(isinstance(told.roles[row.role], Role) for row in rows)


# -------- revisions


def test_the_latest_revision_and_a_fixed_one_that_is_older(paper):
    paper.define("nightly", 3, status="INACTIVE")
    paper.define("nightly", 4)
    paper.rule("latest")
    paper.rule("pinned", ecs_target(revision=3))
    paper.rule("current", ecs_target(revision=4))
    paper.schedule(
        "named", {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": '{"TaskDefinition": "nightly:3"}'}
    )
    told, rows, calls = here(paper)
    assert {row.owner.name: told.resolved(row).revision for row in rows} == {
        "latest": 4,
        "pinned": 3,
        "current": 4,
        "named": 3,
    }
    assert told.latest["nightly"].revision == 4
    assert calls["ecs:DescribeTaskDefinition"] == 2


def test_a_family_without_an_active_revision_is_absent_in_awss_words(paper):
    paper.rule("nightly")
    told, (row,), _ = here(paper)
    assert told.resolved(row) == Absent("nightly: Unable to describe task definition.")
    assert told.permit(row) == Gap("iam:SimulatePrincipalPolicy", "the revision or the cluster is not known")


def test_what_a_revision_says_is_read_whole(paper):
    containers = [
        {"name": "main", "image": "repo/job:1", "secrets": [{"name": "A", "valueFrom": "arn"}]},
        {"name": "side", "image": "side", "essential": False},
    ]
    paper.define(
        containerDefinitions=containers,
        compatibilities=["EC2", "FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        taskRoleArn="arn:aws:iam::111122223333:role/task",
        executionRoleArn="arn:aws:iam::111122223333:role/execution",
    )
    paper.rule("nightly")
    told, _, _ = here(paper)
    one = told.latest["nightly"]
    assert (one.arn, one.revision, one.status) == (arn("task-definition/nightly:1"), 1, "ACTIVE")
    assert (one.compatibilities, one.network_mode, one.cpu, one.memory) == (("EC2", "FARGATE"), "awsvpc", "256", "512")
    assert (one.containers, one.essential, one.images) == (("main", "side"), ("main",), ("repo/job:1", "side"))
    assert (one.task_role[-9:], one.execution_role[-14:], one.secrets) == ("role/task", "role/execution", True)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, False),
        ({"secrets": []}, False),
        ({"repositoryCredentials": {"credentialsParameter": "arn"}}, True),
        ({"logConfiguration": {"logDriver": "splunk", "secretOptions": [{"name": "t", "valueFrom": "arn"}]}}, True),
        ({"logConfiguration": {"logDriver": "awslogs"}}, False),
    ],
)
def test_whether_a_task_takes_secrets(paper, container, expected):
    paper.define(containerDefinitions=[{"name": "main", "image": "i"} | container])
    paper.rule("nightly")
    assert here(paper)[0].latest["nightly"].secrets is expected


# -------- clusters, networks, queues, roles


def test_clusters_are_found_by_name_and_by_arn_and_one_that_is_gone_is_absent(paper):
    paper.define()
    paper.rule("by arn")
    paper.rule("gone", ecs_target(cluster="gone"))
    paper.schedule(
        "by name",
        {
            "Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask",
            "Input": '{"Cluster": "batch", "TaskDefinition": "nightly"}',
        },
    )
    told, rows, calls = here(paper)
    by_name = {row.owner.name: told.clusters[row.request.cluster] for row in rows}
    assert by_name["by arn"] == by_name["by name"]
    assert by_name["by arn"].arn == arn("cluster/batch")
    assert by_name["gone"] == Absent("ECS says MISSING")
    assert calls["ecs:DescribeClusters"] == 1


def test_a_cluster_in_another_region_is_a_gap_and_spoils_no_other(paper):
    paper.define()
    paper.rule("here")
    far = ecs_target() | {"Arn": arn("cluster/batch", region="us-east-1")}
    paper.rule("far", far)
    told, _, _ = here(paper)
    assert isinstance(told.clusters[arn("cluster/batch")], Cluster)
    assert told.clusters[far["Arn"]].because == f"{far['Arn']} is not in {HERE}"


def test_a_task_definition_of_another_region_is_a_gap_and_never_taken_for_one_here(paper):
    paper.define()
    paper.rule("here")
    for name in ("nightly", "nightly:1"):
        far = {"TaskDefinitionArn": arn(f"task-definition/{name}", region="us-east-1")}
        paper.rule(f"far {name}", ecs_target(EcsParameters=far))
    told, rows, calls = here(paper)
    by_name = {row.owner.name: told.resolved(row) for row in rows}
    assert by_name["here"].revision == 1
    for name in ("nightly", "nightly:1"):
        assert (
            by_name[f"far {name}"].because == f"{arn(f'task-definition/{name}', region='us-east-1')} is not in {HERE}"
        )
    assert calls["ecs:DescribeTaskDefinition"] == 1


def test_a_target_that_names_no_task_definition_is_not_asked_about(paper):
    paper.schedule("broken", {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": "{"})
    told, (row,), calls = here(paper)
    assert told.resolved(row) == Absent("it names no task definition")
    assert calls["ecs:DescribeTaskDefinition"] == 0


class Bars:
    def __init__(self):
        self.rows = {}

    def row(self, key, done, note=""):
        self.rows[key] = (done, note)


def test_progress_ends_with_what_was_looked_at(paper):
    paper.define()
    paper.rule("nightly")
    places = fleet(PaperAws(paper))
    bars = Bars()
    facts(places, take_inventory(places), progress=bars)
    assert bars.rows == {str(HERE): (1.0, "1 target")}


def test_a_subnet_and_a_group_that_are_gone_are_absent_and_spoil_no_other(paper):
    paper.define()
    paper.subnets, paper.groups = {"subnet-1": "vpc-1"}, {"sg-1": "vpc-1"}
    paper.tables = [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": True}], "Routes": []}]
    paper.rule("nightly", ecs_target(EcsParameters=network("subnet-1", "subnet-9", groups=["sg-1", "sg-9"])))
    told, _, _ = here(paper)
    assert (told.subnets["subnet-1"].vpc, told.subnets["subnet-1"].way) == ("vpc-1", "none")
    assert told.subnets["subnet-9"] == Absent("there is no subnet subnet-9")
    assert told.security_groups == {"sg-1": "vpc-1", "sg-9": Absent("there is no security group sg-9")}


def test_a_queue_is_read_only_where_messages_wait(paper):
    policy = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}]}
    paper.queues = {
        "quiet": {"ApproximateNumberOfMessages": "0", "Policy": json.dumps(policy)},
        "full": {"ApproximateNumberOfMessages": "1"},
    }
    code = {"ERROR_CODE": {"StringValue": "NO_PERMISSIONS"}}
    paper.letters["full"] = [{"MessageId": "m", "Body": "{}", "MessageAttributes": code}]
    paper.define()
    for name in ("quiet", "full", "gone"):
        paper.rule(name, ecs_target(DeadLetterConfig={"Arn": arn(name, "sqs")}))
    told, _, calls = here(paper)
    assert told.queues[arn("quiet", "sqs")] == Queue(arn("quiet", "sqs"), policy, 0)
    full = told.queues[arn("full", "sqs")]
    assert (full.waiting, [letter.code for letter in full.letters], full.policy) == (1, ["NO_PERMISSIONS"], {})
    assert told.queues[arn("gone", "sqs")] == Absent("there is no queue gone")
    assert calls["sqs:GetQueueAttributes"] == 2
    asked = {parameters["QueueUrl"] for _, name, parameters in paper.asked if name == "sqs:ReceiveMessage"}
    assert asked == {"full"}


def test_a_queue_whose_messages_may_not_be_read_says_so_and_is_known_otherwise(paper):
    paper.queues = {"full": {"ApproximateNumberOfMessages": "7", "ApproximateNumberOfMessagesNotVisible": "1"}}
    paper.fail("sqs:ReceiveMessage", refused("AccessDenied", "no"), always=True)
    paper.define()
    paper.rule("nightly", ecs_target(DeadLetterConfig={"Arn": arn("full", "sqs")}))
    (queue,) = here(paper)[0].queues.values()
    assert (queue.waiting, queue.letters, queue.unread) == (8, (), "the caller needs sqs:ReceiveMessage")


@pytest.mark.parametrize("count", [1, 9], ids=["by name", "in the list"])
def test_roles_are_known_with_their_trust_and_one_that_is_gone_is_absent(paper, count):
    paper.roles = {f"role{number}" for number in range(count)}
    paper.define()
    for number in range(count):
        paper.rule(f"rule{number}", ecs_target(role=f"role{number}"))
    paper.rule("gone", ecs_target(role="gone"))
    told, rows, _ = here(paper)
    roles = {row.owner.name: told.roles[row.role] for row in rows}
    assert roles["rule0"].trust["Statement"][0]["Principal"] == {"Service": "events.amazonaws.com"}
    assert isinstance(roles["gone"], Absent)


def test_the_roles_of_the_task_are_known_too_also_where_ecs_tells_a_name_alone(paper):
    paper.roles = {"scheduler", "task", "execution", "override"}
    paper.define(taskRoleArn="task", executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/execution")
    paper.rule("nightly", ecs_target(Input=json.dumps({"executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/override"})))
    told, (row,), _ = here(paper)
    names = {role.rpartition("/")[2]: known for role, known in told.roles.items()}
    assert set(names) == {"scheduler", "task", "override"}
    assert all(isinstance(known, Role) for known in names.values())
    assert set(told.permit(row).pass_role) == {f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("task", "override")}


def test_what_the_roles_must_do_besides_is_known(paper):
    machine = arn("stateMachine:nightly", "states")
    run = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": True}
    run["Parameters"] = {"Cluster": arn("cluster/batch"), "TaskDefinition": "nightly"}
    paper.machines[machine] = json.dumps({"StartAt": "Run", "States": {"Run": run}})
    paper.define()
    paper.schedule("nightly", ecs_target(DeadLetterConfig={"Arn": arn("lost", "sqs")}))
    paper.rule("through", {"Id": "m", "Arn": machine, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/starter"})
    told, rows, calls = here(paper)
    assert {told.deeds[deed] for row in rows for deed in deeds(row)} == {"allowed"}
    own = {(deed.role.rpartition("/")[2], deed.action, deed.resource) for deed in told.deeds}
    watching, rule = arn("task/batch/*"), arn("rule/StepFunctionsGetEventsForECSTaskRule", "events")
    assert own == {
        ("scheduler", "sqs:SendMessage", arn("lost", "sqs")),
        ("starter", "states:StartExecution", machine),
        ("machine", "ecs:DescribeTasks", watching),
        ("machine", "ecs:StopTask", watching),
        *(("machine", f"events:{action}", rule) for action in ("PutTargets", "PutRule", "DescribeRule")),
    }
    assert calls["iam:SimulatePrincipalPolicy"] == 3


@pytest.mark.parametrize("named", ["batch", arn("cluster/batch"), "gone", arn("cluster/gone")])
def test_a_machine_without_a_revision_to_run_is_asked_about_in_the_cluster_that_it_names(paper, monkeypatch, named):
    machine, asked = arn("stateMachine:nightly", "states"), {}
    run = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": True}
    run["Parameters"] = {"Cluster": named, "TaskDefinition": "nobody"}
    paper.machines[machine] = json.dumps({"StartAt": "Run", "States": {"Run": run}})
    paper.rule("through", {"Id": "m", "Arn": machine, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/starter"})
    answer = paper._simulate_principal_policy

    def noted(place, **parameters):
        entries = {one["ContextKeyName"]: one["ContextKeyValues"] for one in parameters["ContextEntries"]}
        asked[parameters["PolicySourceArn"].rpartition("/")[2]] = entries.get("ecs:cluster")
        return answer(place, **parameters)

    monkeypatch.setattr(paper, "_simulate_principal_policy", noted)
    here(paper)
    assert asked == {"machine": [arn(f"cluster/{named.rpartition('/')[2]}")], "starter": None}


def test_the_groups_of_schedules_are_known_with_one_call_and_the_default_one_needs_none(paper):
    paper.define()
    paper.schedule("nightly", ecs_target())
    told, _, calls = here(paper)
    assert (told.groups, calls["scheduler:ListScheduleGroups"]) == ({}, 0)
    for group in ("reports", "imports"):
        paper.schedule("nightly", ecs_target(), group=group)
    paper.groups_of_schedules["imports"] = "DELETING"
    told, _, calls = here(paper)
    assert (told.groups, calls["scheduler:ListScheduleGroups"]) == ({"reports": "ACTIVE", "imports": "DELETING"}, 1)


def test_groups_that_may_not_be_listed_are_a_gap(paper):
    paper.define()
    paper.schedule("nightly", ecs_target(), group="reports")
    denied = refused("AccessDeniedException", "not authorized to perform: scheduler:ListScheduleGroups")
    paper.fail("scheduler:ListScheduleGroups", denied, always=True)
    told, _, _ = here(paper)
    assert isinstance(told.groups["reports"], Gap)
    assert str(told.groups["reports"]) == "the caller needs scheduler:ListScheduleGroups"


def test_roles_of_one_account_are_asked_for_once_for_all_its_regions(paper):
    paper.define()
    paper.rule("nightly")
    told, _, calls = known(paper, regions=["us-east-1", "eu-west-1"])
    assert calls["iam:GetRole"] == 1
    assert all(isinstance(role, Role) for one in told.values() for role in one.roles.values())


def test_a_role_of_another_account_is_a_gap(paper):
    paper.define()
    foreign = "arn:aws:iam::444455556666:role/other"
    paper.rule("nightly", ecs_target() | {"RoleArn": foreign})
    assert here(paper)[0].roles[foreign].because == f"{foreign} is not of account {ACCOUNT}"


def test_a_target_without_a_role_has_neither_role_nor_permit(paper):
    paper.define()
    paper.rule("nightly", ecs_target() | {"RoleArn": None})
    told, (row,), calls = here(paper)
    assert (told.roles, told.permits, permit_key(row, told)) == ({}, {}, None)
    assert calls["iam:SimulatePrincipalPolicy"] == 0


def test_whether_tagging_is_authorised_is_asked_only_where_tags_are_made(paper):
    paper.define()
    paper.rule("nightly")
    assert here(paper)[0].tagging_authorised is True
    paper.rule("tags", ecs_target(EcsParameters={"EnableECSManagedTags": True}))
    assert here(paper)[0].tagging_authorised is False


DENIALS = {
    "ecs:DescribeTaskDefinition": lambda told, row: told.resolved(row),
    "ecs:DescribeClusters": lambda told, row: told.clusters[row.request.cluster],
    "ecs:ListAccountSettings": lambda told, _: told.tagging_authorised,
    "ec2:DescribeSubnets": lambda told, _: told.subnets["subnet-1"],
    "ec2:DescribeSecurityGroups": lambda told, _: told.security_groups["sg-1"],
    "ec2:DescribeRouteTables": lambda told, _: told.subnets["subnet-1"].way,
    "ec2:DescribeVpcEndpoints": lambda told, _: told.subnets["subnet-1"].endpoints,
    "iam:GetRole": lambda told, row: told.roles[row.role],
    "iam:SimulatePrincipalPolicy": lambda told, row: told.permit(row),
    "sqs:GetQueueUrl": lambda told, row: told.queues[row.dead_letters],
    "sqs:GetQueueAttributes": lambda told, row: told.queues[row.dead_letters],
}


@pytest.fixture
def one_of_all(paper):
    """A rule that needs every kind of fact."""
    paper.define()
    paper.subnets, paper.groups, paper.queues = {"subnet-1": "vpc-1"}, {"sg-1": "vpc-1"}, {"lost": {}}
    paper.tables = [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": True}], "Routes": []}]
    parameters = network("subnet-1", groups=["sg-1"]) | {"EnableECSManagedTags": True}
    paper.rule("nightly", ecs_target(EcsParameters=parameters, DeadLetterConfig={"Arn": arn("lost", "sqs")}))
    return paper


# What cannot be asked, or is not known, without another answer.
HIDES = {
    "ecs:DescribeTaskDefinition": {"iam:SimulatePrincipalPolicy"},
    "ec2:DescribeSubnets": {"ec2:DescribeRouteTables", "ec2:DescribeVpcEndpoints"},
    "sqs:GetQueueUrl": {"sqs:GetQueueAttributes"},
    "sqs:GetQueueAttributes": {"sqs:GetQueueUrl"},
}


@pytest.mark.parametrize("action", DENIALS)
def test_what_may_not_be_asked_is_a_gap_that_names_the_action_and_all_else_is_known(one_of_all, action):
    words = f"User: u is not authorized to perform: {action} because no identity-based policy allows it"
    one_of_all.fail(action, refused("AccessDenied", words), always=True)
    told, (row,), _ = here(one_of_all)
    assert str(DENIALS[action](told, row)) == f"the caller needs {action}"
    missing = {name for name, look in DENIALS.items() if not is_known(look, told, row)}
    assert missing == {action} | HIDES.get(action, set())


def is_known(look, told, row):
    try:
        return not isinstance(look(told, row), Gap)
    except AttributeError:  # of a subnet that is a gap itself
        return False


def test_a_session_that_ends_between_inventory_and_facts_makes_all_of_them_gaps(one_of_all):
    over = refused("ExpiredTokenException", "The security token included in the request is expired")
    names = ("ecs:DescribeTaskDefinition", "ecs:DescribeClusters", "ec2:DescribeSubnets", "iam:GetRole")
    for name in names:
        one_of_all.fail(name, over, always=True)
    told, (row,), calls = here(one_of_all)
    for look in (
        told.resolved(row),
        told.clusters[row.request.cluster],
        told.subnets["subnet-1"],
        told.roles[row.role],
    ):
        assert isinstance(look, Gap)
        assert "ExpiredTokenException" in look.because
    assert calls.total() <= 8
