"""Which characters to change, so that a value says what it should: several ways, the most natural first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ecs_runbook.lint import syntax
from ecs_runbook.lint.addresses import type_of
from ecs_runbook.lint.model import Reference, Text, Value
from ecs_runbook.lint.rules.targets import without_revision
from ecs_runbook.lint.syntax import Body
from ecs_runbook.patch.origin import Spot, Texts, deeper

# no backslash, so that it is the same in a file of JSON
_ENDS_IN_REVISION = "/:[0-9]+$/"
# in the JSON that is a string of JSON, quotes have a backslash
_NUMBER = re.compile(r':(\d+)(\\?")$')


class Change(NamedTuple):
    """What stands from *start* to *end* of a file becomes *text*."""

    file: str
    start: int
    end: int
    text: str


class Way(NamedTuple):
    """One way to a mend: the changes, and the spots that they are made at."""

    changes: tuple[Change, ...]
    spots: tuple[Spot, ...]


def _change(spot: Spot, start: int, end: int, text: str) -> Change:
    if spot.file.endswith(".json"):
        text = json.dumps(text, ensure_ascii=False)[1:-1]
    return Change(spot.file, start, end, text)


def chain(spot: Spot) -> list[Spot]:
    """Return a spot and what it stands for, one after another."""
    spots = [spot]
    while (further := deeper(spots[-1])) is not None and len(spots) < 40:
        spots.append(further)
    return spots


# ---------------------------------------------------------------- a target's ARN, without its revision


def unpinning(spot: Spot, texts: Texts) -> Iterator[Way]:
    """Yield the ways to take the revision from what is written at a spot."""
    spots = chain(spot)
    for one in reversed(spots):
        changes = _cut(one, texts)
        if changes:
            yield Way(tuple(changes), (one,))
    for one in spots:
        changes = _wrapped(one, texts, "replace(", f', "{_ENDS_IN_REVISION}", "")')
        if changes:
            yield Way(tuple(changes), (one,))


def pinned(value: Value) -> bool:
    """Return whether a value, or each of a list, ends in a revision."""
    if isinstance(value, list):
        return bool(value) and all(map(pinned, value))
    if isinstance(value, Reference):
        return value.attribute in ("arn", "*.arn") and type_of(value.address) == "aws_ecs_task_definition"
    return without_revision(value) is not None


def _cut(spot: Spot, texts: Texts) -> list[Change] | None:
    """Return the changes that cut the revision off just here; None if it does not come from here."""
    node = spot.node
    span = texts.span(spot)
    if span is None or not pinned(spot.value):
        return None
    source = texts.texts[spot.file][slice(*span)]
    if isinstance(node, syntax.Literal):
        found = _NUMBER.search(source)
        return [Change(spot.file, span[0] + found.start(), span[0] + found.start(2), "")] if found else None
    if isinstance(node, syntax.Template):
        return _cut_template(spot, node, span, source, texts)
    if isinstance(node, (syntax.Attribute, syntax.Splat)):
        return _lengthened(spot, span, source)
    if isinstance(node, syntax.If):
        return _each([spot.at(node.yes), spot.at(node.no)], texts)
    if isinstance(node, syntax.Index):
        return _each([spot.at(node.of)], texts)
    if isinstance(node, syntax.List):
        return _each([spot.at(item.value) for item in node.items], texts)
    if isinstance(node, syntax.Call) and node.name not in ("format", "replace", "jsonencode", "jsondecode"):
        return _each([spot.at(one) for one in node.arguments], texts)
    return None


def _each(spots: Sequence[Spot], texts: Texts) -> list[Change] | None:
    made: list[Change] = []
    for one in spots:
        if pinned(one.value):
            changes = _cut(one, texts)
            if changes is None:
                return None
            made += changes
    return made or None


def _lengthened(spot: Spot, span: tuple[int, int], source: str) -> list[Change] | None:
    """Return ``.arn`` made ``.arn_without_revision``."""
    name = spot.node.name if isinstance(spot.node, syntax.Attribute) else spot.node.steps[-1:]
    is_own = deeper(spot) is None and isinstance(spot.value, (Text, Reference, list))
    if not is_own or name not in ("arn", ("arn",)) or not source.endswith("arn"):
        return None
    return [Change(spot.file, span[1], span[1], "_without_revision")]


def _cut_template(
    spot: Spot, node: syntax.Template, span: tuple[int, int], source: str, texts: Texts
) -> list[Change] | None:
    if node.line or not source.endswith('"'):
        return None
    last = node.parts[-1]
    if isinstance(last, syntax.Literal):
        found = _NUMBER.search(source)
        return [Change(spot.file, span[0] + found.start(), span[0] + found.start(2), "")] if found else None
    part = spot.at(last)
    if pinned(part.value):
        return _cut(part, texts)
    hole = _hole(part, span, texts)
    if hole is None or source[hole[0] - span[0] - 1] != ":" or hole[1] != _closing(source, span):
        return None
    return [Change(spot.file, hole[0] - 1, hole[1], "")]


def _closing(source: str, span: tuple[int, int]) -> int:
    """Return where the quote is that closes a string, or the backslash before it."""
    return span[1] - (2 if source.startswith('\\"') else 1)


def _hole(part: Spot, span: tuple[int, int], texts: Texts) -> tuple[int, int] | None:
    """Return where an interpolation stands, with its marks."""
    inner = texts.span(part)
    if inner is None:
        return None
    plain = texts.plain(part.file)
    # of a quote with an escape or a ~ the plain text keeps no more than the marks
    text = plain if "${" in plain[slice(*span)] else texts.texts[part.file]
    start = text.rfind("${", span[0], inner[0])
    end = text.find("}", inner[1], span[1]) + 1
    return (start, end) if start >= 0 and end > 0 else None


def _wrapped(spot: Spot, texts: Texts, before: str, after: str) -> list[Change] | None:
    """Return an expression with something around it; None where no expression can stand."""
    span = texts.span(spot)
    node = spot.node
    if span is None or (isinstance(node, syntax.Template) and node.line):
        return None
    if spot.file.endswith(".json") and texts.texts[spot.file][span[0]] in '"{[':
        return None  # a string of JSON is no expression: only what is interpolated in it
    return [_change(spot, span[0], span[0], before), _change(spot, span[1], span[1], after)]


# ---------------------------------------------------------------- a policy's resource, with every revision


def opening(spot: Spot, texts: Texts) -> Iterator[Way]:
    """Yield the ways to let a policy's resource match every revision."""
    for one in chain(spot):
        changes = _opened(one, texts)
        if changes:
            yield Way(tuple(changes), (one,))


def _opened(spot: Spot, texts: Texts) -> list[Change] | None:
    node = spot.node
    span = texts.span(spot)
    if span is None:
        return None
    source = texts.texts[spot.file][slice(*span)]
    is_pinned = pinned(spot.value)
    if isinstance(node, (syntax.Literal, syntax.Template)) and source.endswith('"'):
        end = _closing(source, span)
        if found := _NUMBER.search(source):
            return [Change(spot.file, span[0] + found.start(1), end, "*")]
        if isinstance(node, syntax.Template) and source[: end - span[0]].endswith(":*") and len(node.parts) > 1:
            part = spot.at(node.parts[-2])
            return _cut(part, texts) if pinned(part.value) else None
        if not is_pinned:
            return [Change(spot.file, end, end, ":*")]
        if not isinstance(node, syntax.Template):
            return None
        part = spot.at(node.parts[-1])
        if pinned(part.value):
            cut = _cut(part, texts) or _wrapped(part, texts, "replace(", f', "{_ENDS_IN_REVISION}", "")')
            return [*cut, Change(spot.file, end, end, ":*")] if cut else None
        hole = _hole(part, span, texts)
        return [Change(spot.file, *hole, "*")] if hole and hole[1] == end else None
    if isinstance(node, (syntax.Template, syntax.Literal)):
        return None
    if not is_pinned:
        return _wrapped(spot, texts, '"${', '}:*"')
    if isinstance(node, (syntax.Attribute, syntax.Splat)) and (cut := _cut(spot, texts)):
        around = _wrapped(spot, texts, '"${', '}:*"')
        return [*around[:1], *cut, *around[1:]] if around else None
    return _wrapped(spot, texts, "replace(", f', "{_ENDS_IN_REVISION}", ":*")')


def opening_list(spot: Spot, texts: Texts, *, of_revisions: bool) -> Iterator[Way]:
    """Yield the way to do it to all of a list that is written elsewhere."""
    made = f'replace(arn, "{_ENDS_IN_REVISION}", ":*")' if of_revisions else '"${arn}:*"'
    changes = _wrapped(spot, texts, "[for arn in ", f" : {made}]")
    if changes and not isinstance(spot.node, syntax.List):
        yield Way(tuple(changes), (spot,))


# ---------------------------------------------------------------- a value in place of another, and a line more


def becoming(spot: Spot, text: str, texts: Texts) -> Iterator[Way]:
    """Yield the ways to have *text*, a plain value of HCL and of JSON alike, where something else is."""
    spots = chain(spot)
    for one in [*reversed(spots)]:
        span = texts.span(one)
        if span is not None and (isinstance(one.node, syntax.Literal) or one is spot):
            yield Way((Change(one.file, *span, text),), (one,))


def adding(spot: Spot, body: Body, beside: str, name: str, text: str, texts: Texts) -> Iterator[Way]:
    """Yield the way to give a block another argument, as ``terraform fmt`` would align it."""
    written = body.attributes.get(beside)
    span = texts.spans(written.file).get(written) if written else None
    if written is None or span is None:
        return
    whole = texts.texts[written.file]
    start, end = span.start, span.end
    if written.file.endswith(".json"):
        yield Way((_in_json(whole, written.file, beside, start, end, name, text),), (spot,))
        return
    plain = texts.plain(written.file)
    own = plain[start:end]
    begins, following = plain.rfind("\n", 0, start) + 1, plain.find("\n", end)
    ends_line = "\r\n" if following > 0 and whole[following - 1] == "\r" else "\n"
    found = re.match(r"[ \t]*", whole[begins:start])
    indent = found.group() if found else ""
    line = f"{name.ljust(own.index('='))}= {text}"
    if not plain[begins:start].strip():
        if "\n" not in own and not plain[end:following].strip() and following >= 0:
            yield Way((Change(written.file, following + 1, following + 1, f"{indent}{line}{ends_line}"),), (spot,))
        else:
            yield Way((Change(written.file, start, start, f"{line}{ends_line}{indent}"),), (spot,))
        return
    opened, closed = plain.rfind("{", 0, start), plain.find("}", end)
    before, behind = whole[opened + 1 : start].strip(), whole[end:closed].strip()
    inner = f"{ends_line}{indent}  "
    first = f"{inner}{before} " if before else inner
    last = f" {behind}{inner}" if behind else inner
    yield Way(
        (
            Change(written.file, opened + 1, start, first),
            Change(written.file, end, closed, f"{last}{line}{ends_line}{indent}"),
        ),
        (spot,),
    )


def _in_json(whole: str, file: str, beside: str, start: int, end: int, name: str, text: str) -> Change:
    key = whole.rfind(json.dumps(beside), 0, start)
    blank = whole[len(whole[:key].rstrip()) : key]
    colon = whole[key + len(json.dumps(beside)) : start]
    return Change(file, end, end, f",{blank}{json.dumps(name)}{colon}{text}")
