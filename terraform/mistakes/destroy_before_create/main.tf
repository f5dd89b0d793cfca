# A mistake, made on purpose: Terraform destroys the old revision before it creates the new one, and for a moment there is none.

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
  container_definitions    = jsonencode([{ name = "main", image = var.image, essential = true }])

  # the mistake: neither skip_destroy nor create_before_destroy
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
    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision
    launch_type         = "FARGATE"

    network_configuration {
      subnets         = var.subnets
      security_groups = var.security_groups
    }
  }
}
