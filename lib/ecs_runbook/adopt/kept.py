"""What somebody's own Terraform files make already: it is mended there, by the smallest edits, and not imported."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ecs_runbook import workspace
from ecs_runbook.adopt.existing import Existing, LeftOut, Whole
from ecs_runbook.adopt.made import Makes
from ecs_runbook.adopt.mends import QUEUE, chosen
from ecs_runbook.errors import Fault, SpecError, TerraformError
from ecs_runbook.lint.reading import Tree
from ecs_runbook.lint.view import View
from ecs_runbook.patch.patch import Patch, patch
from ecs_runbook.patch.wishes import MENDS, Found, Sight

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_OURS = re.compile(r'"(?:[^"\s]*task-definition/[^"\s]*|(?:\$\{[^"}]*\})?(?::(?:\*|\d+))?|FARGATE|EC2|true|false)"')
"""What an edit is about: a task definition, a policy's end of one, a launch type."""


@dataclass(frozen=True)
class Kept:
    """
    What the files of a repository make of what is to be adopted.

    Attributes
    ----------
    here
        What they make.
    others
        What they do not: it is imported.
    patch
        What mends the former; None without a repository, or if nothing of it is there.
    wrote
        Whether the edits were written.
    makes
        What else the files make.
    left_out
        What is neither mended nor imported, and why.
    left
        Mends that were chosen and find no place in the files, and why.
    """

    here: tuple[Existing, ...] = ()
    others: tuple[Existing, ...] = ()
    patch: Patch | None = None
    wrote: bool = False
    left: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    makes: Makes = field(default_factory=Makes)

    @property
    def diff(self) -> str:
        """
        The edits as a unified diff without the lines around them; empty if there are none.

        Of the lines that change, no text is shown that no edit is about: it may be a secret of an environment.
        """
        lines = self.patch.diff.splitlines(keepends=True) if self.patch is not None else []
        return "".join(_shy(line) for line in lines if not line.startswith(" "))

    def __str__(self) -> str:
        if self.patch is None:
            return "Nothing of it is made by files that you named."
        names = ", ".join(one.label for one in self.here)
        count = len(self.patch.edits)
        done = "written" if self.wrote else "not written: apply_patch = True writes them"
        edits = f"{count} edit{'' if count == 1 else 's'} in {len(self.patch.texts)} of your files, {done}"
        return f"{names}: {edits if count else 'nothing to change in your files'}"

    def _repr_html_(self) -> str:
        lists = {"Not placed": self.left, "Left out": self.left_out}
        lists |= {"Warning": tuple(self.patch.overwritten)} if self.patch else {}
        told = [f"<p>{head}:</p><ul>{''.join(map(_item, some))}</ul>" for head, some in lists.items() if some]
        return f"<p>{html.escape(str(self))}</p><pre>{html.escape(self.diff)}</pre>{''.join(told)}"


def _shy(line: str) -> str:
    """
    Return a line of a diff without the texts that no edit is about.

    Examples
    --------
    >>> _shy('+  x = "${aws_ecs_task_definition.a.arn}:*", y = "hunter2", "z": "FARGATE"')
    '+  x = "${aws_ecs_task_definition.a.arn}:*", y = "…", "z": "FARGATE"'
    """
    if line.startswith(("---", "+++", "@@")):
        return line
    return _QUOTED.sub(lambda found: found[0] if _OURS.fullmatch(found[0]) or _is_key(found) else '"…"', line)


def _is_key(found: re.Match[str]) -> bool:
    before, after = found.string[: found.start()].rstrip(), found.string[found.end() :].lstrip()
    return before[-1:] in ("+", "-", "{", ",") and after[:1] in (":", "=")


def _item(one: object) -> str:
    return f"<li>{html.escape(str(one))}</li>"


def kept_in(
    repository: str,
    whole: Whole,
    *,
    mend: Sequence[str] = (),
    dead_letter_queue: str = "",
    apply_patch: bool = False,
) -> Kept:
    """
    Find which of *whole* somebody's Terraform files make, and the edits that mend these there.

    Parameters
    ----------
    repository
        A folder with Terraform in it, at any depth; ``""`` for none.
    whole
        From :func:`~ecs_runbook.adopt.existing.existing`.
    mend, dead_letter_queue
        As :func:`~ecs_runbook.adopt.adopt.adopt_in_terraform` takes them.
    apply_patch
        Write the edits.

    Raises
    ------
    SpecError
        If there is no such folder or no Terraform in it, if *apply_patch* has no *repository*, or if a mend is named
        for one thing alone, which edits of files cannot be held to.
    WorkspaceError
        If a file cannot be written, or has changed since it was read.
    """
    mends = chosen(mend, dead_letter_queue=dead_letter_queue)
    if not repository:
        if apply_patch:
            raise _refused("apply_patch", "True", "name the repository whose files shall be written")
        return Kept((), whole.things, left_out=whole.left_out)
    if mends.names:
        raise _refused("mend", repr(list(mend)), "with a repository name no thing in it; run it once for each instead")
    path = (workspace.root() / Path(repository).expanduser()).resolve()
    if not path.is_dir():
        raise _refused("repository", repr(repository), "name a folder with Terraform files")
    here, unsure, makes = _made(path, whole.things, repository)
    out = {one.of for one in unsure}
    others = tuple(one for one in whole.things if one not in here and one.label not in out)
    left_out = (*whole.left_out, *unsure)
    if not here:
        return Kept((), others, left_out=left_out, makes=makes)
    arns = [str(one.told["Arn"]) for one in here]
    try:
        found = patch(path, [one for one in mends if one in MENDS], only=arns)
    except TerraformError as error:
        raise _refused("repository", repr(repository), str(error)) from error
    left = [str(one) for one in (*found.not_placed, *found.not_known)]
    if QUEUE in mends:
        names = ", ".join(one.label for one in here)
        left.append(f"{QUEUE} of {names}: {_NO_QUEUE}")
    if apply_patch:
        found.apply()
    return Kept(tuple(here), others, found, apply_patch and bool(found.texts), tuple(left), left_out, makes)


_KINDS = {"rule": "aws_cloudwatch_event_rule", "schedule": "aws_scheduler_schedule"}
_NO_QUEUE = (
    "give it the queue in your files by hand, and the queue a policy that lets it write: where these belong is not "
    "told by the files"
)


def _made(path: Path, things: Sequence[Existing], repository: str) -> tuple[list[Existing], list[LeftOut], Makes]:
    """Return what the files make, of what cannot be told whether they do, and what else they make."""
    reading, found = Tree(path).read(), Found()
    if not any(one.files or one.broken for one in reading.configurations):
        raise _refused("repository", repr(repository), "name a folder with .tf or .tf.json files")
    here, left = [], []
    makes = Makes([View(one.configuration) for one in reading.roots])
    for thing in things:
        sight = Sight(reading, [str(thing.told["Arn"])], found)
        if sight.targets:
            here.append(thing)
        elif unsure := [why for _, why in sight.unknown if "cannot be told" in why]:
            left.append(LeftOut(thing.label, unsure[0]))
        elif place := makes.place(_KINDS[thing.kind], thing.name):
            left.append(LeftOut(thing.label, f"your own files make it, {place}, and no target of it there runs a task"))
    return here, left, makes


def _refused(name: str, value: str, mend: str) -> SpecError:
    return SpecError("Your own files cannot be looked at like this:", faults=[Fault(name, value, mend)])
