"""RunTask: what runs, and what AWS refuses, in AWS's own words."""

import json

import pytest
from local_world import ACCOUNT, LocalWorld, allow, arn, document, refused, trusting

INVALID = "InvalidParameterException"
PUBLIC = {"assignPublicIp": "ENABLED"}


@pytest.fixture(scope="module")
def aws(server):
    return LocalWorld(server)


def describe_latest(aws, family):
    return aws.ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]["revision"]


# -------- which revision


def test_a_reference_without_a_revision_means_the_latest_active_one(aws):
    family = aws.register()["family"]
    aws.register(family)
    aws.register(family)
    aws.ecs.deregister_task_definition(taskDefinition=f"{family}:3")
    for reference in (family, arn(f"task-definition/{family}")):
        assert aws.run(reference)["tasks"][0]["taskDefinitionArn"] == arn(f"task-definition/{family}:2")
    assert describe_latest(aws, family) == 2
    assert aws.run(f"{family}:1")["tasks"][0]["taskDefinitionArn"].endswith(":1")


def test_a_new_revision_runs_at_once_without_anything_else_being_touched(aws):
    family = aws.register()["family"]
    assert aws.run(family)["tasks"][0]["taskDefinitionArn"].endswith(f"{family}:1")
    aws.register(family)
    assert aws.run(family)["tasks"][0]["taskDefinitionArn"].endswith(f"{family}:2")


def test_an_inactive_revision_is_refused(aws):
    family = aws.register()["family"]
    aws.ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    with refused(INVALID, "TaskDefinition is inactive"):
        aws.run(f"{family}:1")


@pytest.mark.parametrize("reference", ["nobody", "nobody:1", arn("task-definition/nobody"), "a b", "x:y"])
def test_an_unknown_definition_is_not_found(aws, reference):
    with refused("ClientException", "TaskDefinition not found."):
        aws.run(reference)


def test_a_family_without_an_active_revision_is_not_found(aws):
    family = aws.register()["family"]
    aws.ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    with refused("ClientException", "TaskDefinition not found."):
        aws.run(family)


def test_a_definition_of_another_region_is_not_found(aws):
    family = aws.register()["family"]
    with refused("ClientException", "TaskDefinition not found."):
        aws.run(arn(f"task-definition/{family}", region="us-east-1"))


# -------- where it runs


def test_with_neither_launch_type_nor_strategy_it_is_ec2_where_a_public_ip_is_refused(aws):
    definition = aws.register()["family"]
    cluster = aws.cluster()
    with refused(INVALID, "Assign public IP is not supported for this launch type."):
        aws.run(definition, cluster=cluster, launchType=None, networkConfiguration=aws.network(**PUBLIC))
    with refused(INVALID, "Assign public IP is not supported for this launch type."):
        aws.run(definition, cluster=cluster, launchType="EC2", networkConfiguration=aws.network(**PUBLIC))


def test_a_public_ip_is_fine_on_fargate_by_launch_type_strategy_or_the_clusters_default(aws):
    definition = aws.register()["family"]
    cluster = aws.cluster(
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}],
    )
    public = {"cluster": cluster, "networkConfiguration": aws.network(**PUBLIC)}
    on_demand = [{"capacityProvider": "FARGATE", "weight": 1}]
    by_type = aws.run(definition, **public)["tasks"][0]
    by_strategy = aws.run(definition, launchType=None, capacityProviderStrategy=on_demand, **public)["tasks"][0]
    by_default = aws.run(definition, launchType=None, **public)["tasks"][0]
    assert [task["launchType"] for task in (by_type, by_strategy, by_default)] == ["FARGATE"] * 3
    assert "capacityProviderName" not in by_type
    assert by_strategy["capacityProviderName"] == "FARGATE"
    assert by_default["capacityProviderName"] == "FARGATE_SPOT"


def test_a_cluster_that_is_there_is_not_made_again_and_a_deleted_one_is(aws):
    strategy = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    name = aws.cluster(capacityProviders=["FARGATE", "FARGATE_SPOT"])
    # Source: hashicorp/terraform-provider-aws#38875: what is there is taken over
    assert aws.ecs.create_cluster(clusterName=name)["cluster"]["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert aws.run(aws.register()["family"], cluster=name, capacityProviderStrategy=strategy, launchType=None)["tasks"]
    empty = aws.cluster(capacityProviders=["FARGATE"])
    aws.ecs.delete_cluster(cluster=empty)
    assert aws.ecs.create_cluster(clusterName=empty)["cluster"]["status"] == "ACTIVE"


def test_a_provider_that_the_cluster_does_not_have_is_refused(aws):
    definition = aws.register()["family"]
    with refused(
        INVALID,
        "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the "
        "cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again.",
    ):
        aws.run(
            definition,
            cluster=aws.cluster(),
            launchType=None,
            capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}],
        )


def test_launch_type_and_strategy_exclude_each_other(aws):
    with refused(INVALID, "Specify either Launch Type or Capacity Provider Strategy, but not both."):
        aws.run(aws.register()["family"], capacityProviderStrategy=[{"capacityProvider": "FARGATE"}])


def test_ec2_on_a_cluster_without_instances_is_refused(aws):
    definition = aws.register(requiresCompatibilities=None, networkMode="bridge")["family"]
    for launch in ("EC2", None):
        with refused(INVALID, "No Container Instances were found in your cluster."):
            aws.run(definition, cluster=aws.cluster(), launchType=launch, networkConfiguration=None)


def with_instance(aws):
    image = aws.ec2.describe_images()["Images"][0]["ImageId"]
    instance = aws.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    cluster = aws.cluster()
    identity = {
        "accountId": ACCOUNT,
        "architecture": "x86_64",
        "availabilityZone": "eu-west-2a",
        "imageId": image,
        "instanceId": instance,
        "instanceType": "m5.large",
        "region": "eu-west-2",
    }
    made = aws.ecs.register_container_instance(cluster=cluster, instanceIdentityDocument=json.dumps(identity))
    return cluster, made["containerInstance"]["containerInstanceArn"]


def test_ec2_runs_on_a_container_instance_and_gives_back_what_it_took(aws):
    cluster, instance = with_instance(aws)
    definition = aws.register(requiresCompatibilities=["EC2"], networkMode="bridge", cpu="1024", memory="4096")[
        "family"
    ]
    ec2 = {"cluster": cluster, "launchType": "EC2", "networkConfiguration": None}
    task = aws.run(definition, **ec2)["tasks"][0]
    assert (task["containerInstanceArn"], task["launchType"], task["attachments"]) == (instance, "EC2", [])
    full = aws.run(definition, **ec2)
    assert (full["tasks"], full["failures"]) == ([], [{"arn": instance, "reason": "RESOURCE:MEMORY"}])
    aws.advance(2)
    assert aws.task(task, cluster)["lastStatus"] == "STOPPED"
    assert len(aws.run(definition, **ec2)["tasks"]) == 1


def test_what_cannot_be_placed_is_a_failure_and_the_others_run(aws):
    cluster, instance = with_instance(aws)
    definition = aws.register(requiresCompatibilities=["EC2"], networkMode="bridge", memory="3000")["family"]
    answer = aws.run(definition, cluster=cluster, launchType="EC2", networkConfiguration=None, count=3)
    assert len(answer["tasks"]) == 2
    assert answer["failures"] == [{"arn": instance, "reason": "RESOURCE:MEMORY"}]


def test_start_task_runs_on_the_instances_that_are_named(aws):
    cluster, instance = with_instance(aws)
    definition = aws.register(requiresCompatibilities=["EC2"], networkMode="bridge")["family"]
    answer = aws.ecs.start_task(cluster=cluster, taskDefinition=definition, containerInstances=[instance, "gone"])
    assert [task["containerInstanceArn"] for task in answer["tasks"]] == [instance]
    assert answer["failures"] == [{"arn": "gone", "reason": "MISSING"}]


# -------- what is refused


@pytest.mark.parametrize(
    "lacking",
    [
        {"requiresCompatibilities": ["EC2"]},
        {"requiresCompatibilities": None},
        {"cpu": None},
        {"memory": None, "containers": [{"name": "main", "image": "busybox", "memory": 128}]},
    ],
    ids=["for EC2 alone", "for nothing in particular", "without cpu", "without memory"],
)
def test_a_definition_that_is_not_for_fargate_is_refused_there(aws, lacking):
    with refused(INVALID, "Task definition does not support launch_type FARGATE."):
        aws.run(aws.register(**lacking)["family"])


def test_external_needs_a_definition_for_it(aws):
    with refused(INVALID, "Task definition does not support launch_type EXTERNAL."):
        aws.run(aws.register()["family"], launchType="EXTERNAL")


@pytest.mark.parametrize("launch", ["FARGATE", "EC2", None])
def test_awsvpc_without_a_network_configuration_is_refused(aws, launch):
    with refused(INVALID, "Network Configuration must be provided when networkMode 'awsvpc' is specified."):
        aws.run(aws.register()["family"], cluster=aws.cluster(), launchType=launch, networkConfiguration=None)


def test_a_network_configuration_without_awsvpc_is_refused(aws):
    definition = aws.register(requiresCompatibilities=["EC2"], networkMode="bridge")["family"]
    with refused(INVALID, "Network Configuration is not valid for the given networkMode of this task definition."):
        aws.run(definition, launchType="EC2")


def test_an_unknown_subnet_is_refused(aws):
    gone = "subnet-0123456789abcdef0"
    with refused(
        INVALID,
        f"Error retrieving subnet information for [{gone}]: "
        f"The subnet ID '{gone}' does not exist (ErrorCode: InvalidSubnetID.NotFound)",
    ):
        aws.run(aws.register()["family"], networkConfiguration={"awsvpcConfiguration": {"subnets": [gone]}})


def test_an_unknown_security_group_is_refused(aws):
    gone = "sg-0123456789abcdef0"
    with refused(
        INVALID,
        f"Error retrieving security group information for [{gone}]: "
        f"The security group '{gone}' does not exist (ErrorCode: InvalidGroup.NotFound)",
    ):
        aws.run(aws.register()["family"], networkConfiguration=aws.network(securityGroups=[aws.group, gone]))


def test_a_security_group_of_another_vpc_is_refused(aws):
    other = aws.ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    group = aws.ec2.create_security_group(GroupName="other", Description="o", VpcId=other)["GroupId"]
    with refused(INVALID, f"Security group {group} does not appear to belong to the same VPC as the input subnets."):
        aws.run(aws.register()["family"], networkConfiguration=aws.network(securityGroups=[group]))


def test_an_override_for_a_container_that_the_revision_does_not_have_is_refused(aws):
    overrides = {"containerOverrides": [{"name": "main"}, {"name": "sidecar"}]}
    with refused(INVALID, "Override for container named sidecar is not a container in the TaskDefinition"):
        aws.run(aws.register()["family"], overrides=overrides)


def test_a_platform_version_is_for_fargate_alone(aws):
    definition = aws.register()["family"]
    with refused(INVALID, "The platform version must be null when specifying an EC2 launch type"):
        aws.run(definition, launchType="EC2", platformVersion="LATEST")
    with refused("PlatformUnknownException", "The specified platform version doesn't exist."):
        aws.run(definition, platformVersion="9.9.9")
    assert aws.run(definition, platformVersion="1.3.0")["tasks"][0]["platformVersion"] == "1.3.0"
    assert aws.run(definition)["tasks"][0]["platformVersion"] == "1.4.0"


def test_an_unknown_and_a_deleted_cluster_are_not_found(aws):
    definition = aws.register()["family"]
    with refused("ClusterNotFoundException", "Cluster not found."):
        aws.run(definition, cluster="nowhere")
    deleted = aws.cluster()
    aws.ecs.delete_cluster(cluster=deleted)
    with refused("ClusterNotFoundException", "The referenced cluster was inactive"):
        aws.run(definition, cluster=arn(f"cluster/{deleted}"))


@pytest.mark.parametrize("count", [0, 11])
def test_no_more_than_ten_tasks_run_at_a_time(aws, count):
    with refused(INVALID, "count should be between 1 and 10."):
        aws.run(aws.register()["family"], count=count)


def test_ten_tasks_run_each_with_an_arn_of_its_own(aws):
    tasks = aws.run(aws.register()["family"], count=10)["tasks"]
    assert len({task["taskArn"] for task in tasks}) == 10


def test_roles_that_ecs_cannot_assume_are_refused(aws):
    gone = f"arn:aws:iam::{ACCOUNT}:role/gone"
    for role in (gone, aws.role(trust=trusting("events.amazonaws.com"))):
        with refused(
            "ClientException",
            f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role "
            "being passed has the proper trust relationship and permissions and that your IAM user has permissions to "
            "pass this role.",
        ):
            aws.run(aws.register(executionRoleArn=role)["family"])
    assert aws.run(aws.register(taskRoleArn=aws.role(), executionRoleArn=aws.role())["family"])["tasks"]


def test_an_unreadable_setting_of_the_local_aws_is_told_at_once(aws):
    environment = [{"name": "LOCAL_AWS_OUTCOME", "value": "explode"}]
    with refused(
        INVALID,
        "LOCAL_AWS_OUTCOME = explode: one of exit, hang, out-of-memory, spot-interruption, image-not-found, "
        "never-started is wanted.",
    ):
        aws.run(
            aws.register()["family"], overrides={"containerOverrides": [{"name": "main", "environment": environment}]}
        )


def test_a_client_token_makes_a_call_happen_once(aws):
    definition = aws.register()["family"]
    first = aws.run(definition, clientToken="once-" + definition)["tasks"][0]["taskArn"]
    again = aws.run(definition, clientToken="once-" + definition)["tasks"][0]["taskArn"]
    assert first == again
    with refused(
        "ConflictException",
        "The RunTask request could not be processed due to conflicts. "
        "The provided clientToken is already in use with a different RunTask request.",
    ):
        aws.run(definition, clientToken="once-" + definition, count=2)


# -------- what the task is


def test_memory_at_task_level_alone_and_no_security_group_run(aws):
    task = aws.run(aws.register()["family"])["tasks"][0]
    assert (task["cpu"], task["memory"], task["lastStatus"]) == ("256", "512", "PROVISIONING")
    aws.advance(0.2)
    details = {d["name"]: d["value"] for d in aws.task(task)["attachments"][0]["details"]}
    eni = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[details["networkInterfaceId"]])["NetworkInterfaces"]
    assert [group["GroupName"] for group in eni[0]["Groups"]] == ["default"]
    assert eni[0]["PrivateIpAddress"].startswith("10.9.1.")


def test_what_was_asked_for_is_kept(aws):
    definition = aws.register(tags=[{"key": "team", "value": "night"}, {"key": "who", "value": "definition"}])
    overrides = {"containerOverrides": [{"name": "main", "command": ["true"]}], "cpu": "512", "memory": "1024"}
    task = aws.run(
        definition["family"],
        startedBy="me",
        tags=[{"key": "who", "value": "call"}],
        propagateTags="TASK_DEFINITION",
        enableECSManagedTags=True,
        enableExecuteCommand=True,
        overrides=overrides,
    )["tasks"][0]
    assert task["startedBy"] == "me"
    assert task["group"] == f"family:{definition['family']}"
    assert task["enableExecuteCommand"] is True
    assert (task["cpu"], task["memory"]) == ("512", "1024")
    assert task["overrides"]["containerOverrides"] == [{"name": "main", "command": ["true"]}]
    assert {t["key"]: t["value"] for t in task["tags"]} == {
        "who": "call",
        "team": "night",
        "aws:ecs:clusterName": "default",
    }
    assert aws.run(definition["family"], group="mine")["tasks"][0]["group"] == "mine"


def test_tags_of_a_task_are_listed_and_told_only_if_asked_for(aws):
    task = aws.run(aws.register()["family"], tags=[{"key": "a", "value": "b"}])["tasks"][0]
    assert "tags" not in aws.task(task)
    assert aws.task(task, include=["TAGS"])["tags"] == [{"key": "a", "value": "b"}]
    assert aws.ecs.list_tags_for_resource(resourceArn=task["taskArn"])["tags"] == [{"key": "a", "value": "b"}]


# -------- who may


def denied(session, action, resource, why="because no identity-based policy allows the {} action"):
    return refused(
        "AccessDeniedException",
        f"User: {session} is not authorized to perform: {action} on resource: {resource} {why.format(action)}",
    )


def test_the_bare_family_in_a_policy_allows_nothing_and_the_resolved_revision_is_named(aws):
    family = aws.register()["family"]
    aws.register(family)
    credentials, session = aws.session(allow("ecs:RunTask", arn(f"task-definition/{family}")))
    with denied(session, "ecs:RunTask", arn(f"task-definition/{family}:2")):
        aws.run(family, ecs=aws.client("ecs", credentials))


def test_every_revision_in_a_policy_allows_whichever_is_latest(aws):
    family = aws.register()["family"]
    credentials, _ = aws.session(allow("ecs:RunTask", arn(f"task-definition/{family}:*")))
    ecs = aws.client("ecs", credentials)
    assert aws.run(family, ecs=ecs)["tasks"]
    aws.register(family)
    assert aws.run(family, ecs=ecs)["tasks"][0]["taskDefinitionArn"].endswith(":2")


def test_a_policy_pinned_to_a_revision_stops_matching_when_the_next_is_registered(aws):
    family = aws.register()["family"]
    credentials, session = aws.session(allow("ecs:RunTask", arn(f"task-definition/{family}:1")))
    ecs = aws.client("ecs", credentials)
    assert aws.run(family, ecs=ecs)["tasks"]
    aws.register(family)
    with denied(session, "ecs:RunTask", arn(f"task-definition/{family}:2")):
        aws.run(family, ecs=ecs)


@pytest.mark.parametrize("operator", ["ArnEquals", "ArnLike", "StringEquals", "StringLike"])
def test_a_policy_can_name_the_cluster(aws, operator):
    family = aws.register()["family"]
    right, wrong = aws.cluster(), aws.cluster()
    condition = {operator: {"ecs:cluster": arn(f"cluster/{right}")}}
    credentials, session = aws.session(allow("ecs:RunTask", "*", condition))
    ecs = aws.client("ecs", credentials)
    assert aws.run(family, ecs=ecs, cluster=right)["tasks"]
    assert aws.run(family, ecs=ecs, cluster=arn(f"cluster/{right}"))["tasks"]
    with denied(session, "ecs:RunTask", arn(f"task-definition/{family}:1")):
        aws.run(family, ecs=ecs, cluster=wrong)


def test_an_explicit_deny_says_so(aws):
    family = aws.register()["family"]
    credentials, session = aws.session(allow("ecs:*", "*"), allow("ecs:RunTask", "*", effect="Deny"))
    with denied(
        session,
        "ecs:RunTask",
        arn(f"task-definition/{family}:1"),
        "with an explicit deny in an identity-based policy",
    ):
        aws.run(family, ecs=aws.client("ecs", credentials))


def test_both_roles_of_the_revision_must_be_allowed_to_be_passed(aws):
    task_role, execution_role = aws.role(), aws.role()
    family = aws.register(taskRoleArn=task_role, executionRoleArn=execution_role)["family"]
    run = allow("ecs:RunTask", "*")
    to_tasks = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    credentials, session = aws.session(run, allow("iam:PassRole", task_role, to_tasks))
    with denied(session, "iam:PassRole", execution_role):
        aws.run(family, ecs=aws.client("ecs", credentials))
    credentials, session = aws.session(run, allow("iam:PassRole", execution_role, to_tasks))
    with denied(session, "iam:PassRole", task_role):
        aws.run(family, ecs=aws.client("ecs", credentials))
    credentials, _ = aws.session(run, allow("iam:PassRole", [task_role, execution_role], to_tasks))
    assert aws.run(family, ecs=aws.client("ecs", credentials))["tasks"]
    elsewhere = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    credentials, session = aws.session(run, allow("iam:PassRole", "*", elsewhere))
    with denied(session, "iam:PassRole", task_role):
        aws.run(family, ecs=aws.client("ecs", credentials))


def test_a_role_in_an_override_must_be_allowed_too(aws):
    own, other = aws.role(), aws.role()
    family = aws.register(taskRoleArn=own)["family"]
    credentials, session = aws.session(allow("ecs:RunTask", "*"), allow("iam:PassRole", own))
    with denied(session, "iam:PassRole", other):
        aws.run(family, ecs=aws.client("ecs", credentials), overrides={"taskRoleArn": other})


def test_tagging_needs_a_right_of_its_own(aws):
    family = aws.register()["family"]
    run, tags = allow("ecs:RunTask", "*"), [{"key": "a", "value": "b"}]
    credentials, session = aws.session(run)
    ecs = aws.client("ecs", credentials)
    with denied(session, "ecs:TagResource", arn("task/default/*")):
        aws.run(family, ecs=ecs, tags=tags)
    assert aws.run(family, ecs=ecs)["tasks"]
    when_running = {"StringEquals": {"ecs:CreateAction": "RunTask"}}
    credentials, _ = aws.session(run, allow("ecs:TagResource", arn("task/default/*"), when_running))
    assert aws.run(family, ecs=aws.client("ecs", credentials), tags=tags)["tasks"]


def test_the_definition_is_resolved_before_iam_is_asked(aws):
    credentials, _ = aws.session()
    with refused("ClientException", "TaskDefinition not found."):
        aws.run("nobody", ecs=aws.client("ecs", credentials))


def test_iam_is_asked_before_the_parameters_are_judged(aws):
    family = aws.register()["family"]
    credentials, session = aws.session()
    with denied(session, "ecs:RunTask", arn(f"task-definition/{family}:1")):
        aws.run(family, ecs=aws.client("ecs", credentials), cluster="nowhere", networkConfiguration=None)


def test_managed_policies_a_users_and_its_groups_count(aws):
    family = aws.register()["family"]
    user, group = aws.name("user"), aws.name("group")
    aws.iam.create_user(UserName=user)
    aws.iam.create_group(GroupName=group)
    aws.iam.add_user_to_group(UserName=user, GroupName=group)
    ecs = aws.client("ecs", aws.iam.create_access_key(UserName=user)["AccessKey"])
    with denied(f"arn:aws:iam::{ACCOUNT}:user/{user}", "ecs:RunTask", arn(f"task-definition/{family}:1")):
        aws.run(family, ecs=ecs)
    policy = aws.iam.create_policy(PolicyName=aws.name("policy"), PolicyDocument=document(allow("ecs:RunTask", "*")))
    aws.iam.attach_group_policy(GroupName=group, PolicyArn=policy["Policy"]["Arn"])
    assert aws.run(family, ecs=ecs)["tasks"]


def test_a_boundary_and_a_session_policy_limit_what_a_role_may(aws):
    family = aws.register()["family"]
    resource = arn(f"task-definition/{family}:1")
    nothing = document(allow("s3:*", "*"))
    credentials, session = aws.session(allow("ecs:RunTask", "*"), Policy=nothing)
    with denied(session, "ecs:RunTask", resource, "because no session policy allows the {} action"):
        aws.run(family, ecs=aws.client("ecs", credentials))
    credentials, session = aws.session(allow("ecs:RunTask", "*"))
    boundary = aws.iam.create_policy(PolicyName=aws.name("boundary"), PolicyDocument=nothing)["Policy"]["Arn"]
    aws.iam.put_role_permissions_boundary(RoleName=session.split("/")[1], PermissionsBoundary=boundary)
    with denied(session, "ecs:RunTask", resource, "because no permissions boundary allows the {} action"):
        aws.run(family, ecs=aws.client("ecs", credentials))


def test_a_role_is_assumed_by_whom_it_trusts_alone(aws):
    role = aws.role(trust=trusting("events.amazonaws.com"))
    for wanted in (role, f"arn:aws:iam::{ACCOUNT}:role/gone"):
        with refused(
            "AccessDenied",
            f"User: arn:aws:iam::{ACCOUNT}:root is not authorized to perform: sts:AssumeRole on resource: {wanted}",
        ):
            aws.sts.assume_role(RoleArn=wanted, RoleSessionName="me")


def test_a_denied_call_stands_in_the_trail_as_aws_writes_it(aws):
    family = aws.register()["family"]
    credentials, session = aws.session()
    with denied(session, "ecs:RunTask", arn(f"task-definition/{family}:1")):
        aws.run(family, ecs=aws.client("ecs", credentials))
    record = aws.trail("RunTask")[-1]
    assert record["errorCode"] == "AccessDenied"
    assert f"task-definition/{family}:1 because" in record["errorMessage"]
    assert (record["requestParameters"], record["responseElements"]) == (None, None)
    assert record["userIdentity"]["arn"] == session
