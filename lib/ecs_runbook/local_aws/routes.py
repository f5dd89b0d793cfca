"""
Where a network interface can go from its subnet: out to the internet, or to an AWS service by an endpoint.

Read from moto's EC2 as it is at the moment. Not looked at: security groups, network ACLs, DNS, IPv6. Where a route
leads to something that the local AWS cannot look behind (a transit gateway, a peering, an instance, another interface),
there is a way.
"""

from __future__ import annotations

from typing import Any

EVERYWHERE = "0.0.0.0/0"


def leads_out(ec2: Any, subnet_id: str, *, public_ip: bool, through_nat: bool = False) -> bool:
    """
    Say whether a subnet's default route leads to the internet.

    Parameters
    ----------
    ec2
        moto's backend of the region.
    public_ip
        Whether the interface has a public address: an internet gateway serves no other.
    through_nat
        Whether this is asked for a NAT gateway, which stands in a subnet itself, and needs a way of its own.

    Notes
    -----
    Source: AWS docs, "Fargate task networking": a public IP and an internet gateway, or a NAT gateway (verified).
    """
    route = _default_route(ec2, subnet_id)
    if route is None:
        return False
    if route.nat_gateway is not None:
        nat = route.nat_gateway
        return (
            not through_nat
            and nat.state == "available"
            and nat.connectivity_type != "private"
            and leads_out(ec2, nat.subnet_id, public_ip=True, through_nat=True)
        )
    gateway = route.gateway
    if gateway is not None and str(gateway.id).startswith("igw-"):
        vpc = getattr(ec2.internet_gateways.get(gateway.id), "vpc", None)
        return public_ip and vpc is not None and vpc.id == _vpc_of(ec2, subnet_id)
    return True


def reaches(ec2: Any, subnet_id: str, service: str, *, public_ip: bool) -> bool:
    """
    Say whether an interface in a subnet reaches an AWS service of its region: by the internet, or by an endpoint.

    Parameters
    ----------
    service
        As the endpoint's name ends, ``ecr.api``.

    Notes
    -----
    Source: AWS docs, "Amazon ECR interface VPC endpoints": ecr.api, ecr.dkr, and S3 for the layers (verified). An
    interface endpoint without private DNS changes nothing for who asks by the service's own name.
    """
    if leads_out(ec2, subnet_id, public_ip=public_ip):
        return True
    vpc, table = _vpc_of(ec2, subnet_id), table_of(ec2, subnet_id)
    for endpoint in ec2.vpc_end_points.values():
        # com.amazonaws.<region>.ecr.api
        if endpoint.vpc_id != vpc or str(endpoint.service_name).split(".", 3)[-1] != service:
            continue
        if str(endpoint.vpc_endpoint_type or "Gateway").lower() == "interface":
            if endpoint.private_dns_enabled is not False:
                return True
        elif table is not None and table.id in (endpoint.route_table_ids or []):
            return True
    return False


def table_of(ec2: Any, subnet_id: str) -> Any | None:
    """Return a subnet's route table: the one associated with it, else the VPC's main one."""
    vpc, main = _vpc_of(ec2, subnet_id), None
    for table in ec2.route_tables.values():
        if subnet_id in table._associations.values():
            return table
        if table.vpc_id == vpc and table.main_association_id is not None:
            main = table
    return main


def _default_route(ec2: Any, subnet_id: str) -> Any | None:
    table = table_of(ec2, subnet_id)
    routes = table.routes if table is not None else []
    return next((route for route in routes if route.destination_cidr_block == EVERYWHERE), None)


def _vpc_of(ec2: Any, subnet_id: str) -> str:
    return next((str(zone[subnet_id].vpc_id) for zone in ec2.subnets.values() if subnet_id in zone), "")
