"""Which source is chosen, of what is there: trails, buckets and workgroups on paper, answered as boto3 would."""

from datetime import UTC, datetime, timedelta

import pytest
from paper_athena import PaperAws, deliver, key_of, refusal
from told_records import PLACES, RECORDS, SINCE, UNTIL, run

from ecs_runbook.errors import EvidenceError
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.model import Place
from ecs_runbook.past.archive import Archive
from ecs_runbook.past.athena import Athena
from ecs_runbook.past.choose import Means, choose
from ecs_runbook.past.facts import facts_of_record, frame
from ecs_runbook.past.log_files import LogFiles
from ecs_runbook.past.sources import LookupEvents, Window

WHOLE = Window(SINCE, UNTIL)
ORGANISATION = {"Name": "org", "S3BucketName": "logs", "IsMultiRegionTrail": True, "IsOrganizationTrail": True}
ONE_REGION = {"Name": "one", "S3BucketName": "other", "S3KeyPrefix": "x", "IsMultiRegionTrail": False}


class PaperTrails:
    def __init__(self, trails, stopped=()):
        self.trails, self.stopped = trails, stopped

    def describe_trails(self):
        if self.trails is None:
            raise refusal("AccessDeniedException", "not authorized", "DescribeTrails")
        return {"trailList": [dict(one) for one in self.trails]}

    def get_trail_status(self, Name):  # noqa: N803
        return {"IsLogging": Name not in self.stopped}


class There(PaperAws):
    """An account with trails; *output* is the place for results that its workgroup has."""

    def __init__(self, files=None, trails=(), stopped=(), output=""):
        super().__init__(files or {})
        self.trails = PaperTrails(trails, stopped)
        given = {"ResultConfiguration": {"OutputLocation": output}} if output else {}
        self.athena.get_work_group = lambda WorkGroup: {"WorkGroup": {"Name": WorkGroup, "Configuration": given}}  # noqa: N803

    def now(self):
        return UNTIL

    def client(self, name):
        return self.trails if name == "cloudtrail" else super().client(name)


def places(entered=PLACES, asked=PLACES):
    return Fleet([Place(*one) for one in entered], Gate(limited=False), asked=[Place(*one) for one in asked])


def chosen(aws, fleet=None, window=WHOLE, **means):
    return choose(aws, fleet or places(), window, Means(**means))


def busy(runs, days=10):
    """Log files of so many runs a day; each day has the same."""
    made = [
        run(5, f"2026-11-02T02:{number // 60 % 60:02}:{number % 60:02}Z", f"e{number}", task=f"t{number}")
        for number in range(runs)
    ]
    (content,) = deliver(made).values()
    return {key_of(PLACES[0], f"2026/11/{day:02}"): content for day in range(1, days + 1)}


def test_what_the_trail_delivers_is_found_and_counted_but_the_lookups_are_soon_done():
    found = chosen(There(deliver(RECORDS), [ORGANISATION]))
    assert isinstance(found.source, LookupEvents)
    assert found.because.startswith("29 days of 2 accounts in 2 Regions: about ")
    assert "one machine fetches and reads 7 kB in less than a minute" in found.because
    assert "Athena cannot: the workgroup primary has no place for its results, and none is named" in found.because
    assert found.because.endswith("; so LookupEvents, since it is soon done")


def test_where_lookups_take_long_log_files_are_read_and_athena_is_weighed():
    aws = There(busy(runs=1200), [ORGANISATION], output="s3://results/")
    found = chosen(aws, places([PLACES[0]], [PLACES[0]]))
    assert isinstance(found.source, LogFiles)
    assert (found.source.place, found.source.accounts, found.source.regions) == (
        "s3://logs",
        [PLACES[0][0]],
        [PLACES[0][1]],
    )
    # 12,000 runs: 240 pages of LookupEvents, two a second
    assert "29 days of 1 account in 1 Region: about 12,000 records; LookupEvents would take 2 minutes" in found.because
    assert "Athena scans" in found.because
    assert found.because.endswith("; so log files, since it is soon done")


def test_more_than_a_machine_reads_soon_is_athenas(monkeypatch):
    monkeypatch.setattr("ecs_runbook.past.ways.READ_PER_SECOND", 10.0)
    aws = There(deliver(RECORDS), [ORGANISATION])
    found = chosen(aws, places(entered=[PLACES[0]]), output="s3://results/ecs", workgroup="audit", most_dollars=2)
    assert isinstance(found.source, Athena)
    asked = (found.source.place, found.source.output, found.source.workgroup, found.source.most_dollars)
    assert asked == ("s3://logs", "s3://results/ecs", "audit", 2)
    assert "LookupEvents would take less than a minute, and knows nothing of 1 account and Region" in found.because


def test_the_organisations_trail_is_looked_at_before_that_of_one_region():
    aws = There(deliver(RECORDS), [ONE_REGION, ORGANISATION])
    listed = []
    aws.s3.list_objects_v2, real = None, aws.s3.list_objects_v2

    def noted(Bucket, **more):  # noqa: N803
        listed.append(Bucket)
        if Bucket == "other":
            raise refusal("AccessDenied", "Access Denied", "ListObjectsV2")
        return real(Bucket=Bucket, **more)

    aws.s3.list_objects_v2 = noted
    found = chosen(aws)
    assert listed[0] == "logs"
    assert "s3://other/x: s3:ListBucket was refused: AccessDenied: Access Denied" in found.because


@pytest.mark.parametrize(
    ("trails", "stopped", "words"),
    [
        (None, (), "its trails may not be looked at (AccessDeniedException)"),
        ((), (), "this account has no trail"),
        ([ORGANISATION], ("org",), "the trail org is stopped"),
        (
            [ORGANISATION],
            (),
            "s3://logs: No log files of CloudTrail of 111122223333, 444455556666 in eu-west-1, us-east-1",
        ),
    ],
)
def test_without_log_files_the_lookups_are_made_and_it_says_why(trails, stopped, words):
    found = chosen(There({}, trails, stopped))
    assert isinstance(found.source, LookupEvents)
    assert words in found.because
    assert found.because.endswith("; so LookupEvents, since nothing else can be asked")


def test_beyond_what_lookups_know_the_log_files_are_read():
    window = Window(SINCE - timedelta(days=300), UNTIL)
    old = deliver([run(5, f"{window.since:%Y-%m-%d}T12:00:00Z", "old", task="old")])
    found = chosen(There(deliver(RECORDS) | old, [ORGANISATION]), window=window)
    assert isinstance(found.source, LogFiles)
    assert "and knows 90 days" in found.because
    assert found.because.endswith("; so log files, since nothing else reaches back as far as 2026-01-05")


def test_where_the_bucket_has_no_region_that_is_asked_for_and_no_trail_is_of_all_that_is_a_gap():
    aws = There(deliver([one for one in RECORDS if one["awsRegion"] == PLACES[0][1]]))
    both = [PLACES[0], (PLACES[0][0], "us-east-1")]
    named = chosen(aws, places(both, both), logs="s3://logs")
    assert "kB in less than a minute, and knows nothing of 1 account and Region" in named.because
    aws = There(aws.s3.files, [ORGANISATION])
    assert "knows nothing" not in chosen(aws, places(both, both)).because


def test_an_archive_is_weighed_and_taken_where_nothing_else_reaches_back(tmp_path):
    old = [
        run(5, "2026-01-05T02:00:00Z", "a1", task="a1"),
        run(5, "2026-01-06T02:00:00Z", "a2", task="a2", place=PLACES[1]),
    ]
    Archive(str(tmp_path)).keep(frame(fact for one in old for fact in facts_of_record(one)))
    found = chosen(There(), window=Window(datetime(2026, 1, 5, tzinfo=UTC), UNTIL), archive=str(tmp_path))
    assert isinstance(found.source, Archive)
    assert f"the archive {tmp_path} has what was kept since 2026-01-05" in found.because
    assert isinstance(chosen(There(), archive=str(tmp_path)).source, LookupEvents)


def test_what_an_archive_has_of_other_accounts_does_not_count(tmp_path):
    other = run(5, "2025-03-05T02:00:00Z", "a1", task="a1", place=("999900001111", "eu-west-1"))
    own = [run(5, "2026-10-20T02:00:00Z", f"b{place[0]}", task="t", place=place) for place in PLACES]
    Archive(str(tmp_path)).keep(frame(fact for one in (other, *own) for fact in facts_of_record(one)))
    found = chosen(There(), window=Window(datetime(2026, 1, 5, tzinfo=UTC), UNTIL), archive=str(tmp_path))
    assert isinstance(found.source, LookupEvents)
    assert "has what was kept since 2026-10-20" in found.because


def test_an_archive_that_is_not_there_is_told(tmp_path):
    found = chosen(There(), archive=str(tmp_path / "none"))
    assert "archive cannot:" in found.because


def test_a_folder_of_log_files_is_read_where_lookups_cannot_enter(tmp_path):
    for key, content in deliver(RECORDS).items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(content)
    found = chosen(There(), places(entered=()), logs=str(tmp_path))
    assert isinstance(found.source, LogFiles)
    assert "LookupEvents cannot: none of the accounts and Regions could be entered" in found.because
    assert "one machine reads 7 kB in less than a minute" in found.because


def test_a_folder_that_was_named_and_is_not_there_is_an_error(tmp_path):
    with pytest.raises(EvidenceError, match="there is no folder"):
        chosen(There(), logs=str(tmp_path / "none"))


def test_where_nothing_can_be_asked_it_says_what_was_looked_at():
    with pytest.raises(EvidenceError) as nothing:
        chosen(There(), places(entered=()))
    assert "Nothing can be asked about 29 days of 2 accounts in 2 Regions" in str(nothing.value)
    assert "this account has no trail" in str(nothing.value)
    assert "Name a folder" in nothing.value.hint
