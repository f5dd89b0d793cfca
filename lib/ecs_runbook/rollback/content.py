"""What a revision says: read whole, compared with another, and ready to be registered again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence.revisions import NOT_THERE
from ecs_runbook.firing.asking import Asking

if TYPE_CHECKING:
    import pandas as pd
    from mypy_boto3_ecs import ECSClient

DIFFERENCE_COLUMNS = ["field", "older", "newer"]
NOTHING = "(not there)"
CHANGED = "(another value, which is not shown)"
_BY_NAME = frozenset({"containerDefinitions", "environment", "secrets", "volumes"})
_SHOWN_SHORT = 400


@dataclass(frozen=True)
class Content:
    """
    One revision as ECS tells it.

    Attributes
    ----------
    arn, revision, status, registered_by
        Its own.
    fields
        All of it that can be registered again.
    tags
        Its tags, without those that AWS keeps to itself.
    raw
        All that ECS told.
    """

    arn: str
    revision: int
    status: str
    registered_by: str
    fields: Mapping[str, Any] = field(repr=False)
    tags: Sequence[Mapping[str, str]] = field(default=(), repr=False)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """``family:revision``."""
        return self.arn.rpartition("/")[2]

    @property
    def images(self) -> tuple[str, ...]:
        """The images of its containers, in order."""
        return tuple(str(one.get("image", "")) for one in self.fields.get("containerDefinitions", ()))

    def same_as(self, other: Content) -> bool:
        """Say whether both would run alike: whatever the order of what has a name, and whatever their tags."""
        return dict(_leaves(self.fields)) == dict(_leaves(other.fields))


def read_content(name: str, *, ecs: ECSClient, ask: Asking) -> Content | None:
    """
    Return a revision; None if ECS knows none of that name.

    Parameters
    ----------
    name
        ``family:revision``, an ARN, or a family: its latest ACTIVE revision.

    Notes
    -----
    Needs ``ecs:DescribeTaskDefinition``. What can be registered is taken from the API's own model.
    """
    try:
        told = ask("ecs:DescribeTaskDefinition", ecs.describe_task_definition, taskDefinition=name, include=["TAGS"])
    except AwsError as error:
        if error.code in NOT_THERE:
            return None
        raise
    shape = ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
    allowed = set(shape.members) - {"tags"} if shape else set()
    own = told["taskDefinition"]
    return Content(
        arn=str(own["taskDefinitionArn"]),
        revision=int(own["revision"]),
        status=str(own.get("status", "")),
        registered_by=str(own.get("registeredBy", "")),
        fields={key: value for key, value in own.items() if key in allowed},
        tags=tuple(tag for tag in told.get("tags", []) if not tag["key"].lower().startswith("aws:")),
        raw=own,
    )


def difference(older: Content, newer: Content) -> pd.DataFrame:
    """
    Return what is not the same in two revisions, field by field.

    Returns
    -------
    pandas.DataFrame
        Columns :data:`DIFFERENCE_COLUMNS`; containers, variables and secrets are told apart by their names, not by
        their place. The values of an environment are never shown: only that they are others.

    Examples
    --------
    >>> def one(image, value):
    ...     container = {"name": "main", "image": image, "environment": [{"name": "TOKEN", "value": value}]}
    ...     return Content("", 1, "ACTIVE", "", {"cpu": "256", "containerDefinitions": [container]})
    >>> told = difference(one("app:1", "a"), one("app:2", "b"))
    >>> list(told["field"]), told["newer"][1]
    (['containerDefinitions[main].image', 'containerDefinitions[main].environment[TOKEN]'],
     '(another value, which is not shown)')
    """
    import pandas as pd

    before, after = dict(_leaves(older.fields)), dict(_leaves(newer.fields))
    rows = []
    for where in [*before, *(key for key in after if key not in before)]:
        was, now = before.get(where, NOTHING), after.get(where, NOTHING)
        if was == now:
            continue
        if ".environment[" in where:
            was, now = (CHANGED if value != NOTHING else NOTHING for value in (was, now))
        rows.append((where, _short(was), _short(now)))
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value that holds no other, with its place; an entry of a list is named by its name, if it has one."""
    if isinstance(value, Mapping):
        entry = where.rpartition(".")[2]
        if entry.startswith(("environment[", "secrets[")):
            yield where, str(value.get("value", value.get("valueFrom", "")))
            return
        for key, inner in value.items():
            yield from _leaves(inner, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list) and where.rpartition(".")[2] in _BY_NAME:
        for inner in value:
            yield from _leaves(inner, f"{where}[{inner.get('name', '')}]")
    elif value not in ([], {}, None):
        yield where, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_SHORT else text[:_SHOWN_SHORT] + "…"
