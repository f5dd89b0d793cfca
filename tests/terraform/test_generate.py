"""A folder that can go anywhere: complete, deterministic, and never written over what a person wrote."""

import json
import shutil
from pathlib import Path

import hcl2
import pytest
from terraform_samples import GROUP, NASTY, SUBNET

from ecs_runbook import workspace
from ecs_runbook.errors import WorkspaceError
from ecs_runbook.terraform import generate
from ecs_runbook.terraform.generate import Local, adopt_folder, write
from ecs_runbook.wanted.spec import Spec

WHERE = {"account": "111122223333", "region": "eu-west-2"}
MODULES = workspace.modules()
KINDS = ["rule", "schedule", "state_machine"]
PINNED = workspace.modules() / "mistakes" / "pinned_revision"


def texts(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_same_spec_gives_the_same_bytes_whatever_the_order_it_was_said_in(make_spec, tmp_path):
    write(make_spec(environment={"A": "1", "B": "2"}, tags={"x": "1", "y": "2"}), tmp_path / "one", **WHERE)
    write(make_spec(tags={"y": "2", "x": "1"}, environment={"B": "2", "A": "1"}), tmp_path / "two", **WHERE)
    assert texts(tmp_path / "one") == texts(tmp_path / "two")


@pytest.mark.parametrize(("kind", "module"), generate.MODULES.items())
def test_a_folder_holds_a_root_module_and_copies_of_its_modules_without_their_tests(make_spec, tmp_path, kind, module):
    folder = tmp_path / "nightly"
    written = [path.relative_to(folder).as_posix() for path in write(make_spec(kind=kind), folder, **WHERE)]
    copies = [f"{name}/{path.name}" for name in (module, "task") for path in (MODULES / name).iterdir()]
    assert written == sorted([".gitignore", "README.md", "main.tf", *(one for one in copies if "/tests" not in one)])
    for name in (f"{module}/main.tf", "task/main.tf"):
        assert (folder / name).read_bytes() == (MODULES / name).read_bytes()


def test_another_kind_takes_the_module_of_the_kind_before_away(make_spec, tmp_path):
    write(make_spec(), tmp_path / "nightly", **WHERE)
    write(make_spec(kind="schedule"), tmp_path / "nightly", **WHERE)
    assert not (tmp_path / "nightly/scheduled_task/main.tf").exists()
    assert (tmp_path / "nightly/scheduler_task/main.tf").exists()


def test_the_account_is_guarded_and_everything_is_tagged(make_spec, tmp_path):
    write(make_spec(tags={"team": "batch"}), tmp_path / "nightly", **WHERE)
    main = (tmp_path / "nightly/main.tf").read_text()
    assert 'allowed_account_ids = ["111122223333"]' in main
    assert '  tags = {\n    ecs-runbook = "nightly"\n    team        = "batch"\n  }\n' in main


def test_without_the_override_nothing_of_the_local_aws_is_left(make_spec, tmp_path):
    local = Local("http://127.0.0.1:4566", tmp_path / "state" / "nightly.tfstate")
    write(make_spec(), tmp_path / "here", **WHERE, local=local)
    write(make_spec(), tmp_path / "there", **WHERE)
    tied = texts(tmp_path / "here")
    override = tied.pop("local_aws_override.tf")
    assert tied == texts(tmp_path / "there")
    assert "127.0.0.1" not in json.dumps(tied)
    assert override.count("http://127.0.0.1:4566") == 20
    assert "skip_requesting_account_id" not in override  # or the account would not be compared


def test_writing_for_aws_takes_the_override_away(make_spec, tmp_path):
    write(
        make_spec(), tmp_path / "nightly", **WHERE, local=Local("http://127.0.0.1:1", tmp_path / "state" / "x.tfstate")
    )
    write(make_spec(), tmp_path / "nightly", **WHERE)
    assert not (tmp_path / "nightly/local_aws_override.tf").exists()


def test_the_call_names_what_differs_from_the_defaults_and_no_more(make_spec):
    written = generate.root_module(make_spec(retry_attempts=0, launch_type=None), **WHERE)
    call = hcl2.loads(written)["module"][0]['"scheduled_task"']
    always = {"source", "name", "schedule", "image", "cpu", "memory", "cluster", "subnets", "tags", "__is_block__"}
    assert set(call) == always | {"retry_attempts", "launch_type"}
    assert call["launch_type"] is None or call["launch_type"] == "null"


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_spec_is_a_variable_of_its_module_with_the_same_default(kind):
    module = MODULES / generate.MODULES[kind]
    variables = {
        json.loads(name): block
        for found in hcl2.loads((module / "variables.tf").read_text())["variable"]
        for name, block in found.items()
    }
    fields = {name: field for name, field in Spec.model_fields.items() if name != "kind"}
    assert sorted(name for group in generate.ARGUMENTS for name in group) == sorted(fields)
    taken = set(fields) - generate.NOT_TAKEN[kind]
    assert set(variables) == taken | {"keep_old_revisions"}
    needed = {name for name, block in variables.items() if "default" not in block}
    assert needed == {"name", "image", "schedule", "subnets"}
    for name in taken - needed:
        default = variables[name]["default"]
        default = json.loads(default) if isinstance(default, str) and default.startswith('"') else default
        assert default == fields[name].default, name


@pytest.mark.parametrize("kind", KINDS)
def test_every_output_of_a_module_is_handed_on(kind):
    found = hcl2.loads((MODULES / generate.MODULES[kind] / "outputs.tf").read_text())["output"]
    assert [json.loads(name) for block in found for name in block] == list(generate.OUTPUTS[kind])


@pytest.mark.parametrize("name", ["backend.tf", "scheduled_task/extra.tf", "notes.txt"])
def test_a_folder_that_holds_something_else_is_refused_and_nothing_changed(make_spec, tmp_path, name):
    folder = tmp_path / "nightly"
    write(make_spec(), folder, **WHERE)
    (folder / name).write_text("a person's")
    before = texts(folder)
    with pytest.raises(WorkspaceError, match=rf"holds {name}, which was not written by this.*nothing was changed"):
        write(make_spec(image="busybox:2"), folder, **WHERE)
    assert texts(folder) == before


def test_a_file_that_was_changed_by_hand_is_refused(make_spec, tmp_path):
    folder = tmp_path / "nightly"
    write(make_spec(), folder, **WHERE)
    (folder / "main.tf").write_text("# mine")
    with pytest.raises(WorkspaceError, match=r"holds main.tf, which was changed by hand"):
        write(make_spec(), folder, **WHERE)


def test_writing_anew_keeps_the_state_and_deletes_what_is_no_longer_written(make_spec, tmp_path):
    folder = tmp_path / "nightly"
    generate.put(folder, {"old.tf": b"", "main.tf": b"#"})
    for kept in ("terraform.tfstate", ".terraform.lock.hcl", ".terraform/providers/x"):
        (folder / kept).parent.mkdir(exist_ok=True, parents=True)
        (folder / kept).write_text("kept")
    write(make_spec(image="busybox:2"), folder, **WHERE)
    assert not (folder / "old.tf").exists()
    assert 'image  = "busybox:2"' in (folder / "main.tf").read_text()
    assert (folder / "terraform.tfstate").read_text() == (folder / ".terraform/providers/x").read_text() == "kept"


def test_an_interrupted_writing_can_be_done_again(make_spec, tmp_path, monkeypatch):
    folder, replace = tmp_path / "nightly", Path.replace
    write(make_spec(), folder, **WHERE)

    def stop_at_the_module(self, target):
        if "scheduled_task" in str(target):
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop_at_the_module)
    with pytest.raises(KeyboardInterrupt):
        write(make_spec(image="busybox:2"), folder, **WHERE)
    monkeypatch.undo()
    write(make_spec(image="busybox:3"), folder, **WHERE)
    assert "busybox:3" in (folder / "main.tf").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["nightly"]


def test_no_write_access_is_said_before_anything_is_written(make_spec, tmp_path):
    (tmp_path / "in-the-way").write_text("a file")
    with pytest.raises(WorkspaceError, match=r"cannot be made: .*write access"):
        write(make_spec(), tmp_path / "in-the-way" / "nightly", **WHERE)
    assert [path.name for path in tmp_path.iterdir()] == ["in-the-way"]


def test_a_module_written_by_hand_is_copied_with_values_that_are_no_code(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(PINNED, source)
    for left in (".terraform/x", "terraform.tfstate", "tests/a.tftest.hcl", "secret.tfvars"):
        (source / left).parent.mkdir(exist_ok=True)
        (source / left).write_text("{}")
    written = adopt_folder(source, tmp_path / "pinned", {"image": NASTY}, account="111122223333")
    names = [path.relative_to(tmp_path / "pinned").as_posix() for path in written]
    own = ["README.md", "main.tf", "outputs.tf", "provider.tf", "variables.tf"]
    assert names == sorted([*own, "account_override.tf", "terraform.tfvars.json"])
    assert json.loads((tmp_path / "pinned/terraform.tfvars.json").read_text()) == {"image": NASTY}
    assert 'allowed_account_ids = ["111122223333"]' in (tmp_path / "pinned/account_override.tf").read_text()


def test_a_folder_without_terraform_is_not_adopted(tmp_path):
    with pytest.raises(WorkspaceError, match=r"holds no Terraform. Name a folder with .tf files"):
        adopt_folder(tmp_path, tmp_path / "copy", {}, account="111122223333")


def test_nasty_folders_are_formatted_as_terraform_would(make_spec, terraform, tmp_path):
    overrides = {"containerOverrides": [{"name": "main", "command": ["x" * 60, "y" * 60, NASTY], "cpu": 128}]}
    strategy = [{"name": "FARGATE_SPOT", "weight": 3}, {"name": "FARGATE", "base": 1}]
    specs = {
        "plain": make_spec(),
        "schedule": make_spec(
            kind="schedule", timezone="Asia/Tokyo", flexible_minutes=15, start_date="2026-12-01T00:00:00+09:00"
        ),
        "machine": make_spec(
            kind="state_machine", retry_exit_codes=[3, 75], notify="new", double_runs="skip", timeout_seconds=7200
        ),
        "nasty": make_spec(
            description="x" * 500,
            command=[NASTY] * 3,
            environment={NASTY.replace("=", ""): NASTY, "for": "é", "😀": ""},
        ),
        "full": make_spec(
            overrides=overrides,
            security_groups=[GROUP],
            secrets={"KEY": "arn:aws:ssm:eu-west-2:111122223333:parameter/key"},
            launch_type=None,
            capacity_provider_strategy=strategy,
            subnets=[SUBNET, *(f"subnet-{number:017x}" for number in range(5))],
        ),
    }
    for name, wanted in specs.items():
        write(wanted, tmp_path / name, **WHERE, local=Local("http://127.0.0.1:1", tmp_path / "state" / name))
    adopt_folder(PINNED, tmp_path / "pinned", {"image": NASTY}, account="111122223333")
    checked = terraform("fmt", "-check", "-recursive", "-diff", in_folder=tmp_path)
    assert (checked.returncode, checked.stdout) == (0, "")
