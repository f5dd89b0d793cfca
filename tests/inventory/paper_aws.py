"""
AWS on paper: rules, schedules and what they name, in memory, answered as boto3 would.

It counts calls, keeps to AWS's published rates by a clock that moves only when somebody waits, and fails when told to.
The rates are written down here by hand, from AWS's documentation, and not taken from the code that is tested.
"""

# ruff: noqa: N803, ARG002, ARG005 - it takes what AWS's API takes, by its names

import heapq
import itertools
import threading
import time
from collections import Counter, defaultdict

from botocore.exceptions import ClientError, ReadTimeoutError
from told_executions import PaperStepFunctions

from ecs_runbook.session import AWS_PACE

ACCOUNT, REGION = "111122223333", "eu-west-2"
PAGE = 100
SERVICES = {"stepfunctions": "states", "resourcegroupstaggingapi": "tag"}

# bucket, refill a second. ECS: API reference, request throttling. EventBridge: quotas, 50 a second in all; how many at
# once is not published. Step Functions: quotas. Scheduler's, SQS's, EC2's and IAM's are not limited here.
PUBLISHED = {
    "events": (50, 50),
    "ecs:DescribeTaskDefinition": (50, 20),
    "ecs:DescribeClusters": (50, 20),
    "ecs:ListAccountSettings": (50, 20),
    "states:DescribeStateMachine": (200, 20),
}


class Clock:
    """
    Seconds that pass only when everybody waits, and then up to the first who has waited enough.

    Nobody tells it who is still at work: who waits gives way to the others until none of them moves any more. If that
    was too soon, more time passes than need have: never less.
    """

    _STILL = 40

    def __init__(self):
        self.now, self.moves = 0.0, 0
        self._waiting = []
        self._lock = threading.Lock()

    def time(self):
        return self.now

    def sleep(self, seconds):
        with self._lock:
            self.moves += 1
            mine = (self.now + seconds, self.moves)
            heapq.heappush(self._waiting, mine)
        still, seen = 0, -1
        while True:
            time.sleep(0)
            with self._lock:
                still, seen = (still + 1, seen) if seen == self.moves else (0, self.moves)
                if self._waiting[0] == mine and (still >= self._STILL or mine[0] <= self.now):
                    heapq.heappop(self._waiting)
                    self.now = max(self.now, mine[0])
                    self.moves += 1
                    return


def refused(code, message="no", *, status=400):
    """An error as botocore raises it."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")


def throttled():
    return refused("ThrottlingException", "Rate exceeded")


def hangs():
    return ReadTimeoutError(endpoint_url="https://example.com")


def arn(resource, service="ecs", *, region=REGION, account=ACCOUNT):
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def ecs_target(family="nightly", *, cluster="batch", role="scheduler", id="task", revision=None, **more):  # noqa: A002
    name = family if revision is None else f"{family}:{revision}"
    parameters = {"TaskDefinitionArn": arn(f"task-definition/{name}"), "LaunchType": "FARGATE"}
    parameters |= more.pop("EcsParameters", {})
    target = {"Id": id, "Arn": arn(f"cluster/{cluster}"), "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}
    return target | {"EcsParameters": parameters} | more


class Paper:
    """The state of all accounts and Regions, which are alike; ``fails`` says what goes wrong where."""

    def __init__(self, *, limited=False, answer_seconds=0.0):
        self.clock, self.limited, self.answer_seconds = Clock(), limited, answer_seconds
        self.buses = defaultdict(dict)
        self.buses["default"] = {}
        self.schedules = {}
        self.executions, self.groups_of_schedules = PaperStepFunctions(), {}
        self.machines, self.tagged, self.families, self.fixed = {}, [], {}, {}
        self.clusters = {"batch"}
        self.roles = {"scheduler"}
        self.subnets, self.groups, self.tables, self.endpoints = {}, {}, [], []
        self.queues, self.letters = {}, defaultdict(list)
        self.regions, self.accounts = [REGION], [ACCOUNT]
        self.calls, self.asked, self.throttles = Counter(), [], Counter()
        self.fails = []
        self._lock = threading.Lock()
        self._tokens = {}

    def rule(self, name, *targets, bus="default", **more):
        told = {"Name": name, "Arn": arn(f"rule/{name}", "events"), "State": "ENABLED", "EventBusName": bus}
        more = more or {"ScheduleExpression": "cron(0 17 * * ? *)"}
        self.buses[bus][name] = (told | more, list(targets) or [ecs_target()])

    def schedule(self, name, target=None, *, group="default", **more):
        told = {"Name": name, "GroupName": group, "Arn": arn(f"schedule/{group}/{name}", "scheduler")}
        told |= {"State": "ENABLED", "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}}
        target = {key: value for key, value in (target or ecs_target()).items() if key != "Id"}
        self.schedules[group, name] = told | {"Target": target} | more

    def fail(self, operation, *errors, when=lambda place, parameters: True, always=False):
        """The next such calls fail with *errors*, one each; or every one with the first."""
        self.fails.append((operation, when, itertools.repeat(errors[0]) if always else iter(errors)))

    def call(self, place, service, method, parameters):
        operation = "".join(word.capitalize() for word in method.split("_"))
        name = f"{SERVICES.get(service, service)}:{operation}"
        if self.answer_seconds:
            self.clock.sleep(self.answer_seconds)
        with self._lock:
            self.calls[name] += 1
            self.asked.append((place, name, parameters))
            if self.limited and not self._token(place, name):
                self.throttles[name] += 1
                raise throttled()
            for wanted, when, errors in self.fails:
                if wanted in (name, "*") and when(place, parameters) and (error := next(errors, None)) is not None:
                    if isinstance(error, Exception):
                        raise error
                    return error
            return getattr(self, f"_{method}")(place, **parameters)

    def _token(self, place, name):
        key = name if name in PUBLISHED else name.partition(":")[0]
        if key not in PUBLISHED:
            return True
        bucket, refill = PUBLISHED[key]
        tokens, at = self._tokens.get((place, key), (bucket, 0.0))
        tokens = min(bucket, tokens + (self.clock.now - at) * refill)
        allowed = tokens >= 1
        self._tokens[place, key] = (tokens - allowed, self.clock.now)
        return allowed

    # -------- EventBridge

    def _list_event_buses(self, place, Limit=PAGE, NextToken=""):
        return self._page("EventBuses", [{"Name": name} for name in self.buses], NextToken)

    def _list_rules(self, place, EventBusName="default", Limit=PAGE, NextToken=""):
        return self._page("Rules", [told for told, _ in self.buses[EventBusName].values()], NextToken)

    def _list_targets_by_rule(self, place, Rule, EventBusName="default", Limit=PAGE):
        if Rule not in self.buses[EventBusName]:
            raise refused("ResourceNotFoundException", f"Rule {Rule} does not exist on EventBus {EventBusName}.")
        return {"Targets": self.buses[EventBusName][Rule][1]}

    def _describe_rule(self, place, Name, EventBusName="default"):
        if Name not in self.buses[EventBusName]:
            raise refused("ResourceNotFoundException", f"Rule {Name} does not exist on EventBus {EventBusName}.")
        return self.buses[EventBusName][Name][0]

    def _get_resources(self, place, TagFilters, ResourceTypeFilters, ResourcesPerPage=PAGE, PaginationToken=""):
        page = self._page("ResourceTagMappingList", self.tagged, PaginationToken)
        return {**page, "PaginationToken": page.pop("NextToken", "")}

    # -------- Scheduler and Step Functions

    def _list_schedules(self, place, GroupName="", MaxResults=PAGE, NextToken=""):
        listed = [
            {"Name": name, "GroupName": group, "State": told["State"], "Target": {"Arn": told["Target"]["Arn"]}}
            for (group, name), told in self.schedules.items()
            if GroupName in ("", group)
        ]
        return self._page("Schedules", listed, NextToken)

    def _get_schedule(self, place, Name, GroupName="default"):
        if (GroupName, Name) not in self.schedules:
            raise refused("ResourceNotFoundException", f"Schedule {Name} does not exist.")
        return self.schedules[GroupName, Name]

    def _list_schedule_groups(self, place, MaxResults, NextToken=""):
        names = {"default", *(group for group, _ in self.schedules)}
        told = [{"Name": name, "State": self.groups_of_schedules.get(name, "ACTIVE")} for name in sorted(names)]
        return self._page("ScheduleGroups", told, NextToken)

    def _describe_state_machine(self, place, stateMachineArn):
        if stateMachineArn not in self.machines:
            raise refused("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{stateMachineArn}'")
        return {"definition": self.machines[stateMachineArn], "roleArn": f"arn:aws:iam::{ACCOUNT}:role/machine"}

    def _list_executions(self, place, **asked):
        return self.executions.list_executions(**asked)

    def _get_execution_history(self, place, **asked):
        return self.executions.get_execution_history(**asked)

    # -------- ECS

    def _describe_task_definition(self, place, taskDefinition):
        family, _, revision = taskDefinition.rpartition("/")[2].partition(":")
        told = self.fixed.get((family, int(revision))) if revision else self.families.get(family)
        if told is None:
            raise refused("ClientException", "Unable to describe task definition.")
        return {"taskDefinition": told}

    def define(self, family="nightly", revision=1, **more):
        told = {"taskDefinitionArn": arn(f"task-definition/{family}:{revision}"), "family": family}
        told |= {"revision": revision, "status": "ACTIVE", "containerDefinitions": [{"name": "main", "image": "i"}]}
        self.fixed[family, revision] = told = told | more
        if told["status"] == "ACTIVE":
            self.families[family] = told

    def _describe_clusters(self, place, clusters):
        known = [name for name in clusters if name in self.clusters]
        return {
            "clusters": [
                {"clusterArn": arn(f"cluster/{name}"), "clusterName": name, "status": "ACTIVE"} for name in known
            ],
            "failures": [
                {"arn": arn(f"cluster/{name}"), "reason": "MISSING"} for name in clusters if name not in known
            ],
        }

    def _list_account_settings(self, place, name, effectiveSettings):
        return {"settings": [{"name": name, "value": "off"}]}

    # -------- EC2

    def _described(self, key, known, by, filters):
        (only,) = filters
        assert only["Name"] == by
        assert len(only["Values"]) <= 200
        return {key: [told for told in known if any(value in only["Values"] for value in told["by"])]}

    def _describe_subnets(self, place, Filters):
        known = [{"SubnetId": one, "VpcId": vpc, "by": [one]} for one, vpc in self.subnets.items()]
        return self._described("Subnets", known, "subnet-id", Filters)

    def _describe_security_groups(self, place, Filters):
        known = [{"GroupId": one, "VpcId": vpc, "by": [one]} for one, vpc in self.groups.items()]
        return self._described("SecurityGroups", known, "group-id", Filters)

    def _describe_route_tables(self, place, Filters):
        return self._described("RouteTables", [one | {"by": [one["VpcId"]]} for one in self.tables], "vpc-id", Filters)

    def _describe_vpc_endpoints(self, place, Filters):
        known = [one | {"by": [one["VpcId"]]} for one in self.endpoints]
        return self._described("VpcEndpoints", known, "vpc-id", Filters)

    def _describe_regions(self, place):
        return {"Regions": [{"RegionName": name} for name in self.regions]}

    # -------- IAM, STS, Organizations

    def _role(self, account, name):
        trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}}]}
        return {"Arn": f"arn:aws:iam::{account}:role/{name}", "AssumeRolePolicyDocument": trust}

    def _get_role(self, place, RoleName):
        if RoleName not in self.roles:
            raise refused("NoSuchEntity", f"The role with name {RoleName} cannot be found.", status=404)
        return {"Role": self._role(place[0], RoleName)}

    def _list_roles(self, place, MaxItems, Marker=""):
        page = self._page("Roles", [self._role(place[0], name) for name in sorted(self.roles)], Marker, MaxItems)
        onward = page.pop("NextToken", "")
        return page | ({"Marker": onward, "IsTruncated": True} if onward else {"IsTruncated": False})

    def _simulate_principal_policy(self, place, PolicySourceArn, ActionNames, ResourceArns, ContextEntries, MaxItems):
        return {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": "allowed"}
                for action in ActionNames
                for resource in ResourceArns
                if "no-such" not in resource
            ]
        }

    def _assume_role(self, place, **parameters):
        return {}

    def _list_accounts(self, place, NextToken=""):
        return self._page("Accounts", [{"Id": one, "Status": "ACTIVE"} for one in self.accounts], NextToken, 20)

    # -------- SQS

    def _get_queue_url(self, place, QueueName, QueueOwnerAWSAccountId):
        if QueueName not in self.queues:
            raise refused("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return {"QueueUrl": QueueName}

    def _get_queue_attributes(self, place, QueueUrl, AttributeNames):
        return {"Attributes": self.queues[QueueUrl]}

    def _receive_message(self, place, QueueUrl, **more):
        return {"Messages": [self.letters[QueueUrl].pop()]} if self.letters[QueueUrl] else {}

    @staticmethod
    def _page(key, items, token, size=PAGE):
        start = int(token or 0)
        more = {"NextToken": str(start + size)} if start + size < len(items) else {}
        return {key: items[start : start + size]} | more


class PaperAws:
    """What stands for a session's Aws, of one account and Region."""

    where, endpoint, profile = "aws", None, ""
    pace = AWS_PACE

    def __init__(self, paper, account=ACCOUNT, region=REGION, partition="aws"):
        self.paper, self.account, self.region, self.partition = paper, account, region, partition
        self.caller = f"arn:{partition}:sts::{account}:assumed-role/audit/person"

    def client(self, service):
        return _Client(self, service)

    def forget_clients(self):
        pass

    def elsewhere(self, *, region="", role="", external_id="", answer_seconds=None, ask=None):
        if not role:
            return PaperAws(self.paper, self.account, region or self.region, self.partition)
        account = role.split(":")[4]
        given = {"RoleArn": role} | ({"ExternalId": external_id} if external_id else {})
        ask("sts:AssumeRole", lambda **asked: self.paper.call((account, ""), "sts", "assume_role", asked), **given)
        return PaperAws(self.paper, account, region or self.region, self.partition)


class _Client:
    def __init__(self, aws, service):
        self._aws, self._service = aws, service

    def __getattr__(self, method):
        place = (self._aws.account, self._aws.region)
        return lambda **parameters: self._aws.paper.call(place, self._service, method, parameters)
