"""Every failure of the yardstick, in every source in which it shows, is the row that was written down by hand."""

# ruff: noqa: E501 - AWS's words and what is written down of them are one line each

import pytest

from ecs_runbook.diagnosis import recognise as recognising
from ecs_runbook.diagnosis.catalogue import catalogue, read_catalogue
from ecs_runbook.diagnosis.explain import explain
from ecs_runbook.diagnosis.recognise import recognise
from ecs_runbook.diagnosis.sighting import Sighting, of_try, sightings
from ecs_runbook.diagnosis.words import Expected
from ecs_runbook.firing.histories import Execution, Try

A = "111122223333"
ROLE = f"arn:aws:sts::{A}:assumed-role/nightly-events/ff00212d8c453aaaae644bc6846d4723"
FAMILY = f"arn:aws:ecs:eu-west-1:{A}:task-definition/nightly"
TASK_ROLE = f"arn:aws:iam::{A}:role/nightly-task"
API = ("CloudTrail", "DLQ of a rule", "DLQ of Scheduler")


def denied(action, resource, tail=None):
    tail = f"because no identity-based policy allows the {action} action" if tail is None else tail
    return f"User: {ROLE} is not authorized to perform: {action} on resource: {resource} {tail}".rstrip()


INVALID, CLIENT, AD = "InvalidParameterException", "ClientException", "AccessDenied"
REFUSALS = [
    # code, message, row: §1
    (AD, denied("ecs:RunTask", f"{FAMILY}:9"), "run-task-denied-for-the-revision"),
    (AD, denied("ecs:RunTask", FAMILY), "run-task-denied-bare-resource"),
    (AD, denied("ecs:RunTask", f"{FAMILY}:9", ""), "run-task-denied"),
    (AD, denied("ecs:RunTask", "*"), "run-task-denied"),
    (AD, denied("ecs:RunTask", f"{FAMILY}:9", "with an explicit deny in a service control policy"), "denied-by-service-control-policy"),
    (AD, denied("ecs:RunTask", f"{FAMILY}:9", "because no permissions boundary allows the ecs:RunTask action"), "denied-by-permissions-boundary"),
    (AD, denied("ecs:RunTask", f"{FAMILY}:9", "because no session policy allows the ecs:RunTask action"), "denied-by-session-policy"),
    (AD, denied("ecs:RunTask", f"{FAMILY}:9", "with an explicit deny in an identity-based policy"), "denied-explicitly-by-own-policy"),
    (AD, denied("ecs:RunTask", f"{FAMILY}:9", "with an explicit deny"), "denied-explicitly"),
    (AD, denied("ecs:RunTask", f"{FAMILY}:9", "because no resource-based policy allows the ecs:RunTask action"), "denied-by-another-policy"),
    (AD, denied("ecs:RunTask", f"{FAMILY}:9", "because no VPC endpoint policy allows the ecs:RunTask action"), "denied-by-another-policy"),
    (AD, denied("ecs:RunTask", f"{FAMILY}:9", "with an explicit deny in a resource control policy"), "denied-by-another-policy"),
    (AD, denied("iam:PassRole", TASK_ROLE), "pass-role-denied"),
    (AD, denied("iam:PassRole", TASK_ROLE, "with an explicit deny in a service control policy"), "denied-by-service-control-policy"),
    (AD, denied("ecs:TagResource", f"arn:aws:ecs:eu-west-1:{A}:task/batch/*"), "tag-resource-denied"),
    (AD, denied("ecs:TagResource", f"arn:aws:ecs:eu-west-1:{A}:task/batch/*", ""), "tag-resource-denied"),
    (AD, "", "access-denied"),
    # §2
    (INVALID, "Assign public IP is not supported for this launch type.", "public-ip-needs-fargate"),
    (INVALID, "Network Configuration must be provided when networkMode 'awsvpc' is specified.", "network-configuration-missing"),
    (INVALID, "Network Configuration must be provided when networkMode ‘awsvpc’ is specified.", "network-configuration-missing"),
    (INVALID, "No Container Instances were found in your cluster.", "no-container-instances"),
    (INVALID, "Task definition does not support launch_type FARGATE.", "definition-not-for-launch-type"),
    (INVALID, "TaskDefinition is inactive", "revision-inactive"),
    (CLIENT, "TaskDefinition not found.", "definition-not-found"),
    (CLIENT, "Unable to describe task definition.", "definition-not-describable"),
    (INVALID, "Error retrieving subnet information for [subnet-0a1b]: The subnet ID 'subnet-0a1b' does not exist (ErrorCode: InvalidSubnetID.NotFound)", "subnet-gone"),
    (INVALID, "Error retrieving subnet information for [subnet-0a1b, subnet-0c]: The subnet ID 'subnet-0a1b' does not exist (ErrorCode: InvalidSubnetID.NotFound)", "subnet-gone"),
    (INVALID, "Error retrieving subnet information for [subnet-0a1b]: Rate exceeded (ErrorCode: Throttling)", "subnet-lookup-throttled"),
    (INVALID, "Error retrieving security group information for [sg-0e3f]: The security group 'sg-0e3f' does not exist", "security-group-gone"),
    (INVALID, "Error retrieving security group information for [sg-0e3f]: The security group 'sg-0e3f' does not exist (ErrorCode: InvalidGroup.NotFound)", "security-group-gone"),
    (INVALID, "Security group sg-0e3f does not appear to belong to the same VPC as the input subnets.", "security-group-in-another-vpc"),
    (INVALID, "Override for container named main is not a container in the TaskDefinition", "override-of-unknown-container"),
    (INVALID, "The platform version must be null when specifying an EC2 launch type", "platform-version-on-ec2"),
    ("PlatformUnknownException", "whatever AWS says", "platform-version-unknown"),
    ("PlatformTaskDefinitionIncompatibilityException", "whatever AWS says", "platform-version-too-old"),
    ("ClusterNotFoundException", "Cluster not found.", "cluster-not-found"),
    ("ClusterNotFoundException", "The referenced cluster was inactive", "cluster-inactive"),
    (CLIENT, f"ECS was unable to assume the role '{TASK_ROLE}' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.", "task-role-not-assumable"),
    (INVALID, "Unable to assume the service linked role. Please verify that the ECS service linked role exists.", "service-linked-role-missing"),
    ("BlockedException", "Your account is currently blocked", "account-blocked"),
    ("ConflictException", "some words", "client-token-reused"),
    ("ServerException", "some words", "server-error"),
    ("ServiceUnavailable", "some words", "server-error"),
    ("UnsupportedFeatureException", "some words", "feature-not-in-region"),
    ("ThrottlingException", "Rate exceeded", "throttled"),
    # near ones that are not on the page
    (INVALID, "Network Configuration is not valid for the given networkMode of this task definition.", "network-configuration-not-wanted"),
]  # fmt: skip

FAILURES = [
    ("Capacity is unavailable at this time. Please try again later or in a different availability zone", "fargate-capacity"),
    ("You’ve reached the limit on the number of vCPUs you can run concurrently", "fargate-quota-vcpus"),
    ("You've reached the limit on the number of vCPUs you can run concurrently", "fargate-quota-vcpus"),
    ("You’ve reached the limit on the number of tasks you can run concurrently", "fargate-quota-tasks"),
    ("RESOURCE:CPU", "placement-cpu"),
    ("RESOURCE:MEMORY", "placement-memory"),
    ("RESOURCE:ENI", "placement-eni"),
    ("RESOURCE:PORTS", "placement-ports"),
    ("RESOURCE:GPU", "placement-gpu"),
    ("AGENT", "agent-disconnected"),
    ("ATTRIBUTE", "placement-attribute"),
    ("MISSING", "placement-missing"),
    ("INACTIVE", "placement-inactive"),
]  # fmt: skip

NOT_STARTED = [
    (f"ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: User: {ROLE} is not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows the ecr:GetAuthorizationToken action", "ecr-sign-in-denied"),
    ("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:111122223333:secret:t-AbCdEf from secrets manager: AccessDeniedException: no", "secret-denied"),
    ("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:111122223333:secret:t-AbCdEf from secrets manager: ResourceNotFoundException: Secrets Manager can’t find the specified secret.", "secret-not-found"),
    ("ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , request send failed, Post \"https://api.ecr.eu-west-1.amazonaws.com/\": dial tcp 52.94.0.1:443: i/o timeout", "no-way-to-ecr"),
    ("ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: There is a connection issue between the task and AWS Secrets Manager. Check your task network configuration.", "no-way-to-secrets"),
    ("ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm: There is a connection issue between the task and AWS Systems Manager Parameter Store. Check your task network configuration.", "no-way-to-secrets"),
    ("ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the task definition. There is a connection issue between the task and Amazon CloudWatch. Check your network configuration.", "no-way-to-logs"),
    ("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1", "log-group-not-to-be-had"),
    ("ResourceInitializationError: something that is new", "resource-initialization"),
    ("CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref docker.io/library/nightly:1", "image-not-resolved"),
    ("CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref docker.io/library/nightly:1: docker.io/library/nightly:1: not found", "image-not-found"),
    ("CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref docker.io/library/nightly:1: failed to do request: Head \"https://registry-1.docker.io/v2/library/nightly/manifests/1\": dial tcp 34.205.13.154:443: i/o timeout", "no-way-to-registry"),
    ("CannotPullContainerError: The task can’t pull the image. Check that the role has the permissions to pull images from the registry.", "image-pull-denied"),
    ("CannotPullContainerError: Error response from daemon: pull access denied for nightly, repository does not exist or may require 'docker login'", "image-pull-denied"),
    ("CannotPullContainerError: inspect image has been retried 5 time(s): httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/nightly/manifests/1: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit.", "image-pull-rate-limited"),
    ("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request failed caused by: context deadline exceeded", "no-way-to-ecr"),
    ("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 5 time(s): RequestCanceled: request context canceled caused by: context deadline exceeded", "no-way-to-secrets"),
    ("CannotPullContainerError: something that is new", "cannot-pull-image"),
    ("Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet 'subnet-0a1b': InsufficientFreeAddressesInSubnet", "network-interface-not-made"),
    ("InternalError: unable to do it", "internal-error"),
    ("The selected task definition is not compatible with the selected compute strategy", "compute-strategy-incompatible"),
    ("AGENT", "agent-disconnected"),
    ("CannotStartContainerError: failed to get container status", "container-cannot-start"),
    ("CannotStopContainerError: x", "container-cannot-stop"),
    ("CannotInspectContainerError: x", "container-cannot-be-inspected"),
    ("CannotCreateVolumeError: x", "volume-cannot-be-made"),
    ("ContainerRuntimeError: x", "container-runtime-error"),
    ("ContainerRuntimeTimeoutError: x", "container-runtime-timeout"),
    ("ResourceNotFoundException: the secret is gone", "resource-not-found"),
    ("Something that is new", "task-failed-to-start"),
]  # fmt: skip

ENDED = [
    # stop code, exit code, the container's reason, row
    ("EssentialContainerExited", 1, "", "exit-1"),
    ("EssentialContainerExited", 3, "", "exited-badly"),
    ("EssentialContainerExited", 126, "", "exit-126"),
    ("EssentialContainerExited", 127, "", "exit-127"),
    ("EssentialContainerExited", 137, "", "exit-137"),
    ("EssentialContainerExited", 139, "", "exit-139"),
    ("EssentialContainerExited", 143, "", "exit-143"),
    ("EssentialContainerExited", None, "", "never-ran"),
    ("", 3, "", "exited-badly"),
    ("EssentialContainerExited", 137, "OutOfMemoryError: Container killed due to memory usage", "out-of-memory"),
    ("EssentialContainerExited", 1, "CannotStartContainerError: no such file", "container-cannot-start"),
    ("EssentialContainerExited", 137, "OutOfMemoryError: container killed due to memory usage", "out-of-memory"),
    ("UserInitiated", 137, "", "stopped-by-someone"),
    ("UserInitiated", 0, "", "stopped-by-someone"),
    ("ServiceSchedulerInitiated", 143, "", "stopped-by-service-scheduler"),
    ("SpotInterruption", 143, "", "spot-interrupted"),
    ("TerminationNotice", 143, "", "termination-notice"),
    ("InfrastructureHealth", None, "", "infrastructure-health"),
]

LETTERS = [
    ("NO_PERMISSIONS", "dlq-no-permissions"),
    ("NO_RESOURCE", "dlq-no-resource"),
    ("RESOURCE_ALREADY_EXISTS", "dlq-resource-already-exists"),
    ("THROTTLING", "dlq-throttling"),
    ("TIMEOUT", "dlq-timeout"),
    ("SDK_CLIENT_ERROR", "dlq-refused-by-target"),
    ("ERROR_FROM_TARGET", "dlq-refused-by-target"),
    ("INVALID_PARAMETER", "dlq-invalid-parameter"),
    ("FAILED_TO_ASSUME_ROLE", "dlq-failed-to-assume-role"),
    ("INTERNAL_ERROR", "dlq-internal-error"),
    ("INVALID_JSON", "dlq-invalid-json"),
]
CODES_OF_EVENTBRIDGE = {AD: "NO_PERMISSIONS", INVALID: "INVALID_PARAMETER", CLIENT: "SDK_CLIENT_ERROR"}


def cause(seen):
    fits = recognise(seen)
    return fits[0].row.id if fits else ""


def cloudtrail(code, message, **more):
    told = {"eventSource": "ecs.amazonaws.com", "eventName": "RunTask", "errorCode": code, "errorMessage": message}
    (seen,) = sightings({**told, **more})
    return seen


def dead(code, message, scheduler=False):
    said = {"ERROR_CODE": code, "ERROR_MESSAGE": message}
    said |= (
        {"SCHEDULE_ARN": f"arn:aws:scheduler:eu-west-1:{A}:schedule/default/nightly"}
        if scheduler
        else {
            "RULE_ARN": f"arn:aws:events:eu-west-1:{A}:rule/nightly",
            "TARGET_ARN": f"arn:aws:ecs:eu-west-1:{A}:cluster/batch",
        }
    )
    (seen,) = sightings(
        {"MessageId": "m", "Body": "{}", "MessageAttributes": {k: {"StringValue": v} for k, v in said.items()}}
    )
    return seen


def stopped(code, reason, *containers):
    (seen,) = sightings(
        {
            "taskArn": "t",
            "lastStatus": "STOPPED",
            "stopCode": code,
            "stoppedReason": reason,
            "containers": list(containers),
        }
    )
    return seen


# -------- each row, in each source


@pytest.mark.parametrize(("code", "message", "row"), REFUSALS)
def test_a_refusal_is_recognised_in_cloudtrail_with_every_spelling_of_its_code(code, message, row):
    stem = code.removesuffix("Exception")
    for spelt in (code, stem, f"{stem}Exception", f"Client.{code}"):
        assert cause(cloudtrail(spelt, message)) == row


@pytest.mark.parametrize(("code", "message", "row"), REFUSALS)
def test_a_refusal_is_recognised_in_both_dead_letter_queues(code, message, row):
    assert cause(dead(f"{code.removesuffix('Exception')}Exception", message, scheduler=True)) == row
    if message not in ("", "some words", "whatever AWS says"):
        if (code, message) == ("ThrottlingException", "Rate exceeded"):
            assert cause(dead("THROTTLING", message)) == row
        else:
            assert cause(dead(CODES_OF_EVENTBRIDGE.get(code, "ERROR_FROM_TARGET"), message)) == row


@pytest.mark.parametrize(("code", "message", "row"), REFUSALS)
def test_a_refusal_is_recognised_with_what_an_sdk_wrote_around_it(code, message, row):
    name = f"{code.removesuffix('Exception')}Exception"
    around = [
        f"{message} (Service: AmazonECS; Status Code: 400; Error Code: {name}; Request ID: 818442f3-6e48; Proxy: null)",
        f"{message} (Service: Ecs, Status Code: 400, Request ID: 818442f3-6e48)",
        f"An error occurred ({name}) when calling the RunTask operation: {message}",
        f"{name}: {message}",
    ]
    for words in around if message else []:
        assert cause(dead(name, words, scheduler=True)) == row
        assert cause(cloudtrail(code, words)) == row


@pytest.mark.parametrize(("reason", "row"), FAILURES)
def test_a_reason_in_failures_is_recognised_without_an_error_code(reason, row):
    told = {
        "eventSource": "ecs.amazonaws.com",
        "eventName": "RunTask",
        "responseElements": {"failures": [{"reason": reason}]},
    }
    (seen,) = sightings(told)
    assert cause(seen) == row


@pytest.mark.parametrize(("reason", "row"), NOT_STARTED)
def test_a_task_that_did_not_start_is_recognised_wherever_its_reason_stands(reason, row):
    assert cause(stopped("TaskFailedToStart", reason, {"name": "main"})) == row
    assert cause(stopped("TaskFailedToStart", "Task failed to start", {"name": "main", "reason": reason})) == row


@pytest.mark.parametrize(("code", "exit_code", "reason", "row"), ENDED)
def test_a_task_that_ended_is_recognised_by_stop_code_exit_code_and_reason(code, exit_code, reason, row):
    container = (
        {"name": "main"}
        | ({} if exit_code is None else {"exitCode": exit_code})
        | ({"reason": reason} if reason else {})
    )
    assert (
        cause(stopped(code, "Essential container in task exited" if "Exited" in code or not code else "", container))
        == row
    )


def test_a_code_is_recognised_with_the_name_of_its_service_before_it():
    for before in ("AmazonECS.", "com.amazonaws.ecs#", "AWS.ECS.", "Client."):
        assert (
            cause(dead(f"{before}ClusterNotFoundException", "words that are new", scheduler=True))
            == "cluster-not-found"
        )


@pytest.mark.parametrize(("code", "row"), LETTERS)
def test_a_code_of_eventbridge_is_recognised_where_its_message_is_new_or_missing(code, row):
    assert cause(dead(code, "")) == row
    assert cause(dead(code, "Words that are new.")) == row


@pytest.mark.parametrize(
    ("source", "call", "code", "message", "row"),
    [
        ("events", "PutRule", "ValidationException", "Parameter ScheduleExpression is not valid.", "schedule-expression-refused"),
        ("scheduler", "CreateSchedule", "ValidationException", "Invalid Schedule Expression cron(0 2 * * * *).", "scheduler-expression-refused"),
        ("scheduler", "CreateSchedule", "ValidationException", "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.", "scheduler-role-refused"),
        ("events", "PutTargets", "AccessDenied", denied("iam:PassRole", TASK_ROLE), "set-up-pass-role-denied"),
        ("events", "PutTargets", "ValidationException", "Parameter ScheduleExpression is not valid.", ""),
        ("events", "PutRule", "AccessDenied", denied("events:PutRule", "arn:aws:events:eu-west-1:111122223333:rule/x"), ""),
        ("ecs", "RunTask", "ValidationException", "Parameter ScheduleExpression is not valid.", ""),
    ],
)  # fmt: skip
def test_what_is_refused_at_set_up_is_recognised_of_its_own_call_only(source, call, code, message, row):
    assert cause(cloudtrail(code, message, eventSource=f"{source}.amazonaws.com", eventName=call)) == row


def test_a_role_that_eventbridge_may_not_assume_is_recognised_in_cloudtrail_and_in_the_queue():
    role = f"arn:aws:iam::{A}:role/nightly-events"
    words = f"User: events.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: {role}"
    caller = {"userIdentity": {"type": "AWSService", "invokedBy": "events.amazonaws.com"}}
    seen = cloudtrail(AD, words, eventSource="sts.amazonaws.com", eventName="AssumeRole", **caller)
    for one in (seen, dead("NO_PERMISSIONS", words), dead("FAILED_TO_ASSUME_ROLE", words)):
        assert cause(one) == "assume-role-denied"
        assert one.facts["role"] == role


def test_every_row_of_the_catalogue_is_reached_by_a_test():
    rows = {row for *_, row in (*REFUSALS, *FAILURES, *NOT_STARTED, *ENDED, *LETTERS)}
    elsewhere = {
        "denied-by-condition", "run-task-denied-bare-family-policy", "run-task-denied-pinned-policy", "pass-role-to-another-service", "no-active-revision",
        "revision-not-found", "assume-role-denied", "assume-role-refused", "containers-disagree", "task-forgotten",
        "schedule-expression-refused", "scheduler-expression-refused", "scheduler-role-refused", "set-up-pass-role-denied",
        "start-execution-denied", "state-machine-gone", "attempt-timed-out", "attempt-heartbeat-missed", "execution-aborted",
        "provisioning-quota", "capacity-provider-not-of-cluster", "parameter-not-to-be-had", "dlq-other-code", "scheduler-dlq-not-found",
        "machine-may-not-look",
    }  # fmt: skip
    assert {row.id for row in catalogue()} == rows | elsewhere


@pytest.mark.parametrize(
    ("seen", "row"),
    [
        (cloudtrail(CLIENT, "The number of tasks in the PROVISIONING state exceeds the limit of 500"), "provisioning-quota"),
        (cloudtrail(INVALID, "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again."), "capacity-provider-not-of-cluster"),
        (stopped("TaskFailedToStart", "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: invalid parameters: /token"), "parameter-not-to-be-had"),
        (dead("THIRD_ACCOUNT_HOP_DETECTED", ""), "dlq-other-code"),
        (dead("ResourceNotFoundException", "words", scheduler=True), "scheduler-dlq-not-found"),
    ],
)  # fmt: skip
def test_what_is_beside_the_page_is_recognised(seen, row):
    assert cause(seen) == row


# -------- the same words, told apart by facts


@pytest.mark.parametrize("action", ["ecs:ListTasks", "ecs:DescribeTasks", "ecs:StopTask"])
def test_what_a_state_machine_may_not_do_besides_its_task_is_blamed_on_its_own_role_and_on_no_other(action):
    who = "arn:aws:sts::111122223333:assumed-role/nightly-machine/0f1e2d"
    words = (
        f"User: {who} is not authorized to perform: {action} on resource: * because no identity-based policy allows "
        f"the {action} action (Service: Ecs, Status Code: 400, Request ID: 818442f3-6e48)"
    )
    seen = Sighting("Step Functions", None, "Ecs.AccessDeniedException", words)
    told = explain(seen, schedule="nightly", target={"RoleArn": "arn:aws:iam::111122223333:role/starter"})
    assert (told.cause, told.title) == ("machine-may-not-look", f"The state machine's role may not call {action}")
    assert told.remedy.endswith(f"it is the role in {who}.")
    assert "starter" not in told.remedy


def test_a_definition_that_is_not_found_is_told_apart_by_what_was_asked_for():
    def asked(name):
        return cloudtrail(CLIENT, "TaskDefinition not found.", requestParameters={"taskDefinition": name})

    assert cause(asked(FAMILY)) == "no-active-revision"
    assert cause(asked("nightly")) == "no-active-revision"
    assert cause(asked(f"{FAMILY}:12")) == "revision-not-found"
    assert cause(cloudtrail(CLIENT, "TaskDefinition not found.")) == "definition-not-found"


def test_the_reader_may_know_what_was_asked_for():
    seen = cloudtrail(CLIENT, "TaskDefinition not found.")
    target = {"Id": "t", "EcsParameters": {"TaskDefinitionArn": FAMILY}}
    assert explain(seen, target=target).cause == "no-active-revision"
    assert explain(seen, family="nightly", revision="3").cause == "revision-not-found"


@pytest.mark.parametrize(
    ("resource", "row"),
    [
        (FAMILY, "run-task-denied-bare-family-policy"),
        (f"{FAMILY}:8", "run-task-denied-pinned-policy"),
        (f"arn:aws:ecs:eu-west-1:{A}:task-definition/other:*", "run-task-denied-for-the-revision"),
    ],
)
def test_only_the_policy_tells_why_a_revision_is_denied(resource, row):
    seen = cloudtrail(AD, denied("ecs:RunTask", f"{FAMILY}:9"))
    policy = {"Statement": [{"Effect": "Allow", "Action": ["ecs:RunTask"], "Resource": [resource]}]}
    assert explain(seen, policy=policy).cause == row
    told = explain(seen)
    assert told.cause == "run-task-denied-for-the-revision"
    assert any("without a revision" in one for one in told.causes)
    assert any("pinned to another revision" in one for one in told.causes)
    assert "only the policy tells" in told.means


def allowed(action, resource, **condition):
    return {"Effect": "Allow", "Action": action, "Resource": resource} | ({"Condition": condition} if condition else {})


OTHER_CLUSTER = {"ArnEquals": {"ecs:cluster": f"arn:aws:ecs:eu-west-1:{A}:cluster/other"}}
TO_TASKS = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


@pytest.mark.parametrize(
    ("action", "resource", "statement", "row", "words"),
    [
        ("ecs:RunTask", f"{FAMILY}:9", allowed("ecs:*", "*", **OTHER_CLUSTER), "denied-by-condition", "under a condition"),
        ("ecs:RunTask", f"{FAMILY}:9", allowed("ecs:RunTask", f"{FAMILY}:*", **OTHER_CLUSTER), "denied-by-condition", "under a condition"),
        ("ecs:RunTask", f"{FAMILY}:9", allowed("ecs:RunTask", f"{FAMILY}:*"), "run-task-denied-for-the-revision", "it may be mended already"),
        ("ecs:RunTask", f"{FAMILY}:9", allowed("ecs:RunTask", f"{FAMILY}-2"), "run-task-denied-for-the-revision", "do not name it"),
        ("iam:PassRole", TASK_ROLE, allowed("iam:PassRole", "*", **TO_TASKS), "pass-role-denied", "it may be mended already"),
        ("iam:PassRole", TASK_ROLE, allowed("iam:PassRole", "*", StringLike={"iam:PassedToService": ["ecs-tasks.*"]}), "pass-role-denied", "it may be mended already"),
        ("iam:PassRole", TASK_ROLE, allowed("iam:PassRole", TASK_ROLE + "-2", **TO_TASKS), "pass-role-denied", "do not name it"),
        ("ecs:RunTask", f"{FAMILY}:9", {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "run-task-denied-for-the-revision", ""),
        ("ecs:RunTask", f"{FAMILY}:9", {"Effect": "Deny", "Action": "*", "Resource": "*"}, "run-task-denied-for-the-revision", "do not name it"),
    ],
)  # fmt: skip
def test_a_policy_that_allows_it_is_not_blamed_for_a_mistake_that_it_has_not(action, resource, statement, row, words):
    told = explain(cloudtrail(AD, denied(action, resource)), policy={"Statement": [statement]})
    assert told.cause == row
    assert words in told.because
    assert words or "policies" not in told.because


def test_the_policies_are_asked_for_only_where_they_can_tell_something():
    asked = []

    def policies(role):
        asked.append(role)
        return []

    role = f"arn:aws:iam::{A}:role/nightly-events"
    for message in ("TaskDefinition is inactive", denied("kms:Decrypt", "*"), ""):
        explain(
            cloudtrail(AD, message, userIdentity={"sessionContext": {"sessionIssuer": {"arn": role}}}), policy=policies
        )
    assert asked == []
    told = explain(cloudtrail(AD, denied("ecs:RunTask", f"{FAMILY}:9")), policy=policies)
    assert asked == [role]
    assert told.cause == "run-task-denied-for-the-revision"


def test_a_role_that_is_allowed_to_another_service_is_told_apart_by_the_policy():
    seen = cloudtrail(AD, denied("iam:PassRole", TASK_ROLE))
    wrong = {"StringEquals": {"iam:PassedToService": "ecs.amazonaws.com"}}
    policy = [{"Statement": {"Effect": "Allow", "Action": "iam:PassRole", "Resource": TASK_ROLE, "Condition": wrong}}]
    assert explain(seen, policy=policy).cause == "pass-role-to-another-service"
    assert explain(seen, policy={"Statement": []}).cause == "pass-role-denied"
    assert explain(seen, policy="not json").cause == "pass-role-denied"


# -------- ranking


def test_whole_words_come_before_a_code_alone_and_a_special_case_before_the_general_one():
    ranked = [fit.row.id for fit in recognise(dead("NO_PERMISSIONS", denied("iam:PassRole", TASK_ROLE)))]
    assert ranked == ["pass-role-denied", "dlq-no-permissions"]
    ranked = [fit.row.id for fit in recognise(stopped("TaskFailedToStart", NOT_STARTED[0][0]))]
    assert ranked[0] == "ecr-sign-in-denied"
    assert ranked.index("resource-initialization") < ranked.index("task-failed-to-start")
    assert explain(dead("NO_PERMISSIONS", denied("iam:PassRole", TASK_ROLE))).also == ()


def test_a_general_row_is_no_alternative_to_its_special_case():
    assert explain(stopped("TaskFailedToStart", NOT_STARTED[0][0])).also == ()


def test_two_rows_that_fit_are_ranked_by_how_much_of_the_words_they_know():
    row = '[[failure]]\nid="{}"\ntitle="t"\nshows=["CloudTrail"]\nmessages=["{}"]\nmeans="m"\ncauses=["c"]\nremedy="r"\ncheck="c"\nsource="s"\nverified="inferred"\n'
    rows = read_catalogue(
        row.format("little", "The lid…")
        + row.format("more", "The lid is off…")
        + row.format("all", "The lid is off the {}")
    )
    seen = Sighting("CloudTrail", None, "X", "The lid is off the pot.")
    assert [fit.row.id for fit in recognise(seen, rows)] == ["all", "more", "little"]


def test_words_that_are_complete_count_with_another_code_and_that_is_said():
    told = explain(cloudtrail("SomethingException", "TaskDefinition is inactive"))
    assert told.cause == "revision-inactive"
    assert "with another code than InvalidParameterException or ClientException" in told.because


# -------- cut off


@pytest.mark.parametrize(
    ("code", "message", "row"), [one for one in REFUSALS if one[1] and one[2] not in ("run-task-denied",)]
)
def test_a_message_that_is_cut_off_anywhere_is_never_another_cause(code, message, row):
    of = {one.id: one for one in catalogue()}
    for length in range(len(message)):
        found = cause(cloudtrail(code, message[:length]))
        by_code_alone = bool(found) and of[found].code_alone
        assert found in ("", row, *of[row].general) or by_code_alone, message[:length]


@pytest.mark.parametrize(
    ("message", "row"),
    [
        ("Assign public IP is not supported for this lau", "public-ip-needs-fargate"),
        ("Assign public IP is not supported for this lau...", "public-ip-needs-fargate"),
        ("Assign public IP is not supported for this lau…", "public-ip-needs-fargate"),
        ("Assign public IP is not supported for this lau\ufffd", "public-ip-needs-fargate"),
        ("Assign public IP is not\n supported for this lau", "public-ip-needs-fargate"),
        ("Security group sg-0e3f does not appear to belong to the same VP", "security-group-in-another-vpc"),
        ("Error retrieving subnet information for [subnet-0a1b]: The subnet ID 'subnet-0a", "subnet-gone"),
        ("Error retrieving subnet information for [subnet-0a1b]: Rate exc", "subnet-lookup-throttled"),
        ("Override for container named main is not a cont", "override-of-unknown-container"),
        ("TaskDefinition is inact", "revision-inactive"),
        ("Error retrieving subnet information for [subnet-0a1b]: ", ""),
        ("Error retrieving s", ""),
        ("TaskDefinition", ""),
        ("Assign", ""),
        ("", ""),
    ],
)
def test_a_message_that_is_cut_off_counts_if_enough_of_it_is_left(message, row):
    assert cause(cloudtrail(INVALID, message)) == row


def test_a_long_caller_leaves_no_action_in_1_kb_and_that_is_said():
    words = denied("iam:PassRole", TASK_ROLE).replace("nightly-events", "n" * 64).replace("ff0021", "f" * 1200)[:1024]
    assert cause(cloudtrail(AD, words)) == "access-denied"


# -------- unknown stays unknown


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (INVALID, "Something that is new."),
        (INVALID, ""),
        (CLIENT, ""),
        (CLIENT, "Container.image repository is wrong."),
        ("", "Something that is new."),
        ("", "x" * 100_000),
        ("NewException", "TaskDefinition is inactive because the moon is full"),
        (INVALID, "TaskDefinition is inactive because the moon is full"),
        (INVALID, "The TaskDefinition is inactive"),
        (INVALID, "Assign public IP is supported for this launch type."),
        (INVALID, "Security group sg 0e3f does not appear to belong to the same VPC as the input subnets."),
        (
            INVALID,
            "Error retrieving subnet information for [subnet-0a1b]: The subnet ID 'subnet-0a1b' does not exist (ErrorCode: New)",
        ),
        (
            INVALID,
            "Error retrieving subnet information for [subnet-0a1b]: You are not authorized to perform this operation.",
        ),
        (INVALID, "Error retrieving security group information for [sg-0e3f]: Something that is new"),
        (AD, denied("ecs:RunTaskSet", f"{FAMILY}:9")),
        (AD, denied("ecs:TagResources", f"{FAMILY}:9")),
        (AD, denied("kms:Decrypt", "*")),
        (AD, denied("s3:GetObject", "arn:aws:s3:::b/k")),
        ("\x00\x1b[31m", "\ud800"),
    ],
)
def test_what_is_not_in_the_catalogue_is_unknown_and_shown_as_it_is(code, message):
    told = explain(cloudtrail(code, message) if code or message else Sighting("CloudTrail", None, code, message))
    assert (told.known, told.cause, told.causes, told.diff, told.mistake) == (False, "", (), "", "")
    assert (told.seen.code, told.seen.message) == (code, message)
    if message.isprintable() and message:
        assert message[:100] in str(told)


@pytest.mark.parametrize("told_by", ["", "the moon", "CloudTrail Lake"])
def test_a_source_that_is_not_known_is_unknown(told_by):
    assert recognise(Sighting(told_by, None, INVALID, "TaskDefinition is inactive")) == []


def test_rows_of_tasks_are_not_taken_for_refusals():
    assert cause(cloudtrail(CLIENT, "CannotPullContainerError: failed to resolve ref x")) == ""
    assert (
        cause(stopped("", "Assign public IP is not supported for this launch type.", {"name": "m", "exitCode": 1}))
        == ""
    )


# -------- how much work it is


def test_the_work_grows_with_the_number_of_records_and_not_faster(monkeypatch):
    tried = []
    match = Expected.match

    def counted(self, message):
        tried.append(len(message))
        return match(self, message)

    monkeypatch.setattr(Expected, "match", counted)
    each = {}
    for code, message, row in REFUSALS:
        tried.clear()
        assert cause(cloudtrail(code, message)) == row
        each[message] = len(tried)
        for _ in range(3):
            cause(cloudtrail(code, message))
        assert len(tried) == 4 * each[message]
    assert max(each.values()) <= 60
    assert len({id(shelf) for shelf in recognising._shelves().values()}) == len(recognising._shelves())


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "User: ",
        "(",
        " (Service: ",
        "{",
        "failed to resolve ref ",
        "[subnet-1, ",
        ": ",
        "is not authorized to perform: ",
        "’",
    ],
)
def test_long_messages_are_looked_at_up_to_a_bound(piece, monkeypatch):
    longest = []
    match = Expected.match
    monkeypatch.setattr(Expected, "match", lambda self, message: longest.append(len(message)) or match(self, message))
    for head in ("", "User: ", "CannotPullContainerError: ", "Error retrieving subnet information for ["):
        explain(cloudtrail(INVALID, head + piece * (200_000 // len(piece))))
        explain(stopped("TaskFailedToStart", head + piece * (200_000 // len(piece))))
    assert max(longest, default=0) <= 8192


MACHINE = f"arn:aws:states:eu-west-1:{A}:stateMachine:nightly"
SDK = " (Service: AmazonECS; Status Code: 400; Error Code: {}; Request ID: 37158697-a9c5-4ce8-8044-812c988dea0a; Proxy: null)"


def tried(error, words="", **more):
    one = Try(1, error=error, cause=words, **more)
    (seen,) = of_try(
        one, Execution(f"{MACHINE.replace('stateMachine', 'execution')}:e", "e", "FAILED", None, None, (one,))
    )
    return seen


@pytest.mark.parametrize(
    ("error", "words", "row"),
    [
        ("States.Timeout", "", "attempt-timed-out"),
        ("States.HeartbeatTimeout", "", "attempt-heartbeat-missed"),
        ("aborted", "stopped by hand", "execution-aborted"),
        ("AmazonECS.Unknown", "Capacity is unavailable at this time. Please try again later or in a different availability zone", "fargate-capacity"),
        ("ECS.AmazonECSException", "Capacity is unavailable at this time. Please try again later or in a different availability zone", "fargate-capacity"),
        ("ECS.AccessDeniedException", denied("ecs:RunTask", f"{FAMILY}:9") + SDK.format("AccessDeniedException"), "run-task-denied-for-the-revision"),
        ("ECS.AccessDeniedException", denied("iam:PassRole", TASK_ROLE) + SDK.format("AccessDeniedException"), "pass-role-denied"),
        ("ECS.InvalidParameterException", "TaskDefinition is inactive" + SDK.format("InvalidParameterException"), "revision-inactive"),
        ("ECS.ClientException", "TaskDefinition not found." + SDK.format("ClientException"), "definition-not-found"),
        ("ECS.ServerException", "", "server-error"),
        ("ECS.Novel", "Something new.", ""),
        ("ExitCode.1", "it broke", ""),
    ],
)  # fmt: skip
def test_what_an_attempt_of_a_state_machine_failed_of_is_recognised(error, words, row):
    assert cause(tried(error, words)) == row


def test_a_task_that_ended_badly_in_an_attempt_is_recognised_as_ecs_tells_it():
    described = {
        "taskArn": f"arn:aws:ecs:eu-west-1:{A}:task/batch/1", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited", "containers": [{"name": "main", "exitCode": 1}],
    }  # fmt: skip
    assert cause(tried("States.TaskFailed", described=described)) == "exit-1"


def test_an_exit_code_that_a_task_told_by_its_token_is_recognised_as_one():
    assert cause(tried("ExitCode.1", "it broke", exit_code=1)) == "exit-1"


def test_a_start_of_a_state_machine_that_was_refused_is_recognised():
    words = denied("states:StartExecution", MACHINE)
    states = {"eventSource": "states.amazonaws.com", "eventName": "StartExecution"}
    assert cause(cloudtrail(AD, words, **states)) == "start-execution-denied"
    gone = cloudtrail("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{MACHINE}'", **states)
    assert cause(gone) == "state-machine-gone"
    letter = {
        "ERROR_CODE": "AccessDeniedException",
        "ERROR_MESSAGE": words,
        "SCHEDULE_ARN": f"arn:aws:scheduler:eu-west-1:{A}:schedule/default/nightly",
        "TARGET_ARN": "arn:aws:scheduler:::aws-sdk:sfn:startExecution",
    }
    (seen,) = sightings({"MessageAttributes": {name: {"StringValue": text} for name, text in letter.items()}})
    assert cause(seen) == "start-execution-denied"
