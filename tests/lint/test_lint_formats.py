"""The report as text, JSON and SARIF: the same findings in each."""

import json
import os
from importlib import resources

import jsonschema
import pytest
from lint_trees import good, linted

from ecs_runbook.lint.check import lint_terraform

TARGET = "    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n"
LAUNCH = '    launch_type         = "FARGATE"\n'


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    text = good(
        (TARGET, "    task_definition_arn = aws_ecs_task_definition.this.arn\n"),
        (
            LAUNCH,
            LAUNCH
            + "    # ecs-runbook: ignore tag-resource-missing because tagging is not authorised here\n"
            + '    propagate_tags = "TASK_DEFINITION"\n',
        ),
        ("        Resource  = aws_iam_role.execution.arn\n", "        Resource  = var.roles\n"),
    )
    files = {"main.tf": text, "later.tf": 'variable "roles" {}\n', "broken.tf": "locals {"}
    return linted(tmp_path_factory.mktemp("formats"), files)


def test_the_json_has_the_shape_of_its_schema(report):
    schema = json.loads(resources.files("ecs_runbook.lint").joinpath("lint.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(report.json()), schema)


def test_the_json_says_what_was_found(report):
    told = json.loads(report.json())
    assert (told["tool"], told["version"], told["of"]) == ("ecs-runbook", 1, "files")
    assert told["summary"] == {"error": 2, "warning": 0, "note": 0, "silenced": 1, "unresolved": 1, "files": 3}
    assert [(one["rule"], one["file"], one["line"]) for one in told["findings"]] == [
        ("unreadable-file", "broken.tf", 1),
        ("pinned-revision", "main.tf", 27),
        ("tag-resource-missing", "main.tf", 30),
    ]
    pinned, silent = told["findings"][1:]
    assert pinned["severity"] == "error"
    assert pinned["address"] == "aws_cloudwatch_event_target.this"
    assert pinned["diff"] == (
        "- task_definition_arn = aws_ecs_task_definition.this.arn\n"
        "+ task_definition_arn = aws_ecs_task_definition.this.arn_without_revision"
    )
    assert pinned["sure"] == "verified"
    assert silent["silenced"] == "tagging is not authorised here"
    assert told["broken"] == [{"file": "broken.tf", "line": 1, "because": "the file ends where something must follow"}]
    (unresolved,) = told["unresolved"]
    assert unresolved["because"] == "var.roles has no default"


def test_the_text_names_place_severity_rule_and_mend(report):
    text = report.text()
    assert "main.tf:27: error: pinned-revision\n  aws_cloudwatch_event_target.this\n" in text
    assert (
        "  mend: Let it name the family without a revision, aws_ecs_task_definition.this.arn_without_revision" in text
    )
    assert "main.tf:30: silenced: tag-resource-missing: tagging is not authorised here\n" in text
    assert text.splitlines()[-1] == "2 errors in 3 files; 1 silenced; 1 thing not known"


def test_the_sarif_places_each_result_and_suppresses_what_is_silenced(report):
    told = json.loads(report.sarif())
    assert told["version"] == "2.1.0"
    (run,) = told["runs"]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        assert location["physicalLocation"]["region"]["startLine"] >= 1
    places = [
        (one["ruleId"], one["level"], one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])
        for one in run["results"]
    ]
    assert places == [
        ("unreadable-file", "error", "broken.tf"),
        ("pinned-revision", "error", "main.tf"),
        ("tag-resource-missing", "error", "main.tf"),
    ]
    assert [one.get("suppressions") for one in run["results"]] == [
        None,
        None,
        [{"kind": "inSource", "status": "accepted", "justification": "tagging is not authorised here"}],
    ]
    assert len({json.dumps(one["partialFingerprints"]) for one in run["results"]}) == 3


def test_a_fingerprint_stays_when_lines_move(report, tmp_path):
    moved = linted(
        tmp_path, {"main.tf": "\n\n\n" + good((TARGET, "    task_definition_arn = aws_ecs_task_definition.this.arn\n"))}
    )
    before, after = (
        next(one for one in json.loads(each.sarif())["runs"][0]["results"] if one["ruleId"] == "pinned-revision")
        for each in (report, moved)
    )
    assert before["partialFingerprints"] == after["partialFingerprints"]
    assert before["locations"] != after["locations"]


def test_the_frame_has_a_row_for_each_finding(report):
    frame = report.frame()
    assert list(frame["where"]) == ["broken.tf:1", "main.tf:27", "main.tf:30"]
    assert list(frame.columns) == ["severity", "rule", "where", "address", "because", "mend", "silenced"]


def test_the_notebooks_table_escapes_what_a_file_says(tmp_path):
    text = good((TARGET, '    task_definition_arn = "<script>alert(1)</script>:7"\n'))
    page = linted(tmp_path, text)._repr_html_()
    assert "pinned-revision" in page
    assert "<script>" not in page


def test_a_terminal_gets_no_control_characters_from_a_file(tmp_path):
    text = good((TARGET, '    task_definition_arn = "\\u001b[31mred:7"\n'))
    said = linted(tmp_path, text).text()
    assert "pinned-revision" in said
    assert "\x1b" not in said


def test_files_of_any_name_are_named_in_each_format(tmp_path):
    pinned = good((TARGET, "    task_definition_arn = aws_ecs_task_definition.this.arn\n"))
    folder = tmp_path / "a\nb"
    folder.mkdir()
    (folder / "x y#%.tf").write_text(pinned)
    (tmp_path / os.fsdecode(b"\xff.tf")).write_text(pinned)
    report = lint_terraform(tmp_path)
    assert "a\\x0ab/x y#%.tf:27: error: pinned-revision" in report.text()
    assert "\\xdcff.tf:27: error: pinned-revision" in report.text()
    assert json.loads(report.json())["findings"][0]["file"] == "a\nb/x y#%.tf"
    places = [one["locations"][0]["physicalLocation"] for one in json.loads(report.sarif())["runs"][0]["results"]]
    assert [one["artifactLocation"]["uri"] for one in places] == ["a%0Ab/x%20y%23%25.tf", "%FF.tf"]
