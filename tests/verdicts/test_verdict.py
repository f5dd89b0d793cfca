"""A verdict is what its checks come to."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import ecs_runbook.reports
from ecs_runbook.verdicts.verdict import Check, Verdict, judged, worst

AT = datetime(2026, 11, 24, 17, 5, 0, 250_000, tzinfo=UTC)
SCHEMA = json.loads((Path(ecs_runbook.reports.__file__).parent / "verdict.schema.json").read_text())


def verdict(*statuses):
    checks = tuple(Check(f"check-{place}", "nightly", status, "seen") for place, status in enumerate(statuses))
    return Verdict("40_prove", "local", "123456789012", "us-east-1", AT, checks)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((), "SKIP"),
        (("OK",), "OK"),
        (("OK", "OK"), "OK"),
        (("OK", "SKIP"), "SKIP"),
        (("SKIP",), "SKIP"),
        (("OK", "SKIP", "NG"), "NG"),
        (("NG",), "NG"),
    ],
)
def test_one_ng_is_ng_and_skip_is_not_ok(statuses, expected):
    assert verdict(*statuses).status == expected
    assert worst(statuses) == expected


def test_the_file_has_exactly_these_fields():
    assert verdict("OK").to_dict() == {
        "notebook": "40_prove",
        "where": "local",
        "account": "123456789012",
        "region": "us-east-1",
        "at": "2026-11-24T17:05:00.250Z",
        "status": "OK",
        "checks": [{"id": "check-0", "subject": "nightly", "status": "OK", "because": "seen", "next": ""}],
    }


@pytest.mark.parametrize("statuses", [(), ("OK",), ("NG", "SKIP")])
def test_it_is_what_the_schema_says(statuses):
    Draft202012Validator(SCHEMA).validate(verdict(*statuses).to_dict())


def test_a_check_with_another_status_is_refused():
    with pytest.raises(ValueError, match=r"status = 'FINE': a check is OK, NG or SKIP\."):
        Check("id", "nightly", "FINE", "seen")


def test_a_check_without_because_is_refused():
    with pytest.raises(ValueError, match="a check has an id and says because"):
        Check("id", "nightly", "OK", "")


def test_as_text_it_says_what_to_do_next():
    check = Check("runs-seen", "nightly", "SKIP", "no run was seen", "Fire it.")
    shown = str(Verdict("40_prove", "aws", "111122223333", "eu-west-1", AT, (check,)))
    assert shown.splitlines() == [
        "40_prove: SKIP · aws · account 111122223333 · eu-west-1 · 2026-11-24 17:05:00 UTC",
        "SKIP  runs-seen  nightly  no run was seen",
        "      next: Fire it.",
    ]


def test_in_a_notebook_no_word_of_aws_becomes_markup():
    check = Check("runs-refused", "<b>nightly</b>", "NG", "<script>alert(1)</script>")
    shown = Verdict("40_prove", "local", "123456789012", "us-east-1", AT, (check,))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_judged_takes_checks_and_lists_of_checks_and_the_aws_clock():
    class Aws:
        where, account, region = "local", "123456789012", "us-east-1"

        def now(self):
            return AT

    one, two = Check("a", "s", "OK", "seen"), Check("b", "s", "OK", "seen")
    assert judged("40_prove", Aws(), one, [two]).checks == (one, two)
    assert judged("40_prove", Aws()).at == AT
