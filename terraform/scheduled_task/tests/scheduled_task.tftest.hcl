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
    target = aws_iam_role.execution
    values = { arn = "arn:aws:iam::111122223333:role/nightly-execution" }
  }
  override_resource {
    target = aws_iam_role.task
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
    condition     = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[0].Action == "ecs:RunTask"
    error_message = "The first statement is about RunTask."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[0].Resource == "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly:*"
    error_message = "The policy allows every revision of the family: IAM sees the resolved revision, never the bare family."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[0].Condition == { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:eu-west-2:111122223333:cluster/batch" } }
    error_message = "RunTask is allowed in the one cluster."
  }
  assert {
    condition = toset(jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[1].Resource) == toset([
      "arn:aws:iam::111122223333:role/nightly-task", "arn:aws:iam::111122223333:role/nightly-execution",
    ])
    error_message = "The task role and the execution role may be passed, and no other."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[1].Condition == { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
    error_message = "The roles may be passed to ECS tasks alone."
  }
  assert {
    condition     = length(jsondecode(aws_iam_role_policy.schedule[0].policy).Statement) == 2
    error_message = "No tags are made, so TagResource is not allowed."
  }
  assert {
    condition     = jsondecode(aws_iam_role.schedule[0].assume_role_policy).Statement[0].Principal.Service == "events.amazonaws.com"
    error_message = "EventBridge takes the schedule's role."
  }
  assert {
    condition     = jsondecode(aws_iam_role.execution[0].assume_role_policy).Statement[0].Principal.Service == "ecs-tasks.amazonaws.com" && jsondecode(aws_iam_role.task[0].assume_role_policy).Statement[0].Principal.Service == "ecs-tasks.amazonaws.com"
    error_message = "ECS tasks take the other two."
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
    condition     = aws_cloudwatch_event_rule.this.state == "ENABLED" && aws_cloudwatch_event_rule.this.schedule_expression == "cron(0 2 * * ? *)"
    error_message = "The rule is on, and has the schedule."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.ecs_target[0].network_configuration[0].assign_public_ip == false
    error_message = "No public IP unless asked."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.ecs_target[0].launch_type == "FARGATE" && aws_ecs_task_definition.this.requires_compatibilities == toset(["FARGATE"]) && aws_ecs_task_definition.this.network_mode == "awsvpc"
    error_message = "Fargate by default."
  }
  assert {
    condition     = aws_ecs_task_definition.this.skip_destroy && !aws_ecs_task_definition.this.track_latest
    error_message = "Old revisions stay ACTIVE, and a pipeline's revision is no drift."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.retry_policy[0].maximum_retry_attempts == 185 && aws_cloudwatch_event_target.this.retry_policy[0].maximum_event_age_in_seconds == 86400
    error_message = "EventBridge's own retry, written down."
  }
  assert {
    condition     = length(aws_cloudwatch_event_target.this.dead_letter_config) == 0 && length(aws_sqs_queue.dead_letter) == 0 && length(aws_ecs_cluster.new) == 0
    error_message = "No queue and no cluster unless asked."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.input == null && output.target_task_definition == "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly"
    error_message = "No input without overrides; the outputs say what the target asks for."
  }
}

run "everything_asked_for" {
  variables {
    name               = "nightly.v2"
    image              = "444455556666.dkr.ecr.us-west-2.amazonaws.com/team/app@sha256:0000"
    enabled            = false
    propagate_tags     = true
    dead_letter_queue  = "new"
    retry_attempts     = 0
    retry_age_seconds  = 60
    assign_public_ip   = true
    keep_old_revisions = false
    create_cluster     = true
    cluster            = "new"
    command            = ["sh", "-c", "echo \"$${HOME}\""]
    environment        = { B = "2", A = "1" }
    overrides          = { containerOverrides = [{ name = "main", command = ["true"] }] }
    tags               = { team = "batch" }
    secrets = {
      KEY   = "arn:aws:secretsmanager:eu-west-2:111122223333:secret:app-AbCdEf:password::"
      TOKEN = "arn:aws:ssm:eu-west-2:111122223333:parameter/app/token"
    }
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[2] == {
      Sid       = "TagTheTask", Effect = "Allow", Action = "ecs:TagResource"
      Resource  = "arn:aws:ecs:eu-west-2:111122223333:task/new/*"
      Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }
    }
    error_message = "RunTask makes tags, so it may tag this cluster's tasks, at RunTask alone."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this.state == "DISABLED"
    error_message = "The rule is off."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.execution[0].policy).Statement[*].Sid == ["WriteThisLog", "SignInToEcr", "PullThisRepository", "ReadTheseSecrets", "ReadTheseParameters"]
    error_message = "The execution role may do what this task needs."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.execution[0].policy).Statement[2].Resource == "arn:aws:ecr:us-west-2:444455556666:repository/team/app"
    error_message = "It pulls from this repository alone."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.execution[0].policy).Statement[3].Resource == ["arn:aws:secretsmanager:eu-west-2:111122223333:secret:app-AbCdEf"] && jsondecode(aws_iam_role_policy.execution[0].policy).Statement[4].Resource == ["arn:aws:ssm:eu-west-2:111122223333:parameter/app/token"]
    error_message = "It reads these secrets alone; IAM does not know a JSON key."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.dead_letter_config[0].arn == "arn:aws:sqs:eu-west-2:111122223333:nightly-dlq" && aws_sqs_queue.dead_letter[0].name == "nightly-v2-dlq"
    error_message = "What failed for good goes to the new queue; a queue's name takes no dot."
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
    condition     = aws_cloudwatch_event_target.this.retry_policy[0].maximum_retry_attempts == 0 && aws_cloudwatch_event_target.this.retry_policy[0].maximum_event_age_in_seconds == 60
    error_message = "The retry that was asked for."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.ecs_target[0].network_configuration[0].assign_public_ip && aws_cloudwatch_event_target.this.ecs_target[0].propagate_tags == "TASK_DEFINITION"
    error_message = "The public IP and the tags that were asked for."
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
    condition     = jsondecode(aws_cloudwatch_event_target.this.input) == { containerOverrides = [{ name = "main", command = ["true"] }] }
    error_message = "Every firing carries the overrides."
  }
  assert {
    condition     = aws_ecs_cluster.new[0].name == "new" && length(data.aws_ecs_cluster.given) == 0 && output.cluster_arn == "arn:aws:ecs:eu-west-2:111122223333:cluster/new"
    error_message = "The cluster is made, and not looked for."
  }
  assert {
    condition = alltrue([for tags in [
      aws_cloudwatch_event_rule.this.tags, aws_ecs_task_definition.this.tags, aws_cloudwatch_log_group.this.tags, aws_sqs_queue.dead_letter[0].tags,
      aws_iam_role.schedule[0].tags, aws_iam_role.execution[0].tags, aws_iam_role.task[0].tags, aws_ecs_cluster.new[0].tags,
    ] : tags == tomap({ team = "batch" })])
    error_message = "Everything that takes tags has them."
  }
}

run "everything_given" {
  variables {
    cluster            = "arn:aws:ecs:eu-west-2:111122223333:cluster/given"
    schedule_role_arn  = "arn:aws:iam::111122223333:role/given-schedule"
    execution_role_arn = "arn:aws:iam::111122223333:role/given"
    task_role_arn      = "arn:aws:iam::111122223333:role/given"
    dead_letter_queue  = "arn:aws:sqs:eu-west-2:111122223333:given"
    launch_type        = null
    capacity_provider_strategy = [
      { name = "FARGATE_SPOT", weight = 3 }, { name = "FARGATE", base = 1 },
    ]
    enable_ecs_managed_tags = true
    family                  = "given"
  }

  assert {
    condition     = length(aws_iam_role.schedule) + length(aws_iam_role.execution) + length(aws_iam_role.task) + length(aws_iam_role_policy.schedule) + length(aws_iam_role_policy.execution) == 0
    error_message = "A role that is given is neither made nor changed."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.role_arn == "arn:aws:iam::111122223333:role/given-schedule" && aws_ecs_task_definition.this.task_role_arn == "arn:aws:iam::111122223333:role/given" && aws_ecs_task_definition.this.execution_role_arn == "arn:aws:iam::111122223333:role/given"
    error_message = "The given roles are used."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.arn == "arn:aws:ecs:eu-west-2:111122223333:cluster/given" && length(data.aws_ecs_cluster.given) == 0
    error_message = "A cluster's ARN is taken as it is."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.dead_letter_config[0].arn == "arn:aws:sqs:eu-west-2:111122223333:given" && length(aws_sqs_queue_policy.dead_letter) == 0
    error_message = "A given queue is used, and its policy left alone."
  }
  assert {
    condition     = aws_cloudwatch_event_target.this.ecs_target[0].launch_type == null && length(aws_cloudwatch_event_target.this.ecs_target[0].capacity_provider_strategy) == 2 && aws_ecs_task_definition.this.requires_compatibilities == toset(["FARGATE"])
    error_message = "A Fargate strategy stands for the launch type."
  }
  assert {
    condition     = aws_ecs_task_definition.this.family == "given" && aws_cloudwatch_event_target.this.ecs_target[0].enable_ecs_managed_tags
    error_message = "The given family and managed tags."
  }
}

run "ecs_anywhere_has_no_vpc_and_a_long_name_still_names_roles" {
  variables {
    name        = "a-name-of-sixty-four-characters-is-as-long-as-a-rule-s-name-may-"
    launch_type = "EXTERNAL"
    subnets     = []
  }

  assert {
    condition     = aws_ecs_task_definition.this.network_mode == "bridge" && length(aws_cloudwatch_event_target.this.ecs_target[0].network_configuration) == 0
    error_message = "Outside AWS there is no network interface of the task's own."
  }
  assert {
    condition     = aws_iam_role.execution[0].name == "a-name-of-sixty-four-characters-is-as-long-as-${substr(sha256(var.name), 0, 8)}-execution"
    error_message = "A role's name that would be too long keeps its beginning and gets a digest."
  }
  assert {
    condition     = length(aws_iam_role.schedule[0].name) == 64 && length(aws_iam_role.task[0].name) == 64
    error_message = "A role's name has 64 characters at most."
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
    name              = "a b"
    schedule          = "at 2"
    task_count        = 11
    retry_attempts    = 186
    retry_age_seconds = 59
    launch_type       = "fargate"
    dead_letter_queue = "yes"
    secrets           = { KEY = "hunter2" }
  }
  expect_failures = [
    var.name, var.schedule, var.task_count, var.retry_attempts, var.retry_age_seconds, var.launch_type, var.dead_letter_queue, var.secrets,
  ]
}
