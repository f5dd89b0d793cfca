"""
What well-known public modules do, written down again in own words: what pins or widens is found, what is right passes.

Each was read in its code, and linted there; the trees here are as small as their pattern allows.
"""

import pytest
from lint_trees import assert_as_marked

TASK = """
resource "aws_ecs_task_definition" "job" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = "256"
  memory                   = "512"
  execution_role_arn       = var.execution_role_arn
  container_definitions    = var.containers
  skip_destroy             = true
}
"""
NETWORK = """
    network_configuration {
      subnets          = var.subnets
      assign_public_ip = var.public
    }
"""
QUEUE = """
  dead_letter_config {
    arn = var.queue
  }
"""
VARIABLES = """
variable "name" {
  default = "report"
}
variable "cluster" {
  default = "arn:aws:ecs:eu-west-2:111122223333:cluster/batch"
}
variable "execution_role_arn" {
  default = "arn:aws:iam::111122223333:role/report-execution"
}
variable "containers" {
  default = "[]"
}
variable "subnets" {
  default = ["subnet-0a1b2c3d"]
}
variable "public" {
  default = false
}
variable "queue" {
  default = "arn:aws:sqs:eu-west-2:111122223333:failed"
}
variable "schedule" {
  default = "rate(1 hour)"
}
"""


def trust(service):
    return f"""
data "aws_iam_policy_document" "trust" {{
  statement {{
    actions = ["sts:AssumeRole"]
    principals {{
      type        = "Service"
      identifiers = ["{service}"]
    }}
  }}
}}
"""


EVENTS = trust("events.amazonaws.com")

PATTERNS = {
    # tmknom: everything counted by a switch, AWS's own policy copied, called from an example
    "everything behind a switch, and a copy of the managed policy": {
        "main.tf": f"""
resource "aws_cloudwatch_event_rule" "default" {{
  count               = var.enabled ? 1 : 0
  schedule_expression = var.schedule
}}
resource "aws_cloudwatch_event_target" "default" {{
  count    = var.enabled ? 1 : 0
  rule     = aws_cloudwatch_event_rule.default[0].name
  arn      = var.cluster
  role_arn = var.create_role ? join("", aws_iam_role.events[*].arn) : var.role_arn
  ecs_target {{
    launch_type         = "FARGATE"
    task_definition_arn = aws_ecs_task_definition.default[0].arn #! pinned-revision
{NETWORK}  }}
{QUEUE}}}
resource "aws_ecs_task_definition" "default" {{
  count                    = var.enabled ? 1 : 0
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions    = var.containers
}}
resource "aws_iam_role" "events" {{
  count              = var.enabled && var.create_role ? 1 : 0
  name               = "${{var.name}}-events"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}}
resource "aws_iam_policy" "events" {{
  count  = var.enabled && var.create_role ? 1 : 0
  policy = data.aws_iam_policy.managed.policy
}}
resource "aws_iam_role_policy_attachment" "events" {{
  count      = var.enabled && var.create_role ? 1 : 0
  role       = aws_iam_role.events[0].name
  policy_arn = aws_iam_policy.events[0].arn
}}
data "aws_iam_policy" "managed" {{
  arn = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceEventsRole" #! policy-too-wide
}}
variable "enabled" {{
  default = true
}}
variable "create_role" {{
  default = true
}}
variable "role_arn" {{
  default = ""
}}
{EVENTS}{VARIABLES}""",
        "examples/complete/main.tf": """
module "task" {
  source = "../.."
  name   = "example"
}
""",
    },
    # cn-terraform: the rule carries the role, the target takes it from there; RunTask on all in one cluster; no tagging
    "the target takes its role from the rule": {
        "main.tf": f"""
resource "aws_iam_role" "events" {{
  name               = "${{var.name}}-cw"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}}
data "aws_iam_policy_document" "run" {{
  statement {{
    actions   = ["ecs:RunTask"]
    resources = ["*"]
    condition {{
      test     = "ArnEquals"
      variable = "ecs:cluster"
      values   = [var.cluster]
    }}
  }}
}}
data "aws_iam_policy_document" "pass" {{
  statement {{
    actions   = ["iam:PassRole"]
    resources = [var.execution_role_arn]
  }}
}}
resource "aws_iam_role_policy" "run" {{
  role   = aws_iam_role.events.name
  policy = data.aws_iam_policy_document.run.json
}}
resource "aws_iam_role_policy" "pass" {{
  role   = aws_iam_role.events.name
  policy = data.aws_iam_policy_document.pass.json
}}
resource "aws_cloudwatch_event_rule" "rule" {{
  schedule_expression = var.schedule
  role_arn            = aws_iam_role.events.arn
}}
resource "aws_cloudwatch_event_target" "target" {{
  rule     = aws_cloudwatch_event_rule.rule.name
  arn      = var.cluster
  role_arn = aws_cloudwatch_event_rule.rule.role_arn
  ecs_target {{
    launch_type         = "FARGATE"
    task_definition_arn = aws_ecs_task_definition.job.arn #! pinned-revision
    propagate_tags      = "TASK_DEFINITION" #! tag-resource-missing
{NETWORK}  }}
{QUEUE}}}
{TASK}{EVENTS}{VARIABLES}""",
    },
    # delivops: a placeholder that a pipeline replaces; the best policy of all
    "a placeholder that a pipeline replaces": {
        "main.tf": f"""
resource "aws_cloudwatch_event_rule" "rule" {{
  schedule_expression = var.schedule
}}
resource "aws_cloudwatch_event_target" "target" {{
  rule     = aws_cloudwatch_event_rule.rule.name
  arn      = var.cluster
  role_arn = aws_iam_role.events.arn
  ecs_target {{
    launch_type         = "FARGATE"
    task_definition_arn = aws_ecs_task_definition.job.arn #! pinned-revision
    propagate_tags      = "TASK_DEFINITION"
{NETWORK}  }}
{QUEUE}
  lifecycle {{
    ignore_changes = [ecs_target[0].task_definition_arn]
  }}
}}
resource "aws_iam_role" "events" {{
  assume_role_policy = data.aws_iam_policy_document.trust.json
}}
locals {{
  here = "arn:aws:ecs:eu-west-2:111122223333"
}}
resource "aws_iam_role_policy" "events" {{
  role = aws_iam_role.events.id
  policy = jsonencode({{
    Statement = [
      {{ Effect = "Allow", Action = ["ecs:RunTask"], Resource = ["${{local.here}}:task-definition/${{var.name}}:*"] }},
      {{ Effect = "Allow", Action = ["ecs:TagResource"], Resource = ["${{local.here}}:task/batch/*"] }},
      {{
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = [var.execution_role_arn]
        Condition = {{ StringEquals = {{ "iam:PassedToService" = "ecs-tasks.amazonaws.com" }} }}
      }},
    ]
  }})
}}
{TASK}{EVENTS}{VARIABLES}""",
    },
    # terraform-aws-modules/eventbridge: targets and policies from maps; :* is made of a revision, and of nothing else
    "a policy made of whatever ARNs are given": {
        "main.tf": f"""
module "bus" {{
  source = "./bus"
  runs   = [aws_ecs_task_definition.job.arn_without_revision]
  rules = {{
    hourly = [
      {{
        label     = "report"
        cluster   = var.cluster
        make_role = true
        queue     = var.queue
        task = {{
          launch  = "FARGATE"
          family  = aws_ecs_task_definition.job.arn_without_revision
          network = {{ subnets = var.subnets }}
        }}
      }}
    ]
  }}
}}
{TASK}{VARIABLES}""",
        "bus/main.tf": r"""
variable "rules" {
  type = any
}
variable "runs" {
  type = list(string)
}
variable "passes" {
  default = ["*"]
}
variable "also_trusted" {
  default = []
}
variable "with_role" {
  default = true
}
locals {
  everything = flatten([for rule, targets in var.rules : [for one in targets : merge(one, { rule = "${rule}-rule" })]])
}
resource "aws_cloudwatch_event_target" "each" {
  for_each = { for one in local.everything : one.label => one if var.with_role }
  rule     = each.value.rule
  arn      = each.value.cluster
  role_arn = (
    can(length(each.value.make_role)) ? each.value.make_role :
    try(each.value.make_role, false) ? aws_iam_role.made[0].arn : null
  )

  dynamic "ecs_target" {
    for_each = try([each.value.task], [])
    iterator = task
    content {
      launch_type         = try(task.value.launch, null)
      task_definition_arn = task.value.family
      dynamic "network_configuration" {
        for_each = lookup(task.value, "network", null) == null ? [] : [task.value.network]
        content {
          subnets          = lookup(network_configuration.value, "subnets", null)
          assign_public_ip = lookup(network_configuration.value, "public", null)
        }
      }
    }
  }
  dynamic "dead_letter_config" {
    for_each = compact([lookup(each.value, "queue", "")])
    content {
      arn = dead_letter_config.value
    }
  }
}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = distinct(concat(["events.amazonaws.com"], var.also_trusted))
    }
  }
}
resource "aws_iam_role" "made" {
  count              = var.with_role ? 1 : 0
  assume_role_policy = data.aws_iam_policy_document.trust.json
}
data "aws_iam_policy_document" "run" {
  count = var.with_role ? 1 : 0
  statement {
    actions = ["ecs:RunTask", "ecs:TagResource"]
    resources = [for one in var.runs : replace(one, "/:\\d+$/", ":*")] #! policy-bare-family, tag-resource-on-wrong-arn
  }
  statement {
    actions   = ["iam:PassRole"]
    resources = var.passes #! policy-too-wide
  }
}
resource "aws_iam_policy" "run" {
  count  = var.with_role ? 1 : 0
  policy = data.aws_iam_policy_document.run[0].json
}
resource "aws_iam_policy_attachment" "run" {
  count      = var.with_role ? 1 : 0
  name       = "run"
  roles      = [aws_iam_role.made[0].name]
  policy_arn = aws_iam_policy.run[0].arn
}
""",
    },
    # serverless-patterns: Scheduler, pinned on both sides, and a star behind the revision
    "Scheduler, pinned on both sides": {
        "main.tf": f"""
resource "aws_scheduler_schedule" "job" {{
  flexible_time_window {{
    mode = "OFF"
  }}
  schedule_expression = "rate(5 minute)"
  target {{
    arn      = var.cluster
    role_arn = aws_iam_role.scheduler.arn
    ecs_parameters {{
      task_definition_arn = aws_ecs_task_definition.job.arn #! pinned-revision
      launch_type         = "FARGATE"
{NETWORK}    }}
    dead_letter_config {{
      arn = var.queue
    }}
  }}
}}
locals {{
  job = aws_ecs_task_definition.job.arn
}}
resource "aws_iam_role" "scheduler" {{
  assume_role_policy  = data.aws_iam_policy_document.trust.json
  managed_policy_arns = [aws_iam_policy.run.arn]
}}
resource "aws_iam_policy" "run" {{
  policy = jsonencode({{
    Statement = [
      {{
        Effect   = "Allow"
        Action   = "ecs:RunTask"
        Resource = [local.job, "${{local.job}}:*"] #! policy-pinned-revision, policy-pinned-revision
      }},
      {{
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = "*"
        Condition = {{ StringLike = {{ "iam:PassedToService" = "ecs-tasks.amazonaws.com" }} }}
      }},
    ]
  }})
}}
{TASK}{trust("scheduler.amazonaws.com")}{VARIABLES}""",
    },
    # the article of 2022: the bare family on both sides, the policy as a heredoc
    "the bare family on both sides": {
        "main.tf": f"""
resource "aws_cloudwatch_event_rule" "rule" {{
  schedule_expression = var.schedule
}}
resource "aws_cloudwatch_event_target" "target" {{
  rule     = aws_cloudwatch_event_rule.rule.name
  arn      = var.cluster
  role_arn = aws_iam_role.events.arn
  ecs_target {{
    task_definition_arn = trimsuffix(aws_ecs_task_definition.job.arn, ":${{aws_ecs_task_definition.job.revision}}")
    launch_type         = "FARGATE"
{NETWORK}  }}
{QUEUE}}}
resource "aws_iam_role" "events" {{
  assume_role_policy = data.aws_iam_policy_document.trust.json
}}
resource "aws_iam_role_policy" "events" {{
  role   = aws_iam_role.events.id
  policy = <<-EOT
    {{
      "Statement": [
        {{"Effect": "Allow", "Action": "iam:PassRole", "Resource": "${{var.execution_role_arn}}"}},
        {{
          "Effect": "Allow",
          "Action": "ecs:RunTask",
          "Resource": "${{replace(aws_ecs_task_definition.job.arn, "/:\\\\d+$/", "")}}", "Sid": "#! policy-bare-family"
        }}
      ]
    }}
    EOT
}}
{TASK}{EVENTS}{VARIABLES}""",
    },
    # many jobs of one kind: definitions by for_each, one call of a scheduler's module for each
    "definitions by name, a module for each schedule": {
        "main.tf": f"""
locals {{
  jobs = {{
    bill   = {{ schedule = "cron(0 3 * * ? *)", command = ["bill"] }}
    report = {{ schedule = "rate(1 day)", command = ["report"] }}
  }}
}}
resource "aws_ecs_task_definition" "jobs" {{
  for_each                 = local.jobs
  family                   = "${{var.name}}-${{each.key}}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.task[each.key].arn
  skip_destroy             = true
  container_definitions = jsonencode([{{
    name    = each.key
    image   = "busybox"
    command = each.value.command
  }}])
}}
resource "aws_iam_role" "task" {{
  for_each           = local.jobs
  name               = "${{var.name}}-${{each.key}}-task"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}}
module "schedules" {{
  source     = "./schedule"
  for_each   = local.jobs
  schedule   = each.value.schedule
  cluster    = var.cluster
  family_arn = aws_ecs_task_definition.jobs[each.key].arn_without_revision
  container  = each.key
  roles      = [aws_iam_role.task[each.key].arn]
  subnets    = var.subnets
  queue      = var.queue
}}
module "mixed_up" {{
  source     = "./schedule"
  schedule   = "rate(2 days)"
  cluster    = var.cluster
  family_arn = aws_ecs_task_definition.jobs["bill"].arn_without_revision
  container  = "report"
  roles      = [aws_iam_role.task["report"].arn]
  subnets    = var.subnets
  queue      = var.queue
}}
{trust("ecs-tasks.amazonaws.com")}{VARIABLES}""",
        "schedule/main.tf": f"""
variable "schedule" {{}}
variable "cluster" {{}}
variable "family_arn" {{}}
variable "container" {{}}
variable "roles" {{}}
variable "subnets" {{}}
variable "queue" {{}}
resource "aws_cloudwatch_event_rule" "this" {{
  schedule_expression = var.schedule
}}
resource "aws_cloudwatch_event_target" "this" {{
  rule     = aws_cloudwatch_event_rule.this.name
  arn      = var.cluster
  role_arn = aws_iam_role.this.arn
  input    = jsonencode({{ containerOverrides = [{{ name = var.container }}] }}) #! override-container
  ecs_target {{
    task_definition_arn = var.family_arn
    launch_type         = "FARGATE"
    network_configuration {{
      subnets = var.subnets
    }}
  }}
{QUEUE}}}
resource "aws_iam_role" "this" {{ #! pass-role-missing
  assume_role_policy = data.aws_iam_policy_document.trust.json
}}
resource "aws_iam_role_policy" "this" {{
  role   = aws_iam_role.this.name
  policy = data.aws_iam_policy_document.run.json
}}
data "aws_iam_policy_document" "run" {{
  statement {{
    actions   = ["ecs:RunTask"]
    resources = ["${{var.family_arn}}:*"]
  }}
  dynamic "statement" {{
    for_each = length(var.roles) > 0 ? [1] : []
    content {{
      actions   = ["iam:PassRole"]
      resources = var.roles
    }}
  }}
}}
{EVENTS}""",
    },
    # umotif: whichever definition is given, and RunTask on everything
    "RunTask on everything": {
        "main.tf": f"""
resource "aws_cloudwatch_event_rule" "rule" {{
  schedule_expression = var.schedule
}}
resource "aws_cloudwatch_event_target" "target" {{
  rule     = aws_cloudwatch_event_rule.rule.name
  arn      = var.cluster
  role_arn = aws_iam_role.events.arn
  ecs_target {{
    task_definition_arn = aws_ecs_task_definition.job.arn_without_revision
    launch_type         = "FARGATE"
{NETWORK}  }}
{QUEUE}}}
resource "aws_iam_role" "events" {{
  assume_role_policy = data.aws_iam_policy_document.trust.json
}}
resource "aws_iam_role_policy" "events" {{
  role   = aws_iam_role.events.id
  policy = data.aws_iam_policy_document.run.json
}}
data "aws_iam_policy_document" "run" {{
  statement {{
    actions   = ["ecs:RunTask"]
    resources = ["*"] #! policy-too-wide
  }}
  statement {{
    actions   = ["iam:PassRole"]
    resources = [var.execution_role_arn]
  }}
}}
{TASK}{EVENTS}{VARIABLES}""",
    },
}


@pytest.mark.parametrize("name", PATTERNS)
def test_what_pins_or_widens_is_found_at_its_line_and_nothing_else(name, tmp_path):
    report = assert_as_marked(tmp_path, PATTERNS[name])
    assert report.unresolved == [], report.text()
