"""
Every refusal of RunTask that the local AWS knows, as code and message; the same words stand in the trail.

The words are AWS's, as public issues and AWS's documentation quote them.
"""

import json

import pytest
from botocore.exceptions import ClientError
from local_world import ACCOUNT, REGION, LocalWorld, allow, arn, refused

from ecs_runbook.errors import LocalAwsError
from ecs_runbook.local_aws import process

INVALID = "InvalidParameterException"
GONE_SUBNET, GONE_GROUP = "subnet-0123456789abcdef0", "sg-0123456789abcdef0"
BRIDGE = {"requiresCompatibilities": ["EC2"], "networkMode": "bridge"}


@pytest.fixture(scope="module")
def aws(server):
    return LocalWorld(server)


@pytest.fixture(autouse=True)
def _settings_as_at_the_start(server):
    yield
    process.settings(server, reset=True)


def inactive(aws):
    made = aws.register()["taskDefinitionArn"]
    aws.ecs.deregister_task_definition(taskDefinition=made)
    return {"definition": made}


def deleted_cluster(aws):
    name = aws.cluster()
    aws.ecs.delete_cluster(cluster=name)
    return {"cluster": name}


def other_vpc(aws):
    vpc = aws.ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    group = aws.ec2.create_security_group(GroupName="other", Description="o", VpcId=vpc)["GroupId"]
    return {"networkConfiguration": aws.network(securityGroups=[group])}


def throttled_subnets(aws):
    process.settings(aws.server, throttle={"ec2:DescribeSubnets": 1})
    return {}


def throttled(aws):
    process.settings(aws.server, throttle={"ecs:RunTask": 1})
    return {}


def used_token(aws):
    aws.run(aws.register()["family"], clientToken="used")
    return {"clientToken": "used", "count": 2}


ROWS = {
    "public ip": (
        INVALID,
        "Assign public IP is not supported for this launch type.",
        lambda aws: {"launchType": None, "networkConfiguration": aws.network(assignPublicIp="ENABLED")},
    ),
    "no network configuration": (
        INVALID,
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        lambda _: {"networkConfiguration": None},
    ),
    "no instances": (
        INVALID,
        "No Container Instances were found in your cluster.",
        lambda aws: {"definition": aws.register(**BRIDGE)["family"], "launchType": None, "networkConfiguration": None},
    ),
    "not for Fargate": (
        INVALID,
        "Task definition does not support launch_type FARGATE.",
        lambda aws: {"definition": aws.register(requiresCompatibilities=["EC2"])["family"]},
    ),
    "inactive": (INVALID, "TaskDefinition is inactive", inactive),
    "not found": ("ClientException", "TaskDefinition not found.", lambda _: {"definition": "nobody"}),
    "subnet": (
        INVALID,
        (
            f"Error retrieving subnet information for [{GONE_SUBNET}]: The subnet ID '{GONE_SUBNET}' does not exist "
            "(ErrorCode: InvalidSubnetID.NotFound)"
        ),
        lambda _: {"networkConfiguration": {"awsvpcConfiguration": {"subnets": [GONE_SUBNET]}}},
    ),
    "subnet throttled": (
        INVALID,
        "Error retrieving subnet information for [{subnet}]: Rate exceeded (ErrorCode: Throttling)",
        throttled_subnets,
    ),
    "group": (
        INVALID,
        (
            f"Error retrieving security group information for [{GONE_GROUP}]: The security group '{GONE_GROUP}' does "
            "not exist (ErrorCode: InvalidGroup.NotFound)"
        ),
        lambda aws: {"networkConfiguration": aws.network(securityGroups=[GONE_GROUP])},
    ),
    "two vpcs": (
        INVALID,
        "Security group {group} does not appear to belong to the same VPC as the input subnets.",
        other_vpc,
    ),
    "override": (
        INVALID,
        "Override for container named gone is not a container in the TaskDefinition",
        lambda _: {"overrides": {"containerOverrides": [{"name": "gone"}]}},
    ),
    "platform on EC2": (
        INVALID,
        "The platform version must be null when specifying an EC2 launch type",
        lambda _: {"launchType": "EC2", "platformVersion": "1.4.0"},
    ),
    "platform": (
        "PlatformUnknownException",
        "The specified platform version doesn't exist.",
        lambda _: {"platformVersion": "9.9.9"},
    ),
    "cluster": ("ClusterNotFoundException", "Cluster not found.", lambda _: {"cluster": "nowhere"}),
    "deleted cluster": ("ClusterNotFoundException", "The referenced cluster was inactive", deleted_cluster),
    "role": (
        "ClientException",
        (
            f"ECS was unable to assume the role 'arn:aws:iam::{ACCOUNT}:role/gone' that was provided for this task. "
            "Please verify that the role being passed has the proper trust relationship and permissions and that your "
            "IAM user has permissions to pass this role."
        ),
        lambda aws: {"definition": aws.register(taskRoleArn=f"arn:aws:iam::{ACCOUNT}:role/gone")["family"]},
    ),
    "throttled": ("ThrottlingException", "Rate exceeded", throttled),
    "token": (
        "ConflictException",
        (
            "The RunTask request could not be processed due to conflicts. The provided clientToken is already in use "
            "with a different RunTask request."
        ),
        used_token,
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_run_task_refuses_in_awss_words_and_the_trail_has_them(aws, row):
    code, message, setting = ROWS[row]
    asked = {"cluster": aws.cluster(), **setting(aws)}
    network = asked.get("networkConfiguration", aws.network()) or {"awsvpcConfiguration": {}}
    named = network["awsvpcConfiguration"]
    words = message.format(subnet=aws.subnet, group=(named.get("securityGroups") or [""])[0])
    definition = asked.pop("definition", "") or aws.register()["family"]
    with refused(code, words):
        aws.run(definition, **asked)
    record = aws.trail("RunTask")[-1]
    assert (record["errorCode"], record["errorMessage"], record["responseElements"]) == (code, words, None)


def test_describing_what_is_not_there_has_words_of_its_own(aws):
    with refused("ClientException", "Unable to describe task definition."):
        aws.ecs.describe_task_definition(taskDefinition="nobody")


# -------- HTTP 200, and failures


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (
            "no-capacity",
            "Capacity is unavailable at this time. Please try again later or in a different availability zone",
        ),
        ("quota", "You\u2019ve reached the limit on the number of vCPUs you can run concurrently"),
    ],
)
def test_fargate_can_lack_room_which_is_a_failure_and_no_error(aws, setting, words):
    process.settings(aws.server, fargate=setting)
    answer = aws.run(aws.register()["family"], count=2)
    assert (answer["tasks"], answer["failures"]) == ([], [{"reason": words}] * 2)
    record = aws.trail("RunTask")[-1]
    assert "errorCode" not in record
    assert record["responseElements"] == {"tasks": [], "failures": [{"reason": words}] * 2}
    process.settings(aws.server, fargate="available")
    assert len(aws.run(aws.register()["family"])["tasks"]) == 1


def test_an_instance_lacks_cpu_memory_ports_or_its_agent(aws):
    image = aws.ec2.describe_images()["Images"][0]["ImageId"]
    instance = aws.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    cluster = aws.cluster()
    identity = json.dumps({"accountId": ACCOUNT, "instanceId": instance, "region": REGION, "imageId": image})
    made = aws.ecs.register_container_instance(cluster=cluster, instanceIdentityDocument=identity)
    where = made["containerInstance"]["containerInstanceArn"]
    ssh = [{"name": "main", "image": "x", "portMappings": [{"containerPort": 22, "hostPort": 22}]}]
    for reason, more in (("CPU", {"cpu": "9999"}), ("MEMORY", {"memory": "99999"}), ("PORTS", {"containers": ssh})):
        family = aws.register(**{**BRIDGE, "cpu": "128", "memory": "128", **more})["family"]
        answer = aws.run(family, cluster=cluster, launchType="EC2", networkConfiguration=None)
        assert (answer["tasks"], answer["failures"]) == ([], [{"arn": where, "reason": f"RESOURCE:{reason}"}])
    aws.ec2.stop_instances(InstanceIds=[instance])
    answer = aws.run(aws.register(**BRIDGE)["family"], cluster=cluster, launchType="EC2", networkConfiguration=None)
    assert (answer["tasks"], answer["failures"]) == ([], [{"arn": where, "reason": "AGENT"}])


# -------- throttling, of any call


def test_a_number_of_calls_is_throttled_and_no_more(aws):
    process.settings(aws.server, throttle={"cloudtrail:LookupEvents": 2, "ecs:RunTask": 0})
    for _ in range(2):
        with refused("ThrottlingException", "Rate exceeded"):
            aws.cloudtrail.lookup_events()
    assert aws.trail("LookupEvents")[-1]["errorCode"] == "ThrottlingException"
    assert aws.run(aws.register()["family"])["tasks"]
    assert process.settings(aws.server)["throttle"] == {}


def test_always_is_until_it_is_taken_back(aws):
    process.settings(aws.server, throttle={"iam:ListRoles": "always", "ec2:DescribeVpcs": "always"})
    for _ in range(3):
        with refused("Throttling", "Rate exceeded"):
            aws.iam.list_roles()
        with refused("RequestLimitExceeded", "Request limit exceeded."):
            aws.ec2.describe_vpcs()
    process.settings(aws.server, throttle={})
    assert aws.iam.list_roles()["Roles"] is not None


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"fargate": "gone"}, "fargate = gone: one of available, no-capacity, quota is wanted."),
        ({"throttle": {"ecs:Run": 1}}, "throttle = ecs:Run: no such operation"),
        ({"throttle": {"nobody:RunTask": 1}}, "throttle = nobody:RunTask: no such operation"),
        ({"throttle": {"ecs:RunTask": -1}}, "throttle = ecs:RunTask: -1: a number of calls is wanted, or always."),
        ({"throttle": "ecs:RunTask"}, "throttle = ecs:RunTask: an object such as"),
        ({"retry_refused": 1}, "retry_refused = 1: true or false is wanted."),
        ({"colour": "red"}, "colour: no such setting; there are"),
    ],
)
def test_a_setting_that_is_none_changes_nothing(aws, wanted, words):
    before = process.settings(aws.server)
    with pytest.raises(LocalAwsError) as wrong:
        process.settings(aws.server, cloudtrail_delay_seconds=9, **wanted)
    assert words in str(wrong.value)
    assert process.settings(aws.server) == before


def test_all_settings_are_shown_and_can_be_taken_back_at_once(aws):
    start = {
        "athena_seconds": 0.0,
        "cloudtrail_delay_seconds": 0.0,
        "deliver_twice": {},
        "enforce_iam": False,
        "fargate": "available",
        "faults": [],
        "log_twice": {},
        "placement_error": "AmazonECS.Unknown",
        "rates": "unlimited",
        "retry_refused": False,
        "second_delivery_seconds": 5.0,
        "stop_timed_out": False,
        "throttle": {},
    }
    assert process.settings(aws.server) == start
    changed = {
        "athena_seconds": 0.5,
        "cloudtrail_delay_seconds": 60.0,
        "deliver_twice": {"nightly": 2},
        "enforce_iam": True,
        "fargate": {"quota": 2},
        "faults": [],
        "log_twice": {"RunTask": "always"},
        "placement_error": "ECS.AmazonECSException",
        "rates": "published",
        "retry_refused": True,
        "second_delivery_seconds": 20.0,
        "stop_timed_out": True,
        "throttle": {"ecs:RunTask": 3},
    }
    assert process.settings(aws.server, **changed) == changed
    assert process.settings(aws.server, reset=True, fargate="no-capacity") == {**start, "fargate": "no-capacity"}
    assert process.settings(aws.server, reset=True) == start


def test_a_denial_is_access_denied_in_the_trail_whatever_the_api_calls_it(aws):
    credentials, _ = aws.session(allow("iam:PassRole", "*"))
    family = aws.register()["family"]
    with pytest.raises(ClientError) as denial:
        aws.run(family, ecs=aws.client("ecs", credentials))
    assert denial.value.response["Error"]["Code"] == "AccessDeniedException"
    record = aws.trail("RunTask")[-1]
    assert record["errorCode"] == "AccessDenied"
    assert arn(f"task-definition/{family}:1") in record["errorMessage"]
    assert (record["requestParameters"], record["responseElements"]) == (None, None)
