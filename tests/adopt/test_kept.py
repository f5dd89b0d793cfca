"""What somebody's own files make already is mended there and not imported."""

from datetime import UTC, datetime

import pytest
from things_to_adopt import NEW_QUEUE, PINNED, arn, target

from ecs_runbook.adopt.adopt import adopt_in_terraform
from ecs_runbook.adopt.around import Around
from ecs_runbook.adopt.existing import Existing, Whole
from ecs_runbook.adopt.kept import _shy, kept_in
from ecs_runbook.adopt.planned import read_plan
from ecs_runbook.adopt.rewriters import Rewriter, Who, writings
from ecs_runbook.adopt.verdict import judge_adoption
from ecs_runbook.errors import SpecError

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
TREE = """\
# the night's report
resource "aws_cloudwatch_event_rule" "r" {
  name = "nightly" # do not rename
  schedule_expression="cron(0 2 * * ? *)"
}

resource "aws_cloudwatch_event_target" "t" {
  rule     = aws_cloudwatch_event_rule.r.name
  arn      = "arn:aws:ecs:us-east-1:123456789012:cluster/default"
  role_arn = "arn:aws:iam::123456789012:role/rules"
  input    = "{\\"containerOverrides\\":[{\\"environment\\":[{\\"name\\":\\"TOKEN\\",\\"value\\":\\"shy\\"}]}]}"
  ecs_target {
    launch_type = "FARGATE"
    task_definition_arn   =   aws_ecs_task_definition.job.arn   // newest
  }
}

resource "aws_ecs_task_definition" "job" {
  family                = "job"
  container_definitions = "[]"
}
"""
MENDED = TREE.replace("aws_ecs_task_definition.job.arn ", "aws_ecs_task_definition.job.arn_without_revision ")


def rule(name):
    told = {"Name": name, "Arn": arn("events", f"rule/{name}"), "ScheduleExpression": "rate(1 day)", "State": "ENABLED"}
    return Existing("rule", "default", told, (target(),))


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "main.tf").write_text(TREE)
    return tmp_path


def verdicts(kept, who=()):
    adoption = adopt_in_terraform(kept.others, Around(), mend=[], account="123456789012", region="us-east-1")
    checks = judge_adoption(adoption, read_plan(adoption, {}), Who(tuple(who), SINCE), kept)
    return {one.id: (one.status, one.because) for one in checks}


def test_without_a_repository_all_is_imported():
    things = (rule("nightly"), rule("hourly"))
    kept = kept_in("", Whole(things), mend=["pinned-revision"])
    assert (kept.here, kept.others, kept.diff) == ((), things, "")


def test_what_the_files_make_is_mended_there_and_the_rest_is_imported(repository):
    nightly, hourly = rule("nightly"), rule("hourly")
    kept = kept_in(str(repository), Whole((nightly, hourly)), mend=["pinned-revision"])
    assert (kept.here, kept.others) == ((nightly,), (hourly,))
    changed = [line for line in kept.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert changed == [
        "-    task_definition_arn   =   aws_ecs_task_definition.job.arn   // newest",
        "+    task_definition_arn   =   aws_ecs_task_definition.job.arn_without_revision   // newest",
    ]
    assert (repository / "main.tf").read_text() == TREE


def test_it_is_written_on_request_alone_and_then_there_is_nothing_left_to_do(repository):
    things = (rule("nightly"),)
    shown = kept_in(str(repository), Whole(things), mend=["pinned-revision"])
    assert verdicts(shown)["adopt-patched"] == (
        "SKIP",
        "nightly: 1 edit in 1 of your files, not written: apply_patch = True writes them",
    )
    written = kept_in(str(repository), Whole(things), mend=["pinned-revision"], apply_patch=True)
    assert verdicts(written)["adopt-patched"] == ("OK", "nightly: 1 edit in 1 of your files, written")
    assert (repository / "main.tf").read_text() == MENDED
    again = kept_in(str(repository), Whole(things), mend=["pinned-revision"], apply_patch=True)
    assert (again.diff, again.wrote) == ("", False)
    told = verdicts(again)
    assert told["adopt-patched"] == ("OK", "nightly: nothing to change in your files")
    assert told["adopt-ready"] == ("OK", "nothing is left to import: your own files make all of it")


def test_values_beside_an_edit_are_not_shown(repository):
    kept = kept_in(str(repository), Whole((rule("nightly"),)), mend=["pinned-revision"])
    assert "shy" in kept.patch.diff
    assert "shy" not in kept.diff + kept._repr_html_()


@pytest.mark.parametrize(
    "beside",
    [
        'input = jsonencode({ containerOverrides = [{ environment = [{ name = "P", value = "hunter2" }] }] })',
        "input = <<EOT\n  PASSWORD=hunter2\nEOT",
        'input = "{\\"environment\\":[{\\"value\\":\\"hunter2\\"}]}"',
        'input_path = var.x ? "hunter2" : "$"',
        "# the password is hunter2",
    ],
)
def test_whatever_stands_beside_an_edit_is_not_shown(tmp_path, beside):
    before, after = TREE.split("// newest\n  }\n")
    lines = [line for line in before.splitlines() if not line.startswith("  input ")]
    (tmp_path / "main.tf").write_text("\n".join(lines) + f"// newest\n  }}\n{beside}\n{after}")
    kept = kept_in(str(tmp_path), Whole((rule("nightly"),)), mend=["pinned-revision"])
    assert "hunter2" in kept.patch.diff
    assert "arn_without_revision" in kept.diff
    assert "hunter2" not in kept.diff + kept._repr_html_()


@pytest.mark.parametrize(
    "line",
    [
        '-  a = "arn:aws:ecs:eu-west-2:1:task-definition/job:7", p = "hunter2"',
        '-  a = local.b ? "hunter2" : "arn:aws:ecs:eu-west-2:1:task-definition/job:7"',
        '-{"TaskDefinition":"arn:aws:ecs:eu-west-2:1:task-definition/job:7","value":"hunter2","x":["hunter2"]}',
        '-  i = "{\\"TaskDefinition\\":\\"task-definition/job:7\\",\\"value\\":\\"hunter2\\"}"',
    ],
)
def test_of_a_line_that_changes_no_other_text_is_shown(line):
    assert "hunter2" not in _shy(line)


def test_a_mend_that_files_are_not_given_is_said(repository):
    things = (rule("nightly"),)
    kept = kept_in(str(repository), Whole(things), mend=["dead-letter-queue"], dead_letter_queue=NEW_QUEUE)
    status, because = verdicts(kept)["adopt-patched"]
    assert status == "SKIP"
    assert "dead-letter-queue of nightly: give it the queue in your files by hand" in because


def test_a_pipeline_that_would_undo_an_edit_of_the_files_is_named(repository):
    things = (rule("nightly"),)
    record = {
        "eventName": "PutTargets",
        "userAgent": "aws-cli/2.31",
        "userIdentity": {"arn": arn("iam", "user/ci")},
    }
    several = [
        writing
        for number in (7, 8)
        for writing in writings(
            record
            | {
                "eventTime": f"2026-11-2{number - 4}T17:00:12Z",
                "requestParameters": {
                    "rule": "nightly",
                    "targets": [{"id": "job", "ecsParameters": {"taskDefinitionArn": f"{PINNED[:-1]}{number}"}}],
                },
            }
        )
    ]
    kept = kept_in(str(repository), Whole(things), mend=["pinned-revision"])
    status, because = verdicts(kept, [Rewriter("nightly#job", arn("iam", "user/ci"), tuple(several))])[
        "adopt-rewritten"
    ]
    assert status == "NG"
    assert "user/ci (aws-cli/2.31) wrote job:7, job:8, last on 2026-11-24 17:00 UTC" in because
    assert "will be undone" in because


@pytest.mark.parametrize(
    ("folder", "words"),
    [("nowhere", "name a folder with Terraform files"), (".", r"name a folder with \.tf or \.tf\.json files")],
)
def test_a_folder_without_terraform_is_refused(tmp_path, folder, words):
    with pytest.raises(SpecError, match=rf"repository = .*: {words}"):
        kept_in(str(tmp_path / folder), Whole((rule("nightly"),)))


def test_writing_without_a_repository_is_refused():
    with pytest.raises(SpecError, match="apply_patch = True: name the repository whose files shall be written"):
        kept_in("", Whole((rule("nightly"),)), apply_patch=True)


def test_a_name_that_two_resources_may_have_is_neither_mended_nor_imported(tmp_path):
    head = 'variable "stage" {}\n'
    one = TREE.replace('"nightly"', '"night${var.stage}"')
    two = one.replace('"r"', '"r2"').replace('"t"', '"t2"').replace(".r.", ".r2.").split('resource "aws_ecs_task')[0]
    (tmp_path / "main.tf").write_text(head + one + two)
    kept = kept_in(str(tmp_path), Whole((rule("nightly"), rule("hourly"))), mend=["pinned-revision"])
    assert (kept.here, [one.name for one in kept.others], kept.diff) == ((), ["hourly"], "")
    status, because = verdicts(kept)["adopt-left-out"]
    assert status == "SKIP"
    assert because.startswith("nightly: which of these it is cannot be told from the files: main.tf")


STARTS = """\
resource "aws_scheduler_schedule" "s" {
  name                = "nightly"
  schedule_expression = "rate(1 day)"
  flexible_time_window { mode = "OFF" }
  target {
    arn      = "arn:aws:states:us-east-1:123456789012:stateMachine:again"
    role_arn = "arn:aws:iam::123456789012:role/schedules"
  }
}
"""


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("schedule", STARTS),
        ("rule", 'resource "aws_cloudwatch_event_rule" "r" {\n  name = "nightly"\n}\n'),
    ],
)
def test_what_the_files_make_and_no_task_is_seen_in_is_not_imported_a_second_time(tmp_path, kind, text):
    (tmp_path / "main.tf").write_text(text)
    told = {"Name": "nightly", "Arn": arn("events", f"{kind}/nightly"), "ScheduleExpression": "rate(1 day)"}
    thing = Existing(kind, "default", told, (target(),))
    kept = kept_in(str(tmp_path), Whole((thing,)), mend=["pinned-revision"])
    assert kept.others == ()
    status, because = verdicts(kept)["adopt-left-out"]
    assert status == "SKIP"
    assert because == "nightly: your own files make it, main.tf:1, and no target of it there runs a task"


def test_with_a_repository_a_mend_of_one_thing_alone_is_refused(repository):
    with pytest.raises(SpecError, match="with a repository name no thing in it"):
        kept_in(str(repository), Whole((rule("nightly"),)), mend=["pinned-revision of nightly"])
