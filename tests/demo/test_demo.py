"""`make demo`, whole, in an environment that tries to lead it to a real account."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import jsonschema
import pytest

from ecs_runbook.local_aws import process

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "lib/ecs_runbook/reports/verdict.schema.json").read_text())


@pytest.fixture(scope="module")
def elsewhere():
    """An address that stands for the real AWS: whoever comes is noted."""
    listener = socket.create_server(("127.0.0.1", 0))
    visits = []

    def note():
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            visits.append(address)
            connection.close()

    threading.Thread(target=note, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", visits
    listener.close()


@pytest.fixture(scope="module")
def told(tmp_path_factory, elsewhere):
    """What the demo printed, and the folder that it wrote to."""
    address, _ = elsewhere
    home = tmp_path_factory.mktemp("home")
    config = home / "aws-config"
    config.write_text(f"[profile production]\nregion = eu-central-1\nendpoint_url = {address}\n")
    hostile = {
        "AWS_PROFILE": "production",
        "AWS_CONFIG_FILE": str(config),
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": address,
        "AWS_ENDPOINT_URL_ECS": address,
        "AWS_ENDPOINT_URL_STS": address,
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_CA_BUNDLE": "/nowhere",
        "TF_VAR_name": "led-astray",
        "TF_CLI_ARGS": "-no-such-flag",
        "TF_WORKSPACE": "elsewhere",
        "HTTP_PROXY": address,
        "http_proxy": address,
    }
    env = {**os.environ, **hostile, "ECS_RUNBOOK_HOME": str(home)}
    command = [sys.executable, "-m", "ecs_runbook.demo"]
    run = subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=420, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout, home


def test_the_latest_revision_runs_and_the_pinned_schedule_stays_behind(told):
    printed, _ = told
    (first,) = re.findall(r"revision 1 there +(.+?)  +(\S.*)", printed)
    (second,) = re.findall(r"revision 2 there +(.+?)  +(\S.*)", printed)
    assert first[0].startswith("ran everyday2am:1")
    assert second[0].startswith("ran everyday2am:2")
    assert re.search(r"revision 1 there +ran everyday2am:1 +LATEST +ran everyday2am-pinned:1 +LATEST", printed)
    assert re.search(r"revision 2 there +ran everyday2am:2 +LATEST +ran everyday2am-pinned:1 +STALE", printed)


def test_it_never_left_this_machine(told, elsewhere):
    assert elsewhere[1] == []


def test_every_run_left_a_verdict_by_the_schema_and_a_page_that_loads_nothing(told):
    _, home = told
    folders = sorted(path for path in (home / "runs").iterdir() if not path.is_symlink())
    assert len(folders) == 11
    for folder in folders:
        verdict = json.loads((folder / "verdict.json").read_text())
        jsonschema.validate(verdict, SCHEMA)
        (page,) = folder.glob("*.html")
        loaded = re.findall(r"""(?:src|href)\s*=\s*["']?(https?:)?//""", page.read_text())
        assert loaded == [], page


@pytest.mark.parametrize(("notebook", "check_id"), [("10_generate", "pinned-revision"), ("40_prove", "runs-latest")])
def test_the_pinned_schedule_is_not_good_for_that_reason_alone(told, notebook, check_id):
    _, home = told
    verdicts = [json.loads(path.read_text()) for path in (home / "runs").glob(f"2*-{notebook}*/verdict.json")]
    (pinned,) = [one for one in verdicts if one["status"] == "NG"]
    bad = {check["id"]: check["subject"] for check in pinned["checks"] if check["status"] != "OK"}
    assert bad == {check_id: "everyday2am-pinned"}


def test_what_is_pinned_is_told_with_its_line_and_its_mend_before_anything_runs(told):
    printed, home = told
    assert re.search(r"10_generate +everyday2am-pinned +NG, as it must ", printed)
    checks = [
        check
        for path in (home / "runs").glob("2*-10_generate*/verdict.json")
        for check in json.loads(path.read_text())["checks"]
        if check["id"] == "pinned-revision"
    ]
    (pinned,) = checks
    assert pinned["because"].startswith("main.tf:28 aws_cloudwatch_event_target.this: it is aws_ecs_task_definition.")
    assert "aws_ecs_task_definition.this.arn_without_revision" in pinned["next"]


def test_the_pictures_are_in_the_pages(told):
    _, home = told
    pages = [*(home / "runs").glob("2*-40_prove*/*.html"), *(home / "runs").glob("2*-00_start_here/*.html")]
    pictures = [re.findall(r'src="data:image/png;base64,(iVBORw0KGgo[^"]{2000,})"', page.read_text()) for page in pages]
    assert sorted(map(len, pictures)) == [1, 1, 2]


def test_evidence_is_kept_as_receipts(told):
    _, home = told
    receipts = {path.parent.name.split("-", 1)[1]: path for path in (home / "runs").glob("2*/receipt.json")}
    assert {"20_apply", "25_new_revision", "30_fire", "40_prove", "90_destroy"} <= {name[:15] for name in receipts}
    proved = json.loads(receipts["40_prove"].read_text())
    assert proved["records"]["CloudTrail"]


def test_no_secret_of_the_environment_is_written_anywhere(told):
    _, home = told
    written = [path for path in home.rglob("*") if path.is_file() and path.stat().st_size < 5_000_000]
    assert len(written) > 50
    for path in written:
        content = path.read_bytes()
        assert b"bPxRfiCYEXAMPLEKEY" not in content, path
        assert b"AKIAIOSFODNN7EXAMPLE" not in content, path


def test_nothing_is_left_running(told):
    _, home = told
    assert process.status(home / ".local") is None
    assert list((home / ".local").glob("demo-*")) == []
