# What each attempt asks RunTask for. Step Functions writes every name with a capital.

locals {
  request = merge(
    {
      Cluster = module.task.cluster_arn
      # Without a revision: every attempt runs the latest ACTIVE one.
      TaskDefinition = module.task.arn_without_revision
      # by this it finds its own task again
      "Group.$" = "$.group"
    },
    { for name, value in { LaunchType = var.launch_type } : name => value if value != null },
    { for name, value in { PlatformVersion = var.platform_version } : name => value if value != "" },
    { for name, value in { PropagateTags = "TASK_DEFINITION" } : name => value if var.propagate_tags },
    { for name, value in { CapacityProviderStrategy = local.strategy } : name => value if length(local.strategy) > 0 },
    { for name, value in { NetworkConfiguration = local.network } : name => value if module.task.in_a_vpc },
    { for name, value in { Overrides = local.overrides } : name => value if length(local.overrides) > 0 },
  )

  strategy = [for one in var.capacity_provider_strategy : { CapacityProvider = one.name, Weight = one.weight, Base = one.base }]

  network = { AwsvpcConfiguration = {
    Subnets        = var.subnets
    SecurityGroups = var.security_groups
    AssignPublicIp = var.assign_public_ip ? "ENABLED" : "DISABLED"
  } }

  handed = concat(
    [for one in [{ name = "ECS_RUNBOOK_RUN", "value.$" = "$.run" }] : one if var.double_runs == "token"],
    [for one in [{ name = "ECS_RUNBOOK_TASK_TOKEN", "value.$" = "$$.Task.Token" }] : one if local.beats],
  )
  given_containers = try(var.overrides.containerOverrides, [])

  # There is one container, so each of these speaks of it.
  containers = [
    for one in concat(local.given_containers, length(local.given_containers) == 0 && length(local.handed) > 0 ? [{ name = var.container }] : []) : merge(
      { for name, value in one : title(name) => value if !contains(["environment", "environmentFiles", "resourceRequirements"], name) },
      { for name in ["environmentFiles", "resourceRequirements"] : title(name) => [
        for item in one[name] : { for key, value in item : title(key) => value }
      ] if can(one[name]) },
      { for name, items in { Environment = concat(try(one.environment, []), local.handed) } : name => [
        for item in items : { for key, value in item : title(key) => value }
      ] if length(items) > 0 },
    )
  ]

  overrides = merge(
    { for name, value in var.overrides : title(name) => value if !contains(["containerOverrides", "ephemeralStorage", "inferenceAcceleratorOverrides"], name) },
    { for name in ["ephemeralStorage"] : title(name) => { for key, value in var.overrides[name] : title(key) => value } if can(var.overrides[name]) },
    { for name in ["inferenceAcceleratorOverrides"] : title(name) => [
      for item in var.overrides[name] : { for key, value in item : title(key) => value }
    ] if can(var.overrides[name]) },
    { for name, value in { ContainerOverrides = local.containers } : name => value if length(value) > 0 },
  )
}
