"""The ends of tasks, kept in a folder, in S3 or in a log group, in the forms that AWS documents."""

import gzip
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from told_records import RECORDS, SINCE, TRUE, UNTIL, stopped, told

from ecs_runbook.errors import AwsError, WorkspaceError
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.facts import facts_of_record, frame
from ecs_runbook.past.runs import past_runs
from ecs_runbook.past.sources import Together, Told, Window
from ecs_runbook.past.stopped_tasks import StoppedTasks

ENDS = [stopped("t03", 3), stopped("t05", 0, created="2026-11-04T02:00:12.5Z", event_id="s2")]
RUNNING = stopped("t99", 0)
RUNNING["detail"]["lastStatus"] = "RUNNING"


class Records:
    name = "the records"

    def facts(self, _window, _progress=None):
        return Told(frame(fact for record in RECORDS for fact in facts_of_record(record)))


def firehose(folder, *several, day="2026/11/03", name="ends-1-2026-11-03-02-05-00-0a1b", delimiter="\n", zipped=True):
    path = folder / day / "02" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(json.dumps(one) + delimiter for one in several).encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    return path


def ends(source, since=SINCE):
    return source.facts(Window(since, UNTIL))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("delimiter", ["\n", ""])
def test_what_firehose_wrote_is_read_with_and_without_a_delimiter_zipped_or_not(tmp_path, delimiter, zipped):
    firehose(tmp_path, *ENDS, RUNNING, delimiter=delimiter, zipped=zipped)
    found = ends(StoppedTasks(str(tmp_path)))
    assert found.facts[["task", "exit_code"]].values.tolist() == [
        ["arn:aws:ecs:eu-west-1:111122223333:task/batch/t03", 3],
        ["arn:aws:ecs:eu-west-1:111122223333:task/batch/t05", 0],
    ]
    assert found.broken == []
    assert found.asked[0]["answer"] == "told of 2 ends in 1 files"


def test_the_ends_join_the_calls_and_how_runs_ended_is_known_though_ecs_has_forgotten(tmp_path):
    firehose(tmp_path, *ENDS)
    found = past_runs(Together([Records(), StoppedTasks(str(tmp_path))]), since=SINCE, until=UNTIL)
    by_run = found.set_index("run")
    assert by_run.loc[["t03", "t05"], ["status", "exit_code", "seconds", "source"]].values.tolist() == [
        ["STOPPED", 3, 180, "ECS + CloudTrail"],
        ["STOPPED", 0, 180, "ECS + CloudTrail"],
    ]
    assert told(found.assign(status=found["status"].replace("STOPPED", "ACCEPTED"))) == TRUE


def test_ends_are_kept_in_an_archive_as_calls_are(tmp_path):
    firehose(tmp_path / "events", *ENDS)
    both = Together([Records(), StoppedTasks(str(tmp_path / "events"))])
    Archive(str(tmp_path / "kept")).keep(both.facts(Window(SINCE, UNTIL)).facts)
    tables = [past_runs(one, since=SINCE, until=UNTIL) for one in (both, Archive(str(tmp_path / "kept")))]
    assert tables[0].to_csv() == tables[1].to_csv()


def test_what_arrived_before_the_range_is_not_read_and_what_came_long_after_it_is(tmp_path):
    firehose(tmp_path, ENDS[0], day="2026/11/02").write_bytes(b"not read")
    firehose(tmp_path, ENDS[1], day="2026/12/24")
    firehose(tmp_path, ENDS[0], day="somewhere")
    found = ends(StoppedTasks(str(tmp_path)), since=datetime(2026, 11, 3, tzinfo=UTC))
    assert len(found.facts) == 2
    assert found.broken == []


def test_what_is_no_whole_gzip_or_no_json_is_named_and_the_rest_counts(tmp_path):
    firehose(tmp_path, ENDS[0], name="whole")
    cut = firehose(tmp_path, *ENDS, name="cut")
    cut.write_bytes(cut.read_bytes()[:-20])
    half = firehose(tmp_path, ENDS[1], name="half", zipped=False)
    half.write_bytes(b'{"detail": \n' + half.read_bytes() + b'{"detail"')
    firehose(tmp_path, name="empty", zipped=False)
    firehose(tmp_path, [], 7, "text", {"source": "my.own"}, name="others")
    found = ends(StoppedTasks(str(tmp_path)))
    assert len(found.facts) == 2
    why = {one.name.rpartition("/")[2]: one.why for one in found.broken}
    assert why["cut"].startswith("it is cut, or no whole gzip")
    assert why["half"] == "no JSON at character 0, and at 1 more places"
    assert set(why) == {"cut", "half"}
    assert found.asked[0]["answer"] == "told of 2 ends in 5 files; 2 could not be read, or not whole"


class Logs:
    """CloudWatch Logs' FilterLogEvents: pages by nextToken, an empty one among them."""

    def __init__(self, *messages):
        self.pages = [[], *([one] for one in messages)]
        self.asked = []

    def filter_log_events(self, **asked):
        self.asked.append(asked)
        number = int(asked.get("nextToken", 0))
        told = [{"eventId": f"e{number}", "timestamp": 0, "message": one} for one in self.pages[number]]
        more = {"nextToken": str(number + 1)} if number + 1 < len(self.pages) else {}
        return {"events": told} | more


@pytest.mark.parametrize(
    "place", ["log-group:/aws/events/ends", "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/events/ends:*"]
)
def test_a_log_group_is_read_page_by_page_from_the_ranges_beginning_on(place):
    logs = Logs(*(json.dumps(one) for one in ENDS), '{"cut":')
    found = StoppedTasks(place, SimpleNamespace(client={"logs": logs}.get)).facts(Window(SINCE, UNTIL))
    assert found.facts["exit_code"].tolist() == [3, 0]
    assert [one.name for one in found.broken] == ["/aws/events/ends, event e3"]
    assert found.asked[0] | {"source": ""} == {
        "source": "",
        "answered": True,
        "answer": "told of 2 ends in 3 events; 1 could not be read, or not whole",
        "calls": 4,
    }
    assert {(one["logGroupName"], one["startTime"]) for one in logs.asked} == {("/aws/events/ends", 1793491200000)}


def test_a_place_that_is_none_is_said_to_be_none(tmp_path):
    with pytest.raises(WorkspaceError, match="nowhere is no folder"):
        ends(StoppedTasks(str(tmp_path / "nowhere")))


def test_a_log_group_that_may_not_be_read_is_refused_in_awss_words():
    from botocore.exceptions import ClientError

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "FilterLogEvents")

    aws = SimpleNamespace(client={"logs": SimpleNamespace(filter_log_events=refuse)}.get)
    with pytest.raises(AwsError, match="logs:FilterLogEvents was refused: AccessDeniedException: not authorized"):
        ends(StoppedTasks("log-group:ends", aws))
