"""
What the rows of an inventory ran in a time range: ECS and CloudTrail of every place in one table, each run judged at
its moment, each RunTask call told to the firing that it was a try of.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence import attribution, trail
from ecs_runbook.evidence import ecs as remembered
from ecs_runbook.evidence import revisions as steps_of
from ecs_runbook.evidence.dead_letters import Letter
from ecs_runbook.evidence.owners import Rivals
from ecs_runbook.evidence.revisions import Steps
from ecs_runbook.evidence.runs import (
    ACCEPTED,
    RUN_COLUMNS,
    STALE,
    Run,
    add,
    judge_by,
    of_call,
    of_task,
    why_stale,
)
from ecs_runbook.evidence.trail import LATE
from ecs_runbook.firing import histories
from ecs_runbook.firing.asking import Bars
from ecs_runbook.firing.calls import Call, records
from ecs_runbook.firing.histories import Execution, read_execution
from ecs_runbook.firing.names import definition, short
from ecs_runbook.firing.rules import Rule
from ecs_runbook.firing.schedules import Schedule
from ecs_runbook.firing.tasks import Task, describe, read_task
from ecs_runbook.inventory import changes as changed
from ecs_runbook.inventory import executed
from ecs_runbook.inventory.bars import PlaceBars
from ecs_runbook.inventory.changes import Change, Span
from ecs_runbook.inventory.facts import read_definition
from ecs_runbook.inventory.firings import Attempt, History, Matched, Window, add_letters, history, match, share
from ecs_runbook.inventory.fleet import PLACES_AT_ONCE, Fleet
from ecs_runbook.inventory.gate import gap_of
from ecs_runbook.inventory.model import Definition, Facts, Gap, Inventory, Place, Queue, Row
from ecs_runbook.inventory.whose import Attribution, Whose, clusters_of, is_scheduled, of_rows

if TYPE_CHECKING:
    import pandas as pd

FLEET_RUN_COLUMNS = ["account", "region", "subject", *RUN_COLUMNS, "due", "started_at", "seconds"]
"""
Of the table of runs. ``subject`` is the row's; ``""`` for a run that may be of several, and for a drill. ``due`` is
the firing that it was a try of, ``started_at`` when its containers started and ``seconds`` how long they ran: NaT and
NaN if that is not known.
"""
TRAIL, CHANGES, UNREADABLE, REVISIONS = "RunTask", "changes of rules and schedules", "unreadable records", "revisions"
_NO_CLUSTER = frozenset({"ClusterNotFoundException"})
_TOGETHER = timedelta(seconds=2)
_MOST_UNLISTED = 3
MOST_EXECUTIONS = 1000
"""No more executions of a state machine are read, the newest: each takes a call; what was due before is not judged."""
_RECENT = timedelta(hours=1)
_PASSED = re.compile(r"to perform: iam:PassRole on resource: (arn:[\w-]+:iam::\d*:role/[\w+=,.@/-]+)")
_VARYING = re.compile(r"[0-9a-f]{8,}|\d+")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Happened:
    """
    What happened in a time range.

    Attributes
    ----------
    window
        The range, and until when CloudTrail must have told of it.
    runs
        One row per task and per refusal, newest last, columns :data:`FLEET_RUN_COLUMNS`; of what
        :func:`ecs_runbook.evidence.runs.runs` says of each column all holds here.
    histories
        What became of each row's firings, by place and subject. A row of a place that could not be looked at has none.
    gaps
        What could not be learnt: ``subject`` is :data:`TRAIL`, :data:`CHANGES`, :data:`UNREADABLE`,
        :data:`REVISIONS`, the ARN of a state machine, or the name of a cluster.
    notes
        Words on single runs, by the task's ARN: why an older revision ran.
    """

    window: Window
    runs: pd.DataFrame
    histories: Mapping[tuple[Place, str], History] = field(default_factory=dict)
    gaps: Sequence[Gap] = ()
    notes: Mapping[str, str] = field(default_factory=dict)

    def of(self, row: Row) -> History | None:
        """Return what became of the firings of *row*."""
        return self.histories.get((row.place, row.subject))

    def gap(self, place: Place, subject: str) -> Gap | None:
        """Return why something could not be learnt in *place*."""
        return self._known_gaps.get((place, subject))

    @cached_property
    def _known_gaps(self) -> Mapping[tuple[Place | None, str], Gap]:
        return {(one.place, one.subject): one for one in self.gaps[::-1]}


class Witness(Protocol):
    """Who is told of what AWS said of the rows' runs, for to keep it; from several threads at once."""

    def call(self, call: Call) -> None:
        """Hear of a RunTask call of theirs."""

    def task(self, task: Task) -> None:
        """Hear of a task of theirs, as ECS or Step Functions describes it."""

    def revisions(self, place: Place, family: str, rows: Iterable[Mapping[Any, Any]]) -> None:
        """Hear of revisions of a family, with the columns of :func:`~ecs_runbook.evidence.revisions.revisions`."""


def runs(
    fleet: Fleet,
    found: Inventory,
    *,
    since: datetime,
    until: datetime,
    facts: Mapping[Place, Facts] | None = None,
    judged: bool = True,
    progress: Bars | None = None,
    witness: Witness | None = None,
) -> Happened:
    """
    Return what the rows of *found* ran, and what of it was refused, in a time range.

    Parameters
    ----------
    fleet
        Where the rows are from.
    found
        The inventory.
    since, until
        The range, aware; *until* is taken for the present. CloudTrail keeps 90 days: what is older is left out.
    facts
        What was learnt already: the latest revisions and the dead letters are taken from it. Without it the revisions
        are asked for here, and there are no dead letters.
    judged
        Whether to ask which revision was the latest at each run's moment; else that stays UNKNOWN.
    progress
        Where to show how far it is.
    witness
        Who is told of what AWS said.

    Returns
    -------
    Happened
        A source that does not answer is a gap; the others' answers count.

    Notes
    -----
    CloudTrail is asked for RunTask once for each place, 50 records a call, whatever the number of rows; records of
    nobody's schedule are read and forgotten, of others no more is kept than the table needs. ECS is asked what stopped
    lately in each cluster that a row names. To know the latest revision at each run's moment, one lookup for
    DeregisterTaskDefinition is enough where the latest one of now was there before the run; older revisions are
    described one by one, as far down as the runs need. Changes of rules, targets and schedules are looked up only where
    something is missing, or too much, that such a change would explain.

    Of a state machine that may run its task again, or not at all, the executions are listed, and each one's history is
    read, of :data:`MOST_EXECUTIONS` at most: nothing else tells which tasks are one run.

    Needs ``cloudtrail:LookupEvents``, ``ecs:ListTasks``, ``ecs:DescribeTasks`` and ``ecs:DescribeTaskDefinition``;
    ``states:ListExecutions`` and ``states:GetExecutionHistory`` of such a machine; ``ecs:ListTaskDefinitions`` where a
    revision was deregistered. If the inventory is not whole, also ``events:ListRules``, ``events:ListTargetsByRule``,
    ``events:ListRuleNamesByTarget``, ``events:DescribeRule``, ``scheduler:ListSchedules`` and
    ``scheduler:GetSchedule``, where a run could be of one that is not in it.
    """
    since = max(since, until - trail.KEEPS)
    window = Window(since, until, max(since, until - LATE))
    by_place: dict[Place, list[Row]] = defaultdict(list)
    for row in found.rows:
        by_place[row.place].append(row)
    bars = PlaceBars(progress, len(by_place))
    jobs = {
        place: partial(
            _of_place,
            place,
            rows,
            window,
            fleet,
            (facts or {}).get(place) or Facts(place),
            found.whole,
            judged,
            bars,
            witness,
        )
        for place, rows in by_place.items()
    }
    told = fleet.gate.at_once(jobs, most=PLACES_AT_ONCE)
    return Happened(
        window,
        table([(place, one) for place in sorted(told) for one in told[place].told]),
        {(place, subject): own for place, one in told.items() for subject, own in one.histories.items()},
        tuple(gap for place in sorted(told) for gap in told[place].gaps),
        {task: note for one in told.values() for task, note in one.notes.items()},
    )


@dataclass
class _Told:
    """What came of one place: attempts with their subject, histories by subject, gaps, notes."""

    told: list[tuple[str, Attempt]] = field(default_factory=list)
    histories: dict[str, History] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


def _of_place(
    place: Place,
    rows: Sequence[Row],
    window: Window,
    fleet: Fleet,
    facts: Facts,
    whole: bool,
    judged: bool,
    bars: PlaceBars,
    witness: Witness | None,
) -> _Told:
    looking = _Looking(place, rows, window, fleet, facts, whole=whole, judged=judged, bars=bars, witness=witness)
    asked = {"ECS": looking.ask_ecs, "CloudTrail": looking.ask_trail, "Step Functions": looking.ask_machines}
    fleet.gate.at_once(bars.each(place, asked), most=len(asked))
    looking.join()
    looking.group()
    looking.judge(looking.own)
    told = looking.happened()
    fleet.leave(place)
    bars.end(place, f"{len(told.told)} runs and refusals of {len(rows)} targets")
    return told


class _Looking:
    """One place being looked at."""

    def __init__(
        self,
        place: Place,
        rows: Sequence[Row],
        window: Window,
        fleet: Fleet,
        facts: Facts,
        *,
        whole: bool,
        judged: bool,
        bars: PlaceBars,
        witness: Witness | None,
    ) -> None:
        self._judged = judged
        self.bars, self.witness = bars, witness
        self.place, self.rows, self.window, self.facts = place, rows, window, facts
        self.aws, self.ask, self.gate = fleet.at(place), fleet.ask(place), fleet.gate
        self.whose = Attribution(rows, None if whole else self._rivals)
        self.gaps: list[Gap] = []
        self.notes: dict[str, str] = {}
        self.tasks: dict[str, Task] = {}
        self.running: set[str] = set()
        self.running_in: dict[str, str] = {}
        self.own: list[tuple[Attempt, Whose]] = []
        self.executions: dict[str, list[Execution]] = {}
        self.judged_from: dict[str, datetime] = {}
        self._seen: set[str] = set()
        self._said: set[tuple[str, str]] = set()

    # -------- what is asked

    def ask_ecs(self) -> None:
        """Learn which tasks ECS remembers, and which run."""
        for cluster, told in self.gate.each("ecs:ListTasks", self._cluster, clusters_of(self.rows)):
            if isinstance(told, AwsError):
                if told.code not in _NO_CLUSTER:
                    self.gaps.append(gap_of(told, place=self.place, subject=short(cluster)))
                continue
            self.running |= told.running
            self.running_in |= dict.fromkeys(told.running, cluster)
            for task in told.stopped:
                if task.created is None or self.window.since <= task.created <= self.window.until:
                    self.tasks[task.arn] = task

    def _cluster(self, name: str) -> remembered.Remembered:
        marks = self.whose.marks()

        def wanted(started_by: str) -> bool:
            return is_scheduled(started_by) or started_by in marks

        return remembered.stopped(name, ecs=self.aws.client("ecs"), ask=self.ask, wanted=wanted)

    def ask_trail(self) -> None:
        """Learn which RunTask calls there were."""
        try:
            found = trail.run_task_calls(
                since=self.window.since,
                until=self.window.until,
                cloudtrail=self.aws.client("cloudtrail"),
                ask=self.ask,
                paced=False,
                progress=self.bars.part(self.place),
                keep=self._keep,
            )
        except AwsError as error:
            self.gaps.append(gap_of(error, place=self.place, subject=TRAIL))
            return
        if found.unreadable:
            words = f"{len(found.unreadable)} records of RunTask could not be read"
            self.gaps.append(Gap("cloudtrail:LookupEvents", words, place=self.place, subject=UNREADABLE))

    def ask_machines(self) -> None:
        """Learn what the executions of state machines did of which nobody else tells what was one run."""
        machines = sorted({row.through for row in self.rows if row.machine.tells})
        if not machines:
            return
        sfn, ask = self.aws.client("stepfunctions"), self.ask

        def listed(machine: str) -> list[Mapping[str, Any]]:
            every = histories.listed(machine, since=self.window.since, sfn=sfn, ask=ask)
            return sorted((one for one in every if histories.began(one) <= self.window.until), key=histories.began)

        def read(one: tuple[str, Mapping[str, Any]]) -> Execution:
            _, told = one
            execution = read_execution(told, list(histories.events_of(str(told["executionArn"]), sfn=sfn, ask=ask)))
            return replace(execution, raw={})  # what was asked fills the memory

        wanted: list[tuple[str, Mapping[str, Any]]] = []
        found: dict[str, list[Execution]] = {}
        for machine, told in self.gate.each("states:ListExecutions", listed, machines):
            if isinstance(told, AwsError):
                self.gaps.append(gap_of(told, place=self.place, subject=machine))
                continue
            found[machine] = []
            wanted += [(machine, one) for one in told[-MOST_EXECUTIONS:]]
            if len(told) > MOST_EXECUTIONS:
                self.judged_from[machine] = histories.began(told[-MOST_EXECUTIONS])
        for (machine, _), execution in self.gate.each("states:GetExecutionHistory", read, wanted):
            if isinstance(execution, Execution):
                found[machine].append(execution)
            elif self._known_of(machine):
                self.gaps.append(gap_of(execution, place=self.place, subject=machine))
        self.executions = {machine: own for machine, own in found.items() if self._known_of(machine)}

    def _known_of(self, machine: str) -> bool:
        return all(gap.subject != machine for gap in self.gaps)

    def _keep(self, call: Call) -> None:
        """Keep of *call* what the table needs, if it is one of ours: the records of a busy account fill the memory."""
        whose = self._narrowed(self.whose.of(attribution.of_call(call)), call)
        if not whose.rows or (call.event_id and call.event_id in self._seen):
            return
        self._seen.add(call.event_id)
        if self.witness:
            self.witness.call(call)
        runs_of_it = of_call(call, sys.intern(whose.label))
        for run in runs_of_it:
            run.role, run.error, run.launch_type = (sys.intern(text) for text in (run.role, run.error, run.launch_type))
        attempt = Attempt(call.time, runs_of_it, certain=whose.certain)
        if call.refused or call.failures:
            said = (whose.label, _VARYING.sub("*", runs_of_it[-1].error))
            if said not in self._said:  # the newest comes first
                self._said.add(said)
                attempt.call = call
        self.own.append((attempt, whose))

    def _narrowed(self, whose: Whose, call: Call) -> Whose:
        """
        Return whose a refusal is by the role that it may not pass: it names neither rule nor family.

        Only where all that it can be of have had their latest revision since before, so that its roles are known.
        """
        several = len(whose.rows) > 1 and not (whose.outside or call.started_by)
        named = _PASSED.search(call.error_message) if several else None
        if named is None:
            return whose
        kept = []
        for row in whose.rows:
            revision = self.facts.resolved(row)
            since = revision.registered_at if isinstance(revision, Definition) else None
            if not isinstance(revision, Definition) or since is None or call.time is None or since > call.time:
                return whose
            task, execution = row.request.task_role, row.request.execution_role
            if named[1] in (task or revision.task_role, execution or revision.execution_role):
                kept.append(row)
        return of_rows(kept) if kept else whose

    def _rivals(self, owner: Rule) -> Rivals | None:
        if isinstance(owner, Schedule):
            return Rivals.of_schedule(owner, scheduler=self.aws.client("scheduler"), ask=self.ask)
        row = next(row for row in self.rows if row.owner.arn == owner.arn)
        return Rivals.of_rule(owner, events=self.aws.client("events"), ask=self.ask) if row.bus == "default" else None

    # -------- both sources in one

    def join(self) -> None:
        """Write what ECS and CloudTrail say of one task to one run, and enter what ECS alone knows."""
        by_task = {arn: of_task(task, "") for arn, task in self.tasks.items()}
        alone = dict(by_task)
        for attempt, whose in self.own:
            attempt.runs = [add(run, by_task) for run in attempt.runs]
            for run in attempt.runs:
                run.schedule = whose.label
                if run.status == ACCEPTED and run.task in self.running:
                    run.status = "RUNNING"
                if alone.pop(run.task, None) is not None:
                    self._enter_end(attempt, run)
        self._enter_alone(alone)
        self.own.sort(key=lambda one: one[0].time or _LONG_AGO)

    def group(self) -> None:
        """
        Make one attempt of each execution, with the runs of all its tries.

        What else such a machine called belongs to an execution that began before the range, and is not judged alone.
        """
        if not self.executions:
            return
        told = [one for one in self.own if all(row.through in self.executions for row in one[1].rows)]
        self.own = [one for one in self.own if not any(one is other for other in told)]
        for machine, several in self.executions.items():
            rows = [row for row in self.rows if row.through == machine]
            calls = [attempt for attempt, whose in told if any(row.through == machine for row in whose.rows)]
            for execution in several:
                whose = executed.whose(execution, rows)
                if whose.rows:
                    self._witness_tries(execution)
                    made = executed.attempt(execution, whose.label, certain=whose.certain, calls=calls)
                    self.own.append((made, whose))
        self.own.sort(key=lambda one: one[0].time or _LONG_AGO)

    def _witness_tries(self, execution: Execution) -> None:
        for one in execution.tries if self.witness else ():
            if self.witness and one.described:
                self.witness.task(read_task(one.described))

    def _enter_end(self, attempt: Attempt, run: Run) -> None:
        task = self.tasks[run.task]
        if self.witness:
            self.witness.task(task)
        if task.status == "STOPPED" and not task.ended_well:
            attempt.tasks.append(task)

    def _enter_alone(self, alone: Mapping[str, Run]) -> None:
        """Enter the tasks that CloudTrail does not tell of, or not yet; those of one moment are one call's."""
        last: tuple[Attempt, Whose] | None = None
        for arn, run in sorted(
            alone.items(), key=lambda one: (self.tasks[one[0]].started_by, one[1].time or _LONG_AGO)
        ):
            whose = self.whose.of(attribution.of_task(self.tasks[arn]))
            if not whose.rows:
                continue
            run.schedule = whose.label
            if last is None or not self._with(last, run, whose):
                last = (Attempt(run.time, [], certain=whose.certain), whose)
                self.own.append(last)
            last[0].runs.append(run)
            self._enter_end(last[0], run)

    def _with(self, last: tuple[Attempt, Whose], run: Run, whose: Whose) -> bool:
        attempt, before = last
        near = attempt.time and run.time and run.time - attempt.time <= _TOGETHER
        return bool(near and before.label == whose.label and len(attempt.runs) < whose.rows[0].request.count)

    # -------- the latest revision at each moment

    def judge(self, own: Sequence[tuple[Attempt, Whose]]) -> None:
        """Judge each run of *own* at its moment."""
        by_family: dict[str, list[tuple[Run, Whose]]] = defaultdict(list)
        for attempt, whose in own:
            for run in attempt.runs:
                if run.family:
                    by_family[run.family].append((run, whose))
        if not (by_family and self._judged):
            return
        gone = self._deregistered()
        ask = partial(self._steps, by_family=by_family, gone=gone)
        for family, told in self.gate.each("ecs:DescribeTaskDefinition", ask, sorted(by_family)):
            steps = Steps([]) if isinstance(told, AwsError) else told
            if isinstance(told, AwsError):
                self._gap_once(gap_of(told, place=self.place, subject=REVISIONS))
            for run, whose in by_family[family]:
                run.latest, run.state = judge_by(run, steps)
                registered = steps.registered_at(run.latest) if run.latest is not None else None
                if run.state == STALE and whose.certain and (note := why_stale(run, registered, whose.rows[0].owner)):
                    self.notes[run.task] = note

    def _deregistered(self) -> frozenset[str] | None:
        """Return the families of which a revision was deregistered in the range; None if that is not known."""
        try:
            return frozenset(
                definition(name).family for record in self._records("DeregisterTaskDefinition") if (name := _of(record))
            )
        except AwsError:
            return None

    def _steps(
        self, family: str, by_family: Mapping[str, Sequence[tuple[Run, Whose]]], gone: frozenset[str] | None
    ) -> Steps:
        """Return the revisions of *family*, as far down as its runs need them."""
        own = by_family[family]
        times = [run.time for run, _ in own if run.time is not None]
        newest = max((run.executed.revision or 0 for run, _ in own if run.executed), default=0)
        latest = self.facts.latest.get(family) or self._latest(family)
        if isinstance(latest, Gap):
            self._gap_once(replace(latest, place=self.place, subject=REVISIONS))
            return Steps([])
        first = min(times, default=self.window.since)
        if gone is None or family in gone or not isinstance(latest, Definition) or newest > latest.revision:
            return self._walked(family, first)
        rows, unlisted = [_row(latest)], 0
        while rows[-1]["revision"] > 1 and not _settled(rows, times):
            arn = f"{latest.arn.rpartition(':')[0]}:{rows[-1]['revision'] - 1}"
            rows.append(steps_of.described(arn, ecs=self.aws.client("ecs"), ask=self.ask))
            unlisted = 0 if rows[-1]["registered_at"] else unlisted + 1
            if unlisted >= _MOST_UNLISTED:
                return self._walked(family, first)
        return self._witnessed(family, rows)

    def _witnessed(self, family: str, rows: Sequence[Mapping[Any, Any]]) -> Steps:
        if self.witness:
            self.witness.revisions(self.place, family, rows)
        return Steps(rows)

    def _latest(self, family: str) -> Definition | None:
        ecs = self.aws.client("ecs")
        try:
            told = self.ask("ecs:DescribeTaskDefinition", ecs.describe_task_definition, taskDefinition=family)
        except AwsError as error:
            if error.code not in steps_of.NOT_THERE:
                raise
            return None
        return read_definition(told["taskDefinition"])

    def _walked(self, family: str, since: datetime) -> Steps:
        found = steps_of.revisions(family, ecs=self.aws.client("ecs"), since=since, ask=self.ask)
        return self._witnessed(family, found.to_dict("records"))

    def _gap_once(self, gap: Gap) -> None:
        if gap not in self.gaps:
            self.gaps.append(gap)

    # -------- the firings

    def happened(self) -> _Told:
        """Return what became of each row's firings."""
        told = _Told(gaps=self.gaps, notes=self.notes)
        told.histories = self._histories(())
        if self._ask_running(told.histories):
            told.histories = self._histories(())
        blind = any(gap.subject == TRAIL for gap in self.gaps)
        if not blind and self._to_be_explained(told.histories):
            told.histories = self._histories(self._changes())
        told.told = [
            (whose.rows[0].subject if whose.certain and not whose.drill else "", attempt) for attempt, whose in self.own
        ]
        return told

    def _histories(self, known: Sequence[Change]) -> dict[str, History]:
        certain: dict[int, list[Attempt]] = defaultdict(list)
        drills: dict[int, int] = defaultdict(int)
        for attempt, whose in self.own:
            if whose.drill:
                for row in whose.rows:
                    drills[id(row)] += 1
            elif whose.certain:
                certain[id(whose.rows[0])].append(attempt)
        by_owner: dict[tuple[str, ...], list[Change]] = defaultdict(list)
        for change in known:
            by_owner[change.owner].append(change)
        doubtful = [one for one in self.own if not (one[1].certain or one[1].drill)]
        letters = self._letters()
        together = {id(row) for _, whose in doubtful for row in whose.rows}
        together |= {id(row) for row in self.rows if row.owner.arn in letters}
        found: dict[str, History] = {}
        open_still: dict[int, tuple[Row, Matched, Sequence[Span]]] = {}
        for row in self.rows:
            changes = changed.of_row(row, by_owner[changed.owner_of(row)])
            since = self.judged_from.get(row.through, self.window.since)
            spans = changed.spans(row, changes, since, self.window.until)
            matched = match(row, certain[id(row)], spans, self.window)
            if id(row) in together:
                open_still[id(row)] = (row, matched, spans)
            else:  # the firings of most rows are not kept: there may be very many
                found[row.subject] = history(matched, spans, self.window)
        self._settle(open_still, doubtful, letters)
        found |= {row.subject: history(matched, spans, self.window) for row, matched, spans in open_still.values()}
        for row in self.rows:
            found[row.subject].drills = drills[id(row)]
            found[row.subject].judged_from = self.judged_from.get(row.through)
        return found

    def _settle(
        self,
        rows: Mapping[int, tuple[Row, Matched, Sequence[Span]]],
        doubtful: Sequence[tuple[Attempt, Whose]],
        letters: Mapping[str, Sequence[Letter]],
    ) -> None:
        """Give to the firings of several rows what can be of each of them."""
        several = [(attempt, [rows[id(row)][1] for row in whose.rows], whose.outside) for attempt, whose in doubtful]
        share(
            ((attempt, some) for attempt, some, outside in several if not outside),
            ((attempt, some) for attempt, some, outside in several if outside),
        )
        for sender, some in letters.items():
            add_letters([matched for row, matched, _ in rows.values() if row.owner.arn == sender], some)

    def _letters(self) -> dict[str, list[Letter]]:
        """Return the dead letters of the range by who sent them, each once."""
        own = {row.owner.arn for row in self.rows}
        letters = {
            letter.id or str(id(letter)): letter
            for queue in self.facts.queues.values()
            for letter in (queue.letters if isinstance(queue, Queue) else ())
            if letter.sender in own and letter.time and self.window.since <= letter.time <= self.window.until
        }
        by_sender: dict[str, list[Letter]] = defaultdict(list)
        for letter in letters.values():
            by_sender[letter.sender].append(letter)
        return by_sender

    def _ask_running(self, histories: Mapping[str, History]) -> bool:
        """
        Describe the tasks that run and that CloudTrail has not told of, where a firing of the last hour is missing.

        CloudTrail may be later than it is given; ECS knows what runs. Say whether any of them is ours.
        """
        missing = any(firing.due > self.window.until - _RECENT for own in histories.values() for firing in own.missed)
        known = {run.task for attempt, _ in self.own for run in attempt.runs}
        unknown = sorted(self.running - known) if missing else []
        by_cluster: dict[str, list[str]] = defaultdict(list)
        for arn in unknown:
            by_cluster[self.running_in[arn]].append(arn)
        before = len(self.own)
        for cluster, arns in by_cluster.items():
            try:
                tasks = describe(arns, cluster=cluster, ecs=self.aws.client("ecs"), ask=self.ask)
            except AwsError as error:
                self.gaps.append(gap_of(error, place=self.place, subject=short(cluster)))
                continue
            within = [one for one in tasks if one.created and one.created >= self.window.since]
            self.tasks |= {task.arn: task for task in within}
            self._enter_alone({task.arn: of_task(task, "") for task in within})
        fresh = self.own[before:]
        self.judge(fresh)
        self.own.sort(key=lambda one: one[0].time or _LONG_AGO)
        return bool(fresh)

    def _to_be_explained(self, histories: Mapping[str, History]) -> bool:
        """Say whether changes of the rows are worth looking up."""
        for row in self.rows:
            own = histories[row.subject]
            off = not row.owner.enabled and row.kind != "event rule" and any(one.placed for one in own.attempts)
            settled = row.changed is not None and row.changed < self.window.since
            if (own.strange or off) and not settled:
                return True
        return False

    def _changes(self) -> list[Change]:
        """Return the changes of rules and schedules in the range."""
        kinds = {row.kind for row in self.rows}
        names = [*changed.RULE_EVENTS] if kinds - {"schedule"} else []
        names += changed.SCHEDULE_EVENTS if "schedule" in kinds else ()
        found = []
        try:
            for name in names:
                found += [change for record in self._records(name) if (change := changed.read(record))]
        except AwsError as error:
            self.gaps.append(gap_of(error, place=self.place, subject=CHANGES))
        return found

    def _records(self, name: str) -> Iterable[Any]:
        pages = records(
            name,
            since=self.window.since,
            until=self.window.until,
            cloudtrail=self.aws.client("cloudtrail"),
            ask=self.ask,
            limiter=None,
        )
        return (record for page in pages for record in page)


def _of(record: object) -> str:
    """Return which revision a DeregisterTaskDefinition was about; ``""`` for what is none."""
    asked = record.get("requestParameters") if isinstance(record, Mapping) else None
    name = asked.get("taskDefinition") if isinstance(asked, Mapping) else None
    return name if isinstance(name, str) else ""


def _row(told: Definition) -> dict[str, Any]:
    return {
        "revision": told.revision,
        "registered_at": told.registered_at,
        "deregistered_at": None,
        "status": told.status,
    }


def _settled(rows: Sequence[Mapping[str, Any]], times: Sequence[datetime]) -> bool:
    """Say whether the latest revision is known at each of *times*."""
    oldest = rows[-1]["registered_at"]
    if not times:
        return True
    if oldest is None or oldest > min(times):
        return False
    steps = Steps(rows)
    return len(rows) == 1 or all(steps.latest_at(time) is not None for time in times)


def table(told: Sequence[tuple[Place, tuple[str, Attempt]]]) -> pd.DataFrame:
    """
    Return the runs as a table, oldest first, columns :data:`FLEET_RUN_COLUMNS`.

    Examples
    --------
    >>> list(table([]).columns) == FLEET_RUN_COLUMNS
    True
    """
    import pandas as pd

    every = [(place, subject, attempt, run) for place, (subject, attempt) in told for run in attempt.runs]
    every.sort(key=lambda one: one[3].time or _LONG_AGO)
    runs_only = [run for *_, run in every]
    columns: dict[str, list[Any]] = {
        "account": [place.account for place, *_ in every],
        "region": [place.region for place, *_ in every],
        "subject": [subject for _, subject, *_ in every],
        "requested": [str(run.requested or "") for run in runs_only],
        "executed": [run.executed.revision if run.executed else None for run in runs_only],
        "started_at": [run.began for run in runs_only],
        "seconds": [seconds(run) for run in runs_only],
        "due": [attempt.due for _, _, attempt, _ in every],
    }
    same = [name for name in RUN_COLUMNS if name not in columns]
    columns |= {name: [getattr(run, name) for run in runs_only] for name in same}
    found = pd.DataFrame({name: columns[name] for name in FLEET_RUN_COLUMNS})
    numbers = {"attempt": "Int64", "executed": "Int64", "latest": "Int64", "exit_code": "Int64", "seconds": "float64"}
    times = {name: pd.to_datetime(found[name], utc=True) for name in ("time", "due", "started_at")}
    return found.astype(numbers).assign(**times)


def seconds(run: Run) -> float | None:
    """
    Return how long the containers of *run* ran; None if that is not known, or they run still.

    Examples
    --------
    >>> begin = datetime(2026, 11, 24, 17, tzinfo=UTC)
    >>> seconds(Run(begin, "nightly", "ECS", began=begin, ended=begin + timedelta(minutes=3)))
    180.0
    """
    return (run.ended - run.began).total_seconds() if run.began and run.ended else None
