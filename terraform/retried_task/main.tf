data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  machine_name = replace(var.name, ".", "-")

  # of what is made here, before it is made
  states_arn = join(":", [
    "arn", data.aws_partition.current.partition, "states", data.aws_region.current.name, data.aws_caller_identity.current.account_id,
  ])
}

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
  log_retention_days         = var.log_retention_days
  keep_old_revisions         = var.keep_old_revisions
  tags                       = var.tags
}

# ---------------------------------------------------------------- run it, and run it again

resource "aws_sfn_state_machine" "this" {
  name       = local.machine_name
  role_arn   = aws_iam_role.machine.arn
  definition = jsonencode(local.definition)
  tags       = var.tags

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

  # the first execution already finds its permissions
  depends_on = [module.task, aws_iam_role_policy.machine]
}

# ---------------------------------------------------------------- when it runs

resource "aws_scheduler_schedule_group" "new" {
  count = var.create_schedule_group ? 1 : 0

  name = var.schedule_group
  tags = var.tags
}

resource "aws_scheduler_schedule" "this" {
  name                         = var.name
  group_name                   = var.create_schedule_group ? aws_scheduler_schedule_group.new[0].name : var.schedule_group
  description                  = var.description != "" ? var.description : null
  schedule_expression          = var.schedule
  schedule_expression_timezone = var.timezone
  start_date                   = var.start_date != "" ? var.start_date : null
  end_date                     = var.end_date != "" ? var.end_date : null
  state                        = var.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode                      = var.flexible_minutes > 0 ? "FLEXIBLE" : "OFF"
    maximum_window_in_minutes = var.flexible_minutes > 0 ? var.flexible_minutes : null
  }

  target {
    arn      = aws_sfn_state_machine.this.arn
    role_arn = local.schedule_role_arn
    # Scheduler puts its own words in the place of these; jsonencode would write \u003c for <
    input = "{\"schedule\":\"<aws.scheduler.schedule-arn>\",\"scheduled\":\"<aws.scheduler.scheduled-time>\"}"

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
  }

  # the first firing already finds its permissions
  depends_on = [aws_iam_role_policy.schedule]
}

# ---------------------------------------------------------------- who is told: firings that did not start, runs that failed for good

resource "aws_sqs_queue" "dead_letter" {
  count = var.dead_letter_queue == "new" ? 1 : 0

  name                      = replace("${var.name}-dlq", ".", "-")
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

resource "aws_sns_topic" "failed" {
  count = var.notify == "new" ? 1 : 0

  name = "${local.machine_name}-failed"
  tags = var.tags
}

locals {
  dead_letter_queue_arn = (
    var.dead_letter_queue == "new" ? one(aws_sqs_queue.dead_letter[*].arn) :
    var.dead_letter_queue == "none" ? null : var.dead_letter_queue
  )
  topic_arn = (
    var.notify == "new" ? one(aws_sns_topic.failed[*].arn) :
    var.notify == "none" ? null : var.notify
  )
}
