"""What a mend changes and what it leaves alone, and how a plan is read: without AWS."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from things_to_adopt import CLUSTER, LATEST, NEW_QUEUE, PINNED, arn, policy, target

from ecs_runbook.adopt.adopt import AdoptedFiles, adopt_in_terraform
from ecs_runbook.adopt.around import Around
from ecs_runbook.adopt.existing import Existing, LeftOut
from ecs_runbook.adopt.kept import Kept
from ecs_runbook.adopt.machines import StateMachine, mended_machines
from ecs_runbook.adopt.mends import chosen, mended
from ecs_runbook.adopt.named import Along
from ecs_runbook.adopt.planned import read_plan
from ecs_runbook.adopt.policies import Policies, Policy, mended_policies
from ecs_runbook.adopt.queues import LetterQueue
from ecs_runbook.adopt.rewriters import Who
from ecs_runbook.adopt.verdict import judge_adoption
from ecs_runbook.errors import SpecError
from ecs_runbook.inventory.model import Cluster

PLACE = {"account": "123456789012", "region": "us-east-1"}


def rule(*targets, name="nightly", **more):
    told = {
        "Name": name,
        "Arn": arn("events", f"rule/{name}"),
        "ScheduleExpression": "cron(0 2 * * ? *)",
        "State": "ENABLED",
    }
    return Existing("rule", "default", told | more, targets or (target(),))


def schedule(**more):
    its = {key: value for key, value in target().items() if key != "Id"}
    told = {"Name": "nightly", "Arn": arn("scheduler", "schedule/default/nightly"), "ScheduleExpression": "rate(1 day)"}
    told |= {"State": "ENABLED", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": its}
    return Existing("schedule", "default", told | more, (its,))


@pytest.mark.parametrize(
    ("mend", "queue", "words"),
    [
        (["unpin"], "", "mend = 'unpin': write some of pinned-revision, policy, launch-type, dead-letter-queue"),
        (["dead-letter-queue"], "", "dead_letter_queue = '': name the queue, by its ARN"),
        (["dead-letter-queue"], "arn:aws:sqs:us-east-1:123456789012:dead.fifo", "write the ARN of a standard queue"),
        ([], NEW_QUEUE, "choose dead-letter-queue too, or leave it empty"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_its_mend(mend, queue, words):
    with pytest.raises(SpecError) as refused:
        chosen(mend, dead_letter_queue=queue)
    assert words in str(refused.value)


def test_no_mend_changes_nothing():
    thing = rule()
    assert mended(thing, chosen([]), {}) == (thing, [], [])


def test_un_pinning_changes_the_revision_alone_and_not_what_was_told():
    thing = rule()
    new, (difference,), left = mended(thing, chosen(["pinned-revision"]), {})
    assert (difference.of, difference.attribute, difference.before, difference.after) == (
        "nightly#job",
        "task_definition_arn",
        PINNED,
        LATEST,
    )
    assert left == []
    assert thing.targets[0]["EcsParameters"]["TaskDefinitionArn"] == PINNED
    ours = {**thing.targets[0]["EcsParameters"], "TaskDefinitionArn": LATEST}
    assert new.targets == (thing.targets[0] | {"EcsParameters": ours},)


@pytest.mark.parametrize(
    ("mend", "unpinned"),
    [
        ("pinned-revision", ["nightly#a", "nightly#b", "hourly#a"]),
        ("pinned-revision of nightly", ["nightly#a", "nightly#b"]),
        ("pinned-revision of nightly#b", ["nightly#b"]),
    ],
)
def test_a_mend_may_be_of_one_rule_or_one_target_alone(mend, unpinned):
    things = [rule(target(Id="a"), target(Id="b")), rule(target(Id="a"), name="hourly")]
    adoption = adopt_in_terraform(things, Around(), mend=[mend], **PLACE)
    assert [one.of for one in adoption.differences] == unpinned


# ---------------------------------------------------------------- launch type: where the finding is, and nowhere else


def launched(cluster, **ecs):
    public = ecs.pop("public", "ENABLED")
    network = {"NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": public}}}
    thing = rule(target({"TaskDefinitionArn": LATEST, **network, **ecs}))
    _, changes, left = mended(thing, chosen(["launch-type"]), {CLUSTER: cluster} if cluster else {})
    return [(one.before, one.after) for one in changes], [one.because for one in left]


EMPTY, FULL = Cluster(CLUSTER, "ACTIVE", (), (), 0), Cluster(CLUSTER, "ACTIVE", (), (), 3)
BY_DEFAULT = Cluster(CLUSTER, "ACTIVE", ("FARGATE_SPOT",), ("FARGATE_SPOT",), 0)


@pytest.mark.parametrize(
    ("cluster", "ecs"),
    [
        (EMPTY, {"LaunchType": "FARGATE"}),
        (BY_DEFAULT, {}),  # its default strategy is Fargate: nothing is wrong with it
        (EMPTY, {"CapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}),
        (FULL, {"public": "DISABLED"}),
        (FULL, {"public": "DISABLED", "LaunchType": "EC2"}),
    ],
)
def test_a_target_that_would_run_gets_no_launch_type_and_no_word(cluster, ecs):
    assert launched(cluster, **ecs) == ([], [])


@pytest.mark.parametrize(
    ("cluster", "ecs", "before"),
    [(FULL, {}, None), (FULL, {"LaunchType": "EC2"}, "EC2"), (EMPTY, {"public": "DISABLED"}, None)],
)
def test_a_target_that_ec2_cannot_run_gets_fargate(cluster, ecs, before):
    assert launched(cluster, **ecs) == ([(before, "FARGATE")], [])


@pytest.mark.parametrize(
    ("cluster", "ecs", "words"),
    [
        (None, {}, "whether it would run on Fargate is not known: ecs:DescribeClusters"),
        (EMPTY, {"LaunchType": "EC2", "public": "DISABLED"}, "perhaps it is meant so"),
        (EMPTY, {"CapacityProviderStrategy": [{"capacityProvider": "mine"}]}, "its capacity providers decide"),
        (EMPTY, {"PlacementConstraints": [{"type": "distinctInstance"}]}, "placed on container instances"),
    ],
)
def test_a_launch_type_that_finds_no_place_is_said(cluster, ecs, words):
    changes, (because,) = launched(cluster, **ecs)
    assert changes == []
    assert words in because


# ---------------------------------------------------------------- the state machine in between

MACHINE = arn("states", "stateMachine:nightly")
DEFINITION = """{
  "StartAt": "Run",  "States": {
    "Run": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Next": "Again",
            "Parameters": {"Cluster": "default",  "TaskDefinition" : "%s", "LaunchType": "FARGATE"}},
    "Again": {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "End": true,
            "Parameters": {"Cluster": "default", "TaskDefinition": "%s", "LaunchType": "FARGATE"}}
  }
}
"""


def through(named, of=MACHINE):
    told = {"name": "nightly", "stateMachineArn": MACHINE, "roleArn": arn("iam", "role/states")}
    machine = StateMachine(told | {"definition": DEFINITION % (named, named), "type": "STANDARD"})
    its = {"Arn": of, "RoleArn": arn("iam", "role/schedules")}
    return Existing("schedule", "default", schedule().told | {"Target": its}, (its,)), {of: machine}


@pytest.mark.parametrize("named", [PINNED, "job:12"])
def test_a_state_machine_in_between_is_un_pinned_in_its_text_alone(named):
    thing, machines = through(named)
    changed, (difference,), left = mended_machines([thing], machines, chosen(["pinned-revision"]))
    bare = named.rpartition(":")[0]
    assert changed[MACHINE].text == DEFINITION % (bare, bare)
    assert (difference.of, difference.attribute, left) == ("state machine nightly", "definition", [])


def test_a_state_machine_that_names_no_revision_is_left_alone():
    thing, machines = through(LATEST)
    assert mended_machines([thing], machines, chosen(["pinned-revision"])) == ({}, [], [])


def test_a_version_of_a_state_machine_cannot_be_un_pinned_and_that_is_said():
    thing, machines = through(PINNED, of=f"{MACHINE}:3")
    _, changes, (left,) = mended_machines([thing], machines, chosen(["pinned-revision"]))
    assert (changes, left.because) == (
        [],
        "it starts 3 of the state machine nightly, and what a version says never changes",
    )


def test_a_version_of_a_state_machine_is_not_taken_along_as_the_machine_and_that_is_said():
    thing, machines = through(LATEST, of=f"{MACHINE}:3")
    adoption = of(thing, around=Around(machines, along=Along()))
    assert "aws_sfn_state_machine" not in adoption.text
    assert f'"{MACHINE}:3"' in adoption.text
    (word,) = [one for one in adoption.told if "nightly:3" in one]
    assert word.startswith("nightly:3 is a version or an alias of a state machine: the target keeps its ARN")


def test_the_role_of_a_state_machine_that_is_un_pinned_may_run_every_revision():
    thing, machines = through(PINNED)
    policies = Policies((Policy("states", "run", policy(PINNED)),))
    around = Around(machines, policies)
    adoption = of(thing, "pinned-revision", "policy", around=around)
    assert [(one.mend, one.of) for one in adoption.differences] == [
        ("pinned-revision", "state machine nightly"),
        ("policy", "states/run"),
    ]
    assert f'TaskDefinition\\" : \\"{LATEST}\\"' in adoption.text
    assert f'"{LATEST}:*"' in adoption.text


# ---------------------------------------------------------------- policies


def policies_after(resource, named=LATEST, **told):
    one = Policy("rules", "run", policy(resource), **told)
    thing = rule(target({"TaskDefinitionArn": named}))
    new, _, left = mended_policies([thing], {}, Policies((one,)), chosen(["policy"]))
    return [each.document["Statement"][0]["Resource"] for each in new], [str(each) for each in left]


@pytest.mark.parametrize("resource", [PINNED, LATEST, arn("ecs", "task-definition/job:99")])
def test_a_policy_that_names_the_family_narrowly_is_widened_to_its_revisions(resource):
    assert policies_after(resource) == ([f"{LATEST}:*"], [])


@pytest.mark.parametrize("resource", ["*", f"{LATEST}:*", arn("ecs", "task-definition/*"), [LATEST, f"{LATEST}:*"]])
def test_a_policy_that_is_wide_enough_is_left_alone(resource):
    assert policies_after(resource) == ([], [])


def only_if(condition, effect="Allow"):
    return {"Effect": effect, "Action": "ecs:RunTask", "Resource": "*"} | (
        {"Condition": condition} if condition else {}
    )


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        ([only_if({"ArnEquals": {"ecs:cluster": CLUSTER}})], ""),
        ([only_if({"ArnLike": {"ecs:cluster": [arn("ecs", "cluster/other"), arn("ecs", "cluster/*")]}})], ""),
        ([only_if({"ArnEquals": {"ecs:cluster": arn("ecs", "cluster/other")}})], "only under conditions"),
        ([only_if({"StringEquals": {"aws:RequestTag/team": "a"}})], "only under conditions"),
        ([only_if({"ArnNotEquals": {"ecs:cluster": CLUSTER}})], "only under conditions"),
        ([only_if({}), only_if({"StringEquals": {"aws:RequestTag/team": "a"}})], ""),
        ([only_if({}), only_if({}, "Deny")], "a statement denies it to run job"),
    ],
)
def test_a_policy_that_may_refuse_all_the_same_is_said_and_is_not_good(statements, why):
    policies = Policies((Policy("rules", "run", {"Statement": statements}),))
    new, changes, left = mended_policies([rule()], {}, policies, chosen(["policy"]))
    assert (new, changes) == ([], [])
    assert [why in one.because for one in left] == ([True] if why else [])


@pytest.mark.parametrize(
    ("cluster", "condition", "doubted"),
    [
        ("batch", {"ArnEquals": {"ecs:cluster": arn("ecs", "cluster/batch")}}, False),
        (arn("ecs", "cluster/batch"), {"ArnLike": {"ecs:cluster": arn("ecs", "cluster/b*")}}, False),
        ("batch", {"ArnEquals": {"ecs:cluster": arn("ecs", "cluster/default")}}, True),
    ],
)
def test_a_condition_on_the_cluster_of_a_state_machine_is_decided(cluster, condition, doubted):
    thing, machines = through(LATEST)
    text = machines[MACHINE].text.replace('"Cluster": "default"', f'"Cluster": "{cluster}"')
    machines = {MACHINE: replace(machines[MACHINE], told=machines[MACHINE].told | {"definition": text})}
    policies = Policies((Policy("states", "run", {"Statement": [only_if(condition)]}),))
    _, changes, left = mended_policies([thing], machines, policies, chosen(["policy"]))
    assert changes == []
    assert ["only under conditions" in one.because for one in left] == ([True] if doubted else [])


OTHER = arn("ecs", "task-definition/other")
NEAR = {"Effect": "Allow", "Action": "ecs:RunTask"}


@pytest.mark.parametrize(
    ("statements", "because"),
    [
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], ""),
        ([NEAR | {"NotResource": f"{OTHER}:*"}], ""),
        ([NEAR | {"NotResource": f"{LATEST}:*"}], "run allows all but what its NotResource names, job:1 among it"),
        ([{"Effect": "Allow", "NotAction": "ecs:Run*", "Resource": "*"}], "no policy of it names job"),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": LATEST}], "run names job:1 where it allows all but"),
        ([only_if({}), {"Effect": "Deny", "NotAction": "ecs:*", "Resource": "*"}], ""),
        ([only_if({}), {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}], "a statement denies it to run job"),
        ([only_if({}), NEAR | {"Effect": "Deny", "NotResource": f"{LATEST}:*"}], ""),
        ([only_if({}), NEAR | {"Effect": "Deny", "NotResource": f"{OTHER}:*"}], "a statement denies it to run job"),
    ],
)
def test_what_a_policy_says_by_all_but_is_understood(statements, because):
    policies = Policies((Policy("rules", "run", {"Statement": statements}),))
    new, changes, left = mended_policies([rule()], {}, policies, chosen(["policy"]))
    assert (new, changes) == ([], [])
    assert [because in one.because for one in left] == ([True] if because else [])


@pytest.mark.parametrize("account", ["123456789012", "210987654321"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_family_of_the_same_name_elsewhere_is_not_widened(account, region):
    named = f"arn:aws:ecs:{region}:{account}:task-definition/job:1"
    new, left = policies_after([named, OTHER])
    if (account, region) == ("123456789012", "us-east-1"):
        assert (new, left) == ([[f"{LATEST}:*", OTHER]], [])
    else:
        assert new == []
        words = "run names job of another account or Region, and none names that of 123456789012 in us-east-1"
        assert left == [f"policy of rules: {words}: widen it by hand if both are meant"]


def test_a_family_that_is_named_for_every_region_is_widened_as_it_is_named():
    everywhere = "arn:aws:ecs:*:123456789012:task-definition/job"
    assert policies_after(everywhere) == ([f"{everywhere}:*"], [])


def test_a_target_that_stays_pinned_to_what_its_policy_names_has_nothing_to_mend():
    assert policies_after(PINNED, named=PINNED) == ([], [])


def test_a_policy_of_another_family_is_left_alone_and_that_nothing_names_this_one_is_said():
    new, left = policies_after(arn("ecs", "task-definition/job-2:1"))
    assert (new, left) == ([], ["policy of rules: no policy of it names job, so there is none to widen"])


SHARED = {"Arn": arn("iam", "policy/shared"), "PolicyName": "run"}


def test_an_attached_policy_is_widened_where_it_is_and_who_else_gets_that_is_said():
    one = Policy("rules", "run", policy(LATEST), SHARED, ("role rules", "role reports", "user ann"))
    thing = rule(target({"TaskDefinitionArn": LATEST}))
    adoption = of(thing, "policy", around=Around(policies=Policies((one,))))
    assert [(one.of, one.attribute) for one in adoption.differences] == [("policy run", "policy")]
    assert adoption.told == ("run is attached to role reports, user ann too, which gets the same",)
    assert {"aws_iam_policy.run", "aws_iam_role_policy_attachment.rules_run"} <= set(
        adoption.written.addresses.values()
    )
    plan = planned(adoption, **{"aws_iam_policy.run": update("policy", policy(LATEST), policy(f"{LATEST}:*"))})
    status, because = verdict(adoption, plan)
    assert status == "OK"
    assert "role reports, user ann" in because


def test_a_policy_of_awss_own_is_not_changed_and_why_not_is_said():
    told = {"Arn": "arn:aws:iam::aws:policy/Narrow", "PolicyName": "Narrow"}
    new, (left,) = policies_after(LATEST, told=told)
    assert new == []
    assert left == "policy of rules: run names job, and AWS manages it: give the role a policy of its own"


def test_a_role_with_awss_wide_policy_needs_nothing():
    assert policies_after("*", told={"Arn": "arn:aws:iam::aws:policy/service-role/Events"}) == ([], [])


# ---------------------------------------------------------------- the queue

URL = "http://sqs/123456789012/new-dead"
LETS = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": NEW_QUEUE,
}


def given_queue(queue, *things, policies=()):
    around = Around(queue=queue, policies=Policies(tuple(policies)))
    queue = {"dead_letter_queue": NEW_QUEUE}
    adoption = adopt_in_terraform(things or [rule()], around, mend=["dead-letter-queue"], **PLACE, **queue)
    return adoption, [one for one in adoption.differences if one.attribute == "policy"]


@pytest.mark.parametrize("before", [{}, {"Version": "2012-10-17", "Statement": [{"Sid": "mine", "Effect": "Deny"}]}])
def test_the_queue_lets_eventbridge_write_for_this_rule_and_keeps_what_it_said(before):
    adoption, (difference,) = given_queue(LetterQueue(NEW_QUEUE, URL, before))
    condition = {"Condition": {"ArnEquals": {"aws:SourceArn": [arn("events", "rule/nightly")]}}}
    assert difference.after["Statement"] == [*before.get("Statement", []), LETS | condition]
    address = "aws_sqs_queue_policy.new_dead"
    assert (address in adoption.written.made) == (not before)
    ours = json.dumps(difference.after)
    how = ["update"] if before else ["create"]
    plan = planned(
        adoption,
        **{
            address: (how, {"policy": json.dumps(before)} if before else None, {"policy": ours}),
            TARGET: (
                ["update"],
                {"dead_letter_config": []},
                {"dead_letter_config": [{"arn": NEW_QUEUE}]},
            ),
        },
    )
    assert verdict(adoption, plan)[0] == "OK"


@pytest.mark.parametrize("condition", [{}, {"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}])
def test_a_queue_that_lets_it_write_already_stays_as_it_is(condition):
    _, changes = given_queue(LetterQueue(NEW_QUEUE, URL, {"Statement": LETS | condition}))
    assert changes == []


SECURELY = {"Sid": "TLS", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": NEW_QUEUE}
SECURELY |= {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}


def test_a_queue_that_only_wants_to_be_spoken_to_securely_is_mended():
    _, (difference,) = given_queue(LetterQueue(NEW_QUEUE, URL, {"Statement": [SECURELY]}))
    assert difference.after["Statement"][0] == SECURELY


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            {"Effect": "Allow", "Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}},
            "lets it write is not known: it does under conditions only",
        ),
        ({"Effect": "Deny", "Principal": "*"}, "denies it the writing"),
    ],
)
@pytest.mark.parametrize("thing", [rule, schedule])
def test_a_queue_whose_policy_may_refuse_or_does_is_said_and_is_not_good(statement, why, thing):
    document = {"Statement": [{"Action": "sqs:SendMessage", "Resource": NEW_QUEUE, **statement}]}
    adoption, changes = given_queue(LetterQueue(NEW_QUEUE, URL, document), thing())
    assert changes == []
    checks = judge_adoption(adoption, read_plan(adoption, planned(adoption)), Who((), NOW))
    (mends,) = [one for one in checks if one.id == "adopt-mends"]
    assert mends.status == "SKIP"
    assert why in mends.because


def test_a_queue_lets_the_role_of_a_schedule_write_that_no_policy_lets():
    _, (difference,) = given_queue(LetterQueue(NEW_QUEUE, URL), schedule())
    (statement,) = difference.after["Statement"]
    assert statement["Principal"] == {"AWS": [arn("iam", "role/rules")]}


def test_a_role_of_a_schedule_that_may_write_already_changes_nothing():
    _, changes = given_queue(LetterQueue(NEW_QUEUE, URL), schedule(), policies=[Policy("rules", "run", policy(LATEST))])
    assert changes == []


def test_more_rules_than_a_policy_can_name_are_let_in_together():
    things = [rule(name=f"r{number}") for number in range(21)]
    _, (difference,) = given_queue(LetterQueue(NEW_QUEUE, URL), *things)
    (statement,) = difference.after["Statement"]
    assert statement["Condition"] == {"ArnLike": {"aws:SourceArn": arn("events", "rule/*")}}


def test_a_queue_that_could_not_be_read_is_said_and_is_not_good():
    adoption, changes = given_queue("the caller needs sqs:GetQueueAttributes")
    assert changes == []
    checks = judge_adoption(adoption, read_plan(adoption, planned(adoption)), Who((), NOW))
    (mends,) = [one for one in checks if one.id == "adopt-mends"]
    assert mends.status == "SKIP"
    assert "whether they may write to" in mends.because
    assert "the caller needs sqs:GetQueueAttributes" in mends.because


# ---------------------------------------------------------------- what else targets may say

OTHERS = {
    "RedshiftDataParameters": {"Database": "d", "Sql": "select 1", "WithEvent": True},
    "AppSyncParameters": {"GraphQLOperation": "mutation A($x: String) { b(x: $x) { id } }"},
    "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "n", "Value": "${v}"}]},
    "KinesisParameters": {"PartitionKeyPath": "$.id"},
    "BatchParameters": {"JobDefinition": "d", "JobName": "n", "ArrayProperties": {"Size": 5}},
    "HttpParameters": {"PathParameterValues": ["p"], "QueryStringParameters": {"q": "1"}},
    "RunCommandParameters": {"RunCommandTargets": [{"Key": "tag:x", "Values": ["a"]}]},
}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("RedshiftDataParameters", ["redshift_target {", 'database   = "d"', "with_event = true"]),
        ("AppSyncParameters", ["appsync_target {", 'graphql_operation = "mutation A($x: String)']),
        ("SageMakerPipelineParameters", ["sagemaker_pipeline_target {", "pipeline_parameter_list {", '"$${v}"']),
        ("KinesisParameters", ["kinesis_target {", 'partition_key_path = "$.id"']),
        ("BatchParameters", ["batch_target {", "array_size     = 5"]),
        ("HttpParameters", ["http_target {", 'path_parameter_values = ["p"]']),
        ("RunCommandParameters", ["run_command_targets {", 'values = ["a"]']),
    ],
)
def test_a_target_beside_that_does_something_else_goes_along_whole(parameters, words):
    other = {"Id": "other", "Arn": arn("x", "y"), parameters: OTHERS[parameters]}
    adoption = of(rule(target(), other))
    assert [word for word in words if word not in adoption.text] == []
    assert adoption.written.lost == []


def test_a_part_of_it_that_the_provider_has_no_argument_for_is_named():
    other = {"Id": "other", "Arn": arn("x", "y"), "RedshiftDataParameters": {"Database": "d", "Sqls": ["select 1"]}}
    (lost,) = of(rule(target(), other)).written.lost
    assert str(lost) == 'nightly#other: RedshiftDataParameters.Sqls = ["select 1"]'


def in_ecs(**more):
    thing = schedule()
    its = {**thing.targets[0], "EcsParameters": {**thing.targets[0]["EcsParameters"], **more}}
    return Existing("schedule", "default", {**thing.told, "Target": its}, (its,))


def test_the_tags_of_a_schedules_tasks_are_written_where_the_provider_can_read_them_back():
    adoption = of(in_ecs(Tags=[{"key": "team", "value": "${x}"}]))
    assert 'team = "$${x}"' in adoption.text
    assert adoption.written.lost == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"Tags": [{"Key": "team", "Value": "x"}]}, "Target.EcsParameters.Tags"),
        (
            {"PlacementStrategy": [{"type": "spread", "field": "a"}, {"type": "random"}]},
            "the order of Target.EcsParameters.PlacementStrategy",
        ),
    ],
)
def test_a_schedule_that_an_update_would_take_something_from_is_left_out_and_the_rest_goes_on(more, words):
    adoption = adopt_in_terraform([in_ecs(**more), rule(name="hourly")], Around(), mend=["pinned-revision"], **PLACE)
    assert [one.name for one in adoption.things] == ["hourly"]
    (left,) = adoption.left_out
    assert str(left).startswith(f"nightly: no argument is written for {words}")
    assert str(left).endswith("and an update would drop that")
    whole = adopt_in_terraform([in_ecs(**more), rule(name="hourly")], Around(), mend=[], **PLACE)
    assert (len(whole.things), whole.left_out) == (2, ())  # nothing updates it


def test_a_task_definition_that_is_not_named_by_its_arn_is_left_out_since_the_provider_takes_none():
    adoption = adopt_in_terraform([rule(target({"TaskDefinitionArn": "job:1"}))], Around(), mend=[], **PLACE)
    assert adoption.things == ()
    assert str(adoption.left_out[0]).startswith("nightly: it names the task definition job:1, and the provider takes")


# ---------------------------------------------------------------- the plan


def planned(adoption, **changes):
    """A plan that imports all of *adoption*, with ``<address>=(actions, before, after)`` in place of some."""
    told = []
    for address in adoption.written.addresses.values():
        actions, before, after = changes.get(address, (["no-op"], {}, {}))
        told.append(
            {"address": address, "change": {"actions": actions, "before": before, "after": after, "importing": {}}}
        )
    return {"resource_changes": told}


def of(thing, *mend, around=None, **more):
    return adopt_in_terraform([thing], around or Around(), mend=mend, **PLACE, **more)


TARGET = "aws_cloudwatch_event_target.nightly"


def ecs(before, after, more=(), then=()):
    blocks = [{"ecs_target": [{"task_definition_arn": one}]} for one in (before, after)]
    return ["update"], blocks[0] | dict(more), blocks[1] | dict(then)


def update(name, before, after):
    return ["update"], {name: json.dumps(before)}, {name: json.dumps(after)}


def verdict(adoption, plan):
    checks = judge_adoption(adoption, read_plan(adoption, plan), Who((), NOW))
    return checks[0].status, checks[0].because


NOW = datetime(2027, 2, 5, tzinfo=UTC)


def test_a_plan_that_makes_the_chosen_difference_alone_is_ready():
    adoption = of(rule(), "pinned-revision")
    judged = read_plan(adoption, planned(adoption, **{TARGET: ecs(PINNED, LATEST)}))
    assert judged.ready
    assert [(one.attribute, one.chosen) for one in judged.changes] == [
        ("ecs_target[0].task_definition_arn", "pinned-revision")
    ]


def test_a_plan_without_the_chosen_difference_is_not_ready():
    adoption = of(rule(), "pinned-revision")
    status, because = verdict(adoption, planned(adoption))
    assert (status, because) == ("NG", "pinned-revision of nightly#job is not in the plan")


@pytest.mark.parametrize(("before", "after"), [(PINNED, LATEST + "-2"), (LATEST + ":7", LATEST)])
def test_the_same_attribute_with_other_values_is_not_what_was_chosen(before, after):
    adoption = of(rule(), "pinned-revision")
    status, because = verdict(adoption, planned(adoption, **{TARGET: ecs(before, after)}))
    assert status == "NG"
    assert f"{TARGET}, ecs_target[0].task_definition_arn: {before} → {after}" in because


def test_anything_else_that_would_change_is_told_and_is_not_ready():
    adoption = of(rule(), "pinned-revision")
    plan = planned(adoption, **{TARGET: ecs(PINNED, LATEST, {"input": '{"a":1}'}, {"input": '{"a":2}'})})
    status, because = verdict(adoption, plan)
    assert status == "NG"
    assert f'{TARGET}, input: {{"a":1}} → {{"a":2}}' in because
    assert "the provider reads input back otherwise" in because


@pytest.mark.parametrize("actions", [["create"], ["delete"], ["delete", "create"]])
def test_a_plan_that_makes_or_destroys_is_not_ready(actions):
    adoption = of(rule())
    plan = planned(adoption, **{TARGET: (actions, {}, {})})
    status, because = verdict(adoption, plan)
    assert (status, because) == ("NG", f"it would {' and '.join(actions)} {TARGET}")


def test_a_plan_that_does_not_import_one_is_not_ready():
    adoption = of(rule())
    plan = planned(adoption)
    plan["resource_changes"] = [one for one in plan["resource_changes"] if one["address"] != TARGET]
    assert verdict(adoption, plan) == ("NG", f"{TARGET} is not imported")


def test_what_the_provider_has_no_argument_for_is_named_and_stops_an_update_that_would_drop_it():
    thing = schedule(ActionAfterCompletion="DELETE")
    adoption = of(thing)
    status, because = verdict(adoption, planned(adoption))
    assert status == "OK"
    assert "no argument is written for nightly: ActionAfterCompletion = DELETE; nothing touches it now" in because
    adoption = of(thing, "pinned-revision")
    before, after = ({"target": [{"ecs_parameters": [{"task_definition_arn": one}]}]} for one in (PINNED, LATEST))
    plan = planned(adoption, **{"aws_scheduler_schedule.nightly": (["update"], before, after)})
    assert verdict(adoption, plan) == (
        "NG",
        "no argument is written for nightly: ActionAfterCompletion = DELETE, and an update would drop that",
    )


@pytest.mark.parametrize(
    ("retry", "argument", "usual"),
    [
        ({"MaximumRetryAttempts": 0}, "maximum_event_age_in_seconds", 86400),
        ({"MaximumEventAgeInSeconds": 60}, "maximum_retry_attempts", 185),
    ],
)
def test_half_a_retry_policy_is_written_whole_since_the_provider_would_send_zero(retry, argument, usual):
    adoption = of(rule(target(RetryPolicy=retry)))
    assert re.search(rf"{argument} += {usual}\n", adoption.text)
    blocks = [{"retry_policy": [{argument: value}]} for value in (0, usual)]
    status, because = verdict(adoption, planned(adoption, **{TARGET: (["update"], *blocks)}))
    assert status == "OK"
    assert f"AWS takes {usual} where nothing is said" in because


def test_no_retries_that_are_told_do_not_become_the_usual_ones_unseen():
    adoption = of(rule(target(RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60})))
    blocks = [{"retry_policy": [{"maximum_retry_attempts": value}]} for value in (0, 185)]
    status, because = verdict(adoption, planned(adoption, **{TARGET: (["update"], *blocks)}))
    assert status == "NG"
    assert "maximum_retry_attempts: 0 → 185" in because


def test_one_that_cannot_be_written_is_left_out_and_the_rest_goes_on():
    things = [rule(target(Input="half \ud800 a character"), name="bad"), rule()]
    adoption = adopt_in_terraform(things, Around(), mend=[], **PLACE)
    assert [one.name for one in adoption.things] == ["nightly"]
    checks = judge_adoption(adoption, read_plan(adoption, planned(adoption)), Who((), NOW))
    assert {one.id: one.status for one in checks}["adopt-ready"] == "OK"
    (left,) = [one for one in checks if one.id == "adopt-left-out"]
    assert (left.status, left.because[:30]) == ("SKIP", "bad: A text holds half a chara")


def test_of_very_many_the_first_are_shown_and_how_many_more_there_are(tmp_path):
    things = [rule(name=f"r{number}") for number in range(310)]
    adoption = adopt_in_terraform(things, Around(), mend=["pinned-revision"], **PLACE)
    assert "<p>and 10 more</p>" in adoption._repr_html_()
    checks = judge_adoption(adoption, read_plan(adoption, {}), Who((), NOW))
    assert checks[0].because.endswith("; and 920 more, in the receipt")  # 620 are not imported, 310 are not changed
    (tmp_path / "main.tf").write_text(adoption.text)
    shown = AdoptedFiles(tmp_path, ("main.tf",)).show("main.tf").data.splitlines()
    assert len(shown) == 1001
    assert re.fullmatch(r"# and [\d,]+ lines more, in the file", shown[-1])


def test_nothing_left_to_adopt_is_not_good():
    kept = Kept(left_out=(LeftOut("nightly", "x manages it"),))
    adoption = adopt_in_terraform([], Around(), mend=[], **PLACE)
    checks = judge_adoption(adoption, read_plan(adoption, {}), Who((), NOW), kept)
    assert {one.id: one.status for one in checks if one.status != "OK"} == {
        "adopt-ready": "SKIP",
        "adopt-left-out": "SKIP",
    }


def test_values_of_environments_are_in_the_file_and_in_no_table():
    text = json.dumps({"containerOverrides": [{"name": "main", "environment": [{"name": "TOKEN", "value": "shy"}]}]})
    adoption = of(rule(target(Input=text)))
    plan = planned(adoption, **{TARGET: (["update"], {"input": text}, {"input": ""})})
    judged = read_plan(adoption, plan)
    assert "shy" in adoption.text
    assert "shy" not in str(judged.table.to_dict()) + verdict(adoption, plan)[1] + judged._repr_html_()


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_of_aws_becomes_code(description, text):
    import hcl2

    thing = rule(target(Input=text), Description=description)
    try:
        adoption = of(thing)
    except SpecError:
        assert any(0xD800 <= ord(one) <= 0xDFFF for one in description + text)
        return
    told = hcl2.loads(adoption.text)
    kinds = sorted(next(iter(one)).strip('"') for one in told["resource"])
    assert kinds == ["aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"]
