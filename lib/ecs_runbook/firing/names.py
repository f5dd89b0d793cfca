"""Names and ARNs on the way from a rule to a task: built, cut and taken apart. Nothing here asks AWS."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

STARTED_BY_PREFIX = "events-rule/"
STARTED_BY_LENGTH = 36
DRILL_PREFIX = "ecsrb-"
DRILL_TAG = "ecs-runbook"
DRILL_TAG_VALUE = "drill"
DRILL_OF_TAG = "ecs-runbook-of"
DRILL_UNTIL_TAG = "ecs-runbook-until"

_DEFINITION_IN_TEXT = re.compile(
    r"arn:[\w-]+:ecs:[\w-]*:\d*:task-definition/([A-Za-z0-9_-]{1,255})(?::(\d{1,10}))?(?![\w:/-])", re.ASCII
)


class Definition(NamedTuple):
    """A task definition: its family and, when it is named, its revision."""

    family: str
    revision: int | None

    def __str__(self) -> str:
        return self.family if self.revision is None else f"{self.family}:{self.revision}"


@lru_cache(maxsize=16384)
def definition(arn: str) -> Definition:
    """
    Return family and revision of a task definition's ARN or short name.

    Examples
    --------
    >>> definition("arn:aws:ecs:eu-west-1:111122223333:task-definition/nightly:12")
    Definition(family='nightly', revision=12)
    >>> str(definition("nightly"))
    'nightly'
    """
    family, _, revision = arn.rpartition("/")[2].partition(":")
    return Definition(family, int(revision) if re.fullmatch(r"[0-9]{1,10}", revision) else None)


def definitions_in(text: str) -> list[Definition]:
    """
    Return the task definitions whose ARNs stand in *text*, as in an AccessDenied of AWS.

    Examples
    --------
    >>> definitions_in("not authorized to perform: ecs:RunTask on resource: "
    ...                "arn:aws:ecs:eu-west-2:111122223333:task-definition/a_test_task:9 because …")
    [Definition(family='a_test_task', revision=9)]
    """
    found = _DEFINITION_IN_TEXT.findall(text)
    return [Definition(family, int(revision) if revision else None) for family, revision in found]


def short(arn: str) -> str:
    """
    Return the last part of an ARN: a cluster's, task's or role's own name.

    Examples
    --------
    >>> short("arn:aws:ecs:eu-west-1:111122223333:cluster/batch"), short("batch")
    ('batch', 'batch')
    """
    return arn.rpartition("/")[2]


def started_by(rule: str) -> str:
    """
    Return what EventBridge writes into a task's ``startedBy`` for *rule*.

    It is cut to 36 characters, so only the first 24 of the rule's name are left and two rules can share it.
    Source: eight public values of longer names, every one 36 characters long; seen, not documented.

    Examples
    --------
    >>> started_by("nightly")
    'events-rule/nightly'
    >>> started_by("nightly-report-of-the-whole-company")
    'events-rule/nightly-report-of-the-wh'
    """
    return f"{STARTED_BY_PREFIX}{rule}"[:STARTED_BY_LENGTH]


def drill_prefix(rule: str) -> str:
    """
    Return how the names of all drills of *rule* begin.

    Examples
    --------
    >>> drill_prefix("nightly")
    'ecsrb-2a3b62b5-'
    """
    return f"{DRILL_PREFIX}{hashlib.sha256(rule.encode()).hexdigest()[:8]}-"


def drill_name(rule: str, random: str) -> str:
    """
    Return the name of the temporary rule of one drill of *rule*: 23 characters, so that ``startedBy`` holds all of it.

    Parameters
    ----------
    rule
        The name of the rule that is drilled.
    random
        Eight characters that no other drill has.

    Examples
    --------
    >>> drill_name("nightly", "0a1b2c3d"), len(drill_name("nightly", "0a1b2c3d"))
    ('ecsrb-2a3b62b5-0a1b2c3d', 23)
    """
    return f"{drill_prefix(rule)}{random}"


def schedule_drill_prefix(label: str) -> str:
    """
    Return how the names of all drills of a schedule begin; *label* is ``<group>/<name>``.

    Examples
    --------
    >>> schedule_drill_prefix("default/nightly")
    'ecsrb-ec737c-'
    """
    return f"{DRILL_PREFIX}{hashlib.sha256(label.encode()).hexdigest()[:6]}-"


def schedule_drill_name(label: str, random: str) -> str:
    """
    Return the name of the temporary schedule of one drill: 19 characters, so that ``startedBy`` holds all of it.

    Parameters
    ----------
    label
        The schedule that is drilled, as ``<group>/<name>``.
    random
        Six characters that no other drill has.

    Examples
    --------
    >>> schedule_drill_name("default/nightly", "0a1b2c"), len(schedule_drill_name("default/nightly", "0a1b2c"))
    ('ecsrb-ec737c-0a1b2c', 19)
    """
    return f"{schedule_drill_prefix(label)}{random}"


def is_drill_of(started: str, rule: str) -> bool:
    """
    Say whether a task's ``startedBy`` is that of a drill of *rule*.

    Examples
    --------
    >>> is_drill_of("events-rule/ecsrb-2a3b62b5-0a1b2c3d", "nightly")
    True
    >>> is_drill_of("events-rule/nightly", "nightly")
    False
    """
    return started.startswith(f"{STARTED_BY_PREFIX}{drill_prefix(rule)}")
