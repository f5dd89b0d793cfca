"""What tag:GetResources knows besides what moto's does: rules of EventBridge, and groups of its Scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ecs_runbook.local_aws.world import World


def install(world: World) -> None:
    """Teach moto's tagging API the two."""
    del world
    from moto.resourcegroupstaggingapi import models

    backend = models.ResourceGroupsTaggingAPIBackend
    original = backend._get_resources_generator

    def generator(
        self: Any,
        tag_filters: list[dict[str, Any]] | None = None,
        resource_type_filters: list[str] | None = None,
        resource_arn_list: list[str] | None = None,
    ) -> Iterator[Any]:
        yield from original(self, tag_filters, resource_type_filters, resource_arn_list)
        matches = models.make_tag_matcher(tag_filters)
        for one in _tagged(self.account_id, self.region_name):
            wanted = not resource_arn_list or one.arn in resource_arn_list
            of_type = models.match_resource_type(one.resource_type, resource_type_filters)
            if one.tags and wanted and of_type and matches(one.tags):
                yield one

    backend._get_resources_generator = generator


def _tagged(account: str, region: str) -> Iterator[Any]:
    """Yield the rules and schedule groups of a Region with their tags; a schedule has none of its own."""
    from moto.core.resource_tagging import TaggedResource
    from moto.events.models import events_backends
    from moto.scheduler.models import scheduler_backends

    events, scheduler = events_backends[account][region], scheduler_backends[account][region]
    kinds = [(events, "events:rule", [rule for bus in events.event_buses.values() for rule in bus.rules.values()])]
    kinds += [(scheduler, "scheduler:schedule-group", list(scheduler.schedule_groups.values()))]
    for backend, kind, resources in kinds:
        for one in resources:
            tags = backend.tagger.get_tag_dict_for_resource(one.arn)
            yield TaggedResource(arn=one.arn, tags=tags, resource_type=kind)
