output "arn_without_revision" {
  description = "ARN of the family without a revision: what is to run its latest ACTIVE one names this."
  value       = aws_ecs_task_definition.this.arn_without_revision
}

output "registered_task_definition" {
  description = "ARN of the revision that Terraform registered; a later one may run."
  value       = aws_ecs_task_definition.this.arn
}

output "family" {
  description = "Family of the task definition."
  value       = aws_ecs_task_definition.this.family
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = local.cluster_arn
}

output "execution_role_arn" {
  description = "ARN of the role that ECS starts the task with."
  value       = local.execution_role_arn
}

output "task_role_arn" {
  description = "ARN of the role that the program has; attach what it may do."
  value       = local.task_role_arn
}

output "log_group" {
  description = "Name of the log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "run_task_statements" {
  description = "Statements of a policy that lets a role run this task, at every revision, in this cluster."
  value       = local.run_task_statements
}

output "may_run_on_fargate" {
  description = "Whether it runs on Fargate, or may: that is where a task can have a public IP address."
  value       = local.on_fargate || local.on_whatever_the_cluster_has
}

output "in_a_vpc" {
  description = "Whether the task has a network interface of its own."
  value       = local.in_a_vpc
}

output "input" {
  description = "ECS TaskOverride as JSON: what a rule or a schedule hands to ECS; null if there is nothing to hand."
  value       = local.input
}
