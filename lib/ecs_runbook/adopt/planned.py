"""What the plan of an adoption does, attribute by attribute, beside what was chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_runbook.evidence.runs import hidden

if TYPE_CHECKING:
    import pandas as pd

    from ecs_runbook.adopt.adopt import Adoption

PLANNED_COLUMNS = ["resource", "attribute", "before", "after", "chosen", "because"]
_NOTHING: tuple[Any, ...] = (None, "", [], {})
_SHOWN = 300
_MOST_ROWS = 300
_SAID = "AWS takes {} where nothing is said, and the provider always says it"
_BLOCKS = frozenset({"dead_letter_config"})


@dataclass(frozen=True)
class Planned:
    """
    One thing that the plan does to what it imports.

    Attributes
    ----------
    address, attribute
        Of which resource, and which argument: ``target[0].ecs_parameters[0].task_definition_arn``.
    before, after
        Its values; None for none.
    chosen
        The mend that it is; ``""`` if nobody chose it.
    because
        Why it is there, or that it is not known.
    same
        Whether it only says what is so anyway.
    """

    address: str
    attribute: str
    before: Any
    after: Any
    chosen: str = ""
    because: str = ""
    same: bool = False

    def __str__(self) -> str:
        return f"{self.address}, {self.attribute}: {shown(self.before)} → {shown(self.after)}"


@dataclass(frozen=True)
class Judged:
    """
    What a plan comes to.

    Attributes
    ----------
    changes
        All that it changes, those first that nobody chose.
    imported
        Addresses that it imports.
    missing
        Addresses of resources that it does not import, though they are there.
    other
        What else it would do: make, destroy or replace something.
    absent
        Differences that were chosen and that it does not make.
    dropped
        What AWS keeps of a resource that it changes, and the provider has no argument for.
    """

    changes: tuple[Planned, ...]
    imported: tuple[str, ...]
    missing: tuple[str, ...]
    other: tuple[str, ...]
    absent: tuple[str, ...]
    dropped: tuple[str, ...] = ()

    @property
    def unchosen(self) -> list[Planned]:
        """What would change though nobody chose it."""
        return [one for one in self.changes if not one.chosen and not one.same]

    @property
    def same(self) -> list[Planned]:
        """What it only writes down: it is so anyway."""
        return [one for one in self.changes if one.same]

    @property
    def ready(self) -> bool:
        """Whether it imports everything, and changes exactly what was chosen."""
        return not (self.unchosen or self.missing or self.other or self.absent or self.dropped)

    @property
    def table(self) -> pd.DataFrame:
        """One row a change, columns :data:`PLANNED_COLUMNS`; no value of an environment is shown."""
        import pandas as pd

        rows = [
            (one.address, one.attribute, shown(one.before), shown(one.after), one.chosen, one.because)
            for one in self.changes
        ]
        return pd.DataFrame(rows, columns=PLANNED_COLUMNS, dtype=str)

    def __str__(self) -> str:
        chosen = sum(bool(one.chosen) for one in self.changes)
        word = "ready" if self.ready else "not ready"
        return f"{word}: {len(self.imported)} imported, {chosen} chosen differences, {len(self.unchosen)} others"

    def _repr_html_(self) -> str:
        return f"<p>{self}</p>{few(self.table)}"


def read_plan(adoption: Adoption, plan: Mapping[str, Any]) -> Judged:
    """
    Read the plan of an adoption.

    Parameters
    ----------
    adoption
        From :func:`~ecs_runbook.adopt.adopt.adopt_in_terraform`.
    plan
        As ``terraform show -json`` tells it.
    """
    wanted = {
        (adoption.written.addresses[one.of], one.attribute): one
        for one in adoption.differences
        if one.of in adoption.written.addresses
    }
    changes: list[Planned] = []
    imported, other = [], []
    seen = set()
    for resource in plan.get("resource_changes", []):
        change, address = resource["change"], resource["address"]
        if change.get("importing") is not None:
            imported.append(address)
        if change["actions"] in (["no-op"], ["read"]):
            continue
        if change["actions"] == ["create"] and address in adoption.written.made:
            made = wanted[address, "policy"]
            after = (change.get("after") or {}).get("policy")
            if _is(None, None, made.after, after):
                seen.add((address, "policy"))
                changes.append(Planned(address, "policy", None, after, made.mend, "chosen"))
                continue
        if change["actions"] != ["update"] or change.get("importing") is None:
            other.append(f"{' and '.join(change['actions'])} {address}")
            continue
        for path, before, after in _differences(change.get("before"), change.get("after"), ()):
            attribute = _attribute(path)
            name = next((word for word in reversed(path) if isinstance(word, str)), "")
            difference = wanted.get((address, name))
            if difference is not None and _is(difference.before, before, difference.after, after):
                seen.add((address, name))
                changes.append(Planned(address, attribute, before, after, difference.mend, "chosen"))
            elif not before and after is not None and after == adoption.written.silent.get((address, name)):
                changes.append(Planned(address, attribute, before, after, "", _SAID.format(after), same=True))
            else:
                changes.append(Planned(address, attribute, before, after, "", _why(name)))
    addresses = adoption.written.addresses.values()
    return Judged(
        tuple(sorted(changes, key=lambda one: bool(one.chosen) + 2 * one.same)),
        tuple(imported),
        tuple(one for one in addresses if one not in imported and one not in adoption.written.made),
        tuple(other),
        tuple(f"{one.mend} of {one.of}" for key, one in wanted.items() if key not in seen),
        tuple(str(one) for one in adoption.written.lost if one.address in {change.address for change in changes}),
    )


def _is(was: Any, before: Any, becomes: Any, after: Any) -> bool:
    if isinstance(becomes, Mapping):
        return bool(_json(before) == was and _json(after) == becomes)
    return bool((before or None) == (was or None) and after == becomes)


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def _why(name: str) -> str:
    return f"the provider reads {name} back otherwise than AWS told it, or it was changed since"


def _differences(
    before: Any, after: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], Any, Any]]:
    """Yield each leaf that differs; nothing, empty text and an empty list are one to AWS."""
    if before in _NOTHING and after in _NOTHING:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            yield from _differences(before.get(name), after.get(name), (*path, name))
    elif _both_lists(before, after) and len(before) == len(after) and path[-1] not in _BLOCKS:
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, (*path, at))
    elif before != after:
        yield path, before, after


def _both_lists(before: Any, after: Any) -> bool:
    return isinstance(before, list) and isinstance(after, list)


def _attribute(path: Sequence[str | int]) -> str:
    return "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in path).lstrip(".")


def few(table: pd.DataFrame) -> str:
    """Return the first rows of a table as HTML, and how many more there are: the receipt has all of them."""
    more = len(table) - _MOST_ROWS
    return str(table[:_MOST_ROWS].to_html(index=False)) + (f"<p>and {more:,} more</p>" if more > 0 else "")


def shown(value: Any) -> str:
    """Return a value as a table has it: no value of an environment, and not too long."""
    told = hidden(value)
    text = told if isinstance(told, str) else "" if told is None else json.dumps(told, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
