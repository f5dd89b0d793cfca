"""What a schedule ran, and what of it was refused: ECS and CloudTrail in one table, each run judged at its moment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError, ParameterError
from ecs_runbook.evidence import attempts, attribution, trail
from ecs_runbook.evidence import ecs as remembered
from ecs_runbook.evidence import revisions as history
from ecs_runbook.evidence.attempts import answer
from ecs_runbook.evidence.executions import Execution, Try
from ecs_runbook.evidence.owners import Rivals
from ecs_runbook.firing.asking import Asking, Bars, Limiter
from ecs_runbook.firing.calls import FAILED_TO_START, REFUSED, Call, moment
from ecs_runbook.firing.histories import ABORTED, NOT_PLACED, RUNNING, SUCCEEDED, TASK_FAILED, TIMED_OUT
from ecs_runbook.firing.machines import Machine
from ecs_runbook.firing.names import Definition, definition, short
from ecs_runbook.firing.rules import Rule, read_rule
from ecs_runbook.firing.schedules import Schedule, read_schedule
from ecs_runbook.firing.starts import Start
from ecs_runbook.firing.tasks import Task, read_task
from ecs_runbook.firing.watch import SKIPPED
from ecs_runbook.session import AWS_PACE, Pace

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient

RUN_COLUMNS = [
    "time",
    "schedule",
    "run",
    "attempt",
    "requested",
    "executed",
    "latest",
    "state",
    "launch_type",
    "status",
    "exit_code",
    "error",
    "source",
    "task",
    "role",
]
LATEST, STALE, UNKNOWN = "LATEST", "STALE", "UNKNOWN"
ACCEPTED = "ACCEPTED"
FROM_ECS, FROM_TRAIL = "ECS", "CloudTrail"
FROM_BOTH = f"{FROM_ECS} + {FROM_TRAIL}"
FROM_MACHINE = attempts.FROM_MACHINE
TIMED_OUT_RUN, ABORTED_RUN = "TIMED OUT", "ABORTED"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
SECONDS_OF_DOUBT = 60
"""A younger revision may not be seen everywhere yet: ECS is eventually consistent, AWS does not say for how long."""

_GIVEN_UP = {TIMED_OUT: TIMED_OUT_RUN, ABORTED: ABORTED_RUN}
_SECOND = timedelta(seconds=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def runs(
    rule: str = "",
    *,
    schedule: str = "",
    since: datetime,
    until: datetime,
    ecs: ECSClient,
    events: EventBridgeClient,
    cloudtrail: CloudTrailClient,
    scheduler: Any = None,
    stepfunctions: Any = None,
    revisions: pd.DataFrame | None = None,
    pace: Pace = AWS_PACE,
    progress: Bars | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> pd.DataFrame:
    """
    Return what a rule or a schedule ran, and what of it was refused, in a time range.

    Parameters
    ----------
    rule
        Name of a rule on the default bus with at least one ECS target.
    schedule
        Instead of the rule: a schedule of EventBridge Scheduler that runs an ECS task, or starts a state machine that
        does; ``<group>/<name>`` outside the default group.
    since, until
        The range, aware.
    ecs, events, cloudtrail, scheduler, stepfunctions
        The clients; the last two for a schedule.
    revisions
        From :func:`~ecs_runbook.evidence.revisions.revisions`, if it was asked for already; several families one
        below the other. Without it they are asked for here.
    pace
        How fast CloudTrail may be asked: ``aws.pace`` of the session.
    progress
        Where to show how far it is.
    sleep, clock
        How to wait, and a clock in seconds that never goes back.

    Returns
    -------
    pandas.DataFrame
        One row per task, one per refusal, and one per firing that a state machine skipped, columns
        :data:`RUN_COLUMNS`, newest last; ``time`` is UTC.

        - ``schedule``: the rule, ``<rule> (drill)`` for a drill of it, or ``ambiguous: <rule> or <rule>``.
        - ``run``, ``attempt``: what one firing started, and the how manieth try it was, from 1: only a state machine
          tries again, and then ``run`` is the name of its execution; else it is the task's id, or the call's.
        - ``requested``: the task definition that was asked for, which CloudTrail alone tells; else ``""``.
        - ``executed``, ``latest``: the revision that ran, and the latest ACTIVE one at that moment; NA if not known.
        - ``state``: LATEST, STALE or UNKNOWN; ``""`` where nothing ran.
        - ``status``: of ECS; ACCEPTED if only CloudTrail knows of the task, so that nobody knows how it ended; TIMED
          OUT or ABORTED if a state machine gave it up and nobody knows how it ended, SUCCEEDED if the task told the
          machine that it went well, and no more is known; REFUSED, FAILED TO START
          (``failures[]``) or SKIPPED where nothing ran.
        - ``exit_code``: the worst of the essential containers; NA if it is not known, is running, or never ran.
        - ``error``: ``code: message`` of a refusal; why a task ended badly.
        - ``source``: ECS, CloudTrail, or both; Step Functions for a state machine's attempts. ``role``: the one that
          called RunTask, which ECS alone does not tell.

        ``attrs`` say more, in plain values for the receipt: ``because`` an empty table may be empty (``""`` if it is
        not); ``asked``, a list of ``{"source", "answered", "answer", "calls"}``; ``notes``, words on single runs by
        task ARN; ``records``, what each source said of them, environment values hidden; ``families``, those that its
        targets name now first; ``under_way``, the runs that may go on with another attempt.

    Raises
    ------
    EvidenceError
        If there is no such rule or schedule, or it runs no ECS task.
    AwsError
        If EventBridge refuses to tell of it. If another does, ``attrs["asked"]`` says so and the others' answers count.

    Notes
    -----
    Needs ``events:DescribeRule``, ``events:ListTargetsByRule``, ``ecs:ListTasks``, ``ecs:DescribeTasks``,
    ``ecs:ListTaskDefinitions``, ``ecs:DescribeTaskDefinition`` and ``cloudtrail:LookupEvents``. Only where runs could
    be another rule's: ``events:ListRules`` (names of 24 characters and more) and ``events:ListRuleNamesByTarget``
    (refusals that say no more than the role). For a schedule ``scheduler:GetSchedule`` in place of those of the rule,
    and where runs could be another's ``scheduler:ListSchedules``; for a state machine ``states:DescribeStateMachine``,
    ``states:ListExecutions`` and ``states:GetExecutionHistory`` too.
    """
    window = (since, until)
    about = Asking()
    mine: Rule
    if schedule:
        if scheduler is None:
            raise ParameterError(f"schedule = {schedule!r} needs a scheduler client.", hint="Hand on scheduler=.")
        mine = read_schedule(schedule, scheduler=scheduler, sfn=stepfunctions, ask=about)
    else:
        mine = read_rule(rule, events=events, ask=about)
    limiter = Limiter(pace.lookups_per_second, sleep=sleep, clock=clock)
    if isinstance(mine, Schedule) and mine.machine is not None:
        told = _of_machine(mine, mine.machine, window, ecs, stepfunctions, cloudtrail, limiter, progress)
    else:
        rivals = (
            Rivals.of_schedule(mine, scheduler=scheduler, ask=about)
            if isinstance(mine, Schedule)
            else Rivals.of_rule(mine, events=events, ask=about)
        )
        told = _of_calls(mine, rivals, window, ecs, cloudtrail, limiter, progress)
    if revisions is None:
        families = sorted({one.family for one in told.found if one.family} | set(mine.families))
        revisions, revisions_told = _ask_revisions(families, since, ecs)
        told.asked.append(revisions_told)
    else:
        families = sorted(set(revisions["family"]))
    source = "Scheduler" if isinstance(mine, Schedule) else "EventBridge"
    asked = [{"source": source, "answered": True, "answer": told.mine(), "calls": about.calls}, *told.asked]
    table, notes = _table(told.found, revisions, mine)
    table.attrs = {
        "because": because_empty(mine, window, asked) if table.empty else "",
        "asked": asked,
        "notes": notes | told.notes,
        "families": [*mine.families, *(family for family in families if family not in mine.families)],
        "under_way": told.under_way,
        "records": told.records,
    }
    return table


@dataclass(slots=True)
class Run:
    """
    One row in the making: what either source said of one task, or of one refusal.

    ``began`` and ``ended`` are when its containers started and stopped, which ECS alone tells; ``latest`` and ``state``
    are what :func:`judge` says, once it was asked.
    """

    time: datetime | None
    schedule: str
    source: str
    requested: Definition | None = None
    executed: Definition | None = None
    launch_type: str = ""
    status: str = ""
    exit_code: int | None = None
    error: str = ""
    task: str = ""
    role: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    latest: int | None = None
    state: str = ""
    run: str = ""
    attempt: int = 1
    exact: bool = field(default=False, repr=False)  # ECS tells the moment; CloudTrail the second that it lies in

    @property
    def family(self) -> str:
        """The family that ran, or was asked for."""
        known = self.executed or self.requested
        return known.family if known else ""

    @property
    def ran(self) -> bool:
        """Whether there was a task."""
        return self.status not in (REFUSED, FAILED_TO_START, SKIPPED)


def empty() -> pd.DataFrame:
    """
    Return a table of no runs.

    Examples
    --------
    >>> list(empty().columns) == RUN_COLUMNS
    True
    """
    return _typed([])


def of_task(task: Task, schedule: str) -> Run:
    """Return what ECS says of a run."""
    return Run(
        time=task.created,
        schedule=schedule,
        source=FROM_ECS,
        executed=definition(task.definition) if task.definition else None,
        launch_type=task.launch_type,
        status=task.status,
        exit_code=task.exit_code,
        error=task.error,
        task=task.arn,
        run=short(task.arn),
        began=moment(task.raw.get("startedAt")),
        ended=moment(task.raw.get("executionStoppedAt") or task.raw.get("stoppedAt")),
        exact=True,
    )


def of_call(call: Call, schedule: str) -> list[Run]:
    """
    Return what CloudTrail says: a run for each task and each failure of a call, or one for its refusal.

    Examples
    --------
    >>> from ecs_runbook.firing.calls import read
    >>> call = read({"eventName": "RunTask", "eventTime": "2026-11-24T17:00:12Z",
    ...              "responseElements": {"tasks": [], "failures": [{"reason": "AGENT"}]}})
    >>> [(run.status, run.error) for run in of_call(call, "nightly")]
    [('FAILED TO START', 'AGENT')]
    """
    common: dict[str, Any] = {
        "time": call.time,
        "schedule": schedule,
        "source": FROM_TRAIL,
        "requested": definition(call.requested) if call.requested else None,
        "launch_type": call.launch_type,
        "role": call.role,
        "run": call.event_id,
    }
    if call.refused:
        refusal = ": ".join(part for part in (call.error_code, call.error_message) if part)
        return [Run(**common, status=REFUSED, error=refusal)]
    placed = [
        replace(
            Run(**common, status=ACCEPTED, task=task.arn),
            run=short(task.arn) or call.event_id,
            executed=definition(task.definition) if task.definition else None,
            launch_type=task.launch_type or call.launch_type,
        )
        for task in call.tasks
    ]
    failed = [Run(**common, status=FAILED_TO_START, error=str(failure)) for failure in call.failures]
    # A record above 100 KB comes without its answer: something was accepted, and no more is known.
    return placed + failed or [Run(**common, status=ACCEPTED)]


def of_execution(execution: Execution, schedule: str) -> list[Run]:
    """
    Return what an execution says: a run for each of its tries, or one that says why it tried nothing.

    Examples
    --------
    >>> from ecs_runbook.firing.histories import Execution
    >>> skipped = Execution("arn", "one", "SUCCEEDED", None, None, skipped=True)
    >>> [(run.run, run.status, run.ran) for run in of_execution(skipped, "default/nightly")]
    [('one', 'SKIPPED', False)]
    """
    if execution.tries:
        return [_of_try(one, execution, schedule) for one in execution.tries]
    nothing = Run(execution.started, schedule, FROM_MACHINE, run=execution.name, role=execution.role)
    if execution.skipped:
        return [replace(nothing, status=SKIPPED)]
    if execution.status == RUNNING:
        return []
    refusal = ": ".join(part for part in (execution.error or execution.status, execution.cause) if part)
    return [replace(nothing, status=REFUSED, error=refusal)]


def _of_try(one: Try, execution: Execution, schedule: str) -> Run:
    known = read_task(one.described) if one.described else None
    own = "" if one.error == TASK_FAILED and one.cause else one.error
    error = ": ".join(part for part in (own, one.cause) if part)
    common: dict[str, Any] = {
        "time": one.started,
        "schedule": schedule,
        "source": FROM_MACHINE,
        "requested": definition(one.requested) if one.requested else None,
        "run": execution.name,
        "attempt": one.number,
        "role": execution.role,
        "error": error,
    }
    if known is None:
        status = (FAILED_TO_START if one.error in NOT_PLACED else REFUSED) if one.error else ACCEPTED
        return Run(**common, status=status)
    of_ecs = of_task(known, schedule)
    standing = known.status
    if one.stopped is not None and not one.error and standing != "STOPPED":
        standing = SUCCEEDED  # it told so by its token
    elif one.stopped is not None and standing == "PROVISIONING":
        # what the history tells last of a task that was given up is how it began
        standing = _GIVEN_UP.get(one.error, "STOPPED")
    return Run(
        **common,
        executed=of_ecs.executed,
        launch_type=of_ecs.launch_type,
        status=standing,
        exit_code=one.exit_code,
        task=one.task,
        began=of_ecs.began,
        ended=of_ecs.ended,
        exact=known.created is not None,
    )


def of_start(start: Start, schedule: str) -> Run:
    """Return what CloudTrail says of a start of a state machine that was refused."""
    refusal = ": ".join(part for part in (start.error_code, start.error_message) if part)
    return Run(start.time, schedule, FROM_TRAIL, status=REFUSED, error=refusal, role=start.role, run=start.event_id)


def merge(of_ecs: Iterable[Run], of_trail: Iterable[Run]) -> list[Run]:
    """
    Return each run once, oldest first: a task that both sources know of becomes one row.

    ECS decides how it ended and when it began; CloudTrail adds what was asked for and by which role.
    """
    by_task = {run.task: run for run in of_ecs}
    others = [run for run in of_trail if add(run, by_task) is run and not run.task]
    return sorted([*by_task.values(), *others], key=lambda run: run.time or _LONG_AGO)


def add(run: Run, by_task: dict[str, Run]) -> Run:
    """
    Return the run that a row of CloudTrail tells of: one of *by_task* that is the same task, told more of, or *run*.

    What has a task is entered in *by_task*.
    """
    known = by_task.setdefault(run.task, run) if run.task else run
    if known is not run:
        known.requested, known.role = run.requested, run.role
        known.source = FROM_BOTH if known.exact else known.source
        known.time = known.time or run.time
    return known


def judge(run: Run, revisions: pd.DataFrame) -> tuple[int | None, str]:
    """
    Return the latest ACTIVE revision at the run's moment, and LATEST, STALE or UNKNOWN; ``""`` if nothing ran.

    Parameters
    ----------
    run
        The run.
    revisions
        As from :func:`~ecs_runbook.evidence.revisions.revisions`; of several families if need be.

    Notes
    -----
    CloudTrail tells the second of a call, and a revision can be registered within it: then both are right.
    """
    own = revisions[revisions["family"] == run.family]
    return judge_by(run, history.Steps(own.to_dict("records")))


def judge_by(run: Run, steps: history.Steps) -> tuple[int | None, str]:
    """Do as :func:`judge`, by the steps of the run's family."""
    latest = steps.latest_at(run.time) if run.time and run.family else None
    if not run.ran:
        return latest, ""
    executed = run.executed.revision if run.executed else None
    if run.time and not run.exact and executed != latest:
        end = steps.latest_at(run.time + _SECOND - timedelta(microseconds=1))
        latest = end if end == executed else latest
    if executed is None or latest is None:
        return latest, UNKNOWN
    registered = steps.registered_at(executed)
    if executed > latest and registered is not None and run.time is not None and registered > run.time:
        # A run cannot be older than what it runs: two clocks disagree, so nothing is known.
        return latest, UNKNOWN
    return latest, LATEST if executed == latest else STALE


def why_stale(run: Run, registered_at: datetime | None, mine: Rule) -> str:
    """
    Return why an older revision ran, as far as it is known: a fixed one was asked for, or the latest was very young.

    Parameters
    ----------
    run
        Which was judged.
    registered_at
        When the latest revision was registered; None if that is not known.
    mine
        Its rule.

    Notes
    -----
    Source: AWS docs, ECS: the API is eventually consistent; how long a new revision takes to be seen is not documented.
    """
    if run.requested and run.requested.revision is not None:
        return f"asked for {run.requested}, a fixed revision"
    pinned = [definition(target.requested) for target in mine.targets if target.family == run.family]
    fixed = [one for one in pinned if one.revision is not None]
    if not run.requested and fixed:
        return f"its target names {fixed[0]}, a fixed revision"
    age = (run.time - registered_at).total_seconds() if registered_at and run.time else None
    if age is not None and 0 <= age < SECONDS_OF_DOUBT:
        return (
            f"revision {run.latest} was registered {age:.0f} s before; ECS is eventually consistent, and AWS does not"
            " say how long a new revision can take to be seen"
        )
    return ""


def because_empty(mine: Rule, window: tuple[datetime, datetime], asked: Sequence[Mapping[str, Any]]) -> str:
    """Return why a table may have no run in it, the likeliest first."""
    since, until = window
    silent = [f"{one['source']} did not answer ({one['answer']})" for one in asked if not one["answered"]]
    scheduled = isinstance(mine, Schedule)
    kind, name = ("schedule" if scheduled else "rule"), attribution.label(mine)
    who = "Scheduler" if scheduled else "EventBridge"
    disabled = [] if mine.enabled else [f"{kind} {name} is disabled"]
    known = [*silent, *disabled]
    return "; ".join(
        [
            f"no run of {name} was seen from {since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S} UTC",
            *known,
            "it may not have been due",
            "ECS forgets a stopped task after about an hour",
            "CloudTrail writes a call down after minutes (5 on average, more at times) and keeps it for 90 days",
            f"a role whose trust does not let {who} in leaves no RunTask at all",
        ]
    )


@dataclass
class _Told:
    """What was told of a rule's or a schedule's runs."""

    found: list[Run]
    asked: list[dict[str, Any]]
    records: dict[str, Any]
    mine: Callable[[], str]
    under_way: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


def _of_calls(
    mine: Rule,
    rivals: Rivals,
    window: tuple[datetime, datetime],
    ecs: ECSClient,
    cloudtrail: CloudTrailClient,
    limiter: Limiter,
    progress: Bars | None,
) -> _Told:
    """Learn the runs of one that calls RunTask itself."""
    tasks, ecs_told = _ask_ecs(mine, window, ecs)
    calls, trail_told = _ask_trail(window, cloudtrail, limiter, progress)
    own_calls = [(call, whose) for call in calls if (whose := rivals.whose(attribution.of_call(call)))]
    # a task that shows nobody who started it, as of Scheduler's universal target, is known by the call that placed it
    placed = {task.arn: whose for call, whose in own_calls for task in call.tasks}
    owners = [(task, rivals.whose(attribution.of_task(task)) or placed.get(task.arn, "")) for task in tasks]
    own_tasks = [(task, whose) for task, whose in owners if whose]
    found = merge(
        [of_task(task, whose) for task, whose in own_tasks],
        [run for call, whose in own_calls for run in of_call(call, whose)],
    )
    records = {
        FROM_ECS: [hidden(task.raw) for task, _ in own_tasks],
        FROM_TRAIL: [hidden(call.raw) for call, _ in own_calls],
    }
    return _Told(found, [ecs_told, trail_told], records, rivals.told)


def _of_machine(
    mine: Schedule,
    machine: Machine,
    window: tuple[datetime, datetime],
    ecs: ECSClient,
    sfn: Any,
    cloudtrail: CloudTrailClient,
    limiter: Limiter,
    progress: Bars | None,
) -> _Told:
    """Learn the runs of one that starts a state machine: its executions tell of every attempt."""
    since, until = window
    told = attempts.started(
        mine, machine, since=since, until=until, sfn=sfn, cloudtrail=cloudtrail, limiter=limiter, progress=progress
    )
    ask, own = Asking(), [execution for execution, _ in told.executions]
    try:
        own = attempts.completed(own, machine, ecs=ecs, ask=ask)
        ecs_told = answer(FROM_ECS, ask, "was asked how those tasks stand whose end the history does not tell")
    except AwsError as error:
        ecs_told = answer(FROM_ECS, ask, error)
    labels = [whose for _, whose in told.executions]
    found = [run for execution, whose in zip(own, labels, strict=True) for run in of_execution(execution, whose)]
    found += [of_start(start, whose) for start, whose in told.refused]
    state = "enabled" if mine.enabled else "disabled"
    return _Told(
        sorted(found, key=lambda run: run.time or _LONG_AGO),
        [*told.asked, *([ecs_told] if ask.calls else [])],
        {
            FROM_MACHINE: [hidden(execution.raw) for execution in own],
            FROM_TRAIL: [hidden(start.raw) for start, _ in told.refused],
        },
        lambda: f"schedule {mine.label} is {state}; it starts the state machine {machine.name}",
        under_way=[execution.name for execution in own if execution.status == RUNNING],
        notes={run.task: note for run in found if (note := _given_up(run))},
    )


def _given_up(run: Run) -> str:
    """Return what is to be said of a task that its machine no longer waits for, and that runs still."""
    if run.source != FROM_MACHINE or not run.error or run.status in ("STOPPED", *_GIVEN_UP.values()) or not run.ran:
        return ""
    return f"the state machine gave it up ({run.error.partition(':')[0]}), and ECS says that it is {run.status} still"


def _ask_ecs(mine: Rule, window: tuple[datetime, datetime], ecs: ECSClient) -> tuple[list[Task], dict[str, Any]]:
    ask, found = Asking(), []
    try:
        for cluster, family in sorted({(target.cluster, target.family) for target in mine.targets}):
            found += remembered.tasks(cluster, family, ecs=ecs, ask=ask)
    except AwsError as error:
        return found, answer(FROM_ECS, ask, error)
    since, until = window
    within = [task for task in found if task.created is None or since <= task.created <= until]
    return within, answer(FROM_ECS, ask, f"remembers {len(within)} tasks of {', '.join(mine.families)} in that time")


def _ask_trail(
    window: tuple[datetime, datetime], cloudtrail: CloudTrailClient, limiter: Limiter, progress: Bars | None
) -> tuple[tuple[Call, ...], dict[str, Any]]:
    ask = Asking()
    since, until = window
    try:
        found = trail.run_task_calls(
            since=since, until=until, cloudtrail=cloudtrail, ask=ask, limiter=limiter, progress=progress
        )
    except AwsError as error:
        return (), answer(FROM_TRAIL, ask, error)
    words = f"has {len(found.calls)} RunTask calls of the whole account in that time"
    unreadable = f"; {len(found.unreadable)} records could not be read: {', '.join(found.unreadable)}"
    return found.calls, answer(FROM_TRAIL, ask, words + (unreadable if found.unreadable else ""))


def _ask_revisions(families: Sequence[str], since: datetime, ecs: ECSClient) -> tuple[pd.DataFrame, dict[str, Any]]:
    import pandas as pd

    ask, found = Asking(), [history.frame([])]
    try:
        found += [history.revisions(family, ecs=ecs, since=since, ask=ask) for family in families]
    except AwsError as error:
        return found[0], answer("ECS revisions", ask, error)
    full = [table for table in found if len(table)]
    table = pd.concat(full, ignore_index=True) if full else found[0]
    return table, answer("ECS revisions", ask, f"told of {len(table)} revisions of {', '.join(families)}")


def _table(found: Sequence[Run], revisions: pd.DataFrame, mine: Rule) -> tuple[pd.DataFrame, dict[str, str]]:
    rows, notes = [], {}
    steps = {family: history.Steps(own.to_dict("records")) for family, own in revisions.groupby("family")}
    for run in found:
        own = steps.get(run.family) or history.Steps([])
        run.latest, run.state = judge_by(run, own)
        registered = own.registered_at(run.latest) if run.latest is not None else None
        if run.state == STALE and (note := why_stale(run, registered, mine)):
            notes[run.task] = note
        rows.append(row_of(run))
    return _typed(rows), notes


def row_of(run: Run) -> dict[str, Any]:
    """Return *run*, judged, as a row of the table."""
    return {
        "time": run.time,
        "schedule": run.schedule,
        "run": run.run,
        "attempt": run.attempt,
        "requested": str(run.requested or ""),
        "executed": run.executed.revision if run.executed else None,
        "latest": run.latest,
        "state": run.state,
        "launch_type": run.launch_type,
        "status": run.status,
        "exit_code": run.exit_code,
        "error": run.error,
        "source": run.source,
        "task": run.task,
        "role": run.role,
    }


def _typed(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(rows, columns=RUN_COLUMNS)
    numbers = {"attempt": "Int64", "executed": "Int64", "latest": "Int64", "exit_code": "Int64"}
    return table.astype(numbers).assign(time=pd.to_datetime(table["time"], utc=True))


def hidden(value: Any, key: str = "") -> Any:
    """
    Return what JSON can say of *value*; values of a container's environment are hidden, as CloudTrail hides them.

    Examples
    --------
    >>> hidden({"Input": '{"containerOverrides": [{"environment": [{"name": "TOKEN", "value": "shy"}]}]}'})["Input"]
    '{"containerOverrides": [{"environment": [{"name": "TOKEN", "value": "HIDDEN_DUE_TO_SECURITY_REASONS"}]}]}'
    """
    if key.lower() == "environment" and value:
        several = value if isinstance(value, list | tuple) else None
        return HIDDEN if several is None else [_nameless(one) for one in several]
    if isinstance(value, Mapping):
        return {str(name): hidden(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(inner) for inner in value]
    if isinstance(value, str) and "environment" in value.lower() and value.lstrip()[:1] in ("{", "["):
        try:
            return json.dumps(hidden(json.loads(value)), ensure_ascii=False)
        except (ValueError, RecursionError):
            return HIDDEN  # what cannot be read cannot be known to hold no secret
    return value.isoformat() if isinstance(value, datetime) else value


def _nameless(one: object) -> object:
    if not isinstance(one, Mapping):
        return HIDDEN
    return {"Name": one["Name"], "Value": HIDDEN} if "Name" in one else {"name": one.get("name", ""), "value": HIDDEN}
