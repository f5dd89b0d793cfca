"""What Terraform itself makes of a patch: a plan of the wanted differences, and of nothing else."""

import pytest
from patch_trees import written

from ecs_runbook import workspace
from ecs_runbook.local_aws import process
from ecs_runbook.patch.patch import patch
from ecs_runbook.session import connect
from ecs_runbook.terraform.run import Terraform

TREE = {
    "main.tf": """\
locals {
  jobs = {
    nightly = { cron = "cron(0 2 * * ? *)", task = aws_ecs_task_definition.this.arn }                          # 2 a.m.
    hourly  = { cron = "rate(1 hour)", task = "arn:aws:ecs:us-east-1:123456789012:task-definition/nightly:1" } # a try
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = "nightly"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  skip_destroy             = true
  container_definitions    = jsonencode([{ name = "main", image = "busybox", essential = true }])
}

module "job" {
  source   = "./job"
  for_each = local.jobs
  name     = each.key
  cron     = each.value.cron
  task     = each.value.task
}
""",
    "job/main.tf": """\
variable "name" {}
variable "cron" {}
variable "task" {}

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  schedule_expression = var.cron
}

resource "aws_cloudwatch_event_target" "this" {
  rule     = aws_cloudwatch_event_rule.this.name
  arn      = "arn:aws:ecs:us-east-1:123456789012:cluster/batch"
  role_arn = aws_iam_role.this.arn
  ecs_target {
    task_definition_arn = var.task
    launch_type         = "FARGATE"
    network_configuration {
      subnets = ["subnet-0a1b2c3d"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  assume_role_policy = <<EOF
{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
EOF
}

resource "aws_iam_role_policy" "this" {
  role   = aws_iam_role.this.name
  policy = <<EOF
{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "ecs:RunTask",
   "Resource": "arn:aws:ecs:us-east-1:123456789012:task-definition/nightly:1"}]}
EOF
}
""",
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv(workspace.HOME_VARIABLE, str(home))
        yield connect(endpoint=process.start(home / "aws").url)
        process.stop(home / "aws")


@pytest.fixture(scope="module")
def planned(aws, tmp_path_factory):
    """The changes of the plan after the patch, by address: each attribute before and after."""
    folder = written(tmp_path_factory.mktemp("tree"), TREE)
    terraform = Terraform(folder, aws=aws)
    terraform.apply()
    found = patch(folder)
    assert found.not_placed == ()
    found.apply()
    told = terraform.plan_in_json(terraform.plan())
    assert terraform.unformatted() == []
    return {
        one["address"]: one["change"]
        for one in told["resource_changes"]
        if one["change"]["actions"] not in (["no-op"], ["read"])
    }


def test_the_plan_changes_the_targets_and_their_policies_in_place(planned):
    kinds = ("aws_cloudwatch_event_target", "aws_iam_role_policy")
    assert planned.keys() == {f'module.job["{job}"].{kind}.this' for job in ("nightly", "hourly") for kind in kinds}
    assert all(change["actions"] == ["update"] for change in planned.values())


def test_of_a_target_it_changes_what_is_run_alone(planned):
    family = "arn:aws:ecs:us-east-1:123456789012:task-definition/nightly"
    for job in ("nightly", "hourly"):
        change = planned[f'module.job["{job}"].aws_cloudwatch_event_target.this']
        before, after = change["before"], change["after"]
        assert after["ecs_target"][0].pop("task_definition_arn") == family
        assert before["ecs_target"][0].pop("task_definition_arn") == f"{family}:1"
        assert before == after


def test_of_a_policy_it_changes_the_revision_alone(planned):
    change = planned['module.job["nightly"].aws_iam_role_policy.this']
    before, after = change["before"], change["after"]
    assert after.pop("policy") == before.pop("policy").replace("nightly:1", "nightly:*")
    assert before == after
