# A mistake, made on purpose: the policy lists the roles of the revision of today; the pipeline's next revision has one more.

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
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = "${module.setting.task_definition_arn_without_revision}:*"
        Condition = { ArnEquals = { "ecs:cluster" = module.setting.cluster_arn } }
      },
      {
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = module.setting.execution_role_arn # the mistake: the next revision has a task role too
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ]
  })
}

resource "aws_iam_role" "task" { # the revision that the deploy pipeline registers next will name it
  name = "${var.name}-task"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ecs-tasks.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}
