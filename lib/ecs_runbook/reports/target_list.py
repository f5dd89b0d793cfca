"""What is on a schedule, as a table to search and to sort."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence

from ecs_runbook.firing.names import definition, short
from ecs_runbook.inventory.model import Inventory, Row
from ecs_runbook.reports.tables import Cell, Shown, framed, searchable

MOST_ROWS = 300
"""The executed notebook stays small; ``inventory.csv`` has all of them."""
_WIDTHS = ("26%", "12%", "24%", "24%", "14%")


def target_list(found: Inventory) -> Shown:
    """Return how much was found, what could not be listed, and the targets, at most :data:`MOST_ROWS` of them."""
    kinds = Counter(row.kind for row in found.rows)
    counted = ", ".join(f"{count:,} of {kind}s" for kind, count in kinds.most_common())
    others = f"; {found.others:,} rules and schedules end elsewhere" if found.others else ""
    words = [f"{len(found.rows):,} targets end in ECS{f' ({counted})' if counted else ''}{others}."]
    words += [f"Not listed: {gap.place or 'everywhere'}: {gap}" for gap in found.gaps[:10]]
    words += [f"and {len(found.gaps) - 10} more gaps"] if len(found.gaps) > 10 else []
    if len(found.rows) > MOST_ROWS:
        words.append(f"The first {MOST_ROWS} of them follow; all are in inventory.csv.")
    said = "".join(f"<p>{html.escape(word)}</p>" for word in words)
    table = ""
    if found.rows:
        many = len({row.place for row in found.rows}) > 1
        heads = ("name", "kind", "schedule", "task definition", "cluster")
        table = searchable(heads, [_row(row, many) for row in found.rows[:MOST_ROWS]], widths=_WIDTHS)
    return Shown(framed(said + table, lively=bool(found.rows)), "\n".join(words))


def _row(row: Row, many: bool) -> Sequence[Cell]:
    place = f"<br><small>{html.escape(str(row.place))}</small>" if many else ""
    off = "" if row.owner.enabled else "<br><small>disabled</small>"
    through = f"<br><small>through {html.escape(row.through.rpartition(':')[2])}</small>" if row.through else ""
    when = row.owner.expression or "on events"
    zone = f" <small>{html.escape(row.zone)}</small>" if row.kind == "schedule" else ""
    return (
        Cell(html.escape(row.subject) + place),
        Cell(html.escape(row.kind) + off + through),
        Cell(html.escape(when) + zone),
        Cell(html.escape(str(definition(row.request.definition)))),
        Cell(html.escape(short(row.request.cluster))),
    )
