variable "name" {
  description = "Name that the roles, the log group and the family are named after."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,64}$", var.name))
    error_message = "name takes 1 to 64 letters, digits, dots, hyphens and underscores."
  }
}

variable "image" {
  description = "Container image of the revision that Terraform registers."
  type        = string
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

variable "run_token" {
  description = "What ECS_RUNBOOK_RUN is set to in the container by the overrides, such as <schedule> <time>; empty for none."
  type        = string
  default     = ""
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
