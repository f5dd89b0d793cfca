"""Real Terraform with the real provider, on the local AWS: from the first plan to the last destroy."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from terraform_samples import GROUP, HOSTILE, NASTY, SUBNET

from ecs_runbook import workspace
from ecs_runbook.errors import ProviderMissing, TerraformError, WorkspaceError
from ecs_runbook.terraform import binary, generate
from ecs_runbook.terraform.messages import Change
from ecs_runbook.terraform.run import PLAN_COLUMNS, Applied, Plan, Terraform

NOWHERE = SimpleNamespace(where="aws", account="123456789012", region="us-east-1", endpoint=None, profile="", life="")
"""For folders without the AWS provider: nobody is asked."""
NOBODY = SimpleNamespace(**vars(NOWHERE) | {"where": "local", "endpoint": "http://127.0.0.1:1", "life": "none"})
"""A local AWS that does not answer."""


@pytest.fixture
def hostile(monkeypatch):
    dead = "http://127.0.0.1:9"
    for name, value in (HOSTILE | {"HTTP_PROXY": dead, "http_proxy": dead, "HTTPS_PROXY": dead}).items():
        monkeypatch.setenv(name, value)


def revisions(aws, family):
    found = aws.client("ecs").list_task_definitions(familyPrefix=family, status="ACTIVE")["taskDefinitionArns"]
    return [arn.rpartition(":")[2] for arn in found]


def test_a_schedule_from_the_first_plan_to_the_last_destroy(aws, make_spec, tmp_path, hostile):
    steps = []
    wanted = {
        "name": "nightly.v2",
        "command": ["sh", "-c", NASTY],
        "environment": {"WORDS": NASTY, "for": "1"},
        "description": NASTY[:500],
        "security_groups": [GROUP],
        "overrides": {"containerOverrides": [{"name": "main", "environment": [{"name": "A", "value": NASTY}]}]},
        "propagate_tags": True,
    }
    spec = make_spec(**wanted)
    folder = tmp_path / "nightly"
    where = {"account": aws.account, "region": aws.region, "local": generate.local_of(aws, folder)}
    generate.write(spec, folder, **where)
    terraform = Terraform(folder, aws=aws, progress=lambda *step: steps.append(step))

    plan = terraform.plan()
    assert (plan.empty, str(plan)) == (False, "9 to create")
    assert list(plan.table.columns) == PLAN_COLUMNS
    assert set(plan.table["action"]) == {"create"}
    assert "module.scheduled_task.aws_cloudwatch_event_target.this" in set(plan.table["address"])
    assert aws.client("events").list_rules(NamePrefix=spec.name)["Rules"] == []

    applied = terraform.apply()
    family = "arn:aws:ecs:us-east-1:123456789012:task-definition/nightly-v2"
    assert str(applied) == "9 created"
    assert (applied.outputs["target_task_definition"], applied.outputs["family"]) == (family, spec.family_name)
    assert ("terraform apply", 1.0, "9 created") in steps
    words = {(name, note.split(" in ")[0]) for name, done, note in steps if done == 1}
    assert ("module.scheduled_task.module.task.aws_ecs_task_definition.this", "created") in words

    # what arrived is what was said, character by character
    container = aws.client("ecs").describe_task_definition(taskDefinition="nightly-v2")["taskDefinition"]
    container = container["containerDefinitions"][0]
    target = aws.client("events").list_targets_by_rule(Rule=spec.name)["Targets"][0]
    assert container["command"] == ["sh", "-c", NASTY]
    assert {pair["name"]: pair["value"] for pair in container["environment"]} == wanted["environment"]
    assert json.loads(target["Input"]) == wanted["overrides"]
    assert target["EcsParameters"]["TaskDefinitionArn"] == family
    assert aws.client("events").describe_rule(Name=spec.name)["Description"] == wanted["description"]
    for role in (spec.schedule_role_name, spec.task_role_name, spec.execution_role_name):
        assert (
            applied.outputs["schedule_role_arn"].rpartition("/")[0]
            in aws.client("iam").get_role(RoleName=role)["Role"]["Arn"]
        )
    assert applied.outputs["log_group"] == spec.log_group_name

    # a pipeline registers a revision: nothing for Terraform to take back
    aws.client("ecs").register_task_definition(
        family="nightly-v2", cpu="256", memory="512", containerDefinitions=[{**container, "image": "busybox:9"}]
    )
    again = terraform.plan()
    assert (again.empty, len(again.table), list(again.table.columns)) == (True, 0, PLAN_COLUMNS)
    assert str(terraform.apply()) == "Nothing was changed."

    # what stands in the state, so that AWS can be asked whether it is gone
    made = {(one.type, one.name) for one in terraform.state().resources}
    assert ("aws_cloudwatch_event_rule", spec.name) in made
    assert ("aws_iam_role", spec.task_role_name) in made
    assert ("aws_ecs_task_definition", "nightly-v2") in made

    # another image, in a folder written anew: the state is still known, and no revision goes
    generate.write(make_spec(**wanted | {"image": "busybox:2"}), folder, **where)
    assert [change.action for change in terraform.apply().changes] == ["create", "destroy"]
    assert revisions(aws, "nightly-v2") == ["1", "2", "3"]

    assert str(terraform.destroy()) == "9 destroyed"
    assert terraform.state().resources == []
    assert aws.client("events").list_rules(NamePrefix=spec.name)["Rules"] == []
    assert not (folder / "terraform.tfstate").exists()  # it belongs to the server's life, not to the folder


def test_the_pinned_mistake_is_applied_after_an_interrupt_that_released_the_lock(aws, tmp_path):
    variables = {
        "name": "pinned",
        "image": NASTY,
        "subnets": [SUBNET],
        "schedule": "cron(0 17 * * ? *)",
        "region": aws.region,
        "account": aws.account,
    }
    folder = tmp_path / "pinned"
    source = workspace.modules() / "mistakes" / "pinned_revision"
    local = generate.local_of(aws, folder)
    generate.adopt_folder(source, folder, variables, account=aws.account, local=local)

    def interrupt(name, _done, note):
        if note == "reading":  # before anything is made: AWS may carry out a call whose answer nobody waits for
            raise KeyboardInterrupt(name)

    with pytest.raises(KeyboardInterrupt):
        Terraform(folder, aws=aws, progress=interrupt).apply()
    assert aws.client("events").list_rules(NamePrefix="pinned")["Rules"] == []

    terraform = Terraform(folder, aws=aws)
    outputs = terraform.apply().outputs
    assert outputs["target_task_definition"].endswith(":task-definition/pinned:1")
    found = aws.client("ecs").describe_task_definition(taskDefinition="pinned")["taskDefinition"]
    assert found["containerDefinitions"][0]["image"] == NASTY
    assert terraform.state().outputs == outputs


# ---------------------------------------------------------------- without the AWS provider: as quick as Terraform is


@pytest.fixture
def quick(tmp_path):
    """``quick(text)``: Terraform in a folder that holds *text* and needs no provider but the built-in one."""

    def make(text, **arguments):
        folder = tmp_path / "quick"
        folder.mkdir(exist_ok=True)
        (folder / "main.tf").write_text(text)
        return Terraform(folder, aws=NOWHERE, **arguments)

    return make


DATA = 'resource "terraform_data" "a" {\n  input = "x"\n}\n'


def test_a_plan_is_applied_as_it_was_read_or_what_is_left_of_it(quick):
    terraform, other = quick(DATA), quick(DATA)
    first = terraform.plan()
    assert [change.action for change in other.apply().changes] == ["create"]
    assert terraform.apply(first).changes == ()  # the state has moved on: planned anew, nothing left to do


def test_what_was_not_read_in_a_plan_is_not_done(quick):
    terraform = quick(DATA)
    first = terraform.plan()
    quick(DATA + DATA.replace('"a"', '"b"'))
    with pytest.raises(TerraformError) as refused:
        terraform.apply(first)
    assert refused.value.summary == "Files or state have changed since the plan, and now there is more to do"
    assert refused.value.detail == "create terraform_data.b"
    assert refused.value.hint == "Nothing was changed. Plan again, read it, and apply that."
    assert terraform.state().resources == []
    assert str(terraform.apply()) == "2 created"  # without a plan: whatever the files say now


def test_a_plan_is_kept_for_the_next_notebook_until_files_or_state_change(quick):
    made = quick(DATA).plan()
    kept = quick(DATA).kept_plan()
    assert (kept.changes, kept.empty, kept.file) == (made.changes, False, made.file)
    assert quick(DATA.replace("x", "y")).kept_plan() is None
    assert str(quick(DATA).apply(kept)) == "1 created"
    assert quick(DATA).kept_plan() is None


def test_a_plan_that_changes_outputs_alone_is_not_empty(quick):
    quick(DATA).apply()
    terraform = quick(DATA + 'output "b" {\n  value = 1\n}\n')
    assert (terraform.plan().empty, terraform.kept_plan().empty, terraform.plan().changes) == (False, False, ())
    assert terraform.apply().outputs == {"b": 1}


def test_a_plan_that_is_older_than_an_hour_is_not_kept(quick):
    made = quick(DATA).plan()
    os.utime(made.file, (0, 0))
    assert quick(DATA).kept_plan() is None


def test_init_is_done_once_and_again_when_the_files_change(quick):
    steps = []
    terraform = quick(DATA, progress=lambda *step: steps.append(step))
    terraform.init()
    terraform.init()
    assert steps == [("terraform init", 0.0, "starting"), ("terraform init", 1.0, "done")]
    quick(DATA + 'output "b" {\n  value = 1\n}\n')
    terraform.init()
    assert len(steps) == 4


def test_a_state_of_another_life_of_the_local_aws_is_never_met(quick):
    folder = quick(DATA).folder
    assert str(Terraform(folder, aws=NOBODY).apply()) == "1 created"
    later = SimpleNamespace(**vars(NOBODY) | {"life": "later"})
    assert str(Terraform(folder, aws=later).plan()) == "1 to create"
    assert (folder / "local_aws_override.tf").exists()

    on_aws = Terraform(folder, aws=NOWHERE)  # the folder is untied, and its state stays in it
    assert str(on_aws.apply()) == "1 created"
    assert not (folder / "local_aws_override.tf").exists()
    assert (folder / "terraform.tfstate").is_file()


def test_sensitive_values_are_never_shown(quick):
    text = 'output "key" {\n  value     = "s3cr3t"\n  sensitive = true\n}\noutput "rule" {\n  value = "nightly"\n}\n'
    terraform = quick(text)
    applied = terraform.apply()
    assert applied.outputs == terraform.state().outputs == {"key": "(sensitive)", "rule": "nightly"}
    assert "s3cr3t" not in repr(applied) + applied._repr_html_()


WITH_PROVIDER = 'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n'

UNMET = """\
resource "terraform_data" "a" {
  lifecycle {
    precondition {
      condition = terraform.workspace == "other"
      error_message = "No."
    }
  }
}
"""


def test_an_error_is_the_resource_the_summary_and_the_detail(quick):
    terraform = quick(UNMET)
    with pytest.raises(TerraformError) as refused:
        terraform.plan()
    error = refused.value
    assert (error.address, error.summary, error.detail) == ("terraform_data.a", "Resource precondition failed", "No.")
    assert terraform.unformatted() == ["main.tf"]


def test_a_folder_that_is_no_terraform_is_refused_by_every_command(quick):
    terraform = quick("resource {")
    for command in (terraform.validate, terraform.plan, terraform.apply, terraform.destroy, terraform.unformatted):
        with pytest.raises(TerraformError, match=r"Unclosed configuration block"):
            command()


def test_a_provider_that_is_not_to_be_had_is_said_with_the_remedy_and_nothing_is_half_done(
    quick, tmp_path, monkeypatch
):
    (tmp_path / "empty").mkdir()
    config = tmp_path / "nothing.tfrc"
    config.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{tmp_path / "empty"}"\n  }}\n}}\n'
    )
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(config))
    terraform = quick(WITH_PROVIDER)
    with pytest.raises(ProviderMissing, match=r"Failed to query available provider packages(.|\n)*TF_PLUGIN_MIRROR"):
        terraform.plan()
    assert not terraform._is_ready()
    assert not (terraform.folder / ".terraform.lock.hcl").exists()


OLDER = """\
#!/bin/sh
case "$*" in
  "version -json") echo '{{"terraform_version": "1.8.5"}}' ;;
  init*-json*) echo "flag provided but not defined: -json" >&2; exit 1 ;;
  *) exec {real} "$@" ;;
esac
"""


def test_a_terraform_whose_init_has_no_json_is_understood_too(quick, tmp_path, monkeypatch):
    real = shlex.join(binary.find().command)
    older = tmp_path / "bin" / "terraform"
    older.parent.mkdir()
    older.write_text(OLDER.format(real=real))
    older.chmod(0o755)
    monkeypatch.setenv("PATH", f"{older.parent}{os.pathsep}{os.environ['PATH']}")
    assert str(quick(DATA).apply()) == "1 created"

    (tmp_path / "empty").mkdir()
    config = tmp_path / "nothing.tfrc"
    config.write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{tmp_path / "empty"}"\n  }}\n}}\n'
    )
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(config))
    with pytest.raises(ProviderMissing, match=r"Failed to query available provider packages(.|\n)*TF_PLUGIN_MIRROR"):
        quick(WITH_PROVIDER).plan()


def test_no_write_access_is_one_sentence_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"cannot be made.*Give yourself write access"):
        Terraform(tmp_path / "file", aws=NOWHERE).init()


SLOW = """\
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "touch started; exec tail -f /dev/null"
  }
}

resource "terraform_data" "after" {
  input = terraform_data.slow.id
}
"""

CHILD = """\
import sys
from types import SimpleNamespace
from ecs_runbook.terraform.run import Terraform

def tell(name, done, note):
    print(f"{name}: {note}", flush=True)

try:
    Terraform(sys.argv[1], aws=SimpleNamespace(**eval(sys.argv[2])), progress=tell).apply()
except KeyboardInterrupt:
    print("interrupted in the end", flush=True)
"""


def test_an_interrupt_of_the_whole_process_group_reaches_terraform_once_and_the_lock_is_released(quick):
    terraform = quick(SLOW)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(terraform.folder), repr(vars(NOWHERE))],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    said = []
    for line in child.stdout:
        said.append(line.strip())
        if line.startswith("terraform_data.slow: creating"):
            while not (terraform.folder / "started").exists():  # "creating" is said before its command begins
                assert child.poll() is None
                time.sleep(0.02)
            os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to everyone in the group
    assert child.wait() == 0
    assert said[-2:] == ["terraform apply: interrupted", "interrupted in the end"]

    state = terraform.folder / "terraform.tfstate"
    assert [found["name"] for found in json.loads(state.read_text())["resources"]] == ["slow"]  # and nothing after it
    assert not list(state.parent.glob(".*.lock.info"))
    assert sorted(change.action for change in terraform.plan().changes) == ["create", "replace"]


def test_the_provider_is_read_again_at_every_command_on_aws_alone(make_spec, aws, tmp_path):
    for where, kept in ((aws, False), (NOWHERE, True)):
        folder = tmp_path / where.where
        local = generate.local_of(where, folder)
        generate.write(make_spec(), folder, account=where.account, region=where.region, local=local)
        Terraform(folder, aws=where).init()
        lock = (folder / ".terraform.lock.hcl").read_text()
        assert 'provider "registry.terraform.io/hashicorp/aws"' in lock
        assert ("h1:" in lock) is kept, lock
    # whoever leaves the local AWS behind has them again
    Terraform(tmp_path / "local", aws=NOWHERE).init()
    assert "h1:" in (tmp_path / "local" / ".terraform.lock.hcl").read_text()


def test_a_moved_folder_is_valid_where_it_stands(make_spec, aws, tmp_path):
    generate.write(make_spec(), tmp_path / "here", account=aws.account, region=aws.region)
    moved = tmp_path / "a repository" / "infra"
    shutil.copytree(tmp_path / "here", moved)
    terraform = Terraform(moved, aws=aws)
    assert terraform.validate() == ()
    assert terraform.unformatted() == []


def test_a_plan_in_a_notebook_is_a_table_in_which_no_value_is_html():
    plan = Plan(False, (Change("create", 'a["<b>"]', "a"),), ("<i>old</i>",))
    page = plan._repr_html_()
    assert re.search(r"<td[^>]*>create</td><td[^>]*><code>a\[&quot;&lt;b&gt;&quot;\]</code></td>", page)
    assert "⚠ &lt;i&gt;old&lt;/i&gt;" in page
    assert str(Plan(True, ())) == "Nothing to change: what is there is what the files say."
    assert str(Applied((), {})) == "Nothing was changed."
