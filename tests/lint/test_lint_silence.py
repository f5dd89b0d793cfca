"""A comment silences a finding where it reaches, and only with a reason."""

import pytest
from lint_trees import assert_as_marked, good, linted, seen

TARGET = "    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n"
PINNED = "    task_definition_arn = aws_ecs_task_definition.this.arn"
BLOCK = 'resource "aws_cloudwatch_event_target" "this" {\n'
WHY = "because the audit wants one revision"


def silenced(report):
    return [(one.rule, one.place.line, one.silenced) for one in report.findings if one.silenced]


@pytest.mark.parametrize(
    ("comment", "line"),
    [
        (f"    # ecs-runbook: ignore pinned-revision {WHY}\n{PINNED}\n", 28),
        (f"    // ecs-runbook: ignore pinned-revision {WHY}\n{PINNED}\n", 28),
        (f"    /* ecs-runbook: ignore pinned-revision {WHY} */\n{PINNED}\n", 28),
        (f"{PINNED} # ecs-runbook: ignore pinned-revision {WHY}\n", 27),
        (PINNED.replace("= ", f"= /* ecs-runbook: ignore pinned-revision {WHY} */ ") + "\n", 27),
        (f"    # ECS-runbook:ignore pinned-revision, policy-too-wide {WHY}\n    # told twice\n{PINNED}\n", 29),
    ],
)
def test_a_comment_with_a_reason_silences_its_own_line_or_the_next(comment, line, tmp_path):
    report = linted(tmp_path, good((TARGET, comment)))
    assert silenced(report) == [("pinned-revision", line, "the audit wants one revision")]
    assert report.open == []
    assert not report.at_least("note")


def test_a_comment_above_a_block_reaches_all_of_it(tmp_path):
    text = good((TARGET, f"{PINNED}\n"), (BLOCK, f"# ecs-runbook: ignore pinned-revision {WHY}\n{BLOCK}"))
    assert silenced(linted(tmp_path, text)) == [("pinned-revision", 28, "the audit wants one revision")]


@pytest.mark.parametrize(
    "comment",
    [
        f"# ecs-runbook: ignore pinned-revision {WHY}\n\n{BLOCK}",  # a line between
        f"# ecs-runbook: ignore policy-too-wide {WHY}\n{BLOCK}",  # another rule
        f"# ecs-runbook ignore pinned-revision {WHY}\n{BLOCK}",  # no colon: a sentence
    ],
)
def test_a_comment_that_does_not_reach_silences_nothing(comment, tmp_path):
    assert_as_marked(tmp_path, good((TARGET, f"{PINNED} #! pinned-revision\n"), (BLOCK, comment)))


def test_a_comment_of_another_file_silences_nothing(tmp_path):
    files = {
        "main.tf": good((TARGET, f"{PINNED} #! pinned-revision\n")),
        "other.tf": "\n" * 26 + f"# ecs-runbook: ignore pinned-revision {WHY}\n",
    }
    assert_as_marked(tmp_path, files)


@pytest.mark.parametrize(
    ("said", "because"),
    [
        ("ignore pinned-revision", "it silences pinned-revision without a reason"),
        ("ignore pinned-revision because", "it silences pinned-revision without a reason"),
        ("ignore pinned-revision because   ", "it silences pinned-revision without a reason"),
        ("ignore", "it names no rule"),
        ("ignore because I say so", "it names no rule"),
    ],
)
def test_without_a_reason_nothing_is_silenced_and_that_is_said(said, because, tmp_path):
    report = linted(tmp_path, good((TARGET, f"    # ecs-runbook: {said}\n{PINNED}\n")))
    told = {(one.rule, one.place.line): one for one in report.open}
    assert set(told) == {("silence-without-reason", 27), ("pinned-revision", 28)}
    assert told["silence-without-reason", 27].because == because
    assert told["silence-without-reason", 27].severity == "warning"


@pytest.mark.parametrize(
    ("rule", "because", "mend"),
    [
        ("pined-revision", "there is no rule pined-revision", "Did you mean pinned-revision?"),
        ("xyzzy", "there is no rule xyzzy", "`ecs-runbook lint --rules` lists them."),
        ("unreadable-file", "unreadable-file cannot be silenced", "Did you mean unreadable-file?"),
    ],
)
def test_a_rule_that_does_not_exist_is_said_with_the_nearest(rule, because, mend, tmp_path):
    (one,) = linted(tmp_path, good((TARGET, f"    # ecs-runbook: ignore {rule} because so\n{TARGET}"))).open
    assert (one.rule, one.place.line, one.because) == ("silence-unknown-rule", 27, because)
    assert one.mend == mend


def test_one_comment_may_be_half_wrong(tmp_path):
    text = good((TARGET, f"    # ecs-runbook: ignore pinned-revision, nonsense {WHY}\n{PINNED}\n"))
    report = linted(tmp_path, text)
    assert silenced(report) == [("pinned-revision", 28, "the audit wants one revision")]
    assert set(seen(report)) == {("silence-unknown-rule", "main.tf", 27)}
