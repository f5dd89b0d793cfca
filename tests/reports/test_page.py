"""The executed notebook is the committed one with what ran; its page loads nothing from anywhere."""

import html
import re

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ecs_runbook.reports.page import executed_notebook, page
from ecs_runbook.reports.recording import Executed
from ecs_runbook.reports.tables import Cell, framed, script, script_hash, searchable

DECLARATION, BEGIN, ASK, END = 'where: str = "local"', 'run = begin("x")', "table = ask()\ntable", "run.finish(verdict)"
TEMPLATE = new_notebook(
    cells=[
        new_markdown_cell(
            "# Which?\n\nSee [the next one](50_explain_failure.ipynb#cause) and [AWS](https://aws.amazon.com)."
        ),
        new_code_cell(DECLARATION, metadata={"tags": ["parameters"]}),
        new_code_cell(BEGIN),
        new_markdown_cell("*Expect* a row."),
        new_code_cell(ASK),
        new_code_cell(END),
    ]
)
VERDICT = {
    "notebook": "40_prove",
    "where": "local",
    "account": "123456789012",
    "region": "us-east-1",
    "at": "2026-11-24T17:00:00Z",
    "status": "NG",
    "checks": [{"id": "latest", "subject": "<rule>", "status": "NG", "because": "ran 1 & not 2", "next": "apply"}],
}


def ran(*sources):
    outputs = [{"output_type": "stream", "name": "stdout", "text": "seen"}]
    return [Executed(source, count, outputs if source == ASK else []) for count, source in enumerate(sources, start=1)]


def shape(notebook):
    return [
        (cell["source"].split("\n")[0], cell.get("execution_count"))
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def test_a_notebook_that_ran_to_its_end_is_complete_and_valid():
    notebook = executed_notebook(TEMPLATE, ran(DECLARATION, BEGIN, ASK, END))
    nbformat.validate(nbformat.from_dict(notebook))
    assert [cell["cell_type"] for cell in notebook["cells"]] == ["markdown", "code", "code", "markdown", "code", "code"]
    assert shape(notebook) == [(DECLARATION, 1), (BEGIN, 2), ("table = ask()", 3), (END, 4)]
    assert notebook["cells"][4]["outputs"][0]["text"] == "seen"
    assert notebook["cells"][1]["metadata"] == {"tags": ["parameters"]}


def test_papermills_parameters_stand_after_the_notebooks_own():
    notebook = executed_notebook(TEMPLATE, ran(DECLARATION, "# Parameters\nwhere = 'aws'", BEGIN, ASK, END))
    assert shape(notebook)[:3] == [(DECLARATION, 1), ("# Parameters", 2), (BEGIN, 3)]
    assert notebook["cells"][2]["metadata"]["tags"] == ["injected-parameters"]


def test_cells_that_were_not_reached_have_no_number():
    assert shape(executed_notebook(TEMPLATE, ran(DECLARATION, BEGIN)))[2:] == [("table = ask()", None), (END, None)]


def test_an_edited_cell_stands_in_place_of_the_one_it_came_from():
    notebook = executed_notebook(TEMPLATE, ran('where: str = "aws"', BEGIN, ASK, END))
    assert shape(notebook)[0] == ('where: str = "aws"', 1)
    assert len(notebook["cells"]) == 6


def test_a_cell_that_ran_twice_counts_once():
    assert shape(executed_notebook(TEMPLATE, ran(DECLARATION, BEGIN, ASK, ASK, END)))[2:] == [
        ("table = ask()", 4),
        (END, 5),
    ]


def test_a_source_that_the_notebook_holds_twice_counts_twice():
    template = new_notebook(cells=[new_code_cell("check()"), new_code_cell("change()"), new_code_cell("check()")])
    assert shape(executed_notebook(template, ran("check()", "change()", "check()"))) == [
        ("check()", 1),
        ("change()", 2),
        ("check()", 3),
    ]


def test_a_cell_of_ones_own_stands_where_it_ran():
    assert shape(executed_notebook(TEMPLATE, ran(DECLARATION, BEGIN, "mine()", ASK, END)))[2] == ("mine()", 3)
    assert shape(executed_notebook(TEMPLATE, ran(DECLARATION, BEGIN, ASK, END, "mine()")))[-1] == ("mine()", 5)


def test_without_a_template_there_is_what_ran():
    notebook = executed_notebook(None, ran("one()", "two()"))
    nbformat.validate(nbformat.from_dict(notebook))
    assert shape(notebook) == [("one()", 1), ("two()", 2)]


def test_sources_in_lines_are_read_as_text():
    template = {"cells": [{"cell_type": "code", "source": ["a()\n", "b()"], "metadata": {}}], "nbformat": 4}
    assert shape(executed_notebook(template, ran("a()\nb()"))) == [("a()", 1)]


def rendered(*outputs):
    notebook = executed_notebook(TEMPLATE, ran(DECLARATION, BEGIN, ASK, END))
    notebook["cells"][4]["outputs"] = list(outputs)
    return page(notebook, VERDICT)


def test_the_page_loads_nothing_and_lets_no_script_run():
    markup = rendered({"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}, "metadata": {}})
    loaded = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')> ]+)""", markup)
    assert sorted(loaded) == [
        "../../notebooks/50_explain_failure.ipynb#cause",
        "data:image/png;base64,iVBORw0KGgo=",
        "https://aws.amazon.com",
    ]
    assert "<script" not in markup
    assert "<link" not in markup
    assert "@import" not in markup
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in markup


def test_the_page_says_the_verdict_first_and_escapes_it():
    markup = rendered()
    assert "<title>40_prove: NG</title>" in markup
    assert markup.index("ran 1 &amp; not 2") < markup.index("Which?")
    assert "<td>&lt;rule&gt;</td>" in markup


def test_the_page_prefers_html_and_shows_errors_in_colour():
    markup = rendered(
        {"output_type": "display_data", "data": {"text/plain": "plain", "text/html": "<b>rich</b>"}, "metadata": {}},
        {"output_type": "error", "ename": "E", "evalue": "e", "traceback": ["\x1b[31mred <&>\x1b[39m"]},
    )
    assert "<b>rich</b>" in markup
    assert "plain</pre>" not in markup
    assert '<span class="ansi-red-fg">red &lt;&amp;&gt;</span>' in markup


def test_the_page_shows_prose_and_code_with_dollars_as_they_are():
    template = new_notebook(cells=[new_markdown_cell("It costs $5 and then $6."), new_code_cell("x = '${a}'")])
    markup = page(executed_notebook(template, ran("x = '${a}'")), VERDICT)
    assert "It costs $5 and then $6." in markup
    assert "x = '${a}'" in html.unescape(re.sub("<[^>]+>", "", markup))


def reporting(**verdict):
    """A page of a notebook with a report: a summary and a table that can be searched."""
    table = framed(searchable(["name"], [[Cell("nightly")]]), lively=True)
    shown = [{"output_type": "display_data", "data": {"text/html": table}, "metadata": {}}]
    report = {"tags": ["report"]}
    template = new_notebook(
        cells=[
            new_markdown_cell("# The question"),
            new_code_cell(ASK),
            new_markdown_cell("## The answer", metadata=report),
            new_code_cell("details(checked)", metadata=report),
        ]
    )
    executed = [Executed(ASK, 1), Executed("details(checked)", 2, shown)]
    return page(executed_notebook(template, executed), VERDICT | verdict)


def test_a_report_stands_first_without_its_code_and_the_way_to_it_below():
    markup = reporting()
    places = [markup.index(text) for text in ("The answer", "nightly", "How this came about", "The question")]
    assert places == sorted(places)
    assert "details(checked)" not in html.unescape(re.sub("<[^>]+>", "", markup))
    assert "ask" in markup


def test_our_own_script_is_allowed_by_its_hash_and_no_other():
    markup = reporting()
    assert f"script-src '{script_hash()}'" in markup
    assert markup.count("<script") == 1
    assert f"<script>{script()}</script>" in markup
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', markup).group(1)
    assert policy.startswith("default-src 'none'; ")
    assert "script-src" not in rendered()
    assert "</script" not in script()


def test_a_report_folds_the_checks_away_but_for_those_of_the_run_itself():
    mine = {"id": "published", "subject": "60_check.html", "status": "NG", "because": "denied", "next": ""}
    header = reporting(checks=[*VERDICT["checks"], mine]).partition("<header")[2].partition("</header>")[0]
    folded = header.partition("<details>")[2]
    assert "1 checks" in folded
    assert "ran 1 &amp; not 2" in folded
    assert "denied" not in folded
    assert "denied" in header


def test_of_many_checks_the_banner_has_the_first_and_folds_the_rest_away():
    many = [VERDICT["checks"][0] | {"because": f"number {number}"} for number in range(40)]
    notebook = executed_notebook(TEMPLATE, ran(DECLARATION, BEGIN, ASK, END))
    header = page(notebook, VERDICT | {"checks": many}).partition("<header")[2].partition("</header>")[0]
    shown, _, folded = header.partition("<details>")
    assert "number 11<" in shown
    assert "number 12<" not in shown
    assert "28 checks more" in folded
    assert "number 39<" in folded
    header = page(notebook, VERDICT | {"checks": many * 20}).partition("<header")[2].partition("</header>")[0]
    assert header.count("<tr>") == 12 + 200 + 2
    assert "788 checks more" in header
    assert "and 588 more, in verdict.json" in header
