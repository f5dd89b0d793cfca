"""
What a way back has done so far: a file that is written before and after each change, so that nothing is ever forgotten.

It holds names of revisions and targets, and AWS's refusals; no content of a task definition.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ecs_runbook import workspace
from ecs_runbook.errors import EvidenceError, WorkspaceError
from ecs_runbook.session import Aws

State = Literal["announced", "tried", "done", "refused"]
"""Of a step: ``tried`` is one of which AWS's answer never came."""


@dataclass
class Entry:
    """One step: its state, what was there before, what is there after, and AWS's refusal."""

    id: str
    operation: str
    does: str
    on: dict[str, str]
    state: State = "announced"
    before: str = ""
    after: str = ""
    error: str = ""


@dataclass
class Journal:
    """
    One way back of one family.

    Attributes
    ----------
    state
        ``open`` until every step is done; then ``finished``; ``undoing`` and ``undone`` once it is taken back.
    """

    family: str
    account: str
    region: str
    way: str
    to: str
    before: str
    begun: str
    state: Literal["open", "finished", "undoing", "undone"] = "open"
    steps: list[Entry] = field(default_factory=list)
    undo: list[Entry] = field(default_factory=list)
    path: Path = field(default=Path(), repr=False, compare=False)

    def save(self) -> None:
        """
        Write it, whole or not at all.

        Raises
        ------
        WorkspaceError
            If it cannot be written.
        """
        told = {key: value for key, value in asdict(self).items() if key != "path"}
        scratch = self.path.with_suffix(".new")
        try:
            scratch.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            scratch.replace(self.path)
        except OSError as error:
            raise WorkspaceError(f"{self.path} cannot be written: {error.strerror}.") from error

    def to_dict(self) -> dict[str, Any]:
        """Return it as the receipt has it."""
        return {key: value for key, value in asdict(self).items() if key != "path"}


def path_of(family: str, aws: Aws) -> Path:
    """Return where the journal of *family* lies: with the history, or with one life of the local AWS."""
    home = workspace.state(aws.life) if aws.where == "local" else workspace.history()
    return workspace.writable(home / "roll_back") / f"{aws.account}-{aws.region}-{family}.json"


def read(family: str, aws: Aws) -> Journal | None:
    """
    Return the journal of *family*; None if there is none.

    Raises
    ------
    EvidenceError
        If it cannot be read.
    """
    path = path_of(family, aws)
    if not path.is_file():
        return None
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for key in ("steps", "undo"):
            told[key] = [Entry(**entry) for entry in told[key]]
        return Journal(**told, path=path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        hint = "Look into it, then move it away: what it says was done may be undone by hand alone."
        raise EvidenceError(f"{path} cannot be read as the journal of a way back: {error}", hint=hint) from error


def put_away(family: str, aws: Aws) -> None:
    """Keep the journal of a way that is over under a name of its own, if there is one."""
    path = path_of(family, aws)
    if path.is_file():
        path.replace(path.with_name(f"{path.stem}-{aws.now():%Y%m%dT%H%M%S%fZ}.json"))
