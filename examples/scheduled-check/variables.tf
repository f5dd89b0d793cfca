variable "account" {
  description = "The account that is checked, and in which the check runs, 12 digits."
  type        = string
}

variable "region" {
  description = "Its Region."
  type        = string
}

variable "image" {
  description = "The image that the Dockerfile beside this file makes, in a registry of yours."
  type        = string
}

variable "subnets" {
  description = "Subnets of the task, with a way to the registry and to AWS's APIs."
  type        = list(string)
}

variable "security_groups" {
  description = "Security groups of the task; empty for the VPC's default one."
  type        = list(string)
  default     = []
}

variable "assign_public_ip" {
  description = "Give the task a public IP address: needed in a public subnet."
  type        = bool
  default     = false
}

variable "name" {
  description = "Name of the rule."
  type        = string
  default     = "ecs-runbook-check"
}

variable "schedule" {
  description = "When it runs, in UTC."
  type        = string
  default     = "cron(0 6 * * ? *)"
}

variable "timezone" {
  description = "The zone that the page is written in."
  type        = string
  default     = "UTC"
}

variable "cluster" {
  description = "The cluster: its name, or its ARN."
  type        = string
  default     = "default"
}

variable "bucket" {
  description = "Bucket that keeps the pages and the history of checks; empty for none: then the page is lost with the task."
  type        = string
  default     = ""
}

variable "topic" {
  description = "ARN of the SNS topic that gets the summary; empty for none."
  type        = string
  default     = ""
}

variable "dead_letter_queue" {
  description = "Where firings go that failed for good: none, new, or the ARN of an SQS queue."
  type        = string
  default     = "new"
}
