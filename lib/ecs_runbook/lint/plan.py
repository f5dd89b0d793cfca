"""A plan's JSON as a configuration: what is planned, what was read, and what is known only after apply."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ecs_runbook.errors import TerraformError
from ecs_runbook.lint.addresses import module_of, plain, speaks_of
from ecs_runbook.lint.known import SENSITIVE
from ecs_runbook.lint.model import Block, Comment, Configuration, Json, Place, Reference, Unknown, Value
from ecs_runbook.lint.values import doubt

_HINT = "Make it with `terraform plan -out tfplan`, then `terraform show -json tfplan > plan.json`."
_LATER = "it is known only after apply"
# An attribute that names another thing: what it refers to is that thing, if it refers to one only.
_NAMES = frozenset(
    {
        "role",
        "role_arn",
        "roles",
        "policy",
        "policy_arn",
        "assume_role_policy",
        "execution_role_arn",
        "task_role_arn",
        "vpc_id",
        "subnet_id",
        "route_table_id",
        "gateway_id",
        "subnets",
        "security_groups",
        "source_policy_documents",
        "override_policy_documents",
    }
)
_FAMILY = ("arn_without_revision", "family")


def configuration_of(
    plan: Mapping[str, Any], written: Sequence[Block] = (), comments: Sequence[Comment] = ()
) -> Configuration:
    """
    Return what a plan says, as a configuration.

    Parameters
    ----------
    plan
        What ``terraform show -json`` answers.
    written, comments
        The blocks and comments of the files that the plan was made of, if they were read.

    Raises
    ------
    TerraformError
        If it is not the JSON of a plan.
    """
    _insist(plan)
    known = _Known(plan, written)
    blocks = [known.block(told) for told in _planned(plan)]
    return Configuration([block for block in blocks if block is not None], comments)


def _insist(plan: Mapping[str, Any]) -> None:
    if not isinstance(plan, Mapping):
        raise TerraformError("This is not the JSON of a plan.", hint=_HINT)
    if "planned_values" in plan:
        return
    if "values" in plan:
        raise TerraformError("This is the JSON of a state, and a plan is needed.", hint=_HINT)
    if "@level" in plan or "@message" in plan:
        raise TerraformError("This is what `terraform plan -json` prints while it works.", hint=_HINT)
    raise TerraformError("This is not the JSON of a plan: it has no planned_values.", hint=_HINT)


def _planned(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the resources that will be there, and the data that was or will be read; each address once."""
    seen: set[str] = set()
    before = _map(_map(plan.get("prior_state")).get("values"))
    for root, modes in ((_map(plan.get("planned_values")), ("managed", "data")), (before, ("data",))):
        for one in _resources(_map(root.get("root_module"))):
            address = str(one.get("address", ""))
            if one.get("mode") in modes and address not in seen:
                seen.add(address)
                yield one


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    waiting = [module]
    while waiting:
        here = waiting.pop()
        yield from (one for one in _list(here.get("resources")) if isinstance(one, Mapping))
        waiting += [_map(one) for one in _list(here.get("child_modules"))]


class _Known:
    """What else a plan says of a resource: what is unknown of it, how it changes, what its expressions refer to."""

    def __init__(self, plan: Mapping[str, Any], written: Sequence[Block]) -> None:
        self._changes: dict[str, Mapping[str, Any]] = {
            str(one.get("address")): _map(one.get("change"))
            for one in map(_map, _list(plan.get("resource_changes")))
            if "deposed" not in one
        }
        self._expressions = _Expressions(_map(_map(plan.get("configuration")).get("root_module")))
        self._written: dict[str, list[Block]] = defaultdict(list)
        for block in written:
            self._written[plain(block.address)].append(block)

    def block(self, told: Mapping[str, Any]) -> Block | None:
        kind, name, address = told.get("type"), told.get("name"), told.get("address")
        if not (isinstance(kind, str) and isinstance(name, str) and isinstance(address, str)):
            return None
        change = self._changes.get(address, {})
        in_files = [one for one in self._written.get(plain(address), []) if speaks_of(address, one.address)]
        beside = in_files[0] if in_files else None
        values = self._filled(
            _map(_shown(told.get("values"), told.get("sensitive_values"))),
            change.get("after_unknown"),
            self._expressions.of(plain(address)),
            beside.values if beside is not None and len(in_files) == 1 else {},
            address,
        )
        kept = {one: value for one, value in values.items() if value is not None and value != []}
        if kind == "aws_ecs_task_definition" and told.get("mode") == "managed":
            kept["lifecycle"] = self._lifecycle(change, beside)
        elif beside is not None and "lifecycle" in beside.values:
            kept["lifecycle"] = beside.values["lifecycle"]
        return Block(
            "data" if told.get("mode") == "data" else "managed",
            kind,
            name,
            address,
            kept,
            beside.place if beside is not None else Place(),
            beside.lines if beside is not None else {},
            beside.end if beside is not None else 0,
        )

    @staticmethod
    def _lifecycle(change: Mapping[str, Any], beside: Block | None) -> list[Value]:
        actions = change.get("actions")
        if actions in (["create", "delete"], ["delete", "create"]):
            return [{"create_before_destroy": actions == ["create", "delete"]}]
        if beside is not None:
            written = beside.values.get("lifecycle")
            return written if isinstance(written, list) else [written] if written is not None else []
        return [{"create_before_destroy": Unknown("a plan that replaces nothing does not say it")}]

    def _filled(
        self,
        values: Mapping[str, Any],
        unknown: Any,
        expressions: Mapping[str, Any],
        written: Mapping[str, Value],
        address: str,
    ) -> dict[str, Value]:
        """Return *values*, and for what is known only after apply what is written of it."""
        told: dict[str, Value] = dict(values)
        for name, later in _map(unknown).items():
            if later in (False, None, [], {}):
                continue
            if later is True:
                value = self._later(name, expressions.get(name), written.get(name), address)
                if value is not None:
                    told[name] = value
                continue
            if isinstance(later, list):
                told[name] = self._list(
                    name, values.get(name), later, expressions.get(name), written.get(name), address
                )
            else:
                inside = expressions.get(name)
                told[name] = self._filled(_map(values.get(name)), later, _map(inside), _map(written.get(name)), address)
        return told

    def _list(
        self, name: str, values: Any, later: Sequence[Any], expression: Any, written: Any, address: str
    ) -> list[Value]:
        old = _list(values)
        told: list[Value] = []
        for at in range(max(len(old), len(later))):
            here = old[at] if at < len(old) else None
            hole = later[at] if at < len(later) else None
            text = _list(written)[at] if at < len(_list(written)) else None
            if isinstance(hole, Mapping):
                inside = _list(expression)[at] if at < len(_list(expression)) else {}
                told.append(self._filled(_map(here), hole, _map(inside), _map(text), address))
            elif hole is True:
                told.append(text if text is not None and not doubt(text) else Unknown(_LATER))
            else:
                told.append(here)
        if any(isinstance(one, Unknown) for one in told) and not written:
            referred = self._later(name, expression, None, address)
            return referred if isinstance(referred, list) and len(referred) >= len(told) else told
        return told

    def _later(self, name: str, expression: Any, written: Value, address: str) -> Value:
        # of a policy or a definition that is only half known, half is more than the plan says
        if written is not None and (isinstance(written, Json) or not doubt(written)):
            return written
        if not isinstance(expression, (Mapping, list)):
            return None  # nobody wrote it: AWS gives it
        references = self._expressions.references(expression, address)
        if name in ("subnets", "security_groups", "roles") and references and all(map(_is_reference, references)):
            return list(references)
        single = references[0] if len(references) == 1 else None
        if isinstance(single, Reference):
            if name in _NAMES or (name == "task_definition_arn" and single.attribute in _FAMILY):
                return single
            because = f"{_LATER}; it refers to {single.address}.{single.attribute}: lint the folder too"
            return Unknown(because)
        return Unknown(_LATER)


def _shown(value: Any, hidden: Any) -> Any:
    """Return a value without what Terraform holds to be sensitive."""
    if hidden is True:
        return SENSITIVE
    if isinstance(value, Mapping) and isinstance(hidden, Mapping):
        return {name: _shown(one, hidden.get(name)) for name, one in value.items()}
    if isinstance(value, list) and isinstance(hidden, list):
        return [_shown(one, hidden[at] if at < len(hidden) else None) for at, one in enumerate(value)]
    return value


def _is_reference(value: Value) -> bool:
    return isinstance(value, Reference)


class _Expressions:
    """The configuration in a plan: what an expression refers to, through variables and outputs of modules."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._resources: dict[str, Mapping[str, Any]] = {}
        self._modules: dict[str, Mapping[str, Any]] = {"": root}
        self._calls: dict[str, Mapping[str, Any]] = {}
        self._walk(root, "")

    def _walk(self, module: Mapping[str, Any], prefix: str) -> None:
        for one in map(_map, _list(module.get("resources"))):
            self._resources[f"{prefix}{one.get('address')}"] = _map(one.get("expressions"))
        for name, call in _map(module.get("module_calls")).items():
            inner = f"{prefix}module.{name}"
            self._calls[inner] = _map(call)
            self._modules[inner] = _map(_map(call).get("module"))
            self._walk(self._modules[inner], f"{inner}.")

    def of(self, address: str) -> Mapping[str, Any]:
        return self._resources.get(address, {})

    def references(self, expression: Any, address: str) -> list[Value]:
        """Return the attributes that an expression of the block at *address* refers to; Unknown for anything else."""
        return self._of(expression, plain(module_of(address)), 0)

    def _of(self, expression: Any, module: str, depth: int) -> list[Value]:
        if depth > 20:
            return [Unknown("it refers to itself")]
        raw = _map(expression).get("references")
        if raw is None:
            return [Unknown(_LATER)]
        names = [plain(str(one)) for one in _list(raw)]
        longest = [
            one
            for one in dict.fromkeys(names)
            if not any(other.startswith(f"{one}.") for other in names if other != one)
        ]
        return [value for name in longest for value in self._one(name, module, depth)]

    def _one(self, name: str, module: str, depth: int) -> list[Value]:
        steps = name.split(".")
        head = f"{module}." if module else ""
        if steps[0] == "var" and len(steps) == 2:
            call = self._calls.get(module)
            if call is None:
                return [Unknown(f"{name} is known only after apply")]
            given = _map(call.get("expressions")).get(steps[1])
            outer = module.rpartition("module.")[0].rstrip(".")
            return self._of(given, outer, depth + 1)
        if steps[0] == "module" and len(steps) == 3:
            inner = f"{head}module.{steps[1]}"
            output = _map(_map(self._modules.get(inner)).get("outputs")).get(steps[2])
            return self._of(_map(output).get("expression"), inner, depth + 1)
        first = 3 if steps[0] == "data" else 2
        if steps[0] in ("var", "module", "local", "each", "count", "path", "self", "terraform") or len(steps) <= first:
            return [Unknown(f"{name} is known only after apply")]
        return [Reference(f"{head}{'.'.join(steps[:first])}", ".".join(steps[first:]))]


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
