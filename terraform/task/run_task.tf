# What starts the task needs these statements: EventBridge, EventBridge Scheduler, or a state machine.

locals {
  cluster_name = reverse(split("/", var.cluster))[0]

  run_task_statements = concat(
    [
      {
        # IAM sees the revision that the family stands for, so the family alone would match nothing.
        Sid       = "RunEveryRevision"
        Effect    = "Allow"
        Action    = "ecs:RunTask"
        Resource  = "${aws_ecs_task_definition.this.arn_without_revision}:*"
        Condition = { ArnEquals = { "ecs:cluster" = local.cluster_arn } }
      },
      {
        Sid       = "PassTheTasksRoles"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = distinct([local.task_role_arn, local.execution_role_arn])
        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
      },
    ],
    var.propagate_tags || var.enable_ecs_managed_tags ? [
      {
        Sid       = "TagTheTask"
        Effect    = "Allow"
        Action    = "ecs:TagResource"
        Resource  = "${trimsuffix(local.cluster_arn, ":cluster/${local.cluster_name}")}:task/${local.cluster_name}/*"
        Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
      },
    ] : [],
  )
}
