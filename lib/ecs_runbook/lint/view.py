"""A configuration as the rules look at it: targets that run tasks, their definitions, roles and what those may do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from ecs_runbook.lint.addresses import is_data, module_of, plain, speaks_of, type_of
from ecs_runbook.lint.model import Block, Configuration, Json, Reference, Text, Unknown, Value
from ecs_runbook.lint.policies import Document, Statement, document, of_aws
from ecs_runbook.lint.values import (
    Part,
    as_list,
    doubt,
    field_of,
    inner,
    json_of,
    marked,
    parts,
    unmarked,
)

Path = tuple[str | int, ...]
_Key = TypeVar("_Key")
_One = TypeVar("_One")
_OF_AWS = re.compile(r"arn:([\w-]+|\ue000[^\ue001]*\ue001):iam::aws:policy/")
FARGATE = ("FARGATE", "FARGATE_SPOT")
_UNIVERSAL = re.compile(r"arn:[\w-]+:scheduler:::aws-sdk:ecs:runTask")
_OF_A_STATE = re.compile(r"arn:.*:states:::(ecs:runTask(\.sync|\.waitForTaskToken)?|aws-sdk:ecs:runTask)", re.DOTALL)
_ASSUMES = {
    "aws_cloudwatch_event_target": "events.amazonaws.com",
    "aws_scheduler_schedule": "scheduler.amazonaws.com",
    "aws_sfn_state_machine": "states.amazonaws.com",
}
_ATTACHMENTS = (
    "aws_iam_role_policy_attachment",
    "aws_iam_policy_attachment",
    "aws_iam_user_policy_attachment",
    "aws_iam_group_policy_attachment",
)
_REQUEST: Mapping[str, tuple[str, ...]] = {
    "task_definition_arn": ("TaskDefinition",),
    "launch_type": ("LaunchType",),
    "platform_version": ("PlatformVersion",),
    "propagate_tags": ("PropagateTags",),
    "enable_ecs_managed_tags": ("EnableECSManagedTags",),
    "tags": ("Tags",),
    "capacity_provider_strategy": ("CapacityProviderStrategy",),
    "network_configuration": ("NetworkConfiguration", "AwsvpcConfiguration"),
    "subnets": ("Subnets",),
    "security_groups": ("SecurityGroups",),
    "assign_public_ip": ("AssignPublicIp",),
}
"""What the provider's parameters for ECS are called in a request to RunTask, which Scheduler and machines make."""
_PLAIN = (
    "task_definition_arn",
    "launch_type",
    "platform_version",
    "propagate_tags",
    "enable_ecs_managed_tags",
    "tags",
)


@dataclass(frozen=True)
class Target:
    """
    What a rule, a schedule or a state of a state machine runs in ECS.

    Attributes
    ----------
    block
        ``aws_cloudwatch_event_target``, ``aws_scheduler_schedule`` or ``aws_sfn_state_machine``.
    path
        Of the parameters for ECS in it.
    ecs
        Those parameters, by the provider's names for a rule's target.
    cluster, role, input
        The cluster, the role that runs the task, and the overrides.
    """

    block: Block
    path: Path
    ecs: Mapping[str, Value]
    cluster: Value
    role: Value
    role_path: Path
    input: Value
    input_path: Path

    @property
    def is_schedule(self) -> bool:
        """Whether EventBridge Scheduler runs it, and not a rule."""
        return self.block.type == "aws_scheduler_schedule"

    @property
    def is_state(self) -> bool:
        """Whether a state machine runs it."""
        return self.block.type == "aws_sfn_state_machine"

    @property
    def service(self) -> str:
        """The service that assumes its role."""
        return _ASSUMES[self.block.type]

    @property
    def module(self) -> str:
        """The modules that it stands in."""
        return module_of(self.block.address)

    def get(self, name: str) -> Value:
        """Return one of its parameters for ECS; None if it is not given."""
        return field_of(self.ecs, name)

    @property
    def is_request(self) -> bool:
        """Whether it is a request to RunTask, written as AWS's API has it, and no block of the provider's."""
        return self.path == self.input_path

    def called(self, name: str) -> str:
        """Return how one of its parameters for ECS is called where it is written."""
        return _REQUEST[name][-1] if self.is_request else name

    def at(self, *inside: str | int) -> Path:
        """Return the path of something among its parameters for ECS."""
        if not self.is_request:
            return (*self.path, *inside)
        return (*self.path, *(step for name in inside if isinstance(name, str) for step in _REQUEST[name]))

    @property
    def network(self) -> Value:
        """Its network configuration: None if there is none, Unknown if that is not known."""
        found = inner(self.ecs, "network_configuration")
        return found[0] if found else None

    @property
    def providers(self) -> Value:
        """The names of its capacity providers; Unknown if that is not known."""
        names = []
        for one in inner(self.ecs, "capacity_provider_strategy"):
            name = field_of(one, "capacity_provider")
            if not isinstance(name, str):
                return Unknown(doubt(name) or doubt(one) or "a capacity provider is not known by name")
            names.append(name)
        return names

    @property
    def on_fargate(self) -> bool | None:
        """Whether it surely runs on Fargate; None if that is not known, or the cluster's own strategy decides."""
        launch, providers = self.get("launch_type"), self.providers
        if isinstance(launch, str):
            return launch == "FARGATE"
        if launch is not None or isinstance(providers, Unknown) or not providers:
            return None
        return set(providers) <= set(FARGATE)

    @property
    def tags(self) -> tuple[bool | None, list[str]]:
        """Whether it makes tags beyond ECS's own (None if that is not known), and by which parameters it tags."""
        by, sure = [], False
        unknown = False
        for name in ("tags", "propagate_tags"):
            value = self.get(name)
            if value is None or value in ({}, [], "NONE"):
                continue
            by.append(name)
            unknown = unknown or isinstance(value, (Unknown, Reference))
            sure = sure or not isinstance(value, (Unknown, Reference))
        managed = self.get("enable_ecs_managed_tags")
        if managed is True or managed == "true":
            by.append("enable_ecs_managed_tags")
        return (True if sure else None if unknown else False), by


@dataclass(frozen=True)
class Starter:
    """What starts a state machine: its block, the machine's ARN, and the role that it is started as."""

    block: Block
    machine: Value
    role: Value
    role_path: Path

    @property
    def service(self) -> str:
        """The service that assumes its role."""
        return _ASSUMES[self.block.type]


@dataclass(frozen=True)
class Grants:
    """What a role may do: its statements, and why these may not be all."""

    role: Block
    statements: Sequence[Statement]
    doubts: Sequence[str]


def grouped(pairs: Iterable[tuple[_Key, _One]]) -> Mapping[_Key, Sequence[_One]]:
    """
    Return what each key has, in order.

    Examples
    --------
    >>> grouped([("a", 1), ("b", 2), ("a", 3)])
    {'a': [1, 3], 'b': [2]}
    """
    made: dict[_Key, list[_One]] = {}
    for key, one in pairs:
        made.setdefault(key, []).append(one)
    return made


class View:
    """
    A configuration with its threads followed.

    Parameters
    ----------
    configuration
        From files or from a plan.
    """

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._by_address: dict[str, list[Block]] = defaultdict(list)
        self._by_type: dict[str, list[Block]] = defaultdict(list)
        for block in configuration.blocks:
            self._by_address[plain(block.address)].append(block)
            self._by_type[f"data.{block.type}" if block.mode == "data" else block.type].append(block)
        self._grants: dict[int, Grants] = {}
        self._speaking: dict[tuple[str, str], Mapping[str, Sequence[tuple[int, Block]]]] = {}

    def find(self, address: str) -> Sequence[Block]:
        """
        Return the blocks that an address means; none if it means one of several, and which one is not known.

        Several where one name was given twice, or a plan makes one block of each instance.
        """
        blocks = self._by_address.get(plain(address), [])
        meant = [(block, speaks_of(address, block.address)) for block in blocks]
        if len(blocks) > 1 and any(said is None for _, said in meant):
            return ()
        return [block for block, said in meant if said is not False]

    def one_of(self, address: str) -> Sequence[Block]:
        """Return the blocks of which an address may mean any."""
        blocks = self._by_address.get(plain(address), [])
        return [block for block in blocks if speaks_of(address, block.address) is not False]

    def of(self, *types: str) -> list[Block]:
        """Return the blocks of these types; a data source's begins with ``data.``."""
        return [block for kind in types for block in self._by_type.get(kind, ())]

    # ------------------------------------------------------------ targets

    @cached_property
    def targets(self) -> list[Target]:
        """Every target that runs a task."""
        rules = (target for block in self.of("aws_cloudwatch_event_target") for target in _of_rule(block))
        schedules = (target for block in self.of("aws_scheduler_schedule") for target in _of_schedule(block))
        states = (target for block in self.of("aws_sfn_state_machine") for target in _of_machine(block))
        return [*rules, *schedules, *states]

    @cached_property
    def starters(self) -> list[Starter]:
        """Every rule and schedule that starts a state machine that runs a task here."""
        told = [_starter(block, (), block.values) for block in self.of("aws_cloudwatch_event_target")]
        for block in self.of("aws_scheduler_schedule"):
            targets = enumerate(inner(block.values, "target"))
            told += [_starter(block, ("target", at), one) for at, one in targets if isinstance(one, Mapping)]
        return [one for one in told if any(self._is_of(target.block, one.machine) for target in self.targets)]

    def _is_of(self, machine: Block, value: Value) -> bool:
        """Say whether *value* is the ARN of a state machine that stands here."""
        return (
            machine.type == "aws_sfn_state_machine"
            and isinstance(value, Reference)
            and value.attribute in ("arn", "id")
            and machine in self.find(value.address)
        )

    def definitions(self, target: Target) -> Sequence[Block]:
        """Return the task definitions that a target may run, as far as they are in sight."""
        value = target.get("task_definition_arn")
        if isinstance(parts(value)[-1], str) and re.search(r":\d+$", str(parts(value)[-1])):
            return ()  # a revision of another day
        for piece in parts(value):
            if isinstance(piece, Reference) and type_of(piece.address) == "aws_ecs_task_definition":
                return self.find(piece.address)
        family = self.family(target)
        if family is None:
            return ()
        return self._definitions_by_family.get(family, ())

    @cached_property
    def _definitions_by_family(self) -> Mapping[str | None, Sequence[Block]]:
        blocks = self.of("aws_ecs_task_definition")
        return grouped((marked(self.expand(one.values.get("family"))), one) for one in blocks)

    def family(self, target: Target) -> str | None:
        """Return the family that a target runs, marked; None if it is not known."""
        told = marked(self.expand(target.get("task_definition_arn")))
        if told is None:
            return None
        tail = told.rpartition("task-definition/")[2]
        return re.sub(r":(\d+|\ue000[^\ue001]*\.revision\ue001)$", "", tail) or None

    def expand(self, value: Value) -> tuple[Part, ...]:
        """Return the parts of *value*, with what is known of an ARN, a name or a family put in its place."""
        return self._expand(value, 0)

    def _expand(self, value: Value, depth: int) -> tuple[Part, ...]:
        told: list[Part] = []
        for piece in parts(value):
            if isinstance(piece, Reference) and depth < 8:
                told += self._opened(piece, depth)
            else:
                told.append(piece)
        return tuple(told)

    def _opened(self, reference: Reference, depth: int) -> Sequence[Part]:
        address, attribute = reference.address, reference.attribute
        kind = type_of(address)
        if kind == "aws_ecs_task_definition":
            if attribute == "family" or (attribute == "id" and not is_data(address)):
                return self._attribute(address, "family", depth)
            if attribute in ("arn_without_revision", "arn"):
                head = ("arn:aws:ecs:::task-definition/", *self._attribute(address, "family", depth))
                return head if attribute == "arn_without_revision" else (*head, ":", Reference(address, "revision"))
        if kind == "aws_iam_role" and attribute == "arn":
            return self._role_arn(address, depth)
        if kind == "aws_ecs_cluster" and attribute in ("arn", "id"):
            return ("arn:aws:ecs:::cluster/", Reference(address, "name"))
        followed = self.followed(reference)
        return (reference,) if followed == reference else self._expand(followed, depth + 1)

    def followed(self, value: Value) -> Value:
        """Return what is written where *value* refers to: a target's role may be that which its rule names."""
        for _ in range(8):
            if not isinstance(value, Reference):
                break
            written = [block.values.get(value.attribute) for block in self.find(value.address)]
            if len(written) != 1 or not isinstance(written[0], (str, Reference, Text)):
                break
            value = written[0]
        return value

    def _attribute(self, address: str, name: str, depth: int) -> Sequence[Part]:
        """Return what the configuration says of an attribute, or its reference where it says nothing certain."""
        blocks = self.find(address)
        if is_data(address) and type_of(address) == "aws_ecs_task_definition":
            name = "task_definition"
        values = [block.values.get(name) for block in blocks]
        reference = (Reference(address, "family" if name == "task_definition" else name),)
        if not values or any(one is None or doubt(one) or one != values[0] for one in values):
            return reference
        opened = self._expand(values[0], depth + 1)
        told = marked(opened)
        if name == "task_definition" and told is not None and (":" in told or "/" in told):
            return reference
        return opened

    def _role_arn(self, address: str, depth: int) -> Sequence[Part]:
        blocks = self.find(address)
        arns = {block.values.get("arn") for block in blocks if isinstance(block.values.get("arn"), str)}
        if len(arns) == 1 and len(blocks) == 1:
            return (str(arns.pop()),)
        name = self._attribute(address, "name", depth)
        path = blocks[0].values.get("path") if blocks else None
        if path is not None and not isinstance(path, str):
            return (Reference(address, "arn"),)
        return ("arn:aws:iam:::role" + (path or "/"), *name)

    # ------------------------------------------------------------ roles

    def roles(self, value: Value) -> Sequence[Block]:
        """Return the roles that an ARN or a name may speak of, as far as they are made here."""
        pieces = [piece for piece in parts(self.followed(value)) if piece != ""]
        if len(pieces) == 1 and isinstance(pieces[0], Reference):
            address = pieces[0].address
            return [block for block in self.find(address) if block.mode == "managed" and block.type == "aws_iam_role"]
        told = marked(pieces)
        if told is None:
            return ()
        both = [self._roles_by_name.get(name, ()) for name in dict.fromkeys((told, told.rpartition("/")[2]))]
        return list({id(role): role for some in both for role in some}.values())

    @cached_property
    def _roles_by_name(self) -> Mapping[object, Sequence[Block]]:
        """The roles that are made here, by each of their ARNs and by their name."""
        named: list[tuple[object, Block]] = []
        for block in self.of("aws_iam_role"):
            written = (block.values.get("arn"), block.values.get("name"))
            names = [one for one in written if isinstance(one, str)]
            names += filter(None, [marked(self.expand(Reference(block.address, "arn")))])
            named += [(name, block) for name in dict.fromkeys(names)]
        return grouped(named)

    @cached_property
    def unused_roles(self) -> Mapping[str, Sequence[tuple[Block, str]]]:
        """By module, the roles that are in no definition here, with their ARNs; none where that is not known."""
        definitions = self.of("aws_ecs_task_definition")
        if any(doubt(one.values.get("task_role_arn")) for one in definitions):
            return {}
        named = [field_of(one.values, name) for one in definitions for name in ("execution_role_arn", "task_role_arn")]
        used = {id(role) for value in named for role in self.roles(value)}
        told = [(role, marked(self.expand(Reference(role.address, "arn")))) for role in self.of("aws_iam_role")]
        return grouped((module_of(role.address), (role, arn)) for role, arn in told if arn and id(role) not in used)

    def trust(self, role: Block) -> Document:
        """Return a role's trust policy."""
        path = ("assume_role_policy",)
        return document(role.values.get("assume_role_policy"), role, path, self.find)

    def grants(self, role: Block) -> Grants:
        """Return what a role may do, from every policy that is attached to it here."""
        if id(role) not in self._grants:
            self._grants[id(role)] = self._gathered(role)
        return self._grants[id(role)]

    def _gathered(self, role: Block) -> Grants:
        statements: list[Statement] = []
        doubts: list[str] = []

        def take(read: Document) -> None:
            statements.extend(read.statements)
            doubts.extend(read.doubts)

        for at, policy in enumerate(inner(role.values, "inline_policy")):
            path = ("inline_policy", at, "policy")
            if isinstance(policy, Mapping) and policy.get("policy") is None:
                continue
            take(document(field_of(policy, "policy"), role, path, self.find))
        for block in self._of_role("aws_iam_role_policy", "role", role, doubts):
            take(document(block.values.get("policy"), block, ("policy",), self.find))
        for at, arn in enumerate(as_list(role.values.get("managed_policy_arns"))):
            take(self._managed(arn, role, ("managed_policy_arns", at)))
        for block in self._of_role("aws_iam_role_policy_attachment", "role", role, doubts):
            take(self._managed(block.values.get("policy_arn"), block, ("policy_arn",)))
        for block in self._of_role("aws_iam_policy_attachment", "roles", role, doubts):
            take(self._managed(block.values.get("policy_arn"), block, ("policy_arn",)))
        return Grants(role, statements, doubts)

    def _of_role(self, kind: str, name: str, role: Block, doubts: list[str]) -> list[Block]:
        mine = []
        for block in self._may_be_of(kind, name, role):
            said = [self._speaks_of(one, role) for one in as_list(block.values.get(name))]
            if True in said:
                mine.append(block)
            elif None in said:
                doubts.append(f"whether {block.address} is attached to it is not known")
        return mine

    def _may_be_of(self, kind: str, name: str, role: Block) -> Sequence[Block]:
        """Return the blocks that may speak of a role: not those that plainly speak of another one."""
        if (kind, name) not in self._speaking:
            exact = {one.address for one in self.of("aws_iam_role")}
            said: list[tuple[str, tuple[int, Block]]] = []
            for at, block in enumerate(self.of(kind)):
                values = as_list(block.values.get(name))
                meant = [one.address for one in values if isinstance(one, Reference)]
                is_plain = len(meant) == len(values) and all(plain(one) in self._by_address for one in meant)
                keys = dict.fromkeys(one if one in exact else plain(one) for one in meant) if is_plain else [""]
                said += [(one, (at, block)) for one in keys]
            self._speaking[kind, name] = grouped(said)
        told = self._speaking[kind, name]
        both = [one for key in dict.fromkeys(("", role.address, plain(role.address))) for one in told.get(key, ())]
        return [block for _, block in sorted(both, key=lambda one: one[0])]

    def _speaks_of(self, value: Value, role: Block) -> bool | None:
        if isinstance(value, Reference):
            said = speaks_of(value.address, role.address)
            return said if said is not False else False if self.one_of(value.address) else None
        told = marked(self.expand(value))
        if told is None:
            return None
        if told in (role.values.get("id"), role.values.get("arn")):
            return True
        written = role.values.get("name")
        if written is None:
            return False
        name = marked(self.expand(written))
        return None if name is None else told.rpartition("/")[2] == name

    def _managed(self, arn: Value, attachment: Block, path: Path) -> Document:
        """Return the document of a managed policy that is attached at *path*."""
        if isinstance(arn, Reference):
            blocks = [block for block in self.find(arn.address) if block.type == "aws_iam_policy"]
            # a policy of AWS's own has no line but that at which it is attached
            names = [str(block.values.get("arn") or block.values.get("name")) for block in blocks]
            own = of_aws(names[0].rpartition("/")[2], attachment, path) if blocks and blocks[0].mode == "data" else None
            return own or document(Reference(arn.address, "policy"), attachment, path, self.find)
        told = marked(self.expand(arn))
        if told is None:
            return Document((), (doubt(arn) or "a policy that is attached to it is not known",))
        if _OF_AWS.match(told) and (own := of_aws(told.rpartition("/")[2], attachment, path)):
            return own
        for block in self.of("aws_iam_policy", "data.aws_iam_policy"):
            if block.values.get("arn") == told:
                return document(Reference(block.address, "policy"), block, ("policy",), self.find)
        return Document((), (f"the policy {unmarked(told)} is not in sight",))

    @cached_property
    def documents(self) -> list[tuple[Document, Block, Sequence[Block] | None]]:
        """Every policy of an identity: its document, its block, the roles that have it (None: that is not known)."""
        told: list[tuple[Document, Block, Sequence[Block] | None]] = []
        for block in self.of("aws_iam_role_policy", "aws_iam_policy", "aws_iam_user_policy", "aws_iam_group_policy"):
            read = document(block.values.get("policy"), block, ("policy",), self.find)
            told.append((read, block, self._roles_with(block)))
        for role in self.of("aws_iam_role"):
            for at, policy in enumerate(inner(role.values, "inline_policy")):
                read = document(field_of(policy, "policy"), role, ("inline_policy", at, "policy"), self.find)
                told.append((read, role, [role]))
        taken = {plain(one.address) for block in self.configuration.blocks for one in _documents_in(block)}
        for block in self.of("data.aws_iam_policy_document"):
            if plain(block.address) in taken:
                continue  # it is judged as a part of those that take it
            own = document(Reference(block.address, "json"), block, ("json",), self.find)
            told.append((own, block, None))
        return told

    @cached_property
    def _attachments(self) -> Mapping[str, Sequence[tuple[Reference, Block]]]:
        told = ((block.values.get("policy_arn"), block) for block in self.of(*_ATTACHMENTS))
        return grouped((plain(arn.address), (arn, block)) for arn, block in told if isinstance(arn, Reference))

    def _roles_with(self, policy: Block) -> Sequence[Block] | None:
        if policy.type in ("aws_iam_user_policy", "aws_iam_group_policy"):
            return []
        if policy.type == "aws_iam_role_policy":
            return self.roles(policy.values.get("role")) or None
        roles: list[Block] = []
        is_of_others = False
        for arn, block in self._attachments.get(plain(policy.address), ()):
            if speaks_of(arn.address, policy.address):
                whose = [self.roles(one) for name in ("role", "roles") for one in as_list(block.values.get(name))]
                is_of_others = is_of_others or not whose
                roles += [role for some in whose for role in some]
        return roles or ([] if is_of_others else None)


def _documents_in(block: Block) -> Iterator[Reference]:
    """Yield the policy documents that a policy is, or is made of."""
    names = ("policy", "source_json", "override_json", "source_policy_documents", "override_policy_documents")
    held = [block.values, *inner(block.values, "inline_policy")]
    for values in held:
        for name in names if isinstance(values, Mapping) else ():
            yield from (one for one in as_list(values.get(name)) if isinstance(one, Reference))


def _starter(block: Block, path: Path, target: Mapping[str, Value]) -> Starter:
    return Starter(block, field_of(target, "arn"), field_of(target, "role_arn"), (*path, "role_arn"))


def _of_rule(block: Block) -> list[Target]:
    return [
        Target(
            block,
            ("ecs_target", at),
            ecs if isinstance(ecs, Mapping) else {"task_definition_arn": ecs},
            field_of(block.values, "arn"),
            field_of(block.values, "role_arn"),
            ("role_arn",),
            field_of(block.values, "input"),
            ("input",),
        )
        for at, ecs in enumerate(inner(block.values, "ecs_target"))
    ]


def _of_schedule(block: Block) -> list[Target]:
    told = []
    for at, target in enumerate(inner(block.values, "target")):
        if not isinstance(target, Mapping):
            continue
        here = ("target", at)
        rest = (
            field_of(target, "arn"),
            field_of(target, "role_arn"),
            (*here, "role_arn"),
            field_of(target, "input"),
            (*here, "input"),
        )
        parameters = inner(target, "ecs_parameters")
        for index, ecs in enumerate(parameters):
            known = ecs if isinstance(ecs, Mapping) else {"task_definition_arn": ecs}
            told.append(Target(block, (*here, "ecs_parameters", index), known, *rest))
        arn = target.get("arn")
        if not parameters and isinstance(arn, str) and _UNIVERSAL.fullmatch(arn):
            told.append(_universal(block, here, target))
    return told


def _universal(block: Block, here: Path, target: Mapping[str, Value]) -> Target:
    """Read a schedule that calls RunTask itself: its input is the request."""
    request = json_of(target.get("input"))
    return _of_request(block, (*here, "input"), request, field_of(target, "role_arn"), (*here, "role_arn"))


def _of_machine(block: Block) -> Iterator[Target]:
    """Read the states of a state machine that run a task; a definition that cannot be read may have some."""
    definition = json_of(block.values.get("definition"))
    for path, state in _states(definition, ("definition",)):
        told = marked(parts(state.get("Resource")))
        if told is not None and _OF_A_STATE.fullmatch(told):
            name = "Arguments" if "Arguments" in state else "Parameters"
            request = _made_when_it_runs(state.get(name))
            yield _of_request(block, (*path, name), request, field_of(block.values, "role_arn"), ("role_arn",))


def _states(machine: Value, path: Path) -> Iterator[tuple[Path, Mapping[str, Value]]]:
    """Yield the states of a machine, and of what its states hold: branches, and what a Map does for each."""
    states = machine.get("States") if isinstance(machine, Mapping) else None
    for name, state in states.items() if isinstance(states, Mapping) else ():
        if not isinstance(state, Mapping):
            continue
        here = (*path, "States", name)
        yield here, state
        for at, branch in enumerate(as_list(state.get("Branches"))):
            yield from _states(branch, (*here, "Branches", at))
        for inside in ("ItemProcessor", "Iterator"):
            yield from _states(state.get(inside), (*here, inside))


def _made_when_it_runs(value: Value) -> Value:
    """Return a state's parameters with what only the execution knows as unknown."""
    why = "it is made when the state machine runs"
    if isinstance(value, Mapping):
        return {
            str(key).removesuffix(".$"): Unknown(why) if str(key).endswith(".$") else _made_when_it_runs(one)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_made_when_it_runs(one) for one in value]
    return Unknown(why) if isinstance(value, str) and value.startswith("{%") else value


def _of_request(block: Block, path: Path, request: Value, role: Value, role_path: Path) -> Target:
    """Read a request to RunTask, written as AWS's API has it."""
    ecs: dict[str, Value] = {}
    if isinstance(request, Mapping):
        # whether it is ECS or Ecs in the names of universal targets is not verified
        said = {str(key).lower(): value for key, value in request.items()}
        ecs = {name: said[_REQUEST[name][0].lower()] for name in _PLAIN if _REQUEST[name][0].lower() in said}
        ecs["capacity_provider_strategy"] = [
            {"capacity_provider": one.get("CapacityProvider")} if isinstance(one, Mapping) else one
            for one in as_list(request.get("CapacityProviderStrategy"))
        ]
        network = request.get("NetworkConfiguration")
        vpc = network.get("AwsvpcConfiguration") if isinstance(network, Mapping) else network
        if isinstance(vpc, Mapping):
            names = ("subnets", "security_groups", "assign_public_ip")
            ecs["network_configuration"] = [
                {name: vpc[_REQUEST[name][0]] for name in names if _REQUEST[name][0] in vpc}
            ]
        elif vpc is not None:
            ecs["network_configuration"] = [vpc]
        overrides = Json(request["Overrides"]) if "Overrides" in request else None
        cluster = request.get("Cluster")
    else:
        ecs["task_definition_arn"] = request
        overrides, cluster = None, None
    return Target(block, path, ecs, cluster, role, role_path, overrides, path)
