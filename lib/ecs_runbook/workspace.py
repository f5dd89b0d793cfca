"""
Where things are written: runs, generated Terraform, the local AWS's notes.

All of them lie in the folder in which the notebooks lie, so that a person sees them and git ignores them::

    runs/     evidence: one folder a run
    history/  one small file a check, so that the next one knows what is new
    build/    generated Terraform, one folder a schedule
    .local/   the local AWS: its address, its log, Terraform's state of its life; the key of pseudonyms
"""

from __future__ import annotations

import os
from pathlib import Path

from ecs_runbook.errors import WorkspaceError

HOME_VARIABLE = "ECS_RUNBOOK_HOME"
_CHECKOUT = Path(__file__).resolve().parents[2]


def root() -> Path:
    """
    Return the folder that everything is written to.

    The folder named by ``ECS_RUNBOOK_HOME``; else the nearest one above the current folder that holds the notebooks;
    else the checkout that this library was installed from; else the current folder.
    """
    if named := os.environ.get(HOME_VARIABLE):
        return Path(named).expanduser().resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, _CHECKOUT):
        if (folder / "notebooks" / "00_start_here.ipynb").is_file():
            return folder
    return here


def notebooks() -> Path:
    """Return the folder of the notebooks, as they are committed: beside what is written, else in the checkout."""
    beside = root() / "notebooks"
    return beside if beside.is_dir() else _CHECKOUT / "notebooks"


def modules() -> Path:
    """Return the folder of the hand-written Terraform modules: in the checkout, else as shipped inside the package."""
    checkout = _CHECKOUT / "terraform"
    return (
        checkout
        if (checkout / "scheduled_task").is_dir()
        else Path(__file__).resolve().parent / "_shipped" / "terraform"
    )


def runs() -> Path:
    """Return the folder of the runs, made if need be."""
    return writable(root() / "runs")


def history() -> Path:
    """Return the folder of earlier checks, made if need be."""
    return writable(root() / "history")


def build() -> Path:
    """Return the folder of the generated Terraform, made if need be."""
    return writable(root() / "build")


def local() -> Path:
    """Return the folder of the local AWS's notes, made if need be."""
    return writable(root() / ".local")


def state(life: str) -> Path:
    """Return the folder of Terraform's state in one life of the local AWS; it is not made."""
    return root() / ".local" / "state" / life


def writable(folder: Path) -> Path:
    """
    Return *folder*, made if need be.

    Raises
    ------
    WorkspaceError
        If it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"{folder} cannot be made: {error.strerror}.", hint=_REMEDY) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WorkspaceError(f"{folder} cannot be written to.", hint=_REMEDY)
    return folder


_REMEDY = f"Give yourself write access, or name another folder in {HOME_VARIABLE}."
