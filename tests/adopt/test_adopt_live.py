"""
Twenty things made by hand are adopted: the plan imports them and changes what was chosen, nothing else; then it is so.

What is expected of each is read from AWS itself, before and after the apply, and not from what the plan says.
"""

import copy
import json
import subprocess

import pytest
from things_to_adopt import CLUSTER, LATEST, MACHINE, NEW_QUEUE, PINNED, QUEUE, TWENTY, arn, furnish, make, policy

from ecs_runbook.adopt.adopt import adopt_in_terraform, write_adoption
from ecs_runbook.adopt.around import what_they_name
from ecs_runbook.adopt.existing import existing
from ecs_runbook.adopt.mends import MENDS
from ecs_runbook.adopt.planned import read_plan
from ecs_runbook.adopt.rewriters import Who
from ecs_runbook.adopt.verdict import judge_adoption
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.local_aws import process
from ecs_runbook.terraform import binary
from ecs_runbook.terraform.run import Terraform

NOW, NIGHT = "2027-02-05T10:17:00Z", "2027-02-06T05:00:00Z"


def read(aws):
    return existing(take_inventory(fleet(aws), raw=True), fleet(aws)).things


def told(things):
    """What AWS keeps of each, without when it was written last, and what it takes where nothing is said."""
    kept = {}
    for thing in copy.deepcopy(things):
        own = {key: value for key, value in thing.told.items() if key not in ("LastModificationDate", "Target")}
        for target in thing.targets:
            if "EcsParameters" in target:
                for name, value in {
                    "TaskCount": 1,
                    "EnableECSManagedTags": False,
                    "EnableExecuteCommand": False,
                }.items():
                    target["EcsParameters"].setdefault(name, value)
                for provider in target["EcsParameters"].get("CapacityProviderStrategy", []):
                    provider.setdefault("base", 0)
                network = target["EcsParameters"].get("NetworkConfiguration", {}).get("awsvpcConfiguration", {})
                network |= {name: sorted(network.get(name, [])) for name in ("Subnets", "SecurityGroups")}
            usual = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
            target["RetryPolicy"] = usual | target.get("RetryPolicy", {})
        kept[thing.label] = (own, {one.get("Id", ""): one for one in thing.targets}, thing.tags)
    return kept


@pytest.fixture(scope="module")
def before(aws, server):
    process.clock(server, freeze=True)
    process.clock(server, to=NOW)
    furnish(aws)
    for one in TWENTY:
        make(aws, one)
    return read(aws)


@pytest.fixture(scope="module")
def adopted(aws, before, home):
    """Adopt all, at first without a difference; then with all, which is applied."""
    place = {"account": aws.account, "region": aws.region}
    seen = {}
    for name, mend, queue in (("as it is", [], ""), ("mended", MENDS, NEW_QUEUE)):
        given = {"dead_letter_queue": queue, "with_what_it_names": bool(mend)}
        around = what_they_name(before, mend, fleet(aws), **given)
        adoption = adopt_in_terraform(before, around, mend=mend, dead_letter_queue=queue, **place)
        files = write_adoption(adoption, aws, folder=str(home / name.replace(" ", "-")))
        terraform = Terraform(files.folder, aws=aws)
        plan = terraform.plan()
        judged = read_plan(adoption, terraform.plan_in_json(plan))
        seen[name] = {"adoption": adoption, "judged": judged, "folder": files.folder}
    terraform.apply(plan)
    return seen | {"plan after": terraform.plan(), "after": read(aws)}


def test_without_a_mend_the_plan_imports_everything_and_changes_nothing_of_aws(adopted):
    judged = adopted["as it is"]["judged"]
    assert judged.ready
    assert (judged.missing, judged.other, judged.absent, judged.dropped, judged.unchosen) == ((), (), (), (), [])
    rules = [one for one in TWENTY if one["kind"] == "rule"]
    targets = sum(len(one["targets"]) for one in rules)
    assert len(judged.imported) == len(rules) + targets + 9
    assert {(one.attribute, one.before, one.after) for one in judged.changes} == {
        ("ecs_target[0].task_count", 0, 1),
        ("retry_policy[0].maximum_event_age_in_seconds", 0, 86400),
    }


def test_with_mends_the_plan_changes_just_what_was_chosen(adopted):
    judged = adopted["mended"]["judged"]
    assert judged.ready
    assert [str(one) for one in judged.changes if not one.chosen and not one.same] == []
    by_mend = {mend: [one for one in judged.changes if one.chosen == mend] for mend in MENDS}
    pinned = [t for one in TWENTY for t in one.get("targets", [one.get("told", {}).get("Target")])]
    in_targets = json.dumps(pinned).count(':1"') + json.dumps(pinned).count(':1\\"')
    assert len(by_mend["pinned-revision"]) == in_targets + 1  # and the state machine
    assert "aws_sfn_state_machine.again" in {one.address for one in by_mend["pinned-revision"]}
    assert [one.address for one in by_mend["launch-type"]] == ["aws_cloudwatch_event_target.a07_public"]
    assert sorted(one.address for one in by_mend["policy"]) == [
        "aws_iam_policy.shared",
        "aws_iam_role_policy.rules_run",
        "aws_iam_role_policy.states_run",
    ]
    assert adopted["mended"]["adoption"].told == ("shared is attached to role task too, which gets the same",)
    assert "aws_sqs_queue_policy.new_dead" in {one.address for one in by_mend["dead-letter-queue"]}


def test_what_they_name_is_listed_and_goes_along_on_request(adopted):
    alone, along = (adopted[name]["adoption"].named.set_index("arn")["adopted"] for name in ("as it is", "mended"))
    assert set(alone) == {""}
    assert {arn_: address for arn_, address in along.items() if address} == {
        arn("events", "event-bus/orders"): "aws_cloudwatch_event_bus.orders",
        arn("scheduler", "schedule-group/batch"): "aws_scheduler_schedule_group.batch",
        arn("iam", "role/rules"): "aws_iam_role.rules",
        arn("iam", "role/schedules"): "aws_iam_role.schedules",
        QUEUE: "aws_sqs_queue.dead",
        arn("states", "stateMachine:again"): "aws_sfn_state_machine.again",
    }
    assert {CLUSTER, PINNED} <= set(along.index)
    assert {"aws_iam_role.states", "aws_iam_role_policy_attachment.schedules_shared"} <= set(
        adopted["mended"]["judged"].imported
    )


def test_what_finds_no_place_is_said_with_its_reason(adopted):
    left = {(one.mend, one.of): one.because for one in adopted["mended"]["adoption"].not_mended}
    assert left == {("launch-type", "a12-placed#job"): "it is placed on container instances, which Fargate has not"}


def test_the_verdict_of_each_plan(aws, adopted):
    for name, mends in (("as it is", "OK"), ("mended", "SKIP")):
        checks = judge_adoption(adopted[name]["adoption"], adopted[name]["judged"], Who((), aws.now()))
        assert [(one.id, one.status) for one in checks] == [
            ("adopt-ready", "OK"),
            ("adopt-mends", mends),
            ("adopt-left-out", "OK"),
            ("adopt-rewritten", "OK"),
        ]


@pytest.mark.parametrize("name", ["as it is", "mended"])
def test_what_is_written_is_as_terraform_would_format_it(adopted, name):
    command = [*binary.find().command, "fmt", "-check", "-diff"]
    done = subprocess.run(command, cwd=adopted[name]["folder"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_readme_of_the_folder_says_what_the_plan_does(adopted):
    for name, made in (("as it is", ""), ("mended", "make `aws_sqs_queue_policy.new_dead`, to ")):
        readme = (adopted[name]["folder"] / "README.md").read_text()
        count = len(adopted[name]["judged"].imported)
        assert f"Expect the plan to import {count} resources, to {made}change what stands above" in readme
        assert "\n.\n" not in readme
        assert ("`import` blocks, and nothing else.\n" in readme) == (not made)


def test_after_the_apply_nothing_is_left_to_do(adopted):
    assert adopted["plan after"].empty


def test_after_the_apply_aws_has_everything_as_before_but_for_the_mends(before, adopted):
    was, now = told(before), told(adopted["after"])
    for own, targets, _ in was.values():
        del own
        for target in targets.values():
            ecs = target.get("EcsParameters")
            machine = ":stateMachine:" in target["Arn"]
            if ecs is None and not target["Arn"].endswith(":runTask") and not machine:
                continue
            target.setdefault("DeadLetterConfig", {"Arn": NEW_QUEUE})
            if machine:
                continue
            if ecs is None:
                target["Input"] = target["Input"].replace(PINNED, LATEST)
                continue
            ecs["TaskDefinitionArn"] = ecs["TaskDefinitionArn"].removesuffix(":1")
    was["a07-public"][1]["job"]["EcsParameters"]["LaunchType"] = "FARGATE"
    assert now == was


def test_after_the_apply_the_policies_let_every_revision_run_and_say_the_rest_as_before(aws, adopted):
    iam = aws.client("iam")
    documents = {
        role: iam.get_role_policy(RoleName=role, PolicyName="run")["PolicyDocument"] for role in ("rules", "states")
    }
    shared = arn("iam", "policy/jobs/shared")
    version = iam.get_policy(PolicyArn=shared)["Policy"]["DefaultVersionId"]
    told = iam.get_policy_version(PolicyArn=shared, VersionId=version)["PolicyVersion"]["Document"]
    documents["schedules"] = told
    resources = {}
    for role, document in documents.items():
        first, second = document["Statement"]
        resources[role] = first["Resource"]
        assert second == policy("")["Statement"][1]
    job, bridge = arn("ecs", "task-definition/job:*"), arn("ecs", "task-definition/bridge:*")
    assert resources == {"rules": [job, bridge], "schedules": job, "states": job}


def test_after_the_apply_the_state_machine_says_the_same_but_for_the_revision(aws, adopted):
    (before,) = [one for one in adopted["mended"]["adoption"].differences if one.attribute == "definition"]
    arn_ = arn("states", "stateMachine:again")
    told = aws.client("stepfunctions").describe_state_machine(stateMachineArn=arn_)["definition"]
    assert (before.before, told) == (MACHINE, MACHINE.replace(PINNED, LATEST))


def test_after_the_apply_the_queue_lets_eventbridge_write_for_the_rules_that_got_it(aws, adopted):
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="new-dead")["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    (statement,) = json.loads(told)["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    given = [one["name"] for one in TWENTY if one["kind"] == "rule" and one["name"] != "a09-everything"]
    let = [one.rpartition("/")[2] for one in statement["Condition"]["ArnEquals"]["aws:SourceArn"]]
    assert sorted(let) == sorted(given)


def test_what_is_adopted_and_mended_runs_the_latest_revision_that_night(aws, server, adopted):
    ecs = aws.client("ecs")
    old = ecs.describe_task_definition(taskDefinition="job")["taskDefinition"]
    kept = ("containerDefinitions", "networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn")
    ecs.register_task_definition(family="job", taskRoleArn=old["taskRoleArn"], **{key: old[key] for key in kept})
    process.clock(server, to=NIGHT)
    ran = {}
    pages = aws.client("cloudtrail").get_paginator("lookup_events")
    attribute = [{"AttributeKey": "EventName", "AttributeValue": "RunTask"}]
    for event in (one for page in pages.paginate(LookupAttributes=attribute) for one in page["Events"]):
        record = json.loads(event["CloudTrailEvent"])
        for task in (record.get("responseElements") or {}).get("tasks", []):
            revision = task["taskDefinitionArn"].rpartition("/")[2]
            ran.setdefault(record["requestParameters"].get("startedBy", "RunTask itself"), set()).add(revision)
    assert ran["events-rule/a01-plain"] == {"job:2"}
    assert ran["events-rule/a07-public"] == {"job:2"}
    assert ran["events-rule/a10-five"] == {"job:2"}
    assert ran["chronos-schedule/b01-plain"] == {"job:2"}
    assert ran["RunTask itself"] == {"job:2"}  # b07
    assert ran["AWS Step Functions"] == {"job:2"}  # b09
    assert set().union(*ran.values()) == {"job:2"}
