"""Summary, map and details: the worst first, nothing lost without a word, nothing that is told breaks the page."""

import re
from dataclasses import replace
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from made_checks import HOME, NOW, SINCE, checked, finding, fleet, row

from ecs_runbook.checks.asked import Asked
from ecs_runbook.checks.findings import Finding
from ecs_runbook.checks.outcome import judge_checked
from ecs_runbook.inventory.model import Inventory, Place
from ecs_runbook.reports import details as details_module
from ecs_runbook.reports import heat_map as heat_map_module
from ecs_runbook.reports.details import details
from ecs_runbook.reports.heat_map import heat_map
from ecs_runbook.reports.history import Key, News, Old
from ecs_runbook.reports.standing import GRADES, grade, spread, standings
from ecs_runbook.reports.summary import summary
from ecs_runbook.reports.target_list import target_list
from ecs_runbook.verdicts.verdict import Verdict

NIGHTLY, WEEKLY, DAILY = row("nightly"), row("weekly"), row("daily")
FAR = Place("444455556666", "us-east-1")


def told(found, news=None, zone=UTC):
    checks = tuple(judge_checked(found))
    verdict = Verdict("60_check", "local", HOME.account, HOME.region, NOW, checks)
    return summary(found, verdict, Asked(SINCE, NOW, zone), news)


def lines_of(shown):
    body = shown.html.partition("<tbody>")[2].partition("</tbody>")[0]
    return [[re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line, re.DOTALL)]
            for line in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)]  # fmt: skip


def test_the_summary_counts_targets_by_the_worst_that_was_found_of_each():
    found = checked(
        [
            finding(NIGHTLY),
            finding(NIGHTLY, "no-dead-letter-queue"),
            finding(WEEKLY, "two-vpcs", "SKIP", "the caller needs ec2:DescribeSubnets"),
            finding(DAILY, "two-vpcs", "OK"),
        ],
        [NIGHTLY, WEEKLY, DAILY],
    )
    shown = told(found)
    assert shown.line == "1 of 3 scheduled targets has an error or a warning; 1 could not be looked at in full."
    assert re.findall(r'<b class="(\w+)">(\d+)</b> ([^<]+)', shown.html) == [
        ("error", "1", "error"),
        ("SKIP", "1", "could not be looked at"),
        ("OK", "1", "OK"),
    ]


@pytest.mark.parametrize(
    ("findings", "rows", "line"),
    [
        ([], [], "nothing on a schedule that ends in ECS was found."),
        ([finding(NIGHTLY, status="OK")], [NIGHTLY], "1 scheduled target, no error and no warning."),
        (
            [finding(NIGHTLY, severity="note")],
            [NIGHTLY, WEEKLY],
            "2 scheduled targets, no error and no warning, 1 with a note.",
        ),
        (
            [Finding("inventory", FAR, "all", "SKIP", "the caller needs events:ListRules", "", "error")],
            [NIGHTLY],
            "1 source could not be read in full, of 1 scheduled target.",
        ),
        (
            [Finding("inventory", FAR, "all", "SKIP", "the caller needs events:ListRules", "", "error")],
            [],
            "nothing on a schedule that ends in ECS was found; 1 source could not be read in full.",
        ),
        (
            [Finding("dead-letters-waiting", FAR, "queue lost", "NG", "1 message of an unknown sender", "", "note")],
            [NIGHTLY],
            "1 scheduled target, no error and no warning.",
        ),
        (
            [
                Finding("dead-letters-waiting", FAR, "queue lost", "NG", "1 message of an unknown sender", "", "note"),
                Finding("inventory", FAR, "queue lost", "SKIP", "the caller needs sqs:ReceiveMessage", "", "error"),
            ],
            [NIGHTLY],
            "1 source could not be read in full, of 1 scheduled target.",
        ),
    ],
)
def test_the_line_says_what_it_comes_to(findings, rows, line):
    assert told(checked(findings, rows)).line == line


def test_the_worst_stand_first_and_each_check_once():
    found = checked(
        [
            finding(NIGHTLY, "no-dead-letter-queue"),
            finding(NIGHTLY, "no-way-out", because="no route leads out"),
            finding(WEEKLY, "no-way-out", because="no route leads out"),
            finding(DAILY, "pinned-revision", because="it names daily-job:7"),
        ],
        [NIGHTLY, WEEKLY, DAILY],
    )
    assert lines_of(told(found)) == [
        ["error", "no-way-out", "2", "nightly: no route leads out; also weekly"],
        ["error", "pinned-revision", "1", "daily: it names daily-job:7"],
        ["note", "no-dead-letter-queue", "1", "nightly: it runs nightly-job:7, and 9 is the latest"],
    ]


def test_a_summary_of_thousands_is_as_short_as_one_of_few():
    shown = told(fleet(3000, bad=0.5, places=(HOME, FAR)))
    assert len(lines_of(shown)) == 8
    assert re.search(r"\d+ more checks with [\d,]+ findings: see the map and the table\.", shown.html)
    assert "With an error or a warning, by place:" in shown.text
    assert len(shown.text.splitlines()) < 20


def test_the_summary_tells_what_has_changed_in_the_readers_zone():
    old = Old(Key(HOME.account, HOME.region, "weekly", "two-vpcs"), "error", "sg-1 is in vpc-2")
    news = News(NOW - timedelta(days=1), frozenset([finding(NIGHTLY)]), mended=[old], gone=[old], unread=["x.parquet"])
    shown = told(checked([finding(NIGHTLY)], [NIGHTLY]), news, zone=ZoneInfo("Asia/Tokyo"))
    assert (
        "Since the last check, Mon 23 Nov 2026 16:00 JST: 1 new, 1 mended, 1 gone with their schedules. "
        "1 files of the history could not be read: x.parquet." in shown.text
    )
    assert "weekly: two-vpcs <small>was: sg-1 is in vpc-2</small>" in shown.html
    assert "The first check of this question" in told(checked([], [NIGHTLY]), News()).text


def test_the_summary_says_what_was_looked_at_and_what_was_turned_off():
    shown = told(checked([], [NIGHTLY], off={"no-retry-policy": "agreed"}))
    assert (
        "Looked at 111122223333/eu-west-2, 0 runs since Mon 23 Nov 2026 05:00 UTC, at Tue 24 Nov 2026 07:00 UTC, "
        "with 3 calls. Turned off: no-retry-policy." in shown.text
    )


def test_the_map_has_a_line_a_target_and_a_column_a_check_that_found_something():
    found = checked(
        [
            finding(NIGHTLY),
            finding(NIGHTLY, "two-vpcs", "OK"),
            finding(WEEKLY, "no-way-out", "SKIP", "throttled"),
            finding(WEEKLY, "two-vpcs", "OK"),
            finding(DAILY, "no-dead-letter-queue"),
        ],
        [NIGHTLY, WEEKLY, DAILY],
    )
    shown = heat_map(found)
    heads = re.findall(r"<th><span>([^<]+)</span>", shown.html)
    assert heads == ["pinned-revision", "no-dead-letter-queue", "no-way-out"]
    assert lines_of(shown) == [["nightly", "E", "", ""], ["daily", "", "n", ""], ["weekly", "", "", "?"]]
    assert "OK wherever they apply: two-vpcs." in shown.html


def test_in_a_map_of_many_those_that_stand_alike_share_a_line(monkeypatch):
    rows = [row(f"job-{number:02}") for number in range(40)]
    found = checked([finding(one) for one in rows[:5]] + [finding(one, "two-vpcs", "OK") for one in rows], rows)
    assert lines_of(heat_map(found)) == [
        ["5 alike: job-00, job-01, job-02 … and 2 more", "E"],
        ["35 alike: job-05, job-06, job-07 … and 32 more", ""],
    ]
    monkeypatch.setattr(heat_map_module, "MOST_LINES", 1)
    assert "1 more lines, of 35 targets that stand better than these, are in the tables below." in heat_map(found).html


def test_a_region_that_could_not_be_listed_has_a_line_of_its_own():
    skip = Finding("inventory", FAR, "all", "SKIP", "the caller needs events:ListRules", "", "error")
    found = checked([skip, finding(NIGHTLY, status="OK")], [NIGHTLY])
    assert lines_of(heat_map(found)) == [["all 444455556666/us-east-1", "?"], ["nightly 111122223333/eu-west-2", ""]]


def test_a_map_of_nothing_but_ok_says_so():
    assert "Every check is OK wherever it applies: two-vpcs." in heat_map(
        checked([finding(NIGHTLY, "two-vpcs", "OK")], [NIGHTLY])
    ).html  # fmt: skip


def test_details_have_because_and_the_mend_of_all_that_is_not_ok_the_worst_first():
    found = checked(
        [
            finding(NIGHTLY, "no-dead-letter-queue"),
            finding(WEEKLY, "no-way-out", "SKIP", "the caller needs ec2:DescribeSubnets", mend="Allow it."),
            finding(DAILY, "two-vpcs", "OK"),
            finding(NIGHTLY, because="it names nightly-job:7", mend="Name the family."),
        ],
        [NIGHTLY, WEEKLY, DAILY],
    )
    shown = details(found)
    assert [line[:3] for line in lines_of(shown)] == [
        ["error", "nightly", "pinned-revision"],
        ["note", "nightly", "no-dead-letter-queue"],
        ["SKIP", "weekly", "no-way-out"],
    ]
    assert lines_of(shown)[0][3] == "it names nightly-job:7Name the family. 10_generate"
    assert '<a href="10_generate.ipynb">' in shown.html
    assert "3 not OK; 1 are OK. All of them are in <code>findings.csv</code>." in shown.html


def test_details_say_what_is_new_and_since_when_the_rest_is_known():
    new, known = finding(NIGHTLY), finding(WEEKLY)
    news = News(NOW - timedelta(days=1), frozenset([new]), {known: NOW - timedelta(days=9)})
    since = [line[4] for line in lines_of(details(checked([new, known], [NIGHTLY, WEEKLY]), news))]
    assert since == ["new", "15 Nov 2026"]


def test_details_of_thousands_are_the_worst_and_say_that_there_are_more(monkeypatch):
    monkeypatch.setattr(details_module, "MOST_ROWS", 3)
    rows = [row(f"job-{number}") for number in range(9)]
    findings = [finding(one, "no-dead-letter-queue") for one in rows] + [finding(rows[4])]
    shown = details(checked(findings, rows))
    assert [line[0] for line in lines_of(shown)] == ["error", "note", "note"]
    assert "3 of 10 findings that are not OK follow, some of each check, the worst first; 0 are OK." in shown.html


@pytest.mark.parametrize(
    ("most", "counts"), [(3, (1, 1, 1)), (2, (1, 1, 0)), (7, (4, 2, 1)), (12, (9, 2, 1)), (50, (9, 2, 1))]
)
def test_a_check_that_fails_everywhere_does_not_hide_the_others(most, counts):
    rows = [row(f"job-{number}") for number in range(9)]
    many = [finding(one) for one in rows] + [finding(one, "no-way-out") for one in rows[:2]]
    shown = spread([finding(NIGHTLY, "no-dead-letter-queue"), *many], most)
    checks = [one.check for one in shown]
    assert tuple(checks.count(check) for check in ("pinned-revision", "no-way-out", "no-dead-letter-queue")) == counts
    grades = [GRADES.index(grade(one)) for one in shown]
    assert grades == sorted(grades)


def test_the_list_says_through_which_state_machine_a_task_is_run():
    through = replace(row("report"), through="arn:aws:states:eu-west-2:111122223333:stateMachine:again")
    lines = lines_of(target_list(Inventory([NIGHTLY, through])))
    assert [line[:2] for line in lines] == [["nightly", "rule"], ["report", "rulethrough again"]]


def test_what_is_shown_of_thousands_is_small():
    found = fleet(5000, bad=0.5)
    sizes = [len(shown.html) for shown in (told(found), heat_map(found), details(found))]
    assert sum(one.status != "OK" for one in found.findings) > 3000
    assert sum(sizes) < 700_000


def test_what_aws_says_is_text_and_no_markup():
    hostile = finding(NIGHTLY, because="<script>alert(1)</script>", mend='"><img src=x onerror=alert(1)>')
    found = checked([hostile], [NIGHTLY])
    for shown in (told(found), heat_map(found), details(found)):
        assert "<script>alert" not in shown.html
        assert "<img" not in shown.html


def test_a_target_that_no_check_applies_to_is_ok_and_counted():
    assert [one.worst for one in standings(checked([], [NIGHTLY]))] == ["OK"]
    assert standings(checked([], [], inventory=Inventory())) == []
