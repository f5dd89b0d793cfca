"""A report for a terminal, a program, a code host, a notebook."""

from __future__ import annotations

import hashlib
import html as markup
import json
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ecs_runbook.lint.registry import RULES, SEVERITIES, Rule

if TYPE_CHECKING:
    from ecs_runbook.lint.findings import Finding, Report
    from ecs_runbook.lint.model import Place

JSON_VERSION = 1
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_COLOURS = {"error": "#D55E00", "warning": "#996300", "note": "#0072B2"}
_LEFT = "text-align:left"
_MOST_DOUBTS = 20


def summary(report: Report) -> str:
    """
    Return the report in one line.

    Examples
    --------
    >>> from ecs_runbook.lint.findings import Report
    >>> summary(Report(files=["main.tf"]))
    'nothing found in 1 file'
    """
    counts = Counter(one.severity for one in report.open)
    told = [_many(counts[severity], severity) for severity in SEVERITIES if counts[severity]]
    where = "the plan" if report.of == "plan" else _many(len(report.files), "file")
    if report.of == "files and plan":
        where += " and the plan"
    hidden = sum(bool(one.silenced) for one in report.findings)
    more = [f"{hidden} silenced"] if hidden else []
    more += [f"{_many(len(report.unresolved), 'thing')} not known"] if report.unresolved else []
    return "; ".join([f"{', '.join(told) or 'nothing found'} in {where}", *more])


def _many(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")


def text(report: Report) -> str:
    """Return what a terminal shows: what is wrong, then what could not be looked into, then how many."""
    lines: list[str] = []
    for one in report.findings:
        if one.silenced:
            continue
        where = str(one.place) or one.address
        lines.append(f"{_plain(where)}: {one.severity}: {one.rule}")
        lines += [f"  {_plain(one.address)}"] if one.address and one.place.file else []
        lines += [f"  {_plain(one.because)}", f"  mend: {_plain(one.mend)}"]
        lines += [f"    {_plain(line)}" for line in one.diff.splitlines()]
        lines.append("")
    for silent in (one for one in report.findings if one.silenced):
        lines.append(
            f"{_plain(str(silent.place) or silent.address)}: silenced: {silent.rule}: {_plain(silent.silenced)}"
        )
    doubts = _by_reason(report)
    for (what, because), places in list(doubts.items())[:_MOST_DOUBTS]:
        more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        lines.append(f"not known: {_plain(places[0])}: {_plain(what)}: {_plain(because)}{more}")
    if len(doubts) > _MOST_DOUBTS:
        lines.append(f"not known: {len(doubts) - _MOST_DOUBTS} more kinds; --format json has all")
    return "\n".join([*lines, summary(report)])


def _by_reason(report: Report) -> dict[tuple[str, str], list[str]]:
    """Return where something is not known, by what it is and why."""
    places: dict[tuple[str, str], list[str]] = {}
    for one in report.unresolved:
        where = " ".join(filter(None, [str(one.place), one.address]))
        places.setdefault((one.what, one.because), []).append(where)
    return places


def _plain(told: str) -> str:
    """Return text without what would move a terminal's cursor or change its colour."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in told)


def document(report: Report) -> dict[str, Any]:
    """Return the report in the shape of ``lint.schema.json``."""
    return {
        "tool": "ecs-runbook",
        "version": JSON_VERSION,
        "of": report.of,
        "summary": {
            **{severity: sum(one.severity == severity for one in report.open) for severity in SEVERITIES},
            "silenced": sum(bool(one.silenced) for one in report.findings),
            "unresolved": len(report.unresolved),
            "files": len(report.files),
        },
        "findings": [_finding(one) for one in report.findings],
        "unresolved": [
            {**_where(one.place), "address": one.address, "what": one.what, "because": one.because}
            for one in report.unresolved
        ],
        "broken": [{**_where(one.place), "because": one.because} for one in report.broken],
        "files": list(report.files),
    }


def _finding(one: Finding) -> dict[str, Any]:
    rule = RULES[one.rule]
    return {
        "rule": one.rule,
        "severity": one.severity,
        **_where(one.place),
        "address": one.address,
        "because": one.because,
        "mend": one.mend,
        "diff": one.diff,
        "silenced": one.silenced,
        "source": rule.source,
        "sure": rule.sure,
    }


def _where(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line}


def json_text(report: Report) -> str:
    """Return :func:`document` as JSON."""
    return _dumped(document(report))


def _dumped(told: Any) -> str:
    # half a character is no UTF-8, and every reader understands it escaped
    return json.dumps(told, indent=2, ensure_ascii=True)


def sarif(report: Report) -> str:
    """
    Return the report as SARIF 2.1.0.

    A result's fingerprint is made of the rule, the file, the resource and the values seen, not of the line: it stays
    when lines move. A finding of a plan without files has no place, and names the resource.
    """
    ids = list(RULES)
    seen: Counter[str] = Counter()
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "ecs-runbook",
                "rules": [_rule(rule) for rule in RULES.values()],
            }
        },
        "invocations": [
            {
                "executionSuccessful": bool(report.files) or not report.broken,
                "toolExecutionNotifications": [
                    {
                        "level": "error",
                        "message": {"text": one.because},
                        **({"locations": [_location(one.place, "")]} if one.place.file else {}),
                    }
                    for one in report.broken
                ]
                + [
                    {
                        "level": "note",
                        "message": {"text": f"{one.what} is not known: {one.because}"},
                        **({"locations": [_location(one.place, one.address)]} if one.place.file else {}),
                    }
                    for one in report.unresolved
                ],
            }
        ],
        "columnKind": "utf16CodeUnits",
        "results": [_result(one, ids.index(one.rule), seen) for one in report.findings],
    }
    return _dumped({"$schema": _SARIF, "version": "2.1.0", "runs": [run]})


def _rule(rule: Rule) -> dict[str, Any]:
    said = f"{rule.means} Source: {rule.source} ({rule.sure})."
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.id.split("-")),
        "shortDescription": {"text": rule.finds},
        "fullDescription": {"text": rule.means},
        "help": {"text": said, "markdown": said},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(one: Finding, index: int, seen: Counter[str]) -> dict[str, Any]:
    told = "\0".join((one.rule, one.place.file, one.address, one.because))
    digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    seen[digest] += 1
    change = f"\n{one.diff}" if one.diff else ""
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": index,
        "level": one.severity,
        "message": {"text": f"{one.because}. {one.mend}{change}"},
        "locations": [_location(one.place, one.address)],
        "partialFingerprints": {"ecsRunbook/v1": f"{digest}:{seen[digest]}"},
    }
    if one.silenced:
        result["suppressions"] = [{"kind": "inSource", "status": "accepted", "justification": one.silenced}]
    return result


def _location(place: Place, address: str) -> dict[str, Any]:
    where: dict[str, Any] = {}
    if place.file:
        uri = quote(place.file.replace("\\", "/").encode("utf-8", "surrogateescape"))
        artifact = {"uri": uri} if uri.startswith("/") else {"uri": uri, "uriBaseId": "%SRCROOT%"}
        where["physicalLocation"] = {"artifactLocation": artifact, "region": {"startLine": max(1, place.line)}}
    if address:
        where["logicalLocations"] = [{"fullyQualifiedName": address, "kind": "resource"}]
    return where


def html(report: Report) -> str:
    """Return what a notebook shows: one row a finding, the gravest first, and below what could not be looked into."""
    first = sorted(report.findings, key=lambda one: (bool(one.silenced), SEVERITIES.index(one.severity)))
    rows = "".join(map(_row, first))
    head = "".join(f'<th style="{_LEFT}">{word}</th>' for word in ("severity", "rule", "where", "because and mend"))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    doubts = "".join(
        f"<li>{', '.join(f'<code>{markup.escape(place)}</code>' for place in places)} "
        f"{markup.escape(f'{what}: {because}')}</li>"
        for (what, because), places in _by_reason(report).items()
    )
    more = f"<details><summary>not known, so not judged</summary><ul>{doubts}</ul></details>" if doubts else ""
    return f"<p><b>{markup.escape(summary(report))}</b></p>{table}{more}"


def _row(one: Finding) -> str:
    colour = "#666666" if one.silenced else _COLOURS[one.severity]
    word = f"silenced {one.severity}" if one.silenced else one.severity
    change = f'<pre style="{_LEFT}">{markup.escape(one.diff)}</pre>' if one.diff else ""
    then = f"kept: {one.silenced}" if one.silenced else f"mend: {one.mend}"
    said = f"{markup.escape(one.because)}<br>{markup.escape(then)}{change}"
    where = markup.escape(str(one.place) or one.address)
    cells = (f'<b style="color:{colour}">{word}</b>', markup.escape(one.rule), f"<code>{where}</code>", said)
    return "<tr>" + "".join(f'<td style="{_LEFT}">{cell}</td>' for cell in cells) + "</tr>"
