"""Comments behind lines that have grown: in line again where they were, as ``terraform fmt`` has them."""

from __future__ import annotations

import re

_LINE = re.compile(r'(?P<code>(?:"(?:\\.|[^"\\])*"|[^"#/]|/(?![/*]))*?)(?P<space>[ \t]*)(?P<comment>(?:#|//).*)?\Z')


def in_line_again(before: str, after: str) -> str:
    r"""
    Return *after* with the comments behind its lines in one column, where those of *before* were in one.

    Lines that follow each other and have a comment behind each have it in one column, one blank behind the longest.
    Only texts of equally many lines are looked at: a line that was added has no comment.

    Examples
    --------
    >>> print(in_line_again("a = 1   # one\nbb = 22 # two\n", "a = 1   # one\nbb = 2222 # two\n"))
    a = 1     # one
    bb = 2222 # two
    <BLANKLINE>
    """
    old, new = before.split("\n"), after.split("\n")
    if len(old) != len(new):
        return after
    at = 0
    while at < len(new):
        end = at
        while end < len(new) and _parted(new[end]) is not None and _parted(old[end]) is not None:
            end += 1
        if end - at > 1 and old[at:end] != new[at:end] and _aligned(old[at:end]) == old[at:end]:
            new[at:end] = _aligned(new[at:end])
        at = end + 1 if end > at else at + 1
    return "\n".join(new)


def _parted(line: str) -> tuple[str, str] | None:
    """Return the code and the comment of a line that has both."""
    found = _LINE.match(line)
    if found is None or not found["comment"] or not found["code"].strip():
        return None
    return found["code"], found["comment"]


def _aligned(lines: list[str]) -> list[str]:
    parted = [told for told in map(_parted, lines) if told is not None]
    width = max(len(code) for code, _ in parted)
    return [f"{code.ljust(width)} {comment}" for code, comment in parted]
