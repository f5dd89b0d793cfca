"""A local AWS with rules that really run tasks, whose clock is moved over days."""

import json
from datetime import UTC, datetime, timedelta

from local_world import ACCOUNT, LocalWorld, allow, arn, document, trusting

from ecs_runbook.local_aws import process
from ecs_runbook.session import connect

BEGIN = datetime(2027, 1, 4, tzinfo=UTC)  # a Monday
DAILY, EVENING = "cron(0 17 * * ? *)", "cron(30 17 * * ? *)"
LONG, TWIN = "report-of-the-whole-company-daily", "report-of-the-whole-company-weekly"


class ScheduledWorld(LocalWorld):
    """Rules that run tasks of Fargate under roles of their own."""

    def __init__(self, server):
        super().__init__(server)
        self.to(BEGIN)
        self.sqs, self.scheduler = self.client("sqs"), self.client("scheduler")
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

    def schedule(self, name, expression, role, *, family="", zone="UTC", flexible=0, queue="", **more):
        """Make a schedule of EventBridge Scheduler that runs a family, of its own name if no other is given."""
        target = self.target(family or name, role, queue=queue)
        kept = {key: value for key, value in target.items() if key != "Id"}
        inner = kept["EcsParameters"]["NetworkConfiguration"]["awsvpcConfiguration"]
        kept["EcsParameters"] |= {"NetworkConfiguration": {"awsvpcConfiguration": inner}}
        window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": flexible} if flexible else {"Mode": "OFF"}
        self.scheduler.create_schedule(
            Name=name,
            ScheduleExpression=expression,
            ScheduleExpressionTimezone=zone,
            FlexibleTimeWindow=window,
            Target=more.pop("target", kept),
            **more,
        )

    def switch(self, name, *, on):
        """Enable or disable a schedule."""
        told = self.scheduler.get_schedule(Name=name)
        kept = ("Name", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target")
        self.scheduler.update_schedule(**{key: told[key] for key in kept}, State="ENABLED" if on else "DISABLED")

    def simple_schedule(self, name, expression, **more):
        """Make a schedule that runs a family of its own name, under a role of its own."""
        self.define(name)
        role = self.events_role(f"{name}-events", name, trust="scheduler.amazonaws.com")
        self.schedule(name, expression, role, **more)

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


def sow(world):
    """Let four days go by, with faults: the clock stands at six o'clock in the evening of the last one."""
    queue = world.queue("lost")
    world.simple("good", DAILY)
    world.simple("two-tasks", DAILY, count=2)
    world.simple("hourly", "rate(1 hour)")
    world.simple("pinned", DAILY, revision=":1")
    world.simple("twice", DAILY)
    world.simple("switched-off", DAILY)
    world.simple("broken-role", DAILY)
    world.simple("broken-role-with-queue", DAILY, queue=queue)
    world.define("dying", LOCAL_AWS_EXIT_CODE=3)
    world.rule("dying", EVENING, world.target("dying", world.events_role("dying-events", "dying")))
    world.define("hungry", LOCAL_AWS_OUTCOME="out-of-memory")
    world.rule("hungry", EVENING, world.target("hungry", world.events_role("hungry-events", "hungry")))
    world.define("refused")
    world.rule("refused", EVENING, world.target("refused", world.events_role("refused-events")))
    world.define("both")
    shared = world.events_role("both-events", "both")
    world.rule("both", DAILY, *(world.target("both", shared, id=one) for one in ("a", "b")))
    for name in (LONG, TWIN):
        world.rule(name, DAILY, world.target("both", shared))

    sow_schedules(world)
    world.simple("retried", "cron(20 6 * * ? *)")
    world.simple("no-capacity", "cron(40 6 * * ? *)")

    world.go(1, 6, 19)
    process.settings(world.server, throttle={"ecs:RunTask": 3})
    world.go(1, 6, 39)
    process.settings(world.server, fargate="no-capacity")
    world.go(1, 6, 41)
    process.settings(world.server, fargate="available")
    world.go(1, 12)
    world.define("good")
    world.define("pinned")
    world.events.disable_rule(Name="switched-off")
    world.switch("paused", on=False)
    for name in ("broken-role", "broken-role-with-queue", "broken"):
        world.trust(f"{name}-events", "ecs-tasks.amazonaws.com")
    world.go(1, 17, 0, 40)
    world.start_by_hand("twice", "twice")

    world.go(2, 12)
    world.simple("new", DAILY)
    world.simple_schedule("young", DAILY)
    world.events.enable_rule(Name="switched-off")
    world.switch("paused", on=True)
    for name in ("broken-role", "broken-role-with-queue"):
        world.trust(f"{name}-events")
    world.trust("broken-events", "scheduler.amazonaws.com")
    world.go(3, 18)


def sow_schedules(world):
    """Make schedules of EventBridge Scheduler of every kind."""
    world.simple_schedule("tokyo", "cron(0 9 * * ? *)", zone="Asia/Tokyo")
    world.simple_schedule("flexible", DAILY, flexible=30)
    world.simple_schedule("once", "at(2027-01-05T17:00:00)")
    world.simple_schedule("every-two", "rate(2 hours)")
    world.simple_schedule("ends", DAILY, EndDate=world.at(1, 20))
    world.simple_schedule("starts", DAILY, StartDate=world.at(2, 12))
    world.simple_schedule("broken", DAILY)
    world.simple_schedule("paused", DAILY)
    world.define("universal")
    role = world.events_role("universal-events", "universal", trust="scheduler.amazonaws.com")
    inner = {"Subnets": [world.subnet], "SecurityGroups": [world.group]}
    given = {
        "Cluster": arn("cluster/default"),
        "TaskDefinition": arn("task-definition/universal"),
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"AwsvpcConfiguration": inner},
    }
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "RoleArn": role, "Input": json.dumps(given)}
    world.schedule("universal", DAILY, role, target=target)
