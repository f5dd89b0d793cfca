# What EventBridge Scheduler may do: start this state machine, and say what did not start. The role is made unless one is given.

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

  name = "start-execution"
  role = aws_iam_role.schedule[0].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "StartThisMachine"
          Effect   = "Allow"
          Action   = "states:StartExecution"
          Resource = aws_sfn_state_machine.this.arn
        },
      ],
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

# ---------------------------------------------------------------- the state machine: run the task, see it end, stop it, tell

resource "aws_iam_role" "machine" {
  name = (
    length("${var.name}-machine") <= 64 ? "${var.name}-machine" :
    "${substr(var.name, 0, 47)}-${substr(sha256(var.name), 0, 8)}-machine"
  )
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "states.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id }
        ArnLike      = { "aws:SourceArn" = "${local.states_arn}:stateMachine:${local.machine_name}" }
      }
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy" "machine" {
  name = "run-task"
  role = aws_iam_role.machine.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      module.task.run_task_statements,
      [
        {
          Sid       = "LookAtTasksAndStopThem"
          Effect    = "Allow"
          Action    = ["ecs:DescribeTasks", "ecs:StopTask"]
          Resource  = "${replace(module.task.cluster_arn, ":cluster/", ":task/")}/*"
          Condition = { ArnEquals = { "ecs:cluster" = module.task.cluster_arn } }
        },
        {
          Sid       = "AskWhichTasksRun"
          Effect    = "Allow"
          Action    = ["ecs:ListTasks"]
          Resource  = "*"
          Condition = { ArnEquals = { "ecs:cluster" = module.task.cluster_arn } }
        },
      ],
      local.beats ? [] : [
        {
          # Step Functions' own rule, by which it learns that a task has ended
          Sid      = "HearOfItsEnd"
          Effect   = "Allow"
          Action   = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
          Resource = "${replace(local.states_arn, ":states:", ":events:")}:rule/StepFunctionsGetEventsForECSTaskRule"
        },
      ],
      var.notify == "none" ? [] : [
        {
          Sid      = "TellWhoIsToKnow"
          Effect   = "Allow"
          Action   = "sns:Publish"
          Resource = local.topic_arn
        },
      ],
    )
  })
}

# ---------------------------------------------------------------- the program: say that it is alive, and how it ended

resource "aws_iam_role_policy" "heartbeat" {
  count = local.beats && var.task_role_arn == "" ? 1 : 0

  name = "heartbeat"
  role = reverse(split("/", module.task.task_role_arn))[0]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "SayHowItGoes"
      Effect   = "Allow"
      Action   = ["states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess"]
      Resource = "${local.states_arn}:stateMachine:${local.machine_name}"
    }]
  })
}
