"""Which AWS is spoken to: the local one whatever the environment says, the real one only if it was named."""

import socket
import threading

import pytest

from ecs_runbook.errors import AccountMismatch, AwsError, LocalAwsError, NotLoopback, SessionError
from ecs_runbook.local_aws import process
from ecs_runbook.session import connect, require_loopback


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = process.start(tmp_path_factory.mktemp("aws"))
    yield server
    process.stop(server.folder)


@pytest.fixture
def elsewhere():
    """An address on this machine that stands for the real AWS: it notes whether anybody came."""
    listener = socket.create_server(("127.0.0.1", 0))
    visits = []
    threading.Thread(target=lambda: visits.append(listener.accept()), daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", visits
    listener.close()


HOSTILE = {
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-central-1",
    "AWS_RETRY_MODE": "bogus",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_CA_BUNDLE": "/nowhere",
    "AWS_DEFAULTS_MODE": "bogus",
}


def test_local_goes_to_loopback_whatever_the_environment_says(server, elsewhere, monkeypatch, tmp_path):
    address, visits = elsewhere
    config = tmp_path / "config"
    config.write_text(f"[profile production]\nregion = eu-central-1\nendpoint_url = {address}\n")
    settings = {**HOSTILE, "AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(config)}
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_ECS", "HTTP_PROXY", "http_proxy"):
        settings[name] = address
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    aws = connect("local", endpoint=server.url)
    aws.client("ecs").list_clusters()

    assert (aws.account, aws.region, aws.endpoint) == ("123456789012", "us-east-1", server.url)
    assert aws.client("ecs").meta.endpoint_url == server.url
    assert visits == []


def test_local_signs_with_keys_that_no_real_account_takes(server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", HOSTILE["AWS_ACCESS_KEY_ID"])
    aws = connect("local", endpoint=server.url)
    assert aws.client("sts")._request_signer._credentials.access_key == "local"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://ecs.us-east-1.amazonaws.com",
        "http://169.254.169.254:80",
        "http://127.0.0.1.example.org:5000",
        "http://127.0.0.1@example.org:5000",
        "http://example.org:5000#127.0.0.1",
        "http://localhost.example.org:5000",
        "http://2130706433.example:80",
        "http://0.0.0.0:5000",
        "//127.0.0.1:5000",
        "127.0.0.1:5000",
        "http://127.0.0.1",
        "http://[::1",
    ],
)
def test_local_refuses_an_endpoint_that_is_not_on_this_machine(endpoint):
    with pytest.raises(NotLoopback) as refused:
        connect("local", endpoint=endpoint)
    assert repr(endpoint) in str(refused.value)
    assert "http://127.0.0.1:<port>" in refused.value.hint


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:5000", "http://127.8.9.1:5000/", "http://[::1]:5000"])
def test_the_whole_loopback_range_is_this_machine(endpoint):
    assert require_loopback(endpoint) == endpoint.rstrip("/")


def test_a_local_aws_that_does_not_answer_is_told_with_its_address_and_the_mend():
    with pytest.raises(LocalAwsError, match=r"No local AWS answers at http://127\.0\.0\.1:1: ") as refused:
        connect("local", endpoint="http://127.0.0.1:1")
    assert "Start one with `ecs-runbook local start`" in str(refused.value)


def test_an_account_that_was_named_is_compared_locally_too(server):
    with pytest.raises(AccountMismatch, match="account = '111122223333' was named, but where = 'local'"):
        connect("local", account="111122223333", endpoint=server.url)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"where": "prod"}, "where = 'prod' is not known"),
        ({"where": "aws"}, "needs account, the 12 digits"),
        ({"where": "aws", "account": "1111-2222-3333"}, "account = '1111-2222-3333' is not an account id"),
        ({"where": "aws", "account": "١" * 12}, "is not an account id"),
        ({"where": "aws", "account": "111122223333", "endpoint": "http://127.0.0.1:1"}, "is for where = 'local'"),
        ({"where": "local", "profile": "production"}, "is for where = 'aws'"),
        ({"where": "local", "region": "Frankfurt"}, "region = 'Frankfurt' is not the name of a Region"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_anything_is_asked(parameters, words):
    with pytest.raises(SessionError) as refused:
        connect(**parameters)
    assert words in str(refused.value)
    assert refused.value.hint


def as_a_real_account(server, monkeypatch, tmp_path):
    """The local AWS in the part of a real account: reached through the person's own configuration."""
    (tmp_path / "config").write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


def test_aws_is_entered_only_if_the_account_that_was_named_answers(server, monkeypatch, tmp_path):
    as_a_real_account(server, monkeypatch, tmp_path)
    aws = connect("aws", account="123456789012", region="eu-west-2")
    assert (aws.where, aws.account, aws.region, aws.life) == ("aws", "123456789012", "eu-west-2", "")
    assert server.url in str(aws)


def test_a_real_account_sees_who_asks_and_the_id_that_the_person_gave_the_application(server, monkeypatch, tmp_path):
    as_a_real_account(server, monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_SDK_UA_APP_ID", "nightly-audit")
    ecs, sent = connect("aws", account="123456789012", region="eu-west-2").client("ecs"), []
    ecs.meta.events.register("before-send", lambda request, **_: sent.append(request.headers["User-Agent"].decode()))
    ecs.list_clusters()
    (words,) = (agent.split() for agent in sent)
    assert words[0].startswith("Boto3/")
    assert {"app/nightly-audit", "ecs-runbook"} <= set(words)


def test_aws_refuses_another_account_and_says_who_answered(server, monkeypatch, tmp_path):
    as_a_real_account(server, monkeypatch, tmp_path)
    with pytest.raises(AccountMismatch) as refused:
        connect("aws", account="111122223333")
    assert "'111122223333' was named, but 123456789012 answered" in str(refused.value)
    assert "Nothing was changed" in refused.value.hint


def test_aws_with_a_profile_that_is_not_there_says_how_to_sign_in(monkeypatch, tmp_path):
    (tmp_path / "config").write_text("")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(SessionError) as refused:
        connect("aws", account="111122223333", profile="nobody")
    assert "nobody" in str(refused.value)
    assert "Sign in" in refused.value.hint


def test_time_is_the_local_clocks(tmp_path):
    server = process.start(tmp_path)
    try:
        aws = connect("local", endpoint=server.url)
        process.clock(server, freeze=True)
        before = aws.now()
        process.clock(server, advance="24h")
        assert (aws.now() - before).total_seconds() == 86400
    finally:
        process.stop(tmp_path)


# -------- other Regions and other accounts

OTHER = "444455556666"


@pytest.fixture(scope="module")
def audit(server):
    """The ARN of a role in another account of the local AWS, that asks for an external id."""
    import json

    import boto3

    iam = boto3.client(
        "iam",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=OTHER,
        aws_secret_access_key="x",
    )
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "blue"}},
    }
    may = {"Effect": "Allow", "Action": "ecs:ListClusters", "Resource": "*"}
    role = iam.create_role(RoleName="audit", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]
    policy = {"Version": "2012-10-17", "Statement": [may]}
    iam.put_role_policy(RoleName="audit", PolicyName="read", PolicyDocument=json.dumps(policy))
    return role["Arn"]


def test_elsewhere_is_the_same_account_in_another_region(server):
    aws = connect("local", endpoint=server.url, region="eu-west-2")
    there = aws.elsewhere(region="us-east-1")
    assert (there.account, there.region, there.endpoint) == (aws.account, "us-east-1", server.url)
    assert ":us-east-1:" in there.client("ecs").list_clusters()["clusterArns"][0]
    assert ":eu-west-2:" in aws.client("ecs").list_clusters()["clusterArns"][0]


def test_elsewhere_is_the_account_of_a_role_that_lets_one_in(server, audit):
    aws = connect("local", endpoint=server.url)
    there = aws.elsewhere(region="eu-west-1", role=audit, external_id="blue")
    assert (there.account, there.region) == (OTHER, "eu-west-1")
    assert there.caller == f"arn:aws:sts::{OTHER}:assumed-role/audit/ecs-runbook"
    assert there.client("ecs").list_clusters()["clusterArns"] == [f"arn:aws:ecs:eu-west-1:{OTHER}:cluster/default"]
    assert aws.client("sts").get_caller_identity()["Account"] == "123456789012"


def test_elsewhere_in_the_local_aws_stays_on_this_machine_whatever_the_environment_says(
    server, audit, elsewhere, monkeypatch
):
    address, visits = elsewhere
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_ECS", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, address)
    there = connect("local", endpoint=server.url).elsewhere(role=audit, external_id="blue")
    there.client("ecs").list_clusters()
    assert {there.client(service).meta.endpoint_url for service in ("ecs", "sts", "iam")} == {server.url}
    assert visits == []


def test_elsewhere_on_aws_goes_by_the_persons_own_configuration(server, audit, monkeypatch, tmp_path):
    as_a_real_account(server, monkeypatch, tmp_path)
    there = connect("aws", account="123456789012").elsewhere(role=audit, external_id="blue")
    assert (there.where, there.account) == ("aws", OTHER)
    assert there.client("ecs").meta.endpoint_url == server.url


@pytest.mark.parametrize("external_id", ["", "red"])
def test_a_role_that_does_not_let_one_in_is_told_in_awss_words(server, audit, external_id):
    with pytest.raises(AwsError) as refused:
        connect("local", endpoint=server.url).elsewhere(role=audit, external_id=external_id)
    assert (refused.value.operation, refused.value.code) == ("sts:AssumeRole", "AccessDenied")
    assert audit in refused.value.words


def test_the_account_that_answers_must_be_the_one_in_the_roles_arn(server, audit):
    aws = connect("local", endpoint=server.url)

    def ask(operation, call, **parameters):
        answer = call(**parameters)
        return answer | ({"Account": "999988887777"} if operation == "sts:GetCallerIdentity" else {})

    with pytest.raises(AccountMismatch) as refused:
        aws.elsewhere(role=audit, external_id="blue", ask=ask)
    assert f"role = {audit!r} is of account {OTHER}, but 999988887777 answered" in str(refused.value)
    assert "Nothing was asked of it" in refused.value.hint


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"region": "Frankfurt"}, "region = 'Frankfurt' is not the name of a Region."),
        ({"role": "audit"}, "role = 'audit' is not the ARN of a role."),
        ({"role": "arn:aws:iam::444455556666:user/me"}, "is not the ARN of a role."),
    ],
)
def test_what_is_no_region_and_no_role_is_refused_before_anything_is_asked(server, parameters, words):
    with pytest.raises(SessionError, match=words):
        connect("local", endpoint=server.url).elsewhere(**parameters)


def test_a_session_that_runs_out_is_renewed_by_itself_and_counted(server, audit):
    from datetime import UTC, datetime, timedelta

    asked = []

    def ask(operation, call, **parameters):
        asked.append(operation)
        answer = call(**parameters)
        if operation == "sts:AssumeRole" and len(asked) == 1:
            answer["Credentials"]["Expiration"] = datetime.now(UTC) + timedelta(seconds=30)
        return answer

    there = connect("local", endpoint=server.url).elsewhere(role=audit, external_id="blue", ask=ask)
    there.client("ecs").list_clusters()
    assert asked.count("sts:AssumeRole") == 2


def test_clients_of_one_who_repeats_calls_himself_try_once_and_do_not_wait_for_long(server):
    config = connect("local", endpoint=server.url).elsewhere(answer_seconds=7).client("ecs").meta.config
    assert (config.retries["total_max_attempts"], config.read_timeout, config.connect_timeout) == (1, 7, 5)


def test_a_client_that_was_let_go_is_made_anew(server):
    aws = connect("local", endpoint=server.url)
    first = aws.client("ecs")
    assert aws.client("ecs") is first
    aws.forget_clients()
    assert aws.client("ecs") is not first
