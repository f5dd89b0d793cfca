"""The hand-written modules: their own tests, their form, and READMEs that say what is in them."""

import json
import re
import shutil

import hcl2
import pytest

from ecs_runbook import workspace

MODULES = {"task": 8, "scheduled_task": 9, "scheduler_task": 9, "retried_task": 7, "task_events": 7}
"""The modules, and how many runs their own tests have."""


def read(module: str, name: str, kind: str) -> dict[str, dict]:
    """Return the blocks of *kind* in a file of the module, by name."""
    found = hcl2.loads((workspace.modules() / module / name).read_text())[kind]
    return {json.loads(label): block for blocks in found for label, block in blocks.items()}


def said(value):
    return json.loads(value) if isinstance(value, str) and value.startswith('"') else value


def rows(module: str, header: str) -> list[str]:
    lines = (workspace.modules() / module / "README.md").read_text().splitlines()
    start = lines.index(header) + 2
    return [line for line in lines[start:] if line.startswith("|")][
        : next((at for at, line in enumerate(lines[start:]) if not line.startswith("|")), len(lines))
    ]


@pytest.mark.parametrize("module", MODULES)
def test_the_readme_has_every_variable_with_its_type_and_default(module):
    def row(name, block):
        kind = re.sub(r"^\$\{(.*)\}$", r"\1", block["type"])
        kind = "list(object)" if kind.startswith("list(object") else kind
        default = f"`{json.dumps(said(block['default']))}`" if "default" in block else "needed"
        return f"| `{name}` | {kind} | {default} | {said(block['description'])} |"

    expected = [row(name, block) for name, block in read(module, "variables.tf", "variable").items()]
    assert rows(module, "| variable | type | default | what it is |") == expected


@pytest.mark.parametrize("module", MODULES)
def test_the_readme_has_every_output(module):
    outputs = read(module, "outputs.tf", "output").items()
    expected = [f"| `{name}` | {said(block['description'])} |" for name, block in outputs]
    assert rows(module, "| output | what it is |") == expected


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
def folders(terraform, tmp_path_factory):
    """The modules side by side, with the provider."""
    place = tmp_path_factory.mktemp("modules")
    for name in MODULES:
        shutil.copytree(workspace.modules() / name, place / name, ignore=shutil.ignore_patterns(".terraform*"))
        made_ready = terraform("init", "-input=false", in_folder=place / name)
        assert made_ready.returncode == 0, made_ready.stdout + made_ready.stderr
    return place


@pytest.mark.parametrize("module", MODULES)
def test_the_modules_are_valid_and_their_own_tests_pass(terraform, folders, module):
    valid = json.loads(terraform("validate", "-json", in_folder=folders / module).stdout)
    assert (valid["valid"], valid["diagnostics"]) == (True, [])
    tested = terraform("test", "-json", in_folder=folders / module)
    messages = [json.loads(line) for line in tested.stdout.splitlines()]
    summary = next(message["test_summary"] for message in messages if message["type"] == "test_summary")
    failures = [message.get("diagnostic") for message in messages if message["type"] == "diagnostic"]
    assert (summary["status"], summary["passed"], summary["failed"]) == ("pass", MODULES[module], 0), failures
