"""What there is to mend: lint's own findings, each with the place where it would be mended and the ways to do it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from ecs_runbook.errors import TerraformError
from ecs_runbook.lint.addresses import plain
from ecs_runbook.lint.check import judge
from ecs_runbook.lint.findings import Finding
from ecs_runbook.lint.model import Block, Configuration, Place, Reference, Unknown, Value
from ecs_runbook.lint.policies import Covers, Statement, covers
from ecs_runbook.lint.reading import Read, Reading
from ecs_runbook.lint.rules.targets import is_ignored, why_unknown, without_revision
from ecs_runbook.lint.syntax import Call
from ecs_runbook.lint.values import as_list, marked, parts
from ecs_runbook.lint.view import Target, View, grouped
from ecs_runbook.patch import changes
from ecs_runbook.patch.changes import Way
from ecs_runbook.patch.origin import Texts, argument, body_at, in_file

MENDS = ("pinned-revision", "policy", "launch-type")
"""What is mended, in the order in which it is done: un-pinning may bare a family in a policy."""

QUEUE = "dead-letter-queue"
"""What may be asked for as well, and is never placed."""

_ALSO = {
    "no-dead-letter-queue": QUEUE,
    "policy-bare-family": "policy",
    "policy-pinned-revision": "policy",
    "launch-type-public-ip": "launch-type",
    "launch-type-left-out": "launch-type",
}
_POLICY_RULES = ("policy-bare-family", "policy-pinned-revision")
_TARGETS = ("aws_cloudwatch_event_target", "aws_scheduler_schedule", "aws_sfn_state_machine")
_NARROW = ("bare", "one", "never")

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Wish:
    """
    One thing to mend.

    Attributes
    ----------
    mend
        One of :data:`MENDS`.
    key
        What tells it from every other one, before and after an edit.
    address, place
        The resource, and where the mistake is written.
    because
        Why it is not mended here, whatever the ways.
    ways
        Yields the ways to do it, the most natural first.
    """

    mend: str
    key: tuple[object, ...]
    address: str
    place: Place
    because: str = ""
    ways: Callable[[], Iterator[Way]] = field(default=lambda: iter(()), compare=False)


def refused(mends: Collection[str]) -> frozenset[str]:
    """
    Return the mends that are meant, lint's ids among them.

    Raises
    ------
    TerraformError
        One of them is not known.

    Examples
    --------
    >>> sorted(refused(["policy-bare-family", "pinned-revision"]))
    ['pinned-revision', 'policy']
    """
    meant = frozenset(_ALSO.get(one, one) for one in mends)
    if wrong := sorted(meant - {*MENDS, QUEUE}):
        raise TerraformError(
            f"mends = {', '.join(wrong)}: there is no such mend of files.", hint=f"There are {', '.join(MENDS)}."
        )
    return meant


class Found:
    """What lint finds in a configuration that no comment silences; each is judged once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Configuration, Sequence[Finding]]] = {}

    def __call__(self, configuration: Configuration) -> frozenset[tuple[str, Place]]:
        """Return rule and place of what is found."""
        return frozenset((one.rule, one.place) for one in self._of(configuration))

    def grave(self, reading: Reading) -> list[Finding]:
        """Return what is no mere note, of all root modules."""
        return [one for read in reading.roots for one in self._of(read.configuration) if one.severity != "note"]

    def _of(self, configuration: Configuration) -> Sequence[Finding]:
        if id(configuration) not in self._known:
            self._known[id(configuration)] = (configuration, judge([configuration]).open)
        return self._known[id(configuration)][1]


class Sight:
    """
    A reading as mending looks at it: its targets, and which of them are meant.

    Parameters
    ----------
    reading
        What the files say.
    only
        As :func:`~ecs_runbook.patch.patch.patch` takes it.
    found_in
        What lint finds in a configuration, see :class:`Found`.
    """

    def __init__(self, reading: Reading, only: Collection[str] | None, found_in: Found) -> None:
        self.reading = reading
        self.views = [View(one.configuration) for one in reading.roots]
        self._found_in = found_in
        self.only = only
        self.unknown: list[tuple[str, str]] = []
        everything = [(at, target) for at, view in enumerate(self.views) for target in view.targets]
        self.targets = everything if only is None else self._chosen(everything, only)

    def _chosen(self, everything: Sequence[tuple[int, Target]], only: Collection[str]) -> list[tuple[int, Target]]:
        chosen: dict[int, tuple[int, Target]] = {}
        for asked in only:
            said = [(self._is(at, target, asked), at, target) for at, target in everything]
            found = [(at, target) for how, at, target in said if how == "it is"]
            if not found:
                found = [(at, target) for how, at, target in said if how == "it may be"]
                if len({target.block.place for _, target in found}) > 1:
                    places = ", ".join(map(str, sorted({target.block.place for _, target in found})))
                    self.unknown.append((asked, f"which of these it is cannot be told from the files: {places}"))
                    continue
            if not found:
                self.unknown.append((asked, "no target of that name that runs a task is in these files"))
            chosen.update({id(target): (at, target) for at, target in found})
        return list(chosen.values())

    def _is(self, at: int, target: Target, asked: str) -> str:
        block = target.block
        if asked in (block.address, plain(block.address)):
            return "it is"
        name = re.split("[/:]", asked)[-1] if asked.startswith("arn:") else asked
        kind = "stateMachine:" if target.is_state else "schedule/" if target.is_schedule else "rule/"
        if asked.startswith("arn:") and f":{kind}" not in asked:
            return ""
        pieces = _name_of(self.views[at], target)
        pattern = "".join(re.escape(piece) if isinstance(piece, str) else ".+" for piece in pieces)
        if not pieces or not re.fullmatch(pattern, name):
            return ""
        if all(isinstance(piece, str) for piece in pieces):
            return "it is"
        return "it may be" if any(isinstance(piece, str) and re.search(r"\w", piece) for piece in pieces) else ""

    @cached_property
    def found(self) -> list[frozenset[tuple[str, Place]]]:
        """What lint finds in each root module."""
        return [self._found_in(one.configuration) for one in self.reading.roots]

    @cached_property
    def _targets_at(self) -> Mapping[tuple[int, str, Place], Sequence[Target]]:
        return grouped(((at, one.block.address, one.block.place), one) for at, one in self.targets)

    @cached_property
    def _paths_of_statements(self) -> Mapping[tuple[int, str], Sequence[Path]]:
        return grouped(((at, one.block.address), one.path) for at, one in self.statements())

    def statements(self) -> Iterator[tuple[int, Statement]]:
        """Yield the statements that let somebody run tasks: of the roles of the targets that are meant, or all."""
        seen: set[tuple[int, object]] = set()
        for at, one in self._statements():
            if one.allows("ecs:RunTask") != "no" and (at, one.key) not in seen:
                seen.add((at, one.key))
                yield at, one

    def _statements(self) -> Iterator[tuple[int, Statement]]:
        for at, target in self.targets:
            view = self.views[at]
            for role in view.roles(target.role):
                yield from ((at, one) for one in view.grants(role).statements)
        if self.only is None:
            for at, view in enumerate(self.views):
                yield from ((at, one) for read, _, _ in view.documents for one in read.statements)

    def may_change(self, mends: Collection[str], at: int, block: Block, path: Path, then: Value) -> bool:
        """Return whether a value that becomes *then* is what was wished."""
        if block.mode == "managed" and block.type in _TARGETS:
            own = self._targets_at.get((at, block.address, block.place), ())
            return any(_target_may(target, mends, path, then) for target in own)
        if "policy" not in mends:
            return False
        told = marked(self.views[at].expand(then))
        paths = self._paths_of_statements.get((at, block.address), ())
        return covers(told, None) in ("every", "bare") and any(path[: len(one)] == one for one in paths)


def _target_may(target: Target, mends: Collection[str], path: Path, then: Value) -> bool:
    if path == target.at("task_definition_arn"):
        return "pinned-revision" in mends and then == without_revision(target.get("task_definition_arn"))
    if "launch-type" not in mends:
        return False
    if path == target.at("launch_type"):
        return bool(then == "FARGATE")
    return path == target.at("network_configuration", 0, "assign_public_ip") and then is False


def _name_of(view: View, target: Target) -> Sequence[str | Reference | Unknown]:
    """Return the parts of the name of the rule, the schedule or the state machine."""
    values: Mapping[str, Value] = target.block.values
    if not (target.is_schedule or target.is_state):
        rule = values.get("rule")
        if not isinstance(rule, Reference):
            return parts(rule)
        blocks = view.find(rule.address)
        if len(blocks) != 1:
            return ()
        values = blocks[0].values
    if values.get("name") is not None:
        return parts(values["name"])
    prefix = values.get("name_prefix")
    return (*parts(prefix), Unknown("AWS ends it")) if prefix is not None else ()


def wished(sight: Sight, mend: str, texts: Texts) -> list[Wish]:
    """Return what there is to mend of one kind."""
    found = sight.found
    if mend == QUEUE:
        because = "it needs a queue and a policy of its own, and where these belong is not told by the files"
        return [
            Wish(QUEUE, (QUEUE, at, target.block.address), target.block.address, target.block.place, because)
            for at, target in sight.targets
            if ("no-dead-letter-queue", target.block.place) in found[at]
        ]
    if mend == "policy":
        return list(_policies(sight, found, texts))
    made: list[Wish] = []
    for at, target in sight.targets:
        read = sight.reading.roots[at]
        if mend == "pinned-revision":
            made += _unpinning(at, read, target, found[at], texts)
        else:
            made += _launching(at, read, sight.views[at], target, found[at], texts)
    return made


def unread(sight: Sight) -> Iterator[tuple[str, Place, str]]:
    """Yield the targets of which it is not known whether they name a revision: address, where, and why."""
    for _, target in sight.targets:
        value = target.get("task_definition_arn")
        if without_revision(value) is None and (why := why_unknown(value)):
            yield target.block.address, target.block.at(*target.at("task_definition_arn")), why


_ABOUT_SCHEDULES = re.compile(r"event|sched|cron", re.IGNORECASE)


def not_here(reading: Reading) -> Iterator[tuple[str, Place, str]]:
    """Yield the modules that are not here, speak of schedules, and are given a revision: address, where, and why."""
    for read in reading.roots:
        for module in read.module.everyone():
            for call in module.source.calls.values():
                source = call.body.attributes.get("source")
                words = f"{call.labels[0]} {getattr(source.value, 'value', '') if source else ''}"
                why = module.instances_of(call)[1]
                if not isinstance(why, Unknown) or not _ABOUT_SCHEDULES.search(words):
                    continue
                for name, written in call.body.attributes.items():
                    if any(map(changes.pinned, _leaves(module.told(written.value, {})))):
                        address = f"{module.address}.module.{call.labels[0]}".lstrip(".")
                        yield address, Place(written.file, written.line), f"{why.because}; {name} gives it a revision"


def _leaves(value: Value) -> Iterator[Value]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _unpinning(
    at: int, read: Read, target: Target, found: Collection[tuple[str, Place]], texts: Texts
) -> Iterator[Wish]:
    path = target.at("task_definition_arn")
    block, place = target.block, target.block.at(*path)
    if without_revision(target.get("task_definition_arn")) is None or ("pinned-revision", place) not in found:
        return
    because = ""
    if is_ignored(block):
        because = "ignore_changes keeps Terraform from changing it: whatever else calls PutTargets has to be told first"
    spot = argument(read, block, path, texts)
    yield Wish(
        "pinned-revision",
        ("pinned-revision", at, block.address, path),
        block.address,
        place,
        because or ("" if spot else _unfound(read, block, path, texts)),
        partial(changes.unpinning, spot[0], texts) if spot else lambda: iter(()),
    )


_UNFOUND = "how it is written cannot be followed to its place"


def _unfound(read: Read, block: Block, path: Path, texts: Texts) -> str:
    """Return why a value is not mended where it is written."""
    whole = argument(read, block, path[:1], texts)
    told = in_file(changes.chain(whole[0])[-1], path[1:]) if whole else ""
    return told if isinstance(told, str) and told else _UNFOUND


def _policies(sight: Sight, found: Sequence[Collection[tuple[str, Place]]], texts: Texts) -> Iterator[Wish]:
    for at, statement in sight.statements():
        read, view = sight.reading.roots[at], sight.views[at]
        path = statement.of_resources()
        place = statement.block.at(*path)
        if not any((rule, place) in found[at] for rule in _POLICY_RULES):
            continue
        families = [None, *(view.family(target) for root, target in sight.targets if root == at)]
        kinds = [_kind(marked(view.expand(one)), families) for one in statement.resources]
        for index, kind in enumerate(kinds):
            if kind not in _NARROW:
                continue
            because = "it is a policy of AWS's own" if statement.own else _out_of_reach(read, statement, path, texts)
            yield Wish(
                "policy",
                ("policy", at, statement.block.address, path, index),
                statement.block.address,
                place,
                because,
                partial(_opening, read, statement, path, index, kinds, texts),
            )


def _out_of_reach(read: Read, statement: Statement, path: Path, texts: Texts) -> str:
    """Return which function makes a policy, if it is none that is looked into; empty if it is within reach."""
    if argument(read, statement.block, (*path, 0), texts) or argument(read, statement.block, path, texts):
        return ""
    whole = argument(read, statement.block, statement.path[:1], texts)
    last = changes.chain(whole[0])[-1].node if whole else None
    return f"it is made by {last.name}(), which is not followed" if isinstance(last, Call) else _UNFOUND


def _kind(resource: str | None, families: Sequence[str | None]) -> Covers:
    said = [covers(resource, family) for family in dict.fromkeys(families)]
    return next((one for one in said if one in _NARROW), said[0])


def _opening(
    read: Read, statement: Statement, path: Path, index: int, kinds: Sequence[str], texts: Texts
) -> Iterator[Way]:
    found = argument(read, statement.block, path, texts)
    whole = found[0] if found else None
    is_list = whole is None or isinstance(whole.value, list)
    if is_list:
        found = argument(read, statement.block, (*path, index), texts)
    if found is not None:
        yield from changes.opening(found[0], texts)
    if is_list and whole is not None:
        yield from changes.opening_list(whole, texts, of_revisions=kinds[index] == "one")


def _launching(
    at: int, read: Read, view: View, target: Target, found: Collection[tuple[str, Place]], texts: Texts
) -> Iterator[Wish]:
    block = target.block
    public = block.at(*target.at("network_configuration", 0, "assign_public_ip"))
    place, left_out = public, False
    if ("launch-type-public-ip", public) not in found:
        place, left_out = block.at(*target.path), True
        if ("launch-type-left-out", place) not in found or target.get("launch_type") is not None or target.providers:
            return
    if target.on_fargate:
        return
    because = ""
    if target.is_request:
        where = "the definition of a state machine" if target.is_state else "a schedule's input"
        because = f"it is a request to RunTask in {where}"
    if left_out and not _is_for_fargate(view, target):
        because = "whether Fargate or EC2 is meant is not told by a task definition in sight"
    yield Wish(
        "launch-type",
        ("launch-type", at, block.address, target.path),
        block.address,
        place,
        because,
        partial(_launched, read, target, texts),
    )


def _is_for_fargate(view: View, target: Target) -> bool:
    needs = [as_list(one.values.get("requires_compatibilities")) for one in view.definitions(target)]
    return bool(needs) and all(need == ["FARGATE"] for need in needs)


def _launched(read: Read, target: Target, texts: Texts) -> Iterator[Way]:
    if target.get("launch_type") is None and target.providers:
        public = argument(read, target.block, target.at("network_configuration", 0, "assign_public_ip"), texts)
        if public is not None:
            yield from changes.becoming(public[0], "false", texts)
        return
    found = argument(read, target.block, target.at("launch_type"), texts)
    if found is not None:
        yield from changes.becoming(found[0], '"FARGATE"', texts)
        return
    beside = argument(read, target.block, target.at("task_definition_arn"), texts)
    body = body_at(read, target.block, target.path, texts)
    if body is not None and beside is not None:
        yield from changes.adding(beside[0], body, "task_definition_arn", "launch_type", '"FARGATE"', texts)
