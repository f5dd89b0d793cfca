variable "name" {
  description = "Name of the rule; the log group, or the stream and its roles, are named after it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,56}$", var.name))
    error_message = "name takes 1 to 56 letters, digits, dots, hyphens and underscores."
  }
}

variable "clusters" {
  description = "ARNs of the clusters whose tasks count; empty for all of the account and Region."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.clusters : can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9_-]{1,255}$", one))])
    error_message = "Each of clusters is the whole ARN of a cluster."
  }
}

variable "bucket" {
  description = "Name of a bucket that is there, in which Firehose keeps the events; empty for a log group."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", var.bucket))
    error_message = "bucket is a bucket's name, without s3:// and without a prefix."
  }
}

variable "use_bucket" {
  description = "true where the name of the bucket is known only after the apply, since the same apply makes it; left out, a bucket that is named is used."
  type        = bool
  default     = null
}

variable "prefix" {
  description = "Where in the bucket; Firehose puts YYYY/MM/dd/HH/ of the arrival behind it, in UTC."
  type        = string
  default     = "task-events/"
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9=_.-]+/)+$", var.prefix))
    error_message = "prefix is one folder or several, such as task-events/, and ends with a slash."
  }
}

variable "retention_days" {
  description = "How long the log group keeps them, in days, as CloudWatch has it; 0 for ever. A bucket has rules of its own."
  type        = number
  default     = 400

  validation {
    condition     = contains([0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.retention_days)
    error_message = "retention_days is one of CloudWatch's own periods, such as 30, 90, 400 or 3653, or 0."
  }
}

variable "write_log_policy" {
  description = "Write the resource policy that lets EventBridge into this log group; false where the account has one for /aws/events/*, since a Region takes ten."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}
