"""Where a subnet's way out leads, by the route tables and endpoints of its VPC as EC2 tells them."""

import pytest

from ecs_runbook.firing.asking import Asking
from ecs_runbook.inventory.model import Gap
from ecs_runbook.inventory.networks import security_groups, subnets, way_of

ACCOUNT = "111122223333"
ANYWHERE = "0.0.0.0/0"
LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}


def to(destination=ANYWHERE, *, state="active", **target):
    return {"DestinationCidrBlock": destination, "State": state, **target}


def through_list(**target):
    return {"DestinationPrefixListId": "pl-1", "State": "active", **target}


WAYS = [
    ("nothing but the VPC itself", [LOCAL], "none"),
    ("an internet gateway", [LOCAL, to(GatewayId="igw-1")], "internet gateway"),
    ("a NAT gateway", [LOCAL, to(NatGatewayId="nat-1")], "NAT"),
    ("a NAT gateway that is gone", [LOCAL, to(NatGatewayId="nat-1", state="blackhole")], "none"),
    ("a NAT instance", [LOCAL, to(InstanceId="i-1", NetworkInterfaceId="eni-1")], "other"),
    ("a transit gateway", [LOCAL, to(TransitGatewayId="tgw-1")], "other"),
    ("a peering", [LOCAL, to(VpcPeeringConnectionId="pcx-1")], "other"),
    ("a virtual private gateway", [LOCAL, to(GatewayId="vgw-1")], "other"),
    ("a firewall's endpoint", [LOCAL, to(GatewayId="vpce-1")], "other"),
    ("a core network", [LOCAL, to(CoreNetworkArn="arn")], "other"),
    ("a narrower route", [LOCAL, to("192.168.0.0/16", TransitGatewayId="tgw-1")], "other"),
    ("a narrower route beside it", [LOCAL, to("10.9.0.0/16", TransitGatewayId="t"), to(NatGatewayId="n")], "NAT"),
    ("IPv6 alone", [LOCAL, {"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1", "State": "active"}], "other"),
    ("two halves", [LOCAL, to("0.0.0.0/1", NatGatewayId="n"), to("128.0.0.0/1", NatGatewayId="n")], "NAT"),
    ("half", [LOCAL, to("0.0.0.0/1", NatGatewayId="nat-1")], "other"),
    ("two halves that part", [LOCAL, to("0.0.0.0/1", NatGatewayId="n"), to("128.0.0.0/1", GatewayId="igw-1")], "other"),
    ("an endpoint of S3 alone", [LOCAL, through_list(GatewayId="vpce-1")], "none"),
    ("a list that nobody looks into", [LOCAL, through_list(TransitGatewayId="tgw-1")], "other"),
    ("no routes", [], "none"),
]


@pytest.mark.parametrize(("routes", "expected"), [case[1:] for case in WAYS], ids=[case[0] for case in WAYS])
def test_where_the_default_route_leads(routes, expected):
    assert way_of(routes) == expected


class Ec2:
    """One VPC with two subnets, of which one has a route table of its own."""

    def __init__(self, *endpoints, tables=None, owner=ACCOUNT):
        self.endpoints, self.owner = endpoints, owner
        main = {"Associations": [{"Main": True}], "Routes": [LOCAL]}
        own = {"Associations": [{"Main": False, "SubnetId": "subnet-2"}], "Routes": [LOCAL, to(GatewayId="igw-1")]}
        self.tables = [
            main | {"RouteTableId": "rtb-1", "VpcId": "vpc-1"},
            own | {"RouteTableId": "rtb-2", "VpcId": "vpc-1"},
        ]
        self.tables = self.tables if tables is None else tables

    def describe_subnets(self, **_):
        told = {"VpcId": "vpc-1", "OwnerId": self.owner}
        return {"Subnets": [{"SubnetId": f"subnet-{number}", **told} for number in (1, 2)]}

    def describe_route_tables(self, **_):
        return {"RouteTables": self.tables}

    def describe_vpc_endpoints(self, **_):
        return {"VpcEndpoints": [{"VpcId": "vpc-1", "State": "available", **one} for one in self.endpoints]}

    def describe_security_groups(self, **_):
        return {"SecurityGroups": []}


def both(ec2):
    told = subnets(["subnet-1", "subnet-2"], account=ACCOUNT, ec2=ec2, ask=Asking())
    return told["subnet-1"], told["subnet-2"]


def test_a_subnet_has_its_own_route_table_or_the_main_one():
    first, second = both(Ec2())
    assert (first.way, second.way) == ("none", "internet gateway")


def test_a_subnet_without_any_route_table_in_sight_is_a_gap():
    first, _ = both(Ec2(tables=[]))
    assert isinstance(first.way, Gap)
    assert "no route table for subnet-1" in first.way.because


SERVICE = "com.amazonaws.eu-west-2."
INTERFACE = {"VpcEndpointType": "Interface", "ServiceName": f"{SERVICE}ecr.api", "PrivateDnsEnabled": True}
GATEWAY = {"VpcEndpointType": "Gateway", "ServiceName": f"{SERVICE}s3", "RouteTableIds": ["rtb-1"]}


@pytest.mark.parametrize(
    ("endpoint", "first", "second"),
    [
        (INTERFACE, {"ecr.api"}, {"ecr.api"}),
        (INTERFACE | {"PrivateDnsEnabled": False}, set(), set()),
        (INTERFACE | {"State": "pending"}, set(), set()),
        (INTERFACE | {"VpcId": "vpc-2"}, set(), set()),
        (INTERFACE | {"ServiceName": "cn.com.amazonaws.cn-north-1.ecr.dkr"}, {"ecr.dkr"}, {"ecr.dkr"}),
        (GATEWAY, {"s3"}, set()),
    ],
)
def test_which_services_are_in_reach_by_endpoints(endpoint, first, second):
    one, other = both(Ec2(endpoint))
    assert (one.endpoints, other.endpoints) == (first, second)


def test_a_gateway_endpoint_of_unknown_tables_is_a_gap():
    first, _ = both(Ec2(GATEWAY, tables=[]))
    assert isinstance(first.endpoints, Gap)


def test_the_endpoints_of_a_vpc_that_another_account_shares_are_a_gap():
    first, _ = both(Ec2(INTERFACE, owner="444455556666"))
    assert first.endpoints.because == "vpc-1 is shared by account 444455556666, which alone knows them all"
    assert first.way == "none"


def test_a_group_that_ec2_does_not_list_is_absent():
    told = security_groups(["sg-1"], ec2=Ec2(), ask=Asking())
    assert told["sg-1"].because == "there is no security group sg-1"
