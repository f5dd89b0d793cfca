# What the module promises, without an AWS: terraform test

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-west-2:111122223333:rule/ends" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-2:111122223333:log-group:/aws/events/ends" }
  }
  mock_resource "aws_kinesis_firehose_delivery_stream" {
    defaults = { arn = "arn:aws:firehose:eu-west-2:111122223333:deliverystream/ends" }
  }
  override_resource {
    target = aws_iam_role.send
    values = { arn = "arn:aws:iam::111122223333:role/ends-send" }
  }
  override_resource {
    target = aws_iam_role.deliver
    values = { arn = "arn:aws:iam::111122223333:role/ends-deliver" }
  }
}

variables {
  name = "ends"
}

run "a_log_group_keeps_them" {
  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.stopped.event_pattern) == {
      source = ["aws.ecs"], "detail-type" = ["ECS Task State Change"], detail = { lastStatus = ["STOPPED"] }
    }
    error_message = "Every task that stops, and nothing else."
  }
  assert {
    condition     = aws_cloudwatch_event_target.kept.arn == "arn:aws:logs:eu-west-2:111122223333:log-group:/aws/events/ends" && aws_cloudwatch_event_target.kept.role_arn == null
    error_message = "They go to the log group, which takes no role."
  }
  assert {
    condition     = aws_cloudwatch_log_group.events[0].name == "/aws/events/ends" && aws_cloudwatch_log_group.events[0].retention_in_days == 400
    error_message = "The log group has the name that EventBridge's console looks for, and keeps for more than a year."
  }
  assert {
    condition = jsondecode(aws_cloudwatch_log_resource_policy.events[0].policy_document).Statement == [{
      Sid       = "KeepTaskEvents", Effect = "Allow"
      Principal = { Service = ["delivery.logs.amazonaws.com", "events.amazonaws.com"] }
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource  = "arn:aws:logs:eu-west-2:111122223333:log-group:/aws/events/ends:*"
    }]
    error_message = "EventBridge may write to this log group, and to no other."
  }
  assert {
    condition     = length(aws_kinesis_firehose_delivery_stream.events) + length(aws_iam_role.send) + length(aws_iam_role.deliver) == 0
    error_message = "Nothing else is made."
  }
  assert {
    condition     = output.place == "log-group:/aws/events/ends" && output.log_group == "/aws/events/ends" && output.delivery_stream_arn == null
    error_message = "The outputs say where the events are."
  }
}

run "a_bucket_keeps_them" {
  variables {
    bucket   = "my-logs"
    prefix   = "ecs/ends/"
    clusters = ["arn:aws:ecs:eu-west-2:111122223333:cluster/batch"]
    tags     = { team = "batch" }
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.stopped.event_pattern).detail == { lastStatus = ["STOPPED"], clusterArn = ["arn:aws:ecs:eu-west-2:111122223333:cluster/batch"] }
    error_message = "Of this cluster alone."
  }
  assert {
    condition     = aws_cloudwatch_event_target.kept.arn == "arn:aws:firehose:eu-west-2:111122223333:deliverystream/ends" && aws_cloudwatch_event_target.kept.role_arn == "arn:aws:iam::111122223333:role/ends-send"
    error_message = "They go to the stream, by a role."
  }
  assert {
    condition = (
      aws_kinesis_firehose_delivery_stream.events[0].extended_s3_configuration[0].bucket_arn == "arn:aws:s3:::my-logs" &&
      aws_kinesis_firehose_delivery_stream.events[0].extended_s3_configuration[0].prefix == "ecs/ends/" &&
      aws_kinesis_firehose_delivery_stream.events[0].extended_s3_configuration[0].compression_format == "GZIP"
    )
    error_message = "The stream writes gzip behind the prefix."
  }
  assert {
    condition     = aws_kinesis_firehose_delivery_stream.events[0].extended_s3_configuration[0].processing_configuration[0].processors[0].type == "AppendDelimiterToRecord"
    error_message = "One event a line."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.send[0].policy).Statement[0].Resource == "arn:aws:firehose:eu-west-2:111122223333:deliverystream/ends" && jsondecode(aws_iam_role.send[0].assume_role_policy).Statement[0].Principal.Service == "events.amazonaws.com"
    error_message = "EventBridge may send to this stream, and no more."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.deliver[0].policy).Statement[1].Resource == "arn:aws:s3:::my-logs/ecs/ends/*" && jsondecode(aws_iam_role.deliver[0].assume_role_policy).Statement[0].Principal.Service == "firehose.amazonaws.com"
    error_message = "Firehose may write behind the prefix, and nowhere else."
  }
  assert {
    condition     = length(aws_cloudwatch_log_group.events) + length(aws_cloudwatch_log_resource_policy.events) == 0
    error_message = "There is no log group then."
  }
  assert {
    condition     = output.place == "s3://my-logs/ecs/ends" && output.log_group == null && output.delivery_stream_arn == "arn:aws:firehose:eu-west-2:111122223333:deliverystream/ends"
    error_message = "The outputs say where the events are."
  }
  assert {
    condition     = alltrue([for tags in [aws_cloudwatch_event_rule.stopped.tags, aws_kinesis_firehose_delivery_stream.events[0].tags, aws_iam_role.send[0].tags, aws_iam_role.deliver[0].tags] : tags == tomap({ team = "batch" })])
    error_message = "Everything that takes tags has them."
  }
}

run "an_account_that_has_a_policy_already_gets_no_other" {
  variables {
    write_log_policy = false
    retention_days   = 0
  }

  assert {
    condition     = length(aws_cloudwatch_log_resource_policy.events) == 0 && aws_cloudwatch_log_group.events[0].retention_in_days == 0
    error_message = "No policy, and a log group that keeps for ever."
  }
}

run "none_that_a_caller_passes_on_is_nothing_said" {
  command = plan

  variables {
    bucket   = null
    clusters = null
    prefix   = null
  }

  assert {
    condition     = length(aws_cloudwatch_log_group.events) == 1
    error_message = "bucket = null is a log group, as if it were left out."
  }
}

run "wrong_values_are_refused_by_name" {
  command = plan
  variables {
    name           = "a b"
    clusters       = ["batch"]
    bucket         = "s3://my-logs"
    prefix         = "task-events"
    retention_days = 100
  }
  expect_failures = [var.name, var.clusters, var.bucket, var.prefix, var.retention_days]
}

run "a_bucket_that_is_used_has_a_name" {
  command = plan
  variables {
    use_bucket = true
  }
  expect_failures = [aws_cloudwatch_event_rule.stopped]
}

run "a_bucket_that_is_named_is_used" {
  command = plan
  variables {
    bucket     = "my-logs"
    use_bucket = false
  }
  expect_failures = [aws_cloudwatch_event_rule.stopped]
}
