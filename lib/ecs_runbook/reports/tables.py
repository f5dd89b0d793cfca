"""
Tables that can be searched and sorted, in JupyterLab and in the page, and read without either.

One script of our own, ``table.js``, stands in what a cell shows, so that it runs in JupyterLab; the page allows it by
its hash. Where no script may run, as in a notebook that is not trusted yet, the table is there all the same.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_WITHOUT = (
    "Searching and sorting need the script below it: run the notebook, choose <i>Trust Notebook</i> in the command "
    "palette, or open the HTML page of the run."
)
_PRINTED = "The first 100 rows are printed; search or sort before printing for others, or take the CSV file."


@dataclass(frozen=True)
class Cell:
    """
    A cell of a table.

    Attributes
    ----------
    markup
        What it shows, as HTML that is safe already.
    sort
        What it is sorted by; empty for what it shows.
    """

    markup: str
    sort: str = ""


@functools.cache
def script() -> str:
    """Return our script, as it stands between its tags."""
    return (_HERE / "table.js").read_text("utf-8")


@functools.cache
def style() -> str:
    """Return the style of what reports show."""
    return (_HERE / "report.css").read_text("utf-8")


def script_hash() -> str:
    """Return our script's hash, as a Content-Security-Policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()


def framed(markup: str, *, lively: bool = False) -> str:
    """Return *markup* with our style around it, and our script behind it if something in it is *lively*."""
    after = f"<script>{script()}</script>" if lively else ""
    # JupyterLab's single-key commands are not for what is typed into a search. Two classes outweigh its own style
    frame = '<div class="ecs-runbook report" data-lm-suppress-shortcuts="true">'
    return f"<style>{style()}</style>{frame}{markup}</div>{after}"


def searchable(heads: Sequence[str], rows: Iterable[Sequence[Cell]], *, widths: Sequence[str] = ()) -> str:
    """
    Return a table that :func:`framed` makes lively.

    Parameters
    ----------
    heads
        Over each column.
    rows
        Its cells.
    widths
        Of the columns, as CSS says; then what is long is broken, and the table is never wider than its place.
    """
    columns = "".join(f'<col style="width:{width}">' for width in widths)
    head = "".join(f"<th>{html.escape(word)}</th>" for word in heads)
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    fixed = " fixed" if widths else ""
    return (
        f'<div class="table{fixed}"><div class="search">{_WITHOUT}</div><table>'
        f"<colgroup>{columns}</colgroup><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
        f'<p class="more">{_PRINTED}</p></div>'
    )


def _cell(cell: Cell) -> str:
    sort = f' data-sort="{html.escape(cell.sort)}"' if cell.sort else ""
    return f"<td{sort}>{cell.markup}</td>"


class Shown:
    """
    What a cell shows: HTML where it can be shown, else a text.

    Attributes
    ----------
    html, text
        Both forms.
    """

    def __init__(self, markup: str, text: str) -> None:
        self.html = markup
        self.text = text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text
