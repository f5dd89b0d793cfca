data "aws_partition" "current" {}

# ---------------------------------------------------------------- the cluster: given as a rule

data "aws_ecs_cluster" "given" {
  count = var.create_cluster || startswith(var.cluster, "arn:") ? 0 : 1

  cluster_name = var.cluster

  lifecycle {
    postcondition {
      condition     = self.status == "ACTIVE"
      error_message = "The cluster ${var.cluster} is ${self.status}; a task runs in an ACTIVE one. Name another, or set create_cluster = true."
    }
  }
}

resource "aws_ecs_cluster" "new" {
  count = var.create_cluster ? 1 : 0

  name = var.cluster
  tags = var.tags

  lifecycle {
    precondition {
      condition     = !startswith(var.cluster, "arn:")
      error_message = "A cluster that is made takes a name, not an ARN: mend cluster, or set create_cluster = false."
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "new" {
  count = var.create_cluster ? 1 : 0

  cluster_name       = aws_ecs_cluster.new[0].name
  capacity_providers = distinct(concat(["FARGATE", "FARGATE_SPOT"], var.capacity_provider_strategy[*].name))
}

locals {
  cluster_arn = (
    var.create_cluster ? aws_ecs_cluster.new[0].arn :
    startswith(var.cluster, "arn:") ? var.cluster : data.aws_ecs_cluster.given[0].arn
  )

  on_fargate = var.launch_type == "FARGATE" || (
    length(var.capacity_provider_strategy) > 0 &&
    alltrue([for provider in var.capacity_provider_strategy : startswith(provider.name, "FARGATE")])
  )
  # without a launch type and a strategy the cluster decides, so the definition has to suit both
  on_whatever_the_cluster_has = var.launch_type == null && length(var.capacity_provider_strategy) == 0

  compatibilities = (
    local.on_fargate ? ["FARGATE"] :
    local.on_whatever_the_cluster_has ? ["EC2", "FARGATE"] : [coalesce(var.launch_type, "EC2")]
  )

  # ECS Anywhere has no awsvpc mode
  in_a_vpc = var.launch_type != "EXTERNAL"
}

# ---------------------------------------------------------------- what runs

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.family != "" ? var.family : replace(var.name, ".", "-")
  requires_compatibilities = local.compatibilities
  network_mode             = local.in_a_vpc ? "awsvpc" : "bridge"
  cpu                      = var.cpu
  memory                   = var.memory
  task_role_arn            = local.task_role_arn
  execution_role_arn       = local.execution_role_arn
  tags                     = var.tags

  container_definitions = jsonencode([merge(
    {
      name        = var.container
      image       = var.image
      essential   = true
      environment = [for name, value in var.environment : { name = name, value = value }]
      logConfiguration = {
        logDriver = "awslogs"
        options = {
          "awslogs-group"         = aws_cloudwatch_log_group.this.name
          "awslogs-region"        = split(":", aws_cloudwatch_log_group.this.arn)[3]
          "awslogs-stream-prefix" = "ecs"
        }
      }
    },
    length(var.command) > 0 ? { command = var.command } : {},
    length(var.secrets) > 0 ? { secrets = [for name, arn in var.secrets : { name = name, valueFrom = arn }] } : {},
  )])

  # A pipeline may register revisions beside Terraform: a plan compares with the revision that Terraform registered, so it
  # stays empty and an apply does not go back on them.
  track_latest = false

  # The family is never without an ACTIVE revision: a firing at that moment would find "TaskDefinition not found."
  skip_destroy = var.keep_old_revisions
  lifecycle {
    create_before_destroy = true
  }
}
