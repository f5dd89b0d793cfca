"""What a firing asks RunTask for, from whichever of the four ways it is written down."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_runbook.firing.machines import machine_of
from ecs_runbook.inventory.model import Machine, Network, Request
from ecs_runbook.inventory.request import Only, of_machine, of_target

CLUSTER = "arn:aws:ecs:eu-west-2:111122223333:cluster/batch"
FAMILY = "arn:aws:ecs:eu-west-2:111122223333:task-definition/nightly"
MACHINE = "arn:aws:states:eu-west-2:111122223333:stateMachine:nightly"
TASK_ROLE = "arn:aws:iam::111122223333:role/another"
WHOLE = Request(
    cluster=CLUSTER,
    definition=FAMILY,
    launch_type="FARGATE",
    network=Network(("subnet-1", "subnet-2"), ("sg-1",), public_ip=True),
    overrides=("main", "sidecar"),
    count=2,
    platform_version="1.4.0",
    tags=True,
    managed_tags=True,
    task_role=TASK_ROLE,
)
OVERRIDES = {"taskRoleArn": TASK_ROLE, "containerOverrides": [{"name": "main", "command": ["x"]}, {"name": "sidecar"}]}

RULE = {
    "Id": "task",
    "Arn": CLUSTER,
    "RoleArn": "arn:aws:iam::111122223333:role/events",
    "Input": json.dumps(OVERRIDES),
    "EcsParameters": {
        "TaskDefinitionArn": FAMILY,
        "TaskCount": 2,
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {
            "awsvpcConfiguration": {
                "Subnets": ["subnet-1", "subnet-2"],
                "SecurityGroups": ["sg-1"],
                "AssignPublicIp": "ENABLED",
            }
        },
        "PlatformVersion": "1.4.0",
        "EnableECSManagedTags": True,
        "PropagateTags": "TASK_DEFINITION",
    },
}
# Scheduler's EcsParameters have the rule's names: botocore scheduler EcsParameters.
SCHEDULE = {key: value for key, value in RULE.items() if key != "Id"}
# RunTask's own parameters, in the casing of Scheduler's universal targets.
UNIVERSAL = {
    "Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask",
    "Input": json.dumps(
        {
            "Cluster": CLUSTER,
            "TaskDefinition": FAMILY,
            "Count": 2,
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {
                "AwsvpcConfiguration": {
                    "Subnets": ["subnet-1", "subnet-2"],
                    "SecurityGroups": ["sg-1"],
                    "AssignPublicIp": "ENABLED",
                }
            },
            "PlatformVersion": "1.4.0",
            "EnableECSManagedTags": True,
            "PropagateTags": "TASK_DEFINITION",
            "Overrides": {"TaskRoleArn": TASK_ROLE, "ContainerOverrides": [{"Name": "main"}, {"Name": "sidecar"}]},
        }
    ),
}
CAMEL = UNIVERSAL | {
    "Input": json.dumps(
        {
            "cluster": CLUSTER,
            "taskDefinition": FAMILY,
            "count": 2,
            "launchType": "FARGATE",
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-1", "subnet-2"],
                    "securityGroups": ["sg-1"],
                    "assignPublicIp": "ENABLED",
                }
            },
            "platformVersion": "1.4.0",
            "enableECSManagedTags": True,
            "propagateTags": "TASK_DEFINITION",
            "overrides": OVERRIDES,
        }
    )
}


@pytest.mark.parametrize("target", [RULE, SCHEDULE, UNIVERSAL, CAMEL], ids=["rule", "schedule", "universal", "camel"])
def test_the_same_request_is_read_from_a_rule_a_schedule_and_a_universal_target(target):
    assert of_target(target) == WHOLE


def test_a_state_machine_that_only_runs_a_task_asks_for_the_same():
    parameters = json.loads(UNIVERSAL["Input"])
    assert of_machine(machine(parameters)).request == WHOLE


def changed(**parameters):
    return RULE | {"EcsParameters": RULE["EcsParameters"] | parameters}


@pytest.mark.parametrize(
    ("target", "field", "expected"),
    [
        (changed(TaskDefinitionArn=f"{FAMILY}:7"), "revision", 7),
        (changed(LaunchType=None), "launch_type", ""),
        (changed(NetworkConfiguration=None), "network", None),
        (changed(CapacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}]), "strategy", ("FARGATE_SPOT",)),
        (changed(PropagateTags=None), "tags", False),
        (changed(PropagateTags=None, Tags=[{"Key": "a", "Value": "b"}]), "tags", True),
        (changed(EnableECSManagedTags=False), "managed_tags", False),
        (changed(TaskCount=None), "count", 1),
        (RULE | {"Input": None}, "overrides", ()),
        (RULE | {"Input": None}, "input_fault", ""),
        (RULE | {"Input": "{"}, "input_fault", "its input is not JSON"),
        (RULE | {"Input": "[1]"}, "input_fault", "its input is JSON, but not an object"),
        (RULE | {"Input": "{}"}, "input_fault", ""),
        (UNIVERSAL | {"Input": "{"}, "input_fault", "its input is not JSON"),
        (UNIVERSAL | {"Input": '{"TaskDefinition": "nightly:3"}'}, "cluster", "default"),
    ],
)
def test_what_is_left_out_or_wrong_is_read_as_it_is(target, field, expected):
    value = getattr(of_target(target), field)
    assert value.startswith(expected) if field == "input_fault" and expected else value == expected


@pytest.mark.parametrize(
    "template",
    [
        '{"containerOverrides": [{"name": "main", "environment": [{"name": "AT", "value": "<time>"}]}]}',
        '{"containerOverrides": [{"name": "main", "environment": [{"name": "AT", "value": <time>}]}]}',
    ],
)
def test_the_containers_of_an_input_transformer_are_known_whatever_the_event_brings(template):
    target = {key: value for key, value in RULE.items() if key != "Input"}
    request = of_target(target | {"InputTransformer": {"InputPathsMap": {"time": "$.time"}, "InputTemplate": template}})
    assert (request.overrides, request.input_fault) == (("main",), "")


def test_an_input_transformer_that_is_no_json_by_itself_is_no_fault():
    request = of_target(RULE | {"Input": None, "InputTransformer": {"InputTemplate": "<all>"}})
    assert (request.overrides, request.input_fault) == ((), "")


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:eu-west-2:111122223333:function:nightly",
        "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
        MACHINE,
        "",
    ],
)
def test_what_runs_no_task_is_no_request(arn):
    assert of_target({"Id": "task", "Arn": arn}) is None


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"Arn": MACHINE}, MACHINE),
        (
            {"Arn": "arn:aws:scheduler:::aws-sdk:sfn:startExecution", "Input": f'{{"StateMachineArn":"{MACHINE}"}}'},
            MACHINE,
        ),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:sfn:startExecution", "Input": "{"}, ""),
        ({"Arn": CLUSTER}, ""),
        ({}, ""),
    ],
)
def test_the_state_machine_that_a_target_starts(target, expected):
    assert machine_of(target) == expected


def machine(parameters, *, resource="arn:aws:states:::ecs:runTask.sync", key="Parameters", **states):
    run = {"Type": "Task", "Resource": resource, key: parameters, "End": True}
    return json.dumps({"StartAt": "Run", "States": {"Run": run, **states}})


PLAIN = {"Cluster": "batch", "TaskDefinition": "nightly"}


@pytest.mark.parametrize(
    "definition",
    [
        machine(PLAIN),
        machine(PLAIN, resource="arn:aws:states:::ecs:runTask"),
        machine(PLAIN, resource="arn:aws:states:::ecs:runTask.waitForTaskToken"),
        machine(PLAIN, resource="arn:aws:states:::aws-sdk:ecs:runTask"),
        machine(PLAIN, resource="arn:aws-cn:states:::ecs:runTask.sync"),
        machine(PLAIN, key="Arguments"),
        machine(PLAIN, Wait={"Type": "Wait", "Seconds": 5}, Done={"Type": "Succeed"}, Failed={"Type": "Fail"}),
        machine({"Cluster": "batch", "TaskDefinition.$": "$.what.family"}),
        machine(PLAIN, Which={"Type": "Choice", "Choices": [], "Default": "Run"}),
    ],
)
def test_machines_that_do_nothing_but_run_a_task(definition):
    only = of_machine(definition, '{"what": {"family": "nightly"}}')
    assert (only.request.cluster, only.request.family, only.unknown) == ("batch", "nightly", "")


@pytest.mark.parametrize(
    "definition",
    [
        machine(PLAIN, resource="arn:aws:states:::lambda:invoke"),
        machine(PLAIN, More={"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}),
        machine(PLAIN, More={"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:deleteCluster"}),
        machine(PLAIN, More={"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": {}}),
        machine(PLAIN, More={"Type": "Map"}),
        machine(PLAIN, More={"Type": "Parallel"}),
        machine(PLAIN, resource="arn:aws:states:::ecs:runTaskOfMine"),
        "{}",
        "not JSON",
        "[]",
        '{"States": []}',
    ],
)
def test_machines_that_do_something_else_are_none_of_ours(definition):
    assert of_machine(definition) == Only(None)


@pytest.mark.parametrize(
    ("parameters", "given", "unknown"),
    [
        ({"Cluster": "batch", "TaskDefinition.$": "$.family"}, None, "TaskDefinition"),
        ({"Cluster": "batch", "TaskDefinition.$": "$.family"}, '{"other": 1}', "TaskDefinition"),
        ({"Cluster": "batch", "TaskDefinition.$": "$$.Execution.Name"}, '{"family": 1}', "TaskDefinition"),
        ({"Cluster.$": "$.c", "TaskDefinition.$": "$.f"}, None, "Cluster and TaskDefinition"),
        ({"Cluster": "{% $states.input.c %}", "TaskDefinition": "f"}, None, "Cluster"),
        (
            PLAIN | {"NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets.$": "$.subnets"}}},
            None,
            "NetworkConfiguration",
        ),
    ],
)
def test_what_is_made_when_the_machine_runs_is_told_and_not_guessed(parameters, given, unknown):
    assert of_machine(machine(parameters), given) == Only(None, unknown)


TOPIC = "arn:aws:sns:eu-west-2:111122223333:lost"
SDK = "arn:aws:states:::aws-sdk:ecs:"
SYNC = "arn:aws:states:::ecs:runTask.sync"


def task(resource, parameters=None, **more):
    return {"Type": "Task", "Resource": resource, "Parameters": parameters or {}, **more}


def states(first="Run", **known):
    return json.dumps({"StartAt": first, "States": known})


RETRIED = states(
    "Running?",
    **{
        "Running?": task(f"{SDK}listTasks", {"Cluster": "batch", "Family": "nightly"}, Next="Skip?"),
        "Skip?": {"Type": "Choice", "Choices": [{"Variable": "$.TaskArns[0]", "IsPresent": True, "Next": "Skipped"}]}
        | {"Default": "Run"},
        "Skipped": {"Type": "Succeed"},
        "Run": task(
            SYNC, PLAIN, End=True, Retry=[{"ErrorEquals": ["ECS.X"]}], Catch=[{"ErrorEquals": ["A"], "Next": "Code"}]
        ),
        "Code": {"Type": "Pass", "Next": "Which"},
        "Which": {"Type": "Choice", "Choices": [{"Variable": "$.code", "NumericEquals": 3, "Next": "Later"}]}
        | {"Default": "Tell"},
        "Later": {"Type": "Wait", "Seconds": 30, "Next": "Run"},
        "Tell": task("arn:aws:states:::sns:publish", {"TopicArn": TOPIC, "Message.$": "$.cause"}, Next="Lost"),
        "Lost": {"Type": "Fail"},
    },
)


def test_a_machine_that_runs_its_task_again_is_known_with_all_that_it_does_besides():
    only = of_machine(RETRIED)
    assert (only.request.cluster, only.request.family) == ("batch", "nightly")
    acts = (("ecs:ListTasks", ""), ("sns:Publish", TOPIC))
    assert only.machine == Machine(waits=True, watches=True, varies=True, skips=True, acts=acts)
    assert only.machine.tells


def run(**more):
    return task(SYNC, PLAIN, **({"End": True} | more))


CHOOSES = {"Type": "Choice", "Choices": [{"Next": "Run"}], "Default": "Done"}


@pytest.mark.parametrize(
    ("definition", "varies"),
    [
        (states(Run=run()), False),
        (states(Run=run(Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}])), False),
        (states(Run=run(Next="Done", End=False), Done={"Type": "Succeed"}), False),
        (states(Run=run(Retry=[{"ErrorEquals": ["States.ALL"]}])), True),
        (states(Run=run(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Later"}]), Later={"Next": "Run"}), True),
        (states("Which", Which=CHOOSES, Run=run(), Done={"Type": "Succeed"}), True),
        (states(Run=run(Next="Again"), Again=run()), True),
    ],
)
def test_a_machine_varies_that_may_run_its_task_more_than_once_or_not_at_all(definition, varies):
    known = json.loads(definition)
    for one in known["States"].values():
        one.setdefault("Type", "Wait")
    machine = of_machine(json.dumps(known)).machine
    assert (machine.watches, machine.varies, machine.tells) == (True, varies, varies)


def test_a_machine_that_looks_for_its_task_afterwards_skips_nothing():
    look = task(f"{SDK}listTasks", {"Cluster": "batch", "Family": "nightly"}, End=True)
    late = run(Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Look"}])
    machine = of_machine(states(Run=late, Look=look)).machine
    assert (machine.skips, machine.acts) == (False, (("ecs:ListTasks", ""),))


def test_a_machine_whose_task_tells_its_end_by_a_token_waits_for_it_and_does_not_watch_it():
    resource = "arn:aws:states:::ecs:runTask.waitForTaskToken"
    machine = of_machine(states(Run=run(Resource=resource, Retry=[{}]))).machine
    assert (machine.waits, machine.watches, machine.tells) == (True, False, True)


def test_a_machine_that_does_not_wait_for_its_task_tells_nothing_of_its_end():
    machine = of_machine(states(Run=run(Resource="arn:aws:states:::ecs:runTask", Retry=[{}]))).machine
    assert (machine.watches, machine.varies, machine.tells) == (False, True, False)


@pytest.mark.parametrize(
    ("parameters", "given", "topic"),
    [
        ({"TopicArn.$": "$.topic"}, json.dumps({"topic": TOPIC}), TOPIC),
        ({"TopicArn.$": "$.topic"}, None, ""),
        ({"TargetArn": TOPIC}, None, TOPIC),
    ],
)
def test_the_topic_is_the_one_that_an_execution_would_tell(parameters, given, topic):
    only = of_machine(states(Run=run(), Tell=task("arn:aws:states:::aws-sdk:sns:publish", parameters)), given)
    assert only.machine.acts == (("sns:Publish", topic),)


def handing(value):
    return [{"name": "main", "environment": [{"name": "ECS_RUNBOOK_RUN", **value}]}]


TOKEN_OF_A_SCHEDULE = {"value": "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>"}
TEMPLATE = json.dumps({"containerOverrides": handing({"value": "<schedule> <time>"})})
OVERRIDING = PLAIN | {"Overrides": {"ContainerOverrides": handing({"Value.$": "$.run"})}}


@pytest.mark.parametrize(
    "request_",
    [
        of_target(RULE | {"Input": json.dumps({"containerOverrides": handing(TOKEN_OF_A_SCHEDULE)})}),
        of_target(
            {key: value for key, value in RULE.items() if key != "Input"}
            | {"InputTransformer": {"InputTemplate": TEMPLATE}}
        ),
        of_machine(machine(OVERRIDING)).request,
    ],
    ids=["schedule", "rule", "machine"],
)
def test_a_container_that_is_handed_its_run_is_known(request_):
    assert request_.token
    assert not WHOLE.token


def test_overrides_that_are_made_when_the_machine_runs_hide_nothing_else():
    parameters = PLAIN | {"Overrides": {"ContainerOverrides": [{"Name": "main", "Command.$": "$.command"}]}}
    assert of_machine(machine(parameters)).request.overrides == ("main",)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["Arn", "Input", "EcsParameters", "InputTransformer"]), ANYTHING), ANYTHING)
def test_no_target_and_no_machine_breaks_the_reading(target, states):
    of_target(target)
    machine_of(target)
    of_machine(json.dumps({"States": states}), target.get("Input"))


@given(ANYTHING)
def test_no_parameters_break_the_reading(parameters):
    of_target({"Arn": CLUSTER, "EcsParameters": parameters})
    of_target({"Arn": UNIVERSAL["Arn"], "Input": json.dumps(parameters)})
    of_machine(machine(parameters))
