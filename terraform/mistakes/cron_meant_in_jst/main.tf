# A mistake, made on purpose: two o'clock in Tokyo, written as two o'clock. A rule's schedule is always in UTC.

module "setting" { # the cluster, the definition, the roles: as they should be
  source = "../setting"

  name    = var.name
  image   = var.image
  cluster = var.cluster
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  description         = "Every day at 02:00 JST"
  schedule_expression = "cron(0 2 * * ? *)" # the mistake: this is 11:00 in Tokyo
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
