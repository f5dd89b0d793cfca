"""A schedule's folder of Terraform: where it lies by default, what is in it, and one file of it to read."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecs_runbook import workspace
from ecs_runbook.errors import WorkspaceError
from ecs_runbook.terraform import generate

if TYPE_CHECKING:
    from ecs_runbook.terraform.environment import Aws
    from ecs_runbook.wanted.spec import Spec


@dataclass(frozen=True)
class Files:
    """
    A folder of Terraform.

    Attributes
    ----------
    folder
        Where it lies.
    written
        What was written just now, by its place in the folder.
    """

    folder: Path
    written: tuple[str, ...] = ()

    def show(self, name: str) -> Any:
        """Show the file *name* in a notebook, highlighted."""
        from IPython.display import Code

        return Code((self.folder / name).read_text(encoding="utf-8"), language="terraform")

    def __str__(self) -> str:
        try:
            return self.folder.relative_to(workspace.root()).as_posix()
        except ValueError:
            return str(self.folder)

    def _repr_html_(self) -> str:
        items = "".join(f"<li><code>{html.escape(name)}</code></li>" for name in self.written)
        return f"<p><code>{html.escape(str(self))}</code></p><ul>{items}</ul>"


def write_terraform(wanted: Spec, aws: Aws, *, folder: str = "", mistake: str = "") -> Files:
    """
    Write the Terraform of *wanted*, for *aws*.

    Parameters
    ----------
    wanted
        What should run.
    aws
        Where it may be applied, and nowhere else.
    folder
        Where it goes; ``build/<local or account>/<name>`` if empty.
    mistake
        Write it wrongly instead, for contrast: the name of a folder in ``terraform/mistakes``. Such a module takes the
        spec's fields that it has variables for.

    Raises
    ------
    WorkspaceError
        If the folder cannot be written to or holds what this did not write, or there is no such mistake.
    """
    place = _place(aws, wanted.name, folder)
    local = generate.local_of(aws, place)
    if mistake:
        source = _mistake(mistake)
        values = _values(wanted, aws, _variables(source))
        written = generate.adopt_folder(source, place, values, account=aws.account, local=local)
    else:
        written = generate.write(wanted, place, account=aws.account, region=aws.region, local=local)
    return Files(place, tuple(path.relative_to(place).as_posix() for path in written))


def find_terraform(aws: Aws, *, name: str, folder: str = "") -> Files:
    """
    Find the folder that :func:`write_terraform` wrote, and tie it to the local AWS as it now runs.

    Raises
    ------
    WorkspaceError
        If there is no Terraform.
    """
    place = _place(aws, name, folder)
    if not any(place.glob("*.tf")):
        raise WorkspaceError(f"{place} holds no Terraform.", hint=f"Run 10_generate with name = {name!r} first.")
    generate.tie(place, generate.local_of(aws, place))
    return Files(place)


def _place(aws: Aws, name: str, folder: str) -> Path:
    below = workspace.build() / ("local" if aws.where == "local" else aws.account)
    try:
        place = (workspace.root() / Path(folder).expanduser()).resolve() if folder else below / name
        with contextlib.suppress(FileNotFoundError):
            place.stat()
    except (OSError, ValueError, RuntimeError) as error:  # too long; a NUL; the home of nobody
        said = f"folder = {folder!r}" if folder else f"name = {name!r}"
        reason = getattr(error, "strerror", None) or str(error)
        raise WorkspaceError(f"{said} cannot be a folder: {reason}.", hint="Name another one.") from None
    return place


def mistakes() -> dict[str, Path]:
    """Return the folders of ``terraform/mistakes`` by name: root modules, each with one mistake made on purpose."""
    folder = workspace.modules() / "mistakes"
    return {path.name: path for path in sorted(folder.iterdir()) if (path / "provider.tf").is_file()}


def _mistake(name: str) -> Path:
    known = mistakes()
    if name not in known:
        raise WorkspaceError(f"mistake = {name!r} is not known.", hint=f"There are: {', '.join(known)}.")
    return known[name]


def _variables(source: Path) -> Sequence[str]:
    import hcl2

    with (source / "variables.tf").open(encoding="utf-8") as text:
        return [name.strip('"') for block in hcl2.load(text).get("variable", []) for name in block]


def _values(wanted: Spec, aws: Aws, variables: Sequence[str]) -> dict[str, Any]:
    known = {**wanted.model_dump(), "account": aws.account, "region": aws.region}
    return {name: known[name] for name in variables if name in known}
