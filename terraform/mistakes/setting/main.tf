# What is right in every one of the mistakes beside this, so that each shows its mistake and little else.

data "aws_ecs_cluster" "this" {
  cluster_name = var.cluster
}

resource "aws_ecs_task_definition" "this" {
  count = var.task_definition ? 1 : 0

  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  container_definitions    = jsonencode([{ name = "main", image = var.image, essential = true }])
  tags                     = { job = var.name }

  skip_destroy = true
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_iam_role" "execution" {
  name = "${var.name}-execution"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ecs-tasks.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role" "schedule" {
  count = var.schedule_role ? 1 : 0

  name = "${var.name}-schedule"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "schedule" {
  count = var.schedule_role ? 1 : 0

  name = "run-task"
  role = aws_iam_role.schedule[0].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = "${var.task_definition ? aws_ecs_task_definition.this[0].arn_without_revision : var.family_arn}:*"
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
