"""
Facts: what a record says, in flat rows. Every source gives the same ones, so every source leads to the same table.

A record is parsed once, where it is found; then rows are kept, sorted and asked, in memory, in Parquet or in Athena.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecs_runbook.evidence.runs import Run, of_call, of_task
from ecs_runbook.firing.calls import Call, moment, read
from ecs_runbook.firing.names import definition
from ecs_runbook.firing.tasks import Task, read_task

if TYPE_CHECKING:
    import pandas as pd

CALL, REGISTERED, DEREGISTERED, END = "call", "registered", "deregistered", "end"
EVENT_NAMES = ("RunTask", "RegisterTaskDefinition", "DeregisterTaskDefinition")
"""The only records of CloudTrail that facts are made of."""
RULE, SCHEDULE, MACHINE = "rule", "schedule", "state machine"
FACT_COLUMNS = {
    "account": "varchar",
    "region": "varchar",
    "time": "timestamptz",
    "what": "varchar",
    "event_id": "varchar",
    "item": "bigint",
    "caller": "varchar",
    "role": "varchar",
    "started_by": "varchar",
    "cluster": "varchar",
    "requested": "varchar",
    "executed": "varchar",
    "named": "varchar",
    "launch_type": "varchar",
    "status": "varchar",
    "error": "varchar",
    "task": "varchar",
    "exit_code": "bigint",
    "began": "timestamptz",
    "ended": "timestamptz",
}
"""
Of every table of facts, with the types that DuckDB and Athena keep them in. Texts are never null.

``what`` a fact is: ``call``, one task, one failure or the refusal of a RunTask call; ``registered`` and
``deregistered``, one revision, ``role`` being who did it; ``end``, a task that stopped, as ECS tells in an event.
``time`` is when the call was made; of an end, when the task was created. ``item`` tells several facts of one record
apart. ``caller`` is who called, as far as the record shows: a rule, a schedule, a state machine. ``requested``,
``executed`` and ``named``, the definition in the words of a refusal, are ``family:revision`` or a family.
"""
_ORDER = ["account", "region", "time", "what", "event_id", "item", "task"]
ORDER = [*_ORDER, *(name for name in FACT_COLUMNS if name not in _ORDER)]
"""What facts are sorted by, ascending, what is missing last: no two facts are equal in all of it."""
_SCHEDULER_AGENT = "AmazonEventBridgeScheduler"
"""Seen in a record of a universal target; that of a templated one is not verified."""
_MACHINES = "states.amazonaws.com"
_LARGEST = 2**63
_REGISTERING = {"RegisterTaskDefinition": REGISTERED, "DeregisterTaskDefinition": DEREGISTERED}


def facts_of_record(record: object) -> list[dict[str, Any]]:
    """
    Return the facts of one CloudTrail record; none if it is about nothing that counts here.

    Never fails, whatever the record holds: what is missing or of another type stays ``""`` or None.

    Examples
    --------
    >>> facts = facts_of_record({"eventName": "RunTask", "eventID": "e1", "eventTime": "2026-11-24T17:00:12Z",
    ...                          "recipientAccountId": "111122223333", "awsRegion": "eu-west-2",
    ...                          "errorCode": "AccessDenied", "sourceIPAddress": "events.amazonaws.com"})
    >>> [(one["what"], one["caller"], one["status"], one["error"]) for one in facts]
    [('call', 'rule', 'REFUSED', 'AccessDenied')]
    """
    whole = record if isinstance(record, Mapping) else {}
    if _text(whole.get("eventName")) in _REGISTERING:
        return _of_revision(whole)
    call = read(whole)
    if call is None:
        return []
    named = next((str(one) for one in call.named), "")
    common = _place(whole) | {"event_id": call.event_id, "caller": _caller(call), "named": named}
    common |= {"started_by": call.started_by, "cluster": call.cluster}
    return [_fact(CALL, run, **common, item=item) for item, run in enumerate(of_call(call, ""))]


def facts_of_stop(event: object) -> list[dict[str, Any]]:
    """
    Return the fact of one "ECS Task State Change" event of a task that stopped; none if it is another event.

    Examples
    --------
    >>> detail = {"taskArn": "arn:aws:ecs:eu-west-2:111122223333:task/batch/0f", "lastStatus": "STOPPED",
    ...           "createdAt": "2026-11-24T17:00:12Z", "startedBy": "events-rule/nightly",
    ...           "containers": [{"name": "main", "exitCode": 3}]}
    >>> event = {"id": "e2", "detail-type": "ECS Task State Change", "source": "aws.ecs", "detail": detail}
    >>> [(one["account"], one["what"], one["status"], one["exit_code"]) for one in facts_of_stop(event)]
    [('111122223333', 'end', 'STOPPED', 3)]
    """
    whole = event if isinstance(event, Mapping) else {}
    detail = whole.get("detail")
    if whole.get("detail-type") != "ECS Task State Change" or whole.get("source") != "aws.ecs":
        return []
    if not isinstance(detail, Mapping) or detail.get("lastStatus") != "STOPPED":
        return []
    told = {"account": _text(whole.get("account")), "region": _text(whole.get("region"))}
    return [_end(plain_task(detail), told | {"event_id": _text(whole.get("id"))})]


def facts_of_task(task: Task) -> list[dict[str, Any]]:
    """
    Return the fact of a task as ECS describes it; none while it runs.

    It is the same end that the task's event tells, but that ECS is asked which containers are essential.

    Examples
    --------
    >>> task = read_task({"taskArn": "arn:aws:ecs:eu-west-2:111122223333:task/batch/0f", "lastStatus": "STOPPED",
    ...                   "containers": [{"name": "main", "exitCode": 3}]})
    >>> [(one["account"], one["region"], one["what"], one["exit_code"]) for one in facts_of_task(task)]
    [('111122223333', 'eu-west-2', 'end', 3)]
    """
    return [_end(task, {"event_id": ""})] if task.status == "STOPPED" else []


def facts_of_revision(row: Mapping[Any, Any], *, account: str, region: str) -> list[dict[str, Any]]:
    """
    Return the facts of one revision as ECS tells it, a row of :func:`~ecs_runbook.evidence.revisions.revisions`.

    A revision of which ECS tells no times gives none.

    Examples
    --------
    >>> row = {"family": "nightly", "revision": 7, "registered_at": "2026-11-24T17:00:12.5Z", "deregistered_at": None}
    >>> facts = facts_of_revision(row, account="111122223333", region="eu-west-2")
    >>> [(one["what"], one["executed"], one["time"].isoformat()) for one in facts]
    [('registered', 'nightly:7', '2026-11-24T17:00:12.500000+00:00')]
    """
    executed = definition(f"{row.get('family')}:{row.get('revision')}")
    told = {"account": account, "region": region, "event_id": "", "item": 0, "caller": "", "named": ""}
    told |= {"started_by": "", "cluster": ""}
    by = {REGISTERED: _text(row.get("registered_by")), DEREGISTERED: ""}
    times = {REGISTERED: moment(row.get("registered_at")), DEREGISTERED: moment(row.get("deregistered_at"))}
    return [
        _fact(what, Run(time, "", "", executed=executed, role=by[what]), **told)
        for what, time in times.items()
        if time is not None and time == time  # NaT is not equal to itself
    ]


def frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """
    Return facts as a table, columns :data:`FACT_COLUMNS`: each once, in one order, however they came.

    A record that is delivered twice gives the same facts twice; they are one.

    Examples
    --------
    >>> list(frame([]).columns) == list(FACT_COLUMNS)
    True
    """
    import pandas as pd

    return settled(typed(pd.DataFrame(list(rows), columns=list(FACT_COLUMNS))))


def typed(table: pd.DataFrame, *, kept: bool = False) -> pd.DataFrame:
    """Return *table* with the columns and types of facts; texts of what was *kept* in a file are sayable already."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, kind in FACT_COLUMNS.items():
        if kind == "timestamptz":
            columns[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[us, UTC]")
        elif kind == "bigint":
            columns[name] = table[name].astype("Int64")
        else:
            texts = table[name].astype("str")
            columns[name] = texts if kept else _sayable(texts)
    return pd.DataFrame(columns, columns=list(FACT_COLUMNS))


def _sayable(texts: pd.Series[str]) -> pd.Series[str]:
    """Return *texts* as UTF-8 can say them: in JSON, half a pair of surrogates may stand alone."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return texts.map(lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return texts


def settled(facts: pd.DataFrame) -> pd.DataFrame:
    """Return *facts* each once and in one order, that of :data:`ORDER`."""
    once = facts.drop_duplicates()
    by = ORDER if once.duplicated(_ORDER).any() else _ORDER  # seldom needed, and takes three times as long
    return once.sort_values(by, kind="stable", ignore_index=True)


def _of_revision(whole: Mapping[str, Any]) -> list[dict[str, Any]]:
    if whole.get("errorCode") or whole.get("errorMessage"):
        return []
    if whole.get("eventSource", "ecs.amazonaws.com") != "ecs.amazonaws.com":
        return []
    name = str(whole["eventName"])
    answer = _mapping(_mapping(whole.get("responseElements")).get("taskDefinition"))
    asked = _mapping(whole.get("requestParameters"))
    told = _text(answer.get("taskDefinitionArn")) or _text(asked.get("taskDefinition")) or _text(asked.get("family"))
    if not told:
        return []
    run = Run(moment(whole.get("eventTime")), "", "", executed=definition(told), role=_text(_identity(whole, "arn")))
    common = {"event_id": _text(whole.get("eventID")), "item": 0, "caller": "", "named": ""}
    return [_fact(_REGISTERING[name], run, **_place(whole), **common, started_by="", cluster="")]


def _fact(what: str, run: Run, **told: Any) -> dict[str, Any]:
    return {
        "time": run.time,
        "what": what,
        "role": run.role,
        "requested": str(run.requested or ""),
        "executed": str(run.executed or ""),
        "launch_type": run.launch_type,
        "status": run.status,
        "error": run.error,
        "task": run.task,
        "exit_code": number(run.exit_code),
        "began": run.began,
        "ended": run.ended,
        **told,
    }


def _end(task: Task, told: Mapping[str, str]) -> dict[str, Any]:
    """Return the fact of a task that stopped; where it ran its own ARN says too."""
    arn = (task.arn.split(":") + [""] * 6)[:6]
    place = {"account": told.get("account") or arn[4], "region": told.get("region") or arn[3]}
    common = {"event_id": told["event_id"], "item": 0, "caller": "", "named": ""}
    return _fact(END, of_task(task, ""), **place, **common, started_by=task.started_by, cluster=task.cluster)


def _place(whole: Mapping[str, Any]) -> dict[str, str]:
    account = _text(whole.get("recipientAccountId")) or _text(_identity(whole, "accountId"))
    return {"account": account, "region": _text(whole.get("awsRegion"))}


def _caller(call: Call) -> str:
    if call.by_eventbridge:
        return RULE
    if _MACHINES in (_identity(call.raw, "invokedBy"), call.raw.get("sourceIPAddress"), call.raw.get("userAgent")):
        return MACHINE
    return SCHEDULE if _text(call.raw.get("userAgent")).startswith(_SCHEDULER_AGENT) else ""


def _identity(whole: Mapping[str, Any], name: str) -> object:
    return _mapping(whole.get("userIdentity")).get(name)


def plain_task(described: Mapping[str, Any]) -> Task:
    """Read a task that was written down somewhere: what is a text, and of its containers name, exit code and reason."""
    several = described.get("containers")
    containers = [
        {"name": _text(one.get("name")), "exitCode": number(one.get("exitCode")), "reason": _text(one.get("reason"))}
        for one in (several if isinstance(several, list) else ())
        if isinstance(one, Mapping)
    ]
    plain = {name: value for name, value in described.items() if isinstance(value, str)}
    return read_task(plain | {"containers": containers})


def number(value: object) -> int | None:
    """
    Return *value* if it is a whole number that a table can hold.

    Examples
    --------
    >>> number(137), number(2**70), number("137")
    (137, None, None)
    """
    return value if isinstance(value, int) and abs(value) < _LARGEST else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def when(value: Any) -> datetime | None:
    """Return a time of a table as a moment; None if there is none."""
    return None if value is None or value != value else value.to_pydatetime()
