"""
Trees of Terraform for the tests of lint.

What is expected stands in the file itself: a comment ``#! pinned-revision`` ends the line at which that rule, and no
other, is to be found; in the JSON of a heredoc a text ends so. So a tree says what it is for, and a finding too many
fails as one too few does.
"""

import re
from collections import Counter
from pathlib import Path

from ecs_runbook.lint.check import lint_terraform

MARK = re.compile(r"#! (?P<rules>[a-z0-9 ,-]+)\"?$")

GOOD = """\
data "aws_ecs_cluster" "this" {
  cluster_name = "batch"
}

resource "aws_ecs_task_definition" "this" {
  family                   = "nightly"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  container_definitions    = jsonencode([{ name = "main", image = "busybox", essential = true }])
  skip_destroy             = true
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = "nightly"
  schedule_expression = "cron(0 17 * * ? *)"
}

resource "aws_cloudwatch_event_target" "this" {
  rule     = aws_cloudwatch_event_rule.this.name
  arn      = data.aws_ecs_cluster.this.arn
  role_arn = aws_iam_role.schedule.arn

  ecs_target {
    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision
    launch_type         = "FARGATE"

    network_configuration {
      subnets          = ["subnet-0a1b2c3d"]
      security_groups  = ["sg-0a1b2c3d"]
      assign_public_ip = true
    }
  }

  dead_letter_config {
    arn = aws_sqs_queue.failed.arn
  }
}

resource "aws_sqs_queue" "failed" {
  name = "nightly-failed"
}

resource "aws_iam_role" "schedule" {
  name = "nightly-schedule"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  name = "run-task"
  role = aws_iam_role.schedule.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = "${aws_ecs_task_definition.this.arn_without_revision}:*"
        Condition = { ArnEquals = { "ecs:cluster" = data.aws_ecs_cluster.this.arn } }
      },
      {
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = aws_iam_role.execution.arn
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ]
  })
}

resource "aws_iam_role" "execution" {
  name = "nightly-execution"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ecs-tasks.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
"""
"""A scheduled task as it should be: lint has nothing to say of it."""


def good(*changes):
    """Return :data:`GOOD` with changes, each a pair of what stands there once and what stands there instead."""
    return changed(GOOD, *changes)


def changed(text, *changes):
    for before, after in changes:
        assert text.count(before) == 1, f"{text.count(before)} times: {before}"
        text = text.replace(before, after)
    return text


def written(folder, files):
    """Write *files*, a text by its name, and return the folder; one text alone is ``main.tf``."""
    folder = Path(folder)
    for name, text in ({"main.tf": files} if isinstance(files, str) else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def marks(folder):
    """Return what the comments of a tree expect: (rule, file, line), counted."""
    expected = Counter()
    for path in sorted(Path(folder).rglob("*.tf")):
        for line, text in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            if told := MARK.search(text):
                name = path.relative_to(folder).as_posix()
                expected.update((rule, name, line) for rule in re.split(r"[ ,]+", told["rules"].strip()))
    return expected


def seen(report):
    """Return what lint found: (rule, file, line), counted; what a comment silences is left out."""
    return Counter((one.rule, one.place.file, one.place.line) for one in report.open)


def linted(folder, files):
    """Write a tree and lint it."""
    return lint_terraform(written(folder, files))


def assert_as_marked(folder, files):
    """Lint a tree, hold what is found against its own marks, and return the report."""
    report = linted(folder, files)
    assert seen(report) == marks(folder), report.text()
    return report


RULE = GOOD[GOOD.index('resource "aws_cloudwatch_event_rule"') : GOOD.index('resource "aws_iam_role" "schedule"')]
MACHINE = """\
resource "aws_sfn_state_machine" "this" {
  name     = "nightly"
  role_arn = aws_iam_role.schedule.arn

  definition = jsonencode({
    StartAt = "Run"
    States = {
      Run = {
        Type     = "Task"
        Resource = "arn:aws:states:::ecs:runTask.sync"
        Parameters = {
          Cluster        = data.aws_ecs_cluster.this.arn
          TaskDefinition = aws_ecs_task_definition.this.arn_without_revision
          LaunchType     = "FARGATE"
          NetworkConfiguration = { AwsvpcConfiguration = {
            Subnets        = ["subnet-0a1b2c3d"]
            AssignPublicIp = "ENABLED"
          } }
          Overrides = { ContainerOverrides = [{ Name = "main", Command = ["true"] }] }
        }
        End = true
      }
    }
  })
}

"""
RUNS = changed(GOOD.replace(RULE, MACHINE), ('"events.amazonaws.com"', '"states.amazonaws.com"'))
"""A state machine as it should be, that runs the same task."""

SCHEDULED_MACHINE = (
    RUNS
    + """
resource "aws_scheduler_schedule" "this" {
  name                = "nightly"
  schedule_expression = "cron(0 17 * * ? *)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.this.arn
    role_arn = aws_iam_role.starter.arn
    dead_letter_config {
      arn = "arn:aws:sqs:eu-west-2:111122223333:failed"
    }
  }
}

resource "aws_iam_role" "starter" {
  name = "nightly-starter"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "scheduler.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "starter" {
  name = "start-execution"
  role = aws_iam_role.starter.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "states:StartExecution", Resource = aws_sfn_state_machine.this.arn }]
  })
}
"""
)
"""The same, and the schedule that starts it."""
