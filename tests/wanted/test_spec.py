import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ecs_runbook.errors import Fault, SpecError
from ecs_runbook.wanted import rules
from ecs_runbook.wanted.spec import CapacityProvider, Spec, role_name, spec, tasks_tagged

SUBNET = "subnet-0a1a1a1a1a1a1a1a1"
PLAIN = {"name": "nightly", "image": "busybox:1.36", "schedule": "cron(0 2 * * ? *)", "subnets": [SUBNET]}
HOSTILE = [
    "\"quoted\" and 'quoted'",
    '${file("/etc/passwd")}',
    "%{ for x in [1] }%{ endfor }",
    "$${twice}",
    "line one\nline two\r\n\ttab",
    "back\\slash \\n \\u0041",
    "ünïcödé 日本語 🚀 ‮ \u2028",
    "x" * 500,
    "",
    " ",
    'EOF\n}\nresource "aws_iam_user" "x" {}',
    "<script>alert(1)</script>",
    "-rf",
    "null",
]


def made(**fields):
    return spec(**{**PLAIN, **fields})


def faults(**fields):
    with pytest.raises(SpecError) as refused:
        made(**fields)
    return refused.value.faults


def one_fault(**fields):
    (fault,) = faults(**fields)
    return fault


# ---------------------------------------------------------------- what is right


def test_three_fields_and_a_subnet_are_enough():
    plain = made()
    assert plain.model_dump() == {
        "name": "nightly",
        "image": "busybox:1.36",
        "schedule": "cron(0 2 * * ? *)",
        "kind": "rule",
        "timezone": "UTC",
        "description": "",
        "enabled": True,
        "schedule_group": "default",
        "create_schedule_group": False,
        "flexible_minutes": 0,
        "start_date": "",
        "end_date": "",
        "cluster": "default",
        "create_cluster": False,
        "family": "",
        "container": "main",
        "cpu": 256,
        "memory": 512,
        "command": [],
        "environment": {},
        "secrets": {},
        "task_role_arn": "",
        "execution_role_arn": "",
        "schedule_role_arn": "",
        "subnets": [SUBNET],
        "security_groups": [],
        "assign_public_ip": False,
        "launch_type": "FARGATE",
        "capacity_provider_strategy": [],
        "platform_version": "",
        "task_count": 1,
        "group": "",
        "propagate_tags": False,
        "enable_ecs_managed_tags": False,
        "overrides": {},
        "double_runs": "allow",
        "retry_attempts": 185,
        "retry_age_seconds": 86400,
        "dead_letter_queue": "none",
        "start_retries": 5,
        "retry_exit_codes": [],
        "exit_code_retries": 2,
        "backoff_seconds": 30,
        "timeout_seconds": 3600,
        "heartbeat_seconds": 0,
        "notify": "none",
        "log_retention_days": 30,
        "tags": {},
    }


def test_a_spec_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        made().name = "other"


def test_two_specs_share_no_defaults():
    made().environment["A"] = "b"
    assert made().environment == {}


def test_a_spec_survives_json():
    wanted = made(
        environment={"A": "ü"},
        capacity_provider_strategy=[{"name": "FARGATE_SPOT"}],
        launch_type=None,
        tags={"Team": "x"},
    )
    assert spec(**json.loads(json.dumps(wanted.model_dump()))) == wanted


@pytest.mark.parametrize("value", HOSTILE)
def test_text_that_aws_takes_is_taken_as_it_is(value):
    wanted = made(
        command=["echo", value],
        environment={"GREETING": value},
        description=value,
        group=value[:255],
        overrides={
            "containerOverrides": [{"name": "main", "command": [value], "environment": [{"name": "A", "value": value}]}]
        },
    )
    assert wanted.command == ["echo", value]
    assert wanted.environment == {"GREETING": value}
    assert wanted.description == value
    assert wanted.overrides["containerOverrides"][0]["command"] == [value]


STRICT = ["name", "image", "schedule", "cluster", "family", "container", "platform_version"]
TAKEN = {(field, "null") for field in STRICT} | {(field, "-rf") for field in ("cluster", "family", "container")}
TAKEN -= {("schedule", "null"), ("platform_version", "null")}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field in STRICT for value in HOSTILE if value and (field, value) not in TAKEN],
)
def test_text_that_aws_does_not_take_is_refused_by_its_field(field, value):
    fault = one_fault(**{field: value})
    assert fault.field == field
    assert fault.value[1:20] == repr(value)[1:20]


@pytest.mark.parametrize(("field", "value"), sorted(TAKEN))
def test_text_that_only_looks_hostile_is_taken(field, value):
    assert getattr(made(**{field: value}), field) == value


@pytest.mark.parametrize("name", [".", "..", ".hidden", "-rf", "../nightly", "a/b"])
def test_a_name_cannot_lead_out_of_its_folder(name):
    assert one_fault(name=name).mend.endswith("the first no dot or hyphen (a folder has it too)")


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_whatever_a_name_is_it_is_taken_or_refused_by_its_field(value):
    fields = {**PLAIN, "name": value}
    if re.fullmatch("[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", value):
        assert spec(**fields).name == value
    else:
        with pytest.raises(SpecError, match="1 to 64 letters, digits, dots, hyphens and underscores are allowed"):
            spec(**fields)


@given(
    st.dictionaries(
        st.sampled_from([*Spec.model_fields, "nmae", "x"]),
        st.from_type(type(None))
        | st.text(max_size=5)
        | st.integers()
        | st.booleans()
        | st.floats(allow_nan=True)
        | st.lists(st.text(max_size=3) | st.integers(), max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(), st.text(max_size=3) | st.integers(), max_size=3),
    )
)
@settings(max_examples=300, deadline=None)
def test_whatever_is_given_is_a_spec_or_a_list_of_faults(fields):
    try:
        given_spec, found = spec(**{**PLAIN, **fields}), ()
    except SpecError as refused:
        given_spec, found = None, refused.faults
    assert bool(found) == (given_spec is None)
    assert all(isinstance(fault, Fault) and fault.field and fault.value and fault.mend for fault in found)


# ---------------------------------------------------------------- every fault at once


def test_every_fault_is_named_at_once_with_field_value_and_mend():
    found = faults(
        name="a b",
        schedule="rate(1 minutes)",
        task_count=11,
        cpu=300,
        launch_type="EC2",
        assign_public_ip=True,
        nmae="x",
        tags={"aws:x": "y", "n": 7},
        environment={"A": 1, "DB_PASSWORD": "hunter2"},
    )
    assert {fault.field: fault.value for fault in found} == {
        "name": "'a b'",
        "schedule": "'rate(1 minutes)'",
        "task_count": "11",
        "nmae": "'x'",
        "tags.n": "7",
        "environment.A": "(not shown)",
        "assign_public_ip": "True",
        "tags.aws:x": "'y'",
        "environment.DB_PASSWORD": "(not shown)",
    }


def test_the_message_lists_the_faults_in_lines():
    with pytest.raises(SpecError) as refused:
        made(task_count=0, retry_attempts=186)
    assert str(refused.value).splitlines() == [
        "What should run is not well said:",
        "  - task_count = 0: 1 to 10 is allowed",
        "  - retry_attempts = 186: 0 to 185 is allowed",
    ]


def test_a_rule_is_not_judged_by_a_field_that_is_wrong_itself():
    assert [fault.field for fault in faults(cpu="a lot", memory=5)] == ["cpu"]


def test_nothing_at_all_names_what_is_needed():
    with pytest.raises(SpecError) as refused:
        spec()
    assert [fault.field for fault in refused.value.faults] == ["name", "image", "schedule", "subnets"]
    assert all("it is needed" in fault.mend for fault in refused.value.faults)


def test_the_faults_do_not_drag_pydantics_error_along():
    with pytest.raises(SpecError) as refused:
        made(name=7)
    assert refused.value.__cause__ is None
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("nam", "name"),
        ("subnet", "subnets"),
        ("enviroment", "environment"),
        ("LaunchType", "launch_type"),
        ("shedule", "schedule"),
        ("schedule_expression", "schedule"),
        ("env", "environment"),
        ("public_ip", "assign_public_ip"),
        ("dlq", "dead_letter_queue"),
    ],
)
def test_a_misspelt_field_is_told_which_one_was_meant(field, meant):
    assert one_fault(**{field: "x"}).mend == f"there is no such field; did you mean {meant}?"


def test_a_field_like_no_other_is_told_all_there_are():
    assert one_fault(zzz="x").mend.startswith("there is no such field; there are name, image, schedule")


def test_the_region_is_said_elsewhere():
    assert one_fault(region="eu-west-1").mend == "there is no such field; it is said when connecting: connect(region=…)"


# ---------------------------------------------------------------- kinds

TOPIC = "arn:aws:sns:eu-west-1:123456789012:failures"


def test_a_schedule_has_what_a_rule_has_not():
    wanted = made(
        kind="schedule",
        schedule="cron(0 18 24 12 ? *)",
        timezone="Europe/Berlin",
        schedule_group="reports",
        create_schedule_group=True,
        flexible_minutes=15,
        start_date="2026-12-01T00:00:00+01:00",
        end_date="2027-01-01T00:00:00Z",
        double_runs="token",
    )
    assert (wanted.start_date, wanted.end_date) == ("2026-11-30T23:00:00Z", "2027-01-01T00:00:00Z")
    assert spec(**json.loads(json.dumps(wanted.model_dump()))) == wanted


def test_a_state_machine_has_what_a_schedule_has_and_more():
    wanted = made(
        kind="state_machine",
        schedule_group="reports",
        start_retries=0,
        retry_exit_codes=[3, 75],
        exit_code_retries=4,
        backoff_seconds=1,
        timeout_seconds=7200,
        heartbeat_seconds=300,
        notify=TOPIC,
        double_runs="skip",
    )
    assert wanted.retry_exit_codes == [3, 75]
    assert (wanted.machine_role_name, wanted.topic_name) == ("nightly-machine", "nightly-failed")


OF_SCHEDULES = [
    ("schedule_group", "reports"),
    ("create_schedule_group", True),
    ("flexible_minutes", 5),
    ("start_date", "2026-12-01T00:00:00Z"),
    ("end_date", "2026-12-01T00:00:00Z"),
]
OF_STATE_MACHINES = [
    ("start_retries", 3),
    ("retry_exit_codes", [3]),
    ("exit_code_retries", 3),
    ("backoff_seconds", 60),
    ("timeout_seconds", 60),
    ("heartbeat_seconds", 60),
    ("notify", "new"),
]


@pytest.mark.parametrize(("field", "value"), OF_SCHEDULES)
def test_what_a_rule_has_not_is_refused_with_one_fault(field, value):
    named = {"schedule_group": "reports"} if field == "create_schedule_group" else {}
    refused = [fault for fault in faults(**named, **{field: value}) if fault.field == field]
    mend = "a rule has no such thing, EventBridge Scheduler has: set kind to 'schedule' or 'state_machine'"
    assert refused == [Fault(field, repr(value), mend)]


@pytest.mark.parametrize("kind", ["rule", "schedule"])
@pytest.mark.parametrize(("field", "value"), OF_STATE_MACHINES)
def test_what_only_a_state_machine_has_is_refused_with_one_fault(kind, field, value):
    mend = f"a {kind} starts a task, and does not look how it ends: set kind to 'state_machine'"
    assert one_fault(kind=kind, **{field: value}) == Fault(field, repr(value), mend)


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"schedule": "at(2026-12-24T18:00:00)"}, "schedule", "a rule takes no at(…); only EventBridge Scheduler"),
        ({"double_runs": "skip"}, "double_runs", "a rule cannot ask whether one is running"),
        ({"kind": "schedule", "double_runs": "skip"}, "double_runs", "a schedule cannot ask whether one is running"),
        ({"kind": "state_machine", "task_count": 2}, "task_count", "an attempt of a state machine is one task"),
        ({"kind": "state_machine", "group": "x"}, "group", "by the group that it gives it"),
        ({"kind": "state_machine", "enable_ecs_managed_tags": True}, "enable_ecs_managed_tags", "is not verified"),
        ({"kind": "schedule", "create_schedule_group": True}, "schedule_group", "every account has that one"),
        ({"kind": "schedule", "schedule_group": "a b"}, "schedule_group", "letters, digits, dots, hyphens"),
        ({"kind": "schedule", "flexible_minutes": 1441}, "flexible_minutes", "0 to 1440 is allowed"),
        ({"kind": "schedule", "start_date": "2026-12-01T00:00:00"}, "start_date", "a time with its zone is allowed"),
        (
            {"kind": "schedule", "schedule": "at(2026-12-24T18:00:00)", "end_date": "2027-01-01T00:00:00Z"},
            "end_date",
            "what runs once takes no notice of it",
        ),
        ({"kind": "schedule", "end_date": "tomorrow"}, "end_date", "a time with its zone is allowed"),
        ({"kind": "schedule", "schedule": "at(2026-12-24 18:00)"}, "schedule", "write at(yyyy-mm-ddThh:mm:ss)"),
        ({"kind": "state_machine", "retry_exit_codes": [3, 3]}, "retry_exit_codes", "the same stands twice"),
        ({"kind": "state_machine", "retry_exit_codes": [0]}, "retry_exit_codes[0]", "1 to 255 is allowed"),
        ({"kind": "state_machine", "heartbeat_seconds": 3600}, "heartbeat_seconds", "shorter than timeout_seconds"),
        ({"kind": "state_machine", "notify": "me@example.com"}, "notify", "none, new, or an ARN such as arn:aws:sns:"),
        ({"kind": "lambda"}, "kind", "'rule', 'schedule' or 'state_machine' is allowed"),
        (
            {"double_runs": "token", "environment": {"ECS_RUNBOOK_RUN": "x"}},
            "environment.ECS_RUNBOOK_RUN",
            "double_runs='token' sets it at each run",
        ),
        (
            {
                "double_runs": "token",
                "overrides": {
                    "containerOverrides": [{"name": "main", "environment": [{"name": "ECS_RUNBOOK_RUN", "value": "x"}]}]
                },
            },
            "overrides.containerOverrides[0].environment.ECS_RUNBOOK_RUN",
            "double_runs='token' sets it at each run",
        ),
    ],
)
def test_what_does_not_fit_its_kind_is_refused_by_name(fields, field, words):
    fault = one_fault(**fields)
    assert fault.field == field
    assert words in fault.mend


def test_a_schedule_does_not_end_before_it_begins():
    dates = {"start_date": "2026-12-01T09:00:00+09:00", "end_date": "2026-12-01T00:00:00Z"}
    fault = one_fault(kind="schedule", **dates)
    assert (fault.field, fault.mend) == ("end_date", "it is not after start_date, 2026-12-01T00:00:00Z")


# ---------------------------------------------------------------- types


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", 7, "this is a number, not text: write it in quotes (papermill's -p makes 7 of 007"),
        ("name", 1.5, "this is a number, not text"),
        ("name", True, "this is a truth value, not text"),
        ("name", None, "leave the field out for its default"),
        ("name", ["nightly"], "text in quotes is allowed"),
        ("schedule", 5, "this is a number, not text"),
        ("cpu", "256", "a whole number without quotes is allowed"),
        ("cpu", 256.0, "a whole number without quotes is allowed"),
        ("cpu", True, "a whole number without quotes is allowed"),
        ("enabled", "true", "True or False, without quotes, is allowed"),
        ("enabled", 1, "True or False, without quotes, is allowed"),
        ("subnets", SUBNET, f"a list is allowed: ['{SUBNET}']"),
        ("command", "echo hi", "a list is allowed: ['echo hi']"),
        ("command", ("echo", "hi"), "a list is allowed: […]"),
        ("tags", [], "names and values are allowed"),
        ("environment", "A=b", "names and values are allowed: {'NAME': 'value'}"),
        ("launch_type", "fargate", "'FARGATE', 'EC2' or 'EXTERNAL', or None, is allowed, in capitals"),
        ("launch_type", "", "'FARGATE', 'EC2' or 'EXTERNAL', or None, is allowed"),
        ("capacity_provider_strategy", ["FARGATE"], "write {'name': 'FARGATE_SPOT', 'weight': 1, 'base': 0}"),
        ("propagate_tags", "TASK_DEFINITION", "True or False, without quotes, is allowed"),
    ],
)
def test_a_value_of_another_type_is_refused_and_not_bent(field, value, words):
    (fault,) = [fault for fault in faults(**{field: value}) if fault.field.split("[")[0] == field]
    assert words in fault.mend


def test_a_number_in_a_list_or_a_map_is_named_by_its_place():
    found = faults(command=["sleep", 5], environment={"PORT": 8080}, tags={"cost": 7})
    assert [fault.field for fault in found] == ["command[1]", "environment.PORT", "tags.cost"]


# ---------------------------------------------------------------- values, field by field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a"),
        ("name", "A.b_c-9"),
        ("name", "n" * 64),
        ("image", "public.ecr.aws/docker/library/busybox:1.36"),
        ("image", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@sha256:" + "0" * 64),
        ("image", "r" * 255 + "@sha256:" + "aF" * 32),
        ("timezone", "Asia/Tokyo"),
        ("description", "d" * 512),
        ("cluster", "arn:aws-cn:ecs:cn-north-1:123456789012:cluster/jobs"),
        ("cluster", "arn:aws-us-gov:ecs:us-gov-west-1:123456789012:cluster/jobs"),
        ("family", "f" * 255),
        ("task_role_arn", "arn:aws:iam::123456789012:role/path/to/role"),
        ("dead_letter_queue", "new"),
        ("dead_letter_queue", "arn:aws:sqs:eu-west-1:123456789012:failed"),
        ("security_groups", ["sg-0c1c1c1c1c1c1c1c1", "sg-12345678"]),
        ("subnets", [f"subnet-{number:017x}" for number in range(16)]),
        ("platform_version", "1.4.0"),
        ("log_retention_days", 3653),
        ("retry_attempts", 0),
        ("retry_age_seconds", 60),
        ("task_count", 10),
        ("tags", {f"key{number}": "v" * 256 for number in range(49)}),
        ("tags", {"Größe": "日本 1 + 2 = 3 @ _.:/-", "k" * 128: ""}),
        ("secrets", {"A": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf:password::"}),
        ("secrets", {"A": "arn:aws:ssm:eu-west-1:123456789012:parameter/team/db"}),
    ],
)
def test_a_value_that_aws_takes_is_taken(field, value):
    assert getattr(made(**{field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "1 to 64 letters"),
        ("name", "n" * 65, "1 to 64 letters"),
        ("name", "nightly\n", "1 to 64 letters"),
        ("name", "n\u0661", "1 to 64 letters"),
        ("image", "", "an image is [registry/]name[:tag]"),
        ("image", "bus ybox", "an image is [registry/]name[:tag]"),
        ("image", "busybox@sha256:abc", "@sha256:<64 hex>"),
        ("image", "r" * 256, "at most 255"),
        ("schedule", "cron(0 2 * * * *)", "exactly one of the two must be ?; write cron(0 2 * * ? *)"),
        ("schedule", "cron(60 2 * * ? *)", "minutes = '60': 60 is not a value of this field"),
        ("schedule", "at(2026-01-01T00:00:00)", "a rule takes no at(…)"),
        ("schedule", "cron(0 2 ? * FRI-MON *)", "is not verified; the same and certain is FRI,SAT,SUN,MON"),
        ("timezone", "Europe/Brelin", "did you mean Europe/Berlin"),
        ("timezone", "", "not an IANA time zone"),
        ("description", "d" * 513, "at most 512 characters"),
        ("description", "a\x00b", "a NUL or half a character cannot be sent"),
        ("description", "a\ud83d", "a NUL or half a character cannot be sent"),
        ("command", ["\x00"], "a NUL or half a character cannot be sent"),
        ("cluster", "", "a cluster's ARN, or its name"),
        ("cluster", "my cluster", "a cluster's ARN, or its name"),
        ("cluster", "arn:aws:ecs:eu-west-1:12345:cluster/jobs", "a cluster's ARN, or its name"),
        ("cluster", "arn:aws:ecs:eu-west-1:123456789012:service/jobs", "a cluster's ARN, or its name"),
        ("family", "a.b", '"" (the name) or 1 to 255 letters'),
        ("family", "f:3", '"" (the name) or 1 to 255 letters'),
        ("container", "", "1 to 255 letters"),
        ("task_role_arn", "my-role", '"" (a new role is made) or an ARN such as arn:aws:iam::123456789012:role/name'),
        ("schedule_role_arn", "arn:aws-iso:iam::123456789012:role/r", "an ARN such as arn:aws:iam"),
        ("execution_role_arn", "arn:aws:iam::123456789012:user/r", "an ARN such as arn:aws:iam"),
        ("subnets", [], "it is needed, since the task has a network interface of its own"),
        ("subnets", ["subnet-xyz"], "an id such as subnet-0123456789abcdef0"),
        ("subnets", [SUBNET, SUBNET], "the same stands twice"),
        ("subnets", [f"subnet-{number:017x}" for number in range(17)], "0 to 16 subnets are allowed, and these are 17"),
        ("security_groups", ["default"], "an id such as sg-0123456789abcdef0"),
        ("security_groups", [f"sg-{number:017x}" for number in range(6)], "0 to 5 security groups are allowed"),
        ("platform_version", "LATEST", '"" (the latest) or a number such as 1.4.0'),
        ("task_count", 0, "1 to 10 is allowed"),
        ("task_count", 11, "1 to 10 is allowed"),
        ("retry_attempts", -1, "0 to 185 is allowed"),
        ("retry_age_seconds", 59, "60 to 86400 is allowed"),
        ("retry_age_seconds", 86401, "60 to 86400 is allowed"),
        ("group", "g" * 256, "at most 255 characters"),
        ("dead_letter_queue", "", "none, new, or an ARN"),
        ("dead_letter_queue", "arn:aws:sqs:eu-west-1:123456789012:failed.fifo", "a FIFO queue is not"),
        ("log_retention_days", 31, "the nearest is 30"),
        ("log_retention_days", 0, "the nearest is 1"),
        ("capacity_provider_strategy", [{"name": "FARGATE", "weight": 1001}], "0 to 1000 is allowed"),
        ("capacity_provider_strategy", [{"name": "FARGATE", "base": -1}], "0 to 100000 is allowed"),
        ("capacity_provider_strategy", [{"weight": 1}], "it is needed: the name of a provider"),
        ("capacity_provider_strategy", [{"name": "FARGATE", "wieght": 1}], "did you mean weight?"),
        ("capacity_provider_strategy", [{"name": f"p{n}"} for n in range(7)], "0 to 6 capacity providers are allowed"),
        (
            "tags",
            {f"key{number}": "v" for number in range(50)},
            "at most 49 are allowed: AWS takes 50, and ecs-runbook",
        ),
        ("tags", {"": "v"}, "a tag's key has 1 to 128"),
        ("tags", {"k" * 129: "v"}, "a tag's key has 1 to 128"),
        ("tags", {"k": "v" * 257}, "a tag's value has at most 256"),
        ("tags", {"k": "${x}"}, "letters, digits, spaces and _ . : / = + - @"),
        ("tags", {"k\n": "v"}, "a tag's key has 1 to 128"),
        ("tags", {"AWS:x": "v"}, "keys that begin with aws: are AWS's own"),
        ("tags", {"Name": "a", "name": "b"}, "IAM tells no case apart"),
        ("tags", {"Ecs-Runbook": "a"}, "is added to everything that is made"),
        ("secrets", {"A": "hunter2"}, "the ARN of a Secrets Manager secret"),
        ("secrets", {"A": "arn:aws:s3:::bucket"}, "the ARN of a Secrets Manager secret"),
        ("secrets", {"": "arn:aws:ssm:eu-west-1:123456789012:parameter/a"}, "a variable's name is not empty"),
        ("environment", {"": "v"}, "a variable's name is not empty"),
        ("environment", {"A=B": "v"}, "a variable's name is not empty and has no ="),
        ("environment", {"BIG": "x" * 70_000}, "a task definition has 64 KiB, and this alone 68"),
    ],
)
def test_a_value_that_aws_refuses_is_refused_with_what_would_be_right(field, value, words):
    fault = next(fault for fault in faults(**{field: value}) if fault.field.split("[")[0].split(".")[0] == field)
    assert words in fault.mend


# ---------------------------------------------------------------- fields together

SIZES = {  # AWS docs, ECS developer guide, task size: CPU units, the least and the most MiB, the step
    256: (512, 2048, None),
    512: (1024, 4096, 1024),
    1024: (2048, 8192, 1024),
    2048: (4096, 16384, 1024),
    4096: (8192, 30720, 1024),
    8192: (16384, 61440, 4096),
    16384: (32768, 122880, 8192),
}


@pytest.mark.parametrize(("cpu", "least", "most", "step"), [(cpu, *size) for cpu, size in SIZES.items()])
def test_fargate_has_certain_sizes_only(cpu, least, most, step):
    step = step or 512
    assert made(cpu=cpu, memory=least).memory == least
    assert made(cpu=cpu, memory=most).memory == most
    for memory in (least - step, most + step, least + 1):
        assert one_fault(cpu=cpu, memory=memory).field == "memory"


def test_the_smallest_size_knows_three_memories():
    assert one_fault(cpu=256, memory=1536).mend == "with cpu 256 Fargate has 512, 1024, 2048 MiB"


def test_a_memory_that_fits_another_cpu_is_told_which():
    fault = one_fault(cpu=256, memory=4096)
    assert fault.mend == "with cpu 256 Fargate has 512, 1024, 2048 MiB; or keep it, with cpu 512 or 1024 or 2048"
    assert "16384 to 61440 in steps of 4096 MiB" in one_fault(cpu=8192, memory=512).mend


def test_a_cpu_that_fargate_lacks_is_told_what_it_has():
    assert one_fault(cpu=300).mend.startswith("Fargate has 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units")


def test_ec2_takes_other_sizes():
    assert made(launch_type="EC2", cpu=300, memory=100).cpu == 300
    assert one_fault(launch_type="EC2", cpu=127).mend.startswith("128 to 196608 CPU units are allowed")
    assert one_fault(launch_type="EC2", memory=5).mend == "at least 6 MiB are needed"


def test_the_largest_sizes_need_platform_1_4_0():
    big = {"cpu": 8192, "memory": 16384}
    assert made(**big, platform_version="1.4.0").cpu == 8192
    assert one_fault(**big, platform_version="1.3.0").mend == "cpu 8192 needs 1.4.0 or later"
    assert made(**big, platform_version="1.10.0").platform_version == "1.10.0"


SPOT = [{"name": "FARGATE_SPOT", "weight": 1}]
OWN = [{"name": "my-instances", "weight": 1}]


@pytest.mark.parametrize(
    "fields", [{}, {"launch_type": None, "capacity_provider_strategy": [*SPOT, {"name": "FARGATE", "base": 1}]}]
)
def test_a_public_ip_goes_with_fargate(fields):
    assert made(assign_public_ip=True, **fields).assign_public_ip


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"launch_type": "EC2"}, "launch_type is EC2"),
        ({"launch_type": None, "capacity_provider_strategy": OWN}, "it runs on my-instances"),
        ({"launch_type": None}, "it runs on what the cluster has"),
    ],
)
def test_a_public_ip_without_fargate_is_refused_in_awss_words(fields, where):
    fault = one_fault(assign_public_ip=True, **fields)
    assert (fault.field, fault.value) == ("assign_public_ip", "True")
    assert fault.mend.startswith(where)
    assert "Assign public IP is not supported for this launch type." in fault.mend


def test_a_strategy_and_a_launch_type_exclude_each_other():
    fault = one_fault(capacity_provider_strategy=SPOT)
    assert (fault.field, fault.value) == ("launch_type", "'FARGATE'")
    assert "set launch_type=None" in fault.mend
    assert made(launch_type=None, capacity_provider_strategy=SPOT).capacity_provider_strategy == [
        CapacityProvider(name="FARGATE_SPOT", weight=1, base=0)
    ]


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ([{"name": "FARGATE", "weight": 0}], "at least one weight must be above 0"),
        ([{"name": "FARGATE", "base": 1}, {"name": "FARGATE_SPOT", "base": 1}], "only one of them may have a base"),
        ([*SPOT, *OWN], "cannot stand beside providers of other kinds"),
        ([*SPOT, *SPOT], "the same stands twice"),
    ],
)
def test_a_strategy_that_cannot_place_is_refused(strategy, words):
    assert words in one_fault(launch_type=None, capacity_provider_strategy=strategy).mend


@pytest.mark.parametrize("fields", [{"launch_type": "EC2"}, {"launch_type": None, "capacity_provider_strategy": OWN}])
def test_a_platform_version_is_fargates_alone(fields):
    assert one_fault(platform_version="1.4.0", **fields).mend.startswith("only Fargate has one, and ")


def test_ecs_anywhere_has_no_network_of_its_own():
    assert made(launch_type="EXTERNAL", subnets=[]).launch_type == "EXTERNAL"
    found = faults(launch_type="EXTERNAL", security_groups=["sg-0c1c1c1c1c1c1c1c1"])
    assert [fault.field for fault in found] == ["subnets", "security_groups"]
    assert all("ECS Anywhere (EXTERNAL) has no awsvpc network" in fault.mend for fault in found)


def test_ec2_needs_subnets_too():
    assert one_fault(launch_type="EC2", subnets=[]).field == "subnets"


def test_a_new_cluster_takes_a_name():
    arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/jobs"
    assert made(cluster=arn).cluster_name == "jobs"
    assert one_fault(cluster=arn, create_cluster=True).mend.startswith("a new cluster takes a name")


def test_arns_are_of_one_partition():
    fault = one_fault(
        cluster="arn:aws-cn:ecs:cn-north-1:123456789012:cluster/x", task_role_arn="arn:aws:iam::123456789012:role/r"
    )
    assert fault.field == "task_role_arn"
    assert fault.mend == "its partition is aws, and that of cluster aws-cn; one is allowed"


def test_a_queue_is_of_the_clusters_region():
    fault = one_fault(
        cluster="arn:aws:ecs:eu-west-1:123456789012:cluster/x", dead_letter_queue="arn:aws:sqs:eu-west-2:123456789012:q"
    )
    assert fault.mend == "a rule sends to a queue of its own Region, and the cluster is in eu-west-1"


def test_an_account_is_not_judged_here():
    assert made(task_role_arn="arn:aws:iam::111122223333:role/r", execution_role_arn="arn:aws:iam::123456789012:role/r")


# ---------------------------------------------------------------- secrets


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter2"),
        ("PASSWORD", "hunter2"),
        ("dbPassword", "hunter2"),
        ("db.passwd", "hunter2"),
        ("DB_PWD", "hunter2"),
        ("API_TOKEN", "hunter2"),
        ("SECRET", "hunter2"),
        ("SECRET_KEY_BASE", "hunter2"),
        ("STRIPE_API_KEY", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("AWS_ACCESS_KEY_ID", "hunter2"),
        ("TOKEN2", "hunter2"),
        ("A", "AKIAIOSFODNN7EXAMPLE"),
        ("A", "key=ASIAIOSFODNN7EXAMPLE;"),
        ("A", "-----BEGIN RSA PRIVATE KEY-----\nhunter2"),
        ("A", "ghp_" + "x" * 36),
        ("A", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"),
        ("DATABASE_URL", "postgres://user:hunter2@db.example.com/x"),
    ],
)
def test_what_looks_like_a_secret_is_refused_and_never_repeated(name, value):
    with pytest.raises(SpecError) as refused:
        made(environment={name: value})
    (fault,) = refused.value.faults
    assert (fault.field, fault.value) == (f"environment.{name}", "(not shown)")
    assert "use secrets with its ARN" in fault.mend
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "false"),
        ("MAX_TOKENS", "100"),
        ("TOKEN_URL", "https://example.com/token"),
        ("DB_PASSWORD_FILE", "/run/secrets/db"),
        ("SECRET_ARN", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x"),
        ("PASSWORD_MIN_LENGTH", "12"),
        ("USE_TOKEN", "true"),
        ("PASSWORD", ""),
        ("PWD", "/app"),
        ("KEYBOARD", "qwerty"),
        ("AUTHOR", "someone"),
        ("DATABASE_URL", "postgres://db.example.com:5432/x"),
        ("DATABASE_URL", "postgres://user:${DB_PASSWORD}@db/x"),
        ("MAIL", "someone@example.com"),
    ],
)
def test_what_only_speaks_of_a_secret_is_taken(name, value):
    assert made(environment={name: value}).environment == {name: value}


def test_a_secret_in_the_command_is_refused_and_never_repeated():
    fault = one_fault(command=["login", "AKIAIOSFODNN7EXAMPLE"])
    assert (fault.field, fault.value) == ("command[1]", "(not shown)")


def test_a_name_stands_in_environment_or_in_secrets():
    arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/a"
    assert one_fault(environment={"A": "b"}, secrets={"A": arn}).field == "secrets.A"


@pytest.mark.parametrize(
    "fields",
    [
        {"enviroment": {"DB_PASSWORD": "hunter2"}},
        {"password": "hunter2"},
        {"environment": [{"name": "A", "value": "hunter2"}]},
        {"environment": {"A": ["hunter2"]}},
        {"environment": "hunter2"},
        {"secrets": {"DB_PASSWORD": "hunter2"}},
        {
            "overrides": {
                "containerOverrides": [{"name": "main", "environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]}]
            }
        },
        {"overrides": {"containerOverrides": [{"name": "main", "environment": {"A": "hunter2"}}]}},
        {"overrides": {"containerOverrides": {"main": "hunter2"}}},
        {"overrides": {"environment": "hunter2"}},
        {"overrides": {"containerOverrides": [{"name": "main", "environment": "hunter2"}]}},
        {"overrides": {"containerOverrides": ["hunter2"]}},
        {"environment": {"PASSWORD": "hunter2"}, "name": 7},
    ],
)
def test_no_fault_repeats_a_secret(fields):
    with pytest.raises(SpecError) as refused:
        made(**fields)
    assert "hunter2" not in str(refused.value)


def test_a_spec_made_without_spec_repeats_no_secret_either():
    with pytest.raises(ValidationError) as refused:
        Spec(**PLAIN, environment={"DB_PASSWORD": "hunter2"})
    assert "environment.DB_PASSWORD" in str(refused.value)
    assert "hunter2" not in str(refused.value)


# ---------------------------------------------------------------- overrides


def overriding(**container):
    return {"containerOverrides": [{"name": "main", **container}]}


def test_overrides_that_runtask_takes_are_taken():
    wanted = {
        "containerOverrides": [
            {
                "name": "main",
                "command": ["true", "\\u0000", "\\\\u0000"],
                "environment": [{"name": "A", "value": "b"}],
                "cpu": 128,
                "memory": 256,
                "memoryReservation": 128,
            }
        ],
        "cpu": "512",
        "memory": "1024",
        "ephemeralStorage": {"sizeInGiB": 30},
    }
    assert made(overrides=wanted).overrides == wanted


@pytest.mark.parametrize(
    ("overrides", "field", "words"),
    [
        (overriding(command=["a\0b"]), "overrides", "a NUL cannot be sent to AWS"),
        (overriding(command=["\\\\\0"]), "overrides", "a NUL cannot be sent to AWS"),
        ({"container_overrides": []}, "overrides.container_overrides", "did you mean containerOverrides?"),
        ({"ContainerOverrides": []}, "overrides.ContainerOverrides", "did you mean containerOverrides?"),
        ({"x": 1}, "overrides.x", "there are containerOverrides, cpu"),
        ({"containerOverrides": {}}, "overrides.containerOverrides", "a list is allowed"),
        ({"containerOverrides": ["main"]}, "overrides.containerOverrides[0]", "an object is allowed"),
        ({"containerOverrides": [{}]}, "overrides.containerOverrides[0].name", "the task has one container, 'main'"),
        (
            {"containerOverrides": [{"name": "app"}]},
            "overrides.containerOverrides[0].name",
            "is not a container in the",
        ),
        (overriding(comand=["true"]), "overrides.containerOverrides[0].comand", "did you mean command?"),
        (overriding(command="true"), "overrides.containerOverrides[0].command", "a list is allowed"),
        (overriding(command=[1]), "overrides.containerOverrides[0].command[0]", "text in quotes is allowed"),
        (overriding(cpu="128"), "overrides.containerOverrides[0].cpu", "a whole number is allowed"),
        (overriding(cpu=True), "overrides.containerOverrides[0].cpu", "a whole number is allowed"),
        (
            overriding(environment=[{"name": "A"}]),
            "overrides.containerOverrides[0].environment[0]",
            "{'name': …, 'value': …}",
        ),
        (
            overriding(environment=[{"name": "", "value": "x"}]),
            "overrides.containerOverrides[0].environment",
            "not empty",
        ),
        ({"cpu": 512}, "overrides.cpu", "text in quotes is allowed"),
        ({"cpu": "half"}, "overrides.cpu", "a whole number in quotes"),
        ({"cpu": "4096"}, "overrides.memory", "with cpu 4096 Fargate has 8192 to 30720"),
        ({"taskRoleArn": "arn:aws:iam::123456789012:role/r"}, "overrides.taskRoleArn", "set task_role_arn"),
        (
            {"executionRoleArn": "arn:aws:iam::123456789012:role/r"},
            "overrides.executionRoleArn",
            "set execution_role_arn",
        ),
        (
            {"containerOverrides": [{1: 2, "name": "main"}]},
            "overrides.containerOverrides[0].1",
            "RunTask has no such override",
        ),
        ({"ephemeralStorage": {"a": {1, 2}}}, "overrides", "only what JSON knows is allowed"),
        ({"ephemeralStorage": {"a": float("nan")}}, "overrides", "only what JSON knows is allowed"),
        (overriding(command=["\ud800"]), "overrides", "only what JSON knows is allowed"),
    ],
)
def test_overrides_that_runtask_refuses_are_refused(overrides, field, words):
    found = {fault.field: fault.mend for fault in faults(overrides=overrides)}
    assert words in found[field]


def test_overrides_name_the_specs_own_container():
    assert made(container="app", overrides={"containerOverrides": [{"name": "app"}]}).container == "app"


def test_the_input_has_8192_characters_at_most_as_terraform_writes_it():
    frame = len(json.dumps(overriding(command=[""]), separators=(",", ":")))
    assert made(overrides=overriding(command=["x" * (8192 - frame)]))
    fault = one_fault(overrides=overriding(command=["x" * (8193 - frame)]))
    assert (fault.field, fault.value) == ("overrides", "(too long)")
    assert fault.mend == "8193 characters as JSON; at most 8192 are allowed"
    # Terraform's jsonencode writes <, > and & as six characters each.
    assert "8196 characters" in one_fault(overrides=overriding(command=["x" * (8190 - frame) + "<"])).mend


# ---------------------------------------------------------------- names that are derived


def test_names_are_derived_from_the_name():
    wanted = made(name="every.day_2am")
    assert wanted.family_name == "every-day_2am"
    assert wanted.schedule_role_name == "every.day_2am-schedule"
    assert wanted.task_role_name == "every.day_2am-task"
    assert wanted.execution_role_name == "every.day_2am-execution"
    assert wanted.log_group_name == "/ecs/every.day_2am"
    assert wanted.dlq_name == "every-day_2am-dlq"
    assert made(family="other").family_name == "other"


@pytest.mark.parametrize("length", [1, 53, 54, 55, 59, 60, 64])
def test_derived_names_fit_whatever_the_length_of_the_name(length):
    wanted = made(name="n" * length)
    for name in (wanted.schedule_role_name, wanted.task_role_name, wanted.execution_role_name):
        assert re.fullmatch(r"[\w+=,.@-]{1,64}", name)
    assert len(wanted.dlq_name) <= 80
    assert len(wanted.family_name) <= 255


def test_a_long_name_is_shortened_by_its_hash_and_the_same_every_time():
    # the first eight digits that sha256sum prints for 64 n
    assert role_name("n" * 64, "-execution") == "n" * 45 + "-ce068a19-execution"
    assert role_name("n" * 54, "-execution") == "n" * 54 + "-execution"


@given(st.sets(st.text("ab-._", min_size=40, max_size=64), min_size=2, max_size=20))
def test_no_two_names_share_a_role(names):
    for suffix in ("-schedule", "-task", "-execution"):
        assert len({role_name(name, suffix) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("fields", "tagged"),
    [
        ({}, False),
        ({"tags": {"Team": "x"}}, False),
        ({"propagate_tags": True}, True),
        ({"enable_ecs_managed_tags": True}, True),
    ],
)
def test_runtask_tags_what_it_is_asked_to_tag(fields, tagged):
    assert tasks_tagged(made(**fields)) is tagged


# ---------------------------------------------------------------- as it is shown


def test_the_table_escapes_what_it_shows():
    shown = made(description="<script>alert('${x}')</script>", command=["<b>", '"&"'])._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;alert(&#x27;${x}&#x27;)&lt;/script&gt;" in shown
    assert "&lt;b&gt;" in shown


def test_the_table_shows_names_of_variables_and_never_their_values():
    wanted = made(
        environment={"GREETING": "value-one"},
        secrets={"DB": "arn:aws:ssm:eu-west-1:123456789012:parameter/value-two"},
        overrides=overriding(environment=[{"name": "MODE", "value": "value-three"}]),
    )
    shown = wanted._repr_html_()
    assert all(name in shown for name in ("GREETING", "DB", "MODE"))
    assert "value-" not in shown
    assert "value-one" not in repr(wanted)
    assert "value-three" not in repr(wanted)


def test_the_table_is_short_and_has_what_differs_from_the_default():
    shown = made(task_count=3)._repr_html_()
    assert re.search(r"<th[^>]*>task_count</th><td[^>]*><code>3</code></td>", shown)
    assert "retry_attempts" not in shown
    assert shown.count("<tr>") == 11


def test_what_may_hold_a_secret_is_known_by_name_or_by_value():
    assert rules.is_secret("x", "AKIAIOSFODNN7EXAMPLE")
    assert not rules.is_secret("GREETING", "hello")


# ---------------------------------------------------------------- the notebook's `more`


def test_more_gives_what_has_no_parameter_of_its_own():
    assert spec({"launch_type": None, "task_count": 2}, **PLAIN) == made(launch_type=None, task_count=2)


def test_what_stands_in_more_and_has_a_parameter_is_one_fault_beside_the_others():
    with pytest.raises(SpecError) as refused:
        spec({"name": "weekly", "environment": {"A": "hush"}, "task_count": 11}, **PLAIN, environment={"B": "b"})
    twice = "it stands in more and has a parameter of its own: leave it out of more, and set the parameter"
    assert refused.value.faults == (
        Fault("name", "'weekly'", twice),
        Fault("environment", "(not shown)", twice),
        Fault("task_count", "11", "1 to 10 is allowed"),
    )


def test_a_number_for_a_name_in_more_is_no_such_field():
    with pytest.raises(SpecError) as refused:
        spec({7: "x"}, **PLAIN)
    (fault,) = refused.value.faults
    assert (fault.field, fault.mend[:24]) == ("7", "there is no such field; ")
