# ---------------------------------------------------------------- what runs: the cluster, the log, the definition, its roles

module "task" {
  source = "../task"

  name                       = var.name
  image                      = var.image
  cluster                    = var.cluster
  create_cluster             = var.create_cluster
  launch_type                = var.launch_type
  capacity_provider_strategy = var.capacity_provider_strategy
  family                     = var.family
  container                  = var.container
  cpu                        = var.cpu
  memory                     = var.memory
  command                    = var.command
  environment                = var.environment
  secrets                    = var.secrets
  task_role_arn              = var.task_role_arn
  execution_role_arn         = var.execution_role_arn
  propagate_tags             = var.propagate_tags
  enable_ecs_managed_tags    = var.enable_ecs_managed_tags
  overrides                  = var.overrides
  run_token                  = var.double_runs == "token" ? "<schedule> <time>" : ""
  log_retention_days         = var.log_retention_days
  keep_old_revisions         = var.keep_old_revisions
  tags                       = var.tags
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
  arn       = module.task.cluster_arn
  role_arn  = local.schedule_role_arn
  input     = var.double_runs == "token" ? null : module.task.input

  dynamic "input_transformer" {
    for_each = var.double_runs == "token" ? [1] : []
    content {
      input_paths    = { schedule = "$.resources[0]", time = "$.time" }
      input_template = module.task.input
    }
  }

  ecs_target {
    # Without a revision: every firing runs the latest ACTIVE one.
    task_definition_arn     = module.task.arn_without_revision
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
      for_each = module.task.in_a_vpc ? [1] : []
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
      condition     = !var.assign_public_ip || module.task.may_run_on_fargate
      error_message = "ECS refuses every firing with \"Assign public IP is not supported for this launch type.\": set launch_type = \"FARGATE\", or assign_public_ip = false."
    }
    precondition {
      condition     = !module.task.in_a_vpc || length(var.subnets) > 0
      error_message = "subnets needs at least one subnet, since the task has its own network interface."
    }
  }

  # the first firing already finds its permissions
  depends_on = [module.task, aws_iam_role_policy.schedule, aws_sqs_queue_policy.dead_letter]
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
