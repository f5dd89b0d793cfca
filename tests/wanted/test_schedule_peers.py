"""Two other readers of AWS's grammar, as a check on the hand-written tables; where they are wrong, why."""

import itertools
from datetime import UTC, datetime

import pytest
from aws_cron_expression_validator import validator as peer
from aws_croniter import AwsCroniter
from schedule_cases import DOUBTFUL, FIRES, REFUSED

from ecs_runbook.wanted.schedule import parse

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)

VALIDATOR_IS_WRONG = {
    "cron(*/60 * * * ? *)": "takes any step; AWS refuses */60 (aws-sdk-js#4212)",
    "cron(0 */24 * * ? *)": "takes any step",
    "cron(0 17 * * ? 2030-2027)": "takes years that run backwards, which come round to nothing",
}
CRONITER_IS_WRONG = {
    "cron(0 0 LW * ? *)": "reads LW as the weekday nearest to a day called L, and fails",
    "cron(0 0 LW 5 ? *)": "reads LW as the weekday nearest to a day called L, and fails",
    "cron(0 10 ? * L *)": "reads a lone L as no day; AWS calls it the last day of the week",
    "cron(0 12 25 12 ? 2026/10)": "takes for a step of years only what is itself a year",
    "cron(0 12 25 12 ? */50)": "takes for a step of years only what is itself a year",
    "cron(0 17 L-3 * ? *)": "takes a distance from the end, which AWS's documentation does not have",
    "cron(0 17 * * ? 2030-2027)": "takes years that run backwards, and lets them come round to 1970",
}


def inside(expression):
    return expression.removeprefix("cron(").removesuffix(")")


def validator_takes(expression):
    try:
        peer.AWSCronExpressionValidator.validate(inside(expression))
    except ValueError:
        return False
    return True


def croniter_fires(expression):
    try:
        found = AwsCroniter(inside(expression)).get_next(NEW_YEAR, n=3)
    except Exception:  # noqa: BLE001  it raises whatever comes up
        return "refused"
    return [f"{moment:%Y-%m-%d %H:%M}" for moment in found if moment]


def crons(table):
    return [expression for expression in table if expression.startswith("cron(") and expression.endswith(")")]


READABLE = [*crons(FIRES), *crons(DOUBTFUL)]
UNREADABLE = crons(REFUSED)


@pytest.mark.parametrize("expression", [each for each in READABLE if each not in VALIDATOR_IS_WRONG])
def test_the_validator_takes_what_is_taken_here(expression):
    assert validator_takes(expression)


@pytest.mark.parametrize("expression", [each for each in UNREADABLE if each not in VALIDATOR_IS_WRONG])
def test_the_validator_refuses_what_is_refused_here(expression):
    assert not validator_takes(expression)


@pytest.mark.parametrize("expression", [each for each in READABLE if each not in CRONITER_IS_WRONG])
def test_croniter_fires_when_it_is_fired_here(expression):
    here = itertools.islice(parse(expression).after(NEW_YEAR), 3)
    assert croniter_fires(expression) == [f"{moment:%Y-%m-%d %H:%M}" for moment in here]


@pytest.mark.parametrize("expression", [each for each in UNREADABLE if each not in CRONITER_IS_WRONG])
def test_croniter_refuses_what_is_refused_here(expression):
    assert croniter_fires(expression) == "refused"


@pytest.mark.parametrize("expression", VALIDATOR_IS_WRONG)
def test_the_validator_is_still_wrong_where_it_is_said_to_be(expression):
    assert validator_takes(expression) != (expression in READABLE)


@pytest.mark.parametrize("expression", CRONITER_IS_WRONG)
def test_croniter_is_still_wrong_where_it_is_said_to_be(expression):
    assert croniter_fires(expression) != FIRES.get(expression, "refused")
