# A mistake, made on purpose: a public IP, and no launch type. AWS then takes EC2, which has no public IP to give.

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

    network_configuration {
      subnets          = var.subnets
      security_groups  = var.security_groups
      assign_public_ip = true # the mistake: without launch_type = "FARGATE" above
    }
  }
}
