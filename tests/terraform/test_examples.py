"""The examples: what they pass the notebook has, they read as GitHub and cron read them, and they can be deployed."""

import json
import re
import shlex
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import papermill
import pytest
import yaml

from ecs_runbook import workspace
from ecs_runbook.local_aws import process
from ecs_runbook.local_aws.furniture import PRIVATE_SUBNETS, SECURITY_GROUP
from ecs_runbook.terraform.run import Terraform

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
WORKFLOW = EXAMPLES / "github-actions" / "check.yml"
CRONTAB = EXAMPLES / "cron" / "crontab"
NOTEBOOK = workspace.notebooks() / "60_check.ipynb"
TASK = {
    "account": "123456789012",
    "region": "us-east-1",
    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/ecs-runbook:1",
    "subnets": list(PRIVATE_SUBNETS),
    "security_groups": [SECURITY_GROUP],
    "bucket": "pages-of-the-team",
    "topic": "arn:aws:sns:us-east-1:123456789012:morning",
    "dead_letter_queue": "none",
}


def parameters():
    return set(papermill.inspect_notebook(NOTEBOOK))


def passed(words):
    """Return the parameters that a command line passes to papermill."""
    return {name: value for flag, name, value in zip(words, words[1:], words[2:], strict=False) if flag in {"-p", "-r"}}


def cron_line():
    (line,) = (line for line in CRONTAB.read_text().splitlines() if re.match(r"[\d*]", line))
    return line.split(maxsplit=5)[5]


def steps():
    return yaml.safe_load(WORKFLOW.read_text())["jobs"]["check"]["steps"]


def test_what_the_crontab_passes_the_notebook_has_and_a_shell_can_read_the_line():
    command = cron_line()
    assert "%" not in command  # it would end the line
    subprocess.run(["bash", "-n", "-c", command], check=True)
    given = passed(shlex.split(command.split(">", maxsplit=1)[0]))
    assert set(given) <= parameters()
    assert given["where"] == "aws"


def test_a_failing_check_makes_the_crontabs_line_print_its_last_words_and_a_good_one_nothing(tmp_path):
    venv = tmp_path / ".venv" / "bin"
    venv.mkdir(parents=True)
    for code, said in ((1, "NotOk: 60_check is NG\n"), (0, "")):
        (venv / "papermill").write_text(f"#!/bin/sh\necho 'NotOk: 60_check is NG' >&2\nexit {code}\n")
        (venv / "papermill").chmod(0o755)
        shell = {"PATH": "/usr/bin:/bin", "RUNBOOK": str(tmp_path)}
        line = ["bash", "-c", cron_line()]
        done = subprocess.run(line, env=shell, capture_output=True, text=True, check=False)
        assert (done.stdout, done.returncode) == (said, 0)


def test_the_workflow_asks_for_a_token_and_passes_what_the_notebook_has():
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"]["id-token"] == "write"
    (check,) = (step for step in steps() if step.get("name") == "check")
    given = passed(shlex.split(check["run"]))
    assert set(given) <= parameters()
    assert "${{" not in check["run"]  # no value of a variable becomes a command
    assert "--log-output" in check["run"]
    late = [step for step in steps() if "always()" in str(step.get("if"))]
    assert [step["uses"].partition("@")[0] for step in late] == [
        "actions/upload-artifact",
        "github/codeql-action/upload-sarif",
    ]


def test_the_image_has_what_the_check_needs_from_the_projects_own_folders():
    lines = (EXAMPLES / "scheduled-check" / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert {"requirements/base.lock", "pyproject.toml", "lib", "notebooks", "terraform"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
    assert lines[-1] == 'ENTRYPOINT ["papermill"]'


def test_the_examples_are_formatted(terraform):
    checked = terraform("fmt", "-check", "-recursive", "-diff", in_folder=EXAMPLES)
    assert (checked.returncode, checked.stdout) == (0, "")


@pytest.fixture(scope="module")
def deployed(aws, tmp_path_factory):
    """``deployed(name, values)``: an example that is applied to the local AWS, from a copy of what it stands beside."""
    root = tmp_path_factory.mktemp("project")
    for name in ("examples", "terraform", "docs"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.png"))

    def deploy(name, values):
        folder = root / "examples" / name
        (folder / "terraform.tfvars.json").write_text(json.dumps(values))
        terraform = Terraform(folder, aws=aws)
        terraform.init()
        assert terraform.validate() == ()
        terraform.apply()
        return terraform

    return deploy


def test_the_role_of_the_workflow_is_for_one_branch_of_one_repository_and_reads(aws, deployed):
    values = {"account": "123456789012", "region": "us-east-1", "repository": "acme/operations"}
    terraform = deployed("github-actions", values)
    role = aws.client("iam").get_role(RoleName="ecs-runbook-check")["Role"]
    assert terraform.state().outputs["role"] == role["Arn"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"]["StringEquals"] == {
        "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        "token.actions.githubusercontent.com:sub": "repo:acme/operations:ref:refs/heads/main",
    }
    policy = aws.client("iam").get_role_policy(RoleName="ecs-runbook-check", PolicyName="read")["PolicyDocument"]
    assert policy == json.loads((ROOT / "docs" / "policies" / "60_check.json").read_text())
    actions = [action for one in policy["Statement"] for action in one["Action"]]
    assert not [action for action in actions if re.search(r":(Put|Create|Delete|Update|Run|Pass|\*)", action)]


def test_the_check_as_a_scheduled_task_is_deployed_fires_and_checks_itself(aws, server, deployed, tmp_path):
    terraform = deployed("scheduled-check", TASK)
    rule = terraform.state().outputs["rule_name"]
    (target,) = aws.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    family = target["EcsParameters"]["TaskDefinitionArn"]
    definition = aws.client("ecs").describe_task_definition(taskDefinition=family)["taskDefinition"]
    command = definition["containerDefinitions"][0]["command"]
    given = passed(command)
    assert set(given) <= parameters()
    assert given["publish_page"] == "s3://pages-of-the-team/pages"
    assert "notebooks/60_check.ipynb" in command
    process.clock(server, freeze=True)
    six = (aws.now() + timedelta(days=1)).replace(hour=6, minute=20, second=0, microsecond=0)
    process.clock(server, to=six)
    process.clock(server, release=True)
    papermill.execute_notebook(
        NOTEBOOK,
        tmp_path / "out.ipynb",
        parameters={"endpoint": aws.endpoint, "rule": rule, "hours": 1.0, "redact": False},
        progress_bar=False,
    )
    verdict = json.loads((workspace.runs() / "latest" / "verdict.json").read_text())
    assert verdict["status"] == "OK"
    ran = next(one for one in verdict["checks"] if one["id"] == "runs-latest")
    assert ran["subject"].startswith(rule)
