# A mistake, made on purpose: the new revision has renamed its container, and the target's input still speaks of the old one.

module "setting" { # the cluster and the roles: as they should be
  source = "../setting"

  name            = var.name
  image           = var.image
  cluster         = var.cluster
  task_definition = false # it is written below
  family_arn      = aws_ecs_task_definition.this.arn_without_revision
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = module.setting.execution_role_arn
  container_definitions    = jsonencode([{ name = "app", image = var.image, essential = true }])

  skip_destroy = true
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  schedule_expression = var.schedule
}

resource "aws_cloudwatch_event_target" "this" {
  rule     = aws_cloudwatch_event_rule.this.name
  arn      = module.setting.cluster_arn
  role_arn = module.setting.schedule_role_arn
  input = jsonencode({
    containerOverrides = [{ name = "main", command = ["nightly"] }] # the mistake: it is called "app" now
  })

  ecs_target {
    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision
    launch_type         = "FARGATE"

    network_configuration {
      subnets         = var.subnets
      security_groups = var.security_groups
    }
  }
}
