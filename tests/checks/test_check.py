"""check(): what is asked wrongly is refused before anything is asked of AWS; what was turned off is handed on."""

from datetime import timedelta

import pytest
from one_row import NOW, PLACE

from ecs_runbook.checks.check import check
from ecs_runbook.checks.outcome import judge_checked
from ecs_runbook.errors import SpecError
from ecs_runbook.inventory.fleet import Fleet
from ecs_runbook.inventory.gate import Gate
from ecs_runbook.inventory.model import Gap, Inventory
from ecs_runbook.verdicts.verdict import worst

WINDOW = {"since": NOW - timedelta(hours=26), "until": NOW}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"zone": "Mars/Olympus"}, "not an IANA time zone"),
        ({"settings": "nowhere.toml"}, "The settings of the checks in 'nowhere.toml' cannot be read: No such file"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(asked, words):
    nobody = None  # asking it would be an AttributeError
    with pytest.raises(SpecError, match=words):
        check(nobody, Inventory(), **WINDOW, **asked)


def test_an_account_in_which_nothing_could_be_listed_is_no_ok(tmp_path):
    settings = tmp_path / "checks.toml"
    settings.write_text('[checks.policy-too-wide]\noff = true\nbecause = "shared roles"\n')
    gap = Gap("events:ListRules", "AccessDenied: no", denied=True, place=PLACE, subject="bus default")
    found = Inventory(gaps=[gap], places=[PLACE])
    checked = check(Fleet((), Gate(limited=False)), found, **WINDOW, settings=settings)
    assert [(one.check, one.status, one.because) for one in checked.findings] == [
        ("inventory", "SKIP", "the caller needs events:ListRules")
    ]
    assert checked.off == {"policy-too-wide": "shared roles"}
    assert (dict(checked.calls), len(checked.runs)) == ({}, 0)
    assert worst(one.status for one in judge_checked(checked)) == "SKIP"
