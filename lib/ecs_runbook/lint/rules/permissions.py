"""Rules on roles: what a target's role may do, whom a role trusts, and what policies allow beyond need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ecs_runbook.lint.addresses import module_of
from ecs_runbook.lint.findings import Said, found, unresolved
from ecs_runbook.lint.model import Block, Place, Reference, Unknown, Value
from ecs_runbook.lint.policies import (
    EVENTS_ROLE,
    Covers,
    Match,
    Statement,
    covers,
    on_tasks,
    passes,
    trusted,
    trusts,
)
from ecs_runbook.lint.registry import Severity
from ecs_runbook.lint.rules.targets import without_revision
from ecs_runbook.lint.values import Part, doubt, field_of, has_marks, joined, marked, parts, shown, unmarked, wildcard
from ecs_runbook.lint.view import Grants, Starter, Target, View

TASKS = "ecs-tasks.amazonaws.com"
_Key = tuple[Place, str, tuple[str | int, ...]]


def roles(view: View) -> Iterator[Said]:
    """Judge what the role of each target may do, then the policies that belong to no target in sight."""
    judged: set[_Key] = set()
    for target in view.targets:
        found_roles = view.roles(target.role)
        if not found_roles:
            yield _no_role(target)
        for role in found_roles:
            grants = view.grants(role)
            judged |= {statement.key for statement in grants.statements}
            yield from _trust(view, role, target.service, f"{target.block.address} needs")
            yield from _run_task(view, target, grants)
            yield from _pass_role(view, target, grants)
            yield from _tag_resource(view, target, grants)
            for statement in grants.statements:
                yield from _too_wide(view, statement)
    yield from _of_starters(view)
    yield from _of_definitions(view)
    yield from _others(view, judged)


def _of_starters(view: View) -> Iterator[Said]:
    """Judge the roles of the rules and schedules that start a state machine."""
    for starter in view.starters:
        found_roles = view.roles(starter.role)
        if not found_roles:
            yield _no_role(starter)
        for role in found_roles:
            yield from _trust(view, role, starter.service, f"{starter.block.address} needs")
            yield from _start(view, starter, view.grants(role))


def _start(view: View, starter: Starter, grants: Grants) -> Iterator[Said]:
    machine = marked(view.expand(starter.machine))
    answers = [
        _may_start(statement, marked(view.expand(one)), machine)
        for statement in grants.statements
        if statement.allows("states:StartExecution") != "no"
        for one in (statement.resources or [None])
    ]
    if "yes" in answers:
        return
    module = module_of(grants.role.address)
    arn = shown(starter.machine, module)
    if "unknown" in answers or grants.doubts:
        why = next(iter(grants.doubts), "its resources are known only after apply")
        yield unresolved(grants.role, (), f"whether it may start {arn}", why)
        return
    yield found(
        "start-execution-missing",
        grants.role,
        (),
        f"none of its policies allows states:StartExecution on {arn}, which {starter.block.address} starts",
        "Allow states:StartExecution on that state machine.",
        diff=f'+ Action   = "states:StartExecution"\n+ Resource = {arn}',
    )


def _may_start(statement: Statement, resource: str | None, machine: str | None) -> Match:
    if statement.allows("states:StartExecution") == "unknown" or resource is None or machine is None:
        return "unknown"
    if wildcard(resource, machine):
        return "yes"
    return "no" if has_marks(resource) and has_marks(machine) and "*" not in resource else "unknown"


def _no_role(target: Target | Starter) -> Said:
    if target.role is None:
        why = "it has no role of its own here"
    else:
        why = doubt(target.role) or f"{shown(target.role, module_of(target.block.address))} is made elsewhere"
    return unresolved(target.block, target.role_path, "what its role may do", why)


# ---------------------------------------------------------------- whom a role trusts


def _trust(view: View, role: Block, service: str, who: str) -> Iterator[Said]:
    read = view.trust(role)
    answer = trusts(read, service)
    path = ("assume_role_policy",)
    if answer == "unknown":
        yield unresolved(role, path, "whom it trusts", next(iter(read.doubts), "its principals are not known"))
    if answer != "no":
        return
    named = trusted(read)
    yield found(
        "trust-wrong-service",
        role,
        path,
        f"it trusts {', '.join(named) or 'no service'}, and {who} {service}",
        f"Let it trust {service}.",
        diff=f'- Service = "{named[0]}"\n+ Service = "{service}"' if len(named) == 1 else f'+ Service = "{service}"',
    )


def _of_definitions(view: View) -> Iterator[Said]:
    """Judge the roles of the task definitions that a target runs."""
    seen: set[int] = set()
    for target in view.targets:
        for definition in view.definitions(target):
            for name in ("execution_role_arn", "task_role_arn"):
                for role in view.roles(field_of(definition.values, name)):
                    if id(role) not in seen:
                        seen.add(id(role))
                        yield from _trust(view, role, TASKS, f"{name} of {definition.address} needs")


# ---------------------------------------------------------------- ecs:RunTask


def _run_task(view: View, target: Target, grants: Grants) -> Iterator[Said]:
    family = view.family(target)
    if family is None:
        return  # said of the target already
    met: list[tuple[Covers, Statement, Value]] = []
    for statement in grants.statements:
        allows = statement.allows("ecs:RunTask")
        if allows == "no":
            continue
        if allows == "unknown" or statement.not_resources:
            met.append(("unknown", statement, Unknown("its actions or resources are not known")))
        met += [(covers(marked(view.expand(one)), family), statement, one) for one in statement.resources]
    kinds = {kind for kind, _, _ in met}
    if kinds & {"all", "every"}:
        return
    if doubts := [doubt(one) or "it is known only after apply" for kind, _, one in met if kind == "unknown"]:
        yield unresolved(grants.role, (), f"whether it may run {unmarked(family)}", doubts[0])
        return
    pinned = without_revision(target.get("task_definition_arn")) is not None
    told = [(kind, *rest) for kind, *rest in met if kind in ("bare", "one", "never")]
    for kind, statement, resource in told:
        yield _narrow(kind, statement, resource, pinned=pinned)
    if told:
        return
    if grants.doubts:
        yield unresolved(grants.role, (), f"whether it may run {unmarked(family)}", grants.doubts[0])
        return
    module = module_of(grants.role.address)
    others = [shown(one, module) for kind, _, one in met if kind == "other"]
    may = f"it allows ecs:RunTask on {', '.join(others)} alone" if others else "no policy of it allows ecs:RunTask"
    yield found(
        "run-task-missing",
        grants.role,
        (),
        f"{may}, and {target.block.address} runs {unmarked(family)}",
        f"Allow ecs:RunTask on every revision of that family: {_every(target, module)}.",
        diff=f'+ Action   = "ecs:RunTask"\n+ Resource = {_every(target, module)}',
    )


def _every(target: Target, module: str) -> str:
    """Return every revision of what a target runs, as one writes it inside of *module*."""
    value = target.get("task_definition_arn")
    family = without_revision(value)
    return shown(joined((*parts(value if family is None else family), ":*")), module)


def _narrow(kind: str, statement: Statement, resource: Value, *, pinned: bool = False) -> Said:
    module = module_of(statement.block.address)
    now = shown(resource, module)
    bare = resource if kind == "bare" else without_revision(resource)
    every = shown(joined((*parts(bare), ":*")), module) if bare is not None else "the family with :*"
    change = f"- {now}\n+ {every}" if bare is not None else ""
    path = statement.of_resources()
    if kind == "bare":
        return found(
            "policy-bare-family",
            statement.block,
            path,
            f"it allows ecs:RunTask on {now}, without a revision; IAM is asked about the revision that is resolved, "
            "such as …:7, and that does not match",
            f"Allow every revision: {every}.",
            diff=change,
        )
    if kind == "never":
        because = f"it allows ecs:RunTask on {now}, where something follows the revision: that matches nothing"
        return found("policy-pinned-revision", statement.block, path, because, "End it in the family and :*.")
    severity: Severity = "warning" if pinned else "error"
    then = "the target names the same family by revision, so this holds until one of the two moves"
    return found(
        "policy-pinned-revision",
        statement.block,
        path,
        f"it allows ecs:RunTask on one revision, {now}; "
        + (then if pinned else "the next revision is refused with AccessDenied"),
        f"Allow every revision: {every}.",
        diff=change,
        severity=severity,
    )


# ---------------------------------------------------------------- iam:PassRole


def _pass_role(view: View, target: Target, grants: Grants) -> Iterator[Said]:
    passing = [one for one in grants.statements if one.allows("iam:PassRole") != "no"]
    wanted = [
        (name, definition)
        for definition in view.definitions(target)
        for name in ("execution_role_arn", "task_role_arn")
        if definition.mode == "managed" and field_of(definition.values, name) is not None
    ]
    done: set[str] = set()
    for name, definition in wanted:
        value = definition.values[name]
        role = marked(view.expand(value))
        if role is None:
            yield unresolved(definition, (name,), f"whether {grants.role.address} may pass it", doubt(value))
            continue
        if role in done:
            continue
        done.add(role)
        yield from _passing(view, grants, passing, role, f"{name} of {definition.address}", value)
    yield from _not_yet(view, target, grants, passing)


def _passing(
    view: View, grants: Grants, passing: Sequence[Statement], role: str, what: str, value: Value
) -> Iterator[Said]:
    wrong: list[tuple[Statement, Sequence[Value]]] = []
    doubtful = ""
    for statement in passing:
        answer = _passes(view, statement, role)
        if answer == "no":
            continue
        service = _to_tasks(statement)
        if answer == "yes" and service == "yes":
            return
        if answer == "yes" and service == "no":
            told = statement.condition("iam:PassedToService")
            wrong.append((statement, told[1] if isinstance(told, tuple) else ()))
        else:
            doubtful = doubtful or doubt(statement.resources) or "which roles it may pass is known only after apply"
    if doubtful or grants.doubts:
        yield unresolved(grants.role, (), f"whether it may pass {what}", doubtful or grants.doubts[0])
        return
    for statement, services in wrong:
        names = ", ".join(shown(one) for one in services)
        yield found(
            "passed-to-service",
            statement.block,
            (*statement.path, "condition" if statement.block.mode == "data" else "Condition"),
            f"it allows iam:PassRole where iam:PassedToService is {names}; a task's roles are passed to {TASKS}",
            f'Write "{TASKS}".',
            diff=f'- "iam:PassedToService" = {names}\n+ "iam:PassedToService" = "{TASKS}"',
        )
    if not wrong:
        module = module_of(grants.role.address)
        yield found(
            "pass-role-missing",
            grants.role,
            (),
            f"none of its policies allows iam:PassRole on {shown(value, module)}, the {what}",
            f"Allow iam:PassRole on it, with iam:PassedToService {TASKS}.",
            diff=f'+ Action   = "iam:PassRole"\n+ Resource = {shown(value, module)}',
        )


def _passes(view: View, statement: Statement, role: str) -> Match:
    if statement.allows("iam:PassRole") == "unknown" or statement.not_resources:
        return "unknown"
    said = {passes(marked(view.expand(one)), role) for one in statement.resources}
    return "yes" if "yes" in said else "unknown" if "unknown" in said else "no"


def _to_tasks(statement: Statement) -> Match:
    told = statement.condition("iam:PassedToService")
    if told is None:
        return "yes"
    if isinstance(told, Unknown):
        return "unknown"
    operator, values = told
    if "Not" in operator or "Null" in operator or any(not isinstance(one, str) for one in values):
        return "unknown"
    return "yes" if any(one == "*" or one.startswith(("ecs-tasks.", "ecs-tasks*", "ecs*")) for one in values) else "no"


def _not_yet(view: View, target: Target, grants: Grants, passing: Sequence[Statement]) -> Iterator[Said]:
    """Note a role that is made for tasks, is in no definition, and may not be passed: a new revision may name it."""
    if grants.doubts or without_revision(target.get("task_definition_arn")) is not None or not view.definitions(target):
        return
    module = module_of(grants.role.address)
    for role, arn in view.unused_roles.get(module, ()):
        if trusts(view.trust(role), TASKS) == "yes" and all(_passes(view, one, arn) == "no" for one in passing):
            yield found(
                "pass-role-missing",
                grants.role,
                (),
                f"it may not pass {role.address}, which trusts {TASKS} and is in no definition here; a revision that a "
                "pipeline registers with it would be refused",
                "Allow iam:PassRole on it, if a revision is to name it.",
                severity="note",
                diff=f"+ {shown(Reference(role.address, 'arn'), module)}",
            )


# ---------------------------------------------------------------- ecs:TagResource


def _tag_resource(view: View, target: Target, grants: Grants) -> Iterator[Said]:
    certain, by = target.tags
    tagging = [one for one in grants.statements if one.allows("ecs:TagResource") != "no"]
    answers = {_on_tasks(view, one) for one in tagging}
    if "yes" in answers or (not by and not tagging):
        return
    if certain is None and not answers:
        why = next(filter(None, (doubt(target.get(one)) for one in by)), "its tags are known only after apply")
        yield unresolved(target.block, target.at(by[0]), "whether it tags its tasks, which its role may not", why)
        return
    makes = f"it sets {', '.join(by)}" if by else "it makes no tags"
    severity: Severity = "error" if certain else "note"
    if tagging and answers == {"no"}:
        for one in tagging:
            if by or one.names("ecs", "ecs:RunTask"):
                yield _wrong_arn(one, severity, f"and {target.block.address} tags its tasks: {makes}" if by else "")
        return
    if by and ("unknown" in answers or grants.doubts):
        why = next(iter(grants.doubts), "the resources are known only after apply")
        yield unresolved(grants.role, (), "whether it may tag a task", why)
        return
    alone = "" if certain else "; whether that alone needs it is not verified"
    if by and not (_tagging_is_off(view)):
        yield found(
            "tag-resource-missing",
            target.block,
            target.at(by[0]),
            f"{makes}, and {grants.role.address} may not ecs:TagResource{alone}",
            "Allow ecs:TagResource on the tasks of the cluster, with ecs:CreateAction RunTask.",
            severity=severity,
            diff='+ Action    = "ecs:TagResource"\n+ Resource  = "arn:aws:ecs:*:*:task/<cluster>/*"\n'
            '+ Condition = { StringEquals = { "ecs:CreateAction" = "RunTask" } }',
        )


def _wrong_arn(statement: Statement, severity: Severity, who: str) -> Said:
    module = module_of(statement.block.address)
    on = ", ".join(shown(one, module) for one in statement.resources)
    return found(
        "tag-resource-on-wrong-arn",
        statement.block,
        statement.of_resources(),
        " ".join(
            filter(None, [f"it allows ecs:TagResource on {on}, which is no task;", who or "a tagged task is refused"])
        ),
        "Allow it on the tasks, …:task/<cluster>/*, in a statement of its own.",
        severity=severity,
        diff='+ Action   = "ecs:TagResource"\n+ Resource = "arn:aws:ecs:*:*:task/<cluster>/*"',
    )


def _on_tasks(view: View, statement: Statement) -> Match:
    if statement.allows("ecs:TagResource") == "unknown" or statement.not_resources:
        return "unknown"
    said = {_on_a_task(view.expand(one)) for one in statement.resources}
    return "yes" if "yes" in said else "unknown" if "unknown" in said else "no"


def _on_a_task(pieces: Sequence[Part]) -> Match:
    """Judge one resource; what is written of a task in it counts, whatever stands before and after."""
    if any(isinstance(piece, str) and ":task/" in piece for piece in pieces):
        return "yes"
    return on_tasks(marked(pieces))


def _tagging_is_off(view: View) -> bool:
    return any(
        block.values.get("name") == "tagResourceAuthorization" and block.values.get("value") in ("off", "disabled")
        for block in view.of("aws_ecs_account_setting_default")
    )


# ---------------------------------------------------------------- what is wider than it need be


def _too_wide(view: View, statement: Statement) -> Iterator[Said]:
    wide: tuple[tuple[str, str, str, Callable[[str | None], bool]], ...] = (
        ("ecs:RunTask", "ecs:cluster", "any task definition", lambda one: covers(one, None) == "all"),
        ("iam:PassRole", "iam:PassedToService", "any role of the account", _any_role),
    )
    for action, key, what, is_all in wide:
        if statement.allows(action) != "yes" or statement.condition(key) is not None:
            continue
        for one in statement.resources:
            if is_all(marked(view.expand(one))):
                yield _wide(statement, f"{action} on {shown(one, module_of(statement.block.address))}, {what}", key)


def _wide(statement: Statement, allowed: str, key: str) -> Said:
    names = "the roles of the task definition" if key.startswith("iam") else "one family, with :*"
    if statement.own:
        because = f"{statement.own}, a policy of AWS's own, allows {allowed}, without a condition on {key}"
        mend = f"Write a policy that names {names}."
    else:
        because = f"it allows {allowed}, without a condition on {key}"
        mend = f"Name {names}, or add the condition."
    severity: Severity | None = "note" if statement.own == EVENTS_ROLE else None
    return found("policy-too-wide", statement.block, statement.of_resources(), because, mend, severity=severity)


def _any_role(resource: str | None) -> bool:
    return resource is not None and all(
        passes(resource, f"arn:aws:iam::111122223333:role/{name}") == "yes" for name in ("a", "zz/9_Q")
    )


def _others(view: View, judged: set[_Key]) -> Iterator[Said]:
    """
    Judge the policies that no target in sight is known to use, each document by itself.

    A bare family matches nothing whoever asks. One revision, or all of them, is judged only where a target's role has
    the policy: one that EventBridge assumes; or, where nobody is seen to have it, one of a target that is not in sight.
    """
    one_is_not_in_sight = any(not view.roles(target.role) for target in view.targets)
    for read, _, with_it in view.documents:
        run = [one for one in read.statements if one.allows("ecs:RunTask") == "yes" and one.key not in judged]
        about = [one for one in run if one.names("ecs", "ecs:RunTask")]
        judged |= {one.key for one in run}
        kinds = [(covers(marked(view.expand(value)), None), one, value) for one in about for value in one.resources]
        if not about:
            continue
        covered = any(kind == "all" for kind, _, _ in kinds)
        every = {_family(view, value) for kind, _, value in kinds if kind == "every"}
        ours = one_is_not_in_sight if with_it is None else any(_for_a_target(view, role) for role in with_it)
        for kind, statement, value in kinds:
            if covered or _family(view, value) in every:
                continue
            if kind == "bare" or (kind in ("one", "never") and ours):
                yield _narrow(kind, statement, value, pinned=kind == "one")
        if ours:
            for statement in read.statements:
                yield from _too_wide(view, statement)
                if (
                    statement in about
                    and statement.allows("ecs:TagResource") == "yes"
                    and _on_tasks(view, statement) == "no"
                ):
                    yield _wrong_arn(statement, "note", "")


def _family(view: View, value: Value) -> str:
    told = marked(view.expand(value)) or ""
    return told.rpartition("task-definition/")[2].partition(":")[0].rstrip("*")


def _for_a_target(view: View, role: Block) -> bool:
    read = view.trust(role)
    return any(
        trusts(read, one) == "yes"
        for one in ("events.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com")
    )
