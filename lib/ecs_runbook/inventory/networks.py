"""Subnets and security groups: whether they are there, in which VPC, and where a subnet's way out leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.inventory.gate import gap_of
from ecs_runbook.inventory.model import Absent, Gap, Subnet, Told, Way

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

VALUES_AT_ONCE = 200
"""Source: EC2 API reference, a filter takes at most 200 values."""
_EVERYWHERE = "0.0.0.0/0"
_HALVES = frozenset({"0.0.0.0/1", "128.0.0.0/1"})
_ELSEWHERE = (
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "InstanceId",
    "NetworkInterfaceId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
    "EgressOnlyInternetGatewayId",
    "GatewayId",
)

Raw = Mapping[str, Any]


def subnets(
    ids: Sequence[str], *, account: str, ec2: EC2Client, ask: Asking, ways: bool = True
) -> dict[str, Told[Subnet]]:
    """
    Return what EC2 says of subnets, by id.

    Parameters
    ----------
    ids
        Of the subnets.
    account
        That asks: of a VPC that another one shares, it is not told all.
    ways
        Whether to ask for route tables and endpoints too.

    Notes
    -----
    Needs ``ec2:DescribeSubnets``, ``ec2:DescribeRouteTables`` and ``ec2:DescribeVpcEndpoints``: one call each for 200
    subnets or VPCs. They are asked for by filter: EC2 refuses a call that names one that is not there.
    """
    told = _all("ec2:DescribeSubnets", ec2.describe_subnets, "Subnets", "subnet-id", ids, ask)
    if isinstance(told, Gap):
        return dict.fromkeys(ids, told)
    known = {str(one["SubnetId"]): one for one in told}
    vpcs = sorted({str(one["VpcId"]) for one in told})
    if not ways:
        return _there(ids, known)
    tables = _all("ec2:DescribeRouteTables", ec2.describe_route_tables, "RouteTables", "vpc-id", vpcs, ask)
    endpoints = _all("ec2:DescribeVpcEndpoints", ec2.describe_vpc_endpoints, "VpcEndpoints", "vpc-id", vpcs, ask)
    return {
        one: _subnet(known[one], tables, _told_to(account, known[one], endpoints))
        if one in known
        else Absent(f"there is no subnet {one}")
        for one in ids
    }


def _there(ids: Sequence[str], known: Mapping[str, Raw]) -> dict[str, Told[Subnet]]:
    """Return subnets of which nobody asked where they lead."""
    routes = Gap("ec2:DescribeRouteTables", "it was not asked for")
    endpoints = Gap("ec2:DescribeVpcEndpoints", "it was not asked for")
    return {
        one: Subnet(one, str(known[one]["VpcId"]), routes, endpoints)
        if one in known
        else Absent(f"there is no subnet {one}")
        for one in ids
    }


def security_groups(ids: Sequence[str], *, ec2: EC2Client, ask: Asking) -> dict[str, Told[str]]:
    """Return the VPC of security groups, by id. Needs ``ec2:DescribeSecurityGroups``, one call for 200."""
    told = _all("ec2:DescribeSecurityGroups", ec2.describe_security_groups, "SecurityGroups", "group-id", ids, ask)
    if isinstance(told, Gap):
        return dict.fromkeys(ids, told)
    known = {str(one["GroupId"]): str(one["VpcId"]) for one in told}
    return {one: known.get(one) or Absent(f"there is no security group {one}") for one in ids}


def _all(
    operation: str, call: Callable[..., Any], key: str, by: str, values: Sequence[str], ask: Asking
) -> list[Raw] | Gap:
    found: list[Raw] = []
    try:
        for first in range(0, len(values), VALUES_AT_ONCE):
            some = list(values[first : first + VALUES_AT_ONCE])
            for page in ask.pages(operation, call, Filters=[{"Name": by, "Values": some}]):
                found += page.get(key, [])
    except AwsError as error:
        return gap_of(error)
    return found


def _subnet(told: Raw, tables: list[Raw] | Gap, endpoints: list[Raw] | Gap) -> Subnet:
    subnet, vpc = str(told["SubnetId"]), str(told["VpcId"])
    table = tables if isinstance(tables, Gap) else _table_of(subnet, vpc, tables)
    return Subnet(
        id=subnet,
        vpc=vpc,
        way=table if isinstance(table, Gap) else way_of(table.get("Routes", [])),
        endpoints=endpoints if isinstance(endpoints, Gap) else _in_reach(told, table, endpoints),
    )


def _told_to(account: str, subnet: Raw, endpoints: list[Raw] | Gap) -> list[Raw] | Gap:
    owner = str(subnet.get("OwnerId") or account)
    if owner == account:
        return endpoints
    return Gap(
        "ec2:DescribeVpcEndpoints", f"{subnet['VpcId']} is shared by account {owner}, which alone knows them all"
    )


def _table_of(subnet: str, vpc: str, tables: Sequence[Raw]) -> Raw | Gap:
    """Return a subnet's route table: its own, else the main one of its VPC."""
    main: Raw | None = None
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet:
                return table
            if association.get("Main") and table.get("VpcId") == vpc:
                main = table
    return main or Gap("ec2:DescribeRouteTables", f"EC2 tells of no route table for {subnet}; its VPC may be shared")


def way_of(routes: Sequence[Raw]) -> Way:
    """
    Return where the default route leads.

    Examples
    --------
    >>> way_of([{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"},
    ...         {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}])
    'NAT'
    >>> way_of([{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "blackhole"}])
    'none'
    """
    alive = [one for one in routes if one.get("State") != "blackhole" and _leads_to(one) != "none"]
    default = [one for one in alive if one.get("DestinationCidrBlock") == _EVERYWHERE]
    halves = {str(one.get("DestinationCidrBlock")): one for one in alive if one.get("DestinationCidrBlock") in _HALVES}
    # two halves are as good as the whole
    leads = default or (list(halves.values()) if len(halves) == len(_HALVES) else [])
    ways = {_leads_to(one) for one in leads}
    if len(ways) == 1:
        return ways.pop()
    # a prefix list, a narrower route, or IPv6 alone: what is behind it cannot be seen
    return "other" if alive else "none"


def _leads_to(route: Raw) -> Way:
    gateway = str(route.get("GatewayId") or "")
    if gateway.startswith("igw-"):
        return "internet gateway"
    if route.get("NatGatewayId"):
        return "NAT"
    if gateway == "local" or (gateway.startswith("vpce-") and route.get("DestinationPrefixListId")):
        return "none"  # a gateway endpoint leads to its service alone
    return "other" if any(route.get(key) for key in _ELSEWHERE) else "none"


def _in_reach(subnet: Raw, table: Raw | Gap, endpoints: Sequence[Raw]) -> Told[frozenset[str]]:
    """
    Return the services that a subnet reaches by endpoints of its VPC, as their names end.

    An interface endpoint counts with private DNS alone: without it, the service's own name leads elsewhere.
    """
    found = set()
    for one in endpoints:
        if one.get("VpcId") != subnet["VpcId"] or str(one.get("State", "available")).lower() != "available":
            continue
        kind = str(one.get("VpcEndpointType") or "Gateway").lower()
        if kind == "interface" and one.get("PrivateDnsEnabled") is False:
            continue
        if kind == "gateway":
            if isinstance(table, Gap):
                return table
            if table.get("RouteTableId") not in one.get("RouteTableIds", []):
                continue
        found.add(_service(str(one.get("ServiceName", ""))))
    return frozenset(found)


def _service(name: str) -> str:
    """
    Return how the name of an endpoint's service ends.

    Examples
    --------
    >>> _service("com.amazonaws.eu-west-2.ecr.api"), _service("cn.com.amazonaws.cn-north-1.s3")
    ('ecr.api', 's3')
    """
    return name.removeprefix("cn.").split(".", 3)[-1]
