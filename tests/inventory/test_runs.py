"""What the rows of an inventory ran: from every source, with no more calls than it takes, whatever does not answer."""

import gc
import json

import pytest
from paper_aws import ACCOUNT, REGION, PaperAws, arn, ecs_target, refused, throttled
from paper_runs import HERE, LONG_AGO, PaperRuns, at, looked, record

from ecs_runbook.checks.happened import judge_happened
from ecs_runbook.firing.calls import Call
from ecs_runbook.firing.names import schedule_drill_name
from ecs_runbook.inventory.fleet import fleet
from ecs_runbook.inventory.listing import take_inventory
from ecs_runbook.inventory.model import Inventory, Place
from ecs_runbook.inventory.runs import CHANGES, REVISIONS, TRAIL, UNREADABLE

REVISION = arn("task-definition/nightly:1")
DAYS = ["20 17:00:20", "21 17:00:41", "22 17:00:07", "23 17:00:59"]


@pytest.fixture
def paper():
    """A rule that ran every day at its only revision."""
    paper = PaperRuns()
    paper.define()
    paper.rule("nightly")
    for day in DAYS:
        paper.run(day)
    return paper


def of(happened, subject="nightly", place=HERE):
    return happened.histories[place, subject]


def told(happened):
    return [(row["subject"], row["schedule"], row["status"], row["state"]) for row in happened.runs.to_dict("records")]


# -------- with how many calls


def test_where_all_is_well_nothing_is_asked_beyond_the_runs_and_what_was_deregistered(paper):
    happened, calls = looked(paper)
    assert of(happened).ran == 4
    assert happened.gaps == ()
    # ECS: what runs, and what stopped. CloudTrail: one page of RunTask, one of DeregisterTaskDefinition
    assert calls == {"ecs:ListTasks": 2, "cloudtrail:LookupEvents": 2}


def test_calls_grow_with_records_and_clusters_and_not_with_rows(paper):
    paper.clusters |= {"web"}
    for number in range(300):
        paper.rule(f"rule{number}", ecs_target(f"family{number}", cluster="web" if number % 2 else "batch"))
        paper.define(f"family{number}")
        paper.run("23 17:00:30", f"rule{number}", f"family{number}", code=0)
    for number in range(150):
        paper.run(f"22 {number % 24:02}:00:10", rule=None, family="etl", started="airflow", role="airflow", by="")
    happened, calls = looked(paper, since=at("23 12:00"))
    assert all(of(happened, f"rule{number}").ran == 1 for number in range(300))
    # 301 records in 7 pages, and one of what was deregistered; two lists of two clusters, of 3 pages where all stopped
    assert calls["cloudtrail:LookupEvents"] == 7 + 1
    assert (calls["ecs:ListTasks"], calls["ecs:DescribeTasks"]) == (2 * (1 + 3), 2 * 3)
    assert set(calls) == {"cloudtrail:LookupEvents", "ecs:ListTasks", "ecs:DescribeTasks"}


def test_changes_are_looked_up_only_where_something_is_missing(paper):
    del paper.trail[1]
    happened, calls = looked(paper)
    assert [f"{one.due:%d %H:%M}" for one in of(happened).missed] == ["21 17:00"]
    assert calls["cloudtrail:LookupEvents"] == 2 + 5


def test_a_change_that_explains_it_is_found(paper):
    del paper.trail[1]
    paper.trail.append(record("DisableRule", "21 09:00", {"name": "nightly"}))
    paper.trail.append(record("EnableRule", "22 09:00", {"name": "nightly", "eventBusName": "default"}))
    happened, _ = looked(paper)
    assert (of(happened).ran, of(happened).missed) == (3, [])


def test_a_change_that_was_refused_explains_nothing(paper):
    del paper.trail[1]
    paper.trail.append(record("DisableRule", "21 09:00", {"name": "nightly"}, errorCode="AccessDenied"))
    happened, _ = looked(paper)
    assert len(of(happened).missed) == 1


def test_an_inventory_of_nothing_asks_nothing():
    happened, calls = looked(PaperRuns())
    assert (len(happened.runs), happened.histories, calls) == (0, {}, {})


# -------- what is kept


def test_of_records_that_are_nobodys_nothing_is_kept(paper):
    for number in range(2_000):
        paper.run(
            f"2{number % 4} {number % 24:02}:30:10", rule=None, family="etl", started="airflow", role="airflow", by=""
        )
    gc.collect()
    before = sum(isinstance(one, Call) for one in gc.get_objects())
    happened, _ = looked(paper)
    gc.collect()
    assert len(happened.runs) == 4
    assert sum(isinstance(one, Call) for one in gc.get_objects()) == before


def test_of_refusals_that_say_the_same_the_newest_record_is_kept(paper):
    paper.trail.clear()
    for day in DAYS:
        paper.refuse(
            day,
            f"User: …/{day} is not authorized to perform: ecs:RunTask on resource: {REVISION} because …",
        )
    happened, _ = looked(paper)
    kept = [attempt.call for attempt in of(happened).attempts if attempt.call]
    assert [call.time for call in kept] == [at(DAYS[3])]
    assert len(of(happened).refused) == 4
    assert [status for _, _, status, _ in told(happened)] == ["REFUSED"] * 4


def test_a_record_that_was_delivered_twice_counts_once(paper):
    paper.trail += paper.trail[:2]
    happened, _ = looked(paper)
    assert (of(happened).ran, of(happened).again, len(happened.runs)) == (4, [], 4)


# -------- both sources


def test_a_task_that_both_know_is_one_run_with_its_end_and_its_seconds(paper):
    paper.trail.pop()
    paper.run(DAYS[3], code=3)
    happened, _ = looked(paper)
    last = happened.runs.iloc[-1]
    assert (last["source"], last["status"], last["exit_code"], last["seconds"]) == (
        "ECS + CloudTrail",
        "STOPPED",
        3,
        60,
    )
    assert last["due"] == at("23 17:00")
    assert [task.arn for task in of(happened).attempts[-1].tasks] == [last["task"]]


def test_a_task_that_cloudtrail_has_not_told_of_yet_is_seen(paper):
    paper.rule(
        "morning", ecs_target("nightly", EcsParameters={"TaskCount": 2}), ScheduleExpression="cron(55 11 * * ? *)"
    )
    paper.run("24 11:55:20", "morning", count=2, code=0)
    paper.trail.pop()
    happened, _ = looked(paper, since=at("24 11:00"))
    (attempt,) = of(happened, "morning").attempts
    assert (attempt.placed, attempt.due) == (2, at("24 11:55"))
    assert (of(happened, "morning").ran, of(happened, "morning").again) == (1, [])
    assert set(happened.runs["source"]) == {"ECS"}


def test_a_task_that_runs_still_says_so(paper):
    paper.run("24 11:30", code=0)
    for task in paper.tasks.values():
        task["lastStatus"] = "RUNNING"
    happened, calls = looked(paper)
    assert happened.runs.iloc[-1]["status"] == "RUNNING"
    # tasks that run are not described: CloudTrail has told whose they are
    assert "ecs:DescribeTasks" not in calls


def test_a_task_that_runs_and_that_cloudtrail_is_late_to_tell_of_is_not_missed(paper):
    paper.rule("morning", ScheduleExpression="cron(30 11 * * ? *)")
    paper.run("24 11:30:20", "morning", code=0)
    paper.trail.pop()
    paper.remember({"taskArn": "svc", "taskDefinitionArn": REVISION, "startedBy": "ecs-svc/1"}, "24 01:00", None)
    for task in paper.tasks.values():
        task["lastStatus"] = "RUNNING"
    happened, calls = looked(paper, since=at("24 11:00"))
    assert (of(happened, "morning").ran, of(happened, "morning").missed) == (1, [])
    assert happened.runs[["subject", "status", "state"]].to_numpy().tolist() == [["morning", "RUNNING", "LATEST"]]
    # since a firing of the last hour seemed to be missing
    assert calls["ecs:DescribeTasks"] == 1


def test_of_what_cloudtrail_keeps_no_longer_nothing_is_missed(paper):
    happened, _ = looked(paper, since=LONG_AGO)
    # 90 days, of which four had a run
    assert (of(happened).ran, len(of(happened).missed)) == (4, 90 - 4)


def test_how_far_it_is_back_in_cloudtrail_is_shown(paper):
    shown = []
    bars = type("Bars", (), {"row": lambda _, key, done, note="": shown.append((key, done, note))})()
    looked(paper, progress=bars)
    assert (f"{HERE} CloudTrail", 1.0, "4 RunTask calls") in shown
    assert shown[-1] == (str(HERE), 1.0, "4 runs and refusals of 1 targets")


def test_what_services_and_people_run_in_the_cluster_is_left_out(paper):
    paper.remember(
        {"taskArn": "svc", "taskDefinitionArn": arn("task-definition/nightly:1"), "startedBy": "ecs-svc/1"},
        "24 11:30",
        1,
    )
    happened, _ = looked(paper)
    assert len(happened.runs) == 4


# -------- whose it is


def test_a_drill_is_not_the_schedules(paper):
    # sha256 of "nightly" begins with 2a3b62b5
    paper.run("23 15:00", started="events-rule/ecsrb-2a3b62b5-0a1b2c3d")
    happened, _ = looked(paper)
    assert (of(happened).ran, of(happened).drills, of(happened).not_due) == (4, 1, [])
    assert ("", "nightly (drill)", "ACCEPTED", "LATEST") in told(happened)


LONG, TWIN = "report-of-the-whole-company-daily", "report-of-the-whole-company-weekly"


def test_two_rules_that_are_cut_alike_and_differ_in_nothing_are_ambiguous(paper):
    for name in (LONG, TWIN):
        paper.rule(name, ecs_target("report"))
    paper.define("report")
    paper.run(DAYS[3], LONG, "report")
    happened, _ = looked(paper, since=at("23 12:00"))
    assert [len(of(happened, name).doubtful) for name in (LONG, TWIN)] == [1, 1]
    assert ("", f"ambiguous: {LONG} or {TWIN}", "ACCEPTED", "LATEST") in told(happened)


def test_of_an_inventory_of_one_rule_the_others_are_thought_of(paper):
    for name in (LONG, TWIN):
        paper.rule(name, ecs_target("report"))
    paper.define("report")
    paper.run(DAYS[3], LONG, "report")
    happened, calls = looked(paper, since=at("23 12:00"), rules=[LONG])
    assert len(of(happened, LONG).doubtful) == 1
    assert (calls["events:ListRules"], calls["events:ListTargetsByRule"]) == (1, 1)


def test_of_an_inventory_of_one_rule_a_short_name_is_nobody_elses(paper):
    paper.rule("other")
    happened, calls = looked(paper, rules=["nightly"])
    assert of(happened).ran == 4
    assert calls == {"ecs:ListTasks": 2, "cloudtrail:LookupEvents": 2}


def test_others_that_could_not_be_listed_leave_it_ambiguous(paper):
    paper.rule(LONG, ecs_target("report"))
    paper.define("report")
    paper.run(DAYS[3], LONG, "report")
    paper.fail("events:ListRules", refused("AccessDeniedException"), always=True)
    happened, _ = looked(paper, since=at("23 12:00"), rules=[LONG])
    assert told(happened)[-1][:2] == (
        "",
        f"ambiguous: {LONG} or a rule that could not be listed (events:ListRules: AccessDeniedException)",
    )


def passing(role):
    return (
        f"User: … is not authorized to perform: iam:PassRole on resource: arn:aws:iam::{ACCOUNT}:role/{role} because …"
    )


def test_a_refusal_that_names_a_role_is_of_those_whose_task_has_it(paper):
    paper.rule("other", ecs_target("other"))
    paper.define("nightly", executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/one")
    paper.define("other", taskRoleArn=f"arn:aws:iam::{ACCOUNT}:role/two")
    paper.trail.clear()
    paper.refuse(DAYS[3], passing("two"))
    happened, _ = looked(paper, since=at("23 12:00"))
    assert (len(of(happened).missed), len(of(happened).refused)) == (1, 0)
    assert len(of(happened, "other").refused) == 1


def test_a_refusal_that_may_be_of_very_many_names_the_first_of_them(paper):
    for number in range(20):
        paper.rule(f"rule{number:02}", ecs_target("shared"))
    paper.define("shared")
    for _ in range(20):
        paper.refuse(DAYS[3], passing("nobody"))
    happened, _ = looked(paper, since=at("23 12:00"))
    assert told(happened)[-1][1] == "ambiguous: nightly or rule00 or rule01 or rule02 or rule03 or 16 more"
    # twenty refusals, and 21 that were due, of which one ran
    assert [len(of(happened, f"rule{number:02}").refused) for number in range(20)] == [1] * 20


def test_a_refusal_that_names_a_role_is_anyones_if_a_revision_came_since(paper):
    paper.rule("other", ecs_target("other"))
    paper.define("nightly", executionRoleArn=f"arn:aws:iam::{ACCOUNT}:role/one", since=at("24 09:00"))
    paper.define("other", taskRoleArn=f"arn:aws:iam::{ACCOUNT}:role/two")
    paper.trail.clear()
    paper.refuse(DAYS[3], passing("two"))
    happened, _ = looked(paper, since=at("23 12:00"))
    assert [len(of(happened, name).doubtful) for name in ("nightly", "other")] == [1, 1]


def test_a_state_machine_in_between_is_known_by_its_role(paper):
    states = {"RunTask": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": True}}
    states["RunTask"]["Parameters"] = {"Cluster": arn("cluster/batch"), "TaskDefinition": arn("task-definition/etl")}
    machine = arn("stateMachine:etl", "states")
    paper.machines[machine] = json.dumps({"StartAt": "RunTask", "States": states})
    paper.rule("etl", {"Id": "m", "Arn": machine, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/scheduler"})
    paper.define("etl")
    paper.run(DAYS[3], family="etl", started="AWS Step Functions", role="machine", by="states.amazonaws.com")
    paper.run("23 14:00", family="etl", started="AWS Step Functions", role="machine", by="states.amazonaws.com")
    happened, _ = looked(paper, since=at("23 12:00"))
    own = of(happened, "etl")
    assert (own.ran, own.not_due, len(own.attempts)) == (1, [], 2)


def test_a_drill_of_a_schedule_is_not_the_schedules_own_run_whether_it_went_well_or_not(paper):
    dated = {"CreationDate": LONG_AGO, "LastModificationDate": LONG_AGO}
    paper.schedule("report", group="batch", ScheduleExpression="cron(0 9 * * ? *)", **dated)
    for day in (21, 22, 23, 24):
        paper.run(f"{day} 09:00:30", started="chronos-schedule/report", by="")
    paper.run("23 14:00", started=f"chronos-schedule/{schedule_drill_name('batch/report', '0a1b2c')}", by="")
    paper.refuse("23 15:00", "no: ecs:TagResource", by="")  # under the same role, and nothing was due
    happened, _ = looked(paper)
    own = of(happened, "batch/report")
    assert (own.ran, own.drills, own.not_due) == (4, 1, [])
    rows = take_inventory(fleet(PaperAws(paper))).rows
    said = {one.check: one for one in judge_happened(Inventory(rows), happened) if one.subject == "batch/report"}
    assert {check for check, one in said.items() if one.status == "NG"} == {"runs-end-unknown"}


def test_a_schedule_of_scheduler_is_known_by_its_mark(paper):
    dated = {"CreationDate": LONG_AGO, "LastModificationDate": LONG_AGO}
    zone = {"ScheduleExpressionTimezone": "Asia/Tokyo"}
    paper.schedule("report", group="batch", ScheduleExpression="cron(0 9 * * ? *)", **zone, **dated)
    for day in (21, 22, 23):
        paper.run(f"{day} 00:00:30", started="chronos-schedule/report", by="")
    happened, calls = looked(paper)
    assert (of(happened, "batch/report").ran, len(of(happened, "batch/report").missed)) == (3, 1)
    # it was not changed in the range, so that no change need be looked up
    assert calls["cloudtrail:LookupEvents"] == 2


def universal(**given):
    told = {"Cluster": arn("cluster/batch"), "TaskDefinition": arn("task-definition/etl"), **given}
    role = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
    return {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "RoleArn": role, "Input": json.dumps(told)}


@pytest.mark.parametrize(("given", "started"), [({}, ""), ({"startedBy": "etl-of-the-night"}, "etl-of-the-night")])
def test_a_universal_target_is_passed_on_as_it_is_written(paper, given, started):
    paper.define("etl")
    paper.schedule("etl", universal(**given), ScheduleExpression="cron(0 17 * * ? *)")
    asked = {"startedBy": started} if started else {}
    paper.run(DAYS[3], rule=None, family="etl", started=started, by="", asked=asked, code=3)
    paper.run("23 18:00", rule=None, family="etl", started="somebody", by="", role="person")
    happened, _ = looked(paper, since=at("23 12:00"))
    own = of(happened, "etl")
    assert (own.ran, own.not_due, own.missed) == (1, [], [])
    assert own.attempts[0].runs[0].exit_code == 3


# -------- the latest revision at each moment


def test_a_revision_that_came_in_the_range_costs_a_description_of_the_one_before(paper):
    paper.define("nightly", 2, since=at("22 09:00"))
    paper.trail = paper.trail[:2]
    paper.run(DAYS[2], revision=2)
    paper.run(DAYS[3], revision=1)
    happened, calls = looked(paper)
    assert list(happened.runs["state"]) == ["LATEST", "LATEST", "LATEST", "STALE"]
    assert list(happened.runs["latest"]) == [1, 1, 2, 2]
    assert calls["ecs:DescribeTaskDefinition"] == 1


def test_a_revision_that_was_deregistered_since_was_the_latest_then(paper):
    paper.define("nightly", 2, since=at("22 09:00"))
    paper.deregister("nightly", 2, "23 09:00")
    paper.trail = [one for one in paper.trail if one["eventName"] != "RunTask"]
    for day, revision in zip(DAYS, (1, 1, 1, 1), strict=True):
        paper.run(day, revision=revision)
    happened, _ = looked(paper)
    assert list(happened.runs["state"]) == ["LATEST", "LATEST", "STALE", "LATEST"]
    assert list(happened.runs["latest"]) == [1, 1, 2, 1]


def test_if_what_was_deregistered_is_not_told_the_revisions_are_listed(paper):
    paper.define("nightly", 2, since=at("22 09:00"))
    paper.deregister("nightly", 2, "23 09:00")
    deregistering = lambda _, asked: asked["LookupAttributes"][0]["AttributeValue"] == "DeregisterTaskDefinition"  # noqa: E731
    paper.fail("cloudtrail:LookupEvents", refused("InternalFailure"), when=deregistering, always=True)
    happened, calls = looked(paper)
    assert list(happened.runs["state"]) == ["LATEST", "LATEST", "STALE", "LATEST"]
    assert calls["ecs:ListTaskDefinitions"] == 2


def test_a_run_of_a_revision_above_the_latest_was_of_one_that_is_gone(paper):
    paper.define("nightly", 2, since=at("21 09:00"))
    paper.deregister("nightly", 2, "23 18:00")
    paper.trail = [one for one in paper.trail if one["eventName"] == "DeregisterTaskDefinition"]
    for day in DAYS[1:]:
        paper.run(day, revision=2)
    happened, _ = looked(paper)
    assert list(happened.runs["state"]) == ["LATEST"] * 3


def test_revisions_that_ecs_does_not_describe_leave_it_unknown(paper):
    paper.define("nightly", 9, since=at("22 09:00"))
    del paper.fixed["nightly", 1]
    happened, _ = looked(paper)
    assert list(happened.runs["state"]) == ["UNKNOWN", "UNKNOWN", "STALE", "STALE"]


def test_without_facts_the_revisions_are_asked_for(paper):
    happened, calls = looked(paper, known=False)
    assert list(happened.runs["state"]) == ["LATEST"] * 4
    assert calls["ecs:DescribeTaskDefinition"] == 1


def test_a_family_without_a_revision_is_no_error(paper):
    paper.families.clear()
    paper.fixed.clear()
    for known in (True, False):
        happened, _ = looked(paper, known=known)
        assert list(happened.runs["state"]) == ["UNKNOWN"] * 4
        assert happened.gaps == ()


# -------- what does not answer


def gaps(happened):
    return [(gap.subject, str(gap)) for gap in happened.gaps]


def test_without_cloudtrail_ecs_still_tells(paper):
    paper.trail.pop()
    paper.run(DAYS[3], code=0)
    paper.fail("cloudtrail:LookupEvents", refused("AccessDeniedException"), always=True)
    happened, calls = looked(paper)
    assert gaps(happened) == [(TRAIL, "the caller needs cloudtrail:LookupEvents")]
    assert told(happened) == [("nightly", "nightly", "STOPPED", "LATEST")]
    assert calls["ecs:ListTaskDefinitions"] == 2


@pytest.mark.parametrize("operation", ["ecs:ListTasks", "ecs:DescribeTasks"])
def test_without_ecs_cloudtrail_still_tells(paper, operation):
    paper.trail.pop()
    paper.run(DAYS[3], code=0)
    paper.fail(operation, refused("AccessDeniedException"), always=True)
    happened, _ = looked(paper)
    assert gaps(happened) == [("batch", f"the caller needs {operation}")]
    assert of(happened).ran == 4
    assert set(happened.runs["status"]) == {"ACCEPTED"}


def test_a_cluster_that_is_gone_is_no_gap(paper):
    paper.clusters.clear()
    happened, _ = looked(paper)
    assert (happened.gaps, of(happened).ran) == ((), 4)


def test_revisions_that_may_not_be_described_are_one_gap_however_many_families(paper):
    paper.rule("other", ecs_target("other"))
    paper.run(DAYS[3], "other", "other")
    paper.fail("ecs:DescribeTaskDefinition", refused("AccessDeniedException"), always=True)
    happened, calls = looked(paper)
    assert gaps(happened) == [(REVISIONS, "the caller needs ecs:DescribeTaskDefinition")]
    assert set(happened.runs["state"]) == {"UNKNOWN"}
    assert "ecs:DescribeTaskDefinition" not in calls


def test_records_that_cannot_be_read_are_counted(paper):
    paper.trail.append(record("RunTask", "22 10:00", text="{ not JSON"))
    happened, _ = looked(paper)
    assert gaps(happened) == [(UNREADABLE, "cloudtrail:LookupEvents: 1 records of RunTask could not be read")]
    assert of(happened).ran == 4


def test_a_page_that_leads_to_itself_is_a_gap_and_no_endless_loop(paper):
    page = {"Events": [], "NextToken": "the same"}
    paper.fail("cloudtrail:LookupEvents", page, always=True)
    happened, calls = looked(paper)
    assert [subject for subject, _ in gaps(happened)] == [TRAIL]
    assert "page" in gaps(happened)[0][1]
    assert calls["cloudtrail:LookupEvents"] < 10


def test_throttling_is_waited_out(paper):
    paper.fail("cloudtrail:LookupEvents", throttled(), throttled(), throttled())
    happened, _ = looked(paper)
    assert (happened.gaps, of(happened).ran) == ((), 4)


def test_changes_that_could_not_be_looked_up_are_a_gap(paper):
    del paper.trail[1]
    putting = lambda _, asked: asked["LookupAttributes"][0]["AttributeValue"] == "PutTargets"  # noqa: E731
    paper.fail("cloudtrail:LookupEvents", refused("InvalidTimeRangeException"), when=putting, always=True)
    happened, _ = looked(paper)
    assert [subject for subject, _ in gaps(happened)] == [CHANGES]
    assert len(of(happened).missed) == 1


def test_one_region_that_does_not_answer_leaves_the_others(paper):
    paper.fail(
        "cloudtrail:LookupEvents",
        refused("AccessDeniedException"),
        when=lambda place, _: place[1] == REGION,
        always=True,
    )
    happened, _ = looked(paper, regions=[REGION, "us-east-1"])
    there = Place(ACCOUNT, "us-east-1")
    assert [(gap.place, gap.subject) for gap in happened.gaps] == [(HERE, TRAIL)]
    assert len(of(happened, place=there).missed) == 4
    assert set(happened.runs["region"]) <= {REGION, "us-east-1"}


def test_a_record_of_any_shape_stops_nothing(paper):
    for strange in ([], "text", None, {"tasks": "x"}, {"tasks": [{"taskArn": 1}]}):
        paper.trail.append(record("RunTask", "22 10:00", strange, strange))
    paper.trail.append(record("DeregisterTaskDefinition", "22 10:00", []))
    paper.trail.append(
        record("RunTask", "22 10:00", {"startedBy": "events-rule/nightly", "overrides": []}, {"tasks": []})
    )
    happened, _ = looked(paper)
    assert of(happened).ran == 4
