"""
Run Terraform on a folder: a subprocess, and a loop over what it says.

A child works in a process group of its own, so an interrupt reaches it exactly once, from here: it finishes the calls
that are under way, writes its state and releases the lock before the interrupt goes on.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_runbook import workspace
from ecs_runbook.errors import TerraformError
from ecs_runbook.terraform import binary, environment, generate, messages
from ecs_runbook.terraform.messages import Change, Diagnostic, Heard

if TYPE_CHECKING:
    import pandas as pd

PLAN_COLUMNS = ["action", "address", "type"]
_PLAN = Path(".terraform") / "ecs-runbook.tfplan"
_PLAN_TOLD = Path(".terraform") / "ecs-runbook.plan.json"
_PLAN_KEEPS_SECONDS = 3600  # AWS itself may have changed since; what was read longer ago is planned anew
_STAMP = Path(".terraform") / "ecs-runbook.init"
_BACKEND = Path(".terraform") / "terraform.tfstate"  # where Terraform notes the place of the state
_LOCK = ".terraform.lock.hcl"
_CHECKSUMS = re.compile(r"^  hashes = \[\n(?:    .*\n)*  \]\n", re.MULTILINE)
_PATIENCE = 3  # interrupts until a child that does not end is killed

Report = Callable[[str, float, str], None]


@dataclass(frozen=True)
class Plan:
    """
    What Terraform would do.

    Attributes
    ----------
    empty
        Whether there is nothing to do.
    changes
        One for each resource, as Terraform names them.
    warnings
        What it warns of.
    """

    empty: bool
    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()
    file: Path | None = field(default=None, repr=False)
    made_of: str = field(default="", repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """One row a resource, columns :data:`PLAN_COLUMNS`; no rows where there is nothing to do."""
        return _table(self.changes)

    def __str__(self) -> str:
        return _sentence(self.changes) if not self.empty else "Nothing to change: what is there is what the files say."

    def _repr_html_(self) -> str:
        return _page(str(self), self.changes, self.warnings)


@dataclass(frozen=True)
class Applied:
    """
    What Terraform did.

    Attributes
    ----------
    changes
        One for each thing done, in the order in which it ended; what was replaced stands in it twice.
    outputs
        The root module's outputs by name; a sensitive one only says that it is.
    warnings
        What it warned of.
    """

    changes: tuple[Change, ...]
    outputs: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """One row for each thing done, columns :data:`PLAN_COLUMNS`."""
        return _table(self.changes)

    def __str__(self) -> str:
        return _sentence(self.changes, past=True) if self.changes else "Nothing was changed."

    def _repr_html_(self) -> str:
        return _page(str(self), self.changes, self.warnings)


@dataclass(frozen=True)
class Resource:
    """One thing that stands in the state: its type, its own name in AWS, and its ARN where it has one."""

    type: str
    name: str
    arn: str


@dataclass(frozen=True)
class State:
    """What stands in the state: the resources that were made, and the root module's outputs by name."""

    resources: list[Resource]
    outputs: dict[str, Any]


class Terraform:
    """
    Terraform in one folder, on one AWS.

    Parameters
    ----------
    folder
        A root module, from :func:`ecs_runbook.terraform.generate.write` or ``adopt_folder``.
    aws
        Where it works: a session's Aws. The folder is tied to it, or untied, at every :meth:`init`.
    progress
        Called with a name, how much of it is done from 0 to 1, and a word on it; the name is a resource's address, or
        ``terraform`` and the command for the whole of it.

    Attributes
    ----------
    complaints
        What stopped the latest command that failed, one for each resource that was refused; what did not depend on
        them was done all the same.

    Notes
    -----
    Every method raises TerraformError with the resource, Terraform's summary and its detail (TerraformMissing and
    ProviderMissing where these are what is wrong), and WorkspaceError where the folder cannot be written to. Values
    that Terraform holds to be sensitive never get here.

    Needs the rights of the resources in the folder; to plan, those to read them.
    """

    def __init__(self, folder: Path, *, aws: environment.Aws, progress: Report | None = None) -> None:
        self.folder = Path(folder).resolve()
        self.aws = aws
        self._report: Report = progress or (lambda _name, _done, _note: None)
        self._program = binary.find()
        notes = workspace.local()
        config = environment.provider_config(os.environ, notes, registry=self._program.registry)
        self._environment = environment.environment(aws, os.environ, config=config)
        self._config = config
        self._planned: Plan | None = None
        self.complaints: tuple[Diagnostic, ...] = ()

    def init(self) -> None:
        """
        Get the folder ready: the provider, the module, the place of the state. Skipped where nothing of that changed.

        Raises
        ------
        ProviderMissing
            If the provider is not to be had; says how it can be.
        """
        workspace.writable(self.folder)
        local = generate.local_of(self.aws, self.folder)
        generate.tie(self.folder, local)
        if self._is_ready():
            return
        (self.folder / _STAMP).unlink(missing_ok=True)
        arguments = ["init", "-input=false", "-no-color"]
        if local is not None:
            # the state of an earlier life of the local AWS is not taken along
            arguments.append("-reconfigure")
        elif self._was_tied():
            # nor is that of the local AWS; -reconfigure would not forget a place that is no longer named
            (self.folder / _BACKEND).unlink()
        if self._program.streams_init:
            arguments.append("-json")
        self._run(arguments)
        if local is not None:
            self._drop_checksums()
        # a folder without providers has none yet
        workspace.writable((self.folder / _STAMP).parent)
        (self.folder / _STAMP).write_text(self._stamp(), encoding="utf-8")

    def validate(self) -> tuple[str, ...]:
        """Check the folder without asking AWS; return the warnings."""
        self.init()
        answer = self._answer(["validate", "-json", "-no-color"])
        diagnostics = [messages.diagnostic(found) for found in answer["diagnostics"]]
        if not answer["valid"]:
            errors = [found for found in diagnostics if found.severity == "error"]
            raise messages.error_of(errors, "terraform validate refused the folder")
        return tuple(str(found) for found in diagnostics)

    def unformatted(self) -> list[str]:
        """Return the files that ``terraform fmt`` would change."""
        command = [*self._program.command, "fmt", "-check", "-list=true", "-recursive", "-no-color"]
        said = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        if said.returncode not in (0, 3):
            raise messages.error_of(messages.diagnostics_in(said.stderr), "terraform fmt could not read the folder")
        return said.stdout.split("\n")[:-1]

    def plan(self) -> Plan:
        """Return what would be done; nothing is changed. The plan is kept, and :meth:`apply` does that very plan."""
        self.init()
        made_of = self._made_of()
        file = self.folder / _PLAN
        file.unlink(missing_ok=True)
        heard, code = self._run(["plan", "-json", "-input=false", "-detailed-exitcode", f"-out={file}"], fine=(0, 2))
        self._planned = Plan(code == 0, tuple(heard.changes), heard.warnings, file, made_of)
        told = {
            "made_of": made_of,
            "empty": self._planned.empty,
            "changes": [asdict(change) for change in heard.changes],
            "warnings": list(heard.warnings),
        }
        (self.folder / _PLAN_TOLD).write_text(json.dumps(told), encoding="utf-8")
        return self._planned

    def plan_in_json(self, plan: Plan) -> dict[str, Any]:
        """
        Return *plan* as ``terraform show -json`` tells it, all values resolved that can be known.

        Values that Terraform holds to be sensitive are in it, so it is to be read and not to be kept.

        Raises
        ------
        TerraformError
            If the plan's file is not there any more.
        """
        if plan.file is None or not plan.file.is_file():
            raise TerraformError("The plan's file is gone.", hint="Plan again.")
        return self._answer(["show", "-json", "-no-color", str(plan.file)])

    def kept_plan(self) -> Plan | None:
        """
        Return the plan that an earlier notebook made in this folder, so that what was read is what is applied.

        None if files or state have changed since, or if it is older than an hour.
        """
        file = self.folder / _PLAN
        try:
            told = json.loads((self.folder / _PLAN_TOLD).read_text(encoding="utf-8"))
            age = time.time() - file.stat().st_mtime
        except (OSError, ValueError):
            return None
        if age > _PLAN_KEEPS_SECONDS or told["made_of"] != self._made_of():
            return None
        changes = tuple(Change(**change) for change in told["changes"])
        self._planned = Plan(told["empty"], changes, tuple(told["warnings"]), file, told["made_of"])
        return self._planned

    def state(self) -> State:
        """Return what stands in the state; data that was only read is left out, and a sensitive output only named."""
        self.init()
        state = self._answer(["state", "pull"])
        made = (block for block in state.get("resources", []) if block["mode"] == "managed")
        facts = [(block["type"], one["attributes"]) for block in made for one in block["instances"]]
        return State(
            [Resource(kind, str(has.get("name") or has.get("id")), str(has.get("arn") or "")) for kind, has in facts],
            messages.shown(state.get("outputs", {})),
        )

    def apply(self, plan: Plan | None = None) -> Applied:
        """
        Do what *plan* says, or the latest plan of this object, or, without any, what a new one says.

        Where files or state have changed since, it is planned anew; of a *plan* that was given, nothing more than that
        is done then. An empty plan is not applied. An interrupt is passed on, once; what was made until then stands in
        the state.

        Raises
        ------
        TerraformError
            Also if files or state have changed so that something would be done that *plan* does not say.
        """
        self.init()
        latest = plan or self._planned
        self._planned = None
        if latest is None or latest.file is None or not latest.file.is_file() or latest.made_of != self._made_of():
            return self._apply_anew(plan)
        try:
            return self._apply_saved(latest)
        except TerraformError as error:
            if "plan is stale" not in error.summary:
                raise
            return self._apply_anew(plan)

    def _apply_anew(self, read: Plan | None) -> Applied:
        if read is None:
            return self._apply(["-auto-approve"])
        anew = self.plan()
        self._planned = None
        if unread := [f"{change.action} {change.address}" for change in anew.changes if change not in read.changes]:
            summary = "Files or state have changed since the plan, and now there is more to do"
            hint = "Nothing was changed. Plan again, read it, and apply that."
            raise TerraformError(summary, detail=", ".join(unread), hint=hint)
        return self._apply_saved(anew)

    def _apply_saved(self, plan: Plan) -> Applied:
        if plan.empty:
            return Applied((), self.state().outputs, plan.warnings)
        try:
            return self._apply([str(plan.file)])
        finally:
            (self.folder / _PLAN).unlink(missing_ok=True)

    def destroy(self) -> Applied:
        """Destroy what stands in the state."""
        self.init()
        self._planned = None
        command = ["destroy", "-json", "-input=false", "-auto-approve"]
        try:
            # what stands in the state is to go, whatever it looks like by now: a quarter of the time is saved
            heard, _ = self._run([*command, "-refresh=false"], applies=True)
        except TerraformError:
            # something went by another's hand, perhaps: a refresh notices
            heard, _ = self._run(command, applies=True)
        return Applied(tuple(heard.applied), {}, heard.warnings)

    def _apply(self, what: Sequence[str]) -> Applied:
        heard, _ = self._run(["apply", "-json", "-input=false", *what], applies=True)
        return Applied(tuple(heard.applied), heard.outputs, heard.warnings)

    def _answer(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the one JSON document that a command answers with."""
        command = [*self._program.command, *arguments]
        said = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        try:
            # a state that was never written is no document at all
            nothing = said.returncode == 0 and not said.stdout.strip()
            answer: dict[str, Any] = {} if nothing else json.loads(said.stdout)
        except ValueError:
            errors = messages.diagnostics_in(said.stderr)
            raise messages.error_of(errors, _ended(arguments[0], said.returncode, said.stderr)) from None
        return answer

    def _run(self, arguments: Sequence[str], *, applies: bool = False, fine: Sequence[int] = (0,)) -> tuple[Heard, int]:
        verb = f"terraform {arguments[0]}"
        heard = Heard(applies=applies)
        self._report(verb, 0.0, "starting")
        with tempfile.TemporaryFile() as complaints:
            child = subprocess.Popen(
                [*self._program.command, *arguments],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            try:
                self._listen(child, heard, verb)
            except BaseException:
                self._stop(child, verb)
                raise
            complaints.seek(0)
            said = complaints.read().decode("utf-8", "replace")
        code = child.wait()
        errors = heard.errors or messages.diagnostics_in("\n".join([*heard.unread, said]))
        if code not in fine:
            self._report(verb, heard.progress, "failed")
            self.complaints = tuple(errors)
            raise messages.error_of(errors, _ended(arguments[0], code, said))
        self._report(verb, 1.0, _sentence(heard.applied or heard.changes, past=applies) if heard.counts else "done")
        return heard, code

    def _listen(self, child: subprocess.Popen[str], heard: Heard, verb: str) -> None:
        for line in child.stdout or ():
            for step in heard.hear(line):
                self._report(step.address, step.done, step.note)
                if heard.applies and heard.changes:
                    self._report(verb, heard.progress, _sentence(heard.changes))

    def _stop(self, child: subprocess.Popen[str], verb: str) -> None:
        """Interrupt the child, once, and wait until it has released the state's lock, whoever else interrupts."""
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
        interrupts = 1
        while True:
            try:
                child.communicate()
                break
            except KeyboardInterrupt:
                interrupts += 1
                if interrupts >= _PATIENCE:
                    child.kill()
        self._report(verb, 0.0, "interrupted")

    def _drop_checksums(self) -> None:
        """
        Drop the provider's checksums, which `init` has noted, and adds again where it is run without the local AWS.

        With them every command reads the 700 MB of the provider again, though it was itself noted a moment ago.
        """
        lock = self.folder / _LOCK
        if lock.is_file():
            text = lock.read_text(encoding="utf-8")
            lock.write_text(_CHECKSUMS.sub("", text), encoding="utf-8")

    def _was_tied(self) -> bool:
        """Tell whether Terraform last kept this folder's state in the folder of a local AWS's life."""
        try:
            backend = json.loads((self.folder / _BACKEND).read_text(encoding="utf-8"))["backend"]
            return Path(backend["config"]["path"]).is_relative_to(workspace.local())
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _is_ready(self) -> bool:
        stamp = self.folder / _STAMP
        if not stamp.is_file() or stamp.read_text(encoding="utf-8") != self._stamp():
            return False
        installed = (self.folder / ".terraform" / "providers").glob("*/*/*/*/*")
        return all(provider.exists() for provider in installed)

    def _stamp(self) -> str:
        """Return what ``init`` depends on, as one line."""
        sources = [path for path in self._files() if path.suffix != ".tfplan" and ".tfvars" not in path.name]
        config = [self._config] if self._config is not None else []
        return _digest([str(self._program), *map(_content, [*sources, *config])])

    def _made_of(self) -> str:
        """Return what a plan depends on and can be seen from here, as one line; Terraform itself sees the rest."""
        local = generate.local_of(self.aws, self.folder)
        state = local.state if local is not None else self.folder / "terraform.tfstate"
        return _digest([str(self._program), self.aws.account, *map(_content, [*self._files(), state])])

    def _files(self) -> list[Path]:
        """Return the files that say what is wanted: Terraform's, in the folder and below it, with the lock file."""
        wanted = (".tf", ".tf.json", ".tfvars", ".tfvars.json", _LOCK)
        return [
            path
            for path in sorted(self.folder.rglob("*"))
            if path.name.endswith(wanted) and ".terraform" not in path.relative_to(self.folder).parts
        ]


def _content(path: Path) -> str:
    content = path.read_bytes() if path.is_file() else b""
    return f"{path} {hashlib.sha256(content).hexdigest()}"


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _ended(verb: str, code: int, said: str) -> str:
    last = " ".join(said.split("\n")[-6:]).strip()
    return f"terraform {verb} ended with code {code}" + (f": {last}" if last else "")


_PAST = {"create": "created", "change": "changed", "destroy": "destroyed", "replace": "replaced", "read": "read"}
_FUTURE = {action: f"to {action}" for action in _PAST}


def _sentence(changes: Iterable[Change], *, past: bool = False) -> str:
    """
    Return how many of each, as a sentence.

    Examples
    --------
    >>> role = Change("create", "aws_iam_role.task", "aws_iam_role")
    >>> _sentence([role, role]), _sentence([role], past=True), _sentence([])
    ('2 to create', '1 created', 'nothing to change')
    """
    words = _PAST if past else _FUTURE
    counts = dict.fromkeys(words, 0)
    for change in changes:
        counts[change.action] += 1
    told = [f"{count} {words[action]}" for action, count in counts.items() if count]
    return ", ".join(told) or ("nothing changed" if past else "nothing to change")


def _table(changes: Iterable[Change]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([(change.action, change.address, change.type) for change in changes], columns=PLAN_COLUMNS)


def _page(title: str, changes: Sequence[Change], warnings: Sequence[str]) -> str:
    left = 'style="text-align:left"'  # JupyterLab puts cells to the right
    rows = "".join(
        f"<tr><td {left}>{change.action}</td><td {left}><code>{html.escape(change.address)}</code></td></tr>"
        for change in changes
    )
    table = f"<table><tr><th {left}>action</th><th {left}>resource</th></tr>{rows}</table>" if rows else ""
    notes = "".join(f"<p>⚠ {html.escape(warning)}</p>" for warning in warnings)
    return f"<p><b>{html.escape(title)}</b></p>{table}{notes}"
