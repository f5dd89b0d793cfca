# What EventBridge Scheduler may do: run this task in this cluster, and say what failed. The role is made unless one is given.

locals {
  schedule_role_arn = var.schedule_role_arn != "" ? var.schedule_role_arn : one(aws_iam_role.schedule[*].arn)

  # A role's name has 64 characters; a longer one keeps its beginning, and a digest so that no two share a role.
  schedule_role_name = (
    length("${var.name}-schedule") <= 64 ? "${var.name}-schedule" :
    "${substr(var.name, 0, 46)}-${substr(sha256(var.name), 0, 8)}-schedule"
  )

  schedule_group_arn = join(":", [
    "arn", data.aws_partition.current.partition, "scheduler", data.aws_region.current.name,
    data.aws_caller_identity.current.account_id, "schedule-group/${var.schedule_group}",
  ])
}

resource "aws_iam_role" "schedule" {
  count = var.schedule_role_arn == "" ? 1 : 0

  name = local.schedule_role_name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # Scheduler names the group, not the schedule; no other account's schedules, and no other group's, take this role.
      Condition = { StringEquals = {
        "aws:SourceAccount" = data.aws_caller_identity.current.account_id
        "aws:SourceArn"     = local.schedule_group_arn
      } }
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy" "schedule" {
  count = var.schedule_role_arn == "" ? 1 : 0

  name = "run-task"
  role = aws_iam_role.schedule[0].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      module.task.run_task_statements,
      var.dead_letter_queue == "none" ? [] : [
        {
          Sid      = "SayWhatFailed"
          Effect   = "Allow"
          Action   = "sqs:SendMessage"
          Resource = local.dead_letter_queue_arn
        },
      ],
    )
  })
}
