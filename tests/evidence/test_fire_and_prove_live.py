"""The main job against the local AWS: fire, register a revision, fire again, prove; its clock is moved by hand."""

import json
from datetime import UTC, datetime

import pytest

from ecs_runbook.evidence.revisions import latest_at, revisions
from ecs_runbook.evidence.runs import runs
from ecs_runbook.firing.drill import fire, leftovers
from ecs_runbook.firing.revision import deregister, register_again
from ecs_runbook.local_aws import process
from ecs_runbook.reports.timeline import timeline
from ecs_runbook.session import connect
from ecs_runbook.verdicts.runs import judge_runs

BEGIN = datetime(2027, 1, 4, 9, tzinfo=UTC)
SERVICES = ("ecs", "events", "cloudtrail")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    server = process.start(folder)
    process.clock(server, freeze=True)
    process.clock(server, to=BEGIN)
    yield server
    process.stop(folder)


@pytest.fixture(scope="module")
def aws(server):
    return connect("local", endpoint=server.url)


@pytest.fixture
def begun(aws):
    return aws.now()


@pytest.fixture(scope="module")
def schedule(aws):
    """Make a schedule ``schedule("name", …)`` of a family of the same name; return the name."""
    iam, ecs, events = (aws.client(service) for service in ("iam", "ecs", "events"))

    def role(name, service, *statements):
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=document)
        return f"arn:aws:iam::{aws.account}:role/{name}"

    def make(name, *, pinned=False, may=":*", expression="cron(0 17 * * ? *)", environment=()):
        execution = role(f"{name}-execution", "ecs-tasks.amazonaws.com")
        family = f"arn:aws:ecs:{aws.region}:{aws.account}:task-definition/{name}"
        run = {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": family + may}
        passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": execution}
        ecs.register_task_definition(
            family=name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=execution,
            containerDefinitions=[
                {"name": "main", "image": "app:1", "environment": [{"name": n, "value": v} for n, v in environment]}
            ],
            tags=[{"key": "ecs-runbook", "value": name}],
        )
        events.put_rule(Name=name, ScheduleExpression=expression)
        target = {
            "Id": "task",
            "Arn": f"arn:aws:ecs:{aws.region}:{aws.account}:cluster/default",
            "RoleArn": role(f"{name}-schedule", "events.amazonaws.com", run, passing),
            "EcsParameters": {
                "TaskDefinitionArn": f"{family}:1" if pinned else family,
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-0a1a1a1a1a1a1a1a1"]}},
            },
        }
        assert events.put_targets(Rule=name, Targets=[target])["FailedEntryCount"] == 0
        return name

    return make


@pytest.fixture
def drill(aws, server):
    """Fire a rule; waiting moves the clock that stands still."""

    def sleep(seconds):
        process.clock(server, advance=seconds)

    def run(rule, **more):
        return fire(rule, now=aws.now, pace=aws.pace, sleep=sleep, **aws.clients(*SERVICES), **more)

    return run


def seen(aws, rule, since):
    return runs(rule, since=since, until=aws.now(), pace=aws.pace, **aws.clients(*SERVICES))


def test_latest_follows_a_new_revision_and_a_pin_does_not(aws, server, schedule, drill, begun):
    latest, pinned = schedule("latest"), schedule("pinned", pinned=True)
    first = [drill(latest), drill(pinned)]
    assert [(fired.status, fired.exit_code, fired.executed) for fired in first] == [("STOPPED", 0, 1)] * 2
    process.clock(server, advance=120)
    for family in (latest, pinned):
        assert register_again(family, ecs=aws.client("ecs"), image="app:2").revision == 2
    process.clock(server, advance=120)
    assert [drill(latest).executed, drill(pinned).executed] == [2, 1]

    table = seen(aws, latest, begun)
    assert table[["schedule", "requested", "executed", "latest", "state", "source"]].values.tolist() == [
        ["latest (drill)", "latest", 1, 1, "LATEST", "ECS + CloudTrail"],
        ["latest (drill)", "latest", 2, 2, "LATEST", "ECS + CloudTrail"],
    ]
    assert {check.status for check in judge_runs(table, latest)} == {"OK"}

    table = seen(aws, pinned, begun)
    assert list(table["state"]) == ["LATEST", "STALE"]
    assert list(table.attrs["notes"].values()) == ["asked for pinned:1, a fixed revision"]
    judged = {check.id: check.status for check in judge_runs(table, pinned)}
    assert judged["runs-latest"] == "NG"
    assert timeline(table, revisions(pinned, ecs=aws.client("ecs"))).axes[0].get_title(loc="left") == (
        "2 runs: 1 took the latest revision, 1 took an older one"
    )
    assert leftovers(events=aws.client("events"), now=aws.now).empty


def test_the_schedule_itself_runs_at_its_minute_and_is_told_from_a_drill(aws, server, schedule, drill, begun):
    rule = schedule("daily", expression="cron(30 * * * ? *)")
    drill(rule)
    minute = begun.replace(minute=30, second=0, microsecond=0)
    process.clock(server, to=minute if minute > aws.now() else minute.replace(hour=minute.hour + 1))
    process.clock(server, advance=30)
    table = seen(aws, rule, begun)
    assert list(table["schedule"]) == ["daily (drill)", "daily"]
    assert table["time"].iloc[1].minute == 30
    assert list(table["exit_code"]) == [0, 0]


def test_a_role_that_allows_the_bare_family_alone_is_refused_and_the_words_are_awss(aws, schedule, drill, begun):
    rule = schedule("bare", may="")
    fired = drill(rule)
    assert (fired.status, fired.refused_code, fired.tasks) == ("REFUSED", "AccessDenied", ())
    assert "is not authorized to perform: ecs:RunTask on resource: " in fired.refused_message
    assert "task-definition/bare:1 because" in fired.refused_message
    table = seen(aws, rule, begun)
    assert table[["status", "state", "source"]].values.tolist() == [["REFUSED", "", "CloudTrail"]]
    assert {check.id: check.status for check in judge_runs(table, rule)}["runs-refused"] == "NG"


def test_a_dry_command_reaches_the_task_as_an_override_and_the_rest_stays(aws, schedule, drill):
    rule = schedule("harmless")
    fired = drill(rule, dry_command=["true"])
    (task,) = aws.client("ecs").describe_tasks(tasks=list(fired.tasks))["tasks"]
    (override,) = task["overrides"]["containerOverrides"]
    assert (override["name"], override["command"]) == ("main", ["true"])
    assert "Input" not in aws.client("events").list_targets_by_rule(Rule=rule)["Targets"][0]


def test_a_bad_end_comes_with_its_exit_code(aws, schedule, drill, begun):
    rule = schedule("failing", environment=[("LOCAL_AWS_EXIT_CODE", "3")])
    fired = drill(rule)
    assert (fired.status, fired.exit_code, fired.ok) == ("STOPPED", 3, False)
    table = seen(aws, rule, begun)
    assert list(table["exit_code"]) == [3]
    check = next(check for check in judge_runs(table, rule) if check.id == "runs-succeeded")
    assert check.status == "NG"
    assert "exit code 3, EssentialContainerExited: Essential container in task exited" in check.because


def test_what_ecs_has_forgotten_cloudtrail_still_tells(aws, server, schedule, drill, begun):
    rule = schedule("forgotten")
    drill(rule)
    process.clock(server, advance="2h")
    table = seen(aws, rule, begun)
    drilled = table[table["schedule"] == "forgotten (drill)"]
    assert drilled[["source", "status", "executed", "state"]].values.tolist() == [
        ["CloudTrail", "ACCEPTED", 1, "LATEST"]
    ]


def test_after_a_deregistration_the_one_before_is_the_latest_again(aws, server, schedule):
    family, ecs = schedule("withdrawn"), aws.client("ecs")
    process.clock(server, advance=60)
    register_again(family, ecs=ecs, image="app:2")
    with_two = aws.now()
    process.clock(server, advance=60)
    ecs.deregister_task_definition(taskDefinition=f"{family}:2")
    table = revisions(family, ecs=ecs)
    assert list(table["status"]) == ["ACTIVE", "INACTIVE"]
    assert (latest_at(table, with_two), latest_at(table, aws.now())) == (2, 1)


def test_in_the_end_our_revisions_are_deregistered(aws, schedule):
    family, ecs = schedule("ending"), aws.client("ecs")
    register_again(family, ecs=ecs, image="app:2")
    ecs.register_task_definition(family=family, containerDefinitions=[{"name": "m", "image": "i", "memory": 128}])
    found = deregister(family, ecs=ecs, owner=family)
    assert found[["revision", "deregistered"]].values.tolist() == [[3, False], [2, True], [1, True]]
    assert latest_at(revisions(family, ecs=ecs), aws.now()) == 3


def test_an_interrupted_drill_leaves_no_rule_on_the_bus(aws, schedule):
    def interrupt(_seconds):
        raise KeyboardInterrupt

    rule = schedule("interrupted")
    with pytest.raises(KeyboardInterrupt):
        fire(rule, now=aws.now, pace=aws.pace, sleep=interrupt, **aws.clients(*SERVICES))
    names = [one["Name"] for one in aws.client("events").list_rules()["Rules"]]
    assert rule in names
    assert not [name for name in names if name.startswith("ecsrb-")]
