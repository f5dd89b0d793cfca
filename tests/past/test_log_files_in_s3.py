"""Delivered log files in a bucket: the same as in a folder, fetched side by side, and each only once."""

from pathlib import Path

import pytest
from told_records import RECORDS, SINCE, TRUE, UNTIL, run, told
from trail_folder import files, key, packed

from ecs_runbook.errors import AwsError
from ecs_runbook.past import log_files
from ecs_runbook.past.log_files import LogFiles
from ecs_runbook.past.places import Bucket
from ecs_runbook.past.runs import past_runs
from own_aws import aws, home, server  # noqa: F401

MANY = len(files())


@pytest.fixture(scope="module")
def s3(aws):  # noqa: F811
    return aws.client("s3")


@pytest.fixture
def bucket(s3):
    name = f"trail-{len(s3.list_buckets()['Buckets'])}"
    s3.create_bucket(Bucket=name)
    for one, content in files().items():
        s3.put_object(Bucket=name, Key=f"org/{one}", Body=content)
    return name


@pytest.fixture
def source(bucket, aws, tmp_path):  # noqa: F811
    return LogFiles(f"s3://{bucket}/org", aws, cache=str(tmp_path / "cache"))


def table(source):
    return past_runs(source, since=SINCE, until=UNTIL)


def test_a_bucket_tells_what_the_records_tell_and_the_second_time_nothing_is_fetched(source, bucket, monkeypatch):
    found = table(source)
    assert told(found) == TRUE
    (asked,) = found.attrs["asked"]
    assert asked["source"] == f"log files in s3://{bucket}/org/"
    assert f"{MANY} files" in asked["answer"]
    listing = asked["calls"] - MANY
    monkeypatch.setattr(Bucket, "content", lambda _, file: pytest.fail(f"{file} was fetched"))
    again = table(source)
    assert again.to_csv() == found.to_csv()
    assert again.attrs["asked"][0]["calls"] == listing


def test_processes_of_their_own_read_what_is_fetched(source, monkeypatch):
    monkeypatch.setattr(log_files, "_FEW_BYTES", 0)
    assert told(table(source)) == TRUE


def test_only_folders_that_may_have_something_are_listed(source):
    found = table(LogFiles(source.place, source.aws, accounts=["444455556666"], cache=None))
    assert told(found) == [row for row in TRUE if row[0] == "444455556666"]
    its_own = [name for name in files() if "444455556666" in name]
    days = {name.rpartition("/")[0] for name in its_own}
    above = {name.rsplit("/", depth)[0] for name in days for depth in range(1, 7)} | {""}
    assert found.attrs["asked"][0]["calls"] == len(above) + len(days) + len(its_own)


def test_what_is_broken_goes_or_is_refused_is_named_and_the_rest_is_read(source, bucket, s3, monkeypatch):
    day = key(RECORDS[2]).rpartition("/")[0]
    s3.put_object(Bucket=bucket, Key=f"org/{day}/cut.json.gz", Body=packed(RECORDS)[:-30])
    gone = key(RECORDS[0])
    fetch = Bucket.content

    def content(self, file):
        if file.name == gone:
            self.s3.delete_object(Bucket=self.bucket, Key=self.prefix + file.name)
        return fetch(self, file)

    monkeypatch.setattr(Bucket, "content", content)
    found = table(source)
    assert told(found) == TRUE[1:]
    why = {Path(one["name"]).name: one["why"] for one in found.attrs["broken"]}
    assert why.pop(Path(gone).name) == "has gone since it was listed"
    assert why.pop("cut.json.gz").startswith("ends in the middle")
    assert not why


def test_an_object_that_was_replaced_is_fetched_anew(source, bucket, s3):
    table(source)
    younger = run(3, RECORDS[0]["eventTime"], "e01", task="t01")
    s3.put_object(Bucket=bucket, Key=f"org/{key(RECORDS[0])}", Body=packed([younger]))
    assert told(table(source))[0][4] == 3


def test_a_bucket_that_may_not_be_listed_is_one_clear_error(aws):  # noqa: F811
    with pytest.raises(AwsError, match="s3:ListBucket was refused: NoSuchBucket") as told_of:
        table(LogFiles("s3://no-such-trail/org", aws))
    assert "s3:ListBucket" in told_of.value.hint
