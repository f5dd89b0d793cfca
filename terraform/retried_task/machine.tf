# The state machine: begin, run, and see what came of it. JSONPath, in the Amazon States Language.
#
#   Begin → (is one running? → Skipped) → Run → Done
#                    ↑                     ↓ failed
#              WaitAgain ← Count… ← WhatFailed → took too long: stop it → Tell → Failed
#
# Why this and no other error is tried again, and how sure each name is: the README.

locals {
  skips = var.double_runs == "skip"
  beats = var.heartbeat_seconds > 0

  attempt = local.skips ? "AskWhetherOneRuns" : "Run"
  finally = var.notify == "none" ? "Failed" : "Tell"

  # What is random is anything up to this; it doubles, up to a quarter of an hour or twice the first.
  longest_wait = max(900, 2 * var.backoff_seconds)
  waits        = [for turn in range(max(1, var.start_retries, var.exit_code_retries)) : min(var.backoff_seconds * pow(2, turn), local.longest_wait)]
  pause        = "States.MathRandom(1, States.ArrayGetItem(States.Array(${join(", ", [for most in local.waits : most + 1])}), %s))"

  start_errors = [
    "AmazonECS.Unknown", "ECS.AmazonECSException", "ECS.ServerException", "ECS.ThrottlingException", "ECS.LimitExceededException",
    "ECS.SdkClientException",
  ]
  too_long = ["States.Timeout", "States.HeartbeatTimeout"]

  definition = {
    Comment = "Runs ${module.task.family} at its latest ACTIVE revision, and runs it again when it failed."
    StartAt = var.double_runs == "token" ? "WhoStartedIt" : "Begin"
    States  = merge(local.beginning, local.asking, local.running, local.counting, local.stopping, local.telling)
  }
}

# ---------------------------------------------------------------- begin

locals {
  beginning = merge(
    {
      Begin = {
        Type       = "Pass"
        Parameters = merge(local.begun, { "run.$" = "$$.Execution.Id" })
        Next       = local.attempt
      }
    },
    { for name, state in {
      WhoStartedIt = {
        Type = "Choice"
        Choices = [{
          And  = [{ Variable = "$.schedule", IsPresent = true }, { Variable = "$.scheduled", IsPresent = true }]
          Next = "BeginScheduled"
        }]
        Default = "Begin"
      }
      BeginScheduled = {
        Type       = "Pass"
        Parameters = merge(local.begun, { "run.$" = "States.Format('{} {}', $.schedule, $.scheduled)" })
        Next       = local.attempt
      }
    } : name => state if var.double_runs == "token" },
  )
  begun = { "group.$" = "States.Format('execution:{}', $$.Execution.Name)", again = false, starts = 0, exits = 0 }

  asking = { for name, state in {
    AskWhetherOneRuns = {
      Type       = "Task"
      Resource   = "arn:${data.aws_partition.current.partition}:states:::aws-sdk:ecs:listTasks"
      Parameters = { Cluster = module.task.cluster_arn, Family = module.task.family, DesiredStatus = "RUNNING", MaxResults = 1 }
      ResultPath = "$.running"
      Retry      = [{ ErrorEquals = ["States.ALL"], IntervalSeconds = 5, BackoffRate = 2, MaxAttempts = 3 }]
      Catch      = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.error", Next = local.finally }]
      Next       = "IsOneRunning"
    }
    IsOneRunning = {
      Type = "Choice"
      Choices = [
        {
          And  = [{ Variable = "$.running.TaskArns[0]", IsPresent = true }, { Variable = "$.again", BooleanEquals = false }]
          Next = "Skipped"
        },
        # between two attempts another run has begun: this one waits for it
        {
          And  = [{ Variable = "$.running.TaskArns[0]", IsPresent = true }, { Variable = "$.again", BooleanEquals = true }]
          Next = "WaitAgain"
        },
      ]
      Default = "Run"
    }
    Skipped = { Type = "Succeed", Comment = "The task was running already." }
  } : name => state if local.skips }
}

# ---------------------------------------------------------------- run

locals {
  running = {
    Run = merge(
      {
        Type           = "Task"
        Resource       = "arn:${data.aws_partition.current.partition}:states:::ecs:runTask.${local.beats ? "waitForTaskToken" : "sync"}"
        Parameters     = local.request
        ResultPath     = "$.task"
        TimeoutSeconds = var.timeout_seconds
        Catch = [
          { ErrorEquals = local.too_long, ResultPath = "$.error", Next = "LookForTheTask" },
          { ErrorEquals = ["States.ALL"], ResultPath = "$.error", Next = "WhatFailed" },
        ]
        Next = "Done"
      },
      { for name, seconds in { HeartbeatSeconds = var.heartbeat_seconds } : name => seconds if local.beats },
      # with skip a start is tried again by way of the question whether one runs by now
      { for name, retry in { Retry = [{
        ErrorEquals     = local.start_errors
        IntervalSeconds = var.backoff_seconds
        BackoffRate     = 2
        MaxDelaySeconds = local.longest_wait
        MaxAttempts     = var.start_retries
        JitterStrategy  = "FULL"
      }] } : name => retry if !local.skips },
    )
    Done = { Type = "Succeed" }
    WhatFailed = {
      Type    = "Choice"
      Choices = concat([for one in local.starts_refused : one if local.skips], local.failures, [for one in local.exits_told : one if local.beats])
      Default = local.finally
    }
    ReadTheTask = {
      Type       = "Pass"
      Parameters = { "task.$" = "States.StringToJson($.error.Cause)" }
      ResultPath = "$.ended"
      Next       = "ReadTheExitCode"
    }
    ReadTheExitCode = {
      Type       = "Pass"
      Parameters = { "codes.$" = "$.ended.task.Containers[?(@.Name == '${var.container}')].ExitCode", "task.$" = "$.ended.task" }
      ResultPath = "$.ended"
      Next       = "HowDidItEnd"
    }
    HowDidItEnd = {
      Type = "Choice"
      Choices = concat(
        [{
          And = [
            { Variable = "$.ended.task.StopCode", IsPresent = true },
            { Variable = "$.ended.task.StopCode", StringEquals = "TaskFailedToStart" },
            { Variable = "$.starts", NumericLessThan = var.start_retries },
          ]
          Next = "CountStart"
        }],
        [for code in var.retry_exit_codes : {
          And = [
            { Variable = "$.ended.codes[0]", IsPresent = true },
            { Variable = "$.ended.codes[0]", NumericEquals = code },
            { Variable = "$.exits", NumericLessThan = var.exit_code_retries },
          ]
          Next = "CountExit"
        }],
      )
      Default = local.finally
    }
  }

  starts_refused = [{
    And = [
      { Or = [for error in local.start_errors : { Variable = "$.error.Error", StringEquals = error }] },
      { Variable = "$.starts", NumericLessThan = var.start_retries },
    ]
    Next = "CountStart"
  }]

  failures = [
    # ECS says so where EC2 throttles it
    {
      And = [
        { Variable = "$.error.Error", StringEquals = "ECS.InvalidParameterException" },
        { Variable = "$.error.Cause", StringMatches = "*Rate exceeded*" },
        { Variable = "$.starts", NumericLessThan = var.start_retries },
      ]
      Next = "CountStart"
    },
    # of a task that ended badly the cause is the task, as JSON
    {
      And = [
        { Variable = "$.error.Error", StringEquals = "States.TaskFailed" },
        { Variable = "$.error.Cause", StringMatches = "{*" },
      ]
      Next = "ReadTheTask"
    },
  ]

  # a container that has a task token says itself how it ended: SendTaskFailure with the error ExitCode.<code>
  exits_told = [for code in var.retry_exit_codes : {
    And = [
      { Variable = "$.error.Error", StringEquals = "ExitCode.${code}" },
      { Variable = "$.exits", NumericLessThan = var.exit_code_retries },
    ]
    Next = "CountExit"
  }]
}

# ---------------------------------------------------------------- again

locals {
  carried = { "group.$" = "$.group", "run.$" = "$.run", again = true }

  counting = {
    CountStart = {
      Type = "Pass"
      Parameters = merge(local.carried, {
        "starts.$" = "States.MathAdd($.starts, 1)", "exits.$" = "$.exits", "turn.$" = "$.starts"
      })
      Next = "ChooseAPause"
    }
    CountExit = {
      Type = "Pass"
      Parameters = merge(local.carried, {
        "starts.$" = "$.starts", "exits.$" = "States.MathAdd($.exits, 1)", "turn.$" = "$.exits"
      })
      Next = "ChooseAPause"
    }
    ChooseAPause = {
      Type       = "Pass"
      Parameters = merge(local.carried, { "starts.$" = "$.starts", "exits.$" = "$.exits", "pause.$" = format(local.pause, "$.turn") })
      Next       = "WaitAgain"
    }
    WaitAgain = { Type = "Wait", SecondsPath = "$.pause", Next = local.attempt }
  }
}

# ---------------------------------------------------------------- it took too long: stop it

locals {
  # Whether Step Functions stops a task whose state timed out is not verified, so this finds the task by its group and stops it.
  stopping = {
    LookForTheTask = {
      Type       = "Task"
      Resource   = "arn:${data.aws_partition.current.partition}:states:::aws-sdk:ecs:listTasks"
      Parameters = { Cluster = module.task.cluster_arn, Family = module.task.family, DesiredStatus = "RUNNING", MaxResults = 50 }
      ResultPath = "$.found"
      Catch      = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.looking", Next = "SayItTookTooLong" }]
      Next       = "IsThereAny"
    }
    IsThereAny = {
      Type    = "Choice"
      Choices = [{ Variable = "$.found.TaskArns[0]", IsPresent = true, Next = "DescribeThem" }]
      Default = "SayItTookTooLong"
    }
    DescribeThem = {
      Type           = "Task"
      Resource       = "arn:${data.aws_partition.current.partition}:states:::aws-sdk:ecs:describeTasks"
      Parameters     = { Cluster = module.task.cluster_arn, "Tasks.$" = "$.found.TaskArns" }
      ResultSelector = { "tasks.$" = "$.Tasks[*].TaskArn", "groups.$" = "$.Tasks[*].Group" }
      ResultPath     = "$.found"
      Catch          = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.looking", Next = "SayItTookTooLong" }]
      Next           = "IsItThisRuns"
    }
    IsItThisRuns = {
      Type = "Choice"
      Choices = [
        { Variable = "$.found.groups[0]", IsPresent = false, Next = "SayItTookTooLong" },
        { Variable = "$.found.groups[0]", StringEqualsPath = "$.group", Next = "StopIt" },
      ]
      Default = "LookAtTheNext"
    }
    LookAtTheNext = {
      Type       = "Pass"
      Parameters = { "tasks.$" = "$.found.tasks[1:]", "groups.$" = "$.found.groups[1:]" }
      ResultPath = "$.found"
      Next       = "IsItThisRuns"
    }
    StopIt = {
      Type       = "Task"
      Resource   = "arn:${data.aws_partition.current.partition}:states:::aws-sdk:ecs:stopTask"
      Parameters = { Cluster = module.task.cluster_arn, "Task.$" = "$.found.tasks[0]", Reason = local.took_too_long }
      ResultPath = null
      Catch      = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.looking", Next = "SayItTookTooLong" }]
      Next       = "SayItTookTooLong"
    }
    SayItTookTooLong = {
      Type       = "Pass"
      Parameters = { "Error.$" = "$.error.Error", Cause = local.took_too_long }
      ResultPath = "$.error"
      Next       = local.finally
    }
  }

  took_too_long = (
    local.beats ? "It took more than ${var.timeout_seconds} seconds, or was silent for more than ${var.heartbeat_seconds}." :
    "It took more than ${var.timeout_seconds} seconds."
  )
}

# ---------------------------------------------------------------- it failed for good: tell

locals {
  explain = join(" ", [
    ".venv/bin/papermill notebooks/50_explain_failure.ipynb out.ipynb -p where aws",
    "-p account ${data.aws_caller_identity.current.account_id} -p region ${data.aws_region.current.name}",
    "-p schedule ${var.schedule_group}/${var.name}",
  ])

  telling = merge(
    { Failed = { Type = "Fail", ErrorPath = "$.error.Error", CausePath = "$.error.Cause" } },
    { for name, state in {
      Tell = {
        Type     = "Task"
        Resource = "arn:${data.aws_partition.current.partition}:states:::sns:publish"
        Parameters = {
          TopicArn    = local.topic_arn
          Subject     = "${var.name} failed for good"
          "Message.$" = "States.Format('${local.message}', $.error.Error, $$.Execution.Id, $.error.Cause)"
        }
        ResultPath = null
        Retry      = [{ ErrorEquals = ["States.ALL"], IntervalSeconds = 5, BackoffRate = 2, MaxAttempts = 3 }]
        Catch      = [{ ErrorEquals = ["States.ALL"], ResultPath = "$.telling", Next = "Failed" }]
        Next       = "Failed"
      }
    } : name => state if var.notify != "none" },
  )

  message = join("\n", [
    "The scheduled run of ${var.name} failed, and is not tried again.", "",
    "Error: {}", "Execution: {}", "",
    "What it means, what each attempt ran, and the mend:", local.explain, "",
    "The cause:", "{}",
  ])
}
