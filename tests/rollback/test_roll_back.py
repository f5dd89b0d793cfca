"""
Going back on a local AWS: three ways, each taken back; and whatever breaks in the middle, the state is one that was
announced, and running it again ends it.
"""

import itertools
import json
import os
import re
import signal
from dataclasses import replace

import boto3
import papermill
import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError
from local_world import ACCOUNT, REGION, LocalWorld, allow, arn, trusting

from ecs_runbook import workspace
from ecs_runbook.errors import AwsError, EvidenceError, RunbookError, SpecError
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Gap
from ecs_runbook.local_aws import process
from ecs_runbook.rollback import journal as journals
from ecs_runbook.rollback.content import difference
from ecs_runbook.rollback.family import last_revisions
from ecs_runbook.rollback.go import roll_back
from ecs_runbook.rollback.proof import prove
from ecs_runbook.rollback.situation import compared, situation
from ecs_runbook.rollback.users import users
from ecs_runbook.rollback.verdict import judge_rolled_back
from ecs_runbook.session import connect
from ecs_runbook.verdicts.verdict import worst

SECRET = "hunter2-do-not-show"


class Family(LocalWorld):
    """Families that a rule and a schedule run without a revision: 1 is good, 2 and 3 are bad."""

    def __init__(self, server):
        super().__init__(server)
        self.aws = connect("local", endpoint=server.url, region=REGION)
        self.cluster_arn = self.ecs.create_cluster(clusterName="batch", capacityProviders=["FARGATE"])["cluster"][
            "clusterArn"
        ]
        self.scheduler = self.client("scheduler")
        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        self.reach = {"endpoint_url": server.url, "region_name": REGION, **keys}

    def family(self):
        name = self.name("nightly")
        self.deploy(name, "app:good")
        self.deploy(name, "app:bad")
        self.deploy(name, "app:worse")
        run = allow("ecs:RunTask", f"{arn(f'task-definition/{name}')}:*")
        role = self.role(run, trust=trusting(["events.amazonaws.com", "scheduler.amazonaws.com"]))
        asked = {"TaskDefinitionArn": arn(f"task-definition/{name}"), "LaunchType": "FARGATE"}
        asked["NetworkConfiguration"] = {"awsvpcConfiguration": {"Subnets": [self.subnet]}}
        target = {"Arn": self.cluster_arn, "RoleArn": role, "EcsParameters": asked}
        self.events.put_rule(Name=name, ScheduleExpression="rate(1 hour)")
        more = {"Id": "run", "Input": json.dumps({"containerOverrides": [{"name": "main", "command": ["true"]}]})}
        self.events.put_targets(Rule=name, Targets=[target | more])
        window = {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}}
        zone = {"ScheduleExpressionTimezone": "Asia/Tokyo", "Description": "as it was", "State": "DISABLED"}
        self.scheduler.create_schedule(Name=name, ScheduleExpression="rate(1 day)", Target=target, **window, **zone)
        return name

    def deploy(self, family, image):
        container = {"name": "main", "image": image, "environment": [{"name": "TOKEN", "value": f"{SECRET}-{image}"}]}
        return self.register(family, [container])

    def active(self, family):
        """The images of the ACTIVE revisions, by their number."""
        listed = self.ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]
        told = [self.ecs.describe_task_definition(taskDefinition=one)["taskDefinition"] for one in listed]
        return {one["revision"]: one["containerDefinitions"][0]["image"] for one in told}

    def targets(self, family):
        """What rule and schedule run, by name."""
        rule = self.events.list_targets_by_rule(Rule=family)["Targets"][0]["EcsParameters"]["TaskDefinitionArn"]
        schedule = self.scheduler.get_schedule(Name=family)["Target"]["EcsParameters"]["TaskDefinitionArn"]
        return rule.rpartition("/")[2], schedule.rpartition("/")[2]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    server = process.start(tmp_path_factory.mktemp("roll-back"))
    yield Family(server)
    process.stop(server.folder)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ECS_RUNBOOK_HOME", str(tmp_path))
    return tmp_path


def look(world, family, to=0):
    places = fleet(world.aws)
    return situation(family, to, places, take_inventory(places, rules=[family], schedules=[family])), places


def go(world, family, to=0, **how):
    here, places = look(world, family, to)
    return here, roll_back(here, places, to=to, **how)


# -------- looking changes nothing


def test_looking_tells_of_revisions_users_and_three_ways_and_changes_nothing(world, home):
    family = world.family()
    world.register(family=f"{family}-other")
    network = world.network(securityGroups=[world.group])
    service = {"launchType": "FARGATE", "networkConfiguration": network, "desiredCount": 1}
    world.ecs.create_service(cluster="batch", serviceName=family, taskDefinition=f"{family}:2", **service)
    before = world.active(family), world.targets(family)
    here, rolled = go(world, family)
    places = fleet(world.aws)
    found = take_inventory(places)
    table, gaps = users(family, places, found)
    assert {(row["kind"], row["names"], row["runs_the_latest"]) for _, row in table.iterrows()} == {
        ("rule", family, True),
        ("schedule", family, True),
        ("service", f"{family}:2", False),
    }
    assert gaps == []
    assert (here.good.name, here.newest.name, here.bad) == (f"{family}:2", f"{family}:3", (f"{family}:3",))
    assert str(rolled) == f"nothing was changed: the latest revision of {family} is {family}:3"
    assert [step.does for step in here.way("deregister").steps] == [
        f"deregisters {family}:3; then {family}:2 is the latest ACTIVE one"
    ]
    assert [step.operation for step in here.way("pin").steps] == ["events:PutTargets", "scheduler:UpdateSchedule"]
    assert (world.active(family), world.targets(family)) == before
    assert worst(one.status for one in judge_rolled_back(rolled, here)) == "OK"
    assert not list(home.rglob("*.json"))


def test_a_family_of_one_revision_can_be_looked_at_and_there_is_nothing_to_go_back_to(world, home):
    family, other = world.name("nightly"), world.family()
    world.deploy(family, "app:only")
    places = fleet(world.aws)
    found = take_inventory(places, rules=[other])
    here = situation(family, 0, places, found)
    assert f"{family}:1 runs, and no other ACTIVE revision of {family} says anything else" in str(here)
    assert (here.good.name, here.bad, difference(here.good, here.newest).empty) == (f"{family}:1", (), True)
    rolled = roll_back(here, places, to=0)
    (check, *_) = judge_rolled_back(rolled, here)
    assert (check.status, check.because) == ("OK", f"nothing was changed: the latest revision is {family}:1")
    with pytest.raises(EvidenceError, match=rf"to = '2': ECS knows no {family}:2"):
        situation(family, 2, places, found)
    assert (world.active(family), list(home.rglob("*.json"))) == ({1: "app:only"}, [])


def test_a_drill_of_a_rule_that_does_not_run_the_family_is_not_made(world):
    family, other = world.family(), world.family()
    here, rolled = go(world, family, 1)
    proof = prove(rolled, here, world.aws, rule=other)
    assert (proof.fired, proof.asked) == (None, True)
    words = f"{other} was not fired: it runs neither the latest revision of {family} nor {family}:1"
    assert proof.because.startswith(words)
    assert worst(judge_rolled_back(rolled, here, proof)) == "SKIP"


def test_a_drill_that_is_named_is_of_the_default_group_and_bus_as_firing_takes_it(world):
    family = world.family()
    here, rolled = go(world, family, 1)
    (schedule,) = [row for row in here.rows if row.kind == "schedule"]
    (rule,) = [row for row in here.rows if row.kind == "rule"]
    elsewhere = replace(
        here, rows=(replace(schedule, owner=replace(schedule.owner, group="reports")), replace(rule, bus="orders"))
    )
    for named in ({"schedule": family}, {"rule": family}):
        proof = prove(rolled, elsewhere, world.aws, **named)
        assert proof.because.startswith(f"{family} was not fired")
    assert "<b>" not in prove(rolled, here, world.aws, rule="<b>x")._repr_html_()


def test_any_two_revisions_are_compared_and_two_that_say_the_same_are_said_to(world):
    family = world.family()
    here, places = look(world, family, 1)
    told = compared(here, places, [3, 2])
    assert (told.older.name, told.newer.name) == (f"{family}:2", f"{family}:3")
    assert str(compared(here, places, [3, 3])) == f"{family}:3 and {family}:3 say the same"
    assert compared(here, places).table.equals(difference(here.good, here.newest))
    with pytest.raises(SpecError, match=r"compare = \[3\]: name two revisions"):
        compared(here, places, [3])
    with pytest.raises(EvidenceError, match="compare = '99': ECS knows no"):
        compared(here, places, [1, 99])


def test_schedules_that_could_not_all_be_listed_are_not_pinned(world):
    family = world.family()
    places = fleet(world.aws)
    found = take_inventory(places, rules=[family], schedules=[family])
    gap = Gap("events:ListTargetsByRule", "ConnectionClosedError", place=places.places[0])
    here = situation(family, 1, places, replace(found, gaps=[gap]))
    with pytest.raises(EvidenceError, match="what is on a schedule is not known whole") as told:
        roll_back(here, places, to=1, way="pin")
    assert told.value.hint == "Nothing was changed."
    assert world.targets(family) == (family, family)


def test_what_runs_through_a_state_machine_is_not_pinned_and_what_to_do_by_hand_is_said_before(world):
    family = world.family()
    asked = {"Cluster": "batch", "TaskDefinition": family, "LaunchType": "FARGATE"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask", "Parameters": asked, "End": True}
    states, role = {"StartAt": "Run", "States": {"Run": state}}, world.role(trust=trusting(["states.amazonaws.com"]))
    sfn = world.client("stepfunctions")
    machine = sfn.create_state_machine(name=family, roleArn=role, definition=json.dumps(states))["stateMachineArn"]
    world.events.put_rule(Name=f"{family}-starts", ScheduleExpression="rate(1 day)")
    world.events.put_targets(Rule=f"{family}-starts", Targets=[{"Id": "run", "Arn": machine, "RoleArn": role}])
    places, rules = fleet(world.aws), [family, f"{family}-starts"]
    good = arn(f"task-definition/{family}:1")
    here = situation(family, 1, places, take_inventory(places, rules=rules, schedules=[family]))
    words = rf"{family}-starts runs through a state machine, {family}, .*By hand: let TaskDefinition .* name {good}, "
    assert re.search(words, str(here))
    assert re.search("then run this again with way = pin. Or take way = register", here._repr_html_())
    with pytest.raises(EvidenceError, match=words) as told:
        roll_back(here, places, to=1, way="pin")
    assert told.value.hint == "Nothing was changed."
    assert world.targets(family) == (family, family)
    state["Parameters"]["TaskDefinition"] = good
    sfn.update_state_machine(stateMachineArn=machine, definition=json.dumps(states))
    here = situation(family, 1, places, take_inventory(places, rules=rules, schedules=[family]))
    assert roll_back(here, places, to=1, way="pin").finished
    assert world.targets(family) == (f"{family}:1", f"{family}:1")


def test_the_difference_names_fields_and_shows_no_variable(world):
    family = world.family()
    here, _ = look(world, family, 1)
    told = difference(here.good, here.newest)
    assert list(told["field"]) == ["containerDefinitions[main].image", "containerDefinitions[main].environment[TOKEN]"]
    assert list(told.loc[0, ["older", "newer"]]) == ["app:good", "app:worse"]
    assert SECRET not in told.to_string()


def test_the_last_revisions_have_images_and_how_they_ran(world):
    family = world.family()
    world.advance("61m")
    world.advance("10m")
    places = fleet(world.aws)
    told = last_revisions(family, places, take_inventory(places), hours=2)
    assert list(told["revision"]) == [3, 2, 1]
    assert list(told["images"]) == ["app:worse", "app:bad", "app:good"]
    assert list(told["runs"]) == [1, 0, 0]
    assert told["ended"][0] == "exit code 0"
    assert all(f"arn:aws:iam::{ACCOUNT}:root" in who for who in told["registered_by"])


def test_a_run_without_an_exit_code_is_told_by_its_status(world):
    family = world.family()
    forever = [{"name": "LOCAL_AWS_SECONDS", "value": "100000"}]
    world.register(family, [{"name": "main", "image": "app:slow", "environment": forever}])
    world.advance("61m")
    places = fleet(world.aws)
    found = take_inventory(places, rules=[family], schedules=[family])
    told = last_revisions(family, places, found, hours=2)
    assert (list(told["runs"]), list(told["ended"])) == ([1, 0, 0, 0], ["RUNNING", "", "", ""])


def test_terraforms_hand_in_the_bad_revision_is_told_with_what_its_next_apply_does(world):
    family = world.family()
    assert look(world, family, 1)[0].next_apply() == f"Terraform did not register {family}:3."
    agent = Config(user_agent="APN/1.0 HashiCorp/1.0 Terraform/1.9.0 terraform-provider-aws/5.100.0")
    named = boto3.client("ecs", config=agent, **world.reach)
    container = {"name": "main", "image": "app:worst", "memory": 128}
    named.register_task_definition(family=family, containerDefinitions=[container])
    here, _ = look(world, family, 1)
    assert here.by_terraform
    said = here.next_apply()
    assert said.startswith(f"Terraform registered {family}:4: its files still say what the bad revision says")
    assert f"Put into the files what {family}:1 says" in said


# -------- the three ways, and back again


def test_register_makes_the_good_one_the_newest_and_undo_takes_it_away(world):
    family = world.family()
    here, rolled = go(world, family, 1)
    assert rolled.finished
    assert world.active(family) == {1: "app:good", 2: "app:bad", 3: "app:worse", 4: "app:good"}
    proof = prove(rolled, here, world.aws, dry_command=["true"])
    assert proof.fired.executed == 4
    assert [(one.id, one.status) for one in judge_rolled_back(rolled, here, proof)] == [
        ("rolled-back", "OK"),
        ("rolled-back-runs", "OK"),
        ("next-apply", "OK"),
    ]
    assert str(go(world, family, 1)[1]).startswith("nothing was changed")  # a second time there is nothing to do
    assert world.active(family).keys() == {1, 2, 3, 4}
    _, undone = go(world, family, undo=True)
    assert (undone.finished, undone.latest) == (True, f"{family}:3")
    assert world.active(family).keys() == {1, 2, 3}
    with pytest.raises(EvidenceError, match=r"There is no way back of .* to take back"):
        go(world, family, undo=True)


def test_a_way_that_was_taken_back_can_be_gone_again_and_nobody_else_is_blamed_for_its_number(world):
    family = world.family()
    go(world, family, 1)
    go(world, family, undo=True)
    here, rolled = go(world, family, 1)
    assert (rolled.error, rolled.latest) == ("", f"{family}:5")
    assert worst(one.status for one in judge_rolled_back(rolled, here)) == "OK"


def test_an_inactive_revision_can_be_registered_again_and_nothing_else(world):
    family = world.family()
    world.ecs.deregister_task_definition(taskDefinition=f"{family}:1")
    for way in ("deregister", "pin"):
        with pytest.raises(EvidenceError, match=f"way = '{way}': {family}:1 is INACTIVE.*Nothing was changed"):
            go(world, family, 1, way=way)
    _, rolled = go(world, family, 1)
    assert rolled.finished
    assert world.active(family)[4] == "app:good"


def test_deregister_leaves_no_moment_without_an_active_revision_and_undo_registers_the_last_again(world):
    family = world.family()
    here, rolled = go(world, family, 1, way="deregister")
    assert rolled.finished
    assert world.active(family) == {1: "app:good"}
    assert prove(rolled, here, world.aws).fired.executed == 1
    _, undone = go(world, family, undo=True)
    assert (undone.finished, world.active(family)) == (True, {1: "app:good", 4: "app:worse"})


def test_pin_changes_the_task_definition_of_rule_and_schedule_and_nothing_else(world):
    family = world.family()
    told = world.scheduler.get_schedule(Name=family)
    rule = world.events.list_targets_by_rule(Rule=family)["Targets"]
    _, rolled = go(world, family, 2, way="pin")
    assert rolled.finished
    assert world.targets(family) == (f"{family}:2", f"{family}:2")
    now = world.scheduler.get_schedule(Name=family)
    left_out = ("Target", "LastModificationDate", "ResponseMetadata")
    assert {key: now[key] for key in now if key not in left_out} == {
        key: told[key] for key in told if key not in left_out
    }
    _, again = go(world, family, 2, way="pin")
    assert str(again).startswith("nothing was changed")
    _, undone = go(world, family, undo=True)
    assert undone.finished
    assert world.targets(family) == (family, family)
    assert world.events.list_targets_by_rule(Rule=family)["Targets"] == rule
    assert world.scheduler.get_schedule(Name=family)["Target"] == told["Target"]


def test_the_journal_holds_no_content(world, home):
    family = world.family()
    for how in ({"way": "register"}, {"way": "pin"}):
        go(world, family, 1, **how)
    files = list(home.rglob("*.json"))
    assert len(files) == 2
    assert all(SECRET not in path.read_text() for path in files)


# -------- what was not announced is not done


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("other:1", "to = 'other:1': name a revision of"),
        ("x", "to = 'x': name a revision of"),
        (99, "ECS knows no .*:99 in"),
    ],
)
def test_a_revision_that_is_none_of_the_familys_is_refused(world, to, words):
    family = world.family()
    with pytest.raises(RunbookError, match=words):
        go(world, family, to)


def test_a_way_that_there_is_not_is_refused(world):
    with pytest.raises(SpecError, match="way = 'revert': write register, deregister or pin"):
        go(world, world.family(), 1, way="revert")


def test_a_family_that_changed_since_it_was_looked_at_is_left_alone(world, home):
    family = world.family()
    here, places = look(world, family, 1)
    world.deploy(family, "app:meanwhile")
    with pytest.raises(EvidenceError, match=rf"{family}:4 is the latest revision now.*and {family}:3 was"):
        roll_back(here, places, to=1)
    assert world.active(family).keys() == {1, 2, 3, 4}
    assert not list(home.rglob("*.json"))


@pytest.mark.parametrize("way", ["register", "deregister"])
def test_a_revision_that_comes_in_the_middle_is_told_of(world, way):
    family = world.family()
    here, places = look(world, family, 1)
    operation = {"register": "RegisterTaskDefinition", "deregister": "DeregisterTaskDefinition"}[way]
    ours = places.at(places.places[0]).client("ecs")
    deploys = itertools.islice(itertools.count(), 1)

    def somebody_deploys(**_):
        for _ in deploys:
            world.deploy(family, "app:meanwhile")

    ours.meta.events.register(f"after-call.ecs.{operation}", somebody_deploys)
    rolled = roll_back(here, places, to=1, way=way)
    assert not rolled.finished
    assert "is the latest now" in rolled.error
    assert "somebody else registered" in rolled.error
    (check, *_) = judge_rolled_back(rolled, here)
    assert check.status == "NG"


def test_a_revision_that_comes_just_before_ours_and_lies_below_it_is_told_of(world):
    family = world.family()
    here, places = look(world, family, 1)
    ours = places.at(places.places[0]).client("ecs")
    deploys = itertools.islice(itertools.count(), 1)

    def somebody_deploys(**_):
        for _ in deploys:
            world.deploy(family, "app:meanwhile")

    ours.meta.events.register("before-call.ecs.RegisterTaskDefinition", somebody_deploys)
    rolled = roll_back(here, places, to=1)
    assert rolled.latest == f"{family}:5"
    assert f"somebody else registered {family}:4 meanwhile, and nobody runs it: {family}:5" in rolled.error
    (check, *_) = judge_rolled_back(rolled, here)
    assert check.status == "NG"
    _, back = go(world, family, 1, undo=True)
    assert back.latest == f"{family}:4"


def test_a_schedule_that_fires_in_the_middle_finds_a_revision_each_time(world):
    family = world.family()
    here, places = look(world, family, 1)
    ours = places.at(places.places[0]).client("ecs")
    ours.meta.events.register("after-call.ecs.DeregisterTaskDefinition", lambda **_: world.advance("61m"))
    assert roll_back(here, places, to=1, way="deregister").finished
    records = [
        json.loads(event["CloudTrailEvent"])
        for page in world.cloudtrail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "RunTask"}]
        )
        for event in page["Events"]
    ]
    own = [one for one in records if family in json.dumps(one.get("requestParameters"))]
    ran = [one["responseElements"]["tasks"][0]["taskDefinitionArn"].rpartition(":")[2] for one in own]
    assert ran[::-1] == ["2", "1"]


# -------- the network fails at each call in turn


def failing(places, at, answered):
    """Let the call number *at* fail: before it is made, or after it was answered."""
    calls = itertools.count()
    aws = places.at(places.places[0])

    def fail(**_):
        if next(calls) == at:
            raise ReadTimeoutError(endpoint_url="https://ecs.example")

    for service in ("ecs", "events", "scheduler"):
        name = "after-call" if answered else "before-call"
        aws.client(service).meta.events.register(f"{name}.{service}", fail)
    return calls


ENDS = {  # what is there when a way has come to its end: ACTIVE images by number, rule and schedule
    "register": ({1: "app:good", 2: "app:bad", 3: "app:worse", 4: "app:good"}, None),
    "deregister": ({1: "app:good"}, None),
    "pin": ({1: "app:good", 2: "app:bad", 3: "app:worse"}, 1),
}


@pytest.mark.parametrize("answered", [False, True], ids=["never made", "answer lost"])
@pytest.mark.parametrize("way", ["register", "deregister", "pin"])
def test_whichever_call_fails_a_second_run_ends_it(world, way, answered):
    images, pinned = ENDS[way]
    for at in range(40):
        family = world.family()
        untouched = world.active(family), world.targets(family)
        here, places = look(world, family, 1)
        calls = failing(places, at, answered)
        try:
            rolled = roll_back(here, places, to=1, way=way)
        except AwsError:
            assert (world.active(family), world.targets(family)) == untouched
            assert journals.read(family, world.aws) is None
        else:
            journal = journals.read(family, world.aws)
            assert journal is not None
            if next(calls) <= at:  # all of its calls were made before the one that fails
                assert rolled.finished
                break
            assert not rolled.finished
            assert "ReadTimeoutError" in rolled.error
            unheard = [one.error for one in journal.steps if one.state == "tried"]
            assert all(told.startswith("no answer to ") and "refused" not in told for told in unheard)
        _, again = go(world, family, 1, way=way)
        assert again.error == ""
        there = f"{family}:{pinned}" if pinned else family
        assert world.active(family) == images
        assert world.targets(family) == (there, there)
    else:
        pytest.fail("every call failed")
    assert at >= 3


@pytest.mark.parametrize("answered", [False, True], ids=["never made", "answer lost"])
@pytest.mark.parametrize("way", ["register", "deregister", "pin"])
def test_whichever_call_fails_it_can_be_taken_back(world, way, answered):
    for at in range(1, 40):
        family = world.family()
        here, places = look(world, family, 1)
        calls = failing(places, at, answered)
        try:
            rolled = roll_back(here, places, to=1, way=way)
        except AwsError:
            continue
        if next(calls) <= at:
            break
        assert not rolled.finished
        _, undone = go(world, family, undo=True)
        assert undone.error == ""
        active = world.active(family)
        assert active[max(active)] == "app:worse"  # what ran before runs again
        assert world.targets(family) == (family, family)
    else:
        pytest.fail("every call failed")


CHANGES = {
    "register": ("ecs.RegisterTaskDefinition",),
    "deregister": ("ecs.DeregisterTaskDefinition", "ecs.DeregisterTaskDefinition"),
    "pin": ("events.PutTargets", "scheduler.UpdateSchedule"),
}


def killed(world, family, way, at):
    """Go a way in a process that is killed when change number *at* was made, and before it can note that."""
    here, places = look(world, family, 1)
    changes = itertools.count()

    def kill(**_):
        if next(changes) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    for change in set(CHANGES[way]):
        places.at(places.places[0]).client(change.split(".")[0]).meta.events.register(f"after-call.{change}", kill)
    child = os.fork()
    if child == 0:
        roll_back(here, places, to=1, way=way)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize(("way", "at"), [(way, at) for way, changes in CHANGES.items() for at in range(len(changes))])
def test_killed_after_any_change_it_can_be_ended_or_taken_back(world, way, at):
    images, pinned = ENDS[way]
    family = world.family()
    killed(world, family, way, at)
    journal = journals.read(family, world.aws)
    assert [one.state for one in journal.steps] == ["done"] * at + ["tried"] + ["announced"] * (
        len(CHANGES[way]) - at - 1
    )
    _, again = go(world, family, 1, way=way)
    there = f"{family}:{pinned}" if pinned else family
    assert (again.finished, world.active(family), world.targets(family)) == (True, images, (there, there))
    family = world.family()
    killed(world, family, way, at)
    _, undone = go(world, family, undo=True)
    active = world.active(family)
    assert (undone.error, active[max(active)], world.targets(family)) == ("", "app:worse", (family, family))


def test_another_way_waits_until_the_first_is_ended(world):
    family = world.family()
    here, places = look(world, family, 1)
    failing(places, 3, answered=True)
    assert not roll_back(here, places, to=1, way="pin").finished
    with pytest.raises(
        EvidenceError, match=rf"pin back to {family}:1, begun at .* has not come to its end: nothing was"
    ):
        go(world, family, 2, way="register")
    assert world.active(family).keys() == {1, 2, 3}


# -------- the notebook itself


def notebook(world, home, family, **given):
    """Run it, and return verdict and receipt; one that is not OK fails, as it must."""
    path = workspace.notebooks() / "70_roll_back.ipynb"
    asked = {"endpoint": world.aws.endpoint, "region": REGION, "family": family, **given}
    failed = False
    try:
        papermill.execute_notebook(
            path, home / "out.ipynb", parameters=asked, kernel_name="python3", progress_bar=False
        )
    except papermill.PapermillExecutionError:
        failed = True
    run = home / "runs" / "latest"
    verdict, receipt = (json.loads((run / f"{name}.json").read_text()) for name in ("verdict", "receipt"))
    assert failed == (verdict["status"] != "OK")
    return verdict, receipt


def test_the_notebook_goes_back_proves_it_and_takes_it_back_each_time_with_a_receipt(world, home):
    family = world.family()
    verdict, receipt = notebook(world, home, family, to=1, rule=family, compare=[2, 3])
    assert [one["status"] for one in verdict["checks"]] == ["OK", "OK", "OK"]
    assert receipt["rolled_back"]["latest"] == f"{family}:4"
    assert world.active(family)[4] == "app:good"
    verdict, receipt = notebook(world, home, family, undo=True, drill=False)
    assert receipt["rolled_back"]["latest"] == f"{family}:3"


def test_a_notebook_that_is_stopped_by_another_way_under_way_has_a_receipt_of_what_it_announced(world, home):
    family = world.family()
    here, places = look(world, family, 1)
    ours = places.at(places.places[0]).client("ecs")
    ours.meta.events.register("before-call.ecs.RegisterTaskDefinition", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        roll_back(here, places, to=1)
    verdict, receipt = notebook(world, home, family, to=2, drill=False)
    assert "has not come to its end: nothing was changed" in verdict["checks"][0]["because"]
    assert f"from {family}:3 back to {family}:2" in receipt["announced"]
    assert "rolled_back" not in receipt
    assert world.active(family).keys() == {1, 2, 3}
