"""
What stands in every region of every account from the start, as people have it: an ECS cluster and a network.

The network's ids are fixed, so that they can be written into a notebook. moto's own default VPC is there besides, and
gets the internet gateway that AWS's has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ecs_runbook.local_aws.world import World

CLUSTER = "default"
VPC = "vpc-0d1d1d1d1d1d1d1d1"
PRIVATE_SUBNETS = ("subnet-0a1a1a1a1a1a1a1a1", "subnet-0a2a2a2a2a2a2a2a2")
PUBLIC_SUBNETS = ("subnet-0b1b1b1b1b1b1b1b1", "subnet-0b2b2b2b2b2b2b2b2")
SECURITY_GROUP = "sg-0c1c1c1c1c1c1c1c1"


def install(world: World) -> None:
    """Furnish every region before its first call to ECS or EC2."""

    def furnish(account: str, region: str) -> None:
        from moto.ec2.models import ec2_backends
        from moto.ecs.models import ecs_backends

        if region in ec2_backends[account] and region in ecs_backends[account]:
            _network(ec2_backends[account][region])
            _default_vpc(ec2_backends[account][region])
            ecs_backends[account][region].create_cluster(CLUSTER, capacity_providers=["FARGATE", "FARGATE_SPOT"])

    world.furnishers.append(furnish)


def _network(ec2: Any) -> None:
    from moto.ec2.models import security_groups, vpcs

    with _given(vpcs, "random_vpc_id", VPC):
        ec2.create_vpc("10.0.0.0/16", tags=[{"Key": "Name", "Value": "local"}])
    with _given(security_groups, "random_security_group_id", SECURITY_GROUP):
        group = ec2.create_security_group("local", "Everything out, nothing in", vpc_id=VPC)
    group.add_tag("Name", "local")
    zones = [zone.name for zone in ec2.describe_availability_zones()][:2]
    public = _subnets(ec2, "public", PUBLIC_SUBNETS, zones, first_block=1)
    private = _subnets(ec2, "private", PRIVATE_SUBNETS, zones, first_block=11)
    for subnet in public:
        subnet.map_public_ip_on_launch = True
    _route(ec2, "public", public, gateway_id=_internet_gateway(ec2))
    _route(ec2, "private", private, nat_gateway_id=_nat_gateway(ec2))


def _default_vpc(ec2: Any) -> None:
    """Give the default VPC its way out. Source: AWS docs, "Default VPC components" (verified)."""
    vpc = ec2.get_default_vpc()
    table = next((t for t in ec2.route_tables.values() if vpc and t.vpc_id == vpc.id and t.main_association_id), None)
    if table is not None:
        gateway = ec2.create_internet_gateway()
        ec2.attach_internet_gateway(gateway.id, vpc.id)
        ec2.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)


def _subnets(ec2: Any, name: str, ids: tuple[str, ...], zones: list[str], *, first_block: int) -> list[Any]:
    from moto.ec2.models import subnets

    made = []
    for number, (subnet_id, zone) in enumerate(zip(ids, zones * 2, strict=False)):
        tags = {"subnet": {"Name": f"local-{name}-{number + 1}"}}
        with _given(subnets, "random_subnet_id", subnet_id):
            made.append(ec2.create_subnet(VPC, f"10.0.{first_block + number}.0/24", availability_zone=zone, tags=tags))
    return made


def _internet_gateway(ec2: Any) -> str:
    gateway = ec2.create_internet_gateway(tags=[{"Key": "Name", "Value": "local"}])
    ec2.attach_internet_gateway(gateway.id, VPC)
    return str(gateway.id)


def _nat_gateway(ec2: Any) -> str:
    address = ec2.allocate_address("vpc")
    gateway = ec2.create_nat_gateway(PUBLIC_SUBNETS[0], address.allocation_id, tags={"Name": "local"})
    return str(gateway.id)


def _route(ec2: Any, name: str, subnets: list[Any], **target: str) -> None:
    table = ec2.create_route_table(VPC, tags=[{"Key": "Name", "Value": f"local-{name}"}])
    ec2.create_route(table.id, "0.0.0.0/0", **target)
    for subnet in subnets:
        ec2.associate_route_table(table.id, subnet_id=subnet.id)


@contextmanager
def _given(module: Any, function: str, identity: str) -> Iterator[None]:
    """Let moto draw *identity* next, instead of one by chance: it has no other way to be told."""
    drawn = getattr(module, function)
    with ExitStack() as stack:
        stack.callback(setattr, module, function, drawn)
        setattr(module, function, lambda: identity)
        yield
