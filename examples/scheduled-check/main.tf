# The check as a scheduled ECS task. It is on a schedule that ends in ECS, so it checks itself too.

terraform {
  required_version = ">= 1.6"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account]
}

data "aws_partition" "current" {}

locals {
  command = concat(
    ["--log-output", "--no-progress-bar", "notebooks/60_check.ipynb", "/tmp/60_check.ipynb"],
    ["-p", "where", "aws", "-r", "account", var.account, "-p", "region", var.region],
    ["-p", "timezone", var.timezone],
    var.bucket == "" ? [] : ["-p", "history", "s3://${var.bucket}/history", "-p", "publish_page", "s3://${var.bucket}/pages"],
    var.topic == "" ? [] : ["-p", "publish_summary", var.topic],
  )
  bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${var.bucket}"
}

module "check" {
  source = "../../terraform/scheduled_task"

  name              = var.name
  description       = "Do our scheduled tasks run, at the latest revision, and will they tonight?"
  schedule          = var.schedule
  image             = var.image
  command           = local.command
  cpu               = 512
  memory            = 1024
  cluster           = var.cluster
  subnets           = var.subnets
  security_groups   = var.security_groups
  assign_public_ip  = var.assign_public_ip
  dead_letter_queue = var.dead_letter_queue
}

resource "aws_iam_role_policy" "read" {
  name   = "read"
  role   = element(split("/", module.check.task_role_arn), -1)
  policy = file("${path.module}/../../docs/policies/60_check.json")
}

resource "aws_iam_role_policy" "write" {
  count = var.bucket == "" && var.topic == "" ? 0 : 1

  name = "write"
  role = element(split("/", module.check.task_role_arn), -1)

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      var.bucket == "" ? [] : [
        {
          Sid      = "FindEarlierChecks"
          Effect   = "Allow"
          Action   = ["s3:ListBucket"]
          Resource = [local.bucket_arn]
        },
        {
          Sid      = "KeepThisOne"
          Effect   = "Allow"
          Action   = ["s3:GetObject", "s3:PutObject"]
          Resource = ["${local.bucket_arn}/history/*", "${local.bucket_arn}/pages/*"]
        },
      ],
      var.topic == "" ? [] : [
        {
          Sid      = "SendTheSummary"
          Effect   = "Allow"
          Action   = ["sns:Publish"]
          Resource = [var.topic]
        },
      ],
    )
  })
}
