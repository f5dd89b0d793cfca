"""AWS on paper with what happened there: CloudTrail's records, the tasks that ECS remembers, revisions over time."""

# ruff: noqa: N803, ARG002 - it takes what AWS's API takes, by its names

import itertools
import json
from datetime import UTC, datetime, timedelta

from paper_aws import ACCOUNT, REGION, Paper, PaperAws, arn, refused

from ecs_runbook.inventory.facts import facts
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Place
from ecs_runbook.inventory.runs import runs

HERE = Place(ACCOUNT, REGION)
SINCE, UNTIL = datetime(2026, 11, 20, 12, tzinfo=UTC), datetime(2026, 11, 24, 12, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_NUMBERS = itertools.count(1)


def at(text):
    """Return a moment of November 2026: ``24 17:00`` or ``24 17:00:12``."""
    day, _, time = text.partition(" ")
    return datetime.fromisoformat(f"2026-11-{day}T{time or '00:00'}").replace(tzinfo=UTC)


def record(name, when, asked=None, answer=None, *, role="scheduler", by="events.amazonaws.com", **more):
    """Return a record in the form in which CloudTrail delivers it."""
    number = next(_NUMBERS)
    identity = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{number:032x}",
        "accountId": ACCOUNT,
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}},
    } | ({"invokedBy": by} if by else {})
    return {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": f"{at(when):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "events.amazonaws.com" if "Rule" in name or "Target" in name else "ecs.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": by or "203.0.113.7",
        "requestParameters": asked,
        "responseElements": answer,
        "eventID": f"{number:036}",
        "eventType": "AwsApiCall",
        "managementEvent": True,
    } | more


class PaperRuns(Paper):
    """Paper with a trail and tasks."""

    def __init__(self, **more):
        super().__init__(**more)
        self.trail, self.tasks, self.inactive = [], {}, []
        self.roles = {"scheduler", "machine"}

    # -------- what happens

    def define(self, family="nightly", revision=1, *, since=LONG_AGO, **more):
        super().define(family, revision, registeredAt=since, **more)

    def deregister(self, family, revision, when):
        """Deregister a revision, so that the one before is the latest again."""
        self.fixed[family, revision] |= {"status": "INACTIVE", "deregisteredAt": at(when)}
        active = [told for (name, _), told in self.fixed.items() if name == family and told["status"] == "ACTIVE"]
        self.families[family] = max(active, key=lambda told: told["revision"])
        self.trail.append(record("DeregisterTaskDefinition", when, {"taskDefinition": f"{family}:{revision}"}))

    def run(self, when, rule="nightly", family="nightly", revision=1, *, started="", count=1, code=None, **more):
        """Let a task be run; with a *code* ECS remembers how it ended."""
        started = started if started or rule is None else f"events-rule/{rule}"[:36]
        tasks = [
            {
                "taskArn": arn(f"task/batch/{next(_NUMBERS):032x}"),
                "taskDefinitionArn": arn(f"task-definition/{family}:{revision}"),
                "launchType": "FARGATE",
                "startedBy": started,
            }
            for _ in range(count)
        ]
        asked = {"cluster": arn("cluster/batch"), "taskDefinition": arn(f"task-definition/{family}")}
        asked |= {"startedBy": started, "count": count, **more.pop("asked", {})}
        made = record("RunTask", when, asked, {"tasks": tasks, "failures": []}, **more)
        self.trail.append(made)
        for task in tasks if code is not None else ():
            self.remember(task, when, code)
        return made

    def remember(self, task, when, code, *, status="STOPPED"):
        """Let ECS remember a task of a minute."""
        self.tasks[task["taskArn"]] = task | {
            "clusterArn": arn("cluster/batch"),
            "createdAt": at(when),
            "startedAt": at(when) + timedelta(seconds=20),
            "executionStoppedAt": at(when) + timedelta(seconds=80),
            "lastStatus": status,
            "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
            "containers": [{"name": "main", "exitCode": code}],
        }

    def refuse(self, when, message, code="AccessDenied", **more):
        """Let a RunTask be refused; its record has neither request nor answer."""
        self.trail.append(record("RunTask", when, None, None, errorCode=code, errorMessage=message, **more))

    # -------- what is asked

    def _lookup_events(self, place, LookupAttributes, StartTime, EndTime, MaxResults, NextToken=""):
        ((name,),) = ([one["AttributeValue"]] for one in LookupAttributes)
        found = [
            {"EventId": told["eventID"], "CloudTrailEvent": told.get("text") or json.dumps(told)}
            for told in sorted(self.trail, key=lambda told: told["eventTime"], reverse=True)
            if told["eventName"] == name
            and StartTime <= datetime.fromisoformat(told["eventTime"]) <= EndTime
            and place[1] == told["awsRegion"]
        ]
        return self._page("Events", found, NextToken, MaxResults)

    def _list_tasks(self, place, cluster, desiredStatus, nextToken=""):
        if cluster.rpartition("/")[2] not in self.clusters:
            raise refused("ClusterNotFoundException", "Cluster not found.")
        status = {"RUNNING": lambda task: task["lastStatus"] == "RUNNING"}.get(
            desiredStatus, lambda task: task["lastStatus"] != "RUNNING"
        )
        arns = [name for name, task in self.tasks.items() if status(task)]
        page = self._page("taskArns", arns, nextToken)
        return page | ({"nextToken": page.pop("NextToken")} if "NextToken" in page else {})

    def _describe_tasks(self, place, cluster, tasks):
        return {"tasks": [self.tasks[name] for name in tasks]}

    def _list_task_definitions(self, place, familyPrefix, status, sort, nextToken=""):
        found = [told for (name, _), told in self.fixed.items() if name == familyPrefix and told["status"] == status]
        found.sort(key=lambda told: told["revision"], reverse=True)
        return {"taskDefinitionArns": [told["taskDefinitionArn"] for told in found]}

    def _list_rules(self, place, EventBusName="default", NamePrefix="", Limit=100, NextToken=""):
        known = [told for told, _ in self.buses[EventBusName].values() if told["Name"].startswith(NamePrefix)]
        return self._page("Rules", known, NextToken)

    def _list_rule_names_by_target(self, place, TargetArn):
        known = self.buses["default"].items()
        return {"RuleNames": [name for name, (_, targets) in known if TargetArn in [one["Arn"] for one in targets]]}


def looked(paper, *, regions=(), known=True, since=SINCE, until=UNTIL, progress=None, **chosen):
    """Return what happened, and the calls that this alone took."""
    gate = Gate(limited=False, sleep=lambda _: None, jitter=lambda: 0.0)
    places = fleet(PaperAws(paper), regions=regions, gate=gate)
    found = take_inventory(places, **chosen)
    told = facts(places, found) if known else None
    before = paper.calls.copy()
    happened = runs(places, found, since=since, until=until, facts=told, progress=progress)
    return happened, dict(paper.calls - before)
