"""
A run of a notebook leaves evidence: its folder, its verdict, its receipt, the executed notebook and a page to read.

::

    runs/20261124T170000Z-40_prove/
        verdict.json      OK, NG or SKIP, each with because; verdict.schema.json beside this module says its shape
        receipt.json      the raw records that the verdict rests on, where there are any
        40_prove.ipynb    what ran and what it showed
        40_prove.html     the same to read, without anything from elsewhere
    runs/latest           the run that began last

A notebook with a parameter ``redact`` that is on leaves pseudonyms in place of account ids, ARNs, names and
environments: in every file, and in whatever its cells show, since that passes the recording's door.

A run that has not reached its end is NG from its first moment: nobody who reads the verdict of a killed notebook may
find the one before it, or none. A cell that raises ends the run with the error as its because, and the report is there
all the same.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ecs_runbook import parameters, workspace
from ecs_runbook.errors import NotOk, ParameterError, RunbookError, SessionError, WorkspaceError
from ecs_runbook.progress import Progress
from ecs_runbook.reports import pseudonyms
from ecs_runbook.reports.page import executed_notebook, page
from ecs_runbook.reports.pseudonyms import Pseudonyms, names_in
from ecs_runbook.reports.recording import Executed, Recording
from ecs_runbook.reports.writing import as_csv, as_json, plain, redacted, write

if TYPE_CHECKING:
    from ecs_runbook.inventory.model import Facts, Inventory

LATEST = "latest"
REDACT = "redact"
"""The parameter that turns pseudonyms on."""
WITHHELD = "What it says may hold names. Run the notebook without redact, and read it there."
_PLACES = ("local", "aws")
_NO_NAMES = frozenset({"where", "region", "regions", "timezone", "fail_on", "checks"})
"""Parameters whose values are nobody's names."""
_OF_PARAMETERS = (ParameterError, SessionError, WorkspaceError, NotOk, KeyboardInterrupt)
"""Errors that speak of what was passed in, whose names are known from the first."""
_current: Run | None = None


class Judged(Protocol):
    """What a run ends with: a :class:`~ecs_runbook.verdicts.verdict.Verdict`."""

    @property
    def status(self) -> str:
        """OK, NG or SKIP."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as ``verdict.json`` has it."""


class Connected(Protocol):
    """What a run must know of an AWS: a :class:`~ecs_runbook.session.Aws`."""

    @property
    def where(self) -> str:
        """``local`` or ``aws``."""

    @property
    def account(self) -> str:
        """12 digits."""

    @property
    def region(self) -> str:
        """The Region that is asked."""


AnyAws = TypeVar("AnyAws", bound=Connected)


def begin(notebook: str, *, now: datetime | None = None) -> Run:
    """
    Begin a run of *notebook*: check its parameters, make its folder, record what its cells show.

    Called in the cell that imports, so that a misspelt parameter fails in the first second. Outside a notebook there
    are no cells to check or to record; folder, verdict and receipt are as ever.

    Parameters
    ----------
    notebook
        The notebook's name without ``.ipynb``: ``40_prove``.
    now
        Aware time of the beginning, which names the folder; the present if None.

    Raises
    ------
    WorkspaceError
        If the folder cannot be made.
    ParameterError
        If a parameter is misspelt or ill-typed; the run's verdict is NG then.
    """
    global _current
    if _current is not None:
        _current._leave()
    shell = _shell()
    run = Run(notebook, _new_folder(notebook, now or datetime.now(UTC)), shell.user_ns if shell else {})
    _current = run
    run._write_verdict(run._unfinished("The notebook has not reached its end.", "Wait for it, or run it again."))
    _point_latest(run.folder)
    if shell:
        run._listen(shell)
    return run


class Run:
    """
    One run of a notebook; made by :func:`begin`.

    Attributes
    ----------
    notebook
        Name without ``.ipynb``.
    folder
        Where everything of this run is written.
    aws
        The AWS that the run is about, once :meth:`connected` said so.
    parameters
        The notebook's parameters by name; empty outside a notebook.
    pseudonyms
        What hides names, if the notebook's parameter ``redact`` is on; else None.
    """

    def __init__(self, notebook: str, folder: Path, variables: dict[str, Any]) -> None:
        self.notebook = notebook
        self.folder = folder
        self.aws: Connected | None = None
        self.parameters: dict[str, Any] = {}
        self.pseudonyms: Pseudonyms | None = None
        self._names_known = False
        self._variables = variables
        self._shell: Any = None
        self._recording: Recording | None = None
        self._finished = False

    def __repr__(self) -> str:
        return f"run of {self.notebook} in {_from_root(self.folder)}"

    def connected(self, aws: AnyAws) -> AnyAws:
        """Note which AWS this run is about, and hand it on: ``aws = run.connected(connect(where, …))``."""
        self.aws = aws
        return aws

    def listed(self, found: Inventory, facts: Iterable[Facts] = ()) -> Inventory:
        """Note which names there are, so that they can be hidden, and hand the inventory on."""
        self._names_known = True
        if self.pseudonyms is not None:
            self.pseudonyms.learn(*names_in(found, facts))
        return found

    def hide(self, value: Any) -> Any:
        """Return *value*, whatever JSON can say, as it may be told: without secrets, and with pseudonyms if wanted."""
        told = redacted(value)
        return told if self.pseudonyms is None else self.pseudonyms.value(told)

    def progress(self, title: str, total: int | None = None) -> Progress:
        """Return progress bars under *title*; *total* rows are expected."""
        return Progress(title, total)

    def save(self, name: str, data: Any) -> Path:
        """
        Write *data* to the file *name* in the run's folder, whole or not at all, and without secrets.

        Parameters
        ----------
        name
            A file name; its ending says how a table (``.csv``, ``.json``) or a figure (``.png``, ``.svg``) is written.
        data
            Text, bytes (as they are), a figure of matplotlib, a table of pandas, or anything that JSON can say.

        Raises
        ------
        WorkspaceError
            If it cannot be written, or the name leads out of the folder.
        """
        if name != Path(name).name or name in {"", ".", ".."}:
            raise WorkspaceError(
                f"{name!r} is not a file's name.", hint="Give a name without a folder, such as runs.csv."
            )
        return write(self.folder / name, _content(name, data, self.pseudonyms))

    def finish(
        self,
        verdict: Judged,
        receipt: Mapping[str, Any] | None = None,
        publish: Callable[[Path], None] | None = None,
    ) -> None:
        """
        Save the report; then fail, unless the verdict is OK.

        The last cell of a notebook. Under papermill a failing cell is a non-zero exit code.

        Parameters
        ----------
        verdict
            OK, NG or SKIP with its checks.
        receipt
            The raw records that the verdict rests on: whatever JSON can say.
        publish
            Takes the saved page somewhere. If that fails, the report says so, and is NG.

        Raises
        ------
        NotOk
            If the verdict is not OK, or was not published. The report is saved already.
        WorkspaceError
            If the report cannot be written.
        """
        body = verdict.to_dict()
        if receipt is not None:
            self.save("receipt.json", receipt)
        report = self.folder / (f"{self.notebook}.html" if self._recording else "verdict.json")
        self._say_where(report)
        self._write_page(body)
        self._write_verdict(body)
        if publish is not None and (failed := _published(publish, report)):
            body = {**body, "status": "NG", "checks": [*body["checks"], failed]}
            self._write_page(body)
            self._write_verdict(body)
        self._finished = True
        self._leave()
        if body["status"] != "OK":
            raise _not_ok(self._hidden(body), report)

    def _listen(self, shell: Any) -> None:
        sources = [str(source) for source in shell.history_manager.input_hist_raw][1:]
        if not sources:  # a front end that keeps no history has nothing to check, or to show
            return
        begun = parameters.declaration(sources)
        first = len(sources) - 1 if begun is None else begun
        earlier = [Executed(source, count) for count, source in enumerate(sources[first:-1], start=first + 1)]
        self._shell, self._recording = shell, Recording(earlier)
        if self._variables.get(REDACT):  # also where it is no True or False: then the check below will say so
            self._hide_names(parameters.declared(sources[first]), sources)
        self._recording.start(shell, sources[-1], len(sources))
        shell.events.register("post_run_cell", self._after_cell)
        self.parameters = parameters.check(self._variables, sources)
        _show_whole_texts()

    def _hide_names(self, declared: Mapping[str, str], sources: list[str]) -> None:
        given = {name: self._variables.get(name) for name in declared if name not in _NO_NAMES}
        passed = [name for source in sources for name in parameters.injected(source)]
        misspelt = {name: self._variables.get(name) for name in passed if name not in declared}
        self.pseudonyms = Pseudonyms(pseudonyms.key(), _texts([*given.values(), *misspelt.values()]))
        if self._recording is not None:
            self._recording.rewrite = self._rewrite

    def _rewrite(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """Return the content of a message as it may leave the kernel."""
        if kind not in _SHOWN or self.pseudonyms is None:
            return content
        if "ename" in content and not self._may_say(str(content["ename"])):
            content = {**content, "evalue": WITHHELD, "traceback": [f"{content['ename']}: {WITHHELD}"]}
        return self.pseudonyms.output(content)

    def _may_say(self, error: str) -> bool:
        known = {kind.__name__ for base in _OF_PARAMETERS for kind in (base, *base.__subclasses__())}
        return self.pseudonyms is None or self._names_known or error in known

    def _leave(self) -> None:
        """Hear no more of the kernel."""
        if self._recording is not None:
            self._recording.stop()
        if self._shell is not None:
            with contextlib.suppress(ValueError):
                self._shell.events.unregister("post_run_cell", self._after_cell)
            self._shell = None

    def _after_cell(self, result: Any) -> None:
        """Save the report of a run that a cell has ended; a later cell may still end it well."""
        if self._finished or self._recording is None:
            return
        error = result.error_before_exec or result.error_in_exec
        self._recording.settle()
        cell = self._recording.cells[-1]
        if error is None and cell.error is None:
            return
        because, mend = _because(error, cell)
        if error is not None and not self._may_say(type(error).__name__):
            because, mend = f"Cell [{cell.count}] raised {type(error).__name__}.", WITHHELD
        body = self._unfinished(because, mend)
        with contextlib.suppress(WorkspaceError):  # nobody is left to tell: the cell's own error stands on the screen
            self._write_verdict(body)
            self._write_page(body)
            self._say_where(self.folder / f"{self.notebook}.html")

    def _unfinished(self, because: str, mend: str) -> dict[str, Any]:
        place = self._variables.get("where", "")
        check = {"id": "notebook-ran", "subject": self.notebook, "status": "NG", "because": because, "next": mend}
        return {
            "notebook": self.notebook,
            "where": self.aws.where if self.aws else place if place in _PLACES else "",
            "account": self.aws.account if self.aws else "",
            "region": self.aws.region if self.aws else "",
            "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "status": "NG",
            "checks": [check],
        }

    @staticmethod
    def _say_where(report: Path) -> None:
        sys.stdout.write(f"Report: {_from_root(report)}\n")

    def _write_verdict(self, body: Mapping[str, Any]) -> None:
        write(self.folder / "verdict.json", as_json(self._hidden(body)))

    def _hidden(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a verdict as it may be told; its own words, such as a check's id, are nobody's names."""
        told = ("account", "checks", "subject", "because", "next")
        checks = [{key: self.hide(one[key]) if key in told else one[key] for key in one} for one in body["checks"]]
        return {**body, "account": self.hide(body["account"]), "checks": checks}

    def _write_page(self, body: Mapping[str, Any]) -> None:
        if self._recording is None:
            return
        self._recording.settle()
        notebook = redacted(executed_notebook(_template(self.notebook), self._recording.cells))
        if self.pseudonyms is not None:
            notebook["cells"] = [_hidden_cell(cell, self.pseudonyms) for cell in notebook["cells"]]
        text = json.dumps(notebook, indent=1, ensure_ascii=False, default=str)
        write(self.folder / f"{self.notebook}.ipynb", text + "\n")
        write(self.folder / f"{self.notebook}.html", page(notebook, redacted(self._hidden(body))))


_SHOWN = frozenset({"stream", "display_data", "update_display_data", "execute_result", "error", "execute_reply"})


def _hidden_cell(cell: dict[str, Any], hidden: Pseudonyms) -> dict[str, Any]:
    """Return a cell with pseudonyms in its literals, as parameters are, and in what it showed before they were on."""
    if cell["cell_type"] != "code":
        return cell
    outputs = [hidden.output(output) for output in cell["outputs"]]
    return {**cell, "source": hidden.source(cell["source"]), "outputs": outputs}


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in *value*, at any depth; the value of a tag, ``team=payroll``, stands for itself as well."""
    if isinstance(value, str):
        yield value
        yield from value.split("=")
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))


def _published(publish: Callable[[Path], None], report: Path) -> dict[str, Any] | None:
    """Publish, and return the check that says why not, if that failed."""
    try:
        publish(report)
    except RunbookError as error:
        return {
            "id": "published",
            "subject": report.name,
            "status": "NG",
            "because": error.message,
            "next": error.hint or "Mend that, or leave the publish parameters empty.",
        }
    return None


def _show_whole_texts() -> None:
    """Let tables show AWS's words to the end: pandas cuts them after 50 characters."""
    import pandas as pd

    pd.set_option("display.max_colwidth", None)


def _shell() -> Any:
    """Return IPython's shell if this is a notebook's kernel, else None."""
    loaded = sys.modules.get("IPython")
    shell = loaded.get_ipython() if loaded else None
    return shell if getattr(shell, "kernel", None) is not None else None


def _new_folder(notebook: str, now: datetime) -> Path:
    """Make and return the folder of a run, unlike any other: two in one second are told apart by a number."""
    name = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{notebook}"
    runs = workspace.runs()
    number = 1
    while True:
        folder = runs / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise WorkspaceError(
                f"{folder} cannot be made: {error.strerror}.",
                hint=f"Give yourself write access, or name another folder in {workspace.HOME_VARIABLE}.",
            ) from error
        else:
            return folder


def _point_latest(folder: Path, link: Callable[[str, Path], None] = os.symlink) -> None:
    """Let ``latest`` name *folder*: a relative link, or, where links cannot be made, a file with the folder's name."""
    latest = folder.parent / LATEST
    beside = folder.parent / f".{LATEST}-{folder.name}"
    try:
        link(folder.name, beside)
    except OSError:
        write(latest, f"{folder.name}\n")
        return
    try:
        beside.replace(latest)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise WorkspaceError(
            f"{latest} cannot be replaced: {error.strerror}.", hint="It is ours to write: move it away."
        ) from error


def _from_root(path: Path) -> str:
    """Return *path* as it reads from the folder in which a person stands."""
    with contextlib.suppress(ValueError):
        return path.relative_to(workspace.root()).as_posix()
    return str(path)


def _template(notebook: str) -> dict[str, Any] | None:
    """Return the notebook as committed, or None if it is not there to be read."""
    try:
        found: dict[str, Any] = json.loads((workspace.notebooks() / f"{notebook}.ipynb").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if found.get("nbformat") == 4 else None


def _because(error: BaseException | None, cell: Executed) -> tuple[str, str]:
    """Return why the notebook did not reach its end, and what to do next."""
    where = f"Cell [{cell.count}]"
    if isinstance(error, KeyboardInterrupt):
        return f"{where} was interrupted.", "Run the notebook again."
    if isinstance(error, ParameterError):
        return error.message, error.hint
    if isinstance(error, RunbookError):
        message = str(error).removesuffix(error.hint).strip()
        return f"{where} raised {type(error).__name__}: {message}", error.hint or _READ
    shown = cell.error or {"ename": type(error).__name__, "evalue": str(error)}
    return f"{where} raised {shown['ename']}: {shown['evalue']}", _READ


_READ = "Read the cell's error in the report, mend its cause, and run the notebook again."


def _not_ok(body: Mapping[str, Any], report: Path) -> NotOk:
    """Return the error that says in one line what is not OK."""
    bad = [check for status in ("NG", "SKIP") for check in body["checks"] if check["status"] == status]
    head = f"{body['notebook']} is {body['status']}"
    if not bad:
        return NotOk(f"{head}: nothing was checked.", hint=f"The report: {_from_root(report)}.")
    first = bad[0]
    count = f"{len(bad)} of {len(body['checks'])} checks"
    because = " ".join(str(redacted(first["because"])).split()).rstrip(".")
    step = f" Next: {' '.join(str(redacted(first['next'])).split())}" if first["next"] else ""
    return NotOk(
        f"{head} ({count}): {first['id']}, {first['subject']}: {because}.",
        hint=f"The report: {_from_root(report)}.{step}",
    )


def _content(name: str, data: Any, hidden: Pseudonyms | None) -> str | bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return str(redacted(data if hidden is None else hidden.text(data)))
    if hasattr(data, "savefig"):
        picture = io.BytesIO()
        data.savefig(picture, format=Path(name).suffix.lstrip(".") or "png", bbox_inches="tight")
        return picture.getvalue()
    if hasattr(data, "to_csv") and not name.endswith(".json"):
        return as_csv(data if hidden is None else _hidden_table(data, hidden))
    return as_json(data if hidden is None else hidden.value(plain(data)))


def _hidden_table(table: Any, hidden: Pseudonyms) -> Any:
    """Return a table with pseudonyms in its texts, each different text looked at once."""
    told = table.copy(deep=False)
    for column in told.columns:
        if told[column].dtype.kind not in "biufcmM":
            texts = {text: hidden.text(text) for text in told[column].unique() if isinstance(text, str)}
            told[column] = told[column].map(
                lambda value, texts=texts: texts.get(value, value) if isinstance(value, str) else value
            )
    return told
