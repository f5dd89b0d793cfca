"""Progress: lines outside a notebook, one display inside."""

import contextlib
import io
from typing import ClassVar

import pytest

from ecs_runbook import progress as module
from ecs_runbook.progress import Progress


class Display:
    """What IPython hands out for a display that can be updated."""

    def __init__(self):
        self.states = []

    def update(self, data, *, raw):
        assert raw
        self.states.append(data)


class Timer:
    """A timer that fires when the test says so."""

    started: ClassVar[list] = []

    def __init__(self, seconds, action):
        self.seconds, self.fire, self.alive = seconds, action, True

    def start(self):
        self.started.append(self)

    def cancel(self):
        self.alive = False


@pytest.fixture
def notebook(monkeypatch):
    display = Display()
    Timer.started.clear()
    monkeypatch.setattr(module, "_display", lambda *_: display)
    monkeypatch.setattr(module.threading, "Timer", Timer)
    return display


def interrupted(bars):
    with contextlib.suppress(KeyboardInterrupt), bars:
        bars.row("role", 0.25, "creating")
        raise KeyboardInterrupt


def test_outside_a_notebook_there_is_one_line_for_each_finished_row():
    stream = io.StringIO()
    with Progress("Apply", 2, stream=stream, clock=lambda: 0.0) as bars:
        bars.row("role", 0.2, "creating")
        bars.row("rule", 0.1)
        bars.row("role", 1, "created")
        bars.row("role", 1, "created")
        bars.row("rule", 1)
    assert stream.getvalue() == ("Apply: role: created (0.0 s)\nApply: rule: done (0.0 s)\nApply: 2 of 2 (0.0 s)\n")
    assert "\r" not in stream.getvalue()


def test_the_last_line_says_that_it_was_interrupted():
    stream = io.StringIO()
    interrupted(Progress("Apply", 2, stream=stream, clock=lambda: 0.0))
    assert stream.getvalue() == "Apply: 0 of 2 · stopped (0.0 s)\n"


def test_in_a_notebook_a_burst_is_drawn_once_at_once_and_once_late(notebook):
    bars = Progress("Apply", clock=lambda: 100.0)
    for number in range(50):
        bars.row(f"row {number}", 0.5)
    assert len(notebook.states) == 1
    assert [timer.seconds for timer in Timer.started] == [pytest.approx(0.2)]
    Timer.started[0].fire()
    assert len(notebook.states) == 2
    assert "row 49" in notebook.states[-1]["text/html"]


def test_after_a_fifth_of_a_second_it_is_drawn_again(notebook):
    now = [0.0]
    bars = Progress("Apply", clock=lambda: now[0])
    bars.row("role", 0.1)
    now[0] = 0.2
    bars.row("role", 0.2)
    assert len(notebook.states) == 2


def test_the_final_state_is_always_drawn_and_nothing_after_it(notebook):
    with Progress("Apply", 1, clock=lambda: 0.0) as bars:
        bars.row("role", 0.1, "creating")
        bars.row("role", 1, "created")
    assert "created" in notebook.states[-1]["text/html"]
    assert "1 of 1" in notebook.states[-1]["text/plain"]
    drawn = len(notebook.states)
    Timer.started[0].fire()
    bars.close()
    assert len(notebook.states) == drawn


def test_an_interrupt_leaves_the_last_state(notebook):
    interrupted(Progress("Apply", 2, clock=lambda: 0.0))
    assert 'value="0.250"' in notebook.states[-1]["text/html"]
    assert "0 of 2 · stopped" in notebook.states[-1]["text/html"]


def test_a_failure_is_called_one(notebook):
    with pytest.raises(ValueError, match="no"), Progress("Apply", clock=lambda: 0.0):
        raise ValueError("no")
    assert "failed" in notebook.states[-1]["text/plain"]


def test_names_and_notes_cannot_become_markup(notebook):
    with Progress("<i>", clock=lambda: 0.0) as bars:
        bars.row("<script>", 0.5, "a & b")
    markup = notebook.states[-1]["text/html"]
    assert "&lt;script&gt;" in markup
    assert "a &amp; b" in markup
    assert "<script" not in markup
    assert "<i>" not in markup


def test_what_is_done_stays_between_nothing_and_all(notebook):
    with Progress("Apply", clock=lambda: 0.0) as bars:
        bars.row("less", -1)
        bars.row("more", 7)
    assert 'value="0.000"' in notebook.states[-1]["text/html"]
    assert 'value="1.000"' in notebook.states[-1]["text/html"]


def test_a_row_that_begins_again_is_not_finished(notebook):
    with Progress("Apply", 1, clock=lambda: 0.0) as bars:
        bars.row("role", 1)
        bars.row("role", 0.5)
    assert "0 of 1" in notebook.states[-1]["text/plain"]


def test_the_time_of_a_row_ends_with_it():
    stream, now = io.StringIO(), [1.0]
    bars = Progress("Apply", stream=stream, clock=lambda: now[0])
    bars.row("role", 0.1)
    now[0] = 3.5
    bars.row("role", 1, "created")
    now[0] = 9.0
    bars.close()
    assert stream.getvalue() == "Apply: role: created (2.5 s)\nApply: 1 of 1 (8.0 s)\n"
