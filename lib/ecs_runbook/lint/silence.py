"""Comments that keep a finding on purpose: ``# ecs-runbook: ignore pinned-revision because the audit wants it``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from ecs_runbook.lint.findings import Finding
from ecs_runbook.lint.model import Block, Comment, Configuration, Place
from ecs_runbook.lint.registry import RULES

_MARK = re.compile(r"^[\s*#/]*ecs-runbook\s*:\s*ignore\b(?P<rest>[^\n]*)", re.IGNORECASE | re.MULTILINE)
_NOT_SILENCED = ("unreadable-file", "silence-without-reason", "silence-unknown-rule")


@dataclass(frozen=True)
class Silence:
    """A comment that silences *rules* for *reason*, from its line on as far as it reaches."""

    place: Place
    rules: tuple[str, ...]
    reason: str


def silences(comments: Iterable[Comment]) -> tuple[list[Silence], list[Finding]]:
    """
    Return what comments silence, and what is wrong with those that silence nothing.

    Examples
    --------
    >>> fine, wrong = silences([Comment(Place("main.tf", 3), "ecs-runbook: ignore pinned-revision because of audits"),
    ...                         Comment(Place("main.tf", 9), "ecs-runbook: ignore pined-revision because I may")])
    >>> fine[0].rules, fine[0].reason
    (('pinned-revision',), 'of audits')
    >>> wrong[0].rule, wrong[0].because
    ('silence-unknown-rule', 'there is no rule pined-revision')
    """
    fine: list[Silence] = []
    wrong: list[Finding] = []
    for comment in sorted(set(comments), key=lambda one: (one.place, one.text)):
        for told in _MARK.finditer(comment.text):
            place = Place(comment.place.file, comment.place.line + comment.text.count("\n", 0, told.start("rest")))
            names, _, reason = re.sub(r"\s+because\b", "\0", told["rest"], count=1).partition("\0")
            rules = tuple(filter(None, re.split(r"[\s,]+", names.strip())))
            known = tuple(rule for rule in rules if rule in RULES and rule not in _NOT_SILENCED)
            wrong += [_unknown(place, rule) for rule in rules if rule not in known]
            reason = reason.strip(" \t:*/")
            if not rules:
                wrong.append(_without(place, "it names no rule"))
            elif not reason:
                wrong.append(_without(place, f"it silences {', '.join(rules)} without a reason"))
            elif known:
                fine.append(Silence(place, known, reason))
    return fine, wrong


def _unknown(place: Place, rule: str) -> Finding:
    near = get_close_matches(rule, RULES, n=1)
    mend = f"Did you mean {near[0]}?" if near else "`ecs-runbook lint --rules` lists them."
    because = f"{rule} cannot be silenced" if rule in _NOT_SILENCED else f"there is no rule {rule}"
    return Finding("silence-unknown-rule", "warning", place, "", because, mend)


def _without(place: Place, because: str) -> Finding:
    mend = "Write: ecs-runbook: ignore <rule> because <reason>"
    return Finding("silence-without-reason", "warning", place, "", because, mend)


def silenced(findings: Iterable[Finding], configuration: Configuration, fine: Sequence[Silence]) -> Iterator[Finding]:
    """
    Yield each finding, with the reason where a comment silences it.

    A comment reaches what stands on its own line, and what follows it without a line between that is no comment: an
    attribute, or a whole block.
    """
    by_file: dict[str, list[Silence]] = defaultdict(list)
    for one in fine:
        by_file[one.place.file].append(one)
    lines = {(one.place.file, one.place.line + more) for one in configuration.comments for more in _lines_of(one)}
    blocks: dict[str, list[Block]] = defaultdict(list)
    if by_file:
        for block in configuration.blocks:
            if block.place.file in by_file:
                blocks[block.place.file].append(block)
    for finding in findings:
        reasons = [
            one.reason
            for one in by_file.get(finding.place.file, ())
            if finding.rule in one.rules and _reaches(one.place, finding.place, lines, blocks[finding.place.file])
        ]
        yield replace(finding, silenced=reasons[0]) if reasons else finding


def _lines_of(comment: Comment) -> range:
    return range(comment.text.count("\n") + 1)


def _reaches(comment: Place, finding: Place, lines: set[tuple[str, int]], blocks: Sequence[Block]) -> bool:
    reached = {comment.line}
    below = comment.line + 1
    while (comment.file, below) in lines:
        reached.add(below)
        below += 1
    # a comment that ends a line of code is not above the next one
    beside = any(_on_a_line(block, comment.line) for block in blocks)
    if not beside:
        reached.add(below)
    if finding.line in reached:
        return True
    return any(block.place.line in reached and block.place.line <= finding.line <= block.end for block in blocks)


def _on_a_line(block: Block, line: int) -> bool:
    return block.place.line == line or any(place.line == line for place in block.lines.values())
