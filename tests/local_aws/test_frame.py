"""The server's frame: its own routes, who may reach it, and what stands ready in it."""

import http.client
import json
import threading

import pytest
from botocore.exceptions import ClientError


def ask(server, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request(method, path, body=body, headers={name.replace("_", "-"): v for name, v in headers.items()})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, json.loads(content)


def test_health_names_this_life(server):
    status, answer = ask(server, "GET", "/_local/health")
    assert status == 200
    assert (answer["life"], answer["account"], answer["frozen"]) == (server.life, "123456789012", False)
    assert answer["now"].endswith("+00:00")


@pytest.mark.parametrize("path", ["/_local/", "/_local/nothing", "/moto-api/reset", "/moto-api/data.json"])
def test_other_routes_are_closed(server, path):
    assert ask(server, "POST", path)[0] == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_local/clock", "{}"),
        ("/_local/clock", "[]"),
        ("/_local/clock", "{"),
        ("/_local/clock", '{"to": "2030-01-01T00:00:00Z", "freeze": true}'),
        ("/_local/clock", '{"To": "2030-01-01T00:00:00Z"}'),
        ("/_local/clock", '{"to": "9999-12-31T23:59:59-14:00"}'),
        ("/_local/settings", '{"cloudtrail_delay": 1}'),
        ("/_local/settings", '{"cloudtrail_delay_seconds": -1}'),
    ],
)
def test_what_a_route_does_not_understand_is_refused_in_words(server, path, body):
    status, answer = ask(server, "POST", path, body)
    assert status == 400
    assert answer["error"]


@pytest.mark.parametrize("path", ["/_local/health", "/"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Host": "example.com"},
        {"Host": "localhost.example.com"},
        {"Origin": "http://localhost.example.com:8888"},
    ],
)
def test_another_sites_page_is_refused(server, path, headers):
    status, answer = ask(server, "GET", path, **headers)
    assert status == 403
    assert "answers this machine alone" in answer["message"]


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://localhost:8888"}, {"Host": "localhost:80"}, {"Host": "bucket.localhost"}]
)
def test_this_machines_pages_and_names_are_let_in(server, headers):
    assert ask(server, "GET", "/_local/health", **headers)[0] == 200


def test_an_unknown_key_is_the_accounts_root(client):
    identity = client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::123456789012:root"
    assert (identity["Account"], identity["UserId"]) == ("123456789012", "123456789012")


def test_a_real_looking_key_is_the_root_too(client):
    key = {"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "s"}
    assert client("sts", session=key).get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:root"


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_cluster_stands_ready_in_every_region(client, region):
    cluster = client("ecs", region=region).describe_clusters(clusters=["default"])["clusters"][0]
    assert cluster["status"] == "ACTIVE"
    assert cluster["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_a_network_stands_ready_in_every_region(client, region):
    ec2 = client("ec2", region=region)
    vpc = ec2.describe_vpcs(VpcIds=["vpc-0d1d1d1d1d1d1d1d1"])["Vpcs"][0]
    assert vpc["CidrBlock"] == "10.0.0.0/16"
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    public_ip = {subnet["SubnetId"]: subnet["MapPublicIpOnLaunch"] for subnet in subnets}
    assert public_ip == {
        "subnet-0a1a1a1a1a1a1a1a1": False,
        "subnet-0a2a2a2a2a2a2a2a2": False,
        "subnet-0b1b1b1b1b1b1b1b1": True,
        "subnet-0b2b2b2b2b2b2b2b2": True,
    }
    assert {subnet["AvailabilityZone"] for subnet in subnets} == {f"{region}a", f"{region}b"}
    group = ec2.describe_security_groups(GroupIds=["sg-0c1c1c1c1c1c1c1c1"])["SecurityGroups"][0]
    assert group["VpcId"] == vpc["VpcId"]
    assert group["IpPermissions"] == []
    assert [rule["IpRanges"] for rule in group["IpPermissionsEgress"]] == [[{"CidrIp": "0.0.0.0/0"}]]


def test_public_subnets_go_out_by_the_internet_gateway_and_private_ones_by_nat(client):
    tables = client("ec2").describe_route_tables(Filters=[{"Name": "vpc-id", "Values": ["vpc-0d1d1d1d1d1d1d1d1"]}])
    out = {
        association["SubnetId"]: next(
            "nat" if "NatGatewayId" in route else route["GatewayId"][:3]
            for route in table["Routes"]
            if route.get("DestinationCidrBlock") == "0.0.0.0/0"
        )
        for table in tables["RouteTables"]
        for association in table["Associations"]
        if "SubnetId" in association
    }
    assert out == {
        "subnet-0a1a1a1a1a1a1a1a1": "nat",
        "subnet-0a2a2a2a2a2a2a2a2": "nat",
        "subnet-0b1b1b1b1b1b1b1b1": "igw",
        "subnet-0b2b2b2b2b2b2b2b2": "igw",
    }


def test_new_networks_have_ids_of_their_own(client):
    ec2 = client("ec2")
    ids = {ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"] for _ in range(2)}
    assert len(ids | {"vpc-0d1d1d1d1d1d1d1d1"}) == 3


@pytest.mark.parametrize("name", ["AmazonECSTaskExecutionRolePolicy", "AmazonEC2ContainerServiceEventsRole"])
def test_awss_own_policies_can_be_attached(client, name):
    iam = client("iam")
    trust = {"Version": "2012-10-17", "Statement": []}
    iam.create_role(RoleName=f"with-{name}"[:64], AssumeRolePolicyDocument=json.dumps(trust))
    arn = f"arn:aws:iam::aws:policy/service-role/{name}"
    iam.attach_role_policy(RoleName=f"with-{name}"[:64], PolicyArn=arn)
    attached = iam.list_attached_role_policies(RoleName=f"with-{name}"[:64])["AttachedPolicies"]
    assert attached == [{"PolicyName": name, "PolicyArn": arn}]


def test_a_role_that_does_not_exist_cannot_be_assumed(client):
    with pytest.raises(ClientError) as refused:
        client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/nobody", RoleSessionName="visitor")
    error = refused.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    assert error["Message"].endswith(
        "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/nobody"
    )


def test_waiting_for_a_message_keeps_nobody_else_waiting(client):
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="long-poll")["QueueUrl"]
    got = []
    waiting = threading.Thread(
        target=lambda: got.extend(client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"])
    )
    waiting.start()
    client("ecs").list_clusters()
    sqs.send_message(QueueUrl=url, MessageBody="m")
    waiting.join(15)
    assert [message["Body"] for message in got] == ["m"]
