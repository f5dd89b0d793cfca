# A mistake, made on purpose: the policy allows one revision, so the next one may not run.

module "setting" { # the cluster and the definition: as they should be
  source = "../setting"

  name          = var.name
  image         = var.image
  cluster       = var.cluster
  schedule_role = false # it is written below
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  schedule_expression = var.schedule
}

resource "aws_cloudwatch_event_target" "this" {
  rule     = aws_cloudwatch_event_rule.this.name
  arn      = module.setting.cluster_arn
  role_arn = aws_iam_role.schedule.arn

  ecs_target {
    task_definition_arn = module.setting.task_definition_arn_without_revision
    launch_type         = "FARGATE"

    network_configuration {
      subnets         = var.subnets
      security_groups = var.security_groups
    }
  }
}

resource "aws_iam_role" "schedule" {
  name = "${var.name}-schedule"
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
        Effect   = "Allow"
        Action   = "ecs:RunTask"
        Resource = module.setting.task_definition_arn # the mistake: this ends in ":1"
      },
      {
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = module.setting.execution_role_arn
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ]
  })
}
