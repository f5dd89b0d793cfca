"""What Terraform says, recorded from real runs, and what is made of it."""

import json
from pathlib import Path

import pytest

from ecs_runbook.errors import ProviderMissing, TerraformError, TerraformMissing
from ecs_runbook.terraform.messages import Change, Diagnostic, Heard, Step, diagnostics_in, error_of, shown

RECORDED = Path(__file__).parent / "recorded"
DEFINITION = "module.scheduled_task.aws_ecs_task_definition.this"
GROUP = "module.scheduled_task.aws_cloudwatch_log_group.this"


def hear(name: str, *, applies: bool = True) -> tuple[Heard, list[Step]]:
    heard = Heard(applies=applies)
    lines = (RECORDED / f"{name}.jsonl").read_text().splitlines()
    return heard, [step for line in lines for step in heard.hear(line)]


def test_a_plan_is_a_list_of_changes_by_address():
    heard, _ = hear("replace")
    assert heard.changes == [
        Change("replace", DEFINITION, "aws_ecs_task_definition"),
        Change("change", "module.scheduled_task.aws_iam_role_policy.schedule[0]", "aws_iam_role_policy"),
        Change("change", "module.scheduled_task.aws_cloudwatch_event_target.this", "aws_cloudwatch_event_target"),
    ]
    assert heard.counts == {"add": 1, "change": 0, "remove": 1, "import": 0}


def test_a_replacement_is_created_before_the_old_one_is_destroyed():
    heard, steps = hear("replace")
    assert [change.action for change in heard.applied] == ["create", "destroy"]
    notes = [(step.done, step.note) for step in steps if step.address == DEFINITION]
    assert notes == [
        (0.0, "reading"),
        (0.1, "read"),
        (0.1, "creating"),
        (1.0, "created in 0 s"),
        (1.0, "destroying"),
        (1.0, "destroyed in 0 s"),
    ]


def test_what_was_read_and_stays_is_done_once_the_rest_is_planned():
    _, steps = hear("replace")
    assert [step for step in steps if step.address == GROUP][-1] == Step(GROUP, 1.0, "unchanged")


def test_a_bar_never_goes_back():
    for name in ("replace", "errored", "sensitive"):
        latest: dict[str, float] = {}
        for step in hear(name)[1]:
            assert 0 <= latest.get(step.address, 0.0) <= step.done <= 1
            latest[step.address] = step.done


def test_when_only_planning_reading_is_all_there_is():
    heard, steps = hear("replace", applies=False)
    assert Step(GROUP, 1.0, "read") in steps
    assert "unchanged" not in {step.note for step in steps}
    assert heard.changes


def test_a_resource_that_takes_long_says_how_long():
    _, steps = hear("sensitive")
    assert Step("terraform_data.slow", 0.5, "creating, 10 s") in steps


def test_a_sensitive_output_only_says_that_it_is():
    heard, _ = hear("sensitive")
    assert heard.outputs == {"key": "(sensitive)", "rule": "nightly"}
    assert shown({"key": {"sensitive": True, "type": "string", "value": "s3cr3t"}}) == {"key": "(sensitive)"}


def test_values_that_terraform_shows_beside_the_code_are_not_kept():
    heard = Heard()
    values = [{"traversal": "var.key", "statement": 'is "s3cr3t"'}]
    found = {"severity": "error", "summary": "Bad", "snippet": {"code": "x", "values": values}}
    list(heard.hear(json.dumps({"type": "diagnostic", "diagnostic": found})))
    assert heard.errors == [Diagnostic("error", "Bad")]
    assert "s3cr3t" not in repr(heard)


def test_errors_of_an_apply_name_the_resource_and_aws_own_words():
    heard, steps = hear("errored")
    error = error_of(heard.errors, "")
    assert error.address == "module.scheduled_task.aws_iam_role.task[0]"
    assert "EntityAlreadyExists: Role with name nightly-task already exists." in error.summary
    assert f"Also: {GROUP}: creating CloudWatch Logs Log Group" in error.detail
    assert error.hint == "Choose another name, or import what is there."
    assert Step(GROUP, 1.0, "failed") in steps


def test_a_cluster_that_is_not_there_says_what_to_do():
    heard, _ = hear("no_cluster", applies=False)
    error = error_of(heard.errors, "")
    assert error.address == "module.scheduled_task.data.aws_ecs_cluster.given[0]"
    assert error.summary == "reading ECS Cluster (absent): empty result"
    assert "set create_cluster = true" in error.hint


def test_a_provider_that_is_not_to_be_had_names_the_mirror():
    heard, _ = hear("init_no_provider")
    error = error_of(heard.errors, "")
    assert type(error) is ProviderMissing
    assert error.summary == "Failed to query available provider packages"
    assert error.detail.endswith("was not found in any of the search locations - /srv/mirror.")
    assert "\n" not in str(error)
    assert "TF_PLUGIN_MIRROR" in error.hint


def test_a_stale_plan_is_said_in_terraforms_words():
    heard, _ = hear("stale")
    assert error_of(heard.errors, "").summary == "Saved plan is stale"


@pytest.mark.parametrize(
    ("summary", "kind", "hint"),
    [
        ("Unsupported Terraform Core version", TerraformMissing, "Install a newer one"),
        ("Error acquiring the state lock", TerraformError, "wait for it"),
        ("AWS account ID not allowed: 123456789012", TerraformError, "Nothing was changed"),
        ("No valid credential sources found", TerraformError, "Sign in"),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", TerraformError, "does not answer"),
        ("AccessDenied: not authorized to perform: iam:CreateRole", TerraformError, "Ask for that permission"),
        ("Something new", TerraformError, ""),
    ],
)
def test_known_errors_come_with_the_next_thing_to_do(summary, kind, hint):
    error = error_of([Diagnostic("error", summary)], "")
    assert (type(error), error.summary) == (kind, summary)
    assert error.hint.startswith(hint) if hint.startswith(("Install", "Nothing", "Sign", "Ask")) else hint in error.hint


def test_errors_written_for_people_are_read_too():
    text = (
        "Initializing...\n╷\n│ Error: Failed to install provider\n│ \n│ could not connect\n╵\n╷\n│ Error: Second\n╵\n"
    )
    assert diagnostics_in(text) == [
        Diagnostic("error", "Failed to install provider", "could not connect"),
        Diagnostic("error", "Second"),
    ]


def test_a_line_that_is_not_json_is_kept_and_warnings_are_said_once():
    heard = Heard()
    warning = '{"type": "diagnostic", "diagnostic": {"severity": "warning", "summary": "Deprecated", "detail": "x"}}'
    for line in ("panic: oh", "", "[1]", warning, warning):
        list(heard.hear(line))
    assert (heard.unread, heard.warnings, heard.errors) == (["panic: oh", "[1]"], ("Deprecated: x",), [])
