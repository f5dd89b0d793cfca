"""The page as a browser shows it: no wider than the window, our script alone, searched, sorted, printed."""

import base64
import itertools
import json
import re
import shutil
import subprocess
import time
import urllib.request
from datetime import UTC, datetime

import made_history
import pytest
import websocket
from made_checks import HOME, NOW, SINCE, fleet
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from ecs_runbook.checks.asked import Asked
from ecs_runbook.checks.outcome import judge_checked
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.inventory.model import Place
from ecs_runbook.past.verdict import judge_history
from ecs_runbook.reports.details import details
from ecs_runbook.reports.heat_map import heat_map
from ecs_runbook.reports.long_tables import TABLES, in_short, long_table
from ecs_runbook.reports.long_time import (
    failures_by_week,
    failures_that_last,
    never_ran,
    revisions_over_time,
    waits_for_first_run,
)
from ecs_runbook.reports.page import page
from ecs_runbook.reports.summary import summary
from ecs_runbook.reports.target_list import target_list
from ecs_runbook.verdicts.verdict import Verdict

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt install chromium")
OFFLINE = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update"),
    *("--disable-background-networking", "--disable-sync", "--remote-debugging-port=0", "--remote-allow-origins=*"),
    # what it asks its maker in spite of all that finds nobody, nor a proxy that would know better
    *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--proxy-server=direct://"),
)


class Browser:
    """Chromium, spoken to by its own protocol."""

    def __init__(self, folder):
        command = [CHROMIUM, *OFFLINE, f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        port = next(found.group(1) for line in self.process.stderr if (found := re.search(r"ws://[^:]+:(\d+)/", line)))
        self.address = f"http://127.0.0.1:{port}"
        with urllib.request.urlopen(f"{self.address}/json") as answer:
            (tab,) = (one for one in json.load(answer) if one["type"] == "page")
        self.socket = websocket.create_connection(tab["webSocketDebuggerUrl"], timeout=30)
        self.numbers = itertools.count(1)
        self.asked_for, self.complaints = [], []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method, **parameters):
        """Do *method*, and return its answer; note what happens in between."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("method") == "Network.requestWillBeSent":
                self.asked_for.append(message["params"]["request"]["url"])
            if message.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                self.complaints.append(message["params"])
            if message.get("id") == number:
                return message["result"]

    def open(self, path, width):
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
        self.do("Page.navigate", url=path.as_uri())
        while self("document.readyState") != "complete":
            time.sleep(0.02)

    def __call__(self, expression):
        """Return what *expression* is in the page."""
        return self.do("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def click(self, expression):
        self(f"({expression}).scrollIntoView({{block: 'center'}})")
        x, y = self(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])(({expression}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.socket.close()
    browser.process.terminate()
    browser.process.wait(20)
    browser.process.stderr.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The page of a check of hundreds of schedules in two accounts."""
    found = fleet(700, bad=0.4, places=(HOME, Place("444455556666", "ap-southeast-2")))
    verdict = Verdict("60_check", "aws", HOME.account, HOME.region, datetime.now(UTC), tuple(judge_checked(found)))
    shown = [summary(found, verdict, Asked(SINCE, NOW)), heat_map(found), details(found), target_list(found.inventory)]
    tags = [{"tags": ["report"]}] * 3 + [{}]
    cells = [new_markdown_cell("# Do our scheduled tasks run?")] + [
        new_code_cell("x", metadata=tag, outputs=[new_output("display_data", {"text/html": one.html})])
        for one, tag in zip(shown, tags, strict=True)
    ]
    path = tmp_path_factory.mktemp("page") / "60_check.html"
    path.write_text(page(new_notebook(cells=cells), verdict.to_dict()))
    return path


@pytest.fixture(scope="module", params=[200, 1, 0])
def look_back_path(request, tmp_path_factory):
    """The page of a look back at ninety days of hundreds of families, of one, and of none."""
    facts, rows = made_history.fleet(request.param, 90, every=10)
    question, known, past = made_history.looked(facts, rows, days=90.0)
    verdict = Verdict("65_history", "aws", HOME.account, HOME.region, NOW, tuple(judge_history(past, known, question)))
    tables = [in_short(past, verdict), *(long_table(past, which) for which in TABLES if which != "failures")]
    outputs = [new_output("display_data", {"text/html": one.html}) for one in tables]
    for draw in (revisions_over_time, failures_by_week, waits_for_first_run, never_ran, failures_that_last):
        png = base64.b64encode(draw(past)._repr_png_()).decode()
        outputs.append(new_output("display_data", {"image/png": png}))
    cells = [new_code_cell("x", metadata={"tags": ["report"]}, outputs=[one]) for one in outputs]
    path = tmp_path_factory.mktemp("page") / "65_history.html"
    path.write_text(page(new_notebook(cells=cells), verdict.to_dict()))
    return path


TABLE = "document.querySelectorAll('.ecs-runbook .table')[0]"
ROWS = f"[...{TABLE}.tBodies[0].rows]".replace(".tBodies", ".querySelector('table').tBodies")
SHOWN = f"{ROWS}.filter(row => !row.hidden).map(row => row.cells[1].innerText.split('\\n')[0])"


@pytest.mark.parametrize("width", [1280, 800])
def test_nothing_is_wider_than_the_window_and_nothing_is_scrolled_sideways(browser, path, width):
    fits(browser, path, width)


@pytest.mark.parametrize("width", [1280, 800])
def test_nothing_of_a_look_back_is_wider_than_the_window(browser, look_back_path, width):
    fits(browser, look_back_path, width)
    assert browser("[...document.images].every(one => one.complete && one.naturalWidth === 900)")


def fits(browser, path, width):
    browser.open(path, width)
    assert (
        browser("document.documentElement.scrollWidth") == browser("document.documentElement.clientWidth") > width - 20
    )
    wider = browser(
        "[...document.querySelectorAll('body *')].filter(one => getComputedStyle(one).overflowX !== 'visible'"
        " && one.scrollWidth > one.clientWidth + 1).map(one => one.className)"
    )
    assert wider == []


def test_the_summary_is_no_wider_than_a_telephone_whatever_the_check_is_called(browser, path):
    browser.open(path, 390)
    longest = json.dumps(max(KINDS, key=len))
    browser(f"document.querySelector('.counted td:nth-child(2)').textContent = {longest}")
    browser("document.querySelector('.counted td b').textContent = 'warning'")
    wide = browser(
        "[...document.querySelectorAll('.counted *')].filter(one => one.getBoundingClientRect().right"
        " > document.querySelector('.counts').getBoundingClientRect().right + 1).map(one => one.innerText)"
    )
    assert wide == []


def test_the_summary_fits_one_screen(browser, path):
    browser.open(path, 1280)
    assert browser("document.querySelector('.heat').getBoundingClientRect().top") > 0
    assert browser("document.querySelector('.counted').getBoundingClientRect().bottom") < 800


def test_it_asks_for_nothing_but_itself_and_our_script_runs_alone(browser, path):
    browser.asked_for.clear()
    browser.complaints.clear()
    browser.open(path, 1280)
    assert browser(f"{TABLE}.classList.contains('live')") is True
    browser(
        "const other = document.createElement('script'); other.text = 'window.foreign = 1'; document.body.append(other)"
    )
    assert browser("window.foreign") is None
    assert browser.asked_for == [path.as_uri()]
    browser("const far = new Image(); far.src = 'https://example.com/x.png'; document.body.append(far)")
    browser.do("Page.getFrameTree")
    blocked = [one["entry"]["text"] for one in browser.complaints if "entry" in one]
    assert len(blocked) == 2
    assert all("Content Security Policy" in text for text in blocked)


def test_a_search_leaves_the_rows_that_have_every_word(browser, path):
    browser.open(path, 1280)
    texts = browser(f"{ROWS}.map(row => row.innerText)")
    check = next(kind for text in texts if "report" in text for kind in KINDS if kind in text)
    browser.click(f"{TABLE}.querySelector('input')")
    browser.do("Input.insertText", text=f"REPORT {check}")
    left = browser(f"{ROWS}.filter(row => !row.hidden).map(row => row.innerText)")
    assert 0 < len(left) < len(texts)
    assert all("report" in text and check in text for text in left)
    assert browser(f"{TABLE}.querySelector('output').textContent") == f"{len(left)} of {len(texts)} rows"
    browser.do("Input.dispatchKeyEvent", type="keyDown", key="Escape", windowsVirtualKeyCode=27)
    assert browser(f"{ROWS}.filter(row => row.hidden).length") == 0


def test_a_click_on_a_head_sorts_and_another_sorts_the_other_way(browser, path):
    browser.open(path, 800)
    head = f"{TABLE}.querySelectorAll('th button')[1]"
    browser.click(head)
    up = browser(SHOWN)
    assert up == sorted(up)
    assert browser(f"{head}.parentElement.getAttribute('aria-sort')") == "ascending"
    browser.click(head)
    assert browser(SHOWN) == sorted(up, reverse=True)
    browser.click(f"{TABLE}.querySelectorAll('th button')[0]")
    grades = browser(f"{ROWS}.map(row => row.cells[0].innerText)")
    assert [one for one, _ in itertools.groupby(grades)] == ["error", "warning", "note", "SKIP"]


def test_printed_it_is_the_worst_and_says_that_there_is_more(browser, path):
    browser.open(path, 1280)
    browser.do("Emulation.setEmulatedMedia", media="print")
    seen = browser(f"{ROWS}.filter(row => row.getClientRects().length).length")
    more = browser(f"{TABLE}.querySelector('.more').innerText")
    searching = browser(f"{TABLE}.querySelector('.search').getClientRects().length")
    browser.do("Emulation.setEmulatedMedia", media="")
    assert (seen, searching) == (100, 0)
    assert more.startswith("The first 100 rows are printed")
    pdf = base64.b64decode(browser.do("Page.printToPDF", paperWidth=8.27, paperHeight=11.7)["data"])
    assert 5 < len(re.findall(rb"/Type\s*/Page\b", pdf)) < 40
