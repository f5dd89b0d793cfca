data "aws_partition" "current" {}

locals {
  in_s3 = var.use_bucket != null ? var.use_bucket : var.bucket != ""
}

# ---------------------------------------------------------------- which events

resource "aws_cloudwatch_event_rule" "stopped" {
  name        = var.name
  description = "Tasks of ECS that stopped: ECS itself forgets them after about an hour."
  event_pattern = jsonencode({
    source        = ["aws.ecs"]
    "detail-type" = ["ECS Task State Change"]
    detail = merge(
      { lastStatus = ["STOPPED"] },
      length(var.clusters) > 0 ? { clusterArn = var.clusters } : {},
    )
  })
  tags = var.tags

  lifecycle {
    precondition {
      condition     = local.in_s3 == (var.bucket != "")
      error_message = "use_bucket = true needs the name of a bucket, and with use_bucket = false there is none."
    }
  }
}

resource "aws_cloudwatch_event_target" "kept" {
  rule = aws_cloudwatch_event_rule.stopped.name
  arn  = local.in_s3 ? aws_kinesis_firehose_delivery_stream.events[0].arn : aws_cloudwatch_log_group.events[0].arn
  # A log group takes no role: its resource policy lets EventBridge in.
  role_arn = local.in_s3 ? aws_iam_role.send[0].arn : null

  # the first event already finds its permissions
  depends_on = [aws_cloudwatch_log_resource_policy.events, aws_iam_role_policy.send]
}

# ---------------------------------------------------------------- a log group, or

resource "aws_cloudwatch_log_group" "events" {
  count = local.in_s3 ? 0 : 1

  name              = "/aws/events/${var.name}"
  retention_in_days = var.retention_days
  tags              = var.tags
}

resource "aws_cloudwatch_log_resource_policy" "events" {
  count = !local.in_s3 && var.write_log_policy ? 1 : 0

  policy_name = var.name
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "KeepTaskEvents"
      Effect    = "Allow"
      Principal = { Service = ["delivery.logs.amazonaws.com", "events.amazonaws.com"] }
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource  = "${aws_cloudwatch_log_group.events[0].arn}:*"
    }]
  })
}

# ---------------------------------------------------------------- S3, through Firehose

resource "aws_kinesis_firehose_delivery_stream" "events" {
  count = local.in_s3 ? 1 : 0

  name        = var.name
  destination = "extended_s3"

  extended_s3_configuration {
    role_arn           = aws_iam_role.deliver[0].arn
    bucket_arn         = local.bucket_arn
    prefix             = var.prefix
    compression_format = "GZIP"
    buffering_interval = 300
    buffering_size     = 5

    # One event a line: else they stand in one line, without anything between them.
    processing_configuration {
      enabled = true
      processors {
        type = "AppendDelimiterToRecord"
      }
    }
  }

  tags       = var.tags
  depends_on = [aws_iam_role_policy.deliver]
}
