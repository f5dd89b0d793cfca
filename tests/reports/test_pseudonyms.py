"""What may not be told has one pseudonym everywhere; what is nobody's stays."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_checks import HOME, checked, row
from one_row import DEFINITION

from ecs_runbook.errors import WorkspaceError
from ecs_runbook.inventory.model import Facts, Inventory, Machine
from ecs_runbook.reports.pseudonyms import KEY_VARIABLE, Pseudonyms, key, names_in

ACCOUNT = "111122223333"
ARN = f"arn:aws:ecs:eu-west-2:{ACCOUNT}:task-definition/payroll-job:7"


@pytest.fixture
def hidden():
    return Pseudonyms(b"a key of some length", names_in(checked(rows=[row("payroll")]).inventory))


def test_a_name_is_hidden_in_prose_in_a_subject_and_in_an_arn_by_the_same_pseudonym(hidden):
    told = hidden.text(f"payroll-job in the bus acme/payroll#1; {ARN}.")
    name = hidden.name("payroll-job")
    assert re.fullmatch(r"name-[a-z2-7]{8}", name)
    assert told.startswith(f"{name} in the bus ")
    assert told.endswith(f"task-definition/{name}:7.")
    assert "payroll" not in told


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"account {ACCOUNT} answered", ACCOUNT),
        (f"{ACCOUNT}.dkr.ecr.eu-west-2.amazonaws.com/acme/app:1 cannot be pulled", "acme"),
        ("docker.io/acme/app:1 cannot be pulled", "acme"),
        (f"https://sqs.eu-west-2.amazonaws.com/{ACCOUNT}/acme-dead", "acme"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/acme-events/session-of-acme is not authorized", "acme"),
        ("arn:aws:s3:::acme-reports/x", "acme"),
        ("subnet-0a1b2c3d4e5f60718, sg-0a1b2c3d", "0a1b2c3d"),
        ("started by events-rule/acme-nightly-payrol", "acme"),
        ("task 0123456789abcdef0123456789abcdef stopped", "0123456789abcdef"),
    ],
)
def test_what_is_known_by_its_form_is_hidden_though_nobody_named_it(hidden, text, secret):
    assert secret not in hidden.text(text)


def test_what_is_aws_own_or_nobodys_stays(hidden):
    text = (
        "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceEventsRole, "
        "arn:aws:scheduler:::aws-sdk:ecs:runTask, "
        "ecs-tasks.amazonaws.com may call ecs:RunTask at 2026-11-24 07:00:00 in eu-west-2; see "
        "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/x.html, 12 of 5,000 targets"
    )
    assert hidden.text(text) == text


def test_a_name_of_two_characters_is_hidden_as_a_word_unless_it_is_one_of_every_sentence():
    short = Pseudonyms(b"a key of some length", ["db", "in", "x"])
    assert short.text("db runs in x; db-2 and dba do not") == f"{short.name('db')} runs in x; db-2 and dba do not"
    rules = [f"arn:aws:events:eu-west-2:111122223333:rule/{name}" for name in ("db", "in", "x")]
    assert [short.text(one).rpartition("/")[2] for one in rules] == [short.name(name) for name in ("db", "in", "x")]


def test_no_account_stays_as_it_is_by_a_chance_of_the_key():
    keys = [f"a key of some length {number}".encode() for number in range(1000)]
    assert [one for one in keys if ACCOUNT in Pseudonyms(one).text(f"{ACCOUNT} {ARN}")] == []


def test_an_account_of_pseudonyms_has_twelve_digits_and_each_its_own(hidden):
    accounts = {hidden.account(f"{number:012}") for number in range(1000)}
    assert len(accounts) == 1000
    assert all(re.fullmatch(r"\d{12}", account) for account in accounts)


@given(st.text(st.sampled_from("payrol-job0123456789:/.#'\"<> arn"), max_size=80))
def test_what_is_hidden_once_stays_as_it_is(text):
    hidden = Pseudonyms(b"a key of some length", ["payroll", "payroll-job"])
    once = hidden.text(f"{text} payroll {ARN} {text}")
    assert hidden.text(once) == once


def test_another_key_makes_other_pseudonyms():
    one, other = Pseudonyms(b"a key of some length"), Pseudonyms(b"another key, as long")
    assert one.text(ARN) != other.text(ARN)


def test_markup_keeps_its_tags_its_scripts_and_its_form_whatever_a_rule_is_called():
    hidden = Pseudonyms(b"a key of some length", ["table", "script", "class", "function"])
    markup = '<table class="function"><td title="table">table</td></table><script>function table() {}</script>'
    name = hidden.name("table")
    assert hidden.markup(markup) == (
        f'<table class="function"><td title="{name}">{name}</td></table><script>function table() {{}}</script>'
    )


def test_json_keeps_its_keys_and_words_of_our_own_are_nobodys_names():
    hidden = Pseudonyms(b"a key of some length", ["status", "NG", "pinned-revision", "payroll"])
    told = {"status": "NG", "check": "pinned-revision", "payroll": "payroll", ARN: 1, "count": 12}
    assert list(hidden.value(told))[:3] == ["status", "check", "payroll"]
    assert ACCOUNT not in json.dumps(hidden.value(told))
    assert hidden.value(told)["status"] == "NG"
    assert hidden.value(told)["check"] == "pinned-revision"
    assert hidden.value(told)["count"] == 12


def test_an_environment_keeps_nothing_but_its_length(hidden):
    told = hidden.value(
        {"overrides": [{"environment": [{"name": "DB", "value": "db.internal"}], "command": ["payroll"]}]}
    )
    assert told["overrides"][0]["environment"] == [{"name": "***", "value": "***"}]
    assert told["overrides"][0]["command"] == [hidden.name("payroll")]


def test_the_roles_of_a_task_and_the_topic_of_a_state_machine_are_names_too():
    topic, iam = f"arn:aws:sns:eu-west-2:{ACCOUNT}:acme-lost", f"arn:aws:iam::{ACCOUNT}:role"
    known = replace(DEFINITION, task_role=f"{iam}/acme-task", execution_role=f"{iam}/path/acme-execution")
    of_a_machine = replace(row("payroll"), machine=Machine(acts=(("sns:Publish", topic),)))
    names = names_in(Inventory([of_a_machine]), [Facts(HOME, latest={"payroll": known})])
    hidden = Pseudonyms(b"a key of some length", names)
    assert "acme" not in hidden.text("acme-task and acme-execution are passed; acme-lost is told")


def test_pictures_are_left_as_they_are(hidden):
    output = {"output_type": "display_data", "data": {"image/png": "payroll", "text/plain": "payroll"}}
    assert hidden.output(output)["data"] == {"image/png": "payroll", "text/plain": hidden.name("payroll")}


def test_the_key_is_made_once_and_nobody_else_may_read_it(tmp_path):
    first = key(tmp_path, {})
    assert len(first) == 64
    assert key(tmp_path, {}) == first
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]


def test_a_key_can_be_given_and_a_short_one_is_refused(tmp_path):
    assert key(tmp_path, {KEY_VARIABLE: "0123456789abcdef"}) == b"0123456789abcdef"
    with pytest.raises(WorkspaceError, match=r"ECS_RUNBOOK_PSEUDONYM_KEY has 3 characters\. It needs 16 at least"):
        key(tmp_path, {KEY_VARIABLE: "abc"})
    assert list(tmp_path.iterdir()) == []
