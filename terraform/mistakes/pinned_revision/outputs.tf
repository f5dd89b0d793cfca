output "rule_name" {
  description = "Name of the rule."
  value       = aws_cloudwatch_event_rule.this.name
}

output "family" {
  description = "Family of the task definition."
  value       = aws_ecs_task_definition.this.family
}

output "target_task_definition" {
  description = "What the target asks for: one revision, for ever."
  value       = aws_ecs_task_definition.this.arn
}

output "cluster_arn" {
  description = "ARN of the cluster."
  value       = data.aws_ecs_cluster.this.arn
}
