"""Families, roles, schedules and state machines of a local AWS, made as people make them by hand."""

import json

GROUP = "batch"


def allow(action, resource):
    return {"Effect": "Allow", "Action": action, "Resource": resource}


class Yard:
    """Makes families, roles, schedules and state machines."""

    def __init__(self, aws):
        self.aws = aws
        self.cluster = f"arn:aws:ecs:{aws.region}:{aws.account}:cluster/default"

    def role(self, name, service, *statements, source=""):
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        if source:
            trust["Condition"] = {"StringEquals": {"aws:SourceArn": source}}
        iam = self.aws.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document)
        return f"arn:aws:iam::{self.aws.account}:role/{name}"

    def family(self, name, environment=()):
        self.aws.client("ecs").register_task_definition(
            family=name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=self._execution(name),
            containerDefinitions=[
                {"name": "main", "image": "app:1", "environment": [{"name": n, "value": v} for n, v in environment]}
            ],
        )
        return f"arn:aws:ecs:{self.aws.region}:{self.aws.account}:task-definition/{name}"

    def _execution(self, name):
        try:
            return self.role(f"{name}-execution", "ecs-tasks.amazonaws.com")
        except self.aws.client("iam").exceptions.EntityAlreadyExistsException:
            return f"arn:aws:iam::{self.aws.account}:role/{name}-execution"

    def network(self):
        return {"awsvpcConfiguration": {"Subnets": ["subnet-0a1a1a1a1a1a1a1a1"]}}

    def may_run(self, family, may=":*"):
        execution = f"arn:aws:iam::{self.aws.account}:role/{family.rpartition('/')[2]}-execution"
        return allow("ecs:RunTask", family + may), allow("iam:PassRole", execution)

    def schedule(self, name, target, *statements, expression="cron(0 17 * * ? *)", **more):
        """Its role trusts Scheduler for the schedule's group alone, as AWS advises."""
        group = f"arn:aws:scheduler:{self.aws.region}:{self.aws.account}:schedule-group/{GROUP}"
        role = self.role(f"{name}-schedule", "scheduler.amazonaws.com", *statements, source=group)
        self.aws.client("scheduler").create_schedule(
            Name=name,
            GroupName=GROUP,
            ScheduleExpression=expression,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target | {"RoleArn": role},
            **more,
        )
        return f"{GROUP}/{name}"

    def of_a_task(self, name, *, may=":*", environment=(), universal=False, **more):
        family = self.family(name, environment)
        target = {
            "Arn": self.cluster,
            "EcsParameters": {
                "TaskDefinitionArn": family,
                "LaunchType": "FARGATE",
                "NetworkConfiguration": self.network(),
            },
        }
        if universal:
            network = {"AwsvpcConfiguration": {"Subnets": ["subnet-0a1a1a1a1a1a1a1a1"]}}
            asked = {"TaskDefinition": family, "LaunchType": "FARGATE", "NetworkConfiguration": network}
            target = {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": json.dumps(asked)}
        return self.schedule(name, target, *self.may_run(family, may), **more)

    def of_a_machine(
        self,
        name,
        *,
        environment=(),
        retry=(),
        start=True,
        given=None,
        timeout=3600,
        may=":*",
        target=None,
        also=(),
        skip=False,
        **more,
    ):
        family = self.family(name, environment)
        run = {
            "Type": "Task",
            "Resource": "arn:aws:states:::ecs:runTask.sync",
            "Parameters": {
                "Cluster": self.cluster,
                "TaskDefinition": family,
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["subnet-0a1a1a1a1a1a1a1a1"]}},
            },
            "Retry": list(retry),
            "TimeoutSeconds": timeout,
            "End": True,
        }
        rule = "arn:aws:events:*:*:rule/StepFunctionsGetEventsForECSTaskRule"
        role = self.role(
            f"{name}-machine",
            "states.amazonaws.com",
            *self.may_run(family, may),
            allow(["ecs:StopTask", "ecs:DescribeTasks", "ecs:ListTasks"], "*"),
            allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], rule),
        )
        states = {"Run": run} | (self.skipping(name) if skip else {})
        machine = self.aws.client("stepfunctions").create_state_machine(
            name=name, roleArn=role, definition=json.dumps({"StartAt": "Ask" if skip else "Run", "States": states})
        )["stateMachineArn"]
        target = {"Arn": machine} | ({} if given is None else {"Input": json.dumps(given)}) | (target or {})
        starting = [allow("states:StartExecution", machine)] if start else []
        return self.schedule(name, target, *starting, *also, **more)

    def skipping(self, family):
        """The states that ask whether a task of the family runs, and then end."""
        one_runs = {"Variable": "$.running.TaskArns[0]", "IsPresent": True, "Next": "Skipped"}
        return {
            "Ask": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:ecs:listTasks",
                "Parameters": {"Cluster": self.cluster, "Family": family},
                "ResultPath": "$.running",
                "Next": "Choose",
            },
            "Choose": {"Type": "Choice", "Choices": [one_runs], "Default": "Run"},
            "Skipped": {"Type": "Succeed"},
        }
