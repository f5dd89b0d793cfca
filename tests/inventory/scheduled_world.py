"""A local AWS with rules that really run tasks, whose clock is moved over days."""

import json
from datetime import UTC, datetime, timedelta

from local_world import ACCOUNT, LocalWorld, allow, arn, document, trusting

from ecs_runbook.local_aws import process
from ecs_runbook.session import connect

BEGIN = datetime(2027, 1, 4, tzinfo=UTC)  # a Monday


class ScheduledWorld(LocalWorld):
    """Rules that run tasks of Fargate under roles of their own."""

    def __init__(self, server):
        super().__init__(server)
        self.to(BEGIN)
        self.sqs = self.client("sqs")
        self.aws = connect("local", endpoint=server.url, region="eu-west-2")
        self.network_of_targets = {"awsvpcConfiguration": {"Subnets": [self.subnet], "SecurityGroups": [self.group]}}

    def at(self, day, hour=0, minute=0, second=0):
        """Return a moment: day 0 is the first."""
        return BEGIN + timedelta(days=day, hours=hour, minutes=minute, seconds=second)

    def go(self, day, hour=0, minute=0, second=0):
        """Move the clock."""
        process.clock(self.server, to=self.at(day, hour, minute, second))

    def define(self, family, **environment):
        """Register a revision whose task does as *environment* says."""
        variables = [{"name": name, "value": str(value)} for name, value in environment.items()]
        return self.register(family, [{"name": "main", "image": "busybox", "environment": variables}])

    def events_role(self, name, *families, trust="events.amazonaws.com"):
        """Return the ARN of a role that may run these families."""
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trusting(trust)))
        self.permit(name, *families)
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"

    def trust(self, role, service="events.amazonaws.com"):
        """Let another service assume a role."""
        self.iam.update_assume_role_policy(RoleName=role, PolicyDocument=document(trusting(service)))

    def permit(self, role, *families):
        """Let a role run these families, and nothing else."""
        resources = [f"{arn(f'task-definition/{family}')}:*" for family in families] or ["arn:aws:ecs:::none"]
        self.iam.put_role_policy(
            RoleName=role, PolicyName="may", PolicyDocument=document(allow("ecs:RunTask", resources))
        )

    def target(self, family, role, *, id="task", count=1, revision="", queue="", age=None, **more):  # noqa: A002
        """Return a target."""
        parameters = {
            "TaskDefinitionArn": arn(f"task-definition/{family}{revision}"),
            "LaunchType": "FARGATE",
            "TaskCount": count,
            "NetworkConfiguration": self.network_of_targets,
        }
        given = {"Id": id, "Arn": arn("cluster/default"), "RoleArn": role, "EcsParameters": parameters, **more}
        given |= {"DeadLetterConfig": {"Arn": queue}} if queue else {}
        return given | ({"RetryPolicy": {"MaximumEventAgeInSeconds": age}} if age else {})

    def rule(self, name, expression, *targets, **more):
        """Make a rule with those targets."""
        self.events.put_rule(Name=name, ScheduleExpression=expression, **more)
        assert self.events.put_targets(Rule=name, Targets=list(targets))["FailedEntryCount"] == 0

    def simple(self, name, expression, **more):
        """Make a rule that runs a family of its own name, under a role of its own."""
        self.define(name)
        self.rule(name, expression, self.target(name, self.events_role(f"{name}-events", name), **more))

    def queue(self, name):
        """Return the ARN of a queue that EventBridge may write to."""
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        queue = arn(name, "sqs")
        letting = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [letting | {"Resource": queue}]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return queue

    def start_by_hand(self, family, rule):
        """Run a task that says it is of *rule*, once more than it is due."""
        self.run(family, startedBy=f"events-rule/{rule}")
