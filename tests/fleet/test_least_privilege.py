"""
A check and a drill under exactly the policies of ``docs/policies``, on a local AWS that asks IAM about every call: all
is well with them, and with each action taken away the answer names it.
"""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sown import Yard, allow, document, sow, trusting

from ecs_runbook import connect
from ecs_runbook.checks.check import check
from ecs_runbook.checks.outcome import judge_checked
from ecs_runbook.errors import RunbookError
from ecs_runbook.evidence import dead_letters
from ecs_runbook.evidence.revisions import revisions
from ecs_runbook.firing.drill import DRILL_TAG, DRILL_TAG_VALUE, fire
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.local_aws import process
from ecs_runbook.past.asked import look_back
from ecs_runbook.past.athena import Athena
from ecs_runbook.past.questions import history
from ecs_runbook.past.sources import LookupEvents, Window
from ecs_runbook.past.still_known import still_known
from ecs_runbook.past.verdict import judge_history
from ecs_runbook.verdicts.steps import judge_fired

POLICIES = Path(__file__).resolve().parents[2] / "docs" / "policies"
ROOT = "arn:aws:iam::123456789012:root"


def policy(name):
    return json.loads((POLICIES / f"{name}.json").read_text())


def actions(name):
    return [action for statement in policy(name)["Statement"] for action in statement["Action"]]


def without(name, action):
    whole = policy(name)
    for statement in whole["Statement"]:
        statement["Action"] = [one for one in statement["Action"] if one != action]
    return whole | {"Statement": [one for one in whole["Statement"] if one["Action"]]}


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    server = process.start(tmp_path_factory.mktemp("local-aws"))
    process.clock(server, to="2027-01-12T12:00:30Z")
    process.clock(server, freeze=True)
    yield connect("local", endpoint=server.url, region="eu-west-2")
    process.stop(server.folder)


def server_of(aws):
    return process.Server(aws.endpoint, int(aws.endpoint.rsplit(":", 1)[1]), 0, "", folder=None)


@pytest.fixture(scope="module")
def yard(aws):
    return Yard(aws.client, aws.account, aws.region)


@pytest.fixture
def acting(aws, yard):
    """``acting(policy)``: the AWS as a role sees it that has that policy alone, and IAM asked about every call."""
    name = yard.name("caller")
    trust = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}
    role = yard.role(document(trust), name=name)

    def as_role(given):
        aws.client("iam").put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(given))
        there = aws.elsewhere(role=role)
        process.settings(server_of(aws), enforce_iam=True)
        return there

    yield as_role
    process.settings(server_of(aws), enforce_iam=False)


REFUSED = "eu-west-1"  # the Region of a rule whose RunTask is refused


@pytest.fixture(scope="module")
def account(aws):
    """Rules, schedules and a state machine without a fault, that have run; one family lost its newest revision."""
    begun, clock = aws.now(), server_of(aws)

    def arrange(entries):
        for number, entry in enumerate(entries):
            entry.through, entry.universal, entry.target["Input"] = number == 0, False, ""
            entry.again = number == 0
            entry.place = "default" if entry.kind == "rule" else entry.place
        entries[1].run["PropagateTags"] = "TASK_DEFINITION"
        entries[1].policy.append(allow("ecs:TagResource", "*"))

    def refuse(entries):
        entries[0].through, entries[0].kind, entries[0].place, entries[0].owner = False, "rule", "default", once
        entries[0].policy[0]["Resource"] += "-not"

    once = {"ScheduleExpression": "cron(10 12 * * ? *)"}
    size = {"account": aws.account, "seed": 1, "share": 0, "due": begun}
    made = sow(aws.client, region=aws.region, rules=3, schedules=3, arrange=arrange, **size)
    there = aws.elsewhere(region=REFUSED)
    refused = sow(there.client, region=REFUSED, rules=1, schedules=0, arrange=refuse, named=REFUSED, **size)
    family = made.entries[1].family
    Yard(aws.client, aws.account, aws.region).family(family.name, roles=family.roles)
    process.clock(clock, advance="40m")
    aws.client("ecs").deregister_task_definition(taskDefinition=f"{family.name}:{family.revision + 1}")
    arn = f"arn:aws:events:{aws.region}:{aws.account}:rule/{a_rule_of(made)}"
    aws.client("events").tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "night"}])
    _write_from_elsewhere(aws)
    return made, refused, begun


def a_rule_of(account):
    return next(one.name for one in account.entries if one.kind == "rule" and not one.through)


def _write_from_elsewhere(aws):
    """A letter of a rule that is gone waits in a queue: that is nobody's fault here, and has to be read."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="dead-letters-0")["QueueUrl"]
    told = {"RULE_ARN": f"arn:aws:events:{aws.region}:{aws.account}:rule/gone", "ERROR_CODE": "NO_RESOURCE"}
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageAttributes=attributes)


class TestACheck:
    @pytest.fixture
    def looked(self, account, acting, monkeypatch):
        """``looked(policy, how)``: what a check says under that policy."""
        monkeypatch.setattr(dead_letters, "_WAIT_SECONDS", 0)
        made, refused, since = account

        def look(given, how=""):
            there = acting(given)
            if how == "refused":
                there = there.elsewhere(region=REFUSED)
            places = fleet(there, regions="all" if how == "regions" else ())
            which = {
                "named": {"rules": [a_rule_of(made)]},
                "refused": {"rules": [a_rule_of(refused)]},
                "tag": {"tag": "team=night"},
            }.get(how, {})
            found = take_inventory(places, **which)
            return check(places, found, since=since, until=there.now())

        return look

    HOW = {  # noqa: RUF012  what is asked only where it is wanted
        "ec2:DescribeRegions": "regions",
        "events:DescribeRule": "named",
        "events:ListRuleNamesByTarget": "refused",
        "iam:GetRole": "named",
        "tag:GetResources": "tag",
    }

    @pytest.mark.parametrize("how", ["", "named", "tag"])
    def test_all_is_well_with_the_policy(self, looked, how):
        checked = looked(policy("60_check"), how)
        assert [one for one in checked.findings if one.status == "SKIP"] == []
        assert {one.status for one in judge_checked(checked)} == {"OK"}
        assert len(checked.inventory.rows) == {"": 6, "named": 1, "tag": 1}[how]

    @pytest.mark.parametrize("action", actions("60_check"))
    def test_without_an_action_the_answer_names_it_and_is_not_ok(self, looked, action):
        checked = looked(without("60_check", action), self.HOW.get(action, ""))
        told = [one for one in checked.findings if action in one.because]
        # that letters wait is known without reading them, and is NG
        assert {one.status for one in told} == {"NG" if action == "sqs:ReceiveMessage" else "SKIP"}
        assert {"NG", "SKIP"} & {one.status for one in judge_checked(checked)}


class TestALookBack:
    @pytest.fixture
    def looked(self, account, acting):
        """``looked(policy, regions)``: all that a look back says under that policy."""
        _, _, since = account

        def look(given, regions=()):
            there = acting(given)
            places = fleet(there, regions=regions)
            question = look_back(now=there.now(), since=since.isoformat())
            told = LookupEvents(places).facts(question.window)
            known = still_known(places, told, since=since)
            return judge_history(history(told, known, question), known, question)

        return look

    def test_all_is_well_with_the_policy(self, looked):
        checks = looked(policy("65_history"))
        assert {one.status for one in checks} == {"OK"}, checks

    @pytest.mark.parametrize("action", actions("65_history"))
    def test_without_an_action_the_answer_names_it_and_is_not_ok(self, looked, action):
        checks = looked(without("65_history", action), "all" if action == "ec2:DescribeRegions" else ())
        assert {one.status for one in checks if action in one.because} == {"SKIP"}


ASKED_OF_ATHENA = ["athena:StartQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults", "s3:ListBucket"]


class TestAthena:
    """
    What it asks for itself. What Athena then does in the caller's name, in the catalogue and in S3, the local AWS asks
    nobody about.
    """

    WINDOW = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 10, tzinfo=UTC))

    @pytest.fixture
    def told(self, aws, yard, acting):
        """``told(policy)``: what Athena tells of one record in a bucket."""
        s3, name = aws.client("s3"), yard.name("logs").lower()
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
        key = f"AWSLogs/{aws.account}/CloudTrail/{aws.region}/2026/11/04/one.json.gz"
        record = {
            "eventName": "RunTask",
            "eventTime": "2026-11-04T02:00:12Z",
            "eventID": "e1",
            "errorCode": "AccessDenied",
        }
        s3.put_object(Bucket=name, Key=key, Body=gzip.compress(json.dumps({"Records": [record]}).encode()))
        place = f"s3://{name}"
        return lambda given: Athena(acting(given), place, output=f"{place}/results").facts(self.WINDOW)

    def test_all_is_well_with_the_policy(self, told):
        assert list(told(policy("65_history-athena")).facts["event_id"]) == ["e1"]

    @pytest.mark.parametrize("action", ASKED_OF_ATHENA)
    def test_without_an_action_the_answer_names_it(self, told, action):
        with pytest.raises(RunbookError) as refused:
            told(without("65_history-athena", action))
        assert action in str(refused.value)


@pytest.fixture(scope="module")
def rules(aws, yard):
    """``fine`` runs a task; the role of ``bound`` trusts that rule alone, and so no temporary one."""
    tasks = yard.role(trusting("ecs-tasks.amazonaws.com"), allow("ecr:*", "*"), name="drilled-task")
    yard.family("drilled", roles=(tasks, tasks))
    arn = yard.arn("ecs", "task-definition/drilled")
    alone = {"ArnEquals": {"aws:SourceArn": yard.arn("events", "rule/bound")}}
    for name, condition in (("fine", None), ("bound", alone)):
        trust = json.loads(trusting("events.amazonaws.com"))
        trust["Statement"][0] |= {"Condition": condition} if condition else {}
        may = [allow("ecs:RunTask", f"{arn}:*"), allow("iam:PassRole", tasks)]
        target = {
            "Id": "run",
            "Arn": yard.arn("ecs", "cluster/default"),
            "RoleArn": yard.role(json.dumps(trust), *may, name=f"drilled-{name}"),
            "EcsParameters": {
                "TaskDefinitionArn": arn,
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-0a1a1a1a1a1a1a1a1"]}},
            },
        }
        aws.client("events").put_rule(Name=name, ScheduleExpression="cron(0 2 * * ? *)")
        aws.client("events").put_targets(Rule=name, Targets=[target])


@pytest.mark.usefixtures("rules")
class TestADrill:
    @pytest.fixture
    def drilled(self, aws, acting):
        """``drilled(policy, rule)``: all that a drill says under that policy."""

        def sleep(seconds):
            process.clock(server_of(aws), advance=seconds)

        def drill(given, rule="fine"):
            there = acting(given)
            clients = there.clients("events", "ecs", "cloudtrail", "iam")
            try:
                fired = fire(rule, now=there.now, pace=there.pace, sleep=sleep, timeout_seconds=5, **clients)
                known = revisions("drilled", ecs=there.client("ecs"), since=fired.sent_at)
            except RunbookError as error:
                return "ERROR", f"{error} {error.hint}"
            checks = judge_fired(fired, known)
            words = " ".join(f"{one.because} {one.next}" for one in checks)
            return {one.status for one in checks}, f"{words} {fired.hint}"

        return drill

    WHICH = {"cloudtrail:LookupEvents": "bound", "iam:GetRole": "bound"}  # noqa: RUF012  asked where nothing is seen

    @pytest.fixture
    def leftover(self, aws):
        """A temporary rule of another drill that was killed: it is found by its tags."""
        tags = [{"Key": DRILL_TAG, "Value": DRILL_TAG_VALUE}]
        aws.client("events").put_rule(Name="ecsrb-0a0a0a0a-killed", EventPattern='{"source": ["x"]}', Tags=tags)
        yield
        aws.client("events").delete_rule(Name="ecsrb-0a0a0a0a-killed")

    @pytest.mark.usefixtures("leftover")
    def test_all_is_well_with_the_policy(self, drilled):
        assert drilled(policy("30_fire"))[0] == {"OK"}

    @pytest.mark.usefixtures("leftover")
    @pytest.mark.parametrize("action", actions("30_fire"))
    def test_without_an_action_the_answer_names_it_and_is_not_ok(self, drilled, action):
        said, words = drilled(without("30_fire", action), self.WHICH.get(action, "fine"))
        assert action in words
        assert said != {"OK"}


MANAGED_RULE = "rule/StepFunctionsGetEventsForECSTaskRule"


@pytest.fixture(scope="module")
def schedules(aws, yard):
    """``fine`` runs a task, ``through`` starts a state machine that does; nobody may assume the role of ``bound``."""
    tasks = yard.role(trusting("ecs-tasks.amazonaws.com"), allow("ecr:*", "*"), name="scheduled-task")
    yard.family("scheduled", roles=(tasks, tasks))
    definition, cluster = yard.arn("ecs", "task-definition/scheduled"), yard.arn("ecs", "cluster/default")
    may = [allow("ecs:RunTask", f"{definition}:*"), allow("iam:PassRole", tasks)]
    inner = {"Subnets": ["subnet-0a1a1a1a1a1a1a1a1"]}
    parameters = {"TaskDefinitionArn": definition, "LaunchType": "FARGATE"}
    run_task = {"Arn": cluster, "EcsParameters": parameters | {"NetworkConfiguration": {"awsvpcConfiguration": inner}}}
    asked = {"Cluster": cluster, "TaskDefinition": definition, "LaunchType": "FARGATE"}
    asked |= {"NetworkConfiguration": {"AwsvpcConfiguration": inner}}
    state = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": asked, "End": True}
    learns = allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], yard.arn("events", MANAGED_RULE))
    watches = allow(["ecs:DescribeTasks", "ecs:StopTask"], "*")
    machine = aws.client("stepfunctions").create_state_machine(
        name="drilled",
        definition=json.dumps({"StartAt": "Run", "States": {"Run": state}}),
        roleArn=yard.role(trusting("states.amazonaws.com"), *may, watches, learns, name="drilled-machine"),
    )["stateMachineArn"]
    targets = {
        "fine": (run_task, trusting("scheduler.amazonaws.com"), may),
        "bound": (run_task, trusting("ecs-tasks.amazonaws.com"), may),
        "through": ({"Arn": machine}, trusting("scheduler.amazonaws.com"), [allow("states:StartExecution", machine)]),
    }
    for name, (target, trust, statements) in targets.items():
        aws.client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression="cron(0 2 * * ? *)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target | {"RoleArn": yard.role(trust, *statements, name=f"scheduled-{name}")},
        )


@pytest.mark.usefixtures("schedules")
class TestADrillOfASchedule:
    @pytest.fixture
    def drilled(self, aws, acting):
        """``drilled(policy, schedule)``: all that a drill says under that policy."""

        def sleep(seconds):
            process.clock(server_of(aws), advance=seconds)

        def drill(given, schedule="fine"):
            there = acting(given)
            clients = there.clients("events", "scheduler", "stepfunctions", "ecs", "cloudtrail", "iam")
            how = {"now": there.now, "pace": there.pace, "sleep": sleep, "timeout_seconds": 90}
            try:
                fired = fire(schedule=schedule, **how, **clients)
                known = revisions("scheduled", ecs=there.client("ecs"), since=fired.sent_at)
            except RunbookError as error:
                return "ERROR", f"{error} {error.hint}"
            checks = judge_fired(fired, known)
            words = " ".join(f"{one.because} {one.next}" for one in checks)
            return {one.status for one in checks}, f"{words} {fired.hint}"

        return drill

    WHICH = {  # noqa: RUF012  what is asked only of one of them
        "cloudtrail:LookupEvents": "bound",
        "iam:GetRole": "bound",
        "states:DescribeStateMachine": "through",
        "states:GetExecutionHistory": "through",
        "states:ListExecutions": "through",
    }

    @pytest.mark.parametrize("schedule", ["fine", "through"])
    def test_all_is_well_with_the_policy(self, drilled, schedule):
        assert drilled(policy("30_fire-schedule"), schedule)[0] == {"OK"}

    @pytest.mark.parametrize("action", actions("30_fire-schedule"))
    def test_without_an_action_the_answer_names_it_and_is_not_ok(self, drilled, action):
        said, words = drilled(without("30_fire-schedule", action), self.WHICH.get(action, "fine"))
        assert action in words
        assert said != {"OK"}
