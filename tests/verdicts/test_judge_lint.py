"""What lint found is judged: an error is NG with its mend, and what may be meant is OK and named."""

from ecs_runbook.lint.findings import Finding, Report
from ecs_runbook.lint.model import Place
from ecs_runbook.verdicts.lint import judge_lint

ADDRESS = "aws_cloudwatch_event_target.this"


def finding(rule, severity, *, line=28, silenced=""):
    place = Place("main.tf", line) if line else Place()
    return Finding(rule, severity, place, ADDRESS, "it ends in :1", "Take the number away.", silenced=silenced)


def judged(*findings):
    return [
        (check.id, check.subject, check.status, check.because, check.next)
        for check in judge_lint(Report(findings, files=["main.tf"]), "nightly")
    ]


def test_nothing_found_is_good():
    assert judged() == [("lint", "nightly", "OK", "nothing found in 1 file", "")]


def test_each_error_is_not_good_by_its_own_id_with_its_line_and_its_mend():
    found = judged(finding("pinned-revision", "error"), finding("policy-bare-family", "error", line=40))
    where = [("pinned-revision", 28), ("policy-bare-family", 40)]
    assert found == [
        (rule, "nightly", "NG", f"main.tf:{line} {ADDRESS}: it ends in :1", "Take the number away.")
        for rule, line in where
    ]


def test_an_error_of_a_plan_without_files_names_its_resource():
    ((_, _, status, because, _),) = judged(finding("pinned-revision", "error", line=0))
    assert (status, because) == ("NG", f"{ADDRESS}: it ends in :1")


def test_warnings_are_named_and_notes_counted_and_both_are_good():
    found = judged(finding("schedule-zone", "warning"), finding("no-dead-letter-queue", "note"))
    because = "1 warning, 1 note in 1 file: schedule-zone at main.tf:28"
    assert found == [("lint", "nightly", "OK", because, "Read them; each may be meant.")]


def test_what_is_silenced_with_a_reason_is_good():
    found = judged(finding("pinned-revision", "error", silenced="the audit wants it"))
    assert found == [("lint", "nightly", "OK", "nothing found in 1 file; 1 silenced", "")]
