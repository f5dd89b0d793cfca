"""The catalogue of failures: read from its one file, and held to its own rules."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from ecs_runbook.diagnosis.sighting import TOLD_BY
from ecs_runbook.diagnosis.words import Expected
from ecs_runbook.errors import RunbookError

Verified = Literal["verified", "seen in public issues", "inferred", "not verified"]
VERIFIED = ("verified", "seen in public issues", "inferred", "not verified")
CALLS = ("RunTask", "AssumeRole", "PutRule", "PutTargets", "CreateSchedule", "UpdateSchedule", "StartExecution")
KNOWN, UNKNOWN = "known", "unknown"

FACTS = frozenset(
    {
        "account",
        "action",
        "assign_public_ip",
        "call",
        "caller",
        "cluster",
        "container",
        "container_reasons",
        "containers_disagree",
        "denying_policy",
        "detail",
        "ended",
        "event_id",
        "event_time",
        "exhausted",
        "exit_code",
        "exit_codes",
        "expression",
        "family",
        "image",
        "launch_type",
        "machine",
        "platform_version",
        "policy_says",
        "region",
        "resource",
        "retry_attempts",
        "revision",
        "role",
        "rule",
        "schedule",
        "security_group",
        "security_groups",
        "service",
        "started_by",
        "stopped_reason",
        "subnet",
        "subnets",
        "task",
        "task_definition",
    }
)
"""What a row may ask about or name: what sightings tell, and what AWS's words hold."""

DERIVED = frozenset(
    {"again", "block", "cluster_arn", "owner", "passed_role", "subnet_list", "target", "task_resource", "trust"}
)
"""What is made of facts for the reader's text; see :mod:`~ecs_runbook.diagnosis.values`."""

PLACEHOLDER = re.compile(r"\{([a-z_]+)\|([^{}|]*)\}")
_BARE = re.compile(r"(?<!\$)\{[a-z_]+\}")
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NEEDED = ("id", "title", "shows", "means", "causes", "remedy", "check", "source", "verified")
_LISTS = ("shows", "calls", "codes", "messages", "causes", "narrows")


@dataclass(frozen=True)
class Row:
    """
    One failure of the catalogue; the fields are explained at the head of ``catalogue.toml``.

    ``expected`` is ``messages``, ready to be held against what AWS said; ``general`` holds the ids of all rows that it
    is a special case of, and ``depth`` says how special a case it is.
    """

    id: str
    title: str
    shows: tuple[str, ...]
    means: str
    causes: tuple[str, ...]
    remedy: str
    check: str
    source: str
    verified: Verified
    calls: tuple[str, ...] = ("RunTask",)
    codes: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    code_alone: bool = False
    when: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    narrows: tuple[str, ...] = ()
    diff: str = ""
    mistake: str = ""
    expected: tuple[Expected, ...] = field(default=(), repr=False, compare=False)
    general: frozenset[str] = field(default=frozenset(), compare=False)
    depth: int = field(default=0, compare=False)


@cache
def catalogue() -> tuple[Row, ...]:
    """
    Return the rows of ``catalogue.toml``, read once.

    Raises
    ------
    RunbookError
        If a row is not written as the head of the file says; see :func:`read_catalogue`.

    Examples
    --------
    >>> [row.title for row in catalogue() if row.id == "revision-inactive"]
    ['The pinned revision is deregistered']
    """
    return read_catalogue((files(__package__) / "catalogue.toml").read_text(encoding="utf-8"))


def read_catalogue(text: str) -> tuple[Row, ...]:
    r"""
    Read a catalogue.

    Raises
    ------
    RunbookError
        If it is not TOML, or a row has an unknown, missing or ill-written field: the row and the field are named.

    Examples
    --------
    >>> try:
    ...     read_catalogue('[[failure]]\nid = "x"\ncolour = "red"')
    ... except RunbookError as error:
    ...     print(error.message)
    catalogue.toml, row x: colour is not a field.
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RunbookError(f"catalogue.toml is not TOML: {error}.") from error
    if set(told) - {"failure"}:
        raise RunbookError(f"catalogue.toml: {sorted(set(told) - {'failure'})[0]} stands outside of [[failure]].")
    rows: dict[str, Row] = {}
    for number, written in enumerate(told.get("failure", []), 1):
        row = _row(written, number, rows)
        if row.id in rows:
            raise _fault(row.id, "id", "there is a row of that id already")
        rows[row.id] = row
    return tuple(rows.values())


def _row(written: Mapping[str, Any], number: int, before: Mapping[str, Row]) -> Row:
    name = str(written.get("id") or f"number {number}")
    allowed = {one.name for one in fields(Row)} - {"expected", "general", "depth"}
    for key in written:
        if key not in allowed:
            raise RunbookError(
                f"catalogue.toml, row {name}: {key} is not a field.", hint=f"Fields are: {', '.join(sorted(allowed))}."
            )
    for key in _NEEDED:
        if not written.get(key):
            raise _fault(name, key, "it is needed")
    values = {key: _value(name, key, value) for key, value in written.items()}
    narrowed = _narrowed(name, values, before)
    row = Row(
        **values,
        expected=_expected(name, values.get("messages", ())),
        general=frozenset({one.id for one in narrowed}.union(*(one.general for one in narrowed))),
        depth=max((one.depth + 1 for one in narrowed), default=0),
    )
    _check(row)
    return row


def _value(name: str, key: str, value: Any) -> Any:
    if key in _LISTS:
        if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
            raise _fault(name, key, "it is a list of texts")
        return tuple(value)
    if key == "when":
        if not isinstance(value, Mapping):
            raise _fault(name, key, 'it is a table: { revision = "unknown" }')
        return {fact: _wanted(name, wanted) for fact, wanted in value.items()}
    if key == "code_alone":
        if not isinstance(value, bool):
            raise _fault(name, key, "it is true or false")
        return value
    if not isinstance(value, str):
        raise _fault(name, key, "it is a text")
    return value.strip("\n") if key == "diff" else " ".join(value.split())


def _wanted(name: str, wanted: Any) -> str | tuple[str, ...]:
    if isinstance(wanted, str):
        return wanted
    if isinstance(wanted, list) and wanted and all(isinstance(one, str) for one in wanted):
        return tuple(wanted)
    raise _fault(name, "when", "a value is a text or a list of texts")


def _expected(name: str, messages: tuple[str, ...]) -> tuple[Expected, ...]:
    try:
        return tuple(map(Expected, messages))
    except ValueError as error:
        raise _fault(name, "messages", str(error).rstrip(".")) from error


def _narrowed(name: str, values: Mapping[str, Any], before: Mapping[str, Row]) -> list[Row]:
    for general in values.get("narrows", ()):
        if general not in before:
            raise _fault(name, "narrows", f"{general} is no row above it")
    return [before[general] for general in values.get("narrows", ())]


def _check(row: Row) -> None:
    faults = {
        "id": "" if _ID.fullmatch(row.id) else "it is small letters and digits with hyphens between",
        "shows": _foreign(row.shows, TOLD_BY),
        "calls": _foreign(row.calls, CALLS),
        "verified": _foreign((row.verified,), VERIFIED),
        "when": _foreign(row.when, FACTS),
        "messages": ""
        if row.messages or row.code_alone or row.when
        else "without one, code_alone = true or when is needed",
        "code_alone": "codes are needed" if row.code_alone and not row.codes else "",
        "diff": _misfit(row.diff),
        "causes": _misfit(" ".join(row.causes)),
        **{key: _misfit(getattr(row, key)) for key in ("title", "means", "remedy", "check")},
    }
    for expected in row.expected:
        faults["messages"] = faults["messages"] or _foreign(
            [hole for hole in expected.holes if hole not in ("", "*")], FACTS
        )
    for key, fault in faults.items():
        if fault:
            raise _fault(row.id, key, fault)


def _misfit(text: str) -> str:
    if bare := _BARE.search(text):
        return f"{bare.group()} needs words for when it is not known: {bare.group()[:-1]}|the …}}"
    return _foreign([found[1] for found in PLACEHOLDER.finditer(text)], FACTS | DERIVED)


def _foreign(values: Any, allowed: Any) -> str:
    wrong = [value for value in values if value not in allowed]
    return f"{wrong[0]!r} is none of {', '.join(sorted(allowed))}" if wrong else ""


def _fault(row: str, key: str, fault: str) -> RunbookError:
    return RunbookError(f"catalogue.toml, row {row}, {key}: {fault}.")
