"""The gate on a local AWS: a revision that fits passes, and each that does not is stopped with a person's sentence."""

import json
import re
from pathlib import Path

import pytest
from local_world import ACCOUNT, REGION, LocalWorld, allow, arn, trusting

from ecs_runbook.checks.gate import gate, judge_gate
from ecs_runbook.cli import main
from ecs_runbook.errors import EvidenceError
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.permissions import NOTEBOOKS
from ecs_runbook.local_aws import process
from ecs_runbook.session import connect
from ecs_runbook.verdicts.verdict import worst

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/nightly:1"
LOGS = {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/nightly", "awslogs-region": REGION}}
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MAIN = {"name": "main", "image": IMAGE, "logConfiguration": LOGS}


class Nightly(LocalWorld):
    """A rule and a schedule that run family ``nightly`` without a revision, and a rule that is pinned to the first."""

    def __init__(self, server):
        super().__init__(server)
        self.aws = connect("local", endpoint=server.url, region=REGION)
        self.cluster_arn = arn("cluster/batch")
        self.ecs.create_cluster(clusterName="batch", capacityProviders=["FARGATE"])
        self.client("logs").create_log_group(logGroupName="/ecs/nightly")
        self.push("nightly", "1")
        self.execution, self.task = self.role(), self.role()
        self.deploy()
        run = allow(
            "ecs:RunTask", f"{arn('task-definition/nightly')}:*", {"ArnEquals": {"ecs:cluster": self.cluster_arn}}
        )
        passed = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
        pass_on = allow("iam:PassRole", [self.task, self.execution], passed)
        caller = self.role(run, pass_on, trust=trusting(["events.amazonaws.com", "scheduler.amazonaws.com"]))
        network = {"Subnets": [self.subnet], "SecurityGroups": [self.group]}
        family = arn("task-definition/nightly")
        for name, definition in (("by-rule", family), ("pinned", f"{family}:1")):
            asked = {"TaskDefinitionArn": definition, "LaunchType": "FARGATE"}
            asked["NetworkConfiguration"] = {"awsvpcConfiguration": network}
            override = json.dumps({"containerOverrides": [{"name": "main", "command": ["true"]}]})
            target = {
                "Id": "run",
                "Arn": self.cluster_arn,
                "RoleArn": caller,
                "EcsParameters": asked,
                "Input": override,
            }
            self.events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
            self.events.put_targets(Rule=name, Targets=[target])
        asked = {"TaskDefinitionArn": family, "LaunchType": "FARGATE"}
        asked["NetworkConfiguration"] = {"awsvpcConfiguration": network}
        target = {"Arn": self.cluster_arn, "RoleArn": caller, "EcsParameters": asked}
        window = {"FlexibleTimeWindow": {"Mode": "OFF"}}
        self.client("scheduler").create_schedule(
            Name="by-schedule", ScheduleExpression="rate(1 day)", Target=target, **window
        )

    def push(self, repository, tag):
        ecr = self.client("ecr")
        if repository not in {one["repositoryName"] for one in ecr.describe_repositories()["repositories"]}:
            ecr.create_repository(repositoryName=repository)
        manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": f"sha256:{tag:0>64}"}, "layers": []}
        )
        ecr.put_image(repositoryName=repository, imageManifest=manifest, imageTag=tag)

    def deploy(self, container=MAIN, **more):
        roles = {"taskRoleArn": self.task, "executionRoleArn": self.execution}
        return self.register("nightly", [container], **roles | more)["taskDefinitionArn"].rpartition("/")[2]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    server = process.start(tmp_path_factory.mktemp("gate"))
    yield Nightly(server)
    process.stop(server.folder)


def said(world, revision, aws=None):
    """The verdict's status, and what it is about: check, subject and words of what is not OK."""
    places = fleet(aws or world.aws)
    checks = judge_gate(gate(revision, places, take_inventory(places)), revision)
    bad = {(one.id, one.subject.partition(" in ")[0]): one.because for one in checks if one.status != "OK"}
    return worst(one.status for one in checks), bad


def test_a_revision_that_fits_passes_and_only_what_will_run_it_is_asked(world):
    new = world.deploy()
    places = fleet(world.aws)
    checked = gate(new, places, take_inventory(places))
    assert {row.subject for row in checked.inventory.rows} == {"by-rule", "by-schedule"}
    checks = judge_gate(checked, new)
    assert {one.status for one in checks} == {"OK"}
    assert {"override-container", "pass-role-missing", "run-task-missing", "log-group-missing", "image-missing"} <= {
        one.id for one in checks
    }
    assert said(world, "nightly")[0] == "OK"  # the family alone is its latest revision


def test_a_pinned_rule_is_asked_only_of_its_own_revision(world):
    places = fleet(world.aws)
    checked = gate("nightly:1", places, take_inventory(places))
    assert {row.subject for row in checked.inventory.rows} == {"pinned"}  # what is not pinned will run another one


def test_the_cell_in_the_readme_passes_what_fits_and_raises_for_what_does_not(world):
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    (cell,) = [one for one in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "judge_gate" in one]
    cell = re.sub(r"connect\(.*\)", 'connect("local", endpoint=endpoint, region=region)', cell)
    names = {"endpoint": world.aws.endpoint, "region": REGION}
    exec(cell.replace("nightly:8", world.deploy()), names)
    with pytest.raises(AssertionError, match="gate: NG"):
        exec(cell.replace("nightly:8", world.deploy(MAIN | {"name": "web"})), names)


def test_a_container_that_was_renamed_is_stopped(world):
    new = world.deploy(MAIN | {"name": "web"})
    status, bad = said(world, new)
    assert status == "NG"
    assert bad == {("override-container", "by-rule"): f"its input overrides main, and {new} has web"}


def test_a_new_task_role_that_may_not_be_passed_is_stopped_for_each(world):
    role = world.role()
    status, bad = said(world, world.deploy(taskRoleArn=role))
    assert status == "NG"
    assert set(bad) == {("pass-role-missing", "by-rule"), ("pass-role-missing", "by-schedule")}
    assert all(role.rpartition("/")[2] in words for words in bad.values())


def test_a_revision_for_ec2_alone_is_stopped_on_fargate(world):
    new = world.deploy(requiresCompatibilities=["EC2"], networkMode="bridge", cpu=None, memory="512")
    status, bad = said(world, new)
    assert status == "NG"
    assert bad["definition-compatibility", "by-rule"].startswith(f"{new} is fit for EC2")
    assert bad["definition-compatibility", "by-rule"].endswith(", and its launch type is FARGATE")
    assert ("network-not-awsvpc", "by-schedule") in bad


def test_a_pair_that_fargate_does_not_have_is_stopped(world):
    new = world.deploy(requiresCompatibilities=["EC2"], cpu="256", memory="4096")
    _, bad = said(world, new)
    assert bad["fargate-size", "by-rule"] == (
        f"{new} gives cpu 256, memory 4096, and Fargate has cpu 256 with 512 to 2048 MiB"
    )


@pytest.mark.parametrize(
    ("container", "check", "words"),
    [
        (
            MAIN
            | {
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": LOGS["options"] | {"awslogs-group": "/ecs/night"},
                }
            },
            "log-group-missing",
            f"CloudWatch Logs has no group /ecs/night in {REGION}",
        ),
        (MAIN | {"image": IMAGE.replace(":1", ":2")}, "image-missing", "nightly:2 is not there: ECR says"),
        (MAIN | {"image": IMAGE.replace("/nightly", "/other")}, "image-missing", "other:1 is not there: ECR says"),
    ],
)
def test_what_is_not_there_when_the_task_starts_is_stopped(world, container, check, words):
    status, bad = said(world, world.deploy(container))
    assert status == "NG"
    assert {key[0] for key in bad} == {check}
    assert all(words in because for because in bad.values())


def test_a_log_group_that_ecs_makes_itself_and_another_registrys_image_are_not_asked_for(world):
    options = LOGS["options"] | {"awslogs-group": "/ecs/made", "awslogs-create-group": "true"}
    container = MAIN | {"image": "busybox", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    places = fleet(world.aws)
    checked = gate(world.deploy(container), places, take_inventory(places))
    assert {"log-group-missing", "image-missing"}.isdisjoint(one.check for one in checked.findings)
    assert "ecr:DescribeImages" not in checked.calls


def test_a_revision_that_is_not_there_or_not_active_is_refused(world):
    places = fleet(world.aws)
    found = take_inventory(places)
    with pytest.raises(EvidenceError, match=f"There is no revision nightly:999 in {ACCOUNT}/{REGION}"):
        gate("nightly:999", places, found)
    gone = world.deploy()
    world.ecs.deregister_task_definition(taskDefinition=gone)
    with pytest.raises(EvidenceError, match=f"{gone} is INACTIVE: no schedule will run it"):
        gate(gone, places, found)


def test_a_revision_that_is_not_the_latest_and_that_nothing_is_pinned_to_is_refused(world):
    older, newer = world.deploy(), world.deploy()
    places = fleet(world.aws)
    with pytest.raises(EvidenceError, match=f"{older} is not the latest ACTIVE revision of its family") as told:
        gate(older, places, take_inventory(places))
    assert told.value.hint == f"Ask for {newer}, which runs next."


def test_a_family_that_no_schedule_runs_is_skip(world):
    world.register("alone")
    status, bad = said(world, "alone")
    assert (status, set(bad)) == ("SKIP", {("gate", "alone")})


def test_the_command_line_says_it_by_words_and_exit_code(world, capsys):
    good = world.deploy()
    where = ["--endpoint", world.server.url, "--region", REGION]
    assert main(["gate", good, *where]) == 0
    assert capsys.readouterr().out.startswith(f"gate: OK · local · account {ACCOUNT} · {REGION}")
    bad = world.deploy(MAIN | {"name": "web"})
    assert main(["gate", bad, "--format", "json", *where]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "NG"
    assert [one["because"] for one in told["checks"] if one["status"] == "NG"] == [
        f"its input overrides main, and {bad} has web"
    ]
    assert main(["gate", "nightly:999", *where]) == 2
    assert "There is no revision nightly:999" in capsys.readouterr().err
    world.register("alone")
    assert main(["gate", "alone", *where]) == 2


@pytest.mark.parametrize("missing", ["", *NOTEBOOKS["gate"]])
def test_with_its_policy_all_is_well_and_each_action_taken_away_is_named(world, missing):
    new = world.deploy()
    actions = sorted({*NOTEBOOKS["60_check"], *NOTEBOOKS["gate"]} - {missing})
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    there = world.aws.elsewhere(role=world.role(allow(actions, "*"), trust=root))
    process.settings(world.server, enforce_iam=True)
    try:
        status, bad = said(world, new, there)
    finally:
        process.settings(world.server, enforce_iam=False)
    assert status == ("SKIP" if missing else "OK")
    assert {words.partition(" (")[0] for words in bad.values()} == (
        {f"the caller needs {missing}"} if missing else set()
    )
