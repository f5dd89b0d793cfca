"""Where a patch changes a file, and that it changes nothing else."""

import pytest
from patch_trees import after_patch, good, target_of, written

from ecs_runbook.errors import TerraformError, WorkspaceError
from ecs_runbook.lint.check import lint_terraform
from ecs_runbook.patch.patch import patch

FORMAT = 'format("%s:%s", aws_ecs_task_definition.this.family, aws_ecs_task_definition.this.revision)'
ARN = "aws_ecs_task_definition.this.arn"
LITERAL = '"arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly:12"'


@pytest.mark.parametrize(
    ("written_so", "becomes"),
    [
        (ARN, f"{ARN}_without_revision"),
        (f'"${{{ARN}}}"', f'"${{{ARN}_without_revision}}"'),
        (LITERAL, LITERAL.replace(":12", "")),
        ('"nightly:7"', '"nightly"'),
        ('"${aws_ecs_task_definition.this.family}:${aws_ecs_task_definition.this.revision}"',
         '"${aws_ecs_task_definition.this.family}"'),
        (f"( {ARN} /* why */ )", f"( {ARN}_without_revision /* why */ )"),
        ("(\n    aws_ecs_task_definition\n    .this.arn)",
         "(\n    aws_ecs_task_definition\n    .this.arn_without_revision)"),
        (f"/* }} */ {ARN}", f"/* }} */ {ARN}_without_revision"),
        ("aws_ecs_task_definition /* .arn */ . this . /* \n */ arn",
         "aws_ecs_task_definition /* .arn */ . this . /* \n */ arn_without_revision"),
        ('"nightly:${ /* } */ aws_ecs_task_definition.this.revision /* " ${ */ }"', '"nightly"'),
        ('"nightly:${~ aws_ecs_task_definition.this.revision ~}"', '"nightly"'),
        (f'"${{~ {ARN} ~}}"', f'"${{~ {ARN}_without_revision ~}}"'),
        (FORMAT, f'replace({FORMAT}, "/:[0-9]+$/", "")'),
    ],
)  # fmt: skip
def test_a_target_loses_its_revision_and_nothing_else_changes(written_so, becomes, tmp_path):
    tree = target_of(written_so)
    assert after_patch(tmp_path, tree, ["pinned-revision"]) == target_of(becomes)


def test_after_the_patch_lint_finds_nothing_and_a_second_run_has_nothing_to_do(tmp_path):
    folder = written(tmp_path, target_of(ARN))
    patch(folder).apply()
    assert "pinned-revision" not in {one.rule for one in lint_terraform(folder).open}
    again = patch(folder)
    assert (again.diff, again.edits, again.mended, again.not_placed) == ("", [], (), ())


def test_nothing_is_written_before_it_is_asked_for(tmp_path):
    tree = target_of(ARN)
    folder = written(tmp_path, tree)
    found = patch(folder)
    assert "+    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n" in found.diff
    assert (folder / "main.tf").read_text() == tree


def test_a_file_that_has_changed_since_is_refused_and_no_other_is_written(tmp_path):
    tree = target_of(ARN)
    folder = written(tmp_path, {"a/main.tf": tree, "b/main.tf": tree})
    found = patch(folder)
    (folder / "b" / "main.tf").write_text(tree + "# later\n")
    with pytest.raises(WorkspaceError, match=r"b/main.tf has changed since it was read\. Make the patch again\."):
        found.apply()
    assert (folder / "a" / "main.tf").read_text() == tree


def test_a_mend_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(
        TerraformError, match=r"mends = pin: there is no such mend of files\. There are pinned-revision"
    ):
        patch(written(tmp_path, good()), ["pin"])


def test_a_folder_without_terraform_is_refused(tmp_path):
    with pytest.raises(TerraformError, match="holds no Terraform"):
        patch(tmp_path)
