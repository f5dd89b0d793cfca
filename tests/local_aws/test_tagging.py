"""GetResources: rules, and the groups of schedules, by their tags. botocore scheduler TagResource: "You can only assign
tags to schedule groups"; botocore resourcegroupstaggingapi GetResources."""

import pytest
from local_world import LocalWorld, arn

TEAM = [{"Key": "team", "Value": "batch"}]


@pytest.fixture(scope="module")
def world(server):
    world = LocalWorld(server)
    world.tagging, scheduler = world.client("resourcegroupstaggingapi"), world.client("scheduler")
    world.events.create_event_bus(Name="jobs")
    world.events.put_rule(Name="nightly", ScheduleExpression="rate(1 day)", State="DISABLED", Tags=TEAM)
    pattern = '{"source": ["orders"]}'
    world.events.put_rule(Name="orders", EventBusName="jobs", EventPattern=pattern, State="DISABLED", Tags=TEAM)
    world.events.put_rule(Name="plain", ScheduleExpression="rate(1 day)", State="DISABLED")
    scheduler.create_schedule_group(Name="jobs", Tags=[{"Key": "team", "Value": "web"}])
    return world


def resources(world, **wanted):
    pages = world.tagging.get_paginator("get_resources").paginate(**wanted)
    return {one["ResourceARN"]: one["Tags"] for page in pages for one in page["ResourceTagMappingList"]}


RULES = {arn("rule/nightly", "events"): TEAM, arn("rule/jobs/orders", "events"): TEAM}


@pytest.mark.parametrize(
    "filters", [[{"Key": "team", "Values": ["batch"]}], [{"Key": "team", "Values": ["batch", "x"]}]]
)
def test_rules_of_every_bus_are_found_by_a_tag_and_its_value(world, filters):
    assert resources(world, TagFilters=filters, ResourceTypeFilters=["events:rule"]) == RULES


def test_a_key_alone_finds_every_value_of_it_and_the_groups_of_schedules_too(world):
    kinds = ["events:rule", "scheduler:schedule-group"]
    found = resources(world, TagFilters=[{"Key": "team"}], ResourceTypeFilters=kinds)
    assert set(found) == {*RULES, arn("schedule-group/jobs", "scheduler")}


def test_a_rule_without_a_tag_is_not_found(world):
    assert arn("rule/plain", "events") not in resources(world)


def test_pages_are_as_long_as_asked(world):
    page = world.tagging.get_resources(ResourceTypeFilters=["events:rule"], ResourcesPerPage=1)
    assert len(page["ResourceTagMappingList"]) == 1
    assert page["PaginationToken"]
