"""What becomes of a firing: delivered, tried again by the clock, in the dead-letter queue, or dropped with a word."""

import json
import re
from datetime import datetime, timedelta

import pytest
from local_world import ACCOUNT, LocalWorld, allow, arn, document, refused, trusting

from ecs_runbook.local_aws import process
from ecs_runbook.local_aws.delivery import pause

EVENTS = "events.amazonaws.com"
ATTRIBUTES = {"RULE_ARN", "TARGET_ARN", "ERROR_CODE", "ERROR_MESSAGE", "RETRY_ATTEMPTS"}
ALL_RUN_TASKS = {"ecs:RunTask": "always"}


@pytest.fixture(scope="module")
def aws(server):
    return LocalWorld(server)


@pytest.fixture(autouse=True)
def _settings_as_at_the_start(server):
    yield
    process.settings(server, reset=True)


@pytest.fixture
def firing(aws):
    """A rule, its target and its dead-letter queue; gone after the test, so that nothing fires into the next."""
    made = []

    def make(**how):
        made.append(Firing(aws, **how))
        return made[-1]

    yield make
    for one in made:
        one.remove()


class Firing:
    def __init__(self, aws, *, role="", definition="", cluster="", queue_policy=None, with_queue=True, **target):
        self.aws, self.name, self.sqs = aws, aws.name("rule"), aws.client("sqs")
        self.cluster = cluster or aws.cluster()
        self.family = definition or aws.register()["family"]
        self.role = role or aws.role(allow("ecs:RunTask", "*"), allow("iam:PassRole", "*"), trust=trusting(EVENTS))
        self.rule_arn = arn(f"rule/{self.name}", "events")
        self.queue_arn = arn(self.name, "sqs")
        if with_queue:
            self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
            if queue_policy != "none":
                self.let_in(queue_policy or {"ArnEquals": {"aws:SourceArn": self.rule_arn}})
        aws.events.put_rule(Name=self.name, EventPattern=json.dumps({"source": [self.name]}))
        self.put(**target)

    def let_in(self, condition):
        statement = allow("sqs:SendMessage", self.queue_arn, condition) | {"Principal": {"Service": EVENTS}}
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": document(statement)})

    def put(self, **more):
        ecs = {
            "TaskDefinitionArn": self.family,
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": [self.aws.subnet]}},
        }
        target = {
            "Id": "run",
            "Arn": arn(f"cluster/{self.cluster}"),
            "RoleArn": self.role,
            "EcsParameters": ecs,
            "DeadLetterConfig": {"Arn": self.queue_arn},
            **more,
        }
        given = {key: value for key, value in target.items() if value is not None}
        self.aws.events.put_targets(Rule=self.name, Targets=[given])

    def fire(self):
        answer = self.aws.events.put_events(
            Entries=[{"Source": self.name, "DetailType": "test", "Detail": json.dumps({"what": self.name})}]
        )
        assert answer["FailedEntryCount"] == 0
        self.aws.advance(0)  # what fell due has happened when this returns

    def letters(self):
        answer = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        messages = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return messages

    def letter(self):
        """Return the attributes of the only message."""
        (message,) = self.letters()
        return said(message)

    def tasks(self):
        return [
            one
            for desired in ("RUNNING", "STOPPED")
            for one in self.aws.ecs.list_tasks(cluster=self.cluster, desiredStatus=desired)["taskArns"]
        ]

    def dropped(self):
        return re.findall(rf"rule {self.rule_arn}, target run: the event of \S+ is dropped after .*", self.aws.log)

    def remove(self):
        if self.name in {r["Name"] for r in self.aws.events.list_rules(NamePrefix=self.name)["Rules"]}:
            self.aws.events.remove_targets(Rule=self.name, Ids=["run"])
            self.aws.events.delete_rule(Name=self.name)


def said(message):
    assert {value["DataType"] for value in message["MessageAttributes"].values()} == {"String"}
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


# -------- what is not tried again


def test_missing_permissions_go_to_the_queue_at_once_with_the_event_and_awss_words(aws, firing):
    role = aws.role(trust=trusting(EVENTS))
    one = firing(role=role)
    definition = arn(f"task-definition/{one.family}:1")
    one.fire()
    now = datetime.fromisoformat(aws.now)
    (message,) = one.letters()
    attributes = said(message)
    assert set(attributes) == ATTRIBUTES
    record = aws.trail("RunTask")[-1]
    assert attributes == {
        "RULE_ARN": one.rule_arn,
        "TARGET_ARN": arn(f"cluster/{one.cluster}"),
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": f"User: {record['userIdentity']['arn']} is not authorized to perform: ecs:RunTask on "
        f"resource: {definition} because no identity-based policy allows the ecs:RunTask action",
        "RETRY_ATTEMPTS": "0",
    }
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"], event["detail"]) == (one.name, "test", {"what": one.name})
    assert event["time"] == now.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "ingestion-time" not in event
    assert abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - now.timestamp()) < 1
    aws.advance(86400)
    assert (one.letters(), one.tasks(), one.dropped()) == ([], [], [])


def test_a_role_that_cannot_be_assumed_is_a_missing_permission(aws, firing):
    one = firing(role=aws.role(trust=trusting("scheduler.amazonaws.com")))
    one.fire()
    attributes = one.letter()
    assert (attributes["ERROR_CODE"], attributes["RETRY_ATTEMPTS"]) == ("NO_PERMISSIONS", "0")
    assert attributes["ERROR_MESSAGE"] == (
        f"User: {EVENTS} is not authorized to perform: sts:AssumeRole on resource: {one.role}"
    )


def test_a_cluster_that_is_gone_is_a_vanished_resource(firing):
    one = firing(cluster="nowhere")
    one.fire()
    attributes = one.letter()
    assert (attributes["ERROR_CODE"], attributes["ERROR_MESSAGE"]) == ("NO_RESOURCE", "Cluster not found.")


def test_an_input_that_is_no_json_is_a_dead_letter(firing):
    one = firing(Input="{")
    one.fire()
    assert one.letter()["ERROR_CODE"] == "INVALID_JSON"


@pytest.mark.parametrize(
    ("reference", "code", "message"),
    [
        ("nobody", "SDK_CLIENT_ERROR", "TaskDefinition not found."),
        ("inactive", "INVALID_PARAMETER", "TaskDefinition is inactive"),
    ],
)
def test_what_ecs_refuses_is_not_tried_again_unless_that_is_set(aws, firing, reference, code, message):
    if reference == "inactive":
        reference = aws.register()["taskDefinitionArn"]
        aws.ecs.deregister_task_definition(taskDefinition=reference)
    one = firing(definition=reference, RetryPolicy={"MaximumRetryAttempts": 2})
    one.fire()
    attributes = one.letter()
    assert set(attributes) == ATTRIBUTES
    assert (attributes["ERROR_CODE"], attributes["ERROR_MESSAGE"]) == (code, message)
    process.settings(aws.server, retry_refused=True)
    one.fire()
    assert one.letters() == []
    aws.advance(60)
    attributes = one.letter()
    assert (attributes["ERROR_CODE"], attributes["RETRY_ATTEMPTS"]) == (code, "2")
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumRetryAttempts"


def test_failures_of_a_run_task_that_answered_count_as_delivered(aws, firing):
    process.settings(aws.server, fargate="no-capacity")
    one = firing()
    before = len(aws.trail("RunTask"))
    one.fire()
    assert one.tasks() == []
    process.settings(aws.server, fargate="available")
    aws.advance(3000)
    assert len(aws.trail("RunTask")) == before + 1
    assert (one.letters(), one.tasks(), one.dropped()) == ([], [], [])


# -------- what is tried again


def test_a_throttled_run_task_is_tried_again_with_pauses_that_grow(aws, firing):
    one = firing()
    process.settings(aws.server, throttle={"ecs:RunTask": 3})
    before = len(aws.trail("RunTask"))
    fired = datetime.fromisoformat(aws.now)
    one.fire()
    assert one.tasks() == []
    aws.advance(30)
    records = aws.trail("RunTask")[before:]
    assert [record.get("errorCode") for record in records] == ["ThrottlingException"] * 3 + [None]
    assert [record.get("errorMessage") for record in records[:3]] == ["Rate exceeded"] * 3
    key = f"rule {one.rule_arn}, target run"
    due = [fired + sum((pause(n, key) for n in range(1, m + 1)), timedelta()) for m in range(4)]
    assert [record["eventTime"] for record in records] == [moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in due]
    assert len(one.tasks()) == 1
    assert (one.letters(), one.dropped()) == ([], [])


def test_a_retry_runs_what_is_latest_then(aws, firing):
    one = firing()
    process.settings(aws.server, throttle={"ecs:RunTask": 1})
    one.fire()
    aws.register(one.family)
    aws.advance(2)
    assert aws.task(one.tasks()[0], one.cluster)["taskDefinitionArn"] == arn(f"task-definition/{one.family}:2")


def test_a_throttled_assume_role_is_tried_again(aws, firing):
    one = firing()
    process.settings(aws.server, throttle={"sts:AssumeRole": 1})
    one.fire()
    assert one.tasks() == []
    assert aws.trail("AssumeRole")[-1]["errorCode"] == "Throttling"
    aws.advance(2)
    assert len(one.tasks()) == 1


@pytest.mark.parametrize("attempts", [0, 1, 5])
def test_the_targets_own_number_of_attempts_is_kept(aws, firing, attempts):
    one = firing(RetryPolicy={"MaximumRetryAttempts": attempts})
    process.settings(aws.server, throttle=ALL_RUN_TASKS)
    before = len(aws.trail("RunTask"))
    one.fire()
    aws.advance(3600)
    assert len(aws.trail("RunTask")) == before + 1 + attempts
    attributes = one.letter()
    assert set(attributes) == {*ATTRIBUTES, "EXHAUSTED_RETRY_CONDITION"}
    assert (attributes["ERROR_CODE"], attributes["ERROR_MESSAGE"]) == ("THROTTLING", "Rate exceeded")
    assert (attributes["RETRY_ATTEMPTS"], attributes["EXHAUSTED_RETRY_CONDITION"]) == (
        str(attempts),
        "MaximumRetryAttempts",
    )


def test_the_targets_own_age_is_kept(aws, firing):
    one = firing(RetryPolicy={"MaximumEventAgeInSeconds": 60})
    process.settings(aws.server, throttle=ALL_RUN_TASKS)
    fired = datetime.fromisoformat(aws.now)
    one.fire()
    aws.advance(59)
    assert one.letters() == []
    aws.advance(1)
    (message,) = one.letters()
    attributes = said(message)
    assert attributes["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"
    assert 3 <= int(attributes["RETRY_ATTEMPTS"]) <= 8
    assert int(message["Attributes"]["SentTimestamp"]) // 1000 == int((fired + timedelta(seconds=60)).timestamp())


def test_without_a_policy_it_is_185_attempts_or_a_day(aws, firing):
    one = firing()
    process.settings(aws.server, throttle=ALL_RUN_TASKS)
    before = len(aws.trail("RunTask"))
    one.fire()
    aws.advance(20 * 3600)
    assert one.letters() == []
    aws.advance(4 * 3600)
    attributes = one.letter()
    exhausted = attributes["EXHAUSTED_RETRY_CONDITION"], attributes["RETRY_ATTEMPTS"]
    tried = len(aws.trail("RunTask")) - before
    assert int(attributes["RETRY_ATTEMPTS"]) == tried - 1
    assert exhausted[0] == ("MaximumRetryAttempts" if tried == 186 else "MaximumEventAgeInSeconds")
    assert 150 <= tried <= 186


@pytest.mark.parametrize(
    ("name", "value", "most"), [("maximumRetryAttempts", 186, 185), ("maximumEventAgeInSeconds", 86401, 86400)]
)
def test_a_retry_policy_beyond_its_range_is_refused(firing, name, value, most):
    one = firing()
    with refused(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at 'targets.1.member.retryPolicy.{name}' failed to satisfy "
        f"constraint: Member must have value less than or equal to {most}",
    ):
        one.put(RetryPolicy={name[:1].upper() + name[1:]: value})


# -------- what ends retries


def test_a_deleted_rule_ends_its_retries_with_a_word(aws, firing):
    one = firing()
    process.settings(aws.server, throttle={"ecs:RunTask": 1})
    one.fire()
    one.remove()
    aws.advance(60)
    assert (one.tasks(), one.letters()) == ([], [])
    assert len(one.dropped()) == 1
    assert one.dropped()[0].endswith("dropped after 0 retries: what fired it, or its target, is gone")


def test_a_retry_takes_the_target_as_it_is_then(aws, firing):
    one, other = firing(), aws.register()["family"]
    process.settings(aws.server, throttle={"ecs:RunTask": 1})
    one.fire()
    one.family = other
    one.put()
    aws.advance(60)
    assert aws.task(one.tasks()[0], one.cluster)["taskDefinitionArn"] == arn(f"task-definition/{other}:1")


# -------- what the queue says


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"with_queue": False, "DeadLetterConfig": None}, "it has no dead-letter queue"),
        ({"with_queue": False}, "there is no dead-letter queue {queue} in eu-west-2"),
        (
            {"queue_policy": "none"},
            f"the policy of the dead-letter queue {{queue}} does not let {EVENTS} send for this rule",
        ),
        (
            {"queue_policy": {"ArnEquals": {"aws:SourceArn": arn("rule/another", "events")}}},
            f"the policy of the dead-letter queue {{queue}} does not let {EVENTS} send for this rule",
        ),
    ],
    ids=["no queue", "a queue that is gone", "a queue without a policy", "a policy for another rule"],
)
def test_what_no_queue_takes_is_dropped_with_a_word(aws, firing, how, why):
    one = firing(cluster="nowhere", **how)
    one.fire()
    assert [word.rsplit(" retries: ", 1)[-1] for word in one.dropped()] == [why.format(queue=one.queue_arn)]
    if how.get("with_queue", True):
        assert one.letters() == []


def test_a_queue_can_let_in_a_whole_account(firing):
    one = firing(cluster="nowhere", queue_policy={"StringEquals": {"aws:SourceAccount": ACCOUNT}})
    one.fire()
    assert one.letter()["ERROR_CODE"] == "NO_RESOURCE"


def test_a_dead_letter_is_kept_as_long_as_its_queue_keeps_messages(aws, firing):
    one = firing(cluster="nowhere")
    one.sqs.set_queue_attributes(QueueUrl=one.url, Attributes={"MessageRetentionPeriod": "3600"})
    one.fire()
    aws.advance(3601)
    assert one.letters() == []


# -------- all of them


@pytest.mark.parametrize(
    ("throttle", "policy"), [(0, 0), (1, 0), (1, 1), (2, 1), (4, 2), ("always", 3)], ids=lambda value: str(value)
)
def test_no_firing_is_lost(aws, firing, throttle, policy):
    limited = {"RetryPolicy": {"MaximumRetryAttempts": policy}}
    ways = [
        firing(**limited),
        firing(with_queue=False, DeadLetterConfig=None, **limited),
        firing(cluster="nowhere", queue_policy="none", **limited),
        firing(role=aws.role(trust=trusting(EVENTS)), **limited),
        firing(definition="nobody", **limited),
    ]
    process.settings(aws.server, throttle={"ecs:RunTask": throttle})
    for one in ways:
        one.fire()
    aws.advance(3000)
    for one in ways:
        letters = one.letters() if hasattr(one, "url") else []
        tasks = one.tasks() if one.cluster != "nowhere" else []
        assert len(letters) + len(tasks) + len(one.dropped()) == 1
