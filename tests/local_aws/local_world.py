"""Short words for what tests do with a local AWS whose clock stands still."""

import itertools
import json
from contextlib import contextmanager

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ecs_runbook.local_aws import process

REGION = "eu-west-2"
ACCOUNT = "123456789012"
_NUMBERS = itertools.count(1)


def arn(resource, service="ecs", region=REGION):
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}"


def trusting(service="ecs-tasks.amazonaws.com", condition=None):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return statement | ({"Condition": condition} if condition else {})


def allow(action, resource, condition=None, effect="Allow"):
    statement = {"Effect": effect, "Action": action, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@contextmanager
def refused(code, message):
    """Expect a refusal with exactly this code and message."""
    with pytest.raises(ClientError) as refusal:
        yield
    error = refusal.value.response["Error"]
    assert (error["Code"], error.get("Message", error.get("message"))) == (code, message)


class LocalWorld:
    def __init__(self, server):
        self.server = server
        process.clock(self.server, freeze=True)
        self.ecs, self.ec2, self.iam = self.client("ecs"), self.client("ec2"), self.client("iam")
        self.events, self.sts, self.cloudtrail = self.client("events"), self.client("sts"), self.client("cloudtrail")
        self.vpc = self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        self.subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        self.public_subnet = self._ways_out()
        self.group = self.ec2.create_security_group(GroupName="g", Description="g", VpcId=self.vpc)["GroupId"]

    def _ways_out(self):
        """Give the VPC a public subnet, and every other subnet a NAT gateway there; return the public subnet."""
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        subnet = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock="10.9.2.0/24")["Subnet"]["SubnetId"]
        public = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=public, SubnetId=subnet)
        self.ec2.create_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        nat = self.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
        main = self.ec2.describe_route_tables(
            Filters=[{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "association.main", "Values": ["true"]}]
        )["RouteTables"][0]["RouteTableId"]
        self.ec2.create_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
        return subnet

    def client(self, service, credentials=None):
        keys = credentials or {"AccessKeyId": "local", "SecretAccessKey": "local", "SessionToken": None}
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}),
        )

    def advance(self, seconds):
        return process.clock(self.server, advance=seconds)

    def to(self, moment):
        return process.clock(self.server, to=moment)

    @property
    def now(self):
        return process.clock(self.server)["now"]

    @property
    def log(self):
        return (self.server.folder / process.LOG).read_text()

    def name(self, what="thing"):
        return f"{what}{next(_NUMBERS)}"

    def cluster(self, **more):
        name = self.name("cluster")
        self.ecs.create_cluster(clusterName=name, **more)
        return name

    def register(self, family="", containers=None, **more):
        """Register a definition that Fargate runs; what is None is left out."""
        whole = {
            "family": family or self.name("family"),
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": containers or [{"name": "main", "image": "busybox"}],
            **more,
        }
        given = {key: value for key, value in whole.items() if value is not None}
        return self.ecs.register_task_definition(**given)["taskDefinition"]

    def network(self, **more):
        return {"awsvpcConfiguration": {"subnets": [self.subnet], **more}}

    def run(self, definition, *, ecs=None, **more):
        whole = {"launchType": "FARGATE", "networkConfiguration": self.network(), **more}
        given = {key: value for key, value in whole.items() if value is not None}
        return (ecs or self.ecs).run_task(taskDefinition=definition, **given)

    def task(self, task, cluster="default", **more):
        arn = task if isinstance(task, str) else task["taskArn"]
        return self.ecs.describe_tasks(cluster=cluster, tasks=[arn], **more)["tasks"][0]

    def role(self, *statements, trust=None, **more):
        name = self.name("role")
        trust = trust or trusting()
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), **more)["Role"]
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=document(*statements))
        return made["Arn"]

    def session(self, *statements, **more):
        """Return the credentials of a session of a new role that may do what *statements* say, and its ARN."""
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        role = self.role(*statements, trust=trust)
        answer = self.sts.assume_role(RoleArn=role, RoleSessionName="tester", **more)
        return answer["Credentials"], answer["AssumedRoleUser"]["Arn"]

    def trail(self, operation):
        """Return the trail's records of *operation*, oldest first."""
        pages = self.cloudtrail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": operation}]
        )
        return [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]][::-1]
