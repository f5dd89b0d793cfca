"""Whose run it was: one rule's or schedule's among the few that could be taken for it, or anybody's among all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError, EvidenceError
from ecs_runbook.evidence import attribution
from ecs_runbook.evidence.attribution import Traces
from ecs_runbook.firing import rules, schedules
from ecs_runbook.firing.asking import Asking, Bars
from ecs_runbook.firing.names import (
    DRILL_PREFIX,
    STARTED_BY_LENGTH,
    STARTED_BY_PREFIX,
    drill_prefix,
    schedule_drill_prefix,
    short,
)
from ecs_runbook.firing.rules import Rule
from ecs_runbook.firing.schedules import Schedule

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

Find = Callable[[], list[Rule]]


class Rivals:
    """
    Those that could be taken for one rule or schedule: asked for when the first run needs it, and once.

    Parameters
    ----------
    mine
        The rule, or the schedule.
    same_cut, same_role
        How to find the others whose tasks carry the same ``startedBy``, and those with the same role.
    """

    def __init__(self, mine: Rule, *, same_cut: Find, same_role: Find) -> None:
        self._mine, self._same_cut, self._same_role = mine, same_cut, same_role
        self._known: dict[Find, list[Rule] | str] = {}

    @classmethod
    def of_rule(cls, mine: Rule, *, events: EventBridgeClient, ask: Asking) -> Rivals:
        """Return the rivals of a rule of the default bus."""
        return cls(
            mine,
            same_cut=lambda: rules.same_cut(mine, events=events, ask=ask),
            same_role=lambda: rules.same_role(mine, events=events, ask=ask),
        )

    @classmethod
    def of_schedule(cls, mine: Schedule, *, scheduler: Any, ask: Asking) -> Rivals:
        """Return the rivals of a schedule."""
        return cls(
            mine,
            same_cut=lambda: schedules.same_cut(mine, scheduler=scheduler, ask=ask),
            same_role=lambda: schedules.same_role(mine, scheduler=scheduler, ask=ask),
        )

    def whose(self, traces: Traces) -> str:
        """Return whose run it was; see :func:`~ecs_runbook.evidence.attribution.whose`."""
        answer = attribution.whose(traces, self._mine)
        if not answer or attribution.is_drill(traces.started_by, self._mine):
            return answer
        find = self._same_cut if traces.started_by else self._same_role
        if find not in self._known:
            self._known[find] = _found(find)
        rivals = self._known[find]
        if isinstance(rivals, str):
            kind = "schedule" if isinstance(self._mine, Schedule) else "rule"
            why = f" ({rivals})" if rivals else ""
            return f"{attribution.AMBIGUOUS}{attribution.label(self._mine)} or a {kind} that could not be listed{why}"
        return attribution.whose(traces, self._mine, rivals)

    def told(self) -> str:
        """Return in words what EventBridge or Scheduler said."""
        kind = "schedule" if isinstance(self._mine, Schedule) else "rule"
        state = "enabled" if self._mine.enabled else "disabled"
        mine = f"{kind} {attribution.label(self._mine)} is {state}"
        listed = (found for found in self._known.values() if not isinstance(found, str))
        others = sorted({attribution.label(rule) for found in listed for rule in found})
        return mine + (f"; could be taken for it: {', '.join(others)}" if others else "")


class Everyone:
    """
    All rules and schedules that run ECS tasks, and whose a run was among them.

    Parameters
    ----------
    known
        Rules and schedules with their ECS targets.

    Examples
    --------
    >>> Everyone([]).whose(Traces("events-rule/gone", None)), Everyone([]).whose(Traces("ecs-svc/1", None))
    ('gone', '')
    """

    def __init__(self, known: Iterable[Rule]) -> None:
        self.known = list(known)
        self._marks: dict[str, list[Rule]] = defaultdict(list)
        self._roles: dict[str, list[Rule]] = defaultdict(list)
        self._families: dict[tuple[str, str], list[Rule]] = defaultdict(list)
        self._drills: dict[str, str] = {}
        for one in self.known:
            self._marks[attribution.mark(one)].append(one)
            for role in {target.role for target in one.targets}:
                self._roles[role].append(one)
            for role, family in {(target.role, target.family) for target in one.targets}:
                self._families[role, family].append(one)
            drills = schedule_drill_prefix(one.label) if isinstance(one, Schedule) else drill_prefix(one.name)
            self._drills[drills] = attribution.label(one)

    def whose(self, traces: Traces) -> str:
        """
        Return which rule or schedule made a run: its name, ``ambiguous: …``; ``""`` if none did.

        One that is not known, because it is gone or could not be listed, is named by what the run shows of it.
        """
        left = self.left(traces)
        if len(left) > 1:
            return attribution.ambiguous(left)
        if left:
            return attribution.label(left[0]) + (
                "" if traces.started_by else attribution.occasion(left[0], traces.time)
            )
        if traces.started_by:
            return self._gone(traces.started_by)
        return f"unknown, with the role {short(traces.role)}" if traces.by_eventbridge else attribution.NOT_OURS

    def left(self, traces: Traces) -> Sequence[Rule]:
        """Return those of them that can have made a run: one if it is certain, none if none of them is known to."""
        if traces.started_by:
            several = self._marks.get(traces.started_by, [])
        else:
            several = [one for one in self._of_role(traces) if attribution.could_have_called(traces, one)]
        return attribution.left_of(traces, several)

    def is_drill(self, traces: Traces) -> bool:
        """Say whether it was a drill of one of them, or of a rule or schedule that is not known."""
        drills = tuple(prefix + DRILL_PREFIX for prefix in (STARTED_BY_PREFIX, schedules.STARTED_BY_PREFIX))
        return traces.started_by.startswith(drills) and not self._marks.get(traces.started_by)

    def _of_role(self, traces: Traces) -> Sequence[Rule]:
        known = traces.requested or traces.executed
        if known:
            return self._families.get((traces.role, known.family), ())
        return self._roles.get(traces.role, ())

    def _gone(self, mark: str) -> str:
        for prefix in (STARTED_BY_PREFIX, schedules.STARTED_BY_PREFIX):
            if mark.startswith(prefix):
                name = mark.removeprefix(prefix)
                if name.startswith(DRILL_PREFIX):
                    of = next((rule for start, rule in self._drills.items() if name.startswith(start)), "")
                    return f"{of} (drill)" if of else f"{name} (drill)"
                return f"{name}…" if len(mark) >= STARTED_BY_LENGTH else name
        return attribution.NOT_OURS


def all_rules(*, events: EventBridgeClient, ask: Asking, progress: Bars | None = None) -> list[Rule]:
    """
    Return the rules of the default bus that run ECS tasks.

    Needs ``events:ListRules``, 100 a call, and ``events:ListTargetsByRule``, one call a rule: a rule can name a cluster
    that is gone, so the clusters cannot be asked for their rules.
    """
    told = [
        one for page in ask.pages("events:ListRules", events.list_rules, Limit=100) for one in page.get("Rules", [])
    ]
    found = []
    for number, one in enumerate(told, start=1):
        targets = rules.ecs_targets(one["Name"], events=events, ask=ask)
        enabled = one.get("State") != "DISABLED"
        if targets:
            found.append(Rule(one["Name"], one.get("Arn", ""), one.get("ScheduleExpression", ""), enabled, targets))
        if progress:
            progress.row("rules", number / len(told), f"{number} of {len(told)} looked at")
    return found


def of_clusters(known: Sequence[Rule], clusters: Sequence[str]) -> list[Rule]:
    """Return those with a target in one of *clusters*, which are ARNs or names."""
    names = {short(cluster) for cluster in clusters}
    return [one for one in known if names & {short(target.cluster) for target in one.targets}]


def _found(find: Find) -> list[Rule] | str:
    """Return what is listed, or the call that was refused; nothing if it was not, but there is too much to list."""
    try:
        return find()
    except AwsError as error:
        return f"{error.operation}: {error.code}"
    except EvidenceError:
        return ""
