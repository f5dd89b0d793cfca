"""The same findings for other programs, each in its own form, whatever AWS says."""

import json
from xml.etree import ElementTree as ET

import pytest
from made_checks import HOME, checked, finding, fleet, row

from ecs_runbook.reports import formats
from ecs_runbook.reports.formats import junit, sarif, step_summary, workflow_commands

NIGHTLY, WEEKLY, DAILY = row("nightly"), row("weekly"), row("daily")
FINDINGS = [
    finding(NIGHTLY, because="it names nightly-job:7", mend="Name the family."),
    finding(NIGHTLY, "no-way-out", "OK"),
    finding(NIGHTLY, "two-vpcs", "OK"),
    finding(WEEKLY, "no-dead-letter-queue", because="it has none", mend="Give it one."),
    finding(DAILY, "no-way-out", "SKIP", "the caller needs ec2:DescribeSubnets", mend="Allow it."),
]


@pytest.fixture
def found():
    return checked(FINDINGS, [NIGHTLY, WEEKLY, DAILY])


def test_junit_has_a_case_for_each_finding_and_one_for_all_that_is_ok_of_a_schedule(found):
    suites = ET.fromstring(junit(found))
    assert dict(suites.items()) == {"name": "60_check", "tests": "4", "failures": "1", "skipped": "1", "errors": "0"}
    (suite,) = suites
    assert suite.get("name") == str(HOME)
    cases = [(case.get("classname"), case.get("name"), [child.tag for child in case]) for case in suite]
    assert cases == [
        ("nightly", "pinned-revision", ["failure"]),
        ("weekly", "no-dead-letter-queue", ["system-out"]),
        ("daily", "no-way-out", ["skipped"]),
        ("nightly", "2 checks OK", []),
    ]
    assert suite[0][0].get("message") == "it names nightly-job:7"
    assert suite[0][0].text == "it names nightly-job:7\nName the family."


@pytest.mark.parametrize(("fail_on", "failures"), [("error", "1"), ("warning", "1"), ("note", "2")])
def test_what_is_a_failure_is_what_makes_the_verdict_ng(found, fail_on, failures):
    assert ET.fromstring(junit(found, fail_on)).get("failures") == failures


def test_junit_is_xml_whatever_aws_says():
    hostile = finding(NIGHTLY, because="]]>\x00\x1b[31m<&\ud800 \U0001f600")
    (suite,) = ET.fromstring(junit(checked([hostile], [NIGHTLY])).encode("utf-8", "surrogatepass"))
    assert suite[0][0].get("message") == "]]>��[31m<&� \U0001f600"


def test_sarif_has_what_is_not_ok_with_the_rule_it_is_of(found):
    told = json.loads(sarif(found))
    (run,) = told["runs"]
    rules = run["tool"]["driver"]["rules"]
    results = run["results"]
    assert [rules[one["ruleIndex"]]["id"] for one in results] == [one["ruleId"] for one in results]
    assert [(one["ruleId"], one.get("kind", "fail"), one["level"]) for one in results] == [
        ("pinned-revision", "fail", "error"),
        ("no-dead-letter-queue", "fail", "note"),
        ("no-way-out", "open", "none"),
    ]
    assert results[0]["message"]["text"] == "it names nightly-job:7. Name the family."
    place = results[0]["locations"][0]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "aws/111122223333/eu-west-2/nightly"
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "111122223333/eu-west-2/nightly"


def test_a_result_is_known_again_though_its_values_have_changed_and_unlike_any_other(found):
    def prints(findings):
        results = json.loads(sarif(checked(findings, [NIGHTLY])))["runs"][0]["results"]
        return [one["partialFingerprints"]["ecsRunbook/v1"] for one in results]

    assert prints([finding(NIGHTLY, because="it names 7")]) == prints([finding(NIGHTLY, because="it names 8")])
    twice = [finding(NIGHTLY, because="one"), finding(NIGHTLY, because="two"), finding(WEEKLY)]
    assert len(set(prints(twice))) == 3


def test_sarif_of_more_than_a_code_host_keeps_has_the_worst_and_says_so(monkeypatch, found):
    monkeypatch.setattr(formats, "MOST_RESULTS", 2)
    (run,) = json.loads(sarif(found))["runs"]
    assert [one["ruleId"] for one in run["results"]] == ["pinned-revision", "no-dead-letter-queue"]
    notices = run["invocations"][0]["toolExecutionNotifications"]
    assert notices[0]["message"]["text"] == "1 results more are in findings.csv."


def test_annotations_are_one_line_each_and_no_more_than_github_shows(found):
    assert workflow_commands(found) == [
        "::error title=pinned-revision%3A nightly::it names nightly-job:7. Name the family.",
        "::warning title=no-way-out%3A daily::could not be looked at: the caller needs ec2:DescribeSubnets. Allow it.",
        "::notice title=no-dead-letter-queue%3A weekly::it has none. Give it one.",
    ]
    many = workflow_commands(fleet(200, bad=1))
    assert [sum(line.startswith(f"::{level} ") for line in many) for level in ("error", "warning", "notice")] == [
        10
    ] * 3
    assert many[9].startswith("::error title=60_check::and ")


def test_an_annotation_has_one_full_stop_between_what_was_seen_and_the_mend():
    quoted = finding(NIGHTLY, because="ECS said: TaskDefinition not found.", mend="Register one.")
    (line,) = workflow_commands(checked([quoted], [NIGHTLY]))
    assert line.endswith("::ECS said: TaskDefinition not found. Register one.")


def test_no_value_can_become_a_command_of_its_own():
    hostile = finding(NIGHTLY, because="50 %\n::set-output name=x::y\r::error::z")
    (line,) = workflow_commands(checked([hostile], [NIGHTLY]))
    assert "\n" not in line
    assert "\r" not in line
    assert "50 %25%0A::set-output" in line


def test_the_jobs_page_is_markdown_that_no_value_can_break(found):
    hostile = finding(NIGHTLY, because="a | b\n# ```<img>", mend="")
    page = step_summary("1 of 1 *bad*", "NG: ```", checked([hostile], [NIGHTLY]))
    assert "### 60_check: 1 of 1 \\*bad\\*" in page
    assert "| error | nightly | pinned-revision | a \\| b # \\`\\`\\`\\<img\\> |" in page
    assert "NG: '''" in page
