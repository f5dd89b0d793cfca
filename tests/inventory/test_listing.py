"""The inventory, on paper: what is found where, with how many calls, and what stands in the way of the rest."""

import json
from datetime import UTC, datetime

import pytest
from paper_aws import ACCOUNT, REGION, Paper, PaperAws, arn, ecs_target, hangs, refused, throttled

from ecs_runbook.errors import EvidenceError
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Place

HERE = Place(ACCOUNT, REGION)
MACHINE = arn("stateMachine:nightly", "states")
LAMBDA = {"Id": "other", "Arn": arn("function:f", "lambda")}


@pytest.fixture
def paper():
    return Paper()


def looked(paper, *, regions=(), **wanted):
    """Return the inventory of *paper*, and the fleet it is of; nobody waits."""
    gate = Gate(limited=False, sleep=lambda _: None, jitter=lambda: 0.0)
    places = fleet(PaperAws(paper), regions=regions, gate=gate)
    return take_inventory(places, **wanted), places


def denied(action):
    return refused("AccessDeniedException", f"User: u is not authorized to perform: {action} on resource: r")


# -------- what is found


def test_every_target_of_every_rule_on_every_bus_is_a_row(paper):
    paper.rule("nightly", ecs_target(id="a"), LAMBDA, ecs_target("weekly", id="b"))
    paper.rule("hourly", bus="jobs")
    found, _ = looked(paper)
    assert [row.subject for row in found.rows] == ["nightly#a", "nightly#b", "jobs/hourly"]
    assert [row.request.family for row in found.rows] == ["nightly", "weekly", "nightly"]
    assert {len(row.owner.targets) for row in found.rows if row.owner.name == "nightly"} == {2}


def test_a_rule_that_waits_for_events_is_told_from_one_on_a_schedule(paper):
    paper.rule("timed")
    paper.rule("waiting", EventPattern='{"source": ["x"]}')
    paper.rule("both", EventPattern='{"source": ["x"]}', ScheduleExpression="rate(1 day)")
    found, _ = looked(paper)
    assert {row.owner.name: row.kind for row in found.rows} == {
        "timed": "rule",
        "waiting": "event rule",
        "both": "rule",
    }
    assert {row.owner.name: bool(row.pattern) for row in found.rows} == {"timed": False, "waiting": True, "both": True}


def test_what_is_disabled_is_a_row_too(paper):
    paper.rule("off", ScheduleExpression="rate(1 day)", State="DISABLED")
    paper.schedule("off", State="DISABLED")
    paper.rule("on", EventPattern="{}", State="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    found, _ = looked(paper)
    assert {row.subject: row.owner.enabled for row in found.rows} == {"off": False, "on": True}
    assert sum(row.subject == "off" for row in found.rows) == 2


def test_schedules_of_every_group_are_rows_with_all_that_scheduler_says(paper):
    queue = arn("lost", "sqs")
    policy = {"MaximumRetryAttempts": 3}
    starts, ends = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    paper.schedule(
        "nightly",
        ecs_target(DeadLetterConfig={"Arn": queue}, RetryPolicy=policy),
        group="jobs",
        ScheduleExpressionTimezone="Europe/Berlin",
        ScheduleExpression="cron(0 2 * * ? *)",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        StartDate=starts,
        EndDate=ends,
        CreationDate=starts,
        LastModificationDate=ends,
    )
    found, _ = looked(paper)
    (row,) = found.rows
    assert (row.kind, row.subject, row.group, row.zone) == ("schedule", "jobs/nightly", "jobs", "Europe/Berlin")
    assert (row.dead_letters, row.retry, row.starts, row.ends, row.flexible) == (queue, policy, starts, ends, 15)
    assert row.owner.expression == "cron(0 2 * * ? *)"
    assert (row.created, row.changed) == (starts, ends)


def test_a_window_that_is_off_is_none_and_so_is_what_scheduler_leaves_out(paper):
    paper.schedule("nightly")
    (row,) = looked(paper)[0].rows
    assert (row.flexible, row.starts, row.ends, row.retry, row.dead_letters) == (0, None, None, None, "")


def test_universal_targets_of_scheduler_are_rows(paper):
    told = json.dumps({"Cluster": "batch", "TaskDefinition": "nightly:4"})
    paper.schedule("nightly", {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "RoleArn": "r", "Input": told})
    paper.schedule("mail", {"Arn": "arn:aws:scheduler:::aws-sdk:ses:sendEmail", "RoleArn": "r"})
    found, _ = looked(paper)
    (row,) = found.rows
    assert (row.request.cluster, row.request.revision, row.role, row.target.cluster) == ("batch", 4, "r", "batch")
    assert found.others == 1


def machine(*, definition="nightly", **states):
    task = {"Cluster": "batch", "TaskDefinition": definition}
    run = {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": task, "End": True}
    return json.dumps({"StartAt": "Run", "States": {"Run": run, **states}})


def test_a_state_machine_in_between_is_seen_through_once_however_many_start_it(paper):
    paper.machines[MACHINE] = machine()
    paper.rule("nightly", {"Id": "m", "Arn": MACHINE, "RoleArn": "starts the machine"})
    paper.schedule("hourly", {"Arn": MACHINE, "RoleArn": "starts the machine"})
    paper.schedule(
        "daily",
        {"Arn": "arn:aws:scheduler:::aws-sdk:sfn:startExecution", "Input": json.dumps({"StateMachineArn": MACHINE})},
    )
    found, _ = looked(paper)
    assert {row.subject for row in found.rows} == {"nightly", "hourly", "daily"}
    for row in found.rows:
        assert (row.through, row.role) == (MACHINE, f"arn:aws:iam::{ACCOUNT}:role/machine")
        assert (row.request.family, row.target.requested, row.target.cluster) == ("nightly", "nightly", "batch")
        assert row.target.role == ("" if row.owner.name == "daily" else "starts the machine")
    assert paper.calls["states:DescribeStateMachine"] == 1


def test_a_state_machine_that_does_more_and_one_that_is_gone_are_not_ours(paper):
    paper.machines[MACHINE] = machine(More={"Type": "Map"})
    paper.rule("nightly", {"Id": "m", "Arn": MACHINE})
    paper.rule("gone", {"Id": "m", "Arn": MACHINE + "-gone"})
    found, _ = looked(paper)
    assert (found.rows, found.gaps, found.others) == ((), (), 2)


def test_a_version_or_alias_of_a_state_machine_that_is_not_told_of_is_a_gap(paper):
    paper.rule("nightly", {"Id": "m", "Arn": f"{MACHINE}:PROD"})
    found, _ = looked(paper)
    (gap,) = found.gaps
    assert (gap.operation, gap.subject) == ("states:DescribeStateMachine", "nightly")


def test_a_state_machine_whose_task_is_made_as_it_runs_is_a_gap(paper):
    states = json.loads(machine())
    states["States"]["Run"]["Parameters"] = {"Cluster": "batch", "TaskDefinition.$": "$.family"}
    paper.machines[MACHINE] = json.dumps(states)
    paper.rule("nightly", {"Id": "m", "Arn": MACHINE})
    paper.rule("known", {"Id": "m", "Arn": MACHINE, "Input": '{"family": "weekly"}'})
    found, _ = looked(paper)
    assert [row.request.family for row in found.rows] == ["weekly"]
    (gap,) = found.gaps
    assert gap.subject == "nightly"
    assert gap.because == "TaskDefinition of the task is made when the state machine nightly runs"


def test_rules_and_schedules_of_others_are_counted(paper):
    paper.rule("lambda", LAMBDA)
    paper.rule("nothing")
    paper.buses["default"]["nothing"][1].clear()
    paper.schedule("lambda", LAMBDA)
    paper.rule("ours")
    found, _ = looked(paper)
    assert (len(found.rows), found.others) == (1, 3)


def test_rows_come_in_order_whatever_came_first(paper):
    for name in ("b", "c", "a"):
        paper.rule(name)
        paper.schedule(name)
    found, _ = looked(paper, regions=["us-east-1", "eu-west-1"])
    names = [(row.place.region, row.kind, row.owner.name) for row in found.rows]
    assert names == sorted(names)
    assert len(names) == 12


# -------- how much is asked


def test_no_more_is_asked_than_aws_forces(paper):
    for number in range(250):
        paper.rule(f"rule{number}", bus=("default", "jobs")[number % 2])
    for number in range(210):
        paper.schedule(f"schedule{number}", group=("default", "jobs")[number % 2])
    for number in range(40):
        paper.schedule(f"lambda{number}", LAMBDA)
    found, places = looked(paper)
    assert len(found.rows) == 460
    assert paper.calls == {
        "events:ListEventBuses": 1,
        "events:ListRules": 4,
        "events:ListTargetsByRule": 250,
        "scheduler:ListSchedules": 3,
        "scheduler:GetSchedule": 210,
    }
    assert found.calls == paper.calls == places.gate.counts
    assert found.whole


def test_one_rule_needs_two_calls_and_one_schedule_one(paper):
    paper.rule("nightly")
    paper.rule("other")
    paper.schedule("nightly")
    found, _ = looked(paper, rules=["nightly"])
    assert [row.subject for row in found.rows] == ["nightly"]
    assert not found.whole
    assert paper.calls == {"events:DescribeRule": 1, "events:ListTargetsByRule": 1}
    looked(paper, schedules=["nightly"])
    assert paper.calls["scheduler:GetSchedule"] == 1
    assert paper.calls.total() == 3


def test_many_names_are_found_in_the_list(paper):
    for number in range(120):
        paper.rule(f"rule{number}", bus="jobs")
        paper.schedule(f"schedule{number}")
    rules = [f"jobs/rule{number}" for number in range(10)]
    found, _ = looked(paper, rules=rules, schedules=[f"schedule{number}" for number in range(10)])
    assert len(found.rows) == 20
    assert paper.calls == {
        "events:ListRules": 2,
        "events:ListTargetsByRule": 10,
        "scheduler:ListSchedules": 2,
        "scheduler:GetSchedule": 10,
    }


@pytest.mark.parametrize(
    ("rules", "schedules"),
    [
        (["jobs/nightly"], ["jobs/nightly"]),
        ([arn("rule/jobs/nightly", "events")], [arn("schedule/jobs/nightly", "scheduler")]),
    ],
)
def test_a_name_may_carry_its_bus_or_group_or_be_an_arn(paper, rules, schedules):
    paper.rule("nightly", bus="jobs")
    paper.schedule("nightly", group="jobs")
    found, _ = looked(paper, rules=rules, schedules=schedules)
    assert [(row.kind, row.subject) for row in found.rows] == [("rule", "jobs/nightly"), ("schedule", "jobs/nightly")]


def test_a_tag_chooses_rules_and_the_groups_of_schedules(paper):
    paper.rule("nightly", bus="jobs")
    paper.rule("other")
    paper.schedule("nightly", group="jobs")
    paper.schedule("other")
    tags = [{"Key": "team", "Value": "batch"}]
    paper.tagged = [
        {"ResourceARN": arn("rule/jobs/nightly", "events"), "Tags": tags},
        {"ResourceARN": arn("schedule-group/jobs", "scheduler"), "Tags": tags},
        {"ResourceARN": arn("rule/deleted", "events"), "Tags": tags},
    ]
    found, _ = looked(paper, tag="team=batch")
    assert [(row.kind, row.subject) for row in found.rows] == [("rule", "jobs/nightly"), ("schedule", "jobs/nightly")]
    assert {tuple(row.tags.items()) for row in found.rows} == {(("team", "batch"),)}
    assert found.gaps == ()
    asked = next(parameters for _, name, parameters in paper.asked if name == "tag:GetResources")
    assert asked["TagFilters"] == [{"Key": "team", "Values": ["batch"]}]
    assert paper.calls["events:ListRules"] == 0


def test_a_tag_that_nothing_carries_asks_for_nothing_more(paper):
    paper.rule("nightly")
    found, _ = looked(paper, tag="team")
    assert (found.rows, found.gaps, paper.calls) == ((), (), {"tag:GetResources": 1})


# -------- names that are not there


def test_a_rule_that_is_not_there_is_an_error_with_the_nearest_name(paper):
    paper.rule("nightly")
    with pytest.raises(EvidenceError) as told:
        looked(paper, rules=["nigthly"])
    assert told.value.message == f"rule = 'nigthly': there is no such rule on the bus 'default' in {HERE}."
    assert told.value.hint == "Nearest: nightly."


def test_a_rule_on_another_bus_is_found_for_the_hint(paper):
    paper.rule("nightly", bus="jobs")
    with pytest.raises(EvidenceError, match=r"Nearest: jobs/nightly\."):
        looked(paper, rules=["nightly"])


def test_a_schedule_in_another_group_is_found_for_the_hint(paper):
    paper.schedule("nightly", group="jobs")
    with pytest.raises(EvidenceError) as told:
        looked(paper, schedules=["nightly"])
    assert "schedule = 'nightly': there is no such schedule in the group 'default'" in told.value.message
    assert told.value.hint == "Nearest: jobs/nightly."


def test_one_name_of_many_that_is_not_there_is_an_error_too(paper):
    for number in range(10):
        paper.rule(f"rule{number}")
    with pytest.raises(
        EvidenceError, match=r"rule = 'rule98': there is no such rule .* Not there either: rule99\. Nearest: rule9"
    ):
        looked(paper, rules=[*(f"rule{number}" for number in range(5)), "rule99", "rule98"])


def test_a_name_that_one_of_several_regions_has_is_enough(paper):
    paper.rule("nightly")
    gone = refused("ResourceNotFoundException", "Rule nightly does not exist.")
    paper.fail("events:DescribeRule", gone, when=lambda place, _: place[1] == "us-east-1", always=True)
    found, _ = looked(paper, regions=["us-east-1", REGION], rules=["nightly"])
    assert [row.place.region for row in found.rows] == [REGION]
    assert found.gaps == ()


def test_a_name_that_is_nowhere_while_a_region_did_not_answer_is_a_gap(paper):
    paper.fail("*", hangs(), when=lambda place, _: place[1] == "us-east-1", always=True)
    found, _ = looked(paper, regions=["us-east-1", REGION], rules=["nightly"])
    (gap,) = found.gaps
    assert (gap.operation, gap.place.region, gap.subject) == ("events:DescribeRule", "us-east-1", "nightly")


def test_a_name_that_is_nowhere_while_an_account_could_not_be_entered_is_a_gap(paper):
    paper.fail("sts:AssumeRole", denied("sts:AssumeRole"), always=True)
    accounts = [{"account": ACCOUNT}, {"account": "444455556666", "role": "audit"}]
    places = fleet(PaperAws(paper), accounts=accounts)
    found = take_inventory(places, rules=["nightly"])
    assert [(gap.operation, gap.because.partition(":")[0]) for gap in found.gaps] == [
        ("sts:AssumeRole", "AccessDeniedException"),
        ("events:DescribeRule", "it is nowhere that could be asked"),
    ]


def test_names_that_may_not_be_listed_are_said_to_be_so(paper):
    paper.fail("events:ListRules", denied("events:ListRules"), always=True)
    with pytest.raises(EvidenceError) as told:
        looked(paper, rules=["nightly"])
    assert told.value.hint == "The names of the rules could not be listed: the caller needs events:ListRules."


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"rules": ["a"], "tag": "b"}, "tag = 'b' is given, and so are names. Choose by names, or by a tag."),
        ({"rules": ["jobs/"]}, "rules = ['jobs/']: a name is empty. Write the name alone, or <bus>/<rule>."),
        ({"schedules": [""]}, "schedules = ['']: a name is empty. Write the name alone, or <group>/<schedule>."),
        ({"tag": "=b"}, "tag = '=b' has no key. Write <key> or <key>=<value>, for example team=batch."),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused_before_anything_is_asked(paper, wanted, words):
    with pytest.raises(EvidenceError) as told:
        looked(paper, **wanted)
    assert str(told.value) == words
    assert paper.calls == {}


# -------- what stands in the way


DENIALS = [
    ("events:ListEventBuses", "the buses other than the default one", 2),
    ("events:ListRules", "rules of the bus default", 1),
    ("events:ListTargetsByRule", "nightly", 1),
    ("scheduler:ListSchedules", "schedules", 1),
    ("scheduler:GetSchedule", "nightly", 1),
    ("states:DescribeStateMachine", "machine", 2),
]


@pytest.mark.parametrize(("action", "subject", "rows"), DENIALS, ids=[case[0] for case in DENIALS])
def test_what_may_not_be_read_is_a_gap_that_names_the_action_and_the_rest_is_there(paper, action, subject, rows):
    paper.rule("nightly")
    paper.rule("machine", {"Id": "m", "Arn": MACHINE})
    paper.schedule("nightly")
    paper.fail(action, denied(action), always=True)
    found, _ = looked(paper)
    assert len(found.rows) == rows
    gap = next(gap for gap in found.gaps if gap.subject == subject)
    assert (gap.operation, gap.denied, gap.place) == (action, True, HERE)
    assert str(gap) == f"the caller needs {action}"


def test_a_tag_that_may_not_be_asked_for_is_a_gap(paper):
    paper.rule("nightly")
    paper.fail("tag:GetResources", denied("tag:GetResources"), always=True)
    found, _ = looked(paper, tag="team")
    assert [str(gap) for gap in found.gaps] == ["the caller needs tag:GetResources"]
    assert found.rows == ()


def test_one_forbidden_region_stops_no_other(paper):
    paper.rule("nightly")
    paper.fail("*", denied("x:Y"), when=lambda place, _: place[1] == "us-east-1", always=True)
    found, _ = looked(paper, regions=["us-east-1", "eu-west-1"])
    assert [row.place.region for row in found.rows] == ["eu-west-1"]
    assert {gap.place.region for gap in found.gaps} == {"us-east-1"}
    assert found.places == (Place(ACCOUNT, "eu-west-1"), Place(ACCOUNT, "us-east-1"))


def test_a_region_that_hangs_is_asked_a_handful_of_calls_and_told(paper):
    for number in range(300):
        paper.rule(f"rule{number}")
    paper.fail("*", hangs(), when=lambda place, _: place[1] == "us-east-1", always=True)
    found, _ = looked(paper, regions=["us-east-1", "eu-west-1"])
    assert len(found.rows) == 300
    assert sum(place[1] == "us-east-1" for place, _, _ in paper.asked) <= 6
    assert {gap.subject for gap in found.gaps} == {
        "the buses other than the default one",
        "rules of the bus default",
        "schedules",
    }
    assert all("ReadTimeoutError" in gap.because for gap in found.gaps)


def test_a_session_that_ends_in_the_middle_leaves_what_was_read_and_says_what_is_missing(paper):
    for number in range(500):
        paper.rule(f"rule{number}")
    words = "The security token included in the request is expired"
    seen = iter(range(10_000))
    over = refused("ExpiredTokenException", words)
    paper.fail("*", over, when=lambda *_: next(seen) > 200, always=True)
    found, _ = looked(paper)
    assert 100 < len(found.rows) < 300
    assert all("ExpiredTokenException" in gap.because for gap in found.gaps)
    assert any("of them, from rule" in gap.subject for gap in found.gaps)
    assert len(found.gaps) <= 6
    assert paper.calls.total() < 250


def test_throttles_faults_and_resets_on_the_way_leave_no_gap(paper):
    for number in range(50):
        paper.rule(f"rule{number}")
        paper.schedule(f"schedule{number}")
    for operation in ("events:ListTargetsByRule", "events:ListRules", "scheduler:GetSchedule"):
        paper.fail(operation, throttled(), refused("InternalFailure", "x", status=500), hangs(), throttled())
    found, places = looked(paper)
    assert (len(found.rows), found.gaps) == (100, ())
    assert places.gate.counts == paper.calls
    assert paper.calls["events:ListTargetsByRule"] == 54


@pytest.mark.parametrize(
    ("operation", "key", "subject"),
    [
        ("events:ListRules", "Rules", "rules of the bus default"),
        ("scheduler:ListSchedules", "Schedules", "schedules"),
        ("events:ListEventBuses", "EventBuses", "the buses other than the default one"),
    ],
)
def test_a_page_token_that_repeats_ends_the_list_with_a_gap(paper, operation, key, subject):
    paper.rule("nightly")
    paper.schedule("nightly")
    again = {"Rules": {"Name": "nightly"}, "EventBuses": {"Name": "default"}}.get(key)
    again = again or {"Name": "nightly", "GroupName": "default", "Target": {"Arn": arn("cluster/batch")}}
    paper.fail(operation, {key: [again], "NextToken": "again"}, always=True)
    found, _ = looked(paper)
    gap = next(gap for gap in found.gaps if gap.operation == operation)
    assert gap.subject == subject
    assert "RepeatedPageToken" in gap.because
    assert paper.calls[operation] == 2
    assert len(found.rows) == 2


def test_what_is_deleted_while_it_is_listed_is_simply_not_there(paper):
    paper.rule("nightly")
    paper.schedule("nightly")
    paper.fail("events:ListTargetsByRule", refused("ResourceNotFoundException"))
    paper.fail("scheduler:GetSchedule", refused("ResourceNotFoundException"))
    found, _ = looked(paper)
    assert (found.rows, found.gaps) == ((), ())


class Bars:
    def __init__(self):
        self.rows = {}

    def row(self, key, done, note=""):
        self.rows[key] = (done, note)


def test_progress_is_a_bar_for_each_of_a_few_places(paper):
    paper.rule("nightly")
    bars = Bars()
    looked(paper, regions=["us-east-1", "eu-west-1"], progress=bars)
    assert bars.rows == {f"{ACCOUNT}/{region}": (1.0, "1 target in ECS") for region in ("us-east-1", "eu-west-1")}


def test_progress_is_one_bar_for_many_places(paper):
    bars = Bars()
    looked(
        paper,
        regions=[f"eu-west-{number}" for number in range(9)] + ["us-east-1", "us-east-2", "us-west-1", "us-west-2"],
        progress=bars,
    )
    assert bars.rows == {"places": (1.0, "13 of 13")}
