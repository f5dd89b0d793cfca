"""What failed, when, how often and why: ECS, dead-letter queues and CloudTrail asked in that order, told as one."""

from __future__ import annotations

import html
import re
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any

import pandas as pd

from ecs_runbook.diagnosis.explain import Explanation
from ecs_runbook.diagnosis.merging import Failure, failed, merge
from ecs_runbook.diagnosis.policies import RolePolicies
from ecs_runbook.errors import AwsError, ParameterError, SpecError
from ecs_runbook.evidence import attempts, attribution, dead_letters, trail
from ecs_runbook.evidence import ecs as remembered
from ecs_runbook.evidence.attribution import AMBIGUOUS
from ecs_runbook.evidence.dead_letters import Letter
from ecs_runbook.evidence.owners import Everyone, Rivals, all_rules, of_clusters
from ecs_runbook.evidence.runs import FROM_ECS, FROM_MACHINE, FROM_TRAIL, hidden
from ecs_runbook.evidence.trail import KEEPS as TRAIL_KEEPS
from ecs_runbook.evidence.trail import LATE
from ecs_runbook.firing import schedules
from ecs_runbook.firing.asking import DENIED, Asking, Bars, Limiter
from ecs_runbook.firing.calls import Call
from ecs_runbook.firing.histories import RUNNING, Execution
from ecs_runbook.firing.machines import Machine
from ecs_runbook.firing.names import drill_prefix, schedule_drill_prefix, short
from ecs_runbook.firing.rules import Rule, read_rule
from ecs_runbook.firing.schedules import Schedule, read_schedule
from ecs_runbook.firing.tasks import Task
from ecs_runbook.session import AWS_PACE, Pace
from ecs_runbook.wanted import schedule as expressions

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sqs import SQSClient

FAILURE_COLUMNS = ["cause", "title", "count", "first", "last", "subjects", "said", "told_by"]
EACH_COLUMNS = ["time", "subject", "cause", "title", "said", "told_by", "attempts", "task", "run", "mended"]
ASKED_COLUMNS = ["source", "answered", "answer", "calls", "not_yet", "no_longer"]
FROM_DLQ, FROM_EVENTBRIDGE, FROM_IAM = "DLQ", "EventBridge", "IAM"
FORGETS = timedelta(hours=1)
_WIDE = {"title": "min-width:9em", "subjects": "min-width:9em", "said": "min-width:13em", "told_by": "min-width:6em"}
_SEEN = ["title", "count", "first", "last", "subjects", "said", "told_by"]
_MOST_DUE = 10_000
_SHOWN = 3


def failures(
    *,
    rule: str = "",
    schedule: str = "",
    cluster: str = "",
    since: datetime,
    until: datetime,
    ecs: ECSClient,
    sqs: SQSClient,
    cloudtrail: CloudTrailClient,
    events: EventBridgeClient,
    scheduler: Any = None,
    stepfunctions: Any = None,
    iam: IAMClient | None = None,
    pace: Pace = AWS_PACE,
    progress: Bars | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Failures:
    """
    Gather what failed in a time range, and explain it.

    Parameters
    ----------
    rule
        Name of a rule on the default bus.
    schedule
        Name of a schedule of EventBridge Scheduler, ``<group>/<name>`` outside the default group.
    cluster
        Name or ARN of a cluster: what rules and schedules run there. With none of the three, the whole account in that
        Region.
    since, until
        The range, aware; *until* is taken for the present.
    ecs, sqs, cloudtrail, events, scheduler, stepfunctions
        The clients. Without *scheduler* the schedules of EventBridge Scheduler are left out, and that is said; with
        *stepfunctions* the *schedule* may be one that starts a state machine.
    iam
        An IAM client, to read the policies of roles that were denied something: AWS's words are the same for several
        mistakes in a policy. Without it they are not told apart.
    pace
        How fast CloudTrail may be asked: ``aws.pace`` of the session.
    progress
        Where to show how far it is.
    sleep, clock
        How to wait, and a clock in seconds that never goes back.

    Returns
    -------
    Failures
        A source that does not answer, or is forbidden, is told of in ``asked``; the others' answers count.

    Raises
    ------
    ParameterError
        If more than one of rule, schedule and cluster is named.
    EvidenceError
        If there is no such rule or schedule, or it runs no ECS task.
    AwsError
        If the rule or schedule that is named cannot be read.

    Notes
    -----
    Needs, for a rule, ``events:DescribeRule`` and ``events:ListTargetsByRule``; for a schedule
    ``scheduler:GetSchedule``; for a cluster or account ``events:ListRules``, ``events:ListTargetsByRule``,
    ``scheduler:ListSchedules``, ``scheduler:GetSchedule`` and (account) ``ecs:ListClusters``. Then ``ecs:ListTasks``,
    ``ecs:DescribeTasks``, ``ecs:DescribeTaskDefinition`` (tasks of several containers), ``sqs:GetQueueUrl``,
    ``sqs:GetQueueAttributes``, ``sqs:ReceiveMessage`` and ``cloudtrail:LookupEvents``; with *iam*, where something was
    denied, what :class:`~ecs_runbook.diagnosis.policies.RolePolicies` needs; for a schedule that starts a state machine
    ``states:DescribeStateMachine``, ``states:ListExecutions`` and ``states:GetExecutionHistory``, and nothing of ECS.
    Reading a queue takes nothing out of it, but raises the receive count of its messages. CloudTrail is asked for
    RunTask, or StartExecution, once, whatever the number of rules; refusals of AssumeRole are not looked up: every role
    that anyone assumes would have to be read, and that such a refusal is recorded at all is not verified.
    """
    named = {name: value for name, value in (("rule", rule), ("schedule", schedule), ("cluster", cluster)) if value}
    if len(named) > 1:
        raise ParameterError(
            f"{' and '.join(named)} are both named.", hint='Name one of them, and leave the others empty: "".'
        )
    window = (since, until)
    limiter = Limiter(pace.lookups_per_second, sleep=sleep, clock=clock)
    clients = {"ecs": ecs, "events": events, "scheduler": scheduler, "stepfunctions": stepfunctions}
    scope: _Scope
    if rule or schedule:
        scope = _One.of_rule(rule, clients) if rule else _One.of_schedule(schedule, clients)
    else:
        scope = _Many.of(cluster, clients, progress)
    if isinstance(scope, _One) and isinstance(scope.mine, Schedule) and scope.mine.machine is not None:
        policies = RolePolicies(iam, Asking()) if iam is not None else None
        return _of_machine(
            scope, scope.mine, scope.mine.machine, window, clients, sqs, cloudtrail, limiter, policies, progress
        )
    tasks, running, ecs_told = _ask_ecs(scope, window, ecs, progress)
    letters, dlq_told = _ask_queues(scope, window, sqs, progress)
    died = frozenset(task.arn for task, _ in tasks if failed(task))
    calls, trail_told = _ask_trail(scope, window, died, cloudtrail, limiter, progress)
    policies = RolePolicies(iam, Asking()) if iam is not None else None
    found = merge(tasks, calls, letters, known=lambda whose, role: {**scope.known(whose, role), "policy": policies})
    runs = _runs(tasks, calls, running)
    return Failures(
        about=scope.about,
        since=since,
        until=until,
        found=tuple(found),
        asked=pd.DataFrame(
            [ecs_told, dlq_told, trail_told, scope.told(), *_policies_told(policies)], columns=ASKED_COLUMNS
        ),
        runs=runs,
        missed=tuple(scope.missed(window, tasks, calls, found)) if trail_told["answered"] else (),
        explanations=Explanations(some[-1].best for some in _by_cause(found)),
        records=_records(tasks, calls, letters),
    )


@dataclass(frozen=True)
class Runs:
    """
    How many runs were seen that are not known to have failed: ended well, still running, or nobody knows how.

    ``skipped`` counts firings that a state machine skipped, since the task was running already: they are no runs.
    """

    ended_well: int = 0
    running: int = 0
    end_unknown: int = 0
    skipped: int = 0

    @property
    def seen(self) -> int:
        """All of them."""
        return self.ended_well + self.running + self.end_unknown

    def __str__(self) -> str:
        parts = {
            "ended with exit code 0": self.ended_well,
            "still running": self.running,
            "with an end that ECS has forgotten": self.end_unknown,
            "skipped, since one was running": self.skipped,
        }
        return ", ".join(f"{count} {words}" for words, count in parts.items() if count) or "none"


class Explanations(tuple[Explanation, ...]):
    """Explanations one below the other, as a notebook shows them."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n\n".join(str(one) for one in self) or "Nothing is to be explained."

    def _repr_html_(self) -> str:
        return "\n".join(one._repr_html_() for one in self) or "<p>Nothing is to be explained.</p>"


@dataclass(frozen=True)
class Failures:
    """
    What failed in a time range, and who told of it.

    Attributes
    ----------
    about
        What was asked about, in words: ``rule nightly``.
    since, until
        The range.
    found
        The failures, each once, oldest first.
    asked
        A table of the sources in the order in which they were asked, columns :data:`ASKED_COLUMNS`: ECS, DLQ,
        CloudTrail, EventBridge for the names, and IAM if something was denied. ``not_yet`` is what can still arrive,
        ``no_longer`` what nobody can know any more.
    runs
        The other runs.
    missed
        Times at which the schedule was due by the expression that it has now, after it was first seen, and of which
        nothing is known.
    explanations
        One for each cause, of its newest failure, with the reader's own values; in the order of :attr:`table`.
    records
        What the sources said of them, in plain values, environment values hidden.
    """

    about: str
    since: datetime
    until: datetime
    found: tuple[Failure, ...]
    asked: pd.DataFrame
    runs: Runs
    missed: tuple[datetime, ...] = ()
    explanations: Explanations = field(default_factory=lambda: Explanations())
    records: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def runs_seen(self) -> int:
        """How many runs were seen that are not known to have failed."""
        return self.runs.seen

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each cause, the most frequent first, columns :data:`FAILURE_COLUMNS`; times are UTC."""
        rows = [
            {
                "cause": some[-1].best.cause,
                "title": _title(some[-1].best),
                "count": len(some),
                "first": next((one.time for one in some if one.time), None),
                "last": next((one.time for one in reversed(some) if one.time), None),
                "subjects": _some(dict.fromkeys(one.subject for one in some)),
                "said": some[-1].said,
                "told_by": ", ".join(dict.fromkeys(source for one in some for source in one.told_by)),
            }
            for some in _by_cause(self.found)
        ]
        table = pd.DataFrame(rows, columns=FAILURE_COLUMNS)
        return table.assign(
            count=table["count"].astype("int64"),
            first=pd.to_datetime(table["first"], utc=True),
            last=pd.to_datetime(table["last"], utc=True),
        )

    @cached_property
    def each(self) -> pd.DataFrame:
        """
        One row for each failure, oldest first, columns :data:`EACH_COLUMNS`; an unknown ``cause`` is ``""``.

        ``run`` is the execution whose attempt it was, and ``mended`` whether a later attempt of that went well.
        """
        rows = [
            {
                "time": one.time,
                "subject": one.subject,
                "cause": one.best.cause,
                "title": _title(one.best),
                "said": one.said,
                "told_by": " + ".join(one.told_by),
                "attempts": one.attempts,
                "task": one.task,
                "run": one.run,
                "mended": one.mended,
            }
            for one in self.found
        ]
        table = pd.DataFrame(rows, columns=EACH_COLUMNS)
        return table.assign(time=pd.to_datetime(table["time"], utc=True), attempts=table["attempts"].astype("int64"))

    @property
    def mended(self) -> list[bool]:
        """For each row of :attr:`table`, whether a later attempt of the same run went well, of every one of them."""
        return [all(one.mended for one in some) for some in _by_cause(self.found)]

    @property
    def answered(self) -> dict[str, bool]:
        """Which source answered, by its name."""
        return dict(zip(self.asked["source"], self.asked["answered"], strict=True))

    def __str__(self) -> str:
        causes = len(self.table)
        what = (
            f"{_count(len(self.found), 'failure')} of {_count(causes, 'cause')}"
            if self.found
            else "no failure was seen"
        )
        span = f"from {self.since.astimezone(UTC):%Y-%m-%d %H:%M} to {self.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"{self.about}, {span}: {what}; {'other ' * bool(self.found)}runs: {self.runs}."

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{html.escape(str(self))}</b></p>"]
        if self.found:
            shown = self.table.assign(told_by=self.table["told_by"].str.replace("DLQ of a rule", "DLQ"))
            parts.append(_html_table(shown[_SEEN], _WIDE))
        wide = {"answer": "min-width:12em", "not_yet": "min-width:10em", "no_longer": "min-width:10em"}
        parts.append(_html_table(self.asked, wide))
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return it in plain values, for the receipt."""
        return {
            "about": self.about,
            "since": self.since,
            "until": self.until,
            "causes": self.table,
            "failures": self.each,
            "runs": {
                "ended_well": self.runs.ended_well,
                "running": self.runs.running,
                "end_unknown": self.runs.end_unknown,
            },
            "missed": list(self.missed),
            "asked": self.asked,
            "explanations": [str(one) for one in self.explanations],
            "records": dict(self.records),
        }


# -------- what is asked about


class _Scope:
    """What is asked about: which tasks, calls and letters count, and whose they are."""

    about: str
    targets: list[Any]

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], Mapping[str, Any]] = {}

    def task_lists(self, ecs: ECSClient, ask: Asking) -> Iterable[tuple[list[Task], frozenset[str], str]]:
        """Yield, place by place, the tasks, which of all run, and a word on what was left out."""
        raise NotImplementedError

    def whose_task(self, task: Task) -> str:
        """Return whose it is; ``""`` if it does not count."""
        raise NotImplementedError

    def whose_call(self, call: Call) -> str:
        """Return whose it is; ``""`` if it does not count."""
        raise NotImplementedError

    def whose_letter(self, letter: Letter) -> str:
        """Return whose it is; ``""`` if it does not count."""
        raise NotImplementedError

    def told(self) -> dict[str, Any]:
        """Return what EventBridge and Scheduler said."""
        raise NotImplementedError

    def missed(self, window: tuple[datetime, datetime], tasks: Any, calls: Any, found: Sequence[Failure]) -> Any:
        """Return when something was due and nothing is known."""
        del window, tasks, calls, found
        return ()

    def owner(self, subject: str) -> Rule | None:
        """Return the rule or schedule that is called so; None if it is not known, or not one alone."""
        raise NotImplementedError

    def known(self, subject: str, role: str) -> Mapping[str, Any]:
        """Return what is known of whose a failure is: the rule or schedule, and the target if there is but one."""
        owner = None if subject.startswith(AMBIGUOUS) else self.owner(subject)
        if owner is None:
            return {}
        key = (attribution.label(owner), role)
        if key not in self._said:
            self._said[key] = _known_of(owner, role)
        return self._said[key]


class _One(_Scope):
    """One rule, or one schedule."""

    def __init__(self, mine: Rule, rivals: Rivals, ask: Asking) -> None:
        super().__init__()
        self.mine, self._rivals, self._ask = mine, rivals, ask
        kind = "schedule" if isinstance(mine, Schedule) else "rule"
        self.about = f"{kind} {attribution.label(mine)}"
        self.targets = list(mine.targets)

    @classmethod
    def of_rule(cls, name: str, clients: Mapping[str, Any]) -> _One:
        ask = Asking()
        mine = read_rule(name, events=clients["events"], ask=ask)
        return cls(mine, Rivals.of_rule(mine, events=clients["events"], ask=ask), ask)

    @classmethod
    def of_schedule(cls, name: str, clients: Mapping[str, Any]) -> _One:
        ask, scheduler = Asking(), clients["scheduler"]
        if scheduler is None:
            raise ParameterError(f"schedule = {name!r} needs a scheduler client.", hint="Hand on scheduler=.")
        mine = read_schedule(name, scheduler=scheduler, sfn=clients["stepfunctions"], ask=ask)
        return cls(mine, Rivals.of_schedule(mine, scheduler=scheduler, ask=ask), ask)

    def task_lists(self, ecs: ECSClient, ask: Asking) -> Iterable[tuple[list[Task], frozenset[str], str]]:
        for cluster, family in sorted({(target.cluster, target.family) for target in self.targets}):
            yield remembered.tasks(cluster, family, ecs=ecs, ask=ask), frozenset(), ""

    def whose_task(self, task: Task) -> str:
        return self._rivals.whose(attribution.of_task(task))

    def whose_call(self, call: Call) -> str:
        return self._rivals.whose(attribution.of_call(call))

    def whose_letter(self, letter: Letter) -> str:
        if letter.sender == self.mine.arn:
            return attribution.label(self.mine)
        label = attribution.label(self.mine)
        of_schedule = isinstance(self.mine, Schedule)
        prefix = schedule_drill_prefix(label) if of_schedule else drill_prefix(self.mine.name)
        return f"{label} (drill)" if short(letter.sender).startswith(prefix) else ""

    def told(self) -> dict[str, Any]:
        source = "Scheduler" if isinstance(self.mine, Schedule) else FROM_EVENTBRIDGE
        return _row(source, self._ask, self._rivals.told())

    def missed(self, window: tuple[datetime, datetime], tasks: Any, calls: Any, found: Sequence[Failure]) -> Any:
        return self.missed_of(window, _moments(tasks, calls, found))

    def missed_of(self, window: tuple[datetime, datetime], moments: Any) -> list[datetime]:
        """Return when it was due and nothing is known, given when something was seen of whom."""
        if not self.mine.enabled:
            return []
        seen = [(time, whose) for time, whose in moments if time is not None]
        own = sorted(time for time, whose in seen if not whose.endswith("(drill)"))
        return _unanswered(self.mine, min((time for time, _ in seen), default=None), own, window)

    def owner(self, subject: str) -> Rule | None:
        del subject
        return self.mine


class _Many(_Scope):
    """All rules and schedules of a cluster, or of the account in that Region."""

    def __init__(self, cluster: str, known: Sequence[Rule], everyone: Everyone, told: dict[str, Any]) -> None:
        super().__init__()
        self._cluster, self._everyone, self._told = cluster, everyone, told
        self._known = {attribution.label(one): one for one in known}
        self._arns = {one.arn: attribution.label(one) for one in everyone.known}
        self.about = f"cluster {short(cluster)}" if cluster else "the account in this Region"
        self.targets = [target for one in known for target in one.targets]

    @classmethod
    def of(cls, cluster: str, clients: Mapping[str, Any], progress: Bars | None) -> _Many:
        ask, known, silent = Asking(), [], []
        try:
            known += all_rules(events=clients["events"], ask=ask, progress=progress)
            words = [f"{_count(len(known), 'rule')} of the default bus run ECS tasks"]
        except AwsError as error:
            silent.append(_refused(error))
            words = []
        try:
            if clients["scheduler"] is None:
                silent.append("schedules of Scheduler were not asked for")
            else:
                machines: list[str] = []
                found, more = schedules.of_ecs(scheduler=clients["scheduler"], ask=ask, machines=machines)
                known += found
                words.append(f"{_count(len(found), 'schedule')} of Scheduler" + (" do" if words else " run ECS tasks"))
                silent += [f"{more} more schedules were not looked at"] if more else []
                if machines:
                    rest = f" and {len(machines) - _SHOWN} more" if len(machines) > _SHOWN else ""
                    one_by_one = f"{', '.join(machines[:_SHOWN])}{rest} start a state machine"
                    words.append(f"{one_by_one}: what that runs is told of each alone, with schedule")
        except AwsError as error:
            silent.append(_refused(error))
        told = _row(FROM_EVENTBRIDGE, ask, "; ".join([*words, *silent]), answered=not silent)
        return cls(cluster, of_clusters(known, [cluster]) if cluster else known, Everyone(known), told)

    def task_lists(self, ecs: ECSClient, ask: Asking) -> Iterable[tuple[list[Task], frozenset[str], str]]:
        if self._cluster:
            clusters = [self._cluster]
        else:
            pages = ask.pages("ecs:ListClusters", ecs.list_clusters)
            clusters = [arn for page in pages for arn in page.get("clusterArns", [])]
        for cluster in clusters:
            found = remembered.stopped(cluster, ecs=ecs, ask=ask, wanted=_scheduled)
            others = f"left out {found.others} stopped tasks that no rule or schedule started"
            yield list(found.stopped), found.running, others if found.others else ""

    def whose_task(self, task: Task) -> str:
        return self._everyone.whose(attribution.of_task(task))

    def whose_call(self, call: Call) -> str:
        traces = attribution.of_call(call)
        whose = self._everyone.whose(traces)
        if not whose or not self._cluster:
            return whose
        if traces.cluster:
            return whose if short(traces.cluster) == short(self._cluster) else ""
        names = [one.partition(" (")[0] for one in whose.removeprefix(AMBIGUOUS).split(" or ")]
        return whose if any(name in self._known for name in names) else ""

    def whose_letter(self, letter: Letter) -> str:
        known = self._arns.get(letter.sender, "")
        if known:
            return known if known in self._known else ""
        ecs = ":ecs:" in letter.target and short(letter.target) in ("", short(self._cluster or letter.target))
        return letter.sender.rpartition(":")[2].partition("/")[2] if ecs else ""

    def told(self) -> dict[str, Any]:
        return self._told

    def owner(self, subject: str) -> Rule | None:
        return self._known.get(subject.partition(" (")[0])


def _known_of(owner: Rule, role: str) -> Mapping[str, Any]:
    named: dict[str, Any] = {"schedule" if isinstance(owner, Schedule) else "rule": owner.name}
    fitting = [target for target in owner.targets if role in ("", target.role)] or list(owner.targets)
    return named | {"target": hidden(fitting[0].raw)} if len(fitting) == 1 else named


def _scheduled(started_by: str) -> bool:
    return started_by.startswith(("events-rule/", schedules.STARTED_BY_PREFIX))


# -------- the three sources

Window = tuple[datetime, datetime]


def _ask_ecs(
    scope: _Scope, window: Window, ecs: ECSClient, progress: Bars | None
) -> tuple[list[tuple[Task, str]], frozenset[str], dict[str, Any]]:
    ask, own = Asking(), []
    running: set[str] = set()
    since, until = window
    answer: str | AwsError
    others: list[str] = []
    try:
        for tasks, alive, left_out in scope.task_lists(ecs, ask):
            running |= alive
            others += [left_out] if left_out else []
            for task in tasks:
                within = task.created is None or since <= task.created <= until
                if within and (whose := scope.whose_task(task)):
                    own.append((task, whose))
            if progress:
                progress.row("ECS", 0.5, _count(len(own), "task"))
        answer = "; ".join([f"remembers {_count(len(own), 'task')} of that time", *others])
    except AwsError as error:
        answer = error
    if progress:
        progress.row("ECS", 1.0, _count(len(own), "task"))
    alive_own = sum(task.status != "STOPPED" for task, _ in own)
    row = _row(
        FROM_ECS,
        ask,
        answer,
        not_yet=f"how {_count(alive_own, 'running task')} will end" if alive_own else "",
        no_longer=f"how tasks ended that stopped before {until - FORGETS:%Y-%m-%d %H:%M} UTC or so: ECS forgets a"
        " stopped task after about an hour"
        if since < until - FORGETS
        else "",
    )
    return own, frozenset(running), row


def _ask_queues(
    scope: _Scope, window: Window, sqs: SQSClient, progress: Bars | None
) -> tuple[list[tuple[Letter, str]], dict[str, Any]]:
    ask, own, said, gone = Asking(), [], [], []
    since, until = window
    unread = 0
    arns = dead_letters.queues_of(scope.targets)
    for arn in arns:
        queue = dead_letters.read_queue(arn, sqs=sqs, ask=ask, progress=progress)
        mine = [(letter, whose) for letter in queue.letters if (whose := scope.whose_letter(letter))]
        within = [(letter, whose) for letter, whose in mine if letter.time is None or since <= letter.time <= until]
        own += within
        unread += bool(queue.unread)
        found = [f"{_count(len(within), 'message')} of that time"] if queue.looked else []
        others = len(queue.letters) - len(mine)
        found += [f"{others} of others"] if others else []
        said.append(f"{queue.name}: {', '.join([*found, *([queue.unread] if queue.unread else [])])}")
        if queue.retention is not None and since < until - queue.retention:
            gone.append(f"{queue.name} keeps a message for {_span(queue.retention)}")
    without = sum(not dead_letters.queue_of(target) for target in scope.targets)
    if without:
        of = _count(len(scope.targets), "target")
        verb = "has" if without == 1 else "have"
        gone.append(f"{without} of {of} {verb} no dead-letter queue: what EventBridge gives up on there is lost")
    if arns:
        said.append("reading raised the receive count of the messages, and took none out")
    patience = max((_age(target) for target in scope.targets if dead_letters.queue_of(target)), default=None)
    not_yet = f"what is still being tried again, for up to {_span(patience)} after its time" if patience else ""
    row = _row(
        FROM_DLQ,
        ask,
        "; ".join(said) or "there is no dead-letter queue to read",
        answered=not unread,
        not_yet=not_yet,
        no_longer="; ".join(gone),
    )
    return own, row


def _ask_trail(
    scope: _Scope,
    window: Window,
    died: frozenset[str],
    cloudtrail: CloudTrailClient,
    limiter: Limiter,
    progress: Bars | None,
) -> tuple[list[tuple[Call, str]], dict[str, Any]]:
    ask = Asking()
    since, until = window
    whose: dict[int, str] = {}
    counts: Counter[str] = Counter()

    def keep(call: Call) -> Call | None:
        counts["all"] += 1
        owner = scope.whose_call(call)
        if not owner:
            return None
        if not (call.refused or call.failures or died & {placed.arn for placed in call.tasks}):
            call = replace(call, raw={})  # the whole records of what went well would fill the memory
        whose[id(call)] = owner
        return call

    answer: str | AwsError
    own: list[tuple[Call, str]] = []
    try:
        found = trail.run_task_calls(
            since=since, until=until, cloudtrail=cloudtrail, ask=ask, limiter=limiter, progress=progress, keep=keep
        )
        own = [(call, whose[id(call)]) for call in found.calls]
        answer = f"has {_count(len(own), 'RunTask call')} of it, of {counts['all']} in that time"
        if found.unreadable:
            answer += f"; {len(found.unreadable)} records could not be read: {', '.join(found.unreadable[:_SHOWN])}"
    except AwsError as error:
        answer = error
    gone = [f"calls before {until - TRAIL_KEEPS:%Y-%m-%d}: it keeps 90 days"] if since < until - TRAIL_KEEPS else []
    gone.append("whether EventBridge was refused the role itself: AssumeRole is not looked up here")
    late = max(since, until - LATE)
    row = _row(
        FROM_TRAIL,
        ask,
        answer,
        not_yet=f"calls after {late:%H:%M} UTC may not be written yet: it takes minutes, 5 on average",
        no_longer="; ".join(gone),
    )
    return own, row


def _policies_told(policies: RolePolicies | None) -> list[dict[str, Any]]:
    if policies is None or not policies.ask.calls:
        return []
    read = f"read the policies of {_count(policies.read, 'role')}, as they are now"
    if policies.refused is None:
        return [_row(FROM_IAM, policies.ask, read)]
    why = f"{_refused(policies.refused)}: which mistake in a policy it is stays open"
    return [_row(FROM_IAM, policies.ask, f"{read}; {why}" if policies.read else why, answered=False)]


def _row(
    source: str,
    ask: Asking,
    said: str | AwsError,
    *,
    answered: bool | None = None,
    not_yet: str = "",
    no_longer: str = "",
) -> dict[str, Any]:
    told = said if isinstance(said, str) else _refused(said)
    ok = isinstance(said, str) if answered is None else answered
    return {
        "source": source,
        "answered": ok,
        "answer": told,
        "calls": ask.calls,
        "not_yet": not_yet,
        "no_longer": no_longer,
    }


def _refused(error: AwsError) -> str:
    return f"the caller needs {error.operation}" if error.code in DENIED else str(error)


def _age(target: Any) -> timedelta:
    policy = target.raw.get("RetryPolicy")
    seconds = policy.get("MaximumEventAgeInSeconds") if isinstance(policy, Mapping) else None
    return timedelta(seconds=seconds) if isinstance(seconds, int) else timedelta(hours=24)


# -------- a schedule that starts a state machine


def _of_machine(
    scope: _One,
    mine: Schedule,
    machine: Machine,
    window: Window,
    clients: Mapping[str, Any],
    sqs: SQSClient,
    cloudtrail: CloudTrailClient,
    limiter: Limiter,
    policies: RolePolicies | None,
    progress: Bars | None,
) -> Failures:
    """Gather what failed of a schedule whose executions tell of every attempt; ECS need not be asked."""
    since, until = window
    told = attempts.started(
        mine,
        machine,
        since=since,
        until=until,
        sfn=clients["stepfunctions"],
        cloudtrail=cloudtrail,
        limiter=limiter,
        progress=progress,
    )
    letters, dlq_told = _ask_queues(scope, window, sqs, progress)
    found = merge(
        [],
        [],
        letters,
        known=lambda whose, role: {**scope.known(whose, role), "policy": policies},
        of_executions=told.executions,
        of_starts=told.refused,
    )
    own = [execution for execution, _ in told.executions]
    going = sum(one.status == RUNNING for one in own)
    gone = f"executions that ended before {until - TRAIL_KEEPS:%Y-%m-%d}" if since < until - TRAIL_KEEPS else ""
    late = f"starts after {max(since, until - LATE):%H:%M} UTC may not be written yet: it takes minutes, 5 on average"
    more = {
        FROM_MACHINE: {"not_yet": f"how {_count(going, 'execution')} will end" if going else "", "no_longer": gone},
        FROM_TRAIL: {"not_yet": late, "no_longer": ""},
    }
    rows = [one | more[one["source"]] for one in told.asked]
    answered = {one["source"]: one["answered"] for one in told.asked}
    seen = [(one.scheduled or one.started, mine.label) for one in own] + [(one.time, one.subject) for one in found]
    return Failures(
        about=f"{scope.about}, which starts {machine.name}",
        since=since,
        until=until,
        found=tuple(found),
        asked=pd.DataFrame([*rows, dlq_told, scope.told(), *_policies_told(policies)], columns=ASKED_COLUMNS),
        runs=Runs(
            ended_well=sum(_went_well(one) for one in own), running=going, skipped=sum(one.skipped for one in own)
        ),
        missed=tuple(scope.missed_of(window, seen)) if all(answered.values()) else (),
        explanations=Explanations(some[-1].best for some in _by_cause(found)),
        records={
            FROM_MACHINE: [hidden(one.raw) for one in own if any(not each.ended_well for each in one.tries)],
            FROM_DLQ: [hidden(letter.raw) for letter, _ in letters],
            FROM_TRAIL: [hidden(start.raw) for start, _ in told.refused],
        },
    )


def _went_well(execution: Execution) -> bool:
    return bool(execution.tries) and execution.status != RUNNING and execution.tries[-1].ended_well


# -------- what comes of it


def _runs(tasks: Sequence[tuple[Task, str]], calls: Sequence[tuple[Call, str]], running: frozenset[str]) -> Runs:
    known = {task.arn for task, _ in tasks}
    stopped = [task for task, _ in tasks if task.status == "STOPPED"]
    placed = {one.arn for call, _ in calls for one in call.tasks if one.arn} - known
    # A record above 100 KB comes without its answer: something was accepted, and no more is known.
    silent = sum(not (call.refused or call.tasks or call.failures) for call, _ in calls)
    return Runs(
        ended_well=sum(not failed(task) for task in stopped),
        running=len(tasks) - len(stopped) + len(placed & running),
        end_unknown=len(placed - running) + silent,
    )


def _moments(
    tasks: Sequence[tuple[Task, str]], calls: Sequence[tuple[Call, str]], found: Sequence[Failure]
) -> list[tuple[datetime | None, str]]:
    return [
        *((task.created, whose) for task, whose in tasks),
        *((call.time, whose) for call, whose in calls),
        *((one.time, one.subject) for one in found),
    ]


def _unanswered(mine: Rule, first: datetime | None, own: Sequence[datetime], window: Window) -> list[datetime]:
    """Return when *mine* was due, after it was first seen, without any trace until it was due again."""
    zone = schedules.zone_of(mine) if isinstance(mine, Schedule) else UTC
    since, until = window
    # Of an empty beginning nothing is said: the rule may be younger than the range.
    if first is None or zone is None or not mine.expression.startswith("cron("):
        return []
    try:
        coming = expressions.parse(mine.expression).after(max(since, first), zone=zone)
    except SpecError:
        return []
    due = []
    for moment in takewhile(lambda moment: moment <= until - LATE, coming):
        due.append(moment)
        if len(due) > _MOST_DUE:
            return []
    ends = pairwise([*due, until + LATE])
    return [start for start, end in ends if not any(start <= time < end for time in _between(own, start, end))]


def _between(times: Sequence[datetime], start: datetime, end: datetime) -> Sequence[datetime]:
    return times[bisect_left(times, start) : bisect_left(times, end)][:1]


def _key(one: Failure) -> tuple[str, str]:
    """Return what makes two failures the same: the cause; of unknown ones the words, without what differs each time."""
    best = one.best
    if best.known and best.cause:
        return best.cause, ""
    return "", re.sub(r"[0-9a-f]{8,}|\d+", "*", one.said)


def _by_cause(found: Sequence[Failure]) -> list[list[Failure]]:
    groups: dict[tuple[str, str], list[Failure]] = {}
    for one in found:
        groups.setdefault(_key(one), []).append(one)
    return sorted(groups.values(), key=len, reverse=True)


def _title(explanation: Explanation) -> str:
    return explanation.title if explanation.known else "unknown"


def _records(
    tasks: Sequence[tuple[Task, str]], calls: Sequence[tuple[Call, str]], letters: Sequence[tuple[Letter, str]]
) -> dict[str, Any]:
    """Return the records of what failed: those of runs that went well are counted, not kept."""
    bad = [task for task, _ in tasks if failed(task)]
    return {
        FROM_ECS: [hidden(task.raw) for task in bad],
        FROM_DLQ: [hidden(letter.raw) for letter, _ in letters],
        FROM_TRAIL: [hidden(call.raw) for call, _ in calls if call.raw],
    }


def _some(names: Iterable[str]) -> str:
    every = list(names)
    rest = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + rest


def _span(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    if hours >= 48:
        return f"{hours / 24:g} days"
    return f"{hours:g} hours" if hours >= 1 else f"{hours * 60:.0f} minutes"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _html_table(table: pd.DataFrame, styles: Mapping[str, str]) -> str:
    def style(name: Any) -> str:
        # an ARN has no place to break, and would push the last columns off the page
        wide = "white-space:nowrap" if name in ("first", "last", "source", "count") else "overflow-wrap:anywhere"
        return f'style="text-align:left;vertical-align:top;{";".join(filter(None, (wide, styles.get(name, ""))))}"'

    heads = "".join(f"<th {style(name)}>{html.escape(str(name))}</th>" for name in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td {style(name)}>{html.escape(_cell(value))}</td>" for name, value in row.items()) + "</tr>"
        for row in table.to_dict("records")
    )
    return f"<table style='margin-bottom:1em'><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return "" if pd.isna(value) else f"{value:%Y-%m-%d %H:%M}"
    return str(value)
