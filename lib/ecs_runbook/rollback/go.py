"""
Go the way back that was chosen, or take it back.

Each step looks first whether it is done already, then says in the journal what it is about to do, does it, and looks
again. So a way that was interrupted, or of which an answer never came, is gone to its end by calling it again.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_runbook.errors import AwsError, EvidenceError, RunbookError
from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.firing.names import definition
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.rollback import journal as journals
from ecs_runbook.rollback.content import Content, read_content
from ecs_runbook.rollback.journal import Entry, Journal
from ecs_runbook.rollback.situation import Situation, Step, way_named
from ecs_runbook.session import Aws

TAG = "ecs-runbook-rolled-back-to"
_MOST_TAGS = 50
_RUN_TASK = ":aws-sdk:ecs:runTask"
_AGAIN = "Run this again with the same parameters: it goes on where it stopped. undo = true takes back what was done."


@dataclass(frozen=True)
class RolledBack:
    """
    What was done, and what is the latest revision now.

    Attributes
    ----------
    journal
        Each step, with its state. None if nothing was asked for.
    latest
        Name of the latest ACTIVE revision afterwards; ``""`` if that could not be read.
    expected
        Name of the revision that has to be it, or that the pinned schedules have to name; ``""`` if nothing was done.
    error
        What kept it from its end; ``""`` if nothing did.
    """

    family: str
    journal: Journal | None = None
    latest: str = ""
    expected: str = ""
    error: str = ""

    @property
    def finished(self) -> bool:
        """Whether every step is done, or was taken back."""
        return self.journal is not None and not self.error and self.journal.state in ("finished", "undone")

    def to_dict(self) -> dict[str, Any]:
        """Return it as the receipt has it."""
        told = self.journal.to_dict() if self.journal else None
        return {"family": self.family, "latest": self.latest, "expected": self.expected, "error": self.error} | {
            "journal": told
        }

    def __str__(self) -> str:
        if self.journal is None:
            return f"nothing was changed: the latest revision of {self.family} is {self.latest}"
        lines = [f"{self.journal.way} back to {self.journal.to}: {self.journal.state}"]
        lines += [
            f"{one.state:<9}  {one.does}"
            + (f": {one.after}" if one.after else "")
            + (f": {one.error}" if one.error else "")
            for one in (*self.journal.steps, *self.journal.undo)
        ]
        return "\n".join(
            [*lines, *([self.error] if self.error else []), f"the latest revision is {self.latest or 'unknown'}"]
        )

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def roll_back(
    where: Situation,
    fleet: Fleet,
    *,
    to: int | str,
    way: str = "register",
    undo: bool = False,
    progress: Bars | None = None,
) -> RolledBack:
    """
    Go back, if a revision is named; or take back what the last going back did.

    Parameters
    ----------
    where
        From :func:`~ecs_runbook.rollback.situation.situation`: what was announced is done, and nothing else.
    fleet
        The same place.
    to
        The revision to go back to, named once more; ``0`` or ``""`` changes nothing.
    way
        ``register``, ``deregister`` or ``pin``.
    undo
        Take back what the journal of this family says was done.
    progress
        One bar a step.

    Returns
    -------
    RolledBack
        Also where AWS refused or did not answer in the middle: it says what is done and what is not.

    Raises
    ------
    SpecError
        If there is no such way.
    EvidenceError
        Before anything is changed: if the way cannot be gone, if another way is not gone to its end yet, if the family
        has changed since it was looked at, or if there is nothing to take back.

    Notes
    -----
    Needs ``ecs:DescribeTaskDefinition`` and, for *register*, ``ecs:RegisterTaskDefinition``, ``ecs:TagResource`` and
    ``iam:PassRole`` on the revision's roles; for *deregister* ``ecs:DeregisterTaskDefinition``; for *pin*
    ``events:ListTargetsByRule``, ``events:PutTargets``, ``scheduler:GetSchedule``, ``scheduler:UpdateSchedule`` and
    ``iam:PassRole`` on the targets' roles. To undo it takes the same, the other way round.
    """
    aws = fleet.at(where.place)
    hands = _Hands(aws, where.family)
    if undo:
        return _taken_back(where, hands, progress)
    chosen = where.way(way_named(way))
    if not to:
        return RolledBack(where.family, latest=where.newest.name)
    journal = _journal(where, chosen.name, chosen.steps, aws)
    if journal is None:
        if chosen.hindrance:
            raise EvidenceError(f"way = {way!r}: {chosen.hindrance}", hint="Nothing was changed.")
        if not chosen.steps or (where.done and chosen.name != "pin"):  # what was asked for is so already
            return RolledBack(where.family, latest=where.newest.name)
        hands.require_newest(where.newest)
        journals.put_away(where.family, aws)
        journal = Journal(
            where.family,
            aws.account,
            aws.region,
            chosen.name,
            where.good.name,
            where.newest.name,
            aws.now().isoformat(timespec="seconds"),
            steps=[Entry(step.id, step.operation, step.does, dict(step.on)) for step in chosen.steps],
            path=journals.path_of(where.family, aws),
        )
        journal.save()
    hands.write_down = journal.save
    error = _walk(journal, journal.steps, lambda entry: hands.do(entry, where.good), progress)
    journal.state = "open" if error else "finished"
    journal.save()
    return _seen(where.family, journal, hands, error, where.good)


def _journal(where: Situation, way: str, steps: tuple[Step, ...], aws: Aws) -> Journal | None:
    """Return the journal of this very way, if it was begun and has not ended."""
    journal = journals.read(where.family, aws)
    if journal is None or journal.state in ("finished", "undone"):
        return None
    if journal.state == "undoing" or (journal.way, journal.to) != (way, where.good.name):
        was = f"{journal.way} back to {journal.to}" if journal.state == "open" else "taking it back"
        raise EvidenceError(
            f"{was}, begun at {journal.begun}, has not come to its end: nothing was changed.",
            hint=f"Finish it with to = {journal.to!r} and way = {journal.way!r}, or take it back with undo = true.",
        )
    known = {entry.id for entry in journal.steps}
    # a schedule that came in between follows the latest too
    journal.steps += [Entry(one.id, one.operation, one.does, dict(one.on)) for one in steps if one.id not in known]
    return journal


def _taken_back(where: Situation, hands: _Hands, progress: Bars | None) -> RolledBack:
    journal = journals.read(where.family, hands.aws)
    if journal is None or journal.state == "undone":
        hint = "Nothing was changed. What somebody else did is not known here."
        raise EvidenceError(f"There is no way back of {where.family} to take back.", hint=hint)
    if journal.state != "undoing":
        journal.undo = [
            Entry(f"undo {one.id}", _UNDO[one.operation], f"takes back: {one.does}", dict(one.on), before=one.after)
            for one in journal.steps[::-1]
            if one.state != "announced"
        ]
        # one registration is enough, whatever the number of revisions that were deregistered
        if journal.way == "deregister":
            journal.undo = journal.undo[-1:]
        journal.state = "undoing"
        journal.save()
    hands.write_down = journal.save
    error = _walk(journal, journal.undo, lambda entry: hands.undo(entry, journal), progress)
    journal.state = "undoing" if error else "undone"
    journal.save()
    return _seen(where.family, journal, hands, error, None)


_UNDO = {
    "ecs:RegisterTaskDefinition": "ecs:DeregisterTaskDefinition",
    "ecs:DeregisterTaskDefinition": "ecs:RegisterTaskDefinition",
    "events:PutTargets": "events:PutTargets",
    "scheduler:UpdateSchedule": "scheduler:UpdateSchedule",
}


def _walk(journal: Journal, steps: list[Entry], do: Callable[[Entry], str], progress: Bars | None) -> str:
    """Do each step that is not done; return why it stopped, or nothing."""
    for number, entry in enumerate(steps, start=1):
        if entry.state == "done":
            continue
        if progress:
            progress.row(entry.id, 0.1, entry.does)
        entry.state, entry.error = "tried", ""
        journal.save()
        try:
            entry.after = do(entry)
        except AwsError as error:
            heard = error.code not in _UNHEARD
            unheard = (
                f"no answer to {error.operation} came, and it may be done all the same: {error.code}: {error.words}"
            )
            entry.state, entry.error = ("refused", str(error)) if heard else ("tried", unheard)
        except RunbookError as error:
            entry.state, entry.error = "refused", str(error)
        else:
            entry.state = "done"
        journal.save()
        if entry.error:
            return f"step {number} of {len(steps)}, {entry.id}: {entry.error} {_AGAIN}"
        if progress:
            progress.row(entry.id, 1.0, entry.after)
    return ""


_UNHEARD = frozenset(
    {
        "ConnectionClosedError",
        "ReadTimeoutError",
        "ConnectTimeoutError",
        "EndpointConnectionError",
        "ProxyConnectionError",
    }
)


def _seen(family: str, journal: Journal, hands: _Hands, error: str, good: Content | None) -> RolledBack:
    """Look what the latest revision is now, and whether it is what was meant."""
    if journal.state == "undone" or good is None:
        expected = journal.before if journal.way != "deregister" else (journal.undo[-1].after if journal.undo else "")
    else:
        expected = journal.steps[-1].after if journal.way == "register" else journal.to
    try:
        newest = hands.newest()
    except AwsError as refused:
        told = error or f"what the latest revision is now could not be read: {refused}"
        return RolledBack(family, journal, "", expected, told)
    latest = newest.name if newest else "none"
    if not error and journal.way != "pin" and latest != expected:
        who = f", registered by {newest.registered_by}" if newest and newest.registered_by else ""
        error = (
            f"{latest} is the latest now{who}, and not {expected}: somebody else registered or deregistered a revision "
            "meanwhile. Look at the table of revisions, then decide again."
        )
    if not error and journal.way == "register" and journal.state == "finished":
        try:
            error = _covered(family, journal, hands)
        except AwsError as refused:
            error = f"whether somebody registered a revision meanwhile could not be read: {refused}"
    return RolledBack(family, journal, latest, expected, error)


def _covered(family: str, journal: Journal, hands: _Hands) -> str:
    """Return what is to be said of revisions that came between the last look and our registration; mostly nothing."""
    ours, before = (definition(name).revision or 0 for name in (journal.steps[-1].after, journal.before))
    between = [f"{family}:{number}" for number in range(before + 1, ours)]
    # what is INACTIVE has its number from before: a way that was taken back leaves such a gap
    others = ", ".join(name for name in between if hands.is_active(name))
    if not others:
        return ""
    return (
        f"somebody else registered {others} meanwhile, and nobody runs it: {journal.steps[-1].after}, which says what "
        f"{journal.to} says, is newer. undo = true takes that back; else deploy again what is wanted."
    )


class _Hands:
    """Who makes the changes: each call once, never again by itself."""

    def __init__(self, aws: Aws, family: str) -> None:
        self.aws, self._family = aws, family
        # what is about to be overwritten is written down before it is
        self.write_down: Callable[[], None] = lambda: None
        self._ask = Asking()
        self.ecs = aws.client("ecs")

    def newest(self) -> Content | None:
        """Return the latest ACTIVE revision."""
        return read_content(self._family, ecs=self.ecs, ask=self._ask)

    def is_active(self, name: str) -> bool:
        """Say whether a revision is there and ACTIVE."""
        there = read_content(name, ecs=self.ecs, ask=self._ask)
        return there is not None and there.status == "ACTIVE"

    def require_newest(self, announced: Content) -> None:
        """Raise if the family is no more as it was announced."""
        newest = self.newest()
        if newest is None or newest.arn != announced.arn:
            now = newest.name if newest else "none"
            who = f", registered by {newest.registered_by}" if newest and newest.registered_by else ""
            raise EvidenceError(
                f"{now} is the latest revision now{who}, and {announced.name} was when this was looked at.",
                hint="Nothing was changed. Look again, then decide.",
            )

    def do(self, entry: Entry, good: Content) -> str:
        """Do one step, unless it is done; return what is there afterwards."""
        if entry.operation == "ecs:RegisterTaskDefinition":
            return self._register(good)
        if entry.operation == "ecs:DeregisterTaskDefinition":
            return self._deregister(entry.on["name"])
        return self._point(entry, to=good.arn, unless=good.revision)

    def undo(self, entry: Entry, journal: Journal) -> str:
        """Take one step back, unless it is."""
        if entry.operation == "ecs:DeregisterTaskDefinition":
            made = self._made(entry.before, journal)
            return self._deregister(made) if made else "nothing that was registered by this is there"
        if entry.operation == "ecs:RegisterTaskDefinition":
            before = read_content(journal.before, ecs=self.ecs, ask=self._ask)
            if before is None:
                raise EvidenceError(
                    f"ECS does not tell what {journal.before} said: it cannot be registered again.",
                    hint="Deploy it again.",
                )
            return self._register(before)
        done = next(one for one in journal.steps if f"undo {one.id}" == entry.id)
        return self._point(entry, to=done.before, unless=None) if done.before else "it was never pinned"

    def _register(self, content: Content) -> str:
        newest = self.newest()
        if newest is not None and newest.same_as(content):
            return newest.name
        tags = [tag for tag in content.tags if tag["key"] != TAG][: _MOST_TAGS - 1]
        tags.append({"key": TAG, "value": content.name})
        answer = self._ask("ecs:RegisterTaskDefinition", self.ecs.register_task_definition, **content.fields, tags=tags)
        return str(answer["taskDefinition"]["taskDefinitionArn"]).rpartition("/")[2]

    def _made(self, name: str, journal: Journal) -> str:
        """Return the revision that was registered, by its tag, also where no answer of it came."""
        made = read_content(name, ecs=self.ecs, ask=self._ask) if name else self.newest()
        if made is None or made.name == journal.before:
            return ""
        tags = {tag["key"]: tag.get("value", "") for tag in made.tags}
        return made.name if tags.get(TAG) == journal.to else ""

    def _deregister(self, name: str) -> str:
        if not self.is_active(name):
            return f"{name} is not ACTIVE"
        self._ask("ecs:DeregisterTaskDefinition", self.ecs.deregister_task_definition, taskDefinition=name)
        return f"{name} is not ACTIVE"

    # -------- targets

    def _point(self, entry: Entry, *, to: str, unless: int | None) -> str:
        """Let a target name another task definition, with all else as it is; note what it named before."""
        if entry.on["kind"] == "schedule":
            return self._point_schedule(entry, to, unless)
        return self._point_rule(entry, to, unless)

    def _point_rule(self, entry: Entry, to: str, unless: int | None) -> str:
        events = self.aws.client("events")
        rule = {"Rule": entry.on["name"], "EventBusName": entry.on["group"]}
        pages = self._ask.pages("events:ListTargetsByRule", events.list_targets_by_rule, **rule)
        targets = [one for page in pages for one in page.get("Targets", []) if one["Id"] == entry.on["target"]]
        if not targets:
            raise EvidenceError(f"target {entry.on['target']} of rule {entry.on['name']} is gone.")
        target, parameters = targets[0], dict(targets[0]["EcsParameters"])
        if not self._noted(entry, str(parameters["TaskDefinitionArn"]), to, unless):
            return definition_name(to)
        changed = target | {"EcsParameters": parameters | {"TaskDefinitionArn": to}}
        answer = self._ask("events:PutTargets", events.put_targets, **rule, Targets=[changed])
        if failed := answer.get("FailedEntries"):
            first: Mapping[str, Any] = failed[0]
            raise AwsError("events:PutTargets", str(first.get("ErrorCode")), str(first.get("ErrorMessage")))
        return definition_name(to)

    def _point_schedule(self, entry: Entry, to: str, unless: int | None) -> str:
        scheduler = self.aws.client("scheduler")
        named = {"Name": entry.on["name"], "GroupName": entry.on["group"]}
        told = self._ask("scheduler:GetSchedule", scheduler.get_schedule, **named)
        shape = scheduler.meta.service_model.operation_model("UpdateSchedule").input_shape
        fields = {key: value for key, value in told.items() if key in (shape.members if shape else ())}
        fields.pop("ClientToken", None)
        target = dict(fields["Target"])
        if str(target["Arn"]).endswith(_RUN_TASK):
            given = json.loads(target["Input"])
            if not self._noted(entry, str(given["TaskDefinition"]), to, unless):
                return definition_name(to)
            target["Input"] = json.dumps(given | {"TaskDefinition": to})
        else:
            if not self._noted(entry, str(target["EcsParameters"]["TaskDefinitionArn"]), to, unless):
                return definition_name(to)
            target["EcsParameters"] = target["EcsParameters"] | {"TaskDefinitionArn": to}
        self._ask("scheduler:UpdateSchedule", scheduler.update_schedule, **fields | {"Target": target})
        return definition_name(to)

    def _noted(self, entry: Entry, now: str, to: str, unless: int | None) -> bool:
        """Note what a target names before it is changed; say whether there is anything to change."""
        if now == to:
            return False
        own, wanted = definition(now), definition(to)
        if own.family != wanted.family or (unless is not None and own.revision not in (None, unless)):
            raise EvidenceError(
                f"{entry.on['name']} names {own} now: somebody else changed it.", hint="It was left as it is."
            )
        entry.before = entry.before or now
        self.write_down()
        return True


def definition_name(arn: str) -> str:
    """
    Return a task definition's name as people say it.

    Examples
    --------
    >>> definition_name("arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly")
    'nightly'
    """
    return str(definition(arn))
