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
  mock_data "aws_region" {
    defaults = { name = "eu-west-2" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = {
      arn = "arn:aws:sqs:eu-west-2:111122223333:nightly-dlq"
      id  = "https://sqs.eu-west-2.amazonaws.com/111122223333/nightly-dlq"
    }
  }
  mock_resource "aws_sfn_state_machine" {
    defaults = { arn = "arn:aws:states:eu-west-2:111122223333:stateMachine:nightly" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-2:111122223333:nightly-failed" }
  }
  override_resource {
    target = aws_iam_role.machine
    values = { arn = "arn:aws:iam::111122223333:role/nightly-machine" }
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
  timezone = "Asia/Tokyo"
  cluster  = "batch"
  subnets  = ["subnet-0a1a1a1a1a1a1a1a1"]
}

run "the_plain_machine" {
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Run.Resource == "arn:aws:states:::ecs:runTask.sync" && jsondecode(aws_sfn_state_machine.this.definition).StartAt == "Begin" && jsondecode(aws_sfn_state_machine.this.definition).States.Begin.Next == "Run"
    error_message = "It runs the task and waits for its end."
  }
  assert {
    condition = jsondecode(aws_sfn_state_machine.this.definition).States.Run.Parameters == {
      Cluster        = "arn:aws:ecs:eu-west-2:111122223333:cluster/batch"
      TaskDefinition = "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly"
      "Group.$"      = "$.group"
      LaunchType     = "FARGATE"
      NetworkConfiguration = { AwsvpcConfiguration = {
        Subnets = ["subnet-0a1a1a1a1a1a1a1a1"], SecurityGroups = [], AssignPublicIp = "DISABLED"
      } }
    }
    error_message = "Each attempt names the family without a revision, on Fargate, without a public IP."
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Run.Retry[0].MaxAttempts == 5 && jsondecode(aws_sfn_state_machine.this.definition).States.Run.Retry[0].JitterStrategy == "FULL" && jsondecode(aws_sfn_state_machine.this.definition).States.Run.Retry[0].BackoffRate == 2 && jsondecode(aws_sfn_state_machine.this.definition).States.Run.Retry[0].IntervalSeconds == 30 && jsondecode(aws_sfn_state_machine.this.definition).States.Run.Retry[0].MaxDelaySeconds == 900
    error_message = "A start that failed is tried again five times, later and later, at random."
  }
  assert {
    condition     = contains(jsondecode(aws_sfn_state_machine.this.definition).States.Run.Retry[0].ErrorEquals, "AmazonECS.Unknown") && !contains(jsondecode(aws_sfn_state_machine.this.definition).States.Run.Retry[0].ErrorEquals, "States.TaskFailed") && !contains(jsondecode(aws_sfn_state_machine.this.definition).States.Run.Retry[0].ErrorEquals, "States.ALL")
    error_message = "Want of capacity is tried again; not just anything is."
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Run.TimeoutSeconds == 3600 && !can(jsondecode(aws_sfn_state_machine.this.definition).States.Run.HeartbeatSeconds)
    error_message = "An attempt may take an hour."
  }
  assert {
    condition     = length(jsondecode(aws_sfn_state_machine.this.definition).States.HowDidItEnd.Choices) == 1 && jsondecode(aws_sfn_state_machine.this.definition).States.HowDidItEnd.Default == "Failed" && !can(jsondecode(aws_sfn_state_machine.this.definition).States.Tell) && !can(jsondecode(aws_sfn_state_machine.this.definition).States.AskWhetherOneRuns)
    error_message = "No exit code is tried again, nobody is told, and nothing skipped, unless asked."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.machine.policy).Statement[*].Sid == ["RunEveryRevision", "PassTheTasksRoles", "LookAtTasksAndStopThem", "AskWhichTasksRun", "HearOfItsEnd"]
    error_message = "The machine may run the task, see its end and stop it, and no more."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.machine.policy).Statement[4] == {
      Sid      = "HearOfItsEnd", Effect = "Allow", Action = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
      Resource = "arn:aws:events:eu-west-2:111122223333:rule/StepFunctionsGetEventsForECSTaskRule"
    }
    error_message = "Step Functions' own rule and no other."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.machine.policy).Statement[2].Resource == "arn:aws:ecs:eu-west-2:111122223333:task/batch/*" && jsondecode(aws_iam_role_policy.machine.policy).Statement[3].Condition == { ArnEquals = { "ecs:cluster" = "arn:aws:ecs:eu-west-2:111122223333:cluster/batch" } }
    error_message = "It looks at this cluster's tasks."
  }
  assert {
    condition = jsondecode(aws_iam_role.machine.assume_role_policy).Statement == [{
      Effect = "Allow", Principal = { Service = "states.amazonaws.com" }, Action = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = "111122223333" }
        ArnLike      = { "aws:SourceArn" = "arn:aws:states:eu-west-2:111122223333:stateMachine:nightly" }
      }
    }]
    error_message = "Step Functions takes the role for this machine alone."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement == [{
      Sid = "StartThisMachine", Effect = "Allow", Action = "states:StartExecution", Resource = "arn:aws:states:eu-west-2:111122223333:stateMachine:nightly"
    }]
    error_message = "The schedule may start this machine."
  }
  assert {
    condition     = aws_scheduler_schedule.this.target[0].arn == "arn:aws:states:eu-west-2:111122223333:stateMachine:nightly" && aws_scheduler_schedule.this.schedule_expression_timezone == "Asia/Tokyo"
    error_message = "The schedule starts the machine, in its zone."
  }
  assert {
    condition     = aws_scheduler_schedule.this.target[0].input == "{\"schedule\":\"<aws.scheduler.schedule-arn>\",\"scheduled\":\"<aws.scheduler.scheduled-time>\"}"
    error_message = "The execution is told which firing it is."
  }
  assert {
    condition     = jsondecode(aws_iam_role.schedule[0].assume_role_policy).Statement[0].Condition.StringEquals == { "aws:SourceAccount" = "111122223333", "aws:SourceArn" = "arn:aws:scheduler:eu-west-2:111122223333:schedule-group/default" }
    error_message = "Scheduler takes the role for this account's schedules of this group alone."
  }
}

run "everything_asked_for" {
  variables {
    name              = "nightly.v2"
    double_runs       = "token"
    retry_exit_codes  = [3, 75]
    exit_code_retries = 4
    start_retries     = 2
    backoff_seconds   = 600
    timeout_seconds   = 7200
    notify            = "new"
    dead_letter_queue = "new"
    assign_public_ip  = true
    propagate_tags    = true
    launch_type       = null
    capacity_provider_strategy = [
      { name = "FARGATE_SPOT", weight = 3 }, { name = "FARGATE", base = 1 },
    ]
    overrides = {
      cpu              = "512"
      ephemeralStorage = { sizeInGiB = 30 }
      containerOverrides = [{
        name             = "main", command = ["true"], memoryReservation = 256
        environment      = [{ name = "A", value = "1" }]
        environmentFiles = [{ value = "arn:aws:s3:::a/b.env", type = "s3" }]
      }]
    }
    tags = { team = "batch" }
  }

  assert {
    condition = jsondecode(aws_sfn_state_machine.this.definition).States.Run.Parameters.Overrides == {
      Cpu              = "512"
      EphemeralStorage = { SizeInGiB = 30 }
      ContainerOverrides = [{
        Name             = "main", Command = ["true"], MemoryReservation = 256
        Environment      = [{ Name = "A", Value = "1" }, { Name = "ECS_RUNBOOK_RUN", "Value.$" = "$.run" }]
        EnvironmentFiles = [{ Value = "arn:aws:s3:::a/b.env", Type = "s3" }]
      }]
    }
    error_message = "The overrides in Step Functions' form, and which run it is."
  }
  assert {
    condition = jsondecode(aws_sfn_state_machine.this.definition).States.Run.Parameters.CapacityProviderStrategy == [
      { CapacityProvider = "FARGATE_SPOT", Weight = 3, Base = 0 }, { CapacityProvider = "FARGATE", Weight = 1, Base = 1 },
    ] && !can(jsondecode(aws_sfn_state_machine.this.definition).States.Run.Parameters.LaunchType) && jsondecode(aws_sfn_state_machine.this.definition).States.Run.Parameters.PropagateTags == "TASK_DEFINITION"
    error_message = "The strategy stands for the launch type; the tags that were asked for."
  }
  assert {
    condition     = [for choice in jsondecode(aws_sfn_state_machine.this.definition).States.HowDidItEnd.Choices : choice.And[1] if choice.Next == "CountExit"] == [for code in [3, 75] : { Variable = "$.ended.codes[0]", NumericEquals = code }]
    error_message = "These exit codes are tried again."
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).StartAt == "WhoStartedIt" && jsondecode(aws_sfn_state_machine.this.definition).States.BeginScheduled.Parameters["run.$"] == "States.Format('{} {}', $.schedule, $.scheduled)" && jsondecode(aws_sfn_state_machine.this.definition).States.Begin.Parameters["run.$"] == "$$.Execution.Id"
    error_message = "A firing is named by its schedule and its time, an execution by hand by itself."
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.ChooseAPause.Parameters["pause.$"] == "States.MathRandom(1, States.ArrayGetItem(States.Array(601, 1201, 1201, 1201), $.turn))"
    error_message = "Pauses double, and no longer than twice the first where that is more than a quarter of an hour."
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Tell.Parameters.TopicArn == "arn:aws:sns:eu-west-2:111122223333:nightly-failed" && jsondecode(aws_sfn_state_machine.this.definition).States.WhatFailed.Default == "Tell" && jsondecode(aws_sfn_state_machine.this.definition).States.Tell.Parameters.Subject == "nightly.v2 failed for good" && strcontains(jsondecode(aws_sfn_state_machine.this.definition).States.Tell.Parameters["Message.$"], "50_explain_failure.ipynb out.ipynb -p where aws -p account 111122223333 -p region eu-west-2 -p schedule default/nightly.v2")
    error_message = "The topic is told, with the way to the explanation."
  }
  assert {
    condition     = aws_sfn_state_machine.this.name == "nightly-v2" && aws_sns_topic.failed[0].name == "nightly-v2-failed" && aws_sqs_queue.dead_letter[0].name == "nightly-v2-dlq"
    error_message = "A machine's name, a topic's and a queue's take no dot."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.machine.policy).Statement[6] == {
      Sid = "TellWhoIsToKnow", Effect = "Allow", Action = "sns:Publish", Resource = "arn:aws:sns:eu-west-2:111122223333:nightly-failed"
    }
    error_message = "It publishes to that topic alone."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.schedule[0].policy).Statement[*].Sid == ["StartThisMachine", "SayWhatFailed"]
    error_message = "The schedule may send to its queue."
  }
  assert {
    condition     = alltrue([for tags in [aws_sfn_state_machine.this.tags, aws_sns_topic.failed[0].tags, aws_sqs_queue.dead_letter[0].tags, aws_iam_role.machine.tags, aws_iam_role.schedule[0].tags] : tags == tomap({ team = "batch" })])
    error_message = "Everything that takes tags has them."
  }
}

run "a_run_is_skipped_while_the_task_is_running" {
  variables {
    double_runs = "skip"
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Begin.Next == "AskWhetherOneRuns" && jsondecode(aws_sfn_state_machine.this.definition).States.WaitAgain.Next == "AskWhetherOneRuns" && jsondecode(aws_sfn_state_machine.this.definition).States.Skipped.Type == "Succeed"
    error_message = "It asks before each attempt."
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.AskWhetherOneRuns.Parameters.Family == "nightly" && jsondecode(aws_sfn_state_machine.this.definition).States.AskWhetherOneRuns.Parameters.DesiredStatus == "RUNNING"
    error_message = "It asks for the family's tasks."
  }
  assert {
    condition     = !can(jsondecode(aws_sfn_state_machine.this.definition).States.Run.Retry) && jsondecode(aws_sfn_state_machine.this.definition).States.WhatFailed.Choices[0].Next == "CountStart"
    error_message = "A start that was refused is tried again by way of the question, too."
  }
}

run "a_task_that_must_send_heartbeats" {
  variables {
    heartbeat_seconds = 300
    retry_exit_codes  = [3]
  }

  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Run.Resource == "arn:aws:states:::ecs:runTask.waitForTaskToken" && jsondecode(aws_sfn_state_machine.this.definition).States.Run.HeartbeatSeconds == 300
    error_message = "It waits for the program, which may be silent for five minutes."
  }
  assert {
    condition     = jsondecode(aws_sfn_state_machine.this.definition).States.Run.Parameters.Overrides.ContainerOverrides == [{ Name = "main", Environment = [{ Name = "ECS_RUNBOOK_TASK_TOKEN", "Value.$" = "$$.Task.Token" }] }]
    error_message = "The container gets the token."
  }
  assert {
    condition     = [for choice in jsondecode(aws_sfn_state_machine.this.definition).States.WhatFailed.Choices : choice.And[0].StringEquals if choice.Next == "CountExit"] == ["ExitCode.3"]
    error_message = "It says its exit code itself."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.heartbeat[0].policy).Statement[0].Resource == "arn:aws:states:eu-west-2:111122223333:stateMachine:nightly" && aws_iam_role_policy.heartbeat[0].role == "nightly-task"
    error_message = "The program may answer this machine."
  }
  assert {
    condition     = !contains(jsondecode(aws_iam_role_policy.machine.policy).Statement[*].Sid, "HearOfItsEnd")
    error_message = "Nobody listens for the task's end, so no rule is needed."
  }
}

run "everything_given" {
  variables {
    schedule_role_arn = "arn:aws:iam::111122223333:role/given-schedule"
    task_role_arn     = "arn:aws:iam::111122223333:role/given"
    dead_letter_queue = "arn:aws:sqs:eu-west-2:111122223333:given"
    notify            = "arn:aws:sns:eu-west-2:111122223333:given"
    heartbeat_seconds = 60
  }

  assert {
    condition     = length(aws_iam_role.schedule) + length(aws_iam_role_policy.schedule) + length(aws_sqs_queue.dead_letter) + length(aws_sns_topic.failed) + length(aws_iam_role_policy.heartbeat) == 0
    error_message = "What is given is neither made nor changed."
  }
  assert {
    condition     = aws_scheduler_schedule.this.target[0].role_arn == "arn:aws:iam::111122223333:role/given-schedule" && aws_scheduler_schedule.this.target[0].dead_letter_config[0].arn == "arn:aws:sqs:eu-west-2:111122223333:given" && jsondecode(aws_sfn_state_machine.this.definition).States.Tell.Parameters.TopicArn == "arn:aws:sns:eu-west-2:111122223333:given"
    error_message = "The given role, queue and topic are used."
  }
}

run "a_public_ip_on_ec2_is_refused_before_aws_does" {
  command = plan
  variables {
    launch_type      = "EC2"
    assign_public_ip = true
  }
  expect_failures = [aws_sfn_state_machine.this]
}

run "wrong_values_are_refused_by_name" {
  command = plan
  variables {
    double_runs       = "never"
    retry_exit_codes  = [0]
    exit_code_retries = 21
    start_retries     = 101
    backoff_seconds   = 0
    timeout_seconds   = 59
    heartbeat_seconds = -1
    notify            = "me"
  }
  expect_failures = [
    var.double_runs, var.retry_exit_codes, var.exit_code_retries, var.start_retries, var.backoff_seconds, var.timeout_seconds, var.heartbeat_seconds, var.notify,
  ]
}
