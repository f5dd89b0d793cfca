"""The inventory of a local AWS: what is there is found, each thing with one call."""

import pytest
from local_world import LocalWorld, trusting

from ecs_runbook.inventory.facts import facts
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Definition
from ecs_runbook.local_aws import process
from ecs_runbook.session import connect


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    yield LocalWorld(process.start(folder))
    process.stop(folder)


@pytest.fixture
def aws(world):
    return connect("local", endpoint=world.server.url, region="eu-west-2")


def test_a_rule_and_its_facts_are_found_with_one_call_each(world, aws):
    role = world.role(trust=trusting("events.amazonaws.com"))
    definition = world.register()
    cluster = world.cluster()
    arn = world.ecs.describe_clusters(clusters=[cluster])["clusters"][0]["clusterArn"]
    network = {"awsvpcConfiguration": {"Subnets": [world.subnet], "SecurityGroups": [world.group]}}
    family = definition["taskDefinitionArn"].rpartition(":")[0]
    world.events.put_rule(Name="nightly", ScheduleExpression="cron(0 17 * * ? *)")
    parameters = {"TaskDefinitionArn": family, "LaunchType": "FARGATE", "NetworkConfiguration": network}
    world.events.put_targets(
        Rule="nightly", Targets=[{"Id": "task", "Arn": arn, "RoleArn": role, "EcsParameters": parameters}]
    )

    places = fleet(aws)
    found = take_inventory(places)
    (row,) = found.rows
    known = facts(places, found)[row.place]

    assert (row.subject, row.kind, row.role) == ("nightly", "rule", role)
    assert found.gaps == ()
    assert isinstance(known.resolved(row), Definition)
    assert known.resolved(row).revision == 1
    assert places.gate.counts["events:ListTargetsByRule"] == 1
    assert places.gate.counts["ecs:DescribeTaskDefinition"] == 1
