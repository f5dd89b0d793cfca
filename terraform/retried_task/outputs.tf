output "schedule_name" {
  description = "Name of the schedule."
  value       = aws_scheduler_schedule.this.name
}

output "schedule_arn" {
  description = "ARN of the schedule."
  value       = aws_scheduler_schedule.this.arn
}

output "schedule_group" {
  description = "Name of the schedule's group."
  value       = aws_scheduler_schedule.this.group_name
}

output "state_machine_arn" {
  description = "ARN of the state machine that the schedule starts."
  value       = aws_sfn_state_machine.this.arn
}

output "state_machine_role_arn" {
  description = "ARN of the role that the state machine takes."
  value       = aws_iam_role.machine.arn
}

output "topic_arn" {
  description = "ARN of the topic that is told of failures; null if there is none."
  value       = local.topic_arn
}

output "target_task_definition" {
  description = "What each attempt asks for: the family's ARN without a revision."
  value       = module.task.arn_without_revision
}

output "registered_task_definition" {
  description = "ARN of the revision that Terraform registered; a later one may run."
  value       = module.task.registered_task_definition
}

output "family" {
  description = "Family of the task definition."
  value       = module.task.family
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = module.task.cluster_arn
}

output "schedule_role_arn" {
  description = "ARN of the role that EventBridge Scheduler takes."
  value       = local.schedule_role_arn
}

output "execution_role_arn" {
  description = "ARN of the role that ECS starts the task with."
  value       = module.task.execution_role_arn
}

output "task_role_arn" {
  description = "ARN of the role that the program has; attach what it may do."
  value       = module.task.task_role_arn
}

output "log_group" {
  description = "Name of the log group."
  value       = module.task.log_group
}

output "dead_letter_queue_arn" {
  description = "ARN of the dead-letter queue; null if there is none."
  value       = local.dead_letter_queue_arn
}
