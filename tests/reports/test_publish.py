"""Summary to SNS, page and history to S3: on a local AWS, and only where one was named."""

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from made_checks import HOME, NOW, SINCE, checked, finding, row, run

from ecs_runbook.checks.asked import Asked
from ecs_runbook.checks.outcome import judge_checked
from ecs_runbook.errors import AwsError, SpecError
from ecs_runbook.local_aws import process
from ecs_runbook.reports.history import History
from ecs_runbook.reports.publish import publication
from ecs_runbook.reports.summary import summary
from ecs_runbook.session import connect
from ecs_runbook.shelf import Bucket, shelf_at
from ecs_runbook.verdicts.verdict import Verdict

POLICY = json.loads((Path(__file__).parents[2] / "docs" / "policies" / "60_check-publish.json").read_text())
ACTIONS = [action for statement in POLICY["Statement"] for action in statement["Action"]]
NIGHTLY = row("nightly")
FOUND = checked([finding(NIGHTLY)], [NIGHTLY], [run(NIGHTLY, seconds=60)])


class Loud:
    """A run that hides nothing, but can be heard to have been asked."""

    @staticmethod
    def hide(text):
        return text.upper()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local-aws")
    yield process.start(folder)
    process.stop(folder)


@pytest.fixture(scope="module")
def aws(server):
    return connect("local", region="eu-west-2", endpoint=server.url)


@pytest.fixture(scope="module")
def topic(aws):
    """A topic, and what arrives in the queue that listens to it."""
    arn = aws.client("sns").create_topic(Name="morning")["TopicArn"]
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="readers")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)

    def read():
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    return arn, read


@pytest.fixture
def told():
    verdict = Verdict("60_check", "local", HOME.account, HOME.region, NOW, tuple(judge_checked(FOUND)))
    return summary(FOUND, verdict, Asked(SINCE, NOW))


@pytest.fixture
def page(tmp_path):
    folder = tmp_path / "20261124T070000Z-60_check"
    folder.mkdir()
    (folder / "verdict.json").write_text("{}")
    (folder / "60_check.html").write_text("<!DOCTYPE html>")
    return folder / "60_check.html"


@pytest.fixture(scope="module")
def bucket(aws):
    where = {"LocationConstraint": "eu-west-2"}
    aws.client("s3").create_bucket(Bucket="reports-of-the-team", CreateBucketConfiguration=where)
    return "reports-of-the-team"


def keys(aws, bucket):
    return sorted(one["Key"] for one in aws.client("s3").list_objects_v2(Bucket=bucket).get("Contents", []))


def test_without_a_place_nothing_is_published(aws, told):
    assert publication().of(Loud, aws, told) is None


def test_the_summary_goes_to_the_topic_and_names_the_page(aws, told, topic, page, bucket):
    arn, read = topic
    publication(topic=arn, place=f"s3://{bucket}/ecs/daily/").of(Loud, aws, told)(page)
    (message,) = read()
    assert message["Subject"] == (
        "ecs-runbook 60_check: NG: 1 OF 1 SCHEDULED TARGET HAS AN ERROR OR A WARNING."
    )  # fmt: skip
    assert message["Message"].startswith("NG: 1 OF 1 SCHEDULED TARGET HAS AN ERROR")
    assert "PINNED-REVISION (1): NIGHTLY: IT RUNS NIGHTLY-JOB:7" in message["Message"]
    assert message["Message"].endswith(
        "The page: S3://REPORTS-OF-THE-TEAM/ECS/DAILY/20261124T070000Z-60_CHECK/60_CHECK.HTML"
    )
    assert [key for key in keys(aws, bucket) if key.startswith("ecs/")] == [
        "ecs/daily/20261124T070000Z-60_check/60_check.html",
        "ecs/daily/20261124T070000Z-60_check/verdict.json",
    ]
    sent = aws.client("s3").get_object(Bucket=bucket, Key="ecs/daily/20261124T070000Z-60_check/60_check.html")
    assert (sent["ContentType"], sent["Body"].read()) == ("text/html; charset=utf-8", b"<!DOCTYPE html>")


def test_what_aws_refuses_is_said_in_its_words_with_the_action_that_is_needed(aws, told, page):
    missing = "arn:aws:sns:eu-west-2:123456789012:nobody"
    with pytest.raises(AwsError, match="sns:Publish was refused: NotFound"):
        publication(topic=missing).of(Loud, aws, told)(page)
    with pytest.raises(AwsError) as refused:
        publication(place="s3://nobodys-bucket-at-all/x").of(Loud, aws, told)(page)
    assert "s3:PutObject was refused: NoSuchBucket" in str(refused.value)
    assert "has s3:PutObject" in refused.value.hint


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"topic": "morning"}, "publish_summary = 'morning' is no ARN of a standard SNS topic. Write its whole ARN."),
        ({"place": "reports"}, "publish_page = 'reports' is no place in S3. Write s3://bucket/prefix."),
    ],
)
def test_a_place_that_cannot_be_is_refused_before_anything_runs(where, words):
    with pytest.raises(SpecError) as refused:
        publication(**where)
    assert str(refused.value) == words.replace(". W", ".\nW")


def test_a_history_in_s3_is_as_one_in_a_folder(aws, bucket):
    def history(day):
        shelf = shelf_at(f"s3://{bucket}/history", aws)
        return History(shelf, origin=["x"], question={}, identity=str(day), began=NOW + timedelta(days=day))

    assert history(0).compare(FOUND).last is None
    name = history(0).append(FOUND, at=NOW)
    assert f"history/{name}" in keys(aws, bucket)
    assert history(1).compare(FOUND).first == {FOUND.findings[0]: NOW}
    assert history(1).durations(FOUND.inventory)["seconds"].tolist() == [60]


def test_a_bucket_that_is_not_there_is_said(aws):
    shelf = shelf_at("s3://nobodys-bucket-at-all", aws)
    history = History(shelf, origin=["x"], question={}, identity="x", began=NOW)
    with pytest.raises(AwsError, match="s3:ListBucket was refused: NoSuchBucket"):
        history.compare(FOUND)


def test_a_history_of_more_files_than_s3_lists_at_once_is_read_whole():
    class Pages:
        def list_objects_v2(self, ContinuationToken="0", **_):  # noqa: N803
            number = int(ContinuationToken)
            more = {"IsTruncated": True, "NextContinuationToken": str(number + 1)} if number < 2 else {}
            return {"Contents": [{"Key": f"history/{number}.parquet"}], **more}

    assert Bucket("b", "history", Pages()).names() == ["0.parquet", "1.parquet", "2.parquet"]


@pytest.fixture(scope="module")
def caller(aws, server):
    """``caller(actions)``: an AWS whose caller may do these, and IAM is asked about every call."""
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName="publisher", AssumeRolePolicyDocument=document)["Role"]["Arn"]

    def may(*actions):
        process.settings(server, enforce_iam=True)
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        aws.client("iam").put_role_policy(RoleName="publisher", PolicyName="may", PolicyDocument=policy)
        keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]

        def client(service):
            return boto3.client(
                service,
                endpoint_url=aws.endpoint,
                region_name=aws.region,
                aws_access_key_id=keys["AccessKeyId"],
                aws_secret_access_key=keys["SecretAccessKey"],
                aws_session_token=keys["SessionToken"],
            )

        return SimpleNamespace(client=client, caller=role)

    yield may
    process.settings(server, reset=True)


def everything(caller, told, topic, page, bucket, name):
    """Publish a run, keep its check, and compare the next one with it."""
    publication(topic=topic, place=f"s3://{bucket}/pages").of(Loud, caller, told)(page)
    for day in (0, 1):
        shelf = shelf_at(f"s3://{bucket}/{name}", caller)
        history = History(shelf, origin=["x"], question={}, identity=str(day), began=NOW + timedelta(days=day))
        news = history.compare(FOUND)
        history.append(FOUND, at=NOW)
    return news


def test_under_the_policy_that_is_named_for_it_all_of_it_works(caller, told, topic, page, bucket):
    assert everything(caller(*ACTIONS), told, topic[0], page, bucket, "whole").last == NOW


@pytest.mark.parametrize("missing", ACTIONS)
def test_with_each_action_taken_away_the_refusal_names_it(caller, told, topic, page, bucket, missing):
    left = [action for action in ACTIONS if action != missing]
    with pytest.raises(AwsError) as refused:
        everything(caller(*left), told, topic[0], page, bucket, missing.replace(":", "-"))
    assert str(refused.value).startswith(f"{missing} was refused: ")
    assert missing in refused.value.hint
