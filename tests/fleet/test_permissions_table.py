"""The table of calls and actions is the source's own, and the policies in ``docs/policies`` are made from it."""

import ast
from pathlib import Path

import botocore.loaders
import pytest
from botocore import xform_name

from ecs_runbook.inventory.permissions import ACTIONS, NOTEBOOKS, files

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lib" / "ecs_runbook"
NOT_OF_THE_CALLER = {"local_aws", "rehearsal"}  # the local AWS itself, and what may run on it alone
SERVICES = {  # botocore's name of a service, and IAM's
    "athena": "athena",
    "cloudtrail": "cloudtrail",
    "ec2": "ec2",
    "ecr": "ecr",
    "ecs": "ecs",
    "events": "events",
    "iam": "iam",
    "logs": "logs",
    "organizations": "organizations",
    "resourcegroupstaggingapi": "tag",
    "s3": "s3",
    "scheduler": "scheduler",
    "sns": "sns",
    "sqs": "sqs",
    "stepfunctions": "states",
    "sts": "sts",
}
ALSO = {"sfn": "stepfunctions"}  # what a client is called besides
CALLED_OTHERWISE = {"s3:ListObjectsV2": "s3:ListBucket"}  # by IAM: AWS docs, actions of Amazon S3
IMPLIED = {
    *("iam:PassRole", "events:TagResource", "ecs:TagResource"),  # of calls with a role or with tags: botocore
    # what Athena does in the caller's name. AWS docs: access to the Glue catalogue, and to the place of the results
    *("glue:CreateDatabase", "glue:CreateTable", "glue:GetDatabase", "glue:GetPartitions", "glue:GetTable"),
    *(
        "s3:AbortMultipartUpload",
        "s3:GetBucketLocation",
        "s3:ListBucketMultipartUploads",
        "s3:ListMultipartUploadParts",
    ),
}

PLANNED = {  # by Terraform alone
    "scheduler:GetScheduleGroup",
    "states:ListStateMachineVersions",
    "states:ValidateStateMachineDefinition",
}


@pytest.fixture(scope="module")
def operations():
    """Each method of a client, with the actions that it can stand for."""
    loader, found = botocore.loaders.create_loader(), {}
    for service, prefix in SERVICES.items():
        for name in loader.load_service_model(service, "service-2")["operations"]:
            found.setdefault(xform_name(name), set()).add(f"{prefix}:{name}")
    return found


def client_of(node):
    """The service of a client's expression: ``ecs``, ``self.ecs`` or ``….client("ecs")``; None of any other."""
    if isinstance(node, ast.Call):
        names = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        return next((name for name in names if name in SERVICES), None)
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    name = ALSO.get(name, name)
    return name if name in SERVICES else None


def actions_in(source, operations):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in operations and (service := client_of(node.value)):
            own = (one for one in operations[node.attr] if one.startswith(f"{SERVICES[service]}:"))
            yield from (CALLED_OTHERWISE.get(one, one) for one in own)


def test_every_call_in_the_source_stands_in_the_table_and_nothing_else(operations):
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] not in NOT_OF_THE_CALLER and (actions := set(actions_in(path.read_text(), operations))):
            found[".".join(parts)] = actions
    assert found == {module: set(actions) for module, actions in ACTIONS.items()}


def test_a_call_is_seen_in_each_form_that_it_is_written(operations):
    source = 'ask("x", ecs.list_tasks)\nself.iam.get_role()\naws.client("sqs").get_queue_url(Q=1)\nold.list_tasks()'
    assert set(actions_in(source, operations)) == {"ecs:ListTasks", "iam:GetRole", "sqs:GetQueueUrl"}


@pytest.mark.parametrize("notebook", [name for name in NOTEBOOKS if not name.startswith("20_apply")])
def test_a_notebook_needs_nothing_that_no_module_asks_for(notebook):
    made = {action for actions in ACTIONS.values() for action in actions}
    assert set(NOTEBOOKS[notebook]) <= made | IMPLIED | (PLANNED if notebook == "80_adopt" else set())


def test_the_policies_are_fresh():
    written = {path.name: path.read_text() for path in (ROOT / "docs" / "policies").glob("*.json")}
    assert written == files(), "run .venv/bin/python -m ecs_runbook.inventory.permissions docs/policies"


def test_a_policy_only_reads_unless_its_notebook_changes_something():
    reading = ("Describe", "Get", "List", "Lookup", "Simulate", "Receive")
    verbs = [action.partition(":")[2] for action in NOTEBOOKS["60_check"]]
    assert all(verb.startswith(reading) for verb in verbs)
