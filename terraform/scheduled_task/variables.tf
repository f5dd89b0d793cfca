variable "name" {
  description = "Name of the rule; the roles, the log group and the queue are named after it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,64}$", var.name))
    error_message = "name takes 1 to 64 letters, digits, dots, hyphens and underscores."
  }
}

variable "schedule" {
  description = "When it runs, in UTC: cron(0 2 * * ? *) or rate(5 minutes)."
  type        = string

  validation {
    condition     = can(regex("^(cron|rate)\\(.+\\)$", var.schedule)) && length(var.schedule) <= 256
    error_message = "schedule is cron(…) or rate(…), 256 characters at most."
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
  description = "Description of the rule."
  type        = string
  default     = ""
}

variable "enabled" {
  description = "Whether the rule fires."
  type        = bool
  default     = true
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
  description = "What EventBridge may do: ARN of a role; empty for a new one that may run this family in this cluster."
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

variable "task_count" {
  description = "How many tasks a firing starts, 1 to 10."
  type        = number
  default     = 1

  validation {
    condition     = var.task_count >= 1 && var.task_count <= 10
    error_message = "A firing starts 1 to 10 tasks."
  }
}

variable "group" {
  description = "Task group; empty for ECS's own, family:<family>."
  type        = string
  default     = ""
}

variable "propagate_tags" {
  description = "Give the task the tags of its task definition."
  type        = bool
  default     = false
}

variable "enable_ecs_managed_tags" {
  description = "Let ECS tag the task with its cluster."
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
  description = "What is done against double runs: allow (nothing) or token: the container gets ECS_RUNBOOK_RUN, the ARN and the scheduled time of what started it, the same for each delivery."
  type        = string
  default     = "allow"

  validation {
    condition     = contains(["allow", "token"], var.double_runs)
    error_message = "double_runs is allow or token."
  }
}

variable "retry_attempts" {
  description = "How often EventBridge tries again, 0 to 185."
  type        = number
  default     = 185

  validation {
    condition     = var.retry_attempts >= 0 && var.retry_attempts <= 185
    error_message = "EventBridge tries again 0 to 185 times."
  }
}

variable "retry_age_seconds" {
  description = "For how long EventBridge tries again, 60 to 86400 seconds."
  type        = number
  default     = 86400

  validation {
    condition     = var.retry_age_seconds >= 60 && var.retry_age_seconds <= 86400
    error_message = "EventBridge tries again for 60 to 86400 seconds."
  }
}

variable "dead_letter_queue" {
  description = "Where firings go that failed for good: none, new, or the ARN of an SQS queue whose policy lets this rule send."
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
