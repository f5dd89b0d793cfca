"""One real rehearsal of all mistakes: each said what AWS says, letter by letter, and ran LATEST once it was mended."""

import re
import shutil
from datetime import timedelta

import pytest

from ecs_runbook import workspace
from ecs_runbook.errors import ParameterError, SessionError
from ecs_runbook.local_aws import process
from ecs_runbook.rehearsal import stage as stages
from ecs_runbook.rehearsal.mistakes import STORIES, choose_mistakes
from ecs_runbook.rehearsal.rehearse import rehearse
from ecs_runbook.rehearsal.results import REHEARSED_COLUMNS
from ecs_runbook.rehearsal.stage import Stage
from ecs_runbook.rehearsal.verdict import judge_rehearsed
from ecs_runbook.session import connect

ME = "User: arn:aws:sts::123456789012:assumed-role/{0}-schedule/[0-9a-f]{{32}} is not authorized to perform: "
ECS = r"arn:aws:ecs:us-east-1:123456789012:"
NO = r" because no identity-based policy allows the {} action"


def denied(name, action, resource):
    return "AccessDenied: " + ME.format(name) + action + " on resource: " + resource + NO.format(action)


def words(code, message):
    return re.escape(f"{code}: {message}")


PARAMETER = "InvalidParameterException"
SAID = {
    "pinned_revision": "pinned-revision:1 while 2 is the latest",
    "deregistered_revision": words(PARAMETER, "TaskDefinition is inactive"),
    "destroy_before_create": words("ClientException", "TaskDefinition not found."),
    "override_of_missing_container": words(
        PARAMETER, "Override for container named main is not a container in the TaskDefinition"
    ),
    "bare_family_in_policy": denied(
        "bare-family-in-policy", "ecs:RunTask", ECS + "task-definition/bare-family-in-policy:1"
    ),
    "policy_pinned_to_revision": denied(
        "policy-pinned-to-revision", "ecs:RunTask", ECS + "task-definition/policy-pinned-to-revision:2"
    ),
    "pass_role_of_new_revision": denied(
        "pass-role-of-new-revision", "iam:PassRole", "arn:aws:iam::123456789012:role/pass-role-of-new-revision-task"
    ),
    "passed_to_service_wrong": denied(
        "passed-to-service-wrong", "iam:PassRole", "arn:aws:iam::123456789012:role/passed-to-service-wrong-execution"
    ),
    "trust_wrong_service": "NO_PERMISSIONS",
    "tag_resource_missing": denied("tag-resource-missing", "ecs:TagResource", ECS + r"task/default/\*"),
    "launch_type_left_out": words(PARAMETER, "Assign public IP is not supported for this launch type."),
    "ec2_on_empty_cluster": words(PARAMETER, "No Container Instances were found in your cluster."),
    "no_network_configuration": words(
        PARAMETER, "Network Configuration must be provided when networkMode 'awsvpc' is specified."
    ),
    "subnet_and_group_in_two_vpcs": (
        PARAMETER + r": Security group sg-[0-9a-f]{17} does not appear to belong to the same VPC as the input subnets\."
    ),
    "no_way_to_registry": (
        r"CannotPullContainerError: pull image manifest has been retried 5 time\(s\): failed to resolve ref "
        r"public\.ecr\.aws/docker/library/busybox:1\.36.*"
    ),
    "cron_both_day_fields": words("ValidationException", "Parameter ScheduleExpression is not valid."),
    "cron_meant_in_jst": "02:00 UTC, 11:00 in Tokyo",
}
"""By hand: the messages that AWS gives, as public issues quote them; the ends of the two that nobody refuses."""


FOUND = {
    "pinned_revision": ("pinned-revision",),
    "deregistered_revision": ("pinned-revision",),
    "destroy_before_create": ("no-active-revision-window",),
    "override_of_missing_container": ("override-container",),
    "bare_family_in_policy": ("policy-bare-family",),
    "policy_pinned_to_revision": ("policy-pinned-revision",),
    # the role that the next revision will name stands in no file
    "pass_role_of_new_revision": (),
    "passed_to_service_wrong": ("passed-to-service",),
    "trust_wrong_service": ("trust-wrong-service",),
    "tag_resource_missing": ("tag-resource-missing",),
    "launch_type_left_out": ("launch-type-public-ip",),
    "ec2_on_empty_cluster": ("launch-type-left-out",),
    "no_network_configuration": ("no-network-configuration",),
    "subnet_and_group_in_two_vpcs": ("two-vpcs",),
    "no_way_to_registry": ("no-way-out",),
    "cron_both_day_fields": ("schedule-expression",),
    "cron_meant_in_jst": ("schedule-zone",),
}
"""By hand: the rule that finds each, in its files and in its plan, and finds it no more after the mend."""


CAUSES = {
    "pinned_revision": ("runs-latest",),
    "deregistered_revision": ("revision-inactive",),
    "destroy_before_create": ("no-active-revision",),
    "override_of_missing_container": ("override-of-unknown-container",),
    "bare_family_in_policy": ("run-task-denied-bare-family-policy",),
    "policy_pinned_to_revision": ("run-task-denied-pinned-policy",),
    "pass_role_of_new_revision": ("pass-role-denied",),
    "passed_to_service_wrong": ("pass-role-to-another-service",),
    "trust_wrong_service": ("assume-role-denied",),
    "tag_resource_missing": ("tag-resource-denied",),
    "launch_type_left_out": ("public-ip-needs-fargate",),
    "ec2_on_empty_cluster": ("no-container-instances",),
    "no_network_configuration": ("network-configuration-missing",),
    "subnet_and_group_in_two_vpcs": ("security-group-in-another-vpc",),
    "no_way_to_registry": ("no-way-to-registry",),
    # the one was refused at the apply, and the other runs, at its minute
    "cron_both_day_fields": (),
    "cron_meant_in_jst": (),
}
"""By hand: what the live checks make of each. IAM's words are the same for several; the role's policies tell."""


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv(workspace.HOME_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    yield connect(endpoint=process.start(folder).url)
    process.stop(folder)


@pytest.fixture(scope="module")
def rehearsed(aws):
    return rehearse(aws=aws)


@pytest.mark.parametrize("name", sorted(STORIES))
def test_aws_says_its_words_letter_by_letter(rehearsed, name):
    assert re.fullmatch(SAID[name], rehearsed[name].said)
    assert rehearsed[name].as_expected


@pytest.mark.parametrize("name", sorted(STORIES))
def test_after_the_mend_the_latest_revision_runs_to_its_end_and_a_plan_is_empty(rehearsed, name):
    told = rehearsed[name]
    ran = told.second.runs
    assert len(ran) == 1
    assert ran[["schedule", "state", "status", "exit_code"]].values.tolist() == [
        [name.replace("_", "-"), "LATEST", "STOPPED", 0]
    ]
    assert told.still_to_change == ()
    assert told.runs_now


@pytest.mark.parametrize("name", sorted(STORIES))
def test_the_live_checks_name_the_very_mistake(rehearsed, name):
    assert rehearsed[name].first.found == CAUSES[name]


def test_the_mended_cron_runs_at_two_in_tokyo(rehearsed):
    assert rehearsed["cron_meant_in_jst"].after == "LATEST, exit code 0, 17:00 UTC, 02:00 in Tokyo"


@pytest.mark.parametrize("name", ["pinned_revision", "policy_pinned_to_revision", "deregistered_revision"])
def test_the_mended_one_ran_a_revision_that_no_one_wrote_into_it(rehearsed, name):
    (ran,) = rehearsed[name].second.runs.to_dict("records")
    assert ran["requested"] == name.replace("_", "-")
    assert ran["executed"] >= 3


@pytest.mark.parametrize("name", sorted(STORIES))
def test_lint_and_plan_check_find_it_before_anything_runs(rehearsed, name):
    assert rehearsed[name].lint == FOUND[name]
    assert rehearsed[name].plan == FOUND[name]


def test_each_failed_where_its_story_says(rehearsed):
    told_by = {told.mistake.name: told.first.told_by for told in rehearsed}
    assert told_by["launch_type_left_out"] == "CloudTrail"
    assert told_by["no_way_to_registry"] == "ECS"
    assert told_by["trust_wrong_service"] == "the dead-letter queue"
    assert told_by["cron_both_day_fields"] == "terraform apply"
    assert rehearsed["trust_wrong_service"].first.runs.empty
    assert list(rehearsed["no_way_to_registry"].first.runs["state"]) == ["LATEST"]


def test_the_table_has_a_row_for_each_and_the_verdict_is_ok(rehearsed):
    assert list(rehearsed.table.columns) == REHEARSED_COLUMNS
    assert list(rehearsed.table["mistake"]) == list(STORIES)
    assert {check.status for check in judge_rehearsed(rehearsed)} == {"OK"}


@pytest.mark.parametrize("name", sorted(STORIES))
def test_a_mistake_shows_what_was_written_said_mended_and_ran(rehearsed, name):
    page = rehearsed[name]._repr_html_()
    said = "What ran" if name in ("pinned_revision", "cron_meant_in_jst") else "AWS said"
    for head in ("People write", "AWS answers", said, "Found by", "The mend", "After the mend"):
        assert f">{head}</th>" in page
    assert "✓ as its README says, letter by letter" in page
    assert "✗" not in page
    assert "exit code 0" in page


def test_everything_that_was_made_is_gone(rehearsed, aws):
    assert aws.client("events").list_rules()["Rules"] == []
    assert [role for role in aws.client("iam").list_roles()["Roles"] if role["RoleName"].endswith("-schedule")] == []
    assert aws.client("ecs").list_task_definitions()["taskDefinitionArns"] == []
    assert "QueueUrls" not in aws.client("sqs").list_queues()
    ours = [vpc["CidrBlock"] for vpc in aws.client("ec2").describe_vpcs()["Vpcs"]]
    assert not {"10.31.0.0/16", "10.32.0.0/16", "10.33.0.0/16"} & set(ours)


def test_every_folder_is_formatted_mended_or_not(rehearsed, aws, tmp_path):
    stage = Stage(aws, choose_mistakes())
    stage.write(mend=True)
    assert stage.terraform.unformatted() == []
    shutil.copytree(workspace.modules() / "mistakes", stage.folder / "as-written")
    assert stage.terraform.unformatted() == []
    shutil.rmtree(stage.folder / "as-written")


def test_what_is_no_mistake_is_an_error_and_what_was_not_chosen_says_so(rehearsed):
    with pytest.raises(
        ParameterError, match=r"'pined_revision' is not a mistake that is known\. The nearest are: pinned"
    ):
        rehearsed["pined_revision"]


def test_an_interrupt_leaves_nothing_that_the_next_rehearsal_does_not_clear(rehearsed, aws, monkeypatch):
    def interrupt(self, see):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        # interrupted once while it fires, and again while it would clear
        patch.setattr(stages.Stage, "fire", interrupt)
        clear, calls = stages.Stage.clear, []

        def clear_once(self):
            calls.append(self)
            if len(calls) > 1:
                raise KeyboardInterrupt
            clear(self)

        patch.setattr(stages.Stage, "clear", clear_once)
        with pytest.raises(KeyboardInterrupt):
            rehearse(["ec2_on_empty_cluster"], aws=aws)
    assert [rule["Name"] for rule in aws.client("events").list_rules()["Rules"]] == ["ec2-on-empty-cluster"]
    stage = Stage(aws, choose_mistakes(["cron_meant_in_jst"]))
    stage.write()
    stage.clear()
    assert aws.client("events").list_rules()["Rules"] == []
    assert aws.client("ecs").list_task_definitions()["taskDefinitionArns"] == []


def test_the_local_clock_moves_and_no_other(aws):
    before = aws.now()
    aws.advance(to=before + timedelta(hours=1))
    assert aws.now() >= before + timedelta(hours=1)
    from dataclasses import replace

    with pytest.raises(SessionError) as refusal:
        replace(aws, where="aws", endpoint=None, life="").advance(to=before)
    assert refusal.value.message == "The clock of AWS cannot be moved."
    with pytest.raises(SessionError, match="cannot be moved"):
        replace(aws, life="address-0123").advance(to=before)


def test_a_rehearsal_on_a_real_account_is_refused_before_anything_happens(aws):
    from dataclasses import replace

    with pytest.raises(SessionError, match="mistakes are made on purpose in the local AWS alone"):
        rehearse(aws=replace(aws, where="aws"))
