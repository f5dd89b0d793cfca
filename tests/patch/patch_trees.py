"""Trees of Terraform for the tests of patches: lint's own, and what becomes of them."""

from lint_trees import GOOD, changed, good, written

from ecs_runbook.patch.patch import MENDS, patch

__all__ = ["GOOD", "after_patch", "changed", "good", "target_of", "written"]

_TARGET = "    task_definition_arn = aws_ecs_task_definition.this.arn_without_revision\n"


def target_of(expression):
    """Return a tree whose target names *expression*."""
    return good((_TARGET, f"    task_definition_arn = {expression}\n"))


def after_patch(folder, files, mends=MENDS, *, only=None):
    """Write a tree, patch it, and return its text, or its texts by name; all of it must be placed."""
    folder = written(folder, files)
    found = patch(folder, mends, only=only)
    assert found.not_placed == (), str(found)
    found.apply()
    if isinstance(files, str):
        return (folder / "main.tf").read_bytes().decode()
    return {name: (folder / name).read_bytes().decode() for name in files}
