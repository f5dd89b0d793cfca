"""A task's life: by the world's clock, told as ECS tells it, and forgotten in time."""

from datetime import datetime, timedelta

import pytest
from local_world import LocalWorld, arn, refused


@pytest.fixture(scope="module")
def aws(server):
    return LocalWorld(server)


def script(name="main", **said):
    environment = [{"name": f"LOCAL_AWS_{key.upper()}", "value": str(value)} for key, value in said.items()]
    return {"containerOverrides": [{"name": name, "environment": environment}]}


def seconds(later, earlier):
    return round((later - earlier) / timedelta(seconds=1), 3)


def ended(aws, definition=None, after=60, **more):
    task = aws.run(definition or aws.register()["family"], **more)["tasks"][0]
    aws.advance(after)
    return aws.task(task)


def test_a_task_goes_through_its_states_by_the_clock(aws):
    task = aws.run(aws.register()["family"])["tasks"][0]
    seen = [task["lastStatus"]]
    for span in (0.2, 0.3, 1, 0.2):
        aws.advance(span)
        seen.append(aws.task(task)["lastStatus"])
    assert seen == ["PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED"]


def test_reading_a_task_moves_nothing(aws):
    task = aws.run(aws.register()["family"])["tasks"][0]
    assert {aws.task(task)["lastStatus"] for _ in range(10)} == {"PROVISIONING"}
    assert aws.task(task)["version"] == 1


def test_a_task_that_ended_well_has_every_time_and_exit_code_0(aws):
    task = ended(aws)
    began = task["createdAt"]
    assert isinstance(began, datetime)
    times = {
        "pullStartedAt": 0.2,
        "connectivityAt": 0.2,
        "pullStoppedAt": 0.5,
        "startedAt": 0.5,
        "stoppingAt": 1.5,
        "executionStoppedAt": 1.5,
        "stoppedAt": 1.7,
    }
    assert {name: seconds(task[name], began) for name in times} == times
    assert (task["lastStatus"], task["desiredStatus"], task["connectivity"]) == ("STOPPED", "STOPPED", "CONNECTED")
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    container = task["containers"][0]
    assert (container["name"], container["lastStatus"], container["exitCode"]) == ("main", "STOPPED", 0)
    assert "reason" not in container


def test_the_environment_says_the_exit_code_and_how_long(aws):
    containers = [{"name": "main", "image": "x", "environment": [{"name": "LOCAL_AWS_EXIT_CODE", "value": "3"}]}]
    family = aws.register(containers=containers)["family"]
    by_definition, by_override = ended(aws, family), ended(aws, family, overrides=script(exit_code=4, seconds=20))
    assert by_definition["containers"][0]["exitCode"] == 3
    assert by_override["containers"][0]["exitCode"] == 4
    assert seconds(by_override["stoppingAt"], by_override["startedAt"]) == 20
    assert by_override["stopCode"] == "EssentialContainerExited"


def test_out_of_memory_is_137_with_awss_reason(aws):
    task = ended(aws, overrides=script(outcome="out-of-memory"))
    assert task["stopCode"] == "EssentialContainerExited"
    container = task["containers"][0]
    assert (container["exitCode"], container["reason"]) == (
        137,
        "OutOfMemoryError: Container killed due to memory usage",
    )


def test_an_image_that_is_not_there_never_starts(aws):
    task = ended(aws, overrides=script(outcome="image-not-found"))
    reason = (
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref "
        "docker.io/library/busybox:latest: docker.io/library/busybox:latest: not found"
    )
    assert (task["stopCode"], task["stoppedReason"]) == ("TaskFailedToStart", reason)
    assert "startedAt" not in task
    assert {"pullStartedAt", "pullStoppedAt", "stoppedAt"} <= set(task)
    container = task["containers"][0]
    assert (container["lastStatus"], container["reason"]) == ("STOPPED", reason)
    assert "exitCode" not in container


def test_a_task_that_finds_no_way_out_never_starts(aws):
    task = ended(aws, overrides=script(outcome="never-started"))
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith(
        "ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from "
        "Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network "
        "configuration."
    )
    assert not {"startedAt", "pullStartedAt"} & set(task)
    assert "exitCode" not in task["containers"][0]


def test_a_subnet_that_goes_before_the_interface_is_made_stops_the_task(aws):
    subnet = aws.ec2.create_subnet(VpcId=aws.vpc, CidrBlock="10.9.77.0/24")["Subnet"]["SubnetId"]
    network = {"awsvpcConfiguration": {"subnets": [subnet]}}
    task = aws.run(aws.register()["family"], networkConfiguration=network)["tasks"][0]
    aws.ec2.delete_subnet(SubnetId=subnet)
    aws.advance(1)
    task = aws.task(task)
    assert (task["lastStatus"], task["stopCode"]) == ("STOPPED", "TaskFailedToStart")
    assert task["stoppedReason"] == (
        "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment disabled "
        f"in subnet '{subnet}': InvalidSubnetID.NotFound"
    )


def test_every_container_of_the_definition_is_told_and_the_first_essential_one_ends_the_task(aws):
    def said(value):
        return [{"name": "LOCAL_AWS_SECONDS", "value": str(value)}]

    family = aws.register(
        containers=[
            {"name": "main", "image": "x", "environment": [*said(10), {"name": "LOCAL_AWS_EXIT_CODE", "value": "7"}]},
            {"name": "logs", "image": "x"},
            {"name": "init", "image": "x", "essential": False, "environment": said(2)},
        ]
    )["family"]
    task = aws.run(family)["tasks"][0]
    assert [container["name"] for container in task["containers"]] == ["main", "logs", "init"]
    aws.advance(0.5 + 2)
    states = {c["name"]: (c["lastStatus"], c.get("exitCode")) for c in aws.task(task)["containers"]}
    assert states == {"main": ("RUNNING", None), "logs": ("RUNNING", None), "init": ("STOPPED", 0)}
    aws.advance(8.2)
    task = aws.task(task)
    assert {c["name"]: c["exitCode"] for c in task["containers"]} == {"main": 7, "logs": 0, "init": 0}
    assert task["lastStatus"] == "STOPPED"


def test_the_network_interface_lives_with_the_task(aws):
    task = aws.run(aws.register()["family"], networkConfiguration=aws.network(securityGroups=[aws.group]))["tasks"][0]
    attachment = task["attachments"][0]
    assert (attachment["type"], attachment["status"]) == ("ElasticNetworkInterface", "PRECREATED")
    aws.advance(0.6)
    running = aws.task(task)
    attachment = running["attachments"][0]
    details = {detail["name"]: detail["value"] for detail in attachment["details"]}
    assert attachment["status"] == "ATTACHED"
    assert set(details) >= {"subnetId", "networkInterfaceId", "macAddress", "privateIPv4Address"}
    assert running["containers"][0]["networkInterfaces"] == [
        {"attachmentId": attachment["id"], "privateIpv4Address": details["privateIPv4Address"]}
    ]
    found = {"Filters": [{"Name": "network-interface-id", "Values": [details["networkInterfaceId"]]}]}
    interface = aws.ec2.describe_network_interfaces(**found)["NetworkInterfaces"][0]
    assert [group["GroupId"] for group in interface["Groups"]] == [aws.group]
    aws.advance(2)
    assert aws.task(task)["attachments"][0]["status"] == "DELETED"
    assert aws.ec2.describe_network_interfaces(**found)["NetworkInterfaces"] == []


def test_the_cluster_counts_its_tasks(aws):
    cluster = aws.cluster()
    aws.run(aws.register()["family"], cluster=cluster, count=2)

    def counts():
        told = aws.ecs.describe_clusters(clusters=[cluster])["clusters"][0]
        return told["pendingTasksCount"], told["runningTasksCount"]

    assert counts() == (2, 0)
    aws.advance(1)
    assert counts() == (0, 2)
    aws.advance(1)
    assert counts() == (0, 0)


# -------- stopping


def test_a_stopped_task_says_who_stopped_it(aws):
    task = aws.run(aws.register()["family"], overrides=script(seconds=600))["tasks"][0]
    aws.advance(1)
    stopping = aws.ecs.stop_task(task=task["taskArn"], reason="enough")["task"]
    assert (stopping["lastStatus"], stopping["desiredStatus"]) == ("RUNNING", "STOPPED")
    aws.advance(1)
    stopped = aws.task(task)
    assert (stopped["lastStatus"], stopped["stopCode"], stopped["stoppedReason"]) == (
        "STOPPED",
        "UserInitiated",
        "enough",
    )
    assert stopped["containers"][0]["exitCode"] == 137
    again = aws.ecs.stop_task(task=task["taskArn"], reason="more")["task"]
    assert (again["stoppedReason"], again["stoppedAt"]) == ("enough", stopped["stoppedAt"])


def test_a_task_stopped_before_it_ran_has_no_exit_code(aws):
    task = aws.run(aws.register()["family"])["tasks"][0]
    aws.ecs.stop_task(task=task["taskArn"])
    aws.advance(5)
    stopped = aws.task(task)
    assert (stopped["lastStatus"], stopped["stoppedReason"]) == ("STOPPED", "Task stopped by user")
    assert "startedAt" not in stopped
    assert "exitCode" not in stopped["containers"][0]


def test_an_unknown_task_cannot_be_stopped(aws):
    with refused("InvalidParameterException", "The referenced task was not found."):
        aws.ecs.stop_task(task="0" * 32)


# -------- describing


def test_an_unknown_task_is_missing_and_no_error(aws):
    task = aws.run(aws.register()["family"])["tasks"][0]["taskArn"]
    answer = aws.ecs.describe_tasks(tasks=[task, "0" * 32])
    assert [told["taskArn"] for told in answer["tasks"]] == [task]
    assert answer["failures"] == [{"arn": arn(f"task/default/{'0' * 32}"), "reason": "MISSING"}]


def test_a_task_is_found_by_its_id_in_its_own_cluster_alone(aws):
    cluster = aws.cluster()
    task = aws.run(aws.register()["family"], cluster=cluster)["tasks"][0]["taskArn"]
    assert aws.ecs.describe_tasks(cluster=cluster, tasks=[task.rsplit("/", 1)[-1]])["tasks"][0]["taskArn"] == task
    assert aws.ecs.describe_tasks(tasks=[task])["tasks"] == []


def test_describing_nothing_or_in_an_unknown_cluster_is_refused(aws):
    with refused("InvalidParameterException", "Tasks cannot be empty."):
        aws.ecs.describe_tasks(tasks=[])
    with refused("ClusterNotFoundException", "Cluster not found."):
        aws.ecs.describe_tasks(cluster="nowhere", tasks=["0" * 32])


def test_a_stopped_task_is_forgotten_after_an_hour(aws):
    task = ended(aws, after=1.7)
    aws.advance(3599)
    assert aws.task(task)["lastStatus"] == "STOPPED"
    aws.advance(1)
    answer = aws.ecs.describe_tasks(tasks=[task["taskArn"]])
    assert (answer["tasks"], answer["failures"][0]["reason"]) == ([], "MISSING")
    assert task["taskArn"] not in aws.ecs.list_tasks(desiredStatus="STOPPED")["taskArns"]


# -------- listing


def test_stopped_tasks_are_listed_only_if_asked_for(aws):
    cluster = aws.cluster()
    task = aws.run(aws.register()["family"], cluster=cluster)["tasks"][0]["taskArn"]

    def listed(**more):
        return aws.ecs.list_tasks(cluster=cluster, **more)["taskArns"]

    assert listed() == listed(desiredStatus="RUNNING") == [task]
    assert listed(desiredStatus="STOPPED") == listed(desiredStatus="PENDING") == []
    aws.advance(5)
    assert listed() == listed(desiredStatus="PENDING") == []
    assert listed(desiredStatus="STOPPED") == [task]


def test_tasks_are_listed_by_family_starter_and_launch_type(aws):
    cluster, one, other = aws.cluster(), aws.register()["family"], aws.register()["family"]
    first = aws.run(one, cluster=cluster, startedBy="ann")["tasks"][0]["taskArn"]
    second = aws.run(other, cluster=cluster)["tasks"][0]["taskArn"]

    def listed(**more):
        return aws.ecs.list_tasks(cluster=cluster, **more)["taskArns"]

    assert listed(family=one) == listed(startedBy="ann") == [first]
    assert listed(family=other) == [second]
    assert listed(launchType="FARGATE") == [first, second]
    assert listed(launchType="EC2") == listed(startedBy="an") == listed(family="other") == []
    aws.ecs.deregister_task_definition(taskDefinition=f"{one}:1")
    assert listed(family=one) == [first]
    aws.advance(5)
    assert listed(startedBy="ann", desiredStatus="STOPPED") == [first]


def test_the_starter_must_be_the_only_filter(aws):
    with refused(
        "InvalidParameterException",
        "When you specify startedBy as the filter, it must be the only filter that you use.",
    ):
        aws.ecs.list_tasks(startedBy="me", family="nightly")


def test_tasks_come_in_pages_of_a_hundred_at_most(aws):
    cluster, family = aws.cluster(), aws.register()["family"]
    for _ in range(11):
        aws.run(family, cluster=cluster, count=10)
    pages = [page["taskArns"] for page in aws.ecs.get_paginator("list_tasks").paginate(cluster=cluster)]
    assert [len(page) for page in pages] == [100, 10]
    assert len({task for page in pages for task in page}) == 110
    answer = aws.ecs.list_tasks(cluster=cluster, maxResults=3)
    assert answer["taskArns"] == pages[0][:3]
    following = aws.ecs.list_tasks(cluster=cluster, maxResults=3, nextToken=answer["nextToken"])
    assert following["taskArns"] == pages[0][3:6]


def test_the_tasks_of_an_unknown_cluster_or_service_are_not_to_be_had(aws):
    with refused("ClusterNotFoundException", "Cluster not found."):
        aws.ecs.list_tasks(cluster="nowhere")
    with refused("ServiceNotFoundException", "Service not found."):
        aws.ecs.list_tasks(serviceName="none")
