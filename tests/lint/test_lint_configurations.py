"""However a configuration is put together, what it comes to is judged: what is open is said, and nothing is guessed."""

import json

import pytest
from lint_trees import GOOD, assert_as_marked, good, linted, marks, seen, written

from ecs_runbook.lint.check import lint_terraform

TARGET = "    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n"
LAUNCH = '    launch_type         = "FARGATE"\n'
PUBLIC = "      assign_public_ip = true\n"
RULE = '  schedule_expression = "cron(0 17 * * ? *)"\n'
BLOCK = 'resource "aws_cloudwatch_event_target" "this" {\n'
DEFINITION = 'resource "aws_ecs_task_definition" "this" {\n'
EVERY = '        Resource  = "${aws_ecs_task_definition.this.arn_without_revision}:*"\n'
ROLE = "  role_arn = aws_iam_role.schedule.arn\n"
NETWORK = """    network_configuration {
      subnets          = ["subnet-0a1b2c3d"]
      security_groups  = ["sg-0a1b2c3d"]
      assign_public_ip = true
    }
"""
PINNED = TARGET.replace("arn_without_revision", "arn #! pinned-revision")
POLICY = GOOD[
    GOOD.index('resource "aws_iam_role_policy" "schedule"') : GOOD.index('resource "aws_iam_role" "execution"')
]


def asked(value):
    return good(
        (LAUNCH, f"    launch_type         = {value}\n"), (PUBLIC, PUBLIC.rstrip() + " #! launch-type-public-ip\n")
    )


DYNAMIC = """\
    dynamic "network_configuration" {
      for_each = var.networks
      iterator = net
      content {
        subnets          = net.value.subnets
        assign_public_ip = net.value.public #! launch-type-public-ip
      }
    }
"""
INLINE = """\
  name = "nightly-schedule"
  inline_policy {
    name = "run"
    policy = jsonencode({
      Statement = [
        { Effect = "Allow", Action = "iam:PassRole", Resource = aws_iam_role.execution.arn },
        { Effect = "Allow", Action = "ecs:RunTask", Resource = local.family }, #! policy-bare-family
      ]
    })
  }
"""
EC2 = 'variable "launch" {\n  default = "EC2"\n}\n'

TREES = {
    # ------------------------------------------------------------ where values come from
    "a default": {"main.tf": asked("var.launch") + EC2},
    "no default, and terraform.tfvars": {
        "main.tf": asked("var.launch") + 'variable "launch" {}\n',
        "terraform.tfvars": 'launch = "EC2"\n',
    },
    "the later values file wins": {
        "main.tf": asked("var.launch") + EC2,
        "terraform.tfvars.json": '{"launch": "FARGATE"}',
        "a.auto.tfvars": 'launch = "FARGATE"\n',
        "b.auto.tfvars": 'launch = "EC2"\n',
        "other.tfvars": 'launch = "FARGATE"\n',
    },
    "a chain of locals": {
        "main.tf": asked("local.a")
        + 'locals {\n  a = local.b["x"].y\n  b = { for one in ["x"] : one => { y = upper(local.c[0]) } }\n'
        + '  c = split(",", "ec2,fargate")\n}\n'
    },
    "a file and a template": {
        "main.tf": asked('templatefile("${path.module}/launch.tpl", { kind = file("kind.txt") })'),
        "launch.tpl": '%{ if kind == "2" }EC${kind}%{ endif }',
        "kind.txt": "2",
    },
    "an override file": {
        "main.tf": GOOD,
        "override.tf": BLOCK
        + f'  ecs_target {{\n{TARGET}    launch_type = "EC2"\n'
        + NETWORK.replace("true\n", "true #! launch-type-public-ip\n")
        + "  }\n}\n",
    },
    # ------------------------------------------------------------ count, for_each, dynamic
    "nothing is there where count is 0": {
        "main.tf": good(
            (TARGET, PINNED.replace(" #! pinned-revision", "")), (BLOCK, f"{BLOCK}  count = var.on ? 1 : 0\n")
        )
        + 'variable "on" {\n  default = false\n}\n'
    },
    "a switch that is open is taken to be on": {
        "main.tf": good((TARGET, PINNED), (BLOCK, f"{BLOCK}  count = var.on ? 1 : 0\n")) + 'variable "on" {}\n'
    },
    "one of several is wrong": {
        "main.tf": good(
            (
                '"aws_cloudwatch_event_rule" "this" {\n',
                '"aws_cloudwatch_event_rule" "this" {\n  for_each = local.times\n',
            ),
            (RULE, "  schedule_expression = each.value #! schedule-expression\n"),
            ("aws_cloudwatch_event_rule.this.name", 'aws_cloudwatch_event_rule.this["day"].name'),
        )
        + 'locals {\n  times = { day = "rate(1 day)", days = "rate(1 days)" }\n}\n'
    },
    "a dynamic block": {
        "main.tf": good(
            (
                NETWORK,
                DYNAMIC,
            ),
            (LAUNCH, '    launch_type = "EC2"\n'),
        )
        + 'variable "networks" {\n  default = [{ subnets = ["subnet-0a1b2c3d"], public = "true" }]\n}\n'
    },
    "a dynamic block that makes nothing": {
        "main.tf": good(
            (
                NETWORK,
                DYNAMIC.replace("var.networks", "[]").replace(" #! launch-type-public-ip", ""),
            ),
            ("  ecs_target {\n", "  ecs_target { #! no-network-configuration\n"),
        )
    },
    "the wrong one of several definitions": {
        "main.tf": good(
            (DEFINITION, f'{DEFINITION}  for_each = toset(["a", "b"])\n'),
            ('"nightly"\n  requires', '"nightly-${each.key}"\n  requires'),
            ('{ name = "main", image', "{ name = each.key, image"),
            (BLOCK, BLOCK + '  input = jsonencode({ containerOverrides = [{ name = "b" }] }) #! override-container\n'),
        ).replace("task_definition.this.arn_without", 'task_definition.this["a"].arn_without')
    },
    # ------------------------------------------------------------ policies
    "a data source with dynamic statements": {
        "main.tf": good((POLICY, ""))
        + """
resource "aws_iam_role_policy" "schedule" {
  role   = aws_iam_role.schedule.id
  policy = data.aws_iam_policy_document.schedule.json
}

data "aws_iam_policy_document" "schedule" {
  source_policy_documents = [data.aws_iam_policy_document.run.json]

  dynamic "statement" {
    for_each = { pass = aws_iam_role.execution.arn }
    content {
      sid       = statement.key
      actions   = ["iam:PassRole"]
      resources = [statement.value]
    }
  }
}

data "aws_iam_policy_document" "run" {
  statement {
    actions   = ["ecs:Run*"]
    resources = [aws_ecs_task_definition.this.arn_without_revision] #! policy-bare-family
  }
}
"""
    },
    "an inline policy": {
        "main.tf": good(
            (POLICY, ""),
            (
                '  name = "nightly-schedule"\n',
                INLINE,
            ),
        )
        + "locals {\n  family = aws_ecs_task_definition.this.arn_without_revision\n}\n"
    },
    "a policy that another one overrides": {
        "main.tf": good((POLICY, ""))
        + """
resource "aws_iam_role_policy" "schedule" {
  role   = aws_iam_role.schedule.id
  policy = data.aws_iam_policy_document.last.json
}

data "aws_iam_policy_document" "first" {
  statement {
    sid       = "Run"
    actions   = ["ecs:RunTask"]
    resources = [aws_ecs_task_definition.this.arn_without_revision]
  }
}

data "aws_iam_policy_document" "last" {
  source_policy_documents = [data.aws_iam_policy_document.first.json]
  statement {
    sid       = "Run"
    actions   = ["ecs:RunTask"]
    resources = ["${aws_ecs_task_definition.this.arn_without_revision}:*"]
  }
  statement {
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.execution.arn]
  }
}
"""
    },
    "a policy of others is none of a target's": {
        "main.tf": GOOD
        + """
resource "aws_iam_user_policy" "deploys" {
  user = "deploys"
  policy = jsonencode({ Statement = [
    { Effect = "Allow", Action = ["ecs:RunTask", "iam:PassRole"], Resource = "*" },
    { Effect = "Allow", Action = "ecs:RunTask", Resource = aws_ecs_task_definition.this.arn },
    { Effect = "Allow", Action = "ecs:RunTask", Resource = local.bare },
  ] })
}

resource "aws_iam_policy" "tests" {
  policy = jsonencode({ Statement = [
    { Effect = "Allow", Action = "ecs:RunTask", Resource = local.bare }, #! policy-bare-family
  ] })
}

resource "aws_iam_user_policy_attachment" "tests" {
  user       = "tests"
  policy_arn = aws_iam_policy.tests.arn
}

locals {
  bare = aws_ecs_task_definition.this.arn_without_revision
}
"""
    },
    "AWS's own policy for the targets of rules": {
        "main.tf": good((POLICY, ""))
        + """
resource "aws_iam_role_policy_attachment" "schedule" {
  role       = aws_iam_role.schedule.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceEventsRole" #! policy-too-wide
}
"""
    },
    "an administrator": {
        "main.tf": good((POLICY, ""))
        + """
resource "aws_iam_role_policy_attachment" "schedule" {
  role       = aws_iam_role.schedule.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess" #! policy-too-wide, policy-too-wide
}
"""
    },
    # ------------------------------------------------------------ launch types and networks
    "a strategy of Fargate": {
        "main.tf": good((LAUNCH, '    capacity_provider_strategy {\n      capacity_provider = "FARGATE_SPOT"\n    }\n'))
    },
    "a strategy of one's own instances": {
        "main.tf": good(
            (LAUNCH, '    capacity_provider_strategy {\n      capacity_provider = "ours"\n    }\n'),
            (PUBLIC, PUBLIC.rstrip() + " #! launch-type-public-ip\n"),
        )
    },
    "the cluster's own strategy": {
        "main.tf": good((LAUNCH, ""))
        + """
resource "aws_ecs_cluster_capacity_providers" "this" {
  cluster_name       = data.aws_ecs_cluster.this.cluster_name
  capacity_providers = ["FARGATE"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE"
  }
}
"""
    },
    "on instances, without a network of its own": {
        "main.tf": good(
            (LAUNCH, '    launch_type = "EC2"\n'),
            (NETWORK, ""),
            ('  network_mode             = "awsvpc"\n', ""),
            ('["FARGATE"]', '["EC2"]'),
        )
    },
    "a size with units": {
        "main.tf": good(
            ("cpu                      = 256", 'cpu = ".25 vCPU"'),
            ("memory                   = 512", 'memory = "0.5 GB"'),
        )
    },
    "Fargate without cpu and memory": {
        "main.tf": good(
            ("  cpu                      = 256\n", ""),
            ("  memory                   = 512\n", ""),
            (DEFINITION, DEFINITION.rstrip() + " #! definition-not-fargate, definition-not-fargate\n"),
        )
    },
    # ------------------------------------------------------------ Scheduler
    "a schedule of Scheduler": {
        "main.tf": good(("events.amazonaws.com", "scheduler.amazonaws.com"))[
            : GOOD.index('resource "aws_cloudwatch_event_rule"')
        ]
        + """
resource "aws_scheduler_schedule" "this" {
  schedule_expression          = "cron(0 2 * * ? *)"
  schedule_expression_timezone = "Asia/Tokyo"
  description                  = "every day at 2:00 JST"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = data.aws_ecs_cluster.this.arn
    role_arn = aws_iam_role.schedule.arn #

    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.this.arn #! pinned-revision
      launch_type         = "FARGATE"

      network_configuration {
        subnets = ["subnet-0a1b2c3d"]
      }
    }

    dead_letter_config {
      arn = aws_sqs_queue.failed.arn
    }
  }
}
"""
        + good(("events.amazonaws.com", "scheduler.amazonaws.com"))[GOOD.index('resource "aws_sqs_queue"') :]
    },
    "a schedule that a rule's role runs": {
        "main.tf": GOOD[: GOOD.index('resource "aws_cloudwatch_event_rule"')]
        + """
resource "aws_scheduler_schedule" "this" {
  schedule_expression = "at(2030-01-01T02:00:00)"
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = data.aws_ecs_cluster.this.arn
    role_arn = aws_iam_role.schedule.arn
    ecs_parameters {
      task_definition_arn = aws_ecs_task_definition.this.arn_without_revision
      launch_type         = "FARGATE"
      network_configuration {
        subnets = ["subnet-0a1b2c3d"]
      }
    }
    dead_letter_config {
      arn = aws_sqs_queue.failed.arn
    }
  }
}
"""
        + GOOD[GOOD.index('resource "aws_sqs_queue"') :].replace(
            "  assume_role_policy = jsonencode({\n", "  assume_role_policy = jsonencode({ #! trust-wrong-service\n", 1
        )
    },
    "RunTask called by Scheduler itself": {
        "main.tf": GOOD[: GOOD.index('resource "aws_cloudwatch_event_rule"')]
        + """
resource "aws_scheduler_schedule" "this" {
  schedule_expression = "rate(1 hours)"
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = "arn:aws:scheduler:::aws-sdk:ecs:runTask"
    role_arn = aws_iam_role.schedule.arn
    input = jsonencode({
      Cluster        = data.aws_ecs_cluster.this.arn
      TaskDefinition = aws_ecs_task_definition.this.arn #! pinned-revision
      LaunchType     = "EC2"
      NetworkConfiguration = {
        AwsvpcConfiguration = {
          Subnets        = ["subnet-0a1b2c3d"]
          AssignPublicIp = "ENABLED" #! launch-type-public-ip
        }
      }
    })
    dead_letter_config {
      arn = aws_sqs_queue.failed.arn
    }
  }
}
"""
        + GOOD[GOOD.index('resource "aws_sqs_queue"') :].replace("events.amazonaws.com", "scheduler.amazonaws.com", 1)
    },
}


@pytest.mark.parametrize("name", TREES)
def test_it_is_judged_by_what_it_comes_to(name, tmp_path):
    report = assert_as_marked(tmp_path, TREES[name])
    assert [one for one in report.unresolved if "switch" not in name] == [], report.text()


# ---------------------------------------------------------------- what stays open


OPEN = {
    "a variable without a default": (
        good((LAUNCH, "    launch_type = var.launch\n")) + 'variable "launch" {}\n',
        "launch_type",
        "var.launch has no default",
    ),
    "a variable that is sensitive": (
        good((LAUNCH, "    launch_type = var.launch\n"))
        + 'variable "launch" {\n  default   = "EC2"\n  sensitive = true\n}\n',
        "launch_type",
        "it is sensitive",
    ),
    "an input with a part that is open": (
        good((BLOCK, BLOCK + "  input = jsonencode({ containerOverrides = var.overrides })\n"))
        + 'variable "overrides" {}\n',
        "which containers its input overrides",
        "var.overrides has no default",
    ),
    "containers from elsewhere": (
        good(
            ('jsonencode([{ name = "main", image = "busybox", essential = true }])', "module.its.json"),
            (BLOCK, BLOCK + '  input = jsonencode({ containerOverrides = [{ name = "main" }] })\n'),
        )
        + 'module "its" {\n  source = "acme/it"\n}\n',
        "the containers of aws_ecs_task_definition.this",
        "module.its was not looked into: its source 'acme/it' is not on this machine; `terraform init` would bring it",
    ),
    "a role from elsewhere": (
        good((ROLE, "  role_arn = var.role\n")) + 'variable "role" {}\n',
        "what its role may do",
        "var.role has no default",
    ),
    "a policy with an open part": (
        good((EVERY, "        Resource  = var.families\n")) + 'variable "families" {}\n',
        "whether it may run nightly",
        "var.families has no default",
    ),
    "another account's managed policy": (
        good((POLICY, ""))
        + 'resource "aws_iam_role_policy_attachment" "x" {\n  role       = aws_iam_role.schedule.name\n'
        '  policy_arn = "arn:aws:iam::111122223333:policy/ours"\n}\n',
        "whether it may run nightly",
        "the policy arn:aws:iam::111122223333:policy/ours is not in sight",
    ),
    "tags that are open": (
        good((LAUNCH, f"{LAUNCH}    tags = var.tags\n")) + 'variable "tags" {}\n',
        "whether it tags its tasks, which its role may not",
        "var.tags has no default",
    ),
    "an expression that does not work out": (
        good((LAUNCH, "    launch_type = {}.kind\n")),
        "launch_type",
        "it does not work out: there is no 'kind' in it",
    ),
    "a function that only Terraform has": (
        good((RULE, '  schedule_expression = "cron(${formatdate("m h", timestamp())} * * ? *)"\n')),
        "schedule_expression",
        "the function formatdate is not worked out here",
    ),
}


@pytest.mark.parametrize("name", OPEN)
def test_what_is_open_is_said_with_its_reason_and_is_no_finding(name, tmp_path):
    text, what, because = OPEN[name]
    report = linted(tmp_path, text)
    told = {one.what: one.because for one in report.unresolved}
    assert what in told, report.text()
    assert told[what] == because
    assert report.open == [], report.text()


# ---------------------------------------------------------------- modules


def test_what_terraform_init_has_brought_is_looked_into(tmp_path):
    listed = {"Modules": [{"Key": "", "Source": "", "Dir": "."}, {"Key": "job", "Source": "SOURCE", "Dir": "DIR"}]}
    source, folder = "registry.terraform.io/acme/job/aws", ".terraform/modules/job"
    text = json.dumps(listed).replace("SOURCE", source).replace("DIR", folder)
    files = {
        "main.tf": 'module "job" {\n  source  = "acme/job/aws"\n  version = "1.2.3"\n}\n',
        ".terraform/modules/modules.json": text,
        f"{folder}/main.tf": good((TARGET, PINNED)),
    }
    report = linted(tmp_path, files)
    assert seen(report) == {("pinned-revision", f"{folder}/main.tf", 27): 1}
    (tmp_path / ".terraform" / "modules" / "modules.json").write_text("{")
    (left,) = lint_terraform(tmp_path).unresolved
    assert left.because.startswith("its source 'acme/job/aws' is not on this machine")


def test_a_module_that_is_called_twice_is_one_finding_at_one_line(tmp_path):
    files = {
        "main.tf": 'module "a" {\n  source = "./job"\n}\nmodule "b" {\n  source = "./job"\n  count  = 3\n}\n',
        "job/main.tf": good((TARGET, PINNED)),
    }
    assert seen(linted(tmp_path, files)) == marks(tmp_path)


def test_a_module_outside_of_what_is_asked_for_is_looked_into(tmp_path):
    written(tmp_path, {"live/main.tf": 'module "a" {\n  source = "../job"\n}\n', "job/main.tf": good((TARGET, PINNED))})
    report = lint_terraform(tmp_path / "live")
    assert seen(report) == {("pinned-revision", "../job/main.tf", 27): 1}
    report = lint_terraform(tmp_path / "live", relative_to=tmp_path)
    assert seen(report) == {("pinned-revision", "job/main.tf", 27): 1}


def test_a_tree_of_modules_thirty_deep_is_followed_and_no_further(tmp_path):
    files = {f"m{number}/main.tf": f'module "next" {{\n  source = "../m{number + 1}"\n}}\n' for number in range(40)}
    report = linted(tmp_path, {**files, "m40/main.tf": GOOD})
    assert report.open == []
    assert [one.because[:24] for one in report.unresolved] == ["more than 30 modules dee"]


# ---------------------------------------------------------------- Terraform's JSON


def test_json_is_judged_as_hcl_is_with_its_own_lines(tmp_path):
    tree = {
        "resource": {
            "aws_ecs_task_definition": {
                "this": {
                    "family": "nightly",
                    "network_mode": "awsvpc",
                    "requires_compatibilities": ["FARGATE"],
                    "cpu": 256,
                    "memory": 512,
                    "skip_destroy": True,
                    "container_definitions": "[]",
                }
            },
            "aws_cloudwatch_event_target": {
                "this": [
                    {
                        "rule": "nightly",
                        "arn": "arn:aws:ecs:eu-west-2:111122223333:cluster/batch",
                        "role_arn": "${aws_iam_role.this.arn}",
                        "ecs_target": {
                            "task_definition_arn": "${aws_ecs_task_definition.this.arn}",
                            "launch_type": "FARGATE",
                            "network_configuration": {"subnets": ["subnet-0a1b2c3d"]},
                        },
                        "dead_letter_config": {"arn": "arn:aws:sqs:eu-west-2:111122223333:failed"},
                    }
                ]
            },
            "aws_iam_role": {
                "this": {
                    "assume_role_policy": '{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
                    '"Principal":{"Service":"events.amazonaws.com"}}]}'
                }
            },
            "aws_iam_role_policy": {
                "this": {
                    "role": "${aws_iam_role.this.name}",
                    "policy": '{"Statement":[{"Effect":"Allow","Action":"ecs:RunTask",'
                    '"Resource":"${aws_ecs_task_definition.this.arn_without_revision}"}]}',
                }
            },
        }
    }
    text = json.dumps(tree, indent=2)
    report = linted(tmp_path, {"main.tf.json": text})
    lines = text.splitlines()
    pinned = next(at for at, line in enumerate(lines, 1) if '"task_definition_arn"' in line)
    policy = next(at for at, line in enumerate(lines, 1) if '"policy"' in line)
    expected = [("pinned-revision", pinned), ("policy-bare-family", policy)]
    assert [(one.rule, one.place.line) for one in report.open] == expected, report.text()
