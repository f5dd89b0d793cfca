"""CloudTrail's records of RunTask as EventBridge causes them, in their delivered form, account 111122223333."""

import copy

import pytest

ROLE = "arn:aws:iam::111122223333:role/nightly-schedule"
CLUSTER = "arn:aws:ecs:eu-west-1:111122223333:cluster/batch"
FAMILY = "arn:aws:ecs:eu-west-1:111122223333:task-definition/nightly"
TASK = "arn:aws:ecs:eu-west-1:111122223333:task/batch/0123456789abcdef0123456789abcdef"
SESSION = "a1b2c3d4e5f60718293a4b5c6d7e8f90"

ACCEPTED = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLEEXAMPLE123:{SESSION}",
        "arn": f"arn:aws:sts::111122223333:assumed-role/nightly-schedule/{SESSION}",
        "accountId": "111122223333",
        "accessKeyId": "ASIAEXAMPLEEXAMPLE12",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLEEXAMPLE123",
                "arn": ROLE,
                "accountId": "111122223333",
                "userName": "nightly-schedule",
            },
            "attributes": {"creationDate": "2026-11-24T17:00:12Z", "mfaAuthenticated": "false"},
        },
        "invokedBy": "events.amazonaws.com",
    },
    "eventTime": "2026-11-24T17:00:12Z",
    "eventSource": "ecs.amazonaws.com",
    "eventName": "RunTask",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "events.amazonaws.com",
    "userAgent": "events.amazonaws.com",
    "requestParameters": {
        "cluster": CLUSTER,
        "count": 1,
        "launchType": "FARGATE",
        "startedBy": "events-rule/nightly",
        "taskDefinition": FAMILY,
        "overrides": {
            "containerOverrides": [{"name": "main", "environment": "HIDDEN_DUE_TO_SECURITY_REASONS"}],
        },
    },
    "responseElements": {
        "tasks": [
            {
                "taskArn": TASK,
                "taskDefinitionArn": f"{FAMILY}:6",
                "clusterArn": CLUSTER,
                "lastStatus": "PROVISIONING",
                "launchType": "FARGATE",
                "startedBy": "events-rule/nightly",
                "createdAt": "Nov 24, 2026, 5:00:12 PM",
                "overrides": {
                    "containerOverrides": [{"name": "main", "environment": [{"name": "A", "value": "shy"}]}],
                },
            }
        ],
        "failures": [],
    },
    "requestID": "0e0e0e0e-0000-4000-8000-000000000001",
    "eventID": "e0e0e0e0-0000-4000-8000-000000000001",
    "readOnly": False,
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
}
DENIED_WORDS = (
    f"User: arn:aws:sts::111122223333:assumed-role/nightly-schedule/{SESSION} is not authorized to perform: ecs:RunTask"
    f" on resource: {FAMILY}:6 because no identity-based policy allows the ecs:RunTask action"
)


@pytest.fixture
def accepted():
    """A call that was accepted; change what you like."""
    return copy.deepcopy(ACCEPTED)


@pytest.fixture
def denied(accepted):
    """A call that IAM refused: AWS leaves parameters and answer out."""
    return accepted | {
        "eventID": "e0e0e0e0-0000-4000-8000-000000000002",
        "errorCode": "AccessDenied",
        "errorMessage": DENIED_WORDS,
        "requestParameters": None,
        "responseElements": None,
    }


@pytest.fixture
def failed(accepted):
    """A call that was answered with HTTP 200 and no task."""
    words = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
    answer = {"tasks": [], "failures": [{"reason": words}]}
    return accepted | {"eventID": "e0e0e0e0-0000-4000-8000-000000000003", "responseElements": answer}
