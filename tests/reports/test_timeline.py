"""The picture: steps are registrations, dots are runs."""

import io
import warnings
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.dates import num2date

from ecs_runbook.evidence.revisions import frame
from ecs_runbook.evidence.runs import RUN_COLUMNS
from ecs_runbook.reports.timeline import LOOKS, steps, timeline


def at(hour, minute=0):
    return datetime(2026, 11, 24, hour, minute, tzinfo=UTC)


def registered(number, time, gone=None):
    return {
        "family": "nightly",
        "revision": number,
        "registered_at": time,
        "deregistered_at": gone,
        "status": "INACTIVE" if gone else "ACTIVE",
    }


def table(*rows):
    named = [dict(zip(("time", "executed", "latest", "state", "error"), row, strict=True)) for row in rows]
    made = pd.DataFrame(named, columns=RUN_COLUMNS).astype({"executed": "Int64", "latest": "Int64"})
    return made.assign(time=pd.to_datetime(made["time"], utc=True))


REVISIONS = frame([registered(1, at(9)), registered(2, at(12))])
RUNS = table(
    (at(10), 1, 1, "LATEST", ""),
    (at(13), 1, 2, "STALE", ""),
    (at(14), 2, 2, "LATEST", ""),
    (at(15), None, None, "", "AccessDenied: User: …"),
)


def words(figure):
    axes = figure.axes[0]
    return [text.get_text() for text in axes.texts], [label.get_text() for label in axes.get_yticklabels()]


def dots(figure):
    """(colour, times, heights) of each kind of dot."""
    found = {}
    for points in figure.axes[0].collections:
        offsets = points.get_offsets()
        if len(points.get_facecolor()) and len(offsets) and points.get_sizes().size:
            times = [num2date(time).hour for time, _ in offsets]
            found[to_hex(points.get_facecolor()[0]).upper()] = (times, [height for _, height in offsets])
    return found


def test_a_stale_run_stands_below_its_step_and_a_refused_one_below_all():
    found = dots(timeline(RUNS, REVISIONS))
    assert found[LOOKS["LATEST"][1]] == ([10, 14], [0, 1])
    assert found[LOOKS["STALE"][1]] == ([13], [0])
    assert found[LOOKS["NOTHING RAN"][1]] == ([15], [-1])


def test_everything_is_named_where_it_stands():
    texts, lanes = words(timeline(RUNS, REVISIONS))
    assert lanes == ["revision 1", "revision 2", "nothing ran"]
    assert "ran the latest (2 runs)" in texts
    assert "ran 1 while 2 was the latest" in texts
    assert "refused: AccessDenied" in texts
    assert "latest from 12:00:00" in texts


def test_the_title_counts():
    assert timeline(RUNS, REVISIONS).axes[0].get_title(loc="left") == (
        "4 runs: 2 took the latest revision, 1 took an older one, 1 refused"
    )
    assert timeline(RUNS[:1], REVISIONS).axes[0].get_title(loc="left") == "1 run: took the latest revision"
    assert timeline(RUNS[:0], REVISIONS).axes[0].get_title(loc="left") == "No run in this time"


def test_times_are_written_in_the_readers_zone():
    figure = timeline(RUNS, REVISIONS, zone=ZoneInfo("Asia/Tokyo"))
    assert "latest from 21:00:00" in words(figure)[0]
    assert "Asia/Tokyo (UTC+09:00)" in figure.axes[0].get_xlabel()
    assert timeline(RUNS, REVISIONS).axes[0].get_xlabel() == "24 Nov 2026, UTC"


def test_what_is_not_known_has_a_lane_of_its_own():
    figure = timeline(table((at(10), None, 1, "UNKNOWN", "")), REVISIONS)
    assert words(figure)[1] == ["revision 1", "revision 2", "unknown"]


def test_revisions_far_apart_in_number_are_neighbours():
    ran = table((at(10), 3, 3, "LATEST", ""), (at(13), 57, 57, "LATEST", ""))
    figure = timeline(ran, frame([registered(3, at(9)), registered(57, at(12))]))
    assert words(figure)[1] == ["revision 3", "revision 57"]
    assert dots(figure)[LOOKS["LATEST"][1]] == ([10, 13], [0, 1])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([registered(1, at(9))], [(8, 9, None), (9, 16, 1)]),
        ([registered(1, at(7))], [(8, 16, 1)]),
        ([registered(1, at(7)), registered(2, at(10), at(12))], [(8, 10, 1), (10, 12, 2), (12, 16, 1)]),
        ([registered(1, at(7)), registered(2, at(20))], [(8, 16, 1)]),
        ([registered(1, at(9), at(10))], [(8, 9, None), (9, 10, 1), (10, 16, None)]),
    ],
)
def test_steps_follow_registrations_and_deregistrations(rows, expected):
    found = steps(frame(rows), at(8), at(16))
    assert [(step.since.hour, step.until.hour, step.revision) for step in found] == expected


def test_a_registration_of_last_year_does_not_squeeze_the_runs():
    long_ago = datetime(2025, 1, 1, tzinfo=UTC)
    left, right = timeline(RUNS[:3], frame([registered(1, long_ago), registered(2, at(12))])).axes[0].get_xlim()
    assert right - left < 1


def test_no_two_kinds_share_a_shape_or_a_colour():
    shapes, colours = zip(*LOOKS.values(), strict=True)
    assert len(set(shapes)) == len(set(colours)) == len(LOOKS)


def test_it_is_a_picture_900_pixels_wide():
    picture = io.BytesIO()
    figure = timeline(RUNS, REVISIONS)
    figure.savefig(picture, format="png")
    assert picture.getvalue()[1:4] == b"PNG"
    assert int.from_bytes(picture.getvalue()[16:20]) == 900


@pytest.mark.parametrize(
    ("width", "example"),
    [
        ("30s", "12:00:10"),
        ("220s", "12:02"),
        ("10min", "12:05"),
        ("10h", "14:00"),
        ("40h", "26 Nov 00:00"),
        ("53h", "26 Nov 12:00"),
        ("4D", "27 Nov"),
        ("60D", "15 Dec"),
    ],
)
def test_no_two_ticks_bear_the_same_words(width, example):
    begun = pd.Timestamp("2026-11-25T12:00:00Z")
    until = (begun + pd.Timedelta(width)).to_pydatetime()
    with warnings.catch_warnings(action="error"):
        figure = timeline(table((begun, 1, 1, "LATEST", "")), frame([registered(1, begun)]), until=until)
        figure.canvas.draw()
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert example in ticks
    assert len(set(ticks)) == len(ticks)


def attempts(name, *rows):
    return table(*rows).assign(run=name, attempt=range(1, len(rows) + 1), status="STOPPED")


def threads(figure):
    """The heights that each thread runs through."""
    return [list(line.get_ydata()) for line in figure.axes[0].lines]


def test_attempts_of_one_run_are_joined_and_numbered_and_one_after_a_deploy_stands_on_the_new_step():
    bad, good = (1, 1, "LATEST", "bad"), (2, 2, "LATEST", "")
    one = attempts("one", (at(10), *bad), (at(11), *bad), (at(13), *good))
    two = attempts("two", (at(14), *good))
    figure = timeline(pd.concat([one, two]), REVISIONS)
    assert threads(figure) == [[0.0, 0.0, 1.0]]
    assert [text for text in words(figure)[0] if text in ("1", "2", "3")] == ["1", "2", "3"]
    assert figure.axes[0].get_title(loc="left") == "2 runs in 4 attempts: all took the latest revision"
    assert "ran the latest (4 attempts, 2 ended badly)" in words(figure)[0]
    assert dots(figure)["#FFFFFF"] == ([10, 11], [0.0, 0.0])


def test_a_firing_that_was_skipped_has_a_lane_of_its_own_and_is_not_called_refused():
    skipped = table((at(11), None, None, "", "")).assign(status="SKIPPED", run="two", attempt=1)
    figure = timeline(pd.concat([table((at(10), 1, 1, "LATEST", "")), skipped]), REVISIONS)
    assert "skipped" in words(figure)[1]
    assert "skipped: one was running" in words(figure)[0]
    assert figure.axes[0].get_title(loc="left") == "2 runs: 1 took the latest revision, 1 skipped"
