"""Parameters are held against what the notebook declares, as papermill and JupyterLab leave them in In."""

import pytest

from ecs_runbook.errors import ParameterError
from ecs_runbook.parameters import check, declared

DECLARATION = """\
where: str = "local"  # local or aws
account: str = ""  # 12 digits
minutes: int = 5  # how far back
share: float = 0.5
dry: bool = False
subnets: list[str] = []
environment: dict[str, str] = {}
tail: str | None = None
"""
DEFAULTS = {
    "where": "local",
    "account": "",
    "minutes": 5,
    "share": 0.5,
    "dry": False,
    "subnets": [],
    "environment": {},
    "tail": None,
}
BEGIN = 'run = begin("40_prove")'


def passed(**values):
    """Return the variables and the cells after papermill passed *values*, written as papermill writes them."""
    injected = "# Parameters\n" + "".join(f"{name} = {value!r}\n" for name, value in values.items())
    return {**DEFAULTS, **values}, [DECLARATION, injected, BEGIN]


def refusal(**values):
    with pytest.raises(ParameterError) as caught:
        check(*passed(**values))
    return caught.value


def test_defaults_alone_are_taken():
    assert check(dict(DEFAULTS), [DECLARATION, BEGIN]) == DEFAULTS


def test_values_that_fit_are_taken():
    given = {
        "where": "aws",
        "minutes": 90,
        "share": 1,
        "dry": True,
        "subnets": ["subnet-1"],
        "environment": {"A": "${B}\n\"'"},
        "tail": "x" * 500,
    }
    assert check(*passed(**given)) == {**DEFAULTS, **given}


def test_a_misspelt_name_is_refused_with_the_near_one_and_the_list():
    error = refusal(wher="aws")
    assert error.message == 'There is no parameter "wher"; did you mean "where"?'
    assert error.hint == ("The parameters are: where, account, minutes, share, dry, subnets, environment, tail.")


def test_a_name_like_none_is_refused_without_a_guess():
    assert refusal(zzz=1).message == 'There is no parameter "zzz".'


def test_a_name_in_the_wrong_case_is_another_name():
    assert 'did you mean "where"?' in refusal(Where="aws").message


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"where": 5},
            "where = 5: wanted text, got a whole number; with papermill, pass it with -r to keep it text: -r where 5.",
        ),
        ({"where": True}, "wanted text, got True or False"),
        ({"where": None}, "wanted text, got None"),
        ({"where": 1e5}, "-r where 100000.0"),
        ({"tail": 7}, "wanted text, got a whole number"),
        ({"minutes": True}, "minutes = True: wanted a whole number, got True or False"),
        ({"minutes": "5"}, "wanted a whole number, got text"),
        ({"minutes": 5.0}, "wanted a whole number, got a number"),
        ({"share": "half"}, "wanted a number, got text"),
        ({"share": True}, "wanted a number, got True or False"),
        ({"share": float("nan")}, "wanted a number"),
        ({"dry": 1}, "wanted True or False, got a whole number; with papermill: -p dry True"),
        ({"dry": "true"}, "wanted True or False, got text"),
        ({"subnets": "subnet-1"}, 'wanted a list, got text; with papermill, pass it with -y: -y "subnets: [a, b]"'),
        (
            {"subnets": ["subnet-1", 5]},
            "wanted text in every place, got a whole number at 1; in YAML, put it in quotes: '5'",
        ),
        ({"environment": "A=B"}, 'pass it with -y: -y "environment: {key: value}"'),
        ({"environment": {"A": 5}}, "got a whole number at 'A'"),
        ({"environment": {5: "A"}}, "got a whole number at 5"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_way_to_pass_it(given, words):
    assert words in refusal(**given).message


def test_every_fault_is_named_at_once():
    message = refusal(wher="aws", minutes="5", dry=1).message
    assert all(words in message for words in ('"wher"', "minutes = '5'", "dry = 1"))


def test_an_account_that_papermill_made_a_number_becomes_twelve_digits_again():
    namespace, cells = passed(account=12345678901)
    assert check(namespace, cells)["account"] == "012345678901"
    assert namespace["account"] == "012345678901"


def test_an_account_of_thirteen_digits_stays_a_fault():
    assert "wanted text" in refusal(account=1234567890123).message


def test_an_account_that_is_true_stays_a_fault():
    assert "account = True: wanted text" in refusal(account=True).message


def test_papermills_own_paths_are_no_parameters_of_ours():
    assert check(*passed(PAPERMILL_INPUT_PATH="a.ipynb", PAPERMILL_OUTPUT_PATH="b.ipynb"))["where"] == "local"


def test_a_parameter_named_as_a_builtin_is_an_ordinary_one():
    cells = ['filter: str = ""\npapermill: int = 1', "# Parameters\npapermill = 2", BEGIN]
    assert check({"filter": "", "papermill": 2}, cells) == {"filter": "", "papermill": 2}


def test_a_second_run_all_in_the_same_kernel_is_judged_by_the_latest_cells():
    cells = ["other: int = 1", "# Parameters\nstranger = 1", BEGIN, "print(1)", DECLARATION, BEGIN]
    assert check(dict(DEFAULTS), cells) == DEFAULTS


def test_an_edited_declaration_is_judged_by_its_new_values():
    with pytest.raises(ParameterError, match="minutes = 'soon': wanted a whole number, got text"):
        check({**DEFAULTS, "minutes": "soon"}, [DECLARATION, BEGIN, 'minutes: int = "soon"', BEGIN])


def test_the_notebooks_own_assignments_are_not_taken_for_parameters():
    assert check(dict(DEFAULTS), [DECLARATION, "helper = 1", "%matplotlib inline", BEGIN]) == DEFAULTS


def test_a_notebook_without_parameters_has_none():
    assert check({}, ["import os", BEGIN]) == {}


def test_an_annotation_that_cannot_be_checked_is_refused():
    with pytest.raises(ParameterError, match=r"its annotation tuple cannot be checked"):
        check({"pair": ()}, ["pair: tuple = ()", BEGIN])


def test_a_fault_shows_no_more_than_the_beginning_of_a_long_value():
    assert len(refusal(minutes="x" * 5000).message) < 250


@pytest.mark.parametrize(
    "source",
    [
        "",
        "# only a comment",
        "where = 'local'",
        "where: str",
        "where: str = open('x')",
        "%time",
        "a: int = 1\nb = 2",
        "\0",
    ],
)
def test_a_cell_of_anything_else_declares_nothing(source):
    assert declared(source) == {}
