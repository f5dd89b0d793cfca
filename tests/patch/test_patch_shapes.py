"""However somebody has written it: the lines that a patch changes, and what is not placed, with the reason."""

import json

import pytest
from patch_trees import after_patch, changed, good, target_of, written

from ecs_runbook.lint.check import lint_terraform
from ecs_runbook.patch.patch import patch

ARN = "aws_ecs_task_definition.this.arn"
BARE = '"arn:aws:ecs:*:*:task-definition/nightly"'
FAMILY = f"{ARN}_without_revision"
RESOURCE = '        Resource  = "${aws_ecs_task_definition.this.arn_without_revision}:*"\n'
LAUNCH = '    launch_type         = "FARGATE"\n'
LOCALS = f"\nlocals {{\n  arn = {ARN}\n}}\n"
CUT = 'replace(local.arn, "/:[0-9]+$/", "")'
SERVICE = '\nresource "aws_ecs_service" "web" {\n  name            = "web"\n  task_definition = local.arn\n}\n'
LATEST = '\ndata "aws_ecs_task_definition" "x" {\n  task_definition = "n"\n}\n'
DEFINITION = 'resource "aws_ecs_task_definition" "t" {\n  family = "nightly"\n}\n'
JOB = target_of("var.arn") + '\nvariable "arn" {}\n'


def resource(expression):
    return good((RESOURCE, f"        Resource  = {expression}\n"))


def launch(line):
    return good((LAUNCH, line))


def call(arguments, source="./job"):
    return f'module "job" {{\n  source = "{source}"\n{arguments}}}\n'


def schedule(task, *, before="", inside=""):
    return (
        f'{before}resource "aws_scheduler_schedule" "s" {{\n{inside}  name = "n"\n  target {{\n    arn      = "c"\n'
        f'    role_arn = "r"\n    ecs_parameters {{\n      task_definition_arn = {task}\n'
        '      launch_type         = "FARGATE"\n    }\n  }\n}\n'
    )


UNIVERSAL = (
    'resource "aws_scheduler_schedule" "s" {\n  name = "n"\n  target {\n'
    '    arn      = "arn:aws:scheduler:::aws-sdk:ecs:runTask"\n    role_arn = "r"\n    input    = INPUT\n  }\n}\n'
)
HEREDOC = """
resource "aws_iam_role_policy" "more" {
  role   = aws_iam_role.schedule.name
  policy = <<-EOT
    {
      "Version": "2012-10-17",
      "Statement": [
        {"Effect": "Allow", "Action": "ecs:RunTask",
         "Resource": ["${aws_ecs_task_definition.this.arn}", "arn:aws:ecs:*:*:task-definition/a:3"]},
        {"Effect": "Allow", "Action": "ecs:RunTask",
         "Resource": "${ aws_ecs_task_definition.this.arn_without_revision }"}
      ]
    }
  EOT
}
"""
DATA = """
resource "aws_iam_role_policy" "more" {
  role   = aws_iam_role.schedule.name
  policy = data.aws_iam_policy_document.more.json
}

data "aws_iam_policy_document" "more" {
  statement {
    actions   = ["ecs:RunTask"]
    resources = RESOURCES
  }
}
"""
JSON = (
    '{"resource": {"aws_cloudwatch_event_target": {"t": {"rule": "é\\u00e9", "arn": "c",\n "ecs_target": {\n'
    '  "task_definition_arn": "EXPRESSION",\n  "launch_type": "FARGATE"}}},\n'
    ' "aws_ecs_task_definition": {"t": {"family": "t"}}},\n "locals": {"arn": "${aws_ecs_task_definition.t.arn}"},\n'
    ' "output": {"arn": {"value": "${local.arn}"}}}'
)

ONE_FILE = {
    "a local that only the target takes": (target_of("local.arn") + LOCALS, (LOCALS, LOCALS.replace(ARN, FAMILY))),
    "a local that a service takes too": (
        target_of("local.arn") + LOCALS + SERVICE,
        ("arn = local.arn\n", f"arn = {CUT}\n"),
    ),
    "a local that an output tells": (
        target_of("local.arn") + LOCALS + '\noutput "arn" {\n  value = local.arn\n}\n',
        ("task_definition_arn = local.arn\n", f"task_definition_arn = {CUT}\n"),
    ),
    "a local that goes into what is not known": (
        target_of("local.arn") + LOCALS + '\nresource "aws_ssm_parameter" "p" {\n  value = upper(local.arn)\n}\n',
        ("task_definition_arn = local.arn\n", f"task_definition_arn = {CUT}\n"),
    ),
    "a local that the policy takes too": (
        changed(resource("local.arn"), (FAMILY + "\n    launch", "local.arn\n    launch")) + LOCALS,
        ("Resource  = local.arn\n", 'Resource  = "${local.arn}:*"\n'),
        (LOCALS, LOCALS.replace(ARN, FAMILY)),
    ),
    "an object in a local": (
        target_of('local.jobs["a"].arn') + f"\nlocals {{\n  jobs = {{ a = {{ arn = {ARN}, x = 1 }} }}\n}}\n",
        (f"arn = {ARN}, x", f"arn = {FAMILY}, x"),
    ),
    "both ways of a choice": (
        target_of(f"var.x ? {ARN} : {ARN}") + '\nvariable "x" {}\n',
        (f"? {ARN} : {ARN}\n", f"? {FAMILY} : {FAMILY}\n"),
    ),
    "functions that hand it on": (
        target_of(f'coalesce(try(element([{ARN}], 0), ""), "x")'),
        (f"[{ARN}]", f"[{FAMILY}]"),
    ),
    "all of a splat": (
        target_of('join("", aws_ecs_task_definition.this[*].arn)'),
        ("this[*].arn)", "this[*].arn_without_revision)"),
    ),
    "a data source": (
        target_of("data.aws_ecs_task_definition.x.arn") + LATEST,
        ("x.arn\n", "x.arn_without_revision\n"),
    ),
    "the for_each of a schedule": (
        schedule(
            "each.value.arn",
            before='locals {\n  jobs = { a = { arn = "n:7" }, b = { arn = "b" } }\n'
            "  all  = { for k, v in local.jobs : k => merge(v, { n = k }) }\n}\n",
            inside="  for_each = local.all\n",
        ),
        ('"n:7"', '"n"'),
    ),
    "a request to RunTask": (
        UNIVERSAL.replace("INPUT", f"jsonencode({{ TaskDefinition = {ARN}, LaunchType = var.x }})"),
        (f"= {ARN},", f"= {FAMILY},"),
    ),
    "a request in a heredoc": (
        UNIVERSAL.replace(
            "INPUT",
            f'<<EOF\n{{"LaunchType": "FARGATE",\n"TaskDefinition": "${{{ARN}}}", "é": ${{jsonencode({{}})}}}}\nEOF',
        ),
        (f"${{{ARN}}}", f"${{{FAMILY}}}"),
    ),
    "a policy on the bare family": (resource(FAMILY), (f"= {FAMILY}\n      ", f'= "${{{FAMILY}}}:*"\n      ')),
    "a policy on one revision": (resource(f"[{ARN}]"), (f"[{ARN}]", f'["${{{FAMILY}}}:*"]')),
    "a policy on a revision of another day": (
        resource('"arn:aws:ecs:*:*:task-definition/nightly:7"'),
        ("nightly:7", "nightly:*"),
    ),
    "a policy on a family by its name": (
        resource('"arn:aws:ecs:*:*:task-definition/nightly"'),
        ('/nightly"', '/nightly:*"'),
    ),
    "a policy that puts something after the revision": (resource(f'"${{{ARN}}}:*"'), (f"{ARN}}}:*", f"{FAMILY}}}:*")),
    "a policy in a heredoc": (
        good((RESOURCE, '        Resource  = "arn:aws:ecs:*:*:task-definition/other:*"\n')) + HEREDOC,
        (
            '["${aws_ecs_task_definition.this.arn}", "arn:aws:ecs:*:*:task-definition/a:3"]',
            '["${aws_ecs_task_definition.this.arn_without_revision}:*", "arn:aws:ecs:*:*:task-definition/a:*"]',
        ),
        ('_without_revision }"}', '_without_revision }:*"}'),
    ),
    "a policy document that takes a list from elsewhere": (
        good((RESOURCE, '        Resource  = "arn:aws:ecs:*:*:task-definition/other:*"\n'))
        + DATA.replace("RESOURCES", "aws_ecs_task_definition.this[*].arn"),
        (
            "= aws_ecs_task_definition.this[*].arn",
            '= [for arn in aws_ecs_task_definition.this[*].arn : replace(arn, "/:[0-9]+$/", ":*")]',
        ),
    ),
    "a launch type of EC2 and a public IP": (launch('    launch_type         = "EC2"\n'), ('"EC2"', '"FARGATE"')),
    "a launch type from a variable": (
        launch("    launch_type         = var.launch\n") + '\nvariable "launch" {\n  default = "EC2"\n}\n',
        ('default = "EC2"', 'default = "FARGATE"'),
    ),
    "no launch type": (launch(""), (f"{FAMILY}\n", f"{FAMILY}\n{LAUNCH}")),
    "a block on one line": (
        (
            'resource "aws_cloudwatch_event_target" "t" {\n  rule = "x"\n  arn  = "c"\n'
            "  ecs_target { task_definition_arn = aws_ecs_task_definition.f.arn } # odd\n}\n"
            'resource "aws_ecs_task_definition" "f" {\n  family = "f"\n  requires_compatibilities = ["FARGATE"]\n'
            '  network_mode = "awsvpc"\n}\n'
        ),
        (
            "{ task_definition_arn = aws_ecs_task_definition.f.arn }",
            (
                "{\n    task_definition_arn = aws_ecs_task_definition.f.arn_without_revision\n"
                '    launch_type         = "FARGATE"\n  }'
            ),
        ),
    ),
}


@pytest.mark.parametrize("shape", ONE_FILE)
def test_the_lines_that_must_change_do_and_no_other_does(shape, tmp_path):
    tree, *edits = ONE_FILE[shape]
    assert after_patch(tmp_path, tree) == changed(tree, *edits)
    left = {one.rule for one in lint_terraform(tmp_path).open}
    assert not left & {"pinned-revision", "policy-bare-family", "policy-pinned-revision", "launch-type-public-ip"}
    again = patch(tmp_path)
    assert (again.diff, again.not_placed) == ("", ())


MODULES = {
    "what a module is given": (
        {"main.tf": DEFINITION + call("  arn    = aws_ecs_task_definition.t.arn # why\n"), "job/main.tf": JOB},
        {"main.tf": ("t.arn #", "t.arn_without_revision #")},
    ),
    "what each of several modules is given": (
        {
            "main.tf": 'locals {\n  jobs = {\n    a = { arn = "a:1" }\n    b = { arn = "b:2" } // why\n  }\n}\n'
            + call("  for_each = local.jobs\n  arn = each.value.arn\n"),
            "job/main.tf": JOB,
        },
        {"main.tf": [('"a:1"', '"a"'), ('"b:2"', '"b"')]},
    ),
    "what two roots give one module": (
        {
            "a/main.tf": call('  arn = "a:1"\n', "../job"),
            "b/main.tf": call('  arn = "b:2"\n', "../job"),
            "job/main.tf": JOB,
        },
        {"a/main.tf": ('"a:1"', '"a"'), "b/main.tf": ('"b:2"', '"b"')},
    ),
    "what a module is given, and takes for a service too": (
        {
            "main.tf": call('  arn = "a:1"\n'),
            "job/main.tf": JOB + '\nresource "aws_ecs_service" "s" {\n  task_definition = var.arn\n}\n',
        },
        {"job/main.tf": ("_arn = var.arn\n", '_arn = replace(var.arn, "/:[0-9]+$/", "")\n')},
    ),
    "what a module tells": (
        {
            "main.tf": target_of("module.job[0].arn") + call("  count = 1\n"),
            "job/main.tf": DEFINITION + 'output "arn" {\n  value = aws_ecs_task_definition.t.arn\n}\n',
        },
        {"job/main.tf": ("t.arn\n", "t.arn_without_revision\n")},
    ),
    "what a module tells, and a service takes too": (
        {
            "main.tf": target_of("module.job.arn") + SERVICE.replace("local.arn", "module.job.arn") + call(""),
            "job/main.tf": DEFINITION + 'output "arn" {\n  value = aws_ecs_task_definition.t.arn\n}\n',
        },
        {"main.tf": ("_arn = module.job.arn\n", '_arn = replace(module.job.arn, "/:[0-9]+$/", "")\n')},
    ),
    "a file of values": (
        {"main.tf": JOB, "terraform.tfvars": 'arn = "nightly:7" # when?\n'},
        {"terraform.tfvars": ('"nightly:7"', '"nightly"')},
    ),
    "JSON": (
        {"main.tf.json": JSON.replace("EXPRESSION", "${aws_ecs_task_definition.t.arn}")},
        {
            "main.tf.json": (
                '_arn": "${aws_ecs_task_definition.t.arn}"',
                '_arn": "${aws_ecs_task_definition.t.arn_without_revision}"',
            )
        },
    ),
    "JSON with a local that is told too": (
        {"main.tf.json": JSON.replace("EXPRESSION", "${local.arn}")},
        {"main.tf.json": ('_arn": "${local.arn}"', r'_arn": "${replace(local.arn, \"/:[0-9]+$/\", \"\")}"')},
    ),
    "JSON without a launch type": (
        {
            "main.tf.json": JSON.replace("EXPRESSION", "t").replace(
                '"launch_type": "FARGATE"', '"network_configuration": {"subnets": ["s"], "assign_public_ip": true}'
            )
        },
        {"main.tf.json": ('"task_definition_arn": "t"', '"task_definition_arn": "t",\n  "launch_type": "FARGATE"')},
    ),
}


BUS = """
locals {
  all = flatten([for rule, targets in var.targets : [for one in targets : merge(one, { "rule" = rule })]])
}

resource "aws_cloudwatch_event_target" "all" {
  for_each = { for one in local.all : one.name => one if var.make }
  rule     = each.value.rule
  arn      = try(each.value.cluster, null)
  dynamic "ecs_target" {
    for_each = lookup(each.value, "task", null) != null ? [each.value.task] : []
    content {
      task_definition_arn = ecs_target.value.arn
      launch_type         = lookup(ecs_target.value, "launch", null)
    }
  }
}

variable "make" {
  default = true
}

variable "targets" {
  type = any
}
"""
GIVEN = """  targets = {
    hourly = [
      { name = "a", cluster = "c", task = { launch = "FARGATE", arn = aws_ecs_task_definition.t.arn } },
      { name = "b", cluster = "c", task = { launch = "FARGATE", arn = aws_ecs_task_definition.t.family } }, # fine
    ]
  }
"""
MODULES["what a module gathers from maps of lists of objects"] = (
    {"main.tf": DEFINITION + call(GIVEN, "./bus"), "bus/main.tf": BUS},
    {"main.tf": ("t.arn }", "t.arn_without_revision }")},
)


@pytest.mark.parametrize("shape", MODULES)
def test_it_is_changed_where_it_is_written(shape, tmp_path):
    files, edits = MODULES[shape]
    expected = {
        name: changed(text, *([edits[name]] if isinstance(edits.get(name), tuple) else edits.get(name, [])))
        for name, text in files.items()
    }
    assert after_patch(tmp_path, files) == expected
    again = patch(tmp_path)
    assert (again.diff, again.not_placed) == ("", ())


NOT_PLACED = {
    "ignore_changes": (
        target_of(ARN).replace(
            "  dead_letter", "  lifecycle {\n    ignore_changes = [ecs_target]\n  }\n\n  dead_letter"
        ),
        "pinned-revision of aws_cloudwatch_event_target.this: ignore_changes keeps Terraform from changing it",
    ),
    "a policy in a file": (
        {
            "main.tf": good((RESOURCE, '        Resource  = "arn:aws:ecs:*:*:task-definition/other:*"\n'))
            + 'resource "aws_iam_role_policy" "f" {\n  role   = aws_iam_role.schedule.name\n'
            + '  policy = file("p.json")\n}\n',
            "p.json": '{"Statement": {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": BARE}}'.replace(
                "BARE", BARE
            ),
        },
        "policy of aws_iam_role_policy.f: it is made by file(), which is not followed",
    ),
    "a launch type that nobody tells": (
        schedule('"nightly"').replace('      launch_type         = "FARGATE"\n', ""),
        "launch-type of aws_scheduler_schedule.s: whether Fargate or EC2 is meant is not told by a task definition",
    ),
    "a module outside of the folder": (
        {"here/main.tf": call("", "../job"), "job/main.tf": target_of('"nightly:7"')},
        "pinned-revision of module.job.aws_cloudwatch_event_target.this: it is written in ../job/main.tf, which lies",
    ),
    "a module that is not here": (
        call('  targets = { x = [{ arn = "nightly:7" }] }\n', "terraform-aws-modules/eventbridge/aws"),
        "pinned-revision of module.job: module.job was not looked into: its source 'terraform-aws",
    ),
    "a broken file": ({"main.tf": target_of(ARN), "more.tf": "a = {"}, "more.tf: the file ends where something must"),
}


@pytest.mark.parametrize("shape", NOT_PLACED)
def test_what_cannot_be_placed_is_told_with_the_reason(shape, tmp_path):
    tree, because = NOT_PLACED[shape]
    folder = written(tmp_path, tree)
    told = patch(folder / "here" if (folder / "here").exists() else folder)
    assert len(told.not_placed) == 1
    assert because in str(told.not_placed[0])


@pytest.mark.parametrize(
    ("value", "because"),
    [
        ("var.job", "var.job has no default"),
        ('"nightly:${max(aws_ecs_task_definition.t.revision, 3)}"', "aws_ecs_task_definition.t.revision is known only"),
    ],
)
def test_what_may_name_a_revision_and_is_not_known_is_told_and_left(value, because, tmp_path):
    tree = 'variable "job" {}\n' + DEFINITION + target_of(value)
    found = patch(written(tmp_path, tree), ["pinned-revision"])
    assert (found.diff, found.not_placed, len(found.not_known)) == ("", (), 1)
    told = str(found)
    assert "Nothing to change.\n\nNot known, so left as it is:\n  main.tf:" in told
    assert f"pinned-revision of aws_cloudwatch_event_target.this: {because}" in told


def test_what_init_has_downloaded_is_not_edited(tmp_path):
    listed = '{"Modules": [{"Key": "job", "Source": "example/job/aws", "Dir": ".terraform/modules/job"}]}'
    tree = {
        "main.tf": call("", "example/job/aws"),
        ".terraform/modules/modules.json": listed,
        ".terraform/modules/job/main.tf": target_of('"nightly:7"'),
    }
    (told,) = patch(written(tmp_path, tree)).not_placed
    assert told.because == "it is written in .terraform/modules/job/main.tf, which `terraform init` has downloaded"


def test_a_link_is_not_edited(tmp_path):
    folder = written(tmp_path, {"shared.txt": target_of(ARN)})
    (folder / "main.tf").symlink_to(folder / "shared.txt")
    (told,) = patch(folder).not_placed
    assert told.because == "it is written in main.tf, which is a link: mend the file that it leads to"


def test_a_dead_letter_queue_is_asked_for_in_vain(tmp_path):
    folder = written(tmp_path, schedule('"nightly"'))
    (told,) = patch(folder, ["no-dead-letter-queue"]).not_placed
    assert str(told) == (
        "main.tf:1: dead-letter-queue of aws_scheduler_schedule.s: it needs a queue and a policy of its own, and where "
        "these belong is not told by the files"
    )


def test_one_that_is_changed_elsewhere_does_not_keep_the_others_from_their_own_way(tmp_path):
    jobs = "".join(schedule('"t:1"').replace('"s"', f'"s{at}"') for at in range(5))
    odd = schedule("local.shared", before='locals {\n  shared = "t:2"\n}\n\noutput "o" {\n  value = local.shared\n}\n')
    cut = '= replace(local.shared, "/:[0-9]+$/", "")\n      launch'
    expected = jobs.replace('"t:1"', '"t"') + changed(odd, ("= local.shared\n      launch", cut))
    assert after_patch(tmp_path, jobs + odd) == expected


def test_what_lint_finds_only_afterwards_is_told(tmp_path):
    tree = changed(target_of(ARN), (RESOURCE, f"        Resource  = {ARN}\n"))
    alone = patch(written(tmp_path, tree), ["pinned-revision"])
    assert [(one.rule, one.severity) for one in alone.then] == [("policy-pinned-revision", "error")]
    assert "Then lint finds:\n  main.tf:63: error: policy-pinned-revision: it allows ecs:RunTask on one rev" in str(
        alone
    )
    assert not patch(tmp_path).then


def test_what_a_comment_silences_is_left_alone(tmp_path):
    tree = target_of(f"{ARN} # ecs-runbook: ignore pinned-revision because of an audit")
    assert patch(written(tmp_path, tree)).diff == ""


def test_carriage_returns_and_a_byte_order_mark_stay(tmp_path):
    tree = changed(target_of(ARN), (LAUNCH, "")).replace("\n", "\r\n").rstrip()
    (tmp_path / "main.tf").write_bytes(b"\xef\xbb\xbf" + tree.encode())
    patch(tmp_path).apply()
    expected = changed(tree, (f"{ARN}\r\n", f"{FAMILY}\r\n{LAUNCH.rstrip()}\r\n"))
    assert (tmp_path / "main.tf").read_bytes() == b"\xef\xbb\xbf" + expected.encode()


# ---------------------------------------------------------------- what a program writes

SYNTHESISED = """\
{
  "//": {
    "metadata": { "backend": "local", "stackName": "jobs", "version": "0.20.11" },
    "outputs": {}
  },
  "resource": {
    "aws_cloudwatch_event_target": {
      "nightly_target_8D7F1A": {
        "//": { "metadata": { "path": "jobs/nightly-target", "uniqueId": "nightly_target_8D7F1A" } },
        "arn": "c",
        "ecs_target": { "launch_type": "FARGATE", "task_definition_arn": "${aws_ecs_task_definition.t.arn}" },
        "rule": "nightly"
      }
    },
    "aws_ecs_task_definition": { "t": { "family": "nightly" } }
  }
}
"""


def test_what_cdk_for_terraform_writes_is_mended_with_a_warning_that_it_will_be_overwritten(tmp_path):
    folder = written(tmp_path, {"cdk.tf.json": SYNTHESISED, "main.tf": DEFINITION.replace('"t"', '"other"')})
    found = patch(folder, ["pinned-revision"])
    assert found.not_placed == (), str(found)
    (warning,) = found.overwritten
    assert warning.startswith("cdk.tf.json is written by CDK for Terraform (stack jobs): the next `cdktf synth`")
    assert f"Warning: {warning}" in str(found)
    found.apply()
    mended = SYNTHESISED.replace("t.arn}", "t.arn_without_revision}")
    assert (folder / "cdk.tf.json").read_text() == mended


STATE = (
    '"Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": {{ "Cluster": "é", "TaskDefinition": "{task}" }}'
)
POLICY = '"Statement": [{{ "Effect": "Allow", "Action": "ecs:RunTask", "Resource": ["{task}"] }}]'
INLINE = {"aws_iam_role": {"r": {"name": "r", "inline_policy": [{"name": "run", "policy": "POLICY"}]}}}
MACHINE = {"aws_sfn_state_machine": {"m": {"name": "m", "role_arn": "${aws_iam_role.r.arn}", "definition": "STATES"}}}
DEFINED = {"aws_ecs_task_definition": {"t": {"family": "nightly"}}}


@pytest.mark.parametrize(
    ("task", "bare", "every"),
    [
        (
            "${aws_ecs_task_definition.t.arn}",
            "${aws_ecs_task_definition.t.arn_without_revision}",
            "${aws_ecs_task_definition.t.arn_without_revision}:*",
        ),
        ("arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly:7",
         "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly",
         "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly:*"),
    ],
)  # fmt: skip
def test_json_that_is_a_string_of_json_is_mended_in_it(task, bare, every, tmp_path):
    def tree(states, policy):
        whole = json.dumps({"resource": INLINE | MACHINE | DEFINED}, ensure_ascii=False, indent=1)
        states = "{" + f'"States": {{ "Run": {{ {STATE.format(task=states)} }} }}' + "}"
        policy = "{" + POLICY.format(task=policy) + "}"
        return whole.replace('"STATES"', json.dumps(states)).replace('"POLICY"', json.dumps(policy, ensure_ascii=False))

    patched = after_patch(tmp_path, {"cdk.tf.json": tree(task, task)}, ["pinned-revision", "policy"])
    assert patched == {"cdk.tf.json": tree(bare, every)}


def test_a_json_file_of_ones_own_with_a_comment_in_it_is_overwritten_by_nobody(tmp_path):
    own = SYNTHESISED.replace('"metadata": { "backend"', '"who": { "backend"')
    assert patch(written(tmp_path, {"main.tf.json": own}), ["pinned-revision"]).overwritten == []
