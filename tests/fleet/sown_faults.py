"""
The faults that are sown, each with what a check must say of it: by hand, from aws-behaviour.md and AWS's docs.

A fault brings others with it where AWS would refuse for both: on EC2 a cluster without instances, for one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from sown import Entry, Yard, allow, trusting


@dataclass(frozen=True)
class Fault:
    """
    A fault.

    *found*: ids of the checks of the definition that are NG then. *on*: the kinds of entry that can have it. *then*:
    what becomes of a firing: ``""`` it runs, ``refused`` by RunTask, ``not assumed`` is its role, ``not started`` is
    its state machine, ``stale`` it runs an old revision, ``stopped`` is its task before it starts, ``none`` there is.
    """

    name: str
    found: frozenset[str]
    sow: Callable[[Yard, Entry], None]
    on: Callable[[Entry], bool]
    then: str

    def fits(self, entry: Entry) -> bool:
        return self.on(entry)


FAULTS: list[Fault] = []


def plain(entry: Entry) -> bool:
    return not entry.through and not entry.universal and not entry.target.get("Input")


def any_target(entry: Entry) -> bool:
    return not entry.target.get("Input")


def on_time(entry: Entry) -> bool:
    return entry.kind != "event rule"


def fault(*found, on=any_target, then="refused"):
    def known(sow):
        FAULTS.append(Fault(sow.__name__.replace("_", "-"), frozenset(found), sow, on, then))

    return known


def happened(entry: Entry) -> frozenset[str]:
    """
    Return the ids of the checks of what happened that are NG after *entry* was due once, and could write its letter.

    A rule's letter is EventBridge's own; a schedule's is sent in the role's name. What is refused within a state
    machine is nobody's dead letter.
    """
    then = next((one.then for one in FAULTS if one.name == entry.fault), "")
    if entry.kind == "event rule":
        return frozenset()
    lost = {"runs-refused", "dead-letters-waiting"}
    if then == "refused":
        return frozenset({"runs-refused"} if entry.through else lost)
    if then == "not assumed":
        return frozenset({"runs-missed"} if entry.kind == "schedule" else lost)
    found = {"not started": lost, "stale": {"runs-latest"}, "stopped": {"runs-succeeded"}}
    return frozenset(found.get(then, ()))


# -------- which revision


@fault("pinned-revision", then="")
def pinned(yard, entry):
    entry.run["TaskDefinitionArn"] += f":{entry.family.revision}"


@fault("pinned-revision", then="stale")
def pinned_behind(yard, entry):
    entry.family = yard.family(yard.name("behind"), revisions=3)
    _runs(yard, entry)
    entry.run["TaskDefinitionArn"] += ":1"


@fault("pinned-revision")
def pinned_inactive(yard, entry):
    entry.family = yard.family(yard.name("inactive"), revisions=2)
    _runs(yard, entry)
    entry.run["TaskDefinitionArn"] += ":1"
    yard.client("ecs").deregister_task_definition(taskDefinition=f"{entry.family.name}:1")


@fault("no-active-revision")
def no_active_revision(yard, entry):
    entry.family = yard.family(yard.name("retired"))
    _runs(yard, entry)
    yard.client("ecs").deregister_task_definition(taskDefinition=f"{entry.family.name}:1")


@fault("no-active-revision")
def no_such_family(yard, entry):
    entry.run["TaskDefinitionArn"] = yard.arn("ecs", f"task-definition/{yard.name('nobody')}")


# -------- where it runs


@fault("cluster-missing")
def no_such_cluster(yard, entry):
    entry.cluster = yard.arn("ecs", f"cluster/{yard.name('gone')}")


@fault("cluster-missing")
def cluster_deleted(yard, entry):
    entry.cluster = yard.cluster(yard.name("deleted"))
    yard.client("ecs").delete_cluster(cluster=entry.cluster)
    _runs(yard, entry)


@fault("launch-type-public-ip", "no-container-instances")
def public_ip_without_launch_type(yard, entry):
    del entry.run["LaunchType"]
    entry.run["NetworkConfiguration"] = {
        "awsvpcConfiguration": dict(yard.networks()[1]),
    }


@fault("platform-version-on-ec2", "no-container-instances")
def platform_version_on_ec2(yard, entry):
    entry.run |= {"LaunchType": "EC2", "PlatformVersion": "1.4.0"}
    entry.run["NetworkConfiguration"] = {"awsvpcConfiguration": dict(yard.networks()[0])}


@fault("no-container-instances")
def ec2_without_instances(yard, entry):
    entry.run["LaunchType"] = "EC2"
    entry.run["NetworkConfiguration"] = {"awsvpcConfiguration": dict(yard.networks()[0])}


@fault("launch-type-and-strategy", on=plain)
def launch_type_and_strategy(yard, entry):
    entry.run["CapacityProviderStrategy"] = [{"capacityProvider": "FARGATE", "weight": 1}]


@fault("capacity-provider")
def unknown_capacity_provider(yard, entry):
    del entry.run["LaunchType"]
    entry.run["CapacityProviderStrategy"] = [{"capacityProvider": "gpu-fleet", "weight": 1}]
    entry.run["NetworkConfiguration"] = {"awsvpcConfiguration": dict(yard.networks()[0])}


@fault("definition-compatibility")
def not_for_fargate(yard, entry):
    containers = [{"name": "main", "image": yard.image("heavy"), "memory": 128}]
    only_ec2 = {"requiresCompatibilities": ["EC2"], "cpu": None, "memory": None, "containerDefinitions": containers}
    entry.family = yard.family(yard.name("heavy"), **only_ec2)
    _runs(yard, entry)


@fault("no-network-configuration")
def no_network(yard, entry):
    del entry.run["NetworkConfiguration"]


@fault("override-container", on=lambda entry: plain(entry) and on_time(entry))
def unknown_container(yard, entry):
    entry.target["Input"] = json.dumps({"containerOverrides": [{"name": "worker", "command": ["true"]}]})


@fault("input-not-overrides", on=lambda entry: plain(entry) and entry.kind == "rule")
def input_is_a_text(yard, entry):
    entry.target["Input"] = json.dumps("run it")


# -------- its network


@fault("subnet-missing")
def no_such_subnet(yard, entry):
    entry.network["Subnets"] = [*entry.network["Subnets"], "subnet-0deadbeef0deadbee"]


@fault("security-group-missing")
def no_such_group(yard, entry):
    entry.network["SecurityGroups"] = ["sg-0deadbeef0deadbee"]


@fault("two-vpcs")
def group_of_another_vpc(yard, entry):
    entry.run["NetworkConfiguration"] = {"awsvpcConfiguration": dict(yard.networks()[0])}
    entry.network["SecurityGroups"] = [yard.closed_network()[2]]


@fault("no-way-out", then="stopped")
def no_way_out(yard, entry):
    _, subnet, group = yard.closed_network()
    closed = {"Subnets": [subnet], "SecurityGroups": [group], "AssignPublicIp": "DISABLED"}
    entry.run["NetworkConfiguration"] = {"awsvpcConfiguration": closed}


@fault("no-way-out", then="stopped")
def public_subnet_without_public_ip(yard, entry):
    public = dict(yard.networks()[1]) | {"AssignPublicIp": "DISABLED"}
    entry.run["NetworkConfiguration"] = {"awsvpcConfiguration": public}


# -------- its roles


@fault("role-missing", then="not assumed")
def no_such_role(yard, entry):
    entry.target["RoleArn"] = yard.arn("iam", f"role/{yard.name('gone')}")


@fault("trust-wrong-service", on=plain, then="not assumed")
def trusts_another_service(yard, entry):
    queue = allow("sqs:SendMessage", entry.target["DeadLetterConfig"]["Arn"])
    entry.target["RoleArn"] = yard.role(trusting("ecs-tasks.amazonaws.com"), *entry.policy, queue)


@fault("task-role-trust")
def task_role_of_a_lambda(yard, entry):
    wrong = yard.role(trusting("lambda.amazonaws.com"))
    entry.family = yard.family(yard.name("untrusted"), roles=(wrong, yard.task_roles(0)[1]))
    _runs(yard, entry)


@fault("run-task-missing")
def policy_of_the_bare_family(yard, entry):
    entry.policy[0]["Resource"] = entry.policy[0]["Resource"].removesuffix(":*")


@fault("run-task-missing")
def policy_of_an_old_revision(yard, entry):
    entry.family = yard.family(yard.name("moved"), revisions=2)
    _runs(yard, entry)
    entry.policy[0]["Resource"] = f"{entry.definition}:1"


@fault("run-task-missing")
def policy_of_another_cluster(yard, entry):
    entry.policy[0]["Condition"] = {"ArnEquals": {"ecs:cluster": yard.arn("ecs", "cluster/other")}}


@fault("pass-role-missing")
def role_of_the_latest_revision_not_passed(yard, entry):
    before = entry.family.roles
    entry.family = yard.family(yard.name("new-role"), roles=(yard.role(trusting("ecs-tasks.amazonaws.com")), before[1]))
    _runs(yard, entry)
    entry.policy[1]["Resource"] = list(before)


@fault("tag-resource-missing", on=plain)
def tags_without_leave(yard, entry):
    entry.run["Tags"] = [{"Key": "team", "Value": "night"}] if entry.kind != "schedule" else None
    if entry.kind == "schedule":
        entry.run["Tags"] = [{"key": "team", "value": "night"}]


@fault("policy-too-wide", then="")
def policy_of_everything(yard, entry):
    entry.policy[:] = [allow(["ecs:RunTask", "iam:PassRole"], "*")]


@fault("start-execution-missing", on=lambda entry: entry.through, then="not started")
def start_execution(yard, entry):
    """The target's role gets nothing of it: see ``sown``."""


@fault("machine-permissions", on=lambda entry: entry.through, then="")
def machine_cannot_stop(yard, entry):
    """The role of the state machine may not stop its task: see ``sown``."""


# -------- when it runs


@fault("schedule-disabled", then="none")
def disabled(yard, entry):
    entry.owner["State"] = "DISABLED"


@fault("schedule-never-again", on=on_time, then="none")
def never_again(yard, entry):
    entry.owner["ScheduleExpression"] = "cron(0 3 1 1 ? 2020)"


# -------- what becomes of a run that could not start


@fault("no-dead-letter-queue", then="")
def no_queue(yard, entry):
    entry.target["DeadLetterConfig"] = None


@fault("dead-letter-queue-not-writable", then="")
def queue_gone(yard, entry):
    entry.target["DeadLetterConfig"] = {"Arn": yard.arn("sqs", yard.name("gone"))}


@fault("dead-letter-queue-not-writable", then="")
def queue_not_writable(yard, entry):
    """A rule's queue lets nobody in; a schedule's role may not send: see ``sown``."""
    entry.target["DeadLetterConfig"] = {"Arn": yard.queue(yard.name("closed"), policy=False)}


@fault("no-retry-policy", then="")
def never_tried_again(yard, entry):
    entry.target["RetryPolicy"] = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}


@fault("dead-letters-waiting", then="")
def letters_waiting(yard, entry):
    entry.letter = True


def _runs(yard, entry):
    """Let the entry run its family in its cluster, as a sound one does."""
    entry.run["TaskDefinitionArn"] = yard.arn("ecs", f"task-definition/{entry.family.name}")
    entry.policy[0] = allow("ecs:RunTask", f"{entry.definition}:*", {"ArnEquals": {"ecs:cluster": entry.cluster}})
    entry.policy[1]["Resource"] = list(entry.family.roles)
