output "cluster_arn" {
  description = "ARN of the cluster."
  value       = data.aws_ecs_cluster.this.arn
}

output "task_definition_arn" {
  description = "ARN of the revision that Terraform registered; null if none was wanted."
  value       = one(aws_ecs_task_definition.this[*].arn)
}

output "task_definition_arn_without_revision" {
  description = "ARN of the family; null if no task definition was wanted."
  value       = one(aws_ecs_task_definition.this[*].arn_without_revision)
}

output "execution_role_arn" {
  description = "ARN of the role that ECS starts the task with."
  value       = aws_iam_role.execution.arn
}

output "schedule_role_arn" {
  description = "ARN of the role that EventBridge takes; null if none was wanted."
  value       = one(aws_iam_role.schedule[*].arn)
}
