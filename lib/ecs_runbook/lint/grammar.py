"""HCL by python-hcl2's grammar: a text into its tree of tokens, or the line that is wrong."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from io import BytesIO
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import LarkError, UnexpectedInput

from ecs_runbook.lint.spelling import Spelling

OPERATORS = {
    "DOUBLE_PIPE": "||", "DOUBLE_AMP": "&&", "DOUBLE_EQ": "==", "NEQ": "!=", "LT": "<", "GT": ">", "LEQ": "<=",
    "GEQ": ">=", "PLUS": "+", "MINUS": "-", "ASTERISK": "*", "SLASH": "/", "PERCENT": "%",
}  # fmt: skip
_UNCLOSED = "a quote is not closed in its line"


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

    whole = parser()
    saved = BytesIO()
    try:
        whole.save(saved)
        saved.seek(0)
        return Lark.__new__(Lark)._load(saved, propagate_positions=False, postlex=None)
    except (AttributeError, TypeError, KeyError, LarkError):
        # another lark than the one that this was tried with: slower, and the same trees
        return whole


def tree_of(spelling: Spelling) -> Tree[Token]:
    """
    Return the tree of a file's text: each token with its place, its line and its words there.

    Raises
    ------
    Fault
        Terraform would not read it, or python-hcl2 cannot.
    """
    try:
        tree: Tree[Token] = _parser().parse(spelling.plain + "\n")
    except UnexpectedInput as error:
        raise _fault(error, spelling) from None
    except LarkError as error:
        raise Fault(1, f"python-hcl2 cannot read it: {error}") from None
    if spelling.unclosed:
        raise Fault(spelling.unclosed, _UNCLOSED)
    if spelling.plain != spelling.text:
        _restore(tree, spelling)
    return tree


def _restore(tree: Tree[Token], spelling: Spelling) -> None:
    """Give each token the words and the lines that it has in the text."""
    text, begins = spelling.text + "\n", [found.end() for found in re.finditer("\n", spelling.text)]
    waiting = [tree]
    while waiting:
        children = waiting.pop().children
        for at, one in enumerate(children):
            if isinstance(one, Tree):
                waiting.append(one)
            elif isinstance(one, Token) and one.start_pos is not None and one.end_pos is not None:
                one.line = bisect_right(begins, one.start_pos) + 1
                one.end_line = bisect_right(begins, one.end_pos) + 1
                words = text[one.start_pos : one.end_pos]
                if words != one:
                    children[at] = one.update(value=words)


def _fault(error: UnexpectedInput, spelling: Spelling) -> Fault:
    text, at = spelling.text, error.pos_in_stream
    token = getattr(error, "token", None)
    line = text.count("\n", 0, at) + 1 if at is not None else len(text.splitlines()) or 1
    if 0 < spelling.unclosed <= line:
        return Fault(spelling.unclosed, _UNCLOSED)
    if at is None or (token is not None and token.type == "$END"):
        return Fault(len(text.splitlines()) or 1, "the file ends where something must follow")
    told = text[at : at + (len(token) if token is not None else 1)].strip()
    if not told:
        return Fault(line, "the line ends where something must follow")
    return Fault(line, f"{told.splitlines()[0][:40]!r} was not expected here")
