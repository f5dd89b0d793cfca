"""Which row of the catalogue a sighting fits, the most special first; none if none does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from ecs_runbook.diagnosis.catalogue import KNOWN, UNKNOWN, Row, catalogue
from ecs_runbook.diagnosis.policies import SAYS
from ecs_runbook.diagnosis.sighting import CLOUDTRAIL, ECS, FAILURES, RULE_DLQ, STEP_FUNCTIONS, Sighting
from ecs_runbook.diagnosis.words import Expected, Match, alike, stem

_KEY = 4
_MOST_TEXTS = 12
_EXACT, _OPEN, _BEGINNING, _NO_WORDS = 3, 2, 1, 0
_ENOUGH, _PLENTY = 20, 40
"""Characters of AWS's own words that the beginning of a message has to show: half of all at least, or plenty."""


class Score(NamedTuple):
    """How well a row fits; compared from left to right."""

    words: int
    depth: int
    facts: int
    length: int
    code: bool


@dataclass(frozen=True)
class Fit:
    """
    A row that fits.

    Attributes
    ----------
    row
        The row.
    score
        How well.
    because
        Why, in words.
    holes
        The values that stand in AWS's words.
    """

    row: Row
    score: Score
    because: str
    holes: Mapping[str, str] = field(default_factory=dict)


def recognise(seen: Sighting, rows: Sequence[Row] | None = None) -> list[Fit]:
    """
    Return the rows that *seen* fits, best first; empty if it is unknown.

    AWS's whole words count more than their beginning, and words more than a code alone. A row that is a special case
    of another one comes before it; then the one of which more facts are known. A message that is cut off counts if it
    shows enough, and if what it shows begins no other row's words as well.

    Examples
    --------
    >>> seen = Sighting("CloudTrail", None, "InvalidParameterException", "TaskDefinition is inactive")
    >>> [fit.row.id for fit in recognise(seen)]
    ['revision-inactive']
    >>> recognise(Sighting("CloudTrail", None, "InvalidParameterException", "Something new."))
    []
    """
    shelf = _shelves() if rows is None else _sorted(rows)
    mine = shelf.get((seen.told_by, _call(seen)))
    if mine is None:
        return []
    codes = {stem(seen.code)} - {""}
    fits: dict[str, Fit] = {}
    cut: list[tuple[int, Row]] = []
    for number, text in enumerate(_texts(seen)):
        said = alike(text)
        codes |= {stem(said.code)} - {""} if number == 0 else set()
        for expected, row in mine.near(said.message):
            if (match := expected.match(said.message)) is not None:
                cut += [] if match.whole else [(match.length, row)]
                _keep(fits, _by_words(row, match, seen, codes))
    for row in mine.without_words(codes):
        _keep(fits, _by_code(row, seen, codes))
    ranked = sorted(fits.values(), key=lambda fit: fit.score, reverse=True)
    return _unless_ambiguous(ranked, cut)


def _call(seen: Sighting) -> str:
    # a dead letter, a failure and a task are all about RunTask; its words may be about AssumeRole
    return str(seen.facts.get("call") or "RunTask") if seen.told_by == CLOUDTRAIL else "RunTask"


def _texts(seen: Sighting) -> list[str]:
    """Return the texts that may hold AWS's words, without repetition."""
    more = [seen.facts.get(name) for name in ("stopped_reason", "container_reasons", "detail")]
    flat = [one for some in more if some for one in (some if isinstance(some, tuple) else (some,))]
    texts = dict.fromkeys(one for one in (seen.message, *flat) if isinstance(one, str) and one)
    return list(texts)[:_MOST_TEXTS]


# -------- the shelves: only what can fit is tried


class _Shelf:
    """The rows of one source, by how their words begin and by code."""

    def __init__(self) -> None:
        self._begins: dict[str, list[tuple[Expected, Row]]] = defaultdict(list)
        self._anywhere: list[tuple[Expected, Row]] = []
        self._by_code: dict[str, list[Row]] = defaultdict(list)
        self._by_facts: list[Row] = []

    def put(self, row: Row) -> None:
        for expected in row.expected:
            first = expected.literals[0]
            if expected.floats or len(first) < _KEY:
                self._anywhere.append((expected, row))
            else:
                self._begins[first[:_KEY]].append((expected, row))
        if row.code_alone:
            for code in dict.fromkeys(map(stem, row.codes)):
                self._by_code[code].append(row)
        elif not row.messages:
            self._by_facts.append(row)

    def near(self, message: str) -> list[tuple[Expected, Row]]:
        return [*self._begins.get(message[:_KEY], ()), *self._anywhere] if message else []

    def without_words(self, codes: set[str]) -> list[Row]:
        return [*(row for code in codes for row in self._by_code.get(code, ())), *self._by_facts]


def _sorted(rows: Sequence[Row]) -> dict[tuple[str, str], _Shelf]:
    shelves: dict[tuple[str, str], _Shelf] = defaultdict(_Shelf)
    for row in rows:
        for told_by in row.shows:
            for call in row.calls if told_by == CLOUDTRAIL else ("RunTask",):
                shelves[told_by, call].put(row)
        # an execution tells what CloudTrail tells of RunTask, its failures[], and how a task ended
        of_run_task = CLOUDTRAIL in row.shows and "RunTask" in row.calls
        if STEP_FUNCTIONS not in row.shows and (of_run_task or {FAILURES, ECS} & set(row.shows)):
            shelves[STEP_FUNCTIONS, "RunTask"].put(row)
    return shelves


@cache
def _shelves() -> dict[tuple[str, str], _Shelf]:
    return _sorted(catalogue())


# -------- how well a row fits


def _keep(fits: dict[str, Fit], fit: Fit | None) -> None:
    if fit is not None and (fit.row.id not in fits or fits[fit.row.id].score < fit.score):
        fits[fit.row.id] = fit


def _by_words(row: Row, match: Match, seen: Sighting, codes: set[str]) -> Fit | None:
    facts = _facts(row, {**match.holes, **seen.facts})
    if facts is None:
        return None
    right_code = bool(codes & set(map(stem, row.codes)))
    if not match.whole:
        plausible = right_code or not codes or not row.codes or seen.told_by in (RULE_DLQ, FAILURES)
        enough = match.length >= _ENOUGH and (match.share >= 0.5 or match.length >= _PLENTY)
        if not (plausible and enough):
            return None
    words = (_EXACT if match.exact else _OPEN) if match.whole else _BEGINNING
    said = {
        _EXACT: "these are AWS's own words for it",
        _OPEN: "AWS's words for it stand in the message",
        _BEGINNING: "the message is cut off, and what is left of it begins as AWS's words for it do",
    }[words]
    if row.codes and codes and not right_code and seen.told_by != RULE_DLQ:
        said += f", though with another code than {' or '.join(row.codes)}"
    because = "; ".join([said, *_facts_in_words(row, {**match.holes, **seen.facts})])
    return Fit(row, Score(words, row.depth, facts, match.length, right_code), because, match.holes)


def _by_code(row: Row, seen: Sighting, codes: set[str]) -> Fit | None:
    facts = _facts(row, seen.facts)
    right_code = bool(codes & set(map(stem, row.codes)))
    if facts is None or (row.codes and not right_code):
        return None
    because = [f"its code is {seen.code}"] if right_code and seen.code else []
    return Fit(
        row,
        Score(_NO_WORDS, row.depth, facts, 0, right_code),
        "; ".join([*because, *_facts_in_words(row, seen.facts)]),
    )


def _facts(row: Row, facts: Mapping[str, str | tuple[str, ...]]) -> int | None:
    """Return how much of what the row asks for is so; None if something is not."""
    points = 0
    for name, wanted in row.when.items():
        value = facts.get(name) or ""
        if wanted == KNOWN:
            so, worth = bool(value), 1
        elif wanted == UNKNOWN:
            so, worth = not value, 1
        else:
            so, worth = value in (wanted if isinstance(wanted, tuple) else (wanted,)), 2
        if not so:
            return None
        points += worth
    return points


def _facts_in_words(row: Row, facts: Mapping[str, str | tuple[str, ...]]) -> list[str]:
    words = []
    for name, wanted in row.when.items():
        named = name.replace("_", " ")
        value = facts.get(name) or ""
        shown = ", ".join(value) if isinstance(value, tuple) else value
        if wanted == UNKNOWN:
            words.append(f"no {named} is told")
        elif name == "policy_says":
            words.append(SAYS.get(shown, shown))
        elif name == "containers_disagree":
            words.append(f"the exit codes differ: {', '.join(facts.get('exit_codes') or ())[:200]}")
        elif name != "ended":
            words.append(f"{named} is {shown[:200]}")
    return words


def _unless_ambiguous(ranked: list[Fit], cut: Sequence[tuple[int, Row]]) -> list[Fit]:
    """A message that is cut off before it differs from another row's words says nothing: neither row is taken."""
    whole = [fit for fit in ranked if fit.score.words != _BEGINNING]
    if not ranked or ranked[0].score.words != _BEGINNING:
        return whole
    best = ranked[0]
    rivals = any(length >= best.score.length and row.messages != best.row.messages for length, row in cut)
    return whole if rivals else ranked
