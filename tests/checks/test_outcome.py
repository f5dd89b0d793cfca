"""What findings come to in the verdict: the worst first, gaps once, what is in order counted."""

import pandas as pd
import pytest
from one_row import PLACE, a_rule

from ecs_runbook.checks.findings import Checked, Finding
from ecs_runbook.checks.outcome import judge_checked
from ecs_runbook.errors import SpecError
from ecs_runbook.inventory.model import Inventory
from ecs_runbook.verdicts.verdict import worst


def finding(check, status="OK", severity="error", subject="nightly", because="seen"):
    return Finding(
        check, PLACE, subject, status, because, "Mend it." if status != "OK" else "", severity, "10_generate"
    )


def outcome(*findings, fail_on="warning", off=None, rows=5):
    row = [a_rule(name=f"nightly-{number}") for number in range(rows)]
    checked = Checked(Inventory(row, places=[PLACE], others=3), findings, pd.DataFrame(), off=off or {})
    return judge_checked(checked, fail_on=fail_on)


def brief(checks):
    return [(check.id, check.subject, check.status) for check in checks]


def test_each_ng_at_the_level_or_above_is_a_row_the_worst_first():
    checks = outcome(
        finding("schedule-overlap", "NG", "warning"),
        finding("no-dead-letter-queue", "NG", "note"),
        finding("pinned-revision", "NG", subject="a"),
        finding("pinned-revision", "NG", subject="b"),
    )
    assert brief(checks)[:3] == [
        ("pinned-revision", "a in 111122223333/eu-west-2", "NG"),
        ("pinned-revision", "b in 111122223333/eu-west-2", "NG"),
        ("schedule-overlap", "nightly in 111122223333/eu-west-2", "NG"),
    ]
    assert checks[0].next == "Mend it. See 10_generate."


def test_what_is_milder_is_one_row_that_is_ok_and_counts():
    checks = outcome(*(finding("no-dead-letter-queue", "NG", "note", subject=f"n{number}") for number in range(4)))
    assert brief(checks) == [("milder-findings", "n0, n1, n2 and 1 more", "OK")]
    assert "4 found that are milder than warning: 4 no-dead-letter-queue (note)" in checks[0].because
    (check,) = outcome(finding("no-dead-letter-queue", "NG", "note"), fail_on="note")
    assert check.status == "NG"


def test_the_same_gap_of_many_rows_is_one_skip():
    denied = "the caller needs iam:SimulatePrincipalPolicy"
    gaps = [finding("run-task-missing", "SKIP", subject=f"n{number}", because=denied) for number in range(5)]
    checks = outcome(*gaps, finding("two-vpcs", "SKIP", because="the caller needs ec2:DescribeSubnets"))
    assert brief(checks) == [
        ("run-task-missing", "111122223333/eu-west-2", "SKIP"),
        ("two-vpcs", "nightly in 111122223333/eu-west-2", "SKIP"),
    ]
    assert checks[0].because == "the caller needs iam:SimulatePrincipalPolicy (5 of 5 targets: n0, n1, n2 and 2 more)"


def test_a_gap_is_skip_at_every_level():
    assert worst(one.status for one in outcome(finding("policy-too-wide", "SKIP", "note"), fail_on="error")) == "SKIP"


def test_what_is_in_order_is_told_row_by_row_where_there_are_few_and_counted_where_there_are_many():
    few = outcome(*(finding("cluster-missing", subject=f"n{number}") for number in range(3)))
    assert [check.because for check in few] == ["seen"] * 3
    many = [finding("cluster-missing", subject=f"n{number}") for number in range(4_983)]
    (counted,) = outcome(*many, *(finding("cluster-missing", "NG", "note", f"m{one}") for one in range(17)))[:1]
    assert counted.because == "4,983 of 5,000 targets in order, such as n0: seen"
    assert (counted.subject, counted.status) == ("the others", "OK")


def test_nothing_on_a_schedule_is_no_ok():
    (check,) = outcome(rows=0)
    assert check.status == "SKIP"
    assert "3 rules and schedules end elsewhere" in check.because


def test_a_check_of_nothing_at_all_is_no_ok():
    skip, off = outcome(off={"policy-too-wide": "ticket 12"})
    assert (skip.status, skip.because) == ("SKIP", "5 targets were found, and every check that applies to them is off")
    assert off.status == "OK"


def test_checks_that_are_off_are_named_with_their_reasons():
    _, check = outcome(finding("cluster-missing"), off={"policy-too-wide": "ticket 12"})
    assert (check.status, "policy-too-wide, because ticket 12" in check.because) == ("OK", True)


def test_a_level_that_there_is_not_is_refused():
    with pytest.raises(SpecError, match=r"fail_on = 'warn': write error, warning or note"):
        outcome(fail_on="warn")
