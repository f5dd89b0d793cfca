"""A tree of Terraform as a company may have it: hundreds of scheduled tasks, five files each, one in ten pinned."""

from __future__ import annotations

from pathlib import Path

_MAIN = """\
data "aws_ecs_cluster" "this" {
  cluster_name = var.cluster
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  skip_destroy             = true
  container_definitions = jsonencode([{
    name        = "main"
    image       = var.image
    essential   = true
    environment = [for name, value in var.environment : { name = name, value = value }]
  }])
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  schedule_expression = "cron(MINUTE HOUR * * ? *)"
}

resource "aws_cloudwatch_event_target" "this" {
  rule     = aws_cloudwatch_event_rule.this.name
  arn      = data.aws_ecs_cluster.this.arn
  role_arn = aws_iam_role.schedule.arn

  ecs_target {
    task_definition_arn = aws_ecs_task_definition.this.ARN
    launch_type         = "FARGATE"

    network_configuration {
      subnets          = var.subnets
      security_groups  = [aws_security_group.task.id]
      assign_public_ip = false
    }
  }
}
"""

_ROLES = """\
data "aws_iam_policy_document" "trust" {
  for_each = toset(["events.amazonaws.com", "ecs-tasks.amazonaws.com"])

  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = [each.value]
    }
  }
}

resource "aws_iam_role" "schedule" {
  name               = "${var.name}-schedule"
  assume_role_policy = data.aws_iam_policy_document.trust["events.amazonaws.com"].json
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
  name               = "${var.name}-execution"
  assume_role_policy = data.aws_iam_policy_document.trust["ecs-tasks.amazonaws.com"].json
}
"""

_NETWORK = """\
resource "aws_security_group" "task" {
  name   = "${var.name}-task"
  vpc_id = var.vpc

  egress {
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
    description = "to the registry"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = 30
}
"""

_VARIABLES = """\
variable "name" {
  description = "The schedule's name"
  type        = string
  default     = "NAME"
}

variable "cluster" {
  type    = string
  default = "batch"
}

variable "image" {
  type    = string
  default = "public.ecr.aws/docker/library/busybox:1.37"
}

variable "environment" {
  type    = map(string)
  default = { STAGE = "test" }
}

variable "subnets" {
  type    = list(string)
  default = ["subnet-0a1b2c3d"]
}

variable "vpc" {
  type    = string
  default = "vpc-0a1b2c3d"
}
"""

_OUTPUTS = """\
output "rule" {
  description = "The rule's ARN"
  value       = aws_cloudwatch_event_rule.this.arn
}

output "family" {
  value = aws_ecs_task_definition.this.family
}
"""


def write_tree(top: Path, files: int) -> int:
    """Write a tree of *files* ``.tf`` files, a multiple of five, and return how many of its tasks are pinned."""
    pinned = 0
    for number in range(files // 5):
        folder = top / f"team-{number // 20:02}" / f"job-{number:03}"
        folder.mkdir(parents=True)
        is_pinned = number % 10 == 0
        pinned += is_pinned
        main = _MAIN.replace("MINUTE", str(number % 60)).replace("HOUR", str(number % 24))
        (folder / "main.tf").write_text(main.replace("ARN", "arn" if is_pinned else "arn_without_revision"))
        (folder / "roles.tf").write_text(_ROLES)
        (folder / "network.tf").write_text(_NETWORK)
        (folder / "variables.tf").write_text(_VARIABLES.replace("NAME", f"job-{number:03}"))
        (folder / "outputs.tf").write_text(_OUTPUTS)
    return pinned
