# What the module promises, without an AWS: terraform test

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:eu-west-2:111122223333:cluster/batch", status = "ACTIVE" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:eu-west-2:111122223333:cluster/new" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-2:111122223333:log-group:/ecs/nightly" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = {
      arn                  = "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly:7"
      arn_without_revision = "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly"
    }
  }
  override_resource {
    target = aws_iam_role.execution
    values = { arn = "arn:aws:iam::111122223333:role/nightly-execution" }
  }
  override_resource {
    target = aws_iam_role.task
    values = { arn = "arn:aws:iam::111122223333:role/nightly-task" }
  }
}

variables {
  name    = "nightly"
  image   = "public.ecr.aws/docker/library/busybox:1"
  cluster = "batch"
}

run "the_plain_task" {
  assert {
    condition     = output.run_task_statements[0].Action == "ecs:RunTask" && output.run_task_statements[0].Resource == "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly:*"
    error_message = "The first statement allows every revision of the family: IAM sees the resolved revision, never the bare family."
  }
  assert {
    condition     = output.run_task_statements[0].Condition == { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:eu-west-2:111122223333:cluster/batch" } }
    error_message = "RunTask is allowed in the one cluster."
  }
  assert {
    condition = toset(output.run_task_statements[1].Resource) == toset([
      "arn:aws:iam::111122223333:role/nightly-task", "arn:aws:iam::111122223333:role/nightly-execution",
    ])
    error_message = "The task role and the execution role may be passed, and no other."
  }
  assert {
    condition     = output.run_task_statements[1].Condition == { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
    error_message = "The roles may be passed to ECS tasks alone."
  }
  assert {
    condition     = length(output.run_task_statements) == 2
    error_message = "No tags are made, so TagResource is not allowed."
  }
  assert {
    condition     = jsondecode(aws_iam_role.execution[0].assume_role_policy).Statement[0].Principal.Service == "ecs-tasks.amazonaws.com" && jsondecode(aws_iam_role.task[0].assume_role_policy).Statement[0].Principal.Service == "ecs-tasks.amazonaws.com"
    error_message = "ECS tasks take both roles."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.execution[0].policy).Statement[*].Sid == ["WriteThisLog"]
    error_message = "A public image without secrets needs the log and nothing else."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.execution[0].policy).Statement[0].Resource == "arn:aws:logs:eu-west-2:111122223333:log-group:/ecs/nightly:*"
    error_message = "The execution role writes this log alone."
  }
  assert {
    condition     = aws_ecs_task_definition.this.requires_compatibilities == toset(["FARGATE"]) && aws_ecs_task_definition.this.network_mode == "awsvpc" && output.may_run_on_fargate && output.in_a_vpc
    error_message = "Fargate by default."
  }
  assert {
    condition     = aws_ecs_task_definition.this.skip_destroy && !aws_ecs_task_definition.this.track_latest
    error_message = "Old revisions stay ACTIVE, and a pipeline's revision is no drift."
  }
  assert {
    condition     = length(aws_ecs_cluster.new) == 0 && output.input == null
    error_message = "No cluster and no overrides unless asked."
  }
}

run "everything_asked_for" {
  variables {
    name               = "nightly.v2"
    image              = "444455556666.dkr.ecr.us-west-2.amazonaws.com/team/app@sha256:0000"
    propagate_tags     = true
    keep_old_revisions = false
    create_cluster     = true
    cluster            = "new"
    command            = ["sh", "-c", "echo \"$${HOME}\""]
    environment        = { B = "2", A = "1" }
    overrides          = { containerOverrides = [{ name = "main", command = ["a <b>"] }] }
    tags               = { team = "batch" }
    secrets = {
      KEY   = "arn:aws:secretsmanager:eu-west-2:111122223333:secret:app-AbCdEf:password::"
      TOKEN = "arn:aws:ssm:eu-west-2:111122223333:parameter/app/token"
    }
  }

  assert {
    condition = output.run_task_statements[2] == {
      Sid       = "TagTheTask", Effect = "Allow", Action = "ecs:TagResource"
      Resource  = "arn:aws:ecs:eu-west-2:111122223333:task/new/*"
      Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
    }
    error_message = "RunTask makes tags, so it may tag this cluster's tasks, at RunTask alone."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.execution[0].policy).Statement[*].Sid == ["WriteThisLog", "SignInToEcr", "PullThisRepository", "ReadTheseSecrets", "ReadTheseParameters"]
    error_message = "The execution role may do what this task needs."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.execution[0].policy).Statement[2].Resource == "arn:aws:ecr:us-west-2:444455556666:repository/team/app"
    error_message = "It pulls this repository, in its own account and Region."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.execution[0].policy).Statement[3].Resource == ["arn:aws:secretsmanager:eu-west-2:111122223333:secret:app-AbCdEf"] && jsondecode(aws_iam_role_policy.execution[0].policy).Statement[4].Resource == ["arn:aws:ssm:eu-west-2:111122223333:parameter/app/token"]
    error_message = "It reads these secrets alone; IAM does not know a JSON key."
  }
  assert {
    condition     = !aws_ecs_task_definition.this.skip_destroy && aws_ecs_task_definition.this.family == "nightly-v2"
    error_message = "Old revisions go; a family takes no dot."
  }
  assert {
    condition = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].command == ["sh", "-c", "echo \"$${HOME}\""] && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment == [
      { name = "A", value = "1" }, { name = "B", value = "2" },
    ]
    error_message = "Command and environment reach the container as they are."
  }
  assert {
    condition     = jsondecode(output.input) == { containerOverrides = [{ name = "main", command = ["a <b>"] }] }
    error_message = "The overrides are handed on as they are."
  }
  assert {
    condition     = aws_ecs_cluster.new[0].name == "new" && length(data.aws_ecs_cluster.given) == 0 && output.cluster_arn == "arn:aws:ecs:eu-west-2:111122223333:cluster/new"
    error_message = "The cluster is made, and not looked for."
  }
  assert {
    condition = alltrue([for tags in [
      aws_ecs_task_definition.this.tags, aws_cloudwatch_log_group.this.tags, aws_iam_role.execution[0].tags, aws_iam_role.task[0].tags, aws_ecs_cluster.new[0].tags,
    ] : tags == tomap({ team = "batch" })])
    error_message = "Everything that takes tags has them."
  }
}

run "the_run_is_named_beside_what_is_overridden" {
  variables {
    run_token = "<schedule> <time>"
    overrides = { cpu = "512", containerOverrides = [{ name = "main", command = ["a <b>"], environment = [{ name = "A", value = "1" }] }] }
  }

  assert {
    condition = jsondecode(output.input) == {
      cpu = "512"
      containerOverrides = [{ name = "main", command = ["a <b>"], environment = [
        { name = "A", value = "1" }, { name = "ECS_RUNBOOK_RUN", value = "<schedule> <time>" },
      ] }]
    }
    error_message = "The token comes beside the overrides."
  }
  assert {
    condition     = strcontains(output.input, "\"<schedule> <time>\"") && strcontains(output.input, "a \\u003cb\\u003e")
    error_message = "EventBridge's own <…> stand as they are, and nobody else's."
  }
}

run "the_run_is_named_where_nothing_is_overridden" {
  variables {
    run_token = "<schedule> <time>"
    container = "app"
  }

  assert {
    condition     = output.input == "{\"containerOverrides\":[{\"environment\":[{\"name\":\"ECS_RUNBOOK_RUN\",\"value\":\"<schedule> <time>\"}],\"name\":\"app\"}]}"
    error_message = "The token alone."
  }
}

run "everything_given" {
  variables {
    cluster            = "arn:aws:ecs:eu-west-2:111122223333:cluster/given"
    execution_role_arn = "arn:aws:iam::111122223333:role/given"
    task_role_arn      = "arn:aws:iam::111122223333:role/given"
    launch_type        = null
    capacity_provider_strategy = [
      { name = "FARGATE_SPOT", weight = 3 }, { name = "FARGATE", base = 1 },
    ]
    family = "given"
  }

  assert {
    condition     = length(aws_iam_role.execution) + length(aws_iam_role.task) + length(aws_iam_role_policy.execution) == 0
    error_message = "A role that is given is neither made nor changed."
  }
  assert {
    condition     = aws_ecs_task_definition.this.task_role_arn == "arn:aws:iam::111122223333:role/given" && aws_ecs_task_definition.this.execution_role_arn == "arn:aws:iam::111122223333:role/given"
    error_message = "The given roles are used."
  }
  assert {
    condition     = output.cluster_arn == "arn:aws:ecs:eu-west-2:111122223333:cluster/given" && length(data.aws_ecs_cluster.given) == 0
    error_message = "A cluster's ARN is taken as it is."
  }
  assert {
    condition     = aws_ecs_task_definition.this.requires_compatibilities == toset(["FARGATE"]) && output.may_run_on_fargate
    error_message = "A Fargate strategy stands for the launch type."
  }
  assert {
    condition     = output.family == "given" && length(output.run_task_statements[1].Resource) == 1
    error_message = "The given family; a role that is both is passed once."
  }
}

run "ecs_anywhere_has_no_vpc_and_a_long_name_still_names_roles" {
  variables {
    name        = "a-name-of-sixty-four-characters-is-as-long-as-a-rule-s-name-may-"
    launch_type = "EXTERNAL"
  }

  assert {
    condition     = aws_ecs_task_definition.this.network_mode == "bridge" && !output.in_a_vpc && !output.may_run_on_fargate
    error_message = "Outside AWS there is no network interface of the task's own."
  }
  assert {
    condition     = aws_iam_role.execution[0].name == "a-name-of-sixty-four-characters-is-as-long-as-${substr(sha256(var.name), 0, 8)}-execution" && length(aws_iam_role.task[0].name) == 64
    error_message = "A role's name that would be too long keeps its beginning and gets a digest."
  }
}

run "an_inactive_cluster_is_refused" {
  command = plan
  override_data {
    target = data.aws_ecs_cluster.given
    values = { status = "INACTIVE" }
  }
  expect_failures = [data.aws_ecs_cluster.given]
}

run "wrong_values_are_refused_by_name" {
  command = plan
  variables {
    name        = "a b"
    launch_type = "fargate"
    secrets     = { KEY = "hunter2" }
  }
  expect_failures = [var.name, var.launch_type, var.secrets]
}
