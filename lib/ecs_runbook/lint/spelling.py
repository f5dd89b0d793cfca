"""HCL's text as python-hcl2 takes it: what HCL passes over is blank, and every character keeps its place."""

from __future__ import annotations

import re
from typing import NamedTuple

_PASSED_OVER = r"(?:[ \t\r\n]|(?:[#]|//)[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)*"
_CODE = re.compile(
    rf"""
    (?P<opens>[({{\[]) (?P<for>{_PASSED_OVER}for\b{_PASSED_OVER}[^\W\d][\w-]*{_PASSED_OVER}(?:,|in\b))?
    | (?P<closes>[)}}\]]) | (?P<quote>") | (?P<line>\n)
    | (?P<comment>(?:\#|//)[^\n]*|/\*.*?\*/) | (?P<unclosed>/\*)
    | <<-?(?P<mark>[^\W\d][\w.-]*)\r?\n
    | (?P<nothing>!{_PASSED_OVER}!(?!=)|(?<![\w.:-])core[ \t]*::)
    | (?P<splat>\.{_PASSED_OVER}\*)
    """,
    re.VERBOSE | re.DOTALL,
)
_ALL_OF = re.compile(rf"\[{_PASSED_OVER}\*{_PASSED_OVER}\]")
_QUOTED = re.compile(r'\\.|(?P<quote>")|(?P<line>\n)|(?P<escaped>\$\$\{|%%\{)|(?P<hole>[$%]\{~?)', re.DOTALL)
_VISIBLE = re.compile(r"[^\r\n]")


class Spelling(NamedTuple):
    """
    A text, the same as python-hcl2 takes it, each character in its place, and its comments as (line, text).

    *unclosed* is the line of a quote that is not closed in it, or 0.
    """

    text: str
    plain: str
    comments: list[tuple[int, str]]
    unclosed: int = 0


def spelled(text: str) -> Spelling:
    r"""
    Return a text with what HCL takes and python-hcl2 does not spelled otherwise, each character in its place.

    Comments are blank, and so are new lines where HCL passes over them: in parentheses, brackets, interpolations and
    for-expressions. What is left of heredocs, and of quotes with an escape that python-hcl2 does not know, is their
    marks: what they say is read from *text*. A text that ends in the middle of something stays as it is.

    Examples
    --------
    >>> spelled('a = /* why */ (\n  b # c\n)').plain
    'a =           (   b     )'
    >>> spelled('a = /* why */ (\n  b # c\n)').comments
    [(1, 'why'), (2, 'c')]
    """
    spelling = _Spelling(text)
    if not spelling.whole():
        return Spelling(text, text, [], spelling.unclosed)
    plain = spelling.plain()
    if not plain.isascii():
        # HCL takes names in any script
        plain = "".join("Z" if not char.isascii() and f"a{char}".isidentifier() else char for char in plain)
    return Spelling(text, plain, spelling.comments)


class _Spelling:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.edits: list[tuple[int, str]] = []
        self.comments: list[tuple[int, str]] = []
        # what is open: its mark, and for a quote where it begins and how many edits were made before it
        self.open: list[str] = []
        self.quotes: list[tuple[int, int]] = []
        self.opaque: list[bool] = []
        self.counted = (0, 1)
        self.unclosed = 0

    def plain(self) -> str:
        pieces: list[str] = []
        at = 0
        for start, written in self.edits:
            pieces += [self.text[at:start], written]
            at = start + len(written)
        return "".join([*pieces, self.text[at:]])

    def whole(self) -> bool:
        """Go through the text; return whether all that is opened in it is closed."""
        steps = iter(self._step, None)
        return all(steps) and not self.open

    def _step(self) -> bool | None:
        """Take the next mark; return whether it has its place, and None at the end."""
        in_quote = bool(self.open) and self.open[-1] == '"'
        found = (_QUOTED if in_quote else _CODE).search(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return self._quoted(found) if in_quote else self._code(found)

    def _quoted(self, found: re.Match[str]) -> bool:
        if found["line"]:
            self.unclosed = self._line(found.start())
            return False
        if found["escaped"]:
            self.opaque[-1] = True
        elif found["hole"]:
            self.opaque[-1] |= found["hole"].endswith("~")
            self.open.append("${")
        elif found["quote"]:
            self.open.pop()
            begins, edits = self.quotes.pop()
            if self.opaque.pop():
                del self.edits[edits:]
                self.edits.append((begins, "_" * (found.start() - begins)))
        return True

    def _code(self, found: re.Match[str]) -> bool:
        kind, start = found.lastgroup, found.start()
        if found["opens"]:
            self.at = start + 1
            if found["opens"] == "[" and (all_of := _ALL_OF.match(self.text, start)):
                self._written(start, "[*]".rjust(all_of.end() - start))
                self.at = all_of.end()
            else:
                self.open.append("for" if found["for"] and found["opens"] == "{" else found["opens"])
        elif kind == "closes":
            return self._closed(found["closes"], start)
        elif kind == "quote":
            self.open.append('"')
            self.quotes.append((found.end(), len(self.edits)))
            self.opaque.append(False)
        elif kind == "line":
            if self.open and self.open[-1] != "{":
                self._written(start, " ")
        elif kind == "mark":
            return self._heredoc(found)
        elif kind == "unclosed":
            return False
        else:
            if kind == "comment":
                self.comments.append((self._line(start), _bare(found.group())))
            self._written(start, (".*" if kind == "splat" else "").rjust(found.end() - start))
        return True

    def _closed(self, mark: str, at: int) -> bool:
        opened = self.open.pop() if self.open else ""
        if opened == "${" and self.text[at - 1] == "~":
            self.opaque[-1] = True
        return {"(": ")", "[": "]", "{": "}", "for": "}", "${": "}"}.get(opened) == mark

    def _heredoc(self, found: re.Match[str]) -> bool:
        mark = found["mark"]
        # only blanks may stand beside the closing mark
        closing = re.compile(rf"^[ \t]*{re.escape(mark)}[ \t]*(?=\r?$)", re.MULTILINE).search(self.text, found.end())
        if closing is None:
            return False
        own = "Z" * len(mark)
        body = self.text[found.end() : closing.start()]
        self._written(found.start("mark"), own)
        self._written(found.end(), _VISIBLE.sub("_", body))
        self._written(closing.start(), own.rjust(closing.end() - closing.start()))
        # its line's end belongs to it
        ends = self.text.find("\n", closing.end()) + 1
        self.at = ends or len(self.text)
        return True

    def _written(self, start: int, text: str) -> None:
        self.edits.append((start, text))

    def _line(self, at: int) -> int:
        before, line = self.counted
        self.counted = (at, line + self.text.count("\n", before, at))
        return self.counted[1]


def _bare(comment: str) -> str:
    if comment.startswith("/*"):
        return comment[2:-2].strip()
    return comment.lstrip("#" if comment.startswith("#") else "/").strip()
