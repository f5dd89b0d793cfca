variable "name" {
  description = "Name of the rule and of the family."
  type        = string
}

variable "image" {
  description = "Container image."
  type        = string
}

variable "cluster" {
  description = "Name of the cluster."
  type        = string
  default     = "default"
}

variable "subnets" {
  description = "Subnets of the task."
  type        = list(string)
}

variable "security_groups" {
  description = "Security groups of the task."
  type        = list(string)
  default     = []
}

variable "schedule" {
  description = "When it runs, in UTC."
  type        = string
}

variable "region" {
  description = "Region of everything."
  type        = string
}

variable "account" {
  description = "The account that this may be applied to, 12 digits."
  type        = string
}
