# Two roles, each made unless one is given: what ECS may do to start the task, and what the program may do.

locals {
  execution_role_arn = var.execution_role_arn != "" ? var.execution_role_arn : one(aws_iam_role.execution[*].arn)
  task_role_arn      = var.task_role_arn != "" ? var.task_role_arn : one(aws_iam_role.task[*].arn)

  # A role's name has 64 characters; a longer one keeps its beginning, and a digest so that no two share a role.
  role_name = { for role in ["execution", "task"] : role => (
    length("${var.name}-${role}") <= 64 ? "${var.name}-${role}" :
    "${substr(var.name, 0, 54 - length(role))}-${substr(sha256(var.name), 0, 8)}-${role}"
  ) }

  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

# ---------------------------------------------------------------- ECS: pull this image, write this log, read these secrets

locals {
  # 111122223333.dkr.ecr.eu-west-2.amazonaws.com/team/app:tag → account, Region, repository; null for another registry
  ecr = try(regex("^(?P<account>[0-9]{12})\\.dkr[.-]ecr(?:-fips)?\\.(?P<region>[a-z0-9-]+)\\.(?:amazonaws\\.com(?:\\.cn)?|on\\.aws)/(?P<repository>[^:@]+)", var.image), null)

  # a secret's ARN may go on with :json-key:stage:version, which IAM does not know
  secret_arns    = distinct([for arn in values(var.secrets) : join(":", slice(split(":", arn), 0, 7)) if can(regex("^arn:[^:]+:secretsmanager:", arn))])
  parameter_arns = distinct([for arn in values(var.secrets) : arn if can(regex("^arn:[^:]+:ssm:", arn))])
}

resource "aws_iam_role" "execution" {
  count = var.execution_role_arn == "" ? 1 : 0

  name               = local.role_name["execution"]
  assume_role_policy = local.trust
  tags               = var.tags
}

resource "aws_iam_role_policy" "execution" {
  count = var.execution_role_arn == "" ? 1 : 0

  name = "start-task"
  role = aws_iam_role.execution[0].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "WriteThisLog"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.this.arn}:*"
        },
      ],
      local.ecr == null ? [] : [
        {
          Sid      = "SignInToEcr"
          Effect   = "Allow"
          Action   = ["ecr:GetAuthorizationToken"]
          Resource = "*"
        },
        {
          Sid      = "PullThisRepository"
          Effect   = "Allow"
          Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
          Resource = "arn:${data.aws_partition.current.partition}:ecr:${local.ecr.region}:${local.ecr.account}:repository/${local.ecr.repository}"
        },
      ],
      length(local.secret_arns) == 0 ? [] : [
        {
          Sid      = "ReadTheseSecrets"
          Effect   = "Allow"
          Action   = ["secretsmanager:GetSecretValue"]
          Resource = local.secret_arns
        },
      ],
      length(local.parameter_arns) == 0 ? [] : [
        {
          Sid      = "ReadTheseParameters"
          Effect   = "Allow"
          Action   = ["ssm:GetParameters"]
          Resource = local.parameter_arns
        },
      ],
    )
  })
}

# ---------------------------------------------------------------- the program: nothing, until someone attaches a policy

resource "aws_iam_role" "task" {
  count = var.task_role_arn == "" ? 1 : 0

  name               = local.role_name["task"]
  assume_role_policy = local.trust
  tags               = var.tags
}
