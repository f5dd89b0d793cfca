"""A run inside a real kernel: cells are sent to it one by one, as JupyterLab sends them."""

import json
from contextlib import contextmanager

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DECLARATION = 'where: str = "local"  # local or aws\nstatus: str = "OK"'
BEGIN = 'from ecs_runbook.reports.run import begin\nrun = begin("40_prove")'
JUDGE = """\
class Verdict:
    def to_dict(self):
        check = {"id": "c", "subject": "s", "status": status, "because": "b", "next": "n"}
        facts = {"notebook": "40_prove", "where": where, "account": "123456789012", "region": "us-east-1"}
        return {**facts, "at": "2026-11-24T12:00:00Z", "status": status, "checks": [check]}
verdict = Verdict()
print("judged", "AKIA" + "A" * 16)"""
FINISH = 'run.finish(verdict, receipt={"a": 1})'
TEMPLATE = new_notebook(
    cells=[
        new_markdown_cell("# Which revision ran?"),
        new_code_cell(DECLARATION, metadata={"tags": ["parameters"]}),
        new_code_cell(BEGIN),
        new_code_cell(JUDGE),
        new_code_cell(FINISH),
    ]
)


class Lab:
    """A kernel, and a folder that its runs go to."""

    def __init__(self, client):
        self.client = client
        self.root = None

    def run(self, *cells):
        """Run *cells*, and return what the last one replied."""
        reply = None
        for cell in cells:
            reply = self.client.execute_interactive(cell, timeout=60, output_hook=lambda _: None, allow_stdin=False)
        return reply["content"]

    def latest(self):
        """Return the verdict and the cells of the latest run."""
        folder = self.root / "runs" / "latest"
        verdict = json.loads((folder / "verdict.json").read_text())
        notebook = json.loads((folder / "40_prove.ipynb").read_text())
        nbformat.validate(nbformat.from_dict(notebook))
        assert (folder / "40_prove.html").read_text().startswith("<!DOCTYPE html>")
        return verdict, [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@contextmanager
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield Lab(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def _kernel():
    with kernel() as lab:
        yield lab


@pytest.fixture
def lab(_kernel, tmp_path):
    (tmp_path / "notebooks").mkdir()
    nbformat.write(TEMPLATE, tmp_path / "notebooks" / "40_prove.ipynb")
    _kernel.root = tmp_path
    _kernel.run(f"import os; os.environ['ECS_RUNBOOK_HOME'] = {str(tmp_path)!r}")
    return _kernel


def outputs(cell):
    return [output.get("text") or output.get("data", {}).get("text/plain") for output in cell["outputs"]]


def test_a_run_to_the_end_leaves_verdict_receipt_notebook_and_page(lab):
    assert lab.run(DECLARATION, BEGIN, JUDGE, FINISH)["status"] == "ok"
    verdict, cells = lab.latest()
    assert verdict["status"] == "OK"
    assert [cell["source"] for cell in cells] == [DECLARATION, BEGIN, JUDGE, FINISH]
    assert all(cell["execution_count"] for cell in cells)
    assert outputs(cells[2]) == ["judged AKIA" + "*" * 16 + "\n"]
    folder = (lab.root / "runs" / "latest").resolve()
    assert outputs(cells[3]) == [f"Report: runs/{folder.name}/40_prove.html\n"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "40_prove.html",
        "40_prove.ipynb",
        "receipt.json",
        "verdict.json",
    ]


def test_a_second_run_all_in_the_same_kernel_is_a_run_of_its_own(lab):
    lab.run(DECLARATION, BEGIN, JUDGE, FINISH)
    lab.run(DECLARATION, BEGIN, JUDGE, FINISH)
    _, cells = lab.latest()
    counts = [cell["execution_count"] for cell in cells]
    assert counts == list(range(counts[0], counts[0] + 4))
    assert len(outputs(cells[2])) == 1
    assert len([path for path in (lab.root / "runs").iterdir() if not path.is_symlink()]) == 2


def test_an_edited_parameter_is_what_the_report_shows(lab):
    edited = DECLARATION.replace('"OK"', '"SKIP"')
    reply = lab.run(edited, BEGIN, JUDGE, FINISH)
    verdict, cells = lab.latest()
    assert (reply["ename"], verdict["status"]) == ("NotOk", "SKIP")
    assert [cell["source"] for cell in cells] == [edited, BEGIN, JUDGE, FINISH]


def test_a_misspelt_parameter_is_refused_and_the_verdict_says_so(lab):
    reply = lab.run(DECLARATION, '# Parameters\nstatsu = "NG"', BEGIN)
    assert reply["ename"] == "ParameterError"
    verdict, cells = lab.latest()
    [check] = verdict["checks"]
    assert check["because"] == 'There is no parameter "statsu"; did you mean "status"?'
    assert check["next"] == "The parameters are: where, status."
    assert cells[1]["source"].startswith("# Parameters")
    assert cells[2]["outputs"][-1]["ename"] == "ParameterError"


@pytest.mark.parametrize(
    ("cell", "because"),
    [
        ("1 / 0", "raised ZeroDivisionError: division by zero"),
        ("1 +", "raised SyntaxError: "),
        ("raise KeyboardInterrupt", "was interrupted."),
        ("class Odd:\n    def __repr__(self): raise ValueError('odd')\nOdd()", "raised ValueError: odd"),
    ],
)
def test_a_cell_that_raises_leaves_a_report_that_says_why(lab, cell, because):
    lab.run(DECLARATION, BEGIN, cell)
    verdict, cells = lab.latest()
    [check] = verdict["checks"]
    assert (verdict["status"], verdict["where"], check["id"]) == ("NG", "local", "notebook-ran")
    assert because in check["because"]
    assert check["next"]
    assert cells[2]["outputs"][-1]["output_type"] == "error"
    assert cells[-1]["execution_count"] is None


def test_the_hint_of_our_own_error_is_the_next_step(lab):
    lab.run(DECLARATION, BEGIN)
    lab.run('from ecs_runbook.errors import EvidenceError\nraise EvidenceError("No run.", hint="Open 30_fire.")')
    [check] = lab.latest()[0]["checks"]
    assert check["because"].endswith("raised EvidenceError: No run.")
    assert check["next"] == "Open 30_fire."


def test_a_run_that_is_mended_and_ended_is_judged_by_its_end(lab):
    lab.run(DECLARATION, BEGIN, "1 / 0", JUDGE, FINISH)
    verdict, cells = lab.latest()
    assert verdict["status"] == "OK"
    assert [cell["source"] for cell in cells] == [DECLARATION, BEGIN, "1 / 0", JUDGE, FINISH]


def test_a_cell_that_raises_after_the_end_changes_nothing(lab):
    lab.run(DECLARATION, BEGIN, JUDGE, FINISH, "1 / 0")
    assert lab.latest()[0]["status"] == "OK"


def test_what_other_threads_show_is_heard(lab):
    shows = "import threading\nwith run.progress('Apply', 1) as bars:\n"
    shows += (
        "    thread = threading.Thread(target=bars.row, args=('role', 1, 'created')); thread.start(); thread.join()"
    )
    lab.run(DECLARATION, BEGIN, shows, JUDGE, FINISH)
    _, cells = lab.latest()
    [bars] = outputs(cells[2])
    assert bars.startswith("Apply: 1 of 1")
    assert "100%  role  created" in bars


def test_a_run_leaves_the_kernel_as_it_found_it(lab):
    lab.run(DECLARATION, BEGIN, JUDGE, FINISH)
    state = "session = get_ipython().display_pub.session\n"
    state += "assert 'send' not in vars(session)\n"
    state += (
        "assert not [hook for hook in get_ipython().events.callbacks['post_run_cell'] if '_after_cell' in repr(hook)]"
    )
    assert lab.run(state)["status"] == "ok"


REDACTED = 'where: str = "local"\nrule: str = ""\nredact: bool = False'
PASSED = '# Parameters\nrule = "payroll"\nredact = True'


def everything(lab):
    """Return all that the latest run left, as one text."""
    folder = (lab.root / "runs" / "latest").resolve()
    return "\n".join(path.read_text() for path in sorted(folder.iterdir()))


def said(lab, *cells):
    """Return all that leaves the kernel while *cells* run, but for the sources, which are the front end's own."""
    told = []
    for cell in cells:
        reply = lab.client.execute_interactive(cell, timeout=60, output_hook=told.append, allow_stdin=False)
        told.append(reply)
    return str([one["content"] for one in told if one["msg_type"] != "execute_input"])


def test_with_redact_no_name_and_no_account_leaves_the_kernel_or_stands_in_any_file(lab):
    told = said(
        lab,
        REDACTED,
        PASSED,
        BEGIN,
        "print('payroll in 123456789012'); run.save('x.json', {'of': 'payroll', 'account': '123456789012'})\n"
        "from IPython.display import HTML, display\n"
        "display(HTML('<b title=\"payroll\">arn:aws:sqs:eu-west-2:123456789012:wages</b>'))",
        "class Verdict:\n"
        "    def to_dict(self):\n"
        "        check = {'id': 'c', 'subject': 'payroll', 'status': 'OK', 'because': 'of 123456789012', 'next': ''}\n"
        "        facts = {'notebook': '40_prove', 'where': where, 'account': '123456789012', 'region': 'us-east-1'}\n"
        "        return {**facts, 'at': '2026-11-24T12:00:00Z', 'status': 'OK', 'checks': [check]}\n"
        "run.finish(Verdict(), receipt={'arn': 'arn:aws:sqs:eu-west-2:123456789012:wages'})",
    )
    for text in (told, everything(lab)):
        assert "name-" in text
        for secret in ("payroll", "123456789012", "wages"):
            assert secret not in text


def test_with_redact_an_error_may_say_nothing_until_the_names_are_known(lab):
    told = said(lab, REDACTED, PASSED, BEGIN, "raise LookupError('there is payroll-2, and bo' 'nus')")
    withheld = "What it says may hold names. Run the notebook without redact, and read it there."
    assert withheld in told
    verdict, _ = lab.latest()
    assert verdict["checks"][0]["because"].endswith("raised LookupError.")
    assert verdict["checks"][0]["next"] == withheld
    for text in (told, everything(lab)):
        assert "bonus" not in text


def test_with_redact_an_error_that_comes_later_is_told_with_pseudonyms(lab):
    told = said(
        lab,
        REDACTED,
        PASSED,
        BEGIN,
        "from ecs_runbook.inventory.model import Inventory; run.listed(Inventory()); run.pseudonyms.learn('bonus')",
        "raise LookupError('there is payroll, and bonus')",
    )
    assert "there is name-" in told
    for text in (told, everything(lab)):
        assert "bonus'" not in text.replace("learn('bonus')", "")
        assert "payroll" not in text


def test_redact_holds_though_another_parameter_is_misspelt(lab):
    told = said(lab, REDACTED, '# Parameters\nrul = "payroll"\nredact = True', BEGIN)
    assert 'There is no parameter "rul"; did you mean "rule"?' in told.replace("\\", "")
    for text in (told, everything(lab)):
        assert "payroll" not in text


def test_without_redact_names_are_told_as_they_are(lab):
    lab.run(REDACTED, '# Parameters\nrule = "payroll"', BEGIN, "print('payroll')", "1 / 0")
    assert "payroll" in everything(lab)
