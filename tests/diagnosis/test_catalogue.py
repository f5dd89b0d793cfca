"""The catalogue is one file that is easy to add to: a row that is not written right is named, with its field."""

# ruff: noqa: E501 - AWS's words and what is written down of them are one line each

import re
from pathlib import Path

import pytest

from ecs_runbook import workspace
from ecs_runbook.diagnosis.catalogue import DERIVED, FACTS, PLACEHOLDER, catalogue, read_catalogue
from ecs_runbook.diagnosis.values import fill
from ecs_runbook.errors import RunbookError
from ecs_runbook.lint.registry import RULES

ROWS = catalogue()
NOTEBOOKS = {path.stem for path in (Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb")}
GOOD = """
[[failure]]
id = "gone"
title = "It is gone"
shows = ["CloudTrail"]
messages = ["The thing '{subnet}' is gone"]
means = "The thing {subnet|of the target} is gone."
causes = ["Somebody took it."]
remedy = "Put {subnet|it} back."
check = "30_fire."
source = "nowhere"
verified = "not verified"
"""


def texts(row):
    return [row.title, row.means, row.remedy, row.check, row.diff, *row.causes]


def test_a_good_row_is_read():
    (row,) = read_catalogue(GOOD)
    assert (row.id, row.shows, row.calls, row.verified) == ("gone", ("CloudTrail",), ("RunTask",), "not verified")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "gone"', 'id = "Gone!"', "row Gone!, id: it is small letters and digits with hyphens between."),
        ('title = "It is gone"', "", "row gone, title: it is needed."),
        ('title = "It is gone"', "title = 3", "row gone, title: it is a text."),
        ('["CloudTrail"]', '["the moon"]', "row gone, shows: 'the moon' is none of CloudTrail, "),
        ('["CloudTrail"]', '"CloudTrail"', "row gone, shows: it is a list of texts."),
        ('"not verified"', '"surely"', "row gone, verified: 'surely' is none of inferred, "),
        ("'{subnet}' is", "'{planet}' is", "row gone, messages: 'planet' is none of account, "),
        ("'{subnet}' is", "{subnet}{}", "two holes touch, so nobody can say where one ends."),
        ("'{subnet}' is", "{Subnet} is", "a hole is {name} in lower case, {} or {*}; … stands at an end only."),
        ('"The thing \'{subnet}\' is gone"', '"{}"', "would fit almost anything: write more of AWS's words."),
        ("{subnet|of the target}", "{subnet}", "row gone, means: {subnet} needs words for when it is not known: {subnet|the …}."),
        ("{subnet|it}", "{planet|it}", "row gone, remedy: 'planet' is none of "),
        ('source = "nowhere"', 'source = "nowhere"\ncolour = "red"', "row gone: colour is not a field."),
        ('source = "nowhere"', 'source = "nowhere"\nnarrows = ["x"]', "row gone, narrows: x is no row above it."),
        ('source = "nowhere"', 'source = "nowhere"\nwhen = { moon = "full" }', "row gone, when: 'moon' is none of "),
        ('source = "nowhere"', 'source = "nowhere"\nwhen = { rule = 3 }', "row gone, when: a value is a text or a list of texts."),
        ('source = "nowhere"', 'source = "nowhere"\ncode_alone = "yes"', "row gone, code_alone: it is true or false."),
        ('source = "nowhere"', 'source = "nowhere"\ncode_alone = true', "row gone, code_alone: codes are needed."),
        ('source = "nowhere"', 'source = "nowhere"\ncalls = ["StopTask"]', "row gone, calls: 'StopTask' is none of "),
        ("messages =", "codes =", "row gone, messages: without one, code_alone = true or when is needed."),
        ("[[failure]]", "x = 1\n[[failure]]", "x stands outside of [[failure]]."),
        ("[[failure]]", "[[failure", "catalogue.toml is not TOML: "),
    ],
)  # fmt: skip
def test_a_row_that_is_not_written_right_is_refused_with_row_and_field(old, new, words):
    assert old in GOOD
    with pytest.raises(RunbookError) as refusal:
        read_catalogue(GOOD.replace(old, new, 1))
    assert words in refusal.value.message


def test_two_rows_of_one_id_are_refused():
    with pytest.raises(RunbookError) as refusal:
        read_catalogue(GOOD + GOOD)
    assert refusal.value.message == "catalogue.toml, row gone, id: there is a row of that id already."


def test_every_mistake_that_is_named_has_its_folder():
    folders = {path.parent.name for path in (workspace.modules() / "mistakes").glob("*/main.tf")}
    assert {row.mistake for row in ROWS if row.mistake} <= folders


def test_every_notebook_that_is_named_is_there():
    named = {name for row in ROWS for text in texts(row) for name in re.findall(r"\b\d\d_[a-z_]+", text)}
    assert named <= NOTEBOOKS


def test_every_rule_of_lint_that_is_named_is_there():
    named = {
        rule
        for row in ROWS
        for some in re.findall(r"10_generate (?:does not find|finds neither) ([a-z-]+(?: nor [a-z-]+)?)", row.check)
        for rule in some.split(" nor ")
    }
    assert len(named) > 10
    assert named <= set(RULES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_reads_well_with_no_value_known_and_with_all(row):
    known = {name: name.upper() for name in FACTS | DERIVED}
    for text in texts(row):
        for filled in (fill(text, {}), fill(text, known)):
            assert not PLACEHOLDER.search(filled)
            assert not re.search(r"(?<!\$)\{[a-z_]+\|", filled)
            assert "None" not in filled
    assert all(line[:1] in " +-" for line in row.diff.splitlines() if line)
    assert row.means.rstrip('"')[-1] in ".)"
    assert row.check.endswith(".")


def test_what_is_not_verified_says_so_in_its_own_words_where_it_states_what_aws_says():
    doubtful = [row for row in ROWS if row.verified == "not verified" and row.messages]
    said = ("not verified", "no record", "Common knowledge", "emulator", "inferred")
    assert all(any(word in f"{row.means} {row.source}" for word in said) for row in doubtful), [
        row.id for row in doubtful
    ]
