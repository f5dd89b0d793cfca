"""
The executed notebook, and its page to read in a browser.

The notebook is the committed one, with what ran and what it showed; the page is prose first, code second. Cells that
are tagged ``report`` stand first, without their code. The page loads nothing from anywhere, and no script in it can run
but our own, known by its hash: a Content-Security-Policy of its own says so to the browser.
"""

from __future__ import annotations

import difflib
import functools
import html
import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ecs_runbook.reports.recording import Executed
from ecs_runbook.reports.tables import script, script_hash

FIRST = "report"
"""The tag of the cells that a reader wants first."""
_WITHOUT_CODE = "without-code"
MOST_CHECKS = 12
"""As many checks stand in the banner; of more, the worst do, and the rest is folded away."""
MOST_FOLDED = 200
_OF_THE_RUN = ("notebook-ran", "published")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_NOTEBOOK_LINK = re.compile(r'href="([\w.-]+\.ipynb)(#[^"]*)?"')
_FROM_RUN_TO_NOTEBOOKS = "../../notebooks/"


@contextmanager
def quick_imports() -> Iterator[None]:
    """
    Import notebook libraries without the second and a half that none of them needs.

    jsonschema, under nbformat, compiles a grammar of international web addresses as soon as it finds one installed, for
    a check that the notebook format does not use: ``import nbconvert`` takes 3.3 s with it, 0.7 s without (measured).
    """
    grammar = "rfc3987_syntax"
    hidden = grammar not in sys.modules
    if hidden:
        sys.modules[grammar] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            sys.modules.pop(grammar, None)


def executed_notebook(template: Mapping[str, Any] | None, executed: Sequence[Executed]) -> dict[str, Any]:
    """
    Return the notebook *template* with what was executed in its place.

    A cell that was not reached has no execution count. A cell that ran and is not in the template stands where it ran:
    papermill's parameters after the notebook's own, an edited cell in place of the one it came from.

    Parameters
    ----------
    template
        A notebook of format 4, or None for a notebook that is not there: then only what ran is in it.
    executed
        What ran, in order; where the same source ran again, the later one counts.
    """
    cells = [dict(cell) for cell in (template or {}).get("cells", [])]
    code = [index for index, cell in enumerate(cells) if cell["cell_type"] == "code"]
    sources = [_text(cells[index]["source"]).strip() for index in code]
    ran = _latest(executed, Counter(sources))
    before: dict[int, list[Executed]] = {}
    instead: dict[int, Executed] = {}
    matcher = difflib.SequenceMatcher(None, sources, [cell.source.strip() for cell in ran], autojunk=False)
    for _, start, end, ran_start, ran_end in matcher.get_opcodes():
        pairs = min(end - start, ran_end - ran_start)
        instead.update({code[start + step]: ran[ran_start + step] for step in range(pairs)})
        extra = ran[ran_start + pairs : ran_end]
        if extra:
            before.setdefault(code[start + pairs - 1] + 1 if start + pairs else 0, []).extend(extra)
    merged: list[dict[str, Any]] = []
    for index, cell in enumerate(cells):
        merged += [_as_cell(added, {}) for added in before.get(index, [])]
        merged.append(_as_cell(instead.get(index), cell) if cell["cell_type"] == "code" else _with_text(cell))
    merged += [_as_cell(added, {}) for added in before.get(len(cells), [])]
    return {
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(merged, start=1)],
        "metadata": _metadata(template),
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _latest(executed: Sequence[Executed], wanted: Counter[str]) -> list[Executed]:
    """Return *executed* without what ran again later: as often as the notebook holds it, a foreign one once."""
    kept: list[Executed] = []
    seen: Counter[str] = Counter()
    for cell in reversed(executed):
        source = cell.source.strip()
        if source and seen[source] < max(1, wanted[source]):
            seen[source] += 1
            kept.append(cell)
    return kept[::-1]


def _as_cell(ran: Executed | None, cell: Mapping[str, Any]) -> dict[str, Any]:
    metadata = dict(cell.get("metadata", {})) if cell else {}
    if ran and not cell and ran.source.lstrip().startswith("# Parameters"):
        metadata["tags"] = ["injected-parameters"]
    return {
        **({"id": cell["id"]} if "id" in cell else {}),
        "cell_type": "code",
        "execution_count": ran.count if ran else None,
        "metadata": metadata,
        "outputs": ran.outputs if ran else [],
        "source": ran.source if ran else _text(cell["source"]),
    }


def _with_text(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {**cell, "source": _text(cell["source"])}


def _text(source: str | Sequence[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _metadata(template: Mapping[str, Any] | None) -> dict[str, Any]:
    fallback = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return {**fallback, **(template or {}).get("metadata", {})}


def page(notebook: Mapping[str, Any], verdict: Mapping[str, Any]) -> str:
    """
    Return *notebook* as one HTML page under a banner with *verdict*, its dictionary.

    Nothing in it is loaded from elsewhere. Takes 0.05 s, and 0.9 s more the first time, for the imports (measured).
    """
    report, rest = _report_and_rest(notebook)
    body = _NOTEBOOK_LINK.sub(rf'href="{_FROM_RUN_TO_NOTEBOOKS}\1\2"', _body({**notebook, "cells": [*report, *rest]}))
    reported = any(cell.get("outputs") for cell in report)
    policy = f"{_POLICY}; script-src '{script_hash()}'" if script() in body else _POLICY
    title = html.escape(f"{verdict['notebook']}: {verdict['status']}")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_highlighting()}\n{_STYLE}</style>\n</head>\n"
        f"<body>\n{_banner(verdict, brief=reported)}\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _report_and_rest(notebook: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return the cells that are tagged as report, and the others with a heading."""
    cells: list[Any] = notebook["cells"]
    report = [cell for cell in cells if FIRST in cell.get("metadata", {}).get("tags", [])]
    if not report:
        return [], cells
    heading = {"cell_type": "markdown", "id": "how", "metadata": {}, "source": "## How this came about"}
    rest = [heading, *(cell for cell in cells if cell not in report)]
    bare = {"tags": [_WITHOUT_CODE]}
    return [{**cell, "metadata": bare} if cell["cell_type"] == "code" else cell for cell in report], rest


def _body(notebook: Mapping[str, Any]) -> str:
    with quick_imports():
        import nbformat
    exporter = _exporter()
    exported, _ = exporter.from_notebook_node(nbformat.from_dict(dict(notebook)))
    return str(exported)


@functools.cache
def _exporter() -> Any:
    with quick_imports():
        from nbconvert.exporters.html import HTMLExporter
        from traitlets.config import Config
    log = logging.Logger("page", logging.ERROR)  # its warning, a picture without a description, is no news
    shown = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain", "text/latex"]
    options = {"exclude_anchor_links": True, "exclude_input_prompt": True, "exclude_output_prompt": True}
    hidden = {"enabled": True, "remove_input_tags": {_WITHOUT_CODE}}
    return HTMLExporter(
        log=log,
        template_name="basic",  # the cells alone: no style, script or font from elsewhere
        config=Config(
            {
                "NbConvertBase": {"display_data_priority": shown},
                "HTMLExporter": options,
                "TagRemovePreprocessor": hidden,
            }
        ),
    )


@functools.cache
def _highlighting() -> str:
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

    return str(HtmlFormatter(style="default").get_style_defs(".highlight"))


def _banner(verdict: Mapping[str, Any], *, brief: bool = False) -> str:
    """Return the verdict; *brief* where a report below says it better: then its checks are folded away."""
    facts = [verdict["where"] and f"where: {verdict['where']}", verdict["account"], verdict["region"], verdict["at"]]
    line = " · ".join(html.escape(str(fact)) for fact in facts if fact)
    checks = verdict["checks"]
    shown = [check for check in checks if check["id"] in _OF_THE_RUN] if brief else checks[:MOST_CHECKS]
    folded = [check for check in checks if check not in shown] if brief else checks[MOST_CHECKS:]
    table = _table(shown) if shown else ""
    if folded:
        rest = len(folded) - MOST_FOLDED
        note = f"<p>and {rest:,} more, in verdict.json</p>" if rest > 0 else ""
        title = f"{len(folded):,} checks{'' if brief else ' more'}"
        table += f"<details><summary>{title}</summary>{_table(folded[:MOST_FOLDED])}{note}</details>"
    status = html.escape(str(verdict["status"]))
    return (
        f'<header class="{status}"><p><strong>{status}</strong> <span>{html.escape(str(verdict["notebook"]))}</span> '
        f"<small>{line}</small></p>{table}</header>"
    )


def _table(checks: Sequence[Mapping[str, Any]]) -> str:
    columns = ("status", "id", "subject", "because", "next")
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(check[column]))}</td>" for column in columns) + "</tr>"
        for check in checks
    )
    heads = "".join(f"<th>{column}</th>" for column in ("", "check", "subject", "because", "next"))
    return f'<div class="scroll"><table><tr>{heads}</tr>{rows}</table></div>'


_STYLE = """
:root { color-scheme: light; }
details > summary { cursor: pointer; color: #57606a; }
body { margin: 0; background: #fff; color: #1c2024; font: 17px/1.6 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, main { box-sizing: border-box; max-width: 1200px; margin: 0 auto; padding: 0 32px; }
header { margin-top: 24px; padding: 12px 20px; border-left: 8px solid #57606a; background: #f6f8fa; }
header.OK { border-color: #0072b2; } header.NG { border-color: #d55e00; } header.SKIP { border-color: #666; }
header p { margin: 0; } header strong { font-size: 1.4em; margin-right: .4em; } header small { color: #57606a; }
header.OK strong { color: #0072b2; } header.NG strong { color: #d55e00; } header.SKIP strong { color: #666; }
main { padding-bottom: 64px; }
h1, h2, h3 { line-height: 1.25; margin: 1.4em 0 .4em; }
p, ul, ol { max-width: 46em; }
.cell { margin: 0 0 10px; }
.input_area { background: #f6f8fa; border-left: 3px solid #d0d7de; padding: 6px 12px; overflow-x: auto; }
pre { margin: 0; font: 13px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.highlight pre { white-space: pre; }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: #f6f8fa; padding: .1em .3em; }
pre code { background: none; padding: 0; }
.output_subarea, .text_cell_render, .scroll { padding: 6px 0; overflow-x: auto; }
.output_stderr { background: #fff8c5; padding: 6px 12px; }
.output_error { background: #ffebe9; border-left: 3px solid #cf222e; padding: 6px 12px; }
img, svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 14px; line-height: 1.4; }
th, td { padding: 4px 10px; text-align: left; vertical-align: top; border: 0; border-bottom: 1px solid #d0d7de; }
th { font-weight: 600; white-space: nowrap; }
header td { overflow-wrap: anywhere; }
header td:nth-child(-n + 2) { white-space: nowrap; }
table.dataframe { border: 0; font-size: 12px; overflow-wrap: break-word; }
table.dataframe th, table.dataframe td { padding: 4px 6px; }
table.dataframe thead th { text-align: left !important; }
a { color: #0969da; }
.ansi-bold { font-weight: bold; } .ansi-red-fg, .ansi-red-intense-fg { color: #b22b31; }
.ansi-green-fg, .ansi-green-intense-fg { color: #007427; } .ansi-yellow-fg, .ansi-yellow-intense-fg { color: #7d5600; }
.ansi-blue-fg, .ansi-blue-intense-fg { color: #0065ca; } .ansi-cyan-fg, .ansi-cyan-intense-fg { color: #1b7c83; }
.ansi-magenta-fg, .ansi-magenta-intense-fg { color: #a03196; } .ansi-black-intense-fg { color: #57606a; }
@media (max-width: 1000px) { .highlight pre { white-space: pre-wrap; } }
@media print { .input_area { overflow: visible; } .highlight pre { white-space: pre-wrap; } }
"""
