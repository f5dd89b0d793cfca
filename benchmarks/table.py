"""
The table and the picture of all benchmarks, in docs: what is measured anew replaces its row, the others stay.

`.venv/bin/python benchmarks/table.py` draws them again from what was kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
KEPT, PAGE, PICTURE = (ROOT / "docs" / f"benchmarks.{end}" for end in ("json", "md", "png"))
BEGIN, END = "<!-- the table: written by make bench -->\n", "<!-- its end -->\n"
HEADS = "| ours | measured | beside it | measured | ratio | bound | when |\n|---|---:|---|---:|---:|---|---|\n"


class Row(NamedTuple):
    """One line: ours, what stands beside it, both numbers, and the bound of their ratio, if there is one."""

    ours: str
    beside: str
    mine: float
    other: float
    bound: float | None = None

    @property
    def held(self) -> str:
        """Whether the bound is held."""
        if self.bound is None:
            return ""
        return "held" if self.mine <= self.bound * self.other else "NOT HELD"

    @property
    def ratio(self) -> float:
        """How many times the other it is."""
        return self.mine / self.other if self.other else 0.0


def show(rows: Iterable[Row]) -> None:
    """Print rows."""
    print(f"\n{'ours, in s if not said':<52}{'':>9}   {'beside':<50}{'':>9}   {'ratio':>6}   bound")
    for row in rows:
        bound = "" if row.bound is None else f"{row.bound:.2f}  {row.held}"
        print(f"{row.ours:<52}{row.mine:>9.2f}   {row.beside:<50}{row.other:>9.2f}   {row.ratio:>6.2f}   {bound}")


def keep(rows: Iterable[Row]) -> None:
    """Print rows, and put them into the page and the picture."""
    rows = list(rows)
    show(rows)
    kept = {(one["ours"], one["beside"]): one for one in json.loads(KEPT.read_text())}
    busy = ", on a busy machine" if os.getloadavg()[2] > 2 * (os.cpu_count() or 1) else ""  # of the last 15 minutes
    for row in rows:
        kept[row.ours, row.beside] = row._asdict() | {"when": f"{datetime.now(UTC):%Y-%m-%d}{busy}"}
    KEPT.write_text(json.dumps(list(kept.values()), indent=1) + "\n")
    draw()


def draw() -> None:
    """Write the page's table and the picture anew."""
    kept = json.loads(KEPT.read_text())
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{HEADS}{''.join(map(_line, kept))}{END}{after}")
    _picture(kept)


def _line(one: dict[str, Any]) -> str:
    row = Row(*(one[name] for name in Row._fields))
    bound = "" if row.bound is None else f"{row.bound:.2f} {row.held}"
    return (
        f"| {row.ours} | {_number(row.mine)} | {row.beside} | {_number(row.other)} | {row.ratio:.2f} | {bound} "
        f"| {one['when']} |\n"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _picture(kept: list[dict[str, Any]]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    about = [one for one in kept if one["ours"].startswith("runs of ") and one["ours"].endswith(": processor s")]
    million = [one for one in about if one["ours"].startswith("runs of 1,000,000 ")]
    bars = [(one["beside"].partition(",")[0], one["other"]) for one in million if one["beside"] != "the first time"]
    ours = {"ours, again" if one["beside"] == "the first time" else "ours": one["mine"] for one in million}
    bars += ours.items()
    bars.sort(key=lambda bar: bar[1])
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
    colours = ["#0969da" if name.startswith("ours") else "#afb8c1" for name, _ in bars]
    drawn = left.barh([name for name, _ in bars], [seconds for _, seconds in bars], color=colours)
    left.bar_label(drawn, labels=[f" {seconds:.1f} s" for _, seconds in bars])
    left.set(title="A million log records → runs", xlabel="seconds of a processor, logarithmic", xscale="log")
    left.margins(x=0.2)
    left.invert_yaxis()
    times = sorted((_records(one), one["mine"], one["other"]) for one in about if "the limit" in one["beside"])
    memory = sorted((_records(one), one["mine"]) for one in kept if "log records: memory" in one["ours"])
    many = [count for count, *_ in times]
    right.plot(many, [mine for _, mine, _ in times], "o-", color="#0969da", label="ours, processor s")
    right.plot(many, [other for *_, other in times], "o-", color="#afb8c1", label="zcat, processor s")
    right.plot(
        [count for count, _ in memory], [mb for _, mb in memory], "s--", color="#bf8700", label="ours, MB in all"
    )
    right.set(title="Growth", xlabel="records", xscale="log", yscale="log")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})


def _records(one: dict[str, Any]) -> int:
    return int(one["ours"].split()[2].replace(",", ""))


if __name__ == "__main__":
    draw()
