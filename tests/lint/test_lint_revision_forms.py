"""However a target's ARN is written: what ends in a revision is found, what does not passes, what is open is said."""

import pytest
from lint_trees import assert_as_marked, good, linted

TARGET = "    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n"
EVERY = '        Resource  = "${aws_ecs_task_definition.this.arn_without_revision}:*"\n'
MORE = """
data "aws_ecs_task_definition" "latest" {
  task_definition = aws_ecs_task_definition.this.family
}

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  cut = replace(local.pin, "/:\\\\d+$/", "")
  pin = aws_ecs_task_definition.this.arn
}

variable "cut" {
  default = "nightly"
}

variable "pin" {
  default = "nightly:7"
}

variable "latest" {
  type = bool
}

variable "given" {}
"""
HERE = "arn:${data.aws_partition.current.partition}:ecs:${data.aws_region.current.name}"
ACCOUNT = "${data.aws_caller_identity.current.account_id}"

RIGHT = [
    "x.arn_without_revision",
    '"${x.arn_without_revision}"',
    "x.family",
    "x.id",
    '"nightly"',
    "local.cut",
    "var.cut",
    "data.aws_ecs_task_definition.latest.arn_without_revision",
    "data.aws_ecs_task_definition.latest.family",
    '"arn:aws:ecs:eu-west-2:111122223333:task-definition/${x.family}"',
    f'"{HERE}:{ACCOUNT}:task-definition/${{x.family}}"',
    'format("arn:aws:ecs:%s:%s:task-definition/%s", "eu-west-2", "111122223333", x.family)',
    r'replace(x.arn, "/:\\d+$/", "")',
    'replace(x.arn, "/:[0-9]+$/", "")',
    'replace(x.arn, "/:[[:digit:]]+$/", "")',
    'replace(x.arn, "/:[^:]*$/", "")',
    'replace(x.arn, ":${x.revision}", "")',
    'replace(replace(x.arn, "/[0-9]+$/", ""), "/:$/", "")',
    'trimsuffix(x.arn, ":${x.revision}")',
    'join(":", slice(split(":", x.arn), 0, 6))',
    r'regex("^(.*):\\d+$", x.arn)[0]',
    r'regex("^(?P<family>.*):\\d+$", x.arn)["family"]',
    'element(regex("^(.*):[^:]*$", x.arn), 0)',
    'regexall("^(.+):", x.arn)[0][0]',
    "try(x.arn_without_revision, x.arn)",
    "coalesce(x.arn_without_revision, x.arn)",
    "true ? x.arn_without_revision : x.arn",
    "one([for each in [x] : each.arn_without_revision])",
    "trimspace(x.arn_without_revision)",
    "jsondecode(jsonencode({ arn = x.arn_without_revision })).arn",
    'lookup({ arn = x.arn_without_revision }, "arn", "")',
]
WRONG = [
    "x.arn",
    '"${x.arn}"',
    '"nightly:12"',
    '"arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly:12"',
    "local.pin",
    "var.pin",
    "data.aws_ecs_task_definition.latest.arn",
    '"${data.aws_ecs_task_definition.latest.family}:${data.aws_ecs_task_definition.latest.revision}"',
    '"${x.family}:${x.revision}"',
    '"${x.family}:${max(x.revision, data.aws_ecs_task_definition.latest.revision)}"',
    '"${x.arn_without_revision}:${x.revision}"',
    '"${x.arn_without_revision}:1"',
    'format("%s:%s", x.family, x.revision)',
    'join(":", [x.family, x.revision])',
    'split("/", x.arn)[1]',
    'try(x.arn, "")',
    'coalesce(x.arn, "nightly")',
    'x.arn != "" ? x.arn : ""',
    "var.latest ? x.arn : x.arn",
    "element([x.arn], 0)",
    "one(x[*].arn)",
    'join("", x[*].arn)',
    "trimspace(x.arn)",
    "nonsensitive(x.arn)",
]
OPEN = [
    ("var.given", "var.given has no default"),
    ("var.latest ? x.arn : x.arn_without_revision", "var.latest has no default"),
    ("lower(x.arn)", "aws_ecs_task_definition.this.arn_without_revision is known only after apply"),
    (
        'replace(x.arn, "nightly", "daily")',
        "aws_ecs_task_definition.this.arn_without_revision is known only after apply",
    ),
    ("data.aws_ssm_parameter.arn.value", "data.aws_ssm_parameter.arn.value is known only after apply"),
    ("data.aws_ecs_task_definition.latest.id", "data.aws_ecs_task_definition.latest.id is known only after apply"),
    ("aws_sqs_queue.failed.arn", "aws_sqs_queue.failed.arn is known only after apply"),
]


def tree(written):
    for short in ("x.", "x[", "[x]"):
        written = written.replace(short, short.replace("x", "aws_ecs_task_definition.this"))
    return good((TARGET, f"    task_definition_arn = {written}\n")) + MORE


@pytest.mark.parametrize("written", RIGHT)
def test_what_does_not_end_in_a_revision_passes(written, tmp_path):
    report = linted(tmp_path, tree(written))
    # that a family alone is refused by the provider is another matter
    assert {one.rule for one in report.open} <= {"task-definition-no-arn"}, report.text()
    assert report.unresolved == []


@pytest.mark.parametrize("written", WRONG)
def test_what_ends_in_a_revision_is_found_at_its_line(written, tmp_path):
    report = assert_as_marked(tmp_path, tree(f"{written} #! pinned-revision"))
    assert report.unresolved == [], report.text()


@pytest.mark.parametrize(("written", "why"), OPEN)
def test_what_is_open_is_said_to_be_so_and_not_guessed(written, why, tmp_path):
    report = linted(tmp_path, tree(written))
    assert "pinned-revision" not in {one.rule for one in report.open}
    assert ("task_definition_arn", why) in [(one.what, one.because) for one in report.unresolved], report.text()


POLICIES_RIGHT = [
    '"${x.arn_without_revision}:*"',
    '["${x.arn_without_revision}:*"]',
    r'replace(x.arn, "/:\\d+$/", ":*")',
    r'"${replace(x.arn, "/:\\d+$/", "")}:*"',
    'join(":", [x.arn_without_revision, "*"])',
    '"arn:aws:ecs:*:*:task-definition/${x.family}:*"',
    '"arn:aws:ecs:*:111122223333:task-definition/nightly:*"',
    '"arn:aws:ecs:*:*:task-definition/night*"',
    '"*"',
    '[x.arn_without_revision, "${x.arn_without_revision}:*"]',
]
POLICIES_BARE = [
    "x.arn_without_revision",
    '["${x.arn_without_revision}"]',
    r'replace(x.arn, "/:\\d+$/", "")',
    '"arn:aws:ecs:*:*:task-definition/${x.family}"',
    '"arn:aws:ecs:*:111122223333:task-definition/nightly"',
    # the trap of a well-known module: it makes :* of a revision, and leaves alone what has none
    r'replace(x.arn_without_revision, "/:\\d+$/", ":*")',
]


@pytest.mark.parametrize("written", POLICIES_RIGHT)
def test_a_policy_for_every_revision_passes(written, tmp_path):
    written = written.replace("x.", "aws_ecs_task_definition.this.")
    report = linted(tmp_path, good((EVERY, f"        Resource  = {written}\n")))
    assert (report.open, report.unresolved) == ([], []), report.text()


@pytest.mark.parametrize("written", POLICIES_BARE)
def test_a_policy_for_the_bare_family_is_found_at_its_line(written, tmp_path):
    written = written.replace("x.", "aws_ecs_task_definition.this.")
    assert_as_marked(tmp_path, good((EVERY, f"        Resource  = {written} #! policy-bare-family\n")))
