# A mistake, made on purpose: a cron of Unix: AWS's has six fields, and of the two days exactly one must be a question mark.

module "setting" { # the cluster, the definition, the roles: as they should be
  source = "../setting"

  name    = var.name
  image   = var.image
  cluster = var.cluster
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  schedule_expression = "cron(0 2 * * * *)" # the mistake: both the day of the month and of the week
}

resource "aws_cloudwatch_event_target" "this" {
  rule     = aws_cloudwatch_event_rule.this.name
  arn      = module.setting.cluster_arn
  role_arn = module.setting.schedule_role_arn

  ecs_target {
    task_definition_arn = module.setting.task_definition_arn_without_revision
    launch_type         = "FARGATE"

    network_configuration {
      subnets         = var.subnets
      security_groups = var.security_groups
    }
  }
}
