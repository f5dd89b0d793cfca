"""Folders, READMEs and stories of the mistakes agree, and every folder is one that people could take as it is."""

import json
import re

import hcl2
import pytest

from ecs_runbook import workspace
from ecs_runbook.errors import ParameterError, SessionError, WorkspaceError
from ecs_runbook.rehearsal.mistakes import CHAPTERS, STORIES, choose_mistakes, every, pattern, read_readme
from ecs_runbook.rehearsal.stage import module
from ecs_runbook.terraform.generate import adopt_folder

FOLDER = workspace.modules() / "mistakes"
NAMES = sorted(STORIES)


def test_every_folder_has_a_story_and_every_story_a_folder():
    folders = {path.parent.name for path in FOLDER.glob("*/main.tf")}
    assert folders == {*STORIES, "setting"}
    assert len(STORIES) == 17
    assert {story.chapter for story in STORIES.values()} == set(CHAPTERS)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_is_a_root_module_with_its_provider_apart_and_every_variable_described(name):
    folder = FOLDER / name
    provider = (folder / "provider.tf").read_text()
    assert "allowed_account_ids = [var.account]" in provider
    assert 'provider "' not in (folder / "main.tf").read_text()
    for block in hcl2.loads((folder / "variables.tf").read_text())["variable"]:
        for variable, said in block.items():
            assert said["description"].strip('"'), variable
            assert said["type"], variable


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_is_three_lines_and_its_mend_fits_the_folder(name):
    mistake = every()[name]
    text = (FOLDER / name / "README.md").read_text()
    assert len(re.findall(r"^\*\*", text, re.MULTILINE)) == 3
    assert mistake.people_write
    before, after = module(mistake)["main.tf"], module(mistake, mend=True)["main.tf"]
    assert before != after
    assert "mistake" in before.split("\n", 2)[2]  # the line itself is marked, not the headline alone
    assert "mistake" not in after.split("\n", 2)[2]
    hcl2.loads(after)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_can_move_anywhere_with_the_module_that_it_calls(name, tmp_path):
    adopt_folder(FOLDER / name, tmp_path / "copy", {"name": "x"}, account="111122223333")
    sources = re.findall(r'source\s*=\s*"(\.[^"]+)"', (tmp_path / "copy" / "main.tf").read_text())
    assert sources == ([] if name == "pinned_revision" else ["./setting"])
    for source in sources:
        assert (tmp_path / "copy" / source / "main.tf").is_file()
    assert json.loads((tmp_path / "copy" / "terraform.tfvars.json").read_text()) == {"name": "x"}


def test_the_names_differ_in_what_started_by_keeps_of_them():
    # startedBy has 36 characters, 12 of them "events-rule/"
    assert len({mistake.rule[:24] for mistake in every().values()}) == len(STORIES)


def test_without_names_all_are_chosen_and_with_names_those_in_the_storys_order():
    assert [mistake.name for mistake in choose_mistakes()] == list(STORIES)
    chosen = choose_mistakes(["cron_meant_in_jst", "pinned_revision"])
    assert [mistake.name for mistake in chosen] == ["pinned_revision", "cron_meant_in_jst"]


def test_a_misspelt_name_is_refused_with_the_nearest():
    with pytest.raises(ParameterError) as refusal:
        choose_mistakes(["launch_typ_left_out"])
    assert refusal.value.message == "mistakes: 'launch_typ_left_out' is not known."
    assert refusal.value.hint.startswith("The nearest are: launch_type_left_out")


@pytest.mark.parametrize("foreign", ["", "😀", "setting", "../scheduled_task", 3])
def test_what_is_no_mistake_is_refused_with_those_that_there_are(foreign):
    with pytest.raises(ParameterError, match="is not known"):
        choose_mistakes([foreign])


def test_a_real_account_is_refused_at_once():
    with pytest.raises(SessionError) as refusal:
        choose_mistakes(["pinned_revision"], where="aws")
    assert refusal.value.message == "where = 'aws': mistakes are made on purpose in the local AWS alone."


@pytest.mark.parametrize("text", ["", "# T\n", "# T\n\n**People write** a\n\n**AWS answers** nothing in backticks\n"])
def test_a_readme_that_is_written_otherwise_is_refused(text):
    with pytest.raises(WorkspaceError) as refusal:
        read_readme("broken", text)
    assert refusal.value.message == "the README of the mistake broken is not written as the others are."


def test_letter_by_letter_is_every_letter():
    said = pattern("Security group <group> is not in <vpc>.")
    assert said.fullmatch("Security group sg-1 is not in vpc-1.")
    assert not said.fullmatch("Security group sg-1 is not in vpc-1")
    assert not said.fullmatch("security group sg-1 is not in vpc-1.")
    assert not said.fullmatch("Security group sg-1 and sg-2 is not in vpc-1.")
    assert pattern("pull failed: <image>…").fullmatch("pull failed: a:1: timeout\nand more")
    assert not pattern("a … b").fullmatch("a and b")
