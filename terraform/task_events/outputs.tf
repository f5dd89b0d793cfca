output "place" {
  description = "Where the events are, as the runbook's source StoppedTasks takes it."
  value       = local.in_s3 ? "s3://${var.bucket}/${trimsuffix(var.prefix, "/")}" : "log-group:${aws_cloudwatch_log_group.events[0].name}"
}

output "rule_arn" {
  description = "ARN of the rule."
  value       = aws_cloudwatch_event_rule.stopped.arn
}

output "log_group" {
  description = "Name of the log group; null if the events go to a bucket."
  value       = one(aws_cloudwatch_log_group.events[*].name)
}

output "delivery_stream_arn" {
  description = "ARN of Firehose's stream; null if the events go to a log group."
  value       = one(aws_kinesis_firehose_delivery_stream.events[*].arn)
}
