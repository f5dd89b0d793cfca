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

# ---------------------------------------------------------------- when it runs

resource "aws_cloudwatch_event_rule" "this" {
  name                = var.name
  description         = var.description != "" ? var.description : null
  schedule_expression = var.schedule
  state               = var.enabled ? "ENABLED" : "DISABLED"
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "this" {
  rule      = aws_cloudwatch_event_rule.this.name
  target_id = var.name
  arn       = local.cluster_arn
  role_arn  = local.schedule_role_arn
  input     = length(var.overrides) > 0 ? jsonencode(var.overrides) : null

  ecs_target {
    # Without a revision: every firing runs the latest ACTIVE one.
    task_definition_arn     = aws_ecs_task_definition.this.arn_without_revision
    launch_type             = var.launch_type
    platform_version        = var.platform_version != "" ? var.platform_version : null
    task_count              = var.task_count
    group                   = var.group != "" ? var.group : null
    propagate_tags          = var.propagate_tags ? "TASK_DEFINITION" : null
    enable_ecs_managed_tags = var.enable_ecs_managed_tags

    dynamic "capacity_provider_strategy" {
      for_each = var.capacity_provider_strategy
      content {
        capacity_provider = capacity_provider_strategy.value.name
        weight            = capacity_provider_strategy.value.weight
        base              = capacity_provider_strategy.value.base
      }
    }

    dynamic "network_configuration" {
      for_each = local.in_a_vpc ? [1] : []
      content {
        subnets          = var.subnets
        security_groups  = var.security_groups
        assign_public_ip = var.assign_public_ip
      }
    }
  }

  retry_policy {
    maximum_retry_attempts       = var.retry_attempts
    maximum_event_age_in_seconds = var.retry_age_seconds
  }

  dynamic "dead_letter_config" {
    for_each = var.dead_letter_queue == "none" ? [] : [local.dead_letter_queue_arn]
    content {
      arn = dead_letter_config.value
    }
  }

  lifecycle {
    precondition {
      condition     = var.launch_type == null || length(var.capacity_provider_strategy) == 0
      error_message = "capacity_provider_strategy and launch_type exclude each other: set launch_type = null."
    }
    precondition {
      condition     = !var.assign_public_ip || local.on_fargate || local.on_whatever_the_cluster_has
      error_message = "ECS refuses every firing with \"Assign public IP is not supported for this launch type.\": set launch_type = \"FARGATE\", or assign_public_ip = false."
    }
    precondition {
      condition     = !local.in_a_vpc || length(var.subnets) > 0
      error_message = "subnets needs at least one subnet, since the task has its own network interface."
    }
  }

  # the first firing already finds its permissions
  depends_on = [aws_iam_role_policy.schedule, aws_iam_role_policy.execution, aws_sqs_queue_policy.dead_letter]
}

# ---------------------------------------------------------------- firings that failed for good

resource "aws_sqs_queue" "dead_letter" {
  count = var.dead_letter_queue == "new" ? 1 : 0

  name                      = replace("${var.name}-dlq", ".", "-")
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "dead_letter" {
  count = var.dead_letter_queue == "new" ? 1 : 0

  queue_url = aws_sqs_queue.dead_letter[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ThisRule"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.dead_letter[0].arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.this.arn } }
    }]
  })
}

locals {
  dead_letter_queue_arn = (
    var.dead_letter_queue == "new" ? one(aws_sqs_queue.dead_letter[*].arn) :
    var.dead_letter_queue == "none" ? null : var.dead_letter_queue
  )
}
