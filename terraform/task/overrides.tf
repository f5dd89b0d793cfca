# What every start hands to ECS: the overrides that were given, and which scheduled run it is, if that was asked for.

locals {
  given_containers = try(var.overrides.containerOverrides, [])

  # There is one container, so each of these speaks of it.
  containers_with_run = [
    for one in concat(local.given_containers, length(local.given_containers) == 0 ? [{ name = var.container }] : []) : merge(one, {
      environment = concat(try(one.environment, []), [{ name = "ECS_RUNBOOK_RUN", value = "THE-RUN" }])
    })
  ]
  with_run = jsonencode(merge(var.overrides, { containerOverrides = local.containers_with_run }))

  # jsonencode writes < as \u003c, where EventBridge would not know its own <…>, so the token is put in afterwards
  input = (
    var.run_token != "" ? replace(local.with_run, "\"THE-RUN\"", "\"${var.run_token}\"") :
    length(var.overrides) > 0 ? jsonencode(var.overrides) : null
  )
}
