variable "name" {
  description = "Name of the schedule; the roles, the log group and the queue are named after it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,64}$", var.name))
    error_message = "name takes 1 to 64 letters, digits, dots, hyphens and underscores."
  }
}

variable "schedule" {
  description = "When it runs, in the time zone: cron(0 2 * * ? *), rate(5 minutes) or at(2026-12-01T02:00:00)."
  type        = string

  validation {
    condition     = can(regex("^(cron|rate|at)\\(.+\\)$", var.schedule)) && length(var.schedule) <= 256
    error_message = "schedule is cron(…), rate(…) or at(…), 256 characters at most."
  }
}

variable "image" {
  description = "Container image of the revision that Terraform registers."
  type        = string
}

variable "subnets" {
  description = "Subnets of the task, 1 to 16. Not used when launch_type is EXTERNAL."
  type        = list(string)

  validation {
    condition     = length(var.subnets) <= 16
    error_message = "A target takes 16 subnets at most."
  }
}

variable "description" {
  description = "Description of the schedule."
  type        = string
  default     = ""
}

variable "enabled" {
  description = "Whether the schedule fires."
  type        = bool
  default     = true
}

variable "timezone" {
  description = "IANA name of the time zone that the schedule is read in, such as Asia/Tokyo."
  type        = string
  default     = "UTC"
}

variable "schedule_group" {
  description = "Group of the schedule. Its tags are the group's: a schedule itself has none."
  type        = string
  default     = "default"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,64}$", var.schedule_group))
    error_message = "schedule_group takes 1 to 64 letters, digits, dots, hyphens and underscores."
  }
}

variable "create_schedule_group" {
  description = "Make the group too."
  type        = bool
  default     = false
}

variable "flexible_minutes" {
  description = "Within how many minutes after its time it may start, 1 to 1440; 0 for at its minute."
  type        = number
  default     = 0

  validation {
    condition     = var.flexible_minutes >= 0 && var.flexible_minutes <= 1440
    error_message = "flexible_minutes is 0 to 1440."
  }
}

variable "start_date" {
  description = "It does not fire before this time in UTC, such as 2026-12-01T00:00:00Z; empty for none."
  type        = string
  default     = ""

  validation {
    condition     = var.start_date == "" || can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", var.start_date))
    error_message = "start_date is a time in UTC, such as 2026-12-01T00:00:00Z."
  }
}

variable "end_date" {
  description = "It does not fire after this time in UTC, such as 2026-12-01T00:00:00Z; empty for none."
  type        = string
  default     = ""

  validation {
    condition     = var.end_date == "" || can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", var.end_date))
    error_message = "end_date is a time in UTC, such as 2026-12-01T00:00:00Z."
  }
}

variable "cluster" {
  description = "The cluster: its name, or its ARN. With create_cluster its name."
  type        = string
  default     = "default"
}

variable "create_cluster" {
  description = "Make the cluster too. The provider waits ten seconds for a new one."
  type        = bool
  default     = false
}

variable "family" {
  description = "Family of the task definition; empty for the name, with hyphens for dots."
  type        = string
  default     = ""
}

variable "container" {
  description = "Name of the container."
  type        = string
  default     = "main"
}

variable "cpu" {
  description = "CPU units of the task; 1024 are one vCPU."
  type        = number
  default     = 256
}

variable "memory" {
  description = "Memory of the task in MiB."
  type        = number
  default     = 512
}

variable "command" {
  description = "Command of the container; empty for the image's own."
  type        = list(string)
  default     = []
}

variable "environment" {
  description = "Environment variables of the container. No secrets: anyone who may describe the task reads them."
  type        = map(string)
  default     = {}
}

variable "secrets" {
  description = "Environment variables that ECS reads at start: name to ARN of a Secrets Manager secret or an SSM parameter."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:[^:]+:(secretsmanager|ssm):", arn))])
    error_message = "secrets takes ARNs of Secrets Manager secrets or SSM parameters."
  }
}

variable "task_role_arn" {
  description = "What the program may do: ARN of a role; empty for a new one without any permission."
  type        = string
  default     = ""
}

variable "execution_role_arn" {
  description = "What ECS may do to start it: ARN of a role; empty for a new one that may pull this image, write this log, read these secrets."
  type        = string
  default     = ""
}

variable "schedule_role_arn" {
  description = "What EventBridge Scheduler may do: ARN of a role; empty for a new one that may start this state machine."
  type        = string
  default     = ""
}

variable "security_groups" {
  description = "Security groups of the task, 5 at most; empty for the VPC's default one."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.security_groups) <= 5
    error_message = "A target takes 5 security groups at most."
  }
}

variable "assign_public_ip" {
  description = "Give the task a public IP address. Fargate alone takes it."
  type        = bool
  default     = false
}

variable "launch_type" {
  description = "FARGATE, EC2 or EXTERNAL; null for a capacity provider strategy, the cluster's own if none is given."
  type        = string
  default     = "FARGATE"

  validation {
    condition     = var.launch_type == null ? true : contains(["FARGATE", "EC2", "EXTERNAL"], var.launch_type)
    error_message = "launch_type is FARGATE, EC2, EXTERNAL or null."
  }
}

variable "capacity_provider_strategy" {
  description = "Capacity providers, 6 at most; needs launch_type = null."
  type = list(object({
    name   = string
    weight = optional(number, 1)
    base   = optional(number, 0)
  }))
  default = []

  validation {
    condition     = length(var.capacity_provider_strategy) <= 6
    error_message = "A target takes 6 capacity providers at most."
  }
}

variable "platform_version" {
  description = "Fargate platform version, such as 1.4.0; empty for AWS's own choice."
  type        = string
  default     = ""
}

variable "propagate_tags" {
  description = "Give the task the tags of its task definition."
  type        = bool
  default     = false
}

variable "overrides" {
  description = "ECS TaskOverride that every firing carries, such as { containerOverrides = [{ name = \"main\", command = [\"true\"] }] }."
  type        = any
  default     = {}

  validation {
    condition     = length(jsonencode(var.overrides)) <= 8192
    error_message = "The overrides may have 8192 characters as JSON."
  }
}

variable "double_runs" {
  description = "What is done against double runs: allow (nothing); skip (a run while the task is running ends at once); or token: the container gets ECS_RUNBOOK_RUN, the ARN and the scheduled time of what started it, the same for each delivery."
  type        = string
  default     = "allow"

  validation {
    condition     = contains(["allow", "skip", "token"], var.double_runs)
    error_message = "double_runs is allow, skip or token."
  }
}

variable "start_retries" {
  description = "How often a start that failed is tried again, for want of capacity, throttled or not started: 0 to 100."
  type        = number
  default     = 5

  validation {
    condition     = var.start_retries >= 0 && var.start_retries <= 100
    error_message = "start_retries is 0 to 100."
  }
}

variable "retry_exit_codes" {
  description = "Exit codes after which the task is run again, 20 at most."
  type        = list(number)
  default     = []

  validation {
    condition     = length(var.retry_exit_codes) <= 20 && alltrue([for code in var.retry_exit_codes : code >= 1 && code <= 255])
    error_message = "retry_exit_codes are 20 at most, each 1 to 255."
  }
}

variable "exit_code_retries" {
  description = "How often the task is run again after such an exit code, 0 to 20."
  type        = number
  default     = 2

  validation {
    condition     = var.exit_code_retries >= 0 && var.exit_code_retries <= 20
    error_message = "exit_code_retries is 0 to 20."
  }
}

variable "backoff_seconds" {
  description = "The longest first wait before an attempt, in seconds, 1 to 3600. It doubles each time, and what is waited is anything up to it."
  type        = number
  default     = 30

  validation {
    condition     = var.backoff_seconds >= 1 && var.backoff_seconds <= 3600
    error_message = "backoff_seconds is 1 to 3600."
  }
}

variable "timeout_seconds" {
  description = "How long one attempt may take, in seconds, 60 to 1209600; then it is stopped."
  type        = number
  default     = 3600

  validation {
    condition     = var.timeout_seconds >= 60 && var.timeout_seconds <= 1209600
    error_message = "timeout_seconds is 60 to 1209600."
  }
}

variable "heartbeat_seconds" {
  description = "How long the task may be silent, in seconds, up to 86400; 0 for as long as it takes. Above 0 the container gets ECS_RUNBOOK_TASK_TOKEN and must send heartbeats, and its end."
  type        = number
  default     = 0

  validation {
    condition     = var.heartbeat_seconds >= 0 && var.heartbeat_seconds <= 86400
    error_message = "heartbeat_seconds is 0 to 86400."
  }
}

variable "notify" {
  description = "Who is told when a run failed for good: none, new (an SNS topic), or the ARN of a topic."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "new"], var.notify) || can(regex("^arn:[^:]+:sns:", var.notify))
    error_message = "notify is none, new, or the ARN of an SNS topic."
  }
}

variable "retry_attempts" {
  description = "How often Scheduler tries again to start the state machine, 0 to 185."
  type        = number
  default     = 185

  validation {
    condition     = var.retry_attempts >= 0 && var.retry_attempts <= 185
    error_message = "Scheduler tries again 0 to 185 times."
  }
}

variable "retry_age_seconds" {
  description = "For how long Scheduler tries again, 60 to 86400 seconds."
  type        = number
  default     = 86400

  validation {
    condition     = var.retry_age_seconds >= 60 && var.retry_age_seconds <= 86400
    error_message = "Scheduler tries again for 60 to 86400 seconds."
  }
}

variable "dead_letter_queue" {
  description = "Where firings go that failed for good: none, new, or the ARN of an SQS queue; the schedule's role is let send to it."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "new"], var.dead_letter_queue) || can(regex("^arn:[^:]+:sqs:", var.dead_letter_queue))
    error_message = "dead_letter_queue is none, new, or the ARN of an SQS queue."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the log, in days."
  type        = number
  default     = 30
}

variable "keep_old_revisions" {
  description = "Leave old revisions ACTIVE, so that one can go back to them. They cost nothing, and stay after a destroy too."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}
