"""A mend's diff fits exactly one place, or nothing is changed and the error says which hunk."""

import pytest

from ecs_runbook.errors import WorkspaceError
from ecs_runbook.rehearsal.mend import mended, old_lines

FILE = "a {\n  x = 1\n\n  y = 2\n}\nb {\n  x = 1\n}\n"


def test_a_hunk_is_applied_where_its_context_stands():
    assert (
        mended(FILE, " b {\n-  x = 1\n+  x = 3\n+  z = 4") == "a {\n  x = 1\n\n  y = 2\n}\nb {\n  x = 3\n  z = 4\n}\n"
    )


def test_several_hunks_are_applied_whatever_their_order_and_length():
    diff = " b {\n-  x = 1\n@@\n-  x = 1\n+  x = 5\n+  w = 6\n\n   y = 2"
    assert mended(FILE, diff) == "a {\n  x = 5\n  w = 6\n\n  y = 2\n}\nb {\n}\n"


def test_an_empty_line_of_the_diff_is_an_empty_line_of_the_file():
    assert mended(FILE, "   x = 1\n\n-  y = 2") == "a {\n  x = 1\n\n}\nb {\n  x = 1\n}\n"


@pytest.mark.parametrize(
    ("diff", "words"),
    [
        ("-  x = 1\n+  x = 2", "hunk 1 of the mend fits 2 places in main.tf; it must fit exactly one."),
        ("-  q = 1", "hunk 1 of the mend fits 0 places in main.tf; it must fit exactly one."),
        (" b {\n-  x = 1\n@@\n-nowhere", "hunk 2 of the mend fits 0 places in main.tf; it must fit exactly one."),
        ("+new", "hunk 1 of the mend fits 0 places in main.tf; it must fit exactly one."),
        (" b {", "hunk 1 of the mend of main.tf changes nothing."),
        ("", "hunk 1 of the mend of main.tf changes nothing."),
        ("b {\n-  x = 1", "a line of the mend of main.tf has no mark: 'b {'."),
    ],
)
def test_a_diff_that_does_not_fit_exactly_once_is_refused(diff, words):
    with pytest.raises(WorkspaceError) as refusal:
        mended(FILE, diff)
    assert refusal.value.message == words


def test_what_is_shown_of_the_mistake_is_what_stands_in_the_file():
    assert old_lines(" b {\n-  x = 1\n+  x = 2\n@@\n }") == ["b {", "  x = 1", "…", "}"]
