"""Whether something is gone is asked of AWS, thing by thing."""

import pytest
from botocore.exceptions import ClientError

from ecs_runbook.errors import AwsError
from ecs_runbook.evidence.remains import REMAINS_COLUMNS, what_is_left
from ecs_runbook.terraform.run import Resource


class Client:
    """A client of which every operation gives, or raises, what it is told."""

    def __init__(self, **answers):
        self._answers = answers

    def __getattr__(self, operation):
        def call(**_given):
            answer = self._answers[operation]
            if isinstance(answer, str):
                raise ClientError({"Error": {"Code": answer, "Message": "…"}}, operation)
            return answer

        return call


RULE = Resource("aws_cloudwatch_event_rule", "nightly", "arn:rule")
ROLE = Resource("aws_iam_role", "nightly-schedule", "arn:role")
DEFINITION = Resource("aws_ecs_task_definition", "nightly", "arn:definition:1")
GROUP = Resource("aws_cloudwatch_log_group", "/ecs/nightly", "arn:group")
QUEUE = Resource("aws_sqs_queue", "nightly-dlq", "arn:queue")
SCHEDULE = Resource("aws_scheduler_schedule", "nightly", "arn:aws:scheduler:eu-west-2:111122223333:schedule/g/nightly")
SCHEDULE_GROUP = Resource("aws_scheduler_schedule_group", "g", "arn:group")
MACHINE = Resource("aws_sfn_state_machine", "nightly", "arn:machine")
TOPIC = Resource("aws_sns_topic", "nightly-failed", "arn:topic")


@pytest.mark.parametrize(
    ("thing", "service", "operation", "answer", "there"),
    [
        (RULE, "events", "describe_rule", {"Arn": "arn:rule"}, "yes"),
        (RULE, "events", "describe_rule", "ResourceNotFoundException", "no"),
        (RULE, "events", "describe_rule", "AccessDeniedException", "unknown"),
        (ROLE, "iam", "get_role", {"Role": {"Arn": "arn:role"}}, "yes"),
        (ROLE, "iam", "get_role", "NoSuchEntity", "no"),
        (GROUP, "logs", "describe_log_groups", {"logGroups": [{"logGroupName": "/ecs/nightly-2", "arn": "a"}]}, "no"),
        (GROUP, "logs", "describe_log_groups", {"logGroups": [{"logGroupName": "/ecs/nightly", "arn": "a"}]}, "yes"),
        (QUEUE, "sqs", "get_queue_url", "AWS.SimpleQueueService.NonExistentQueue", "no"),
        (SCHEDULE, "scheduler", "get_schedule", {"Arn": SCHEDULE.arn}, "yes"),
        (SCHEDULE, "scheduler", "get_schedule", "ResourceNotFoundException", "no"),
        (SCHEDULE_GROUP, "scheduler", "get_schedule_group", {"Arn": "arn:group", "State": "ACTIVE"}, "yes"),
        (SCHEDULE_GROUP, "scheduler", "get_schedule_group", {"Arn": "arn:group", "State": "DELETING"}, "no"),
        (MACHINE, "stepfunctions", "describe_state_machine", {"stateMachineArn": "a", "status": "ACTIVE"}, "yes"),
        (MACHINE, "stepfunctions", "describe_state_machine", {"stateMachineArn": "a", "status": "DELETING"}, "no"),
        (MACHINE, "stepfunctions", "describe_state_machine", "StateMachineDoesNotExist", "no"),
        (TOPIC, "sns", "get_topic_attributes", {"Attributes": {"TopicArn": "arn:topic"}}, "yes"),
        (TOPIC, "sns", "get_topic_attributes", "NotFound", "no"),
        (TOPIC, "sns", "get_topic_attributes", "AuthorizationError", "unknown"),
    ],
)
def test_each_thing_is_looked_for_by_its_own_call(thing, service, operation, answer, there):
    left = what_is_left([thing], **{service: Client(**{operation: answer})})
    assert list(left.columns) == REMAINS_COLUMNS
    assert left["there"].tolist() == [there]


@pytest.mark.parametrize(("status", "there"), [("ACTIVE", "yes"), ("INACTIVE", "no")])
def test_a_task_definition_is_gone_when_it_cannot_run_any_more(status, there):
    answer = {"taskDefinition": {"taskDefinitionArn": DEFINITION.arn, "status": status}}
    assert what_is_left([DEFINITION], ecs=Client(describe_task_definition=answer))["there"].tolist() == [there]


def test_a_call_that_may_not_be_made_is_named():
    left = what_is_left([ROLE], iam=Client(get_role="AccessDenied"))
    assert left["because"].tolist() == ["the caller needs iam:GetRole"]


def test_another_refusal_is_not_taken_for_an_answer():
    with pytest.raises(AwsError, match="ThrottlingException"):
        what_is_left([ROLE], iam=Client(get_role="ThrottlingException"))


def test_what_goes_with_its_owner_is_not_asked_for():
    assert what_is_left([Resource("aws_iam_role_policy", "nightly", "")]).empty
