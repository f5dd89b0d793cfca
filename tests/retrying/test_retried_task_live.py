"""
The module retried_task really runs: applied to a local AWS, whose clock is then moved through a day.

One job for each thing that can happen, each at an hour of its own. What is expected stands in the module's README;
times are the local AWS's: a task lives 0.7 seconds longer than its container runs.
"""

import json
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from ecs_runbook import workspace
from ecs_runbook.checks.check import check
from ecs_runbook.evidence.executions import executions
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.local_aws import process
from ecs_runbook.terraform import generate
from ecs_runbook.terraform.run import Terraform

DAY = "2027-07-01"
JOBS = {
    "twice": {"environment": {"LOCAL_AWS_EXIT_CODE": "3,3,0"}},
    "for-good": {"environment": {"LOCAL_AWS_EXIT_CODE": "3"}},
    "other-code": {"environment": {"LOCAL_AWS_EXIT_CODE": "1"}},
    "hangs": {"environment": {"LOCAL_AWS_OUTCOME": "hang"}},
    "silent": {
        "environment": {"LOCAL_AWS_OUTCOME": "hang", "LOCAL_AWS_HEARTBEAT": "30", "LOCAL_AWS_SECONDS": "120"},
        "heartbeat_seconds": 120,
    },
    "tells": {
        "environment": {"LOCAL_AWS_HEARTBEAT": "30", "LOCAL_AWS_SECONDS": "300", "LOCAL_AWS_EXIT_CODE": "3,0"},
        "heartbeat_seconds": 120,
    },
    "no-room": {},
    "deployed": {"environment": {"LOCAL_AWS_EXIT_CODE": "3", "LOCAL_AWS_SECONDS": "60"}},
    "skips": {"environment": {"LOCAL_AWS_SECONDS": "600"}, "double_runs": "skip"},
    "token": {"environment": {"LOCAL_AWS_SECONDS": "600", "LOCAL_AWS_ONCE": "ECS_RUNBOOK_RUN"}, "double_runs": "token"},
    "crowded": {"environment": {"LOCAL_AWS_SECONDS": "600"}, "double_runs": "skip"},
    "never-starts": {"environment": {"LOCAL_AWS_OUTCOME": "image-not-found"}, "start_retries": 2},
}
ROOT = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "%s" }
  }
}

provider "aws" {
  region = "%s"
}

locals {
  jobs = jsondecode(file("${path.module}/jobs.json"))
}

module "job" {
  source   = "./retried_task"
  for_each = local.jobs

  name              = each.key
  schedule          = each.value.schedule
  image             = "public.ecr.aws/docker/library/busybox:stable"
  subnets           = each.value.subnets
  assign_public_ip  = true
  notify            = "new"
  retry_exit_codes  = [3]
  exit_code_retries = 2
  backoff_seconds   = 30
  timeout_seconds   = 900
  environment       = each.value.environment
  double_runs       = each.value.double_runs
  start_retries     = each.value.start_retries
  heartbeat_seconds = each.value.heartbeat_seconds
}

module "rule" {
  source = "./scheduled_task"

  name             = "token-rule"
  schedule         = "cron(0 12 * * ? *)"
  image            = "public.ecr.aws/docker/library/busybox:stable"
  subnets          = local.jobs.token.subnets
  assign_public_ip = true
  environment      = local.jobs.token.environment
  double_runs      = "token"
}

module "schedule" {
  source = "./scheduler_task"

  name             = "token-schedule"
  schedule         = "cron(0 12 * * ? *)"
  image            = "public.ecr.aws/docker/library/busybox:stable"
  subnets          = local.jobs.token.subnets
  assign_public_ip = true
  environment      = local.jobs.token.environment
  double_runs      = "token"
}

output "machines" {
  value = { for name, job in module.job : name => { arn = job.state_machine_arn, topic = job.topic_arn } }
}
"""
DEFAULTS = {"environment": {}, "double_runs": "allow", "start_retries": 5, "heartbeat_seconds": 0}


def hour(name):
    return list(JOBS).index(name) + 1


def at(name, seconds=0):
    moment = datetime.fromisoformat(f"{DAY}T00:00:00+00:00") + timedelta(hours=hour(name), seconds=seconds)
    return moment.isoformat()


class Applied:
    """The jobs of :data:`JOBS`, applied and run through their day."""

    def __init__(self, aws, server, folder):
        self.aws, self.server = aws, server
        process.clock(server, freeze=True)
        process.clock(server, to=f"{DAY}T00:30:00Z")
        (subnet, *_) = aws.client("ec2").describe_subnets()["Subnets"]
        jobs = {
            name: {**DEFAULTS, "schedule": f"cron(0 {hour(name)} * * ? *)", "subnets": [subnet["SubnetId"]], **said}
            for name, said in JOBS.items()
        }
        files = {"main.tf": (ROOT % (generate.NEEDED_PROVIDER, aws.region)).encode(), "jobs.json": _json(jobs)}
        for module in ("retried_task", "scheduled_task", "scheduler_task", "task"):
            for path in sorted((workspace.modules() / module).glob("*.tf")):
                files[f"{module}/{path.name}"] = path.read_bytes()
        generate.put(folder, files)
        aws.client("ecs").create_cluster(clusterName="default")
        self.machines = Terraform(folder, aws=aws).apply().outputs["machines"]
        self.queues = {name: self.listen(name, one["topic"]) for name, one in self.machines.items()}

    def listen(self, name, topic):
        queue = self.aws.client("sqs").create_queue(QueueName=f"told-{name}")["QueueUrl"]
        arn = f"arn:aws:sqs:{self.aws.region}:{self.aws.account}:told-{name}"
        self.aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return queue

    def live(self):
        twice = ("skips", "token", "token-rule", "token-schedule", "crowded")
        process.settings(self.server, deliver_twice=dict.fromkeys(twice, 1), second_delivery_seconds=20)
        self.to(at("no-room", -60))
        process.settings(self.server, fargate={"no-capacity": 3})
        self.to(at("deployed", 10))
        same = self.aws.client("ecs").describe_task_definition(taskDefinition="deployed")["taskDefinition"]
        (container,) = same["containerDefinitions"]
        container["environment"] = []
        names = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn", "taskRoleArn")
        again = {key: same[key] for key in names if key in same}
        self.aws.client("ecs").register_task_definition(**again, containerDefinitions=[container])
        self.to(at("crowded", -60))
        process.settings(self.server, fargate={"no-capacity": 1})
        self.to(f"{DAY}T12:30:00Z")
        self.noon = {name: self.tasks(name) for name in ("token-rule", "token-schedule")}
        self.to(f"{DAY}T23:00:00Z")

    def tasks(self, family):
        ecs = self.aws.client("ecs")
        tasks = ecs.describe_tasks(tasks=ecs.list_tasks(family=family, desiredStatus="STOPPED")["taskArns"])["tasks"]
        return sorted(tasks, key=lambda task: task["createdAt"])

    def to(self, moment):
        process.clock(self.server, to=moment)

    def runs(self, name):
        since = datetime.fromisoformat(f"{DAY}T00:00:00+00:00")
        machine = self.machines[name]["arn"]
        sfn = self.aws.client("stepfunctions")
        return executions(machine, since=since, until=since + timedelta(days=1), sfn=sfn)

    def run(self, name):
        (run,) = self.runs(name)
        return run

    def messages(self, name):
        told = self.aws.client("sqs").receive_message(
            QueueUrl=self.queues[name], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(one["Body"]) for one in told.get("Messages", [])]


def _json(value):
    return json.dumps(value).encode()


@pytest.fixture(scope="module")
def day(aws, server, home):
    jobs = Applied(aws, server, home / "jobs")
    jobs.live()
    return jobs


def took(run):
    return (run.stopped - run.started).total_seconds()


def handed(run):
    """What the container of its first task was told of the run."""
    (scheduled, *_) = [event for event in run.raw["events"] if event["type"] == "TaskScheduled"]
    asked = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])
    (container,) = asked["Overrides"]["ContainerOverrides"]
    (value,) = [one["Value"] for one in container["Environment"] if one["Name"] == "ECS_RUNBOOK_RUN"]
    return value


def test_a_task_that_fails_twice_with_a_listed_code_succeeds_and_nobody_is_told(day):
    run = day.run("twice")
    assert (run.status, [one.exit_code for one in run.tries]) == ("SUCCEEDED", [3, 3, 0])
    assert run.scheduled.isoformat() == at("twice")
    pauses = [later.started - one.stopped for one, later in zip(run.tries, run.tries[1:], strict=False)]
    assert [timedelta(0) <= pause <= timedelta(seconds=most) for pause, most in zip(pauses, (30, 60), strict=True)]
    assert day.messages("twice") == []


def test_a_task_that_fails_for_good_is_told_of_with_the_way_to_the_explanation(day):
    run = day.run("for-good")
    assert (run.status, [one.exit_code for one in run.tries]) == ("FAILED", [3, 3, 3])
    (message,) = day.messages("for-good")
    assert message["Subject"] == "for-good failed for good"
    assert message["Timestamp"][:19] == run.stopped.strftime("%Y-%m-%dT%H:%M:%S")
    for words in ("States.TaskFailed", run.arn, "50_explain_failure", "-p schedule default/for-good", '"ExitCode":3'):
        assert words in message["Message"]


def test_a_code_that_is_not_listed_is_not_tried_again(day):
    run = day.run("other-code")
    assert (run.status, [one.exit_code for one in run.tries]) == ("FAILED", [1])
    assert len(day.messages("other-code")) == 1


@pytest.mark.parametrize(("name", "error", "after"), [("hangs", "States.Timeout", 900), ("silent", "", 120.5 + 120)])
def test_a_task_that_hangs_is_stopped_and_told_of(day, name, error, after):
    run = day.run(name)
    assert (run.status, run.error) == ("FAILED", error or "States.HeartbeatTimeout")
    assert took(run) == pytest.approx(after, abs=1)
    assert len(run.tries) == 1
    assert day.aws.client("ecs").list_tasks(family=name)["taskArns"] == []
    pages = day.aws.client("cloudtrail").get_paginator("lookup_events")
    asked = {"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "StopTask"}]}
    stops = [json.loads(e["CloudTrailEvent"]) for page in pages.paginate(**asked) for e in page["Events"]]
    assert [one["requestParameters"]["task"] for one in stops].count(run.tries[0].task) == 1
    (message,) = day.messages(name)
    assert "It took more than 900 seconds" in message["Message"]


def test_a_task_that_has_a_token_says_itself_how_it_ended(day):
    run = day.run("tells")
    assert (run.status, [one.error for one in run.tries]) == ("SUCCEEDED", ["ExitCode.3", ""])
    assert took(run) >= 600


def test_capacity_that_is_refused_three_times_is_waited_for(day):
    run = day.run("no-room")
    assert run.status == "SUCCEEDED"
    assert [(bool(one.task), one.error) for one in run.tries] == [
        *[(False, "AmazonECS.Unknown")] * 3,
        (True, ""),
    ]
    assert day.messages("no-room") == []


def test_an_attempt_after_a_deploy_runs_the_new_latest_revision(day):
    run = day.run("deployed")
    assert run.status == "SUCCEEDED"
    assert [one.definition.rsplit("/", 1)[1] for one in run.tries] == ["deployed:1", "deployed:2"]


def test_of_two_deliveries_the_second_finds_the_task_running_and_is_skipped(day):
    first, second = day.runs("skips")
    assert [(run.status, run.skipped, len(run.tries)) for run in (first, second)] == [
        ("SUCCEEDED", False, 1),
        ("SUCCEEDED", True, 0),
    ]


def test_a_start_that_was_refused_asks_again_whether_one_runs_by_now(day):
    runs = day.runs("crowded")
    assert [run.status for run in runs] == ["SUCCEEDED", "SUCCEEDED"]
    tasks = sorted((one for run in runs for one in run.tries if one.task), key=lambda one: one.started)
    assert all(later.started >= one.stopped for one, later in pairwise(tasks))


def test_of_two_deliveries_both_hand_on_the_same_token_and_one_works(day):
    first, second = day.runs("token")
    arn = f"arn:aws:scheduler:{day.aws.region}:{day.aws.account}:schedule/default/token"
    token = f"{arn} {at('token').replace('+00:00', 'Z')}"
    assert [handed(run) for run in (first, second)] == [token] * 2
    assert (first.status, second.status) == ("SUCCEEDED", "SUCCEEDED")
    assert [round(took(run)) for run in (first, second)] == [601, 1]


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("token-rule", "arn:aws:events:{}:{}:rule/token-rule"),
        ("token-schedule", "arn:aws:scheduler:{}:{}:schedule/default/token-schedule"),
    ],
)
def test_a_rule_and_a_schedule_hand_on_a_token_without_a_state_machine(day, name, arn):
    tasks = day.noon[name]
    environments = [task["overrides"]["containerOverrides"][0]["environment"] for task in tasks]
    token = f"{arn.format(day.aws.region, day.aws.account)} {DAY}T12:00:00Z"
    assert environments == [[{"name": "ECS_RUNBOOK_RUN", "value": token}]] * 2
    assert [(task["stoppingAt"] - task["startedAt"]).total_seconds() for task in tasks] == [600, 0]


def test_a_task_that_never_starts_is_tried_again_as_often_as_said(day):
    run = day.run("never-starts")
    assert run.status == "FAILED"
    assert len(run.tries) == 3
    assert len(day.messages("never-starts")) == 1


def test_nothing_that_the_machines_called_was_refused_for_want_of_leave(day):
    pages = day.aws.client("cloudtrail").get_paginator("lookup_events").paginate()
    records = [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]
    by_machines = [one for one in records if one["userIdentity"].get("invokedBy") == "states.amazonaws.com"]
    assert len(by_machines) > 20
    assert [one for one in by_machines if one.get("errorCode") == "AccessDenied"] == []


# -------- what a check says of that day

WRONG = {
    "twice": set(),
    "for-good": {"runs-succeeded"},
    "other-code": {"runs-succeeded"},
    "hangs": {"runs-succeeded"},
    "silent": {"runs-succeeded"},
    "tells": set(),
    "no-room": set(),
    "deployed": set(),
    "skips": set(),
    "token": set(),  # that it was delivered twice is a note: the task can tell
    "never-starts": {"runs-succeeded"},
    "token-rule": set(),
    "token-schedule": set(),
}


@pytest.fixture(scope="module")
def checked(day):
    places, since = fleet(day.aws), datetime.fromisoformat(f"{DAY}T00:30:00+00:00")
    return check(places, take_inventory(places), since=since, until=day.aws.now())


@pytest.mark.parametrize("name", WRONG)
def test_a_check_finds_what_went_wrong_and_nothing_else(checked, name):
    own = [one for one in checked.findings if one.subject == name]
    assert {one.check: one.because for one in own if one.status == "SKIP"} == {}
    wrong = {one.check: one.because for one in own if one.status == "NG" and one.severity != "note"}
    assert set(wrong) == WRONG[name], wrong
    fine = {one.check for one in own if one.status == "OK"}
    assert fine >= {"run-task-missing", "runs-missed"} | ({"machine-permissions"} if name in JOBS else set())


def test_a_check_says_of_what_is_wrong_what_the_machine_was_told(checked):
    said = {
        one.subject: one.because for one in checked.findings if one.check == "runs-succeeded" and one.status == "NG"
    }
    assert "with exit code 3 after 3 attempts" in said["for-good"]
    assert "It took more than 900 seconds." in said["hangs"]
    assert "was silent for more than 120" in said["silent"]
