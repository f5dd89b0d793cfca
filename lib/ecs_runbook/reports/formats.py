"""A check's findings for other programs: JUnit XML, SARIF, GitHub's annotations and its step summary."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from ecs_runbook.checks.findings import Checked, Finding, Kind, gravity
from ecs_runbook.checks.outcome import at_least, severity_named
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.reports.standing import grade, spread

MOST_ANNOTATIONS = 10
"""GitHub shows ten errors, ten warnings and ten notices of a step. Source: GitHub docs, seen in public issues."""
MOST_RESULTS = 5000
"""GitHub keeps the first 5,000 results of a SARIF file. Source: GitHub docs, SARIF support for code scanning."""
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def junit(checked: Checked, fail_on: str = "warning") -> str:
    """
    Return the findings as JUnit XML: a suite a place, a case a finding that is not OK.

    What is OK is one case a schedule, with how many checks it passed. An NG at least as grave as *fail_on* is a
    failure; a milder one passed, and says in its output what was found; SKIP is skipped.
    """
    level = severity_named(fail_on)
    suites = ET.Element("testsuites", name="60_check")
    by_place: dict[str, list[Finding]] = defaultdict(list)
    for one in sorted(checked.findings, key=gravity):
        by_place[str(one.place)].append(one)
    for place, findings in by_place.items():
        suite = ET.SubElement(suites, "testsuite", name=place)
        fine: dict[str, int] = defaultdict(int)
        for one in findings:
            if one.status == "OK":
                fine[one.subject] += 1
                continue
            case = ET.SubElement(suite, "testcase", classname=_xml(one.subject or place), name=_xml(one.check))
            said = _xml(f"{one.because}\n{one.mend}".strip())
            if one.status == "SKIP":
                ET.SubElement(case, "skipped", message=_xml(one.because))
            elif at_least(one.severity, level):
                ET.SubElement(case, "failure", type=one.severity, message=_xml(one.because)).text = said
            else:
                ET.SubElement(case, "system-out").text = f"{one.severity}: {said}"
        for subject, count in fine.items():
            ET.SubElement(suite, "testcase", classname=_xml(subject), name=f"{count} checks OK")
        for name, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
            suite.set(name, str(len(list(suite.iter(tag)))))
        suite.set("errors", "0")
    for name in ("tests", "failures", "skipped", "errors"):
        suites.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    """Return *text* without what XML 1.0 cannot hold."""
    return "".join(
        sign
        if sign in "\t\n\r" or " " <= sign <= "\ud7ff" or "\ue000" <= sign <= "\ufffd" or sign >= "\U00010000"
        else "�"
        for sign in text
    )


def sarif(checked: Checked) -> str:
    """
    Return the findings that are not OK as SARIF 2.1.0, the worst first, at most :data:`MOST_RESULTS` of them.

    A scheduled task has no file. Its place is written as a path, ``aws/<account>/<region>/<schedule>``, since code
    hosts refuse a result without one. What could not be looked at is a result of the kind *open*.
    """
    bad = [one for one in checked.findings if one.status != "OK"]
    told = spread(bad, MOST_RESULTS)
    kinds = [KINDS[id_] for id_ in dict.fromkeys(one.check for one in told) if id_ in KINDS]
    places = {kind.id: number for number, kind in enumerate(kinds)}
    seen: dict[str, int] = defaultdict(int)
    left = len(bad) - MOST_RESULTS
    notices = (
        [{"level": "warning", "message": {"text": f"{left} results more are in findings.csv."}}] if left > 0 else []
    )
    run = {
        "tool": {"driver": {"name": "ecs-runbook", "rules": [_rule(kind) for kind in kinds]}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notices}],
        "columnKind": "utf16CodeUnits",
        "results": [_result(one, places, seen) for one in told],
    }
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _rule(kind: Kind) -> dict[str, Any]:
    said = f"{kind.means} {kind.mend} Source: {kind.source} ({kind.sure})."
    return {
        "id": kind.id,
        "name": "".join(word.capitalize() for word in kind.id.split("-")),
        "shortDescription": {"text": kind.asks},
        "fullDescription": {"text": kind.means},
        "help": {"text": said, "markdown": said},
        "defaultConfiguration": {"level": kind.severity},
    }


def _result(one: Finding, rules: Mapping[str, int], seen: dict[str, int]) -> dict[str, Any]:
    what = "\0".join((one.check, str(one.place), one.subject))
    digest = hashlib.sha256(what.encode()).hexdigest()[:32]
    seen[digest] += 1
    place = "/".join(quote(part, safe="") for part in (one.place.account, one.place.region, one.subject) if part)
    name = f"{one.place}/{one.subject}" if one.subject else str(one.place)
    return {
        "ruleId": one.check,
        **({"ruleIndex": rules[one.check]} if one.check in rules else {}),
        **({"level": one.severity} if one.status == "NG" else {"kind": "open", "level": "none"}),
        "message": {"text": " ".join(filter(None, (_sentence(one.because), one.mend)))},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": f"aws/{place}"}, "region": {"startLine": 1}},
                "logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {"ecsRunbook/v1": f"{digest}:{seen[digest]}"},
    }


def _sentence(words: str) -> str:
    return words if words.endswith((".", "?", "!")) else f"{words}."


def workflow_commands(checked: Checked) -> list[str]:
    r"""
    Return the worst findings as GitHub's workflow commands, at most ten of each level.

    Examples
    --------
    >>> from ecs_runbook.inventory.model import Inventory, Place
    >>> import pandas as pd
    >>> found = Finding("no-way-out", Place("111122223333", "eu-west-2"), "nightly", "NG", "50 %\nlost", "", "error")
    >>> workflow_commands(Checked(Inventory(), [found], pd.DataFrame()))
    ['::error title=no-way-out%3A nightly::50 %25%0Alost']
    """
    groups: dict[str, list[Finding]] = {"error": [], "warning": [], "notice": []}
    for one in (one for one in checked.findings if one.status != "OK"):
        groups["warning" if one.status == "SKIP" else _LEVELS[one.severity]].append(one)
    return [line for level, found in groups.items() for line in _annotated(level, found)]


def _annotated(level: str, found: Sequence[Finding]) -> list[str]:
    shown = spread(found, MOST_ANNOTATIONS if len(found) <= MOST_ANNOTATIONS else MOST_ANNOTATIONS - 1)
    lines = [_command(level, f"{one.check}: {one.subject or one.place}", _told(one)) for one in shown]
    left = len(found) - len(shown)
    return [*lines, _command(level, "60_check", f"and {left:,} more, in the report")] if left else lines


def _told(one: Finding) -> str:
    stop = "" if one.because.endswith(".") else "."
    return f"{_skip(one)}{one.because}{stop} {one.mend}" if one.mend else f"{_skip(one)}{one.because}"


def _skip(one: Finding) -> str:
    return "could not be looked at: " if one.status == "SKIP" else ""


def _command(level: str, title: str, words: str) -> str:
    data = words.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    name = title.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A").replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{data}"


def step_summary(line: str, text: str, checked: Checked) -> str:
    """Return what GitHub shows on the page of a job, in Markdown: the summary, and the worst as a table."""
    bad = [one for one in checked.findings if one.status != "OK"]
    rows = [
        f"| {grade(one)} | {_markdown(one.subject or str(one.place))} | {one.check} | {_markdown(one.because)} |"
        for one in spread(bad, MOST_ANNOTATIONS)
    ]
    head = ["| | schedule | check | because |", "|---|---|---|---|"] if rows else []
    return "\n".join(
        [f"### 60_check: {_markdown(line)}", "", *head, *rows, "", "```text", text.replace("```", "'''"), "```", ""]
    )


def _markdown(text: str) -> str:
    plain = " ".join(text.split())
    for sign in "\\`*_[]<>|":
        plain = plain.replace(sign, f"\\{sign}")
    return plain
