"""A whole row: what is right comes out OK, what could not be asked is SKIP, what is off or dormant harms nobody."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from one_row import FAMILY, NOW, PLACE, REQUEST, a_rule, a_schedule, facts, told, wrong

from ecs_runbook.checks.judge import CHECKS, judge
from ecs_runbook.checks.registry import KINDS, kinds_text
from ecs_runbook.checks.saying import Scene
from ecs_runbook.checks.settings import Settings
from ecs_runbook.cli import main
from ecs_runbook.errors import SpecError
from ecs_runbook.inventory.model import Facts, Gap, Inventory, Place
from ecs_runbook.inventory.permissions import ACTIONS


@pytest.mark.parametrize("row", [a_rule(), a_schedule()], ids=["rule", "schedule"])
def test_a_row_in_which_nothing_is_wrong_is_ok_in_every_check(row):
    found = told(row)
    assert wrong(found) == {}
    assert len(found) > 15


def test_a_row_of_which_nothing_is_known_is_skip_wherever_aws_must_be_asked_and_never_ok_there():
    request = replace(REQUEST, overrides=("main",), strategy=("FARGATE",), launch_type="")
    found = told(a_rule(request=request), Facts(PLACE))
    asked = {check for check in found if KINDS[check].needs} - {"pinned-revision"}  # of this the target itself tells
    assert {found[check].status for check in asked} == {"SKIP"}
    assert {check for check, finding in found.items() if finding.status == "OK"} == set(found) - asked
    assert all(finding.because and finding.mend for finding in found.values() if finding.status == "SKIP")


def test_the_inventorys_gaps_are_told_with_the_action_that_is_missing():
    denied = Gap("events:ListRules", "AccessDenied: no", denied=True, place=PLACE, subject="bus orders")
    late = Gap("scheduler:ListSchedules", "it did not answer", place=Place("444455556666", "us-east-1"))
    first, second = judge(Inventory(gaps=[denied, late]), {}, now=NOW)
    assert (first.check, first.status, first.subject) == ("inventory", "SKIP", "bus orders")
    assert (first.because, first.mend) == ("the caller needs events:ListRules", "Allow the caller events:ListRules.")
    assert (second.place.account, second.because) == ("444455556666", "scheduler:ListSchedules: it did not answer")


def test_what_is_wrong_with_a_rule_that_is_disabled_is_a_note():
    pinned = replace(REQUEST, definition=f"{FAMILY}:3")
    found = told(a_rule(request=pinned, enabled=False), facts(latest={}, pinned={}))
    assert found["schedule-disabled"].severity == "note"
    assert wrong(told(a_rule(enabled=False))) == {"schedule-disabled": "NG"}


def test_a_check_that_is_turned_off_says_nothing_and_one_that_is_graver_says_so():
    row = a_rule(dead_letters="", retry=None)
    settings = Settings(off={"no-retry-policy": "default is fine"}, severities={"no-dead-letter-queue": "error"})
    found = told(row, settings=settings)
    assert wrong(found) == {"no-dead-letter-queue": "NG"}
    assert found["no-dead-letter-queue"].severity == "error"


def test_every_check_is_listed_under_what_it_finds():
    bad = replace(REQUEST, definition=f"{FAMILY}:3", strategy=("FARGATE",), overrides=("nobody",), network=None)
    rows = [a_rule(), a_schedule(), a_rule(request=bad, role="", dead_letters="", retry=None, enabled=False)]
    scenes = [Scene(known, NOW) for known in (facts(), Facts(PLACE), facts(latest={}, roles={}))]
    for check in set(CHECKS.values()):
        own = {name for name, one in CHECKS.items() if one is check}
        found = {finding.check for row in rows for scene in scenes for finding in check(row, scene)}
        assert found <= own, check.__name__
        assert own == set(re.findall(r"``([a-z0-9-]+)``", check.__doc__.partition(":")[0]))
    after = {name for name in KINDS if name.startswith("runs-")}
    assert CHECKS.keys() == KINDS.keys() - after - {"inventory"}


def test_a_check_that_is_turned_off_is_not_made(monkeypatch):
    made = []
    monkeypatch.setitem(CHECKS, "pinned-revision", lambda *_: made.append(1) or iter(()))
    told(a_rule(), settings=Settings(off={"pinned-revision": "known"}))
    assert made == []
    told(a_rule())
    assert made == [1]


def test_a_zone_that_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(SpecError, match=r"timezone = 'Europe/Berln'.*did you mean Europe/Berlin"):
        judge(Inventory(), {}, now=NOW, zone="Europe/Berln")


def test_every_kind_names_a_notebook_that_there_is_and_where_it_is_known_from(request):
    notebooks = {path.stem for path in (request.config.rootpath / "notebooks").glob("*.ipynb")}
    assert {kind.notebook for kind in KINDS.values()} <= notebooks
    assert all(kind.source and kind.asks.endswith("?") and kind.means for kind in KINDS.values())
    assert all(id_ in kinds_text() for id_ in KINDS)


def test_a_check_needs_no_action_that_the_policy_of_the_check_leaves_out():
    allowed = {action for actions in ACTIONS.values() for action in actions}
    assert {action for kind in KINDS.values() for action in kind.needs} <= allowed


def test_the_command_line_lists_every_kind(capsys):
    assert main(["checks"]) == 0
    assert capsys.readouterr().out.rstrip("\n") == kinds_text()


def test_a_thousand_rows_take_seconds():
    rows = [a_rule(name=f"nightly-{number}") for number in range(1_000)]
    began = datetime.now(UTC)
    found = judge(Inventory(rows, places=[PLACE]), {PLACE: facts()}, now=NOW)
    assert len(found) > len(CHECKS) * 500
    assert (datetime.now(UTC) - began).total_seconds() < 5
