"""The hand-written modules: their own tests, their form, and READMEs that say what is in them."""

import json
import re
import shutil

import hcl2
import pytest

from ecs_runbook import workspace

MODULE = workspace.modules() / "scheduled_task"


def read(name: str, kind: str) -> dict[str, dict]:
    """Return the blocks of *kind* in a file of the module, by name."""
    found = hcl2.loads((MODULE / name).read_text())[kind]
    return {json.loads(label): block for blocks in found for label, block in blocks.items()}


def said(value):
    return json.loads(value) if isinstance(value, str) and value.startswith('"') else value


def rows(header: str) -> list[str]:
    lines = (MODULE / "README.md").read_text().splitlines()
    start = lines.index(header) + 2
    return [line for line in lines[start:] if line.startswith("|")][
        : next((at for at, line in enumerate(lines[start:]) if not line.startswith("|")), len(lines))
    ]


def test_the_readme_has_every_variable_with_its_type_and_default():
    def row(name, block):
        kind = re.sub(r"^\$\{(.*)\}$", r"\1", block["type"])
        kind = "list(object)" if kind.startswith("list(object") else kind
        default = f"`{json.dumps(said(block['default']))}`" if "default" in block else "needed"
        return f"| `{name}` | {kind} | {default} | {said(block['description'])} |"

    expected = [row(name, block) for name, block in read("variables.tf", "variable").items()]
    assert rows("| variable | type | default | what it is |") == expected


def test_the_readme_has_every_output():
    outputs = read("outputs.tf", "output").items()
    expected = [f"| `{name}` | {said(block['description'])} |" for name, block in outputs]
    assert rows("| output | what it is |") == expected


def test_nothing_deprecated_and_no_partition_is_written():
    code = "\n".join(re.sub("#.*", "", path.read_text()) for path in workspace.modules().rglob("*.tf"))
    for word in ("is_enabled", "inline_policy", "managed_policy_arns", '"arn:aws:'):
        assert word not in code


def test_the_overview_names_every_module():
    overview = (workspace.modules() / "README.md").read_text()
    folders = {path.parent.relative_to(workspace.modules()).as_posix() for path in workspace.modules().rglob("main.tf")}
    assert set(re.findall(r"\*\*`([a-z0-9_/]+)/`\*\*", overview)) == folders


def test_the_modules_are_formatted(terraform):
    checked = terraform("fmt", "-check", "-recursive", "-diff", in_folder=workspace.modules())
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.fixture(scope="module")
def module(terraform, tmp_path_factory):
    folder = tmp_path_factory.mktemp("module") / "scheduled_task"
    shutil.copytree(MODULE, folder, ignore=shutil.ignore_patterns(".terraform*"))
    made_ready = terraform("init", "-input=false", in_folder=folder)
    assert made_ready.returncode == 0, made_ready.stdout + made_ready.stderr
    return folder


def test_the_modules_own_tests_pass(terraform, module):
    tested = terraform("test", "-json", in_folder=module)
    messages = [json.loads(line) for line in tested.stdout.splitlines()]
    summary = next(message["test_summary"] for message in messages if message["type"] == "test_summary")
    failures = [message.get("diagnostic") for message in messages if message["type"] == "diagnostic"]
    assert (summary["status"], summary["passed"], summary["failed"]) == ("pass", 8, 0), failures
