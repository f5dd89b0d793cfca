# The role that the workflow assumes: by OIDC, from one branch of one repository, to read what the check reads.

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

variable "account" {
  description = "The account that is checked, 12 digits."
  type        = string
}

variable "region" {
  description = "Its Region."
  type        = string
}

variable "repository" {
  description = "The repository of the workflow, owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository is owner/name."
  }
}

variable "branch" {
  description = "The branch whose workflow may assume the role."
  type        = string
  default     = "main"
}

variable "create_provider" {
  description = "Make GitHub's identity provider; an account has it once."
  type        = bool
  default     = true
}

data "aws_partition" "current" {}

locals {
  host     = "token.actions.githubusercontent.com"
  provider = "arn:${data.aws_partition.current.partition}:iam::${var.account}:oidc-provider/${local.host}"
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.create_provider ? 1 : 0

  url            = "https://${local.host}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "check" {
  name                 = "ecs-runbook-check"
  description          = "Reads what 60_check reads."
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.provider }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.host}:aud" = "sts.amazonaws.com"
          "${local.host}:sub" = "repo:${var.repository}:ref:refs/heads/${var.branch}"
        }
      }
    }]
  })

  depends_on = [aws_iam_openid_connect_provider.github]
}

resource "aws_iam_role_policy" "check" {
  name   = "read"
  role   = aws_iam_role.check.name
  policy = file("${path.module}/../../docs/policies/60_check.json")
}

output "role" {
  description = "ARN of the role, for the workflow's variable AWS_ROLE."
  value       = aws_iam_role.check.arn
}
