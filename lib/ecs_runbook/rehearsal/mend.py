"""Apply the mend that a README shows: a diff whose lines must be found exactly once, or nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence

from ecs_runbook.errors import WorkspaceError

_HUNK = "@@"


def mended(text: str, diff: str, *, name: str = "main.tf") -> str:
    r"""
    Return *text* with *diff* applied.

    Parameters
    ----------
    text
        The file as it is.
    diff
        Lines that begin with a blank (context), ``-`` or ``+``; an empty line is an empty line of context. A line that
        begins with ``@@`` stands between two hunks. Line numbers are not needed: each hunk's old lines, in order, stand
        in the file exactly once.
    name
        The file's name, for errors.

    Raises
    ------
    WorkspaceError
        If a line has no mark, a hunk changes nothing, or its old lines are not in the file exactly once.

    Examples
    --------
    >>> print(mended("a = 1\nb = 2\n", " a = 1\n-b = 2\n+b = 3"), end="")
    a = 1
    b = 3
    """
    lines = text.splitlines()
    places = []
    for number, hunk in enumerate(_hunks(diff, name), start=1):
        old = [line[1:] for line in hunk if line[:1] != "+"]
        new = [line[1:] for line in hunk if line[:1] != "-"]
        found = [at for at in range(len(lines) - len(old) + 1) if lines[at : at + len(old)] == old] if old else []
        if len(found) != 1:
            raise WorkspaceError(
                f"hunk {number} of the mend fits {len(found)} places in {name}; it must fit exactly one.",
                hint=f"It begins with {hunk[0]!r}: write more lines around what changes, as they stand in the file.",
            )
        places.append((found[0], len(old), new))
    for at, length, new in sorted(places, reverse=True):
        lines[at : at + length] = new
    return "\n".join(lines) + "\n" if lines else ""


def old_lines(diff: str) -> list[str]:
    r"""
    Return what a mend's diff takes as given, as it stands in the file: the lines that show the mistake.

    Examples
    --------
    >>> old_lines(" a = 1\n-b = 2\n+b = 3\n@@\n c = 4\n+d = 5")
    ['a = 1', 'b = 2', '…', 'c = 4']
    """
    kept = [line for line in diff.splitlines() if line[:1] != "+"]
    return ["…" if line.startswith(_HUNK) else line[1:] for line in kept]


def _hunks(diff: str, name: str) -> Sequence[Sequence[str]]:
    hunks: list[list[str]] = [[]]
    for line in diff.splitlines():
        if line.startswith(_HUNK):
            hunks.append([])
        elif line[:1] in ("", " ", "-", "+"):
            hunks[-1].append(line)
        else:
            raise WorkspaceError(
                f"a line of the mend of {name} has no mark: {line!r}.",
                hint="Begin it with a blank, a minus or a plus.",
            )
    for number, hunk in enumerate(hunks, start=1):
        if not any(line[:1] in ("-", "+") for line in hunk):
            raise WorkspaceError(f"hunk {number} of the mend of {name} changes nothing.", hint="Take it out.")
    return hunks
