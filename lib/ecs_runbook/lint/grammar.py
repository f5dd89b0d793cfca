"""HCL by python-hcl2's grammar: a text into its tree of tokens, or the line that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import LarkError, UnexpectedInput

from ecs_runbook.lint.spans import LISTENS

_GOES_ON = frozenset({"DOT", "ATTR_SPLAT", "FOR_OBJECT_ARROW"})
_ENCODED = re.compile(r"Zq([0-9a-f]{2,6})qZ")
_HEREDOC = re.compile(r"<<-?([a-zA-Z][a-zA-Z0-9._-]*)\r?$", re.MULTILINE)
_COMMENT = re.compile(r"#[^\n]*|//[^\n]*|/\*.*?\*/", re.DOTALL)
OPERATORS = {
    "DOUBLE_PIPE": "||", "DOUBLE_AMP": "&&", "DOUBLE_EQ": "==", "NEQ": "!=", "LT": "<", "GT": ">", "LEQ": "<=",
    "GEQ": ">=", "PLUS": "+", "MINUS": "-", "ASTERISK": "*", "SLASH": "/", "PERCENT": "%",
}  # fmt: skip


class Fault(Exception):
    """A file cannot be read: the line, and why."""

    def __init__(self, line: int, because: str) -> None:
        super().__init__(because)
        self.line = line
        self.because = because


@cache
def _parser() -> Any:
    """
    Return python-hcl2's parser, without the positions that it notes for every node: each token has its own.

    Its tree keeps lines and comments, which its dictionaries do not, and costs half; positions are a third of that.
    """
    from hcl2.parser import parser
    from hcl2.postlexer import PostLexer

    whole = parser()
    saved = BytesIO()
    try:
        whole.save(saved)
        saved.seek(0)
        return Lark.__new__(Lark)._load(saved, propagate_positions=False, postlex=_Continued(PostLexer()))
    except (AttributeError, TypeError, KeyError, LarkError):
        # another lark than the one that this was tried with: slower, and the same trees
        return whole


class _Continued:
    """What stands between lexer and parser: python-hcl2's own, and :func:`_without_breaks` after it."""

    always_accept = ()

    def __init__(self, own: Any) -> None:
        self.own = own

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Change the stream of tokens."""
        return _without_breaks(self.own.process(stream))


def _without_breaks(stream: Iterator[Token]) -> Iterator[Token]:
    """Yield tokens without the new lines before ``.name`` and ``=>``, which only go on with what stands before them."""
    breaks: list[Token] = []
    for token in stream:
        if token.type == "NL_OR_COMMENT":
            breaks.append(token)
            continue
        if token.type not in _GOES_ON:
            yield from breaks
        breaks = []
        yield token
    yield from breaks


def tree_of(text: str) -> Tree[Token]:
    """
    Return the tree of a file's text.

    Raises
    ------
    Fault
        Terraform would not read it, or python-hcl2 cannot.
    """
    spelled = _spelled_for_parser(text)
    try:
        return _placed(_parsed(spelled), spelled, text)
    except UnexpectedInput as error:
        if not text.isascii() and _ENCODED.search(text) is None:
            try:
                told = _decoded(_parsed(_in_ascii(spelled)))
                return _placed(told, _in_ascii(spelled), text)
            except LarkError:
                pass
        raise _fault(error, spelled) from None
    except LarkError as error:
        raise Fault(1, f"python-hcl2 cannot read it: {error}") from None


def _parsed(text: str) -> Tree[Token]:
    tree: Tree[Token] = _parser().parse(text + "\n")
    return tree


def _in_ascii(text: str) -> str:
    """Return a text in which every letter is one of ASCII: HCL takes names in any script, python-hcl2 does not."""
    return "".join(f"Zq{ord(char):x}qZ" if not char.isascii() and f"a{char}".isidentifier() else char for char in text)


def _decoded(tree: Tree[Token]) -> Tree[Token]:
    for one in tree.iter_subtrees():
        one.children[:] = [
            child.update(value=_ENCODED.sub(lambda found: chr(int(found[1], 16)), child))
            if isinstance(child, Token)
            else child
            for child in one.children
        ]
    return tree


def _placed(tree: Tree[Token], spelled: str, text: str) -> Tree[Token]:
    """Return the tree of *spelled* with the places that its tokens have in *text*."""
    if spelled == text or LISTENS.get() is None:
        return tree
    places = _places(spelled, text)
    for one in tree.scan_values(lambda child: isinstance(child, Token)):
        if one.start_pos is not None and one.end_pos is not None:
            one.start_pos, one.end_pos = (places[min(at, len(places) - 1)] for at in (one.start_pos, one.end_pos))
    return tree


def _places(spelled: str, text: str) -> list[int]:
    """Return where in *text* each character of *spelled* stands, and its end: they differ as is done here only."""
    places: list[int] = []
    at = here = 0
    while at < len(spelled):
        found = _ENCODED.match(spelled, at)
        if found and not text.startswith(found.group(), here):
            places += [here] * len(found.group())
            at, here = found.end(), here + 1
            continue
        while here < len(text) and text[here] != spelled[at]:
            here += 1  # a blank behind a heredoc's mark
        places.append(here)
        at, here = at + 1, here + 1
    return [*places, len(text)]


def _spelled_for_parser(text: str) -> str:
    """
    Return a text with what HCL takes and python-hcl2 does not spelled otherwise, on the same lines.

    A heredoc's closing mark may be followed by blanks; python-hcl2 would look for the next such mark.
    """
    if "<<" not in text:
        return text
    for mark in set(_HEREDOC.findall(text)):
        text = re.sub(rf"^([ \t]*{re.escape(mark)})[ \t]+(?=\r?$)", r"\1", text, flags=re.MULTILINE)
    return text


def _fault(error: UnexpectedInput, text: str) -> Fault:
    lines = len(text.splitlines()) or 1
    if unclosed := _unclosed(text):
        return Fault(unclosed, "a quote is not closed in its line")
    line = getattr(error, "line", None)
    token = getattr(error, "token", None)
    if token is not None and token.type == "$END":
        return Fault(lines, "the file ends where something must follow")
    line = min(line, lines) if isinstance(line, int) and line > 0 else lines
    told = str(token) if token is not None else _char_at(error, text)
    if not told.strip():
        return Fault(line, "the line ends where something must follow")
    return Fault(line, f"{told.strip().splitlines()[0][:40]!r} was not expected here")


def _unclosed(text: str) -> int:
    """Return the line of a quote that is not closed in it; 0 if each is, as far as the text can be read."""
    parsing = _parser().parse_interactive(text + "\n")
    try:
        for token in parsing.iter_parse():
            if token.type == "STRING_CHARS" and "\n" in token:
                return int(token.line)
    except LarkError:
        pass
    return 0


def _char_at(error: UnexpectedInput, text: str) -> str:
    at = getattr(error, "pos_in_stream", None)
    return text[at : at + 1] if isinstance(at, int) else ""


def comments_in(tree: Tree[Token]) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each comment, in no order."""
    waiting: list[Tree[Token] | Token] = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Tree):
            waiting += one.children
            continue
        if one.type == "NL_OR_COMMENT" or ((one.type in OPERATORS or one.type == "QMARK") and len(one) > 2):
            # a comment before an operator comes as the operator's own text, with the operator's line
            value = str(one)
            first = one.line or 1
            if one.type != "NL_OR_COMMENT":
                first -= value.count("\n")
            for found in _COMMENT.finditer(value):
                yield first + value.count("\n", 0, found.start()), _bare(found.group())


def _bare(comment: str) -> str:
    if comment.startswith("/*"):
        return comment[2:-2].strip()
    return comment.lstrip("#" if comment.startswith("#") else "/").strip()
