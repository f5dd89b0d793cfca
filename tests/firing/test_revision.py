"""A new revision as a deploy makes it; the end of those that are ours."""

from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from ecs_runbook.errors import AwsError, EvidenceError, SpecError
from ecs_runbook.firing.revision import DEREGISTERED_COLUMNS, deregister, register_again

ARN = "arn:aws:ecs:eu-west-1:111122223333:task-definition"
MAIN = {
    "name": "main",
    "image": "app:1",
    "essential": True,
    "command": ["run"],
    "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "nightly"}},
}
SIDECAR = {"name": "sidecar", "image": "log:1"}
FIELDS = {
    "family": "nightly",
    "taskRoleArn": "arn:aws:iam::111122223333:role/task",
    "networkMode": "awsvpc",
    "volumes": [],
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "ephemeralStorage": {"sizeInGiB": 30},
}
TOLD = {
    "taskDefinitionArn": f"{ARN}/nightly:4",
    "revision": 4,
    "status": "ACTIVE",
    "compatibilities": ["EC2", "FARGATE"],
    "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
    "registeredBy": "kim",
}
OURS = {"key": "ecs-runbook", "value": "nightly"}


@pytest.fixture
def ecs():
    client = boto3.client("ecs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def describes(stub, *containers, tags=(), name="nightly"):
    answer = {"taskDefinition": FIELDS | TOLD | {"containerDefinitions": list(containers)}, "tags": list(tags)}
    stub.add_response("describe_task_definition", answer, {"taskDefinition": name, "include": ["TAGS"]})


def registers(stub, *containers, **more):
    answer = {"taskDefinition": {"taskDefinitionArn": f"{ARN}/nightly:5", "revision": 5}}
    stub.add_response("register_task_definition", answer, FIELDS | {"containerDefinitions": list(containers)} | more)


def test_only_the_image_changes_and_only_what_may_be_registered_is_sent(ecs):
    client, stub = ecs
    describes(stub, MAIN, tags=[OURS, {"key": "aws:cloudformation:stack-name", "value": "s"}])
    registers(stub, MAIN | {"image": "app:2"}, tags=[OURS])
    assert register_again("nightly", ecs=client, image="app:2") == ("nightly", 5, f"{ARN}/nightly:5")


def test_a_family_without_tags_gets_none(ecs):
    client, stub = ecs
    describes(stub, MAIN)
    registers(stub, MAIN)
    assert register_again("nightly", ecs=client).revision == 5


def test_environment_is_added_to_what_is_there_and_the_command_replaced(ecs):
    client, stub = ecs
    describes(stub, MAIN)
    changed = [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}]
    registers(stub, MAIN | {"environment": changed, "command": ["true"]})
    register_again("nightly", ecs=client, environment={"B": "3", "C": "4"}, command=["true"])


def test_of_several_containers_the_named_one_changes_in_its_place(ecs):
    client, stub = ecs
    describes(stub, MAIN, SIDECAR)
    registers(stub, MAIN, SIDECAR | {"image": "log:2"})
    register_again("nightly", ecs=client, image="log:2", container="sidecar")


@pytest.mark.parametrize(
    ("container", "words"),
    [
        ("", "nightly has 2 containers. Give container as one of: main, sidecar."),
        ("web", "container = 'web': nightly has no such container. It has: main, sidecar."),
    ],
)
def test_an_unclear_container_is_refused_before_anything_is_registered(ecs, container, words):
    client, stub = ecs
    describes(stub, MAIN, SIDECAR)
    with pytest.raises(EvidenceError) as unclear:
        register_again("nightly", ecs=client, image="app:2", container=container)
    assert str(unclear.value) == words


def test_an_unknown_family_is_awss_refusal(ecs):
    client, stub = ecs
    stub.add_client_error("describe_task_definition", "ClientException", "Unable to describe task definition.", 400)
    with pytest.raises(AwsError) as refused:
        register_again("nightly", ecs=client)
    assert refused.value.code == "ClientException"
    assert "Unable to describe task definition." in str(refused.value)


def test_only_revisions_with_our_tag_are_deregistered_and_the_others_named(ecs):
    client, stub = ecs
    stub.add_response(
        "list_task_definitions",
        {"taskDefinitionArns": [f"{ARN}/nightly-2:9", f"{ARN}/nightly:5", f"{ARN}/nightly:4"]},
        {"familyPrefix": "nightly", "status": "ACTIVE", "sort": "DESC"},
    )
    describes(stub, MAIN, tags=[OURS | {"value": "another"}], name=f"{ARN}/nightly:5")
    describes(stub, MAIN, tags=[OURS], name=f"{ARN}/nightly:4")
    stub.add_response("deregister_task_definition", {}, {"taskDefinition": f"{ARN}/nightly:4"})
    shown = []
    bars = SimpleNamespace(row=lambda *row: shown.append(row))
    found = deregister("nightly", ecs=client, owner="nightly", progress=bars)
    assert shown == [("nightly", 0.5, "1 of 2 revisions"), ("nightly", 1.0, "2 of 2 revisions")]
    assert found[["revision", "deregistered", "because"]].values.tolist() == [
        [5, False, "not tagged ecs-runbook = nightly: left as it is"],
        [4, True, "tagged ecs-runbook = nightly"],
    ]


def test_a_family_without_revisions_keeps_the_columns(ecs):
    client, stub = ecs
    stub.add_response("list_task_definitions", {"taskDefinitionArns": []})
    assert list(deregister("nightly", ecs=client, owner="nightly").columns) == DEREGISTERED_COLUMNS


@pytest.mark.parametrize("image", ["${path.module}", "busybox:1\n", "bus ybox", "-x", "漢字"])
def test_an_image_that_is_none_is_refused_before_anything_is_registered(ecs, image):
    client, _ = ecs
    with pytest.raises(SpecError) as refusal:
        register_again("nightly", ecs=client, image=image)
    assert str(refusal.value).startswith(f"Nothing was registered:\n  - image = {image!r}: an image is [registry/]name")
