"""What a Fargate task needs before it starts: a way out, its registry, its secrets, its log group."""

import json

import pytest
from local_world import ACCOUNT, REGION, LocalWorld, allow

ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/app:1"
NO_ECR = (
    "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from "
    "Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. "
    "operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, "
)
NO_PULL = "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref "
RETRIEVAL = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
)
RAN = "Essential container in task exited"
PULLS = allow(["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "*")


@pytest.fixture(scope="module")
def aws(server):
    return LocalWorld(server)


@pytest.fixture
def private(aws):
    """A subnet of a VPC that leads nowhere, and its route table."""
    vpc = aws.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnet = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
    tables = aws.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    return vpc, subnet, tables[0]["RouteTableId"]


def ended(aws, subnet="", public="DISABLED", role="", **container):
    family = aws.register(
        containers=[{"name": "main", "image": "busybox", **container}], executionRoleArn=role or None
    )["family"]
    network = {"awsvpcConfiguration": {"subnets": [subnet or aws.subnet], "assignPublicIp": public}}
    task = aws.run(family, networkConfiguration=network)["tasks"][0]
    aws.advance(5)
    return aws.task(task)


def reason(aws, **how):
    task = ended(aws, **how)
    failed = task["stoppedReason"] != RAN
    assert task["stopCode"] == ("TaskFailedToStart" if failed else "EssentialContainerExited")
    assert ("exitCode" in task["containers"][0]) is not failed
    return task["stoppedReason"]


@pytest.mark.parametrize("public", ["ENABLED", "DISABLED"])
def test_without_a_route_no_image_is_pulled_with_or_without_a_public_ip(aws, private, public):
    _, subnet, _ = private
    assert reason(aws, subnet=subnet, public=public, image=ECR).startswith(NO_ECR)
    told = reason(aws, subnet=subnet, public=public)
    assert told.startswith(f"{NO_PULL}docker.io/library/busybox:latest: ")
    assert told.endswith(": i/o timeout")


def test_an_image_that_cannot_be_pulled_is_told_of_its_container(aws, private):
    task = ended(aws, subnet=private[1])
    assert task["containers"][0]["reason"] == task["stoppedReason"]
    assert {"pullStartedAt", "pullStoppedAt"} <= set(task)
    assert "reason" not in ended(aws, subnet=private[1], image=ECR)["containers"][0]


def test_an_internet_gateway_serves_who_has_a_public_ip_alone(aws):
    assert reason(aws, subnet=aws.public_subnet, public="ENABLED") == RAN
    assert reason(aws, subnet=aws.public_subnet).startswith(NO_PULL)


@pytest.mark.parametrize("public", ["ENABLED", "DISABLED"])
def test_a_nat_gateway_serves_everybody(aws, public):
    assert reason(aws, subnet=aws.subnet, public=public) == RAN


def test_the_furniture_has_its_ways(aws):
    assert reason(aws, subnet="subnet-0a1a1a1a1a1a1a1a1") == RAN
    assert reason(aws, subnet="subnet-0b1b1b1b1b1b1b1b1", public="ENABLED") == RAN
    assert reason(aws, subnet="subnet-0b1b1b1b1b1b1b1b1").startswith(NO_PULL)
    default = aws.ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][0]
    assert reason(aws, subnet=default["SubnetId"], public="ENABLED") == RAN
    assert reason(aws, subnet=default["SubnetId"]).startswith(NO_PULL)


def test_a_detached_gateway_and_a_deleted_nat_lead_nowhere(aws, private):
    vpc, subnet, table = private
    gateway = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    assert reason(aws, subnet=subnet, public="ENABLED") == RAN
    inner = aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.2.0/24")["Subnet"]["SubnetId"]
    own = aws.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    aws.ec2.associate_route_table(RouteTableId=own, SubnetId=inner)
    address = aws.ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = aws.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    aws.ec2.create_route(RouteTableId=own, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    assert reason(aws, subnet=inner) == RAN
    aws.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert reason(aws, subnet=subnet, public="ENABLED").startswith(NO_PULL)
    assert reason(aws, subnet=inner).startswith(NO_PULL)
    aws.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    aws.ec2.delete_nat_gateway(NatGatewayId=nat)
    assert reason(aws, subnet=inner).startswith(NO_PULL)


def test_endpoints_are_a_way_to_ecr_alone(aws, private):
    vpc, subnet, table = private

    def endpoint(name, **more):
        aws.ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.{name}", **more)

    endpoint("ecr.api", VpcEndpointType="Interface", PrivateDnsEnabled=False)
    assert reason(aws, subnet=subnet, image=ECR).startswith(NO_ECR)
    endpoint("ecr.api", VpcEndpointType="Interface", PrivateDnsEnabled=True)
    assert reason(aws, subnet=subnet, image=ECR).startswith(NO_PULL)
    endpoint("ecr.dkr", VpcEndpointType="Interface", PrivateDnsEnabled=True)
    assert reason(aws, subnet=subnet, image=ECR).startswith(NO_PULL)
    endpoint("s3", VpcEndpointType="Gateway", RouteTableIds=[table])
    assert reason(aws, subnet=subnet, image=ECR) == RAN
    assert reason(aws, subnet=subnet).startswith(NO_PULL)


def test_the_execution_role_must_be_let_into_the_registry(aws):
    role = aws.role(allow("logs:*", "*"))
    task = ended(aws, role=role, image=ECR)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rsplit('/', 1)[-1]}/{task['taskArn'].rsplit('/', 1)[-1]}"
    assert task["stoppedReason"] == (
        f"{RETRIEVAL}unable to retrieve ecr registry auth: service call has been retried 1 time(s): "
        f"AccessDeniedException: User: {session} is not authorized to perform: ecr:GetAuthorizationToken on resource: "
        "* because no identity-based policy allows the ecr:GetAuthorizationToken action"
    )
    assert reason(aws, role=aws.role(allow("ecr:GetAuthorizationToken", "*")), image=ECR).startswith(
        "CannotPullContainerError: The task can't pull the image. Check that the role has the permissions"
    )
    assert reason(aws, role=aws.role(PULLS), image=ECR) == RAN


def test_a_secret_must_be_there_and_readable(aws):
    gone = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:gone-AbCdEf"
    failed = (
        f"{RETRIEVAL}unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch "
        f"secret {gone} from secrets manager: "
    )
    asked = {"secrets": [{"name": "DB", "valueFrom": f"{gone}:password::"}]}
    reads = aws.role(allow("secretsmanager:GetSecretValue", "*"))
    assert reason(aws, role=reads, **asked) == (
        f"{failed}ResourceNotFoundException: Secrets Manager can't find the specified secret."
    )
    told = reason(aws, role=aws.role(allow("logs:*", "*")), **asked)
    assert told.startswith(f"{failed}AccessDeniedException: User: ")
    assert told.endswith("because no identity-based policy allows the secretsmanager:GetSecretValue action")
    there = aws.client("secretsmanager").create_secret(Name=aws.name("secret"), SecretString="x")["ARN"]
    assert reason(aws, role=reads, secrets=[{"name": "DB", "valueFrom": there}]) == RAN


def test_a_parameter_must_be_there_and_readable(aws):
    name = "/" + aws.name("parameter")
    asked = {"secrets": [{"name": "DB", "valueFrom": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}"}]}
    reads = aws.role(allow("ssm:GetParameters", "*"))
    start = f"{RETRIEVAL}unable to retrieve secrets from ssm: "
    assert reason(aws, role=reads, **asked) == f"{start}invalid parameters: {name}"
    aws.client("ssm").put_parameter(Name=name, Value="x", Type="String")
    assert reason(aws, role=reads, **asked) == RAN
    denied = reason(aws, role=aws.role(allow("logs:*", "*")), **asked)
    assert denied.startswith(f"{start}service call has been retried 1 time(s): AccessDeniedException: User: ")


def test_a_log_group_must_be_there_or_be_made(aws):
    role, group = aws.role(allow("logs:*", "*")), aws.name("/ecs/group")
    options = {"awslogs-group": group, "awslogs-region": REGION, "awslogs-stream-prefix": "ecs"}
    logs = {"logConfiguration": {"logDriver": "awslogs", "options": options}}
    failed = "ResourceInitializationError: failed to validate logger args: "
    told = reason(aws, role=role, **logs)
    assert told.startswith(failed)
    assert "ResourceNotFoundException: The specified log group does not exist." in told
    options["awslogs-create-group"] = "true"
    streams = aws.role(allow(["logs:CreateLogStream", "logs:PutLogEvents"], "*"))
    assert "not authorized to perform: logs:CreateLogGroup" in reason(aws, role=streams, **logs)
    assert reason(aws, role=role, **logs) == RAN
    del options["awslogs-create-group"]
    assert reason(aws, role=role, **logs) == RAN


def test_a_spot_task_can_be_interrupted(aws):
    environment = [{"name": "LOCAL_AWS_OUTCOME", "value": "spot-interruption"}]
    task = ended(aws, environment=environment)
    assert (task["stopCode"], task["stoppedReason"]) == ("SpotInterruption", "Your Spot Task was interrupted.")
    assert task["containers"][0]["exitCode"] == 137


def test_ec2_tasks_are_not_judged_by_their_own_network(aws):
    image = aws.ec2.describe_images()["Images"][0]["ImageId"]
    instance = aws.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    identity = {"accountId": ACCOUNT, "instanceId": instance, "region": REGION, "imageId": image}
    cluster = aws.cluster()
    aws.ecs.register_container_instance(cluster=cluster, instanceIdentityDocument=json.dumps(identity))
    family = aws.register(requiresCompatibilities=["EC2"], cpu="128", memory="128")["family"]
    network = {"awsvpcConfiguration": {"subnets": [aws.public_subnet]}}
    task = aws.run(family, cluster=cluster, launchType="EC2", networkConfiguration=network)["tasks"][0]
    aws.advance(5)
    assert aws.task(task, cluster)["stoppedReason"] == RAN
