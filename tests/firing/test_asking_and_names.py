"""What stands in names, ARNs and tasks, and how AWS is asked."""

# ruff: noqa: N803, ARG002 - the fakes take what AWS's API takes, by its names

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.errors import AwsError
from ecs_runbook.firing.asking import Asking
from ecs_runbook.firing.names import definition, definitions_in, drill_name, is_drill_of, short, started_by
from ecs_runbook.firing.tasks import describe, exit_code, list_tasks, read_task


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a" * 24, "events-rule/" + "a" * 24),
        ("a" * 25, "events-rule/" + "a" * 24),
        ("everyday2am", "events-rule/everyday2am"),
    ],
)
def test_started_by_keeps_24_characters_of_a_rule(name, expected):
    assert started_by(name) == expected


@given(st.text(min_size=1, max_size=64), st.text(alphabet="0123456789abcdef", min_size=8, max_size=8))
def test_every_drill_is_recognised_as_one_of_its_rule_and_of_no_other(rule, random):
    name = drill_name(rule, random)
    assert len(name) == 23
    assert is_drill_of(started_by(name), rule)
    assert not is_drill_of(started_by(name), rule + "x")


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws-cn:ecs:cn-north-1:111122223333:task-definition/nightly:12", ("nightly", 12)),
        ("arn:aws:ecs:eu-west-1:111122223333:task-definition/nightly", ("nightly", None)),
        ("nightly:3", ("nightly", 3)),
        ("nightly:*", ("nightly", None)),
        ("", ("", None)),
    ],
)
def test_a_definition_is_taken_apart(arn, expected):
    assert tuple(definition(arn)) == expected


@given(st.text())
def test_no_text_breaks_the_reading_of_arns(text):
    definition(text)
    definitions_in(text)
    short(text)


def test_the_denial_of_old_names_the_family_alone():
    words = (
        "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: ecs:RunTask on resource: "
        "arn:aws:ecs:eu-west-2:111122223333:task-definition/airflow-hybrid-ecs-task because no identity-based policy"
    )
    assert definitions_in(words) == [("airflow-hybrid-ecs-task", None)]


CODES = [
    ("one good container", [("main", 0)], None, 0),
    ("one bad container", [("main", 1)], None, 1),
    ("never ran", [("main", None)], None, None),
    ("a sidecar killed at the end does not count", [("main", 0), ("sidecar", 137)], ["main"], 0),
    ("the worst of several essential ones", [("a", 1), ("b", 137)], ["a", "b"], 137),
    ("a bad one outweighs one that never ran", [("a", 1), ("b", None)], ["a", "b"], 1),
    ("one that never ran is not good", [("a", 0), ("b", None)], ["a", "b"], None),
    ("unknown which is essential, and they differ", [("a", 0), ("b", 137)], None, None),
    ("unknown which is essential, but they agree", [("a", 0), ("b", 0)], None, 0),
    ("no containers", [], None, None),
]


@pytest.mark.parametrize(
    ("containers", "essential", "expected"), [case[1:] for case in CODES], ids=[case[0] for case in CODES]
)
def test_the_exit_code_of_a_task(containers, essential, expected):
    told = [{"name": name} | ({} if code is None else {"exitCode": code}) for name, code in containers]
    assert exit_code({"containers": told}, essential) == expected


def test_a_running_task_has_neither_exit_code_nor_error():
    task = read_task({"taskArn": "t", "lastStatus": "RUNNING", "containers": [{"name": "main"}]})
    assert (task.exit_code, task.error) == (None, "")


def test_a_task_that_never_started_says_why():
    words = "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref x"
    told = {
        "lastStatus": "STOPPED",
        "stopCode": "TaskFailedToStart",
        "stoppedReason": words,
        "containers": [{"name": "main", "reason": words}],
    }
    assert read_task(told).error == f"TaskFailedToStart: {words}"


def test_a_capacity_provider_is_told_rather_than_its_launch_type():
    assert read_task({"launchType": "FARGATE", "capacityProviderName": "FARGATE_SPOT"}).launch_type == "FARGATE_SPOT"


class Ecs:
    def __init__(self, count, *, containers=1, refuse=False):
        self.arns, self.containers, self.refuse = [f"arn/{number}" for number in range(count)], containers, refuse
        self.described = []

    def list_tasks(self, *, cluster, desiredStatus, family, nextToken=""):
        start = int(nextToken or 0)
        if desiredStatus == "RUNNING":
            return {"taskArns": self.arns[:1]}
        more = {"nextToken": str(start + 100)} if start + 100 < len(self.arns) else {}
        return {"taskArns": self.arns[start : start + 100], **more}

    def describe_tasks(self, *, cluster, tasks):
        self.described.append(len(tasks))
        codes = [0, 137][: self.containers]
        return {
            "tasks": [
                {
                    "taskArn": arn,
                    "taskDefinitionArn": "d:1",
                    "lastStatus": "STOPPED",
                    "containers": [{"name": f"c{place}", "exitCode": code} for place, code in enumerate(codes)],
                }
                for arn in tasks
            ]
        }

    def describe_task_definition(self, *, taskDefinition):
        if self.refuse:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeTaskDefinition")
        return {"taskDefinition": {"containerDefinitions": [{"name": "c0"}, {"name": "c1", "essential": False}]}}


def test_running_and_stopped_tasks_are_listed_each_once_over_all_pages():
    ask = Asking()
    assert len(list(list_tasks(cluster="batch", ecs=Ecs(250), ask=ask, family="nightly"))) == 250
    assert ask.counts["ecs:ListTasks"] == 4


def test_tasks_are_described_a_hundred_a_call():
    ecs = Ecs(250)
    assert len(describe(ecs.arns, cluster="batch", ecs=ecs, ask=Asking())) == 250
    assert ecs.described == [100, 100, 50]


def test_of_several_containers_the_definition_says_once_which_are_essential():
    ecs, ask = Ecs(3, containers=2), Asking()
    assert [task.exit_code for task in describe(ecs.arns, cluster="batch", ecs=ecs, ask=ask)] == [0, 0, 0]
    assert ask.counts["ecs:DescribeTaskDefinition"] == 1


def test_if_the_definition_may_not_be_read_the_exit_code_is_not_known():
    ecs = Ecs(1, containers=2, refuse=True)
    assert [task.exit_code for task in describe(ecs.arns, cluster="batch", ecs=ecs, ask=Asking())] == [None]


def test_a_refused_call_counts_and_is_told_in_awss_words():
    def refuse(**_):
        raise ClientError({"Error": {"Code": "ClusterNotFoundException", "Message": "Cluster not found."}}, "ListTasks")

    ask = Asking()
    with pytest.raises(AwsError) as refused:
        ask("ecs:ListTasks", refuse)
    assert str(refused.value) == "ecs:ListTasks was refused: ClusterNotFoundException: Cluster not found."
    assert ask.calls == 1


def test_an_endpoint_that_does_not_answer_is_an_error_with_a_remedy():
    def fall_silent(**_):
        raise EndpointConnectionError(endpoint_url="https://ecs.eu-west-1.amazonaws.com")

    with pytest.raises(AwsError) as refused:
        Asking()("ecs:ListTasks", fall_silent)
    assert refused.value.code == "EndpointConnectionError"
    assert refused.value.hint == "Look at the connection and the credentials of this session."
