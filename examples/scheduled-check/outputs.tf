output "rule_name" {
  description = "Name of the rule: 60_check with rule = this checks the check."
  value       = module.check.rule_name
}

output "task_role_arn" {
  description = "ARN of the role that the check reads with."
  value       = module.check.task_role_arn
}

output "log_group" {
  description = "Name of the log group: what the check printed."
  value       = module.check.log_group
}
