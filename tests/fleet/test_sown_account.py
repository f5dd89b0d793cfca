"""A made-up account on a local AWS, with known faults: a check finds each, and nothing else, with the least calls."""

from collections import Counter

import pytest
from least_calls import least_calls
from sown import sow
from sown_faults import FAULTS

from ecs_runbook import connect
from ecs_runbook.checks.check import check
from ecs_runbook.checks.registry import KINDS
from ecs_runbook.checks.settings import Settings
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.local_aws import process

QUIET = "2027-01-12T12:00:30Z"  # no clock of any zone changes within a week


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    server = process.start(tmp_path_factory.mktemp("local-aws"))
    process.clock(server, to=QUIET)
    process.clock(server, freeze=True)
    yield connect("local", endpoint=server.url, region="eu-west-2")
    process.stop(server.folder)


@pytest.fixture(scope="module")
def account(aws):
    return sow(
        aws.client,
        account=aws.account,
        region=aws.region,
        rules=48,
        schedules=72,
        seed=20261124,
        share=0.4,
        due=aws.now(),
    )


@pytest.fixture(scope="module")
def before(aws, account):
    """What a check says before anything was due."""
    places = fleet(aws)
    found = take_inventory(places)
    return check(places, found, since=aws.now(), until=aws.now()), Counter(places.gate.counts)


@pytest.fixture(scope="module")
def after(aws, account, before):
    """What it says when everything was due once, and has ended or will never begin."""
    server = process.Server(aws.endpoint, int(aws.endpoint.rsplit(":", 1)[1]), 0, "", folder=None)
    process.clock(server, advance="5s")
    since = aws.now()
    process.clock(server, advance="52m")
    places = fleet(aws)
    return check(places, take_inventory(places), since=since, until=aws.now()), since


def said(checked, status="NG"):
    return {(one.subject, one.check) for one in checked.findings if one.status == status}


def test_every_fault_is_sown_and_is_a_kind_of_check(account):
    assert {one.fault for one in account.entries if one.fault} == {fault.name for fault in FAULTS}
    assert {check for fault in FAULTS for check in fault.found} <= set(KINDS)


def test_the_inventory_has_every_target_and_counts_what_ends_elsewhere(account, before):
    inventory = before[0].inventory
    assert {row.subject for row in inventory.rows} == {one.subject for one in account.entries}
    assert (inventory.others, list(inventory.gaps)) == (account.others, [])


def test_every_fault_of_a_definition_is_found_and_nothing_else(account, before):
    assert said(before[0]) == account.expected
    assert said(before[0], "SKIP") == set()


def test_every_fault_shows_in_what_happened_and_nothing_else_does(account, after):
    assert said(after[0]) == account.expected_after_a_firing
    assert said(after[0], "SKIP") == set()


def test_no_more_is_asked_than_the_api_forces(aws, account, before):
    pages = aws.client("iam").get_paginator("list_roles").paginate()
    least = least_calls(account, roles=sum(len(page["Roles"]) for page in pages))
    made = before[1]
    assert set(made) - set(least) == {"sqs:ReceiveMessage", "ecs:ListTasks", "cloudtrail:LookupEvents"}
    assert [name for name in least if made[name] < least[name]] == []  # it is the least
    assert sum(made[name] for name in least) <= 1.05 * least.total()


def test_each_execution_of_a_machine_that_may_run_its_task_again_is_read_once_and_no_other(aws, account, after):
    machines, sfn = [one for one in account.entries if one.through and one.again], aws.client("stepfunctions")
    assert machines
    made = 0
    for entry in machines:
        arn = f"arn:aws:states:{aws.region}:{aws.account}:stateMachine:machine-{entry.place}-{entry.name}"
        made += len(sfn.list_executions(stateMachineArn=arn)["executions"])
    assert after[0].calls["states:ListExecutions"] == len(machines)
    assert after[0].calls["states:GetExecutionHistory"] == made > 0


def alike():
    """The checks, those together that need the same actions; and those of what ran, but for the revision."""
    found = {}
    for kind in KINDS.values():
        ran = kind.id.startswith("runs-") or kind.id == "schedule-overlap"
        found.setdefault(("ran",) if ran and kind.id != "runs-latest" else kind.needs, []).append(kind.id)
    return [pytest.param(ids, id=ids[0]) for needs, ids in found.items() if needs and ids != ["inventory"]]


@pytest.mark.parametrize("on", alike())
def test_a_check_that_is_off_costs_no_call_and_those_that_are_on_say_the_same(aws, after, on):
    whole, since = after
    off = {one: "not today" for one in KINDS if one not in (*on, "inventory")}
    places = fleet(aws)
    checked = check(places, whole.inventory, since=since, until=aws.now(), settings=Settings(off=off))
    assert told_by(checked, on) == told_by(whole, on)
    made = {one for one in checked.calls if checked.calls[one]}
    assert made - may_be_made(on) == set()


def told_by(checked, checks):
    return {(one.subject, one.check, one.status, one.because) for one in checked.findings if one.check in checks}


def may_be_made(on):
    """The calls that these checks need, by hand; of runs, whatever tells of them."""
    needed = {action for one in on for action in KINDS[one].needs}
    runs = {"cloudtrail:LookupEvents", "ecs:ListTasks", "ecs:DescribeTasks", "ecs:DescribeTaskDefinition"}
    runs |= {"states:ListExecutions", "states:GetExecutionHistory"}
    runs |= {"sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
    listed = {"iam:ListRoles"} if "iam:GetRole" in needed else set()
    return needed | listed | (runs if any(one.startswith("runs-") for one in on) else set())
