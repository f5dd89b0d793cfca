"""Expressions are worked out as Terraform itself has worked them out, or not at all."""

import json
from pathlib import Path

import pytest
from record_expressions import FILE

from ecs_runbook.lint.evaluate import evaluate
from ecs_runbook.lint.folders import Folder
from ecs_runbook.lint.grammar import Fault
from ecs_runbook.lint.known import Wrong, doubt, json_text
from ecs_runbook.lint.modules import Module, Root
from ecs_runbook.lint.nodes import expression

RECORDED = json.loads(FILE.read_text())
NOWHERE = Path("/nowhere")
MODULE = Module(Folder(NOWHERE), Root(NOWHERE, NOWHERE, None), "", {})


def told(text):
    """Return what is made of an expression, as the recording has it; None if it is not known."""
    try:
        value = evaluate(expression(f"jsonencode({{ told = {text} }})"), MODULE, {})
    except (Wrong, Fault):
        return "ERROR"
    return None if doubt(value) else json_text(value.value)


def test_what_is_worked_out_is_what_terraform_says():
    wrong = {
        one: (answer, got)
        for one, answer in RECORDED.items()
        if (got := told(one)) not in (None, "ERROR" if answer == "REFUSED" else answer)
    }
    assert wrong == {}


def test_little_is_left_open():
    left = [one for one in RECORDED if told(one) is None]
    assert len(RECORDED) > 450
    assert len(left) < 0.1 * len(RECORDED), left


@pytest.mark.parametrize(
    "text",
    ["timestamp()", "uuid()", "no_such(1)", "provider::time::rfc3339_parse(1)", "path.cwd", "terraform.workspace"],
)
def test_what_only_terraform_can_say_is_not_known(text):
    assert told(text) is None
