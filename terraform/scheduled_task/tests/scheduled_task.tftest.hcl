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
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-west-2:111122223333:rule/nightly" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-west-2:111122223333:nightly-dlq"
      id  = "https://sqs.eu-west-2.amazonaws.com/111122223333/nightly-dlq"
    }
  }
  override_resource {
    target = aws_iam_role.schedule
    values = { arn = "arn:aws:iam::111122223333:role/nightly-schedule" }
  }
  override_resource {
    target = module.task.aws_iam_role.execution
    values = { arn = "arn:aws:iam::111122223333:role/nightly-execution" }
  }
  override_resource {
    target = module.task.aws_iam_role.task
    values = { arn = "arn:aws:iam::111122223333:role/nightly-task" }
  }
}

variables {
  name     = "nightly"
  image    = "public.ecr.aws/docker/library/busybox:1"
  schedule = "cron(0 2 * * ? *)"
  cluster  = "batch"
  subnets  = ["subnet-0a1a1a1a1a1a1a1a1"]
}

run "the_plain_schedule" {
  assert {
    condition     = aws_cloudwatch_event_target.this.ecs_target[0].task_definition_arn == "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly"
    error_message = "The target names the family without a revision, so that the latest one runs."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.arn == "arn:aws:ecs:eu-west-2:111122223333:cluster/batch" && aws_cloudwatch_event_target.this.role_arn == "arn:aws:iam::111122223333:role/nightly-schedule"
    error_message = "In this cluster, as this role."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[*].Sid == ["RunEveryRevision", "PassTheTasksRoles"]
    error_message = "The role may run the task and pass its roles, and no more."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[0].Resource == "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly:*"
    error_message = "The policy allows every revision of the family: IAM sees the resolved revision, never the bare family."
  }
  assert {
    condition     = jsondecode(aws_iam_role.schedule[0].assume_role_policy).Statement[0].Principal.Service == "events.amazonaws.com"
    error_message = "EventBridge takes the schedule's role."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this.state == "ENABLED" && aws_cloudwatch_event_rule.this.schedule_expression == "cron(0 2 * * ? *)"
    error_message = "It is on, and has the schedule."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.ecs_target[0].network_configuration[0].assign_public_ip == false && aws_cloudwatch_event_target.this.ecs_target[0].launch_type == "FARGATE"
    error_message = "Fargate, and no public IP unless asked."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.retry_policy[0].maximum_retry_attempts == 185 && aws_cloudwatch_event_target.this.retry_policy[0].maximum_event_age_in_seconds == 86400
    error_message = "EventBridge's own retry, written down."
  }
  assert {
    condition     = length(aws_cloudwatch_event_target.this.dead_letter_config) == 0 && length(aws_sqs_queue.dead_letter) == 0
    error_message = "No queue unless asked."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.input == null && output.target_task_definition == "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly"
    error_message = "No input without overrides; the outputs say what the target asks for."
  }
}

run "everything_asked_for" {
  variables {
    name              = "nightly.v2"
    enabled           = false
    propagate_tags    = true
    dead_letter_queue = "new"
    retry_attempts    = 0
    retry_age_seconds = 60
    assign_public_ip  = true
    overrides         = { containerOverrides = [{ name = "main", command = ["true"] }] }
    tags              = { team = "batch" }
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[2].Sid == "TagTheTask"
    error_message = "RunTask makes tags, so the role may tag."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this.state == "DISABLED"
    error_message = "It is off."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.dead_letter_config[0].arn == "arn:aws:sqs:eu-west-2:111122223333:nightly-dlq" && aws_sqs_queue.dead_letter[0].name == "nightly-v2-dlq"
    error_message = "What failed for good goes to the new queue; a queue's name takes no dot."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.retry_policy[0].maximum_retry_attempts == 0 && aws_cloudwatch_event_target.this.retry_policy[0].maximum_event_age_in_seconds == 60
    error_message = "The retry that was asked for."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.ecs_target[0].network_configuration[0].assign_public_ip && aws_cloudwatch_event_target.this.ecs_target[0].propagate_tags == "TASK_DEFINITION"
    error_message = "The public IP and the tags that were asked for."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_target.this.input) == { containerOverrides = [{ name = "main", command = ["true"] }] }
    error_message = "Every firing carries the overrides."
  }
  assert {
    condition = jsondecode(aws_sqs_queue_policy.dead_letter[0].policy).Statement == [{
      Sid       = "ThisRule", Effect = "Allow", Principal = { Service = "events.amazonaws.com" }, Action = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:eu-west-2:111122223333:nightly-dlq"
      Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:events:eu-west-2:111122223333:rule/nightly" } }
    }]
    error_message = "This rule alone sends to the queue."
  }
  assert {
    condition     = alltrue([for tags in [aws_cloudwatch_event_rule.this.tags, aws_sqs_queue.dead_letter[0].tags, aws_iam_role.schedule[0].tags] : tags == tomap({ team = "batch" })])
    error_message = "Everything that takes tags has them."
  }
}

run "the_container_is_told_which_run_it_is" {
  variables {
    double_runs = "token"
  }

  assert {
    condition     = aws_cloudwatch_event_target.this.input == null && aws_cloudwatch_event_target.this.input_transformer[0].input_paths == tomap({ schedule = "$.resources[0]", time = "$.time" })
    error_message = "The rule's ARN and the scheduled time are taken out of the event."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.input_transformer[0].input_template == "{\"containerOverrides\":[{\"environment\":[{\"name\":\"ECS_RUNBOOK_RUN\",\"value\":\"<schedule> <time>\"}],\"name\":\"main\"}]}"
    error_message = "They are put into the container's environment."
  }
}

run "everything_given" {
  variables {
    cluster           = "arn:aws:ecs:eu-west-2:111122223333:cluster/given"
    schedule_role_arn = "arn:aws:iam::111122223333:role/given-schedule"
    dead_letter_queue = "arn:aws:sqs:eu-west-2:111122223333:given"
    launch_type       = null
    capacity_provider_strategy = [
      { name = "FARGATE_SPOT", weight = 3 }, { name = "FARGATE", base = 1 },
    ]
    enable_ecs_managed_tags = true
  }

  assert {
    condition     = length(aws_iam_role.schedule) + length(aws_iam_role_policy.schedule) + length(aws_sqs_queue.dead_letter) == 0
    error_message = "What is given is neither made nor changed."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.role_arn == "arn:aws:iam::111122223333:role/given-schedule" && aws_cloudwatch_event_target.this.arn == "arn:aws:ecs:eu-west-2:111122223333:cluster/given" && aws_cloudwatch_event_target.this.dead_letter_config[0].arn == "arn:aws:sqs:eu-west-2:111122223333:given"
    error_message = "The given role, cluster and queue are used."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.ecs_target[0].launch_type == null && length(aws_cloudwatch_event_target.this.ecs_target[0].capacity_provider_strategy) == 2 && aws_cloudwatch_event_target.this.ecs_target[0].enable_ecs_managed_tags
    error_message = "A strategy stands for the launch type."
  }
}

run "ecs_anywhere_has_no_vpc_and_a_long_name_still_names_roles" {
  variables {
    name        = "a-name-of-sixty-four-characters-is-as-long-as-a-rule-s-name-may-"
    launch_type = "EXTERNAL"
    subnets     = []
  }

  assert {
    condition     = length(aws_cloudwatch_event_target.this.ecs_target[0].network_configuration) == 0
    error_message = "Outside AWS there is no network interface of the task's own."
  }
  assert {
    condition     = aws_iam_role.schedule[0].name == "a-name-of-sixty-four-characters-is-as-long-as--${substr(sha256(var.name), 0, 8)}-schedule" && length(aws_iam_role.schedule[0].name) <= 64
    error_message = "A role's name that would be too long keeps its beginning and gets a digest."
  }
}

run "a_public_ip_on_ec2_is_refused_before_aws_does" {
  command = plan
  variables {
    launch_type      = "EC2"
    assign_public_ip = true
  }
  expect_failures = [aws_cloudwatch_event_target.this]
}

run "a_launch_type_excludes_a_strategy" {
  command = plan
  variables {
    capacity_provider_strategy = [{ name = "FARGATE_SPOT" }]
  }
  expect_failures = [aws_cloudwatch_event_target.this]
}

run "a_network_interface_needs_a_subnet" {
  command = plan
  variables {
    subnets = []
  }
  expect_failures = [aws_cloudwatch_event_target.this]
}

run "wrong_values_are_refused_by_name" {
  command = plan
  variables {
    name              = "a b"
    schedule          = "at 2"
    task_count        = 11
    retry_attempts    = 186
    retry_age_seconds = 59
    launch_type       = "fargate"
    dead_letter_queue = "yes"
    secrets           = { KEY = "hunter2" }
    double_runs       = "skip"
  }
  expect_failures = [
    var.name, var.schedule, var.task_count, var.retry_attempts, var.retry_age_seconds, var.launch_type, var.dead_letter_queue, var.secrets,
    var.double_runs,
  ]
}
