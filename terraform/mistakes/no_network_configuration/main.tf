# A mistake, made on purpose: no subnets. A task of Fargate has a network interface of its own, which needs one.

module "setting" { # the cluster, the definition, the roles: as they should be
  source = "../setting"

  name    = var.name
  image   = var.image
  cluster = var.cluster
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  schedule_expression = var.schedule
}

resource "aws_cloudwatch_event_target" "this" {
  rule     = aws_cloudwatch_event_rule.this.name
  arn      = module.setting.cluster_arn
  role_arn = module.setting.schedule_role_arn

  ecs_target {
    task_definition_arn = module.setting.task_definition_arn_without_revision
    launch_type         = "FARGATE"
    # the mistake: no network_configuration
  }
}
