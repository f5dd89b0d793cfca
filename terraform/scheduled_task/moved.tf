# What runs stood in this module itself at first: nothing is made anew where it was applied so.

moved {
  from = aws_ecs_cluster.new
  to   = module.task.aws_ecs_cluster.new
}

moved {
  from = aws_ecs_cluster_capacity_providers.new
  to   = module.task.aws_ecs_cluster_capacity_providers.new
}

moved {
  from = aws_cloudwatch_log_group.this
  to   = module.task.aws_cloudwatch_log_group.this
}

moved {
  from = aws_ecs_task_definition.this
  to   = module.task.aws_ecs_task_definition.this
}

moved {
  from = aws_iam_role.execution
  to   = module.task.aws_iam_role.execution
}

moved {
  from = aws_iam_role_policy.execution
  to   = module.task.aws_iam_role_policy.execution
}

moved {
  from = aws_iam_role.task
  to   = module.task.aws_iam_role.task
}
