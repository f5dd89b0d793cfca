"""What is written is whole, plain, and without secrets."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecs_runbook.errors import WorkspaceError
from ecs_runbook.reports.writing import as_json, plain, redacted, write

KEY_ID = "AKIA" + "ABCDEFGHIJKLMNOP"
TEMPORARY_ID = "ASIA" + "Y34FZKBOKMUTVV7A"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz"
TOKEN = "IQoJb3JpZ2lu" + "X2VjEOv//////////wEaCXVzLWVhc3QtMSJHMEUCIQDe" * 3


@pytest.mark.parametrize("secret", [KEY_ID, TEMPORARY_ID])
@pytest.mark.parametrize("around", ["{}", '"{}"', "key={}.", "({})", "{}\n"])
def test_access_key_ids_keep_four_letters(secret, around):
    assert redacted(around.format(secret)) == around.format(secret[:4] + "*" * 16)


@pytest.mark.parametrize(
    "text",
    [
        "aws_secret_access_key = {}",
        "AWS_SECRET_ACCESS_KEY={}",
        '"SecretAccessKey": "{}"',
        '{{\\"secretAccessKey\\": \\"{}\\"}}',
        "aws_session_token={}",
        "SessionToken: '{}'",
        "X-Amz-Security-Token={}&x=1",
        "secretAccessKey=&quot;{}&quot;",
    ],
)
def test_a_secret_called_by_its_name_is_blanked(text):
    assert redacted(text.format(SECRET)) == text.format("***")


def test_a_session_token_is_known_by_how_it_begins():
    assert redacted(f"header {TOKEN} end") == "header *** end"


def test_a_secret_in_a_mapping_is_known_by_its_key():
    assert redacted({"Credentials": [{"SecretAccessKey": "x", "AWS_SESSION_TOKEN": "y", "other": "z"}]}) == {
        "Credentials": [{"SecretAccessKey": "***", "AWS_SESSION_TOKEN": "***", "other": "z"}]
    }


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:iam::123456789012:role/AKIA",
        "AKIAshort",
        "session token: none",
        "secret access key",
        "x" + KEY_ID,
        "3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
        "aws_session_token = null",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


def test_a_picture_is_left_as_it_is():
    assert redacted({"image/png": f"/{KEY_ID}/", "text/plain": KEY_ID}) == {
        "image/png": f"/{KEY_ID}/",
        "text/plain": "AKIA" + "*" * 16,
    }


class Launch(Enum):
    FARGATE = "FARGATE"


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (datetime(2026, 11, 24, 17, tzinfo=UTC), "2026-11-24T17:00:00Z"),
        (datetime(2026, 11, 24, 18, tzinfo=timezone(timedelta(hours=1))), "2026-11-24T17:00:00Z"),
        (pd.Timestamp("2026-11-24T17:00:00Z"), "2026-11-24T17:00:00Z"),
        (date(2026, 11, 24), "2026-11-24"),
        (float("nan"), None),
        (float("inf"), None),
        (pd.NaT, None),
        (pd.NA, None),
        (np.int64(5), 5),
        (np.array([1, 2]), [1, 2]),
        (Decimal("1.5"), 1.5),
        (Launch.FARGATE, "FARGATE"),
        (Point(1), {"x": 1}),
        ((1, {2}), [1, [2]]),
        ({1: Path("a") / "b"}, {"1": "a/b"}),
        (True, True),
    ],
)
def test_everything_is_said_as_json_can_say_it(value, said):
    assert plain(value) == said


def test_a_table_is_a_list_of_rows():
    table = pd.DataFrame({"at": [pd.Timestamp("2026-11-24T17:00:00Z"), pd.NaT], "revision": [2, 3]})
    assert plain(table) == [{"at": "2026-11-24T17:00:00Z", "revision": 2}, {"at": None, "revision": 3}]


def test_json_keeps_unicode_and_hides_secrets():
    text = as_json({"name": "夜", "key": KEY_ID})
    assert "夜" in text
    assert json.loads(text) == {"name": "夜", "key": "AKIA" + "*" * 16}


def test_a_write_replaces_and_leaves_nothing_else(tmp_path):
    write(tmp_path / "a.txt", "old")
    write(tmp_path / "a.txt", "neu\ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "neu\\ud800"


def test_a_write_that_fails_names_the_file_and_leaves_nothing(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").touch()
    with pytest.raises(WorkspaceError, match=r"taken cannot be written: .+ Give yourself write access"):
        write(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
