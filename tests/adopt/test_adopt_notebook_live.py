"""The notebook itself, from the rule to the apply; who rewrites a target; and the least policy that is enough."""

import json
from dataclasses import replace
from pathlib import Path

import papermill
import pytest
from things_to_adopt import NEW_QUEUE, TWENTY, arn, furnish, make

from ecs_runbook import workspace
from ecs_runbook.adopt.adopt import adopt_in_terraform, write_adoption
from ecs_runbook.adopt.around import Around, what_they_name
from ecs_runbook.adopt.choosing import to_adopt
from ecs_runbook.adopt.existing import existing
from ecs_runbook.adopt.mends import MENDS
from ecs_runbook.adopt.planned import read_plan
from ecs_runbook.adopt.rewriters import who_rewrites
from ecs_runbook.errors import AwsError, EvidenceError, SpecError, WorkspaceError
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.local_aws import process
from ecs_runbook.terraform.run import Terraform

ROOT = Path(__file__).resolve().parents[2]
PLANNED = {  # by Terraform alone
    "scheduler:GetScheduleGroup",
    "states:ListStateMachineVersions",
    "states:ValidateStateMachineDefinition",
}
BY_NAME = {one["name"]: one for one in TWENTY}


@pytest.fixture(scope="module")
def made(aws, server):
    process.clock(server, freeze=True)
    furnish(aws)
    for name in (
        "a01-plain",
        "a04-spaced-input",
        "a06-bucket",
        "a09-everything",
        "a10-five",
        "b01-plain",
        "b03-window",
        "b09-machine",
    ):
        make(aws, BY_NAME[name])


@pytest.fixture(scope="module")
def deployed(aws, server, made):
    """A pipeline that registers a revision and writes it into the rule's target, three times."""
    events, ecs, scheduler = aws.client("events"), aws.client("ecs"), aws.client("scheduler")
    schedule = {
        key: value
        for key, value in scheduler.get_schedule(Name="b01-plain").items()
        if key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    }
    old = ecs.describe_task_definition(taskDefinition="job")["taskDefinition"]
    kept = ("containerDefinitions", "networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn")
    for _ in range(3):
        new = ecs.register_task_definition(family="job", **{key: old[key] for key in kept})["taskDefinition"]
        (target,) = BY_NAME["a04-spaced-input"]["targets"]
        parameters = target["EcsParameters"] | {"TaskDefinitionArn": new["taskDefinitionArn"]}
        events.put_targets(Rule="a04-spaced-input", Targets=[target | {"EcsParameters": parameters}])
        its = schedule["Target"] | {"EcsParameters": schedule["Target"]["EcsParameters"]}
        its["EcsParameters"] |= {"TaskDefinitionArn": new["taskDefinitionArn"]}
        scheduler.update_schedule(**schedule | {"Target": its})
        process.clock(server, advance="20m")  # CloudTrail tells after minutes


def notebook(aws, home, which, **given):
    path = workspace.notebooks() / f"{which}.ipynb"
    papermill.execute_notebook(
        path, home / "out.ipynb", parameters={"endpoint": aws.endpoint, **given}, progress_bar=False
    )


def verdict(home):
    return json.loads((home / "runs" / "latest" / "verdict.json").read_text())


def test_adopted_as_it_is_and_applied_by_the_next_notebook(aws, made, home):
    before = aws.client("events").list_targets_by_rule(Rule="a10-five")["Targets"]
    notebook(aws, home, "80_adopt", rules=["a10-five"])
    told = verdict(home)
    assert [(one["id"], one["status"]) for one in told["checks"]] == [
        ("adopt-ready", "OK"),
        ("adopt-mends", "OK"),
        ("adopt-left-out", "OK"),
        ("adopt-rewritten", "OK"),
    ]
    assert told["checks"][0]["because"] == "the plan imports all 5 resources, and changes nothing"
    notebook(aws, home, "20_apply", name="a10-five-adopted")
    assert verdict(home)["status"] == "OK"
    assert aws.client("events").list_targets_by_rule(Rule="a10-five")["Targets"] == before


def test_what_a_repository_makes_is_mended_there_and_the_other_is_imported(aws, made, home, tmp_path):
    tree = """\
resource "aws_scheduler_schedule" "b01" {
  name                = "b01-plain"
  schedule_expression = "cron(0 3 * * ? *)"
  flexible_time_window { mode = "OFF" }
  target {
    arn      = "arn:aws:ecs:us-east-1:123456789012:cluster/default"
    role_arn = "arn:aws:iam::123456789012:role/schedules"
    ecs_parameters {
      task_definition_arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/job:1" # by hand
      launch_type         = "FARGATE"
    }
  }
}
"""
    (tmp_path / "main.tf").write_text(tree)
    given = {"repository": str(tmp_path), "apply_patch": True, "mend": ["pinned-revision"]}
    notebook(aws, home, "80_adopt", rules=["a10-five"], schedules=["b01-plain"], folder="some", **given)
    told = {one["id"]: (one["status"], one["because"]) for one in verdict(home)["checks"]}
    assert told["adopt-patched"] == ("OK", "b01-plain: 1 edit in 1 of your files, written")
    assert told["adopt-ready"][0] == "OK"
    assert "all 5 resources" in told["adopt-ready"][1]
    assert (tmp_path / "main.tf").read_text() == tree.replace("job:1", "job")
    assert "b01" not in (home / "some" / "main.tf").read_text()


def test_a_pipeline_that_writes_the_target_at_every_deploy_is_named_and_the_verdict_is_not_good(aws, deployed, home):
    with pytest.raises(papermill.PapermillExecutionError):
        notebook(aws, home, "80_adopt", rules=["a04-spaced-input"], mend=["pinned-revision"])
    (bad,) = [one for one in verdict(home)["checks"] if one["status"] != "OK"]
    assert (bad["id"], bad["status"]) == ("adopt-rewritten", "NG")
    assert "a04-spaced-input#job: arn:aws:iam::123456789012:root (Boto3/" in bad["because"]
    assert "wrote job:2, job:3, job:4" in bad["because"]
    assert "un-pinning in Terraform alone will be undone at its next deploy" in bad["because"]


def test_a_pipeline_that_updates_a_schedule_is_named_too(aws, deployed):
    found = take_inventory(fleet(aws), schedules=["b01-plain"], raw=True)
    things = existing(found, fleet(aws)).things
    (one,) = who_rewrites(things, now=aws.now(), cloudtrail=aws.client("cloudtrail"), pace=aws.pace).rewriters
    assert str(one).startswith("b01-plain: arn:aws:iam::123456789012:root (Boto3/")
    assert "wrote job:2, job:3, job:4" in str(one)


def test_all_that_a_check_finds_is_chosen_and_nothing_else(aws, made):
    choice = to_adopt(fleet(aws), now=aws.now(), all_found=True)
    assert "b01-plain" in {row.owner.name for row in choice.inventory.rows}
    assert "pinned-revision" in choice.found["b01-plain"]
    assert {row.subject for row in choice.inventory.rows} <= set(choice.found)


@pytest.mark.parametrize("given", [{}, {"rules": ["a01-plain"], "all_found": True}])
def test_nothing_named_or_both_is_refused(aws, made, given):
    with pytest.raises(SpecError, match=r"all_found = .*name rules or schedules, or write True"):
        to_adopt(fleet(aws), now=aws.now(), **given)


def test_what_aws_manages_or_a_stack_owns_is_left_out_and_the_rest_is_adopted(aws, made):
    events = aws.client("events")
    for name in ("z1-stack", "z2-free"):
        make(aws, BY_NAME["a01-plain"] | {"name": name})
    stack = [{"Key": "aws:cloudformation:stack-name", "Value": "jobs"}]
    events.tag_resource(ResourceARN=arn("events", "rule/z1-stack"), Tags=stack)
    found = take_inventory(fleet(aws), rules=["z1-stack", "z2-free"], raw=True)
    whole = existing(found, fleet(aws))
    assert [one.name for one in whole.things] == ["z2-free"]
    (left,) = whole.left_out
    assert str(left).startswith("z1-stack: the stack jobs owns it: mend it there, or let the stack go of it first")
    for name in ("z1-stack", "z2-free"):
        events.remove_targets(Rule=name, Ids=["job"])
        events.delete_rule(Name=name)


def test_a_rule_that_an_aws_service_manages_is_left_out(aws, made):
    inventory = take_inventory(fleet(aws), rules=["a01-plain"], schedules=["b01-plain"], raw=True)
    told = [replace(one.raw, owner=one.raw.owner | {"ManagedBy": "batch.amazonaws.com"}) for one in inventory.rows[:1]]
    rows = [replace(inventory.rows[0], raw=told[0]), *inventory.rows[1:]]
    assert rows[0].owner.name == "a01-plain"
    places = fleet(aws)
    whole = existing(replace(inventory, rows=rows), places)
    assert dict(places.gate.counts) == {}
    assert [one.name for one in whole.things] == ["b01-plain"]
    words = "a01-plain: batch.amazonaws.com manages it, and nobody else may change it"
    assert list(map(str, whole.left_out)) == [words]


def test_nothing_is_asked_for_twice_or_of_what_is_not_adopted(aws, made):
    events = aws.client("events")
    waits = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}
    sfn, role = aws.client("stepfunctions"), arn("iam", "role/states")
    other = sfn.create_state_machine(name="other", definition=json.dumps(waits), roleArn=role)["stateMachineArn"]
    names = ["y1-both", "y2-both"]
    for name in names:
        make(aws, BY_NAME["a01-plain"] | {"name": name})
        events.put_targets(Rule=name, Targets=[{"Id": "other", "Arn": other, "RoleArn": arn("iam", "role/rules")}])
    places = fleet(aws)
    whole = existing(take_inventory(places, rules=names, schedules=["batch/b03-window"], raw=True), places)
    what_they_name(whole.things, ["policy"], places, with_what_it_names=True)
    assert {one.name: len(one.targets) for one in whole.things} == {"b03-window": 1, "y1-both": 2, "y2-both": 2}
    told = {name: count for name, count in places.gate.counts.items() if not name.startswith("iam:Get")}
    assert told == {
        "events:DescribeRule": 2,  # each named, with its targets and its tags
        "events:ListTargetsByRule": 2,
        "events:ListTagsForResource": 2,
        "scheduler:GetSchedule": 1,
        "scheduler:ListTagsForResource": 1,  # of its group
        "states:DescribeStateMachine": 1,  # the other, to know that it is none of ours
        "iam:ListRolePolicies": 2,  # of the rules' role and the schedule's
        "iam:ListAttachedRolePolicies": 2,
        "iam:ListEntitiesForPolicy": 1,
    }
    for name in names:
        events.remove_targets(Rule=name, Ids=["job", "other"])
        events.delete_rule(Name=name)
    sfn.delete_state_machine(stateMachineArn=other)


def test_an_inventory_that_kept_nothing_is_refused(aws, made):
    with pytest.raises(EvidenceError, match=r"did not keep what AWS told of a01-plain\.\n?.*raw = True"):
        existing(take_inventory(fleet(aws), rules=["a01-plain"]), fleet(aws))


def test_a_mend_of_something_that_is_not_adopted_is_refused_with_its_neighbour(aws, made):
    words = r"mend = 'pinned-revision of a01-plane': it is not among what is adopted; nearest: a01-plain"
    with pytest.raises(SpecError, match=words):
        to_adopt(fleet(aws), now=aws.now(), rules=["a01-plain"], mend=["pinned-revision of a01-plane"])


def test_what_is_to_be_left_out_is_not_adopted_and_has_to_be_there(aws, made):
    choice = to_adopt(fleet(aws), now=aws.now(), rules=["a01-plain", "a10-five"], leave_out=["a10-five"])
    assert {row.owner.name for row in choice.inventory.rows} == {"a01-plain"}
    with pytest.raises(SpecError, match=r"leave_out = 'a10-fife': it is not among what is adopted; nearest: a10-five"):
        to_adopt(fleet(aws), now=aws.now(), rules=["a01-plain", "a10-five"], leave_out=["a10-fife"])


def test_a_queue_that_is_not_there_or_elsewhere_is_refused(aws, made):
    things = existing(take_inventory(fleet(aws), rules=["a01-plain"], raw=True), fleet(aws)).things
    for queue, words in {
        arn("sqs", "nowhere"): "there is no such queue: make it first, or name another",
        NEW_QUEUE.replace("us-east-1", "eu-west-1"): "name a queue of us-east-1: dead letters stay in their Region",
    }.items():
        with pytest.raises(SpecError, match=words):
            what_they_name(things, ["dead-letter-queue"], dead_letter_queue=queue, places=fleet(aws))


def test_a_rule_that_is_not_there_is_told_with_its_neighbour(aws, made):
    with pytest.raises(EvidenceError) as refused:
        to_adopt(fleet(aws), now=aws.now(), rules=["a01-plane"])
    assert "rule = 'a01-plane': there is no such rule" in str(refused.value)
    assert "a01-plain" in str(refused.value)


def test_more_than_cloudtrail_keeps_is_refused(aws, made):
    with pytest.raises(SpecError, match=r"trail_days = 120: write more than 0 and at most 89"):
        who_rewrites([], now=aws.now(), days=120, cloudtrail=aws.client("cloudtrail"))


class TestWithTheLeastPolicy:
    """Under exactly ``docs/policies/80_adopt.json`` all is read and planned; without an action it is named."""

    POLICY = json.loads((ROOT / "docs" / "policies" / "80_adopt.json").read_text())

    @pytest.fixture
    def acting(self, aws, server, made):  # noqa: ARG002 - there must be something to read
        iam = aws.client("iam")
        trust = {"Effect": "Allow", "Principal": {"AWS": arn("iam", "root")}, "Action": "sts:AssumeRole"}
        whole = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=whole)["Role"]["Arn"]

        def as_role(given):
            iam.put_role_policy(RoleName="reader", PolicyName="all", PolicyDocument=json.dumps(given))
            process.settings(server, enforce_iam=True)
            return aws.elsewhere(role=role)

        yield as_role
        process.settings(server, enforce_iam=False)
        iam.delete_role_policy(RoleName="reader", PolicyName="all")
        iam.delete_role(RoleName="reader")

    def read(self, aws):
        choice = to_adopt(
            fleet(aws),
            now=aws.now(),
            rules=["a01-plain", "orders/a06-bucket", "a09-everything"],
            schedules=["batch/b03-window", "b09-machine"],
        )
        whole = existing(choice.inventory, fleet(aws))
        around = what_they_name(
            whole.things, MENDS, dead_letter_queue=NEW_QUEUE, with_what_it_names=True, places=fleet(aws)
        )
        who = who_rewrites(whole.things, now=aws.now(), cloudtrail=aws.client("cloudtrail"), pace=aws.pace)
        return whole, around, who

    def test_all_is_read(self, acting):
        whole, around, who = self.read(acting(self.POLICY))
        assert (len(whole.things), whole.left_out, dict(around.policies.unknown), who.unknown) == (5, (), {}, "")
        assert {one.name for one in around.policies.all} == {"run", "shared"}
        assert [one.name for one in around.machines.values()] == ["again"]
        assert around.queue.name == "new-dead"

    def test_all_is_planned(self, acting, aws, server, home):
        other = acting(self.POLICY)
        whole, around, _ = self.read(other)
        wanted = {"mend": MENDS, "dead_letter_queue": NEW_QUEUE}
        place = {"account": aws.account, "region": aws.region}
        adoption = adopt_in_terraform(whole.things, around, **place, **wanted)
        files = write_adoption(adoption, aws, folder=str(home / "least"))
        keys = aws.client("sts").assume_role(RoleArn=arn("iam", "role/reader"), RoleSessionName="plan")["Credentials"]
        names = {"access_key": "AccessKeyId", "secret_key": "SecretAccessKey", "token": "SessionToken"}
        lines = "\n".join(f'  {name} = "{keys[key]}"' for name, key in names.items())
        (files.folder / "reader_override.tf").write_text(f'provider "aws" {{\n{lines}\n}}\n')
        since, terraform = aws.now(), Terraform(files.folder, aws=aws)
        judged = read_plan(adoption, terraform.plan_in_json(terraform.plan()))
        assert judged.ready, judged.table
        process.settings(server, enforce_iam=False)
        pages = aws.client("cloudtrail").get_paginator("lookup_events").paginate(StartTime=since)
        told = [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]
        asked = {
            f"{one['eventSource'].partition('.')[0]}:{one['eventName']}"
            for one in told
            if one["userIdentity"].get("arn", "").endswith("/plan") and "errorCode" not in one
        }
        assert asked - {"sts:GetCallerIdentity"} <= {one for each in self.POLICY["Statement"] for one in each["Action"]}
        assert asked >= PLANNED

    @pytest.mark.parametrize(
        "action", sorted({one for each in POLICY["Statement"] for one in each["Action"]} - PLANNED)
    )
    def test_without_one_it_is_named(self, acting, action):
        statements = [
            one | {"Action": [each for each in one["Action"] if each != action]} for one in self.POLICY["Statement"]
        ]
        fewer = self.POLICY | {"Statement": [one for one in statements if one["Action"]]}
        try:
            whole, around, who = self.read(acting(fewer))
            said = f"{whole.left_out} {around} {who.unknown}"
        except AwsError as refused:
            said = str(refused)
        assert action in said


def test_the_folder_is_written_whole_or_not_at_all(aws, made, home):
    choice = to_adopt(fleet(aws), now=aws.now(), rules=["a01-plain"])
    things = existing(choice.inventory, fleet(aws)).things
    adoption = adopt_in_terraform(things, Around(), mend=[], account=aws.account, region=aws.region)
    folder = home / "whole"
    files = write_adoption(adoption, aws, folder=str(folder))
    assert set(files.written) == {".gitignore", "README.md", "local_aws_override.tf", "main.tf"}
    (folder / "main.tf").write_text("# mine\n")
    with pytest.raises(WorkspaceError, match=r"main\.tf, which was changed by hand"):
        write_adoption(adoption, aws, folder=str(folder))
    assert (folder / "main.tf").read_text() == "# mine\n"
