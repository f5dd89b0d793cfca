"""The roles on the way: whom they trust, what IAM's own simulator says that they may, and where that is too wide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ecs_runbook.checks.findings import Finding
from ecs_runbook.checks.policies import Context, conditions_that_fail, denies, lets, services_named
from ecs_runbook.checks.saying import Check, Scene, listed, ng, ok, skip
from ecs_runbook.checks.targets import cluster_of, without_revision
from ecs_runbook.firing.names import short
from ecs_runbook.firing.schedules import Schedule
from ecs_runbook.inventory.model import (
    Absent,
    Against,
    Answer,
    Deed,
    Definition,
    Gap,
    Permit,
    Role,
    Row,
    Told,
    deeds,
    machine_deeds,
    passed,
    permit_key,
)
from ecs_runbook.inventory.permits import PASS_ROLE, RUN_TASK, TAG_RESOURCE

EVENTS, SCHEDULER, STATES = "events.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com"
TASKS = "ecs-tasks.amazonaws.com"


def _callers(row: Row) -> list[tuple[str, str]]:
    """Return each role that starts it, with the service that assumes it."""
    first = SCHEDULER if row.kind == "schedule" else EVENTS
    found = [(row.target.role, first)] if row.target.role else []
    if row.through and row.role:
        found.append((row.role, STATES))
    return found or ([(row.role, first)] if row.role else [])


def _role(arn: str, scene: Scene) -> Told[Role]:
    return scene.facts.roles.get(arn, Gap("iam:GetRole", f"{short(arn)} was not asked for"))


def source_of(row: Row, service: str) -> Context:
    """
    Return the condition keys of *service*'s AssumeRole for *row*, and of its message to a queue.

    Notes
    -----
    Source: AWS docs, confused deputy prevention: the value of aws:SourceArn is the rule's ARN (EventBridge user
    guide), the schedule group's and never a schedule's (EventBridge Scheduler user guide), the state machine's (Step
    Functions developer guide); for a task it begins as the ARNs of ECS in that Region do (ECS developer guide).
    """
    partition, account, region = row.owner.arn.split(":")[1:2] or ["aws"], row.place.account, row.place.region
    ecs, cluster = f"arn:{partition[0]}:ecs:{region}:{account}", short(row.request.cluster)
    arns: dict[str, list[str | None]] = {
        EVENTS: [row.owner.arn],
        SCHEDULER: [f"arn:{partition[0]}:scheduler:{region}:{account}:schedule-group/{row.group}"],
        STATES: [row.through],
        # what follows is not documented: the condition is judged only where all of these agree
        TASKS: [
            f"{ecs}:task/{cluster}/0123456789abcdef0123456789abcdef",
            f"{ecs}:cluster/{cluster}",
            f"{ecs}:task-definition/{row.request.family}:1",
        ],
    }
    return {
        "aws:sourcearn": arns[service],
        "aws:sourceaccount": [account],
        "aws:securetransport": ["true"],
        "aws:principalisawsservice": ["true"],
    }


# -------- trust


def there(row: Row, scene: Scene) -> Iterator[Finding]:
    """``role-missing``: a role that starts it was deleted, or the target has none."""
    check, callers = "role-missing", _callers(row)
    if not callers:
        yield ng(check, row, "its target has no role", "Give the target a role that may run the task.")
        return
    told = {arn: _role(arn, scene) for arn, _ in callers}
    missing = [arn for arn, role in told.items() if isinstance(role, Absent)]
    gaps = [role for role in told.values() if isinstance(role, Gap)]
    if missing:
        because = f"there is no role {listed([short(arn) for arn in missing])}"
        yield ng(check, row, because, f"Make {listed(missing)}, or let the target name a role that is there.")
    elif gaps:
        yield skip(check, row, gaps[0])
    else:
        yield ok(check, row, listed([short(arn) for arn in told]))


def trust(row: Row, scene: Scene) -> Iterator[Finding]:
    """``trust-wrong-service``: a role that starts it does not let the service in that has to assume it."""
    told = [(arn, service, _role(arn, scene)) for arn, service in _callers(row)]
    yield from _trust("trust-wrong-service", row, told)


def task_roles(row: Row, scene: Scene) -> Iterator[Finding]:
    """``task-role-trust``: a role that the task gets is not there, or does not trust ECS's tasks."""
    check, revision = "task-role-trust", scene.facts.resolved(row)
    if isinstance(revision, Absent):
        return
    if isinstance(revision, Gap):
        yield skip(check, row, revision)
        return
    told = [(arn, TASKS, _role(arn, scene)) for arn in passed(row, revision)]
    missing = [arn for arn, _, role in told if isinstance(role, Absent)]
    if missing:
        because = f"{revision.family}:{revision.revision} names {listed(missing)}, and there is no such role"
        mend = f"Make {listed(missing)}, or register a revision of {revision.family} that names another."
        yield ng(check, row, because, mend)
    else:
        yield from _trust(check, row, told)


def _trust(check: str, row: Row, told: list[tuple[str, str, Told[Role]]]) -> Iterator[Finding]:
    known = [(role, service) for _, service, role in told if isinstance(role, Role)]
    for role, service in known:
        if lets(role.trust, service, "sts:AssumeRole", context=source_of(row, service)) == "no":
            yield _untrusting(check, row, role, service)
            return
    if gap := next((role for _, _, role in told if isinstance(role, Gap)), None):
        yield skip(check, row, gap)
    elif known:
        names = [f"{short(role.arn)} trusts {service}" for role, service in known]
        unsure = [
            short(role.arn)
            for role, service in known
            if lets(role.trust, service, "sts:AssumeRole", context=source_of(row, service)) == "unknown"
        ]
        rest = f"; whether the conditions of {listed(unsure)} hold is not known" if unsure else ""
        yield ok(check, row, listed(names) + rest)


def _untrusting(check: str, row: Row, role: Role, service: str) -> Finding:
    name, context = short(role.arn), source_of(row, service)
    if denies(role.trust, service, "sts:AssumeRole", context=context):
        because = (
            f"the trust policy of {name} has a Deny that keeps {service} from assuming it, whatever else allows it"
        )
        return ng(
            check, row, because, f"Narrow that Deny in the trust policy of {role.arn}: no Allow helps against it."
        )
    if not lets_by_name(role, service):
        named = services_named(role.trust)
        because = f"{name} trusts {listed(named) or 'no service'}, and {service} has to assume it"
        return ng(check, row, because, f"Let {role.arn} trust {service}.")
    failing = conditions_that_fail(role.trust, service, "sts:AssumeRole", context=context)
    source = context["aws:sourcearn"][0]
    because = f"{name} trusts {service} only if {listed(failing) or 'its conditions hold'}; "
    because += f"here aws:SourceArn is {source}, aws:SourceAccount {row.place.account}"
    mend = f"Let the condition of {role.arn} take aws:SourceArn = {source}."
    if isinstance(row.owner, Schedule) and _by_the_schedule(role, row):
        because += "; AWS's guide since 2023: the group's ARN, never a schedule's"
        return ng(check, row, because, mend, severity="warning")
    return ng(check, row, because, mend)


def lets_by_name(role: Role, service: str) -> bool:
    """Say whether the trust policy names *service* at all, whatever its conditions."""
    return lets(role.trust, service, "sts:AssumeRole", context={}) != "no"


def _by_the_schedule(role: Role, row: Row) -> bool:
    """Say whether it would trust if aws:SourceArn were the schedule's own ARN, as AWS's guide had it before."""
    context = {**source_of(row, SCHEDULER), "aws:sourcearn": [row.owner.arn]}
    return lets(role.trust, SCHEDULER, "sts:AssumeRole", context=context) == "yes"


# -------- what the simulator says


def _permit(row: Row, scene: Scene) -> Permit | Gap | None:
    """Return what IAM says of *row*; the gap that keeps it from being asked; None where another check found why not."""
    revision, cluster = scene.facts.resolved(row), cluster_of(row, scene)
    roles = [scene.facts.roles.get(row.role)]
    if not row.role or any(isinstance(one, Absent) for one in (revision, cluster, *roles)):
        return None
    if isinstance(revision, Gap):
        return revision
    told = scene.facts.permit(row)
    if isinstance(told, Absent):
        return None
    if isinstance(told, Gap) and isinstance(cluster, Gap) and not row.request.cluster.startswith("arn:"):
        return cluster
    return told


_AGAINST: Mapping[Against, tuple[str, str]] = {
    "deny": (
        "a statement denies it",
        "Narrow the Deny that keeps {role} from {action}: where there is one, no Allow helps.",
    ),
    "boundary": (
        "its permissions boundary does not allow it",
        "Let the permissions boundary of {role} allow {action} too; its own policies must do so besides.",
    ),
    "organization": (
        "a policy of the organization does not allow it",
        "Let the organization's service control policies allow {role} {action} too; its own policies must besides.",
    ),
}
"""Why an action is denied that is not merely missing, and the mend."""


def _judged(
    check: str, row: Row, permit: Permit, action: str, answer: Answer, because: str, mend: str, fine: str
) -> Finding:
    if answer == "allowed":
        return ok(check, row, fine)
    if answer == "not asked":
        return skip(check, row, "IAM was not asked for that")
    # keys of other services stand in statements that are about other things
    keys = [key for key in permit.missing_context if key.lower().startswith(("aws:", "ecs:", "iam:"))]
    if keys:
        words = f"{because}, as far as is known: its policies ask for {listed(keys)}, whose value is not known"
        return skip(check, row, words)
    if against := permit.against.get(action):
        why, instead = _AGAINST[against]
        return ng(check, row, f"{because}: {why}", instead.format(role=row.role, action=action))
    return ng(check, row, because, mend)


def run_task(row: Row, scene: Scene) -> Iterator[Finding]:
    """``run-task-missing``: IAM refuses RunTask on the revision that would run now, in this cluster."""
    check, permit, revision = "run-task-missing", _permit(row, scene), scene.facts.resolved(row)
    if permit is None:
        return
    if isinstance(permit, Gap) or not isinstance(revision, Definition):
        yield skip(check, row, permit if isinstance(permit, Gap) else "the revision is not known")
        return
    name, every = short(row.role), f"{without_revision(row, revision)}:*"
    where = f"{revision.family}:{revision.revision} in cluster {short(row.request.cluster)}"
    because = f"{name} may not ecs:RunTask on {where}"
    mend = f"Allow {row.role} ecs:RunTask on {every}; the family without :* matches nothing."
    yield _judged(check, row, permit, RUN_TASK, permit.run_task, because, mend, f"{name} may run {where}")


def pass_roles(row: Row, scene: Scene) -> Iterator[Finding]:
    """``pass-role-missing``: IAM refuses to pass a role that the revision names."""
    check, permit, revision = "pass-role-missing", _permit(row, scene), scene.facts.resolved(row)
    if permit is None:
        return
    if isinstance(permit, Gap) or not isinstance(revision, Definition):
        yield skip(check, row, permit if isinstance(permit, Gap) else "the revision is not known")
        return
    roles = passed(row, revision)
    answers = {role: permit.pass_role.get(role, "not asked") for role in roles}
    bad = [role for role, answer in answers.items() if answer == "denied"]
    asked: Answer = "denied" if bad else "not asked" if "not asked" in answers.values() else "allowed"
    if roles:
        name = short(row.role)
        because = (
            f"{name} may not pass {listed([short(role) for role in bad])} of {revision.family}:{revision.revision}"
        )
        mend = f"Allow {row.role} iam:PassRole on {listed(bad)} to {TASKS}."
        fine = f"{name} may pass {listed([short(role) for role in roles])}"
        yield _judged(check, row, permit, PASS_ROLE, asked, because, mend, fine)


def tagging(row: Row, scene: Scene) -> Iterator[Finding]:
    """``tag-resource-missing``: tasks are to be tagged, the account authorises that, and IAM refuses it."""
    check, request, authorised = "tag-resource-missing", row.request, scene.facts.tagging_authorised
    if not (request.tags or request.managed_tags) or authorised is False or isinstance(authorised, Absent):
        return
    permit = _permit(row, scene)
    if permit is None:
        return
    if isinstance(permit, Gap):
        yield skip(check, row, permit)
        return
    if isinstance(authorised, Gap):
        yield skip(check, row, authorised)
        return
    key = permit_key(row, scene.facts)
    tasks = f"{(key.cluster if key else row.request.cluster).replace(':cluster/', ':task/')}/*"
    because = f"its tasks are tagged, and {short(row.role)} may not ecs:TagResource on {tasks}"
    finding = _judged(
        check,
        row,
        permit,
        TAG_RESOURCE,
        permit.tag_resource,
        because,
        f"Allow {row.role} ecs:TagResource on {tasks}, where ecs:CreateAction is RunTask.",
        f"{short(row.role)} may tag its tasks",
    )
    if finding.status == "NG" and not request.tags:
        words = f"{because}; only ECS managed tags are asked for, and whether these alone need it is not verified"
        yield ng(check, row, words, finding.mend, severity="note")
    else:
        yield finding


def too_wide(row: Row, scene: Scene) -> Iterator[Finding]:
    """``policy-too-wide``: the role runs, or passes, what this task does not need."""
    check, permit, revision = "policy-too-wide", _permit(row, scene), scene.facts.resolved(row)
    if permit is None or not isinstance(revision, Definition):
        return
    if isinstance(permit, Gap):
        yield skip(check, row, permit)
        return
    wide = ["ecs:RunTask on any family"] if permit.any_family == "allowed" else []
    wide += ["iam:PassRole of any role"] if permit.any_role == "allowed" else []
    name = short(row.role)
    if wide:
        needed = [f"{without_revision(row, revision)}:*", *passed(row, revision)]
        yield ng(check, row, f"{name} has {' and '.join(wide)}", f"Name what it needs: {', '.join(needed)}.")
    elif "not asked" in (permit.any_family, permit.any_role):
        yield skip(check, row, "IAM was not asked for that")
    else:
        yield ok(check, row, f"{name} has no more than it needs")


def deed(row: Row, action: str, scene: Scene) -> tuple[Deed, Told[Answer]] | None:
    """Return what IAM says of *row*'s role and *action*; None where it needs no such permission."""
    for one in deeds(row):
        if one.action == action:
            return one, scene.facts.deeds.get(one, Gap("iam:SimulatePrincipalPolicy", f"{action} was not asked"))
    return None


def start_execution(row: Row, scene: Scene) -> Iterator[Finding]:
    """``start-execution-missing``: the role of the rule or schedule may not start the state machine."""
    check, found = "start-execution-missing", deed(row, "states:StartExecution", scene)
    if found is None:
        return
    asked, answer = found
    name, machine = short(asked.role), asked.resource.rpartition(":")[2]
    if isinstance(answer, Gap):
        yield skip(check, row, answer)
    elif answer == "not asked":
        yield skip(check, row, "IAM was not asked for that")
    elif answer == "denied":
        mend = f"Allow {asked.role} states:StartExecution on {asked.resource}."
        yield ng(check, row, f"{name} may not start {machine}", mend)
    elif answer == "allowed":
        yield ok(check, row, f"{name} may start {machine}")


_HARMS = {
    "ecs:DescribeTasks": "Step Functions may not learn how the task ended",
    "ecs:ListTasks": "a task that took too long is not found, and runs on",
    "ecs:StopTask": "a task runs on when its execution is stopped or out of time",
    "events:DescribeRule": "Step Functions learns late that the task has ended",
    "events:PutRule": "Step Functions learns late that the task has ended",
    "events:PutTargets": "Step Functions learns late that the task has ended",
    "sns:Publish": "nobody is told that a run failed",
}
"""What comes of it without each of them; a run may go well all the same."""


def machine_acts(row: Row, scene: Scene) -> Iterator[Finding]:
    """``machine-permissions``: the state machine may not do what its states do besides running the task."""
    check, wanted = "machine-permissions", machine_deeds(row)
    if not wanted or isinstance(scene.facts.roles.get(row.role), Absent):
        return
    told = {one: scene.facts.deeds.get(one, Gap("iam:SimulatePrincipalPolicy", "it was not asked")) for one in wanted}
    name, denied = short(row.role), [one for one, answer in told.items() if answer == "denied"]
    gaps = [answer for answer in told.values() if isinstance(answer, Gap)]
    if denied:
        actions = list(dict.fromkeys(one.action for one in denied))
        blind = row.machine.skips and "ecs:ListTasks" in actions
        known = _HARMS | ({"ecs:ListTasks": "an execution fails before it runs the task"} if blind else {})
        harms = dict.fromkeys(known.get(action, "its state fails") for action in actions)
        mend = f"Allow {row.role} {'; '.join(f'{one.action} on {one.resource}' for one in denied)}."
        grave = blind or any(action not in _HARMS for action in actions)
        because = f"{name} may not {listed(actions)}: {'; '.join(harms)}"
        yield ng(check, row, because, mend, severity=None if grave else "warning")
    elif gaps:
        yield skip(check, row, gaps[0])
    elif "not asked" in told.values():
        yield skip(check, row, "IAM was not asked for that")
    elif set(told.values()) == {"allowed"}:
        yield ok(check, row, f"{name} may do all else that its states do")


CHECKS: Mapping[str, Check] = {
    "role-missing": there,
    "trust-wrong-service": trust,
    "task-role-trust": task_roles,
    "start-execution-missing": start_execution,
    "machine-permissions": machine_acts,
    "run-task-missing": run_task,
    "pass-role-missing": pass_roles,
    "tag-resource-missing": tagging,
    "policy-too-wide": too_wide,
}
