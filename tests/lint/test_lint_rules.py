"""Every rule finds its mistake at the right line, and says nothing of what is right."""

import pytest
from lint_trees import GOOD, SCHEDULED_MACHINE, assert_as_marked, changed, good

from ecs_runbook.lint.registry import RULES

TARGET = "    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n"
ARN = "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly"
LAUNCH = '    launch_type         = "FARGATE"\n'
PUBLIC = "      assign_public_ip = true\n"
NETWORK = """
    network_configuration {
      subnets          = ["subnet-0a1b2c3d"]
      security_groups  = ["sg-0a1b2c3d"]
      assign_public_ip = true
    }
"""
BLOCK = 'resource "aws_cloudwatch_event_target" "this" {\n'
EVERY = '        Resource  = "${aws_ecs_task_definition.this.arn_without_revision}:*"\n'
CLUSTER = '        Condition = { ArnEquals = { "ecs:cluster" = data.aws_ecs_cluster.this.arn } }\n'
PASSED = '        Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }\n'
QUEUE = """
  dead_letter_config {
    arn = aws_sqs_queue.failed.arn
  }
"""

VPCS = """
resource "aws_vpc" "a" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_vpc" "b" {
  cidr_block = "10.1.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id     = aws_vpc.a.id
  cidr_block = "10.0.1.0/24"
}

resource "aws_security_group" "task" {
  vpc_id = aws_vpc.a.id
}

resource "aws_route_table" "a" {
  vpc_id = aws_vpc.a.id

  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.a.id
  }
}

resource "aws_route_table_association" "a" {
  subnet_id      = aws_subnet.a.id
  route_table_id = aws_route_table.a.id
}

resource "aws_nat_gateway" "a" {
  subnet_id     = aws_subnet.public.id
  allocation_id = "eipalloc-0a1b2c3d"
}

resource "aws_subnet" "public" {
  vpc_id     = aws_vpc.a.id
  cidr_block = "10.0.2.0/24"
}

resource "aws_internet_gateway" "a" {
  vpc_id = aws_vpc.a.id
}
"""
IN_VPC = (
    ('["subnet-0a1b2c3d"]', "[aws_subnet.a.id]"),
    ('["sg-0a1b2c3d"]', "[aws_security_group.task.id]"),
    (PUBLIC, "      assign_public_ip = false\n"),
)

MISTAKES = [
    ("pinned-revision", good((TARGET, TARGET.replace("arn_without_revision", "arn #! pinned-revision")))),
    (
        "pinned-revision",
        good(
            (TARGET, f'    task_definition_arn = "{ARN}:7" #! pinned-revision\n'),
            (EVERY, f'        Resource  = "{ARN}:*"\n'),
        ),
    ),
    (
        "launch-type-public-ip",
        good((LAUNCH, LAUNCH.replace("FARGATE", "EC2")), (PUBLIC, PUBLIC.rstrip() + " #! launch-type-public-ip\n")),
    ),
    ("launch-type-public-ip", good((LAUNCH, ""), (PUBLIC, PUBLIC.rstrip() + " #! launch-type-public-ip\n"))),
    (
        "launch-type-left-out",
        good(
            (LAUNCH, ""),
            (PUBLIC, ""),
            ("  ecs_target {\n", "  ecs_target { #! launch-type-left-out\n"),
        ),
    ),
    (
        "launch-type-and-strategy",
        good(
            (
                LAUNCH,
                LAUNCH.rstrip() + " #! launch-type-and-strategy\n    capacity_provider_strategy {\n      "
                'capacity_provider = "FARGATE_SPOT"\n    }\n',
            )
        ),
    ),
    (
        "platform-version-on-ec2",
        good(
            (LAUNCH, LAUNCH.replace("FARGATE", "EC2") + '    platform_version = "1.4.0" #! platform-version-on-ec2\n'),
            (PUBLIC, ""),
        ),
    ),
    (
        "no-network-configuration",
        good((NETWORK, ""), ("  ecs_target {\n", "  ecs_target { #! no-network-configuration\n")),
    ),
    (
        "definition-not-fargate",
        good(
            (
                '  network_mode             = "awsvpc"\n',
                '  network_mode             = "bridge" #! definition-not-fargate\n',
            )
        ),
    ),
    (
        "fargate-cpu-memory",
        good(("  memory                   = 512\n", "  memory                   = 4096 #! fargate-cpu-memory\n")),
    ),
    (
        "override-container",
        good(
            (
                BLOCK,
                BLOCK + '  input    = jsonencode({ containerOverrides = [{ name = "app" }] }) #! override-container\n',
            )
        ),
    ),
    (
        "policy-bare-family",
        good((EVERY, "        Resource  = aws_ecs_task_definition.this.arn_without_revision #! policy-bare-family\n")),
    ),
    (
        "policy-pinned-revision",
        good((EVERY, "        Resource  = aws_ecs_task_definition.this.arn #! policy-pinned-revision\n")),
    ),
    (
        "run-task-missing",
        good(
            (EVERY, '        Resource  = "arn:aws:ecs:eu-west-2:111122223333:task-definition/another:*"\n'),
            ('resource "aws_iam_role" "schedule" {\n', 'resource "aws_iam_role" "schedule" { #! run-task-missing\n'),
        ),
    ),
    (
        "pass-role-missing",
        good(
            ("        Resource  = aws_iam_role.execution.arn\n", '        Resource  = "arn:aws:iam::*:role/another"\n'),
            ('resource "aws_iam_role" "schedule" {\n', 'resource "aws_iam_role" "schedule" { #! pass-role-missing\n'),
        ),
    ),
    ("passed-to-service", good((PASSED, PASSED.replace("ecs-tasks", "events").rstrip() + " #! passed-to-service\n"))),
    (
        "trust-wrong-service",
        good(
            (
                '  name = "nightly-schedule"\n  assume_role_policy = jsonencode({\n',
                '  name = "nightly-schedule"\n  assume_role_policy = jsonencode({ #! trust-wrong-service\n',
            ),
            ('"events.amazonaws.com"', '"ecs.amazonaws.com"'),
        ),
    ),
    (
        "tag-resource-missing",
        good((LAUNCH, LAUNCH + '    propagate_tags = "TASK_DEFINITION" #! tag-resource-missing\n')),
    ),
    (
        "tag-resource-on-wrong-arn",
        good(
            (LAUNCH, LAUNCH + '    propagate_tags = "TASK_DEFINITION"\n'),
            ('        Action    = "ecs:RunTask"\n', '        Action    = ["ecs:RunTask", "ecs:TagResource"]\n'),
            (EVERY, EVERY.rstrip() + " #! tag-resource-on-wrong-arn\n"),
        ),
    ),
    ("policy-too-wide", good((EVERY, '        Resource  = "*" #! policy-too-wide\n'), (CLUSTER, ""))),
    (
        "policy-too-wide",
        good(
            ("        Resource  = aws_iam_role.execution.arn\n", '        Resource  = "*" #! policy-too-wide\n'),
            (PASSED, ""),
        ),
    ),
    (
        "no-active-revision-window",
        good(
            ("  skip_destroy             = true\n", ""),
            (
                'resource "aws_ecs_task_definition" "this" {\n',
                'resource "aws_ecs_task_definition" "this" { #! no-active-revision-window\n',
            ),
        ),
    ),
    (
        "two-vpcs",
        good(*IN_VPC)
        + changed(
            VPCS,
            (
                'resource "aws_security_group" "task" {\n  vpc_id = aws_vpc.a.id\n',
                'resource "aws_security_group" "task" {\n  vpc_id = aws_vpc.b.id #! two-vpcs\n',
            ),
        ),
    ),
    (
        "no-way-out",
        good(*IN_VPC[:2], (PUBLIC, "      assign_public_ip = false #! no-way-out\n"))
        + changed(VPCS, ("nat_gateway_id = aws_nat_gateway.a.id", "gateway_id = aws_internet_gateway.a.id")),
    ),
    (
        "schedule-expression",
        good(
            (
                '  schedule_expression = "cron(0 17 * * ? *)"\n',
                '  schedule_expression = "cron(0 17 * * * *)" #! schedule-expression\n',
            )
        ),
    ),
    (
        "schedule-zone",
        good(
            (
                '  schedule_expression = "cron(0 17 * * ? *)"\n',
                '  description = "daily, 2:00 JST"\n  schedule_expression = "cron(0 2 * * ? *)" #! schedule-zone\n',
            )
        ),
    ),
    (
        "no-dead-letter-queue",
        good((QUEUE, ""), (BLOCK, BLOCK.rstrip() + " #! no-dead-letter-queue\n")),
    ),
    (
        "no-dead-letter-queue",
        changed(
            SCHEDULED_MACHINE,
            ('    dead_letter_config {\n      arn = "arn:aws:sqs:eu-west-2:111122223333:failed"\n    }\n', ""),
            ('"aws_scheduler_schedule" "this" {', '"aws_scheduler_schedule" "this" { #! no-dead-letter-queue'),
        ),
    ),
    # `terraform plan` with hashicorp/aws 5.100 says of each: is an invalid ARN: arn: invalid prefix
    (
        "task-definition-no-arn",
        good(("= aws_ecs_task_definition.this.arn_without_revision\n", '= "nightly" #! task-definition-no-arn\n')),
    ),
    (
        "empty-arn",
        good(("= aws_ecs_task_definition.this.arn_without_revision\n", '= "" #! empty-arn\n')),
    ),
    (
        "empty-arn",
        good(
            ("  arn      = data.aws_ecs_cluster.this.arn\n", '  arn      = "" #! empty-arn\n'),
            ("  role_arn = aws_iam_role.schedule.arn\n", '  role_arn = "" #! empty-arn\n'),
        ),
    ),
    (
        "task-definition-no-arn",
        good(
            (
                "= aws_ecs_task_definition.this.arn_without_revision\n",
                "= aws_ecs_task_definition.this.family #! task-definition-no-arn\n",
            )
        ),
    ),
    (
        "start-execution-missing",
        changed(
            SCHEDULED_MACHINE,
            ('"states:StartExecution"', '"states:StopExecution"'),
            ('"aws_iam_role" "starter" {', '"aws_iam_role" "starter" { #! start-execution-missing'),
        ),
    ),
    ("unreadable-file", GOOD + "resource {{ #! unreadable-file"),
]


def test_what_is_right_passes(tmp_path):
    report = assert_as_marked(tmp_path, GOOD)
    assert report.findings == []
    assert report.unresolved == []


@pytest.mark.parametrize(("rule", "text"), MISTAKES, ids=[f"{at}-{rule}" for at, (rule, _) in enumerate(MISTAKES)])
def test_a_mistake_is_found_at_its_line_and_nothing_else_is(rule, text, tmp_path):
    assert rule in text
    assert_as_marked(tmp_path, text)


def test_every_rule_has_its_mistake():
    comments = {"silence-without-reason", "silence-unknown-rule"}  # test_lint_silence has these
    assert {rule for rule, _ in MISTAKES} == set(RULES) - comments
