"""The network of a target: there, of one VPC, and with a way to the registry, in every shape that people build."""

from dataclasses import replace

import pytest
from one_row import ACCOUNT, CLUSTER, DEFINITION, IMAGE, NETWORK, REGION, REQUEST, a_rule, facts, told

from ecs_runbook.inventory.model import Absent, Cluster, Gap, Network, Subnet

NO_SUBNETS = Gap("ec2:DescribeSubnets", "UnauthorizedOperation: no", denied=True)
NO_GROUPS = Gap("ec2:DescribeSecurityGroups", "UnauthorizedOperation: no", denied=True)
NO_TABLES = Gap("ec2:DescribeRouteTables", "UnauthorizedOperation: no", denied=True)
NO_ENDPOINTS = Gap("ec2:DescribeVpcEndpoints", "the VPC is another account's")
ECR = frozenset({"ecr.api", "ecr.dkr", "s3", "logs"})


def subnet(name="subnet-a", vpc="vpc-1", way="NAT", endpoints=frozenset()):
    return Subnet(name, vpc, way, endpoints)


def about(check, *, subnets=None, groups=None, network=NETWORK, latest=DEFINITION, request=None):
    """What one check says: status and words; None if it does not apply."""
    row = a_rule(request=request or replace(REQUEST, network=network))
    changes = {} if subnets is None else {"subnets": subnets}
    changes |= {} if groups is None else {"security_groups": groups}
    found = told(row, facts(row, latest={"nightly": latest}, **changes)).get(check)
    return found and (found.status, found.because)


A, B = subnet(), subnet("subnet-b")
GONE = Absent("there is no subnet subnet-b")


@pytest.mark.parametrize(
    ("subnets", "said"),
    [
        ({"subnet-a": A, "subnet-b": B}, ("OK", "subnet-a, subnet-b")),
        ({"subnet-a": A, "subnet-b": GONE}, ("NG", "there is no subnet subnet-b")),
        ({"subnet-a": NO_SUBNETS, "subnet-b": GONE}, ("NG", "there is no subnet subnet-b")),
        ({"subnet-a": A, "subnet-b": NO_SUBNETS}, ("SKIP", "the caller needs ec2:DescribeSubnets")),
        ({"subnet-a": A}, ("SKIP", "ec2:DescribeSubnets: subnet-b was not asked for")),
    ],
)
def test_the_subnets_are_there(subnets, said):
    assert about("subnet-missing", subnets=subnets) == said


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"sg-1": "vpc-1"}, ("OK", "sg-1")),
        ({"sg-1": Absent("gone")}, ("NG", "there is no security group sg-1")),
        ({"sg-1": NO_GROUPS}, ("SKIP", "the caller needs ec2:DescribeSecurityGroups")),
    ],
)
def test_the_security_groups_are_there(groups, said):
    assert about("security-group-missing", groups=groups) == said


def test_a_target_without_security_groups_takes_the_vpcs_own():
    network = Network(("subnet-a",))
    assert about("security-group-missing", network=network) is None
    assert about("two-vpcs", network=network) is None


@pytest.mark.parametrize(
    ("subnets", "groups", "said"),
    [
        ({"subnet-a": A, "subnet-b": B}, {"sg-1": "vpc-1"}, ("OK", "all in vpc-1")),
        (
            {"subnet-a": A, "subnet-b": B},
            {"sg-1": "vpc-2"},
            ("NG", "subnet-a, subnet-b in vpc-1; sg-1 in vpc-2"),
        ),
        (
            {"subnet-a": A, "subnet-b": subnet("subnet-b", "vpc-2")},
            {"sg-1": "vpc-1"},
            ("NG", "subnet-a, sg-1 in vpc-1; subnet-b in vpc-2"),
        ),
        (
            {"subnet-a": A, "subnet-b": NO_SUBNETS},
            {"sg-1": "vpc-1"},
            ("SKIP", "the caller needs ec2:DescribeSubnets"),
        ),
        ({"subnet-a": A, "subnet-b": B}, {"sg-1": NO_GROUPS}, ("SKIP", "the caller needs ec2:DescribeSecurityGroups")),
        ({"subnet-a": GONE, "subnet-b": GONE}, {"sg-1": Absent("gone")}, None),
    ],
)
def test_subnets_and_groups_are_of_one_vpc(subnets, groups, said):
    assert about("two-vpcs", subnets=subnets, groups=groups) == said


# -------- the way out

PUBLIC = replace(NETWORK, public_ip=True)
HUB = replace(DEFINITION, images=("busybox:1",))
INSIDE = replace(DEFINITION, images=("registry.example.com:5000/nightly:1",), raw={})
ELSEWHERE = replace(DEFINITION, images=(f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/nightly:1",))


def raw(**container):
    return {"containerDefinitions": [{"name": "main", "image": IMAGE} | container]}


SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:key"
WITH_SECRET = replace(DEFINITION, raw=raw(secrets=[{"name": "KEY", "valueFrom": SECRET}]))
WITH_PARAMETER = replace(DEFINITION, raw=raw(secrets=[{"name": "KEY", "valueFrom": "/nightly/key"}]))


@pytest.mark.parametrize(
    ("ways", "network", "latest", "status"),
    [
        # what people build
        ([A, B], NETWORK, DEFINITION, "OK"),
        ([subnet(way="internet gateway"), subnet("subnet-b", way="internet gateway")], PUBLIC, DEFINITION, "OK"),
        ([subnet(way="none", endpoints=ECR), subnet("subnet-b", way="none", endpoints=ECR)], NETWORK, DEFINITION, "OK"),
        ([subnet(way="other"), subnet("subnet-b", way="other")], NETWORK, HUB, "OK"),
        ([A, subnet("subnet-b", way="internet gateway", endpoints=ECR)], NETWORK, DEFINITION, "OK"),
        ([A, B], PUBLIC, DEFINITION, "OK"),
        ([subnet(way="none"), subnet("subnet-b", way="none")], NETWORK, INSIDE, "OK"),
        # what does not work
        ([subnet(way="internet gateway"), subnet("subnet-b", way="internet gateway")], NETWORK, DEFINITION, "NG"),
        ([subnet(way="none"), subnet("subnet-b", way="none")], NETWORK, DEFINITION, "NG"),
        ([subnet(way="none"), subnet("subnet-b", way="none")], PUBLIC, DEFINITION, "NG"),
        ([A, subnet("subnet-b", way="none")], NETWORK, DEFINITION, "NG"),
        ([subnet(way="none", endpoints=ECR), subnet("subnet-b", way="none", endpoints=ECR)], NETWORK, HUB, "NG"),
        ([subnet(way="none", endpoints=ECR), B], NETWORK, ELSEWHERE, "NG"),
        ([subnet(way="none", endpoints=ECR - {"s3"}), B], NETWORK, DEFINITION, "NG"),
        ([subnet(way="none", endpoints=ECR - {"logs"}), B], NETWORK, DEFINITION, "NG"),
        ([subnet(way="none", endpoints=ECR), B], NETWORK, WITH_SECRET, "NG"),
        ([subnet(way="none", endpoints=ECR | {"secretsmanager"}), B], NETWORK, WITH_SECRET, "OK"),
        ([subnet(way="none", endpoints=ECR | {"secretsmanager"}), B], NETWORK, WITH_PARAMETER, "NG"),
        ([subnet(way="none", endpoints=ECR | {"ssm"}), B], NETWORK, WITH_PARAMETER, "OK"),
        # what is not known
        ([subnet(way=NO_TABLES), B], NETWORK, DEFINITION, "SKIP"),
        ([subnet(way="none", endpoints=NO_ENDPOINTS), B], NETWORK, DEFINITION, "SKIP"),
        ([subnet(way=NO_TABLES), subnet("subnet-b", way="none")], NETWORK, DEFINITION, "NG"),
    ],
)
def test_a_fargate_task_needs_a_way_to_its_registry(ways, network, latest, status):
    said = about("no-way-out", subnets={one.id: one for one in ways}, network=network, latest=latest)
    assert said[0] == status


@pytest.mark.parametrize(
    ("way", "endpoints", "because"),
    [
        (
            "internet gateway",
            frozenset(),
            "subnet-a leads to an internet gateway, which takes nobody without a public IP",
        ),
        ("none", frozenset(), "subnet-a has no way out of vpc-1"),
        (
            "none",
            frozenset({"ecr.api", "ecr.dkr"}),
            "subnet-a has no way out of vpc-1, and no endpoint for logs, s3",
        ),
    ],
)
def test_the_words_name_the_subnet_and_what_is_missing(way, endpoints, because):
    said = about("no-way-out", subnets={"subnet-a": subnet(way=way, endpoints=endpoints), "subnet-b": B})
    assert said == ("NG", because)


def test_of_a_task_on_ec2_the_instance_pulls_the_image():
    request = replace(REQUEST, launch_type="EC2")
    stuck = {"subnet-a": subnet(way="none"), "subnet-b": subnet("subnet-b", way="none")}
    assert about("no-way-out", request=request, subnets=stuck) is None


def test_a_subnet_that_is_gone_has_no_way_to_be_judged():
    assert about("no-way-out", subnets={"subnet-a": GONE, "subnet-b": GONE}) is None


def test_a_launch_type_that_the_cluster_decides_and_nobody_tells_is_skip():
    row = a_rule(request=replace(REQUEST, launch_type=""))
    gap = Gap("ecs:DescribeClusters", "AccessDeniedException: no", denied=True)
    assert (
        told(row, facts(row, clusters={CLUSTER: gap}))["no-way-out"].because == "the caller needs ecs:DescribeClusters"
    )
    known = Cluster(CLUSTER, "ACTIVE", ("FARGATE",), ("FARGATE",), 0)
    assert told(row, facts(row, clusters={CLUSTER: known}))["no-way-out"].status == "OK"


def test_a_target_without_a_network_is_not_asked_for_one():
    request = replace(REQUEST, launch_type="EC2", network=None)
    checks = ("subnet-missing", "security-group-missing", "two-vpcs", "no-way-out")
    assert [about(check, request=request) for check in checks] == [None] * 4
