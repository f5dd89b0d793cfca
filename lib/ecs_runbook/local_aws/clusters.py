"""
CreateCluster: of a name that there is already it hands back the cluster, where moto puts a new one in its place.

Source: hashicorp/terraform-provider-aws#38875 and #44817, where `aws_ecs_cluster` takes over a cluster that is there.
Not verified: what AWS says if other settings are asked for; here the cluster keeps its own.
"""

from __future__ import annotations

from typing import Any

from moto.ecs.models import Cluster, EC2ContainerServiceBackend

from ecs_runbook.local_aws.world import World


def install(world: World) -> None:
    """Keep clusters that are there."""
    del world
    create = EC2ContainerServiceBackend.create_cluster

    def create_cluster(self: EC2ContainerServiceBackend, cluster_name: str, *details: Any, **more: Any) -> Cluster:
        known = self.clusters.get(cluster_name)
        return known if known is not None and known.status == "ACTIVE" else create(self, cluster_name, *details, **more)

    EC2ContainerServiceBackend.create_cluster = create_cluster
