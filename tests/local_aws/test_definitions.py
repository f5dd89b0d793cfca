"""Task definitions: when, by whom, and which is the latest."""

from datetime import datetime

import pytest
from local_world import LocalWorld, arn, refused


@pytest.fixture(scope="module")
def aws(server):
    return LocalWorld(server)


def test_a_revision_has_its_date_and_who_registered_it(aws):
    now = datetime.fromisoformat(aws.now)
    definition = aws.register()
    assert abs((definition["registeredAt"] - now).total_seconds()) < 0.002
    assert definition["registeredBy"] == "arn:aws:iam::123456789012:root"
    told = aws.ecs.describe_task_definition(taskDefinition=definition["taskDefinitionArn"])["taskDefinition"]
    assert (told["registeredAt"], told["registeredBy"]) == (definition["registeredAt"], definition["registeredBy"])
    assert "deregisteredAt" not in told


def test_a_deregistered_revision_can_still_be_described_with_its_date(aws):
    family = aws.register()["family"]
    aws.advance(60)
    aws.ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    aws.advance(60)
    aws.ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    told = aws.ecs.describe_task_definition(taskDefinition=f"{family}:1")["taskDefinition"]
    assert told["status"] == "INACTIVE"
    assert round((told["deregisteredAt"] - told["registeredAt"]).total_seconds()) == 60


@pytest.mark.parametrize(("mode", "kept"), [("host", "host"), (None, "bridge")])
def test_a_definition_for_instances_outside_of_aws_is_none_for_fargate(aws, mode, kept):
    family = aws.register(requiresCompatibilities=["EXTERNAL"], networkMode=mode)["family"]
    told = aws.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    assert (told["compatibilities"], told["networkMode"]) == (["EXTERNAL", "EC2"], kept)


@pytest.mark.parametrize("reference", ["nobody", "nobody:1", "nobody:x"])
def test_an_unknown_revision_cannot_be_described(aws, reference):
    with refused("ClientException", "Unable to describe task definition."):
        aws.ecs.describe_task_definition(taskDefinition=reference)


def test_without_a_revision_the_latest_active_one_is_described(aws):
    family = aws.register()["family"]
    aws.register(family)
    aws.ecs.deregister_task_definition(taskDefinition=f"{family}:2")
    assert aws.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["revision"] == 1
    aws.ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    with refused("ClientException", "Unable to describe task definition."):
        aws.ecs.describe_task_definition(taskDefinition=family)


def test_a_number_is_never_given_twice(aws):
    family = aws.register()["family"]
    aws.register(family)
    aws.ecs.deregister_task_definition(taskDefinition=f"{family}:2")
    aws.ecs.delete_task_definitions(taskDefinitions=[f"{family}:2"])
    assert aws.register(family)["revision"] == 3


def test_revisions_are_listed_by_number_in_either_order_by_status_and_in_pages(aws):
    family = aws.register()["family"]
    for _ in range(11):
        aws.register(family)
    aws.ecs.deregister_task_definition(taskDefinition=f"{family}:5")

    def listed(**more):
        found = aws.ecs.list_task_definitions(familyPrefix=family, **more)["taskDefinitionArns"]
        assert all(one.startswith(arn(f"task-definition/{family}:")) for one in found)
        return [int(one.rsplit(":", 1)[-1]) for one in found]

    active = [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]
    assert listed() == listed(sort="ASC", status="ACTIVE") == active
    assert listed(sort="DESC") == active[::-1]
    assert listed(status="INACTIVE") == [5]
    assert listed(sort="DESC", maxResults=2) == [12, 11]
    pages = aws.ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix=family, sort="DESC", PaginationConfig={"PageSize": 4}
    )
    assert [len(page["taskDefinitionArns"]) for page in pages] == [4, 4, 3]
