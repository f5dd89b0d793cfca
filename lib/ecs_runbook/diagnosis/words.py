"""AWS's words: made alike, taken apart, and held against what the catalogue expects. Linear in their length."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

LONGEST = 8192
"""Characters of a message that are looked at; CloudTrail keeps 1 KB, and an SQS attribute may hold more."""

_CUT_AT = 900
"""A message that is longer may have been cut off at CloudTrail's 1 KB."""
_ALIKE = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " ", "–": "-"})
_SDK_HEAD = re.compile(r"\AAn error occurred \((\w{1,80})\) when calling the \w{1,80} operation(?: \([^()]{0,80}\))?: ")
_SDK_TAIL = re.compile(
    r" \(Service: [^()]{1,40}[;,] Status Code: \d{3}[^()]{0,300}(?:\([^()]{0,100}\)[^()]{0,100})?\)\Z"
)
_CODE_HEAD = re.compile(r"\A((?:[A-Za-z.]{1,60}\.)?[A-Z][A-Za-z]{1,60}Exception): ")
_CODE_IN_TAIL = re.compile(r"Error Code: (\w{1,80})")


class Said(NamedTuple):
    """AWS's own words, and the code that an SDK wrote around them, if one did."""

    message: str
    code: str


def alike(message: str) -> Said:
    """
    Return a message as AWS's API said it: straight apostrophes, single spaces, nothing an SDK wrote around it.

    Examples
    --------
    >>> alike("TaskDefinition  not found. (Service: AmazonECS; Status Code: 400; Error Code: ClientException; ...)")
    Said(message='TaskDefinition not found', code='ClientException')
    >>> alike("You’ve reached the limit").message
    "You've reached the limit"
    """
    text = " ".join(message[:LONGEST].translate(_ALIKE).split())
    code = ""
    if tail := _SDK_TAIL.search(text, max(0, len(text) - 600)):
        inner = _CODE_IN_TAIL.search(tail.group())
        code, text = inner.group(1) if inner else "", text[: tail.start()]
    for head in (_SDK_HEAD, _CODE_HEAD):
        if found := head.match(text):
            code, text = code or found.group(1).rpartition(".")[2], text[found.end() :]
    return Said(text.rstrip(" .…\ufffd"), code)


def stem(code: str) -> str:
    """
    Return what the spellings of one code have in common.

    CloudTrail writes ``AccessDenied`` where the API says ``AccessDeniedException`` (verified for ecs CreateCluster).

    Examples
    --------
    >>> stem("AccessDeniedException"), stem("Client.AccessDenied"), stem("com.amazonaws.ecs#ClientException")
    ('AccessDenied', 'AccessDenied', 'Client')
    >>> stem("NO_PERMISSIONS")
    'NO_PERMISSIONS'
    """
    bare = code.strip().rpartition("#")[2].partition(":")[0].rpartition(".")[2]
    return bare.removesuffix("Exception") or bare


class Denied(NamedTuple):
    """Who was refused what on what; ``""`` where the words do not say, or are cut off."""

    caller_role: str
    action: str
    resource: str


_DENIED = re.compile(
    r"User: (?P<caller>\S{1,600}) is not authorized to perform: (?P<action>[\w-]{1,40}:[\w*]{1,80})(?=\s)"
    r"(?: on resource: (?P<resource>\S{1,1024})(?P<after>\s)?)?"
)
_SESSION = re.compile(r"arn:([\w-]{1,20}):sts::([^:\s]{0,20}):assumed-role/([\w+=,.@-]{1,64})/\S+")


def denied(message: str) -> Denied:
    """
    Take apart what IAM says when it refuses.

    A word at the very end may have been cut off, so it counts only if something follows; but STS ends with the
    resource, and so does ECS for the tasks of a cluster, ``…:task/<cluster>/*`` (seen in public issues).

    Examples
    --------
    >>> denied("User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: ecs:RunTask on "
    ...        "resource: arn:aws:ecs:eu-west-1:111122223333:task-definition/nightly:9 because …")
    Denied(caller_role='arn:aws:iam::111122223333:role/r', action='ecs:RunTask',
           resource='arn:aws:ecs:eu-west-1:111122223333:task-definition/nightly:9')
    """
    found = _DENIED.search(message[:LONGEST])
    if not found:
        return Denied("", "", "")
    session = _SESSION.fullmatch(found["caller"])
    role = f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}" if session else ""
    resource = found["resource"] or ""
    ends = found["action"] == "sts:AssumeRole" or resource.endswith("/*")
    whole = found["after"] is not None or (ends and len(message) < _CUT_AT)
    return Denied(role, found["action"], resource.rstrip(".,;") if whole else "")


# -------- what the catalogue expects

_HOLE = re.compile(r"\{([a-z_]*|\*)\}")
_SHORTEST = 4
_DIFFERS = 3
"""Characters of the words expected next that, where they stand within a hole, show that other words came: no cut."""


@dataclass(frozen=True)
class Match:
    """
    How a message fits what was expected.

    Attributes
    ----------
    whole
        Whether nothing of what was expected is missing: False if the message ends too early.
    exact
        Whether nothing else may stand before or after it.
    length
        How many characters of AWS's own words were found.
    share
        How much of them that is, 0 to 1.
    holes
        What stands in the named holes.
    """

    whole: bool
    exact: bool
    length: int
    share: float
    holes: Mapping[str, str]


class Expected:
    """
    What AWS says, with holes where values stand.

    ``{name}`` is a value without a space, ``{}`` one that nobody asks for, ``{*}`` any text; ``…`` at the beginning or
    the end: more may stand there.

    Raises
    ------
    ValueError
        If it says almost nothing, two holes touch, or a brace is left over.

    Examples
    --------
    >>> gone = Expected("The subnet ID '{subnet}' does not exist")
    >>> gone.match("The subnet ID 'subnet-1' does not exist").holes
    {'subnet': 'subnet-1'}
    >>> gone.match("The subnet ID 'subnet-1' does not exi").whole
    False
    >>> gone.match("The subnet ID 'subnet-1' is full") is None
    True
    """

    def __init__(self, written: str) -> None:
        self.written = written
        said = " ".join(written.translate(_ALIKE).split()).rstrip(" .")
        self.floats, self.goes_on = said.startswith("…"), said.endswith("…")
        parts = _HOLE.split(said.removeprefix("…").removesuffix("…").strip())
        self.literals, self.holes = parts[0::2], parts[1::2]
        self.length = sum(map(len, self.literals))
        if any(not literal for literal in self.literals[1:-1]):
            raise ValueError(f"{written!r}: two holes touch, so nobody can say where one ends.")
        if any(brace in literal for literal in self.literals for brace in "{}…"):
            raise ValueError(f"{written!r}: a hole is {{name}} in lower case, {{}} or {{*}}; … stands at an end only.")
        if self.length < _SHORTEST:
            raise ValueError(f"{written!r} would fit almost anything: write more of AWS's words.")

    def match(self, message: str) -> Match | None:
        """Return how *message*, made :func:`alike`, fits; None if it does not. One pass from left to right."""
        at = self._begin(message)
        if at is None:
            return None
        if at > len(message):
            return self._cut(len(message), [])
        values: list[str] = []
        found = len(self.literals[0])
        for place, hole in enumerate(self.holes):
            literal, last = self.literals[place + 1], place == len(self.holes) - 1
            end = self._end_of_hole(message, literal, at, last=last)
            if end < 0:
                overlap = _overlap(message, literal, at)
                rest = message[at : len(message) - overlap]
                fits = _fits(hole, rest, may_be_empty=True) and literal[:_DIFFERS] not in rest
                return self._cut(found + overlap, values) if fits else None
            if not _fits(hole, message[at:end]):
                return None
            values.append(message[at:end])
            at, found = end + len(literal), found + len(literal)
        if at < len(message) and not self.goes_on:
            return None
        return Match(True, not (self.floats or self.goes_on), found, 1.0, self._named(values))

    def _begin(self, message: str) -> int | None:
        """Return where the first hole begins; a place beyond the end if the message ends within the first words."""
        first = self.literals[0]
        if self.floats:
            here = message.find(first)
            return None if here < 0 else here + len(first)
        if message.startswith(first):
            return len(first)
        return len(message) + 1 if message and first.startswith(message) else None

    def _end_of_hole(self, message: str, literal: str, at: int, *, last: bool) -> int:
        if not literal:
            return len(message)
        if last and not self.goes_on:
            end = len(message) - len(literal)
            return end if end >= at and message.endswith(literal) else -1
        return message.find(literal, at)

    def _cut(self, found: int, values: list[str]) -> Match | None:
        if self.floats:
            return None
        return Match(False, False, found, found / self.length, self._named(values))

    def _named(self, values: list[str]) -> dict[str, str]:
        return {name: value for name, value in zip(self.holes, values, strict=False) if name not in ("", "*")}


def _fits(hole: str, value: str, *, may_be_empty: bool = False) -> bool:
    return hole == "*" or ((bool(value) or may_be_empty) and " " not in value)


def _overlap(message: str, literal: str, at: int) -> int:
    """Return how many of *literal*'s first characters end *message*, at or after *at*."""
    for length in range(min(len(literal) - 1, len(message) - at), 0, -1):
        if message.endswith(literal[:length]):
            return length
    return 0
