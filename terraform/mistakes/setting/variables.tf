variable "name" {
  description = "Name of the family; the roles are named after it."
  type        = string
}

variable "image" {
  description = "Container image."
  type        = string
}

variable "cluster" {
  description = "Name of the cluster."
  type        = string
}

variable "task_definition" {
  description = "Make the task definition; false where the mistake is in it."
  type        = bool
  default     = true
}

variable "family_arn" {
  description = "ARN of the family, without a revision, where task_definition is false."
  type        = string
  default     = null
}

variable "schedule_role" {
  description = "Make the role that EventBridge takes; false where the mistake is in it."
  type        = bool
  default     = true
}
