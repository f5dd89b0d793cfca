"""What runs of notebooks kept in their receipts, told as any source tells."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from told_records import PLACES, RECORDS, SINCE, TRUE, UNTIL, arn, records, stopped, told

from ecs_runbook.errors import WorkspaceError
from ecs_runbook.firing.calls import read
from ecs_runbook.firing.tasks import read_task
from ecs_runbook.inventory.model import Place
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.facts import facts_of_record, frame
from ecs_runbook.past.receipts import Receipts, Witness, facts_of_receipt, facts_to_tell
from ecs_runbook.past.runs import past_runs
from ecs_runbook.past.sources import Told, Window

WINDOW = Window(SINCE, UNTIL)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def write(runs, name, receipt):
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / "receipt.json").write_text(json.dumps(receipt, default=str))


def table(source):
    return past_runs(source, since=SINCE, until=UNTIL)


class Facts:
    name = "facts"

    def __init__(self, facts):
        self.told = facts

    def facts(self, _window, _progress=None):
        return Told(self.told)


def test_the_records_in_receipts_tell_what_ran_each_once(tmp_path):
    write(tmp_path, "20261110T000000Z-40_prove", {"records": {"CloudTrail": RECORDS[:9]}})
    write(tmp_path, "20261111T000000Z-40_prove", {"records": {"CloudTrail": RECORDS[5:], "ECS": []}})
    (tmp_path / "latest").symlink_to("20261111T000000Z-40_prove")
    found = table(Receipts(str(tmp_path)))
    assert told(found) == TRUE
    assert found.attrs["asked"][0]["answer"] == "told of 14 facts in 2 receipts"


def test_the_facts_in_a_receipt_are_the_facts_that_were_written(tmp_path):
    facts = frame(fact for one in records() for fact in facts_of_record(one))
    write(tmp_path, "20261110T000000Z-60_check", {"facts": facts_to_tell(facts)})
    assert Receipts(str(tmp_path)).facts(Window(SINCE, UNTIL.replace(month=12))).facts.equals(facts)


def test_what_ecs_described_and_its_revisions_are_told(tmp_path):
    of_ecs = {
        "family": "nightly",
        "revision": 5,
        "arn": arn("task-definition", "nightly:5"),
        "registered_at": "2026-11-02T10:00:00.5Z",
        "deregistered_at": None,
        "registered_by": "me",
    }
    described = [stopped("t03", 3)["detail"], stopped("t04", 0)["detail"] | {"lastStatus": "RUNNING"}]
    write(tmp_path, "20261110T000000Z-40_prove", {"records": {"ECS": described}, "revisions": [of_ecs]})
    found = table(Receipts(str(tmp_path)))
    columns = ["run", "executed", "latest", "state", "status", "exit_code", "seconds"]
    assert found[columns].values.tolist() == [["t03", 5, 5, "LATEST", "STOPPED", 3, 180]]


def test_what_step_functions_told_of_a_task_is_its_end(tmp_path):
    # in PascalCase, times in milliseconds: as its histories have it
    output = {
        "TaskArn": arn("task", "batch/t77"),
        "TaskDefinitionArn": arn("task-definition", "nightly:5"),
        "LastStatus": "STOPPED",
        "CreatedAt": 1793671212000,
        "StartedBy": "AWS Step Functions",
        "StopCode": "EssentialContainerExited",
        "Containers": [{"Name": "main", "ExitCode": 3}],
    }
    events = [
        {
            "id": 1,
            "type": "TaskScheduled",
            "taskScheduledEventDetails": {"resourceType": "ecs", "resource": "runTask.sync", "parameters": "{}"},
        },
        {
            "id": 2,
            "previousEventId": 1,
            "type": "TaskFailed",
            "taskFailedEventDetails": {"cause": json.dumps(output)},
        },
    ]
    receipt = {"records": {"Step Functions": [{"execution": {"name": "one"}, "events": events}]}}
    (fact,) = facts_of_receipt(receipt)
    assert (fact["what"], fact["task"], fact["exit_code"]) == ("end", arn("task", "batch/t77"), 3)
    assert fact["time"].isoformat() == "2026-11-03T02:00:12+00:00"


def test_a_witness_of_a_check_has_the_same_facts_as_the_records(tmp_path):
    seen = Witness()
    for one in records():
        if call := read(one):
            seen.call(call)
            seen.call(call)
    seen.task(read_task(stopped("t03", 3)["detail"]))
    seen.task(read_task(stopped("t05", 0)["detail"] | {"lastStatus": "RUNNING"}))
    rows = [
        {"revision": 5, "registered_at": "2026-11-02T10:00:00Z", "deregistered_at": None, "status": "ACTIVE"},
        {"revision": 6, "registered_at": "2026-11-03T10:00:00Z", "deregistered_at": "2026-11-05T10:00:00Z"},
    ]
    seen.revisions(Place(*PLACES[0]), "nightly", rows)
    seen.revisions(Place(*PLACES[1]), "nightly", [{"revision": 1, "registered_at": "2026-11-01T00:00:00Z"}])
    Archive(str(tmp_path)).keep(seen.facts)
    found = table(Archive(str(tmp_path)))
    assert told(found.assign(status=found["status"].replace("STOPPED", "ACCEPTED"))) == TRUE
    assert found.set_index("run").loc["t03", "exit_code"] == 3


def test_a_receipt_that_is_none_is_named_and_the_others_count(tmp_path):
    write(tmp_path, "20261110T000000Z-40_prove", {"records": {"CloudTrail": RECORDS}})
    write(tmp_path, "20261111T000000Z-40_prove", {})
    cut = tmp_path / "20261111T000000Z-40_prove" / "receipt.json"
    cut.write_text('{"records": ')
    found = table(Receipts(str(tmp_path)))
    assert told(found) == TRUE
    (broken,) = found.attrs["broken"]
    assert broken["name"] == str(cut)
    assert broken["why"].startswith("it is no JSON, or cannot be read: ")
    assert found.attrs["asked"][0]["answer"] == "told of 14 facts in 1 receipts; 1 more could not be read"


def test_a_folder_that_is_none_is_said_to_be_none(tmp_path):
    with pytest.raises(WorkspaceError, match="nowhere is no folder"):
        Receipts(str(tmp_path / "nowhere")).facts(WINDOW)


@given(JSON)
def test_nothing_in_a_receipt_makes_it_fail(anything):
    for receipt in (
        anything,
        {"facts": [anything], "revisions": [anything], "records": anything},
        {"records": {"ECS": [anything], "CloudTrail": anything, "Step Functions": [anything]}},
        {"facts": [{"time": anything, "exit_code": anything, "task": anything}]},
        {"revisions": [{"family": anything, "revision": 3, "arn": anything, "registered_at": anything}]},
        {"records": {"ECS": [{"lastStatus": "STOPPED", "containers": anything, "createdAt": anything}]}},
        {"records": {"Step Functions": [{"execution": anything, "events": [anything]}]}},
    ):
        frame(facts_of_receipt(receipt))
