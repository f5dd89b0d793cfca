"""Terraform's functions of regular expressions: RE2's, where Python's mean the same."""

from __future__ import annotations

import re
import re._constants as _codes  # type: ignore[import-not-found]
import re._parser as _regexes  # type: ignore[import-not-found]
from collections.abc import Callable, Mapping
from typing import Any

from ecs_runbook.lint.known import Wrong, a_text
from ecs_runbook.lint.model import Unknown, Value

_LONGEST_SEARCHED = 2_000


# what RE2 and Python read differently, or only one of them reads
_POSIX = {"alnum": "0-9A-Za-z", "alpha": "A-Za-z", "digit": "0-9", "lower": "a-z", "upper": "A-Z"}
_CLASS = re.compile(r"\[:(alnum|alpha|digit|lower|upper):\]")
_NOT_COMMON = re.compile(
    r"\[:(?!(?:alnum|alpha|digit|lower|upper):)\w+:\]|\\[pPQECAzZ0-9xkKRX]|\(\?(?!:|P<|<[A-Za-z]|i\))|\{,"
)


def _regex(pattern: str, text: str) -> re.Pattern[str] | Unknown:
    """Return a pattern of RE2 as Python's, where both mean the same and it cannot take long."""
    doubtful = Unknown(f"the regular expression {pattern!r} is not understood here")
    if len(text) > _LONGEST_SEARCHED or _NOT_COMMON.search(pattern):
        return doubtful
    if "(?i)" in pattern and (not pattern.startswith("(?i)") or not (pattern + text).isascii()):
        return doubtful
    ours = _translated(pattern)
    try:
        parsed = _regexes.parse(ours, re.ASCII)
        compiled = re.compile(ours, re.ASCII)
    except (re.error, RecursionError, OverflowError):
        # what Go's RE2 takes and Python does not is not told from what both refuse
        return doubtful
    return doubtful if len(text) > 20 and _explodes(parsed) else compiled


def _translated(pattern: str) -> str:
    r"""Write RE2's ``$``, ``\s`` and ``(?<name>`` as Python means them."""
    told, at, in_class = [], 0, False
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            pair = pattern[at : at + 2]
            space = r"\t\n\f\r "
            told.append(space if pair == r"\s" and in_class else f"[{space}]" if pair == r"\s" else pair)
            if pair == r"\S":
                told[-1] = r"\S" if in_class else f"[^{space}]"
            at += 2
            continue
        if char == "[" and not in_class:
            in_class = True
            # a bracket that stands first is one of the class
            first = re.compile(r"\[\^?\]?").match(pattern, at)
            told.append(first.group() if first else "[")
            at = first.end() if first else at + 1
            continue
        if in_class and (named := _CLASS.match(pattern, at)):
            told.append(_POSIX[named[1]])
            at = named.end()
            continue
        if char == "]":
            in_class = False
        if char == "$" and not in_class:
            told.append(r"\Z")
        elif not in_class and pattern.startswith("(?<", at):
            told.append("(?P<")
            at += 2
        else:
            told.append(r"\[" if char == "[" else char)
        at += 1
    return "".join(told)


def _explodes(parsed: Any, *, repeated: bool = False) -> bool:
    """Return whether something that repeats holds something that repeats or a choice: Python may then take for ever."""
    for code, argument in parsed:
        if code in (_codes.MAX_REPEAT, _codes.MIN_REPEAT):
            many = argument[1] == _codes.MAXREPEAT or argument[1] > 10
            if many and repeated:
                return True
            if _explodes(argument[2], repeated=repeated or many):
                return True
        elif code is _codes.SUBPATTERN:
            if _explodes(argument[3], repeated=repeated):
                return True
        elif code is _codes.BRANCH and (repeated or any(_explodes(one) for one in argument[1])):
            return True
    return False


def _regex_result(found: re.Match[str]) -> Value:
    names = found.re.groupindex
    if names:
        if len(names) != found.re.groups:
            raise Wrong("named and unnamed groups are mixed")
        return {name: found.group(name) for name in names}
    return list(found.groups()) if found.re.groups else found.group()


def _regex_first(pattern: Value, text: Value) -> Value:
    compiled = _regex(a_text(pattern), a_text(text))
    if isinstance(compiled, Unknown):
        return compiled
    found = compiled.search(a_text(text))
    if found is None:
        raise Wrong("the pattern is not found in the text")
    return _regex_result(found)


def _regex_all(pattern: Value, text: Value) -> Value:
    compiled = _regex(a_text(pattern), a_text(text))
    if isinstance(compiled, Unknown):
        return compiled
    return [_regex_result(found) for found in compiled.finditer(a_text(text))]


_EXPANSION = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


def _replace(text: Value, what: Value, by: Value) -> Value:
    text, what, by = a_text(text), a_text(what), a_text(by)
    if not (len(what) > 1 and what.startswith("/") and what.endswith("/")):
        return text.replace(what, by)
    compiled = _regex(what[1:-1], text)
    if isinstance(compiled, Unknown):
        return compiled
    # Go makes no empty match right after a match, and Python does
    if compiled.fullmatch("") is not None or compiled.match("") is not None:
        return Unknown(f"the regular expression {what!r} may match nothing at all, which is not understood here")

    def one(found: re.Match[str]) -> str:
        def expanded(mark: re.Match[str]) -> str:
            name = mark.group(1) or mark.group(2)
            if name is None:
                return "$"
            if name.isdigit():
                return (found.group(int(name)) or "") if int(name) <= found.re.groups else ""
            return (found.group(name) or "") if name in found.re.groupindex else ""

        return _EXPANSION.sub(expanded, by)

    return compiled.sub(one, text)


OF_KNOWN: Mapping[str, Callable[..., Value]] = {"regex": _regex_first, "regexall": _regex_all, "replace": _replace}
"""By name; asked with values that are known all through."""
